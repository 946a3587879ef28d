from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
import trio
import trio.testing
import trio_websocket

from tests.simulator.clients import get, http
from tests.simulator.upbit_client import (
    INFO,
    OTHER,
    PRIVATE,
    PUBLIC,
    asking,
    bearer,
    connected,
    of_kind,
    shake,
    upbit,
)
from trioquotes.simulator.faults import DropLine, RejectRequest

TRADES: dict[str, Any] = {"type": "trade", "codes": ["KRW-BTC"]}
UP = '{"status":"UP"}'

REFUSED = {
    "not json": ("WRONG_FORMAT", "{"),
    "no ticket": ("NO_TICKET", json.dumps([TRADES])),
    "no type": ("NO_TYPE", asking({"codes": ["KRW-BTC"]})),
    "no codes": ("NO_CODES", asking({"type": "trade"})),
    "type": ("INVALID_PARAM", asking({"type": "nope", "codes": ["KRW-BTC"]})),
    "elsewhere": ("INVALID_PARAM", asking({"type": "myOrder"})),
    "format": ("WRONG_FORMAT", asking(TRADES, form="XML")),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_an_error_is_told_and_the_line_closed_with_1000_soon_after(
    autojump_clock: trio.testing.MockClock, case: str
) -> None:
    name, message = REFUSED[case]
    simulator = upbit(rate=0.001)
    with trio.fail_after(30):
        async with connected(simulator) as client:
            await client.say(message)
            error = json.loads(await client.hear_raw())["error"]
            assert set(error) == {"name", "message"}
            assert error["name"] == name
            assert error["message"]
            told_s = trio.current_time()
            heard, reason, ended_s = await client.hear_end()
    assert heard == []
    assert reason is not None
    assert reason.code == 1000
    assert 0.149 <= ended_s - told_s <= 0.181


async def test_an_error_has_long_names_in_every_format_and_ends_what_was_asked(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(30):
        async with connected(upbit()) as client:
            await client.ask(TRADES, form="SIMPLE_LIST")
            await client.hear()
            await client.ask({"type": "trade"})
            await client.ask({"type": "trade", "codes": ["KRW-ETH"]})
            await client.say("PING")
            heard, reason, _ = await client.hear_end()
    errors = [text for text in heard if text.startswith("{")]
    assert len(errors) == 1, "nothing is answered after an error"
    assert '"name":"NO_CODES"' in errors[0]
    assert '"KRW-ETH"' not in "".join(heard)
    assert reason is not None
    assert reason.code == 1000


async def test_a_script_refuses_in_the_venues_form(autojump_clock: trio.testing.MockClock) -> None:
    script = (
        RejectRequest(nth=1, message="INVALID_PARAM", reason="오늘은 쉽니다."),
        RejectRequest(nth=2, message="X"),
    )
    with trio.fail_after(30):
        async with connected(upbit(*script)) as client:
            await client.ask(TRADES)
            error = (await client.hear())["error"]
            assert error == {"name": "INVALID_PARAM", "message": "오늘은 쉽니다."}
            assert (await client.hear_end())[1] is not None


# Keeping alive --------------------------------------------------------------------------------------


async def test_ping_is_answered_and_then_up_comes_every_ten_seconds(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(90):
        async with connected(upbit()) as client:
            times: list[float] = []
            await client.say("PING")
            asked_s = trio.current_time()
            with trio.move_on_after(45):
                while True:
                    assert await client.hear_raw() == UP
                    times.append(trio.current_time() - asked_s)
    assert times[0] == pytest.approx(0, abs=0.01)
    assert 3 <= times[1] <= 8
    assert {round(after - before, 3) for before, after in pairwise(times[1:])} == {10.0}
    assert len(times) >= 5


async def test_a_second_ping_is_answered_once_and_up_mixes_with_data(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(90):
        async with connected(upbit()) as client:
            await client.ask(TRADES, form="JSON_LIST")
            await client.say(b"PING")
            await client.say("PING")
            heard = await client.hear_raw_for(30)
    assert heard.count(UP) in {4, 5}
    assert len(heard) > 10


@pytest.mark.parametrize("subscribed", [False, True])
async def test_a_silent_client_is_cut_off_after_a_minute_without_a_close_frame(
    autojump_clock: trio.testing.MockClock, subscribed: bool
) -> None:
    simulator = upbit()
    with trio.fail_after(100):
        async with connected(simulator) as client:
            started_s = trio.current_time()
            if subscribed:
                await client.ask(TRADES)
            _, reason, ended_s = await client.hear_end()
    assert 60.5 <= ended_s - started_s <= 60.7
    assert reason is None or reason.code == 1006
    assert [breach.limit for breach in simulator.records.breaches] == ["idle"]


@pytest.mark.parametrize("how", ["ping frame", "PING", "request"])
async def test_whatever_a_client_sends_keeps_its_line(
    autojump_clock: trio.testing.MockClock, how: str
) -> None:
    simulator = upbit(rate=0.01)
    with trio.fail_after(1000):
        async with connected(simulator) as client, trio.open_nursery() as nursery:
            nursery.start_soon(client.hear_for, 500)
            for _ in range(8):
                await trio.sleep(59)
                if how == "ping frame":
                    with trio.fail_after(1):
                        await client.websocket.ping(b"x")
                elif how == "PING":
                    await client.say("PING")
                else:
                    await client.ask(TRADES)
            assert simulator.connections
            nursery.cancel_scope.cancel()
    assert not simulator.records.breaches


async def test_a_line_may_drop_in_between(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(30):
        async with connected(upbit(DropLine(after_s=5.0))) as client:
            await client.ask(TRADES)
            assert (await client.hear_end())[2] <= 5.1


# Limits ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("over_limit", ["ignore", "close"])
async def test_five_requests_a_second_are_served(
    autojump_clock: trio.testing.MockClock, over_limit: str
) -> None:
    simulator = upbit(over_limit=over_limit, rate=0.001)
    with trio.fail_after(30):
        async with connected(simulator) as client:
            for code in ["KRW-BTC"] * 5 + ["KRW-ETH"]:
                await client.ask({**TRADES, "codes": [code]})
            if over_limit == "close":
                heard, reason, _ = await client.hear_end()
                assert len(heard) == 5
                assert reason is not None
                assert reason.code == 1000
            else:
                assert [m["code"] for m in await client.hear_for(3)] == ["KRW-BTC"] * 5
                await client.ask({**TRADES, "codes": ["KRW-ETH"]})
                assert (await client.hear())["code"] == "KRW-ETH"
    assert [breach.limit for breach in simulator.records.breaches] == ["messages"]


async def test_a_hundred_requests_a_minute_are_served(autojump_clock: trio.testing.MockClock) -> None:
    simulator = upbit(rate=0.001)
    with trio.fail_after(300):
        async with connected(simulator) as client:
            for number in range(110):
                await client.ask({"method": "LIST_SUBSCRIPTIONS"} if number % 2 else TRADES)
                await trio.sleep(0.25)
            assert len(await client.hear_for(1)) == 100
    assert len(simulator.records.breached("messages")) == 10


async def test_without_limits_everything_is_served(autojump_clock: trio.testing.MockClock) -> None:
    simulator = upbit(limits=False, rate=0.001)
    with trio.fail_after(60):
        for _ in range(12):
            async with connected(simulator, headers=[(b"Origin", b"http://x")]) as client:
                await client.ask(TRADES)
                await client.hear()
        async with connected(simulator) as client:
            for _ in range(30):
                await client.ask(TRADES)
            assert len(await client.hear_for(1)) == 30
        for _ in range(30):
            assert (await get(simulator, "/v1/market/all"))[0] == 200
    assert not simulator.records.breaches


async def test_five_connects_a_second_then_429_then_418(autojump_clock: trio.testing.MockClock) -> None:
    simulator = upbit()
    with trio.fail_after(60):
        answers = [await shake(simulator) for _ in range(11)]
        assert [status for status, _, _ in answers] == [101] * 5 + [429] * 4 + [418] * 2
        assert [headers["remaining-req"] for _, headers, _ in answers[:5]] == [
            f"group=websocket; min=300; sec={left}" for left in (4, 3, 2, 1, 0)
        ]
        assert answers[0][1]["limit-by-ip"] == "Yes"
        assert json.loads(answers[5][2])["error"]["name"] == "too_many_requests"
        assert "10초" in json.loads(answers[10][2])["error"]["message"]
        assert (await shake(simulator, peer="10.0.0.9"))[0] == 101
        await trio.sleep(11)
        assert (await shake(simulator))[0] == 101
    assert [breach.limit for breach in simulator.records.breaches] == ["connects"] * 5 + ["banned"]


async def test_with_a_key_connects_are_counted_by_account(autojump_clock: trio.testing.MockClock) -> None:
    simulator = upbit()
    with trio.fail_after(60):
        assert [(await shake(simulator))[0] for _ in range(6)] == [101] * 5 + [429]
        statuses = []
        for account in [None, OTHER]:
            for number in range(6):
                header = bearer(account) if account else bearer()
                peer = f"10.0.0.{number}"
                line = f"Authorization: {header[0][1].decode()}"
                statuses.append((await shake(simulator, PRIVATE, line, peer=peer))[0])
    assert statuses == ([101] * 5 + [429]) * 2


async def test_an_origin_is_let_in_once_in_ten_seconds(autojump_clock: trio.testing.MockClock) -> None:
    simulator = upbit()
    origin = "Origin: https://example.test"
    with trio.fail_after(60):
        assert (await shake(simulator, PUBLIC, origin))[0] == 101
        assert (await shake(simulator, PUBLIC, origin))[0] == 429
        assert (await shake(simulator))[0] == 101
        await trio.sleep(10)
        assert (await shake(simulator, PUBLIC, origin))[0] == 101
    assert [breach.limit for breach in simulator.records.breaches] == ["connects with Origin"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (PUBLIC, 101),
        (PRIVATE, 101),
        (INFO, 101),
        ("/", 404),
        ("/websocket/v2", 404),
        (f"{PUBLIC}/public", 404),
    ],
)
async def test_there_are_three_sockets(
    autojump_clock: trio.testing.MockClock, path: str, status: int
) -> None:
    with trio.fail_after(30):
        assert (await shake(upbit(), path))[0] == status


# LIST_SUBSCRIPTIONS ---------------------------------------------------------------------------------


async def test_subscriptions_are_told_and_the_format_changes_for_the_streams_too(
    autojump_clock: trio.testing.MockClock,
) -> None:
    listing = {"method": "LIST_SUBSCRIPTIONS"}
    with trio.fail_after(30):
        async with connected(upbit()) as client:
            await client.ask(listing)
            assert await client.hear() == {"method": "LIST_SUBSCRIPTIONS", "result": [], "ticket": "test"}
            await client.ask(TRADES, {"type": "orderbook", "codes": ["KRW-BTC.5"], "level": 10000})
            assert {m["type"] for m in await client.hear_for(3)} == {"trade", "orderbook"}
            await client.ask(listing)
            answer = next(m for m in await client.hear_for(1) if "method" in m)
            assert answer["result"] == [
                {"type": "trade", "codes": ["KRW-BTC"]},
                {"type": "orderbook", "codes": ["KRW-BTC.5"], "level": 10000},
            ]
            await client.ask(listing, form="SIMPLE")
            heard = await client.hear_for(3)
            at = next(place for place, message in enumerate(heard) if "mthd" in message)
            assert heard[at]["rslt"][1] == {"ty": "orderbook", "cds": ["KRW-BTC.5"], "lv": 10000}
            assert all("type" in message for message in heard[:at])
            assert all("ty" in message for message in heard[at + 1 :])
            assert not of_kind(heard, "trade", "SNAPSHOT"), "asking changes nothing else"
            await client.ask(TRADES, listing)
            heard = await client.hear_for(1)
            assert [m["result"] for m in heard if "result" in m] == [
                [{"type": "trade", "codes": ["KRW-BTC"]}]
            ]


# Sockets --------------------------------------------------------------------------------------------


@pytest.mark.tcp
async def test_over_tcp_it_is_the_same_venue() -> None:
    simulator = upbit()
    with trio.fail_after(20):
        async with simulator.open_server() as url:
            async with trio_websocket.open_websocket_url(f"{url}{PUBLIC}") as websocket:
                await websocket.send_message(asking(TRADES, form="SIMPLE"))
                frame = await websocket.get_message()
                assert isinstance(frame, bytes)
                assert json.loads(frame)["ty"] == "trade"
                await websocket.send_message("PING")
                while json.loads(await websocket.get_message()) != {"status": "UP"}:
                    pass
            async with trio_websocket.open_websocket_url(
                f"{url}{PRIVATE}", extra_headers=bearer()
            ) as websocket:
                await websocket.send_message(asking({"type": "myAsset"}))
                while json.loads(await websocket.get_message()).get("type") != "myAsset":
                    pass


async def test_a_plain_request_for_a_socket_is_no_route(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(10):
        answer = await http(
            upbit(), f"GET {PUBLIC} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        )
    assert answer.startswith(b"HTTP/1.1 404 ")
