"""What Upbit sends, field for field under the names of the DEFAULT format.

All four formats decode to these classes. Numbers are bare JSON numbers in mixed spellings, and keep every
digit. A word that is not listed here passes as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final, TypeAlias

import msgspec

from trioquotes._protocol.codec import Counter
from trioquotes.events import WireMessage

__all__ = [
    "Announcement",
    "Asset",
    "Candle",
    "Error",
    "ErrorWords",
    "Indicator",
    "IndicatorSignal",
    "LastTrade",
    "LocalTime",
    "Market",
    "Markets",
    "Message",
    "MyAsset",
    "MyOrder",
    "OpenMessage",
    "Orderbook",
    "OrderbookUnit",
    "Status",
    "Subscription",
    "Subscriptions",
    "Ticker",
    "Trade",
    "stamp_ns",
]

LocalTime: TypeAlias = Annotated[datetime, msgspec.Meta(tz=False)]
"""A time without a zone on the wire: the field's name says which one is meant."""

MICROSECONDS_FROM: Final = 10**14
"""Timestamps are milliseconds; some of August 2023 were microseconds, which are above this."""
_LAST_NS: Final = 2**63 - 1


def stamp_ns(timestamp: int | None) -> int | None:
    """Unix nanoseconds of a timestamp of the wire; ``None`` for none, and for one that no calendar holds.

    *Source:* WebSocket reference, ``timestamp``; microseconds in recorded USDT-ETC books of August 2023.
    """
    if timestamp is None:
        return None
    found_ns = timestamp * (1_000 if timestamp > MICROSECONDS_FROM else 1_000_000)
    return found_ns if found_ns <= _LAST_NS else None


class Message(WireMessage, frozen=True, kw_only=True):
    """Root of the messages that a subscription brings.

    Attributes:
        type: the venue's name of the channel.
        timestamp: when the message was made, milliseconds since the epoch (see :func:`stamp_ns`).
        stream_type: ``SNAPSHOT`` for the state as of the request, ``REALTIME`` for what came later.

    *Source:* WebSocket reference, "Common" of each type.
    """

    type: str
    timestamp: Counter | None = None
    stream_type: str | None = None


class Ticker(Message, frozen=True, kw_only=True):
    """Figures of a market, sent with trades and when the 24 hours roll; no quote feed.

    Attributes:
        opening_price: of the UTC day, as ``high_price`` and ``low_price``.
        trade_price: of the last trade, as ``trade_volume``, in base units.
        prev_closing_price: of the UTC day before.
        change: against that: ``RISE``, ``EVEN``, ``FALL``.
        change_price: never negative, as ``change_rate``, a fraction; the ``signed_`` ones may be.
        acc_trade_volume: of the UTC day, in base units; ``acc_trade_volume_24h`` of the last 24 hours.
        acc_trade_price: of the UTC day, in quote units; ``acc_trade_price_24h`` of the last 24 hours.
        trade_date: of the last trade, UTC, ``yyyyMMdd``, as ``trade_time``, ``HHmmss``.
        ask_bid: side of the taker of the last trade: ``ASK`` sold, ``BID`` bought.
        acc_ask_volume: sold by takers in the UTC day, in base units; ``acc_bid_volume`` bought.
        market_state: ``PREVIEW``, ``ACTIVE``, ``DELISTED``.
        is_trading_suspended: deprecated, as ``market_warning``, ``NONE`` or ``CAUTION``.
        trade_status: removed in October 2021, as ``market_state_for_ios``.

    *Source:* WebSocket reference, "Ticker".
    """

    code: str
    trade_price: Decimal
    opening_price: Decimal | None = None
    high_price: Decimal | None = None
    low_price: Decimal | None = None
    prev_closing_price: Decimal | None = None
    change: str | None = None
    change_price: Decimal | None = None
    signed_change_price: Decimal | None = None
    change_rate: Decimal | None = None
    signed_change_rate: Decimal | None = None
    trade_volume: Decimal | None = None
    acc_trade_volume: Decimal | None = None
    acc_trade_volume_24h: Decimal | None = None
    acc_trade_price: Decimal | None = None
    acc_trade_price_24h: Decimal | None = None
    trade_date: str | None = None
    trade_time: str | None = None
    trade_timestamp: Counter | None = None
    ask_bid: str | None = None
    acc_ask_volume: Decimal | None = None
    acc_bid_volume: Decimal | None = None
    highest_52_week_price: Decimal | None = None
    highest_52_week_date: str | None = None
    lowest_52_week_price: Decimal | None = None
    lowest_52_week_date: str | None = None
    market_state: str | None = None
    is_trading_suspended: bool | None = None
    delisting_date: str | None = None
    market_warning: str | None = None
    trade_status: str | None = None
    market_state_for_ios: str | None = None


