"""``demo``: what a newcomer sees first, as lines and on a terminal."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from tests.cli.harness import Ended, ended, interrupted, run_here, running, wait_for_line

pytestmark = pytest.mark.tcp

posix = pytest.mark.skipif(os.name == "nt", reason="no such terminals and signals")

KINDS = r"^ +\d+:\d\d  (\w+) "


def test_plain_lines_show_prices_a_loss_and_its_recovery(capfd: pytest.CaptureFixture[str]) -> None:
    result = run_here(capfd, "demo", "--plain", "--seconds", "5")
    assert (result.code, result.err) == (0, "")
    said = re.findall(KINDS, result.out, re.MULTILINE)
    for earlier, later in (("demo", "Disconnected"), ("Disconnected", "Gap"), ("Gap", "Resynced")):
        assert said.index(earlier) < said.index(later)
    assert said.count("Connected") >= 2
    assert re.search(
        r"coinbase  BTC-USD  last +[\d,.]+  bid +[\d,.]+  ask +[\d,.]+  spread +[\d.]+", result.out
    )
    assert "1 line dropped on purpose, 1 recovered" in result.out
    assert "\x1b" not in result.out


@posix
def test_ctrl_c_ends_it_with_the_summary(tmp_path: Path) -> None:
    with running("demo", "--plain", cwd=tmp_path) as process:
        wait_for_line(process, "  0:01")
        result = interrupted(process)
    assert (result.code, result.err) == (130, "")
    assert "trioquotes demo: " in result.out
    assert "0 malformed" in result.out


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
    with running("demo", "--seconds", "2", cwd=tmp_path, stdout=theirs, env=env) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                data = os.read(ours, 65536)
            except OSError:
                break
            if not data:
                break
            shown += data
        os.close(ours)
        assert ended(process).code == 0
    text = shown.decode()
    if term == "dumb":
        assert "\x1b" not in text
        return
    assert text.index("\x1b[?1049h") < text.index("BTC-USD") < text.rindex("\x1b[?1049l")
    assert text.index("\x1b[?25l") < text.rindex("\x1b[?25h"), "the cursor is back"
    after = text[text.rindex("\x1b[?1049l") :]
    assert "trioquotes demo: " in after
    assert "▲" in text or "▼" in text
