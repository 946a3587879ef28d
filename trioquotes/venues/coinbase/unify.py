"""The feed's messages as unified events: one function per topic, without state."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from operator import itemgetter
from typing import Final, Literal

from trioquotes import events
from trioquotes._protocol.codec import epoch_ns, seconds_ns
from trioquotes._protocol.effects import Receipt, Skip, Unify
from trioquotes.events import Event, Level, Side, WireMessage
from trioquotes.venues.coinbase.listings import Status
from trioquotes.venues.coinbase.messages import (
    Activate,
    Balance,
    Change,
    Done,
    L2Update,
    LastMatch,
    Match,
    Open,
    Received,
    Snapshot,
    Ticker,
)

__all__ = [
    "VENUE_NAME",
    "balances",
    "books",
    "fills",
    "instruments",
    "opposite",
    "orders",
    "resting",
    "side_of",
    "stateless",
    "tickers",
    "trades",
]

VENUE_NAME: Final = "coinbase"

HISTORY = Skip("history")
NOT_AN_ORDER = Skip("not an order update")
NOT_A_FILL = Skip("not a fill")
OTHER = Skip("other message of the channel")
PARTIAL = Skip("a part of it is malformed")

_SIDES: dict[str, Side] = {"buy": "buy", "sell": "sell"}
_OPPOSITE: dict[Side, Side] = {"buy": "sell", "sell": "buy"}
_ENDINGS = {"filled": "filled", "canceled": "canceled"}


def stateless(unify: Unify) -> Callable[[], Unify]:
    """A maker of a unifier that needs no state."""
    return lambda: unify


def side_of(text: str | None) -> Side | None:
    """The side that a text says, in whatever case; ``None`` for a word that is none."""
    return None if text is None else _SIDES.get(text.lower())


def opposite(text: str | None) -> Side | None:
    """The other side."""
    side = side_of(text)
    return None if side is None else _OPPOSITE[side]


def trades(message: WireMessage, receipt: Receipt) -> Event | Skip:
    """Matches as trades: the match says the maker's side, a trade the taker's."""
    if isinstance(message, Match):
        return events.Trade(
            venue=VENUE_NAME,
            instrument=message.product_id,
            venue_time_ns=epoch_ns(message.time),
            received_ns=receipt.received_ns,
            sequence=message.sequence,
            raw=receipt.raw,
            price=message.price,
            size=message.size,
            taker_side=opposite(message.side),
            trade_id=str(message.trade_id),
        )
    return HISTORY if isinstance(message, LastMatch) else OTHER


def tickers(message: WireMessage, receipt: Receipt) -> Event | Skip:
    """Tickers."""
    if not isinstance(message, Ticker):
        return OTHER
    return events.Ticker(
        venue=VENUE_NAME,
        instrument=message.product_id,
        venue_time_ns=epoch_ns(message.time),
        received_ns=receipt.received_ns,
        sequence=message.sequence,
        raw=receipt.raw,
        last=message.price,
        last_size=message.last_size,
        open_24h=message.open_24h,
        high_24h=message.high_24h,
        low_24h=message.low_24h,
        volume_24h=message.volume_24h,
        bid=message.best_bid,
        ask=message.best_ask,
    )


def books(message: WireMessage, receipt: Receipt) -> Event | Skip:
    """Snapshots and updates of a book by price; one of which a part was lost makes no right book."""
    if isinstance(message, L2Update):
        if message.partial:
            return PARTIAL
        changes = message.changes
        bids: tuple[Level, ...] = ()
        asks: tuple[Level, ...] = ()
        if len(changes) == 1:  # as nearly always
            ((side, price, size),) = changes
            if side == "buy":
                bids = ((price, size),)
            else:
                asks = ((price, size),)
        else:
            bids = tuple([(price, size) for side, price, size in changes if side == "buy"])
            asks = tuple([(price, size) for side, price, size in changes if side != "buy"])
        return events.BookChange(
            venue=VENUE_NAME,
            instrument=message.product_id,
            venue_time_ns=epoch_ns(message.time),
            received_ns=receipt.received_ns,
            raw=receipt.raw,
            bids=bids,
            asks=asks,
        )
    if isinstance(message, Snapshot):
        if message.partial:
            return PARTIAL
        return events.BookSnapshot(
            venue=VENUE_NAME,
            instrument=message.product_id,
            venue_time_ns=epoch_ns(message.time),
            received_ns=receipt.received_ns,
            raw=receipt.raw,
            bids=resting(message.bids, descending=True),
            asks=resting(message.asks, descending=False),
        )
    return OTHER


def resting(levels: tuple[Level, ...], *, descending: bool) -> tuple[Level, ...]:
    """Best first, whatever the order of the wire, and without prices at which nothing rests."""
    return tuple(sorted([level for level in levels if level[1]], key=itemgetter(0), reverse=descending))


def instruments(message: WireMessage, receipt: Receipt) -> Event | tuple[Event, ...] | Skip:
    """Every product of a status message."""
    if not isinstance(message, Status):
        return OTHER
    return tuple(
        events.Instrument(
            venue=VENUE_NAME,
            instrument=product.id,
            received_ns=receipt.received_ns,
            raw=receipt.raw,
            base=product.base_currency,
            quote=product.quote_currency,
            price_step=product.quote_increment,
            size_step=product.base_increment,
            min_size=product.base_min_size,
            min_notional=product.min_market_funds,
            status=product.status,
        )
        for product in message.products
    )


def balances(message: WireMessage, receipt: Receipt) -> Event | Skip:
    """Balances of accounts; the venue does not say the total."""
    if not isinstance(message, Balance):
        return OTHER
    return events.Balance(
        venue=VENUE_NAME,
        instrument="",
        venue_time_ns=epoch_ns(message.updated or message.timestamp),
        received_ns=receipt.received_ns,
        raw=receipt.raw,
        currency=message.currency,
        account_id=message.account_id,
        available=message.available,
        locked=message.holds,
    )


def orders(message: WireMessage, receipt: Receipt) -> Event | Skip:
    """The user's orders; a match says nothing of what remains of them, so it is a fill only."""
    match message:
        case Received():
            return _order(
                message,
                receipt,
                status="received",
                client_order_id=message.client_oid or None,
                order_type=message.order_type,
                price=message.price,
                size=message.size,
            )
        case Open():
            return _order(
                message, receipt, status="open", price=message.price, remaining_size=message.remaining_size
            )
        case Done():
            return _order(
                message,
                receipt,
                status=_ENDINGS.get(message.reason),
                venue_status=message.reason,
                price=message.price,
                remaining_size=message.remaining_size,
                reason=message.cancel_reason or message.reason,
            )
        case Change():
            return _order(
                message,
                receipt,
                status="changed",
                price=message.price if message.new_price is None else message.new_price,
                remaining_size=message.new_size,
                reason=message.reason,
            )
        case Activate():
            return _stop_order(message, receipt)
        case _:
            return NOT_AN_ORDER


