"""What is known of one instrument at one moment: prices, ladder and tape. Pure: time is an argument."""

from __future__ import annotations

import copy
from collections import deque
from decimal import Decimal

import attrs

from trioquotes.books import BookState, BookView
from trioquotes.books.exact import EXACT
from trioquotes.cli.board import Price, digits_of
from trioquotes.cli.exits import one_line
from trioquotes.events import Level, Quote, Side, Trade

__all__ = ["Face", "Ladder", "Mark", "Span"]

LEVELS = 100
"""Levels a side that are looked at: more than any terminal has lines."""
NEAR = 15
"""Levels a side that decide about the room for numbers: a far one may lie at ten times the price."""
TAPE = 200
"""Lines of the tape that are kept, for the same reason."""


@attrs.define
class Span:
    """The room that numbers of one kind need, so that they end and their points stand in one column; it only grows.

    Attributes:
        whole: characters before the point.
        fraction: digits after it.
    """

    whole: int = 1
    fraction: int = 0

    @property
    def width(self) -> int:
        """Characters in all."""
        return self.whole + (self.fraction and 1 + self.fraction)

    def see(self, value: Decimal) -> None:
        """Make room for this one."""
        digits = digits_of(value)
        self.fraction = max(self.fraction, digits)
        self.whole = max(self.whole, len(f"{value:,.{digits}f}".partition(".")[0]))


@attrs.frozen
class Ladder:
    """A book at one moment.

    Attributes:
        state: whether it is right; without levels if not.
        reason: why it is ``broken``.
        bids: best first; ``asks`` likewise.
    """

    state: BookState = "waiting"
    reason: str = ""
    bids: tuple[Level, ...] = ()
    asks: tuple[Level, ...] = ()


@attrs.frozen
class Mark:
    """A place on the tape where something may be missing."""

    at_ns: int
    text: str


@attrs.define
class Face:
    """What a paused screen holds on to: prices, ladder and tape of an instrument.

    Attributes:
        taker_side: of the last trade.
        tape: trades, or quotes where there are none, with marks; oldest first.
        prices: the room that prices need; ``sizes`` likewise.
    """

    last: Price = attrs.field(factory=Price)
    bid: Price = attrs.field(factory=Price)
    ask: Price = attrs.field(factory=Price)
    bid_size: Decimal | None = None
    ask_size: Decimal | None = None
    spread: Decimal | None = None
    taker_side: Side | None = None
    ladder: Ladder = attrs.field(factory=Ladder)
    tape: deque[Trade | Quote | Mark] = attrs.field(factory=lambda: deque(maxlen=TAPE))
    prices: Span = attrs.field(factory=Span)
    sizes: Span = attrs.field(factory=Span)

    def trade(self, trade: Trade, now_s: float) -> None:
        """A trade came."""
        self.last.set(trade.price, now_s)
        self.taker_side = trade.taker_side
        self.prices.see(trade.price)
        self.sizes.see(trade.size)
        self.tape.append(trade)

    def quote(self, quote: Quote, now_s: float) -> None:
        """A quote came."""
        self._best(quote.bid, quote.bid_size, quote.ask, quote.ask_size, now_s)
        bid, ask = quote.bid, quote.ask
        self.spread = None if bid is None or ask is None else EXACT.subtract(ask, bid)
        if quote.price is not None:
            self.last.set(quote.price, now_s)
            self.prices.see(quote.price)
        self.tape.append(quote)

    def unquote(self, now_s: float) -> None:
        """Nobody knows the best prices any more."""
        self._best(None, None, None, None, now_s)
        self.spread = None

    def look(self, book: BookView, now_s: float) -> None:
        """Take the book as it is now; one that is not right shows nothing."""
        bids, asks = book.depth(LEVELS)
        self.ladder = Ladder(book.state, one_line(book.reason), bids, asks)
        for price, size in (*bids[:NEAR], *asks[:NEAR]):
            self.prices.see(price)
            self.sizes.see(size)
        bid, bid_size = bids[0] if bids else (None, None)
        ask, ask_size = asks[0] if asks else (None, None)
        self._best(bid, bid_size, ask, ask_size, now_s)
        self.spread = book.spread

    def copied(self) -> Face:
        """The same, to stay as it is."""
        return attrs.evolve(
            self,
            last=copy.copy(self.last),
            bid=copy.copy(self.bid),
            ask=copy.copy(self.ask),
            prices=copy.copy(self.prices),
            sizes=copy.copy(self.sizes),
            tape=deque(self.tape, self.tape.maxlen),
        )

    def _best(
        self,
        bid: Decimal | None,
        bid_size: Decimal | None,
        ask: Decimal | None,
        ask_size: Decimal | None,
        now_s: float,
    ) -> None:
        self.bid.set(bid, now_s)
        self.ask.set(ask, now_s)
        self.bid_size, self.ask_size = bid_size, ask_size
        for value, span in (
            (bid, self.prices),
            (ask, self.prices),
            (bid_size, self.sizes),
            (ask_size, self.sizes),
        ):
            if value is not None:
                span.see(value)
