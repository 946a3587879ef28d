"""How Zonda names its channels: a module, a path, and both together as the topic of a push; pure."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from trioquotes._protocol.effects import WireChannel

__all__ = [
    "BOOKS",
    "CANTOR",
    "FUNDS",
    "HISTORY",
    "LIMITED",
    "LISTING",
    "NAMES",
    "OFFERS",
    "ORDERBOOK",
    "PRIVATE",
    "RATES",
    "STATS",
    "STOP_OFFERS",
    "TICKER",
    "TRANSACTIONS",
    "WINDOWS",
    "module_of",
    "parse",
    "parse_captured",
    "path_of",
    "topic_of",
]

TICKER: Final = "ticker"
STATS: Final = "stats"
ORDERBOOK: Final = "orderbook"
LIMITED: Final = "orderbook-limited"
TRANSACTIONS: Final = "transactions"
RATES: Final = "rates"
OFFERS: Final = "offers"
STOP_OFFERS: Final = "stop/offers"
HISTORY: Final = "history/transactions"
FUNDS: Final = "balance/bitbay/updatefunds"
LISTING: Final = "rest/trading/ticker"
"""No channel of the socket: the list of all markets, which is fetched over HTTP."""

BOOKS: Final = frozenset({ORDERBOOK, LIMITED})
PRIVATE: Final = frozenset({OFFERS, STOP_OFFERS, HISTORY, FUNDS})
NAMES: Final = frozenset({TICKER, STATS, ORDERBOOK, LIMITED, TRANSACTIONS, RATES}) | PRIVATE
WINDOWS: Final = (10, 50, 100)
"""Prices a side that ``orderbook-limited`` offers."""

LONGEST: Final = 100
"""Characters of any topic; what is longer is looked at no further."""
CANTOR: Final = "cantor_service"
_MODULES = {RATES: CANTOR, FUNDS: "balances"}
_TRADING = "trading"

_MARKET = r"(?P<market>[a-z0-9]+-[a-z0-9]+)"
_TOPICS = (
    re.compile(rf"trading/(?P<name>ticker|stats|offers|stop/offers|history/transactions)(?:/{_MARKET})?"),
    re.compile(rf"trading/(?P<name>transactions|orderbook)/{_MARKET}"),
    re.compile(rf"trading/(?P<name>orderbook-limited)/{_MARKET}/(?P<limit>[0-9]{{1,4}})"),
    re.compile(r"cantor_service/(?P<name>rates)/(?P<market>[a-z0-9]+/[a-z0-9]+)"),
    re.compile(r"balances/(?P<name>balance/bitbay/updatefunds)"),
)


def module_of(channel: WireChannel) -> str:
    """The module that serves a channel."""
    return _MODULES.get(channel.name, _TRADING)


def path_of(channel: WireChannel) -> str:
    """The path of a channel, in lower case: what is confirmed and pushed is spelt so.

    *Source:* Zonda API, public and private subscription.
    """
    subject = channel.instrument.lower()
    if channel.name == RATES:
        subject = subject.replace("-", "/")
    return "/".join(part for part in (channel.name, subject, channel.detail) if part)


def topic_of(channel: WireChannel) -> str:
    """The topic of the channel's pushes."""
    return f"{module_of(channel)}/{path_of(channel)}"


def parse(topic: str) -> WireChannel | None:
    """The channel of a topic in lower case; ``None`` where it is none that is known."""
    if len(topic) > LONGEST:
        return None
    try:
        return _known(topic)
    except LookupError:
        return None


@lru_cache(maxsize=4096)
def _known(topic: str) -> WireChannel:
    """The same; what is unknown raises, so that whatever a server says is not kept."""
    for pattern in _TOPICS:
        found = pattern.fullmatch(topic)
        if found is not None:
            parts = found.groupdict()
            market = (parts.get("market") or "").replace("/", "-").upper()
            return WireChannel(parts["name"], market, parts.get("limit") or "")
    raise LookupError(topic)


def parse_captured(text: str) -> WireChannel | None:
    """The channel that a capture names: a topic, perhaps marked as private, perhaps without its market."""
    topic = text.strip().lower().removeprefix("private ")
    channel = parse(topic)
    if channel is None and topic.partition("/")[2] in NAMES:
        named = WireChannel(topic.partition("/")[2])
        return named if topic_of(named) == topic else None
    return channel
