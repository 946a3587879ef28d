"""A client of the simulated Upbit by hand: nothing of ours but the server under test."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import trio
import trio.testing
import trio_websocket

from tests.simulator.clients import wall_ns
from trioquotes.simulator.faults import Fault
from trioquotes.simulator.server import Simulator
from trioquotes.simulator.venues.upbit import Account, UpbitSimulator, make_token

D = Decimal

ACCOUNT = Account(key="key-1", secret="secret-1")
OTHER = Account(name="other", key="key-2", secret="secret-2")

PUBLIC, PRIVATE, INFO = "/websocket/v1", "/websocket/v1/private", "/websocket/v1/info"

nonces = itertools.count(1)


def upbit(*faults: Fault, **options: Any) -> UpbitSimulator:
    return UpbitSimulator(
        **{
            "seed": 7,
            "rate": 30.0,
            "accounts": [ACCOUNT, OTHER],
            "faults": faults,
            "wall_ns": wall_ns,
            **options,
        }
    )


def bearer(
    account: Account = ACCOUNT, *, nonce: str | None = None, **options: Any
) -> list[tuple[bytes, bytes]]:
    """The header that proves who it is, with a nonce of its own."""
    token = make_token(account.key, account.secret, nonce or f"nonce-{next(nonces)}", **options)
    return [(b"Authorization", f"Bearer {token}".encode())]


def asking(*objects: dict[str, Any], form: str | None = None) -> str:
    """A request with a ticket first and the format last."""
    tail = [] if form is None else [{"format": form}]
    return json.dumps([{"ticket": "test"}, *objects, *tail])


def exact(frame: bytes | str) -> Any:
    """A frame's JSON with every digit kept."""
    return json.loads(frame, parse_float=Decimal)


class Client:
    """One connection."""

    def __init__(self, websocket: trio_websocket.WebSocketConnection) -> None:
        self.websocket = websocket

    async def say(self, message: str | bytes) -> None:
        await self.websocket.send_message(message)

    async def ask(self, *objects: dict[str, Any], form: str | None = None) -> None:
        await self.say(asking(*objects, form=form))

    async def hear_raw(self) -> str:
        frame = await self.websocket.get_message()
        assert isinstance(frame, bytes), "every frame of the venue is binary"
        return frame.decode()

    async def hear(self) -> Any:
        return exact(await self.hear_raw())

    async def hear_for(self, seconds: float) -> list[Any]:
        """Everything that comes within some time."""
        return [exact(text) for text in await self.hear_raw_for(seconds)]

    async def hear_raw_for(self, seconds: float) -> list[str]:
        heard: list[str] = []
        with trio.move_on_after(seconds):
            while True:
                heard.append(await self.hear_raw())
        return heard

    async def hear_end(self) -> tuple[list[str], trio_websocket.CloseReason | None, float]:
        """Read until the line ends: what came, how it ended, and when."""
        heard: list[str] = []
        try:
            while True:
                heard.append(await self.hear_raw())
        except trio_websocket.ConnectionClosed as closed:
            return heard, closed.reason, trio.current_time()


@asynccontextmanager
async def connected(
    simulator: Simulator[Any],
    path: str = PUBLIC,
    headers: Sequence[tuple[bytes, bytes]] = (),
    *,
    peer: str = "memory",
) -> AsyncIterator[Client]:
    """A client over memory streams."""
    near, far = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:

        async def serve() -> None:
            await simulator.serve_stream(far, peer=peer)

        nursery.start_soon(serve)
        websocket = await trio_websocket.wrap_client_stream(
            nursery,
            near,  # type: ignore[arg-type]  # any stream will do
            "api.test",
            path,
            extra_headers=list(headers),
        )
        yield Client(websocket)
        nursery.cancel_scope.cancel()


async def shake(
    simulator: Simulator[Any], path: str = PUBLIC, *headers: str, peer: str = "memory"
) -> tuple[int, dict[str, str], str]:
    """One handshake by hand: status, headers and body of the answer."""
    near, far = trio.testing.memory_stream_pair()
    head = [
        f"GET {path} HTTP/1.1", "Host: api.test", "Connection: Upgrade", "Upgrade: websocket",
        "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", *headers, "", "",
    ]  # fmt: skip
    async with trio.open_nursery() as nursery:

        async def serve() -> None:
            await simulator.serve_stream(far, peer=peer)

        nursery.start_soon(serve)
        await near.send_all("\r\n".join(head).encode())
        heard = b""
        while b"\r\n\r\n" not in heard:
            heard += await near.receive_some()
        answer, _, body = heard.partition(b"\r\n\r\n")
        first, *lines = answer.decode().split("\r\n")
        found = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        while len(body) < int(found.get("content-length", 0)):
            body += await near.receive_some()
        nursery.cancel_scope.cancel()
    return int(first.split()[1]), found, body.decode(errors="replace")


def of_kind(messages: Iterable[Any], kind: str, stream: str | None = None) -> list[Any]:
    """Messages of a type in long or short names, out of lists too."""
    flat = [one for message in messages for one in (message if isinstance(message, list) else [message])]
    return [
        one
        for one in flat
        if one.get("type", one.get("ty")) == kind and stream in {None, one.get("stream_type", one.get("st"))}
    ]
