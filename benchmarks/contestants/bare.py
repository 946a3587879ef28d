"""The least that a trio program can do: one task that waits for the socket, reads it once, decrypts, splits and decodes.

No task hands anything to another, nothing is checked, counted, buffered or answered, and no close is heard of: what this takes is
the price of being woken up by trio, and what every program on trio pays at least.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from typing import Any

import trio

from benchmarks.contestants.meter import Meter, begin
from benchmarks.contestants.requests import PATHS, requests
from benchmarks.contestants.shapes import READERS
from benchmarks.contestants.websockets_ import user
from benchmarks.wire import encoded

__all__ = ["main"]

READ_BYTES = 65536
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
MASK = 0x80


class Bytes:
    """What a socket of the operating system brings, decrypted where it was encrypted."""

    def __init__(self, host: str, port: int, trust: ssl.SSLContext | None) -> None:
        self._socket = socket.create_connection((host, port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = (
            None if trust is None else trust.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        )
        while self._tls is not None:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._flush()
                self._incoming.write(self._socket.recv(READ_BYTES))
        self._flush()

    def send(self, data: bytes) -> None:
        """Send all of it; a few requests never fill a socket."""
        if self._tls is None:
            self._socket.sendall(data)
        else:
            self._tls.write(data)
            self._flush()

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._socket.sendall(self._outgoing.read())

    async def read(self) -> bytes:
        """All that there is, at least a byte."""
        number = self._socket.fileno()
        while True:
            await trio.lowlevel.wait_readable(number)
            data = os.read(number, READ_BYTES)
            if self._tls is None:
                return data
            self._incoming.write(data)
            records = []
            try:
                while True:
                    records.append(self._tls.read(READ_BYTES))
            except ssl.SSLWantReadError:
                if records:
                    return records[0] if len(records) == 1 else b"".join(records)


def payloads(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Of every whole frame that a server sent, and where what follows it begins."""
    at, end = 0, len(data)
    while end - at >= 2:
        size, begin_at = data[at + 1], at + 2
        if size > 125:
            begin_at = at + (4 if size == 126 else 10)
            size = int.from_bytes(data[at + 2 : begin_at], "big")
        at = begin_at + size
        if at > end:
            return
        yield data[begin_at:at], at


async def messages(line: Bytes, venue: str) -> AsyncIterator[Any]:
    """Of a venue, as they come."""
    read, rest = READERS[venue], b""
    while True:
        data = rest + await line.read() if rest else await line.read()
        done = 0
        for payload, done in payloads(data):  # noqa: B007  # wanted behind the loop
            yield read(payload)
        rest = data[done:]


async def run(meter: Meter) -> None:
    task = meter.task
    line = Bytes("localhost", task.port, task.trust())
    path = PATHS[task.venue]
    line.send(
        f"GET {path or '/'} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    head = b""
    while b"\r\n\r\n" not in head:
        head += await line.read()
    for text in requests(task.feed, task.instruments):
        line.send(masked(encoded(text.encode())))
    await user(meter, messages(line, task.venue))


def masked(frame: bytes) -> bytes:
    """A frame as clients send it, with a mask of zeros."""
    head = 2 if frame[1] < 126 else 4
    return bytes((frame[0], frame[1] | MASK)) + frame[2:head] + bytes(4) + frame[head:]


def main() -> None:
    meter = begin("trio")
    trio.run(run, meter)
    meter.say()


if __name__ == "__main__":
    main()
