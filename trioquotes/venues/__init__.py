"""The venues by name; the only place that names them all."""

from __future__ import annotations

from trioquotes._protocol.contract import Venue
from trioquotes.venues.coinbase import VENUE as COINBASE

__all__ = ["VENUES"]

VENUES: dict[str, Venue] = {venue.name: venue for venue in (COINBASE,)}
