"""What happened in a world, in one order, so that two runs can be compared."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import attrs

from trioquotes.simulator.server import Simulator

__all__ = ["Told", "Trace"]


@attrs.frozen
class Told:
    """Something that was noted down by who runs in the world, such as an event that was delivered.

    Attributes:
        time_s: on the world's monotonic clock.
        text: what happened.
    """

    time_s: float
    text: str


class Trace:
    """The log of a world: every attempt to connect, every frame both ways, every HTTP request, and what was told.

    Of a venue's side it is made from what its simulator recorded, which keeps so many entries of each kind and no
    more: see ``frames_kept``.
    """

    def __init__(self, told: Iterable[Told], simulators: Iterable[Simulator[Any]]) -> None:
        logs: list[Iterable[Any]] = [told]
        for simulator in simulators:
            records = simulator.records
            logs += [records.connects, records.requests, records.frames, records.rest, records.breaches]
        self._logs = [list(log) for log in logs]

    def __iter__(self) -> Iterator[str]:
        """Lines, oldest first."""
        numbered = (
            ((entry.time_s, number, place), entry)
            for number, log in enumerate(self._logs)
            for place, entry in enumerate(log)
        )
        for (time_s, number, _), entry in sorted(numbered, key=lambda pair: pair[0]):
            yield f"{time_s!r} {number} {entry!r}"

    @property
    def digest(self) -> str:
        """A hash of all lines: equal for equal runs."""
        found = hashlib.sha256()
        for line in self:
            found.update(line.encode("utf-8", "surrogateescape"))
        return found.hexdigest()
