"""Which messages are the books of one connection, and what is said of those that are not."""

from __future__ import annotations

from typing import Final

from msgspec.structs import force_setattr

from trioquotes._protocol.contract import Memory, Sink
from trioquotes._protocol.effects import Send, WireChannel
from trioquotes.venues.upbit.books import OLDER, Clock, fault_of
from trioquotes.venues.upbit.channels import book_of, depth_of
from trioquotes.venues.upbit.conversation import Conversation
from trioquotes.venues.upbit.depths import Depths
from trioquotes.venues.upbit.doors import BookDoor, Doors
from trioquotes.venues.upbit.messages import Orderbook, stamp_ns
from trioquotes.venues.upbit.requests import depths_said

__all__ = ["Judge"]

_CLOCKS: Final = "clocks"


class Judge:
    """Looks at every message of a book before the kept books get it.

    Args:
        talk: what is asked for.
        memory: keeps the times of books, over connections.
        doors: the short ways of this connection.
    """

    def __init__(self, talk: Conversation, memory: Memory, doors: Doors) -> None:
        self._talk = talk
        self._memory = memory
        self._doors = doors
        self._depths = Depths()
        self._needed: set[WireChannel] = set()  # books that somebody waits for, and that were asked for
        self._broken: set[WireChannel] = set()  # books of which that was said, and of which none came since

    def sent(self, effect: Send, now_s: float) -> None:
        """A request went out."""
        if effect.asks or effect.resyncs or effect.withdraws:
            self._depths.asked(depths_said(effect.frame), now_s)
        self._needed |= {book_of(c) for c in effect.asks | effect.resyncs if c.name == "orderbook"}
        self._needed -= effect.withdraws
        self._broken -= effect.withdraws

    def look(self, message: Orderbook, channel: WireChannel, out: Sink) -> None:
        """A captured message: nobody knows what was asked for, nor whether those before it are of the same line."""
        fault = fault_of(message.orderbook_units)
        if fault is None:
            self._broken.discard(channel)
        else:
            self.broken(channel, fault, out)
        force_setattr(message, "refused", fault)

    def take(self, message: Orderbook, channel: WireChannel, now_s: float, out: Sink) -> None:
        """A message of a book that is asked for: mark it, say what it shows, and confirm what it answers."""
        seen = None
        fault = fault_of(message.orderbook_units)
        if fault is None and message.level and not channel.detail:
            fault = f"prices grouped by {message.level}, which nobody asked for"
        if fault is None:  # what is wrong shows nothing of the requests either
            levels = len(message.orderbook_units)
            seen = self._depths.seen(message.code, levels, now_s, snapshot=message.stream_type == "SNAPSHOT")
            if seen is not None and levels > seen.most:
                fault = f"{levels} levels where {seen.most} were asked for"
        depth = 0 if seen is None else seen.depth
        force_setattr(message, "depth", depth)
        self._talk.served(channel, depth, out)
        if fault is not None:
            self.broken(channel, fault, out)
        elif self._is_late(message, channel, now_s, out):
            fault = OLDER
        else:
            # Before it is delivered: a book that finds itself crossed asks for the next one.
            self._fresh(channel, depth, out)
            self._open(channel, out)
        force_setattr(message, "refused", fault)

    def broken(self, book: WireChannel, reason: str, out: Sink) -> None:
        """Say once that a book is wrong, until one comes that is not, and ask for it."""
        self._doors.books.pop(book.instrument, None)
        if book not in self._broken:
            self._broken.add(book)
            out.gap(book, reason)
        out.resync(book)

    def _is_late(self, message: Orderbook, channel: WireChannel, now_s: float, out: Sink) -> bool:
        """Whether the message is older than the book; says what follows from that."""
        clock = self._clock(channel)
        snapshot, needed = message.stream_type == "SNAPSHOT", channel in self._needed
        match clock.take(stamp_ns(message.timestamp), now_s, snapshot=snapshot, needed=needed):
            case "newer":
                return False
            case "restarted":
                self.broken(channel, OLDER, out)
                return False
            case "back":
                self.broken(channel, OLDER, out)
            case "older":
                if needed:
                    # Once a request: this may be no answer to it, and the answer yet to come.
                    self._needed.discard(channel)
                    out.resync(channel)
        return True

    def _clock(self, channel: WireChannel) -> Clock:
        clocks: dict[WireChannel, Clock] = self._memory.setdefault(_CLOCKS, {})
        return clocks.setdefault(channel, Clock())

    def _open(self, channel: WireChannel, out: Sink) -> None:
        """A message was the book: the next one goes the short way, where no request leaves a doubt about its depth."""
        depth = self._depths.settled(channel.instrument)
        wishes = self._talk.depths.get(channel, ())
        if depth is None or any((depth_of(wish) or 0) > depth for wish in wishes):
            return
        door = out.door(channel)
        if door is not None:
            shown = (*wishes, channel)
            self._doors.books[channel.instrument] = BookDoor(door, self._clock(channel), depth, shown)

    def _fresh(self, channel: WireChannel, depth: int, out: Sink) -> None:
        """The book is there again, for those who want no more of it than the message shows."""
        self._broken.discard(channel)
        wishes = self._talk.depths.get(channel, ())
        shown = [wish for wish in wishes if (depth_of(wish) or 0) <= depth]
        for wish in shown:
            out.resynced(wish)
        if len(shown) == len(wishes):
            self._needed.discard(channel)
            out.resynced(channel)
