"""Which columns a table of events has, and their values as flat lists: what every format of an export is made of. Pure."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

import attrs
import msgspec

from trioquotes import events
from trioquotes.events import Event, Notice

__all__ = [
    "DIGITS",
    "SCALE",
    "Column",
    "Extent",
    "Flat",
    "Kind",
    "Leaf",
    "ListOf",
    "Part",
    "Parts",
    "Row",
    "Word",
    "columns_of",
    "decimal_scale",
    "flatten",
    "kind_of",
    "leaves",
    "values_of",
]

DIGITS: Final = 38
"""Of a decimal column: of wider ones DuckDB makes floats, and polars reads none."""
SCALE: Final = 8
"""Digits after the point of a decimal column, unless it needs more: enough for nearly everything, and few enough that a price
times a size is exact in 38 digits."""
WIDE_SCALE: Final = 18
"""What is tried next, so that exports of different days mostly have the same types."""

_INT64: Final = range(-(2**63), 2**63)

Word: TypeAlias = Literal[
    "text", "flag", "whole", "time", "moment", "local", "exact", "real", "data", "json", "name"
]


@attrs.frozen
class Leaf:
    """A single value.

    Attributes:
        word: ``time`` is Unix nanoseconds, ``moment`` and ``local`` a ``datetime`` with a zone and without, ``json`` whatever
            has no type of its own, ``name`` a text that is the same in many rows.
    """

    word: Word


@attrs.frozen
class ListOf:
    """Any number of values of one kind.

    Attributes:
        item: the kind.
    """

    item: Kind


@attrs.frozen
class Part:
    """A named value of a group.

    Attributes:
        name: of the part.
        where: the attribute, or the place in the tuple, that it is taken from.
        kind: of the value.
    """

    name: str
    where: str | int
    kind: Kind


@attrs.frozen
class Parts:
    """A group of named values.

    Attributes:
        parts: in order.
    """

    parts: tuple[Part, ...]


Kind: TypeAlias = Leaf | ListOf | Parts

_LEAVES: Final[dict[object, Word]] = {
    str: "text",
    bool: "flag",
    int: "whole",
    Decimal: "exact",
    float: "real",
    bytes: "data",
    datetime: "moment",
}
_TUPLES: Final[dict[tuple[str, ...], tuple[str, ...]]] = {
    ("exact", "exact"): ("price", "size"),
    ("exact", "exact", "text"): ("price", "size", "order_id"),
    ("text", "exact", "exact"): ("side", "price", "size"),
}
"""What tuples of such values mean wherever they stand: levels, resting orders, changes of a level."""


@attrs.frozen
class Column:
    """A column of a table.

    Attributes:
        name: as the event calls it; times end in ``_ns``.
        kind: of its values.
    """

    name: str
    kind: Kind


@attrs.frozen
class Row:
    """An event and what it does not say itself.

    Attributes:
        position: its number among everything that the session gave, notices included, from 0.
        instrument: that it is filed under: its own, or that of its topic; empty where it concerns no single one.
        event: the event.
    """

    position: int
    instrument: str
    event: Event


def _ours(*more: Column) -> tuple[Column, ...]:
    return (
        Column("position", Leaf("whole")),
        *more,
        Column("venue", Leaf("name")),
        Column("instrument", Leaf("name")),
    )


@lru_cache(maxsize=256)
def columns_of(kind: type[Event]) -> tuple[Column, ...]:
    """The columns of the table that events of this type go to; all notices share one.

    First come ``position``, of a notice ``event``, the name of its type, then ``venue`` and ``instrument``.
    """
    if issubclass(kind, Notice):
        fields: dict[str, Kind] = {}
        for name in events.__all__:
            notice = getattr(events, name)
            if isinstance(notice, type) and issubclass(notice, Notice):
                for field, own in _fields(notice).items():
                    fields[field] = own if fields.setdefault(field, own) == own else Leaf("json")
        ours = _ours(Column("event", Leaf("text")))
    else:
        fields = _fields(kind)
        ours = _ours()
    taken = {column.name for column in ours} | {"raw"}
    return (*ours, *(Column(name, own) for name, own in fields.items() if name not in taken))


def _fields(kind: type[msgspec.Struct]) -> dict[str, Kind]:
    hints = get_type_hints(kind, include_extras=True)
    return {name: kind_of(hints[name], name) for name in kind.__struct_fields__}


def kind_of(hint: Any, name: str = "", within: tuple[type, ...] = ()) -> Kind:
    """The kind of a field's values.

    Args:
        hint: its type.
        name: of the field: whole numbers are times where it ends in ``_ns``.
        within: the types that it is a part of: what holds itself has no columns.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _annotated(hint, name, within)
    if origin in {Union, types.UnionType}:
        kinds = {kind_of(part, name, within) for part in arguments if part is not type(None)}
        return kinds.pop() if len(kinds) == 1 else Leaf("json")
    if origin is Literal:
        return Leaf("text" if all(isinstance(word, str) for word in arguments) else "json")
    if origin is list or (origin is tuple and arguments[-1] is Ellipsis):
        return ListOf(kind_of(arguments[0], within=within))
    if origin is tuple:
        return _tuple([kind_of(part, within=within) for part in arguments])
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct) and hint not in within:
        return _group(hint, (*within, hint))
    if hint is int and name.endswith("_ns"):
        return Leaf("time")
    return Leaf(_LEAVES.get(hint, "json"))


