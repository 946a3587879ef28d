"""What can be saved of a book message of which some levels do not decode."""

from __future__ import annotations

from decimal import Decimal
from typing import TypeVar

import attrs
import msgspec

from trioquotes._protocol.codec import BadFrame, Moment, Reader
from trioquotes.events import Level, Side
from trioquotes.venues.coinbase.messages import L2Update, Snapshot

__all__ = ["Salvage", "salvage"]

T = TypeVar("T")


class _Unread(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    product_id: str
    time: Moment | None = None


class _UnreadSnapshot(_Unread, frozen=True, kw_only=True, tag="snapshot"):
    bids: list[msgspec.Raw]
    asks: list[msgspec.Raw]


class _UnreadUpdate(_Unread, frozen=True, kw_only=True, tag="l2update"):
    changes: list[msgspec.Raw]


_UNREAD: Reader[_UnreadSnapshot | _UnreadUpdate] = Reader(_UnreadSnapshot | _UnreadUpdate, literals=True)
_LEVEL: Reader[Level] = Reader(Level, literals=True)
_CHANGE: Reader[tuple[Side, Decimal, Decimal]] = Reader(tuple[Side, Decimal, Decimal], literals=True)


@attrs.frozen
class Salvage:
    """The good part.

    Attributes:
        message: with the levels that decode.
        reasons: what is wrong with each of the others.
    """

    message: Snapshot | L2Update
    reasons: tuple[str, ...]


def salvage(frame: bytes) -> Salvage | None:
    """Decode a ``snapshot`` or ``l2update`` level by level.

    Returns:
        What decodes, and what does not; ``None`` where it is no such message, or more is wrong than levels.
    """
    try:
        unread = _UNREAD.read(frame)
    except BadFrame:
        return None
    reasons: list[str] = []
    message: Snapshot | L2Update
    if isinstance(unread, _UnreadUpdate):
        changes = _each(_CHANGE, unread.changes, "$.changes", reasons)
        message = L2Update(product_id=unread.product_id, changes=changes, time=unread.time, partial=True)
    else:
        bids = _each(_LEVEL, unread.bids, "$.bids", reasons)
        asks = _each(_LEVEL, unread.asks, "$.asks", reasons)
        message = Snapshot(product_id=unread.product_id, bids=bids, asks=asks, time=unread.time, partial=True)
    return Salvage(message, tuple(reasons))


def _each(reader: Reader[T], entries: list[msgspec.Raw], path: str, reasons: list[str]) -> tuple[T, ...]:
    good: list[T] = []
    for index, entry in enumerate(entries):
        try:
            good.append(reader.read(bytes(entry)))
        except BadFrame as error:
            reasons.append(error.reason.replace("$", f"{path}[{index}]", 1))
    return tuple(good)
