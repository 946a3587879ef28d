"""``stream.statistics()``: what it says, and that it is the truth."""

from __future__ import annotations

import random

import attrs
import pytest
import trio
import trio.testing

import trioquotes as tq
from tests.runtime.fakes import FakeConnector, Ticks, ToyVenue, book, tick
from trioquotes._protocol.effects import Budget
from trioquotes._protocol.timing import RoundTrip
from trioquotes._runtime.clock import Clock

EPOCH_NS = 1_700_000_000_000_000_000
BUDGETS = (
    Budget("requests", 20, 60.0, "connection", frozenset({"send"})),
    Budget("connects", 10, 60.0, "ip", frozenset({"connect"})),
)


def now_ns() -> int:
    return EPOCH_NS + round(trio.current_time() * 1e9)


def started(connector: FakeConnector, *topics: tq.Topic[tq.Event], **options: object) -> tq.Session:
    clock = Clock(now_ns, random.Random(1))  # noqa: S311  # jitter, no secret
    venue = ToyVenue(budgets=BUDGETS)
    return tq.Session(venue, *topics, connector=connector, clock=clock, **options)  # type: ignore[arg-type]


async def test_lag_is_that_of_the_last_event_and_of_the_latest_read(
    autojump_clock: trio.testing.MockClock,
) -> None:
    connector = FakeConnector(auto_ack=True)
    with trio.fail_after(600):
        async with started(connector, tq.Trades("A"), Ticks("A")) as stream:
            line = await connector.accept()
            trades, native = stream.statistics().channels
            assert (trades.lag_s, trades.max_lag_s, trades.last_received_ns) == (None, None, None)
            await trio.sleep(10)
            line.say(tick(1, at=now_ns() - 7_000_000_000), tick(2, at=now_ns() - 1_000_000_000))
            await trio.testing.wait_all_tasks_blocked()
            trades, native = stream.statistics().channels
            assert (trades.lag_s, trades.max_lag_s) == (1.0, 7.0)
            assert (native.lag_s, native.max_lag_s) == (None, None)
            assert trades.last_received_ns == native.last_received_ns == now_ns()
            line.say(tick(3, at=now_ns() + 500_000_000))
            line.say(tick(4))
            await trio.testing.wait_all_tasks_blocked()
            trades, _ = stream.statistics().channels
            assert (trades.lag_s, trades.max_lag_s) == (None, 7.0)
            line.say(tick(5, at=now_ns() + 500_000_000))
            await trio.testing.wait_all_tasks_blocked()
            trades, _ = stream.statistics().channels
            assert (trades.lag_s, trades.max_lag_s) == (-0.5, 7.0)


async def test_age_and_number_of_events_are_those_of_the_queue(
    autojump_clock: trio.testing.MockClock,
) -> None:
    connector = FakeConnector(auto_ack=True)
    with trio.fail_after(600):
        async with started(connector, tq.Trades("A"), buffer=3) as stream:
            line = await connector.accept()
            (channel,) = stream.statistics().channels
            assert (channel.age_s, channel.events) == (0.0, 0)
            for number in range(5):
                line.say(tick(number))
                await trio.sleep(10)
            (channel,) = stream.statistics().channels
            assert (channel.events, channel.queued, channel.dropped) == (5, 3, 2)
            assert channel.age_s == pytest.approx(30.0)
            while not isinstance(await stream.receive(), tq.Trade):
                pass
            (channel,) = stream.statistics().channels
            assert (channel.events, channel.queued, channel.delivered) == (5, 2, 1)
            assert channel.age_s == pytest.approx(20.0)


async def test_a_book_that_is_shown_again_to_who_comes_late_has_no_lag_of_its_own(
    autojump_clock: trio.testing.MockClock,
) -> None:
    connector = FakeConnector(auto_ack=True)
    with trio.fail_after(600):
        async with started(connector, tq.Books("A")) as stream:
            line = await connector.accept()
            line.say(book([("10", "1")], [("11", "1")], whole=True))
            await trio.sleep(100)
            received_ns = stream.statistics().channels[0].last_received_ns
            assert received_ns == EPOCH_NS
            await stream.subscribe(tq.Books("A"))
            first, second = stream.statistics().channels
            assert first.last_received_ns == second.last_received_ns == received_ns
            assert second.age_s == 0.0


