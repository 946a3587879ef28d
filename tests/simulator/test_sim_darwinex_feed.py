from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
import trio
import trio.testing
import trio_websocket

from tests.simulator.darwinex_client import MAIN, START_S, connected, knock, wall_ns
from trioquotes.simulator.connection import Buffer
from trioquotes.simulator.faults import (
    DelayAck,
    DuplicateFrame,
    Fault,
    NeverSend,
    PartialAck,
    RefuseHandshake,
    RejectRequest,
    WithholdAck,
)
from trioquotes.simulator.tls import local_tls
from trioquotes.simulator.venues.darwinex import (
    DEMO_ACCOUNT,
    PATH,
    DarwinexSimulator,
    Product,
    generated_names,
)

START_MS = START_S * 1000


def darwinex(**options: Any) -> DarwinexSimulator:
    return DarwinexSimulator(**{"seed": 7, "accounts": [MAIN], "wall_ns": wall_ns, **options})


async def test_subscribed_carries_current_quotes_as_bare_numbers(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(600):
        simulator = darwinex()
        async with connected(simulator) as client:
            await client.say({"op": "subscribe", "productNames": ["DWC.4.20", "DWZ.4.7", "DWC.4.20"]})
            raw = await client.hear_raw()
    frame = json.loads(raw, parse_float=str, parse_int=str)
    assert list(frame) == ["op", "status", "timestamp", "products"]
    assert (frame["op"], frame["status"], frame["timestamp"]) == ("subscribed", "OK", str(START_MS))
    assert [row["productName"] for row in frame["products"]] == ["DWC.4.20", "DWZ.4.7"]
    for row in frame["products"]:
        assert f'"quote":{row["quote"]}' in raw
        assert Decimal(90) < Decimal(row["quote"]) < Decimal(320)


async def test_nothing_but_heartbeats_comes_unsubscribed(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(600):
        async with connected(darwinex()) as client:
            heard = await client.hear_for(125)
    assert heard == [{"op": "hb", "timestamp": START_MS + 30_000 * n} for n in (1, 2, 3, 4)]


async def test_quotes_follow_and_agree_with_what_a_late_client_is_told(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(600):
        simulator = darwinex(rate=2.0)
        async with connected(simulator) as first, connected(simulator) as second:
            await first.subscribe("DWC.4.20")
            heard = [frame for frame in await first.hear_for(40.0) if frame["op"] == "pq"]
            assert 60 < len(heard) < 100
            assert len({frame["quote"] for frame in heard}) > 10
            times = [frame["timestamp"] for frame in heard]
            assert times == sorted(times)
            assert len(set(times)) < len(times)  # equal times do occur
            assert all(list(frame) == ["op", "productName", "quote", "timestamp"] for frame in heard)
            last = {"DWC.4.20": heard[-1]["quote"]}
            late = await second.subscribe("DWC.4.20")
    assert {row["productName"]: row["quote"] for row in late["products"]} == last


async def test_both_watchers_of_a_product_hear_the_same(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(600):
        simulator = darwinex(rate=1.0)
        async with connected(simulator) as first, connected(simulator) as second:
            await first.subscribe("DWC.4.20", "THA.4.12")
            await second.subscribe("DWC.4.20")
            heard = [[], []]  # type: list[list[Any]]
            async with trio.open_nursery() as nursery:

                async def listen(place: int) -> None:
                    heard[place] = await (first, second)[place].hear_for(20)

                nursery.start_soon(listen, 0)
                nursery.start_soon(listen, 1)
    one, two = heard
    assert two
    assert [f for f in one if f["productName"] == "DWC.4.20"] == two
    assert {f["productName"] for f in one} == {"DWC.4.20", "THA.4.12"}


async def test_subscribing_again_at_once_doubles_nothing(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(600):
        simulator = darwinex(rate=0.5)
        async with connected(simulator) as client:
            await client.subscribe("DWC.4.20")
            await client.subscribe("DWC.4.20")
            await client.say({"op": "unsubscribeAll"})
            await client.subscribe("DWC.4.20")
            await client.subscribe("DWC.4.20")
            heard = [frame for frame in await client.hear_for(100) if frame["op"] == "pq"]
    assert 45 <= len(heard) <= 55


async def test_the_same_seed_quotes_the_same(autojump_clock: trio.testing.MockClock) -> None:
    answers = []
    with trio.fail_after(600):
        for seed in (7, 7, 8):
            async with connected(
                DarwinexSimulator(seed=seed, wall_ns=lambda: 10**18), DEMO_ACCOUNT.access_token
            ) as c:
                answers.append(await c.subscribe("DWC.4.20"))
    assert answers[0] == answers[1] != answers[2]


@pytest.mark.parametrize("name", ["DWC", "XXX.1.1", "dwc.4.20", "OLD.4.1", ""])
@pytest.mark.parametrize("name_errors", [False, True])
async def test_a_name_that_is_not_active_makes_a_warning(
    autojump_clock: trio.testing.MockClock, name: str, name_errors: bool
) -> None:
    with trio.fail_after(600):
        simulator = darwinex(
            products=["DWC.4.20", Product("OLD.4.1", status="INACTIVE")], name_errors=name_errors, rate=0.001
        )
        async with connected(simulator) as client:
            answer = await client.subscribe(name, "DWC.4.20")
            rest = await client.hear_for(1)
    assert (answer["op"], answer["status"]) == ("subscribed", "WARN")
    assert [row["productName"] for row in answer["products"]] == ["DWC.4.20"]
    error = {
        "op": "error", "opRequest": "subscribe", "msg": f"No active product found with the name {name}",
        "code": "PRODUCT_NOT_VALID",
    }  # fmt: skip
    assert rest == ([error] if name_errors else [])


async def test_without_one_good_name_there_are_errors_only(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(600):
        async with connected(darwinex()) as client:
            await client.say({"op": "subscribe", "productNames": ["DWC", "DWZ"]})
            heard = await client.hear_for(1)
        async with connected(darwinex(all_wrong="warn")) as client:
            empty = await client.subscribe("DWC")
    assert [(f["op"], f["code"], f["msg"].rsplit(" ", 1)[1]) for f in heard] == [
        ("error", "PRODUCT_NOT_VALID", "DWC"),
        ("error", "PRODUCT_NOT_VALID", "DWZ"),
    ]
    assert (empty["status"], empty["products"]) == ("WARN", [])


async def test_unsubscribing_names_what_was_subscribed_and_ends_the_quotes(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(600):
        async with connected(darwinex(rate=5.0)) as client:
            await client.subscribe("DWC.4.20", "DWZ.4.7", "THA.4.12")
            await client.say({"op": "unsubscribe", "productNames": ["THA.4.12", "ENH.4.16", "XXX.1.1"]})
            one = await client.hear_answer()
            rest = await client.hear_for(10)
            await client.say({"op": "unsubscribeAll"})
            two = await client.hear_answer()
            silence = await client.hear_for(10)
            await client.say({"op": "unsubscribeAll"})
            three = await client.hear_answer()
            await client.subscribe("DWC.4.20")
            again = await client.hear_for(10)
    assert list(one) == ["op", "status", "timestamp", "productNames"]
    assert (one["op"], one["status"], one["productNames"]) == ("unsubscribed", "OK", ["THA.4.12"])
    assert {f["productName"] for f in rest} == {"DWC.4.20", "DWZ.4.7"}
    assert two["productNames"] == ["DWC.4.20", "DWZ.4.7"]
    assert silence == []
    assert (three["op"], three["productNames"]) == ("unsubscribed", [])
    assert 30 < len(again) < 70  # once each, not twice


@pytest.mark.parametrize("name_errors", [False, True])
async def test_unsubscribing_unknown_names_is_an_error_with_a_time(
    autojump_clock: trio.testing.MockClock, name_errors: bool
) -> None:
    with trio.fail_after(600):
        async with connected(darwinex(name_errors=name_errors, rate=0.001)) as client:
            await client.say({"op": "unsubscribe", "productNames": ["XXX.1.1"]})
            alone = await client.hear_for(1)
            await client.subscribe("DWC.4.20")
            await client.say({"op": "unsubscribe", "productNames": ["XXX.1.1", "DWC.4.20"]})
            mixed = await client.hear_for(1)
    error = {
        "op": "error", "opRequest": "unsubscribe", "msg": "No active product found with the name XXX.1.1",
        "code": "PRODUCT_NOT_VALID", "timestamp": START_MS,
    }  # fmt: skip
    assert alone == [error]
    assert [f["op"] for f in mixed] == ["unsubscribed", *(["error"] if name_errors else [])]


@pytest.mark.parametrize(
    ("message", "request_", "words", "code"),
    [
        ("", "", "Empty message received.", "EMPTY_MESSAGE_RECEIVED"),
        (" \n", "", "Empty message received.", "EMPTY_MESSAGE_RECEIVED"),
        ("hello", "", "Message hello is not recognized.", "MESSAGE_NOT_RECOGNIZED"),
        ("[1]", "", "Message [1] is not recognized.", "MESSAGE_NOT_RECOGNIZED"),
        ("{}", "", "Message {} is not recognized.", "MESSAGE_NOT_RECOGNIZED"),
        ('{"op":NaN}', "", 'Message {"op":NaN} is not recognized.', "MESSAGE_NOT_RECOGNIZED"),
        ('{"op":1}', "", 'Message {"op":1} is not recognized.', "MESSAGE_NOT_RECOGNIZED"),
        ('{"op":"hi"}', "hi", 'Event hi in message {"op":"hi"} not recognized.', "MESSAGE_NOT_RECOGNIZED"),
        ('{"op":"pq"}', "pq", "pq not implemented.", "MESSAGE_NOT_RECOGNIZED"),
        ('{"op":"subscribe"}', "subscribe", 'Message {"op":"subscribe"} is not recognized.', "MESSAGE_NOT_RECOGNIZED"),
        (
            '{"op":"unsubscribe","productNames":[]}', "unsubscribe",
            'Message {"op":"unsubscribe","productNames":[]} is not recognized.', "MESSAGE_NOT_RECOGNIZED",
        ),
        (
            '{"op":"subscribe","productNames":[1]}', "subscribe",
            'Message {"op":"subscribe","productNames":[1]} is not recognized.', "MESSAGE_NOT_RECOGNIZED",
        ),
        ('{"op":"ping","msg":1}', "ping", 'Message {"op":"ping","msg":1} is not recognized.', "MESSAGE_NOT_RECOGNIZED"),
    ],
)  # fmt: skip
async def test_a_wrong_message_is_an_error_and_the_line_stays(
    autojump_clock: trio.testing.MockClock, message: str, request_: str, words: str, code: str
) -> None:
    with trio.fail_after(600):
        async with connected(darwinex()) as client, connected(darwinex(blank_request=False)) as bare:
            await client.say(message)
            frame = await client.hear()
            await client.say({"op": "ping", "msg": "still here"})
            pong = await client.hear()
            await bare.websocket.send_message(message.encode())
            other = await bare.hear()
    expected = {"op": "error", "opRequest": request_, "msg": words, "code": code}
    if request_ != "subscribe":
        expected["timestamp"] = START_MS  # type: ignore[assignment]  # the only number
    assert frame == expected
    assert list(frame) == list(expected)
    assert pong == {"op": "pong", "timestamp": START_MS, "msg": "still here"}
    assert ("opRequest" in other) is bool(request_)


async def test_ten_thousand_products_and_not_one_more(autojump_clock: trio.testing.MockClock) -> None:
    names = generated_names(10_050)
    with trio.fail_after(10_000):
        simulator = darwinex(products=10_050, rate=0.0001)
        async with connected(simulator) as client:
            for at in range(0, 10_000, 100):
                answer = await client.subscribe(*names[at : at + 100])
                assert (answer["status"], len(answer["products"])) == ("OK", 100)
                await trio.sleep(1.3)
            refused = await client.subscribe(*names[9_999:10_001])
            again = await client.subscribe(*names[:50])
            await client.say({"op": "unsubscribe", "productNames": list(names[:2])})
            assert len((await client.hear_answer())["productNames"]) == 2
            fits = await client.subscribe(*names[9_999:10_002])  # two new ones
        assert not simulator.records.breached()
    assert refused == {
        "op": "error", "opRequest": "subscribe", "code": "MAX_PRODUCT_SUBSCRIPTIONS_REACHED",
        "msg": "Not allowed to subscribe to more than 10.000 products.",
    }  # fmt: skip
    assert (again["status"], len(again["products"])) == ("OK", 50)
    assert (fits["status"], len(fits["products"])) == ("OK", 3)


async def test_more_than_a_hundred_names_are_served_and_noted(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(600):
        simulator = darwinex(products=200)
        async with connected(simulator) as client:
            await client.subscribe(*generated_names(100))
            assert not simulator.records.breached()
            answer = await client.subscribe(*generated_names(101))
    assert len(answer["products"]) == 101
    assert [breach.detail for breach in simulator.records.breached("names")] == ["101 in one request"]


@pytest.mark.parametrize(("size", "closes"), [(65_536, False), (65_537, True)])
async def test_a_frame_beyond_the_limit_closes_the_line(
    autojump_clock: trio.testing.MockClock, size: int, closes: bool
) -> None:
    with trio.fail_after(600):
        simulator = darwinex()
        async with connected(simulator) as client:
            await client.say("x" * size)
            if closes:
                with pytest.raises(trio_websocket.ConnectionClosed) as caught:
                    await client.hear()
                assert caught.value.reason is not None
                assert caught.value.reason.code == 1009
            else:
                assert (await client.hear())["code"] == "MESSAGE_NOT_RECOGNIZED"
    assert len(simulator.records.breached("message size")) is int(closes)


@pytest.mark.parametrize("beats", [True, False])
async def test_after_fifty_requests_quotes_stop_until_the_next_minute(
    autojump_clock: trio.testing.MockClock, beats: bool
) -> None:
    with trio.fail_after(600):
        simulator = darwinex(rate=5.0, beats_when_silent=beats, heartbeat_s=7.0)
        async with connected(simulator) as client:
            await client.subscribe("DWC.4.20")
            for n in range(49):
                await client.say({"op": "ping", "msg": str(n)})
            before = await client.hear_for(10)
            assert not simulator.records.breached()
            await client.say({"op": "ping", "msg": "one too many"})
            after = await client.hear_for(60)
            assert [b.limit for b in simulator.records.breached()] == ["requests"]
    assert len([f for f in before if f["op"] == "pq"]) > 20
    assert [f["msg"] for f in after if f["op"] == "pong"] == ["one too many"]
    quoted = [f["timestamp"] for f in after if f["op"] == "pq"]
    minute_ms = START_MS + 60_000
    assert minute_ms <= min(quoted) < minute_ms + 1_000
    beats_heard = [f["timestamp"] for f in after if f["op"] == "hb" and f["timestamp"] < minute_ms]
    assert len(beats_heard) == (7 if beats else 0)


async def test_requests_count_in_any_sixty_seconds_over_all_lines_of_a_client(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(600):
        simulator = darwinex(limits=True)
        async with connected(simulator) as one, connected(simulator) as two:
            await trio.sleep(50)
            for client in (one, two):
                for _ in range(25):
                    await client.say({"op": "ping", "msg": ""})
            await trio.sleep(59.5)  # another minute of the clock by now
            assert not simulator.records.breached("requests")
            await two.say({"op": "ping", "msg": ""})
            await trio.sleep(1)
            assert len(simulator.records.breached("requests")) == 1
            await two.say({"op": "ping", "msg": ""})
            await trio.sleep(1)
            assert len(simulator.records.breached("requests")) == 1


async def test_quotes_may_count_as_well(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(600):
        simulator = darwinex(rate=5.0, counted="frames")
        async with connected(simulator) as client:
            await client.subscribe("DWC.4.20")
            first = [f for f in await client.hear_for(59.9) if f["op"] == "pq"]
            second = [f for f in await client.hear_for(60) if f["op"] == "pq"]
    assert (len(first), len(second)) == (49, 50)
    assert len(simulator.records.breached("quotes")) == 2


async def test_limits_can_be_lifted(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(600):
        simulator = darwinex(rate=5.0, counted="frames", limits=False)
        async with connected(simulator) as client, connected(simulator):
            for _ in range(60):
                await client.subscribe("DWC.4.20")
            heard = await client.hear_for(59.9)
    assert len([f for f in heard if f["op"] == "pq"]) > 200
    assert not simulator.records.breached()


async def test_quotes_by_hand_may_share_a_time_and_hold_until_the_next_update(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(600):
        simulator = darwinex(rate=0.01)
        async with connected(simulator) as client:
            await client.subscribe("DWC.4.20")
            simulator.set_quote("DWC.4.20", Decimal("99.990"))
            simulator.set_quote("DWC.4.20", Decimal(101))
            raw = [await client.hear_raw(), await client.hear_raw()]
            answer = await client.subscribe("DWC.4.20")
            fresh = next(f for f in await client.hear_for(200) if f["op"] == "pq")
            later = await client.subscribe("DWC.4.20")
        with pytest.raises(ValueError, match="no active product"):
            simulator.set_quote("DWC", Decimal(1))
    assert raw == [
        f'{{"op":"pq","productName":"DWC.4.20","quote":{text},"timestamp":{START_MS}}}'
        for text in ("99.990", "101")
    ]
    assert answer["products"][0]["quote"] == 101
    assert fresh["quote"] != 101
    assert later["products"][0]["quote"] != 101


async def test_scripts_reject_withhold_delay_and_cut_down_answers(
    autojump_clock: trio.testing.MockClock,
) -> None:
    script: list[Fault] = [
        RejectRequest(message="not now", reason="SOME_CODE", nth=1), RejectRequest(message="nor now", nth=2),
        WithholdAck(nth=3), WithholdAck(nth=4, serve=False), DelayAck(nth=5, delay_s=8),
        PartialAck(nth=6, leave_out=("ENH.4.16",)), DuplicateFrame(kind="unsubscribed"), NeverSend(kind="hb"),
    ]  # fmt: skip
    with trio.fail_after(600):
        async with connected(darwinex(faults=script, rate=2.0)) as client:
            one = await client.subscribe("DWC.4.20")
            await client.say({"op": "unsubscribeAll"})
            two = await client.hear()
            await client.say({"op": "subscribe", "productNames": ["DWC.4.20"]})
            three = await client.hear_for(5)
            await client.say({"op": "subscribe", "productNames": ["DWZ.4.7"]})
            four = await client.hear_for(5)
            await client.say({"op": "subscribe", "productNames": ["THA.4.12"]})
            five = [f["op"] for f in await client.hear_for(9) if f.get("productName") != "DWC.4.20"]
            six = await client.subscribe("ENH.4.16", "AEB.5.4")
            await client.say({"op": "unsubscribe", "productNames": ["AEB.5.4"]})
            seven = [f for f in await client.hear_for(60) if f["op"] in {"unsubscribed", "hb"}]
    assert (one["msg"], one["code"], "timestamp" in one) == ("not now", "SOME_CODE", False)
    assert (two["opRequest"], two["code"], "timestamp" in two) == (
        "unsubscribeAll",
        "MESSAGE_NOT_RECOGNIZED",
        True,
    )
    assert three
    assert {(f["op"], f["productName"]) for f in three + four} == {("pq", "DWC.4.20")}
    assert five.index("subscribed") > 3
    assert five.count("subscribed") == 1
    assert (six["status"], [row["productName"] for row in six["products"]]) == ("WARN", ["AEB.5.4"])
    assert [f["op"] for f in seven] == ["unsubscribed", "unsubscribed"]


async def test_a_client_that_never_reads_is_cut_off(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(600):
        simulator = darwinex(buffer=Buffer(frames=5), products=20, rate=0.001)
        async with connected(simulator) as client:
            await client.subscribe(*generated_names(3))
            for _ in range(10):
                simulator.set_quote("AAA.4.1", Decimal(100))
            with pytest.raises(trio_websocket.ConnectionClosed):
                await client.hear_for(10)
            assert not simulator.connections
    assert simulator.records.breached("slow consumer")


async def test_a_closed_line_is_forgotten_and_coming_back_soon_is_noted(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(1_000):
        simulator = darwinex(rate=1.0)
        async with connected(simulator, peer="10.0.0.1") as client:
            await client.subscribe("DWC.4.20")
            await trio.sleep(100)
        assert not any(simulator._board._watchers.values())
        async with connected(simulator, peer="10.0.0.1"):
            assert not simulator.records.breached("connects")
            await trio.sleep(20)
        async with connected(simulator, peer="10.0.0.2") as client:
            assert [b.peer for b in simulator.records.breached("connects")] == ["10.0.0.2"]
            assert await client.hear_for(20) == []
            await client.subscribe("DWC.4.20")
            assert len([f for f in await client.hear_for(20) if f["op"] == "pq"]) < 40


async def test_a_gateway_may_be_out_of_order(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(30):
        simulator = darwinex(faults=[RefuseHandshake(status=502, body="Bad Gateway", connection=1)])
        headers = {"Authorization": f"Bearer {MAIN.access_token}"}
        assert await knock(simulator, headers) == (502, b"Bad Gateway")
        async with connected(simulator) as client:
            assert (await client.subscribe("DWC.4.20"))["status"] == "OK"


@pytest.mark.tcp
@pytest.mark.parametrize("secure", [False, True])
async def test_over_tcp_with_and_without_tls(secure: bool) -> None:
    tls = local_tls()
    with trio.fail_after(20):
        simulator = DarwinexSimulator(rate=50.0)
        async with simulator.open_server(ssl_context=tls.server if secure else None) as url:
            headers = [(b"Authorization", f"Bearer {DEMO_ACCOUNT.access_token}".encode())]
            context = tls.client_context() if secure else None
            async with trio_websocket.open_websocket_url(
                url + PATH, ssl_context=context, extra_headers=headers
            ) as websocket:
                await websocket.send_message('{"op": "subscribe", "productNames": ["DWC.4.20"]}')
                ops = [json.loads(await websocket.get_message())["op"] for _ in range(4)]
            assert ops == ["subscribed", "pq", "pq", "pq"]
