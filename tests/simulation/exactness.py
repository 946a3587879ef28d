"""Prices and sizes are the text of the frame that brought them, digit for digit."""

from __future__ import annotations

import re
from decimal import Decimal

import msgspec

import trioquotes as tq

__all__ = ["inexact"]

FROM_ONE_FRAME = (tq.Trade, tq.Fill, tq.Candle, tq.FundingRate, tq.Balance)
"""Events all of whose figures stand in the frame that brought them."""


def inexact(event: tq.Event) -> str:
    """The first figure that the event's own frame does not have with the same digits; empty for none."""
    if not isinstance(event, FROM_ONE_FRAME) or event.raw is None:
        return ""
    for name in type(event).__struct_fields__:
        value = getattr(event, name)
        if isinstance(value, Decimal) and not _stands_in(value, event.raw):
            return f"{name} is {value} in {msgspec.structs.replace(event, raw=None)!r:.300} of {event.raw!r:.600}"
    return ""


def _stands_in(value: Decimal, frame: bytes) -> bool:
    """Whether the number stands there with just these digits, and no others around them."""
    texts = {re.escape(text) for text in (format(value, "f"), str(value), str(value).lower())}
    found = re.search(f"(?<![0-9.])(?:{'|'.join(sorted(texts))})(?![0-9.eE])".encode(), frame)
    return found is not None
