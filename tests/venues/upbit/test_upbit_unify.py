"""Upbit's messages as unified events."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.venues.upbit.market import asset, book, candle, ladder, order, ticker, trade
from trioquotes import events
from trioquotes._protocol.effects import Receipt, Skip
from trioquotes.events import WireMessage
from trioquotes.venues.upbit import formats, messages, unify

RECEIPT = Receipt(5, b"raw")
MS = 1788335180423


def decoded(frame: str) -> Any:
    reader = formats.reader_of(frame.encode())
    assert reader is not None
    return reader.read(frame.encode())


def test_trade() -> None:
    made = unify.NewTrades()(decoded(trade()), RECEIPT)
    assert made == events.Trade(
        venue="upbit",
        instrument="KRW-BTC",
        venue_time_ns=(MS - 46) * 1_000_000,
        received_ns=5,
        raw=b"raw",
        price=Decimal("106691000.0"),
        size=Decimal("9.372e-05"),
        taker_side="sell",
        trade_id="17883351803770004",
    )


@pytest.mark.parametrize(("word", "side"), [("ASK", "sell"), ("BID", "buy"), ("MID", None), (None, None)])
def test_side_is_that_of_the_word(word: str | None, side: str | None) -> None:
    assert unify.side_of(word) == side


def test_history_is_no_trade_and_a_missed_trade_is_one_only_for_those_who_listened() -> None:
    fresh, old = unify.NewTrades(), unify.NewTrades()
    assert isinstance(old(decoded(trade(1)), RECEIPT), events.Trade)
    missed = decoded(trade(2, stream="SNAPSHOT"))
    assert isinstance(old(missed, RECEIPT), events.Trade)
    assert fresh(missed, RECEIPT) == Skip("history")
    assert isinstance(fresh(decoded(trade(3)), RECEIPT), events.Trade)
    last = messages.LastTrade(
        type="trade",
        code="A-B",
        trade_price=Decimal(1),
        trade_volume=Decimal(1),
        ask_bid="ASK",
        sequential_id=1,
    )
    assert old(last, RECEIPT) == Skip("history")


def test_ticker_says_what_is_of_24_hours_and_nothing_of_the_day() -> None:
    made = unify.tickers(
        decoded(
            ticker(
                opening_price=1.0, high_price=2.0, low_price=0.5, trade_volume=0.25, acc_trade_volume_24h=10.5,
                acc_trade_price_24h=99.5, acc_trade_volume=1.0,
            )
        ),
        RECEIPT,
    )  # fmt: skip
    assert made == events.Ticker(
        venue="upbit",
        instrument="KRW-BTC",
        venue_time_ns=MS * 1_000_000,
        received_ns=5,
        raw=b"raw",
        last=Decimal("2176000.0"),
        last_size=Decimal("0.25"),
        volume_24h=Decimal("10.5"),
        quote_volume_24h=Decimal("99.5"),
    )


def test_book_is_whole_best_first_and_without_padding() -> None:
    made = unify.books(30)(
        decoded(book((117.5, 1.5, 116.0, 2.0), (0, 0, 115.0, 1.0), (0, 102.9, 114.0, 250.0))), RECEIPT
    )
    assert isinstance(made, events.BookSnapshot)
    assert made.asks == ((Decimal("117.5"), Decimal("1.5")),)
    assert made.bids == (
        (Decimal(116), Decimal(2)), (Decimal(115), Decimal(1)), (Decimal(114), Decimal(250)),
    )  # fmt: skip
    assert (made.depth, made.venue_time_ns, made.raw) == (30, MS * 1_000_000, b"raw")


@given(st.integers(1, 30), st.integers(0, 30))
def test_book_is_cut_to_the_depth_that_is_wanted(depth: int, levels: int) -> None:
    frame = (
        book(*ladder(levels))
        if levels
        else book().replace(book()[book().index("[") : book().index("]") + 1], "[]")
    )
    made = unify.books(depth)(decoded(frame), RECEIPT)
    assert isinstance(made, events.BookSnapshot)
    assert len(made.bids) == len(made.asks) == min(depth, levels)
    assert made.depth == depth


def test_book_that_was_asked_for_with_fewer_levels_is_of_no_use() -> None:
    message = decoded(book(*ladder(5)))
    for depth, made in ((None, True), (5, False), (15, True)):
        found = msgspec.structs.replace(message, depth=depth)
        assert isinstance(unify.books(15)(found, RECEIPT), events.BookSnapshot) is made


def test_candle() -> None:
    made = unify.candles(
        decoded(candle("240m", candle_acc_trade_volume=37.9560602, candle_acc_trade_price=3.5)), RECEIPT
    )
    assert made == events.Candle(
        venue="upbit",
        instrument="KRW-BTC",
        venue_time_ns=MS * 1_000_000,
        received_ns=5,
        raw=b"raw",
        interval="240m",
        open_time_ns=1785397560_000_000_000,
        open=Decimal("1.0"),
        high=Decimal("2.0"),
        low=Decimal("0.5"),
        close=Decimal("1.5"),
        volume=Decimal("37.9560602"),
        quote_volume=Decimal("3.5"),
    )
    odd = decoded(candle().replace("2026-07-30T07:46:00", "0001-01-01T00:00:00"))
    assert isinstance(unify.candles(odd, RECEIPT), Skip)


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (order("wait", remaining_volume=2.0, executed_volume=0.0),
         {"status": "open", "price": 100.5, "size": 2, "remaining_size": 2, "filled_size": 0}),
        (order("watch"), {"status": None, "venue_status": "watch", "price": 100.5, "size": 2}),
        (order("trade", remaining_volume=1.5, executed_volume=0.5, identifier="mine"),
         {"status": "changed", "price": None, "size": None, "remaining_size": 1.5, "filled_size": 0.5,
          "client_order_id": "mine"}),
        (order("done"), {"status": "filled"}),
        (order("cancel"), {"status": "canceled"}),
        (order("prevented"), {"status": None, "venue_status": "prevented"}),
        (order("wait", order_type="price", volume=None), {"price": None, "size": None, "order_type": "price"}),
    ],
)  # fmt: skip
def test_order(frame: str, expected: dict[str, Any]) -> None:
    made = unify.orders(decoded(frame), RECEIPT)
    assert isinstance(made, events.OrderUpdate)
    assert (made.order_id, made.side, made.venue_time_ns) == ("ac2dc2a3", "buy", MS * 1_000_000)
    assert {name: getattr(made, name) for name in expected} == expected


@pytest.mark.parametrize(("is_maker", "role"), [(True, "maker"), (False, "taker"), (None, None)])
def test_fill(is_maker: bool | None, role: str | None) -> None:
    frame = order("trade", trade_uuid="t-1", trade_fee=22.5, is_maker=is_maker, trade_timestamp=7)
    made = unify.fills(decoded(frame), RECEIPT)
    assert made == events.Fill(
        venue="upbit",
        instrument="KRW-BTC",
        venue_time_ns=7_000_000,
        received_ns=5,
        raw=b"raw",
        order_id="ac2dc2a3",
        price=Decimal("100.5"),
        size=Decimal(2),
        side="buy",
        trade_id="t-1",
        liquidity=role,  # type: ignore[arg-type]  # one of its words
        fee=Decimal("22.5"),
    )


def test_order_without_a_trade_is_no_fill() -> None:
    assert unify.fills(decoded(order("done")), RECEIPT) == Skip("not a fill")
    assert isinstance(unify.fills(decoded(order("trade", price=None)), RECEIPT), Skip)


def test_balance_of_every_currency() -> None:
    made = unify.balances(decoded(asset(("KRW", 1.5, 0.0), ("BTC", 2.0, 1.0))), RECEIPT)
    assert isinstance(made, tuple)
    found = [
        (one.currency, one.available, one.locked, one.total)
        for one in made
        if isinstance(one, events.Balance)
    ]
    assert found == [
        ("KRW", Decimal("1.5"), Decimal(0), None),
        ("BTC", Decimal(2), Decimal(1), None),
    ]


def test_instrument_of_every_market() -> None:
    body = json.dumps(
        [{"market": "KRW-BTC"}, {"market": "USDT-ETH", "english_name": "Ethereum"}, {"market": "ODD"}]
    )
    found = messages.Markets(markets=formats.markets(body.encode()))
    made = unify.instruments(found, RECEIPT)
    assert isinstance(made, tuple)
    assert [(one.instrument, one.base, one.quote) for one in made if isinstance(one, events.Instrument)] == [
        ("KRW-BTC", "BTC", "KRW"),
        ("USDT-ETH", "ETH", "USDT"),
        ("ODD", None, None),
    ]


@pytest.mark.parametrize(
    "make",
    [unify.NewTrades(), unify.tickers, unify.books(1), unify.candles, unify.instruments, unify.orders,
     unify.fills, unify.balances],
)  # fmt: skip
def test_another_message_makes_no_event(make: Any) -> None:
    assert isinstance(make(WireMessage(), RECEIPT), Skip)
