from __future__ import annotations

import json
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from tests.simulator.darwinex_client import connected, knock, wall_ns
from trioquotes.simulator.faults import DelayAck, Fault, PartialAck, RejectRequest, WithholdAck
from trioquotes.simulator.playback import Capture, CapturedFrame, read_capture
from trioquotes.simulator.venues.darwinex import (
    DarwinexPlayback,
    DarwinexSimulator,
    Product,
    frames,
    generated_names,
)
from trioquotes.simulator.venues.darwinex.listings import products_of
from trioquotes.simulator.venues.darwinex.quotes import QuotePath, quote_text
from trioquotes.simulator.venues.darwinex.requests import Refusal, read_message

NOW_NS = 1_758_253_500 * 10**9
SECONDS = st.integers(0, 10**6)
RATES = st.sampled_from([0.001, 0.3, 1.0, 7.0, 1000.0])


@pytest.mark.parametrize(
    ("cents", "text"), [(14702, "147.02"), (14750, "147.5"), (14700, "147.0"), (10, "0.1"), (1, "0.01")]
)
def test_quotes_are_written_without_trailing_zeros(cents: int, text: str) -> None:
    assert quote_text(cents) == text


@given(SECONDS, RATES, st.integers(0, 99), st.integers(0, 10**9))
def test_the_latest_update_is_the_last_that_is_not_in_the_future(
    seconds: int, rate: float, seed: int, nanos: int
) -> None:
    path, now_ns = QuotePath(seed, rate), NOW_NS + seconds * 10**9 + nanos
    number = path.latest("DWC.4.20", now_ns)
    times = [path.time_ns("DWC.4.20", number + step) for step in range(-3, 4)]
    assert times == sorted(times)
    assert times[3] <= now_ns < times[4]


@given(st.integers(0, 10**12), st.integers(0, 999))
def test_a_quote_stays_near_its_middle_and_moves_little_at_a_time(number: int, seed: int) -> None:
    path = QuotePath(seed, 1.0)
    cents = [path.cents("DWC.4.20", number + step) for step in range(30)]
    assert all(9_600 <= quote <= 31_200 for quote in cents)
    assert max(abs(b - a) for a, b in pairwise(cents)) <= 0.002 * max(cents)


@pytest.mark.parametrize("rate", [0.0, -1.0, 1000.1, float("nan")])
def test_an_impossible_rate_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="updates per second"):
        DarwinexSimulator(rate=rate)


def test_generated_names_are_full_different_and_many() -> None:
    names = generated_names(20_000)
    assert len(set(names)) == 20_000
    assert names[:2] == ("AAA.4.1", "AAB.5.8")
    assert len({product.short_name for product in products_of(20_000)}) == 20_000


@pytest.mark.parametrize("products", [["DWC"], ["DWC.4.20", "DWC.4.20"], [Product("A.B.C.D")]])
def test_products_must_have_full_names_of_their_own(products: list[Any]) -> None:
    with pytest.raises(ValueError, match="full product name"):
        DarwinexSimulator(products=products)


@given(st.text() | st.lists(st.none() | st.integers() | st.text()).map(json.dumps))
def test_whatever_is_no_request_is_refused(text: str) -> None:
    assert isinstance(read_message(text), Refusal)


def test_deep_nesting_is_refused() -> None:
    assert isinstance(read_message("[" * 60_000), Refusal)


@given(st.text())
def test_free_text_comes_back_as_it_went(text: str) -> None:
    assert json.loads(frames.pong(text, 1)) == {"op": "pong", "timestamp": 1, "msg": text}


def capture(*raws: str) -> Capture:
    return Capture("some.jsonl", tuple(CapturedFrame(raw, None, n) for n, raw in enumerate(raws, start=1)))


RECORDED = capture(
    '{"op":"subscribed","status":"OK","timestamp":1,"products":[{"productName":"DWZ.4.7","quote":210.530}]}',
    '{"op":"pq","productName":"DWC.4.20","quote":147,"timestamp":2}',
    '{"op":"pq","productName":"DWC.4.20","quote":147.05,"timestamp":2}',
    '{"access_token":"x"}',
    '{"op":"pq", "productName": broken',
    '{"op":"hb","timestamp":3}',
)


