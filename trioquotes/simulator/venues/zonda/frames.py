"""The venue's messages and snapshots, built as plain dictionaries.

*Source:* docs.zondacrypto.exchange/reference, the page of each channel, and recordings where the wire says more.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from trioquotes.simulator.floor import Floor, Listing
from trioquotes.simulator.happenings import Matched, Side
from trioquotes.simulator.venues.zonda.listings import market_config
from trioquotes.simulator.venues.zonda.texts import amount_text, bare, ms, plain, rate_text, trade_uuid
from trioquotes.simulator.venues.zonda.windows import Change, Level, Shown

__all__ = [
    "NAMES", "book_changes", "book_snapshot", "push", "stats_push", "stats_snapshot", "ticker", "transaction",
    "transactions",
]  # fmt: skip

NAMES: dict[Side, str] = {"buy": "Buy", "sell": "Sell"}
"""The venue's words for the sides."""


def push(topic: str, message: Any, time_ns: int, sequence: int, *, action: bool = True) -> dict[str, Any]:
    """The envelope of all data; the page of ``orderbook-limited`` prints it without ``action``."""
    head = {"action": "push"} if action else {}
    return {**head, "topic": topic, "message": message, "timestamp": ms(time_ns), "seqNo": sequence}


def ticker(floor: Floor, now_ns: int) -> dict[str, Any]:
    """The same in pushes and snapshots."""
    last = floor.trades[-1].price if floor.trades else None
    previous = floor.trades[-2].price if len(floor.trades) > 1 else None
    prices = {
        "highestBid": floor.book.best("buy"), "lowestAsk": floor.book.best("sell"), "rate": last,
        "previousRate": previous,
    }  # fmt: skip
    return {
        "market": market_config(floor.listing),
        "time": ms(now_ns),
        **{name: None if price is None else plain(price) for name, price in prices.items()},
    }


def _stats(floor: Floor) -> dict[str, Decimal]:
    """``r24h`` is the opening rate of the window: the documented push and snapshot differ as only that can."""
    day = floor.figures.day
    return {"h": day.high, "l": day.low, "v": day.volume, "r24h": day.open}


def stats_push(floors: Iterable[Floor]) -> list[dict[str, Any]]:
    """An array, with bare numbers."""
    return [
        {"m": floor.listing.instrument, **{name: bare(number) for name, number in _stats(floor).items()}}
        for floor in floors
    ]


def stats_snapshot(floor: Floor) -> dict[str, Any]:
    """An object, with strings."""
    return {"m": floor.listing.instrument, **{name: plain(number) for name, number in _stats(floor).items()}}


def transaction(trade: Matched) -> dict[str, Any]:
    """``ty`` is the taker's side."""
    return {
        "id": trade_uuid(trade.instrument, trade.trade_id, trade.time_ns), "t": ms(trade.time_ns),
        "a": plain(trade.size), "r": plain(trade.price), "ty": NAMES[trade.taker_side],
    }  # fmt: skip


def transactions(trades: Iterable[Matched]) -> dict[str, Any]:
    """The message of a push."""
    return {"transactions": [transaction(trade) for trade in trades]}


def book_changes(listing: Listing, changes: Iterable[Change], time_ns: int, salt: int) -> dict[str, Any]:
    """The message of both book channels: absolute levels, and removals without ``state``."""
    rows: list[dict[str, Any]] = []
    for change in changes:
        rate = rate_text(change.rate, listing.tick, salt)
        row = {"marketCode": listing.instrument, "entryType": NAMES[change.side], "rate": rate}
        if change.level is None:
            rows.append({**row, "action": "remove"})
        else:
            rows.append({**row, "action": "update", "state": _state(rate, change.level, salt)})
    return {"changes": rows, "timestamp": ms(time_ns)}


def _state(rate: str, level: Level, salt: int) -> dict[str, Any]:
    """``pa`` is always ``ca``, as recorded, although it is documented as what was there before."""
    amount = amount_text(level.amount, salt)
    start = amount if level.start == level.amount else amount_text(level.start, salt)
    return {"ra": rate, "ca": amount, "sa": start, "pa": amount, "co": level.orders}


def book_snapshot(listing: Listing, shown: Shown, depth: int, now_ns: int) -> dict[str, Any]:
    """Both sides by rising price, so that the best bid comes last; ``seqNo`` is a string."""
    salt = shown.sequence + 1  # the same level is printed in another form than in its push
    sides: dict[Side, list[dict[str, Any]]] = {}
    for side, levels in shown.levels.items():
        best = sorted(levels.items(), reverse=side == "buy")[:depth]
        sides[side] = [
            _state(rate_text(rate, listing.tick, salt), level, salt) for rate, level in sorted(best)
        ]
    return {"sell": sides["sell"], "buy": sides["buy"], "timestamp": ms(now_ns), "seqNo": str(shown.sequence)}
