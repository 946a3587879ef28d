"""What comes in: trades that are history, books that break, the line itself."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.venues.bench import Bench, Outbox
from tests.venues.upbit.market import (
    KEY,
    Market,
    book,
    ladder,
    order,
    said,
    served,
    simple,
    ticker,
    trade,
)
from trioquotes.events import BookSnapshot, Gap, Malformed, Resynced, Trade
from trioquotes.topics import Balances, Books, Fills, Orders, Quotes, Tickers, Trades
from trioquotes.venues import upbit
from trioquotes.venues.upbit import VENUE
from trioquotes.venues.upbit.trades import KEPT, SeenTrades


def ids(box: Outbox) -> list[str | None]:
    return [event.trade_id for event in box.events if isinstance(event, Trade)]


# Trades.


def test_the_last_trade_of_a_subscription_is_history() -> None:
    play = Bench(VENUE)
    trades, native = play.subscribe(Trades("KRW-BTC")), play.subscribe(upbit.Trades("KRW-BTC"))
    play.connect()
    said(play)
    play.server(trade(1, stream="SNAPSHOT"), trade(2), trade(3))
    assert ids(trades) == ["2", "3"]
    assert [type(event).__name__ for event in native.take()[1:]] == ["LastTrade", "Trade", "Trade"]


def test_restating_brings_the_last_trade_again_and_that_is_history() -> None:
    play = Bench(VENUE)
    trades = play.subscribe(Trades("KRW-BTC"))
    served(play, trades)
    play.server(trade(2))
    play.subscribe(Tickers("KRW-BTC"))
    said(play)
    play.server(trade(2, stream="SNAPSHOT"), trade(3))
    assert [type(event) for event in trades.take()] == [Trade, Trade]
    assert play.line().state.tally.ignored["history"] == 2


def test_a_trade_that_passed_while_the_line_was_down_is_no_history() -> None:
    play = Bench(VENUE)
    trades = play.subscribe(Trades("KRW-BTC"))
    for numbers in ([1], [1, 2], [7, 8]):
        play.connect()
        said(play)
        play.server(trade(numbers[0], stream="SNAPSHOT"), *map(trade, numbers[1:]))
        play.drop()
    assert ids(trades) == ["2", "7", "8"]


def test_a_trade_that_passed_while_the_set_was_restated_is_announced_and_handed_over() -> None:
    play = Bench(VENUE)
    trades = play.subscribe(Trades("KRW-BTC"))
    served(play, trades)
    play.server(trade(2), trade(5, stream="SNAPSHOT"), trade(5))
    assert [type(event) for event in trades.events] == [Trade, Gap, Trade]
    assert ids(trades) == ["2", "5"]
    assert play.line().state.tally.ignored["duplicate"] == 1


def test_a_trade_that_was_shown_as_history_and_then_comes_is_new() -> None:
    play = Bench(VENUE)
    trades = play.subscribe(Trades("KRW-BTC"))
    play.connect()
    said(play)
    play.server(trade(4, stream="SNAPSHOT"), trade(4), trade(4))
    assert ids(trades) == ["4"]


def test_a_topic_that_comes_back_begins_with_history() -> None:
    play = Bench(VENUE)
    other = play.subscribe(Tickers("KRW-BTC"))
    trades = play.subscribe(Trades("KRW-BTC"))
    served(play, other, trades)
    play.server(trade(2))
    play.unsubscribe(trades)
    said(play)
    again, native = play.subscribe(Trades("KRW-BTC")), play.subscribe(upbit.Trades("KRW-BTC"))
    said(play)
    play.server(trade(9, stream="SNAPSHOT"))
    assert ids(again) == []
    assert native.kinds() == ["LastTrade"]
    play.unsubscribe(again)
    play.unsubscribe(native)
    play.unsubscribe(other)
    play.line().close()
    last = play.subscribe(Trades("KRW-BTC"))
    play.connect()
    said(play)
    play.server(trade(20, stream="SNAPSHOT"), trade(21))
    assert ids(last) == ["21"]


@given(st.lists(st.tuples(st.integers(1, 6), st.booleans()), max_size=30))
def test_no_trade_is_handed_over_twice_and_none_that_came_is_lost(came: list[tuple[int, bool]]) -> None:
    seen = SeenTrades()
    new: list[int] = []
    for number, snapshot in came:
        verdict = seen.take(number, snapshot=snapshot)
        assert verdict in ({"history", "missed"} if snapshot else {"new", "known"})
        if verdict in {"new", "missed"}:
            new.append(number)
    assert len(new) == len(set(new))
    assert {number for number, snapshot in came if not snapshot} <= set(new)


def test_memory_of_trades_is_bounded() -> None:
    seen = SeenTrades()
    for number in range(10 * KEPT):
        assert seen.take(number, snapshot=False) == "new"
    assert len(seen._ids) == KEPT
    assert seen.take(10 * KEPT - 1, snapshot=True) == "history"
    assert seen.take(0, snapshot=False) == "new"


def test_trades_nobody_asked_for_are_not_remembered() -> None:
    play = Bench(VENUE)
    served(play, play.subscribe(Tickers("KRW-BTC")))
    play.server(*(trade(1, f"KRW-X{number}") for number in range(50)))
    assert not play.line().memory
    assert play.line().state.tally.ignored["not subscribed"] == 50


# Books.


def test_each_message_is_a_whole_book() -> None:
    play = Bench(VENUE)
    books = play.subscribe(Books("KRW-BTC"))
    served(play, books)
    play.server(book((117.0, 1.0, 116.0, 2.0)), book((118.0, 1.0, 115.0, 2.0)))
    first, second = books.take()
    assert isinstance(first, BookSnapshot)
    assert isinstance(second, BookSnapshot)
    assert (second.bids, second.asks) == (
        ((Decimal(115), Decimal(2)),),
        ((Decimal(118), Decimal(1)),),
    )
    assert play.line().state.ledger.resyncing == {}


def test_a_message_that_does_not_decode_breaks_its_book_until_the_next() -> None:
    play = Bench(VENUE)
    books, other = play.subscribe(Books("KRW-BTC")), play.subscribe(Books("KRW-ETH"))
    served(play, books, other)
    play.server(book().replace('"bid_price":116.0', '"bid_price":"x"'))
    assert [type(event) for event in books.take()] == [Malformed, Gap]
    assert other.take() == []
    (request,) = said(play)
    assert request[1]["codes"] == ["KRW-BTC.30", "KRW-ETH.30"]
    play.server(book(*ladder(3), stream="SNAPSHOT"))
    assert [type(event) for event in books.take()] == [BookSnapshot, Resynced]
    play.advance(6.0)
    assert said(play) == []


@pytest.mark.parametrize("junk", [b"\xff\xfe", b'{"type":5}', b"[1", b'{"type":"orderbook","code":5}'])
def test_a_frame_that_may_have_been_a_book_breaks_all(junk: bytes) -> None:
    play = Bench(VENUE)
    boxes = [play.subscribe(Books("KRW-BTC")), play.subscribe(Books("KRW-ETH"))]
    trades = play.subscribe(Trades("KRW-BTC"))
    served(play, *boxes, trades)
    play.server(junk)
    assert [[type(event) for event in box.take()] for box in boxes] == [[Malformed, Gap]] * 2
    assert [type(event) for event in trades.take()] == [Malformed]
    play.settle(Market, patience_s=3.0)
    assert [[type(event) for event in box.take()] for box in boxes] == [[BookSnapshot, Resynced]] * 2


def test_a_bad_message_of_another_channel_breaks_no_book() -> None:
    play = Bench(VENUE)
    books, trades = play.subscribe(Books("KRW-BTC")), play.subscribe(Trades("KRW-BTC"))
    served(play, books, trades)
    play.server(trade(-1), book(code="KRW-XRP").replace("116.0", "null"))
    assert books.take() == []
    assert [type(event) for event in trades.take()] == [Malformed]


def test_a_crossed_book_is_a_gap_and_asked_for_again() -> None:
    play = Bench(VENUE)
    books = play.subscribe(Books("KRW-BTC"))
    served(play, books)
    play.server(book((115.0, 1.0, 116.0, 1.0)))
    assert [type(event) for event in books.take()] == [Gap]
    assert len(said(play)) == 1
    play.server(book(stream="SNAPSHOT"))
    assert [type(event) for event in books.take()] == [BookSnapshot, Resynced]
    play.advance(6.0)
    assert said(play) == []


def test_grouped_books_are_told_apart_by_their_line() -> None:
    play = Bench(VENUE)
    plain, grouped = (
        play.subscribe(Books("KRW-BTC")),
        play.subscribe(upbit.Orderbooks("KRW-BTC", level="10000")),
    )
    served(play, plain, grouped)
    play.line("public-level-10000").server(book(level=10000))
    assert plain.take() == []
    (message,) = grouped.take()
    assert isinstance(message, upbit.Orderbook)
    assert (message.level, message.depth) == (Decimal(10000), 30)


# Private messages.


def test_orders_of_one_market_and_of_all_share_a_channel() -> None:
    play = Bench(VENUE, credentials=KEY)
    every, one, fills = (
        play.subscribe(Orders()),
        play.subscribe(Orders("KRW-ETH")),
        play.subscribe(Fills("KRW-BTC")),
    )
    served(play, every, one, fills, play.subscribe(Balances()))
    play.line().server(order("trade"), order("wait", "KRW-ETH"), order("done", "KRW-XRP"))
    assert every.kinds() == ["OrderUpdate"] * 3
    assert one.kinds() == ["OrderUpdate"]
    assert fills.kinds() == ["Fill"]


def test_simple_format_serves_the_same_events() -> None:
    play = Bench(VENUE, extra={"format": "SIMPLE_LIST"})
    boxes = [play.subscribe(topic) for topic in (Trades("KRW-BTC"), Books("KRW-BTC"), Quotes("KRW-BTC"))]
    play.connect()
    said(play)
    frames = [trade(1), book(*ladder(2), stream="SNAPSHOT")]
    play.server(f"[{','.join(simple(frame) for frame in frames)}]")
    assert [box.kinds()[1:] for box in boxes] == [["Trade"], ["BookSnapshot"], ["Quote"]]
    assert all(box.is_confirmed for box in boxes)


# The line.


def test_pings_go_out_all_the_time_whatever_comes_in() -> None:
    play = Bench(VENUE)
    served(play, play.subscribe(Tickers("KRW-BTC")))
    line = play.line()
    for _ in range(60):
        play.server(ticker())
        play.advance(10.0)
        said_now = play.writer()
        line.pong()
        assert "PING" not in said_now
    assert 29 <= line.pings <= 31
    assert line.state.lost_reason is None


def test_a_quiet_line_lives_by_its_pongs_alone() -> None:
    play = Bench(VENUE)
    served(play, play.subscribe(Tickers("KRW-BTC")))
    for _ in range(60):
        play.advance(10.0)
        play.writer()
        play.line().pong()
    assert play.line().state.lost_reason is None


def test_a_ping_without_a_pong_is_said_in_the_venues_own_words() -> None:
    play = Bench(VENUE)
    served(play, play.subscribe(Tickers("KRW-BTC")))
    play.advance(20.0)
    assert play.writer() == []
    play.advance(20.0)
    assert play.writer() == ["PING"]
    play.server('{"status":"UP"}')
    assert play.line().state.tally.ignored["heartbeat"] == 1
    play.advance(49.0)
    assert play.line().state.lost_reason is None
    play.advance(1.0)
    assert play.line().state.lost_reason == "nothing came for 50 s, and nothing answered a ping"
    play.assert_polite()


def test_the_line_is_dead_before_the_venue_would_have_dropped_it() -> None:
    play = Bench(VENUE)
    play.subscribe(Tickers("KRW-BTC"))
    play.connect()
    play.advance(51.0)
    assert play.line().state.lost_reason is not None
