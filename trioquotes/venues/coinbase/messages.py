"""What the Exchange feed sends, field for field: the messages of the market and of the user's orders.

Those of ``status`` are in ``listings``, those of ``level3`` in ``level3``. Times keep the microseconds that the
venue documents. Names and words are the venue's own; a word that is not listed here passes as it is.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TypeAlias

import msgspec

from trioquotes._protocol.codec import Counter, Moment
from trioquotes.events import Level, Side, WireMessage

__all__ = [
    "Activate",
    "Answer",
    "Auction",
    "Balance",
    "Change",
    "Done",
    "Error",
    "Heartbeat",
    "L2Update",
    "LastMatch",
    "MarketMessage",
    "Match",
    "Message",
    "Open",
    "OrderMessage",
    "Received",
    "RfqMatch",
    "Snapshot",
    "SubscribedChannel",
    "Subscriptions",
    "Ticker",
]


class Message(WireMessage, frozen=True, kw_only=True, tag_field="type"):
    """Root of the messages that are JSON objects; ``type`` says which one it is, wherever it stands."""


class Heartbeat(Message, frozen=True, kw_only=True, tag="heartbeat"):
    """Once a second for each product.

    Attributes:
        sequence: the product's counter.
        last_trade_id: of the product's latest trade; 0 where it never traded.

    *Source:* Exchange, WebSocket channels, "Heartbeat channel".
    """

    product_id: str
    sequence: Counter
    last_trade_id: Counter
    time: Moment


class Ticker(Message, frozen=True, kw_only=True, tag="ticker"):
    """Figures of the last 24 hours, sent when a trade happens (``ticker``) or every 5 s (``ticker_batch``).

    Attributes:
        sequence: the product's counter: it never goes back, and a message that repeats it is not handed over.
        price: of the last trade.
        volume_24h: in base units, as ``volume_30d`` and all sizes.
        side: of the taker of the last trade, the opposite of the side in its match.
        trade_id: of the last trade; not in the first message of some feeds, as ``side``, ``time``, ``last_size``.

    *Source:* Exchange, WebSocket channels, "Ticker channel" and "Ticker batch channel".
    """

    product_id: str
    sequence: Counter
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
    time: Moment | None = None
    trade_id: Counter | None = None
    last_size: Decimal | None = None


class Snapshot(Message, frozen=True, kw_only=True, tag="snapshot"):
    """The whole book of a product, by price: it replaces what was known.

    Attributes:
        bids: ``(price, size)``, best first.
        asks: ``(price, size)``, best first.
        partial: ours: whether levels that could not be read are left out; no book is to be kept with it.

    *Source:* Exchange, WebSocket channels, "Level2 channel" and "Level2 batch channel".
    """

    product_id: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    time: Moment | None = None
    partial: bool = msgspec.field(default=False, name="~partial")


class L2Update(Message, frozen=True, kw_only=True, tag="l2update"):
    """Prices of a book whose size changed.

    Attributes:
        changes: ``(side, price, size)``: the size is the new total at the price, zero removes it; a later
            entry wins. In ``level2`` one, in ``level2_batch`` those of 50 ms.
        time: of the latest of the changes; in the year 1 where the venue had none.
        partial: ours: whether changes that could not be read are left out; no book is to be kept with it.

    *Source:* Exchange, WebSocket channels, "Level2 channel" and "Level2 batch channel".
    """

    product_id: str
    changes: tuple[tuple[Side, Decimal, Decimal], ...]
    time: Moment | None = None
    partial: bool = msgspec.field(default=False, name="~partial")


class _Trade(Message, frozen=True, kw_only=True):
    product_id: str
    trade_id: Counter
    sequence: Counter
    maker_order_id: str
    taker_order_id: str
    side: str
    size: Decimal
    price: Decimal
    time: Moment
    user_id: str | None = None
    profile_id: str | None = None
    taker_user_id: str | None = None
    taker_profile_id: str | None = None
    taker_fee_rate: Decimal | None = None
    maker_user_id: str | None = None
    maker_profile_id: str | None = None
    maker_fee_rate: Decimal | None = None


class Match(_Trade, frozen=True, kw_only=True, tag="match"):
    """A trade; in ``full`` and ``user`` also what it did to two orders.

    Attributes:
        trade_id: contiguous for a product.
        sequence: the product's counter.
        side: of the *maker*: ``sell`` means that the taker bought.
        user_id: the user's own, as ``profile_id``; only for the user's own trades.
        taker_user_id: only where the user was the taker, as ``taker_profile_id`` and ``taker_fee_rate``.
        maker_user_id: only where the user was the maker, as ``maker_profile_id`` and ``maker_fee_rate``.

    *Source:* Exchange, WebSocket channels, "Match" of the full channel and "Matches channel".
    """


class LastMatch(_Trade, frozen=True, kw_only=True, tag="last_match"):
    """The latest trade as of the subscription, once for each product: history, no new trade.

    *Source:* Exchange, WebSocket channels, "Matches channel".
    """


class _OrderMessage(Message, frozen=True, kw_only=True):
    product_id: str
    order_id: str
    sequence: Counter
    side: str
    time: Moment
    user_id: str | None = None
    profile_id: str | None = None


class Received(_OrderMessage, frozen=True, kw_only=True, tag="received"):
    """An order was accepted by the matching engine; the book is unchanged.

    Attributes:
        order_type: ``limit`` or ``market``.
        size: in base units; a market order may have ``funds``, in quote units, instead or as well.
        price: none for a market order.
        client_oid: the id its owner gave it; it may be empty, and need not be a UUID.

    *Source:* Exchange, WebSocket channels, "Received" of the full channel.
    """

    order_type: str | None = None
    size: Decimal | None = None
    price: Decimal | None = None
    funds: Decimal | None = None
    client_oid: str | None = None


class Open(_OrderMessage, frozen=True, kw_only=True, tag="open"):
    """An order now rests on the book.

    Attributes:
        remaining_size: what rests.

    *Source:* Exchange, WebSocket channels, "Open" of the full channel.
    """

    price: Decimal
    remaining_size: Decimal


class Done(_OrderMessage, frozen=True, kw_only=True, tag="done"):
    """An order is no longer on the book.

    Attributes:
        reason: ``filled`` or ``canceled``.
        price: none for a market order, as mostly ``remaining_size``.
        cancel_reason: for the user's own orders, a number and words: ``101:Time In Force``.

    *Source:* Exchange, WebSocket channels, "Done" of the full channel.
    """

    reason: str
    price: Decimal | None = None
    remaining_size: Decimal | None = None
    cancel_reason: str | None = None


class Change(_OrderMessage, frozen=True, kw_only=True, tag="change"):
    """An order was changed: by self-trade prevention (``STP``), or by its owner (``modify_order``).

    Attributes:
        reason: not said in older messages.
        price: where it did not change; none for a market order.
        old_size: in base units, as ``new_size``.
        old_funds: in quote units, in place of sizes, as ``new_funds``.
        old_price: of ``modify_order``, as ``new_price``.

    *Source:* Exchange, WebSocket channels, "Change" of the full channel.
    """

    reason: str | None = None
    price: Decimal | None = None
    old_size: Decimal | None = None
    new_size: Decimal | None = None
    old_funds: Decimal | None = None
    new_funds: Decimal | None = None
    old_price: Decimal | None = None
    new_price: Decimal | None = None


class Activate(Message, frozen=True, kw_only=True, tag="activate"):
    """A stop order was placed. It has no sequence.

    Attributes:
        timestamp: seconds since the epoch.
        stop_type: ``entry`` or ``loss``.
        size: in base units.
        funds: in quote units.

    *Source:* Exchange, WebSocket channels, "Activate" of the full channel.
    """

    product_id: str
    order_id: str
    timestamp: Decimal
    side: str
    stop_type: str | None = None
    stop_price: Decimal | None = None
    size: Decimal | None = None
    funds: Decimal | None = None
    user_id: str | None = None
    profile_id: str | None = None
    private: bool | None = None
    taker_fee_rate: Decimal | None = None


class Auction(Message, frozen=True, kw_only=True, tag="auction"):
    """State of a product's auction, about once a second while orders are collected; the book may be crossed.

    Attributes:
        sequence: the product's counter; it never goes back.
        auction_state: ``collection``, ``opening``, ...
        can_open: ``yes`` or ``no``.
        timestamp: the time, under another name than elsewhere.

    *Source:* Exchange, WebSocket channels, "Auction channel".
    """

    product_id: str
    sequence: Counter
    auction_state: str
    timestamp: Moment
    best_bid_price: Decimal | None = None
    best_bid_size: Decimal | None = None
    best_ask_price: Decimal | None = None
    best_ask_size: Decimal | None = None
    open_price: Decimal | None = None
    open_size: Decimal | None = None
    can_open: str | None = None


class RfqMatch(Message, frozen=True, kw_only=True, tag="rfq_match"):
    """A trade made by a request for quotes, outside of the book.

    Attributes:
        trade_id: of a count of its own.
        side: as sent, in lower or upper case.

    *Source:* Exchange, WebSocket channels, "RFQ matches channel".
    """

    product_id: str
    trade_id: Counter
    maker_order_id: str
    taker_order_id: str
    side: str
    size: Decimal
    price: Decimal
    time: Moment


class Balance(Message, frozen=True, kw_only=True, tag="balance"):
    """An account's balance changed; not every change is sent.

    Attributes:
        holds: locked by orders.
        available: free to use.

    *Source:* Exchange, WebSocket channels, "Balance channel".
    """

    account_id: str
    currency: str
    holds: Decimal
    available: Decimal
    updated: Moment | None = None
    timestamp: Moment | None = None


class SubscribedChannel(msgspec.Struct, frozen=True, kw_only=True):
    """One channel of an acknowledgement, under its canonical name (``level2_50`` for ``level2_batch``)."""

    name: str
    product_ids: tuple[str, ...] | None = None
    account_ids: tuple[str, ...] | None = None


class Subscriptions(Message, frozen=True, kw_only=True, tag="subscriptions"):
    """The answer to a request: everything the connection is now subscribed to, in no order.

    *Source:* Exchange, WebSocket overview, "Subscribe".
    """

    channels: tuple[SubscribedChannel, ...]
    product_ids: tuple[str, ...] | None = None


class Error(Message, frozen=True, kw_only=True, tag="error"):
    """A request was refused; the connection stays open.

    Attributes:
        reason: more words, at times a JSON text inside the text.

    *Source:* Exchange, WebSocket errors.
    """

    message: str
    reason: str | None = None


MarketMessage: TypeAlias = Heartbeat | Ticker | Snapshot | L2Update | Match | LastMatch | Auction | RfqMatch
"""Of the market, except for orders."""
OrderMessage: TypeAlias = Received | Open | Done | Change | Activate | Balance
"""Of orders and of the user's accounts."""
Answer: TypeAlias = Subscriptions | Error
"""To requests."""
