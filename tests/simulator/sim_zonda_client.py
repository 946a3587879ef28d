"""A client of the simulated Zonda by hand: nothing of ours but the server under test."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import trio
import trio.testing
import trio_websocket

from trioquotes.simulator.faults import Fault
from trioquotes.simulator.server import Simulator
from trioquotes.simulator.venues.zonda import Account, ZondaSimulator

START_S = 1_758_253_500
KEY = Account(public_key="12345f6f-1b1d-1234-a973-a10b1bdba1a1", private_key="secret")
OTHER = Account(
    name="other", public_key="public", private_key="hush", user_id="b47f9af4-081d-4f5d-8cd7-9f3a1411d2e2"
)
BLIND = Account(name="blind", public_key="blind", private_key="dark", may_read=False)


def wall_ns() -> int:
    """A wall clock that goes with the virtual one."""
    return START_S * 10**9 + int(trio.current_time() * 1e9)


def zonda(*faults: Fault, **options: Any) -> ZondaSimulator:
    settings = {
        "seed": 7,
        "rate": 30.0,
        "accounts": [KEY, OTHER, BLIND],
        "faults": faults,
        "wall_ns": wall_ns,
    }
    return ZondaSimulator(**{**settings, **options})


def signature(timestamp: int | str | None = None, account: Account = KEY) -> dict[str, Any]:
    """The fields that sign a message, now."""
    stamp = int(wall_ns() / 1e9) if timestamp is None else timestamp
    digest = hmac.new(account.private_key.encode(), f"{account.public_key}{stamp}".encode(), hashlib.sha512)
    return {
        "publicKey": account.public_key, "requestTimestamp": stamp, "hashSignature": digest.hexdigest(),
    }  # fmt: skip


class ZondaClient:
    """One connection; numbers come back as decimals.

    Attributes:
        passed: what was heard while an answer was waited for.
    """

    def __init__(self, websocket: trio_websocket.WebSocketConnection) -> None:
        self.websocket = websocket
        self.passed: list[Any] = []

    async def say(self, message: Any) -> None:
        await self.websocket.send_message(message if isinstance(message, str) else json.dumps(message))

    async def public(self, path: str, module: str = "trading") -> None:
        await self.say({"action": "subscribe-public", "module": module, "path": path})

    async def private(self, path: str, module: str = "trading", **fields: Any) -> None:
        signed = fields or signature()
        await self.say({"action": "subscribe-private", "module": module, "path": path, **signed})

    async def unsubscribe(self, path: str) -> None:
        await self.say({"action": "unsubscribe", "module": "trading", "path": path})

    async def hear(self) -> Any:
        return json.loads(await self.websocket.get_message(), parse_float=Decimal)

    async def hear_until(self, action: str) -> Any:
        """The next message with an action; others before it are dropped."""
        while True:
            message = await self.hear()
            if message.get("action") == action:
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

    async def proxy(self, path: str, module: str = "trading", **fields: Any) -> Any:
        """The body of the answer to a request."""
        request_id = str(uuid.uuid4())
        await self.say({"requestId": request_id, "action": "proxy", "module": module, "path": path, **fields})
        while True:
            answer = await self.hear()
            if answer.get("requestId") == request_id:
                assert answer["statusCode"] == 200
                return answer["body"]
            self.passed.append(answer)


@asynccontextmanager
async def connected(simulator: Simulator[Any], path: str = "/websocket/") -> AsyncIterator[ZondaClient]:
    """A client over memory streams."""
    near, far = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(simulator.serve_stream, far)
        websocket = await trio_websocket.wrap_client_stream(
            nursery,
            near,  # type: ignore[arg-type]  # any stream will do
            "api.test",
            path,
        )
        yield ZondaClient(websocket)
        nursery.cancel_scope.cancel()


class Book:
    """A book kept as the venue's page says."""

    def __init__(self) -> None:
        self.sides: dict[str, dict[Decimal, Decimal]] = {"Buy": {}, "Sell": {}}
        self.sequence = 0

    def load(self, snapshot: dict[str, Any]) -> None:
        for name, side in (("buy", "Buy"), ("sell", "Sell")):
            rows = snapshot[name]
            self.sides[side] = {Decimal(row["ra"]): Decimal(row["ca"]) for row in rows}
            assert len(self.sides[side]) == len(rows)
        self.sequence = int(snapshot["seqNo"])

    def apply(self, push: dict[str, Any]) -> None:
        """Apply a push unless it is older than the snapshot; the numbers have no gap."""
        if push["seqNo"] <= self.sequence:
            return
        assert push["seqNo"] == self.sequence + 1
        self.sequence += 1
        for change in push["message"]["changes"]:
            rate, side = Decimal(change["rate"]), self.sides[change["entryType"]]
            if change["action"] == "remove":
                assert "state" not in change
                del side[rate]
            else:
                assert Decimal(change["state"]["ra"]) == rate
                side[rate] = Decimal(change["state"]["ca"])
