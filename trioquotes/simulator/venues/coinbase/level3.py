"""The compact form of the full channel: arrays of texts whose positions a schema names.

*Source:* docs.cdp.coinbase.com/exchange/websocket-feed/channels, section Level3 channel.
"""

from __future__ import annotations

from typing import Any

from trioquotes.simulator.happenings import Changed, Closed, Happening, Matched, Opened
from trioquotes.simulator.venues.coinbase.texts import plain, time_text

__all__ = ["SCHEMA", "row"]

SCHEMA: dict[str, Any] = {
    "type": "level3",
    "schema": {
        "change": ["type", "product_id", "sequence", "order_id", "price", "size", "time"],
        "done": ["type", "product_id", "sequence", "order_id", "time"],
        "match": [
            "type", "product_id", "sequence", "maker_order_id", "taker_order_id", "price", "size", "time",
        ],
        "noop": ["type", "product_id", "sequence", "time"],
        "open": ["type", "product_id", "sequence", "order_id", "side", "price", "size", "time"],
    },
}  # fmt: skip


def row(happening: Happening) -> list[str] | None:
    """One happening as an array, or ``None`` for what is not counted.

    What does not touch the book, such as an order received or one that ends before it rested, is a
    ``noop``, so that the sequence has no holes.
    """
    if happening.sequence is None:
        return None
    match happening:
        case Opened():
            kind = "open"
            fields = [
                happening.order_id,
                happening.side,
                plain(happening.price),
                plain(happening.remaining),
            ]
        case Closed(resting=True):
            kind, fields = "done", [happening.order_id]
        case Changed(resting=True, new_price=price, new_size=size) if price is not None and size is not None:
            kind, fields = "change", [happening.order_id, plain(price), plain(size)]
        case Matched():
            kind = "match"
            fields = [
                happening.maker_order_id,
                happening.taker_order_id,
                plain(happening.price),
                plain(happening.size),
            ]
        case _:
            kind, fields = "noop", []
    return [kind, happening.instrument, str(happening.sequence), *fields, time_text(happening.time_ns)]
