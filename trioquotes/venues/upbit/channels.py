"""Names of wire channels: what a request asks for, what a frame belongs to, and which line carries it.

A channel's ``detail`` is the JSON text of whatever stands beside ``type`` and ``codes`` in the request, so that
equal details share a part of it. A frame says none of that, only its type and its code: channels that differ
in their details alone go over different lines.

How deep a book is wanted is a channel of its own beside the book's, with the venue's suffix as the end of its
detail (``.5``): it is asked for and confirmed, and brings nothing itself. So books of different depths are one
subscription, at the largest depth that is wanted at the time.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from trioquotes._protocol.effects import WireChannel
from trioquotes.venues.upbit.formats import INTERVALS

__all__ = [
    "CAPTURED",
    "DEPTHS",
    "MARKETS",
    "PRIVATE",
    "SOCKETS",
    "book_of",
    "captured_kind",
    "channel_of",
    "depth_of",
    "detail",
    "is_quiet",
    "lane_name",
    "socket_of",
    "with_depth",
]

MARKETS: Final = WireChannel("market/all")
"""The list of markets, which comes by REST."""

DEPTHS: Final = (1, 5, 15, 30)
"""Levels a side that can be asked for; any other number is served as 30.

*Source:* WebSocket reference, "Orderbook".
"""

SOCKETS: Final[Mapping[str, str]] = {
    "ticker": "public",
    "trade": "public",
    "orderbook": "public",
    **{f"candle.{interval}": "public" for interval in INTERVALS},
    "myOrder": "private",
    "myAsset": "private",
    "announcement": "private",
    "indicator": "info",
    "indicator_signal": "info",
    MARKETS.name: "public",
}
"""The socket of each channel.

*Source:* WebSocket guide, "Endpoint".
"""

PRIVATE: Final = frozenset({"private", "info"})
"""The sockets that take a token."""

WHOLE: Final = frozenset({"myOrder", "myAsset", "announcement"})
"""Channels that are subscribed as a whole, whatever market a message is about."""

CAPTURED: Final = "captured"

_DEPTH: Final = re.compile(r"(.*)\.(\d+)", re.DOTALL)
_WORDS: Final = re.compile(r"[A-Za-z0-9_.]+")
_READABLE: Final = 32


def detail(**parameters: object) -> str:
    """The detail of a channel with these parameters; those that are ``None`` are left out."""
    said = {name: value for name, value in parameters.items() if value is not None}
    return msgspec.json.encode(said, order="deterministic").decode() if said else ""


def with_depth(book: WireChannel, depth: int | None) -> WireChannel:
    """The channel that says how deep a book is wanted.

    Args:
        book: the book's channel.
        depth: levels a side; ``None`` takes the most. It is rounded up to what can be asked for.
    """
    wanted = DEPTHS[-1] if depth is None else depth
    offered = next((offer for offer in DEPTHS if offer >= wanted), DEPTHS[-1])
    return book._replace(detail=f"{book.detail}.{offered}")


@lru_cache(maxsize=4096)
def depth_of(channel: WireChannel) -> int | None:
    """How deep a book this channel says is wanted; ``None`` for one that brings messages."""
    found = _DEPTH.fullmatch(channel.detail) if channel.name == "orderbook" else None
    return None if found is None else int(found[2])


@lru_cache(maxsize=4096)
def book_of(channel: WireChannel) -> WireChannel:
    """The channel that brings the messages: itself, unless it says a depth."""
    found = _DEPTH.fullmatch(channel.detail) if channel.name == "orderbook" else None
    return channel if found is None else channel._replace(detail=found[1])


def channel_of(kind: str, code: str) -> WireChannel:
    """The channel of a message without further parameters."""
    return WireChannel(kind) if kind in WHOLE else WireChannel(kind, code)


def _parameters(channel: WireChannel) -> Mapping[str, Any]:
    text = book_of(channel).detail
    parameters: Mapping[str, Any] = msgspec.json.decode(text) if text else {}
    return parameters


def is_quiet(channel: WireChannel) -> bool:
    """Whether nothing comes until something happens, so that silence says nothing about the subscription."""
    return SOCKETS[channel.name] != "public" or "is_only_realtime" in channel.detail


def socket_of(lane: str) -> str:
    """The socket of a lane: the first word of its name."""
    return lane.partition("-")[0]


def lane_name(channel: WireChannel) -> str:
    """The lane that carries the channel: the socket's own, unless parameters set its messages apart."""
    socket = SOCKETS[channel.name]
    parameters = _parameters(channel)
    if not parameters:
        return socket
    text = book_of(channel).detail
    words = "-".join(_WORDS.findall(text))
    if len(words) > _READABLE:
        words = f"{words[:_READABLE]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    return f"{socket}-{words}"


def captured_kind(lane: str) -> str | None:
    """The type of captured frames that do not say theirs; empty where nobody knows, ``None`` for a live lane."""
    socket, _, kind = lane.partition("-")
    return kind if socket == CAPTURED else None
