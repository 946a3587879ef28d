"""``demo``: what a newcomer sees first, as lines and on a terminal."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from pathlib import Path

import pytest

from tests.cli.harness import PATIENCE_S, Ended, ended, interrupted, run_here, running, wait_for_line
from trioquotes.venues import VENUES

pytestmark = pytest.mark.tcp

posix = pytest.mark.skipif(os.name == "nt", reason="no such terminals and signals")

KINDS = r"^ +\d+:\d\d  (\w+) "


def test_it_ends_after_its_time_with_a_summary(capfd: pytest.CaptureFixture[str]) -> None:
    result = run_here(capfd, "demo", "--plain", "--seconds", "3")
    assert (result.code, result.err) == (0, "")
    assert "\ntrioquotes demo: " in f"\n{result.out}"
    assert " dropped on purpose, " in result.out.splitlines()[-1]
    assert "\x1b" not in result.out


@posix
def test_plain_lines_show_prices_a_loss_and_its_recovery(tmp_path: Path) -> None:
    with running("demo", "--plain", cwd=tmp_path) as process:
        lines = [wait_for_line(process, "  0:")]
        while "Resynced" not in lines[-1]:
            lines.append(wait_for_line(process, "  "))
        result = interrupted(process)
    assert (result.code, result.err) == (130, "")
    shown = "\n".join(lines)
    said = re.findall(KINDS, shown, re.MULTILINE)
    assert said.index("demo") < said.index("Disconnected") < said.index("Gap") < said.index("Resynced")
    assert said.count("Connected") > len(VENUES)
    assert re.search(r"coinbase +BTC-USD +last +[\d,.]+ +bid +[\d,.]+ +ask +[\d,.]+ +spread +[\d.]+", shown)
    assert re.search(r"\n  [1-9]\d* lines? dropped on purpose, [1-9]", result.out)
    assert all(f"\n  {venue} " in result.out for venue in VENUES)


@posix
def test_ctrl_c_at_once(tmp_path: Path) -> None:
    with running("demo", "--plain", cwd=tmp_path) as process:
        wait_for_line(process, "  0:")
        assert interrupted(process, signal.SIGINT).code == 130


@posix
def test_a_reader_that_leaves_ends_it_quietly(tmp_path: Path) -> None:
    with running("demo", cwd=tmp_path) as process:
        wait_for_line(process, "  0:")
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        assert ended(process) == Ended(0, "", "")


@posix
@pytest.mark.parametrize("term", ["xterm-256color", "dumb"])
def test_a_terminal_gets_a_live_table_and_is_left_as_it_was(tmp_path: Path, term: str) -> None:
    import fcntl  # noqa: PLC0415  # not everywhere
    import pty  # noqa: PLC0415
    import struct  # noqa: PLC0415
    import termios  # noqa: PLC0415

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    env = {"TERM": term, "COLUMNS": "", "LINES": ""}
    awaited = "BTC-USD" if term == "dumb" else "▲"
    with running("demo", cwd=tmp_path, stdout=theirs, env=env) as process:
        os.close(theirs)
        shown = b""
        while awaited.encode() not in shown:
            shown += os.read(ours, 65536)
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(OSError):  # how Linux says that the other side of a terminal is gone
            while data := os.read(ours, 65536):
                shown += data
        os.close(ours)
        assert process.wait(PATIENCE_S) == 130
    text = shown.decode(errors="replace")  # an interrupt may cut a drawing in the middle of a character
    if term == "dumb":
        assert "\x1b" not in text
        return
    assert text.index("\x1b[?1049h") < text.index("BTC-USD") < text.rindex("\x1b[?1049l")
    assert text.index("\x1b[?25l") < text.rindex("\x1b[?25h"), "the cursor is back"
    assert "trioquotes demo: " in text[text.rindex("\x1b[?1049l") :]
