from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
import trio
import trio.testing

from tests.simulator.clients import START_S, wall_ns
from tests.simulator.edgex_client import EdgexClient, edgex_client, refused_handshake
from trioquotes.simulator.faults import (
    DelayAck,
    Fault,
    NeverSend,
    PartialAck,
    RejectRequest,
    SkipFrame,
    WithholdAck,
)
from trioquotes.simulator.venues.edgex import EdgexSimulator

D = Decimal
BTC, NVDA, QUIET = "30000001", "30000020", "30000153"


def edgex(*faults: Fault, **options: Any) -> EdgexSimulator:
    return EdgexSimulator(**{"seed": 7, "rate": 30.0, "faults": faults, "wall_ns": wall_ns, **options})


async def listen(client: EdgexClient, seconds: float) -> dict[str, list[Any]]:
    """What comes within some time: contents by channel, control frames by type."""
    heard: dict[str, list[Any]] = defaultdict(list)
    for message in await client.hear_for(seconds):
        pushed = message["type"] in {"quote-event", "payload"}
        heard[message["channel"] if pushed else message["type"]].append(message.get("content", message))
    return heard


# Control -------------------------------------------------------------------------------------------------


async def test_it_says_hello_first_and_gives_every_request_back(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(30):
        async with edgex_client(edgex(), "/api/v1/public/ws?timestamp=1758253500000") as client:
            hello = await client.hear()
            assert list(hello) == ["sid", "type"]
            assert (hello["type"], len(hello["sid"])) == ("connected", 36)
            text = '{"type":"subscribe", "channel":"ticker.30000001"}'
            await client.say(text)
            assert await client.hear() == {
                "type": "subscribed",
                "channel": "ticker.30000001",
                "request": text,
            }
            push = await client.hear()
            assert list(push) == ["type", "channel", "content"]
            assert (push["type"], list(push["content"])) == ("quote-event", ["channel", "dataType", "data"])
            assert push["content"]["channel"] == push["channel"] == "ticker.30000001"
            assert push["content"]["dataType"] == "Snapshot"
            await client.unsubscribe("ticker.30000001")
            assert await client.hear_until("unsubscribed") == {
                "type": "unsubscribed",
                "channel": "ticker.30000001",
            }
            assert await client.hear_for(5) == []


async def test_sessions_have_ids_of_their_own(autojump_clock: trio.testing.MockClock) -> None:
    simulator = edgex()
    sids = set()
    with trio.fail_after(30):
        for _ in range(3):
            async with edgex_client(simulator) as client:
                sids.add((await client.hear())["sid"])
    assert len(sids) == 3


@pytest.mark.parametrize(
    ("options", "content"),
    [
        ({}, {"code": "GATEWAY_INVALID_CONTRACT_ID", "msg": "invalid contractId : 99999999"}),
        ({"codes": "plain"}, {"code": "INVALID_CONTRACT_ID", "msg": "invalid contractId : 99999999"}),
        ({"generation": "v1"}, {"code": "INVALID_CONTRACT_ID", "msg": "invalid contractId:99999999"}),
        (
            {"generation": "v1", "codes": "gateway"},
            {"code": "GATEWAY_INVALID_CONTRACT_ID", "msg": "invalid contractId:99999999"},
        ),
    ],
)
async def test_an_error_carries_its_request_and_the_line_stays_open(
    autojump_clock: trio.testing.MockClock, options: dict[str, Any], content: dict[str, str]
) -> None:
    with trio.fail_after(30):
        async with edgex_client(edgex(**options)) as client:
            await client.hear()
            request = '{"type":"subscribe","channel":"depth.99999999.15"}'
            await client.say(request)
            assert await client.hear() == {"type": "error", "request": request, "content": content}
            await client.say("nonsense")
            assert (await client.hear())["content"]["code"].endswith("UNRECOGNIZED_MESSAGE")
            await client.say({"type": "login"})
            assert (await client.hear())["content"]["code"].endswith("INVALID_MESSAGE_TYPE")
            await client.unsubscribe("no.such")
            assert (await client.hear())["content"]["code"] == "GATEWAY_ERROR"
            await client.subscribe("metadata")
            assert (await client.hear())["type"] == "subscribed"


@pytest.mark.parametrize("close_after_errors", [True, False])
async def test_the_fifth_error_may_end_the_line(
    autojump_clock: trio.testing.MockClock, close_after_errors: bool
) -> None:
    simulator = edgex(close_after_errors=close_after_errors)
    with trio.fail_after(30):
        async with edgex_client(simulator) as client:
            await client.hear()
            for _ in range(5):
                await client.say("nonsense")
                assert (await client.hear())["type"] == "error"
            await trio.sleep(1)
            assert bool(simulator.connections) is not close_after_errors
            if close_after_errors:
                reason = await client.hear_end()
                assert reason is not None
                assert reason.code == 1006
    assert [breach.limit for breach in simulator.records.breaches] == ["errors"] * close_after_errors


async def test_a_binary_message_is_read_as_text(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(30):
        async with edgex_client(edgex()) as client:
            await client.hear()
            await client.websocket.send_message(b'{"type":"ping","time":"5"}')
            assert await client.hear() == {"type": "pong", "time": "5"}


async def test_other_paths_are_not_there(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(30):
        status, body = await refused_handshake(edgex(), "/ws")
    assert (status, body["code"]) == (404, "NOT_FOUND")


# Heartbeats ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("time", ["1693208170000", 1693208170000, None, "x"])
async def test_a_clients_ping_gets_its_own_time_back_at_once(
    autojump_clock: trio.testing.MockClock, time: Any
) -> None:
    with trio.fail_after(30):
        async with edgex_client(edgex()) as client:
            await client.hear()
            await client.say({"type": "ping", "time": time})
            assert await client.hear() == {"type": "pong", "time": time}
            assert trio.current_time() < 1


async def test_the_server_pings_every_ten_seconds_and_ends_a_line_after_five_unanswered(
    autojump_clock: trio.testing.MockClock,
) -> None:
    simulator = edgex()
    with trio.fail_after(100):
        async with edgex_client(simulator, answers=False) as client:
            await client.hear()
            for n in range(1, 6):
                ping = await client.hear()
                assert ping == {"type": "ping", "time": str((START_S + 10 * n) * 1000)}
            reason = await client.hear_end()
            assert trio.current_time() == pytest.approx(60, abs=0.1)
    assert reason is not None
    assert reason.code == 1006
    assert [breach.limit for breach in simulator.records.breaches] == ["pongs"]


async def test_four_unanswered_pings_are_forgiven_by_one_pong(
    autojump_clock: trio.testing.MockClock,
) -> None:
    simulator = edgex(contracts=[QUIET])
    with trio.fail_after(300):
        async with edgex_client(simulator, answers=False) as client:
            await client.hear()
            for n in range(1, 21):
                ping = await client.hear()
                if n % 5 == 0:
                    await client.say({"type": "pong", "time": ping["time"]})
            assert simulator.connections
    assert not simulator.records.breaches


@pytest.mark.parametrize("answer", ["one off", "other type", "pong to a pong"])
async def test_a_pong_that_echoes_nothing_is_recorded_and_does_not_count(
    autojump_clock: trio.testing.MockClock, answer: str
) -> None:
    simulator = edgex()
    with trio.fail_after(100):
        async with edgex_client(simulator, answers=False) as client:
            await client.hear()
            for _ in range(5):
                time = (await client.hear())["time"]
                wrong = {"one off": str(int(time) + 1), "other type": int(time), "pong to a pong": "1"}
                await client.say({"type": "pong", "time": wrong[answer]})
            await client.hear_end()
    assert [breach.limit for breach in simulator.records.breaches] == ["pong"] * 5 + ["pongs"]


async def test_without_limits_a_silent_client_is_kept(autojump_clock: trio.testing.MockClock) -> None:
    simulator = edgex(limits=False, contracts=[QUIET])
    with trio.fail_after(1000):
        async with edgex_client(simulator, answers=False) as client:
            await client.hear()
            assert len(await client.hear_for(305)) == 30
            assert len(simulator.connections[1].state.unanswered) == 5


@pytest.mark.endurance
async def test_a_client_that_answers_is_kept_for_an_hour(autojump_clock: trio.testing.MockClock) -> None:
    simulator = edgex(contracts=[QUIET])
    with trio.fail_after(4000):
        async with edgex_client(simulator) as client:
            pings = [m for m in await client.hear_for(3600.5) if m["type"] == "ping"]
            assert simulator.connections
    assert len(pings) == 360


# Books ---------------------------------------------------------------------------------------------------


class Mirror:
    """A client's own book by the documented rules."""

    def __init__(self, chain: str) -> None:
        self.step = 1 if chain == "next" else 0
        self.sides: dict[str, dict[Decimal, Decimal]] = {"asks": {}, "bids": {}}
        self.end: int | None = None
        self.frames = 0

    def apply(self, content: Any) -> None:
        (row,) = content["data"]
        assert isinstance(row["level"], int)
        if content["dataType"] == "Snapshot":
            assert row["depthType"].upper() == "SNAPSHOT"
            self.sides = {"asks": {}, "bids": {}}
        else:
            assert (content["dataType"], row["depthType"]) == ("changed", "CHANGED")
            assert self.end is not None
            assert int(row["startVersion"]) == self.end + self.step
        self.end = int(row["endVersion"])
        self.frames += 1
        for name, side in self.sides.items():
            for level in row[name]:
                pair = (level["price"], level["size"]) if isinstance(level, dict) else level
                price, size = D(pair[0]), D(pair[1])
                if size:
                    side[price] = size
                else:
                    del side[price]
            assert len(side) <= row["level"]


@pytest.mark.parametrize(
    ("options", "contract", "depth_type"),
    [
        ({}, BTC, "SNAPSHOT"),
        ({"chain": "next", "levels": "pairs"}, BTC, "SNAPSHOT"),
        ({"generation": "v1"}, "10000001", "Snapshot"),
        ({"generation": "v1", "chain": "same"}, "10000001", "Snapshot"),
    ],
)
async def test_a_mirrored_book_is_the_markets_in_both_chains_and_forms(
    autojump_clock: trio.testing.MockClock, options: dict[str, Any], contract: str, depth_type: str
) -> None:
    simulator = edgex(**options)
    mirrors = {level: Mirror(simulator.style.chain) for level in (15, 200)}
    with trio.fail_after(60):
        async with edgex_client(simulator) as client:
            await client.subscribe(*(f"depth.{contract}.{level}" for level in mirrors))
            heard = await listen(client, 20.0001)
            book = simulator.floors[contract].book
            for level, mirror in mirrors.items():
                contents = heard[f"depth.{contract}.{level}"]
                for content in contents:
                    mirror.apply(content)
                first = contents[0]["data"][0]
                assert first["depthType"] == depth_type
                assert first["level"] == level
                assert isinstance(first["asks"][0], list if options.get("levels") else dict)
                assert mirror.frames > 100
                assert mirror.end == simulator.floors[contract].sequence
                assert mirror.sides["asks"] == {p: size for p, size, _ in book.levels("sell")[:level]}
                assert mirror.sides["bids"] == {p: size for p, size, _ in book.levels("buy")[:level]}
    gone = {
        (level["size"] if isinstance(level, dict) else level[1])
        for content in heard[f"depth.{contract}.15"]
        for level in content["data"][0]["asks"] + content["data"][0]["bids"]
        if D(level["size"] if isinstance(level, dict) else level[1]) == 0
    }
    assert gone == {"0", "0.000"}


async def test_readers_who_come_late_or_come_back_have_the_same_book(
    autojump_clock: trio.testing.MockClock,
) -> None:
    simulator = edgex()
    channel = f"depth.{BTC}.15"
    with trio.fail_after(60):
        async with edgex_client(simulator) as first, edgex_client(simulator) as second:
            one, two = Mirror("same"), Mirror("same")
            await first.subscribe(channel)
            for content in (await listen(first, 3.333))[channel]:
                one.apply(content)
            await second.subscribe(channel)
            for client, mirror in ((second, two), (first, one)):
                for content in (await listen(client, 2.5))[channel]:
                    mirror.apply(content)
            for content in (await listen(second, 0.01))[channel]:
                two.apply(content)
            await second.unsubscribe(channel)
            await second.subscribe(channel, channel)
            await trio.sleep_until(15.001)
            for client, mirror in ((second, two), (first, one)):
                for content in (await listen(client, 0.01))[channel]:
                    mirror.apply(content)
            assert one.sides == two.sides
            assert one.end == two.end
            assert one.end is not None
            assert one.end > simulator.floors[BTC].sequence - 9


async def test_a_book_left_alone_and_taken_up_again_begins_with_the_present(
    autojump_clock: trio.testing.MockClock,
) -> None:
    simulator = edgex()
    channel = f"depth.{BTC}.15"
    with trio.fail_after(60):
        async with edgex_client(simulator) as client:
            for _ in range(2):
                await client.subscribe(channel)
                (row,) = (await client.hear_on(channel))["data"]
                assert int(row["endVersion"]) == simulator.floors[BTC].sequence
                assert row["asks"][0]["price"] == f"{simulator.floors[BTC].book.best('sell'):.1f}"
                await client.unsubscribe(channel)
                await client.hear_until("unsubscribed")
                await trio.sleep(10)


async def test_a_frame_left_out_by_a_script_breaks_the_chain(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(60):
        async with edgex_client(edgex(SkipFrame(kind="depth", nth=5))) as client:
            await client.subscribe(f"depth.{BTC}.15")
            rows = [content["data"][0] for content in (await listen(client, 5))[f"depth.{BTC}.15"]]
    breaks = [
        n for n, (before, row) in enumerate(pairwise(rows)) if row["startVersion"] != before["endVersion"]
    ]
    assert breaks == [3]


# Trades, tickers, bars -----------------------------------------------------------------------------------


async def test_trades_begin_with_history_and_come_several_at_a_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    simulator = edgex(rate=200, contracts=[BTC])
    with trio.fail_after(60):
        async with edgex_client(simulator) as client:
            await client.subscribe(f"trades.{BTC}")
            first, *others = (await listen(client, 20.0001))[f"trades.{BTC}"]
            floor = simulator.floors[BTC]
    assert first["dataType"] == "Snapshot"
    assert len(first["data"]) == 50
    assert {other["dataType"] for other in others} == {"changed"}
    assert max(len(other["data"]) for other in others) > 1
    assert list(first["data"][0]) == [
        "ticketId", "time", "price", "size", "value", "takerOrderId", "makerOrderId", "takerAccountId",
        "makerAccountId", "contractId", "contractName", "isBestMatch", "isBuyerMaker",
    ]  # fmt: skip
    live = [row for other in others for row in other["data"]]
    rows = first["data"] + live
    assert len({row["ticketId"] for row in rows}) == len(rows)
    assert all(row["ticketId"][14] == "4" and len(row["ticketId"]) == 36 for row in rows)
    assert [int(row["time"]) for row in rows] == sorted(int(row["time"]) for row in rows)
    trades = list(floor.trades)[-len(live) :]
    for row, trade in zip(live, trades, strict=True):
        assert (D(row["price"]), D(row["size"])) == (trade.price, trade.size)
        assert D(row["value"]) == trade.price * trade.size
        assert row["isBuyerMaker"] is (trade.taker_side == "sell")
        assert row["takerOrderId"].isdecimal()
        assert row["takerOrderId"] != row["makerOrderId"]
    for before, row in pairwise(live):
        assert row["isBestMatch"] is (row["takerOrderId"] != before["takerOrderId"])


async def test_v1_trades_have_numbers_for_ids_and_no_name(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(60):
        async with edgex_client(edgex(generation="v1")) as client:
            await client.subscribe("trades.10000001")
            rows = (await client.hear_on("trades.10000001"))["data"]
    assert all(row["ticketId"].isdecimal() and "contractName" not in row for row in rows)


async def test_the_ticker_agrees_with_trades_and_book(autojump_clock: trio.testing.MockClock) -> None:
    simulator = edgex()
    with trio.fail_after(60):
        async with edgex_client(simulator) as client:
            await client.subscribe(f"ticker.{BTC}", f"trades.{BTC}")
            heard = await listen(client, 20.0001)
    before, now = (heard[f"ticker.{BTC}"][place]["data"][0] for place in (0, -1))
    trades = [row for content in heard[f"trades.{BTC}"][1:] for row in content["data"]]
    told = [row for row in trades if int(row["time"]) <= (START_S + 20) * 1000]
    assert int(now["trades"]) == int(before["trades"]) + len(told)
    assert D(now["size"]) == D(before["size"]) + sum(D(row["size"]) for row in told)
    assert D(now["value"]) == D(before["value"]) + sum(D(row["value"]) for row in told)
    assert now["lastPrice"] == now["close"] == told[-1]["price"]
    prices = [D(row["price"]) for row in told]
    assert D(now["high"]) == max([D(before["high"]), *prices])
    assert D(now["low"]) == min([D(before["low"]), *prices])
    assert D(now["priceChange"]) == D(now["close"]) - D(now["open"])
    assert abs(D(now["priceChangePercent"]) - D(now["priceChange"]) / D(now["open"])) < D("1e-6")
    assert int(now["endTime"]) - int(now["startTime"]) == 86_400_000
    assert int(now["endTime"]) % 900_000 == 0
    assert D(now["bestBidPrice"]) < D(now["bestAskPrice"])
    assert now["markPrice"] == now["oraclePrice"]
    assert len(now["oraclePrice"].split(".")[1]) > 10
    assert now["marketOpen"] is True
    texts = {name: value for name, value in now.items() if name != "marketOpen"}
    assert all(isinstance(value, str) for value in texts.values())


@pytest.mark.parametrize(
    ("options", "quiet", "expected"),
    [
        ({}, QUIET, None),
        ({"empty_best": "zero"}, QUIET, "0"),
        ({"generation": "v1"}, "10000024", "0"),
        ({"generation": "v1", "empty_best": "missing"}, "10000024", None),
    ],
)
async def test_a_contract_that_nobody_trades_has_no_best_prices_and_no_volume(
    autojump_clock: trio.testing.MockClock, options: dict[str, Any], quiet: str, expected: str | None
) -> None:
    with trio.fail_after(60):
        async with edgex_client(edgex(**options)) as client:
            await client.subscribe(f"ticker.{quiet}", f"depth.{quiet}.15", f"bookTicker.{quiet}")
            heard = await listen(client, 30)
    (ticker,), (depth,), (best,) = (
        heard[f"{name}.{quiet}{level}"]
        for name, level in (("ticker", ""), ("depth", ".15"), ("bookTicker", ""))
    )
    (row,) = ticker["data"]
    assert (row.get("bestAskPrice"), row.get("bestBidPrice")) == (expected, expected)
    assert (row["trades"], row["size"], row["value"]) == ("0", "0", "0")
    assert (row["priceChangePercent"], row["high"]) == ("0.000000", row["lastPrice"])
    assert int(row["highTime"]) < int(row["startTime"])
    assert (depth["data"][0]["asks"], depth["data"][0]["bids"]) == ([], [])
    assert {best["data"][0][name] for name in best["data"][0] if name.startswith("best")} == {"0"}


async def test_an_order_by_hand_wakes_a_quiet_book(autojump_clock: trio.testing.MockClock) -> None:
    simulator = edgex()
    with trio.fail_after(60):
        async with edgex_client(simulator) as client:
            await client.subscribe(f"depth.{QUIET}.15", "bookTicker.all", "ticker.all.1s")
            await listen(client, 1.5)
            place = simulator.floors[QUIET].place
            simulator.perform(place, side="buy", trader="me", price=D("0.4"), size=D(7))
            heard = await listen(client, 1.6)
            (depth,) = heard[f"depth.{QUIET}.15"]
            assert depth["data"][0]["bids"] == [{"price": "0.4000", "size": "7"}]
            rows = [row for content in heard["bookTicker.all"] for row in content["data"]]
            (row,) = (row for row in rows if row["contractId"] == QUIET)
            assert (row["bestBidPrice"], row["bestBidSize"], row["bestAskPrice"]) == ("0.4000", "7", "0")
            row = heard["ticker.all.1s"][-1]["data"][-1]
            assert (row["bestBidPrice"], "bestAskPrice" in row) == ("0.4000", False)
            simulator.perform(place, side="sell", trader="you", price=D("0.4"), size=D(7))
            row = (await listen(client, 1.6))["ticker.all.1s"][-1]["data"][-1]
            assert (row["trades"], row["lastPrice"], row["value"]) == ("1", "0.4000", "2.8")


async def test_channels_by_the_clock_begin_with_the_second_and_hold_every_contract(
    autojump_clock: trio.testing.MockClock,
) -> None:
    names = [BTC, "30000002", NVDA, QUIET]
    with trio.fail_after(60):
        async with edgex_client(edgex()) as client:
            await trio.sleep(0.4)
            await client.subscribe("ticker.all.1s", "bookTicker.all.1s")
            assert "ticker.all.1s" not in await listen(client, 0.5)
            heard = await listen(client, 5)
    for channel in ("ticker.all.1s", "bookTicker.all.1s"):
        contents = heard[channel]
        assert [content["dataType"] for content in contents] == ["Snapshot"] + ["changed"] * 4
        for content in contents:
            assert [row["contractId"] for row in content["data"]] == names
    times = {row["time"] for row in heard["bookTicker.all.1s"][-1]["data"]}
    assert len(times) > 1


async def test_channels_of_all_contracts_tell_what_changed(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(60):
        async with edgex_client(edgex()) as client:
            await client.subscribe("ticker.all", "bookTicker.all", f"bookTicker.{BTC}")
            heard = await listen(client, 10)
    for channel in ("ticker.all", "bookTicker.all"):
        first, *others = heard[channel]
        assert (first["dataType"], len(first["data"])) == ("Snapshot", 4)
        assert others
        assert all(QUIET not in [row["contractId"] for row in content["data"]] for content in others)
    assert len(heard[f"bookTicker.{BTC}"]) == 1
    assert list(heard["bookTicker.all"][1]["data"][0]) == [
        "contractId", "contractName", "time", "bestAskPrice", "bestAskSize", "bestBidPrice", "bestBidSize",
    ]  # fmt: skip


async def test_v1_book_tickers_have_no_time_and_its_tickers_no_mark(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(60):
        async with edgex_client(edgex(generation="v1")) as client:
            await client.subscribe("bookTicker.10000001", "ticker.10000001")
            best = (await client.hear_on("bookTicker.10000001"))["data"][0]
            ticker = (await client.hear_on("ticker.10000001"))["data"][0]
    assert list(best)[2:] == ["bestBidPrice", "bestBidSize", "bestAskPrice", "bestAskSize"]
    assert not {"markPrice", "marketOpen"} & set(ticker)
    assert ticker["contractName"] == "BTCUSD"


async def test_bars_are_pushed_while_they_form_and_once_more_when_they_are_over(
    autojump_clock: trio.testing.MockClock,
) -> None:
    channel = f"kline.LAST_PRICE.{BTC}.MINUTE_1"
    with trio.fail_after(200):
        async with edgex_client(edgex(contracts=[BTC])) as client:
            await client.subscribe(channel, f"trades.{BTC}")
            heard = await listen(client, 130)
    first, *others = heard[channel]
    assert (first["dataType"], len(first["data"])) == ("Snapshot", 3)
    assert {content["dataType"] for content in others} == {"changed"}
    bars = {row["klineTime"]: row for content in others for row in content["data"]}
    order = [row["klineTime"] for content in others for row in content["data"]]
    assert order == sorted(order)
    trades = [row for content in heard[f"trades.{BTC}"] for row in content["data"]]
    over = sorted(bars)[1]
    within = [row for row in trades if int(over) <= int(row["time"]) < int(over) + 60_000]
    bar = bars[over]
    assert (bar["open"], bar["close"]) == (within[0]["price"], within[-1]["price"])
    assert bar["trades"] == str(len(within))
    assert D(bar["size"]) == sum(D(row["size"]) for row in within)
    assert D(bar["makerBuyValue"]) == sum(D(row["value"]) for row in within if row["isBuyerMaker"])
    assert len({row["klineId"] for content in others for row in content["data"]}) == len(bars)
    assert (bar["klineType"], bar["priceType"], bar["contractName"]) == ("MINUTE_1", "LAST_PRICE", "BTCUSDC")


@pytest.mark.parametrize("price_type", ["MARK_PRICE", "INDEX_PRICE", "ORACLE_PRICE"])
async def test_bars_of_prices_that_are_not_traded_go_on_without_trades(
    autojump_clock: trio.testing.MockClock, price_type: str
) -> None:
    channel = f"kline.{price_type}.{QUIET}.HOUR_4"
    with trio.fail_after(60):
        async with edgex_client(edgex()) as client:
            await client.subscribe(channel, "ticker.all.1s")
            heard = await listen(client, 10.6)
    row = heard[channel][-1]["data"][-1]
    assert len(heard[channel]) == 11
    assert (row["trades"], row["size"], row["value"]) == ("0", "0", "0")
    assert D(row["low"]) <= D(row["close"]) <= D(row["high"])
    field = {"MARK_PRICE": "markPrice", "INDEX_PRICE": "indexPrice", "ORACLE_PRICE": "oraclePrice"}
    assert row["close"] == heard["ticker.all.1s"][-1]["data"][-1][field[price_type]]


async def test_funding_is_told_by_the_minute_and_settled_at_its_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(900):
        async with edgex_client(edgex(rate=2, funding_interval_min=5)) as client:
            await client.subscribe(f"fundingRate.{BTC}", "fundingRate.all", "ticker.all.1s")
            heard = await listen(client, 601.5)
    rows = [content["data"][0] for content in heard[f"fundingRate.{BTC}"]]
    assert len(rows) == 11
    assert all(len(content["data"]) == 4 for content in heard["fundingRate.all"])
    settled = [row["isSettlement"] for row in rows]
    assert settled == [False] * 5 + [True] + [False] * 4 + [True]
    first = rows[5]
    assert first["fundingTime"] == first["fundingTimestamp"] == str((START_S + 300) * 1000)
    assert (first["fundingRateIntervalMin"], first["interestRate"]) == ("5", "0.0003")
    assert rows[6]["fundingRate"] == first["fundingRate"]
    ticker = heard["ticker.all.1s"][-1]["data"][0]
    assert (ticker["fundingTime"], ticker["fundingRate"]) == (
        rows[-1]["fundingTime"],
        rows[-1]["fundingRate"],
    )
    assert int(ticker["nextFundingTime"]) - int(ticker["fundingTime"]) == 300_000
    assert all(isinstance(value, str) for name, value in first.items() if name != "isSettlement")


async def test_metadata_comes_once_and_again_when_it_changes(
    autojump_clock: trio.testing.MockClock,
) -> None:
    simulator = edgex()
    with trio.fail_after(60):
        async with edgex_client(simulator) as client:
            await client.subscribe("metadata", "ticker.all.1s")
            heard = await listen(client, 10)
            (first,) = heard["metadata"]
            assert list(first["data"][0]) == ["global", "coinList", "contractList", "multiChain"]
            contracts = {row["contractId"]: row for row in first["data"][0]["contractList"]}
            coins = {row["coinId"]: row["coinName"] for row in first["data"][0]["coinList"]}
            nvda = contracts[NVDA]
            assert (nvda["tickSize"], nvda["pricePrecision"], nvda["contractStatus"]) == (
                "0.05",
                "2",
                "TRADING",
            )
            assert (
                coins[nvda["baseCoinId"]] + coins[nvda["quoteCoinId"]] == nvda["contractName"] == "NVDAUSDC"
            )
            simulator.list_contract(NVDA, is_open=False)
            heard = await listen(client, 2)
            (second,) = heard["metadata"]
            assert second["dataType"] == "changed"
            assert second["data"][0]["contractList"][2]["contractStatus"] == "SUSPENDED"
            assert heard["ticker.all.1s"][-1]["data"][2]["marketOpen"] is False


async def test_metadata_may_be_repeated_by_the_clock(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(60):
        async with edgex_client(edgex(metadata_interval_s=5)) as client:
            await client.subscribe("metadata")
            assert [c["dataType"] for c in (await listen(client, 16))["metadata"]] == ["Snapshot"] + [
                "changed"
            ] * 3


async def test_ids_of_the_other_generation_answer_nothing_useful(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(60):
        async with edgex_client(edgex()) as client:
            await client.hear()
            for channel in ("depth.10000001.15", "kline.LAST_PRICE.10000001.DAY_1", "ticker.10000001"):
                await client.subscribe(channel)
                assert (await client.hear())["type"] == "subscribed"
                content = (await client.hear())["content"]
                assert (content["dataType"], content["data"]) == ("Snapshot", [])
            assert await client.hear_for(5) == []
        async with edgex_client(edgex(generation="v1")) as client:
            await client.subscribe(f"ticker.{BTC}")
            assert (await client.hear_until("error"))["content"]["code"] == "INVALID_CONTRACT_ID"


# The documents' own spelling -----------------------------------------------------------------------------


async def test_v2_as_its_pages_print_it(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(60):
        async with edgex_client(edgex(spelling="docs", levels="pairs")) as client:
            hello = await client.hear()
            assert hello == {
                "sid": hello["sid"], "type": "connected", "channel": None, "request": None, "content": None, "time": None,
            }  # fmt: skip
            await client.subscribe(f"depth.{BTC}.15")
            assert await client.hear() == {"type": "subscribed", "channel": f"depth.{BTC}.15"}
            first, second = await client.hear(), await client.hear()
            assert [first["type"], second["type"]] == ["payload", "payload"]
            assert [first["content"]["dataType"], second["content"]["dataType"]] == ["Snapshot", "Changed"]
            assert isinstance(first["content"]["data"][0]["bids"][0], list)
            request = '{"type":"subscribe","channel":"ticker.1"}'
            await client.say(request)
            error = await client.hear_until("error")
            assert error == {
                "type": "error", "channel": None, "request": request,
                "content": {
                    "code": "GATEWAY_INVALID_CONTRACT_ID", "msg": "invalid contractId : 1", "details": None,
                },
            }  # fmt: skip


async def test_v1_as_its_page_prints_it(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(60):
        async with edgex_client(edgex(generation="v1", spelling="docs")) as client:
            assert list(await client.hear()) == ["sid", "type"]
            await client.subscribe("metadata", "ticker.100000001")
            assert await client.hear() == {"type": "subscribed", "channel": "metadata"}
            assert list((await client.hear())["content"]["data"][0]) == ["coin", "contract"]
            assert await client.hear() == {
                "type": "error",
                "content": {"code": "INVALID_CONTRACT_ID", "msg": "invalid contractId:100000001"},
            }


# Scripts -------------------------------------------------------------------------------------------------


async def test_an_acknowledgement_may_be_late_or_never_come_or_be_a_refusal(
    autojump_clock: trio.testing.MockClock,
) -> None:
    script = (
        DelayAck(nth=1, delay_s=2.5), WithholdAck(nth=2), WithholdAck(nth=3, serve=False),
        RejectRequest(nth=4, message="not today", reason="INVALID_CONTRACT_ID"),
        RejectRequest(nth=5, message="not ever"), PartialAck(nth=6, leave_out=(NVDA,)),
    )  # fmt: skip
    with trio.fail_after(60):
        async with edgex_client(edgex(*script)) as client:
            await client.hear()
            await client.subscribe("ticker.all.1s")
            kinds = [message["type"] for message in await client.hear_for(3.5)]
            assert kinds.index("subscribed") == 2
            await client.subscribe(f"trades.{BTC}")
            heard = await listen(client, 3)
            assert "subscribed" not in heard
            assert heard[f"trades.{BTC}"]
            await client.subscribe(f"trades.{NVDA}")
            assert not {"subscribed", f"trades.{NVDA}"} & set(await listen(client, 3))
            await client.subscribe("metadata", "metadata", f"depth.{NVDA}.15")
            heard = await listen(client, 3)
            codes = [content["code"] for content in heard["error"]]
            assert codes == ["GATEWAY_INVALID_CONTRACT_ID", "GATEWAY_ERROR"]
            assert not {"subscribed", "metadata", f"depth.{NVDA}.15"} & set(heard)


async def test_a_scripted_refusal_has_the_venues_form(autojump_clock: trio.testing.MockClock) -> None:
    script = (
        RejectRequest(nth=1, message="busy", reason="INVALID_CONTRACT_ID"),
        RejectRequest(nth=2, message="busy"),
    )
    with trio.fail_after(60):
        async with edgex_client(edgex(*script)) as client:
            await client.hear()
            await client.subscribe("metadata", "metadata")
            assert (await client.hear())["content"] == {"code": "GATEWAY_INVALID_CONTRACT_ID", "msg": "busy"}
            assert (await client.hear())["content"] == {"code": "GATEWAY_ERROR", "msg": "busy"}


async def test_a_script_may_keep_pings_back(autojump_clock: trio.testing.MockClock) -> None:
    simulator = edgex(NeverSend(kind="ping"), limits=False, contracts=[QUIET])
    with trio.fail_after(200):
        async with edgex_client(simulator) as client:
            assert [m["type"] for m in await client.hear_for(100)] == ["connected"]


# The whole -----------------------------------------------------------------------------------------------


async def test_the_same_seed_gives_the_same_frames(autojump_clock: trio.testing.MockClock) -> None:
    runs = []
    with trio.fail_after(200):
        for seed in (1, 1, 2):
            started = trio.current_time()

            def wall(started: float = started) -> int:
                return START_S * 10**9 + int((trio.current_time() - started) * 1e9)

            async with edgex_client(edgex(seed=seed, wall_ns=wall)) as client:
                await client.subscribe(
                    "ticker.all", f"depth.{BTC}.15", f"trades.{BTC}", f"kline.MARK_PRICE.{BTC}.DAY_1"
                )
                runs.append(json.dumps(await client.hear_for(9.95)))
    assert runs[0] == runs[1] != runs[2]


async def test_nothing_happens_while_nobody_is_there(autojump_clock: trio.testing.MockClock) -> None:
    simulator = edgex()
    with trio.fail_after(10_000):
        async with edgex_client(simulator) as client:
            await client.hear_for(2)
            sequence = simulator.floors[BTC].sequence
        await trio.sleep(5000)
        assert simulator.floors[BTC].sequence == sequence
        async with edgex_client(simulator) as client:
            await client.subscribe("ticker.all.1s")
            heard = await listen(client, 3)
            assert len(heard["ticker.all.1s"]) >= 2
            assert simulator.floors[BTC].sequence > sequence
