from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioquotes.simulator.book import Book, Order
from trioquotes.simulator.figures import DAY_NS, HOUR_NS, Figures, RollingWindow
from trioquotes.simulator.floor import Floor, Listing, floor_to
from trioquotes.simulator.happenings import (
    Activated,
    Changed,
    Closed,
    Happening,
    LevelSet,
    Matched,
    Opened,
    Received,
    Side,
)

D = Decimal
LISTING = Listing(
    instrument="A/B", base="A", quote="B", tick=D("0.5"), step=D("0.1"), reference=D(100), lot=D(1)
)


def new_floor() -> Floor:
    ids = iter(range(10**6))
    return Floor(LISTING, sequence=10, trade_id=0, new_id=lambda: f"id-{next(ids)}")


def kinds(happenings: list[Happening]) -> list[str]:
    return [type(happening).__name__ for happening in happenings]


def rest(floor: Floor, side: Side, price: str, size: str, trader: str = "maker") -> str:
    out = floor.place(0, side=side, trader=trader, price=D(price), size=D(size))
    opened = out[-1]
    assert isinstance(opened, Opened)
    return opened.order_id


def test_a_passive_order_is_received_then_opens_with_its_level() -> None:
    out = new_floor().place(
        7, side="buy", trader="a", price=D("99.5"), size=D(2), client_id="mine", owner="me"
    )
    assert kinds(out) == ["Received", "Opened"]
    assert [(h.sequence, h.time_ns) for h in out] == [(11, 7), (12, 7)]
    assert out[1].levels == (LevelSet("buy", D("99.5"), D(2)),)
    received = out[0]
    assert isinstance(received, Received)
    assert (received.client_id, received.owner, received.kind) == ("mine", "me", "limit")


def test_an_aggressive_order_trades_at_the_makers_price_oldest_first() -> None:
    floor = new_floor()
    first = rest(floor, "sell", "100", "1")
    second = rest(floor, "sell", "100", "1")
    out = floor.place(1, side="buy", trader="t", price=D(101), size=D("1.5"))
    assert kinds(out) == ["Received", "Matched", "Closed", "Matched", "Closed"]
    trades = [h for h in out if isinstance(h, Matched)]
    assert [(t.maker_order_id, t.price, t.size, t.trade_id) for t in trades] == [
        (first, D(100), D(1), 1),
        (second, D(100), D("0.5"), 2),
    ]
    assert trades[1].levels == (LevelSet("sell", D(100), D("0.5")),)
    taker = out[-1]
    assert isinstance(taker, Closed)
    assert (taker.reason, taker.remaining, taker.resting) == ("filled", D(0), False)


def test_what_a_limit_order_cannot_trade_rests() -> None:
    floor = new_floor()
    rest(floor, "sell", "100", "1")
    out = floor.place(1, side="buy", trader="t", price=D(100), size=D(3))
    assert kinds(out) == ["Received", "Matched", "Closed", "Opened"]
    assert floor.book.best("buy") == D(100)
    assert floor.book.best("sell") is None


def test_a_market_order_by_funds_spends_them_and_shows_no_remaining_size() -> None:
    floor = new_floor()
    rest(floor, "sell", "100", "5")
    out = floor.place(1, side="buy", trader="t", funds=D(255))
    trade, done = out[1], out[2]
    assert isinstance(trade, Matched)
    assert isinstance(done, Closed)
    assert trade.size == D("2.5")
    assert (done.reason, done.price, done.remaining) == ("filled", None, None)


def test_a_market_order_with_size_and_funds_is_bound_by_both_and_shows_what_remains() -> None:
    floor = new_floor()
    rest(floor, "sell", "100", "5")
    by_size = floor.place(1, side="buy", trader="t", size=D(1), funds=D(1000))
    by_funds = floor.place(1, side="buy", trader="t", size=D(3), funds=D(100))
    assert isinstance(by_size[-1], Closed)
    assert isinstance(by_funds[-1], Closed)
    assert (by_size[-1].reason, by_size[-1].remaining) == ("filled", D(0))
    assert by_funds[-1].remaining == D(2)


