"""The venue's REST side, over HTTP and over the socket; a failure has the status 200 too.

*Source:* docs.zondacrypto.exchange/reference, pages introduction (limits, error messages), ticker, market
statistics, orderbook, orderbook limited, last transactions, candlestick chart, active orders, active stop orders,
transactions history, list of wallets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import attrs

from trioquotes.simulator.floor import Floor
from trioquotes.simulator.happenings import Matched
from trioquotes.simulator.limits import RollingLimit
from trioquotes.simulator.venues.zonda import frames
from trioquotes.simulator.venues.zonda.listings import Account
from trioquotes.simulator.venues.zonda.paths import LIMITS
from trioquotes.simulator.venues.zonda.publisher import SNAPSHOT_DEPTH, Publisher
from trioquotes.simulator.venues.zonda.texts import ms, plain

__all__ = ["Call", "Meter", "answer", "fail"]

MOST_TRADES, USUAL_TRADES = 300, 10
"""How many transactions one answer holds at most, and unless asked."""

RESOLUTIONS_S = (60, 180, 300, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400, 259_200, 604_800)

MAINTENANCE_NS = 600 * 10**9
"""How long maintenance is said to last."""

PER_MINUTE = {"offer": 200, "offers": 200, "transactions": 100, "history/transactions": 100}
OTHERS_PER_MINUTE = 60
"""Calls of one kind per minute and address; all others together have their own number."""


@attrs.frozen(kw_only=True)
class Call:
    """A GET.

    Attributes:
        module: and ``path`` after it, as asked.
        account: who signed it; ``None`` where nobody did, or wrongly.
    """

    module: str
    path: str
    query: Mapping[str, str]
    account: Account | None

    @property
    def parts(self) -> tuple[str, list[str]]:
        """The endpoint, in lower case, and what follows it."""
        parts = self.path.strip("/").lower().split("/")
        if parts[0] in {"stop", "history", "candle"}:
            parts[:2] = ["/".join(parts[:2])]
        return parts[0], parts[1:]


class Meter:
    """Counts calls by address and kind."""

    def __init__(self) -> None:
        self._limits: dict[tuple[str, str], RollingLimit] = {}

    def take(self, peer: str, call: Call, now_s: float) -> bool:
        """Count a call; false where it is one too many."""
        kind = call.parts[0]
        count = PER_MINUTE.get(kind, OTHERS_PER_MINUTE)
        limit = self._limits.setdefault((peer, kind if kind in PER_MINUTE else ""), RollingLimit(count, 60.0))
        return limit.take(now_s)


def fail(error: str, now_ns: int) -> dict[str, Any]:
    """The answer to what cannot be done; maintenance says how long it will last."""
    body: dict[str, Any] = {"status": "Fail", "errors": [error]}
    return {**body, "estimatedTime": ms(now_ns + MAINTENANCE_NS)} if error == "UNDER_MAINTENANCE" else body


def answer(call: Call, publisher: Publisher, now_ns: int) -> dict[str, Any]:
    """The body of the answer to one call."""
    try:
        name, rest = call.parts
        desk = _Desk(call, publisher, now_ns)
        if call.module.lower() == "balances":
            return {"status": "Ok", **_wallets(desk, [name, *rest])}
        return {"status": "Ok", **_endpoint(call)(desk, rest)}
    except ValueError as error:
        return fail(str(error), now_ns)


def _endpoint(call: Call) -> Callable[[_Desk, list[str]], dict[str, Any]]:
    endpoint = ENDPOINTS.get(call.parts[0]) if call.module.lower() == "trading" else None
    if endpoint is None:
        raise ValueError("TIMEOUT")
    return endpoint


def _client(call: Call) -> Account:
    if call.account is None:
        raise ValueError("INVALID_HASH_SIGNATURE")
    if not call.account.may_read:
        raise ValueError("PERMISSIONS_NOT_SUFFICIENT")
    return call.account


@attrs.frozen
class _Desk:
    """What an endpoint works with; its ``ValueError`` holds the venue's word for a failure."""

    call: Call
    publisher: Publisher
    now_ns: int

    def floor(self, rest: list[str], count: int = 1) -> Floor:
        """The market that the path names, which has so many parts."""
        floor = self.publisher.market.floors.get(rest[0].upper()) if len(rest) == count else None
        if floor is None:
            raise ValueError("TIMEOUT")
        return floor

    def number(self, name: str, default: int) -> int:
        """A parameter."""
        text = self.call.query.get(name, str(default))
        if not (text.isascii() and text.isdecimal()):
            raise ValueError("TIMEOUT")
        return int(text)

    def market(self, rest: list[str]) -> str | None:
        """The market of a private call, which may name none."""
        return self.floor(rest).listing.instrument if rest else None


