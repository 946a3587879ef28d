from __future__ import annotations

import json
import uuid
from collections import deque
from decimal import Decimal
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from tests.simulator.clients import get, http
from tests.simulator.sim_zonda_client import KEY, START_S, connected, signature, wall_ns, zonda
from trioquotes.simulator.book import Book, Order
from trioquotes.simulator.faults import FailRest
from trioquotes.simulator.floor import Listing
from trioquotes.simulator.venues.zonda import DEFAULT_MARKETS
from trioquotes.simulator.venues.zonda.listings import listings_of, market_config
from trioquotes.simulator.venues.zonda.paths import Topic, read_topic
from trioquotes.simulator.venues.zonda.texts import amount_text, bare, plain, rate_text, trade_uuid
from trioquotes.simulator.venues.zonda.windows import BookTopic, Level, read_levels

D = Decimal


# What a client says ---------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["{", "", "[1,", "ping", '{"action":"ping",}'])
async def test_text_that_is_not_json_is_a_json_error(
    autojump_clock: trio.testing.MockClock, text: str
) -> None:
    with trio.fail_after(10):
        async with connected(zonda(rate=1e-6)) as client:
            await client.say(text)
            assert (await client.hear())["action"] == "json-error"
            await client.websocket.send_message(b"\xff")
            assert (await client.hear())["action"] == "json-error"
            await client.websocket.send_message(b'{"action":"ping"}')
            assert await client.websocket.get_message() == '{"action":"pong"}'


@pytest.mark.parametrize("message", [[], 1, {}, {"action": "dance"}, {"action": ["ping"]}])
async def test_what_the_venue_does_not_know_it_does_not_answer(
    autojump_clock: trio.testing.MockClock, message: Any
) -> None:
    with trio.fail_after(10):
        async with connected(zonda(rate=1e-6)) as client:
            await client.say(json.dumps(message))
            assert await client.hear_for(5) == []


@pytest.mark.parametrize(
    ("module", "path"),
    [
        ("trading", "ticker/foo-bar"),
        ("trading", "ticker/"),
        ("trading", "orderbook"),
        ("trading", "orderbook/btc-pln/10"),
        ("trading", "orderbook-limited/btc-pln/20"),
        ("trading", "orderbook-limited/btc-pln"),
        ("trading", "transactions"),
        ("trading", "rates"),
        ("trading", "candles/btc-pln"),
        ("trading", ""),
        ("", "ticker"),
        ("kitchen", "ticker"),
        ("cantor_service", "rates/usd/usd"),
        ("cantor_service", "rates/usd/btc"),
        ("cantor_service", "rates/usd"),
        ("cantor_service", "prices/usd/eur"),
        (None, None),
    ],
)
async def test_a_channel_that_is_none_is_refused_by_name(
    autojump_clock: trio.testing.MockClock, module: Any, path: Any
) -> None:
    with trio.fail_after(10):
        async with connected(zonda(rate=1e-6)) as client:
            await client.public(path, module=module)
            error = await client.hear()
            assert error["action"] == "subscribe-public-error"
            assert (error["module"], error["path"]) == (module or "", path or "")
            assert error["error"]
            assert await client.hear_for(5) == []


