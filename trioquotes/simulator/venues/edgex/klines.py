"""Bars of every interval, folded from prices as they come; pure."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache

import attrs

__all__ = ["INTERVALS", "PRICE_TYPES", "Bar", "Bars", "open_of"]

PRICE_TYPES = ("LAST_PRICE", "MARK_PRICE", "INDEX_PRICE", "ORACLE_PRICE")

MINUTE_NS = 60 * 10**9
INTERVALS = {
    **{f"MINUTE_{count}": count for count in (1, 5, 15, 30)},
    **{f"HOUR_{count}": 60 * count for count in (1, 2, 4, 6, 8, 12)},
    "DAY_1": 1440,
    "WEEK_1": 0,
    "MONTH_1": 0,
}
"""Minutes of each interval; those of the calendar are worked out apart."""

KEPT = 200
"""How many bars of each interval stay readable; a day of quarters of an hour fits in."""


def open_of(interval: str, time_ns: int) -> int:
    """When the bar opened that holds a time; weeks begin on Monday, everything is UTC."""
    minutes = INTERVALS[interval]
    if minutes:
        return time_ns - time_ns % (minutes * MINUTE_NS)
    day = datetime.fromtimestamp(time_ns // 10**9, UTC).replace(hour=0, minute=0, second=0)
    day = day.replace(day=1) if interval == "MONTH_1" else day - timedelta(days=day.weekday())
    return int(day.timestamp()) * 10**9


@lru_cache(maxsize=4096)
def _opens(minute: int) -> dict[str, int]:
    """When the bars of all intervals opened that hold a minute; every price of every contract asks for the same."""
    return {name: open_of(name, minute * MINUTE_NS) for name in INTERVALS}


@attrs.define
class Bar:
    """One bar; what is traded by buyers who were makers is counted apart.

    Attributes:
        open_ns: when it opened; ``high_ns`` and ``low_ns`` when its extremes were first reached.
    """

    open_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    high_ns: int
    low_ns: int
    trades: int = 0
    size: Decimal = Decimal(0)
    value: Decimal = Decimal(0)
    maker_buy_size: Decimal = Decimal(0)
    maker_buy_value: Decimal = Decimal(0)

    def add(self, time_ns: int, price: Decimal, size: Decimal | None, *, buyer_made: bool) -> None:
        """Fold one more price in; with a size it was traded."""
        self.close = price
        if price > self.high:
            self.high, self.high_ns = price, time_ns
        if price < self.low:
            self.low, self.low_ns = price, time_ns
        if size is None:
            return
        self.trades += 1
        self.size += size
        self.value += price * size
        if buyer_made:
            self.maker_buy_size += size
            self.maker_buy_value += price * size


class Bars:
    """The bars of one price of one contract."""

    def __init__(self) -> None:
        self._bars: dict[str, deque[Bar]] = {name: deque(maxlen=KEPT) for name in INTERVALS}
        self._opens: dict[str, int] = {}
        self._minute = -1
        self._touched: dict[str, deque[Bar]] = {name: deque(maxlen=KEPT) for name in INTERVALS}

    def add(
        self, time_ns: int, price: Decimal, size: Decimal | None = None, *, buyer_made: bool = False
    ) -> None:
        """Fold a price, or with a size a trade, into the bars of all intervals."""
        minute = time_ns // MINUTE_NS
        if minute != self._minute:
            self._minute = minute
            self._opens = _opens(minute)
        for name, bars in self._bars.items():
            opened = self._opens[name]
            if not bars or bars[-1].open_ns < opened:
                bars.append(Bar(opened, price, price, price, price, time_ns, time_ns))
            bar = bars[-1]
            bar.add(time_ns, price, size, buyer_made=buyer_made)
            touched = self._touched[name]
            if not touched or touched[-1] is not bar:
                touched.append(bar)

    def copy(self) -> Bars:
        """The same bars, from here on with a life of their own."""
        other = Bars()
        for name, bars in self._bars.items():
            copies = {id(bar): attrs.evolve(bar) for bar in bars}
            other._bars[name].extend(copies.values())
            other._touched[name].extend(copies[id(bar)] for bar in self._touched[name] if id(bar) in copies)
        return other

    def latest(self, interval: str, count: int) -> list[Bar]:
        """The newest bars, oldest first."""
        return list(self._bars[interval])[-count:]

    def since(self, interval: str, from_ns: int) -> list[Bar]:
        """The bars that opened at a time or later, oldest first."""
        return [bar for bar in self._bars[interval] if bar.open_ns >= from_ns]

    def take_touched(self, interval: str) -> list[Bar]:
        """The bars that changed since this was last asked, oldest first."""
        touched = list(self._touched[interval])
        self._touched[interval].clear()
        return touched
