"""Plays a recording to one session: at its pace, and no faster than everybody reads."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import attrs
import trio

from trioquotes._protocol.feeds import BYTES_PER_WIRE_BYTE
from trioquotes._protocol.outlet import Outlet
from trioquotes._runtime.endings import sole
from trioquotes._runtime.mailbox import Mailbox
from trioquotes._runtime.subscription import Subscription
from trioquotes.errors import InternalError
from trioquotes.events import Notice
from trioquotes.recording.reading import Recording, TornSegment
from trioquotes.recording.records import FramesReceived, Record, RunBegun, SessionEntered
from trioquotes.recording.stage import IDLE, ReplayPlanner, Stage
from trioquotes.topics import Topic

if TYPE_CHECKING:
    from trioquotes._runtime.engine import Engine

__all__ = ["Player", "ReplayProgress"]

TURNS: Final = 20
"""How often readers get a turn before the replay begins to wait for them in sleep."""
NAP_S: Final = 0.0002
LONG_NAP_S: Final = 0.01
"""How long it sleeps between looks whether they have read: from the first to the second."""
TURN_RECORDS: Final = 256
"""Records after which others get a turn in any case."""

_LOG = logging.getLogger("trioquotes.recording")


@attrs.define
class ReplayProgress:
    """How far a replay is.

    Attributes:
        records: played; ``frames`` received in them.
        wall_ns: when the last of them was recorded, in Unix nanoseconds; ``None`` before the first.
        began_ns: when the first record was made; ``ended_ns`` the last one.
        torn: what the recording lacks, in the order of finding out.
        ended: whether all of it was played.
    """

    records: int = 0
    frames: int = 0
    wall_ns: int | None = None
    began_ns: int = 0
    ended_ns: int = 0
    torn: list[TornSegment] = attrs.field(factory=list)
    ended: bool = False

    @property
    def share(self) -> float:
        """How much of the recorded time was played, from 0 to 1."""
        if self.ended:
            return 1.0
        whole_ns = self.ended_ns - self.began_ns
        done_ns = 0 if self.wall_ns is None else self.wall_ns - self.began_ns
        return min(max(done_ns / whole_ns, 0.0), 1.0) if whole_ns > 0 else 0.0


class _Heard:
    """A subscription, as the feed sees it: it tells the replay that a notice waits."""

    def __init__(self, subscription: Subscription, player: Player) -> None:
        self._subscription = subscription
        self._player = player
        self.push = subscription.push
        self.passed = subscription.passed
        self.confirmed = subscription.confirmed
        self.ended = subscription.ended

    @property
    def topic(self) -> Topic[Any]:
        """What was subscribed."""
        return self._subscription.topic

    @property
    def lagging(self) -> bool:
        """Whether the subscriber overflowed."""
        return self._subscription.lagging

    def notify(self, notice: Notice) -> None:
        """Pass it on."""
        self._player.noticed = True
        self._subscription.notify(notice)


class Player:
    """Plays a recording to one session.

    Attributes:
        scope: to be cancelled when the session ends.
        noticed: whether somebody was told something since readers were waited for.
        stage: what plays, once it began.
    """

    def __init__(
        self,
        engine: Engine,
        recording: Recording,
        progress: ReplayProgress,
        tell_time: Callable[[int], None],
        *,
        pace: float,
        ahead: int,
    ) -> None:
        self.scope = trio.CancelScope()
        self.noticed = False
        self.stage: Stage | None = None
        self._engine = engine
        self._recording = recording
        self._progress = progress
        self._tell_time = tell_time
        self._pace = pace
        self._ahead = ahead
        self._subscriptions: list[Subscription] = []
        self._entered = False  # until then nobody reads, as then
        self._waited: list[Mailbox] = []  # those that somebody reads all of
        self._limit = ahead
        self._limit_bytes = 0
        self._began_s = self._first_s = 0.0  # when the run began, and when it had begun
        self._bytes = 0  # of frames that were played since readers were waited for

    def enter(self) -> None:
        """The recorded user's block began: so does this one's."""
        self._entered = True
        for subscription in self._subscriptions:
            subscription.settled.set()

    def subscribed(self, subscription: Subscription) -> Outlet:
        """Somebody subscribes: there is nothing to wait for but the data."""
        if str(subscription.overflow) == "wait":  # it holds whatever one record brings
            subscription.buffer = subscription.buffer_bytes = 2**62
        self._subscriptions.append(subscription)
        if self._entered:
            subscription.settled.set()
        self._look_round()
        if self._progress.ended:
            subscription.mailbox.close()
        return _Heard(subscription, self)

    async def run(self) -> None:
        """Play to the end, then let the channels end; only cancellation leaves as an exception."""
        engine, progress = self._engine, self._progress
        try:
            with self.scope:
                stage = self.stage = self._set_up()
                await trio.lowlevel.checkpoint()
                await self._play(stage, self._recording.read())
                self.enter()
                await self._wait_read()
                progress.ended = True
                engine.close_channels()
        except BaseException as error:  # noqa: ASYNC103  # a cancellation, in a group or not, is raised again
            found = sole(error)
            if isinstance(found, trio.Cancelled):
                raise
            engine.die(found)

    def _set_up(self) -> Stage:
        engine = self._engine
        if not isinstance(engine.planner, ReplayPlanner):
            raise InternalError("a replay is planned by a ReplayPlanner")
        return Stage(engine.venue, engine.planner, engine.replan)

    async def _play(self, stage: Stage, records: Iterator[Record | TornSegment]) -> None:
        progress, since_turn, is_torn = self._progress, 0, False
        for record in records:
            if isinstance(record, TornSegment):
                progress.torn.append(record)
                _LOG.warning("%s", record)
                is_torn = True
                continue
            if is_torn:  # at the very end nothing follows that could be missed
                stage.interrupt("the recording is damaged here")
                is_torn = False
            if await self._is_time(record):
                since_turn = 0
            self._tell_time(record.wall_ns)
            stage.play(record)
            self._played(record)
            since_turn += 1
            if self._entered and self._must_wait():
                await self._wait_read()
                since_turn = 0
            elif since_turn >= TURN_RECORDS:
                await trio.lowlevel.checkpoint()
                since_turn = 0

    async def _is_time(self, record: Record) -> bool:
        """Wait until it is time for a record; returns whether others had a turn meanwhile."""
        if isinstance(record, RunBegun | SessionEntered):
            self._began_s, self._first_s = trio.current_time(), record.monotonic_s
        if not self._entered:
            return False
        waited = False
        if self._pace < math.inf:
            due_s = self._began_s + (record.monotonic_s - self._first_s) / self._pace
            if due_s > trio.current_time():
                await trio.sleep_until(due_s)
                waited = True
        if self.noticed and not record.behind and not isinstance(record, IDLE):
            await self._wait_read()
            waited = True
        return waited

    def _played(self, record: Record) -> None:
        progress = self._progress
        progress.records += 1
        progress.wall_ns = record.wall_ns
        if isinstance(record, FramesReceived):
            progress.frames += len(record.frames)
            self._bytes += sum(map(len, record.frames))
        elif isinstance(record, SessionEntered):
            self.enter()

    # Readers ----------------------------------------------------------------------------------------

    def _look_round(self) -> None:
        """See who reads, and how far they may be behind."""
        self._subscriptions = [s for s in self._subscriptions if s in s.mailbox.subscriptions]
        readers = [s for s in self._subscriptions if s.overflow != "latest" and s.error is None]
        self._waited = list(dict.fromkeys(reader.mailbox for reader in readers))
        self._limit = min([self._ahead, *(reader.buffer // 2 for reader in readers)])
        if len(readers) < len(self._subscriptions) and any(map(_is_looked_at, self._subscriptions)):
            self._limit = 0  # what is seen in a live book must not be of the future
        room_bytes = min((reader.buffer_bytes for reader in readers), default=2**62)
        self._limit_bytes = room_bytes // (2 * BYTES_PER_WIRE_BYTE)

    def _must_wait(self) -> bool:
        """Whether so much waits that readers come first."""
        return sum(map(_waiting, self._waited)) > self._limit or self._bytes > self._limit_bytes

    async def _wait_read(self) -> None:
        """Wait until everybody has read everything."""
        self._look_round()
        self.noticed = False
        self._bytes = 0
        turns, nap_s = 0, NAP_S
        while any(map(_waiting, self._waited)):
            turns += 1
            if turns <= TURNS:
                await trio.lowlevel.checkpoint()
            else:
                await trio.sleep(nap_s)
                nap_s = min(2 * nap_s, LONG_NAP_S)
                self._look_round()  # somebody may have left
        await trio.lowlevel.checkpoint()  # what was read is now being worked on


def _waiting(mailbox: Mailbox) -> int:
    """How much is there to be read."""
    return len(mailbox.entries)


def _is_looked_at(subscription: Subscription) -> bool:
    """Whether it is that of a live book, which nobody need read."""
    return subscription.overflow == "latest" and subscription.buffer_bytes >= 2**62
