"""How deep the books of one connection are: what was asked for, and what a message shows."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final

__all__ = ["Depths"]

_KEPT: Final = 16
"""Requests whose snapshots may be on their way at once; the venue takes 5 in a second."""


class _Book:
    __slots__ = ("coming", "now")

    def __init__(self) -> None:
        self.now: int | None = None  # nothing has come yet
        self.coming: deque[int] = deque(maxlen=_KEPT)  # one for each request whose snapshot is to come


class Depths:
    """Which messages answer which request: each request brings one snapshot of each of its books.

    Without that, a message of the request before would pass for a whole book of the deeper one.
    """

    def __init__(self) -> None:
        self._books: dict[str, _Book] = {}

    def asked(self, depths: Mapping[str, int]) -> None:
        """A request went out; books that it does not name are over.

        Args:
            depths: levels a side, by code.
        """
        self._books = {code: self._books.get(code) or _Book() for code in depths}
        for code, depth in depths.items():
            book = self._books[code]
            book.coming.append(depth)
            if book.now is not None:
                book.now = min(book.now, depth)

    def seen(self, code: str, levels: int, *, snapshot: bool) -> int | None:
        """A message came.

        Args:
            code: of its market.
            levels: how many it shows.
            snapshot: whether it is the first after a request.

        Returns:
            How deep it was asked for; ``None`` where nobody asked.
        """
        book = self._books.get(code)
        if book is None:
            return None
        if book.coming and (snapshot or book.now is None or levels > book.now):
            book.now = book.coming.popleft()
            while book.coming and levels > book.now:  # its own snapshot, and those before it, never came
                book.now = book.coming.popleft()
        return book.now
