"""What a script does to a link is what a session gets to feel."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

import trioquotes as tq
from trioquotes.simulator import faults as venue
from trioquotes.simulator.venues.coinbase import CoinbaseSimulator
from trioquotes.testing import (
    ChopLink,
    CutLink,
    DelayLink,
    HangLink,
    RefuseLink,
    SilenceLink,
    StallLink,
    StepClock,
    SuspendMachine,
    World,
    WorldFault,
    run_world,
    script_from_json,
    script_to_json,
    split_script,
)


def events_of(
    *faults: WorldFault, seconds: float = 30.0, mend_s: float | None = None
) -> tuple[list[tuple[float, tq.Event]], World]:
    """What comes of trades of a lively product, with the time since the session was asked for; and the world."""
    worlds: list[World] = []

    async def program(world: World) -> list[tuple[float, tq.Event]]:
        worlds.append(world)
        simulator = CoinbaseSimulator(seed=1, rate=20.0, wall_ns=world.wall_ns)
        seen: list[tuple[float, tq.Event]] = []
        session = world.session(world.serve(simulator), tq.Trades("BTC-USD"), connect_timeout_s=60.0)
        async with trio.open_nursery() as nursery:
            if mend_s is not None:
                nursery.start_soon(mend, world, mend_s)
            async with session as stream:
                with trio.move_on_at(seconds):
                    async for event in stream:
                        seen.append((trio.current_time(), event))
            nursery.cancel_scope.cancel()
        return seen

    return run_world(program, seed=1, deadline_s=600.0, faults=faults), worlds[0]


async def mend(world: World, after_s: float) -> None:
    await trio.sleep(after_s)
    world.mend()


def names(seen: list[tuple[float, tq.Event]]) -> list[str]:
    """The notices, in order."""
    return [type(event).__name__ for _, event in seen if isinstance(event, tq.Notice)]


def trades(seen: list[tuple[float, tq.Event]]) -> list[float]:
    """When trades came."""
    return [time_s for time_s, event in seen if isinstance(event, tq.Trade)]


@pytest.mark.parametrize("why", ["refused", "unreachable", "unknown"])
def test_a_refused_link_is_tried_again(why: str) -> None:
    seen, world = events_of(RefuseLink(link=1, why=why))  # type: ignore[arg-type]
    assert names(seen) == ["Connected"]
    assert world.faults_done == {"RefuseLink": 1}
    assert world.links == 2


def test_a_link_that_hangs_is_given_up_in_time() -> None:
    async def program(world: World) -> float:
        place = world.serve(CoinbaseSimulator(seed=1, wall_ns=world.wall_ns))
        with pytest.raises(tq.ConnectFailed):
            async with world.session(place, tq.Trades("BTC-USD"), connect_timeout_s=7.0):
                raise AssertionError("entered")
        return trio.current_time()

    assert run_world(program, seed=1, deadline_s=600.0, faults=[HangLink(link=1)]) == 7.0


@pytest.mark.parametrize("how", ["fin", "reset"])
@pytest.mark.parametrize("after_bytes", [1, 60, 100, 1000, 7777])
def test_a_link_cut_at_any_byte_is_told(how: str, after_bytes: int) -> None:
    seen, world = events_of(CutLink(link=1, after_bytes=after_bytes, how=how))  # type: ignore[arg-type]
    assert world.faults_done == {"CutLink": 1}
    assert world.links == 2
    lost = [event for _, event in seen if isinstance(event, tq.Disconnected)]
    assert len(lost) == (after_bytes > 200)
    if lost:
        assert ("reset" in lost[0].reason) is (how == "reset")


def test_a_link_cut_in_time_is_told_at_once() -> None:
    seen, _ = events_of(CutLink(link=1, after_s=9.5))
    (lost_s,) = [time_s for time_s, event in seen if isinstance(event, tq.Disconnected)]
    assert lost_s == 9.5


def test_a_silent_link_is_found_out_by_its_silence() -> None:
    seen, world = events_of(SilenceLink(link=1, after_s=5.0), seconds=60.0)
    assert "Disconnected" in names(seen)
    assert not [time_s for time_s in trades(seen) if 5.0 < time_s < 10.0]
    assert world.links == 2


def test_a_stall_ends_in_a_burst() -> None:
    seen, _ = events_of(StallLink(link=1, after_s=5.0, for_s=3.0))
    assert names(seen) == ["Connected"]
    assert not [time_s for time_s in trades(seen) if 5.0 < time_s < 8.0]
    assert len([time_s for time_s in trades(seen) if time_s == 8.0]) > 5


def test_a_mended_world_holds_nothing_back() -> None:
    seen, _ = events_of(
        StallLink(link=1, after_s=5.0, for_s=400.0), CutLink(link=1, after_s=11.0), mend_s=8.0
    )
    assert names(seen) == ["Connected"]
    assert [time_s for time_s in trades(seen) if time_s == 8.0]
    assert max(trades(seen)) > 25.0


@pytest.mark.parametrize(
    "fault", [DelayLink(link=1, delay_s=0.5), ChopLink(link=1, piece_bytes=1, pause_s=0.0005)]
)
def test_a_slow_link_loses_nothing(fault: WorldFault) -> None:
    seen, _ = events_of(fault)
    clean, _ = events_of()
    assert names(seen) == ["Connected"]
    ids, all_ids = (
        [event.trade_id for _, event in one if isinstance(event, tq.Trade)] for one in (seen, clean)
    )
    assert len(ids) > 30
    assert set(ids) <= set(all_ids)
    assert ids == sorted(ids, key=lambda text: int(text or 0))


def test_a_cut_leaves_the_world_without_tasks() -> None:
    async def program(world: World) -> int:
        before = trio.lowlevel.current_statistics().tasks_living
        place = world.serve(CoinbaseSimulator(seed=1, wall_ns=world.wall_ns))
        async with world.session(place, tq.Trades("BTC-USD"), connect_timeout_s=60.0) as stream:
            await stream.receive()
        await trio.sleep(10.0)
        return trio.lowlevel.current_statistics().tasks_living - before

    faults: list[WorldFault] = [
        CutLink(link=1, after_s=0.0),
        DelayLink(link=2, delay_s=0.1),
        CutLink(link=2, after_s=500.0),
    ]
    assert run_world(program, seed=1, deadline_s=600.0, faults=faults) == 0


FAULTS: dict[str, Callable[[int], venue.Fault | WorldFault]] = {
    "link": lambda n: CutLink(link=n, after_bytes=n * 10, how="reset"),
    "clock": lambda n: StepClock(at_s=n, by_s=-n),
    "sleep": lambda n: SuspendMachine(at_s=n, for_s=n),
    "silence": lambda n: SilenceLink(link=None, after_s=n / 7),
    "frame": lambda n: venue.SpoilText(kind="match", nth=n),
    "line": lambda n: venue.DropLine(connection=n, after_s=n / 3, how="close", code=4000),
    "huge": lambda n: venue.AnnounceHuge(kind="match", size_bytes=2**62 + n),
    "often": lambda n: venue.SayOften(text="\u2603" * (n % 5), count=n),
}


@given(st.lists(st.tuples(st.sampled_from(sorted(FAULTS)), st.integers(1, 99))))
def test_a_script_survives_json_and_splits(drawn: list[tuple[str, int]]) -> None:
    script = tuple(FAULTS[name](number) for name, number in drawn)
    assert script_from_json(script_to_json(script)) == script
    venues, worlds = split_script(script)
    assert len(venues) == sum(name in {"frame", "line", "huge", "often"} for name, _ in drawn)
    assert len(venues) + len(worlds) == len(script)
