"""Coinbase Exchange, simulated from its documentation and from what was recorded on the wire."""

from __future__ import annotations

from trioquotes.simulator.venues.coinbase.listings import DEFAULT_PRODUCTS, Profile, account_id
from trioquotes.simulator.venues.coinbase.playback import CoinbasePlayback
from trioquotes.simulator.venues.coinbase.requests import sign
from trioquotes.simulator.venues.coinbase.simulator import CoinbaseSimulator

__all__ = ["DEFAULT_PRODUCTS", "CoinbasePlayback", "CoinbaseSimulator", "Profile", "account_id", "sign"]
