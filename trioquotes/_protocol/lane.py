"""The state of one lane that outlives its connections, and the sink its protocols write to.

Frames go in through a protocol, events come out at the feeds' outlets; requests are decided by
the protocol, asked by the runtime. Nothing here waits, sends or reads a clock, so a test can play a whole
session with values.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from trioquotes._protocol.bookkeeper import KeptFeed
from trioquotes._protocol.contract import ReadsMany, VenueProtocol
from trioquotes._protocol.effects import Fetch, Lane, Receipt, RejectionKind, Send, Stamp, WireChannel
from trioquotes._protocol.feeds import Feed
from trioquotes._protocol.ledger import Ledger
from trioquotes._protocol.patience import Quiet
from trioquotes._protocol.renewal import Renewal
from trioquotes._protocol.route import NOT_SUBSCRIBED, Route
from trioquotes._protocol.tally import Tally
from trioquotes._protocol.timing import RoundTrip
from trioquotes._protocol.veil import Veil
from trioquotes.errors import AuthenticationFailed, SubscriptionRejected, TrioquotesError
from trioquotes.events import (
    BookSnapshot,
    Connected,
    Disconnected,
    Event,
    Malformed,
    Notice,
    OrderBookSnapshot,
    Rejected,
    Stale,
    Throttled,
    Unknown,
    WireMessage,
)
from trioquotes.topics import Topic

__all__ = ["LaneState", "NoticeMaker"]

NoticeMaker: TypeAlias = Callable[[Topic[Event] | None], Notice]

MANY = 8
"""Frames of one read from which on it may pay to decode them together."""


class LaneState:
    """One lane's ledger, routes, count and outgoing control frames.

    Attributes:
        received_ns: when the present frame came.
        frame_bytes: its size.
        keeps_frames: whether events keep their frames.
        veil: hides the session's secrets in what a venue says: here all its words come in.
        quiet: until when nothing may be asked for, since the venue said that it was asked too much.
        renewal: what is done about credentials that the venue refuses on the line.
    """

    def __init__(self, venue: str, lane: Lane, *, raw: bool = False) -> None:
        self.venue = venue
        self.lane = lane
        self.veil = Veil()
        self.quiet = Quiet()
        self.renewal = Renewal()
        self.ledger = Ledger()
        self.tally = Tally()
        self.trip = RoundTrip()
        self.connection = 0
        self.replies: deque[bytes] = deque()
        self.pings_due = 0
        self.lost_reason: str | None = None
        self.last_error = ""
        self.data_since_s: float | None = None  # first data of this connection: what the backoff asks
        self.stirred = False  # whether a new request may be due since the runtime last looked
        self.keeps_frames = raw
        self._routes: dict[WireChannel, Route] = {}
        self._withdrawn: dict[WireChannel, Route] = {}  # the server may serve them still
        self._stamp = Stamp(0, 0.0)
        self.receipt = Receipt(0)
        self.received_ns = 0
        self.frame_bytes = 0
        self.data_ns: int | None = None  # when the last message that somebody takes came
        self._fresh: list[Feed] = []  # got events of the present socket read

    # What the runtime says.

    def route(self, channels: Sequence[WireChannel], takers: Mapping[WireChannel, Sequence[Feed]]) -> None:
        """Replace what the lane carries: all ``channels`` are wanted, also those that nobody takes (implied)."""
        before = {**self._withdrawn, **self._routes}
        known = {channel: route.feeds for channel, route in before.items()}
        self._routes = {c: before[c] if c in before else Route(c, self) for c in channels}
        self._withdrawn = {c: route for c, route in before.items() if c not in self._routes}
        for route in self._withdrawn.values():
            route.withdraw()
        for channel, route in self._routes.items():
            route.serve(takers.get(channel, ()))
        self.ledger.want(channels)
        for channel, route in self._routes.items():
            before_now = known.get(channel, ())
            route.say_late(before_now)
            if channel in self.ledger.asked and route.missed_snapshot(before_now):
                self.resync(channel)
        for channel in self.ledger.confirmed:
            for feed in self._feeds_of(channel):
                feed.confirm(channel)

    def connected(self, stamp: Stamp) -> None:
        """A line came up."""
        self.connection += 1
        self._withdrawn.clear()
        for route in self._routes.values():
            route.last = None
        self.replies.clear()
        self.pings_due = 0
        self.lost_reason = None
        self.last_error = ""
        self.data_since_s = None
        self._stamp = stamp
        self.ledger.connected()
        self.ledger.expire(stamp.monotonic_s)
        notice = Connected(
            venue=self.venue, received_ns=stamp.wall_ns, lane=str(self.lane), connection=self.connection
        )
        for feed in self.feeds():
            feed.connected(notice)

    def disconnected(
        self,
        stamp: Stamp,
        *,
        reason: str,
        code: int | None,
        planned: bool = False,
        gap_reason: str = "disconnected",
    ) -> None:
        """The line is gone: every topic hears of it at once."""
        self.ledger.connected()
        notice = Disconnected(
            venue=self.venue,
            received_ns=stamp.wall_ns,
            lane=str(self.lane),
            connection=self.connection,
            reason=reason,
            code=code,
            planned=planned,
        )
        served = self.feeds()
        self.tally.gaps += sum(feed.served for feed in served)
        for feed in served:
            feed.disconnected(notice, gap_reason, [c for c, r in self._routes.items() if feed in r.feeds])

    def begin(self, frame: bytes, stamp: Stamp) -> None:
        """A frame is about to be given to the protocol."""
        self._open((frame,), stamp)
        self.frame_bytes = len(frame)
        if self.keeps_frames:
            self.receipt = Receipt(stamp.wall_ns, frame)

    def read(self, frames: Sequence[bytes], stamp: Stamp, protocol: VenueProtocol) -> None:
        """Give the frames of one socket read to the protocol."""
        self._open(frames, stamp)
        if len(frames) >= MANY and not self.keeps_frames and isinstance(protocol, ReadsMany):
            protocol.receive_many(frames, stamp, self)
            return
        receive = protocol.receive
        for frame in frames:
            self.frame_bytes = len(frame)
            if self.keeps_frames:
                self.receipt = Receipt(stamp.wall_ns, frame)
            receive(frame, stamp, self)

    def _open(self, frames: Sequence[bytes], stamp: Stamp) -> None:
        self._stamp = stamp
        self.tally.frames += len(frames)
        self.tally.bytes += sum(map(len, frames))
        self.received_ns = stamp.wall_ns
        self.receipt = Receipt(stamp.wall_ns)

    def settle(self) -> None:
        """The frames of one socket read are all given."""
        if self._fresh:
            self.data_ns = self._stamp.wall_ns
            for feed in self._fresh:
                feed.lag.settle()
            self._fresh.clear()

    def at(self, stamp: Stamp) -> None:
        """Time for calls of the protocol that bring no frame (tick, pong)."""
        self._stamp = stamp

    def sent(self, effect: Send | Fetch, stamp: Stamp) -> None:
        """A request went out; one that withdraws what is still wanted interrupts it."""
        self._stamp = stamp
        self.ledger.sent(effect, stamp.monotonic_s)
        for channel in sorted(effect.withdraws) if isinstance(effect, Send) else ():
            if channel in self._withdrawn:
                self._withdrawn[channel].last = None
            for feed in self._feeds_of(channel):
                self.tally.gaps += feed.interrupted("asked for again", stamp.wall_ns)

    def doubt(self, reason: str, stamp: Stamp) -> None:
        """Nobody was there to see what came: every topic that is served hears of it, and books are asked for anew."""
        self._stamp = stamp
        for feed in self.feeds():
            if feed.served:
                self.tally.gaps += 1
                feed.gap(reason, stamp.wall_ns)
        for channel, route in self._routes.items():
            if any(feed.awaits_snapshot for feed in route.feeds):
                self.resync(channel)

    def expire(self, stamp: Stamp) -> bool:
        """Let time pass in the ledger; returns whether something may now be asked for."""
        self._stamp = stamp
        expired = self.ledger.expire(stamp.monotonic_s)
        for channel in expired.unanswered:
            self._notify_rejected(channel, "not acknowledged in time", final=False)
        return expired.released

    def feeds(self) -> list[Feed]:
        """Every feed of the lane once, in the order of their channels."""
        return list({id(feed): feed for route in self._routes.values() for feed in route.feeds}.values())

    def end(self, error: TrioquotesError) -> None:
        """The lane's topics are over."""
        for feed in self.feeds():
            feed.end(error)
        self._drop_ended()

    # What a protocol says: the sink.

    def deliver(
        self, channel: WireChannel, message: WireMessage, *, elements: int = 1, instrument: str = ""
    ) -> None:
        """Hand a message to everybody who asked for its channel."""
        route = self._routes.get(channel) or self._withdrawn.get(channel)
        if route is None:
            self.tally.ignored[NOT_SUBSCRIBED] += elements
        else:
            route.take(message, elements, instrument)

    def door(self, channel: WireChannel) -> Route | None:
        """Where messages of a channel go, for as long as this connection lasts."""
        return self._routes.get(channel) or self._withdrawn.get(channel)

    def began(self, feed: Feed) -> None:
        """A feed hands over its first event of the present socket read."""
        feed.served = True
        self._fresh.append(feed)
        self.carried()

    def carried(self) -> None:
        """A message of one of the channels came."""
        if self.data_since_s is None:
            self.data_since_s = self._stamp.monotonic_s

    def folded(self, elements: int = 1) -> None:
        """Elements that became part of another event."""
        self.tally.folded += elements

    def ignored(self, reason: str, elements: int = 1) -> None:
        """Elements that make no event."""
        self.tally.ignored[reason] += elements

    def malformed(
        self, frame: bytes, reason: str, *, channel: WireChannel | None = None, elements: int = 1
    ) -> None:
        """Elements that do not decode."""
        reason = self.veil.words(reason)
        frame = self.veil.hide_bytes(frame)
        self.tally.malformed += elements
        self.say(
            channel,
            lambda topic: Malformed(
                venue=self.venue, topic=topic, received_ns=self._stamp.wall_ns, reason=reason, frame=frame
            ),
        )

    def unknown(
        self, kind: str, frame: bytes, *, channel: WireChannel | None = None, elements: int = 1
    ) -> None:
        """Well-formed elements of an unknown type."""
        kind = self.veil.words(kind)
        frame = self.veil.hide_bytes(frame)
        self.tally.ignored["unknown type"] += elements
        self.say(
            channel,
            lambda topic: Unknown(
                venue=self.venue, topic=topic, received_ns=self._stamp.wall_ns, kind=kind, frame=frame
            ),
        )

    def confirmed(self, channels: Iterable[WireChannel]) -> None:
        """The server serves these."""
        fresh = self.ledger.confirm(channels)
        if fresh:  # where data confirms, this is called for every frame
            self.stirred = True
        for channel in fresh:
            self.renewal.confirmed(channel)
            for feed in self._feeds_of(channel):
                feed.confirm(channel)
            if any(feed.asks_for_snapshot for feed in self._feeds_of(channel)):
                self.ledger.need(channel, self._stamp.monotonic_s)

    def rejected(self, channel: WireChannel, reason: str, kind: RejectionKind = "refused") -> None:
        """The server refused this one, or did not answer."""
        reason = self.veil.words(reason)
        self.stirred = True
        if kind == "timeout":
            if self.ledger.postpone(channel, self._stamp.monotonic_s):
                self._notify_rejected(channel, reason, final=False)
            return
        news = kind == "authentication" and channel in self._routes
        if news and self.renewal.refused(channel, self._stamp.monotonic_s):
            self.lost(f"the credentials were refused: {reason}")
            return
        if not self.ledger.reject(channel):
            return
        self._notify_rejected(channel, reason, final=True)
        for feed in self._feeds_of(channel):
            if kind == "authentication":
                feed.end(
                    AuthenticationFailed(f"{self.venue} refused the credentials for {feed.topic}: {reason}")
                )
            else:
                feed.end(SubscriptionRejected(feed.topic, reason))
        self._drop_ended()

    def retry(self, channels: Iterable[WireChannel]) -> None:
        """These no longer count as asked."""
        self.stirred = True
        self.ledger.retry(channels)

    def answered(self, request_id: int) -> None:
        """The request is no longer in flight."""
        self.stirred = True
        self.ledger.answered(request_id)

    def gap(
        self, channel: WireChannel, reason: str, *, missed: int | None = None, instrument: str = ""
    ) -> None:
        """Something of this channel was lost here."""
        reason = self.veil.words(reason)
        route = self._routes.get(channel)
        if route is None:
            return
        self.tally.gaps += 1
        for feed in route.takers(instrument) if instrument else route.feeds:
            feed.gap(reason, self._stamp.wall_ns, missed=missed, instrument=instrument)

    def resync(self, channel: WireChannel) -> None:
        """Ask for this channel's snapshot again."""
        self.stirred = True
        self.ledger.resync(channel, self._stamp.monotonic_s)

    def resynced(self, channel: WireChannel) -> None:
        """The fresh snapshot was delivered."""
        self.ledger.resynced(channel)

    def audit(
        self, feed: KeptFeed[Any], fetched: BookSnapshot | OrderBookSnapshot, stamp: Stamp
    ) -> int | None:
        """A fresh snapshot came to compare a kept book with; returns on how many levels they differ."""
        self._stamp = stamp
        return feed.judge(fetched, stamp.wall_ns, self)

    def book_gap(self) -> None:
        """A feed found its book broken."""
        self.tally.gaps += 1

    def throttled(self, reason: str, *, until_ns: int | None = None) -> None:
        """The venue holds data back."""
        reason = self.veil.words(reason)
        self.say(
            None,
            lambda _: Throttled(
                venue=self.venue, received_ns=self._stamp.wall_ns, reason=reason, until_ns=until_ns
            ),
        )

    def stale(self, channel: WireChannel, silent_s: float) -> None:
        """The channel is silent for longer than its own beat allows."""
        self.say(
            channel,
            lambda topic: Stale(
                venue=self.venue,
                topic=topic,
                instrument=channel.instrument,
                received_ns=self._stamp.wall_ns,
                silent_s=silent_s,
            ),
        )

    def error(self, text: str) -> None:
        """The venue's words."""
        self.last_error = self.veil.words(text)
        self.quiet.heard(self.last_error, self._stamp.monotonic_s)

    def reply(self, frame: bytes) -> None:
        """A control frame to be sent before any request."""
        self.replies.append(frame)

    def ping(self) -> None:
        """A WebSocket ping to be sent."""
        self.pings_due += 1

    def round_trip(self, seconds: float) -> None:
        """The answer to a ping of ours came."""
        self.trip.took(seconds)

    def lost(self, reason: str) -> None:
        """The line is to be given up."""
        if self.lost_reason is None:
            self.lost_reason = self.veil.words(reason)

    def _drop_ended(self) -> None:
        """Topics that ended take nothing more, whatever comes before the next plan."""
        for route in self._routes.values():
            route.serve(route.feeds)

    def _feeds_of(self, channel: WireChannel) -> tuple[Feed, ...]:
        route = self._routes.get(channel)
        return () if route is None else route.feeds

    def say(self, channel: WireChannel | None, make: NoticeMaker) -> None:
        """Give a notice to the channel's feeds, or to all of the lane, each with its own topic."""
        if channel is None:
            notice = make(None)
            for feed in self.feeds():
                feed.notify(notice)
        else:
            for feed in self._feeds_of(channel):
                feed.notify(make(feed.topic))

    def _notify_rejected(self, channel: WireChannel, reason: str, *, final: bool) -> None:
        self.say(
            channel,
            lambda topic: Rejected(
                venue=self.venue,
                topic=topic,
                instrument=channel.instrument,
                received_ns=self._stamp.wall_ns,
                reason=reason,
                final=final,
            ),
        )
