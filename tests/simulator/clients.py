"""A client of the simulators by hand: nothing of ours but the server under test."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio
import trio.testing
import trio_websocket

from trioquotes.simulator.server import Simulator
from trioquotes.simulator.venues.coinbase import Profile, sign

START_S = 1_758_253_500
KEY = Profile(key="key-1", secret="c2hhZG93ZmlsbC10ZXN0LXNlY3JldA==", passphrase="phrase-1")


def wall_ns() -> int:
    """A wall clock that goes with the virtual one."""
    return START_S * 10**9 + int(trio.current_time() * 1e9)


def signature(timestamp: str = str(START_S), profile: Profile = KEY) -> dict[str, Any]:
    """The fields that sign a request."""
    return {
        "key": profile.key, "passphrase": profile.passphrase, "timestamp": timestamp,
        "signature": sign(profile.secret, timestamp),
    }  # fmt: skip


class Client:
    """One connection."""

    def __init__(self, websocket: trio_websocket.WebSocketConnection) -> None:
        self.websocket = websocket

    async def say(self, message: Any) -> None:
        await self.websocket.send_message(message if isinstance(message, str) else json.dumps(message))

    async def ask(self, *channels: Any, kind: str = "subscribe", **fields: Any) -> None:
        await self.say({"type": kind, "channels": list(channels), **fields})

    async def hear(self) -> Any:
        return json.loads(await self.websocket.get_message())

    async def hear_until(self, kind: str) -> Any:
        """The next message of a type; others before it are dropped."""
        while True:
            message = await self.hear()
            if isinstance(message, dict) and message.get("type") == kind:
                return message

    async def hear_for(self, seconds: float) -> list[Any]:
        """Everything that comes within some time."""
        heard: list[Any] = []
        with trio.move_on_after(seconds):
            while True:
                heard.append(await self.hear())
        return heard

    async def hear_end(self) -> trio_websocket.CloseReason | None:
        """Read until the line ends; how it ended."""
        try:
            while True:
                await self.websocket.get_message()
        except trio_websocket.ConnectionClosed as closed:
            return closed.reason


@asynccontextmanager
async def connected(
    simulator: Simulator[Any],
    peer: str = "memory",
    streams: tuple[trio.abc.Stream, trio.abc.Stream] | None = None,
) -> AsyncIterator[Client]:
    """A client over memory streams, which never push back unless others are given."""
    near, far = streams or trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:

        async def serve() -> None:
            await simulator.serve_stream(far, peer=peer)

        nursery.start_soon(serve)
        websocket = await trio_websocket.wrap_client_stream(
            nursery,
            near,  # type: ignore[arg-type]  # any stream will do
            "feed.test",
            "/",
        )
        yield Client(websocket)
        nursery.cancel_scope.cancel()


async def http(simulator: Simulator[Any], request: bytes, peer: str = "memory") -> bytes:
    """Send bytes, hear everything until the server hangs up."""
    near, far = trio.testing.memory_stream_pair()
    heard = b""
    async with trio.open_nursery() as nursery:

        async def serve() -> None:
            await simulator.serve_stream(far, peer=peer)

        nursery.start_soon(serve)
        await near.send_all(request)
        while data := await near.receive_some():
            heard += data
    return heard


async def get(simulator: Simulator[Any], target: str) -> tuple[int, Any]:
    """Status and JSON body of one GET."""
    answer = await http(
        simulator, f"GET {target} HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n".encode()
    )
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)
