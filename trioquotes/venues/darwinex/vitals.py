"""Whether the line is alive: the venue's heartbeats, its answers to pings, and silence that is no death."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

from trioquotes._protocol.contract import Sink
from trioquotes._protocol.effects import Stamp
from trioquotes._protocol.liveness import Watch
from trioquotes.venues.darwinex.requests import ping

__all__ = ["PING_EVERY_S", "PONG_WITHIN_S", "QUIET_MAX_S", "QUIET_MIN_S", "Vitals"]

QUIET_MIN_S: Final = 60.0
QUIET_MAX_S: Final = 90.0
"""Silence after which a ping is sent: three heartbeats as they were observed, between these two bounds; the upper one
while too few were. Longer than any minute for which the venue may hold quotes back."""
PONG_WITHIN_S: Final = 30.0
"""How long after that ping anything at all must have come."""
PING_EVERY_S: Final = 60.0
"""How often a ping is sent for those who listen to pongs: each counts against 50 frames a minute."""

_OBSERVED: Final = 3
_MISSED: Final = 3


class Vitals:
    """Watches one line. A ping's text is its time in Unix nanoseconds, so that its pong tells the latency."""

    def __init__(self) -> None:
        self._quiet_s = QUIET_MAX_S
        self._watch = Watch(QUIET_MAX_S, PONG_WITHIN_S)
        self._beat_s = math.inf
        self._intervals_s: deque[float] = deque(maxlen=_OBSERVED)
        self._suspended_until_s = -math.inf
        self._ping_at_s = math.inf
        self._pinged: tuple[str, float] | None = None  # the last ping without an answer, and when it was due

    def heard(self, now_s: float) -> None:
        """A frame or a pong came, or the line was opened."""
        self._watch.heard(max(now_s, self._suspended_until_s))

    def answered(self, text: str, now_s: float, out: Sink) -> None:
        """A pong came."""
        if self._pinged is not None and text == self._pinged[0]:
            out.round_trip(now_s - self._pinged[1])
            self._pinged = None

    def beat(self, now_s: float) -> None:
        """A heartbeat came: the longest of the last intervals says what silence is healthy."""
        if self._beat_s != math.inf:
            self._intervals_s.append(now_s - self._beat_s)
        self._beat_s = now_s
        if len(self._intervals_s) < _OBSERVED:
            return
        quiet_s = min(max(_MISSED * max(self._intervals_s), QUIET_MIN_S), QUIET_MAX_S)
        if quiet_s != self._quiet_s:
            self._quiet_s = quiet_s
            self._watch = Watch(quiet_s, PONG_WITHIN_S)
            self.heard(now_s)

    def suspend(self, until_s: float) -> None:
        """Silence until then says nothing."""
        self._suspended_until_s = until_s
        self._watch.heard(until_s)

    def ping_regularly(self, now_s: float) -> None:
        """Somebody listens to pongs; a ping has just gone out."""
        self._ping_at_s = now_s + PING_EVERY_S

    def ping_if_quiet(self) -> None:
        """Nobody listens to pongs any more."""
        self._ping_at_s = math.inf

    def tick(self, stamp: Stamp, out: Sink) -> None:
        """Send a ping that is due, give up what is dead."""
        now_s = stamp.monotonic_s
        silent_s = self._watch.silent_s(now_s)
        due = self._watch.check(now_s)
        if due == "dead":
            out.lost(f"nothing came for {silent_s:.0f} s, and nothing answered a ping")
        regular = now_s >= self._ping_at_s
        if regular:
            self._ping_at_s = now_s + PING_EVERY_S
        if regular or due == "ping":
            self._pinged = (str(stamp.wall_ns), now_s)
            out.reply(ping(self._pinged[0]))

    def deadline(self) -> float:
        """When to tick."""
        return min(self._watch.deadline(), self._ping_at_s)