def test_a_market_order_without_anybody_to_trade_with_is_cancelled() -> None:
    floor = new_floor()
    rest(floor, "sell", "100", "1")
    out = floor.place(1, side="buy", trader="t", size=D(2))
    done = out[-1]
    assert isinstance(done, Closed)
    assert (done.reason, done.cause) == ("canceled", "no_liquidity")


def test_a_traders_smaller_resting_order_is_cancelled_and_the_incoming_one_shrinks() -> None:
    floor = new_floor()
    mine = rest(floor, "sell", "100", "1", trader="me")
    rest(floor, "sell", "100", "5")
    out = floor.place(1, side="buy", trader="me", price=D(100), size=D(3))
    assert kinds(out) == ["Received", "Closed", "Changed", "Matched", "Closed"]
    cancelled, changed, trade = out[1], out[2], out[3]
    assert isinstance(cancelled, Closed)
    assert isinstance(changed, Changed)
    assert isinstance(trade, Matched)
    assert (cancelled.order_id, cancelled.cause, cancelled.remaining) == (mine, "self_trade", D(1))
    assert (changed.old_size, changed.new_size, changed.resting) == (D(3), D(2), False)
    assert trade.size == D(2)


def test_a_traders_larger_resting_order_shrinks_and_the_incoming_one_is_cancelled() -> None:
    floor = new_floor()
    mine = rest(floor, "sell", "100", "4", trader="me")
    out = floor.place(1, side="buy", trader="me", size=D(3))
    assert kinds(out) == ["Received", "Changed", "Closed"]
    changed = out[1]
    assert isinstance(changed, Changed)
    assert (changed.order_id, changed.old_size, changed.new_size) == (mine, D(4), D(1))
    assert changed.levels == (LevelSet("sell", D(100), D(1)),)


def test_equal_orders_of_one_trader_cancel_each_other() -> None:
    floor = new_floor()
    rest(floor, "sell", "100", "3", trader="me")
    out = floor.place(1, side="buy", trader="me", price=D(100), size=D(3))
    assert kinds(out) == ["Received", "Closed", "Closed"]
    assert not floor.book.orders


def test_self_trade_prevention_of_an_order_by_funds_counts_in_funds() -> None:
    floor = new_floor()
    rest(floor, "sell", "100", "1", trader="me")
    rest(floor, "sell", "100", "5")
    out = floor.place(1, side="buy", trader="me", funds=D(300))
    changed = next(h for h in out if isinstance(h, Changed))
    assert (changed.old_funds, changed.new_funds, changed.old_size) == (D(300), D(200), None)


def test_a_shrinking_order_keeps_its_place_and_a_moving_one_loses_it() -> None:
    floor = new_floor()
    first, second = rest(floor, "buy", "99", "5"), rest(floor, "buy", "99", "5")
    out = floor.modify(1, first, price=D(99), size=D(2))
    assert out[0].levels == (LevelSet("buy", D(99), D(7)),)
    assert [order.order_id for order in floor.book.queue("buy")] == [first, second]
    out = floor.modify(1, first, price=D(98), size=D(3))
    assert out[0].levels == (LevelSet("buy", D(99), D(5)), LevelSet("buy", D(98), D(3)))
    floor.modify(1, second, price=D(99), size=D(9))
    assert floor.book.levels("buy") == [(D(99), D(9), 1), (D(98), D(3), 1)]
    assert floor.modify(1, second, price=D(99), size=D(9))[0].levels == ()


def test_a_modification_that_would_trade_is_refused() -> None:
    floor = new_floor()
    mine = rest(floor, "buy", "99", "5")
    rest(floor, "sell", "100", "5")
    with pytest.raises(ValueError, match="would trade at once"):
        floor.modify(1, mine, price=D(100), size=D(5))


