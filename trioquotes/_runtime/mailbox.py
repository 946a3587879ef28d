"""The buffers between the read tasks and the user's loops: bounded, in order, never silent about a loss.

A mailbox is one queue; each topic in it has its own bounds, so trades never evict fills. Events of a
topic that overflows are dropped oldest first and ``Lagged`` stands in their place; a book that
overflows is dropped whole and caught up from the kept book when the reader gets there. Notices are
not bounded by number: equal ones that follow each other are one notice with a count. What is bounded is the weight of
the frames that some of them carry.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Literal, TypeAlias

import attrs
import msgspec
import trio

from trioquotes._protocol.timing import Lag
from trioquotes._runtime.folding import FRAMES_BYTES, fold, frame_bytes, is_same, key_of, shortened
from trioquotes.errors import SlowConsumer, TrioquotesError
from trioquotes.events import Event, Lagged, Notice, Resynced
from trioquotes.topics import Topic

__all__ = ["ChannelStatistics", "Mailbox", "Overflow", "Subscription"]

Overflow: TypeAlias = Literal["drop_oldest", "latest", "fail"]

COMPACT_FROM = 256
"""Dead entries that are worth a sweep; fewer cost less than the sweep."""


@attrs.frozen
class ChannelStatistics:
    """One topic's buffer at one moment.

    Attributes:
        topic: what was subscribed.
        queued: events waiting; ``buffer`` is the bound.
        queued_bytes: what they weigh, estimated; ``buffer_bytes`` is the bound.
        notice_bytes: what the frames weigh that waiting notices carry, those of other topics of the same stream included;
            at most 4 MiB and one frame. Of a frame that finds no room the beginning is kept.
        delivered: events handed to the reader.
        dropped: events dropped because the reader was slow; all of them are, or will be, in ``Lagged`` notices.
        replaced: events replaced by newer ones of the same key (``overflow="latest"``).
        oldest_received_ns: when the oldest waiting event was received; ``None`` when none waits.
        age_s: for how long it has been waiting: how old what the reader sees next is; 0 when none waits.
        confirmed: whether the venue serves the topic.
        last_received_ns: when the last event of the topic was received; ``None`` before the first.
        lag_s: its lag, our time of receipt less the venue's time of what happened, in seconds: network, venue and the
            difference of the clocks together, so it may be negative. ``None`` where the venue says no time, and for
            a venue's own messages. What a venue repeats on subscribing may be as old as the last change.
        max_lag_s: the largest lag of the first event of any socket read, which is the one that came latest.
    """

    topic: Topic[Event]
    queued: int
    buffer: int
    queued_bytes: int
    buffer_bytes: int
    notice_bytes: int
    delivered: int
    dropped: int
    replaced: int
    oldest_received_ns: int | None
    age_s: float
    confirmed: bool
    last_received_ns: int | None
    lag_s: float | None
    max_lag_s: float | None

    @property
    def events(self) -> int:
        """Events of the topic since it was subscribed: read, waiting, dropped or replaced."""
        return self.delivered + self.queued + self.dropped + self.replaced


def _nothing() -> None:
    """What happens where nobody needs to know."""


class _Cell(msgspec.Struct, eq=False):
    """A place in the queue; ``event`` is ``None`` once what stood here is gone."""

    subscription: Subscription
    event: Event | None
    weight_bytes: int


class Subscription:
    """One topic's share of a mailbox; the outlet that its feed pushes to."""

    def __init__(
        self,
        mailbox: Mailbox,
        topic: Topic[Event],
        *,
        overflow: Overflow,
        buffer: int,
        buffer_bytes: int,
        kept: bool,
    ) -> None:
        self.topic = topic
        self.overflow = overflow
        self.buffer = buffer
        self.buffer_bytes = buffer_bytes
        self.lagging = False
        self.settled = trio.Event()
        self.is_confirmed = False
        self.error: TrioquotesError | None = None
        self.on_drained: Callable[[], None] = _nothing
        self.on_withdrawn: Callable[[], None] = _nothing
        self.lag = Lag()  # the topic's, once a feed serves it
        self.queue: deque[_Cell] = deque()  # its own events in the mailbox, oldest first
        self.queued_bytes = 0
        self.delivered = 0
        self.dropped = 0
        self.replaced = 0
        self.unreported = 0
        self.run: dict[object, _Cell] = {}
        self.latest: dict[object, _Cell] = {}
        self._kept = kept
        self._replaces = overflow == "latest"
        self.mailbox = mailbox

    def push(self, event: Event, weight_bytes: int) -> None:
        """Queue an event; the overflow policy decides what happens when the buffer is full."""
        if self.error is not None or (self._replaces and self._replaced(event)):
            return
        queue = self.queue
        full = len(queue) >= self.buffer or (self.queued_bytes + weight_bytes > self.buffer_bytes and queue)
        if full and not self._make_room(weight_bytes):
            return
        cell = _Cell(self, event, weight_bytes)
        queue.append(cell)
        self.queued_bytes += weight_bytes
        if self._replaces:
            self.latest[self.topic.latest_key(event)] = cell
        if self.run:
            self.run.clear()
        self.mailbox.put(cell)

    def _replaced(self, event: Event) -> bool:
        """Put it in the place of one of the same key that waits, if one does."""
        cell = self.latest.get(self.topic.latest_key(event))
        if cell is None:
            return False
        cell.event = event
        self.replaced += 1
        return True

    def _make_room(self, weight_bytes: int) -> bool:
        """The buffer is full: do what the overflow policy says; returns whether there is room now."""
        if self.overflow == "fail":
            self.ended(SlowConsumer(self.topic, f"{len(self.queue)} events, {self.queued_bytes} bytes wait"))
            return False
        if self._kept:
            self._lag()
            return False
        while self.queue and (
            len(self.queue) >= self.buffer or self.queued_bytes + weight_bytes > self.buffer_bytes
        ):
            self._evict()
        return True

    def passed(self) -> None:
        """An event went by while the subscriber was lagging."""
        self.dropped += 1
        self.unreported += 1

    def notify(self, notice: Notice) -> None:
        """Queue a notice, folded into an equal one of the same run."""
        if self.error is None:
            self.latest.clear()  # a newer event must not take the place of one that came before the notice
            run = self.run if notice.topic is not None else self.mailbox.line_run
            self.mailbox.put_notice(self, notice, run)

    def confirmed(self) -> None:
        """The venue serves everything the topic needs."""
        self.is_confirmed = True
        self.settled.set()

    def ended(self, error: TrioquotesError) -> None:
        """The topic is over; what is queued can still be read."""
        if self.error is None:
            self.error = error
            self.settled.set()
            self.mailbox.wake()

    def taken(self, cell: _Cell) -> None:
        """The reader took one of its events."""
        self.queue.popleft()
        self.queued_bytes -= cell.weight_bytes
        self.delivered += 1
        if self.latest:
            self._unpend(cell)

    def statistics(self) -> ChannelStatistics:
        """Its figures now."""
        oldest_ns: int | None = getattr(self.queue[0].event, "received_ns", None) if self.queue else None
        age_ns = 0 if oldest_ns is None else max(self.mailbox.now_ns() - oldest_ns, 0)
        return ChannelStatistics(
            topic=self.topic,
            queued=len(self.queue),
            buffer=self.buffer,
            queued_bytes=self.queued_bytes,
            buffer_bytes=self.buffer_bytes,
            notice_bytes=self.mailbox.notice_bytes,
            delivered=self.delivered,
            dropped=self.dropped,
            replaced=self.replaced,
            oldest_received_ns=oldest_ns,
            age_s=age_ns / 1e9,
            confirmed=self.is_confirmed,
            last_received_ns=self.lag.last_ns,
            lag_s=self.lag.last_s,
            max_lag_s=self.lag.max_s,
        )

    def lagged_notice(self, venue: str) -> Lagged | None:
        """What was dropped and not yet said."""
        if not self.unreported:
            return None
        dropped, self.unreported = self.unreported, 0
        return Lagged(
            venue=venue,
            topic=self.topic,
            instrument=self.topic.subject,
            received_ns=self.mailbox.now_ns(),
            dropped=dropped,
        )

    def _unpend(self, cell: _Cell) -> None:
        """Nothing newer can take the place of this one any more."""
        if cell.event is not None:
            key = self.topic.latest_key(cell.event)
            if self.latest.get(key) is cell:
                del self.latest[key]

    def _evict(self) -> None:
        cell = self.queue.popleft()
        self.queued_bytes -= cell.weight_bytes
        if self.latest:
            self._unpend(cell)
        cell.event = None
        self.passed()
        self.mailbox.died()

    def _lag(self) -> None:
        """A book with holes is worth nothing: drop all of it and wait until the reader is there."""
        while self.queue:
            self._evict()
        self.mailbox.retract(self, Resynced)  # its snapshot went with the rest
        self.passed()
        self.lagging = True


