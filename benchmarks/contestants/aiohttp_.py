"""aiohttp and msgspec."""

from __future__ import annotations

import asyncio
import time

import aiohttp

from benchmarks.contestants.meter import Meter, begin
from benchmarks.contestants.requests import PATHS, requests
from benchmarks.contestants.shapes import READERS, value

__all__ = ["main"]


async def run(meter: Meter) -> None:
    task = meter.task
    read = READERS[task.venue]
    gate = meter.gate(len(task.kinds))
    url = task.url + PATHS[task.venue]
    trust = task.trust() or True
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, ssl=trust, max_msg_size=2**25, decode_text=False) as socket,
    ):
        for text in requests(task.feed, task.instruments):
            await socket.send_str(text)
        async for frame in socket:
            if gate(value(read(frame.data))):
                break
        meter.begin()
        seen, noted, now = 0, meter.times.append, time.monotonic_ns
        async for frame in socket:
            message = read(frame.data)
            seen += 1
            if task.paced:
                noted(now())
            if seen == task.count:
                break
        meter.end(value(message))


def main() -> None:
    meter = begin("aiohttp")
    asyncio.run(run(meter))
    meter.say()


if __name__ == "__main__":
    main()
