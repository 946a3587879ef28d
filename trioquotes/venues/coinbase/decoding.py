"""From a frame to a message, and what can be said of a frame that is none."""

from __future__ import annotations

from typing import Any, Final, get_args

from trioquotes._protocol.codec import BadFrame, Reader, builtins
from trioquotes.venues.coinbase import messages as wire
from trioquotes.venues.coinbase.level3 import Level3Schema
from trioquotes.venues.coinbase.listings import Status

__all__ = ["BOOK_TYPES", "TYPES", "WHOLE", "fields_of", "read", "read_many"]

_OBJECTS = wire.MarketMessage | wire.OrderMessage | wire.Answer | Status | Level3Schema
_READER = Reader[Any](_OBJECTS, literals=True)

TYPES: Final = frozenset(kind.__struct_config__.tag for kind in get_args(_OBJECTS))
"""The kinds of messages that are known, as the wire names them."""

BOOK_TYPES: Final = frozenset({"snapshot", "l2update"})
"""Those of them that books by price are kept from."""
WHOLE: Final = frozenset({"status", "rfq_matches"})
"""Channels that are subscribed as a whole, without a product."""

read = _READER.read
read_many = _READER.read_many


def fields_of(frame: bytes) -> tuple[str, dict[str, Any]]:
    """The kind that a frame says it is of, and its fields as plain values; nothing where it says nothing."""
    try:
        fields = builtins(frame)
    except BadFrame:
        fields = None
    fields = fields if isinstance(fields, dict) else {}
    return (fields["type"] if isinstance(fields.get("type"), str) else ""), fields
