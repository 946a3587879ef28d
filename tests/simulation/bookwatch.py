"""A book is right, or says that it is not: what a reader makes of a channel, against the server's own books."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import attrs

import trioquotes as tq
from tests.simulation.promises import Tally
from trioquotes.simulator.book import Rung
from trioquotes.simulator.bookkeeping import BookWitness, ToldBook

__all__ = ["BookPlace", "BookWatch", "LiveWatch", "OrderWatch", "ViewWatch"]

Sides = tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]


@attrs.frozen
class BookPlace:
    """Where the server's books of a topic are.

    Attributes:
        channel: as the venue calls it.
        instrument: whose book.
        mark: what a message is known by.
    """

    channel: str
    instrument: str
    mark: Callable[[tq.MarketEvent], int | None]

    def told(self, witness: BookWitness, event: tq.MarketEvent, since: int) -> tuple[ToldBook, ...]:
        """The server's books at messages that look like this one, from that ordinal on."""
        mark = self.mark(event)
        if mark is None:
            return witness.since(self.channel, self.instrument, since)
        told = witness.at(self.channel, self.instrument, mark)
        return tuple(one for one in told if one.ordinal >= since)

    def came_first(self, witness: BookWitness, event: tq.MarketEvent) -> bool:
        """Whether an event is older than the server's first message about the book."""
        mark, first = self.mark(event), witness.since(self.channel, self.instrument, 0)[:1]
        return not first or (mark is not None and first[0].mark is not None and mark < first[0].mark)


class BookWatch:
    """Believes a channel of a book blindly, and holds the book against the server's whenever it is to be right."""

    def __init__(self, name: str, place: BookPlace, witness: BookWitness, tally: Tally) -> None:
        self.name = name
        self.trusting = False
        self.told = False
        self.bids: dict[Decimal, Decimal] = {}
        self.asks: dict[Decimal, Decimal] = {}
        self._place = place
        self._witness = witness
        self._tally = tally
        self._newest = -1

    def take(self, event: tq.Event) -> None:
        """One event."""
        match event:
            case tq.Gap():
                self.trusting, self.told = False, True
            case tq.Resynced():
                self._check(self.told and self.trusting, "Resynced without Gap and snapshot")
                self.told = False
            case tq.BookSnapshot():
                self.bids, self.asks = dict(event.bids), dict(event.asks)
                self.trusting = True
                self._compare(event)
            case tq.BookChange():
                self._check(self.trusting, "a change of a book that nobody holds for right")
                self._check(not self.told, "a change between Gap and Resynced")
                for side, levels in ((self.bids, event.bids), (self.asks, event.asks)):
                    for price, size in levels:
                        if size:
                            side[price] = size
                        else:
                            side.pop(price, None)
                self._compare(event)
            case _:
                pass

    def _check(self, kept: bool, detail: object) -> None:
        self._tally.check("a book is right or says not", kept, lambda: f"{self.name}: {detail}")

    def _compare(self, event: tq.BookSnapshot | tq.BookChange) -> None:
        told = self._place.told(self._witness, event, max(self._newest, 0))
        same = [one for one in told if self._is(one)]
        if not told and self._newest < 0 and self._place.came_first(self._witness, event):
            return  # nothing had been told of this book yet
        if not same:
            detail = (
                differences(told[-1], self.bids, self.asks) if told else "no such message, or an older one"
            )
            self._check(False, f"not the server's book at {self._place.mark(event)}: {detail}")
        else:
            self._check(True, "")
            self._newest = same[0].ordinal

    def _is(self, told: ToldBook) -> bool:
        return dict(told.bids) == self.bids and dict(told.asks) == self.asks

    def is_right(self) -> bool:
        """Whether its book is the server's newest."""
        told = self._witness.latest(self._place.channel, self._place.instrument)
        return told is not None and self.trusting and not self.told and self._is(told)


Queue = tuple[tuple[str, Decimal], ...]
"""Orders at one price and what is left of each, first the one that trades first."""


