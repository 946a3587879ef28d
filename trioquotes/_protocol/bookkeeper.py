"""Feeds that keep a book: what they hand over is right, or they said before that it is not.

``Gap`` is queued at the moment of loss; between ``Gap`` and ``Resynced`` no change of that book is
delivered. A subscriber that lagged, or came late, gets ``Gap``, a snapshot of the kept book, ``Resynced``.
Books by order are in ``ordering``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Generic, TypeAlias, TypeVar

from msgspec.structs import replace

from trioquotes._protocol.audit import Watch
from trioquotes._protocol.effects import Serving, Skip
from trioquotes._protocol.feeds import BYTES_PER_WIRE_BYTE, EVENT_BYTES, PASSED, EventFeed, Upstream
from trioquotes._protocol.outlet import Outlet
from trioquotes.books import BookError, OrderBook, OrderBookL3
from trioquotes.events import (
    Audited,
    BookChange,
    BookSnapshot,
    Event,
    Gap,
    Level,
    OrderBookChange,
    OrderBookSnapshot,
    Resynced,
    WireMessage,
)
from trioquotes.topics import Topic

if TYPE_CHECKING:
    from trioquotes._protocol.route import Carrier, Route, Take

__all__ = ["BookFeed", "KeptFeed", "PriceFeed", "ServedBook"]

AWAITING_SNAPSHOT = "awaiting snapshot"
"""Why a change that came before its book's snapshot made no event."""

BROKEN = "broken book"
"""Why the message that broke its book made no event; the ``Gap`` has the details."""

LEVEL_BYTES = 300
"""What one level weighs in memory: a pair and two ``Decimal``."""

_NOTHING: Final = Decimal(0)

_AnySnapshot: TypeAlias = BookSnapshot | OrderBookSnapshot
_AnyChange: TypeAlias = BookChange | OrderBookChange
B = TypeVar("B", OrderBook, OrderBookL3)


class KeptFeed(EventFeed, Generic[B]):
    """Keeps one book from the snapshots and changes that its unifier makes.

    Attributes:
        book: the kept book.
        watch: takes note of what the book shows while it is audited.
    """

    book: B

    def __init__(self, venue: str, topic: Topic[Event], serving: Serving) -> None:
        super().__init__(venue, topic, serving)
        self.watch: Watch | None = None

    def take(self, message: WireMessage, up: Upstream) -> str | None:
        """Keep the book, then hand over; what would make it wrong becomes a gap instead."""
        return self._take_made(self._unify(message, up.receipt), up)

    def _take_made(self, made: Event | tuple[Event, ...] | Skip, up: Upstream) -> str | None:
        if isinstance(made, Skip):
            if made.breaks and self.book.state == "live":
                self._broken(made.reason, up.receipt.received_ns, up)
            return made.reason
        try:
            return self._keep(made, up)
        except BookError as error:
            return self._broken(str(error), up.receipt.received_ns, up)

    def direct(self, lane: Carrier, route: Route) -> Take | None:
        """There is none: what a message does to the book is to be seen first."""
        del lane, route
        return None

    @abstractmethod
    def _keep(self, made: object, up: Upstream) -> str | None:
        """Apply an event of the unifier and hand it over; returns why not.

        Raises:
            BookError: the book cannot take it.
        """

    @property
    def awaits_snapshot(self) -> bool:
        """Whether changes are of no use yet."""
        return self.book.state != "live"

    def interrupted(self, reason: str, now_ns: int) -> bool:
        """A book that is not right has said so already."""
        return not self.awaits_snapshot and super().interrupted(reason, now_ns)

    def gap(self, reason: str, now_ns: int, *, missed: int | None = None, instrument: str = "") -> None:
        """The kept book is broken until its next snapshot; an audit of it is void."""
        self.watch = None
        self.book.invalidate(reason)
        super().gap(reason, now_ns, missed=missed, instrument=instrument)

    def judge(self, fetched: _AnySnapshot, now_ns: int, up: Upstream) -> int | None:
        """End the audit: a book that differs from the fresh snapshot says so and is asked for anew.

        Returns:
            On how many levels the two differ; ``None`` where the audit was void.
        """
        watch, self.watch = self.watch, None
        if watch is None:
            return None
        findings = watch.compare(self.book, fetched)
        if findings.differing:
            self.notify(
                Audited(
                    venue=self.venue,
                    topic=self.topic,
                    instrument=self.book.instrument,
                    received_ns=now_ns,
                    compared=findings.compared,
                    differing=findings.differing,
                    differences=findings.differences,
                )
            )
            words = f"the audit found {findings.differing} of {findings.compared} levels wrong"
            self._broken(words, now_ns, up)
        return findings.differing

    def _check(self) -> None:
        """What no book may show outside of an auction."""
        bid, ask = self.book.best_bid, self.book.best_ask
        if bid is not None and ask is not None and bid[0] >= ask[0]:
            raise BookError("locked book" if bid[0] == ask[0] else "crossed book")

    def _broken(self, reason: str, now_ns: int, up: Upstream) -> str:
        up.book_gap()
        self.gap(reason, now_ns)
        for channel in self.serving.channels:
            up.resync(channel)
        return BROKEN


