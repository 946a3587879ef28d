"""Whether the line is alive, and that the venue keeps it."""

from __future__ import annotations

import math
from typing import Final

from trioquotes._protocol.contract import Sink

__all__ = ["DEAD_S", "PING_EVERY_S", "Vitals"]

PING_EVERY_S: Final = 20.0
"""Three pings in the 60 s after which the venue was seen to drop a client that sends nothing (its page says 120).

*Source:* WebSocket guide, "Connection"; a live probe of September 2026.
"""
DEAD_S: Final = 50.0
"""Nothing at all for this long, two pings and a text ``PING`` included, is a dead line: silence of data is none."""

_PING: Final = b"PING"


class Vitals:
    """Pings all the time, since the venue counts what the client sends; listens for anything at all."""

    def __init__(self) -> None:
        self._heard_s = math.inf
        self._pinged_s = math.inf
        self._next_s = math.inf

    def opened(self, now_s: float) -> None:
        """The line is up."""
        self._heard_s = self._pinged_s = now_s
        self._next_s = now_s + PING_EVERY_S

    def heard(self, now_s: float) -> None:
        """A frame or a pong came."""
        self._heard_s = now_s

    def tick(self, now_s: float, out: Sink) -> None:
        """Ping where it is time; after one without an answer also in the venue's own words."""
        if now_s >= self._heard_s + DEAD_S:
            out.lost(f"nothing came for {now_s - self._heard_s:.0f} s, and nothing answered a ping")
            self._heard_s = math.inf
        if now_s >= self._next_s:
            out.ping()
            if self._heard_s < self._pinged_s:
                out.reply(_PING)
            self._pinged_s = now_s
            self._next_s = now_s + PING_EVERY_S

    def deadline(self) -> float:
        """When to tick."""
        return min(self._next_s, self._heard_s + DEAD_S)
