"""What a user receives: market events, private account events, notices, and the base of wire messages.

Prices and sizes are ``Decimal`` with every digit of the wire. Times are integer nanoseconds since
the Unix epoch: ``venue_time_ns`` as the venue says it, ``received_ns`` as read from our clock once
per socket read. What a venue did not say is ``None``. Sizes are in base units and never negative.
"""

from __future__ import annotations

from trioquotes.events.account import Balance, Fill, OrderUpdate
from trioquotes.events.base import BookSide, Event, Level, MarketEvent, RestingOrder, Side, WireMessage
from trioquotes.events.market import (
    BookChange,
    BookSnapshot,
    Candle,
    Depth,
    FundingRate,
    Instrument,
    OrderBookChange,
    OrderBookSnapshot,
    Quote,
    Ticker,
    Trade,
)
from trioquotes.events.notices import (
    Audited,
    Connected,
    Disconnected,
    Gap,
    Lagged,
    LevelDifference,
    Malformed,
    Notice,
    Rejected,
    Resynced,
    Stale,
    Throttled,
    Unknown,
)

__all__ = [
    "Audited",
    "Balance",
    "BookChange",
    "BookSide",
    "BookSnapshot",
    "Candle",
    "Connected",
    "Depth",
    "Disconnected",
    "Event",
    "Fill",
    "FundingRate",
    "Gap",
    "Instrument",
    "Lagged",
    "Level",
    "LevelDifference",
    "Malformed",
    "MarketEvent",
    "Notice",
    "OrderBookChange",
    "OrderBookSnapshot",
    "OrderUpdate",
    "Quote",
    "Rejected",
    "RestingOrder",
    "Resynced",
    "Side",
    "Stale",
    "Throttled",
    "Ticker",
    "Trade",
    "Unknown",
    "WireMessage",
]
