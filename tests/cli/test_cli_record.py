"""``record`` against simulators: what it leaves on disk, what it says, and how it ends."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.harness import PATIENCE_S, ended, interrupted, run_here, running, wait_for_line
from trioquotes.cli import record as command
from trioquotes.recording import Recording

pytestmark = pytest.mark.tcp

posix = pytest.mark.skipif(os.name == "nt", reason="no such signals")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("simulator")
    with running("simulate", "coinbase", "--seed", "3", "--rate", "200", cwd=folder) as process:
        yield wait_for_line(process, "listening on ").removeprefix("listening on ")


def test_it_ends_after_so_many_events_with_a_summary(
    capfd: pytest.CaptureFixture[str], url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "deep" / "folder"
    result = run_here(
        capfd, "record", "coinbase", "trades", "BTC-USD", "ETH/USD", "-o", folder, "--endpoint", url, "--count", "5"
    )  # fmt: skip
    assert (result.code, result.out) == (0, "")
    assert result.err.startswith("coinbase trades BTC-USD ETH/USD: ")
    assert f", recorded in {folder} (1 segment, " in result.err
    assert "); 5 events and " in result.err
    assert result.err.count("\n") == 1
    summary = Recording(folder).summary()
    assert (summary.venue, summary.runs, summary.unfinished) == ("coinbase", 1, 0)
    assert summary.topics == (
        '{"topic":"trades","instrument":"BTC-USD"}', '{"topic":"trades","instrument":"ETH-USD"}'
    )  # fmt: skip
    assert f"{summary.frames:,} frame" in result.err


def test_a_terminal_that_redraws_nothing_gets_a_line_now_and_then(
    capfd: pytest.CaptureFixture[str], url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "SAID_EVERY_S", 0.3)
    words = "record", "coinbase", "books", "BTC-USD", "--endpoint", url, "--seconds", "1.5"
    result = run_here(capfd, *words, "-o", tmp_path / "q")
    assert (result.code, result.err.count("\n")) == (0, 1), "a log gets the summary only"
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    result = run_here(capfd, *words, "-o", tmp_path / "r")
    assert result.code == 0
    *lines, last = result.err.splitlines()
    assert lines
    assert lines[-1].startswith("coinbase books BTC-USD | ")
    assert " frames | " in lines[-1]
    assert " | 1 segment | " in lines[-1]
    assert "recorded in" in last


@posix
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_it_cleanly(url: str, tmp_path: Path, number: int, code: int) -> None:
    folder = tmp_path / "r"
    with running(
        "record", "coinbase", "trades", "BTC-USD", "-o", "r", "--endpoint", url, cwd=tmp_path
    ) as process:
        until_s = time.monotonic() + PATIENCE_S
        while not (folder.is_dir() and Recording(folder).segments and _frames(folder)):
            assert time.monotonic() < until_s
            time.sleep(0.05)
        result = interrupted(process, number)
    assert result.code == code
    assert "recorded in r (1 segment, " in result.err
    assert Recording(folder).summary().unfinished == 0


def _frames(folder: Path) -> int:
    return Recording(folder).summary().frames


@posix
def test_it_records_where_nobody_reads_anything(url: str, tmp_path: Path) -> None:
    words = "record", "coinbase", "trades", "BTC-USD", "-o", "r", "--endpoint", url, "--count", "3"

    def close_all() -> None:
        for fd in range(3):
            os.close(fd)

    streams = {"stdin": None, "stdout": None, "stderr": None}
    with running(*words, cwd=tmp_path, preexec_fn=close_all, **streams) as process:
        assert process.wait(PATIENCE_S) == 0
    summary = Recording(tmp_path / "r").summary()
    assert (summary.venue, summary.unfinished) == ("coinbase", 0)
    assert summary.frames > 3


@posix
def test_what_a_killed_one_had_written_is_there(url: str, tmp_path: Path) -> None:
    folder = tmp_path / "r"
    with running(
        "record", "coinbase", "trades", "BTC-USD", "-o", "r", "--endpoint", url, cwd=tmp_path
    ) as process:
        until_s = time.monotonic() + PATIENCE_S
        while not (folder.is_dir() and Recording(folder).segments and _frames(folder) > 3):
            assert time.monotonic() < until_s
            time.sleep(0.05)
        process.kill()
        ended(process)
    assert Recording(folder).summary().unfinished == 1
    assert _frames(folder) > 3


def test_a_folder_that_cannot_be_is_one_line_and_code_1(
    capfd: pytest.CaptureFixture[str], url: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    folder = tmp_path / "file"
    result = run_here(capfd, "record", "coinbase", "trades", "BTC-USD", "-o", folder, "--endpoint", url)
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(f"trioquotes: {folder}: cannot record there: it is a file, not a folder")
    assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["record", "coinbase", "trades", "BTC-USD"], "output"),
        (
            ["record", "coinbase", "trades", "BTC-USD", "-o", "r", "--count", "0"],
            "--count must be at least 1",
        ),
        (["record", "coinbase", "trades", "BTC-USD", "-o", "r", "--seconds", "-1"], "--seconds"),
        (["record", "coinbase", "nothing", "BTC-USD", "-o", "r"], "nothing"),
        (["record", "nowhere", "trades", "BTC-USD", "-o", "r"], "no venue is called 'nowhere'"),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run_here(capfd, *words)
    assert (result.code, result.out) == (2, "")
    assert said in result.err
    assert result.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_sizes_are_said_as_people_read_them() -> None:
    assert [command._size(number) for number in (1, 512, 2048, 5 * 1024**2 // 2, 3 * 1024**3)] == [
        "1 byte", "512 bytes", "2 KiB", "2.5 MiB", "3,072.0 MiB",
    ]  # fmt: skip
