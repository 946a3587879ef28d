"""Our WebSocket pings and the time that their answers take."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

__all__ = ["Pings"]

UNANSWERED = 16
"""Pings of which the answer is still waited for; a server need answer only the newest (RFC 6455, section 5.5.3)."""


class Pings:
    """Numbers the pings of one line, and finds its answer among the pongs. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._sent_s: dict[bytes, float] = {}  # those without an answer, by what their pong will carry

    def next(self, now_s: float) -> bytes:
        """The payload of a ping that goes out now."""
        payload = next(self._numbers).to_bytes(4)
        if len(self._sent_s) >= UNANSWERED:
            del self._sent_s[next(iter(self._sent_s))]
        self._sent_s[payload] = now_s
        return payload

    def answered(self, payloads: Iterable[bytes], now_s: float) -> float | None:
        """Seconds from the newest ping that one of these pongs answers; ``None`` where none of them was asked for."""
        round_trip_s = None
        for payload in payloads:
            sent_s = self._sent_s.pop(payload, None)
            if sent_s is not None:
                round_trip_s = now_s - sent_s
        return round_trip_s
