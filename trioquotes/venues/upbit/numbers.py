"""Upbit's numbers, which are bare JSON numbers: what the shared reader looks for, texts in their place, stands out otherwise.

Two looks at a text keep odd numbers out. One is at its digits, for absurd sizes. The other is for numbers in quotes,
and depends on nothing but what is left when all that numbers are made of is taken away: a venue's messages have few
such shapes, so that each of them is looked at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

import msgspec

from trioquotes._protocol.codec import BadFrame, check_numbers, exact, explain
from trioquotes._protocol.codec import builtins as plain

__all__ = ["NUMERIC", "SHAPES_KEPT", "ExactReader", "is_odd"]

T = TypeVar("T")

NUMERIC: Final = b"0123456789.+-E"
"""What numbers are made of; what is left of a text without it is its shape."""
SHAPES_KEPT: Final = 1024
"""Shapes remembered for each type of message: a few for each market."""

_NUMBER_IN_QUOTES: Final = re.compile(
    rb':\s*"'  # first, because it is found fast
    rb'(?<!_date":")(?<!_time":")(?<!"tdt":")(?<!"ttm":")'  # a ticker's dates are digits alone
    rb"\s*[+-]*(?:[0-9._]+(?:[eE][+-]?[0-9_]+)?|[sS]?[nN][aA][nN][0-9]*|[iI][nN][fF][a-zA-Z]*)\s*\""
)
_WIDE: Final = re.compile(rb"E[+-]*[0-9]{2}")  # begins with one character, and so finds it fast
_SMALL_E: Final = re.compile(rb"[0-9.]e")  # the venue writes a large one
_DIGITS: Final = bytes.maketrans(b"123456789", b"000000000")
_LONG: Final = b"0" * 40
_BACKSLASH: Final = 92


def is_odd(frame: bytes) -> bool:
    """Whether a number of the frame may be no plain one: in quotes, or of an absurd size.

    A yes costs a second look, a no is certain: without two digits in any exponent and with less than 40 in a
    row, no number reaches the limit of the second look.
    """
    if not frame.isascii() or _BACKSLASH in frame:
        return True
    return (
        _SMALL_E.search(frame) is not None or _is_absurd(frame) or _NUMBER_IN_QUOTES.search(frame) is not None
    )


def _is_absurd(frame: bytes) -> bool:
    """Whether a number without a small ``e`` may be of an absurd size."""
    return _WIDE.search(frame) is not None or _LONG in frame.translate(_DIGITS)


class ExactReader(Generic[T]):
    """Reads one JSON object to one class.

    Args:
        kind: what msgspec decodes to.
        make: makes the message of that; left out where it is the message.
        kind_name: what ``type`` must be; empty where the object has none.
    """

    __slots__ = ("_decode", "_make", "_name", "_shapes")

    def __init__(self, kind: Any, make: Callable[[Any], T] | None = None, *, kind_name: str = "") -> None:
        self._decode = msgspec.json.Decoder(kind, float_hook=exact).decode
        self._make = make
        self._name = kind_name
        self._shapes: set[bytes] = set()  # of texts without a number in quotes

    def read(self, text: bytes) -> T:
        """The message.

        Raises:
            BadFrame: the text is not JSON, not of the type, or a number is none or of an absurd size.
        """
        try:
            value = self._decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise BadFrame(explain(error, text)) from error
        shape = text.translate(None, NUMERIC)
        if _is_absurd(text) if shape in self._shapes else self._is_odd(text, shape):
            check_numbers(value, plain(text))
        try:
            message: T = value if self._make is None else self._make(value)
        except msgspec.ValidationError as error:
            raise BadFrame(explain(error, text)) from error
        if self._name and getattr(message, "type", "") != self._name:
            raise BadFrame(f"two types at once: {self._name!r} and {getattr(message, 'type', '')!r}")
        return message

    def _is_odd(self, text: bytes, shape: bytes) -> bool:
        """The same as :func:`is_odd`; a shape that holds no odd number is remembered."""
        if is_odd(text):
            return True
        if len(self._shapes) >= SHAPES_KEPT:
            self._shapes.clear()
        self._shapes.add(shape)
        return False
