"""Captured frames through the same protocols, without a network: every channel counts as wanted."""

from __future__ import annotations

import msgspec

from trioquotes._protocol.bookkeeper import BookFeed
from trioquotes._protocol.contract import Venue
from trioquotes._protocol.effects import Lane, Options, RejectionKind, Stamp, WireChannel
from trioquotes._protocol.feeds import Feed
from trioquotes._protocol.lane import LaneState, NoticeMaker
from trioquotes._protocol.planner import make_feed
from trioquotes._protocol.route import Route
from trioquotes._protocol.tally import Tally, TallyCount
from trioquotes.books import OrderBook
from trioquotes.errors import InvalidInstrument, TrioquotesError, UnsupportedTopic
from trioquotes.events import Event, Notice, WireMessage
from trioquotes.topics import Topic

__all__ = ["Offline"]

NOT_ASKED_FOR = (InvalidInstrument, UnsupportedTopic, msgspec.ValidationError)
"""What a topic is refused with that no session can ask for: a file may hold anything."""


class _Collector:
    """An outlet that keeps everything, in order, together with all others of the run."""

    lagging = False

    def __init__(self, topic: Topic[Event], events: list[Event]) -> None:
        self.topic = topic
        self._events = events

    def push(self, event: Event, weight_bytes: int) -> None:
        del weight_bytes
        self._events.append(event)

    def passed(self) -> None:
        raise AssertionError("a collector never lags")  # pragma: no cover

    def notify(self, notice: Notice) -> None:
        self._events.append(notice)

    def confirmed(self) -> None:
        """Nobody waits for it."""

    def ended(self, error: TrioquotesError) -> None:
        raise AssertionError("a captured session ends no topic") from error  # pragma: no cover


class _OfflineLane(LaneState):
    """A lane on which every channel gets its feeds when its first message comes."""

    def __init__(
        self, venue: Venue, lane: Lane, options: Options, events: list[Event], *, native: bool
    ) -> None:
        super().__init__(venue.name, lane)
        self.protocol = venue.protocol(lane, None, {}, options)
        self.by_topic: dict[Topic[Event], Feed] = {}
        self._source = venue
        self._options = options
        self._events = events
        self._native = native
        self._seen: set[WireChannel] = set()

    def deliver(
        self, channel: WireChannel, message: WireMessage, *, elements: int = 1, instrument: str = ""
    ) -> None:
        """Every channel counts as wanted, and every instrument of one that carries several."""
        subject = channel._replace(instrument=instrument) if instrument else channel
        if subject not in self._seen:
            try:
                feeds = [self._feed(topic) for topic in self._source.offline_topics(subject, self._native)]
            except NOT_ASKED_FOR:
                self.ignored("no such instrument", elements)
                return
            self._seen.add(subject)
            route = self._routes.setdefault(channel, Route(channel, self))
            route.serve(dict.fromkeys((*route.feeds, *feeds)))
        super().deliver(channel, message, elements=elements, instrument=instrument)

    def door(self, channel: WireChannel) -> None:
        """No short way: whoever comes first is to be let in by :meth:`deliver`."""
        del channel

    def rejected(self, channel: WireChannel, reason: str, kind: RejectionKind = "refused") -> None:
        """A captured refusal ends nothing, but it is said."""
        self._notify_rejected(channel, reason, final=kind != "timeout")

    def say(self, channel: WireChannel | None, make: NoticeMaker) -> None:
        """Said once, whether or not any feed is there yet."""
        del channel
        self._events.append(make(None))

    def _feed(self, topic: Topic[Event]) -> Feed:
        if topic not in self.by_topic:
            feed = make_feed(self.venue, topic, self._source.serve(topic, self._options))
            feed.join(_Collector(topic, self._events), 0)
            self.by_topic[topic] = feed
        return self.by_topic[topic]


class Offline:
    """Runs captured frames through a venue's protocols and collects the events.

    Args:
        venue: whose frames they are.
        native: hand over the venue's own messages instead of unified events.
        independent: forget all state after every frame, for files of unrelated samples.
    """

    def __init__(self, venue: Venue, *, native: bool = False, independent: bool = False) -> None:
        endpoint = next(iter(venue.endpoints.values()))
        self._venue = venue
        self._options = Options(endpoint=endpoint, has_credentials=True)
        self._native = native
        self._independent = independent
        self._lanes: dict[Lane, _OfflineLane] = {}
        self._events: list[Event] = []
        self._past = Tally().count()

    def feed(self, frame: bytes, channel: str = "", received_ns: int = 0) -> list[Event]:
        """Run one frame.

        Args:
            frame: the message as it was on the wire.
            channel: the wire channel it belongs to, for frames that do not say so themselves.
            received_ns: when it was received; 0 where nobody knows.

        Returns:
            What it brought, notices included, in order.
        """
        self._events.clear()
        name = self._venue.offline(channel)
        lane = self._lanes.get(name)
        if lane is None:
            lane = _OfflineLane(self._venue, name, self._options, self._events, native=self._native)
            self._lanes[name] = lane
        stamp = Stamp(received_ns, received_ns / 1e9)
        lane.begin(frame, stamp)
        lane.protocol.receive(frame, stamp, lane)
        if self._independent:
            self._past += lane.tally.count()
            self._lanes.clear()
        return list(self._events)

    def count(self) -> TallyCount:
        """What became of everything so far."""
        return sum((lane.tally.count() for lane in self._lanes.values()), self._past)

    def books(self) -> list[OrderBook]:
        """The books kept so far, by the order of their first message."""
        feeds = [feed for lane in self._lanes.values() for feed in lane.by_topic.values()]
        return [feed.book for feed in feeds if isinstance(feed, BookFeed)]
