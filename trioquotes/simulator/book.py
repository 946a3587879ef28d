"""A book of single orders: price first, then time; it holds orders and matches nothing."""

from __future__ import annotations

from bisect import bisect_left, insort
from decimal import Decimal
from typing import NamedTuple

import attrs

from trioquotes.simulator.happenings import LevelSet, OrderKind, Side

__all__ = ["Book", "Order", "Rung", "limit_of"]

ZERO = Decimal(0)


class Rung(NamedTuple):
    """One price of one side, and who rests there.

    Attributes:
        size: of all orders together.
        orders: id and remaining size of each, in the order in which they would trade.
        placed: what these orders had when they were placed.
    """

    price: Decimal
    size: Decimal
    orders: tuple[tuple[str, Decimal], ...]
    placed: Decimal


@attrs.define(kw_only=True)
class Order:
    """An order on its way through the market; the matching engine changes what remains of it.

    Attributes:
        trader: who is behind it; two orders of one trader never match.
        owner: the account holder known to the venue, or ``None`` for the crowd.
        size: as placed; ``None`` for a market order by funds alone.
        remaining: of ``size``.
        funds: what is left to spend; market orders only.
        arrival: ordinal of its arrival.
    """

    order_id: str
    trader: str
    side: Side
    kind: OrderKind
    price: Decimal | None = None
    size: Decimal | None = None
    remaining: Decimal | None = None
    funds: Decimal | None = None
    owner: str | None = None
    client_id: str | None = None
    arrival: int = 0


class Book:
    """The resting orders of one instrument.

    Attributes:
        orders: the resting orders by id.
    """

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self._queues: dict[Side, dict[Decimal, dict[str, Order]]] = {"buy": {}, "sell": {}}
        self._totals: dict[Side, dict[Decimal, Decimal]] = {"buy": {}, "sell": {}}
        self._prices: dict[Side, list[Decimal]] = {"buy": [], "sell": []}
        self._rungs: dict[Side, dict[Decimal, Rung]] = {
            "buy": {},
            "sell": {},
        }  # of prices that nothing touched since

    def add(self, order: Order) -> LevelSet:
        """Put a limit order at the end of the queue of its price."""
        price, remaining = limit_of(order)
        queue = self._queues[order.side].get(price)
        if queue is None:
            queue = self._queues[order.side][price] = {}
            self._totals[order.side][price] = ZERO
            insort(self._prices[order.side], price)
        queue[order.order_id] = order
        self._rungs[order.side].pop(price, None)
        self._totals[order.side][price] += remaining
        self.orders[order.order_id] = order
        return LevelSet(order.side, price, self._totals[order.side][price])

    def reduce(self, order: Order, by: Decimal) -> LevelSet:
        """Take some size off a resting order; it leaves the book when nothing remains."""
        price, remaining = limit_of(order)
        if not ZERO < by <= remaining:
            raise ValueError(f"cannot take {by} off an order that has {remaining}")
        order.remaining = remaining - by
        self._rungs[order.side].pop(price, None)
        self._totals[order.side][price] -= by
        if not order.remaining:
            self._forget(order, price)
        return LevelSet(order.side, price, self.size_at(order.side, price))

    def remove(self, order: Order) -> LevelSet:
        """Take a resting order off the book; what remained of it stays written in the order."""
        price, remaining = limit_of(order)
        self._totals[order.side][price] -= remaining
        self._rungs[order.side].pop(price, None)
        self._forget(order, price)
        return LevelSet(order.side, price, self.size_at(order.side, price))

    def _forget(self, order: Order, price: Decimal) -> None:
        del self.orders[order.order_id]
        queue = self._queues[order.side][price]
        del queue[order.order_id]
        if not queue:
            del self._queues[order.side][price]
            del self._totals[order.side][price]
            prices = self._prices[order.side]
            del prices[bisect_left(prices, price)]

    def best(self, side: Side) -> Decimal | None:
        """The best price of a side, or ``None`` where it is empty."""
        prices = self._prices[side]
        if not prices:
            return None
        return prices[-1] if side == "buy" else prices[0]

    def first(self, side: Side) -> Order | None:
        """The order that would trade next, or ``None`` where the side is empty."""
        best = self.best(side)
        return None if best is None else next(iter(self._queues[side][best].values()))

    def size_at(self, side: Side, price: Decimal) -> Decimal:
        """The total size at a price; zero where nothing rests."""
        return self._totals[side].get(price, ZERO)

    def depth(self, side: Side) -> int:
        """How many price levels a side has."""
        return len(self._prices[side])

    def levels(self, side: Side) -> list[tuple[Decimal, Decimal, int]]:
        """Price, total size and number of orders of each level, best first."""
        return [(p, self._totals[side][p], len(self._queues[side][p])) for p in self._ordered(side)]

    def rungs(self, side: Side) -> tuple[Rung, ...]:
        """The whole of a side, best first, as a value that stays as it is when the book changes."""
        known = self._rungs[side]
        return tuple([known.get(price) or self._rung(side, price) for price in self._ordered(side)])

    def _rung(self, side: Side, price: Decimal) -> Rung:
        queue = self._queues[side][price].values()
        orders = tuple((order.order_id, limit_of(order)[1]) for order in queue)
        placed = sum((max(order.size or ZERO, limit_of(order)[1]) for order in queue), ZERO)
        rung = self._rungs[side][price] = Rung(price, self._totals[side][price], orders, placed)
        return rung

    def queue(self, side: Side) -> list[Order]:
        """The orders of a side in the order in which they would trade."""
        return [order for price in self._ordered(side) for order in self._queues[side][price].values()]

    def _ordered(self, side: Side) -> list[Decimal]:
        prices = self._prices[side]
        return prices[::-1] if side == "buy" else prices[:]


def limit_of(order: Order) -> tuple[Decimal, Decimal]:
    """Price and remaining size of an order that has both."""
    if order.price is None or order.remaining is None:
        raise ValueError(f"order {order.order_id} has no price: it cannot rest on a book")
    return order.price, order.remaining
