"""edgeX, both generations: its channels as topics, and its messages field for field.

::

    from trioquotes.venues import edgex

    async with trioquotes.Session("edgex") as stream:
        klines = await stream.subscribe(edgex.Klines("30000001", "HOUR_1"))      # Channel[edgex.Kline | Notice]
"""

from __future__ import annotations

from typing import Final

from trioquotes.venues.edgex.messages import (
    BookTicker,
    Coin,
    Contract,
    Depth,
    FundingRate,
    Kline,
    Metadata,
    Pong,
    RiskTier,
    Row,
    Ticker,
    Trade,
)
from trioquotes.venues.edgex.private import (
    Account,
    Collateral,
    CollateralTransaction,
    Deposit,
    Groups,
    Id,
    Order,
    OrderFillTransaction,
    Position,
    PositionTerm,
    PositionTransaction,
    TradeEvent,
    TransferIn,
    TransferOut,
    Withdraw,
)
from trioquotes.venues.edgex.topics import (
    AllBookTickers,
    AllBookTickersEachSecond,
    AllFundingRates,
    AllTickers,
    AllTickersEachSecond,
    BookTickers,
    ChannelTopic,
    Depths,
    FundingRates,
    Klines,
    MetadataUpdates,
    Pongs,
    Tickers,
    TradeEvents,
    Trades,
)
from trioquotes.venues.edgex.venue import EdgexVenue

VENUE: Final = EdgexVenue()

__all__ = [
    "VENUE",
    "Account",
    "AllBookTickers",
    "AllBookTickersEachSecond",
    "AllFundingRates",
    "AllTickers",
    "AllTickersEachSecond",
    "BookTicker",
    "BookTickers",
    "ChannelTopic",
    "Coin",
    "Collateral",
    "CollateralTransaction",
    "Contract",
    "Deposit",
    "Depth",
    "Depths",
    "EdgexVenue",
    "FundingRate",
    "FundingRates",
    "Groups",
    "Id",
    "Kline",
    "Klines",
    "Metadata",
    "MetadataUpdates",
    "Order",
    "OrderFillTransaction",
    "Pong",
    "Pongs",
    "Position",
    "PositionTerm",
    "PositionTransaction",
    "RiskTier",
    "Row",
    "Ticker",
    "Tickers",
    "Trade",
    "TradeEvent",
    "TradeEvents",
    "Trades",
    "TransferIn",
    "TransferOut",
    "Withdraw",
]
