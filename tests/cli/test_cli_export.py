"""``export``: tables of a recording, whole or not at all, and what is said about them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import attrs
import pytest
import trio

import trioquotes as tq
from tests.cli.harness import Ended, interrupted, run_here, running, wait_for_line
from trioquotes.cli.export import topics_for
from trioquotes.errors import TrioquotesError, UsageError
from trioquotes.venues import coinbase
from trioquotes.venues.coinbase import VENUE

pytestmark = pytest.mark.tcp

TOPICS = tq.Books("BTC-USD"), tq.Trades("ETH-USD"), coinbase.Tickers("BTC-USD")


@attrs.frozen
class Kept:
    """A real session over loopback, in real time.

    Attributes:
        folder: of its recording.
        lines: of JSON that ``replay`` prints.
    """

    folder: Path
    lines: list[str]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    home = tmp_path_factory.mktemp("recording")

    async def live(url: str) -> None:
        connector = tq.record(home / "r")
        async with tq.Session("coinbase", *TOPICS, endpoint=url, connector=connector):
            await trio.sleep(1.2)

    with running("simulate", "coinbase", "--seed", "3", "--rate", "200", cwd=home) as process:
        url = wait_for_line(process, "listening on ").removeprefix("listening on ")
        trio.run(live, url)
    with running("replay", home / "r", "--speed", "max", cwd=home) as process:
        out, _ = process.communicate(timeout=30)
    return Kept(home / "r", out.splitlines())


def export(capfd: pytest.CaptureFixture[str], kept: Kept, *words: str | Path) -> Ended:
    return run_here(capfd, "export", kept.folder, *words)


def rows_in(folder: Path) -> list[dict[str, object]]:
    found = [json.loads(line) for path in folder.rglob("*.ndjson") for line in path.read_text().splitlines()]
    return sorted(found, key=lambda line: int(line["position"]))


def left_in(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))  # noqa: PTH208  # hidden ones too


def test_everything_that_replay_prints_is_exported(
    capfd: pytest.CaptureFixture[str], kept: Kept, tmp_path: Path
) -> None:
    out = tmp_path / "ticks"
    result = export(capfd, kept, "-o", out, "--format", "ndjson")
    assert (result.code, result.out) == (0, "")
    rows = rows_in(out)
    assert [row.pop("position") for row in rows] == list(range(len(kept.lines)))
    assert rows == [json.loads(line) for line in kept.lines]
    assert result.err.startswith(f"{out}: book_change ")
    assert f": {len(rows):,} rows in " in result.err
    assert result.err.endswith("; 0 gaps\n")
    assert result.err.count("\n") == 1


def test_parquet_is_what_is_made_unless_told_otherwise(
    capfd: pytest.CaptureFixture[str], kept: Kept, tmp_path: Path
) -> None:
    pytest.importorskip("pyarrow")
    assert export(capfd, kept, "-o", tmp_path / "out").code == 0
    found = {path.relative_to(tmp_path / "out").parts[0] for path in (tmp_path / "out").rglob("*.parquet")}
    assert found == {"book_change", "book_snapshot", "coinbase_ticker", "notice", "trade"}


def test_topics_are_chosen_by_name_and_in_full(
    capfd: pytest.CaptureFixture[str], kept: Kept, tmp_path: Path
) -> None:
    words = (
        "--format",
        "csv",
        "--topic",
        "trades",
        "--topic",
        "quotes BTC/USD",
        "--topic",
        "matches ETH-USD",
    )
    assert export(capfd, kept, "-o", tmp_path / "out", *words).code == 0
    tables = {path.name for path in (tmp_path / "out").iterdir() if path.is_dir()}
    assert tables - {"coinbase_last_match"} == {"trade", "quote", "coinbase_match", "notice"}
    assert [path.name for path in (tmp_path / "out" / "quote" / "venue=coinbase").iterdir()] == [
        "instrument=BTC-USD"
    ]


def test_words_mean_recorded_topics_first() -> None:
    recorded = tq.Books("BTC-USD", 50), tq.Books("ETH-USD"), tq.Trades("BTC-USD"), coinbase.Tickers("BTC-USD")
    assert topics_for(VENUE, recorded, ["books"]) == recorded[:2]
    assert topics_for(VENUE, recorded, ["books BTC-USD", "books"]) == recorded[:2]
    assert topics_for(VENUE, recorded, ["ticker", "trades"]) == (recorded[3], recorded[2])
    assert topics_for(VENUE, recorded, ["quotes BTC-USD ETH-USD"]) == (
        tq.Quotes("BTC-USD"),
        tq.Quotes("ETH-USD"),
    )
    assert topics_for(VENUE, recorded, ["matches BTC-USD"]) == (coinbase.Matches("BTC-USD"),)
    assert topics_for(VENUE, recorded, ["instruments"]) == (tq.Instruments(),)
    for word in ("quotes", "matches"):
        with pytest.raises(
            UsageError, match=f"--topic {word}: what was recorded is books BTC-USD, .* its instrument"
        ):
            topics_for(VENUE, recorded, [word])
    for word in ("", " ", "nonsense", "nonsense BTC-USD"):
        with pytest.raises(TrioquotesError):
            topics_for(VENUE, recorded, [word])


def test_an_export_is_replaced_only_when_told_to(
    capfd: pytest.CaptureFixture[str], kept: Kept, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = ("-o", out, "--format", "csv")
    assert export(capfd, kept, *words).code == 0
    again = export(capfd, kept, *words)
    assert again == Ended(
        2, "", f"trioquotes: {out} holds an export already: --overwrite (overwrite=True) replaces it\n"
    )
    assert export(capfd, kept, *words, "--topic", "trades", "--overwrite").code == 0
    assert {path.name for path in out.iterdir()} <= {"trade", "notice", "export.json"}
    assert left_in(tmp_path) == ["out"]


def test_a_torn_end_is_said_in_one_line(
    capfd: pytest.CaptureFixture[str], kept: Kept, tmp_path: Path
) -> None:
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "000001.tqr").write_bytes((kept.folder / "000001.tqr").read_bytes()[:-10])
    result = run_here(capfd, "export", tmp_path / "r", "-o", tmp_path / "out", "--format", "ndjson")
    assert result.code == 0
    torn, _total = result.err.splitlines()
    assert torn.startswith(f"trioquotes: {tmp_path}/r/000001.tqr: its end is missing after ")
    rows = rows_in(tmp_path / "out")
    assert 10 < len(rows) <= len(kept.lines)
    assert [row | {"position": 0} for row in rows] == [
        json.loads(line) | {"position": 0} for line in kept.lines[: len(rows)]
    ]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["export"], (2, "DIR")),
        (["export", "nothing"], (2, "--output")),
        (["export", "nothing", "-o", "out"], (1, "nothing: there is no recording: there is no such folder")),
        (["export", "nothing", "-o", "out", "--format", "xlsx"], (2, "xlsx")),
    ],
)
def test_what_goes_wrong_is_one_line(
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    expected: tuple[int, str],
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run_here(capfd, *words)
    code, said = expected
    assert (result.code, result.out) == (code, "")
    assert said in result.err
    assert result.err.count("\n") == 1
    assert left_in(tmp_path) == []


def test_a_missing_extra_is_named(
    capfd: pytest.CaptureFixture[str], kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    result = export(capfd, kept, "-o", tmp_path / "out")
    assert result.code == 2
    assert "pip install trioquotes[parquet]" in result.err
    assert left_in(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_and_leaves_nothing(kept: Kept, tmp_path: Path, number: int, code: int) -> None:
    long_recording(kept.folder, tmp_path / "r")
    with running("export", "r", "-o", "out", "--format", "csv", cwd=tmp_path) as process:
        until = time.monotonic() + 30
        while not any(name.startswith(".out.") for name in left_in(tmp_path)):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.005)
        result = interrupted(process, number)
    assert result.code == code
    assert result.err == "out: stopped; nothing was written\n"
    assert left_in(tmp_path) == ["r"]


@pytest.mark.skipif(sys.platform == "win32", reason="no such terminals")
def test_a_terminal_shows_a_bar_that_leaves_nothing_but_the_last_line(kept: Kept, tmp_path: Path) -> None:
    import pty  # noqa: PLC0415

    long_recording(kept.folder, tmp_path / "r")
    ours, theirs = pty.openpty()
    words = "export", "r", "-o", "out", "--format", "csv", "--topic", "trades"
    env = {"TERM": "xterm", "NO_COLOR": "1"}
    with running(*words, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=theirs, env=env) as process:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # how Linux says that nobody writes any more
            while data := os.read(ours, 65536):
                shown += data
        os.close(ours)
        assert process.wait(30) == 0
    assert b"exporting" in shown
    *_, last = shown.decode().rpartition("\x1b[K")
    assert last.startswith("out: notice ")
    assert last.count("\n") == 1


def long_recording(source: Path, folder: Path) -> None:
    """One that takes seconds to export: the same session again and again."""
    folder.mkdir()
    for number in range(1, 501):
        os.link(source / "000001.tqr", folder / f"{number:06}.tqr")
