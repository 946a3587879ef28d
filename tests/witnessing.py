"""Followers of live books: they apply blindly what a session delivers, and hold it against the server's own books.

The simulator's witness says what the server's book was at each message that it published. A follower finds that
message by what the venue puts on it, and its book has to be the same whenever it holds it for right.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, ClassVar, TypeAlias

import attrs

import trioquotes as tq
from tests.venues.bookcheck import OrderReader, Reader
from trioquotes.simulator.bookkeeping import BookWitness, Levels, ToldBook

__all__ = [
    "BookFollower",
    "ByCounter",
    "ByCounterFromTheTop",
    "ByPlace",
    "ByTime",
    "Judge",
    "OrderFollower",
    "ViewFollower",
    "by_price",
]

WEIGHT_BYTES = 1

Side: TypeAlias = dict[Decimal, Decimal]


def by_price(told: ToldBook) -> tuple[Side, Side]:
    """Both sides of the server's book."""
    return dict(told.bids), dict(told.asks)


class Judge(ABC):
    """Finds the server's book at the message of an event.

    Args:
        witness: the simulator's.
        channel: as the venue calls it.
        instrument: whose book.
    """

    def __init__(self, witness: BookWitness, channel: str, instrument: str) -> None:
        self.witness = witness
        self.channel = channel
        self.instrument = instrument

    @abstractmethod
    def mark(self, event: tq.MarketEvent) -> int | None:
        """What the message is known by."""

    @abstractmethod
    def judge(self, event: tq.MarketEvent, bids: Side, asks: Side) -> None:
        """Raise ``AssertionError`` where this is not the server's book at this message."""

    def told(self, event: tq.MarketEvent) -> tuple[ToldBook, ...]:
        """The server's books at messages that look like this one: any, the newest first, where nothing tells."""
        mark = self.mark(event)
        if mark is None:
            return self.witness.since(self.channel, self.instrument, 0)[::-1]
        return self.witness.at(self.channel, self.instrument, mark)

    def same(self, told: ToldBook, bids: Side, asks: Side) -> bool:
        """Whether a client's book is the server's."""
        return by_price(told) == (bids, asks)

    def latest(self) -> ToldBook:
        """The server's book at its newest message."""
        told = self.witness.latest(self.channel, self.instrument)
        assert told is not None, "the server never told of this book"
        return told


class ByCounter(Judge):
    """For venues whose messages have a counter: never back, and to each number one book."""

    last = -1

    def mark(self, event: tq.MarketEvent) -> int | None:
        return event.sequence

    def judge(self, event: tq.MarketEvent, bids: Side, asks: Side) -> None:
        mark = self.mark(event)
        assert mark is not None
        assert mark >= self.last or isinstance(event, tq.BookSnapshot), f"{mark} after {self.last}"
        self.last = mark
        told = self.told(event)
        assert told, f"the server never told of {mark}, or long ago"
        assert all(self.same(one, bids, asks) for one in told), differences(told[-1], bids, asks)


class ByCounterFromTheTop(ByCounter):
    """The same for a book of which a client only learns the best levels: nothing between them may be missing."""

    at_least: ClassVar[int] = 200

    def same(self, told: ToldBook, bids: Side, asks: Side) -> bool:
        known = ((bids, told.bids), (asks, told.asks))
        enough = all(len(ours) >= self.at_least for ours, _ in known)
        return enough and all(ours == dict(theirs[: len(ours)]) for ours, theirs in known)


class ByTime(Judge):
    """For venues whose messages have a time, and each a whole book."""

    last = -1

    def mark(self, event: tq.MarketEvent) -> int | None:
        return event.venue_time_ns

    def judge(self, event: tq.MarketEvent, bids: Side, asks: Side) -> None:
        told = [one for one in self.told(event) if one.ordinal >= self.last]
        assert told, f"no such time, or older than what came before: {event.venue_time_ns}"
        same = [one for one in told if by_price(one) == (bids, asks)]
        assert same, differences(told[-1], bids, asks)
        self.last = same[0].ordinal


