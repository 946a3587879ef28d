"""Kept books: what is handed over is right, or it was said before that it is not."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.protocol.stage import BOOK, Note, Up, book_serving, change, levels, snapshot, trade
from tests.venues.bench import Outbox
from trioquotes._protocol.bookkeeper import AWAITING_SNAPSHOT, BROKEN, BookFeed, KeptFeed
from trioquotes._protocol.effects import Serving, Skip
from trioquotes._protocol.views import QuoteFeed
from trioquotes.books import OrderBook
from trioquotes.errors import SubscriptionRejected
from trioquotes.events import BookChange, BookSnapshot, Disconnected, Event, Gap, Quote, Resynced
from trioquotes.topics import Books, Quotes

TOPIC = Books("X")


def books() -> BookFeed:
    return BookFeed("v", TOPIC, book_serving())


def quotes() -> QuoteFeed:
    return QuoteFeed("v", Quotes("X"), book_serving("quotes"))


def joined(feed: KeptFeed[Any]) -> Outbox:
    box = Outbox(feed.topic)
    feed.join(box, 3)
    return box


def take(feed: KeptFeed[Any], made: Any, up: Up | None = None) -> str | None:
    return feed.take(Note(makes=made), up or Up())


def test_a_change_before_the_snapshot_makes_no_event() -> None:
    feed = books()
    box = joined(feed)
    assert feed.awaits_snapshot
    assert take(feed, change(levels(("10", "2")))) == AWAITING_SNAPSHOT
    assert take(feed, snapshot()) is None
    assert not feed.awaits_snapshot
    assert take(feed, change(levels(("10", "2")))) is None
    assert box.kinds() == ["BookSnapshot", "BookChange"]  # without a gap there is nothing to resync


def test_a_gap_is_announced_before_any_later_change() -> None:
    feed = books()
    box = joined(feed)
    take(feed, snapshot())
    box.take()
    feed.gap("sequence", 5, missed=3)
    assert take(feed, change(levels(("10", "2")))) == AWAITING_SNAPSHOT
    assert take(feed, snapshot()) is None
    gap, fresh, resynced = box.take()
    assert isinstance(gap, Gap)
    assert (gap.reason, gap.missed, gap.received_ns) == ("sequence", 3, 5)
    assert isinstance(fresh, BookSnapshot)
    assert isinstance(resynced, Resynced)
    assert (resynced.instrument, resynced.received_ns) == ("X", 7)
    take(feed, snapshot())
    assert box.kinds() == ["BookSnapshot"]


@pytest.mark.parametrize(
    "made",
    [
        change(levels(("11", "1"))),  # locked
        change(levels(("12", "1"))),  # crossed
        change(levels(("10", "-1"))),
        change(levels(("10", "NaN"))),
        snapshot(bids=levels(("12", "1"))),
        BookChange(venue="v", instrument="Y", received_ns=7, bids=levels(("9", "1"))),
    ],
)
def test_what_would_make_the_book_wrong_is_a_gap_and_a_resync(made: Event) -> None:
    feed, up = books(), Up()
    box = joined(feed)
    take(feed, snapshot())
    box.take()
    assert take(feed, made, up) == BROKEN
    assert box.kinds() == ["Gap"]
    assert (up.resyncs, up.gaps) == ([BOOK], 1)
    assert feed.book.state == "broken"
    assert take(feed, change(levels(("9", "1"))), up) == AWAITING_SNAPSHOT
    assert up.resyncs == [BOOK]


def test_reasons_to_ignore_are_few_whatever_the_server_sends() -> None:
    feed = books()
    reasons = set()
    for number in range(50):
        take(feed, snapshot())
        reasons.add(take(feed, change(levels((f"{number}", f"-{number + 1}")))))
    assert reasons == {BROKEN}


def test_what_the_unifier_passes_over_is_no_event() -> None:
    feed = books()
    assert take(feed, Skip("other side")) == "other side"
    with pytest.raises(TypeError, match="made Trade"):
        take(feed, trade())


def test_who_comes_late_gets_the_kept_book() -> None:
    feed = books()
    first = joined(feed)
    take(feed, snapshot())
    take(feed, change(levels(("10", "5"))))
    first.take()
    late = joined(feed)
    gap, whole, resynced = late.take()
    assert isinstance(gap, Gap)
    assert gap.reason == "joined late"
    assert isinstance(whole, BookSnapshot)
    assert whole.bids == levels(("10", "5"))
    assert isinstance(resynced, Resynced)
    assert first.take() == []


def test_who_comes_late_to_a_broken_book_waits_with_the_others() -> None:
    feed = books()
    joined(feed)
    take(feed, snapshot())
    feed.gap("lost", 1)
    late = joined(feed)
    assert late.kinds() == ["Gap"]
    take(feed, snapshot())
    assert late.kinds() == ["BookSnapshot", "Resynced"]


def test_who_lags_is_passed_by_and_caught_up_when_it_has_read() -> None:
    feed = books()
    slow, quick = joined(feed), joined(feed)
    take(feed, snapshot())
    slow.take()
    slow.lagging = True
    take(feed, change(levels(("10", "5"))))
    take(feed, snapshot(levels(("9", "1"))))
    assert (slow.events, slow.passed_by) == ([], 2)
    slow.lagging = False
    feed.drained(slow, 9)
    gap, whole, resynced = slow.take()
    assert isinstance(gap, Gap)
    assert gap.reason == "lagged"
    assert isinstance(whole, BookSnapshot)
    assert whole.bids == levels(("9", "1"))
    assert isinstance(resynced, Resynced)
    assert quick.kinds() == ["BookSnapshot", "BookChange", "BookSnapshot"]


def test_who_lags_through_a_gap_is_resynced_once_it_is_there() -> None:
    feed = books()
    box = joined(feed)
    take(feed, snapshot())
    box.take()
    box.lagging = True
    feed.gap("lost", 1)
    take(feed, snapshot())
    assert box.kinds() == ["Gap"]
    box.lagging = False
    feed.drained(box, 9)
    assert box.kinds() == ["Gap", "BookSnapshot", "Resynced"]


def test_who_has_read_while_the_book_is_broken_is_resynced_by_the_next_snapshot() -> None:
    feed = books()
    box = joined(feed)
    take(feed, snapshot())
    feed.gap("lost", 1)
    box.take()
    feed.drained(box, 9)
    assert box.kinds() == ["Gap"]
    take(feed, snapshot())
    assert box.kinds() == ["BookSnapshot", "Resynced"]


class Tight(Outbox):
    """A subscriber without room for a snapshot."""

    def push(self, event: Event, weight_bytes: int) -> None:
        self.lagging = True


def test_a_snapshot_that_finds_no_room_resyncs_nobody() -> None:
    feed = books()
    box = Tight(TOPIC)
    feed.join(box, 0)
    feed.gap("lost", 1)
    take(feed, snapshot())
    assert box.kinds() == ["Gap"]
    box.lagging = False
    feed.drained(box, 2)
    assert box.kinds() == ["Gap"]


def test_who_left_or_ended_is_not_caught_up() -> None:
    feed = books()
    left, stays = joined(feed), joined(feed)
    take(feed, snapshot())
    feed.gap("lost", 1)
    feed.leave(left)
    left.take()
    feed.drained(left, 2)
    take(feed, snapshot())
    feed.end(SubscriptionRejected(TOPIC, "over"))
    stays.take()
    feed.drained(stays, 3)
    assert (left.events, stays.events) == ([], [])


def test_a_lost_line_breaks_the_book() -> None:
    feed = books()
    box = joined(feed)
    take(feed, snapshot())
    feed.confirm(BOOK)
    notice = Disconnected(venue="v", received_ns=9, lane="a", connection=1, reason="r")
    feed.disconnected(notice, "disconnected", [BOOK])
    assert box.kinds() == ["BookSnapshot", "Disconnected", "Gap"]
    assert feed.book.state == "broken"


def test_an_interruption_is_said_while_the_book_is_right() -> None:
    feed = books()
    box = joined(feed)
    feed.confirm(BOOK)
    assert not feed.interrupted("again", 1)
    take(feed, snapshot())
    assert feed.interrupted("again", 1)
    assert not feed.interrupted("again", 1)
    assert box.kinds() == ["BookSnapshot", "Gap"]


def test_a_book_is_taken_over_from_one_of_the_same_width() -> None:
    kept, other = books(), quotes()
    assert not kept.shares_book(other)
    take(kept, snapshot())
    assert kept.shares_book(other)
    other.adopt(kept)
    assert other.book.depth() == kept.book.depth()
    assert kept.shares_book(BookFeed("v", Books("X", 5), book_serving()))  # where the channel is all the same
    narrow = Serving((BOOK,), "book", book_serving().make, depth=5)
    assert not kept.shares_book(BookFeed("v", Books("X", 5), narrow))
    only = QuoteFeed("v", Quotes("X"), Serving((BOOK,), "quotes", book_serving().make, only="Z"))
    assert not kept.shares_book(only)


# Quotes.


def test_a_quote_comes_with_every_change_of_the_best_and_no_other() -> None:
    feed = quotes()
    box = joined(feed)
    take(feed, snapshot(levels(("10", "1"), ("9", "1"))))
    take(feed, change(levels(("9", "7"))))  # not the best
    take(feed, change(levels(("10.0", "1.00"))))  # the same in other words
    take(feed, change(levels(("10", "0"))))
    take(feed, change((), levels(("11", "0"))))
    best = [(quote.bid, quote.bid_size, quote.ask) for quote in box.take() if isinstance(quote, Quote)]
    assert best == [
        (Decimal(10), Decimal(1), Decimal(11)),
        (Decimal(9), Decimal(7), Decimal(11)),
        (Decimal(9), Decimal(7), None),
    ]


def test_a_quote_carries_what_its_cause_said() -> None:
    feed = quotes()
    box = joined(feed)
    cause = BookSnapshot(
        venue="v", instrument="X", received_ns=4, venue_time_ns=3, sequence=2, raw=b"r", bids=(), asks=()
    )
    take(feed, cause)
    (quote,) = box.take()
    assert isinstance(quote, Quote)
    assert (quote.received_ns, quote.venue_time_ns, quote.sequence, quote.raw) == (4, 3, 2, b"r")
    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == (None, None, None, None)


def test_who_comes_late_gets_the_present_quote() -> None:
    feed = quotes()
    assert joined(feed).events == []
    take(feed, snapshot())
    (quote,) = joined(feed).take()
    assert isinstance(quote, Quote)
    assert (quote.received_ns, quote.venue_time_ns, quote.bid) == (3, None, Decimal(10))


def test_no_quote_comes_of_a_broken_book() -> None:
    feed = quotes()
    box = joined(feed)
    take(feed, snapshot())
    feed.gap("lost", 1)
    take(feed, change(levels(("10", "9"))))
    take(feed, snapshot())
    assert box.kinds() == ["Quote", "Gap", "Quote"]


# A reader of what a feed hands over, in any order of events.


class Reader(Outbox):
    """Keeps its own book from what it reads and knows whether it may trust it."""

    def __init__(self) -> None:
        super().__init__(TOPIC)
        self.book = OrderBook("X")
        self.gap = False

    def read(self) -> None:
        for event in self.take():
            if isinstance(event, Gap):
                self.gap = True
            elif isinstance(event, BookSnapshot):
                self.book.apply(event)
            elif isinstance(event, Resynced):
                assert self.gap
                assert self.book.state == "live"
                self.gap = False
            else:
                assert isinstance(event, BookChange)
                assert not self.gap, "a change between Gap and Resynced"
                self.book.apply(event)


PRICES = st.integers(1, 8)
SIZES = st.integers(0, 3)


class ManyReaders(RuleBasedStateMachine):
    """Snapshots, changes, gaps, late and slow readers: who trusts its book has the feed's."""

    def __init__(self) -> None:
        super().__init__()
        self.feed = books()
        self.up = Up()
        self.readers: list[Reader] = []

    @rule()
    def join(self) -> None:
        reader = Reader()
        self.readers.append(reader)
        self.feed.join(reader, 0)

    @precondition(lambda self: self.readers)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        reader = data.draw(st.sampled_from(self.readers))
        self.readers.remove(reader)
        self.feed.leave(reader)

    @rule(bids=st.dictionaries(PRICES, SIZES), asks=st.dictionaries(PRICES, SIZES), whole=st.booleans())
    def message(self, bids: dict[int, int], asks: dict[int, int], whole: bool) -> None:
        sides = [
            tuple((Decimal(price + up), Decimal(size)) for price, size in side.items())
            for side, up in ((bids, 0), (asks, 4))
        ]
        take(self.feed, snapshot(*sides) if whole else change(*sides), self.up)

    @rule()
    def lose(self) -> None:
        self.feed.gap("lost", 0)

    @precondition(lambda self: self.readers)
    @rule(data=st.data())
    def overflow(self, data: st.DataObject) -> None:
        reader = data.draw(st.sampled_from(self.readers))
        reader.events = [event for event in reader.events if isinstance(event, Gap | Resynced)]
        reader.lagging = True

    @precondition(lambda self: self.readers)
    @rule(data=st.data())
    def read(self, data: st.DataObject) -> None:
        reader = data.draw(st.sampled_from(self.readers))
        if reader.lagging:
            reader.gap = True  # it reads Lagged first
            reader.events = [event for event in reader.events if isinstance(event, Gap)]
        reader.read()
        if reader.lagging:
            reader.lagging = False
            self.feed.drained(reader, 0)
            reader.read()

    @invariant()
    def who_trusts_its_book_has_the_feeds(self) -> None:
        live = self.feed.book.state == "live"
        assert not (live and (self.feed.book.crossed or self.feed.book.locked))
        for reader in self.readers:
            if reader.events or reader.lagging or reader.gap:
                continue
            assert live or reader.book.state == "waiting"
            if live:
                assert reader.book.depth() == self.feed.book.depth()


TestManyReaders = ManyReaders.TestCase
