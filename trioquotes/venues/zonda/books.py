"""Zonda's books as unified events: snapshots with what is newer, changes, and how much of them is known; pure."""

from __future__ import annotations

from typing import Final

import msgspec

from trioquotes._protocol.effects import Receipt, Skip, Verify
from trioquotes.books import BookSide, BookView, OrderBook
from trioquotes.events import BookChange, BookSnapshot, Event, WireMessage
from trioquotes.venues.zonda.levels import changed, resting
from trioquotes.venues.zonda.messages import OrderBookAnswer, OrderBookPush
from trioquotes.venues.zonda.paths import LIMITED, parse
from trioquotes.venues.zonda.unify import OTHER, VENUE_NAME, epoch_ns, market_of

__all__ = ["SNAPSHOT_LEVELS", "books", "change_of", "deep_books", "knows", "snapshot_of"]

SNAPSHOT_LEVELS: Final = 300
"""Levels a side that a snapshot of ``orderbook`` has at most.

*Source:* Zonda API, REST, orderbook.
"""


def books(message: WireMessage, receipt: Receipt) -> BookSnapshot | BookChange | Skip:
    """Changes of a book, and its snapshot with the changes that are newer."""
    if isinstance(message, OrderBookPush):
        return change_of(message, receipt)
    if not isinstance(message, OrderBookAnswer):
        return OTHER
    snapshot = snapshot_of(message, receipt)
    if not message.later:
        return snapshot
    book = OrderBook(snapshot.instrument)
    book.apply(snapshot)
    for push in message.later:
        book.apply(change_of(push, receipt))
    last = message.later[-1]
    bids, asks = book.depth()
    return msgspec.structs.replace(
        snapshot, venue_time_ns=_time_of(last), sequence=last.seq_no, bids=bids, asks=asks
    )


def snapshot_of(message: OrderBookAnswer, receipt: Receipt) -> BookSnapshot:
    """The snapshot as it is on the wire, best levels first, without what is newer."""
    channel = parse(message.topic)
    if channel is not None and channel.name == LIMITED:
        depth: int | None = int(channel.detail)
    else:
        depth = SNAPSHOT_LEVELS if _cut(message) else None
    return BookSnapshot(
        venue=VENUE_NAME,
        instrument="" if channel is None else channel.instrument,
        venue_time_ns=epoch_ns(message.body.timestamp),
        received_ns=receipt.received_ns,
        sequence=int(message.body.seq_no),
        raw=receipt.raw,
        bids=resting(message.body.buy, descending=True),
        asks=resting(message.body.sell, descending=False),
        depth=depth,
    )


def change_of(push: OrderBookPush, receipt: Receipt) -> BookChange:
    """What a push changes in the known part of the book."""
    bids, asks = changed(push)
    return BookChange(
        venue=VENUE_NAME,
        instrument=market_of(push.topic),
        venue_time_ns=_time_of(push),
        received_ns=receipt.received_ns,
        sequence=push.seq_no,
        raw=receipt.raw,
        bids=bids,
        asks=asks,
    )


def _time_of(push: OrderBookPush) -> int | None:
    return epoch_ns(push.message.timestamp or push.timestamp)


# Views that are deeper than any window: only as right as the book is known.


class _PartSnapshot(BookSnapshot, frozen=True, kw_only=True):
    cut: tuple[BookSide, ...]


class _PartChange(BookChange, frozen=True, kw_only=True):
    cut: tuple[BookSide, ...]


def deep_books(message: WireMessage, receipt: Receipt) -> Event | Skip:
    """As :func:`books`, with the sides that are known only in part noted for :func:`knows`."""
    made = books(message, receipt)
    if isinstance(made, Skip) or not isinstance(message, OrderBookPush | OrderBookAnswer):
        return made
    kind = _PartSnapshot if isinstance(made, BookSnapshot) else _PartChange
    return kind(**msgspec.structs.asdict(made), cut=_cut(message))


def knows(levels: int) -> Verify:
    """A check that a book made of :func:`deep_books` is known as deep as it is to be shown.

    Args:
        levels: prices a side that are shown.
    """

    def verify(book: BookView, event: Event) -> str | None:
        for side in event.cut if isinstance(event, _PartSnapshot | _PartChange) else ():
            known = len(book.levels(side, levels))
            if known < levels:
                return f"only {known} of {levels} prices are known on the {side} side"
        return None

    return verify


def _cut(message: OrderBookPush | OrderBookAnswer) -> tuple[BookSide, ...]:
    bounds: tuple[tuple[BookSide, object], ...] = (("bid", message.bid_floor), ("ask", message.ask_ceiling))
    return tuple(side for side, bound in bounds if bound is not None)
