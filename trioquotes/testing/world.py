"""For users' tests: a small deterministic world in which real sessions meet simulated venues.

::

    async def test_my_bot(autojump_clock):
        async with open_world(seed=1) as world:
            venue = world.serve(CoinbaseSimulator(seed=1, wall_ns=world.wall_ns))
            async with world.session(venue, Trades("BTC-USD")) as stream:
                ...

No socket and no real time: bytes travel over memory streams, cut into pieces that the seed decides, HTTP
as well as WebSocket. Under trio's ``MockClock`` with ``autojump_threshold=0`` an hour takes moments.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio
import trio.testing

from trioquotes._runtime.clock import Clock
from trioquotes._runtime.session import Session
from trioquotes._runtime.transport import TapConnector
from trioquotes.events import Event
from trioquotes.simulator.server import Simulator
from trioquotes.topics import Topic

__all__ = ["EPOCH_NS", "Served", "World", "open_world"]

EPOCH_NS = 1_700_000_000_000_000_000
"""When every world begins, in Unix nanoseconds: 2023-11-14 22:13:20 UTC."""


class Served:
    """A simulated venue in a world.

    Attributes:
        simulator: the simulator itself, for its records and its market.
        endpoint: the URL that leads to it inside the world.
    """

    def __init__(self, simulator: Simulator[Any], endpoint: str) -> None:
        self.simulator = simulator
        self.endpoint = endpoint


class World:
    """Simulated venues, a memory network and a clock, all from one seed; made by :func:`open_world`."""

    def __init__(self, seed: int, nursery: trio.Nursery) -> None:
        self._random = random.Random(seed)  # noqa: S311  # decides a simulation, keeps no secret
        self._nursery = nursery
        self._ports: dict[int, Simulator[Any]] = {}
        self._connector = TapConnector(self)

    def wall_ns(self) -> int:
        """The world's wall clock: it keeps step with trio's clock. Unix nanoseconds."""
        return EPOCH_NS + int(trio.current_time() * 1e9)

    def serve(self, simulator: Simulator[Any]) -> Served:
        """Put a simulated venue into the world."""
        port = len(self._ports) + 1
        self._ports[port] = simulator
        return Served(simulator, f"ws://127.0.0.1:{port}")

    def session(self, served: Served, *topics: Topic[Event], **options: Any) -> Session:
        """A real session with that venue; ``options`` are those of ``Session``.

        Raises:
            UsageError: as ``Session``.
        """
        clock = Clock(self.wall_ns, random.Random(self._random.getrandbits(64)))  # noqa: S311  # as above
        settings = {"endpoint": served.endpoint, "connector": self._connector, "clock": clock, **options}
        return Session(served.simulator.venue, *topics, **settings)

    async def open(self, host: str, port: int) -> trio.abc.Stream:
        """A byte stream to a venue of this world: what makes it a network for connectors.

        Raises:
            OSError: nothing is served there.
        """
        await trio.lowlevel.checkpoint()
        simulator = self._ports.get(port)
        if simulator is None:
            raise ConnectionRefusedError(f"nothing is served at {host}:{port}")
        ours, theirs = trio.testing.memory_stream_pair()
        self._nursery.start_soon(simulator.serve_stream, theirs)
        return _PiecewiseStream(ours, random.Random(self._random.getrandbits(64)))  # noqa: S311  # as above


class _PiecewiseStream(trio.abc.HalfCloseableStream):
    """A stream whose reads return as little as a network may."""

    def __init__(self, stream: trio.abc.HalfCloseableStream, pieces: random.Random) -> None:
        self._stream = stream
        self._pieces = pieces

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Read up to a size that the seed decides."""
        piece = 1 << self._pieces.randint(4, 16)
        return await self._stream.receive_some(piece if max_bytes is None else min(piece, max_bytes))

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Write."""
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until writing may go on."""
        await self._stream.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        """End our direction."""
        await self._stream.send_eof()

    async def aclose(self) -> None:
        """Close both directions."""
        await self._stream.aclose()


@asynccontextmanager
async def open_world(seed: int = 0) -> AsyncIterator[World]:
    """A world that lives while the block runs; leaving it ends its venues.

    Args:
        seed: decides how the network cuts and what the sessions' jitter is.
    """
    body_error: BaseException | None = None
    async with trio.open_nursery() as nursery:
        try:
            yield World(seed, nursery)
        except BaseException as error:  # noqa: BLE001, ASYNC103  # raised again below, outside of our nursery's groups
            body_error = error
        nursery.cancel_scope.cancel()
    if body_error is not None:
        raise body_error
