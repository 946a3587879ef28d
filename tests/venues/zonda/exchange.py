"""A naive exchange that publishes its books as Zonda does, written from the venue's pages; it remembers every state.

A book channel has a number; each push has the next one and brings the channel's view of the book from what it
showed last to what it shows now. The snapshot has the number of the push that is the last one in it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

__all__ = ["DEEPEST", "BookChannel", "Levels", "Market", "State", "TickerChannel", "spelt", "top"]

Levels = dict[Decimal, Decimal]
State = tuple[Levels, Levels]
"""Bids and asks by price."""

DEEPEST: Final = 300
"""Prices a side in a snapshot of ``orderbook``."""

STEP: Final = Decimal("0.5")
MIDDLE: Final = Decimal(1000)


def spelt(number: Decimal, *, longer: bool) -> str:
    """The same number, with a digit more or not."""
    text = f"{number:f}"
    return f"{text}0" if longer and "." in text else text


def top(levels: Mapping[Decimal, Decimal], many: int | None, *, bids: bool) -> Levels:
    """The best levels of a side, best first."""
    return dict(sorted(levels.items(), reverse=bids)[:many])


def row(price: str, size: str) -> str:
    return f'{{"ra":"{price}","ca":"{size}","sa":"{size}","pa":"{size}","co":1}}'


class Market:
    """The true book of one market: it is never crossed.

    Args:
        code: as ``BTC-PLN``.
        rng: the source of chance.
        levels: prices a side at the beginning.
    """

    def __init__(self, code: str, rng: random.Random, levels: int) -> None:
        self.code = code
        self.rng = rng
        self.bids: Levels = {MIDDLE - STEP * n: Decimal(n) for n in range(1, levels + 1)}
        self.asks: Levels = {MIDDLE + STEP * n: Decimal(n) for n in range(1, levels + 1)}

    def _size(self) -> Decimal:
        return Decimal(self.rng.randint(1, 9999)).scaleb(-2)

    def move(self, steps: int = 1) -> None:
        """Orders come and go, mostly near the top; now and then somebody takes the best prices of a side."""
        for _ in range(steps):
            buys = self.rng.random() < 0.5
            side = self.bids if buys else self.asks
            if side and self.rng.random() > 0.65:
                near = min(len(side), 1 if self.rng.random() < 0.4 else 12)
                del side[sorted(side, reverse=buys)[self.rng.randrange(near)]]
                continue
            price = self._somewhere(buys=buys)
            side[price] = self._size()
            self._match(price, buys=buys)

    def _somewhere(self, *, buys: bool) -> Decimal:
        side, other = (self.bids, self.asks) if buys else (self.asks, self.bids)
        best = (max(side) if buys else min(side)) if side else MIDDLE
        if other and self.rng.random() < 0.1:
            best = min(other) if buys else max(other)
        away = STEP * (self.rng.randint(-1, 8) if self.rng.random() < 0.8 else self.rng.randint(9, 60))
        return max(best - away if buys else best + away, STEP)

    def _match(self, price: Decimal, *, buys: bool) -> None:
        other = self.asks if buys else self.bids
        for taken in [p for p in other if (p <= price if buys else p >= price)]:
            del other[taken]

    def swing(self, prices: int) -> None:
        """Somebody takes many prices of one side, or the gap between the two is filled with new ones."""
        buys = self.rng.random() < 0.5
        side, other = (self.bids, self.asks) if buys else (self.asks, self.bids)
        if self.rng.random() < 0.5:
            for price in sorted(side, reverse=buys)[:prices]:
                del side[price]
            return
        price = (max(side, default=MIDDLE) if buys else min(side, default=MIDDLE)) + (STEP if buys else -STEP)
        for _ in range(prices):
            if price <= 0 or (
                price >= min(other, default=price + 1) if buys else price <= max(other, default=0)
            ):
                return
            side[price] = Decimal(7)
            price += STEP if buys else -STEP

    def stir(self) -> None:
        """Something changes about where a snapshot of a deep book ends."""
        buys = self.rng.random() < 0.5
        side = self.bids if buys else self.asks
        for price in self.rng.sample(
            sorted(side, reverse=buys)[DEEPEST - 40 :], min(4, max(0, len(side) - 260))
        ):
            if self.rng.random() < 0.5:
                del side[price]
            else:
                side[price] = self._size()


class BookChannel:
    """``orderbook`` or a window of it.

    Args:
        market: whose book it is.
        limit: prices a side of the window; ``None`` for ``orderbook``.
        number: at the beginning.

    Attributes:
        history: what stands behind each number there ever was.
    """

    def __init__(self, market: Market, limit: int | None, number: int) -> None:
        self.market = market
        self.limit = limit
        self.number = number
        name = market.code.lower()
        self.path = f"orderbook/{name}" if limit is None else f"orderbook-limited/{name}/{limit}"
        self.history: dict[int, State] = {number: self._now()}

    @property
    def shown(self) -> State:
        """What the channel shows now."""
        return self.history[self.number]

    def _now(self) -> State:
        return top(self.market.bids, self.limit, bids=True), top(self.market.asks, self.limit, bids=False)

    def publish(self, *, forget: bool = False) -> str | None:
        """The next push; ``None`` where nothing changed.

        Args:
            forget: whether the server forgets to say what left the window.
        """
        now = self._now()
        changes: list[tuple[str, Decimal, Decimal | None]] = []
        for name, before, after in zip(("Buy", "Sell"), self.shown, now, strict=True):
            gone = [] if forget else [price for price in before if price not in after]
            changes += [(name, price, None) for price in gone]
            changes += [(name, price, size) for price, size in after.items() if before.get(price) != size]
        if not changes:
            return None
        kept = tuple(before | after for before, after in zip(self.shown, now, strict=True)) if forget else now
        return self.push((kept[0], kept[1]), changes)

    def cross(self) -> str | None:
        """The next push shows the best bid at the best ask, or above it: a book that no market has."""
        bids, asks = self.shown
        if not bids or not asks:
            return None
        price = min(asks) + STEP * self.market.rng.randint(0, 2)
        crossed = {**bids, price: Decimal(1)}
        return self.push((crossed, asks), [("Buy", price, Decimal(1))])

    def push(self, state: State, changes: Sequence[tuple[str, Decimal, Decimal | None]]) -> str:
        """A push that leads to a state."""
        self.number += 1
        self.history[self.number] = state
        rng = self.market.rng
        longer = rng.random() > 0.7
        rows = [self._change(name, spelt(price, longer=longer), size) for name, price, size in changes]
        if rng.random() > 0.5:
            rows.reverse()
        return (
            f'{{"action":"push","topic":"trading/{self.path}","message":{{"changes":[{",".join(rows)}],'
            f'"timestamp":"1644899040700"}},"timestamp":"1644899040733","seqNo":{self.number}}}'
        )

    def _change(self, name: str, price: str, size: Decimal | None) -> str:
        head = f'{{"marketCode":"{self.market.code}","entryType":"{name}","rate":"{price}"'
        if size is None:
            return f'{head},"action":"remove"}}'
        return f'{head},"action":"update","state":{row(price, f"{size:f}")}}}'

    def snapshot(self, number: int) -> str:
        """The body of a snapshot: both sides ascending."""
        bids, asks = self.history[number]
        return self.body(number, top(bids, DEEPEST, bids=True), top(asks, DEEPEST, bids=False))

    def body(self, number: int, bids: Levels, asks: Levels) -> str:
        """The body of a snapshot with these levels; a deep one with no more than a book needs, for the time it takes."""
        longer = self.market.rng.random() > 0.7
        make = row if len(bids) + len(asks) < 100 else lambda price, size: f'{{"ra":"{price}","ca":"{size}"}}'
        sides = (
            ",".join(make(spelt(price, longer=longer), f"{levels[price]:f}") for price in sorted(levels))
            for levels in (asks, bids)
        )
        sell, buy = sides
        return (
            f'{{"status":"Ok","sell":[{sell}],"buy":[{buy}],"timestamp":"1644899040000","seqNo":"{number}"}}'
        )


class TickerChannel:
    """Best prices of a market, whenever one changes."""

    def __init__(self, market: Market, number: int) -> None:
        self.market = market
        self.number = number
        self.path = f"ticker/{market.code.lower()}"
        self._told = self.best

    @property
    def best(self) -> tuple[Decimal | None, Decimal | None]:
        """The best bid and ask."""
        return max(self.market.bids, default=None), min(self.market.asks, default=None)

    def ticker(self) -> str:
        """The market as it is now."""
        bid, ask = ("null" if price is None else f'"{price}"' for price in self.best)
        return f'{{"time":"1705985905717","highestBid":{bid},"lowestAsk":{ask},"rate":"101"}}'

    def publish(self) -> str | None:
        """The next push; ``None`` where neither price changed."""
        if self.best == self._told:
            return None
        self._told = self.best
        self.number += 1
        return (
            f'{{"action":"push","topic":"trading/{self.path}","message":{self.ticker()},'
            f'"timestamp":"1644899040733","seqNo":{self.number}}}'
        )
