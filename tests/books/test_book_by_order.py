"""The order book by order: queues in the order in which they trade, and by price their exact sums."""

from __future__ import annotations

import decimal
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Literal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.books.shelf import D, pairs, short_lists
from trioquotes.books import BookError, BookSide, OrderBook, OrderBookL3, OrderOnBook, QueueAhead
from trioquotes.errors import UsageError
from trioquotes.events import BookSnapshot, OrderBookChange, OrderBookSnapshot, RestingOrder

Action = Literal["open", "match", "change", "done"]


def orders(*texts: str) -> tuple[RestingOrder, ...]:
    """``orders("10 1.5 a")``: price, size, id."""
    return tuple((D(price), D(size), name) for price, size, name in (text.split() for text in texts))


def whole(
    bids: tuple[RestingOrder, ...] = (),
    asks: tuple[RestingOrder, ...] = (),
    *,
    sequence: int | None = None,
    instrument: str = "BTC-USD",
) -> OrderBookSnapshot:
    return OrderBookSnapshot(
        venue="test", instrument=instrument, received_ns=1, bids=bids, asks=asks, sequence=sequence
    )


def happens(
    action: Action,
    order_id: str,
    side: BookSide | None = None,
    price: str | Decimal | None = None,
    size: str | Decimal | None = None,
    *,
    sequence: int | None = None,
    instrument: str = "BTC-USD",
) -> OrderBookChange:
    return OrderBookChange(
        venue="test",
        instrument=instrument,
        received_ns=2,
        action=action,
        order_id=order_id,
        side=side,
        price=None if price is None else D(price),
        size=None if size is None else D(size),
        sequence=sequence,
    )


BIDS = orders("99 1 a", "99.0 2 b", "99 3 c", "98 4 d")
ASKS = orders("101 5 e", "102 6 f")


def live() -> OrderBookL3:
    book = OrderBookL3("BTC-USD")
    assert book.apply(whole(BIDS, ASKS, sequence=10))
    return book


def names(book: OrderBookL3, side: BookSide = "bid") -> str:
    return "".join(order_id for _, _, order_id in book.orders(side))


# What happens to orders


def test_snapshot_shows_orders_in_their_queues_and_levels_as_sums() -> None:
    book = live()
    assert book.orders("bid") == BIDS
    assert book.orders("ask", 1) == ASKS[:1]
    assert book.orders_at("bid", D("99.00")) == BIDS[:3]
    assert book.orders_at("ask", D(99)) == ()
    assert book.levels("bid") == pairs("99 6", "98 4")
    assert (book.best_bid, book.best_ask) == (pairs("99 6")[0], pairs("101 5")[0])
    assert (book.spread, book.sequence, book.window) == (D(2), 10, None)


def test_snapshot_may_come_with_its_prices_in_any_order() -> None:
    book = OrderBookL3()
    book.apply(whole(orders("98 4 d", "99 1 a", "97 1 z", "99 2 b"), orders("102 6 f", "101 5 e", "102 1 g")))
    assert names(book) == "abdz"
    assert names(book, "ask") == "efg"
    assert book.instrument == "BTC-USD"


def test_open_rests_last_at_its_price() -> None:
    book = live()
    assert book.apply(happens("open", "x", "bid", "99.000", "7", sequence=11))
    assert book.apply(happens("open", "y", "ask", "101.5", "8"))
    assert names(book) == "abcxd"
    assert names(book, "ask") == "eyf"
    assert book.levels("bid", 1) == pairs("99 13")
    assert book.order("x") == OrderOnBook("bid", D(99), D(7), "x")
    assert book.sequence == 11  # the last one that had a counter


def test_match_reduces_the_maker_and_takes_it_away_when_nothing_is_left() -> None:
    book = live()
    assert book.apply(happens("match", "a", "bid", "99", "0.25"))
    assert book.order("a") == OrderOnBook("bid", D(99), D("0.75"), "a")
    assert book.apply(happens("match", "a", size="0.75"))
    assert book.order("a") is None
    assert names(book) == "bcd"
    assert book.levels("bid", 1) == pairs("99 5")
    assert book.apply(happens("match", "e", size="5.000"))
    assert book.best_ask == (D(102), D(6))


