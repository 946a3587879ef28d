"""The venue's books as the venue has them, in plain dicts, and the line on which it publishes them.

Written from the venue's pages and recorded frames alone: it knows nothing of the client's code.
"""

from __future__ import annotations

import json
import random
from decimal import Decimal

import attrs

from tests.venues.bookcheck import Levels

__all__ = ["GARBAGE", "VALUES", "BookServer", "Frame", "Market", "Style"]

GARBAGE = ("", "{", '{"type":"quote-event"', '{"channel":"depth"}', '{"type":7}')
"""What may stand in the place of a frame that was lost: it says nothing, not even what it would have been."""
PRICES = 60
SPELT = [(f"{100 + number}.5", f"{100 + number}.50") for number in range(PRICES)]
VALUES = [Decimal(plain) for plain, _ in SPELT]

Book = tuple[dict[int, int], dict[int, int]]  # bids, asks: sizes in hundredths by the number of the price


@attrs.frozen
class Style:
    """How this server writes; each of the venue's two generations, and its documents, does it otherwise."""

    joins: bool  # a change begins where the message before ended, not at the version after it
    pairs: bool
    says_gone: bool  # a level that leaves the window is said to be gone
    kind: str
    whole: tuple[str, str | None]  # dataType and depthType of a snapshot
    change: tuple[str, str | None]

    @classmethod
    def any(cls, rng: random.Random) -> Style:
        return cls(
            joins=rng.random() < 0.5,
            pairs=rng.random() < 0.3,
            says_gone=rng.random() < 0.7,
            kind=rng.choice(("quote-event", "payload")),
            whole=rng.choice((("Snapshot", "SNAPSHOT"), ("Snapshot", "Snapshot"), ("snapshot", None))),
            change=rng.choice((("changed", "CHANGED"), ("Changed", "CHANGED"), ("changed", None))),
        )


@attrs.frozen
class Frame:
    """What the server sends.

    Attributes:
        channel: of data; empty for a frame that is none.
        version: up to which the book is in it; -1 where it is no book.
        whole: whether it is a snapshot.
        readable: whether the client can read it.
        said: whether it says at least which channel it is of.
    """

    text: str
    channel: str = ""
    version: int = -1
    whole: bool = False
    readable: bool = True
    said: bool = True


class Market:
    """One contract: what rests at which price, and how many things happened to it."""

    def __init__(self, rng: random.Random, levels: int) -> None:
        self.levels = levels
        self.middle = PRICES // 2
        self.version = rng.randrange(1000, 10**10)
        self.bids = {self.middle - 1 - n: rng.randint(1, 900) for n in range(levels)}
        self.asks = {self.middle + n: rng.randint(1, 900) for n in range(levels)}

    def happen(self, rng: random.Random, span: int) -> None:
        """So many things happen to the book, some of them without a trace."""
        self.version += span
        if rng.random() < 0.3:
            self.middle = min(max(self.middle + rng.choice((-1, 1)), 5), PRICES - 5)
        for _ in range(rng.randint(0, 3)):
            away = rng.randrange(self.levels + 2)
            side, price = rng.choice(((self.bids, self.middle - 1 - away), (self.asks, self.middle + away)))
            if 0 <= price < PRICES:
                side[price] = 0 if rng.random() < 0.3 else rng.randint(1, 900)
        # Trades, or a crossing that lasted: what a side holds beyond the middle is gone.
        self.bids = {price: size for price, size in self.bids.items() if size and price < self.middle}
        self.asks = {price: size for price, size in self.asks.items() if size and price >= self.middle}

    def cross(self, *, locked: bool) -> None:
        """An auction, or a mistake of the venue's: somebody bids as much as is asked, or more."""
        best = min(self.asks, default=self.middle)
        self.bids[min(best if locked else best + 1, PRICES - 1)] = 5
        self.asks[best] = 5
        self.version += 3

    def window(self, level: int) -> Book:
        bids = sorted(self.bids, reverse=True)[:level]
        asks = sorted(self.asks)[:level]
        return {price: self.bids[price] for price in bids}, {price: self.asks[price] for price in asks}


def levels_of(side: dict[int, int]) -> Levels:
    return {VALUES[price]: Decimal(size).scaleb(-2) for price, size in side.items()}


