"""From a venue's messages to what the subscribers of one topic receive.

A feed exists once per topic, however many subscribers it has; each message is made into an event
once. Feeds that keep a book are in ``bookkeeper``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from msgspec.structs import force_setattr

from trioquotes._protocol.effects import Receipt, Serving, Skip, Unify, WireChannel
from trioquotes._protocol.outlet import Outlet
from trioquotes._protocol.timing import Lag
from trioquotes.errors import TrioquotesError
from trioquotes.events import Connected, Disconnected, Event, Gap, Notice, WireMessage
from trioquotes.topics import Topic

if TYPE_CHECKING:
    from trioquotes._protocol.route import Carrier, Route, Take

__all__ = ["BYTES_PER_WIRE_BYTE", "EVENT_BYTES", "PASSED", "EventFeed", "Feed", "NativeFeed", "Upstream"]

EVENT_BYTES = 600
"""What a small event weighs in memory, about: eight fields, two of them ``Decimal``."""
BYTES_PER_WIRE_BYTE = 10
"""How much larger a decoded book or message is in memory than its text: measured 9 to 11 for snapshots."""

PASSED: Final = WireMessage()
"""Stands for a message that nobody needs to remember: one kept for each channel would be out of the processor's cache when the
next one takes its place."""


class Upstream(Protocol):
    """What a feed may read and ask of its lane."""

    @property
    def receipt(self) -> Receipt:
        """When the present frame came, and the frame itself where it is kept."""

    @property
    def frame_bytes(self) -> int:
        """Size of the present frame."""

    @property
    def keeps_frames(self) -> bool:
        """Whether events keep their frames."""

    def resync(self, channel: WireChannel) -> None:
        """Bring the channel's snapshot again."""

    def book_gap(self) -> None:
        """Count a gap that the feed itself found."""


class Feed(ABC):
    """What all feeds share: subscribers, confirmation, notices."""

    def __init__(self, venue: str, topic: Topic[Event], serving: Serving) -> None:
        self.venue = venue
        self.topic = topic
        self.serving = serving
        self.outlets: list[Outlet] = []
        self.unconfirmed = set(serving.channels)
        self.served = False  # confirmed, or something came: from then on a lost line leaves a gap
        self.ended: TrioquotesError | None = None
        self.lag = Lag()
        self.hand_over: Callable[[Event, int], None]
        self._rewire()

    def join(self, outlet: Outlet, now_ns: int) -> None:
        """A subscriber comes."""
        del now_ns
        if self.ended is not None:
            outlet.ended(self.ended)
            return
        self.outlets.append(outlet)
        self._rewire()
        if not self.unconfirmed:
            outlet.confirmed()

    def leave(self, outlet: Outlet) -> None:
        """A subscriber goes; nothing happens where the topic's end was faster."""
        if outlet in self.outlets:
            self.outlets.remove(outlet)
            self._rewire()

    def _rewire(self) -> None:
        """One subscriber, as nearly always, is reached without a detour."""
        # No method of ours: it and we would hold each other until garbage is collected.
        self.hand_over = (
            self.outlets[0].push if len(self.outlets) == 1 else partial(_hand_to_all, self.outlets)
        )

    @property
    def awaits_snapshot(self) -> bool:
        """Whether nothing can be made of this topic's messages before a snapshot comes."""
        return False

    @property
    def asks_for_snapshot(self) -> bool:
        """Whether its snapshot is still to come and comes only when it is asked for."""
        return self.serving.fetched and self.awaits_snapshot

    def came_late(self, last: WireMessage | None) -> None:  # noqa: B027  # most feeds can use every snapshot
        """Messages of one of its channels went by before this feed was there, up to this one if anybody remembers it."""

    @abstractmethod
    def take(self, message: WireMessage, up: Upstream) -> str | None:
        """A message of one of the topic's channels; returns why it made no event, or ``None``."""

    def direct(self, lane: Carrier, route: Route) -> Take | None:
        """The shortest way for a message of a channel that this feed alone takes; ``None`` where there is only :meth:`take`."""
        del lane, route
        return None

    def confirm(self, channel: WireChannel) -> None:
        """One of the topic's channels is served."""
        if channel in self.unconfirmed:
            self.unconfirmed.discard(channel)
            if not self.unconfirmed and self.ended is None:
                self.served = True
                for outlet in self.outlets:
                    outlet.confirmed()

    def end(self, error: TrioquotesError) -> None:
        """The topic is over for all of its subscribers; the first reason counts."""
        if self.ended is not None:
            return
        self.ended = error
        outlets, self.outlets = self.outlets, []
        self._rewire()
        for outlet in outlets:
            outlet.ended(error)

    def notify(self, notice: Notice) -> None:
        """Say something to every subscriber."""
        for outlet in self.outlets:
            outlet.notify(notice)

    def gap(self, reason: str, now_ns: int, *, missed: int | None = None, instrument: str = "") -> None:
        """Something may be missing from here on."""
        self.notify(
            Gap(
                venue=self.venue,
                topic=self.topic,
                instrument=instrument or self.topic.subject,
                received_ns=now_ns,
                reason=reason,
                missed=missed,
            )
        )

    def connected(self, notice: Connected) -> None:
        """The line is up: whatever unifiers remembered of the old one is gone."""
        self.notify(notice)

    def disconnected(self, notice: Disconnected, gap_reason: str, lost: Iterable[WireChannel]) -> None:
        """The line is gone; a topic that was served misses whatever comes until the next one.

        ``lost`` are the topic's channels on that line; others of it may be served by another lane.
        """
        self.notify(notice)
        if self.served:
            self.gap(gap_reason, notice.received_ns)
        self.unconfirmed.update(lost)

    def interrupted(self, reason: str, now_ns: int) -> bool:
        """A channel is withdrawn only to be asked for again; returns whether that left a gap."""
        if self.served:
            self.gap(reason, now_ns)
        return self.served


