"""The venues by name; the only place that names them all."""

from __future__ import annotations

from trioquotes._protocol.contract import Venue
from trioquotes.venues.coinbase import VENUE as COINBASE
from trioquotes.venues.darwinex import VENUE as DARWINEX
from trioquotes.venues.edgex import VENUE as EDGEX
from trioquotes.venues.upbit import VENUE as UPBIT
from trioquotes.venues.zonda import VENUE as ZONDA

__all__ = ["VENUES"]

VENUES: dict[str, Venue] = {venue.name: venue for venue in (COINBASE, UPBIT, EDGEX, ZONDA, DARWINEX)}
