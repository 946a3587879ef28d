"""The contract between a venue and the runtime, for authors of venues: pure values in, pure values out.

A venue is a :class:`Venue` that describes itself and makes one :class:`VenueProtocol` per connection. The
protocol is told what came and what is wanted, with every clock and random byte as an argument, and answers
with effects: :class:`Send`, :class:`Fetch`, :class:`Replace`. It never waits and never fails on what a frame
holds.
"""

from __future__ import annotations

from trioquotes._protocol.contract import (
    Door,
    LedgerView,
    Memory,
    Sink,
    Venue,
    VenueProtocol,
)
from trioquotes._protocol.effects import (
    Audit,
    Budget,
    ChargeKind,
    Effect,
    Endpoint,
    Failure,
    Fatal,
    Fetch,
    Handshake,
    HttpRequest,
    Lane,
    Limits,
    Options,
    Receipt,
    RejectionKind,
    Replace,
    Reply,
    Retry,
    Send,
    Serving,
    Skip,
    Stage,
    Stamp,
    Unify,
    Verdict,
    Verify,
    WireChannel,
)

__all__ = [
    "Audit",
    "Budget",
    "ChargeKind",
    "Door",
    "Effect",
    "Endpoint",
    "Failure",
    "Fatal",
    "Fetch",
    "Handshake",
    "HttpRequest",
    "Lane",
    "LedgerView",
    "Limits",
    "Memory",
    "Options",
    "Receipt",
    "RejectionKind",
    "Replace",
    "Reply",
    "Retry",
    "Send",
    "Serving",
    "Sink",
    "Skip",
    "Stage",
    "Stamp",
    "Unify",
    "Venue",
    "VenueProtocol",
    "Verdict",
    "Verify",
    "WireChannel",
]
