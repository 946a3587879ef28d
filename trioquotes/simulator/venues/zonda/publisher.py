"""From what happens on the market to the pushes of everybody who subscribed; synchronous."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from functools import partial
from itertools import cycle
from typing import Any, Literal

import attrs

from trioquotes.simulator.bookkeeping import BookWitness
from trioquotes.simulator.floor import Floor
from trioquotes.simulator.happenings import Happening, Matched
from trioquotes.simulator.market import SECOND_NS, START_BALANCES, Market
from trioquotes.simulator.venues.zonda import frames
from trioquotes.simulator.venues.zonda.cantor import Cantor
from trioquotes.simulator.venues.zonda.desk import Line, say, say_late
from trioquotes.simulator.venues.zonda.listings import Account
from trioquotes.simulator.venues.zonda.offices import Offices, Told
from trioquotes.simulator.venues.zonda.paths import LIMITS, Topic
from trioquotes.simulator.venues.zonda.texts import encoded
from trioquotes.simulator.venues.zonda.windows import BookTopic, LevelReader, Shown

__all__ = ["Manner", "Publisher"]

MILLISECOND_NS = 10**6

WINDOW_STEPS_MS = (530, 541, 530, 524, 526, 549, 531)
"""Recorded distances of the pushes of a limited book."""

MARKET_APART_MS = 37
"""How far the markets' beats are from each other."""

STATS_MS = 5_000
CANTOR_MS = 2_000
"""How often statistics and exchange rates are looked at; the venue does not say."""

SNAPSHOT_DEPTH = 300
"""Levels a side of the whole book's snapshot (orderbook)."""

MONEY = Decimal(50_000_000)
"""What every client has of a currency that the market gives nobody, such as PLN."""


@attrs.frozen(kw_only=True)
class Manner:
    """How the venue behaves where it may do one or the other.

    Attributes:
        own_trades_topic: ``asked`` for the topic that was subscribed, ``documented`` for that of public trades.
        action_key: whether pushes and answers have an ``action``, which one page prints without.
        snapshot_age_s: how old the books of snapshots are.
        push_lag_s: how long pushes are on their way, while answers overtake them.
    """

    own_trades_topic: Literal["asked", "documented"] = "asked"
    action_key: bool = True
    snapshot_age_s: float = 0.0
    push_lag_s: float = 0.0


@attrs.define
class _Beat:
    """Something that is done again and again.

    Attributes:
        steps_ms: how long until the next time, each time.
    """

    due_ns: int
    steps_ms: Iterator[int]
    act: Callable[[int], None]


