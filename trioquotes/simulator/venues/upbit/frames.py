"""The venue's public messages, built as plain dictionaries with long names.

*Source:* docs.upbit.com/kr/reference/websocket-ticker, -trade, -orderbook and -candle; order of the fields and
spelling of the numbers as recorded, which differ between the formats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any, Literal, TypeAlias

import attrs

from trioquotes.simulator.book import Book
from trioquotes.simulator.venues.upbit.tape import ZERO, Candle, Print, Tape
from trioquotes.simulator.venues.upbit.texts import (
    EXACT,
    bare,
    basic_date,
    basic_time,
    date_text,
    double,
    iso_text,
    kst_text,
    number,
    padded,
    plain,
    pointed,
    time_text,
)

__all__ = ["DEEPEST", "DEPTHS", "Image", "Stream", "candle", "indicator", "orderbook", "ticker", "trade"]

Stream: TypeAlias = Literal["SNAPSHOT", "REALTIME"]

DEPTHS = {"1": 1, "5": 5, "15": 15, "30": 30}
"""Numbers of levels by the suffix that asks for them; any other number gets the deepest."""

DEEPEST = 30
RATE_PLACES = Decimal("1E-10")


@attrs.frozen
class Image:
    """A book at one moment.

    Attributes:
        asks: price and size, best first; ``bids`` alike.
        time_ms: of its last change, Unix milliseconds; KRW books change on a grid only.
    """

    asks: tuple[tuple[Decimal, Decimal], ...]
    bids: tuple[tuple[Decimal, Decimal], ...]
    time_ms: int

    @staticmethod
    def of(book: Book, time_ms: int) -> Image:
        """The book as it stands."""
        asks = tuple((price, size) for price, size, _ in book.levels("sell"))
        bids = tuple((price, size) for price, size, _ in book.levels("buy"))
        return Image(asks, bids, time_ms)

    def grouped(self, level: Decimal) -> Image:
        """Asks rounded up and bids down to multiples of a level; 0 leaves them."""
        if not level:
            return self
        asks: dict[Decimal, Decimal] = {}
        bids: dict[Decimal, Decimal] = {}
        with localcontext(EXACT):
            for price, size in self.asks:
                at = (price // level + (1 if price % level else 0)) * level
                asks[at] = asks.get(at, ZERO) + size
            for price, size in self.bids:
                at = price // level * level
                bids[at] = bids.get(at, ZERO) + size
        return Image(tuple(asks.items()), tuple((p, s) for p, s in bids.items() if p), self.time_ms)


def orderbook(
    code: str, image: Image, stream: Stream, *, units: int, level: Decimal, simple: bool,
    microseconds: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """The whole of the best levels; the shorter side is filled up with zeros.

    Args:
        code: of the market, without a suffix.
        image: already grouped.
        stream: what it is sent as.
        units: how many levels.
        level: told as it was asked for.
        simple: SIMPLE spells prices and sizes otherwise than DEFAULT.
        microseconds: whether the time is told in them, as was seen in USDT markets in 2023.
    """
    asks, bids = image.asks[:units], image.bids[:units]
    nothing = (ZERO, ZERO)
    rows = [
        (asks[n] if n < len(asks) else nothing, bids[n] if n < len(bids) else nothing)
        for n in range(max(len(asks), len(bids)))
    ]
    price, size = (bare, bare) if simple else (double, _eight)

    def shown(spell: Any, value: Decimal) -> Any:
        return spell(value) if value else 0

    return {
        "type": "orderbook", "code": code, "timestamp": image.time_ms * (1000 if microseconds else 1),
        "total_ask_size": _total(image.asks, simple=simple), "total_bid_size": _total(image.bids, simple=simple),
        "orderbook_units": [
            {
                "ask_price": shown(price, ask[0]), "bid_price": shown(price, bid[0]),
                "ask_size": shown(size, ask[1]), "bid_size": shown(size, bid[1]),
            }
            for ask, bid in rows
        ],
        "stream_type": stream, "level": plain(level),
    }  # fmt: skip


def _total(levels: Sequence[tuple[Decimal, Decimal]], *, simple: bool) -> Any:
    """Of the deepest view, however many levels are asked for."""
    with localcontext(EXACT):
        total = sum((size for _, size in levels[:DEEPEST]), ZERO)
    return plain(total) if simple else _eight(total)


def _eight(value: Decimal) -> Any:
    return padded(value, 8)


def _change(made: Print) -> str:
    return "RISE" if made.price > made.previous else "FALL" if made.price < made.previous else "EVEN"


def trade(code: str, made: Print, stream: Stream, now_ms: int, *, simple: bool) -> dict[str, Any]:
    """A trade; of those made before anybody looked the best prices are not known, so they are left out."""
    frame: dict[str, Any] = {
        "type": "trade", "code": code, "timestamp": now_ms, "trade_date": date_text(made.time_ms),
        "trade_time": time_text(made.time_ms), "trade_timestamp": made.time_ms,
        "trade_price": pointed(made.price) if simple else _eight(made.price),
        "trade_volume": plain(made.size) if simple else _eight(made.size),
        "ask_bid": "ASK" if made.side == "sell" else "BID", "prev_closing_price": _eight(made.previous),
        "change": _change(made), "change_price": _eight(abs(made.price - made.previous)),
        "sequential_id": made.number,
    }  # fmt: skip
    for word, best in (("ask", made.ask), ("bid", made.bid)):
        if best is not None:
            frame |= {f"best_{word}_price": plain(best[0]), f"best_{word}_size": plain(best[1])}
    return {**frame, "stream_type": stream}


def ticker(code: str, tape: Tape, stream: Stream, now_ms: int, *, simple: bool) -> dict[str, Any] | None:
    """The figures of the day and of 24 hours; ``None`` for a market that never traded."""
    made, day = tape.last, tape.day
    if made is None or day is None:
        return None
    volume_24h, funds_24h = tape.rolling(now_ms)
    price = pointed if simple else (lambda value: padded(value, 4))
    steady = pointed if simple else _eight
    exact = plain if simple else _eight
    moved = made.price - made.previous
    with localcontext(EXACT):
        rate = (moved / made.previous).quantize(RATE_PLACES, ROUND_HALF_UP)
        volume = day.asked + day.bid
    (high, high_ms), (low, low_ms) = tape.year["high"], tape.year["low"]
    return {
        "type": "ticker", "code": code, "opening_price": price(day.candle.open), "high_price": price(day.candle.high),
        "low_price": price(day.candle.low), "trade_price": price(made.price),
        "prev_closing_price": steady(made.previous),
        "acc_trade_price": plain(day.candle.funds) if simple else padded(day.candle.funds, 12),
        "change": _change(made), "change_price": steady(abs(moved)), "signed_change_price": steady(moved),
        "change_rate": number(format(abs(rate), "f")), "signed_change_rate": number(format(rate, "f")),
        "ask_bid": "ASK" if made.side == "sell" else "BID", "trade_volume": plain(made.size),
        "acc_trade_volume": plain(volume), "trade_date": basic_date(made.time_ms),
        "trade_time": basic_time(made.time_ms), "trade_timestamp": made.time_ms, "acc_ask_volume": exact(day.asked),
        "acc_bid_volume": exact(day.bid), "highest_52_week_price": steady(high),
        "highest_52_week_date": date_text(high_ms), "lowest_52_week_price": steady(low),
        "lowest_52_week_date": date_text(low_ms), "market_state": "ACTIVE", "is_trading_suspended": False,
        "delisting_date": None, "market_warning": "NONE", "timestamp": now_ms, "acc_trade_price_24h": exact(funds_24h),
        "acc_trade_volume_24h": exact(volume_24h), "stream_type": stream,
    }  # fmt: skip


def candle(kind: str, code: str, bar: Candle, stream: Stream, now_ms: int) -> dict[str, Any]:
    """A candle; its numbers are spelled alike in all formats."""
    return {
        "type": kind, "code": code, "candle_date_time_utc": iso_text(bar.start_ms),
        "candle_date_time_kst": kst_text(bar.start_ms), "opening_price": _eight(bar.open),
        "high_price": _eight(bar.high), "low_price": _eight(bar.low), "trade_price": _eight(bar.close),
        "candle_acc_trade_volume": _eight(bar.volume), "candle_acc_trade_price": _eight(bar.funds),
        "timestamp": now_ms, "stream_type": stream,
    }  # fmt: skip


def indicator(
    kind: str, code: str, *, timeframe: str, asked: Mapping[str, Any], values: Mapping[str, Decimal],
    start_ms: int, now_ms: int,
) -> dict[str, Any]:  # fmt: skip
    """The values of an indicator after a candle, or that a condition came to be met.

    Args:
        kind: ``indicator`` or ``indicator_signal``.
        code: of the market.
        timeframe: length of the candles.
        asked: the definition.
        values: what was computed.
        start_ms: when the candle began, Unix milliseconds.
        now_ms: the time of the frame.
    """
    frame: dict[str, Any] = {
        "type": kind, "code": code, "timeframe": timeframe, "candle_date_time_utc": iso_text(start_ms),
        "indicator": asked["type"], "params": _known(asked["params"], SETTINGS_TOLD),
    }  # fmt: skip
    if kind == "indicator_signal":
        frame["trigger"] = asked["trigger"]
        frame["event_params"] = _known(asked.get("event_params") or {}, ("multiplier", "threshold"))
    told = {name: plain(value) for name, value in values.items()}
    return {**frame, "value": told, "timestamp": now_ms, "stream_type": "REALTIME"}


SETTINGS_TOLD = (
    "period",
    "type",
    "short_period",
    "long_period",
    "multiplier",
    "fast",
    "slow",
    "signal_period",
)


def _known(settings: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: settings[name] for name in names if name in settings}
