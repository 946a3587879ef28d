"""Rows as lines of text: CSV, and JSON as ``trioquotes stream`` prints it. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from trioquotes._protocol.codec import json_converter
from trioquotes.events import WireMessage
from trioquotes.recording.export_columns import Column, Kind, Leaf, Row, columns_of, values_of

__all__ = ["cell_text", "csv_header", "csv_lines", "json_lines"]

_CONVERTER: Final = json_converter()
_SPECIAL: Final = re.compile(r'[",\r\n\0]|\A\s|\s\Z|\A\Z')
"""What a field of CSV is quoted for: an empty text must not be taken for none."""


def cell_text(kind: Kind, value: Any) -> str | None:
    """A value as one text, with every digit; whatever is no single value is JSON.

    Bytes are their text, or ``{"base64": ...}`` where they are none.
    """
    if value is None:
        return None
    plain = _CONVERTER.unstructure(value)
    if isinstance(plain, str) and isinstance(kind, Leaf) and kind.word != "json":
        return plain
    return msgspec.json.encode(plain).decode()


def csv_header(columns: Sequence[Column]) -> str:
    """The first line of a file."""
    return ",".join(column.name for column in columns) + "\n"


def csv_lines(rows: Sequence[Row], venue: str) -> str:
    """Rows of one table as lines of CSV."""
    columns = columns_of(type(rows[0].event))
    cells = [[_field(cell_text(c.kind, value)) for value in values_of(c, rows, venue)] for c in columns]
    return "".join(",".join(line) + "\n" for line in zip(*cells, strict=True))


def _field(text: str | None) -> str:
    if text is None:
        return ""
    return '"' + text.replace('"', '""') + '"' if _SPECIAL.search(text) is not None else text


def json_lines(rows: Sequence[Row], venue: str) -> str:
    """Rows as JSON objects, each after its name and its position as it would be printed."""
    return "".join(_json_line(row, venue) for row in rows)


def _json_line(row: Row, venue: str) -> str:
    event = row.event
    name = type(event).__name__
    if isinstance(event, WireMessage):
        name = f"{venue}.{name}"
    line: dict[str, Any] = {"event": name, "position": row.position}
    return msgspec.json.encode(line | _CONVERTER.unstructure(event)).decode() + "\n"
