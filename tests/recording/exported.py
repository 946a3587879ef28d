"""What was exported, held against what it was."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from trioquotes._protocol.codec import json_converter
from trioquotes.recording.export_columns import Leaf, ListOf, Parts

__all__ = ["expected", "plain"]


def expected(value: Any, kind: Any) -> Any:
    """What a value is in Arrow, but for numbers that are texts and for times."""
    match kind:
        case _ if value is None:
            return None
        case ListOf():
            return [expected(item, kind.item) for item in value]
        case Parts():
            get: Any = value.__getitem__ if isinstance(value, tuple) else value.__getattribute__
            return {part.name: expected(get(part.where), part.kind) for part in kind.parts}
        case Leaf("json"):
            return msgspec.json.encode(json_converter().unstructure(value)).decode()
        case _:
            return value


def plain(value: Any, was: Any) -> Any:
    """A value that came back, with numbers that are texts as the numbers that they spell."""
    if isinstance(was, list) and value is not None:
        return [plain(*pair) for pair in zip(value, was, strict=True)]
    if isinstance(was, dict) and value is not None:
        return {name: plain(value[name], part) for name, part in was.items()}
    if isinstance(value, str) and isinstance(was, Decimal | int):
        return type(was)(value)
    return value
