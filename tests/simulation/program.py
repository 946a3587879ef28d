"""One run: a session against its venue while things go wrong, read by consumers of all kinds, and judged."""

from __future__ import annotations

import base64
import contextlib
import logging
import traceback
import urllib.parse
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

import attrs
import trio
import trio.testing

import trioquotes as tq
from tests.simulation.consumers import Consumer, Watched
from tests.simulation.flows import items_of
from tests.simulation.losses import judge_delivery
from tests.simulation.places import CANARY, Choice, Place
from tests.simulation.plans import Ending, Plan, Script
from tests.simulation.promises import Broken, Tally
from trioquotes.simulator.faults import AnnounceHuge, MuteLine, NeverSend
from trioquotes.simulator.records import Breach, Records
from trioquotes.testing import (
    ChopLink,
    DelayLink,
    Served,
    SilenceLink,
    StallLink,
    StepClock,
    SuspendMachine,
    World,
    run_world,
    split_script,
)

__all__ = ["Outcome", "run_seed"]

DEADLINE_S = 8 * 3600.0
CLOSE_S, CONNECT_S = 2.0, 10.0
GRACE_S = 0.1
"""What leaving may take beyond ``close_timeout_s``."""

FRAMES_KEPT = BOOKS_KEPT = 50_000
TASKS_A_LANE, TASKS_BESIDE = 10, 6
"""Supervisor, four tasks, the library's reader, fetches; beside lanes the auditor."""

OWN_DOING = {"idle", "slow consumer", "first request", "pongs"}
"""Limits that a client passes where the network holds back what is sent to it, or what it sends."""

REFUSALS = (tq.ConnectFailed, tq.AuthenticationFailed, tq.SubscriptionRejected, tq.MessageTooLarge)
"""How a session may end while things go wrong."""


class OwnError(Exception):
    """What a user's program raises."""


@attrs.define
class Outcome:
    """What a run showed.

    Attributes:
        failure: which promise was broken and how; empty if none was.
        trace: its digest.
        virtual_s: how long it took in its own time.
        faults: what befell it, by name.
        notices: what consumers were told, by name.
        checked: how often which promise was checked.
    """

    failure: str = ""
    trace: str = ""
    virtual_s: float = 0.0
    faults: Counter[str] = attrs.field(factory=Counter)
    notices: Counter[str] = attrs.field(factory=Counter)
    checked: Counter[str] = attrs.field(factory=Counter)
    events: int = 0
    reconnects: int = 0
    frames: int = 0
    endings: Counter[str] = attrs.field(factory=Counter)


def run_seed(place: Place, plan: Plan, script: Script, seed: int, *, tls: bool = False) -> Outcome:
    """One run from its beginning to its judgement; what it broke stands in the outcome."""
    outcome = Outcome()
    run = Run(place, plan, script, outcome)
    _, worlds = split_script(script)
    with listening() as log:
        try:
            run_world(run.main, seed=seed, deadline_s=DEADLINE_S, faults=worlds, tls=tls)
            run.judge_secrets(log)
        except Broken as broken:
            outcome.failure = str(broken)
        except BaseException as error:  # the worst of all: something that nobody foresaw
            if isinstance(error, KeyboardInterrupt):
                raise
            inner = _broken_in(error)
            outcome.failure = str(inner) if inner else "".join(traceback.format_exception(error))[-3000:]
    outcome.checked = run.tally.checked
    return outcome


def _broken_in(error: BaseException) -> Broken | None:
    if isinstance(error, Broken):
        return error
    if isinstance(error, BaseExceptionGroup):
        return next((found for one in error.exceptions if (found := _broken_in(one))), None)
    return None


@contextlib.contextmanager
def listening() -> Iterator[list[str]]:
    """Collect everything that is logged, at every level."""
    lines: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if len(lines) < 20_000:
                lines.append(record.getMessage())

    root, ear = logging.getLogger(), Ear()
    before = root.level
    root.addHandler(ear)
    root.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.removeHandler(ear)
        root.setLevel(before)


