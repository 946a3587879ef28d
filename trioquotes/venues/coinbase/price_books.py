"""Books by price on one connection, which have no counter: when their changes may be handed over.

A snapshot comes once for each subscription, so a book that broke is withdrawn and asked for again. Whatever
comes of the old subscription meanwhile leads to no book.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from trioquotes._protocol.contract import Sink
from trioquotes._protocol.effects import WireChannel
from trioquotes.venues.coinbase.levels import salvage
from trioquotes.venues.coinbase.messages import L2Update, Snapshot

__all__ = ["SNAPSHOT_WITHIN_S", "PriceBooks"]

AWAITING_SNAPSHOT: Final = "awaiting snapshot"

SNAPSHOT_WITHIN_S: Final = 30.0
"""How long a snapshot may take after the subscription, or after one that was asked for no later: they come one by one, in
that order, and are large."""

SHOWN_REASONS: Final = 10


class _Owed:
    """When a snapshot was asked for, and since when nothing says that it is still on its way."""

    __slots__ = ("asked_s", "since_s")

    def __init__(self, now_s: float) -> None:
        self.asked_s = self.since_s = now_s


class PriceBooks:
    """The books by price of one connection.

    Args:
        is_asked: whether a channel counts as asked on this connection.
    """

    def __init__(self, is_asked: Callable[[WireChannel], bool]) -> None:
        self._is_asked = is_asked
        self._waiting: set[WireChannel] = set()  # whose changes are not to be handed over before a snapshot
        self._owed: dict[
            WireChannel, _Owed
        ] = {}  # whose first snapshot since it was subscribed is still to come

    def asked(self, channel: WireChannel, now_s: float) -> None:
        """It was subscribed: its snapshot is due."""
        self._owed[channel] = _Owed(now_s)

    def forget(self, channel: WireChannel) -> None:
        """It was unsubscribed: what is late of that would be mixed up with a new subscription."""
        self._owed.pop(channel, None)
        self._waiting.add(channel)

    def snapshot(self, channel: WireChannel, message: Snapshot, now_s: float, out: Sink) -> None:
        """A whole book."""
        self._waiting.discard(channel)
        came = self._owed.pop(channel, None)
        if came is not None:
            for owed in self._owed.values():
                if owed.asked_s >= came.asked_s:  # else it was passed over, and no longer comes by itself
                    owed.since_s = now_s
        out.resynced(channel)  # before it is taken: who finds it wrong asks for another
        out.deliver(channel, message)

    def update(self, channel: WireChannel, message: L2Update, elements: int, out: Sink) -> bool:
        """Changes of a book; returns whether they, and so the next ones too, may be handed over."""
        if self._waiting and channel in self._waiting:
            out.ignored(AWAITING_SNAPSHOT, elements)
            return False
        out.deliver(channel, message, elements=elements)
        return True

    def spoiled(self, channel: WireChannel, frame: bytes, reason: str, out: Sink) -> None:
        """A part of the book does not decode: what does is handed over, but no book is kept with it."""
        saved = salvage(frame)
        if saved is None or not saved.reasons:
            out.malformed(frame, reason, channel=channel)
        else:
            words = "; ".join(saved.reasons[:SHOWN_REASONS])
            out.malformed(frame, words, channel=channel, elements=len(saved.reasons))
            message = saved.message
            elements = len(message.changes) if isinstance(message, L2Update) else 1
            if elements and channel in self._waiting:
                out.ignored(AWAITING_SNAPSHOT, elements)
            elif elements:
                out.deliver(channel, message, elements=elements)
        self.broken(channel, "a part of the book cannot be read", out)

    def broken(self, channel: WireChannel, reason: str, out: Sink) -> None:
        """It cannot be trusted until its next snapshot."""
        if self._is_asked(channel):
            out.gap(channel, reason)
            self._waiting.add(channel)
            out.resync(channel)

    def tick(self, now_s: float, out: Sink) -> None:
        """Ask again for snapshots that do not come."""
        for channel, owed in sorted(self._owed.items()):
            if now_s >= owed.since_s + SNAPSHOT_WITHIN_S:
                owed.since_s = now_s
                out.resync(channel)

    def deadline(self) -> float:
        """When to tick."""
        return min((owed.since_s for owed in self._owed.values()), default=math.inf) + SNAPSHOT_WITHIN_S
