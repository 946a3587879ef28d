"""WebSocket lines: trio-websocket keeps the connection, and a shell round it keeps the promises.

The only module of the client that imports trio-websocket and wsproto. TCP, TLS and the answer to the
upgrade are ours (``wire``, ``upgrade``), so reasons are kept and times bounded; trio-websocket makes the
handshake, answers pings, sends, and closes. :class:`TapConnector` takes the data past it, all frames of a
socket read at once; :class:`PlainConnector` lets it read, one message a time.

Beside its public names these of trio-websocket are relied on: ``WebSocketConnection._send`` (a ping without
waiting for its pong), and that ``wrap_client_stream`` asks nothing but ``start_soon`` of its nursery.
"""

from __future__ import annotations

import math
import ssl
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from copy import copy
from typing import ClassVar, Generic, Self, TypeVar, cast

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream
from wsproto.events import Ping
from wsproto.utilities import ProtocolError, RemoteProtocolError

from trioquotes._protocol.deflate import OFFER
from trioquotes._protocol.effects import Failure, HttpRequest, Reply
from trioquotes._protocol.frames import End, FrameSplitter
from trioquotes._runtime.connector import Batch, Line, LineFailed, Network, Route, Target
from trioquotes._runtime.dialling import connect
from trioquotes._runtime.endings import sole
from trioquotes._runtime.intake import READ_BYTES
from trioquotes._runtime.network import (
    Address,
    check_headers,
    close_now,
    describe,
    parse_url,
)
from trioquotes._runtime.pings import Pings
from trioquotes._runtime.proxies import REQUESTS, SOCKETS, Ways
from trioquotes._runtime.tls import shared_context
from trioquotes._runtime.wire import PlainWire, Stalled, TapWire, Wire
from trioquotes.errors import InternalError, UsageError

__all__ = ["PlainConnector", "TapConnector"]

GOODBYE, ABNORMAL, SWITCHED = 1000, 1006, 101


W = TypeVar("W", bound=Wire)


