"""The venue's messages as unified events: one function per topic."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from operator import itemgetter
from typing import Final, Literal

from trioquotes import events
from trioquotes._protocol.effects import Receipt, Skip, Unify
from trioquotes.events import Event, Level, Side, WireMessage
from trioquotes.venues.edgex.messages import (
    BookTicker,
    Depth,
    FundingRate,
    Kline,
    Metadata,
    Ticker,
    Trade,
)
from trioquotes.venues.edgex.private import Id, Order, OrderFillTransaction, TradeEvent

__all__ = [
    "VENUE_NAME",
    "balances",
    "book",
    "books",
    "candles",
    "fills",
    "funding_rates",
    "instruments",
    "orders",
    "quotes",
    "stateless",
    "tickers",
    "trades",
]

VENUE_NAME: Final = "edgex"

HISTORY = Skip("history")
OTHER = Skip("other message of the channel")
NO_RATE = Skip("without a rate")
NOT_AN_ORDER = Skip("not an order update")
NOT_A_FILL = Skip("not a fill")
NOT_A_BALANCE = Skip("not a balance")

_SIDES: Final[dict[str | None, Side]] = {"BUY": "buy", "SELL": "sell"}
_LIQUIDITY: Final[dict[str | None, Literal["maker", "taker"]]] = {"MAKER": "maker", "TAKER": "taker"}
_STATUSES: Final[dict[str | None, str]] = {
    "PENDING": "received",
    "OPEN": "open",
    "FILLED": "filled",
    "CANCELED": "canceled",
}


def stateless(unify: Unify) -> Callable[[], Unify]:
    """A maker of a unifier that needs no state."""
    return lambda: unify


def _ns(time_ms: int | None) -> int | None:
    """Nanoseconds of the venue's milliseconds; 0 is how a time that was never set is written."""
    return time_ms * 1_000_000 if time_ms else None


def _text(value: Id | None) -> str | None:
    return None if value is None else str(value)


def _there(price: Decimal | None) -> Decimal | None:
    """A best price; 0 is how the price of an empty side is written."""
    return price or None


def trades(message: WireMessage, receipt: Receipt) -> Event | Skip:
    """Trades; those of a snapshot were before the subscription."""
    if not isinstance(message, Trade):
        return OTHER
    if message.data_type.lower() == "snapshot":
        return HISTORY
    return events.Trade(
        venue=VENUE_NAME,
        instrument=message.contract_id,
        venue_time_ns=_ns(message.time),
        received_ns=receipt.received_ns,
        raw=receipt.raw,
        price=message.price,
        size=message.size,
        taker_side="sell" if message.is_buyer_maker else "buy",
        trade_id=message.ticket_id,
    )


def quotes(message: WireMessage, receipt: Receipt) -> Event | Skip:
    """Best bid and ask."""
    if not isinstance(message, BookTicker):
        return OTHER
    bid, ask = _there(message.best_bid_price), _there(message.best_ask_price)
    return events.Quote(
        venue=VENUE_NAME,
        instrument=message.contract_id,
        venue_time_ns=_ns(message.time),
        received_ns=receipt.received_ns,
        raw=receipt.raw,
        bid=bid,
        bid_size=None if bid is None else message.best_bid_size,
        ask=ask,
        ask_size=None if ask is None else message.best_ask_size,
    )


def tickers(message: WireMessage, receipt: Receipt) -> Event | Skip:
    """Tickers; they have no time of their own."""
    if not isinstance(message, Ticker):
        return OTHER
    return events.Ticker(
        venue=VENUE_NAME,
        instrument=message.contract_id,
        received_ns=receipt.received_ns,
        raw=receipt.raw,
        last=message.last_price,
        open_24h=message.open,
        high_24h=message.high,
        low_24h=message.low,
        volume_24h=message.size,
        quote_volume_24h=message.value,
        bid=_there(message.best_bid_price),
        ask=_there(message.best_ask_price),
    )


def books(window: int) -> Unify:
    """Snapshots and changes of a book.

    Args:
        window: levels a side of the channel; a frame may leave them unsaid.
    """

    def unify(message: WireMessage, receipt: Receipt) -> Event | Skip:
        if not isinstance(message, Depth):
            return OTHER
        return book(message, window, receipt) if message.is_snapshot else _change(message, receipt)

    return unify


def book(depth: Depth, window: int, receipt: Receipt) -> events.BookSnapshot:
    """A snapshot; the venue says no time."""
    return events.BookSnapshot(
        venue=VENUE_NAME,
        instrument=depth.contract_id,
        received_ns=receipt.received_ns,
        sequence=depth.end_version,
        raw=receipt.raw,
        bids=_resting(depth.bids, descending=True),
        asks=_resting(depth.asks, descending=False),
        depth=window,
    )


def _change(depth: Depth, receipt: Receipt) -> events.BookChange:
    return events.BookChange(
        venue=VENUE_NAME,
        instrument=depth.contract_id,
        received_ns=receipt.received_ns,
        sequence=depth.end_version,
        raw=receipt.raw,
        bids=depth.bids,
        asks=depth.asks,
    )


def _resting(levels: tuple[Level, ...], *, descending: bool) -> tuple[Level, ...]:
    """Best first, whatever the order of the wire, and without prices at which nothing rests."""
    return tuple(sorted([level for level in levels if level[1]], key=itemgetter(0), reverse=descending))


