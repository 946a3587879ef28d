"""How deep the books of one connection are: what was asked for, and what a message can be an answer to."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final, NamedTuple

from trioquotes.venues.upbit.channels import DEPTHS
from trioquotes.venues.upbit.vitals import DEAD_S

__all__ = ["SETTLED_S", "Depths", "Seen"]

SETTLED_S: Final = DEAD_S
"""So long after a request went out, nothing comes any more that answers an earlier one: a line may be held up for a while and
then bring all of it at once, but one that brings nothing for so long is given up."""


class Seen(NamedTuple):
    """What a message can be.

    Attributes:
        depth: it shows at least this many levels a side, or all there are; 0 where that cannot be said.
        most: it may show at most this many levels a side.
    """

    depth: int
    most: int


class _Book:
    __slots__ = ("asked", "left_s", "owed", "resuming")

    def __init__(self) -> None:
        self.asked: deque[tuple[int, float]] = deque()  # what may be in force: depth and time, oldest first
        self.owed: deque[float] = deque()  # when what no snapshot answered yet was asked
        self.left_s: float | None = None  # when a request left it out
        self.resuming = 0  # it came back, and the last of so many snapshots is the first message since

    def settle(self, now_s: float) -> None:
        """Forget what time has settled."""
        while len(self.asked) > 1 and now_s >= self.asked[1][1] + SETTLED_S:
            self.asked.popleft()
        while self.owed and now_s >= self.owed[0] + SETTLED_S:
            self.owed.popleft()
        if self.resuming and now_s >= self.asked[-1][1] + SETTLED_S:
            self.resuming = 0


class Depths:
    """What the messages of a book can be, while some answer an earlier request and others the present one.

    No message says how deep it was asked for. One that shows fewer levels than any request that may be in force is
    the whole book; one that shows as many as such a request may be cut there. Without that, a message of the
    request before would pass for a whole book of the deeper one.
    """

    def __init__(self) -> None:
        self._books: dict[str, _Book] = {}

    def asked(self, depths: Mapping[str, int], now_s: float) -> None:
        """A request went out.

        Args:
            depths: levels a side, by code.
            now_s: the time.
        """
        for code, book in [*self._books.items()]:
            book.settle(now_s)
            if code not in depths and book.left_s is None:
                book.left_s = now_s
            elif book.left_s is not None and now_s >= book.left_s + SETTLED_S:
                del self._books[code]
        for code, depth in depths.items():
            book = self._books.setdefault(code, _Book())
            if book.left_s is not None:
                book.left_s = None
                book.resuming = len(book.owed) + 1
            book.asked.append((depth, now_s))
            book.owed.append(now_s)

    def settled(self, code: str) -> int | None:
        """The depth of all that may come of a book; ``None`` where it is more than one, or an answer is outstanding."""
        book = self._books.get(code)
        if book is None or book.left_s is not None or book.owed or book.resuming:
            return None
        depths = {depth for depth, _ in book.asked}
        return depths.pop() if len(depths) == 1 else None

    def seen(self, code: str, levels: int, now_s: float, *, snapshot: bool) -> Seen | None:
        """A message came.

        Args:
            code: of its market.
            levels: how many it shows.
            now_s: the time.
            snapshot: whether it is the first after a request.

        Returns:
            What it can be; ``None`` where nobody asks for it.
        """
        book = self._books.get(code)
        if book is None or book.left_s is not None:
            return None
        book.settle(now_s)
        asked = book.asked
        if snapshot:
            book.resuming = max(book.resuming - 1, 0)
            if book.owed:
                book.owed.popleft()
        most = max(depth for depth, _ in asked)
        if book.resuming:
            return Seen(0, most)  # of the time before it left, of which no more came
        if levels <= most:
            while asked[0][0] < levels:  # too shallow to be in force still
                asked.popleft()
        least = min((depth for depth, _ in asked if depth >= levels), default=most)
        return Seen(least if levels >= least else DEPTHS[-1], most)
