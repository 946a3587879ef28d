"""The Exchange feed of Coinbase: the mix of a real session, and its ticker alone."""

from __future__ import annotations

import itertools
import json
import os
import random
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.inputs.base import Feed, Made, Script, compact

__all__ = ["Mix", "One", "Tickers"]

CAPTURE = "coinbase-session-2021.jsonl"
ALIKE = {"level2_batch": "level2", "level2_50": "level2", "ticker_1000": "ticker", "ticker_batch": "ticker"}
TIME = "2021-04-17T16:43:37.075687Z"


def recorded() -> list[dict[str, Any]] | None:
    """The messages of the recorded session, if the folder of captures is there."""
    folder = os.environ.get("TRIOQUOTES_CAPTURES", "")
    path = Path(folder, CAPTURE)
    if not folder or not path.exists():
        return None
    return [json.loads(json.loads(line)["raw"]) for line in path.read_text().splitlines()]


def generated() -> list[dict[str, Any]]:
    """Messages of the same shapes and in the same shares: 2,925 updates to 31 tickers to 21 matches."""
    chance = random.Random(2021)

    def size() -> str:
        return f"{chance.uniform(0.1, 900):.2f}"

    messages: list[dict[str, Any]] = []
    middles = {product: chance.randrange(100_000, 900_000) for product in Mix.instruments}
    resting: dict[tuple[str, str], dict[int, str]] = {}
    for product, middle in middles.items():
        for side, sign in (("sell", 1), ("buy", -1)):
            resting[product, side] = {middle + sign * ticks: size() for ticks in range(1, 200)}
        sides = {
            name: [[f"{ticks / 1e4:.4f}", amount] for ticks, amount in resting[product, side].items()]
            for name, side in (("asks", "sell"), ("bids", "buy"))
        }
        messages.append({"type": "snapshot", "product_id": product, **sides})
    kinds = ["l2update"] * 2925 + ["ticker"] * 31 + ["match"] * 21
    chance.shuffle(kinds)
    for kind in kinds:
        product = chance.choice(Mix.instruments)
        middle = middles[product]
        side = chance.choice(["buy", "sell"])
        if kind == "l2update":
            levels = resting[product, side]
            ticks = middle + (1 if side == "sell" else -1) * chance.randrange(1, 250)
            amount = "0.00" if levels.pop(ticks, None) is not None and chance.random() < 0.4 else size()
            if amount != "0.00":
                levels[ticks] = amount
            change = [side, f"{ticks / 1e4:.4f}", amount]
            messages.append({"type": kind, "product_id": product, "changes": [change], "time": TIME})
        elif kind == "ticker":
            messages.append(ticker(product, middle, chance, sizes=False))
        else:
            messages.append(match(product, f"{middle / 1e4:.4f}", size(), side))
    return messages


def ticker(product: str, middle: int, chance: random.Random, *, sizes: bool) -> dict[str, Any]:
    """A ticker; since 2022 it has the sizes of the best prices."""

    def price(around: int) -> str:
        return f"{around / 1e4:.4f}"

    def size() -> str:
        return f"{chance.uniform(0.0001, 9):.8f}"

    message: dict[str, Any] = {
        "type": "ticker", "sequence": 0, "product_id": product, "price": price(middle + chance.randrange(-99, 99)),
        "open_24h": price(middle - 2_117), "volume_24h": "94381.28000000", "low_24h": price(middle - 9_041),
        "high_24h": price(middle + 7_003), "volume_30d": "2295579.57000000", "best_bid": price(middle - 100),
    }  # fmt: skip
    if sizes:
        message["best_bid_size"] = size()
    message["best_ask"] = price(middle + 100)
    if sizes:
        message["best_ask_size"] = size()
    return message | {
        "side": chance.choice(["buy", "sell"]), "time": TIME, "trade_id": 0, "last_size": size(),
    }  # fmt: skip


def match(product: str, price: str, size: str, side: str) -> dict[str, Any]:
    """A trade."""
    return {
        "type": "match", "trade_id": 0, "maker_order_id": "2a0da34e-61f7-4c36-88e5-c9dd15927b16",
        "taker_order_id": "3c82abaa-c01e-4608-be59-6a1e69742891", "side": side, "size": size, "price": price,
        "product_id": product, "sequence": 0, "time": TIME,
    }  # fmt: skip


def value(message: dict[str, Any]) -> Decimal:
    """The sum of its prices."""
    if message["type"] == "l2update":
        return sum((Decimal(price) for _, price, _ in message["changes"]), Decimal(0))
    return Decimal(message["price"])


