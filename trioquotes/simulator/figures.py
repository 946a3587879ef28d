"""Rolling figures of a market: open, high, low and volume of the last hours or days."""

from __future__ import annotations

from collections import deque
from decimal import Decimal

import attrs

__all__ = ["Figures", "RollingWindow"]

HOUR_NS = 3_600 * 10**9
DAY_NS = 24 * HOUR_NS


@attrs.define
class _Bucket:
    start_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    volume: Decimal


class RollingWindow:
    """Open, high, low and volume over a window that moves in buckets.

    Args:
        bucket_ns: width of a bucket.
        buckets: how many buckets the window keeps.
    """

    def __init__(self, bucket_ns: int, buckets: int) -> None:
        self._bucket_ns = bucket_ns
        self._window_ns = bucket_ns * buckets
        self._buckets: deque[_Bucket] = deque()

    def add(self, time_ns: int, price: Decimal, volume: Decimal) -> None:
        """Count a trade, or with zero volume a price before the first trade."""
        start = time_ns - time_ns % self._bucket_ns
        if not self._buckets or self._buckets[-1].start_ns < start:
            self._buckets.append(_Bucket(start, price, price, price, volume))
            while self._buckets[0].start_ns <= start - self._window_ns:
                self._buckets.popleft()
            return
        last = self._buckets[-1]
        last.high = max(last.high, price)
        last.low = min(last.low, price)
        last.volume += volume

    @property
    def open(self) -> Decimal:
        """The first price in the window."""
        return self._buckets[0].open

    @property
    def high(self) -> Decimal:
        """The highest price in the window."""
        return max(bucket.high for bucket in self._buckets)

    @property
    def low(self) -> Decimal:
        """The lowest price in the window."""
        return min(bucket.low for bucket in self._buckets)

    @property
    def volume(self) -> Decimal:
        """What was traded in the window, in base units."""
        return sum((bucket.volume for bucket in self._buckets), Decimal(0))


@attrs.frozen
class Figures:
    """The last day in hours, and the last thirty days in days."""

    day: RollingWindow = attrs.field(factory=lambda: RollingWindow(HOUR_NS, 24))
    month: RollingWindow = attrs.field(factory=lambda: RollingWindow(DAY_NS, 30))

    def add(self, time_ns: int, price: Decimal, volume: Decimal) -> None:
        """Count a trade in both windows."""
        self.day.add(time_ns, price, volume)
        self.month.add(time_ns, price, volume)
