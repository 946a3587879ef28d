"""The four formats of the wire, read to the same messages.

DEFAULT and SIMPLE differ in the names of the fields, the list formats put such objects in an array. Which one
a frame is in is seen from the frame.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from functools import partial
from types import GenericAlias
from typing import Any, Final, get_args, get_origin

import msgspec

from trioquotes._protocol.codec import BadFrame, explain
from trioquotes.venues.upbit import messages as wire
from trioquotes.venues.upbit.numbers import ExactReader
from trioquotes.venues.upbit.units import OrderbookReader

__all__ = [
    "ABBREVIATIONS",
    "FORMATS",
    "INTERVALS",
    "control",
    "markets",
    "orderbook_reader",
    "reader_of",
    "reader_of_kind",
    "split",
    "with_type",
]

FORMATS: Final = ("DEFAULT", "SIMPLE", "JSON_LIST", "SIMPLE_LIST")
"""*Source:* WebSocket guide, "Format"; the list formats since July 2025."""

INTERVALS: Final = ("1s", "1m", "3m", "5m", "10m", "15m", "30m", "60m", "240m")
"""*Source:* WebSocket reference, "Candle"."""

ABBREVIATIONS: Final[Mapping[str, Mapping[str, str]]] = {
    "Message": {"type": "ty", "code": "cd", "timestamp": "tms", "stream_type": "st"},
    "Ticker": {
        "opening_price": "op", "high_price": "hp", "low_price": "lp", "trade_price": "tp", "prev_closing_price": "pcp",
        "change": "c", "change_price": "cp", "signed_change_price": "scp", "change_rate": "cr",
        "signed_change_rate": "scr", "trade_volume": "tv", "acc_trade_volume": "atv",
        "acc_trade_volume_24h": "atv24h", "acc_trade_price": "atp", "acc_trade_price_24h": "atp24h",
        "trade_date": "tdt", "trade_time": "ttm", "trade_timestamp": "ttms", "ask_bid": "ab", "acc_ask_volume": "aav",
        "acc_bid_volume": "abv", "highest_52_week_price": "h52wp", "highest_52_week_date": "h52wdt",
        "lowest_52_week_price": "l52wp", "lowest_52_week_date": "l52wdt", "market_state": "ms",
        "is_trading_suspended": "its", "delisting_date": "dd", "market_warning": "mw", "trade_status": "ts",
        "market_state_for_ios": "msfi",
    },
    "Trade": {
        "trade_price": "tp", "trade_volume": "tv", "ask_bid": "ab", "prev_closing_price": "pcp", "change": "c",
        "change_price": "cp", "trade_date": "td", "trade_time": "ttm", "trade_timestamp": "ttms",
        "sequential_id": "sid", "best_ask_price": "bap", "best_ask_size": "bas", "best_bid_price": "bbp",
        "best_bid_size": "bbs",
    },
    "OrderbookUnit": {"ask_price": "ap", "bid_price": "bp", "ask_size": "as", "bid_size": "bs"},
    "Orderbook": {"orderbook_units": "obu", "total_ask_size": "tas", "total_bid_size": "tbs", "level": "lv"},
    "Candle": {
        "candle_date_time_utc": "cdttmu", "candle_date_time_kst": "cdttmk", "opening_price": "op",
        "high_price": "hp", "low_price": "lp", "trade_price": "tp", "candle_acc_trade_volume": "catv",
        "candle_acc_trade_price": "catp",
    },
    "MyOrder": {
        "uuid": "uid", "ask_bid": "ab", "order_type": "ot", "state": "s", "trade_uuid": "tuid", "price": "p",
        "avg_price": "ap", "volume": "v", "remaining_volume": "rv", "executed_volume": "ev", "trades_count": "tc",
        "reserved_fee": "rsf", "remaining_fee": "rmf", "paid_fee": "pf", "locked": "l", "executed_funds": "ef",
        "time_in_force": "tif", "trade_fee": "tf", "is_maker": "im", "identifier": "id", "smp_type": "smpt",
        "prevented_volume": "pv", "prevented_locked": "pl", "trade_timestamp": "ttms", "order_timestamp": "otms",
    },
    "Asset": {"currency": "cu", "balance": "b", "locked": "l"},
    "MyAsset": {"asset_uuid": "astuid", "assets": "ast", "asset_timestamp": "asttms"},
    "Subscription": {"type": "ty", "codes": "cds", "level": "lv"},
    "Subscriptions": {"method": "mthd", "result": "rslt", "ticket": "tckt"},
}  # fmt: skip
"""Names of the SIMPLE format by those of the DEFAULT one, type by type: one short name has several meanings.

