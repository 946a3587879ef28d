from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal
from typing import Any

import attrs
import pytest
import trio
import trio.testing
import trio_websocket

from tests.simulator.clients import KEY, START_S, Client, connected, get, signature, wall_ns
from trioquotes.simulator.connection import Buffer
from trioquotes.simulator.faults import DelayAck, Fault, NeverSend, PartialAck, RejectRequest, WithholdAck
from trioquotes.simulator.venues.coinbase import CoinbaseSimulator, account_id

D = Decimal
Level = tuple[str, Decimal]


def coinbase(*faults: Fault, **options: Any) -> CoinbaseSimulator:
    return CoinbaseSimulator(
        **{"seed": 7, "rate": 30.0, "keys": [KEY], "faults": faults, "wall_ns": wall_ns, **options}
    )


def by_kind(messages: list[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for message in messages:
        found[message["type"] if isinstance(message, dict) else "level3 row"].append(message)
    return found


ONE: dict[str, Any] = {"product_ids": ["BTC-USD"]}
TWO: dict[str, Any] = {"product_ids": ["BTC-USD", "LTC-USD"]}


async def test_the_acknowledgement_comes_first_canonical_and_complete(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(30):
        async with connected(coinbase()) as client:
            await client.ask("level2_batch", **TWO)
            ack = await client.hear()
            assert ack["type"] == "subscriptions"
            assert list(ack["channels"][0]) == ["name", "product_ids", "account_ids"]
            assert ack["channels"][0]["name"] == "level2_50"
            assert ack["channels"][0]["account_ids"] is None
            await client.ask("ticker_batch", **ONE)
            ack = await client.hear_until("subscriptions")
            assert {channel["name"] for channel in ack["channels"]} == {"level2_50", "ticker_1000"}
            await client.ask("level2_batch", "ticker_batch", kind="unsubscribe", **TWO)
            ack = await client.hear_until("subscriptions")
            assert ack == {"type": "subscriptions", "product_ids": [], "channels": []}
            assert await client.hear_for(10) == []


async def test_a_late_acknowledgement_comes_after_data(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(30):
        async with connected(coinbase(DelayAck(delay_s=0.3))) as client:
            await client.ask("ticker", "matches", **TWO)
            kinds = [message["type"] for message in await client.hear_for(2)]
            assert kinds.index("subscriptions") >= 4
            assert kinds.count("subscriptions") == 1


async def test_an_acknowledgement_may_never_come_or_name_less_or_be_a_refusal(
    autojump_clock: trio.testing.MockClock,
) -> None:
    script = (
        WithholdAck(nth=1), WithholdAck(nth=2, serve=False), PartialAck(nth=3, leave_out=("LTC-USD",)),
        RejectRequest(nth=4, message="Failed to subscribe", reason="not today"),
    )  # fmt: skip
    with trio.fail_after(60):
        async with connected(coinbase(*script)) as client:
            await client.ask("heartbeat", **ONE)
            assert {message["type"] for message in await client.hear_for(3)} == {"heartbeat"}
            await client.ask("ticker", **ONE)
            assert {message["type"] for message in await client.hear_for(3)} == {"heartbeat"}
            await client.ask("matches", **TWO)
            ack = await client.hear_until("subscriptions")
            served = {channel["name"]: channel["product_ids"] for channel in ack["channels"]}
            assert served == {"heartbeat": ["BTC-USD"], "matches": ["BTC-USD"]}
            assert {m["product_id"] for m in await client.hear_for(3)} == {"BTC-USD"}
            await client.ask("status")
            error = await client.hear_until("error")
            assert error["reason"] == "not today"


async def test_errors_leave_the_line_open_and_subscribe_nothing(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(30):
        async with connected(coinbase()) as client:
            await client.ask("heartbeat", "level2", **ONE)
            error = await client.hear()
            assert error == {
                "type": "error", "message": "Failed to subscribe",
                "reason": "level2, level3, and full channels now require authentication. "
                "https://docs.cloud.coinbase.com/exchange/docs/websocket-auth",
            }  # fmt: skip
            await client.say("{")
            assert await client.hear() == {"type": "error", "message": "Malformed JSON"}
            await client.websocket.send_message(b"\xff")
            assert await client.hear() == {"type": "error", "message": "Malformed JSON"}
            await client.ask("ticker", product_ids=["FOO-BAR"])
            assert (await client.hear())["reason"] == "FOO-BAR is not a valid product"
            await client.ask("rfq_matches")
            await client.hear_until("subscriptions")
            await client.ask("rfq_matches", **ONE)
            assert "Already subscribed" in (await client.hear_until("error"))["reason"]
            assert {m["type"] for m in await client.hear_for(3)} <= {"rfq_match"}


async def test_a_timestamp_that_is_a_number_closes_the_line_with_1008(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(30):
        async with connected(coinbase()) as client:
            await client.ask("full", **ONE, **{**signature(), "timestamp": 1758253500.5})
            reason = await client.hear_end()
    assert reason is not None
    assert (reason.code, reason.reason) == (1008, "invalid (un)subscribe msg")


@pytest.mark.parametrize("say", ["nothing", "nonsense", "subscribe"])
async def test_the_first_request_must_come_within_five_seconds(
    autojump_clock: trio.testing.MockClock, say: str
) -> None:
    simulator = coinbase()
    with trio.fail_after(60):
        async with connected(simulator) as client:
            await trio.sleep(4.9)
            if say == "subscribe":
                await client.ask("heartbeat", **ONE)
            elif say == "nonsense":
                await client.say("{")
            await trio.sleep(0.2)
            gone = not simulator.connections
    assert gone is (say == "nothing")
    assert [breach.limit for breach in simulator.records.breaches] == (["first request"] if gone else [])


async def test_the_direct_endpoint_drops_who_does_not_sign(autojump_clock: trio.testing.MockClock) -> None:
    simulator = coinbase(direct=True)
    with trio.fail_after(60):
        async with connected(simulator) as client:
            await client.ask("ticker", **ONE)
            error = await client.hear()
            assert (error["message"], error["reason"]) == (
                "Authentication Failed",
                '{"message":"Invalid API Key"}',
            )
            started = trio.current_time()
            await client.hear_end()
            assert trio.current_time() - started == pytest.approx(5, abs=0.1)
        async with connected(simulator) as client:
            await client.ask("ticker", **ONE, **signature(str(START_S + int(trio.current_time()))))
            assert (await client.hear())["type"] == "subscriptions"
            await trio.sleep(6)
            assert simulator.connections


async def test_heartbeats_come_once_a_second_with_the_products_counters(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(60):
        async with connected(coinbase()) as client:
            await client.ask("heartbeat", "matches", **TWO)
            heard = by_kind(await client.hear_for(10.5))
    for product in TWO["product_ids"]:
        beats = [beat for beat in heard["heartbeat"] if beat["product_id"] == product]
        assert [beat["time"][17:] for beat in beats] == [f"{second:02}.000000Z" for second in range(1, 11)]
        last = {trade["trade_id"]: trade for trade in heard["match"] if trade["product_id"] == product}
        for beat in beats:
            before = [t for t in last.values() if t["time"] <= beat["time"]]
            if before:
                assert beat["last_trade_id"] == max(t["trade_id"] for t in before)
                assert beat["sequence"] >= max(t["sequence"] for t in before)


async def test_without_heartbeats_the_script_keeps_a_subscriber_waiting(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(60):
        async with connected(coinbase(NeverSend(kind="heartbeat"))) as client:
            await client.ask("heartbeat", **ONE)
            assert [m["type"] for m in await client.hear_for(30)] == ["subscriptions"]


async def test_matches_begin_with_one_last_match_and_tickers_take_the_takers_side(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(60):
        async with connected(coinbase()) as client:
            await client.ask("matches", "ticker", **TWO)
            messages = await client.hear_for(30)
    heard = by_kind(messages)
    assert Counter(m["product_id"] for m in heard["last_match"]) == {"BTC-USD": 1, "LTC-USD": 1}
    tickers = {(m["product_id"], m["trade_id"]): m for m in heard["ticker"]}
    volumes: dict[str, Decimal] = {}
    for ticker in heard["ticker"]:
        assert D(ticker["best_bid"]) < D(ticker["best_ask"])
        product, volume = ticker["product_id"], D(ticker["volume_24h"])
        assert volume == volumes.get(product, volume - D(ticker["last_size"])) + D(ticker["last_size"])
        volumes[product] = volume
    ids: dict[str, int] = {}
    for trade in heard["last_match"] + heard["match"]:
        product = trade["product_id"]
        assert trade["trade_id"] == ids.get(product, trade["trade_id"] - 1) + 1
        ids[product] = trade["trade_id"]
        ticker = tickers[product, trade["trade_id"]]
        assert (ticker["side"], trade["side"]) in {("buy", "sell"), ("sell", "buy")}
        assert (ticker["sequence"], ticker["price"]) == (trade["sequence"], trade["price"])
        assert (ticker["last_size"], ticker["time"]) == (trade["size"], trade["time"])
        assert D(ticker["low_24h"]) <= D(ticker["price"]) <= D(ticker["high_24h"])
    assert len(heard["match"]) > 20
    order = [m["type"] for m in messages if m["type"] in {"match", "ticker"}]
    orders = Counter(zip(order[::2], order[1::2], strict=False))
    assert orders["match", "ticker"] > orders["ticker", "match"] > 0


async def test_a_product_that_never_traded_has_a_bare_ticker_and_no_last_match(
    autojump_clock: trio.testing.MockClock,
) -> None:
    from trioquotes.simulator.venues.coinbase import DEFAULT_PRODUCTS  # noqa: PLC0415

    listing = attrs.evolve(DEFAULT_PRODUCTS["ETH-EUR"], traded=False)
    with trio.fail_after(30):
        async with connected(coinbase(products=[listing], rate=0.0001)) as client:
            await client.ask("matches", "ticker", "heartbeat", product_ids=["ETH-EUR"])
            heard = by_kind(await client.hear_for(1.5))
    assert not heard["last_match"]
    assert not {"side", "time", "trade_id", "last_size"} & set(heard["ticker"][0])
    assert heard["heartbeat"][0]["last_trade_id"] == 0


async def test_batched_tickers_come_every_five_seconds_if_something_traded(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(60):
        async with connected(coinbase()) as client:
            await client.ask("ticker_batch", **ONE)
            await client.hear()
            times = []
            with trio.move_on_after(21):
                while True:
                    assert (await client.hear())["type"] == "ticker"
                    times.append(round(trio.current_time(), 3))
    assert times == [0, 5, 10, 15, 20]


class Orders:
    """A book by single orders, kept by the documented rules from REST level 3 and ``full`` or ``level3``."""

    def __init__(self, rest: dict[str, Any]) -> None:
        self.sequence = rest["sequence"]
        self.orders = {
            order_id: (side, D(price), D(size))
            for name, side in (("bids", "buy"), ("asks", "sell"))
            for price, size, order_id in rest[name]
        }

    def apply(self, message: Any, schema: dict[str, list[str]]) -> bool:
        """Follow one message; false for one that the snapshot holds already."""
        if isinstance(message, list):
            message = dict(zip(schema[message[0]], message, strict=True))
        if "sequence" not in message:
            return False
        sequence = int(message["sequence"])
        if sequence <= self.sequence:
            return False
        assert sequence == self.sequence + 1, "a hole in the sequence"
        self.sequence = sequence
        kind = message["type"]
        if kind == "open":
            size = message.get("remaining_size", message.get("size"))
            self.orders[message["order_id"]] = (message["side"], D(message["price"]), D(size))
        elif kind == "match":
            side, price, size = self.orders[message["maker_order_id"]]
            assert D(message["price"]) == price
            assert message.get("side", side) == side
            self.orders[message["maker_order_id"]] = (side, price, size - D(message["size"]))
        elif kind == "done":
            self.orders.pop(message["order_id"], None)
        elif kind == "change" and message["order_id"] in self.orders:
            side, price, _ = self.orders[message["order_id"]]
            new_price = message.get("new_price", message.get("price", price))
            size = message.get("new_size", message.get("size"))
            self.orders[message["order_id"]] = (side, D(new_price), D(size))
        return True

    def levels(self) -> dict[Level, Decimal]:
        total: dict[Level, Decimal] = defaultdict(Decimal)
        for side, price, size in self.orders.values():
            total[side, price] += size
        return {level: size for level, size in total.items() if size}


def from_snapshot(message: Any) -> dict[Level, Decimal]:
    return {
        (side, D(price)): D(size)
        for name, side in (("bids", "buy"), ("asks", "sell"))
        for price, size in message[name]
    }


def apply_levels(levels: dict[Level, Decimal], message: Any) -> None:
    for side, price, size in message["changes"]:
        if D(size):
            levels[side, D(price)] = D(size)
        else:
            assert levels.pop((side, D(price)), None) is not None, "removed a level that was not there"


def crossed(levels: dict[Level, Decimal]) -> bool:
    return max(p for side, p in levels if side == "buy") >= min(p for side, p in levels if side == "sell")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("channel", ["full", "level3"])
async def test_single_orders_from_rest_and_feed_give_the_book_by_price_at_every_sequence(
    autojump_clock: trio.testing.MockClock, channel: str, seed: int
) -> None:
    """One line carries level2 and the orders: after each order message come its level changes."""
    simulator = coinbase(seed=seed)
    with trio.fail_after(60):
        async with connected(simulator) as client:
            await client.ask(channel, "level2", **ONE, **signature())
            early = await client.hear_for(1)
            status, rest = await get(simulator, "/products/BTC-USD/book?level=3")
            messages = early + await client.hear_for(20)
    assert status == 200
    schema: dict[str, list[str]] = next(
        (m["schema"] for m in messages if isinstance(m, dict) and "schema" in m), {}
    )
    orders = Orders(rest)
    levels: dict[Level, Decimal] = {}
    checked = 0
    pending = False
    for message in messages:
        kind = message["type"] if isinstance(message, dict) else "row"
        if kind == "snapshot":
            levels = from_snapshot(message)
        elif kind == "l2update":
            apply_levels(levels, message)
        elif kind in {"row", "received", "open", "done", "match", "change"}:
            if pending:
                assert orders.levels() == levels
                assert not crossed(levels)
                checked += 1
            pending = orders.apply(message, schema) or pending
    assert checked > 400


async def test_batches_come_every_fifty_milliseconds_and_end_in_the_same_book(
    autojump_clock: trio.testing.MockClock,
) -> None:
    simulator = coinbase()
    with trio.fail_after(60):
        async with connected(simulator) as client:
            await client.ask("level2_batch", **ONE)
            await client.hear()
            times: list[float] = []
            levels: dict[Level, Decimal] = {}
            sizes: Counter[int] = Counter()
            zero_times = 0
            with trio.move_on_after(20.01):
                while True:
                    message = await client.hear()
                    if message["type"] == "snapshot":
                        assert "time" not in message
                        levels = from_snapshot(message)
                        bids = [D(price) for price, _ in message["bids"]]
                        assert bids == sorted(bids, reverse=True)
                        continue
                    times.append(trio.current_time())
                    sizes[len(message["changes"])] += 1
                    zero_times += message["time"].startswith("0001")
                    apply_levels(levels, message)
    assert all(round(time * 1000) % 50 == 0 for time in times)
    assert max(sizes) > 1
    assert zero_times
    assert len(times) == len(set(times)) > 100


async def test_early_and_late_subscribers_of_batches_end_in_the_book_that_rest_shows(
    autojump_clock: trio.testing.MockClock,
) -> None:
    simulator = coinbase(rate=200.0)
    with trio.fail_after(60):
        async with connected(simulator) as first, connected(simulator) as second:
            await first.ask("level2_batch", **ONE)
            await trio.sleep(0.987)  # in the middle of a batch
            await second.ask("level2_batch", **ONE)
            await trio.sleep(0.045)
            simulator.market.rest_until(simulator.now_ns() + 10**10)
            await trio.sleep(0.1)
            _, rest = await get(simulator, "/products/BTC-USD/book?level=2")
            books = []
            for client in (first, second):
                levels: dict[Level, Decimal] = {}
                for message in await client.hear_for(0.1):
                    if message["type"] == "snapshot":
                        levels = from_snapshot(message)
                    elif message["type"] == "l2update":
                        apply_levels(levels, message)
                books.append(levels)
    shown = {
        (side, D(price)): D(size)
        for name, side in (("bids", "buy"), ("asks", "sell"))
        for price, size, _ in rest[name]
    }
    assert books == [shown, shown]


async def test_numbers_are_printed_in_the_venues_many_ways(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(60):
        async with connected(coinbase()) as client:
            await client.ask("level2", "ticker", **ONE, **signature())
            heard = by_kind(await client.hear_for(30))
    zeros = {size for m in heard["l2update"] for _, _, size in m["changes"] if not D(size)}
    decimals = {len(price.partition(".")[2]) for m in heard["l2update"] for _, price, _ in m["changes"]}
    assert zeros == {"0.00", "0.00000000", "0.0", "0.000000"}
    assert decimals == {2, 8}
    assert all(len(m["changes"]) == 1 for m in heard["l2update"])
    assert "time" in heard["snapshot"][0]
    assert all(len(m["best_bid"].partition(".")[2]) == 2 for m in heard["ticker"])
    assert any(len(m["price"].partition(".")[2]) < 2 for m in heard["ticker"])


async def test_the_owner_sees_more_of_his_own_orders_and_others_do_not(
    autojump_clock: trio.testing.MockClock,
) -> None:
    simulator = coinbase()
    with trio.fail_after(120):
        async with connected(simulator) as user, connected(simulator) as full, connected(simulator) as public:
            await user.ask("user", **ONE, **signature())
            await full.ask("full", **ONE, **signature())
            await public.ask("matches", **ONE)
            mine = await user.hear_for(60)
            everything = await full.hear_for(0.0)
            with trio.move_on_after(0.001):
                while True:
                    everything.append(await full.hear())
            trades = by_kind(await public.hear_for(0.001))["match"]
    own = [m for m in mine if m["type"] != "subscriptions"]
    kinds = Counter(m["type"] for m in own)
    assert {"received", "open", "done", "match", "activate"} <= set(kinds)
    assert all((m["user_id"], m["profile_id"]) == (KEY.user_id, KEY.profile_id) for m in own)
    assert any("client_oid" in m for m in own if m["type"] == "received")
    roles = {name for m in own if m["type"] == "match" for name in m if name.endswith("_fee_rate")}
    assert roles == {"taker_fee_rate", "maker_fee_rate"}
    assert [m for m in everything if "user_id" in m] == own
    others = [m for m in everything if "user_id" not in m and m["type"] != "subscriptions"]
    assert not any("client_oid" in m or "cancel_reason" in m for m in others)
    assert not any("user_id" in m for m in trades)
    stops = [m for m in own if m["type"] == "activate"]
    assert "sequence" not in stops[0]
    assert stops[0]["timestamp"].startswith(str(START_S)[:6])


async def test_a_change_says_why_and_only_a_modification_has_two_prices(
    autojump_clock: trio.testing.MockClock,
) -> None:
    simulator = coinbase(seed=5, rate=60.0, products=["BTC-USD"])
    with trio.fail_after(200):
        async with connected(simulator) as client:
            await client.ask("full", "user", **ONE, **signature())
            heard = by_kind(await client.hear_for(60))
    modified = [m for m in heard["change"] if m["reason"] == "modify_order"]
    prevented = [m for m in heard["change"] if m["reason"] == "STP"]
    assert modified
    assert prevented
    assert all(
        {"old_price", "new_price", "old_size", "new_size"} <= set(m) and "price" not in m for m in modified
    )
    assert all(
        "old_price" not in m and ({"old_size", "new_size"} <= set(m) or {"old_funds"} <= set(m))
        for m in prevented
    )
    market = [m for m in heard["received"] if m["order_type"] == "market"]
    assert market
    assert all("price" not in m and ("size" in m or "funds" in m) for m in market)
    bare = [m for m in heard["done"] if "price" not in m]
    assert any("remaining_size" not in m for m in bare)


async def test_an_anonymous_subscriber_stays_anonymous_until_he_comes_anew(
    autojump_clock: trio.testing.MockClock,
) -> None:
    simulator = coinbase()
    with trio.fail_after(200):
        async with connected(simulator) as client:
            await client.ask("matches", **ONE)
            await client.ask("matches", **ONE, **signature())
            anonymous = by_kind(await client.hear_for(20))["match"]
        async with connected(simulator) as client:
            timestamp = str(START_S + int(trio.current_time()))
            await client.ask("matches", **ONE, **signature(timestamp))
            signed = by_kind(await client.hear_for(20))["match"]
    assert not any("user_id" in m for m in anonymous)
    assert any("user_id" in m for m in signed)


async def test_level3_says_its_schema_once_and_fills_holes_with_noop(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(60):
        async with connected(coinbase()) as client:
            await client.ask("level3", **ONE, **signature())
            await client.ask("level3", product_ids=["LTC-USD"], **signature())
            messages = await client.hear_for(10)
    schemas = [m for m in messages if isinstance(m, dict) and m["type"] == "level3"]
    rows = [m for m in messages if isinstance(m, list)]
    assert len(schemas) == 1
    assert {row[0] for row in rows} == set(schemas[0]["schema"])
    assert all(isinstance(item, str) for row in rows for item in row)
    assert all(len(row) == len(schemas[0]["schema"][row[0]]) for row in rows)
    for product in TWO["product_ids"]:
        numbers = [int(row[2]) for row in rows if row[1] == product]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


async def test_balances_move_with_the_owners_orders(autojump_clock: trio.testing.MockClock) -> None:
    simulator = coinbase()
    usd = account_id(KEY, "USD")
    with trio.fail_after(60):
        async with connected(simulator) as client:
            await client.ask({"name": "balance", "account_ids": [usd]}, **signature())
            ack = await client.hear()
            assert ack["channels"] == [{"name": "balance", "product_ids": [], "account_ids": [usd]}]
            await trio.sleep(1)
            await client.hear_for(0.01)
            floor = simulator.market.floors["BTC-USD"]
            held = simulator.market.accounts.held("main", "USD")
            simulator.perform(
                floor.place, side="buy", trader="main", owner="main", price=D("2.00"), size=D(3)
            )
            moved = await client.hear()
    assert list(moved) == ["type", "account_id", "currency", "holds", "available", "updated", "timestamp"]
    assert all(isinstance(value, str) for value in moved.values())
    assert D(moved["holds"]) == held + 6
    assert (moved["account_id"], moved["currency"]) == (usd, "USD")


async def test_rfq_matches_have_no_sequence_and_trade_ids_of_their_own(
    autojump_clock: trio.testing.MockClock,
) -> None:
    simulator = coinbase(rate=60.0)
    with trio.fail_after(200):
        async with connected(simulator) as whole, connected(simulator) as part:
            await whole.ask("rfq_matches")
            await part.ask("rfq_matches", **ONE)
            everything = by_kind(await whole.hear_for(20))["rfq_match"]
            some = by_kind(await part.hear_for(0.01))["rfq_match"]
    assert some == [m for m in everything if m["product_id"] == "BTC-USD"]
    assert [m["trade_id"] for m in some] == list(range(1, len(some) + 1))
    assert {m["side"] for m in everything} == {"BUY", "SELL"}
    assert all("sequence" not in m for m in everything)


async def test_an_auction_is_told_once_a_second_and_then_trading_begins(
    autojump_clock: trio.testing.MockClock,
) -> None:
    simulator = coinbase(auctions={"LTC-USD": 5.0})
    with trio.fail_after(60):
        async with connected(simulator) as client:
            await client.ask("auctionfeed", "matches", product_ids=["LTC-USD"])
            await client.hear()
            _, book = await get(simulator, "/products/LTC-USD/book")
            heard = by_kind(await client.hear_for(8))
            _, after = await get(simulator, "/products/LTC-USD/book")
    states = [(m["auction_state"], m["can_open"]) for m in heard["auction"]]
    assert [state for state, _ in states] == ["collection"] * 4 + ["opening"]
    assert states[-1] == ("opening", "yes")
    assert "timestamp" in heard["auction"][0]
    assert isinstance(heard["auction"][0]["sequence"], int)
    assert heard["match"][0]["price"] == format(D(heard["auction"][-1]["open_price"]).normalize(), "f")
    assert book["auction_mode"] is True
    assert book["auction"]["auction_state"] == "collection"
    assert (after["auction_mode"], after["auction"]) == (False, None)


async def test_status_comes_on_subscribing_and_again_if_so_set(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(60):
        for interval_s, times in ((None, 1), (4.0, 3)):
            async with connected(coinbase(status_interval_s=interval_s)) as client:
                await client.ask("status")
                heard = by_kind(await client.hear_for(9))
            assert len(heard["status"]) == times
    status = heard["status"][0]
    assert [product["id"] for product in status["products"]] == ["BTC-USD", "ETH-USD", "ETH-EUR", "LTC-USD"]
    currencies = {currency["id"]: currency for currency in status["currencies"]}
    assert set(currencies) == {"BTC", "ETH", "EUR", "LTC", "USD"}
    assert currencies["BTC"]["min_size"] == " 0.00000001"
    assert currencies["USD"]["supported_networks"] == []


async def test_twenty_one_connects_at_once_are_one_too_many(autojump_clock: trio.testing.MockClock) -> None:
    simulator = coinbase()
    refused = 0

    async def attempt(peer: str) -> None:
        nonlocal refused
        try:
            async with connected(simulator, peer=peer):
                pass
        except* trio_websocket.ConnectionRejected:
            refused += 1

    with trio.fail_after(60):
        for _ in range(21):
            await attempt("10.0.0.1")
        assert refused == 1
        await attempt("10.0.0.2")
        await trio.sleep(0.13)
        await attempt("10.0.0.1")
    assert refused == 1
    assert [(breach.limit, breach.peer) for breach in simulator.records.breaches] == [
        ("connects", "10.0.0.1")
    ]
    assert [seen.outcome for seen in simulator.records.connects].count("refused 429") == 1


async def test_more_than_a_hundred_messages_a_second_end_the_line(
    autojump_clock: trio.testing.MockClock,
) -> None:
    simulator = coinbase()
    with trio.fail_after(60):
        async with connected(simulator) as client:
            for _ in range(100):
                await client.ask("status", kind="unsubscribe")
            assert not simulator.records.breaches
            await trio.sleep(1)
            for _ in range(101):
                await client.ask("status", kind="unsubscribe")
            error = await client.hear_until("error")
            await client.hear_end()
    assert error == {"type": "error", "message": "ErrSlowRead"}
    assert [breach.limit for breach in simulator.records.breaches] == ["messages"]


async def test_limits_may_be_switched_off_and_breaches_are_still_known(
    autojump_clock: trio.testing.MockClock,
) -> None:
    simulator = coinbase(limits=False)
    with trio.fail_after(60):
        for _ in range(25):
            async with connected(simulator):
                pass
    assert {seen.outcome for seen in simulator.records.connects} == {"open"}


async def test_a_client_that_does_not_read_hears_why_or_is_cut(
    autojump_clock: trio.testing.MockClock,
) -> None:
    simulator = coinbase(buffer=Buffer(frames=200), rate=200.0)
    with trio.fail_after(60):
        async with connected(simulator) as client:
            await client.ask("full", "level2", **TWO, **signature())
            for connection in list(simulator.connections.values()):
                connection._line.piece_bytes, connection._line.pause_s = 100, 0.5
            await trio.sleep(20)
            await client.hear_end()
    assert [breach.limit for breach in simulator.records.breaches] == ["slow consumer"]


async def test_the_market_rests_while_nobody_is_there(autojump_clock: trio.testing.MockClock) -> None:
    simulator = coinbase()
    with trio.fail_after(10**6):
        async with connected(simulator) as client:
            await client.ask("heartbeat", **ONE)
            before = (await client.hear_until("heartbeat"))["sequence"]
        await trio.sleep(36_000)
        async with connected(simulator) as client:
            await client.ask("heartbeat", **ONE)
            beat = await client.hear_until("heartbeat")
    assert 0 <= beat["sequence"] - before < 200
    assert beat["time"] == "2025-09-19T13:45:02.000000Z"


async def test_another_connection_takes_the_wheel_when_the_first_leaves(
    autojump_clock: trio.testing.MockClock,
) -> None:
    simulator = coinbase()
    with trio.fail_after(60):
        async with connected(simulator) as second:
            async with connected(simulator) as first:
                for client in (first, second):
                    await client.ask("heartbeat", **ONE)
                    await client.hear_until("heartbeat")
            beats = by_kind(await second.hear_for(5.5))["heartbeat"]
    assert len(beats) >= 5


async def test_equal_seeds_send_equal_frames(autojump_clock: trio.testing.MockClock) -> None:
    heard = []
    with trio.fail_after(200):
        for _ in range(2):
            base = int(trio.current_time() * 1e9)

            def clock(base: int = base) -> int:
                return START_S * 10**9 + int(trio.current_time() * 1e9) - base

            async with connected(coinbase(wall_ns=clock)) as client:
                await client.ask("full", "level2_batch", "ticker", **TWO, **signature())
                heard.append(await client.hear_for(5.01))
    strip = [[{k: v for k, v in m.items() if "time" not in k} for m in run] for run in heard]
    assert strip[0] == strip[1]
    assert len(strip[0]) > 200


async def test_unsubscribing_one_product_leaves_the_other(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(60):
        async with connected(coinbase(unsubscribe_without_ids="all")) as client:
            await client.ask("heartbeat", "matches", **TWO)
            await client.ask("heartbeat", kind="unsubscribe", **ONE)
            await client.ask("matches", kind="unsubscribe")
            for _ in range(3):
                await client.hear_until("subscriptions")
            heard = await client.hear_for(3.5)
    assert {(m["type"], m["product_id"]) for m in heard} == {("heartbeat", "LTC-USD")}


async def test_a_client_by_hand(autojump_clock: trio.testing.MockClock) -> None:
    """All channels together on one signed line: nothing unknown comes."""
    names = [
        "heartbeat", "status", "ticker", "ticker_batch", "level2", "level2_batch", "full", "user", "matches",
        "level3", "rfq_matches", "auctionfeed", {"name": "balance", "account_ids": [account_id(KEY, "BTC")]},
    ]  # fmt: skip
    with trio.fail_after(60):
        async with connected(coinbase(auctions={"LTC-USD": 3.0})) as client:
            await client.ask(*names, **TWO, **signature())
            heard = by_kind(await client.hear_for(12))
    assert set(heard) == {
        "subscriptions", "heartbeat", "status", "ticker", "snapshot", "l2update", "received", "open", "done",
        "match", "change", "activate", "last_match", "level3", "level3 row", "rfq_match", "auction", "balance",
    }  # fmt: skip
    assert isinstance(client, Client)
