"""Books by order: queue, drop what is in the snapshot, replay the rest, go live; a hole anywhere means anew."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.protocol.stage import BOOK, Note, Up, book_serving
from tests.venues.bench import Outbox
from trioquotes._protocol import ordering
from trioquotes._protocol.audit import Watch
from trioquotes._protocol.bookkeeper import AWAITING_SNAPSHOT, BROKEN
from trioquotes._protocol.effects import Skip
from trioquotes._protocol.ordering import KNOWN, NO_ORDER, QUEUED, TOO_OLD, OrderFeed
from trioquotes.events import (
    BookSide,
    Connected,
    Gap,
    OrderBookChange,
    OrderBookSnapshot,
    RestingOrder,
    Resynced,
    Trade,
)
from trioquotes.topics import OrderBooks

TOPIC = OrderBooks("X")
CONNECTED = Connected(venue="v", received_ns=1, lane="l", connection=2)


def joined() -> tuple[OrderFeed, Outbox, Up]:
    feed = OrderFeed("v", TOPIC, book_serving("orders"))
    box = Outbox(TOPIC)
    feed.join(box, 3)
    return feed, box, Up()


def resting(*orders: tuple[str, str, str]) -> tuple[RestingOrder, ...]:
    return tuple((Decimal(price), Decimal(size), own) for price, size, own in orders)


def snapshot(sequence: int | None, *bids: tuple[str, str, str]) -> OrderBookSnapshot:
    return OrderBookSnapshot(
        venue="v",
        instrument="X",
        received_ns=7,
        sequence=sequence,
        bids=resting(*bids),
        asks=resting(("11", "1", "z")),
    )


def opened(
    sequence: int | None, own: str, price: str = "10", size: str = "1", side: BookSide = "bid"
) -> OrderBookChange:
    return change("open", sequence, own, price=Decimal(price), size=Decimal(size), side=side)


def change(action: Any, sequence: int | None, own: str, **more: Any) -> OrderBookChange:
    return OrderBookChange(
        venue="v", instrument="X", received_ns=7, action=action, sequence=sequence, order_id=own, **more
    )


def take(feed: OrderFeed, up: Up, made: Any) -> str | None:
    return feed.take(Note(makes=made), up)


def live(sequence: int = 10, *bids: tuple[str, str, str]) -> tuple[OrderFeed, Outbox, Up]:
    feed, box, up = joined()
    assert take(feed, up, snapshot(sequence, *bids)) is None
    box.take()
    return feed, box, up


def test_who_comes_late_needs_a_snapshot_of_what_went_by_unseen() -> None:
    feed, box, up = joined()
    feed.came_late(Note(makes=opened(12, "a")))
    assert take(feed, up, snapshot(11)) == TOO_OLD
    assert up.resyncs == [BOOK]
    assert take(feed, up, snapshot(12)) is None
    assert take(feed, up, opened(13, "b")) is None
    assert box.kinds() == ["OrderBookSnapshot", "OrderBookChange"]


def test_who_comes_after_an_unnumbered_message_waits_for_one_that_is_numbered() -> None:
    feed, box, up = joined()
    feed.came_late(Note(makes=Skip("a stop order")))
    assert take(feed, up, snapshot(11)) == TOO_OLD
    assert take(feed, up, opened(12, "a")) == QUEUED
    assert take(feed, up, snapshot(11)) is None
    assert box.kinds() == ["OrderBookSnapshot"]


def test_changes_queue_for_the_snapshot_and_are_replayed_onto_it() -> None:
    feed, box, up = joined()
    assert feed.awaits_snapshot
    for number, own in ((5, "a"), (6, "b"), (7, "c")):
        assert take(feed, up, opened(number, own)) == QUEUED
    assert box.take() == []
    assert take(feed, up, snapshot(6, ("10", "1", "a"), ("10", "1", "b"))) is None
    (book,) = box.take()
    assert isinstance(book, OrderBookSnapshot)
    assert book.bids == resting(("10", "1", "a"), ("10", "1", "b"), ("10", "1", "c"))
    assert (book.sequence, book.received_ns) == (7, 7)
    assert take(feed, up, opened(8, "d")) is None
    assert box.kinds() == ["OrderBookChange"]
    assert (up.resyncs, up.gaps) == ([], 0)


def test_snapshot_that_needs_no_change_is_handed_over_as_it_is() -> None:
    feed, box, up = joined()
    take(feed, up, opened(5, "a"))
    take(feed, up, Skip("nothing", 6))
    whole = snapshot(5, ("10", "1", "a"))
    assert take(feed, up, whole) is None
    assert box.take() == [whole]
    assert feed.whole(9).sequence == 6  # the book is right after the message that did not touch it, too


def test_snapshot_older_than_the_queue_is_refused_and_another_asked_for() -> None:
    feed, box, up = joined()
    take(feed, up, opened(5, "a"))
    assert take(feed, up, snapshot(3)) == TOO_OLD
    assert up.resyncs == [BOOK]
    assert box.take() == []
    assert take(feed, up, snapshot(4)) is None
    assert box.kinds() == ["OrderBookSnapshot"]


def test_messages_that_do_not_touch_the_book_count() -> None:
    feed, _, up = joined()
    assert take(feed, up, Skip("nothing", 5)) == "nothing"
    assert take(feed, up, snapshot(3)) == TOO_OLD
    assert take(feed, up, snapshot(4)) is None
    assert take(feed, up, Skip("nothing")) == "nothing"
    assert take(feed, up, opened(6, "a")) is None
    assert feed.book.state == "live"


def test_snapshot_newer_than_all_that_came_drops_what_comes_late() -> None:
    feed, box, up = joined()
    take(feed, up, opened(5, "a"))
    assert take(feed, up, snapshot(8, ("10", "1", "a"), ("9", "1", "b"))) is None
    box.take()
    assert take(feed, up, opened(6, "b", "9")) == KNOWN
    assert take(feed, up, Skip("nothing", 7)) == "nothing"
    assert take(feed, up, opened(8, "x")) == KNOWN
    assert take(feed, up, opened(9, "c")) is None
    assert box.kinds() == ["OrderBookChange"]


@pytest.mark.parametrize("made", [opened(12, "c"), Skip("nothing", 12)])
def test_hole_after_the_snapshot_is_a_gap_though_nobody_else_saw_it(made: Any) -> None:
    feed, box, up = live()
    assert take(feed, up, made) == (QUEUED if isinstance(made, OrderBookChange) else "nothing")
    (gap,) = box.take()
    assert isinstance(gap, Gap)
    assert gap.reason == "messages 11 to 11 are missing between the book and the next"
    assert (up.resyncs, up.gaps) == ([BOOK], 1)
    assert take(feed, up, snapshot(10)) == TOO_OLD
    assert take(feed, up, snapshot(11)) is None
    assert box.kinds() == ["OrderBookSnapshot", "Resynced"]
    assert (feed.book.order("c") is None) == isinstance(made, Skip)


def test_hole_in_the_queue_makes_what_was_before_it_useless() -> None:
    feed, _, up = joined()
    take(feed, up, opened(5, "a"))
    take(feed, up, opened(8, "b"))
    assert take(feed, up, snapshot(6, ("9", "1", "a"))) == TOO_OLD
    assert take(feed, up, snapshot(7)) is None
    assert feed.book.orders("bid") == resting(("10", "1", "b"))


def test_message_that_comes_twice_while_it_is_waited_is_queued_once() -> None:
    feed, _, up = joined()
    assert take(feed, up, opened(5, "a")) == QUEUED
    assert take(feed, up, opened(5, "a")) == KNOWN
    assert take(feed, up, snapshot(4)) is None
    assert len(feed.book.orders("bid")) == 1


def test_live_book_takes_only_a_newer_snapshot() -> None:
    feed, box, up = live(10, ("10", "1", "a"))
    take(feed, up, opened(11, "b"))
    box.take()
    assert take(feed, up, snapshot(11)) == KNOWN
    assert len(feed.book.orders("bid")) == 2
    assert take(feed, up, snapshot(12)) is None
    assert feed.book.orders("bid") == ()
    assert box.kinds() == ["OrderBookSnapshot"]


def test_change_of_an_order_that_does_not_rest_makes_no_event() -> None:
    feed, box, up = live()
    assert take(feed, up, change("done", 11, "never")) == NO_ORDER
    assert take(feed, up, change("change", 12, "never", size=Decimal(1))) == NO_ORDER
    assert box.take() == []
    assert feed.book.state == "live"


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (change("match", 11, "never", size=Decimal(1)), "does not rest"),
        (change("match", 11, "a", size=Decimal(2)), "of which 1 rests"),
        (opened(11, "a"), "rests already"),
        (opened(11, "b", "10", "-1"), "size -1"),
        (opened(11, "b", "11"), "locked book"),
        (opened(11, "b", "12"), "crossed book"),
        (change("open", 11, "b", price=Decimal(1), size=Decimal(1)), "without its side"),
    ],
    ids=lambda value: "" if not isinstance(value, str) else value,
)
def test_change_that_cannot_be_true_is_a_gap_before_anything_wrong_is_handed_over(
    made: Any, words: str
) -> None:
    feed, box, up = live(10, ("10", "1", "a"))
    assert take(feed, up, made) == BROKEN
    (gap,) = box.take()
    assert isinstance(gap, Gap)
    assert words in gap.reason
    assert up.resyncs == [BOOK]
    assert take(feed, up, opened(12, "c")) == QUEUED
    assert take(feed, up, snapshot(10)) == TOO_OLD  # the change itself is not in it
    assert take(feed, up, snapshot(11)) is None
    assert box.kinds() == ["OrderBookSnapshot", "Resynced"]


def test_snapshot_that_does_not_go_with_the_queue_is_a_gap() -> None:
    feed, box, up = joined()
    take(feed, up, change("match", 5, "never", size=Decimal(1)))
    assert take(feed, up, snapshot(4)) == BROKEN
    assert box.kinds() == ["Gap"]
    assert up.resyncs == [BOOK]


def test_gap_and_reconnect_make_the_queue_useless() -> None:
    feed, box, up = joined()
    take(feed, up, opened(5, "a"))
    feed.gap("hole", 9)
    take(feed, up, opened(8, "b"))
    assert take(feed, up, snapshot(6)) == TOO_OLD
    feed.connected(CONNECTED)
    assert take(feed, up, snapshot(2)) is None  # whatever came on the old line says nothing of this one
    assert feed.book.orders("bid") == ()
    assert box.kinds() == ["Gap", "Connected", "OrderBookSnapshot", "Resynced"]


def test_late_subscriber_gets_the_kept_book_and_then_changes() -> None:
    feed, box, up = live(10, ("10", "1", "a"))
    take(feed, up, opened(11, "b", "9"))
    late = Outbox(TOPIC)
    feed.join(late, 99)
    gap, whole, resynced = late.take()
    assert isinstance(gap, Gap)
    assert isinstance(whole, OrderBookSnapshot)
    assert isinstance(resynced, Resynced)
    assert whole.bids == resting(("10", "1", "a"), ("9", "1", "b"))
    assert (whole.sequence, whole.received_ns) == (11, 99)
    take(feed, up, change("done", 12, "a"))
    assert late.kinds() == ["OrderBookChange"]
    assert box.kinds() == ["OrderBookChange", "OrderBookChange"]


def test_queue_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "MAX_QUEUED_CHANGES", 3)
    feed, _, up = joined()
    for number in range(5, 8):
        assert take(feed, up, opened(number, f"o{number}")) == QUEUED
    assert take(feed, up, opened(8, "o8")) == AWAITING_SNAPSHOT
    assert up.resyncs == [BOOK]
    take(feed, up, opened(9, "o9"))
    assert take(feed, up, snapshot(7)) == TOO_OLD  # the change 8 was dropped
    assert take(feed, up, snapshot(8)) is None
    assert feed.book.orders("bid") == resting(("10", "1", "o9"))


def test_change_without_a_counter_follows_no_snapshot_that_comes_later() -> None:
    feed, box, up = joined()
    assert take(feed, up, opened(None, "a")) == AWAITING_SNAPSHOT
    assert take(feed, up, snapshot(None)) is None
    assert take(feed, up, opened(None, "b")) is None
    assert box.kinds() == ["OrderBookSnapshot", "OrderBookChange"]
    counted, _, up = joined()
    take(counted, up, opened(5, "a"))
    assert take(counted, up, snapshot(None)) == TOO_OLD


def test_audit_knows_every_size_that_the_book_showed() -> None:
    feed, _, up = live(10, ("10", "1", "a"), ("10", "2", "b"), ("9", "1", "c"))
    feed.watch = watch = Watch(feed.book)
    take(feed, up, change("match", 11, "a", size=Decimal("0.5")))
    take(feed, up, change("change", 12, "b", price=Decimal(8), size=Decimal(2)))
    take(feed, up, change("done", 13, "c"))
    take(feed, up, opened(14, "d", "7"))
    for bids in (
        [("10", "3", ""), ("9", "1", "")],
        [("10", "2.5", ""), ("9", "1", "")],
        [("10", "0.5", ""), ("9", "1", ""), ("8", "2", "")],
        [("10", "0.5", ""), ("8", "2", ""), ("7", "1", "")],
    ):
        found = watch.compare(feed.book, snapshot(14, *bids))
        assert found.differing == 0, bids
    assert watch.compare(feed.book, snapshot(14, ("10", "4", ""))).differing == 1
    assert feed.watch is watch
    take(feed, up, snapshot(20))
    assert feed.watch is None  # what the book showed in between is not known


def test_unifier_that_makes_no_book_by_order_is_a_bug() -> None:
    feed, _, up = joined()
    trade = Trade(venue="v", instrument="X", received_ns=7, price=Decimal(1), size=Decimal(1))
    with pytest.raises(TypeError, match="made Trade"):
        take(feed, up, trade)