@pytest.mark.parametrize(
    ("price", "size", "shown", "level"),
    [
        (None, "1.5", "abcd", "5.5"),  # less: it keeps its place
        ("99.00", "1.5", "abcd", "5.5"),
        ("99", "2", "abcd", "6"),
        (None, "2.5", "acbd", "6.5"),  # more: it goes last
        ("98", "1", "acdb", "4"),  # elsewhere: it goes last there
        ("99.5", "2", "bacd", "4"),
    ],
)
def test_change_keeps_the_place_only_of_what_becomes_smaller(
    price: str | None, size: str, shown: str, level: str
) -> None:
    book = live()
    assert book.apply(happens("change", "b", "bid", price, size))
    assert names(book) == shown
    assert book.size_at("bid", D(99)) == D(level)
    order = book.order("b")
    assert order is not None
    assert (order.price, order.size) == (D(price or 99), D(size))


def test_done_takes_the_order_away() -> None:
    book = live()
    assert book.apply(happens("done", "b", "bid", "99"))
    assert book.apply(happens("done", "f"))
    assert (names(book), names(book, "ask")) == ("acd", "e")
    assert book.levels("bid") == pairs("99 4", "98 4")


@pytest.mark.parametrize("action", ["change", "done"])
def test_what_happens_to_an_order_that_does_not_rest_is_counted_and_ignored(action: Action) -> None:
    book = live()
    assert not book.apply(happens(action, "market", "bid", "99", "1", sequence=12))
    assert book.orders("bid") == BIDS
    assert (book.sequence, book.statistics().unknown_orders) == (12, 1)


def test_queue_ahead_counts_what_trades_first_at_the_price() -> None:
    book = live()
    assert book.queue_ahead("a") == QueueAhead(0, D(0))
    assert book.queue_ahead("c") == QueueAhead(orders=2, size=D(3))
    assert book.queue_ahead("d") == QueueAhead(0, D(0))
    assert book.queue_ahead("market") is None


def test_sums_are_exact_in_a_context_that_rounds() -> None:
    with decimal.localcontext(decimal.Context(prec=2, traps=[decimal.Inexact])):
        book = OrderBookL3("BTC-USD")
        book.apply(whole(orders("99 123456789.00000001 a", "99 0.000000009 b")))
        book.apply(happens("match", "a", size="0.00000001"))
        book.apply(happens("open", "c", "bid", "99", "1E-20"))
        assert str(book.size_at("bid", D(99))) == "123456789.00000000900000000001"
        assert str(book.queue_ahead("c")) == "QueueAhead(orders=2, size=Decimal('123456789.000000009'))"
        book.apply(happens("change", "a", size="0.1"))
        assert book.size_at("bid", D(99)) == D("0.10000000900000000001")


# What cannot be true

WRONG: dict[str, OrderBookChange] = {
    "open of what rests": happens("open", "a", "bid", "99", "1"),
    "open without side": happens("open", "x", None, "99", "1"),
    "open without price": happens("open", "x", "bid", None, "1"),
    "open without size": happens("open", "x", "bid", "99"),
    "open without id": happens("open", "", "bid", "99", "1"),
    "open of nothing": happens("open", "x", "bid", "99", "0"),
    "open of less than nothing": happens("open", "x", "bid", "99", "-1"),
    "open of NaN": happens("open", "x", "bid", "99", "NaN"),
    "open of too much": happens("open", "x", "bid", "99", "1E+101"),
    "open at NaN": happens("open", "x", "bid", "sNaN", "1"),
    "open at an absurd price": happens("open", "x", "bid", "1E+999999999", "1"),
    "match of an unknown order": happens("match", "x", "bid", "99", "1"),
    "match of more than rests": happens("match", "a", "bid", "99", "1.00000001"),
    "match of nothing": happens("match", "a", "bid", "99", "0"),
    "match of NaN": happens("match", "a", "bid", "99", "NaN"),
    "match without size": happens("match", "a", "bid", "99"),
    "match on the other side": happens("match", "a", "ask", "99", "1"),
    "match at another price": happens("match", "a", "bid", "99.01", "1"),
    "change on the other side": happens("change", "a", "ask", "99", "1"),
    "change without size": happens("change", "a", "bid", "98"),
    "change to nothing": happens("change", "a", "bid", "99", "0"),
    "change to less than nothing": happens("change", "a", "bid", "99", "-2"),
    "change to an infinite price": happens("change", "a", "bid", "Infinity", "1"),
    "done on the other side": happens("done", "a", "ask"),
    "done at another price": happens("done", "a", "bid", "98"),
}


