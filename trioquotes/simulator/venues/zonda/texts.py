"""Numbers, times and ids as the venue prints them."""

from __future__ import annotations

import uuid
import zlib
from decimal import Decimal
from typing import Any

import msgspec

__all__ = ["amount_text", "bare", "encoded", "ms", "places", "plain", "rate_text", "trade_uuid"]

GREGORIAN_OFFSET = 0x01B21DD213814000
"""Steps of 100 ns from the first day of the Gregorian calendar, where time-based UUIDs begin, to 1970."""

NODE = 0x0242AC110008
"""The node in the documented ids."""

EXPONENT_BELOW = Decimal("1E-6")
"""Below this JavaScript prints a number with an exponent."""


def encoded(frame: Any) -> str:
    """Compact JSON."""
    return msgspec.json.encode(frame).decode()


def ms(time_ns: int) -> str:
    """Unix milliseconds."""
    return str(time_ns // 10**6)


def places(step: Decimal) -> int:
    """How many decimals a step has."""
    return max(-int(step.normalize().as_tuple().exponent), 0)


def plain(number: Decimal) -> str:
    """Without trailing zeros and without an exponent: ``175728.7``, ``176000``."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def bare(number: Decimal) -> msgspec.Raw:
    """A JSON number as JavaScript prints it: ``27940``, ``0.00412197``, ``4e-8``."""
    text = plain(number)
    if number and abs(number) < EXPONENT_BELOW:
        digits = text.replace("-", "").replace("0.", "").lstrip("0")
        fraction = f".{digits[1:]}" if len(digits) > 1 else ""
        text = f"{'-' if number < 0 else ''}{digits[0]}{fraction}e{number.adjusted()}"
    return msgspec.Raw(text.encode())


def rate_text(rate: Decimal, tick: Decimal, salt: int) -> str:
    """A rate: the same one is printed with or without trailing zeros at different times, as recorded.

    Args:
        rate: the price.
        tick: how many decimals it may have.
        salt: decides the form, so that equal runs print equal texts.
    """
    return _padded(rate, (0, places(tick), 0)[(salt + _digits(rate)) % 3])


def amount_text(amount: Decimal, salt: int) -> str:
    """An amount as its owner may have typed it: ``0.5``, ``0.50``, ``0.5000`` or ``0.50000000``."""
    shortest = places(amount)
    return _padded(amount, (0, min(shortest + 1, 8), 0, 4, 0, 8)[(salt + _digits(amount)) % 6])


def _padded(number: Decimal, decimals: int) -> str:
    """With at least so many decimals."""
    return format(number, f".{max(decimals, places(number))}f")


def _digits(number: Decimal) -> int:
    return sum(number.normalize().as_tuple().digits)


def trade_uuid(market: str, trade_id: int, time_ns: int) -> str:
    """The time-based UUID of a trade; those of one moment differ by 100 ns each."""
    steps = time_ns // 100 + GREGORIAN_OFFSET + trade_id % 10_000
    clock = zlib.crc32(market.encode()) & 0x3FFF
    fields = (steps & 0xFFFFFFFF, steps >> 32 & 0xFFFF, steps >> 48 & 0x0FFF, clock >> 8, clock & 0xFF, NODE)
    return str(uuid.UUID(fields=fields, version=1))
