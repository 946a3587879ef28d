"""From a frame to the typed message of its channel, and what may be read of it before; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs
import msgspec

from trioquotes._protocol.codec import BadFrame, Reader
from trioquotes._protocol.effects import WireChannel
from trioquotes.venues.zonda import accounts, paths
from trioquotes.venues.zonda import messages as wire

__all__ = [
    "ANSWERS",
    "ANSWER_HEAD",
    "BODY_HEAD",
    "BOOK_BODY",
    "HEAD",
    "MARKETS",
    "AnswerHead",
    "BodyHead",
    "Head",
    "Reading",
    "elements_of",
    "is_failure",
    "read_push",
]

_OK: Final = "ok"


@attrs.frozen
class Reading:
    """What the frames of a lane belong to where they do not say it.

    Attributes:
        private: whether the line carries the user's own channels alone: own trades may come there under the topic of
            the market's trades.
        captured: whether the frames come from a file: nothing is asked, and whatever comes counts as asked.
        answers: the channel of captured answers, which do not name it.
    """

    private: bool = False
    captured: bool = False
    answers: WireChannel | None = None


class Head(msgspec.Struct, frozen=True, rename="camel"):
    """What tells one frame from another."""

    action: str | None = None
    topic: str | None = None
    module: str | None = None
    path: str | None = None
    request_id: str | None = None
    seq_no: Any = None
    error: Any = None


class BodyHead(msgspec.Struct, frozen=True):
    """What a body says of itself: ``Ok``, ``Fail``, or nothing."""

    status: str | None = None


class AnswerHead(msgspec.Struct, frozen=True, rename="camel"):
    """What tells an answer from a refusal."""

    status_code: int = 200
    body: BodyHead | None = None
    error: Any = None


HEAD: Final[Reader[Head]] = Reader(Head)
ANSWER_HEAD: Final[Reader[AnswerHead]] = Reader(AnswerHead)
BODY_HEAD: Final[Reader[BodyHead]] = Reader(BodyHead)
BOOK_BODY: Final[Reader[wire.OrderBookBody]] = Reader(wire.OrderBookBody, literals=True)
MARKETS: Final[Reader[wire.Markets]] = Reader(wire.Markets, literals=True)

PUSHES: Final[Mapping[str, Reader[Any]]] = {
    paths.TICKER: Reader(wire.TickerPush, literals=True),
    paths.STATS: Reader(wire.StatsPush, literals=True),
    paths.ORDERBOOK: Reader(wire.OrderBookPush, literals=True),
    paths.LIMITED: Reader(wire.OrderBookPush, literals=True),
    paths.TRANSACTIONS: Reader(wire.TransactionsPush, literals=True),
    paths.RATES: Reader(wire.RatePush, literals=True),
    paths.OFFERS: Reader(accounts.OfferPush, literals=True),
    paths.STOP_OFFERS: Reader(accounts.StopOfferPush, literals=True),
    paths.HISTORY: Reader(wire.TransactionsPush, literals=True),
    paths.FUNDS: Reader(accounts.FundsPush, literals=True),
}
_OTHER_HISTORY: Final[Reader[accounts.OwnTransactionsPush]] = Reader(
    accounts.OwnTransactionsPush, literals=True
)

ANSWERS: Final[Mapping[str, Reader[Any]]] = {
    paths.TICKER: Reader(wire.TickerAnswer, literals=True),
    paths.STATS: Reader(wire.StatsAnswer, literals=True),
    paths.ORDERBOOK: Reader(wire.OrderBookAnswer, literals=True),
    paths.LIMITED: Reader(wire.OrderBookAnswer, literals=True),
    paths.TRANSACTIONS: Reader(wire.TransactionsAnswer, literals=True),
    paths.OFFERS: Reader(accounts.OffersAnswer, literals=True),
    paths.HISTORY: Reader(accounts.OwnTransactionsAnswer, literals=True),
}


def is_failure(body: BodyHead | None) -> bool:
    """Whether a body says so; one that says nothing is judged by what it holds."""
    return body is not None and body.status is not None and body.status.lower() != _OK


def read_push(channel: WireChannel, frame: bytes) -> Any:
    """The push in the type of its channel; own trades have two layouts, of which the printed one comes first."""
    try:
        return PUSHES[channel.name].read(frame)
    except BadFrame as bad:
        if channel.name != paths.HISTORY:
            raise
        try:
            return _OTHER_HISTORY.read(frame)
        except BadFrame:
            raise bad from None


def elements_of(push: wire.Push) -> int:
    """What a push counts for: its changes, its trades, its rows of figures, else one."""
    match push:
        case wire.OrderBookPush():
            return len(push.message.changes) or 1
        case wire.TransactionsPush() | accounts.OwnTransactionsPush():
            return len(push.message.transactions) or 1
        case wire.StatsPush():
            return len(push.message) or 1
        case _:
            return 1
