"""What the public socket sends, field for field; those of the private socket are in ``private``.

The rows of a ``quote-event`` are the messages: one frame may hold the rows of all contracts. On the wire
all numbers and times are texts; here counters and times (Unix milliseconds) are integers, prices and sizes
``Decimal``. Names and words are the venue's own; a word that is not listed here passes as it is.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import msgspec

from trioquotes._protocol.codec import Counter
from trioquotes.events import Level, WireMessage

__all__ = [
    "BookTicker",
    "Coin",
    "Content",
    "Contract",
    "Depth",
    "ErrorContent",
    "Frame",
    "FundingRate",
    "Kline",
    "Metadata",
    "Pong",
    "PriceLevel",
    "RiskTier",
    "Row",
    "Ticker",
    "Trade",
    "WireDepth",
]

_NULL: Final = msgspec.Raw(b"null")


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """What every frame of both sockets has around its content.

    Attributes:
        type: ``connected``, ``subscribed``, ``unsubscribed``, ``error``, ``ping``, ``pong``, ``quote-event``
            (which documentation calls ``payload``), ``trade-event``.
        channel: of an acknowledgement and of data.
        request: the text of the request that is answered; in errors the only trace of it.
        sid: of ``connected``: the session's id.
        time: of a ping or pong, exactly as sent: a text, or on the private socket a number.
        content: exactly as sent.

    *Source:* reference page, "Public WebSocket"; V2 documentation, "Public WebSocket" and "Private WebSocket".
    """

    type: str
    channel: str | None = None
    request: str | None = None
    sid: str | None = None
    time: msgspec.Raw = _NULL
    content: msgspec.Raw = _NULL


class Content(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The content of a ``quote-event``.

    Attributes:
        channel: the same as outside.
        data_type: ``Snapshot``, then ``changed`` or ``Changed``: in any case.
        data: the rows, always an array, exactly as sent.

    *Source:* V1 documentation of 2026, "Websocket API", notes on casing.
    """

    channel: str | None = None
    data_type: str = ""
    data: msgspec.Raw


class ErrorContent(msgspec.Struct, frozen=True, kw_only=True):
    """The content of an ``error``.

    Attributes:
        code: with or without a prefix: ``INVALID_CONTRACT_ID``, ``GATEWAY_INVALID_CONTRACT_ID``.

    *Source:* reference page, "Public WebSocket", 01; V2 documentation, "Error codes".
    """

    code: str = ""
    msg: str | None = None
    details: Any = None


class Pong(WireMessage, frozen=True, kw_only=True):
    """The answer to a ping of ours.

    Attributes:
        time: what the ping said: our own Unix milliseconds.
        latency_ns: how long the answer took, by our monotonic clock; ``None`` where it answers no ping of ours.

    *Source:* reference page, "Client Ping (Latency Measurement)".
    """

    time: Counter
    latency_ns: int | None = msgspec.field(default=None, name="~latency_ns")


class Row(WireMessage, frozen=True, kw_only=True, rename="camel"):
    """Root of what concerns one contract.

    Attributes:
        contract_id: the contract's number; ``contract_name`` the symbol, in newer frames.
        data_type: of the frame that it came in: ``Snapshot`` or ``changed``.
    """

    contract_id: str
    contract_name: str | None = None
    data_type: str = msgspec.field(default="", name="~data_type")


class Ticker(Row, frozen=True, kw_only=True):
    """Figures of the last 24 hours of a contract; replaces the one before.

    Attributes:
        price_change_percent: a fraction: 0.0051 is 0.51 %.
        trades: how many.
        size: traded in base units; ``value`` in quote units.
        high_time, low_time, start_time, end_time: Unix milliseconds, as all times.
        oracle_price: up to 30 digits; ``mark_price`` in frames of 2026 only.
        open_interest: in base units.
        funding_rate: a fraction for each settlement; ``funding_time`` the last one, ``next_funding_time`` the next.
        best_ask_price, best_bid_price: 0, or not there, where the side is empty.
        market_open: in newer frames.
        liquidity: a word, at times.

    *Source:* reference page, "Subscribe to 24-Hour Market Ticker"; V1 documentation of 2026; recorded frames.
    """

    price_change: Decimal | None = None
    price_change_percent: Decimal | None = None
    trades: Counter | None = None
    size: Decimal | None = None
    value: Decimal | None = None
    high: Decimal | None = None
    low: Decimal | None = None
    open: Decimal | None = None
    close: Decimal | None = None
    high_time: Counter | None = None
    low_time: Counter | None = None
    start_time: Counter | None = None
    end_time: Counter | None = None
    last_price: Decimal | None = None
    index_price: Decimal | None = None
    oracle_price: Decimal | None = None
    mark_price: Decimal | None = None
    open_interest: Decimal | None = None
    funding_rate: Decimal | None = None
    funding_time: Counter | None = None
    next_funding_time: Counter | None = None
    best_ask_price: Decimal | None = None
    best_bid_price: Decimal | None = None
    market_open: bool | None = None
    liquidity: str | None = None


