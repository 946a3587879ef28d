"""Roots of everything a channel hands over, and the words they share."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, TypeAlias

import msgspec

__all__ = ["BookSide", "Event", "Level", "MarketEvent", "RestingOrder", "Side", "WireMessage"]

Side: TypeAlias = Literal["buy", "sell"]
Level: TypeAlias = tuple[Decimal, Decimal]
"""``(price, size)``: the size is the absolute total resting at the price; in a change zero removes it."""
RestingOrder: TypeAlias = tuple[Decimal, Decimal, str]
"""``(price, size, order id)`` of one order on a book: the size is what remains of it."""
BookSide: TypeAlias = Literal["bid", "ask"]


# The garbage collector need not look at events: they hold values, which cannot lead back to them.
class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Root of everything a channel hands over."""


class WireMessage(Event, frozen=True, kw_only=True):
    """Root of a venue's own messages, field for field as on the wire.

    Attributes:
        received_ns: when the socket read that brought it returned; 0 where nobody stamped it.
        raw: the frame it came from, if the session was opened with ``raw=True``.
    """

    # The encoded names can never be keys of a wire message, so the wire cannot fill our own fields.
    received_ns: int = msgspec.field(default=0, name="~received_ns")
    raw: bytes | None = msgspec.field(default=None, name="~raw")


class MarketEvent(Event, frozen=True, kw_only=True):
    """Root of the unified events.

    Attributes:
        venue: name of the venue.
        instrument: the venue's own name of the instrument; empty where the event has none.
        venue_time_ns: the venue's time of what happened.
        received_ns: our time of receipt.
        sequence: the venue's own counter, where it has one; see the venue's reference for its meaning.
        raw: the frame it came from, if the session was opened with ``raw=True``.
    """

    venue: str
    instrument: str
    venue_time_ns: int | None = None
    received_ns: int
    sequence: int | None = None
    raw: bytes | None = None
