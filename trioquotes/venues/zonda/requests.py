"""The messages that a client sends; pure."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Final

import msgspec

from trioquotes._protocol.effects import HttpRequest, WireChannel
from trioquotes.venues.zonda.paths import PRIVATE, module_of, path_of

__all__ = ["PING", "get", "proxy", "request_id_of", "subscribe"]

PING: Final = b'{"action":"ping"}'
"""*Source:* Zonda API, "Ping"."""


class _Numbered(msgspec.Struct, frozen=True, rename="camel"):
    request_id: str


_NUMBERED = msgspec.json.Decoder(_Numbered)


def subscribe(channel: WireChannel, signed: Mapping[str, str | int]) -> bytes:
    """Ask for a channel.

    *Source:* Zonda API, public and private subscription.

    Args:
        channel: public or private.
        signed: the fields of a signature for a private one, or none.
    """
    action = "subscribe-private" if channel.name in PRIVATE else "subscribe-public"
    return msgspec.json.encode(
        {"action": action, "module": module_of(channel), "path": path_of(channel), **signed}
    )


def proxy(channel: WireChannel, nonce: bytes) -> bytes:
    """Ask for the snapshot of a public channel: the path is that of the channel, its window included.

    *Source:* Zonda API, orderbook-limited, "Snapshot".

    Args:
        channel: what of.
        nonce: 16 random bytes, for an id that tells this request from all others.
    """
    return msgspec.json.encode(
        {
            "requestId": str(uuid.UUID(bytes=nonce, version=4)),
            "action": "proxy",
            "module": module_of(channel),
            "path": path_of(channel),
        }
    )


def request_id_of(frame: bytes) -> str:
    """The id of a request that :func:`proxy` made."""
    return _NUMBERED.decode(frame).request_id


def get(url: str) -> HttpRequest:
    """A call of REST; the venue asks for this header on all of them.

    *Source:* Zonda API, REST, introduction.
    """
    return HttpRequest(url, headers=(("Content-Type", "application/json"),))
