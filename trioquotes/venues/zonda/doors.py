"""A short way for the messages that make up nearly all there is: changes of books that are right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
import msgspec

from trioquotes._protocol.codec import Counter
from trioquotes._protocol.contract import Door, Sink
from trioquotes._protocol.pieces import Pieces
from trioquotes.venues.zonda.horizon import Extent
from trioquotes.venues.zonda.levels import plainly_right
from trioquotes.venues.zonda.messages import LevelChange, OrderBookChanges, OrderBookPush
from trioquotes.venues.zonda.sync import BookSync

__all__ = ["BookDoor", "Doors"]

_MILLIS_DIGITS: Final = 13


class _Changes(msgspec.Struct, frozen=True, rename="camel", gc=False):
    changes: tuple[LevelChange, ...]
    timestamp: str | None = None


class _Push(msgspec.Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """An :class:`OrderBookPush`, and what a ``Head`` looks at besides.

    Times are not looked at yet: to compare a text with a pattern takes long.
    """

    action: str | None = "push"
    topic: str
    message: _Changes
    timestamp: str | None = None
    seq_no: Counter
    module: str | None = None
    path: str | None = None
    request_id: str | None = None


_read: Final[Callable[[bytes], _Push]] = msgspec.json.Decoder(_Push).decode


@attrs.frozen
class BookDoor:
    """Where the pushes of one book go.

    Attributes:
        door: of its channel.
        market: its code.
        book: its numbers.
        extent: how far it is known.
        look_out: what is to be done once it is known less far.
    """

    door: Door
    market: str
    book: BookSync
    extent: Extent
    look_out: Callable[[Sink], None]


class Doors:
    """Where pushes of books go whose last one was in order, if nothing else is to be asked of the next one.

    Attributes:
        books: by topic.
        pieces: what pushes that were in order were made of.
    """

    __slots__ = ("books", "pieces")

    def __init__(self) -> None:
        self.pieces = Pieces()
        self.books: dict[str, BookDoor] = {}

    def take(self, frame: bytes, out: Sink) -> bool:
        """Hand over a frame, of which all pieces are known, if it plainly is the next push of a book; returns whether it is."""
        try:
            read = _read(frame)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return False
        known = self.books.get(read.topic)
        if known is None or read.action != "push":
            return False
        changes, changed_at, pushed_at = read.message.changes, read.message.timestamp, read.timestamp
        if (
            not (changed_at is None or (changed_at.isdigit() and len(changed_at) <= _MILLIS_DIGITS))
            or not (pushed_at is None or (pushed_at.isdigit() and len(pushed_at) <= _MILLIS_DIGITS))
            or not plainly_right(changes, known.market)
            or not known.book.follows(read.seq_no)
        ):
            return False
        push = OrderBookPush(
            topic=read.topic,
            seq_no=read.seq_no,
            message=OrderBookChanges(changes=changes, timestamp=changed_at),
            timestamp=pushed_at,
        )
        if not known.extent.whole:
            push = known.extent.follow(push)
            known.look_out(out)
        known.door.take(push, len(changes) or 1)
        return True

    def open(self, topic: str, door: BookDoor, frame: bytes) -> None:
        """A push of this form was in order: the next one may be handed over, if it is the next one."""
        self.books[topic] = door
        self.pieces.learn(frame)

    def close(self) -> None:
        """Something was asked for: every push is to be looked at again until one shows that all is in order."""
        self.books.clear()
