"""The REST side, playback, and the whole over real sockets."""

from __future__ import annotations

import json
import os
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
import trio_websocket

from tests.simulator.clients import START_S, http, wall_ns
from tests.simulator.clients import get as get_json
from tests.simulator.edgex_client import ACCOUNT, PUBLIC, as_subprotocol, edgex_client, v2_headers, v2_path
from trioquotes.simulator.faults import DelayAck, Fault, PartialAck, RejectRequest, WithholdAck
from trioquotes.simulator.playback import Capture, CapturedFrame, read_capture
from trioquotes.simulator.tls import local_tls
from trioquotes.simulator.venues.edgex import EdgexPlayback, EdgexSimulator

D = Decimal
BTC = "30000001"


def edgex(**options: Any) -> EdgexSimulator:
    return EdgexSimulator(**{"seed": 7, "rate": 30.0, "wall_ns": wall_ns, **options})


# REST ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("generation", "count"), [("v1", 4), ("v2", 4)])
async def test_everything_listed_can_be_asked_for(
    autojump_clock: trio.testing.MockClock, generation: Any, count: int
) -> None:
    simulator = edgex(generation=generation)
    base = f"/api/{generation}/public"
    with trio.fail_after(30):
        status, body = await get_json(simulator, f"{base}/meta/getMetaData")
        assert (status, body["code"], body["msg"]) == (200, "SUCCESS", None)
        ids = [row["contractId"] for row in body["data"]["contractList"]]
        assert len(ids) == count
        for target, rows in (
            ("quote/getTicker", count), (f"quote/getTicker?contractId={ids[0]}", 1),
            ("funding/getLatestFundingRate", count), (f"funding/getLatestFundingRate?contractId={ids[1]}", 1),
        ):  # fmt: skip
            _, body = await get_json(simulator, f"{base}/{target}")
            assert [row["contractId"] in ids for row in body["data"]] == [True] * rows
        _, body = await get_json(simulator, f"{base}/meta/getServerTime")
        assert body["data"] == {"timeMillis": str(START_S * 1000)}


async def test_a_book_by_http_is_the_one_on_the_socket(autojump_clock: trio.testing.MockClock) -> None:
    simulator = edgex()
    with trio.fail_after(30):
        async with edgex_client(simulator) as client:
            await client.hear_for(3)
            for level in (15, 200):
                _, body = await get_json(
                    simulator, f"/api/v2/public/quote/getDepth?contractId={BTC}&level={level}"
                )
                (row,) = body["data"]
                assert int(row["endVersion"]) == simulator.floors[BTC].sequence
                best = simulator.floors[BTC].book.levels("sell")[:level]
                assert [(D(each["price"]), D(each["size"])) for each in row["asks"]] == [
                    (price, size) for price, size, _ in best
                ]
                assert (row["level"], row["depthType"]) == (level, "SNAPSHOT")


async def test_a_happening_may_take_several_versions(autojump_clock: trio.testing.MockClock) -> None:
    simulator = edgex(version_step=5, books_kept=100)
    with trio.fail_after(30):
        _, body = await get_json(simulator, f"/api/v2/public/quote/getDepth?contractId={BTC}&level=15")
        (row,) = body["data"]
    assert int(row["endVersion"]) == simulator.floors[BTC].sequence * 5


async def test_bars_by_http_come_newest_first(autojump_clock: trio.testing.MockClock) -> None:
    simulator = edgex()
    base = f"/api/v2/public/quote/getKline?contractId={BTC}"
    with trio.fail_after(30):
        _, body = await get_json(simulator, f"{base}&priceType=LAST_PRICE&klineType=MINUTE_15&size=5")
        times = [int(row["klineTime"]) for row in body["data"]["dataList"]]
        assert times == sorted(times, reverse=True)
        assert len(times) == 5
        _, body = await get_json(simulator, base)
        assert body["data"]["dataList"][0]["klineType"] == "MINUTE_1"
        for wrong in ("&klineType=MINUTE_2", "&priceType=ASK", "&size=x"):
            _, body = await get_json(simulator, base + wrong)
            assert (body["code"], body["data"]) == ("INVALID_ARGUMENT", None)


@pytest.mark.parametrize(
    ("target", "status", "code"),
    [
        ("/api/v2/public/quote/getDepth?contractId=1", 200, "INVALID_CONTRACT_ID"),
        ("/api/v2/public/quote/getTicker?contractId=10000001", 200, "INVALID_CONTRACT_ID"),
        (f"/api/v2/public/quote/getDepth?contractId={BTC}&level=20", 200, "INVALID_LEVEL"),
        ("/api/v2/public/quote/getNothing", 404, "NOT_FOUND"),
        ("/api/v1/public/meta/getMetaData", 404, "NOT_FOUND"),
        ("/", 404, "NOT_FOUND"),
    ],
)
async def test_what_cannot_be_answered_is_refused(
    autojump_clock: trio.testing.MockClock, target: str, status: int, code: str
) -> None:
    with trio.fail_after(30):
        got, body = await get_json(edgex(), target)
    assert (got, body["code"]) == (status, code)


