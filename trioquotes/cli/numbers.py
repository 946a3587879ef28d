"""Numbers as options take them, checked before anything is started, and as people read them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from cyclopts import Token

from trioquotes.errors import UsageError

__all__ = ["listed", "many", "memory", "number", "positive", "whole"]

WHOLE = re.compile(r"[+-]?[0-9]{1,19}")


def many(count: int, word: str) -> str:
    """``1 gap``, ``2 gaps``, ``1,000 gaps``."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def memory(count: int) -> str:
    """Bytes in the largest unit that they fill: ``512 bytes``, ``64 KiB``, ``8 MiB``."""
    if count < 2**10:
        return many(count, "byte")
    return f"{count / 2**10:,.4g} KiB" if count < 2**20 else f"{count / 2**20:,.4g} MiB"


def listed(words: Sequence[str], last: str = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *first, end = words or ("nothing",)
    return f"{', '.join(first)} {last} {end}" if first else end


def positive(option: str, value: float) -> None:
    """Refuse what is no finite number above zero.

    Raises:
        UsageError: it is not.
    """
    if not 0 < value < math.inf:
        raise UsageError(f"{option} must be a number above 0, not {value:g}")


def whole(_type: Any, tokens: Sequence[Token]) -> int:
    """An option's whole number: one with a fraction is refused and not rounded.

    Raises:
        UsageError: it is none; the message names the option.
    """
    text = tokens[0].value
    if WHOLE.fullmatch(text) is None:
        raise UsageError(f"{tokens[0].keyword} must be a whole number, not {text!r}")
    return int(text)


def number(_type: Any, tokens: Sequence[Token]) -> float:
    """An option's number.

    Raises:
        UsageError: it is none; the message names the option.
    """
    text = tokens[0].value
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{tokens[0].keyword} must be a number, not {text!r}") from None
