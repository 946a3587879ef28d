"""The buffers between the read tasks and the user's loops: bounded, in order, never silent about a loss.

A mailbox is one queue; each topic in it has its own bounds, so trades never evict fills. Events of a
topic that overflows are dropped oldest first and ``Lagged`` stands in their place; a book that
overflows is dropped whole and caught up from the kept book when the reader gets there. Notices are
not bounded by number: equal ones that follow each other are one notice with a count. What is bounded is the weight of
the frames that some of them carry.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import trio

from trioquotes._runtime.folding import FRAMES_BYTES, Cell, fold, frame_bytes, is_same, key_of, shortened
from trioquotes._runtime.subscription import Overflow, Subscription
from trioquotes.errors import TrioquotesError
from trioquotes.events import Event, Notice
from trioquotes.topics import Topic

__all__ = ["Entry", "Mailbox"]

COMPACT_FROM = 256
"""Dead entries that are worth a sweep; fewer cost less than the sweep."""

Entry: TypeAlias = Subscription | Cell
"""A place in the queue: that of the next event of a topic, or a notice."""


class Mailbox:
    """One queue of several topics' events and notices, in order of arrival.

    Args:
        venue: for the ``Lagged`` notices made here.
        now_ns: Unix nanoseconds, for the same.

    Attributes:
        entries: one for each event and each notice that waits or stands for something gone, oldest first; always the
            same object.
        alert: whether something is to be done when an event is appended; see :meth:`attend`.
    """

    def __init__(self, venue: str, now_ns: Callable[[], int]) -> None:
        self.venue = venue
        self.now_ns = now_ns
        self.line_run: dict[object, Cell] = {}
        self.subscriptions: list[Subscription] = []
        self.open = True
        self.used = False  # whether it ever had a topic
        self.notice_bytes = 0  # frames that its notices carry
        self.entries: deque[Entry] = deque()
        self.alert = False
        self._dead = 0
        self._waiting: dict[trio.lowlevel.Task, None] = {}  # in the order in which they came

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
        self._dead += subscription.clear()

    def abandon(self) -> None:
        """Nobody reads it any more: let go what waits, which knows its topics, which know this."""
        self.entries.clear()
        self._dead = self.notice_bytes = 0
        self.line_run.clear()

    def close(self) -> None:
        """No more will come: readers get what is queued, then the end."""
        self.open = False
        self.wake()

    def wake(self) -> None:
        """Let waiting readers look again."""
        if self._waiting:
            waiting, self._waiting = self._waiting, {}
            for task in waiting:
                trio.lowlevel.reschedule(task)

    def attend(self) -> None:
        """An event was appended: who waits for one is woken, and notices from here on are a new run."""
        self.alert = False
        self.line_run.clear()
        self.wake()

    def put_notice(self, subscription: Subscription, notice: Notice, run: dict[object, Cell]) -> None:
        """Append a notice, or fold it into one of the same run."""
        key = key_of(notice, run, full=self._no_room(notice))
        old = run.pop(key, None)
        if old is not None and isinstance(old.notice, Notice):
            if old.subscription is not subscription and is_same(old.notice, notice):
                run[key] = old  # a line's notice comes once for each of its topics in this mailbox
                return
            notice = fold(old.notice, notice)
            self._clear(old)
            self.died()
        if self._no_room(notice):
            notice = shortened(notice)
        cell = run[key] = Cell(subscription, notice, frame_bytes(notice))
        self.notice_bytes += cell.weight_bytes
        self.entries.append(cell)
        self.alert = True  # the run ends with the next event
        self.wake()

    def _no_room(self, notice: Notice) -> bool:
        """Whether its frame would be too much beside those that wait; one alone never is."""
        weight_bytes = frame_bytes(notice)
        return bool(weight_bytes and self.notice_bytes) and self.notice_bytes + weight_bytes > FRAMES_BYTES

    def _clear(self, cell: Cell) -> None:
        """Its notice stands elsewhere, or nowhere any more."""
        cell.notice = None
        self.notice_bytes -= cell.weight_bytes

    def retract(self, subscription: Subscription, kind: type[Notice]) -> None:
        """Take back the notices of a kind that were not read yet, and are true no longer."""
        found = [
            entry
            for entry in self.entries
            if isinstance(entry, Cell)
            and entry.subscription is subscription
            and isinstance(entry.notice, kind)
        ]
        for cell in found:
            self._clear(cell)
        self.died(len(found))

    def died(self, entries: int = 1) -> None:
        """So many more entries stand for nothing; sweep them out when they are the greater part."""
        self._dead += entries
        if self._dead > COMPACT_FROM and self._dead * 3 > len(self.entries):
            self._compact()

    def pop(self) -> Event | None:
        """The next event or notice, or ``None`` when nothing is there."""
        entries = self.entries
        while entries:
            entry: Any = entries.popleft()
            if entry.plain:  # what a reader does by itself, see there
                entry.delivered += 1
                event: Event = entry.queue.popleft()
                return event
            found = self._pop_cell(entry) if isinstance(entry, Cell) else self._pop_share(entry)
            if found is not None:
                return found
        return None

    def _pop_cell(self, cell: Cell) -> Notice | None:
        notice = cell.notice
        if notice is None:
            self._dead -= 1
            return None
        self._forget(cell)
        self.notice_bytes -= cell.weight_bytes
        return notice

    def _pop_share(self, subscription: Subscription) -> Event | None:
        """The next of a share that is not plain; where something was lost say so, and catch a book up."""
        if not subscription.dead:
            return subscription.take()
        subscription.bury()
        self._dead -= 1
        lagged = subscription.lagged_notice(self.venue)
        if subscription.lagging:
            subscription.lagging = False
            subscription.on_drained()
        return lagged

    @property
    def goes_on(self) -> bool:
        """Whether who finds nothing here is to wait for more."""
        return self.open and self.used and self.ending() is None

    def ending(self) -> TrioquotesError | None:
        """Why nothing more will come: the error of the only topic, if it ended."""
        return self.subscriptions[0].error if len(self.subscriptions) == 1 else None

    async def wait(self) -> None:
        """Wait until something may be there; cancelling loses nothing."""
        self.alert = True
        task = trio.lowlevel.current_task()
        self._waiting[task] = None

        def abort(_: object) -> trio.lowlevel.Abort:
            del self._waiting[task]
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)

    def _forget(self, cell: Cell) -> None:
        """A notice that was read is no longer there to fold into."""
        for run in (cell.subscription.run, self.line_run):
            for key, other in list(run.items()):
                if other is cell:
                    del run[key]

    def _walk(self) -> Iterator[tuple[Entry, bool]]:
        """Every entry, and whether there still is what it stands for."""
        buried: dict[int, int] = {}
        for entry in self.entries:
            if isinstance(entry, Cell):
                yield entry, entry.notice is not None
                continue
            dead = buried.get(id(entry), entry.dead)
            buried[id(entry)] = max(dead - 1, 0)
            yield entry, not dead

    def _fold_again(self) -> None:
        """Notices between which every event was dropped are one run now."""
        run: dict[object, Cell] = {}
        for entry, alive in self._walk():
            if alive and isinstance(entry, Cell) and entry.notice is not None:
                key = key_of(entry.notice, run, full=False)
                old = run.pop(key, None)
                if old is not None and old.notice is not None:
                    entry.notice = fold(old.notice, entry.notice)
                    self._clear(old)
                run[key] = entry
            elif alive:
                run.clear()

    def _compact(self) -> None:
        """Drop what stands for nothing; one entry stays where a topic lost events, so that ``Lagged`` has its place."""
        self._fold_again()
        kept: list[Entry] = []
        shares: dict[int, Subscription] = {}
        marked: set[int] = set()
        for entry, alive in self._walk():
            if isinstance(entry, Subscription):
                shares[id(entry)] = entry
                if not alive and entry.unreported and id(entry) not in marked:
                    marked.add(id(entry))
                    kept.append(entry)
            if alive:
                kept.append(entry)
        for share in shares.values():
            share.count_dead(id(share) in marked)
        self._dead = len(marked)
        self.entries.clear()
        self.entries.extend(kept)
