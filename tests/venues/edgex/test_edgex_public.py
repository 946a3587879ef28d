"""The public line, scene by scene."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.venues.bench import Bench, Outbox
from tests.venues.edgex.feed import (
    BTC,
    CONNECTED,
    ETH,
    KEY,
    Feed,
    best,
    compact,
    depth,
    error,
    event,
    funding,
    kline,
    quote,
    said,
    served,
    ticker,
    trade,
    trades,
)
from trioquotes._protocol.bookkeeper import BookFeed
from trioquotes._protocol.effects import Failure, Fatal, Lane, Options, Reply, Retry, Stamp, WireChannel
from trioquotes.books import OrderBook
from trioquotes.errors import ConnectFailed, SubscriptionRejected
from trioquotes.events import (
    BookChange,
    BookSnapshot,
    Candle,
    Depth,
    Event,
    Gap,
    Malformed,
    Quote,
    Rejected,
    Stale,
    Trade,
    Unknown,
)
from trioquotes.topics import Books, Candles, Depths, FundingRates, Instruments, Quotes, Tickers, Trades
from trioquotes.venues import edgex
from trioquotes.venues.edgex import VENUE
from trioquotes.venues.edgex.chain import OLD_IN_A_ROW, STALE_IN_A_ROW
from trioquotes.venues.edgex.line import PING_EVERY_S, PONG_WITHIN_S, QUIET_S
from trioquotes.venues.edgex.protocol import PublicProtocol

E = TypeVar("E", bound=Event)
DEPTH = f"depth.{BTC}.200"
SUBSCRIBED = compact({"type": "subscribed", "channel": DEPTH})
PING_FRAME = compact({"type": "ping", "time": "1693208170000"})
UNSUBSCRIBED = compact({"type": "unsubscribed", "channel": DEPTH})


def gaps(box: Outbox) -> list[str]:
    return [event.reason for event in box.take() if isinstance(event, Gap)]


def of(box: Outbox, kind: type[E]) -> list[E]:
    return [event for event in box.take() if isinstance(event, kind)]


def kept(play: Bench, topic: Books) -> OrderBook:
    """The book that a session keeps of it."""
    feed = play.planner.feeds[topic]
    assert isinstance(feed, BookFeed)
    return feed.book


def ignored(play: Bench) -> dict[str, int]:
    return dict(play.line().state.tally.ignored)


# Subscribing.


def test_each_channel_is_one_request_and_pace_is_kept() -> None:
    play = Bench(VENUE)
    for number in range(30):
        play.subscribe(Trades(str(40000000 + number)))
    handshake = play.connect()
    assert (handshake.url, handshake.headers, handshake.subprotocols) == (
        "wss://edgex-quote-prod-v2.edgex.exchange/api/v1/public/ws",
        (),
        (),
    )
    first = said(play)
    assert first == [("subscribe", f"trades.{40000000 + number}") for number in range(10)]
    play.advance(1.3)
    assert len(said(play)) == 10
    play.assert_polite()


def test_a_book_and_its_native_topic_are_one_subscription() -> None:
    play = Bench(VENUE)
    boxes = [
        play.subscribe(topic) for topic in (Books(BTC), edgex.Depths(BTC), Books(BTC, 15), Books(BTC, 10))
    ]
    play.connect()
    assert said(play) == [("subscribe", DEPTH), ("subscribe", f"depth.{BTC}.15")]
    play.server(SUBSCRIBED)
    assert [box.is_confirmed for box in boxes] == [True, True, False, False]
    assert said(play) == []


def test_data_confirms_where_the_acknowledgement_is_late() -> None:
    play = Bench(VENUE)
    box = play.subscribe(Trades(BTC))
    play.connect()
    play.writer()
    play.server(trades("a", history=True))
    assert box.is_confirmed


def test_unsubscribing_says_so_and_what_is_still_under_way_is_withdrawn() -> None:
    play, (box, _) = served(Trades(BTC), Trades(ETH))
    play.unsubscribe(box)
    assert said(play) == [("unsubscribe", f"trades.{BTC}")]
    assert [effect.id for effect in play.line().state.ledger.in_flight] == [3]
    play.server(trades("a"), compact({"type": "unsubscribed", "channel": f"trades.{BTC}"}))
    assert ignored(play)["withdrawn"] == 1
    assert not play.line().state.ledger.in_flight
    assert said(play) == []


def test_an_answer_about_nothing_changes_nothing() -> None:
    play, _ = served(Trades(BTC))
    before = set(play.line().state.ledger.asked)
    play.server(
        '{"type":"subscribed"}', '{"type":"unsubscribed","channel":"nothing"}', '{"type":"unsubscribed"}'
    )
    play.server(compact({"type": "unsubscribed", "channel": f"trades.{ETH}"}))
    assert set(play.line().state.ledger.asked) == before


# Refusals.


def test_a_refusal_is_attributed_by_the_request_it_repeats() -> None:
    play = Bench(VENUE)
    good, bad = play.subscribe(Trades(BTC)), play.subscribe(Trades("99999999"))
    play.connect()
    play.writer()
    play.server(error("trades.99999999", msg="invalid contractId : 99999999"))
    assert isinstance(bad.error, SubscriptionRejected)
    assert bad.error.reason == "GATEWAY_INVALID_CONTRACT_ID: invalid contractId : 99999999"
    assert good.error is None
    assert play.line().state.last_error == bad.error.reason
    play.server(compact({"type": "subscribed", "channel": f"trades.{BTC}"}))
    assert good.is_confirmed
    assert said(play) == []


def test_a_refusal_without_a_request_is_attributed_by_the_contract_in_its_words() -> None:
    play = Bench(VENUE)
    good, bad = play.subscribe(Trades(BTC)), play.subscribe(Trades("100000001"))
    play.connect()
    play.writer()
    play.server(error(None, "INVALID_CONTRACT_ID", "invalid contractId:100000001"))
    assert isinstance(bad.error, SubscriptionRejected)
    assert good.error is None


def test_a_refusal_that_nobody_can_be_blamed_for_ends_no_topic() -> None:
    play = Bench(VENUE)
    boxes = [play.subscribe(Trades(contract)) for contract in (BTC, ETH)]
    play.connect()
    play.writer()
    play.server(error(None, "UNRECOGNIZED_MESSAGE", "what?"))
    assert [box.error for box in boxes] == [None, None]
    assert play.line().state.last_error == "UNRECOGNIZED_MESSAGE: what?"
    play.advance(10.0)
    assert [box.kinds() for box in boxes] == [["Connected", "Rejected"]] * 2


def test_a_refusal_is_never_that_of_a_ping() -> None:
    play = Bench(VENUE)
    box = play.subscribe(edgex.Pongs())
    play.connect()
    play.writer()
    play.server(error(None, "UNRECOGNIZED_MESSAGE", "what?"))
    assert box.error is None


def test_a_trouble_of_the_gateway_is_tried_again() -> None:
    play = Bench(VENUE)
    box = play.subscribe(Books(BTC))
    play.connect()
    play.writer()
    play.server(error(DEPTH, "GATEWAY_ERROR", "try again"))
    assert [notice.final for notice in of(box, Rejected)] == [False]
    play.advance(1.1)
    assert said(play) == [("subscribe", DEPTH)]


def test_a_refused_unsubscribe_is_over() -> None:
    play, (box, _) = served(Trades(BTC), Trades(ETH))
    play.unsubscribe(box)
    (frame,) = play.writer()
    play.server(compact({"type": "error", "request": frame, "content": {"code": "X", "msg": "no"}}))
    assert not play.line().state.ledger.in_flight


def test_an_error_that_cannot_be_read_is_malformed() -> None:
    play, _ = served(Trades(BTC))
    play.server('{"type":"error","content":7}', '{"type":"error"}')
    assert play.line().state.tally.malformed == 2


# Heartbeats.


def test_a_ping_is_answered_with_its_own_time_in_its_own_type() -> None:
    play, _ = served(Trades(BTC))
    play.server('{"type":"ping","time":"1789136310001"}', '{"type":"ping","time":1693208170000}')
    assert play.writer() == [
        '{"type":"pong","time":"1789136310001"}',
        '{"type":"pong","time":1693208170000}',
    ]


def test_a_pong_is_never_answered() -> None:
    play, _ = served(Trades(BTC))
    play.server('{"type":"pong","time":"1"}')
    assert play.writer() == []
    assert ignored(play)["heartbeat"] == 1


@pytest.mark.parametrize(
    "frame", ['{"type":"ping"}', '{"type":"ping","time":{"a":1}}', '{"type":"pong","time":"x"}']
)
def test_a_heartbeat_without_a_time_is_malformed(frame: str) -> None:
    play, (box,) = served(Trades(BTC))
    if "pong" in frame:
        play.server(frame)
    else:
        play.server(frame)
        assert [notice.reason for notice in of(box, Malformed)] == [
            "a ping without a text or a number at $.time"
        ]
    assert play.line().state.tally.malformed == 1
    assert play.writer() == []


def test_silence_brings_a_ping_and_then_the_end() -> None:
    play, _ = served(Trades(BTC))
    play.advance(QUIET_S)
    ((kind, time),) = said(play)
    assert kind == "ping"
    assert time == str(play.stamp().wall_ns // 1_000_000)
    play.advance(PONG_WITHIN_S - 0.1)
    assert play.line().state.lost_reason is None
    play.advance(0.1)
    assert play.line().state.lost_reason == "nothing came for 30 s, not even the answer to a ping"


def test_three_pings_of_the_server_keep_a_quiet_line_alive() -> None:
    play, _ = served(Trades(BTC))
    for _ in range(360):
        play.advance(10.0)
        play.server('{"type":"ping","time":"1"}')
        assert said(play) == [("pong", "1")]
    assert play.line().state.lost_reason is None


def test_an_answer_of_the_websocket_counts_as_life() -> None:
    play, _ = served(Trades(BTC))
    play.advance(QUIET_S + 5)
    play.line().pong()
    play.advance(QUIET_S - 1)
    assert play.line().state.lost_reason is None


def test_latency_is_measured_at_once_and_then_regularly() -> None:
    play = Bench(VENUE)
    box = play.subscribe(edgex.Pongs())
    play.connect()
    ((_, first),) = said(play)
    play.advance(0.25)
    play.server(CONNECTED, compact({"type": "pong", "time": first}))
    assert box.is_confirmed
    assert [(pong.time, pong.latency_ns) for pong in of(box, edgex.Pong)] == [(int(first), 250_000_000)]
    play.advance(PING_EVERY_S - 15.25)
    play.server('{"type":"ping","time":"1"}')
    assert said(play) == [("pong", "1")]
    play.advance(15.0)
    ((kind, second),) = said(play)
    assert (kind, int(second) - int(first)) == ("ping", PING_EVERY_S * 1000)
    play.server(compact({"type": "pong", "time": int(second)}), compact({"type": "pong", "time": first}))
    assert [pong.latency_ns for pong in of(box, edgex.Pong)] == [0, None]
    for _ in range(2):
        play.advance(PING_EVERY_S / 2)
        play.server('{"type":"ping","time":"1"}')
    assert [kind for kind, _ in said(play)].count("ping") == 1


def test_latency_is_measured_no_more_when_nobody_wants_to_know() -> None:
    play, (box, _) = served(edgex.Pongs(), Trades(BTC))
    play.unsubscribe(box)
    assert [kind for kind, _ in said(play)] == ["ping"]
    for _ in range(4):
        play.advance(10.0)
        play.server('{"type":"ping","time":"1"}')
        assert [kind for kind, _ in said(play)] == ["pong"]


# Books.


def test_a_book_is_a_snapshot_and_absolute_changes() -> None:
    play = Bench(VENUE)
    box = play.subscribe(Books(BTC))
    play.connect()
    play.writer()
    book = depth(
        100,
        104,
        bids=[("99", "1"), ("100.50", "2.0")],
        asks=[("102", "0"), ("103", "1"), ("101", "3")],
        whole=True,
    )
    play.server(SUBSCRIBED, book)
    play.server(
        depth(104, 110, bids=[("100.5", "0.00"), ("99", "5")]), depth(111, 112, asks=[("101", "3.50")])
    )
    play.server(depth(112, 113))
    snapshot, *changes = [event for event in box.take() if isinstance(event, BookSnapshot | BookChange)]
    assert isinstance(snapshot, BookSnapshot)
    assert [str(price) for price, _ in snapshot.bids] == ["100.50", "99"]
    assert [str(price) for price, _ in snapshot.asks] == ["101", "103"]
    assert (snapshot.depth, snapshot.sequence, snapshot.instrument) == (200, 104, BTC)
    assert [change.sequence for change in changes] == [110, 112, 113]
    book_now = kept(play, Books(BTC))
    assert book_now.best_bid == (Decimal(99), Decimal(5))
    assert book_now.best_ask == (Decimal(101), Decimal("3.50"))


def test_pairs_and_payload_and_any_case_make_the_same_book() -> None:
    play = Bench(VENUE)
    box = play.subscribe(Books("10000001", 15))
    play.connect()
    play.writer()
    row = {
        "startVersion": "5",
        "endVersion": "7",
        "level": 15,
        "contractId": "10000001",
        "depthType": "Snapshot",
    }
    row |= {
        "bids": [["26092", "0.9014"], ["26091", "0.9667"]],
        "asks": [["26093", "0.964"], ["26094", "1.0213"]],
    }
    play.server(quote("depth.10000001.15", [row], "SNAPSHOT", kind="payload"))
    change = row | {
        "startVersion": "8",
        "endVersion": "8",
        "depthType": "Changed",
        "bids": [["26092", "0"]],
        "asks": [],
    }
    play.server(quote("depth.10000001.15", [change], "Changed", kind="payload"))
    assert box.kinds() == ["Connected", "BookSnapshot", "BookChange"]
    assert kept(play, Books("10000001", 15)).best_bid == (Decimal(26091), Decimal("0.9667"))


def test_a_gap_is_said_at_once_and_resynced_by_two_requests_in_order() -> None:
    play, (book, native, other) = served(Books(BTC), edgex.Depths(BTC), Books(ETH))
    play.server(depth(500, 510, bids=[("100.7", "1")]))
    assert gaps(book) == ["the version went from 110 to 500"]
    assert gaps(native) == ["the version went from 110 to 500"]
    play.server(depth(510, 520))
    assert said(play) == [("unsubscribe", DEPTH), ("subscribe", DEPTH)]
    play.server(depth(520, 530), UNSUBSCRIBED, SUBSCRIBED, depth(530, 540))
    assert book.kinds() == []
    play.server(depth(590, 600, bids=[("100", "1")], asks=[("102", "1")], whole=True), depth(600, 601))
    assert book.kinds() == ["BookSnapshot", "Resynced", "BookChange"]
    assert native.kinds() == ["Gap", "Depth", "Depth"]
    assert other.kinds() == []
    assert ignored(play)["awaiting snapshot"] == 4
    assert said(play) == []
    assert not play.line().state.ledger.resyncing
    play.advance(11.0)
    assert not play.line().state.ledger.resyncing


def test_a_snapshot_of_the_subscription_that_is_given_up_does_not_pass() -> None:
    play, (book,) = served(Books(BTC))
    play.server(depth(500, 510))
    line = play.line()
    assert line._write_one() is not None  # unsubscribe alone
    book.take()
    play.server(depth(500, 510, bids=[("1", "1")], whole=True), depth(510, 511))
    assert book.kinds() == []
    assert ignored(play)["resyncing"] == 2
    assert said(play) == [("subscribe", DEPTH)]
    play.server(depth(600, 610, bids=[("1", "1")], whole=True))
    assert book.kinds() == ["BookSnapshot", "Resynced"]


def test_a_snapshot_that_never_comes_is_asked_for_again() -> None:
    play = Bench(VENUE)
    play.subscribe(Books(BTC))
    play.connect()
    assert said(play) == [("subscribe", DEPTH)]
    play.server(SUBSCRIBED)
    play.advance(10.0)
    assert said(play) == [("unsubscribe", DEPTH), ("subscribe", DEPTH)]


def test_a_snapshot_at_any_time_replaces_everything() -> None:
    play, (book,) = served(Books(BTC))
    play.server(depth(500, 510))
    assert gaps(book) == ["the version went from 110 to 500"]
    play.server(depth(505, 515, bids=[("1", "1")], whole=True), depth(515, 516))
    assert book.kinds() == ["BookSnapshot", "Resynced", "BookChange"]
    assert said(play) == []


def test_changes_before_the_first_snapshot_are_discarded() -> None:
    play = Bench(VENUE)
    book, native = play.subscribe(Books(BTC)), play.subscribe(edgex.Depths(BTC))
    play.connect()
    play.writer()
    play.server(depth(90, 95))
    assert native.kinds() == ["Connected"]
    play.server(depth(90, 100, whole=True), depth(95, 99), depth(99, 101))
    assert native.kinds() == ["Depth", "Depth"]
    assert book.kinds() == ["Connected", "BookSnapshot", "BookChange"]
    assert ignored(play) == {"awaiting snapshot": 1, "stale": 1}


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (depth(110, 111, bids=[("100", "-1")]), "negative size"),
        (depth(110, 111, bids=[("100", "x")]), "bids[0].size"),
        (depth(110, 111).replace('"111"', '"x"'), "endVersion"),
        (depth(110, 111).replace('"111"', '"109"'), "said to end at 109"),
        (depth(110, 111).replace(f'"contractId":"{BTC}"', f'"contractId":"{ETH}"'), "another contract"),
        (quote(DEPTH, None), "$.content.data"),
        (compact({"type": "quote-event", "channel": DEPTH, "content": {}}), "$.content"),
        (compact({"type": "quote-event", "channel": DEPTH}), "got `null` at $.content"),
    ],
)  # fmt: skip
def test_a_part_of_a_book_that_cannot_be_used_breaks_that_book_alone(frame: str, reason: str) -> None:
    play, (book, other) = served(Books(BTC), Books(ETH))
    play.server(frame)
    malformed, gap = book.take()
    assert isinstance(malformed, Malformed)
    assert reason in malformed.reason
    assert malformed.frame == frame.encode()
    assert isinstance(gap, Gap)
    assert other.kinds() == []
    assert said(play) == [("unsubscribe", DEPTH), ("subscribe", DEPTH)]
    assert play.line().state.tally.malformed == 1


def test_a_snapshot_with_more_levels_than_promised_is_no_book() -> None:
    play, (book, other) = served(Books(BTC, 15), Books(ETH, 15))
    many = [(str(price), "1") for price in range(50, 66)]
    play.server(depth(110, 111, bids=many, whole=True, level=15))
    malformed, gap = book.take()
    assert isinstance(malformed, Malformed)
    assert malformed.reason == "16 bids in a window of 15"
    assert isinstance(gap, Gap)
    assert other.kinds() == []
    assert said(play) == [("unsubscribe", f"depth.{BTC}.15"), ("subscribe", f"depth.{BTC}.15")]


def test_what_leaves_the_window_without_a_word_is_removed_for_whoever_applies_blindly() -> None:
    play, (book,) = served(Books(BTC, 15))
    levels = [(str(price), "1") for price in range(60, 75)]
    play.server(
        depth(110, 111, bids=levels, whole=True, level=15), depth(111, 112, bids=[("75", "2")], level=15)
    )
    _, change = book.take()
    assert isinstance(change, BookChange)
    assert change.bids == ((Decimal(75), Decimal(2)), (Decimal(60), Decimal(0)))


def test_a_crossed_snapshot_is_asked_for_again() -> None:
    play, (book,) = served(Books(BTC))
    play.server(depth(110, 111, bids=[("101", "1")], asks=[("101", "1")], whole=True))
    assert gaps(book) == ["locked book"]
    assert said(play) == [("unsubscribe", DEPTH), ("subscribe", DEPTH)]
    play.server(depth(111, 112, bids=[("102", "1")], asks=[("101", "1")], whole=True))
    assert gaps(book) == ["crossed book"]
    play.advance(1.0)
    assert said(play) == [("unsubscribe", DEPTH), ("subscribe", DEPTH)]
    play.server(depth(112, 113, bids=[("100", "1")], asks=[("101", "1")], whole=True))
    assert book.kinds() == ["BookSnapshot", "Resynced"]


def test_a_snapshot_that_goes_back_is_a_gap_and_no_book() -> None:
    play, (book,) = served(Books(BTC))
    play.server(depth(110, 120), depth(100, 119, bids=[("99", "1")], whole=True))
    assert book.kinds() == ["BookChange", "Gap"]
    assert said(play) == [("unsubscribe", DEPTH), ("subscribe", DEPTH)]
    play.server(depth(100, 119, bids=[("99", "1")], whole=True))
    assert book.kinds() == []
    play.advance(1.0)
    assert said(play) == [("unsubscribe", DEPTH), ("subscribe", DEPTH)]
    play.server(depth(119, 120, bids=[("99", "1")], whole=True))
    assert book.kinds() == ["BookSnapshot", "Resynced"]
    assert ignored(play)["older than a change"] == 2


def test_a_counter_that_started_again_is_believed_in_the_end() -> None:
    play, (book,) = served(Books(BTC))
    for _ in range(OLD_IN_A_ROW):
        play.server(depth(1, 5, bids=[("99", "1")], whole=True))
        play.advance(60.0)
        assert said(play)[-2:] == [("unsubscribe", DEPTH), ("subscribe", DEPTH)]
    play.server(depth(1, 5, bids=[("99", "1")], whole=True), depth(5, 6))
    assert book.kinds() == ["Gap", "BookSnapshot", "Resynced", "BookChange"]


def test_who_comes_back_before_the_server_knows_gets_nothing_of_the_old_subscription() -> None:
    play, (book, _) = served(Books(BTC), Trades(BTC))
    play.unsubscribe(book)
    line = play.line()
    assert line._write_one() is not None  # unsubscribe
    again = play.subscribe(Books(BTC))
    play.server(depth(200, 210, bids=[("99", "1")], whole=True), depth(230, 240))
    assert again.kinds() == []
    assert ignored(play)["not asked for"] == 2
    assert said(play) == [("subscribe", DEPTH)]
    play.server(depth(240, 250, bids=[("99", "1")], whole=True))
    assert again.kinds() == ["BookSnapshot"]


@pytest.mark.parametrize("data_first", [False, True])
def test_a_trouble_of_the_gateway_with_a_book_that_is_served_all_the_same(*, data_first: bool) -> None:
    play = Bench(VENUE)
    book = play.subscribe(Books(BTC))
    play.connect()
    play.writer()
    snapshot = depth(1, 5, bids=[("99", "1")], whole=True)
    trouble = error(DEPTH, "GATEWAY_ERROR", "again")
    play.server(*((snapshot, trouble) if data_first else (trouble,)))
    assert gaps(book) == (["refused: GATEWAY_ERROR: again"] if data_first else [])
    play.server(depth(7, 9))
    play.server(SUBSCRIBED)
    play.advance(1.0)
    assert said(play) == [("unsubscribe", DEPTH), ("subscribe", DEPTH)]
    play.server(depth(9, 12, bids=[("99", "1")], whole=True))
    assert "BookSnapshot" in book.kinds()
    play.advance(30.0)
    assert [request for request in said(play) if request[0] != "ping"] == []


def test_a_late_acknowledgement_brings_the_snapshot_that_was_given_up() -> None:
    play = Bench(VENUE)
    book = play.subscribe(Books(BTC))
    play.connect()
    play.writer()
    play.advance(10.5)
    play.server(SUBSCRIBED, depth(6, 7))
    assert said(play) == [("unsubscribe", DEPTH), ("subscribe", DEPTH)]
    play.server(depth(7, 8, bids=[("99", "1")], whole=True))
    assert book.kinds() == ["Connected", "Rejected", "BookSnapshot"]


def test_views_of_the_book_share_its_channel_and_its_gaps() -> None:
    play, (book, view, deep) = served(Books(BTC, 15), Depths(BTC, 1), Depths(BTC, 200))
    change = depth(130, 140, bids=[("100.7", "1")], level=15)
    play.server(depth(110, 125, bids=[("100.6", "1")], level=15))
    (seen,) = view.take()
    assert isinstance(seen, Depth)
    assert (seen.bids, seen.levels) == (((Decimal("100.6"), Decimal(1)),), 1)
    play.server(depth(125, 126, bids=[("99", "1")], level=15))
    assert view.kinds() == []
    play.server(change)
    assert gaps(view) == gaps(book) == ["the version went from 126 to 130"]
    assert deep.kinds() == []
    late = play.subscribe(Depths(BTC, 2))
    assert said(play) == [("unsubscribe", f"depth.{BTC}.15"), ("subscribe", f"depth.{BTC}.15")]
    play.server(depth(139, 140, bids=[("100.7", "1")], whole=True, level=15))
    assert (view.kinds(), late.kinds()[-1], book.kinds()) == (
        ["Depth"],
        "Depth",
        ["BookSnapshot", "Resynced"],
    )


def test_a_crossed_book_is_resynced() -> None:
    play, (book,) = served(Books(BTC))
    play.server(depth(110, 111, bids=[("101.5", "1")]))
    assert gaps(book) == ["crossed book"]
    assert said(play) == [("unsubscribe", DEPTH), ("subscribe", DEPTH)]


@pytest.mark.parametrize(
    "frame", ["", "no JSON", '{"channel":"x"}', "[]", '{"type":"quote-event"}', '{"type":7}']
)
def test_a_frame_that_says_nothing_may_have_been_a_part_of_any_book(frame: str) -> None:
    play, (one, two, three) = served(Books(BTC), Books(ETH), Trades(BTC))
    play.server(frame)
    for box in (one, two):
        assert box.kinds() == ["Malformed", "Gap"]
    assert three.kinds() == ["Malformed"]
    play.server(frame)
    assert one.kinds() == ["Malformed"]  # it is broken already, and was said to be
    assert sorted(said(play)) == sorted(
        (kind, f"depth.{contract}.200") for contract in (BTC, ETH) for kind in ("subscribe", "unsubscribe")
    )


def test_a_version_counter_that_starts_again_is_a_gap() -> None:
    play, (book,) = served(Books(BTC))
    for number in range(STALE_IN_A_ROW):
        play.server(depth(number, number + 1))
    assert gaps(book) == ["the version went from 110 to 49"]
    assert ignored(play)["stale"] == STALE_IN_A_ROW - 1


def test_a_late_book_starts_from_the_kept_one() -> None:
    play, _ = served(Books(BTC))
    late = play.subscribe(Books(BTC))
    assert late.kinds() == ["Gap", "BookSnapshot", "Resynced"]
    assert said(play) == []


def test_after_a_reconnect_books_begin_anew() -> None:
    play, (book,) = served(Books(BTC))
    play.drop()
    play.settle(Feed)
    assert book.kinds() == ["Disconnected", "Gap", "Connected", "BookSnapshot", "Resynced"]


@given(st.lists(st.sampled_from(["change", "skip", "bad", "snapshot", "stale", "noise"]), max_size=25))
def test_a_book_is_never_changed_between_gap_and_resynced(steps: list[str]) -> None:
    play, (book,) = served(Books(BTC))
    feed = Feed(Lane("public"))
    feed.there.append(DEPTH)
    version = feed.version = 110
    for step in steps:
        match step:
            case "change" | "skip":
                start = version + (7 if step == "skip" else 1)
                version = feed.version = start + 1
                play.server(depth(start, version, bids=[("100", str(version))]))
            case "bad":
                play.server(depth(version, version + 1, bids=[("100", "-1")]))
            case "snapshot":
                play.server(depth(version, version, bids=[("100", "1")], asks=[("101", "1")], whole=True))
            case "stale":
                play.server(depth(version - 5, version - 3, bids=[("1000", "1")]))
            case _:
                play.server("noise")
        for frame in play.writer():
            play.server(*feed.receive(frame))
            version = feed.version
    broken = False
    for happened in book.take():
        if isinstance(happened, Gap):
            broken = True
        elif isinstance(happened, BookSnapshot):
            broken = False
        elif isinstance(happened, BookChange):
            assert not broken


# Trades.


def test_the_snapshot_of_trades_is_history() -> None:
    play = Bench(VENUE)
    box, native = play.subscribe(Trades(BTC)), play.subscribe(edgex.Trades(BTC))
    play.connect()
    play.writer()
    play.server(trades("a", "b", history=True), trades("c", "d", first=1790585548200))
    made = of(box, Trade)
    assert [trade.trade_id for trade in made] == ["c", "d"]
    assert [row.data_type for row in of(native, edgex.Trade)] == [
        "Snapshot",
        "Snapshot",
        "changed",
        "changed",
    ]
    assert (made[0].venue_time_ns, str(made[0].price), made[0].taker_side) == (
        1790585548200 * 1_000_000,
        "82851.2",
        "sell",
    )


def test_the_aggressor_sold_where_the_buyer_was_the_maker() -> None:
    play, (box,) = served(Trades(BTC))
    play.server(quote(f"trades.{BTC}", [trade("1", maker=True), trade("2", maker=False)]))
    assert [trade.taker_side for trade in of(box, Trade)] == ["sell", "buy"]


def reconnected(play: Bench, frame: str) -> None:
    play.drop()
    play.connect()
    play.writer()
    play.server(CONNECTED, frame)


def test_after_a_reconnect_history_tells_how_many_trades_were_missed() -> None:
    play, (box,) = served(Trades(BTC))
    play.server(trades("a", "b"))
    reconnected(play, trades("a", "b", "c", "d", "e", history=True))
    missed = [notice.missed for notice in of(box, Gap)]
    assert missed == [None, 3]
    reconnected(play, trades("c", "d", "e", history=True, first=1790585548199))
    assert [notice.missed for notice in of(box, Gap)] == [None]
    reconnected(play, trades("x", "y", history=True, first=1790585599999))
    assert [notice.missed for notice in of(box, Gap)] == [None, None]


def test_trades_that_nobody_wants_any_more_are_forgotten() -> None:
    play, (box, _) = served(Trades(BTC), Trades(ETH))
    play.server(trades("a"))
    assert WireChannel("trades", BTC) in play.line().memory
    play.unsubscribe(box)
    play.writer()
    assert WireChannel("trades", BTC) not in play.line().memory
    again = play.subscribe(Trades(BTC))
    play.writer()
    play.server(trades("z", history=True, first=1790599999999))
    assert gaps(again) == []


def test_trades_that_nobody_asked_for_are_not_remembered() -> None:
    play, _ = served(Trades(BTC))
    play.server(*(trades("a", contract=str(50000000 + number)) for number in range(100)))
    assert len(play.line().memory) == 0
    assert ignored(play)["not subscribed"] == 100


# Everything else.


def test_one_channel_serves_the_quotes_of_every_contract() -> None:
    play, (one, two) = served(Quotes(BTC), Quotes(ETH))
    assert {str(channel) for channel in play.line().state.ledger.asked} == {"bookTicker.all.1s"}
    play.server(
        quote("bookTicker.all.1s", [best(f"3000000{number}", bid=f"{number}.50") for number in range(1, 6)])
    )
    for box, bid in ((one, "1.50"), (two, "2.50")):
        (made,) = of(box, Quote)
        assert (str(made.bid), str(made.bid_size), str(made.ask)) == (bid, "1.135", "82899.7")
    count = play.line().state.tally.count()
    assert (count.delivered, count.ignored["not subscribed"]) == (2, 3)
    everything = play.subscribe(edgex.AllBookTickersEachSecond())
    play.server(quote("bookTicker.all.1s", [best(), best(ETH), best("30000003")]))
    assert everything.kinds() == ["BookTicker"] * 3


def test_an_empty_side_of_a_quote_is_none() -> None:
    play, (box,) = served(Quotes(BTC))
    missing = {"contractId": BTC, "bestAskPrice": "7", "bestAskSize": "1"}
    play.server(quote("bookTicker.all.1s", [best(bid="0"), best(ask="0.0"), missing]))
    first, second, third = of(box, Quote)
    assert (first.bid, first.bid_size, str(first.ask)) == (None, None, "82899.7")
    assert (str(second.bid), second.ask, second.ask_size) == ("82899.4", None, None)
    assert (third.bid, third.bid_size, third.venue_time_ns, str(third.ask)) == (None, None, None, "7")


def test_a_bad_row_of_all_contracts_costs_no_other() -> None:
    play, (box, quotes) = served(edgex.AllTickersEachSecond(), Quotes(BTC))
    rows = [ticker(BTC), ticker(ETH, last="NaN"), {"contractId": "30000003"}, {"no": "id"}]
    play.server(quote("ticker.all.1s", rows, "Snapshot"))
    malformed, *rest = box.take()
    assert isinstance(malformed, Malformed)
    assert "data[1].lastPrice" in malformed.reason
    assert "data[3]" in malformed.reason
    assert [row.contract_id for row in rest] == [BTC, "30000003"]  # type: ignore[attr-defined]
    assert quotes.kinds() == []
    count = play.line().state.tally.count()
    assert (count.delivered, count.malformed) == (2, 2)


def test_candles_funding_rates_and_tickers_go_to_who_asked() -> None:
    topics = (Candles(BTC), Candles(BTC, "HOUR_1"), FundingRates(BTC), Tickers(BTC), Instruments())
    play, (minute, hour, rates, figures, listed) = served(*topics)
    play.server(
        quote(f"kline.LAST_PRICE.{BTC}.MINUTE_1", [kline(), kline(time="1789136340000")], "Snapshot"),
        quote(f"fundingRate.{BTC}", [funding(), funding(rate=None)]),
        quote(f"ticker.{BTC}", [ticker()]),
        quote("metadata", [{"coinList": [], "contractList": []}]),
    )
    assert [candle.open_time_ns for candle in of(minute, Candle)] == [
        1789136280000 * 1_000_000,
        1789136340000 * 1_000_000,
    ]
    assert (hour.kinds(), rates.kinds(), figures.kinds(), listed.kinds()) == (
        [],
        ["FundingRate"],
        ["Ticker"],
        [],
    )
    assert ignored(play)["without a rate"] == 1
    assert ignored(play)["empty"] == 1


def test_a_frame_without_rows_is_one_empty_element() -> None:
    play, (box, _) = served(Trades(BTC), Books(BTC))
    play.server(quote(f"trades.{BTC}", []), quote(DEPTH, []))
    assert box.kinds() == []
    assert ignored(play)["empty"] == 2


def test_rows_of_another_contract_are_malformed() -> None:
    play, (box,) = served(Trades(BTC))
    play.server(quote(f"trades.{BTC}", [trade("1"), trade("2", contract=ETH)]))
    assert box.kinds() == ["Malformed", "Trade"]
    assert play.line().state.tally.malformed == 1


def test_an_unknown_type_or_channel_is_noticed() -> None:
    play, (box,) = served(Trades(BTC))
    play.server('{"type":"novelty"}', quote("novelty.1", [{}]), event())
    assert [notice.kind for notice in of(box, Unknown)] == ["novelty", "channel novelty.1", "trade-event"]
    assert ignored(play)["unknown type"] == 3


def test_a_channel_may_be_said_inside_alone() -> None:
    play, (box,) = served(Trades(BTC))
    frame: Any = json.loads(trades("a"))
    del frame["channel"]
    play.server(compact(frame))
    assert box.kinds() == ["Trade"]


def test_books_that_nobody_asked_for_are_not_kept() -> None:
    play, _ = served(Trades(BTC))
    play.server(*(depth(1, 2, contract=str(50000000 + number)) for number in range(50)))
    protocol = play.line().alive
    assert isinstance(protocol, PublicProtocol)
    assert len(protocol._chains) == 0


def test_nothing_is_ever_fetched() -> None:
    play, _ = served(Trades(BTC))
    line = play.line()
    line.state.begin(b"", play.receipt())
    line.alive.fetched(1, Reply(200), play.receipt(), line.state)
    assert ignored(play)["not asked for"] == 1


# Endings.


def test_a_lost_public_line_is_tried_again() -> None:
    play, _ = served(Trades(BTC))
    assert play.line().alive.classify(
        Failure("handshake", "HTTP 503", status=503, headers={"retry-after": "7"})
    ) == Retry(7.0)
    assert play.line().alive.classify(Failure("handshake", "HTTP 400", status=400)) == Retry()
    verdict = play.line().alive.classify(Failure("handshake", "HTTP 403", status=403))
    assert isinstance(verdict, Fatal)
    assert isinstance(verdict.error, ConnectFailed)
    assert isinstance(play.drop(), Retry)


def test_the_public_line_uses_no_credentials() -> None:
    protocol = VENUE.protocol(Lane("public"), KEY, {}, Options(VENUE.endpoints["v1"], has_credentials=True))
    made = protocol.handshake(Stamp(0, 0.0))
    assert (made.url, made.headers) == ("wss://quote.edgex.exchange/api/v1/public/ws", ())


# What has a beat.


def test_the_channel_of_every_second_is_stale_when_it_stays_away_and_no_other_is() -> None:
    play, (each, one) = served(edgex.AllTickersEachSecond(), edgex.Tickers(BTC))
    for _ in range(60):  # what never beat has no beat
        play.advance(1.0)
        play.server(PING_FRAME)
    assert of(each, Stale) == []
    for _ in range(10):
        play.server(quote("ticker.all.1s", [ticker()]), quote(f"ticker.{BTC}", [ticker()]))
        play.advance(1.0)
    assert of(each, Stale) == []
    for _ in range(30):
        play.server(PING_FRAME)
        play.advance(1.0)
    assert [stale.silent_s for stale in of(each, Stale)] == [5.0, 20.0]
    assert of(one, Stale) == []
    play.unsubscribe(each)
    play.writer()
    for _ in range(300):
        play.server(PING_FRAME)
        play.advance(1.0)
    assert play.line().state.lost_reason is None
    assert of(each, Stale) == []