async def test_lines_say_when_they_were_heard_and_how_often_they_came_back(
    autojump_clock: trio.testing.MockClock,
) -> None:
    connector = FakeConnector(auto_ack=True)
    with trio.fail_after(600):
        async with started(connector, tq.Trades("A")) as stream:
            line = await connector.accept()
            (lane,) = stream.statistics().lanes
            assert (lane.last_frame_ns, lane.last_data_ns, lane.reconnects) == (EPOCH_NS, None, 0)
            await trio.sleep(5)
            line.say(tick(1))
            await trio.sleep(5)
            line.say(b"{}")
            await trio.testing.wait_all_tasks_blocked()
            (lane,) = stream.statistics().lanes
            assert lane.last_data_ns == EPOCH_NS + 5_000_000_000
            assert lane.last_frame_ns == EPOCH_NS + 10_000_000_000
            assert lane.count.malformed == 1
            line.drop()
            await connector.accept()
            (lane,) = stream.statistics().lanes
            assert (lane.reconnects, lane.connected, lane.attempts) == (1, True, 2)
            assert "vanished" in lane.failure
            assert lane.count.gaps == 1


async def test_round_trips_are_those_of_answered_pings(autojump_clock: trio.testing.MockClock) -> None:
    connector = FakeConnector(auto_ack=True)
    with trio.fail_after(600):
        async with started(connector, tq.Trades("A")) as stream:
            line = await connector.accept()
            for round_trip_s in (None, 0.08, None, 0.16):
                line.pong(round_trip_s)
            await trio.testing.wait_all_tasks_blocked()
            (lane,) = stream.statistics().lanes
            assert lane.round_trip_s == 0.16
            assert lane.smoothed_round_trip_s == pytest.approx(0.09)


def test_a_smoothed_round_trip_comes_near_what_lasts() -> None:
    trip = RoundTrip()
    trip.took(10.0)
    assert trip.smoothed_s == 10.0
    for _ in range(100):
        trip.took(0.1)
    assert trip.smoothed_s == pytest.approx(0.1, abs=0.001)


async def test_budgets_of_the_address_and_of_each_line_are_told_apart(
    autojump_clock: trio.testing.MockClock,
) -> None:
    connector = FakeConnector(auto_ack=True)
    with trio.fail_after(600):
        async with started(connector, tq.Trades("A"), tq.Trades("B"), tq.Trades("SOLO")) as stream:
            figures = stream.statistics()
            (connects,) = figures.budgets
            assert (connects.name, connects.used, connects.free, connects.next_free_s) == (
                "connects",
                2,
                8,
                0,
            )
            used = {lane.lane: [(each.name, each.free) for each in lane.budgets] for lane in figures.lanes}
            assert used == {"main": [("requests", 18)], "solo": [("requests", 19)]}


async def test_budgets_of_another_account_are_not_shown(autojump_clock: trio.testing.MockClock) -> None:
    budgets = tq.Budgets()
    mine = (Budget("orders", 5, 60.0, "account", frozenset({"connect"})),)
    with trio.fail_after(600):
        async with trio.open_nursery() as nursery:
            for key in ("one", "two"):
                connector = FakeConnector(auto_ack=True)
                session = tq.Session(
                    ToyVenue(budgets=mine),
                    tq.Trades("A"),
                    connector=connector,
                    budgets=budgets,
                    credentials=tq.ApiKey(key, "secret"),
                )

                async def run(session: tq.Session = session) -> None:
                    async with session as stream:
                        await trio.sleep(10)
                        assert [(each.name, each.used) for each in stream.statistics().budgets] == [
                            ("orders", 1)
                        ]

                nursery.start_soon(run)


async def test_figures_are_values(autojump_clock: trio.testing.MockClock) -> None:
    connector = FakeConnector(auto_ack=True)
    with trio.fail_after(600):
        async with started(connector, tq.Trades("A")) as stream:
            line = await connector.accept()
            before = stream.statistics()
            with pytest.raises(attrs.exceptions.FrozenInstanceError):
                before.venue = "other"  # type: ignore[misc]
            line.say(tick(1))
            await trio.testing.wait_all_tasks_blocked()
            after = stream.statistics()
            assert (before.count.delivered, after.count.delivered) == (0, 1)
            assert after.count == after.lanes[0].count
            assert before.channels[0].queued == 0
