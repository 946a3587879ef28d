"""Changes of the book by price, collected for the batched channel; pure."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import attrs

from trioquotes.simulator.book import Book
from trioquotes.simulator.happenings import LevelSet, Side

__all__ = ["LevelBatch"]


@attrs.define
class LevelBatch:
    """What changed in one book since the last batch went out.

    Attributes:
        newest_ns: time of the newest change; 0 where nothing changed.
    """

    newest_ns: int = 0
    _changes: dict[tuple[Side, Decimal], Decimal] = attrs.field(factory=dict)
    _known: set[tuple[Side, Decimal]] = attrs.field(factory=set)

    def restart(self, book: Book) -> None:
        """Begin from a snapshot of this book."""
        sides: tuple[Side, Side] = ("buy", "sell")
        self._known = {(side, price) for side in sides for price, _, _ in book.levels(side)}
        self._changes.clear()
        self.newest_ns = 0

    def add(self, levels: Iterable[LevelSet], time_ns: int) -> None:
        """Collect changes; a later one of the same level replaces the earlier."""
        for level in levels:
            self._changes[level.side, level.price] = level.size
            self.newest_ns = time_ns

    def take(self) -> list[LevelSet]:
        """What is to be said now; a level that came and went in between is not said at all."""
        out: list[LevelSet] = []
        for (side, price), size in self._changes.items():
            if size:
                self._known.add((side, price))
            elif (side, price) in self._known:
                self._known.discard((side, price))
            else:
                continue
            out.append(LevelSet(side, price, size))
        self._changes.clear()
        self.newest_ns = 0
        return out
