"""One market's trades, and the figures, candles and bars that follow from them; pure: time comes with the trades."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable
from decimal import Decimal, localcontext

import attrs

from trioquotes.simulator.floor import Listing, floor_to
from trioquotes.simulator.happenings import Matched, Side
from trioquotes.simulator.venues.upbit.indicators import BARS_KEPT, TIMEFRAMES_S, Bar
from trioquotes.simulator.venues.upbit.requests import CANDLES_S
from trioquotes.simulator.venues.upbit.texts import EXACT

__all__ = ["FRAME_LAG_MS", "Candle", "Day", "Print", "Tape"]

FRAME_LAG_MS = 40
"""A frame is made so long after the trade that it tells of; recorded were 35 to 60 ms."""

PRINTS_KEPT = 10_000
"""How many trades stay readable, as far back as the REST side serves them."""

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
ZERO = Decimal(0)


@attrs.frozen
class Print:
    """A trade as the venue tells it.

    Attributes:
        number: the sequential id: unique, of 17 digits, and in no reliable order.
        time_ms: when it was made, Unix milliseconds.
        side: the taker's.
        previous: the price at which the day before closed.
        bid: best price right after it, and ``ask``; ``None`` where the side was empty or nobody knows.
    """

    number: int
    time_ms: int
    side: Side
    price: Decimal
    size: Decimal
    previous: Decimal
    bid: tuple[Decimal, Decimal] | None = None
    ask: tuple[Decimal, Decimal] | None = None


@attrs.define
class Candle:
    """The trades of one interval.

    Attributes:
        start_ms: when it begins, Unix milliseconds.
        funds: what was paid, in quote units.
    """

    start_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal = ZERO
    funds: Decimal = ZERO

    def add(self, price: Decimal, size: Decimal) -> None:
        """Count a trade."""
        self.high, self.low, self.close = max(self.high, price), min(self.low, price), price
        self.volume += size
        self.funds += price * size


@attrs.define
class Day:
    """The figures since midnight UTC.

    Attributes:
        candle: of the day.
        asked: what sellers took, in base units; ``bid`` what buyers took.
    """

    candle: Candle
    asked: Decimal = ZERO
    bid: Decimal = ZERO


class Tape:
    """What one market has traded.

    Args:
        listing: what is traded.
        start_ms: where the history ends, Unix milliseconds.
        seed: of the history.

    Attributes:
        prints: the latest trades, oldest first.
        day: figures of the day of the last trade; ``None`` before the first.
        previous: the close of the day before that.
        candles: the current one of each type.
        bars: closed candles of the timeframes of indicators, oldest first.
        year: highest and lowest price of 52 weeks, each with the time of its day.
    """

    def __init__(self, listing: Listing, start_ms: int, seed: int) -> None:
        rng = random.Random(f"{seed}/{listing.instrument}/tape")  # noqa: S311  # a simulation, no secret
        self.prints: deque[Print] = deque(maxlen=PRINTS_KEPT)
        self.day: Day | None = None
        self.previous = listing.reference
        self.candles: dict[str, Candle] = {}
        self.bars: dict[str, deque[Bar]] = {name: deque(maxlen=BARS_KEPT) for name in TIMEFRAMES_S}
        self.year: dict[str, tuple[Decimal, int]] = {}
        self._running: dict[str, Candle] = {}
        self._recent: deque[Print] = deque()
        self._volume_24h = self._funds_24h = ZERO
        self._in_ms: tuple[int, int] = (0, 0)
        self._remember(listing, start_ms, rng)

    def _remember(self, listing: Listing, start_ms: int, rng: random.Random) -> None:
        """Invent a past: long bars by themselves, and a trade for each of the last hours."""
        for name, length_s in TIMEFRAMES_S.items():
            length_ms = length_s * 1000
            first_ms = start_ms - start_ms % length_ms - BARS_KEPT * length_ms
            for place in range(BARS_KEPT):
                close = max(listing.reference + listing.tick * rng.randint(-400, 400), listing.tick)
                volume = listing.lot * rng.randint(50, 500)
                self.bars[name].append(Bar(first_ms + place * length_ms, close, volume))
        if not listing.traded:
            return
        for word, percent, days in (("high", 140, 200), ("low", 60, 100)):
            price = floor_to(listing.reference * percent / 100, listing.tick) + listing.tick
            self.year[word] = (price, start_ms - days * DAY_MS)
        for hour in range(25, 0, -1):
            price = max(listing.reference + listing.tick * rng.randint(-400, 400), listing.tick)
            size = floor_to(listing.lot * rng.randint(100, 5000) / 10, listing.step)
            side: Side = rng.choice(["buy", "sell"])
            self._add(start_ms - hour * HOUR_MS, side, price, max(size, listing.step))

    @property
    def last(self) -> Print | None:
        """The latest trade, or ``None`` where there was none."""
        return self.prints[-1] if self.prints else None

    def add(self, trade: Matched) -> Print:
        """Take down a trade; the happening's time is when its frame is made."""
        now, standing = trade.time_ns // 10**6, trade.standing
        bid = None if standing.bid is None else (standing.bid, standing.bid_size)
        ask = None if standing.ask is None else (standing.ask, standing.ask_size)
        return self._add(now - FRAME_LAG_MS, trade.taker_side, trade.price, trade.size, bid=bid, ask=ask)

    def add_all(self, trades: Iterable[Matched]) -> None:
        """Take down what was traded before anybody looked."""
        for trade in trades:
            self.add(trade)

    def _add(
        self, time_ms: int, side: Side, price: Decimal, size: Decimal, *,
        bid: tuple[Decimal, Decimal] | None = None, ask: tuple[Decimal, Decimal] | None = None,
    ) -> Print:  # fmt: skip
        with localcontext(EXACT):
            self._count_day(time_ms, side, price, size)
            made = Print(self._number(time_ms), time_ms, side, price, size, self.previous, bid, ask)
            self.prints.append(made)
            self._recent.append(made)
            self._volume_24h += size
            self._funds_24h += price * size
            for name, length_s in CANDLES_S.items():
                self.candles[name] = _counted(self.candles.get(name), time_ms, length_s, price, size)
            for name, length_s in TIMEFRAMES_S.items():
                self._close(name, time_ms)
                self._running[name] = _counted(self._running.get(name), time_ms, length_s, price, size)
        return made

    def _number(self, time_ms: int) -> int:
        """Milliseconds and four more digits; within one millisecond every second pair is swapped."""
        last_ms, count = self._in_ms
        count = count + 1 if last_ms == time_ms else 0
        self._in_ms = (time_ms, count)
        return time_ms * 10_000 + (count ^ 1)

    def _count_day(self, time_ms: int, side: Side, price: Decimal, size: Decimal) -> None:
        start_ms = time_ms - time_ms % DAY_MS
        if self.day is None or self.day.candle.start_ms != start_ms:
            if self.day is not None:
                self.previous = self.day.candle.close
            self.day = Day(Candle(start_ms, price, price, price, price))
        self.day.candle.add(price, size)
        if side == "sell":
            self.day.asked += size
        else:
            self.day.bid += size
        if price > self.year.get("high", (ZERO, 0))[0]:
            self.year["high"] = (price, start_ms)
        if "low" not in self.year or price < self.year["low"][0]:
            self.year["low"] = (price, start_ms)

    def rolling(self, now_ms: int) -> tuple[Decimal, Decimal]:
        """Volume and funds of the last 24 hours."""
        with localcontext(EXACT):
            while self._recent and self._recent[0].time_ms <= now_ms - DAY_MS:
                gone = self._recent.popleft()
                self._volume_24h -= gone.size
                self._funds_24h -= gone.price * gone.size
        return self._volume_24h, self._funds_24h

    def closed(self, name: str, now_ms: int) -> Bar | None:
        """The bar of a timeframe that ended last before now, if anything was traded in it."""
        self._close(name, now_ms)
        length_ms = TIMEFRAMES_S[name] * 1000
        bar = self.bars[name][-1]
        return bar if bar.start_ms == now_ms - now_ms % length_ms - length_ms else None

    def _close(self, name: str, now_ms: int) -> None:
        running = self._running.get(name)
        if running is not None and running.start_ms + TIMEFRAMES_S[name] * 1000 <= now_ms:
            bars = self.bars[name]
            if running.start_ms > bars[-1].start_ms:
                bars.append(Bar(running.start_ms, running.close, running.volume))
            del self._running[name]


def _counted(candle: Candle | None, time_ms: int, length_s: int, price: Decimal, size: Decimal) -> Candle:
    """The candle with one more trade, or the next one."""
    start_ms = time_ms - time_ms % (length_s * 1000)
    if candle is None or candle.start_ms != start_ms:
        candle = Candle(start_ms, price, price, price, price)
    candle.add(price, size)
    return candle
