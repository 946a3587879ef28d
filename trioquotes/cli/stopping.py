"""Ending a command from outside, by Ctrl-C, by SIGTERM or SIGHUP or by the clock, so that its sessions say goodbye.

While a session opens, Ctrl-C is Python's own ``KeyboardInterrupt`` in the main task, where it is an ordinary
exception of the session's block; the other signals cancel the work. While it runs, a signal ends the waiting inside
the block and the block ends as if the work were done. A second one meets the outer handlers again: then nothing is
waited for but goodbyes that have begun, which are bounded.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager

import trio

from trioquotes.cli.exits import DONE, HUNG_UP, INTERRUPTED, TERMINATED
from trioquotes.cli.output import Output

__all__ = ["Stop", "run", "stoppable", "suspend"]

GRACE_S = 1.0
"""What a stop leaves to output that is being written: enough for a reader that reads, none for one that does not."""

SIGNALS = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}
if hasattr(signal, "SIGHUP"):
    SIGNALS[signal.SIGHUP] = HUNG_UP


class Stop:
    """Whether and why the work is to end.

    Attributes:
        requested: whether it is.
        exit_code: of the signal that asked for it; 0 for the clock.
        unread: whether nobody reads standard output any more.
    """

    def __init__(self) -> None:
        self.requested = False
        self.exit_code = DONE
        self.unread = False
        self._event = trio.Event()
        self._scopes: dict[trio.CancelScope, float] = {}

    def request(self, exit_code: int = DONE) -> None:
        """End the work; the first request says why."""
        if not self.requested:
            self.requested = True
            self.exit_code = exit_code
            self._event.set()
            for scope, grace_s in self._scopes.items():
                scope.deadline = trio.current_time() + grace_s

    async def wait(self) -> None:
        """Wait for the request."""
        await self._event.wait()

    @contextmanager
    def ending(self, grace_s: float = 0.0) -> Iterator[trio.CancelScope]:
        """A block that is cancelled so many seconds after a stop was requested."""
        with trio.CancelScope() as scope:
            if self.requested:
                scope.deadline = trio.current_time() + grace_s
            self._scopes[scope] = grace_s
            try:
                yield scope
            finally:
                del self._scopes[scope]

    async def watch(self, signals: AsyncIterator[int]) -> None:
        """Request a stop at the first signal."""
        async for number in signals:
            self.request(SIGNALS[signal.Signals(number)])
            return

    async def watch_clock(self, seconds: float) -> None:
        """Request a stop when the time is up."""
        await trio.sleep(seconds)
        self.request()

    async def watch_reader(self, output: Output) -> None:
        """Request a stop when nobody reads any more, even if nothing comes that could not be written."""
        await output.wait_closed()
        self.unread = True
        self.request()


@asynccontextmanager
async def stoppable(seconds: float | None = None, output: Output | None = None) -> AsyncIterator[Stop]:
    """A block in which Ctrl-C, SIGTERM, SIGHUP, the clock, and the end of who reads are requests to :class:`Stop`."""
    with trio.open_signal_receiver(*_heard(SIGNALS)) as signals:
        async with trio.open_nursery() as nursery:
            stop = Stop()
            nursery.start_soon(stop.watch, signals, name="watch signals")
            if seconds is not None:
                nursery.start_soon(stop.watch_clock, seconds, name="watch the clock")
            if output is not None:
                nursery.start_soon(stop.watch_reader, output, name="watch standard output")
            yield stop
            nursery.cancel_scope.cancel()


def run(work: Callable[[], Awaitable[int]]) -> int:
    """Run a command's work on trio; Ctrl-C comes at checkpoints of the main task only."""
    try:
        code: int = trio.run(_until_told, work, restrict_keyboard_interrupt_to_checkpoints=True)
    except BaseExceptionGroup as group:
        if len(group.exceptions) == 1:  # a nursery wraps all that its block raises
            raise group.exceptions[0] from None
        raise
    return code


async def _until_told(work: Callable[[], Awaitable[int]]) -> int:
    """Do the work, and where a signal comes while nothing else listens for it, cancel it."""
    codes: list[int] = []
    told = DONE

    async def listen(signals: AsyncIterator[int]) -> None:
        nonlocal told
        async for number in signals:
            told = SIGNALS[signal.Signals(number)]
            nursery.cancel_scope.cancel()
            return

    others = [number for number in SIGNALS if number != signal.SIGINT]
    with trio.open_signal_receiver(*_heard(others)) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen, signals, name="listen for signals")
            codes.append(await work())
            nursery.cancel_scope.cancel()
    return codes[0] if codes else told


def suspend() -> None:
    """Do what Ctrl-Z asks for; returns when continued."""
    handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    try:
        signal.raise_signal(signal.SIGTSTP)
    finally:
        signal.signal(signal.SIGTSTP, handler)


def _heard(numbers: Iterable[signal.Signals]) -> list[signal.Signals]:
    """Those that mean something here: `nohup` says that a hangup does not."""
    hangup = getattr(signal, "SIGHUP", None)
    return [one for one in numbers if one != hangup or signal.getsignal(one) is not signal.SIG_IGN]
