"""The contract that a venue fulfils: pure, so that every venue can be driven by a test with values.

A **wire channel** is what a venue counts as one subscription; topics map to channels n to m. A frame
is decoded once and fanned out. A **lane** is one connection. The runtime keeps the ledger of what is
wanted, asked and confirmed, and *pulls* one request at a time with :meth:`VenueProtocol.reconcile`
when the budget allows: the first subscription, later ones, unsubscription, resubscription after a
reconnect (asked = nothing) and the resync of one broken book are that one code path.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, MutableMapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, ClassVar, Protocol, TypeAlias

from trioquotes._protocol.effects import (
    Budget,
    Effect,
    Endpoint,
    Failure,
    Fetch,
    Handshake,
    Lane,
    Limits,
    Options,
    RejectionKind,
    Reply,
    Send,
    Serving,
    Stamp,
    Verdict,
    WireChannel,
)
from trioquotes.credentials import Credentials
from trioquotes.errors import UnsupportedTopic
from trioquotes.events import Event, WireMessage
from trioquotes.topics import UNIFIED_TOPICS, Topic

__all__ = ["Door", "LedgerView", "Memory", "ReadsMany", "Sink", "Venue", "VenueProtocol"]

Memory: TypeAlias = MutableMapping[Any, Any]
"""What a lane remembers from one connection to the next (last trade ids, versions); the venue's own keys."""


class LedgerView(Protocol):
    """What a venue may read of the ledger of its lane when it is asked for a request."""

    @property
    def wanted(self) -> AbstractSet[WireChannel]:
        """What should be subscribed now; without what was refused or waits for its next try."""

    @property
    def to_ask(self) -> Sequence[WireChannel]:
        """Wanted and not asked, oldest wish first."""

    @property
    def to_withdraw(self) -> Sequence[WireChannel]:
        """Asked and no longer wanted, in the order of asking."""

    @property
    def asked(self) -> AbstractSet[WireChannel]:
        """Everything the server was asked for on this connection and not withdrawn, confirmed or not."""

    @property
    def confirmed(self) -> AbstractSet[WireChannel]:
        """Asked, and the server said or showed that it serves it."""

    @property
    def resyncing(self) -> Mapping[WireChannel, int]:
        """Wanted channels whose data broke, with the generation of the resync, and no request for it in flight."""

    @property
    def in_flight(self) -> Collection[Send | Fetch]:
        """Requests sent, neither answered nor given up."""


class Door(Protocol):
    """Where the messages of one channel go: ``take`` does what ``Sink.deliver`` does, and is to be looked up each time."""

    @property
    def take(self) -> Callable[[WireMessage, int], None]:
        """Hands over a message, given how many elements it is made of."""


class Sink(Protocol):
    """Where a protocol puts what it finds; every element of every frame gets exactly one disposition.

    An element is delivered, folded into another event, ignored with a reason, or malformed.

    Attributes:
        frame_bytes: size of the present frame; a protocol that is given many at once says it.
    """

    frame_bytes: int

    def deliver(
        self, channel: WireChannel, message: WireMessage, *, elements: int = 1, instrument: str = ""
    ) -> None:
        """Hand a message to everybody who asked for its channel.

        It counts as one element delivered, the other ``elements - 1`` as folded into it; where nobody
        asked for the channel all of them are ignored. ``instrument`` is said for a channel that
        carries several.
        """

    def door(self, channel: WireChannel) -> Door | None:
        """Where messages of a channel go, for who hands over so many that looking it up each time would tell.

        ``None`` for a channel that nobody asked for on this connection; else it may be kept for as long as the
        connection lasts, whatever is withdrawn meanwhile.
        """

    def folded(self, elements: int = 1) -> None:
        """Elements that became part of an event delivered earlier or later."""

    def ignored(self, reason: str, elements: int = 1) -> None:
        """Elements that make no event, and why: acknowledgements, heartbeats, history, not subscribed."""

    def malformed(
        self, frame: bytes, reason: str, *, channel: WireChannel | None = None, elements: int = 1
    ) -> None:
        """Elements that do not decode; a ``Malformed`` notice goes to the channel, or to all of the lane."""

    def unknown(
        self, kind: str, frame: bytes, *, channel: WireChannel | None = None, elements: int = 1
    ) -> None:
        """Well-formed elements of an unknown type: ignored as ``unknown type`` and noticed as ``Unknown``."""

    def confirmed(self, channels: Iterable[WireChannel]) -> None:
        """The server serves these; those neither wanted nor asked here, refused or withdrawn are passed over."""

    def rejected(self, channel: WireChannel, reason: str, kind: RejectionKind = "refused") -> None:
        """The server refused this one for good, unless ``kind`` is ``timeout``: then it is tried again."""

    def retry(self, channels: Iterable[WireChannel]) -> None:
        """These no longer count as asked though nobody refused them: a refused companion voided the request."""

    def answered(self, request_id: int) -> None:
        """The request is no longer in flight, whatever became of what it asked for."""

    def gap(
        self, channel: WireChannel, reason: str, *, missed: int | None = None, instrument: str = ""
    ) -> None:
        """Something of this channel was lost here; a book kept from it is broken until its next snapshot."""

    def resync(self, channel: WireChannel) -> None:
        """Ask for this channel's snapshot again: it shows in ``LedgerView.resyncing`` until a request brings it."""

    def resynced(self, channel: WireChannel) -> None:
        """The fresh snapshot was delivered."""

    def throttled(self, reason: str, *, until_ns: int | None = None) -> None:
        """The venue holds data back: a ``Throttled`` notice to all of the lane."""

    def stale(self, channel: WireChannel, silent_s: float) -> None:
        """The channel is silent for longer than its own beat allows: a ``Stale`` notice."""

    def error(self, text: str) -> None:
        """The venue's words, kept for ``Failure.last_error`` and the statistics."""

    def reply(self, frame: bytes) -> None:
        """A control frame in the venue's own dialect (ping, pong): sent before any request."""

    def ping(self) -> None:
        """A WebSocket ping; its pong comes back through ``VenueProtocol.pong``."""

    def round_trip(self, seconds: float) -> None:
        """The answer to a ping in the venue's own dialect came so long after it; WebSocket pings are measured already."""

    def lost(self, reason: str) -> None:
        """The line is dead, or nothing on it can be trusted any more: give it up and connect again."""


