"""What every book knows about numbers: which of them it takes, and how to reckon without losing a digit."""

from __future__ import annotations

from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation
from typing import TypeVar

from trioquotes.errors import TrioquotesError, UsageError
from trioquotes.events import BookSide

__all__ = [
    "BAD_NUMBER",
    "EXACT",
    "LARGEST",
    "QUOTIENT_DIGITS",
    "SMALLEST",
    "BookError",
    "asked_count",
    "asked_price",
    "asked_size",
    "checked_price",
    "checked_size",
    "of_side",
    "quotient",
]

T = TypeVar("T")

# Exact sums need no more memory than numbers of these magnitudes: "1E+999999999" costs nothing to
# write on a wire and gigabytes to add to. Comparing with both bounds is also the cheapest test there
# is that a size is positive and finite.
_MAGNITUDE = 100
SMALLEST = Decimal((0, (1,), -_MAGNITUDE))
LARGEST = Decimal((0, (1,), _MAGNITUDE))

# The caller's own decimal context may round or trap. Nobody reads the flags of this one.
EXACT = Context(
    prec=MAX_PREC, rounding=ROUND_HALF_EVEN, Emin=MIN_EMIN, Emax=MAX_EMAX, capitals=1, clamp=0, flags=[], traps=[],
)  # fmt: skip

QUOTIENT_DIGITS = 34
"""Significant digits of a quotient that has no end; those of IEEE 754's decimal128."""

BAD_NUMBER = (ValueError, TypeError, AttributeError, InvalidOperation)
"""What a level raises that is not a pair of Decimals: a triple does not unpack, a text does not compare, a float
has no exact negation, NaN has no order. ``BookError`` is a ``ValueError``."""


class BookError(TrioquotesError, ValueError):
    """A book cannot take what it was given: it is not live, or the event cannot be part of it.

    After an event that cannot be true the book is ``broken``; after a change that a book refused because it
    was not live, or because it belongs to another instrument, the book is as it was.
    """


def checked_price(price: Decimal, size: Decimal | None) -> Decimal:
    """The price itself; ``size`` is only for the error's words.

    Raises:
        BookError: it cannot be sorted, or not be added to exactly.
    """
    if not price.is_finite() or not -_MAGNITUDE <= price.adjusted() <= _MAGNITUDE:
        raise BookError(f"price {price} with size {size}: not a finite number of a usable magnitude")
    return price


def checked_size(size: Decimal, price: Decimal | None) -> Decimal:
    """The size itself; ``price`` is only for the error's words.

    Raises:
        BookError: it is not positive, not finite, or of an absurd magnitude.
    """
    if not size.is_finite() or not SMALLEST <= size <= LARGEST:
        raise BookError(f"size {size} at price {price}: not from {SMALLEST} to {LARGEST}")
    return size


def quotient(dividend: Decimal, divisor: Decimal) -> Decimal:
    """Exact where the quotient has an end, else rounded half-even to ``QUOTIENT_DIGITS``."""
    # A quotient that ends has at most as many digits as the dividend and four for each of the divisor's:
    # dividing once by two or by five adds one digit, and a digit of the divisor holds at most log2(10) twos.
    digits = len(dividend.as_tuple().digits) + 4 * len(divisor.as_tuple().digits)
    context = Context(prec=max(digits, QUOTIENT_DIGITS), rounding=ROUND_HALF_EVEN, traps=[])
    result = context.divide(dividend, divisor)
    if context.flags[Inexact]:
        context.prec = QUOTIENT_DIGITS
        result = context.divide(dividend, divisor)
    return result


def of_side(side: BookSide, bids: T, asks: T) -> T:
    """What belongs to a side.

    Raises:
        UsageError: there is no such side.
    """
    if side == "bid":
        return bids
    if side == "ask":
        return asks
    raise UsageError(f"a book has the sides 'bid' and 'ask', not {side!r}")


def asked_count(n: object) -> int | None:
    """A number of levels, or ``None`` for all.

    Raises:
        UsageError: it is negative, or no whole number.
    """
    if n is None or (isinstance(n, int) and n >= 0):
        return n
    raise UsageError(f"a number of levels is a whole number and not negative: {n!r}")


def asked_price(price: object) -> Decimal:
    """A price that somebody asks about.

    Raises:
        UsageError: it is no finite ``Decimal``.
    """
    if not isinstance(price, Decimal) or not price.is_finite():
        raise UsageError(f"a price is a finite Decimal, not {price!r}")
    return price


def asked_size(size: object) -> Decimal:
    """A size that somebody asks about.

    Raises:
        UsageError: it is no positive ``Decimal`` of a usable magnitude.
    """
    if not isinstance(size, Decimal) or size.is_nan() or not SMALLEST <= size <= LARGEST:
        raise UsageError(f"a size is a Decimal from {SMALLEST} to {LARGEST}, not {size!r}")
    return size
