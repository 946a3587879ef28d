"""The venue's REST side, as far as a market data client needs it; V1 answers under ``/api/v1``, V2 under ``/api/v2``.

*Source:* edgeX documentation, pages meta data API, quote API and funding API.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from trioquotes.simulator.http_side import HttpRequest, HttpResponse, json_response
from trioquotes.simulator.venues.edgex.klines import INTERVALS, PRICE_TYPES
from trioquotes.simulator.venues.edgex.publisher import Publisher
from trioquotes.simulator.venues.edgex.requests import BOOK_LEVELS, Channel
from trioquotes.simulator.venues.edgex.texts import ms

__all__ = ["answer", "refusal"]

FAMILIES = {"quote/getTicker": "ticker", "funding/getLatestFundingRate": "fundingRate"}
"""What has the rows of a channel, of one contract or of all."""

MOST_BARS = 200
"""How many bars a page holds at most."""


def answer(request: HttpRequest, publisher: Publisher, now_ns: int) -> HttpResponse:
    """Answer one request."""
    prefix = f"/api/{publisher.style.generation}/public/"
    if not request.path.startswith(prefix):
        return refusal("NOT_FOUND", "not found", now_ns, status=404)
    if request.method != "GET":
        return refusal("METHOD_NOT_ALLOWED", "method not allowed", now_ns, status=405)
    what = request.path[len(prefix) :]
    if what == "meta/getServerTime":
        return _success({"timeMillis": ms(now_ns)}, now_ns)
    if what == "meta/getMetaData":
        channel = Channel(name="metadata", family="metadata")
        return _success(publisher.rows(channel, now_ns)[0], now_ns)
    if what in FAMILIES and not request.query.get("contractId"):
        return _success(publisher.rows(Channel(name=what, family=FAMILIES[what]), now_ns), now_ns)
    if what not in {*FAMILIES, "quote/getDepth", "quote/getKline"}:
        return refusal("NOT_FOUND", "not found", now_ns, status=404)
    return _of_one(what, request.query, publisher, now_ns)


def _of_one(what: str, query: Mapping[str, str], publisher: Publisher, now_ns: int) -> HttpResponse:
    contract_id = query.get("contractId", "")
    if contract_id not in publisher.contracts:
        return refusal("INVALID_CONTRACT_ID", f"invalid contractId:{contract_id}", now_ns)
    if what in FAMILIES:
        channel = Channel(name=what, family=FAMILIES[what], contract_id=contract_id)
        return _success(publisher.rows(channel, now_ns), now_ns)
    if what == "quote/getKline":
        return _klines(query, publisher, contract_id, now_ns)
    level = query.get("level", "15")
    if level not in BOOK_LEVELS:
        return refusal("INVALID_LEVEL", f"invalid level:{level}", now_ns)
    return _success([publisher.book(contract_id, int(level))], now_ns)


def _klines(query: Mapping[str, str], publisher: Publisher, contract_id: str, now_ns: int) -> HttpResponse:
    """Newest first, as the venue pages them."""
    price_type, interval = query.get("priceType", "LAST_PRICE"), query.get("klineType", "MINUTE_1")
    size = query.get("size", "100")
    if price_type not in PRICE_TYPES or interval not in INTERVALS or not size.isdecimal():
        return refusal("INVALID_ARGUMENT", "invalid priceType, klineType or size", now_ns)
    channel = Channel(
        name="kline", family="kline", contract_id=contract_id, price_type=price_type, interval=interval
    )
    rows = publisher.bars(channel, min(int(size), MOST_BARS))
    return _success({"dataList": rows[::-1], "nextPageOffsetData": ""}, now_ns)


def _success(data: Any, now_ns: int) -> HttpResponse:
    return json_response(_envelope("SUCCESS", None, data, now_ns))


def refusal(code: str, message: str, now_ns: int, *, status: int = 200) -> HttpResponse:
    """A failure; those of the venue's own logic have status 200."""
    return json_response(_envelope(code, message, None, now_ns), status)


def _envelope(code: str, message: str | None, data: Any, now_ns: int) -> dict[str, Any]:
    trace = hashlib.sha256(f"{code}/{now_ns}".encode()).hexdigest()[:32]
    return {
        "code": code, "data": data, "msg": message, "errorParam": None, "requestTime": ms(now_ns),
        "responseTime": ms(now_ns), "traceId": trace,
    }  # fmt: skip
