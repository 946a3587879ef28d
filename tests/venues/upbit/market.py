"""The other side of an Upbit line for the stage, as plain dicts, and the frames it sends."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tests.venues.bench import Bench, Line, Outbox
from trioquotes._protocol.effects import HttpRequest, Lane, Reply
from trioquotes.credentials import ApiKey

__all__ = [
    "KEY",
    "Market",
    "announcement",
    "asset",
    "book",
    "candle",
    "codes",
    "compact",
    "error",
    "indicator",
    "ladder",
    "listed",
    "order",
    "pass_time",
    "said",
    "served",
    "simple",
    "ticker",
    "trade",
]

KEY = ApiKey("HUSH-HUSH-key", "HUSH-HUSH-secret")
MS = 1788335180423


def compact(value: object) -> str:
    """JSON as the venue writes it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def trade(
    number: int = 17883351803770004, code: str = "KRW-BTC", stream: str = "REALTIME", **more: Any
) -> str:
    return compact(
        {
            "type": "trade", "code": code, "timestamp": MS, "trade_date": "2026-09-02", "trade_time": "07:46:20",
            "trade_timestamp": MS - 46, "trade_price": 106691000.0, "trade_volume": 0.00009372, "ask_bid": "ASK",
            "sequential_id": number, "stream_type": stream,
        }
        | more
    )  # fmt: skip


def book(*units: Sequence[float], code: str = "KRW-BTC", stream: str = "REALTIME", **more: Any) -> str:
    """A book of ``(ask price, ask size, bid price, bid size)``."""
    rows = units or ((117.0, 1.0, 116.0, 2.0),)
    listed_units = [
        {"ask_price": ask, "bid_price": bid, "ask_size": ask_size, "bid_size": bid_size}
        for ask, ask_size, bid, bid_size in rows
    ]
    return compact(
        {"type": "orderbook", "code": code, "timestamp": MS, "orderbook_units": listed_units}
        | {"stream_type": stream, "level": 0}
        | more
    )


def ladder(depth: int) -> list[tuple[float, float, float, float]]:
    """Units of a book that is as deep as that."""
    return [(117.0 + step, 1.0, 116.0 - step, 2.0) for step in range(depth)]


def ticker(code: str = "KRW-BTC", stream: str = "REALTIME", **more: Any) -> str:
    return compact(
        {"type": "ticker", "code": code, "trade_price": 2176000.0, "timestamp": MS, "stream_type": stream}
        | more
    )


def candle(interval: str = "1m", code: str = "KRW-BTC", stream: str = "REALTIME", **more: Any) -> str:
    return compact(
        {
            "type": f"candle.{interval}", "code": code, "candle_date_time_utc": "2026-07-30T07:46:00",
            "candle_date_time_kst": "2026-07-30T16:46:00", "opening_price": 1.0, "high_price": 2.0,
            "low_price": 0.5, "trade_price": 1.5, "timestamp": MS, "stream_type": stream,
        }
        | more
    )  # fmt: skip


def order(state: str = "wait", code: str = "KRW-BTC", **more: Any) -> str:
    return compact(
        {"type": "myOrder", "code": code, "uuid": "ac2dc2a3", "state": state, "ask_bid": "BID"}
        | {"order_type": "limit", "price": 100.5, "volume": 2.0, "timestamp": MS, "stream_type": "REALTIME"}
        | more
    )


def asset(*assets: tuple[str, float, float]) -> str:
    rows = [{"currency": currency, "balance": free, "locked": held} for currency, free, held in assets]
    return compact({"type": "myAsset", "assets": rows, "asset_timestamp": MS, "stream_type": "REALTIME"})


def announcement(**more: Any) -> str:
    return compact(
        {"type": "announcement", "event": "CREATED", "body": None, "stream_type": "REALTIME"} | more
    )


def indicator(kind: str = "indicator", code: str = "KRW-BTC", **more: Any) -> str:
    return compact({"type": kind, "code": code, "timestamp": MS, "values": {"rsi": 70.10}} | more)


def error(name: str = "INVALID_PARAM", message: str = "nope 은 지원하지 않는 타입입니다.") -> str:
    return compact({"error": {"name": name, "message": message}})


