"""Data: every hole is said, every book that may be wrong is broken and comes again, nothing is guessed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.venues.bench import Bench, Outbox
from tests.venues.coinbase import feed
from tests.venues.coinbase.feed import (
    KEY,
    ack,
    compact,
    heartbeat,
    match,
    order,
    requests,
    served,
    snapshot,
    ticker,
    update,
)
from trioquotes import events
from trioquotes._protocol.effects import Endpoint, Failure, Fetch, Lane, Options, Reply, Stamp
from trioquotes._protocol.lane import LaneState
from trioquotes.topics import Books, Depths, Instruments, Quotes, Tickers, Topic, Trades
from trioquotes.venues import coinbase
from trioquotes.venues.coinbase import VENUE

P = "BTC-USD"


def playing(*topics: Topic[Any], key: bool = False) -> tuple[Bench, list[Outbox]]:
    play = Bench(VENUE, credentials=KEY if key else None)
    boxes = [play.subscribe(topic) for topic in topics]
    served(play, *boxes)
    return play, boxes


def gaps(box: Outbox) -> list[tuple[str, int | None]]:
    return [(e.reason, e.missed) for e in box.take() if isinstance(e, events.Gap)]


def ignored(play: Bench) -> dict[str, int]:
    """What was ignored so far, answers aside."""
    counts = {reason: n for line in play.lines for reason, n in line.state.tally.count().ignored.items()}
    return {reason: n for reason, n in counts.items() if reason != "acknowledgement"}


# Trades.


def test_gap_is_announced_before_the_next_trade() -> None:
    play, (box,) = playing(Trades(P))
    play.server(match(5, "last_match"), match(6), match(9))
    kinds = [(type(e).__name__, getattr(e, "missed", None)) for e in box.take()]
    assert kinds == [("Trade", None), ("Gap", 2), ("Trade", None)]
    assert ignored(play) == {"history": 1}


def test_trade_that_comes_twice_is_delivered_once() -> None:
    play, (box,) = playing(Trades(P))
    play.server(match(5, "last_match"), match(6), match(6), match(5))
    assert box.kinds() == ["Trade"]
    assert ignored(play) == {"history": 1, "duplicate": 2}


def test_trade_ids_that_start_again_are_said_and_delivered() -> None:
    play, (box,) = playing(Trades(P))
    play.server(match(500, "last_match", sequence=1), match(3, sequence=2))
    assert box.kinds() == ["Gap", "Trade"]


def test_trades_missed_while_the_line_was_down_are_counted() -> None:
    play, (box,) = playing(Trades(P))
    play.server(match(5, "last_match"), match(6))
    play.drop()
    served(play)
    assert gaps(box) == [] or box.take() == []
    play.server(match(9, "last_match"), match(10))
    made = box.take()
    assert [type(e).__name__ for e in made] == ["Gap", "Trade"]
    assert isinstance(made[0], events.Gap)
    assert (made[0].missed, made[0].reason) == (3, "trades passed while the line was down")


def test_nothing_missed_while_the_line_was_down_is_no_second_gap() -> None:
    play, (box,) = playing(Trades(P))
    play.server(match(5, "last_match"), match(6))
    play.drop()
    box.take()
    served(play)
    play.server(match(6, "last_match"), match(7))
    assert box.kinds()[-1:] == ["Trade"]
    assert gaps(box) == []


def test_what_passed_while_nobody_wanted_it_is_not_missed() -> None:
    play, (box, other) = playing(Trades(P), Trades("C-D"))
    play.server(match(5, "last_match"))
    play.unsubscribe(box)
    play.writer()
    play.server(ack(matches=["C-D"], heartbeat=["C-D"]))
    again = play.subscribe(Trades(P))
    play.writer()
    play.server(match(50, "last_match"), match(51))
    assert again.kinds() == ["Trade"]
    assert other.take() == []


def test_what_was_given_up_while_the_line_was_down_is_not_missed_later() -> None:
    play, (box, _) = playing(Trades(P), Trades("C-D"))
    play.server(match(5, "last_match"))
    play.drop()
    play.unsubscribe(box)
    play.connect()
    play.writer()
    play.server(ack(matches=["C-D"], heartbeat=["C-D"]))
    again = play.subscribe(Trades(P))
    play.writer()
    play.server(match(50, "last_match"), match(51))
    assert again.kinds() == ["Trade"]


def test_heartbeat_ahead_of_the_trades_twice_is_a_gap() -> None:
    play, (box,) = playing(Trades(P))
    play.server(match(5, "last_match"), heartbeat(6), match(6), heartbeat(8))
    assert gaps(box) == []
    play.server(heartbeat(8))
    assert gaps(box) == [("the heartbeat is ahead of the trades", 2)]
    play.server(match(7), match(8), match(9))
    assert box.kinds() == ["Trade", "Trade", "Trade"]


def test_heartbeat_is_delivered_to_whom_it_was_promised_and_ignored_otherwise() -> None:
    play, (box,) = playing(coinbase.Heartbeats(P))
    play.server(heartbeat(5))
    assert box.kinds() == ["Heartbeat"]
    play, _ = playing(Trades(P))
    play.server(heartbeat(5))
    assert ignored(play) == {"heartbeat": 1}


# Tickers and auctions.


@pytest.mark.parametrize(
    ("topic", "make", "twice"),
    [(Tickers(P), ticker, {"duplicate": 1}), (coinbase.Auctions(P), feed.auction, {})],
)
def test_counter_that_goes_back_is_dropped_and_one_that_stays_only_where_it_is_of_a_trade(
    topic: Topic[Any], make: Any, twice: dict[str, int]
) -> None:
    play, (box,) = playing(topic)
    play.server(make(5), make(5), make(4), make(9))
    assert len(box.take()) == 3 - sum(twice.values())
    assert ignored(play) == {"out of order": 1} | twice


def test_counters_are_kept_per_product_and_only_of_what_is_asked() -> None:
    play, (box,) = playing(Tickers(P))
    play.server(ticker(9), *(ticker(number, product=f"X{number}-Y") for number in range(50)), ticker(10))
    assert len(box.take()) == 2
    assert ignored(play) == {"not subscribed": 50}
    assert len(play.line().memory) == 0
    play.server(match(5, product="C-D"), match(5, product="C-D"))
    assert len(play.line().memory) == 0


# The rest of the public channels.


def test_rfq_matches_reach_those_who_want_all_and_those_who_want_one() -> None:
    play, (every, one) = playing(coinbase.RfqMatches(), coinbase.RfqMatches(P))
    play.server(feed.rfq(P), feed.rfq("C-D", side="sell"))
    assert [getattr(e, "side", "") for e in every.take()] == ["BUY", "sell"]
    assert [getattr(e, "product_id", "") for e in one.take()] == [P]


def test_status_makes_one_instrument_per_product() -> None:
    play, (box,) = playing(Instruments())
    play.server(feed.status("A-B", "C-D"))
    assert [getattr(e, "instrument", "") for e in box.take()] == ["A-B", "C-D"]
    assert play.line().state.tally.count().delivered == 1


def test_unknown_type_is_noticed_and_ignored() -> None:
    play, (box,) = playing(Trades(P))
    play.server('{"type":"news","price":"NaN"}', '{"product_id":"A","type":"news"}')
    made = box.take()
    assert [getattr(e, "kind", "") for e in made] == ["news", "news"]
    assert ignored(play) == {"unknown type": 2}


# Books by price.


def asked_again(play: Bench, channel: str = "level2_batch") -> None:
    """The resync: withdrawn, then asked for again."""
    (gone,) = requests(play.writer())
    assert gone["type"] == "unsubscribe"
    assert gone["channels"] == [{"name": channel, "product_ids": [P]}]
    play.server(update(("buy", "7", "7")), ack(heartbeat=[P]))
    (back,) = requests(play.writer())
    assert back["type"] == "subscribe"
    assert back["channels"] == gone["channels"]


def test_level_that_cannot_be_read_fails_alone_and_the_book_comes_again() -> None:
    play, (box,) = playing(Books(P))
    play.server(update(("buy", "9", "0.-10000"), ("buy", "8", "1.00"), ("sell", "12", "2")))
    made = box.take()
    assert [type(e).__name__ for e in made] == ["Malformed", "Gap"]
    assert isinstance(made[0], events.Malformed)
    assert made[0].reason == "Invalid decimal string at $.changes[0][2]: '0.-10000'"
    assert b"0.-10000" in made[0].frame
    assert play.line().state.tally.count().malformed == 1
    assert ignored(play) == {"a part of it is malformed": 2}
    play.server(update(("buy", "8", "3")))
    assert box.take() == []
    asked_again(play)
    play.server(update(("buy", "8", "4"), ("buy", "8", "5")))
    assert box.take() == []
    play.server(snapshot(bids=[["9.5", "1"]]), ack(heartbeat=[P], level2_50=[P]))
    assert box.kinds() == ["BookSnapshot", "Resynced"]
    play.server(update(("buy", "9", "1")))
    assert box.kinds() == ["BookChange"]
    assert ignored(play) == {"a part of it is malformed": 2, "awaiting snapshot": 3, "withdrawn": 1}
    for _ in range(15):
        play.server(heartbeat())
        play.advance(1.0)
        assert play.writer() == []


def test_snapshot_with_a_bad_level_is_never_taken_for_a_right_book() -> None:
    play, (box,) = playing(Books(P))
    bad = snapshot(bids=[["9", "1"], ["8", "NaN"]])
    play.server(bad)
    assert box.kinds() == ["Malformed", "Gap"]
    asked_again(play)
    play.server(bad, ack(heartbeat=[P], level2_50=[P]))
    assert box.kinds() == ["Malformed", "Gap"]
    play.server(snapshot())
    assert box.kinds() == ["BookSnapshot", "Resynced"]


def test_book_that_stays_bad_is_asked_for_more_and_more_rarely() -> None:
    play, (box,) = playing(Books(P))
    bad, sent = snapshot(bids=[["8", "-"]]), 0
    play.server(bad)
    for _ in range(300):
        for said in requests(play.writer()):
            sent += 1
            back = said["type"] == "subscribe"
            play.server(*([bad] if back else []), ack(heartbeat=[P], **({"level2_50": [P]} if back else {})))
        play.server(heartbeat(5))
        play.advance(1.0)
    assert 4 <= sent <= 40
    assert box.error is None


@pytest.mark.parametrize(
    "frame",
    [
        update().replace('"changes":[]', '"changes":5'),
        update(("buy", "9", "1")).replace("2026-08-25", "soon"),
        snapshot().replace('"bids"', '"offers"'),
        snapshot().replace(P, ""),
    ],
)
def test_message_of_the_book_that_cannot_be_read_breaks_the_book(frame: str) -> None:
    play, (box, trades) = playing(Books(P), Trades(P))
    if P not in frame:
        frame = frame.replace('"product_id":""', '"product_id":5')
    play.server(frame)
    assert box.kinds() == ["Malformed", "Gap"]
    assert {*trades.kinds()} <= {"Malformed"}
    asked_again(play)


@pytest.mark.parametrize(
    "frame", ["", "{", "[", "5", "null", '{"type":5}', '{"type":["x"]}', "\ufeff{}", '{"a":1}']
)
def test_frame_that_may_have_been_anything_breaks_every_book_and_nothing_else(frame: str) -> None:
    play, (book, quotes, trades) = playing(Books(P), Quotes(P), Trades(P))
    play.server(frame)
    if frame == "[":
        assert trades.kinds() == ["Malformed"]
        return
    assert book.kinds() == ["Malformed", "Gap"]
    assert quotes.kinds() == ["Malformed", "Gap"]
    assert trades.kinds() == ["Malformed"]
    asked_again(play)


def test_message_that_cannot_be_read_is_said_in_its_own_channel_only() -> None:
    play, (book, trades, tick) = playing(Books(P), Trades(P), Tickers(P))
    play.server(match(5).replace("10.50", "1_0"), ticker().replace("10.50", "Infinity"))
    assert trades.kinds() == ["Malformed"]
    assert tick.kinds() == ["Malformed"]
    assert book.take() == []
    play.server('{"type":"status","products":5}', '{"type":"match","product_id":5}', '{"type":"error"}')
    assert trades.kinds() == ["Malformed", "Malformed"]
    assert book.kinds() == ["Malformed", "Malformed"]
    assert play.line().state.tally.count().malformed == 5


def test_book_of_another_product_is_untouched_by_one_that_breaks() -> None:
    play, (broken, other) = playing(Books(P), Books("C-D"))
    play.server(update(("buy", "9", "x")), update(("buy", "9", "1"), product="C-D"))
    assert "Gap" in broken.kinds()
    assert other.kinds() == ["BookChange"]


def test_crossed_book_is_found_and_comes_again() -> None:
    play, (box,) = playing(Books(P))
    play.server(update(("buy", "11.5", "1")))
    assert box.kinds() == ["Gap"]
    asked_again(play)
    play.server(snapshot(), ack(heartbeat=[P], level2_50=[P]))
    assert box.kinds() == ["BookSnapshot", "Resynced"]


def test_update_without_changes_counts_as_one() -> None:
    play, (box,) = playing(coinbase.Level2Batch(P))
    before = play.line().state.tally.count().elements
    play.server(update())
    assert box.kinds() == ["L2Update"]
    assert play.line().state.tally.count().elements == before + 1


def test_changes_of_an_old_subscription_wait_for_the_new_snapshot() -> None:
    play, (box, _) = playing(coinbase.Level2Batch(P), Trades(P))
    play.unsubscribe(box)
    play.writer()
    play.server(update(("buy", "9", "1")), ack(heartbeat=[P], matches=[P]))
    again = play.subscribe(coinbase.Level2Batch(P))
    play.writer()
    play.server(update(("buy", "9", "1")), snapshot(), update(("buy", "9", "2")))
    assert again.kinds() == ["Snapshot", "L2Update"]
    assert ignored(play) == {"withdrawn": 1, "awaiting snapshot": 1}


def test_trades_of_an_old_subscription_are_not_mixed_with_the_new_one() -> None:
    play, (box, _) = playing(Trades(P), Tickers(P))
    play.server(match(5))
    play.unsubscribe(box)
    play.writer()
    again = play.subscribe(Trades(P))
    play.server(match(6), ack(heartbeat=[P], ticker=[P]))
    play.writer()
    play.server(match(9, "last_match"), match(10))
    assert again.kinds() == ["Trade"]
    assert ignored(play) == {"withdrawn": 1, "history": 1}


def test_snapshot_of_an_old_subscription_is_no_book() -> None:
    play, (box,) = playing(Books(P))
    play.server(update(("buy", "9", "x")))
    assert box.kinds() == ["Malformed", "Gap"]
    play.writer()
    play.server(snapshot(bids=[["8", "1"]]))
    assert box.take() == []
    play.server(ack(heartbeat=[P]))
    play.writer()
    play.server(snapshot())
    assert box.kinds() == ["BookSnapshot", "Resynced"]


def test_fresh_snapshot_that_is_wrong_is_asked_for_again() -> None:
    play, (box,) = playing(Books(P))
    play.server(update(("buy", "12", "1")))
    asked_again(play)
    play.server(snapshot(bids=[["12", "1"]]), ack(heartbeat=[P], level2_50=[P]))
    assert box.kinds() == ["Gap", "Gap"]
    play.advance(2.0)
    asked_again(play)
    play.server(snapshot(), ack(heartbeat=[P], level2_50=[P]))
    assert box.kinds() == ["BookSnapshot", "Resynced"]


def test_snapshot_that_never_comes_is_asked_for_again() -> None:
    play = Bench(VENUE)
    box = play.subscribe(Books(P))
    play.connect()
    play.writer()
    play.server(ack(heartbeat=[P], level2_50=[P]))
    assert box.is_confirmed
    for _ in range(29):
        play.advance(1.0)
        play.server(heartbeat())
        assert play.writer() == []
    play.advance(1.0)
    asked_again(play)
    play.server(snapshot(), ack(heartbeat=[P], level2_50=[P]))
    assert box.kinds()[-1] == "BookSnapshot"
    for _ in range(40):
        play.advance(1.0)
        play.server(heartbeat())
        assert play.writer() == []


def test_book_that_an_acknowledgement_leaves_out_is_watched_all_the_same() -> None:
    play = Bench(VENUE)
    box = play.subscribe(Books(P))
    play.connect()
    play.writer()
    play.server(ack(heartbeat=[P]), snapshot())
    assert box.kinds()[-1] == "BookSnapshot"
    assert box.is_confirmed
    play.server(update(("buy", "9", "x")))
    assert box.kinds() == ["Malformed", "Gap"]
    asked_again(play)


def test_views_of_a_book_follow_it() -> None:
    play, (depths, quotes) = playing(Depths(P, 2), Quotes(P))
    play.server(update(("buy", "9", "1"), ("buy", "8", "1")))
    (view,) = depths.take()
    assert isinstance(view, events.Depth)
    assert [str(price) for price, _ in view.bids] == ["10", "9"]
    assert [str(price) for price, _ in view.asks] == ["11"]
    play.server(update(("buy", "8", "0.00")))
    assert depths.take() == []
    assert quotes.take() == []
    late = play.subscribe(Depths(P, 1))
    assert late.kinds() == ["Depth"]
    play.server(update(("buy", "9", "-1")))
    assert depths.kinds() == quotes.kinds() == late.kinds() == ["Gap"]


def test_bad_level_of_a_product_nobody_asked_for_breaks_nothing() -> None:
    play, (box,) = playing(Books(P))
    play.server(update(("buy", "9", "x"), product="C-D"))
    assert box.take() == []
    assert play.writer() == []


# Orders, counted.


def test_hole_in_full_is_said_and_the_book_by_order_is_fetched() -> None:
    play, (box,) = playing(coinbase.Full(P), key=True)
    play.server(order("open", 10), order("done", 11), order("done", 15), order("open", 15), order("open", 16))
    made = box.take()
    assert [type(e).__name__ for e in made] == ["Open", "Done", "Gap", "Done", "Open"]
    assert isinstance(made[2], events.Gap)
    assert made[2].missed == 3
    assert ignored(play) == {"duplicate": 1}
    line = play.line("full")
    line.writer()
    (fetch,) = line.fetches
    assert fetch.request.url == "https://api.exchange.coinbase.com/products/BTC-USD/book?level=3"
    line.answer(Reply(200, body=book(20)))
    (book_,) = box.take()
    assert isinstance(book_, coinbase.Level3Book)
    assert (book_.sequence, book_.product_id) == (20, P)
    assert [str(price) for price, _, _ in book_.bids] == ["10.50"]
    play.advance(4.0)
    assert line.writer() == []


def book(sequence: int, price: str = "10.50") -> bytes:
    fields = {"sequence": sequence, "bids": [[price, "1", "o-1"]], "asks": [], "auction_mode": False}
    return compact(fields | {"auction": None, "time": feed.TIME}).encode()


def broken_full() -> tuple[Bench, Outbox, Any]:
    play, (box,) = playing(coinbase.Full(P), key=True)
    play.server(order("open", 10), order("open", 15))
    line = play.line("full")
    line.writer()
    box.take()
    return play, box, line


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Failure("stream", "timed out"), "book of BTC-USD: timed out"),
        (Reply(429, body=b"no"), "book of BTC-USD: HTTP 429"),
    ],
)
def test_book_by_order_that_does_not_come_is_asked_for_again(reply: Reply | Failure, reason: str) -> None:
    play, box, line = broken_full()
    line.answer(reply)
    assert line.state.last_error == reason
    assert line.writer() == []
    for _ in range(40):
        play.server(heartbeat())
        play.advance(1.0)
        line.writer()
    assert [effect for effect in line.effects if isinstance(effect, Fetch)][1:]
    line.answer(Reply(200, body=book(20)))
    assert "Level3Book" in box.kinds()


def test_book_by_order_older_than_the_gap_is_not_taken() -> None:
    play, box, line = broken_full()
    line.answer(Reply(200, body=book(13)))
    assert box.take() == []
    assert ignored(play) == {"older than the messages": 1}
    play.advance(2.0)
    line.writer()
    line.answer(Reply(200, body=book(14)))
    assert "Level3Book" in box.kinds()


def test_book_by_order_that_cannot_be_read_is_said() -> None:
    _, box, line = broken_full()
    line.answer(Reply(200, body=book(20, price="1_0")))
    (malformed,) = box.take()
    assert isinstance(malformed, events.Malformed)
    assert malformed.reason == "not a plain number at $.bids[0][0]: '1_0'"


def test_answer_to_no_fetch_is_nothing() -> None:
    play, (box,) = playing(Trades(P))
    line = play.line()
    line.alive.fetched(77, Reply(200, body=b""), play.receipt(), line.state)
    assert box.take() == []


def test_orders_missed_while_the_line_was_down_are_counted() -> None:
    play, (box,) = playing(coinbase.Full(P), key=True)
    line = play.line("full")
    line.server(order("open", 10))
    line.drop()
    served(play)
    box.take()
    line.server(order("open", 14))
    assert gaps(box) == [("the sequence has a hole", 3)]
    line.drop()
    served(play)
    box.take()
    line.server(order("open", 5))
    assert gaps(box) == [("the sequence has a hole", None)]


def test_order_that_cannot_be_read_is_said_and_leaves_a_hole() -> None:
    play, (box,) = playing(coinbase.Full(P), key=True)
    play.server(order("open", 10), order("open", 11).replace("1.50", "1_5"), order("done", 12))
    assert box.kinds() == ["Open", "Malformed", "Gap", "Done"]


def test_orders_nobody_asked_for_are_not_counted() -> None:
    play, _ = playing(coinbase.Full(P), key=True)
    play.server(order("open", 10, product="C-D"), order("open", 20, product="C-D"))
    assert ignored(play) == {"not subscribed": 2}
    assert play.line("full").state.tally.count().gaps == 0


def test_endpoint_without_http_side_has_the_gap_and_no_fetch() -> None:
    options = Options(Endpoint("ws://127.0.0.1:1"), has_credentials=True)
    protocol = VENUE.protocol(Lane("captured-full"), None, {}, options)
    state = LaneState("coinbase", Lane("full"))
    for number in (10, 12):
        frame = order("open", number).encode()
        state.begin(frame, Stamp(0, 0.0))
        protocol.receive(frame, Stamp(0, 0.0), state)
    assert not state.stirred


def test_match_and_activate_of_full_belong_to_full() -> None:
    play, (box,) = playing(coinbase.Full(P), key=True)
    activate = compact(
        {"type": "activate", "product_id": P, "timestamp": "1.5", "order_id": "o", "side": "buy"}
    )
    play.server(order("open", 10), match(1, sequence=11), activate, order("done", 12))
    assert box.kinds() == ["Open", "Match", "Activate", "Done"]


def test_user_channel_is_not_counted() -> None:
    play, (box,) = playing(coinbase.User(P), key=True)
    play.server(order("open", 10), match(1, sequence=110), order("done", 50))
    assert box.kinds() == ["Open", "Match", "Done"]


def test_balance_of_an_account() -> None:
    play, (box,) = playing(coinbase.Balances((feed.ACCOUNT,)), key=True)
    play.server(feed.balance(), feed.balance("other"))
    assert box.kinds() == ["Balance"]
    assert ignored(play) == {"not subscribed": 1}
    play.server(feed.balance().replace("1.50", "x"))
    assert box.kinds() == ["Malformed"]


# Level 3.

T = "2023-03-28T23:24:03.185394Z"
ARRAYS: list[Sequence[str]] = [
    ("open", P, "11", "o-1", "buy", "27268.09", "0.02", T),
    ("change", P, "12", "o-1", "27268.10", "0.01", T),
    ("match", P, "13", "o-1", "o-2", "27268.10", "0.01", T),
    ("done", P, "14", "o-1", T),
    ("noop", P, "15", T),
]


def level3() -> tuple[Bench, Outbox, Any]:
    play, (box,) = playing(coinbase.Level3(P), key=True)
    return play, box, play.line("book")


def test_arrays_are_read_by_the_documented_schema() -> None:
    play, box, line = level3()
    line.server(*(compact(array) for array in ARRAYS))
    made: list[Any] = box.take()
    assert [type(e).__name__ for e in made] == [
        "Level3Open", "Level3Change", "Level3Match", "Level3Done", "Level3Noop",
    ]  # fmt: skip
    assert [e.sequence for e in made] == [11, 12, 13, 14, 15]
    assert (made[0].side, str(made[0].price), str(made[0].size)) == ("buy", "27268.09", "0.02")
    assert made[2].taker_order_id == "o-2"
    line.server(compact(("noop", P, "18", T)))
    assert gaps(box) == [("the sequence has a hole", 2)]
    line.writer()
    assert len(line.fetches) == 1
    line.server(compact(("noop", P, "18", T)))
    assert ignored(play)["duplicate"] == 1


def test_arrays_are_read_by_the_schema_that_was_sent() -> None:
    _, box, line = level3()
    schema = {"noop": ["type", "time", "sequence", "extra", "product_id"], "trim": ["type"]}
    line.server(compact({"type": "level3", "schema": schema}), compact(("noop", T, "5", "?", P)))
    (made,) = box.take()
    assert isinstance(made, coinbase.Level3Noop)
    assert (made.sequence, made.product_id) == (5, P)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        ([], r"no kind of message at \$\[0\]"),
        ([5], r"no kind of message at \$\[0\]"),
        (["noop", P, "5"], "noop: Object missing required field `time`"),
        (["noop", P, "five", T], r"noop: Expected `int`, got `str` at \$\.sequence"),
        (["change", P, "5", "o", "1_0", "1", T], r"not a plain number at \$\.price: '1_0'"),
    ],
)
def test_array_that_does_not_fit_the_schema_is_refused(array: list[Any], words: str) -> None:
    _, box, line = level3()
    line.server(compact(array))
    malformed, *gap = box.take()
    assert isinstance(malformed, events.Malformed)
    assert malformed.reason.startswith(words.replace("\\", ""))
    assert [type(event).__name__ for event in gap] == (["Gap"] if P in array else [])


def test_array_of_an_unknown_kind_is_noticed() -> None:
    _, box, line = level3()
    line.server('["trim","A-B"]')
    (unknown,) = box.take()
    assert isinstance(unknown, events.Unknown)
    assert unknown.kind == "trim"


# Time.


def test_quiet_line_is_asked_for_a_pong_and_a_dead_one_is_given_up() -> None:
    play, _ = playing_without_products()
    play.advance(9.0)
    play.writer()
    assert play.line().pings == 0
    play.advance(1.5)
    play.writer()
    assert play.line().pings == 1
    play.line().pong()
    play.advance(9.0)
    assert play.line().state.lost_reason is None
    play.advance(1.5)
    play.writer()
    play.advance(5.5)
    assert play.line().state.lost_reason == "nothing came for 15 s, and nothing answered a ping"


def playing_without_products() -> tuple[Bench, Outbox]:
    play = Bench(VENUE)
    box = play.subscribe(Instruments())
    play.connect()
    play.writer()
    play.server(ack(status=[]))
    assert box.is_confirmed
    box.take()
    return play, box


def beating(*topics: Topic[Any]) -> tuple[Bench, list[Outbox]]:
    play = Bench(VENUE)
    boxes = [play.subscribe(topic) for topic in topics]
    play.connect()
    play.writer()
    products = sorted({topic.subject for topic in topics})
    play.server(ack(matches=products, heartbeat=products))
    for box in boxes:
        assert box.is_confirmed
        box.take()
    return play, boxes


def test_product_whose_heartbeat_stays_away_is_stale_alone() -> None:
    play, (silent, alive) = beating(Trades("A-B"), Trades("C-D"))
    for _ in range(12):
        play.advance(1.0)
        play.server(heartbeat(product="C-D"))
    (stale,) = silent.take()
    assert isinstance(stale, events.Stale)
    assert (stale.instrument, stale.silent_s) == ("A-B", 5.0)
    assert alive.take() == []
    assert play.line().state.lost_reason is None
    play.server(heartbeat(product="A-B"))
    for _ in range(6):
        play.advance(1.0)
        play.server(heartbeat(product="C-D"))
    assert silent.kinds() == ["Stale"]


def test_product_without_heartbeats_is_not_stale_while_its_data_comes() -> None:
    play, (silent, alive) = beating(Trades("A-B"), Trades("C-D"))
    for number in range(1, 31):
        play.advance(1.0)
        play.server(match(number, product="A-B"), heartbeat(product="C-D"))
    assert silent.kinds().count("Stale") == 0
    for _ in range(5):
        play.advance(1.0)
        play.server(heartbeat(product="C-D"))
    (stale,) = silent.take()
    assert isinstance(stale, events.Stale)
    assert stale.silent_s == 5.0
    play.server(match(31, product="A-B"))
    for _ in range(100):
        play.advance(1.0)
        play.server(heartbeat(product="C-D"))
    ages = [event.silent_s for event in silent.take() if isinstance(event, events.Stale)]
    assert ages == [5.0, 20.0, 80.0], "once for each silence, and again whenever it has grown"
    assert alive.kinds().count("Stale") == 0
    assert play.line().state.lost_reason is None


def test_line_without_any_message_is_given_up_though_it_answers_pings() -> None:
    play, (box,) = beating(Trades("A-B"))
    for _ in range(10):
        play.advance(1.0)
        play.line().pong()
    play.advance(1.0)
    assert play.line().state.lost_reason == "no message came for 10 s, not even a heartbeat"
    assert "Stale" in box.kinds()


def test_withdrawn_product_owes_no_heartbeat() -> None:
    play, (one, other) = beating(Trades("A-B"), Trades("C-D"))
    play.unsubscribe(one)
    play.writer()
    play.server(ack(matches=["C-D"], heartbeat=["C-D"]))
    for _ in range(20):
        play.advance(1.0)
        play.server(heartbeat(product="C-D"))
    assert other.take() == []
    play.subscribe(Instruments())
    play.writer()
    play.server(ack(matches=["C-D"], heartbeat=["C-D"], status=[]))
    play.unsubscribe(other)
    play.writer()
    play.server(ack(status=[]))
    play.advance(9.0)
    assert play.line().state.lost_reason is None


# In general.


@given(st.lists(st.sampled_from(["trade", "lost", "twice", "beat", "drop"]), max_size=25))
def test_every_trade_is_delivered_once_or_said_to_be_missing(script: list[str]) -> None:
    play, (box,) = playing(Trades(P))
    play.server(match(100, "last_match"))
    now, missed = 100, 0
    for what in script:
        now += what in {"trade", "lost"}
        if what in {"trade", "twice"}:
            play.server(match(now))
        elif what == "beat":
            play.server(heartbeat(now))
        elif what == "drop":
            play.drop()
            served(play)
            play.server(match(now, "last_match"))
    play.server(match(now + 1))
    seen: list[str] = []
    for event in box.take():
        if isinstance(event, events.Trade):
            seen.append(str(event.trade_id))
        elif isinstance(event, events.Gap):
            missed += event.missed or 0
    delivered = len(seen)
    assert len(set(seen)) == delivered
    assert seen == sorted(seen, key=int)
    said_after_all = script.count("twice")  # a lost trade that comes after all may have been announced
    assert now + 1 - 100 <= delivered + missed <= now + 1 - 100 + said_after_all


def test_captured_frames_of_orders_without_their_matches_are_not_counted() -> None:
    from trioquotes._protocol.offline import Offline  # noqa: PLC0415  # beside its only use

    run = Offline(VENUE, native=True)
    for frame in (order("open", 10), match(1, sequence=11), order("done", 12)):
        run.feed(frame.encode())
    assert run.count().gaps == 0
    counted = Offline(VENUE, native=True)
    for frame in (order("open", 10), order("done", 12)):
        counted.feed(frame.encode(), "full")
    assert counted.count().gaps == 1


def test_first_trade_says_gap_where_the_trade_before_it_was_not_said() -> None:
    play, (box,) = playing(coinbase.Matches(P))
    play.server(match(5))
    play.server(match(6))
    assert box.kinds() == ["Gap", "Match", "Match"]


def test_first_trade_is_no_gap_behind_the_trade_before_it_or_as_the_first_of_all() -> None:
    play, (box,) = playing(coinbase.Matches(P))
    play.server(match(4).replace('"match"', '"last_match"'))
    play.server(match(5))
    assert box.kinds() == ["LastMatch", "Match"]
    play, (box,) = playing(coinbase.Matches(P))
    play.server(match(1))
    assert box.kinds() == ["Match"]


def test_message_given_to_its_taker_is_the_one_on_the_wire() -> None:
    play, (box,) = playing(coinbase.Matches(P))
    frame = match(1, extra={"new": [1, 2]})
    play.server(frame)
    (made,) = box.take()
    assert isinstance(made, coinbase.Match)
    assert made.raw == frame.encode()
    assert made.received_ns == play.receipt().wall_ns
    assert json.loads(made.raw)["extra"] == {"new": [1, 2]}
