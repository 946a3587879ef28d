"""Worlds that run from a seed: the same everywhere and every time, within a deadline, with nothing left behind."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

import trioquotes as tq
from trioquotes.simulator.faults import DropLine
from trioquotes.simulator.venues.coinbase import CoinbaseSimulator
from trioquotes.testing import (
    ChopLink,
    CutLink,
    DelayLink,
    OutOfTime,
    StepClock,
    SuspendMachine,
    World,
    WorldFault,
    run_world,
    seeded_scheduling,
)

SCRIPT: tuple[WorldFault, ...] = (
    CutLink(link=1, after_bytes=5000, how="reset"),
    DelayLink(link=2, delay_s=0.02),
    ChopLink(link=3, piece_bytes=3, first_bytes=500),
    StepClock(at_s=7.0, by_s=3.0),
    SuspendMachine(at_s=12.0, for_s=4.0),
)


async def program(world: World) -> str:
    """Two books and trades over three lines; returns the digest of all that happened."""
    simulator = CoinbaseSimulator(
        seed=world.seed, rate=4.0, wall_ns=world.wall_ns, products=["BTC-USD", "ETH-USD"],
        faults=[DropLine(connection=2, after_s=5.0)],
    )  # fmt: skip
    topics = tq.Trades("BTC-USD"), tq.Books("BTC-USD"), tq.Books("ETH-USD")
    async with world.session(world.serve(simulator), *topics, connect_timeout_s=60.0) as stream:
        with trio.move_on_after(20.0):
            async for event in stream:
                world.tell(repr(event))
    assert world.links >= 3
    assert len(list(world.trace)) > 200
    return world.trace.digest


def run(seed: int) -> str:
    return run_world(program, seed=seed, deadline_s=600.0, faults=SCRIPT)


def test_one_seed_gives_one_trace_ten_times() -> None:
    assert len({run(11) for _ in range(10)}) == 1


def test_another_seed_gives_another_trace() -> None:
    assert len({run(seed) for seed in range(5)}) == 5


def pythons() -> Iterator[str]:
    """This interpreter, and those of nox's environments and of ``TRIOQUOTES_PYTHONS`` that can run us."""
    yield sys.executable
    root = Path(__file__).parents[2]
    named = os.environ.get("TRIOQUOTES_PYTHONS", "").split(os.pathsep)
    for python in [*map(str, sorted(root.glob(".nox/tests-3-*/bin/python"))), *filter(None, named)]:
        asked = subprocess.run(
            [python, "-c", "import pytest, trustme, trioquotes"], cwd=root, check=False, capture_output=True
        )
        if asked.returncode == 0:
            yield python


def test_every_python_and_every_hash_seed_gives_the_same_trace() -> None:
    code = "from tests.testing.test_running import run; print(run(11))"
    found = set()
    for python in pythons():
        for hash_seed in ("0", "1", "17"):
            told = subprocess.run(
                [python, "-c", code], cwd=Path(__file__).parents[2], env={**os.environ, "PYTHONHASHSEED": hash_seed},
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            found.add(told.stdout.strip())
    assert found == {run(11)}


async def quiet(world: World) -> str:
    """Trades of a venue at which nothing goes wrong."""
    simulator = CoinbaseSimulator(seed=world.seed, rate=4.0, wall_ns=world.wall_ns)
    async with world.session(world.serve(simulator), tq.Trades("BTC-USD")) as stream:
        with trio.move_on_after(10.0):
            async for event in stream:
                world.tell(repr(event))
    return world.trace.digest


def test_tls_changes_nothing_that_can_be_seen() -> None:
    plain, *encrypted = (run_world(quiet, seed=3, deadline_s=60.0, tls=tls) for tls in (False, True, True))
    assert encrypted == [plain, plain]


def turns(seed: int) -> list[int]:
    """In which order trio runs tasks that are all ready."""
    order: list[int] = []

    async def note(number: int) -> None:
        for _ in range(5):
            order.append(number)
            await trio.lowlevel.checkpoint()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for number in range(8):
                nursery.start_soon(note, number)

    with seeded_scheduling(seed):
        trio.run(main)
    return order


def test_the_seed_decides_the_order_of_tasks() -> None:
    assert turns(1) == turns(1)
    assert len({tuple(turns(seed)) for seed in range(10)}) == 10


def test_trio_is_left_as_it_was() -> None:
    """If this fails, trio has renamed what ``seeded_scheduling`` sets: find its new name."""
    scheduler = trio._core._run
    assert isinstance(scheduler._r, random.Random)
    switch, state = scheduler._ALLOW_DETERMINISTIC_SCHEDULING, scheduler._r.getstate()
    assert switch in {True, False}
    with pytest.raises(KeyError), seeded_scheduling(1):
        assert scheduler._ALLOW_DETERMINISTIC_SCHEDULING is True
        assert scheduler._r.getstate() != state
        raise KeyError
    assert scheduler._ALLOW_DETERMINISTIC_SCHEDULING is switch
    assert scheduler._r.getstate() == state


@pytest.mark.parametrize("name", ["_r", "_ALLOW_DETERMINISTIC_SCHEDULING"])
def test_a_trio_without_the_switch_is_refused_aloud(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(trio._core._run, name)
    with pytest.raises(RuntimeError, match="cannot be made to run tasks in an order"):
        turns(1)


def test_a_program_that_does_not_end_is_out_of_time() -> None:
    async def forever(world: World) -> None:
        del world
        for _ in range(1000):
            await trio.sleep(1.0)

    with pytest.raises(OutOfTime, match="seed 5: not done after 100 virtual s"):
        run_world(forever, seed=5, deadline_s=100.0)


def test_the_programs_own_error_and_result_come_out_bare() -> None:
    async def fails(world: World) -> None:
        del world
        raise LookupError("mine")

    async def answers(world: World) -> int:
        return world.seed

    with pytest.raises(LookupError, match="mine"):
        run_world(fails, seed=1, deadline_s=1.0)
    assert run_world(answers, seed=42, deadline_s=1.0) == 42


def test_clocks_step_and_machines_sleep() -> None:
    async def look(world: World) -> list[tuple[float, float]]:
        begin_ns = world.wall_ns()
        seen = []
        for _ in range(4):
            seen.append((trio.current_time(), (world.machine_ns() - begin_ns) / 1e9))
            await trio.sleep(10.0)
        return seen

    faults: list[WorldFault] = [StepClock(at_s=5.0, by_s=100.0), SuspendMachine(at_s=15.0, for_s=50.0)]
    seen = run_world(look, seed=1, deadline_s=1000.0, faults=faults)
    assert seen == [(0.0, 0.0), (10.0, 110.0), (65.0, 165.0), (75.0, 175.0)]