class ByPlace(Judge):
    """For venues whose messages have nothing but their order, and a time that several may share.

    After a snapshot each message has to be the next that the server sent; one that came twice changes nothing.

    Attributes:
        repeated: how many messages came twice.
    """

    place = -1
    repeated = 0

    def mark(self, event: tq.MarketEvent) -> int | None:
        return event.venue_time_ns

    def judge(self, event: tq.MarketEvent, bids: Side, asks: Side) -> None:
        whole = isinstance(event, tq.BookSnapshot)
        mark, later = self.mark(event), self.witness.since(self.channel, self.instrument, self.place + 1)
        fitting = [one for one in later if one.whole is whole]
        if whole:
            fitting = [one for one in fitting if by_price(one) == (bids, asks)]
            assert fitting, "a snapshot that the server never sent"
        elif not fitting or fitting[0].mark != mark or by_price(fitting[0]) != (bids, asks):
            (last,) = self.witness.since(self.channel, self.instrument, self.place)[:1]
            assert (last.mark, *by_price(last)) == (mark, bids, asks), differences(
                fitting[0] if fitting else last, bids, asks
            )
            self.repeated += 1
            return
        assert fitting[0].mark == mark
        self.place = fitting[0].ordinal


def differences(told: ToldBook, bids: Side, asks: Side) -> str:
    """The first levels that are not the same, for the reader of a failed test."""
    found = [f"message {told.ordinal}, mark {told.mark}"]
    for name, ours, theirs in (("bid", bids, dict(told.bids)), ("ask", asks, dict(told.asks))):
        wrong = sorted(p for p in ours.keys() | theirs.keys() if ours.get(p) != theirs.get(p))
        found += [f"{name} {p}: ours {ours.get(p)}, the server's {theirs.get(p)}" for p in wrong[:5]]
    return "; ".join(found)


@attrs.define
class Figures:
    """What a follower saw.

    Attributes:
        compared: how often the book was held against the server's.
        gaps: how often it was told that the book may be wrong.
        alarms: how often an audit found the book wrong.
        reasons: of the gaps.
    """

    compared: int = 0
    gaps: int = 0
    alarms: int = 0
    reasons: set[str] = attrs.field(factory=set)


class Follower(ABC):
    """Reads one topic to its end.

    Args:
        judge: finds the server's book.

    Attributes:
        is_old: whether the book is not the server's newest at the moment: what an audit rightly finds.
    """

    is_old: Callable[[], bool]

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self.figures = Figures()

    async def run(self, events: tq.Channel[Any]) -> None:
        """Follow until cancelled."""
        async for event in events:
            self.take(event)

    def take(self, event: tq.Event) -> None:
        """One event."""
        assert not isinstance(event, tq.Lagged), "the follower of a simulation never lags"
        if isinstance(event, tq.Gap):
            self.figures.gaps += 1
            self.figures.reasons.add(event.reason)
        if isinstance(event, tq.Audited):
            self.figures.alarms += 1
            assert self.is_old(), f"a false alarm: {event}"
        self.follow(event)

    @abstractmethod
    def follow(self, event: tq.Event) -> None:
        """Apply it, and compare."""


class BookFollower(Follower):
    """Keeps a book by price."""

    def __init__(self, judge: Judge) -> None:
        super().__init__(judge)
        self.reader = Reader(tq.Books(judge.instrument))

    def follow(self, event: tq.Event) -> None:
        reader = self.reader
        reader.events.clear()
        if isinstance(event, tq.Notice):
            reader.notify(event)
            return
        assert isinstance(event, tq.BookSnapshot | tq.BookChange)
        reader.push(event, WEIGHT_BYTES)
        self.judge.judge(event, reader.bids, reader.asks)
        self.figures.compared += 1

    def agrees_with(self, book: tq.BookView) -> bool:
        """Whether a book that the session keeps is the same, or as little trusted."""
        if not self.reader.trusting:
            return book.state != "live" and not book.levels("bid")
        return book.state == "live" and self.reader.agrees(dict(book.levels("bid")), dict(book.levels("ask")))

    def is_right(self) -> bool:
        """Whether its book is the server's newest."""
        reader = self.reader
        return reader.trusting and self.judge.same(self.judge.latest(), reader.bids, reader.asks)


