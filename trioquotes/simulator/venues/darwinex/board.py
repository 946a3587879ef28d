"""Who watches which product, and which quotes are due."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import TypeAlias

import attrs

from trioquotes.simulator.connection import Connection
from trioquotes.simulator.venues.darwinex.listings import Account
from trioquotes.simulator.venues.darwinex.quotes import QuotePath, quote_text

__all__ = ["Board", "Desk", "Line", "Quoted"]

FOR_EVER_NS = 2**63
"""When the next quote is due that nobody watches."""


@attrs.define
class Desk:
    """What one connection is subscribed to.

    Attributes:
        account: whose token opened it.
        names: full names, in the order of subscribing.
        beaten_ns: when it was sent its last heartbeat, Unix nanoseconds.
    """

    account: Account
    names: dict[str, None] = attrs.field(factory=dict)
    beaten_ns: int = 0


Line: TypeAlias = Connection[Desk]


@attrs.frozen
class Quoted:
    """A new quote and who watches it.

    Attributes:
        text: the number as it is written.
    """

    name: str
    text: str
    time_ns: int
    lines: tuple[Line, ...]


@attrs.define
class Board:
    """The quotes of the watched products; the others are known but not followed."""

    path: QuotePath
    _watchers: dict[str, dict[int, Line]] = attrs.field(factory=dict, init=False)
    _due: list[tuple[int, str, int]] = attrs.field(factory=list, init=False)
    _followed: set[str] = attrs.field(factory=set, init=False)
    _by_hand: dict[str, tuple[int, str]] = attrs.field(factory=dict, init=False)

    @property
    def next_ns(self) -> int:
        """When the next quote is due, Unix nanoseconds."""
        return self._due[0][0] if self._due else FOR_EVER_NS

    def current(self, name: str, now_ns: int) -> str:
        """The text of a product's quote as it stands."""
        number = self.path.latest(name, now_ns)
        set_at, text = self._by_hand.get(name, (number - 1, ""))
        return text if set_at == number else quote_text(self.path.cents(name, number))

    def watch(self, line: Line, name: str, now_ns: int) -> None:
        """Send a product's quotes to a connection from now on; :meth:`turn` was called for this time."""
        line.state.names[name] = None
        self._watchers.setdefault(name, {})[line.ordinal] = line
        if name not in self._followed:
            self._followed.add(name)
            self._follow(name, self.path.latest(name, now_ns) + 1)

    def unwatch(self, line: Line, name: str) -> bool:
        """Send them no more; false where that was so before."""
        if name not in line.state.names:
            return False
        del line.state.names[name]
        del self._watchers[name][line.ordinal]
        return True

    def turn(self, now_ns: int) -> Iterator[Quoted]:
        """The quotes that came until a time, in order."""
        while self._due and self._due[0][0] <= now_ns:
            due_ns, name, number = heapq.heappop(self._due)
            lines = tuple(self._watchers.get(name, {}).values())
            if not lines:
                self._followed.discard(name)
                self._watchers.pop(name, None)
                continue
            self._follow(name, number + 1)
            yield Quoted(name, quote_text(self.path.cents(name, number)), due_ns, lines)

    def set_by_hand(self, name: str, text: str, now_ns: int) -> Quoted:
        """Let a product have a quote until its next update."""
        self._by_hand[name] = (self.path.latest(name, now_ns), text)
        return Quoted(name, text, now_ns, tuple(self._watchers.get(name, {}).values()))

    def _follow(self, name: str, number: int) -> None:
        heapq.heappush(self._due, (self.path.time_ns(name, number), name, number))
