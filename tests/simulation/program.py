"""One run: a session against its venue while things go wrong, read by consumers of all kinds, and judged."""

from __future__ import annotations

import contextlib
import logging
import traceback
from collections import Counter
from collections.abc import Iterator
from typing import Any

import attrs
import trio

import trioquotes as tq
from tests.simulation.judging import (
    judge_deliveries,
    judge_limits,
    judge_patience,
    judge_secrets,
    judge_wrong_frames,
)
from tests.simulation.live import CONNECT_S, Live, OwnError, Stage
from tests.simulation.place import Place
from tests.simulation.plans import Ending, Plan, Script
from tests.simulation.promises import Broken, Tally
from tests.simulation.providers import provider_for
from trioquotes.testing import SuspendMachine, World, run_world, split_script

__all__ = ["Outcome", "run_seed"]

DEADLINE_S = 8 * 3600.0
CLOSE_S = 2.0
GRACE_S = 0.1
"""What leaving may take beyond ``close_timeout_s``."""

FRAMES_KEPT = BOOKS_KEPT = 50_000
TOKEN_S = 20
"""How long an access token that was issued anew is good for."""

REFUSALS = (tq.ConnectFailed, tq.AuthenticationFailed, tq.SubscriptionRejected, tq.MessageTooLarge)
"""How a session may end while things go wrong."""


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


def run_seed(place: Place, plan: Plan, script: Script, seed: int) -> Outcome:
    """One run from its beginning to its judgement; what it broke stands in the outcome."""
    outcome = Outcome()
    run = Run(place, plan, script, outcome)
    _, worlds = split_script(script)
    with listening() as log:
        try:
            run_world(run.main, seed=seed, deadline_s=DEADLINE_S, faults=worlds, tls=plan.tls)
            judge_secrets([*log, *run.shown], run.tally)
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
        self.outcome = outcome
        self.tally = Tally()
        self.shown: list[str] = []
        self._place = place
        self._plan = plan
        self._script = script
        self._budgets = tq.Budgets()
        self._stage: Stage
        self._visits: list[tuple[float, float, bool]] = []  # from, until, with one line

    # The course of a run ----------------------------------------------------------------------------

    async def main(self, world: World) -> None:
        """All of it."""
        place, plan = self._place, self._plan
        venues, _ = split_script(self._script)
        simulator = place.simulator(
            seed=world.seed, wall_ns=world.wall_ns, faults=venues, frames_kept=FRAMES_KEPT, rate=plan.rate,
            **({"token_lifetime_s": TOKEN_S} if place.name == "darwinex" else {"books_kept": BOOKS_KEPT}),
        )  # fmt: skip
        self._stage = Stage(
            place, plan, self._script, world, world.serve(simulator), self.tally, place.choices(plan.keyed),
            shown=self.shown,
        )  # fmt: skip
        self._credentials = provider_for(self._stage) if plan.provided else place.key
        self.shown.append(repr(self._credentials))
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._mend_later)
                await self._sessions()
                nursery.cancel_scope.cancel()
            records = simulator.records
            judge_deliveries(self._stage.watched, records, self.tally)
            judge_wrong_frames(self._stage.watched, records, self.tally)
            judge_limits(place, records, self._script, self.tally)
            for since_s, until_s, one_line in self._visits:
                judge_patience(since_s, until_s, records, self._script, self.tally, one_line=one_line)
        finally:
            self._report()

    async def _mend_later(self) -> None:
        await trio.sleep(self._plan.storm_s)
        self._stage.mend()

    async def _sessions(self) -> None:
        """Sessions one after the other, as a program that wants to go on has them; the last one ends in peace."""
        endings = list(self._plan.endings)
        for _ in range(200):
            if endings and not self._stage.mended.is_set():
                await self._session(*endings.pop(0))
            elif await self._session("leave", None):
                return
            await trio.sleep(1.0)
        self.tally.check("everything live again", False, "a hundred sessions came to nothing")

    async def _session(self, ending: Ending, after_s: float | None) -> bool:
        """One session; returns whether it was the last one: everything was well, and judged."""
        plan, stage = self._plan, self._stage
        options: dict[str, Any] = {"credentials": self._credentials} if plan.keyed else {}
        if plan.audited and self._place.name != "darwinex":
            options["audit"] = tq.AuditPlan(every_s=30.0)
        session = stage.world.session(
            stage.served, *(stage.menu[number].topic for number in plan.merged), raw=True, budgets=self._budgets,
            connect_timeout_s=CONNECT_S * 6, close_timeout_s=CLOSE_S, options=plan.options,
            channels_per_line=plan.channels_per_line, **options,
        )  # fmt: skip
        self.shown.append(repr(session))
        began_s = trio.current_time()
        live = Live(stage)
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
        self._visits.append((began_s, now_s, live.had_one_lane))
        self._judge_ending(
            error,
            cancelled=scope.cancelled_caught,
            may_fail=began_s < stage.mended_s + self._place.patience_s,
        )
        if scope.cancel_called and live.cancelled_s is not None:
            took_s = now_s - live.cancelled_s - self._slept_s(live.cancelled_s, now_s)
            self.tally.check("cancelled at once", took_s <= 0.0, f"it took {took_s:g} s")
        elif leaving_s is not None:
            took_s = now_s - leaving_s - self._slept_s(leaving_s, now_s)
            self.tally.check("closed in time", took_s <= CLOSE_S + GRACE_S, f"leaving took {took_s:g} s")
        stage.judge_tasks(0, "after the session")
        return live.well

    def _slept_s(self, since_s: float, until_s: float) -> float:
        """How long the machine was asleep meanwhile, at most."""
        sleeps = [fault for fault in self._script if isinstance(fault, SuspendMachine)]
        if len(sleeps) > 1:  # one puts off the others
            return sum(fault.for_s for fault in sleeps)
        return sum(
            fault.for_s for fault in sleeps if since_s <= fault.at_s + fault.for_s and fault.at_s <= until_s
        )

    # Judgements -------------------------------------------------------------------------------------

    def _judge_ending(self, error: BaseException | None, *, cancelled: bool, may_fail: bool) -> None:
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

    def _report(self) -> None:
        outcome, records, world = self.outcome, self._stage.served.simulator.records, self._stage.world
        outcome.trace = world.trace.digest
        outcome.virtual_s = trio.current_time()
        outcome.faults = records.faults + world.faults_done
        outcome.reconnects = max(sum(seen.outcome == "open" for seen in records.connects) - 1, 0)
        outcome.frames = len(records.frames)
        for watched in self._stage.watched:
            outcome.events += watched.events
            outcome.notices += watched.notices


def _sole(error: BaseException) -> BaseException:
    """The user's own nursery made a group of it."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
