"""Numbers and times as the venue prints them: bare JSON numbers in several spellings.

*Source:* recorded frames of 2021 to 2026, and samples on docs.upbit.com where nothing was recorded.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Context, Decimal

import msgspec

__all__ = [
    "EXACT", "bare", "basic_date", "basic_time", "date_text", "double", "iso_text", "kst_text", "number", "padded",
    "plain", "pointed", "time_text",
]  # fmt: skip

EXACT = Context(prec=80)
"""Sums and products of prices, sizes and fees never reach its end."""

KST = timezone(timedelta(hours=9))

SCIENTIFIC_FROM, SCIENTIFIC_BELOW = Decimal("1E7"), Decimal("1E-3")
"""Where a Java double's text begins to have an exponent."""


def number(text: str) -> msgspec.Raw:
    """A JSON number that is printed exactly as given."""
    return msgspec.Raw(text.encode())


def plain(value: Decimal) -> msgspec.Raw:
    """Without exponent and trailing zeros: ``0.0602652``, ``116606000``."""
    return number(_plain(value))


def bare(value: Decimal) -> msgspec.Raw:
    """An integer without a point, anything else as a double: ``116606000``, ``58.4``, ``7.9276E-4``."""
    return plain(value) if value == value.to_integral_value() else double(value)


def pointed(value: Decimal) -> msgspec.Raw:
    """As :func:`plain`, with at least one decimal: ``148500000.0``."""
    text = _plain(value)
    return number(text if "." in text else f"{text}.0")


def padded(value: Decimal, decimals: int) -> msgspec.Raw:
    """With at least so many decimals, and never fewer than it has: ``106691000.00000000``."""
    whole, _, fraction = _plain(value).partition(".")
    return number(f"{whole}.{fraction.ljust(decimals, '0')}")


def double(value: Decimal) -> msgspec.Raw:
    """As Java prints a double: ``41840.0``, ``1.16539E8``, ``5.0E-4``."""
    size = abs(value)
    if not size or SCIENTIFIC_BELOW <= size < SCIENTIFIC_FROM:
        return pointed(value)
    sign, digits, _ = value.as_tuple()
    text = "".join(map(str, digits)).lstrip("0").rstrip("0")
    return number(f"{'-' if sign else ''}{text[0]}.{text[1:] or '0'}E{value.adjusted()}")


def _plain(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def date_text(time_ms: int) -> str:
    """Date in UTC as trades have it: ``2026-09-02``."""
    return f"{_utc(time_ms):%Y-%m-%d}"


def time_text(time_ms: int) -> str:
    """Time of day in UTC as trades have it: ``07:46:20``."""
    return f"{_utc(time_ms):%H:%M:%S}"


def basic_date(time_ms: int) -> str:
    """Date in UTC as tickers have it: ``20260902``."""
    return f"{_utc(time_ms):%Y%m%d}"


def basic_time(time_ms: int) -> str:
    """Time of day in UTC as tickers have it: ``074620``."""
    return f"{_utc(time_ms):%H%M%S}"


def iso_text(time_ms: int) -> str:
    """Date and time in UTC without a zone, as candles have it: ``2026-07-30T07:45:00``."""
    return f"{_utc(time_ms):%Y-%m-%dT%H:%M:%S}"


def kst_text(time_ms: int) -> str:
    """The same in Korean time."""
    return f"{_utc(time_ms).astimezone(KST):%Y-%m-%dT%H:%M:%S}"


def _utc(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms // 1000, UTC)
