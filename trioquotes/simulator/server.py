"""The server under every simulated venue: one port for WebSocket and plain HTTP, TCP with or without TLS, or memory.

A venue is a subclass of :class:`Simulator` that says in synchronous methods what it answers; everything that
waits is here. Served over memory streams under a virtual clock it uses no socket and no real time.
"""

from __future__ import annotations

import ssl
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import ClassVar, Generic, TypeVar

import trio
import trio_websocket
from wsproto.connection import ConnectionState
from wsproto.events import AcceptConnection
from wsproto.extensions import PerMessageDeflate
from wsproto.utilities import LocalProtocolError

from trioquotes.simulator.bookkeeping import BookWitness
from trioquotes.simulator.connection import CLOSE_TIMEOUT_S, Buffer, Connection
from trioquotes.simulator.faults import (
    FailRest,
    Fault,
    GarbageHandshake,
    LineFaults,
    Maintenance,
    RefuseHandshake,
    handshake_fault,
    repeating,
)
from trioquotes.simulator.http_side import BadRequest, HttpRequest, HttpResponse, Inbox, json_response
from trioquotes.simulator.line import Line
from trioquotes.simulator.records import Breach, ConnectSeen, Records, RequestSeen, RestSeen

__all__ = ["Simulator"]

S = TypeVar("S")

HEAD_TIMEOUT_S = 30.0
"""How long a client may take to send its request, or to ask again on a kept connection."""

UPGRADE_TIMEOUT_S = 1.0
"""How long the library may take to read a handshake that is already here."""

TLS_TIMEOUT_S = 10.0
"""How long the TLS handshake may take."""


