"""What the bot wants, from what it knows of one instrument: values in, values out.

The one rule above all others: no orders without a quote that may be trusted. A quote stands alone, so one that comes after
a gap can be trusted again; and until it comes nothing may be made of the one before.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import trioquotes as tq

__all__ = ["Maker", "Orders"]


@dataclass(frozen=True)
class Orders:
    """An order on each side."""

    bid: Decimal
    ask: Decimal
    size: Decimal


@dataclass(frozen=True)
class Maker:
    """A market maker's rules.

    Attributes:
        margin: how far from the middle of the market its orders are, as a fraction of it.
        tick: the price step.
        size: of each order.
    """

    margin: Decimal
    tick: Decimal
    size: Decimal

    def wanted(self, event: tq.Event, present: Orders | None) -> Orders | None:
        """What orders there should be after an event.

        Args:
            event: what came.
            present: what orders there are; ``None`` for none.

        Returns:
            The orders; ``None`` for none.
        """
        match event:
            case tq.Quote(bid=Decimal() as bid, ask=Decimal() as ask) if bid < ask:
                return self._around((bid + ask) / 2)
            case tq.Quote():
                return None  # one side of the market is empty, or it is crossed
            case tq.Gap() | tq.Disconnected() | tq.Stale() | tq.Lagged() | tq.Throttled() | tq.Rejected():
                return None  # what we know may not be so any more
            case tq.Malformed() | tq.Unknown():
                return None  # something came that we cannot read: it may have been a quote
        return present

    def _around(self, middle: Decimal) -> Orders:
        """Orders around a price, rounded away from it to whole ticks."""
        distance = middle * self.margin
        bid = ((middle - distance) / self.tick).to_integral_value(ROUND_FLOOR) * self.tick
        ask = ((middle + distance) / self.tick).to_integral_value(ROUND_CEILING) * self.tick
        return Orders(bid, ask, self.size)
