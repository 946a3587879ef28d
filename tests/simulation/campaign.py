"""Many runs: side by side, with a report; a failing one is shrunk, and says the command that repeats it."""

# ruff: noqa: T201  # what it prints is its product

from __future__ import annotations

import argparse
import gc
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import attrs

import trioquotes
from tests.simulation.place import Place
from tests.simulation.places import PLACES
from tests.simulation.plans import Plan, Script, draw_plan, draw_script
from tests.simulation.program import Outcome, run_seed
from tests.simulation.promises import PROMISES
from trioquotes.testing import script_from_json, script_to_json

__all__ = ["Case", "Report", "main", "run_case", "run_cases", "shrink"]


PROGRESS_EVERY_S = 30.0


class Case(NamedTuple):
    """One run: which venue, which seed, and whether it is to be a hard one in any case."""

    venue: str
    seed: int
    hard: bool = False

    @property
    def command(self) -> str:
        """What repeats it."""
        return f"python -m tests.simulation --venue {self.venue} --seed {self.seed}" + " --hard" * self.hard

    def draw(self) -> tuple[Place, Plan, Script]:
        """What happens in it."""
        place = PLACES[self.venue]
        plan = draw_plan(place, self.seed, hard=self.hard)
        return place, plan, draw_script(place, plan, self.seed, hard=self.hard)


def run_case(case: Case, script: Script | None = None) -> Outcome:
    """Run one case, with its own script or with a part of it."""
    place, plan, own = case.draw()
    return run_seed(place, plan, own if script is None else script, case.seed)


def shrink(case: Case, failure: str) -> Script:
    """The script with everything left out that the failure does not need."""
    _, _, script = case.draw()
    kind = failure.partition(":")[0]
    size = max(len(script) // 2, 1)
    while size:
        at = 0
        while at < len(script):
            less = (*script[:at], *script[at + size :])
            if run_case(case, less).failure.partition(":")[0] == kind:
                script = less
            else:
                at += size
        size //= 2
    return script


def kind_of(failure: str) -> str:
    """Which promise it was, or what else happened, in a few words."""
    kind = failure.partition(":")[0]
    return kind if kind in PROMISES else f"not foreseen: {failure.strip().splitlines()[-1][:80]}"


@attrs.define
class Report:
    """What a campaign showed."""

    seeds: Counter[str] = attrs.field(factory=Counter)
    virtual_s: float = 0.0
    events: int = 0
    frames: int = 0
    reconnects: int = 0
    faults: Counter[str] = attrs.field(factory=Counter)
    notices: Counter[str] = attrs.field(factory=Counter)
    checked: Counter[str] = attrs.field(factory=Counter)
    endings: Counter[str] = attrs.field(factory=Counter)
    failures: list[tuple[Case, str]] = attrs.field(factory=list)

    def add(self, case: Case, outcome: Outcome) -> None:
        """One run more."""
        self.seeds[case.venue] += 1
        self.virtual_s += outcome.virtual_s
        self.events += outcome.events
        self.frames += outcome.frames
        self.reconnects += outcome.reconnects
        self.faults += outcome.faults
        self.notices += outcome.notices
        self.checked += outcome.checked
        self.endings += outcome.endings
        if outcome.failure:
            self.failures.append((case, outcome.failure))

    def __str__(self) -> str:
        lines = [
            f"{sum(self.seeds.values())} seeds: "
            + ", ".join(f"{n} {name}" for name, n in sorted(self.seeds.items())),
            f"{self.virtual_s / 3600:,.1f} virtual hours, {self.frames:,} frames, {self.events:,} events",
            f"{self.reconnects:,} reconnects, {self.notices['Gap']:,} gaps announced",
            "faults: " + _counts(self.faults),
            "notices: " + _counts(self.notices),
            "sessions ended: " + _counts(self.endings),
            "promises checked:",
            *(f"  {self.checked[name]:>12,}  {name}: {words}" for name, words in PROMISES.items()),
            f"{len(self.failures)} broken",
        ]
        return "\n".join(lines)


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in sorted(counter.items())) or "none"


