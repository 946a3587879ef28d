"""Coinbase Exchange: its channels as topics, and its messages field for field.

::

    from trioquotes.venues import coinbase

    async with trioquotes.Session("coinbase") as stream:
        tickers = await stream.subscribe(coinbase.Tickers("BTC-USD"))      # Channel[coinbase.Ticker | Notice]
"""

from __future__ import annotations

from typing import Final

from trioquotes.venues.coinbase.level3 import (
    Level3Book,
    Level3Change,
    Level3Done,
    Level3Match,
    Level3Message,
    Level3Noop,
    Level3Open,
    Level3Schema,
)
from trioquotes.venues.coinbase.listings import Currency, CurrencyDetails, Network, Product, Status
from trioquotes.venues.coinbase.messages import (
    Activate,
    Auction,
    Balance,
    Change,
    Done,
    Error,
    Heartbeat,
    L2Update,
    LastMatch,
    Match,
    Message,
    Open,
    Received,
    RfqMatch,
    Snapshot,
    SubscribedChannel,
    Subscriptions,
    Ticker,
)
from trioquotes.venues.coinbase.topics import (
    Auctions,
    Balances,
    ChannelTopic,
    Full,
    FullMessage,
    Heartbeats,
    Level2,
    Level2Batch,
    Level3,
    Matches,
    RfqMatches,
    Statuses,
    TickerBatches,
    Tickers,
    User,
)
from trioquotes.venues.coinbase.venue import CoinbaseVenue

VENUE: Final = CoinbaseVenue()

__all__ = [
    "VENUE",
    "Activate",
    "Auction",
    "Auctions",
    "Balance",
    "Balances",
    "Change",
    "ChannelTopic",
    "CoinbaseVenue",
    "Currency",
    "CurrencyDetails",
    "Done",
    "Error",
    "Full",
    "FullMessage",
    "Heartbeat",
    "Heartbeats",
    "L2Update",
    "LastMatch",
    "Level2",
    "Level2Batch",
    "Level3",
    "Level3Book",
    "Level3Change",
    "Level3Done",
    "Level3Match",
    "Level3Message",
    "Level3Noop",
    "Level3Open",
    "Level3Schema",
    "Match",
    "Matches",
    "Message",
    "Network",
    "Open",
    "Product",
    "Received",
    "RfqMatch",
    "RfqMatches",
    "Snapshot",
    "Status",
    "Statuses",
    "SubscribedChannel",
    "Subscriptions",
    "Ticker",
    "TickerBatches",
    "Tickers",
    "User",
]
