"""Frames that may hold a number which is none: found by what is left of them without their digits, at C speed."""

from __future__ import annotations

import re

__all__ = ["MAX_ADJUSTED", "ORDINARY", "RUNS", "RUN_DIGITS", "has_long_number", "suspicious"]

MAX_ADJUSTED = 64
"""Largest power of ten, either way, of a number that can be meant: 1e64 is beyond any price or size."""
RUN_DIGITS = bytes.maketrans(b"123456789.", b"0000000000")
"""Makes one digit of all, and of points."""
_LONG = b"0" * MAX_ADJUSTED


def _classes() -> bytes:
    """Classes of characters: ``_`` for all that only a lenient reader takes in a number, ``x`` for the rest."""
    table = bytearray(b"x" * 256)
    for char in b'":,[]{}':
        table[char] = char
    for char in b"_ \t\r\neEnNaAiIfFtTyYsS":  # blanks, and the letters of exponents, of NaN and of Infinity
        table[char] = ord("_")
    return bytes(table)


def _letters() -> bytes:
    """The same classes, with the letters told apart, in lower case: ``_`` stays for blanks and underscores alone."""
    table = bytearray(_classes())
    for char in b"eEnNaAiIfFtTyYsS":
        table[char] = ord(chr(char).lower())
    return bytes(table)


_CLASSES = _classes()
_LETTERS = _letters()
_PLAIN = b"0123456789.+-"
_ODD_TEXT = re.compile(rb'"_+"')
# What is left, without its digits, of a number with an exponent, of NaN and of Infinity: underscores may stand anywhere.
_ODD_WORD = re.compile(rb'"_*(?:_|e_*|(?:s_*)?n_*a_*n_*|i_*n_*f_*(?:i_*n_*i_*t_*y_*)?)"')
_ODD_LITERAL = re.compile(rb"[:,\[]_+[,\]}]")
_LITERAL_END = re.compile(rb"_[,\]}]")  # rare, and so found to be absent in half the time
_BACKSLASH = 92

ORDINARY = bytes(sorted(set(b"0123456789.+-:/abcdfghjklmopqrstuvwxyzABCDFGHJKLMOPQRSTUVWXYZ")))
"""What neither makes a number odd nor tells where one stands: every text that ``Decimal`` takes and that is no plain
number has a character that is not among these."""
RUNS = re.compile(b"[" + re.escape(ORDINARY) + b"]+")


def suspicious(frame: bytes, *, literals: bool = False) -> bool:
    """Whether the frame may hold a text that ``Decimal`` takes and that is not a plain number of sane size.

    Plain digits are deleted first: what is left of a plain number is empty, so a quoted text left with
    nothing but blanks, underscores and the letters of exponents and of NaN stands out; where one does, such as
    ``"state"``, its letters are looked at too. A yes costs a second look, a no is certain.

    Args:
        frame: the JSON text.
        literals: whether decimals also stand as JSON numbers, without quotes.
    """
    if not frame.isascii() or _BACKSLASH in frame:  # an escape can spell any character
        return True
    rest = frame.translate(_CLASSES, _PLAIN)
    if _ODD_TEXT.search(rest) is not None:
        letters = frame.translate(_LETTERS, _PLAIN)
        for odd in _ODD_TEXT.finditer(rest):
            if _ODD_WORD.match(letters, odd.start()) is not None:
                return True
    if literals and (
        (_LITERAL_END.search(rest) is not None and _ODD_LITERAL.search(rest) is not None)
        or not rest.strip(b"_")
    ):
        return True
    return len(frame) - len(rest) >= MAX_ADJUSTED and has_long_number(frame)


def has_long_number(frame: bytes) -> bool:
    """Whether so many digits follow each other that no number can be meant."""
    return _LONG in frame.translate(RUN_DIGITS)
