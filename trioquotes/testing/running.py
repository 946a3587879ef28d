"""Whole runs from one seed: trio's clock is virtual, and the order in which it runs tasks is drawn too."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import trio
import trio.testing

from trioquotes.testing.script import WorldFault
from trioquotes.testing.world import World, open_world

__all__ = ["OutOfTime", "run_world", "seeded_scheduling"]

T = TypeVar("T")


class OutOfTime(AssertionError):
    """A run did not end within the virtual time that it was given."""


@contextmanager
def seeded_scheduling(seed: int) -> Iterator[None]:
    """While the block runs, ``trio.run`` runs the tasks of each turn in an order that the seed decides.

    Without it trio runs them in an order of its own choice, which is another one every time. What it changes in trio
    is as it was when the block ends. For one thread at a time, like the state of trio that it changes.

    Raises:
        RuntimeError: this version of trio has no such switch where it is known to be.
    """
    scheduler: Any = trio._core._run  # noqa: SLF001  # what trio's own plugin for hypothesis sets
    chance = getattr(scheduler, "_r", None)
    switch = getattr(scheduler, "_ALLOW_DETERMINISTIC_SCHEDULING", None)
    if not isinstance(chance, random.Random) or switch is None:
        raise RuntimeError(
            f"trio {trio.__version__} cannot be made to run tasks in an order that a seed decides"
        )
    before = chance.getstate()
    scheduler._ALLOW_DETERMINISTIC_SCHEDULING = True  # noqa: SLF001  # as above
    chance.seed(seed)
    try:
        yield
    finally:
        scheduler._ALLOW_DETERMINISTIC_SCHEDULING = switch  # noqa: SLF001  # as above
        chance.setstate(before)


def run_world(
    main: Callable[[World], Awaitable[T]],
    *,
    seed: int,
    deadline_s: float,
    faults: Iterable[WorldFault] = (),
    tls: bool = False,
) -> T:
    """Run a program in a world of its own; the seed decides everything that happens in it.

    ::

        async def main(world: World) -> None:
            venue = world.serve(CoinbaseSimulator(seed=world.seed, wall_ns=world.wall_ns))
            async with world.session(venue, Trades("BTC-USD")) as stream:
                ...

        run_world(main, seed=7, deadline_s=3600)

    Time is virtual: it passes when every task waits, so that an hour takes moments. The same seed and program give
    the same :attr:`World.trace <trioquotes.testing.World.trace>`, on every machine.

    Args:
        main: the program.
        seed: of the network, the sessions' jitter and nonces, and the order in which tasks run.
        deadline_s: virtual seconds that the program may take. Without one a program that waits for ever would not
            end: heartbeats keep the clock going.
        faults: what goes wrong with links and clocks.
        tls: whether venues are served with TLS; the trace is the same.

    Returns:
        What the program returned.

    Raises:
        OutOfTime: the program did not end in time.
        RuntimeError: see :func:`seeded_scheduling`.
    """
    clock = trio.testing.MockClock(autojump_threshold=0)

    async def whole() -> T:
        with trio.move_on_after(deadline_s):
            async with open_world(seed, faults=faults, clock=clock, tls=tls) as world:
                return await main(world)
        raise OutOfTime(f"seed {seed}: not done after {deadline_s:g} virtual s")

    with seeded_scheduling(seed):
        return trio.run(whole, clock=clock)
