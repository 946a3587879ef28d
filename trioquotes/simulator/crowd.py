"""The traders of one instrument: each step they do one thing, drawn from a seeded generator."""

from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import Decimal

from trioquotes.simulator.book import Order, limit_of
from trioquotes.simulator.floor import Floor, floor_to
from trioquotes.simulator.happenings import BlockTraded, Happening, Side, opposite

__all__ = ["Crowd"]

TRADERS = 25
"""How many nameless traders there are; few enough that now and then one would meet himself."""

OWNER_SHARE = 0.1
"""How much of the flow comes from the owners known to the venue."""

ACTIONS = {"rest": 50, "cancel": 26, "cross": 6, "market": 9, "modify": 7, "stop": 1, "block": 1}
"""Weights of what a trader does."""

ORDERS_PER_LEVEL = 6
"""How many orders a book may hold per level of its depth before traders only take some away."""

STOPS = 20
"""How many stop orders may wait at a time."""

EXTREME = 1_000
"""The book's outermost levels stand this many times above, and one tick above zero, as in real books."""


class Crowd:
    """Drives a :class:`Floor`.

    Args:
        floor: where it trades.
        rng: the one source of chance.
        depth: how many levels a side it keeps up.
        owners: account holders known to the venue, who take part in the flow.
    """

    def __init__(self, floor: Floor, rng: random.Random, *, depth: int, owners: Sequence[str]) -> None:
        self._floor = floor
        self._rng = rng
        self._depth = depth
        self._owners = list(owners)
        self._fair = floor.listing.reference
        self._block_id = 0

    def open_market(self, now_ns: int) -> list[Happening]:
        """Fill both sides of the book, and trade once where the instrument has a history."""
        floor, listing = self._floor, self._floor.listing
        out: list[Happening] = []
        far: list[tuple[Side, Decimal]] = [("buy", listing.tick)]
        far.append(("sell", floor_to(listing.reference * EXTREME, listing.tick)))
        for side, price in far:
            out += floor.place(now_ns, side=side, trader="far", price=price, size=listing.step)
        while min(floor.book.depth("buy"), floor.book.depth("sell")) < self._depth:
            side = "buy" if floor.book.depth("buy") < self._depth else "sell"
            out += self._rest(now_ns, side)
        if listing.traded:
            taker: Side = self._rng.choice(["buy", "sell"])
            out += floor.place(now_ns, side=taker, trader="first", size=self._size())
        return out

    def act(self, now_ns: int) -> list[Happening]:
        """Do one thing; nothing happens where it would make no sense at the moment."""
        self._fair = max(
            self._fair + self._rng.randint(-2, 2) * self._floor.listing.tick / 2, self._floor.listing.tick
        )
        action = self._choose()
        side: Side = self._rng.choice(["buy", "sell"])
        if action == "rest":
            return self._rest(now_ns, self._thinner(side))
        if action == "cancel":
            return self._cancel(now_ns, side)
        if action == "modify":
            return self._modify(now_ns, side)
        if action == "block":
            return self._block(now_ns, side)
        if self._floor.collecting:
            return self._overlap(now_ns, side)
        if action == "cross":
            return self._cross(now_ns, side)
        if action == "market":
            return self._market(now_ns, side)
        return self._stop(now_ns, side)

    def _choose(self) -> str:
        book = self._floor.book
        if min(book.depth("buy"), book.depth("sell")) < self._depth // 2:
            return "rest"
        if len(book.orders) > self._depth * ORDERS_PER_LEVEL:
            return "cancel"
        return self._rng.choices(list(ACTIONS), weights=list(ACTIONS.values()))[0]

    def _thinner(self, side: Side) -> Side:
        """Mostly the side that has fewer levels."""
        book = self._floor.book
        if self._rng.random() < 0.3:
            return side
        return "buy" if book.depth("buy") <= book.depth("sell") else "sell"

    def _rest(self, now_ns: int, side: Side) -> list[Happening]:
        price = self._passive_price(side)
        trader, owner = self._who()
        client_id = f"{self._rng.getrandbits(64):016x}" if owner else None
        return self._floor.place(
            now_ns, side=side, trader=trader, owner=owner, client_id=client_id, price=price, size=self._size()
        )

    def _cancel(self, now_ns: int, side: Side) -> list[Happening]:
        if self._floor.book.depth(side) <= self._depth * 4 // 5:
            return self._rest(now_ns, side)
        order = self._pick(side)
        return [] if order is None else self._floor.cancel(now_ns, order.order_id)

    def _modify(self, now_ns: int, side: Side) -> list[Happening]:
        order = self._pick(side)
        if order is None:
            return []
        price, remaining = limit_of(order)
        step = self._floor.listing.step
        if self._rng.random() < 0.5 and remaining > step:
            size = max(floor_to(remaining * self._rng.randint(10, 90) / 100, step), step)
            return self._floor.modify(now_ns, order.order_id, price=price, size=size)
        return self._floor.modify(now_ns, order.order_id, price=self._passive_price(side), size=self._size())

    def _cross(self, now_ns: int, side: Side) -> list[Happening]:
        best = self._floor.book.best(opposite(side))
        if best is None:
            return []
        trader, owner = self._who()
        tick = self._floor.listing.tick
        through = best + tick * (self._rng.randint(0, 2) if side == "buy" else -self._rng.randint(0, 2))
        return self._floor.place(
            now_ns, side=side, trader=trader, owner=owner, price=max(through, tick), size=self._size()
        )

    def _market(self, now_ns: int, side: Side) -> list[Happening]:
        best = self._floor.book.best(opposite(side))
        if best is None:
            return []
        trader, owner = self._who()
        size: Decimal | None = self._size()
        funds: Decimal | None = None
        if side == "buy" and size is not None and self._rng.random() < 0.4:
            funds = max(floor_to(best * size, self._floor.listing.tick), self._floor.listing.tick)
            size = size if self._rng.random() < 0.3 else None
        return self._floor.place(now_ns, side=side, trader=trader, owner=owner, size=size, funds=funds)

    def _stop(self, now_ns: int, side: Side) -> list[Happening]:
        if not self._owners or self._floor.waiting_stops >= STOPS:
            return self._rest(now_ns, side)
        tick = self._floor.listing.tick
        away = self._rng.randint(5, 60) * tick
        stop_price = max(self._fair_tick() + (away if side == "buy" else -away), tick)
        owner = self._rng.choice(self._owners)
        return self._floor.place_stop(
            now_ns, side=side, trader=owner, owner=owner, stop_price=stop_price, size=self._size()
        )

    def _block(self, now_ns: int, side: Side) -> list[Happening]:
        self._block_id += 1
        return [
            BlockTraded(
                instrument=self._floor.listing.instrument, time_ns=now_ns, trade_id=self._block_id,
                maker_order_id=self._floor.new_id(), taker_order_id=self._floor.new_id(), taker_side=side, price=self._fair_tick(),
                size=self._size() * 50,
            )
        ]  # fmt: skip

    def _overlap(self, now_ns: int, side: Side) -> list[Happening]:
        """In an auction: a limit order a little beyond the fair price, so that the book crosses."""
        beyond = self._rng.randint(0, 5) * self._floor.listing.tick
        price = self._fair_tick() + (beyond if side == "buy" else -beyond)
        trader, owner = self._who()
        price = max(price, self._floor.listing.tick)
        return self._floor.place(
            now_ns, side=side, trader=trader, owner=owner, price=price, size=self._size()
        )

    def _passive_price(self, side: Side) -> Decimal:
        """A price that rests: around the fair price, near it more often than far."""
        tick = self._floor.listing.tick
        away = (1 + int(self._rng.expovariate(1) * self._depth * 0.7)) * tick
        price = self._fair_tick() + (away if side == "sell" else -away)
        against = None if self._floor.collecting else self._floor.book.best(opposite(side))
        if against is not None:
            price = max(price, against + tick) if side == "sell" else min(price, against - tick)
        return max(price, tick)

    def _fair_tick(self) -> Decimal:
        return max(floor_to(self._fair, self._floor.listing.tick), self._floor.listing.tick)

    def _size(self) -> Decimal:
        """Around the usual lot, often a round number of steps."""
        listing = self._floor.listing
        exact = listing.lot * Decimal(str(round(self._rng.lognormvariate(0, 1), 6)))
        coarse = listing.step * self._rng.choice([1, 1, 10, 100, 1000])
        return max(floor_to(exact, coarse), listing.step)

    def _who(self) -> tuple[str, str | None]:
        if self._owners and self._rng.random() < OWNER_SHARE:
            owner = self._rng.choice(self._owners)
            return owner, owner
        return f"trader-{self._rng.randrange(TRADERS)}", None

    def _pick(self, side: Side) -> Order | None:
        """A resting order of a side, any but the outermost, which stay for good."""
        queue = self._floor.book.queue(side)
        return self._rng.choice(queue[:-1]) if len(queue) > 1 else None
