"""Whether the line is alive."""

from __future__ import annotations

import math
from typing import Final

from trioquotes._protocol.contract import Sink
from trioquotes.venues.zonda.requests import PING

__all__ = ["PING_EVERY_S", "SILENT_S", "Vitals"]

PING_EVERY_S: Final = 20.0
"""The venue names no interval; clients use 5 and 20 s, and the proxy before it cuts idle lines at about 100 s."""
SILENT_S: Final = 40.0
"""With nothing at all for this long, two pings went unanswered."""


class Vitals:
    """Pings at a steady pace, whatever comes, and gives a silent line up. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._heard_s = math.inf
        self._ping_s = math.inf
        self._pinged_s = math.inf
        self._unanswered = 0

    def opened(self, now_s: float) -> None:
        """The line is being opened, or was just used for the first time."""
        self._heard_s = now_s
        self._ping_s = now_s + PING_EVERY_S

    def heard(self, now_s: float) -> None:
        """A frame or a pong came."""
        self._heard_s = now_s

    def answered(self, out: Sink) -> None:
        """The frame just heard answers a ping; which one, it does not say, so it tells the time only of a lone one."""
        if self._unanswered == 1:
            out.round_trip(self._heard_s - self._pinged_s)
        self._unanswered = max(self._unanswered - 1, 0)

    def tick(self, now_s: float, out: Sink) -> None:
        """Ping, or give the line up."""
        if now_s >= self._heard_s + SILENT_S:
            out.lost(f"neither data nor a pong came for {now_s - self._heard_s:.0f} s")
            self._heard_s = self._ping_s = math.inf
        elif now_s >= self._ping_s:
            self._ping_s = now_s + PING_EVERY_S
            self._pinged_s = now_s
            self._unanswered += 1
            out.reply(PING)

    def deadline(self) -> float:
        """When to tick."""
        return min(self._ping_s, self._heard_s + SILENT_S)
