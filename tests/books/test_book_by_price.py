"""The order book by price: right, or it says that it is not."""

from __future__ import annotations

import decimal
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.books.shelf import D, as_text, change, pairs, short_lists, side_named, snapshot
from trioquotes.books import BookError, BookSide, BookView, OrderBook
from trioquotes.errors import TrioquotesError, UsageError
from trioquotes.events import BookChange, BookSnapshot, Event, Level


def live(*, depth: int | None = None) -> OrderBook:
    book = OrderBook("BTC-USD")
    book.apply(snapshot(pairs("99 1", "98 2", "97 3"), pairs("101 4", "102 5", "103 6"), depth=depth))
    return book


# What is shown


def test_snapshot_fills_both_sides_best_first_whatever_its_order() -> None:
    book = OrderBook("BTC-USD")
    book.apply(snapshot(pairs("97 3", "99 1", "98 2"), pairs("103 6", "101 4", "102 5")))
    assert as_text(book.levels("bid")) == ["99 1", "98 2", "97 3"]
    assert as_text(book.levels("ask")) == ["101 4", "102 5", "103 6"]
    assert book.best_bid == (D(99), D(1))
    assert book.best_ask == (D(101), D(4))
    assert (book.spread, book.mid) == (D(2), D(100))


def test_change_sets_absolute_sizes_and_zero_removes() -> None:
    book = live()
    book.apply(change(pairs("99 7", "98 0", "98.5 1"), pairs("101 0.00", "100.5 2")))
    assert as_text(book.levels("bid")) == ["99 7", "98.5 1", "97 3"]
    assert as_text(book.levels("ask")) == ["100.5 2", "102 5", "103 6"]


@pytest.mark.parametrize("zero", ["0", "0.0", "0.00", "0.00000000", "0E-8", "-0", "0E+3"])
@pytest.mark.parametrize("price", ["99", "99.0", "99.00000000", "9.9E+1"])
def test_every_spelling_of_zero_removes_every_spelling_of_a_price(zero: str, price: str) -> None:
    book = live()
    book.apply(change(pairs(f"{price} {zero}")))
    assert book.best_bid == (D(98), D(2))
    assert book.statistics().unknown_removals == 0


def test_level_is_shown_as_it_was_last_spelt() -> None:
    book = live()
    book.apply(change(pairs("99.00 1.50"), pairs("101.0 2")))
    assert as_text(book.levels("bid", 1)) == ["99.00 1.50"]
    assert as_text(book.levels("ask", 1)) == ["101.0 2"]


def test_later_entry_for_a_price_wins_also_in_a_snapshot() -> None:
    book = OrderBook("BTC-USD")
    book.apply(snapshot(pairs("9 1", "8 1", "9.0 2", "8 0"), pairs("11 0", "11.0 5", "12 1", "12 0.0")))
    assert as_text(book.levels("bid")) == ["9.0 2"]
    assert as_text(book.levels("ask")) == ["11.0 5"]
    book.apply(change(pairs("9 3", "9.00 4", "7 1", "7 0"), pairs("11 0", "11 6")))
    assert as_text(book.levels("bid")) == ["9.00 4"]
    assert as_text(book.levels("ask")) == ["11 6"]


def test_levels_and_depth_cut_to_n() -> None:
    book = live()
    assert as_text(book.levels("bid", 2)) == ["99 1", "98 2"]
    assert as_text(book.levels("ask", 2)) == ["101 4", "102 5"]
    assert book.levels("bid", 0) == ()
    assert book.depth(1) == (pairs("99 1"), pairs("101 4"))
    assert book.depth() == (book.levels("bid"), book.levels("ask", 99))


def test_size_at_finds_every_spelling_and_none_where_nothing_rests() -> None:
    book = live()
    assert book.size_at("bid", D("98.00")) == D(2)
    assert book.size_at("ask", D("1.03E+2")) == D(6)
    for side, price in (("bid", "98.5"), ("bid", "101"), ("ask", "99"), ("ask", "104"), ("bid", "1")):
        assert book.size_at(side_named(side), D(price)) is None


