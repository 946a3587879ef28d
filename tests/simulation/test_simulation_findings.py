"""What simulations found, as small programs of their own."""

from __future__ import annotations

import trio

import trioquotes as tq
from tests.simulation.live import tasks_of
from tests.simulation.places import PLACES
from trioquotes._runtime.connection import LINGER_S
from trioquotes.testing import SilenceLink, World, run_world


def test_credentials_are_asked_for_anew_where_the_budget_made_the_connect_wait() -> None:
    place = PLACES["darwinex"]
    asked_s: list[float] = []

    async def provider() -> tq.Credentials:
        await trio.lowlevel.checkpoint()
        asked_s.append(trio.current_time())
        return place.key

    async def main(world: World) -> list[float]:
        served = world.serve(place.simulator(seed=1, wall_ns=world.wall_ns))
        budgets = tq.Budgets()

        async def use() -> None:
            async with world.session(
                served, tq.Quotes("DWC.4.20"), credentials=provider, budgets=budgets, connect_timeout_s=100.0
            ):
                await trio.sleep(120)

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(use)
        return [seen.time_s for seen in served.simulator.records.connects]

    first_s, _, third_s = run_world(main, seed=1, deadline_s=600)
    assert third_s >= first_s + 60
    assert any(third_s - 1 < time_s <= third_s for time_s in asked_s)


def test_a_line_on_which_nothing_was_ever_asked_is_left_before_the_venue_minds() -> None:
    async def main(world: World) -> list[str]:
        place = PLACES["coinbase"]
        served = world.serve(place.simulator(seed=1, wall_ns=world.wall_ns))
        async with world.session(served) as stream:
            for _ in range(20):
                with trio.move_on_after(0.0):
                    await stream.subscribe(tq.Trades("BTC-USD"))
                await trio.sleep(10.0)
        return [breach.limit for breach in served.simulator.records.breaches]

    assert run_world(main, seed=1, deadline_s=600) == []


def test_wishes_that_come_and_go_do_not_keep_a_line_on_which_nothing_was_asked() -> None:
    async def main(world: World) -> list[str]:
        place = PLACES["coinbase"]
        served = world.serve(place.simulator(seed=1, wall_ns=world.wall_ns))
        async with world.session(served) as stream:
            for _ in range(60):
                with trio.move_on_after(0.0):
                    await stream.subscribe(tq.Trades("BTC-USD"))
                await trio.sleep(0.5)
        return [breach.limit for breach in served.simulator.records.breaches]

    assert run_world(main, seed=1, deadline_s=600) == []


def test_a_line_that_no_topic_needs_any_more_says_so_in_the_figures() -> None:
    async def main(world: World) -> list[bool]:
        served = world.serve(PLACES["coinbase"].simulator(seed=1, wall_ns=world.wall_ns))
        wanted = []
        async with world.session(served) as stream:
            async with await stream.subscribe(tq.Trades("BTC-USD")):
                wanted.append(stream.statistics().lanes[0].wanted)
            wanted.append(stream.statistics().lanes[0].wanted)
        return wanted

    assert run_world(main, seed=1, deadline_s=60) == [True, False]


def test_a_cancellation_cuts_short_a_goodbye_that_nobody_answers() -> None:
    async def main(world: World) -> tuple[bool, float]:
        served = world.serve(PLACES["coinbase"].simulator(seed=1, wall_ns=world.wall_ns))
        began_s = 0.0
        with trio.CancelScope() as scope:
            async with world.session(served, tq.Trades("BTC-USD"), close_timeout_s=3.0) as stream:
                await stream.unsubscribe(tq.Trades("BTC-USD"))
                await trio.sleep(LINGER_S + 0.1)  # nothing is wanted on the line any more
                assert not stream.statistics().lanes[0].connected
                leaving = any("supervisor" in name for name in tasks_of("coinbase/"))
                began_s = trio.current_time()
                scope.cancel()
        return leaving and scope.cancelled_caught, trio.current_time() - began_s

    silent = SilenceLink(link=1, after_s=2.0)
    assert run_world(main, seed=1, faults=[silent], deadline_s=600) == (True, 0.0)