def _hand_to_all(outlets: Iterable[Outlet], event: Event, weight_bytes: int) -> None:
    for outlet in outlets:
        outlet.push(event, weight_bytes)


class NativeFeed(Feed):
    """The venue's own messages, as they are."""

    def take(self, message: WireMessage, up: Upstream) -> str | None:
        """Stamp and hand over."""
        received_ns, raw = up.receipt
        force_setattr(message, "received_ns", received_ns)
        if raw is not None:
            force_setattr(message, "raw", raw)
        self.lag.saw(message)
        self.hand_over(message, EVENT_BYTES + BYTES_PER_WIRE_BYTE * up.frame_bytes)
        return None

    def direct(self, lane: Carrier, route: Route) -> Take | None:
        """What :meth:`take` and its caller do, in one step: most of what a session does goes this way."""
        if lane.keeps_frames:
            return None
        lag, tally, stamp, remembers = self.lag, lane.tally, force_setattr, self.serving.remembers

        def take(message: WireMessage, elements: int = 1, instrument: str = "") -> None:  # noqa: ARG001  # as of Take
            if lane.data_since_s is None or not self.served:
                self.served = True
                lane.carried()
            route.last = message if remembers else PASSED
            # It says no time of the venue's, so that there is no lag to look at when the socket read is over.
            lag.last_ns = lane.data_ns = received_ns = lane.received_ns
            stamp(message, "received_ns", received_ns)
            tally.delivered += 1
            if elements != 1:
                tally.folded += elements - 1
            self.hand_over(message, EVENT_BYTES + BYTES_PER_WIRE_BYTE * lane.frame_bytes)

        return take


def _unifier(serving: Serving) -> Unify:
    if serving.make is None:
        raise TypeError(f"a serving of kind {serving.kind!r} needs a unifier")
    return serving.make()


class EventFeed(Feed):
    """Unified events that stand alone."""

    def __init__(self, venue: str, topic: Topic[Event], serving: Serving) -> None:
        super().__init__(venue, topic, serving)
        self._unify = _unifier(serving)

    def connected(self, notice: Connected) -> None:
        """Start with a fresh unifier."""
        self._unify = _unifier(self.serving)
        super().connected(notice)

    def take(self, message: WireMessage, up: Upstream) -> str | None:
        """Unify once, hand over to all."""
        made = self._unify(message, up.receipt)
        weight_bytes = EVENT_BYTES + (up.frame_bytes if up.keeps_frames else 0)
        if isinstance(made, Skip):
            return made.reason
        if not isinstance(made, tuple):
            self.lag.saw(made)
            self.hand_over(made, weight_bytes)
            return None
        for event in made:
            self.lag.saw(event)
            self.hand_over(event, weight_bytes)
        return None if made else "empty"

    def direct(self, lane: Carrier, route: Route) -> Take | None:
        """The same in one step with its caller, for a message that makes one event."""
        if lane.keeps_frames:
            return None
        lag, tally, remembers = self.lag, lane.tally, self.serving.remembers

        def take(message: WireMessage, elements: int = 1, instrument: str = "") -> None:  # noqa: ARG001  # as of Take
            made = self._unify(message, lane.receipt)
            route.last = message if remembers else PASSED
            if isinstance(made, Skip | tuple):
                self._take_odd(made, elements, lane)
                return
            if lag.first is None:
                lag.first = made
                lane.began(self)
            lag.last = made
            tally.delivered += 1
            if elements != 1:
                tally.folded += elements - 1
            self.hand_over(made, EVENT_BYTES)

        return take

    def _take_odd(self, made: Skip | tuple[Event, ...], elements: int, lane: Carrier) -> None:
        """A message that makes no event, or several."""
        if isinstance(made, Skip) or not made:
            lane.carried()
            lane.tally.ignored[made.reason if isinstance(made, Skip) else "empty"] += elements
            return
        lane.began(self)
        lane.tally.delivered += 1
        lane.tally.folded += elements - 1
        for event in made:
            self.lag.saw(event)
            self.hand_over(event, EVENT_BYTES)
