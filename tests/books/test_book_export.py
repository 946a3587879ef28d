"""Books as columns: exact, or an error that says why not."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.books.shelf import D, pairs, snapshot
from trioquotes.books import OrderBook, OrderBookL3
from trioquotes.books.export import to_arrow, to_numpy
from trioquotes.errors import MissingExtra, UsageError
from trioquotes.events import Level, OrderBookSnapshot

numpy = pytest.importorskip("numpy")
arrow: Any = pytest.importorskip("pyarrow")


def book_of(bids: tuple[Level, ...] = (), asks: tuple[Level, ...] = ()) -> OrderBook:
    book = OrderBook("BTC-USD")
    book.apply(snapshot(bids, asks))
    return book


BIDS, ASKS = pairs("99.50 1.25", "99 3", "-0.125 1E+3"), pairs("100.5 0.00000001")


def test_table_holds_both_sides_best_first() -> None:
    table = to_arrow(book_of(BIDS, ASKS))
    assert table.column_names == ["side", "position", "price", "size"]
    assert table["side"].to_pylist() == ["bid", "bid", "bid", "ask"]
    assert table["position"].to_pylist() == [0, 1, 2, 0]
    assert table["price"].to_pylist() == [D("99.5"), D("99"), D("-0.125"), D("100.5")]
    assert table["size"].to_pylist() == [D("1.25"), D(3), D(1000), D("0.00000001")]
    assert table.schema.field("price").type == arrow.decimal128(6, 3)
    assert table.schema.field("size").type == arrow.decimal128(12, 8)


def test_table_is_cut_to_n_levels_a_side() -> None:
    table = to_arrow(book_of(BIDS, ASKS), 1)
    assert table["price"].to_pylist() == [D("99.50"), D("100.5")]
    assert table.schema.field("price").type == arrow.decimal128(5, 2)


def test_book_that_is_not_live_makes_a_table_without_rows() -> None:
    table = to_arrow(OrderBook())
    assert (table.num_rows, table.column_names) == (0, ["side", "position", "price", "size"])


def test_wide_numbers_take_wider_decimals_and_the_widest_are_refused() -> None:
    just, wider = "1" * 30 + "." + "1" * 8, "1" * 30 + "." + "1" * 46
    assert to_arrow(book_of(pairs(f"{just} 1"))).schema.field("price").type == arrow.decimal128(38, 8)
    table = to_arrow(book_of(pairs(f"{wider} 1")))
    assert table.schema.field("price").type == arrow.decimal256(76, 46)
    assert table["price"].to_pylist() == [D(wider)]
    with pytest.raises(UsageError, match="the size column needs 77 digits"):
        to_arrow(book_of(pairs(f"1 {wider}1")))


def test_numbers_in_thousands_have_no_negative_scale() -> None:
    table = to_arrow(book_of(pairs("2E+3 1E+2")))
    assert table.schema.field("price").type == arrow.decimal128(4, 0)
    assert table["size"].to_pylist() == [D(100)]


def test_arrays_are_whole_numbers_with_one_exponent() -> None:
    bids = to_numpy(book_of(BIDS, ASKS), "bid")
    assert (bids.prices.tolist(), bids.price_exponent) == ([99500, 99000, -125], -3)
    assert (bids.sizes.tolist(), bids.size_exponent) == ([125, 300, 100000], -2)
    assert bids.prices.dtype == bids.sizes.dtype == numpy.int64
    prices, sizes = bids.as_float()
    assert (prices.tolist(), sizes.tolist()) == ([99.5, 99.0, -0.125], [1.25, 3.0, 1000.0])
    assert to_numpy(book_of(BIDS, ASKS), "bid", 1).prices.tolist() == [9950]


def test_arrays_may_count_in_thousands() -> None:
    asks = to_numpy(book_of(asks=pairs("2E+3 1", "7E+4 1")), "ask")
    assert (asks.prices.tolist(), asks.price_exponent) == ([2, 70], 3)
    assert asks.as_float()[0].tolist() == [2000.0, 70000.0]


def test_arrays_cannot_be_written_to() -> None:
    bids = to_numpy(book_of(BIDS), "bid")
    for array in (bids.prices, bids.sizes):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(AttributeError):
        bids.price_exponent = 0  # type: ignore[misc]  # that is what is tested


def test_arrays_of_a_book_that_is_not_live_are_empty() -> None:
    asks = to_numpy(OrderBook(), "ask")
    assert (len(asks.prices), len(asks.sizes), len(asks.as_float()[0])) == (0, 0, 0)


@pytest.mark.parametrize("number", ["9223372036854775807", "92233720368547758.07"])
def test_largest_int64_fits_and_one_more_is_refused(number: str) -> None:
    assert to_numpy(book_of(pairs(f"1 {number}")), "bid").sizes.tolist() == [2**63 - 1]
    more = D(number) + D((0, (1,), D(number).as_tuple().exponent))  # type: ignore[arg-type]  # it is finite
    with pytest.raises(UsageError, match="does not fit into an int64"):
        to_numpy(book_of(((D(1), more),)), "bid")


def test_price_that_does_not_fit_is_named() -> None:
    with pytest.raises(UsageError, match=r"price 1000000 in units of 1E-18 does not fit"):
        to_numpy(book_of(pairs("0.000000000000000001 1", "1000000 1")), "bid")


def test_book_by_order_exports_its_sums() -> None:
    book = OrderBookL3()
    orders = ((D(99), D("1.5"), "a"), (D(99), D("1.25"), "b"))
    book.apply(OrderBookSnapshot(venue="test", instrument="X", received_ns=1, bids=orders, asks=()))
    assert to_arrow(book)["size"].to_pylist() == [D("2.75")]
    assert to_numpy(book, "bid").sizes.tolist() == [275]


def test_arguments_that_mean_nothing_are_usage_errors() -> None:
    side: Any = "buy"
    with pytest.raises(UsageError, match="buy"):
        to_numpy(book_of(), side)
    with pytest.raises(UsageError, match="-1"):
        to_arrow(book_of(), -1)


numbers = st.decimals(min_value="0.00000001", max_value=10_000_000, places=8) | st.integers(1, 10**9).map(D)
sides = st.lists(st.tuples(numbers, numbers), max_size=6, unique_by=lambda level: level[0]).map(tuple)


@given(sides, sides)
def test_every_book_comes_back_exactly(bids: tuple[Level, ...], asks: tuple[Level, ...]) -> None:
    book = book_of(bids, asks)
    rows = to_arrow(book).to_pylist()
    for side in ("bid", "ask"):
        kept = book.levels(side)
        assert tuple((row["price"], row["size"]) for row in rows if row["side"] == side) == kept
        arrays = to_numpy(book, side)
        assert _back(arrays.prices, arrays.price_exponent) == [price for price, _ in kept]
        assert _back(arrays.sizes, arrays.size_exponent) == [size for _, size in kept]
        prices, sizes = arrays.as_float()
        assert prices.tolist() == [float(price) for price, _ in kept]
        assert sizes.tolist() == [float(size) for _, size in kept]


def _back(mantissas: Any, exponent: int) -> list[Decimal]:
    return [D(mantissa).scaleb(exponent) for mantissa in mantissas.tolist()]


@pytest.mark.parametrize(
    ("missing", "call"), [("pyarrow", to_arrow), ("numpy", lambda book: to_numpy(book, "bid"))]
)
def test_missing_extra_is_named_with_its_command(
    missing: str, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingExtra, match=rf"{missing}.*pip install trioquotes\[arrays\]"):
        call(book_of(BIDS))


def test_importing_the_package_and_the_export_loads_neither() -> None:
    question = "import sys; import trioquotes, trioquotes.books.export; print({'numpy', 'pyarrow'} & set(sys.modules))"
    answer = subprocess.run(
        [sys.executable, "-c", question], capture_output=True, text=True, check=True, timeout=60
    )
    assert answer.stdout.strip() == "set()"
