"""Which core who runs on: client and server are kept apart where the system lets us."""

from __future__ import annotations

import os

__all__ = ["CLIENT", "SERVER", "stay_on"]

CLIENT, SERVER = 0, -1
"""The first and the last core that this process may use."""


def stay_on(which: int) -> None:
    """Run on that core alone, if the system knows of cores and there is more than one."""
    if not hasattr(os, "sched_setaffinity"):
        return
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(0, {cores[which]})
