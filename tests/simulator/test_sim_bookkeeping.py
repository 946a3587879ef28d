"""The witness of the server's books, and the books as values that it keeps."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from tests.simulator.clients import KEY, connected, get, signature, wall_ns
from trioquotes.simulator.book import Book, Order
from trioquotes.simulator.bookkeeping import BookWitness
from trioquotes.simulator.happenings import Side
from trioquotes.simulator.market import Market
from trioquotes.simulator.venues.coinbase import CoinbaseSimulator
from trioquotes.simulator.venues.coinbase.listings import listings_of
from trioquotes.simulator.venues.coinbase.texts import time_text

D = Decimal
SIDES: tuple[Side, Side] = ("buy", "sell")


def resting(name: str, price: int, size: int) -> Order:
    """A bid."""
    return Order(
        order_id=name, trader=name, side="buy", kind="limit", price=D(price), size=D(size), remaining=D(size)
    )


def test_a_rung_stays_as_it_was_when_the_book_changes() -> None:
    book = Book()
    first, second = resting("a", 10, 3), resting("b", 10, 4)
    book.add(first)
    book.add(second)
    before = book.rungs("buy")
    assert book.rungs("buy")[0] is before[0]
    book.reduce(first, D(1))
    assert before == ((D(10), D(7), (("a", D(3)), ("b", D(4))), D(7)),)
    assert book.rungs("buy") == ((D(10), D(6), (("a", D(2)), ("b", D(4))), D(7)),)
    book.remove(first)
    book.remove(second)
    assert book.rungs("buy") == ()


@given(st.integers(0, 2**32), st.lists(st.integers(1, 3_000), max_size=8))
def test_rungs_are_the_levels_and_the_queue_whatever_happens(seed: int, pauses_ms: list[int]) -> None:
    market = Market(listings_of(["BTC-USD"]), seed=seed, start_ns=0, rate=20.0, depth=6, owners=["me"])
    book, now_ns = market.floors["BTC-USD"].book, 0
    for pause_ms in pauses_ms:
        for side in SIDES:
            rungs = book.rungs(side)
            assert [(r.price, r.size, len(r.orders)) for r in rungs] == book.levels(side)
            queue = [(order.order_id, order.remaining) for order in book.queue(side)]
            assert [order for rung in rungs for order in rung.orders] == queue
            assert all(sum(size for _, size in rung.orders) == rung.size <= rung.placed for rung in rungs)
        now_ns += pause_ms * 10**6
        market.advance(now_ns)


def test_a_witness_keeps_the_last_few_messages_of_each_channel() -> None:
    witness, book = BookWitness(2), Book()
    for place, mark in enumerate([7, 7, None]):
        book.add(resting(str(place), 10 + place, 1))
        witness.note("c", "X", mark, book, limit=1, whole=place == 2)
    assert [told.ordinal for told in witness.since("c", "X", 0)] == [1, 2]
    assert [told.ordinal for told in witness.since("c", "X", 2)] == [2]
    (second,) = witness.at("c", "X", 7)
    assert (second.bids, second.asks, second.whole) == (((D(11), D(1)),), (), False)
    latest = witness.latest("c", "X")
    assert latest is not None
    assert (latest.whole, latest.mark, len(latest.buys)) == (True, None, 3)
    assert (witness.count("c", "X"), witness.count("c", "Y"), witness.latest("c", "Y")) == (3, 0, None)
    assert witness.at("c", "X", 8) == ()


def test_a_witness_that_keeps_nothing_holds_nothing() -> None:
    witness = BookWitness(0)
    witness.note("c", "X", 1, Book())
    assert not witness.keeps
    assert witness.count("c", "X") == 0


def applied(book: dict[str, dict[Decimal, Decimal]], message: dict[str, Any]) -> None:
    """Keep a book as the venue's documentation says."""
    if message["type"] == "snapshot":
        for side, name in (("buy", "bids"), ("sell", "asks")):
            book[side] = {D(price): D(size) for price, size in message[name]}
        return
    for side, price, size in message["changes"]:
        book[side][D(price)] = D(size)
        if not D(size):
            del book[side][D(price)]


@pytest.mark.parametrize("channel", ["level2", "level2_50"])
async def test_the_book_at_every_message_is_that_of_a_client_who_reads_them(
    channel: str, autojump_clock: trio.testing.MockClock
) -> None:
    simulator = CoinbaseSimulator(
        seed=4, rate=40.0, keys=[KEY], products=["BTC-USD"], wall_ns=wall_ns, books_kept=5_000
    )
    book: dict[str, dict[Decimal, Decimal]] = {}
    with trio.fail_after(60):
        async with connected(simulator) as client:
            await client.ask(channel, product_ids=["BTC-USD"], **signature())
            messages = [m for m in await client.hear_for(30) if m["type"] in {"snapshot", "l2update"}]
    told = simulator.witness.since(channel, "BTC-USD", 0)
    assert len(messages) == len(told) > 200
    for message, one in zip(messages, told, strict=True):
        applied(book, message)
        assert (book["buy"], book["sell"]) == (dict(one.bids), dict(one.asks))
        if one.mark is not None:
            assert message["time"] == time_text(one.mark)
    assert any(len(one.bids) != len(told[0].bids) for one in told)


async def test_the_book_by_order_is_known_at_every_number(autojump_clock: trio.testing.MockClock) -> None:
    simulator = CoinbaseSimulator(seed=4, rate=40.0, products=["BTC-USD"], wall_ns=wall_ns, books_kept=5_000)
    with trio.fail_after(60):
        async with connected(simulator) as client:
            await client.ask("heartbeat", product_ids=["BTC-USD"])
            await client.hear_for(10)
            _, fetched = await get(simulator, "/products/BTC-USD/book?level=3")
    (told,) = simulator.witness.at("full", "BTC-USD", fetched["sequence"])
    for rungs, name in ((told.buys, "bids"), (told.sells, "asks")):
        orders = [(rung.price, size, order_id) for rung in rungs for order_id, size in rung.orders]
        assert orders == [(D(price), D(size), order_id) for price, size, order_id in fetched[name]]
    numbers = [one.mark for one in simulator.witness.since("full", "BTC-USD", 0)]
    assert numbers == list(range(numbers[0] or 0, fetched["sequence"] + 1))
