"""The line that says how it goes."""

from __future__ import annotations

import io
import os

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trioquotes.cli.numbers import many
from trioquotes.cli.output import Output
from trioquotes.cli.statusline import EVERY_S, Rate, StatusLine, age, clock


class Elsewhere(Output):
    """Standard output that shares no screen with the line and is no pipe."""

    is_terminal = False
    is_pipe = False


class SameScreen(Elsewhere):
    is_terminal = True


class Piped(Elsewhere):
    is_pipe = True


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        raise io.UnsupportedOperation


def test_rate_is_over_the_last_seconds() -> None:
    rate = Rate(window_s=5.0)
    assert rate.per_s(0.0) == 0.0
    rate.add(10, 100.0)
    assert rate.per_s(100.1) == 10.0, "over not less than a second"
    rate.add(10, 102.0)
    assert rate.per_s(104.0) == 5.0
    assert rate.per_s(106.0) == 2.0
    assert rate.per_s(200.0) == 0.0


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.04, "0.0 s"), (9.96, "10.0 s"), (10, "10 s"), (119, "119 s"), (600, "10 min")]
)
def test_age(seconds: float, said: str) -> None:
    assert age(seconds) == said


@pytest.mark.parametrize(("seconds", "said"), [(5.9, "0:05"), (754, "12:34"), (3723, "1:02:03")])
def test_clock(seconds: float, said: str) -> None:
    assert clock(seconds) == said


@pytest.mark.parametrize(("count", "said"), [(0, "0 gaps"), (1, "1 gap"), (1000, "1,000 gaps")])
def test_many(count: int, said: str) -> None:
    assert many(count, "gap") == said


async def test_the_line_is_redrawn_cut_to_the_screen_and_taken_away(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    status = StatusLine(lambda: "x" * 200 + "\n", SameScreen())
    with trio.move_on_after(EVERY_S * 1.5):
        await status.run()
    line = "\r\x1b[K" + "x" * 77
    assert terminal.getvalue() == line + line + "\r\x1b[K"


@pytest.mark.parametrize("shared", [True, False])
async def test_the_line_stays_away_while_a_shared_screen_is_written_to(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    status = StatusLine(lambda: "x", SameScreen() if shared else Elsewhere())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(status.run)
        await wait_all_tasks_blocked()
        with status.aside():
            await trio.sleep(EVERY_S * 2.5)
            assert terminal.getvalue() == ("\r\x1b[Kx\r\x1b[K" if shared else "\r\x1b[Kx" * 3)
        await trio.sleep(EVERY_S)
        assert terminal.getvalue().endswith("\r\x1b[Kx")
        nursery.cancel_scope.cancel()


@pytest.mark.skipif(not hasattr(os, "tcgetpgrp"), reason="no jobs here")
async def test_a_job_in_the_background_draws_on_nobodys_screen(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Own(Terminal):
        def fileno(self) -> int:
            return 2

    foreground = os.getpgrp()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr", terminal := Own())
    monkeypatch.setattr("os.tcgetpgrp", lambda _: foreground)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(StatusLine(lambda: "x", SameScreen()).run)
        await wait_all_tasks_blocked()
        foreground += 1
        await trio.sleep(EVERY_S * 2.5)
        assert terminal.getvalue() == "\r\x1b[Kx"
        foreground -= 1
        await trio.sleep(EVERY_S)
        assert terminal.getvalue() == "\r\x1b[Kx" * 2
        foreground += 1
        await trio.sleep(EVERY_S)
        nursery.cancel_scope.cancel()
    assert terminal.getvalue() == "\r\x1b[Kx" * 2, "nor does it take anything away there"


@pytest.mark.parametrize(
    ("stream", "term", "output", "is_on"),
    [
        (Terminal, "xterm", SameScreen, True),
        (Terminal, "xterm", Elsewhere, True),
        (Terminal, "xterm", Piped, False),
        (Terminal, "dumb", SameScreen, False),
        (io.StringIO, "xterm", SameScreen, False),
    ],
)
def test_only_a_terminal_that_nobody_else_draws_on_gets_a_line(
    monkeypatch: pytest.MonkeyPatch,
    stream: type[io.StringIO],
    term: str,
    output: type[Elsewhere],
    is_on: bool,
) -> None:
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr("sys.stderr", stream())
    assert StatusLine(lambda: "x", output()).is_on is is_on
