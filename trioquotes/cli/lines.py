"""Events as lines of JSON, the same for every command that prints them."""

from __future__ import annotations

import json
from collections.abc import Iterable

from trioquotes._protocol.codec import to_json_line
from trioquotes._protocol.tally import TallyCount
from trioquotes.events import Event, WireMessage

__all__ = ["event_lines", "ledger_line"]


def event_lines(events: Iterable[Event], venue: str) -> str:
    """One line per event; a venue's own message is named after its venue, ``coinbase.Match``."""
    return "".join(to_json_line(event, _native_name(event, venue)) + "\n" for event in events)


def ledger_line(count: TallyCount) -> str:
    """What became of every element, as one JSON object."""
    ledger = {
        "frames": count.frames,
        "elements": count.elements,
        "delivered": count.delivered,
        "folded": count.folded,
        "ignored": count.ignored,
        "malformed": count.malformed,
        "gaps": count.gaps,
    }
    return json.dumps(ledger)


def _native_name(event: Event, venue: str) -> str | None:
    return f"{venue}.{type(event).__name__}" if isinstance(event, WireMessage) else None