def listed(*parts: Any) -> str:
    return compact({"method": "LIST_SUBSCRIPTIONS", "result": list(parts), "ticket": "t"})


def said(line: Bench | Line) -> list[Any]:
    """What it writes now, as JSON."""
    return [json.loads(frame) for frame in line.writer() if frame != "PING"]


def codes(request: Any) -> dict[str, list[str]]:
    """What a request asks for."""
    return {part["type"]: part.get("codes", []) for part in request if "type" in part}


class Market:
    """Serves what it is asked for as the venue does.

    Args:
        lane: of the line.
        lists: whether it answers LIST_SUBSCRIPTIONS.
    """

    def __init__(self, lane: Lane, *, lists: bool = True) -> None:
        self.lane = lane
        self.lists = lists
        self.parts: list[Any] = []

    def connected(self) -> Sequence[str]:
        return ()

    def receive(self, frame: str) -> Sequence[str]:
        if frame == "PING":
            return ('{"status":"UP"}',)
        request = json.loads(frame)
        assert list(request[0]) == ["ticket"]
        assert request[-1] == {"format": "DEFAULT"}
        if request[1] == {"method": "LIST_SUBSCRIPTIONS"}:
            return [listed(*self.parts)] if self.lists else []
        self.parts = [
            part | ({"codes": [code.partition(".")[0] for code in part["codes"]]} if "codes" in part else {})
            for part in request[1:-1]
        ]
        assert self.parts, "the empty set cannot be said"
        return [
            answer
            for part in request[1:-1]
            if not part.get("is_only_realtime")
            for code in part.get("codes", ())
            for answer in self.snapshot(part["type"], code)
        ]

    def snapshot(self, kind: str, code: str) -> list[str]:
        market, _, depth = code.partition(".")
        match kind:
            case "trade":
                return [trade(1, market, "SNAPSHOT")]
            case "ticker":
                return [ticker(market, "SNAPSHOT")]
            case "orderbook":
                return [book(*ladder(int(depth)), code=market, stream="SNAPSHOT")]
            case _ if kind.startswith("candle."):
                return [candle(kind.removeprefix("candle."), market, "SNAPSHOT")]
            case _:
                return []

    def fetch(self, request: HttpRequest) -> Reply:
        assert request.url == "https://api.upbit.com/v1/market/all"
        markets = [{"market": "KRW-BTC", "korean_name": "비트코인", "english_name": "Bitcoin"}]
        return Reply(200, body=compact(markets).encode())


def pass_time(play: Bench, seconds: int) -> list[Any]:
    """Let time pass on a line that is alive; returns what was written meanwhile, as JSON."""
    written = []
    for _ in range(seconds):
        play.advance(1.0)
        play.server('{"status":"UP"}')
        written += said(play)
    return written


def served(play: Bench, *boxes: Outbox) -> Bench:
    """Everything that was subscribed is confirmed, and what came until now is read."""
    play.settle(Market, patience_s=30.0)
    assert all(box.is_confirmed for box in boxes)
    for box in boxes:
        box.take()
    return play


SIMPLE_NAMES = {
    "type": "ty", "code": "cd", "timestamp": "tms", "stream_type": "st", "trade_price": "tp", "trade_volume": "tv",
    "ask_bid": "ab", "sequential_id": "sid", "trade_date": "td", "trade_time": "ttm", "trade_timestamp": "ttms",
    "orderbook_units": "obu", "ask_price": "ap", "bid_price": "bp", "ask_size": "as", "bid_size": "bs", "level": "lv",
    "total_ask_size": "tas", "total_bid_size": "tbs", "opening_price": "op", "high_price": "hp", "low_price": "lp",
    "candle_date_time_utc": "cdttmu", "candle_date_time_kst": "cdttmk", "assets": "ast", "currency": "cu",
    "balance": "b", "locked": "l", "asset_timestamp": "asttms",
}  # fmt: skip


def simple(frame: str) -> str:
    """The same frame in the SIMPLE format."""

    def short(value: Any) -> Any:
        if isinstance(value, dict):
            return {SIMPLE_NAMES[key]: short(item) for key, item in value.items()}
        return [short(item) for item in value] if isinstance(value, list) else value

    return compact(short(json.loads(frame)))
