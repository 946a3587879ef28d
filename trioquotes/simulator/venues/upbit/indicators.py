"""The technical indicators that the venue offers: what may be asked for, and how each is computed; pure.

*Source:* docs.upbit.com/kr/reference/websocket-indicator and websocket-indicator-signal; the venue's own SDK,
release 1.1.0, for the values each setting may have and for the names in the answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, localcontext
from itertools import pairwise
from typing import Any

import attrs

from trioquotes.simulator.venues.upbit.texts import EXACT

__all__ = ["BARS_KEPT", "TIMEFRAMES_S", "Bar", "compute", "is_definition", "is_met"]

TIMEFRAMES_S = {"5m": 300, "15m": 900, "60m": 3_600, "240m": 14_400, "1d": 86_400}

BARS_KEPT = 260
"""Closed candles kept for each timeframe; the longest average looks at 200."""

AVERAGES = frozenset({"SMA", "EMA"})
CROSSOVERS = frozenset({(5, 20), (20, 60), (30, 90), (50, 200)})
MACDS = frozenset({(12, 26, 9), (8, 17, 9), (5, 35, 5)})

PERIODS = {
    "volume": frozenset(range(5, 55, 5)),
    "rsi": frozenset({*range(2, 15), 21, 25}),
    "moving_average": frozenset({3, 5, 7, 10, 15, 20, 25, 30, 50, 60, 90, 99, 100, 120, 200}),
    "bollinger_bands": frozenset({10, 20, 50}),
}
SIGNAL_PERIODS = {
    "volume": frozenset({10, 20, 50}),
    "rsi": frozenset({7, 9, 14, 21, 25}),
    "moving_average": frozenset({5, 10, 20, 30, 60, 90, 120, 200}),
    "bollinger_bands": frozenset({20}),
}
TRIGGERS: dict[str, dict[str, tuple[str, frozenset[int]] | None]] = {
    "volume": {"volume_spike": ("multiplier", frozenset({2, 3, 5}))},
    "rsi": {
        "overbought": ("threshold", frozenset({70, 80})),
        "oversold": ("threshold", frozenset({20, 30})),
    },
    "moving_average": {"price_cross_above": None, "price_cross_below": None},
    "ma_crossover": {"golden_cross": None, "dead_cross": None},
    "bollinger_bands": {"price_cross_above": None, "price_cross_below": None},
    "macd": {"golden_cross": None, "dead_cross": None, "zero_cross_above": None, "zero_cross_below": None},
}
"""Conditions by indicator, each with the setting that it needs and that setting's values."""

PLACES = Decimal("1E-8")
ZERO = Decimal(0)


@attrs.frozen
class Bar:
    """A closed candle, as far as indicators look at it.

    Attributes:
        start_ms: when it began, Unix milliseconds.
        close: its last price.
        volume: in base units.
    """

    start_ms: int
    close: Decimal
    volume: Decimal


def is_definition(asked: Any, *, signal: bool) -> bool:
    """Whether the venue computes what is asked for.

    Args:
        asked: one entry of ``indicators`` in a request.
        signal: whether it is for ``indicator_signal``, which needs a trigger and takes fewer settings.
    """
    if not isinstance(asked, Mapping) or not isinstance(asked.get("params"), Mapping):
        return False
    kind = asked.get("type")
    if not isinstance(kind, str) or kind not in TRIGGERS:
        return False
    good = _settings_good(kind, asked["params"], SIGNAL_PERIODS if signal else PERIODS)
    return good and (not signal or _trigger_good(kind, asked))


def _settings_good(kind: str, params: Mapping[str, Any], periods: Mapping[str, frozenset[int]]) -> bool:
    whole = (value for name, value in params.items() if name != "multiplier")
    if any(isinstance(value, Decimal) for value in whole):
        return False
    if kind in {"moving_average", "ma_crossover"} and not _among(params.get("type"), AVERAGES):
        return False
    if kind == "ma_crossover":
        return _among((params.get("short_period"), params.get("long_period")), CROSSOVERS)
    if kind == "macd":
        return _among((params.get("fast"), params.get("slow"), params.get("signal_period")), MACDS)
    if kind == "bollinger_bands":
        multiplier = params.get("multiplier")
        if isinstance(multiplier, bool) or not isinstance(multiplier, int | Decimal) or multiplier <= 0:
            return False
    return _among(params.get("period"), periods[kind])


def _trigger_good(kind: str, asked: Mapping[str, Any]) -> bool:
    trigger = asked.get("trigger")
    if not isinstance(trigger, str) or trigger not in TRIGGERS[kind]:
        return False
    needs = TRIGGERS[kind][trigger]
    if needs is None:
        return True
    settings = asked.get("event_params")
    return isinstance(settings, Mapping) and _among(settings.get(needs[0]), needs[1])


def _among(value: Any, allowed: frozenset[Any]) -> bool:
    """Whether a value of any type is among those allowed."""
    try:
        return value in allowed
    except TypeError:  # a list or an object
        return False


