"""Books: which messages are one, how deep they are, and the snapshots that kept ones are compared with."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.venues.bench import Bench
from tests.venues.bookcheck import Reader
from tests.venues.upbit.market import MS, Market, book, compact, ladder, said, served, trade
from trioquotes._protocol.audit import Watch
from trioquotes._protocol.codec import BadFrame
from trioquotes._protocol.effects import Endpoint, Options, Receipt
from trioquotes.events import BookSnapshot, Depth, Disconnected, Event, Gap, Malformed, Quote, Resynced
from trioquotes.topics import Books, Depths, Quotes, Topic, Trades
from trioquotes.venues import upbit
from trioquotes.venues.upbit import VENUE, OrderbookUnit
from trioquotes.venues.upbit.books import OLDER, PATIENCE_S, Clock, fault_of, sides
from trioquotes.venues.upbit.depths import SETTLED_S
from trioquotes.venues.upbit.depths import Depths as Asked

OPTIONS = Options(VENUE.endpoints["production"])
RECEIPT = Receipt(5, b"raw")


def units(*rows: tuple[float, float, float, float]) -> tuple[OrderbookUnit, ...]:
    """Of ask price, ask size, bid price, bid size."""
    return tuple(
        OrderbookUnit(
            ask_price=Decimal(str(ask)),
            ask_size=Decimal(str(ask_size)),
            bid_price=Decimal(str(bid)),
            bid_size=Decimal(str(bid_size)),
        )
        for ask, ask_size, bid, bid_size in rows
    )


def told(box: Any) -> list[type[Event]]:
    return [type(event) for event in box.take()]


# The levels of a message.


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ([(7, 1, 6, 1), (8, 1, 5, 1)], None),
        ([], None),
        ([(7, 1, 6, 1), (0, 0, 5, 1), (0, 0, 4, 1)], None),
        ([(7, 1, 6, 1), (0, 9, 5, 1)], None),  # recorded: no price, no level
        ([(7, 1, 0, 0)], None),
        ([(-7, 1, 6, 1)], "negative ask: 1 at -7"),
        ([(7, 1, 6, -0.5)], "negative bid: -0.5 at 6"),
        ([(7, 1, 6, 1), (7, 1, 5, 1)], "asks out of order: 7 after 7"),
        ([(7, 1, 6, 1), (8, 1, 6.5, 1)], "bids out of order: 6.5 after 6"),
        ([(7, 1, 6, 1), (8, 0, 5, 1), (9, 1, 4, 1)], "asks with a hole"),
        ([(7, 1, 0, 0), (8, 1, 5, 1)], "bids with a hole"),
    ],
    ids=str,
)
def test_levels_that_no_book_has_are_a_fault(
    rows: list[tuple[float, float, float, float]], fault: str | None
) -> None:
    assert fault_of(units(*rows)) == fault


def test_sides_are_cut_and_without_padding() -> None:
    rows = units((7, 1, 6, 1), (8, 2, 5, 3), (0, 0, 4, 1))
    assert sides(rows, 30) == (
        ((Decimal(6), Decimal(1)), (Decimal(5), Decimal(3)), (Decimal(4), Decimal(1))),
        ((Decimal(7), Decimal(1)), (Decimal(8), Decimal(2))),
    )
    assert sides(rows, 1) == (((Decimal(6), Decimal(1)),), ((Decimal(7), Decimal(1)),))


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (book((117, 1, 116, -2)), "negative bid: -2 at 116"),
        (book((117, 1, 116, 2), (116.5, 1, 115, 2)), "asks out of order"),
        (book((116, 1, 116, 2)), "locked book"),
        (book((115, 1, 116, 2)), "crossed book"),
        (book(*ladder(31)), "31 levels where 30 were asked for"),
        (book(level=10), "prices grouped by 10"),
        (book(timestamp=MS - 1), OLDER),
        (book().replace("116.0", '"x"'), "cannot be read"),
    ],
    ids=["negative", "order", "locked", "crossed", "wide", "grouped", "older", "unreadable"],
)
def test_a_message_that_cannot_be_the_book_is_a_gap_and_no_other_book_hears_of_it(
    frame: str, reason: str
) -> None:
    play = Bench(VENUE)
    mine = [play.subscribe(topic) for topic in (Books("KRW-BTC"), Depths("KRW-BTC"), Quotes("KRW-BTC"))]
    other = play.subscribe(Books("KRW-ETH"))
    served(play, *mine, other)
    play.server(frame)
    for box in mine:
        (gap,) = [event for event in box.take() if not isinstance(event, Malformed)]
        assert isinstance(gap, Gap)
        assert reason in gap.reason
    assert other.take() == []
    (request,) = said(play)
    assert request[1]["codes"] == ["KRW-BTC.30", "KRW-ETH.30"]
    play.server(book(*ladder(2), stream="SNAPSHOT"))
    assert [told(box) for box in mine] == [[BookSnapshot, Resynced], [Depth], [Quote]]
    play.advance(6.0)
    assert said(play) == []


def test_a_fault_that_stays_is_said_once_and_asked_about_ever_more_rarely() -> None:
    play = Bench(VENUE)
    books = play.subscribe(Books("KRW-BTC"))
    served(play, books)
    asked = 0
    for _ in range(600):
        play.server(book(*ladder(31)))
        asked += len(said(play))
        play.advance(0.5)
        play.line().pong()
    assert told(books) == [Gap]
    assert 5 <= asked <= 15
    play.server(book(*ladder(3)))
    assert told(books) == [BookSnapshot, Resynced]
    play.assert_polite()


def test_a_refused_message_is_shown_as_it_is_to_who_wants_messages() -> None:
    play = Bench(VENUE)
    native = play.subscribe(upbit.Orderbooks("KRW-BTC"))
    served(play, native)
    play.server(book((117, -1, 116, 2)))
    gap, message = native.take()
    assert isinstance(gap, Gap)
    assert isinstance(message, upbit.Orderbook)
    assert message.refused == "negative ask: -1 at 117"


# Time.


def test_a_snapshot_that_is_older_than_the_book_is_passed_over() -> None:
    play = Bench(VENUE)
    books = play.subscribe(Books("KRW-BTC"))
    served(play, books)
    play.server(book((118, 1, 117, 1), timestamp=MS + 300))
    play.subscribe(Trades("KRW-BTC"))  # restates all
    assert len(said(play)) == 1
    books.take()
    play.server(book((117, 1, 116, 2), stream="SNAPSHOT", timestamp=MS + 200), trade(stream="SNAPSHOT"))
    assert books.take() == []
    assert play.line().state.tally.ignored[OLDER] == 1
    assert said(play) == []
    play.server(book((117, 1, 116, 2), timestamp=MS + 300))
    assert told(books) == [BookSnapshot]


def test_a_snapshot_older_than_what_came_before_the_line_was_lost_is_asked_for_again() -> None:
    play = Bench(VENUE)
    books = play.subscribe(Books("KRW-BTC"))
    served(play, books)
    play.server(book(timestamp=MS + 300))
    play.drop()
    play.connect()
    books.take()
    said(play)
    play.server(book(stream="SNAPSHOT", timestamp=MS + 200))
    assert books.take() == []
    assert books.is_confirmed
    assert len(said(play)) == 1
    play.server(book(stream="SNAPSHOT", timestamp=MS + 300))
    assert told(books) == [BookSnapshot, Resynced]
    play.advance(6.0)
    assert said(play) == []


def test_the_venues_clock_may_be_put_back() -> None:
    play = Bench(VENUE)
    books = play.subscribe(Books("KRW-BTC"))
    served(play, books)
    back_ms = MS - 3_600_000
    for step in range(60):
        play.server(book(timestamp=back_ms + step * 100))
        said(play)
        play.advance(0.1)
    kinds = told(books)
    assert kinds[:3] == [Gap, BookSnapshot, Resynced]
    assert set(kinds[3:]) == {BookSnapshot}
    assert len(kinds) == 3 + 60 - 1 - int(PATIENCE_S * 10)


def test_clock_takes_what_has_no_time_and_never_what_is_late() -> None:
    clock = Clock()
    assert clock.take(None, 0, snapshot=True, needed=True) == "newer"
    assert clock.take(7, 0, snapshot=False, needed=False) == "newer"
    assert clock.take(None, 0, snapshot=False, needed=False) == "newer"
    assert clock.take(7, 0, snapshot=False, needed=False) == "newer"
    assert clock.take(6, 1, snapshot=True, needed=False) == "older"
    assert clock.take(6, 99, snapshot=True, needed=False) == "older"  # nobody waits: it may be late for ever
    assert clock.take(6, 99, snapshot=True, needed=True) == "older"
    assert clock.take(5, 99 + PATIENCE_S, snapshot=True, needed=True) == "older"  # and that is older still
    assert clock.take(5, 99 + 2 * PATIENCE_S, snapshot=True, needed=True) == "restarted"
    assert clock.take(4, 200, snapshot=False, needed=False) == "back"
    assert clock.take(3, 201, snapshot=False, needed=True) == "older"
    assert clock.take(4, 200 + PATIENCE_S, snapshot=False, needed=True) == "newer"
    assert clock.take(4, 300, snapshot=True, needed=False) == "newer"


# Depth.


@given(
    st.lists(st.tuples(st.sampled_from([1, 5, 15, 30]), st.integers(0, 3)), min_size=1, max_size=12),
    st.integers(0, 40),
)
def test_a_message_never_counts_for_deeper_than_it_was_asked(
    requests: list[tuple[int, int]], levels: int
) -> None:
    depths = Asked()
    wire: list[int] = []  # the depths of what is on its way: one snapshot a request, then what it serves
    for asked, realtime in requests:
        depths.asked({"A": asked}, 0.0)
        wire += [asked] * (1 + realtime)
        for depth in wire[: realtime + 1]:
            shown = min(depth, levels)
            seen = depths.seen("A", shown, 0.0, snapshot=False)
            assert seen is not None
            assert seen.depth <= depth or shown == levels, "a cut book passed for a whole one"
            assert shown <= seen.most
        wire = wire[realtime + 1 :]


def test_depth_is_what_may_be_in_force() -> None:
    asked = Asked()
    assert asked.seen("A", 30, 0.0, snapshot=True) is None
    asked.asked({"A": 5}, 0.0)
    assert asked.seen("A", 5, 0.0, snapshot=True) == (5, 5)
    assert asked.seen("A", 4, 0.0, snapshot=False) == (30, 5)  # fewer than asked for: the whole book
    asked.asked({"A": 15, "B": 1}, 1.0)
    assert asked.seen("A", 5, 1.0, snapshot=False) == (5, 15)  # which request it answers cannot be said
    assert asked.seen("A", 15, 1.0, snapshot=False) == (15, 15)  # but this shows it
    assert asked.seen("A", 5, 1.0, snapshot=False) == (30, 15)
    asked.asked({"A": 5, "B": 1}, 2.0)
    assert asked.seen("A", 15, 2.0, snapshot=False) == (15, 15)
    assert asked.seen("A", 15, 2.0 + SETTLED_S, snapshot=False) == (5, 5)  # more than was asked for


def test_what_an_earlier_subscription_left_is_of_no_use_to_a_later_one() -> None:
    asked = Asked()
    asked.asked({"A": 5, "B": 1}, 0.0)
    asked.asked({"B": 1}, 1.0)
    assert asked.seen("A", 2, 1.0, snapshot=False) is None
    asked.asked({"A": 15, "B": 1}, 2.0)
    assert asked.seen("A", 2, 2.0, snapshot=False) == (0, 15)
    assert asked.seen("A", 2, 2.0, snapshot=True) == (0, 15)  # the answer to the first request
    assert asked.seen("A", 2, 2.0, snapshot=True) == (30, 15)
    assert asked.seen("A", 2, 2.0, snapshot=False) == (30, 15)
    late_s = 3.0 + SETTLED_S
    for left_s in (3.0, late_s):
        asked.asked({"B": 1}, left_s)
    asked.asked({"A": 1, "B": 1}, late_s)  # so late that nothing can be left
    assert asked.seen("A", 1, late_s, snapshot=False) == (1, 1)
    asked.asked({"B": 1}, late_s + 1.0)
    asked.asked({"A": 1, "B": 1}, late_s + 2.0)
    assert asked.seen("A", 1, late_s + 2.0 + SETTLED_S, snapshot=False) == (1, 1)  # its snapshot never came


def test_a_line_that_was_held_up_brings_the_answers_to_old_requests_too() -> None:
    asked = Asked()
    for number, depth in enumerate((5, 30, 30, 5, 5, 30)):
        asked.asked({"A": depth}, 6.0 * number)
    held_s = 49.0  # nothing came since the first request, and the line is not given up yet
    shown = [asked.seen("A", depth, held_s, snapshot=True) for depth in (5, 30, 30, 5, 5, 30)]
    assert [seen.depth for seen in shown if seen is not None] == [5, 30, 30, 5, 5, 30]


def test_what_is_left_of_a_book_that_was_given_up_makes_no_other() -> None:
    play = Bench(VENUE)
    shallow = play.subscribe(Books("KRW-BTC", 1))
    served(play, shallow, play.subscribe(Books("KRW-ETH")))
    play.unsubscribe(shallow)
    assert len(said(play)) == 1
    deep = play.join(Reader(Books("KRW-BTC", 15)))
    play.server(book())  # before the request goes out
    said(play)
    play.server(book())  # and before it is answered
    assert not deep.trusting
    play.server(book(*ladder(2), stream="SNAPSHOT"))
    assert deep.trusting
    assert len(deep.bids) == 2


def test_a_deep_book_that_may_have_been_cut_is_a_gap() -> None:
    play = Bench(VENUE)
    shallow, deep = play.subscribe(Books("KRW-BTC", 5)), None
    served(play, shallow)
    deep = play.subscribe(Books("KRW-BTC", 15))
    said(play)
    play.server(book(*ladder(3)))  # fewer than 5: the whole book, whatever it answers
    assert [told(box) for box in (shallow, deep)] == [[BookSnapshot], [BookSnapshot]]
    play.server(book(*ladder(5)))
    gap, *rest = deep.take()
    assert isinstance(gap, Gap)
    assert gap.reason == "not deep enough"
    assert rest == []
    assert told(shallow) == [BookSnapshot]
    assert len(said(play)) == 1
    play.server(book(*ladder(6), stream="SNAPSHOT"))
    assert [told(box) for box in (shallow, deep)] == [[BookSnapshot], [BookSnapshot, Resynced]]


# Views.


def test_a_quote_is_the_first_level_whenever_it_changes() -> None:
    play = Bench(VENUE)
    quotes, depths = play.subscribe(Quotes("KRW-BTC")), play.subscribe(Depths("KRW-BTC", 2))
    play.connect()
    said(play)
    play.server(
        book((117, 1, 116, 2), (118, 1, 115, 2)),
        book((117, 1, 116, 2), (118, 1, 115, 2), (119, 1, 114, 2)),
        book((117, 1, 116, 2), (118, 9, 115, 2)),
        book((117, 1.5, 116, 2)),
        book((0, 0, 116, 2)),
        book().replace(book()[book().index("[") : book().index("]") + 1], "[]"),
    )
    made = [event for event in quotes.take() if isinstance(event, Quote)]
    assert [(quote.ask, quote.ask_size, quote.bid, quote.bid_size) for quote in made] == [
        (117, 1, 116, 2),
        (117, Decimal("1.5"), 116, 2),
        (None, None, 116, 2),
        (None,) * 4,
    ]
    views = [event for event in depths.take() if isinstance(event, Depth)]
    assert [(len(view.bids), len(view.asks)) for view in views] == [(2, 2), (2, 2), (1, 1), (1, 0), (0, 0)]
    assert all(view.venue_time_ns == MS * 1_000_000 for view in (*made, *views))


def test_a_late_view_starts_from_the_book_that_is_there() -> None:
    play = Bench(VENUE)
    served(play, play.subscribe(Books("KRW-BTC", 10)))
    late = play.subscribe(Depths("KRW-BTC"))
    (view,) = late.take()
    assert isinstance(view, Depth)
    assert len(view.bids) == 10
    assert said(play) == []


def test_a_book_taken_over_from_another_topic_has_a_gap_when_the_line_is_lost() -> None:
    play = Bench(VENUE)
    served(play, play.subscribe(Books("KRW-BTC", 1)))
    late = play.subscribe(Quotes("KRW-BTC"))  # starts from that book, before it is confirmed itself
    play.drop()
    assert told(late) == [Quote, Disconnected, Gap]


# Snapshots by REST.


def page(*rows: tuple[float, float, float, float], **more: Any) -> bytes:
    listed = [
        {"ask_price": ask, "bid_price": bid, "ask_size": ask_size, "bid_size": bid_size}
        for ask, ask_size, bid, bid_size in rows
    ]
    told = {
        "market": "KRW-BTC", "timestamp": MS, "total_ask_size": 8.83621228, "total_bid_size": 2.43976741,
        "orderbook_units": listed, "level": 0,
    }  # fmt: skip
    return compact([told | more]).encode()


@pytest.mark.parametrize(
    ("topic", "depth"),
    [(Books("KRW-BTC"), 30), (Books("BTC/KRW", 7), 7), (Depths("KRW-BTC"), 10), (Quotes("KRW-BTC"), 1)],
    ids=str,
)
def test_a_kept_book_is_audited_with_as_many_levels_by_rest(topic: Topic[Event], depth: int) -> None:
    serving = VENUE.serve(topic, OPTIONS)
    assert serving.audit is not None
    assert serving.depth == depth
    assert serving.audit.request.url == f"https://api.upbit.com/v1/orderbook?markets=KRW-BTC&count={depth}"
    assert (serving.audit.request.method, dict(serving.audit.cost)) == ("GET", {"rest": 1})
    found = serving.audit.read(page(*ladder(31)), RECEIPT)
    assert found == BookSnapshot(
        venue="upbit",
        instrument="KRW-BTC",
        venue_time_ns=MS * 1_000_000,
        received_ns=5,
        raw=b"raw",
        bids=tuple((Decimal(116 - step), Decimal(2)) for step in range(min(31, depth))),
        asks=tuple((Decimal(117 + step), Decimal(1)) for step in range(min(31, depth))),
        depth=depth,
    )


def test_a_fetched_book_keeps_every_digit_and_loses_its_padding() -> None:
    audit = VENUE.serve(Books("KRW-BTC", 5), OPTIONS).audit
    assert audit is not None
    body = (
        b'[{"market":"KRW-BTC","timestamp":1529910247984,"total_ask_size":8.83621228,"total_bid_size":2.43976741,'
        b'"orderbook_units":[{"ask_price":1.16539E8,"bid_price":106691000.00000000,"ask_size":7.9276E-4,'
        b'"bid_size":0.12345678901234567},{"ask_price":0,"bid_price":106690000,"ask_size":0,"bid_size":1}],"new":1}]'
    )
    found = audit.read(body, RECEIPT)
    assert found.asks == ((Decimal("1.16539E8"), Decimal("7.9276E-4")),)
    assert found.bids[0] == (Decimal("106691000.00000000"), Decimal("0.12345678901234567"))
    assert len(found.bids) == 2


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"[]", "books of []"),  # a level that the market has not
        (page(market="KRW-ETH"), "not of KRW-BTC"),
        (page(level=10000), "grouped by 10000"),
        (page((7, 1, 8, 1)), "crossed book: 8 bid and 7 asked"),
        (page((7, 1, 7, 1)), "crossed book"),
        (page((7, -1, 6, 1)), "negative ask"),
        (page((7, 1, 6, 1), (7, 1, 5, 1)), "out of order"),
        (b'{"error":{"name":404,"message":"Code not found"}}', "Expected `array`"),
        (page().replace(b'"orderbook_units":[]', b'"orderbook_units":null'), "orderbook_units"),
        (page((7, 1, 6, 1)).replace(b'price":7', b'price":[7]'), "Expected `decimal`"),
        (b"<html>", "malformed"),
    ],
    ids=[
        "none",
        "other",
        "grouped",
        "crossed",
        "locked",
        "negative",
        "order",
        "error",
        "null",
        "text",
        "html",
    ],
)
def test_a_body_that_is_no_book_is_none(body: bytes, words: str) -> None:
    audit = VENUE.serve(Books("KRW-BTC"), OPTIONS).audit
    assert audit is not None
    with pytest.raises(BadFrame) as caught:
        audit.read(body, RECEIPT)
    assert words in caught.value.reason


def test_without_rest_and_without_a_kept_book_there_is_no_audit() -> None:
    bare = Options(Endpoint("wss://example.com/websocket/v1"))
    assert VENUE.serve(Books("KRW-BTC"), bare).audit is None
    assert VENUE.serve(upbit.Orderbooks("KRW-BTC", level="10000"), OPTIONS).audit is None


def test_a_wrong_book_is_found_by_its_audit() -> None:
    play = Bench(VENUE)
    books = play.subscribe(Books("KRW-BTC", 5))
    played = served(play, books)
    play.server(book(*ladder(3)))
    books.take()
    feed = played.planner.feeds[Books("KRW-BTC", 5)]
    assert feed.serving.audit is not None
    for rows, differing in ((ladder(3), 0), ([(117, 1, 116, 9), *ladder(3)[1:]], 1)):
        feed.watch = Watch(feed.book)  # type: ignore[attr-defined]
        fetched = feed.serving.audit.read(page(*rows), RECEIPT)
        assert play.line().state.audit(feed, fetched, play.receipt()) == differing  # type: ignore[arg-type]
    assert [type(event).__name__ for event in books.take()] == ["Audited", "Gap"]
    assert len(said(play)) == 1
    play.settle(Market)
    play.server(book(*ladder(3)))
    assert told(books) == [BookSnapshot, Resynced]


def test_what_is_kept_of_requests_is_bounded() -> None:
    asked = Asked()
    for number in range(10_000):
        asked.asked({"A": 5, f"B{number}": 1}, float(number))
    assert len(asked._books) < 3 * SETTLED_S
    assert len(asked._books["A"].asked) + len(asked._books["A"].owed) < 3 * SETTLED_S