def test_empty_side_has_no_best_no_mid_no_spread() -> None:
    book = OrderBook("BTC-USD")
    book.apply(snapshot(pairs("99 1")))
    assert book.best_ask is None
    assert (book.spread, book.mid, book.crossed, book.locked) == (None, None, False, False)


def test_spread_and_mid_are_exact_in_a_context_that_rounds() -> None:
    book = OrderBook("BTC-USD")
    bid, ask = "1386929.37231066771348207122", "1386929.37231066771348207125"
    book.apply(snapshot(pairs(f"{bid} 1"), pairs(f"{ask} 1")))
    with decimal.localcontext(decimal.Context(prec=3)):
        spread, mid = book.spread, book.mid
    assert str(spread) == "3E-20"
    assert str(mid) == "1386929.372310667713482071235"


def test_extreme_but_usable_magnitudes_stay_exact_and_cheap() -> None:
    book = OrderBook("X")
    book.apply(snapshot(pairs("1E-100 1E-100"), pairs("1E+100 1E+100"), instrument="X"))
    assert book.spread is not None
    assert book.spread + D("1E-100") == D("1E+100")
    with decimal.localcontext(decimal.Context(prec=400)):
        assert book.mid == (D("1E+100") + D("1E-100")) / 2


def test_prices_may_be_negative_or_zero() -> None:
    book = OrderBook("SPREAD")
    book.apply(snapshot(pairs("-2 1", "-1 1"), pairs("0.00 1", "1 2"), instrument="SPREAD"))
    assert as_text(book.levels("bid")) == ["-1 1", "-2 1"]
    assert as_text(book.levels("ask")) == ["0.00 1", "1 2"]
    book.apply(change(asks=pairs("0 0"), instrument="SPREAD"))
    assert as_text(book.levels("ask")) == ["1 2"]


@pytest.mark.parametrize(
    ("bid", "crossed", "locked"),
    [("100.9", False, False), ("101.0", False, True), ("101.1", True, False)],
)
def test_crossed_and_locked_are_told_apart(bid: str, crossed: bool, locked: bool) -> None:
    book = live()
    book.apply(change(pairs(f"{bid} 1")))
    assert (book.crossed, book.locked) == (crossed, locked)
    assert book.spread == D(101) - D(bid)


# States


def test_new_book_waits_and_shows_nothing() -> None:
    book = OrderBook("BTC-USD")
    assert book.state == "waiting"
    assert book.depth() == ((), ())
    assert (book.best_bid, book.best_ask, book.mid, book.spread) == (None, None, None, None)
    with pytest.raises(BookError, match="waiting"):
        book.apply(change(pairs("99 1")))
    with pytest.raises(BookError, match="waiting"):
        book.snapshot(venue="test", received_ns=1)
    assert book.state == "waiting"
    assert book.depth() == ((), ())


def test_invalidated_book_shows_nothing_and_refuses_changes_until_a_snapshot() -> None:
    book = live()
    book.invalidate("line lost")
    book.invalidate("and again")
    assert (book.state, book.reason) == ("broken", "line lost")
    assert book.depth() == ((), ())
    assert book.size_at("bid", D(99)) is None
    with pytest.raises(BookError, match="broken"):
        book.apply(change(pairs("99 1")))
    with pytest.raises(BookError, match="broken"):
        book.snapshot(venue="test", received_ns=1)
    assert book.depth() == ((), ())
    book.apply(snapshot(pairs("1 1")))
    assert (book.state, book.reason) == ("live", "")
    assert as_text(book.levels("bid")) == ["1 1"]
    assert book.levels("ask") == ()
    assert book.statistics().invalidations == 1


def test_snapshot_replaces_everything_while_live() -> None:
    book = live(depth=3)
    book.apply(snapshot(pairs("50 1"), pairs("51 1")))
    assert book.depth() == (pairs("50 1"), pairs("51 1"))
    assert book.window is None


