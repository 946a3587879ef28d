"""A fresh snapshot of a book by REST, to compare the kept one with."""

from __future__ import annotations

from functools import partial
from typing import Final

import msgspec
from msgspec.structs import force_setattr

from trioquotes._protocol.codec import BadFrame
from trioquotes._protocol.effects import Audit, Endpoint, HttpRequest, Receipt
from trioquotes.events import BookSnapshot
from trioquotes.venues.edgex.readers import ROWS, Reader, to_depth
from trioquotes.venues.edgex.unify import book

__all__ = ["book_audit", "read_book"]

_SHOWN: Final = 200


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What every answer of the venue's REST has around its data; failures come with HTTP 200 too."""

    code: str
    msg: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"null")


_ANSWER: Final[Reader[_Answer]] = Reader(_Answer, numbers=False)


def book_audit(endpoint: Endpoint, contract: str, window: int) -> Audit | None:
    """How to get a snapshot of the same window as the channel's; ``None`` where the endpoint has no REST.

    *Source:* V1 and V2 documentation, "Quote API", "Query Order Book Depth".
    """
    if endpoint.rest is None:
        return None
    generation = "v1" if endpoint.generation == "v1" else "v2"
    query = f"contractId={contract}&level={window}"
    request = HttpRequest(f"{endpoint.rest}/api/{generation}/public/quote/getDepth?{query}")
    return Audit(request, partial(read_book, contract, window))


def read_book(contract: str, window: int, body: bytes, receipt: Receipt) -> BookSnapshot:
    """The snapshot that an answer holds.

    Raises:
        BadFrame: it is a failure, or not one book of this contract and window that a market can have.
    """
    answer = _ANSWER.read(body)
    if answer.code != "SUCCESS":
        raise BadFrame(f"{answer.code}: {answer.msg or 'without a word'}"[:_SHOWN])
    read = ROWS["depth"].read(bytes(answer.data), "$.data")
    if read.reasons:
        raise BadFrame(read.complaint)
    if [row.contract_id for row in read.rows] != [contract]:
        raise BadFrame(f"not one book of {contract} at $.data")
    (row,) = read.rows
    if row.depth_type.lower() not in {"snapshot", ""}:
        raise BadFrame(f"a book of the type {row.depth_type[:_SHOWN]!r} at $.data[0]")
    force_setattr(row, "data_type", "Snapshot")
    found = book(to_depth(row, window), window, receipt)
    if found.bids and found.asks and found.bids[0][0] >= found.asks[0][0]:
        raise BadFrame(f"bids up to {found.bids[0][0]} and asks from {found.asks[0][0]} on at $.data[0]")
    return found
