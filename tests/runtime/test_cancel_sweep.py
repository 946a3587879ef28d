"""Cancellation at every scheduler step of a session: nothing is left, nothing is lost."""

from __future__ import annotations

import gc
import warnings

import pytest
import trio
import trio.testing

import trioquotes as tq
from tests.runtime.fakes import FakeConnector, ToyVenue, tick


class CancelAtStep(trio.abc.Instrument):
    """Cancels a scope before the nth step of any task."""

    def __init__(self, scope: trio.CancelScope, step: int) -> None:
        self.scope = scope
        self.left = step

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.left -= 1
        if self.left == 0:
            self.scope.cancel()


async def _scenario(connector: FakeConnector) -> None:
    """Connect, subscribe, stream, lose the line, reconnect, subscribe more, leave."""
    async with tq.Session(ToyVenue(beat_s=5.0), tq.Trades("A"), connector=connector) as stream:
        line = await connector.accept()
        line.say(tick(1), tick(2))
        for _ in range(3):
            await stream.receive()
        line.drop()
        line = await connector.accept()
        channel = await stream.subscribe(tq.Trades("B"))
        line.say(tick(3, "B"))
        await channel.receive()
        await channel.aclose()
        await trio.sleep(20)


def _tasks() -> int:
    return trio.lowlevel.current_statistics().tasks_living


async def _cancelled_at(step: int) -> bool:
    """Run the scenario, cancelled at that step; returns whether it came that far."""
    before = _tasks()
    connector = FakeConnector(auto_ack=True)
    with trio.CancelScope() as scope:
        instrument = CancelAtStep(scope, step)
        trio.lowlevel.add_instrument(instrument)
        try:
            start_s = trio.current_time()
            await _scenario(connector)
        finally:
            trio.lowlevel.remove_instrument(instrument)
            if scope.cancel_called:
                assert trio.current_time() - start_s < 3600
    assert _tasks() == before, f"tasks left after a cancel at step {step}"
    assert not connector.open_lines, f"a line left open after a cancel at step {step}"
    return scope.cancel_called


async def test_a_cancel_at_any_step_leaves_nothing(autojump_clock: trio.testing.MockClock) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        step = 1
        with trio.fail_after(1_000_000):
            while await _cancelled_at(step):
                step += 1
        gc.collect()
    assert step > 60, "the scenario has fewer steps than it must have"
    assert [] == [str(w.message) for w in caught if issubclass(w.category, ResourceWarning)]


async def _consume(stream: tq.Stream, into: list[str]) -> None:
    async for event in stream:
        if isinstance(event, tq.Trade):
            into.append(str(event.price))
        if len(into) == 100:
            return


@pytest.mark.parametrize("first", range(1, 40, 3))
async def test_a_consumer_cancelled_at_any_step_loses_no_event(
    autojump_clock: trio.testing.MockClock, first: int
) -> None:
    connector = FakeConnector(auto_ack=True)
    got: list[str] = []
    with trio.fail_after(3600):
        async with tq.Session(ToyVenue(), tq.Trades("A"), connector=connector) as stream:
            line = await connector.accept()

            async def serve() -> None:
                for number in range(0, 100, 2):
                    line.say(tick(number), tick(number + 1))
                    await trio.sleep(0.1)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(serve)
                step = first
                while len(got) < 100:
                    with trio.CancelScope() as scope:
                        instrument = CancelAtStep(scope, step)
                        trio.lowlevel.add_instrument(instrument)
                        try:
                            await _consume(stream, got)
                        finally:
                            trio.lowlevel.remove_instrument(instrument)
                    step = step % 17 + 1
    assert [str(number) for number in range(100)] == got
