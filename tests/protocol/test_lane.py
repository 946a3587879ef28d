"""The sink of a lane: who gets what, what is counted, and what everybody is told."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocol.stage import (
    BOOK,
    TRADES,
    Note,
    book_serving,
    change,
    levels,
    maker,
    snapshot,
    stamp,
    trade,
)
from tests.venues.bench import Outbox
from trioquotes._protocol.bookkeeper import BookFeed
from trioquotes._protocol.effects import (
    Fetch,
    HttpRequest,
    Lane,
    RejectionKind,
    Send,
    Serving,
    Skip,
    WireChannel,
)
from trioquotes._protocol.feeds import EventFeed, Feed, NativeFeed
from trioquotes._protocol.lane import LaneState
from trioquotes._protocol.ordering import OrderFeed
from trioquotes._protocol.tally import Tally
from trioquotes.errors import AuthenticationFailed, ConnectFailed, SubscriptionRejected, TrioquotesError
from trioquotes.events import (
    Connected,
    Disconnected,
    Malformed,
    OrderBookChange,
    OrderBookSnapshot,
    Rejected,
    Stale,
    Throttled,
    Unknown,
)
from trioquotes.topics import Books, OrderBooks, Trades

BEAT = WireChannel("heartbeat", "X")
MANY = WireChannel("all")


def trades_feed() -> EventFeed:
    return EventFeed("v", Trades("X"), Serving((TRADES,), "events", maker))


def native_feed(channel: WireChannel = TRADES, only: str = "") -> NativeFeed:
    return NativeFeed("v", Trades(only or "native"), Serving((channel,), "native", only=only))


def book_feed() -> BookFeed:
    return BookFeed("v", Books("X"), book_serving())


def joined(feed: Feed) -> Outbox:
    box = Outbox(feed.topic)
    feed.join(box, 0)
    return box


def lane(*feeds: Feed, implied: tuple[WireChannel, ...] = (), raw: bool = False) -> LaneState:
    """A lane that is up and has asked for the feeds' channels."""
    state = LaneState("v", Lane("public", 2), raw=raw)
    reroute(state, *feeds, implied=implied)
    state.connected(stamp(0.0))
    channels = [channel for feed in feeds for channel in feed.serving.channels]
    if channels or implied:
        state.sent(Send(b"{}", 1, asks=frozenset([*channels, *implied])), stamp(0.0))
    return state


def reroute(state: LaneState, *feeds: Feed, implied: tuple[WireChannel, ...] = ()) -> None:
    takers: dict[WireChannel, list[Feed]] = {}
    for feed in feeds:
        for channel in feed.serving.channels:
            takers.setdefault(channel, []).append(feed)
    state.route([*takers, *(channel for channel in implied if channel not in takers)], takers)


def opened(sequence: int) -> OrderBookChange:
    return OrderBookChange(
        venue="v", instrument="X", received_ns=7, action="open", sequence=sequence, order_id=f"{sequence}",
        price=Decimal(10), size=Decimal(1), side="bid",
    )  # fmt: skip


def by_order(sequence: int) -> OrderBookSnapshot:
    return OrderBookSnapshot(venue="v", instrument="X", received_ns=7, sequence=sequence, bids=(), asks=())


def feed_one(state: LaneState, channel: WireChannel, made: Any = None, **more: Any) -> None:
    state.begin(b"frame", stamp(1.0))
    state.deliver(channel, Note(makes=trade() if made is None else made), **more)


# Who gets what, and how it is counted.


def test_a_message_counts_once_however_many_take_it() -> None:
    first, second = trades_feed(), native_feed()
    state = lane(first, second)
    boxes = [joined(first), joined(first), joined(second)]
    feed_one(state, TRADES, elements=4)
    count = state.tally.count()
    assert (count.frames, count.bytes, count.elements, count.delivered, count.folded) == (1, 5, 4, 1, 3)
    assert [box.kinds() for box in boxes] == [["Trade"], ["Trade"], ["Note"]]
    assert state.data_since_s == 1.0


