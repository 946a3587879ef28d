"""Numbers and times as the venue prints them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from trioquotes.simulator.floor import Listing
from trioquotes.simulator.happenings import LevelSet

__all__ = ["ZERO_TIME", "fixed", "level_texts", "plain", "time_text"]

ZERO_TIME = "0001-01-01T00:00:00.000000Z"
"""What the venue sometimes prints for no time at all."""

ZEROS = ("0.00", "0.00000000", "0.0", "0.000000")
"""Forms in which a removed level's size was seen."""


def plain(number: Decimal) -> str:
    """Without trailing zeros and without an exponent: ``1008.2``, ``20``."""
    return format(number.normalize(), "f")


def fixed(number: Decimal, step: Decimal) -> str:
    """With as many decimals as the step has: ``102861.50``."""
    return format(number.quantize(step.normalize() if step < 1 else Decimal(1)), "f")


def time_text(time_ns: int) -> str:
    """RFC 3339 in UTC with microseconds."""
    seconds, rest_ns = divmod(time_ns, 10**9)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest_ns // 1000:06d}Z"


def level_texts(listing: Listing, level: LevelSet, ordinal: int) -> tuple[str, str]:
    """Price and size of a changed level; how many decimals are printed varies from message to message.

    Args:
        listing: for its steps.
        level: what changed.
        ordinal: decides the form, so that equal runs print equal texts.
    """
    price = fixed(level.price, listing.tick)
    if ordinal % 8 == 0:
        price = format(level.price.quantize(Decimal("1e-8")), "f")
    size = fixed(level.size, listing.step) if level.size else ZEROS[ordinal % len(ZEROS)]
    if level.size and ordinal % 5 == 0:
        size = plain(level.size)
    return price, size
