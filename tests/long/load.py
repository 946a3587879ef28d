"""``python -m tests.long.load --minutes 10``: sessions to five venues on a machine of which every core is busy.

One process spins on each core, the simulated venues are another, and ours has a session to each over TLS, with consumers that are
fast, that sleep a minute after each event, and that never read. The venues' process measures how long each heartbeat took; at
the end, or at Ctrl-C, comes a verdict, which the exit code repeats.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import trio

import trioquotes as tq
from tests.long.audience import Ledger, Log, batches
from tests.long.heartbeats import RULES, Figures, judge
from tests.long.hosting import venues_served
from tests.simulation.place import Place
from tests.simulation.places import PLACES
from trioquotes.venues import darwinex

ENTERS_WITHIN_S = 60.0
SLEEP_S = 60.0
"""How long a slow consumer sleeps after each event."""
SMALL_BUFFER = 50
"""Of consumers that are slow or never read, so that it is full within seconds."""
SPIN = "while True: pass"


@attrs.frozen
class Given:
    """The command line."""

    minutes: float
    seed: int
    spinners: int
    every_s: float
    busy: float
    json: str | None


def main(arguments: list[str] | None = None) -> int:
    """Run; 0 where all is well, 1 where something is wrong, 2 for a wrong command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.long.load", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--spinners", type=int, default=os.cpu_count() or 1, help="processes that only spin")
    parser.add_argument(
        "--every", type=float, default=10.0, metavar="SECONDS", help="between two lines of progress"
    )
    parser.add_argument("--busy", type=float, default=10.0, help="how lively the markets are")
    parser.add_argument("--json", metavar="FILE", help="write all figures there")
    found = parser.parse_args(arguments)
    given = Given(found.minutes, found.seed, found.spinners, found.every, found.busy, found.json)
    with spinning(given.spinners) as spun:
        report = trio.run(load, given)
    report.spinners_s = spun[0]
    report.tell()
    if given.json is not None:
        Path(given.json).write_text(json.dumps(report.as_json(), indent=1))
    return 1 if report.problems else 0


def tell(line: str) -> None:
    """One line for whoever watches."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@contextmanager
def spinning(number: int) -> Iterator[list[float]]:
    """Processes that do nothing but use a core each; at the end of the block their seconds of it are in the list."""
    spun: list[float] = []
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    processes = []
    before_s = _childrens_s()
    try:
        for place in range(number):
            process = subprocess.Popen([sys.executable, "-c", SPIN])
            processes.append(process)
            if cores:
                os.sched_setaffinity(process.pid, {cores[place % len(cores)]})
        yield spun
    finally:
        before_s = _childrens_s()  # the venues' process has ended meanwhile
        for process in processes:
            process.kill()
            process.wait()
        spun.append(_childrens_s() - before_s)


def _childrens_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Venue:
    """One venue's session and its consumers."""

    def __init__(self, place: Place, url: str, trust: ssl.SSLContext, log: Log, seed: int) -> None:
        self.name = place.name
        self.stream: tq.Stream | None = None
        self._place = place
        self._url = url
        self._trust = trust
        self._log = log
        self._chance = random.Random(f"load/{place.name}/{seed}")  # noqa: S311  # keeps no secret

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Begin, say so, and go on until cancelled."""
        menu = self._place.choices(True)  # with credentials
        merged = [choice.topic for choice in menu if not choice.private][:3]
        alone: list[tq.Topic[Any]] = [choice.topic for choice in menu]
        if self.name == darwinex.VENUE.name:
            alone.append(darwinex.Pongs())  # for as long as somebody listens a ping goes out every minute
        session = tq.Session(
            self.name, *merged, credentials=self._place.key, endpoint=self._url, ssl_context=self._trust,
            connect_timeout_s=ENTERS_WITHIN_S, buffer=SMALL_BUFFER,
        )  # fmt: skip
        try:
            async with session as stream, trio.open_nursery() as nursery:
                self.stream = stream
                nursery.start_soon(self._doze, Ledger(self._log, self.name), stream, len(merged))
                for place, topic in enumerate(alone):
                    reader = (self._read, self._ignore, self._doze_alone)[place % 3]
                    nursery.start_soon(reader, stream, topic)
                task_status.started()
        except tq.TrioquotesError as error:
            self._log.raised(self.name, error)

    async def _doze(self, ledger: Ledger, stream: tq.Stream, topics: int) -> None:
        """The user's code sleeps a minute after each event."""
        try:
            async for event in stream:
                ledger.take(event)
                await trio.sleep(SLEEP_S)
        finally:
            ledger.settle(f"{self.name} merged", stream, lambda: list(stream.statistics().channels[:topics]))

    async def _doze_alone(self, stream: tq.Stream, topic: tq.Topic[Any]) -> None:
        channel = await stream.subscribe(topic, buffer=SMALL_BUFFER)
        ledger = Ledger(self._log, self.name)
        try:
            async for event in channel:
                ledger.take(event)
                await trio.sleep(SLEEP_S)
        finally:
            ledger.settle(f"{self.name} {topic}", channel, lambda: [channel.statistics()])

    async def _ignore(self, stream: tq.Stream, topic: tq.Topic[Any]) -> None:
        """Subscribed, and never read."""
        channel = await stream.subscribe(topic, buffer=SMALL_BUFFER)
        ledger = Ledger(self._log, self.name)
        try:
            await trio.sleep_forever()
        finally:
            ledger.settle(f"{self.name} {topic}", channel, lambda: [channel.statistics()])

    async def _read(self, stream: tq.Stream, topic: tq.Topic[Any]) -> None:
        channel = await stream.subscribe(topic)
        ledger = Ledger(self._log, self.name)
        try:
            await batches(ledger, channel, self._chance)
        finally:
            ledger.settle(f"{self.name} {topic}", channel, lambda: [channel.statistics()])


