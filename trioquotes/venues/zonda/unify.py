"""Zonda's messages as unified events: one function per topic; those that keep state are made by a maker.

Those of books are in ``books``.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from trioquotes import events
from trioquotes._protocol.effects import Receipt, Skip, Unify
from trioquotes.events import Event, Side, WireMessage
from trioquotes.venues.zonda.accounts import (
    FundsPush,
    OfferPush,
    OfferState,
    OwnTransaction,
    OwnTransactionsAnswer,
    OwnTransactionsPush,
    StopOfferPush,
)
from trioquotes.venues.zonda.messages import (
    Market,
    Markets,
    Stats,
    StatsAnswer,
    StatsPush,
    Ticker,
    TickerAnswer,
    TickerPush,
    TransactionsAnswer,
    TransactionsPush,
)
from trioquotes.venues.zonda.paths import parse

__all__ = [
    "OTHER",
    "VENUE_NAME",
    "balances",
    "epoch_ns",
    "fills",
    "instruments",
    "market_of",
    "orders",
    "quotes",
    "side_of",
    "stateless",
    "tickers",
    "trades",
]

VENUE_NAME: Final = "zonda"

HISTORY = Skip("history")
OTHER = Skip("other message of the channel")
SAME_QUOTE = Skip("same quote")

_SIDES: dict[str, Side] = {"buy": "buy", "sell": "sell"}
_NS_PER_MS = 1_000_000
_MOST_DECIMALS = 24


def stateless(unify: Unify) -> Callable[[], Unify]:
    """A maker of a unifier that needs no state."""
    return lambda: unify


def epoch_ns(millis: str | None) -> int | None:
    """Unix nanoseconds of milliseconds as the venue writes them."""
    return None if millis is None else int(millis) * _NS_PER_MS


def side_of(text: str | None) -> Side | None:
    """The side that a text says, in whatever case; ``None`` for a word that is none."""
    return None if text is None else _SIDES.get(text.lower())


def market_of(topic: str) -> str:
    """The market of a topic; empty where it has none."""
    channel = parse(topic.lower())
    return "" if channel is None else channel.instrument


def trades(message: WireMessage, receipt: Receipt) -> Event | tuple[Event, ...] | Skip:
    """Transactions as trades; ``ty`` is the taker's side already."""
    if not isinstance(message, TransactionsPush):
        return HISTORY if isinstance(message, TransactionsAnswer) else OTHER
    market = market_of(message.topic)
    return tuple(
        events.Trade(
            venue=VENUE_NAME,
            instrument=market,
            venue_time_ns=epoch_ns(one.t),
            received_ns=receipt.received_ns,
            sequence=message.seq_no,
            raw=receipt.raw,
            price=one.r,
            size=one.a,
            taker_side=side_of(one.ty),
            trade_id=one.id,
        )
        for one in message.message.transactions
    )


def quotes() -> Unify:
    """Best prices of the ticker, whenever one changes; the venue says no sizes with them."""
    last: tuple[Decimal | None, Decimal | None] | None = None

    def unify(message: WireMessage, receipt: Receipt) -> Event | Skip:
        nonlocal last
        ticker = _ticker_of(message)
        if ticker is None or not isinstance(message, TickerPush | TickerAnswer):
            return OTHER
        best = ticker.highest_bid, ticker.lowest_ask
        if best == last:
            return SAME_QUOTE
        last = best
        return events.Quote(
            venue=VENUE_NAME,
            instrument=market_of(message.topic) or _code(ticker),
            venue_time_ns=epoch_ns(ticker.time),
            received_ns=receipt.received_ns,
            sequence=message.seq_no if isinstance(message, TickerPush) else None,
            raw=receipt.raw,
            bid=ticker.highest_bid,
            ask=ticker.lowest_ask,
        )

    return unify


def tickers() -> Unify:
    """Folds ``ticker`` and ``stats``: what only the other one says is ``None`` until it came.

    Each of the two has a count of its own, so these events have none.
    """
    ticker: Ticker | None = None
    stats: Stats | None = None

    def unify(message: WireMessage, receipt: Receipt) -> Event | Skip:
        nonlocal ticker, stats
        said = _ticker_of(message)
        figures = _stats_of(message)
        if said is not None:
            ticker, time_ns = said, epoch_ns(said.time)
        elif figures is not None:
            stats = figures
            time_ns = epoch_ns(message.timestamp) if isinstance(message, StatsPush) else None
        else:
            return OTHER
        return events.Ticker(
            venue=VENUE_NAME,
            instrument=market_of(getattr(message, "topic", "")),
            venue_time_ns=time_ns,
            received_ns=receipt.received_ns,
            raw=receipt.raw,
            last=None if ticker is None else ticker.rate,
            high_24h=None if stats is None else stats.h,
            low_24h=None if stats is None else stats.l,
            volume_24h=None if stats is None else stats.v,
            bid=None if ticker is None else ticker.highest_bid,
            ask=None if ticker is None else ticker.lowest_ask,
        )

    return unify


def _ticker_of(message: WireMessage) -> Ticker | None:
    if isinstance(message, TickerPush):
        return message.message
    return message.body.ticker if isinstance(message, TickerAnswer) else None


def _stats_of(message: WireMessage) -> Stats | None:
    """The figures of one market; those of the last row where there are several."""
    if isinstance(message, StatsPush):
        market = market_of(message.topic)
        rows = [stats for stats in message.message if not market or stats.m.upper() == market]
        return rows[-1] if rows else None
    return message.body.stats if isinstance(message, StatsAnswer) else None


