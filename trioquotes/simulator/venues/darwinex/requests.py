"""What clients ask on the socket; pure.

*Source:* Product Quotes WebSocket subscription walkthrough, sections 2, 3 and 6, and its table of error codes.
"""

from __future__ import annotations

import json
from typing import Any, TypeAlias

import attrs

__all__ = [
    "EMPTY",
    "NOT_RECOGNIZED",
    "NOT_VALID",
    "TOO_MANY",
    "TOO_MANY_WORDS",
    "Ping",
    "Refusal",
    "Request",
    "Subscribe",
    "Unsubscribe",
    "not_valid",
    "read_message",
]

EMPTY = "EMPTY_MESSAGE_RECEIVED"
NOT_RECOGNIZED = "MESSAGE_NOT_RECOGNIZED"
NOT_VALID = "PRODUCT_NOT_VALID"
TOO_MANY = "MAX_PRODUCT_SUBSCRIPTIONS_REACHED"
TOO_MANY_WORDS = "Not allowed to subscribe to more than 10.000 products."

SERVER_EVENTS = frozenset({"subscribed", "unsubscribed", "error", "pq", "hb", "pong"})
"""Events that the venue knows and a client has no use for."""


@attrs.frozen
class Subscribe:
    """``subscribe``: each name once, in the order of asking."""

    names: tuple[str, ...]
    op: str = "subscribe"


@attrs.frozen
class Unsubscribe:
    """``unsubscribe``, or ``unsubscribeAll`` where no names are given."""

    names: tuple[str, ...] | None

    @property
    def op(self) -> str:
        """The request as errors call it."""
        return "unsubscribeAll" if self.names is None else "unsubscribe"


@attrs.frozen
class Ping:
    """``ping`` with its free text."""

    message: str | None


@attrs.frozen
class Refusal:
    """A message that is answered with an error.

    Attributes:
        op: of the request, empty where none could be read.
        message: the words.
        code: the venue's code.
    """

    op: str
    message: str
    code: str


Request: TypeAlias = Subscribe | Unsubscribe | Ping


def not_valid(op: str, name: str) -> Refusal:
    """The refusal of a product."""
    return Refusal(op, f"No active product found with the name {name}", NOT_VALID)


def read_message(text: str) -> Request | Refusal:
    """Read a message of a client."""
    if not text.strip():
        return Refusal("", "Empty message received.", EMPTY)
    fields = _object(text)
    op = fields.get("op") if fields is not None else None
    if fields is None or not isinstance(op, str):
        return _unread("", text)
    if op in SERVER_EVENTS:
        return Refusal(op, f"{op} not implemented.", NOT_RECOGNIZED)
    match op:
        case "ping":
            message = fields.get("msg")
            return Ping(message) if message is None or isinstance(message, str) else _unread(op, text)
        case "unsubscribeAll":
            return Unsubscribe(None)
        case "subscribe" | "unsubscribe":
            names = _names(fields.get("productNames"))
            if names is None:
                return _unread(op, text)
            return Subscribe(names) if op == "subscribe" else Unsubscribe(names)
        case _:
            return Refusal(op, f"Event {op} in message {text} not recognized.", NOT_RECOGNIZED)


def _unread(op: str, text: str) -> Refusal:
    return Refusal(op, f"Message {text} is not recognized.", NOT_RECOGNIZED)


def _names(value: Any) -> tuple[str, ...] | None:
    if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
        return None
    return tuple(dict.fromkeys(value))


def _object(text: str) -> dict[str, Any] | None:
    def refuse(word: str) -> None:
        raise ValueError(word)

    try:
        value: Any = json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
