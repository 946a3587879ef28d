"""The versions of one book: what the next message says about what came before it."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

__all__ = ["STALE_IN_A_ROW", "Chain", "Link"]

STALE_IN_A_ROW: Final = 50
"""Old changes come right after a snapshot, a few. So many of them say that the counter started again."""

Link: TypeAlias = Literal["take", "stale", "gap", "awaiting"]


class Chain:
    """Checks the versions of one channel of ``depth``.

    A change begins at the version at which the one before ended, as recorded, or at the next one, as
    documented: both are taken, so that a loss of exactly one version cannot be seen. What overlaps is
    harmless, since sizes are absolute.

    *Source:* V2 documentation, "Depth"; recorded frames.

    Attributes:
        awaiting: whether changes are of no use until a snapshot comes.
        last: the version up to which all was taken; ``None`` before the first message.
    """

    __slots__ = ("_stale", "awaiting", "last")

    def __init__(self, *, awaiting: bool) -> None:
        self.awaiting = awaiting
        self.last: int | None = None
        self._stale = 0

    def snapshot(self, end: int) -> None:
        """A snapshot replaces everything, whenever it comes."""
        self.awaiting = False
        self.last = end
        self._stale = 0

    def change(self, start: int, end: int) -> Link:
        """What to do with a change: take it, drop it, or say that something before it is missing."""
        if self.awaiting:
            return "awaiting"
        if self.last is not None and end <= self.last:
            self._stale += 1
            return "stale" if self._stale < STALE_IN_A_ROW else "gap"
        if self.last is not None and start > self.last + 1:
            return "gap"
        self.last = end
        self._stale = 0
        return "take"

    def broken(self) -> None:
        """The next snapshot is needed."""
        self.awaiting = True
        self.last = None
        self._stale = 0
