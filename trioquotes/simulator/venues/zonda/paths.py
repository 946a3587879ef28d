"""The names of the venue's channels: which there are, and what a client means by a path; pure.

*Source:* docs.zondacrypto.exchange/reference, the page of each channel.
"""

from __future__ import annotations

from collections.abc import Collection

import attrs

from trioquotes.simulator.venues.zonda.listings import FIAT

__all__ = ["LIMITS", "PRIVATE", "Topic", "read_topic"]

LIMITS = (10, 50, 100)
"""Levels a side that ``orderbook-limited`` offers."""

PUBLIC = frozenset({"ticker", "stats", "orderbook", "orderbook-limited", "transactions", "rates"})
PRIVATE = frozenset({"offers", "stop/offers", "history/transactions", "updatefunds"})
WHOLE_VENUE = frozenset({"ticker", "stats", "offers", "stop/offers", "history/transactions"})
"""Channels that may be asked for without a market."""


@attrs.frozen
class Topic:
    """One channel, of one market where it has one.

    Attributes:
        channel: without market; also the word for it in fault scripts and records.
        module: and ``path``: as the venue echoes them, in lower case.
        market: its code, in upper case; ``None`` for all markets and for what has none.
        limit: levels a side; ``None`` for the whole book.
        pair: source and destination currency of an exchange rate.
    """

    channel: str
    module: str
    path: str
    market: str | None = None
    limit: int | None = None
    pair: tuple[str, str] | None = None

    @property
    def name(self) -> str:
        """As in pushes."""
        return f"{self.module}/{self.path}"

    @property
    def private(self) -> bool:
        """Whether it is an account's own."""
        return self.channel in PRIVATE


def read_topic(module: str, path: str, markets: Collection[str] | None) -> Topic:
    """What a module and a path mean, in any case of letters.

    Args:
        module: as asked.
        path: as asked.
        markets: valid codes; ``None`` lets every one pass, as for playback.

    Raises:
        ValueError: where there is no such channel, market or limit.
    """
    module, path = module.lower(), path.lower()
    if module == "balances" and path == "balance/bitbay/updatefunds":
        return Topic("updatefunds", module, path)
    if module == "cantor_service":
        return _rates(module, path)
    if module != "trading":
        raise ValueError(f"no module {module!r}")
    channel, rest = _split(path)
    limit = _limit(rest) if channel == "orderbook-limited" else None
    if not rest and channel in WHOLE_VENUE:
        return Topic(channel, module, path)
    if len(rest) != 1:
        raise ValueError(f"{channel} needs one market")
    market = rest[0].upper()
    if not market or (markets is not None and market not in markets):
        raise ValueError(f"no market {market!r}")
    return Topic(channel, module, path, market, limit)


def _split(path: str) -> tuple[str, list[str]]:
    """The channel, whose name may hold a slash, and what follows it."""
    parts = path.split("/")
    if parts[0] in {"stop", "history"}:
        parts[:2] = ["/".join(parts[:2])]
    if parts[0] not in (PUBLIC | PRIVATE) - {"rates", "updatefunds"}:
        raise ValueError(f"no channel {parts[0]!r}")
    return parts[0], parts[1:]


def _limit(rest: list[str]) -> int:
    """The limit behind the market; it is taken off."""
    if len(rest) != 2 or rest[1] not in map(str, LIMITS):
        raise ValueError("the limit is 10, 50 or 100")
    return int(rest.pop())


def _rates(module: str, path: str) -> Topic:
    parts = path.upper().split("/")
    if len(parts) != 3 or parts[0] != "RATES" or parts[1] == parts[2] or not {*parts[1:]} <= {*FIAT}:
        raise ValueError("no such pair of currencies")
    return Topic("rates", module, path, pair=(parts[1], parts[2]))
