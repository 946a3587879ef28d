"""The books of one connection: which push is next, which snapshot fits, and how far each book is known."""

from __future__ import annotations

from functools import partial
from typing import Final

import msgspec

from trioquotes._protocol.contract import Sink
from trioquotes._protocol.effects import WireChannel
from trioquotes.venues.zonda.conversation import Conversation
from trioquotes.venues.zonda.doors import BookDoor
from trioquotes.venues.zonda.horizon import Extent, extent_of
from trioquotes.venues.zonda.levels import flaw_of_changes
from trioquotes.venues.zonda.messages import OrderBookAnswer, OrderBookPush
from trioquotes.venues.zonda.paths import BOOKS
from trioquotes.venues.zonda.sync import BookSync

__all__ = ["HOLE", "Keeping"]

HOLE: Final = "the sequence has a hole"


class Keeping:
    """Keeps account of the books that are asked for.

    Args:
        talk: knows which snapshots are on their way.
    """

    def __init__(self, talk: Conversation) -> None:
        self._talk = talk
        self._books: dict[WireChannel, BookSync] = {}
        self._extents: dict[WireChannel, Extent] = {}

    def __contains__(self, channel: WireChannel) -> bool:
        """Whether it is a book that is kept account of."""
        return channel in self._books

    def keep(self, channel: WireChannel) -> None:
        """From now on, if it is a book at all; one that is asked for once more is where it was."""
        if channel.name in BOOKS and channel not in self._books:
            self._books[channel] = BookSync()
            self._extents[channel] = extent_of(channel)

    def drop(self, channel: WireChannel) -> None:
        """No longer."""
        self._books.pop(channel, None)
        self._extents.pop(channel, None)

    def requested(self, channel: WireChannel) -> None:
        """Its snapshot is on its way."""
        if channel in self._books:
            self._books[channel].requested()

    def change(self, channel: WireChannel, push: OrderBookPush, frame: bytes, out: Sink) -> bool:
        """A push of a book came; returns whether it is the next one of a book that is right."""
        book = self._books[channel]
        elements = len(push.message.changes) or 1
        flaw = flaw_of_changes(push.message.changes, channel.instrument)
        if flaw:
            out.malformed(frame, flaw, channel=channel, elements=elements)
            self.unreadable(channel, push.seq_no, "a change cannot be applied", out)
            return False
        link = book.push(push)
        match link:
            case "old":
                out.ignored("already in the book", elements)
                return False
            case "hole":
                out.gap(channel, HOLE, missed=book.missed)
                out.resync(channel)
            case "early" if not self._talk.awaits(channel):
                out.resync(channel)  # a hole that was found while nobody wanted the book asked for nothing
            case "next":
                push = self._extents[channel].follow(push)
                self._look_out(channel, out)
        out.deliver(channel, push, elements=elements)
        return link == "next"

    def door(self, channel: WireChannel, out: Sink) -> BookDoor | None:
        """Where the pushes of a book go for as long as it is the next one that comes."""
        door = out.door(channel)
        if door is None:
            return None
        look_out = partial(self._look_out, channel)
        return BookDoor(door, channel.instrument, self._books[channel], self._extents[channel], look_out)

    def _look_out(self, channel: WireChannel, out: Sink) -> None:
        """Ask for more of a book of which little is known any more; one that is not as promised is not right."""
        extent = self._extents[channel]
        if extent.flaw:
            self._broken(channel, extent.flaw, out)
        elif extent.thin and not self._talk.awaits(channel):
            out.resync(channel)

    def unreadable(self, channel: WireChannel, number: int | None, reason: str, out: Sink) -> None:
        """A push, of that number where it can be read, cannot be applied."""
        self._broken(channel, reason, out)
        self._books[channel].unreadable(number)

    def _broken(self, channel: WireChannel, reason: str, out: Sink) -> None:
        """The book is not right; one that waits for its snapshot has said so, or was never shown."""
        book = self._books[channel]
        if book.last is not None:
            out.gap(channel, reason)
        book.broken()
        out.resync(channel)

    def snapshot(self, channel: WireChannel, answer: OrderBookAnswer, out: Sink) -> bool:
        """A snapshot came; returns whether it fits, and was handed over."""
        later = self._books[channel].snapshot(int(answer.body.seq_no))
        if later is None:
            out.ignored("snapshot does not fit")
            return False
        extent = self._extents[channel]
        fitted = extent.start(msgspec.structs.replace(answer, later=later))
        if extent.flaw:
            out.ignored("snapshot does not fit")
            self._broken(channel, extent.flaw, out)
            return False
        self._talk.settled(channel)
        out.resynced(channel)  # first: whoever finds the book wrong asks for the next one
        out.deliver(channel, fitted)
        return True
