"""Upbit: its channels as topics, its messages field for field, and helpers for those who talk to it themselves.

::

    from trioquotes.venues import upbit

    async with trioquotes.Session("upbit") as stream:
        bars = await stream.subscribe(upbit.Candles("KRW-BTC", "1s"))      # Channel[upbit.Candle | Notice]
"""

from __future__ import annotations

from typing import Final

from trioquotes.venues.upbit.messages import (
    Announcement,
    Asset,
    Candle,
    Error,
    ErrorWords,
    Indicator,
    IndicatorSignal,
    LastTrade,
    Market,
    Markets,
    Message,
    MyAsset,
    MyOrder,
    OpenMessage,
    Orderbook,
    OrderbookUnit,
    Status,
    Subscription,
    Subscriptions,
    Ticker,
    Trade,
)
from trioquotes.venues.upbit.requests import generate_orderbook_codes, generate_payload
from trioquotes.venues.upbit.topics import (
    Announcements,
    Candles,
    ChannelTopic,
    Indicators,
    IndicatorSignals,
    MyAssets,
    MyOrders,
    Orderbooks,
    Tickers,
    Trades,
)
from trioquotes.venues.upbit.venue import UpbitVenue

VENUE: Final = UpbitVenue()

__all__ = [
    "VENUE",
    "Announcement",
    "Announcements",
    "Asset",
    "Candle",
    "Candles",
    "ChannelTopic",
    "Error",
    "ErrorWords",
    "Indicator",
    "IndicatorSignal",
    "IndicatorSignals",
    "Indicators",
    "LastTrade",
    "Market",
    "Markets",
    "Message",
    "MyAsset",
    "MyAssets",
    "MyOrder",
    "MyOrders",
    "OpenMessage",
    "Orderbook",
    "OrderbookUnit",
    "Orderbooks",
    "Status",
    "Subscription",
    "Subscriptions",
    "Ticker",
    "Tickers",
    "Trade",
    "Trades",
    "UpbitVenue",
    "generate_orderbook_codes",
    "generate_payload",
]
