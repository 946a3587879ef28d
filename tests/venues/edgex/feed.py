"""The other side of an edgeX line for the stage, as plain dicts, and the frames it sends."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tests.venues.bench import Bench, Line, Outbox
from trioquotes._protocol.effects import HttpRequest, Lane, Reply
from trioquotes.credentials import ApiKey, StarkKey
from trioquotes.events import Event
from trioquotes.topics import Topic
from trioquotes.venues.edgex import VENUE

__all__ = [
    "BTC",
    "CONNECTED",
    "ETH",
    "KEY",
    "STARK",
    "Feed",
    "best",
    "compact",
    "depth",
    "error",
    "event",
    "funding",
    "kline",
    "metadata",
    "order",
    "quote",
    "said",
    "served",
    "ticker",
    "trade",
    "trades",
]

BTC, ETH = "30000001", "30000002"
KEY = ApiKey("HUSH-HUSH-key", "HUSH-HUSH-secret", "HUSH-HUSH-pass", account_id="724625476626153743")
STARK = StarkKey("543429922991899150", "0x3c1e9550e66958296d11b60f8e8e7a7ad990d07fa65d5f7652c4a6c87d4e3cc")
CONNECTED = '{"sid":"f441d87c-7211-1024-0e2d-5997679ab1a1","type":"connected"}'


def compact(value: object) -> str:
    """JSON as the venue writes it."""
    return json.dumps(value, separators=(",", ":"))


def said(line: Bench | Line) -> list[tuple[str, str]]:
    """What it writes now: type, and channel or time."""
    requests = [json.loads(frame) for frame in line.writer()]
    return [(request["type"], request.get("channel", request.get("time"))) for request in requests]


def quote(channel: str, rows: object, data_type: str = "changed", *, kind: str = "quote-event") -> str:
    """A frame of data."""
    content = {"channel": channel, "dataType": data_type, "data": rows}
    return compact({"type": kind, "channel": channel, "content": content})


def pairs_to_objects(side: Iterable[tuple[str, str]]) -> list[Any]:
    return [{"price": price, "size": size} for price, size in side]


def depth(
    start: int,
    end: int,
    *,
    bids: Sequence[tuple[str, str]] = (),
    asks: Sequence[tuple[str, str]] = (),
    whole: bool = False,
    contract: str = BTC,
    level: int = 200,
) -> str:
    """A book, or a change of one."""
    row = {
        "startVersion": str(start),
        "endVersion": str(end),
        "level": level,
        "contractId": contract,
        "contractName": "BTCUSDC",
        "asks": pairs_to_objects(asks),
        "bids": pairs_to_objects(bids),
        "depthType": "SNAPSHOT" if whole else "CHANGED",
    }
    return quote(f"depth.{contract}.{level}", [row], "Snapshot" if whole else "changed")


def trade(ticket: str, *, time: int = 1790585548197, contract: str = BTC, maker: bool = True) -> Any:
    """A row of ``trades``."""
    row = {"ticketId": ticket, "time": str(time), "price": "82851.2", "size": "0.104"}
    return row | {"value": "8616.5248", "contractId": contract, "isBestMatch": False, "isBuyerMaker": maker}


def trades(*tickets: str, history: bool = False, first: int = 1790585548197, contract: str = BTC) -> str:
    """Trades in their order, a millisecond apart."""
    rows = [trade(ticket, time=first + number, contract=contract) for number, ticket in enumerate(tickets)]
    return quote(f"trades.{contract}", rows, "Snapshot" if history else "changed")


def best(contract: str = BTC, bid: str = "82899.4", ask: str = "82899.7") -> Any:
    """A row of a book ticker."""
    row = {"contractId": contract, "contractName": "BTCUSDC", "time": "1790586196955", "bestAskPrice": ask}
    return row | {"bestAskSize": "0.763", "bestBidPrice": bid, "bestBidSize": "1.135"}


def ticker(contract: str = BTC, last: str = "79031.2") -> Any:
    """A row of ``ticker``."""
    row = {"contractId": contract, "open": "76883.0", "high": "79824.9", "low": "76031.9", "lastPrice": last}
    return row | {
        "size": "8138.396",
        "value": "628869807.4804",
        "bestAskPrice": "0",
        "bestBidPrice": "79031.1",
    }


def kline(contract: str = BTC, interval: str = "MINUTE_1", time: str = "1789136280000") -> Any:
    """A row of ``kline``."""
    row = {"klineId": "2061584383781306426", "contractId": contract, "klineType": interval, "klineTime": time}
    prices = {"high": "79054.5", "low": "78984.8", "open": "79050.5", "close": "79031.3"}
    return row | prices | {"priceType": "LAST_PRICE", "trades": "90", "size": "4.077", "value": "322191.4503"}


def funding(contract: str = BTC, rate: str | None = "0.0001") -> Any:
    """A row of ``fundingRate``."""
    row = {"contractId": contract, "fundingTime": "1789128000000", "fundingTimestamp": "1789128000123"}
    return row | ({} if rate is None else {"fundingRate": rate}) | {"markPrice": "7.5", "indexPrice": "7.25"}


def metadata(*contracts: str) -> str:
    """Two coins and these contracts."""
    coins = [{"coinId": "1", "coinName": "BTC"}, {"coinId": "1000", "coinName": "USDC"}]
    listed = [
        {"contractId": contract, "contractName": "BTCUSDC", "baseCoinId": "1", "quoteCoinId": "1000"}
        | {"tickSize": "0.1", "stepSize": "0.001", "minOrderSize": "0.001", "contractStatus": "TRADING"}
        for contract in contracts
    ]
    row = {"global": {}, "coinList": coins, "contractList": listed, "multiChain": {}}
    return quote("metadata", [row], "Snapshot")


def error(
    channel: str | None, code: str = "GATEWAY_INVALID_CONTRACT_ID", msg: str = "invalid contractId : 9"
) -> str:
    """A refusal of a subscribe, as recorded; without a channel, as documented."""
    request = {} if channel is None else {"request": compact({"type": "subscribe", "channel": channel})}
    return compact({"type": "error"} | request | {"content": {"code": code, "msg": msg}})


def event(name: str = "Snapshot", version: int = 17873, **groups: object) -> str:
    """A frame of the private socket."""
    data = {"account": [], "collateral": [], "position": [], "order": []} | groups
    content = {"event": name, "version": version, "data": data, "time": 1775699229529, "accountId": 0}
    return compact({"type": "trade-event", "content": content})


def order(
    number: str = "736936291735699983", *, status: str = "OPEN", contract: str = BTC, **more: object
) -> Any:
    """An entry of ``order``."""
    row = {"id": number, "accountId": "645046721134460943", "contractId": contract, "side": "BUY"}
    return row | {"price": "60000.10", "size": "0.10", "type": "LIMIT", "status": status} | more


class Feed:
    """Serves whatever is asked.

    Args:
        lane: of the line.
        refuse: called with each channel that is subscribed; what it returns is sent in place of an answer.
        snapshots: whether a book begins with one.
    """

    def __init__(
        self,
        lane: Lane,
        *,
        refuse: Callable[[str], str | None] = lambda channel: None,
        snapshots: bool = True,
    ) -> None:
        self.lane = lane
        self.refuse = refuse
        self.snapshots = snapshots
        self.there: list[str] = []
        self.version = 100

    def connected(self) -> Sequence[str]:
        return (CONNECTED,) if self.lane.name == "public" else (CONNECTED, event())

    def receive(self, frame: str) -> Sequence[str]:
        request = json.loads(frame)
        match request:
            case {"type": "ping", "time": time}:
                return (compact({"type": "pong", "time": time}),)
            case {"type": "pong"}:
                return ()
            case {"type": "subscribe", "channel": channel}:
                return self.subscribe(channel, frame)
            case {"type": "unsubscribe", "channel": channel}:
                self.there.remove(channel)
                return (compact({"type": "unsubscribed", "channel": channel}),)
        raise AssertionError(f"no request of this venue: {frame}")

    def subscribe(self, channel: str, frame: str) -> Sequence[str]:
        assert self.lane.name == "public", "nothing is subscribed on the private socket"
        refusal = self.refuse(channel)
        if refusal is not None:
            return (refusal,)
        assert channel not in self.there, "subscribed twice"
        self.there.append(channel)
        answer = compact({"type": "subscribed", "channel": channel, "request": frame})
        if not channel.startswith("depth") or not self.snapshots:
            return (answer,)
        _, contract, level = channel.split(".")
        self.version += 10
        book = depth(
            self.version - 5,
            self.version,
            bids=[("100.5", "1")],
            asks=[("101.0", "2")],
            whole=True,
            contract=contract,
            level=int(level),
        )
        return (answer, book)

    def fetch(self, request: HttpRequest) -> Reply:
        raise AssertionError("nothing is ever fetched")


def served(*topics: Topic[Event], play: Bench | None = None) -> tuple[Bench, list[Outbox]]:
    """A stage on which everything is confirmed, and what came until now is read."""
    play = play or Bench(VENUE)
    boxes = [play.subscribe(topic) for topic in topics]
    play.settle(Feed, patience_s=30.0)
    assert all(box.is_confirmed for box in boxes)
    for box in boxes:
        box.take()
    return play, boxes
