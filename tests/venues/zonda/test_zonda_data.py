"""Data beside the books: every hole is said, every digit is kept, nothing is guessed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.venues.bench import Bench, Outbox
from tests.venues.zonda import feed
from tests.venues.zonda.feed import (
    KEY,
    answer,
    balance,
    compact,
    confirm,
    history,
    now,
    offer,
    push,
    requests,
    served,
    stats,
    stop_offer,
    ticker,
    trades,
)
from trioquotes import events
from trioquotes._protocol.effects import Failure, Fetch, Reply
from trioquotes._protocol.offline import Offline
from trioquotes.errors import AuthenticationFailed, SubscriptionRejected
from trioquotes.topics import Balances, Fills, Instruments, Orders, Quotes, Tickers, Topic, Trades
from trioquotes.venues import zonda
from trioquotes.venues.zonda import VENUE

D = Decimal
MS = 10**6


def playing(*topics: Topic[Any]) -> tuple[Bench, list[Outbox]]:
    play = Bench(VENUE, credentials=KEY)
    boxes = [play.subscribe(topic) for topic in topics]
    served(play, *boxes)
    return play, boxes


def ignored(play: Bench) -> dict[str, int]:
    counts = {reason: n for line in play.lines for reason, n in line.state.tally.count().ignored.items()}
    return {reason: n for reason, n in counts.items() if reason != "acknowledgement"}


# Trades.


def test_transactions_are_trades_of_the_taker() -> None:
    play, (box,) = playing(Trades("USDT-PLN"))
    play.server(trades(467515, "4", "4.10", path="transactions/usdt-pln"))
    first, second = box.take()
    assert first == events.Trade(
        venue="zonda",
        instrument="USDT-PLN",
        venue_time_ns=1644211244619 * MS,
        received_ns=first.received_ns,  # type: ignore[attr-defined]  # of every trade
        sequence=467515,
        raw=first.raw,  # type: ignore[attr-defined]  # of every trade
        price=D(4),
        size=D("14.25"),
        taker_side="buy",
        trade_id="id-4",
    )
    assert isinstance(second, events.Trade)
    assert str(second.price) == "4.10"
    count = play.line().state.tally.count()
    assert (count.delivered, count.folded) == (1, 1)


def test_hole_in_the_count_is_said_before_the_next_trade() -> None:
    play, (box,) = playing(Trades("BTC-PLN"))
    play.server(trades(5, "1"), trades(6, "2"), trades(6, "2"), trades(9, "3"), trades(2, "4"))
    assert [(type(e).__name__, getattr(e, "missed", None)) for e in box.take()] == [
        ("Trade", None),
        ("Trade", None),
        ("Gap", None),
        ("Trade", None),
        ("Gap", None),
        ("Trade", None),
    ]
    assert ignored(play) == {"duplicate": 1}


def test_trades_without_a_count_or_without_a_side_pass() -> None:
    play, (box,) = playing(Trades("BTC-PLN"))
    row = {"id": "x", "t": "1", "a": "1", "r": "2", "ty": "Auction"}
    play.server(trades(None, "1"), push("transactions/btc-pln", 1, {"transactions": [row]}), trades(2))
    one, other = box.take()
    assert isinstance(one, events.Trade)
    assert isinstance(other, events.Trade)
    assert (one.sequence, other.taker_side) == (None, None)
    assert ignored(play) == {"empty": 1}


def test_page_without_action_is_read_all_the_same() -> None:
    play, (box,) = playing(Trades("BTC-PLN"))
    play.server(push("TRANSACTIONS/BTC-PLN", 1, {"transactions": []}, action=None))
    play.server(trades(2, "7").replace('"action":"push",', ""))
    assert box.kinds() == ["Trade"]


# Ticker, stats, quotes.


def test_ticker_and_stats_fold_into_one_and_start_anew_on_a_new_line() -> None:
    play = Bench(VENUE)
    box = play.subscribe(Tickers("BTC-PLN"))
    play.connect()
    assert [said["path"] for said in requests(play.writer())] == ["ticker/btc-pln", "stats/btc-pln"]
    play.server(confirm("ticker/btc-pln"))
    assert not box.is_confirmed
    play.server(confirm("stats/btc-pln"))
    assert box.is_confirmed
    box.take()
    play.server(ticker(7), stats(9, high="110.10"))
    half, full = box.take()
    assert isinstance(half, events.Ticker)
    assert isinstance(full, events.Ticker)
    assert (half.last, half.bid, half.ask, half.high_24h) == (D(101), D("100.5"), D("101.5"), None)
    assert (full.last, str(full.high_24h), full.low_24h) == (D(101), "110.10", D("90.5"))
    assert (full.volume_24h, full.open_24h, full.sequence) == (D("1837.10247456"), None, None)
    assert (half.venue_time_ns, full.venue_time_ns) == (1705985905717 * MS, 1644899040733 * MS)
    play.drop()
    play.connect()
    play.server(stats(1))
    last = box.take()[-1]
    assert isinstance(last, events.Ticker)
    assert (last.last, last.high_24h, last.instrument) == (None, D("110.10"), "BTC-PLN")


def first_values(*topics: Topic[Any]) -> tuple[Bench, list[Outbox], dict[str, str]]:
    """Topics that are confirmed and whose first values are asked for, with the numbers of these requests."""
    play = Bench(VENUE)
    boxes = [play.subscribe(topic) for topic in topics]
    play.connect()
    for said in requests(play.writer()):
        play.server(confirm(said["path"]))
    for box in boxes:
        box.take()
    return play, boxes, {said["path"]: said["requestId"] for said in requests(play.writer())}


def test_first_values_are_asked_for_so_that_a_quiet_market_shows() -> None:
    play, (box, quotes), numbers = first_values(Tickers("BTC-PLN"), Quotes("BTC-PLN"))
    assert list(numbers) == ["ticker/btc-pln", "stats/btc-pln"]
    play.server(answer(numbers["ticker/btc-pln"], {"status": "Ok", "ticker": now()}))
    figures = {"m": "BTC-PLN", "h": "28094.15", "l": "27381.89", "v": "1837.37063918", "r24h": "27978.69"}
    play.server(answer(numbers["stats/btc-pln"], {"status": "Ok", "stats": figures}))
    _, full = box.take()
    assert isinstance(full, events.Ticker)
    assert (full.last, full.volume_24h, full.venue_time_ns) == (D(101), D("1837.37063918"), None)
    (quote,) = quotes.take()
    assert isinstance(quote, events.Quote)
    assert (quote.bid, quote.ask, quote.bid_size, quote.sequence) == (D("100.5"), D("101.5"), None, None)
    assert play.writer() == []
    assert not play.line().state.ledger.resyncing


def test_first_value_that_was_overtaken_is_not_shown() -> None:
    play, (box,), numbers = first_values(Quotes("BTC-PLN"))
    play.server(ticker(5, highestBid="7"), answer(numbers["ticker/btc-pln"], {"ticker": now()}))
    (quote,) = box.take()
    assert isinstance(quote, events.Quote)
    assert quote.bid == D(7)
    assert ignored(play) == {"overtaken by a push": 1}
    play.advance(20.0)
    assert [frame for frame in play.writer() if "ping" not in frame] == []


@pytest.mark.parametrize(
    "body", [{"status": "Fail", "errors": ["NOT_FOUND"]}, {"status": "Ok", "ticker": {"rate": "x"}}]
)
def test_first_value_that_is_refused_is_done_without(body: Any) -> None:
    play, (box,), numbers = first_values(Quotes("BTC-PLN"))
    play.server(answer(numbers["ticker/btc-pln"], body))
    assert box.error is None
    assert play.writer() == []
    assert not play.line().state.ledger.resyncing
    box.take()
    play.server(ticker(1))
    assert box.kinds() == ["Quote"]


def test_quotes_only_where_a_best_price_changes() -> None:
    play, (box,) = playing(Quotes("BTC-PLN"))
    play.server(
        ticker(1), ticker(2, rate="3"), ticker(3, lowestAsk=None), ticker(4, highestBid=None, lowestAsk=None)
    )
    one, two = box.take()
    assert isinstance(one, events.Quote)
    assert isinstance(two, events.Quote)
    assert (one.bid, one.ask) == (D("100.5"), None)  # the first push says what the answer had said
    assert (two.bid, two.ask, two.sequence) == (None, None, 4)
    assert ignored(play) == {"same quote": 2}


def test_stats_of_other_markets_make_no_ticker() -> None:
    play, (box,) = playing(Tickers("BTC-PLN"))
    play.server(stats(1, market="ETH-PLN"), push("stats/btc-pln", 2, []))
    assert box.take() == []
    assert ignored(play) == {"other message of the channel": 2}


def test_all_markets_as_one_channel_whatever_their_topics() -> None:
    play, (box, other) = playing(zonda.Tickers(), zonda.Statistics())
    assert play.writer() == []  # no snapshot of all markets is asked for
    play.server(ticker(8, path="ticker"), ticker(1), ticker(99, path="ticker/eth-pln"), stats(1))
    assert box.kinds() == ["TickerPush"] * 3
    assert other.kinds() == ["StatsPush"]


@given(st.integers(0, 10**22), st.integers(0, 12))
def test_every_digit_of_a_number_is_kept(digits: int, places: int) -> None:
    text = f"{digits // 10**places}.{digits % 10**places:0{places}d}" if places else str(digits)
    play, (box, funds) = playing(Tickers("BTC-PLN"), Balances())
    play.line("public").server(stats(1, high=text))
    play.line("private").server(balance(1, text))
    (event,) = box.take()
    assert isinstance(event, events.Ticker)
    assert event.high_24h is not None
    assert format(event.high_24h, "f") == text
    (held,) = funds.take()
    assert isinstance(held, events.Balance)
    assert held.available is not None
    assert format(held.available, "f") == text


@pytest.mark.parametrize("number", ["1e400", "1e-400", '"1_0"'])
def test_numbers_that_nobody_can_mean_are_malformed(number: str) -> None:
    play, (ticker_box, funds, rates) = playing(Tickers("BTC-PLN"), Balances(), zonda.Rates("USD-EUR"))
    play.line("public").server(stats(1, high=number))
    play.line("private").server(balance(1, number))
    play.line("public").server(
        push("rates/usd/eur", 1, {"rate": "R"}, module="cantor_service").replace('"R"', number)
    )
    assert [box.kinds() for box in (ticker_box, funds, rates)] == [["Malformed"]] * 3


def test_captured_trades_are_the_markets_unless_the_capture_says_that_they_are_private() -> None:
    kinds = {}
    for channel in ("", "trading/transactions/btc-pln", "private trading/history/transactions"):
        (event,) = Offline(VENUE).feed(trades(1, "5").encode(), channel)
        kinds[channel] = type(event).__name__
    assert list(kinds.values()) == ["Trade", "Trade", "Fill"]


def test_rates_of_the_cantor() -> None:
    play, (box,) = playing(zonda.Rates("USD/EUR"))
    frame = push("rates/usd/eur", 4317604, {"rate": 1.164875, "rateCurrency": "USD"}, module="cantor_service")
    play.server(frame)
    (rate,) = box.take()
    assert isinstance(rate, zonda.RatePush)
    assert (str(rate.message.rate), rate.message.rate_currency) == ("1.164875", "USD")


def test_hole_of_a_channel_of_single_events_is_counted() -> None:
    play, (box,) = playing(zonda.Rates("USD-EUR"))
    for number in (3, 7):
        play.server(push("rates/usd/eur", number, {"rate": 1}, module="cantor_service"))
    _, gap, _ = box.take()
    assert isinstance(gap, events.Gap)
    assert (gap.reason, gap.missed) == ("the sequence has a hole", 3)


# The user's own.


def test_orders_from_offers() -> None:
    play, (box,) = playing(Orders("BTC-PLN"))
    play.server(offer(16, startAmount="15", currentAmount="14.0"), offer(17, "remove"))
    rests, gone = box.take()
    assert isinstance(rests, events.OrderUpdate)
    assert isinstance(gone, events.OrderUpdate)
    assert (rests.order_id, rests.status, rests.venue_status, rests.side) == ("o-1", "open", "update", "buy")
    assert (rests.order_type, rests.price, rests.size) == ("Limit", D(1), D(15))
    assert (rests.remaining_size, rests.filled_size, rests.sequence) == (D("14.0"), None, 16)
    assert rests.venue_time_ns == 1577367751519 * MS
    assert (gone.status, gone.venue_status, gone.price, gone.remaining_size) == (None, "remove", D(1), None)


def test_orders_from_stop_offers() -> None:
    play, (box,) = playing(Orders())
    play.server(
        stop_offer(54, "rejected", path="stop/offers", rejectionReason="InsufficientFunds"),
        stop_offer(55, path="stop/offers"),
    )
    refused, accepted = box.take()
    assert isinstance(refused, events.OrderUpdate)
    assert isinstance(accepted, events.OrderUpdate)
    assert (refused.order_id, refused.status, refused.reason) == ("s-1", "rejected", "InsufficientFunds")
    assert (refused.instrument, refused.price, refused.size) == ("BTC-PLN", None, D(1))
    assert (accepted.status, accepted.venue_status, accepted.order_type) == (None, "accepted", "stop-market")


def test_hole_among_orders_is_counted() -> None:
    play, (box,) = playing(Orders("BTC-PLN"))
    play.server(offer(1), offer(4))
    assert [getattr(e, "missed", "-") for e in box.take()] == ["-", 2, "-"]


def test_fills_in_the_layout_of_the_answer_say_everything() -> None:
    play, (box,) = playing(Fills("BTC-PLN"))
    play.server(history(1, "27126.37", "5", wasTaker=True, offerId="o-9", commissionValue="0.10"))
    fill, _ = box.take()
    assert isinstance(fill, events.Fill)
    assert (fill.order_id, fill.price, fill.size, fill.side) == ("o-9", D("27126.37"), D("0.5"), "sell")
    assert (fill.liquidity, fill.fee, fill.fee_currency) == ("taker", D("0.10"), None)
    play.server(history(2, "5", wasTaker=False), history(3, "5", market=None))
    maker, unsaid = box.take()
    assert isinstance(maker, events.Fill)
    assert isinstance(unsaid, events.Fill)
    assert (maker.liquidity, unsaid.liquidity, unsaid.instrument) == ("maker", None, "BTC-PLN")


@pytest.mark.parametrize("path", ["history/transactions/btc-pln", "transactions/btc-pln"])
@pytest.mark.parametrize("topic", [Fills("BTC-PLN"), Fills()])
def test_fills_in_the_printed_layout_under_either_topic(path: str, topic: Fills) -> None:
    play, (box,) = playing(topic)
    play.server(trades(5, "27938.57", path=path))
    (fill,) = box.take()
    assert isinstance(fill, events.Fill)
    assert (fill.instrument, fill.price, fill.trade_id) == ("BTC-PLN", D("27938.57"), "id-27938.57")
    assert (fill.side, fill.order_id, fill.liquidity) == (None, "", None)  # the side would be the taker's


def test_own_trades_and_the_markets_are_never_taken_for_each_other() -> None:
    play, (own, market) = playing(Fills("BTC-PLN"), Trades("BTC-PLN"))
    play.line("private").server(trades(1, "5"))
    assert (own.kinds(), market.kinds()) == (["Fill"], [])
    play.line("public").server(trades(1, "6"))
    assert (own.kinds(), market.kinds()) == ([], ["Trade"])
    play.line("private").server(trades(1, "5", path="transactions/eth-pln"))
    assert play.line("private").state.tally.ignored["not subscribed"] == 1


def test_own_trades_in_neither_layout_are_malformed_by_the_printed_one() -> None:
    play, (box,) = playing(Fills("BTC-PLN"))
    play.server(push("history/transactions/btc-pln", 1, {"transactions": [{"id": "x"}]}))
    (malformed,) = box.take()
    assert isinstance(malformed, events.Malformed)
    assert malformed.reason == "Object missing required field `t` at $.message.transactions[0]"


def test_balances_are_exact() -> None:
    play, (box,) = playing(Balances())
    play.server(balance(190))
    (held,) = box.take()
    assert isinstance(held, events.Balance)
    assert (held.account_id, held.currency, held.sequence) == ("b-1", "BTC", 190)
    assert (str(held.available), str(held.total), str(held.locked)) == ("0.00412197", "1.0", "0")


# The list of markets.


def listing(play: Bench) -> Fetch:
    play.writer()
    (fetch,) = play.line().fetches
    return fetch


def asked() -> tuple[Bench, Outbox]:
    play = Bench(VENUE)
    box = play.subscribe(Instruments())
    play.connect()
    assert listing(play).request.url == "https://api.zondacrypto.exchange/rest/trading/ticker"
    box.take()
    return play, box


def body(**markets: Any) -> bytes:
    items = {code.replace("_", "-"): now(market=market) for code, market in markets.items()}
    return compact({"status": "Ok", "items": items}).encode()


def test_instruments_come_over_http_with_the_steps_that_are_beyond_doubt() -> None:
    play, box = asked()
    other = feed.MARKET | {"code": "ETH-PLN", "ratePrecision": 4, "first": None, "second": None}
    huge = feed.MARKET | {"ratePrecision": 99, "pricePrecision": 99}
    play.line().answer(Reply(200, body=body(BTC_PLN=feed.MARKET, ETH_PLN=other, X_Y=None, H_U=huge)))
    assert box.is_confirmed
    one, two, three, four = box.take()
    assert one == events.Instrument(
        venue="zonda",
        instrument="BTC-PLN",
        received_ns=one.received_ns,  # type: ignore[attr-defined]  # of every instrument
        raw=one.raw,  # type: ignore[attr-defined]  # of every instrument
        base="BTC",
        quote="PLN",
        price_step=D("0.01"),
        size_step=D("0.00000001"),
        min_size=D("0.00045"),
        min_notional=D(5),
    )
    assert isinstance(two, events.Instrument)
    assert isinstance(three, events.Instrument)
    assert isinstance(four, events.Instrument)
    assert (two.instrument, two.price_step, two.size_step, two.base) == ("ETH-PLN", None, None, None)
    assert (three.instrument, four.price_step) == ("X-Y", None)


@pytest.mark.parametrize(
    "reply",
    [
        Failure("connect", "no route"),
        Reply(502, body=b"<html>"),
        Reply(429),
        Reply(200, body=b"[]"),
        Reply(200, body=b'{"status":"Ok"}'),
        Reply(200, body=b'{"status":"Fail","errors":["UNDER_MAINTENANCE"]}'),
    ],
)
def test_list_that_does_not_come_is_asked_for_again(reply: Reply | Failure) -> None:
    play, box = asked()
    play.line().answer(reply)
    assert box.error is None
    assert not box.is_confirmed
    assert "Rejected" in box.kinds()
    play.advance(1.0)
    listing(play)
    play.line().answer(Reply(200, body=body(BTC_PLN=feed.MARKET)))
    assert box.is_confirmed


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(404, body=b'{"status":"Fail","errors":["GONE"]}'), SubscriptionRejected),
        (Reply(200, body=b'{"status":"Fail","errors":["PERMISSIONS_NOT_SUFFICIENT"]}'), AuthenticationFailed),
    ],
)
def test_list_that_is_refused_ends_the_topic(reply: Reply, error: type[Exception]) -> None:
    play, box = asked()
    play.line().answer(reply)
    assert isinstance(box.error, error)


def test_an_answer_to_no_fetch_is_passed_over() -> None:
    play, box = asked()
    line = play.line()
    line.alive.fetched(999, Reply(200), play.receipt(), line.state)
    assert not box.is_confirmed