NOT_A_LEVEL: dict[str, Any] = {
    "negative size": (D(99), D(-1)),
    "negative size, new price": (D("99.5"), D("-0.001")),
    "NaN size": (D(99), D("NaN")),
    "signalling NaN size": (D("99.5"), D("sNaN")),
    "infinite size": (D(99), D("Infinity")),
    "infinite size, new price": (D("99.5"), D("Infinity")),
    "absurd size": (D(99), D("1E+400")),
    "vanishing size": (D(99), D("1E-999999")),
    "NaN price": (D("NaN"), D(1)),
    "NaN price, removed": (D("NaN"), D(0)),
    "signalling NaN price": (D("sNaN"), D(1)),
    "infinite price": (D("-Infinity"), D(1)),
    "infinite price, removed": (D("Infinity"), D(0)),
    "absurd price": (D("1E+999999999"), D(1)),
    "vanishing price": (D("1E-101"), D(1)),
    "float price": (99.5, D(1)),
    "float price of a level": (99.0, D(1)),
    "float size of a level": (D(99), 1.5),
    "float zero": (D(99), 0.0),
    "whole number": (99, D(1)),
    "float size, new price": (D("99.5"), 1.5),
    "text": ("99", "1"),
    "three parts": (D(99), D(1), D(1)),
    "none": (D(99), None),
}


@pytest.mark.parametrize("trap", [True, False], ids=["trapping", "quiet"])
@pytest.mark.parametrize("where", ["bid change", "ask change", "bid snapshot", "ask snapshot"])
@pytest.mark.parametrize("what", NOT_A_LEVEL)
def test_bad_level_breaks_the_book_and_says_so(what: str, where: str, trap: bool) -> None:
    book = live()
    good: tuple[Level, ...] = pairs("99 9")
    levels: tuple[Any, ...] = (*good, NOT_A_LEVEL[what])
    bids, asks = (levels, good) if where.startswith("bid") else (good, levels)
    event = snapshot(bids, asks) if where.endswith("snapshot") else change(bids, asks)
    with decimal.localcontext() as context:
        context.traps[decimal.InvalidOperation] = trap
        with pytest.raises(BookError, match="BTC-USD") as caught:
            book.apply(event)
    assert isinstance(caught.value, TrioquotesError)
    assert isinstance(caught.value, ValueError)
    assert book.state == "broken"
    assert book.reason
    assert book.depth() == ((), ())
    assert book.statistics().invalidations == 1


def test_bad_snapshot_for_a_broken_book_leaves_no_half_of_it() -> None:
    book = live()
    book.invalidate("line lost")
    with pytest.raises(BookError):
        book.apply(snapshot(pairs("99 1"), pairs("101 -1")))
    assert book.depth() == ((), ())
    assert (book.state, book.reason) == ("broken", "line lost")


def test_interrupt_half_way_breaks_the_book_and_passes() -> None:
    class Iterated(tuple[Level, ...]):
        __slots__ = ()

        def __iter__(self) -> Iterator[Level]:
            yield D(99), D(7)
            raise KeyboardInterrupt

    book = live()
    with pytest.raises(KeyboardInterrupt):
        book.apply(change(Iterated(pairs("99 7", "98 7"))))
    assert book.state == "broken"
    assert book.depth() == ((), ())


def test_verify_sees_the_book_after_each_event_and_what_it_says_breaks_it() -> None:
    seen: list[tuple[Event, Level | None]] = []

    def verify(book: BookView, event: Event) -> str | None:
        seen.append((event, book.best_bid))
        return "checksum 7, not 8" if len(seen) == 3 else None

    book = OrderBook("BTC-USD", verify=verify)
    events: list[BookSnapshot | BookChange] = [
        snapshot(pairs("99 1")), change(pairs("99.5 1")), change(pairs("99.7 1")),
    ]  # fmt: skip
    book.apply(events[0])
    book.apply(events[1])
    assert book.state == "live"
    with pytest.raises(BookError, match="checksum 7, not 8"):
        book.apply(events[2])
    assert seen == list(
        zip(events, [pairs(f"{price} 1")[0] for price in ("99", "99.5", "99.7")], strict=True)
    )
    assert (book.state, book.reason, book.best_bid) == ("broken", "checksum 7, not 8", None)
    book.apply(events[0])
    assert book.state == "live"
    assert len(seen) == 4


