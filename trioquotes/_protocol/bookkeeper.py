"""Feeds that keep a book: what they hand over is right, or they said before that it is not.

``Gap`` is queued at the moment of loss; between ``Gap`` and ``Resynced`` no change of that book is
delivered. A subscriber that lagged, or came late, gets ``Gap``, a snapshot of the kept book, ``Resynced``.
"""

from __future__ import annotations

from abc import abstractmethod

from trioquotes._protocol.effects import Serving, Skip
from trioquotes._protocol.feeds import BYTES_PER_WIRE_BYTE, EVENT_BYTES, EventFeed, Upstream
from trioquotes._protocol.outlet import Outlet
from trioquotes.books import BookError, OrderBook
from trioquotes.events import BookChange, BookSnapshot, Event, Gap, Level, Quote, Resynced, WireMessage
from trioquotes.topics import Topic

__all__ = ["BookFeed", "KeptFeed", "QuoteFeed"]

AWAITING_SNAPSHOT = "awaiting snapshot"
"""Why a change that came before its book's snapshot made no event."""

BROKEN = "broken book"
"""Why the message that broke its book made no event; the ``Gap`` has the details."""

LEVEL_BYTES = 300
"""What one level weighs in memory: a pair and two ``Decimal``."""


class KeptFeed(EventFeed):
    """Keeps one book from the snapshots and changes that its unifier makes."""

    def __init__(self, venue: str, topic: Topic[Event], serving: Serving) -> None:
        super().__init__(venue, topic, serving)
        self.book = OrderBook(serving.only or topic.subject)

    def take(self, message: WireMessage, up: Upstream) -> str | None:
        """Keep the book, then hand over; what would make it wrong becomes a gap instead."""
        made = self._unify(message, up.receipt)
        if isinstance(made, Skip):
            return made.reason
        if isinstance(made, BookChange):
            if self.book.state != "live":
                return AWAITING_SNAPSHOT
        elif not isinstance(made, BookSnapshot):
            raise TypeError(f"the unifier of a book made {type(made).__name__}")
        before = (self.book.best_bid, self.book.best_ask)
        try:
            self.book.apply(made)
        except BookError as error:
            return self._broken(str(error), up.receipt.received_ns, up)
        if self.book.crossed or self.book.locked:
            return self._broken("crossed book", up.receipt.received_ns, up)
        if isinstance(made, BookSnapshot):
            self.snapshot_kept(made, EVENT_BYTES + BYTES_PER_WIRE_BYTE * up.frame_bytes)
        else:
            self.change_kept(made, before)
        return None

    @property
    def awaits_snapshot(self) -> bool:
        """Whether changes are of no use yet."""
        return self.book.state != "live"

    def interrupted(self, reason: str, now_ns: int) -> bool:
        """A book that is not right has said so already."""
        return not self.awaits_snapshot and super().interrupted(reason, now_ns)

    def shares_book(self, other: KeptFeed) -> bool:
        """Whether this one keeps, live, the very book that the other one needs: not a narrower or wider one."""
        return self.book.state == "live" and self._book_key() == other._book_key()

    def _book_key(self) -> object:
        return self.serving.channels, self.serving.only, getattr(self.topic, "depth", None)

    def adopt(self, sibling: KeptFeed) -> None:
        """Start from the live book that another topic keeps of the same channels: no snapshot will come for this one."""
        self.book.apply(sibling.book.snapshot(venue=self.venue, received_ns=0))

    @abstractmethod
    def snapshot_kept(self, snapshot: BookSnapshot, weight_bytes: int) -> None:
        """The book was replaced and is right."""

    @abstractmethod
    def change_kept(self, change: BookChange, before: tuple[Level | None, Level | None]) -> None:
        """The book was changed and is right; ``before`` is the best bid and ask it had."""

    def gap(self, reason: str, now_ns: int, *, missed: int | None = None, instrument: str = "") -> None:
        """The kept book is broken until its next snapshot."""
        self.book.invalidate(reason)
        super().gap(reason, now_ns, missed=missed, instrument=instrument)

    def _broken(self, reason: str, now_ns: int, up: Upstream) -> str:
        up.book_gap()
        self.gap(reason, now_ns)
        for channel in self.serving.channels:
            up.resync(channel)
        return BROKEN


