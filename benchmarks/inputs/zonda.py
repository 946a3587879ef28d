"""Zonda's order books: changes, counted, after a snapshot that was asked for."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from benchmarks.inputs.base import Feed, Made, Script, compact

__all__ = ["Zonda"]

LEVELS = 100
TIME = "1640023138936"


def state(price: str, size: str, orders: int) -> dict[str, Any]:
    """A level."""
    return {"ra": price, "ca": size, "sa": size, "pa": size, "co": orders}


class Market:
    """One market's book at the server."""

    def __init__(self, market: str, middle: int, chance: random.Random) -> None:
        self._market = market
        self._chance = chance
        self._middle = middle
        self._number = 87_062_116
        self._gone: dict[int, set[int]] = {1: set(), -1: set()}
        self.body = {
            "status": "Ok",
            "sell": [state(self._text(middle + at), self._size(), 1) for at in range(1, LEVELS + 1)],
            "buy": [state(self._text(middle - at), self._size(), 1) for at in range(LEVELS, 0, -1)],
            "timestamp": TIME,
            "seqNo": str(self._number),
        }

    def _size(self) -> str:
        return f"{self._chance.uniform(0.0001, 9):.8f}"

    @staticmethod
    def _text(ticks: int) -> str:
        return f"{ticks / 100:.2f}"

    def special(self, price: Decimal, *, last: bool) -> Made:
        """One bid at a price that stands apart."""
        change = {"marketCode": self._market, "entryType": "Buy", "rate": str(price)}
        what = {"action": "remove"} if last else {"action": "update", "state": state(str(price), "1", 1)}
        return Made("orderbook", self._push([change | what]), price)

    def change(self) -> Made:
        """Two to five levels; a price that was removed comes back the next time that it is met."""
        changes: list[dict[str, Any]] = []
        value = Decimal(0)
        for _ in range(self._chance.randrange(2, 6)):
            sign = self._chance.choice([1, -1])
            at = min(1 + int(self._chance.expovariate(0.1)), LEVELS)
            price = self._text(self._middle + sign * at)
            value += Decimal(price)
            change: dict[str, Any] = {
                "marketCode": self._market,
                "entryType": "Sell" if sign > 0 else "Buy",
                "rate": price,
            }
            gone = self._gone[sign]
            if at not in gone and self._chance.random() < 0.2:
                gone.add(at)
                changes.append(change | {"action": "remove"})
            else:
                gone.discard(at)
                orders = self._chance.randrange(1, 5)
                changes.append(change | {"action": "update", "state": state(price, self._size(), orders)})
        return Made("orderbook", self._push(changes), value)

    def _push(self, changes: list[dict[str, Any]]) -> bytes:
        self._number += 1
        return compact(
            {
                "action": "push", "topic": f"trading/orderbook/{self._market.lower()}",
                "message": {"changes": changes, "timestamp": TIME}, "timestamp": TIME, "seqNo": self._number,
            }
        )  # fmt: skip


class Conversation(Script):
    """Confirms what is subscribed, answers what is asked for."""

    def __init__(self, bodies: dict[str, dict[str, Any]]) -> None:
        self._bodies = bodies
        self._left = {f"orderbook/{market.lower()}" for market in bodies}

    def asked(self, text: str) -> list[bytes]:
        request = json.loads(text)
        match request.get("action"):
            case "ping":
                return [compact({"action": "pong"})]
            case "subscribe-public":
                path = request["path"].lower()
                return [
                    compact({"action": "subscribe-public-confirm", "module": request["module"], "path": path})
                ]
            case "proxy":
                path = request["path"].lower()
                self._left.discard(path)
                body = self._bodies[path.split("/")[1].upper()]
                answer = {
                    "action": "proxy-response", "requestId": request["requestId"], "statusCode": 200, "body": body,
                }  # fmt: skip
                return [compact(answer)]
        return []

    def ready(self) -> bool:
        return not self._left


class Zonda(Feed):
    """Order books of three markets."""

    name = "zonda"
    title = "Zonda: orderbook changes"
    venue = "zonda"
    kinds = ("orderbook",)
    instruments = ("BTC-PLN", "ETH-PLN", "XRP-PLN")

    def __init__(self) -> None:
        self._chance = random.Random(11)
        self._markets = {
            one: Market(one, 17_572_869 + 100_000 * at, self._chance)
            for at, one in enumerate(self.instruments)
        }
        self._bodies = {market: one.body for market, one in self._markets.items()}

    def script(self) -> Conversation:
        return Conversation(self._bodies)

    def special(self, price: Decimal, *, last: bool) -> list[Made]:
        return [self._markets[self.instruments[0]].special(price, last=last)]

    def body(self) -> Iterator[Made]:
        while True:
            yield self._markets[self._chance.choice(self.instruments)].change()
