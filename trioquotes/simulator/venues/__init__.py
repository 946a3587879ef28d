"""The simulated venues by name; the only place that names them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar

from trioquotes.errors import UnknownVenue
from trioquotes.simulator.playback import PlaybackSimulator
from trioquotes.simulator.server import Simulator
from trioquotes.simulator.venues.coinbase import CoinbasePlayback, CoinbaseSimulator
from trioquotes.simulator.venues.darwinex import DarwinexPlayback, DarwinexSimulator
from trioquotes.simulator.venues.edgex import EdgexPlayback, EdgexSimulator
from trioquotes.simulator.venues.upbit import UpbitPlayback, UpbitSimulator
from trioquotes.simulator.venues.zonda import ZondaPlayback, ZondaSimulator

__all__ = ["PLAYBACKS", "SIMULATORS", "playback_of", "simulator_of"]

T = TypeVar("T")

_Makes: TypeAlias = Callable[..., Simulator[Any]]
_Plays: TypeAlias = Callable[..., PlaybackSimulator[Any]]

SIMULATORS: dict[str, _Makes] = {
    "coinbase": CoinbaseSimulator,
    "upbit": UpbitSimulator,
    "edgex": EdgexSimulator,
    "zonda": ZondaSimulator,
    "darwinex": DarwinexSimulator,
}
"""The classes with a seeded market: ``SIMULATORS[name](seed=..., rate=...)``."""

PLAYBACKS: dict[str, _Plays] = {
    "coinbase": CoinbasePlayback,
    "upbit": UpbitPlayback,
    "edgex": EdgexPlayback,
    "zonda": ZondaPlayback,
    "darwinex": DarwinexPlayback,
}
"""The classes that play a capture: ``PLAYBACKS[name](read_capture(path), speed="max")``."""


def simulator_of(venue: str) -> Callable[..., Simulator[Any]]:
    """The class that simulates a venue.

    Raises:
        UnknownVenue: where there is none of that name.
    """
    return _of(SIMULATORS, venue)


def playback_of(venue: str) -> Callable[..., PlaybackSimulator[Any]]:
    """The class that plays captures of a venue.

    Raises:
        UnknownVenue: where there is none of that name.
    """
    return _of(PLAYBACKS, venue)


def _of(classes: Mapping[str, T], venue: str) -> T:
    try:
        return classes[venue]
    except KeyError:
        raise UnknownVenue(f"no simulator of {venue!r}; there are {', '.join(sorted(classes))}") from None
