"""What the demo shows of each simulated venue: which instruments, as whom, and whether its lines may be dropped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, cast

import attrs

from trioquotes.credentials import BearerToken, Credentials
from trioquotes.events import Event
from trioquotes.simulator.server import Simulator
from trioquotes.simulator.venues.darwinex import DEMO_ACCOUNT, DarwinexSimulator
from trioquotes.topics import Books, Quotes, Topic, Trades
from trioquotes.venues import VENUES

__all__ = ["Showing", "showing_of"]


@attrs.frozen
class Showing:
    """What is shown of one venue.

    Attributes:
        instruments: the venue's own names.
        kinds: what is streamed of each: trades and books, or quotes where the venue keeps no book.
        credentials: for a venue that lets nobody in without.
        drops: whether a dropped line is soon back, so that it is worth dropping one.
    """

    instruments: tuple[str, ...]
    kinds: tuple[Callable[[str], Topic[Event]], ...]
    credentials: Credentials | None = None
    drops: bool = True


class _HasMarket(Protocol):
    """A simulator with a market."""

    @property
    def market(self) -> Any:
        """The market, with its ``floors`` by instrument."""


def showing_of(venue: str, simulator: Simulator[Any], most: int) -> Showing:
    """What to show of a simulated venue; asked inside ``trio.run``.

    Args:
        venue: its name.
        simulator: the server.
        most: how many instruments at most.
    """
    able = VENUES[venue].unified
    kinds = (*((Trades,) if Trades in able else ()), Books if Books in able else Quotes)
    if isinstance(simulator, DarwinexSimulator):
        names = tuple(product.name for product in simulator.products if product.status == "ACTIVE")
        # Its clients may come back only after a minute.
        return Showing(names[:most], kinds, BearerToken(DEMO_ACCOUNT.access_token), drops=False)
    return Showing(tuple(cast("_HasMarket", simulator).market.floors)[:most], kinds)
