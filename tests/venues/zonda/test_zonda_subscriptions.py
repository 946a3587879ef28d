"""Requests and what their answers mean, pings, limits, and what is never sent."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest

from tests.venues.bench import Bench, Outbox
from tests.venues.zonda.feed import KEY, TEN, Feed, compact, confirm, offer, requests, served, ticker, trades
from trioquotes import events
from trioquotes._protocol.effects import Failure, Fatal, Lane, Retry
from trioquotes.errors import AuthenticationFailed, ConnectFailed, SubscriptionRejected
from trioquotes.topics import Balances, Books, Fills, Orders, Quotes, Tickers, Trades
from trioquotes.venues import zonda
from trioquotes.venues.zonda import VENUE
from trioquotes.venues.zonda.auth import signature

PUBLIC_ERROR = '{"action":"subscribe-public-error","message":"No such market"}'


def asked(play: Bench, *markets: str) -> list[Outbox]:
    """Trades of markets, asked for on a new line."""
    boxes = [play.subscribe(Trades(market)) for market in markets]
    play.connect()
    assert len(play.writer()) == len(markets)
    return boxes


def test_handshake_is_plain_and_goes_to_the_documented_path() -> None:
    play = Bench(VENUE, credentials=KEY)
    play.subscribe(Orders())
    handshake = play.connect()
    assert handshake.url == "wss://api.zondacrypto.exchange/websocket/"
    assert (handshake.headers, handshake.subprotocols) == ((), ())


def test_paths_are_sent_in_lower_case_with_their_modules() -> None:
    play = Bench(VENUE, credentials=KEY)
    for topic in (Trades("BTC-PLN"), zonda.Rates("USD-EUR"), zonda.Tickers(), zonda.OrderBooks("X1-Y2")):
        play.subscribe(topic)
    play.connect()
    assert [(said["module"], said["path"]) for said in requests(play.writer())] == [
        ("trading", "transactions/btc-pln"),
        ("cantor_service", "rates/usd/eur"),
        ("trading", "ticker"),
        ("trading", "orderbook/x1-y2"),
    ]


def test_confirmation_in_any_case_counts_and_others_do_not() -> None:
    play = Bench(VENUE)
    (box,) = asked(play, "BTC-PLN")
    play.server(confirm("transactions/eth-pln"), confirm("transactions/btc-pln", module="balances"))
    assert not box.is_confirmed
    play.server(confirm("transactions/BTC-PLN"))
    assert box.is_confirmed


def test_first_data_confirms() -> None:
    play = Bench(VENUE)
    (box,) = asked(play, "BTC-PLN")
    play.server(trades(5, "4"))
    assert box.is_confirmed
    assert box.kinds() == ["Connected", "Trade"]


def test_error_that_names_its_path_rejects_that_one() -> None:
    play = Bench(VENUE)
    good, bad = asked(play, "BTC-PLN", "NO-SUCH")
    frame = {"action": "subscribe-public-error", "module": "trading", "path": "transactions/no-such"}
    play.server(compact(frame | {"error": {"code": "NO_MARKET"}}))
    assert isinstance(bad.error, SubscriptionRejected)
    assert bad.error.reason == "NO_MARKET"
    play.server(confirm("transactions/btc-pln"))
    assert good.is_confirmed
    assert play.line().state.last_error == "NO_MARKET"


def test_error_without_a_name_is_held_against_the_one_that_stays_unanswered() -> None:
    play = Bench(VENUE)
    one, two, three = asked(play, "A-PLN", "B-PLN", "C-PLN")
    play.server(PUBLIC_ERROR, confirm("transactions/a-pln"))
    assert (two.error, three.error) == (None, None)
    late = play.subscribe(Trades("D-PLN"))
    assert play.writer() == []  # nothing more while it is open who is meant
    play.server(confirm("transactions/c-pln"))
    assert isinstance(two.error, SubscriptionRejected)
    assert two.error.reason == "No such market"
    assert (one.is_confirmed, three.is_confirmed) == (True, True)
    assert [said["path"] for said in requests(play.writer())] == ["transactions/d-pln"]
    play.server(compact({"error": "No such market either"}))
    assert isinstance(late.error, SubscriptionRejected)


def test_as_many_errors_as_questions_reject_them_all() -> None:
    play = Bench(VENUE)
    boxes = asked(play, "A-PLN", "B-PLN")
    play.server(PUBLIC_ERROR)
    assert [box.error for box in boxes] == [None, None]
    play.server(PUBLIC_ERROR)
    assert all(isinstance(box.error, SubscriptionRejected) for box in boxes)


def test_error_nobody_can_be_blamed_for_is_forgotten_and_all_are_asked_again() -> None:
    play = Bench(VENUE)
    boxes = asked(play, "A-PLN", "B-PLN")
    play.server(PUBLIC_ERROR)
    play.advance(10.0)
    play.advance(1.0)
    play.line().tick()
    assert sorted(said["path"] for said in requests(play.writer())) == [
        "transactions/a-pln",
        "transactions/b-pln",
    ]
    assert [box.error for box in boxes] == [None, None]
    play.server(confirm("transactions/a-pln"))
    assert boxes[1].error is None


def test_late_confirmation_counts() -> None:
    play = Bench(VENUE)
    (box,) = asked(play, "A-PLN")
    play.advance(10.0)
    assert "Rejected" in box.kinds()
    play.server(confirm("transactions/a-pln"))
    assert box.is_confirmed
    play.advance(2.0)
    assert play.writer() == []


@pytest.mark.parametrize(
    "frame",
    [
        '{"error":"about nothing that was asked"}',
        PUBLIC_ERROR,
        '{"action":"subscribe-private-error","error":"not ours"}',
        '{"action":"subscribe-public-error","module":"trading","path":"transactions/other"}',
        '{"action":"json-error","message":"bad"}',
    ],
)
def test_error_about_nothing_that_is_open_ends_nothing(frame: str) -> None:
    play = Bench(VENUE)
    (box,) = asked(play, "A-PLN")
    play.server(confirm("transactions/a-pln"), frame)
    assert box.error is None
    more = play.subscribe(Trades("B-PLN"))
    assert len(play.writer()) == 1
    play.server(confirm("transactions/b-pln"))
    assert more.is_confirmed


def test_authentication_failure_is_not_held_against_a_public_channel() -> None:
    play = Bench(VENUE)
    (box,) = asked(play, "A-PLN")
    play.server('{"error":"Authentication failed"}')
    assert box.error is None


def test_error_that_passes_is_tried_again_and_a_limit_is_said() -> None:
    play = Bench(VENUE)
    (box,) = asked(play, "A-PLN")
    box.take()
    frame = {"action": "subscribe-public-error", "module": "trading", "path": "transactions/a-pln"}
    play.server(compact(frame | {"errors": ["ACTION_LIMIT_EXCEEDED"]}))
    assert box.kinds() == ["Throttled", "Rejected"]
    assert box.error is None
    play.advance(1.0)
    assert len(play.writer()) == 1


# Private channels.


def test_private_requests_are_signed_one_by_one_on_a_line_of_their_own() -> None:
    play = Bench(VENUE, credentials=KEY)
    orders, fills, public = (
        play.subscribe(Orders("BTC-PLN")),
        play.subscribe(Fills()),
        play.subscribe(Trades("A-B")),
    )
    private, market = play.line("private"), play.line("public")
    private.connect(), market.connect()
    assert [said["action"] for said in requests(market.writer())] == ["subscribe-public"]
    paths = ["offers/btc-pln", "stop/offers/btc-pln", "history/transactions"]
    stamps = []
    for path in paths:
        (said,) = requests(private.writer())
        assert (said["action"], said["path"]) == ("subscribe-private", path)
        seconds = said["requestTimestamp"]
        stamps.append(seconds)
        key = KEY.key.reveal()
        assert said["publicKey"] == key
        assert said["hashSignature"] == signature(key, KEY.secret.reveal(), str(seconds))
        play.advance(1.0)
        private.server(confirm(path, kind="private"))
    assert stamps == [1_600_000_000, 1_600_000_001, 1_600_000_002]
    assert (orders.is_confirmed, fills.is_confirmed, public.is_confirmed) == (True, True, False)


def test_milliseconds_are_sent_if_the_session_says_so() -> None:
    play = Bench(VENUE, credentials=KEY, extra={"request_timestamp": "ms"})
    play.subscribe(Balances())
    play.connect()
    (said,) = requests(play.writer())
    assert (said["module"], said["path"]) == ("balances", "balance/bitbay/updatefunds")
    assert said["requestTimestamp"] == 1_600_000_000_000


@pytest.mark.parametrize(
    "frame",
    [
        '{"error":"Authentication failed"}',
        '{"action":"subscribe-private-error","errors":["INVALID_HASH_SIGNATURE"]}',
        '{"action":"subscribe-private-error","module":"trading","path":"offers/a-b","message":"PERMISSIONS_NOT_SUFFICIENT"}',
    ],
)
def test_refused_credentials_end_the_topic_that_was_signed(frame: str) -> None:
    play = Bench(VENUE, credentials=KEY)
    one, two = play.subscribe(zonda.Offers("A-B")), play.subscribe(zonda.Offers("C-D"))
    play.connect()
    play.writer()
    play.server(frame)
    assert isinstance(one.error, AuthenticationFailed)
    assert two.error is None
    assert [said["path"] for said in requests(play.writer())] == ["offers/c-d"]
    play.server(confirm("offers/c-d", kind="private"))
    assert two.is_confirmed


def test_private_request_without_an_answer_gives_way_to_the_next() -> None:
    play = Bench(VENUE, credentials=KEY)
    play.subscribe(zonda.Offers("A-B")), play.subscribe(zonda.Offers("C-D"))
    play.connect()
    assert len(play.writer()) == 1
    play.advance(10.0)
    assert [said["path"] for said in requests(play.writer())] == ["offers/c-d"]


def test_public_error_is_not_held_against_a_private_request() -> None:
    play = Bench(VENUE, credentials=KEY)
    box = play.subscribe(zonda.Offers("A-B"))
    play.connect()
    play.writer()
    play.server(PUBLIC_ERROR)
    assert box.error is None


def test_an_answer_that_repeats_the_request_shows_no_signature() -> None:
    play = Bench(VENUE, credentials=KEY)
    box = play.subscribe(zonda.Offers("A-B"))
    play.connect()
    (said,) = requests(play.writer())
    frame = {"action": "subscribe-private-error", "request": said | {"message": said["hashSignature"]}}
    play.server(compact(frame | {"message": ["no", {"message": "words"}, {"request": said}]}))
    assert isinstance(box.error, SubscriptionRejected)
    assert box.error.reason == "no; words"
    assert said["hashSignature"] not in str(play.line().state.last_error)


# What is never sent.


def test_unsubscribing_is_local_until_the_next_line() -> None:
    play = Bench(VENUE)
    kept, gone = play.subscribe(Trades("BTC-PLN")), play.subscribe(Trades("ETH-PLN"))
    served(play, kept, gone)
    play.unsubscribe(gone)
    assert play.writer() == []
    play.server(trades(1, "4", path="transactions/eth-pln"))
    assert play.line().state.tally.ignored["withdrawn"] == 1
    again = play.subscribe(Trades("ETH-PLN"))
    assert again.is_confirmed
    play.server(trades(2, "4", path="transactions/eth-pln"))
    assert again.kinds() == ["Trade"]
    play.unsubscribe(again)
    play.drop()
    play.connect()
    assert [said["path"] for said in requests(play.writer())] == ["transactions/btc-pln"]


# Time.


def test_a_ping_every_20_seconds_whatever_comes() -> None:
    play = Bench(VENUE)
    served(play, *[play.subscribe(Trades("BTC-PLN"))])
    pings = []
    for number in range(120):
        play.advance(1.0)
        play.server(trades(number + 1, "4"))
        pings += [play.now_s for frame in play.writer() if json.loads(frame) == {"action": "ping"}]
    assert len(pings) >= 5
    assert {later - earlier for earlier, later in pairwise(pings)} == {20.0}
    assert play.line().state.lost_reason is None


def test_silence_of_40_seconds_is_a_dead_line_and_a_pong_is_none() -> None:
    play = Bench(VENUE)
    served(play, play.subscribe(Trades("BTC-PLN")))
    play.advance(39.0)
    play.server('{"action":"pong"}')
    play.advance(39.0)
    assert play.line().state.lost_reason is None
    play.line().pong()
    play.advance(39.0)
    assert play.line().state.lost_reason is None
    play.advance(1.0)
    assert play.line().state.lost_reason == "neither data nor a pong came for 40 s"


def test_a_lost_line_is_opened_again_at_once() -> None:
    play = Bench(VENUE)
    served(play, play.subscribe(Trades("BTC-PLN")))
    assert play.drop(1006) == Retry()


def test_verdicts() -> None:
    play = Bench(VENUE)
    play.subscribe(Trades("BTC-PLN"))
    play.connect()
    protocol = play.line().alive
    assert protocol.classify(Failure("stream", "gone", close_code=1001)) == Retry()
    limited = Failure("handshake", "no", status=429, headers={"retry-after": "7"})
    assert protocol.classify(limited) == Retry(floor_s=7.0)
    verdict = protocol.classify(Failure("handshake", "no", status=403))
    assert isinstance(verdict, Fatal)
    assert isinstance(verdict.error, ConnectFailed)


# Limits.


def test_proxy_requests_keep_within_60_a_minute_and_hold_no_subscription_up() -> None:
    play = Bench(VENUE)
    boxes = [play.subscribe(Quotes(f"A{number}-PLN")) for number in range(90)]
    boxes.append(play.subscribe(Books("BTC-PLN", 10)))
    play.connect()
    server = Feed(Lane("public"))
    sent = play.writer()
    assert len(sent) == 91
    for frame in sent:
        play.server(*server.receive(frame))
    assert all(box.is_confirmed for box in boxes)
    now = play.writer()
    assert len(now) == 60
    assert json.loads(now[0])["path"] == TEN  # books first
    late = play.subscribe(Trades("BTC-PLN"))
    assert [said["path"] for said in requests(play.writer())] == ["transactions/btc-pln"]
    assert not late.is_confirmed
    play.settle(lambda lane: server, patience_s=0.0)
    play.assert_polite()


def test_first_value_that_never_comes_is_asked_for_three_times_at_most() -> None:
    play = Bench(VENUE)
    play.subscribe(Quotes("BTC-PLN"))
    play.connect()
    play.writer()
    play.server(confirm("ticker/btc-pln"))
    proxies = 0
    for _ in range(400):
        proxies += sum('"proxy"' in frame for frame in play.writer())
        play.advance(1.0)
        play.server('{"action":"pong"}')
    assert proxies == 3
    play.server(ticker(1))
    assert [frame for frame in play.writer() if "ping" not in frame] == []


def test_private_data_confirms_as_well() -> None:
    play = Bench(VENUE, credentials=KEY)
    box = play.subscribe(zonda.Offers())
    play.connect()
    play.writer()
    play.server(offer(1, path="offers"))
    assert box.is_confirmed
    assert box.kinds() == ["Connected", "OfferPush"]


def malformed(box: Outbox) -> list[Any]:
    return [event.reason for event in box.take() if isinstance(event, events.Malformed)]


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        ('{"action":"push","message":{}}', "a push that does not say what it belongs to"),
        ('{"action":"proxy-response","body":{}}', "a proxy-response that does not say what it belongs to"),
        ('{"action":7}', "Expected `str | null`, got `int` at $.action: 7"),
        ('["push"]', "Expected `object`, got `array` at $"),
    ],
)
def test_what_says_nothing_is_malformed_with_its_reason(frame: str, reason: str) -> None:
    play = Bench(VENUE)
    box = play.subscribe(Tickers("BTC-PLN"))
    served(play, box)
    play.server(frame)
    assert malformed(box) == [reason]


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        ("{}", "a message without action, topic, requestId and error"),
        ('{"action":"news"}', "news"),
        ('{"action":"push","topic":"trading/news/btc-pln","message":1}', "trading/news/btc-pln"),
        ('{"topic":"casino/ticker/btc-pln","message":1}', "casino/ticker/btc-pln"),
    ],
)
def test_what_is_not_known_is_said_so(frame: str, kind: str) -> None:
    play = Bench(VENUE)
    box = play.subscribe(Trades("BTC-PLN"))
    served(play, box)
    play.server(frame)
    (unknown,) = box.take()
    assert isinstance(unknown, events.Unknown)
    assert unknown.kind == kind
