"""How far a book is known, and whether it keeps to its window; pure.

``orderbook`` pushes changes at any price, while its snapshot ends at 300 prices a side. What rests beyond the
worst of them is not known, so a change out there would stand beside nothing, and each price that is taken
from a full side leaves one less that is known. So such changes are kept out of the book, and when a side has
become thin a new snapshot is asked for.

``orderbook-limited`` says itself what enters and leaves its window: more prices than that mean that
something is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final, TypeAlias

import msgspec

from trioquotes._protocol.effects import Receipt, WireChannel
from trioquotes.books import BookSide, OrderBook
from trioquotes.venues.zonda.books import SNAPSHOT_LEVELS, change_of, snapshot_of
from trioquotes.venues.zonda.messages import OrderBookAnswer, OrderBookPush, PriceLevel
from trioquotes.venues.zonda.paths import ORDERBOOK

__all__ = ["THIN_LEVELS", "Extent", "Horizon", "Window", "extent_of", "promised"]

THIN_LEVELS: Final = 200
"""With fewer prices left on a side that was cut, a new snapshot is due."""

_NOWHERE = Receipt(0)


class Horizon:
    """Follows one book of ``orderbook``; one whose snapshot is whole has no horizon and costs nothing."""

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
        self._book.apply(msgspec.structs.replace(snapshot_of(answer, _NOWHERE), depth=SNAPSHOT_LEVELS))
        bounded = msgspec.structs.replace(answer, bid_floor=self._floor, ask_ceiling=self._ceiling)
        return msgspec.structs.replace(bounded, later=tuple(self.follow(push) for push in answer.later))

    def follow(self, push: OrderBookPush) -> OrderBookPush:
        """The next push; returns it with the bounds of what is known."""
        if self._book is None:
            return push
        bounded = msgspec.structs.replace(push, bid_floor=self._floor, ask_ceiling=self._ceiling)
        self._book.apply(change_of(bounded, _NOWHERE))
        bids, asks = self._book.bids, self._book.asks
        # Where a side is full its worst price is where it ends: what a book drops it does not know any more.
        if len(bids) >= SNAPSHOT_LEVELS:
            self._floor = bids[-1][0]
        if len(asks) >= SNAPSHOT_LEVELS:
            self._ceiling = asks[-1][0]
        return bounded

    @property
    def whole(self) -> bool:
        """Whether all of the book is known, so that it need not be followed."""
        return self._book is None

    @property
    def known(self) -> int | None:
        """Prices on the thinner of the sides that were cut; ``None`` where none was."""
        if self._book is None:
            return None
        sides: tuple[tuple[BookSide, Decimal | None], ...] = (("bid", self._floor), ("ask", self._ceiling))
        lengths = {"bid": len(self._book.bids), "ask": len(self._book.asks)}
        return min(lengths[side] for side, bound in sides if bound is not None)

    @property
    def thin(self) -> bool:
        """Whether little of the book is known any more."""
        known = self.known
        return known is not None and known < THIN_LEVELS

    @property
    def flaw(self) -> str:
        """Why the book is not right any more; empty while it is."""
        return "the known part of the book is used up" if self.known == 0 else ""


class Window:
    """Follows one book of ``orderbook-limited``.

    Args:
        limit: prices a side.

    Attributes:
        flaw: why the book is not right any more; empty while it is.
        thin: a window is always as deep as it can be.
        whole: and never more than that.
    """

    thin: Final = False
    whole: Final = False

    def __init__(self, limit: int) -> None:
        self.flaw = ""
        self._limit = limit
        self._book = OrderBook()

    def start(self, answer: OrderBookAnswer) -> OrderBookAnswer:
        """A snapshot that fits; returns it."""
        self.flaw = ""
        self._book.apply(msgspec.structs.replace(snapshot_of(answer, _NOWHERE), depth=None))
        for push in answer.later:
            self.follow(push)
        return answer

    def follow(self, push: OrderBookPush) -> OrderBookPush:
        """The next push; returns it."""
        self._book.apply(change_of(push, _NOWHERE))
        most = max(len(self._book.bids), len(self._book.asks))
        if most > self._limit and not self.flaw:
            self.flaw = f"window larger than promised: {most} prices a side, not {self._limit}"
        return push


Extent: TypeAlias = Horizon | Window


def extent_of(channel: WireChannel) -> Extent:
    """What follows the book of a channel."""
    return Horizon() if channel.name == ORDERBOOK else Window(promised(channel))


def promised(channel: WireChannel) -> int:
    """Prices a side that a snapshot of the channel has at most."""
    if channel.name == ORDERBOOK or not channel.detail:  # captures do not always say how wide a window was
        return SNAPSHOT_LEVELS
    return int(channel.detail)


def _prices(side: Sequence[PriceLevel]) -> Iterator[Decimal]:
    """The prices of a side that may have been cut; none of one that is whole."""
    return (level.ra for level in side) if len(side) >= SNAPSHOT_LEVELS else iter(())