def test_unwanted_messages_are_ignored_with_their_reason() -> None:
    feed = trades_feed()
    joined(feed)
    state = lane(feed, native_feed(MANY, "A"), implied=(BEAT,))
    feed_one(state, WireChannel("other"), elements=2)
    feed_one(state, BEAT)
    feed_one(state, MANY, instrument="B")
    feed_one(state, TRADES, Skip("last match"), elements=3)
    reroute(state)
    feed_one(state, TRADES)
    state.connected(stamp(2.0))
    feed_one(state, TRADES)
    count = state.tally.count()
    assert count.ignored == {"heartbeat": 1, "last match": 3, "not subscribed": 4, "withdrawn": 1}
    assert count.elements == 9
    assert count.delivered == 0


def test_the_first_reason_counts_where_nobody_takes_it() -> None:
    state = lane(trades_feed(), EventFeed("v", Trades("Y"), Serving((TRADES,), "events", maker)))
    feed_one(state, TRADES, Skip("history"))
    assert state.tally.count().ignored == {"history": 1}


def test_what_a_tick_says_has_the_time_of_the_tick() -> None:
    feed = trades_feed()
    box = joined(feed)
    state = lane(feed)
    box.take()
    state.at(stamp(8.0))
    state.stale(TRADES, 5.0)
    (notice,) = box.take()
    assert isinstance(notice, Stale)
    assert notice.received_ns == 8_000_000_000


def test_one_taker_is_enough_to_be_delivered() -> None:
    skips, takes = trades_feed(), native_feed()
    state = lane(skips, takes)
    joined(takes)
    feed_one(state, TRADES, Skip("not mine"))
    assert (state.tally.delivered, dict(state.tally.ignored)) == (1, {})


def test_a_channel_of_many_instruments_reaches_those_who_want_one_or_all() -> None:
    one, other, everything = native_feed(MANY, "A"), native_feed(MANY, "B"), native_feed(MANY)
    again = NativeFeed("v", Trades("again"), Serving((MANY,), "native", only="A"))
    state = lane(one, other, everything, again)
    boxes = [joined(feed) for feed in (one, other, everything, again)]
    feed_one(state, MANY, instrument="A")
    feed_one(state, MANY, instrument="C")
    assert [len(box.events) for box in boxes] == [1, 0, 2, 1]
    state.gap(MANY, "lost", instrument="B")
    assert [len(box.take()) for box in boxes] == [1, 1, 3, 1]
    state.gap(MANY, "lost")
    assert [box.kinds() for box in boxes] == [["Gap"]] * 4


def test_raw_frames_are_kept_on_request() -> None:
    for raw in (False, True):
        feed = native_feed()
        state = lane(feed, raw=raw)
        box = joined(feed)
        feed_one(state, TRADES)
        (event,) = box.take()
        assert isinstance(event, Note)
        assert event.raw == (b"frame" if raw else None)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["deliver", "folded", "ignored", "malformed", "unknown"]), st.integers(1, 9)
        )
    )
)
def test_the_dispositions_add_up(steps: list[tuple[str, int]]) -> None:
    feed = trades_feed()
    state = lane(feed)
    joined(feed)
    for what, elements in steps:
        match what:
            case "deliver":
                feed_one(state, TRADES, elements=elements)
            case "folded":
                state.folded(elements)
            case "ignored":
                state.ignored("r", elements)
            case "malformed":
                state.malformed(b"x", "broken", elements=elements)
            case _:
                state.unknown("new", b"x", channel=TRADES, elements=elements)
    count = state.tally.count()
    assert count.elements == sum(elements for _, elements in steps)
    parts = count.delivered + count.folded + sum(count.ignored.values()) + count.malformed
    assert count.elements == parts
    twice = count + count
    assert (twice.elements, twice.ignored) == (
        2 * count.elements,
        {k: 2 * n for k, n in count.ignored.items()},
    )
    assert count + Tally().count() == count


