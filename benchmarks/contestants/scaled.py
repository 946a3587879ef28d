"""trioquotes with many instruments, many channels or many sessions, as the task's variant says.

* ``instruments``: all topics in one stream.
* ``channels``: a channel and a task for each instrument.
* ``sessions``: so many sessions, each with a connection and all instruments, and a task that reads it.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import trio

import trioquotes as tq
from benchmarks.contestants.meter import Meter, begin
from benchmarks.contestants.ours import PATIENCE_S, recipe, value
from benchmarks.inputs.base import END, MARK
from trioquotes.venues import coinbase

__all__ = ["main"]


SETTLED_S = 0.1
"""After the last mark everything that came before it has been read: the server pauses for longer."""


class Counted:
    """All messages of all readers together, whose order among each other is nobody's business."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._gate = meter.gate()
        self._marks = 2 * meter.task.sessions
        self._left = meter.task.count * meter.task.sessions
        self._measuring = False
        self._warmed = trio.Event()
        self._finished = trio.Event()

    async def wait(self) -> None:
        """Start the measurement when all is warm, and wait for its end."""
        await self._warmed.wait()
        await trio.sleep(SETTLED_S)
        self._measuring = True
        self._meter.begin()
        await self._finished.wait()

    async def read(self, events: AsyncIterator[Any]) -> None:
        """A user's loop."""
        paced, noted, now = self._meter.task.paced, self._meter.times.append, time.monotonic_ns
        async for event in events:
            if self._measuring:
                if paced:
                    noted(now())
                self._left -= 1
                if not self._left:
                    self._meter.end(END)  # whichever reader was the last: nothing is missing
                    self._finished.set()
            elif (price := value(event)) == MARK:
                self._marks -= 1
                if not self._marks:
                    self._warmed.set()
            elif price is not None:
                self._gate.events += 1
                self._gate.total += price


async def run(meter: Meter) -> None:
    task = meter.task
    counted = Counted(meter)
    topics = [coinbase.Tickers(one) for one in task.instruments]
    with trio.move_on_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            for _ in range(task.sessions):
                nursery.start_soon(one_session, meter, counted, topics)
            await counted.wait()
            nursery.cancel_scope.cancel()
    meter.say()


async def one_session(meter: Meter, counted: Counted, topics: list[coinbase.Tickers]) -> None:
    """One connection, and whoever reads it."""
    task = meter.task
    if task.variant != "channels":
        async with recipe(task, *topics) as stream:
            await counted.read(stream)
        return
    async with recipe(task) as stream, trio.open_nursery() as nursery:
        for topic in topics:
            nursery.start_soon(one_channel, counted, stream, topic)


async def one_channel(counted: Counted, stream: tq.Stream, topic: coinbase.Tickers) -> None:
    """One channel, and its reader."""
    await counted.read(await stream.subscribe(topic, buffer=100_000, buffer_bytes=2**40))


def main() -> None:
    meter = begin("trioquotes")
    trio.run(run, meter)


if __name__ == "__main__":
    main()
