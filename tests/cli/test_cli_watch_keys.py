"""Keys from bytes, however the reads cut them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioquotes.cli.watch_keys import LONGEST, KeyReader

TYPED = {
    b"q": ["q"],
    b" ": ["space"],
    b"\t": ["tab"],
    b"\x1b[Z": ["backtab"],
    b"\x1b[A": ["up"],
    b"\x1bOB": ["down"],
    b"\x1b[1;2C": ["right"],
    b"\x1bOD": ["left"],
    b"\x0c": ["redraw"],
    b"\x1b[15~": [],
    b"\x1bx": [],
    b"7": ["7"],
}


@pytest.mark.parametrize("data", TYPED)
def test_each_key_has_its_name(data: bytes) -> None:
    assert KeyReader().feed(data) == TYPED[data]


@given(st.lists(st.sampled_from(sorted(TYPED)), max_size=20), st.data())
def test_it_does_not_matter_where_the_reads_cut(typed: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(typed)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=5)))
    reader = KeyReader()
    keys = []
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        keys += reader.feed(whole[start:end])
    assert keys == [key for one in typed for key in TYPED[one]]
    assert not reader.is_pending


def test_the_escape_key_alone_is_known_when_nothing_follows() -> None:
    reader = KeyReader()
    assert reader.feed(b"\x1b") == []
    assert reader.is_pending
    assert reader.flush() == ["escape"]
    assert not reader.is_pending
    assert reader.feed(b"\x1b\x1b[A") == ["escape", "up"]


def test_a_broken_sequence_hides_no_key_after_it() -> None:
    assert KeyReader().feed(b"\x1b[\x0cq") == ["redraw", "q"]


@given(st.binary(max_size=200))
def test_whatever_comes_little_is_held_back(data: bytes) -> None:
    reader = KeyReader()
    for byte in data:
        assert all(isinstance(key, str) for key in reader.feed(bytes([byte])))
        assert len(reader._rest) < LONGEST
