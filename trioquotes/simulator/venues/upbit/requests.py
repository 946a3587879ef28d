"""What a client may ask, and what it is told when it may not; pure.

*Source:* docs.upbit.com/kr/reference/websocket-guide (grammar, error names), the pages of the data types, and
list-subscriptions; what the wire does where it was probed in 2026.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any, Literal, TypeAlias

import attrs

from trioquotes.simulator.venues.upbit.indicators import TIMEFRAMES_S, is_definition

__all__ = [
    "CANDLES_S", "INVALID_AUTH", "TYPES", "Endpoint", "Failure", "Format", "Ping", "Request", "Wanted", "read_request",
]  # fmt: skip

Endpoint: TypeAlias = Literal["public", "private", "info"]
Format: TypeAlias = Literal["DEFAULT", "SIMPLE", "JSON_LIST", "SIMPLE_LIST"]

FORMATS: tuple[Format, ...] = ("DEFAULT", "SIMPLE", "JSON_LIST", "SIMPLE_LIST")

CANDLES_S = {
    "candle.1s": 1,
    **{f"candle.{minutes}m": minutes * 60 for minutes in (1, 3, 5, 10, 15, 30, 60, 240)},
}
"""Types of candles with their length in seconds."""

TYPES: dict[Endpoint, frozenset[str]] = {
    "public": frozenset({"ticker", "trade", "orderbook", *CANDLES_S}),
    "private": frozenset({"myOrder", "myAsset", "announcement"}),
    "info": frozenset({"indicator", "indicator_signal"}),
}
"""What each endpoint serves."""

WITHOUT_CODES = frozenset({"myOrder", "myAsset", "announcement"})

CATEGORIES = frozenset(
    {
        "notice", "trade", "wallet", "maintenance", "digital_asset", "nft", "service", "event", "note", "trading",
        "airdrop", "feature", "disclosure",
    }
)  # fmt: skip
"""Of announcements; the venue's own SDK, release 1.1.0."""

LISTING = "LIST_SUBSCRIPTIONS"


@attrs.frozen
class Wanted:
    """One data object of a request.

    Attributes:
        kind: its type.
        codes: markets as asked for, suffixes and all; ``None`` where none were named.
        level: grouping of prices, ``orderbook`` only.
        snapshot: whether the state at the beginning is wanted.
        realtime: whether what comes after is wanted.
        fields: the object's other fields, for the types that have some.
    """

    kind: str
    codes: tuple[str, ...] | None
    level: Decimal = Decimal(0)
    snapshot: bool = True
    realtime: bool = True
    fields: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen
class Request:
    """A request that may be served.

    Attributes:
        wanted: replaces everything that was subscribed, unless it is empty.
        format: ``None`` where the request names none.
        lists: whether the subscriptions are to be told.
    """

    ticket: str
    wanted: tuple[Wanted, ...]
    format: Format | None
    lists: bool = False


@attrs.frozen
class Failure:
    """The name and the words of an error; the line is closed after it."""

    name: str
    message: str


@attrs.frozen
class Ping:
    """The text ``PING``."""


INVALID_AUTH = Failure("INVALID_AUTH", "인증 정보가 올바르지 않습니다.")
NO_TICKET = Failure("NO_TICKET", "티켓이 존재하지 않거나, 유효하지 않습니다.")
WRONG_FORMAT = Failure("WRONG_FORMAT", "Format 이 맞지 않습니다.")
NO_TYPE = Failure("NO_TYPE", "타입이 존재하지 않습니다.")
NO_CODES = Failure("NO_CODES", "코드가 존재하지 않습니다.")
"""The words of the last two were not recorded; these are plausible ones."""


class _Failed(Exception):
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure


def read_request(text: str, types: Collection[str], *, camel_case: bool = False) -> Request | Failure | Ping:
    """Read and check one message of a client.

    Args:
        text: the frame.
        types: what the endpoint serves.
        camel_case: whether ``isOnlySnapshot`` and ``isOnlyRealtime`` of the old documentation are honoured;
            otherwise they are passed over like any unknown field.
    """
    if text == "PING":
        return Ping()
    try:
        return _read(text, types, camel_case)
    except _Failed as failed:
        return failed.failure


