"""The one line on standard error that says how a stream is doing, redrawn in place on a terminal."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator

import trio

from trioquotes.cli.exits import one_line
from trioquotes.cli.output import Output

__all__ = ["Rate", "StatusLine", "age", "bar", "clock"]

EVERY_S = 0.25
ROOM = 3
"""Columns left free at the end, so that an echoed ``^C`` does not break the line."""

BAR = 20
"""Columns of a bar."""

ERASE = "\r\x1b[K"


class Rate:
    """How many a second, over the last few seconds; pure, time is an argument.

    Args:
        window_s: how far back it looks.
    """

    def __init__(self, window_s: float = 5.0) -> None:
        self._window_s = window_s
        self._added: deque[tuple[float, int]] = deque()
        self._sum = 0
        self._since: float | None = None

    def add(self, count: int, now_s: float) -> None:
        """So many came now."""
        if self._since is None:
            self._since = now_s
        self._added.append((now_s, count))
        self._sum += count

    def per_s(self, now_s: float) -> float:
        """The rate now; of what began a moment ago, over that moment, but not over less than a second."""
        while self._added and self._added[0][0] < now_s - self._window_s:
            self._sum -= self._added.popleft()[1]
        if self._since is None:
            return 0.0
        return self._sum / min(max(now_s - self._since, 1.0), self._window_s)


def age(seconds: float) -> str:
    """A duration as people say it: ``0.4 s``, ``12 s``, ``3 min``."""
    if seconds < 10:  # where a tenth no longer matters
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def clock(seconds: float) -> str:
    """Elapsed time as ``0:05``, ``12:34``, ``1:02:03``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def bar(share: float) -> str:
    """How much is done: ``[#####---------------]  25%``."""
    full = round(BAR * min(share, 1.0))
    return f"[{'#' * full}{'-' * (BAR - full)}] {min(share, 1.0):4.0%}"


class StatusLine:
    """Redraws a line on standard error.

    Args:
        text: what to show, asked each time.
        output: standard output; where it goes to the same screen the line makes room for it, and where it goes into a
            pipe there is no line: who reads it may draw on that screen, as a pager does.

    Attributes:
        is_on: whether standard error is a terminal that can redraw a line, and nobody else draws there.
    """

    def __init__(self, text: Callable[[], str], output: Output) -> None:
        self._text = text
        self._shared = output.is_terminal
        self._shown = False
        self._is_aside = False
        self._due_s = 0.0
        self.is_on = sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and not output.is_pipe

    async def run(self) -> None:
        """Redraw until cancelled, then leave an empty line behind; only where :attr:`is_on`."""
        try:
            while True:
                self._draw()
                await trio.sleep(EVERY_S)
        finally:
            self.clear()

    def poll(self) -> None:
        """Redraw where it is time to, for work that waits for nothing; only where :attr:`is_on`."""
        now_s = time.monotonic()
        if now_s >= self._due_s:
            self._due_s = now_s + EVERY_S
            self._draw()

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """A block in which something is written to standard output: the line is away where both share a screen."""
        self._is_aside = self._shared
        if self._shared:
            self.clear()
        try:
            yield
        finally:
            self._is_aside = False

    def clear(self) -> None:
        """Take the line away until it is drawn again."""
        self._due_s = 0.0
        if self._shown:
            self._shown = False
            self._put(ERASE)

    def _draw(self) -> None:
        if self._is_aside:
            return
        if not _in_foreground():
            self._shown = False  # whoever has the terminal now has drawn over it
            return
        self._shown = True
        self._put(ERASE + one_line(self._text())[: _columns() - ROOM])

    @staticmethod
    def _put(text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text)
            sys.stderr.flush()


def _in_foreground() -> bool:
    """Whether the terminal is this job's: one in the background draws on nobody's screen."""
    try:
        return os.tcgetpgrp(sys.stderr.fileno()) == os.getpgrp()
    except (AttributeError, OSError, ValueError):  # no jobs on this system, or not the terminal that has them
        return True


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except (OSError, ValueError):
        return 80
