"""What is read of a book: sums that are exact, views that are safe, arguments that make sense."""

from __future__ import annotations

import decimal
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.books.shelf import D, as_text, change, pairs, short_lists, snapshot
from trioquotes.books import BookSide, BookState, BookView, OrderBook, OrderBookL3
from trioquotes.errors import UsageError
from trioquotes.events import Level, OrderBookSnapshot

SIDES: tuple[BookSide, BookSide] = ("bid", "ask")
HOSTILE = [
    decimal.Context(prec=1, rounding=decimal.ROUND_UP),
    decimal.Context(prec=3, Emax=2, Emin=-2, traps=[decimal.Overflow]),
    decimal.Context(prec=5, traps=[decimal.Inexact, decimal.FloatOperation]),
]


class Facade(BookView):
    """Holds nothing itself and shows another book, which may be exchanged."""

    def __init__(self, book: OrderBook | OrderBookL3) -> None:
        self.book = book

    @property
    def _bids(self) -> Any:
        return self.book._bids

    @property
    def _asks(self) -> Any:
        return self.book._asks

    @property
    def instrument(self) -> str:
        return self.book.instrument

    @property
    def state(self) -> BookState:
        return self.book.state

    @property
    def reason(self) -> str:
        return self.book.reason

    @property
    def window(self) -> int | None:
        return self.book.window


def by_price(bids: tuple[Level, ...], asks: tuple[Level, ...]) -> BookView:
    book = OrderBook("BTC-USD")
    book.apply(snapshot(bids, asks))
    return book


def by_facade(bids: tuple[Level, ...], asks: tuple[Level, ...]) -> BookView:
    book = OrderBook("BTC-USD")
    book.apply(snapshot(bids, asks))
    return Facade(book)


def by_order(bids: tuple[Level, ...], asks: tuple[Level, ...]) -> BookView:
    """Each level as two orders, a third and the rest."""
    number = 0
    halves = []
    for side in (bids, asks):
        orders = []
        for price, size in side:
            first = size.scaleb(-1)
            with decimal.localcontext(decimal.Context(prec=200)):
                sizes = (first, size - first)
            for part in sizes:
                number += 1
                orders.append((price, part, str(number)))
        halves.append(tuple(orders))
    book = OrderBookL3("BTC-USD")
    book.apply(
        OrderBookSnapshot(
            venue="test", instrument="BTC-USD", received_ns=1, bids=halves[0], asks=halves[1], sequence=1
        )
    )
    return book


every_kind = pytest.mark.parametrize("kept", [by_price, by_facade, by_order])
Kept = Callable[[tuple[Level, ...], tuple[Level, ...]], BookView]

BIDS, ASKS = pairs("99 1", "98 2", "97.5 3"), pairs("101 4", "102.25 5")

# Examples by hand


@every_kind
def test_cumulative_adds_up_best_first(kept: Kept) -> None:
    book = kept(BIDS, ASKS)
    assert book.cumulative("bid") == pairs("99 1", "98 3", "97.5 6")
    assert book.cumulative("ask", 1) == pairs("101 4")
    assert book.cumulative("ask", 0) == ()


@every_kind
def test_size_within_counts_the_price_itself_and_better(kept: Kept) -> None:
    book = kept(BIDS, ASKS)
    asked: list[tuple[BookSide, str, int]] = [
        ("bid", "99.5", 0), ("bid", "99", 1), ("bid", "98.0", 3), ("bid", "97.6", 3), ("bid", "0", 6),
        ("ask", "100", 0), ("ask", "101", 4), ("ask", "102", 4), ("ask", "102.250", 9), ("ask", "999", 9),
    ]  # fmt: skip
    for side, price, size in asked:
        assert book.size_within(side, D(price)) == size


@every_kind
def test_notional_and_vwap_take_the_best_prices_first(kept: Kept) -> None:
    book = kept(BIDS, ASKS)
    assert book.notional("ask", D(2)) == D(202)
    assert book.notional("ask", D(4)) == D(404)
    assert book.notional("ask", D("6.5")) == D("659.625")
    assert book.notional("bid", D(6)) == D("587.5")
    assert book.notional("bid", D("6.00000001")) is None
    assert book.vwap("ask", D("0.3")) == D(101)
    assert book.vwap("ask", D(8)) == D("101.625")
    assert book.vwap("ask", D("9.1")) is None


def test_quotient_without_an_end_has_34_digits() -> None:
    book = by_price(pairs("10 1", "9 2"), ())
    assert str(book.vwap("bid", D(3))) == "9.333333333333333333333333333333333"
    even = by_price(pairs("3 1", "1 3"), pairs("5 3"))
    assert str(even.imbalance()) == "0.1428571428571428571428571428571429"


