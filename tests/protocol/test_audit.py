"""What an audit compares: everything that the book showed against what the snapshot says."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocol.stage import change, levels
from trioquotes._protocol.audit import SHOWN_DIFFERENCES, Watch
from trioquotes.books import OrderBook
from trioquotes.events import BookSnapshot, Level, OrderBookSnapshot


def snap(bids: tuple[Level, ...], asks: tuple[Level, ...] = (), depth: int | None = None) -> BookSnapshot:
    return BookSnapshot(venue="v", instrument="X", received_ns=1, bids=bids, asks=asks, depth=depth)


def kept(snapshot: BookSnapshot) -> OrderBook:
    book = OrderBook("X")
    book.apply(snapshot)
    return book


def differences(
    book: OrderBook, fetched: BookSnapshot | OrderBookSnapshot
) -> list[tuple[str, str, str, str]]:
    found = Watch(book).compare(book, fetched)
    return [(d.side, str(d.price), str(d.kept), str(d.fetched)) for d in found.differences]


def test_equal_books_in_whatever_spelling_do_not_differ() -> None:
    book = kept(snap(levels(("10", "1"), ("9", "2")), levels(("11", "1"))))
    found = Watch(book).compare(book, snap(levels(("10.0", "1.00"), ("9", "2")), levels(("11", "1"))))
    assert (found.compared, found.differing, found.differences) == (3, 0, ())


def test_a_missing_a_surplus_and_a_wrong_level_are_told_apart() -> None:
    book = kept(snap(levels(("10", "1"), ("9", "2")), levels(("11", "1"))))
    fetched = snap(levels(("10", "5"), ("8", "2")), levels(("11", "1"), ("12", "3")))
    assert differences(book, fetched) == [
        ("bid", "10", "1", "5"),
        ("bid", "9", "2", "0"),
        ("bid", "8", "0", "2"),
        ("ask", "12", "0", "3"),
    ]


def test_what_lies_outside_of_a_window_is_not_compared() -> None:
    book = kept(snap(levels(("10", "1"), ("9", "2")), levels(("11", "1"), ("12", "1")), depth=2))
    wider = snap(levels(("10", "1"), ("9", "2"), ("8", "3")), levels(("11", "1"), ("12", "1"), ("13", "1")))
    assert differences(book, wider) == []
    narrower = snap(levels(("10", "1")), levels(("11", "2")), depth=1)
    assert differences(book, narrower) == [("ask", "11", "1", "2")]


def test_a_side_of_a_window_that_is_empty_says_nothing() -> None:
    book = kept(snap((), levels(("11", "1")), depth=2))
    assert differences(book, snap(levels(("10", "1")), levels(("11", "1")), depth=2)) == []


def test_orders_are_added_up_by_price_exactly() -> None:
    book = kept(snap(levels(("10", "1.00000000000000000000000000000000001"))))
    orders = tuple((Decimal(10), Decimal(size), f"o{size}") for size in ("1", "1E-35"))
    whole = OrderBookSnapshot(venue="v", instrument="X", received_ns=1, bids=orders, asks=())
    assert differences(book, whole) == []


def test_few_differences_are_shown_and_all_are_counted() -> None:
    book = kept(snap(tuple((Decimal(price), Decimal(1)) for price in range(1, 101))))
    found = Watch(book).compare(book, snap(()))
    assert (found.compared, found.differing, len(found.differences)) == (100, 100, SHOWN_DIFFERENCES)
    assert found.differences[0].price == 100


@pytest.mark.parametrize("replaced", [False, True])
def test_every_state_that_the_book_showed_will_do(replaced: bool) -> None:
    book = kept(snap(levels(("10", "1")), levels(("11", "1"))))
    watch = Watch(book)
    second = snap(levels(("9", "4")), levels(("11", "1")))
    if replaced:
        book.apply(second)
        watch.replace(second)
    else:
        step = change(levels(("10", "0"), ("9", "4")))
        book.apply(step)
        watch.change(step)
    for fetched in (snap(levels(("10", "1")), levels(("11", "1"))), second):
        assert watch.compare(book, fetched).differing == 0
    assert watch.compare(book, snap(levels(("9", "5")), levels(("11", "1")))).differing == 1


@given(st.randoms(use_true_random=False))
def test_a_snapshot_of_any_moment_of_the_watch_never_differs_and_a_wrong_level_always_does(
    rng: random.Random,
) -> None:
    window = rng.choice([None, 5])
    book = kept(snap(levels(("10", "1")), levels(("11", "1")), depth=window))
    watch = Watch(book)
    moments = [book.depth()]
    for _ in range(rng.randint(0, 20)):
        bids = ((Decimal(rng.randint(1, 10)), Decimal(rng.randint(0, 3))),)
        asks = ((Decimal(rng.randint(11, 20)), Decimal(rng.randint(0, 3))),)
        step = change(bids, asks)
        book.apply(step)
        watch.change(step)
        moments.append(book.depth())
    bids_then, asks_then = rng.choice(moments)
    assert watch.compare(book, snap(bids_then, asks_then, window)).differing == 0
    if bids_then and book.best_bid is not None:
        wrong = ((bids_then[0][0], Decimal(99)), *bids_then[1:])
        found = watch.compare(book, snap(wrong, asks_then, window))
        assert found.differing == (1 if window is None else found.differing)
        assert found.differing <= 1