def _read(text: str, types: Collection[str], camel_case: bool) -> Request:
    try:
        objects = json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise _Failed(WRONG_FORMAT) from None
    if not isinstance(objects, list) or not all(isinstance(item, dict) for item in objects):
        raise _Failed(WRONG_FORMAT)
    ticket = next((item["ticket"] for item in objects if "ticket" in item), None)
    if not isinstance(ticket, str) or not ticket:
        raise _Failed(NO_TICKET)
    form = next((item["format"] for item in objects if "format" in item), None)
    if form is not None and form not in FORMATS:
        raise _Failed(WRONG_FORMAT)
    lists = any(_is_listing(item) for item in objects if "method" in item)
    data = [item for item in objects if "type" in item or not {"ticket", "format", "method"} & set(item)]
    if not data and not lists:
        raise _Failed(NO_TYPE)
    wanted = tuple(_read_data(item, types, camel_case) for item in data)
    return Request(ticket, wanted, form, lists)


def _refuse_constant(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


def _is_listing(item: Mapping[str, Any]) -> bool:
    if item["method"] != LISTING:
        raise _Failed(_unsupported(item["method"], "메서드"))
    return True


def _unsupported(value: Any, what: str = "타입") -> Failure:
    return Failure("INVALID_PARAM", f"{value} 은 지원하지 않는 {what}입니다.")


def _read_data(item: Mapping[str, Any], types: Collection[str], camel_case: bool) -> Wanted:
    kind = item.get("type")
    if not kind:
        raise _Failed(NO_TYPE)
    if not isinstance(kind, str) or kind not in types:
        raise _Failed(_unsupported(kind))
    codes = _codes(item, kind)
    if kind.startswith("indicator"):
        _check_indicators(item, signal=kind == "indicator_signal")
    if kind == "announcement":
        _check_announcement(item)
    return Wanted(
        kind=kind, codes=codes, level=_level(item, kind),
        snapshot=not _flag(item, "is_only_realtime", "isOnlyRealtime" if camel_case else None),
        realtime=not _flag(item, "is_only_snapshot", "isOnlySnapshot" if camel_case else None),
        fields={
            name: item[name]
            for name in ("categories", "include_body", "timeframe", "indicators")
            if name in item
        },
    )  # fmt: skip


def _codes(item: Mapping[str, Any], kind: str) -> tuple[str, ...] | None:
    codes = item.get("codes")
    if kind == "myAsset" and "codes" in item:
        raise _Failed(WRONG_FORMAT)
    if not codes:
        if kind in WITHOUT_CODES:
            return None
        raise _Failed(NO_CODES)
    if not isinstance(codes, list) or not all(isinstance(code, str) for code in codes):
        raise _Failed(WRONG_FORMAT)
    return tuple(dict.fromkeys(codes))


def _level(item: Mapping[str, Any], kind: str) -> Decimal:
    level = item.get("level", 0)
    if kind != "orderbook":
        return Decimal(0)
    if isinstance(level, bool) or not isinstance(level, int | Decimal):
        raise _Failed(_unsupported(level, "파라미터"))
    return Decimal(level)


def _flag(item: Mapping[str, Any], name: str, old_name: str | None) -> bool:
    value = item.get(name, item.get(old_name, False) if old_name else False)
    if not isinstance(value, bool):
        raise _Failed(_unsupported(value, "파라미터"))
    return value


def _check_announcement(item: Mapping[str, Any]) -> None:
    categories = item.get("categories", [])
    if not isinstance(categories, list) or not all(isinstance(name, str) for name in categories):
        raise _Failed(WRONG_FORMAT)
    for name in categories:
        if name not in CATEGORIES:
            raise _Failed(_unsupported(name, "파라미터"))
    if not isinstance(item.get("include_body", False), bool):
        raise _Failed(_unsupported(item["include_body"], "파라미터"))


def _check_indicators(item: Mapping[str, Any], *, signal: bool) -> None:
    timeframe, asked = item.get("timeframe"), item.get("indicators")
    if not isinstance(timeframe, str) or timeframe not in TIMEFRAMES_S:
        raise _Failed(_unsupported(timeframe, "파라미터"))
    if not isinstance(asked, list) or not asked:
        raise _Failed(_unsupported("indicators", "파라미터"))
    if not all(is_definition(one, signal=signal) for one in asked):
        raise _Failed(_unsupported("indicators", "파라미터"))
