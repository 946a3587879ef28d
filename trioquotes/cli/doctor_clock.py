"""How far this machine's clock is from the venue's, with the uncertainty that there is: times in, bounds out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Final

import attrs

from trioquotes.cli.doctor_report import duration

__all__ = ["FAR_S", "Offset", "offset_by_date", "offset_by_events", "offset_by_time", "read_time_ns"]

NS_PER_S: Final = 1_000_000_000
LAST_NS: Final = 2**63 - 1
FAR_S: Final = 1.0
"""A clock that keeps time is within milliseconds; from a second on somebody should set it. Venues refuse signatures
that are 30 s old, some after less."""


@attrs.frozen
class Offset:
    """Our time less the venue's, between two bounds in seconds; ``None`` where there is no bound.

    Attributes:
        low_s: it is no less.
        high_s: it is no more.
    """

    low_s: float | None = None
    high_s: float | None = None

    def __and__(self, other: Offset) -> Offset:
        """What both allow; where they exclude each other, the first alone: the venue's own clocks differ."""
        low_s = max((s for s in (self.low_s, other.low_s) if s is not None), default=None)
        high_s = min((s for s in (self.high_s, other.high_s) if s is not None), default=None)
        if low_s is not None and high_s is not None and low_s > high_s:
            return self
        return Offset(low_s, high_s)

    @property
    def kind(self) -> str:
        """``ahead`` or ``behind`` where it is far off for certain, ``unknown`` without a bound that says much; or empty."""
        low_s, high_s = self.low_s, self.high_s
        if low_s is not None and low_s > FAR_S:
            return "ahead"
        if high_s is not None and high_s < -FAR_S:
            return "behind"
        if low_s is None:  # in a quiet market the last event is old, which says nothing of a clock
            return "unknown" if high_s is None or high_s > FAR_S else ""
        return "unknown" if high_s is None and low_s < -FAR_S else ""

    @property
    def said(self) -> str:
        """In words."""
        low_s, high_s = self.low_s, self.high_s
        if low_s is None and high_s is None:
            return "the venue does not say what time it has (timedatectl shows whether this clock is kept)"
        if low_s is not None and high_s is not None:
            middle_s, half_s = (low_s + high_s) / 2, (high_s - low_s) / 2
            if abs(middle_s) <= half_s:
                return f"this clock and the venue's agree as far as can be told, to {duration(max(abs(low_s), abs(high_s)))}"
            side = "ahead of" if middle_s > 0 else "behind"
            return (
                f"this clock is {duration(abs(middle_s))} {side} the venue's, give or take {duration(half_s)}"
            )
        if high_s is not None:
            if high_s < 0:
                return f"this clock is at least {duration(-high_s)} behind the venue's; by how much more is unknown"
            return f"this clock is no more than {duration(abs(high_s))} ahead of the venue's; how far behind is unknown"
        low_s = low_s or 0.0
        if low_s > 0:
            return (
                f"this clock is at least {duration(low_s)} ahead of the venue's; by how much more is unknown"
            )
        return (
            f"this clock is no more than {duration(abs(low_s))} behind the venue's; how far ahead is unknown"
        )


def offset_by_time(venue_ns: int, sent_ns: int, received_ns: int) -> Offset:
    """From an answer that says the venue's time, exactly.

    Args:
        venue_ns: the time that it says, Unix nanoseconds.
        sent_ns: our time before the request went out.
        received_ns: our time when the answer was there.
    """
    return Offset((sent_ns - venue_ns) / NS_PER_S, (received_ns - venue_ns) / NS_PER_S)


def offset_by_date(headers: Mapping[str, str], sent_ns: int, received_ns: int) -> Offset:
    """From an answer's ``Date``, which says whole seconds; none where it is missing, or that of a stored answer.

    *Source:* RFC 9110, section 6.6.1; RFC 9111, section 5.1.

    Args:
        headers: of the answer, names in lower case.
        sent_ns: our time before the request went out, Unix nanoseconds.
        received_ns: our time when the answer was there.
    """
    if headers.get("age", "0").strip() != "0":
        return Offset()
    try:
        moment = parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, OverflowError):
        return Offset()
    whole = moment.replace(tzinfo=moment.tzinfo or UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    venue_ns = (whole.days * 86_400 + whole.seconds) * NS_PER_S
    return Offset((sent_ns - venue_ns) / NS_PER_S - 1.0, (received_ns - venue_ns) / NS_PER_S)


def offset_by_events(times: Iterable[tuple[int | None, int | None]]) -> Offset:
    """From events: what happened there happened before we heard of it, so our clock is ahead by the lag at most.

    Args:
        times: the venue's time of each event, and our time of its receipt, Unix nanoseconds.
    """
    lags_ns = [ours - theirs for theirs, ours in times if theirs is not None and ours is not None]
    return Offset(high_s=min(lags_ns) / NS_PER_S) if lags_ns else Offset()


def read_time_ns(body: bytes, path: tuple[str, ...], unit_ns: int) -> int | None:
    """The time that a JSON answer says, in Unix nanoseconds; ``None`` where it says none.

    Args:
        body: the answer.
        path: the keys that lead to it.
        unit_ns: what one of its units is.
    """
    try:
        value = json.loads(body, parse_float=Decimal, parse_int=Decimal)
        for key in path:
            value = value[key]
        time_ns = Decimal(value) * unit_ns
        return int(time_ns) if 0 <= time_ns <= LAST_NS else None
    except (ValueError, TypeError, KeyError, RecursionError, ArithmeticError):
        return None
