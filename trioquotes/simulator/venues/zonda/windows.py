"""The book as one channel shows it: the best levels of each side, and what changed since it was shown last; pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from decimal import Decimal
from itertools import islice
from typing import TypeAlias

import attrs

from trioquotes.simulator.book import Book, Rung
from trioquotes.simulator.happenings import Side

__all__ = ["SIDES", "BookTopic", "Change", "Level", "LevelReader", "Levels", "Shown", "read_levels"]

SIDES: tuple[Side, Side] = ("buy", "sell")


@attrs.frozen
class Level:
    """One price of one side.

    Attributes:
        amount: what rests there now.
        start: what the orders there had when they were placed.
        orders: how many there are.
    """

    amount: Decimal
    start: Decimal
    orders: int


@attrs.frozen
class Change:
    """A level that is new or different, or gone where ``level`` is ``None``."""

    side: Side
    rate: Decimal
    level: Level | None


Levels: TypeAlias = dict[Decimal, Level]
"""The levels of one side, best first."""


@attrs.frozen
class Shown:
    """What a channel has told up to one of its numbers."""

    time_ns: int
    sequence: int
    levels: Mapping[Side, Levels]


class LevelReader:
    """Reads all levels of a book, again and again; a level that nothing touched is the same object."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._known: dict[Side, dict[Decimal, tuple[Rung, Level]]] = {"buy": {}, "sell": {}}

    def read(self) -> dict[Side, Levels]:
        """As they are now, best first."""
        return {side: self._side(side) for side in SIDES}

    def _side(self, side: Side) -> Levels:
        before = self._known[side]
        now: dict[Decimal, tuple[Rung, Level]] = {}
        for rung in self._book.rungs(side):
            known = before.get(rung.price)
            now[rung.price] = known if known is not None and known[0] is rung else (rung, _level(rung))
        self._known[side] = now
        return {price: level for price, (_, level) in now.items()}


def read_levels(book: Book) -> dict[Side, Levels]:
    """All levels of a book, best first."""
    return LevelReader(book).read()


def _level(rung: Rung) -> Level:
    return Level(rung.size, rung.placed, len(rung.orders))


class BookTopic:
    """One book channel and its counter.

    While nobody reads it the counter goes on and the levels are not looked at.

    Args:
        limit: levels a side; ``None`` for all.
        sequence: the counter's start.
        keep_ns: for how long what was shown before is kept.
    """

    def __init__(self, limit: int | None, sequence: int, keep_ns: int = 0) -> None:
        self.limit = limit
        self._keep_ns = keep_ns
        self._shown: deque[Shown] = deque([Shown(0, sequence, {"buy": {}, "sell": {}})])
        self._stale = True

    @property
    def sequence(self) -> int:
        """Of the latest push."""
        return self._shown[-1].sequence

    def skip(self) -> None:
        """Something changed and nobody reads: the number is used up."""
        last = self._shown.pop()
        self._shown.append(Shown(last.time_ns, last.sequence + 1, last.levels))
        self._stale = True

    def show(self, levels: Mapping[Side, Levels], now_ns: int) -> list[Change]:
        """Show the book as it is; returns what differs, in the order in which the venue tells it."""
        last = self._shown[-1]
        window: dict[Side, dict[Decimal, Level]] = {
            side: dict(islice(levels[side].items(), self.limit)) for side in SIDES
        }
        changes = [change for side in SIDES for change in _difference(side, last.levels[side], window[side])]
        if changes or self._stale:
            self._shown.append(Shown(now_ns, last.sequence + bool(changes), window))
            while len(self._shown) > 1 and self._shown[1].time_ns <= now_ns - self._keep_ns:
                self._shown.popleft()
        self._stale = False
        return changes

    def snapshot(self, levels: Mapping[Side, Levels], now_ns: int) -> Shown:
        """What was shown last, or as long ago as is kept; a book that nobody reads is shown now."""
        if self._stale:
            self.show(levels, now_ns)
        cut_ns = now_ns - self._keep_ns
        old = [shown for shown in self._shown if shown.time_ns <= cut_ns]
        return old[-1] if old else self._shown[0]


def _difference(side: Side, before: Levels, now: Levels) -> list[Change]:
    """Updates by rising price, then removals, as recorded."""
    changed = [rate for rate, level in now.items() if (old := before.get(rate)) is not level and old != level]
    updates = [Change(side, rate, now[rate]) for rate in sorted(changed)]
    removals = [Change(side, rate, None) for rate in sorted(before) if rate not in now]
    return updates + removals
