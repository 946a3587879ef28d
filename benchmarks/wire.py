"""The server's side of RFC 6455, as much of it as a benchmark needs; pure."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator

__all__ = ["FrameReader", "accepted", "chunks", "encoded"]

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def accepted(headers: dict[str, str]) -> bytes:
    """The answer to an upgrade."""
    key = headers["sec-websocket-key"].encode()
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\n\r\n"
    ).encode()


def encoded(payload: bytes, opcode: int = TEXT) -> bytes:
    """One whole frame of a server."""
    size = len(payload)
    if size < 126:
        return bytes((0x80 | opcode, size)) + payload
    if size < 65536:
        return bytes((0x80 | opcode, 126)) + size.to_bytes(2, "big") + payload
    return bytes((0x80 | opcode, 127)) + size.to_bytes(8, "big") + payload


def chunks(frames: Iterable[bytes], limit: int) -> Iterator[bytes]:
    """As many whole frames at a time as fit into so many bytes, one at least."""
    held: list[bytes] = []
    size = 0
    for frame in frames:
        if held and size + len(frame) > limit:
            yield b"".join(held)
            held, size = [], 0
        held.append(frame)
        size += len(frame)
    if held:
        yield b"".join(held)


class FrameReader:
    """Takes a client's bytes apart; fragments are handed over as they are."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Opcode and payload of every frame that is whole now."""
        self._buffer += data
        found = []
        while (one := self._next()) is not None:
            found.append(one)
        return found

    def _next(self) -> tuple[int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 6:
            return None
        size, at = buffer[1] & 0x7F, 2
        if size > 125:
            at = 4 if size == 126 else 10
            if len(buffer) < at:
                return None
            size = int.from_bytes(buffer[2:at], "big")
        if len(buffer) < at + 4 + size:
            return None
        mask = bytes(buffer[at : at + 4]) * (size // 4 + 1)
        payload = bytes(a ^ b for a, b in zip(buffer[at + 4 : at + 4 + size], mask, strict=False))
        opcode = buffer[0] & 0x0F
        del buffer[: at + 4 + size]
        return opcode, payload
