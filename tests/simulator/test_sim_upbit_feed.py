from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from tests.simulator.clients import START_S, get
from tests.simulator.upbit_client import Client, asking, connected, exact, of_kind, upbit
from trioquotes.simulator.faults import DelayAck, PartialAck, SkipFrame, WithholdAck
from trioquotes.simulator.floor import Listing
from trioquotes.simulator.venues.upbit.formats import SHORT

D = Decimal
TRADES: dict[str, Any] = {"type": "trade", "codes": ["KRW-BTC", "KRW-ETH"]}


def book(*codes: str, **fields: Any) -> dict[str, Any]:
    return {"type": "orderbook", "codes": list(codes), **fields}


def candles(unit: str, *codes: str) -> dict[str, Any]:
    return {"type": f"candle.{unit}", "codes": list(codes or ["KRW-BTC"])}


async def first(client: Client, kind: str, stream: str = "SNAPSHOT") -> Any:
    while True:
        found = of_kind([await client.hear()], kind, stream)
        if found:
            return found[0]


# Snapshot and stream --------------------------------------------------------------------------------


async def test_each_code_begins_with_a_snapshot_and_goes_on_in_real_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(30):
        async with connected(upbit()) as client:
            await client.ask(TRADES, {"type": "ticker", "codes": ["KRW-BTC"]}, book("KRW-BTC"), candles("1s"))
            heard = await client.hear_for(10)
    streams: dict[tuple[str, str], list[str]] = defaultdict(list)
    for message in heard:
        streams[message["type"], message["code"]].append(message["stream_type"])
    assert set(streams) == {
        ("trade", "KRW-BTC"), ("trade", "KRW-ETH"), ("ticker", "KRW-BTC"), ("orderbook", "KRW-BTC"),
        ("candle.1s", "KRW-BTC"),
    }  # fmt: skip
    for seen in streams.values():
        assert seen[0] == "SNAPSHOT"
        assert set(seen[1:]) == {"REALTIME"}


