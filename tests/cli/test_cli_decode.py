"""``decode``: files of captured frames, good and bad."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.harness import ended, interrupted, json_lines, run_here, running, started
from trioquotes.cli import decode as command

MATCH = (
    '{"type":"match","trade_id":10,"sequence":50,"maker_order_id":"a","taker_order_id":"b",'
    '"time":"2014-11-07T08:19:27.028459Z","product_id":"BTC-USD","size":"5.23512000","price":"400.23","side":"sell"}'
)
SNAPSHOT = '{"type":"snapshot","product_id":"BTC-USD","bids":[["10","1.50"],["9","2"]],"asks":[["11","3"]]}'
CHANGE = (
    '{"type":"l2update","product_id":"BTC-USD","changes":[["buy","10","0"],["sell","12.0","4"]],'
    '"time":"2022-08-04T15:25:05.010758Z"}'
)

LEDGER = {"frames", "elements", "delivered", "folded", "ignored", "malformed", "gaps"}


def capture(path: Path, *lines: dict[str, Any] | str) -> Path:
    path = path / "capture.jsonl"
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def ledger(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text.splitlines()[-1])
    assert set(found) == LEDGER
    parts = found["delivered"] + found["folded"] + sum(found["ignored"].values()) + found["malformed"]
    assert found["elements"] == parts
    return found


def test_events_are_lines_and_the_ledger_is_last(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = capture(tmp_path, {"raw": MATCH, "recv_ts": "1618677817.061845", "note": "other fields pass"}, "")
    result = run_here(capfd, "decode", "coinbase", path)
    assert result.code == 0
    (trade,) = result.events
    assert (trade["event"], trade["price"], trade["size"]) == ("Trade", "400.23", "5.23512000")
    assert trade["received_ns"] == 1618677817061845000
    assert ledger(result.err) == {
        "frames": 1, "elements": 1, "delivered": 1, "folded": 0, "ignored": {}, "malformed": 0, "gaps": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("written", "received_ns"),
    [
        ("1618677817.061845", 1618677817061845000),
        ('"1618677817.0618958"', 1618677817061895800),
        ("1618677817.123456789", 1618677817123456789),  # more than a float holds
        ("1618677817", 1618677817000000000),
        ("null", 0),
    ],
)
def test_time_of_receipt_is_exact_as_text_and_as_number(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, written: str, received_ns: int
) -> None:
    path = capture(tmp_path, f'{{"raw": {json.dumps(MATCH)}, "recv_ts": {written}}}')
    result = run_here(capfd, "decode", "coinbase", path)
    assert [event["received_ns"] for event in result.events] == [received_ns]


def test_what_clients_sent_is_skipped(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    request = '{"type":"subscribe"}'
    path = capture(
        tmp_path,
        {"raw": request, "channel": "client:subscribe"},
        {"raw": request, "direction": "client"},
        {"raw": MATCH, "direction": "server", "channel": "matches"},
    )
    result = run_here(capfd, "decode", "coinbase", path)
    assert (result.code, len(result.events), ledger(result.err)["frames"]) == (0, 1, 1)


def test_channel_names_the_channel_of_a_frame_that_does_not_say_it(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = capture(tmp_path, {"raw": MATCH, "channel": "matches"}, {"raw": MATCH, "channel": "full"})
    native = run_here(capfd, "decode", "coinbase", path, "--native")
    assert [event["event"] for event in native.events] == ["coinbase.Match"] * 2
    unified = run_here(capfd, "decode", "coinbase", path)
    assert [event["event"] for event in unified.events] == ["Trade"]


def test_a_malformed_frame_is_counted_and_told_and_no_failure(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = capture(tmp_path, {"raw": MATCH[:40]}, {"raw": MATCH})
    result = run_here(capfd, "decode", "coinbase", path)
    assert (result.code, ledger(result.err)["malformed"]) == (0, 1)
    assert [event["event"] for event in result.events] == ["Malformed", "Trade"]


def test_books_are_printed_at_the_end_instead(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = capture(tmp_path, {"raw": SNAPSHOT}, {"raw": CHANGE})
    result = run_here(capfd, "decode", "coinbase", path, "--books")
    assert result.events == [
        {"instrument": "BTC-USD", "bids": [["9", "2"]], "asks": [["11", "3"], ["12.0", "4"]], "state": "live"}
    ]
    assert ledger(result.err)["delivered"] == 2


def test_independent_lines_know_nothing_of_each_other(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    later = MATCH.replace('"trade_id":10', '"trade_id":99').replace('"sequence":50', '"sequence":99')
    path = capture(tmp_path, {"raw": SNAPSHOT}, {"raw": CHANGE}, {"raw": MATCH}, {"raw": later})
    together = run_here(capfd, "decode", "coinbase", path)
    apart = run_here(capfd, "decode", "coinbase", path, "--independent")
    assert "BookChange" in [event["event"] for event in together.events]
    assert "BookChange" not in [event["event"] for event in apart.events]
    assert ledger(apart.err)["frames"] == ledger(together.err)["frames"] == 4


def test_a_hyphen_reads_standard_input(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    text = Pipe((json.dumps({"raw": MATCH}) + "\n").encode())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(text))
    result = run_here(capfd, "decode", "coinbase", "-")
    assert (result.code, len(result.events)) == (0, 1)


GOOD = json.dumps({"raw": MATCH})
BROKEN = {
    "nothing": (b"", "line 1: the file is empty"),
    "blank lines": (b"\n  \n", "line 1: the file is empty"),
    "prose": (b"# Captures\n", "line 1: not a captured frame: JSON is malformed"),
    "a list": (b"[1]\n", "line 1: not a captured frame: Expected `object`, got `array`"),
    "no frame": (GOOD.encode() + b'\n{"recv_ts": 1}\n', "line 2: not a captured frame: Object missing required field `raw`"),
    "a frame that is no text": (b'{"raw": {}}\n', "line 1: not a captured frame: Expected `str`, got `object`"),
    "a time that is none": (b'{"raw": "x", "recv_ts": "soon"}\n', "$.recv_ts"),
    "a time that is no number": (b'{"raw": "x", "recv_ts": "NaN"}\n', "$.recv_ts"),
    "a time before 1970": (b'{"raw": "x", "recv_ts": -1}\n', "no time in Unix seconds at $.recv_ts: -1"),
    "a time that fits nowhere": (b'{"raw": "x", "recv_ts": 1e30}\n', "no time in Unix seconds"),
    "a time that would fill the memory": (b'{"raw": "x", "recv_ts": 1e999999999}\n', "umber out of range at $"),
    "a broken line after more than is written at once": (
        (GOOD + "\n").encode() * 2_000 + b"{}", "line 2001: not a captured frame: Object missing",
    ),
    "bytes": (b"\x00\xff\xfe\n", "line 1: not a captured frame"),
    "a cut line": (GOOD.encode() + b"\n" + GOOD.encode()[:30], "line 2: not a captured frame"),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_no_capture_is_said_before_anything_is_printed(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, what: str
) -> None:
    content, said = BROKEN[what]
    path = tmp_path / "no-capture.jsonl"
    path.write_bytes(content)
    result = run_here(capfd, "decode", "coinbase", path)
    assert (result.code, result.out) == (2, "")
    assert result.err.count("\n") == 1
    assert f"{path}" in result.err
    assert said in result.err


def test_a_folder_is_no_capture(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    result = run_here(capfd, "decode", "coinbase", tmp_path)
    assert (result.code, result.out) == (2, "")
    assert str(tmp_path) in result.err


def test_a_reader_that_leaves_ends_it_quietly(tmp_path: Path) -> None:
    path = capture(tmp_path, *[{"raw": MATCH}] * 5_000)
    with running("decode", "coinbase", path, "--independent", cwd=tmp_path) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        process.stdout = None
        assert ended(process).code == 0
        assert ended(process).err == ""


def test_ctrl_c_while_waiting_for_input(tmp_path: Path) -> None:
    read, write = os.pipe()
    with running("decode", "coinbase", "-", "--books", cwd=tmp_path, stdin=read) as process:
        os.close(read)
        os.write(
            write, (json.dumps({"raw": MATCH}) + "\n").encode() * 10_000
        )  # more than a pipe holds: it reads
        result = interrupted(process)
        os.close(write)
    assert (result.code, result.err) == (130, "")


def test_a_long_file_shows_a_bar_on_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = capture(tmp_path, *[{"raw": MATCH}] * 20_000)
    assert path.stat().st_size > command.LONG_BYTES
    ours, theirs = pty.openpty()
    words = "decode", "coinbase", path, "--books"
    options = {"stdout": subprocess.DEVNULL, "stderr": theirs, "env": {"TERM": "xterm"}}
    process = started(*words, cwd=tmp_path, **options)
    os.close(theirs)
    shown = b""
    while process.poll() is None or not shown:
        try:
            shown += os.read(ours, 65536)
        except OSError:
            break
    os.close(ours)
    assert ended(process).code == 0
    text = shown.decode()
    assert re.search(r"\r\x1b\[K\S+ \| \[#*-*\] +[0-9]+% \| checking", text)
    assert re.search(r"\| \[#*-*\] +[0-9]+% \| decoding", text)
    assert text.rpartition("\x1b[K")[2].startswith("{"), "nothing of it stays"
    assert "\x1b[?25l" not in text, "a kill leaves the cursor alone"
    assert b'"frames": 20000' in shown


@pytest.mark.skipif("TRIOQUOTES_CAPTURES" not in os.environ, reason="no captures")
def test_a_recorded_session_is_accounted_for(capfd: pytest.CaptureFixture[str]) -> None:
    path = Path(os.environ["TRIOQUOTES_CAPTURES"], "coinbase-session-2021.jsonl")
    result = run_here(capfd, "decode", "coinbase", path)
    found = ledger(result.err)
    assert (found["frames"], found["malformed"], found["gaps"]) == (3000, 0, 0)
    assert found["delivered"] == len(result.events)
    books = json_lines(run_here(capfd, "decode", "coinbase", path, "--books").out)
    assert len(books) == 10
    assert all(book["state"] == "live" and book["bids"] and book["asks"] for book in books)
