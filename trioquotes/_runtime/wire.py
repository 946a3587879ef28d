"""The streams that stand between trio-websocket and the real one.

Both read the answer to the upgrade themselves, so that a refusal keeps its status and words, and both watch
over writes. :class:`TapWire` then keeps the data for itself and gives trio-websocket the control frames;
:class:`PlainWire` gives it everything and only looks on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable

import trio

from trioquotes._protocol.deflate import InflatingSplitter
from trioquotes._protocol.frames import FrameSplitter, Split
from trioquotes._runtime.intake import open_intake
from trioquotes._runtime.network import close_now, describe
from trioquotes._runtime.upgrade import UpgradeAnswer

__all__ = ["PlainWire", "Stalled", "TapWire", "Wire"]

UNANSWERED_PINGS = 64
"""Pings kept while the socket takes no answers; of more, the newest count (RFC 6455, section 5.5.3)."""

BODY_GRACE_S = 1.0
"""How long a refusal's body of announced length is waited for; its status is known and must not wait longer."""

OPEN_BODY_GRACE_S = 0.1
"""The same for a body that ends when the peer hangs up, which it may never do."""

CLOSE_OPCODE, OPCODE_BITS = 0x8, 0x0F


class Stalled(Exception):
    """A frame began and did not arrive whole in time."""


class Wire(trio.abc.Stream, ABC):
    """A stream for trio-websocket on top of the real one.

    Args:
        stream: the real one.
        splitter: gives way to one that inflates where the peer takes up the offer of compression.
        stall_timeout_s: for one frame, while it is waited for.
        offers_compression: whether the request does.

    Attributes:
        answer: the peer's answer to the upgrade request.
        poisoned: a write was cancelled, or interrupted, in mid-frame; nothing may follow it.
        close_sent: a close frame was written, or could not be.
        answered: set once all pings that were read up to now are answered. Later ones have an event of their own:
            a peer that floods us with pings must not keep a message from being sent.
        hung_up: the end is decided: trio-websocket may still send its close frame, then sees the end of
            the stream, so that it waits for no answer.
    """

    def __init__(
        self,
        stream: trio.abc.Stream,
        splitter: FrameSplitter,
        stall_timeout_s: float,
        *,
        offers_compression: bool = False,
    ) -> None:
        self.answer = UpgradeAnswer(offered=offers_compression)
        self.poisoned = False
        self.close_sent = trio.Event()
        self.answered = trio.Event()
        self.answered.set()
        self.hung_up = False
        self.splitter = splitter
        self._stream = stream
        self._intake = open_intake(stream)
        self._stall_timeout_s = stall_timeout_s
        self._stall_left_s = stall_timeout_s

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Write one frame; trio-websocket calls this once for each, in turn."""
        if self.poisoned:
            raise trio.ClosedResourceError("a write was cancelled in mid-frame")
        await trio.lowlevel.checkpoint_if_cancelled()  # so far nothing was written: the line stays whole
        try:
            await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise
        except OSError as error:
            raise trio.BrokenResourceError from error
        except BaseException:
            self.poisoned = True
            await close_now(self._stream)  # noqa: ASYNC102  # it shields itself
            raise
        finally:
            if data[0] & OPCODE_BITS == CLOSE_OPCODE:
                self.close_sent.set()

    async def wait_send_all_might_not_block(self) -> None:
        """As the real stream says."""
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Close the real stream, politely."""
        try:
            await self._stream.aclose()
        except OSError as error:
            raise trio.BrokenResourceError from error

    async def receive_some(self, max_bytes: int | None = None) -> bytes:  # noqa: ARG002  # the stream's signature
        """What trio-websocket is to see next, whatever its length."""
        if not self.answer.complete:
            return await self._receive_answer()
        if self.hung_up:
            await self.close_sent.wait()
            return b""
        return await self._receive()

    @abstractmethod
    async def _receive(self) -> bytes:
        """What trio-websocket is to see next of the open WebSocket."""

    async def read(self) -> bytes:
        """What the socket has, whole records with TLS; empty at its end. Cancelled, it loses nothing.

        Raises:
            Stalled: a frame is incomplete and was waited for too long.
            trio.BrokenResourceError, trio.ClosedResourceError: the connection is lost.
        """
        if self.answer.rest:
            await trio.lowlevel.checkpoint()
            data, self.answer.rest = self.answer.rest, b""
            return data
        if not self.splitter.midway:
            return await self._read()
        started = trio.current_time()
        try:
            with trio.move_on_after(max(0.0, self._stall_left_s)):
                return await self._read()
        finally:
            self._stall_left_s -= trio.current_time() - started
        raise Stalled

    def split(self, data: bytes) -> Split:
        """Split what was read. A whole frame is a sign of life, bytes are none."""
        found = self.splitter.feed(data)
        if self.splitter.advanced:
            self._stall_left_s = self._stall_timeout_s
        return found

    async def _read(self) -> bytes:
        try:
            return await self._intake.read()
        except OSError as error:  # trio's own streams say it as below; a user's may not
            raise trio.BrokenResourceError from error

    async def _receive_answer(self) -> bytes:
        """Read the answer; hand over a 101 head, keep anything else and end here."""
        answer = self.answer
        try:
            while answer.status is None and not answer.wrong:
                answer.feed(await self._read())
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            answer.wrong = describe(error)
        if answer.head and not answer.wrong:
            if answer.agreement is not None:
                self.splitter = InflatingSplitter(self.splitter.limit, answer.agreement)
            return answer.head
        if answer.status is not None:
            with trio.move_on_after(BODY_GRACE_S if answer.length_known else OPEN_BODY_GRACE_S):
                while not answer.complete:
                    answer.feed(await self._read())
        raise trio.BrokenResourceError(answer.wrong or "refused")


