"""From what users subscribe to, to which lane carries which channels and which feed gets what."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from trioquotes._protocol.bookkeeper import BookFeed, PriceFeed
from trioquotes._protocol.contract import Venue
from trioquotes._protocol.effects import Lane, Options, Serving, WireChannel
from trioquotes._protocol.feeds import EventFeed, Feed, NativeFeed
from trioquotes._protocol.lane import LaneState
from trioquotes._protocol.ordering import OrderFeed
from trioquotes._protocol.outlet import Outlet
from trioquotes._protocol.shards import Shards
from trioquotes._protocol.views import DepthFeed, QuoteFeed
from trioquotes.events import Event
from trioquotes.topics import Topic

__all__ = ["Planner", "make_feed"]

_KINDS: dict[str, type[Feed]] = {
    "native": NativeFeed,
    "events": EventFeed,
    "book": BookFeed,
    "quotes": QuoteFeed,
    "depths": DepthFeed,
    "orders": OrderFeed,
}


def make_feed(venue: str, topic: Topic[Event], serving: Serving) -> Feed:
    """The feed for a topic as the venue serves it."""
    return _KINDS[serving.kind](venue, topic, serving)


class Planner:
    """Keeps one feed per topic and hands each lane its share.

    Args:
        venue: says which topic needs which channels, and which lane carries what.
        options: of the session.
        raw: whether events keep the frame they came from.
        channels_per_line: how many channels one connection may carry; ``None`` takes the venue's own limit, if any.

    Attributes:
        feeds: by topic; a topic whose last subscriber left is gone at the next :meth:`replan`.
        lanes: every lane there ever was in this session; one without wanted channels needs no line.
    """

    def __init__(
        self, venue: Venue, options: Options, *, raw: bool = False, channels_per_line: int | None = None
    ) -> None:
        self.venue = venue
        self.options = options
        self.feeds: dict[Topic[Event], Feed] = {}
        self.lanes: dict[Lane, LaneState] = {}
        self._raw = raw
        self._shards = Shards(venue, options, channels_per_line or venue.limits.channels_per_line)

    def serve(self, topic: Topic[Event]) -> Serving:
        """How the venue serves the topic; the check that comes before any I/O.

        Raises:
            UnsupportedTopic, InvalidInstrument, MissingCredentials: as the venue says.
        """
        return self.venue.serve(topic, self.options)

    def join(self, topic: Topic[Event], outlet: Outlet, now_ns: int) -> Feed:
        """Add a subscriber; the first of a topic makes its feed, and :meth:`replan` then asks for it.

        Raises:
            UnsupportedTopic, InvalidInstrument, MissingCredentials: as the venue says.
        """
        feed = self.feeds.get(topic)
        if feed is not None and feed.ended is not None:
            del self.feeds[topic]
            self.replan()
            feed = None
        if feed is None:
            feed = make_feed(self.venue.name, topic, self.serve(topic))
            self._acquaint(feed)
            self.feeds[topic] = feed
        feed.join(outlet, now_ns)
        return feed

    def replan(self) -> None:
        """Drop feeds that ended or that nobody reads, and give every lane what it is to carry."""
        for topic, feed in list(self.feeds.items()):
            if feed.ended is not None or not feed.outlets:
                del self.feeds[topic]
        takers: dict[WireChannel, list[Feed]] = {}
        for feed in self.feeds.values():
            for channel in dict.fromkeys(feed.serving.channels):
                takers.setdefault(channel, []).append(feed)
        plan = self._shards.plan(feed.serving.channels for feed in self.feeds.values())
        for lane in plan:
            if lane not in self.lanes:
                self.lanes[lane] = LaneState(self.venue.name, lane, raw=self._raw)
        owners = self._owners(plan, takers)
        for lane, state in self.lanes.items():
            carried = tuple(plan.get(lane, ()))
            state.route(carried, {c: takers[c] for c in carried if owners.get(c) == lane})

    def dissolve(self) -> None:
        """The session is over: let go of all feeds."""
        self.feeds.clear()
        self.replan()

    def lane_of(self, feed: Feed) -> LaneState | None:
        """The lane that brings the feed its messages; ``None`` where none does yet, or any more."""
        return next((state for state in self.lanes.values() if feed in state.feeds()), None)

    def _acquaint(self, feed: Feed) -> None:
        """A book's snapshot comes once a channel: a feed that is late for it starts from another's book."""
        if not isinstance(feed, PriceFeed):
            return
        for other in self.feeds.values():
            if isinstance(other, PriceFeed) and other.shares_book(feed):
                feed.adopt(other)
                return

    def _owners(
        self, plan: Mapping[Lane, Sequence[WireChannel]], wished: Collection[WireChannel]
    ) -> dict[WireChannel, Lane]:
        """Which lane hands a channel to its feeds: one that a user wished for may be implied on others too."""
        carriers: dict[WireChannel, list[Lane]] = {}
        for lane, carried in plan.items():
            for channel in carried:
                if channel in wished:
                    carriers.setdefault(channel, []).append(lane)
        return {channel: self._shards.home(channel, lanes) for channel, lanes in carriers.items()}
