"""Recorders that are killed at random moments: whatever they had said is on disk is there, and it replays as it was.

``python -m tests.recording.crashes`` records the five simulators, one after the other, while things go wrong with lines,
frames and clocks, in processes of their own; each is killed (SIGKILL) at a random moment, and its folder is examined. An
hour of a venue takes moments, since its time is virtual; what is real is the disk, the thread that writes, and the death.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Final

import attrs
import trio

import trioquotes as tq
from tests.recording.rec_sessions import Run, lines_of, replayed, topics_at
from tests.simulation.places import PLACES
from tests.simulation.plans import draw_plan, draw_script
from trioquotes._runtime.transport import TapConnector
from trioquotes.recording import Recorder, Recording, TornSegment, record
from trioquotes.recording.records import RunBegun
from trioquotes.recording.writer import segments_of
from trioquotes.testing import World, run_world, split_script

__all__ = ["Crash", "Crashed", "main"]

HOUR_S: Final = 3600.0
LOSS_S: Final = 1.0
"""What may be lost: the last second."""
MODULE: Final = "tests.recording.crashes"


class Crashed(AssertionError):
    """A promise was broken."""


@attrs.define
class Crash:
    """One recorder, from its start to its death.

    Attributes:
        acknowledged: records that it had said are on disk.
        lines: what its reader had got, each with the time, in seconds of the monotonic clock.
        killed_s: when it was killed.
        whole: whether it came to its end before.
    """

    acknowledged: int = 0
    lines: list[tuple[float, str]] = attrs.field(factory=list)
    killed_s: float = 0.0
    whole: bool = False


# The child ------------------------------------------------------------------------------------------


def child(venue: str, seed: int, folder: Path) -> None:
    """Record until killed, and say what was written and what was read."""
    place = PLACES[venue]
    plan = draw_plan(place, seed)
    venue_faults, world_faults = split_script(draw_script(place, plan, seed))
    recorders: list[Recorder] = []

    def tell() -> None:
        """What is on disk by now, as soon as it is: in real time, whatever the virtual one does."""
        told = 0
        while True:
            written = recorders[0].status().written if recorders else 0
            if written != told:
                told = written
                say(f"A {told}")
            time.sleep(0.002)

    async def record_it(world: World) -> None:
        simulator = place.simulator(seed=seed, wall_ns=world.wall_ns, faults=venue_faults)
        recorder = record(folder, connector=TapConnector(world), segment_bytes=30_000)
        recorders.append(recorder)
        session = world.session(
            world.serve(simulator), *topics_at(place, keyed=place.always), connector=recorder,
            credentials=place.key if place.always else None, connect_timeout_s=HOUR_S,
        )  # fmt: skip
        async with session as stream:
            with trio.move_on_after(HOUR_S):
                async for event in stream:
                    say(f"E {time.monotonic():.6f} {lines_of([event])[0]}")

    threading.Thread(target=tell, daemon=True).start()
    with contextlib.suppress(tq.TrioquotesError):  # a venue may well be closed for an hour
        run_world(record_it, seed=seed, deadline_s=10 * HOUR_S, faults=world_faults)
    say("W")


def say(text: str) -> None:
    """One line, at once and whole."""
    data = memoryview(text.encode("utf-8", "surrogateescape") + b"\n")
    with _SAYING:
        while data:
            data = data[os.write(1, data) :]


_SAYING = threading.Lock()


# The parent -----------------------------------------------------------------------------------------


def crash(venue: str, seed: int, folder: Path, chance: random.Random, most_s: float) -> Crash:
    """Start a recorder, and kill it some time after it began to write."""
    found = Crash()
    words = [sys.executable, "-m", MODULE, "--child", venue, str(seed), str(folder)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as process:
        began = threading.Event()

        def listen() -> None:
            try:
                for raw in process.stdout or ():
                    if raw.endswith(b"\n"):  # else it died in the middle of a line
                        _hear(raw, found, began)
            finally:
                began.set()

        ear = threading.Thread(target=listen, daemon=True)
        ear.start()
        began.wait(60)
        try:
            process.wait(
                chance.uniform(0.0, most_s) ** 2 / most_s
            )  # early deaths are the more interesting ones
        except subprocess.TimeoutExpired:
            found.killed_s = time.monotonic()
            process.send_signal(signal.SIGKILL)
        process.wait(60)
        ear.join(60)
    if process.returncode not in {0, -signal.SIGKILL}:
        raise Crashed(f"{venue}, seed {seed}: the recorder ended by itself with {process.returncode}")
    return found


def _hear(raw: bytes, found: Crash, began: threading.Event) -> None:
    """Take down what the recorder says."""
    kind, _, rest = raw.decode("utf-8", "surrogateescape").rstrip("\n").partition(" ")
    if kind == "A":
        found.acknowledged = int(rest)
        began.set()
    elif kind == "E":
        at, _, line = rest.partition(" ")
        found.lines.append((float(at), line))
    else:
        found.whole = True


def examine(folder: Path, crashes: list[Crash]) -> str:
    """Hold the folder against what its recorders said; returns what was found.

    Raises:
        Crashed: something is not as it should be.
    """
    torn: list[TornSegment] = []
    records, runs = [0], 0
    for entry in Recording(folder).read():
        if isinstance(entry, TornSegment):
            torn.append(entry)
        elif isinstance(entry, RunBegun):
            runs += 1
            records.append(0)
        else:
            records[-1] += 1
    if runs != len(crashes):
        raise Crashed(f"{folder}: {runs} runs in place of {len(crashes)}")
    for one, found in zip(crashes, records[1:], strict=True):
        if found < one.acknowledged:
            raise Crashed(f"{folder}: {one.acknowledged} records were acknowledged, and {found} are there")
    if len(torn) > len(crashes):
        raise Crashed(f"{folder}: {torn}")
    more = f"; {compare(folder, crashes[0])}" if len(crashes) == 1 else ""
    return f"{sum(records)} records, {len(torn)} torn{more}"


def played_again(folder: Path) -> list[str]:
    """What a replay gives; where the recorded session ended in an error, so does that one."""
    run = Run()
    with contextlib.suppress(tq.TrioquotesError):
        replayed(folder, run=run)
    return run.lines


def tear(folder: Path, chance: random.Random) -> str:
    """Cut the last segment somewhere, as a crash of the machine may: what is whole is there and replays as before.

    Raises:
        Crashed: it is not.
    """
    before = played_again(folder)
    path = segments_of(folder)[-1]
    cut = chance.randrange(path.stat().st_size or 1)
    with path.open("r+b") as file:
        file.truncate(cut)
    summary = Recording(folder).summary()
    if len(summary.torn) > 1 or any(torn.path != path for torn in summary.torn):
        raise Crashed(f"{folder}: cut at {cut}: {summary.torn}")
    if "SessionEntered" not in summary.records:
        return f"; cut at {cut}"  # what nobody had read is folded in another way
    after = played_again(folder)
    same = max(len(after) - 1, 0)
    if after[:same] != before[:same]:
        raise Crashed(f"{folder}: cut at {cut}, it replays other than before")
    return f"; cut at {cut}: {len(after)} lines of {len(before)}"


def compare(folder: Path, one: Crash) -> str:
    """Replay, and hold it against what the reader had got.

    Raises:
        Crashed: it is not the same, or too much is missing.
    """
    if not one.acknowledged:
        return "nothing was on disk yet"
    again = played_again(folder)
    live = [line for _, line in one.lines]
    # The last of a replay may be a notice that was folded with a later one, of which the record is lost.
    same = min(len(again) - 1, len(live))
    if same > 0 and again[:same] != live[:same]:
        at = next(n for n in range(same) if again[n] != live[n])
        raise Crashed(f"{folder}: line {at} of {len(live)}:\n  {live[at]}\n  {again[at]}")
    missing = live[len(again) :]
    lost_s = one.killed_s - one.lines[len(again)][0] if missing and not one.whole else 0.0
    if lost_s > LOSS_S:
        raise Crashed(f"{folder}: the last {lost_s:.2f} s are lost")
    return f"{len(again)} lines replayed of {len(live)}, {lost_s:.2f} s lost"


def one_folder(number: int, seed: int, most_s: float, home: Path, *, kills: int) -> str:
    """A folder, and the recorders that die in it."""
    chance = random.Random(f"crash/{seed}")  # noqa: S311  # decides a test
    venue = list(PLACES)[number % len(PLACES)]
    folder = home / f"{venue}-{seed}"
    crashes = [crash(venue, seed + at, folder, chance, most_s) for at in range(kills)]
    found = examine(folder, crashes)
    if all(one.acknowledged for one in crashes):
        found += tear(folder, chance)
    shutil.rmtree(folder)
    return f"{venue:9} seed {seed}: {kills} killed, {found}"


def main() -> None:
    parser = argparse.ArgumentParser(prog=f"python -m {MODULE}", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--kills", type=int, default=100, help="how many recorders are killed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--most", type=float, default=6.0, help="seconds that one lives at most")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.child[0], int(given.child[1]), Path(given.child[2]))
        return
    killed = number = 0
    home = Path(tempfile.mkdtemp(prefix="crashes-"))
    while killed < given.kills:
        kills = min(1 if number % 4 else 3, given.kills - killed)  # some folders are used again
        say(one_folder(number, given.seed + 10 * number, given.most, home, kills=kills))
        killed += kills
        number += 1
    shutil.rmtree(home)
    say(f"{killed} recorders were killed: every segment opened, and nothing acknowledged was lost")


if __name__ == "__main__":
    try:
        main()
    except (Crashed, tq.TrioquotesError) as error:
        sys.exit(f"broken: {error}")
