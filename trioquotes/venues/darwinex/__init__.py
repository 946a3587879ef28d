"""Darwinex product quotes: its channels as topics, its messages field for field, and its tokens.

::

    import trioquotes as tq
    from trioquotes.venues import darwinex

    async with tq.Session("darwinex", credentials=tq.BearerToken("...")) as stream:
        quotes = await stream.subscribe(darwinex.ProductQuotes("DWC.4.20"))     # Channel[darwinex.ProductQuote | Notice]
"""

from __future__ import annotations

from typing import Final

from trioquotes.venues.darwinex.messages import (
    Error,
    ErrorCode,
    Heartbeat,
    Message,
    Pageable,
    Pong,
    Product,
    ProductPage,
    ProductQuote,
    Sort,
    Subscribed,
    SubscribedProduct,
    Unsubscribed,
)
from trioquotes.venues.darwinex.tokens import TokenFlow, Tokens
from trioquotes.venues.darwinex.topics import ChannelTopic, Heartbeats, Pongs, ProductQuotes, Products
from trioquotes.venues.darwinex.venue import DarwinexVenue

VENUE: Final = DarwinexVenue()

__all__ = [
    "VENUE",
    "ChannelTopic",
    "DarwinexVenue",
    "Error",
    "ErrorCode",
    "Heartbeat",
    "Heartbeats",
    "Message",
    "Pageable",
    "Pong",
    "Pongs",
    "Product",
    "ProductPage",
    "ProductQuote",
    "ProductQuotes",
    "Products",
    "Sort",
    "Subscribed",
    "SubscribedProduct",
    "TokenFlow",
    "Tokens",
    "Unsubscribed",
]