async def test_a_recording_is_played_with_answers_of_today(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(600):
        simulator = DarwinexPlayback(RECORDED, wall_ns=wall_ns)
        async with connected(simulator, "any") as client:
            await trio.sleep(100)
            await client.say({"op": "ping"})
            assert (await client.hear())["msg"] is None
            await client.say({"op": "subscribe", "productNames": ["DWZ.4.7", "DWC.4.20", "XXX.1.1"]})
            raws = [await client.hear_raw() for _ in range(5)]
            assert [frame["op"] for frame in await client.hear_for(95)] == ["hb"] * 3
            await client.say({"op": "unsubscribe", "productNames": ["DWC.4.20"]})
            one = await client.hear_answer()
            await client.say({"op": "unsubscribeAll"})
            two = await client.hear_answer()
            lone = await client.subscribe("XXX.1.1")
            await client.say("what")
            wrong = await client.hear_answer()
    assert raws[0].endswith(
        '"products":[{"productName":"DWZ.4.7","quote":210.530},{"productName":"DWC.4.20","quote":147}]}'
    )
    assert '"status":"WARN"' in raws[0]
    assert raws[1:] == [RECORDED.frames[place].raw for place in (1, 2, 4, 5)]
    assert (one["productNames"], two["productNames"]) == (["DWC.4.20"], ["DWZ.4.7"])
    assert (lone["code"], wrong["code"]) == ("PRODUCT_NOT_VALID", "MESSAGE_NOT_RECOGNIZED")


async def test_playback_wants_the_path_and_some_token(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(30):
        simulator = DarwinexPlayback(RECORDED, wall_ns=wall_ns)
        assert (await knock(simulator))[0] == 401
        assert (await knock(simulator, {"Authorization": "Bearer x"}, "/"))[0] == 404


async def test_scripts_apply_to_playback(autojump_clock: trio.testing.MockClock) -> None:
    script: list[Fault] = [
        RejectRequest(message="no", nth=1), WithholdAck(nth=2, serve=False), DelayAck(nth=3, delay_s=1),
        PartialAck(nth=4, leave_out=("DWC.4.20",)), WithholdAck(nth=5),
    ]  # fmt: skip
    with trio.fail_after(600):
        async with connected(DarwinexPlayback(capture(), wall_ns=wall_ns, faults=script), "x") as client:
            assert (await client.subscribe("DWC.4.20"))["msg"] == "no"
        simulator = DarwinexPlayback(RECORDED, wall_ns=wall_ns, faults=script)
        async with connected(simulator, "x") as client:
            await client.subscribe("DWC.4.20")
            await client.say({"op": "subscribe", "productNames": ["DWC.4.20"]})
            assert await client.hear_for(5) == []
            await client.websocket.send_message('{"op":"subscribe","productNames":["DWC.4.20"]}')
            raws = [await client.hear_raw() for _ in range(5)]
            four = await client.subscribe("DWC.4.20", "DWZ.4.7")
            await client.say({"op": "unsubscribeAll"})
            assert await client.hear_for(5) == []
    assert '"subscribed"' in raws[4]
    assert (four["status"], len(four["products"])) == ("WARN", 1)


def captures() -> Path:
    folder = os.environ.get("TRIOQUOTES_CAPTURES")
    if not folder:
        pytest.skip("TRIOQUOTES_CAPTURES is not set")
    return Path(folder)


async def test_the_documented_messages_can_be_played(autojump_clock: trio.testing.MockClock) -> None:
    recording = read_capture(captures() / "darwinex-messages.jsonl")
    with trio.fail_after(600):
        simulator = DarwinexPlayback(recording, wall_ns=wall_ns)
        async with connected(simulator, "x") as client:
            await client.say({"op": "subscribe", "productNames": ["DWC.4.20"]})
            first = await client.hear_raw()
            heard = [await client.hear_raw() for _ in simulator.frames]
    assert '"products":[{"productName":"DWC.4.20","quote":147.02}]' in first
    kinds = {simulator.kind_of(raw) for raw in heard}
    assert kinds == {"hb", "pq", "error", "broken"}
    assert heard == [frame.raw for frame in simulator.frames]


def test_own_frames_have_the_documented_fields_in_their_order() -> None:
    samples: dict[str, Any] = {}
    for captured in read_capture(captures() / "darwinex-messages.jsonl").frames:
        try:
            frame = json.loads(captured.raw)
        except ValueError:
            continue
        if "op" in frame:
            samples.setdefault(frame["op"] + frame.get("opRequest", ""), list(frame))
    made = {
        "subscribed": frames.subscribed([("A.1.1", "1.0")], complete=True, time_ms=1),
        "unsubscribed": frames.unsubscribed(["A.1.1"], 1),
        "pq": frames.quote("A.1.1", "1.0", 1),
        "hb": frames.heartbeat(1),
        "pong": frames.pong("x", 1),
        "errorsubscribe": frames.error("subscribe", "words", "CODE", 1),
        "errorunsubscribe": frames.error("unsubscribe", "words", "CODE", 1),
        "errorunsubscribeAll": frames.error("unsubscribeAll", "words", "CODE", 1),
        "error": frames.error("", "words", "CODE", 1),
    }
    assert {kind: list(json.loads(text)) for kind, text in made.items()} == samples