def going_back(snapshots: list[dict[str, Any]], updates: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Updates that bring every book back to its snapshot, so that the session can be played again after itself."""
    before: dict[tuple[str, str, Decimal], tuple[str, str]] = {}
    for snapshot in snapshots:
        for side, levels in (("buy", snapshot["bids"]), ("sell", snapshot["asks"])):
            for price, size in levels:
                before[snapshot["product_id"], side, Decimal(price)] = (price, size)
    after = dict(before)
    for update in updates:
        for side, price, size in update["changes"]:
            after[update["product_id"], side, Decimal(price)] = (price, size)
    gone, back = [], []
    for key, (price, size) in after.items():
        product, side, _ = key
        was = before.get(key)
        if was is None:
            if Decimal(size):
                gone.append((product, side, price, "0.00"))
        elif was[1] != size:
            back.append((product, side, *was))
    return [
        {"type": "l2update", "product_id": product, "changes": [[side, price, size]], "time": TIME}
        for product, side, price, size in [*gone, *back]
    ]


class Conversation(Script):
    """Acknowledges what is subscribed, and sends the books and the latest trades that go before the rest."""

    def __init__(
        self, channels: frozenset[str], products: tuple[str, ...], snapshots: dict[str, bytes]
    ) -> None:
        self._needed = {(channel, product) for channel in channels for product in products}
        self._snapshots = snapshots
        self._has: dict[str, set[str]] = {}

    def asked(self, text: str) -> list[bytes]:
        request = json.loads(text)
        if request.get("type") != "subscribe":
            return []
        fresh: list[tuple[str, str]] = []
        for channel in request["channels"]:
            name = channel if isinstance(channel, str) else channel["name"]
            own = [] if isinstance(channel, str) else channel.get("product_ids") or []
            known = self._has.setdefault(name, set())
            for product in [*(request.get("product_ids") or []), *own]:
                if product not in known:
                    known.add(product)
                    fresh.append((ALIKE.get(name, name), product))
        listed = [
            {"name": name, "product_ids": sorted(products), "account_ids": None}
            for name, products in self._has.items()
        ]
        answers = [compact({"type": "subscriptions", "channels": listed})]
        for channel, product in fresh:
            if channel == "level2":
                answers.append(self._snapshots[product])
            elif channel == "matches":
                answers.append(
                    compact(match(product, "1", "1", "buy") | {"type": "last_match", "trade_id": 999})
                )
        return answers

    def ready(self) -> bool:
        has = {
            (ALIKE.get(name, name), product) for name, products in self._has.items() for product in products
        }
        return self._needed <= has


class Mix(Feed):
    """Updates, tickers and matches of ten products as they came on 2021-04-17, again and again."""

    name = "coinbase-mix"
    title = "Coinbase: l2update, ticker, match as in a session"
    venue = "coinbase"
    kinds = ("l2update", "ticker", "match")
    instruments: tuple[str, ...] = (
        "BAND-GBP", "BAND-BTC", "YFI-BTC", "NU-GBP", "CRV-EUR", "SKL-GBP", "SKL-USD", "SKL-BTC", "NMR-EUR", "DASH-BTC",
    )  # fmt: skip
    channels: ClassVar[frozenset[str]] = frozenset({"level2", "ticker", "matches"})

    def __init__(self) -> None:
        messages = recorded()
        self.source = "generated" if messages is None else "recorded"
        messages = generated() if messages is None else messages
        snapshots = [message for message in messages if message["type"] == "snapshot"]
        self._snapshots = {message["product_id"]: compact(message) for message in snapshots}
        played = [message for message in messages if message["type"] in self.kinds]
        self._cycle = [*played, *going_back(snapshots, [m for m in played if m["type"] == "l2update"])]
        self._trade_ids = {product: itertools.count(1000) for product in Mix.instruments}
        self._sequences = {product: itertools.count(1000) for product in Mix.instruments}

    def script(self) -> Conversation:
        return Conversation(self.channels, self.instruments, self._snapshots)

    def _made(self, message: dict[str, Any]) -> Made:
        if message["type"] != "l2update":
            product = message["product_id"]
            message = message | {"sequence": next(self._sequences[product])}
            if message["type"] == "match":
                message["trade_id"] = next(self._trade_ids[product])
        return Made(message["type"], compact(message), value(message))

    def special(self, price: Decimal, *, last: bool) -> list[Made]:
        product = self.instruments[0]
        update = ["buy", str(price), "0" if last else "1"]
        return [
            self._made(ticker(product, 9, random.Random(0), sizes=False) | {"price": str(price)}),
            self._made(match(product, str(price), "1", "buy")),
            self._made({"type": "l2update", "product_id": product, "changes": [update], "time": TIME}),
        ]

    def body(self) -> Iterator[Made]:
        ready = [self._made(message) if message["type"] == "l2update" else message for message in self._cycle]
        for one in itertools.cycle(ready):
            yield one if isinstance(one, Made) else self._made(one)


class One(Mix):
    """One product of the same session: three topics."""

    name = "coinbase-one"
    title = "Coinbase: l2update, ticker, match of one product"
    instruments = ("SKL-USD",)

    def __init__(self) -> None:
        super().__init__()
        self._cycle = [message for message in self._cycle if message["product_id"] in self.instruments]


class Tickers(Feed):
    """Tickers of ten products, as they have been since 2022."""

    name = "coinbase-ticker"
    title = "Coinbase: ticker"
    venue = "coinbase"
    kinds = ("ticker",)
    instruments: tuple[str, ...] = Mix.instruments
    channels: ClassVar[frozenset[str]] = frozenset({"ticker"})

    def __init__(self, instruments: tuple[str, ...] = Mix.instruments) -> None:
        chance = random.Random(2022)
        self.instruments = instruments
        self._sequences = {product: itertools.count(1000) for product in instruments}
        self._cycle = [
            ticker(product, 147_775 + 10_000 * (at % 100), chance, sizes=True)
            for _ in range(max(1, 1000 // len(instruments)))
            for at, product in enumerate(instruments)
        ]

    @classmethod
    def wide(cls, instruments: int) -> Tickers:
        return cls(tuple(f"P{at:04}-USD" for at in range(instruments)))

    def script(self) -> Conversation:
        return Conversation(self.channels, self.instruments, {})

    def _made(self, message: dict[str, Any]) -> Made:
        number = next(self._sequences[message["product_id"]])
        message = message | {"sequence": number, "trade_id": number}
        return Made("ticker", compact(message), Decimal(message["price"]))

    def special(self, price: Decimal, *, last: bool) -> list[Made]:  # noqa: ARG002  # it has no book
        one = ticker(self.instruments[0], 147_775, random.Random(0), sizes=True)
        return [self._made(one | {"price": str(price)})]

    def body(self) -> Iterator[Made]:
        for message in itertools.cycle(self._cycle):
            yield self._made(message)
