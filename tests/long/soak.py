"""``python -m tests.long.soak --minutes 30 --faults``: five real sessions over TLS on loopback, for long.

The venues are simulators in a process of their own. Every ten seconds a line tells how it goes; at the end, or
at Ctrl-C, comes a verdict, which the exit code repeats.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import signal
import ssl
import sys
import time
import warnings
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import trio

import trioquotes as tq
from tests.long.audience import Books, Ledger, Log, Reader, batches, readers_of
from tests.long.hosting import venues_served
from tests.long.meters import MIB, census, heap, living_tasks, open_descriptors, resident_bytes, settle
from tests.long.verdict import Rest, Sample, growing, judge, reference_s
from tests.simulation.place import Choice, Place
from tests.simulation.places import PLACES

GOODBYE_S = 15.0
"""How long all sessions and their sockets may take to be gone."""

NO_LIMITS = frozenset({"slow consumer"})
"""What simulators note too and no client decides: that a mute line's queue filled."""

UNVISITED = frozenset({"darwinex"})
"""Its limit of one connect a minute is kept by each session, and two sessions are two: the simulator notes that."""


@attrs.frozen
class Given:
    """The command line."""

    minutes: float
    seed: int
    faults: bool
    every_s: float
    busy: float
    json: str | None


def main(arguments: list[str] | None = None) -> int:
    """Run; 0 where all is well, 1 where something is wrong, 2 for a wrong command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.long.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", action="store_true", help="let things go wrong all the time")
    parser.add_argument(
        "--every", type=float, default=10.0, metavar="SECONDS", help="between two lines of progress"
    )
    parser.add_argument("--busy", type=float, default=10.0, help="how lively the markets are")
    parser.add_argument("--json", metavar="FILE", help="write all figures there")
    found = parser.parse_args(arguments)
    given = Given(found.minutes, found.seed, found.faults, found.every, found.busy, found.json)
    return trio.run(soak, given)


def tell(line: str) -> None:
    """One line for whoever watches."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Venue:
    """One venue's sessions, one after another where they end."""

    def __init__(self, place: Place, url: str, trust: ssl.SSLContext, log: Log, seed: int) -> None:
        self.place = place
        self.name = place.name
        self.books = Books(log)
        self._log = log
        self._url = url
        self._trust = trust
        self._budgets = tq.Budgets()
        self._chance = random.Random(f"soak/{place.name}/{seed}")  # noqa: S311  # decides who reads how, keeps no secret
        self._stream: tq.Stream | None = None
        self._frames = self._connections = self._reconnects = self._gaps = 0

    def figures(self) -> tuple[int, int, int, int]:
        """Frames, connections, reconnects and gaps so far."""
        now = (0, 0, 0, 0) if self._stream is None else totals(self._stream.statistics())
        past = (self._frames, self._connections, self._reconnects, self._gaps)
        return (past[0] + now[0], past[1] + now[1], past[2] + now[2], past[3] + now[3])

    def _session(self, *topics: tq.Topic[tq.Event]) -> tq.Session:
        return tq.Session(
            self.name, *topics, credentials=self.place.key, endpoint=self._url, ssl_context=self._trust,
            budgets=self._budgets, connect_timeout_s=20.0, overflow="drop_oldest", buffer=1_000,
            audit=tq.AuditPlan(),
        )  # fmt: skip

    async def run(self) -> None:
        """The long session and the short ones, until cancelled."""
        menu = self.place.choices(True)  # with credentials
        async with trio.open_nursery() as nursery:
            if self.name not in UNVISITED:
                nursery.start_soon(self._visit, menu)
            while True:
                await self._stay(menu)
                await trio.sleep(1.0)

    async def _stay(self, menu: list[Choice]) -> None:
        merged = [choice.topic for choice in menu if not choice.private][:3]
        try:
            async with self._session(*merged) as stream:
                self._stream = stream
                try:
                    await self._read(stream, menu, len(merged))
                finally:
                    self._past(stream)
        except (tq.ConnectFailed, tq.SubscriptionRejected, tq.MessageTooLarge) as error:
            self._log.said[f"{self.name}: {type(error).__name__}"] += 1
        except Exception as error:  # noqa: BLE001  # it is told, and the soak goes on
            self._log.raised(self.name, error)

    async def _read(self, stream: tq.Stream, menu: list[Choice], merged: int) -> None:
        ledger = Ledger(self._log, self.name)
        readers: list[Reader] = readers_of(menu, self._chance)
        try:
            async with trio.open_nursery() as nursery:
                for reader in readers:
                    nursery.start_soon(reader.run, stream, self.name, self._log, self._chance)
                topic = next((c.topic for c in menu if isinstance(c.topic, tq.Books)), None)
                if isinstance(topic, tq.Books):
                    nursery.start_soon(self.books.watch, stream, topic, self.name)
                await batches(ledger, stream, self._chance)
        finally:
            ledger.settle(f"{self.name} merged", stream, lambda: list(stream.statistics().channels[:merged]))

    async def _visit(self, menu: list[Choice]) -> None:
        """Short sessions beside the long one, left in every way there is."""
        while True:
            await trio.sleep(self._chance.uniform(10.0, 40.0))
            choice = self._chance.choice([choice for choice in menu if not choice.private])
            way = self._chance.choice(["leave", "cancel", "raise"])
            try:
                with trio.move_on_after(25.0 if way == "cancel" else 120.0) as scope:
                    async with self._session(choice.topic) as stream:
                        if way == "cancel":
                            scope.deadline = trio.current_time() + self._chance.uniform(0.0, 5.0)
                        with trio.move_on_after(self._chance.uniform(1.0, 5.0)):
                            async for event in stream:
                                self._log.notices["visits"] += isinstance(event, tq.Connected)
                        if way == "raise":
                            raise _Bored  # noqa: TRY301  # leaving by an exception is what is tried
            except _Bored:
                pass
            except (tq.ConnectFailed, tq.SubscriptionRejected, tq.MessageTooLarge) as error:
                self._log.said[f"{self.name}, visit: {type(error).__name__}"] += 1
            except Exception as error:  # noqa: BLE001  # as above
                self._log.raised(f"{self.name}, visit", error)

    def _past(self, stream: tq.Stream) -> None:
        """A session is over: its figures stay, and must add up."""
        self._frames, self._connections, self._reconnects, self._gaps = self.figures()
        self._stream = None
        count = stream.statistics().count
        found = count.delivered + count.folded + sum(count.ignored.values()) + count.malformed
        if count.elements != found or count.frames > count.elements:
            self._log.complain(f"{self.name}: the ledger does not add up: {count}")