@attrs.frozen
class Sample:
    """The figures of all sessions at one moment.

    Attributes:
        at_s: since all sessions were open.
        late_s: by how much the event loop was late when this was measured.
    """

    at_s: float
    frames: int
    lines: int
    reconnects: int
    round_trip_s: float
    late_s: float
    load: float


def sample(venues: list[Venue], at_s: float, late_s: float) -> Sample:
    """The figures now."""
    lanes = [lane for venue in venues if venue.stream is not None for lane in venue.stream.statistics().lanes]
    return Sample(
        at_s=at_s,
        frames=sum(lane.count.frames for lane in lanes),
        lines=sum(lane.connected for lane in lanes),
        reconnects=sum(lane.reconnects for lane in lanes),
        round_trip_s=max((lane.round_trip_s or 0.0 for lane in lanes), default=0.0),
        late_s=late_s,
        load=os.getloadavg()[0],
    )


async def watch(given: Given, venues: list[Venue], samples: list[Sample]) -> None:
    """Measure and tell until the time is over."""
    tell("minutes  frames/s  lines  reconnects  round trip  loop late  load")
    began_s = trio.current_time()
    before = sample(venues, 0.0, 0.0)
    while before.at_s < given.minutes * 60.0:
        due_s = min(before.at_s + given.every_s, given.minutes * 60.0)
        await trio.sleep_until(began_s + due_s)
        at_s = trio.current_time() - began_s
        now = sample(venues, at_s, at_s - due_s)
        samples.append(now)
        rate = (now.frames - before.frames) / max(now.at_s - before.at_s, 0.001)
        tell(
            f"{now.at_s / 60:7.2f}  {rate:8.1f}  {now.lines:5d}  {now.reconnects:10d}  {now.round_trip_s * 1000:7.1f} ms"
            f"  {now.late_s * 1000:6.1f} ms  {now.load:4.1f}"
        )
        before = now


