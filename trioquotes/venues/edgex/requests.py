"""What is sent, and what an error says of it; pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Final, Literal

import attrs
import msgspec

from trioquotes._protocol.codec import BadFrame, builtins
from trioquotes._protocol.effects import RejectionKind, WireChannel
from trioquotes._protocol.patience import asked_wait_s
from trioquotes.venues.edgex.channels import channel_of, text_of
from trioquotes.venues.edgex.messages import ErrorContent

__all__ = ["Refusal", "echo", "ping", "read_refusal", "subscription"]

_TIME: Final = re.compile(rb'"[ !#-\[\]-~]{0,40}"|[-+.0-9eE]{1,40}')
_WORDS: Final = re.compile(r"[A-Za-z0-9]+")

_TRANSIENT: Final = ("GATEWAY_ERROR",)
_AUTHENTICATION: Final = re.compile(
    r"authenticat|unauthor|signature|api.?key|passphrase|invalid.?timestamp|whitelist", re.IGNORECASE
)
_LIMIT: Final = re.compile(r"limit|too.?many", re.IGNORECASE)


def subscription(kind: Literal["subscribe", "unsubscribe"], channel: WireChannel) -> bytes:
    """A request: one channel, no id.

    *Source:* reference page, "Public WebSocket", 02.
    """
    return msgspec.json.encode({"type": kind, "channel": text_of(channel)})


def ping(time_ms: int) -> bytes:
    """A ping of ours; the server's pong repeats the time.

    *Source:* reference page, "Client Ping (Latency Measurement)".
    """
    return msgspec.json.encode({"type": "ping", "time": str(time_ms)})


def echo(time: bytes) -> bytes:
    """The pong to a server's ping: with its own time, a text or a number as it came.

    *Source:* reference page, "Server Ping (Heartbeat)".

    Raises:
        BadFrame: the time is neither; nothing else is sent back.
    """
    if _TIME.fullmatch(time) is None:
        raise BadFrame("a ping without a text or a number at $.time")
    return b'{"type":"pong","time":' + time + b"}"


@attrs.frozen
class Refusal:
    """What an error says.

    Attributes:
        text: the venue's words, in one line.
        kind: why.
        blamed: the subscriptions that are refused; empty where the words do not tell.
        unsubscribed: the channel that could not be unsubscribed, if that is what is refused.
    """

    text: str
    kind: RejectionKind
    blamed: tuple[WireChannel, ...] = ()
    unsubscribed: WireChannel | None = None


def read_refusal(
    error: ErrorContent, request: str | None, channel: str | None, pending: Collection[WireChannel]
) -> Refusal:
    """Who is meant: the request that is repeated tells, else the channel, else a contract in the words.

    *Source:* V2 documentation, "Error codes"; recorded frames.

    Args:
        error: the content.
        request: the request's text, where the frame has it.
        channel: the frame's own channel, where it has one.
        pending: channels asked and not yet answered.
    """
    text = ": ".join(part for part in (error.code, error.msg) if part) or "refused without a word"
    kind = _kind(error)
    asked = _request(request)
    named = asked.get("channel") if asked else channel
    if isinstance(named, str):
        found = channel_of(named)
        if asked.get("type") == "unsubscribe":
            return Refusal(text, kind, unsubscribed=found)
        return Refusal(text, kind, () if found is None else (found,))
    if asked:
        return Refusal(text, kind)  # of a ping, or of what we never send
    words = set(_WORDS.findall(error.msg or ""))
    blamed = [one for one in sorted(pending) if one.instrument and one.instrument in words]
    if not blamed and len(pending) == 1 and not any(word.isdigit() for word in words):
        blamed = [*pending]
    return Refusal(text, kind, tuple(blamed))


def _request(text: str | None) -> dict[str, Any]:
    try:
        request = builtins(text.encode()) if text else {}
    except (BadFrame, UnicodeEncodeError):
        return {}
    return request if isinstance(request, dict) else {}


def _kind(error: ErrorContent) -> RejectionKind:
    """Codes come with and without a prefix, so they are compared by their ends."""
    words = f"{error.code} {error.msg or ''}"
    if error.code.endswith(_TRANSIENT) or asked_wait_s(words) is not None:
        return "timeout"
    if _AUTHENTICATION.search(words):
        return "authentication"
    return "limit" if _LIMIT.search(words) else "refused"
