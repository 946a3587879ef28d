"""From what happens on the market to the frames of everybody who subscribed; synchronous."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from decimal import Decimal
from itertools import groupby
from typing import Any, Literal, TypeAlias

import attrs

from trioquotes.simulator.bookkeeping import BookWitness
from trioquotes.simulator.connection import Connection
from trioquotes.simulator.happenings import Happening, Matched
from trioquotes.simulator.market import SECOND_NS, Market
from trioquotes.simulator.venues.upbit import frames, indicators
from trioquotes.simulator.venues.upbit.desk import Desk
from trioquotes.simulator.venues.upbit.formats import in_list, object_text
from trioquotes.simulator.venues.upbit.grid import GRID_NS, after, on_grid
from trioquotes.simulator.venues.upbit.listings import supported_levels
from trioquotes.simulator.venues.upbit.notices import Announcement, usual
from trioquotes.simulator.venues.upbit.requests import CANDLES_S, Format, Wanted
from trioquotes.simulator.venues.upbit.tape import FRAME_LAG_MS, Tape
from trioquotes.simulator.venues.upbit.wallets import Wallets

__all__ = ["Publisher", "View"]

_Line: TypeAlias = Connection[Desk]
_Timer: TypeAlias = Literal["books", "candles", "roll", "indicators", "announcement"]
_Build: TypeAlias = Callable[[bool], dict[str, Any] | None]

MS = 10**6

LAG_NS = FRAME_LAG_MS * MS
MINUTE_NS = 60 * SECOND_NS
INDICATOR_NS = 300 * SECOND_NS
"""All timeframes of indicators end at multiples of the shortest."""


@attrs.frozen(eq=False)
class View:
    """What one line reads of one market.

    Attributes:
        line: the client.
        wanted: the data object that asked for it.
        code: the market; the owner's name for private types; empty for announcements.
        units: and ``level``: how the order book is shown.
        met: for signals, which conditions held after the last candle, by place in the request.
    """

    line: _Line
    wanted: Wanted
    code: str
    units: int = frames.DEEPEST
    level: Decimal = Decimal(0)
    met: dict[int, bool] = attrs.field(factory=dict)


class Publisher:
    """Who subscribed what, and what goes to them.

    Args:
        market: whose happenings are told.
        owners: whose orders and money are told to them.
        now_ns: the time at the start.
        seed: of the past that the market never saw.
        microseconds: markets whose order books tell their time in microseconds.
        announcement_interval_s: how often something is announced, or ``None``.
        balances: what every owner has at first, by currency.
        witness: remembers the books.

    Attributes:
        market: as given.
        tapes: what each market traded.
        wallets: what each owner has.
    """

    def __init__(
        self, market: Market, owners: Iterable[str], now_ns: int, *, seed: int, witness: BookWitness,
        microseconds: Collection[str] = (), announcement_interval_s: float | None = None,
        balances: Mapping[str, Decimal] | None = None,
    ) -> None:  # fmt: skip
        self.market = market
        self._witness = witness
        listings = [floor.listing for floor in market.floors.values()]
        self.tapes = {listing.instrument: Tape(listing, now_ns // MS, seed) for listing in listings}
        self.wallets = Wallets(listings, owners, balances)
        for code, floor in market.floors.items():
            self.tapes[code].add_all(floor.trades)
            self.wallets.adopt(code, floor.book, now_ns // MS)
        self._microseconds = microseconds
        self._readers: defaultdict[tuple[str, str], list[View]] = defaultdict(list)
        self._timers: dict[_Timer, int] = {}
        self._changed = dict.fromkeys(market.floors, on_grid(now_ns) - GRID_NS)
        self._images: dict[str, frames.Image] = {}
        self._stale: set[str] = set()
        self._shown: dict[tuple[str, Decimal], tuple[Any, Any]] = {}
        self._traded: dict[tuple[str, str, int], Any] = {}
        self._rolled: dict[str, tuple[Decimal, Decimal]] = {}
        self._lists: dict[int, _Line] = {}
        self._announced = 0
        self._announce_ns = int(announcement_interval_s * SECOND_NS) if announcement_interval_s else None
        if self._announce_ns:
            self._timers["announcement"] = now_ns + self._announce_ns

    # Time -------------------------------------------------------------------------------------------

    @property
    def next_ns(self) -> int:
        """When something is due next."""
        return min([self.market.next_ns, *self._timers.values()])

    def turn(self, now_ns: int) -> None:
        """Tell everything that is due, in the order of its time."""
        beats: dict[_Timer, Callable[[int], None]] = {
            "books": self._grid, "candles": self._candles, "roll": self._roll, "indicators": self._indicators,
            "announcement": self._announce,
        }  # fmt: skip
        while (due_ns := self.next_ns) <= now_ns:
            self.publish(self.market.advance(due_ns))
            for timer, beat in beats.items():
                if self._timers.get(timer, due_ns + 1) <= due_ns:
                    del self._timers[timer]
                    beat(due_ns)
            self._send_lists()

    def rest_until(self, now_ns: int) -> None:
        """Let time pass while nobody is there."""
        self.market.rest_until(now_ns)
        self._timers.clear()
        self._stale.clear()
        self._traded.clear()
        self._images.clear()
        if self._announce_ns:
            self._timers["announcement"] = now_ns + self._announce_ns

    # Subscriptions ----------------------------------------------------------------------------------

    def subscribe(
        self, line: _Line, wanted: Iterable[Wanted], now_ns: int, *, leave_out: Collection[str] = ()
    ) -> list[View]:
        """From now on a line reads this and nothing else; what it reads is for :meth:`snapshot`.

        Args:
            line: the client.
            wanted: the whole of its subscriptions.
            now_ns: the time.
            leave_out: codes that are not served.
        """
        self.leave(line)
        views = [view for one in wanted for view in self._views(line, one) if view.code not in leave_out]
        for view in views:
            self._begin(view, now_ns)
        return views

    def _begin(self, view: View, now_ns: int) -> None:
        kind, code = view.wanted.kind, view.code
        if kind == "orderbook":
            image = self._image(code, now_ns)
            self._shown[code, view.level] = _deepest(image, view.level)
        if kind == "indicator_signal":
            for place, asked in enumerate(view.wanted.fields["indicators"]):
                view.met[place] = self._met(view, asked)
        if not view.wanted.realtime:
            return
        self._readers[kind, code].append(view)
        if kind == "ticker":
            self._rolled[code] = self.tapes[code].rolling(now_ns // MS)
            self._arm("roll", after(now_ns, MINUTE_NS))
        elif kind.startswith("indicator"):
            self._arm("indicators", after(now_ns - LAG_NS, INDICATOR_NS) + LAG_NS)

    def leave(self, line: _Line) -> None:
        """A line reads nothing any more."""
        for key in list(self._readers):
            self._readers[key] = [view for view in self._readers[key] if view.line is not line]
            if not self._readers[key]:
                del self._readers[key]
        self._lists.pop(line.ordinal, None)
        line.state.waiting.clear()

    def _views(self, line: _Line, wanted: Wanted) -> list[View]:
        """What there is to read; codes that are unknown, or that have not what is asked for, are passed over."""
        owner = line.state.account.name if line.state.account else ""
        if wanted.kind in {"myOrder", "myAsset"}:
            return [View(line, wanted, owner)]
        if wanted.kind == "announcement":
            return [View(line, wanted, "")]
        views: list[View] = []
        for asked in wanted.codes or ():
            code, point, suffix = asked.partition(".") if wanted.kind == "orderbook" else (asked, "", "")
            floor = self.market.floors.get(code)
            if floor is None or (point and not suffix.isdecimal()):
                continue
            if wanted.level not in supported_levels(floor.listing):
                continue
            if wanted.kind.startswith("indicator") and floor.listing.quote != "KRW":
                continue
            units = frames.DEPTHS.get(suffix, frames.DEEPEST)
            views.append(View(line, wanted, code, units, wanted.level))
        return views

    def snapshot(self, views: Iterable[View], now_ns: int) -> None:
        """Send the state of what is read, as far as there is one and it is wanted."""
        for view in views:
            if view.wanted.snapshot:
                self._deliver(view.line, view.wanted.kind, self._state(view, now_ns), {})
        self._send_lists()

    def _state(self, view: View, now_ns: int) -> _Build:
        kind, code, now_ms = view.wanted.kind, view.code, now_ns // MS
        if kind == "orderbook":
            return self._book(code, self._image(code, now_ns), view.units, view.level, "SNAPSHOT")
        tape = self.tapes.get(code)
        if tape is None:
            return _nothing
        if kind == "ticker":
            return lambda simple: frames.ticker(code, tape, "SNAPSHOT", now_ms, simple=simple)
        made = tape.last
        if kind == "trade" and made is not None:
            return lambda simple: frames.trade(code, made, "SNAPSHOT", now_ms, simple=simple)
        bar = tape.candles.get(kind)
        if bar is not None:
            return lambda simple: frames.candle(kind, code, bar, "SNAPSHOT", now_ms)  # noqa: ARG005  # alike in both
        return _nothing

    # Happenings -------------------------------------------------------------------------------------

    def publish(self, happenings: Iterable[Happening]) -> None:
        """Tell what happened, in order."""
        for happening in happenings:
            if happening.levels:
                self._touch(happening.instrument, happening.time_ns)
            if isinstance(happening, Matched):
                self._trade(happening)
            for told in self.wallets.follow(happening):
                for view in self._readers.get((told.kind, told.owner), ()):
                    if not (told.code and view.wanted.codes) or told.code in view.wanted.codes:
                        self._deliver(view.line, told.kind, lambda simple, told=told: told.message, {})  # type: ignore[misc]  # noqa: ARG005  # bound now, alike in both
        for code in sorted(code for code in self._stale if not code.startswith("KRW-")):
            self._stale.discard(code)
            self._show(code, self._picture(code, self._changed[code]))
        self._send_lists()

    def _touch(self, code: str, time_ns: int) -> None:
        self._changed[code] = time_ns
        if ("orderbook", code) not in self._readers:
            self._images.pop(code, None)
            return
        self._stale.add(code)
        if code.startswith("KRW-"):
            self._arm("books", on_grid(time_ns))

    def _trade(self, trade: Matched) -> None:
        code, now_ms = trade.instrument, trade.time_ns // MS
        tape = self.tapes[code]
        made = tape.add(trade)
        self._tell("trade", code, lambda simple: frames.trade(code, made, "REALTIME", now_ms, simple=simple))
        self._ticker(code, now_ms)
        for kind in CANDLES_S:
            if (kind, code) in self._readers:
                bar = tape.candles[kind]
                self._traded[kind, code, bar.start_ms] = bar
                self._arm("candles", after(trade.time_ns - LAG_NS - 1, SECOND_NS) + LAG_NS)

    def _ticker(self, code: str, now_ms: int) -> None:
        tape = self.tapes[code]
        self._rolled[code] = tape.rolling(now_ms)
        self._tell(
            "ticker", code, lambda simple: frames.ticker(code, tape, "REALTIME", now_ms, simple=simple)
        )

    # Books ------------------------------------------------------------------------------------------

    def _image(self, code: str, now_ns: int) -> frames.Image:
        """The book as it was shown last, or as it stands where nobody looked."""
        if code not in self._images:
            at_ns = self._changed[code]
            if code.startswith("KRW-"):
                at_ns = on_grid(at_ns)
                at_ns -= GRID_NS if at_ns > now_ns else 0
            self._images[code] = self._picture(code, at_ns)
        return self._images[code]

    def _picture(self, code: str, at_ns: int) -> frames.Image:
        """The book as it stands, under a time that is told with it."""
        book, at_ms = self.market.floors[code].book, at_ns // MS
        self._witness.note("orderbook", code, at_ms * MS, book, limit=frames.DEEPEST)
        return frames.Image.of(book, at_ms)

    def book(self, code: str, level: Decimal, units: int, now_ns: int) -> dict[str, Any]:
        """A book as it was shown last, for who asks by HTTP."""
        image = self._image(code, now_ns).grouped(level)
        return frames.orderbook(code, image, "SNAPSHOT", units=units, level=level, simple=False)

    def _show(self, code: str, image: frames.Image) -> None:
        """Send the book to whom it looks different now."""
        self._images[code] = image
        looks: defaultdict[Decimal, defaultdict[int, list[View]]] = defaultdict(lambda: defaultdict(list))
        for view in self._readers.get(("orderbook", code), ()):
            looks[view.level][view.units].append(view)
        for level, by_units in looks.items():
            deepest = _deepest(image, level)
            if self._shown[code, level] != deepest:
                self._shown[code, level] = deepest
                for units, views in by_units.items():
                    self._spread(views, "orderbook", self._book(code, image, units, level, "REALTIME"))

    def _book(
        self, code: str, image: frames.Image, units: int, level: Decimal, stream: frames.Stream
    ) -> _Build:
        grouped = image.grouped(level)
        return lambda simple: frames.orderbook(
            code, grouped, stream, units=units, level=level, simple=simple,
            microseconds=code in self._microseconds,
        )  # fmt: skip

    # Beats ------------------------------------------------------------------------------------------

    def _grid(self, now_ns: int) -> None:
        for code in sorted(self._stale):
            self._show(code, self._picture(code, now_ns))
        self._stale.clear()

    def _candles(self, now_ns: int) -> None:
        now_ms, traded = now_ns // MS, self._traded
        self._traded = {}
        for (kind, code, _), bar in traded.items():
            message = frames.candle(kind, code, bar, "REALTIME", now_ms)
            self._tell(kind, code, lambda simple, message=message: message)  # type: ignore[misc]  # noqa: ARG005  # bound now, alike in both

    def _roll(self, now_ns: int) -> None:
        """Send the figures of 24 hours where old trades fell out of them."""
        codes = [code for kind, code in self._readers if kind == "ticker"]
        for code in codes:
            if self.tapes[code].rolling(now_ns // MS) != self._rolled[code]:
                self._ticker(code, now_ns // MS)
        if codes:
            self._arm("roll", after(now_ns, MINUTE_NS))

    def _indicators(self, now_ns: int) -> None:
        views = [
            view for (kind, _), some in self._readers.items() if kind.startswith("indicator") for view in some
        ]
        for view in views:
            self._calculate(view, now_ns)
        if views:
            self._arm("indicators", after(now_ns - LAG_NS, INDICATOR_NS) + LAG_NS)

    def _calculate(self, view: View, now_ns: int) -> None:
        """Send what a candle that just closed makes of the indicators; nothing where none did."""
        kind, timeframe = view.wanted.kind, view.wanted.fields["timeframe"]
        end_ms = (now_ns - LAG_NS) // MS
        if end_ms % (indicators.TIMEFRAMES_S[timeframe] * 1000):
            return
        tape = self.tapes[view.code]
        bar = tape.closed(timeframe, end_ms)
        if bar is None:
            return
        for place, asked in enumerate(view.wanted.fields["indicators"]):
            if kind == "indicator_signal":
                before, view.met[place] = view.met[place], self._met(view, asked)
                if before or not view.met[place]:
                    continue
            values = indicators.compute(asked["type"], asked["params"], tape.bars[timeframe])
            message = frames.indicator(
                kind, view.code, timeframe=timeframe, asked=asked, values=values, start_ms=bar.start_ms,
                now_ms=now_ns // MS,
            )  # fmt: skip
            self._deliver(view.line, kind, lambda simple, message=message: message, {})  # type: ignore[misc]  # noqa: ARG005  # bound now, alike in both

    def _met(self, view: View, asked: Mapping[str, Any]) -> bool:
        bars = self.tapes[view.code].bars[view.wanted.fields["timeframe"]]
        values = indicators.compute(asked["type"], asked["params"], bars)
        return indicators.is_met(asked, values, bars[-1].close)

    def _announce(self, now_ns: int) -> None:
        self._announced += 1
        self.announce(usual(self._announced, now_ns // MS), now_ns)
        if self._announce_ns:
            self._arm("announcement", now_ns + self._announce_ns)

    def announce(self, announcement: Announcement, now_ns: int) -> None:
        """Publish an announcement."""
        for view in self._readers.get(("announcement", ""), ()):
            message = announcement.message(view.wanted.fields, now_ns // MS)
            self._deliver(view.line, "announcement", lambda simple, message=message: message, {})  # type: ignore[misc]  # noqa: ARG005  # bound now, alike in both
        self._send_lists()

    # Telling ----------------------------------------------------------------------------------------

    def _arm(self, timer: _Timer, at_ns: int) -> None:
        self._timers.setdefault(timer, at_ns)

    def _tell(self, kind: str, code: str, build: _Build) -> None:
        self._spread(self._readers.get((kind, code), ()), kind, build)

    def _spread(self, views: Iterable[View], kind: str, build: _Build) -> None:
        """Once to each line, however many of its data objects asked for it."""
        written: dict[Format, str | None] = {}
        for line in {view.line.ordinal: view.line for view in views}.values():
            self._deliver(line, kind, build, written)

    def _deliver(self, line: _Line, kind: str, build: _Build, written: dict[Format, str | None]) -> None:
        """Send a message in the line's format, written once for all lines that have the same."""
        form = line.state.format
        if form not in written:
            message = build(form.startswith("SIMPLE"))
            written[form] = None if message is None else object_text(message, form)
        text = written[form]
        if text is None:
            return
        if form.endswith("LIST"):
            line.state.waiting.append((kind, text))
            self._lists[line.ordinal] = line
        else:
            line.send(kind, text)

    def _send_lists(self) -> None:
        """What came together in a list format goes out together, type by type."""
        for line in self._lists.values():
            by_kind = sorted(line.state.waiting, key=lambda entry: entry[0])
            for kind, some in groupby(by_kind, key=lambda entry: entry[0]):
                line.send(kind, in_list([text for _, text in some]))
            line.state.waiting.clear()
        self._lists.clear()


def _nothing(simple: bool) -> None:
    """The state of what has none."""
    del simple


def _deepest(image: frames.Image, level: Decimal) -> tuple[Any, Any]:
    """Everything that the deepest view of a book shows; the totals in all views are of that."""
    grouped = image.grouped(level)
    return grouped.asks[: frames.DEEPEST], grouped.bids[: frames.DEEPEST]