def _annotated(hint: Any, name: str, within: tuple[type, ...]) -> Kind:
    plain, *notes = get_args(hint)
    if plain is datetime and any(isinstance(note, msgspec.Meta) and note.tz is False for note in notes):
        return Leaf("local")
    return kind_of(plain, name, within)


def _tuple(kinds: list[Kind]) -> Kind:
    words = tuple(kind.word for kind in kinds if isinstance(kind, Leaf))
    names = _TUPLES.get(words) if len(words) == len(kinds) else None
    named = names or tuple(f"item_{place}" for place in range(len(kinds)))
    return Parts(
        tuple(Part(name, place, kind) for place, (name, kind) in enumerate(zip(named, kinds, strict=True)))
    )


def _group(kind: type[msgspec.Struct], within: tuple[type, ...]) -> Kind:
    hints = get_type_hints(kind, include_extras=True)
    parts = tuple(Part(name, name, kind_of(hints[name], name, within)) for name in kind.__struct_fields__)
    return Parts(parts) if parts else Leaf("json")


def values_of(column: Column, rows: Sequence[Row], venue: str) -> list[Any]:
    """The column's value in each row; ``None`` where there is none."""
    match column.name:
        case "position":
            return [row.position for row in rows]
        case "venue":
            return [venue] * len(rows)
        case "instrument":
            return [row.instrument for row in rows]
        case "event" if rows and isinstance(rows[0].event, Notice):
            return [type(row.event).__name__ for row in rows]
        case name:
            return [getattr(row.event, name, None) for row in rows]


# Flat lists -----------------------------------------------------------------------------------------


@attrs.frozen
class Flat:
    """Values of one kind, taken apart.

    Attributes:
        kind: of the values.
        path: of the values in their table, ``bids.price``.
        name: the last part of the path; empty for the items of a list.
        values: of a leaf.
        missing: of a group, which are ``None``.
        ends: of lists, where each begins among ``parts[0]``, ``None`` for one that is missing, and at last where all end.
        parts: of a group its parts, of lists their items in one row.
    """

    kind: Kind
    path: str
    name: str
    values: list[Any] = attrs.field(factory=list)
    missing: list[bool] = attrs.field(factory=list)
    ends: list[int | None] = attrs.field(factory=list)
    parts: tuple[Flat, ...] = ()


def flatten(kind: Kind, values: list[Any], path: str, name: str = "") -> Flat:
    """Take values apart, down to lists of single ones."""
    match kind:
        case Leaf():
            return Flat(kind, path, name, values=values)
        case ListOf():
            ends: list[int | None] = []
            items: list[Any] = []
            for value in values:
                ends.append(None if value is None else len(items))
                items += value or ()
            ends.append(len(items))
            return Flat(kind, path, name, ends=ends, parts=(flatten(kind.item, items, path),))
        case Parts():
            parts = tuple(
                flatten(part.kind, _taken(values, part.where), f"{path}.{part.name}", part.name)
                for part in kind.parts
            )
            return Flat(kind, path, name, missing=[value is None for value in values], parts=parts)


def _taken(values: list[Any], where: str | int) -> list[Any]:
    if isinstance(where, int):
        return [None if value is None else value[where] for value in values]
    return [None if value is None else getattr(value, where) for value in values]


def leaves(flat: Flat) -> Iterator[Flat]:
    """Everything that holds single values."""
    if isinstance(flat.kind, Leaf):
        yield flat
    for part in flat.parts:
        yield from leaves(part)


@attrs.define
class Extent:
    """What numbers of a column need.

    Attributes:
        scale: digits after the point; zeros at the end do not count where there are more than eight.
        whole: digits before it.
        long: whether a whole number needs more than 64 bits.
    """

    scale: int = 0
    whole: int = 0
    long: bool = False

    def add(self, kind: Leaf, values: Iterable[Any]) -> None:
        """So many more."""
        if kind.word == "exact":
            self._add_decimals(values)
        elif kind.word in {"whole", "time"}:
            self.long |= any(value is not None and value not in _INT64 for value in values)

    def _add_decimals(self, values: Iterable[Decimal | None]) -> None:
        scale, whole = self.scale, self.whole
        for value in values:
            if value is None:
                continue
            _, digits, exponent = value.as_tuple()
            places = -int(exponent)  # what a venue sends is finite: the codec lets nothing else in
            if places > scale and places > SCALE:
                while places > 0 and len(digits) > 1 and digits[-1] == 0:
                    digits, places = digits[:-1], places - 1
                places = 0 if digits == (0,) else places
            scale = max(scale, places)
            if len(digits) - places > whole and digits != (0,):
                whole = len(digits) - places
        self.scale, self.whole = scale, whole


def decimal_scale(extent: Extent) -> int | None:
    """Digits after the point of a column of 38 that holds all of it exactly; ``None`` where there is no such column."""
    for scale in (SCALE, WIDE_SCALE, extent.scale):
        if extent.scale <= scale and extent.whole + scale <= DIGITS:
            return scale
    return None
