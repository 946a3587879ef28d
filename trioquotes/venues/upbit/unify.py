"""Upbit's messages as unified events: one function per topic, with no more state than said."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC
from typing import Final, Literal

from trioquotes import events
from trioquotes._protocol.codec import epoch_ns
from trioquotes._protocol.effects import Receipt, Skip, Unify
from trioquotes.events import Event, Side, WireMessage
from trioquotes.venues.upbit.books import OLDER, sides
from trioquotes.venues.upbit.messages import (
    Candle,
    LastTrade,
    Markets,
    MyAsset,
    MyOrder,
    Orderbook,
    Ticker,
    Trade,
    stamp_ns,
)

__all__ = [
    "VENUE_NAME",
    "NewTrades",
    "always",
    "balances",
    "books",
    "candles",
    "fills",
    "instruments",
    "orders",
    "side_of",
    "tickers",
]

VENUE_NAME: Final = "upbit"

HISTORY: Final = Skip("history")
SHALLOW: Final = Skip("not deep enough", breaks=True)
NOT_A_BOOK: Final = Skip("cannot be the book")
TOO_OLD: Final = Skip(OLDER)
NOT_A_FILL: Final = Skip("not a fill")
OTHER: Final = Skip("other message of the channel")

_SIDES: Final[dict[str, Side]] = {"ASK": "sell", "BID": "buy"}
_STATES: Final = {"wait": "open", "trade": "changed", "done": "filled", "cancel": "canceled"}
_ROLES: Final[dict[bool | None, Literal["maker", "taker"] | None]] = {
    True: "maker",
    False: "taker",
    None: None,
}


def side_of(ask_bid: str | None) -> Side | None:
    """The side of whoever acted: ``ASK`` sold, ``BID`` bought; ``None`` for another word."""
    return None if ask_bid is None else _SIDES.get(ask_bid)


class NewTrades:
    """Trades of one topic, of which the first message may be history; it lives as long as the topic.

    The latest trade, which comes with every request, is new only where an earlier one went before it.
    """

    def __init__(self) -> None:
        self._begun = False

    def __call__(self, message: WireMessage, receipt: Receipt) -> Event | Skip:
        """A trade, unless it is history."""
        if type(message) is not Trade:
            if not isinstance(message, LastTrade):
                return OTHER
            self._begun = True
            return HISTORY
        begun, self._begun = self._begun, True
        if not begun and message.stream_type == "SNAPSHOT":
            return HISTORY
        return events.Trade(
            venue=VENUE_NAME,
            instrument=message.code,
            venue_time_ns=stamp_ns(message.trade_timestamp),
            received_ns=receipt.received_ns,
            raw=receipt.raw,
            price=message.trade_price,
            size=message.trade_volume,
            taker_side=side_of(message.ask_bid),
            trade_id=str(message.sequential_id),
        )


def tickers(message: WireMessage, receipt: Receipt) -> Event | Skip:
    """Tickers; the day's open, high and low are of the UTC day, not of 24 hours, so they are left out."""
    if not isinstance(message, Ticker):
        return OTHER
    return events.Ticker(
        venue=VENUE_NAME,
        instrument=message.code,
        venue_time_ns=stamp_ns(message.timestamp),
        received_ns=receipt.received_ns,
        raw=receipt.raw,
        last=message.trade_price,
        last_size=message.trade_volume,
        volume_24h=message.acc_trade_volume_24h,
        quote_volume_24h=message.acc_trade_price_24h,
    )


def books(depth: int) -> Unify:
    """What makes a whole book of each message.

    Args:
        depth: levels a side at most; a message that was asked for with fewer is of no use yet, and one that was refused
            is of none at all.
    """

    def unify(message: WireMessage, receipt: Receipt) -> Event | Skip:
        if type(message) is not Orderbook:
            return OTHER
        if message.refused is not None:
            # Its gap says why: the count has no room for numbers of the wire.
            return TOO_OLD if message.refused == OLDER else NOT_A_BOOK
        if message.depth is not None and message.depth < depth:
            return SHALLOW
        bids, asks = sides(message.orderbook_units, depth)
        return events.BookSnapshot(
            venue=VENUE_NAME,
            instrument=message.code,
            venue_time_ns=stamp_ns(message.timestamp),
            received_ns=receipt.received_ns,
            raw=receipt.raw,
            bids=bids,
            asks=asks,
            depth=depth,
        )

    return unify


