"""The promises that every run of a simulation is held to, and the tally of how often each was."""

from __future__ import annotations

from collections import Counter
from typing import Literal, TypeAlias

__all__ = ["PROMISES", "Broken", "Promise", "Tally"]

Promise: TypeAlias = Literal[
    "no silent loss", "nothing twice", "order kept", "nothing invented", "lag is exact", "a book is right or says not",
    "no limit passed", "bounded queues", "bounded tasks", "back in time", "closed in time", "cancelled at once",
    "only wrong is called wrong", "documented errors only", "no secret shown", "everything live again", "ledger adds up",
    "exact", "waits when told to",
]  # fmt: skip

PROMISES: dict[Promise, str] = {
    "no silent loss": "what a subscriber may have missed is said before the next event",
    "nothing twice": "no event comes twice that came once",
    "order kept": "events come in the venue's order",
    "nothing invented": "every event was sent",
    "lag is exact": "what was dropped equals what was reported",
    "a book is right or says not": "a book that is held for right equals the server's",
    "no limit passed": "no limit of the venue is passed over any window, seen from its side",
    "waits when told to": "no attempt to connect comes earlier than Retry-After asked for",
    "bounded queues": "no queue is longer or heavier than its bound",
    "bounded tasks": "no task is left, and never more of them than lines need",
    "back in time": "after the faults end, a line is back within its bound",
    "closed in time": "leaving takes close_timeout and 0.1 s at most",
    "cancelled at once": "a cancelled session takes no time at all",
    "only wrong is called wrong": "what is malformed or unknown was spoilt by the script",
    "documented errors only": "at most one exception leaves, and one that is documented",
    "no secret shown": "no secret in a repr, a log, an exception or statistics",
    "everything live again": "after the faults every topic is served, and every book right",
    "ledger adds up": "no frame is without a disposition",
    "exact": "figures have the digits of the frame that brought them",
}
"""In words."""


class Broken(AssertionError):
    """A promise was broken.

    Attributes:
        promise: which.
    """

    def __init__(self, promise: Promise, detail: str) -> None:
        super().__init__(f"{promise}: {detail}")
        self.promise = promise


class Tally:
    """How often each promise was checked."""

    def __init__(self) -> None:
        self.checked: Counter[str] = Counter()

    def check(self, promise: Promise, kept: bool, detail: object = "") -> None:
        """Count one check.

        Args:
            promise: which.
            kept: whether it was.
            detail: what was seen, for who reads of it.

        Raises:
            Broken: it was not.
        """
        self.checked[promise] += 1
        if not kept:
            raise Broken(promise, str(detail() if callable(detail) else detail))
