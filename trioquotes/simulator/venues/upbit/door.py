"""Who may connect, and how often; pure: time is passed in.

*Source:* docs.upbit.com/kr/reference/rate-limits: 5 connects per second, per address or, with an Authorization
header, per account; with an Origin header 1 per 10 seconds; 429, and 418 with the time of the ban for whoever
goes on. How soon and for how long one is banned is not documented: the figures here are plausible ones.
"""

from __future__ import annotations

from collections import defaultdict, deque
from math import ceil

import attrs

__all__ = ["Door", "Turned"]

WINDOW_S = 1.0
ORIGIN_WINDOW_S = 10.0

STUBBORN, STUBBORN_WINDOW_S = 5, 10.0
"""So many refusals within so many seconds are answered with a ban."""

BAN_S = 10
"""Length of the first ban; each further one is twice as long."""


@attrs.frozen
class Turned:
    """A client was turned away.

    Attributes:
        status: 429, or 418 for the banned.
        limit: what was passed.
        wait_s: how long a ban lasts still; 0 for no ban.
    """

    status: int
    limit: str
    wait_s: int = 0


@attrs.define
class _Visitor:
    connects: deque[float] = attrs.field(factory=deque)
    refusals: deque[float] = attrs.field(factory=deque)
    origin_s: float | None = None
    banned_until_s: float = 0.0
    bans: int = 0


class Door:
    """Counts the connects, or REST requests, of each client.

    Args:
        per_second: how many each may make.
    """

    def __init__(self, per_second: int = 5) -> None:
        self._per_second = per_second
        self._visitors: defaultdict[str, _Visitor] = defaultdict(_Visitor)

    def knock(self, who: str, now_s: float, *, origin: bool = False) -> Turned | None:
        """Let a client in with ``None``, or turn it away; those turned away do not count as connects.

        Args:
            who: an address or an account.
            now_s: the time, seconds.
            origin: whether the handshake has an Origin header.
        """
        visitor = self._visitors[who]
        if now_s < visitor.banned_until_s:
            return Turned(418, "banned", ceil(visitor.banned_until_s - now_s))
        _forget(visitor.connects, now_s - WINDOW_S)
        if origin:
            if visitor.origin_s is not None and now_s < visitor.origin_s + ORIGIN_WINDOW_S:
                return self._refuse(visitor, now_s, "connects with Origin")
        elif len(visitor.connects) >= self._per_second:
            return self._refuse(visitor, now_s, "connects")
        if origin:
            visitor.origin_s = now_s
        visitor.connects.append(now_s)
        return None

    def left(self, who: str, now_s: float) -> int:
        """How many connects a client has left at this moment."""
        connects = self._visitors[who].connects
        _forget(connects, now_s - WINDOW_S)
        return max(self._per_second - len(connects), 0)

    @staticmethod
    def _refuse(visitor: _Visitor, now_s: float, limit: str) -> Turned:
        visitor.refusals.append(now_s)
        _forget(visitor.refusals, now_s - STUBBORN_WINDOW_S)
        if len(visitor.refusals) < STUBBORN:
            return Turned(429, limit)
        wait_s = BAN_S * 2**visitor.bans
        visitor.bans += 1
        visitor.banned_until_s = now_s + wait_s
        visitor.refusals.clear()
        return Turned(418, limit, wait_s)


def _forget(times: deque[float], until_s: float) -> None:
    while times and times[0] <= until_s:
        times.popleft()
