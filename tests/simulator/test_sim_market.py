from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trioquotes.simulator import auction
from trioquotes.simulator.floor import Floor, Listing
from trioquotes.simulator.happenings import (
    AuctionIndicated,
    BalanceMoved,
    Closed,
    Happening,
    Matched,
    Opened,
    Side,
)
from trioquotes.simulator.market import SECOND_NS, Market

D = Decimal
LISTINGS = [
    Listing(
        instrument=f"{base}-USD", base=base, quote="USD", tick=D("0.01"), step=D("0.0001"),
        reference=D(price), lot=D("0.5"), traded=base != "ETH",
    )
    for base, price in (("BTC", 80_000), ("ETH", 2_500), ("LTC", 90))
]  # fmt: skip


def new_market(seed: int = 1, **options: object) -> Market:
    return Market(LISTINGS, **{"seed": seed, "start_ns": 0, "rate": 50.0, "owners": ["me"], **options})  # type: ignore[arg-type]


@settings(max_examples=10)
@given(st.integers(min_value=0, max_value=2**32), st.lists(st.integers(1, 3 * SECOND_NS), max_size=5))
def test_a_seed_decides_everything_however_time_is_cut(seed: int, cuts: list[int]) -> None:
    whole = new_market(seed).advance(3 * SECOND_NS)
    market = new_market(seed)
    pieces: list[Happening] = []
    for cut in [*sorted(cuts), 3 * SECOND_NS]:
        pieces += market.advance(cut)
    assert pieces == whole
    assert whole
    assert [h.time_ns for h in whole] == sorted(h.time_ns for h in whole)
    assert new_market(seed + 1).advance(3 * SECOND_NS) != whole


def test_an_instrument_does_not_depend_on_its_neighbours() -> None:
    alone = Market(LISTINGS[:1], seed=1, start_ns=0, rate=50.0, owners=["me"]).advance(SECOND_NS)
    among = [h for h in new_market().advance(SECOND_NS) if h.instrument == "BTC-USD"]
    assert [h for h in alone if h.instrument] == among


@settings(max_examples=10)
@given(st.integers(min_value=0, max_value=2**32))
def test_a_market_stays_deep_uncrossed_and_on_its_steps(seed: int) -> None:
    market = new_market(seed, depth=20)
    happened: set[str] = set()
    depths: list[int] = []
    for _ in range(8):
        for happening in market.advance(market.next_ns + SECOND_NS):
            happened.add(type(happening).__name__)
            for level in happening.levels:
                assert level.size >= 0
                assert not level.size % D("0.0001")
                assert not level.price % D("0.01")
        for floor in market.floors.values():
            bid, ask = floor.book.best("buy"), floor.book.best("sell")
            assert bid is not None
            assert ask is not None
            assert bid < ask
            depths.append(min(floor.book.depth("buy"), floor.book.depth("sell")))
            assert len(floor.book.orders) < 20 * 6 + 50
    assert sum(depth < 10 for depth in depths) <= 1 + len(depths) // 8  # one large order may take many levels
    assert {"Received", "Opened", "Closed", "Changed", "Matched", "BalanceMoved"} <= happened


@settings(max_examples=5)
@given(st.integers(min_value=0, max_value=2**32))
def test_accounts_move_by_trades_alone_and_hold_what_rests(seed: int) -> None:
    market = new_market(seed)
    before = dict(market.accounts.totals)
    happenings = market.advance(12 * SECOND_NS)
    moved = dict.fromkeys(before, D(0))
    for trade in (h for h in happenings if isinstance(h, Matched)):
        base = trade.instrument.partition("-")[0]
        for owner, is_taker, fee in (
            (trade.maker_owner, False, D("0.003")),
            (trade.taker_owner, True, D("0.005")),
        ):
            if owner:
                buys = (trade.taker_side == "buy") == is_taker
                moved[owner, base] += trade.size if buys else -trade.size
                notional = trade.price * trade.size
                moved[owner, "USD"] += (-notional if buys else notional) - fee * notional
    assert {key: before[key] + moved[key] for key in before} == market.accounts.totals
    assert any(moved.values())
    resting = [
        order for floor in market.floors.values() for order in floor.book.orders.values() if order.owner
    ]
    usd = sum((o.price * o.remaining for o in resting if o.side == "buy" and o.price and o.remaining), D(0))
    assert market.accounts.held("me", "USD") == usd
    latest = {(h.owner, h.currency): h for h in happenings if isinstance(h, BalanceMoved)}
    for (owner, currency), said in latest.items():
        assert said.available + said.held == market.accounts.totals[owner, currency]
        assert said.held == market.accounts.held(owner, currency)


