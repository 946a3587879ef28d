"""Commands on a terminal: it is as it was after every end, and how to leave is always said."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.harness import PATIENCE_S
from tests.cli.terminals import Tty, on_terminal

pytestmark = [
    pytest.mark.tcp,
    pytest.mark.skipif(os.name == "nt", reason="no such terminals and signals"),
]

ENDS: dict[str, tuple[Callable[[Tty], None], int]] = {
    "SIGHUP": (lambda tty: tty.process.send_signal(signal.SIGHUP), 129),
    "SIGQUIT": (lambda tty: tty.press("\x1c"), 131),
}


def is_given_back(tty: Tty) -> bool:
    """Whether the last that it was told about its screen and its cursor is that they are as before."""
    screen = tty.text.rfind("\x1b[?1049l") > tty.text.rfind("\x1b[?1049h")
    cursor = tty.text.rfind("\x1b[?25h") > tty.text.rfind("\x1b[?25l")
    return screen and cursor and bool(tty.attributes == tty.before)


@pytest.mark.parametrize("how", ENDS)
def test_the_demo_gives_the_terminal_back(tmp_path: Path, how: str) -> None:
    end, code = ENDS[how]
    with on_terminal("demo", cwd=tmp_path) as tty:
        tty.wait_for("BTC-USD")
        end(tty)
        assert tty.ended() == code
        assert is_given_back(tty)


def test_the_demo_gives_the_terminal_back_while_it_is_stopped(tmp_path: Path) -> None:
    with on_terminal("demo", cwd=tmp_path, size=(40, 12)) as tty:
        tty.wait_for("Ctrl-C ends")  # whatever else is cut
        os.kill(
            tty.process.pid, signal.SIGTSTP
        )  # not by the key: a session without a shell cannot be stopped so
        tty.wait_for(r"\x1b\[\?1049l")
        tty.process.send_signal(signal.SIGCONT)
        tty.wait_for(r"\x1b\[\?1049h")
        tty.wait_for("Ctrl-C ends")
        tty.press("\x03")
        assert tty.ended() == 130
        assert is_given_back(tty)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_while_it_connects_takes_the_line_away(tmp_path: Path, number: int, code: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"ws://127.0.0.1:{silent.getsockname()[1]}"
        words = "stream", "coinbase", "trades", "BTC-USD", "--endpoint", url
        with on_terminal(*words, cwd=tmp_path) as tty:
            tty.wait_for("connecting, 0")
            began_s = time.monotonic()
            tty.process.send_signal(number)
            assert tty.ended() == code
            assert time.monotonic() - began_s < PATIENCE_S
            assert tty.text.endswith("\r\x1b[K")