class Mailbox:
    """One queue of several topics' events and notices, in order of arrival.

    Args:
        venue: for the ``Lagged`` notices made here.
        now_ns: Unix nanoseconds, for the same.
    """

    def __init__(self, venue: str, now_ns: Callable[[], int]) -> None:
        self.venue = venue
        self.now_ns = now_ns
        self.line_run: dict[object, _Cell] = {}
        self.subscriptions: list[Subscription] = []
        self.open = True
        self.used = False  # whether it ever had a topic
        self.notice_bytes = 0  # frames that its notices carry
        self._cells: deque[_Cell] = deque()
        self._dead = 0
        self._lot = trio.lowlevel.ParkingLot()
        self._awaited = False  # whether somebody may be parked there

    def subscribe(
        self, topic: Topic[Event], *, overflow: Overflow, buffer: int, buffer_bytes: int, kept: bool
    ) -> Subscription:
        """Open a topic's share."""
        subscription = Subscription(
            self, topic, overflow=overflow, buffer=buffer, buffer_bytes=buffer_bytes, kept=kept
        )
        self.subscriptions.append(subscription)
        self.used = True
        return subscription

    def remove(self, subscription: Subscription) -> None:
        """Close a topic's share; what it had queued is gone."""
        self.subscriptions.remove(subscription)
        for cell in subscription.queue:
            cell.event = None
            self._dead += 1
        subscription.queue.clear()
        subscription.run.clear()
        subscription.latest.clear()
        subscription.unreported = 0
        subscription.lagging = False
        subscription.on_drained = subscription.on_withdrawn = _nothing

    def abandon(self) -> None:
        """Nobody reads it any more: let go what waits, which knows its topics, which know this."""
        self._cells.clear()
        self._dead = self.notice_bytes = 0
        self.line_run.clear()

    def close(self) -> None:
        """No more will come: readers get what is queued, then the end."""
        self.open = False
        self.wake()

    def wake(self) -> None:
        """Let waiting readers look again."""
        if self._awaited:
            self._awaited = False
            self._lot.unpark_all()

    def put(self, cell: _Cell) -> None:
        """Append; called with every event."""
        self._cells.append(cell)
        if self.line_run:
            self.line_run.clear()
        if self._awaited:
            self.wake()

    def put_notice(self, subscription: Subscription, notice: Notice, run: dict[object, _Cell]) -> None:
        """Append a notice, or fold it into one of the same run."""
        key = key_of(notice, run, full=self._no_room(notice))
        old = run.pop(key, None)
        if old is not None and isinstance(old.event, Notice):
            if old.subscription is not subscription and is_same(old.event, notice):
                run[key] = old  # a line's notice comes once for each of its topics in this mailbox
                return
            notice = fold(old.event, notice)
            self._clear(old)
            self.died()
        if self._no_room(notice):
            notice = shortened(notice)
        cell = run[key] = _Cell(subscription, notice, frame_bytes(notice))
        self.notice_bytes += cell.weight_bytes
        self._cells.append(cell)
        self.wake()

    def _no_room(self, notice: Notice) -> bool:
        """Whether its frame would be too much beside those that wait; one alone never is."""
        weight_bytes = frame_bytes(notice)
        return bool(weight_bytes and self.notice_bytes) and self.notice_bytes + weight_bytes > FRAMES_BYTES

    def _clear(self, cell: _Cell) -> None:
        """Its notice stands elsewhere, or nowhere any more."""
        cell.event = None
        self.notice_bytes -= cell.weight_bytes

    def retract(self, subscription: Subscription, kind: type[Notice]) -> None:
        """Take back the notices of a kind that were not read yet, and are true no longer."""
        found = [c for c in self._cells if c.subscription is subscription and isinstance(c.event, kind)]
        for cell in found:
            self._clear(cell)
        self.died(len(found))

    def died(self, entries: int = 1) -> None:
        """So many more entries are dead; sweep them out when they are the greater part."""
        self._dead += entries
        if self._dead > COMPACT_FROM and self._dead * 3 > len(self._cells):
            self._compact()

    def pop(self) -> Event | None:
        """The next event or notice, or ``None`` when nothing is there."""
        cells = self._cells
        while cells:
            cell = cells.popleft()
            subscription = cell.subscription
            event = cell.event
            if event is None:
                lagged = self._passed_over(subscription)
                if lagged is not None:
                    return lagged
            elif isinstance(event, Notice):
                self._forget(cell)
                self.notice_bytes -= cell.weight_bytes
                return event
            else:
                subscription.taken(cell)
                return event
        return None

    def ending(self) -> TrioquotesError | None:
        """Why nothing more will come: the error of the only topic, if it ended."""
        return self.subscriptions[0].error if len(self.subscriptions) == 1 else None

    async def wait(self) -> None:
        """Wait until something may be there; cancelling loses nothing."""
        self._awaited = True
        await self._lot.park()

    def _passed_over(self, subscription: Subscription) -> Lagged | None:
        """The reader came to where something was lost: say so, and catch a book up."""
        self._dead -= 1
        lagged = subscription.lagged_notice(self.venue)
        if subscription.lagging:
            subscription.lagging = False
            subscription.on_drained()
        return lagged

    def _forget(self, cell: _Cell) -> None:
        """A notice that was read is no longer there to fold into."""
        for run in (cell.subscription.run, self.line_run):
            for key, other in list(run.items()):
                if other is cell:
                    del run[key]

    def _fold_again(self) -> None:
        """Notices between which every event was dropped are one run now."""
        run: dict[object, _Cell] = {}
        for cell in self._cells:
            if isinstance(cell.event, Notice):
                key = key_of(cell.event, run, full=False)
                old = run.pop(key, None)
                if old is not None and isinstance(old.event, Notice):
                    cell.event = fold(old.event, cell.event)
                    self._clear(old)
                run[key] = cell
            elif cell.event is not None:
                run.clear()

    def _compact(self) -> None:
        """Drop dead entries; one stays where a topic lost events, so that ``Lagged`` stands in their place."""
        kept: deque[_Cell] = deque()
        marked: set[int] = set()
        self._fold_again()
        for cell in self._cells:
            owner = cell.subscription
            if cell.event is not None:
                kept.append(cell)
            elif owner.unreported and id(owner) not in marked:
                marked.add(id(owner))
                kept.append(cell)
        self._dead = len(marked)
        self._cells = kept
