"""What a venue allows, counted again from its side: over every window, and with an excuse only where a fault gives one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import attrs

from trioquotes.simulator.faults import MuteLine, NeverSend, RefuseHandshake, TrickleLine
from trioquotes.simulator.records import Breach, Records
from trioquotes.testing import ChopLink, CutLink, DelayLink, SilenceLink, StallLink, StepClock, SuspendMachine

__all__ = ["EXCUSES", "Limit", "crowded", "impatient", "inexcusable", "waits_of"]


@attrs.frozen
class Limit:
    """So many in any window, as the venue's pages say.

    Attributes:
        what: attempts to connect, messages to a WebSocket, or plain HTTP requests.
        count: and ``window_s``: how many in how many seconds.
        by_line: whether every line has this for itself.
    """

    what: Literal["connects", "requests", "rest"]
    count: int
    window_s: float
    by_line: bool = False


HELD_UP = (StallLink, DelayLink, SuspendMachine)
"""What lets messages arrive closer together than they were sent."""
DEAF = (StallLink, SilenceLink, SuspendMachine, DelayLink)
"""What keeps our messages from arriving in time."""
UNHEARD = (*DEAF, ChopLink, TrickleLine, MuteLine)
"""What keeps the venue's messages from arriving in time."""

EXCUSES: Mapping[str, tuple[type, ...]] = {
    "idle": DEAF,
    "slow consumer": UNHEARD,
    "first request": UNHEARD,
    "pongs": (*UNHEARD, NeverSend),
    "pong": UNHEARD,
    "authentication": (StepClock, *DEAF),
    "messages": HELD_UP,
    "requests": HELD_UP,
    "connects": HELD_UP,
    "rest": HELD_UP,
    "calls": HELD_UP,
}
"""Which faults, of the script of a run, make a client seem to pass which limit; no other limit is ever passed."""


def crowded(limit: Limit, records: Records) -> list[str]:
    """Every window in which more came than is allowed; both of its ends do not belong to it at once."""
    times: defaultdict[int, list[float]] = defaultdict(list)
    seen: Iterable[tuple[int, float]]
    match limit.what:
        case "connects":
            seen = ((0, one.time_s) for one in records.connects)
        case "requests":
            seen = ((one.connection if limit.by_line else 0, one.time_s) for one in records.requests)
        case "rest":
            seen = ((0, one.time_s) for one in records.rest)
    for line, time_s in seen:
        times[line].append(time_s)
    return [
        f"{limit.count + 1} {limit.what} from {first:.3f} to {last:.3f} s"
        for line in times.values()
        for first, last in zip(line, line[limit.count :], strict=False)
        if last - first < limit.window_s
    ]


def inexcusable(limits: Iterable[Limit], records: Records, script: Sequence[object]) -> list[str | Breach]:
    """What was passed and no fault of the script explains.

    Args:
        limits: of the venue.
        records: its own.
        script: what went wrong.
    """
    excused = {
        name
        for name, kinds in EXCUSES.items()
        if any(isinstance(fault, kinds) and not _is_slight(fault) for fault in script)
    }
    found: list[str | Breach] = [
        words for limit in limits if limit.what not in excused for words in crowded(limit, records)
    ]
    return found + [breach for breach in records.breaches if breach.limit not in excused]


def waits_of(script: Sequence[object], *, one_line: bool) -> dict[int, float]:
    """How long a refused client was asked to stay away, by the ordinal of its attempt, where it must have heard that.

    Args:
        script: what went wrong.
        one_line: whether the session had one line, so that an attempt knows its link. Attempts of several lines overtake
            each other where any link is slow, and only a venue that says that it is overloaded means all of them.
    """
    deaf = {
        fault.link
        for fault in script
        if isinstance(fault, (StallLink, SilenceLink, DelayLink, ChopLink, CutLink))
    }
    asleep = any(isinstance(fault, SuspendMachine) for fault in script)
    refusals: dict[int, RefuseHandshake] = {}
    for fault in script:
        if isinstance(fault, RefuseHandshake) and fault.connection is not None:
            refusals.setdefault(fault.connection, fault)  # the first of an attempt is the one that befalls it
    return {
        attempt: float(value)
        for attempt, fault in refusals.items()
        for name, value in fault.headers
        if name == "Retry-After" and not asleep
        # An attempt's link has its number, or a greater one where there were requests over HTTP before.
        if None not in deaf and deaf.isdisjoint(range(attempt, attempt + 3))
        if one_line or (not deaf and fault.status in {429, 503})
    }


def impatient(
    waits: Mapping[int, float], since_s: float, until_s: float, records: Records, *, one_line: bool
) -> list[str]:
    """Attempts that came earlier than the answer to one before had asked for.

    Args:
        waits: by attempt, seconds.
        since_s: and ``until_s``: when one session was open, and no other beside it.
        records: the venue's.
        one_line: whether it tried one line after the other. Where it has several, what comes at the moment of the
            refusal was under way.
    """
    seen = [one for one in records.connects if since_s <= one.time_s <= until_s]
    return [
        f"attempt {again.connection} came {again.time_s - refused.time_s:.3f} s after a refusal for {wait_s:g} s"
        for number, refused in enumerate(seen, 1)
        if refused.outcome == "RefuseHandshake" and (wait_s := waits.get(refused.connection, 0.0))
        for again in seen[number:]
        if again.time_s < refused.time_s + wait_s and (one_line or again.time_s > refused.time_s)
    ]


def _is_slight(fault: object) -> bool:
    """A delay that every budget's slack covers excuses nothing."""
    return isinstance(fault, DelayLink) and fault.delay_s < 0.1