class BookServer:
    """One line of the public socket.

    Attributes:
        there: what is subscribed, with the window as it was last shown and its version.
        past: by channel and version: the windows that were shown.
        right: the same as what a client that has everything up to there must hold.
    """

    def __init__(self, rng: random.Random, markets: dict[str, Market], style: Style) -> None:
        self.rng = rng
        self.markets = markets
        self.style = style
        self.there: dict[str, tuple[Book, int]] = {}
        self.past: dict[str, dict[int, Book]] = {}
        self.right: dict[str, dict[int, tuple[Levels, Levels]]] = {}

    def answer(self, request: str, *, snapshot: bool = True, trouble: bool = False) -> list[Frame]:
        """To a request; ``trouble`` is the gateway's, ``snapshot`` whether the first one gets through."""
        said = json.loads(request)
        match said["type"]:
            case "ping":
                return [Frame(f'{{"type":"pong","time":"{said["time"]}"}}')]
            case "unsubscribe":
                self.there.pop(said["channel"], None)
                return [Frame(f'{{"type":"unsubscribed","channel":"{said["channel"]}"}}')]
        channel = said["channel"]
        if trouble:
            content = {"code": "GATEWAY_ERROR", "msg": "try again"}
            return [Frame(json.dumps({"type": "error", "request": request, "content": content}))]
        frames = [Frame(json.dumps({"type": "subscribed", "channel": channel, "request": request}))]
        if not channel.startswith("depth."):
            return frames
        book = self.snapshot(channel)
        if snapshot:
            frames.insert(self.rng.randint(0, 1), book)
        return frames

    def snapshot(self, channel: str) -> Frame:
        """The book as it is now, from which the next change goes on."""
        _, contract, level = channel.split(".")
        market = self.markets[contract]
        book = market.window(int(level))
        self.there[channel] = book, market.version
        return self.frame(channel, market.version - 7, market.version, book, whole=True)

    def changes(self, contract: str) -> list[Frame]:
        """What is new, on each channel of the contract that is subscribed."""
        return [
            self.change(channel)
            for channel, (_, version) in list(self.there.items())
            if channel.split(".")[1] == contract and version < self.markets[contract].version
        ]

    def change(self, channel: str) -> Frame:
        _, contract, level = channel.split(".")
        market = self.markets[contract]
        (bids, asks), version = self.there[channel]
        now = market.window(int(level))
        self.there[channel] = now, market.version
        rows = self._rows(bids, now[0], market.bids), self._rows(asks, now[1], market.asks)
        start = version if self.style.joins else version + 1
        return self.frame(channel, start, market.version, rows)

    def _rows(self, before: dict[int, int], now: dict[int, int], resting: dict[int, int]) -> dict[int, int]:
        rows = {price: size for price, size in now.items() if before.get(price) != size}
        for price in before:
            if price not in now and (self.style.says_gone or price not in resting):
                rows[price] = 0
        return rows

    def frame(self, channel: str, start: int, end: int, rows: Book, *, whole: bool = False) -> Frame:
        """A frame of data; what the book is once it is applied is written down."""
        bids, asks = book = self.there[channel][0]
        self.past.setdefault(channel, {})[end] = book
        self.right.setdefault(channel, {})[end] = levels_of(bids), levels_of(asks)
        return Frame(self.text(channel, start, end, rows, whole=whole), channel, end, whole)

    def text(self, channel: str, start: int, end: int, rows: Book, *, whole: bool) -> str:
        _, contract, level = channel.split(".")
        data_type, depth_type = self.style.whole if whole else self.style.change
        sides = f'"asks":[{self._side(rows[1])}],"bids":[{self._side(rows[0])}]'
        row = (
            f'"startVersion":"{start}","endVersion":"{end}","level":{level},"contractId":"{contract}",{sides}'
        )
        if depth_type is not None:
            row += f',"depthType":"{depth_type}"'
        content = f'{{"channel":"{channel}","dataType":"{data_type}","data":[{{{row}}}]}}'
        return f'{{"type":"{self.style.kind}","channel":"{channel}","content":{content}}}'

    def _side(self, side: dict[int, int]) -> str:
        form = '["%s","%s"]' if self.style.pairs else '{"price":"%s","size":"%s"}'
        rows = [(SPELT[price][size & 1], f"{size // 100}.{size % 100:02}") for price, size in side.items()]
        self.rng.shuffle(rows)
        return ",".join(form % row for row in rows)
