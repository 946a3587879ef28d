"""A world for one test: it ends in time, and says where the test was when it did not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import TypeVar

import trio
import trio.testing

from trioquotes.simulator.faults import Fault
from trioquotes.testing.running import OutOfTime, run_world
from trioquotes.testing.script import WorldFault, split_script
from trioquotes.testing.simulated import VenueMaker
from trioquotes.testing.world import World, open_world

__all__ = ["WorldRunner", "last_words", "open_stage", "waiting_in"]

T = TypeVar("T")

SHOWN_LINES = 10
SHOWN_CHARACTERS = 160


class WorldRunner:
    """Runs programs in worlds of their own, from a test that is not async: ``tq_run(program)``.

    Args:
        seed: of the worlds.
        script: what goes wrong in them and at their venues.
        deadline_s: virtual seconds that a program may take.
        tls: whether venues are served with TLS.
    """

    def __init__(
        self, *, seed: int, script: Iterable[Fault | WorldFault], deadline_s: float, tls: bool
    ) -> None:
        self._seed = seed
        self._venue_faults, self._world_faults = split_script(script)
        self._deadline_s = deadline_s
        self._tls = tls

    def __call__(self, program: Callable[[VenueMaker], Awaitable[T]]) -> T:
        """Run a program.

        Args:
            program: an async function; it is given what makes the venues, with the world as ``venue.world``.

        Returns:
            What the program returned.

        Raises:
            OutOfTime: it did not end in time.
        """

        async def main(world: World) -> T:
            return await program(VenueMaker(world, self._venue_faults))

        return run_world(
            main, seed=self._seed, deadline_s=self._deadline_s, faults=self._world_faults, tls=self._tls
        )


@asynccontextmanager
async def open_stage(
    seed: int, *, faults: Iterable[WorldFault], deadline_s: float, tls: bool, home: Path
) -> AsyncIterator[World]:
    """A world inside of the run that is there, under virtual time.

    Args:
        seed: of the world.
        faults: what goes wrong with links and clocks.
        deadline_s: virtual seconds after which the block fails.
        tls: whether venues are served with TLS.
        home: the file of the test, to say where it waits.

    Raises:
        OutOfTime: the block did not end in time.
        RuntimeError: time is not virtual.
    """
    clock = trio.lowlevel.current_clock()
    if not isinstance(clock, trio.testing.MockClock):
        raise RuntimeError(  # noqa: TRY004  # it is the run that is wrong, not an argument
            "a world needs virtual time, and this test was given another clock or runner"
        )
    body_error: BaseException | None = None
    late: OutOfTime | None = None

    async def watch() -> None:
        nonlocal late
        await trio.sleep(deadline_s)
        where = "; ".join(waiting_in(home)) or "nothing of it waits"
        late = OutOfTime(f"seed {seed}: not done after {deadline_s:g} virtual s: {where}")
        nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch, name="deadline of the test")
        async with open_world(seed, faults=faults, clock=clock, tls=tls) as world:
            try:
                yield world
            except BaseException as error:  # noqa: BLE001, ASYNC103  # raised again below, unless it is too late
                body_error = error
        nursery.cancel_scope.cancel()
    if late is not None:
        raise late from body_error
    if body_error is not None:
        raise body_error


def waiting_in(home: Path) -> Iterator[str]:
    """Where tasks of this run wait in that file, each at its innermost line there."""
    root = trio.lowlevel.current_root_task()
    tasks: list[trio.lowlevel.Task] = [root] if root is not None else []
    while tasks:
        task = tasks.pop()
        tasks += [child for nursery in task.child_nurseries for child in nursery.child_tasks]
        inside = [at for at in task.iter_await_frames() if Path(at[0].f_code.co_filename) == home]
        if inside:
            frame, line = inside[-1]
            yield f"{frame.f_code.co_name} waits at {home.name}:{line}"


def last_words(worlds: Sequence[World]) -> str:
    """What a report of a failed test says of its worlds: their seeds, the time, and what happened last."""
    lines: list[str] = []
    for world in worlds:
        trace = list(world.trace)
        done = ", ".join(f"{name} {count}" for name, count in sorted(world.faults_done.items()))
        lines.append(
            f"seed {world.seed}, {world.links} links" + (f", faults of links: {done}" if done else "")
        )
        lines += [_short(line) for line in islice(trace, max(len(trace) - SHOWN_LINES, 0), None)]
    return "\n".join(lines)


def _short(line: str) -> str:
    return line if len(line) <= SHOWN_CHARACTERS else f"{line[:SHOWN_CHARACTERS]}..."
