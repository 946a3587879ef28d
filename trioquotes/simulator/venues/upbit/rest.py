"""The venue's REST side, as far as a market data client needs it.

*Source:* docs.upbit.com/kr/reference: list of trading pairs (``/v1/market/all``), recent trades
(``/v1/trades/ticks``), order book (``/v1/orderbook``; a grouping that a market has not gives an empty list), rate
limits (10 per second and group; with an Origin header 1 per 10 seconds).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from trioquotes.simulator.floor import Listing
from trioquotes.simulator.http_side import HttpRequest, HttpResponse
from trioquotes.simulator.venues.upbit import frames
from trioquotes.simulator.venues.upbit.listings import names_of, supported_levels
from trioquotes.simulator.venues.upbit.publisher import Publisher
from trioquotes.simulator.venues.upbit.tape import DAY_MS, Print, Tape
from trioquotes.simulator.venues.upbit.texts import date_text, plain, pointed, time_text

__all__ = ["GROUPS", "PER_S", "answer", "error"]

GROUPS = {"/v1/market/all": "market", "/v1/trades/ticks": "trades", "/v1/orderbook": "orderbook"}
"""What is answered, with the group under which it is counted."""

PER_S = 10

MOST_TRADES = 500
DAYS = 7

CAUTIONS = (
    "PRICE_FLUCTUATIONS", "TRADING_VOLUME_SOARING", "DEPOSIT_AMOUNT_SOARING", "GLOBAL_PRICE_DIFFERENCES",
    "CONCENTRATION_OF_SMALL_ACCOUNTS",
)  # fmt: skip


def error(
    status: int, name: str | int, message: str, headers: tuple[tuple[str, str], ...] = ()
) -> HttpResponse:
    """A refusal in the venue's form."""
    return _json({"error": {"name": name, "message": message}}, status, headers)


def answer(request: HttpRequest, publisher: Publisher, now_ns: int, left: int) -> HttpResponse:
    """Answer one request.

    Args:
        request: the request.
        publisher: what is listed and was traded.
        now_ns: the time, Unix nanoseconds.
        left: how many requests of this group are left in this second.
    """
    group = GROUPS.get(request.path)
    if group is None:
        return error(404, 404, "no Route matched with those values")
    if request.method != "GET":
        return error(405, 405, "Method Not Allowed")
    headers = (("Remaining-Req", f"group={group}; min=600; sec={left}"),)
    if group == "market":
        details = request.query.get("is_details", "false").lower() == "true"
        return _json(
            [_pair(f.listing, details=details) for f in publisher.market.floors.values()], 200, headers
        )
    if group == "orderbook":
        return _books(request.query, publisher, now_ns, headers)
    tape = publisher.tapes.get(request.query.get("market", ""))
    if tape is None:
        return error(404, 404, "Code not found", headers)
    try:
        page = _page(request.query, tape, now_ns // 10**6)
    except ValueError as wrong:
        return error(400, 400, str(wrong), headers)
    return _json([_tick(request.query["market"], made) for made in page], 200, headers)


def _pair(listing: Listing, *, details: bool) -> dict[str, Any]:
    korean, english = names_of(listing)
    pair: dict[str, Any] = {"market": listing.instrument, "korean_name": korean, "english_name": english}
    if details:
        pair["market_event"] = {"warning": False, "caution": dict.fromkeys(CAUTIONS, False)}
    return pair


def _books(
    query: Mapping[str, str], publisher: Publisher, now_ns: int, headers: tuple[tuple[str, str], ...]
) -> HttpResponse:
    codes = [code for code in query.get("markets", "").split(",") if code]
    if not codes or not all(code in publisher.market.floors for code in codes):
        return error(404, 404, "Code not found", headers)
    try:
        level, count = Decimal(query.get("level", "0")), int(query.get("count", "0")) or frames.DEEPEST
    except (InvalidOperation, ValueError):
        return error(400, 400, "Type mismatch error. Check the parameters type!", headers)
    if not all(level in supported_levels(publisher.market.floors[code].listing) for code in codes):
        return _json([], 200, headers)
    books = [publisher.book(code, level, min(max(count, 1), frames.DEEPEST), now_ns) for code in codes]
    return _json([_renamed(book) for book in books], 200, headers)


def _renamed(book: Mapping[str, Any]) -> dict[str, Any]:
    """As on the socket, but that the code is called market and no type is told."""
    names = ("timestamp", "total_ask_size", "total_bid_size", "orderbook_units", "level")
    return {"market": book["code"], **{name: book[name] for name in names}}


def _page(query: Mapping[str, str], tape: Tape, now_ms: int) -> list[Print]:
    """Newest first: of today, or of the day so many days ago; up to a time of day, or older than a trade.

    Raises:
        ValueError: for a parameter out of its range.
    """
    count, ago = query.get("count", "1"), query.get("days_ago", query.get("daysAgo", "0"))
    if not count.isdecimal() or not 1 <= int(count) <= MOST_TRADES:
        raise ValueError("count is invalid")
    if not ago.isdecimal() or int(ago) > DAYS:
        raise ValueError("days_ago is invalid")
    midnight_ms = now_ms - now_ms % DAY_MS - int(ago) * DAY_MS
    until_ms = midnight_ms + _of_day(query["to"]) if query.get("to") else midnight_ms + DAY_MS - 1
    found = [made for made in reversed(tape.prints) if midnight_ms <= made.time_ms <= until_ms]
    if cursor := query.get("cursor"):
        if not cursor.isdecimal():
            raise ValueError("cursor is invalid")
        places = [place for place, made in enumerate(found) if made.number == int(cursor)]
        older = [made for made in found if made.number < int(cursor)]
        found = found[places[0] + 1 :] if places else older  # ids are in no order within a millisecond
    return found[: int(count)]


def _of_day(text: str) -> int:
    """``HHmmss`` or ``HH:mm:ss`` in milliseconds, with the whole of that second."""
    digits = text.replace(":", "")
    if len(digits) != 6 or not digits.isdecimal():
        raise ValueError("to is invalid")
    hours, minutes, seconds = (int(digits[place : place + 2]) for place in (0, 2, 4))
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + 999


def _tick(code: str, made: Print) -> dict[str, Any]:
    return {
        "market": code, "trade_date_utc": date_text(made.time_ms), "trade_time_utc": time_text(made.time_ms),
        "timestamp": made.time_ms, "trade_price": pointed(made.price), "trade_volume": plain(made.size),
        "prev_closing_price": pointed(made.previous), "change_price": pointed(made.price - made.previous),
        "ask_bid": "ASK" if made.side == "sell" else "BID", "sequential_id": made.number,
    }  # fmt: skip


def _json(value: Any, status: int, headers: tuple[tuple[str, str], ...] = ()) -> HttpResponse:
    kind = ("Content-Type", "application/json;charset=UTF-8")
    return HttpResponse(status, msgspec.json.encode(value), (kind, *headers))