class _Bored(Exception):
    """The user's own."""


def totals(statistics: tq.SessionStatistics) -> tuple[int, int, int, int]:
    """Frames, connections, reconnects and gaps of one session."""
    connections = sum(lane.connections for lane in statistics.lanes)
    again = sum(max(0, lane.connections - 1) for lane in statistics.lanes)
    return statistics.count.frames, connections, again, statistics.count.gaps


class Soak:
    """The run itself."""

    def __init__(self, given: Given, venues: list[Venue], log: Log) -> None:
        self.samples: list[Sample] = []
        self.reference: Sample | None = None
        self.grown: dict[str, int] = {}
        self._given = given
        self._venues = venues
        self._log = log
        self._began_s = trio.current_time()
        self._counted: Mapping[str, int] = {}

    def sample(self) -> Sample:
        """The figures now."""
        frames, connections, reconnects, gaps = (
            sum(part) for part in zip(*(v.figures() for v in self._venues), strict=True)
        )
        return Sample(
            at_s=trio.current_time() - self._began_s, frames=frames, connections=connections, reconnects=reconnects, gaps=gaps,
            resident_bytes=resident_bytes(), heap=heap(), blocks=sys.getallocatedblocks(), tasks=living_tasks(), descriptors=open_descriptors(),
            delivered=dict(self._log.events),
        )  # fmt: skip

    async def watch(self) -> None:
        """Measure and tell until the time is over."""
        whole_s = self._given.minutes * 60.0
        reference_at_s = reference_s(whole_s)
        tell("minutes  frames/s  reconnects  gaps  resident MiB    held   free  tasks  descriptors")
        before = self.sample()
        while before.at_s < whole_s:
            due_s = min(before.at_s + self._given.every_s, whole_s)
            if self.reference is None:
                due_s = min(due_s, max(reference_at_s, before.at_s + 0.01))
            await trio.sleep_until(self._began_s + due_s)
            if self.reference is None and due_s >= reference_at_s:
                self._counted = census()
                settle()
                self.reference = self.sample()
            now = self.sample()
            self.samples.append(now)
            rate = (now.frames - before.frames) / max(now.at_s - before.at_s, 0.001)
            held, free = (
                (math.nan, math.nan) if now.heap is None else (now.heap.held_bytes, now.heap.free_bytes)
            )
            tell(
                f"{now.at_s / 60:7.2f}  {rate:8.1f}  {now.reconnects:10d}  {now.gaps:4d}  {now.resident_bytes / MIB:12.1f}"
                f"  {held / MIB:6.2f}  {free / MIB:5.2f}  {now.tasks:5d}  {now.descriptors:11d}"
            )
            before = now

    def finish(self) -> None:
        """The last figures before everything is closed."""
        counted = census()
        settle()
        last = self.sample()
        self.samples.append(last)
        if self.reference is not None:
            self.grown = growing(self._counted, counted, last.connections - self.reference.connections)


async def rests(before: Rest) -> Rest:
    """What is left once everything is closed; what is on its way out is waited for."""
    with trio.move_on_after(GOODBYE_S):
        while Rest(living_tasks(), open_descriptors()) != before:  # noqa: ASYNC110  # no event tells of a descriptor
            await trio.sleep(0.1)
    return Rest(living_tasks(), open_descriptors())


