"""What an error of the venue says, whatever its layout: the frames of errors are not documented; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import attrs

from trioquotes._protocol.codec import BadFrame, builtins
from trioquotes._protocol.effects import RejectionKind
from trioquotes._protocol.patience import asked_wait_s

__all__ = ["Refusal", "read_refusal"]

_AUTHENTICATION = re.compile(
    r"authenticat|signature|PERMISSIONS_NOT_SUFFICIENT|INVALID_HASH_SIGNATURE", re.IGNORECASE
)
_PASSING = re.compile(r"\b(?:RESPONSE_)?TIMEOUT\b|UNDER_MAINTENANCE", re.IGNORECASE)
"""*Source:* Zonda API, REST, "Error codes"."""

_KEYS = ("error", "errors", "message", "reason", "description", "code")
_TOO_MANY: Final = 429
_SERVER_SIDE: Final = 500
_LONGEST = 300


@attrs.frozen
class Refusal:
    """Why the venue did not do what it was asked.

    Attributes:
        text: its words, in one line.
        kind: ``timeout`` for what passes by itself.
        limited: whether a rate limit was met.
    """

    text: str
    kind: RejectionKind
    limited: bool = False


def read_refusal(frame: bytes, fallback: str, *, status: int = 200) -> Refusal:
    """What an error says.

    Only what stands under a handful of keys is repeated, so that a request that comes back as a part of the
    answer does not show its signature.

    Args:
        frame: the frame, or the body of an HTTP answer.
        fallback: the words for one that has none.
        status: as of HTTP, where one was said.
    """
    try:
        words = list(dict.fromkeys(_words(builtins(frame))))
    except BadFrame:
        words = []
    said = "; ".join(words) or fallback
    if status == _TOO_MANY:
        said = f"{status}: {said}"
    text = " ".join(said.split())[:_LONGEST]
    limited = asked_wait_s(said) is not None
    if limited or status >= _SERVER_SIDE or _PASSING.search(said):
        return Refusal(text, "timeout", limited)
    return Refusal(text, "authentication" if _AUTHENTICATION.search(said) else "refused")


def _words(value: Any, *, told: bool = False) -> Iterator[str]:
    """The texts under the keys of errors, at the root and in the body."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if told or key == "body" or key in _KEYS:
                yield from _words(inner, told=key in _KEYS)
    elif isinstance(value, list):
        for inner in value:
            yield from _words(inner, told=told)
    elif isinstance(value, str) and told and value:
        yield value
