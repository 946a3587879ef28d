from __future__ import annotations

import json
from collections import defaultdict
from decimal import Context, Decimal, localcontext
from itertools import pairwise
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from tests.simulator.upbit_client import (
    ACCOUNT,
    INFO,
    OTHER,
    PRIVATE,
    Client,
    bearer,
    connected,
    of_kind,
    upbit,
)
from trioquotes.simulator.venues.upbit.notices import LARGEST_BODY

D = Decimal
INVALID_AUTH = '{"error":{"name":"INVALID_AUTH","message":"인증 정보가 올바르지 않습니다."}}'
LISTING = {"method": "LIST_SUBSCRIPTIONS"}
MINE: list[dict[str, Any]] = [{"type": "myOrder"}, {"type": "myAsset"}]


async def closes_as_unauthorised(client: Client) -> bool:
    heard, reason, _ = await client.hear_end()
    return heard == [INVALID_AUTH] and reason is not None and reason.code == 1000


# Who may come in ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [PRIVATE, INFO])
@pytest.mark.parametrize("algorithm", ["HS256", "HS512"])
async def test_a_signed_handshake_is_served(
    autojump_clock: trio.testing.MockClock, path: str, algorithm: str
) -> None:
    with trio.fail_after(30):
        async with connected(upbit(), path, bearer(algorithm=algorithm)) as client:
            await client.ask(LISTING)
            assert (await client.hear())["result"] == []


@pytest.mark.parametrize("path", [PRIVATE, INFO])
@pytest.mark.parametrize("case", ["missing", "wrong secret", "unknown key", "garbage"])
async def test_any_other_handshake_is_open_refused_and_closed(
    autojump_clock: trio.testing.MockClock, path: str, case: str
) -> None:
    headers = {
        "missing": [],
        "wrong secret": bearer(attrs.evolve(ACCOUNT, secret="other")),
        "unknown key": bearer(attrs.evolve(ACCOUNT, key="nobody")),
        "garbage": [(b"Authorization", b"Bearer x.y.z")],
    }[case]
    with trio.fail_after(30):
        async with connected(upbit(), path, headers) as client:
            assert await closes_as_unauthorised(client)


async def test_a_token_is_good_for_one_connection(autojump_clock: trio.testing.MockClock) -> None:
    simulator = upbit()
    with trio.fail_after(30):
        async with connected(simulator, PRIVATE, bearer(nonce="once")) as client:
            await client.ask(*MINE)
            await client.hear()
        async with connected(simulator, PRIVATE, bearer(nonce="once")) as client:
            assert await closes_as_unauthorised(client)
        async with connected(simulator, PRIVATE, bearer(OTHER, nonce="once")) as client:
            await client.ask(*MINE)
            await client.hear()


async def test_a_key_has_its_addresses_and_its_scopes(autojump_clock: trio.testing.MockClock) -> None:
    bound = attrs.evolve(ACCOUNT, addresses=frozenset({"10.0.0.1"}), scopes=frozenset({"orders"}))
    simulator = upbit(accounts=[bound])
    with trio.fail_after(60):
        async with connected(simulator, PRIVATE, bearer()) as client:
            assert await closes_as_unauthorised(client)
        async with connected(simulator, PRIVATE, bearer(), peer="10.0.0.1") as client:
            await client.ask({"type": "myOrder"}, {"type": "announcement"})
            assert (await client.hear())["type"] == "myOrder"
            await client.ask({"type": "myAsset"})
            heard, reason, _ = await client.hear_end()
    assert heard[-1] == INVALID_AUTH or INVALID_AUTH in heard
    assert reason is not None
    assert reason.code == 1000


