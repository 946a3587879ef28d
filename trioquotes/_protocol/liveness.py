"""Quiet is told from dead: times in, verdicts out.

:class:`Watch` looks at a line as a whole, from the moment it is opened: after a silence it asks for a
ping, the WebSocket's or the venue's own, and only a ping that nothing at all answers makes the line dead.
:class:`Beats` looks at subscriptions for which the venue promises a beat.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Generic, Literal, NamedTuple, TypeVar

__all__ = ["Beats", "Silence", "Watch"]

K = TypeVar("K", bound=Hashable)


class Watch:
    """Watches one line. Times are monotonic seconds.

    Args:
        quiet_s: silence after which a ping is due.
        answer_s: how long after it anything at all must have come.
    """

    __slots__ = ("_answer_s", "_asked_s", "_heard_s", "_quiet_s")

    def __init__(self, quiet_s: float, answer_s: float) -> None:
        self._quiet_s = quiet_s
        self._answer_s = answer_s
        self._heard_s = math.inf
        self._asked_s = math.inf

    def heard(self, now_s: float) -> None:
        """A whole frame or a pong came, or the line was opened: the watch starts with that."""
        self._heard_s = now_s
        self._asked_s = math.inf

    def check(self, now_s: float) -> Literal["alive", "ping", "dead"]:
        """What to do now; ``dead`` is said once."""
        if now_s >= self._asked_s + self._answer_s:
            self._heard_s = self._asked_s = math.inf
            return "dead"
        if self._asked_s == math.inf and now_s >= self._heard_s + self._quiet_s:
            self._asked_s = now_s
            return "ping"
        return "alive"

    def silent_s(self, now_s: float) -> float:
        """For how long nothing has come."""
        return max(now_s - self._heard_s, 0.0)

    def deadline(self) -> float:
        """When :meth:`check` has something to say; ``inf`` while nothing is watched."""
        if self._asked_s != math.inf:
            return self._asked_s + self._answer_s
        return self._heard_s + self._quiet_s


class Silence(NamedTuple, Generic[K]):
    """A subscription whose beat stays away, and since when."""

    key: K
    silent_s: float


class Beats(Generic[K]):
    """Watches subscriptions that have a beat, each by itself. Times are monotonic seconds.

    Args:
        limit_s: longest time between two beats of one subscription.
    """

    __slots__ = ("_due_s", "_last_s", "_limit_s", "_told")

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._last_s: dict[K, float] = {}
        self._told: set[K] = set()
        self._due_s = math.inf

    def expect(self, key: K, now_s: float) -> None:
        """From now on this one should beat; one that is already watched stays as it is."""
        if key not in self._last_s:
            self._last_s[key] = now_s
            self._due_s = min(self._due_s, now_s + self._limit_s)

    def forget(self, key: K) -> None:
        """No beat is due any more."""
        self._last_s.pop(key, None)
        self._told.discard(key)

    def heard(self, key: K, now_s: float) -> None:
        """A beat came."""
        if key in self._last_s:
            self._last_s[key] = now_s
            if key in self._told:
                self._told.discard(key)
                self._due_s = min(self._due_s, now_s + self._limit_s)

    def check(self, now_s: float) -> list[Silence[K]]:
        """Those found silent now, each once per silence, in the order they were first expected."""
        if now_s < self._due_s:
            return []
        waited = {key: last_s for key, last_s in self._last_s.items() if key not in self._told}
        found = [Silence(key, now_s - at_s) for key, at_s in waited.items() if now_s >= at_s + self._limit_s]
        self._told.update(silence.key for silence in found)
        awake = [last_s for key, last_s in waited.items() if key not in self._told]
        self._due_s = min(awake, default=math.inf) + self._limit_s
        return found

    @property
    def expected(self) -> int:
        """How many are watched."""
        return len(self._last_s)

    def deadline(self) -> float:
        """When :meth:`check` may find one, perhaps too early, never too late; ``inf`` for none."""
        return self._due_s
