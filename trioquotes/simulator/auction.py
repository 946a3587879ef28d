"""An opening auction: orders collect without matching, then all that can trade does so at one price."""

from __future__ import annotations

from decimal import Decimal

from trioquotes.simulator.book import limit_of
from trioquotes.simulator.floor import Floor
from trioquotes.simulator.happenings import AuctionIndicated, Happening, LevelSet, Side

__all__ = ["indicate", "opening", "uncross"]


def opening(floor: Floor) -> tuple[Decimal, Decimal] | None:
    """Price and size at which the auction would open: most volume, then least imbalance, then lowest price."""
    bids, asks = floor.book.levels("buy"), floor.book.levels("sell")
    best: tuple[Decimal, Decimal, Decimal] | None = None
    for price in {price for price, _, _ in bids + asks}:
        demand = sum((size for bid, size, _ in bids if bid >= price), Decimal(0))
        supply = sum((size for ask, size, _ in asks if ask <= price), Decimal(0))
        candidate = (-min(demand, supply), abs(demand - supply), price)
        if best is None or candidate < best:
            best = candidate
    if best is None or not best[0]:
        return None
    return best[2], -best[0]


def indicate(floor: Floor, now_ns: int) -> AuctionIndicated:
    """Where the auction stands."""
    found = opening(floor)
    bid, ask = floor.book.best("buy"), floor.book.best("sell")
    return AuctionIndicated(
        instrument=floor.listing.instrument,
        time_ns=now_ns,
        sequence=floor.sequence,
        state="collection" if floor.collecting else "opening",
        bid=bid,
        bid_size=None if bid is None else floor.book.size_at("buy", bid),
        ask=ask,
        ask_size=None if ask is None else floor.book.size_at("sell", ask),
        open_price=found[0] if found else None,
        open_size=found[1] if found else None,
    )


def uncross(floor: Floor, now_ns: int) -> list[Happening]:
    """End the collection: trade at the opening price until the book is not crossed any more.

    In each trade the taker is the order that it fills, so that whoever keeps single orders needs only
    reduce the maker by the trade and drop what is closed.
    """
    found = opening(floor)
    out: list[Happening] = []
    floor.collecting = False
    if found is None:
        return out
    price = found[0]
    while _meets(floor, price):
        bid, ask = floor.book.first("buy"), floor.book.first("sell")
        assert bid is not None  # noqa: S101  # both sides have an order while they meet
        assert ask is not None  # noqa: S101
        (_, bid_size), (_, ask_size) = limit_of(bid), limit_of(ask)
        size = min(bid_size, ask_size)
        both = bid_size == ask_size
        bid_takes = bid.arrival > ask.arrival if both else bid_size < ask_size
        taker, maker = (bid, ask) if bid_takes else (ask, bid)
        levels: tuple[LevelSet, ...] = (floor.book.reduce(maker, size), floor.book.reduce(taker, size))
        floor.trade(now_ns, out, maker=maker, taker=taker, price=price, size=size, levels=levels)
        for order in (maker, taker) if both else (taker,):
            floor.close_filled(now_ns, order, out)
    return out


def _meets(floor: Floor, price: Decimal) -> bool:
    sides: tuple[Side, Side] = ("buy", "sell")
    bid, ask = (floor.book.best(side) for side in sides)
    return bid is not None and ask is not None and bid >= price >= ask
