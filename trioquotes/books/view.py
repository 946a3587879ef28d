"""Everything that can be read of a book by price, whoever keeps it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any, Literal, TypeAlias, overload

from trioquotes.books.exact import EXACT, BookError, asked_count, asked_price, asked_size, of_side, quotient
from trioquotes.books.ladder import Ladder
from trioquotes.events import BookSide, BookSnapshot, Level

__all__ = ["BookState", "BookView", "LevelsView"]

BookState: TypeAlias = Literal["waiting", "live", "broken"]
"""``waiting``: no snapshot yet. ``live``: right. ``broken``: something was lost; see ``BookView.reason``."""

_HALF = Decimal("0.5")
_NOTHING = Decimal(0)


class BookView(ABC):
    """What there is to read of a book by price; :class:`OrderBook` and :class:`OrderBookL3` keep one.

    While a book is not ``live`` it has no levels, no best price and no sums: it is right or it shows
    nothing. Sums and products are exact, whatever the caller's decimal context is.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def _bids(self) -> Ladder[Any]: ...

    @property
    @abstractmethod
    def _asks(self) -> Ladder[Any]: ...

    @property
    @abstractmethod
    def instrument(self) -> str:
        """What it is the book of; empty until the first snapshot of a book made without one."""

    @property
    @abstractmethod
    def state(self) -> BookState:
        """Whether the levels are right."""

    @property
    @abstractmethod
    def reason(self) -> str:
        """Why the book is ``broken``; empty otherwise."""

    @property
    @abstractmethod
    def window(self) -> int | None:
        """Levels a side that the last snapshot promised at most; ``None`` means the whole book."""

    @property
    def best_bid(self) -> Level | None:
        """The highest bid; ``None`` if there is none or the book is not live."""
        return self._bids.best

    @property
    def best_ask(self) -> Level | None:
        """The lowest ask; ``None`` if there is none or the book is not live."""
        return self._asks.best

    @property
    def spread(self) -> Decimal | None:
        """Best ask less best bid, exact; negative in a crossed book, ``None`` while a side is empty."""
        bid, ask = self.best_bid, self.best_ask
        return None if bid is None or ask is None else EXACT.subtract(ask[0], bid[0])

    @property
    def mid(self) -> Decimal | None:
        """The middle between best bid and best ask, exact; ``None`` while a side is empty."""
        bid, ask = self.best_bid, self.best_ask
        return None if bid is None or ask is None else EXACT.multiply(EXACT.add(ask[0], bid[0]), _HALF)

    @property
    def crossed(self) -> bool:
        """Whether the best bid is above the best ask; outside an auction the book is wrong then."""
        bid, ask = self.best_bid, self.best_ask
        return bid is not None and ask is not None and bid[0] > ask[0]

    @property
    def locked(self) -> bool:
        """Whether the best bid equals the best ask; outside an auction the book is wrong then."""
        bid, ask = self.best_bid, self.best_ask
        return bid is not None and ask is not None and bid[0] == ask[0]

    @property
    def bids(self) -> LevelsView:
        """The bids as a sequence that changes with the book, highest first."""
        return LevelsView(lambda: self._bids)

    @property
    def asks(self) -> LevelsView:
        """The asks as a sequence that changes with the book, lowest first."""
        return LevelsView(lambda: self._asks)

    def levels(self, side: BookSide, n: int | None = None) -> tuple[Level, ...]:
        """The best ``n`` levels of one side, or all of them, best first.

        Returns:
            Up to ``n`` pairs of price and size; empty while the book is not live.

        Raises:
            UsageError: the side is neither ``"bid"`` nor ``"ask"``, or ``n`` is negative.
        """
        return self._side(side).top(asked_count(n))

    def depth(self, n: int | None = None) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """The best ``n`` levels of both sides, or all of them: bids, then asks, each best first.

        Raises:
            UsageError: ``n`` is negative.
        """
        asked_count(n)
        return self._bids.top(n), self._asks.top(n)

    def size_at(self, side: BookSide, price: Decimal) -> Decimal | None:
        """The size resting at a price; ``None`` where the book holds nothing there, or is not live.

        Raises:
            UsageError: the side is neither ``"bid"`` nor ``"ask"``, or the price is no finite ``Decimal``.
        """
        ladder = self._side(side)
        item = ladder.get(asked_price(price))
        return None if item is None else ladder.level(item)[1]

    def size_within(self, side: BookSide, price: Decimal) -> Decimal:
        """The total size at a price or better: bids from it up, asks from it down.

        Returns:
            Exact; zero where nothing rests there, or the book is not live.

        Raises:
            UsageError: the side is neither ``"bid"`` nor ``"ask"``, or the price is no finite ``Decimal``.
        """
        limit, total, lower_is_better = asked_price(price), _NOTHING, side == "ask"
        for at, size in self._walk(side):
            if at > limit if lower_is_better else at < limit:
                break
            total = EXACT.add(total, size)
        return total

    def cumulative(self, side: BookSide, n: int | None = None) -> tuple[Level, ...]:
        """The best ``n`` prices of one side, or all of them, each with the size at it or better.

        Returns:
            Pairs of price and exact cumulative size, best first; empty while the book is not live.

        Raises:
            UsageError: the side is neither ``"bid"`` nor ``"ask"``, or ``n`` is negative.
        """
        total, found = _NOTHING, []
        for price, size in self._side(side).top(asked_count(n)):
            total = EXACT.add(total, size)
            found.append((price, total))
        return tuple(found)

    def notional(self, side: BookSide, size: Decimal) -> Decimal | None:
        """What a market order pays, or gets, that takes ``size`` off one side, best price first.

        Args:
            side: what it takes: a buyer the ``"ask"``, a seller the ``"bid"``.
            size: how much, in base units.

        Returns:
            The exact sum of price times size, in quote units, without fees; ``None`` where the side holds
            less, or the book is not live.

        Raises:
            UsageError: the side is neither ``"bid"`` nor ``"ask"``, or the size is not a positive ``Decimal`` from
                1E-100 to 1E+100.
        """
        wanted, paid = asked_size(size), _NOTHING
        for price, resting in self._walk(side):
            if resting >= wanted:
                return EXACT.add(paid, EXACT.multiply(price, wanted))
            paid = EXACT.add(paid, EXACT.multiply(price, resting))
            wanted = EXACT.subtract(wanted, resting)
        return None

    def vwap(self, side: BookSide, size: Decimal) -> Decimal | None:
        """The average price, weighted by volume, of a market order that takes ``size`` off one side.

        Args:
            side: what it takes: a buyer the ``"ask"``, a seller the ``"bid"``.
            size: how much, in base units.

        Returns:
            Exact where the quotient has an end, else rounded half-even to 34 significant digits; ``None``
            where the side holds less, or the book is not live.

        Raises:
            UsageError: the side is neither ``"bid"`` nor ``"ask"``, or the size is not a positive ``Decimal`` from
                1E-100 to 1E+100.
        """
        notional = self.notional(side, size)
        return None if notional is None else quotient(notional, size)

    def imbalance(self, n: int | None = None) -> Decimal | None:
        """How much more is bid than asked on the best ``n`` levels of each side, or on all of them.

        Returns:
            Bid size less ask size, over the sum of both, from -1 (only asks) to 1 (only bids). It is exact where the
            quotient has an end, else rounded half-even to 34 significant digits. ``None`` where both are empty.

        Raises:
            UsageError: ``n`` is negative.
        """
        bid, ask = (_total(levels) for levels in self.depth(n))
        both = EXACT.add(bid, ask)
        return quotient(EXACT.subtract(bid, ask), both) if both else None

    def snapshot(
        self,
        depth: int | None = None,
        *,
        venue: str,
        received_ns: int,
        venue_time_ns: int | None = None,
        sequence: int | None = None,
    ) -> BookSnapshot:
        """The book as an immutable event that another book can start from.

        Args:
            depth: levels a side at most; ``None`` takes all there are.
            venue: name of the venue.
            received_ns: our time of the last event in it, in Unix nanoseconds.
            venue_time_ns: the venue's time of that event.
            sequence: the venue's counter of that event.

        Returns:
            Levels best first; its ``depth`` is the narrower of ``depth`` and the book's own window.

        Raises:
            BookError: the book is not live.
            UsageError: ``depth`` is negative.
        """
        self._demand_live()
        bids, asks = self.depth(depth)
        promises = [promise for promise in (depth, self.window) if promise is not None]
        return BookSnapshot(
            venue=venue,
            instrument=self.instrument,
            venue_time_ns=venue_time_ns,
            received_ns=received_ns,
            sequence=sequence,
            bids=bids,
            asks=asks,
            depth=min(promises, default=None),
        )

    def _demand_live(self) -> None:
        if self.state != "live":
            raise BookError(f"the book of {self.instrument!r} is {self.state}: there is nothing to show")

    def _side(self, side: BookSide) -> Ladder[Any]:
        return of_side(side, self._bids, self._asks)

    def _walk(self, side: BookSide) -> Iterator[Level]:
        ladder = self._side(side)
        return map(ladder.level, ladder.walk())