def _stop_order(message: Activate, receipt: Receipt) -> events.OrderUpdate:
    """A stop order was placed, not triggered: none of our words; its stop price is no limit price."""
    return events.OrderUpdate(
        venue=VENUE_NAME,
        instrument=message.product_id,
        venue_time_ns=seconds_ns(message.timestamp),
        received_ns=receipt.received_ns,
        raw=receipt.raw,
        order_id=message.order_id,
        venue_status="activate",
        side=side_of(message.side),
        order_type=message.stop_type,
        size=message.size,
    )


def _order(
    message: Received | Open | Done | Change,
    receipt: Receipt,
    *,
    status: str | None,
    venue_status: str | None = None,
    client_order_id: str | None = None,
    order_type: str | None = None,
    price: Decimal | None = None,
    size: Decimal | None = None,
    remaining_size: Decimal | None = None,
    reason: str | None = None,
) -> events.OrderUpdate:
    return events.OrderUpdate(
        venue=VENUE_NAME,
        instrument=message.product_id,
        venue_time_ns=epoch_ns(message.time),
        received_ns=receipt.received_ns,
        sequence=message.sequence,
        raw=receipt.raw,
        order_id=message.order_id,
        client_order_id=client_order_id,
        status=status,
        venue_status=venue_status or type(message).__name__.lower(),
        side=side_of(message.side),
        order_type=order_type,
        price=price,
        size=size,
        remaining_size=remaining_size,
        reason=reason,
    )


def fills(message: WireMessage, receipt: Receipt) -> Event | tuple[Event, ...] | Skip:
    """The user's own trades: the fields of which role are there says which the user had, or both."""
    if not isinstance(message, Match):
        return NOT_A_FILL
    made: list[Event] = []
    if _said(message.maker_user_id, message.maker_profile_id, message.maker_fee_rate):
        made.append(_fill(message, receipt, "maker"))
    if _said(message.taker_user_id, message.taker_profile_id, message.taker_fee_rate):
        made.append(_fill(message, receipt, "taker"))
    return tuple(made) or _fill(message, receipt, None)


def _said(*fields: object) -> bool:
    return any(field is not None for field in fields)


def _fill(message: Match, receipt: Receipt, role: Literal["maker", "taker"] | None) -> events.Fill:
    """One fill; without a role the venue does not say which of the two orders was the user's."""
    order_id, side, fee_rate = "", None, None
    if role == "maker":
        order_id, side, fee_rate = message.maker_order_id, side_of(message.side), message.maker_fee_rate
    elif role == "taker":
        order_id, side, fee_rate = message.taker_order_id, opposite(message.side), message.taker_fee_rate
    return events.Fill(
        venue=VENUE_NAME,
        instrument=message.product_id,
        venue_time_ns=epoch_ns(message.time),
        received_ns=receipt.received_ns,
        sequence=message.sequence,
        raw=receipt.raw,
        order_id=order_id,
        price=message.price,
        size=message.size,
        side=side,
        trade_id=str(message.trade_id),
        liquidity=role,
        fee_rate=fee_rate,
    )
