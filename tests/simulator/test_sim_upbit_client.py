"""upbit-client, a client of 2021 that knows nothing of us, over loopback TCP in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from typing import Any

import pytest
import trio

from tests.simulator.upbit_client import PUBLIC, upbit

INTERPRETER = os.environ.get("TRIOQUOTES_UPBIT_CLIENT", sys.executable)
"""The Python that has upbit-client; its dependencies may be kept away from ours."""

SCRIPT = """
import asyncio, json, re, sys, types

# At import it asks the package index for its newest release, by means that Python has dropped.
sys.modules["upbit.pkginfo"] = types.SimpleNamespace(CURRENT_VERSION="1.3.4.1")

from upbit.websocket import UpbitWebSocket

uri, told = sys.argv[1], {}

async def ping():
    sock = UpbitWebSocket(uri=uri)
    async with sock.Connection as conn:
        await conn.send("PING")
        data = await conn.recv()
        found = re.compile(r'{"\\S+":"\\S+"}').search(data.decode("utf8"))
        told["regex"] = json.loads(found.group())
    told["ping"] = await UpbitWebSocket(uri=uri).ping()

async def read(kind, codes, count, **options):
    sock = UpbitWebSocket(uri=uri)
    async with sock as conn:
        field = UpbitWebSocket.generate_type_field(kind, codes)
        await conn.send(UpbitWebSocket.generate_payload([field], **options))
        return [json.loads((await conn.recv()).decode("utf8")) for _ in range(count)]

async def main():
    await ping()
    currencies = ["KRW-BTC", "KRW-ETH"]
    told["trade"] = await read("trade", currencies, 6)
    told["ticker"] = await read("ticker", currencies, 6, format="SIMPLE")
    await asyncio.sleep(1.1)  # five connects a second
    codes = UpbitWebSocket.generate_orderbook_codes(currencies, [5, 5])
    told["codes"] = codes
    told["orderbook"] = await read("orderbook", codes, 6)

asyncio.run(main())
print(json.dumps(told))
"""


def missing() -> str | None:
    """Why it cannot be tried here."""
    if INTERPRETER == sys.executable:
        found = importlib.util.find_spec("upbit") is not None
        return (
            None if found else "upbit-client is not installed, nor does TRIOQUOTES_UPBIT_CLIENT name a Python"
        )
    return None


@pytest.mark.tcp
async def test_upbit_client_pings_and_receives_its_three_types() -> None:
    reason = missing()
    if reason:
        pytest.skip(reason)
    simulator = upbit(rate=60.0)
    with trio.fail_after(60):
        async with simulator.open_server() as url:
            done = await trio.run_process(
                [INTERPRETER, "-c", SCRIPT, f"{url}{PUBLIC}"], capture_stdout=True, stdin=subprocess.DEVNULL
            )
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["ping"] == told["regex"] == {"status": "UP"}
    assert [m["stream_type"] for m in told["trade"][:3]] == ["SNAPSHOT", "SNAPSHOT", "REALTIME"]
    assert [m["code"] for m in told["trade"][:2]] == ["KRW-BTC", "KRW-ETH"]
    assert {m["ty"] for m in told["ticker"]} == {"ticker"}
    assert told["codes"] == ["KRW-BTC.5", "KRW-ETH.5"]
    assert {m["code"] for m in told["orderbook"]} == {"KRW-BTC", "KRW-ETH"}
    assert {len(m["orderbook_units"]) for m in told["orderbook"]} == {5}
    assert not simulator.records.breaches
