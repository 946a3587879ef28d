"""A machine that sleeps, and a clock that is set: noticed within a second, and said."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

import trioquotes as tq
from tests.runtime.fakes import FakeConnector, FakeLine, ToyVenue, book, tick
from trioquotes._protocol.liveness import LOOK_EVERY_S, STEP_S, STILL_S, Vigil
from trioquotes._runtime.clock import Clock
from trioquotes._runtime.connection import AWAKE_WITHIN_S, LEFTOVERS_S

EPOCH_NS = 1_700_000_000_000_000_000


class Machine:
    """A wall clock that can be set."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def wall_ns(self) -> int:
        return EPOCH_NS + round((trio.current_time() + self.ahead_s) * 1e9)


@asynccontextmanager
async def opened(
    machine: Machine, *topics: tq.Topic[tq.Event]
) -> AsyncIterator[tuple[tq.Stream, FakeConnector, FakeLine, ToyVenue]]:
    connector = FakeConnector(auto_ack=True)
    venue = ToyVenue()
    clock = Clock(machine.wall_ns, random.Random(1))  # noqa: S311  # jitter, no secret
    with trio.fail_after(3600):
        async with tq.Session(venue, *topics, connector=connector, clock=clock) as stream:
            line = await connector.accept()
            assert isinstance(await stream.receive(), tq.Connected)
            yield stream, connector, line, venue


@pytest.mark.parametrize(
    ("by_s", "words"),
    [
        (3600.0, "the machine was suspended for 3600 s, or its clock was set forward"),
        (-90.0, "the machine's clock was set back by 90 s"),
        (2.5, "the machine was suspended for 2 s, or its clock was set forward"),
    ],
)
async def test_clocks_that_part_are_a_gap_within_a_second(
    by_s: float, words: str, autojump_clock: trio.testing.MockClock
) -> None:
    machine = Machine()
    async with opened(machine, tq.Trades("A")) as (stream, _, line, _):
        await trio.sleep(7.3)
        machine.ahead_s += by_s
        start_s = trio.current_time()
        gap = await stream.receive()
        assert isinstance(gap, tq.Gap)
        assert gap.reason == words
        assert trio.current_time() - start_s <= LOOK_EVERY_S
        await trio.testing.wait_all_tasks_blocked()
        assert line.pings == 1
        assert stream.statistics().count.gaps == 1


async def test_a_jump_of_the_monotonic_clock_is_a_gap_too(autojump_clock: trio.testing.MockClock) -> None:
    async with opened(Machine(), tq.Trades("A")) as (stream, _, line, _):
        await trio.sleep(7.3)
        autojump_clock.jump(1800.0)
        gap = await stream.receive()
        assert isinstance(gap, tq.Gap)
        assert gap.reason.startswith("the machine was suspended for 180")
        await trio.testing.wait_all_tasks_blocked()
        assert line.pings == 1


async def test_steps_of_time_keeping_and_short_stalls_are_nothing(
    autojump_clock: trio.testing.MockClock,
) -> None:
    machine = Machine()
    async with opened(machine, tq.Trades("A")) as (stream, _, line, _):
        for step_s in (1.9, -1.9, 1.9, 1.9):
            machine.ahead_s += step_s
            await trio.sleep(1.5)
        autojump_clock.jump(STILL_S - 0.1)
        await trio.sleep(3600 - trio.current_time() - 10)
        with pytest.raises(trio.WouldBlock):
            stream.receive_nowait()
        assert line.pings == 0


async def test_the_gap_stands_before_what_comes_after_the_sleep(
    autojump_clock: trio.testing.MockClock,
) -> None:
    machine = Machine()
    async with opened(machine, tq.Trades("A")) as (stream, _, line, _):
        line.say(tick(1))
        await trio.sleep(0.5)
        machine.ahead_s += 600
        line.say(tick(2))
        await trio.sleep(3)
        kinds = [type(event) for event in await stream.receive_many()]
    assert kinds == [tq.Trade, tq.Gap, tq.Trade]


async def test_a_book_is_broken_and_asked_for_anew(autojump_clock: trio.testing.MockClock) -> None:
    machine = Machine()
    whole = book([("10", "1")], [("11", "1")], whole=True)
    async with opened(machine, tq.Books("A")) as (stream, _, line, _):
        line.say(whole)
        assert isinstance(await stream.receive(), tq.BookSnapshot)
        assert b'"sub"' in await line.heard.receive()
        machine.ahead_s += 600
        assert isinstance(await stream.receive(), tq.Gap)
        assert b'"unsub"' in await line.heard.receive()
        assert b'"sub"' in await line.heard.receive()
        line.say(book([("10", "2")], []))
        line.say(whole)
        await trio.testing.wait_all_tasks_blocked()
        kinds = [type(event) for event in await stream.receive_many()]
    assert tq.BookChange not in kinds
    assert kinds[-2:] == [tq.BookSnapshot, tq.Resynced]


async def test_a_line_that_did_not_outlive_the_sleep_is_given_up_soon(
    autojump_clock: trio.testing.MockClock,
) -> None:
    machine = Machine()
    async with opened(machine, tq.Trades("A")) as (stream, connector, line, venue):
        await trio.sleep(100)
        machine.ahead_s += 600
        line.say(tick(1))  # it waited in the socket
        start_s = trio.current_time()
        new = await connector.accept()
        assert trio.current_time() - start_s <= LOOK_EVERY_S + AWAKE_WITHIN_S + LOOK_EVERY_S + 1.0
        assert not line.polite
        seen = await stream.receive_many()
        (lost,) = [event for event in seen if isinstance(event, tq.Disconnected)]
        assert "after the machine was suspended for 600 s" in lost.reason
        assert new in connector.open_lines
        signed = venue.protocols[-1].opened_ns
        assert signed >= EPOCH_NS + 700 * 1_000_000_000, "what is signed from now on has the new time"


@pytest.mark.parametrize("sign", ["pong", "data"])
async def test_a_line_that_answers_is_kept(sign: str, autojump_clock: trio.testing.MockClock) -> None:
    machine = Machine()
    async with opened(machine, tq.Trades("A")) as (stream, connector, line, _):
        await trio.sleep(100)
        machine.ahead_s += 600
        await trio.sleep(LOOK_EVERY_S + LEFTOVERS_S + 0.5)
        if sign == "pong":
            line.pong(0.1)
        else:
            line.say(tick(1))
        await trio.sleep(600)
        assert connector.open_lines == [line]
        assert line.pings == 1
        kinds = [type(event) for event in await stream.receive_many()]
        assert kinds == [tq.Gap] + ([tq.Trade] if sign == "data" else [])


def test_looks_that_are_nearly_late_or_nearly_apart_find_nothing() -> None:
    vigil = Vigil(0, 0.0)
    now_s = wall_s = 0.0
    for _ in range(100):
        now_s += LOOK_EVERY_S + STILL_S - 0.01
        wall_s += LOOK_EVERY_S + STILL_S + STEP_S - 0.02
        assert not vigil.look(round(wall_s * 1e9), now_s)
    assert vigil.look(round((wall_s + 1 + STEP_S) * 1e9), now_s + 1)
