"""A short way for the messages that make up nearly all there is: changes of books that are right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
import msgspec

from trioquotes._protocol.codec import BadFrame, exact
from trioquotes._protocol.contract import Door, Sink
from trioquotes._protocol.effects import WireChannel
from trioquotes._protocol.pieces import Pieces
from trioquotes.venues.edgex.chain import Chain
from trioquotes.venues.edgex.channels import text_of
from trioquotes.venues.edgex.messages import Depth, WireDepth
from trioquotes.venues.edgex.readers import levels_of

__all__ = ["BookDoor", "Doors"]

DATA: Final = frozenset({"quote-event", "payload"})
CHANGED: Final = "changed"
CHANGES: Final = frozenset({"CHANGED", ""})
"""What a row says of itself that is no snapshot; one that says it in another way is looked at more closely."""


class _Content(msgspec.Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """The content of a frame with its rows."""

    channel: str | None = None
    data_type: str = ""
    data: tuple[WireDepth, ...]


class _Frame(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A frame with its content, read in one go."""

    type: str
    channel: str | None = None
    content: _Content
    request: str | None = None
    sid: str | None = None


_read: Final[Callable[[bytes], _Frame]] = msgspec.json.Decoder(_Frame, strict=False, float_hook=exact).decode


@attrs.frozen
class BookDoor:
    """Where the changes of one book go.

    Attributes:
        door: of its channel.
        contract: its number.
        windows: what its messages may say of its depth: levels a side, or nothing.
        chain: its versions.
    """

    door: Door
    contract: str
    windows: frozenset[int]
    chain: Chain


class Doors:
    """Where changes of books go whose last one was in order, if nothing else is to be asked of the next one.

    Attributes:
        books: by the name of their channel.
        pieces: what changes that were in order were made of.
    """

    __slots__ = ("books", "pieces")

    def __init__(self) -> None:
        self.pieces = Pieces()
        self.books: dict[str | None, BookDoor] = {}

    def take(self, frame: bytes) -> bool:
        """Hand over a frame, of which all pieces are known, if it plainly is the next change of a book; returns whether it is."""
        try:
            read = _read(frame)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return False
        known = self.books.get(read.channel)
        content = read.content
        if known is None or read.type not in DATA or content.data_type != CHANGED or len(content.data) != 1:
            return False
        row = content.data[0]
        if (
            row.contract_id != known.contract
            or row.level not in known.windows
            or row.depth_type not in CHANGES
        ):
            return False
        try:
            asks, bids = levels_of(row.asks, "asks"), levels_of(row.bids, "bids")
        except BadFrame:
            return False
        if not known.chain.follows(row.start_version, row.end_version):
            return False
        depth = Depth(
            contract_id=row.contract_id,
            contract_name=row.contract_name,
            data_type=CHANGED,
            start_version=row.start_version,
            end_version=row.end_version,
            level=row.level,
            depth_type=row.depth_type,
            asks=asks,
            bids=bids,
        )
        known.door.take(depth, 1)
        return True

    def open(self, channel: WireChannel, chain: Chain, frame: bytes, out: Sink) -> None:
        """A change of this form was in order: the next one may be handed over, if it is the next one."""
        door = out.door(channel)
        if door is not None:
            windows = frozenset({int(channel.detail), 0})
            self.books[text_of(channel)] = BookDoor(door, channel.instrument, windows, chain)
            self.pieces.learn(frame)

    def close(self) -> None:
        """Something was asked for or refused: every change is to be looked at again until one shows that all is in order."""
        self.books.clear()
