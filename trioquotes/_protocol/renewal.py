"""Whether credentials that a venue refuses may be replaced by fresh ones: once, until these proved good; pure."""

from __future__ import annotations

import math
from typing import Final

from trioquotes._protocol.effects import WireChannel

__all__ = ["Renewal"]

AGAIN_S: Final = 600.0
"""A refusal so long after the last renewal is not a second one in a row, whatever became of the first."""


class Renewal:
    """What became of the credentials of one lane.

    A handshake that is refused, and what is refused on the line, come to the same: fresh credentials and a new
    line. A line of which the handshake was signed proves them by serving; data of other channels prove nothing about
    a channel that was refused.

    Attributes:
        possible: whether somebody can give fresh ones.
        due: whether those of the present line were refused on it, and fresh ones are to be asked for.
        spent: whether they were renewed and have not proved good since.
    """

    def __init__(self) -> None:
        self.possible = False
        self.due = False
        self.spent = False
        self._spent_s = -math.inf
        self._doubted: set[WireChannel] = set()

    def refused(self, channel: WireChannel, now_s: float) -> bool:
        """They were refused for a channel, on the line; returns whether fresh ones are tried before that counts."""
        if not self.due and (not self.possible or (self.spent and now_s < self._spent_s + AGAIN_S)):
            self._doubted.discard(channel)
            return False
        self.due = True
        self._doubted.add(channel)
        return True

    def confirmed(self, channel: WireChannel) -> None:
        """A channel is served."""
        if channel in self._doubted and not self.due:
            self._doubted.clear()
            self.spent = False

    def served(self) -> None:
        """A line ended that had brought data."""
        if not self._doubted:
            self.spent = False

    def renewing(self, now_s: float) -> None:
        """Fresh ones are asked for now."""
        self.due = False
        self.spent = True
        self._spent_s = now_s
