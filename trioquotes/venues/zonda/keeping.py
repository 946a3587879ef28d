"""The books of one connection: which push is next, which snapshot fits, and how far each book is known."""

from __future__ import annotations

from typing import Final

import msgspec

from trioquotes._protocol.contract import Sink
from trioquotes._protocol.effects import WireChannel
from trioquotes.venues.zonda.conversation import Conversation
from trioquotes.venues.zonda.horizon import THIN_LEVELS, Horizon
from trioquotes.venues.zonda.levels import flaw_of_changes
from trioquotes.venues.zonda.messages import OrderBookAnswer, OrderBookPush
from trioquotes.venues.zonda.paths import BOOKS, ORDERBOOK
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
        self._horizons: dict[WireChannel, Horizon] = {}

    def __contains__(self, channel: WireChannel) -> bool:
        """Whether it is a book that is kept account of."""
        return channel in self._books

    def keep(self, channel: WireChannel) -> None:
        """From now on, and from the beginning, if it is a book at all."""
        if channel.name in BOOKS:
            self._books[channel] = BookSync()
        if channel.name == ORDERBOOK:
            self._horizons[channel] = Horizon()

    def drop(self, channel: WireChannel) -> None:
        """No longer."""
        self._books.pop(channel, None)
        self._horizons.pop(channel, None)

    def requested(self, channel: WireChannel) -> None:
        """Its snapshot is on its way."""
        if channel in self._books:
            self._books[channel].requested()

    def change(self, channel: WireChannel, push: OrderBookPush, frame: bytes, out: Sink) -> None:
        """A push of a book came."""
        book = self._books[channel]
        elements = len(push.message.changes) or 1
        flaw = flaw_of_changes(push.message.changes)
        if flaw:
            out.malformed(frame, flaw, channel=channel, elements=elements)
            self.broken(channel, "a change cannot be applied", out)
            return
        match book.push(push):
            case "old":
                out.ignored("already in the book", elements)
                return
            case "hole":
                out.gap(channel, HOLE, missed=book.missed)
                out.resync(channel)
            case "early" if not self._talk.awaits(channel):
                out.resync(channel)  # a hole that was found while nobody wanted the book asked for nothing
            case "next" if channel in self._horizons:
                push = self._horizons[channel].follow(push)
                self._look_out(channel, out)
        out.deliver(channel, push, elements=elements)

    def _look_out(self, channel: WireChannel, out: Sink) -> None:
        """Ask for more of a book of which little is known any more; with a side used up it is not right any more."""
        known = self._horizons[channel].known()
        if known == 0:
            self.broken(channel, "the known part of the book is used up", out)
        elif known is not None and known < THIN_LEVELS and not self._talk.awaits(channel):
            out.resync(channel)

    def broken(self, channel: WireChannel, reason: str, out: Sink) -> None:
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
        self._talk.settled(channel)
        fitted = msgspec.structs.replace(answer, later=later)
        if channel in self._horizons:
            fitted = self._horizons[channel].start(fitted)
        out.deliver(channel, fitted)
        out.resynced(channel)
        return True
