"""The byte stream under a simulated connection, with what a fault script does to bytes."""

from __future__ import annotations

import socket
import struct

import trio

__all__ = ["Line"]


PONG = b"\x8a"
"""The first byte of a pong; the library sends each frame by itself (RFC 6455, 5.2)."""


class Line(trio.abc.Stream):
    """A stream that first gives back bytes already read, and can go mute or slow.

    Args:
        stream: the real one.
        prefix: bytes that come before what the real one gives.

    Attributes:
        muted: whether what is sent is thrown away.
        pongless: whether pongs are thrown away.
        piece_bytes: how much is sent at a time; 0 sends whole.
        pause_s: the pause after each piece.
        heard_s: when something came from the peer last, of whatever kind, on the monotonic clock.
    """

    def __init__(self, stream: trio.abc.Stream, prefix: bytes = b"") -> None:
        self._stream = stream
        self._prefix = prefix
        self.muted = False
        self.pongless = False
        self.piece_bytes = 0
        self.pause_s = 0.0
        self.heard_s = trio.current_time()
        # Some frames of a script go past the library, which has a lock of its own for what goes through it.
        self._sending = trio.StrictFIFOLock()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """The prefix first, then the stream's own bytes."""
        if self._prefix:
            await trio.lowlevel.checkpoint()
            cut = len(self._prefix) if max_bytes is None else max_bytes
            data, self._prefix = self._prefix[:cut], self._prefix[cut:]
            return data
        received = await self._stream.receive_some(max_bytes)
        self.heard_s = trio.current_time()
        return received

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send, or do what the script says instead."""
        if self.muted or (self.pongless and data[:1] == PONG):
            await trio.lowlevel.checkpoint()
            return
        async with self._sending:
            if not self.piece_bytes:
                await self._stream.send_all(data)
                return
            for at in range(0, len(data), self.piece_bytes):
                if at:  # none after the last: what is out has been sent, whatever becomes of the line then
                    await trio.sleep(self.pause_s)
                await self._stream.send_all(bytes(data[at : at + self.piece_bytes]))

    async def wait_send_all_might_not_block(self) -> None:
        """As the real stream says."""
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Close the real stream."""
        await self._stream.aclose()

    def arm_reset(self) -> None:
        """Let the coming close be a TCP reset, where there is a TCP socket below."""
        below: object = self._stream
        if isinstance(below, trio.SSLStream):
            below = below.transport_stream
        if isinstance(below, trio.SocketStream):
            below.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