async def soak(given: Given) -> int:
    """The whole program."""
    log = Log()
    watch_warnings(log)
    ends: dict[str, Any] = {}
    serving = ["--minutes", str(given.minutes), "--seed", str(given.seed), "--busy", str(given.busy)]
    if given.faults:
        serving.append("--faults")
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with venues_served(serving, ends) as (urls, trust):
            venues = [Venue(PLACES[name], url, trust, log, given.seed) for name, url in urls.items()]
            before = Rest(living_tasks(), open_descriptors())
            run = Soak(given, venues, log)
            cpu_s = time.process_time()
            async with trio.open_nursery() as nursery:
                for venue in venues:
                    nursery.start_soon(venue.run)
                async with trio.open_nursery() as watching:
                    watching.start_soon(stop_at_signal, signals, watching.cancel_scope)
                    await run.watch()
                    watching.cancel_scope.cancel()
                run.finish()
                nursery.cancel_scope.cancel()
            after = await rests(before)
            cpu_s = time.process_time() - cpu_s
    for name, seen in ends.items():
        if name in PLACES:
            passed = {limit: times for limit, times in seen["breaches"].items() if limit not in NO_LIMITS}
            if passed:
                log.complain(f"{name}: limits passed: {passed}: {seen['breach_details']}")
    if not ends:
        log.complain("the venues' process did not say what it saw")
    problems = judge(
        run.samples, reference=run.reference, before=before, after=after, grown=run.grown, wrong=log.wrong
    )
    report = Report(run, log, venues, ends, problems, cpu_s)
    report.tell()
    if given.json is not None:
        report.write(given.json)
    return 1 if problems else 0


async def stop_at_signal(signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
    """Ctrl-C ends the run as if its time were over."""
    async for _ in signals:
        tell("interrupted: closing")
        scope.cancel()


def watch_warnings(log: Log) -> None:
    """What Python says only at the end of something's life is heard too."""

    def heard(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        log.complain(f"{category.__name__}: {message}")

    warnings.simplefilter("always", ResourceWarning)
    warnings.showwarning = heard
    sys.unraisablehook = lambda broken: log.raised(
        f"unraisable in {broken.object!r}", broken.exc_value or Exception()
    )


@attrs.frozen
class Report:
    """The verdict, and all figures for whoever wants them."""

    run: Soak
    log: Log
    venues: list[Venue]
    ends: dict[str, Any]
    problems: list[str]
    cpu_s: float

    def tell(self) -> None:
        """For people."""
        run, log, last = self.run, self.log, self.run.samples[-1]
        looks, live = self._books()
        tell(
            f"{last.at_s / 60:.1f} minutes: {last.frames} frames, {sum(log.events.values())} events read,"
            f" {last.connections} connections, {last.reconnects} reconnects, {last.gaps} gaps,"
            f" {log.ledgers} ledgers compared, books right at {live} of {looks} looks,"
            f" {self.cpu_s / max(last.at_s, 0.001):.0%} of a core"
        )
        if run.reference is not None:
            first = run.reference
            _compare("resident memory", first, first.resident_bytes, last.resident_bytes)
            if first.heap is not None and last.heap is not None:
                _compare("memory held", first, first.heap.held_bytes, last.heap.held_bytes)
                _compare("free in between", first, first.heap.free_bytes, last.heap.free_bytes)
            tell(f"  blocks of Python's allocator: {first.blocks:,} and {last.blocks:,}")
        tell(f"  notices: {dict(log.notices.most_common())}")
        tell(f"  documented errors: {dict(log.said.most_common())}")
        for name in PLACES:
            if name in self.ends:
                tell(f"  {name}: faults {self.ends[name]['faults']}, connects {self.ends[name]['connects']}")
        for problem in self.problems:
            tell(f"WRONG: {problem}")
        tell("verdict: " + (f"{len(self.problems)} wrong" if self.problems else "all is well"))

    def write(self, path: str) -> None:
        """For programs."""
        run, log = self.run, self.log
        looks, live = self._books()
        figures = {
            "samples": [attrs.asdict(sample) for sample in run.samples],
            "reference": None if run.reference is None else attrs.asdict(run.reference),
            "notices": log.notices, "documented_errors": log.said, "events": log.events, "ledgers": log.ledgers,
            "venues": self.ends, "problems": self.problems, "books_right": live, "books_looks": looks,
            "cpu_s": self.cpu_s,
        }  # fmt: skip
        Path(path).write_text(json.dumps(figures, indent=1))

    def _books(self) -> tuple[int, int]:
        books = [venue.books for venue in self.venues]
        return sum(one.looks for one in books), sum(one.live for one in books)


def _compare(what: str, reference: Sample, before_bytes: int, after_bytes: int) -> None:
    tell(
        f"  {what}: {before_bytes / MIB:.1f} MiB at {reference.at_s / 60:.1f} min, {after_bytes / MIB:.1f} MiB at the end:"
        f" {after_bytes / before_bytes - 1:+.1%}"
    )


if __name__ == "__main__":
    sys.exit(main())
