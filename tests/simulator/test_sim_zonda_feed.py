from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
import trio
import trio.testing
import trio_websocket

from tests.simulator.sim_zonda_client import Book, ZondaClient, connected, wall_ns, zonda
from trioquotes.simulator.faults import (
    DelayAck,
    DropLine,
    PartialAck,
    RejectRequest,
    SkipFrame,
    WithholdAck,
)
from trioquotes.simulator.happenings import Side
from trioquotes.simulator.venues.zonda import ZondaSimulator

D = Decimal
LIMITED = "orderbook-limited/btc-pln/10"


def pushes(messages: list[Any]) -> dict[str, list[Any]]:
    """By topic."""
    found: dict[str, list[Any]] = defaultdict(list)
    for message in messages:
        if message.get("action") == "push":
            found[message["topic"]].append(message)
    return found


def truth(simulator: ZondaSimulator, market: str = "BTC-PLN", limit: int | None = None) -> dict[str, Any]:
    book = simulator.market.floors[market].book
    sides: tuple[tuple[str, Side], ...] = (("Buy", "buy"), ("Sell", "sell"))
    return {
        name: {price: size for price, size, _ in book.levels(side)[:limit]} for name, side in sides
    }  # fmt: skip


async def test_the_confirmation_comes_first_and_echoes_the_path_in_lower_case(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(30):
        async with connected(zonda()) as client:
            await client.public("Transactions/BTC-PLN")
            assert await client.hear() == {
                "action": "subscribe-public-confirm", "module": "trading", "path": "transactions/btc-pln",
            }  # fmt: skip
            first = await client.hear()
            assert first["topic"] == "trading/transactions/btc-pln"
            await client.public("transactions/btc-pln")
            await client.hear_until("subscribe-public-confirm")
            numbers = [push["seqNo"] for push in await client.hear_for(20)]
            assert len(numbers) > 3
            assert all(b == a + 1 for a, b in pairwise(numbers)), "a second subscribe doubles nothing"


async def test_the_envelope_has_string_milliseconds_and_an_integer_number(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(30):
        async with connected(zonda()) as client:
            await client.public(LIMITED)
            await client.hear()
            push = await client.hear()
            assert list(push) == ["action", "topic", "message", "timestamp", "seqNo"]
            assert push["topic"] == f"trading/{LIMITED}"
            assert abs(int(push["timestamp"]) - wall_ns() // 10**6) <= 1
            assert isinstance(push["seqNo"], int)
            assert push["message"]["timestamp"] == push["timestamp"]


@pytest.mark.parametrize("limit", [10, 50, 100, None])
async def test_a_book_kept_as_the_page_says_is_the_markets_own(
    autojump_clock: trio.testing.MockClock, limit: int | None
) -> None:
    simulator = zonda()
    path = "orderbook/btc-pln" if limit is None else f"orderbook-limited/btc-pln/{limit}"
    with trio.fail_after(60):
        async with connected(simulator) as client:
            await client.public(path)
            kept = await client.hear_for(2)
            snapshot = await client.proxy(path)
            book = Book()
            book.load(snapshot)
            for push in pushes(kept + client.passed)[f"trading/{path}"]:
                book.apply(push)
            for push in await client.hear_for(20):
                book.apply(push)
            assert all(len(side) == min(limit or 10**6, len(side)) for side in book.sides.values())
            if limit == 10:
                assert {len(side) for side in book.sides.values()} == {10}
            shown = simulator._published().book("BTC-PLN", limit, simulator.now_ns())
            assert book.sequence == shown.sequence
            final = {
                "Buy": {rate: level.amount for rate, level in shown.levels["buy"].items()},
                "Sell": {rate: level.amount for rate, level in shown.levels["sell"].items()},
            }
            assert book.sides == final
            if limit is None:
                assert final == truth(simulator)


async def test_a_limited_book_is_conflated_to_about_530_milliseconds(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(60):
        async with connected(zonda()) as client:
            await client.public(LIMITED)
            await client.hear()
            times = [int(push["timestamp"]) for push in await client.hear_for(30)]
            steps = {b - a for a, b in pairwise(times)}
            assert len(times) > 40
            assert {530, 541, 524, 526, 549, 531} <= steps
            assert min(steps) >= 524


async def test_changes_read_as_recorded(autojump_clock: trio.testing.MockClock) -> None:
    simulator = zonda(markets=["BTC-PLN"])
    with trio.fail_after(90):
        async with connected(simulator) as client:
            await client.public("orderbook/btc-pln")
            await client.public(LIMITED)
            heard = pushes(await client.hear_for(60))
    changes = [c for push in heard[f"trading/{LIMITED}"] for c in push["message"]["changes"]]
    updates = [change for change in changes if change["action"] == "update"]
    assert {change["marketCode"] for change in changes} == {"BTC-PLN"}
    assert {change["entryType"] for change in changes} == {"Buy", "Sell"}
    assert list(updates[0]["state"]) == ["ra", "ca", "sa", "pa", "co"]
    assert all(change["state"]["pa"] == change["state"]["ca"] for change in updates)
    assert any(change["state"]["sa"] != change["state"]["ca"] for change in updates), "partly filled levels"
    assert any(change["state"]["co"] > 1 for change in updates)
    spellings: dict[Decimal, set[str]] = defaultdict(set)
    for change in changes:
        spellings[D(change["rate"])].add(change["rate"])
    assert any(len(texts) > 1 for texts in spellings.values()), "one price in two spellings"
    both = [p for p in heard[f"trading/{LIMITED}"] if {c["action"] for c in p["message"]["changes"]} == {"update", "remove"}]  # fmt: skip
    assert both, "what enters and what leaves the window comes in one push"
    assert len(heard["trading/orderbook/btc-pln"]) > len(heard[f"trading/{LIMITED}"]) * 3


async def test_snapshots_ascend_on_both_sides_and_number_with_a_string(
    autojump_clock: trio.testing.MockClock,
) -> None:
    simulator = zonda()
    with trio.fail_after(60):
        async with connected(simulator) as client:
            body = await client.proxy(LIMITED)
    assert list(body) == ["status", "sell", "buy", "timestamp", "seqNo"]
    assert isinstance(body["seqNo"], str)
    sells, buys = ([D(row["ra"]) for row in body[side]] for side in ("sell", "buy"))
    assert sells == sorted(sells)
    assert buys == sorted(buys)
    assert buys[-1] < sells[0]
    assert (len(buys), len(sells)) == (10, 10)


async def test_the_whole_books_snapshot_stops_at_300_levels(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(60):
        async with connected(zonda(depth=320, markets=["BTC-PLN"])) as client:
            body = await client.proxy("orderbook/btc-pln")
            limited = await client.proxy("orderbook-limited/btc-pln/100")
    assert (len(body["buy"]), len(body["sell"])) == (300, 300)
    assert [row["co"] for row in body["sell"][:100]] == [row["co"] for row in limited["sell"]]
    assert [D(row["ra"]) for row in body["buy"][-100:]] == [D(row["ra"]) for row in limited["buy"]]


async def test_each_limit_counts_for_itself_and_on_over_connections(
    autojump_clock: trio.testing.MockClock,
) -> None:
    simulator = zonda()
    last: dict[str, int] = {}
    with trio.fail_after(60):
        for _ in range(2):
            async with connected(simulator) as client:
                for limit in (10, 50):
                    await client.public(f"orderbook-limited/btc-pln/{limit}")
                heard = pushes(await client.hear_for(5))
            for topic, found in heard.items():
                numbers = [push["seqNo"] for push in found]
                assert all(b == a + 1 for a, b in pairwise(numbers))
                assert numbers[0] > last.get(topic, 0)
                assert numbers[0] - last.get(topic, numbers[0] - 1) < 5
                last[topic] = numbers[-1]
    ten, fifty = last.values()
    assert abs(ten - fifty) > 1000


async def test_a_book_that_nobody_read_is_as_good_as_new(autojump_clock: trio.testing.MockClock) -> None:
    simulator = zonda()
    with trio.fail_after(90):
        async with connected(simulator) as client:
            for path, limit in ((LIMITED, 10), ("orderbook/btc-pln", None)):
                first = await client.proxy(path)
                await client.hear_for(10)
                second = await client.proxy(path)
                assert int(second["seqNo"]) >= int(first["seqNo"]) + 15
                await client.hear_for(10)
                await client.public(path)
                await client.hear_until("subscribe-public-confirm")
                push = await client.hear()
                assert len(push["message"]["changes"]) < 12, "what changed since the subscribe alone"
                body = await client.proxy(path)
                book = Book()
                book.load(body)
                shown = simulator._published().book("BTC-PLN", limit, simulator.now_ns())
                for later in client.passed:
                    book.apply(later)
                assert set(book.sides["Buy"]) == set(shown.levels["buy"])
                await client.unsubscribe(path)
                await client.hear_for(1)
                client.passed.clear()


async def test_a_snapshot_is_taken_before_it_is_answered(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(60):
        async with connected(zonda(snapshot_delay_s=3.0)) as client:
            await client.public(LIMITED)
            await client.hear()
            await client.say({"action": "proxy", "requestId": "r", "module": "trading", "path": LIMITED})
            heard = await client.hear_for(3.2)
    place = next(n for n, message in enumerate(heard) if message.get("action") == "proxy-response")
    number = int(heard[place]["body"]["seqNo"])
    assert heard[place - 1]["seqNo"] >= number + 4
    assert heard[0]["seqNo"] == number + 1


async def test_a_snapshot_may_be_older_than_every_push_and_a_later_one_is_not(
    autojump_clock: trio.testing.MockClock,
) -> None:
    simulator = zonda(snapshot_age_s=2.0)
    with trio.fail_after(60):
        async with connected(simulator) as client:
            await client.public("ticker")
            await client.hear_for(6)
            await client.public(LIMITED)
            await client.hear_until("subscribe-public-confirm")
            first = None
            while first is None:
                push = await client.hear()
                first = push["seqNo"] if push["topic"].endswith("/10") else None
            old = await client.proxy(LIMITED)
            assert int(old["seqNo"]) < first - 1
            await client.hear_for(4)
            assert int((await client.proxy(LIMITED))["seqNo"]) >= first


async def test_a_snapshot_may_be_newer_than_every_push(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(60):
        async with connected(zonda(push_lag_s=2.0, snapshot_delay_s=0.0)) as client:
            await client.public(LIMITED)
            await client.hear_for(5)
            await client.say({"action": "proxy", "requestId": "r", "module": "trading", "path": LIMITED})
            heard = await client.hear_for(10)
    place = next(n for n, message in enumerate(heard) if message.get("action") == "proxy-response")
    number = int(heard[place]["body"]["seqNo"])
    rest = [message["seqNo"] for message in heard[place + 1 :]]
    assert rest[0] <= number - 2
    assert rest == list(range(rest[0], rest[0] + len(rest))), "late pushes keep their order"


async def test_tickers_statistics_and_transactions_agree(autojump_clock: trio.testing.MockClock) -> None:
    simulator = zonda(markets=["BTC-PLN", "USDT-PLN"], rate=10.0)
    with trio.fail_after(90):
        async with connected(simulator) as client:
            for path in ("ticker/btc-pln", "stats/btc-pln", "transactions/btc-pln", "ticker", "stats"):
                await client.public(path)
            before = {item["id"] for item in (await client.proxy("transactions/btc-pln", queryString="limit=300"))["items"]}  # fmt: skip
            heard = pushes(await client.hear_for(60))
            page = (await client.proxy("transactions/btc-pln", queryString={"limit": 300}))["items"]
            stats = (await client.proxy("stats/btc-pln"))["stats"]
            ticker = (await client.proxy("ticker/BTC-PLN"))["ticker"]
    trades = [t for push in heard["trading/transactions/btc-pln"] for t in push["message"]["transactions"]]
    assert len(trades) > 20
    assert list(trades[0]) == ["id", "t", "a", "r", "ty"]
    assert trades[0]["id"][14] == "1"
    assert trades[0]["id"].endswith("0242ac110008")
    assert len({trade["id"] for trade in trades}) == len(trades)
    newer = [item for item in reversed(page) if item["id"] not in before]
    assert [item["id"] for item in newer[: len(trades)]] == [trade["id"] for trade in trades]
    quotes = [push["message"] for push in heard["trading/ticker/btc-pln"]]
    assert set(quotes[0]) == {"market", "time", "highestBid", "lowestAsk", "rate", "previousRate"}
    assert {quote["rate"] for quote in quotes} <= {t["r"] for t in trades} | {page[-1]["r"]} | {
        quotes[0]["rate"]
    }
    assert all(D(quote["highestBid"]) < D(quote["lowestAsk"]) for quote in quotes)
    assert quotes[0]["market"] == ticker["market"] == {
        "code": "BTC-PLN", "first": {"currency": "BTC", "minOffer": "0.0000028", "scale": 8},
        "second": {"currency": "PLN", "minOffer": "5", "scale": 2}, "amountPrecision": 8, "pricePrecision": 2,
        "ratePrecision": 2,
    }  # fmt: skip
    assert {push["message"]["market"]["code"] for push in heard["trading/ticker"]} == {"BTC-PLN", "USDT-PLN"}
    said = heard["trading/stats/btc-pln"][-1]["message"]
    assert isinstance(said, list)
    assert not isinstance(said[0]["h"], str)
    assert isinstance(stats["h"], str)
    assert D(stats["l"]) <= D(said[0]["l"]) <= min(D(t["r"]) for t in trades[:-20])
    assert D(stats["v"]) >= D(said[0]["v"])
    assert {row["m"] for push in heard["trading/stats"] for row in push["message"]} == {"BTC-PLN", "USDT-PLN"}


async def test_the_cantor_tells_bare_rates_of_one_currency_in_another(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(60):
        async with connected(zonda()) as client:
            await client.public("rates/usd/eur", module="cantor_service")
            assert (await client.hear())["path"] == "rates/usd/eur"
            push = await client.hear()
    assert push["topic"] == "cantor_service/rates/usd/eur"
    assert push["message"]["rateCurrency"] == "USD"
    assert D("1.1") < push["message"]["rate"] < D("1.25")


async def test_an_acknowledgement_may_be_late_or_never_come_or_be_a_refusal(
    autojump_clock: trio.testing.MockClock,
) -> None:
    script = (
        DelayAck(nth=1, delay_s=3.0), WithholdAck(nth=2), WithholdAck(nth=3, serve=False),
        PartialAck(nth=4, leave_out=("BTC-PLN",)), RejectRequest(nth=5, message="UNDER_MAINTENANCE"),
        RejectRequest(nth=6, message="UNDER_MAINTENANCE"), WithholdAck(nth=7), RejectRequest(nth=8, message="no"),
    )  # fmt: skip
    with trio.fail_after(90):
        async with connected(zonda(*script)) as client:
            await client.public(LIMITED)
            heard = await client.hear_for(4)
            place = [m["action"] for m in heard].index("subscribe-public-confirm")
            assert place >= 4
            await client.public("ticker/btc-pln")
            topics = pushes(await client.hear_for(4))
            assert set(topics) == {f"trading/{LIMITED}", "trading/ticker/btc-pln"}
            for path in ("stats/eth-pln", "transactions/btc-pln"):
                await client.public(path)
            assert set(pushes(await client.hear_for(8))) == set(topics)
            await client.public("stats/btc-pln")
            error = await client.hear_until("subscribe-public-error")
            assert error["error"] == "UNDER_MAINTENANCE"
            body = await client.proxy(LIMITED)
            assert (body["status"], body["errors"]) == ("Fail", ["UNDER_MAINTENANCE"])
            assert int(body["estimatedTime"]) > wall_ns() // 10**6
            with trio.move_on_after(5) as waited:
                await client.proxy(LIMITED)
            assert waited.cancelled_caught
            await client.unsubscribe(LIMITED)
            assert set(pushes(await client.hear_for(4))) == set(topics), "a refused unsubscribe ends nothing"


async def test_lost_pushes_leave_a_gap_in_the_numbers(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(60):
        async with connected(zonda(SkipFrame(kind="orderbook-limited", nth=3, count=2))) as client:
            await client.public(LIMITED)
            await client.hear()
            numbers = [push["seqNo"] for push in await client.hear_for(8)]
    assert [b - a for a, b in pairwise(numbers)][:4] == [1, 3, 1, 1]


async def test_the_line_is_lost_without_a_word(autojump_clock: trio.testing.MockClock) -> None:
    simulator = zonda(DropLine(connection=1, after_s=3.0))
    with trio.fail_after(60):
        async with connected(simulator) as client:
            await client.public(LIMITED)
            reason = await client.hear_end()
        assert reason is None or reason.code == 1006
        async with connected(simulator) as client:
            await client.public(LIMITED)
            assert len(await client.hear_for(5)) > 5
    assert [seen.outcome for seen in simulator.records.connects] == ["open", "open"]


@pytest.mark.parametrize("pings", ["message", "frame", ""])
async def test_a_line_on_which_nothing_passes_is_cut_after_100_seconds(
    autojump_clock: trio.testing.MockClock, pings: str
) -> None:
    simulator = zonda(rate=1.0)
    with trio.fail_after(600):
        async with connected(simulator) as client:
            if not pings:
                await client.hear_end()
                assert trio.current_time() == pytest.approx(100, abs=0.1)
            for _ in range(5 if pings else 0):
                await trio.sleep(60)
                if pings == "frame":
                    await client.websocket.ping()
                else:
                    await client.say('{"action":"ping"}')
                    assert await client.websocket.get_message() == '{"action":"pong"}'
            alive = bool(simulator.connections)
    assert alive is bool(pings)
    assert len(simulator.records.breached("idle")) == (not pings)


async def test_idleness_may_be_allowed(autojump_clock: trio.testing.MockClock) -> None:
    simulator = zonda(idle_s=None, rate=1.0)
    with trio.fail_after(600):
        async with connected(simulator) as client:
            assert await client.hear_for(300) == []
            assert simulator.connections


@pytest.mark.parametrize(
    ("option", "left"),
    [(True, set()), (False, {"trading/ticker/btc-pln"}), ("line", None)],
)
async def test_unsubscribe_ends_more_than_it_names_and_is_not_acknowledged(
    autojump_clock: trio.testing.MockClock, option: Any, left: set[str] | None
) -> None:
    simulator = zonda(close_on_unsubscribe=option)
    with trio.fail_after(60):
        async with connected(simulator) as client:
            await client.public(LIMITED)
            await client.public("ticker/btc-pln")
            await client.hear_for(3)
            await client.unsubscribe(LIMITED)
            if left is None:
                await client.hear_end()
                assert not simulator.connections
                return
            await client.hear_for(0.01)
            heard = await client.hear_for(5)
            assert {message["action"] for message in heard} == ({"push"} if left else set())
            assert set(pushes(heard)) == left
            await client.public(LIMITED)
            assert (await client.hear_until("subscribe-public-confirm"))["path"] == LIMITED


async def test_there_is_one_socket(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(10):
        async with connected(zonda(), "/websocket") as client:
            await client.say({"action": "ping"})
            assert await client.hear() == {"action": "pong"}
        with pytest.RaisesGroup(trio_websocket.ConnectionRejected):
            async with connected(zonda(), "/"):
                pass


async def test_pushes_and_answers_may_come_without_an_action(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(30):
        async with connected(zonda(action_key=False)) as client:
            await client.public(LIMITED)
            assert (await client.hear())["action"] == "subscribe-public-confirm"
            assert list(await client.hear()) == ["topic", "message", "timestamp", "seqNo"]
            await client.say({"action": "proxy", "requestId": "r", "module": "trading", "path": LIMITED})
            answers = [message for message in await client.hear_for(1) if "topic" not in message]
            assert [list(answer) for answer in answers] == [["requestId", "statusCode", "body"]]


async def test_two_runs_of_one_seed_are_the_same(
    autojump_clock: trio.testing.MockClock,
) -> None:
    runs: list[list[Any]] = []
    for _ in range(2):
        now = trio.current_time()
        simulator = zonda(rate=2.0, wall_ns=lambda now=now: wall_ns() - int(now * 1e9))
        async with connected(simulator) as client:
            await client.public(LIMITED)
            await client.public("transactions/btc-pln")
            runs.append(await client.hear_for(120))
    assert len(runs[0]) > 50
    assert runs[0] == runs[1]


@pytest.mark.tcp
async def test_a_session_over_tcp() -> None:
    simulator = zonda()
    with trio.fail_after(20):
        async with (
            simulator.open_server() as url,
            trio_websocket.open_websocket_url(f"{url}/websocket/") as websocket,
        ):
            client = ZondaClient(websocket)
            await client.public(LIMITED)
            assert (await client.hear())["path"] == LIMITED
            book = Book()
            book.load(await client.proxy(LIMITED))
            for push in client.passed:
                book.apply(push)
            for _ in range(2):
                book.apply(await client.hear_until("push"))
    assert {len(side) for side in book.sides.values()} == {10}