class Trade(Message, frozen=True, kw_only=True):
    """A trade.

    Attributes:
        trade_volume: in base units.
        ask_bid: side of the taker: ``ASK`` sold, ``BID`` bought.
        trade_date: UTC, ``yyyy-MM-dd``, as ``trade_time``, ``HH:mm:ss``.
        trade_timestamp: milliseconds; until 2022 cut to whole seconds.
        sequential_id: unique in its market, and no order: it neither grows with time nor counts.
        best_ask_price: after the trade, as the other ``best_`` fields; since October 2024.

    *Source:* WebSocket reference, "Trade".
    """

    code: str
    trade_price: Decimal
    trade_volume: Decimal
    ask_bid: str
    sequential_id: Counter
    prev_closing_price: Decimal | None = None
    change: str | None = None
    change_price: Decimal | None = None
    trade_date: str | None = None
    trade_time: str | None = None
    trade_timestamp: Counter | None = None
    best_ask_price: Decimal | None = None
    best_ask_size: Decimal | None = None
    best_bid_price: Decimal | None = None
    best_bid_size: Decimal | None = None


class LastTrade(Trade, frozen=True, kw_only=True):
    """The latest trade as of a request, once for each market: history, no new trade.

    A snapshot of a trade that was missed, while the line was down, is a :class:`Trade`.

    *Source:* WebSocket reference, "Trade", ``stream_type``.
    """


class OrderbookUnit(msgspec.Struct, frozen=True, gc=False):
    """The n-th best ask beside the n-th best bid; where a side is shorter its price is 0.

    Attributes:
        ask_size: in base units, as ``bid_size``.

    *Source:* WebSocket reference, "Orderbook".
    """

    ask_price: Decimal
    bid_price: Decimal
    ask_size: Decimal
    bid_size: Decimal


class Orderbook(Message, frozen=True, kw_only=True):
    """The best levels of a book, whole each time: it replaces what was known.

    Attributes:
        total_ask_size: in base units, of the listed levels, as ``total_bid_size``.
        orderbook_units: best first; may be more than one asked for where another topic wants more.
        level: how wide prices are grouped, in quote units; 0 for not at all. Not in older messages.
        depth: it shows at least this many levels a side, or all there are; ours, not of the wire. ``None`` where
            nobody knows, 0 for what an earlier subscription left on the line.
        refused: why a kept book did not take it; ours, not of the wire. ``None`` for nothing.

    *Source:* WebSocket reference, "Orderbook".
    """

    code: str
    orderbook_units: tuple[OrderbookUnit, ...]
    total_ask_size: Decimal | None = None
    total_bid_size: Decimal | None = None
    level: Decimal | None = None
    depth: int | None = msgspec.field(default=None, name="~depth")
    refused: str | None = msgspec.field(default=None, name="~refused")


class Candle(Message, frozen=True, kw_only=True):
    """A bar, pushed again while it forms: the latest of the same open time counts.

    Attributes:
        type: ``candle.`` and the interval.
        candle_date_time_utc: when it opens, UTC; ``candle_date_time_kst`` is the same in Korea, nine hours ahead.
        trade_price: of the latest trade: the close.
        candle_acc_trade_volume: in base units; ``candle_acc_trade_price`` in quote units.

    *Source:* WebSocket reference, "Candle".
    """

    code: str
    candle_date_time_utc: LocalTime
    opening_price: Decimal
    high_price: Decimal
    low_price: Decimal
    trade_price: Decimal
    candle_date_time_kst: LocalTime | None = None
    candle_acc_trade_volume: Decimal | None = None
    candle_acc_trade_price: Decimal | None = None


