"""``Session``: the recipe a user writes, and the block that runs it."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Literal

import trio

from trioquotes._protocol.audit import AuditPlan
from trioquotes._protocol.budget import Budgets
from trioquotes._protocol.contract import Venue
from trioquotes._protocol.effects import Endpoint, Options
from trioquotes._runtime.attendant import attending
from trioquotes._runtime.channel import MailboxReader
from trioquotes._runtime.clock import Clock
from trioquotes._runtime.connector import Connector, Route
from trioquotes._runtime.endings import sole
from trioquotes._runtime.endpoints import resolve_endpoint
from trioquotes._runtime.engine import Engine
from trioquotes._runtime.mailbox import Mailbox
from trioquotes._runtime.secrets import SecretsKeeper
from trioquotes._runtime.stream import DEFAULT_BUFFER, DEFAULT_BUFFER_BYTES, Stream, check_buffer
from trioquotes._runtime.subscription import Overflow
from trioquotes._runtime.supervisor import Settings
from trioquotes.credentials import Credentials, CredentialsProvider
from trioquotes.errors import (
    ConnectFailed,
    InternalError,
    TrioquotesError,
    UnknownVenue,
    UsageError,
)
from trioquotes.events import Event
from trioquotes.topics import Topic

__all__ = ["Feed", "Session", "find_venue", "open_feed"]


def find_venue(venue: str | Venue) -> Venue:
    """The venue of that name; one that is a ``Venue`` already is returned as it is.

    Raises:
        UnknownVenue: there is none; the message lists the names.
    """
    if isinstance(venue, Venue):
        return venue
    from trioquotes.venues import VENUES  # noqa: PLC0415  # a user's own venue needs none of ours

    if venue not in VENUES:
        raise UnknownVenue(f"no venue is called {venue!r}: there are {', '.join(sorted(VENUES))}")
    return VENUES[venue]


class Session:
    """A session with one venue: a recipe until it is entered, with no I/O before.

    ::

        async with Session("coinbase", Trades("BTC-USD")) as stream:
            async for event in stream: ...

    Entering waits until every topic given is confirmed. Leaving the block ends everything, politely and
    in bounded time; at most one exception leaves it, and the user's own leaves bare.

    Args:
        venue: a name, or a ``Venue`` from outside the package.
        topics: what to merge into the stream; none is fine, see ``Stream.subscribe``.
        credentials: for private topics, or an async function that is asked for them before every connect, and once
            more where the venue refuses what it gave; a second refusal in a row is final.
        endpoint: one of the venue's names, a ``ws://`` or ``wss://`` URL that replaces scheme, host and port of all
            of the venue's sockets and its REST, or an ``Endpoint``.
        ssl_context: for every TLS handshake: ``wss``, ``https``, and with a proxy of ``https://``. The default verifies
            against the system's and certifi's authorities.
        proxy: URL of a proxy for every connection, REST too: ``http://`` or ``https://`` (which is TLS to the proxy) for
            HTTP ``CONNECT``, ``socks5://`` to look names up here or ``socks5h://`` to let the proxy do it; with
            ``user:password@`` where it wants them. ``False`` is for none. ``None`` follows the variables
            ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` as curl does, but never to reach this machine itself, and
            not on a ``connector`` with a network of its own.
        local_address: the IPv4 or IPv6 address of this machine to connect from, to a proxy as well; ``0.0.0.0`` and
            ``::`` only choose the family. ``None`` leaves it to the system.
        happy_eyeballs_delay_s: how long one of a name's addresses is tried alone before one of the other family is
            tried beside it; ``None`` is 0.25 s.
        budgets: share one among sessions of one address or account, so that together they keep the venue's limits.
        connector: how connections are made; the default is TCP and TLS. ``record`` gives one that records the session,
            ``replay`` one that plays a recording.
        raw: keep on each event the frame it came from.
        buffer: events that may wait for each topic of the merged stream.
        buffer_bytes: what they may weigh, estimated.
        overflow: what happens when they are more; see ``Stream.subscribe``.
        connect_timeout_s: for one attempt to connect, and for all topics to be confirmed on entering.
        close_timeout_s: for the goodbye of each line on leaving.
        stall_timeout_s: for one frame from its first byte to its last.
        max_message_bytes: the largest message taken; ``None`` takes the venue's default.
        compression: whether permessage-deflate is offered; a venue that does not take it up sends as without. It
            saves bytes on the way, not time; see the page on compression.
        channels_per_line: how many of the venue's channels one connection carries before a further one is opened;
            ``None`` takes the venue's own limit, where it has one. Fewer spread a heavy load over more lines, at the
            price of more connects.
        audit: how often kept books are compared with a fresh snapshot, where the venue offers one; a book that
            differs says so with ``Audited`` and ``Gap`` and is asked for anew. ``None``: never.
        options: the venue's own options by name.
        clock: where stamps and jitter come from; for tests and replays.

    Raises:
        UnknownVenue, UnknownEndpoint, UnsupportedTopic, InvalidInstrument, MissingCredentials, UsageError:
            what can be known before any I/O, here and not later.
    """

    def __init__(
        self,
        venue: str | Venue,
        *topics: Topic[Event],
        credentials: Credentials | CredentialsProvider | None = None,
        endpoint: str | Endpoint | None = None,
        ssl_context: ssl.SSLContext | None = None,
        proxy: str | Literal[False] | None = None,
        local_address: str | None = None,
        happy_eyeballs_delay_s: float | None = None,
        budgets: Budgets | None = None,
        connector: Connector | None = None,
        raw: bool = False,
        buffer: int = DEFAULT_BUFFER,
        buffer_bytes: int = DEFAULT_BUFFER_BYTES,
        overflow: Overflow = "drop_oldest",
        connect_timeout_s: float = 10.0,
        close_timeout_s: float = 2.0,
        stall_timeout_s: float = 30.0,
        max_message_bytes: int | None = None,
        compression: bool = False,
        channels_per_line: int | None = None,
        audit: AuditPlan | None = None,
        options: Mapping[str, str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._venue = find_venue(venue)
        for name, value_s in (
            ("connect_timeout_s", connect_timeout_s),
            ("close_timeout_s", close_timeout_s),
            ("stall_timeout_s", stall_timeout_s),
        ):
            if not value_s > 0:
                raise UsageError(f"{name} must be positive")
        check_buffer(buffer, buffer_bytes)
        if channels_per_line is not None and channels_per_line < 1:
            raise UsageError("channels_per_line must be at least 1")
        self._buffer = buffer
        self._buffer_bytes = buffer_bytes
        self._overflow: Overflow = overflow
        self._credentials = credentials
        self._options = Options(
            endpoint=resolve_endpoint(self._venue, endpoint),
            has_credentials=credentials is not None,
            extra=dict(options or {}),
        )
        self._settings = Settings(
            connect_timeout_s=connect_timeout_s,
            close_timeout_s=close_timeout_s,
            stall_timeout_s=stall_timeout_s,
            max_message_bytes=max_message_bytes or self._venue.limits.max_message_bytes,
            compression=compression,
            ssl_context=ssl_context,
        )
        from trioquotes._runtime.proxies import Ways, make_route  # noqa: PLC0415  # loaded when first used

        self._route = make_route(proxy, local_address, happy_eyeballs_delay_s)
        known = connector is None or self._route.proxy is not None  # else the connector has its own way
        ways = Ways().through(self._route if known else Route(proxy=False))
        ways.check(self._options.endpoint, has_credentials=credentials is not None)
        self._budgets = budgets
        self._connector = connector
        self._clock = attending(connector).clock(clock if clock is not None else Clock())
        self._raw = raw
        self._channels_per_line = channels_per_line
        self._audit = audit
        self._running: AbstractAsyncContextManager[Stream] | None = None
        checker = self._engine()
        self._topics = tuple(dict.fromkeys(checker.canonical(topic) for topic in topics))
        for topic in self._topics:
            checker.check(topic, overflow)

    def __repr__(self) -> str:
        return f"<Session {self._venue.name}: {', '.join(map(str, self._topics)) or 'no topics yet'}>"

    async def __aenter__(self) -> Stream:
        """Connect and wait until every topic is confirmed.

        Raises:
            ConnectFailed: not within ``connect_timeout_s``, or refused in a way that waiting does not mend.
            AuthenticationFailed: the venue refused the credentials.
            SubscriptionRejected: the venue refused a topic.
            UsageError: the session is entered already.
        """
        if self._running is not None:
            raise UsageError("this session is entered already; make a second one")
        self._running = self.run()
        try:
            return await self._running.__aenter__()
        except BaseException:
            self._running = None
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        running, self._running = self._running, None
        if running is None:
            raise UsageError("this session is not entered")
        return await running.__aexit__(kind, error, traceback)  # noqa: ASYNC102  # the block itself shields and bounds

    def _engine(self) -> Engine:
        connector = self._connector
        if connector is None:
            from trioquotes._runtime.transport import TapConnector  # noqa: PLC0415  # loaded when first used

            connector = TapConnector()
        if self._route != Route():
            from trioquotes._runtime.proxies import routed  # noqa: PLC0415  # as above

            connector = routed(connector, self._route)
        return Engine(
            self._venue,
            self._options,
            self._settings,
            secrets=SecretsKeeper(self._credentials, timeout_s=self._settings.connect_timeout_s),
            budgets=self._budgets if self._budgets is not None else Budgets(),
            connector=connector,
            clock=self._clock,
            raw=self._raw,
            channels_per_line=self._channels_per_line,
            audit=self._audit,
        )

    @asynccontextmanager
    async def run(self, mailbox: Mailbox | None = None) -> AsyncIterator[Stream]:
        """The block itself; ``mailbox`` is given where several sessions share one."""
        engine = self._engine()
        if mailbox is None:
            mailbox = Mailbox(self._venue.name, self._clock.wall_ns)
        body_error: BaseException | None = None
        try:
            async with trio.open_nursery() as nursery:
                try:
                    with engine.body_scope:
                        await self._opened(engine, mailbox, nursery)
                        engine.attendant.entered(engine)
                        yield Stream(engine, mailbox)
                except BaseException as error:  # noqa: BLE001, ASYNC103  # raised again below, once the lines are closed
                    body_error = error
                if body_error is not None and _holds_cancelled(body_error):
                    nursery.cancel_scope.cancel()
                else:
                    engine.close()
                    # Each line bounds its own goodbye; this is for one that does not keep to it.
                    nursery.cancel_scope.deadline = trio.current_time() + self._settings.close_timeout_s + 1.0
        except BaseException as error:  # noqa: BLE001, ASYNC103  # raised below; the body's own exception goes before it
            if body_error is None:
                body_error = sole(error)
        finally:
            with trio.CancelScope(shield=True):
                await engine.attendant.finish(engine)
            engine.close_channels()
        _raise(body_error, engine.failure)

    async def _opened(self, engine: Engine, mailbox: Mailbox, nursery: trio.Nursery) -> None:
        """Connect, and wait until the venue answered for every topic."""
        subscriptions = [
            engine.subscribe(
                mailbox,
                topic,
                overflow=self._overflow,
                buffer=self._buffer,
                buffer_bytes=self._buffer_bytes,
            )
            for topic in self._topics
        ]
        engine.start(nursery)
        timeout_s = self._settings.connect_timeout_s
        with trio.move_on_after(timeout_s) as scope:
            for subscription in subscriptions:
                await subscription.settled.wait()
                if subscription.error is not None:
                    raise subscription.error
        if scope.cancelled_caught:
            late = ", ".join(str(s.topic) for s in subscriptions if not s.settled.is_set())
            why = engine.last_failure() or "the venue did not answer"
            raise ConnectFailed(f"{self._venue.name}: {late} not confirmed within {timeout_s:g} s: {why}")


@asynccontextmanager
async def open_feed(*sessions: Session) -> AsyncIterator[Feed]:
    """Enter several sessions and merge their topics into one stream, in order of arrival.

    The first session that dies ends the block, with its error.

    Raises:
        UsageError: no session was given.
        SessionError, SubscriptionRejected: as each session on entering.
    """
    if not sessions:
        raise UsageError("open_feed needs at least one session")
    async with AsyncExitStack() as stack:
        mailbox = Mailbox("", sessions[0]._clock.wall_ns)  # noqa: SLF001  # no part of what users see
        streams = [await stack.enter_async_context(session.run(mailbox)) for session in sessions]
        yield Feed(mailbox, tuple(streams))


class Feed(MailboxReader[Event]):
    """Several sessions' merged topics.

    Attributes:
        streams: the sessions' own streams, in the order given; for ``subscribe`` and ``statistics``.
    """

    def __init__(self, mailbox: Mailbox, streams: tuple[Stream, ...]) -> None:
        super().__init__(mailbox)
        self.streams = streams

    def __aiter__(self) -> Feed:
        return self


def _holds_cancelled(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(trio.Cancelled) is not None
    return isinstance(error, trio.Cancelled)


def _raise(body_error: BaseException | None, failure: BaseException | None) -> None:
    """The one exception that leaves the block, if any."""
    if failure is not None and not isinstance(failure, Exception):
        if failure.__context__ is None:
            failure.__context__ = body_error
        raise failure  # an interrupt is never lost, whatever else happened
    if body_error is not None:
        if failure is not None and not _holds_cancelled(body_error):
            body_error.add_note(f"the session had ended with {type(failure).__name__}: {failure}")
        raise body_error
    if failure is None:
        return
    if isinstance(failure, TrioquotesError | MemoryError):
        raise failure
    raise InternalError("a bug in trioquotes ended the session: please report it") from failure
