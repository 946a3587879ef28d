"""CoPrA, a client of 2019 that knows nothing of us, over loopback TCP."""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import trio

from tests.simulator.clients import KEY
from trioquotes.simulator.venues.coinbase import CoinbaseSimulator

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of its own dependencies, at import
    copra = pytest.importorskip("copra.websocket", reason="CoPrA cannot be imported here")


def run_copra(url: str, stop: threading.Event) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """Subscribe all six of its channels signed, then add and take away one; until enough has come."""
    heard: list[dict[str, Any]] = []
    errors: list[tuple[str, str]] = []

    class Listener(copra.Client):  # type: ignore[misc,name-defined]
        def on_message(self, message: dict[str, Any]) -> None:
            heard.append(message)

        def on_error(self, message: str, reason: str = "") -> None:
            errors.append((message, reason))

    def count(kind: str) -> int:
        return sum(message["type"] == kind for message in heard)

    async def until(done: Callable[[], bool]) -> None:
        while not done() and not stop.is_set():  # noqa: ASYNC110  # its callbacks have no events to wait for
            await asyncio.sleep(0.05)

    async def listen() -> None:
        loop = asyncio.get_running_loop()
        names = ["heartbeat", "ticker", "full", "matches", "user"]
        channels = [copra.Channel(name, ["BTC-USD", "LTC-USD"]) for name in names]
        client = Listener(
            loop, [*channels, copra.Channel("level2", "BTC-USD")], feed_url=url, auth=True, key=KEY.key,
            secret=KEY.secret, passphrase=KEY.passphrase, auto_reconnect=False,
        )  # fmt: skip
        await asyncio.wait_for(client.connected.wait(), 10)
        await until(lambda: count("heartbeat") >= 4)
        client.subscribe(copra.Channel("heartbeat", "ETH-EUR"))
        client.unsubscribe(copra.Channel("ticker", ["BTC-USD", "LTC-USD"]))
        await until(lambda: count("subscriptions") >= 3)
        client.subscribe(copra.Channel("heartbeat", "FOO-BAR"))
        await until(lambda: bool(errors))
        await asyncio.wait_for(client.close(), 10)

    asyncio.run(listen())
    return heard, errors


@pytest.mark.tcp
async def test_copra_connects_and_receives_its_channels() -> None:
    simulator = CoinbaseSimulator(seed=11, rate=60.0, keys=[KEY])
    stop = threading.Event()
    with trio.fail_after(40):
        async with simulator.open_server() as url:
            try:
                heard, errors = await trio.to_thread.run_sync(run_copra, url, stop, abandon_on_cancel=True)
            finally:
                stop.set()
    kinds = Counter(message["type"] for message in heard)
    assert {
        "subscriptions", "heartbeat", "ticker", "received", "open", "done", "match", "last_match", "snapshot", "l2update",
    } <= set(kinds)  # fmt: skip
    acks = [message["channels"] for message in heard if message["type"] == "subscriptions"]
    assert {channel["name"] for channel in acks[0]} == {
        "heartbeat",
        "ticker",
        "level2",
        "full",
        "matches",
        "user",
    }
    assert "ETH-EUR" in next(c["product_ids"] for c in acks[1] if c["name"] == "heartbeat")
    assert "ticker" not in {channel["name"] for channel in acks[2]}
    assert errors == [("Failed to subscribe", "FOO-BAR is not a valid product")]
    assert not simulator.records.breaches
