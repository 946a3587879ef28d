"""One message in the four formats: long or abbreviated names, alone or in lists.

*Source:* docs.upbit.com/kr/reference, the tables of each data type; list-subscriptions; the venue's own SDK,
release 1.1.0, for announcements and indicators.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from trioquotes.simulator.venues.upbit.requests import Failure, Format, Request, Wanted

__all__ = ["STATUS", "error_text", "in_list", "listing_text", "object_text"]

STATUS = '{"status":"UP"}'

ENCODER = msgspec.json.Encoder(decimal_format="number")

COMMON = {"type": "ty", "code": "cd", "timestamp": "tms", "stream_type": "st"}

TRADED = {
    "trade_price": "tp", "trade_volume": "tv", "trade_time": "ttm", "trade_timestamp": "ttms", "ask_bid": "ab",
    "prev_closing_price": "pcp", "change": "c", "change_price": "cp",
}  # fmt: skip

CALCULATED = {
    **COMMON, "timeframe": "tf", "candle_date_time_utc": "cdttmu", "indicator": "ind", "params": "p", "value": "v",
    "trigger": "tr", "event_params": "ep",
}  # fmt: skip
SETTINGS = {
    "period": "p", "type": "t", "short_period": "shp", "long_period": "lop", "multiplier": "m", "fast": "f",
    "slow": "s", "signal_period": "sgp",
}  # fmt: skip
VALUES = {
    "volume": "vol", "avg_volume": "av", "ratio": "rto", "rsi": "rsi", "value": "value", "ma_short": "mas",
    "ma_long": "mal", "bb_upper": "bbu", "bb_middle": "bbm", "bb_lower": "bbl", "macd": "macd", "macd_signal": "macds",
    "histogram": "hist",
}  # fmt: skip

SHORT: dict[str, Mapping[str, str]] = {
    "ticker": {
        **COMMON, **TRADED, "opening_price": "op", "high_price": "hp", "low_price": "lp", "signed_change_price": "scp",
        "change_rate": "cr", "signed_change_rate": "scr", "acc_trade_volume": "atv", "acc_trade_volume_24h": "atv24h",
        "acc_trade_price": "atp", "acc_trade_price_24h": "atp24h", "trade_date": "tdt", "acc_ask_volume": "aav",
        "acc_bid_volume": "abv", "highest_52_week_price": "h52wp", "highest_52_week_date": "h52wdt",
        "lowest_52_week_price": "l52wp", "lowest_52_week_date": "l52wdt", "market_state": "ms",
        "is_trading_suspended": "its", "delisting_date": "dd", "market_warning": "mw",
    },
    "trade": {
        **COMMON, **TRADED, "trade_date": "td", "sequential_id": "sid", "best_ask_price": "bap", "best_ask_size": "bas",
        "best_bid_price": "bbp", "best_bid_size": "bbs",
    },
    "orderbook": {
        **COMMON, "total_ask_size": "tas", "total_bid_size": "tbs", "orderbook_units": "obu", "level": "lv",
    },
    "orderbook_units": {"ask_price": "ap", "bid_price": "bp", "ask_size": "as", "bid_size": "bs"},
    "candle": {
        **COMMON, "candle_date_time_utc": "cdttmu", "candle_date_time_kst": "cdttmk", "opening_price": "op",
        "high_price": "hp", "low_price": "lp", "trade_price": "tp", "candle_acc_trade_volume": "catv",
        "candle_acc_trade_price": "catp",
    },
    "myOrder": {
        **COMMON, "uuid": "uid", "ask_bid": "ab", "order_type": "ot", "state": "s", "trade_uuid": "tuid", "price": "p",
        "avg_price": "ap", "volume": "v", "remaining_volume": "rv", "executed_volume": "ev", "trades_count": "tc",
        "reserved_fee": "rsf", "remaining_fee": "rmf", "paid_fee": "pf", "locked": "l", "executed_funds": "ef",
        "time_in_force": "tif", "trade_fee": "tf", "is_maker": "im", "identifier": "id", "smp_type": "smpt",
        "prevented_volume": "pv", "prevented_locked": "pl", "trade_timestamp": "ttms", "order_timestamp": "otms",
    },
    "myAsset": {**COMMON, "asset_uuid": "astuid", "assets": "ast", "asset_timestamp": "asttms"},
    "assets": {"currency": "cu", "balance": "b", "locked": "l"},
    "announcement": {
        **COMMON, "uuid": "uid", "event_type": "et", "category": "cat", "title": "tt", "body": "bd", "url": "url",
        "first_listed_at": "flat", "listed_at": "lat",
    },
    "indicator": CALCULATED, "indicator_signal": CALCULATED, "params": SETTINGS, "value": VALUES,
    "event_params": {"multiplier": "mul", "threshold": "th"},
}  # fmt: skip
"""Abbreviations by type of message, and by the field that holds further objects."""

LISTED = {
    "type": "ty", "codes": "cds", "level": "lv", "categories": "cat", "include_body": "ib", "timeframe": "tf",
    "indicators": "inds",
}  # fmt: skip
"""Of LIST_SUBSCRIPTIONS; documented are the first three."""

MESSAGE_FIRST = frozenset({"INVALID_PARAM", "WRONG_FORMAT"})
"""Errors whose words were recorded before their name."""


def object_text(message: Mapping[str, Any], form: Format) -> str:
    """A message as JSON, in long or in abbreviated names; lists are made by :func:`in_list`."""
    if form.startswith("SIMPLE"):
        kind = str(message["type"])
        message = _abbreviated(message, "candle" if kind.startswith("candle.") else kind)
    return ENCODER.encode(message).decode()


def _abbreviated(message: Mapping[str, Any], table: str) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, value in message.items():
        inner = value
        if isinstance(value, Mapping):
            inner = _abbreviated(value, name)
        elif isinstance(value, list):
            inner = [_abbreviated(item, name) for item in value]
        out[SHORT[table][name]] = inner
    return out


def in_list(texts: Sequence[str]) -> str:
    """Several messages in one frame of a list format."""
    return f"[{','.join(texts)}]"


def listing_text(request: Request, wanted: Sequence[Wanted], form: Format) -> str:
    """The answer to LIST_SUBSCRIPTIONS."""
    simple = form.startswith("SIMPLE")
    result: list[dict[str, Any]] = []
    for one in wanted:
        entry: dict[str, Any] = {"type": one.kind}
        if one.codes is not None:
            entry["codes"] = list(one.codes)
        if one.kind == "orderbook":
            entry["level"] = msgspec.Raw(format(one.level.normalize(), "f").encode())
        entry |= one.fields
        result.append({LISTED[name]: value for name, value in entry.items()} if simple else entry)
    names = ("mthd", "rslt", "tckt") if simple else ("method", "result", "ticket")
    answer = dict(zip(names, ("LIST_SUBSCRIPTIONS", result, request.ticket), strict=True))
    text = ENCODER.encode(answer).decode()
    return in_list([text]) if form.endswith("LIST") else text


def error_text(failure: Failure) -> str:
    """An error, with long names in every format."""
    fields = {"name": failure.name, "message": failure.message}
    if failure.name in MESSAGE_FIRST:
        fields = dict(reversed(fields.items()))
    return ENCODER.encode({"error": fields}).decode()
