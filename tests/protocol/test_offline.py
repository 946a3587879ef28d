"""Captured frames through the same protocols, without a network."""

from __future__ import annotations

import json

from tests.venues.cases import (
    coinbase_match,
    coinbase_snapshot,
    coinbase_update,
    compact,
    edgex_best,
    edgex_depth,
    edgex_rows,
    zonda_push,
)
from tests.venues.skeletons import coinbase, edgex, invented, zonda
from trioquotes._protocol.offline import Offline
from trioquotes._protocol.tally import TallyCount
from trioquotes.events import Event, Quote, Rejected, Trade

DEPTH = "depth.30000001.200"


def run(offline: Offline, *frames: object, channel: str = "") -> list[Event]:
    events: list[Event] = []
    for frame in frames:
        events += offline.feed(compact(frame).encode(), channel)
    return events


def kinds(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


def test_every_channel_counts_as_wanted() -> None:
    offline = Offline(coinbase.VENUE)
    events = run(offline, coinbase_match("BTC-USD", 5), coinbase_match("ETH-USD", 9))
    assert [(event.instrument, event.trade_id) for event in events if isinstance(event, Trade)] == [
        ("BTC-USD", "5"),
        ("ETH-USD", "9"),
    ]


def test_the_ledger_of_a_run_adds_up() -> None:
    offline = Offline(coinbase.VENUE)
    run(
        offline,
        coinbase_match("BTC-USD", 4, "last_match"),
        coinbase_match("BTC-USD", 5),
        coinbase_match("BTC-USD", 8),
        coinbase_snapshot("BTC-USD"),
        {"type": "heartbeat", "product_id": "BTC-USD", "last_trade_id": 8},
        {"type": "novelty"},
    )
    offline.feed(b"{")
    count = offline.count()
    assert isinstance(count, TallyCount)
    assert (count.frames, count.elements, count.delivered, count.malformed) == (7, 7, 4, 1)
    assert count.ignored == {"last match": 1, "unknown type": 1}


def test_losses_are_said_in_their_place() -> None:
    offline = Offline(coinbase.VENUE)
    run(offline, coinbase_match("BTC-USD", 5))
    events = run(offline, coinbase_match("BTC-USD", 8))
    assert kinds(events) == ["Gap", "Trade"]
    assert offline.count().gaps == 1


def test_books_are_kept_and_broken_ones_say_so() -> None:
    offline = Offline(coinbase.VENUE)
    events = run(
        offline,
        coinbase_update("ETH-USD", ["buy", "1", "1"]),
        coinbase_snapshot("BTC-USD"),
        coinbase_update("BTC-USD", ["buy", "10.5", "2"]),
        coinbase_snapshot("ETH-USD"),
        coinbase_update("ETH-USD", ["buy", "12", "1"]),
        coinbase_update("ETH-USD", ["buy", "9", "1"]),
    )
    assert kinds(events) == ["BookSnapshot", "BookChange", "BookSnapshot", "Gap"]
    states = {book.instrument: book.state for book in offline.books()}
    assert states == {"ETH-USD": "broken", "BTC-USD": "live"}
    assert offline.count().ignored == {"awaiting snapshot": 2, "broken book": 1}


def test_the_venues_own_messages_on_request() -> None:
    events = run(Offline(edgex.VENUE, native=True), edgex_depth(DEPTH, "Snapshot", 1, 2))
    assert kinds(events) == ["Depth"]
    assert isinstance(events[0], edgex.Depth)
    assert events[0].received_ns == 0


def test_every_instrument_of_a_channel_that_carries_several() -> None:
    rows = [edgex_best("30000001", "1"), edgex_best("30000002", "2"), edgex_best("30000001", "3")]
    offline = Offline(edgex.VENUE)
    events = run(offline, edgex_rows("bookTicker.all.1s", "changed", rows))
    assert [(event.instrument, str(event.bid)) for event in events if isinstance(event, Quote)] == [
        ("30000001", "1"),
        ("30000002", "2"),
        ("30000001", "3"),
    ]
    native = run(Offline(edgex.VENUE, native=True), edgex_rows("bookTicker.all.1s", "changed", rows))
    assert kinds(native) == ["BookTicker"] * 3
    assert offline.count().delivered == 3


def test_a_topic_of_two_channels_is_one_topic() -> None:
    offline = Offline(zonda.VENUE)
    events = run(
        offline,
        zonda_push("ticker/btc-pln", 1, {"rate": "2", "highestBid": "1", "lowestAsk": "3"}),
        zonda_push("stats/btc-pln", 1, [{"m": "BTC-PLN", "h": 4.5, "l": 1, "v": 2}]),
    )
    assert kinds(events) == ["Ticker", "Ticker"]
    assert getattr(events[1], "last", None) is not None


def test_independent_frames_know_nothing_of_each_other() -> None:
    frames = [coinbase_match("BTC-USD", 5), coinbase_match("BTC-USD", 9), coinbase_snapshot("BTC-USD")]
    offline = Offline(coinbase.VENUE, independent=True)
    assert kinds(run(offline, *frames)) == ["Trade", "Trade", "BookSnapshot"]
    count = offline.count()
    assert (count.frames, count.elements, count.gaps) == (3, 3, 0)
    assert offline.books() == []


def test_a_captured_refusal_is_said_and_ends_nothing() -> None:
    offline = Offline(edgex.VENUE)
    request = json.dumps({"type": "subscribe", "channel": "trades.9999"})
    error = {"type": "error", "request": request, "content": {"code": "INVALID", "msg": "invalid contractId"}}
    events = run(offline, error)
    assert [(type(event), getattr(event, "reason", "")) for event in events] == [
        (Rejected, "invalid contractId")
    ]
    assert offline.count().ignored == {"error": 1}


def test_an_acknowledgement_confirms_nothing_that_could_fail() -> None:
    offline = Offline(invented.VENUE)
    assert run(offline, {"op": "answer", "id": 1}) == []
    assert offline.count().ignored == {"acknowledgement": 1}


def test_channels_that_frames_do_not_say_choose_the_lane() -> None:
    offline = Offline(edgex.VENUE)
    snapshot = {"type": "trade-event", "content": {"event": "Snapshot", "data": {"order": []}}}
    run(offline, snapshot, channel="private/trade-event")
    run(offline, snapshot)
    assert offline.count().ignored == {"empty": 1, "unknown type": 1}


def test_the_time_of_receipt_is_the_callers() -> None:
    offline = Offline(coinbase.VENUE)
    (event,) = offline.feed(compact(coinbase_match("BTC-USD", 5)).encode(), received_ns=123)
    assert isinstance(event, Trade)
    assert event.received_ns == 123
