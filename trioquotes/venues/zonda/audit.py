"""A fresh snapshot of a book over HTTP, to compare the kept one with; pure."""

from __future__ import annotations

from functools import partial

from trioquotes._protocol.codec import BadFrame
from trioquotes._protocol.effects import Audit, Endpoint, Receipt, WireChannel
from trioquotes.events import BookSnapshot
from trioquotes.venues.zonda.books import snapshot_of
from trioquotes.venues.zonda.horizon import Horizon, promised
from trioquotes.venues.zonda.levels import flaw_of_snapshot
from trioquotes.venues.zonda.messages import OrderBookAnswer
from trioquotes.venues.zonda.paths import ORDERBOOK, topic_of
from trioquotes.venues.zonda.readers import BODY_HEAD, BOOK_BODY, is_failure
from trioquotes.venues.zonda.refusals import read_refusal
from trioquotes.venues.zonda.requests import get

__all__ = ["book_audit", "read_book"]


def book_audit(endpoint: Endpoint, channel: WireChannel) -> Audit | None:
    """How to get a snapshot of the book, or of the same window of it; ``None`` where the endpoint has no REST.

    *Source:* Zonda API, REST, orderbook (``GET /trading/orderbook/{market}``) and orderbook limited
    (``GET /trading/orderbook-limited/{market}/{limit}``).
    """
    if endpoint.rest is None:
        return None
    path = "/".join(part for part in channel if part)
    return Audit(get(f"{endpoint.rest}/trading/{path}"), partial(read_book, channel))


def read_book(channel: WireChannel, body: bytes, receipt: Receipt) -> BookSnapshot:
    """The snapshot that an answer holds; of ``orderbook`` a window, unless both sides end before it.

    Raises:
        BadFrame: it is a failure, which has the status 200 too, or no book.
    """
    if is_failure(BODY_HEAD.read(body)):
        raise BadFrame(read_refusal(body, "refused").text)
    book = BOOK_BODY.read(body)
    flaw = flaw_of_snapshot(book, promised(channel))
    if flaw:
        raise BadFrame(flaw)
    answer = OrderBookAnswer(request_id="", topic=topic_of(channel), body=book)
    if channel.name == ORDERBOOK:
        answer = Horizon().start(answer)
    found = snapshot_of(answer, receipt)
    if found.bids and found.asks and found.bids[0][0] >= found.asks[0][0]:
        raise BadFrame(f"bids up to {found.bids[0][0]} and asks from {found.asks[0][0]} on at $")
    return found
