"""Order books that are exact and say when they are not right: values in, values out, no I/O.

::

    book = OrderBook("BTC-USD")
    book.apply(snapshot)            # BookSnapshot: "live" from here on
    book.apply(change)              # BookChange: absolute sizes, zero removes
    book.best_bid, book.spread      # a Level and an exact Decimal, or None
    book.levels("ask", 10)          # best first
    book.invalidate("line lost")    # "broken": nothing is shown until the next snapshot
"""

from __future__ import annotations

from trioquotes.books.by_order import OrderBookL3, OrderBookL3Statistics, OrderOnBook, QueueAhead
from trioquotes.books.by_price import BookStatistics, OrderBook
from trioquotes.books.exact import BookError
from trioquotes.books.kept import Verify
from trioquotes.books.view import BookState, BookView, LevelsView
from trioquotes.events import BookSide

__all__ = [
    "BookError",
    "BookSide",
    "BookState",
    "BookStatistics",
    "BookView",
    "LevelsView",
    "OrderBook",
    "OrderBookL3",
    "OrderBookL3Statistics",
    "OrderOnBook",
    "QueueAhead",
    "Verify",
]
