"""Books as columns of Apache Arrow and NumPy; needs the extra ``arrays``.

::

    from trioquotes.books.export import to_arrow, to_numpy

    table = to_arrow(book, 10)          # side, position, price, size; exact decimals
    bids = to_numpy(book, "bid")        # whole numbers with one exponent; exact
    prices, sizes = bids.as_float()     # rounded
"""

from __future__ import annotations

import importlib
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import attrs

from trioquotes.books.exact import EXACT
from trioquotes.books.view import BookView
from trioquotes.errors import MissingExtra, UsageError
from trioquotes.events import BookSide

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["SideArrays", "to_arrow", "to_numpy"]

_INT64 = range(-(2**63), 2**63)
_DECIMAL128_DIGITS = 38
_DECIMAL256_DIGITS = 76


@attrs.frozen(eq=False)
class SideArrays:
    """One side of a book, best first, as whole numbers: a price is ``prices[i] * 10**price_exponent``, exactly.

    Attributes:
        prices: read-only array of int64.
        sizes: read-only array of int64, as long.
        price_exponent: the power of ten that every price is counted in.
        size_exponent: the same for the sizes.
    """

    prices: NDArray[np.int64]
    sizes: NDArray[np.int64]
    price_exponent: int
    size_exponent: int

    def as_float(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Prices and sizes as floats: each is rounded, once, to the nearest double.

        Returns:
            Two arrays of float64, best first.
        """
        return _floats(self.prices, self.price_exponent), _floats(self.sizes, self.size_exponent)


def to_arrow(book: BookView, n: int | None = None) -> pa.Table:
    """The best ``n`` levels of both sides, or all of them, as a table: bids, then asks, each best first.

    Returns:
        A table with the columns ``side`` (string: ``bid`` or ``ask``), ``position`` (int32, 0 is the best of its side), ``price`` and
        ``size``: decimal128, or decimal256 where that is too narrow, with the smallest scale that holds every
        digit of the column as it is spelt. No rows while the book is not live.

    Raises:
        MissingExtra: the extra ``arrays`` is not installed.
        UsageError: ``n`` is negative, or a column needs more than the 76 digits of a decimal256.
    """
    arrow = _imported("pyarrow")
    bids, asks = book.depth(n)
    prices, sizes = zip(*bids, *asks, strict=True) if bids or asks else ((), ())
    return arrow.table(
        {
            "side": arrow.array(["bid"] * len(bids) + ["ask"] * len(asks), arrow.string()),
            "position": arrow.array([*range(len(bids)), *range(len(asks))], arrow.int32()),
            "price": _decimals(arrow, "price", prices),
            "size": _decimals(arrow, "size", sizes),
        }
    )


def to_numpy(book: BookView, side: BookSide, n: int | None = None) -> SideArrays:
    """The best ``n`` levels of one side, or all of them, as arrays of whole numbers.

    Returns:
        Prices and sizes, best first, each with the exponent that they share: the smallest that is spelt.
        Empty while the book is not live.

    Raises:
        MissingExtra: the extra ``arrays`` is not installed.
        UsageError: the side is neither ``"bid"`` nor ``"ask"``, ``n`` is negative, or a number does not fit into an int64 with
            the exponent of its column.
    """
    numpy = _imported("numpy")
    levels = book.levels(side, n)
    prices, price_exponent = _mantissas(numpy, "price", [price for price, _ in levels])
    sizes, size_exponent = _mantissas(numpy, "size", [size for _, size in levels])
    return SideArrays(prices, sizes, price_exponent, size_exponent)


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise MissingExtra(f"exporting books needs {name}: pip install trioquotes[arrays]") from None


def _exponent(number: Decimal) -> int:
    return int(number.as_tuple().exponent)  # in a book every number is finite


def _decimals(arrow: Any, name: str, numbers: tuple[Decimal, ...]) -> Any:
    """A column with the narrowest decimal type that holds the numbers as they are spelt."""
    scale = max((-_exponent(number) for number in numbers), default=0)
    scale = max(scale, 0)
    digits = max((max(number.adjusted() + 1, 0) for number in numbers), default=0) + scale
    if digits > _DECIMAL256_DIGITS:
        raise UsageError(
            f"the {name} column needs {digits} digits: Arrow's decimals hold {_DECIMAL256_DIGITS}"
        )
    kind = arrow.decimal128 if digits <= _DECIMAL128_DIGITS else arrow.decimal256
    return arrow.array(numbers, kind(max(digits, 1), scale))


def _mantissas(numpy: Any, name: str, numbers: list[Decimal]) -> tuple[NDArray[np.int64], int]:
    """The numbers in units of the smallest exponent that any of them has."""
    exponent = min(map(_exponent, numbers), default=0)
    mantissas = [int(EXACT.scaleb(number, -exponent)) for number in numbers]
    for number, mantissa in zip(numbers, mantissas, strict=True):
        if mantissa not in _INT64:
            raise UsageError(f"{name} {number} in units of 1E{exponent:+} does not fit into an int64")
    array = numpy.array(mantissas, dtype=numpy.int64)
    array.flags.writeable = False
    return array, exponent


def _floats(mantissas: NDArray[np.int64], exponent: int) -> NDArray[np.float64]:
    # Whole numbers of Python divide into the nearest double; multiplying doubles would round twice.
    scale = 10 ** abs(exponent)
    whole: list[int] = mantissas.tolist()
    floats: NDArray[np.float64] = _imported("numpy").array(
        [mantissa / scale if exponent < 0 else float(mantissa * scale) for mantissa in whole], dtype="float64"
    )
    return floats
