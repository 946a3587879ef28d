from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from tests.simulator.clients import connected, wall_ns
from trioquotes.errors import CaptureError
from trioquotes.simulator.faults import DelayAck, Fault, RejectRequest, SkipFrame, WithholdAck
from trioquotes.simulator.playback import AHEAD, Capture, CapturedFrame, read_capture
from trioquotes.simulator.venues.coinbase import CoinbasePlayback

ONE: dict[str, Any] = {"product_ids": ["BTC-USD"]}


def frame(number: int, recv_s: float | None = None, **fields: Any) -> CapturedFrame:
    raw = json.dumps(
        {"type": "match", "product_id": "BTC-USD", "sequence": number, "trade_id": number * 2, **fields}
    )
    return CapturedFrame(raw, None if recv_s is None else int(recv_s * 1e9), number)


def playback(*frames: CapturedFrame, faults: tuple[Fault, ...] = (), **options: Any) -> CoinbasePlayback:
    return CoinbasePlayback(Capture("test", frames), wall_ns=wall_ns, faults=faults, **options)


def write(tmp_path: Path, *lines: str | bytes) -> Path:
    path = tmp_path / "capture.jsonl"
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines))
    return path


def test_a_capture_is_read_with_exact_times_and_without_what_clients_sent(tmp_path: Path) -> None:
    path = write(
        tmp_path, '{"raw": "{}", "recv_ts": "1618677817.0618958"}', "", '{"raw": "[1]", "recv_ts": 1618677817.1}',
        '{"raw": "x", "channel": "client:subscribe"}', '{"raw": "y", "direction": "client"}', '{"raw": "not json"}',
    )  # fmt: skip
    assert read_capture(path).frames == (
        CapturedFrame("{}", 1618677817061895800, 1),
        CapturedFrame("[1]", 1618677817100000000, 3),
        CapturedFrame("not json", None, 6),
    )


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["{"], "line 1: not JSON (Expecting property name enclosed in double quotes at character 2)"),
        (['{"raw": "a"}', "[1]"], "line 2: not a JSON object"),
        (['{"frame": "a"}'], "line 1: no 'raw'"),
        (['{"raw": {"type": "match"}}'], "line 1: no text under 'raw'"),
        (['{"raw": "a", "recv_ts": "noon"}'], "line 1: 'recv_ts' is not a time in Unix seconds: 'noon'"),
        (['{"raw": "a", "recv_ts": "NaN"}'], "line 1: 'recv_ts' is not a time"),
        (['{"raw": "a", "recv_ts": "Infinity"}'], "line 1: 'recv_ts' is not a time"),
        (['{"raw": "a", "recv_ts": "1e9999999"}'], "line 1: 'recv_ts' is not a time"),
        (["[" * 100_000], "line 1: not JSON"),
        ([b'{"raw": "\xff"}'], "line 1: not UTF-8"),
        ([""], "holds no frames"),
        (['{"raw": "x", "direction": "client"}'], "holds no frames"),
    ],
)
def test_a_file_that_is_no_capture_is_refused_naming_the_line(
    tmp_path: Path, lines: list[str | bytes], words: str
) -> None:
    path = write(tmp_path, *lines)
    with pytest.raises(CaptureError) as refused:
        read_capture(path)
    assert words in str(refused.value)
    assert str(path) in str(refused.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="No such file"):
        read_capture(tmp_path / "missing.jsonl")
    with pytest.raises(CaptureError, match="directory"):
        read_capture(tmp_path)


def test_recorded_pacing_needs_times() -> None:
    with pytest.raises(CaptureError, match=r"test, line 2: no 'recv_ts'"):
        playback(frame(1, 0.0), frame(2), speed="recorded")


async def test_it_waits_for_the_first_subscribe_and_acknowledges_in_todays_form(
    autojump_clock: trio.testing.MockClock,
) -> None:
    old = CapturedFrame('{"type":"subscriptions","channels":[]}', None, 9)
    with trio.fail_after(60):
        async with connected(playback(old, frame(1), frame(2), old)) as client:
            assert await client.hear_for(20) == []
            await client.ask("ticker", kind="unsubscribe")
            assert (await client.hear())["channels"] == []
            assert await client.hear_for(20) == []
            await client.ask("level2_batch", **ONE)
            ack, first, second = await client.hear(), await client.hear(), await client.hear()
            assert ack["channels"] == [{"name": "level2_50", "product_ids": ["BTC-USD"], "account_ids": None}]
            assert [first["sequence"], second["sequence"]] == [1, 2]
            await client.ask("matches", **ONE)
            assert len((await client.hear())["channels"]) == 2
            assert await client.hear_for(5) == []


async def test_every_connection_is_played_the_whole_capture(autojump_clock: trio.testing.MockClock) -> None:
    simulator = playback(*(frame(n) for n in range(1, 300)))
    with trio.fail_after(60):
        for _ in range(2):
            async with connected(simulator) as client:
                await client.ask("matches", **ONE)
                heard = await client.hear_for(1)
                assert [m["sequence"] for m in heard[1:]] == list(range(1, 300))


