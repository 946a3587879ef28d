"""Books on a line: the snapshot fits its pushes, or the book says that it is not right."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.venues.bench import Bench, Outbox
from tests.venues.zonda import feed
from tests.venues.zonda.feed import TEN, answer, book, change, compact, confirm, requests
from trioquotes import events
from trioquotes.errors import AuthenticationFailed, SubscriptionRejected
from trioquotes.events import BookChange, BookSnapshot
from trioquotes.topics import Books, Depths, Topic
from trioquotes.venues import zonda
from trioquotes.venues.zonda import VENUE
from trioquotes.venues.zonda.conversation import MAX_SNAPSHOT_TRIES

D = Decimal


def begun(*topics: Topic[Any], path: str = TEN) -> tuple[Bench, list[Outbox], str]:
    """A book that is confirmed and whose snapshot was asked for, with the number of that request."""
    play = Bench(VENUE)
    boxes = [play.subscribe(topic) for topic in topics or (Books("BTC-PLN", 10),)]
    play.connect()
    (asked,) = requests(play.writer())
    assert asked == {"action": "subscribe-public", "module": "trading", "path": path}
    play.server(confirm(path))
    number = proxied(play, path)
    for box in boxes:
        assert box.is_confirmed
        box.take()
    return play, boxes, number


def proxied(play: Bench, path: str = TEN) -> str:
    """The number of the one request that is sent now."""
    (asked,) = requests(play.writer())
    assert {**asked, "requestId": ""} == {
        "requestId": "",
        "action": "proxy",
        "module": "trading",
        "path": path,
    }
    return str(asked["requestId"])


def live(*topics: Topic[Any], number: int = 100) -> tuple[Bench, list[Outbox]]:
    play, boxes, asked = begun(*topics)
    play.server(answer(asked, book(number)))
    return play, boxes


def ignored(play: Bench) -> dict[str, int]:
    counts = play.line().state.tally.count().ignored
    return {reason: n for reason, n in counts.items() if reason != "acknowledgement"}


def test_snapshot_is_best_first_on_both_sides_and_promises_its_window() -> None:
    _, (box,) = live()
    (snapshot,) = box.take()
    assert isinstance(snapshot, BookSnapshot)
    assert snapshot.bids == ((D(100), D(2)), (D(99), D(1)))
    assert snapshot.asks == ((D(101), D(3)), (D(102), D(4)))
    assert (snapshot.depth, snapshot.sequence, snapshot.instrument) == (10, 100, "BTC-PLN")
    assert snapshot.venue_time_ns == 1644899040000 * 10**6


def test_request_ids_are_uuids_of_their_own() -> None:
    play, _, one = begun()
    play.server(change(5, ("Buy", "1", "1")), answer(one, book(1)))
    other = proxied(play)
    assert one != other
    assert (len(one), one[14], one.count("-")) == (36, "4", 4)


def test_pushes_before_the_snapshot_are_in_it_if_they_are_newer() -> None:
    play, (box,), number = begun()
    play.server(change(100, ("Buy", "55", "1")), change(101, ("Buy", "100", None), ("Sell", "100.5", "9")))
    assert box.take() == []
    play.server(answer(number, book(100)))
    (snapshot,) = box.take()
    assert isinstance(snapshot, BookSnapshot)
    assert snapshot.bids == ((D(99), D(1)),)
    assert snapshot.asks[0] == (D("100.5"), D(9))
    assert (snapshot.sequence, snapshot.venue_time_ns) == (101, 1644899040700 * 10**6)
    assert ignored(play) == {"awaiting snapshot": 3}


def test_answer_is_known_by_its_number_alone() -> None:
    play, (box,), number = begun()
    play.server(answer("00000000-0000-0000-0000-00000000dead", book(7)))
    assert box.take() == []
    play.server(answer(number, book(100)), answer(number, book(7)))
    assert box.kinds() == ["BookSnapshot"]
    assert ignored(play) == {"unknown answer": 2}


def test_two_books_do_not_take_each_others_answers() -> None:
    play = Bench(VENUE)
    ten, fifty = play.subscribe(Books("BTC-PLN", 10)), play.subscribe(Books("BTC-PLN", 50))
    play.connect()
    play.writer()
    play.server(confirm(TEN), confirm("orderbook-limited/btc-pln/50"))
    asked = {said["path"]: said["requestId"] for said in requests(play.writer())}
    ten.take(), fifty.take()
    play.server(answer(asked["orderbook-limited/btc-pln/50"], book(7)))
    assert (ten.kinds(), fifty.kinds()) == ([], ["BookSnapshot"])
    play.server(answer(asked[TEN], book(9000)))
    assert (ten.kinds(), fifty.kinds()) == (["BookSnapshot"], [])


def test_recorded_hole_breaks_the_book_until_a_snapshot_reaches_over_it() -> None:
    play, (box,) = live(number=98007871)
    box.take()
    play.server(
        change(98007873, ("Sell", "180999.61", None), ("Sell", "181000.00", None)),
        change(98007874, ("Buy", "98", "5")),
    )
    (gap,) = box.take()
    assert isinstance(gap, events.Gap)
    assert (gap.reason, gap.missed) == ("the sequence has a hole", 1)
    number = proxied(play)
    play.server(answer(number, book(98007872)))
    snapshot, resynced = box.take()
    assert isinstance(snapshot, BookSnapshot)
    assert (snapshot.sequence, snapshot.bids[-1]) == (98007874, (D(98), D(5)))
    assert isinstance(resynced, events.Resynced)
    play.server(change(98007875, ("Sell", "101.0", "7")))
    (after,) = box.take()
    assert isinstance(after, BookChange)
    assert after.asks == ((D("101.0"), D(7)),)


def test_no_new_subscription_for_a_hole() -> None:
    play, _ = live()
    play.server(change(105, ("Buy", "98", "5")))
    assert [said["action"] for said in requests(play.writer())] == ["proxy"]


def test_a_price_is_one_price_however_it_is_spelt() -> None:
    play, (box,) = live()
    kept = play.planner.feeds[box.topic].book  # type: ignore[attr-defined]  # of a book's feed
    play.server(change(101, ("Buy", "100.00", None), ("Sell", "101.000", "0.5")))
    assert kept.best_bid == (D(99), D(1))
    assert kept.levels("ask") == ((D(101), D("0.5")), (D(102), D(4)))


def test_window_keeps_its_size_while_prices_enter_and_leave() -> None:
    play, (box,), number = begun()
    sell = [(str(200 + n), "1") for n in range(10)]
    play.server(answer(number, book(100, sell=sell)))
    play.server(change(101, ("Sell", "199", "1"), ("Sell", "209", None)))
    kept = play.planner.feeds[box.topic].book  # type: ignore[attr-defined]  # of a book's feed
    assert len(kept.levels("ask")) == 10
    assert (kept.levels("ask")[0][0], kept.levels("ask")[-1][0]) == (D(199), D(208))
    assert kept.statistics().unknown_removals == 0


def test_old_snapshots_are_asked_for_again_ever_later_and_then_the_line_is_replaced() -> None:
    play, (box,), number = begun()
    play.server(change(500, ("Buy", "1", "1")))
    waits = []
    for _ in range(MAX_SNAPSHOT_TRIES - 1):
        play.server(answer(number, book(1)))
        since = play.now_s
        while not (frames := [f for f in play.writer() if "ping" not in f]):
            play.advance(0.5)
            play.server('{"action":"pong"}')
        waits.append(play.now_s - since)
        (again,) = requests(frames)
        number = again["requestId"]
    assert waits == sorted(waits)
    assert waits[0] == 0.0
    play.server(answer(number, book(1)))
    play.advance(30.0)
    play.server('{"action":"pong"}')
    play.advance(35.0)
    play.writer()
    assert play.line().replaced == ["8 snapshots of orderbook-limited:BTC-PLN:10 in a row were of no use"]
    assert "Disconnected" in box.kinds()
    assert ignored(play)["snapshot does not fit"] == MAX_SNAPSHOT_TRIES
    play.assert_polite()


def test_unanswered_request_is_made_again_and_its_late_answer_is_not_taken() -> None:
    play, (box,), first = begun()
    play.advance(10.0)
    second = proxied(play)
    assert first != second
    play.server(answer(first, book(50)))
    assert box.take() == []
    play.server(answer(second, book(100)))
    assert box.kinds() == ["BookSnapshot"]


def test_late_answer_counts_while_nothing_else_was_asked() -> None:
    play, (box,), number = begun()
    play.advance(10.0)
    play.server(answer(number, book(100)))
    assert box.kinds() == ["BookSnapshot"]
    assert play.writer() == []


@pytest.mark.parametrize(
    "body",
    [
        {"status": "Fail", "errors": ["MARKET_NOT_FOUND"]},
        {"status": "Fail", "errors": [{"message": "MARKET_NOT_FOUND"}]},
        {"error": "MARKET_NOT_FOUND"},
    ],
)
def test_snapshot_refused_for_good_ends_the_topic(body: Any) -> None:
    play, (box,), number = begun()
    play.server(answer(number, body, status=404))
    assert isinstance(box.error, SubscriptionRejected)
    assert box.error.reason == "no snapshot: MARKET_NOT_FOUND"
    assert play.writer() == []
    play.server(change(5, ("Buy", "1", "1")))
    assert ignored(play)["not subscribed"] == 1


def test_refusal_without_a_body_says_its_status() -> None:
    play, (box,), number = begun()
    play.server(compact({"requestId": number, "error": {"message": "no  such\npath"}}))
    assert "no snapshot: no such path" in str(box.error)
    play, (box,), number = begun()
    play.server(answer(number, None, status=400))
    assert "no snapshot: answered with 400" in str(box.error)


def test_signature_refused_for_a_snapshot_is_no_authentication_of_ours() -> None:
    play, (box,), number = begun()
    play.server(answer(number, {"status": "Fail", "errors": ["PERMISSIONS_NOT_SUFFICIENT"]}))
    assert isinstance(box.error, AuthenticationFailed)


@pytest.mark.parametrize(
    ("status", "error"), [(200, "RESPONSE_TIMEOUT"), (200, "UNDER_MAINTENANCE"), (503, ""), (200, "TIMEOUT")]
)
def test_snapshot_that_fails_for_now_is_asked_for_again(status: int, error: str) -> None:
    play, (box,), number = begun()
    play.server(answer(number, {"status": "Fail", "errors": [error]}, status=status))
    again = proxied(play)
    play.server(answer(again, book(100)))
    assert box.kinds() == ["BookSnapshot"]


def test_snapshot_that_fails_for_now_for_ever_ends_the_topic() -> None:
    play, (box,), number = begun()
    for _ in range(MAX_SNAPSHOT_TRIES):
        assert box.error is None
        play.server(answer(number, {"status": "Fail", "errors": ["UNDER_MAINTENANCE"]}))
        for _ in range(160):
            frames = [f for f in play.writer() if "ping" not in f]
            if frames:
                number = requests(frames)[0]["requestId"]
                break
            play.advance(0.5)
            play.server('{"action":"pong"}')
    assert isinstance(box.error, SubscriptionRejected)


def test_limit_that_was_met_is_said() -> None:
    play, (box,), number = begun()
    play.server(answer(number, {"status": "Fail", "errors": ["ACTION_LIMIT_EXCEEDED"]}))
    (throttled,) = box.take()
    assert isinstance(throttled, events.Throttled)
    assert throttled.reason == "ACTION_LIMIT_EXCEEDED"
    proxied(play)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (
            ("Hold", "100", "1"),
            "a side that is neither Buy nor Sell at $.message.changes[1].entryType: 'Hold'",
        ),
        (("Buy", "100", "-1"), "a negative amount at $.message.changes[1].state.ca: -1"),
    ],
)
def test_change_that_cannot_be_applied_breaks_the_book(bad: tuple[str, str, str], reason: str) -> None:
    play, (box,) = live()
    box.take()
    play.server(change(101, ("Buy", "99", "7"), bad))
    malformed, gap = box.take()
    assert isinstance(malformed, events.Malformed)
    assert malformed.reason == reason
    assert isinstance(gap, events.Gap)
    assert play.line().state.tally.count().malformed == 2
    play.server(answer(proxied(play), book(101)))
    assert box.kinds() == ["BookSnapshot", "Resynced"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"action": "replace"}, "an action that is neither update nor remove"),
        ({"action": "update"}, "an update without a state"),
        ({"action": "update", "state": {"ra": "98", "ca": "1"}}, "two prices for one change"),
        ({"action": "update", "state": {"ra": "9x", "ca": "1"}}, "Invalid decimal string"),
    ],
)
def test_odd_change_is_malformed_with_its_reason(row: Any, reason: str) -> None:
    play, (box,) = live()
    box.take()
    play.server(feed.push(TEN, 101, {"changes": [{"entryType": "Buy", "rate": "99"} | row]}))
    malformed, gap = box.take()
    assert isinstance(malformed, events.Malformed)
    assert malformed.reason.startswith(reason)
    assert isinstance(gap, events.Gap)


def test_push_of_a_book_without_a_number_breaks_it() -> None:
    play, (box,) = live()
    box.take()
    play.server(feed.push(TEN, None, {"changes": []}))
    assert box.kinds() == ["Malformed", "Gap"]


def test_unreadable_change_of_a_book_that_waits_says_nothing_twice() -> None:
    play, (box,), number = begun()
    play.server(feed.push(TEN, 101, {"changes": "none"}))
    assert box.kinds() == ["Malformed"]
    play.server(answer(number, book(101)))
    assert box.kinds() == ["BookSnapshot"]


def test_snapshot_that_cannot_be_read_is_asked_for_again() -> None:
    play, (box,), number = begun()
    play.server(answer(number, book(1, buy=[("99", "-1")])))
    (malformed,) = box.take()
    assert isinstance(malformed, events.Malformed)
    assert malformed.reason == "a negative amount at $.body.buy[0].ca: -1"
    number = proxied(play)
    play.server(answer(number, {"status": "Ok", "sell": []}))
    assert box.kinds() == ["Malformed"]


def test_empty_sides_are_a_book() -> None:
    play, (box,), number = begun()
    play.server(answer(number, book(5, buy=[], sell=[])), change(6, ("Sell", "1", "1")), change(7))
    snapshot, changed, nothing = box.take()
    assert isinstance(snapshot, BookSnapshot)
    assert (snapshot.bids, snapshot.asks) == ((), ())
    assert isinstance(changed, BookChange)
    assert isinstance(nothing, BookChange)
    assert (nothing.bids, nothing.asks, nothing.sequence) == ((), (), 7)


def test_crossed_book_is_asked_for_again_while_its_pushes_go_on() -> None:
    play, (box,) = live()
    box.take()
    play.server(change(101, ("Buy", "500", "1")))
    assert box.kinds() == ["Gap"]
    number = proxied(play)
    play.server(change(102, ("Buy", "500", None)), change(103, ("Buy", "98", "5")))
    play.server(answer(number, book(102)))
    snapshot, resynced = box.take()
    assert isinstance(snapshot, BookSnapshot)
    assert (snapshot.sequence, snapshot.bids[-1]) == (103, (D(98), D(5)))
    assert isinstance(resynced, events.Resynced)


def test_crossed_snapshot_is_a_gap_and_is_asked_for_again_ever_later() -> None:
    play, (box,), number = begun()
    for wait_s in (0.0, 1.0, 2.0):
        play.server(answer(number, book(100, buy=[("101", "1")])))
        (gap,) = box.take()
        assert isinstance(gap, events.Gap)
        assert gap.reason == "locked book"
        assert wait_s == 0.0 or play.writer() == []
        play.advance(wait_s)
        number = proxied(play)
    play.server(answer(number, book(100)))
    assert box.kinds() == ["BookSnapshot", "Resynced"]


def test_window_that_grows_beyond_its_promise_is_broken() -> None:
    play, (box,), number = begun()
    sell = [(str(200 + n), "1") for n in range(10)]
    play.server(answer(number, book(100, sell=sell)))
    play.server(change(101, ("Sell", "199", "1")), change(102, ("Sell", "209", None)))
    _, gap = box.take()
    assert isinstance(gap, events.Gap)
    assert gap.reason == "window larger than promised: 11 prices a side, not 10"
    again = proxied(play)
    play.server(answer(again, book(101, sell=[*sell, ("199", "1")])))
    (malformed,) = box.take()
    assert isinstance(malformed, events.Malformed)
    assert malformed.reason == "window larger than promised: 11 prices at $.body.sell, not 10"
    play.advance(1.0)
    play.server(answer(proxied(play), book(102, sell=[("199", "1"), *sell[:9]])))
    assert box.kinds() == ["BookSnapshot", "Resynced"]


def test_window_that_grows_with_the_pushes_after_its_snapshot_is_broken_too() -> None:
    play, (box,), number = begun()
    sell = [(str(200 + n), "1") for n in range(10)]
    play.server(change(101, ("Sell", "199", "1")), answer(number, book(100, sell=sell)))
    (gap,) = box.take()
    assert isinstance(gap, events.Gap)
    assert gap.reason == "window larger than promised: 11 prices a side, not 10"
    play.server(answer(proxied(play), book(102)))
    assert box.kinds() == ["BookSnapshot", "Resynced"]


def test_change_of_another_market_breaks_the_book_whose_topic_it_came_under() -> None:
    play, (box,) = live()
    other = play.subscribe(Books("ETH-PLN", 10))
    box.take()
    play.server(change(101, ("Buy", "99", "7")).replace('"BTC-PLN"', '"ETH-PLN"'))
    malformed, gap = box.take()
    assert isinstance(malformed, events.Malformed)
    assert malformed.reason == "a change of another market at $.message.changes[0].marketCode: 'ETH-PLN'"
    assert isinstance(gap, events.Gap)
    assert [type(event) for event in other.take()] == []


def test_snapshot_that_does_not_have_the_push_that_could_not_be_read_is_asked_for_again() -> None:
    play, (box,) = live(number=100)
    play.server(change(101, ("Buy", "99", "-7")))
    box.take()
    play.server(answer(proxied(play), book(100)))
    assert box.take() == []
    play.advance(1.0)
    play.server(answer(proxied(play), book(101)))
    assert box.kinds() == ["BookSnapshot", "Resynced"]


def test_book_that_is_subscribed_once_more_is_where_it_was() -> None:
    """The confirmation is lost, yet a book is shown: asking again must not let an old push into it."""
    play = Bench(VENUE)
    play.subscribe(zonda.LimitedOrderBooks("BTC-PLN", 10))
    play.connect()
    play.writer()
    box = play.subscribe(Books("BTC-PLN", 10))
    play.server(answer(proxied(play), book(107)))
    play.advance(11.0)
    assert [said["action"] for said in requests(play.writer())] == ["subscribe-public"]
    box.take()
    play.server(change(106, ("Buy", "99", "7")))
    assert box.take() == []
    play.server(change(108, ("Buy", "99", "8")))
    assert box.kinds() == ["BookChange"]


# Views.


def deep(*topics: Topic[Any], bids: int = 300) -> tuple[Bench, list[Outbox]]:
    play, boxes, number = begun(*topics, path=WHOLE)
    play.server(answer(number, rising(1, 1000 - bids, 1000)))
    return play, boxes


WHOLE = "orderbook/btc-pln"


def rising(number: int, first: int, last: int) -> Any:
    """The body of a snapshot with a bid at each price of a range, below its asks."""
    buy = [(str(price), "1") for price in range(first, last)]
    return book(number, buy=buy, sell=[("1001", "3"), ("1002", "4")])


def taken(number: int, first: int, last: int) -> str:
    """A push that takes bids."""
    return change(number, *(("Buy", str(price), None) for price in range(first, last)), path=WHOLE)


def test_view_is_the_top_of_its_window() -> None:
    play, (box,), number = begun(Depths("BTC-PLN", 1))
    play.server(
        answer(number, book(100)), change(101, ("Buy", "99", "7")), change(102, ("Sell", "100.5", "6"))
    )
    first, second = box.take()
    assert isinstance(first, events.Depth)
    assert isinstance(second, events.Depth)
    assert (first.bids, first.asks, first.levels) == (((D(100), D(2)),), ((D(101), D(3)),), 1)
    assert (second.bids, second.asks, second.sequence) == (((D(100), D(2)),), ((D("100.5"), D(6)),), 102)


def test_view_of_a_window_starts_from_the_book_that_is_kept_of_it() -> None:
    play, _ = live(Books("BTC-PLN", 10))
    late = play.subscribe(Depths("BTC-PLN", 7))
    assert play.writer() == []
    assert late.kinds() == ["Depth"]


def test_deep_view_shows_nothing_that_it_does_not_know() -> None:
    play, (box,) = deep(Depths("BTC-PLN", 120))
    assert box.kinds() == ["Depth"]
    play.server(taken(2, 880, 1000))
    assert box.kinds() == ["Depth"]
    number = proxied(play, WHOLE)  # it has become thin
    play.server(taken(3, 819, 820), taken(4, 820, 880))
    (_, gap) = box.take()
    assert isinstance(gap, events.Gap)
    assert gap.reason.endswith("only 119 of 120 prices are known on the bid side")
    play.server(answer(number, rising(4, 519, 819)))
    assert box.kinds() == ["Depth"]


def test_deep_view_of_a_book_that_ends_is_as_deep_as_the_book() -> None:
    play, (box,) = deep(Depths("BTC-PLN", 120), bids=299)
    play.server(taken(2, 710, 1000))
    first, second = box.take()
    assert isinstance(first, events.Depth)
    assert isinstance(second, events.Depth)
    assert (len(first.bids), len(first.asks), len(second.bids)) == (120, 2, 9)


def test_deep_view_does_not_start_from_a_book_of_which_less_is_known() -> None:
    play, (book_box,) = deep(Books("BTC-PLN"))
    play.server(taken(2, 950, 1000))
    view = play.subscribe(Depths("BTC-PLN", 290))
    assert view.take() == []
    play.server(answer(proxied(play, WHOLE), rising(2, 650, 950)))
    (depth,) = view.take()
    assert isinstance(depth, events.Depth)
    assert len(depth.bids) == 290
    assert book_box.kinds() == ["BookSnapshot", "BookChange", "BookSnapshot"]


# Native messages.


def test_native_messages_come_as_they_are_from_the_first_one_on() -> None:
    play, (box,), number = begun(zonda.LimitedOrderBooks("BTC-PLN", 10))
    play.server(change(101, ("Buy", "98", "5")), answer(number, book(100)), change(102))
    early, snapshot, after = box.take()
    assert isinstance(early, zonda.OrderBookPush)
    assert isinstance(snapshot, zonda.OrderBookAnswer)
    assert [push.seq_no for push in snapshot.later] == [101]
    assert (snapshot.topic, snapshot.body.seq_no) == (f"trading/{TEN}", "100")
    assert isinstance(after, zonda.OrderBookPush)


def test_book_that_joins_native_messages_gets_a_snapshot_that_fits() -> None:
    play, (native,) = live(zonda.LimitedOrderBooks("BTC-PLN", 10))
    play.server(change(101, ("Buy", "98", "5")))
    native.take()
    late = play.subscribe(Books("BTC-PLN", 10))
    number = proxied(play)
    play.server(change(102, ("Buy", "97", "6")))
    assert late.take() == []
    play.server(answer(number, book(100)))
    assert late.take() == []  # older than what the line has shown
    play.advance(1.0)
    play.server(answer(proxied(play), book(101)))
    (snapshot,) = late.take()
    assert isinstance(snapshot, BookSnapshot)
    assert (snapshot.sequence, snapshot.bids[-1]) == (102, (D(97), D(6)))
    play.server(change(103))
    assert late.kinds() == ["BookChange"]


def test_snapshot_newer_than_the_line_makes_the_pushes_in_between_old() -> None:
    play, (box,) = live(zonda.LimitedOrderBooks("BTC-PLN", 10))
    play.subscribe(Books("BTC-PLN", 10))
    play.server(answer(proxied(play), book(103)), change(101), change(102), change(103), change(104))
    taken = [getattr(event, "seq_no", None) for event in box.take()]
    assert taken == [None, None, 104]
    assert ignored(play)["already in the book"] == 3


# Whatever nobody wants is left to run.


def test_book_that_breaks_while_nobody_wants_it_is_mended_when_somebody_does() -> None:
    play, (box,) = live(zonda.LimitedOrderBooks("BTC-PLN", 10))
    other = play.subscribe(zonda.Transactions("BTC-PLN"))
    play.settle(feed.Feed)
    play.unsubscribe(box)
    play.server(change(107), change(108))
    assert play.writer() == []
    again = play.subscribe(zonda.LimitedOrderBooks("BTC-PLN", 10))
    assert again.is_confirmed
    assert play.writer() == []
    play.server(change(109))
    play.server(answer(proxied(play), book(109)))
    assert again.kinds() == ["OrderBookPush", "OrderBookAnswer"]
    assert other.error is None


def test_confirmed_after_nobody_wants_it_is_not_asked_for_a_snapshot_until_somebody_does() -> None:
    play = Bench(VENUE)
    box, _ = play.subscribe(Books("BTC-PLN", 10)), play.subscribe(zonda.Transactions("BTC-PLN"))
    play.connect()
    play.writer()
    play.unsubscribe(box)
    play.server(confirm(TEN))
    assert play.writer() == []
    again = play.subscribe(Books("BTC-PLN", 10))
    again.take()
    play.server(answer(proxied(play), book(1)))
    assert again.kinds() == ["BookSnapshot"]


# The whole book.


def test_cut_book_is_asked_for_again_when_little_of_it_is_left() -> None:
    path = "orderbook/btc-pln"
    play, (box,), number = begun(Books("BTC-PLN"), path=path)
    buy = [(str(price), "1") for price in range(700, 1000)]
    play.server(answer(number, book(1, buy=buy, sell=[("1001", "1")])))
    (snapshot,) = box.take()
    assert isinstance(snapshot, BookSnapshot)
    assert snapshot.depth == 300
    play.server(change(2, *(("Buy", str(price), None) for price in range(900, 1000)), path=path))
    assert play.writer() == []
    play.server(change(3, ("Buy", "899", None), ("Buy", "600", "1"), path=path))
    number = proxied(play, path)
    assert box.kinds() == ["BookChange", "BookChange"]
    play.server(change(4, ("Buy", "898", None), path=path))
    assert play.writer() == []
    play.server(answer(number, book(4, buy=[(str(price), "1") for price in range(598, 898)], sell=[])))
    assert box.kinds() == ["BookChange", "BookSnapshot"]


def test_cut_book_that_is_used_up_is_broken() -> None:
    path = "orderbook/btc-pln"
    play, (box,), number = begun(Books("BTC-PLN"), path=path)
    buy = [(str(price), "1") for price in range(700, 1000)]
    play.server(answer(number, book(1, buy=buy, sell=[("1001", "1")])))
    play.server(change(2, *(("Buy", str(price), None) for price in range(700, 1000)), path=path))
    snapshot, gap = box.take()
    assert isinstance(snapshot, BookSnapshot)
    assert isinstance(gap, events.Gap)
    assert gap.reason == "the known part of the book is used up"
    play.server(answer(proxied(play, path), book(2)))
    assert box.kinds() == ["BookSnapshot", "Resynced"]


def test_after_a_reconnect_everything_is_new() -> None:
    play, (box,) = live(number=100)
    play.drop()
    play.connect()
    assert [said["action"] for said in requests(play.writer())] == ["subscribe-public"]
    box.take()
    play.server(change(7, ("Buy", "98", "1")), confirm(TEN))
    play.server(answer(proxied(play), book(6)))
    snapshot, resynced = box.take()
    assert isinstance(snapshot, BookSnapshot)
    assert snapshot.sequence == 7
    assert isinstance(resynced, events.Resynced)
