"""What a process holds: memory, tasks, descriptors, and how many objects of which kind."""

from __future__ import annotations

import ctypes
import gc
import os
import re
import resource
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import attrs
import trio

from trioquotes.events import Event

__all__ = [
    "MIB",
    "Heap",
    "census",
    "heap",
    "living_tasks",
    "open_descriptors",
    "read_pymalloc",
    "resident_bytes",
    "settle",
]

MIB = 1 << 20

IN_FLIGHT = frozenset(
    {
        "dict",
        "list",
        "tuple",
        "set",
        "cell",
        "CancelScope",
        "CancelReason",
        "SplitResult",
        "Cell",
    }
)
"""Kinds not counted, for their number follows the buffers: what events and messages are made of, the places where events
wait, the variables of closures (of which each waiting task and each subscription has some; a leak of closures shows as functions),
the last hundred URLs that the standard library took apart, and the scopes, with why they were cancelled, that
trio's heap of deadlines forgets only a thousand at a time.
Leaking, they show in the resident memory."""

OF_BOOKS = frozenset({"trioquotes.books.queues.Order", "trioquotes.books.queues.Queue"})
"""What books by order are made of: their number is the market's."""

OWN = frozenset({"tests.long.verdict", "tests.long.meters"})
"""Where the samples come from that a soak keeps, and what is in them."""


@attrs.frozen
class Heap:
    """What the process has of its two allocators, Python's own for small objects and the C library's for the rest.

    Attributes:
        held_bytes: given out and not given back: what the program keeps, to the byte.
        free_bytes: theirs, between what is given out or kept for later. Pages that hold nothing else go back to the system,
            the others stay resident though nobody uses them: fragmentation.
    """

    held_bytes: int
    free_bytes: int


class _MallInfo(ctypes.Structure):
    """``struct mallinfo2`` of glibc 2.33 and later."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
        )
    )  # fmt: skip


def heap() -> Heap | None:
    """What the allocators say; ``None`` where they are others than CPython's on glibc."""
    try:
        info_of = ctypes.CDLL("libc.so.6").mallinfo2
        told = _told_by_pymalloc()
    except (OSError, AttributeError):
        return None
    info_of.restype = _MallInfo
    info = info_of()
    small = read_pymalloc(told)
    return Heap(
        held_bytes=info.uordblks + info.hblkhd + small.held_bytes, free_bytes=info.fordblks + small.free_bytes
    )


def _told_by_pymalloc() -> str:
    """Python tells the figures of its allocator to the C library's ``stderr`` alone."""
    told = getattr(sys, "_debugmallocstats")  # noqa: B009  # its absence is an AttributeError, wanted above
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with tempfile.TemporaryFile() as file:
            os.dup2(file.fileno(), 2)
            try:
                told()
            finally:
                os.dup2(kept, 2)
            file.seek(0)
            return file.read().decode()
    finally:
        os.close(kept)


def read_pymalloc(told: str) -> Heap:
    """The figures out of what ``sys._debugmallocstats`` tells; none at all where ``PYTHONMALLOC`` chose another."""
    arenas = re.search(r"^\d+ arenas \* \d+ bytes/arena += +([\d,]+)$", told, re.MULTILINE)
    blocks = re.search(r"^# bytes in allocated blocks += +([\d,]+)$", told, re.MULTILINE)
    if arenas is None or blocks is None:
        return Heap(0, 0)
    whole, held = (int(found[1].replace(",", "")) for found in (arenas, blocks))
    return Heap(held, whole - held)


def resident_bytes() -> int:
    """Resident memory of this process; where the system does not say it, the most there ever was."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def open_descriptors() -> int:
    """Open file descriptors of this process; the one that looks is not among them."""
    for folder in ("/proc/self/fd", "/dev/fd"):
        if Path(folder).exists():
            return len(os.listdir(folder)) - 1  # noqa: PTH208  # iterdir counts the same and says it less plainly
    return 0


def living_tasks() -> int:
    """Tasks of the running event loop, its own included."""
    return trio.lowlevel.current_statistics().tasks_living


def settle() -> None:
    """Collect garbage, and let the allocator give back what is free, so that memory says what is held."""
    gc.collect()
    with suppress(OSError, AttributeError):  # another C library has no such function
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def census() -> Mapping[str, int]:
    """How many objects of each kind are reachable; events that wait are not counted."""
    settle()
    count: Counter[type] = Counter(map(type, gc.get_objects()))
    counted = {
        f"{kind.__module__}.{kind.__qualname__}": number
        for kind, number in count.items()
        if kind.__qualname__ not in IN_FLIGHT and kind.__module__ not in OWN and not issubclass(kind, Event)
    }
    return {kind: number for kind, number in counted.items() if kind not in OF_BOOKS}
