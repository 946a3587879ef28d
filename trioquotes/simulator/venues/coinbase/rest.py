"""The venue's REST side, as far as a market data client needs it.

*Source:* docs.cdp.coinbase.com/api-reference/exchange-api/rest-api/products: get all products, get product
book, get product trades.
"""

from __future__ import annotations

from typing import Any

from trioquotes.simulator import auction
from trioquotes.simulator.floor import Floor
from trioquotes.simulator.happenings import Side, opposite
from trioquotes.simulator.http_side import HttpRequest, HttpResponse, json_response
from trioquotes.simulator.market import Market
from trioquotes.simulator.venues.coinbase.status import rest_product
from trioquotes.simulator.venues.coinbase.texts import fixed, plain, time_text

__all__ = ["answer"]

MOST_TRADES = 1_000
"""How many trades one page holds at most."""


def answer(request: HttpRequest, market: Market, now_ns: int) -> HttpResponse:
    """Answer one request."""
    if request.method != "GET":
        return json_response({"message": "Method not allowed"}, 405)
    parts = request.path.strip("/").split("/")
    if parts == ["products"]:
        return json_response([rest_product(floor) for floor in market.floors.values()])
    floor = market.floors.get(parts[1]) if len(parts) in {2, 3} and parts[0] == "products" else None
    if floor is None:
        return json_response({"message": "NotFound"}, 404)
    if len(parts) == 2:  # /products/{id}
        return json_response(rest_product(floor))
    if parts[2] == "book":
        return _book(request, floor, now_ns)
    if parts[2] == "trades":
        return _trades(request, floor)
    return json_response({"message": "NotFound"}, 404)


def _book(request: HttpRequest, floor: Floor, now_ns: int) -> HttpResponse:
    level = request.query.get("level", "1")
    if level not in {"1", "2", "3"}:
        return json_response({"message": "Invalid level"}, 400)
    sides: tuple[tuple[str, Side], ...] = (("bids", "buy"), ("asks", "sell"))
    body: dict[str, Any] = {}
    for name, side in sides:
        rows = _orders(floor, side) if level == "3" else _levels(floor, side)
        body[name] = rows[:1] if level == "1" else rows
    body["sequence"] = floor.sequence
    body["auction_mode"] = floor.collecting
    body["auction"] = _auction(floor, now_ns) if floor.collecting else None
    body["time"] = time_text(now_ns)
    return json_response(body)


def _levels(floor: Floor, side: Side) -> list[list[Any]]:
    """Price, total size, number of orders."""
    return [
        [fixed(price, floor.listing.tick), plain(size), count]
        for price, size, count in floor.book.levels(side)
    ]


def _orders(floor: Floor, side: Side) -> list[list[Any]]:
    """Price, size, order id of every order."""
    return [
        [fixed(order.price, floor.listing.tick), plain(order.remaining), order.order_id]
        for order in floor.book.queue(side)
        if order.price is not None and order.remaining is not None
    ]


def _auction(floor: Floor, now_ns: int) -> dict[str, Any]:
    state = auction.indicate(floor, now_ns)
    numbers = {
        "open_price": state.open_price, "open_size": state.open_size, "best_bid_price": state.bid,
        "best_bid_size": state.bid_size, "best_ask_price": state.ask, "best_ask_size": state.ask_size,
    }  # fmt: skip
    return {
        **{name: None if number is None else plain(number) for name, number in numbers.items()},
        "auction_state": state.state,
        "can_open": "yes" if state.open_size else "no",
        "time": time_text(now_ns),
    }


def _trades(request: HttpRequest, floor: Floor) -> HttpResponse:
    """Newest first; ``after`` gives older ones than that id, ``before`` newer ones. ``side`` is the maker's."""
    query = request.query
    texts = [query.get("limit", str(MOST_TRADES)), query.get("before", "0"), query.get("after", str(2**62))]
    if not all(text.isdecimal() for text in texts):
        return json_response({"message": "Invalid cursor or limit"}, 400)
    limit, before, after = (int(text) for text in texts)
    page = [trade for trade in reversed(floor.trades) if before < trade.trade_id < after]
    page = page[: min(limit, MOST_TRADES)]
    rows = [
        {
            "time": time_text(trade.time_ns), "trade_id": trade.trade_id, "price": fixed(trade.price, floor.listing.tick),
            "size": format(trade.size, ".8f"), "side": opposite(trade.taker_side),
        }
        for trade in page
    ]  # fmt: skip
    cursors = (("CB-BEFORE", str(page[0].trade_id)), ("CB-AFTER", str(page[-1].trade_id))) if page else ()
    return json_response(rows, headers=cursors)