def test_quotient_with_an_end_is_exact_however_long() -> None:
    price = D("0.1234567890123456789012345678901234567890123456789")
    assert by_price((), ((price, D(4)),)).vwap("ask", D(3)) == price
    book = by_price((), ((D(1), D(1)), (D(2), D(2**41 - 1))))
    average = book.vwap("ask", D(2**41))
    assert average is not None
    assert Fraction(average) == 2 - Fraction(1, 2**41)


@every_kind
def test_imbalance_is_from_minus_one_to_one(kept: Kept) -> None:
    book = kept(BIDS, ASKS)
    assert book.imbalance(1) == D("-0.6")
    assert book.imbalance() == D("-0.2")
    assert book.imbalance(0) is None
    assert kept(BIDS, ()).imbalance(2) == 1
    assert kept((), ASKS).imbalance() == -1
    assert kept((), ()).imbalance() is None


@every_kind
def test_book_that_is_not_live_shows_nothing_to_reckon_with(kept: Kept) -> None:
    book = kept(BIDS, ASKS)
    (book.book if isinstance(book, Facade) else book).invalidate("lost")  # type: ignore[attr-defined]  # no facade
    assert (book.state, book.reason, book.window) == ("broken", "lost", None)
    assert (book.best_bid, book.best_ask, book.spread, book.mid) == (None, None, None, None)
    for side in SIDES:
        assert book.cumulative(side) == ()
        assert book.size_within(side, D(99)) == 0
        assert book.notional(side, D(1)) is None
        assert book.vwap(side, D(1)) is None
    assert book.imbalance() is None
    assert (list(book.bids), len(book.asks)) == ([], 0)


def test_facade_shows_the_book_that_it_has_now() -> None:
    first, second = OrderBook("BTC-USD"), OrderBook("BTC-USD")
    first.apply(snapshot(BIDS, ASKS))
    second.apply(snapshot(pairs("50 1"), pairs("51 1"), depth=5))
    facade = Facade(first)
    bids = facade.bids
    assert (facade.spread, facade.mid, facade.crossed, facade.locked) == (D(2), D(100), False, False)
    facade.book = second
    assert (facade.best_bid, facade.best_ask) == (pairs("50 1")[0], pairs("51 1")[0])
    assert bids[0] == (D(50), D(1))
    taken = facade.snapshot(venue="test", received_ns=5)
    assert (taken.bids, taken.depth) == (pairs("50 1"), 5)
    assert facade.depth() == second.depth()


def test_book_view_itself_is_no_book() -> None:
    with pytest.raises(TypeError, match="abstract"):
        BookView()  # type: ignore[abstract]  # that is what is tested


# Views


@pytest.mark.parametrize("most", [2, 512])
def test_sides_are_sequences_best_first(most: int) -> None:
    with short_lists(most):
        book = by_price(BIDS, ASKS)
        bids = book.bids
        assert isinstance(bids, Sequence)
        assert (len(bids), repr(bids)) == (3, "<3 levels>")
        assert [bids[at] for at in range(3)] == list(BIDS)
        assert [bids[at] for at in (-1, -2, -3)] == list(reversed(BIDS))
        assert list(reversed(book.asks)) == list(reversed(ASKS))
        assert bids.index(BIDS[1]) == 1
        assert BIDS[2] in bids
        for place in (3, -4, 99):
            with pytest.raises(IndexError, match="3 levels"):
                bids[place]


@given(st.integers(0, 12), st.slices(12), st.sampled_from([2, 4, 512]))
def test_slices_are_those_of_a_tuple(levels: int, part: slice, most: int) -> None:
    whole = tuple((D(100 - number), D(1)) for number in range(levels))
    with short_lists(most):
        assert by_price(whole, ()).bids[part] == whole[part]


def test_slice_without_a_step_is_refused_as_by_a_tuple() -> None:
    with pytest.raises(ValueError, match="zero"):
        by_price(BIDS, ASKS).bids[::0]


def test_view_changes_with_the_book_and_an_iteration_does_not() -> None:
    book = OrderBook("BTC-USD")
    bids, asks = book.bids, book.asks
    assert (len(bids), list(asks)) == (0, [])
    book.apply(snapshot(BIDS, ASKS))
    seen = []
    for level in bids:
        seen.append(level)
        book.apply(change(((level[0], D(0)), (D(1), D(1)))))
    assert tuple(seen) == BIDS
    assert as_text(tuple(bids)) == ["1 1"]
    left = reversed(asks)
    book.invalidate("lost")
    assert tuple(left) == ASKS[::-1]
    assert len(asks) == 0


# Against reckoning with fractions, in contexts that round and trap

numbers = st.decimals(min_value="0.00000001", max_value=100_000, places=8)
sides = st.lists(st.tuples(numbers, numbers), max_size=8, unique_by=lambda level: level[0]).map(tuple)


