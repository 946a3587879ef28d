"""The moments at which the venue speaks; pure."""

from __future__ import annotations

__all__ = ["GRID_NS", "after", "on_grid"]

GRID_NS, GRID_OFFSET_NS = 100_000_000, 6_000_000
"""Books of KRW markets change at these moments only; recorded times end in 006, 106, 206, ..."""


def on_grid(time_ns: int) -> int:
    """The first moment of the grid that is not before a time."""
    return time_ns + (GRID_OFFSET_NS - time_ns) % GRID_NS


def after(time_ns: int, period_ns: int) -> int:
    """The first multiple of a period after a time."""
    return time_ns - time_ns % period_ns + period_ns