def _odd(**parts: Any) -> OrderBookChange:
    given: dict[str, Any] = {"action": "open", "order_id": "x", "side": "bid", "price": D(99), "size": D(1)}
    return OrderBookChange(venue="test", instrument="BTC-USD", received_ns=2, **given | parts)


WRONG |= {
    "unknown action": _odd(action="replace", order_id="a"),
    "unknown action of an unknown order": _odd(action="replace"),
    "unknown side": _odd(side="buy"),
    "float size": _odd(size=1.5),
    "float price": _odd(price=99.5),
    "whole number as size": _odd(size=1),
    "id that is no text": _odd(order_id=7),
    "id that cannot be looked up": _odd(order_id=["x"]),
    "float match": _odd(action="match", order_id="a", size=0.5),
}


@pytest.mark.parametrize("trap", [True, False], ids=["trapping", "quiet"])
@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_true_breaks_the_book_and_says_so(what: str, trap: bool) -> None:
    book = live()
    with decimal.localcontext() as context:
        context.traps[decimal.InvalidOperation] = trap
        with pytest.raises(BookError, match="BTC-USD"):
            book.apply(WRONG[what])
    _shows_nothing(book)
    assert book.state == "broken"
    assert book.reason
    assert book.statistics().invalidations == 1


def _shows_nothing(book: OrderBookL3) -> None:
    assert book.depth() == ((), ())
    assert (book.orders("bid"), book.orders("ask"), book.sequence) == ((), (), None)
    assert (book.best_bid, book.best_ask, book.order("a"), book.queue_ahead("a")) == (None, None, None, None)


@pytest.mark.parametrize(
    ("bids", "asks", "words"),
    [
        (orders("99 1 a", "98 1 a"), (), "twice"),
        (orders("99 1 a"), orders("101 1 a"), "twice"),
        (orders("99 1 x"), orders("101 0 y"), "size 0"),
        (orders("99 -1 x"), (), "size -1"),
        (orders("99 1 x", "NaN 1 y"), (), "price NaN"),
        (((D(99), D(1)),), (), "is broken"),
        (((D(99), D(1), ""),), (), "without an id"),
        (((99.5, D(1), "x"),), (), "is broken"),
    ],
)
@pytest.mark.parametrize("before", ["live", "waiting", "broken"])
def test_bad_snapshot_leaves_no_half_of_a_book(bids: Any, asks: Any, words: str, before: str) -> None:
    book = OrderBookL3("BTC-USD") if before == "waiting" else live()
    if before == "broken":
        book.invalidate("lost")
    with pytest.raises(BookError, match=words):
        book.apply(whole(bids, asks))
    _shows_nothing(book)
    assert book.state == "broken"
    book.apply(whole(BIDS, ASKS, sequence=20))
    assert (book.state, book.reason, book.orders("bid"), book.sequence) == ("live", "", BIDS, 20)


def test_interrupt_half_way_breaks_the_book_and_passes() -> None:
    class Iterated(tuple[RestingOrder, ...]):
        __slots__ = ()

        def __iter__(self) -> Iterator[RestingOrder]:
            raise KeyboardInterrupt

    book = live()
    with pytest.raises(KeyboardInterrupt):
        book.apply(whole(BIDS, Iterated(ASKS)))
    _shows_nothing(book)
    assert (book.state, book.reason) == ("broken", "interrupted while an event was applied")