def test_verify_is_not_asked_about_what_the_book_refused() -> None:
    asked: list[Event] = []
    book = OrderBook("BTC-USD", verify=lambda _, event: asked.append(event))
    for event in (
        change(pairs("99 1")),
        snapshot(pairs("99 1"), instrument="ETH-USD"),
        snapshot(pairs("99 -1")),
    ):
        with pytest.raises(BookError):
            book.apply(event)
    assert asked == []


def test_verify_may_find_a_snapshot_wrong_without_words() -> None:
    book = OrderBook("BTC-USD", verify=lambda *_: "")
    with pytest.raises(BookError, match="its check failed"):
        book.apply(snapshot(pairs("99 1")))
    assert (book.state, book.reason) == ("broken", "its check failed")


def test_verify_that_raises_breaks_the_book_and_its_error_passes() -> None:
    def verify(book: BookView, event: Event) -> str | None:
        raise ZeroDivisionError

    book = OrderBook("BTC-USD", verify=verify)
    with pytest.raises(ZeroDivisionError):
        book.apply(snapshot(pairs("99 1")))
    assert (book.state, book.depth()) == ("broken", ((), ()))


def test_interrupted_snapshot_leaves_no_half_of_it() -> None:
    class Iterated(tuple[Level, ...]):
        __slots__ = ()

        def __iter__(self) -> Iterator[Level]:
            raise KeyboardInterrupt

    book = live()
    with pytest.raises(KeyboardInterrupt):
        book.apply(snapshot(pairs("99 7"), Iterated(pairs("101 1"))))
    assert (book.state, book.depth(), book.best_bid) == ("broken", ((), ()), None)


def test_numbers_of_a_class_derived_from_decimal_are_taken() -> None:
    class Money(Decimal):
        pass

    book = live()
    book.apply(change(((Money("99"), Money("7")), (Money("98.5"), Money("1")), (Money("98"), Money("0")))))
    assert as_text(book.levels("bid")) == ["99 7", "98.5 1", "97 3"]


def test_subclasses_of_the_events_are_taken() -> None:
    class Whole(BookSnapshot, frozen=True, kw_only=True):
        pass

    class Part(BookChange, frozen=True, kw_only=True):
        pass

    book = OrderBook()
    book.apply(Whole(venue="test", instrument="BTC-USD", received_ns=1, bids=pairs("99 1"), asks=()))
    book.apply(Part(venue="test", instrument="BTC-USD", received_ns=1, bids=pairs("98 1")))
    assert as_text(book.levels("bid")) == ["99 1", "98 1"]


def test_event_of_another_instrument_is_refused_and_changes_nothing() -> None:
    book = live()
    before = book.depth(), book.statistics()
    for event in (change(pairs("99 0"), instrument="ETH-USD"), snapshot(pairs("1 1"), instrument="ETH-USD")):
        with pytest.raises(BookError, match="ETH-USD"):
            book.apply(event)
    assert (book.depth(), book.statistics()) == before


def test_book_without_a_name_takes_that_of_its_first_snapshot() -> None:
    book = OrderBook()
    assert "waiting" in repr(book)
    with pytest.raises(BookError, match="waiting"):
        book.apply(change(pairs("99 1")))
    book.apply(snapshot(pairs("99 1")))
    assert book.instrument == "BTC-USD"
    assert repr(book) == "<OrderBook BTC-USD: live, 1 bids, 0 asks>"
    with pytest.raises(BookError):
        book.apply(snapshot(instrument="ETH-USD"))