class VenueProtocol(Protocol):
    """One connection's protocol: wire to effects, effects to wire. One instance per connection."""

    def handshake(self, stamp: Stamp) -> Handshake:
        """The upgrade request."""

    def reconcile(self, ledger: LedgerView, stamp: Stamp) -> Effect | None:
        """The next request that brings asked nearer to wanted, or ``None``.

        It has no side effect: the runtime may drop what it returns (the budget was spent meanwhile)
        and ask again. Called from the moment the line is up, whenever anything may have changed.
        """

    def sent(self, effect: Send | Fetch, stamp: Stamp) -> None:
        """It went out."""

    def receive(self, frame: bytes, stamp: Stamp, out: Sink) -> None:
        """One whole message, text or binary; never raises for anything the frame holds."""

    def fetched(self, request_id: int, reply: Reply | Failure, stamp: Stamp, out: Sink) -> None:
        """The answer to a :class:`Fetch`; its body counts as one frame of the ledger."""

    def pong(self, stamp: Stamp, out: Sink) -> None:
        """The answer to a WebSocket ping came."""

    def tick(self, stamp: Stamp, out: Sink) -> None:
        """Called at :meth:`deadline`, or earlier: heartbeats and watchdogs."""

    def deadline(self) -> float:
        """Monotonic seconds of the next :meth:`tick` that is needed; ``inf`` for none.

        Called after whatever is given to the protocol, which may put work off to it.
        """

    def classify(self, failure: Failure) -> Verdict:
        """What to do after this failure of this lane."""


class ReadsMany(ABC):
    """A protocol for which it costs less to take the frames of one socket read at once."""

    @abstractmethod
    def receive_many(self, frames: Sequence[bytes], stamp: Stamp, out: Sink) -> None:
        """What :meth:`VenueProtocol.receive` does with each of them, in order."""


class Venue(ABC):
    """A venue: exists before any connection and holds no state."""

    name: ClassVar[str]
    endpoints: ClassVar[Mapping[str, Endpoint]]
    """By name; ``production`` is the default."""
    budgets: ClassVar[tuple[Budget, ...]]
    limits: ClassVar[Limits]
    topics: ClassVar[Mapping[str, type[Topic[Event]]]]
    """The venue's own channels as topics, by the venue's name of the channel."""
    unified: ClassVar[frozenset[type[Topic[Event]]]]
    """The unified topics it can serve."""

    @abstractmethod
    def instrument(self, text: str) -> str:
        """The venue's own name for what the user wrote.

        Raises:
            InvalidInstrument: it cannot be one.
        """

    def kind_of(self, name: str, native: bool) -> type[Topic[Event]]:
        """The kind of topic that a word of the command line means: one of the venue's channels, or a unified one.

        Raises:
            UnsupportedTopic: there is none; the message lists what there is.
        """
        known = self.topics if native else {n: t for n, t in UNIFIED_TOPICS.items() if t in self.unified}
        kind = known.get(name)
        if kind is None:
            what = "channel" if native else "topic"
            raise UnsupportedTopic(f"{self.name} has no {what} {name!r}; it has {', '.join(sorted(known))}")
        return kind

    @abstractmethod
    def topic(self, name: str, instrument: str, native: bool) -> Topic[Event]:
        """The topic that the command line's words mean; an empty instrument where the topic takes none.

        Raises:
            UnsupportedTopic, InvalidInstrument: as said in the message.
        """

    @abstractmethod
    def serve(self, topic: Topic[Event], options: Options) -> Serving:
        """Which channels the topic needs and how its events are made of them; stable for equal arguments.

        Raises:
            UnsupportedTopic, InvalidInstrument, MissingCredentials: before any I/O.
        """

    @abstractmethod
    def plan(self, channels: Sequence[WireChannel], options: Options) -> Mapping[Lane, Sequence[WireChannel]]:
        """Which lane carries what.

        Stable: a channel stays on its lane whatever else comes or goes. Adds implied channels (a heartbeat) and
        splits what must not share a line. It is asked once for each share where a lane's channels are more than one
        connection is to carry (``Limits.channels_per_line``), so every lane it names has shard 0.
        """

    @abstractmethod
    def protocol(
        self, lane: Lane, secrets: Credentials | None, memory: Memory, options: Options
    ) -> VenueProtocol:
        """The protocol of a new connection of that lane."""

    @abstractmethod
    def offline(self, channel: str) -> Lane:
        """The lane whose protocol reads captured frames of that wire channel; of unsaid ones for ``""``."""

    @abstractmethod
    def offline_topics(self, channel: WireChannel, native: bool) -> Sequence[Topic[Event]]:
        """The topics that captured messages of this channel are decoded to; empty if none.

        For a channel that carries several instruments ``channel.instrument`` is the message's own.
        """
