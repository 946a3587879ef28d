"""Short ways for the messages that make up nearly all there is: whole books, and trades."""

from __future__ import annotations

from typing import Final

from msgspec.structs import force_setattr

from trioquotes._protocol.contract import Door, Sink
from trioquotes._protocol.effects import WireChannel
from trioquotes.venues.upbit.books import Clock
from trioquotes.venues.upbit.messages import Orderbook, Trade, stamp_ns
from trioquotes.venues.upbit.trades import SeenTrades
from trioquotes.venues.upbit.units import SortedUnits

__all__ = ["BookDoor", "Doors"]

REALTIME: Final = "REALTIME"


class BookDoor:
    """Where the messages of a book go while only one depth of it was asked for and all requests were answered.

    Args:
        door: of the book's channel.
        clock: of the book.
        depth: levels a side that were asked for.
        shown: the book's channel, and those of its depths.
    """

    __slots__ = ("_clock", "_depth", "_door", "_shown")

    def __init__(self, door: Door, clock: Clock, depth: int, shown: tuple[WireChannel, ...]) -> None:
        self._door = door
        self._clock = clock
        self._depth = depth
        self._shown = shown

    def take(self, message: Orderbook, out: Sink) -> bool:
        """Hand over a message that plainly is the book; returns whether it is."""
        units = message.orderbook_units
        if (
            type(units) is not SortedUnits
            or len(units) != self._depth
            or message.level
            or not self._clock.follows(stamp_ns(message.timestamp))
        ):
            return False
        force_setattr(message, "depth", self._depth)
        for channel in self._shown:  # before it is taken: who finds it wrong asks for another
            out.resynced(channel)
        self._door.take(message, 1)
        return True


class Doors:
    """Where messages of a market go whose last one was in order; nothing else is to be asked of the next one.

    Attributes:
        books: by code, for a book that is right.
        trades: by code, for trades that were not seen before.
    """

    def __init__(self) -> None:
        self.books: dict[str, BookDoor] = {}
        self.trades: dict[str, tuple[Door, SeenTrades]] = {}

    def open_trades(self, channel: WireChannel, seen: SeenTrades, out: Sink) -> None:
        """A trade came: the next one may be handed over, if it is a new one."""
        door = out.door(channel)
        if door is not None:
            self.trades[channel.instrument] = door, seen

    def take_trade(self, message: Trade) -> bool:
        """Hand over a trade that plainly is the next one; returns whether it is."""
        known = self.trades.get(message.code)
        if known is None or message.stream_type != REALTIME:
            return False
        door, seen = known
        if not seen.follows(message.sequential_id):
            return False
        door.take(message, 1)
        return True

    def close(self) -> None:
        """Something was asked for: every message is to be looked at again until one shows that all is in order."""
        self.books.clear()
        self.trades.clear()