class Run:
    """The program of one run."""

    def __init__(self, place: Place, plan: Plan, script: Script, outcome: Outcome) -> None:
        self.place = place
        self.plan = plan
        self.script = script
        self.outcome = outcome
        self.tally = Tally()
        self.menu: list[Choice] = place.choices(plan.keyed)
        self.watched: list[Watched] = []
        self.shown: list[str] = []
        self.mended = trio.Event()
        self._budgets = tq.Budgets()
        self._world: World
        self._served: Served

    # The course of a run ----------------------------------------------------------------------------

    async def main(self, world: World) -> None:
        """All of it."""
        venues, _ = split_script(self.script)
        simulator = self.place.simulator(
            seed=world.seed, wall_ns=world.wall_ns, faults=venues, frames_kept=FRAMES_KEPT, rate=self.plan.rate,
            **({} if self.place.name == "darwinex" else {"books_kept": BOOKS_KEPT}),
        )  # fmt: skip
        self._world, self._served = world, world.serve(simulator)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._mend_later)
                await self._sessions()
                nursery.cancel_scope.cancel()
            self._judge()
        finally:
            self._report()

    async def _mend_later(self) -> None:
        await trio.sleep(self.plan.storm_s)
        self.mended.set()
        self._world.mend()

    async def _sessions(self) -> None:
        """Sessions one after the other, as a program that wants to go on has them; the last one ends in peace."""
        endings = list(self.plan.endings)
        for _ in range(200):
            if endings and not self.mended.is_set():
                await self._session(*endings.pop(0))
            elif await self._session("leave", None):
                return
            await trio.sleep(1.0)
        self.tally.check("everything live again", False, "a hundred sessions came to nothing")

    async def _session(self, ending: Ending, after_s: float | None) -> bool:
        """One session; returns whether it was the last one: everything was well, and judged."""
        options: dict[str, Any] = {"credentials": self.place.key} if self.plan.keyed else {}
        options["budgets"] = self._budgets
        if self.plan.audited and self.place.name != "darwinex":
            options["audit"] = tq.AuditPlan(every_s=30.0)
        session = self._world.session(
            self._served, *(self.menu[number].topic for number in self.plan.merged), raw=True,
            connect_timeout_s=CONNECT_S * 6, close_timeout_s=CLOSE_S, **options,
        )  # fmt: skip
        self.shown.append(repr(session))
        before_mend = not self.mended.is_set()
        live = Live(self, session)
        leaving_s: float | None = None
        error: BaseException | None = None
        with trio.CancelScope() as scope:
            try:
                async with session as stream:
                    try:
                        await live.run(stream, ending, after_s, scope)
                    finally:
                        leaving_s = trio.current_time()
            except Exception as caught:  # noqa: BLE001  # judged below
                error = _sole(caught)
            live.finish()
        now_s = trio.current_time()
        self._judge_ending(error, ending, cancelled=scope.cancelled_caught, may_fail=before_mend)
        if scope.cancel_called and live.cancelled_s is not None:
            took_s = now_s - live.cancelled_s - self._slept_s(live.cancelled_s, now_s)
            self.tally.check("cancelled at once", took_s <= 0.0, f"it took {took_s:g} s")
        elif leaving_s is not None:
            took_s = now_s - leaving_s - self._slept_s(leaving_s, now_s)
            self.tally.check("closed in time", took_s <= CLOSE_S + GRACE_S, f"leaving took {took_s:g} s")
        self._judge_tasks(0, "after the session")
        return live.well

    def _slept_s(self, since_s: float, until_s: float) -> float:
        """How long the machine was asleep meanwhile."""
        return sum(
            fault.for_s for fault in self.script
            if isinstance(fault, SuspendMachine) and since_s <= fault.at_s + fault.for_s and fault.at_s <= until_s
        )  # fmt: skip

    # Judgements -------------------------------------------------------------------------------------

    def _judge_ending(
        self, error: BaseException | None, ending: Ending, *, cancelled: bool, may_fail: bool
    ) -> None:
        name = type(error).__name__ if error is not None else "cancelled" if cancelled else "left"
        self.outcome.endings[name] += 1
        if error is None:
            return
        self.shown += traceback.format_exception(error)
        if (found := _broken_in(error)) is not None:
            raise found
        if isinstance(error, OwnError):
            return
        words = "".join(traceback.format_exception(error))
        self.tally.check("documented errors only", isinstance(error, REFUSALS), words[-2500:])
        self.tally.check(
            "everything live again", may_fail, f"a session that began after the faults ended: {words[-1500:]}"
        )

    def _judge_tasks(self, lanes: int, when: str) -> None:
        names = [task.name for task in _tasks() if task.name.startswith(f"{self.place.name}/")]
        most = lanes * TASKS_A_LANE + (TASKS_BESIDE if lanes else 0)
        self.tally.check("bounded tasks", len(names) <= most, f"{when}: {names}")

    def _judge(self) -> None:
        records = self._served.simulator.records
        found: dict[int, Any] = {}
        for watched in self.watched:
            flow = watched.choice.flow
            if flow is None or watched.delivery is None:
                continue
            if id(flow) not in found:
                found[id(flow)] = items_of(flow, records)
            judge_delivery(watched.delivery, found[id(flow)], self.tally, drained=watched.drained)
        self._judge_wrong_frames(records)
        excused = any(
            isinstance(
                fault, MuteLine | NeverSend | StallLink | SilenceLink | ChopLink | DelayLink | SuspendMachine
            )
            for fault in self.script
        )
        breaches = [breach for breach in records.breaches if not (excused and _is_own_doing(breach))]
        if any(isinstance(fault, StepClock) for fault in self.script):
            breaches = [
                breach for breach in breaches if breach.limit != "authentication"
            ]  # the clock was wrong
        if any(isinstance(fault, AnnounceHuge) for fault in self.script):
            breaches = [breach for breach in breaches if breach.limit != "message size"]  # 1009 was ours
        if self.place.name == "darwinex":
            breaches = [breach for breach in breaches if breach.limit != "connects"]
            self._judge_connects(records, 2, 60.0)
        self.tally.check("no limit passed", not breaches, breaches[:3])

    def _judge_connects(self, records: Records, count: int, window_s: float) -> None:
        """For a limit that the venue only advises: what we promise instead."""
        times = [seen.time_s for seen in records.connects]
        crowded = [
            first for first, later in zip(times, times[count:], strict=False) if later - first < window_s
        ]
        self.tally.check(
            "no limit passed", not crowded, f"more than {count} connects in {window_s:g} s: {times}"
        )

    def _judge_wrong_frames(self, records: Records) -> None:
        spoilt = {text for lost in records.lost for text in lost.sent if text != lost.frame}
        said = {
            _bytes(sent.frame)
            for sent in records.frames
            if sent.kind != "script" and _text(sent.frame) not in spoilt
        }
        for watched in self.watched:
            for reason, frame in watched.wrong_frames:
                self.tally.check("only wrong is called wrong", frame not in said, f"{reason}: {frame!r:.600}")

    def judge_secrets(self, log: list[str]) -> None:
        """Search everything that was shown for the canary, in the forms that it may take."""
        forms = (CANARY, base64.b64encode(CANARY.encode()).decode(), urllib.parse.quote(CANARY, safe=""))
        text = "\n".join([*log, *self.shown])
        for form in forms:
            at = text.find(form)
            self.tally.check("no secret shown", at < 0, text[max(at - 300, 0) :][:600] if at >= 0 else "")

    def _report(self) -> None:
        outcome, records = self.outcome, self._served.simulator.records
        outcome.trace = self._world.trace.digest
        outcome.virtual_s = trio.current_time()
        outcome.faults = records.faults + self._world.faults_done
        outcome.reconnects = max(sum(seen.outcome == "open" for seen in records.connects) - 1, 0)
        outcome.frames = len(records.frames)
        for watched in self.watched:
            outcome.events += watched.events
            outcome.notices += watched.notices


