"""A client of the edgeX simulator by hand: it signs as the documentation says and answers pings when told to."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import trio
import trio.testing
import trio_websocket

from tests.simulator.clients import Client, http
from trioquotes.simulator.server import Simulator
from trioquotes.simulator.venues.edgex import Account

PUBLIC = "/api/v1/public/ws"
PRIVATE = "/api/v1/private/ws"

ACCOUNT = Account(
    account_id="724625476626153743", key="key-1", secret="your-api-secret", passphrase="phrase-1"
)


class EdgexClient(Client):
    """One connection.

    Attributes:
        answers: whether pings are answered while listening.
    """

    def __init__(self, websocket: trio_websocket.WebSocketConnection, *, answers: bool = True) -> None:
        super().__init__(websocket)
        self.answers = answers

    async def hear(self) -> Any:
        message = await super().hear()
        if self.answers and message["type"] == "ping":
            await self.say({"type": "pong", "time": message["time"]})
        return message

    async def subscribe(self, *channels: str) -> None:
        for channel in channels:
            await self.say({"type": "subscribe", "channel": channel})

    async def unsubscribe(self, channel: str) -> None:
        await self.say({"type": "unsubscribe", "channel": channel})

    async def hear_on(self, channel: str) -> Any:
        """The content of the next push on a channel; other messages are dropped."""
        while True:
            message = await self.hear()
            if message.get("channel") == channel and "content" in message:
                return message["content"]


@asynccontextmanager
async def edgex_client(
    simulator: Simulator[Any], path: str = PUBLIC, *, headers: Mapping[str, str] | None = None,
    subprotocol: str | None = None, answers: bool = True,
) -> AsyncIterator[EdgexClient]:  # fmt: skip
    """A client over memory streams; ``refused_handshake`` is for those that are not let in."""
    near, far = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(simulator.serve_stream, far)
        websocket = await trio_websocket.wrap_client_stream(
            nursery,
            near,  # type: ignore[arg-type]  # any stream will do
            "quote.test",
            path,
            subprotocols=[subprotocol] if subprotocol else None,
            extra_headers=[(name.encode(), value.encode()) for name, value in (headers or {}).items()],
        )
        yield EdgexClient(websocket, answers=answers)
        nursery.cancel_scope.cancel()


async def refused_handshake(
    simulator: Simulator[Any], path: str, headers: Mapping[str, str] | None = None
) -> tuple[int, Any]:
    """Status and JSON body of the answer to a handshake."""
    fields = {
        "Host": "quote.test", "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", **(headers or {}),
    }  # fmt: skip
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    answer = await http(simulator, "\r\n".join(lines).encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def v2_path(now_ms: int, account: Account = ACCOUNT) -> str:
    return f"{PRIVATE}?accountId={account.account_id}&timestamp={now_ms}"


def v2_headers(now_ms: int, account: Account = ACCOUNT, *, other_names: bool = False) -> dict[str, str]:
    """The four headers, worked out here and not by the code under test."""
    key = base64.b64encode(account.secret.encode())
    text = f"{now_ms}GET{PRIVATE}accountId={account.account_id}&timestamp={now_ms}"
    infix = "Api-" if other_names else ""
    return {
        "X-edgeX-Api-Key": account.key,
        "X-edgeX-Passphrase": account.passphrase,
        f"X-edgeX-{infix}Signature": hmac.new(key, text.encode(), hashlib.sha256).hexdigest(),
        f"X-edgeX-{infix}Timestamp": str(now_ms),
    }


def as_subprotocol(headers: Mapping[str, str], *, padded: bool = False) -> str:
    """The browser's way to send headers."""
    text = base64.b64encode(json.dumps(dict(headers)).encode()).decode()
    return text if padded else text.rstrip("=")
