"""Which trades of a market were seen: ids that are unique and in no order, so that nothing tells a missing one."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from trioquotes.venues.upbit.messages import LastTrade, Trade

__all__ = ["KEPT", "SeenTrades", "Verdict"]

KEPT: Final = 64
"""Ids kept: the trade that a snapshot repeats is the latest one, and ids are out of order by a few only."""

Verdict: TypeAlias = Literal["new", "known", "history", "missed"]


class SeenTrades:
    """The latest trades of one market; it outlives connections.

    A request, also one that only restates, brings the latest trade again. It is history where it was seen, or
    where none was seen before it. Else it was missed: it happened while nobody listened.
    """

    __slots__ = ("_ids",)

    def __init__(self) -> None:
        self._ids: dict[int, bool] = {}  # whether it was handed over as new

    def take(self, number: int, *, snapshot: bool) -> Verdict:
        """A trade came.

        Args:
            number: its id.
            snapshot: whether it is the latest trade as of a request.
        """
        ids = self._ids
        known = ids.get(number)
        if snapshot and (known is not None or not ids):
            ids.setdefault(number, False)
            return "history"
        if known:
            return "known"
        ids.pop(number, None)
        ids[number] = True
        if len(ids) > KEPT:
            del ids[next(iter(ids))]
        return "missed" if snapshot else "new"

    def follows(self, number: int) -> bool:
        """Take a trade that is plainly new and no answer; otherwise nothing changes.

        Args:
            number: its id.
        """
        ids = self._ids
        if number in ids:
            return False
        ids[number] = True
        if len(ids) > KEPT:
            del ids[next(iter(ids))]
        return True

    @staticmethod
    def last(message: Trade) -> LastTrade:
        """The same trade as history."""
        return LastTrade(**{name: getattr(message, name) for name in message.__struct_fields__})
