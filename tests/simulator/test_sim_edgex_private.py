from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from itertools import pairwise
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from tests.simulator.clients import START_S, wall_ns
from tests.simulator.edgex_client import (
    ACCOUNT,
    PRIVATE,
    EdgexClient,
    as_subprotocol,
    edgex_client,
    refused_handshake,
    v2_headers,
    v2_path,
)
from trioquotes.simulator.faults import Fault
from trioquotes.simulator.venues.edgex import Account, EdgexSimulator, signed_text, stark_hash

D = Decimal
NOW_MS = START_S * 1000
BTC = "30000001"
OTHER = Account(account_id="543429922991899150", key="key-2", secret="s2", passphrase="p2", user_id="2")

GROUPS = [
    "account", "collateral", "collateralTransaction", "position", "positionTransaction", "deposit", "withdraw",
    "transferIn", "transferOut", "order", "orderFillTransaction",
]  # fmt: skip


def edgex(*faults: Fault, **options: Any) -> EdgexSimulator:
    defaults = {
        "seed": 7, "rate": 30.0, "faults": faults, "wall_ns": wall_ns, "accounts": [ACCOUNT], "account_events_s": None,
    }  # fmt: skip
    return EdgexSimulator(**{**defaults, **options})


def signed_in(simulator: EdgexSimulator, account: Account = ACCOUNT) -> Any:
    now_ms = wall_ns() // 10**6
    return edgex_client(simulator, v2_path(now_ms, account), headers=v2_headers(now_ms, account))


async def hear_events(client: EdgexClient, seconds: float) -> list[Any]:
    return [m["content"] for m in await client.hear_for(seconds) if m["type"] == "trade-event"]


