"""Comparing a kept book with a fresh snapshot that came by another way, at about the same time.

The two ways do not take equally long, so a level counts as different only if the kept book never showed
what the snapshot shows, from a while before the snapshot was asked for until a while after it came.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import attrs

from trioquotes.books import BookView
from trioquotes.books.exact import EXACT
from trioquotes.errors import UsageError
from trioquotes.events import (
    BookChange,
    BookSide,
    BookSnapshot,
    Level,
    LevelDifference,
    OrderBookSnapshot,
    RestingOrder,
)

__all__ = ["AuditPlan", "Findings", "Watch"]

SHOWN_DIFFERENCES = 20
"""How many differences a report holds: enough to see what is wrong, too few to be a book."""

NOTHING = Decimal(0)


def _positive(_: object, attribute: attrs.Attribute[float], value: float) -> None:
    if not 0 < value < float("inf"):
        raise UsageError(f"{attribute.name} must be a positive number of seconds, not {value!r}")


@attrs.frozen(kw_only=True)
class AuditPlan:
    """How often the books of a session are compared with a fresh snapshot, where the venue offers one.

    Attributes:
        every_s: seconds from one audit of a book to its next; one book is audited at a time, so with many of
            them it takes longer.
        lead_s: for how many seconds the kept book is watched before the snapshot is asked for: as old as the snapshot
            may be when it is made.
        settle_s: for how many seconds it is watched after the snapshot came: as late as the stream may be.

    Raises:
        UsageError: a number is not positive and finite.
    """

    every_s: float = attrs.field(default=600.0, validator=_positive)
    lead_s: float = attrs.field(default=2.0, validator=_positive)
    settle_s: float = attrs.field(default=2.0, validator=_positive)


@attrs.frozen
class Findings:
    """What an audit found.

    Attributes:
        compared: levels compared.
        differing: levels on which book and snapshot disagree.
        differences: the first of them, best price first.
    """

    compared: int
    differing: int
    differences: tuple[LevelDifference, ...]


class _Side:
    """The sizes that one side of a book showed at each price since it was watched."""

    def __init__(self, side: BookSide, levels: Iterable[Level]) -> None:
        self.side: BookSide = side
        self.compared = 0
        self.shown = dict(levels)
        self.seen: dict[Decimal, set[Decimal]] = {price: {size} for price, size in self.shown.items()}
        self.worst = self._worst_of(self.seen)

    def saw(self, price: Decimal, size: Decimal) -> None:
        """The book shows this size there now."""
        self.seen.setdefault(price, {NOTHING}).add(size)
        if size:
            self.shown[price] = size
        else:
            self.shown.pop(price, None)

    def replace(self, levels: Iterable[Level]) -> None:
        """The book shows these levels now, and no others; beyond what it showed until now it was not known."""
        bounds = self.worst, self._worst_of(self.shown)
        self.worst = None if None in bounds else self._best_of(bound for bound in bounds if bound is not None)
        now = dict(levels)
        self.shown = {}
        for price in self.seen.keys() - now.keys():
            self.seen[price].add(NOTHING)
        for price, size in now.items():
            self.saw(price, size)

    def compare(
        self, kept: tuple[Level, ...], fetched: tuple[Level, ...], *, whole: bool
    ) -> list[LevelDifference]:
        """Where the two disagree, best price first; ``whole`` says that neither is a window."""
        now = dict(kept)
        said = dict(fetched)
        prices = self.seen.keys() | said.keys()
        if not whole:
            prices = {price for price in prices if self._in_both(price, now, said)}
        self.compared = len(prices)
        wrong = [p for p in prices if said.get(p, NOTHING) not in self.seen.get(p, {NOTHING})]
        wrong.sort(reverse=self.side == "bid")
        return [LevelDifference(self.side, p, now.get(p, NOTHING), said.get(p, NOTHING)) for p in wrong]

    def _in_both(self, price: Decimal, now: dict[Decimal, Decimal], said: dict[Decimal, Decimal]) -> bool:
        """Whether a price lies within the windows that the book had all the time, and within that of the snapshot."""
        bounds = [self.worst, self._worst_of(now), self._worst_of(said)]
        if self.side == "bid":
            return all(bound is not None and price >= bound for bound in bounds)
        return all(bound is not None and price <= bound for bound in bounds)

    def _worst_of(self, prices: Iterable[Decimal]) -> Decimal | None:
        return min(prices, default=None) if self.side == "bid" else max(prices, default=None)

    def _best_of(self, prices: Iterable[Decimal]) -> Decimal | None:
        return max(prices, default=None) if self.side == "bid" else min(prices, default=None)


def _by_price(entries: tuple[Level, ...] | tuple[RestingOrder, ...]) -> tuple[Level, ...]:
    """Orders or levels as levels: what rests at one price is added up."""
    totals: dict[Decimal, Decimal] = {}
    for entry in entries:
        totals[entry[0]] = EXACT.add(totals.get(entry[0], NOTHING), entry[1])
    return tuple(totals.items())


class Watch:
    """Takes note of everything that a book shows.

    Args:
        book: as it is when the watch begins; it must be live.
    """

    def __init__(self, book: BookView) -> None:
        self._whole = book.window is None
        self._sides: dict[BookSide, _Side] = {
            "bid": _Side("bid", book.levels("bid")),
            "ask": _Side("ask", book.levels("ask")),
        }

    def saw(self, side: BookSide, price: Decimal, size: Decimal | None) -> None:
        """The book shows this size there now; ``None`` for nothing."""
        self._sides[side].saw(price, NOTHING if size is None else size)

    def change(self, change: BookChange) -> None:
        """The book took a change."""
        for price, size in change.bids:
            self._sides["bid"].saw(price, size)
        for price, size in change.asks:
            self._sides["ask"].saw(price, size)

    def replace(self, snapshot: BookSnapshot) -> None:
        """The book was replaced."""
        self._whole = self._whole and snapshot.depth is None
        self._sides["bid"].replace(snapshot.bids)
        self._sides["ask"].replace(snapshot.asks)

    def compare(self, book: BookView, fetched: BookSnapshot | OrderBookSnapshot) -> Findings:
        """What the fresh snapshot says against all that the book showed.

        Args:
            book: as it is now.
            fetched: the snapshot.
        """
        whole = self._whole and (isinstance(fetched, OrderBookSnapshot) or fetched.depth is None)
        differences: list[LevelDifference] = []
        for name, side in self._sides.items():
            said = fetched.bids if name == "bid" else fetched.asks
            differences += side.compare(book.levels(name), _by_price(said), whole=whole)
        compared = sum(side.compared for side in self._sides.values())
        return Findings(compared, len(differences), tuple(differences[:SHOWN_DIFFERENCES]))
