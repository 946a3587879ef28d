"""Prices in order, each with what rests there: the structure below every side of every book.

Two parallel lists sorted by price, best last: keys for the search, items to show. There is no dict because a
``Decimal`` fresh from the wire takes longer to hash than to find by bisection, even among thousands. Most
changes touch the top of a book, so the lists end with the best price, where inserting and deleting move next
to nothing; asks have the negated price as key to that end. ``Decimal`` compares by value, so every spelling of
a price is one key. What is far from the best price lies in further pairs of lists below, so that no insertion
moves more than some hundred places and no search near the best price looks at more, however deep the book is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import chain, islice
from operator import gt, itemgetter, lt
from typing import Generic, TypeVar

from trioquotes.books.exact import LARGEST, SMALLEST, checked_price, checked_size
from trioquotes.events import Level

__all__ = ["LEAST", "MOST", "Ladder", "PriceSide", "SortedAsks", "SortedBids"]

T = TypeVar("T")

MOST = 512
"""What a pair of lists holds before it is split; half of it or twice of it takes as long."""

LEAST = 32
"""What the pair at the top keeps while there is more below, so that changes near the best price stay in it."""


class SortedBids(tuple[Level, ...]):
    """Bids that a book need not look at: whoever makes one has.

    They are best first, no price twice, every price and size is a ``Decimal`` from 1E-100 to 1E+100.
    """

    __slots__ = ()


class SortedAsks(tuple[Level, ...]):
    """Asks that a book need not look at; see :class:`SortedBids`."""

    __slots__ = ()


class Ladder(ABC, Generic[T]):
    """One side of a book.

    Args:
        negated: whether lower is better: ``True`` for asks.

    Attributes:
        keys: the best keys, ascending: the best one is the last.
        items: what rests at each of ``keys``.
    """

    __slots__ = ("_below", "_floors", "items", "keys", "negated")

    def __init__(self, *, negated: bool) -> None:
        self.negated = negated
        self.keys: list[Decimal] = []
        self.items: list[T] = []
        # Worst first, never empty. A key belongs to the last of them whose floor is not above it, or to the first.
        self._below: list[tuple[list[Decimal], list[T]]] = []
        self._floors: list[Decimal] = []

    @abstractmethod
    def level(self, item: T) -> Level:
        """An item as price and size."""

    @property
    @abstractmethod
    def best(self) -> Level | None:
        """The best level."""

    @abstractmethod
    def top(self, n: int | None) -> tuple[Level, ...]:
        """The best ``n`` levels, or all, best first."""

    def __len__(self) -> int:
        return len(self.items) + (sum(len(keys) for keys, _ in self._below) if self._below else 0)

    def key(self, price: Decimal) -> Decimal:
        """By which a price is sorted."""
        return price.copy_negate() if self.negated else price

    def walk(self) -> Iterator[T]:
        """Everything, best first; nothing may change meanwhile."""
        return chain(reversed(self.items), *(reversed(items) for _, items in reversed(self._below)))

    def first(self, n: int | None) -> list[T]:
        """The best ``n``, or all, best first."""
        items = self.items
        if not self._below or (n is not None and n <= len(items)):
            return items[::-1] if n is None else items[: -n - 1 : -1]
        return list(islice(self.walk(), n))

    def item(self, index: int) -> T:
        """What is at a place, counted from the best, or from the worst if negative.

        Raises:
            IndexError: there is nothing.
        """
        place = index + len(self) if index < 0 else index
        if place >= 0:
            for items in chain((self.items,), (items for _, items in reversed(self._below))):
                if place < len(items):
                    return items[-1 - place]
                place -= len(items)
        raise IndexError(f"the side has {len(self)} levels, none at {index}")

    def locate(self, key: Decimal) -> tuple[list[Decimal], list[T], int, bool]:
        """The pair of lists that a key belongs to, its place there, and whether it is there."""
        keys, items = self.keys, self.items
        if self._below and key < keys[0]:
            keys, items = self._below[self._block(key)]
        at = bisect_left(keys, key)
        return keys, items, at, at < len(keys) and keys[at] == key

    def get(self, price: Decimal) -> T | None:
        """What rests at a price."""
        _, items, at, known = self.locate(self.key(price))
        return items[at] if known else None

    def insert(self, keys: list[Decimal], items: list[T], at: int, key: Decimal, item: T) -> None:
        """Put an item where :meth:`locate` said that its key belongs."""
        keys.insert(at, key)
        items.insert(at, item)
        if len(keys) > MOST:
            self.grew(keys, items)

    def delete(self, keys: list[Decimal], items: list[T], at: int) -> None:
        """Drop the item that :meth:`locate` found."""
        key = keys[at]
        del keys[at], items[at]
        if self._below:
            self.shrank(keys, key)

    def grew(self, keys: list[Decimal], items: list[T]) -> None:
        """Split a pair of lists that an insertion made longer than ``MOST``."""
        if keys is self.keys:
            self._sink()
            return
        half = len(keys) // 2
        block = self._block(keys[0]) + 1
        self._floors.insert(block, keys[half])
        self._below.insert(block, (keys[half:], items[half:]))
        del keys[half:], items[half:]

    def shrank(self, keys: list[Decimal], key: Decimal) -> None:
        """Do away with an empty pair of lists, and fill the one at the top again, after the removal of a key."""
        if keys is not self.keys:
            if not keys:
                block = self._block(key)
                del self._floors[block], self._below[block]
            return
        while self._below and len(keys) < LEAST:
            self._floors.pop()
            low_keys, low_items = self._below.pop()
            keys[:0], self.items[:0] = low_keys, low_items

    def load(self, keys: list[Decimal], items: list[T]) -> None:
        """Replace everything by what is sorted already, best last."""
        self.clear()
        self.keys[:], self.items[:] = keys, items
        if len(keys) > MOST:
            self._sink()

    def clear(self) -> None:
        """Forget everything."""
        self.keys.clear()
        self.items.clear()
        self._below, self._floors = [], []

    def trim(self, depth: int) -> Sequence[T]:
        """Keep the best ``depth``; returns what was dropped, worst first."""
        surplus = len(self) - depth
        if surplus <= 0:
            return ()
        keys, items = self._below[0] if self._below else (self.keys, self.items)
        if surplus < len(keys) or not self._below:
            dropped = items[:surplus]
            del keys[:surplus], items[:surplus]
        else:
            keys = [key for keys, _ in self._below for key in keys] + self.keys
            items = [item for _, items in self._below for item in items] + self.items
            dropped = items[:surplus]
            self.load(keys[surplus:], items[surplus:])
        return dropped

    def _sink(self) -> None:
        """Move all but the best of the pair at the top below, in pairs of a length from which they may grow."""
        keys, items, half = self.keys, self.items, MOST // 2
        surplus = len(keys) - half
        for start in range(0, surplus, half):
            end = min(start + half, surplus)
            self._floors.append(keys[start])
            self._below.append((keys[start:end], items[start:end]))
        del keys[:surplus], items[:surplus]

    def _block(self, key: Decimal) -> int:
        """Which of the pairs below a key belongs to that is worse than all at the top."""
        return max(bisect_right(self._floors, key) - 1, 0)


class PriceSide(Ladder[Level]):
    """One side of a book by price: what rests is the level, as it was last spelt.

    A side that was replaced is the tuple that it was replaced by until something is looked up in it or changed: some
    venues send nothing but whole books.

    Attributes:
        unknown_removals: removals of a price that held nothing.
    """

    __slots__ = ("_sorted", "_whole", "unknown_removals")

    def __init__(self, *, negated: bool) -> None:
        super().__init__(negated=negated)
        self._sorted: type[tuple[Level, ...]] = SortedAsks if negated else SortedBids
        self._whole: tuple[Level, ...] | None = None  # best first; while it is there, the lists say nothing
        self.unknown_removals = 0

    def _settle(self) -> None:
        """Make lists of the tuple, if there is one."""
        whole = self._whole
        if whole is None:
            return
        worst_first = whole[::-1]
        prices = [price for price, _ in worst_first]
        self._below, self._floors = [], []
        self.keys = [price.copy_negate() for price in prices] if self.negated else prices
        self.items = [*worst_first]
        if len(prices) > MOST:
            self._sink()
        self._whole = None  # last: who is interrupted before this begins anew

    def walk(self) -> Iterator[Level]:
        """Everything, best first; nothing may change meanwhile."""
        self._settle()
        return super().walk()

    def first(self, n: int | None) -> list[Level]:
        """The best ``n``, or all, best first."""
        self._settle()
        return super().first(n)

    def item(self, index: int) -> Level:
        """What is at a place, counted from the best, or from the worst if negative.

        Raises:
            IndexError: there is nothing.
        """
        self._settle()
        return super().item(index)

    def locate(self, key: Decimal) -> tuple[list[Decimal], list[Level], int, bool]:
        """The pair of lists that a key belongs to, its place there, and whether it is there."""
        self._settle()
        return super().locate(key)

    def trim(self, depth: int) -> Sequence[Level]:
        """Keep the best ``depth``; returns what was dropped, worst first."""
        if self._whole is None and not self._below and len(self.items) <= depth:
            return ()
        self._settle()
        return super().trim(depth)

    def __len__(self) -> int:
        return super().__len__() if self._whole is None else len(self._whole)

    def level(self, item: Level) -> Level:
        """The level itself."""
        return item

    @property
    def best(self) -> Level | None:
        """The best level."""
        if self._whole is not None:
            return self._whole[0] if self._whole else None
        return self.items[-1] if self.items else None

    def top(self, n: int | None) -> tuple[Level, ...]:
        """The best ``n`` levels, or all, best first."""
        if self._whole is not None:
            return self._whole if n is None else self._whole[:n]
        items = self.items
        if n is not None and n <= len(items):
            return tuple(items[: -n - 1 : -1])
        return tuple(self.first(n))

    def clear(self) -> None:
        """Forget everything."""
        self.keys, self.items = [], []
        self._whole = None
        self._below, self._floors = [], []

    def replace(self, levels: Iterable[Level]) -> None:
        """Set the whole side; as in a change, a later entry for a price wins and zero rests nowhere."""
        if type(levels) is not self._sorted:
            levels = tuple(levels)
            if not self._are_sorted(levels):
                self._sort(levels)
                return
        if self._whole is None:
            self.clear()
        self._whole = levels

    def _sort(self, levels: tuple[Level, ...]) -> None:
        fresh: list[Level] = []
        for level in sorted(map(_checked, levels), key=itemgetter(0), reverse=self.negated):
            if fresh and fresh[-1][0] == level[0]:
                fresh[-1] = level
            else:
                fresh.append(level)
        resting = [level for level in fresh if level[1]]
        self.load([self.key(price) for price, _ in resting], resting)

    def _are_sorted(self, levels: tuple[Level, ...]) -> bool:
        """Whether they are beyond doubt, and best first, as venues send them.

        What is asked of each level elsewhere is asked here of the extremes, at the speed of what Python has built in.
        """
        if not levels:
            return True
        prices, sizes = [price for price, _ in levels], [size for _, size in levels]
        if {*map(type, prices), *map(type, sizes)} != {Decimal}:
            return False
        if not all(map(Decimal.is_finite, prices)) or not all(map(Decimal.is_finite, sizes)):
            return False
        lowest, highest = (prices[0], prices[-1]) if self.negated else (prices[-1], prices[0])
        return (
            min(sizes) >= SMALLEST
            and max(sizes) <= LARGEST
            and lowest >= SMALLEST
            and highest <= LARGEST
            and all(map(lt if self.negated else gt, prices, prices[1:]))
        )

    def change(self, changes: Iterable[Level]) -> None:
        """Set the absolute size at each price; zero removes it."""
        if self._whole is not None:
            self._settle()
        # This is the hottest loop of all: `locate`, `insert` and `delete` are written out.
        top_keys, top_items, below, negated = self.keys, self.items, self._below, self.negated
        for level in changes:
            price, size = level
            key = price.copy_negate() if negated else price
            if below and key < top_keys[0]:
                block = bisect_right(self._floors, key)
                keys, items = below[block - 1 if block else 0]
            else:
                keys, items = top_keys, top_items
            at = bisect_left(keys, key)
            if at == len(keys) or keys[at] != key:
                _checked(level)
                if size:
                    keys.insert(at, key)
                    items.insert(at, level)
                    if len(keys) > MOST:
                        self.grew(keys, items)
                else:
                    self.unknown_removals += 1
            elif SMALLEST <= size <= LARGEST and type(price) is type(size) is Decimal:
                items[at] = level
            elif (size or type(price) is not type(size)) and _checked(level)[1]:
                items[at] = level  # of a class derived from Decimal
            else:
                del keys[at], items[at]
                if below:
                    self.shrank(keys, key)


def _checked(level: Level) -> Level:
    """The level itself, unless it holds a number that cannot be sorted, or not be added to exactly."""
    price, size = level
    plain = type(price) is type(size) is Decimal
    if plain and SMALLEST <= size <= LARGEST and SMALLEST <= price <= LARGEST:
        return level
    checked_price(price, size)
    if not size.is_zero():
        checked_size(size, price)
    return level