class PriceFeed(KeptFeed[OrderBook]):
    """Keeps a book by price."""

    def __init__(self, venue: str, topic: Topic[Event], serving: Serving) -> None:
        super().__init__(venue, topic, serving)
        self.book = OrderBook(serving.only or topic.subject, verify=serving.verify)

    def direct(self, lane: Carrier, route: Route) -> Take | None:
        """What :meth:`take` and its caller do, in one step for a change of a book that is right."""
        if lane.keeps_frames:
            return None
        tally, book, begun = lane.tally, self.book, lane.receipt
        remembers = self.serving.remembers
        bid, ask = book.best_bid, book.best_ask  # the two that were looked at last

        def take(message: WireMessage, elements: int = 1, instrument: str = "") -> None:  # noqa: ARG001  # as of Take
            nonlocal begun, bid, ask
            route.last = message if remembers else PASSED
            receipt = lane.receipt
            made = self._unify(message, receipt)
            if type(made) is BookChange and book.state == "live" and self.watch is None:
                try:
                    book.apply(made)
                    taken = made if book.window is None else self._with_fallen(made)
                    if book.best_bid is not bid or book.best_ask is not ask:
                        self._check()
                        bid, ask = book.best_bid, book.best_ask
                except BookError as error:
                    reason: str | None = self._broken(str(error), receipt.received_ns, lane)
                else:
                    self.change_kept(taken)
                    reason = None
            else:
                reason = self._take_made(made, lane)
            if reason is not None:
                lane.carried()
                tally.ignored[reason] += elements
                return
            if begun is not receipt:  # the first of this socket read
                begun = receipt
                lane.began(self)
            tally.delivered += 1
            if elements != 1:
                tally.folded += elements - 1

        return take

    def _keep(self, made: object, up: Upstream) -> str | None:
        book = self.book
        # The quick question first: one for a Struct's class asks its metaclass.
        if type(made) is not BookSnapshot and isinstance(made, BookChange):
            if book.state != "live":
                return AWAITING_SNAPSHOT
            book.apply(made)
            taken = self._with_fallen(made)
            self._check()
            if self.watch is not None:
                self.watch.change(taken)
            self.change_kept(taken)
            return None
        if not isinstance(made, BookSnapshot):
            raise TypeError(f"the unifier of a book made {type(made).__name__}")
        book.apply(made)
        self._check()
        if self.watch is not None:
            self.watch.replace(made)
        self.snapshot_kept(made, EVENT_BYTES + BYTES_PER_WIRE_BYTE * up.frame_bytes)
        return None

    def _with_fallen(self, change: BookChange) -> BookChange:
        """The last change with the removal of what it moved out of the window, so that it may be applied blindly."""
        book = self.book
        if book.window is None or not (book.fallen_bids or book.fallen_asks):
            return change
        return replace(
            change,
            bids=change.bids + _removals(book.fallen_bids),
            asks=change.asks + _removals(book.fallen_asks),
        )

    def shares_book(self, other: PriceFeed) -> bool:
        """Whether this one keeps, live, the very book that the other one needs: not a narrower or wider one."""
        return self.book.state == "live" and self._book_key() == other._book_key()

    def _book_key(self) -> object:
        return self.serving.channels, self.serving.only, self.serving.depth

    def adopt(self, sibling: PriceFeed) -> None:
        """Start from the live book that another topic keeps of the same channels: no snapshot will come for this one."""
        self.book.apply(sibling.book.snapshot(venue=self.venue, received_ns=0))
        self.served = True  # its subscribers are shown that book: a lost line leaves a gap

    @abstractmethod
    def snapshot_kept(self, snapshot: BookSnapshot, weight_bytes: int) -> None:
        """The book was replaced and is right."""

    @abstractmethod
    def change_kept(self, change: BookChange) -> None:
        """The book was changed and is right."""