class _SocketLine(ABC, Generic[W]):
    """One connection: its wire, trio-websocket's reader on it, and how both end."""

    _connection: WebSocketConnection

    def __init__(self, wire: W, target: Target) -> None:
        self.wire = wire
        self._target = target
        self._opened = False
        self._failed: LineFailed | None = None
        self._crashed: Exception | None = None  # trio-websocket's reader, and not because of the peer
        self._found_wrong: ProtocolError | None = None  # what wsproto said of the peer
        self._pings = Pings()
        # trio-websocket's reader outlives a cancellation of ours: it is ended when the line is, not before.
        self._children = trio.CancelScope(shield=True)
        self._reader_ended = trio.Event()
        self._opening = trio.CancelScope()
        self._leaving = trio.CancelScope()

    async def open(self, nursery: trio.Nursery, address: Address, deadline: float) -> None:
        """Make the WebSocket handshake on the wire.

        Raises:
            LineFailed: refused, not understood, or not answered by the deadline.
        """
        handshake = self._target.handshake
        headers = [(name.encode(), value.encode()) for name, value in handshake.headers]
        if self._target.compression:
            headers.append((b"Sec-WebSocket-Extensions", OFFER.encode()))
        self._opening.deadline = deadline
        with self._opening:
            self._connection = await wrap_client_stream(
                cast("trio.Nursery", _Spawner(nursery, self._run_reader)),
                cast("trio.SocketStream", self.wire),
                address.authority,
                address.resource,
                subprotocols=handshake.subprotocols,
                extra_headers=headers,
                message_queue_size=0,
                max_message_size=self._target.max_message_bytes,
                receive_buffer_size=READ_BYTES,
            )
            self._opened = True
            return
        raise self._refusal()

    async def leave(self, *, polite: bool, shielded: bool) -> None:
        """End it, with a goodbye if ``polite``, which a cancellation cuts short unless ``shielded``; no error leaves here."""
        try:
            if polite and self._opened and not self.wire.poisoned:
                self._leaving.deadline = trio.current_time() + self._target.close_timeout_s
                self._leaving.shield = shielded
                with self._leaving, suppress(OSError, trio.BrokenResourceError, trio.ClosedResourceError):
                    await self._say_goodbye(self._connection)
        finally:
            self._children.cancel()
            await close_now(self.wire)  # noqa: ASYNC102  # it shields itself

    @property
    def exhausted(self) -> MemoryError | None:
        """What trio-websocket's reader ended with if memory ran out: it may have come when nobody asks any more."""
        return self._crashed if isinstance(self._crashed, MemoryError) else None

    @property
    def sound(self) -> bool:
        """Whether nothing is known against the line here, whatever its user thinks of it."""
        return self._failed is None

    async def send(self, frame: bytes) -> None:
        """See ``Line``."""
        await self._write(frame.decode())

    async def ping(self) -> None:
        """See ``Line``."""
        payload = self._pings.next(trio.current_time())
        with self._writing():
            # Its public ping() waits for the pong, which the tap keeps for itself.
            await self._connection._send(Ping(payload=payload))  # noqa: SLF001  # see the module's docstring

    def batch(self, frames: list[bytes], pongs: list[bytes]) -> Batch:
        """What a read brought, with the time that an answer to a ping took."""
        return Batch(frames, len(pongs), self._pings.answered(pongs, trio.current_time()) if pongs else None)

    @abstractmethod
    async def receive(self) -> Batch:
        """See ``Line``."""

    @abstractmethod
    async def _say_goodbye(self, connection: WebSocketConnection) -> None:
        """Close the WebSocket by the book, as far as the peer lets us."""

    async def _run_reader(self, reader: Callable[[], Awaitable[None]]) -> None:
        with self._children:
            try:
                await reader()
            except Exception as error:  # noqa: BLE001  # judged by who waits: in _refusal, or in _check
                self._found_wrong = _protocol_error(error)
                self._crashed = error if self._found_wrong is None else None
                self._leaving.cancel()  # there is nobody left to answer the close frame
        self._reader_ended.set()
        self.wire.answered.set()  # nobody is left who could answer
        self._opening.cancel()

    def _refusal(self) -> Exception:
        """Why the handshake did not come to its end."""
        answer = self.wire.answer
        if self._crashed is not None:
            return self._crash(self._crashed)
        if answer.status is None:
            reason = answer.wrong or f"no answer within {self._target.connect_timeout_s:g} s"
        elif answer.status == SWITCHED:
            found = answer.wrong or self._found_wrong or "see RFC 6455, section 4.1"
            reason = f"the switch to WebSocket is not valid: {found!s:.120}"
        else:
            reason = f"the peer answered {answer.status} instead of switching to WebSocket"
        return LineFailed(Failure("handshake", reason, answer.status, answer.headers, answer.body))

    @staticmethod
    def _crash(crashed: Exception) -> Exception:
        """What to raise for a reader that crashed: a bug, unless it is nobody's."""
        if isinstance(crashed, MemoryError):
            return crashed
        error = InternalError(f"trio-websocket's reader ended with {type(crashed).__name__}")
        error.__cause__ = crashed
        return error

    def _check(self) -> None:
        """Refuse to go on with a line that ended."""
        if self._crashed is not None:
            raise self._crash(self._crashed)
        if self._failed is None and self.wire.poisoned:
            self._fail("a write was cancelled in mid-frame, so the line was closed")
        if self._failed is not None:
            raise LineFailed(self._failed.failure)

    def _fail(self, reason: str) -> None:
        self._failed = LineFailed(Failure("stream", reason, close_code=ABNORMAL))

    def _fail_as(self, end: End) -> None:
        """The line ended as its frames say."""
        if end.by_peer:
            reason = f"the peer closed the line with {end.code}" + (f": {end.reason}" if end.reason else "")
            self._failed = LineFailed(Failure("stream", reason, close_code=end.code, close_reason=end.reason))
        else:
            reason = end.reason if end.too_large else f"the peer broke the rules: {end.reason}"
            self._failed = LineFailed(Failure("stream", reason, close_code=end.code, too_large=end.too_large))

    def _fail_by(self, error: Exception) -> None:
        """The line ended as reading it says."""
        if isinstance(error, Stalled):
            self._fail(f"a frame began and was not complete after {self._target.stall_timeout_s:g} s")
        elif not self.wire.poisoned:  # then _check says it better
            self._fail(f"the connection is lost: {describe(error)}")

    async def _write(self, message: str | bytes) -> None:
        """Send one message, text or binary, behind the answers to all pings that were read before."""
        with self._writing():
            if not self.wire.answered.is_set():
                await self.wire.answered.wait()
            await self._connection.send_message(message)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._check()
        try:
            yield
        except (ConnectionClosed, ProtocolError):
            self._check()
            raise LineFailed(
                Failure("stream", "the connection was lost while writing", close_code=ABNORMAL)
            ) from None


