"""The venue's names of channels, and the wire channels that they mean."""

from __future__ import annotations

import re
from typing import Final

from trioquotes._protocol.effects import WireChannel

__all__ = [
    "CONTRACT",
    "DEPTHS",
    "INTERVALS",
    "OF_ALL",
    "PONG",
    "PRICE_TYPES",
    "TRADE_EVENT",
    "channel_of",
    "text_of",
]

CONTRACT: Final = re.compile(r"[1-9][0-9]{3,18}", re.ASCII)
"""Contracts are numbered: 1000000x in V1, 3000000x in V2."""

OF_ALL: Final = frozenset(
    {"ticker.all", "ticker.all.1s", "fundingRate.all", "bookTicker.all", "bookTicker.all.1s"}
)
"""Channels that carry all contracts."""

DEPTHS: Final = (15, 200)
"""Levels a side of ``depth``: there are no others.

*Source:* reference page, "Subscribe to Order Book".
"""

INTERVALS: Final = (
    "MINUTE_1", "MINUTE_5", "MINUTE_15", "MINUTE_30", "HOUR_1", "HOUR_2", "HOUR_4", "HOUR_6", "HOUR_8", "HOUR_12",
    "DAY_1", "WEEK_1", "MONTH_1",
)  # fmt: skip
"""Intervals of ``kline``.

*Source:* reference page, "Subscribe to K-Line Data".
"""

PRICE_TYPES: Final = (
    "LAST_PRICE", "MARK_PRICE", "INDEX_PRICE", "ORACLE_PRICE", "ASK1_PRICE", "BID1_PRICE", "OPEN_INTEREST",
)  # fmt: skip
"""Prices of which ``kline`` has bars; the last three are known from the venue's clients only.

*Source:* reference page, "Subscribe to K-Line Data"; V1 documentation of 2026.
"""

TRADE_EVENT: Final = WireChannel("trade-event")
"""All of the private socket: named for its messages, since nothing is subscribed there."""
PONG: Final = WireChannel("pong")
"""Answers to our pings: named for its messages; asking for it is sending a ping."""

_WHOLE: Final = OF_ALL | {"metadata"}
_OF_ONE: Final = re.compile(rf"(ticker|trades|fundingRate|bookTicker)\.({CONTRACT.pattern})", re.ASCII)
_DEPTH: Final = re.compile(rf"depth\.({CONTRACT.pattern})\.({'|'.join(map(str, DEPTHS))})", re.ASCII)
_KLINE: Final = re.compile(rf"kline\.([A-Z][A-Z0-9_]*)\.({CONTRACT.pattern})\.([A-Z][A-Z0-9_]*)", re.ASCII)


def text_of(channel: WireChannel) -> str:
    """The venue's name of a channel: ``depth.30000001.15``."""
    if channel.name == "kline":
        price_type, _, interval = channel.detail.partition(".")
        return f"kline.{price_type}.{channel.instrument}.{interval}"
    return ".".join(part for part in channel if part)


def channel_of(text: str) -> WireChannel | None:
    """The channel of the public socket that the venue calls so; ``None`` for a name of none."""
    if text in _WHOLE:
        return WireChannel(text)
    if (one := _OF_ONE.fullmatch(text)) is not None:
        return WireChannel(one[1], one[2])
    if (depth := _DEPTH.fullmatch(text)) is not None:
        return WireChannel("depth", depth[1], depth[2])
    if (kline := _KLINE.fullmatch(text)) is not None:
        return WireChannel("kline", kline[2], f"{kline[1]}.{kline[3]}")
    return None
