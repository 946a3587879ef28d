"""Sides that come sorted, and those that somebody vouches for: the same book, whatever is made of it afterwards."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.books.shelf import as_text, change, pairs, short_lists, snapshot
from trioquotes.books import BookError, OrderBook
from trioquotes.books.ladder import SortedAsks, SortedBids
from trioquotes.events import Level

numbers = st.decimals("-50", "50", places=1)
sizes = st.decimals("0", "9", places=1)
sides = st.dictionaries(numbers, sizes.filter(bool), max_size=12)
changes = st.lists(st.tuples(numbers, sizes), max_size=3).map(tuple)


def looked_at(bids: dict[Decimal, Decimal], asks: dict[Decimal, Decimal]) -> tuple[SortedBids, SortedAsks]:
    return SortedBids(sorted(bids.items(), reverse=True)), SortedAsks(sorted(asks.items()))


@given(
    bids=sides, asks=sides, more=st.lists(st.tuples(changes, changes), max_size=3), again=st.booleans(), most=st.integers(2, 16)
)  # fmt: skip
def test_levels_that_were_looked_at_make_the_same_book(
    bids: dict[Decimal, Decimal],
    asks: dict[Decimal, Decimal],
    more: list[tuple[tuple[Level, ...], tuple[Level, ...]]],
    *,
    again: bool,
    most: int,
) -> None:
    with short_lists(most):
        book, slow = OrderBook(), OrderBook()
        for _ in range(1 + again):  # the second time into lists that are there
            book.apply(snapshot(*looked_at(bids, asks)))
            slow.apply(snapshot(tuple(bids.items()), tuple(asks.items())))
            for event in more:
                assert book.depth() == slow.depth()
                assert (book.best_bid, book.best_ask) == (slow.best_bid, slow.best_ask)
                for each in (book, slow):
                    each.apply(change(*event))
        for price in [*bids, *asks]:
            assert book.size_at("bid", price) == slow.size_at("bid", price)
            assert book.size_at("ask", price) == slow.size_at("ask", price)
        assert [*map(as_text, book.depth())] == [*map(as_text, slow.depth())]
        assert [*reversed(book.asks)] == [*reversed(slow.asks)]
        assert book.statistics() == slow.statistics()


@given(bids=sides, asks=sides)
def test_a_snapshot_is_read_before_anything_is_looked_up(
    bids: dict[Decimal, Decimal], asks: dict[Decimal, Decimal]
) -> None:
    book = OrderBook()
    book.apply(snapshot(*looked_at(bids, asks)))
    assert len(book.bids) == len(bids)
    assert book.levels("ask", 3) == tuple(sorted(asks.items())[:3])
    assert book.depth() == (tuple(sorted(bids.items(), reverse=True)), tuple(sorted(asks.items())))
    if bids:
        assert book.bids[-1] == min(bids.items())
    book.invalidate("test")
    assert (book.depth(), len(book.bids), book.size_at("bid", Decimal(1))) == (((), ()), 0, None)


@pytest.mark.parametrize(
    "bids",
    ["9 1|8 -1", "9 1|8 1E+101", "9 1E-101|8 1", "1E+101 1|8 1", "9 1|1E-101 1", "9 NaN|8 1", "9 1|NaN 1", "Infinity 1|8 1"],
)  # fmt: skip
def test_one_bad_number_among_sorted_levels_breaks_the_book(bids: str) -> None:
    book = OrderBook()
    with pytest.raises(BookError):
        book.apply(snapshot(pairs(*bids.split("|"))))
    assert (book.state, book.depth()) == ("broken", ((), ()))


def test_levels_out_of_order_are_sorted_by_the_book_and_doubles_are_one() -> None:
    book = OrderBook()
    book.apply(snapshot(pairs("8 1", "9 1", "9.0 2"), pairs("12 1", "11 1", "11 0")))
    assert [*map(as_text, book.depth())] == [["9.0 2", "8 1"], ["12 1"]]


def test_bids_that_were_looked_at_are_no_asks() -> None:
    book = OrderBook()
    book.apply(snapshot((), SortedBids(pairs("12 1", "11 1"))))
    assert as_text(book.levels("ask")) == ["11 1", "12 1"]
    assert book.best_ask == pairs("11 1")[0]
