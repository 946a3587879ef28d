"""The terminal of a full-screen command: taken over, written to without blocking, and given back on any end.

It is opened a second time for this, so that making it non-blocking concerns nobody else who has it open, and
so that no thread is needed to read keys or to write: who stops reading (Ctrl-S, a slow line) stops the drawing only.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import time
from collections.abc import Iterator
from typing import Any

import trio

from trioquotes.cli.stopping import suspend
from trioquotes.errors import UsageError

__all__ = ["Terminal", "TerminalGone", "open_terminal"]

ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[0m\x1b[2J"
"""A screen of its own, no cursor, no wrapping at the right edge, empty."""
LEAVE = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"
"""Colours, wrapping, cursor and screen as they were."""

LEAVE_S = 0.5
"""How long a terminal that does not read may take to be given back."""

READ_BYTES = 4096

USUAL_SIZE = (80, 24)
"""Of a terminal that does not know its own."""


class TerminalGone(Exception):
    """Nobody sits there any more: the window was closed, or the line to it was lost."""


class Terminal:
    """A terminal that is drawn on as a whole.

    Args:
        fd: of the terminal, opened non-blocking for this object alone.
        encoding: of its characters; what it lacks is shown as question marks.

    Attributes:
        is_taken: whether the screen is ours.
    """

    def __init__(self, fd: int, encoding: str = "utf-8") -> None:
        import termios  # noqa: PLC0415  # not everywhere

        self._fd = fd
        self._encoding = encoding
        self._termios = termios
        self._before: list[Any] | None = None
        self._turn = 0
        self.is_taken = False

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines now.

        Raises:
            TerminalGone: there is none any more.
        """
        try:
            width, height = os.get_terminal_size(self._fd)
        except OSError:
            raise TerminalGone from None
        return (width or USUAL_SIZE[0], height or USUAL_SIZE[1])

    def take(self) -> None:
        """Take the screen, and the keys as they are pressed; again, where something else may have changed them.

        Raises:
            TerminalGone: there is none any more.
        """
        termios = self._termios
        try:
            if not self.is_taken:
                self._before = termios.tcgetattr(self._fd)
                self.is_taken = True
            mode = termios.tcgetattr(self._fd)
            mode[3] &= ~(termios.ECHO | termios.ICANON)  # the signals of Ctrl-C and Ctrl-Z stay
            mode[6][termios.VMIN] = 1
            mode[6][termios.VTIME] = 0
            self._turn += 1
            termios.tcsetattr(self._fd, termios.TCSANOW, mode)
            self._insist(ENTER)
        except (OSError, termios.error):
            self.give_back()
            raise TerminalGone from None

    def give_back(self) -> None:
        """Leave the terminal as it was before; given back already is fine, and so is one that is gone."""
        if not self.is_taken:
            return
        self.is_taken = False
        termios = self._termios
        with contextlib.suppress(OSError, termios.error):
            # Let go what Ctrl-S holds: only what was held by the first of these is let go by the second.
            termios.tcflow(self._fd, termios.TCOOFF)
            termios.tcflow(self._fd, termios.TCOON)
            if not self._insist(LEAVE):  # nobody reads: what waits is worth less than a terminal that works
                termios.tcflush(self._fd, termios.TCOFLUSH)
                self._insist(LEAVE)
        with contextlib.suppress(OSError, termios.error):
            termios.tcflush(self._fd, termios.TCIFLUSH)  # keys meant for us are none for the shell
            if self._before is not None:
                termios.tcsetattr(self._fd, termios.TCSANOW, self._before)

    def suspend(self) -> None:
        """Do what Ctrl-Z asks for: give the terminal back, stop, and take it again when continued.

        Raises:
            TerminalGone: it went away meanwhile.
        """
        was_taken = self.is_taken
        self.give_back()
        suspend()
        if was_taken:
            self.take()

    async def write(self, text: str) -> None:
        """Write all of it, however long the terminal takes; the rest is dropped where it was taken anew meanwhile.

        Raises:
            TerminalGone: there is none any more.
        """
        await trio.lowlevel.checkpoint()
        data = memoryview(text.encode(self._encoding, "replace"))
        turn = self._turn
        while data and self.is_taken and turn == self._turn:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:
                await trio.lowlevel.wait_writable(self._fd)
            except OSError:
                raise TerminalGone from None

    async def read(self) -> bytes:
        """Wait for keys.

        Raises:
            TerminalGone: there is none any more.
        """
        while True:
            await trio.lowlevel.wait_readable(self._fd)
            try:
                data = os.read(self._fd, READ_BYTES)
            except BlockingIOError:
                continue
            except OSError:
                raise TerminalGone from None
            if not data:
                raise TerminalGone
            return data

    def _insist(self, text: str) -> bool:
        """Write now, waiting a moment where it must be; returns whether all of it went out."""
        data = memoryview(text.encode())
        until_s = time.monotonic() + LEAVE_S
        while data:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:
                left_s = until_s - time.monotonic()
                if left_s <= 0 or not select.select([], [self._fd], [], left_s)[1]:
                    return False
        return True


@contextlib.contextmanager
def open_terminal() -> Iterator[Terminal]:
    """The terminal that standard output goes to, for the block, after which it is as it was.

    Raises:
        UsageError: it goes to none, or to one that cannot be drawn on.
        TerminalGone: it went away at this moment.
    """
    fd = _open()
    try:
        terminal = Terminal(fd, sys.stdout.encoding or "utf-8")
        try:
            terminal.take()
            yield terminal
        finally:
            terminal.give_back()
    finally:
        os.close(fd)


def _open() -> int:
    """Another way to the terminal, non-blocking."""
    flags = os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK
    with contextlib.suppress(
        OSError
    ):  # after `su` it is still the other user's; the name below is everybody's
        return os.open(os.ttyname(sys.stdout.fileno()), flags)
    try:
        return os.open("/dev/tty", flags)
    except OSError as error:
        raise UsageError(f"this terminal cannot be opened for its keys: {error.strerror}") from None