def _ticker(desk: _Desk, rest: list[str]) -> dict[str, Any]:
    if rest:
        return {"ticker": frames.ticker(desk.floor(rest), desk.now_ns)}
    floors = desk.publisher.market.floors
    return {"items": {name: frames.ticker(floor, desk.now_ns) for name, floor in floors.items()}}


def _stats(desk: _Desk, rest: list[str]) -> dict[str, Any]:
    if rest:
        return {"stats": frames.stats_snapshot(desk.floor(rest))}
    floors = desk.publisher.market.floors
    return {"items": {name: frames.stats_snapshot(floor) for name, floor in floors.items()}}


def _orderbook(desk: _Desk, rest: list[str]) -> dict[str, Any]:
    listing = desk.floor(rest).listing
    shown = desk.publisher.book(listing.instrument, None, desk.now_ns)
    return frames.book_snapshot(listing, shown, SNAPSHOT_DEPTH, desk.now_ns)


def _orderbook_limited(desk: _Desk, rest: list[str]) -> dict[str, Any]:
    listing = desk.floor(rest, 2).listing
    if rest[1] not in map(str, LIMITS):
        raise ValueError("TIMEOUT")
    shown = desk.publisher.book(listing.instrument, int(rest[1]), desk.now_ns)
    return frames.book_snapshot(listing, shown, int(rest[1]), desk.now_ns)


def _transactions(desk: _Desk, rest: list[str]) -> dict[str, Any]:
    """The latest, newest first unless ``sort`` says ``asc``; ``fromTime`` in milliseconds."""
    limit, from_ms = min(desk.number("limit", USUAL_TRADES), MOST_TRADES), desk.number("fromTime", 0)
    trades = [trade for trade in reversed(desk.floor(rest).trades) if trade.time_ns // 10**6 >= from_ms]
    sort = desk.call.query.get("sort", "desc").lower()
    if sort not in {"asc", "desc"}:
        raise ValueError("TIMEOUT")
    page = trades[:limit] if sort == "desc" else trades[:limit][::-1]
    return {"items": [frames.transaction(trade) for trade in page]}


def _candles(desk: _Desk, rest: list[str]) -> dict[str, Any]:
    floor = desk.floor(rest, 2)
    if rest[1] not in map(str, RESOLUTIONS_S):
        raise ValueError("TIMEOUT")
    width_ms = int(rest[1]) * 1000
    first_ms, last_ms = desk.number("from", 0), desk.number("to", desk.now_ns // 10**6)
    candles: dict[int, list[Matched]] = {}
    for trade in floor.trades:
        start_ms = trade.time_ns // 10**6 // width_ms * width_ms
        if first_ms <= start_ms <= last_ms:
            candles.setdefault(start_ms, []).append(trade)
    return {"items": [[str(start_ms), _candle(trades)] for start_ms, trades in candles.items()]}


def _candle(trades: list[Matched]) -> dict[str, str]:
    rates = [trade.price for trade in trades]
    volume = sum((trade.size for trade in trades), Decimal(0))
    numbers = {"o": rates[0], "c": rates[-1], "h": max(rates), "l": min(rates), "v": volume}
    return {name: plain(number) for name, number in numbers.items()}


def _offers(desk: _Desk, rest: list[str]) -> dict[str, Any]:
    owner = _client(desk.call).name
    return {"items": desk.publisher.offices.offers(owner, desk.market(rest))}


def _stops(desk: _Desk, rest: list[str]) -> dict[str, Any]:
    owner = _client(desk.call).name
    return {"items": desk.publisher.offices.stops(owner, desk.market(rest))}


def _history(desk: _Desk, rest: list[str]) -> dict[str, Any]:
    owner = _client(desk.call).name
    items = desk.publisher.offices.history(owner, desk.market(rest))
    limit = min(desk.number("limit", USUAL_TRADES), MOST_TRADES)
    return {"totalRows": str(len(items)), "items": items[:limit]}


def _wallets(desk: _Desk, rest: list[str]) -> dict[str, Any]:
    if rest != ["bitbay", "balance"]:
        raise ValueError("TIMEOUT")
    return {"balances": desk.publisher.wallets(_client(desk.call).name), "errors": None}


ENDPOINTS: dict[str, Callable[[_Desk, list[str]], dict[str, Any]]] = {
    "ticker": _ticker, "stats": _stats, "orderbook": _orderbook, "orderbook-limited": _orderbook_limited,
    "transactions": _transactions, "candle/history": _candles, "offer": _offers, "offers": _offers,
    "stop/offer": _stops, "stop/offers": _stops, "history/transactions": _history,
}  # fmt: skip
"""Private lists answer under the channel's name too: the venue asks for snapshots on the same path."""
