"""Waiting for a venue's budget."""

from __future__ import annotations

from collections.abc import Mapping

import trio

from trioquotes._protocol.budget import Allowance, Charge
from trioquotes._protocol.effects import ChargeKind

__all__ = ["charged"]


async def charged(allowance: Allowance, cost: Mapping[ChargeKind, int]) -> Charge:
    """Wait until all of the cost may be spent at once, and spend it."""
    while True:
        now_s = trio.current_time()
        delay_s = allowance.delay_s(cost, now_s)
        if delay_s == 0.0:
            return allowance.charge(cost, now_s)
        await trio.sleep(delay_s)
