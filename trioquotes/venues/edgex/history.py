"""Which trades were seen last, so that the history of a new subscription tells what was missed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from trioquotes._protocol.sequence import OK, Step
from trioquotes.venues.edgex.messages import Trade

__all__ = ["REMEMBERED", "RecentTrades"]

REMEMBERED: Final = 512
"""Ids of trades kept for a channel: more than a snapshot is known to hold, and some 50 kB."""


class RecentTrades:
    """The latest trades of one contract by their ids, over connections: ids are no numbers, so none can be counted."""

    __slots__ = ("_ids", "_newest_ms")

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}
        self._newest_ms = 0

    def passed(self, trades: Iterable[Trade]) -> None:
        """These came."""
        for trade in trades:
            self._ids[trade.ticket_id] = None
            self._newest_ms = max(self._newest_ms, trade.time or 0)
        for ticket_id in list(self._ids)[: max(len(self._ids) - REMEMBERED, 0)]:
            del self._ids[ticket_id]

    def history(self, trades: Iterable[Trade]) -> Step:
        """The latest trades as of the subscription: which of them are new to us were missed.

        Returns:
            A gap with the number of trades missed; with ``None`` where the history does not reach back to what
            is known, so that there may be more.
        """
        rows = list(trades)
        known = [trade for trade in rows if trade.ticket_id in self._ids]
        missed = [
            trade
            for trade in rows
            if trade.ticket_id not in self._ids and (trade.time is None or trade.time >= self._newest_ms)
        ]
        first = not self._ids
        self.passed(rows)
        if first or not missed:
            return OK
        return Step("gap", len(missed) if known else None)
