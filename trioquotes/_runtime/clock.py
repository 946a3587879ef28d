"""Where time and randomness come from: the one place a test or a simulation replaces."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import attrs
import trio

from trioquotes._protocol.effects import Stamp

__all__ = ["Clock"]

NONCE_BYTES = 16


@attrs.frozen
class Clock:
    """Makes stamps; intervals come from trio's clock, so a virtual clock rules them too.

    Attributes:
        wall_ns: Unix nanoseconds now.
        random: jitter and nonces; the default draws from the operating system.
    """

    wall_ns: Callable[[], int] = time.time_ns
    random: random.Random = attrs.field(factory=random.SystemRandom)

    def stamp(self) -> Stamp:
        """Now, with a fresh nonce: for whatever may make a request."""
        return Stamp(self.wall_ns(), trio.current_time(), self.random.randbytes(NONCE_BYTES))

    def receipt(self) -> Stamp:
        """Now, without a nonce: for what a socket read brought."""
        return Stamp(self.wall_ns(), trio.current_time())