class ViewFollower(Follower):
    """Compares quotes and views of the best levels: each has to be what the server had at that message."""

    def __init__(self, judge: Judge) -> None:
        super().__init__(judge)
        self.last: tq.Event | None = None

    def follow(self, event: tq.Event) -> None:
        if isinstance(event, tq.Notice):
            self.last = None if isinstance(event, tq.Gap) else self.last
            return
        assert isinstance(event, tq.Quote | tq.Depth)
        told = self.judge.told(event)
        assert told, f"the server never told of this: {event}"
        assert any(shows(event, one.bids, one.asks) for one in told), (
            f"{event} is not what the server had: {told[0]}"
        )
        self.last = event
        self.figures.compared += 1

    def agrees_with(self, book: Reader) -> bool:
        """Whether the last view is that of a reader's book, if both are trusted: no view of it was left out."""
        if self.last is None or not book.trusting:
            return True
        assert isinstance(self.last, tq.Quote | tq.Depth)
        bids, asks = sorted(book.bids.items(), reverse=True), sorted(book.asks.items())
        return shows(self.last, tuple(bids), tuple(asks))

    def is_right(self) -> bool:
        """Whether the last view is the server's newest."""
        told = self.judge.latest()
        return isinstance(self.last, tq.Quote | tq.Depth) and shows(self.last, told.bids, told.asks)


def shows(event: tq.Quote | tq.Depth, bids: Levels, asks: Levels) -> bool:
    """Whether a view is one of this book."""
    if isinstance(event, tq.Depth):
        return (event.bids, event.asks) == (bids[: event.levels], asks[: event.levels])
    sides = ((event.bid, event.bid_size, bids), (event.ask, event.ask_size, asks))
    return all((price, size) == (levels[0] if levels else (None, None)) for price, size, levels in sides)


class OrderFollower(Follower):
    """Keeps a book by order; each number of the venue's sequence stands for one book."""

    def __init__(self, judge: Judge) -> None:
        super().__init__(judge)
        self.reader = OrderReader(tq.OrderBooks(judge.instrument))

    def follow(self, event: tq.Event) -> None:
        reader = self.reader
        reader.events.clear()
        if isinstance(event, tq.Notice):
            reader.notify(event)
            return
        assert isinstance(event, tq.OrderBookSnapshot | tq.OrderBookChange)
        reader.push(event, WEIGHT_BYTES)
        (told,) = self.judge.told(event)
        assert reader.orders == orders_of(told), order_differences(reader.orders, orders_of(told))
        aggregated: dict[str, dict[Decimal, Decimal]] = {"bid": {}, "ask": {}}
        for side, price, size in reader.orders.values():
            aggregated[side][price] = aggregated[side].get(price, Decimal(0)) + size
        assert (aggregated["bid"], aggregated["ask"]) == by_price(told)
        self.figures.compared += 1

    def agrees_with(self, book: tq.BookView) -> bool:
        """Whether a book that the session keeps is the same by price, or as little trusted."""
        if not self.reader.trusting:
            return book.state != "live" and not book.levels("bid")
        told = self.judge.witness.at(self.judge.channel, self.judge.instrument, self.reader.sequence)
        return book.state == "live" and (dict(book.levels("bid")), dict(book.levels("ask"))) == by_price(
            told[0]
        )

    def is_right(self) -> bool:
        """Whether its book is the server's newest."""
        return self.reader.trusting and self.reader.orders == orders_of(self.judge.latest())


def orders_of(told: ToldBook) -> dict[str, tuple[str, Decimal, Decimal]]:
    """Every order of the server's book: side, price, what remains."""
    sides: Iterable[tuple[str, Any]] = (("bid", told.buys), ("ask", told.sells))
    return {
        name: (side, rung.price, size)
        for side, rungs in sides
        for rung in rungs
        for name, size in rung.orders
    }


def order_differences(ours: dict[str, Any], theirs: dict[str, Any]) -> str:
    """The first orders that are not the same, for the reader of a failed test."""
    wrong = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    return "; ".join(f"{name}: ours {ours.get(name)}, the server's {theirs.get(name)}" for name in wrong[:5])
