"""The venue's frames as text; a quote is a bare number whose digits are given.

*Source:* Product Quotes WebSocket subscription walkthrough, sections 2 to 6.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

__all__ = ["error", "heartbeat", "pong", "quote", "subscribed", "unsubscribed"]


def _encoded(fields: dict[str, Any]) -> str:
    return json.dumps(fields, separators=(",", ":"))


def subscribed(products: Iterable[tuple[str, str]], *, complete: bool, time_ms: int) -> str:
    """The products that were added, each with the text of its quote; incomplete is ``WARN``."""
    rows = ",".join(f'{{"productName":{json.dumps(name)},"quote":{text}}}' for name, text in products)
    status = "OK" if complete else "WARN"
    return f'{{"op":"subscribed","status":"{status}","timestamp":{time_ms},"products":[{rows}]}}'


def unsubscribed(names: Iterable[str], time_ms: int) -> str:
    """The products whose subscription ended."""
    return _encoded({"op": "unsubscribed", "status": "OK", "timestamp": time_ms, "productNames": list(names)})


def quote(name: str, text: str, time_ms: int) -> str:
    """A new quote of a product."""
    return f'{{"op":"pq","productName":{json.dumps(name)},"quote":{text},"timestamp":{time_ms}}}'


def heartbeat(time_ms: int) -> str:
    """A sign of life."""
    return f'{{"op":"hb","timestamp":{time_ms}}}'


def pong(message: str | None, time_ms: int) -> str:
    """The answer to a ping, with what it said."""
    return _encoded({"op": "pong", "timestamp": time_ms, "msg": message})


def error(request: str | None, message: str, code: str, time_ms: int) -> str:
    """A refusal; the form that answers ``subscribe`` has no time.

    Args:
        request: the ``op`` that is refused, empty where none was read; ``None`` leaves the field out.
        message: the words.
        code: the venue's code.
        time_ms: Unix milliseconds.
    """
    fields: dict[str, Any] = {"op": "error"}
    if request is not None:
        fields["opRequest"] = request
    fields |= {"msg": message, "code": code}
    if request != "subscribe":
        fields["timestamp"] = time_ms
    return _encoded(fields)
