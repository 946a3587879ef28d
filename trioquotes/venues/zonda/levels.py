"""What the messages of a book mean for its levels; pure."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from operator import itemgetter
from typing import Final

from trioquotes.events import Level
from trioquotes.venues.zonda.messages import LevelChange, OrderBookBody, OrderBookPush, PriceLevel

__all__ = ["changed", "flaw_of_changes", "flaw_of_snapshot", "plainly_right", "resting"]

_NOTHING: Final = Decimal(0)
_SIDES: Final = frozenset({"Buy", "Sell"})


def flaw_of_changes(changes: Iterable[LevelChange], market: str) -> str:
    """Why these changes cannot be applied to the book of a market; empty where they can."""
    for index, change in enumerate(changes):
        flaw = _flaw_of_change(change, market)
        if flaw:
            return flaw.replace("$", f"$.message.changes[{index}]", 1)
    return ""


def plainly_right(changes: Iterable[LevelChange], market: str) -> bool:
    """Whether :func:`flaw_of_changes` would find nothing, asked of each change at once; of an unusual one it is not said."""
    nothing = _NOTHING
    for change in changes:
        state, side, code = change.state, change.entry_type, change.market_code
        if side not in _SIDES or (code != market and code is not None):
            return False
        if state is None:
            if change.action != "remove" or change.rate <= nothing:
                return False
        elif (
            change.action != "update"
            or state.ra != change.rate
            or state.ca < nothing
            or change.rate <= nothing
        ):
            return False
    return True


def _flaw_of_change(change: LevelChange, market: str) -> str:
    if change.market_code is not None and change.market_code.upper() != market:
        return f"a change of another market at $.marketCode: {change.market_code[:60]!r}"
    if change.entry_type not in _SIDES:
        return f"a side that is neither Buy nor Sell at $.entryType: {change.entry_type[:60]!r}"
    if change.rate <= 0:
        return f"a price that is not positive at $.rate: {change.rate}"
    if change.action == "remove":
        return ""
    if change.action != "update":
        return f"an action that is neither update nor remove at $.action: {change.action[:60]!r}"
    if change.state is None:
        return "an update without a state at $"
    if change.state.ra != change.rate:
        return f"two prices for one change at $: {change.rate} and {change.state.ra}"
    if change.state.ca < 0:
        return f"a negative amount at $.state.ca: {change.state.ca}"
    return ""


def flaw_of_snapshot(body: OrderBookBody, most: int) -> str:
    """Why this snapshot is no book; empty where it is one.

    Args:
        body: of the answer.
        most: prices a side that it promises at most.
    """
    for name, levels in (("sell", body.sell), ("buy", body.buy)):
        if len(levels) > most:
            return f"window larger than promised: {len(levels)} prices at $.body.{name}, not {most}"
        seen: set[Decimal] = set()
        for index, level in enumerate(levels):
            where = f"$.body.{name}[{index}]"
            if level.ca < 0:
                return f"a negative amount at {where}.ca: {level.ca}"
            if level.ra <= 0:
                return f"a price that is not positive at {where}.ra: {level.ra}"
            if level.ra in seen:
                return f"a price that is there twice at {where}.ra: {level.ra}"
            seen.add(level.ra)
    return ""


def changed(push: OrderBookPush) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
    """Bids and asks with their new totals, zero for what is gone; without prices where the book is not known.

    Args:
        push: one of which :func:`flaw_of_changes` finds nothing.
    """
    bids: list[Level] = []
    asks: list[Level] = []
    floor, ceiling = push.bid_floor, push.ask_ceiling
    for change in push.message.changes:
        price = change.rate
        size = _NOTHING if change.state is None or change.action == "remove" else change.state.ca
        if change.entry_type == "Buy":
            if floor is None or price >= floor:
                bids.append((price, size))
        elif ceiling is None or price <= ceiling:
            asks.append((price, size))
    return tuple(bids), tuple(asks)


def resting(levels: Iterable[PriceLevel], *, descending: bool) -> tuple[Level, ...]:
    """One side of a snapshot, best first: the wire has both sides ascending."""
    found = [(level.ra, level.ca) for level in levels if level.ca]
    return tuple(sorted(found, key=itemgetter(0), reverse=descending))
