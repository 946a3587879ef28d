"""edgeX's books of 200 levels a side: changes as they come."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from benchmarks.inputs.base import Feed, Made, Script, compact

__all__ = ["Edgex"]

LEVELS = 200


def event(contract: str, kind: str, versions: tuple[int, int], asks: Any, bids: Any) -> bytes:
    """A push; levels are pairs of texts."""
    channel = f"depth.{contract}.{LEVELS}"
    row = {
        "startVersion": str(versions[0]), "endVersion": str(versions[1]), "level": LEVELS, "contractId": contract,
        "contractName": f"C{contract}USDC",
        "asks": [{"price": price, "size": size} for price, size in asks],
        "bids": [{"price": price, "size": size} for price, size in bids],
        "depthType": "SNAPSHOT" if kind == "Snapshot" else "CHANGED",
    }  # fmt: skip
    content = {"channel": channel, "dataType": kind, "data": [row]}
    return compact({"type": "quote-event", "channel": channel, "content": content})


class Depth:
    """One contract's book at the server."""

    def __init__(self, contract: str, middle: int, chance: random.Random) -> None:
        self._contract = contract
        self._chance = chance
        self._sides = {
            sign: {middle + sign * ticks: self._size() for ticks in range(1, LEVELS + 1)} for sign in (1, -1)
        }
        self._version = 2_070_150_189
        self.snapshot = event(
            contract, "Snapshot", (self._version - 90, self._version),
            [(self._text(at), size) for at, size in self._sides[1].items()],
            [(self._text(at), size) for at, size in self._sides[-1].items()],
        )  # fmt: skip

    def _size(self) -> str:
        return f"{self._chance.uniform(0.001, 9):.3f}"

    @staticmethod
    def _text(ticks: int) -> str:
        return f"{ticks / 10:.1f}"

    def special(self, size: Decimal) -> Made:
        """The best bid gets that size: a price apart from the window would not be of the book."""
        price = self._text(max(self._sides[-1]))
        return Made("depth", self._event([], [(price, str(size))]), size)

    def change(self) -> Made:
        """One to three levels of each side get a new size; most are near the top."""
        chance = self._chance
        changed: dict[int, list[tuple[str, str]]] = {}
        for sign, side in self._sides.items():
            prices = sorted(side, reverse=sign < 0)
            near = [
                prices[min(int(chance.expovariate(0.08)), LEVELS - 1)] for _ in range(chance.randrange(1, 4))
            ]
            changed[sign] = [(self._text(at), self._size()) for at in dict.fromkeys(near)]
        value = sum((Decimal(size) for side in changed.values() for _, size in side), Decimal(0))
        return Made("depth", self._event(changed[1], changed[-1]), value)

    def _event(self, asks: list[tuple[str, str]], bids: list[tuple[str, str]]) -> bytes:
        start, self._version = self._version, self._version + self._chance.randrange(10, 180)
        return event(self._contract, "changed", (start, self._version), asks, bids)


class Conversation(Script):
    """Says hello, confirms, and sends the book."""

    def __init__(self, snapshots: dict[str, bytes]) -> None:
        self._snapshots = snapshots
        self._left = set(snapshots)

    def opened(self) -> list[bytes]:
        return [compact({"sid": "5f1e3a52-6d3f-4d43-9f57-0a4f9e7f5c11", "type": "connected"})]

    def asked(self, text: str) -> list[bytes]:
        request = json.loads(text)
        if request.get("type") == "ping":
            return [compact({"type": "pong", "time": request.get("time")})]
        if request.get("type") != "subscribe":
            return []
        channel = request["channel"]
        answers = [compact({"type": "subscribed", "channel": channel, "request": text})]
        contract = channel.split(".")[1]
        if channel.startswith("depth.") and contract in self._snapshots:
            self._left.discard(contract)
            answers.append(self._snapshots[contract])
        return answers

    def ready(self) -> bool:
        return not self._left


class Edgex(Feed):
    """Depth of four contracts; here the sum of the sizes is the value of a message."""

    name = "edgex"
    title = "edgeX: depth of 200 levels"
    venue = "edgex"
    kinds = ("depth",)
    instruments = ("30000001", "30000002", "30000003", "30000004")

    def __init__(self) -> None:
        chance = random.Random(7)
        self._chance = chance
        self._books = {
            one: Depth(one, 828_626 + 10_000 * at, chance) for at, one in enumerate(self.instruments)
        }
        self._snapshots = {contract: book.snapshot for contract, book in self._books.items()}

    def script(self) -> Conversation:
        return Conversation(self._snapshots)

    def special(self, price: Decimal, *, last: bool) -> list[Made]:  # noqa: ARG002  # nothing is to be taken back
        return [self._books[self.instruments[0]].special(price)]

    def body(self) -> Iterator[Made]:
        while True:
            yield self._books[self._chance.choice(self.instruments)].change()
