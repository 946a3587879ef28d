"""Asking, restating, and what shows that something is served."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.venues.bench import Bench, Line, Outbox
from tests.venues.upbit.market import (
    KEY,
    Market,
    announcement,
    asset,
    book,
    codes,
    error,
    ladder,
    listed,
    order,
    pass_time,
    said,
    served,
    ticker,
    trade,
)
from trioquotes._protocol.effects import Failure, Fatal, HttpRequest, Reply, Retry, WireChannel
from trioquotes.errors import AuthenticationFailed, SubscriptionRejected
from trioquotes.events import BookSnapshot, Event, Instrument, Malformed, Quote, Rejected
from trioquotes.topics import Balances, Books, Candles, Instruments, Orders, Quotes, Tickers, Topic, Trades
from trioquotes.venues import upbit
from trioquotes.venues.upbit import VENUE

LIST = {"method": "LIST_SUBSCRIPTIONS"}


def asked(line: Bench | Line) -> dict[str, list[str]]:
    """The only request that is written now."""
    (request,) = said(line)
    return codes(request)


def begun(*topics: Topic[Event], extra: dict[str, str] | None = None) -> tuple[Bench, list[Outbox]]:
    """A line that is up, with nothing answered."""
    play = Bench(VENUE, credentials=KEY, extra=extra)
    boxes = [play.subscribe(topic) for topic in topics]
    for line in play.lines:
        line.connect()
    return play, boxes


# The form of a request.


def test_request_has_a_ticket_the_types_and_the_format() -> None:
    play, _ = begun(Trades("KRW-ETH"), Trades("KRW-BTC"), Books("KRW-BTC", 5), Candles("KRW-BTC"))
    ((ticket, *types, form),) = said(play)
    assert list(ticket) == ["ticket"]
    assert uuid.UUID(ticket["ticket"]).version == 4
    assert types == [
        {"type": "candle.1m", "codes": ["KRW-BTC"]},
        {"type": "orderbook", "codes": ["KRW-BTC.5"]},
        {"type": "trade", "codes": ["KRW-BTC", "KRW-ETH"]},
    ]
    assert form == {"format": "DEFAULT"}


@pytest.mark.parametrize("form", ["SIMPLE", "JSON_LIST", "SIMPLE_LIST"])
def test_format_of_the_lines_is_an_option_of_the_session(form: str) -> None:
    play, _ = begun(Trades("KRW-BTC"), Orders(), extra={"format": form})
    private = play.line("private")
    for request in [*said(play.line("public")), *said(private), *said(private)]:
        assert request[-1] == {"format": form}


def test_every_request_has_a_ticket_of_its_own() -> None:
    play, _ = begun(Trades("KRW-BTC"))
    first = said(play)
    play.subscribe(Trades("KRW-ETH"))
    second = said(play)
    assert first[0][0]["ticket"] != second[0][0]["ticket"]


def test_parameters_stand_beside_the_type() -> None:
    play, _ = begun(
        upbit.Orderbooks("KRW-BTC", 15, level="0.10".rstrip("0")),
        upbit.Trades("KRW-BTC", "realtime"),
        upbit.Tickers("KRW-BTC", "snapshot"),
        upbit.Announcements(("notice",), include_body=True),
        upbit.IndicatorSignals.of("KRW-BTC", "60m", [{"type": "rsi", "params": {"over": 70.10}}]),
    )
    parts = [part for line in play.lines for request in said(line) for part in request if "type" in part]
    assert parts == [
        {"type": "orderbook", "codes": ["KRW-BTC.15"], "level": 0.1},
        {"type": "trade", "codes": ["KRW-BTC"], "is_only_realtime": True},
        {"type": "ticker", "codes": ["KRW-BTC"], "is_only_snapshot": True},
        {"type": "announcement", "categories": ["notice"], "include_body": True},
        {
            "type": "indicator_signal",
            "codes": ["KRW-BTC"],
            "timeframe": "60m",
            "indicators": [{"type": "rsi", "params": {"over": 70.1}}],
        },
    ]


def test_own_orders_are_asked_for_without_codes_and_holdings_have_none() -> None:
    play, _ = begun(Orders("KRW-BTC"), Balances())
    (request, _) = said(play)
    assert [part for part in request if "type" in part] == [{"type": "myAsset"}, {"type": "myOrder"}]


# Restating.


def test_adding_and_leaving_restate_the_whole_set() -> None:
    play, (bitcoin,) = begun(Trades("KRW-BTC"))
    assert asked(play) == {"trade": ["KRW-BTC"]}
    play.server(trade(1, stream="SNAPSHOT"))
    ether = play.subscribe(Trades("KRW-ETH"))
    assert asked(play) == {"trade": ["KRW-BTC", "KRW-ETH"]}
    play.server(trade(1, stream="SNAPSHOT"), trade(1, "KRW-ETH", "SNAPSHOT"))
    assert ether.is_confirmed
    play.unsubscribe(bitcoin)
    assert asked(play) == {"trade": ["KRW-ETH"]}
    assert set(play.line().state.ledger.asked) == {WireChannel("trade", "KRW-ETH")}


def test_after_a_lost_line_the_whole_set_is_one_request() -> None:
    play = Bench(VENUE)
    served(play, play.subscribe(Trades("KRW-BTC")), play.subscribe(Books("KRW-BTC")))
    assert play.drop(1006) == Retry()
    play.connect()
    assert asked(play) == {"orderbook": ["KRW-BTC.30"], "trade": ["KRW-BTC"]}


def test_the_empty_set_cannot_be_said_so_the_line_is_given_up() -> None:
    play, (trades,) = begun(Trades("KRW-BTC"))
    said(play)
    play.unsubscribe(trades)
    assert said(play) == []
    assert play.line().replaced == ["the empty set cannot be said"]


def test_nothing_is_asked_where_nothing_is_wanted() -> None:
    play, (trades,) = begun(Trades("KRW-BTC"))
    play.unsubscribe(trades)
    assert said(play) == []
    assert play.line().replaced == []


# Depths.


def test_books_of_all_depths_are_one_subscription_at_the_largest() -> None:
    play = Bench(VENUE)
    shallow, quotes = play.subscribe(Books("KRW-BTC", 5)), play.subscribe(Quotes("KRW-BTC"))
    served(play, shallow, quotes)
    deep = play.subscribe(Books("KRW-BTC"))
    (request,) = said(play)
    assert codes(request) == {"orderbook": ["KRW-BTC.30"]}
    assert not deep.is_confirmed
    play.server(book(*ladder(30), stream="SNAPSHOT"))
    assert deep.is_confirmed
    sizes = [[len(e.bids) for e in box.take() if isinstance(e, BookSnapshot)] for box in (shallow, deep)]
    assert sizes == [[5], [30]]
    play.unsubscribe(deep)
    assert asked(play) == {"orderbook": ["KRW-BTC.5"]}
    play.advance(2.0)  # no more than three requests a second
    play.unsubscribe(shallow)
    assert asked(play) == {"orderbook": ["KRW-BTC.1"]}


def test_a_deeper_book_is_not_made_of_messages_that_are_not_deep_enough() -> None:
    play = Bench(VENUE)
    shallow = play.subscribe(Books("KRW-BTC", 5))
    served(play, shallow)
    deep = play.subscribe(Books("KRW-BTC"))
    play.server(book(*ladder(5)))  # before the request goes out
    said(play)
    play.server(book(*ladder(5)))  # after it, and before it is answered
    assert deep.take() == []
    assert not deep.is_confirmed
    assert len(shallow.take()) == 2
    play.server(book(*ladder(4), stream="SNAPSHOT"))  # a thin book, but the whole of it
    (snapshot,) = deep.take()
    assert isinstance(snapshot, BookSnapshot)
    assert (len(snapshot.bids), snapshot.depth) == (4, 30)


def test_a_quote_that_comes_late_gets_the_present_one() -> None:
    play = Bench(VENUE)
    served(play, play.subscribe(Books("KRW-BTC")))
    quotes = play.subscribe(Quotes("KRW-BTC"))
    play.settle(Market)
    assert [type(event) for event in quotes.take()] == [Quote]


# What confirms.


@pytest.mark.parametrize(
    ("topic", "frame"),
    [
        (Trades("KRW-BTC"), trade()),
        (Tickers("KRW-BTC"), ticker()),
        (Books("KRW-BTC"), book()),
        (Orders(), order()),
        (Balances(), asset(("KRW", 1.0, 0.0))),
        (upbit.Announcements(), announcement()),
    ],
    ids=str,
)
def test_the_first_data_confirms(topic: Topic[Event], frame: str) -> None:
    play, (box,) = begun(topic)
    said(play)
    assert not box.is_confirmed
    play.server(frame)
    assert box.is_confirmed


def test_what_is_silent_by_nature_is_confirmed_by_the_venues_own_list() -> None:
    play, (orders, balances) = begun(Orders(), Balances())
    request, question = said(play)
    assert codes(request) == {"myAsset": [], "myOrder": []}
    assert [list(part) for part in question] == [["ticket"], ["method"], ["format"]]
    assert question[1] == LIST
    play.server(listed({"type": "myOrder"}))
    assert (orders.is_confirmed, balances.is_confirmed) == (True, False)
    assert said(play) == []
    play.server(listed({"type": "myOrder"}, {"type": "myAsset"}))
    assert balances.is_confirmed
    assert not play.line().state.ledger.in_flight


def test_a_realtime_channel_is_listed_by_its_code() -> None:
    play, (one, other) = begun(upbit.Trades("KRW-BTC", "realtime"), upbit.Trades("KRW-ETH", "realtime"))
    said(play)
    play.server(listed({"type": "trade", "codes": ["KRW-ETH"]}))
    assert (one.is_confirmed, other.is_confirmed) == (False, True)


def test_without_a_list_the_silence_of_what_is_silent_by_nature_confirms() -> None:
    play, (orders,) = begun(Orders())
    said(play)
    play.advance(2.9)
    assert not orders.is_confirmed
    play.advance(0.2)
    assert orders.is_confirmed
    assert orders.kinds() == ["Connected"]


def test_an_unknown_code_is_silent_and_that_is_said_in_time_and_tried_again_more_and_more_slowly() -> None:
    play, (wrong,) = begun(Trades("KRW-NOPE"))
    asked_at = []
    for second in range(100):
        if any("KRW-NOPE" in frame for frame in play.writer()):
            asked_at.append(second)
        play.server('{"status":"UP"}')
        play.advance(1.0)
    assert asked_at == [0, 6, 13, 22, 35, 56, 93]
    notices = [event for event in wrong.take() if isinstance(event, Rejected)]
    assert {(notice.final, notice.reason) for notice in notices} == {(False, "not acknowledged in time")}
    assert wrong.error is None
    play.server(trade(1, "KRW-NOPE", "SNAPSHOT"))
    assert wrong.is_confirmed


def test_what_has_not_answered_yet_stays_in_the_set() -> None:
    play, (quiet,) = begun(Trades("KRW-QUIET"))
    said(play)
    play.advance(5.5)  # given up for a moment, but the venue may serve it all the same
    assert play.line().state.ledger.wanted == set()
    play.subscribe(Trades("KRW-BTC"))
    assert asked(play) == {"trade": ["KRW-BTC", "KRW-QUIET"]}
    play.server(trade(1, "KRW-QUIET"))
    assert quiet.is_confirmed
    assert "Trade" in quiet.kinds()


def test_what_never_answered_and_is_not_wanted_any_more_leaves_the_set_after_a_while() -> None:
    play, (quiet, trades) = begun(Trades("KRW-QUIET"), Trades("KRW-BTC"))
    said(play)
    play.server(trade(1, stream="SNAPSHOT"))
    play.advance(5.5)
    play.unsubscribe(quiet)
    assert pass_time(play, 60) == []
    play.subscribe(Trades("KRW-ETH"))
    assert asked(play) == {"trade": ["KRW-BTC", "KRW-ETH", "KRW-QUIET"]}
    play.server(trade(1, "KRW-ETH", "SNAPSHOT"))
    assert pass_time(play, 10) == []
    play.subscribe(Trades("KRW-XRP"))
    assert asked(play) == {"trade": ["KRW-BTC", "KRW-ETH", "KRW-XRP"]}
    assert trades.is_confirmed


# Errors, which name nobody and close the line.


def over(line: Bench | Line) -> Any:
    """The venue closes."""
    target = line if isinstance(line, Line) else line.line()
    assert target.state.lost_reason is not None
    verdict = target.drop(1000)
    assert isinstance(verdict, Retry)
    target.connect()
    return verdict


def test_the_only_suspect_is_rejected_in_the_venues_words() -> None:
    play, (bad,) = begun(Trades("KRW-BAD"))
    said(play)
    play.server(error("INVALID_PARAM", "안 돼"))
    assert isinstance(bad.error, SubscriptionRejected)
    assert bad.error.reason == "INVALID_PARAM: 안 돼"
    assert play.line().state.lost_reason == "the venue refused a request: INVALID_PARAM: 안 돼"


def test_suspects_are_tried_alone_type_by_type() -> None:
    play, (good,) = begun(Trades("KRW-BTC"))
    said(play)
    play.server(trade(1, stream="SNAPSHOT"))
    bad, innocent = play.subscribe(Tickers("KRW-BAD")), play.subscribe(Books("KRW-BTC"))
    assert asked(play) == {"orderbook": ["KRW-BTC.30"], "ticker": ["KRW-BAD"], "trade": ["KRW-BTC"]}
    play.server(error())
    over(play)
    assert asked(play) == {"trade": ["KRW-BTC"]}  # what was never in doubt comes first
    play.server(trade(1, stream="SNAPSHOT"))
    assert asked(play) == {"trade": ["KRW-BTC"], "orderbook": ["KRW-BTC.30"]}
    assert said(play) == []  # one at a time
    play.server(book(stream="SNAPSHOT"))
    assert innocent.is_confirmed
    assert asked(play) == {"trade": ["KRW-BTC"], "orderbook": ["KRW-BTC.30"], "ticker": ["KRW-BAD"]}
    assert bad.error is None
    play.server(error())
    assert isinstance(bad.error, SubscriptionRejected)
    over(play)
    assert asked(play) == {"trade": ["KRW-BTC"], "orderbook": ["KRW-BTC.30"]}
    assert (good.error, innocent.error) == (None, None)


def test_a_silent_suspect_is_cleared_since_errors_are_fast() -> None:
    play, boxes = begun(Trades("KRW-NOPE"), Tickers("KRW-BTC"))
    said(play)
    play.server(error())
    over(play)
    assert asked(play) == {"ticker": ["KRW-BTC"]}
    play.server(ticker(stream="SNAPSHOT"))
    assert asked(play) == {"ticker": ["KRW-BTC"], "trade": ["KRW-NOPE"]}
    play.advance(5.1)
    assert not boxes[0].is_confirmed
    late = play.subscribe(Tickers("KRW-BAD"))
    assert asked(play)["ticker"] == ["KRW-BAD", "KRW-BTC"]
    play.server(error())
    assert isinstance(late.error, SubscriptionRejected)
    assert boxes[0].error is None


def test_an_error_without_suspects_rejects_nobody() -> None:
    play = Bench(VENUE)
    trades = play.subscribe(Trades("KRW-BTC"))
    served(play, trades)
    play.server(error("WRONG_FORMAT"))
    assert trades.error is None
    over(play)
    assert asked(play) == {"trade": ["KRW-BTC"]}


class Strict(Market):
    """A venue that refuses requests with certain codes or types."""

    bad: frozenset[str] = frozenset()

    def receive(self, frame: str) -> Any:
        request = json.loads(frame)
        for part in request:
            words = {part.get("type", ""), *(code.partition(".")[0] for code in part.get("codes", ()))}
            if words & self.bad:
                return (error(),)
        return super().receive(frame)


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(st.sets(st.integers(0, 11), min_size=1, max_size=12), st.sets(st.integers(0, 11), max_size=3))
def test_whoever_is_to_blame_is_found_and_nobody_else(wanted: set[int], unwelcome: set[int]) -> None:
    names = {n: f"KRW-C{n}" for n in range(12)}
    kinds = [Trades, Tickers, Books]
    play = Bench(VENUE)
    boxes = {n: play.subscribe(kinds[n % 3](names[n])) for n in sorted(wanted)}

    class Other(Strict):
        bad = frozenset(f"KRW-C{n}" for n in unwelcome)

    for _ in range(60):
        play.settle(Other, patience_s=5.0)
        lost = [line for line in play.lines if line.protocol is not None and line.state.lost_reason]
        if not lost and all(box.is_confirmed or box.error for box in boxes.values()):
            break
        for line in lost:
            line.drop(1000)
        play.advance(1.0)
    assert {n for n, box in boxes.items() if box.error is not None} == wanted & unwelcome
    assert {n for n, box in boxes.items() if box.is_confirmed} == wanted - unwelcome
    play.assert_polite()


def test_an_error_while_the_list_is_asked_for_is_the_lists_first() -> None:
    play, (orders,) = begun(Orders())
    line = play.line()
    assert len(said(line)) == 2
    line.server(error("WRONG_FORMAT"))
    assert orders.error is None
    over(play)
    assert [codes(request) for request in said(line)] == [{"myOrder": []}]  # without the list
    play.advance(3.1)
    assert orders.is_confirmed


def test_an_error_without_the_list_too_is_the_channels() -> None:
    play, (alerts,) = begun(upbit.Announcements(("nope",)))
    line = play.line()
    said(line)
    line.server(error())
    over(play)
    assert len(said(line)) == 1
    line.server(error())
    assert isinstance(alerts.error, SubscriptionRejected)


def test_a_refused_token_ends_the_private_topics_and_no_others() -> None:
    play, (trades, orders, balances) = begun(Trades("KRW-BTC"), Orders(), Balances())
    private = play.line("private")
    said(private)
    private.server(error("INVALID_AUTH", "인증 정보가 올바르지 않습니다."))
    assert isinstance(orders.error, AuthenticationFailed)
    assert isinstance(balances.error, AuthenticationFailed)
    assert trades.error is None
    failure = Failure("stream", "closed", close_code=1000, last_error=private.state.last_error)
    verdict = private.alive.classify(failure)
    assert isinstance(verdict, Fatal)
    assert verdict.scope == "lane"


def test_a_token_refused_before_anything_was_asked_is_final_too() -> None:
    play, (orders,) = begun(Orders())
    play.server(error("INVALID_AUTH"))
    assert orders.error is None
    assert isinstance(play.drop(1000), Fatal)


# The list of markets.


def test_instruments_are_fetched_once_and_again_every_five_minutes() -> None:
    play, (box,) = begun(Instruments())
    assert said(play) == []
    (fetch,) = play.line().fetches
    assert fetch.request == HttpRequest("https://api.upbit.com/v1/market/all")
    body = b'[{"market":"KRW-BTC"},{"market":"BTC-ETH","korean_name":"x"}]'
    play.line().answer(Reply(200, body=body))
    assert box.is_confirmed
    assert [event.instrument for event in box.take() if isinstance(event, Instrument)] == [
        "KRW-BTC",
        "BTC-ETH",
    ]
    assert play.line().state.tally.count().elements == 2
    assert said(play) == []
    for _ in range(2):
        pass_time(play, 299)
        assert not play.line().fetches
        pass_time(play, 2)
        play.line().answer(Reply(200, body=body))
        assert len(box.take()) == 2
    assert not play.line().fetches


@pytest.mark.parametrize(
    "reply",
    [
        Reply(429, body=b"no"),
        Reply(200, body=b"{}"),
        Failure("connect", "refused"),
        Reply(200, body=b"<html>"),
    ],
    ids=str,
)
def test_a_list_that_does_not_come_is_asked_for_again_later(reply: Reply | Failure) -> None:
    play, (box,) = begun(Instruments())
    said(play)
    play.line().answer(reply)
    assert not box.is_confirmed
    (notice,) = [event for event in box.events if isinstance(event, Rejected)]
    assert not notice.final
    assert "list of markets" in notice.reason
    assert (200 == getattr(reply, "status", 0)) == any(isinstance(event, Malformed) for event in box.take())
    said(play)
    assert not play.line().fetches
    play.advance(1.1)
    said(play)
    play.line().answer(Reply(200, body=b"[]"))
    assert box.is_confirmed
    assert box.take() == []


def test_the_list_is_not_part_of_the_set_and_can_be_had_again() -> None:
    play = Bench(VENUE)
    box, trades = play.subscribe(Instruments()), play.subscribe(Trades("KRW-BTC"))
    served(play, box, trades)
    play.unsubscribe(box)
    assert asked(play) == {"trade": ["KRW-BTC"]}
    again = play.subscribe(Instruments())
    play.settle(Market)
    assert [type(event) for event in again.take()] == [Instrument]
