"""Typed messages for those who bring no types of their own: frozen msgspec Structs, field for field as ours are.

``READERS`` has for each venue a function from a frame to a message, ``value`` goes from a message to the sum of its
prices: ``None`` for what is none of the measured messages.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

import msgspec

__all__ = ["READERS", "value"]

Pair = tuple[Decimal, Decimal]


# Coinbase


class CoinbaseMessage(msgspec.Struct, frozen=True, tag_field="type", kw_only=True):
    """Root of the messages of Coinbase."""


class Ticker(CoinbaseMessage, frozen=True, tag="ticker", kw_only=True):
    product_id: str
    sequence: int
    price: Decimal
    open_24h: Decimal | None = None
    volume_24h: Decimal | None = None
    low_24h: Decimal | None = None
    high_24h: Decimal | None = None
    volume_30d: Decimal | None = None
    best_bid: Decimal | None = None
    best_bid_size: Decimal | None = None
    best_ask: Decimal | None = None
    best_ask_size: Decimal | None = None
    side: str | None = None
    time: datetime | None = None
    trade_id: int | None = None
    last_size: Decimal | None = None


class Snapshot(CoinbaseMessage, frozen=True, tag="snapshot", kw_only=True):
    product_id: str
    bids: tuple[Pair, ...]
    asks: tuple[Pair, ...]
    time: datetime | None = None


class L2Update(CoinbaseMessage, frozen=True, tag="l2update", kw_only=True):
    product_id: str
    changes: tuple[tuple[Literal["buy", "sell"], Decimal, Decimal], ...]
    time: datetime | None = None


class Match(CoinbaseMessage, frozen=True, tag="match", kw_only=True):
    product_id: str
    trade_id: int
    sequence: int
    maker_order_id: str
    taker_order_id: str
    side: str
    size: Decimal
    price: Decimal
    time: datetime


class LastMatch(Match, frozen=True, tag="last_match", kw_only=True):
    pass


class Subscriptions(CoinbaseMessage, frozen=True, tag="subscriptions", kw_only=True):
    channels: list[dict[str, Any]]


# Upbit


class UpbitMessage(msgspec.Struct, frozen=True, tag_field="type", kw_only=True):
    """Root of the messages of Upbit."""

    code: str
    timestamp: int | None = None
    stream_type: str | None = None


class UpbitTrade(UpbitMessage, frozen=True, tag="trade", kw_only=True):
    trade_price: Decimal
    trade_volume: Decimal
    ask_bid: str
    sequential_id: int
    prev_closing_price: Decimal | None = None
    change: str | None = None
    change_price: Decimal | None = None
    trade_date: str | None = None
    trade_time: str | None = None
    trade_timestamp: int | None = None
    best_ask_price: Decimal | None = None
    best_ask_size: Decimal | None = None
    best_bid_price: Decimal | None = None
    best_bid_size: Decimal | None = None


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    ask_price: Decimal
    bid_price: Decimal
    ask_size: Decimal
    bid_size: Decimal


class UpbitBook(UpbitMessage, frozen=True, tag="orderbook", kw_only=True):
    orderbook_units: tuple[Unit, ...]
    total_ask_size: Decimal | None = None
    total_bid_size: Decimal | None = None
    level: Decimal | None = None


# edgeX


class EdgexMessage(msgspec.Struct, frozen=True, tag_field="type", kw_only=True, rename="camel"):
    """Root of the messages of edgeX."""


class Level(msgspec.Struct, frozen=True, kw_only=True):
    price: Decimal
    size: Decimal


class DepthRow(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    start_version: str
    end_version: str
    level: int
    contract_id: str
    asks: tuple[Level, ...]
    bids: tuple[Level, ...]
    contract_name: str | None = None
    depth_type: str = ""


class DepthContent(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    channel: str
    data_type: str
    data: tuple[DepthRow, ...]


class QuoteEvent(EdgexMessage, frozen=True, tag="quote-event", kw_only=True):
    channel: str
    content: DepthContent


class Connected(EdgexMessage, frozen=True, tag="connected", kw_only=True):
    sid: str


class Subscribed(EdgexMessage, frozen=True, tag="subscribed", kw_only=True):
    channel: str


# Zonda


class ZondaMessage(msgspec.Struct, frozen=True, tag_field="action", kw_only=True, rename="camel"):
    """Root of the messages of Zonda."""


class ZondaLevel(msgspec.Struct, frozen=True, kw_only=True):
    ra: Decimal
    ca: Decimal
    sa: Decimal | None = None
    pa: Decimal | None = None
    co: int | None = None


class ZondaChange(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    entry_type: str
    rate: Decimal
    action: str
    market_code: str | None = None
    state: ZondaLevel | None = None


class ZondaChanges(msgspec.Struct, frozen=True, kw_only=True):
    changes: tuple[ZondaChange, ...]
    timestamp: str | None = None


class ZondaPush(ZondaMessage, frozen=True, tag="push", kw_only=True):
    topic: str
    message: ZondaChanges
    timestamp: str | None = None
    seq_no: int | None = None


class ZondaBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    sell: tuple[ZondaLevel, ...]
    buy: tuple[ZondaLevel, ...]
    seq_no: str
    status: str | None = None
    timestamp: str | None = None


class ZondaAnswer(ZondaMessage, frozen=True, tag="proxy-response", kw_only=True):
    request_id: str
    body: ZondaBody
    status_code: int = 200


class ZondaConfirm(ZondaMessage, frozen=True, tag="subscribe-public-confirm", kw_only=True):
    path: str


# Darwinex


class DarwinexMessage(msgspec.Struct, frozen=True, tag_field="op", kw_only=True, rename="camel"):
    """Root of the messages of Darwinex."""

    timestamp: int | None = None


class ProductQuote(DarwinexMessage, frozen=True, tag="pq", kw_only=True):
    product_name: str
    quote: Decimal


class Acknowledged(DarwinexMessage, frozen=True, tag="subscribed", kw_only=True):
    products: list[dict[str, Any]]
    status: str | None = None


READERS: dict[str, Callable[[Any], Any]] = {
    "coinbase": msgspec.json.Decoder(Ticker | Snapshot | L2Update | Match | LastMatch | Subscriptions).decode,
    "upbit": msgspec.json.Decoder(UpbitTrade | UpbitBook).decode,
    "edgex": msgspec.json.Decoder(QuoteEvent | Connected | Subscribed).decode,
    "zonda": msgspec.json.Decoder(ZondaPush | ZondaAnswer | ZondaConfirm).decode,
    "darwinex": msgspec.json.Decoder(ProductQuote | Acknowledged).decode,
}


def value(message: Any) -> Decimal | None:
    """The sum of its prices; of Upbit's books the best bid, of edgeX the sum of the sizes."""
    match message:
        case L2Update():
            return sum((price for _, price, _ in message.changes), Decimal(0))
        case LastMatch():
            return None
        case Ticker() | Match():
            return message.price
        case UpbitTrade(stream_type="REALTIME"):
            return message.trade_price
        case UpbitBook(stream_type="REALTIME"):
            return message.orderbook_units[0].bid_price
        case QuoteEvent() if message.content.data_type == "changed":
            levels = (level for row in message.content.data for level in (*row.asks, *row.bids))
            return sum((level.size for level in levels), Decimal(0))
        case ZondaPush():
            return sum((change.rate for change in message.message.changes), Decimal(0))
        case ProductQuote():
            return message.quote
    return None