def candles(message: WireMessage, receipt: Receipt) -> Event | Skip:
    """Bars; the venue never says that one is final."""
    if not isinstance(message, Kline):
        return OTHER
    return events.Candle(
        venue=VENUE_NAME,
        instrument=message.contract_id,
        received_ns=receipt.received_ns,
        raw=receipt.raw,
        interval=message.kline_type,
        open_time_ns=message.kline_time * 1_000_000,
        open=message.open,
        high=message.high,
        low=message.low,
        close=message.close,
        volume=message.size,
        quote_volume=message.value,
    )


def funding_rates(message: WireMessage, receipt: Receipt) -> Event | Skip:
    """Funding rates."""
    if not isinstance(message, FundingRate):
        return OTHER
    if message.funding_rate is None:
        return NO_RATE
    return events.FundingRate(
        venue=VENUE_NAME,
        instrument=message.contract_id,
        venue_time_ns=_ns(message.funding_timestamp),
        received_ns=receipt.received_ns,
        raw=receipt.raw,
        rate=message.funding_rate,
        funding_time_ns=_ns(message.funding_time),
        mark_price=message.mark_price,
        index_price=message.index_price,
    )


def instruments(message: WireMessage, receipt: Receipt) -> Event | tuple[Event, ...] | Skip:
    """Every contract of the metadata, with the names of its coins."""
    if not isinstance(message, Metadata):
        return OTHER
    names = {coin.coin_id: coin.coin_name for coin in message.coins}
    return tuple(
        events.Instrument(
            venue=VENUE_NAME,
            instrument=contract.contract_id,
            received_ns=receipt.received_ns,
            raw=receipt.raw,
            base=names.get(contract.base_coin_id or ""),
            quote=names.get(contract.quote_coin_id or ""),
            price_step=contract.tick_size,
            size_step=contract.step_size,
            min_size=contract.min_order_size,
            status=contract.contract_status,
        )
        for contract in message.contracts
    )


def orders(instrument: str) -> Unify:
    """The user's orders as they are now, of one contract or of all."""

    def unify(message: WireMessage, receipt: Receipt) -> Event | tuple[Event, ...] | Skip:
        if not isinstance(message, TradeEvent):
            return OTHER
        wanted = [order for order in message.data.order if instrument in {"", _text(order.contract_id)}]
        return tuple(_order(order, message, receipt) for order in wanted) or NOT_AN_ORDER

    return unify


def _order(order: Order, event: TradeEvent, receipt: Receipt) -> events.OrderUpdate:
    filled = order.cum_fill_size if order.cum_match_size is None else order.cum_match_size
    return events.OrderUpdate(
        venue=VENUE_NAME,
        instrument=_text(order.contract_id) or "",
        venue_time_ns=_ns(order.updated_time or event.time),
        received_ns=receipt.received_ns,
        sequence=event.version,
        raw=receipt.raw,
        order_id=str(order.id),
        client_order_id=_text(order.client_order_id) or None,
        status=_STATUSES.get(order.status),
        venue_status=order.status,
        side=_SIDES.get(order.side),
        order_type=order.type,
        price=order.price or None,
        size=order.size,
        filled_size=filled,
        reason=order.cancel_reason,
    )


def fills(instrument: str) -> Unify:
    """The user's own trades, of one contract or of all; those of a Snapshot were before.

    One without price or size is none that could be said. The fee stays in the venue's own message, since
    nothing says which sign a fee paid has.
    """

    def unify(message: WireMessage, receipt: Receipt) -> Event | tuple[Event, ...] | Skip:
        if not isinstance(message, TradeEvent):
            return OTHER
        entries = message.data.order_fill_transaction
        if message.is_snapshot:
            return HISTORY if entries else NOT_A_FILL
        wanted = [entry for entry in entries if instrument in {"", _text(entry.contract_id)}]
        made = [_fill(entry, message, receipt) for entry in wanted]
        return tuple(fill for fill in made if fill is not None) or NOT_A_FILL

    return unify


def _fill(entry: OrderFillTransaction, event: TradeEvent, receipt: Receipt) -> events.Fill | None:
    if entry.fill_price is None or entry.fill_size is None:
        return None
    return events.Fill(
        venue=VENUE_NAME,
        instrument=_text(entry.contract_id) or "",
        venue_time_ns=_ns(entry.match_time or entry.created_time or event.time),
        received_ns=receipt.received_ns,
        sequence=event.version,
        raw=receipt.raw,
        order_id=str(entry.order_id),
        price=entry.fill_price,
        size=entry.fill_size,
        side=_SIDES.get(entry.order_side),
        trade_id=str(entry.id),
        liquidity=_LIQUIDITY.get(entry.direction),
        fee_currency=_text(entry.coin_id),
    )


def balances(message: WireMessage, receipt: Receipt) -> Event | tuple[Event, ...] | Skip:
    """What the account holds of each coin; the socket names coins by number and says the sum only."""
    if not isinstance(message, TradeEvent):
        return OTHER
    return (
        tuple(
            events.Balance(
                venue=VENUE_NAME,
                instrument="",
                venue_time_ns=_ns(entry.updated_time or message.time),
                received_ns=receipt.received_ns,
                sequence=message.version,
                raw=receipt.raw,
                currency=str(entry.coin_id),
                account_id=_text(entry.account_id or message.account_id or None),
                total=entry.balance if entry.amount is None else entry.amount,
            )
            for entry in message.data.collateral
        )
        or NOT_A_BALANCE
    )
