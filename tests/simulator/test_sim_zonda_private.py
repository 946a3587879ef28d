from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
import trio
import trio.testing

from tests.simulator.sim_zonda_client import (
    BLIND,
    KEY,
    OTHER,
    START_S,
    ZondaClient,
    connected,
    signature,
    zonda,
)
from trioquotes.simulator.venues.zonda import ZondaSimulator, balance_id, sign

D = Decimal
FAILED = {"error": "Authentication failed"}
BALANCES = {"first": balance_id(KEY, "BTC"), "second": balance_id(KEY, "PLN")}


async def confirmed(client: ZondaClient, *paths: str) -> None:
    for path in paths:
        module = "balances" if path.startswith("balance/") else "trading"
        await client.private(path, module=module)
        answer = await client.hear_until("subscribe-private-confirm")
        assert (answer["module"], answer["path"]) == (module, path)


def quiet(**options: Any) -> ZondaSimulator:
    """A market on which nothing happens but what the test does."""
    return zonda(markets=["BTC-PLN"], rate=1e-6, **options)


def place(simulator: ZondaSimulator, side: str, price: Any = None, **fields: Any) -> Any:
    fields = {"trader": "main", "owner": "main", **fields}
    limit = None if price is None else D(price)
    floor = simulator.market.floors["BTC-PLN"]
    return simulator.perform(floor.place, side=side, price=limit, **fields)


def outside(simulator: ZondaSimulator, side: str) -> Decimal:
    """A price inside the spread or at its own side, where an order of that side rests first in the queue."""
    book = simulator.market.floors["BTC-PLN"].book
    best = book.best("sell" if side == "buy" else "buy")
    assert best is not None
    return best - D("0.01") if side == "buy" else best + D("0.01")


def test_the_published_vectors_hold() -> None:
    assert sign("secret", KEY.public_key, "1529897422") == (
        "e787e095737fa7d43960ed040316ec112b3ce5c2f835aed0ae82bb11360819f5"
        "c3eab505ac8113878eb4539f5362dbd8e0099ad6a2c6257a2d31f5c3d60e36e4"
    )
    assert sign("secret", "public", "1700000000000", '{"offerType":"BUY"}') == (
        "2651ad427d40f02fcf6e94c7187fd70a5b13916e60bb7c2d67f9d9356e125786"
        "bbe1c2d901aa0c76a992ee0a4a65a112b289a9f8f1a90e5d73f98fd56abb40fb"
    )


@pytest.mark.parametrize(
    "stamp", [START_S, START_S * 1000, str(START_S), str(START_S * 1000 + 59_000), START_S - 60]
)
async def test_seconds_and_milliseconds_sign_alike(
    autojump_clock: trio.testing.MockClock, stamp: int | str
) -> None:
    with trio.fail_after(10):
        async with connected(quiet()) as client:
            await client.private("offers/BTC-PLN", **signature(stamp))
            assert await client.hear() == {
                "action": "subscribe-private-confirm", "module": "trading", "path": "offers/btc-pln",
            }  # fmt: skip


WRONG: list[dict[str, Any]] = [
    {"publicKey": "stranger"},
    {"publicKey": None},
    {"publicKey": OTHER.public_key},
    {"hashSignature": "00" * 64},
    {"hashSignature": "é\ud800"},
    {"hashSignature": 7},
    {"requestTimestamp": START_S + 1},
    {"requestTimestamp": float(START_S)},
    {"requestTimestamp": True},
    {"requestTimestamp": "soon"},
    {"requestTimestamp": 10**20},
    signature(START_S - 61),
    signature((START_S + 61) * 1000),
    signature("9" * 20),
    signature(f"{START_S}.5"),
]


