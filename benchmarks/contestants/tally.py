"""A user's code as a callback: until the marks with a look at every message, then only counting, or noting the time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from benchmarks.contestants.meter import Meter

__all__ = ["Tally"]


class Tally:
    """Takes one message after the other.

    Args:
        meter: starts and stops with it.
        value: the sum of the prices of a message, ``None`` for what is not measured.
        ended: called once the last message came.

    Attributes:
        take: the user's code; another one once the warm-up is over.
    """

    def __init__(self, meter: Meter, value: Callable[[Any], Any], ended: Callable[[], None]) -> None:
        self._meter = meter
        self._value = value
        self._ended = ended
        self._gate = meter.gate(len(meter.task.kinds))
        self._left = meter.task.count
        self._noted, self._now = meter.times.append, time.monotonic_ns
        self.take: Callable[[Any], None] = self._warm

    def _warm(self, message: Any) -> None:
        if self._gate(self._value(message)):
            self._meter.begin()
            self.take = self._note if self._meter.task.paced else self._count

    def _count(self, message: Any) -> None:
        self._left -= 1
        if not self._left:
            self._end(message)

    def _note(self, message: Any) -> None:
        self._noted(self._now())
        self._count(message)

    def _end(self, message: Any) -> None:
        self.take = self._after
        self._meter.end(self._value(message))
        self._ended()

    def _after(self, message: Any) -> None:
        """Nothing is measured any more."""
