"""What happens on a market: trades, prices, books."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from trioquotes.events.base import BookSide, Level, MarketEvent, RestingOrder, Side

__all__ = [
    "BookChange",
    "BookSnapshot",
    "Candle",
    "Depth",
    "FundingRate",
    "Instrument",
    "OrderBookChange",
    "OrderBookSnapshot",
    "Quote",
    "Ticker",
    "Trade",
]


class Trade(MarketEvent, frozen=True, kw_only=True):
    """A trade between others, as it happened.

    Attributes:
        taker_side: the side of the aggressor: ``"buy"`` lifted an ask, ``"sell"`` hit a bid.
        trade_id: the venue's id of the trade.
    """

    price: Decimal
    size: Decimal
    taker_side: Side | None = None
    trade_id: str | None = None


class Quote(MarketEvent, frozen=True, kw_only=True):
    """The best bid and ask; a side that is empty is ``None`` in both of its fields.

    Attributes:
        price: the one quote of a venue that has neither bid nor ask (Darwinex).
    """

    bid: Decimal | None = None
    bid_size: Decimal | None = None
    ask: Decimal | None = None
    ask_size: Decimal | None = None
    price: Decimal | None = None


class Ticker(MarketEvent, frozen=True, kw_only=True):
    """Figures of the last 24 hours.

    Attributes:
        last: price of the last trade.
        last_size: size of the last trade.
        open_24h, high_24h, low_24h: prices.
        volume_24h: traded, in base units.
        quote_volume_24h: traded, in quote units.
        bid, ask: best prices as this message says them; not a quote feed.
    """

    last: Decimal | None = None
    last_size: Decimal | None = None
    open_24h: Decimal | None = None
    high_24h: Decimal | None = None
    low_24h: Decimal | None = None
    volume_24h: Decimal | None = None
    quote_volume_24h: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None


class BookSnapshot(MarketEvent, frozen=True, kw_only=True):
    """A whole book (or a whole window of it): it replaces what was known.

    Attributes:
        bids: descending by price, best first; empty where nobody bids.
        asks: ascending by price, best first.
        depth: levels a side that the window promises at most; ``None`` means the whole book.
    """

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    depth: int | None = None


class BookChange(MarketEvent, frozen=True, kw_only=True):
    """Levels whose size changed: each sets the absolute size at its price, zero removes the price.

    Attributes:
        bids: in the order of the wire; a later entry for the same price wins.
        asks: the same for the other side.
    """

    bids: tuple[Level, ...] = ()
    asks: tuple[Level, ...] = ()


class Depth(MarketEvent, frozen=True, kw_only=True):
    """The best levels of both sides at one moment; each view stands alone.

    Attributes:
        bids: descending by price, best first; fewer than asked for where the book has no more.
        asks: ascending by price, best first.
        levels: how many a side were asked for.
    """

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    levels: int


class OrderBookSnapshot(MarketEvent, frozen=True, kw_only=True):
    """Every order of a book: it replaces what was known.

    Attributes:
        bids: best price first; at one price in the order in which they trade.
        asks: the same for the other side.
        sequence: of the last message that is in it.
    """

    bids: tuple[RestingOrder, ...]
    asks: tuple[RestingOrder, ...]


class OrderBookChange(MarketEvent, frozen=True, kw_only=True):
    """What happened to one order on a book by order; it may be applied blindly to the book before it.

    Attributes:
        action: ``open``: the order rests from now on, last at its price; ``match``: it traded, and less of it rests;
            ``change``: less of it rests, or it rests at another price, last there; ``done``: it is gone.
        order_id: the venue's id of the order; in a ``match`` that of the maker.
        side: of the order; ``None`` where the venue does not say it again.
        price: where it rests, after a ``change`` the new one; ``None`` where the venue does not say it again.
        size: what rests of it after ``open`` and ``change``, what was traded in a ``match``; ``None`` in ``done``.
    """

    action: Literal["open", "match", "change", "done"]
    order_id: str
    side: BookSide | None = None
    price: Decimal | None = None
    size: Decimal | None = None


class Candle(MarketEvent, frozen=True, kw_only=True):
    """One bar, pushed again while it forms.

    Attributes:
        interval: the venue's own name of the interval.
        open_time_ns: start of the bar.
        volume: traded, in base units.
        quote_volume: traded, in quote units.
        closed: whether the venue says that the bar is final; ``None`` where it says nothing.
    """

    interval: str
    open_time_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal | None = None
    quote_volume: Decimal | None = None
    closed: bool | None = None


class FundingRate(MarketEvent, frozen=True, kw_only=True):
    """The funding rate of a perpetual contract, as a fraction (0.0001 is one basis point).

    Attributes:
        funding_time_ns: when the rate is, or was, settled.
    """

    rate: Decimal
    funding_time_ns: int | None = None
    mark_price: Decimal | None = None
    index_price: Decimal | None = None


class Instrument(MarketEvent, frozen=True, kw_only=True):
    """What can be traded and in which steps.

    Attributes:
        base, quote: the two currencies, as the venue spells them.
        price_step, size_step: smallest increments.
        min_size: smallest order, in base units.
        min_notional: smallest order, in quote units.
        status: the venue's own word.
    """

    base: str | None = None
    quote: str | None = None
    price_step: Decimal | None = None
    size_step: Decimal | None = None
    min_size: Decimal | None = None
    min_notional: Decimal | None = None
    status: str | None = None
