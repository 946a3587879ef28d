"""From what happens on the market to the frames of everybody who subscribed; synchronous."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from trioquotes.simulator.bookkeeping import BookWitness
from trioquotes.simulator.connection import Connection
from trioquotes.simulator.happenings import (
    AuctionIndicated,
    BalanceMoved,
    BlockTraded,
    Happening,
    Matched,
)
from trioquotes.simulator.market import NEVER_NS, SECOND_NS, Market
from trioquotes.simulator.venues.coinbase import frames, level3
from trioquotes.simulator.venues.coinbase.batches import LevelBatch
from trioquotes.simulator.venues.coinbase.desk import Desk
from trioquotes.simulator.venues.coinbase.listings import Profile, account_id
from trioquotes.simulator.venues.coinbase.requests import EVERY_PRODUCT
from trioquotes.simulator.venues.coinbase.status import status
from trioquotes.simulator.venues.coinbase.texts import ZERO_TIME, time_text

__all__ = ["Publisher"]

_Line: TypeAlias = Connection[Desk]

HEARTBEAT_NS = SECOND_NS
TICKER_BATCH_NS = 5 * SECOND_NS
LEVEL_BATCH_NS = 50_000_000
"""Periods of the heartbeat, ticker_batch and level2_batch channels (channels)."""

BY_ORDER, BY_LEVEL, BATCHED = "full", "level2", "level2_50"
"""Names of the channels under which books are remembered; ``level3`` tells what ``full`` does."""

ODD_TICKER_ORDER = 5
"""Every so many trades the ticker comes before the match, as recorded."""

ODD_BATCH_TIME = 64
"""Every so many batches the time is that of year 1, as recorded."""


class Publisher:
    """Who subscribed what, and what goes to them.

    Args:
        market: whose happenings are told.
        profiles: known clients by their name on the market.
        now_ns: the time at the start.
        status_interval_s: how often ``status`` is repeated, or ``None``.
        witness: remembers the books.

    Attributes:
        market: as given.
    """

    def __init__(
        self, market: Market, profiles: Mapping[str, Profile], now_ns: int, status_interval_s: float | None,
        witness: BookWitness,
    ) -> None:  # fmt: skip
        self.market = market
        self._witness = witness
        for floor in market.floors.values() if witness.keeps else ():
            witness.note(BY_ORDER, floor.listing.instrument, floor.sequence, floor.book)
            floor.watcher = self._note_order
        self._profiles = profiles
        self._readers: defaultdict[tuple[str, str], dict[int, _Line]] = defaultdict(dict)
        self._batches = {name: LevelBatch() for name in market.floors}
        self._traded: set[str] = set()
        self._batches_sent = 0
        self._beats: list[tuple[int, Callable[[int], None]]] = [
            (LEVEL_BATCH_NS, self._level_batch),
            (HEARTBEAT_NS, self._heartbeat),
            (TICKER_BATCH_NS, self._ticker_batch),
        ]
        if status_interval_s is not None:
            self._beats.append((int(status_interval_s * SECOND_NS), self._status))
        self._due = [now_ns + period for period, _ in self._beats]
        self._start_ns = now_ns
        self._due[0] = NEVER_NS  # only changes that wait call for a batch

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
                self._due[place] += ((now_ns - self._due[place]) // period + 1) * period

    # Subscriptions ----------------------------------------------------------------------------------

    def subscribe(self, line: _Line, channel: str, key: str, now_ns: int) -> None:
        """From now on a line reads a channel; what comes first on it is sent at once."""
        if channel == "level2_50":
            self._flush_levels(key)
            self._batches[key].restart(self.market.floors[key].book)
        self._readers[channel, key][line.ordinal] = line
        frame = self._first_frame(line, channel, key, now_ns)
        if frame is not None:
            line.send(frame["type"], _text(frame))

    def _first_frame(self, line: _Line, channel: str, key: str, now_ns: int) -> dict[str, Any] | None:
        if channel == "level3":
            if line.state.schema_sent:
                return None
            line.state.schema_sent = True
            return level3.SCHEMA
        if channel == "status":
            return status(self.market.floors.values())
        floor = self.market.floors.get(key)
        if floor is None:
            return None
        if channel in {BY_LEVEL, BATCHED}:
            mark = _microseconds(now_ns) if channel == BY_LEVEL else None
            self._witness.note(channel, key, mark, floor.book, whole=True)
            return frames.snapshot(floor, now_ns if channel == "level2" else None)
        if channel in {"ticker", "ticker_1000"}:
            return frames.ticker(floor, floor.last_trade)
        if channel == "matches" and floor.last_trade is not None:
            return frames.match(floor.last_trade, kind="last_match")
        return None

    def unsubscribe(self, line: _Line, channel: str, key: str) -> None:
        """A line no longer reads a channel."""
        self._readers[channel, key].pop(line.ordinal, None)

    def leave(self, line: _Line) -> None:
        """A line is gone."""
        for readers in self._readers.values():
            readers.pop(line.ordinal, None)

    # Happenings -------------------------------------------------------------------------------------

    def publish(self, happenings: Iterable[Happening]) -> None:
        """Tell what happened, in order."""
        for happening in happenings:
            match happening:
                case BalanceMoved():
                    self._balance(happening)
                case BlockTraded():
                    frame = frames.rfq_match(happening)
                    for key in (happening.instrument, EVERY_PRODUCT):
                        self._tell("rfq_matches", key, frame)
                case AuctionIndicated():
                    listing = self.market.floors[happening.instrument].listing
                    self._tell("auctionfeed", happening.instrument, frames.auction(happening, listing))
                case _:
                    self._counted(happening)

    def _counted(self, happening: Happening) -> None:
        """What changes the book or tells of an order: every view of it, from one source."""
        product = happening.instrument
        self._orders(happening)
        row = level3.row(happening)
        if row is not None:
            self._tell_text("level3", product, row[0], lambda: _text(row))
        if isinstance(happening, Matched):
            self._trade(happening)
        for place, level in enumerate(happening.levels):
            if not self._readers["level2", product]:
                break
            listing = self.market.floors[product].listing
            rows = frames.change_rows(listing, [level], (happening.sequence or 0) + place)
            self._note_level(happening, place)
            self._tell("level2", product, frames.l2update(product, rows, time_text(happening.time_ns)))
        if self._readers["level2_50", product]:
            self._batches[product].add(happening.levels, happening.time_ns)
            waited_ns = (happening.time_ns - self._start_ns) % LEVEL_BATCH_NS
            self._due[0] = min(self._due[0], happening.time_ns - waited_ns + bool(waited_ns) * LEVEL_BATCH_NS)

    def _note_order(self, happening: Happening) -> None:
        product = happening.instrument
        self._witness.note(BY_ORDER, product, happening.sequence, self.market.floors[product].book)

    def _note_level(self, happening: Happening, place: int) -> None:
        """A message tells one level; a happening that changed several takes several messages."""
        product, sequence = happening.instrument, happening.sequence or 0
        before = self._witness.at(BY_ORDER, product, sequence - 1)
        if before:
            told, mark = happening.levels[: place + 1], _microseconds(happening.time_ns)
            self._witness.note_between(BY_LEVEL, product, mark, before[0], told)

    def _orders(self, happening: Happening) -> None:
        """``full`` and ``user``: owners see more of their own orders, and in ``user`` only those."""
        product = happening.instrument
        listing = self.market.floors[product].listing
        texts: dict[str | None, tuple[str, str] | None] = {}
        owners = {getattr(happening, name, None) for name in ("owner", "maker_owner", "taker_owner")}

        def text_for(view: Profile | None) -> tuple[str, str] | None:
            seen_as = view if view is not None and view.name in owners else None
            name = seen_as.name if seen_as else None
            if name not in texts:
                frame = frames.full(happening, listing, seen_as)
                texts[name] = None if frame is None else (frame["type"], _text(frame))
            return texts[name]

        for channel in ("full", "user"):
            for line in list(self._readers[channel, product].values()):
                view = line.state.views[channel][product]
                if channel == "user" and (view is None or view.name not in owners):
                    continue
                found = text_for(view)
                if found is not None:
                    line.send(*found)

    def _trade(self, trade: Matched) -> None:
        product = trade.instrument
        self._traded.add(product)
        ticker_first = trade.trade_id % ODD_TICKER_ORDER == 0
        if ticker_first:
            self._ticker(trade)
        self._matches(trade)
        if not ticker_first:
            self._ticker(trade)

    def _matches(self, trade: Matched) -> None:
        for line in list(self._readers["matches", trade.instrument].values()):
            frame = frames.match(trade, line.state.views["matches"][trade.instrument])
            line.send("match", _text(frame))

    def _ticker(self, trade: Matched) -> None:
        if self._readers["ticker", trade.instrument]:
            floor = self.market.floors[trade.instrument]
            self._tell("ticker", trade.instrument, frames.ticker(floor, trade))

    def _balance(self, moved: BalanceMoved) -> None:
        profile = self._profiles.get(moved.owner)
        if profile is not None:
            key = account_id(profile, moved.currency)
            self._tell("balance", key, frames.balance(moved, profile, moved.time_ns))

    # Beats ------------------------------------------------------------------------------------------

    def _heartbeat(self, now_ns: int) -> None:
        for product, floor in self.market.floors.items():
            if self._readers["heartbeat", product]:
                self._tell("heartbeat", product, frames.heartbeat(floor, now_ns))

    def _ticker_batch(self, now_ns: int) -> None:  # noqa: ARG002  # a ticker has its trade's time
        for product in sorted(self._traded):
            if self._readers["ticker_1000", product]:
                floor = self.market.floors[product]
                self._tell("ticker_1000", product, frames.ticker(floor, floor.last_trade))
        self._traded.clear()

    def _level_batch(self, now_ns: int) -> None:  # noqa: ARG002  # a batch has its newest change's time
        for product in self.market.floors:
            self._flush_levels(product)

    def _flush_levels(self, product: str) -> None:
        batch = self._batches[product]
        newest_ns = batch.newest_ns
        levels = batch.take()
        if not levels or not self._readers["level2_50", product]:
            return
        self._batches_sent += 1
        odd = self._batches_sent % ODD_BATCH_TIME == 0
        listing = self.market.floors[product].listing
        rows = frames.change_rows(listing, levels, self._batches_sent)
        mark = None if odd else _microseconds(newest_ns)
        self._witness.note(BATCHED, product, mark, self.market.floors[product].book)
        self._tell(
            "level2_50", product, frames.l2update(product, rows, ZERO_TIME if odd else time_text(newest_ns))
        )

    def _status(self, now_ns: int) -> None:  # noqa: ARG002
        self._tell("status", "", status(self.market.floors.values()))

    # Telling ----------------------------------------------------------------------------------------

    def _tell(self, channel: str, key: str, frame: dict[str, Any]) -> None:
        self._tell_text(channel, key, frame["type"], lambda: _text(frame))

    def _tell_text(self, channel: str, key: str, kind: str, text: Callable[[], str]) -> None:
        readers = self._readers[channel, key]
        if readers:
            written = text()
            for line in list(readers.values()):
                line.send(kind, written)


def _microseconds(time_ns: int) -> int:
    """As exact as the venue prints times."""
    return time_ns - time_ns % 1000


def _text(frame: Any) -> str:
    return json.dumps(frame, separators=(",", ":"))