def _code(ticker: Ticker) -> str:
    return "" if ticker.market is None or ticker.market.code is None else ticker.market.code


def instruments(message: WireMessage, receipt: Receipt) -> Event | tuple[Event, ...] | Skip:
    """Every market of the list."""
    if not isinstance(message, Markets):
        return OTHER
    return tuple(
        _instrument(code, ticker.market or Market(), receipt) for code, ticker in message.items.items()
    )


def _instrument(code: str, market: Market, receipt: Receipt) -> events.Instrument:
    first, second = market.first, market.second
    return events.Instrument(
        venue=VENUE_NAME,
        instrument=market.code or code,
        received_ns=receipt.received_ns,
        raw=receipt.raw,
        base=None if first is None else first.currency,
        quote=None if second is None else second.currency,
        price_step=_step(market.rate_precision, market.price_precision),
        size_step=_step(market.amount_precision, None if first is None else first.scale),
        min_size=None if first is None else first.min_offer,
        min_notional=None if second is None else second.min_offer,
    )


def _step(decimals: int | None, other: int | None) -> Decimal | None:
    """The smallest step where two of the venue's figures for it agree: it does not say which one counts."""
    if decimals is None or decimals != other or decimals > _MOST_DECIMALS:
        return None
    return Decimal(1).scaleb(-decimals)


def orders(message: WireMessage, receipt: Receipt) -> Event | Skip:
    """The user's orders and stop orders."""
    if isinstance(message, OfferPush):
        return _order(message, receipt)
    return _stop_order(message, receipt) if isinstance(message, StopOfferPush) else OTHER


def _order(push: OfferPush, receipt: Receipt) -> events.OrderUpdate:
    """An order that rests; of one that is gone the venue does not say whether it was filled or canceled."""
    offer = push.message
    state = offer.state or OfferState(id=offer.offer_id)
    return events.OrderUpdate(
        venue=VENUE_NAME,
        instrument=offer.market or state.market or market_of(push.topic),
        venue_time_ns=epoch_ns(offer.timestamp or push.timestamp),
        received_ns=receipt.received_ns,
        sequence=push.seq_no,
        raw=receipt.raw,
        order_id=offer.offer_id,
        status="open" if offer.action == "update" else None,
        venue_status=offer.action,
        side=side_of(offer.entry_type or state.offer_type),
        order_type=state.mode,
        price=offer.rate if state.rate is None else state.rate,
        size=state.start_amount,
        remaining_size=state.current_amount,
    )


def _stop_order(push: StopOfferPush, receipt: Receipt) -> events.OrderUpdate:
    """A stop order: that it was accepted is none of our words; its stop price is no limit price."""
    stop = push.message
    state = stop.state
    return events.OrderUpdate(
        venue=VENUE_NAME,
        instrument=state.market or market_of(push.topic),
        venue_time_ns=epoch_ns(push.timestamp),
        received_ns=receipt.received_ns,
        sequence=push.seq_no,
        raw=receipt.raw,
        order_id=state.id,
        status="rejected" if stop.action == "rejected" else None,
        venue_status=stop.action,
        side=side_of(state.offer_type),
        order_type=state.mode,
        price=state.rate,
        size=state.amount,
        reason=stop.rejection_reason,
    )


def fills(message: WireMessage, receipt: Receipt) -> Event | tuple[Event, ...] | Skip:
    """The user's own trades, in either of the two layouts."""
    if isinstance(message, OwnTransactionsPush):
        return tuple(_fill(message, one, receipt) for one in message.message.transactions)
    if isinstance(message, TransactionsPush):
        return _public_fills(message, receipt)
    return HISTORY if isinstance(message, OwnTransactionsAnswer) else OTHER


def _public_fills(push: TransactionsPush, receipt: Receipt) -> tuple[Event, ...]:
    """In the layout of public trades, which says neither the order nor the user's own side."""
    market = market_of(push.topic)
    return tuple(
        events.Fill(
            venue=VENUE_NAME,
            instrument=market,
            venue_time_ns=epoch_ns(one.t),
            received_ns=receipt.received_ns,
            sequence=push.seq_no,
            raw=receipt.raw,
            order_id="",
            price=one.r,
            size=one.a,
            trade_id=one.id,
        )
        for one in push.message.transactions
    )


def _fill(push: OwnTransactionsPush, one: OwnTransaction, receipt: Receipt) -> Event:
    return events.Fill(
        venue=VENUE_NAME,
        instrument=one.market or market_of(push.topic),
        venue_time_ns=epoch_ns(one.time),
        received_ns=receipt.received_ns,
        sequence=push.seq_no,
        raw=receipt.raw,
        order_id=one.offer_id or "",
        price=one.rate,
        size=one.amount,
        side=side_of(one.user_action),
        trade_id=one.id,
        liquidity=None if one.was_taker is None else "taker" if one.was_taker else "maker",
        fee=one.commission_value,
    )


def balances(message: WireMessage, receipt: Receipt) -> Event | Skip:
    """The user's balances."""
    if not isinstance(message, FundsPush):
        return OTHER
    funds = message.message
    return events.Balance(
        venue=VENUE_NAME,
        instrument="",
        venue_time_ns=epoch_ns(message.timestamp),
        received_ns=receipt.received_ns,
        sequence=message.seq_no,
        raw=receipt.raw,
        currency=funds.currency,
        account_id=funds.id,
        available=funds.available_funds,
        locked=funds.locked_funds,
        total=funds.total_funds,
    )