class TapWire(Wire):
    """Keeps the data: the line reads the socket itself and hands over what needs an answer."""

    def __init__(
        self,
        stream: trio.abc.Stream,
        splitter: FrameSplitter,
        stall_timeout_s: float,
        *,
        offers_compression: bool = False,
    ) -> None:
        super().__init__(stream, splitter, stall_timeout_s, offers_compression=offers_compression)
        self._due = 0  # how many answers set ``answered``
        self._leaving = False
        self._pings: deque[bytes] = deque(maxlen=UNANSWERED_PINGS)
        self._closing = b""
        self._news = trio.Event()

    def hand_over(self, found: Split) -> None:
        """Give trio-websocket the pings to answer and the peer's close frame."""
        self._pings.extend(found.controls)
        if found.end is not None and found.end.by_peer:
            self._closing = _without_reason(self._pings.pop())
        self._owe()
        self._news.set()

    def leave(self, *, hang_up: bool) -> None:
        """Nobody reads the line any more: let trio-websocket find the peer's close frame, or nothing."""
        self._pings.clear()  # a pong behind our close frame would be a violation, and crash trio-websocket
        self._leaving = True
        self.hung_up = hang_up
        self._news.set()

    async def _receive(self) -> bytes:
        while True:
            await trio.lowlevel.checkpoint()
            if not self._due or not self._pings:
                self.answered.set()  # trio-websocket writes each answer before it comes back for more
                self._owe()
            if self._pings:
                self._due -= 1
                return self._pings.popleft()
            if self._closing:
                closing, self._closing = self._closing, b""
                return closing
            if self.hung_up:
                return b""  # our close frame is on its way already
            if self._leaving:
                return await self._read_close()
            await self._news.wait()
            self._news = trio.Event()

    def _owe(self) -> None:
        if self._pings and self.answered.is_set():
            self.answered, self._due = trio.Event(), len(self._pings)

    async def _read_close(self) -> bytes:
        """Read on without keeping data, for the close frame; empty once nothing more can be understood."""
        while True:
            data, self.answer.rest = self.answer.rest or await self._read(), b""
            found = self.splitter.feed(data)
            if found.end is not None:
                return _without_reason(found.controls[-1]) if found.end.by_peer else b""
            if not data:
                return b""


class PlainWire(Wire):
    """Gives trio-websocket everything, and looks on: for announced lengths, stalls and pongs.

    Attributes:
        pongs: payloads of those that came and were not reported yet.
        stalled: a frame did not arrive whole in time.
        lost: how the connection was lost, if it was.
    """

    def __init__(
        self,
        stream: trio.abc.Stream,
        splitter: FrameSplitter,
        stall_timeout_s: float,
        notify: Callable[[], None],
    ) -> None:
        super().__init__(stream, splitter, stall_timeout_s)
        self.pongs: list[bytes] = []
        self.stalled = False
        self.lost: Exception | None = None
        self._notify = notify

    async def _receive(self) -> bytes:
        if self.splitter.end is not None and self.splitter.end.too_large:
            self.hung_up = True  # only now: all that came before was taken
            self._notify()
            return await self.receive_some()
        try:
            data = await self.read()
        except Stalled:
            self.stalled = True
            return b""
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            self.lost = error
            raise
        found = self.split(data)
        self.pongs += found.pongs
        if found.pongs:
            self._notify()
        return data


def _without_reason(close: bytes) -> bytes:
    """A peer's close frame with its code alone: trio-websocket logs the reason, which may repeat a secret of ours."""
    return close[:1] + bytes([min(close[1], 2)]) + close[2:4]