async def load(given: Given) -> Report:
    """Everything but the spinning."""
    log = Log()
    ends: dict[str, Any] = {}
    samples: list[Sample] = []
    cpu_s = time.process_time()
    serving = [
        "--heartbeats",
        "--minutes",
        str(given.minutes),
        "--seed",
        str(given.seed),
        "--busy",
        str(given.busy),
    ]
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with venues_served(serving, ends) as (urls, trust):
            venues = [Venue(PLACES[name], url, trust, log, given.seed) for name, url in urls.items()]
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_stop_at_signal, signals, nursery.cancel_scope)
                async with trio.open_nursery() as entering:
                    for venue in venues:
                        entering.start_soon(nursery.start, venue.run)
                await watch(given, venues, samples)
                nursery.cancel_scope.cancel()
    return Report(given, samples, log, ends, time.process_time() - cpu_s)


async def _stop_at_signal(signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
    """Ctrl-C ends the run as if its time were over."""
    async for _ in signals:
        tell("interrupted: closing")
        scope.cancel()


@attrs.define
class Report:
    """The verdict, and all figures for whoever wants them.

    Attributes:
        spinners_s: seconds of processor time that the spinning processes had together.
    """

    given: Given
    samples: list[Sample]
    log: Log
    ends: dict[str, Any]
    cpu_s: float
    spinners_s: float = 0.0

    @property
    def problems(self) -> list[str]:
        """What is wrong, a line each."""
        found = [*self.log.wrong, *judge(self.heartbeats())]
        if not self.ends:
            found.append("the venues' process did not say what it saw")
        for name in RULES:
            seen = self.ends.get(name, {})
            if seen.get("breaches"):
                found.append(f"{name}: limits passed: {seen['breaches']}: {seen['breach_details']}")
        if not self.samples:
            found.append("nothing was measured")
        elif self.samples[-1].reconnects:
            found.append(f"{self.samples[-1].reconnects} lines were lost, and nothing went wrong on purpose")
        return found

    def heartbeats(self) -> dict[str, list[Figures]]:
        """What the venues saw."""
        return {
            name: [
                Figures(
                    rule, told["due"], told["late"], told["worst_s"], told["mean_s"] * told["due"], told["lives_s"], told["lines"]
                )
                for rule, told in zip(rules, self.ends[name]["heartbeats"], strict=True)
            ]
            for name, rules in RULES.items()
            if name in self.ends
        }  # fmt: skip

    def tell(self) -> None:
        """For people."""
        last = self.samples[-1] if self.samples else Sample(0.0, 0, 0, 0, 0.0, 0.0, 0.0)
        core = max(last.at_s, 0.001)
        tell(
            f"{last.at_s / 60:.1f} minutes: {last.frames} frames on {last.lines} lines, {sum(self.log.events.values())} events"
            f" read, {self.log.notices['Lagged']} times told of a loss, {self.log.ledgers} ledgers compared;"
            f" {self.given.spinners} spinning processes used {self.spinners_s / core:.2f} cores, this one"
            f" {self.cpu_s / core:.2f}, the venues {self.ends.get('cpu_s', 0.0) / core:.2f}"
        )
        for name, figures in self.heartbeats().items():
            for one in figures:
                words = "after what it answers" if one.rule.kind == "answer" else "after the last"
                tell(
                    f"  {name + ',':10} {one.rule.name:10} {one.due:6d} came, {one.late} late; mean {one.mean_s:8.4f} s,"
                    f" worst {one.worst_s:8.4f} s, deadline {one.rule.within_s:g} s {words}"
                )
        problems = self.problems
        for problem in problems:
            tell(f"WRONG: {problem}")
        tell("verdict: " + (f"{len(problems)} wrong" if problems else "all is well"))

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "given": attrs.asdict(self.given), "samples": [attrs.asdict(one) for one in self.samples],
            "heartbeats": {name: [one.as_json() for one in found] for name, found in self.heartbeats().items()},
            "venues": self.ends, "events": self.log.events, "notices": self.log.notices, "ledgers": self.log.ledgers,
            "problems": self.problems, "cpu_s": self.cpu_s, "spinners_s": self.spinners_s,
        }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