@given(
    bids=sides, asks=sides, price=numbers, size=numbers, n=st.integers(0, 9), context=st.sampled_from(HOSTILE),
    most=st.sampled_from([2, 512]),
)  # fmt: skip
def test_all_sums_are_exact_whatever_the_context(
    *, bids: tuple[Level, ...], asks: tuple[Level, ...], price: Decimal, size: Decimal, n: int,
    context: decimal.Context, most: int,
) -> None:  # fmt: skip
    ordered: dict[BookSide, list[Level]] = {"bid": sorted(bids, reverse=True), "ask": sorted(asks)}
    with short_lists(most):
        for kept in (by_price, by_facade, by_order):
            book = kept(bids, asks)
            for side in SIDES:
                _sums_are_exact(book, side, ordered[side], price=price, size=size, n=n, context=context)
            both = [sum((Fraction(level[1]) for level in ordered[side][:n]), Fraction(0)) for side in SIDES]
            with decimal.localcontext(context):
                imbalance = book.imbalance(n)
            if sum(both):
                _is_quotient(imbalance, (both[0] - both[1]) / sum(both))
            else:
                assert imbalance is None


def _sums_are_exact(
    book: BookView, side: BookSide, levels: list[Level], *, price: Decimal, size: Decimal, n: int,
    context: decimal.Context,
) -> None:  # fmt: skip
    with decimal.localcontext(context):
        cumulative = book.cumulative(side, n)
        within = book.size_within(side, price)
        notional, vwap = book.notional(side, size), book.vwap(side, size)
    total, sums = Fraction(0), []
    for _, resting in levels[:n]:
        total += Fraction(resting)
        sums.append(total)
    assert [Fraction(sum_) for _, sum_ in cumulative] == sums
    assert [at for at, _ in cumulative] == [at for at, _ in levels[:n]]
    better = [Fraction(r) for at, r in levels if (at >= price if side == "bid" else at <= price)]
    assert Fraction(within) == sum(better)
    paid, wanted = Fraction(0), Fraction(size)
    for at, resting in levels:
        taken = min(wanted, Fraction(resting))
        paid, wanted = paid + taken * Fraction(at), wanted - taken
    if wanted:
        assert (notional, vwap) == (None, None)
    else:
        assert notional is not None
        assert Fraction(notional) == paid
        _is_quotient(vwap, paid / Fraction(size))


def _is_quotient(shown: Decimal | None, exact: Fraction) -> None:
    """Equal where the fraction ends in base ten, else the nearest number of 34 digits."""
    assert shown is not None
    divisor = exact.denominator
    for prime in (2, 5):
        while divisor % prime == 0:
            divisor //= prime
    if divisor == 1:
        assert Fraction(shown) == exact
    else:
        assert len(shown.as_tuple().digits) == 34
        assert abs(Fraction(shown) - exact) <= Fraction(10) ** (shown.adjusted() - 33) / 2


# Arguments


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda book: book.levels("buy"), "'buy'"),
        (lambda book: book.cumulative("buy"), "'buy'"),
        (lambda book: book.size_at("buy", D(1)), "'buy'"),
        (lambda book: book.size_within(None, D(1)), "None"),
        (lambda book: book.notional("buy", D(1)), "'buy'"),
        (lambda book: book.vwap("buy", D(1)), "'buy'"),
        (lambda book: book.levels("bid", -1), "-1"),
        (lambda book: book.levels("bid", 1.5), r"1\.5"),
        (lambda book: book.depth(-2), "-2"),
        (lambda book: book.cumulative("bid", -1), "-1"),
        (lambda book: book.imbalance("3"), "'3'"),
        (lambda book: book.snapshot(-1, venue="test", received_ns=1), "-1"),
        (lambda book: book.size_at("bid", 99.5), r"99\.5"),
        (lambda book: book.size_at("bid", D("NaN")), "NaN"),
        (lambda book: book.size_within("bid", "99"), "'99'"),
        (lambda book: book.size_within("bid", D("Infinity")), "Infinity"),
        (lambda book: book.notional("ask", D(0)), "0"),
        (lambda book: book.notional("ask", D(-1)), "-1"),
        (lambda book: book.notional("ask", D("sNaN")), "sNaN"),
        (lambda book: book.notional("ask", D("Infinity")), "Infinity"),
        (lambda book: book.vwap("ask", D("1E+999999999")), r"1E\+999999999"),
        (lambda book: book.vwap("ask", 1), "not 1"),
        (lambda book: book.vwap("ask", 1.5), r"1\.5"),
    ],
)
@pytest.mark.parametrize("kept", [by_price, by_order])
def test_arguments_that_mean_nothing_are_usage_errors(
    kept: Kept, call: Callable[[Any], object], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        call(kept(BIDS, ASKS))
