"""Whether the line is alive, and the feed behind it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from trioquotes._protocol.contract import Sink
from trioquotes._protocol.effects import WireChannel
from trioquotes._protocol.liveness import Beats, Watch

__all__ = ["BEAT_DEAD_S", "BEAT_STALE_S", "PONG_WITHIN_S", "QUIET_S", "Vitals"]

QUIET_S: Final = 10.0
"""Silence after which a pong is asked for; wherever there is a product there is a heartbeat a second."""
PONG_WITHIN_S: Final = 5.0
BEAT_STALE_S: Final = 5.0
"""A product whose heartbeat, due every second, stays away for this long is stale."""
BEAT_DEAD_S: Final = 10.0
"""With no message at all for this long, though heartbeats are due, the feed is dead: pongs or not.

*Source:* Exchange, WebSocket channels, "Heartbeat channel".
"""

_LINE: Final = "line"


class Vitals:
    """Watches the line by frames and pongs, the feed behind it by frames, each product by its heartbeat."""

    def __init__(self) -> None:
        self._watch = Watch(QUIET_S, PONG_WITHIN_S)
        self._beats: Beats[str] = Beats(BEAT_STALE_S)
        self._pulse: Beats[str] = Beats(BEAT_DEAD_S)
        self._frame_s = -math.inf

    def heard(self, now_s: float) -> None:
        """A frame came."""
        self._watch.heard(now_s)
        self._frame_s = now_s

    def ponged(self, now_s: float) -> None:
        """A pong came: the line is alive, which says nothing of the feed."""
        self._watch.heard(now_s)

    def expect(self, product: str, now_s: float) -> None:
        """Its heartbeat is subscribed."""
        self._beats.expect(product, now_s)
        self._pulse.expect(_LINE, now_s)

    def forget(self, product: str) -> None:
        """Its heartbeat is subscribed no longer."""
        self._beats.forget(product)
        if not self._beats.expected:
            self._pulse.forget(_LINE)

    def beat(self, product: str, now_s: float) -> None:
        """A heartbeat came, or anything else of the product."""
        self._beats.heard(product, now_s)

    def tick(self, now_s: float, channels: Iterable[WireChannel], out: Sink) -> None:
        """Ask for a pong, say what is stale, give up what is dead."""
        silent_s = self._watch.silent_s(now_s)
        due = self._watch.check(now_s)
        if due == "ping":
            out.ping()
        elif due == "dead":
            out.lost(f"nothing came for {silent_s:.0f} s, and nothing answered a ping")
        silent = dict(self._beats.check(now_s))
        for channel in channels:
            if channel.instrument in silent:
                out.stale(channel, silent[channel.instrument])
        self._pulse.heard(_LINE, self._frame_s)
        for _, beat_s in self._pulse.check(now_s):
            out.lost(f"no message came for {beat_s:.0f} s, not even a heartbeat")

    def deadline(self) -> float:
        """When to tick."""
        return min(self._watch.deadline(), self._beats.deadline(), self._pulse.deadline())