def _removals(fallen: Sequence[Level]) -> tuple[Level, ...]:
    return tuple((price, _NOTHING) for price, _ in fallen)


class ServedBook(KeptFeed[B]):
    """A kept book whose snapshots and changes are handed over as they are."""

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

    def hand_over_snapshot(self, snapshot: _AnySnapshot, weight_bytes: int) -> None:
        """To every subscriber, with ``Resynced`` to those who were told of a gap."""
        for outlet in self.outlets:
            if outlet.lagging:
                outlet.passed()
                continue
            outlet.push(snapshot, weight_bytes)
            self._resynced(outlet, snapshot.received_ns)

    def hand_over_change(self, change: _AnyChange) -> None:
        """To every subscriber that follows."""
        self.lag.saw(change)
        for outlet in self.outlets:
            if outlet.lagging:
                outlet.passed()
            else:
                outlet.push(change, EVENT_BYTES)

    @abstractmethod
    def whole(self, now_ns: int) -> _AnySnapshot:
        """The kept book, which is live, as an event."""

    def _catch_up(self, outlet: Outlet, reason: str, now_ns: int) -> None:
        self._told.add(id(outlet))
        subject = self.book.instrument
        outlet.notify(
            Gap(venue=self.venue, topic=self.topic, instrument=subject, received_ns=now_ns, reason=reason)
        )
        if self.book.state == "live":
            snapshot = self.whole(now_ns)
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


class BookFeed(ServedBook[OrderBook], PriceFeed):
    """The snapshots and changes of a book by price."""

    def __init__(self, venue: str, topic: Topic[Event], serving: Serving) -> None:
        super().__init__(venue, topic, serving)
        self._last: BookSnapshot | BookChange | None = None

    def snapshot_kept(self, snapshot: BookSnapshot, weight_bytes: int) -> None:
        """Hand it over."""
        self._last = snapshot
        self.lag.saw(snapshot)
        self.hand_over_snapshot(snapshot, weight_bytes)

    def change_kept(self, change: BookChange) -> None:
        """Hand it over: :meth:`hand_over_change` written out, since this is where nearly all changes go."""
        self._last = self.lag.last = change
        if self.lag.first is None:
            self.lag.first = change
        for outlet in self.outlets:
            if outlet.lagging:
                outlet.passed()
            else:
                outlet.push(change, EVENT_BYTES)

    def whole(self, now_ns: int) -> BookSnapshot:
        """The kept book as a snapshot, with the counter and the venue's time of the last event in it."""
        last = self._last
        return self.book.snapshot(
            venue=self.venue,
            received_ns=now_ns,
            venue_time_ns=None if last is None else last.venue_time_ns,
            sequence=None if last is None else last.sequence,
        )