class _TapLine(_SocketLine[TapWire]):
    """The caller's task reads the socket; trio-websocket's reader is given control frames only.

    A ping is answered by trio-websocket's own task as soon as the event loop turns after the read that
    brought it, whatever the caller does then; while nobody receives, nothing is read and so nothing answered.
    """

    def __init__(self, stream: trio.abc.Stream, target: Target) -> None:
        splitter = FrameSplitter(target.max_message_bytes)
        wire = TapWire(stream, splitter, target.stall_timeout_s, offers_compression=target.compression)
        super().__init__(wire, target)

    async def receive(self) -> Batch:
        wire = self.wire
        while True:
            self._check()
            try:
                data = await wire.read()
            except (Stalled, trio.BrokenResourceError, trio.ClosedResourceError) as error:
                self._fail_by(error)
                continue
            if not data:
                self._fail("the peer hung up without a close frame")
                continue
            found = wire.split(data)
            if found.controls:
                wire.hand_over(found)
            if found.end is not None:
                self._fail_as(found.end)
            if found.frames or found.pongs:
                return self.batch(found.frames, found.pongs)

    async def _say_goodbye(self, connection: WebSocketConnection) -> None:
        end = self.wire.splitter.end
        if end is not None and end.by_peer:
            await self.wire.close_sent.wait()  # trio-websocket is answering it
            await self.wire.aclose()
        elif end is not None:
            self.wire.leave(hang_up=True)
            await connection.aclose(end.code, end.reason)
        elif self._failed is None:
            self.wire.leave(hang_up=False)
            await connection.aclose(GOODBYE)


class _PlainLine(_SocketLine[PlainWire]):
    """trio-websocket reads the socket and hands over one message a time.

    Pings are answered while its reader is not held up by a message that nobody takes: that is, while the
    caller receives.
    """

    def __init__(self, stream: trio.abc.Stream, target: Target) -> None:
        splitter = FrameSplitter(target.max_message_bytes)
        super().__init__(PlainWire(stream, splitter, target.stall_timeout_s, self._wake), target)
        self._waiting: trio.CancelScope | None = None

    async def receive(self) -> Batch:
        wire = self.wire
        while True:
            self._check()
            if wire.pongs:
                await trio.lowlevel.checkpoint()
                pongs, wire.pongs = wire.pongs, []
                return self.batch([], pongs)
            if wire.hung_up:
                self._fail_closed(None)
                continue
            with trio.CancelScope() as self._waiting:
                try:
                    message = await self._connection.get_message()
                except ConnectionClosed as closed:
                    if closed.reason is None:  # its reader crashed, and is about to say how
                        await self._reader_ended.wait()
                    self._fail_closed(closed)
                    continue
                pongs, wire.pongs = wire.pongs, []
                return self.batch([message.encode() if isinstance(message, str) else message], pongs)

    async def _say_goodbye(self, connection: WebSocketConnection) -> None:
        end = self.wire.splitter.end
        if connection.closed is None and end is not None and end.too_large:
            await connection.aclose(end.code, end.reason)
        elif connection.closed is None:
            await connection.aclose(GOODBYE)
        elif end is not None and end.by_peer:
            await self.wire.close_sent.wait()
            await self.wire.aclose()

    def _wake(self) -> None:
        """Something came that is not a message: let the receiver look."""
        if self._waiting is not None:
            self._waiting.cancel()

    def _fail_closed(self, closed: ConnectionClosed | None) -> None:
        """trio-websocket says that the line ended; the wire mostly knows why."""
        wire, end = self.wire, self.wire.splitter.end
        if wire.stalled:
            self._fail_by(Stalled())
        elif end is not None and (end.by_peer or end.too_large):
            self._fail_as(end)
        elif wire.lost is not None:
            self._fail_by(wire.lost)
        elif closed is None or closed.reason is None or closed.reason.code == ABNORMAL:
            self._fail("the peer hung up without a close frame")
        else:
            self._fail_as(End(closed.reason.code, closed.reason.reason or ""))


def _protocol_error(error: BaseException | None) -> ProtocolError | None:
    """What wsproto said first; trio-websocket stumbles while it reacts, and so raises something else."""
    while error is not None and not isinstance(error, RemoteProtocolError):
        if error.__context__ is None and isinstance(error, ProtocolError):
            return error
        error = error.__context__
    return error


