"""Subscribe and unsubscribe messages, and what their answers say; pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, Literal

import attrs
import msgspec

from trioquotes._protocol.effects import RejectionKind, WireChannel
from trioquotes._protocol.patience import asked_wait_s
from trioquotes.venues.coinbase.messages import Error, Subscriptions

__all__ = [
    "MAX_REQUEST_BYTES",
    "SIGNED_CHANNELS",
    "Listed",
    "Refusal",
    "canonical",
    "encode",
    "fitting",
    "read_refusal",
    "subject",
]

SIGNED_CHANNELS: Final = frozenset({"level2", "level3", "full", "user", "balance"})
"""Channels that need a signature.

*Source:* Exchange, WebSocket authentication; enforced since August 2023.
"""

MAX_REQUEST_BYTES: Final = 16 * 1024
"""Largest request sent. The venue drops a line for a message that is "too big" and does not say what that is; all
products of one channel fit in less than this.

*Source:* Exchange, WebSocket errors.
"""

_ALIASES = {"level2_50": "level2_batch", "ticker_1000": "ticker_batch"}

_WORDS = re.compile(r"[A-Za-z0-9_-]+")
_AUTHENTICATION = re.compile(r"authenticat|signature|api key|passphrase|timestamp expired", re.IGNORECASE)
_LIMIT = re.compile(r"limit|too many", re.IGNORECASE)


def canonical(name: str) -> str:
    """Our name of a channel that the venue has two names for."""
    return _ALIASES.get(name, name)


def subject(channel: WireChannel) -> str:
    """The product or the account of a channel; empty where it has neither."""
    return channel.instrument or channel.detail


def encode(
    kind: Literal["subscribe", "unsubscribe"], channels: Iterable[WireChannel], signed: Mapping[str, str]
) -> bytes:
    """A request that names every id with its channel: ids at the root would be added to all channels.

    *Source:* Exchange, WebSocket overview, "Subscribe".

    Args:
        kind: what to ask for.
        channels: one or more.
        signed: the fields of a signature, or none.
    """
    ids: dict[str, list[str]] = {}
    for channel in channels:
        own = ids.setdefault(channel.name, [])
        if subject(channel):
            own.append(subject(channel))
    named = [
        {"name": name, ("account_ids" if name == "balance" else "product_ids"): own}
        if own
        else {"name": name}
        for name, own in ids.items()
    ]
    return msgspec.json.encode({"type": kind, "channels": named, **signed})


def fitting(channels: Sequence[WireChannel]) -> list[WireChannel]:
    """As many of the channels, from the first on, as fit in one request; at least one."""
    taken: list[WireChannel] = []
    names: set[str] = set()
    size_bytes = 512  # a signature, and the frame around the lists
    for channel in channels:
        size_bytes += len(subject(channel)) + 3
        if channel.name not in names:
            size_bytes += len(channel.name) + 32
            names.add(channel.name)
        if taken and size_bytes > MAX_REQUEST_BYTES:
            break
        taken.append(channel)
    return taken


class Listed:
    """What an acknowledgement lists: everything the connection is subscribed to."""

    def __init__(self, message: Subscriptions) -> None:
        self._names = {canonical(channel.name) for channel in message.channels}
        self._pairs = {
            (canonical(channel.name), own)
            for channel in message.channels
            for own in (*(channel.product_ids or ()), *(channel.account_ids or ()))
        }

    def __contains__(self, channel: WireChannel) -> bool:
        """Whether the channel is listed; one without product or account is by its name alone."""
        if not subject(channel):
            return channel.name in self._names
        return (channel.name, subject(channel)) in self._pairs


@attrs.frozen
class Refusal:
    """What an error says of the request that it answers.

    Attributes:
        text: the venue's words, in one line.
        kind: why.
        blamed: the channels that the words name; empty where they name none.
        unsigned: whether the words ask for a signature that was not there.
    """

    text: str
    kind: RejectionKind
    blamed: frozenset[WireChannel]
    unsigned: bool


def read_refusal(error: Error, asks: Collection[WireChannel]) -> Refusal:
    """Who is to blame for a refused request, as far as the words tell.

    A product or account that is named blames only the channels with it; else the channels that are
    named are to blame.

    Args:
        error: the answer.
        asks: what was asked for.
    """
    text = error.message if not error.reason else f"{error.message}: {error.reason}"
    words = set(_WORDS.findall(error.reason or ""))
    blamed = frozenset(channel for channel in asks if subject(channel) in words)
    if not blamed and words & {"channel", "channels"}:
        names = {canonical(word) for word in words}
        blamed = frozenset(channel for channel in asks if channel.name in names)
    kind: RejectionKind
    if asked_wait_s(text) is not None:
        kind = "timeout"
    elif _AUTHENTICATION.search(text):
        kind = "authentication"
    else:
        kind = "limit" if _LIMIT.search(text) else "refused"
    return Refusal(text, kind, blamed, unsigned=kind == "authentication" and "requir" in text.lower())
