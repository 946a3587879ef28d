"""What a process holds: memory, tasks, descriptors, and how many objects of which kind."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import trio

from trioquotes.events import Event

__all__ = ["MIB", "census", "living_tasks", "open_descriptors", "resident_bytes", "settle"]

MIB = 1 << 20

IN_FLIGHT = frozenset({"dict", "list", "tuple", "set", "CancelScope", "CancelReason", "SplitResult", "_Cell"})
"""Kinds not counted, for their number follows the buffers: what events and messages are made of, the places where events
wait, the last hundred URLs that the standard library took apart, and the scopes, with why they were cancelled, that
trio's heap of deadlines forgets only a thousand at a time.
Leaking, they show in the resident memory."""

OWN = "tests.long.verdict"
"""Where the samples come from that a soak keeps."""


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
    return {
        f"{kind.__module__}.{kind.__qualname__}": number
        for kind, number in count.items()
        if kind.__qualname__ not in IN_FLIGHT and kind.__module__ != OWN and not issubclass(kind, Event)
    }
