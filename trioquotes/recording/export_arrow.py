"""Rows as columns of Apache Arrow, and as Parquet; needs the extra ``parquet``."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Any, BinaryIO, Final

from trioquotes.errors import InternalError, MissingExtra
from trioquotes.recording.export_columns import (
    DIGITS,
    SCALE,
    Column,
    Extent,
    Flat,
    Kind,
    Leaf,
    ListOf,
    Parts,
    Row,
    Word,
    columns_of,
    decimal_scale,
    flatten,
    leaves,
    values_of,
)
from trioquotes.recording.export_text import cell_text

__all__ = ["Extents", "ParquetWriter", "Tabulator", "arrow_schema", "load"]

Extents = dict[str, Extent]
"""What the numbers of a table need, by the path of their leaf."""

_NUMBERS: Final = {"exact", "whole", "time"}


def load(name: str = "pyarrow") -> Any:
    """The library, loaded when it is first needed.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        raise MissingExtra("exporting Parquet needs pyarrow: pip install trioquotes[parquet]") from None


def _is_irregular(kind: Leaf, extent: Extent) -> bool:
    """Whether numbers need another column than one that was made before they were known."""
    return extent.long or (kind.word == "exact" and decimal_scale(extent) != SCALE)


def _is_text(kind: Leaf, extent: Extent) -> bool:
    """Whether numbers are kept as their text, since no column of numbers holds all of them exactly."""
    return extent.long or (kind.word == "exact" and decimal_scale(extent) is None)


def _leaf_type(arrow: Any, kind: Leaf, extent: Extent) -> Any:
    """The type of a column of single values."""
    if kind.word in _NUMBERS and _is_text(kind, extent):
        return arrow.string()
    if kind.word == "exact":
        return arrow.decimal128(DIGITS, decimal_scale(extent))
    types: dict[Word, Any] = {
        "whole": arrow.int64(),
        "time": arrow.timestamp("ns", "UTC"),
        "moment": arrow.timestamp("us", "UTC"),
        "local": arrow.timestamp("us"),
        "flag": arrow.bool_(),
        "real": arrow.float64(),
        "data": arrow.binary(),
        "name": arrow.dictionary(arrow.int32(), arrow.string()),
    }
    return types.get(kind.word, arrow.string())


def _field_name(name: str, kind: Kind, extent: Extent) -> str:
    """A time that is one, and no number, is no longer named after nanoseconds."""
    is_time = isinstance(kind, Leaf) and kind.word == "time" and not extent.long
    return name.removesuffix("_ns") if is_time else name


def _arrow_type(arrow: Any, kind: Kind, path: str, extents: Mapping[str, Extent]) -> Any:
    """The type of a column."""
    match kind:
        case Leaf():
            return _leaf_type(arrow, kind, extents.get(path, Extent()))
        case ListOf():
            return arrow.list_(_arrow_type(arrow, kind.item, path, extents))
        case Parts():
            return arrow.struct(
                [_field(arrow, part.name, part.kind, f"{path}.{part.name}", extents) for part in kind.parts]
            )


def _field(arrow: Any, name: str, kind: Kind, path: str, extents: Mapping[str, Extent]) -> Any:
    own = _field_name(name, kind, extents.get(path, Extent()))
    return arrow.field(own, _arrow_type(arrow, kind, path, extents))


def arrow_schema(columns: Sequence[Column], extents: Mapping[str, Extent]) -> Any:
    """The schema of a table whose numbers need that much, the same for all of its files."""
    arrow = load()
    return arrow.schema([_field(arrow, column.name, column.kind, column.name, extents) for column in columns])


