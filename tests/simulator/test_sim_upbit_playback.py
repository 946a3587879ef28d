from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from tests.simulator.clients import wall_ns
from tests.simulator.upbit_client import PRIVATE, Client, connected
from trioquotes.simulator.faults import Fault, PartialAck, RejectRequest, SkipFrame, WithholdAck
from trioquotes.simulator.playback import Capture, CapturedFrame, read_capture
from trioquotes.simulator.venues.upbit import UpbitPlayback

TRADES: dict[str, Any] = {"type": "trade", "codes": ["KRW-BTC", "KRW-ETH"]}
LISTING = {"method": "LIST_SUBSCRIPTIONS"}


def playback(*raws: str, faults: tuple[Fault, ...] = ()) -> UpbitPlayback:
    frames = tuple(CapturedFrame(raw, None, number) for number, raw in enumerate(raws, start=1))
    return UpbitPlayback(Capture("test", frames), wall_ns=wall_ns, faults=faults)


ONE, TWO = '{"type":"trade","n":1}', '[{"ty":"trade","n":1.16539E8}]'


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (ONE, "trade"),
        (TWO, "trade"),
        ('{"method":"LIST_SUBSCRIPTIONS"}', "LIST_SUBSCRIPTIONS"),
        ('{"mthd":"LIST_SUBSCRIPTIONS"}', "LIST_SUBSCRIPTIONS"),
        ('{"error":{}}', "error"),
        ('{"status":"UP"}', "status"),
        ('{"mk":"KRW-BTC"}', "other"),
        ("[]", "other"),
        ("5", "other"),
        ("{", "broken"),
        ("[" * 100_000, "broken"),
    ],
)
def test_frames_are_told_apart(raw: str, kind: str) -> None:
    simulator = playback(ONE)
    assert simulator.kind_of(raw) == kind
    assert simulator.is_answer(kind) is (kind in {"LIST_SUBSCRIPTIONS", "status"})


async def test_it_waits_for_the_first_subscription_and_plays_exactly(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(60):
        async with connected(playback('{"status":"UP"}', ONE, TWO, "broken"), PRIVATE) as client:
            await client.ask(LISTING)
            assert (await client.hear())["result"] == []
            assert await client.hear_raw_for(5) == []
            await client.ask(TRADES)
            assert await client.hear_raw_for(5) == [ONE, TWO, "broken"]
            await client.ask(LISTING, form="SIMPLE")
            assert (await client.hear())["rslt"] == [{"ty": "trade", "cds": ["KRW-BTC", "KRW-ETH"]}]


async def test_pings_errors_and_silence_are_those_of_today(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(200):
        async with connected(playback(ONE)) as client:
            await client.say("PING")
            assert len(await client.hear_raw_for(25)) in {3, 4}
            await client.say("{")
            await client.ask(TRADES)
            heard, reason, _ = await client.hear_end()
            assert "WRONG_FORMAT" in heard[0]
            assert len(heard) == 1
            assert reason is not None
            assert reason.code == 1000
        async with connected(playback(ONE)) as client:
            await client.ask(TRADES)
            assert (await client.hear_end())[0] == [ONE]


async def test_scripts_work_as_on_the_live_venue(autojump_clock: trio.testing.MockClock) -> None:
    script = (
        WithholdAck(nth=1, serve=False), SkipFrame(kind="trade", nth=1),
        PartialAck(nth=2, leave_out=("KRW-ETH",)), RejectRequest(nth=4, message="NO_CODES"),
    )  # fmt: skip
    with trio.fail_after(60):
        async with connected(playback(ONE, TWO, faults=script)) as client:
            await client.ask(TRADES)
            assert await client.hear_raw_for(1) == []
            await client.ask(TRADES, {"type": "myAsset"})
            assert await client.hear_raw_for(1) == [TWO]
            await client.ask(LISTING)
            assert (await client.hear())["result"] == [
                {"type": "trade", "codes": ["KRW-BTC"]},
                {"type": "myAsset"},
            ]
            await client.ask(TRADES)
            assert "NO_CODES" in (await client.hear_end())[0][0]


async def keep_alive(client: Client) -> None:
    while True:
        await trio.sleep(20)
        await client.websocket.ping()


@pytest.mark.parametrize("name", ["upbit-session-2021", "upbit-messages", "upbit-simple-derived"])
@pytest.mark.parametrize("speed", ["max", "recorded"])
async def test_captures_arrive_whole_and_in_order(
    autojump_clock: trio.testing.MockClock, name: str, speed: Any
) -> None:
    folder = os.environ.get("TRIOQUOTES_CAPTURES")
    if folder is None:
        pytest.skip("TRIOQUOTES_CAPTURES is not set")
    if speed == "recorded" and name != "upbit-session-2021":
        pytest.skip("the capture has no times")
    path = Path(folder) / f"{name}.jsonl"
    raws = [json.loads(line)["raw"] for line in path.read_text().splitlines()]
    expected = [raw for raw in raws if "LIST_SUBSCRIPTIONS" not in raw and '"status"' not in raw]
    simulator = UpbitPlayback(read_capture(path), speed=speed, wall_ns=wall_ns)
    with trio.fail_after(1000):
        async with connected(simulator) as client, trio.open_nursery() as nursery:
            nursery.start_soon(keep_alive, client)
            await client.ask(TRADES)
            assert [await client.hear_raw() for _ in expected] == expected
            assert await client.hear_raw_for(3) == []
            nursery.cancel_scope.cancel()
