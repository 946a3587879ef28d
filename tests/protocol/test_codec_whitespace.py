"""Whitespace of JSON beside a number hides nothing about it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trioquotes._protocol.codec import BadFrame, Reader
from trioquotes._protocol.oddities import suspicious

READER: Reader[dict[str, Decimal]] = Reader(dict[str, Decimal], literals=True)


@pytest.mark.parametrize("before", ["", " ", "\n", "\t", "\r\n", "\r\n\r\n "])
@pytest.mark.parametrize("after", ["", "\n", "\t "])
@pytest.mark.parametrize("literal", ["1e-999999999", "1E+400"])
def test_a_number_out_of_range_is_refused_whatever_stands_around_it(
    before: str, after: str, literal: str
) -> None:
    frame = f'{{"a":{before}{literal}{after}}}'.encode()
    assert suspicious(frame, literals=True)
    with pytest.raises(BadFrame, match="out of range"):
        READER.read(frame)


def test_a_sane_number_may_stand_on_a_line_of_its_own() -> None:
    assert READER.read(b'{"a":\n1.50\t}') == {"a": Decimal("1.50")}
