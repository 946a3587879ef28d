"""Where a feed's events go: the inlet of one user's channel for one topic, seen from the sans-I/O side."""

from __future__ import annotations

from typing import Protocol

from trioquotes.errors import TrioquotesError
from trioquotes.events import Event, Notice
from trioquotes.topics import Topic

__all__ = ["Outlet"]


class Outlet(Protocol):
    """One subscriber of one topic. No method waits."""

    @property
    def topic(self) -> Topic[Event]:
        """What was subscribed."""

    @property
    def lagging(self) -> bool:
        """Whether this subscriber of a book overflowed and waits to be caught up with ``Feed.catch_up``."""

    def push(self, event: Event, weight_bytes: int) -> None:
        """Queue an event; the overflow policy decides what happens when the buffer is full."""

    def passed(self) -> None:
        """An event went by while the subscriber was lagging: it counts as dropped."""

    def notify(self, notice: Notice) -> None:
        """Queue a notice; it may be folded into an equal one right before it, never dropped."""

    def confirmed(self) -> None:
        """The venue serves everything the topic needs."""

    def ended(self, error: TrioquotesError) -> None:
        """The topic is over; what is queued can still be read."""
