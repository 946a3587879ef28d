"""The ``websockets`` package and msgspec: its asyncio client, or with ``"trio"`` its sans-I/O protocol on a trio stream."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import trio
from websockets.asyncio.client import connect
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

from benchmarks.contestants.meter import Meter, begin
from benchmarks.contestants.requests import PATHS, requests
from benchmarks.contestants.shapes import READERS, value

__all__ = ["main"]

READ_BYTES = 65536


async def on_asyncio(meter: Meter) -> None:
    task = meter.task
    read = READERS[task.venue]
    url = task.url + PATHS[task.venue]
    async with connect(url, ssl=task.trust(), max_size=2**25, compression=None, max_queue=1024) as socket:
        for text in requests(task.feed, task.instruments):
            await socket.send(text)

        async def messages() -> AsyncIterator[Any]:
            while True:
                yield read(await socket.recv(decode=False))

        await user(meter, messages())


async def user(meter: Meter, messages: AsyncIterator[Any]) -> None:
    """The user's loop."""
    gate, task = meter.gate(len(meter.task.kinds)), meter.task
    async for message in messages:
        if gate(value(message)):
            break
    meter.begin()
    seen, noted, now = 0, meter.times.append, time.monotonic_ns
    async for message in messages:  # noqa: B007  # the last one is looked at
        seen += 1
        if task.paced:
            noted(now())
        if seen == task.count:
            break
    meter.end(value(message))


async def on_trio(meter: Meter) -> None:
    task = meter.task
    port = task.port
    trust = task.trust()
    stream: trio.abc.Stream = (
        await trio.open_tcp_stream("127.0.0.1", port)
        if trust is None
        else await trio.open_ssl_over_tcp_stream("localhost", port, ssl_context=trust)
    )
    protocol = ClientProtocol(parse_uri(task.url + PATHS[task.venue]), max_size=2**25)
    read = READERS[task.venue]
    protocol.send_request(protocol.connect())

    async def flush() -> None:
        for data in protocol.data_to_send():
            if data:
                await stream.send_all(data)

    await flush()

    async def messages() -> AsyncIterator[Any]:
        while True:
            protocol.receive_data(await stream.receive_some(READ_BYTES))
            for event in protocol.events_received():
                if not isinstance(event, Frame):
                    for text in requests(task.feed, task.instruments):
                        protocol.send_text(text.encode())
                elif event.opcode is Opcode.TEXT or event.opcode is Opcode.BINARY:
                    yield read(event.data)
            await flush()

    async with stream:
        await user(meter, messages())
        protocol.send_close(1000)
        await flush()


def main() -> None:
    meter = begin("websockets")
    if meter.task.variant == "trio":
        trio.run(on_trio, meter)
    else:
        asyncio.run(on_asyncio(meter))
    meter.say()


if __name__ == "__main__":
    main()
