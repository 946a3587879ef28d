"""The ``level3`` channel, whose messages are arrays that a schema gives names to, and the book by order.

The schema comes first on each connection. Every element of an array is a text.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec

from trioquotes._protocol.codec import BadFrame, Counter, Moment, check_numbers, explain
from trioquotes.events import WireMessage
from trioquotes.venues.coinbase.messages import Message

__all__ = [
    "DOCUMENTED_SCHEMA",
    "Level3Book",
    "Level3Change",
    "Level3Done",
    "Level3Match",
    "Level3Message",
    "Level3Noop",
    "Level3Open",
    "Level3Schema",
    "labelled",
    "named",
]


class Level3Schema(Message, frozen=True, kw_only=True, tag="level3"):
    """Which element of an array means what, by kind of message; the first message of the channel.

    *Source:* Exchange, WebSocket channels, "Level3 channel".
    """

    schema: dict[str, tuple[str, ...]]


class _Numbered(WireMessage, frozen=True, kw_only=True):
    product_id: str
    sequence: Counter
    time: Moment


class Level3Open(_Numbered, frozen=True, kw_only=True):
    """An order now rests on the book.

    Attributes:
        sequence: contiguous for a product, as in all messages of the channel.

    *Source:* Exchange, WebSocket channels, "Level3 channel", as the other kinds.
    """

    order_id: str
    side: str
    price: Decimal
    size: Decimal


class Level3Done(_Numbered, frozen=True, kw_only=True):
    """An order is no longer on the book.

    *Source:* Exchange, WebSocket channels, "Level3 channel".
    """

    order_id: str


class Level3Change(_Numbered, frozen=True, kw_only=True):
    """An order has a new size, and perhaps a new price.

    *Source:* Exchange, WebSocket channels, "Level3 channel".
    """

    order_id: str
    price: Decimal
    size: Decimal


class Level3Match(_Numbered, frozen=True, kw_only=True):
    """A trade; its side is that of the maker's order on the book.

    *Source:* Exchange, WebSocket channels, "Level3 channel".
    """

    maker_order_id: str
    taker_order_id: str
    price: Decimal
    size: Decimal


class Level3Noop(_Numbered, frozen=True, kw_only=True):
    """Something that does not touch the book: it keeps the sequence without holes.

    *Source:* Exchange, WebSocket channels, "Level3 channel".
    """


Level3Message: TypeAlias = Level3Open | Level3Done | Level3Change | Level3Match | Level3Noop

_KINDS: dict[str, type[Level3Message]] = {
    "open": Level3Open,
    "done": Level3Done,
    "change": Level3Change,
    "match": Level3Match,
    "noop": Level3Noop,
}

DOCUMENTED_SCHEMA: Mapping[str, tuple[str, ...]] = {
    "change": ("type", "product_id", "sequence", "order_id", "price", "size", "time"),
    "done": ("type", "product_id", "sequence", "order_id", "time"),
    "match": (
        "type", "product_id", "sequence", "maker_order_id", "taker_order_id", "price", "size", "time",
    ),
    "noop": ("type", "product_id", "sequence", "time"),
    "open": ("type", "product_id", "sequence", "order_id", "side", "price", "size", "time"),
}  # fmt: skip
"""For arrays that come before any schema, as in a capture that starts in the middle.

*Source:* Exchange, WebSocket channels, "Level3 channel".
"""


class Level3Book(WireMessage, frozen=True, kw_only=True):
    """The whole book by order, fetched over HTTP for ``OrderBooks`` and after a gap in ``full`` or ``level3``.

    Messages of the product whose sequence is not greater than this one's are already in it.

    Attributes:
        bids: ``(price, size, order_id)``, best first.
        asks: ``(price, size, order_id)``, best first.

    *Source:* Exchange, REST, "Get product book", level 3.
    """

    sequence: Counter
    bids: tuple[tuple[Decimal, Decimal, str], ...]
    asks: tuple[tuple[Decimal, Decimal, str], ...]
    product_id: str = ""
    time: Moment | None = None
    auction_mode: bool | None = None


def labelled(array: list[Any], schema: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """The elements of an array by name, as they are; none of a kind that is not known."""
    kind = array[0] if array else None
    return dict(zip(schema.get(kind, ()), array, strict=False)) if isinstance(kind, str) else {}


def named(array: list[Any], schema: Mapping[str, tuple[str, ...]]) -> Level3Message | str:
    """The message that an array is.

    Args:
        array: the frame as plain values.
        schema: names of the elements by kind.

    Returns:
        The message, or the name of a kind that is not known.

    Raises:
        BadFrame: the array does not fit the schema, or an element its type.
    """
    kind = array[0] if array else None
    if not isinstance(kind, str):
        raise BadFrame("no kind of message at $[0]")
    if kind not in _KINDS or kind not in schema:
        return kind
    wire = labelled(array, schema)
    try:
        message = msgspec.convert(wire, _KINDS[kind], strict=False)
    except msgspec.ValidationError as error:
        raise BadFrame(f"{kind}: {explain(error)}") from error
    check_numbers(message, wire)
    return message
