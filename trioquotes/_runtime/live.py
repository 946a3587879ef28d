"""Books that a session keeps and its user looks at."""

from __future__ import annotations

from decimal import Decimal
from types import TracebackType
from typing import Any, Self

import trio

from trioquotes._protocol.bookkeeper import KeptFeed
from trioquotes._runtime.channel import Channel
from trioquotes._runtime.mailbox import Mailbox
from trioquotes._runtime.subscription import Subscription
from trioquotes.books import BookState, BookView, OrderBook, OrderBookL3, OrderOnBook, QueueAhead
from trioquotes.events import BookSide, Event, RestingOrder

__all__ = ["LiveBook", "LiveOrderBook"]


class LiveBook(BookView):
    """A book that the session keeps, to be looked at: everything is read from its newest state.

    ::

        book = stream.book("BTC-USD")
        await book.wait_ready()
        print(book.best_bid, book.vwap("ask", Decimal(5)))
        async for update in book:       # BookSnapshot, BookChange, or a notice
            ...

    It is ``live``, and right, or it shows nothing: while the session knows that it is not right, after it was closed,
    and when the session is over. Iterating gives what happened to it, the latest in place of what a slow reader missed;
    notices are never missed. The book itself is always at least as new as the update. Two readers of one live book
    share its updates; a second ``stream.book(...)`` has its own.
    """

    def __init__(
        self,
        channel: Channel[Event],
        mailbox: Mailbox,
        subscription: Subscription,
        feed: KeptFeed[Any],
    ) -> None:
        self._channel = channel
        self._mailbox = mailbox
        self._subscription = subscription
        self._feed = feed
        self._closed = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.instrument}: {self.state}>"

    @property
    def topic(self) -> object:
        """What the session keeps it for."""
        return self._subscription.topic

    async def wait_ready(self) -> None:
        """Wait until the book is right.

        Raises:
            SubscriptionRejected, AuthenticationFailed, SessionError: why it never will be.
            trio.ClosedResourceError: it was closed, or the session is over.
        """
        await trio.lowlevel.checkpoint()
        while self.state != "live":
            if self._subscription.error is not None:
                raise self._subscription.error
            if self._closed or not self._mailbox.open:
                raise trio.ClosedResourceError(self.reason)
            await self._mailbox.wait()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        return await self._channel.__anext__()

    async def __aenter__(self) -> Self:
        await trio.lowlevel.checkpoint()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def close(self) -> None:
        """Stop looking; the topic is withdrawn if nobody else wants it. Twice is fine."""
        self._closed = True
        self._channel.close()

    async def aclose(self) -> None:
        """:meth:`close`, then a checkpoint."""
        self.close()
        await trio.lowlevel.checkpoint()

    @property
    def _end(self) -> str:
        """Why nobody keeps the book any more; empty while the session does."""
        if self._closed:
            return "the book was closed"
        if self._subscription.error is not None:
            return str(self._subscription.error)
        return "" if self._mailbox.open else "it was unsubscribed, or the session is over"

    @property
    def _book(self) -> OrderBook | OrderBookL3:
        end = self._end
        if not end:
            kept: OrderBook | OrderBookL3 = self._feed.book
            return kept
        empty: OrderBook | OrderBookL3 = type(self._feed.book)(self._feed.book.instrument)
        empty.invalidate(end)
        return empty

    @property
    def instrument(self) -> str:
        """What it is the book of."""
        instrument: str = self._feed.book.instrument
        return instrument

    @property
    def state(self) -> BookState:
        """Whether the levels are right."""
        return self._book.state

    @property
    def reason(self) -> str:
        """Why the book is ``broken``; empty otherwise."""
        return self._book.reason

    @property
    def window(self) -> int | None:
        """Levels a side that the venue promises at most; ``None`` means the whole book."""
        return self._book.window

    @property
    def _bids(self) -> Any:
        return self._book._bids  # noqa: SLF001  # a view of a view

    @property
    def _asks(self) -> Any:
        return self._book._asks  # noqa: SLF001  # as above


class LiveOrderBook(LiveBook):
    """A book by order that the session keeps, to be looked at: as :class:`LiveBook`, and every order of it."""

    @property
    def sequence(self) -> int | None:
        """The venue's counter of the last event in the book; ``None`` while it is not live."""
        return self._by_order.sequence

    def order(self, order_id: str) -> OrderOnBook | None:
        """The order with that id; ``None`` if it does not rest, or the book is not live."""
        return self._by_order.order(order_id)

    def orders(self, side: BookSide, n: int | None = None) -> tuple[RestingOrder, ...]:
        """The first ``n`` orders of one side, or all of them, in the order in which they trade.

        Raises:
            UsageError: the side is neither ``"bid"`` nor ``"ask"``, or ``n`` is negative.
        """
        return self._by_order.orders(side, n)

    def orders_at(self, side: BookSide, price: Decimal) -> tuple[RestingOrder, ...]:
        """The orders of one side at a price, in the order in which they trade.

        Raises:
            UsageError: the side is neither ``"bid"`` nor ``"ask"``, or the price is no finite ``Decimal``.
        """
        return self._by_order.orders_at(side, price)

    def queue_ahead(self, order_id: str) -> QueueAhead | None:
        """What trades before an order at its price; ``None`` if it does not rest, or the book is not live."""
        return self._by_order.queue_ahead(order_id)

    @property
    def _by_order(self) -> OrderBookL3:
        book = self._book
        if not isinstance(book, OrderBookL3):
            raise TypeError(f"{self.topic} keeps no book by order")
        return book
