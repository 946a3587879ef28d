"""What the quotes socket and its REST side say, field for field.

Names are the venue's in snake case: ``productName`` is ``product_name``. Times are milliseconds since the epoch.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

import msgspec

from trioquotes._protocol.codec import Counter
from trioquotes.events import WireMessage

__all__ = [
    "Error",
    "ErrorCode",
    "Heartbeat",
    "Message",
    "Pageable",
    "Pong",
    "Product",
    "ProductPage",
    "ProductQuote",
    "ServerMessage",
    "Sort",
    "Subscribed",
    "SubscribedProduct",
    "Unsubscribed",
]


class ErrorCode(StrEnum):
    """The codes that errors are documented to have.

    *Source:* Product Quotes WebSocket walkthrough, "Possible error codes".
    """

    EMPTY_MESSAGE_RECEIVED = "EMPTY_MESSAGE_RECEIVED"
    MESSAGE_NOT_RECOGNIZED = "MESSAGE_NOT_RECOGNIZED"
    PRODUCT_NOT_VALID = "PRODUCT_NOT_VALID"
    MAX_PRODUCT_SUBSCRIPTIONS_REACHED = "MAX_PRODUCT_SUBSCRIPTIONS_REACHED"


class Message(WireMessage, frozen=True, kw_only=True, tag_field="op", rename="camel"):
    """Root of the socket's messages, told apart by ``op``."""


class ProductQuote(Message, frozen=True, kw_only=True, tag="pq"):
    """The present quote of a product; also made of each quote inside an acknowledgement.

    Attributes:
        product_name: the full name, ``DWC.4.20``.
        quote: the one quote; there is neither bid nor ask.
        timestamp: milliseconds since the epoch; that of the acknowledgement for a quote inside one.

    *Source:* Product Quotes WebSocket walkthrough, 4 "Product Quotes" and 2 "Subscription".
    """

    product_name: str
    quote: Decimal
    timestamp: Counter | None = None


class Heartbeat(Message, frozen=True, kw_only=True, tag="hb"):
    """Sent from time to time, whatever is subscribed; the interval is not documented.

    Attributes:
        timestamp: milliseconds since the epoch.

    *Source:* Product Quotes WebSocket walkthrough, 5 "Heartbeats".
    """

    timestamp: Counter | None = None


class Pong(Message, frozen=True, kw_only=True, tag="pong"):
    """The answer to a ping.

    Attributes:
        timestamp: when the ping was processed, in milliseconds since the epoch.
        msg: the text of the ping; of ours the Unix nanoseconds at which it was made.

    *Source:* Product Quotes WebSocket walkthrough, 6 "Ping-Pong messages".
    """

    timestamp: Counter | None = None
    msg: str | None = None


class SubscribedProduct(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A product that was added, with its present quote.

    *Source:* Product Quotes WebSocket walkthrough, 2 "Subscription".
    """

    product_name: str
    quote: Decimal | None = None


class Subscribed(Message, frozen=True, kw_only=True, tag="subscribed"):
    """The answer to ``subscribe``.

    Attributes:
        status: ``OK``, or ``WARN`` where some of the names were not added.
        products: those that were.
        timestamp: milliseconds since the epoch.

    *Source:* Product Quotes WebSocket walkthrough, 2 "Subscription".
    """

    products: tuple[SubscribedProduct, ...]
    status: str | None = None
    timestamp: Counter | None = None


class Unsubscribed(Message, frozen=True, kw_only=True, tag="unsubscribed"):
    """The answer to ``unsubscribe`` and ``unsubscribeAll``.

    Attributes:
        product_names: those that are no longer subscribed because of it.

    *Source:* Product Quotes WebSocket walkthrough, 3 "Unsubscription".
    """

    status: str | None = None
    timestamp: Counter | None = None
    product_names: tuple[str, ...] | None = None


class Error(Message, frozen=True, kw_only=True, tag="error"):
    """A request was refused, or a part of it; nothing says that the line ends.

    Attributes:
        op_request: ``op`` of the request; empty or missing where that could not be read.
        code: one of :class:`ErrorCode`, as text.
        timestamp: milliseconds since the epoch; not in answers to ``subscribe``.

    *Source:* Product Quotes WebSocket walkthrough, 2, 3 and "Possible error codes".
    """

    op_request: str | None = None
    code: str | None = None
    msg: str | None = None
    timestamp: Counter | None = None


class Product(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A product of the REST list.

    Attributes:
        product_name: the full name, by which it is subscribed.
        short_name: the ticker alone, which the socket does not take.
        status: ``ACTIVE``, ...
        migration_date: milliseconds since the epoch; 0 for never, as the other two.
        currency: of the strategy behind it.

    *Source:* REST ``darwininfo/2.0/products``, as recorded in 2020.
    """

    product_name: str
    short_name: str | None = None
    status: str | None = None
    migration_date: Counter | None = None
    validation_date: Counter | None = None
    reset_date: Counter | None = None
    currency: str | None = None


class Sort(msgspec.Struct, frozen=True, kw_only=True):
    """In which order a page is.

    *Source:* REST ``darwininfo/2.0/products``, as recorded in 2020.
    """

    sorted: bool | None = None
    unsorted: bool | None = None
    empty: bool | None = None


class Pageable(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which page was asked for.

    Attributes:
        offset: products before this page.

    *Source:* REST ``darwininfo/2.0/products``, as recorded in 2020.
    """

    sort: Sort | None = None
    offset: Counter | None = None
    page_number: Counter | None = None
    page_size: Counter | None = None
    unpaged: bool | None = None
    paged: bool | None = None


class ProductPage(WireMessage, frozen=True, kw_only=True, rename="camel"):
    """One page of the REST list of products.

    Attributes:
        content: the products.
        last: whether no page follows.
        number: of this page, from 0.
        size: products on a full page.
        number_of_elements: products on this one.

    *Source:* REST ``darwininfo/2.0/products``, as recorded in 2020.
    """

    content: tuple[Product, ...]
    pageable: Pageable | None = None
    last: bool | None = None
    total_pages: Counter | None = None
    total_elements: Counter | None = None
    size: Counter | None = None
    number: Counter | None = None
    sort: Sort | None = None
    number_of_elements: Counter | None = None
    first: bool | None = None
    empty: bool | None = None


ServerMessage: TypeAlias = ProductQuote | Heartbeat | Pong | Subscribed | Unsubscribed | Error
"""Everything that the socket sends."""
