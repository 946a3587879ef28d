"""What the demo has seen so far: per instrument, in the notices, and in sum. Pure: time is an argument."""

from __future__ import annotations

from collections import Counter, deque
from decimal import Decimal

import attrs

from trioquotes._protocol.tally import TallyCount
from trioquotes.books import OrderBook
from trioquotes.cli.exits import one_line
from trioquotes.cli.statusline import Rate
from trioquotes.events import (
    BookChange,
    BookSnapshot,
    Connected,
    Disconnected,
    Event,
    Gap,
    Lagged,
    MarketEvent,
    Notice,
    Quote,
    Resynced,
    Side,
    Stale,
    Trade,
)

__all__ = ["Board", "Price", "Row", "Said", "digits_of"]

NOTICES_KEPT = 200


@attrs.define
class Price:
    """A price that moves.

    Attributes:
        value: what it is now; ``None`` where nobody knows.
        direction: 1 where its last move was up, -1 down, 0 before the first.
        moved_s: when that was, seconds.
        digits: after the point that it was ever seen to need: venues write 81222.5 and 81222.50000000.
    """

    value: Decimal | None = None
    direction: int = 0
    moved_s: float = 0.0
    digits: int = 0

    def set(self, value: Decimal | None, now_s: float) -> None:
        """It is this now."""
        if value is not None and self.value is not None and value != self.value:
            self.direction = 1 if value > self.value else -1
            self.moved_s = now_s
        self.value = value
        if value is not None:
            self.digits = max(self.digits, digits_of(value))


def digits_of(value: Decimal) -> int:
    """Digits after the point that are not trailing zeros."""
    return len(f"{value:f}".partition(".")[2].rstrip("0"))  # normalize() would round to the context's digits


@attrs.define
class Row:
    """One instrument.

    Attributes:
        state: ``waiting`` for the first snapshot, ``live``, or ``gap`` until the book is right again.
        taker_side: of the last trade.
    """

    venue: str
    instrument: str
    state: str = "waiting"
    last: Price = attrs.field(factory=Price)
    bid: Price = attrs.field(factory=Price)
    ask: Price = attrs.field(factory=Price)
    spread: Decimal | None = None
    taker_side: Side | None = None
    events: int = 0
    rate: Rate = attrs.field(factory=Rate)
    book: OrderBook = attrs.field(factory=OrderBook)

    @property
    def digits(self) -> int:
        """After the point, for all prices of the instrument."""
        return max(self.last.digits, self.bid.digits, self.ask.digits)

    def take(self, event: MarketEvent, now_s: float) -> None:
        """An event of the instrument came."""
        self.events += 1
        self.rate.add(1, now_s)
        if isinstance(event, Trade):
            self.last.set(event.price, now_s)
            self.taker_side = event.taker_side
        elif isinstance(event, BookSnapshot | BookChange):
            self.book.apply(event)
            if self.state == "waiting":
                self.state = "live"
            self._show(now_s)
        elif isinstance(event, Quote):
            self.state = "live"
            self.last.set(self.last.value if event.price is None else event.price, now_s)
            self.bid.set(event.bid, now_s)
            self.ask.set(event.ask, now_s)
            self.spread = None if event.bid is None or event.ask is None else event.ask - event.bid

    def lose(self, reason: str, now_s: float) -> None:
        """The book may have missed something: it shows nothing until it is right again."""
        self.state = "gap"
        self.book.invalidate(reason)
        self._show(now_s)

    def _show(self, now_s: float) -> None:
        bid, ask = self.book.best_bid, self.book.best_ask
        self.bid.set(bid and bid[0], now_s)
        self.ask.set(ask and ask[0], now_s)
        self.spread = self.book.spread


@attrs.frozen
class Said:
    """One line of the notices.

    Attributes:
        at_s: when, in seconds since the start.
        kind: name of the notice; ``demo`` for what the demo does itself.
    """

    at_s: float
    kind: str
    text: str


class Board:
    """All rows, the latest notices and the totals.

    Attributes:
        rows: by venue and instrument, in the order of :meth:`add`.
        notices: the latest, oldest first.
        seen: how many of each class of event and notice.
        dropped: lines that the demo dropped on purpose.
        counts: what became of every element, by venue, once its sessions have ended.
    """

    def __init__(self, started_s: float) -> None:
        self.started_s = started_s
        self.rows: dict[tuple[str, str], Row] = {}
        self.notices: deque[Said] = deque(maxlen=NOTICES_KEPT)
        self.said = 0
        self.seen: Counter[str] = Counter()
        self.events = 0
        self.dropped = 0
        self.recovered = 0
        self.counts: dict[str, TallyCount] = {}
        self._down: set[tuple[str, str]] = set()

    def add(self, venue: str, instrument: str) -> None:
        """Show this instrument."""
        self.rows[venue, instrument] = Row(venue, instrument)

    def take(self, event: Event, now_s: float, session: str) -> None:
        """An event or a notice came.

        Args:
            event: what came.
            now_s: the time.
            session: which session it came from, in words: the lines of all have the same names.
        """
        self.seen[type(event).__name__] += 1
        if isinstance(event, Notice):
            self._take_notice(event, now_s, session)
        elif isinstance(event, MarketEvent):
            self.events += 1
            row = self.rows.get((event.venue, event.instrument))
            if row is not None:
                row.take(event, now_s)

    def drop(self, text: str, now_s: float) -> None:
        """The demo drops a line on purpose."""
        self.dropped += 1
        self._say("demo", text, now_s)

    def ended(self, venue: str, count: TallyCount) -> None:
        """A session ended with this ledger."""
        before = self.counts.get(venue)
        self.counts[venue] = count if before is None else before + count

    def _take_notice(self, notice: Notice, now_s: float, session: str) -> None:
        if isinstance(notice, Connected | Disconnected):
            self._follow((session, notice.lane), is_up=isinstance(notice, Connected))
        elif isinstance(notice, Gap | Resynced) and getattr(notice.topic, "name", "") == "books":
            row = self.rows.get((notice.venue, notice.instrument))
            if row is not None and isinstance(notice, Gap):
                row.lose(notice.reason, now_s)
            elif row is not None:
                row.state = "live"
        whose = str(notice.topic or session)
        if len({venue for venue, _ in self.rows}) > 1:
            whose = f"{notice.venue} {whose}"
        self._say(type(notice).__name__, f"{whose}: {_words(notice)}", now_s)

    def _follow(self, line: tuple[str, str], *, is_up: bool) -> None:
        """A line came up, for the first time or again, or was lost."""
        if not is_up:
            self._down.add(line)
        elif line in self._down:
            self._down.discard(line)
            self.recovered += 1

    def _say(self, kind: str, text: str, now_s: float) -> None:
        self.said += 1
        self.notices.append(Said(now_s - self.started_s, kind, one_line(text)))


def _words(notice: Notice) -> str:
    """What a notice says, beside whom it concerns."""
    match notice:
        case Connected(lane=lane, connection=connection):
            return f"{lane} line, connection {connection}"
        case Gap(reason=reason, missed=int(missed)):
            return f"{reason}, {missed:,} missed"
        case Resynced():
            return "the book is right again"
        case Lagged(dropped=dropped):
            return f"{dropped:,} events dropped here"
        case Stale(silent_s=silent_s):
            return f"silent for {silent_s:g} s"
        case _:
            return str(getattr(notice, "reason", getattr(notice, "kind", "")))