async def test_frames_go_out_exactly_as_recorded_broken_ones_too(
    autojump_clock: trio.testing.MockClock,
) -> None:
    raws = ['{ "type" : "match","x":"1.50"}', "not json", "[1]", '"text"', '{"type":"error","message":"m"}']
    with trio.fail_after(60):
        async with connected(
            playback(*(CapturedFrame(raw, None, n) for n, raw in enumerate(raws)))
        ) as client:
            await client.ask("heartbeat", **ONE)
            await client.hear()
            assert [await client.websocket.get_message() for _ in raws] == raws


async def test_recorded_pacing_keeps_the_times_and_beats_in_the_pauses(
    autojump_clock: trio.testing.MockClock,
) -> None:
    simulator = playback(frame(1, 100.0), frame(2, 100.25), frame(3, 103.5), speed="recorded")
    heard = []
    with trio.fail_after(60):
        async with connected(simulator) as client:
            await client.ask("heartbeat", **ONE)
            await client.hear()
            started = trio.current_time()
            with trio.move_on_after(6):
                while True:
                    message = await client.hear()
                    at = round(trio.current_time() - started, 3)
                    heard.append((at, message["type"], message["sequence"]))
    assert heard == [
        (0.0, "match", 1), (0.25, "match", 2), (1.25, "heartbeat", 2), (2.25, "heartbeat", 2), (3.25, "heartbeat", 2),
        (3.5, "match", 3), (4.5, "heartbeat", 3), (5.5, "heartbeat", 3),
    ]  # fmt: skip


async def test_full_speed_is_the_clients_and_heartbeats_begin_when_the_file_has_ended(
    autojump_clock: trio.testing.MockClock,
) -> None:
    frames = [*(frame(n) for n in range(1, 200)), CapturedFrame('{"type":"x","sequence":"?"}', None, 999)]
    simulator = playback(*frames)
    with trio.fail_after(60):
        async with connected(simulator, streams=trio.testing.lockstep_stream_pair()) as client:
            await client.ask({"name": "heartbeat", "product_ids": ["BTC-USD", "ETH-USD"]})
            await client.hear()
            for n in range(1, 200):
                await trio.sleep(0.05)  # slower than the file: it takes ten seconds
                assert (await client.hear())["sequence"] == n
                waiting = len(simulator.connections[1]._queue)
                assert waiting <= AHEAD + 1
            await client.hear()
            ended_s = trio.current_time()
            beats = [await client.hear() for _ in range(4)]
            assert trio.current_time() - ended_s == pytest.approx(2, abs=0.2)
    assert {beat["type"] for beat in beats} == {"heartbeat"}
    counters = {(beat["product_id"], beat["sequence"], beat["last_trade_id"]) for beat in beats}
    assert counters == {("BTC-USD", 199, 398), ("ETH-USD", 0, 0)}


async def test_without_a_heartbeat_subscription_the_line_stays_open_and_silent(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(2000):
        simulator = playback(frame(1))
        async with connected(simulator) as client:
            await client.ask("matches", **ONE)
            assert len(await client.hear_for(1000)) == 2
            assert simulator.connections


async def test_scripts_and_errors_work_as_on_the_live_venue(autojump_clock: trio.testing.MockClock) -> None:
    script = (
        RejectRequest(nth=1, message="Failed to subscribe", reason="x"), WithholdAck(nth=2, serve=False),
        DelayAck(nth=3, delay_s=2), SkipFrame(kind="match", nth=2),
    )  # fmt: skip
    with trio.fail_after(60):
        async with connected(playback(frame(1), frame(2), frame(3), faults=script)) as client:
            await client.ask("matches", **ONE)
            assert (await client.hear())["reason"] == "x"
            await client.ask("matches", **ONE)
            assert await client.hear_for(5) == []
            await client.ask("matches", **ONE)
            assert [m.get("sequence") for m in await client.hear_for(5)] == [1, 3, None]
        async with connected(playback(frame(1))) as client:
            await client.ask()
            assert (await client.hear())["reason"] == "No channels provided"
            await client.websocket.send_message(b"[]")
            reason = await client.hear_end()
            assert reason is not None
            assert reason.code == 1008


async def test_the_recorded_session_arrives_whole_and_in_order(
    autojump_clock: trio.testing.MockClock,
) -> None:
    folder = os.environ.get("TRIOQUOTES_CAPTURES")
    if folder is None:
        pytest.skip("TRIOQUOTES_CAPTURES is not set")
    path = Path(folder) / "coinbase-session-2021.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines = [line for line in lines if json.loads(line["raw"])["type"] != "subscriptions"]
    expected = [line["raw"] for line in lines]
    assert len(expected) == 2997
    took_s = float(lines[-1]["recv_ts"]) - float(lines[0]["recv_ts"])
    for speed, seconds in (("max", 0.0), ("recorded", took_s)):
        simulator = CoinbasePlayback(read_capture(path), speed=speed, wall_ns=wall_ns)  # type: ignore[arg-type]
        with trio.fail_after(100):
            async with connected(simulator) as client:
                await client.ask("level2_batch", product_ids=["SKL-USD"])
                assert (await client.hear())["type"] == "subscriptions"
                started = trio.current_time()
                heard = [await client.websocket.get_message() for _ in expected]
                assert trio.current_time() - started == pytest.approx(seconds, abs=0.001)
                assert await client.hear_for(3) == []
        assert heard == expected