class MyOrder(Message, frozen=True, kw_only=True):
    """One of the user's own orders changed or traded.

    Attributes:
        ask_bid: the user's side: ``ASK`` sells, ``BID`` buys.
        order_type: ``limit``, ``price`` (buys at the market for an amount), ``market`` (sells), ``best``.
        state: ``wait``, ``watch`` (waits for its trigger), ``trade``, ``done``, ``cancel``, ``prevented``.
        trade_uuid: of the trade.
        price: the order's; in state ``trade`` the trade's, as ``volume``, in base units.
        avg_price: of all of the order's trades.
        remaining_volume: in base units, as ``executed_volume``.
        reserved_fee: in quote units, as ``remaining_fee``, ``paid_fee`` and ``executed_funds``.
        locked: what the order holds of the account, in what it pays with.
        time_in_force: ``ioc``, ``fok``, ``post_only`` or none.
        trade_fee: of the trade; none in other states, as ``is_maker``.
        identifier: the user's own, if the order has one.
        smp_type: what is done where the order would meet one's own: ``reduce``, ``cancel_maker``, ``cancel_taker``.
        prevented_volume: not traded because of that, as ``prevented_locked``.
        trade_timestamp: milliseconds, as ``order_timestamp``.

    *Source:* WebSocket reference, "MyOrder".
    """

    code: str
    uuid: str
    state: str
    ask_bid: str | None = None
    order_type: str | None = None
    trade_uuid: str | None = None
    price: Decimal | None = None
    avg_price: Decimal | None = None
    volume: Decimal | None = None
    remaining_volume: Decimal | None = None
    executed_volume: Decimal | None = None
    trades_count: Counter | None = None
    reserved_fee: Decimal | None = None
    remaining_fee: Decimal | None = None
    paid_fee: Decimal | None = None
    locked: Decimal | None = None
    executed_funds: Decimal | None = None
    time_in_force: str | None = None
    trade_fee: Decimal | None = None
    is_maker: bool | None = None
    identifier: str | None = None
    smp_type: str | None = None
    prevented_volume: Decimal | None = None
    prevented_locked: Decimal | None = None
    trade_timestamp: Counter | None = None
    order_timestamp: Counter | None = None


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """What the account holds in one currency.

    Attributes:
        balance: free to use.
        locked: held by orders.

    *Source:* WebSocket reference, "MyAsset".
    """

    currency: str
    balance: Decimal
    locked: Decimal | None = None


class MyAsset(Message, frozen=True, kw_only=True):
    """The account's holdings changed: those currencies that did.

    Attributes:
        asset_timestamp: milliseconds.

    *Source:* WebSocket reference, "MyAsset".
    """

    assets: tuple[Asset, ...]
    asset_uuid: str | None = None
    asset_timestamp: Counter | None = None


class OpenMessage(Message, frozen=True, kw_only=True):
    """Root of the messages of which not every field is documented.

    Attributes:
        fields: all of the message under the names of the wire; numbers are ``int`` or exact ``Decimal``.
    """

    fields: Mapping[str, Any]


class Announcement(OpenMessage, frozen=True, kw_only=True):
    """An announcement of the venue was published (``CREATED``) or changed (``UPDATED``).

    Attributes:
        body: its text, where asked for; none where it is large.

    *Source:* WebSocket reference, "Announcement", since August 2026.
    """

    body: str | None = None


class Indicator(OpenMessage, frozen=True, kw_only=True):
    """Technical indicators of a market, calculated when a candle closes.

    *Source:* WebSocket reference, "Indicator", since October 2026.
    """

    code: str = ""


class IndicatorSignal(OpenMessage, frozen=True, kw_only=True):
    """A condition on a technical indicator of a market came true.

    *Source:* WebSocket reference, "Indicator Signal", since October 2026.
    """

    code: str = ""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to the text ``PING``, repeated every 10 s from then on.

    *Source:* WebSocket guide, "Connection".
    """

    status: str


class ErrorWords(msgspec.Struct, frozen=True, kw_only=True):
    """What the venue says of an error.

    Attributes:
        name: ``NO_TICKET``, ``NO_TYPE``, ``NO_CODES``, ``INVALID_PARAM``, ``WRONG_FORMAT``, ``INVALID_AUTH``.
        message: Korean.

    *Source:* WebSocket guide, "Errors".
    """

    name: str
    message: str = ""


class Error(msgspec.Struct, frozen=True, kw_only=True):
    """A request was refused; the venue closes the connection right after it.

    *Source:* WebSocket guide, "Errors".
    """

    error: ErrorWords


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """One type that the connection is subscribed to.

    *Source:* WebSocket reference, "List subscriptions".
    """

    type: str
    codes: tuple[str, ...] | None = None
    level: Decimal | None = None


class Subscriptions(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to ``LIST_SUBSCRIPTIONS``: everything the connection is subscribed to.

    *Source:* WebSocket reference, "List subscriptions", since August 2024.
    """

    method: str
    result: tuple[Subscription, ...]
    ticket: str | None = None


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """A market of the venue.

    Attributes:
        market: its code, quote currency first.
        market_warning: in older answers.

    *Source:* REST reference, "List trading pairs".
    """

    market: str
    korean_name: str | None = None
    english_name: str | None = None
    market_warning: str | None = None


class Markets(WireMessage, frozen=True, kw_only=True):
    """All markets of the venue, by REST.

    *Source:* REST reference, "List trading pairs".
    """

    markets: tuple[Market, ...]
