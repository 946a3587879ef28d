"""A server played by hand, and the networks its client meets it on."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, NamedTuple, Protocol, TypeAlias

import trio
import trio.testing
import trustme

from trioquotes._protocol.effects import Handshake
from trioquotes._runtime.connector import Line, LineFailed, Target
from trioquotes._runtime.transport import PlainConnector, TapConnector

CONNECTORS = (TapConnector, PlainConnector)
URL = "ws://127.0.0.1:8765/feed?a=1"
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

ConnectorType: TypeAlias = type[TapConnector | PlainConnector]


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """A frame as a server sends it, its length in the shortest form."""
    size = len(payload)
    if size < 126:
        length = bytes([size])
    elif size < 1 << 16:
        length = b"\x7e" + size.to_bytes(2)
    else:
        length = b"\x7f" + size.to_bytes(8)
    return bytes([opcode | (0x80 if fin else 0)]) + length + payload


def text(content: str | bytes) -> bytes:
    return frame(TEXT, content.encode() if isinstance(content, str) else content)


def close(code: int, reason: str = "") -> bytes:
    return frame(CLOSE, code.to_bytes(2) + reason.encode())


class ClientFrame(NamedTuple):
    opcode: int
    payload: bytes

    @property
    def code(self) -> int:
        return int.from_bytes(self.payload[:2])


class Peer:
    """The server's end of one connection."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self._unread = bytearray()
        self.request = b""

    async def _fill(self, size: int) -> bool:
        while len(self._unread) < size:
            data = await self.stream.receive_some(65536)
            if not data:
                return False
            self._unread += data
        return True

    async def read_request(self) -> bytes:
        while b"\r\n\r\n" not in self._unread:
            if not await self._fill(len(self._unread) + 1):
                raise trio.BrokenResourceError("the client hung up before its request was whole")
        head, _, rest = bytes(self._unread).partition(b"\r\n\r\n")
        self._unread[:] = rest
        self.request = head + b"\r\n\r\n"
        return self.request

    def switch(self, *extra: str) -> bytes:
        """The answer that accepts the last request."""
        found = re.search(rb"(?im)^sec-websocket-key: *(\S+)", self.request)
        assert found
        accept = base64.b64encode(hashlib.sha1(found[1] + GUID).digest())  # noqa: S324  # as RFC 6455 says
        lines = [b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Accept: " + accept]
        lines += [line.encode() for line in extra]
        return b"HTTP/1.1 101 Switching Protocols\r\n" + b"\r\n".join(lines) + b"\r\n\r\n"

    async def accept(self, *extra: str, then: bytes = b"") -> None:
        await self.read_request()
        await self.send(self.switch(*extra) + then)

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def read_frame(self) -> ClientFrame | None:
        """The client's next frame; ``None`` at the end of the stream."""
        if not await self._fill(2):
            return None
        size, at = self._unread[1] & 0x7F, 2
        assert self._unread[1] & 0x80, "a client masks its frames"
        if size >= 126:
            width = 2 if size == 126 else 8
            if not await self._fill(at + width):
                return None
            size, at = int.from_bytes(self._unread[at : at + width]), at + width
        if not await self._fill(at + 4 + size):
            return None
        mask = self._unread[at : at + 4]
        payload = bytes(
            byte ^ mask[place % 4] for place, byte in enumerate(self._unread[at + 4 : at + 4 + size])
        )
        opcode = self._unread[0] & 0x0F
        del self._unread[: at + 4 + size]
        return ClientFrame(opcode, payload)

    async def read_all(self) -> list[ClientFrame]:
        """Every further frame until the client hangs up."""
        frames = []
        try:
            while (found := await self.read_frame()) is not None:
                frames.append(found)
        except trio.BrokenResourceError:
            pass
        return frames

    async def answer_close(self) -> list[ClientFrame]:
        """Read until the client's close frame, answer it, and give back all that came."""
        frames = []
        while (found := await self.read_frame()) is not None:
            frames.append(found)
            if found.opcode == CLOSE:
                await self.send(frame(CLOSE, found.payload))
                break
        return frames


Script: TypeAlias = Callable[[Peer], Awaitable[object]]


async def silent(peer: Peer) -> None:
    """The script of a peer that accepts and never says anything."""
    await trio.sleep_forever()


class Watched(trio.abc.Stream):
    """A stream that knows whether it was closed."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self.closed = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self._stream.receive_some(max_bytes)

    async def aclose(self) -> None:
        self.closed = True
        await self._stream.aclose()


class Starter(Protocol):
    """What a hall needs of a nursery."""

    def start_soon(self, run: Callable[..., Awaitable[object]], *args: object) -> None: ...


class Hall:
    """A network on which one script answers every connection."""

    def __init__(
        self,
        nursery: Starter | trio.Nursery,
        script: Script,
        *,
        pair: Callable[[], tuple[trio.abc.Stream, trio.abc.Stream]] = trio.testing.memory_stream_pair,
    ) -> None:
        self._nursery = nursery
        self._script = script
        self._pair = pair
        self.opened: list[tuple[str, int]] = []
        self.clients: list[Watched] = []
        self.results: list[object] = []

    async def open(self, host: str, port: int) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        self.opened.append((host, port))
        client, server = self._pair()
        self.clients.append(Watched(client))
        self._nursery.start_soon(self._serve, Peer(server))
        return self.clients[-1]

    async def _serve(self, peer: Peer) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            self.results.append(await self._script(peer))
        # The peer's end stays open: what the client sees is what the script did.

    @property
    def all_closed(self) -> bool:
        return all(client.closed for client in self.clients)


def target(**options: Any) -> Target:
    given = {
        "handshake": Handshake(URL),
        "connect_timeout_s": 1.0,
        "close_timeout_s": 0.5,
        "stall_timeout_s": 5.0,
    }
    return Target(**{**given, **options})


@asynccontextmanager
async def connected(
    connector_type: ConnectorType, script: Script, **options: Any
) -> AsyncIterator[tuple[Line, Hall]]:
    """A line to the script, which starts behind the handshake."""

    async def serve(peer: Peer) -> object:
        await peer.accept()
        return await script(peer)

    async with trio.open_nursery() as nursery:
        hall = Hall(nursery, serve)
        async with connector_type(hall).line(target(**options)) as line:
            yield line, hall
        nursery.cancel_scope.deadline = trio.current_time() + 1
    assert hall.all_closed


async def collect(line: Line) -> tuple[list[bytes], int, LineFailed]:
    """Everything a line brings until it fails."""
    frames: list[bytes] = []
    pongs = 0
    while True:
        try:
            batch = await line.receive()
        except LineFailed as failed:
            return frames, pongs, failed
        frames += batch.frames
        pongs += batch.pongs


class Breaking(trio.abc.Stream):
    """A stream that breaks when told to."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self.broken = trio.Event()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        if self.broken.is_set():
            raise trio.BrokenResourceError("broken pipe")
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data = b""
        async with trio.open_nursery() as nursery:

            async def stop() -> None:
                await self.broken.wait()
                nursery.cancel_scope.cancel()

            nursery.start_soon(stop)
            data = bytes(await self._stream.receive_some(max_bytes))
            nursery.cancel_scope.cancel()
        if data:
            return data
        raise trio.BrokenResourceError("connection reset")

    async def aclose(self) -> None:
        await self._stream.aclose()


def breaking_pair() -> tuple[trio.abc.Stream, trio.abc.Stream]:
    client, server = trio.testing.memory_stream_pair()
    return Breaking(client), server


class Background:
    """Starts scripts outside every nursery, so that no group can be made around the line."""

    def start_soon(self, run: Callable[..., Awaitable[object]], *args: object) -> None:
        async def quiet() -> None:
            with trio.move_on_after(30):
                await run(*args)

        trio.lowlevel.spawn_system_task(quiet)


def connected_bare(
    connector_type: ConnectorType, script: Script, **options: Any
) -> AbstractAsyncContextManager[Line]:
    """A line to the script without a nursery around it."""

    async def serve(peer: Peer) -> None:
        await peer.accept()
        await script(peer)

    return connector_type(Hall(Background(), serve)).line(target(**options))


@functools.cache
def authority() -> trustme.CA:
    return trustme.CA()


def server_context(*names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority().issue_cert(*(names or ("localhost", "127.0.0.1"))).configure_cert(context)
    return context


def client_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority().configure_trust(context)
    return context


def over_tls(script: Script, *names: str) -> Script:
    """The script behind a TLS handshake."""
    context = server_context(*names)

    async def serve(peer: Peer) -> object:
        stream = trio.SSLStream(peer.stream, context, server_side=True)
        await stream.do_handshake()
        peer.stream = stream
        return await script(peer)

    return serve
