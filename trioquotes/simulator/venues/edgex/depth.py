"""The best levels of a book as the venue shows them: a window that is kept by updates; pure."""

from __future__ import annotations

from decimal import Decimal

import attrs

from trioquotes.simulator.floor import Floor
from trioquotes.simulator.happenings import Side
from trioquotes.simulator.venues.edgex.style import Chain

__all__ = ["Window", "WindowChange"]

SIDES: tuple[Side, Side] = ("sell", "buy")

SNAPSHOT_SPAN = 90
"""How many versions before its end a snapshot says that it starts; recorded ones say some such number."""


@attrs.frozen(kw_only=True)
class WindowChange:
    """What a frame says.

    Attributes:
        start: and ``end``: versions; they count what happened to the book, not frames.
        asks: price and absolute size of what changed, ascending; zero for a level that left the window.
        bids: the same, descending.
    """

    start: int
    end: int
    asks: list[tuple[Decimal, Decimal]]
    bids: list[tuple[Decimal, Decimal]]


class Window:
    """The best levels of one book.

    Args:
        floor: whose book.
        level: how many levels a side.
        chain: at which version an update starts.
        step: how many versions one happening takes.
    """

    def __init__(self, floor: Floor, level: int, chain: Chain, step: int = 1) -> None:
        self._floor = floor
        self._level = level
        self._chain = chain
        self._step = step
        self._shown: dict[Side, dict[Decimal, Decimal]] = {}
        self._start = self._end = 0
        self.restart()

    @property
    def version(self) -> int:
        """Of the book now."""
        return self._floor.sequence * self._step

    def restart(self) -> None:
        """Look at the book afresh, as when nobody was reading."""
        self._shown = {side: self._best(side) for side in SIDES}
        self._end = self.version
        self._start = self._end - SNAPSHOT_SPAN

    def snapshot(self) -> WindowChange:
        """The window as it was last shown, so that the next update continues it for everybody."""
        return self._change({side: list(levels.items()) for side, levels in self._shown.items()})

    def update(self) -> WindowChange | None:
        """What changed since; ``None`` where nothing happened, no levels where nothing of it shows."""
        if self.version == self._end:
            return None
        rows: dict[Side, list[tuple[Decimal, Decimal]]] = {}
        for side in SIDES:
            before, now = self._shown[side], self._best(side)
            gone = [(price, Decimal(0)) for price in before if price not in now]
            changed = [(price, size) for price, size in now.items() if before.get(price) != size]
            rows[side] = sorted(gone + changed, reverse=side == "buy")
            self._shown[side] = now
        self._start = self._end + (1 if self._chain == "next" else 0)
        self._end = self.version
        return self._change(rows)

    def _best(self, side: Side) -> dict[Decimal, Decimal]:
        return {price: size for price, size, _ in self._floor.book.levels(side)[: self._level]}

    def _change(self, rows: dict[Side, list[tuple[Decimal, Decimal]]]) -> WindowChange:
        return WindowChange(start=self._start, end=self._end, asks=rows["sell"], bids=rows["buy"])
