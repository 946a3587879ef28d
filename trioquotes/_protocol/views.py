"""Feeds that show a part of a kept book: the best bid and ask, or the best levels."""

from __future__ import annotations

from abc import abstractmethod

from trioquotes._protocol.bookkeeper import PriceFeed
from trioquotes._protocol.effects import Serving
from trioquotes._protocol.feeds import EVENT_BYTES
from trioquotes._protocol.outlet import Outlet
from trioquotes.events import BookChange, BookSnapshot, Depth, Event, Quote
from trioquotes.topics import Depths, Topic

__all__ = ["DepthFeed", "QuoteFeed", "ViewFeed"]


class ViewFeed(PriceFeed):
    """What can be seen of the kept book, whenever it changes; each view stands alone."""

    def __init__(self, venue: str, topic: Topic[Event], serving: Serving) -> None:
        super().__init__(venue, topic, serving)
        self._shown: object = None  # what the last view showed; None before the first one and after a gap

    def join(self, outlet: Outlet, now_ns: int) -> None:
        """A subscriber that comes late gets the present view."""
        super().join(outlet, now_ns)
        if self.book.state == "live":
            self._shown = self.seen()  # also of a book that was adopted
            outlet.push(self.view(now_ns), EVENT_BYTES)

    def gap(self, reason: str, now_ns: int, *, missed: int | None = None, instrument: str = "") -> None:
        """After it the first view comes, even where it is the same."""
        self._shown = None
        super().gap(reason, now_ns, missed=missed, instrument=instrument)

    def snapshot_kept(self, snapshot: BookSnapshot, weight_bytes: int) -> None:
        """A view where it shows something else: a venue may send the whole book over and over."""
        del weight_bytes
        self._look(snapshot)

    def change_kept(self, change: BookChange) -> None:
        """A view only where it shows something else."""
        self._look(change)

    def _look(self, cause: BookSnapshot | BookChange) -> None:
        """Hand the present view over, if it is another one."""
        seen = self.seen()
        if seen == self._shown:
            return
        self._shown = seen
        view = self.view(cause.received_ns, cause)
        self.lag.saw(view)
        for outlet in self.outlets:
            outlet.push(view, EVENT_BYTES)

    @abstractmethod
    def seen(self) -> object:
        """What a view shows now."""

    @abstractmethod
    def view(self, now_ns: int, cause: BookSnapshot | BookChange | None = None) -> Event:
        """The view of the book, which is live."""


class QuoteFeed(ViewFeed):
    """The best bid and ask of the kept book."""

    def seen(self) -> object:
        """The best of both sides."""
        return self.book.best_bid, self.book.best_ask

    def view(self, now_ns: int, cause: BookSnapshot | BookChange | None = None) -> Quote:
        """The present quote."""
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


class DepthFeed(ViewFeed):
    """The best levels of the kept book."""

    def __init__(self, venue: str, topic: Topic[Event], serving: Serving) -> None:
        super().__init__(venue, topic, serving)
        if not isinstance(topic, Depths):
            raise TypeError(f"a view of the best levels is asked for with Depths, not with {topic!r}")
        self._levels = topic.levels

    def seen(self) -> object:
        """The levels asked for."""
        return self.book.depth(self._levels)

    def view(self, now_ns: int, cause: BookSnapshot | BookChange | None = None) -> Depth:
        """The present view."""
        bids, asks = self.book.depth(self._levels)
        return Depth(
            venue=self.venue,
            instrument=self.book.instrument,
            venue_time_ns=None if cause is None else cause.venue_time_ns,
            received_ns=now_ns,
            sequence=None if cause is None else cause.sequence,
            raw=None if cause is None else cause.raw,
            bids=bids,
            asks=asks,
            levels=self._levels,
        )
