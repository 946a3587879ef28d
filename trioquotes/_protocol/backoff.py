"""How long to wait before the next attempt at a line that failed. Pure: time and randomness come in.

The wait is a floor plus full jitter: anything from nothing to a width that doubles with each failure
in a row. The floor starts small, so that one lost line is soon back, and doubles too, so that a server
that accepts and closes is left alone whatever the dice say. Only a line that brought data and went on
for a healthy time starts anew: a connection alone proves nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import attrs

from trioquotes.errors import UsageError

__all__ = ["Backoff", "BackoffPolicy"]


@attrs.frozen
class BackoffPolicy:
    """The numbers of a backoff.

    The defaults wait 0.5 to 1 s after the first failure, then 1 to 2, 2 to 4, 4 to 8, 4 to 12, and so on
    up to 4 to 64. They give at most 20 connects in any 60 s however the server behaves and the dice
    fall: without a healthy line the waits are at least 0.5, 1, 2 and then always 4 s, which makes 18; a
    healthy line wins back 8.5 s of waits at most and takes 30.

    Attributes:
        first_s: the floor, and the width of the jitter, after the first failure.
        floor_s: where the floor stops growing.
        cap_s: where the width of the jitter stops growing.
        factor: by how much both grow with each failure in a row.
        healthy_s: seconds from a line's first data after which its failure counts as the first again.

    Raises:
        UsageError: a number is negative or not finite, ``factor`` is below 1, or ``first_s`` is above
            ``floor_s`` or ``cap_s``.
    """

    first_s: float = 0.5
    floor_s: float = 4.0
    cap_s: float = 60.0
    factor: float = 2.0
    healthy_s: float = 30.0

    def __attrs_post_init__(self) -> None:
        """Refuse numbers that cannot mean anything."""
        finite = all(0 <= number < math.inf for number in attrs.astuple(self))
        if not finite or self.factor < 1 or self.first_s > min(self.floor_s, self.cap_s):
            raise UsageError(f"a backoff cannot have these numbers: {self}")


class Backoff:
    """The backoff of one lane, from its first connect to its last.

    Call :meth:`received` for data on the line and :meth:`delay_s` once for each line or attempt that
    failed. A line replaced as planned is no failure: nothing is called, and its health goes on.

    Attributes:
        failures: failures in a row so far.
    """

    __slots__ = ("_data_since_s", "_floor_s", "_policy", "_width_s", "failures")

    def __init__(self, policy: BackoffPolicy | None = None) -> None:
        self._policy = policy or BackoffPolicy()
        self._data_since_s = math.inf
        self._floor_s = self._width_s = self._policy.first_s
        self.failures = 0

    def received(self, now_s: float) -> None:
        """Data came: not a handshake, not a pong, but something that only a serving line brings.

        Args:
            now_s: monotonic seconds; only the first of each line matters, so it may be called for every read.
        """
        self._data_since_s = min(self._data_since_s, now_s)

    def healthy(self, now_s: float) -> bool:
        """Whether the present line brought data and has lasted for a healthy time since."""
        return now_s - self._data_since_s >= self._policy.healthy_s

    def delay_s(self, now_s: float, uniform: Callable[[], float], *, floor_s: float = 0.0) -> float:
        """A line, or an attempt at one, failed: how long to wait before the next attempt.

        Args:
            now_s: monotonic seconds of the failure.
            uniform: gives a number from 0 to 1, such as ``random.Random(seed).random``; called once.
            floor_s: what the venue asks for at least (``Retry.floor_s``, ``Retry-After``).

        Returns:
            Seconds: at least both floors, at most ``cap_s`` above the larger of them.
        """
        policy = self._policy
        if self.healthy(now_s):
            self._floor_s = self._width_s = policy.first_s
            self.failures = 0
        delay_s = max(self._floor_s, floor_s) + uniform() * self._width_s
        self.failures += 1
        self._floor_s = min(self._floor_s * policy.factor, policy.floor_s)
        self._width_s = min(self._width_s * policy.factor, policy.cap_s)
        self._data_since_s = math.inf
        return delay_s