def compute(kind: str, params: Mapping[str, Any], bars: Sequence[Bar]) -> dict[str, Decimal]:
    """The values of an indicator after the last of these candles, rounded to 8 decimals.

    Args:
        kind: the indicator.
        params: its settings.
        bars: closed candles, oldest first, at least as many as the longest period.
    """
    with localcontext(EXACT):
        return {name: value.quantize(PLACES) for name, value in COMPUTED[kind](params, bars).items()}


def _volume(params: Mapping[str, Any], bars: Sequence[Bar]) -> dict[str, Decimal]:
    volumes = [bar.volume for bar in bars]
    average = _mean(volumes[-params["period"] :])
    return {"volume": volumes[-1], "avg_volume": average, "ratio": volumes[-1] / average}


def _rsi(params: Mapping[str, Any], bars: Sequence[Bar]) -> dict[str, Decimal]:
    """Wilder's smoothing, as in the venue's tutorial on the index."""
    period = params["period"]
    moves = [after - before for before, after in pairwise(_closes(bars))]
    up = _mean([max(move, ZERO) for move in moves[:period]])
    down = _mean([max(-move, ZERO) for move in moves[:period]])
    for move in moves[period:]:
        up = (up * (period - 1) + max(move, ZERO)) / period
        down = (down * (period - 1) + max(-move, ZERO)) / period
    return {"rsi": 100 * up / (up + down) if up + down else Decimal(50)}


def _moving_average(params: Mapping[str, Any], bars: Sequence[Bar]) -> dict[str, Decimal]:
    return {"value": _average(params["type"], params["period"], _closes(bars))}


def _ma_crossover(params: Mapping[str, Any], bars: Sequence[Bar]) -> dict[str, Decimal]:
    return {
        "ma_short": _average(params["type"], params["short_period"], _closes(bars)),
        "ma_long": _average(params["type"], params["long_period"], _closes(bars)),
    }


def _bollinger_bands(params: Mapping[str, Any], bars: Sequence[Bar]) -> dict[str, Decimal]:
    window = _closes(bars)[-params["period"] :]
    middle = _mean(window)
    away = _mean([(close - middle) ** 2 for close in window]).sqrt() * params["multiplier"]
    return {"bb_upper": middle + away, "bb_middle": middle, "bb_lower": middle - away}


def _macd(params: Mapping[str, Any], bars: Sequence[Bar]) -> dict[str, Decimal]:
    fast, slow = (_exponential(params[name], _closes(bars)) for name in ("fast", "slow"))
    lines = [quick - lazy for quick, lazy in zip(fast[-len(slow) :], slow, strict=True)]
    signal = _exponential(params["signal_period"], lines)[-1]
    return {"macd": lines[-1], "macd_signal": signal, "histogram": lines[-1] - signal}


def _closes(bars: Sequence[Bar]) -> list[Decimal]:
    return [bar.close for bar in bars]


def _average(form: str, period: int, closes: list[Decimal]) -> Decimal:
    return _mean(closes[-period:]) if form == "SMA" else _exponential(period, closes)[-1]


def _exponential(period: int, values: list[Decimal]) -> list[Decimal]:
    """The exponential average from where it begins, which is the plain one of the first values."""
    out = [_mean(values[:period])]
    for value in values[period:]:
        out.append(out[-1] + (value - out[-1]) * 2 / (period + 1))
    return out


def _mean(values: Sequence[Decimal]) -> Decimal:
    return sum(values, ZERO) / len(values)


COMPUTED: dict[str, Callable[[Mapping[str, Any], Sequence[Bar]], dict[str, Decimal]]] = {
    "volume": _volume, "rsi": _rsi, "moving_average": _moving_average, "ma_crossover": _ma_crossover,
    "bollinger_bands": _bollinger_bands, "macd": _macd,
}  # fmt: skip


def is_met(asked: Mapping[str, Any], values: Mapping[str, Decimal], close: Decimal) -> bool:
    """Whether the condition of a signal holds after a candle.

    Args:
        asked: the signal's definition.
        values: as :func:`compute` gives them.
        close: the candle's last price.
    """
    settings = asked.get("event_params") or {}
    match asked["type"], asked["trigger"]:
        case "volume", _:
            return bool(values["ratio"] >= settings["multiplier"])
        case "rsi", "overbought":
            return bool(values["rsi"] >= settings["threshold"])
        case "rsi", _:
            return bool(values["rsi"] <= settings["threshold"])
        case "moving_average", trigger:
            return _beyond(close, values["value"], above=trigger == "price_cross_above")
        case "ma_crossover", trigger:
            return _beyond(values["ma_short"], values["ma_long"], above=trigger == "golden_cross")
        case "bollinger_bands", "price_cross_above":
            return close > values["bb_upper"]
        case "bollinger_bands", _:
            return close < values["bb_lower"]
        case _, "golden_cross" | "dead_cross" as trigger:
            return _beyond(values["macd"], values["macd_signal"], above=trigger == "golden_cross")
        case _, trigger:
            return _beyond(values["macd"], ZERO, above=trigger == "zero_cross_above")


def _beyond(value: Decimal, mark: Decimal, *, above: bool) -> bool:
    return value > mark if above else value < mark