class Simulator(ABC, Generic[S]):
    """A venue's servers in one.

    Args:
        faults: what goes wrong; see ``trioquotes.simulator.faults``.
        wall_ns: the wall clock, Unix nanoseconds.
        buffer: how much may wait for a slow client.
        frames_kept: how many sent frames the records keep; 0 keeps none.
        max_message_bytes: what a client may send in one message.
        compression: whether permessage-deflate is accepted where a client offers it.
        books_kept: for how many messages of each book :attr:`witness` keeps what the book was; 0 for none.

    Attributes:
        records: what clients did and got.
        witness: what the market's books were at the messages that told of them.
        connections: those that are open, by ordinal.
    """

    venue: ClassVar[str]
    """Name of the venue."""
    binary: ClassVar[bool] = False
    """Whether the venue sends binary frames."""

    def __init__(
        self, *, faults: Iterable[Fault] = (), wall_ns: Callable[[], int] = time.time_ns,
        buffer: Buffer | None = None, frames_kept: int = 10_000, max_message_bytes: int = 65_536,
        compression: bool = True, books_kept: int = 0,
    ) -> None:  # fmt: skip
        self.records = Records(frames_kept)
        self.witness = BookWitness(books_kept)
        self.connections: dict[int, Connection[S]] = {}
        self._faults = tuple(faults)
        self._wall_ns = wall_ns
        self._buffer = buffer or Buffer()
        self._max_message_bytes = max_message_bytes
        self._compression = compression
        self._attempts = 0
        self._rest_requests = 0
        self._anchor: tuple[float, int] | None = None
        self._pump_turn = trio.Lock()
        self._sooner = trio.Event()

    # What a venue says ------------------------------------------------------------------------------

    @abstractmethod
    def new_state(self, request: HttpRequest) -> S:
        """What to keep of a new connection."""

    @abstractmethod
    def received(self, connection: Connection[S], message: str | bytes) -> None:
        """A client sent a message."""

    def admit(self, request: HttpRequest, peer: str) -> HttpResponse | None:  # noqa: ARG002  # for venues that look
        """Refuse a handshake with an answer, or let it pass with ``None``."""
        return None

    def welcome(self, request: HttpRequest, peer: str) -> tuple[tuple[str, str], ...]:  # noqa: ARG002
        """Headers of the venue's own on the answer to a handshake that was let pass."""
        return ()

    def subprotocol(self, request: HttpRequest) -> str | None:  # noqa: ARG002  # most venues know none
        """Which of the WebSocket subprotocols that a handshake offers is taken up, if any."""
        return None

    def opened(self, connection: Connection[S]) -> None:  # a venue may have nothing to say
        """A handshake is done."""

    def closed(self, connection: Connection[S]) -> None:
        """A connection is gone."""

    def rest(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002
        """Answer a plain HTTP request."""
        return json_response({"message": "NotFound"}, 404)

    def overflowed(self, connection: Connection[S]) -> None:
        """A client reads too slowly: say what the venue says, if anything, and end the line."""
        connection.cut()

    def woke(self, now_ns: int) -> None:
        """The first connection after none opens."""

    def next_turn_ns(self) -> int | None:
        """When :meth:`turn` is to be called next, Unix nanoseconds; ``None`` for never."""
        return None

    def turn(self, now_ns: int) -> None:
        """Let happen what is due, and send it to whom it concerns."""

    async def attend(self, connection: Connection[S]) -> None:  # noqa: ARG002  # playback serves each its own
        """What is to be done while a connection lives: the connections take turns at the market's wheel."""
        async with self._pump_turn:
            while (due_ns := self.next_turn_ns()) is not None:
                self._sooner = trio.Event()
                with trio.move_on_at(self._when(due_ns)):
                    await self._sooner.wait()
                    continue
                self.turn(max(self.now_ns(), due_ns))

    def hurry(self) -> None:
        """Something may be due sooner than the wheel knows: look again."""
        self._sooner.set()

    def mend(self) -> None:
        """From now on nothing goes wrong any more; a line that is mute or slow stays so until it ends."""
        self._faults = ()
        for connection in self.connections.values():
            connection.faults.mend()

    # Time -------------------------------------------------------------------------------------------

    def now_ns(self) -> int:
        """The time the simulation lives by: the wall clock when it began, carried on by the monotonic one."""
        started_s, wall_ns = self._anchored()
        return wall_ns + int((trio.current_time() - started_s) * 1e9)

    def wall_ns(self) -> int:
        """The wall clock, which may jump; signatures are checked against it."""
        return self._wall_ns()

    def _anchored(self) -> tuple[float, int]:
        if self._anchor is None:
            self._anchor = (trio.current_time(), self._wall_ns())
        return self._anchor

    def _when(self, at_ns: int) -> float:
        started_s, wall_ns = self._anchored()
        return started_s + (at_ns - wall_ns) / 1e9

    # Serving ----------------------------------------------------------------------------------------

    @asynccontextmanager
    async def open_server(
        self, host: str = "127.0.0.1", port: int = 0, ssl_context: ssl.SSLContext | None = None
    ) -> AsyncIterator[str]:
        """Serve TCP while the block runs; gives the URL, such as ``ws://127.0.0.1:40123``.

        Args:
            host: the address to bind.
            port: 0 takes a free one.
            ssl_context: a server-side context makes it ``wss``.

        Raises:
            OSError: where the address cannot be bound.
        """
        listeners = await trio.open_tcp_listeners(port, host=host)
        bound = listeners[0].socket.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        body_error: Exception | None = None
        handler = partial(self._serve_socket, ssl_context)
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(trio.serve_listeners, handler, listeners)
                try:
                    yield f"{'wss' if ssl_context else 'ws'}://{shown}:{bound}"
                except Exception as error:
                    body_error = error
                    raise
                finally:
                    nursery.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            if body_error is not None and group.exceptions == (body_error,):
                raise body_error from body_error.__cause__
            raise

    async def _serve_socket(self, ssl_context: ssl.SSLContext | None, tcp: trio.SocketStream) -> None:
        try:
            peer = str(tcp.socket.getpeername()[0])
        except OSError:
            peer = "gone"
        stream: trio.abc.Stream = tcp
        if ssl_context is not None:
            secure = trio.SSLStream(tcp, ssl_context, server_side=True, https_compatible=True)
            stream = secure
            done = False
            with trio.move_on_after(TLS_TIMEOUT_S):
                try:
                    await secure.do_handshake()
                    done = True
                except trio.BrokenResourceError:
                    pass  # the client does not trust us, or hung up: nothing to serve
            if not done:
                await trio.aclose_forcefully(stream)
                return
        await self.serve_stream(stream, peer=peer)

    async def serve_stream(self, stream: trio.abc.Stream, *, peer: str = "memory") -> None:
        """Serve one byte stream until either side ends it; what the client does wrong never raises here.

        Args:
            stream: the server's end; it is closed at the end.
            peer: the client's address, by which limits are counted.
        """
        try:
            polite = await self._serve_requests(stream, peer)
            if polite:
                with trio.move_on_after(CLOSE_TIMEOUT_S):
                    await stream.aclose()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the client is gone
        finally:
            await trio.aclose_forcefully(stream)

    async def _serve_requests(self, stream: trio.abc.Stream, peer: str) -> bool:
        """Answer HTTP requests until one upgrades; true where the stream is to be closed politely."""
        inbox = Inbox(stream)
        while True:
            request: HttpRequest | None = None
            with trio.move_on_after(HEAD_TIMEOUT_S):
                try:
                    request = await inbox.next_request()
                except BadRequest as error:
                    answer = HttpResponse(error.status, str(error).encode())
                    await stream.send_all(answer.encode(close=True))
                    return True
            if request is None:
                return False
            if request.wants_websocket:
                line = Line(stream, request.raw_head + inbox.leftover)
                await self._serve_websocket(line, request, peer)
                return False
            await self._answer_rest(stream, request, peer)
            if not request.keeps_alive:
                return True

    async def _answer_rest(self, stream: trio.abc.Stream, request: HttpRequest, peer: str) -> None:
        self._rest_requests += 1
        ordinal, stale_s = self._rest_requests, 0.0
        answer: HttpResponse | None = None
        for fault in self._faults:
            if isinstance(fault, FailRest) and fault.nth in {None, ordinal}:
                self.records.faults["FailRest"] += 1
                await trio.sleep(fault.delay_s)
                stale_s += fault.stale_s
                if fault.status is not None:
                    answer = _failure(fault, fault.status, request)
        closed = self._maintenance()
        if closed is not None:
            self.records.faults["Maintenance"] += 1
            answer = json_response({"message": "simulated maintenance"}, closed.status)
        answer = answer or self.rest(request)
        await trio.sleep(stale_s)
        seen = RestSeen(trio.current_time(), peer, request.method, request.target, answer.status)
        self.records.rest.append(seen)
        await stream.send_all(answer.encode(close=not request.keeps_alive))

    # WebSocket --------------------------------------------------------------------------------------

    async def _serve_websocket(self, line: Line, request: HttpRequest, peer: str) -> None:
        self._attempts += 1
        ordinal = self._attempts
        fault = handshake_fault(self._faults, ordinal)
        closed = self._maintenance()
        if closed is not None:
            fault = RefuseHandshake(status=closed.status)
        if fault is not None:
            name = type(closed or fault).__name__
            self.records.faults[name] += 1
            self._saw(ordinal, peer, request, name)
            if isinstance(fault, RefuseHandshake):
                body = repeating(fault.body, request.headers)
                answer = HttpResponse(fault.status, body.encode(), _repeating(fault.headers, request))
                await line.send_all(answer.encode(close=True))
            elif isinstance(fault, GarbageHandshake):
                await line.send_all(fault.text.encode())
            else:
                await trio.sleep_forever()
            return
        refusal = self.admit(request, peer) or _malformed_upgrade(request)
        if refusal is not None:
            self._saw(ordinal, peer, request, f"refused {refusal.status}")
            await line.send_all(refusal.encode(close=True))
            return
        self._saw(ordinal, peer, request, "open")
        connection = Connection(
            ordinal=ordinal, peer=peer, request=request, state=self.new_state(request),
            faults=LineFaults(self._faults, ordinal, self.records.faults), records=self.records, buffer=self._buffer, line=line,
            binary=self.binary, overflowed=self.overflowed,
        )  # fmt: skip
        try:
            await self._run(line, connection)
        except* (LocalProtocolError, trio_websocket.ConnectionClosed):
            pass  # the client spoke after it said goodbye
        finally:
            if self.connections.pop(ordinal, None) is not None:
                self.closed(connection)

    async def _run(self, line: Line, connection: Connection[S]) -> None:
        async with trio.open_nursery() as nursery:
            proposal: trio_websocket.WebSocketRequest | None = None
            with trio.move_on_after(UPGRADE_TIMEOUT_S):
                proposal = await trio_websocket.wrap_server_stream(
                    nursery, line, max_message_size=self._max_message_bytes
                )
            if proposal is None:  # the library refused the handshake's details and never says so
                nursery.cancel_scope.cancel()
                return
            headers = self.welcome(connection.request, connection.peer)
            websocket = await self._accept(proposal, headers, self.subprotocol(connection.request))
            if not self.connections:
                self.woke(self.now_ns())
            self.connections[connection.ordinal] = connection
            connection.start(nursery, websocket)
            self.opened(connection)
            for fault in self._faults:
                if isinstance(fault, Maintenance):
                    self._close_for(fault, connection)
            nursery.start_soon(self.attend, connection, name=f"attend {connection.ordinal}")
            try:
                await self._read(connection, websocket)
            finally:
                connection.finish()  # other connections' tasks may still speak to it while it unwinds
            nursery.cancel_scope.cancel()

    async def _accept(
        self,
        proposal: trio_websocket.WebSocketRequest,
        headers: tuple[tuple[str, str], ...],
        chosen: str | None,
    ) -> trio_websocket.WebSocketConnection:
        """Accept as ``proposal.accept()`` does, and with permessage-deflate, which that cannot say."""
        websocket = proposal._connection  # noqa: SLF001  # trio-websocket has no public way to accept an extension
        extensions = [PerMessageDeflate()] if self._compression else []
        websocket._path = proposal.path  # noqa: SLF001
        extra = [(name.lower().encode(), value.encode()) for name, value in headers]
        accept = AcceptConnection(subprotocol=chosen, extensions=list(extensions), extra_headers=extra)
        await websocket._send(accept)  # noqa: SLF001
        websocket._open_handshake.set()  # noqa: SLF001
        return websocket

    async def _read(self, connection: Connection[S], websocket: trio_websocket.WebSocketConnection) -> None:
        while True:
            try:
                message = await websocket.get_message()
            except trio_websocket.ConnectionClosed as closed:
                # A client says 1009 of what we sent. Who said it first shows in the state alone: the library gives up
                # reading once it said so itself, so that no answer takes it further.
                ours = websocket._wsproto.state is ConnectionState.LOCAL_CLOSING  # noqa: SLF001
                if ours and closed.reason is not None and closed.reason.code == 1009:  # RFC 6455, 7.4.1
                    limit = f"more than {self._max_message_bytes} bytes"
                    connection.breach("message size", limit)
                return
            seen = RequestSeen(trio.current_time(), connection.ordinal, message)
            self.records.requests.append(seen)
            if not connection.ending:
                self.received(connection, message)

    def _elapsed_s(self) -> float:
        return trio.current_time() - self._anchored()[0]

    def _maintenance(self) -> Maintenance | None:
        """What keeps the venue closed now, if anything does."""
        for fault in self._faults:
            if isinstance(fault, Maintenance) and 0 <= self._elapsed_s() - fault.after_s < fault.for_s:
                return fault
        return None

    def _close_for(self, fault: Maintenance, connection: Connection[S]) -> None:
        """Let a maintenance that is still to come end this line."""

        def close() -> None:
            if fault not in self._faults:
                return  # the script was ended meanwhile
            self.records.faults["Maintenance"] += 1
            connection.close(fault.code, "maintenance")

        left_s = fault.after_s - self._elapsed_s()
        if left_s > 0:
            connection.later(left_s, close)

    def _saw(self, ordinal: int, peer: str, request: HttpRequest, outcome: str) -> None:
        seen = ConnectSeen(trio.current_time(), ordinal, peer, request.target, outcome)
        self.records.connects.append(seen)

    def breach(self, peer: str, limit: str, detail: str) -> None:
        """Record that a client passed a limit before it had a connection."""
        self.records.breaches.append(Breach(trio.current_time(), 0, peer, limit, detail))


def _failure(fault: FailRest, status: int, request: HttpRequest) -> HttpResponse:
    headers = _repeating(fault.headers, request)
    if fault.body is None:
        return json_response({"message": "simulated failure"}, status, headers)
    return HttpResponse(status, repeating(fault.body, request.headers, request.body).encode(), headers)


def _repeating(headers: tuple[tuple[str, str], ...], request: HttpRequest) -> tuple[tuple[str, str], ...]:
    return tuple((name, repeating(value, request.headers, request.body)) for name, value in headers)


def _malformed_upgrade(request: HttpRequest) -> HttpResponse | None:
    """What an upgrade that is none is answered with; a proper one gets ``None``."""
    headers = request.headers
    if request.method != "GET" or "upgrade" not in headers.get("connection", "").lower():
        return HttpResponse(400, b"not a WebSocket handshake")
    if headers.get("sec-websocket-version") != "13" or not headers.get("sec-websocket-key"):
        return HttpResponse(400, b"not a WebSocket handshake", (("Sec-WebSocket-Version", "13"),))
    return None
