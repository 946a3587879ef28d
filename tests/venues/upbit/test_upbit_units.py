"""Order books read a column at a time: the same messages, and the same complaints, as read one by one."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.venues.upbit.market import MS, simple
from trioquotes._protocol.codec import BadFrame
from trioquotes.books.ladder import SortedAsks, SortedBids
from trioquotes.venues.upbit import Orderbook, OrderbookUnit, formats, units
from trioquotes.venues.upbit.books import fault_of, sides
from trioquotes.venues.upbit.numbers import ExactReader
from trioquotes.venues.upbit.units import OrderbookReader, SortedUnits

Row = tuple[str, str, str, str]
"""Texts of the price and the size of an ask and of a bid."""

ROWS: list[Row] = [
    ("117.0", "1.5", "116", "2.50"),
    ("1.18E+2", "0.25", "115.5", "1E-4"),
    ("119", "3", "115", "4"),
]
ODD = [
    "0", "0.0", "-1", "-0.0", "-2.5E-3", "1E64", "1E65", "1E-64", "1E-65", "1e5", "1e99", "1E05", "0E70", "0E-99",
    "1E999999999", "1E-999999999", "9" * 64, "9" * 65, "1" + "0" * 70, "1." + "0" * 70, '"1.5"', '"NaN"', '"1_0"',
    "NaN", "01", ".5", "5.", "+1", "1.2.3", "--1", "1E", "E5", "null", "[]", '"٣"', "1 ", "", "116", "117.00",
]  # fmt: skip


def text(rows: list[Row], *, total: str = "7.5", time: str = str(MS), stream: str = "REALTIME") -> str:
    """A message of the DEFAULT format, whatever its numbers are."""
    levels = ",".join(
        f'{{"ask_price":{ask},"bid_price":{bid},"ask_size":{ask_size},"bid_size":{bid_size}}}'
        for ask, ask_size, bid, bid_size in rows
    )
    return (
        f'{{"type":"orderbook","code":"KRW-1INCH","timestamp":{time},"total_ask_size":{total},'
        f'"orderbook_units":[{levels}],"stream_type":"{stream}","level":0}}'
    )


def sizes_first(frame: str) -> str:
    """The same with the fields of a level the other way round."""
    return re.sub(r'("ask_price":[^{}]*),("ask_size":[^{}]*)}', r"\2,\1}", frame)


def shortened(frame: str) -> str:
    """The same in the SIMPLE format, number by number as it was."""
    for kind in ("Message", "OrderbookUnit", "Orderbook"):
        for name, short in formats.ABBREVIATIONS[kind].items():
            frame = frame.replace(f'"{name}":', f'"{short}":')
    return frame


def outcome(reader: OrderbookReader, frame: str) -> str:
    """What becomes of a frame, to the digit; levels that count as looked at are those of a book."""
    try:
        message = reader.read(frame.encode())
    except BadFrame as bad:
        return f"bad: {bad.reason}"
    assert isinstance(message, Orderbook)
    if isinstance(message.orderbook_units, SortedUnits):
        assert fault_of((*message.orderbook_units,)) is None
    return repr(message)


def whole(reader: OrderbookReader, frame: str) -> str:
    """The same with every number read by itself."""
    try:
        return repr(ExactReader.read(reader, frame.encode()))
    except BadFrame as bad:
        return f"bad: {bad.reason}"


def units_of(reader: OrderbookReader, frame: str) -> tuple[OrderbookUnit, ...]:
    message = reader.read(frame.encode())
    assert isinstance(message, Orderbook)
    return message.orderbook_units


sizes = st.one_of(st.decimals("1E-8", "1E6", places=8).map(str), st.sampled_from(ODD))
"""Often a number like any other, sometimes none."""


@st.composite
def conversations(draw: st.DrawFn) -> list[str]:
    """Messages of one market, most of them like the one before."""
    depth = draw(st.integers(1, 8))
    rows: list[list[str]] = [[f"{117 + at}", "1.5", f"{116 - at}.0", "2.50"] for at in range(depth)]
    frames = [text([(a, b, c, d) for a, b, c, d in rows])]
    for _ in range(draw(st.integers(1, 6))):
        before = [[*row] for row in rows]
        for _ in range(draw(st.integers(0, 3))):
            row = draw(st.integers(0, depth - 1))
            rows[row][draw(st.sampled_from([1, 3, 1, 3, 0, 2]))] = draw(sizes)
        frames.append(
            text([(a, b, c, d) for a, b, c, d in rows], total=draw(st.sampled_from(["7.5", "1E9", *ODD])))
            if draw(st.integers(0, 9)) == 0
            else text([(a, b, c, d) for a, b, c, d in rows])
        )
        if draw(st.booleans()):
            rows = before
    return frames


@given(frames=conversations(), short=st.booleans())
@example(frames=[text(ROWS), text(ROWS), text([("117", "0", "116", "2"), *ROWS[1:]])], short=False)
@example(frames=[text(ROWS), text([*ROWS[:2], ("119", "3", "115.5", "4")])], short=True)
def test_a_book_is_read_as_if_every_number_was_read_by_itself(frames: list[str], *, short: bool) -> None:
    reader = formats.orderbook_reader(simple=short)
    for frame in frames:
        form = shortened(frame) if short else frame
        assert outcome(reader, form) == whole(reader, form)


@given(frames=conversations())
def test_levels_that_count_as_looked_at_are_those_of_a_book(frames: list[str]) -> None:
    reader = formats.orderbook_reader(simple=False)
    for frame in frames:
        try:
            levels = units_of(reader, frame)
        except BadFrame:
            continue
        if isinstance(levels, SortedUnits):
            plain = (*levels,)
            assert fault_of(plain) is None
            assert sides(levels, 30) == sides(plain, 30)
            assert sides(levels, 2) == sides(plain, 2)
            assert [type(side) for side in sides(levels, 2)] == [SortedBids, SortedAsks]


@pytest.mark.parametrize("short", [False, True])
def test_from_the_second_message_on_levels_are_looked_at_once(*, short: bool) -> None:
    reader, form = formats.orderbook_reader(simple=short), shortened if short else str
    kinds = [type(units_of(reader, form(text(ROWS, time=str(MS + at))))) for at in range(3)]
    assert kinds == [tuple, SortedUnits, SortedUnits]


def test_what_did_not_change_is_not_read_again() -> None:
    reader = formats.orderbook_reader(simple=False)
    rows = [(f"{117 + at}", "1", f"{116 - at}", "2") for at in range(9)]
    other = [*rows[:8], ("125", "7", "108.0", "8")]
    first, second, third, fourth = (units_of(reader, text(some)) for some in (rows, rows, other, other))
    assert first == second
    assert all(a is b for a, b in zip(second[:8], third[:8], strict=True))
    assert repr(third[8]) == repr(OrderbookUnit(Decimal(125), Decimal("108.0"), Decimal(7), Decimal(8)))
    assert third is fourth


def test_after_messages_with_nothing_in_common_the_next_ones_are_compared_with_the_one_before() -> None:
    reader = formats.orderbook_reader(simple=False)
    sizes = [1] * 30

    def read() -> tuple[OrderbookUnit, ...]:
        rows = [(f"{117 + at}", str(size), f"{116 - at}", "2") for at, size in enumerate(sizes)]
        return units_of(reader, text(rows))

    for new in range(2, 50):
        sizes[:] = [new] * 30
        read()
    taken_over = []
    before = read()
    for number in range(2 * units.MOST_SKIPS):
        sizes[number % 30] += (
            1  # so that after a third of them a message has too little in common with the first
        )
        after = read()
        taken_over.append(sum(a is b for a, b in zip(before, after, strict=True)))
        before = after
    assert taken_over[units.MOST_SKIPS + 1 :] == [29] * (units.MOST_SKIPS - 1)


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("depth", [1, 3], ids=["all read", "one read"])
@pytest.mark.parametrize("turned", [False, True])
def test_an_odd_number_is_odd_wherever_it_stands(odd: str, depth: int, *, turned: bool) -> None:
    reader = formats.orderbook_reader(simple=False)
    usual = text(ROWS[:depth])
    for column in range(4):
        row = [*ROWS[0]]
        row[column] = odd
        changed = text([(row[0], row[1], row[2], row[3]), *ROWS[1:depth]])
        for frame in (usual, usual, changed, usual):
            form = sizes_first(frame) if turned else frame
            assert outcome(reader, form) == whole(reader, form)


UNIT = '{"ask_price":117,"bid_price":116,"ask_size":1,"bid_size":2}'


@pytest.mark.parametrize(
    "levels",
    [
        "[]", "[{}]", "[{},{}]", "[1]", "[{1}]", "[-1]", "[[]]", "{}", "null", "", "}][{", "[{]", "[}]", f"[{UNIT}", f"{UNIT}]",
        f"[{UNIT},]", f"[{UNIT},{{}}]", f"[{UNIT},{UNIT}]", f"[{UNIT}{UNIT}]", f"[ {UNIT}]", f"[{UNIT}, {UNIT}]",
        f'[{UNIT[:-1]},"x":1}}]', f'[{UNIT[:-1]},"ask_price":118}}]', f'[{UNIT}],"x":[{UNIT}]',
        f'[{UNIT}],"orderbook_units":[]', f"[{UNIT.replace(':117', '')}]", f"[{UNIT.replace('117', '1,1')}]",
        '[{"bid_price":116,"ask_price":117,"ask_size":1,"bid_size":2}]', f"[{UNIT.replace(':2', ':[2]')}]",
        f"[{UNIT.replace(':2', ':-2')}]", f"[{UNIT.replace(':117', ':-117')}]", f"[{UNIT.replace('ask_size', 'size')}]",
    ],
)  # fmt: skip
def test_whatever_stands_in_the_place_of_the_levels_is_read_as_it_is(levels: str) -> None:
    reader = formats.orderbook_reader(simple=False)
    usual = text([("117", "1", "116", "2")])
    assert usual.count(f"[{UNIT}]") == 1
    for frame in (usual, usual, usual.replace(f"[{UNIT}]", levels), usual):
        assert outcome(reader, frame) == whole(reader, frame)


def test_books_of_two_markets_of_one_shape_are_not_mixed_up() -> None:
    reader = formats.orderbook_reader(simple=False)
    other = text([("217", "1", "216", "2"), *[(f"{218 + at}", "1", f"{215 - at}", "9") for at in range(2)]])
    for frame in [text(ROWS), other.replace("KRW-1INCH", "KRW-2INCH")] * 20:
        assert outcome(reader, frame) == whole(reader, frame)


def test_memory_of_shapes_and_of_columns_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "LAYOUTS_KEPT", 3)
    monkeypatch.setattr(units, "LADDERS_KEPT", 3)
    reader = formats.orderbook_reader(simple=False)
    for at in range(12):
        for _ in range(2):
            frame = text([(f"{200 + at}", "1", f"{100 - at}", "2")]).replace("1INCH", "ABCDEFGHIJKL"[at])
            assert outcome(reader, frame) == whole(reader, frame)
            assert len(reader._layouts) <= 3
            assert len(reader._asks._known) <= 3


def test_the_short_form_of_the_fixture_is_that_of_the_market() -> None:
    frame = text([("117.0", "1.5", "116.0", "2.5")])
    assert shortened(frame) == simple(frame)
