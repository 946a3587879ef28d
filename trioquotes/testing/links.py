"""Streams between a session and a simulated venue, and what a script does to them."""

from __future__ import annotations

import errno
import os
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeVar

import trio
import trio.testing

from trioquotes.testing.script import (
    ChopLink,
    CutLink,
    DelayLink,
    HangLink,
    LinkFault,
    RefuseLink,
    SilenceLink,
    StallLink,
)

__all__ = ["LinkEnd", "Weather", "open_link"]

F = TypeVar("F", bound=LinkFault)

REFUSALS = {
    "refused": ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED)),
    "unreachable": OSError(errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH)),
    "unknown": OSError(-2, "Name or service not known"),
}


class LinkEnd(trio.abc.HalfCloseableStream):
    """One side of a link.

    Args:
        stream: what it reads and writes.
        pieces: decides how much a read returns at most; ``None`` for all there is.
    """

    def __init__(self, stream: trio.abc.HalfCloseableStream, pieces: random.Random | None = None) -> None:
        self._stream = stream
        self._pieces = pieces
        self._torn = False

    def tear(self) -> None:
        """From now on the connection is reset."""
        self._torn = True

    def _check(self) -> None:
        if self._torn:
            raise trio.BrokenResourceError from ConnectionResetError(
                errno.ECONNRESET, os.strerror(errno.ECONNRESET)
            )

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Read up to a size that the seed decides."""
        self._check()
        if self._pieces is not None:
            piece = 1 << self._pieces.randint(4, 16)
            max_bytes = piece if max_bytes is None else min(piece, max_bytes)
        data = await self._stream.receive_some(max_bytes)
        if not data:
            self._check()
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Write."""
        self._check()
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until writing may go on."""
        self._check()
        await self._stream.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        """End our direction."""
        self._check()
        await self._stream.send_eof()

    async def aclose(self) -> None:
        """Close both directions."""
        await self._stream.aclose()


class Weather:
    """What goes wrong with the links of a world.

    Attributes:
        faults: the script; empty once everything was mended.
        done: how often what befell a link, by the fault's name.
        cleared: whether everything was mended.
    """

    def __init__(self, faults: Iterable[LinkFault]) -> None:
        self.faults = tuple(faults)
        self.done: Counter[str] = Counter()
        self.cleared = trio.Event()

    def clear(self) -> None:
        """Nothing goes wrong from now on."""
        self.faults = ()
        self.cleared.set()

    def of_link(self, ordinal: int) -> list[LinkFault]:
        """The part of the script that concerns one link."""
        return [fault for fault in self.faults if fault.link in {None, ordinal}]


async def open_link(
    nursery: trio.Nursery, weather: Weather, ordinal: int, pieces: random.Random
) -> tuple[LinkEnd, LinkEnd]:
    """The session's end and the venue's end of a new stream.

    Args:
        nursery: where the link's tasks run, if it needs any.
        weather: what goes wrong.
        ordinal: of the link.
        pieces: decides what the session's reads return.

    Raises:
        OSError: the script refuses it.
    """
    faults = weather.of_link(ordinal)
    for fault in faults:
        if isinstance(fault, RefuseLink):
            weather.done["RefuseLink"] += 1
            refusal = REFUSALS[fault.why]
            raise type(refusal)(*refusal.args)
        if isinstance(fault, HangLink):
            weather.done["HangLink"] += 1
            await trio.sleep_forever()
    if not faults:
        ours, theirs = trio.testing.memory_stream_pair()
        return LinkEnd(ours, pieces), LinkEnd(theirs)
    return _Link(nursery, weather, faults, pieces).ends


class _Link:
    """Two directions, each carried by a task, and the clockwork of what befalls them."""

    def __init__(
        self, nursery: trio.Nursery, weather: Weather, faults: Sequence[LinkFault], pieces: random.Random
    ) -> None:
        ours, theirs = trio.testing.memory_stream_pair()  # from the session's side to here
        near, far = trio.testing.memory_stream_pair()  # from here to the venue
        self.ends = LinkEnd(ours, pieces), LinkEnd(far)
        self._faults = faults
        self._weather = weather
        self._silent = False
        self._held_until_s = 0.0
        self._ended = 0
        self._opened_s = trio.current_time()
        self._left_bytes = min(
            (cut.after_bytes for cut in self._of(CutLink) if cut.after_bytes is not None), default=-1
        )
        self._choppy_bytes = sum(chop.first_bytes for chop in self._of(ChopLink))
        self._scope = trio.CancelScope()
        self._inner = (theirs, near)
        for name in sorted({type(fault).__name__ for fault in faults} & {"DelayLink", "ChopLink"}):
            weather.done[name] += 1
        nursery.start_soon(self._run, name="link")

    def _of(self, kind: type[F]) -> list[F]:
        return [fault for fault in self._faults if isinstance(fault, kind)]

    async def _run(self) -> None:
        theirs, near = self._inner
        with self._scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._carry, theirs, near, False)
                nursery.start_soon(self._carry, near, theirs, True)
                for fault in self._faults:
                    if isinstance(fault, StallLink | SilenceLink | CutLink) and fault.after_s is not None:
                        nursery.start_soon(self._later, fault, fault.after_s)

    async def _carry(
        self, source: trio.abc.HalfCloseableStream, sink: trio.abc.HalfCloseableStream, downwards: bool
    ) -> None:
        """Carry one direction to its end; when both have ended, or one side is gone, the link is over."""
        try:
            while True:
                data = await source.receive_some()
                await self._held()
                if self._silent:
                    if not data:
                        return  # one side gave up; the other one never hears of it
                    continue
                if not data:
                    await sink.send_eof()
                    return
                if downwards:
                    await self._down(sink, bytes(data))
                else:
                    await sink.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            # Whoever listens there is gone: the other side learns it as from a socket.
            if not self._silent:
                await trio.aclose_forcefully(source)
                await trio.aclose_forcefully(sink)
        finally:
            self._ended += 1
            if self._ended == 2:
                self._scope.cancel()

    async def _down(self, sink: trio.abc.HalfCloseableStream, data: bytes) -> None:
        """What the venue sent."""
        chops = self._of(ChopLink)
        while data:
            size = len(data)
            chopped = bool(chops) and self._choppy_bytes > 0 and not self._weather.cleared.is_set()
            if chopped:
                size = min(size, chops[0].piece_bytes)
            if self._left_bytes >= 0:
                size = min(size, self._left_bytes)
            piece, data = data[:size], data[size:]
            await sink.send_all(piece)
            if self._left_bytes >= 0:
                self._left_bytes -= size
                if not self._left_bytes:
                    await self._cut(next(cut for cut in self._of(CutLink) if cut.after_bytes is not None))
            if chopped:
                self._choppy_bytes -= size
                await trio.sleep(chops[0].pause_s)

    async def _held(self) -> None:
        """Wait as the script says."""
        for delay in self._of(DelayLink):
            await trio.sleep(delay.delay_s)
        if trio.current_time() >= self._held_until_s:
            return
        with trio.move_on_at(self._held_until_s):
            await self._weather.cleared.wait()

    async def _later(self, fault: StallLink | SilenceLink | CutLink, after_s: float) -> None:
        """What has its time."""
        await trio.sleep(after_s)
        if fault not in self._weather.faults:
            return  # all was mended meanwhile
        if isinstance(fault, CutLink):
            await self._cut(fault)
            return
        self._weather.done[type(fault).__name__] += 1
        if isinstance(fault, StallLink):
            self._held_until_s = max(self._held_until_s, trio.current_time() + fault.for_s)
        else:
            self._silent = True

    async def _cut(self, cut: CutLink) -> None:
        """End both directions."""
        self._weather.done["CutLink"] += 1
        if cut.how == "reset":
            for end in self.ends:
                end.tear()
        for stream in self._inner:
            await trio.aclose_forcefully(stream)
        self._scope.cancel()
        await trio.lowlevel.checkpoint()
