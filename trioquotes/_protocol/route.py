"""Who gets the messages of one wire channel of a lane, and how: the last step before the subscribers' buffers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from trioquotes._protocol.effects import WireChannel
from trioquotes._protocol.feeds import PASSED, Feed, Upstream
from trioquotes._protocol.tally import Tally
from trioquotes.events import WireMessage

__all__ = ["Carrier", "Route", "Take"]

NOT_SUBSCRIBED = "not subscribed"
WITHDRAWN = "withdrawn"


class Take(Protocol):
    """Hand a message to everybody who asked for its channel; see ``Sink.deliver``."""

    def __call__(self, message: WireMessage, elements: int = 1, instrument: str = "") -> None: ...


class Carrier(Upstream, Protocol):
    """What a route needs of its lane."""

    tally: Tally
    received_ns: int
    data_ns: int | None
    data_since_s: float | None

    def began(self, feed: Feed) -> None:
        """A feed hands over its first event of the present socket read."""

    def carried(self) -> None:
        """A message of a channel of this lane came."""


class Route:
    """Who gets the messages of one wire channel: those who want all of it, and those who want one instrument.

    It stays the same object while its lane is connected, whatever is subscribed, withdrawn and subscribed again, so a
    protocol may keep it.

    Attributes:
        take: hands over a message; made anew whenever something changes, so it is not to be kept.
        feeds: all that want something of the channel.
        last: the last message on this connection, or ``PASSED``.
    """

    __slots__ = ("_all", "_by_instrument", "_channel", "_lane", "feeds", "last", "take")

    def __init__(self, channel: WireChannel, lane: Carrier) -> None:
        self._channel = channel
        self._lane = lane
        self.last: WireMessage | None = None
        self.feeds: tuple[Feed, ...] = ()
        self._all: tuple[Feed, ...] = ()
        self._by_instrument: dict[str, tuple[Feed, ...]] = {}
        self.take: Take = self._take

    def serve(self, feeds: Iterable[Feed]) -> None:
        """From now on these get its messages; those of them that ended do not."""
        self.feeds = tuple(feeds)
        alive = [feed for feed in self.feeds if feed.ended is None]
        own = {"", self._channel.instrument}  # a channel of one instrument has no messages of another
        self._all = tuple(feed for feed in alive if feed.serving.only in own)
        self._by_instrument = {}
        for feed in alive:
            if feed.serving.only not in own:
                only = feed.serving.only
                self._by_instrument[only] = (*self._by_instrument.get(only, ()), feed)
        self.take = (alive == [*self._all] and self._direct()) or self._take

    def withdraw(self) -> None:
        """Nobody wants it any more, and the server may serve it still."""
        self.feeds = self._all = ()
        self._by_instrument = {}
        self.take = self._take_withdrawn

    def say_late(self, known: Sequence[Feed]) -> None:
        """Tell feeds that were not here before what went by."""
        if self.last is not None:
            for feed in self.feeds:
                if feed not in known:
                    feed.came_late(None if self.last is PASSED else self.last)

    def missed_snapshot(self, known: Sequence[Feed]) -> bool:
        """Whether a new feed needs a snapshot that the channel had before and nobody else waits for."""
        awaiting = [feed in known for feed in self.feeds if feed.awaits_snapshot]
        return bool(awaiting) and not any(awaiting)

    def takers(self, instrument: str) -> tuple[Feed, ...]:
        """The feeds for a message, of that instrument where the channel carries several."""
        return self._all + self._by_instrument.get(instrument, ())

    def _direct(self) -> Take | None:
        """The short way, where one feed takes every message as it comes or makes one event of it."""
        if len(self._all) != 1:
            return None
        return self._all[0].direct(self._lane, self)

    def _take(self, message: WireMessage, elements: int = 1, instrument: str = "") -> None:
        lane = self._lane
        self.last = message
        lane.carried()
        skipped: str | None = None
        delivered = False
        for feed in self.takers(instrument) if self._by_instrument else self._all:
            reason_or_none = feed.take(message, lane)
            if reason_or_none is None:
                delivered = True
                lane.began(feed)
            elif skipped is None:
                skipped = reason_or_none
        tally = lane.tally
        if delivered:
            tally.delivered += 1
            tally.folded += elements - 1
        elif self.feeds:
            tally.ignored[skipped or NOT_SUBSCRIBED] += elements
        else:
            # A channel nobody asked for is one the venue implied: its name says what it is for.
            tally.ignored[self._channel.name] += elements

    def _take_withdrawn(self, message: WireMessage, elements: int = 1, instrument: str = "") -> None:
        del instrument
        self.last = message
        self._lane.tally.ignored[WITHDRAWN] += elements
