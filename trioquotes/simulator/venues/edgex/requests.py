"""What a client may say on the two sockets, and what it is told when it may not; pure.

*Source:* edgeX documentation, pages public and private WebSocket; the words of errors as recorded on V2.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, Literal

import attrs

from trioquotes.simulator.venues.edgex.klines import INTERVALS, PRICE_TYPES

__all__ = ["Ask", "Channel", "Ping", "Pong", "Refusal", "Rules", "read_message"]

BOOK_LEVELS = ("15", "200")
OF_ALL = {"ticker": ("all", "all.1s"), "bookTicker": ("all", "all.1s"), "fundingRate": ("all",)}
"""What may stand for the contract, by channel."""


@attrs.frozen(kw_only=True)
class Channel:
    """A channel that exists.

    Attributes:
        name: as asked for.
        family: the word before the first dot.
        contract_id: or ``None`` for a channel of all contracts.
        level: of a book; 0 elsewhere.
        price_type: of bars, with ``interval``; empty elsewhere.
        every_second: whether it pushes by the clock.
    """

    name: str
    family: str
    contract_id: str | None = None
    level: int = 0
    price_type: str = ""
    interval: str = ""
    every_second: bool = False


@attrs.frozen
class Ask:
    """A request to subscribe or to unsubscribe, with its own text."""

    kind: Literal["subscribe", "unsubscribe"]
    channel: Channel
    text: str


@attrs.frozen
class Ping:
    """A client measures its latency; its time goes back as it came."""

    time: Any


@attrs.frozen
class Pong:
    """A client answers a ping."""

    time: Any


@attrs.frozen
class Refusal:
    """An error; the line stays open.

    Attributes:
        code: without the prefix that one of the generations puts before it.
        subject: what the message names, after a colon.
        text: the request.
    """

    code: str
    words: str
    text: str
    subject: str = ""


@attrs.frozen(kw_only=True)
class Rules:
    """What a message is held against.

    Attributes:
        contracts: valid ids; ``None`` lets every id pass, as for playback.
        private: whether it is the private socket, where nothing is subscribed.
    """

    contracts: Collection[str] | None
    private: bool = False


class _Refused(Exception):
    def __init__(self, code: str, words: str, subject: str = "") -> None:
        super().__init__(words)
        self.code = code
        self.words = words
        self.subject = subject


def read_message(text: str, rules: Rules) -> Ask | Ping | Pong | Refusal:
    """Read and check one message of a client."""
    try:
        return _read(text, rules)
    except _Refused as refused:
        return Refusal(refused.code, refused.words, text, refused.subject)


def _read(text: str, rules: Rules) -> Ask | Ping | Pong:
    unrecognized = "unsupported private ws message" if rules.private else "unrecognized message"
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        raise _Refused("UNRECOGNIZED_MESSAGE", unrecognized) from None
    if not isinstance(fields, dict) or not isinstance(fields.get("type"), str):
        raise _Refused("UNRECOGNIZED_MESSAGE", unrecognized)
    kind = fields["type"]
    if kind == "ping":
        return Ping(fields.get("time"))
    if kind == "pong":
        return Pong(fields.get("time"))
    if rules.private:
        raise _Refused("UNRECOGNIZED_MESSAGE", unrecognized)
    if kind not in {"subscribe", "unsubscribe"}:
        raise _Refused("INVALID_MESSAGE_TYPE", "invalid message type", kind)
    name = fields.get("channel")
    if not isinstance(name, str):
        raise _Refused("UNRECOGNIZED_MESSAGE", unrecognized)
    return Ask(kind, _channel(name, rules.contracts), text)


def _channel(name: str, contracts: Collection[str] | None) -> Channel:
    """The channel of a name; the contract is checked last, so that its error means just that."""
    family, _, rest = name.partition(".")
    if rest in OF_ALL.get(family, ()):
        return Channel(name=name, family=family, every_second=rest.endswith(".1s"))
    parts = rest.split(".")
    match family, parts:
        case "metadata", [""] if name == family:
            return Channel(name=name, family=family)
        case (("ticker" | "trades" | "bookTicker" | "fundingRate"), [contract_id]):
            channel = Channel(name=name, family=family, contract_id=contract_id)
        case "depth", [contract_id, level] if level in BOOK_LEVELS:
            channel = Channel(name=name, family=family, contract_id=contract_id, level=int(level))
        case "kline", [price_type, contract_id, interval] if (
            price_type in PRICE_TYPES and interval in INTERVALS
        ):
            channel = Channel(
                name=name, family=family, contract_id=contract_id, price_type=price_type, interval=interval
            )
        case _:
            raise _Refused("GATEWAY_ERROR", "invalid channel", name)
    if contracts is not None and channel.contract_id not in contracts:
        raise _Refused("INVALID_CONTRACT_ID", "invalid contractId", contract_id)
    return channel