# What everybody is told.


def test_notices_of_the_line_reach_all_and_those_of_a_channel_its_takers() -> None:
    trades, book = trades_feed(), book_feed()
    state = lane(trades, book)
    boxes = [joined(trades), joined(book)]
    state.begin(b"frame", stamp(4.0))
    state.malformed(b"bad", "why")
    state.throttled("50 a minute", until_ns=9)
    state.unknown("new", b"odd", channel=BOOK)
    state.stale(TRADES, 12.5)
    first, second = boxes[0].take(), boxes[1].take()
    assert first[0] is second[0]
    assert isinstance(first[0], Malformed)
    assert (first[0].topic, first[0].reason, first[0].frame, first[0].received_ns) == (
        None,
        "why",
        b"bad",
        4_000_000_000,
    )
    assert isinstance(first[1], Throttled)
    assert (first[1].reason, first[1].until_ns) == ("50 a minute", 9)
    assert isinstance(second[2], Unknown)
    assert (second[2].topic, second[2].kind) == (book.topic, "new")
    assert isinstance(first[2], Stale)
    assert (first[2].topic, first[2].instrument, first[2].silent_s) == (trades.topic, "X", 12.5)
    assert (len(first), len(second)) == (3, 3)
    state.stale(WireChannel("other"), 1.0)
    assert boxes[0].events == boxes[1].events == []


def test_control_frames_pings_and_words_are_kept_for_the_runtime() -> None:
    state = lane()
    state.reply(b"pong")
    state.ping()
    state.error("words")
    state.lost("first")
    state.lost("second")
    kept = (list(state.replies), state.pings_due, state.last_error, state.lost_reason)
    assert kept == ([b"pong"], 1, "words", "first")
    state.connected(stamp(1.0))
    fresh = (list(state.replies), state.pings_due, state.last_error, state.lost_reason, state.data_since_s)
    assert fresh == ([], 0, "", None, None)


def test_a_line_says_when_it_comes_and_goes() -> None:
    feed = trades_feed()
    box = joined(feed)
    state = lane(feed)
    state.confirmed([TRADES])
    state.disconnected(stamp(3.0), reason="reset", code=1006)
    state.connected(stamp(4.0))
    up, down, gap, again = box.take()
    assert isinstance(up, Connected)
    assert (up.lane, up.connection) == ("public-2", 1)
    assert isinstance(down, Disconnected)
    assert (down.code, down.reason, down.planned, down.connection) == (1006, "reset", False, 1)
    assert (type(gap).__name__, getattr(gap, "reason", "")) == ("Gap", "disconnected")
    assert isinstance(again, Connected)
    assert again.connection == 2
    assert state.tally.gaps == 1
    assert list(state.ledger.to_ask) == [TRADES]


def test_data_before_its_acknowledgement_is_no_less_lost() -> None:
    feed = trades_feed()
    box = joined(feed)
    state = lane(feed)
    feed_one(state, TRADES)
    state.disconnected(stamp(3.0), reason="reset", code=1006, gap_reason="message too large")
    *_, gap = box.take()
    assert getattr(gap, "reason", "") == "message too large"


def test_a_topic_on_two_lanes_keeps_what_the_other_one_confirmed() -> None:
    feed = EventFeed("v", Trades("X"), Serving((TRADES, BOOK), "events", maker))
    one, two = LaneState("v", Lane("one")), LaneState("v", Lane("two"))
    one.route([TRADES], {TRADES: [feed]})
    two.route([BOOK, TRADES], {BOOK: [feed]})  # where the other channel is only implied
    for state, channel in ((one, TRADES), (two, BOOK)):
        state.connected(stamp(0.0))
        state.sent(Send(b"{}", 1, asks=frozenset({channel})), stamp(0.0))
        state.confirmed([channel])
    two.disconnected(stamp(1.0), reason="r", code=1006)
    assert feed.unconfirmed == {BOOK}
    two.connected(stamp(2.0))
    two.sent(Send(b"{}", 1, asks=frozenset({BOOK})), stamp(2.0))
    two.confirmed([BOOK])
    assert joined(feed).is_confirmed


