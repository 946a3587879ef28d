"""How far a book is known whose snapshot was cut; pure.

``orderbook`` pushes changes at any price, while its snapshot ends at 300 prices a side. What rests beyond the
worst of them is not known, so a change out there would stand beside nothing, and each price that is taken
from a full side leaves one less that is known. So such changes are kept out of the book, and when a side has
become thin a new snapshot is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from trioquotes._protocol.effects import Receipt
from trioquotes.books import BookSide, OrderBook
from trioquotes.events import BookChange
from trioquotes.venues.zonda.levels import changed
from trioquotes.venues.zonda.messages import OrderBookAnswer, OrderBookPush, PriceLevel
from trioquotes.venues.zonda.unify import SNAPSHOT_LEVELS, VENUE_NAME, snapshot_of

__all__ = ["THIN_LEVELS", "Horizon"]

THIN_LEVELS: Final = 150
"""With fewer prices left on a side that was cut, a new snapshot is due."""

_NOWHERE = Receipt(0)


class Horizon:
    """Follows one book; one whose snapshot is whole has no horizon and costs nothing."""

    def __init__(self) -> None:
        self._book: OrderBook | None = None
        self._floor: Decimal | None = None
        self._ceiling: Decimal | None = None

    def start(self, answer: OrderBookAnswer) -> OrderBookAnswer:
        """A snapshot that fits; returns it with its bounds, and with those of the pushes that follow it."""
        self._book = None
        self._floor = min(_prices(answer.body.buy), default=None)
        self._ceiling = max(_prices(answer.body.sell), default=None)
        if self._floor is None and self._ceiling is None:
            return answer
        self._book = OrderBook()
        snapshot = snapshot_of(answer, _NOWHERE)
        self._book.apply(msgspec.structs.replace(snapshot, depth=SNAPSHOT_LEVELS))
        self._tighten(self._book)
        bounded = msgspec.structs.replace(answer, bid_floor=self._floor, ask_ceiling=self._ceiling)
        return msgspec.structs.replace(bounded, later=tuple(self.follow(push) for push in answer.later))

    def follow(self, push: OrderBookPush) -> OrderBookPush:
        """The next push; returns it with the bounds of what is known."""
        if self._book is None:
            return push
        bounded = msgspec.structs.replace(push, bid_floor=self._floor, ask_ceiling=self._ceiling)
        bids, asks = changed(bounded)
        instrument = self._book.instrument
        self._book.apply(
            BookChange(venue=VENUE_NAME, instrument=instrument, received_ns=0, bids=bids, asks=asks)
        )
        self._tighten(self._book)
        return bounded

    def _tighten(self, book: OrderBook) -> None:
        """Where a side is full its worst price is where it ends: what a book drops it does not know any more."""
        bids, asks = book.depth()
        if len(bids) >= SNAPSHOT_LEVELS:
            self._floor = bids[-1][0]
        if len(asks) >= SNAPSHOT_LEVELS:
            self._ceiling = asks[-1][0]

    def known(self) -> int | None:
        """Prices on the thinner of the sides that were cut; ``None`` where none was."""
        if self._book is None:
            return None
        sides: tuple[tuple[BookSide, Decimal | None], ...] = (("bid", self._floor), ("ask", self._ceiling))
        return min(len(self._book.levels(side)) for side, bound in sides if bound is not None)


def _prices(side: Sequence[PriceLevel]) -> Iterator[Decimal]:
    """The prices of a side that may have been cut; none of one that is whole."""
    return (level.ra for level in side) if len(side) >= SNAPSHOT_LEVELS else iter(())
