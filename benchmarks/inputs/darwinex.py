"""Darwinex's product quotes."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from decimal import Decimal

from benchmarks.inputs.base import Feed, Made, Script, compact

__all__ = ["Darwinex"]

TIME_MS = 1_587_838_906_123


class Conversation(Script):
    """Acknowledges with the present quotes."""

    def __init__(self, products: tuple[str, ...]) -> None:
        self._left = set(products)

    def asked(self, text: str) -> list[bytes]:
        request = json.loads(text)
        match request.get("op"):
            case "ping":
                return [compact({"op": "pong", "timestamp": TIME_MS, "msg": request.get("msg", "")})]
            case "subscribe":
                names = request["productNames"]
                self._left -= set(names)
                quotes = [{"productName": name, "quote": 147.02} for name in names]
                return [
                    compact({"op": "subscribed", "status": "OK", "timestamp": TIME_MS, "products": quotes})
                ]
        return []

    def ready(self) -> bool:
        return not self._left


class Darwinex(Feed):
    """Quotes of five products."""

    name = "darwinex"
    title = "Darwinex: pq"
    venue = "darwinex"
    kinds = ("pq",)
    instruments = ("DWZ.4.7", "DWC.4.20", "LVS.4.20", "SYO.4.24", "YZZ.4.20")

    def __init__(self) -> None:
        self._chance = random.Random(13)
        self._time_ms = TIME_MS

    def script(self) -> Conversation:
        return Conversation(self.instruments)

    def _made(self, product: str, price: str) -> Made:
        self._time_ms += 1
        payload = f'{{"op":"pq","productName":"{product}","quote":{price},"timestamp":{self._time_ms}}}'
        return Made("pq", payload.encode(), Decimal(price))

    def special(self, price: Decimal, *, last: bool) -> list[Made]:  # noqa: ARG002  # it has no book
        return [self._made(self.instruments[0], str(price))]

    def body(self) -> Iterator[Made]:
        while True:
            cents = 14_702 + self._chance.randrange(-500, 500)
            yield self._made(self._chance.choice(self.instruments), f"{cents / 100:.2f}")
