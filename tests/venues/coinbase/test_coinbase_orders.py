"""Books by order: subscribe, queue, fetch, drop, replay, live; a hole, a reconnect or a bad answer means anew."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.venues.bench import Bench, Line, Outbox
from tests.venues.coinbase import feed
from tests.venues.coinbase.feed import KEY, ack, compact, heartbeat, match, order
from trioquotes import events
from trioquotes._protocol.codec import BadFrame
from trioquotes._protocol.effects import Failure, Fetch, Options, Receipt, Reply, Skip, WireChannel
from trioquotes._protocol.sequence import OK, Step
from trioquotes.events import Event, OrderBookChange, OrderBookSnapshot
from trioquotes.topics import Books, OrderBooks, Topic
from trioquotes.venues import coinbase
from trioquotes.venues.coinbase import VENUE
from trioquotes.venues.coinbase.by_order import order_books
from trioquotes.venues.coinbase.runs import Runs

P = "BTC-USD"
RECEIPT = Receipt(7, b"raw")
TIME_NS = 1_787_628_957_198_335_000


def book(sequence: int, *bids: tuple[str, str, str], **more: Any) -> Reply:
    asks = [["99", "1", "far"]]
    return Reply(
        200,
        body=compact({"sequence": sequence, "bids": bids, "asks": asks, "time": feed.TIME} | more).encode(),
    )


def opened(sequence: int, own: str, price: str = "10", size: str = "1") -> str:
    return order("open", sequence, order_id=own, price=price, remaining_size=size)


def done(sequence: int, own: str) -> str:
    return order("done", sequence, order_id=own)


def started(*more: Topic[Any], level3: bool = False) -> tuple[Bench, Line, Outbox, list[Outbox]]:
    """Subscribed and confirmed, with the fetch of the book sent."""
    play = Bench(VENUE, credentials=KEY, extra={"by_order": "level3"} if level3 else None)
    box = play.subscribe(OrderBooks(P))
    others = [play.subscribe(topic) for topic in more]
    line = play.line("book" if level3 else "full")
    line.connect()
    line.writer()
    assert line.fetches == []  # not before the subscription is confirmed
    name = "level3" if level3 else "full"
    line.server(ack(**{name: [P], "heartbeat": [P]}))
    assert box.is_confirmed
    line.writer()
    line.server(ack(**{name: [P], "heartbeat": [P]}))
    for each in (box, *others):
        each.take()
    return play, line, box, others


def asked(line: Line, play: Bench) -> bool:
    """Whether the book is asked for within two seconds."""
    line.writer()
    if not line.fetches:
        play.advance(2.0)
        line.writer()
    return bool(line.fetches)


def orders(box: Outbox) -> list[str]:
    """The ids of the bids of the snapshot that came last."""
    found = [event for event in box.events if isinstance(event, OrderBookSnapshot)]
    return [own for _, _, own in found[-1].bids]


def test_changes_queue_are_dropped_replayed_and_then_live() -> None:
    _, line, box, _ = started()
    (fetch,) = line.fetches
    assert fetch.request.url == "https://api.exchange.coinbase.com/products/BTC-USD/book?level=3"
    assert fetch.cost == {"rest": 1}
    line.server(order("received", 10), opened(11, "a"), opened(12, "b"))
    assert box.take() == []
    line.answer(book(11, ("10", "1", "a")))
    assert orders(box) == ["a", "b"]
    assert box.kinds() == ["OrderBookSnapshot"]
    line.server(
        order("received", 13), match(1, sequence=14, maker_order_id="a", side="buy", price="10", size="1")
    )
    line.server(done(15, "a"), done(16, "unknown"))
    assert box.kinds() == ["OrderBookChange"]
    assert line.state.tally.count().ignored == {
        "acknowledgement": 2, "not on the book": 2, "queued for the snapshot": 2, "order not on the book": 2,
    }  # fmt: skip


def test_book_is_fetched_for_a_product_at_which_nothing_happens() -> None:
    play, line, box, _ = started()
    line.answer(book(500, ("10", "1", "a")))
    assert box.kinds() == ["OrderBookSnapshot"]
    line.server(opened(501, "b"))
    assert box.kinds() == ["OrderBookChange"]
    for _ in range(20):
        line.server(heartbeat())
        play.advance(1.0)
        assert not asked(line, play)


def test_snapshot_between_which_and_the_first_message_there_is_a_hole_is_said() -> None:
    play, line, box, (native,) = started(coinbase.Full(P))
    line.answer(book(10))
    line.server(opened(13, "a"))
    gap = box.take()[1]
    assert isinstance(gap, events.Gap)
    assert (gap.reason, gap.missed) == ("the sequence has a hole", 2)
    assert native.kinds() == ["Level3Book", "Gap", "Open"]
    assert asked(line, play)
    line.answer(book(12))
    assert orders(box) == ["a"]
    assert box.kinds() == ["OrderBookSnapshot", "Resynced"]


def test_messages_that_a_newer_book_has_already_reach_native_subscribers_all_the_same() -> None:
    _, line, box, (native,) = started(coinbase.Full(P))
    line.answer(book(12, ("10", "1", "a")))
    line.server(opened(10, "x"), opened(11, "a"), order("received", 12), opened(13, "b"))
    assert native.kinds() == ["Level3Book", "Open", "Open", "Received", "Open"]
    assert box.kinds() == ["OrderBookSnapshot", "OrderBookChange"]


def test_book_older_than_the_first_message_is_refused_and_asked_for_again() -> None:
    play, line, box, _ = started()
    line.server(opened(10, "a"))
    line.answer(book(8))
    assert box.take() == []
    assert line.state.tally.count().ignored["older than the messages"] == 1
    assert asked(line, play)
    line.answer(book(9))
    assert orders(box) == ["a"]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Failure("stream", "reset by peer"), "book of BTC-USD: reset by peer"),
        (Reply(429, body=b'{"message":"slow down"}'), "book of BTC-USD: HTTP 429"),
        (Reply(404, body=b'{"message":"NotFound"}'), "book of BTC-USD: HTTP 404"),
        (Reply(500), "book of BTC-USD: HTTP 500"),
        (Reply(200, body=b"[]"), ""),
        (book(5, ("1_0", "1", "a")), ""),
    ],
    ids=str,
)
def test_answer_without_a_book_is_asked_for_again_soon_and_more_and_more_rarely(
    reply: Reply | Failure, words: str
) -> None:
    play, line, box, _ = started()
    line.answer(reply)
    assert line.state.last_error == words
    assert asked(line, play)
    for _ in range(200):
        while line.fetches:
            line.answer(reply)
        line.server(heartbeat())
        play.advance(1.0)
        line.writer()
    fetched = [effect for effect in line.effects if isinstance(effect, Fetch)]
    assert 5 <= len(fetched) <= 12
    assert box.error is None
    assert {type(event).__name__ for event in box.take()} <= {"Malformed"}
    play.advance(60.0)
    line.writer()
    line.answer(book(5))
    assert box.kinds()[-1] == "OrderBookSnapshot"


def test_two_books_of_one_product_are_never_on_their_way() -> None:
    play, line, box, _ = started()
    line.server(opened(10, "a"), opened(15, "b"))
    for _ in range(15):
        line.server(heartbeat())
        play.advance(1.0)
        line.writer()
        assert len(line.fetches) == 1
    line.answer(book(11))
    assert box.kinds() == ["Gap"]
    assert asked(line, play)
    line.answer(book(14))
    assert orders(box) == ["b"]


def test_answer_that_never_comes_is_given_up_and_its_late_coming_harms_nothing() -> None:
    play, line, box, _ = started()
    line.server(opened(10, "a"))
    for _ in range(31):
        line.server(heartbeat())
        play.advance(1.0)
    line.writer()
    assert len(line.fetches) == 2
    first = line.fetches.pop(0)
    line.answer(book(9))
    assert orders(box) == ["a"]
    line.server(opened(11, "b"))
    box.take()
    line.fetches.insert(0, first)
    line.answer(book(10))
    assert box.take() == []
    line.server(opened(12, "c"))
    assert box.kinds() == ["OrderBookChange"]


def test_hole_means_anew() -> None:
    play, line, box, _ = started()
    line.answer(book(10, ("10", "1", "a")))
    box.take()
    line.server(opened(12, "b"), opened(13, "c"))
    (gap,) = box.take()
    assert isinstance(gap, events.Gap)
    assert gap.missed == 1
    assert asked(line, play)
    line.answer(book(12, ("10", "1", "b")))
    assert orders(box) == ["b", "c"]
    assert box.kinds() == ["OrderBookSnapshot", "Resynced"]


def test_reconnect_means_anew() -> None:
    play, line, box, _ = started()
    line.server(opened(10, "a"))
    line.answer(book(9))
    box.take()
    line.drop()
    assert box.kinds() == ["Disconnected", "Gap"]
    line.connect()
    line.writer()
    line.server(ack(full=[P], heartbeat=[P]))
    assert asked(line, play)
    line.answer(book(9))  # older than what came on the old line
    assert box.kinds() == ["Connected"]
    assert asked(line, play)
    line.answer(book(20, ("10", "1", "z")))
    assert orders(box) == ["z"]
    assert box.kinds() == ["OrderBookSnapshot", "Resynced"]
    line.server(opened(21, "y"))
    assert box.kinds() == ["OrderBookChange"]


def test_subscriber_beside_a_native_one_needs_a_book_as_new_as_the_messages_it_has_not_seen() -> None:
    play = Bench(VENUE, credentials=KEY)
    native = play.subscribe(coinbase.Full(P))
    line = play.line("full")
    line.connect()
    line.writer()
    line.server(ack(full=[P], heartbeat=[P]), opened(10, "a"), opened(11, "b"))
    line.writer()
    assert line.fetches == []  # nobody needs one
    box = play.subscribe(OrderBooks(P))
    assert box.is_confirmed
    assert asked(line, play)
    line.answer(book(10, ("10", "1", "a")))
    assert box.take() == []
    assert asked(line, play)
    line.answer(book(11, ("10", "1", "a"), ("10", "1", "b")))
    assert orders(box) == ["a", "b"]
    line.server(opened(12, "c"))
    assert box.kinds() == ["OrderBookSnapshot", "OrderBookChange"]
    assert native.kinds() == ["Connected", "Open", "Open", "Level3Book", "Open"]


def test_withdrawn_and_wanted_again_is_begun_anew() -> None:
    play, line, box, _ = started()
    line.server(opened(10, "a"))
    play.unsubscribe(box)
    line.writer()
    again = play.subscribe(OrderBooks(P))
    native = play.subscribe(coinbase.Full(P))
    line.server(opened(11, "b"), opened(12, "c").replace("10", "x"))  # late of the old subscription
    assert native.kinds() == again.kinds() == ["Malformed"]
    line.server(ack(heartbeat=[P]))
    line.writer()
    line.server(ack(full=[P], heartbeat=[P]))
    line.writer()
    line.answer(book(10))  # asked for by the old subscription
    assert again.take() == []
    assert asked(line, play)
    line.server(opened(20, "t"))
    line.answer(book(19))
    assert orders(again) == ["t"]
    assert native.kinds() == ["Open", "Level3Book"]
    assert line.state.tally.count().ignored["withdrawn"] == 2


def test_message_that_cannot_be_read_breaks_the_book_at_once() -> None:
    play, line, box, _ = started()
    line.answer(book(10))
    box.take()
    line.server(opened(11, "a").replace('"10"', '"1_0"'))
    made = box.take()
    assert [type(event).__name__ for event in made] == ["Malformed", "Gap"]
    assert isinstance(made[1], events.Gap)
    assert made[1].missed == 1
    line.server(opened(12, "b"))
    assert box.take() == []  # the next one follows the one that could not be read
    assert asked(line, play)
    line.answer(book(10))
    assert box.take() == []
    assert asked(line, play)
    line.answer(book(11))
    assert orders(box) == ["b"]
    line.server(opened(12, "b").replace('"10"', '"1_0"'))
    assert box.kinds() == ["OrderBookSnapshot", "Resynced", "Malformed"]  # an old one


def test_book_of_another_product_is_untouched() -> None:
    play = Bench(VENUE, credentials=KEY)
    one, other = play.subscribe(OrderBooks(P)), play.subscribe(OrderBooks("C-D"))
    line = play.line("full")
    line.connect()
    line.writer()
    line.server(ack(full=[P, "C-D"], heartbeat=[P, "C-D"]))
    line.writer()
    assert [fetch.request.url.split("/")[-2] for fetch in line.fetches] == [P, "C-D"]
    line.answer(book(10))
    line.answer(book(70))
    line.server(opened(13, "a"), order("open", 71, product="C-D"))
    assert one.kinds()[1:] == ["OrderBookSnapshot", "Gap"]
    assert other.kinds()[1:] == ["OrderBookSnapshot", "OrderBookChange"]


def test_level3_is_kept_likewise() -> None:
    _, line, box, _ = started(level3=True)
    rows = [
        ("open", P, "11", "a", "buy", "10", "2", feed.TIME),
        ("noop", P, "12", feed.TIME),
        ("open", P, "13", "b", "buy", "10", "1", feed.TIME),
        ("match", P, "14", "a", "t", "10", "0.5", feed.TIME),
        ("change", P, "15", "b", "11", "1", feed.TIME),
        ("done", P, "16", "a", feed.TIME),
    ]
    line.server(*(compact(row) for row in rows[:3]))
    line.answer(book(11, ("10", "2", "a")))
    line.server(*(compact(row) for row in rows[3:]))
    assert orders(box) == ["a", "b"]
    made = [event for event in box.take() if isinstance(event, OrderBookChange)]
    assert [(event.action, event.order_id, event.sequence) for event in made] == [
        ("match", "a", 14),
        ("change", "b", 15),
        ("done", "a", 16),
    ]


# What a message does to the book.


def one(frame: str) -> Any:
    return order_books(coinbase_read(frame), RECEIPT)


def coinbase_read(frame: str) -> Any:
    """The message, as a native subscriber gets it."""
    play = Bench(VENUE, credentials=KEY)
    box = play.subscribe(coinbase.Full(P))
    line = play.line("full")
    line.connect()
    line.writer()
    line.server(frame)
    return next(event for event in box.events if isinstance(event, events.WireMessage))


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (opened(5, "a", "10.50", "1.50"), ("open", "a", "bid", "10.50", "1.50")),
        (order("open", 5, side="sell"), ("open", "o-1", "ask", "10.00", "1.50")),
        (order("open", 5, side="both"), ("open", "o-1", None, "10.00", "1.50")),
        (match(1, sequence=5), ("match", "m-1", "ask", "10.50", "0.10")),
        (order("done", 5, price="10.0", remaining_size="0"), ("done", "o-1", "bid", "10.0", "None")),
        (order("done", 5), ("done", "o-1", "bid", "None", "None")),
        (
            order("change", 5, reason="STP", price="10.0", old_size="2", new_size="1.5"),
            ("change", "o-1", "bid", "10.0", "1.5"),
        ),
        (order("change", 5, price=None, old_size="2", new_size="1.5"), ("change", "o-1", "bid", "None", "1.5")),
        (
            order(
                "change", 5, reason="modify_order", old_price="10", new_price="9.5", old_size="2", new_size="3"
            ),
            ("change", "o-1", "bid", "9.5", "3"),
        ),
        (order("change", 5, price="10.0", old_size="2", new_size="0.00"), ("done", "o-1", "bid", "None", "None")),
    ],
)  # fmt: skip
def test_message_about_an_order_at_rest(frame: str, expected: tuple[str, ...]) -> None:
    made = one(frame)
    assert isinstance(made, OrderBookChange)
    assert (made.action, made.order_id, made.side, str(made.price), str(made.size)) == expected
    assert (made.venue, made.instrument, made.sequence, made.received_ns) == ("coinbase", P, 5, 7)
    assert (made.venue_time_ns, made.raw) == (TIME_NS, b"raw")


@pytest.mark.parametrize(
    ("frame", "sequence"),
    [
        (order("received", 5), 5),
        (order("change", 5, reason="STP", price=None, old_funds="9", new_funds="8"), 5),
        (order("change", 5, new_size=None, new_funds="8"), 5),
        (
            compact(
                {"type": "activate", "product_id": P, "timestamp": "1.5", "order_id": "o", "side": "buy"}
            ),
            None,
        ),
    ],
)
def test_message_that_touches_no_order_at_rest_still_says_its_number(
    frame: str, sequence: int | None
) -> None:
    assert one(frame) == Skip("not on the book", sequence)


def test_message_of_another_channel_is_none_of_the_book() -> None:
    heart = coinbase.Heartbeat(
        product_id=P, sequence=5, last_trade_id=1, time=coinbase_read(opened(5, "a")).time
    )
    assert order_books(heart, RECEIPT) == Skip("other message of the channel")


def test_level3_changes_that_leave_nothing_are_done() -> None:
    time = coinbase_read(opened(5, "a")).time
    made = order_books(
        coinbase.Level3Change(
            product_id=P, sequence=5, time=time, order_id="a", price=Decimal(1), size=Decimal("0.0")
        ),
        RECEIPT,
    )
    assert isinstance(made, OrderBookChange)
    assert made.action == "done"


# Audits.


SIGNED = Options(VENUE.endpoints["production"], has_credentials=True)


def read(topic: Topic[Event], body: str) -> Any:
    audit = VENUE.serve(topic, SIGNED).audit
    assert audit is not None
    assert audit.cost == {"rest": 1}
    level = 3 if isinstance(topic, OrderBooks) else 2
    assert audit.request.url == f"https://api.exchange.coinbase.com/products/BTC-USD/book?level={level}"
    assert audit.request.method == "GET"
    return audit.read(body.encode(), RECEIPT)


def test_books_by_price_are_audited_with_the_whole_book() -> None:
    body = (
        '{"bids":[["10.50","1.0",2],["11.0","3",1],["9","0.00",0]],"asks":[["12","2",7]],"sequence":13051505638,'
        '"auction_mode":false,"auction":null,"time":"2026-08-25T03:35:57.198335Z"}'
    )
    made = read(Books("BTC/USD"), body)
    assert made == events.BookSnapshot(
        venue="coinbase",
        instrument=P,
        venue_time_ns=TIME_NS,
        received_ns=7,
        sequence=13051505638,
        raw=b"raw",
        bids=((Decimal("11.0"), Decimal(3)), (Decimal("10.50"), Decimal("1.0"))),
        asks=((Decimal(12), Decimal(2)),),
        depth=None,
    )


def test_books_by_order_are_audited_with_every_order() -> None:
    body = '{"sequence":5,"bids":[["10.50","1","a"],["10.50","2","b"]],"asks":[],"time":"2026-08-25T03:35:57.198335Z"}'
    assert read(OrderBooks(P), body) == OrderBookSnapshot(
        venue="coinbase",
        instrument=P,
        venue_time_ns=TIME_NS,
        received_ns=7,
        sequence=5,
        raw=b"raw",
        bids=((Decimal("10.50"), Decimal(1), "a"), (Decimal("10.50"), Decimal(2), "b")),
        asks=(),
    )


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{}",
        '{"message":"NotFound"}',
        '{"sequence":5,"bids":[["1_0","1",1]],"asks":[]}',
        '{"sequence":5,"bids":[["1_0","1","a"]],"asks":[]}',
        '{"sequence":5,"bids":[],"asks":[],"auction_mode":true}',
    ],
)
def test_body_that_is_no_book_to_compare_with_is_refused(body: str) -> None:
    for topic in (Books(P), OrderBooks(P)):
        with pytest.raises(BadFrame):
            read(topic, body)


# Runs.

FULL = WireChannel("full", P)


def test_run_takes_what_follows_and_says_what_does_not() -> None:
    memory: dict[Any, Any] = {}
    runs = Runs(memory)
    assert runs.fits(FULL, 1)
    assert [runs.take(FULL, number) for number in (10, 11, 11, 9)] == [
        OK,
        OK,
        Step("duplicate"),
        Step("duplicate"),
    ]
    assert (runs.fits(FULL, 8), runs.fits(FULL, 9)) == (False, True)
    assert runs.take(FULL, 15) == Step("gap", 3)
    assert (runs.fits(FULL, 13), runs.fits(FULL, 14)) == (False, True)
    assert memory == {FULL: 15}


def test_what_was_missed_between_two_lines_is_counted_unless_a_book_made_up_for_it() -> None:
    memory: dict[Any, Any] = {FULL: 10}
    assert Runs(dict(memory)).take(FULL, 14) == Step("gap", 3)
    assert Runs(dict(memory)).take(FULL, 11) is OK
    assert Runs(dict(memory)).take(FULL, 10) == Step("gap", None)  # the count started again
    runs = Runs(dict(memory))
    assert (runs.fits(FULL, 9), runs.fits(FULL, 10)) == (False, True)
    runs.fetched(FULL, 20)
    assert not runs.fits(FULL, 19)
    assert runs.take(FULL, 14) is OK
    assert runs.take(FULL, 15) is OK


@pytest.mark.parametrize(("first", "step"), [(20, OK), (21, OK), (22, Step("gap", 1))])
def test_book_before_the_first_message_is_followed_by_it(first: int, step: Step) -> None:
    runs = Runs({})
    runs.fetched(FULL, 20)
    assert runs.take(FULL, first) == step


def test_lost_message_is_missing_unless_it_is_an_old_one() -> None:
    runs = Runs({})
    assert runs.take(FULL, 10) is OK
    assert runs.lose(FULL, 11) == Step("gap", 1)
    assert (runs.fits(FULL, 10), runs.fits(FULL, 11)) == (False, True)
    assert runs.lose(FULL, 14) == Step("gap", 3)
    assert runs.lose(FULL, 12) == Step("duplicate")
    assert runs.lose(FULL, None) == Step("gap", None)
    assert (runs.fits(FULL, 14), runs.fits(FULL, 15)) == (False, True)
    assert Runs({}).lose(FULL, None) == Step("gap", None)


def test_count_that_starts_again_is_a_gap_and_not_a_stream_of_old_messages() -> None:
    runs = Runs({})
    assert runs.take(FULL, 500_000) is OK
    assert runs.take(FULL, 400_000) == Step("duplicate")
    assert runs.take(FULL, 399_999) == Step("gap", None)
    assert runs.take(FULL, 400_000) is OK
    assert runs.fits(FULL, 399_998)


def test_book_for_a_late_comer_is_as_new_as_when_it_was_first_asked_for() -> None:
    runs = Runs({})
    runs.take(FULL, 10)
    runs.asked_book(FULL)
    runs.take(FULL, 11)
    runs.asked_book(FULL)  # the first answer was none
    assert (runs.fits(FULL, 9), runs.fits(FULL, 10)) == (False, True)
    runs.fetched(FULL, 11)
    runs.take(FULL, 12)
    runs.asked_book(FULL)
    assert (runs.fits(FULL, 11), runs.fits(FULL, 12)) == (False, True)


def test_requests_are_json_with_the_channel_of_the_option() -> None:
    play = Bench(VENUE, credentials=KEY, extra={"by_order": "level3"})
    play.subscribe(OrderBooks(P))
    line = play.line("book")
    line.connect()
    (said,) = (json.loads(frame) for frame in line.writer()[:1])
    assert said["channels"][0] == {"name": "level3", "product_ids": [P]}