async def test_the_public_socket_looks_at_no_token(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(30):
        async with connected(upbit(), headers=[(b"Authorization", b"Bearer x.y.z")]) as client:
            await client.ask({"type": "trade", "codes": ["KRW-BTC"]})
            assert (await client.hear())["stream_type"] == "SNAPSHOT"


# Orders and assets ----------------------------------------------------------------------------------


async def test_there_is_no_snapshot_and_orders_tell_their_whole_life(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(100):
        async with connected(upbit(rate=100.0, markets=["KRW-BTC", "USDT-BTC"]), PRIVATE, bearer()) as client:
            await client.ask(*MINE)
            heard = await client.hear_for(40)
    assert {m["stream_type"] for m in heard} == {"REALTIME"}
    orders = of_kind(heard, "myOrder")
    assert {m["state"] for m in orders} == {"wait", "watch", "trade", "done", "cancel", "prevented"}
    assert {m["order_type"] for m in orders} == {"limit", "price", "market", "best"}
    lives: dict[str, list[Any]] = defaultdict(list)
    for message in orders:
        lives[message["uuid"]].append(message)
    for life in lives.values():
        check_life(life)
    assert any(m.get("identifier") for m in orders)
    assert any(m["is_maker"] for m in orders)
    assert any(m["is_maker"] is False for m in orders)


def check_life(life: list[Any]) -> None:
    """What an order says of itself adds up from message to message."""
    before: Any = None
    for message in life:
        fill = message["state"] == "trade"
        for name in ("trade_uuid", "trade_fee", "is_maker", "trade_timestamp"):
            assert (message[name] is not None) is fill, (message["state"], name)
        if before is not None:
            more = message["executed_volume"] - before["executed_volume"]
            assert more == (message["volume"] if fill else 0)
            assert message["trades_count"] - before["trades_count"] == (1 if fill else 0)
            assert message["paid_fee"] - before["paid_fee"] == (message["trade_fee"] if fill else 0)
            assert before["state"] not in {"done", "cancel"}
        if message["state"] in {"done", "cancel"}:
            assert message["locked"] == message["remaining_fee"] == 0
        if message["order_type"] == "limit" and message["state"] == "wait":
            price, size = message["price"], message["volume"]
            rate = D("0.0005") if message["code"].startswith("KRW") else D("0.0025")
            held = price * size * (1 + rate) if message["ask_bid"] == "BID" else size
            assert message["locked"] == held
            assert message["reserved_fee"] == (price * size * rate if message["ask_bid"] == "BID" else 0)
        before = message


async def test_orders_may_be_had_of_some_markets_only(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(100):
        async with connected(upbit(rate=100.0), PRIVATE, bearer()) as client:
            await client.ask({"type": "myOrder", "codes": ["KRW-BTC", "BTC-ETH"]}, form="SIMPLE")
            heard = await client.hear_for(10)
    assert {m["cd"] for m in heard} == {"KRW-BTC", "BTC-ETH"}
    assert {"uid", "ot", "s", "rsf", "otms"} <= set(heard[0])


async def test_owners_see_their_own_only(autojump_clock: trio.testing.MockClock) -> None:
    simulator = upbit(rate=100.0, markets=["KRW-BTC"])
    seen: dict[str, set[str]] = {}
    with trio.fail_after(100):
        for account in (ACCOUNT, OTHER):
            async with connected(simulator, PRIVATE, bearer(account)) as client:
                await client.ask(*MINE)
                seen[account.name] = {m["uuid"] for m in of_kind(await client.hear_for(10), "myOrder")}
    assert seen["main"]
    assert seen["other"]
    assert not seen["main"] & seen["other"]


async def test_assets_follow_the_fills_with_all_their_digits(autojump_clock: trio.testing.MockClock) -> None:
    simulator = upbit(rate=60.0)
    with trio.fail_after(100), localcontext(Context(prec=80)):
        async with connected(simulator, PRIVATE, bearer()) as client:
            krw = sum(simulator.balance("main", "KRW"), D(0))
            btc = sum(simulator.balance("main", "BTC"), D(0))
            await client.ask(*MINE)
            heard = await client.hear_for(30)
            now = {name: simulator.balance("main", name) for name in ("KRW", "BTC")}
        for message in of_kind(heard, "myOrder"):
            if message["state"] == "trade":
                quote, base = message["code"].split("-")
                sign = 1 if message["ask_bid"] == "BID" else -1
                paid = sign * message["price"] * message["volume"] + message["trade_fee"]
                krw -= paid if quote == "KRW" else 0
                btc += sign * message["volume"] if base == "BTC" else 0
                btc -= paid if quote == "BTC" else 0
        last: dict[str, Any] = {}
        for message in of_kind(heard, "myAsset"):
            assert list(message) == [
                "type", "asset_uuid", "assets", "asset_timestamp", "timestamp", "stream_type",
            ]  # fmt: skip
            last |= {asset["currency"]: asset for asset in message["assets"]}
        assert sum(now["KRW"]) == krw
        assert sum(now["BTC"]) == btc
    for name, (balance, locked) in now.items():
        assert (last[name]["balance"], last[name]["locked"]) == (balance, locked)
        assert balance > 0
    assert len(last["KRW"]["balance"].as_tuple().digits) >= 27
    assert str(last["KRW"]["balance"]).endswith("48207123"), "the last digits are those of the start"


async def test_an_order_by_hand_is_told_step_by_step(autojump_clock: trio.testing.MockClock) -> None:
    simulator = upbit(rate=0.00001, balances={"KRW": D("1386929.37231066771348207123")})
    floor = simulator.market.floors["KRW-XRP"]
    with trio.fail_after(60):
        async with connected(simulator, PRIVATE, bearer()) as client:
            held = simulator.balance("main", "KRW")[1]
            await client.ask(*MINE, LISTING)
            await client.hear()
            simulator.perform(
                floor.place,
                side="buy",
                trader="main",
                owner="main",
                price=D(100),
                size=D(10),
                client_id="mine",
            )
            wait, asset = await client.hear(), await client.hear()
            order_id = wait["uuid"]
            assert (wait["state"], wait["identifier"], wait["locked"]) == ("wait", "mine", D("1000.5"))
            assert asset["assets"] == [
                {
                    "currency": "KRW",
                    "balance": D("1386929.37231066771348207123") - held - D("1000.5"),
                    "locked": held + D("1000.5"),
                }
            ]
            simulator.perform(floor.modify, order_id, price=D(101), size=D(9))
            cancel, new = (await client.hear()), (await client.hear())
            assert (cancel["uuid"], cancel["state"]) == (order_id, "cancel")
            assert (new["state"], new["price"], new["volume"]) == ("wait", 101, 9)
            assert new["uuid"] != order_id
            await client.hear()
            simulator.perform(floor.cancel, order_id)
            gone = await client.hear()
            assert (gone["uuid"], gone["state"]) == (new["uuid"], "cancel")
            await client.hear()
            simulator.perform(floor.place, side="buy", trader="main", owner="main", funds=D(50000))
            states = [m["state"] for m in of_kind(await client.hear_for(1), "myOrder")]
            assert states[0] == "wait"
            assert set(states[1:-1]) == {"trade"}
            assert states[-1] == "done"


async def test_a_stop_order_is_watched_until_its_price_trades(autojump_clock: trio.testing.MockClock) -> None:
    simulator = upbit(rate=0.00001)
    floor = simulator.market.floors["KRW-XRP"]
    with trio.fail_after(60):
        async with connected(simulator, PRIVATE, bearer()) as client:
            await client.ask({"type": "myOrder"}, LISTING)
            await client.hear()
            last = floor.last_trade
            assert last is not None
            simulator.perform(
                floor.place_stop,
                side="sell",
                trader="main",
                owner="main",
                stop_price=last.price - 20,
                size=D(5),
            )
            watched = await client.hear()
            assert (watched["state"], watched["price"], watched["remaining_volume"]) == (
                "watch",
                last.price - 20,
                5,
            )
            deep = sum(size for price, size, _ in floor.book.levels("buy") if price > last.price - 25)
            simulator.perform(floor.place, side="sell", trader="x", size=D(deep) + 1)
            heard = [m for m in await client.hear_for(1) if m["uuid"] == watched["uuid"]]
    assert [m["state"] for m in heard][:2] == ["wait", "trade"]
    assert heard[-1]["state"] == "done"
    assert heard[0]["order_timestamp"] == watched["order_timestamp"]


# Announcements --------------------------------------------------------------------------------------


async def test_announcements_go_to_who_asked_for_their_category(
    autojump_clock: trio.testing.MockClock,
) -> None:
    simulator = upbit()
    with trio.fail_after(60):
        async with (
            connected(simulator, PRIVATE, bearer()) as everything,
            connected(simulator, PRIVATE, bearer()) as trades,
        ):
            await everything.ask({"type": "announcement", "include_body": True})
            await trades.ask({"type": "announcement", "categories": ["trade"]}, form="SIMPLE")
            await trio.sleep(0.1)
            number = simulator.announce("서버 점검", category="maintenance", body="내용")
            simulator.announce("상장", category="trade", body="x" * (LARGEST_BODY + 1))
            simulator.announce("서버 점검 종료", category="maintenance", changes=number)
            first, second, third = [await everything.hear() for _ in range(3)]
            short = await trades.hear()
            assert await trades.hear_for(1) == []
    assert list(first) == [
        "type", "uuid", "event_type", "category", "title", "body", "url", "first_listed_at", "listed_at", "timestamp",
        "stream_type",
    ]  # fmt: skip
    assert (first["event_type"], first["title"], first["body"]) == ("CREATED", "서버 점검", "내용")
    assert first["listed_at"].endswith("+09:00")
    assert second["body"] is None
    assert (third["event_type"], third["uuid"]) == ("UPDATED", first["uuid"])
    assert third["first_listed_at"] < third["listed_at"]
    assert (short["ty"], short["cat"], short["tt"], "bd" in short) == ("announcement", "trade", "상장", False)


async def test_some_are_published_when_nobody_writes_any(autojump_clock: trio.testing.MockClock) -> None:
    simulator = upbit(announcement_interval_s=5.0)
    with trio.fail_after(60):
        async with connected(simulator, PRIVATE, bearer()) as client:
            await client.ask({"type": "announcement"})
            heard = await client.hear_for(21)
    assert [m["event_type"] for m in heard] == ["CREATED", "CREATED", "CREATED", "UPDATED"]
    assert heard[3]["uuid"] == heard[2]["uuid"]


# Indicators -----------------------------------------------------------------------------------------

ASKED: list[dict[str, Any]] = [
    {"type": "volume", "params": {"period": 5}},
    {"type": "rsi", "params": {"period": 14}},
    {"type": "moving_average", "params": {"period": 3, "type": "SMA"}},
    {"type": "ma_crossover", "params": {"short_period": 5, "long_period": 20, "type": "EMA"}},
    {"type": "bollinger_bands", "params": {"period": 20, "multiplier": 2.5}},
    {"type": "macd", "params": {"fast": 12, "slow": 26, "signal_period": 9}},
]


def indicators(*asked: dict[str, Any], kind: str = "indicator", **fields: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "codes": ["KRW-BTC", "BTC-ETH"],
        "timeframe": "5m",
        "indicators": list(asked),
        **fields,
    }


async def keep_alive(client: Client) -> None:
    while True:
        await trio.sleep(30)
        await client.websocket.ping()


async def hear_long(client: Client, seconds: float) -> list[Any]:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_alive, client)
        heard = await client.hear_for(seconds)
        nursery.cancel_scope.cancel()
    return heard


async def test_indicators_come_when_a_candle_closes(autojump_clock: trio.testing.MockClock) -> None:
    simulator = upbit(rate=1.0)
    with trio.fail_after(2000):
        async with connected(simulator, INFO, bearer()) as client:
            await client.ask(indicators(*ASKED), indicators(ASKED[1], timeframe="15m"))
            heard = await hear_long(client, 910)
    assert {m["code"] for m in heard} == {"KRW-BTC"}, "indicators are of KRW markets"
    short = [m for m in heard if m["timeframe"] == "5m"]
    assert [m["indicator"] for m in short] == [one["type"] for one in ASKED] * 4
    assert len(heard) - len(short) == 2
    ends = [m["timestamp"] for m in heard]
    assert {end % 300_000 for end in ends} == {40}
    band = next(m for m in short if m["indicator"] == "bollinger_bands")
    assert band["params"] == {"period": 20, "multiplier": D("2.5")}
    assert band["value"]["bb_lower"] < band["value"]["bb_middle"] < band["value"]["bb_upper"]
    assert list(band) == [
        "type", "code", "timeframe", "candle_date_time_utc", "indicator", "params", "value", "timestamp", "stream_type",
    ]  # fmt: skip


async def test_a_moving_average_is_that_of_the_candles_seen(autojump_clock: trio.testing.MockClock) -> None:
    simulator = upbit(rate=1.0)
    candles = {"type": "candle.5m", "codes": ["KRW-BTC"]}
    with trio.fail_after(3000):
        async with (
            connected(simulator, INFO, bearer()) as client,
            connected(simulator) as watcher,
            trio.open_nursery() as nursery,
        ):
            await client.ask(indicators(ASKED[2]), form="SIMPLE")
            await watcher.ask(candles)
            found: list[list[Any]] = [[], []]

            async def listen(place: int, one: Client) -> None:
                found[place] = await hear_long(one, 1300)

            nursery.start_soon(listen, 0, client)
            nursery.start_soon(listen, 1, watcher)
    closes = {m["candle_date_time_utc"]: m["trade_price"] for m in found[1]}
    told = found[0][-1]
    assert told["ty"] == "indicator"
    assert (told["ind"], told["tf"], told["p"]) == ("moving_average", "5m", {"p": 3, "t": "SMA"})
    last_three = [price for start, price in closes.items() if start <= told["cdttmu"]][-3:]
    assert told["v"]["value"] == (sum(last_three) / 3).quantize(D("1E-8"))


async def test_a_signal_comes_once_each_time_its_condition_comes_true(
    autojump_clock: trio.testing.MockClock,
) -> None:
    above = {"type": "moving_average", "params": {"period": 5, "type": "SMA"}, "trigger": "price_cross_above"}
    below = {**above, "trigger": "price_cross_below"}
    spike = {
        "type": "volume", "params": {"period": 10}, "trigger": "volume_spike", "event_params": {"multiplier": 5},
    }  # fmt: skip
    simulator = upbit(rate=0.3, markets=["KRW-BTC"])
    with trio.fail_after(40_000):
        async with connected(simulator, INFO, bearer()) as client:
            await client.ask(indicators(above, below, spike, kind="indicator_signal"))
            await client.ask(
                indicators(above, below, kind="indicator_signal"), indicators(ASKED[2], timeframe="60m")
            )
            heard = of_kind(await hear_long(client, 6000), "indicator_signal")
    triggers = [m["trigger"] for m in heard]
    assert {"price_cross_above", "price_cross_below"} == set(triggers)
    for before, after in pairwise(triggers):
        assert before != after, "it does not repeat while it holds"
    assert heard[0]["event_params"] == {}
    assert heard[0]["candle_date_time_utc"] < heard[-1]["candle_date_time_utc"]


async def test_a_candle_without_trades_says_nothing(autojump_clock: trio.testing.MockClock) -> None:
    simulator = upbit(rate=0.000001)
    with trio.fail_after(4000):
        async with connected(simulator, INFO, bearer()) as client:
            await client.ask(indicators(*ASKED))
            heard = await hear_long(client, 1000)
    assert len(heard) <= len(ASKED), "at most the candle in which the market opened"


async def test_a_wrong_indicator_is_an_invalid_parameter(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(30):
        async with connected(upbit(), INFO, bearer()) as client:
            await client.ask(indicators({"type": "rsi", "params": {"period": 15}}))
            heard, _, _ = await client.hear_end()
    assert json.loads(heard[0])["error"]["name"] == "INVALID_PARAM"