*Source:* WebSocket reference, the tables of each type.
"""


def _renamed(
    kind: type[Any], names: Mapping[str, str], prefix: str, without: Container[str] = ()
) -> type[msgspec.Struct]:
    """A class with the same fields under other names on the wire; those of our own are left out."""
    fields: list[tuple[str, Any, Any]] = []
    for field in msgspec.structs.fields(kind):
        if field.encode_name.startswith("~") or field.name in without:
            continue
        name = names.get(field.name, field.name)
        named = (
            msgspec.field(name=name) if field.required else msgspec.field(name=name, default=field.default)
        )
        item = _item_of(field.type)
        hint: Any = field.type if item is None else GenericAlias(tuple, (_short(item), ...))
        fields.append((field.name, hint, named))
    return msgspec.defstruct(f"{prefix}{kind.__name__}", fields, kw_only=True, frozen=True)


def _short(kind: type[Any], without: Container[str] = ()) -> type[msgspec.Struct]:
    """The class with the names of the SIMPLE format."""
    names = {**ABBREVIATIONS["Message"], **ABBREVIATIONS[kind.__name__]}
    return _renamed(kind, names, "Short", without)


def _item_of(hint: Any) -> type[msgspec.Struct] | None:
    """The class of the items of a tuple of messages."""
    if get_origin(hint) is tuple:
        item = get_args(hint)[0]
        return item if isinstance(item, type) and issubclass(item, msgspec.Struct) else None
    return None


def _long(kind: type[Any]) -> Callable[[Any], Any]:
    """What makes a message of its short form."""
    if any(_item_of(field.type) is not None for field in msgspec.structs.fields(kind)):
        return partial(msgspec.convert, type=kind, from_attributes=True)

    def make(short: Any) -> Any:
        return kind(**msgspec.structs.asdict(short))

    return make


_OPEN_NAMES: Final = {"type": "ty", "code": "cd", "timestamp": "tms", "stream_type": "st"}


def _open(kind: type[Any], *, simple: bool) -> Callable[[Any], Any]:
    """What makes a message of a whole object, of which only a few fields are known."""
    names = {
        name: _OPEN_NAMES.get(name, name) if simple else name
        for name in kind.__struct_fields__
        if name not in {"received_ns", "raw", "fields"}
    }

    def make(found: dict[str, Any]) -> Any:
        known = {name: found[key] for name, key in names.items() if key in found}
        return msgspec.convert({**known, "fields": found}, kind)

    return make


_KINDS: Final[Mapping[str, type[wire.Message]]] = {
    "ticker": wire.Ticker,
    "trade": wire.Trade,
    "orderbook": wire.Orderbook,
    **{f"candle.{interval}": wire.Candle for interval in INTERVALS},
    "myOrder": wire.MyOrder,
    "myAsset": wire.MyAsset,
    "announcement": wire.Announcement,
    "indicator": wire.Indicator,
    "indicator_signal": wire.IndicatorSignal,
}


def orderbook_reader(*, simple: bool) -> OrderbookReader:
    """A reader of order books that has not seen any."""
    kind, without = wire.Orderbook, {"orderbook_units"}
    if simple:
        return OrderbookReader(_short(kind), _short(kind, without), _long(kind))
    return OrderbookReader(kind, _renamed(kind, {}, "Long", without))


def _reader(kind: type[wire.Message], name: str, *, simple: bool) -> ExactReader[wire.Message]:
    if issubclass(kind, wire.OpenMessage):
        return ExactReader(dict[str, Any], _open(kind, simple=simple), kind_name=name)
    if kind is wire.Orderbook:
        return orderbook_reader(simple=simple)
    if simple:
        return ExactReader(_short(kind), _long(kind), kind_name=name)
    return ExactReader(kind, kind_name=name)


_DEFAULT: Final = {name: _reader(kind, name, simple=False) for name, kind in _KINDS.items()}
_SIMPLE: Final = {name: _reader(kind, name, simple=True) for name, kind in _KINDS.items()}
_BY_START: Final = {
    **{f'{{"type":"{name}"'.encode(): reader for name, reader in _DEFAULT.items()},
    **{f'{{"ty":"{name}"'.encode(): reader for name, reader in _SIMPLE.items()},
}


def reader_of(text: bytes) -> ExactReader[wire.Message] | None:
    """The reader of an object that begins with its type, as the venue writes them; ``None`` for others."""
    return _BY_START.get(text[: text.find(b",")])


def reader_of_kind(fields: Mapping[str, Any]) -> ExactReader[wire.Message] | None:
    """The reader of an object of which the fields are known; ``None`` where its type is unknown."""
    if "type" in fields:
        return _DEFAULT.get(fields["type"])
    return _SIMPLE.get(fields["ty"])


_OBJECTS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_RAW: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ERROR: Final[ExactReader[wire.Error]] = ExactReader(wire.Error)
_STATUS: Final[ExactReader[wire.Status]] = ExactReader(wire.Status)
_SUBSCRIPTIONS: Final[ExactReader[wire.Subscriptions]] = ExactReader(wire.Subscriptions)
_SHORT_SUBSCRIPTIONS: Final[ExactReader[wire.Subscriptions]] = ExactReader(
    _short(wire.Subscriptions), _long(wire.Subscriptions)
)
_MARKETS: Final[ExactReader[tuple[wire.Market, ...]]] = ExactReader(tuple[wire.Market, ...])


def split(frame: bytes) -> list[msgspec.Raw]:
    """The objects of a list format's frame, each as its text, which is a view of the frame.

    Raises:
        BadFrame: it is no JSON array.
    """
    try:
        return _OBJECTS.decode(frame)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadFrame(explain(error, frame)) from error


def control(text: bytes, fields: Mapping[str, Any]) -> wire.Error | wire.Status | wire.Subscriptions | None:
    """A message about the connection itself; ``None`` for an object that is none.

    Raises:
        BadFrame: it is one, and does not decode.
    """
    if "error" in fields:
        return _ERROR.read(text)
    if "status" in fields:
        return _STATUS.read(text)
    if "method" in fields:
        return _SUBSCRIPTIONS.read(text)
    if "mthd" in fields:
        return _SHORT_SUBSCRIPTIONS.read(text)
    return None


def with_type(text: bytes, fields: Mapping[str, Any], kind: str) -> bytes:
    """An object of before 2019, which has no type and calls the code ``mk``, in today's form.

    *Source:* WebSocket guide, the samples of 2018 that it still shows.

    Args:
        text: the object.
        fields: the same as plain values.
        kind: its type, which somebody else knows.
    """
    parts = _RAW.decode(text)
    if "mk" in parts:
        parts["cd"] = parts.pop("mk")
    name = "ty" if "cd" in parts or "tms" in fields else "type"
    return msgspec.json.encode({name: kind, **parts})


def markets(body: bytes) -> tuple[wire.Market, ...]:
    """The REST list of markets.

    Raises:
        BadFrame: the body is no such list.
    """
    return _MARKETS.read(body)
