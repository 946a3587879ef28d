"""The book of a product over HTTP: the snapshot of a book by order, and what kept books are audited with."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from urllib.parse import quote

import msgspec

from trioquotes import events
from trioquotes._protocol.codec import BadFrame, Counter, Moment, Reader, epoch_ns
from trioquotes._protocol.effects import Audit, Endpoint, HttpRequest, Receipt
from trioquotes.events import WireMessage
from trioquotes.venues.coinbase import unify
from trioquotes.venues.coinbase.by_order import book_of
from trioquotes.venues.coinbase.level3 import Level3Book

__all__ = ["audit_by_order", "audit_by_price", "book_by_order", "request"]


class _Level2Book(WireMessage, frozen=True, kw_only=True):
    """The whole book by price: ``(price, size, number of orders)``, best first."""

    bids: tuple[tuple[Decimal, Decimal, int], ...]
    asks: tuple[tuple[Decimal, Decimal, int], ...]
    sequence: Counter | None = None
    time: Moment | None = None
    auction_mode: bool | None = None


_BY_PRICE: Reader[_Level2Book] = Reader(_Level2Book, literals=True)
_BY_ORDER: Reader[Level3Book] = Reader(Level3Book, literals=True)


def request(endpoint: Endpoint, product: str, level: int) -> HttpRequest:
    """What to ask for a whole book: level 2 is by price, level 3 by order.

    *Source:* Exchange, REST, "Get product book".
    """
    return HttpRequest(f"{endpoint.rest}/products/{quote(product, safe='')}/book?level={level}")


def book_by_order(body: bytes, product: str) -> Level3Book:
    """The book of level 3; its product is not in it.

    Raises:
        BadFrame: it is none.
    """
    return msgspec.structs.replace(_BY_ORDER.read(body), product_id=product)


def audit_by_price(endpoint: Endpoint, product: str) -> Audit | None:
    """The whole book by price, which is what the ``level2`` channels bring.

    *Source:* Exchange, REST, "Get product book", level 2.
    """
    if endpoint.rest is None:
        return None
    return Audit(request(endpoint, product, 2), partial(_read_by_price, product))


def audit_by_order(endpoint: Endpoint, product: str) -> Audit | None:
    """The whole book by order.

    *Source:* Exchange, REST, "Get product book", level 3.
    """
    if endpoint.rest is None:
        return None
    return Audit(request(endpoint, product, 3), partial(_read_by_order, product))


def _read_by_price(product: str, body: bytes, receipt: Receipt) -> events.BookSnapshot:
    book = _BY_PRICE.read(body)
    _refuse_auction(book.auction_mode)
    return events.BookSnapshot(
        venue=unify.VENUE_NAME,
        instrument=product,
        venue_time_ns=epoch_ns(book.time),
        received_ns=receipt.received_ns,
        sequence=book.sequence,
        raw=receipt.raw,
        bids=unify.resting(tuple([(price, size) for price, size, _ in book.bids]), descending=True),
        asks=unify.resting(tuple([(price, size) for price, size, _ in book.asks]), descending=False),
    )


def _read_by_order(product: str, body: bytes, receipt: Receipt) -> events.OrderBookSnapshot:
    book = book_by_order(body, product)
    _refuse_auction(book.auction_mode)
    return book_of(book, receipt)


def _refuse_auction(auction_mode: bool | None) -> None:
    """While orders are collected the book holds an indicative quote of some moment: nothing to compare with."""
    if auction_mode:
        raise BadFrame("the product is in an auction")
