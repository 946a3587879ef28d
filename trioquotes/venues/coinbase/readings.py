"""Which channel a message belongs to where its type alone does not say it: that is a matter of the lane."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

__all__ = ["HOMES", "READINGS", "Reading"]


@attrs.frozen
class Reading:
    """Which channel the messages of a lane belong to where their type alone does not say it.

    Attributes:
        ticker: of ``ticker``.
        book: of ``snapshot`` and ``l2update``.
        trade: of ``match``.
        order: of ``received``, ``open``, ``done``, ``change``, ``activate``.
        captured: whether the frames come from a file: nothing is asked, and whatever comes counts as asked.
        counted: whether all messages of ``full`` are there, so that their sequence has no holes.
    """

    ticker: str = "ticker"
    book: str = "level2_batch"
    trade: str = "matches"
    order: str = "full"
    captured: bool = False
    counted: bool = True

    def channel_of(self, kind: str) -> str:
        """The channel of messages of that type; empty for answers and for types that are none."""
        if kind in {"received", "open", "done", "change", "activate"}:
            return self.order
        alike = {"ticker": self.ticker, "snapshot": self.book, "l2update": self.book, "match": self.trade}
        return alike.get(kind) or _UNLIKE.get(kind, "")


_UNLIKE: Final[Mapping[str, str]] = {
    "heartbeat": "heartbeat",
    "status": "status",
    "last_match": "matches",
    "auction": "auctionfeed",
    "rfq_match": "rfq_matches",
    "balance": "balance",
}

HOMES: Final[Mapping[str, str]] = {
    "heartbeat": "market",
    "status": "market",
    "ticker": "market",
    "matches": "market",
    "level2_batch": "market",
    "rfq_matches": "market",
    "auctionfeed": "market",
    "ticker_batch": "batch",
    "level2": "book",
    "level3": "book",
    "full": "full",
    "user": "user",
    "balance": "user",
}
"""The lane of each channel: those of which the messages look alike are apart, and so are the heavy ones."""

READINGS: Final[Mapping[str, Reading]] = {
    "market": Reading(),
    "batch": Reading(ticker="ticker_batch"),
    "book": Reading(book="level2"),
    "full": Reading(trade="full"),
    "user": Reading(trade="user", order="user"),
    "captured": Reading(book="level2", captured=True, counted=False),
    "captured-ticker_batch": Reading(ticker="ticker_batch", captured=True, counted=False),
    "captured-level2_batch": Reading(book="level2_batch", captured=True, counted=False),
    "captured-full": Reading(trade="full", captured=True),
    "captured-user": Reading(trade="user", order="user", captured=True),
}
