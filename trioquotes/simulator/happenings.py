"""What happens on a simulated market, as values that no venue's vocabulary has touched.

Each happening says which price levels it changed, with their absolute sizes after it, so that the view
by price, the view by order and the trades of every venue come from one source.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, TypeAlias

import attrs

__all__ = [
    "Activated",
    "AuctionIndicated",
    "BalanceMoved",
    "BlockTraded",
    "Changed",
    "Closed",
    "Happening",
    "LevelSet",
    "Matched",
    "Opened",
    "OrderKind",
    "Received",
    "Side",
    "Standing",
    "opposite",
]

Side: TypeAlias = Literal["buy", "sell"]
OrderKind: TypeAlias = Literal["limit", "market"]


def opposite(side: Side) -> Side:
    """The other side."""
    return "sell" if side == "buy" else "buy"


@attrs.frozen
class LevelSet:
    """The size that one price level of one side has now; zero means that the level is gone."""

    side: Side
    price: Decimal
    size: Decimal


@attrs.frozen(kw_only=True)
class Happening:
    """Root of all happenings.

    Attributes:
        instrument: where; empty for what concerns an account.
        time_ns: when, in Unix nanoseconds.
        sequence: the instrument's counter; consecutive where it is set, ``None`` for what is not counted.
        levels: the price levels that changed, absolute, in the order in which they changed.
    """

    instrument: str
    time_ns: int
    sequence: int | None = None
    levels: tuple[LevelSet, ...] = ()


@attrs.frozen(kw_only=True)
class Received(Happening):
    """An order was accepted; it is not on the book yet.

    Attributes:
        owner: the account holder known to the venue, or ``None`` for the crowd.
        price: limit price; ``None`` for a market order.
        size: in base units; ``None`` for a market order by funds alone.
        funds: in quote units; market orders only.
    """

    order_id: str
    side: Side
    kind: OrderKind
    price: Decimal | None = None
    size: Decimal | None = None
    funds: Decimal | None = None
    client_id: str | None = None
    owner: str | None = None


@attrs.frozen(kw_only=True)
class Opened(Happening):
    """What is left of an order rests on the book now."""

    order_id: str
    side: Side
    price: Decimal
    remaining: Decimal
    owner: str | None = None


@attrs.frozen(kw_only=True)
class Standing:
    """Best prices and rolling figures at one moment.

    Attributes:
        bid: and ``ask``: ``None`` where the side is empty; their sizes are zero then.
        volume_24h: and ``volume_30d``: in base units.
    """

    bid: Decimal | None
    bid_size: Decimal
    ask: Decimal | None
    ask_size: Decimal
    open_24h: Decimal
    high_24h: Decimal
    low_24h: Decimal
    volume_24h: Decimal
    volume_30d: Decimal


@attrs.frozen(kw_only=True)
class Matched(Happening):
    """A trade.

    Attributes:
        standing: how the market stands right after it; one order may trade several times at one moment.
        taker_side: the side of the aggressor; the maker is on the other.
        trade_id: contiguous per instrument.
    """

    trade_id: int
    maker_order_id: str
    taker_order_id: str
    taker_side: Side
    price: Decimal
    size: Decimal
    standing: Standing
    maker_owner: str | None = None
    taker_owner: str | None = None


@attrs.frozen(kw_only=True)
class Closed(Happening):
    """An order is over.

    Attributes:
        price: limit price; ``None`` for a market order.
        remaining: what was not filled; ``None`` for a market order, unless it had both size and funds.
        resting: whether it was on the book.
        cause: why it was cancelled, in a word; empty for a filled one.
    """

    order_id: str
    side: Side
    reason: Literal["filled", "canceled"]
    price: Decimal | None = None
    remaining: Decimal | None = None
    resting: bool = True
    cause: Literal["", "user", "self_trade", "no_liquidity"] = ""
    owner: str | None = None


@attrs.frozen(kw_only=True)
class Changed(Happening):
    """An order became smaller (self-trade prevention) or was modified by its owner.

    Attributes:
        old_size: and ``new_size``: what remains before and after; ``None`` for a market order by funds.
        old_funds: and ``new_funds``: the same in quote units, for a market order by funds.
        old_price: and ``new_price``: ``None`` for a market order.
        resting: whether it is on the book.
    """

    order_id: str
    side: Side
    cause: Literal["self_trade", "modified"]
    old_size: Decimal | None = None
    new_size: Decimal | None = None
    old_funds: Decimal | None = None
    new_funds: Decimal | None = None
    old_price: Decimal | None = None
    new_price: Decimal | None = None
    resting: bool = True
    owner: str | None = None


@attrs.frozen(kw_only=True)
class Activated(Happening):
    """A stop order was taken in; it becomes an ordinary order when the stop price trades.

    Attributes:
        stop: ``entry`` waits for the price to rise to the stop price, ``loss`` for it to fall.
    """

    order_id: str
    side: Side
    stop: Literal["entry", "loss"]
    stop_price: Decimal
    size: Decimal
    funds: Decimal | None = None
    owner: str | None = None


@attrs.frozen(kw_only=True)
class AuctionIndicated(Happening):
    """Where the opening auction stands; ``sequence`` is the counter as it stands, not a new number.

    Attributes:
        open_price: at which the auction would open now; ``None`` while nothing would trade.
        open_size: what would trade then.
    """

    state: Literal["collection", "opening"]
    bid: Decimal | None = None
    bid_size: Decimal | None = None
    ask: Decimal | None = None
    ask_size: Decimal | None = None
    open_price: Decimal | None = None
    open_size: Decimal | None = None


@attrs.frozen(kw_only=True)
class BlockTraded(Happening):
    """A trade away from the book, with trade ids of its own."""

    trade_id: int
    maker_order_id: str
    taker_order_id: str
    taker_side: Side
    price: Decimal
    size: Decimal


@attrs.frozen(kw_only=True)
class BalanceMoved(Happening):
    """An account of a known owner changed.

    Attributes:
        available: free to use.
        held: by open orders.
    """

    owner: str
    currency: str
    available: Decimal
    held: Decimal
