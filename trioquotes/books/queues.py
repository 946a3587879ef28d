"""What rests at the prices of a book by order: queues of orders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import chain
from operator import attrgetter

from trioquotes.books.exact import EXACT
from trioquotes.books.ladder import Ladder
from trioquotes.events import BookSide, Level

__all__ = ["Order", "OrderSide", "Queue"]


class Queue:
    """The orders at one price, in the order in which they trade, and their exact sum.

    Attributes:
        price: as the order spelt it that came first.
        size: the sum of what remains of all.
        orders: by their ids.
    """

    __slots__ = ("orders", "price", "size")

    def __init__(self, price: Decimal) -> None:
        self.price = price
        self.size = Decimal(0)
        self.orders: dict[str, Order] = {}

    def append(self, order: Order) -> None:
        """An order joins, last."""
        order.queue = self
        self.orders[order.order_id] = order
        self.size = EXACT.add(self.size, order.size)


class Order:
    """An order that rests.

    Attributes:
        side: of the book.
        price: where it rests.
        size: what remains of it.
        order_id: the venue's id.
        queue: where it waits, once it was appended to one.
    """

    __slots__ = ("order_id", "price", "queue", "side", "size")
    queue: Queue

    def __init__(self, side: BookSide, price: Decimal, size: Decimal, order_id: str) -> None:
        self.side: BookSide = side
        self.price = price
        self.size = size
        self.order_id = order_id


class OrderSide(Ladder[Queue]):
    """One side of a book by order: what rests at a price is a queue."""

    __slots__ = ()

    def level(self, item: Queue) -> Level:
        """The price and the sum of its queue."""
        return item.price, item.size

    @property
    def best(self) -> Level | None:
        """The best level."""
        return self.level(self.items[-1]) if self.items else None

    def top(self, n: int | None) -> tuple[Level, ...]:
        """The best ``n`` levels, or all, best first."""
        return tuple([(queue.price, queue.size) for queue in self.first(n)])

    def orders(self) -> Iterator[Order]:
        """Every order in the order in which they trade; nothing may change meanwhile."""
        return chain.from_iterable(queue.orders.values() for queue in self.walk())

    def replace(self, orders: Iterable[Order]) -> None:
        """Set the whole side; orders at one price keep their order."""
        keys: list[Decimal] = []
        queues: list[Queue] = []
        for order in sorted(orders, key=attrgetter("price"), reverse=self.negated):
            if not queues or queues[-1].price != order.price:
                keys.append(self.key(order.price))
                queues.append(Queue(order.price))
            queues[-1].append(order)
        self.load(keys, queues)

    def add(self, order: Order) -> None:
        """Let an order rest, last at its price."""
        key = self.key(order.price)
        keys, queues, at, known = self.locate(key)
        if known:
            queues[at].append(order)
            return
        queue = Queue(order.price)
        queue.append(order)
        self.insert(keys, queues, at, key, queue)

    def remove(self, order: Order) -> None:
        """Take an order away, and its price if nothing else rests there."""
        queue = order.queue
        del queue.orders[order.order_id]
        if queue.orders:
            queue.size = EXACT.subtract(queue.size, order.size)
            return
        keys, queues, at, _ = self.locate(self.key(queue.price))
        self.delete(keys, queues, at)