class Kline(Row, frozen=True, kw_only=True):
    """A bar, pushed again while it forms; final once one with a later time comes.

    Attributes:
        kline_id: opaque, no time.
        kline_type: the interval: ``MINUTE_1``.
        kline_time: start of the bar, Unix milliseconds.
        price_type: ``LAST_PRICE``, ``MARK_PRICE``, ...; not on the reference page.
        trades: how many.
        size: traded in base units; ``value`` in quote units.
        maker_buy_size: of it, where the maker bought; ``maker_buy_value`` in quote units.

    *Source:* reference page, "Subscribe to K-Line Data"; V1 documentation of 2026.
    """

    kline_id: str | None = None
    kline_type: str
    kline_time: Counter
    price_type: str | None = None
    trades: Counter | None = None
    size: Decimal | None = None
    value: Decimal | None = None
    high: Decimal
    low: Decimal
    open: Decimal
    close: Decimal
    maker_buy_size: Decimal | None = None
    maker_buy_value: Decimal | None = None


class PriceLevel(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A level as recorded frames have it; documentation has pairs instead."""

    price: Decimal
    size: Decimal


class _DepthRow(Row, frozen=True, kw_only=True):
    start_version: Counter
    end_version: Counter
    level: int = 0
    depth_type: str = ""


class WireDepth(_DepthRow, frozen=True, kw_only=True):
    """A :class:`Depth` before its levels are brought to one form."""

    asks: tuple[PriceLevel | Level, ...]
    bids: tuple[PriceLevel | Level, ...]


class Depth(_DepthRow, frozen=True, kw_only=True):
    """A book, or what changed of it. It has no time.

    Attributes:
        start_version: the first of the book's versions that this covers: as recorded, the ``end_version`` of the
            message before; as documented, that plus 1.
        end_version: the last; versions count events, not messages.
        level: 15 or 200, the window's depth.
        depth_type: ``SNAPSHOT``, ``Snapshot`` or ``CHANGED``; not in every frame.
        asks: ``(price, size)``, whether the wire has objects or pairs. The size is the absolute total at the price,
            zero deletes (the reference page says otherwise, and no frame and no client agrees with it).
        bids: the same for the other side.

    *Source:* reference page, "Subscribe to Order Book"; V2 documentation, "Depth"; recorded frames.
    """

    asks: tuple[Level, ...]
    bids: tuple[Level, ...]

    @property
    def is_snapshot(self) -> bool:
        """Whether it replaces the book: the frame or the row says so, in any case."""
        return self.data_type.lower() == "snapshot" or self.depth_type.lower() == "snapshot"


class Trade(Row, frozen=True, kw_only=True):
    """A trade; in a snapshot one of the latest before the subscription.

    Attributes:
        ticket_id: a UUID, in V1 examples a number.
        time: Unix milliseconds.
        size: in base units; ``value`` in quote units.
        is_buyer_maker: the aggressor sold.

    *Source:* reference page, "Subscribe to Latest Trades"; V2 documentation, "Trades".
    """

    ticket_id: str
    time: Counter | None = None
    price: Decimal
    size: Decimal
    value: Decimal | None = None
    taker_order_id: str | None = None
    maker_order_id: str | None = None
    taker_account_id: str | None = None
    maker_account_id: str | None = None
    is_best_match: bool | None = None
    is_buyer_maker: bool


class BookTicker(Row, frozen=True, kw_only=True):
    """Best bid and ask; an empty side is 0 in both fields.

    Attributes:
        time: Unix milliseconds; not in V1 examples.

    *Source:* V1 documentation of 2026, "Book ticker"; recorded frames.
    """

    time: Counter | None = None
    best_bid_price: Decimal | None = None
    best_bid_size: Decimal | None = None
    best_ask_price: Decimal | None = None
    best_ask_size: Decimal | None = None


class FundingRate(Row, frozen=True, kw_only=True):
    """The funding rate of a contract, as a fraction for each settlement.

    Attributes:
        funding_time: of the settlement, Unix milliseconds; ``funding_timestamp`` of these figures.
        is_settlement: whether the rate was settled with this message.
        funding_rate_interval_min: minutes between settlements.

    *Source:* V1 documentation of 2026, "Funding rate"; no recorded frame is known.
    """

    funding_time: Counter | None = None
    funding_timestamp: Counter | None = None
    oracle_price: Decimal | None = None
    mark_price: Decimal | None = None
    index_price: Decimal | None = None
    funding_rate: Decimal | None = None
    is_settlement: bool | None = None
    previous_funding_rate: Decimal | None = None
    previous_funding_timestamp: Counter | None = None
    premium_index: Decimal | None = None
    avg_premium_index: Decimal | None = None
    premium_index_timestamp: Counter | None = None
    impact_margin_notional: Decimal | None = None
    impact_ask_price: Decimal | None = None
    impact_bid_price: Decimal | None = None
    interest_rate: Decimal | None = None
    predicted_funding_rate: Decimal | None = None
    funding_rate_interval_min: Counter | None = None
    funding_index: Decimal | None = None


class Coin(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A coin of the metadata; what is not listed here passes."""

    coin_id: str
    coin_name: str | None = None
    coin_full_name: str | None = None
    display_name: str | None = None
    display_precision: Counter | None = None
    step_size: Decimal | None = None
    show_step_size: Decimal | None = None
    icon_url: str | None = None
    stark_ex_asset_id: str | None = None
    stark_ex_resolution: str | None = None


class RiskTier(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How far a contract may be leveraged up to a value of the position."""

    tier: int | None = None
    position_value_upper_bound: Decimal | None = None
    max_leverage: Decimal | None = None
    maintenance_margin_rate: Decimal | None = None


class Contract(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A contract of the metadata; what is not listed here passes.

    Attributes:
        base_coin_id, quote_coin_id: see the list of coins.
        price_precision, size_precision: digits behind the point, as the socket's page has them.
        tick_size, step_size: smallest steps of price and size, as the REST metadata have them.
    """

    contract_id: str
    contract_name: str | None = None
    base_coin_id: str | None = None
    quote_coin_id: str | None = None
    price_precision: Counter | None = None
    size_precision: Counter | None = None
    contract_type: str | None = None
    contract_status: str | None = None
    tick_size: Decimal | None = None
    step_size: Decimal | None = None
    min_order_size: Decimal | None = None
    max_order_size: Decimal | None = None
    max_position_size: Decimal | None = None
    risk_tier_list: tuple[RiskTier, ...] | None = None
    default_taker_fee_rate: Decimal | None = None
    default_maker_fee_rate: Decimal | None = None
    default_leverage: Decimal | None = None
    liquidate_fee_rate: Decimal | None = None
    enable_trade: bool | None = None
    enable_display: bool | None = None
    enable_open_position: bool | None = None
    funding_interest_rate: Decimal | None = None
    funding_max_rate: Decimal | None = None
    funding_min_rate: Decimal | None = None
    funding_rate_interval_min: Counter | None = None
    display_max_leverage: Decimal | None = None
    stark_ex_synthetic_asset_id: str | None = None
    stark_ex_resolution: str | None = None


class Metadata(WireMessage, frozen=True, kw_only=True, rename="camel"):
    """All coins and contracts.

    Attributes:
        global_: settings of the venue, as they are.
        coin_list: coins; the reference page calls it ``coin``.
        contract_list: contracts; the reference page calls it ``contract``.
        multi_chain: chains for deposits, as they are.
        data_type: of the frame that it came in.

    *Source:* reference page, "Subscription Metadata"; V2 documentation, "Metadata"; REST, "Metadata API".
    """

    global_: dict[str, Any] | None = msgspec.field(default=None, name="global")
    coin_list: tuple[Coin, ...] = ()
    contract_list: tuple[Contract, ...] = ()
    multi_chain: dict[str, Any] | None = None
    coin: tuple[Coin, ...] = ()
    contract: tuple[Contract, ...] = ()
    data_type: str = msgspec.field(default="", name="~data_type")

    @property
    def coins(self) -> tuple[Coin, ...]:
        """The coins under either name."""
        return self.coin_list or self.coin

    @property
    def contracts(self) -> tuple[Contract, ...]:
        """The contracts under either name."""
        return self.contract_list or self.contract
