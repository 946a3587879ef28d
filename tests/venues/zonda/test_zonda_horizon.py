"""A book whose snapshot was cut: what is shown is right as far as it goes, and more is asked for in time."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.venues.zonda import feed
from trioquotes._protocol.effects import Receipt
from trioquotes.books import OrderBook
from trioquotes.events import BookChange, BookSnapshot, Level
from trioquotes.venues.zonda import OrderBookAnswer, OrderBookPush
from trioquotes.venues.zonda.books import SNAPSHOT_LEVELS, books
from trioquotes.venues.zonda.horizon import Horizon

PATH = "orderbook/btc-pln"
TOPIC = f"trading/{PATH}"


def snapshot(number: int, bids: dict[int, int], asks: dict[int, int]) -> OrderBookAnswer:
    """What the venue would answer: the best 300 prices a side, ascending."""
    buy = [(str(price), str(bids[price])) for price in sorted(bids)[-SNAPSHOT_LEVELS:]]
    sell = [(str(price), str(asks[price])) for price in sorted(asks)[:SNAPSHOT_LEVELS]]
    frame = feed.answer("1", feed.book(number, buy=buy, sell=sell))
    answer = msgspec.json.decode(frame, type=OrderBookAnswer)
    return msgspec.structs.replace(answer, topic=TOPIC)


def pushed(number: int, *changes: tuple[str, str, str | None]) -> OrderBookPush:
    return msgspec.json.decode(feed.change(number, *changes, path=PATH), type=OrderBookPush)


def apply(book: OrderBook, message: Any) -> None:
    event = books(message, Receipt(1))
    assert isinstance(event, BookSnapshot | BookChange)
    book.apply(event)


def side(levels: dict[int, int], *, descending: bool) -> list[Level]:
    prices = sorted(levels, reverse=descending)
    return [(Decimal(price), Decimal(levels[price])) for price in prices]


def test_whole_book_has_no_bounds_and_no_depth() -> None:
    horizon = Horizon()
    answer = horizon.start(snapshot(5, {99: 1}, {101: 1}))
    assert (answer.bid_floor, answer.ask_ceiling, horizon.known) == (None, None, None)
    assert horizon.follow(pushed(6, ("Buy", "5", "1"))).bid_floor is None
    event = books(answer, Receipt(1))
    assert isinstance(event, BookSnapshot)
    assert event.depth is None


def test_only_the_side_that_was_cut_has_a_bound() -> None:
    horizon = Horizon()
    answer = horizon.start(snapshot(5, dict.fromkeys(range(600, 1000), 1), {1001: 1}))
    assert (answer.bid_floor, answer.ask_ceiling, horizon.known) == (Decimal(700), None, 300)
    event = books(answer, Receipt(1))
    assert isinstance(event, BookSnapshot)
    assert event.depth == SNAPSHOT_LEVELS


def test_change_beyond_the_bound_stays_out_of_the_book() -> None:
    horizon = Horizon()
    book = OrderBook()
    apply(book, horizon.start(snapshot(5, dict.fromkeys(range(600, 1000), 1), {1001: 1})))
    apply(book, horizon.follow(pushed(6, ("Buy", "650", "7"), ("Buy", "999", None), ("Sell", "5000", "1"))))
    assert book.size_at("bid", Decimal(650)) is None
    assert book.size_at("bid", Decimal(700)) == 1
    assert book.size_at("ask", Decimal(5000)) == 1
    assert horizon.known == 299


@st.composite
def markets(draw: st.DrawFn) -> tuple[dict[int, int], dict[int, int]]:
    bids = dict.fromkeys(range(1000 - draw(st.sampled_from([5, 299, 300, 301, 330])), 1000), 1)
    asks = dict.fromkeys(range(1001, 1001 + draw(st.sampled_from([5, 299, 300, 301, 330]))), 1)
    return bids, asks


@settings(max_examples=60)
@given(markets(), st.data())
def test_what_is_shown_is_the_top_of_the_true_book(
    market: tuple[dict[int, int], dict[int, int]], data: st.DataObject
) -> None:
    bids, asks = market
    horizon, book = Horizon(), OrderBook()
    number = 10
    later = []
    base = snapshot(number, bids, asks)
    for many in range(data.draw(st.integers(0, 3))):
        later.append(pushed(number + 1 + many, *changes(data, bids, asks)))
    answer = msgspec.structs.replace(base, later=tuple(later))
    apply(book, horizon.start(answer))
    check(book, bids, asks)
    for many in range(data.draw(st.integers(0, 25))):
        apply(book, horizon.follow(pushed(number + 10 + many, *changes(data, bids, asks))))
        check(book, bids, asks)


def changes(
    data: st.DataObject, bids: dict[int, int], asks: dict[int, int]
) -> Iterator[tuple[str, str, str | None]]:
    """Changes of the true book, near its top, near the bound and beyond it."""
    for _ in range(data.draw(st.integers(1, 12))):
        near = data.draw(st.sampled_from([0, 0, 290, 300, 340])) + data.draw(st.integers(0, 12))
        buys = data.draw(st.booleans())
        levels, price = (bids, 999 - near) if buys else (asks, 1001 + near)
        name = "Buy" if buys else "Sell"
        if price in levels and data.draw(st.booleans()):
            del levels[price]
            yield name, str(price), None
        else:
            levels[price] = data.draw(st.integers(1, 9))
            yield name, str(price), str(levels[price])


def check(book: OrderBook, bids: dict[int, int], asks: dict[int, int]) -> None:
    shown_bids, shown_asks = book.depth()
    true_bids, true_asks = side(bids, descending=True), side(asks, descending=False)
    assert list(shown_bids) == true_bids[: len(shown_bids)]
    assert list(shown_asks) == true_asks[: len(shown_asks)]
    if book.window is None:
        assert (len(shown_bids), len(shown_asks)) == (len(true_bids), len(true_asks))