# Confirmations and refusals.


def test_a_confirmation_reaches_the_subscribers_and_wakes_the_writer_once() -> None:
    feed = trades_feed()
    box = joined(feed)
    state = lane(feed)
    state.stirred = False
    state.confirmed([TRADES])
    assert box.is_confirmed
    assert state.stirred
    state.stirred = False
    state.confirmed([TRADES])
    assert not state.stirred


def test_a_topic_that_comes_to_a_served_channel_is_confirmed_at_once() -> None:
    first = trades_feed()
    state = lane(first)
    state.confirmed([TRADES])
    second = native_feed()
    box = joined(second)
    reroute(state, first, second)
    assert box.is_confirmed


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("refused", SubscriptionRejected),
        ("limit", SubscriptionRejected),
        ("authentication", AuthenticationFailed),
    ],
)
def test_a_refusal_is_said_and_ends_the_topic_alone(
    kind: RejectionKind, error: type[TrioquotesError]
) -> None:
    trades, book = trades_feed(), book_feed()
    boxes = [joined(trades), joined(book)]
    state = lane(trades, book)
    for box in boxes:
        box.take()
    state.rejected(TRADES, "not a product", kind)
    state.rejected(TRADES, "not a product", kind)
    (notice,) = boxes[0].take()
    assert isinstance(notice, Rejected)
    assert (notice.reason, notice.final, notice.topic) == ("not a product", True, trades.topic)
    assert isinstance(boxes[0].error, error)
    assert "not a product" in str(boxes[0].error)
    assert (boxes[1].error, boxes[1].events) == (None, [])
    feed_one(state, TRADES)
    assert state.tally.count().ignored == {"not subscribed": 1}


def test_a_refusal_of_what_nobody_wants_says_nothing() -> None:
    feed = trades_feed()
    box = joined(feed)
    state = lane(feed)
    box.take()
    state.rejected(BOOK, "what?")
    assert (box.events, box.error) == ([], None)


def test_no_answer_is_said_each_time_and_ends_nothing() -> None:
    feed = trades_feed()
    box = joined(feed)
    state = lane(feed)
    box.take()
    assert not state.expire(stamp(9.0))
    assert state.expire(stamp(10.0))
    assert state.expire(stamp(11.0))
    state.sent(Send(b"{}", 2, asks=frozenset({TRADES})), stamp(11.0))
    state.rejected(TRADES, "the venue gave up", "timeout")
    state.rejected(TRADES, "the venue gave up", "timeout")
    notices = [(n.reason, n.final) for n in box.take() if isinstance(n, Rejected)]
    assert notices == [("not acknowledged in time", False), ("the venue gave up", False)]
    assert box.error is None


def test_a_voided_companion_and_an_answer_reach_the_ledger() -> None:
    feed = trades_feed()
    state = lane(feed)
    state.answered(1)
    assert state.ledger.in_flight == []
    state.retry([TRADES])
    assert list(state.ledger.to_ask) == [TRADES]


def test_the_end_of_a_lane_ends_its_topics() -> None:
    feed, error = trades_feed(), ConnectFailed("no")
    box = joined(feed)
    state = lane(feed)
    state.end(error)
    assert box.error is error
    feed_one(state, TRADES)
    assert state.tally.ignored["not subscribed"] == 1


# Gaps and resyncs.


