"""From what happens on the market to the frames of everybody who subscribed; synchronous."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

from trioquotes.simulator.bookkeeping import BookWitness
from trioquotes.simulator.connection import Connection
from trioquotes.simulator.floor import Floor
from trioquotes.simulator.happenings import Happening, Matched
from trioquotes.simulator.market import NEVER_NS, SECOND_NS, Market
from trioquotes.simulator.venues.edgex import frames
from trioquotes.simulator.venues.edgex.depth import Window
from trioquotes.simulator.venues.edgex.desk import Desk
from trioquotes.simulator.venues.edgex.ledger import Frame, Ledger
from trioquotes.simulator.venues.edgex.listings import Account, Contract
from trioquotes.simulator.venues.edgex.movements import BY_HAND, AccountEvent
from trioquotes.simulator.venues.edgex.reference import Reference
from trioquotes.simulator.venues.edgex.requests import Channel
from trioquotes.simulator.venues.edgex.style import Style
from trioquotes.simulator.venues.edgex.tape import Print, Tape

__all__ = ["Publisher"]

_Line: TypeAlias = Connection[Desk]
_Rows: TypeAlias = list[dict[str, Any]]

BOOK_NS = 100_000_000
TICKER_NS = 500_000_000
MINUTE_NS = 60 * SECOND_NS
"""Periods of what is collected before it is sent; recorded spans of versions say that frames are collected."""

KLINES_IN_SNAPSHOT = 3
"""How many bars a snapshot holds is recorded nowhere; more than one is the harder case."""

ORACLE_DIGITS = {"v1": 27, "v2": 18}
"""Decimals of the oracle's price, as recorded."""


