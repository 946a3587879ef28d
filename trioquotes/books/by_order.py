"""The book by order (L3): every order that rests, in the order in which they trade."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from functools import reduce
from itertools import chain, islice, takewhile
from typing import NamedTuple

import attrs

from trioquotes.books.exact import (
    EXACT,
    BookError,
    asked_count,
    asked_price,
    checked_price,
    checked_size,
    of_side,
)
from trioquotes.books.kept import KeptBook, Verify
from trioquotes.books.queues import Order, OrderSide
from trioquotes.books.view import BookState
from trioquotes.events import BookSide, OrderBookChange, OrderBookSnapshot, RestingOrder

__all__ = ["OrderBookL3", "OrderBookL3Statistics", "OrderOnBook", "QueueAhead"]

_NOTHING = Decimal(0)


class OrderOnBook(NamedTuple):
    """An order that rests.

    Attributes:
        side: of the book.
        price: where it rests.
        size: what remains of it.
        order_id: the venue's id.
    """

    side: BookSide
    price: Decimal
    size: Decimal
    order_id: str


class QueueAhead(NamedTuple):
    """What trades before an order at the same price.

    Attributes:
        orders: how many orders.
        size: their exact sum.
    """

    orders: int
    size: Decimal


@attrs.frozen
class OrderBookL3Statistics:
    """What happened to a book by order since it was made.

    Attributes:
        state: as :attr:`BookView.state`.
        bid_levels: prices with a bid now.
        ask_levels: prices with an ask now.
        bid_orders: orders that bid now.
        ask_orders: orders that ask now.
        snapshots: snapshots applied.
        changes: changes applied, those of unknown orders included.
        unknown_orders: ``change`` and ``done`` of an order that does not rest, which mean nothing to a book: market
            orders, orders that never rested, and the ``done`` that follows the ``match`` that took all.
        invalidations: how often the book became ``broken``.
    """

    state: BookState
    bid_levels: int
    ask_levels: int
    bid_orders: int
    ask_orders: int
    snapshots: int
    changes: int
    unknown_orders: int
    invalidations: int


class OrderBookL3(KeptBook[OrderSide]):
    """The book of one instrument by order, kept from its snapshot and its changes.

    By price it is read as any :class:`BookView`: what rests at a price is the exact sum of its orders. A book is ``live`` or it shows nothing: while it is ``waiting`` or ``broken`` it has no orders and
    refuses changes until a snapshot comes. Prices may have any sign; sizes are positive. Not for use from
    several threads at once.

    ::

        book = OrderBookL3("BTC-USD")
        book.apply(snapshot)                # OrderBookSnapshot: "live" from here on
        book.apply(change)                  # OrderBookChange: open, match, change, done
        book.best_bid, book.levels("ask")   # by price, as of an OrderBook
        book.orders("bid", 5)               # the five that trade first
        book.queue_ahead(order_id)          # how many of them, and how much, before an order at its price

    Args:
        instrument: what it is the book of; empty takes it from the first snapshot.
        verify: called with the book and the event after each event that it took; says what is wrong with the
            book, or ``None``. What it says breaks the book.

    Attributes:
        state: whether the orders are right.
        instrument: what it is the book of; empty until the first snapshot of a book made without one.
        window: ``None``: a book by order is whole.
        reason: why the book is ``broken``; empty otherwise.
        sequence: the venue's counter of the last event in it that had one; ``None`` while it is not live.
    """

    __slots__ = ("_changes", "_orders", "_unknown", "sequence")
    sequence: int | None

    def __init__(self, instrument: str = "", *, verify: Verify | None = None) -> None:
        super().__init__(instrument, OrderSide(negated=False), OrderSide(negated=True), verify)
        self._orders: dict[str, Order] = {}
        self._changes = self._unknown = 0
        self.sequence = None

    def apply(self, event: OrderBookSnapshot | OrderBookChange) -> bool:
        """Take a snapshot, which replaces everything, or what happened to one order.

        - ``open``: the order rests, last at its price.
        - ``match``: the maker has so much less; with nothing left it is gone.
        - ``change``: a smaller size at the same price keeps the order's place; a larger one, or another price, makes
          it the last there. Without a price the order stays where it is.
        - ``done``: the order is gone.

        A ``change`` or ``done`` of an order that does not rest is counted and ignored: venues tell of orders that
        never did.

        Returns:
            Whether the event was about the book: ``False`` where it was ignored.

        Raises:
            BookError: the book is not live and this is a change, or it is of another instrument (the book stays as it
                was); or what came cannot be true (the book is ``broken`` from here on): an order opened that
                rests already, or twice in a snapshot; a match of an unknown order, or of more than rests; a
                side, or the price of a match or of what is done, other than the order's; what the action needs is
                missing; a size that is not from 1E-100 to 1E+100, or a price of an absurd magnitude; or ``verify``
                found the book wrong.
        """
        # The quick question first: one for a Struct's class asks its metaclass.
        if type(event) is not OrderBookChange and isinstance(event, OrderBookSnapshot):
            self._take(event, self._replace)
            return True
        if self.state != "live" or event.instrument != self.instrument:
            self._refuse(event)
        try:
            known = self._change(event)
            if event.sequence is not None:
                self.sequence = event.sequence
            self._changes += 1
            if not known:
                self._unknown += 1
        except BaseException as error:
            self._fail(event, error)
            raise
        if self._verify is not None:
            self._check(self._verify, event)
        return known

    def invalidate(self, reason: str) -> None:
        """Declare the book wrong: it drops its orders and waits for a snapshot.

        Args:
            reason: what was noticed; the first one counts until the next snapshot.
        """
        super().invalidate(reason)
        self._orders = {}
        self.sequence = None

    def order(self, order_id: str) -> OrderOnBook | None:
        """The order with that id; ``None`` if it does not rest, or the book is not live."""
        order = self._orders.get(order_id)
        return None if order is None else OrderOnBook(order.side, order.price, order.size, order_id)

    def orders(self, side: BookSide, n: int | None = None) -> tuple[RestingOrder, ...]:
        """The first ``n`` orders of one side, or all of them, in the order in which they trade.

        Returns:
            ``(price, size, order id)``, best price first; empty while the book is not live.

        Raises:
            UsageError: the side is neither ``"bid"`` nor ``"ask"``, or ``n`` is negative.
        """
        return _shown(islice(of_side(side, self._bids, self._asks).orders(), asked_count(n)))

    def orders_at(self, side: BookSide, price: Decimal) -> tuple[RestingOrder, ...]:
        """The orders of one side at a price, in the order in which they trade.

        Raises:
            UsageError: the side is neither ``"bid"`` nor ``"ask"``, or the price is no finite ``Decimal``.
        """
        queue = of_side(side, self._bids, self._asks).get(asked_price(price))
        return () if queue is None else _shown(queue.orders.values())

    def queue_ahead(self, order_id: str) -> QueueAhead | None:
        """What trades before an order at its price; ``None`` if it does not rest, or the book is not live."""
        order = self._orders.get(order_id)
        if order is None:
            return None
        ahead = [
            before.size for before in takewhile(lambda other: other is not order, order.queue.orders.values())
        ]
        return QueueAhead(len(ahead), reduce(EXACT.add, ahead, _NOTHING))

    def snapshot_by_order(
        self, *, venue: str, received_ns: int, venue_time_ns: int | None = None, sequence: int | None = None
    ) -> OrderBookSnapshot:
        """Every order as an immutable event that another book by order can start from.

        Args:
            venue: name of the venue.
            received_ns: our time of the last event in it, in Unix nanoseconds.
            venue_time_ns: the venue's time of that event.
            sequence: the venue's counter of that event; ``None`` takes the book's own.

        Raises:
            BookError: the book is not live.
        """
        self._demand_live()
        return OrderBookSnapshot(
            venue=venue,
            instrument=self.instrument,
            venue_time_ns=venue_time_ns,
            received_ns=received_ns,
            sequence=self.sequence if sequence is None else sequence,
            bids=self.orders("bid"),
            asks=self.orders("ask"),
        )

    def statistics(self) -> OrderBookL3Statistics:
        """Counts since the book was made."""
        bid_orders = sum(len(queue.orders) for queue in self._bids.walk())
        return OrderBookL3Statistics(
            state=self.state,
            bid_levels=len(self._bids),
            ask_levels=len(self._asks),
            bid_orders=bid_orders,
            ask_orders=len(self._orders) - bid_orders,
            snapshots=self._snapshots,
            changes=self._changes,
            unknown_orders=self._unknown,
            invalidations=self._invalidations,
        )

    def _replace(self, event: OrderBookSnapshot) -> None:
        orders: dict[str, Order] = {}
        bids = [_new("bid", order) for order in event.bids]
        asks = [_new("ask", order) for order in event.asks]
        for order in chain(bids, asks):
            if orders.setdefault(order.order_id, order) is not order:
                raise BookError(f"order {order.order_id!r} is twice in the snapshot")
        self._bids.replace(bids)
        self._asks.replace(asks)
        self._orders = orders
        self.sequence = event.sequence

    def _change(self, event: OrderBookChange) -> bool:
        """Do what the event says; ``False`` if it concerns no order of this book."""
        if event.action == "open":
            self._open(event)
            return True
        order = self._orders.get(event.order_id)
        if order is None:
            if event.action in {"change", "done"}:
                return False
            raise BookError(f"{event.action} of order {event.order_id!r}, which does not rest")
        if event.side is not None and event.side != order.side:
            raise BookError(
                f"{event.action} of order {order.order_id!r} on the {event.side} side; it rests on the other"
            )
        if event.action == "change":
            self._modify(order, event)
            return True
        if event.price is not None and event.price != order.price:
            raise BookError(
                f"{event.action} of order {order.order_id!r} at {event.price}; it rests at {order.price}"
            )
        if event.action == "match":
            self._match(order, event)
        elif event.action == "done":
            self._remove(order)
        else:
            raise BookError(f"unknown action {event.action!r} of order {event.order_id!r}")
        return True

    def _open(self, event: OrderBookChange) -> None:
        if event.order_id in self._orders:
            raise BookError(f"open of order {event.order_id!r}, which rests already")
        if event.side is None or event.price is None or event.size is None:
            raise BookError(f"open of order {event.order_id!r} without its side, price or size")
        if event.side not in ("bid", "ask"):
            raise BookError(f"open of order {event.order_id!r} on an unknown side: {event.side!r}")
        order = _new(event.side, (event.price, event.size, event.order_id))
        self._orders[order.order_id] = order
        self._side_of(order).add(order)

    def _match(self, order: Order, event: OrderBookChange) -> None:
        if event.size is None:
            raise BookError(f"match of order {order.order_id!r} without a size")
        traded = checked_size(event.size, order.price)
        if traded > order.size:
            raise BookError(f"match of {traded} of order {order.order_id!r}, of which {order.size} rests")
        if traded == order.size:
            self._remove(order)
        else:
            order.size = EXACT.subtract(order.size, traded)
            order.queue.size = EXACT.subtract(order.queue.size, traded)

    def _modify(self, order: Order, event: OrderBookChange) -> None:
        if event.size is None:
            raise BookError(f"change of order {order.order_id!r} without a size")
        size = checked_size(event.size, event.price)
        price = order.price if event.price is None else checked_price(event.price, size)
        if price == order.price and size <= order.size:
            order.queue.size = EXACT.subtract(order.queue.size, EXACT.subtract(order.size, size))
            order.size = size
            return
        self._remove(order)
        moved = Order(order.side, price, size, order.order_id)
        self._orders[moved.order_id] = moved
        self._side_of(moved).add(moved)

    def _remove(self, order: Order) -> None:
        del self._orders[order.order_id]
        self._side_of(order).remove(order)

    def _side_of(self, order: Order) -> OrderSide:
        return self._bids if order.side == "bid" else self._asks


def _new(side: BookSide, resting: RestingOrder) -> Order:
    price, size, order_id = resting
    if not order_id or not isinstance(order_id, str):
        raise BookError(f"an order at {price} without an id: {order_id!r}")
    return Order(side, checked_price(price, size), checked_size(size, price), order_id)


def _shown(orders: Iterable[Order]) -> tuple[RestingOrder, ...]:
    return tuple([(order.price, order.size, order.order_id) for order in orders])