@pytest.mark.parametrize(
    "order",
    [
        {"price": D("99.3"), "size": D(1)},
        {"price": D(99), "size": D("0.05")},
        {"price": D(99), "size": D(0)},
        {"price": D(99)},
        {"price": D(99), "size": D(1), "funds": D(5)},
        {"funds": D(-1)},
    ],
)
def test_an_order_off_its_steps_or_without_sense_is_refused(order: dict[str, Any]) -> None:
    floor = new_floor()
    with pytest.raises(ValueError, match=r"positive|size or funds"):
        floor.place(0, side="buy", trader="t", **order)
    assert floor.sequence == 10


def test_an_auction_takes_no_market_orders_and_matches_nothing() -> None:
    floor = new_floor()
    floor.collecting = True
    rest(floor, "sell", "100", "1")
    assert kinds(floor.place(0, side="buy", trader="t", price=D(101), size=D(1))) == ["Received", "Opened"]
    with pytest.raises(ValueError, match="limit orders only"):
        floor.place(0, side="buy", trader="t", size=D(1))


@pytest.mark.parametrize(("side", "stop_price"), [("buy", "101"), ("sell", "99")])
def test_a_stop_order_waits_for_its_price_then_goes_in_as_a_market_order(side: Side, stop_price: str) -> None:
    floor = new_floor()
    for price in ("100", "101", "102"):
        rest(floor, "sell", price, "1")
    for price in ("99.5", "99", "98"):
        rest(floor, "buy", price, "1")
    out = floor.place_stop(0, side=side, trader="me", owner="me", stop_price=D(stop_price), size=D("0.5"))
    activated = out[0]
    assert isinstance(activated, Activated)
    assert (activated.sequence, activated.stop) == (None, "entry" if side == "buy" else "loss")
    assert not any(
        isinstance(h, Received) and h.owner == "me"
        for h in floor.place(1, side=side, trader="t", size=D("0.5"))
    )
    assert floor.waiting_stops == 1
    out = floor.place(2, side=side, trader="t", size=D(1))
    triggered = [h for h in out if isinstance(h, Received) and h.order_id == activated.order_id]
    assert [h.kind for h in triggered] == ["market"]
    assert floor.waiting_stops == 0


def test_a_book_refuses_what_cannot_rest_and_more_than_there_is() -> None:
    book = Book()
    with pytest.raises(ValueError, match="has no price"):
        book.add(Order(order_id="x", trader="t", side="buy", kind="market", size=D(1), remaining=D(1)))
    order = Order(order_id="y", trader="t", side="buy", kind="limit", price=D(1), size=D(1), remaining=D(1))
    book.add(order)
    with pytest.raises(ValueError, match="cannot take"):
        book.reduce(order, D(2))


Action = tuple[str, Side, int, int, int]
ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["limit", "limit", "limit", "market", "funds", "cancel", "modify"]),
        st.sampled_from(["buy", "sell"]),
        st.integers(min_value=190, max_value=210),
        st.integers(min_value=1, max_value=50),
        st.integers(min_value=0, max_value=4),
    ),
    max_size=60,
)


def do(floor: Floor, action: Action) -> list[Happening]:
    what, side, ticks, steps, trader = action
    price, size = ticks * LISTING.tick, steps * LISTING.step
    if what in {"cancel", "modify"}:
        if not floor.book.orders:
            return []
        order_id = sorted(floor.book.orders)[ticks % len(floor.book.orders)]
        if what == "cancel":
            return floor.cancel(1, order_id)
        try:
            return floor.modify(1, order_id, price=price, size=size)
        except ValueError:
            return []
    return floor.place(
        1, side=side, trader=f"t{trader}", price=price if what == "limit" else None,
        size=None if what == "funds" else size, funds=size * 100 if what == "funds" else None,
    )  # fmt: skip


