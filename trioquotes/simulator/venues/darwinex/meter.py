"""The venue's count of what a client asks and gets; pure.

*Source:* Product Quotes WebSocket subscription walkthrough, section 2: 50 requests per minute, then no quotes
until the following minute.
"""

from __future__ import annotations

from typing import Literal

import attrs

from trioquotes.simulator.limits import RollingLimit

__all__ = ["MINUTE_NS", "PER_MINUTE", "Meter"]

PER_MINUTE = 50
"""Requests per minute and client."""

MINUTE_NS = 60 * 10**9


@attrs.define
class Meter:
    """The count of one client, over all its connections.

    Args:
        count_quotes: whether quotes that are sent count like requests, as one reading of the page has it.

    Attributes:
        silent_until_ns: no quotes before this time, Unix nanoseconds; 0 where none are held back.
    """

    count_quotes: bool = False
    silent_until_ns: int = 0
    _window: RollingLimit = attrs.field(factory=lambda: RollingLimit(PER_MINUTE, MINUTE_NS), init=False)
    _minute: int = 0
    _counted: int = 0

    def request(self, now_ns: int) -> bool:
        """Count a request; false where it is one too many within any 60 s, which silences the quotes."""
        within = self._window.take(now_ns)
        self._count(now_ns)
        if not within:
            self._silence()
        return within

    def quote(self, now_ns: int) -> Literal["sent", "held", "last"]:
        """Count a quote: to be sent, or held back, or ``last`` for the first that is held back by counting."""
        if now_ns < self.silent_until_ns:
            return "held"
        if self.count_quotes:
            self._count(now_ns)
            if self._counted > PER_MINUTE:
                self._silence()
                return "last"
        return "sent"

    def _count(self, now_ns: int) -> None:
        minute = now_ns // MINUTE_NS
        if minute != self._minute:
            self._minute, self._counted = minute, 0
        self._counted += 1

    def _silence(self) -> None:
        self.silent_until_ns = (self._minute + 1) * MINUTE_NS