async def test_only_get_is_for_reading(autojump_clock: trio.testing.MockClock) -> None:
    request = b"POST /api/v2/public/meta/getMetaData HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with trio.fail_after(30):
        assert (await http(edgex(), request)).startswith(b"HTTP/1.1 405")


# Playback ------------------------------------------------------------------------------------------------


def frame(number: int, recv_s: float | None = None, **fields: Any) -> CapturedFrame:
    raw = json.dumps({"type": "quote-event", "channel": "trades.30000001", "number": number, **fields})
    return CapturedFrame(raw, None if recv_s is None else int(recv_s * 1e9), number)


def playback(*frames: CapturedFrame, faults: tuple[Fault, ...] = (), **options: Any) -> EdgexPlayback:
    return EdgexPlayback(Capture("test", frames), wall_ns=wall_ns, faults=faults, **options)


async def test_playback_begins_with_the_first_subscribe(autojump_clock: trio.testing.MockClock) -> None:
    old = [
        CapturedFrame('{"type":"connected","sid":"x"}', None, 8),
        CapturedFrame('{"type":"subscribed"}', None, 9),
    ]
    with trio.fail_after(60):
        async with edgex_client(playback(old[0], frame(1), old[1], frame(2))) as client:
            assert [m["type"] for m in await client.hear_for(20)] == ["connected"]
            await client.say({"type": "ping", "time": "7"})
            assert await client.hear() == {"type": "pong", "time": "7"}
            await client.say({"type": "pong", "time": "8"})
            await client.unsubscribe("ticker.1")
            assert (await client.hear())["type"] == "unsubscribed"
            await client.subscribe("ticker.1")
            ack, first, second = await client.hear(), await client.hear(), await client.hear()
            assert (ack["type"], ack["channel"]) == ("subscribed", "ticker.1")
            assert [first["number"], second["number"]] == [1, 2]
            await client.say("nonsense")
            assert (await client.hear())["type"] == "error"


async def test_playback_pings_in_the_pauses(autojump_clock: trio.testing.MockClock) -> None:
    simulator = playback(frame(1, 100.0), frame(2, 125.5), speed="recorded")
    with trio.fail_after(100):
        async with edgex_client(simulator) as client:
            await client.subscribe("metadata")
            heard = await client.hear_for(50)
    kinds = [message["type"] for message in heard]
    assert kinds == ["connected", "subscribed", "quote-event", "ping", "ping", "quote-event", "ping", "ping"]
    times = [int(message["time"]) - START_S * 1000 for message in heard if message["type"] == "ping"]
    assert times == [10_000, 20_000, 30_500, 40_500]


async def test_the_private_socket_is_played_at_once_and_unsigned(
    autojump_clock: trio.testing.MockClock,
) -> None:
    event = CapturedFrame('{"type":"trade-event","content":{"event":"Snapshot"}}', None, 1)
    with trio.fail_after(60):
        async with edgex_client(playback(event), "/api/v1/private/ws?accountId=1") as client:
            hello, snapshot, ping = await client.hear(), await client.hear(), await client.hear()
            assert isinstance(hello["time"], int)
            assert snapshot["content"] == {"event": "Snapshot"}
            assert isinstance(ping["time"], int)
            await client.subscribe("metadata")
            assert (await client.hear())["content"]["code"] == "GATEWAY_UNRECOGNIZED_MESSAGE"
        offered = "YWJj"
        async with edgex_client(playback(event), "/api/v1/private/ws", subprotocol=offered) as client:
            assert client.websocket.subprotocol == offered


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        ('{"type":"quote-event","channel":"depth.30000001.15"}', "depth"),
        ('{"type":"payload","channel":"ticker.all"}', "ticker"),
        ('{"type":"quote-event"}', "quote-event"),
        ('{"type":"trade-event","content":{"event":"ORDER_UPDATE"}}', "ORDER_UPDATE"),
        ('{"type":"trade-event"}', "trade-event"),
        ('{"type":"ping"}', "ping"),
        ("{}", ""),
        ("[]", "broken"),
        ('{"code":"A""msg"}', "broken"),
    ],
)
def test_recorded_frames_have_the_kinds_of_live_ones(raw: str, kind: str) -> None:
    assert playback().kind_of(raw) == kind


