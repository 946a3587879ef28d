"""The five venues as places to be tried."""

from __future__ import annotations

from tests.simulation.place import CANARY, Choice, Place
from tests.simulation.place_coinbase import COINBASE
from tests.simulation.place_darwinex import DARWINEX
from tests.simulation.place_edgex import EDGEX
from tests.simulation.place_upbit import UPBIT
from tests.simulation.place_zonda import ZONDA

__all__ = ["CANARY", "PLACES", "Choice", "Place"]

PLACES = {place.name: place for place in (COINBASE, UPBIT, EDGEX, ZONDA, DARWINEX)}