def _run(case: Case) -> tuple[Case, Outcome]:
    return case, run_case(case)


def run_cases(cases: Sequence[Case], workers: int) -> Iterator[tuple[Case, Outcome]]:
    """Run them, in this process or in as many others."""
    if workers <= 1:
        yield from map(_run, cases)
        return
    with multiprocessing.get_context("spawn").Pool(workers, gc.freeze) as pool:
        yield from pool.imap_unordered(_run, cases, chunksize=4)


def progress(report: Report, cases: int, passed_s: float) -> str:
    """How far it is, and how long the rest will take at this speed."""
    done = sum(report.seeds.values())
    left_s = passed_s / done * (cases - done)
    return (
        f"{done:,} of {cases:,} seeds, {len(report.failures)} broken, {done / passed_s:.1f} a second,"
        f" {left_s / 60:.0f} min to go"
    )


def main(arguments: Iterable[str] | None = None) -> int:
    """The command line; returns how many seeds failed, 100 at most."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument(
        "--venue", action="append", choices=sorted(PLACES), help="only this one; may be repeated"
    )
    parser.add_argument("--seeds", type=int, default=100, help="how many of each venue")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="this one only, in this process")
    parser.add_argument("--script", help="instead of the seed's own script, as JSON")
    parser.add_argument("--workers", type=int, default=multiprocessing.cpu_count())
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="after which it ends, and reports"
    )
    parser.add_argument(
        "--hard", action="store_true", help="make all runs long ones, with many readers and faults"
    )
    parser.add_argument("--no-shrink", action="store_true")
    parser.add_argument("--stop", action="store_true", help="at the first that fails, and say no more")
    parser.add_argument("--source", type=Path, help="the folder that the package must have been loaded from")
    given = parser.parse_args(None if arguments is None else list(arguments))
    if given.source is not None and given.source not in Path(trioquotes.__file__).parents:
        parser.error(f"this would try {trioquotes.__file__}")
    venues = given.venue or sorted(PLACES)
    if given.seed is not None:
        return max(_replay(Case(venue, given.seed, given.hard), given.script) for venue in venues)
    cases = [
        Case(venue, seed, given.hard)
        for seed in range(given.first, given.first + given.seeds)
        for venue in venues
    ]
    report, started_s = Report(), time.monotonic()
    said_s = started_s
    for case, outcome in run_cases(cases, given.workers):
        report.add(case, outcome)
        if time.monotonic() - said_s >= PROGRESS_EVERY_S:
            said_s = time.monotonic()
            print(progress(report, len(cases), said_s - started_s), file=sys.stderr, flush=True)
        if outcome.failure and given.stop:
            tried = f"{sum(report.seeds.values())} seeds by {case.venue} {case.seed}"
            print(f"caught after {tried}: {kind_of(outcome.failure)}")
            return 1
        if outcome.failure:
            print(f"{case.command}\n    {outcome.failure}", flush=True)
        if time.monotonic() - started_s > given.minutes * 60:
            break
    print(report)
    print(f"{time.monotonic() - started_s:.1f} s")
    for case, failure in report.failures[: 0 if given.no_shrink else 3]:
        print(f"{case.command} --script '{script_to_json(shrink(case, failure))}'")
    return min(len(report.failures), 100)


def _replay(case: Case, text: str | None) -> int:
    _, plan, script = case.draw()
    if text is not None:
        script = script_from_json(text)
    print(plan)
    print(*script, sep="\n")
    started_s = time.perf_counter()
    outcome = run_case(case, script)
    print(outcome.trace, f"{outcome.virtual_s:.1f} virtual s in {time.perf_counter() - started_s:.2f} s")
    print(outcome)
    print(outcome.failure or "all promises kept")
    return int(bool(outcome.failure))


if __name__ == "__main__":
    sys.exit(main())
