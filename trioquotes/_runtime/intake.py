"""Reading what a stream has: as few turns of the event loop, and as few system calls, as there can be.

trio's streams try a read first and wait when there is nothing, which for a feed is nearly always: the try costs a
system call and an exception, and with TLS all of that runs once for each record and once more for none. A socket is
waited for here, read once, and every record in it decrypted. What comes is read into a place that is always the same: memory
for as much as might come, of which little is kept, leaves the heap in pieces.
"""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, cast

import trio

__all__ = [
    "READ_BYTES",
    "RECORD_BYTES",
    "Intake",
    "SocketIntake",
    "StreamIntake",
    "TlsIntake",
    "TlsParts",
    "open_intake",
    "tls_parts",
]

READ_BYTES = 64 * 1024
"""One read of a socket: what the kernel usually has ready, and a bound on what a batch adds."""

RECORD_BYTES = 16 * 1024
"""The most that one TLS record holds (RFC 8446, section 5.1)."""
LAST_RECORD_AT = READ_BYTES - RECORD_BYTES
"""Behind it there may be no room for one more record in the place where decrypted ones are put."""


class _Scratch(threading.local):
    """Where what comes is put, by whichever line of a thread: nobody keeps it beyond the next step of a task."""

    def __init__(self) -> None:
        self.encrypted = memoryview(bytearray(READ_BYTES))
        self.plain = memoryview(bytearray(READ_BYTES))


_SCRATCH = _Scratch()


class Intake(Protocol):
    """How the next bytes come."""

    async def read(self) -> bytes:
        """What there is, whole records with TLS; empty at the end. Cancelled, it loses nothing.

        Raises:
            OSError, trio.BrokenResourceError, trio.ClosedResourceError: the connection is lost.
        """


class TlsParts(Protocol):
    """What is inside trio's TLS stream, and private to it: without it reading costs more, nothing else."""

    _ssl_object: ssl.SSLObject
    _incoming: ssl.MemoryBIO
    _outgoing: ssl.MemoryBIO
    transport_stream: trio.abc.Stream


def tls_parts(stream: trio.abc.Stream) -> TlsParts | None:
    """The same stream, if it is one of trio's for TLS and holds what it always held."""
    kinds = {"_ssl_object": ssl.SSLObject, "_incoming": ssl.MemoryBIO, "_outgoing": ssl.MemoryBIO}
    fits = all(isinstance(getattr(stream, name, None), kind) for name, kind in kinds.items())
    return cast("TlsParts", stream) if fits and isinstance(stream, trio.SSLStream) else None


def open_intake(stream: trio.abc.Stream) -> Intake:
    """The best way to read a stream."""
    parts = tls_parts(stream)
    socket = stream if parts is None else parts.transport_stream
    if os.name != "posix" or not isinstance(socket, trio.SocketStream):
        return StreamIntake(stream, parts)
    return SocketIntake(socket) if parts is None else TlsIntake(stream, socket, parts)


class StreamIntake:
    """For any stream: with TLS, the record that it gives and all that came with it."""

    def __init__(self, stream: trio.abc.Stream, parts: TlsParts | None) -> None:
        self._stream = stream
        self._decrypter = None if parts is None else _Decrypter(parts)

    async def read(self) -> bytes:
        """See ``Intake``."""
        if self._decrypter is None:
            return bytes(await self._stream.receive_some(READ_BYTES))
        first = bytes(await self._stream.receive_some(RECORD_BYTES))
        return first + self._decrypter.read() if first else first


class SocketIntake:
    """For a socket of an operating system where it is a file as well."""

    def __init__(self, socket: trio.SocketStream) -> None:
        self._socket = socket.socket

    async def read(self) -> bytes:
        """See ``Intake``."""
        return bytes(await self.view())

    async def view(self) -> memoryview:
        """The same, to be looked at before anything else is awaited."""
        socket, place = self._socket, _SCRATCH.encrypted
        while True:
            number = socket.fileno()
            if number < 0:
                raise trio.ClosedResourceError("the socket was closed")
            await trio.lowlevel.wait_readable(number)
            if socket.fileno() != number:
                raise trio.ClosedResourceError("the socket was closed meanwhile")
            with suppress(BlockingIOError):  # it was readable, and is no longer
                return place[: os.readv(number, (place,))]


class TlsIntake:
    """For TLS on such a socket: trio's stream is asked only where there is more to do than to read."""

    def __init__(self, stream: trio.abc.Stream, socket: trio.SocketStream, parts: TlsParts) -> None:
        self._encrypted = SocketIntake(socket)
        self._decrypter = _Decrypter(parts)
        self._slowly = StreamIntake(stream, parts)
        self._begun = False

    async def read(self) -> bytes:
        """See ``Intake``."""
        decrypter = self._decrypter
        if not self._begun:
            self._begun = True
            if data := decrypter.read():  # that came with the end of the handshake
                await trio.lowlevel.cancel_shielded_checkpoint()
                return data
        while decrypter.goes_on:
            decrypter.feed(await self._encrypted.view())
            if data := decrypter.read():
                return data
        if not decrypter.ended:
            return await self._slowly.read()  # it says what there is to say, too
        await trio.lowlevel.checkpoint()
        if decrypter.error is not None:
            raise trio.BrokenResourceError from decrypter.error
        return b""


class _Decrypter:
    """All records that came.

    Attributes:
        ended: whether no more can be decrypted.
        error: why not, unless the peer said goodbye.
    """

    def __init__(self, parts: TlsParts) -> None:
        # Into a buffer it returns how much came, which its types leave open.
        self._read = cast("Callable[[int, memoryview], int]", parts._ssl_object.read)  # noqa: SLF001  # see TlsParts
        self._decrypted = parts._ssl_object.pending  # noqa: SLF001  # see TlsParts
        self._incoming = parts._incoming  # noqa: SLF001  # see TlsParts
        self._outgoing = parts._outgoing  # noqa: SLF001  # see TlsParts
        self.ended = False
        self.error: ssl.SSLError | None = None

    def feed(self, encrypted: memoryview) -> None:
        """What came; empty for the end of it, which is none of TLS unless the peer said goodbye before."""
        if encrypted:
            self._incoming.write(encrypted)
        else:
            self._incoming.write_eof()

    @property
    def goes_on(self) -> bool:
        """Whether more can be decrypted, and nothing is to be said to the peer first."""
        return not self.ended and not self._outgoing.pending

    def read(self) -> bytes:
        """What can be decrypted without waiting, together."""
        place, at = _SCRATCH.plain, 0
        full: list[bytes] = []
        try:
            while count := self._read(RECORD_BYTES, place[at : at + RECORD_BYTES]):
                at += count
                if not self._incoming.pending and not self._decrypted():
                    break  # another read would say by an exception that there is no more
                if at > LAST_RECORD_AT:
                    full.append(bytes(place[:at]))
                    at = 0
            else:
                self.ended = True  # the peer said goodbye
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self.ended, self.error = True, error.with_traceback(None)  # else it would hold us, and we it
        return b"".join((*full, place[:at])) if full else bytes(place[:at])
