"""The venue's answers to what a client says; pure.

*Source:* docs.zondacrypto.exchange/reference, page public-subscription (table of actions) and
private-subscription; what the ``*-error`` and ``json-error`` frames hold besides is not documented.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trioquotes.simulator.venues.zonda.paths import Topic
from trioquotes.simulator.venues.zonda.requests import Subscribe
from trioquotes.simulator.venues.zonda.texts import encoded

__all__ = ["AUTHENTICATION_FAILED", "JSON_ERROR", "PONG", "confirmation", "proxy_response", "refusal"]

PONG = encoded({"action": "pong"})
JSON_ERROR = encoded({"action": "json-error", "message": "Invalid JSON"})
AUTHENTICATION_FAILED = encoded({"error": "Authentication failed"})
"""The only frame that never has an ``action``."""


def confirmation(scope: str, topic: Topic) -> tuple[str, str]:
    """Kind and text; the path comes back in lower case."""
    action = f"subscribe-{scope}-confirm"
    return action, encoded({"action": action, "module": topic.module, "path": topic.path})


def refusal(request: Subscribe, words: str, *, say_path: bool) -> tuple[str, str]:
    """Kind and text."""
    action = f"subscribe-{request.scope}-error"
    place = {"module": request.module.lower(), "path": request.path.lower()} if say_path else {}
    return action, encoded({"action": action, **place, "error": words})


def proxy_response(request_id: Any, body: Mapping[str, Any], *, action: bool) -> str:
    """What a REST call gives; it has the status 200 even where it failed."""
    head = {"action": "proxy-response"} if action else {}
    number = {} if request_id is None else {"requestId": request_id}
    return encoded({**head, **number, "statusCode": 200, "body": body})
