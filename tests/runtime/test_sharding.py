"""More channels than one line is to carry: further lines, each with its own share, faults and waits."""

from __future__ import annotations

from collections import Counter

import pytest
import trio
import trio.testing

import trioquotes as tq
from trioquotes.simulator.faults import DropLine, RefuseHandshake
from trioquotes.simulator.venues.coinbase import CoinbaseSimulator
from trioquotes.simulator.venues.edgex import EdgexSimulator
from trioquotes.testing import World, open_world
from trioquotes.venues import edgex

DEADLINE_S = 3600.0
PRODUCTS = ["BTC-USD", "ETH-USD", "SOL-USD", "XRP-USD"]


def four_products(world: World, *faults: DropLine | RefuseHandshake) -> CoinbaseSimulator:
    return CoinbaseSimulator(seed=1, rate=5.0, wall_ns=world.wall_ns, products=PRODUCTS, faults=faults)


def trades() -> list[tq.Topic[tq.Event]]:
    return [tq.Trades(name) for name in PRODUCTS]


async def read(stream: tq.Stream, seconds: float) -> list[tq.Event]:
    events: list[tq.Event] = []
    with trio.move_on_after(seconds):
        async for event in stream:
            events.append(event)
    return events


async def test_more_topics_than_a_line_carries_come_over_several(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """edgeX: 120 channels a line; here are 18 contracts with 8 channels each."""
    intervals = ["MINUTE_1", "MINUTE_5", "MINUTE_15", "MINUTE_30", "HOUR_1", "HOUR_2", "HOUR_4", "HOUR_6"]
    contracts = [f"{30000001 + number}" for number in range(18)]
    with trio.fail_after(DEADLINE_S):
        async with open_world(1) as world:
            served = world.serve(EdgexSimulator(seed=1, wall_ns=world.wall_ns, contracts=contracts))
            topics = [edgex.Klines(name, interval=each) for name in contracts for each in intervals]
            async with world.session(served, *topics, connect_timeout_s=60) as stream:
                figures = stream.statistics()
    assert [(line.lane, line.connected) for line in figures.lanes] == [("public", True), ("public-1", True)]
    assert all(channel.confirmed for channel in figures.channels)
    assert len(figures.channels) == 144


async def test_a_line_that_is_lost_leaves_a_gap_in_its_own_share_alone(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(DEADLINE_S):
        async with open_world(1) as world:
            served = world.serve(four_products(world, DropLine(connection=2, after_s=20.0)))
            async with world.session(served, *trades(), channels_per_line=2) as stream:
                events = await read(stream, 60)
                figures = stream.statistics()
    gaps = {event.instrument for event in events if isinstance(event, tq.Gap)}
    assert gaps in ({*PRODUCTS[:2]}, {*PRODUCTS[2:]})
    came = Counter(event.instrument for event in events if isinstance(event, tq.Trade))
    assert set(came) == set(PRODUCTS)
    assert [line.lane for line in figures.lanes] == ["market", "market-1"]
    assert [line.connections for line in figures.lanes] == ([2, 1] if PRODUCTS[0] in gaps else [1, 2])


async def test_a_line_closes_when_the_last_of_its_share_is_withdrawn(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(DEADLINE_S):
        async with open_world(1) as world:
            served = world.serve(four_products(world))
            async with world.session(served, *trades(), channels_per_line=2) as stream:
                for name in PRODUCTS[2:]:
                    await stream.unsubscribe(tq.Trades(name))
                await read(stream, 20)
                connected = [line.connected for line in stream.statistics().lanes]
                fresh = await stream.subscribe(tq.Trades(PRODUCTS[3]))
                with trio.fail_after(30):
                    assert isinstance(await anext(fresh), tq.Connected | tq.Trade)
                again = [line.connected for line in stream.statistics().lanes]
    assert connected == [True, False]
    assert again == [True, True]


async def test_a_venue_that_asks_one_line_to_wait_is_left_alone_by_the_others(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(DEADLINE_S):
        async with open_world(1) as world:
            busy = RefuseHandshake(connection=2, status=429, headers=(("Retry-After", "90"),))
            simulator = four_products(world, busy, DropLine(connection=1, after_s=5.0))
            served = world.serve(simulator)
            options = {"channels_per_line": 1, "connect_timeout_s": 200}
            async with world.session(served, *trades()[:2], **options):
                await trio.sleep(100)
    refused_s = next(seen.time_s for seen in simulator.records.connects if seen.outcome == "RefuseHandshake")
    later = [seen.time_s - refused_s for seen in simulator.records.connects if seen.time_s > refused_s]
    assert len(later) == 2, "the line that was refused, and the one that was dropped meanwhile"
    assert min(later) >= 90


@pytest.mark.parametrize("number", [0, -1])
def test_a_line_must_carry_something(number: int) -> None:
    with pytest.raises(tq.UsageError, match="channels_per_line"):
        tq.Session("coinbase", channels_per_line=number)
