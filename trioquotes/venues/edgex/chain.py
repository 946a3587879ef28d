"""The versions of one book: what the next message says about what came before it."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

__all__ = ["CUSTOM", "MOST", "OLD_IN_A_ROW", "STALE_IN_A_ROW", "Chain", "Link", "Rule"]

STALE_IN_A_ROW: Final = 50
"""Old changes come right after a snapshot, a few. So many of them say that the counter started again."""
OLD_IN_A_ROW: Final = 3
"""Snapshots older than what was seen before that are refused; one more says that the counter started again."""
CUSTOM: Final = 10
"""So many changes that begin where the message before ended say that all of them do; each one that does not takes so
many away, and thereby a server that knows no rule is not held to one."""
MOST: Final = 100
"""More are not counted: a server that changes its rule is believed after ten gaps."""

Link: TypeAlias = Literal["take", "stale", "gap", "awaiting"]


class Rule:
    """What one connection has shown of the versions at which changes begin.

    As recorded, a change begins at the version at which the message before ended; as documented, at the next one. Where
    the former is the custom, the latter says that a single version is missing. What follows a snapshot and
    what follows a change are learned apart: all documented examples are of the former kind.
    """

    __slots__ = ("_joined",)

    def __init__(self) -> None:
        self._joined = {"snapshot": 0, "change": 0}

    def breaks(self, before: Literal["snapshot", "change"], ahead: int) -> bool:
        """Whether something is missing before a change.

        Args:
            before: what it follows.
            ahead: by how many versions it begins behind the end of that: negative where the two overlap.
        """
        if ahead > 1:
            return True
        if self.allows(before, ahead):
            return False
        self._joined[before] -= CUSTOM
        return True

    def allows(self, before: Literal["snapshot", "change"], ahead: int) -> bool:
        """Whether nothing is missing before a change: then that is learned; else ask :meth:`breaks`."""
        joined = self._joined
        if ahead == 0:
            if joined[before] < MOST:
                joined[before] += 1
            return True
        if ahead == 1 and joined[before] < CUSTOM:
            joined[before] = 0
            return True
        return ahead < 0


class Chain:
    """Checks the versions of one channel of ``depth``.

    What overlaps is harmless, since sizes are absolute. A loss of exactly one version cannot be seen before the
    :class:`Rule` is known.

    *Source:* V2 documentation, "Depth"; recorded frames.

    Args:
        rule: shared by all books of a connection.
        awaiting: whether changes are of no use until a snapshot comes.

    Attributes:
        last: the version up to which all was taken; ``None`` where nothing was.
    """

    __slots__ = ("_before", "_newest", "_old", "_rule", "_stale", "awaiting", "last")

    def __init__(self, rule: Rule, *, awaiting: bool) -> None:
        self.awaiting = awaiting
        self.last: int | None = None
        self._rule = rule
        self._newest = -1  # the latest version that was seen, taken or not
        self._before: Literal["snapshot", "change"] = "change"
        self._stale = 0
        self._old = 0

    def snapshot(self, end: int) -> bool:
        """A snapshot replaces everything, whenever it comes; returns whether it may: one that is behind may not."""
        if end < self._newest and self._old < OLD_IN_A_ROW:
            self._old += 1
            return False
        self.awaiting = False
        self.last = self._newest = end
        self._before = "snapshot"
        self._stale = self._old = 0
        return True

    def change(self, start: int, end: int) -> Link:
        """What to do with a change: take it, drop it, or say that something before it is missing."""
        if self.awaiting:
            self.passed(end)
            return "awaiting"
        if self.last is not None and end <= self.last:
            self._stale += 1
            if self._stale < STALE_IN_A_ROW:
                return "stale"
            self._newest = -1
            return "gap"
        self.passed(end)
        if self.last is not None and self._rule.breaks(self._before, start - self.last):
            return "gap"
        self.last = end
        self._before = "change"
        self._stale = 0
        return "take"

    def follows(self, start: int, end: int) -> bool:
        """Whether a change plainly continues what was taken: then it is; else ask :meth:`change` what to do."""
        last = self.last
        if last is None or self.awaiting or end <= last:
            return False
        if not self._rule.allows(self._before, start - last):
            return False
        self.last = end
        self._newest = max(self._newest, end)
        self._before = "change"
        self._stale = 0
        return True

    def passed(self, end: int) -> None:
        """Something went by that was not taken: the next snapshot has to have it."""
        self._newest = max(self._newest, end)

    def broken(self) -> None:
        """The next snapshot is needed."""
        self.awaiting = True
        self.last = None
        self._stale = 0