def test_unknown_side_and_negative_counts_are_usage_errors() -> None:
    book = live()
    wrong: Any = "offer"
    with pytest.raises(UsageError, match="offer"):
        book.levels(wrong)
    with pytest.raises(UsageError, match="offer"):
        book.size_at(wrong, D(1))
    for call in (lambda: book.levels("bid", -1), lambda: book.depth(-1)):
        with pytest.raises(UsageError, match="-1"):
            call()


# Window, counts, snapshot


def test_window_is_kept_after_the_whole_event_not_within_it() -> None:
    book = live(depth=3)
    # 100 enters before 98 leaves: cut in between, 97 would be lost.
    book.apply(change(pairs("100 1", "98 0"), pairs("100.5 1", "100.6 1")))
    assert as_text(book.levels("bid")) == ["100 1", "99 1", "97 3"]
    assert as_text(book.levels("ask")) == ["100.5 1", "100.6 1", "101 4"]
    assert (book.window, book.statistics().trimmed) == (3, 2)
    book.apply(change(asks=pairs("102 0")))
    assert book.statistics().unknown_removals == 1


@pytest.mark.parametrize(
    ("bids", "asks"), [(pairs("97 3", "99 1", "98 2"), ()), ((), pairs("103 6", "101 4", "102 5"))]
)
def test_snapshot_larger_than_it_promises_breaks_the_book(
    bids: tuple[Level, ...], asks: tuple[Level, ...]
) -> None:
    book = live()
    with pytest.raises(BookError, match="window larger than promised: 3 levels a side, not 2"):
        book.apply(snapshot(bids, asks, depth=2))
    assert (book.state, book.depth()) == ("broken", ((), ()))
    assert (book.best_bid, book.best_ask) == (None, None)


def test_levels_that_rest_nowhere_do_not_fill_the_window_of_a_snapshot() -> None:
    book = OrderBook("BTC-USD")
    book.apply(snapshot(pairs("99 1", "99.0 2", "98 0"), depth=1))
    assert as_text(book.levels("bid")) == ["99.0 2"]


def test_negative_window_is_refused() -> None:
    book = live()
    with pytest.raises(BookError, match="-1"):
        book.apply(snapshot(depth=-1))
    assert book.state == "broken"


def test_statistics_count_what_happened_and_do_not_change_afterwards() -> None:
    book = live()
    book.apply(change(pairs("90 0", "99 2"), pairs("90 0", "101 0")))
    seen = book.statistics()
    book.apply(change(pairs("1 1")))
    assert (seen.state, seen.bid_levels, seen.ask_levels) == ("live", 3, 2)
    assert (seen.snapshots, seen.changes, seen.levels_changed) == (1, 1, 4)
    assert (seen.unknown_removals, seen.trimmed, seen.invalidations) == (2, 0, 0)
    assert book.statistics().changes == 2


def test_snapshot_of_the_book_is_a_value_that_another_book_starts_from() -> None:
    book = live(depth=3)
    taken = book.snapshot(venue="test", received_ns=5, venue_time_ns=4, sequence=3)
    assert (taken.venue, taken.instrument, taken.received_ns) == ("test", "BTC-USD", 5)
    assert (taken.venue_time_ns, taken.sequence, taken.depth) == (4, 3, 3)
    other = OrderBook()
    other.apply(taken)
    book.apply(change(pairs("99 0")))
    assert as_text(taken.bids) == ["99 1", "98 2", "97 3"]
    assert other.depth() == (taken.bids, taken.asks)
    other.apply(change(pairs("99 0")))
    assert other.depth() == book.depth()


