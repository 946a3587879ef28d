"""What every venue's books are judged by: a reader who trusts the channel, and a naive model of the server's book.

The reader applies blindly what it is given, and believes that its book is right from a snapshot on until a ``Gap``.
Whenever it believes so, its book has to equal the model's. A venue's ``play`` takes one source of chance, so that
hypothesis can shrink it and a plain loop can run very many.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping
from decimal import Decimal

from hypothesis import settings

from tests.venues.bench import Outbox
from trioquotes.events import (
    BookChange,
    BookSnapshot,
    Event,
    Gap,
    Notice,
    OrderBookChange,
    OrderBookSnapshot,
    Resynced,
)
from trioquotes.topics import Topic

__all__ = ["CASES", "Levels", "OrderReader", "Reader", "many"]

Levels = dict[Decimal, Decimal]

_MEASURED = 50  # cases while coverage is measured: more reach no more branches


def _cases() -> int:
    """How many plays a family of books gets: ``TRIOQUOTES_BOOK_CASES``, or a share that CI can afford."""
    said = os.environ.get("TRIOQUOTES_BOOK_CASES")
    if said is not None:
        return int(said)
    return _MEASURED if settings().max_examples < 100 else 1000


CASES = _cases()


def many(play: Callable[[random.Random], object], *, cases: int | None = None, start: int = 0) -> None:
    """Run a play with one seed after the other; the seed of one that fails stands in its note."""
    for seed in range(start, start + (CASES if cases is None else cases)):
        try:
            play(random.Random(seed))  # noqa: S311  # decides a play, keeps no secret
        except BaseException as error:
            error.add_note(f"seed {seed}: play(random.Random({seed})) replays it")
            raise


class Reader(Outbox):
    """Believes its channel of a book by price, and keeps the simplest book there is."""

    def __init__(self, topic: Topic[Event]) -> None:
        super().__init__(topic)
        self.trusting = False  # whether it holds its book for right
        self.told = False  # whether it was told of a gap and not yet of the end of it
        self.bids: Levels = {}
        self.asks: Levels = {}
        self.gaps: list[str] = []
        self.applied = 0

    def push(self, event: Event, weight_bytes: int) -> None:
        super().push(event, weight_bytes)
        match event:
            case BookSnapshot():
                assert len(dict(event.bids)) == len(event.bids), "a price is twice in a snapshot"
                assert event.bids == tuple(sorted(event.bids, reverse=True)), "bids are not best first"
                assert event.asks == tuple(sorted(event.asks)), "asks are not best first"
                self.bids, self.asks = dict(event.bids), dict(event.asks)
                self.trusting = True
            case BookChange():
                assert self.trusting, "a change for a book that nobody holds for right"
                assert not self.told, "a change between Gap and Resynced"
                _set(self.bids, event.bids)
                _set(self.asks, event.asks)
            case _:
                raise AssertionError(f"a book's channel brought {event!r}")
        self.applied += 1

    def notify(self, notice: Notice) -> None:
        super().notify(notice)
        if isinstance(notice, Gap):
            self.trusting, self.told = False, True
            self.gaps.append(notice.reason)
        elif isinstance(notice, Resynced):
            assert self.told, "Resynced without Gap"
            assert self.trusting, "Resynced before its snapshot"
            self.told = False

    def agrees(self, bids: Mapping[Decimal, Decimal], asks: Mapping[Decimal, Decimal]) -> bool:
        """Whether its book equals the model's; compare only while it is ``trusting``."""
        return self.bids == bids and self.asks == asks


class OrderReader(Outbox):
    """Believes its channel of a book by order, and keeps the simplest such book."""

    def __init__(self, topic: Topic[Event]) -> None:
        super().__init__(topic)
        self.trusting = False
        self.told = False
        self.orders: dict[str, tuple[str, Decimal, Decimal]] = {}  # side, price, size; in order of arrival
        self.sequence: int | None = None
        self.gaps: list[str] = []
        self.applied = 0

    def push(self, event: Event, weight_bytes: int) -> None:
        super().push(event, weight_bytes)
        match event:
            case OrderBookSnapshot():
                self.orders = {oid: ("bid", price, size) for price, size, oid in event.bids}
                self.orders |= {oid: ("ask", price, size) for price, size, oid in event.asks}
                self.trusting = True
            case OrderBookChange():
                assert self.trusting, "a change for a book that nobody holds for right"
                assert not self.told, "a change between Gap and Resynced"
                self._change(event)
            case _:
                raise AssertionError(f"a book's channel brought {event!r}")
        self.sequence = getattr(event, "sequence", None)
        self.applied += 1

    def _change(self, event: OrderBookChange) -> None:
        if event.action == "open":
            assert event.side is not None
            assert event.price is not None
            assert event.size is not None
            self.orders[event.order_id] = (event.side, event.price, event.size)
            return
        side, price, size = self.orders.pop(event.order_id)
        if event.action == "done":
            return
        assert event.size is not None
        rest = size - event.size if event.action == "match" else event.size
        if rest:
            moved = event.price if event.action == "change" and event.price is not None else price
            self.orders[event.order_id] = (side, moved, rest)

    def notify(self, notice: Notice) -> None:
        super().notify(notice)
        if isinstance(notice, Gap):
            self.trusting, self.told = False, True
            self.gaps.append(notice.reason)
        elif isinstance(notice, Resynced):
            assert self.told, "Resynced without Gap"
            assert self.trusting, "Resynced before its snapshot"
            self.told = False


def _set(side: Levels, levels: tuple[tuple[Decimal, Decimal], ...]) -> None:
    for price, size in levels:
        if size:
            side[price] = size
        else:
            side.pop(price, None)
