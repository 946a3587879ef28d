"""What is said of the objects of one frame that cannot be read: the first few, and how many more there are.

A frame of the list formats can hold a hundred thousand of them, and each notice would carry the whole frame.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from trioquotes._protocol.contract import Sink
from trioquotes._protocol.effects import WireChannel

__all__ = ["GIVEN_UP_AFTER", "SAID", "Complaints"]

SAID: Final = 3
"""Of each channel, before the next of its messages is handed over; what comes on top is said in one notice."""
GIVEN_UP_AFTER: Final = 1_000
"""Objects of one frame that cannot be read, after which the rest is not looked at: nothing of it can be trusted, and
a frame of four megabytes holds a million, which would take seconds."""


class Complaints:
    """Counts the objects of one frame that make no message, and says of them what is worth saying.

    Args:
        frame: the whole, which each notice carries.

    Attributes:
        found: how many there were.
    """

    def __init__(self, frame: bytes) -> None:
        self.found = 0
        self._frame = frame
        self._untold = False
        self._malformed: Counter[WireChannel | None] = (
            Counter()
        )  # since the last message that was handed over
        self._unknown = 0

    def malformed(self, reason: str, channel: WireChannel | None, out: Sink) -> None:
        """An object does not decode."""
        self.found += 1
        self._malformed[channel] += 1
        if self._malformed[channel] <= SAID:
            out.malformed(self._frame, reason, channel=channel)
        self._untold = True

    def unknown(self, kind: str, out: Sink) -> None:
        """An object is of a type that nobody knows."""
        self.found += 1
        self._unknown += 1
        if self._unknown <= SAID:
            out.unknown(kind, self._frame)
        self._untold = True

    def tell(self, out: Sink) -> None:
        """A message is to be handed over, or the frame is at its end: say how many more there were."""
        if not self._untold:
            return
        for channel, number in self._malformed.items():
            if number > SAID:
                more = number - SAID
                reason = f"{more} more objects of this frame do not decode"
                out.malformed(self._frame, reason, channel=channel, elements=more)
        if self._unknown > SAID:
            more = self._unknown - SAID
            out.unknown(f"{more} more objects of unknown types", self._frame, elements=more)
        self._malformed.clear()
        self._unknown = 0
        self._untold = False
