"""What is written to the socket, and names of products in texts; pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from trioquotes._protocol.effects import WireChannel

__all__ = [
    "MAX_FRAME_BYTES",
    "MAX_PRODUCTS",
    "NAMES_A_REQUEST",
    "PRODUCT",
    "RECOMMENDED_PRODUCTS",
    "named_products",
    "ping",
    "subscribe",
    "unsubscribe",
    "unsubscribe_all",
]

NAMES_A_REQUEST: Final = 100
"""Names in one request at most.

*Source:* Product Quotes WebSocket walkthrough, 2 "Subscription".
"""
MAX_PRODUCTS: Final = 10_000
"""Products subscribed at one time at most.

*Source:* Product Quotes WebSocket walkthrough, ``MAX_PRODUCT_SUBSCRIPTIONS_REACHED``.
"""
RECOMMENDED_PRODUCTS: Final = 15
"""Products beyond which quotes may well be held back.

*Source:* Product Quotes WebSocket walkthrough, 2 "Subscription".
"""
MAX_FRAME_BYTES: Final = 65_536
"""The largest frame, either way.

*Source:* Darwinex community, thread 5306.
"""

PRODUCT: Final = re.compile(r"[A-Z0-9]{1,16}\.[0-9]{1,6}\.[0-9]{1,6}", re.ASCII)
"""The full name of a product. Its length is bounded so that a full request stays far below a frame."""

_IN_TEXT = re.compile(rf"(?<![A-Za-z0-9.])(?:{PRODUCT.pattern})(?![A-Za-z0-9])", re.ASCII)


def subscribe(channels: Sequence[WireChannel]) -> bytes:
    """Ask for the quotes of products.

    *Source:* Product Quotes WebSocket walkthrough, 2 "Subscription".
    """
    return _of_products("subscribe", channels)


def unsubscribe(channels: Sequence[WireChannel]) -> bytes:
    """Ask for them no longer.

    *Source:* Product Quotes WebSocket walkthrough, 3 "Unsubscription".
    """
    return _of_products("unsubscribe", channels)


def unsubscribe_all() -> bytes:
    """Ask for no product any longer.

    *Source:* Product Quotes WebSocket walkthrough, 3 "Unsubscription".
    """
    return msgspec.json.encode({"op": "unsubscribeAll"})


def ping(text: str) -> bytes:
    """Ask for a pong that repeats the text.

    *Source:* Product Quotes WebSocket walkthrough, 6 "Ping-Pong messages".
    """
    return msgspec.json.encode({"op": "ping", "msg": text})


def _of_products(op: str, channels: Sequence[WireChannel]) -> bytes:
    return msgspec.json.encode({"op": op, "productNames": [channel.instrument for channel in channels]})


def named_products(text: str) -> frozenset[str]:
    """The full names of products in a text."""
    return frozenset(_IN_TEXT.findall(text))
