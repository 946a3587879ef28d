"""Upbit, simulated from its documentation and from what was recorded on the wire."""

from __future__ import annotations

from trioquotes.simulator.venues.upbit.listings import DEFAULT_MARKETS, Account
from trioquotes.simulator.venues.upbit.playback import UpbitPlayback
from trioquotes.simulator.venues.upbit.simulator import UpbitSimulator
from trioquotes.simulator.venues.upbit.tokens import make_token

__all__ = ["DEFAULT_MARKETS", "Account", "UpbitPlayback", "UpbitSimulator", "make_token"]
