"""A client of the Darwinex simulator by hand."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import trio
import trio.testing
import trio_websocket

from tests.simulator.clients import http
from trioquotes.simulator.server import Simulator
from trioquotes.simulator.venues.darwinex import PATH, Account

START_S = 1_758_253_500  # 25 minutes and 0 seconds of some hour

MAIN = Account(
    name="main", consumer_key="key", consumer_secret="s3cr3t:x", refresh_token="refresh-0",
    access_token="access-0",
)  # fmt: skip


def wall_ns() -> int:
    """A wall clock that goes with the virtual one."""
    return START_S * 10**9 + int(trio.current_time() * 1e9)


class DarwinexClient:
    """One connection."""

    def __init__(self, websocket: trio_websocket.WebSocketConnection) -> None:
        self.websocket = websocket

    async def say(self, message: Any) -> None:
        await self.websocket.send_message(message if isinstance(message, str) else json.dumps(message))

    async def subscribe(self, *names: str) -> Any:
        """Subscribe, give what answers; quotes and heartbeats before it are dropped."""
        await self.say({"op": "subscribe", "productNames": list(names)})
        return await self.hear_answer()

    async def hear_raw(self) -> str:
        text = await self.websocket.get_message()
        assert isinstance(text, str)
        return text

    async def hear(self) -> Any:
        return json.loads(await self.hear_raw(), parse_float=Decimal)

    async def hear_answer(self) -> Any:
        while True:
            frame = await self.hear()
            if frame["op"] not in {"pq", "hb"}:
                return frame

    async def hear_for(self, seconds: float) -> list[Any]:
        """Everything that comes within some time."""
        heard: list[Any] = []
        with trio.move_on_after(seconds):
            while True:
                heard.append(await self.hear())
        return heard


@asynccontextmanager
async def connected(
    simulator: Simulator[Any], token: str = MAIN.access_token, peer: str = "memory"
) -> AsyncIterator[DarwinexClient]:
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
            PATH,
            extra_headers=[(b"Authorization", f"Bearer {token}".encode())],
        )
        yield DarwinexClient(websocket)
        nursery.cancel_scope.cancel()


async def knock(
    simulator: Simulator[Any], headers: dict[str, str] | None = None, path: str = PATH
) -> tuple[int, bytes]:
    """Status and body of a handshake."""
    lines = [f"GET {path} HTTP/1.1", "Host: api.test", "Connection: Upgrade", "Upgrade: websocket"]
    lines += ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    answer = await http(simulator, "\r\n".join([*lines, "", ""]).encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


async def call(
    simulator: Simulator[Any], method: str, target: str, *, authorization: str = "", body: str = ""
) -> tuple[int, Any]:
    """Status and JSON body of a plain request."""
    lines = [f"{method} {target} HTTP/1.1", "Host: api.test", "Connection: close"]
    lines += [f"Content-Length: {len(body)}"] + ([f"Authorization: {authorization}"] if authorization else [])
    answer = await http(simulator, "\r\n".join([*lines, "", body]).encode())
    head, _, text = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(text)


def basic(key: str = MAIN.consumer_key, secret: str = MAIN.consumer_secret) -> str:
    return "Basic " + base64.b64encode(f"{key}:{secret}".encode()).decode()


async def refresh(
    simulator: Simulator[Any], token: str, authorization: str | None = None, **fields: str
) -> tuple[int, Any]:
    """Ask for new tokens."""
    form = {"grant_type": "refresh_token", "refresh_token": token, **fields}
    signed = basic() if authorization is None else authorization
    return await call(simulator, "POST", "/token", authorization=signed, body=urlencode(form))