def test_a_gap_of_a_channel_breaks_its_book_and_nothing_else() -> None:
    trades, book = trades_feed(), book_feed()
    boxes = [joined(trades), joined(book)]
    state = lane(trades, book)
    feed_one(state, BOOK, snapshot())
    for box in boxes:
        box.take()
    state.gap(BOOK, "sequence", missed=2)
    state.gap(WireChannel("other"), "sequence")
    assert [box.kinds() for box in boxes] == [[], ["Gap"]]
    assert state.tally.gaps == 1
    feed_one(state, BOOK, change(levels(("10", "2"))))
    assert state.tally.count().ignored == {"awaiting snapshot": 1}


def test_a_broken_book_asks_for_its_snapshot() -> None:
    feed = book_feed()
    joined(feed)
    state = lane(feed)
    state.confirmed([BOOK])
    feed_one(state, BOOK, snapshot())
    feed_one(state, BOOK, change(levels(("12", "1"))))
    assert dict(state.ledger.resyncing) == {BOOK: 1}
    assert state.tally.gaps == 1
    state.sent(Send(b"{}", 2, resyncs=frozenset({BOOK})), stamp(2.0))
    feed_one(state, BOOK, snapshot())
    state.resynced(BOOK)
    assert not state.ledger.resyncing


def test_withdrawing_what_is_wanted_interrupts_everybody_whose_data_was_right() -> None:
    book, native, idle = book_feed(), native_feed(BOOK), trades_feed()
    boxes = [joined(book), joined(native), joined(idle)]
    state = lane(book, native, idle)
    state.confirmed([BOOK, TRADES])
    feed_one(state, BOOK, snapshot())
    for box in boxes:
        box.take()
    state.gap(BOOK, "sequence")
    state.sent(Send(b"{}", 2, withdraws=frozenset({BOOK})), stamp(2.0))
    assert [box.kinds() for box in boxes] == [["Gap"], ["Gap", "Gap"], []]
    assert state.tally.gaps == 2
    assert list(state.ledger.to_ask) == [BOOK]
    state.sent(Fetch(3, HttpRequest("https://x"), resyncs=frozenset({BOOK})), stamp(2.0))


@pytest.mark.parametrize("known", ["nobody", "native", "live", "waiting", "broken"])
def test_a_late_book_gets_a_snapshot_unless_one_is_on_its_way(known: str) -> None:
    old: Feed = native_feed(BOOK) if known == "native" else book_feed()
    joined(old)
    state = lane(*([] if known == "nobody" else [old]), implied=(BOOK,))
    if known in {"live", "broken"}:
        feed_one(state, BOOK, snapshot())
    if known == "broken":
        state.gap(BOOK, "lost")
    late = BookFeed("v", Books("X", 5), book_serving())
    joined(late)
    reroute(state, *([] if known == "nobody" else [old]), late)
    assert bool(state.ledger.resyncing) == (known in {"nobody", "native", "live"})


@pytest.mark.parametrize("remembers", [False, True])
def test_a_late_book_by_order_is_told_what_went_by_if_anybody_remembers_it(*, remembers: bool) -> None:
    native = NativeFeed("v", Trades("native"), Serving((BOOK,), "native", remembers=remembers))
    joined(native)
    state = lane(native)
    feed_one(state, BOOK, opened(12))
    late = OrderFeed("v", OrderBooks("X"), book_serving("orders"))
    box = joined(late)
    reroute(state, native, late)
    feed_one(state, BOOK, by_order(12))
    before = box.kinds()
    feed_one(state, BOOK, opened(13))
    feed_one(state, BOOK, by_order(13))
    after = box.kinds()
    # Where nobody remembers it, nobody knows whether what went by is in the snapshot.
    assert (before, after) == (
        (["OrderBookSnapshot"], ["OrderBookChange"]) if remembers else ([], ["OrderBookSnapshot"])
    )


def test_a_book_that_comes_before_its_channel_is_asked_needs_no_resync() -> None:
    state = lane()
    feed = book_feed()
    joined(feed)
    reroute(state, feed)
    assert list(state.ledger.to_ask) == [BOOK]
    assert not state.ledger.resyncing
