"""How long to leave a line alone whose venue says, in whatever words, that it was asked too much; pure."""

from __future__ import annotations

import math
import re
from typing import Final

from trioquotes._protocol.verdict import LONGEST_WAIT_S

__all__ = ["LIMITED_S", "Quiet", "asked_wait_s"]

LIMITED_S: Final = 10.0
"""How long requests wait where a limit was met and no time is said: longer than the seconds that venues count by."""
CAP_S: Final = 60.0
"""To this the wait is doubled while a limit is met again and again."""
CALM_S: Final = 60.0
"""After so long without one the first wait counts again."""
LEAST_S: Final = 1.0

_LIMITED: Final = re.compile(
    r"too[ _-]?many[ _-]?(?:api[ _-])?(?:request|message|call)|rate[ _-]?limit|throttl|too[ _-]?frequent|frequency"
    r"|action[ _-]limit|temporarily[ _-]blocked|slow[ _-]?down|(?:http|status|code)[ :=]*429\b|^429:",
    re.IGNORECASE,
)
_TIME: Final = re.compile(
    r"(?<![\w.])([0-9]{1,6}(?:\.[0-9]{1,6})?) ?(?:(ms\b|milliseconds?\b)|(m\b|min\b|minutes?\b|분)|s\b|secs?\b|seconds?\b|초)",
    re.IGNORECASE,
)
"""A number, and whether it counts thousandths of a second, minutes, or else seconds."""


def asked_wait_s(text: str) -> float | None:
    """Seconds to wait where the words of an error are about a rate of requests; ``None`` where they are not.

    A number of things that may be had at one time is no such limit: waiting does not help there.

    Args:
        text: the venue's words.

    Returns:
        The longest time that the words name, from a second to a day; 0.0 where they name none.
    """
    if _LIMITED.search(text) is None:
        return None
    said_s = [
        float(number) * (0.001 if thousandths else 60.0 if minutes else 1.0)
        for number, thousandths, minutes in _TIME.findall(text)
    ]
    return min(max(*said_s, LEAST_S), LONGEST_WAIT_S) if said_s else 0.0


class Quiet:
    """Until when nothing is asked for on a lane.

    Attributes:
        until_s: monotonic seconds.
    """

    def __init__(self) -> None:
        self.until_s = -math.inf
        self._count = 0

    def heard(self, text: str, now_s: float) -> None:
        """The venue said this; if it is about a limit, the wait begins, longer with every time in a row."""
        told_s = asked_wait_s(text)
        if told_s is None:
            return
        if now_s >= self.until_s:  # else it is about what was asked before the wait
            self._count = self._count + 1 if now_s < self.until_s + CALM_S else 1
        wait_s = max(told_s, min(CAP_S, LIMITED_S * 2.0 ** min(self._count - 1, 16)))
        self.until_s = max(self.until_s, now_s + wait_s)