async def test_errors_may_say_neither_module_nor_path(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(10):
        async with connected(zonda(rate=1e-6, error_paths=False)) as client:
            await client.public("ticker/foo-bar")
            assert set(await client.hear()) == {"action", "error"}


MARKETS = st.sampled_from(sorted(DEFAULT_MARKETS))
PATHS = st.one_of(
    st.tuples(st.sampled_from(["ticker", "stats", "orderbook", "transactions", "offers", "stop/offers", "history/transactions"]), MARKETS).map("/".join),
    st.tuples(MARKETS, st.sampled_from(["10", "50", "100"])).map(lambda p: f"orderbook-limited/{p[0]}/{p[1]}"),
    st.sampled_from(["ticker", "stats", "offers", "stop/offers", "history/transactions"]),
)  # fmt: skip


@given(PATHS, st.randoms())
def test_paths_are_read_in_any_case_and_named_in_lower_case(path: str, rng: Any) -> None:
    typed = "".join(rng.choice([letter.lower(), letter.upper()]) for letter in path)
    topic = read_topic("Trading", typed, DEFAULT_MARKETS)
    assert topic.name == f"trading/{path.lower()}"
    assert topic.private is path.lower().startswith(("offers", "stop", "history"))
    assert topic.market in {None, *DEFAULT_MARKETS}


@given(st.text(), st.text())
def test_any_text_is_a_topic_or_a_value_error(module: str, path: str) -> None:
    try:
        topic = read_topic(module, path, None)
    except ValueError:
        return
    assert isinstance(topic, Topic)


# REST over the socket and over HTTP ------------------------------------------------------------------


async def test_answers_carry_the_requests_own_id(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(10):
        async with connected(zonda(rate=1e-6)) as client:
            ids: list[Any] = [str(uuid.uuid4()), "78539fe0-e9b0-4e4e-8c86-70b36aa93d4f", 7]
            for request_id in ids:
                await client.say(
                    {"action": "proxy", "requestId": request_id, "module": "trading", "path": "stats/btc-pln"}
                )
            heard = await client.hear_for(1)
            assert sorted(str(answer["requestId"]) for answer in heard) == sorted(map(str, ids))
            assert {answer["statusCode"] for answer in heard} == {200}
            await client.say({"action": "proxy", "module": "trading", "path": "ticker"})
            assert set(await client.hear()) == {"action", "statusCode", "body"}


@pytest.mark.parametrize(
    ("module", "path", "query"),
    [
        ("trading", "ticker/foo-bar", {}),
        ("trading", "orderbook", {}),
        ("trading", "orderbook-limited/btc-pln/20", {}),
        ("trading", "orderbook-limited/btc-pln", {}),
        ("trading", "nothing/btc-pln", {}),
        ("trading", "transactions/btc-pln", {"limit": "-1"}),
        ("trading", "transactions/btc-pln", {"sort": "up"}),
        ("trading", "candle/history/btc-pln/61", {}),
        ("balances", "BITBAY/else", {}),
        ("kitchen", "ticker", {}),
        ("", "", {}),
    ],
)
async def test_a_wrong_call_fails_with_the_status_200(
    autojump_clock: trio.testing.MockClock, module: str, path: str, query: dict[str, str]
) -> None:
    with trio.fail_after(10):
        async with connected(zonda(rate=1e-6)) as client:
            body = await client.proxy(path, module=module, queryString=query)
            assert body == {"status": "Fail", "errors": ["TIMEOUT"]}


async def test_http_gives_what_the_socket_gives(autojump_clock: trio.testing.MockClock) -> None:
    simulator = zonda(snapshot_delay_s=0.0)
    with trio.fail_after(30):
        async with connected(simulator) as client:
            await client.public("transactions/btc-pln")
            await client.hear_for(20)
            for path in (
                "ticker", "ticker/btc-pln", "stats", "stats/btc-pln", "orderbook/btc-pln",
                "orderbook-limited/btc-pln/50", "transactions/btc-pln", "candle/history/btc-pln/60",
            ):  # fmt: skip
                now = trio.current_time()
                body = await client.proxy(path)
                status, answer = await get(simulator, f"/rest/trading/{path.replace('btc-pln', 'BTC-PLN')}")
                assert trio.current_time() == now
                assert status == 200
                assert answer == body, path
                assert answer["status"] == "Ok"
            items = (await client.proxy("ticker"))["items"]
            assert set(items) == set(DEFAULT_MARKETS)
            assert items["BTC-PLN"] == (await client.proxy("ticker/btc-pln"))["ticker"]
    assert {seen.status for seen in simulator.records.rest} == {200}


async def test_transactions_are_paged_and_candles_are_their_sums(
    autojump_clock: trio.testing.MockClock,
) -> None:
    simulator = zonda(rate=10.0, limits=False)
    with trio.fail_after(200):
        async with connected(simulator) as client:
            await client.public("transactions/btc-pln")
            await client.hear_for(100)
            page = (await client.proxy("transactions/btc-pln"))["items"]
            assert len(page) == 10
            assert [int(item["t"]) for item in page] == sorted((int(i["t"]) for i in page), reverse=True)
            turned = (await client.proxy("transactions/btc-pln", queryString="?limit=10&sort=asc"))["items"]
            assert turned == page[::-1]
            since = page[4]["t"]
            newer = (await client.proxy("transactions/btc-pln", queryString={"fromTime": since}))["items"]
            assert {item["id"] for item in page[:5]} <= {item["id"] for item in newer}
            everything = (await client.proxy("transactions/btc-pln", queryString="limit=9999"))["items"]
            floor = simulator.market.floors["BTC-PLN"]
            candles = (await client.proxy("candle/history/btc-pln/60"))["items"]
            late = await client.proxy("candle/history/btc-pln/60", queryString=f"from={candles[-1][0]}")
    assert len(everything) == min(len(floor.trades), 300)
    assert late["items"] == candles[-1:]
    assert len(candles) >= 2
    start, candle = candles[0]
    first = [i for i in reversed(everything) if int(start) <= int(i["t"]) < int(start) + 60_000]
    assert candle["o"] == first[0]["r"]
    assert candle["c"] == first[-1]["r"]
    assert D(candle["h"]) == max(D(item["r"]) for item in first)
    assert D(candle["v"]) == sum(D(item["a"]) for item in first)


async def test_http_signs_in_headers_and_knows_nothing_but_get(
    autojump_clock: trio.testing.MockClock,
) -> None:
    simulator = zonda(rate=1e-6)

    async def ask(head: str, **headers: Any) -> Any:
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        raw = await http(simulator, f"{head} HTTP/1.1\r\nConnection: close\r\n{lines}\r\n".encode())
        return json.loads(raw.partition(b"\r\n\r\n")[2])

    with trio.fail_after(10):
        signed = signature(START_S * 1000)
        headers = {
            "API_Key": KEY.public_key, "API_Hash": signed["hashSignature"], "Request_Timestamp": START_S * 1000,
        }  # fmt: skip
        assert (await ask("GET /rest/trading/offer", **headers))["status"] == "Ok"
        assert (await ask("GET /rest/balances/BITBAY/balance", **headers))["status"] == "Ok"
        headers["API_Hash"] = "00"
        assert (await ask("GET /rest/trading/offer", **headers))["errors"] == ["INVALID_HASH_SIGNATURE"]
        assert (await ask("DELETE /rest/trading/ticker"))["errors"] == ["TIMEOUT"]
        raw = await http(simulator, b"GET /else HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert raw.startswith(b"HTTP/1.1 404")


async def test_calls_are_limited_by_the_minute_and_a_breach_is_recorded(
    autojump_clock: trio.testing.MockClock,
) -> None:
    simulator = zonda(rate=1e-6, snapshot_delay_s=0.0)
    with trio.fail_after(200):
        async with connected(simulator) as client:
            for path, count in (("orderbook-limited/btc-pln/10", 60), ("transactions/btc-pln", 100)):
                for _ in range(count):
                    assert (await client.proxy(path))["status"] == "Ok"
                refused = await client.proxy(path)
                assert refused == {"status": "Fail", "errors": ["ACTION_LIMIT_EXCEEDED"]}
            assert (await client.proxy("ticker"))["errors"] == ["ACTION_LIMIT_EXCEEDED"]
            await trio.sleep(60)
            assert (await client.proxy("ticker"))["status"] == "Ok"
            for _ in range(60):
                await get(simulator, "/rest/trading/ticker")
            assert (await get(simulator, "/rest/trading/ticker"))[1]["errors"] == ["ACTION_LIMIT_EXCEEDED"]
    assert len(simulator.records.breached("calls")) == 4


async def test_rest_may_fail_by_script_and_limits_may_be_off(autojump_clock: trio.testing.MockClock) -> None:
    simulator = zonda(FailRest(nth=1, status=503), rate=1e-6, limits=False)
    with trio.fail_after(10):
        assert (await get(simulator, "/rest/trading/ticker"))[0] == 503
        for _ in range(70):
            assert (await get(simulator, "/rest/trading/ticker"))[1]["status"] == "Ok"


# Texts ----------------------------------------------------------------------------------------------

NUMBERS = st.decimals(min_value=0, max_value=10**9, places=8, allow_nan=False, allow_infinity=False)


@given(NUMBERS, st.integers(0, 100))
def test_every_spelling_of_a_number_is_the_number(number: Decimal, salt: int) -> None:
    for text in (plain(number), amount_text(number, salt), rate_text(number, D("0.01"), salt)):
        assert D(text) == number
        assert "E" not in text.upper()
    assert json.loads(bytes(bare(number)), parse_float=D, parse_int=D) == number


def test_rates_and_amounts_are_spelled_as_recorded() -> None:
    tick = D("0.01")
    assert {rate_text(D("176377.5"), tick, salt) for salt in range(3)} == {"176377.5", "176377.50"}
    assert {rate_text(D(176000), tick, salt) for salt in range(3)} == {"176000", "176000.00"}
    assert {amount_text(D("0.5"), salt) for salt in range(6)} == {"0.5", "0.50", "0.5000", "0.50000000"}


@pytest.mark.parametrize(
    ("number", "text"),
    [("0", "0"), ("27940", "27940"), ("0.00412197", "0.00412197"), ("0.00000004", "4e-8"), ("0.00000125", "0.00000125"), ("0.00000025", "2.5e-7"), ("-0.00000004", "-4e-8"), ("1.50", "1.5")],
)  # fmt: skip
def test_bare_numbers_are_javascripts(number: str, text: str) -> None:
    assert bytes(bare(D(number))).decode() == text


def test_trade_ids_are_time_based_and_differ() -> None:
    time_ns = 1_576_847_523_375 * 10**6
    ids = [uuid.UUID(trade_uuid("BTC-PLN", number, time_ns)) for number in range(50)]
    assert len(set(ids)) == 50
    assert {found.version for found in ids} == {1}
    assert abs((ids[0].time - 0x01B21DD213814000) // 10_000 - 1_576_847_523_375) <= 1


# Markets and windows --------------------------------------------------------------------------------


def test_markets_are_configured_as_recorded() -> None:
    (usdt,) = listings_of(["BTC-USDT"])
    config = market_config(usdt)
    assert (config["amountPrecision"], config["pricePrecision"], config["ratePrecision"]) == (8, 6, 6)
    assert config["second"] == {"currency": "USDT", "minOffer": "0.108", "scale": 6}
    (own,) = listings_of([usdt])
    assert own is usdt
    assert listings_of(["GAME-PLN"])[0].reference == 100
    for wrong in ("btc-pln", "BTC", "-PLN"):
        with pytest.raises(ValueError, match="market code"):
            listings_of([wrong])


async def test_an_empty_market_has_no_prices(autojump_clock: trio.testing.MockClock) -> None:
    fields = {"instrument": "NEW-PLN", "base": "NEW", "quote": "PLN", "traded": False}
    numbers = {"tick": D("0.01"), "step": D("0.0001"), "reference": D(5), "lot": D(3)}
    listing = Listing(**fields, **numbers)  # type: ignore[arg-type]  # a table of fields
    with trio.fail_after(10):
        async with connected(zonda(rate=1e-6, markets=[listing])) as client:
            ticker = (await client.proxy("ticker/new-pln"))["ticker"]
            assert ticker["rate"] is None
            assert ticker["previousRate"] is None
            assert (await client.proxy("transactions/new-pln"))["items"] == []
            assert abs(int(ticker["time"]) - wall_ns() // 10**6) <= 100


Step = tuple[str, int, int]
STEPS = st.lists(
    st.tuples(st.sampled_from(["buy", "sell"]), st.integers(1, 12), st.integers(0, 3)), max_size=60
)


@given(STEPS, st.integers(1, 5))
def test_a_window_told_by_changes_alone_is_the_best_of_the_book(steps: list[Step], limit: int) -> None:
    book, topic = Book(), BookTopic(limit, 100)
    kept: dict[Any, dict[Decimal, Level]] = {"buy": {}, "sell": {}}
    topic.show(read_levels(book), 0)
    number = topic.sequence
    queue: deque[Order] = deque()
    for place, (side, away, size) in enumerate(steps):
        if size:
            price = D(100 - away if side == "buy" else 100 + away)
            order = Order(order_id=str(place), trader="t", side=side, kind="limit", price=price, size=D(size), remaining=D(size))  # type: ignore[arg-type]  # drawn from both  # fmt: skip
            book.add(order)
            queue.append(order)
        elif queue:
            book.remove(queue.popleft())
        changes = topic.show(read_levels(book), place)
        assert topic.sequence == number + bool(changes)
        number = topic.sequence
        for change in changes:
            if change.level is None:
                del kept[change.side][change.rate]
            else:
                kept[change.side][change.rate] = change.level
        for name, levels in kept.items():
            want = [(price, amount, count) for price, amount, count in book.levels(name)[:limit]]
            assert {price: (level.amount, level.orders) for price, level in levels.items()} == {p: (a, c) for p, a, c in want}  # fmt: skip


def test_a_window_that_nobody_reads_counts_and_looks_again_when_asked() -> None:
    book, topic = Book(), BookTopic(10, 100)
    topic.show(read_levels(book), 0)
    book.add(Order(order_id="1", trader="t", side="buy", kind="limit", price=D(1), size=D(2), remaining=D(2)))
    topic.skip()
    topic.skip()
    shown = topic.snapshot(read_levels(book), 5)
    assert shown.sequence == 103
    assert shown.levels["buy"] == {D(1): Level(D(2), D(2), 1)}
    assert topic.snapshot(read_levels(book), 6) is shown