@pytest.mark.parametrize("wrong", WRONG, ids=range(len(WRONG)))
async def test_a_wrong_or_old_signature_fails_in_each_message_without_an_action(
    autojump_clock: trio.testing.MockClock, wrong: dict[str, Any]
) -> None:
    simulator = quiet()
    with trio.fail_after(10):
        async with connected(simulator) as client:
            await client.private("offers", **{**signature(START_S), **wrong})
            assert await client.hear() == FAILED
            answer = await client.proxy("offer", **{**signature(START_S), **wrong})
            assert answer == {"status": "Fail", "errors": ["INVALID_HASH_SIGNATURE"]}
            await client.say({"action": "subscribe-private", "module": "trading", "path": "offers"})
            assert await client.hear() == FAILED
            assert simulator.connections, "the line stays open"
            await confirmed(client, "offers")


async def test_a_key_without_permission_is_refused(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(10):
        async with connected(quiet()) as client:
            await client.private("offers", **signature(START_S, BLIND))
            error = await client.hear()
            assert error == {
                "action": "subscribe-private-error", "module": "trading", "path": "offers",
                "error": "PERMISSIONS_NOT_SUFFICIENT",
            }  # fmt: skip
            answer = await client.proxy("offer", **signature(START_S, BLIND))
            assert answer["errors"] == ["PERMISSIONS_NOT_SUFFICIENT"]


async def test_an_order_is_told_from_resting_to_filled(autojump_clock: trio.testing.MockClock) -> None:
    simulator = quiet()
    with trio.fail_after(60):
        async with connected(simulator) as client:
            await confirmed(client, "offers/btc-pln", "offers")
            rate = outside(simulator, "buy")
            order_id = place(simulator, "buy", rate, size=D("0.3"))[0].order_id
            opened, everywhere = await client.hear(), await client.hear()
            assert opened["topic"] == "trading/offers/btc-pln"
            assert everywhere["topic"] == "trading/offers"
            assert everywhere["message"] == opened["message"]
            message = opened["message"]
            assert list(message) == [
                "entryType", "rate", "action", "offerId", "market", "state", "timestamp",
            ]  # fmt: skip
            assert message["state"] == {
                "market": "BTC-PLN", "offerType": "Buy", "id": order_id, "currentAmount": "0.3",
                "lockedAmount": message["state"]["lockedAmount"], "rate": message["rate"], "startAmount": "0.3",
                "time": message["timestamp"], "postOnly": False, "hidden": False, "mode": "Limit",
                "receivedAmount": "0.0", "balances": BALANCES,
            }  # fmt: skip
            assert D(message["state"]["lockedAmount"]) == rate * D("0.3")
            items = (await client.proxy("offer/btc-pln", **signature()))["items"]
            (item,) = [item for item in items if item["id"] == order_id]
            assert item["mode"] == "limit"
            assert (item["firstBalanceId"], item["secondBalanceId"]) == tuple(BALANCES.values())
            assert "balances" not in item
            place(simulator, "sell", trader="x", owner=None, size=D("0.1"))
            push = await client.hear()
            assert push["message"]["state"]["currentAmount"] == "0.2"
            assert push["message"]["state"]["receivedAmount"] == "0.1"
            place(simulator, "sell", trader="x", owner=None, size=D("0.2"))
            await client.hear()
            gone = await client.hear()
            assert gone["message"]["action"] == "remove"
            assert "state" not in gone["message"]
            assert gone["message"]["offerId"] == order_id
            assert await client.hear_for(1) == [{**gone, "topic": "trading/offers", "seqNo": everywhere["seqNo"] + 2}]  # fmt: skip
            listed = await client.proxy("offers", **signature())
            assert order_id not in {item["id"] for item in listed["items"]}


async def test_cancelled_and_modified_orders_are_told(autojump_clock: trio.testing.MockClock) -> None:
    simulator = quiet()
    with trio.fail_after(60):
        async with connected(simulator) as client:
            floor = simulator.market.floors["BTC-PLN"]
            await confirmed(client, "offers/btc-pln")
            rate = outside(simulator, "sell")
            order_id = place(simulator, "sell", rate, size=D("0.3"))[0].order_id
            assert (await client.hear())["message"]["state"]["lockedAmount"] == "0.3"
            simulator.perform(floor.modify, order_id, price=rate + D(1), size=D("0.25"))
            state = (await client.hear())["message"]["state"]
            assert (D(state["rate"]), state["currentAmount"]) == (rate + D(1), "0.25")
            simulator.perform(floor.cancel, order_id)
            assert (await client.hear())["message"]["action"] == "remove"
            place(simulator, "buy", size=D("0.01"))
            assert await client.hear_for(1) == [], "an order that never rests is on no list"


@pytest.mark.parametrize(
    ("manner", "topics"),
    [
        ("asked", ["trading/history/transactions/btc-pln", "trading/history/transactions"]),
        ("documented", ["trading/transactions/btc-pln", "trading/transactions/btc-pln"]),
    ],
)
async def test_own_trades_come_under_the_topic_asked_for_or_the_documented_one(
    autojump_clock: trio.testing.MockClock, manner: Any, topics: list[str]
) -> None:
    simulator = quiet(own_trades_topic=manner)
    with trio.fail_after(60):
        async with connected(simulator) as client:
            await confirmed(client, "history/transactions/btc-pln", "history/transactions")
            before = await client.proxy("history/transactions", **signature())
            order_id = place(simulator, "sell", size=D("0.0001"))[0].order_id
            heard = [await client.hear(), await client.hear()]
            assert [push["topic"] for push in heard] == topics
            (trade,) = heard[0]["message"]["transactions"]
            assert list(trade) == ["id", "t", "a", "r", "ty"]
            assert trade["ty"] == "Sell"
            after = await client.proxy("history/transactions/btc-pln", **signature())
            assert int(after["totalRows"]) == int(before["totalRows"]) + 1
            item = after["items"][0]
            assert item == {
                "id": trade["id"], "market": "BTC-PLN", "time": trade["t"], "amount": trade["a"],
                "rate": trade["r"], "initializedBy": "Sell", "wasTaker": True, "userAction": "Sell",
                "offerId": order_id, "commissionValue": item["commissionValue"],
            }  # fmt: skip
            assert D(item["commissionValue"]) == D(trade["a"]) * D(trade["r"]) * D("0.005")
            public = (await client.proxy("transactions/btc-pln"))["items"][0]
            assert public == trade


async def test_balances_are_bare_numbers_and_add_up(autojump_clock: trio.testing.MockClock) -> None:
    simulator = quiet()
    with trio.fail_after(60):
        async with connected(simulator) as client:
            await confirmed(client, "balance/bitbay/updatefunds")
            place(simulator, "sell", outside(simulator, "sell"), size=D("0.00000004"))
            text = await client.websocket.get_message()
            assert isinstance(text, str)
            push = json.loads(text, parse_float=Decimal)
            funds = push["message"]
            assert push["topic"] == "balances/balance/bitbay/updatefunds"
            assert set(funds) == {
                "id", "userId", "availableFunds", "totalFunds", "lockedFunds", "currency", "type", "name",
                "balanceEngine",
            }  # fmt: skip
            assert (funds["id"], funds["userId"]) == (BALANCES["first"], KEY.user_id)
            assert (funds["currency"], funds["type"]) == ("BTC", "CRYPTO")
            assert not isinstance(funds["availableFunds"], str)
            assert D(funds["availableFunds"]) + D(funds["lockedFunds"]) == funds["totalFunds"]
            answer = await client.proxy("BITBAY/balance", module="balances", **signature())
            listed = {wallet["currency"]: wallet for wallet in answer["balances"]}
            assert set(listed) == {"BTC", "PLN"}
            assert listed["BTC"] == funds
            assert listed["PLN"]["type"] == "FIAT"
            assert listed["PLN"]["availableFunds"] > 0


async def test_stop_orders_are_listed_fire_and_may_be_rejected(
    autojump_clock: trio.testing.MockClock,
) -> None:
    simulator = quiet()
    with trio.fail_after(60):
        async with connected(simulator) as client:
            floor = simulator.market.floors["BTC-PLN"]
            await confirmed(client, "stop/offers/btc-pln", "stop/offers")
            last = floor.last_trade
            assert last is not None
            stop: Any = simulator.perform(
                floor.place_stop, side="buy", trader="main", stop_price=last.price - 1, size=D("0.001"), owner="main"
            )  # fmt: skip
            (waiting,) = (await client.proxy("stop/offer", **signature()))["items"]
            assert (waiting["status"], waiting["mode"], waiting["rate"]) == ("active", "stop-market", None)
            assert (await client.proxy("stop/offers/BTC-PLN", **signature()))["items"] == [waiting]
            place(simulator, "buy", trader="x", owner=None, size=D("0.001"))
            push = await client.hear()
            assert push["topic"] == "trading/stop/offers/btc-pln"
            assert push["message"] == {
                "action": "accepted", "exchangeOfferId": stop[0].order_id,
                "state": {**waiting, "status": "accepted"},
            }  # fmt: skip
            assert (await client.hear())["topic"] == "trading/stop/offers"
            assert (await client.proxy("stop/offer", **signature()))["items"] == []
            simulator.reject_stop("main", "BTC-PLN", side="buy", stop_rate=D(100000), amount=D(1))
            refused = (await client.hear())["message"]
            assert refused["action"] == "rejected"
            assert refused["rejectionReason"] == "InsufficientFunds"
            assert refused["state"]["status"] == "rejected"
            assert refused["state"]["stopRate"] == "100000"


async def test_clients_see_their_own_alone_and_lists_follow_the_pushes(
    autojump_clock: trio.testing.MockClock,
) -> None:
    simulator = zonda(rate=30.0, seed=3)
    pushed: dict[str, list[Any]] = defaultdict(list)
    with trio.fail_after(120):
        async with connected(simulator) as client, connected(simulator) as second:
            paths = ("offers", "history/transactions", "stop/offers", "balance/bitbay/updatefunds")
            await confirmed(client, *paths)
            await second.private("offers", **signature(None, OTHER))
            listed = {item["id"]: item for item in (await client.proxy("offer", **signature()))["items"]}
            for push in client.passed + await client.hear_for(40):
                pushed[push["topic"]].append(push)
            others = [push["message"]["offerId"] for push in (await second.hear_for(1))[1:]]
            after = await client.proxy("offer", **signature())
            for push in client.passed:
                if push["topic"] == "trading/offers" and push not in pushed["trading/offers"]:
                    pushed["trading/offers"].append(push)
    for found in pushed.values():
        numbers = [push["seqNo"] for push in found]
        assert all(b == a + 1 for a, b in pairwise(numbers))
    mine = {push["message"]["offerId"] for push in pushed["trading/offers"]}
    assert others
    assert mine.isdisjoint(others)
    for push in pushed["trading/offers"]:
        message = push["message"]
        if message["action"] == "remove":
            del listed[message["offerId"]]
        else:
            listed[message["offerId"]] = message["state"]
    amounts = {key: state["currentAmount"] for key, state in listed.items()}
    assert amounts == {item["id"]: item["currentAmount"] for item in after["items"]}
    assert {push["message"]["userId"] for push in pushed["balances/balance/bitbay/updatefunds"]} == {
        KEY.user_id
    }
    assert pushed["trading/history/transactions"]


async def test_public_channels_are_not_private_and_the_other_way_round(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(10):
        async with connected(quiet()) as client:
            await client.public("offers")
            assert (await client.hear())["action"] == "subscribe-public-error"
            await client.private("ticker")
            assert (await client.hear())["action"] == "subscribe-private-error"
