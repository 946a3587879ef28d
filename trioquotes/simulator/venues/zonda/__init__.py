"""Zonda (zondacrypto), simulated from its documentation and from what was recorded on the wire."""

from __future__ import annotations

from trioquotes.simulator.venues.zonda.listings import DEFAULT_MARKETS, Account, balance_id
from trioquotes.simulator.venues.zonda.playback import ZondaPlayback
from trioquotes.simulator.venues.zonda.requests import sign
from trioquotes.simulator.venues.zonda.simulator import ZondaSimulator

__all__ = ["DEFAULT_MARKETS", "Account", "ZondaPlayback", "ZondaSimulator", "balance_id", "sign"]
