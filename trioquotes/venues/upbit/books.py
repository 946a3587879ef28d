"""What makes a book of a message, and which messages cannot be the book.

Each message is the whole book, so that there is no order to keep and no number to miss. What remains to be
watched is that its levels can be those of a book, and that it is not older than the one before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from itertools import pairwise
from operator import gt, lt
from typing import Final, Literal, TypeAlias

from trioquotes.books.ladder import SortedAsks, SortedBids
from trioquotes.events import Level
from trioquotes.venues.upbit.messages import OrderbookUnit
from trioquotes.venues.upbit.units import SortedUnits

__all__ = ["OLDER", "PATIENCE_S", "Age", "Clock", "fault_of", "sides"]

OLDER: Final = "older than the book"
"""Why a message did not become the book, and what breaks one."""

PATIENCE_S: Final = 5.0
"""For so long a message older than the newest one is taken for a late one, and after that the venue's clock for one that
was put back. Answers come within a second; a wrong guess either way is said."""

Age: TypeAlias = Literal["newer", "older", "back", "restarted"]


def sides(units: Iterable[OrderbookUnit], depth: int) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
    """Bids and asks, best first and cut; a side that is shorter than the other is filled up with zeros."""
    if type(units) is SortedUnits:
        if len(units) <= depth:
            return units.bids, units.asks
        return SortedBids(units.bids[:depth]), SortedAsks(units.asks[:depth])
    bids = [(unit.bid_price, unit.bid_size) for unit in units if unit.bid_price and unit.bid_size]
    asks = [(unit.ask_price, unit.ask_size) for unit in units if unit.ask_price and unit.ask_size]
    return tuple(bids[:depth]), tuple(asks[:depth])


def fault_of(units: Sequence[OrderbookUnit]) -> str | None:
    """What keeps these from being the levels of a book; ``None`` for nothing.

    Whether bids and asks cross is not looked at.

    *Source:* WebSocket reference, "Orderbook": the n-th best ask beside the n-th best bid.
    """
    if not units or type(units) is SortedUnits:
        return None
    bids = [unit.bid_price for unit in units]
    sizes = [unit.bid_size for unit in units]
    fault = None
    if min(sizes) <= 0 or bids[-1] <= 0 or not all(map(gt, bids, bids[1:])):
        fault = _fault_of_side("bid", bids, sizes, gt)
    asks = [unit.ask_price for unit in units]
    sizes = [unit.ask_size for unit in units]
    if fault is None and (min(sizes) <= 0 or asks[0] <= 0 or not all(map(lt, asks, asks[1:]))):
        fault = _fault_of_side("ask", asks, sizes, lt)
    return fault


def _fault_of_side(
    name: str,
    prices: Sequence[Decimal],
    sizes: Sequence[Decimal],
    goes_before: Callable[[Decimal, Decimal], bool],
) -> str | None:
    """The same for a side that is not plainly right: it may be a short one, filled up with zeros."""
    for price, size in zip(prices, sizes, strict=True):
        if price < 0 or size < 0:
            return f"negative {name}: {size} at {price}"
    there = [bool(price and size) for price, size in zip(prices, sizes, strict=True)]
    number = sum(there)
    if not all(there[:number]):
        return f"{name}s with a hole"
    for better, worse in pairwise(prices[:number]):
        if not goes_before(better, worse):
            return f"{name}s out of order: {worse} after {better}"
    return None


class Clock:
    """The time of the newest message of one book; it outlives connections.

    A request, also one that only restates, brings a snapshot, and that may be older than what came before it: then
    the book stays as it is. An update that is older says that something is wrong, and breaks it. Where nothing but
    older messages come for a while, it was the newest one whose time was wrong.
    """

    __slots__ = ("_newest_ns", "_other_ns", "_since_s", "_told")

    def __init__(self) -> None:
        self._newest_ns: int | None = None
        self._since_s: float | None = None  # when a book was wanted and something older came instead
        self._other_ns = 0  # the newest of what is older, since then
        self._told = False  # whether it was said that the time went back

    def take(self, time_ns: int | None, now_s: float, *, snapshot: bool, needed: bool) -> Age:
        """A message came.

        Args:
            time_ns: the venue's time of it; one without counts as new.
            now_s: the time here.
            snapshot: whether it answers a request.
            needed: whether somebody waits for it.

        Returns:
            ``newer``: it is the book. ``older``: it is not, and the book stays what it is. ``back``: neither it nor
            the book can be trusted. ``restarted``: it is the book, and the one before cannot be trusted.
        """
        newest_ns = self._newest_ns
        if time_ns is None or newest_ns is None or time_ns >= newest_ns:
            self._newest_ns = newest_ns if time_ns is None else time_ns
            return self._accept("newer")
        if self._since_s is None:
            if needed or not snapshot:
                self._since_s, self._other_ns = now_s, time_ns
        elif now_s >= self._since_s + PATIENCE_S:
            if time_ns >= self._other_ns:
                self._newest_ns = time_ns
                return self._accept("newer" if self._told else "restarted")
            self._since_s, self._other_ns = now_s, time_ns
        else:
            self._other_ns = max(self._other_ns, time_ns)
        if snapshot or self._told:
            return "older"
        self._told = True
        return "back"

    def follows(self, time_ns: int | None) -> bool:
        """Take a message that is plainly not older than the newest; otherwise nothing changes.

        Args:
            time_ns: the venue's time of it.
        """
        newest_ns = self._newest_ns
        if time_ns is None or newest_ns is None or time_ns < newest_ns:
            return False
        self._newest_ns = time_ns
        self._accept("newer")
        return True

    def _accept(self, age: Age) -> Age:
        self._since_s = None
        self._told = False
        return age
