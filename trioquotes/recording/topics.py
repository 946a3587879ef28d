"""Topics as texts in a recording, and back."""

from __future__ import annotations

from typing import Any

import msgspec

from trioquotes._protocol.contract import Venue
from trioquotes.errors import UsageError
from trioquotes.events import Event
from trioquotes.topics import UNIFIED_TOPICS, Topic

__all__ = ["topic_from_text", "topic_to_text"]

UNIFIED = "topic"
NATIVE = "channel"


def topic_to_text(topic: Topic[Any], venue: Venue) -> str:
    """The topic as a JSON object: whether it is a unified topic or a venue's channel, its name, and its fields."""
    kind, known = (
        (UNIFIED, UNIFIED_TOPICS) if type(topic) in UNIFIED_TOPICS.values() else (NATIVE, venue.topics)
    )
    name = next((name for name, own in known.items() if own is type(topic)), type(topic).__name__)
    fields = {key: value for key, value in msgspec.to_builtins(topic).items() if value is not None}
    return msgspec.json.encode({kind: name, **fields}).decode()


def topic_from_text(text: str, venue: Venue) -> Topic[Event]:
    """The topic that :func:`topic_to_text` wrote.

    Raises:
        UsageError: this version of the package has no such topic.
    """
    try:
        fields = msgspec.json.decode(text, type=dict[str, Any])
        name = fields.pop(UNIFIED, None)
        known = UNIFIED_TOPICS if name is not None else venue.topics
        kind = known[name if name is not None else fields.pop(NATIVE)]
        return msgspec.convert(fields, kind)
    except (msgspec.MsgspecError, KeyError, TypeError) as error:
        raise UsageError(f"{venue.name} has no such topic in this version: {text}") from error