def candles(message: WireMessage, receipt: Receipt) -> Event | Skip:
    """Bars; the venue does not say when one is final."""
    if not isinstance(message, Candle):
        return OTHER
    opened_ns = epoch_ns(message.candle_date_time_utc.replace(tzinfo=UTC))
    if opened_ns is None:
        return Skip("a bar without a time")
    return events.Candle(
        venue=VENUE_NAME,
        instrument=message.code,
        venue_time_ns=stamp_ns(message.timestamp),
        received_ns=receipt.received_ns,
        raw=receipt.raw,
        interval=message.type.removeprefix("candle."),
        open_time_ns=opened_ns,
        open=message.opening_price,
        high=message.high_price,
        low=message.low_price,
        close=message.trade_price,
        volume=message.candle_acc_trade_volume,
        quote_volume=message.candle_acc_trade_price,
    )


def instruments(message: WireMessage, receipt: Receipt) -> Event | tuple[Event, ...] | Skip:
    """Every market of the list, which says no steps and no state."""
    if not isinstance(message, Markets):
        return OTHER
    made = []
    for market in message.markets:
        quote, _, base = market.market.partition("-")
        made.append(
            events.Instrument(
                venue=VENUE_NAME,
                instrument=market.market,
                received_ns=receipt.received_ns,
                raw=receipt.raw,
                base=base or None,
                quote=quote if base else None,
            )
        )
    return tuple(made)


def orders(message: WireMessage, receipt: Receipt) -> Event | Skip:
    """The user's orders. In a trade's message, price and volume are the trade's, so the order's are not said."""
    if not isinstance(message, MyOrder):
        return OTHER
    traded = message.state == "trade"
    return events.OrderUpdate(
        venue=VENUE_NAME,
        instrument=message.code,
        venue_time_ns=stamp_ns(message.timestamp),
        received_ns=receipt.received_ns,
        raw=receipt.raw,
        order_id=message.uuid,
        client_order_id=message.identifier,
        status=_STATES.get(message.state),
        venue_status=message.state,
        side=side_of(message.ask_bid),
        order_type=message.order_type,
        price=message.price if message.order_type == "limit" and not traded else None,
        size=None if traded else message.volume,
        remaining_size=message.remaining_volume,
        filled_size=message.executed_volume,
    )


def fills(message: WireMessage, receipt: Receipt) -> Event | Skip:
    """The user's own trades; the venue does not say the currency of the fee."""
    if not isinstance(message, MyOrder) or message.state != "trade":
        return NOT_A_FILL
    if message.price is None or message.volume is None:
        return Skip("a fill without price or size")
    return events.Fill(
        venue=VENUE_NAME,
        instrument=message.code,
        venue_time_ns=stamp_ns(message.trade_timestamp),
        received_ns=receipt.received_ns,
        raw=receipt.raw,
        order_id=message.uuid,
        price=message.price,
        size=message.volume,
        side=side_of(message.ask_bid),
        trade_id=message.trade_uuid,
        liquidity=_ROLES[message.is_maker],
        fee=message.trade_fee,
    )


def balances(message: WireMessage, receipt: Receipt) -> Event | tuple[Event, ...] | Skip:
    """Every currency of a message; the venue does not say the total."""
    if not isinstance(message, MyAsset):
        return OTHER
    return tuple(
        events.Balance(
            venue=VENUE_NAME,
            instrument="",
            venue_time_ns=stamp_ns(message.asset_timestamp),
            received_ns=receipt.received_ns,
            raw=receipt.raw,
            currency=asset.currency,
            available=asset.balance,
            locked=asset.locked,
        )
        for asset in message.assets
    )


def always(unify: Unify) -> Callable[[], Unify]:
    """A maker of a unifier that needs no state."""
    return lambda: unify
