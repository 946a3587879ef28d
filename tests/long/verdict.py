"""What a soak's figures mean; no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from tests.long.meters import MIB, Heap

__all__ = ["GROWTH", "Rest", "Sample", "growing", "judge", "reference_s"]

GROWTH = 0.05
"""How much larger the memory may be at the end than at the reference."""
REFERENCE_S = 300.0
FILLING_BYTES = 24 * MIB
"""What a run of less than half an hour may grow beside that: buffers of slow readers and caches still fill."""
WHOLE_S = 6 * REFERENCE_S
KINDS_GROWTH = 40
"""How many objects of one kind may come between reference and end whatever happened: so many come and go."""
SHARE = 0.25
"""Of the connections made meanwhile: one object kept from every fourth is too many."""


@attrs.frozen
class Sample:
    """The figures at one moment.

    Attributes:
        at_s: since the beginning.
        frames: received so far by all sessions; ``connections`` made, ``gaps`` told.
        heap: what the allocators have given out, and what they keep between that; ``None`` where nobody says it.
        blocks: of memory that Python's allocator has given out.
        delivered: events taken by readers so far, by venue.
    """

    at_s: float
    frames: int
    connections: int
    reconnects: int
    gaps: int
    resident_bytes: int
    heap: Heap | None
    blocks: int
    tasks: int
    descriptors: int
    delivered: Mapping[str, int]


@attrs.frozen
class Rest:
    """What the process holds when no session is open: before the first, and after the last."""

    tasks: int
    descriptors: int


def reference_s(whole_s: float) -> float:
    """When the memory is taken that the end is compared with: minute 5, or a sixth of a short run."""
    return min(REFERENCE_S, whole_s / 6)


def growing(before: Mapping[str, int], after: Mapping[str, int], connections: int) -> dict[str, int]:
    """Kinds of objects that became more as connections were made."""
    allowed = max(KINDS_GROWTH, int(SHARE * connections))
    grown = {kind: number - before.get(kind, 0) for kind, number in after.items()}
    return {kind: more for kind, more in sorted(grown.items(), key=lambda item: -item[1]) if more > allowed}


def judge(
    samples: Sequence[Sample],
    *,
    reference: Sample | None,
    before: Rest,
    after: Rest,
    grown: Mapping[str, int],
    wrong: Sequence[str],
) -> list[str]:
    """What is wrong, a line each; nothing for a soak that went well.

    Args:
        samples: of the whole run, oldest first; the last one just before closing.
        reference: the sample that memory is compared with; ``None`` where the run did not get so far.
        before: and ``after``: what the process held without sessions.
        grown: kinds of objects that only become more.
        wrong: what was noticed on the way: exceptions, ledgers that do not add up, limits passed.
    """
    out = list(wrong)
    if not samples:
        return [*out, "nothing was measured"]
    last = samples[-1]
    if reference is not None:
        out += _grown(reference, last)
    out += [f"{more} more objects of {kind} than at the reference" for kind, more in grown.items()]
    if after.tasks != before.tasks:
        out.append(f"{after.tasks - before.tasks} tasks are left after closing")
    if after.descriptors != before.descriptors:
        out.append(f"{after.descriptors - before.descriptors} descriptors are left after closing")
    return out + _silent(samples)


def _grown(reference: Sample, last: Sample) -> list[str]:
    """Memory that became more: what is held, and what is resident, which is also what lies free between what is held."""
    spare = FILLING_BYTES if last.at_s < WHOLE_S * 0.9 else 0
    out = []
    if reference.heap is not None and last.heap is not None:
        out += _more("memory held", reference, reference.heap.held_bytes, last.heap.held_bytes, spare)
    return out + _more("resident memory", reference, reference.resident_bytes, last.resident_bytes, spare)


def _more(what: str, reference: Sample, before_bytes: int, after_bytes: int, spare_bytes: int) -> list[str]:
    allowed = before_bytes * (1 + GROWTH) + spare_bytes
    if after_bytes <= allowed:
        return []
    grew = f"grew from {before_bytes / MIB:.1f} MiB at {reference.at_s / 60:.1f} min to {after_bytes / MIB:.1f} MiB"
    return [f"{what} {grew}; {allowed / MIB:.1f} MiB are allowed"]


def _silent(samples: Sequence[Sample]) -> list[str]:
    """Venues of which nothing came in the second half of the run."""
    last = samples[-1]
    middle = min(samples, key=lambda sample: abs(sample.at_s - last.at_s / 2))
    return [
        f"nothing of {venue} came after minute {middle.at_s / 60:.1f}"
        for venue, events in last.delivered.items()
        if events == middle.delivered.get(venue, 0)
    ]
