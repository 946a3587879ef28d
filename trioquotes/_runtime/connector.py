"""What the runtime asks of a transport: types only, no WebSocket library.

A :class:`Connector` makes lines and fetches; a :class:`Line` is one open WebSocket; a :class:`Network`
gives the byte streams under both, so that a memory network can stand in for sockets.
"""

from __future__ import annotations

import ssl
from contextlib import AbstractAsyncContextManager
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import attrs
import trio

from trioquotes._protocol.effects import Failure, Handshake, HttpRequest, Reply
from trioquotes._protocol.proxying import Proxy

__all__ = [
    "Batch",
    "Connector",
    "Line",
    "LineFailed",
    "Network",
    "ProxyFailed",
    "Routable",
    "Route",
    "Target",
]


class Batch(NamedTuple):
    """What one socket read brought.

    Attributes:
        frames: payloads of whole data messages, oldest first; those of text messages are valid UTF-8.
        pongs: how many pongs arrived.
        round_trip_s: from the ping of ours that one of them answers to that pong; the newest, if there are several.
    """

    frames: list[bytes]
    pongs: int
    round_trip_s: float | None = None


class LineFailed(Exception):
    """A line, an attempt at one, or a fetch ended for a reason that lies in the network or the peer.

    Attributes:
        failure: what happened, for the venue to classify.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.stage}: {failure.reason}")
        self.failure = failure


class ProxyFailed(LineFailed):
    """It failed on this side of the venue, which knows nothing of it and is not asked what it means.

    Attributes:
        lasting: whether trying again cannot help until somebody changes something.
    """

    def __init__(self, failure: Failure, *, lasting: bool = False) -> None:
        super().__init__(failure)
        self.lasting = lasting


@attrs.frozen
class Route:
    """How connections leave this machine; what is ``None`` is left as the connector has it.

    Attributes:
        proxy: the proxy for every connection, or ``False`` for none.
        local_address: the IP address to connect from.
        happy_eyeballs_delay_s: how long one of a name's addresses is tried alone before the next is tried as well.
    """

    proxy: Proxy | Literal[False] | None = None
    local_address: str | None = None
    happy_eyeballs_delay_s: float | None = None


@attrs.frozen
class Target:
    """Where a line goes and what bounds it.

    Attributes:
        handshake: the upgrade request; its URL is ``ws://`` or ``wss://``.
        ssl_context: for ``wss://``; ``None`` trusts the system's and certifi's authorities.
        connect_timeout_s: for name lookup, TCP, TLS and the answer to the upgrade together.
        close_timeout_s: for the close handshake when the line is left politely.
        max_message_bytes: the largest message accepted, counted in bytes, all fragments together.
        stall_timeout_s: how long one frame that began may take to arrive whole, while it is waited for.
        compression: whether permessage-deflate is offered; a peer that does not take it up sends as without.
    """

    handshake: Handshake
    ssl_context: ssl.SSLContext | None = None
    connect_timeout_s: float = 10.0
    close_timeout_s: float = 2.0
    max_message_bytes: int = 32 * 1024 * 1024
    stall_timeout_s: float = 30.0
    compression: bool = False


class Line(Protocol):
    """One open WebSocket.

    One task receives, others send and ping; calls of the same kind from several tasks are not for
    receiving. Whatever was received before the line ended is handed over before ``LineFailed`` is raised.
    """

    async def receive(self) -> Batch:
        """Wait for at least one message or pong; a batch may hold pongs only.

        A cancelled call loses nothing: the next one goes on where it was.

        Raises:
            LineFailed: the line ended; every further call says so again.
        """

    async def send(self, frame: bytes) -> None:
        """Send one text message.

        Cancelled before the first byte was written, nothing was sent and the line lives on. Cancelled in
        mid-frame, the line is closed at once and every later call raises ``LineFailed``.

        Raises:
            LineFailed: the line ended.
        """

    async def ping(self) -> None:
        """Send a ping and return; its pong is counted in a later :class:`Batch`. Cancelling is as in :meth:`send`.

        Raises:
            LineFailed: the line ended.
        """


class Network(Protocol):
    """Where byte streams come from."""

    async def open(self, host: str, port: int) -> trio.abc.Stream:
        """A plain stream to that host and port.

        Raises:
            OSError: nobody is there.
        """


class Connector(Protocol):
    """Makes lines and fetches."""

    def line(self, target: Target) -> AbstractAsyncContextManager[Line]:
        """A line that is open inside the block.

        Leaving the block, with or without an ordinary exception, says goodbye (1000) within
        ``close_timeout_s``, unless a cancellation is pending; one that comes meanwhile cuts it short, but for a body that
        raised. Left by ``Cancelled``, or by a ``LineFailed`` of the caller's own (a line that it found dead), the socket is closed at once. The body's exception leaves bare, never in a group of ours.

        Raises:
            UsageError: at the call, before any I/O: the target cannot be meant.
            LineFailed: on entering: no line came to be.
        """

    async def fetch(
        self, request: HttpRequest, *, timeout_s: float, ssl_context: ssl.SSLContext | None
    ) -> Reply:
        """Make one HTTP request; no redirect is followed, and any status is an answer.

        Raises:
            UsageError: before any I/O: the request cannot be meant.
            LineFailed: no whole answer came within the time and the size allowed.
        """


@runtime_checkable
class Routable(Protocol):
    """What a connector can do beside that lets its user choose the way."""

    def through(self, route: Route) -> Connector:
        """A connector like this one whose connections go that way.

        Raises:
            UsageError: its network has no such ways.
        """
