"""The two ways in which venues count: a bucket that refills, and a window that rolls. Pure: time is passed in."""

from __future__ import annotations

from collections import deque

__all__ = ["RollingLimit", "TokenBucket"]


class TokenBucket:
    """So many per second on average, and as many as the bucket holds at once.

    Args:
        rate: tokens that come back per second.
        burst: tokens that the bucket holds; it starts full.
    """

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._at_s: float | None = None

    def take(self, now_s: float) -> bool:
        """Take one token; false where there is none."""
        if self._at_s is not None:
            self._tokens = min(self._tokens + (now_s - self._at_s) * self._rate, self._burst)
        self._at_s = now_s
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class RollingLimit:
    """At most ``count`` within any ``window_s`` seconds; those refused do not count."""

    def __init__(self, count: int, window_s: float) -> None:
        self._count = count
        self._window_s = window_s
        self._times: deque[float] = deque()

    def take(self, now_s: float) -> bool:
        """Count one; false where it would be one too many."""
        while self._times and self._times[0] <= now_s - self._window_s:
            self._times.popleft()
        if len(self._times) >= self._count:
            return False
        self._times.append(now_s)
        return True