class OrderWatch:
    """The same for a channel of a book by order: every order of it, in its place."""

    def __init__(self, name: str, place: BookPlace, witness: BookWitness, tally: Tally) -> None:
        self.name = name
        self.trusting = False
        self.told = False
        self._queues: dict[tuple[tq.BookSide, Decimal], dict[str, Decimal]] = {}
        self._where: dict[str, tuple[tq.BookSide, Decimal]] = {}
        self._place = place
        self._witness = witness
        self._tally = tally
        self._newest = -1

    def take(self, event: tq.Event) -> None:
        """One event."""
        match event:
            case tq.Gap():
                self.trusting, self.told = False, True
            case tq.Resynced():
                self._check(self.told and self.trusting, "Resynced without Gap and snapshot")
                self.told = False
            case tq.OrderBookSnapshot():
                self._queues.clear()
                self._where.clear()
                sides: tuple[tuple[tq.BookSide, tuple[tq.RestingOrder, ...]], ...] = (
                    ("bid", event.bids),
                    ("ask", event.asks),
                )
                for side, orders in sides:
                    for price, size, order_id in orders:
                        self._rest(order_id, (side, price), size)
                self.trusting = True
                self._compare(event)
            case tq.OrderBookChange():
                self._check(self.trusting, "a change of a book that nobody holds for right")
                self._check(not self.told, "a change between Gap and Resynced")
                self._change(event)
                self._compare(event)
            case _:
                pass

    def _change(self, event: tq.OrderBookChange) -> None:
        where = self._where.get(event.order_id)
        size = event.size or Decimal(0)
        if event.action == "open":
            assert event.side is not None
            assert event.price is not None
            self._rest(event.order_id, (event.side, event.price), size)
        elif where is None:
            self._check(
                event.action == "done", f"{event.action} of an order that does not rest: {event!r:.300}"
            )
        elif event.action == "match":
            left = self._queues[where][event.order_id] - size
            if left:
                self._queues[where][event.order_id] = left
            else:
                self._leave(event.order_id)
        elif event.action == "done":
            self._leave(event.order_id)
        elif event.price in {None, where[1]} and size <= self._queues[where][event.order_id]:
            self._queues[where][event.order_id] = size
        else:  # a larger order, or one at another price, queues up again
            self._leave(event.order_id)
            self._rest(event.order_id, (where[0], event.price or where[1]), size)

    def _rest(self, order_id: str, where: tuple[tq.BookSide, Decimal], size: Decimal) -> None:
        self._queues.setdefault(where, {})[order_id] = size
        self._where[order_id] = where

    def _leave(self, order_id: str) -> None:
        where = self._where.pop(order_id)
        queue = self._queues[where]
        del queue[order_id]
        if not queue:
            del self._queues[where]

    def _compare(self, event: tq.OrderBookSnapshot | tq.OrderBookChange) -> None:
        told = self._place.told(self._witness, event, max(self._newest, 0))
        same = next((one for one in told if self._is(one)), None)
        self._check(
            same is not None,
            f"not the server's book at {event.sequence}, of {len(told)} there: {event!r:.300}",
        )
        if same is not None:
            self._newest = same.ordinal

    def _is(self, told: ToldBook) -> bool:
        ours = {where: tuple(queue.items()) for where, queue in self._queues.items()}
        sides: tuple[tuple[tq.BookSide, tuple[Rung, ...]], ...] = (("bid", told.buys), ("ask", told.sells))
        theirs: dict[tuple[tq.BookSide, Decimal], Queue] = {
            (side, rung.price): rung.orders for side, rungs in sides for rung in rungs
        }
        return ours == theirs

    def _check(self, kept: bool, detail: str) -> None:
        self._tally.check("a book is right or says not", kept, lambda: f"{self.name}: {detail}")

    def is_right(self) -> bool:
        """Whether its book is the server's newest."""
        told = self._witness.latest(self._place.channel, self._place.instrument)
        return told is not None and self.trusting and not self.told and self._is(told)


class LiveWatch:
    """Looks at a live book at any moment: while it is live it shows the server's, never an older one than before."""

    def __init__(self, name: str, place: BookPlace, witness: BookWitness, tally: Tally) -> None:
        self.name = name
        self._place = place
        self._witness = witness
        self._tally = tally
        self._newest = -1

    def look(self, book: tq.BookView) -> None:
        """The book as it is now."""
        bids, asks = book.levels("bid"), book.levels("ask")
        if book.state != "live":
            self._check(not bids and not asks, f"{book.state}, and shows levels")
            return
        self._check(
            (book.best_bid, book.best_ask) == (bids[:1] or (None,)) + (asks[:1] or (None,)), "best prices"
        )
        told = self._witness.since(self._place.channel, self._place.instrument, max(self._newest, 0))
        same = next((one for one in reversed(told) if (one.bids, one.asks) == (bids, asks)), None)
        if same is None and self._newest < 0:
            return  # as of before the server's first message about it; it must have caught up at the end
        self._check(same is not None, "shows none of the server's books since the last look")
        if same is not None:
            self._newest = max(self._newest, same.ordinal)

    def is_right(self, book: tq.BookView) -> bool:
        """Whether it shows the server's newest."""
        told = self._witness.latest(self._place.channel, self._place.instrument)
        if told is None or book.state != "live":
            return False
        return (told.bids, told.asks) == (book.levels("bid"), book.levels("ask"))

    def _check(self, kept: bool, detail: str) -> None:
        self._tally.check("a book is right or says not", kept, lambda: f"{self.name}: {detail}")


class ViewWatch:
    """Holds quotes and views of the best levels against the server's books."""

    def __init__(self, name: str, place: BookPlace, witness: BookWitness, tally: Tally) -> None:
        self._name = name
        self._place = place
        self._witness = witness
        self._tally = tally

    def take(self, event: tq.Event) -> None:
        """One event."""
        if not isinstance(event, tq.Quote | tq.Depth) or self._place.mark(event) is None:
            return  # a view for who joined late says nothing of its time
        told = self._place.told(self._witness, event, 0)
        self._tally.check(
            "a book is right or says not", any(shows(event, one) for one in told),
            lambda: f"{self._name}: {event!r:.400} is not what the server had: {told[:1]!r:.300}",
        )  # fmt: skip


def shows(event: tq.Quote | tq.Depth, told: ToldBook) -> bool:
    """Whether a view is one of this book."""
    if isinstance(event, tq.Depth):
        return (event.bids, event.asks) == (told.bids[: event.levels], told.asks[: event.levels])
    sides = ((event.bid, event.bid_size, told.bids), (event.ask, event.ask_size, told.asks))
    return all((price, size) == (levels[0] if levels else (None, None)) for price, size, levels in sides)


def differences(told: ToldBook, bids: dict[Decimal, Decimal], asks: dict[Decimal, Decimal]) -> str:
    """The first levels that are not the same."""
    found = [f"message {told.ordinal}, mark {told.mark}"]
    for name, ours, theirs in (("bid", bids, dict(told.bids)), ("ask", asks, dict(told.asks))):
        wrong = sorted(price for price in ours.keys() | theirs.keys() if ours.get(price) != theirs.get(price))
        found += [
            f"{name} {price}: ours {ours.get(price)}, the server's {theirs.get(price)}" for price in wrong[:4]
        ]
    return "; ".join(found)
