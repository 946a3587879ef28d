"""The vocabulary between a venue and the runtime: plain values, no behaviour.

What a venue is given: :class:`Stamp`, :class:`Reply`, :class:`Failure`. What it answers with:
:class:`Handshake`, :class:`Send`, :class:`Fetch`, :class:`Replace`, :class:`Retry`, :class:`Fatal`.
How it describes itself: :class:`Budget`, :class:`Endpoint`, :class:`Limits`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, TypeAlias

import attrs

from trioquotes.books import Verify
from trioquotes.errors import SessionError
from trioquotes.events import BookSnapshot, Event, OrderBookSnapshot, WireMessage

__all__ = [
    "Audit",
    "Budget",
    "ChargeKind",
    "Effect",
    "Endpoint",
    "Failure",
    "Fatal",
    "Fetch",
    "Handshake",
    "HttpRequest",
    "Lane",
    "Limits",
    "Options",
    "Receipt",
    "RejectionKind",
    "Replace",
    "Reply",
    "Retry",
    "Send",
    "Serving",
    "Skip",
    "Stage",
    "Stamp",
    "Unify",
    "Verdict",
    "Verify",
    "WireChannel",
]

ChargeKind: TypeAlias = Literal["connect", "send", "ping", "rest"]
RejectionKind: TypeAlias = Literal["refused", "authentication", "limit", "timeout"]
Stage: TypeAlias = Literal["connect", "tls", "handshake", "stream"]


class Stamp(NamedTuple):
    """The only source of time and randomness for the sans-I/O core.

    Attributes:
        wall_ns: Unix nanoseconds; for signatures and ``received_ns``, never for intervals.
        monotonic_s: seconds on the monotonic clock; for intervals only.
        nonce: 16 random bytes for tickets, UUIDs and token nonces; empty in ``receive``, where
            nothing is asked for and drawing them for every socket read would cost for nothing.
    """

    wall_ns: int
    monotonic_s: float
    nonce: bytes = b""


class WireChannel(NamedTuple):
    """One subscription as the venue counts it: what the ledger keeps.

    Attributes:
        name: the venue's name of the channel.
        instrument: the instrument, or empty for a channel without.
        detail: the venue's further parameters (a depth, an interval, an account) as one text.
    """

    name: str
    instrument: str = ""
    detail: str = ""

    def __str__(self) -> str:
        return ":".join(part for part in self if part)


class Lane(NamedTuple):
    """One connection: which socket of the venue, and which share of its channels it carries.

    Attributes:
        name: the venue's word for the socket.
        shard: 0, and counted on where its channels are spread over several connections: the planner's affair.
    """

    name: str
    shard: int = 0

    def __str__(self) -> str:
        return f"{self.name}-{self.shard}" if self.shard else self.name


@attrs.frozen
class Budget:
    """A limit of the venue as a rolling window: at most ``count`` in any ``window_s`` seconds.

    Attributes:
        name: for messages and statistics.
        scope: what shares it: everything from this address, one account, or one connection.
        counts: what uses it up.
        reserve: how many of ``count`` only control frames (pings, pongs) may use.
    """

    name: str
    count: int
    window_s: float
    scope: Literal["ip", "account", "connection"]
    counts: frozenset[ChargeKind]
    reserve: int = 0


@attrs.frozen
class Endpoint:
    """Where a venue is: base URLs of its sockets and of its REST, without a trailing slash.

    Attributes:
        public: ``wss://`` URL of the public socket.
        private: of the private one; ``None`` where the venue has one socket for both.
        rest: ``https://`` URL.
        signed: whether every line must authenticate (Coinbase direct).
        generation: the venue's protocol generation where it has several (edgeX ``"v1"``, ``"v2"``).
    """

    public: str
    private: str | None = None
    rest: str | None = None
    signed: bool = False
    generation: str = ""


@attrs.frozen
class Limits:
    """Sizes that a venue's own messages and rules call for.

    Attributes:
        max_message_bytes: largest message accepted before the line is closed with 1009.
        channels_per_line: how many channels one connection is to carry, before a further one is opened; ``None``
            where nothing says so.
        channels: how many may be had at one time, over whatever connections; ``None`` where nothing says so.
        quiet_s: longest silence of a line that is still healthy, for documentation; the protocol watches it.
    """

    max_message_bytes: int = 32 * 1024 * 1024
    channels_per_line: int | None = None
    channels: int | None = None
    quiet_s: float = 10.0


@attrs.frozen
class Options:
    """What the session was opened with, as far as a venue may care.

    Attributes:
        endpoint: the resolved endpoint.
        has_credentials: whether signed channels can be had.
        extra: the venue's own options by name (Upbit ``format``).
    """

    endpoint: Endpoint
    has_credentials: bool = False
    extra: Mapping[str, str] = attrs.field(factory=dict)


class Receipt(NamedTuple):
    """What a unifier may put on its events beside the message itself."""

    received_ns: int
    raw: bytes | None = None


@attrs.frozen
class Skip:
    """A unifier's word that a message makes no event of its kind, and why: a reason for the ledger.

    Attributes:
        reason: why.
        sequence: the message's counter, where the counters of all messages of the channel are to be followed.
        breaks: whether a kept book that was right is so no more: the message came in place of its next one.
    """

    reason: str
    sequence: int | None = None
    breaks: bool = False


Unify: TypeAlias = Callable[[WireMessage, Receipt], Event | tuple[Event, ...] | Skip]


@attrs.frozen
class Serving:
    """How a venue serves one topic.

    Attributes:
        channels: the wire channels that are needed.
        kind: ``native`` hands the messages over as they are; ``events`` through ``unify``; ``book`` keeps a
            book from the snapshots and changes that ``unify`` makes; ``quotes`` is the best bid and ask, ``depths``
            the best levels of such a book; ``orders`` keeps a book by order from the ``OrderBookSnapshot`` and
            ``OrderBookChange`` that ``unify`` makes.
        make: makes the unifier, afresh for every feed and every connection, so it may hold state.
        only: the one instrument wanted of a channel that carries several; empty for all.
        depth: levels a side that ``make`` cuts a book to; ``None`` where it hands over all that the channel has. Topics
            that agree on this and on the channels may start from each other's books.
        fetched: whether the book's snapshot comes only when it is asked for, with ``Sink.resync``.
        verify: looks at a book after each event that it took, and says what is wrong with it, such as a checksum
            that does not fit, or nothing.
        audit: how to get a fresh snapshot to compare the kept book with; ``None`` where the venue has none.
        remembers: whether the last message of the channels is kept, because a book by order that is subscribed late has to
            know up to which one it missed.
    """

    channels: tuple[WireChannel, ...]
    kind: Literal["native", "events", "book", "quotes", "depths", "orders"]
    make: Callable[[], Unify] | None = None
    only: str = ""
    depth: int | None = None
    fetched: bool = False
    verify: Verify | None = None
    audit: Audit | None = None
    remembers: bool = False


@attrs.frozen
class Audit:
    """A fresh snapshot of a book, by a way that does not touch the subscription.

    Attributes:
        request: what to ask the venue's REST for.
        read: from the body of a successful answer to the snapshot, as the topic's unifier would make it.
            Raises ``BadFrame`` where the body is none.
        cost: what it is charged.
    """

    request: HttpRequest
    read: Callable[[bytes, Receipt], BookSnapshot | OrderBookSnapshot]
    cost: Mapping[ChargeKind, int] = attrs.field(factory=lambda: {"rest": 1})


@attrs.frozen
class Handshake:
    """The upgrade request, signed afresh for each connect; ``repr`` shows neither query nor headers."""

    url: str = attrs.field(repr=lambda url: repr(url.split("?", 1)[0]))
    headers: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False)
    subprotocols: tuple[str, ...] = attrs.field(default=(), repr=False)


@attrs.frozen
class HttpRequest:
    """A REST request; ``repr`` shows neither query, headers nor body."""

    url: str = attrs.field(repr=lambda url: repr(url.split("?", 1)[0]))
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False)
    body: bytes = attrs.field(default=b"", repr=False)


@attrs.frozen
class Reply:
    """The answer to a :class:`Fetch`; header names in lower case."""

    status: int
    headers: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes = attrs.field(default=b"", repr=False)


@attrs.frozen
class Send:
    """One request on the socket.

    Attributes:
        frame: the text to send; it may hold a signature, so ``repr`` hides it.
        id: the venue's own number for it, unique on its connection among requests and fetches.
        asks: channels that count as asked from now on.
        withdraws: channels that no longer count as asked; one that is still wanted is asked for again, and what
            comes of its old subscription is discarded by the protocol until the new snapshot.
        resyncs: channels whose fresh snapshot this request brings.
        cost: what it is charged.
        answer_within_s: with no answer by then, what it asked for counts as unanswered and is tried again.
    """

    frame: bytes = attrs.field(repr=False)
    id: int
    asks: frozenset[WireChannel] = frozenset()
    withdraws: frozenset[WireChannel] = frozenset()
    resyncs: frozenset[WireChannel] = frozenset()
    cost: Mapping[ChargeKind, int] = attrs.field(factory=lambda: {"send": 1})
    answer_within_s: float = 10.0


@attrs.frozen
class Fetch:
    """An HTTP request that the runtime makes; its answer goes to ``VenueProtocol.fetched``.

    Attributes:
        id: the venue's own number for it, unique on its connection.
        resyncs: channels whose fresh snapshot this request brings.
        asks: channels that count as asked from now on (a topic served by REST alone).
        timeout_s: with no answer by then, ``fetched`` gets a :class:`Failure`.
    """

    id: int
    request: HttpRequest
    resyncs: frozenset[WireChannel] = frozenset()
    asks: frozenset[WireChannel] = frozenset()
    cost: Mapping[ChargeKind, int] = attrs.field(factory=lambda: {"rest": 1})
    timeout_s: float = 10.0


@attrs.frozen
class Replace:
    """A planned new line in place of this one: budgeted, but without growing the backoff."""

    reason: str


Effect: TypeAlias = Send | Fetch | Replace


@attrs.frozen
class Failure:
    """Why a line, an attempt at one, or a fetch ended.

    Attributes:
        stage: how far it came.
        reason: one line for people, without secrets.
        status: HTTP status of a refused handshake or of a fetch.
        headers: its response headers, names in lower case.
        body: its body, cut to a few kilobytes.
        close_code: 1006 where the peer vanished without a close frame; ``None`` before the handshake ended.
        close_reason: the peer's words in its close frame.
        last_error: the venue's last error message on this line.
        suspects: channels asked and not yet confirmed.
        established: whether this lane was up before in this session.
        too_large: whether we gave the line up because a message passed our size limit.
    """

    stage: Stage
    reason: str
    status: int | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes = attrs.field(default=b"", repr=False)
    close_code: int | None = None
    close_reason: str = ""
    last_error: str = ""
    suspects: frozenset[WireChannel] = frozenset()
    established: bool = False
    too_large: bool = False


@attrs.frozen
class Retry:
    """Connect again after the backoff.

    Attributes:
        floor_s: but not before this many seconds; jitter goes on top of it.
        renew_secrets: whether the credentials provider is to be asked for fresh ones.
    """

    floor_s: float = 0.0
    renew_secrets: bool = False


@attrs.frozen
class Fatal:
    """Do not connect again.

    Attributes:
        error: what ends the session, or the lane's topics.
        scope: ``lane`` ends only the topics of this lane; the others live on.
    """

    error: SessionError
    scope: Literal["session", "lane"] = "session"


Verdict: TypeAlias = Retry | Fatal
