"""Fitting a snapshot between the pushes of a book, by their numbers; pure.

The venue's recipe: keep every push, ask for the snapshot, go on with the push whose number is the
snapshot's plus 1, take each next one only if its number is the last plus 1, and start again where it is not.
A snapshot can be older than the first push that was kept, or than one that was seen and not kept: then it is
asked for again. It can be newer than all of them: then the next push to count is the one that follows it.

*Source:* Zonda API, orderbook-limited, "Implementation example".
"""

from __future__ import annotations

from collections import deque
from typing import Final, Literal

from trioquotes.venues.zonda.messages import OrderBookPush

__all__ = ["MAX_APART", "MAX_KEPT_CHANGES", "BookSync"]

MAX_KEPT_CHANGES: Final = 20_000
"""Changes kept while a snapshot is awaited, over all pushes: hours of a window of 100 at full pace; the oldest are
dropped, and a snapshot that does not reach the kept ones is asked for again."""
MAX_APART: Final = 1000
"""Pushes that a snapshot may be ahead of, and that may come late; further apart, the two do not count alike."""


class BookSync:
    """The numbers of one book on one connection.

    Attributes:
        last: number of the last push that is in the book; ``None`` while a snapshot is needed.
        missed: how many pushes the last hole swallowed, where that can be said.
    """

    def __init__(self) -> None:
        self.last: int | None = None
        self.missed: int | None = None
        self._keeping = True
        self._kept: deque[OrderBookPush] = deque()
        self._kept_changes = 0
        self._old_left = 0
        self._reached: int | None = None  # the highest number that was seen

    def requested(self) -> None:
        """A snapshot is on its way: from here on pushes are kept, in the book or not."""
        self._keeping = True

    def unreadable(self, number: int | None) -> None:
        """A push came that cannot be applied: only a snapshot that has it is of use.

        Args:
            number: of that push; ``None`` where it cannot be read either, so that it is taken for the next one.
        """
        if number is not None:
            self._note(number)
        elif self._reached is not None:
            self._reached += 1
        self.broken()

    def broken(self) -> None:
        """The book is not right any more: nothing of what was kept leads to it."""
        self.last = None
        self._keeping = True
        self._forget()

    def push(self, push: OrderBookPush) -> Literal["next", "early", "old", "hole"]:
        """A push came.

        Returns:
            ``next`` where it continues the book, ``early`` where the book awaits its snapshot, ``old`` where the book
            has it already, ``hole`` where something before it is missing: from then on a snapshot is needed.
        """
        last, number = self.last, push.seq_no
        self._note(number)
        if last is None:
            self._keep(push)
            return "early"
        if number == last + 1:
            self.last = number
            self._old_left = 0
            if self._keeping:
                self._keep(push)
            return "next"
        if number == last or (last - MAX_APART < number < last and self._old_left > 0):
            self._old_left -= 1
            return "old"
        self.missed = number - last - 1 if number > last else None
        self.broken()
        self._keep(push)
        return "hole"

    def follows(self, number: int) -> bool:
        """Whether a push is just the next one, and of no other use: then it is taken; else ask :meth:`push` what it is."""
        last = self.last
        if last is None or number != last + 1 or self._keeping:
            return False
        self.last = self._reached = number
        self._old_left = 0
        return True

    def snapshot(self, number: int) -> tuple[OrderBookPush, ...] | None:
        """A snapshot came.

        Args:
            number: of the latest push that is in it.

        Returns:
            The pushes that came before it and are to be applied after it; ``None`` where it does not fit.
        """
        later = tuple(push for push in self._kept if push.seq_no > number)
        newest = later[-1].seq_no if later else number
        if later and later[0].seq_no != number + 1:
            return None
        if self._reached is not None and newest < self._reached:
            return None
        self.last = self._reached = newest
        self._old_left = 0 if later else MAX_APART
        self._keeping = False
        self._forget()
        return later

    def _note(self, number: int) -> None:
        """A number was seen; one that is far behind belongs to a count that began anew."""
        reached = self._reached
        if reached is None or not reached - MAX_APART < number <= reached:
            self._reached = number

    def _keep(self, push: OrderBookPush) -> None:
        newest = self._kept[-1].seq_no if self._kept else push.seq_no - 1
        if newest - MAX_APART < push.seq_no <= newest:
            return  # it came late, or twice
        if push.seq_no != newest + 1:
            self._forget()  # no snapshot can reach over this hole
        self._kept.append(push)
        self._kept_changes += _weight(push)
        while self._kept_changes > MAX_KEPT_CHANGES:
            self._kept_changes -= _weight(self._kept.popleft())

    def _forget(self) -> None:
        self._kept.clear()
        self._kept_changes = 0


def _weight(push: OrderBookPush) -> int:
    return len(push.message.changes) or 1
