"""Standard output as a pipe for other programs: whole lines at once, never in the event loop's way."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterator
from typing import Any

import trio
from rich.console import Console

from trioquotes.cli.exits import STDOUT, ClosedOutput

__all__ = ["Output", "Page", "closed_output", "open_missing", "writing"]


def open_missing() -> bool:
    """Give the standard streams that were closed before the start to nothing; whether standard output was one.

    Otherwise the next file or socket that is opened takes their number, and gets what somebody writes to them.
    """
    is_closed = sys.stdout is None
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115, PTH123  # as long as the process
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
    return is_closed


@contextlib.contextmanager
def closed_output() -> Iterator[None]:
    """Turn a broken pipe inside the block into ``ClosedOutput``."""
    try:
        yield
    except BrokenPipeError:
        raise ClosedOutput from None


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """A block in which nothing but standard output is written to, which its errors name."""
    try:
        yield
    except BrokenPipeError:
        raise ClosedOutput from None
    except OSError as error:
        raise OSError(error.errno, error.strerror, STDOUT) from None


class Page(Console):
    """What lays text out for standard output, and lets the command line say what goes wrong there."""

    def on_broken_pipe(self) -> None:
        """Raise what the command line ends quietly with, where rich exits by itself."""
        raise ClosedOutput

    def print(self, *objects: Any, **options: Any) -> None:
        """See rich.

        Raises:
            ClosedOutput: nobody reads any more.
            OSError: it cannot be written, and why.
        """
        with writing():
            super().print(*objects, **options)


class Output:
    """Standard output, past Python's buffers: what was written has left when the call returns.

    A reader that stops reading (a pager) blocks the call, so :meth:`send` makes it in a thread, and a thread
    that is stuck in it holds no lock which the interpreter would wait for at its end.
    """

    def __init__(self) -> None:
        try:
            sys.stdout.flush()
            self._fd: int | None = sys.stdout.fileno()
        except (OSError, ValueError):
            self._fd = None  # no file below: somebody captures what is printed

    @property
    def is_terminal(self) -> bool:
        """Whether people look at it."""
        return self._fd is not None and os.isatty(self._fd)

    @property
    def is_pipe(self) -> bool:
        """Whether another program reads it."""
        if self._fd is None:
            return False
        mode = os.fstat(self._fd).st_mode
        return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)

    def write(self, text: str) -> None:
        """Write now.

        Raises:
            ClosedOutput: nobody reads any more.
        """
        with writing():
            if self._fd is None:
                sys.stdout.write(text)
                return
            data = memoryview(text.encode())
            while data:
                data = data[os.write(self._fd, data) :]

    async def send(self, text: str) -> None:
        """Write in a thread; a cancelled call returns at once, with the thread left to itself.

        Raises:
            ClosedOutput: nobody reads any more.
        """
        await trio.to_thread.run_sync(self.write, text, abandon_on_cancel=True)

    async def wait_closed(self) -> None:
        """Wait until nobody reads any more, where the system tells; for ever elsewhere."""
        if self._fd is None or sys.platform != "linux" or not stat.S_ISFIFO(os.fstat(self._fd).st_mode):
            await trio.sleep_forever()
        else:
            await trio.lowlevel.wait_readable(self._fd)  # a pipe's writing end only ever wakes with an error