class BookFeed(KeptFeed):
    """The snapshots and changes themselves."""

    def __init__(self, venue: str, topic: Topic[Event], serving: Serving) -> None:
        super().__init__(venue, topic, serving)
        self._told: set[int] = set()  # id() of each subscriber that was told of a gap and awaits Resynced

    def join(self, outlet: Outlet, now_ns: int) -> None:
        """A subscriber that comes late gets ``Gap``, the kept book, ``Resynced``."""
        super().join(outlet, now_ns)
        if self.book.state != "waiting":
            self._catch_up(outlet, "joined late", now_ns)

    def leave(self, outlet: Outlet) -> None:
        """A subscriber goes."""
        super().leave(outlet)
        self._told.discard(id(outlet))

    def drained(self, outlet: Outlet, now_ns: int) -> None:
        """A subscriber that overflowed has read what it kept: tell it, and catch it up."""
        if outlet in self.outlets:
            self._catch_up(outlet, "lagged", now_ns)

    def gap(self, reason: str, now_ns: int, *, missed: int | None = None, instrument: str = "") -> None:
        """Every subscriber now awaits ``Resynced``."""
        super().gap(reason, now_ns, missed=missed, instrument=instrument)
        self._told.update(id(outlet) for outlet in self.outlets)

    def snapshot_kept(self, snapshot: BookSnapshot, weight_bytes: int) -> None:
        """Hand it over, with ``Resynced`` to those who were told of a gap."""
        for outlet in self.outlets:
            if outlet.lagging:
                outlet.passed()
                continue
            outlet.push(snapshot, weight_bytes)
            self._resynced(outlet, snapshot.received_ns)

    def change_kept(self, change: BookChange, before: tuple[Level | None, Level | None]) -> None:
        """Hand it over."""
        del before
        for outlet in self.outlets:
            if outlet.lagging:
                outlet.passed()
            else:
                outlet.push(change, EVENT_BYTES)

    def _catch_up(self, outlet: Outlet, reason: str, now_ns: int) -> None:
        self._told.add(id(outlet))
        subject = self.book.instrument
        outlet.notify(
            Gap(venue=self.venue, topic=self.topic, instrument=subject, received_ns=now_ns, reason=reason)
        )
        if self.book.state == "live":
            snapshot = self.book.snapshot(venue=self.venue, received_ns=now_ns)
            levels = len(snapshot.bids) + len(snapshot.asks)
            outlet.push(snapshot, EVENT_BYTES + LEVEL_BYTES * levels)
            self._resynced(outlet, now_ns)

    def _resynced(self, outlet: Outlet, now_ns: int) -> None:
        # A snapshot that found no room was dropped: the subscriber lags now and is told so later.
        if id(outlet) in self._told and not outlet.lagging:
            self._told.discard(id(outlet))
            subject = self.book.instrument
            outlet.notify(
                Resynced(venue=self.venue, topic=self.topic, instrument=subject, received_ns=now_ns)
            )


class QuoteFeed(KeptFeed):
    """The best bid and ask of the kept book, whenever either changes; each quote stands alone."""

    def join(self, outlet: Outlet, now_ns: int) -> None:
        """A subscriber that comes late gets the present quote."""
        super().join(outlet, now_ns)
        if self.book.state == "live":
            outlet.push(self._quote(now_ns), EVENT_BYTES)

    def snapshot_kept(self, snapshot: BookSnapshot, weight_bytes: int) -> None:
        """A new book is a new quote, even where it is the same."""
        del weight_bytes
        self._emit(snapshot)

    def change_kept(self, change: BookChange, before: tuple[Level | None, Level | None]) -> None:
        """A quote only where the best of a side changed."""
        if (self.book.best_bid, self.book.best_ask) != before:
            self._emit(change)

    def _emit(self, cause: BookSnapshot | BookChange) -> None:
        quote = self._quote(cause.received_ns, cause)
        for outlet in self.outlets:
            outlet.push(quote, EVENT_BYTES)

    def _quote(self, now_ns: int, cause: BookSnapshot | BookChange | None = None) -> Quote:
        bid, ask = self.book.best_bid, self.book.best_ask
        return Quote(
            venue=self.venue,
            instrument=self.book.instrument,
            venue_time_ns=None if cause is None else cause.venue_time_ns,
            received_ns=now_ns,
            sequence=None if cause is None else cause.sequence,
            raw=None if cause is None else cause.raw,
            bid=None if bid is None else bid[0],
            bid_size=None if bid is None else bid[1],
            ask=None if ask is None else ask[0],
            ask_size=None if ask is None else ask[1],
        )