async def test_scripts_work_on_playback(autojump_clock: trio.testing.MockClock) -> None:
    script = (
        RejectRequest(nth=1, message="no"), WithholdAck(nth=2, serve=False), PartialAck(nth=3, leave_out=("ticker.1",)),
        DelayAck(nth=4, delay_s=2), WithholdAck(nth=5),
    )  # fmt: skip
    with trio.fail_after(60):
        async with edgex_client(playback(frame(1), faults=script)) as client:
            await client.hear()
            await client.subscribe("ticker.1", "ticker.1", "ticker.1")
            assert [m["type"] for m in await client.hear_for(3)] == ["error"]
            await client.subscribe("ticker.1", "ticker.2")
            assert [m["type"] for m in await client.hear_for(3)] == ["quote-event", "subscribed"]


async def test_the_captured_messages_are_played_as_they_are(autojump_clock: trio.testing.MockClock) -> None:
    folder = os.environ.get("TRIOQUOTES_CAPTURES")
    if folder is None:
        pytest.skip("TRIOQUOTES_CAPTURES is not set")
    capture = read_capture(Path(folder) / "edgex-messages.jsonl")
    simulator = EdgexPlayback(capture, wall_ns=wall_ns)
    answers = {"connected", "subscribed", "unsubscribed", "pong"}
    expected = [each.raw for each in capture.frames if simulator.kind_of(each.raw) not in answers]
    assert len(expected) > 40
    with trio.fail_after(60):
        async with edgex_client(simulator) as client:
            await client.subscribe("metadata")
            await client.hear_until("subscribed")
            assert [await client.websocket.get_message() for _ in expected] == expected


def shape(value: Any) -> Any:
    """Names, nesting and types; of a list the first element."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


async def test_live_frames_have_the_shape_of_recorded_ones(autojump_clock: trio.testing.MockClock) -> None:
    folder = os.environ.get("TRIOQUOTES_CAPTURES")
    if folder is None:
        pytest.skip("TRIOQUOTES_CAPTURES is not set")
    lines = (Path(folder) / "edgex-messages.jsonl").read_text().splitlines()
    compared = 0
    with trio.fail_after(200):
        for line in lines:
            entry = json.loads(line)
            if (
                entry["kind"] != "recorded"
                or "Lqz13Th" not in entry["source"]
                or entry["channel"] == "control"
            ):
                continue
            recorded = json.loads(entry["raw"])
            async with edgex_client(edgex()) as client:
                await client.subscribe(entry["channel"])
                while True:
                    live = await client.hear()
                    content = live.get("content", {})
                    if content.get("dataType") != recorded["content"]["dataType"]:
                        continue
                    row, other = content["data"][0], recorded["content"]["data"][0]
                    if all(bool(row.get(name)) >= bool(other.get(name)) for name in ("asks", "bids")):
                        break
            for name in ("asks", "bids"):
                if name in other and not other[name]:
                    other[name] = row[name]
            assert list(live) == list(recorded)
            assert list(content) == list(recorded["content"])
            assert list(row) == list(other)
            assert shape(row) == shape(other)
            compared += 1
    assert compared == 4


# Real sockets --------------------------------------------------------------------------------------------


@pytest.mark.tcp
async def test_both_sockets_and_rest_share_one_port_with_tls() -> None:
    tls = local_tls()
    simulator = EdgexSimulator(seed=1, accounts=[ACCOUNT])
    with trio.fail_after(30):
        async with simulator.open_server(ssl_context=tls.server) as url:
            assert url.startswith("wss://")
            context = tls.client_context()
            async with trio_websocket.open_websocket_url(url + PUBLIC, ssl_context=context) as public:
                assert json.loads(await public.get_message())["type"] == "connected"
                await public.send_message('{"type":"subscribe","channel":"depth.30000001.15"}')
                kinds = [json.loads(await public.get_message())["type"] for _ in range(3)]
                assert kinds == ["subscribed", "quote-event", "quote-event"]
            now_ms = time.time_ns() // 10**6
            headers = [(name.encode(), value.encode()) for name, value in v2_headers(now_ms).items()]
            async with trio_websocket.open_websocket_url(
                url + v2_path(now_ms), ssl_context=context, extra_headers=headers
            ) as private:
                assert json.loads(await private.get_message())["type"] == "connected"
                assert json.loads(await private.get_message())["content"]["event"] == "Snapshot"


@pytest.mark.tcp
async def test_the_subprotocol_of_a_browser_works_on_a_real_socket() -> None:
    with trio.fail_after(30):
        async with EdgexSimulator(seed=1, accounts=[ACCOUNT]).open_server() as url:
            now_ms = time.time_ns() // 10**6
            offered = as_subprotocol(v2_headers(now_ms), padded=True)
            async with trio_websocket.open_websocket_url(
                url + v2_path(now_ms), subprotocols=[offered]
            ) as line:
                assert line.subprotocol == offered
                assert json.loads(await line.get_message())["type"] == "connected"