def test_an_instrument_that_never_traded_has_no_trade_and_no_trade_id() -> None:
    floor = new_market().floors["ETH-USD"]
    assert (floor.last_trade, floor.trade_id) == (None, 0)
    assert floor.figures.day.volume == 0
    assert new_market().floors["BTC-USD"].last_trade is not None


def test_nothing_happens_while_the_market_rests() -> None:
    market = new_market(auctions={"LTC-USD": 2.0})
    market.rest_until(3600 * SECOND_NS)
    assert market.next_ns >= 3600 * SECOND_NS
    assert all(h.time_ns >= 3600 * SECOND_NS for h in market.advance(3601 * SECOND_NS))
    assert not market.floors["LTC-USD"].collecting


def test_the_past_gives_nothing_and_a_rate_of_zero_is_refused() -> None:
    market = new_market()
    market.advance(SECOND_NS)
    assert market.advance(0) == []
    with pytest.raises(ValueError, match="rate"):
        new_market(rate=0)


def test_what_is_done_by_hand_moves_the_accounts_too() -> None:
    market = new_market()
    floor = market.floors["BTC-USD"]
    held = market.accounts.held("me", "USD")
    out = market.perform(floor.place, 5, side="buy", trader="me", owner="me", price=D("1.00"), size=D("0.5"))
    moved = [h for h in out if isinstance(h, BalanceMoved)]
    assert moved[-1].held == held + D("0.5")
    opened = next(h for h in out if isinstance(h, Opened))
    market.perform(floor.cancel, 6, opened.order_id)
    assert market.accounts.held("me", "USD") == held


def auction_floor(*orders: tuple[Side, str, str]) -> Floor:
    ids = iter(range(1000))
    floor = Floor(LISTINGS[0], sequence=0, trade_id=0, new_id=lambda: f"o{next(ids)}")
    floor.collecting = True
    for side, price, size in orders:
        floor.place(0, side=side, trader=f"{side}{price}", price=D(price), size=D(size))
    return floor


def test_an_auction_opens_where_most_would_trade() -> None:
    floor = auction_floor(("buy", "101", "2"), ("buy", "100", "3"), ("sell", "99", "4"), ("sell", "102", "9"))
    state = auction.indicate(floor, 1)
    assert (state.state, state.open_price, state.open_size) == ("collection", D(99), D(4))
    assert (state.bid, state.bid_size, state.ask, state.ask_size) == (D(101), D(2), D(99), D(4))
    assert state.sequence == floor.sequence
    out = auction.uncross(floor, 2)
    trades = [h for h in out if isinstance(h, Matched)]
    assert [(t.price, t.size) for t in trades] == [(D(99), D(2)), (D(99), D(2))]
    assert floor.book.levels("buy") == [(D(100), D(1), 1)]
    assert floor.book.levels("sell") == [(D(102), D(9), 1)]
    assert [h.order_id for h in out if isinstance(h, Closed)] == ["o0", "o2"]
    assert auction.indicate(floor, 3).state == "opening"


def test_an_auction_without_anything_to_trade_just_opens() -> None:
    floor = auction_floor(("buy", "99", "1"), ("sell", "100", "1"))
    assert auction.indicate(floor, 1).open_price is None
    assert auction.uncross(floor, 2) == []
    assert auction.opening(auction_floor()) is None
    assert auction.indicate(auction_floor(), 1).bid is None


@given(
    st.lists(
        st.tuples(st.sampled_from(["buy", "sell"]), st.integers(95, 105), st.integers(1, 9)), max_size=25
    )
)
def test_after_an_auction_the_book_is_uncrossed_and_makers_can_be_followed(
    orders: list[tuple[Side, int, int]],
) -> None:
    floor = auction_floor(*((side, str(price), str(size)) for side, price, size in orders))
    by_id = {order.order_id: order.remaining or D(0) for order in floor.book.orders.values()}
    for happening in auction.uncross(floor, 1):
        if isinstance(happening, Matched):
            by_id[happening.maker_order_id] -= happening.size
        elif isinstance(happening, Closed):
            del by_id[happening.order_id]
    assert by_id == {order.order_id: order.remaining for order in floor.book.orders.values()}
    bid, ask = floor.book.best("buy"), floor.book.best("sell")
    assert bid is None or ask is None or bid < ask


def test_an_auction_is_indicated_once_a_second_and_then_opens() -> None:
    market = new_market(auctions={"LTC-USD": 3.0})
    out = market.advance(6 * SECOND_NS)
    states = [h for h in out if isinstance(h, AuctionIndicated)]
    assert [(h.state, h.time_ns // SECOND_NS) for h in states] == [
        ("collection", 0), ("collection", 1), ("collection", 2), ("opening", 3),
    ]  # fmt: skip
    assert states[-1].open_size
    trades = [h.time_ns for h in out if isinstance(h, Matched) and h.instrument == "LTC-USD"]
    assert min(trades) == 3 * SECOND_NS
