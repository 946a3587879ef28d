"""Darwinex product quotes, simulated from their documentation and from what the venue's own clients show."""

from __future__ import annotations

from trioquotes.simulator.venues.darwinex.listings import (
    DEFAULT_PRODUCTS,
    DEMO_ACCOUNT,
    Account,
    Product,
    generated_names,
)
from trioquotes.simulator.venues.darwinex.playback import DarwinexPlayback
from trioquotes.simulator.venues.darwinex.simulator import PATH, DarwinexSimulator

__all__ = [
    "DEFAULT_PRODUCTS",
    "DEMO_ACCOUNT",
    "PATH",
    "Account",
    "DarwinexPlayback",
    "DarwinexSimulator",
    "Product",
    "generated_names",
]
