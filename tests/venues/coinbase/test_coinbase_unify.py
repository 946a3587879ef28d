"""The feed's messages as unified events."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.venues.coinbase import feed
from trioquotes import events
from trioquotes._protocol.codec import Reader
from trioquotes._protocol.effects import Receipt, Skip, Unify
from trioquotes.events import Event
from trioquotes.venues import coinbase
from trioquotes.venues.coinbase import messages as wire
from trioquotes.venues.coinbase import unify

TIME_NS = 1_787_628_957_198_335_000
RECEIPT = Receipt(7, b"raw")
READER: Reader[Any] = Reader(wire.MarketMessage | wire.OrderMessage | wire.Answer | coinbase.Status)


def read(frame: str) -> Any:
    return READER.read(frame.encode())


def one(make: Unify, frame: str) -> Any:
    made = make(read(frame), RECEIPT)
    if isinstance(made, Event):
        assert made.venue == "coinbase"  # type: ignore[attr-defined]  # of every unified event
        assert made.received_ns == 7  # type: ignore[attr-defined]
        assert made.raw == b"raw"  # type: ignore[attr-defined]
    return made


@pytest.mark.parametrize(
    ("maker", "taker"), [("sell", "buy"), ("buy", "sell"), ("BUY", "sell"), ("both", None)]
)
def test_trade_has_the_takers_side(maker: str, taker: str | None) -> None:
    trade = one(unify.trades, feed.match(5, side=maker, sequence=9))
    assert isinstance(trade, events.Trade)
    assert (trade.taker_side, trade.trade_id, trade.sequence) == (taker, "5", 9)
    assert (trade.instrument, trade.venue_time_ns) == ("BTC-USD", TIME_NS)
    assert (str(trade.price), str(trade.size)) == ("10.50", "0.10")


def test_last_match_is_history_and_other_messages_make_no_trade() -> None:
    assert one(unify.trades, feed.match(5, "last_match")) == Skip("history")
    assert isinstance(one(unify.trades, feed.rfq()), Skip)
    assert isinstance(one(unify.trades, feed.ticker()), Skip)


def test_ticker() -> None:
    figures = {"open_24h": "1.0", "high_24h": "3.0", "low_24h": "0.5", "volume_24h": "7", "volume_30d": "99"}
    best = {"best_bid": "10.4", "best_ask": "10.6", "last_size": "0.1", "time": feed.TIME, "side": "buy"}
    ticker = one(unify.tickers, feed.ticker(5, **figures, **best))
    assert isinstance(ticker, events.Ticker)
    assert (ticker.last, ticker.last_size) == (Decimal("10.50"), Decimal("0.1"))
    assert (ticker.open_24h, ticker.high_24h, ticker.low_24h) == (Decimal(1), Decimal(3), Decimal("0.5"))
    assert (ticker.volume_24h, ticker.quote_volume_24h) == (Decimal(7), None)
    assert (ticker.bid, ticker.ask, ticker.sequence) == (Decimal("10.4"), Decimal("10.6"), 5)
    assert ticker.venue_time_ns == TIME_NS
    assert one(unify.tickers, feed.ticker()).venue_time_ns is None
    assert isinstance(one(unify.tickers, feed.match(1)), Skip)


def test_snapshot_is_best_first_whatever_the_wire_says() -> None:
    bids, asks = [["9", "1"], ["10", "1"], ["8", "0.00"]], [["12", "2"], ["11.0", "1"]]
    book = one(unify.books, feed.snapshot(bids=bids, asks=asks))
    assert isinstance(book, events.BookSnapshot)
    assert book.bids == ((Decimal(10), Decimal(1)), (Decimal(9), Decimal(1)))
    assert [str(price) for price, _ in book.asks] == ["11.0", "12"]
    assert book.depth is None


def test_update_keeps_the_order_of_each_side() -> None:
    frame = feed.update(("buy", "9", "1"), ("sell", "12", "0.00"), ("buy", "9", "2"))
    change = one(unify.books, frame)
    assert isinstance(change, events.BookChange)
    assert change.bids == ((Decimal(9), Decimal(1)), (Decimal(9), Decimal(2)))
    assert change.asks == ((Decimal(12), Decimal("0.00")),)
    assert change.venue_time_ns == TIME_NS
    unset = frame.replace(feed.TIME, "0001-01-01T00:00:00.000000Z")
    assert one(unify.books, unset).venue_time_ns is None
    assert isinstance(one(unify.books, feed.ticker()), Skip)


def test_instruments_come_one_per_product() -> None:
    product = {
        "id": "BTC-USD",
        "base_currency": "BTC",
        "quote_currency": "USD",
        "base_increment": "0.00000001",
        "quote_increment": "0.01",
        "min_market_funds": "10",
        "status": "online",
    }
    frame = feed.compact({"type": "status", "products": [product, {"id": "X-Y"}], "currencies": []})
    first, second = one(unify.instruments, frame)
    assert isinstance(first, events.Instrument)
    assert (first.instrument, first.base, first.quote, first.status) == ("BTC-USD", "BTC", "USD", "online")
    assert (str(first.price_step), str(first.size_step), first.min_size) == ("0.01", "1E-8", None)
    assert (str(first.min_notional), second.instrument, second.price_step) == ("10", "X-Y", None)
    assert isinstance(one(unify.instruments, feed.ticker()), Skip)


def test_balance() -> None:
    balance = one(unify.balances, feed.balance())
    assert isinstance(balance, events.Balance)
    assert (balance.account_id, balance.currency, balance.instrument) == (feed.ACCOUNT, "USD", "")
    assert (str(balance.locked), str(balance.available), balance.total) == ("1.50", "2.00", None)
    assert balance.venue_time_ns == TIME_NS
    assert isinstance(one(unify.balances, feed.ticker()), Skip)


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (
            feed.order("received", 5, order_type="limit", size="1.5", price="10", client_oid="mine"),
            {
                "status": "received",
                "size": "1.5",
                "price": "10",
                "client_order_id": "mine",
                "order_type": "limit",
            },
        ),
        (
            feed.order("received", 5, order_type="market", funds="30", client_oid=""),
            {
                "status": "received",
                "size": None,
                "price": None,
                "client_order_id": None,
                "order_type": "market",
            },
        ),
        (
            feed.order("open", 5),
            {
                "status": "open",
                "price": "10.00",
                "remaining_size": "1.50",
                "size": None,
                "venue_status": "open",
            },
        ),
        (
            feed.order("done", 5, reason="filled"),
            {"status": "filled", "venue_status": "filled", "reason": "filled", "remaining_size": None},
        ),
        (
            feed.order("done", 5, reason="canceled", cancel_reason="103:Admin", remaining_size="2"),
            {"status": "canceled", "reason": "103:Admin", "remaining_size": "2"},
        ),
        (
            feed.order("done", 5, reason="expired"),
            {"status": None, "venue_status": "expired", "reason": "expired"},
        ),
        (
            feed.order("change", 5, reason="STP", old_size="3", new_size="2", price="10"),
            {"status": "changed", "remaining_size": "2", "price": "10", "reason": "STP"},
        ),
        (
            feed.order("change", 5, reason="modify_order", old_price="7", new_price="6", new_size="80"),
            {"status": "changed", "remaining_size": "80", "price": "6"},
        ),
    ],
)
def test_order_update(frame: str, expected: dict[str, str | None]) -> None:
    update = one(unify.orders, frame)
    assert isinstance(update, events.OrderUpdate)
    assert (update.order_id, update.side, update.sequence, update.venue_time_ns) == ("o-1", "buy", 5, TIME_NS)
    found = {name: getattr(update, name) for name in expected}
    assert {name: None if value is None else str(value) for name, value in found.items()} == expected


def test_stop_order_that_was_placed_is_not_called_triggered() -> None:
    fields = {
        "type": "activate",
        "product_id": "BTC-USD",
        "timestamp": "1483736448.299000",
        "order_id": "o-2",
        "stop_type": "entry",
        "side": "buy",
        "stop_price": "80",
        "size": "2",
    }
    update = one(unify.orders, json.dumps(fields))
    assert isinstance(update, events.OrderUpdate)
    assert (update.status, update.venue_status, update.order_type) == (None, "activate", "entry")
    assert (update.venue_time_ns, update.price, update.size) == (1_483_736_448_299_000_000, None, Decimal(2))


def test_match_is_no_order_update_and_an_order_is_no_fill() -> None:
    assert one(unify.orders, feed.match(1)) == Skip("not an order update")
    assert one(unify.fills, feed.order("open", 1)) == Skip("not a fill")


TAKER: dict[str, Any] = {
    "taker_user_id": "u",
    "taker_profile_id": "p",
    "taker_fee_rate": "0.005",
    "user_id": "u",
}
MAKER: dict[str, Any] = {
    "maker_user_id": "u",
    "maker_profile_id": "p",
    "maker_fee_rate": "0.001",
    "user_id": "u",
}


def test_fill_as_taker_has_the_opposite_side() -> None:
    (fill,) = one(unify.fills, feed.match(5, side="sell", **TAKER))
    assert isinstance(fill, events.Fill)
    assert (fill.side, fill.liquidity, fill.order_id, str(fill.fee_rate)) == ("buy", "taker", "t-1", "0.005")
    assert (fill.fee, fill.trade_id, str(fill.price), str(fill.size)) == (None, "5", "10.50", "0.10")


def test_fill_as_maker_has_the_messages_side() -> None:
    (fill,) = one(unify.fills, feed.match(5, side="sell", **MAKER))
    assert (fill.side, fill.liquidity, fill.order_id, str(fill.fee_rate)) == ("sell", "maker", "m-1", "0.001")


def test_trade_with_oneself_is_two_fills() -> None:
    made = one(unify.fills, feed.match(5, **(TAKER | MAKER)))
    assert [fill.liquidity for fill in made] == ["maker", "taker"]


def test_fill_whose_role_is_not_said_is_not_lost_and_not_guessed() -> None:
    fill = one(unify.fills, feed.match(5, user_id="u"))
    assert isinstance(fill, events.Fill)
    assert (fill.side, fill.liquidity, fill.order_id, fill.fee_rate) == (None, None, "", None)


def test_makers_of_unifiers_are_for_stateless_ones() -> None:
    assert unify.stateless(unify.trades)() is unify.trades
    assert unify.side_of(None) is None
    assert unify.opposite(None) is None
