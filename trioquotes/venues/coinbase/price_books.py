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
"""How long a snapshot may take after the subscription, or after another one: they come one by one and are large."""

SHOWN_REASONS: Final = 10


class PriceBooks:
    """The books by price of one connection.

    Args:
        is_asked: whether a channel counts as asked on this connection.
    """

    def __init__(self, is_asked: Callable[[WireChannel], bool]) -> None:
        self._is_asked = is_asked
        self._waiting: set[WireChannel] = set()  # whose changes are not to be handed over before a snapshot
        self._owed: set[WireChannel] = set()  # whose first snapshot since it was subscribed is still to come
        self._since_s = math.inf

    def asked(self, channel: WireChannel, now_s: float) -> None:
        """It was subscribed: its snapshot is due."""
        self._owed.add(channel)
        self._since_s = now_s

    def forget(self, channel: WireChannel) -> None:
        """It was unsubscribed: what is late of that would be mixed up with a new subscription."""
        self._owed.discard(channel)
        self._waiting.add(channel)

    def snapshot(self, channel: WireChannel, message: Snapshot, now_s: float, out: Sink) -> None:
        """A whole book."""
        self._waiting.discard(channel)
        self._owed.discard(channel)
        self._since_s = now_s
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
        if now_s >= self.deadline():
            self._since_s = now_s
            for channel in sorted(self._owed):
                out.resync(channel)

    def deadline(self) -> float:
        """When to tick."""
        return self._since_s + SNAPSHOT_WITHIN_S if self._owed else math.inf
