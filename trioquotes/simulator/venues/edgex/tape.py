"""The trades of one contract: those that were before the market began, and those that are made on it; pure."""

from __future__ import annotations

import random
from collections import deque
from decimal import Decimal

import attrs

from trioquotes.simulator.figures import DAY_NS, HOUR_NS
from trioquotes.simulator.floor import floor_to
from trioquotes.simulator.happenings import Matched
from trioquotes.simulator.venues.edgex.klines import PRICE_TYPES, Bar, Bars
from trioquotes.simulator.venues.edgex.listings import Contract
from trioquotes.simulator.venues.edgex.texts import order_number

__all__ = ["Day", "Print", "Tape"]

MINUTE_NS = 60 * 10**9
QUARTER_NS = 15 * MINUTE_NS
"""The window of the last day moves in steps of this width, as recorded."""

RECENT = 50
"""How many trades a snapshot holds."""

ACCOUNTS_FROM = 640_000_000_000_000_000
"""Recorded account ids have eighteen digits."""


@attrs.frozen(kw_only=True)
class Print:
    """One trade.

    Attributes:
        number: contiguous per contract, as the market counts; the ticket's id is made of it.
        best: whether it was the first that its taker's order made.
    """

    number: int
    time_ns: int
    price: Decimal
    size: Decimal
    buyer_made: bool
    taker_order: str
    maker_order: str
    taker_account: str
    maker_account: str
    best: bool


@attrs.frozen(kw_only=True)
class Day:
    """The last twenty-four hours, from the quarter of an hour in which they began."""

    start_ns: int
    end_ns: int
    open: Decimal
    high: Decimal
    high_ns: int
    low: Decimal
    low_ns: int
    close: Decimal
    trades: int
    size: Decimal
    value: Decimal


class Tape:
    """The trades of one contract and the bars they make.

    Args:
        contract: of which.
        rng: the source of chance.
        start_ns: when the market begins; trades before that are made up.
        last_number: of the trade before the market's first.

    Attributes:
        bars: by type of price.
        recent: the newest trades, oldest first.
    """

    def __init__(self, contract: Contract, rng: random.Random, start_ns: int, last_number: int) -> None:
        self._contract = contract
        self._rng = rng
        self.bars = {name: Bars() for name in PRICE_TYPES}
        self.recent: deque[Print] = deque(maxlen=RECENT)
        self._last_taker_order = ""
        self._make_past(start_ns, last_number)

    def _make_past(self, start_ns: int, last_number: int) -> None:
        """A path that ends at the reference price; a quiet contract traded once, long ago."""
        if self._contract.quiet:
            self._made_up(last_number, start_ns - 40 * DAY_NS, self._contract.reference)
            self._copy_prices()
            return
        times = [start_ns - quarter * 6 * HOUR_NS for quarter in range(31 * 4, 4, -1)]
        times += [start_ns - quarter * QUARTER_NS for quarter in range(96, 4, -1)]
        times += [start_ns - minute * MINUTE_NS for minute in range(60, 0, -1)]
        path = [self._contract.reference]
        while len(path) < len(times):
            drift = self._contract.reference * self._rng.randint(-30, 30) / 100_000
            path.append(max(floor_to(path[-1] + drift, self._contract.tick), self._contract.tick))
        first = last_number - len(times) + 1
        for number, (time_ns, price) in enumerate(zip(times, reversed(path), strict=True), start=first):
            self._made_up(number, time_ns, price)
        self._copy_prices()

    def _copy_prices(self) -> None:
        """In the past that was made up all prices but the last one are one."""
        for name in PRICE_TYPES[2:]:
            self.bars[name] = self.bars[PRICE_TYPES[1]].copy()

    def _made_up(self, number: int, time_ns: int, price: Decimal) -> None:
        self.bars[PRICE_TYPES[1]].add(time_ns, price)
        order, maker = (str(self._rng.randrange(7 * 10**17, 8 * 10**17)) for _ in range(2))
        size = max(self._contract.lot * self._rng.randint(1, 400) / 10, self._contract.step)
        self._keep(
            number=number, time_ns=time_ns, price=price, size=floor_to(size, self._contract.step),
            buyer_made=self._rng.random() < 0.5, taker_order=order, maker_order=maker,
            taker_account=self._account(None), maker_account=self._account(None),
        )  # fmt: skip

    def add(self, trade: Matched) -> Print:
        """Take in a trade of the market."""
        return self._keep(
            number=trade.trade_id, time_ns=trade.time_ns, price=trade.price, size=trade.size, buyer_made=trade.taker_side == "sell",
            taker_order=order_number(trade.taker_order_id), maker_order=order_number(trade.maker_order_id),
            taker_account=self._account(trade.taker_owner), maker_account=self._account(trade.maker_owner),
        )  # fmt: skip

    def _account(self, owner: str | None) -> str:
        return owner or str(ACCOUNTS_FROM + self._rng.randrange(10**15))

    def _keep(
        self, *, number: int, time_ns: int, price: Decimal, size: Decimal, buyer_made: bool, taker_order: str, maker_order: str,
        taker_account: str, maker_account: str,
    ) -> Print:  # fmt: skip
        made = Print(
            number=number, time_ns=time_ns, price=price, size=size, buyer_made=buyer_made,
            taker_order=taker_order, maker_order=maker_order, taker_account=taker_account,
            maker_account=maker_account, best=taker_order != self._last_taker_order,
        )  # fmt: skip
        self._last_taker_order = taker_order
        self.recent.append(made)
        self.bars["LAST_PRICE"].add(time_ns, price, size, buyer_made=buyer_made)
        return made

    @property
    def last(self) -> Print:
        """The newest trade."""
        return self.recent[-1]

    def day(self, now_ns: int) -> Day:
        """The figures of the last day; where nothing traded, the last trade's price stands for all."""
        end_ns = now_ns - now_ns % QUARTER_NS
        start_ns = end_ns - DAY_NS
        bars = self.bars["LAST_PRICE"].since("MINUTE_15", start_ns)
        last = self.last
        stand_in = Bar(
            last.time_ns, last.price, last.price, last.price, last.price, last.time_ns, last.time_ns
        )
        shown = bars or [stand_in]
        highest = max(shown, key=lambda bar: bar.high)
        lowest = min(shown, key=lambda bar: bar.low)
        return Day(
            start_ns=start_ns, end_ns=end_ns, open=shown[0].open, close=shown[-1].close,
            high=highest.high, high_ns=highest.high_ns, low=lowest.low, low_ns=lowest.low_ns,
            trades=sum(bar.trades for bar in bars), size=sum((bar.size for bar in bars), Decimal(0)),
            value=sum((bar.value for bar in bars), Decimal(0)),
        )  # fmt: skip
