"""Frames made of known pieces hold no odd number, whatever numbers they hold."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trioquotes._protocol.oddities import MAX_ADJUSTED
from trioquotes._protocol.pieces import EAGER, PIECE_BYTES, PIECES_KEPT, RARE, Pieces

ODD = ["NaN", "sNaN1", "-Infinity", "1_0", " 1", "1 ", "1e3", "1E-80", "٣", "\\u0031", "1" * MAX_ADJUSTED]
PLAIN = ["1", "0.5", "-3", "+2.50", ".5", "5.", "1" * (MAX_ADJUSTED - 1)]
WORDS = ["Buy", "Sell", "e", "nan", "state", "12", "", "_", "true"]

numbers = st.sampled_from(PLAIN + PLAIN + ODD)
levels = st.lists(
    st.tuples(st.sampled_from(["price", "size", "rate"]), numbers, st.sampled_from(WORDS)), max_size=6
)


def frame_of(rows: list[tuple[str, str, str]]) -> bytes:
    """A list of objects, in an object."""
    made = ",".join(f'{{"side":"{word}","{name}":"{number}","n":2}}' for name, number, word in rows)
    return f'{{"levels":[{made}],"number":"{len(rows)}"}}'.encode()


def is_plain(text: str) -> bool:
    """Whether a text that is read as a decimal may be one, asked in the plainest way."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        return True
    shown = text.isascii() and not set(text) & set("_ eE")
    return shown and value.is_finite() and abs(value.adjusted()) <= MAX_ADJUSTED


@given(st.lists(levels, max_size=8), st.lists(levels, min_size=1, max_size=8))
@example([[("rate", "1", "Buy"), ("rate", "2", "Sell")]], [[("rate", "7", "Sell")] * 3])
@example([[("rate", "1", "Buy")]], [[("rate", "1e99", "Buy")], [("rate", "1" * 64, "Buy")]])
def test_what_is_known_holds_no_odd_number(
    learned: list[list[tuple[str, str, str]]], asked: list[list[tuple[str, str, str]]]
) -> None:
    pieces = Pieces()
    for rows in learned:
        pieces.learn(frame_of(rows))
    frames = [frame_of(rows) for rows in asked]
    for rows, frame in zip(asked, frames, strict=True):
        if pieces.knows(frame):
            assert all(is_plain(number) for _, number, _ in rows)
            msgspec.json.decode(frame)
    assert pieces.knows_each(frames) == [pieces.knows(frame) for frame in frames]


def test_a_frame_of_other_numbers_and_more_levels_is_known() -> None:
    pieces = Pieces()
    pieces.learn(frame_of([("rate", "1", "Buy")] * 3))
    assert pieces.knows(frame_of([("rate", "-0.75", "Buy")] * 9))
    assert not pieces.knows(frame_of([("rate", "1", "Buy"), ("rate", "1", "Sell"), ("rate", "1", "Buy")]))


@pytest.mark.parametrize("shift", range(9))
@pytest.mark.parametrize(("digits", "known"), [(MAX_ADJUSTED - 1, True), (MAX_ADJUSTED, False)])
def test_a_long_number_is_found_wherever_it_stands(shift: int, digits: int, known: bool) -> None:
    pieces = Pieces()
    pieces.learn(b'{"a":"1","b":"2"}')
    frame = b'{"a":"%s","b":"%s"}' % (b"1" * shift, b"9" * (digits - 2) + b".5")
    assert pieces.knows(frame) is known
    assert pieces.knows_each([frame] * 3) == [known] * 3


def test_frames_with_line_breaks_are_looked_at_one_by_one() -> None:
    pieces = Pieces()
    broken, whole = b'{"a":\n"1"}', b'{"a":"1"}'
    pieces.learn(broken)
    pieces.learn(whole)
    assert pieces.knows_each([whole, broken, b"{}"]) == [True, True, False]


@pytest.mark.parametrize(
    "frame",
    [
        b'{"text":"a},{b"}',
        b'{"a":"1"},{"long":"%s"}' % (b"e" * PIECE_BYTES),
        b'{"a":"1e5"}',
        b'{"a":"\\u0031"}',
        '{"a":"é"}'.encode(),
    ],
    ids=["cut within a text", "long", "exponent", "escaped", "not ASCII"],
)
def test_odd_frames_are_not_learned(frame: bytes) -> None:
    pieces = Pieces()
    pieces.learn(frame)
    assert not pieces.knows(frame)


def shape(number: int) -> bytes:
    """A frame of a shape of its own."""
    return b'{"x":"X%s"}' % f"{number:b}".replace("0", "e").replace("1", "n").encode()


def test_what_is_new_all_the_time_is_looked_at_now_and_then() -> None:
    pieces = Pieces()
    for number in range(EAGER):
        pieces.learn(shape(number))
    assert all(pieces.knows(shape(number)) for number in range(EAGER))
    for number in range(EAGER, EAGER + 4 * RARE):
        pieces.learn(shape(number))
    assert sum(pieces.knows(shape(number)) for number in range(EAGER, EAGER + 4 * RARE)) == 4


def test_not_more_than_so_many_pieces_are_kept() -> None:
    pieces = Pieces()
    many = [b"},{".join(shape(row * 200 + at)[1:-1] for at in range(200)) for row in range(12)]
    for frame in many:
        pieces.learn(b"{%s}" % frame)
    kept = sum(pieces.knows(b"%s" % shape(number)[1:-1]) for number in range(12 * 200))
    assert 0 < kept <= PIECES_KEPT
    assert pieces.knows(b"{%s}" % many[-1])
