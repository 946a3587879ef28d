"""Whether the venue holds quotes back: it stops for the rest of a minute and does not say so.

How the venue counts is not documented beyond "50 requests a minute". So neither is a minute's start assumed
nor that our count is its count: a silence is taken for a hold only if 50 frames came within the last minute.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

__all__ = ["FRAMES_A_MINUTE", "HUSH_S", "MINUTE_NS", "MINUTE_S", "Throttle"]

FRAMES_A_MINUTE: Final = 50
"""Frames after which the venue sends no quotes until the next minute.

*Source:* Product Quotes WebSocket walkthrough, 2 "Subscription".
"""
MINUTE_S: Final = 60.0
MINUTE_NS: Final = 60_000_000_000
HUSH_S: Final = 5.0
"""Silence that tells a hold from the ordinary pause: at the limit quotes come every 1.2 s."""


class Throttle:
    """Counts requests and quotes; times are monotonic seconds, and Unix nanoseconds for the clock's minutes."""

    def __init__(self) -> None:
        self._frames: deque[float] = deque(maxlen=FRAMES_A_MINUTE)
        self._due_s = math.inf  # when a silence after the limit is a hold
        self._minute = -1  # the clock's minute of the last quote, and how many it brought
        self._in_minute = 0

    def request(self, now_s: float) -> None:
        """A request went out, or a line was opened."""
        self._frames.append(now_s)

    def quote(self, now_s: float, wall_ns: int) -> bool:
        """A quote came.

        Returns:
            Whether quotes may have been held back before it: the limit was met in a minute that then brought no
            more than it allows, and this is the first quote of another. A minute that brought more than that
            shows that the limit is not kept.
        """
        minute = wall_ns // MINUTE_NS
        met = self._due_s != math.inf
        held = met and minute != self._minute and self._in_minute <= FRAMES_A_MINUTE
        if minute != self._minute:
            self._minute, self._in_minute = minute, 0
        self._in_minute += 1
        self._frames.append(now_s)
        full = len(self._frames) == FRAMES_A_MINUTE and now_s - self._frames[0] < MINUTE_S
        self._due_s = now_s + HUSH_S if full else math.inf
        return held

    def check(self, now_s: float) -> bool:
        """Whether quotes are held back now; said once."""
        if now_s < self._due_s:
            return False
        self._due_s = math.inf
        return True

    def deadline(self) -> float:
        """When :meth:`check` has something to say; ``inf`` for never."""
        return self._due_s