def _array(arrow: Any, flat: Flat, extents: Mapping[str, Extent]) -> Any:
    kind = _arrow_type(arrow, flat.kind, flat.path, extents)
    match flat.kind:
        case Leaf():
            return _leaf(arrow, flat.kind, flat.values, kind)
        case ListOf():
            starts = arrow.array(flat.ends, arrow.int32())
            return arrow.ListArray.from_arrays(starts, _array(arrow, flat.parts[0], extents), type=kind)
        case Parts():
            parts = [_array(arrow, part, extents) for part in flat.parts]
            fields = [kind.field(place) for place in range(kind.num_fields)]
            missing = arrow.array(flat.missing, arrow.bool_())
            return arrow.StructArray.from_arrays(parts, fields=fields, mask=missing)


def _leaf(arrow: Any, kind: Leaf, values: list[Any], column: Any) -> Any:
    if kind.word in {*_NUMBERS, "json"} and column == arrow.string():
        return arrow.array([cell_text(kind, value) for value in values], column)
    try:
        return arrow.array(values, column)
    except arrow.ArrowInvalid:
        if kind.word != "exact":
            raise
    # It counts the digits that are spelt: zeros at the end of a long number, those that 0E+16 stands for.
    unit, exact = Decimal((0, (1,), -column.scale)), Context(prec=DIGITS, traps=[Inexact, InvalidOperation])
    spelt = [None if value is None else exact.quantize(value, unit) for value in values]
    return arrow.array(spelt, column)


class Tabulator:
    """Makes batches of a table's rows, and keeps account of what its numbers need.

    Until they are all known, a table is made with columns that hold nearly everything. One whose numbers need another column
    becomes irregular; it is measured to its end then, and has to be made again.

    Args:
        extents: what all of its numbers need, where that is known.

    Attributes:
        extents: what the numbers seen so far need.
        irregular: whether it has to be made again.
        schema: of every file; ``None`` before the first row.
    """

    def __init__(self, extents: Extents | None = None) -> None:
        self.extents: Extents = {}
        self.irregular = False
        self.schema: Any = None
        self._known = extents
        self._types: Extents = extents or {}

    def batch(self, rows: Sequence[Row], venue: str) -> Any:
        """A record batch of these rows, or ``None`` if the table is irregular.

        Raises:
            InternalError: a number does not fit, though all were known.
        """
        columns = columns_of(type(rows[0].event))
        flats = [flatten(c.kind, values_of(c, rows, venue), c.name, c.name) for c in columns]
        for leaf in (leaf for flat in flats for leaf in leaves(flat)):
            if isinstance(leaf.kind, Leaf) and leaf.kind.word in _NUMBERS:
                self._measure(leaf.kind, leaf)
        if self.irregular:
            return None
        arrow = load()
        if self.schema is None:
            self.schema = arrow_schema(columns, self._types)
        return arrow.record_batch([_array(arrow, flat, self._types) for flat in flats], schema=self.schema)

    def _measure(self, kind: Leaf, leaf: Flat) -> None:
        extent = self.extents.setdefault(leaf.path, Extent())
        extent.add(kind, leaf.values)
        if self._known is None:
            self.irregular |= _is_irregular(kind, extent)
            return
        known = self._known.get(leaf.path, Extent())
        if extent.scale > known.scale or extent.whole > known.whole or extent.long > known.long:
            raise InternalError(f"{leaf.path} had other numbers when the recording was played before")

    @property
    def texts(self) -> tuple[str, ...]:
        """Paths of numbers that are kept as text."""
        return tuple(
            path for path, extent in self.extents.items() if extent.long or decimal_scale(extent) is None
        )


class ParquetWriter:
    """Writes batches to a file, each as a row group.

    Args:
        file: open for writing; closing it is left to whoever opened it.
        schema: of the batches.
    """

    def __init__(self, file: BinaryIO, schema: Any) -> None:
        self._writer = load("pyarrow.parquet").ParquetWriter(file, schema, compression="zstd")

    def write(self, batch: Any) -> None:
        """Add a row group."""
        self._writer.write_batch(batch)

    def close(self) -> None:
        """Write the end."""
        self._writer.close()
