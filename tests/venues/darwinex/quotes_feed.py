"""The other side of a Darwinex line for the stage, as plain dicts, and the frames it sends."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.venues.bench import Bench, Outbox
from tests.venues.cases import Case, Sample
from trioquotes._protocol.effects import HttpRequest, Lane, Reply
from trioquotes.credentials import BearerToken
from trioquotes.topics import Instruments, Quotes
from trioquotes.venues import darwinex
from trioquotes.venues.darwinex import VENUE

__all__ = [
    "CASE",
    "MINUTE_NS",
    "TIME_MS",
    "TOKEN",
    "Feed",
    "compact",
    "error",
    "line",
    "names",
    "page",
    "pong_to",
    "product",
    "quote",
    "said",
    "subscribed",
    "unsubscribed",
]

TOKEN = BearerToken("HUSH-HUSH-token")
TIME_MS = 1587838905842
MINUTE_NS = 60_000_000_000


def compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def subscribed(products: Iterable[str], status: str = "OK") -> str:
    listed = [{"productName": name, "quote": 147.02} for name in products]
    return compact({"op": "subscribed", "status": status, "timestamp": TIME_MS, "products": listed})


def unsubscribed(products: Sequence[str]) -> str:
    return compact({"op": "unsubscribed", "status": "OK", "timestamp": TIME_MS, "productNames": products})


def error(code: str, msg: str, op: str | None = "subscribe") -> str:
    return compact({"op": "error", "opRequest": op, "msg": msg, "code": code})


def quote(product: str = "DWC.4.20", price: str = "147.05", time_ms: int = TIME_MS) -> str:
    return f'{{"op":"pq","productName":"{product}","quote":{price},"timestamp":{time_ms}}}'


def pong_to(ping: Any) -> str:
    return compact({"op": "pong", "timestamp": TIME_MS, "msg": ping["msg"]})


def product(name: str) -> dict[str, Any]:
    return {"productName": name, "shortName": name.partition(".")[0], "status": "ACTIVE", "currency": "USD"}


def page(number: int, pages: int, products: Sequence[str]) -> bytes:
    content = [product(name) for name in products]
    body = {"content": content, "last": number + 1 == pages, "totalPages": pages, "number": number}
    return compact(body).encode()


def said(line: Any) -> list[Any]:
    """What it writes now."""
    return [json.loads(frame) for frame in line.writer()]


def names(number: int) -> list[str]:
    """So many products."""
    return [f"AAA.4.{index}" for index in range(number)]


def line(*products: str, extra: Sequence[Any] = ()) -> tuple[Bench, list[Outbox]]:
    """A line that is just open, with the quotes of these products wanted."""
    play = Bench(VENUE, credentials=TOKEN)
    boxes = [play.subscribe(topic) for topic in (*map(Quotes, products), *extra)]
    play.connect()
    return play, boxes


class Feed:
    """A server that does all that is asked, and whose list of products has two pages."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.there: dict[str, None] = {}

    def connected(self) -> Sequence[str]:
        return [f'{{"op":"hb","timestamp":{TIME_MS}}}']

    def receive(self, frame: str) -> Sequence[str]:
        asked = json.loads(frame)
        match asked["op"]:
            case "subscribe":
                self.there.update(dict.fromkeys(asked["productNames"]))
                return [subscribed(asked["productNames"])]
            case "unsubscribe":
                for name in asked["productNames"]:
                    self.there.pop(name, None)
                return [unsubscribed(asked["productNames"])]
            case "unsubscribeAll":
                gone, self.there = list(self.there), {}
                return [unsubscribed(gone)]
            case _:
                return [pong_to(asked)]

    def fetch(self, request: HttpRequest) -> Reply:
        query = parse_qs(urlsplit(request.url).query)
        return Reply(200, body=page(int(query["page"][0]), 2, ["DWC.4.20", "THA.4.12"]))


CASE = Case(
    venue=VENUE,
    server=Feed,
    topics=(
        Quotes("DWC.4.20"),
        Quotes("THA.4.12"),
        darwinex.ProductQuotes("DWC.4.20"),
        darwinex.ProductQuotes("ENH.4.16"),
        darwinex.Heartbeats(),
        darwinex.Pongs(),
        darwinex.Products(),
        Instruments(),
    ),
    more=lambda number: Quotes(f"AAA.{number % 90}.{number}"),
    samples=(
        Sample('{"op":"hb","timestamp":1587838905842}', lane="quotes"),
        Sample('{"op":"pong","timestamp":1511545528111,"msg":"1234"}', lane="quotes"),
        Sample(subscribed(["DWC.4.20", "THA.4.12"], "WARN"), 2, lane="quotes"),
        Sample(subscribed([], "WARN"), lane="quotes"),
        Sample(unsubscribed(["DWC.4.20"]), lane="quotes"),
        Sample(error("PRODUCT_NOT_VALID", "No active product found with the name X.1.1"), lane="quotes"),
        Sample(error("MESSAGE_NOT_RECOGNIZED", "Message {} is not recognized.", None), lane="quotes"),
        Sample(quote(), lane="quotes"),
        Sample('{"op":"novelty"}', lane="quotes"),
    ),
    credentials=TOKEN,
)
"""The venue for the shared contract test."""
