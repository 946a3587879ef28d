from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
import trio
import trio.testing

from tests.simulator.clients import START_S, get, http
from tests.simulator.upbit_client import connected, exact, of_kind, upbit
from trioquotes.simulator.faults import FailRest

TICKS = "/v1/trades/ticks?market=KRW-BTC"


async def test_all_markets_are_listed(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(10):
        simulator = upbit()
        answer = await http(simulator, b"GET /v1/market/all HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b"Remaining-Req: group=market; min=600; sec=9" in head
        assert "비트코인".encode() in body
        assert json.loads(body)[0] == {
            "market": "KRW-BTC", "korean_name": "비트코인", "english_name": "Bitcoin",
        }  # fmt: skip
        status, detailed = await get(simulator, "/v1/market/all?is_details=true")
    assert status == 200
    assert [row["market"] for row in detailed] == ["KRW-BTC", "KRW-ETH", "KRW-XRP", "BTC-ETH", "USDT-BTC"]
    assert detailed[0]["market_event"]["warning"] is False
    assert len(detailed[0]["market_event"]["caution"]) == 5


async def test_trades_are_paged_newest_first(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(10):
        simulator = upbit()
        _, one = await get(simulator, TICKS)
        _, some = await get(simulator, f"{TICKS}&count=3")
        _, older = await get(simulator, f"{TICKS}&count=500&cursor={some[1]['sequential_id']}")
        _, unknown = await get(simulator, f"{TICKS}&cursor={older[0]['sequential_id'] + 1000}")
        _, yesterday = await get(simulator, f"{TICKS}&count=500&days_ago=1")
    assert some[:1] == one
    assert len(some) == 3
    assert older[0] == some[2]
    assert unknown[0] == older[0]
    times = [row["timestamp"] for row in older]
    assert times == sorted(times, reverse=True)
    assert {row["trade_date_utc"] for row in yesterday} == {"2025-09-18"}
    assert list(one[0]) == [
        "market", "trade_date_utc", "trade_time_utc", "timestamp", "trade_price", "trade_volume", "prev_closing_price",
        "change_price", "ask_bid", "sequential_id",
    ]  # fmt: skip
    assert START_S * 1000 - one[0]["timestamp"] == 40


@pytest.mark.parametrize("to", ["020000", "02:00:00"])
async def test_trades_may_end_at_a_time_of_day(autojump_clock: trio.testing.MockClock, to: str) -> None:
    with trio.fail_after(10):
        status, page = await get(upbit(), f"{TICKS}&count=500&to={to}")
    assert status == 200
    assert page
    assert all(row["trade_time_utc"] <= "02:00:00" for row in page)


BOOK = "/v1/orderbook?markets=KRW-BTC"


async def test_a_book_by_http_is_the_one_on_the_socket(autojump_clock: trio.testing.MockClock) -> None:
    simulator = upbit()
    with trio.fail_after(30):
        async with connected(simulator) as client:
            await client.ask({"type": "orderbook", "codes": ["KRW-BTC"]})
            shown = of_kind(await client.hear_for(5), "orderbook")[-1]
            answer = await http(
                simulator, f"GET {BOOK} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
            )
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"Remaining-Req: group=orderbook; min=600; sec=9" in head
    (row,) = exact(body)
    assert list(row) == [
        "market", "timestamp", "total_ask_size", "total_bid_size", "orderbook_units", "level",
    ]  # fmt: skip
    assert row["market"] == "KRW-BTC"
    assert row == {"market": "KRW-BTC", **{name: shown[name] for name in list(row)[1:]}}
    assert len(row["orderbook_units"]) == 30


async def test_books_may_be_grouped_cut_and_several(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(30):
        simulator = upbit()
        _, several = await get(simulator, "/v1/orderbook?markets=KRW-BTC,USDT-BTC&count=5")
        _, (grouped,) = await get(simulator, f"{BOOK}&level=10000")
        _, unknown_level = await get(simulator, f"{BOOK}&level=7")
        _, not_krw = await get(simulator, "/v1/orderbook?markets=USDT-BTC&level=10000")
    assert [(row["market"], len(row["orderbook_units"])) for row in several] == [
        ("KRW-BTC", 5),
        ("USDT-BTC", 5),
    ]
    assert grouped["level"] == 10000
    assert all(unit["ask_price"] % 10000 == 0 for unit in grouped["orderbook_units"] if unit["ask_price"])
    assert (unknown_level, not_krw) == ([], [])


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/v1/trades/ticks", 404),
        ("/v1/trades/ticks?market=KRW-NOPE", 404),
        (f"{TICKS}&count=0", 400),
        (f"{TICKS}&count=501", 400),
        (f"{TICKS}&count=x", 400),
        (f"{TICKS}&days_ago=8", 400),
        (f"{TICKS}&days_ago=x", 400),
        (f"{TICKS}&cursor=x", 400),
        (f"{TICKS}&to=2500", 400),
        (f"{TICKS}&to=abcdef", 400),
        ("/v1/orderbook", 404),
        ("/v1/orderbook?markets=KRW-BTC,KRW-NOPE", 404),
        (f"{BOOK}&level=x", 400),
        (f"{BOOK}&count=x", 400),
        ("/v1/candles/minutes/1?market=KRW-BTC", 404),
        ("/", 404),
    ],
)
async def test_what_is_not_there_is_refused(
    autojump_clock: trio.testing.MockClock, target: str, status: int
) -> None:
    with trio.fail_after(10):
        found, body = await get(upbit(), target)
    assert found == status
    assert set(body["error"]) == {"name", "message"}


async def test_only_get_is_answered(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(10):
        answer = await http(
            upbit(),
            b"POST /v1/market/all HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        )
    assert answer.startswith(b"HTTP/1.1 405 ")


async def test_ten_requests_a_second_and_group_are_answered(autojump_clock: trio.testing.MockClock) -> None:
    simulator = upbit()
    with trio.fail_after(30):
        statuses = [(await get(simulator, "/v1/market/all"))[0] for _ in range(12)]
        assert statuses == [200] * 10 + [429] * 2
        assert (await get(simulator, TICKS))[0] == 200
        await trio.sleep(1.1)
        assert (await get(simulator, "/v1/market/all"))[0] == 200
    assert [breach.limit for breach in simulator.records.breaches] == ["market requests"] * 2


async def test_scripts_fail_requests_as_everywhere(autojump_clock: trio.testing.MockClock) -> None:
    simulator = upbit(FailRest(nth=1, status=503))
    with trio.fail_after(10):
        assert [(await get(simulator, TICKS))[0] for _ in range(2)] == [503, 200]


async def test_an_answer_may_be_old_when_it_comes(autojump_clock: trio.testing.MockClock) -> None:
    simulator = upbit(FailRest(nth=2, stale_s=3.0), rate=30.0)
    with trio.fail_after(30):
        async with connected(simulator) as client:
            await client.ask({"type": "orderbook", "codes": ["KRW-BTC"]})
            ((before,), (late,), (after,)) = [(await get(simulator, BOOK))[1] for _ in range(3)]
    assert before["timestamp"] == late["timestamp"] < after["timestamp"]
    assert trio.current_time() >= 3.0


async def test_numbers_keep_their_digits(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(10):
        answer = await http(upbit(), f"GET {TICKS} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    row: Any = exact(answer.partition(b"\r\n\r\n")[2])[0]
    assert isinstance(row["trade_price"], Decimal)
    assert isinstance(row["sequential_id"], int)
    assert row["change_price"] == row["trade_price"] - row["prev_closing_price"]
