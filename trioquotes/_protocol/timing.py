"""How far behind the venue what we hold is, and how long an answer takes: figures that cost next to nothing to keep."""

from __future__ import annotations

from trioquotes.events import Event

__all__ = ["Lag", "RoundTrip"]

NS_PER_S = 1_000_000_000
SMOOTHING = 8
"""A new round trip counts one part in so many.

*Source:* RFC 6298, section 2: TCP smooths its own like this.
"""


class Lag:
    """The lag of one topic's events: our time of receipt less the venue's time of what happened.

    Whoever hands an event over assigns it, and once a socket read :meth:`settle` looks at the first event that it
    brought: no other of that read can have come later. Events are forgotten then.

    Attributes:
        last: the last event of the present socket read.
        first: the first one.
        last_ns: when the last event was received, in Unix nanoseconds; ``None`` before the first socket read is over. What
            comes without a venue's time may be noted here alone.
    """

    __slots__ = ("_last_lag_ns", "_max_ns", "first", "last", "last_ns")

    def __init__(self) -> None:
        self.last: Event | None = None
        self.first: Event | None = None
        self.last_ns: int | None = None
        self._last_lag_ns: int | None = None
        self._max_ns: int | None = None

    def saw(self, event: Event) -> None:
        """An event is handed over."""
        self.last = event
        if self.first is None:
            self.first = event

    def settle(self) -> None:
        """The socket read is over."""
        first, last = self.first, self.last
        self.first = self.last = None
        lag_ns = _lag_ns(first)
        if lag_ns is not None and (self._max_ns is None or lag_ns > self._max_ns):
            self._max_ns = lag_ns
        if last is not None:
            self.last_ns = getattr(last, "received_ns", None)
            self._last_lag_ns = lag_ns if last is first else _lag_ns(last)

    @property
    def last_s(self) -> float | None:
        """Lag of the last event in seconds; negative where the clocks disagree, ``None`` without a venue's time."""
        return _seconds(self._last_lag_ns)

    @property
    def max_s(self) -> float | None:
        """The largest lag there was, in seconds."""
        return _seconds(self._max_ns)


class RoundTrip:
    """From our pings to their answers.

    Attributes:
        last_s: seconds, the last time; ``None`` before the first answer.
        smoothed_s: an average in which older ones count less and less.
    """

    __slots__ = ("last_s", "smoothed_s")

    def __init__(self) -> None:
        self.last_s: float | None = None
        self.smoothed_s: float | None = None

    def took(self, seconds: float) -> None:
        """An answer came."""
        self.last_s = seconds
        before_s = seconds if self.smoothed_s is None else self.smoothed_s
        self.smoothed_s = before_s + (seconds - before_s) / SMOOTHING


def _lag_ns(event: Event | None) -> int | None:
    venue_time_ns = getattr(event, "venue_time_ns", None)
    received_ns = getattr(event, "received_ns", None)
    return None if venue_time_ns is None or received_ns is None else received_ns - venue_time_ns


def _seconds(ns: int | None) -> float | None:
    return None if ns is None else ns / NS_PER_S
