"""The ``status`` message: every product and every currency of the venue.

*Source:* Exchange, WebSocket channels, "Status channel". Older feeds had more fields, and whatever is not
today's is optional.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from trioquotes._protocol.codec import BlankDecimal
from trioquotes.venues.coinbase.messages import Message

__all__ = ["Currency", "CurrencyDetails", "Network", "Product", "Status"]


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """What can be traded.

    Attributes:
        base_increment: smallest step of a size.
        quote_increment: smallest step of a price.
        min_market_funds: smallest order in quote units, of limit orders too.
        status: ``online``, ``offline``, ``internal``, ``delisted``.
        base_min_size: until June 2022, as ``base_max_size`` and ``max_market_funds``.
        type: only in older messages, as ``margin_enabled``.
        high_bid_limit_percentage: as sent; it may be empty.

    *Source:* Exchange, WebSocket channels, "Status channel".
    """

    id: str
    base_currency: str | None = None
    quote_currency: str | None = None
    base_increment: Decimal | None = None
    quote_increment: Decimal | None = None
    display_name: str | None = None
    status: str | None = None
    status_message: str | None = None
    min_market_funds: Decimal | None = None
    post_only: bool | None = None
    limit_only: bool | None = None
    cancel_only: bool | None = None
    fx_stablecoin: bool | None = None
    base_min_size: Decimal | None = None
    base_max_size: Decimal | None = None
    max_market_funds: Decimal | None = None
    type: str | None = None
    margin_enabled: bool | None = None
    trading_disabled: bool | None = None
    auction_mode: bool | None = None
    max_slippage_percentage: Decimal | None = None
    high_bid_limit_percentage: str | None = None


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """A network that moves a currency; its amounts are JSON numbers.

    *Source:* Exchange, WebSocket channels, "Status channel".
    """

    id: str
    name: str | None = None
    status: str | None = None
    contract_address: str | None = None
    crypto_address_link: str | None = None
    crypto_transaction_link: str | None = None
    min_withdrawal_amount: Decimal | None = None
    max_withdrawal_amount: Decimal | None = None
    network_confirmations: Decimal | None = None
    processing_time_seconds: Decimal | None = None
    destination_tag_regex: str | None = None


class CurrencyDetails(msgspec.Struct, frozen=True, kw_only=True):
    """What stood in ``details`` before there were networks; today it is empty.

    *Source:* Exchange, WebSocket channels, "Status channel", and messages recorded in 2020.
    """

    type: str | None = None
    symbol: str | None = None
    sort_order: Decimal | None = None
    push_payment_methods: tuple[str, ...] | None = None
    crypto_address_link: str | None = None
    crypto_transaction_link: str | None = None
    min_withdrawal_amount: Decimal | None = None
    max_withdrawal_amount: Decimal | None = None
    network_confirmations: Decimal | None = None
    processing_time_seconds: Decimal | None = None


class Currency(msgspec.Struct, frozen=True, kw_only=True):
    """What can be held.

    Attributes:
        min_size: smallest amount; the venue's own sample has a blank before it.
        max_precision: smallest step.
        convertible_to: ids of currencies.
        funding_account_id: only in older messages.

    *Source:* Exchange, WebSocket channels, "Status channel".
    """

    id: str
    name: str | None = None
    display_name: str | None = None
    min_size: BlankDecimal | None = None
    max_precision: BlankDecimal | None = None
    status: str | None = None
    status_message: str | None = None
    convertible_to: tuple[str, ...] | None = None
    details: CurrencyDetails | None = None
    default_network: str | None = None
    supported_networks: tuple[Network, ...] | None = None
    funding_account_id: str | None = None


class Status(Message, frozen=True, kw_only=True, tag="status"):
    """All products and currencies, after subscribing and from time to time; about 740 KB.

    *Source:* Exchange, WebSocket channels, "Status channel".
    """

    products: tuple[Product, ...]
    currencies: tuple[Currency, ...]
