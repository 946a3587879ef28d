"""The feed that keeps a book by order: changes queue for a snapshot that is fetched beside them.

The snapshot is of some moment in the stream of changes. Those that came before it are in it and are dropped,
those that came after it are applied to it, and the result is handed over; from then on every change is.
Where messages are counted, all of them have to be, also those that do not touch the book: between the book and the
next message there must not be a hole, whoever else looks for holes and whenever the snapshot was made.
"""

from __future__ import annotations

from collections import deque

from trioquotes._protocol.bookkeeper import AWAITING_SNAPSHOT, LEVEL_BYTES, ServedBook
from trioquotes._protocol.effects import Receipt, Serving, Skip
from trioquotes._protocol.feeds import EVENT_BYTES, Upstream
from trioquotes.books import BookError, OrderBookL3
from trioquotes.events import Connected, Event, OrderBookChange, OrderBookSnapshot, WireMessage
from trioquotes.topics import Topic

__all__ = ["MAX_QUEUED_CHANGES", "OrderFeed"]

MAX_QUEUED_CHANGES = 100_000
"""Changes that wait for a snapshot, about 60 MB: some minutes of the busiest instrument. When they are more, all are
dropped and a newer snapshot is asked for."""

KNOWN = "already known"
NO_ORDER = "order not on the book"
QUEUED = "queued for the snapshot"
TOO_OLD = "snapshot older than the queue"


class OrderFeed(ServedBook[OrderBookL3]):
    """The snapshots and changes of a book by order."""

    def __init__(self, venue: str, topic: Topic[Event], serving: Serving) -> None:
        super().__init__(venue, topic, serving)
        self.book = OrderBookL3(serving.only or topic.subject, verify=serving.verify)
        self._queue: deque[OrderBookChange] = deque()
        # Counters of the messages that came one after the other: the first, and the last one, which the live book is
        # right after.
        self._first: int | None = None
        self._at: int | None = None
        self._blind = False  # whether messages went by unseen, nobody knows up to which
        self._last: OrderBookSnapshot | OrderBookChange | None = None

    def connected(self, notice: Connected) -> None:
        """Nothing that came on the old line leads to a book on the new one."""
        self._forget()
        super().connected(notice)

    def came_late(self, last: WireMessage | None) -> None:
        """What went by unseen has to be in the snapshot."""
        made = None if last is None else self._unify(last, Receipt(0))
        if isinstance(made, Skip | OrderBookChange | OrderBookSnapshot) and made.sequence is not None:
            self._first, self._at = made.sequence + 1, made.sequence
        else:
            self._blind = True

    def gap(self, reason: str, now_ns: int, *, missed: int | None = None, instrument: str = "") -> None:
        """What queued before the gap is of no use after it."""
        self._forget()
        super().gap(reason, now_ns, missed=missed, instrument=instrument)

    def take(self, message: WireMessage, up: Upstream) -> str | None:
        """Follow the counter, whether or not the message touches the book, then keep the book."""
        made = self._unify(message, up.receipt)
        known = False
        if isinstance(made, Skip | OrderBookChange) and made.sequence is not None:
            known = self._follow(made.sequence, up)
        if isinstance(made, Skip):
            return made.reason
        if known:
            return KNOWN
        try:
            return self._keep(made, up)
        except BookError as error:
            return self._broken(str(error), up.receipt.received_ns, up)

    def _follow(self, sequence: int, up: Upstream) -> bool:
        """A message came with that counter; returns whether it is in the book, or in the queue, already."""
        last = self._at
        known = last is not None and sequence <= last
        if last is not None and sequence > last + 1:
            if self.book.state == "live":
                words = f"messages {last + 1} to {sequence - 1} are missing between the book and the next"
                self._broken(words, up.receipt.received_ns, up)
            self._forget()
        if self._first is None:
            self._first = sequence
        if not known:
            self._at = sequence
        return known

    def _keep(self, made: object, up: Upstream) -> str | None:
        if isinstance(made, OrderBookChange):
            return self._change(made, up)
        if not isinstance(made, OrderBookSnapshot):
            raise TypeError(f"the unifier of a book by order made {type(made).__name__}")
        return self._snapshot(made, up)

    def _change(self, change: OrderBookChange, up: Upstream) -> str | None:
        if self.book.state != "live":
            return self._wait(change, up)
        if not self._apply(change):
            return NO_ORDER
        self._check()
        self._last = change
        self.hand_over_change(change)
        return None

    def _wait(self, change: OrderBookChange, up: Upstream) -> str:
        if change.sequence is None:
            return AWAITING_SNAPSHOT  # without a counter nobody can say which snapshot it follows
        if len(self._queue) >= MAX_QUEUED_CHANGES:
            self._forget()
            self._ask_again(up)
            return AWAITING_SNAPSHOT
        self._queue.append(change)
        return QUEUED

    def _snapshot(self, snapshot: OrderBookSnapshot, up: Upstream) -> str | None:
        if self.book.state == "live" and _is_in(snapshot, self._at):
            return KNOWN
        if self._first is None and self._blind:
            self._ask_again(up)
            return TOO_OLD
        if self._first is not None and (snapshot.sequence is None or snapshot.sequence + 1 < self._first):
            self._ask_again(up)
            return TOO_OLD
        self.book.apply(snapshot)
        self._last = snapshot
        for change in self._queue:
            if not _is_in(change, snapshot.sequence) and self._apply(change):
                self._last = change
        self._check()
        counters = [number for number in (snapshot.sequence, self._at) if number is not None]
        self._forget()
        self._at = max(counters, default=None)
        self.watch = None  # what the book showed in between is not known
        whole = snapshot if self._last is snapshot else self.whole(snapshot.received_ns)
        if whole is snapshot:
            self.lag.saw(snapshot)  # what was made of older changes says nothing of how late they came
        orders = len(whole.bids) + len(whole.asks)
        self.hand_over_snapshot(whole, EVENT_BYTES + LEVEL_BYTES * orders)
        return None

    def _apply(self, change: OrderBookChange) -> bool:
        """Whether the change was about the book."""
        book, watch = self.book, self.watch
        if watch is None:
            return book.apply(change)
        before = book.order(change.order_id)
        about = book.apply(change)
        for order in (before, book.order(change.order_id)):
            if order is not None:
                watch.saw(order.side, order.price, book.size_at(order.side, order.price))
        return about

    def _ask_again(self, up: Upstream) -> None:
        for channel in self.serving.channels:
            up.resync(channel)

    def _forget(self) -> None:
        """Nothing that was seen leads to a book."""
        self._queue.clear()
        self._first = self._at = None

    def whole(self, now_ns: int) -> OrderBookSnapshot:
        """The kept book as a snapshot, with the counter of the last message and the venue's time of the last event."""
        last = self._last
        return self.book.snapshot_by_order(
            venue=self.venue,
            received_ns=now_ns,
            venue_time_ns=None if last is None else last.venue_time_ns,
            sequence=self._at,
        )


def _is_in(event: OrderBookSnapshot | OrderBookChange, book: int | None) -> bool:
    """Whether a book of that counter is at least as new."""
    return book is not None and event.sequence is not None and event.sequence <= book