class Mirror:
    """An account as a client has it: merged by id, from the snapshot on."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = defaultdict(dict)
        self.kept: dict[str, list[Any]] = defaultdict(list)
        self.versions: list[int] = []

    def apply(self, content: Any) -> None:
        self.versions.append(content["version"])
        keys = {"account": "id", "order": "id", "position": "contractId", "collateral": "coinId"}
        for group, rows in content["data"].items():
            for row in rows:
                if group in keys:
                    self.rows[group][row[keys[group]]] = row
                else:
                    self.kept[group].append(row)

    @property
    def open_orders(self) -> dict[str, Any]:
        alive = {"PENDING", "OPEN", "UNTRIGGERED"}
        return {name: row for name, row in self.rows["order"].items() if row["status"] in alive}


# The handshake -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("other_names", [False, True])
async def test_v2_says_hello_with_a_number_and_tells_everything_at_once(
    autojump_clock: trio.testing.MockClock, other_names: bool
) -> None:
    simulator = edgex()
    headers = v2_headers(NOW_MS, other_names=other_names)
    with trio.fail_after(30):
        async with edgex_client(simulator, v2_path(NOW_MS), headers=headers) as client:
            hello, snapshot = await client.hear(), await client.hear()
    assert list(hello) == ["sid", "type", "time"]
    assert hello["time"] == NOW_MS
    assert snapshot["type"] == "trade-event"
    content = snapshot["content"]
    assert list(content) == ["event", "version", "data", "time", "accountId"]
    assert (content["event"], content["version"], content["time"]) == ("Snapshot", 17873, NOW_MS)
    assert content["accountId"] == int(ACCOUNT.account_id)
    assert list(content["data"]) == [*GROUPS, "positionTermList"]
    assert content["data"]["account"][0]["id"] == ACCOUNT.account_id
    assert content["data"]["collateral"][0]["amount"] == "1000000.000000"
    assert len(content["data"]["order"]) > 3
    assert not simulator.records.breaches


@pytest.mark.parametrize("padded", [False, True])
async def test_a_browser_signs_in_by_subprotocol_which_is_taken_up(
    autojump_clock: trio.testing.MockClock, padded: bool
) -> None:
    offered = as_subprotocol(v2_headers(NOW_MS), padded=padded)
    with trio.fail_after(30):
        async with edgex_client(edgex(), v2_path(NOW_MS), subprotocol=offered) as client:
            assert client.websocket.subprotocol == offered
            assert (await client.hear())["type"] == "connected"


async def test_bad_credentials_are_http_400_with_the_documented_words(
    autojump_clock: trio.testing.MockClock,
) -> None:
    simulator = edgex()
    good = v2_headers(NOW_MS)
    old = NOW_MS - 61_000
    cases: list[tuple[str, dict[str, str], str]] = [
        (v2_path(NOW_MS), {}, "Invalid API Key"),
        (v2_path(NOW_MS), {**good, "X-edgeX-Passphrase": "x"}, "Invalid API Key"),
        (v2_path(NOW_MS, OTHER), v2_headers(NOW_MS, OTHER), "Invalid API Key"),
        (v2_path(NOW_MS), {**good, "X-edgeX-Signature": "0" * 64}, "Invalid Signature"),
        (v2_path(old), v2_headers(old), "Invalid Timestamp"),
    ]
    with trio.fail_after(30):
        for path, headers, words in cases:
            status, body = await refused_handshake(simulator, path, headers)
            assert (status, body["msg"]) == (400, words)
    assert len(simulator.records.breached("authentication")) == 5
    assert [seen.outcome for seen in simulator.records.connects] == ["refused 400"] * 5


async def test_a_stark_key_signs_in_on_v1_and_anything_else_does_not(
    autojump_clock: trio.testing.MockClock,
) -> None:
    stark = pytest.importorskip("fast_stark_crypto")
    key = 0x5C2BB34E5DF5BD0E5B1C2D6C3B4E4FA1D4E3A2B1C0D9E8F7
    account = Account(account_id="543429922991899150", l2_key=hex(stark.get_public_key(key)))
    simulator = edgex(generation="v1", accounts=[account])
    query = {"accountId": account.account_id}
    path = f"{PRIVATE}?accountId={account.account_id}"

    def headers(timestamp: int, private_key: int = key, tail: str = "") -> dict[str, str]:
        r, s = stark.sign(private_key, stark_hash(signed_text(str(timestamp), PRIVATE, query)))
        signature = f"{r:064x}{s:064x}{tail}"
        return {"X-edgeX-Api-Timestamp": str(timestamp), "X-edgeX-Api-Signature": signature}

    with trio.fail_after(30):
        for tail in ("", "6ea3dd81a7fc864893c8c6f674e4a4510c369f939bdc0259a0980dfde882c2d0"):
            async with edgex_client(simulator, path, headers=headers(NOW_MS, tail=tail)) as client:
                hello, snapshot = await client.hear(), await client.hear()
        offered = as_subprotocol(headers(NOW_MS))
        async with edgex_client(simulator, path, subprotocol=offered) as client:
            assert (await client.hear())["type"] == "connected"
        for wrong in (headers(NOW_MS, private_key=7), {}, headers(NOW_MS, tail="00")):
            status, _ = await refused_handshake(simulator, path, wrong)
            assert status == 400
        status, body = await refused_handshake(simulator, path, headers(NOW_MS - 61_000))
        assert (status, body["msg"]) == (400, "Invalid Timestamp")
    assert hello["time"] == str(NOW_MS)
    assert snapshot["content"]["accountId"] == 0
    assert list(snapshot["content"]["data"]) == GROUPS


# The socket ----------------------------------------------------------------------------------------------


async def test_anything_but_pings_and_pongs_is_unrecognized(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(30):
        async with signed_in(edgex(rate=0.001)) as client:
            await client.hear()
            await client.hear()
            await client.say({"type": "ping", "time": 1693208170000})
            assert await client.hear() == {"type": "pong", "time": 1693208170000}
            await client.subscribe(f"ticker.{BTC}")
            assert await client.hear() == {
                "type": "error",
                "content": {"code": "GATEWAY_UNRECOGNIZED_MESSAGE", "msg": "unsupported private ws message"},
            }
            await client.say("nonsense")
            assert (await client.hear())["content"]["code"] == "GATEWAY_UNRECOGNIZED_MESSAGE"


async def test_pings_are_numbers_there_and_their_pongs_must_be_too(
    autojump_clock: trio.testing.MockClock,
) -> None:
    simulator = edgex(rate=0.001)
    with trio.fail_after(200):
        async with signed_in(simulator) as client:
            pings = [m for m in await client.hear_for(100.5) if m["type"] == "ping"]
            assert [ping["time"] for ping in pings] == [NOW_MS + 10_000 * n for n in range(1, 11)]
            assert simulator.connections
    assert not simulator.records.breaches


# Orders and money ----------------------------------------------------------------------------------------


async def test_orders_by_hand_are_told_through_their_whole_life(
    autojump_clock: trio.testing.MockClock,
) -> None:
    simulator = edgex(rate=0.001)
    with trio.fail_after(30):
        async with signed_in(simulator) as client:
            await client.hear_for(0.5)
            floor = simulator.floors[BTC]
            best = floor.book.best("sell")
            assert best is not None
            place = {"trader": ACCOUNT.account_id, "owner": ACCOUNT.account_id}
            price = best - 5 * floor.listing.tick - 100
            made = simulator.perform(
                floor.place, side="buy", price=price, size=D("0.5"), client_id="77", **place
            )
            order_id = made[0].order_id  # type: ignore[attr-defined]  # the first is the receipt
            simulator.perform(floor.modify, order_id, price=price, size=D("0.2"))
            simulator.perform(floor.cancel, order_id)
            rows = [row for content in await hear_events(client, 1) for row in content["data"]["order"]]
            assert [(row["status"], row["size"]) for row in rows] == [
                ("PENDING", "0.500"), ("OPEN", "0.500"), ("OPEN", "0.200"), ("CANCELED", "0.200"),
            ]  # fmt: skip
            assert {(row["id"], row["clientOrderId"], row["side"], row["type"]) for row in rows} == {
                (rows[0]["id"], "77", "BUY", "LIMIT")
            }
            assert rows[0]["id"].isdecimal()

            simulator.perform(floor.place, side="buy", size=D("0.001"), **place)
            events = await hear_events(client, 1)
    assert [content["event"] for content in events] == ["ORDER_UPDATE", "ORDER_UPDATE", "ACCOUNT_UPDATE"]
    (first,), (filled,) = (content["data"]["order"] for content in events[:2])
    assert (first["status"], first["type"], first["price"]) == ("PENDING", "MARKET", "0.0")
    assert first["timeInForce"] == "IMMEDIATE_OR_CANCEL"
    assert (filled["status"], filled["cumFillSize"], filled["cumMatchSize"]) == ("FILLED", "0.001", "0.001")
    (trade,), (position,) = events[1]["data"]["orderFillTransaction"], events[1]["data"]["position"]
    assert (trade["orderId"], trade["direction"], trade["orderSide"]) == (filled["id"], "TAKER", "BUY")
    assert D(trade["fillPrice"]) == best
    assert D(trade["fillFee"]) == (best * D("0.001") * D("0.00038")).quantize(D("1e-6"))
    assert position["contractId"] == BTC
    data = events[2]["data"]
    (transaction,), (moved,) = data["collateralTransaction"], data["positionTransaction"]
    assert (transaction["type"], moved["type"]) == ("BUY_POSITION", "BUY_POSITION")
    assert D(transaction["deltaAmount"]) == -D(trade["fillValue"]) - D(trade["fillFee"])
    assert transaction["id"] == trade["collateralTransactionId"] == moved["collateralTransactionId"]
    assert moved["id"] == trade["positionTransactionId"]
    assert data["positionTermList"][0]["contractId"] == BTC


async def test_a_stop_order_waits_and_then_goes_to_market(autojump_clock: trio.testing.MockClock) -> None:
    simulator = edgex(rate=0.001)
    with trio.fail_after(30):
        async with signed_in(simulator) as client:
            await client.hear_for(0.5)
            floor = simulator.floors[BTC]
            best = floor.book.best("sell")
            assert best is not None
            me = ACCOUNT.account_id
            simulator.perform(
                floor.place_stop, side="buy", trader=me, owner=me, stop_price=best, size=D("0.001")
            )
            async with signed_in(simulator) as late:
                await late.hear()
                orders = {row["status"]: row for row in (await late.hear())["content"]["data"]["order"]}
            assert orders["UNTRIGGERED"]["triggerPrice"] == f"{best:.1f}"
            simulator.perform(floor.place, side="buy", trader="x", size=D("0.001"))
            rows = [row for content in await hear_events(client, 1) for row in content["data"]["order"]]
    stop = [row for row in rows if row["type"] == "STOP_MARKET"]
    assert [row["status"] for row in stop] == ["UNTRIGGERED", "PENDING", "FILLED"]
    assert stop[0]["triggerPriceType"] == "LAST_PRICE"


@pytest.mark.endurance
async def test_a_mirrored_account_adds_up_over_a_busy_minute(autojump_clock: trio.testing.MockClock) -> None:
    simulator = edgex(rate=60, account_events_s=5, funding_interval_min=1)
    mirror = Mirror()
    with trio.fail_after(200):
        async with signed_in(simulator) as client:
            for content in await hear_events(client, 121):
                mirror.apply(content)
            async with signed_in(simulator) as again:
                await again.hear()
                snapshot = (await again.hear())["content"]
                for content in await hear_events(client, 0.01):
                    mirror.apply(content)
    data = snapshot["data"]
    assert snapshot["version"] == mirror.versions[-1]
    steps = {after - before for before, after in pairwise(mirror.versions)}
    assert steps == {1, 3}
    assert {row["id"]: row for row in data["order"]} == mirror.open_orders
    positions = {name: row for name, row in mirror.rows["position"].items() if D(row["openSize"])}
    assert {row["contractId"]: row for row in data["position"]} == positions
    (collateral,) = data["collateral"]
    assert mirror.rows["collateral"]["1000"] == collateral
    sums = sum(D(value) for name, value in collateral.items() if name.startswith("cum"))
    assert D(collateral["amount"]) == sums
    held = sum(D(row["openValue"]) for row in positions.values())
    assert D(collateral["legacyAmount"]) == sums + held
    moved = sum(D(row["deltaAmount"]) for row in mirror.kept["collateralTransaction"])
    assert D(collateral["amount"]) == 1_000_000 + moved
    chain = mirror.kept["collateralTransaction"]
    for before, row in pairwise(chain):
        assert D(row["beforeAmount"]) == D(before["beforeAmount"]) + D(before["deltaAmount"])
    assert len({row["id"] for row in chain}) == len(chain)


async def test_fills_are_the_public_trades(autojump_clock: trio.testing.MockClock) -> None:
    simulator = edgex(rate=60)
    with trio.fail_after(200):
        async with signed_in(simulator) as client, edgex_client(simulator) as public:
            await public.subscribe(f"trades.{BTC}")
            fills = [
                row
                for content in await hear_events(client, 20)
                for row in content["data"]["orderFillTransaction"]
                if row["contractId"] == BTC
            ]
            trades = {
                row["ticketId"]: row
                for message in await public.hear_for(0.2)
                if message["type"] == "quote-event"
                for row in message["content"]["data"]
            }
    assert {row["direction"] for row in fills} == {"MAKER", "TAKER"}
    for row in fills:
        trade = trades[row["matchFillId"]]
        assert (trade["time"], trade["price"]) == (row["matchTime"], row["fillPrice"])
        assert (trade["size"], trade["value"]) == (row["fillSize"], row["fillValue"])
        side = "maker" if row["direction"] == "MAKER" else "taker"
        assert trade[f"{side}AccountId"] == ACCOUNT.account_id
        assert trade[f"{side}OrderId"] == row["orderId"]
        assert trade["isBuyerMaker"] is ((row["orderSide"] == "BUY") == (side == "maker"))


@pytest.mark.parametrize(
    ("event", "cumulated", "group", "sign"),
    [
        ("DEPOSIT_UPDATE", "cumDepositAmount", "deposit", 1),
        ("WITHDRAW_UPDATE", "cumWithdrawAmount", "withdraw", -1),
        ("TRANSFER_IN_UPDATE", "cumTransferInAmount", "transferIn", 1),
        ("TRANSFER_OUT_UPDATE", "cumTransferOutAmount", "transferOut", -1),
        ("FORCE_WITHDRAW_UPDATE", "cumWithdrawAmount", None, -1),
        ("ORDER_FILL_FEE_INCOME", "cumFillFeeIncomeAmount", None, 1),
    ],
)
async def test_money_that_moves_is_told_in_all_its_groups(
    autojump_clock: trio.testing.MockClock, event: Any, cumulated: str, group: str | None, sign: int
) -> None:
    simulator = edgex(rate=0.001)
    with trio.fail_after(30):
        async with signed_in(simulator) as client:
            await client.hear()
            before = (await client.hear())["content"]["data"]["collateral"][0]
            simulator.happen(ACCOUNT.account_id, event, D("20.5"))
            content = (await client.hear())["content"]
    assert content["event"] == event
    (after,), (transaction,) = content["data"]["collateral"], content["data"]["collateralTransaction"]
    assert D(after[cumulated]) - D(before[cumulated]) == sign * D("20.5")
    assert D(after["amount"]) - D(before["amount"]) == D(transaction["deltaAmount"]) == sign * D("20.5")
    assert transaction["beforeAmount"] == before["amount"]
    told = {name for name, rows in content["data"].items() if rows} - {"collateral", "collateralTransaction"}
    assert told == ({group} if group else set())
    if group:
        (row,) = content["data"][group]
        assert (row["amount"], row["collateralTransactionId"]) == ("20.500000", transaction["id"])


async def test_liquidation_is_told_from_start_to_finish(autojump_clock: trio.testing.MockClock) -> None:
    simulator = edgex(rate=0.001)
    me = ACCOUNT.account_id
    with trio.fail_after(30):
        async with signed_in(simulator) as client:
            await client.hear_for(0.5)
            floor = simulator.floors[BTC]
            simulator.perform(floor.place, side="sell", trader=me, owner=me, size=D("0.100"))
            await client.hear_for(0.5)
            for event in ("START_LIQUIDATING", "FORCE_TRADE_UPDATE", "FINISH_LIQUIDATING", "ACCOUNT_UPDATE", "UNRECOGNIZED"):  # fmt: skip
                simulator.happen(me, event)
            start, trade, finish, update, unknown = await hear_events(client, 1)
    flags = [content["data"]["account"][0]["isLiquidating"] for content in (start, finish, update)]
    assert flags == [True, False, False]
    closed = {row["contractId"]: row for row in trade["data"]["positionTransaction"]}[BTC]
    assert (closed["type"], closed["deltaOpenSize"], closed["beforeOpenSize"][0]) == (
        "BUY_POSITION",
        "0.001",
        "-",
    )
    assert closed["forceTradeId"].isdecimal()
    assert not any(unknown["data"].values())


async def test_funding_is_paid_on_every_position_and_only_there(
    autojump_clock: trio.testing.MockClock,
) -> None:
    simulator = edgex(rate=0.001, funding_interval_min=1, accounts=[ACCOUNT, OTHER])
    with trio.fail_after(200):
        async with signed_in(simulator) as client, signed_in(simulator, OTHER) as other, edgex_client(simulator) as public:  # fmt: skip
            await public.subscribe(f"fundingRate.{BTC}")
            floor, me = simulator.floors[BTC], ACCOUNT.account_id
            simulator.perform(floor.place, side="buy", trader=me, owner=me, size=D("5.000"))
            sizes = [
                row["openSize"]
                for content in await hear_events(client, 30)
                for row in content["data"]["position"]
                if row["contractId"] == BTC
            ]
            size = sizes[-1]
            for quiet in (public, other):  # they too must answer their pings
                await quiet.hear_for(0.1)
            await trio.sleep_until(60.5)
            (content,) = [c for c in await hear_events(client, 0.1) if c["event"] == "FUNDING_SETTLEMENT"]
            rates = [
                m["content"]["data"][0] for m in await public.hear_for(0.1) if m["type"] == "quote-event"
            ]
            told = [c for c in await hear_events(other, 0.1) if c["event"] == "FUNDING_SETTLEMENT"]
    (rate,) = [row for row in rates if row["isSettlement"]]
    rows = {row["positionContractId"]: row for row in content["data"]["collateralTransaction"]}
    row = rows[BTC]
    assert (row["type"], row["fundingPositionSize"]) == ("POSITION_FUNDING", f"{D(size).normalize():f}")
    assert (row["fundingRate"], row["fundingTime"]) == (rate["fundingRate"], rate["fundingTime"])
    assert (row["fundingOraclePrice"], row["fundingIndexPrice"]) == (rate["oraclePrice"], rate["indexPrice"])
    paid = -D(size) * D(row["fundingOraclePrice"]) * D(row["fundingRate"])
    assert D(row["deltaAmount"]) == paid.quantize(D("1e-6"))
    moved = {each["contractId"]: each for each in content["data"]["positionTransaction"]}[BTC]
    assert (moved["type"], moved["deltaFundingFee"]) == ("SETTLE_FUNDING_FEE", row["deltaAmount"])
    for each in told:
        assert {r["accountId"] for r in each["data"]["position"]} == {OTHER.account_id}


async def test_accounts_hear_of_themselves_only(autojump_clock: trio.testing.MockClock) -> None:
    simulator = edgex(accounts=[ACCOUNT, OTHER], account_events_s=1)
    with trio.fail_after(60):
        async with signed_in(simulator) as one, signed_in(simulator, OTHER) as two:
            for client, account in ((one, ACCOUNT), (two, OTHER)):
                rows = [
                    row
                    for content in await hear_events(client, 15)
                    for group, rows in content["data"].items()
                    for row in rows
                    if group != "account"
                ]
                assert {row["accountId"] for row in rows} == {account.account_id}
                assert {row["userId"] for row in rows} == {account.user_id}


async def test_every_event_happens_by_itself_in_time(autojump_clock: trio.testing.MockClock) -> None:
    simulator = edgex(account_events_s=1, funding_interval_min=1)
    with trio.fail_after(200):
        async with signed_in(simulator) as client:
            events = {content["event"] for content in await hear_events(client, 61)}
    assert events == {
        "Snapshot", "ACCOUNT_UPDATE", "DEPOSIT_UPDATE", "WITHDRAW_UPDATE", "TRANSFER_IN_UPDATE",
        "TRANSFER_OUT_UPDATE", "ORDER_UPDATE", "FORCE_WITHDRAW_UPDATE", "FORCE_TRADE_UPDATE", "FUNDING_SETTLEMENT",
        "ORDER_FILL_FEE_INCOME", "START_LIQUIDATING", "FINISH_LIQUIDATING", "UNRECOGNIZED",
    }  # fmt: skip


# The documents' own spelling -----------------------------------------------------------------------------


async def test_v2_as_its_page_prints_it(autojump_clock: trio.testing.MockClock) -> None:
    simulator = edgex(spelling="docs", rate=0.001)
    with trio.fail_after(30):
        async with signed_in(simulator) as client:
            await client.hear()
            content = (await client.hear())["content"]
            simulator.happen(ACCOUNT.account_id, "DEPOSIT_UPDATE")
            update = (await client.hear())["content"]
    assert list(content) == ["event", "version", "time", "data"]
    assert content["data"]["account"][0]["id"] == int(ACCOUNT.account_id)
    assert list(update["data"]) == ["collateral", "collateralTransaction", "deposit"]
    assert isinstance(update["data"]["deposit"][0]["id"], int)


async def test_v1_as_its_page_prints_it(autojump_clock: trio.testing.MockClock) -> None:
    stark = pytest.importorskip("fast_stark_crypto")
    account = attrs.evolve(ACCOUNT, l2_key=hex(stark.get_public_key(7)))
    simulator = edgex(generation="v1", spelling="docs", accounts=[account], rate=0.001)
    query = {"accountId": account.account_id}
    r, s = stark.sign(7, stark_hash(signed_text(str(NOW_MS), PRIVATE, query)))
    headers = {"X-edgeX-Api-Timestamp": str(NOW_MS), "X-edgeX-Api-Signature": f"{r:064x}{s:064x}"}
    with trio.fail_after(30):
        async with edgex_client(
            simulator, f"{PRIVATE}?accountId={account.account_id}", headers=headers
        ) as client:
            await client.hear()
            content = (await client.hear())["content"]
            await client.subscribe("metadata")
            assert (await client.hear())["content"]["code"] == "UNRECOGNIZED_MESSAGE"
    assert list(content) == ["event", "version", "data"]
    assert content["version"] == "17873"
