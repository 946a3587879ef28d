"""Where the rows of an export go: a table for each type, and in it a folder for each venue, instrument and day. Pure."""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

import attrs

from trioquotes.events import Event, Notice, WireMessage

__all__ = ["Partition", "day_of", "instrument_of", "quoted", "table_of"]

DAY_NS: Final = 86_400 * 10**9
_EPOCH: Final = date(1970, 1, 1)
_PLAIN: Final = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
_NOTHING: Final = "__HIVE_DEFAULT_PARTITION__"
"""What readers take for no value at all."""


@attrs.frozen
class Partition:
    """What the rows of a folder have in common.

    Attributes:
        table: its name.
        venue: name of the venue.
        instrument: see ``Row``.
        day: of receipt, in UTC, as ``2026-11-22``.
    """

    table: str
    venue: str
    instrument: str
    day: str

    @property
    def folders(self) -> tuple[str, str, str, str]:
        """The way to it, in the style of Hive."""
        return (
            self.table,
            f"venue={quoted(self.venue)}",
            f"instrument={quoted(self.instrument)}",
            f"day={self.day}",
        )


@lru_cache(maxsize=4096)
def quoted(name: str) -> str:
    """The name as a part of a folder's name on any system: whatever else there is, is written as in URLs, ``%2F``."""
    odd = ("_" if _NOTHING in name else "") + ("." if name.endswith(".") else "")
    safe = _PLAIN.difference(odd.encode())
    return "".join(chr(byte) if byte in safe else f"%{byte:02X}" for byte in name.encode())


@lru_cache(maxsize=256)
def table_of(kind: type[Event], venue: str) -> str:
    """The table that events of this type go to: ``book_change``, ``notice``; a venue's own message is ``coinbase_match``."""
    if issubclass(kind, Notice):
        return "notice"
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind.__name__).lower()
    return f"{venue}_{name}" if issubclass(kind, WireMessage) else name


def instrument_of(event: Event, subject: str) -> str:
    """What an event is filed under: its own instrument, or the one that its topic asks for."""
    own = getattr(event, "instrument", "")
    if isinstance(event, Notice):
        return str(own or getattr(event.topic, "subject", ""))
    return subject if isinstance(event, WireMessage) else str(own)


def day_of(received_ns: int) -> str:
    """The day in UTC."""
    return _day(received_ns // DAY_NS)


@lru_cache(maxsize=64)
def _day(number: int) -> str:
    return (_EPOCH + timedelta(days=number)).isoformat()