@pytest.mark.parametrize(
    ("window", "asked", "promised", "shown"),
    [(None, None, None, 3), (None, 2, 2, 2), (3, 2, 2, 2), (3, 9, 3, 3), (3, None, 3, 3)],
)
def test_snapshot_promises_the_narrower_window(
    window: int | None, asked: int | None, promised: int | None, shown: int
) -> None:
    taken = live(depth=window).snapshot(asked, venue="test", received_ns=1)
    assert taken.depth == promised
    assert (len(taken.bids), len(taken.asks)) == (shown, shown)


def test_deep_book_keeps_short_lists_and_no_empty_ones() -> None:
    with short_lists(8):
        book = OrderBook("BTC-USD")
        book.apply(snapshot(tuple((D(number), D(1)) for number in range(1, 101))))
        lists = book._bids._below
        assert max(len(keys) for keys, _ in lists) <= 8
        for number in range(1, 60):
            book.apply(change(((D(number), D(0)),)))
        assert min(len(keys) for keys, _ in lists) > 0
        for number in range(100, 59, -1):
            assert book.best_bid == (D(number), D(1))
            book.apply(change(((D(number), D(0)),)))
        assert (lists, len(book.bids)) == ([], 0)


# Against a naive model

SPELLINGS = ("{}", "{}.0", "{}.00", "{}.00000000", "{}0E-1")
prices = st.builds(
    lambda number, spelling: D(spelling.format(number)), st.integers(-3, 24), st.sampled_from(SPELLINGS)
)
sizes = st.one_of(
    st.sampled_from([D("0"), D("0.00"), D("0E-8"), D("-0")]),
    st.decimals("0.00000001", "1000", places=8, allow_nan=False),
    st.integers(1, 5).map(D),
)
level_lists = st.lists(st.tuples(prices, sizes), max_size=12).map(tuple)
windows = st.one_of(st.none(), st.integers(0, 6))
Naive = dict[Decimal, Decimal]