class LevelsView(Sequence[Level]):
    """One side of a book as a sequence of ``(price, size)``, best first, to be read only.

    It holds nothing itself: its length and what it has at an index are those of the book at that moment, and
    it is empty while the book is not live. A slice is a tuple. Iterating goes over the levels as they are when
    the iteration begins, so the book may change meanwhile; it costs a copy, so for a few of many levels
    take a slice. Two views are equal only if they are the same object: compare slices.
    """

    __slots__ = ("_find",)

    def __init__(self, find: Callable[[], Any]) -> None:
        self._find: Callable[[], Ladder[Any]] = find

    def __repr__(self) -> str:
        return f"<{len(self)} levels>"

    def __len__(self) -> int:
        return len(self._find())

    @overload
    def __getitem__(self, index: int) -> Level: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Level, ...]: ...

    def __getitem__(self, index: int | slice) -> Level | tuple[Level, ...]:
        ladder = self._find()
        if not isinstance(index, slice):
            return ladder.level(ladder.item(index))
        # What lies behind the end of a slice needs no copy.
        plain = (index.step or 1) > 0 and (index.start or 0) >= 0 and (index.stop or 0) >= 0
        return ladder.top(index.stop if plain else None)[index]

    def __iter__(self) -> Iterator[Level]:
        return iter(self._find().top(None))

    def __reversed__(self) -> Iterator[Level]:
        return reversed(self._find().top(None))


def _total(levels: tuple[Level, ...]) -> Decimal:
    total = _NOTHING
    for _, size in levels:
        total = EXACT.add(total, size)
    return total