async def test_one_may_want_only_the_snapshot_or_only_what_follows(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(30):
        async with connected(upbit()) as client:
            await client.ask(
                {**TRADES, "is_only_snapshot": True}, {**book("KRW-BTC"), "is_only_realtime": True}
            )
            heard = await client.hear_for(5)
    assert [m["stream_type"] for m in of_kind(heard, "trade")] == ["SNAPSHOT", "SNAPSHOT"]
    assert {m["stream_type"] for m in of_kind(heard, "orderbook")} == {"REALTIME"}


async def test_the_flags_of_2021_are_passed_over_unless_told(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(30):
        for honoured in (False, True):
            async with connected(upbit(camel_case=honoured)) as client:
                await client.ask({**TRADES, "isOnlyRealtime": True})
                streams = [m["stream_type"] for m in await client.hear_for(5)]
                assert ("SNAPSHOT" in streams) is not honoured


async def test_a_request_replaces_everything_and_the_format(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(30):
        async with connected(upbit()) as client:
            await client.ask(TRADES, book("KRW-BTC"), form="SIMPLE")
            assert {m["ty"] for m in await client.hear_for(5)} == {"trade", "orderbook"}
            await client.ask({"type": "trade", "codes": ["KRW-XRP"]})
            heard = await client.hear_for(5)
            assert {(m.get("type"), m.get("code")) for m in heard} == {("trade", "KRW-XRP")}
            await client.ask({"type": "trade", "codes": ["KRW-XRP"]})
            assert (await client.hear())["stream_type"] == "SNAPSHOT", "restating brings the snapshot again"


@pytest.mark.parametrize("code", ["KRW-NOPE", "krw-btc", "BTC-KRW", "KRW-BTC.5", "", "KRW-BTC "])
async def test_unknown_codes_are_silent_and_the_others_flow(
    autojump_clock: trio.testing.MockClock, code: str
) -> None:
    with trio.fail_after(60):
        async with connected(upbit()) as client:
            await client.ask({"type": "trade", "codes": [code]})
            assert await client.hear_for(5) == []
            await client.ask({"type": "trade", "codes": [code, "KRW-BTC"]})
            assert {m["code"] for m in await client.hear_for(5)} == {"KRW-BTC"}


async def test_the_first_frames_may_be_late_missing_or_fewer(autojump_clock: trio.testing.MockClock) -> None:
    script = (
        WithholdAck(nth=1), DelayAck(nth=2, delay_s=1.0), PartialAck(nth=3, leave_out=("KRW-ETH",)),
        WithholdAck(nth=4, serve=False), SkipFrame(kind="orderbook", nth=1), DelayAck(nth=6, delay_s=1.0),
    )  # fmt: skip
    with trio.fail_after(60):
        async with connected(upbit(*script)) as client:
            await client.ask(TRADES)
            assert {m["stream_type"] for m in await client.hear_for(3)} == {"REALTIME"}
            await client.ask(TRADES)
            late = [m["stream_type"] for m in await client.hear_for(3)]
            assert late[0] == "REALTIME"
            assert late.count("SNAPSHOT") == 2
            await client.ask(TRADES)
            assert {m["code"] for m in await client.hear_for(3)} == {"KRW-BTC"}
            await client.ask(book("KRW-BTC"))
            assert {m["type"] for m in await client.hear_for(3)} == {"trade"}
            await client.ask(book("KRW-BTC"))
            assert {m["stream_type"] for m in of_kind(await client.hear_for(3), "orderbook")} == {"REALTIME"}
            await client.ask(TRADES)
            await client.ask(book("KRW-ETH"))
            heard = await client.hear_for(3)
            assert not of_kind(heard, "trade", "SNAPSHOT"), (
                "the delayed state of what was replaced is not sent"
            )
            assert of_kind(heard, "orderbook", "SNAPSHOT")


# Formats --------------------------------------------------------------------------------------------

ALL = [
    {"type": "ticker", "codes": ["KRW-BTC", "BTC-ETH"]}, {"type": "trade", "codes": ["KRW-BTC", "BTC-ETH"]},
    book("KRW-BTC.5", "BTC-ETH.5"), candles("1m", "KRW-BTC", "BTC-ETH"),
]  # fmt: skip


def lengthened(message: Any, table: str) -> Any:
    """A SIMPLE message in long names."""
    long = {short: name for name, short in SHORT["candle" if table.startswith("candle.") else table].items()}
    return {
        long[name]: [lengthened(item, long[name]) for item in value] if isinstance(value, list) else value
        for name, value in message.items()
    }


async def test_all_four_formats_say_the_same(autojump_clock: trio.testing.MockClock) -> None:
    heard: dict[str, list[Any]] = {}
    with trio.fail_after(60):
        for form in ("DEFAULT", "SIMPLE", "JSON_LIST", "SIMPLE_LIST"):
            async with connected(upbit(wall_ns=lambda: START_S * 10**9)) as client:
                await client.ask(*ALL, form=form)
                frames = await client.hear_for(3)
                assert all(isinstance(frame, list) is form.endswith("LIST") for frame in frames)
                flat = [one for frame in frames for one in (frame if isinstance(frame, list) else [frame])]
                if form.startswith("SIMPLE"):
                    flat = [lengthened(message, message["ty"]) for message in flat]
                heard[form] = flat
    for form in ("SIMPLE", "JSON_LIST", "SIMPLE_LIST"):
        for kind in ("ticker", "trade", "orderbook", "candle.1m"):
            assert of_kind(heard[form], kind) == of_kind(heard["DEFAULT"], kind), (form, kind)
            assert of_kind(heard[form], kind, "REALTIME")


async def test_a_list_holds_what_came_together(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(30):
        async with connected(upbit()) as client:
            await client.ask(TRADES, book("KRW-BTC", "KRW-ETH"), form="JSON_LIST")
            frames = await client.hear_for(5)
    assert [[m["code"] for m in frame] for frame in frames[:2]] == [["KRW-BTC", "KRW-ETH"]] * 2
    assert {len({m["type"] for m in frame}) for frame in frames} == {1}
    assert max(len(frame) for frame in frames[2:]) >= 2


def test_names_are_abbreviated_as_in_the_derived_samples() -> None:
    folder = os.environ.get("TRIOQUOTES_CAPTURES")
    if folder is None:
        pytest.skip("TRIOQUOTES_CAPTURES is not set")
    for line in (Path(folder) / "upbit-simple-derived.jsonl").read_text().splitlines():
        message = json.loads(json.loads(line)["raw"])
        kind = message["ty"]
        table = SHORT["candle" if kind.startswith("candle") else kind]
        assert set(message) <= set(table.values()), kind
        for name in message:
            assert list(table.values()).count(name) == 1


async def test_the_fields_and_their_order_are_those_recorded(autojump_clock: trio.testing.MockClock) -> None:
    folder = os.environ.get("TRIOQUOTES_CAPTURES")
    if folder is None:
        pytest.skip("TRIOQUOTES_CAPTURES is not set")
    lines = [json.loads(line) for line in (Path(folder) / "upbit-messages.jsonl").read_text().splitlines()]
    ours: dict[str, list[str]] = {}
    with trio.fail_after(30):
        async with connected(upbit()) as client:
            await client.ask(*ALL)
            for message in await client.hear_for(2):
                ours[message["type"]] = list(message)
    for kind in ("trade", "ticker", "orderbook", "candle.1m"):
        samples = [json.loads(line["raw"]) for line in lines if line["channel"] == kind]
        newest = next(s for s in samples if isinstance(s, dict) and "type" in s and set(s) == set(ours[kind]))
        assert ours[kind] == list(newest), kind


async def test_numbers_are_spelled_as_each_message_was_recorded(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(30):
        async with connected(upbit()) as client:
            await client.ask(*ALL)
            default = " ".join(await client.hear_raw_for(3))
            await client.ask(*ALL, form="SIMPLE")
            simple = " ".join(await client.hear_raw_for(3))
    assert re.search(
        r'"ask_price":1\.16\d+E8,"bid_price":1\.16\d+E8,"ask_size":\d\.\d{8},"bid_size"', default
    )
    assert re.search(r'"trade_price":116\d{6}\.00000000,"trade_volume":\d+\.\d{8},', default)
    assert re.search(r'"best_ask_price":116\d{6},', default)
    assert re.search(r'"opening_price":116\d{6}\.0000,', default)
    assert re.search(r'"acc_trade_price":\d+\.\d{12},', default)
    assert re.search(r'"signed_change_rate":-?\d\.\d{10},', default)
    assert re.search(r'"candle_acc_trade_price":\d+\.\d{8,},', default)
    assert re.search(r'"ap":116\d{6},"bp":116\d{6},"as":', simple)
    assert re.search(r'"[ab]s":\d\.\d+E-[45]', simple), "small sizes have exponents"
    assert re.search(r'"op":116\d{6}\.0,', simple)


# Order books ----------------------------------------------------------------------------------------


async def test_books_are_whole_sorted_and_on_the_grid(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(30):
        async with connected(upbit()) as client:
            await client.ask(book("KRW-BTC"))
            heard = await client.hear_for(5)
    assert len(heard) > 20
    for message in heard:
        asks = [unit["ask_price"] for unit in message["orderbook_units"]]
        bids = [unit["bid_price"] for unit in message["orderbook_units"]]
        assert len(asks) == 30
        assert asks == sorted(set(asks))
        assert bids == sorted(set(bids), reverse=True)
        assert bids[0] < asks[0]
        assert message["total_ask_size"] == sum(unit["ask_size"] for unit in message["orderbook_units"])
        assert message["total_bid_size"] == sum(unit["bid_size"] for unit in message["orderbook_units"])
        assert message["timestamp"] % 100 == 6
        assert message["level"] == 0
    times = [message["timestamp"] for message in heard]
    assert times == sorted(set(times))
    contents = [m["orderbook_units"] for m in heard]
    assert all(before != after for before, after in pairwise(contents))


@pytest.mark.parametrize(
    ("suffix", "units"), [("", 30), (".1", 1), (".5", 5), (".15", 15), (".30", 30), (".3", 30), (".20", 30)]
)
async def test_a_suffix_sets_the_depth_and_is_not_told(
    autojump_clock: trio.testing.MockClock, suffix: str, units: int
) -> None:
    with trio.fail_after(30):
        async with connected(upbit()) as client:
            await client.ask(book(f"KRW-BTC{suffix}"))
            for message in await client.hear_for(1):
                assert message["code"] == "KRW-BTC"
                assert len(message["orderbook_units"]) == units


@pytest.mark.parametrize("suffix", [".", ".x", ".5.5", ".-1"])
async def test_a_suffix_that_is_no_number_is_an_unknown_code(
    autojump_clock: trio.testing.MockClock, suffix: str
) -> None:
    with trio.fail_after(30):
        async with connected(upbit()) as client:
            await client.ask(book(f"KRW-BTC{suffix}"))
            assert await client.hear_for(3) == []


async def test_a_level_groups_prices_outwards(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(30):
        async with connected(upbit()) as client:
            await client.ask(
                book("KRW-BTC", is_only_snapshot=True), book("KRW-BTC", level=10000, is_only_snapshot=True)
            )
            plain, grouped = [await client.hear() for _ in range(2)]
            await client.ask(book("KRW-BTC", level=100000))
            later = await client.hear_for(5)
    assert (plain["level"], grouped["level"]) == (0, 10000)
    assert all(unit["ask_price"] % 10000 == 0 for unit in grouped["orderbook_units"])
    best_ask, best_bid = plain["orderbook_units"][0]["ask_price"], plain["orderbook_units"][0]["bid_price"]
    first_ask, first_bid = (
        grouped["orderbook_units"][0]["ask_price"],
        grouped["orderbook_units"][0]["bid_price"],
    )
    assert best_ask <= first_ask < best_ask + 10000
    assert best_bid - 10000 < first_bid <= best_bid
    nearest = sum(u["ask_size"] for u in plain["orderbook_units"] if u["ask_price"] <= first_ask)
    assert grouped["orderbook_units"][0]["ask_size"] == nearest
    assert {m["stream_type"] for m in later} == {"SNAPSHOT", "REALTIME"}


@pytest.mark.parametrize(
    ("code", "level"), [("BTC-ETH", 10), ("USDT-BTC", 1), ("KRW-BTC", 12345), ("KRW-XRP", 1)]
)
async def test_a_level_that_is_not_offered_gives_nothing_at_all(
    autojump_clock: trio.testing.MockClock, code: str, level: int
) -> None:
    with trio.fail_after(30):
        async with connected(upbit()) as client:
            await client.ask(book(code, level=level))
            assert await client.hear_for(5) == []


async def test_the_shorter_side_is_filled_up_with_zeros(autojump_clock: trio.testing.MockClock) -> None:
    simulator = upbit(rate=0.001, depth=2)
    with trio.fail_after(30):
        async with connected(simulator) as client:
            await client.ask(book("KRW-BTC", "BTC-ETH"))
            await first(client, "orderbook")
            for code in ("KRW-BTC", "BTC-ETH"):
                floor = simulator.market.floors[code]
                for order in floor.book.queue("sell")[1:]:
                    simulator.perform(floor.cancel, order.order_id)
                for ticks in (2, 3, 4):
                    price = floor.listing.tick * ticks
                    simulator.perform(
                        floor.place, side="buy", trader="x", price=price, size=floor.listing.step
                    )
            heard = [exact(text) for text in await client.hear_raw_for(1)]
    for code in ("KRW-BTC", "BTC-ETH"):
        units = [m for m in heard if m["code"] == code][-1]["orderbook_units"]
        assert units[0]["ask_price"] > units[0]["bid_price"] > 0
        assert len(units) >= 3
        assert [(u["ask_price"], u["ask_size"]) for u in units[1:]] == [(0, 0)] * (len(units) - 1)
        assert all(u["bid_price"] > 0 and u["bid_size"] > 0 for u in units)


async def test_a_quiet_book_sends_nothing_and_its_snapshot_is_old(
    autojump_clock: trio.testing.MockClock,
) -> None:
    simulator = upbit(rate=0.0001)
    with trio.fail_after(100):
        async with connected(simulator) as client:
            await client.ask(book("KRW-BTC", "BTC-ETH"))
            assert len(await client.hear_for(45)) == 2
            await client.ask(book("KRW-BTC", "BTC-ETH"))
            for _ in range(2):
                message = await client.hear()
                assert message["timestamp"] < START_S * 1000 + 1


async def test_other_markets_books_are_not_on_the_grid_and_may_tell_microseconds(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(30):
        async with connected(upbit(microseconds=["USDT-BTC"])) as client:
            await client.ask(book("BTC-ETH", "USDT-BTC"))
            heard = await client.hear_for(5)
    times = {code: [m["timestamp"] for m in heard if m["code"] == code] for code in ("BTC-ETH", "USDT-BTC")}
    assert len({time % 100 for time in times["BTC-ETH"]}) > 10
    assert {len(str(time)) for time in times["USDT-BTC"]} == {16}
    assert {time % 1000 for time in times["USDT-BTC"]} == {0}


# Agreement ------------------------------------------------------------------------------------------


async def test_trades_books_tickers_and_candles_agree(autojump_clock: trio.testing.MockClock) -> None:
    simulator = upbit(rate=60.0, markets=["KRW-BTC"])
    with trio.fail_after(60):
        async with connected(simulator) as client:
            await client.ask(
                {"type": "trade", "codes": ["KRW-BTC"]}, {"type": "ticker", "codes": ["KRW-BTC"]},
                candles("1s"), candles("1m"), candles("240m"),
            )  # fmt: skip
            heard = await client.hear_for(40)
    trades = of_kind(heard, "trade", "REALTIME")
    tickers = of_kind(heard, "ticker", "REALTIME")
    assert len(trades) == len(tickers) > 100
    for trade, ticker in zip(trades, tickers, strict=True):
        for name in ("trade_price", "trade_volume", "ask_bid", "trade_timestamp", "change", "change_price"):
            assert trade[name] == ticker[name]
        assert trade["timestamp"] - trade["trade_timestamp"] == 40
        assert ticker["acc_trade_volume"] == ticker["acc_ask_volume"] + ticker["acc_bid_volume"]
        assert ticker["low_price"] <= ticker["trade_price"] <= ticker["high_price"]
        assert ticker["signed_change_price"] == ticker["trade_price"] - ticker["prev_closing_price"]
        assert ticker["change"] == ("RISE" if ticker["signed_change_price"] > 0 else "FALL")
    volumes = [t["acc_trade_volume"] for t in tickers]
    assert [b - a for a, b in pairwise(volumes)] == [t["trade_volume"] for t in trades[1:]]
    for before, now in pairwise(tickers):
        side = "acc_ask_volume" if now["ask_bid"] == "ASK" else "acc_bid_volume"
        assert now[side] - before[side] == now["trade_volume"]
    for unit, length_ms in (("1s", 1000), ("1m", 60_000), ("240m", 14_400_000)):
        check_candles(of_kind(heard, f"candle.{unit}"), trades, length_ms)


def check_candles(candles: list[Any], trades: list[Any], length_ms: int) -> None:
    """The last word on each interval that began while we looked is what was traded in it."""
    last = {candle["candle_date_time_utc"]: candle for candle in candles}
    by_start: dict[int, list[Any]] = defaultdict(list)
    for trade in trades:
        by_start[trade["trade_timestamp"] // length_ms * length_ms].append(trade)
    checked = 0
    for start_ms, inside in list(by_start.items())[:-1]:
        if start_ms <= START_S * 1000:
            continue
        candle = next(c for c in last.values() if start_of(c) == start_ms)
        prices = [trade["trade_price"] for trade in inside]
        assert (candle["opening_price"], candle["trade_price"]) == (prices[0], prices[-1])
        assert (candle["high_price"], candle["low_price"]) == (max(prices), min(prices))
        assert candle["candle_acc_trade_volume"] == sum(trade["trade_volume"] for trade in inside)
        paid = sum(trade["trade_price"] * trade["trade_volume"] for trade in inside)
        assert candle["candle_acc_trade_price"] == paid
        checked += 1
    assert checked or length_ms > 1000


def start_of(candle: Any) -> int:
    utc = datetime.fromisoformat(candle["candle_date_time_utc"]).replace(tzinfo=UTC)
    kst = datetime.fromisoformat(candle["candle_date_time_kst"] + "+09:00")
    assert utc == kst
    return int(utc.timestamp()) * 1000


async def test_candles_come_at_most_once_a_second_and_only_for_trades(
    autojump_clock: trio.testing.MockClock,
) -> None:
    simulator = upbit(rate=0.5)
    with trio.fail_after(60):
        async with connected(simulator) as client:
            await client.ask(candles("1m"), {"type": "trade", "codes": ["KRW-BTC"]})
            heard = await client.hear_for(50)
    frames = of_kind(heard, "candle.1m", "REALTIME")
    seconds = [frame["timestamp"] // 1000 for frame in frames]
    assert len(set(seconds)) == len(seconds)
    traded = {(trade["trade_timestamp"]) // 1000 for trade in of_kind(heard, "trade", "REALTIME")}
    assert 0 < len(seconds) <= len(traded)


async def test_sequential_ids_are_unique_of_seventeen_digits_and_not_in_order(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(60):
        async with connected(upbit(rate=100.0, markets=["KRW-BTC"])) as client:
            await client.ask({"type": "trade", "codes": ["KRW-BTC"]})
            ids = [m["sequential_id"] for m in await client.hear_for(30)]
    assert len(set(ids)) == len(ids) > 100
    assert all(len(str(number)) == 17 and number > 2**53 for number in ids)
    assert ids != sorted(ids)


async def test_rest_and_stream_tell_the_same_trades(autojump_clock: trio.testing.MockClock) -> None:
    simulator = upbit(rate=60.0)
    with trio.fail_after(60):
        async with connected(simulator) as client:
            await client.ask({"type": "trade", "codes": ["KRW-BTC"]})
            heard = of_kind(await client.hear_for(10), "trade", "REALTIME")
            status, page = await get(simulator, "/v1/trades/ticks?market=KRW-BTC&count=500")
    assert status == 200
    ids = [row["sequential_id"] for row in page]
    assert [m["sequential_id"] for m in reversed(heard)] == ids[: len(heard)]


async def test_a_market_that_never_traded_has_a_book_but_no_trade(
    autojump_clock: trio.testing.MockClock,
) -> None:
    listing = Listing(
        instrument="KRW-NEW", base="NEW", quote="KRW", tick=D(1), step=D("0.01"), reference=D(1000), lot=D(3),
        traded=False,
    )  # fmt: skip
    simulator = upbit(markets=[listing], rate=0.001)
    with trio.fail_after(60):
        async with connected(simulator) as client:
            await client.ask(
                {"type": "trade", "codes": ["KRW-NEW"]}, {"type": "ticker", "codes": ["KRW-NEW"]},
                candles("1m", "KRW-NEW"), book("KRW-NEW"),
            )  # fmt: skip
            assert [m["type"] for m in await client.hear_for(2)] == ["orderbook"]
            simulator.perform(simulator.market.floors["KRW-NEW"].place, side="buy", trader="x", size=D(1))
            heard = await client.hear_for(3)
    assert {m["type"] for m in heard} == {"trade", "ticker", "candle.1m", "orderbook"}
    ticker = of_kind(heard, "ticker")[0]
    assert ticker["highest_52_week_price"] == ticker["lowest_52_week_price"] == ticker["trade_price"]


async def test_the_day_ends_at_midnight_utc_and_old_trades_leave_the_24_hours(
    autojump_clock: trio.testing.MockClock,
) -> None:
    start_s = START_S // 86_400 * 86_400 + 86_400 - 30
    simulator = upbit(rate=2.0, wall_ns=lambda: start_s * 10**9)
    with trio.fail_after(4000):
        async with connected(simulator) as client:
            await client.ask({"type": "ticker", "codes": ["KRW-BTC"]})
            before = of_kind(await client.hear_for(29), "ticker")
            after = of_kind(await client.hear_for(29), "ticker")
    new = [m for m in after if m["acc_trade_volume"] < before[-1]["acc_trade_volume"]]
    assert new[0]["prev_closing_price"] == before[-1]["trade_price"]
    assert new[0]["opening_price"] == new[0]["trade_price"]
    assert new[-1]["acc_trade_volume_24h"] > new[-1]["acc_trade_volume"]


async def test_a_ticker_is_sent_when_only_the_24_hours_change(autojump_clock: trio.testing.MockClock) -> None:
    simulator = upbit(rate=0.00001)
    with trio.fail_after(4000):
        async with connected(simulator) as client:
            await client.ask({"type": "ticker", "codes": ["KRW-BTC"]})
            heard: list[Any] = []
            for _ in range(62):
                await client.websocket.ping()
                heard += await client.hear_for(60)
    assert [m["stream_type"] for m in heard] == ["SNAPSHOT", "REALTIME"]
    assert heard[1]["acc_trade_volume_24h"] < heard[0]["acc_trade_volume_24h"]
    assert heard[1]["trade_timestamp"] == heard[0]["trade_timestamp"]


async def test_while_nobody_is_there_nothing_happens(autojump_clock: trio.testing.MockClock) -> None:
    simulator = upbit()
    with trio.fail_after(10_000):
        async with connected(simulator) as client:
            await client.ask({"type": "trade", "codes": ["KRW-BTC"]}, book("KRW-BTC"), candles("1s"))
            last = of_kind(await client.hear_for(5), "trade")[-1]
        await trio.sleep(7200)
        async with connected(simulator) as client:
            await client.ask({"type": "trade", "codes": ["KRW-BTC"]})
            snapshot = await client.hear()
    assert snapshot["sequential_id"] == last["sequential_id"]


async def test_855_codes_fit_into_one_request(autojump_clock: trio.testing.MockClock) -> None:
    codes = [f"KRW-C{number}" for number in range(855)]
    simulator = upbit(markets=["KRW-BTC"])
    with trio.fail_after(30):
        async with connected(simulator) as client:
            await client.say(asking({"type": "trade", "codes": [*codes, "KRW-BTC"]}))
            assert (await client.hear())["code"] == "KRW-BTC"


async def test_one_code_named_twice_is_sent_once(autojump_clock: trio.testing.MockClock) -> None:
    one = {"type": "trade", "codes": ["KRW-BTC"], "is_only_realtime": True}
    with trio.fail_after(30):
        async with connected(upbit()) as client:
            await client.ask(one, one)
            ids = [m["sequential_id"] for m in await client.hear_for(10)]
    assert len(set(ids)) == len(ids) > 5