def _is_own_doing(breach: Breach) -> bool:
    return breach.limit in OWN_DOING or "messages" in breach.limit


def _bytes(frame: str | bytes) -> bytes:
    return frame if isinstance(frame, bytes) else frame.encode(errors="surrogateescape")


def _text(frame: str | bytes) -> str:
    return frame if isinstance(frame, str) else frame.decode(errors="surrogateescape")


def _sole(error: BaseException) -> BaseException:
    """The user's own nursery made a group of it."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _tasks() -> list[trio.lowlevel.Task]:
    root = trio.lowlevel.current_root_task()
    found: list[trio.lowlevel.Task] = [] if root is None else [root]
    for task in found:
        for nursery in task.child_nurseries:
            found += sorted(nursery.child_tasks, key=lambda child: child.name)
    return found


class Live:
    """One session that is open."""

    def __init__(self, run: Run, session: tq.Session) -> None:
        self._run = run
        self.well = False
        self.cancelled_s: float | None = None
        self._mine: list[Watched] = []
        self._stream: tq.Stream

    async def run(
        self, stream: tq.Stream, ending: Ending, after_s: float | None, scope: trio.CancelScope
    ) -> None:
        """Read until everything is well again, or until the plan says otherwise."""
        run, plan = self._run, self._run.plan
        self._stream = stream
        async with trio.open_nursery() as nursery:
            chance = run._world.chance(f"consumers {trio.current_time()}")
            consumer = Consumer(run.tally, run._served.simulator.witness, chance, run._world.tell)
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
            for _ in range(plan.churners):
                nursery.start_soon(consumer.churn, stream, run.menu, plan.storm_s)
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
        self._run.watched += watched

    def _shown(self, text: str) -> None:
        self._run.shown.append(text)

    def finish(self) -> None:
        """The session is over."""
        for watched in self._mine:
            watched.close()

    async def _until_well(self) -> None:
        """Wait for the end of the faults, then for everything to be right, then look that it stays so."""
        run, place = self._run, self._run.place
        await run.mended.wait()
        since_s = trio.current_time()
        worst = "nothing"
        if any(isinstance(fault, MuteLine | SilenceLink) for fault in run.script):
            await trio.sleep(place.silence_s)  # a line that is dead looks well until that is noticed
        while True:
            await trio.testing.wait_all_tasks_blocked()
            wrong = self._wrong()
            waited_s = trio.current_time() - since_s
            lines = [line for line in self._stream.statistics().lanes if not line.connected]
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
        parts = count.delivered + count.folded + sum(count.ignored.values()) + count.malformed
        run.tally.check("ledger adds up", count.elements == parts, count)

    def _wrong(self) -> str:
        statistics = self._stream.statistics()
        for channel in statistics.channels:
            if not channel.confirmed:
                return f"{channel.topic} is not served: {statistics.lanes}"
        for watched in self._mine:
            if watched.open and (why := watched.wrong()):
                return why
        return ""

    async def _look(self) -> None:
        """Look at the figures now and then."""
        run = self._run
        while True:
            statistics = self._stream.statistics()
            run.shown.append(repr(statistics))
            for channel in statistics.channels:
                heavy = channel.queued_bytes > channel.buffer_bytes and channel.queued > 1
                run.tally.check("bounded queues", channel.queued <= channel.buffer and not heavy, channel)
            run._judge_tasks(max(len(statistics.lanes), 1), "while it lives")
            await trio.sleep(run.plan.looks_s)
