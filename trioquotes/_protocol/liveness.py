"""Quiet is told from dead, and awake from asleep: times in, verdicts out.

:class:`Watch` looks at a line as a whole, from the moment it is opened: after a silence it asks for a
ping, the WebSocket's or the venue's own, and only a ping that nothing at all answers makes the line dead.
:class:`Beats` looks at subscriptions for which the venue promises a beat. :class:`Vigil` looks at the two clocks of the
machine.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Generic, Literal, NamedTuple, TypeVar

__all__ = ["AGAIN", "LOOK_EVERY_S", "STEP_S", "STILL_S", "Beats", "Silence", "Vigil", "Watch"]

K = TypeVar("K", bound=Hashable)

AGAIN = 4.0
"""By what factor a silence that was said must have grown to be said again: an hour's takes six words or so."""
DAY_S = 86_400.0
"""But at the latest after this: a silence of a week is said every day."""
LOOK_EVERY_S = 1.0
"""How often a :class:`Vigil` is to look."""
STEP_S = 2.0
"""By how much the clocks must part between two looks: what keeps time steps by less, and slews by far less."""
STILL_S = 10.0
"""How much later than it was due a look must be: no venue's beat is slower, and no healthy program stands for so long."""


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


class _Beat:
    """When it was heard last, and for how long it had been silent when that was said last."""

    __slots__ = ("last_s", "told_s")

    def __init__(self, now_s: float) -> None:
        self.last_s = now_s
        self.told_s = 0.0


class Beats(Generic[K]):
    """Watches subscriptions that have a beat, each by itself. Times are monotonic seconds.

    Args:
        limit_s: longest time between two beats of one subscription.
    """

    __slots__ = ("_beats", "_due_s", "_limit_s")

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._beats: dict[K, _Beat] = {}
        self._due_s = math.inf

    def expect(self, key: K, now_s: float) -> None:
        """From now on this one should beat; one that is already watched stays as it is."""
        if key not in self._beats:
            self._beats[key] = _Beat(now_s)
            self._due_s = min(self._due_s, now_s + self._limit_s)

    def forget(self, key: K) -> None:
        """No beat is due any more."""
        self._beats.pop(key, None)

    def heard(self, key: K, now_s: float) -> None:
        """A beat came, or anything else that shows that the subscription is not silent."""
        beat = self._beats.get(key)
        if beat is not None and now_s > beat.last_s:
            beat.last_s = now_s
            if beat.told_s:
                beat.told_s = 0.0
                self._due_s = min(self._due_s, now_s + self._limit_s)

    def check(self, now_s: float) -> list[Silence[K]]:
        """Those found silent now, in the order they were first expected.

        Each is found once, and again whenever its silence has grown by ``AGAIN``, or by a day.
        """
        if now_s < self._due_s:
            return []
        found = []
        for key, beat in self._beats.items():
            if now_s >= self._due_of(beat):
                beat.told_s = now_s - beat.last_s
                found.append(Silence(key, beat.told_s))
        self._due_s = min(map(self._due_of, self._beats.values()), default=math.inf)
        return found

    @property
    def expected(self) -> int:
        """How many are watched."""
        return len(self._beats)

    def deadline(self) -> float:
        """When :meth:`check` may find one, perhaps too early, never too late; ``inf`` for none."""
        return self._due_s

    def _due_of(self, beat: _Beat) -> float:
        told_s = beat.told_s
        return beat.last_s + (min(told_s * AGAIN, told_s + DAY_S) if told_s else self._limit_s)


class Vigil:
    """Finds out, from the two clocks alone, that the machine slept or that its wall clock was set.

    Some systems stop the monotonic clock while they sleep: then the wall clock is ahead afterwards. Others let it run:
    then a look is late. Neither tells a sleep from somebody who sets the clock, or from a program that stands still.

    Args:
        wall_ns: Unix nanoseconds now.
        now_s: monotonic seconds now.
    """

    __slots__ = ("_now_s", "_wall_ns")

    def __init__(self, wall_ns: int, now_s: float) -> None:
        self._wall_ns = wall_ns
        self._now_s = now_s

    def look(self, wall_ns: int, now_s: float) -> str:
        """What happened since the last look, in words; empty for nothing. Call it every ``LOOK_EVERY_S`` at least."""
        passed_s = now_s - self._now_s
        by_wall_s = (wall_ns - self._wall_ns) / 1e9
        self._wall_ns, self._now_s = wall_ns, now_s
        if passed_s >= LOOK_EVERY_S + STILL_S:
            return f"the machine was suspended for {passed_s:.0f} s, or the program stood still"
        if by_wall_s - passed_s >= STEP_S:
            return f"the machine was suspended for {by_wall_s - passed_s:.0f} s, or its clock was set forward"
        if passed_s - by_wall_s >= STEP_S:
            return f"the machine's clock was set back by {passed_s - by_wall_s:.0f} s"
        return ""
