"""A seeded market of several instruments: pure, time is passed in, happenings come out.

The same seed, listings and times give the same happenings. An instrument draws from its own generator,
so that adding one changes none of the others.
"""

from __future__ import annotations

import heapq
import random
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from trioquotes.simulator import auction
from trioquotes.simulator.accounts import Accounts
from trioquotes.simulator.crowd import Crowd
from trioquotes.simulator.figures import DAY_NS, HOUR_NS
from trioquotes.simulator.floor import Floor, Listing
from trioquotes.simulator.happenings import Happening

__all__ = ["Market"]

SECOND_NS = 10**9
NEVER_NS = 2**63 - 1

START_BALANCES = {"USD": 50_000_000, "EUR": 50_000_000, "BTC": 1_000, "ETH": 20_000, "LTC": 200_000}
"""What every owner has at the start; enough that no order is refused for want of money."""


class Market:
    """The floors of several instruments and the crowds on them.

    Args:
        listings: what is traded.
        seed: of all chance.
        start_ns: the time of the start, in Unix nanoseconds.
        rate: actions of traders per second and instrument, on average; not every action shows.
        depth: price levels a side that the crowd keeps up.
        owners: account holders known to the venue.
        auctions: seconds of collection before the instrument opens, by instrument.
        quiet: instruments that nobody trades: on their books is only what is put there by hand.

    Attributes:
        floors: by instrument, in the order of the listings.
        accounts: of the owners.
    """

    def __init__(
        self,
        listings: Sequence[Listing],
        *,
        seed: int,
        start_ns: int,
        rate: float = 20.0,
        depth: int = 40,
        owners: Sequence[str] = (),
        auctions: Mapping[str, float] | None = None,
        quiet: Collection[str] = (),
    ) -> None:
        if rate <= 0:
            raise ValueError("rate is above zero")
        self.floors: dict[str, Floor] = {}
        self.accounts = Accounts(listings, owners, {k: Decimal(v) for k, v in START_BALANCES.items()})
        self._rate = rate
        self._crowds: dict[str, Crowd] = {}
        self._chance: dict[str, random.Random] = {}
        self._agenda: list[tuple[int, int, str, str]] = []
        self._ordinal = 0
        for listing in listings:
            name = listing.instrument
            rng = self._chance[name] = random.Random(f"{seed}/{name}")  # noqa: S311  # a simulation, no secret
            floor = self.floors[name] = Floor(
                listing,
                sequence=rng.randrange(10**10, 10**11),
                trade_id=rng.randrange(10**6, 10**9) if listing.traded else 0,
                new_id=_id_source(rng),
            )
            if name in quiet:
                floor.figures.add(start_ns, listing.reference, Decimal(0))
                continue
            self._crowds[name] = Crowd(floor, rng, depth=depth, owners=owners)
            self._open(floor, rng, start_ns, (auctions or {}).get(name))

    def _open(self, floor: Floor, rng: random.Random, start_ns: int, collection_s: float | None) -> None:
        name = floor.listing.instrument
        price, quiet = floor.listing.reference, Decimal(0)
        if floor.listing.traded:
            for day in range(29, 0, -1):
                floor.figures.month.add(
                    start_ns - day * DAY_NS, price, floor.listing.lot * rng.randint(10**4, 10**5)
                )
            for hour in range(23, 0, -1):
                drift = floor.listing.tick * rng.randint(-400, 400)
                traded_at = max(price + drift, floor.listing.tick)
                floor.figures.day.add(
                    start_ns - hour * HOUR_NS, traded_at, floor.listing.lot * rng.randint(100, 5000)
                )
        else:
            floor.figures.add(start_ns, price, quiet)
        for happening in self._crowds[name].open_market(start_ns):
            self.accounts.apply(happening)
        if collection_s is not None:
            floor.collecting = True
            self._plan(start_ns + int(collection_s * SECOND_NS), "uncross", name)
            self._plan(start_ns, "indicate", name)
        self._plan_action(name, start_ns)

    @property
    def next_ns(self) -> int:
        """When something may happen next, in Unix nanoseconds; very far off where nobody trades."""
        return self._agenda[0][0] if self._agenda else NEVER_NS

    def advance(self, now_ns: int) -> list[Happening]:
        """All that happens up to and including a time, in order; nothing for a time that has passed."""
        out: list[Happening] = []
        while self._agenda and self._agenda[0][0] <= now_ns:
            at_ns, _, what, name = heapq.heappop(self._agenda)
            out += self._settle(self._do(what, name, at_ns))
        return out

    def rest_until(self, now_ns: int) -> None:
        """Let time pass without anything happening, as while nobody is there to see it."""
        late = [entry for entry in self._agenda if entry[0] < now_ns]
        for entry in late:
            self._agenda.remove(entry)
        heapq.heapify(self._agenda)
        for _, _, what, name in late:
            if what == "act":
                self._plan_action(name, now_ns)
            else:
                self._plan(now_ns, what, name)

    def perform(
        self, action: Callable[..., Iterable[Happening]], *args: Any, **fields: Any
    ) -> list[Happening]:
        """Do something by hand on a floor, such as ``market.floors[name].place``, and keep the accounts right."""
        return self._settle(action(*args, **fields))

    def _do(self, what: str, name: str, now_ns: int) -> list[Happening]:
        floor = self.floors[name]
        if what == "act":
            self._plan_action(name, now_ns)
            return self._crowds[name].act(now_ns)
        if what == "indicate":
            if not floor.collecting:
                return []
            self._plan(now_ns + SECOND_NS, "indicate", name)
            return [auction.indicate(floor, now_ns)]
        floor.collecting = False
        last = auction.indicate(floor, now_ns)
        return [last, *auction.uncross(floor, now_ns)]

    def _settle(self, happenings: Iterable[Happening]) -> list[Happening]:
        out: list[Happening] = []
        for happening in happenings:
            out.append(happening)
            out += self.accounts.apply(happening)
        return out

    def _plan_action(self, name: str, now_ns: int) -> None:
        self._plan(now_ns + max(int(self._chance[name].expovariate(self._rate) * SECOND_NS), 1), "act", name)

    def _plan(self, at_ns: int, what: str, name: str) -> None:
        self._ordinal += 1
        heapq.heappush(self._agenda, (at_ns, self._ordinal, what, name))


def _id_source(rng: random.Random) -> Callable[[], str]:
    """A source of random-looking UUIDs that the seed decides."""
    return lambda: str(uuid.UUID(int=rng.getrandbits(128), version=4))
