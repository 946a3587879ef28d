"""What is exported comes back from every format, to the digit."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.recording.exported import expected, plain
from trioquotes import events
from trioquotes._protocol.codec import from_json_line, json_converter
from trioquotes.errors import InternalError
from trioquotes.events import (
    BookChange,
    Event,
    Gap,
    MarketEvent,
    Notice,
    OrderBookSnapshot,
    Trade,
    WireMessage,
)
from trioquotes.recording.export_arrow import Extents, ParquetWriter, Tabulator, _leaf, arrow_schema
from trioquotes.recording.export_columns import (
    Extent,
    Leaf,
    ListOf,
    Part,
    Parts,
    Row,
    columns_of,
    decimal_scale,
    kind_of,
)
from trioquotes.recording.export_text import csv_header, csv_lines, json_lines
from trioquotes.topics import Books, Trades
from trioquotes.venues.coinbase import Match

pa = pytest.importorskip("pyarrow")
pytest.importorskip("pyarrow.parquet")

VENUE = "nowhere"
KINDS = [
    kind
    for kind in vars(events).values()
    if isinstance(kind, type) and issubclass(kind, MarketEvent | Notice) and kind not in {MarketEvent, Notice}
]

usual = st.decimals(-(10**12), 10**12, places=8, allow_nan=False, allow_infinity=False)
numbers = usual | st.builds(
    lambda sign, digits, exponent: Decimal((sign, tuple(digits), exponent)),
    st.integers(0, 1),
    st.lists(st.integers(0, 9), min_size=1, max_size=45),
    st.integers(-40, 30),
)
LEAVES: dict[Any, st.SearchStrategy[Any]] = {
    Decimal: numbers,
    str: st.text(st.characters(codec="utf-8"), max_size=5),
    bytes: st.binary(max_size=5),
    bool: st.booleans(),
    int: st.integers(-(2**63), 2**63 - 1) | st.integers(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    NoneType: st.none(),
    Any: st.sampled_from([None, Trades("A"), Books("B", 5)]),
}


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of a type."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return values(arguments[0])
    if origin in {Union, UnionType}:
        return st.one_of([values(part) for part in arguments])
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple and arguments[-1] is Ellipsis:
        return st.lists(values(arguments[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values, arguments))
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return st.builds(hint, **{name: values(part) for name, part in get_type_hints(hint).items()})
    return LEAVES[hint]


def rows_of(*found: Event) -> list[Row]:
    return [Row(position, "I-" + str(position % 2), event) for position, event in enumerate(found)]


tables = (
    st.sampled_from(KINDS)
    .flatmap(lambda kind: st.lists(values(kind), min_size=1, max_size=4))
    .map(lambda found: rows_of(*found))
)


def tabulated(rows: list[Row]) -> tuple[Any, Extents]:
    """The rows as Arrow, by as many passes as an export makes."""
    tabulator = Tabulator()
    batch = tabulator.batch(rows, VENUE)
    if tabulator.irregular:
        assert batch is None
        batch = Tabulator(tabulator.extents).batch(rows, VENUE)
    return batch, tabulator.extents


@given(tables)
@example(rows_of(Gap(venue="v", received_ns=1, reason="r", missed=2**70)))
@example(
    rows_of(Trade(venue="v", instrument="i", received_ns=1, price=Decimal("1E-30"), size=Decimal("1E+30")))
)
@example(
    rows_of(Trade(venue="v", instrument="i", received_ns=2**63, price=Decimal("1E+38"), size=Decimal(0)))
)
def test_arrow_gives_back_every_value(rows: list[Row]) -> None:
    batch, _ = tabulated(rows)
    columns = columns_of(type(rows[0].event))
    assert batch.column("position").to_pylist() == [row.position for row in rows]
    assert batch.column("instrument").to_pylist() == [row.instrument for row in rows]
    for column in columns[3 + isinstance(rows[0].event, Notice) :]:
        was = [expected(getattr(row.event, column.name, None), column.kind) for row in rows]
        place = columns.index(column)
        found = batch.column(place)
        assert not pa.types.is_floating(found.type) or column.name == "silent_s"
        if pa.types.is_timestamp(found.type):
            assert (found.type.unit, found.type.tz) == ("ns", "UTC")
            assert batch.schema.names[place] == column.name.removesuffix("_ns")
            assert found.cast(pa.int64()).to_pylist() == was
        else:
            assert batch.schema.names[place] == column.name
            assert [plain(*pair) for pair in zip(found.to_pylist(), was, strict=True)] == was


def spelt(*texts: str) -> list[Row]:
    """Trades at such prices."""
    return rows_of(
        *(
            Trade(venue="v", instrument="i", received_ns=1, price=Decimal(text), size=Decimal(1))
            for text in texts
        )
    )


@given(tables)
@example(spelt("1." + "0" * 40))
@example(spelt("1E-23", "0E+16"))
@example(spelt("0E-45", "0E+30"))
def test_parquet_gives_back_what_arrow_has(rows: list[Row]) -> None:
    batch, _ = tabulated(rows)
    file = io.BytesIO()
    writer = ParquetWriter(file, batch.schema)
    writer.write(batch)
    writer.close()
    found = pa.parquet.read_table(io.BytesIO(file.getvalue()))
    assert found.schema == batch.schema
    assert found.equals(pa.Table.from_batches([batch]))


@given(tables)
def test_csv_gives_back_every_text(rows: list[Row]) -> None:
    columns = columns_of(type(rows[0].event))
    text = csv_header(columns) + csv_lines(rows, VENUE)
    # Without its lines being taken apart first: a text may hold any end of a line.
    head, *lines = list(csv.reader(io.StringIO(text, newline="")))
    assert head == [column.name for column in columns]
    assert len(lines) == len(rows)
    converter = json_converter()
    for row, line in zip(rows, lines, strict=True):
        assert all(len(line) == len(head) for line in lines)
        for column, cell in list(zip(columns, line, strict=True))[3 + isinstance(row.event, Notice) :]:
            value = converter.unstructure(getattr(row.event, column.name, None))
            if value is None:
                assert cell == ""
            elif isinstance(value, str):
                assert cell == value
            else:
                assert msgspec.json.decode(cell) == msgspec.json.decode(msgspec.json.encode(value))


def test_an_empty_text_is_not_taken_for_none_in_csv() -> None:
    trade = Trade(
        venue="v", instrument="i", received_ns=1, price=Decimal("1.10"), size=Decimal(2), trade_id=""
    )
    line = csv_lines([Row(7, "", trade)], "v")
    assert line == '7,v,"",,1,,1.10,2,,""\n'


@given(tables)
def test_json_lines_are_those_of_stream_with_a_position(rows: list[Row]) -> None:
    *lines, end = json_lines(rows, VENUE).split("\n")
    assert end == ""
    for line, row in zip(lines, rows, strict=True):
        fields = msgspec.json.decode(line)
        assert list(fields)[:2] == ["event", "position"]
        assert fields["position"] == row.position
        if all(abs(value) < 2**63 for value in fields.values() if isinstance(value, int)) and _is_sane(
            row.event
        ):
            assert from_json_line(line) == row.event


def _is_sane(value: object) -> bool:
    """Whether its numbers are such as the codec lets in."""
    match value:
        case Decimal():
            return abs(value.adjusted()) <= 64
        case tuple():
            return all(map(_is_sane, value))
        case msgspec.Struct():
            return all(_is_sane(getattr(value, name)) for name in value.__struct_fields__)
        case _:
            return True


# Types ----------------------------------------------------------------------------------------------


def types_of(kind: type[Event]) -> dict[str, str]:
    return {field.name: str(field.type) for field in arrow_schema(columns_of(kind), {})}


def test_a_trade_has_exact_columns() -> None:
    assert types_of(Trade) == {
        "position": "int64",
        "venue": "dictionary<values=string, indices=int32, ordered=0>",
        "instrument": "dictionary<values=string, indices=int32, ordered=0>",
        "venue_time": "timestamp[ns, tz=UTC]",
        "received": "timestamp[ns, tz=UTC]",
        "sequence": "int64",
        "price": "decimal128(38, 8)",
        "size": "decimal128(38, 8)",
        "taker_side": "string",
        "trade_id": "string",
    }


def test_levels_and_orders_are_lists_of_named_parts() -> None:
    level = "list<item: struct<price: decimal128(38, 8), size: decimal128(38, 8)>>"
    assert types_of(BookChange)["bids"] == level
    assert types_of(OrderBookSnapshot)["asks"] == level.replace(">>", ", order_id: string>>")


def test_notices_share_one_table_with_the_fields_of_all() -> None:
    notices = [kind for kind in KINDS if issubclass(kind, Notice)]
    assert len({columns_of(kind) for kind in notices}) == 1
    names = {column.name for column in columns_of(Gap)}
    assert names == {"position", "event"}.union(*(kind.__struct_fields__ for kind in notices))


def test_a_native_message_has_the_fields_of_its_class() -> None:
    names = [column.name for column in columns_of(Match)]
    assert names[:3] == ["position", "venue", "instrument"]
    assert set(names[3:]) == set(Match.__struct_fields__) - {"raw"}
    assert types_of(Match)["time"] == "timestamp[us, tz=UTC]"
    assert types_of(Match)["price"] == "decimal128(38, 8)"


def test_every_message_of_every_venue_has_columns() -> None:
    def below(kind: type[WireMessage]) -> list[type[WireMessage]]:
        return [one for child in kind.__subclasses__() for one in (child, *below(child))]

    found = [kind for kind in below(WireMessage) if kind.__module__.startswith("trioquotes.venues")]
    assert len(found) > 10
    for kind in found:
        columns = columns_of(kind)
        assert len({column.name for column in columns}) == len(columns)
        assert len(arrow_schema(columns, {})) == len(columns)


class Node(msgspec.Struct):
    price: Decimal
    inner: Node | None = None


@pytest.mark.parametrize(
    ("hint", "kind"),
    [
        (Decimal | None, Leaf("exact")),
        (str | None, Leaf("text")),
        (Literal["a", "b"] | None, Leaf("text")),
        (Decimal | str, Leaf("json")),
        (dict[str, Decimal], Leaf("json")),
        (Any, Leaf("json")),
        (datetime, Leaf("moment")),
        (Annotated[datetime, msgspec.Meta(tz=False)], Leaf("local")),
        (tuple[str, ...], ListOf(Leaf("text"))),
        (list[int], ListOf(Leaf("whole"))),
        (tuple[str, int], Parts((Part("item_0", 0, Leaf("text")), Part("item_1", 1, Leaf("whole"))))),
        (Node, Parts((Part("price", "price", Leaf("exact")), Part("inner", "inner", Leaf("json"))))),
    ],
)
def test_what_has_no_type_of_its_own_is_json(hint: Any, kind: Any) -> None:
    assert kind_of(hint) == kind


# Numbers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "scale"),
    [
        ([], 8),
        (["0.00000001", "123456789012345678901234567890"], 8),
        (["0.000000001"], 18),
        (["1.10000000000000"], 8),
        (["0E-30", "0"], 8),
        (["1E+29"], 8),
        (["1E+30"], 0),
        (["0.0000000001", "1E+20"], 10),
        (["1E-20"], 20),
        (["1E-38"], 38),
        (["1E-39"], None),
        (["1E+38"], None),
        (["1E-30", "1E+9"], None),
    ],
)
def test_a_column_has_the_usual_scale_unless_it_needs_another(texts: list[str], scale: int | None) -> None:
    extent = Extent()
    extent.add(Leaf("exact"), [None, *map(Decimal, texts)])
    assert decimal_scale(extent) == scale


@given(st.lists(numbers))
@example([Decimal("0E+21"), Decimal("1E-9")])  # of which Arrow itself says that it does not fit
def test_a_column_holds_what_was_measured(found: list[Decimal]) -> None:
    extent = Extent()
    for number in found:
        extent.add(Leaf("exact"), [number])
    scale = decimal_scale(extent)
    if scale is not None:
        assert _leaf(pa, Leaf("exact"), list(found), pa.decimal128(38, scale)).to_pylist() == found


def test_numbers_that_change_between_two_passes_are_an_error() -> None:
    rows = rows_of(Trade(venue="v", instrument="i", received_ns=1, price=Decimal("1E-20"), size=Decimal(1)))
    with pytest.raises(InternalError, match="price had other numbers"):
        Tabulator({"price": Extent(9, 1)}).batch(rows, VENUE)


def test_moments_keep_their_zone() -> None:
    class Timed(WireMessage, frozen=True, kw_only=True):
        at: datetime
        local: Annotated[datetime, msgspec.Meta(tz=False)]

    at = datetime(1, 1, 1, 2, 3, 4, 5, UTC)
    batch, _ = tabulated(rows_of(Timed(at=at, local=at.replace(tzinfo=None))))
    assert batch.column("at").to_pylist() == [at]
    assert batch.column("local").to_pylist() == [at.replace(tzinfo=None)]
