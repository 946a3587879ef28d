from __future__ import annotations

from decimal import Decimal

import pytest
import trio
import trio.testing

from tests.simulator.clients import connected, get, http, wall_ns
from trioquotes.simulator.venues.coinbase import CoinbaseSimulator


def coinbase() -> CoinbaseSimulator:
    return CoinbaseSimulator(seed=2, rate=30.0, wall_ns=wall_ns)


async def test_products_are_listed(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(30):
        simulator = coinbase()
        status, products = await get(simulator, "/products")
        _, one = await get(simulator, "/products/ETH-EUR")
    assert status == 200
    assert [product["id"] for product in products] == ["BTC-USD", "ETH-USD", "ETH-EUR", "LTC-USD"]
    assert one == products[2]
    assert (one["base_increment"], one["quote_increment"]) == ("0.000001", "0.01")


async def test_the_three_levels_of_a_book_agree(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(30):
        simulator = coinbase()
        books = [(await get(simulator, f"/products/BTC-USD/book?level={n}"))[1] for n in (1, 2, 3)]
    best, levels, orders = books
    assert best["sequence"] == levels["sequence"] == orders["sequence"]
    for side in ("bids", "asks"):
        assert best[side] == levels[side][:1]
        total: dict[str, tuple[Decimal, int]] = {}
        for price, size, order_id in orders[side]:
            assert len(order_id) == 36
            sum_, count = total.get(price, (Decimal(0), 0))
            total[price] = (sum_ + Decimal(size), count + 1)
        assert [(price, (Decimal(size), count)) for price, size, count in levels[side]] == list(total.items())


async def test_trades_are_newest_first_and_paged(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(60):
        simulator = coinbase()
        async with connected(simulator) as client:
            await client.ask("matches", product_ids=["BTC-USD"])
            heard = [m for m in await client.hear_for(30) if m["type"] in {"match", "last_match"}]
            _, trades = await get(simulator, "/products/BTC-USD/trades")
            newest = trades[0]["trade_id"]
            _, page = await get(simulator, "/products/BTC-USD/trades?limit=3")
            _, older = await get(simulator, f"/products/BTC-USD/trades?limit=2&after={page[-1]['trade_id']}")
            _, newer = await get(simulator, f"/products/BTC-USD/trades?before={newest - 2}")
            _, none = await get(simulator, f"/products/BTC-USD/trades?before={newest + 1000}")
    trades = [trade for trade in trades if trade["trade_id"] >= heard[0]["trade_id"]]
    assert [t["trade_id"] for t in trades][::-1] == [m["trade_id"] for m in heard]
    by_id = {m["trade_id"]: m for m in heard}
    for trade in trades:
        match = by_id[trade["trade_id"]]
        assert (trade["side"], trade["time"]) == (match["side"], match["time"])
        assert (Decimal(trade["price"]), Decimal(trade["size"])) == (
            Decimal(match["price"]),
            Decimal(match["size"]),
        )
    assert [t["trade_id"] for t in page] == [newest, newest - 1, newest - 2]
    assert [t["trade_id"] for t in older] == [newest - 3, newest - 4]
    assert {t["trade_id"] for t in newer} >= {newest, newest - 1}
    assert none == []


@pytest.mark.parametrize(
    ("target", "status", "message"),
    [
        ("/products/FOO-BAR", 404, "NotFound"),
        ("/products/FOO-BAR/book", 404, "NotFound"),
        ("/products/BTC-USD/candles", 404, "NotFound"),
        ("/", 404, "NotFound"),
        ("/products/BTC-USD/book?level=4", 400, "Invalid level"),
        ("/products/BTC-USD/trades?limit=x", 400, "Invalid cursor or limit"),
    ],
)
async def test_what_is_not_there_is_said(
    autojump_clock: trio.testing.MockClock, target: str, status: int, message: str
) -> None:
    with trio.fail_after(30):
        assert await get(coinbase(), target) == (status, {"message": message})


async def test_nothing_can_be_posted(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(30):
        answer = await http(coinbase(), b"POST /products HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 405 Method Not Allowed")


async def test_asking_for_a_book_tells_the_feed_first(autojump_clock: trio.testing.MockClock) -> None:
    """The answer's sequence is never ahead of what the feed has been sent."""
    with trio.fail_after(60):
        simulator = coinbase()
        async with connected(simulator) as client:
            await client.ask("heartbeat", "matches", product_ids=["BTC-USD"])
            await trio.sleep(1.4321)
            _, book = await get(simulator, "/products/BTC-USD/book")
            heard = [m["sequence"] for m in await client.hear_for(0.001) if "sequence" in m]
            assert max(heard) <= book["sequence"]
            beat = await client.hear_until("heartbeat")
            assert beat["sequence"] >= book["sequence"]


async def test_fifteen_requests_at_once_and_ten_a_second_are_answered(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(30):
        simulator = coinbase()
        statuses = [(await get(simulator, "/products/BTC-USD/book?level=3"))[0] for _ in range(16)]
        assert statuses == [200] * 15 + [429]
        await trio.sleep(0.2)
        assert [(await get(simulator, "/products"))[0] for _ in range(3)] == [200, 200, 429]
    assert [breach.limit for breach in simulator.records.breaches] == ["requests"] * 2
