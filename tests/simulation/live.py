"""One session that is open: everybody reads, somebody looks at the figures, until all is well again."""

from __future__ import annotations

from functools import partial

import attrs
import trio
import trio.testing

import trioquotes as tq
from tests.simulation.consumers import Consumer, Looked, Watched
from tests.simulation.place import Choice, Place
from tests.simulation.plans import Ending, Plan, Script
from tests.simulation.promises import Tally
from trioquotes.testing import Served, World

__all__ = ["CONNECT_S", "Live", "OwnError", "Stage", "tasks_of"]

CONNECT_S = 10.0
TASKS_A_LANE, TASKS_BESIDE = 10, 6
"""Supervisor, four tasks, the library's reader, fetches; beside lanes the auditor."""


class OwnError(Exception):
    """What a user's program raises."""


@attrs.define
class Stage:
    """What everybody in a run needs to know.

    Attributes:
        menu: what can be asked for.
        watched: what every consumer saw so far.
        shown: everything that was shown to people, to be searched for secrets.
        mended: set once nothing goes wrong any more; ``mended_s`` when that was.
    """

    place: Place
    plan: Plan
    script: Script
    world: World
    served: Served
    tally: Tally
    menu: list[Choice]
    watched: list[Watched] = attrs.field(factory=list)
    shown: list[str] = attrs.field(factory=list)
    mended: trio.Event = attrs.field(factory=trio.Event)
    mended_s: float = float("inf")

    def mend(self) -> None:
        """From here on nothing goes wrong any more."""
        self.mended_s = trio.current_time()
        self.mended.set()
        self.world.mend()

    def judge_tasks(self, lanes: int, when: str) -> None:
        """Never more tasks than lines need."""
        names = tasks_of(f"{self.place.name}/")
        most = lanes * TASKS_A_LANE + (TASKS_BESIDE if lanes else 0)
        self.tally.check("bounded tasks", len(names) <= most, f"{when}: {names}")


def tasks_of(prefix: str) -> list[str]:
    """The names of the tasks that there are, of those that begin so."""
    root = trio.lowlevel.current_root_task()
    found: list[trio.lowlevel.Task] = [] if root is None else [root]
    for task in found:
        for nursery in task.child_nurseries:
            found += sorted(nursery.child_tasks, key=lambda child: child.name)
    return [task.name for task in found if task.name.startswith(prefix)]


class Live:
    """One session that is open."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._began_s = trio.current_time()
        self.well = False
        self.cancelled_s: float | None = None
        self.lanes = 0
        self._mine: list[Watched] = []
        self._looked: list[Looked] = []
        self._stream: tq.Stream

    async def run(
        self, stream: tq.Stream, ending: Ending, after_s: float | None, scope: trio.CancelScope
    ) -> None:
        """Read until everything is well again, or until the plan says otherwise."""
        run, plan = self._stage, self._stage.plan
        self._stream = stream
        async with trio.open_nursery() as nursery:
            chance = run.world.chance(f"consumers {trio.current_time()}")
            consumer = Consumer(run.tally, run.served.simulator.witness, chance, run.world.tell)
            if plan.merged:
                choices = [run.menu[number] for number in plan.merged]
                mine = consumer.watch_merged(choices, plan.merged_manner)
                self._add(mine)
                nursery.start_soon(partial(consumer.read_merged, stream, mine, plan.merged_manner))
            for reader in plan.readers:
                nursery.start_soon(
                    partial(
                        consumer.read_own, stream, run.menu[reader.choice], reader, self._add, self._shown
                    )
                )
            for look in plan.looks:
                nursery.start_soon(consumer.look, stream, run.menu[look.choice], look, self._looked)
            for start_s in plan.churns:
                nursery.start_soon(consumer.churn, stream, run.menu, start_s)
            nursery.start_soon(self._look)
            if after_s is None:
                await self._until_well()
                self.well = True
            else:
                await trio.sleep(after_s)
            if ending == "cancel":
                self.cancelled_s = trio.current_time()
                scope.cancel()
            nursery.cancel_scope.cancel()
        await trio.lowlevel.checkpoint()
        if ending == "raise":
            raise OwnError

    def _add(self, watched: list[Watched]) -> None:
        self._mine += watched
        self._stage.watched += watched
        for one in watched:
            if one.delivery is not None:
                one.delivery.since_s = self._began_s

    def _shown(self, text: str) -> None:
        self._stage.shown.append(text)

    @property
    def had_one_lane(self) -> bool:
        """Whether, as far as is known, no second one was ever there; also where the session was cancelled."""
        return self.lanes == 1 and len(self._stream.statistics().lanes) == 1

    def finish(self) -> None:
        """The session is over."""
        for watched in self._mine:
            watched.close()

    async def _until_well(self) -> None:
        """Wait for the end of the faults, then for everything to be right, then look that it stays so."""
        run, place = self._stage, self._stage.place
        await run.mended.wait()
        since_s = trio.current_time()
        worst = "nothing"
        befell = run.served.simulator.records.faults + run.world.faults_done
        if befell["MuteLine"] or befell["SilenceLink"]:
            await trio.sleep(place.silence_s)  # a line that is dead looks well until that is noticed
        while True:
            await trio.testing.wait_all_tasks_blocked()
            wrong = self._wrong()
            waited_s = trio.current_time() - since_s
            lines = [line for line in self._stream.statistics().lanes if line.wanted and not line.connected]
            if lines:
                run.tally.check(
                    "back in time", waited_s <= place.silence_s + 64.0 + 3 * CONNECT_S + 60.0,
                    f"after {waited_s:g} s: {lines}",
                )  # fmt: skip
            if not wrong:
                break
            worst = wrong
            run.tally.check(
                "everything live again", waited_s <= place.settle_s, f"after {waited_s:g} s: {worst}"
            )
            await trio.sleep(1.0)
        run.tally.check("everything live again", True)
        await trio.sleep(run.plan.calm_s)
        await trio.testing.wait_all_tasks_blocked()
        for watched in self._mine:
            watched.settle()
        count = self._stream.statistics().count
        # The sum is derived from its parts; what can be seen is a frame of which nothing became anything.
        kept = not run.place.elements_in_all or count.elements >= count.frames
        run.tally.check("ledger adds up", kept, count)

    def _wrong(self) -> str:
        statistics = self._stream.statistics()
        for channel in statistics.channels:
            if not channel.confirmed:
                return f"{channel.topic} is not served: {statistics.lanes}"
        for watched in self._mine:
            if watched.open and (why := watched.wrong()):
                return why
        for book, watch in self._looked:
            if not watch.is_right(book):
                return f"{watch.name}: not the server's newest, {book.state} {book.reason}"
        return ""

    async def _look(self) -> None:
        """Look at the figures now and then."""
        run = self._stage
        while True:
            statistics = self._stream.statistics()
            self.lanes = max(self.lanes, len(statistics.lanes))
            run.shown.append(repr(statistics))
            for channel in statistics.channels:
                heavy = channel.queued_bytes > channel.buffer_bytes and channel.queued > 1
                run.tally.check("bounded queues", channel.queued <= channel.buffer and not heavy, channel)
            run.judge_tasks(max(len(statistics.lanes), 1), "while it lives")
            await trio.sleep(run.plan.looks_s)
