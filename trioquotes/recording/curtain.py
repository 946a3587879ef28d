"""What of a session must not be written down: pure, values in, values out.

What we send is kept only as far as it is known to be harmless, for a session with credentials; what the venue says, and
everything in words, goes through the session's veil.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import attrs
import msgspec

from trioquotes._protocol.effects import Endpoint, Failure, Reply
from trioquotes._protocol.veil import HIDDEN, Veil
from trioquotes.recording.records import KeptFailure, harmless, kept_failure

__all__ = ["Curtain", "masked", "plain_url"]

OPEN_KEYS: Final = frozenset(
    {
        "action", "channel", "channels", "codes", "format", "is_only_realtime", "is_only_snapshot", "level", "method",
        "module", "msg", "name", "op", "path", "productNames", "product_ids", "requestId", "ticket", "time", "type",
    }
)  # fmt: skip
"""Keys of requests whose texts and numbers say what is asked for, never who asks."""
OPEN_WORDS: Final = frozenset({b"PING", b"PONG", b"ping", b"pong"})
"""Frames that are no JSON."""

_COMMON: Final = b'0123456789abcdef.,:"{}[]-+ TZ_\\'
"""What numbers, times and hexadecimal identifiers are made of: without it the frames of a channel look much the same."""
_TELLING: Final = 3
"""From this length on what is left of a secret tells something."""
_KNOWN: Final = 4096
_KNOWN_BYTES: Final = 512


def masked(frame: bytes) -> bytes:
    """A frame of ours with a mark in place of every text and number that is not known to be harmless."""
    if frame in OPEN_WORDS:
        return frame
    try:
        said: Any = msgspec.json.decode(frame)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return HIDDEN.encode()
    return msgspec.json.encode(_masked(said, is_open=False))


def _masked(said: Any, *, is_open: bool) -> Any:
    match said:
        case dict():
            return {key: _masked(value, is_open=key in OPEN_KEYS) for key, value in said.items()}
        case list():
            return [_masked(value, is_open=is_open) for value in said]
        case None | bool():
            return said
        case _:
            return said if is_open else HIDDEN


def plain_url(url: str) -> str:
    """The URL without user, query and fragment."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


class Curtain:
    """Stands between a session and its recording.

    Args:
        veil: knows the session's secrets, and hides them in the words of others.
        has_credentials: whether there are any.
    """

    def __init__(self, veil: Veil, *, has_credentials: bool) -> None:
        self._veil = veil
        self._has_credentials = has_credentials
        self._heads: frozenset[bytes] = frozenset()
        self._plain: tuple[bytes, ...] = ()  # heads of which too little would be left
        self._rests: tuple[bytes, ...] = ()
        self._clean: set[bytes] = set()

    def sent(self, frame: bytes) -> bytes:
        """A frame of ours."""
        return self._veil.hide_bytes(masked(frame)) if self._has_credentials else frame

    def received(self, frames: Sequence[bytes]) -> list[bytes]:
        """Frames of the venue, with the veil over those that repeat a secret."""
        heads = self._veil._raw_heads  # noqa: SLF001  # the same search, told what most frames look like
        if not heads:
            return [*frames]
        if heads is not self._heads:
            self._learn(heads)
        return [self._veil.hide_bytes(frame) if self._is_suspicious(frame) else frame for frame in frames]

    def words(self, text: str) -> str:
        """Anything in words."""
        return self._veil.hide(text)

    def failure(self, failure: Failure) -> KeptFailure:
        """Why something failed."""
        return kept_failure(self._veil.hide_failure(failure))

    def reply(self, reply: Reply) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of an answer."""
        headers = self._veil.hide_headers(harmless(reply.headers))
        return reply.status, headers, self._veil.hide_bytes(reply.body)

    def endpoint(self, endpoint: Endpoint) -> dict[str, str | bool | None]:
        """Where the venue is."""
        fields: dict[str, str | bool | None] = attrs.asdict(endpoint)
        return {
            name: self.words(plain_url(value)) if isinstance(value, str) and "://" in value else value
            for name, value in fields.items()
        }

    def _learn(self, heads: frozenset[bytes]) -> None:
        self._heads = heads
        rests = {head: head.translate(None, _COMMON) for head in heads}
        self._plain = tuple(head for head, rest in rests.items() if len(rest) < _TELLING)
        self._rests = tuple({rest for rest in rests.values() if len(rest) >= _TELLING})
        self._clean.clear()

    def _is_suspicious(self, frame: bytes) -> bool:
        """Whether it may hold a secret: where a secret stands, what is left of it stands in what is left of the frame."""
        if any(head in frame for head in self._plain):
            return True
        rest = frame.translate(None, _COMMON)
        if rest in self._clean:
            return False
        if any(piece in rest for piece in self._rests):
            return True
        if len(rest) <= _KNOWN_BYTES:
            if len(self._clean) >= _KNOWN:
                self._clean.clear()
            self._clean.add(rest)
        return False
