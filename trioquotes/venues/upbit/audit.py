"""A book by REST, to compare a kept one with."""

from __future__ import annotations

from decimal import Decimal
from typing import Final
from urllib.parse import quote

import attrs
import msgspec

from trioquotes._protocol.codec import BadFrame, Counter
from trioquotes._protocol.effects import Audit, HttpRequest, Receipt
from trioquotes.events import BookSnapshot
from trioquotes.venues.upbit.books import fault_of, sides
from trioquotes.venues.upbit.messages import OrderbookUnit, stamp_ns
from trioquotes.venues.upbit.numbers import ExactReader

__all__ = ["FetchedOrderbook", "audit_of"]


class FetchedOrderbook(msgspec.Struct, frozen=True, kw_only=True):
    """The best levels of a book by REST.

    Attributes:
        market: its code.
        timestamp: when the book was as it is here, milliseconds since the epoch (see :func:`stamp_ns`).
        orderbook_units: best first.
        level: how wide prices are grouped, in quote units; 0 for not at all.

    *Source:* REST reference, "Orderbook".
    """

    market: str
    orderbook_units: tuple[OrderbookUnit, ...]
    timestamp: Counter | None = None
    total_ask_size: Decimal | None = None
    total_bid_size: Decimal | None = None
    level: Decimal | None = None


_READER: Final[ExactReader[tuple[FetchedOrderbook, ...]]] = ExactReader(tuple[FetchedOrderbook, ...])


@attrs.frozen
class _Page:
    """Reads the answer for one market; ``depth`` levels a side were asked for."""

    venue: str
    code: str
    depth: int

    def __call__(self, body: bytes, receipt: Receipt) -> BookSnapshot:
        """The book.

        Raises:
            BadFrame: the body is not that of this market, or its levels are not those of a book.
        """
        found = _READER.read(body)
        if [book.market for book in found] != [self.code]:
            raise BadFrame(f"books of {[book.market for book in found]}, not of {self.code}")
        (book,) = found
        if book.level:
            raise BadFrame(f"prices are grouped by {book.level}")
        units = book.orderbook_units
        fault = fault_of(units)
        if fault is not None:
            raise BadFrame(fault)
        bids, asks = sides(units, self.depth)
        if bids and asks and bids[0][0] >= asks[0][0]:
            raise BadFrame(f"crossed book: {bids[0][0]} bid and {asks[0][0]} asked")
        return BookSnapshot(
            venue=self.venue,
            instrument=self.code,
            venue_time_ns=stamp_ns(book.timestamp),
            received_ns=receipt.received_ns,
            raw=receipt.raw,
            bids=bids,
            asks=asks,
            depth=self.depth,
        )


def audit_of(venue: str, rest: str | None, code: str, depth: int) -> Audit | None:
    """How to get a market's book by REST; ``None`` where there is no REST.

    *Source:* REST reference, "Orderbook"; ``count`` since July 2025. Where it is not heeded there are more levels, or
    fewer, and they are the best ones all the same.

    Args:
        venue: for the snapshot.
        rest: the base URL.
        code: of the market.
        depth: levels a side, at most 30.
    """
    if rest is None:
        return None
    url = f"{rest}/v1/orderbook?markets={quote(code)}&count={depth}"
    return Audit(HttpRequest(url), _Page(venue, code, depth))
