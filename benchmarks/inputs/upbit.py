"""Upbit's order books, whole each time, and its trades, in the shares of a real session."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from benchmarks.inputs.base import Feed, Made, Script, compact

__all__ = ["Short", "Upbit"]

LEVELS = 30
SHARES = ("trade",) * 75 + ("orderbook",) * 45
"""As in a session recorded on 2021-04-17; the books had 15 levels then."""
TIME_MS = 1_790_134_743_006


class Names(NamedTuple):
    """How the fields are called in a format."""

    type: str = "type"
    code: str = "code"
    timestamp: str = "timestamp"
    stream_type: str = "stream_type"
    total_ask_size: str = "total_ask_size"
    total_bid_size: str = "total_bid_size"
    orderbook_units: str = "orderbook_units"
    ask_price: str = "ask_price"
    bid_price: str = "bid_price"
    ask_size: str = "ask_size"
    bid_size: str = "bid_size"
    level: str = "level"
    trade_date: str = "trade_date"
    trade_time: str = "trade_time"
    trade_timestamp: str = "trade_timestamp"
    trade_price: str = "trade_price"
    trade_volume: str = "trade_volume"
    ask_bid: str = "ask_bid"
    prev_closing_price: str = "prev_closing_price"
    change: str = "change"
    change_price: str = "change_price"
    sequential_id: str = "sequential_id"
    best_ask_price: str = "best_ask_price"
    best_ask_size: str = "best_ask_size"
    best_bid_price: str = "best_bid_price"
    best_bid_size: str = "best_bid_size"


LONG = Names()
SHORT = Names(
    "ty", "cd", "tms", "st", "tas", "tbs", "obu", "ap", "bp", "as", "bs", "lv", "td", "ttm", "ttms", "tp", "tv", "ab",
    "pcp", "c", "cp", "sid", "bap", "bas", "bbp", "bbs",
)  # fmt: skip


def orderbook(
    n: Names, code: str, asks: list[tuple[str, str]], bids: list[tuple[str, str]], stream: str
) -> bytes:
    """A book; JSON numbers, as the venue writes them."""
    units = ",".join(
        f'{{"{n.ask_price}":{ask},"{n.bid_price}":{bid},"{n.ask_size}":{ask_size},"{n.bid_size}":{bid_size}}}'
        for (ask, ask_size), (bid, bid_size) in zip(asks, bids, strict=True)
    )
    return (
        f'{{"{n.type}":"orderbook","{n.code}":"{code}","{n.timestamp}":{TIME_MS},"{n.total_ask_size}":2.51469375,'
        f'"{n.total_bid_size}":1.63815297,"{n.orderbook_units}":[{units}],"{n.stream_type}":"{stream}","{n.level}":0}}'
    ).encode()


def trade(n: Names, code: str, price: str, size: str, *, number: int, stream: str) -> bytes:
    """A trade; every second one lifted an ask."""
    side = "BID" if number % 2 else "ASK"
    return (
        f'{{"{n.type}":"trade","{n.code}":"{code}","{n.timestamp}":{TIME_MS},"{n.trade_date}":"2026-09-23",'
        f'"{n.trade_time}":"03:39:02","{n.trade_timestamp}":{TIME_MS - 55},"{n.trade_price}":{price},'
        f'"{n.trade_volume}":{size},"{n.ask_bid}":"{side}","{n.prev_closing_price}":115800000.00000000,'
        f'"{n.change}":"RISE","{n.change_price}":738000.00000000,"{n.sequential_id}":{17_901_347_430_060_000 + number},'
        f'"{n.best_ask_price}":116539000,"{n.best_ask_size}":0.02054761,"{n.best_bid_price}":116538000,'
        f'"{n.best_bid_size}":0.08120946,"{n.stream_type}":"{stream}"}}'
    ).encode()


def double(number: int) -> str:
    """A price of ten million and more, as the venue writes it: ``1.16539E8``."""
    text = str(number)
    return f"{text[0]}.{text[1:].rstrip('0') or '0'}E{len(text) - 1}"


class Conversation(Script):
    """No acknowledgement: the present state of everything that was asked for."""

    def __init__(self, codes: tuple[str, ...], names: Names) -> None:
        self._names = names
        self._needed = {(kind, code) for kind in ("orderbook", "trade") for code in codes}
        self._has: set[tuple[str, str]] = set()

    def asked(self, text: str) -> list[bytes]:
        request = json.loads(text)
        if not isinstance(request, list):
            return []
        answers = []
        for part in request:
            kind = part.get("type", "")
            for asked in part.get("codes", []):
                code = asked.partition(".")[0]
                self._has.add((kind, code))
                if kind == "orderbook":
                    answers.append(book(self._names, random.Random(1), code, 0, "SNAPSHOT")[0])
                elif kind == "trade":
                    answers.append(trade(self._names, code, "116538000", "0.1", number=0, stream="SNAPSHOT"))
        return answers

    def ready(self) -> bool:
        return self._needed <= self._has

    def fetched(self, method: str, target: str) -> bytes | None:  # noqa: ARG002  # it only reads
        if target.startswith("/v1/market/all"):
            return compact(
                [{"market": code, "korean_name": code, "english_name": code} for code in Upbit.instruments]
            )
        return None


def book(names: Names, chance: random.Random, code: str, shift: int, stream: str) -> tuple[bytes, Decimal]:
    """A book round a middle, and its best bid."""

    def size() -> str:
        return f"{chance.uniform(0.0001, 9):.8f}"

    middle = 116_538_000 + 1000 * shift
    asks = [(double(middle + 1000 * (at + 1)), size()) for at in range(LEVELS)]
    bids = [(double(middle - 1000 * at), size()) for at in range(LEVELS)]
    return orderbook(names, code, asks, bids, stream), Decimal(middle)


NEW_SIZES = 0.05
MOVES = 0.08
"""Of the levels of a message 94 % were in the one before, price and size, in a session recorded on 2021-04-17; the best price
moved with every twelfth message."""


class Market:
    """A book that goes on from message to message."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._middle = 116_538_000
        self._asks: dict[int, str] = {}
        self._bids: dict[int, str] = {}

    def _side(self, sizes: dict[int, str], prices: list[int]) -> dict[int, str]:
        chance = self._chance
        return {
            price: f"{chance.uniform(0.0001, 9):.8f}"
            if price not in sizes or chance.random() < NEW_SIZES
            else sizes[price]
            for price in prices
        }

    def message(self, names: Names, code: str) -> tuple[bytes, Decimal]:
        """The next one, and its best bid."""
        if self._chance.random() < MOVES:
            self._middle += self._chance.choice((-1000, 1000))
        self._asks = self._side(self._asks, [self._middle + 1000 * (at + 1) for at in range(LEVELS)])
        self._bids = self._side(self._bids, [self._middle - 1000 * at for at in range(LEVELS)])
        asks, bids = (
            [(double(price), size) for price, size in side.items()] for side in (self._asks, self._bids)
        )
        return orderbook(names, code, asks, bids, "REALTIME"), Decimal(self._middle)


