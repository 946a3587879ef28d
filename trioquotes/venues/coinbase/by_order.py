"""The messages of ``full`` and ``level3`` as changes of a book by order.

Both channels number all messages of a product without holes. Those that do not touch the book say their
number all the same, so that a hole is seen.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, Literal

from trioquotes import events
from trioquotes._protocol.codec import epoch_ns
from trioquotes._protocol.effects import Receipt, Skip
from trioquotes.events import BookSide, Event, OrderBookChange, WireMessage
from trioquotes.venues.coinbase import messages as wire
from trioquotes.venues.coinbase.level3 import (
    Level3Book,
    Level3Change,
    Level3Done,
    Level3Match,
    Level3Noop,
    Level3Open,
)
from trioquotes.venues.coinbase.unify import OTHER, VENUE_NAME

__all__ = ["book_of", "order_books"]

NOT_ON_THE_BOOK: Final = "not on the book"
"""Of a message that concerns no order at rest: received, a stop order, a market order in quote units, ``noop``."""

_SIDES: dict[str, BookSide] = {"buy": "bid", "sell": "ask"}


def order_books(message: WireMessage, receipt: Receipt) -> Event | Skip:
    """What a message does to the book.

    *Source:* Exchange, WebSocket channels, "Full channel" and "Level3 channel".
    """
    make = _MAKERS.get(type(message))
    return OTHER if make is None else make(message, receipt)


def book_of(book: Level3Book, receipt: Receipt) -> events.OrderBookSnapshot:
    """The fetched book, orders as listed: at one price in the order in which they trade."""
    return events.OrderBookSnapshot(
        venue=VENUE_NAME,
        instrument=book.product_id,
        venue_time_ns=epoch_ns(book.time),
        received_ns=receipt.received_ns,
        sequence=book.sequence,
        raw=receipt.raw,
        bids=book.bids,
        asks=book.asks,
    )


def _open(message: wire.Open, receipt: Receipt) -> OrderBookChange:
    return _change(
        message,
        receipt,
        "open",
        message.order_id,
        side=message.side,
        price=message.price,
        size=message.remaining_size,
    )


def _open3(message: Level3Open, receipt: Receipt) -> OrderBookChange:
    return _change(
        message,
        receipt,
        "open",
        message.order_id,
        side=message.side,
        price=message.price,
        size=message.size,
    )


def _match(message: wire.Match, receipt: Receipt) -> OrderBookChange:
    """The side of a match is that of the maker, whose order is the one at rest."""
    return _change(
        message,
        receipt,
        "match",
        message.maker_order_id,
        side=message.side,
        price=message.price,
        size=message.size,
    )


def _match3(message: Level3Match, receipt: Receipt) -> OrderBookChange:
    return _change(message, receipt, "match", message.maker_order_id, price=message.price, size=message.size)


def _changed(message: wire.Change, receipt: Receipt) -> OrderBookChange | Skip:
    """By self-trade prevention less is left of it, or nothing; by its owner it may move as well."""
    if message.new_size is None:
        return Skip(NOT_ON_THE_BOOK, message.sequence)
    if not message.new_size:
        return _change(message, receipt, "done", message.order_id, side=message.side)
    return _change(
        message,
        receipt,
        "change",
        message.order_id,
        side=message.side,
        price=message.price if message.new_price is None else message.new_price,
        size=message.new_size,
    )


def _changed3(message: Level3Change, receipt: Receipt) -> OrderBookChange:
    if not message.size:
        return _change(message, receipt, "done", message.order_id)
    return _change(message, receipt, "change", message.order_id, price=message.price, size=message.size)


def _done(message: wire.Done, receipt: Receipt) -> OrderBookChange:
    return _change(message, receipt, "done", message.order_id, side=message.side, price=message.price)


def _done3(message: Level3Done, receipt: Receipt) -> OrderBookChange:
    return _change(message, receipt, "done", message.order_id)


def _untouched(message: wire.Received | Level3Noop, receipt: Receipt) -> Skip:
    del receipt
    return Skip(NOT_ON_THE_BOOK, message.sequence)


def _activate(message: wire.Activate, receipt: Receipt) -> Skip:
    """A stop order, which is not numbered."""
    del message, receipt
    return Skip(NOT_ON_THE_BOOK)


def _change(
    message: Any,
    receipt: Receipt,
    action: Literal["open", "match", "change", "done"],
    order_id: str,
    *,
    side: str | None = None,
    price: Decimal | None = None,
    size: Decimal | None = None,
) -> OrderBookChange:
    return OrderBookChange(
        venue=VENUE_NAME,
        instrument=message.product_id,
        venue_time_ns=epoch_ns(message.time),
        received_ns=receipt.received_ns,
        sequence=message.sequence,
        raw=receipt.raw,
        action=action,
        order_id=order_id,
        side=None if side is None else _SIDES.get(side),
        price=price,
        size=size,
    )


_MAKERS: dict[type, Callable[[Any, Receipt], Event | Skip]] = {
    Level3Book: book_of,
    wire.Open: _open,
    wire.Match: _match,
    wire.Change: _changed,
    wire.Done: _done,
    wire.Received: _untouched,
    wire.Activate: _activate,
    Level3Open: _open3,
    Level3Match: _match3,
    Level3Change: _changed3,
    Level3Done: _done3,
    Level3Noop: _untouched,
}