class _Spawner:
    """What ``wrap_client_stream`` gets for a nursery: its reader's crash must not cancel the user's block."""

    def __init__(
        self, nursery: trio.Nursery, run: Callable[[Callable[[], Awaitable[None]]], Awaitable[None]]
    ) -> None:
        self._nursery = nursery
        self._run = run

    def start_soon(self, reader: Callable[[], Awaitable[None]]) -> None:
        self._nursery.start_soon(self._run, reader, name="trio-websocket reader")


class TapConnector:
    """The default: data past trio-websocket, everything else through it.

    A batch is all frames of one socket read; with TLS, of all records that came with it. Pings read with
    it are answered at the event loop's next turn, however late the caller comes back.

    Args:
        network: where the streams come from; TCP unless given. TCP alone follows what the environment says of proxies.
    """

    _line_type: ClassVar[type[_TapLine | _PlainLine]] = _TapLine

    def __init__(self, network: Network | None = None) -> None:
        self._ways = Ways(network)

    def through(self, route: Route) -> Self:
        """A connector like this one whose connections go that way; see ``Routable``."""
        other = copy(self)
        other._ways = self._ways.through(route)  # noqa: SLF001  # its own
        return other

    def line(self, target: Target) -> AbstractAsyncContextManager[Line]:
        """A line that is open inside the block; see ``Connector.line``."""
        handshake = target.handshake
        address = parse_url(handshake.url, ("wss", "ws"))
        check_headers(handshake.headers)
        check_headers(("Sec-WebSocket-Protocol", each) for each in handshake.subprotocols)
        carries = bool(handshake.headers or handshake.subprotocols)
        way = self._ways.to(address, SOCKETS, target.ssl_context, carries=carries)
        return self._line(target, address, way)

    async def fetch(
        self, request: HttpRequest, *, timeout_s: float, ssl_context: ssl.SSLContext | None
    ) -> Reply:
        """Make one HTTP request; see ``Connector.fetch``."""
        from trioquotes._runtime import rest  # noqa: PLC0415  # loads an HTTP client, which few sessions need

        address = parse_url(request.url, ("https", "http"))
        check_headers(request.headers)
        way = self._ways.to(address, REQUESTS, ssl_context, carries=bool(request.headers or request.body))
        context = self._context(ssl_context) if address.encrypted else None
        return await rest.fetch(way, request, address, timeout_s=timeout_s, ssl_context=context)

    def _context(self, given: ssl.SSLContext | None) -> ssl.SSLContext:
        if given is not None:
            return given
        return shared_context()

    @asynccontextmanager
    async def _line(self, target: Target, address: Address, way: Network) -> AsyncIterator[Line]:
        deadline = trio.current_time() + target.connect_timeout_s
        context = self._context(target.ssl_context) if address.encrypted else None
        stream = await connect(way, address, context, deadline)
        line = self._line_type(stream, target)
        left: BaseException | None = None
        try:
            async with trio.open_nursery() as nursery:
                try:
                    await line.open(nursery, address, deadline)
                    yield line
                except BaseException as error:  # noqa: BLE001, ASYNC103  # raised below, where no group is made of it
                    left = error
                cancelled = isinstance(left, trio.Cancelled) or trio.current_effective_deadline() == -math.inf
                given_up = isinstance(left, LineFailed) and line.sound
                # A cancellation that comes meanwhile cuts the goodbye short, unless it would take an error's place.
                await line.leave(polite=not cancelled and not given_up, shielded=left is not None)
        except BaseExceptionGroup as group:  # a Ctrl-C while the line was left, or a bug
            left = sole(group)
        if line.exhausted is not None:
            left = line.exhausted
        if left is not None:
            try:
                raise left
            finally:
                del left  # or it and this frame hold each other, and the line, until garbage is collected


class PlainConnector(TapConnector):
    """trio-websocket as it is, in the same shell: slower by far, for comparison and as a fallback.

    It takes no compression: wsproto inflates all of a read at once, and so 64 MiB of one of 64 KiB.
    """

    _line_type = _PlainLine

    def line(self, target: Target) -> AbstractAsyncContextManager[Line]:
        """A line that is open inside the block; see ``Connector.line``."""
        if target.compression:
            raise UsageError(
                "compression needs the default connector: this one cannot bound what it inflates"
            )
        return super().line(target)