class Publisher:
    """Who reads what, and what goes to them.

    Args:
        market: whose happenings are told.
        accounts: known clients by name on the market.
        now_ns: the time at the start.
        seed: of the counters and exchange rates.
        manner: of the venue.
        witness: remembers the books.

    Attributes:
        market: as given.
        offices: the clients' own orders, trades and wallets.
        cantor: the exchange rates.
    """

    def __init__(
        self, market: Market, accounts: Mapping[str, Account], now_ns: int, seed: int, manner: Manner, *,
        witness: BookWitness,
    ) -> None:  # fmt: skip
        self.market = market
        self._witness = witness
        self.cantor = Cantor(seed)
        self._manner = manner
        self._seed = seed
        listings = {name: floor.listing for name, floor in market.floors.items()}
        self.offices = Offices(accounts, listings)
        self._accounts = accounts
        self._open_accounts(now_ns)
        self._readers: defaultdict[tuple[str, str], dict[int, Line]] = defaultdict(dict)
        self._sequences: dict[tuple[str, str], int] = {}
        keep_ns = int(manner.snapshot_age_s * SECOND_NS)
        self._books = {
            (name, limit): BookTopic(limit, self._first_number("", _book_name(name, limit)), keep_ns)
            for name in market.floors
            for limit in (None, *LIMITS)
        }
        self._readings = {name: LevelReader(floor.book) for name, floor in market.floors.items()}
        self._dirty: set[str] = set()
        self._traded: set[str] = set()
        self._quoted: dict[str, dict[str, Any]] = {name: {} for name in market.floors}
        self._beats = [
            _Beat(now_ns + STATS_MS * MILLISECOND_NS, cycle([STATS_MS]), self._stats),
            _Beat(now_ns + CANTOR_MS * MILLISECOND_NS, cycle([CANTOR_MS]), self._cantor),
        ]
        for place, name in enumerate(market.floors):
            first_ns = now_ns + (WINDOW_STEPS_MS[0] + place * MARKET_APART_MS) * MILLISECOND_NS
            self._beats.append(_Beat(first_ns, cycle(WINDOW_STEPS_MS), partial(self._window_beat, name)))

    def _open_accounts(self, now_ns: int) -> None:
        for owner, currency in self.market.accounts.totals:
            if owner in self._accounts and currency not in START_BALANCES:
                self.market.accounts.totals[owner, currency] += MONEY
        for name, floor in self.market.floors.items():
            for order in floor.book.orders.values():
                self.offices.adopt(order, name, now_ns)

    def _first_number(self, owner: str, name: str) -> int:
        """The counters of a venue that has been running for years."""
        rng = random.Random(f"{self._seed}/{owner}/{name}")  # noqa: S311  # a simulation, no secret
        return rng.randrange(10, 10**3) if owner else rng.randrange(10**5, 10**8)

    # Time -------------------------------------------------------------------------------------------

    @property
    def next_ns(self) -> int:
        """When something is due next."""
        return min(self.market.next_ns, *(beat.due_ns for beat in self._beats))

    def turn(self, now_ns: int) -> None:
        """Tell everything that is due, in the order of its time."""
        while (due_ns := self.next_ns) <= now_ns:
            self.publish(self.market.advance(due_ns))
            for beat in self._beats:
                if beat.due_ns <= due_ns:
                    beat.due_ns += next(beat.steps_ms) * MILLISECOND_NS
                    beat.act(due_ns)

    def rest_until(self, now_ns: int) -> None:
        """Let time pass while nobody is there."""
        self.market.rest_until(now_ns)
        for beat in self._beats:
            if beat.due_ns <= now_ns:
                beat.due_ns = now_ns + next(beat.steps_ms) * MILLISECOND_NS

    # Subscriptions ----------------------------------------------------------------------------------

    def subscribe(self, line: Line, owner: str, topic: Topic, now_ns: int) -> None:
        """From now on a line reads a topic; nothing is sent before something happens."""
        book = self._books.get((topic.market or "", topic.limit)) if _is_book(topic) else None
        if book is not None and not self._reads_book(topic.market or "", topic.limit):
            book.show(self._readings[topic.market or ""].read(), now_ns)
            self._note_book(topic.market or "", topic.limit)
        line.state.topics[owner, topic.name] = topic
        self._readers[owner, topic.name][line.ordinal] = line

    def unsubscribe(self, line: Line, names: Iterable[str]) -> None:
        """A line no longer reads these topics, as whoever it subscribed them."""
        gone = set(names)
        for key in [key for key in line.state.topics if key[1] in gone]:
            del line.state.topics[key]
            self._readers[key].pop(line.ordinal, None)

    def leave(self, line: Line) -> None:
        """A line is gone, or reads nothing any more."""
        self.unsubscribe(line, [name for _, name in line.state.topics])

    # Snapshots --------------------------------------------------------------------------------------

    def book(self, market: str, limit: int | None, now_ns: int) -> Shown:
        """What a book channel has told, with the number of the push that told it."""
        shown = self._books[market, limit].snapshot(self._readings[market].read(), now_ns)
        if not self._reads_book(market, limit):
            self._note_book(market, limit)
        return shown

    def _note_book(self, market: str, limit: int | None) -> None:
        """A channel's number stands for the book as it is now."""
        name = "orderbook" if limit is None else f"orderbook-limited/{limit}"
        number = self._books[market, limit].sequence
        self._witness.note(name, market, number, self.market.floors[market].book, limit=limit)

    def wallets(self, owner: str) -> list[dict[str, Any]]:
        """All wallets of a client."""
        accounts = self.market.accounts
        currencies = [currency for name, currency in accounts.totals if name == owner]
        return self.offices.balances(
            owner,
            [(name, accounts.available(owner, name), accounts.held(owner, name)) for name in currencies],
        )

    # Happenings -------------------------------------------------------------------------------------

    def publish(self, happenings: Iterable[Happening]) -> None:
        """Tell what happened; what one action of a trader did to a book or traded comes in one push."""
        times: dict[str, int] = {}
        trades: defaultdict[str, list[Matched]] = defaultdict(list)
        for happening in happenings:
            if isinstance(happening, Matched):
                trades[happening.instrument].append(happening)
            if happening.levels:
                times[happening.instrument] = happening.time_ns
            for told in self.offices.follow(happening):
                self.tell_owner(told)
        for market, time_ns in times.items():
            self._dirty.add(market)
            if trades[market]:
                self._traded.add(market)
                name = f"trading/transactions/{market.lower()}"
                message = partial(frames.transactions, trades[market])
                self._push(name, "transactions", time_ns, message)
            self._show_book(market, None, time_ns)

    def tell_owner(self, told: Told) -> None:
        """Tell a client, on the topic of the market and on that of all markets."""
        if told.market is None:
            self._tell(told, "balances/balance/bitbay/updatefunds")
            return
        market = told.market.lower()
        shown = None
        if told.channel == "history/transactions" and self._manner.own_trades_topic == "documented":
            shown = f"trading/transactions/{market}"
        for name in (f"trading/{told.channel}/{market}", f"trading/{told.channel}"):
            self._tell(told, name, shown)

    def _tell(self, told: Told, name: str, shown_as: str | None = None) -> None:
        self._push(
            name, told.channel, told.time_ns, lambda: told.message, owner=told.owner, shown_as=shown_as
        )

    def _show_book(self, market: str, limit: int | None, time_ns: int) -> None:
        topic = self._books[market, limit]
        if not self._reads_book(market, limit):
            topic.skip()
            return
        floor = self.market.floors[market]
        changes = topic.show(self._readings[market].read(), time_ns)
        if changes:
            self._note_book(market, limit)
            name = _book_name(market, limit)
            message = frames.book_changes(floor.listing, changes, time_ns, topic.sequence)
            kind = "orderbook" if limit is None else "orderbook-limited"
            self._send(("", name), kind, encoded(self._frame(name, message, time_ns, topic.sequence)))

    def _reads_book(self, market: str, limit: int | None) -> bool:
        """Whether the book must be looked at; old snapshots need it always."""
        return bool(self._readers["", _book_name(market, limit)]) or self._manner.snapshot_age_s > 0

    # Beats ------------------------------------------------------------------------------------------

    def _window_beat(self, market: str, now_ns: int) -> None:
        if market not in self._dirty:
            return
        self._dirty.discard(market)
        for limit in LIMITS:
            self._show_book(market, limit, now_ns)
        floor = self.market.floors[market]
        quoted = {**frames.ticker(floor, now_ns), "time": ""}
        if quoted != self._quoted[market]:
            self._quoted[market] = quoted
            for name in (f"trading/ticker/{market.lower()}", "trading/ticker"):
                self._push(name, "ticker", now_ns, partial(frames.ticker, floor, now_ns))

    def _stats(self, now_ns: int) -> None:
        floors = [floor for name, floor in self.market.floors.items() if name in self._traded]
        self._traded.clear()
        for floor in floors:
            self._stats_of([floor], f"trading/stats/{floor.listing.instrument.lower()}", now_ns)
        if floors:
            self._stats_of(floors, "trading/stats", now_ns)

    def _stats_of(self, floors: list[Floor], name: str, now_ns: int) -> None:
        self._push(name, "stats", now_ns, lambda: frames.stats_push(floors))

    def _cantor(self, now_ns: int) -> None:
        for source, destination in self.cantor.move():
            name = f"cantor_service/rates/{source}/{destination}".lower()
            self._push(name, "rates", now_ns, partial(self.cantor.rate, source, destination))

    # Telling ----------------------------------------------------------------------------------------

    def _push(
        self, name: str, kind: str, time_ns: int, message: Callable[[], Any], *, owner: str = "",
        shown_as: str | None = None,
    ) -> None:  # fmt: skip
        """Count a push, and send it where somebody reads."""
        key = (owner, name)
        number = self._sequences.get(key) or self._first_number(owner, name)
        self._sequences[key] = number + 1
        if self._readers[key]:
            frame = self._frame(shown_as or name, message(), time_ns, number + 1)
            self._send(key, kind, encoded(frame))

    def _frame(self, topic: str, message: Any, time_ns: int, number: int) -> dict[str, Any]:
        return frames.push(topic, message, time_ns, number, action=self._manner.action_key)

    def _send(self, key: tuple[str, str], kind: str, text: str) -> None:
        for line in list(self._readers[key].values()):
            if self._manner.push_lag_s:
                say_late(line, kind, text, self._manner.push_lag_s)
            else:
                say(line, kind, text)


def _is_book(topic: Topic) -> bool:
    return topic.channel in {"orderbook", "orderbook-limited"}


def _book_name(market: str, limit: int | None) -> str:
    name = market.lower()
    return f"trading/orderbook/{name}" if limit is None else f"trading/orderbook-limited/{name}/{limit}"
