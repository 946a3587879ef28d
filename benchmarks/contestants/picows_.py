"""picows and msgspec: the fastest bare stack there is, with the user's code in its callback.

Variants: ``""`` on asyncio's own loop, ``"uvloop"`` on uvloop, ``"loop"`` hands the messages over to a user's ``while``
loop, a wake-up for all that one read brought.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks.contestants.meter import Meter, begin
from benchmarks.contestants.requests import PATHS, requests
from benchmarks.contestants.shapes import READERS, value
from benchmarks.contestants.tally import Tally

__all__ = ["main"]

TEXT, BINARY = WSMsgType.TEXT, WSMsgType.BINARY


class Listener(WSListener):
    """Decodes every frame in place, without a copy."""

    def __init__(self, meter: Meter) -> None:
        self._task = meter.task
        self._read = READERS[meter.task.venue]
        self.finished = asyncio.Event()
        self._tally = Tally(meter, value, self.finished.set)

    def on_ws_connected(self, transport: WSTransport) -> None:
        for text in requests(self._task.feed, self._task.instruments):
            transport.send(TEXT, text.encode())

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:  # noqa: ARG002  # as picows calls it
        kind = frame.msg_type
        if kind is TEXT or kind is BINARY:
            self._tally.take(self._read(frame.get_payload_as_memoryview()))


class Queueing(Listener):
    """Puts what it decoded into a queue, and wakes who reads it once a read."""

    def __init__(self, meter: Meter) -> None:
        super().__init__(meter)
        self._queue: deque[Any] = deque()
        self._waiting: asyncio.Future[None] | None = None

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:  # noqa: ARG002  # as picows calls it
        kind = frame.msg_type
        if kind is TEXT or kind is BINARY:
            self._queue.append(self._read(frame.get_payload_as_memoryview()))
            if self._waiting is not None:
                self._waiting.set_result(None)
                self._waiting = None

    async def drain(self) -> None:
        """The user's loop."""
        queue, tally = self._queue, self._tally
        while not self.finished.is_set():
            while queue:
                tally.take(queue.popleft())
            self._waiting = asyncio.get_running_loop().create_future()
            if not self.finished.is_set():
                await self._waiting


async def run(meter: Meter) -> None:
    task = meter.task
    listener = (Queueing if task.variant == "loop" else Listener)(meter)
    transport, _ = await ws_connect(
        lambda: listener, task.url + PATHS[task.venue], ssl_context=task.trust(), max_frame_size=2**25
    )
    if isinstance(listener, Queueing):
        await listener.drain()
    await listener.finished.wait()
    transport.disconnect()
    await transport.wait_disconnected()


def main() -> None:
    meter = begin("picows")
    if meter.task.variant == "uvloop":
        import uvloop  # noqa: PLC0415  # only this variant needs it

        uvloop.run(run(meter))
    else:
        asyncio.run(run(meter))
    meter.say()


if __name__ == "__main__":
    main()