def test_interrupt_within_a_change_breaks_the_book_and_passes() -> None:
    class Interrupting(Decimal):
        def is_finite(self) -> bool:
            raise KeyboardInterrupt

    book = live()
    with pytest.raises(KeyboardInterrupt):
        book.apply(_odd(action="change", order_id="a", price=D(98), size=Interrupting(1)))
    _shows_nothing(book)


def test_book_that_is_not_live_refuses_changes_and_stays_as_it_is() -> None:
    book = OrderBookL3("BTC-USD")
    for state in ("waiting", "broken"):
        with pytest.raises(BookError, match=state):
            book.apply(happens("open", "x", "bid", "99", "1"))
        with pytest.raises(BookError, match=state):
            book.snapshot_by_order(venue="test", received_ns=1)
        assert book.state == state
        book.invalidate("lost")
    assert book.reason == "lost"


def test_event_of_another_instrument_is_refused_and_changes_nothing() -> None:
    book = live()
    for event in (happens("done", "a", instrument="ETH-USD"), whole(instrument="ETH-USD")):
        with pytest.raises(BookError, match="ETH-USD"):
            book.apply(event)
    assert (book.state, book.orders("bid")) == ("live", BIDS)


def test_verify_breaks_the_book_with_what_it_says() -> None:
    book = OrderBookL3("BTC-USD", verify=lambda book, _: "too few bids" if len(book.bids) < 2 else None)
    book.apply(whole(BIDS, ASKS))
    with pytest.raises(BookError, match="too few bids"):
        book.apply(happens("done", "d"))
    _shows_nothing(book)
    assert (book.state, book.reason) == ("broken", "too few bids")


def test_arguments_that_mean_nothing_are_usage_errors() -> None:
    book = live()
    side: Any = "buy"
    with pytest.raises(UsageError, match="buy"):
        book.orders(side)
    with pytest.raises(UsageError, match="-1"):
        book.orders("bid", -1)
    with pytest.raises(UsageError, match="buy"):
        book.orders_at(side, D(1))
    with pytest.raises(UsageError, match="NaN"):
        book.orders_at("bid", D("NaN"))


# Snapshot and counts


def test_snapshot_by_order_is_a_value_that_another_book_starts_from() -> None:
    book = live()
    taken = book.snapshot_by_order(venue="test", received_ns=5, venue_time_ns=4)
    assert (taken.bids, taken.asks) == (BIDS, ASKS)
    assert (taken.venue, taken.instrument, taken.received_ns, taken.venue_time_ns) == (
        "test",
        "BTC-USD",
        5,
        4,
    )
    assert (taken.sequence, book.snapshot_by_order(venue="test", received_ns=5, sequence=7).sequence) == (
        10,
        7,
    )
    book.apply(happens("done", "a"))
    other = OrderBookL3()
    other.apply(taken)
    assert other.orders("bid") == BIDS
    other.apply(happens("done", "a"))
    assert other.orders("bid") == book.orders("bid")


def test_snapshot_by_price_is_one_that_a_book_by_price_starts_from() -> None:
    taken = live().snapshot(venue="test", received_ns=5)
    assert isinstance(taken, BookSnapshot)
    book = OrderBook()
    book.apply(taken)
    assert book.depth() == live().depth()
    assert taken.depth is None


def test_statistics_count_what_happened() -> None:
    book = live()
    book.apply(happens("open", "x", "ask", "101", "1"))
    book.apply(happens("match", "x", size="1"))
    book.apply(happens("done", "x"))
    counts = book.statistics()
    assert (counts.state, counts.bid_levels, counts.ask_levels) == ("live", 2, 2)
    assert (counts.bid_orders, counts.ask_orders) == (4, 2)
    assert (counts.snapshots, counts.changes, counts.unknown_orders, counts.invalidations) == (1, 3, 1, 0)
    assert repr(book) == "<OrderBookL3 BTC-USD: live, 2 bids, 2 asks>"