class Upbit(Feed):
    """Books and trades of five markets."""

    name = "upbit"
    title = "Upbit: orderbook (30 levels) and trade"
    venue = "upbit"
    kinds = ("orderbook", "trade")
    instruments = ("KRW-BTC", "KRW-ETH", "KRW-XRP", "KRW-SOL", "KRW-DOGE")
    binary = True
    names = LONG

    def __init__(self) -> None:
        self._chance = random.Random(5)
        self._number = 1
        self._markets = {code: Market(self._chance) for code in self.instruments}

    def script(self) -> Conversation:
        return Conversation(self.instruments, self.names)

    def special(self, price: Decimal, *, last: bool) -> list[Made]:  # noqa: ARG002  # each book is whole
        self._number += 1
        code = self.instruments[0]
        return [
            Made(
                "orderbook",
                orderbook(self.names, code, [("1.0", "1")], [(str(price), "1")], "REALTIME"),
                price,
            ),
            Made(
                "trade",
                trade(self.names, code, str(price), "1", number=self._number, stream="REALTIME"),
                price,
            ),
        ]

    def body(self) -> Iterator[Made]:
        chance = self._chance
        while True:
            code = chance.choice(self.instruments)
            if chance.choice(SHARES) == "orderbook":
                yield Made("orderbook", *self._markets[code].message(self.names, code))
            else:
                self._number += 1
                price = 116_538_000 + 1000 * chance.randrange(-50, 50)
                size = f"{chance.uniform(0.0001, 2):.8f}"
                payload = trade(self.names, code, double(price), size, number=self._number, stream="REALTIME")
                yield Made("trade", payload, Decimal(price))


class Short(Upbit):
    """The same in the short format, which some clients ask for."""

    name = "upbit-simple"
    title = "Upbit: orderbook (30 levels) and trade, format SIMPLE"
    names = SHORT