@given(ACTIONS)
def test_the_book_is_never_crossed_and_every_view_agrees_after_each_order(actions: list[Action]) -> None:
    floor = new_floor()
    levels: dict[tuple[Side, Decimal], Decimal] = {}
    orders: dict[str, tuple[Side, Decimal, Decimal]] = {}
    sequence, trade_id = floor.sequence, floor.trade_id
    for action in actions:
        for happening in do(floor, action):
            assert happening.sequence == sequence + 1
            sequence += 1
            for level in happening.levels:
                assert level.size or (level.side, level.price) in levels, "removed what was not there"
                levels[level.side, level.price] = level.size
                if not level.size:
                    del levels[level.side, level.price]
            trade_id = follow(orders, happening, trade_id)
            aggregate: dict[tuple[Side, Decimal], Decimal] = {}
            for side, price, size in orders.values():
                aggregate[side, price] = aggregate.get((side, price), D(0)) + size
            pending = {key: size for key, size in aggregate.items() if size}
            assert pending == levels
        bid, ask = floor.book.best("buy"), floor.book.best("sell")
        assert bid is None or ask is None or bid < ask
        sides: tuple[Side, Side] = ("buy", "sell")
        assert {(s, p): size for s in sides for p, size, _ in floor.book.levels(s)} == levels


def follow(orders: dict[str, tuple[Side, Decimal, Decimal]], happening: Happening, trade_id: int) -> int:
    """Keep single orders by the documented rules; the next trade id."""
    match happening:
        case Opened():
            orders[happening.order_id] = (happening.side, happening.price, happening.remaining)
        case Matched():
            side, price, size = orders[happening.maker_order_id]
            assert happening.price == price
            orders[happening.maker_order_id] = (side, price, size - happening.size)
            assert happening.trade_id == trade_id + 1
            return happening.trade_id
        case Changed(new_price=Decimal() as price, new_size=Decimal() as size) if (
            happening.order_id in orders
        ):
            orders[happening.order_id] = (happening.side, price, size)
        case Closed():
            orders.pop(happening.order_id, None)
        case _:
            pass
    return trade_id


@given(ACTIONS)
def test_sizes_are_conserved_order_by_order(actions: list[Action]) -> None:
    floor = new_floor()
    placed: dict[str, Decimal] = {}
    gone: dict[str, Decimal] = {}
    over: set[str] = set()
    for action in actions:
        for happening in do(floor, action):
            match happening:
                case Received(size=Decimal() as size):
                    placed[happening.order_id] = size
                    gone[happening.order_id] = D(0)
                case Matched():
                    for order_id in (happening.maker_order_id, happening.taker_order_id):
                        gone[order_id] = gone.get(order_id, D(0)) + happening.size
                case Changed(old_size=Decimal() as old, new_size=Decimal() as new):
                    if happening.cause == "modified":
                        placed[happening.order_id] += new - old
                    else:
                        gone[happening.order_id] += old - new
                case Closed():
                    assert happening.order_id not in over
                    over.add(happening.order_id)
                    if happening.price is not None:
                        assert happening.remaining is not None
                        assert placed[happening.order_id] == gone[happening.order_id] + happening.remaining
                case _:
                    pass
    for order_id, order in floor.book.orders.items():
        assert order_id not in over
        assert order.remaining == placed[order_id] - gone[order_id]


@given(
    st.decimals(min_value=0, max_value=10**6, places=8), st.sampled_from(["0.01", "0.5", "1", "0.00000001"])
)
def test_floor_to_is_the_largest_multiple_not_above(value: Decimal, step: str) -> None:
    found = floor_to(value, D(step))
    assert found <= value < found + D(step)
    assert found % D(step) == 0


def test_a_rolling_window_forgets_what_is_older_than_it() -> None:
    window = RollingWindow(HOUR_NS, 2)
    for hour, price in enumerate((5, 9, 7)):
        window.add(hour * HOUR_NS, D(price), D(1))
        window.add(hour * HOUR_NS + 1, D(price) - 1, D(2))
    assert (window.open, window.high, window.low, window.volume) == (D(9), D(9), D(6), D(6))


def test_figures_hold_a_day_and_a_month() -> None:
    figures = Figures()
    figures.add(0, D(1), D(1))
    figures.add(2 * DAY_NS, D(2), D(1))
    assert (figures.day.volume, figures.month.volume) == (D(1), D(2))
