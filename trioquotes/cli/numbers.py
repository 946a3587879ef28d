"""Numbers as options take them, checked before anything is started, and as people read them."""

from __future__ import annotations

import math

from trioquotes.errors import UsageError

__all__ = ["many", "positive"]


def many(count: int, word: str) -> str:
    """``1 gap``, ``2 gaps``, ``1,000 gaps``."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def positive(option: str, value: float) -> None:
    """Refuse what is no finite number above zero.

    Raises:
        UsageError: it is not.
    """
    if not 0 < value < math.inf:
        raise UsageError(f"{option} must be a number above 0, not {value:g}")
