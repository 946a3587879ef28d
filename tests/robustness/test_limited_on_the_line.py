"""A venue that says on the line that it was asked too much is left alone for a while, and then asked again."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import attrs
import pytest
import trio

import trioquotes as tq
from tests.simulation.places import PLACES
from trioquotes._protocol.patience import LIMITED_S
from trioquotes.simulator.faults import DropLine, FailRest, Fault, RejectRequest, SayOften
from trioquotes.testing import World, run_world

DEADLINE_S = 3_600.0
TOLD_S = 45.0


@attrs.frozen
class Limited:
    """How a venue says it.

    Attributes:
        venue: its name.
        topics: what is asked for.
        message: and ``reason``: of the refusal, with the time in one of them where ``{}`` stands.
        asks: what a request has in it that asks for something.
        nth: which request is refused.
    """

    venue: str
    topics: tuple[tq.Topic[Any], ...]
    message: str
    reason: str | None
    asks: str
    nth: int = 1

    def fault(self, told: str, **where: int) -> RejectRequest:
        reason = None if self.reason is None else self.reason.format(told)
        return RejectRequest(message=self.message.format(told), reason=reason, **where)


VENUES = (
    Limited(
        "coinbase",
        (tq.Trades("BTC-USD"), tq.Tickers("BTC-USD")),
        "Failed to subscribe",
        "Too many requests{}",
        "subscribe",
    ),
    Limited(
        "coinbase", (tq.Trades("BTC-USD"),), "Public rate limit exceeded{}", "slow down, BTC-USD", "subscribe"
    ),
    Limited("upbit", (tq.Trades("KRW-BTC"), tq.Books("KRW-BTC")), "TOO_MANY_REQUESTS", "no{}", "ticket"),
    Limited("edgex", (tq.Trades("30000001"),), "too frequent{}", "TOO_MANY_REQUESTS", "subscribe"),
    Limited(
        "zonda",
        (tq.Trades("BTC-PLN"), tq.Books("BTC-PLN")),
        "ACTION_LIMIT_EXCEEDED{}",
        None,
        "subscribe-public",
    ),
    Limited("zonda", (tq.Books("BTC-PLN"),), "ACTION_LIMIT_EXCEEDED{}", None, "proxy", nth=2),
    Limited("darwinex", (tq.Quotes("DWC.4.20"),), "Message throttled out{}", "900800", "subscribe"),
)

each = pytest.mark.parametrize(
    "limited", VENUES, ids=lambda limited: f"{limited.venue}, {limited.asks}, {limited.reason}"
)


async def asked(world: World, limited: Limited, *faults: Fault) -> list[float]:
    """When the session asked, until all was confirmed and 100 s more."""
    place = PLACES[limited.venue]
    simulator = place.simulator(
        seed=1, wall_ns=world.wall_ns, rate=5.0, faults=faults, **{"limits": True, **place.client}
    )
    served = world.serve(simulator)
    async with world.session(
        served, *limited.topics, credentials=place.key, connect_timeout_s=300.0
    ) as stream:
        data = [topic for topic in limited.topics if isinstance(topic, tq.Trades | tq.Quotes)]
        with trio.fail_after(300.0):
            wanted: Any = tq.Trade | tq.Quote if data else tq.BookSnapshot
            while not isinstance(await stream.receive(), wanted):
                pass
        await trio.sleep(100.0)
    assert not simulator.records.breaches
    return [seen.time_s for seen in simulator.records.requests if limited.asks in str(seen.frame)]


@each
@pytest.mark.parametrize("told", ["", f", try again in {TOLD_S:g} seconds"], ids=["no time", "a time"])
def test_nothing_is_asked_for_a_while(limited: Limited, told: str) -> None:
    async def main(world: World) -> list[float]:
        return await asked(world, limited, limited.fault(told, nth=limited.nth, connection=1))

    times = run_world(main, seed=1, deadline_s=DEADLINE_S)
    wait_s = TOLD_S if told else LIMITED_S
    # What was on its way when the refusal came is not asked again.
    pauses = [after - before for before, after in pairwise(times) if after - before >= LIMITED_S - 0.1]
    assert pauses, times
    assert wait_s - 0.1 <= pauses[0] <= 2 * wait_s + 70.0 * (limited.venue == "darwinex")
    assert all(at_s < times[0] + 1.0 or at_s >= times[0] + wait_s - 0.1 for at_s in times), times


@each
def test_a_limit_that_is_met_again_and_again_is_met_ever_more_seldom(limited: Limited) -> None:
    async def main(world: World) -> None:
        place = PLACES[limited.venue]
        simulator = place.simulator(
            seed=1, wall_ns=world.wall_ns, rate=5.0, faults=(limited.fault(""),), **place.client
        )
        topics, served = limited.topics, world.serve(simulator)
        with pytest.raises(tq.ConnectFailed, match="not confirmed"):
            async with world.session(served, *topics, credentials=place.key, connect_timeout_s=600.0):
                pytest.fail("entered")
        times = [seen.time_s for seen in simulator.records.requests if limited.asks in str(seen.frame)]
        assert 6 <= len(times) <= 13 * len(topics), times

    if limited.nth == 1:
        run_world(main, seed=1, deadline_s=DEADLINE_S)


@pytest.mark.parametrize("headers", [(), (("Retry-After", "45"),)])
def test_an_answer_over_rest_without_a_time_is_waited_for_too_and_the_line_is_not(
    headers: tuple[tuple[str, str], ...],
) -> None:
    async def main(world: World) -> None:
        place = PLACES["coinbase"]
        simulator = place.simulator(
            seed=1, wall_ns=world.wall_ns, rate=5.0, faults=(FailRest(nth=1, status=429, headers=headers),),
            **place.client,
        )  # fmt: skip
        served = world.serve(simulator)
        async with world.session(
            served, tq.OrderBooks("BTC-USD"), credentials=place.key, connect_timeout_s=300.0
        ) as stream:
            await trio.sleep(1.0)
            began_s = trio.current_time()
            await stream.subscribe(tq.OrderBooks("ETH-USD"))
            assert trio.current_time() - began_s < 1.0
            await trio.sleep(120.0)
        times = [seen.time_s for seen in simulator.records.rest]
        assert len(times) == 3
        wait_s = 45.0 if headers else LIMITED_S
        assert wait_s <= times[1] - times[0] <= 1.2 * wait_s

    run_world(main, seed=1, deadline_s=DEADLINE_S)


def test_a_line_that_ends_with_such_words_is_not_opened_again_before() -> None:
    """Else it would stand there without a request, which some venues do not suffer for long."""
    words = '{"type":"error","message":"ErrSlowRead","reason":"too many requests, wait 30 s"}'
    faults = (SayOften(connection=1, text=words, after_s=2.0, count=1), DropLine(connection=1, after_s=3.0))

    async def main(world: World) -> None:
        place = PLACES["coinbase"]
        simulator = place.simulator(seed=1, wall_ns=world.wall_ns, rate=5.0, faults=faults)
        async with world.session(world.serve(simulator), tq.Trades("BTC-USD")):
            await trio.sleep(60.0)
        first, second = simulator.records.connects
        assert 2.0 + 30.0 <= second.time_s - first.time_s <= 40.0
        assert not simulator.records.breaches

    run_world(main, seed=1, deadline_s=DEADLINE_S)