# Against a naive model: a plain list of orders, oldest first

ids = st.sampled_from([f"id{number}" for number in range(12)])
prices = st.builds(
    lambda number, spelling: D(spelling.format(number)),
    st.integers(1, 9),
    st.sampled_from(["{}", "{}.0", "{}.00"]),
)
sizes = st.one_of(st.integers(1, 5).map(D), st.decimals("0.00000001", "9", places=8))
book_sides: st.SearchStrategy[BookSide] = st.sampled_from(["bid", "ask"])


class BookByOrderAgainstModel(RuleBasedStateMachine):
    """The book equals a list that is searched from its begin at every look, and its sums a book by price."""

    def __init__(self) -> None:
        super().__init__()
        self.book = OrderBookL3("BTC-USD")
        self.model: list[OrderOnBook] = []
        self.live = False
        self.lists = short_lists(512)

    @initialize(most=st.sampled_from([2, 4, 512]))
    def lists_are_short(self, most: int) -> None:
        self.lists = short_lists(most)
        self.lists.__enter__()

    def teardown(self) -> None:
        self.lists.__exit__(None, None, None)

    def _found(self, order_id: str) -> OrderOnBook | None:
        return next((order for order in self.model if order.order_id == order_id), None)

    def _side(self, side: BookSide) -> list[OrderOnBook]:
        resting = [order for order in self.model if order.side == side]
        return sorted(resting, key=lambda order: order.price, reverse=side == "bid")

    def _refused(self, event: OrderBookSnapshot | OrderBookChange) -> None:
        with pytest.raises(BookError):
            self.book.apply(event)
        if self.live or isinstance(event, OrderBookSnapshot):
            assert self.book.state == "broken"
        self.model, self.live = [], False

    @rule(resting=st.lists(st.tuples(ids, book_sides, prices, sizes), max_size=12))
    def takes_a_snapshot(self, resting: list[tuple[str, BookSide, Decimal, Decimal]]) -> None:
        model = [OrderOnBook(side, price, size, name) for name, side, price, size in resting]
        event = whole(
            *(tuple((o.price, o.size, o.order_id) for o in model if o.side == s) for s in ("bid", "ask"))
        )
        if len({order.order_id for order in model}) < len(model):
            self._refused(event)
            return
        assert self.book.apply(event)
        self.model, self.live = model, True

    @precondition(lambda self: self.live)
    @rule(name=ids, side=book_sides, price=prices, size=sizes)
    def opens(self, name: str, side: BookSide, price: Decimal, size: Decimal) -> None:
        event = happens("open", name, side, price, size)
        if self._found(name):
            self._refused(event)
            return
        assert self.book.apply(event)
        self.model.append(OrderOnBook(side, price, size, name))

    @precondition(lambda self: self.model)
    @rule(data=st.data(), size=sizes, all_of_it=st.booleans(), say=st.booleans())
    def matches(self, data: st.DataObject, size: Decimal, all_of_it: bool, say: bool) -> None:
        order = data.draw(st.sampled_from(self.model))
        traded = order.size if all_of_it else size
        side, price = (order.side, order.price) if say else (None, None)
        event = happens("match", order.order_id, side, price, traded)
        if traded > order.size:
            self._refused(event)
            return
        assert self.book.apply(event)
        at = self.model.index(order)
        self.model[at : at + 1] = [] if traded == order.size else [order._replace(size=order.size - traded)]

    @precondition(lambda self: self.live)
    @rule(name=ids, price=st.none() | prices, size=sizes)
    def changes(self, name: str, price: Decimal | None, size: Decimal) -> None:
        order = self._found(name)
        assert self.book.apply(happens("change", name, None, price, size)) == (order is not None)
        if order is None:
            return
        at = self.model.index(order)
        if size <= order.size and price in (None, order.price):
            self.model[at] = order._replace(size=size)
        else:
            del self.model[at]
            self.model.append(order._replace(price=price or order.price, size=size))

    @precondition(lambda self: self.live)
    @rule(name=ids)
    def is_done(self, name: str) -> None:
        order = self._found(name)
        assert self.book.apply(happens("done", name)) == (order is not None)
        self.model = [other for other in self.model if other is not order]

    @precondition(lambda self: not self.live)
    @rule(name=ids)
    def refuses_a_change(self, name: str) -> None:
        self._refused(happens("done", name))

    @rule()
    def is_invalidated(self) -> None:
        self.book.invalidate("told to")
        self.model, self.live = [], False

    @invariant()
    def shows_the_same(self) -> None:
        book = self.book
        assert (book.state == "live") == self.live
        for side in ("bid", "ask"):
            resting = self._side(side)
            expected = [(order.price, order.size, order.order_id) for order in resting]
            assert list(book.orders(side)) == expected
            assert list(book.orders(side, 3)) == expected[:3]
        for order in self.model:
            assert book.order(order.order_id) == order
            queue = [other for other in self._side(order.side) if other.price == order.price]
            assert [name for *_, name in book.orders_at(order.side, order.price)] == [
                o.order_id for o in queue
            ]
            ahead = queue[: queue.index(order)]
            assert book.queue_ahead(order.order_id) == QueueAhead(
                len(ahead), sum((o.size for o in ahead), D(0))
            )
        counts = book.statistics()
        assert (counts.bid_orders, counts.ask_orders) == (len(self._side("bid")), len(self._side("ask")))

    @invariant()
    def sums_equal_a_book_by_price(self) -> None:
        sums: dict[BookSide, dict[Decimal, Decimal]] = {"bid": {}, "ask": {}}
        for order in self.model:
            at = sums[order.side]
            at[order.price] = at.get(order.price, D(0)) + order.size
        naive = OrderBook("BTC-USD")
        naive.apply(
            BookSnapshot(
                venue="test", instrument="BTC-USD", received_ns=1,
                bids=tuple(sums["bid"].items()), asks=tuple(sums["ask"].items()),
            )
        )  # fmt: skip
        assert self.book.depth() == naive.depth()
        assert (self.book.best_bid, self.book.best_ask) == (naive.best_bid, naive.best_ask)
        assert (len(self.book.bids), len(self.book.asks)) == (len(naive.bids), len(naive.asks))
        for price in range(10):
            assert self.book.size_at("bid", D(price)) == naive.size_at("bid", D(price))

    @precondition(lambda self: self.live)
    @invariant()
    def shows_the_same_through_its_snapshot(self) -> None:
        copy = OrderBookL3()
        copy.apply(self.book.snapshot_by_order(venue="test", received_ns=1))
        assert (copy.orders("bid"), copy.orders("ask")) == (self.book.orders("bid"), self.book.orders("ask"))


BookByOrderAgainstModel.TestCase.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
TestBookByOrderAgainstModel = BookByOrderAgainstModel.TestCase


def test_book_of_a_hundred_thousand_orders_keeps_every_one() -> None:
    """Each of them opened, matched in part or changed, and in the end gone."""
    number = 100_000
    book = OrderBookL3("BTC-USD")
    half = [(D(1 + at * 7919 % 9973), D(2), str(at)) for at in range(0, number, 2)]
    book.apply(whole(tuple(half)))
    for at in range(1, number, 2):
        book.apply(happens("open", str(at), "bid", D(1 + at * 7919 % 9973), "2"))
    assert book.statistics().bid_orders == number
    assert book.size_within("bid", D(1)) == 2 * number
    for at in range(number):
        book.apply(
            happens("match", str(at), size="0.5") if at % 3 else happens("change", str(at), size="1.5")
        )
    assert book.size_within("bid", D(1)) == D("1.5") * number
    assert [price for price, _ in book.levels("bid")] == sorted(map(D, range(1, 9974)), reverse=True)
    for at in range(number):
        book.apply(happens("done", str(at)))
    assert (book.levels("bid"), book.statistics().unknown_orders) == ((), 0)
