"""The socket's messages as unified events: one function per topic, without state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from trioquotes import events
from trioquotes._protocol.effects import Receipt, Skip, Unify
from trioquotes.events import Event, WireMessage
from trioquotes.venues.darwinex.messages import ProductPage, ProductQuote

__all__ = ["VENUE_NAME", "instruments", "milliseconds_ns", "quotes", "stateless"]

VENUE_NAME: Final = "darwinex"

OTHER = Skip("other message of the channel")


def stateless(unify: Unify) -> Callable[[], Unify]:
    """A maker of a unifier that needs no state."""
    return lambda: unify


def milliseconds_ns(milliseconds: int | None) -> int | None:
    """Unix nanoseconds of a time in milliseconds."""
    return None if milliseconds is None else milliseconds * 1_000_000


def quotes(message: WireMessage, receipt: Receipt) -> Event | Skip:
    """The one quote of a product: neither a bid nor an ask."""
    if not isinstance(message, ProductQuote):
        return OTHER
    return events.Quote(
        venue=VENUE_NAME,
        instrument=message.product_name,
        venue_time_ns=milliseconds_ns(message.timestamp),
        received_ns=receipt.received_ns,
        raw=receipt.raw,
        price=message.quote,
    )


def instruments(message: WireMessage, receipt: Receipt) -> tuple[Event, ...] | Skip:
    """Every product of a page; a DARWIN is an index, not a pair of currencies, so it has neither."""
    if not isinstance(message, ProductPage):
        return OTHER
    return tuple(
        events.Instrument(
            venue=VENUE_NAME,
            instrument=product.product_name,
            received_ns=receipt.received_ns,
            raw=receipt.raw,
            status=product.status,
        )
        for product in message.content
    )
