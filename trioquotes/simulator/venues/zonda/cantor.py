"""The exchange office for fiat money: seeded rates that wander; pure."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

from trioquotes.simulator.venues.zonda.listings import FIAT
from trioquotes.simulator.venues.zonda.texts import bare

__all__ = ["Cantor"]

IN_ZLOTY = {"EUR": Decimal("4.3021"), "GBP": Decimal("5.0387"), "PLN": Decimal(1), "USD": Decimal("3.6933")}
RATE_STEP = Decimal("0.000001")
MOVE = Decimal("0.0001")


class Cantor:
    """What one currency costs in another.

    Args:
        seed: of all chance.
    """

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(f"{seed}/cantor")  # noqa: S311  # a simulation, no secret
        self._values = dict(IN_ZLOTY)

    def move(self) -> list[tuple[str, str]]:
        """Let one currency's value change; returns the pairs whose rate it changes."""
        moved = self._rng.choice([name for name in FIAT if name != "PLN"])
        self._values[moved] += MOVE * self._rng.choice([-3, -2, -1, 1, 2, 3])
        return [(one, other) for one in FIAT for other in FIAT if one != other and moved in {one, other}]

    def rate(self, source: str, destination: str) -> dict[str, Any]:
        """What one unit of the destination costs in the source, as the documented 1.164875 USD for a EUR."""
        rate = (self._values[destination] / self._values[source]).quantize(RATE_STEP)
        return {"rate": bare(rate), "rateCurrency": source}
