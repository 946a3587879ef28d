"""edgeX, both generations, simulated from its documentation and from what was recorded on the wire."""

from __future__ import annotations

from trioquotes.simulator.venues.edgex.handshake import hmac_signature, signed_text, stark_hash
from trioquotes.simulator.venues.edgex.listings import CONTRACTS, Account, Contract
from trioquotes.simulator.venues.edgex.playback import EdgexPlayback
from trioquotes.simulator.venues.edgex.simulator import EdgexSimulator

__all__ = [
    "CONTRACTS",
    "Account",
    "Contract",
    "EdgexPlayback",
    "EdgexSimulator",
    "hmac_signature",
    "signed_text",
    "stark_hash",
]