class Publisher:
    """Who subscribed what, and what goes to them.

    Args:
        market: whose happenings are told.
        contracts: what is listed, by id.
        accounts: known clients by account id.
        style: how frames are written.
        seed: of what is not traded.
        now_ns: the time at the start.
        funding_interval_min: minutes between settlements.
        account_events_s: how often something happens to every account by itself, or ``None``.
        metadata_interval_s: how often ``metadata`` is repeated, or ``None``.
        witness: remembers the books.

    Attributes:
        market: as given.
        tapes: and ``references``: by contract id.
        ledgers: by account id.
        is_open: whether a contract may be traded, by id.
    """

    def __init__(
        self, market: Market, contracts: Mapping[str, Contract], accounts: Mapping[str, Account], style: Style, *,
        seed: int, now_ns: int, funding_interval_min: int, account_events_s: float | None,
        metadata_interval_s: float | None, witness: BookWitness,
    ) -> None:  # fmt: skip
        self.market = market
        self._witness = witness
        self.contracts = contracts
        self.style = style
        self.interval_min = funding_interval_min
        self.is_open = dict.fromkeys(contracts, True)
        self.tapes: dict[str, Tape] = {}
        self.references: dict[str, Reference] = {}
        for contract_id, contract in contracts.items():
            rng = random.Random(f"{seed}/{contract_id}/edgex")  # noqa: S311  # a simulation, no secret
            floor = market.floors[contract_id]
            first = floor.trades[0].trade_id if floor.trades else floor.trade_id + 1
            tape = self.tapes[contract_id] = Tape(contract, rng, now_ns, first - 1)
            for trade in floor.trades:
                tape.add(trade)
            reference = self.references[contract_id] = Reference(
                contract, rng, oracle_digits=ORACLE_DIGITS[style.generation], interval_min=funding_interval_min,
                now_ns=now_ns,
            )  # fmt: skip
            reference.work_out(floor.book, now_ns - now_ns % MINUTE_NS)
        self.ledgers = {name: Ledger(account, contracts, style, now_ns) for name, account in accounts.items()}
        for ledger in self.ledgers.values():
            for floor in market.floors.values():
                ledger.adopt(floor, now_ns)
        self._readers: defaultdict[str, dict[int, _Line]] = defaultdict(dict)
        self._channels: dict[str, Channel] = {}
        self._waiting: defaultdict[str, set[int]] = defaultdict(set)
        self._owners: defaultdict[str, dict[int, _Line]] = defaultdict(dict)
        self._windows: dict[tuple[str, int], Window] = {}
        self._printed: defaultdict[str, list[Print]] = defaultdict(list)
        self._moved: set[str] = set()
        self._ticked: set[str] = set()
        self._best: dict[str, tuple[Any, ...]] = {}
        self._best_ns = dict.fromkeys(contracts, now_ns)
        self._events_done = 0
        self._beats: list[tuple[int, Callable[[int], None]]] = [
            (BOOK_NS, self._book_beat), (TICKER_NS, self._ticker_beat), (SECOND_NS, self._second),
            (MINUTE_NS, self._minute),
        ]  # fmt: skip
        if account_events_s is not None:
            self._beats.append((int(account_events_s * SECOND_NS), self._account_beat))
        if metadata_interval_s is not None:
            self._beats.append((int(metadata_interval_s * SECOND_NS), self._metadata_beat))
        self._due = [_next(now_ns, period) for period, _ in self._beats]
        self._due[0] = NEVER_NS  # only what happened and was not told calls for a beat
        for contract_id in contracts:
            self._note_best(contract_id, now_ns)
        self._moved.clear()

    # Time -------------------------------------------------------------------------------------------

    @property
    def next_ns(self) -> int:
        """When something is due next."""
        return min(self.market.next_ns, *self._due)

    def turn(self, now_ns: int) -> None:
        """Tell everything that is due, in the order of its time."""
        while (due_ns := self.next_ns) <= now_ns:
            self.publish(self.market.advance(due_ns))
            for place, (period, beat) in enumerate(self._beats):
                if self._due[place] <= due_ns:
                    self._due[place] = self._due[place] + period if place else NEVER_NS
                    beat(due_ns)

    def rest_until(self, now_ns: int) -> None:
        """Let time pass while nobody is there."""
        self.market.rest_until(now_ns)
        for place, (period, _) in enumerate(self._beats):
            if self._due[place] <= now_ns:
                self._due[place] = _next(now_ns, period)

    # Subscriptions ----------------------------------------------------------------------------------

    def subscribe(self, line: _Line, channel: Channel, now_ns: int) -> None:
        """From now on a line reads a channel; a snapshot comes at once, or with the next beat of the clock."""
        if not self._readers[channel.name]:
            self._begin(channel)
        self._readers[channel.name][line.ordinal] = line
        self._channels[channel.name] = channel
        if channel.every_second:
            self._waiting[channel.name].add(line.ordinal)
        else:
            self._send(line, channel, self.rows(channel, now_ns), snapshot=True)

    def _begin(self, channel: Channel) -> None:
        """The first reader of a channel comes: what nobody was told need not be told now."""
        contract_id = self._listed(channel)
        if contract_id is not None and channel.family == "depth":
            self._window(contract_id, channel.level).restart()
            self._note_book(contract_id, channel.level)
        elif contract_id is not None and channel.family == "kline":
            self.tapes[contract_id].bars[channel.price_type].take_touched(channel.interval)

    def _listed(self, channel: Channel) -> str | None:
        """The contract of a channel, where there is one: an id of the other generation is none."""
        return channel.contract_id if channel.contract_id in self.contracts else None

    def unsubscribe(self, line: _Line, name: str) -> None:
        """A line no longer reads a channel."""
        self._waiting[name].discard(line.ordinal)
        readers = self._readers[name]
        readers.pop(line.ordinal, None)
        if not readers:
            self._channels.pop(name, None)

    def watch(self, line: _Line, account: Account, now_ns: int) -> None:
        """From now on a line is told what happens to an account; everything there is comes first."""
        ledger = self.ledgers[account.account_id]
        self._owners[account.account_id][line.ordinal] = line
        _say(line, *ledger.snapshot(now_ns))

    def leave(self, line: _Line) -> None:
        """A line is gone."""
        for name in list(line.state.channels):
            self.unsubscribe(line, name)
        for lines in self._owners.values():
            lines.pop(line.ordinal, None)

    # Rows -------------------------------------------------------------------------------------------

    def rows(self, channel: Channel, now_ns: int) -> _Rows:
        """Everything a channel has to say; nothing for an id of the other generation."""
        if channel.family == "metadata":
            return [
                frames.metadata_row(
                    self.contracts.values(), self.is_open, self.style, self.interval_min, now_ns
                )
            ]
        ids = list(self.contracts) if channel.contract_id is None else [channel.contract_id]
        of_one: dict[str, Callable[[str], _Rows]] = {
            "ticker": lambda name: [self._ticker_row(name, now_ns)],
            "bookTicker": lambda name: [self._book_ticker_row(name)],
            "fundingRate": lambda name: [self._funding_row(name)],
            "trades": lambda name: self._trade_rows(name, self.tapes[name].recent),
            "depth": lambda name: [self._depth_snapshot(name, channel.level)],
            "kline": lambda _: self.bars(channel, KLINES_IN_SNAPSHOT),
        }
        return [row for name in ids if name in self.contracts for row in of_one[channel.family](name)]

    def _ticker_row(self, name: str, now_ns: int) -> dict[str, Any]:
        return frames.ticker_row(
            self.contracts[name], self.tapes[name].day(now_ns), self._floor(name).standing(), self.references[name],
            self.style, market_open=self.is_open[name],
        )  # fmt: skip

    def _book_ticker_row(self, name: str) -> dict[str, Any]:
        standing = self._floor(name).standing()
        return frames.book_ticker_row(self.contracts[name], standing, self._best_ns[name], self.style)

    def _funding_row(self, name: str) -> dict[str, Any]:
        return frames.funding_row(self.contracts[name], self.references[name])

    def _trade_rows(self, name: str, prints: Iterable[Print]) -> _Rows:
        return [frames.trade_row(self.contracts[name], made, self.style) for made in prints]

    def _depth_snapshot(self, name: str, level: int) -> dict[str, Any]:
        window = self._window(name, level)
        return frames.depth_row(self.contracts[name], level, window.snapshot(), self.style, snapshot=True)

    def bars(self, channel: Channel, count: int) -> _Rows:
        """The newest bars of a contract, oldest first."""
        name = channel.contract_id or ""
        found = self.tapes[name].bars[channel.price_type].latest(channel.interval, count)
        return [frames.kline_row(self.contracts[name], channel, bar) for bar in found]

    def book(self, name: str, level: int) -> dict[str, Any]:
        """A book as it is now, for who asks by HTTP."""
        window = Window(self._floor(name), level, self.style.chain, self.style.version_step)
        return frames.depth_row(self.contracts[name], level, window.snapshot(), self.style, snapshot=True)

    def _window(self, name: str, level: int) -> Window:
        if (name, level) not in self._windows:
            self._windows[name, level] = Window(
                self._floor(name), level, self.style.chain, self.style.version_step
            )
        return self._windows[name, level]

    def _note_book(self, name: str, level: int) -> None:
        """A window's version stands for the book as it is now."""
        version, book = self._window(name, level).version, self._floor(name).book
        self._witness.note(f"depth.{level}", name, version, book, limit=level)

    def _floor(self, name: str) -> Floor:
        return self.market.floors[name]

    # Happenings -------------------------------------------------------------------------------------

    def publish(self, happenings: Iterable[Happening]) -> None:
        """Take in what happened, in order; accounts are told at once, everybody else with the next beat."""
        for happening in happenings:
            self._due[0] = min(self._due[0], _next(happening.time_ns - 1, BOOK_NS))
            name = happening.instrument
            if isinstance(happening, Matched):
                self._printed[name].append(self.tapes[name].add(happening))
            if happening.levels:
                self._note_best(name, happening.time_ns)
            for ledger in self.ledgers.values():
                self._tell_owner(ledger, ledger.follow(happening))

    def _note_best(self, name: str, now_ns: int) -> None:
        book = self._floor(name).book
        best: list[Decimal | None] = []
        for side in ("buy", "sell"):
            price = book.best(side)
            best += [price, None if price is None else book.size_at(side, price)]
        if self._best.get(name) != tuple(best):
            self._best[name] = tuple(best)
            self._best_ns[name] = now_ns
            self._moved.add(name)

    def happen(self, account_id: str, event: AccountEvent, amount: Decimal, now_ns: int) -> None:
        """Let something happen to an account."""
        ledger = self.ledgers[account_id]
        self._tell_owner(ledger, ledger.happen(event, amount, now_ns))

    def list_contract(self, contract_id: str, *, is_open: bool, now_ns: int) -> None:
        """Open or suspend a contract, and say so."""
        self.is_open[contract_id] = is_open
        self._metadata_beat(now_ns)

    def _tell_owner(self, ledger: Ledger, told: Sequence[Frame]) -> None:
        for line in list(self._owners[ledger.account.account_id].values()) if told else []:
            for event, frame in told:
                _say(line, event, frame)

    # Beats ------------------------------------------------------------------------------------------

    def _book_beat(self, now_ns: int) -> None:  # noqa: ARG002  # books and trades have times of their own, or none
        for name in self.contracts:
            self._tell(f"trades.{name}", lambda name=name: self._trade_rows(name, self._printed[name]))  # type: ignore[misc]  # bound now
            for level in (15, 200):
                channel = f"depth.{name}.{level}"
                change = self._window(name, level).update() if self._readers[channel] else None
                if change is not None:
                    self._note_book(name, level)
                    row = frames.depth_row(self.contracts[name], level, change, self.style, snapshot=False)
                    self._tell(channel, lambda row=row: [row])  # type: ignore[misc]  # bound now
        moved = [name for name in self.contracts if name in self._moved]
        self._tell("bookTicker.all", lambda: [self._book_ticker_row(name) for name in moved])
        self._moved.clear()
        self._ticked |= {name for name, prints in self._printed.items() if prints}
        self._printed.clear()

    def _ticker_beat(self, now_ns: int) -> None:
        ticked = [name for name in self.contracts if name in self._ticked]
        self._ticked.clear()
        for name in ticked:
            self._tell(f"ticker.{name}", lambda name=name: [self._ticker_row(name, now_ns)])  # type: ignore[misc]  # bound now
        self._tell("ticker.all", lambda: [self._ticker_row(name, now_ns) for name in ticked])
        for channel in list(self._channels.values()):
            contract_id = self._listed(channel)
            if channel.family == "kline" and contract_id is not None:
                bars = self.tapes[contract_id].bars[channel.price_type].take_touched(channel.interval)
                rows = [frames.kline_row(self.contracts[contract_id], channel, bar) for bar in bars]
                self._tell(channel.name, lambda rows=rows: rows)  # type: ignore[misc]  # bound now

    def _second(self, now_ns: int) -> None:
        for name, reference in self.references.items():
            standing = self._floor(name).standing()
            two_sided = standing.bid is not None and standing.ask is not None
            reference.move((standing.bid + standing.ask) / 2 if two_sided else None)  # type: ignore[operator]  # both are there
            bars = self.tapes[name].bars
            bars["INDEX_PRICE"].add(now_ns, reference.index)
            bars["ORACLE_PRICE"].add(now_ns, reference.oracle)
            bars["MARK_PRICE"].add(now_ns, reference.oracle)
        for channel in list(self._channels.values()):
            if channel.every_second:
                rows = self.rows(channel, now_ns)
                waiting = self._waiting.pop(channel.name, set())
                for line in list(self._readers[channel.name].values()):
                    self._send(line, channel, rows, snapshot=line.ordinal in waiting)

    def _minute(self, now_ns: int) -> None:
        settled = False
        for name, reference in self.references.items():
            settled = reference.work_out(self._floor(name).book, now_ns) or settled
            self._tell(f"fundingRate.{name}", lambda name=name: [self._funding_row(name)])  # type: ignore[misc]  # bound now
        self._tell("fundingRate.all", lambda: [self._funding_row(name) for name in self.contracts])
        if settled:
            for ledger in self.ledgers.values():
                self._tell_owner(ledger, ledger.settle(self.references, now_ns))

    def _account_beat(self, now_ns: int) -> None:
        event = BY_HAND[self._events_done % len(BY_HAND)]
        self._events_done += 1
        for account_id in self.ledgers:
            self.happen(account_id, event, Decimal(10 + self._events_done % 90), now_ns)

    def _metadata_beat(self, now_ns: int) -> None:
        self._tell("metadata", lambda: self.rows(Channel(name="metadata", family="metadata"), now_ns))

    # Telling ----------------------------------------------------------------------------------------

    def _tell(self, name: str, rows: Callable[[], _Rows]) -> None:
        """Push changes to the readers of a channel; nothing where there are no rows."""
        readers = self._readers[name]
        written = rows() if readers else []
        if written:
            for line in list(readers.values()):
                self._send(line, self._channels[name], written, snapshot=False)

    def _send(self, line: _Line, channel: Channel, rows: _Rows, *, snapshot: bool) -> None:
        _say(line, channel.family, frames.quote_event(channel.name, rows, self.style, snapshot=snapshot))


def _say(line: _Line, kind: str, frame: dict[str, Any]) -> None:
    line.send(kind, json.dumps(frame, separators=(",", ":")))


def _next(now_ns: int, period_ns: int) -> int:
    """The next multiple of a period, so that beats fall on the clock's own seconds and minutes."""
    return now_ns - now_ns % period_ns + period_ns