class BookAgainstModel(RuleBasedStateMachine):
    """The book equals two plain dicts that are searched from scratch at every look."""

    def __init__(self) -> None:
        super().__init__()
        self.book = OrderBook("BTC-USD")
        self.model: dict[BookSide, Naive] = {"bid": {}, "ask": {}}
        self.window: int | None = None
        self.live = False
        self.unknown = 0
        self.lists = short_lists(512)

    def _set(self, side: BookSide, levels: tuple[Level, ...], *, count: bool) -> None:
        known = self.model[side]
        for price, size in levels:
            if size != 0:
                known.pop(price, None)  # the key takes the newest spelling
                known[price] = size
            elif known.pop(price, None) is None and count:
                self.unknown += 1

    def _cut(self) -> None:
        if self.window is not None:
            self.model = {side: dict(self._sorted(side)[: self.window]) for side in self.model}

    def _sorted(self, side: BookSide) -> list[Level]:
        return sorted(self.model[side].items(), key=lambda level: level[0], reverse=side == "bid")

    @initialize(most=st.sampled_from([2, 4, 512]))
    def nothing_yet(self, most: int) -> None:
        self.lists = short_lists(most)
        self.lists.__enter__()
        assert self.book.state == "waiting"

    def teardown(self) -> None:
        self.lists.__exit__(None, None, None)

    @rule(bids=level_lists, asks=level_lists, window=windows)
    def takes_a_snapshot(self, bids: tuple[Level, ...], asks: tuple[Level, ...], window: int | None) -> None:
        self.model = {"bid": {}, "ask": {}}
        self._set("bid", bids, count=False)
        self._set("ask", asks, count=False)
        if window is not None and max(map(len, self.model.values())) > window:
            with pytest.raises(BookError, match="larger than promised"):
                self.book.apply(snapshot(bids, asks, depth=window))
            self._lost()
        else:
            self.book.apply(snapshot(bids, asks, depth=window))
            self.window, self.live = window, True

    @precondition(lambda self: self.live)
    @rule(bids=level_lists, asks=level_lists)
    def takes_a_change(self, bids: tuple[Level, ...], asks: tuple[Level, ...]) -> None:
        self.book.apply(change(bids, asks))
        self._set("bid", bids, count=True)
        self._set("ask", asks, count=True)
        self._cut()

    @precondition(lambda self: not self.live)
    @rule(bids=level_lists)
    def refuses_a_change(self, bids: tuple[Level, ...]) -> None:
        with pytest.raises(BookError):
            self.book.apply(change(bids))

    @rule(
        levels=level_lists,
        bad=st.sampled_from(["-1", "-0.00000001", "NaN", "Infinity", "-Infinity"]),
        whole=st.booleans(),
    )
    def breaks_on_a_bad_size(self, levels: tuple[Level, ...], bad: str, whole: bool) -> None:
        if not (whole or self.live):
            return
        bad_levels = (*levels, (D(5), D(bad)))
        unknown_before = self.book.statistics().unknown_removals
        with pytest.raises(BookError):
            self.book.apply(snapshot(levels, bad_levels) if whole else change(levels, bad_levels))
        self.unknown += self.book.statistics().unknown_removals - unknown_before
        self._lost()

    @rule()
    def is_invalidated(self) -> None:
        self.book.invalidate("told to")
        self._lost()

    def _lost(self) -> None:
        self.live = False
        self.model = {"bid": {}, "ask": {}}
        assert self.book.state == "broken"

    @invariant()
    def shows_the_same(self) -> None:
        book, bids, asks = self.book, self._sorted("bid"), self._sorted("ask")
        assert (book.state == "live") == self.live
        assert as_text(book.levels("bid")) == as_text(tuple(bids))
        assert as_text(book.levels("ask")) == as_text(tuple(asks))
        assert book.depth(3) == (tuple(bids[:3]), tuple(asks[:3]))
        assert book.best_bid == (bids[0] if bids else None)
        assert book.best_ask == (asks[0] if asks else None)
        for number in range(-4, 26):
            for side in ("bid", "ask"):
                assert book.size_at(side_named(side), D(number)) == self.model[side_named(side)].get(
                    D(number)
                )
        if bids and asks:
            assert book.crossed == (bids[0][0] > asks[0][0])
            assert book.locked == (bids[0][0] == asks[0][0])
            assert book.mid == (bids[0][0] + asks[0][0]) / 2
        counts = book.statistics()
        assert (counts.bid_levels, counts.ask_levels) == (len(bids), len(asks))
        assert counts.unknown_removals == self.unknown

    @precondition(lambda self: self.live)
    @invariant()
    def shows_the_same_through_its_snapshot(self) -> None:
        copy = OrderBook()
        copy.apply(self.book.snapshot(venue="test", received_ns=1))
        assert copy.depth() == self.book.depth()
        assert copy.window == self.book.window


BookAgainstModel.TestCase.settings = settings(max_examples=150, stateful_step_count=20, deadline=None)
TestBookAgainstModel = BookAgainstModel.TestCase


@pytest.mark.parametrize("most", [8, 64, 512])
@given(levels=st.dictionaries(st.integers(0, 400), st.integers(1, 9), min_size=100), data=st.data())
@settings(max_examples=25, deadline=None)
def test_deep_book_equals_the_model_after_many_changes(
    most: int, levels: dict[int, int], data: st.DataObject
) -> None:
    with short_lists(most):
        _deep_book_equals_the_model(levels, data)


def _deep_book_equals_the_model(levels: dict[int, int], data: st.DataObject) -> None:
    start = tuple((D(price), D(size)) for price, size in levels.items())
    changes = data.draw(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 3)), max_size=200))
    book, model = OrderBook("BTC-USD"), {D(price): D(size) for price, size in levels.items()}
    book.apply(snapshot(start, start))
    for price, size in changes:
        book.apply(change(((D(price), D(size)),), ((D(price), D(size)),)))
        model[D(price)] = D(size)
    kept = sorted((level for level in model.items() if level[1]), key=lambda level: level[0])
    assert book.levels("ask") == tuple(kept)
    assert book.levels("bid") == tuple(reversed(kept))
