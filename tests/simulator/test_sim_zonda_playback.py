from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from tests.simulator.sim_zonda_client import Book, connected, wall_ns
from trioquotes.simulator.faults import DelayAck, Fault, RejectRequest, WithholdAck
from trioquotes.simulator.playback import Capture, CapturedFrame, read_capture
from trioquotes.simulator.venues.zonda import ZondaPlayback

PATH = "orderbook-limited/btc-pln/10"
SNAPSHOT = '{"action":"proxy-response","requestId":"recorded","statusCode":200,"body":{"status":"Ok","sell":[],"buy":[{"ra":"1.50","ca":"2.0","sa":"2.0","pa":"2.0","co":1}],"timestamp":"5","seqNo":"6"}}'
HISTORY = '{"action":"proxy-response","requestId":"h","statusCode":200,"body":{"status":"Ok","totalRows":"1","items":[]}}'
TRADES = '{"action":"proxy-response","requestId":"t","statusCode":200,"body":{"status":"Ok","items":[{"id":"x","n":1.10}]}}'


def push(number: int, topic: str = f"trading/{PATH}") -> str:
    return json.dumps(
        {"action": "push", "topic": topic, "message": {"changes": []}, "timestamp": "5", "seqNo": number}
    )


def playback(*raws: str, faults: tuple[Fault, ...] = ()) -> ZondaPlayback:
    frames = tuple(CapturedFrame(raw, None, number) for number, raw in enumerate(raws, 1))
    return ZondaPlayback(Capture("test", frames), wall_ns=wall_ns, faults=faults)


async def test_a_session_is_played_from_the_first_subscribe(autojump_clock: trio.testing.MockClock) -> None:
    confirm = '{"action":"subscribe-public-confirm","module":"trading","path":"orderbook/btc-pln"}'
    odd = ('{"error":"Authentication failed"}', "[1]")
    simulator = playback(confirm, SNAPSHOT, push(7), '{"action":"pong"}', push(8), *odd)
    with trio.fail_after(60):
        async with connected(simulator) as client:
            assert await client.hear_for(3) == []
            await client.public(PATH)
            assert (await client.hear())["path"] == PATH
            heard = [await client.websocket.get_message() for _ in range(4)]
            assert heard == [push(7), push(8), *odd]
            book = Book()
            book.load(await client.proxy(PATH))
            for raw in heard[:2]:
                book.apply(json.loads(raw))
            assert book.sequence == 8
            assert await client.hear_for(30) == []
    kinds = [sent.kind for sent in simulator.records.frames]
    assert kinds == [
        "subscribe-public-confirm", "orderbook-limited", "orderbook-limited", "error", "broken", "proxy-response",
    ]  # fmt: skip


async def test_answers_are_given_by_form_in_their_order_and_letter_by_letter(
    autojump_clock: trio.testing.MockClock,
) -> None:
    second = SNAPSHOT.replace('"6"', '"9"')
    simulator = playback(SNAPSHOT, HISTORY, second, TRADES, push(1, "elsewhere/x"))
    with trio.fail_after(30):
        async with connected(simulator) as client:
            numbers = [(await client.proxy(PATH))["seqNo"] for _ in range(3)]
            assert numbers == ["6", "9", "9"]
            assert (await client.proxy("history/transactions"))["totalRows"] == "1"
            await client.say(
                {"action": "proxy", "requestId": "é", "module": "trading", "path": "transactions/btc-pln"}
            )
            text = await client.websocket.get_message()
            assert isinstance(text, str)
            assert text == TRADES.replace('"t"', json.dumps("é"))
            assert (await client.proxy("ticker"))["errors"] == ["TIMEOUT"]
            assert (await client.proxy("elsewhere"))["errors"] == ["TIMEOUT"]
            await client.say({"action": "ping"})
            assert await client.hear() == {"action": "pong"}
            await client.say("{")
            assert (await client.hear())["action"] == "json-error"
            await client.unsubscribe("x")
            await client.private("offers")
            assert (await client.hear())["action"] == "subscribe-private-confirm"
            assert (await client.hear())["topic"] == "elsewhere/x"


async def test_scripts_apply_to_playback(autojump_clock: trio.testing.MockClock) -> None:
    script = (
        RejectRequest(nth=1, message="no"), WithholdAck(nth=2, serve=False), DelayAck(nth=3, delay_s=2.0), WithholdAck(nth=4),
    )  # fmt: skip
    with trio.fail_after(30):
        async with connected(playback(push(1), faults=script)) as client:
            await client.public(PATH)
            assert (await client.hear())["error"] == "no"
            await client.public(PATH)
            assert await client.hear_for(3) == []
            await client.public(PATH)
            assert [message["action"] for message in await client.hear_for(3)] == [
                "push", "subscribe-public-confirm",
            ]  # fmt: skip
            await client.public(PATH)
            assert await client.hear_for(3) == []
            await client.public("nothing")
            assert (await client.hear())["action"] == "subscribe-public-error"


@pytest.mark.skipif("TRIOQUOTES_CAPTURES" not in os.environ, reason="TRIOQUOTES_CAPTURES is not set")
async def test_the_capture_plays_whole_and_its_snapshot_fits_its_push(
    autojump_clock: trio.testing.MockClock,
) -> None:
    path = Path(os.environ["TRIOQUOTES_CAPTURES"]) / "zonda-messages.jsonl"
    raws: list[Any] = [frame.raw for frame in read_capture(path).frames]
    answers = {"proxy-response", "subscribe-public-confirm", "pong"}
    simulator = ZondaPlayback(read_capture(path), wall_ns=wall_ns)
    played = [raw for raw in raws if simulator.kind_of(raw) not in answers]
    with trio.fail_after(30):
        async with connected(simulator) as client:
            await client.public(PATH)
            await client.hear()
            heard = [await client.websocket.get_message() for _ in played]
            assert heard == played
            book = Book()
            book.load(await client.proxy(PATH))
            assert book.sequence == 95486654
            book.apply(json.loads(played[0]))
            assert {len(side) for side in book.sides.values()} == {10}
    assert len(played) == 17
