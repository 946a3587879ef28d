"""One simulated WebSocket connection: a bounded queue out, and the fault script at work on it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

import attrs
import trio
import trio_websocket
from wsproto.utilities import LocalProtocolError

from trioquotes.simulator.faults import (
    NOT_UTF8,
    DropLine,
    Head,
    LineFaults,
    MuteLine,
    SayOften,
    TrickleLine,
    WithholdPongs,
    repeating,
)
from trioquotes.simulator.http_side import HttpRequest
from trioquotes.simulator.line import Line
from trioquotes.simulator.records import Breach, FrameLost, FrameSent, Records

__all__ = ["Buffer", "Connection"]

S = TypeVar("S")

CLOSE_TIMEOUT_S = 2.0
"""How long the client may take to answer a close frame before the line is cut."""


@attrs.frozen(kw_only=True)
class Buffer:
    """How much may wait for a client that reads slowly before it is dropped.

    Attributes:
        frames: of any size.
        size_bytes: of all of them together; a whole book of a large market takes some megabytes.
    """

    frames: int = 20_000
    size_bytes: int = 64 * 2**20


@attrs.frozen
class _Goodbye:
    code: int | None
    reason: str = ""


class Connection(Generic[S]):
    """A client that is connected.

    Attributes:
        ordinal: of the attempt to connect, from 1.
        peer: the client's address.
        request: the handshake's request.
        state: what the venue keeps of this connection.
        faults: the script as it concerns this connection.
    """

    def __init__(
        self, *, ordinal: int, peer: str, request: HttpRequest, state: S, faults: LineFaults, records: Records,
        buffer: Buffer, line: Line, binary: bool, overflowed: Callable[[Connection[S]], None],
    ) -> None:  # fmt: skip
        self.ordinal = ordinal
        self.peer = peer
        self.request = request
        self.state = state
        self.faults = faults
        self._records = records
        self._buffer = buffer
        self._line = line
        self._binary = binary
        self._overflowed = overflowed
        self._queue: deque[tuple[str, str] | _Goodbye] = deque()
        self._queued_bytes = 0
        self._sent = 0
        self._ending = False
        self._wake = trio.Event()
        self._room = trio.Event()
        self._nursery: trio.Nursery | None = None

    @property
    def ending(self) -> bool:
        """Whether the line is being closed; frames sent now go nowhere."""
        return self._ending

    @property
    def muted(self) -> bool:
        """Whether the script lets nothing out any more."""
        return self._line.muted

    @property
    def heard_s(self) -> float:
        """When something came from the client last, pings and the like too, on the monotonic clock."""
        return self._line.heard_s

    def send(self, kind: str, text: str) -> None:
        """Queue a frame; a client for which too much waits is dropped.

        Args:
            kind: the venue's name of the frame's type, for fault scripts and records.
            text: the frame; it goes out as a binary frame where the venue sends such.
        """
        if self._ending:
            return
        frames = self.faults.outgoing(kind, text)
        if frames != [text] and self._records.frames_kept:
            lost = FrameLost(trio.current_time(), self.ordinal, kind, text, tuple(frames))
            self._records.lost.append(lost)
        for frame in frames:
            self._say(kind, frame)
        if len(self._queue) > self._buffer.frames or self._queued_bytes > self._buffer.size_bytes:
            self.breach("slow consumer", f"{len(self._queue)} frames, {self._queued_bytes} bytes waiting")
            self._queue.clear()
            self._queued_bytes = 0
            self._overflowed(self)

    def _say(self, kind: str, frame: str) -> None:
        self._queue.append((kind, frame))
        self._queued_bytes += len(frame)
        self._wake.set()

    def close(self, code: int, reason: str = "") -> None:
        """Send a close frame after what is queued; nothing is sent after it."""
        if not self._ending:
            self._ending = True
            self._queue.append(_Goodbye(code, reason))
            self._wake.set()

    def hang_up(self) -> None:
        """End the line after what is queued, without a close frame."""
        if not self._ending:
            self._ending = True
            self._queue.append(_Goodbye(None))
            self._wake.set()

    def cut(self, *, reset: bool = False) -> None:
        """End the line at once without a close frame."""
        self._ending = True
        if reset:
            self._line.arm_reset()
        if self._nursery is not None:
            self._nursery.cancel_scope.cancel()

    def later(self, delay_s: float, action: Callable[[], None]) -> None:
        """Do something after a while, if the connection lives that long."""
        if self._nursery is not None:
            self._nursery.start_soon(self._after, delay_s, action, name=f"later {self.ordinal}")

    def breach(self, limit: str, detail: str) -> None:
        """Record that the client passed a limit of the venue."""
        entry = Breach(trio.current_time(), self.ordinal, self.peer, limit, detail)
        self._records.breaches.append(entry)

    async def wait_room(self, frames: int) -> None:
        """Wait until at most so many frames are queued."""
        while len(self._queue) > frames:
            self._room = trio.Event()
            await self._room.wait()

    def start(self, nursery: trio.Nursery, websocket: trio_websocket.WebSocketConnection) -> None:
        """Begin to send, and let the script begin."""
        self._nursery = nursery
        nursery.start_soon(self._write, websocket, name=f"write {self.ordinal}")
        for drop in self.faults.of(DropLine):
            if drop.after_s is not None:
                self.later(drop.after_s, lambda drop=drop: self._drop(drop))  # type: ignore[misc]  # bound now
        for mute in self.faults.of(MuteLine):
            nursery.start_soon(self._mute, mute, name=f"mute {self.ordinal}")
        for often in self.faults.of(SayOften):
            nursery.start_soon(self._say_often, often, name=f"say often {self.ordinal}")
        self._line.pongless = bool(self.faults.of(WithholdPongs))
        for trickle in self.faults.of(TrickleLine):
            self._line.piece_bytes, self._line.pause_s = trickle.piece_bytes, trickle.pause_s

    def finish(self) -> None:
        """The line is over: whatever is still said to it goes nowhere."""
        self._ending = True
        self._nursery = None

    async def _write(self, websocket: trio_websocket.WebSocketConnection) -> None:
        while True:
            while not self._queue:
                self._wake = trio.Event()
                await self._wake.wait()
            item = self._queue.popleft()
            self._room.set()
            if isinstance(item, _Goodbye):
                if item.code is not None:
                    with trio.move_on_after(CLOSE_TIMEOUT_S):
                        await websocket.aclose(item.code, item.reason or None)
                self.cut()
                return
            kind, text = item
            self._queued_bytes -= len(text)
            encoded = text.encode(errors="surrogateescape")
            frame = encoded if self._binary else text
            try:
                if isinstance(text, Head):
                    await self._line.send_all(_head(text.size_bytes))
                elif NOT_UTF8 in text and not self._binary:
                    await self._line.send_all(_head(len(encoded)) + encoded)
                else:
                    await websocket.send_message(frame)
            except (trio_websocket.ConnectionClosed, LocalProtocolError, trio.BrokenResourceError):
                return  # the reader sees the same end and finishes the connection
            if self._records.frames_kept:
                sent = FrameSent(trio.current_time(), self.ordinal, kind, frame)
                self._records.frames.append(sent)
            self._count_sent()

    def _count_sent(self) -> None:
        self._sent += 1
        for drop in self.faults.of(DropLine):
            if drop.after_frames == self._sent:
                self._drop(drop)

    def _drop(self, drop: DropLine) -> None:
        if drop not in self.faults.of(DropLine):
            return  # the script was ended meanwhile
        self._records.faults["DropLine"] += 1
        if drop.how == "close":
            self._queue.clear()
            self.close(drop.code, repeating(drop.reason, self.request.headers))
        else:
            self.cut(reset=drop.how == "reset")

    async def _mute(self, mute: MuteLine) -> None:
        await trio.sleep(mute.after_s)
        if mute not in self.faults.of(MuteLine):
            return  # the script was ended meanwhile
        self._line.muted = True
        self._records.faults["MuteLine"] += 1
        if mute.for_s is not None:
            await trio.sleep(mute.for_s)
            self._line.muted = False

    async def _say_often(self, often: SayOften) -> None:
        await trio.sleep(often.after_s)
        for _ in range(often.count):
            if often not in self.faults.of(SayOften):
                return  # the script was ended meanwhile
            self._records.faults["SayOften"] += 1
            self._say("script", often.text)
            await trio.sleep(often.every_s)

    async def _after(self, delay_s: float, action: Callable[[], None]) -> None:
        await trio.sleep(delay_s)
        action()


def _head(size_bytes: int) -> bytes:
    """The head of an unmasked text frame (RFC 6455, 5.2)."""
    if size_bytes < 126:
        return bytes((0x81, size_bytes))
    if size_bytes < 2**16:
        return bytes((0x81, 126)) + size_bytes.to_bytes(2)
    return bytes((0x81, 127)) + size_bytes.to_bytes(8)
