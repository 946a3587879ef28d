"""trioquotes while it records: as ``ours``, in its variants ``native`` and ``unified``, with a recorder in between.

With the variant ``replay`` nothing is connected: what was recorded last in the folder is
replayed as fast as it is read, and the time that takes is the result.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import trio

import trioquotes as tq
from benchmarks.contestants.meter import Meter, begin
from benchmarks.contestants.ours import PATIENCE_S, native_topics, read, recipe, unified_topics
from trioquotes.recording import record, replay

__all__ = ["FOLDER", "main"]

FOLDER = "TRIOQUOTES_BENCHMARK_RECORDING"
"""Names the folder, in the environment."""


async def recorded(meter: Meter) -> int:
    """All topics in one stream, recorded; returns how many events were dropped."""
    task = meter.task
    folder = Path(os.environ[FOLDER])
    shutil.rmtree(folder, ignore_errors=True)
    topics = unified_topics if task.variant == "unified" else native_topics
    recorder = record(folder)
    async with recipe(task, *topics(task.feed, task.instruments), connector=recorder) as stream:
        await read(stream, meter, len(task.kinds), task.count)
        dropped = sum(channel.dropped for channel in stream.statistics().channels)
    status = recorder.status()
    if status.error is not None or status.written != status.records:
        raise RuntimeError(f"not all of it was recorded: {status}")
    return dropped


async def replayed(meter: Meter) -> None:
    """What was recorded last, as fast as it is read."""
    del meter
    replayer = replay(os.environ[FOLDER], speed="max")
    events = 0
    began_ns, cpu_ns = time.monotonic_ns(), time.process_time_ns()
    async with tq.Session(
        replayer.venue, *replayer.topics, connector=replayer, buffer=100_000, buffer_bytes=2**40
    ) as stream:
        async for _ in stream:
            events += 1
    cpu_ns, wall_ns = time.process_time_ns() - cpu_ns, time.monotonic_ns() - began_ns
    print(
        f'{{"events": {events}, "frames": {replayer.progress.frames}, "cpu_ns": {cpu_ns}, "wall_ns": {wall_ns}}}'
    )


async def run(meter: Meter) -> None:
    if meter.task.variant == "replay":
        await replayed(meter)
        return
    dropped = -1
    with trio.move_on_after(PATIENCE_S):
        dropped = await recorded(meter)
    meter.say(dropped=dropped)


def main() -> None:
    meter = begin("trioquotes")
    trio.run(run, meter)


if __name__ == "__main__":
    main()
