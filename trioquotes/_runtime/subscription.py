"""One topic's share of a mailbox: its own bounds, its own policy when they are reached, its own figures."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypeAlias

import attrs
import trio

from trioquotes._protocol.timing import Lag
from trioquotes._runtime.folding import Cell
from trioquotes.errors import SlowConsumer, TrioquotesError
from trioquotes.events import Event, Lagged, Notice, Resynced
from trioquotes.topics import Topic

if TYPE_CHECKING:
    from trioquotes._runtime.mailbox import Mailbox

__all__ = ["ChannelStatistics", "Overflow", "Subscription"]

Overflow: TypeAlias = Literal["drop_oldest", "latest", "fail"]


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


class Subscription:
    """One topic's share of a mailbox; the outlet that its feed pushes to.

    The mailbox has one entry for each of its events, in the order in which those of all topics came; the events are
    here. Only its oldest are ever dropped, so of its entries the first ``dead`` stand for what is gone.

    As long as no event is heavier than what a full buffer of such events may weigh, counting them bounds their weight
    too; from a heavier one on they are weighed one by one, until none waits.

    Attributes:
        queue: its events that wait, oldest first.
        dead: how many of its entries in the mailbox stand for events that are gone.
        plain: whether its next entry stands for the first of ``queue``, and nothing else is to be done when it is taken.
    """

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
        self.queue: deque[Event] = deque()
        self.dead = 0
        self.delivered = 0
        self.dropped = 0
        self.replaced = 0
        self.unreported = 0
        self.run: dict[object, Cell] = {}
        self.mailbox = mailbox
        self._kept = kept
        self._replaces = overflow == "latest"
        self._latest: dict[object, int] = {}  # by key, the number of the event that a newer one is to replace
        self._gone = 0  # events that left the queue: the number of its first
        self._light_bytes = buffer_bytes // buffer
        self._weights: deque[int] | None = None  # of each event in the queue, where they are weighed
        self._queued_bytes = 0  # the sum of these
        self._special = self._replaces  # whether an event cannot just be appended
        self.plain = not self._replaces

    @property
    def queued_bytes(self) -> int:
        """What the waiting events weigh, estimated; at most that much where they are only counted."""
        return self._light_bytes * len(self.queue) if self._weights is None else self._queued_bytes

    def push(self, event: Event, weight_bytes: int) -> None:
        """Queue an event; the overflow policy decides what happens when the buffer is full."""
        queue = self.queue
        if self._special or weight_bytes > self._light_bytes or len(queue) >= self.buffer:
            self._push(event, weight_bytes)
            return
        queue.append(event)
        mailbox = self.mailbox
        mailbox.entries.append(self)
        if mailbox.alert:
            mailbox.attend()

    def _push(self, event: Event, weight_bytes: int) -> None:
        """The same where it takes more than appending it."""
        if self.error is not None or (self._replaces and self._replaced(event)):
            return
        queue = self.queue
        if self._weights is None and weight_bytes > self._light_bytes:
            self._weights = deque([self._light_bytes] * len(queue))
            self._queued_bytes = self._light_bytes * len(queue)
            self.plain = False
        if queue and self._is_full(weight_bytes) and not self._make_room(weight_bytes):
            return
        if self._replaces:
            self._latest[self.topic.latest_key(event)] = self._gone + len(queue)
        queue.append(event)
        if self._weights is not None:
            self._weights.append(weight_bytes)
            self._queued_bytes += weight_bytes
        self.run.clear()
        self._special = self._replaces or self._weights is not None
        self.mailbox.entries.append(self)
        self.mailbox.attend()

    def _is_full(self, weight_bytes: int) -> bool:
        """Whether there is no room for another event."""
        if len(self.queue) >= self.buffer:
            return True
        return self._weights is not None and self._queued_bytes + weight_bytes > self.buffer_bytes

    def _replaced(self, event: Event) -> bool:
        """Put it in the place of one of the same key that waits, if one does."""
        number = self._latest.get(self.topic.latest_key(event))
        if number is None:
            return False
        self.queue[number - self._gone] = event
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
        while self.queue and self._is_full(weight_bytes):
            self._evict()
        return True

    def passed(self) -> None:
        """An event went by while the subscriber was lagging."""
        self.dropped += 1
        self.unreported += 1

    def notify(self, notice: Notice) -> None:
        """Queue a notice, folded into an equal one of the same run."""
        if self.error is None:
            self._latest.clear()  # a newer event must not take the place of one that came before the notice
            self._special = True
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
            self._special = True
            self.settled.set()
            self.mailbox.wake()

    def release(self) -> None:
        """The session is over: let go of the feed, unless a book that was dropped is still to be caught up with it."""
        self.on_withdrawn = _nothing
        if not self.lagging:
            self.on_drained = _nothing

    def take(self) -> Event:
        """The reader takes the first of the queue, whatever kind of share this is."""
        event = self._leave()
        self.delivered += 1
        return event

    def bury(self) -> None:
        """The reader passed one of the entries that stand for nothing."""
        self.count_dead(self.dead - 1)

    def count_dead(self, dead: int) -> None:
        """So many entries stand for nothing now."""
        self.dead = dead
        self.plain = not dead and not self._replaces and self._weights is None

    def clear(self) -> int:
        """Forget all that waits, without a word; returns how many events that were."""
        number = len(self.queue)
        self.queue.clear()
        if self._weights is not None:
            self._weights.clear()
        self._queued_bytes = 0
        self.run.clear()
        self._latest.clear()
        self.unreported = 0
        self.lagging = False
        self.on_drained = self.on_withdrawn = _nothing
        self.count_dead(self.dead + number)
        return number

    def statistics(self) -> ChannelStatistics:
        """Its figures now."""
        oldest_ns: int | None = getattr(self.queue[0], "received_ns", None) if self.queue else None
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

    def _leave(self) -> Event:
        """The first event leaves the queue."""
        event = self.queue.popleft()
        if self._weights is not None:
            self._queued_bytes -= self._weights.popleft()
            if not self._weights:
                self._weights = None
                self.count_dead(self.dead)
        if self._latest:  # nothing newer can take the place of this one any more
            key = self.topic.latest_key(event)
            if self._latest.get(key) == self._gone:
                del self._latest[key]
        self._gone += 1
        return event

    def _evict(self) -> None:
        self._leave()
        self.count_dead(self.dead + 1)
        self.passed()
        self.mailbox.died()

    def _lag(self) -> None:
        """A book with holes is worth nothing: drop all of it and wait until the reader is there."""
        while self.queue:
            self._evict()
        self.mailbox.retract(self, Resynced)  # its snapshot went with the rest
        self.passed()
        self.lagging = True


def _nothing() -> None:
    """What happens where nobody needs to know."""
