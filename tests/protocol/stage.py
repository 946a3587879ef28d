"""Small messages, makers and a stand-in for a lane: what the tests of feeds share."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from trioquotes._protocol.effects import Receipt, Serving, Skip, Stamp, Unify, WireChannel
from trioquotes.events import BookChange, BookSnapshot, Event, Level, Trade, WireMessage

__all__ = ["BOOK", "TRADES", "Note", "Up", "book_serving", "change", "levels", "snapshot", "stamp", "trade"]

TRADES = WireChannel("trades", "X")
BOOK = WireChannel("book", "X")


class Note(WireMessage, frozen=True):
    """A wire message that says what is to be made of it."""

    makes: Any = None


class Up:
    """The lane as a feed sees it."""

    def __init__(self) -> None:
        self.receipt = Receipt(7)
        self.frame_bytes = 50
        self.keeps_frames = False
        self.resyncs: list[WireChannel] = []
        self.gaps = 0

    def resync(self, channel: WireChannel) -> None:
        self.resyncs.append(channel)

    def book_gap(self) -> None:
        self.gaps += 1


def stamp(second: float) -> Stamp:
    return Stamp(int(second * 1e9), second)


def levels(*pairs: tuple[str, str]) -> tuple[Level, ...]:
    return tuple((Decimal(price), Decimal(size)) for price, size in pairs)


def trade(price: str = "1") -> Trade:
    return Trade(venue="v", instrument="X", received_ns=7, price=Decimal(price), size=Decimal(1))


def snapshot(
    bids: tuple[Level, ...] = levels(("10", "1")), asks: tuple[Level, ...] = levels(("11", "1"))
) -> BookSnapshot:
    return BookSnapshot(venue="v", instrument="X", received_ns=7, bids=bids, asks=asks)


def change(bids: tuple[Level, ...] = (), asks: tuple[Level, ...] = ()) -> BookChange:
    return BookChange(venue="v", instrument="X", received_ns=7, bids=bids, asks=asks)


def unify(message: WireMessage, receipt: Receipt) -> Event | tuple[Event, ...] | Skip:
    assert isinstance(message, Note)
    made: Event | tuple[Event, ...] | Skip = message.makes
    return made


def maker() -> Unify:
    return unify


def book_serving(kind: Any = "book") -> Serving:
    return Serving((BOOK,), kind, maker)
