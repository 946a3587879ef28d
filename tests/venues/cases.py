"""What the shared contract test knows of each venue: a server that does all that is asked, topics, frames.

A real venue keeps its :class:`Case` beside its own tests and joins with one line in ``test_contract``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from tests.venues.bench import Server
from tests.venues.skeletons import coinbase, darwinex, edgex, invented, upbit, zonda
from trioquotes._protocol.contract import Venue
from trioquotes._protocol.effects import HttpRequest, Lane, Reply
from trioquotes.credentials import ApiKey, BearerToken, Credentials
from trioquotes.events import Event
from trioquotes.topics import Books, Orders, Quotes, Tickers, Topic, Trades

__all__ = ["KEY", "SECRET", "SKELETONS", "Case", "Sample", "compact"]

SECRET = "HUSH-HUSH"
"""Part of every secret that the cases hand out, so that it can be looked for."""
KEY = ApiKey(f"{SECRET}-key", f"{SECRET}-secret", f"{SECRET}-pass", account_id="42")
TOKEN = BearerToken(f"{SECRET}-token")


def compact(value: object) -> str:
    """JSON as venues write it."""
    return json.dumps(value, separators=(",", ":"))


@attrs.frozen
class Sample:
    """A frame of the venue.

    Attributes:
        frame: its text.
        elements: how many elements it has, by the venue's own definition for its type.
        lane: where it comes.
    """

    frame: str
    elements: int = 1
    lane: str = "public"


@attrs.frozen(repr=False)
class Case:
    """One venue on the stage.

    Attributes:
        server: a server for a line that is just being opened.
        topics: some of what it serves, as different as can be.
        more: the n-th of many topics that share a lane.
        samples: frames of every kind, for instruments of ``topics``.
        credentials: what its private topics need.
        signs: whether any of ``topics`` needs them.
        withdraws: whether it can unsubscribe; if not, what is not wanted stays asked.
    """

    venue: Venue
    server: Callable[[Lane], Server]
    topics: tuple[Topic[Event], ...]
    more: Callable[[int], Topic[Event]]
    samples: tuple[Sample, ...]
    credentials: Credentials = KEY
    signs: bool = True
    withdraws: bool = True

    def __repr__(self) -> str:
        return f"<the case of {self.venue.name}>"


class Obliging:
    """A server that says nothing unless it is asked."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane

    def connected(self) -> Sequence[str]:
        return ()

    def receive(self, frame: str) -> Sequence[str]:
        if not frame.startswith(("[", "{")):
            return ()
        return [compact(answer) for answer in self.answers(json.loads(frame))]

    def answers(self, said: Any) -> list[Any]:
        raise NotImplementedError

    def fetch(self, request: HttpRequest) -> Reply:
        return Reply(404)


class InventedServer(Obliging):
    def answers(self, said: Any) -> list[Any]:
        return [{"op": "answer", "id": said["id"]}] if "id" in said else []


class UpbitServer(Obliging):
    def answers(self, said: Any) -> list[Any]:
        frames = []
        for part in said:
            for code in part.get("codes", [""] if "type" in part else []):
                frames.append(upbit_frame(part["type"], code.partition(".")[0], "SNAPSHOT"))
        return frames


def upbit_frame(kind: str, code: str, stream: str = "REALTIME", number: int = 17883351803770004) -> Any:
    frame: dict[str, Any] = {"type": kind, "code": code, "stream_type": stream, "timestamp": 1}
    if kind == "trade":
        frame |= {"trade_price": 106691000.0, "trade_volume": 0.00079276, "ask_bid": "ASK"}
        frame |= {"sequential_id": number}
    elif kind == "orderbook":
        unit = {"ask_price": 1.17e8, "bid_price": 1.16e8, "ask_size": 0.5, "bid_size": 0.25}
        frame |= {"orderbook_units": [unit], "level": 0}
    elif kind == "myOrder":
        frame |= {"code": code or "KRW-BTC", "uuid": "ac2dc2a3", "state": "wait"}
    return frame


class EdgexServer(Obliging):
    def connected(self) -> Sequence[str]:
        hello = compact({"sid": "b146cb1d", "type": "connected"})
        if self.lane.name == "public":
            return [hello]
        return [hello, compact(edgex_orders("Snapshot", []))]

    def answers(self, said: Any) -> list[Any]:
        channel = said.get("channel", "")
        acks = [{"type": f"{said['type']}d", "channel": channel, "request": compact(said)}]
        if said["type"] == "subscribe" and channel.startswith("depth"):
            acks.append(edgex_depth(channel, "Snapshot", 100, 104))
        return acks if said["type"] in {"subscribe", "unsubscribe"} else []


def edgex_depth(channel: str, kind: str, start: int, end: int, *, bid: str = "100.5", size: str = "1") -> Any:
    book = {
        "startVersion": str(start),
        "endVersion": str(end),
        "level": 200,
        "contractId": channel.split(".")[1],
        "asks": [{"price": "101.0", "size": "2"}] if kind == "Snapshot" else [],
        "bids": [{"price": bid, "size": size}],
        "depthType": kind.upper(),
    }
    return {
        "type": "quote-event",
        "channel": channel,
        "content": {"channel": channel, "dataType": kind, "data": [book]},
    }


def edgex_rows(channel: str, kind: str, rows: list[Any]) -> Any:
    content = {"channel": channel, "dataType": kind, "data": rows}
    return {"type": "quote-event", "channel": channel, "content": content}


def edgex_trade(contract: str, price: str = "82862.8") -> Any:
    row = {"ticketId": "6b0e", "contractId": contract, "price": price, "size": "0.5"}
    return row | {"isBuyerMaker": True, "time": "1"}


def edgex_best(contract: str, bid: str = "100.5") -> Any:
    row = {"contractId": contract, "bestBidPrice": bid, "bestBidSize": "1"}
    return row | {"bestAskPrice": "0", "bestAskSize": "0"}


def edgex_orders(event: str, orders: list[Any]) -> Any:
    return {"type": "trade-event", "content": {"event": event, "version": 1, "data": {"order": orders}}}


class ZondaServer(Obliging):
    def answers(self, said: Any) -> list[Any]:
        match said["action"]:
            case "ping":
                return [{"action": "pong"}]
            case "proxy":
                return [zonda_snapshot(said["requestId"], 100)]
            case action:
                return [{"action": f"{action}-confirm", "module": said["module"], "path": said["path"]}]


def zonda_snapshot(number: str, sequence: int) -> Any:
    body = {
        "status": "Ok",
        "sell": [{"ra": "101.0", "ca": "1"}, {"ra": "102.0", "ca": "1"}],
        "buy": [{"ra": "99.0", "ca": "1"}, {"ra": "100.0", "ca": "1"}],
        "seqNo": str(sequence),
    }
    return {"action": "proxy-response", "requestId": number, "statusCode": 200, "body": body}


def zonda_push(path: str, sequence: int, message: Any) -> Any:
    topic = f"trading/{path}"
    return {"action": "push", "topic": topic, "message": message, "timestamp": "1", "seqNo": sequence}


def zonda_change(rate: str, size: str | None = "2", side: str = "Buy") -> Any:
    change = {"marketCode": "BTC-PLN", "entryType": side, "rate": rate}
    if size is None:
        return {"changes": [change | {"action": "remove"}]}
    return {"changes": [change | {"action": "update", "state": {"ra": rate, "ca": size, "co": 1}}]}


class DarwinexServer(Obliging):
    def answers(self, said: Any) -> list[Any]:
        match said["op"]:
            case "subscribe":
                return [darwinex_subscribed(said["productNames"])]
            case "unsubscribe":
                return [{"op": "unsubscribed", "status": "OK", "productNames": said["productNames"]}]
            case _:
                return [{"op": "pong", "timestamp": 1511545528111, "msg": said.get("msg", "")}]


def darwinex_subscribed(names: Sequence[str], status: str = "OK") -> Any:
    products = [{"productName": name, "quote": 147.05} for name in names]
    return {"op": "subscribed", "status": status, "timestamp": 1587838905842, "products": products}


class CoinbaseServer(Obliging):
    def __init__(self, lane: Lane) -> None:
        super().__init__(lane)
        self.there: dict[str, list[str]] = {}

    def answers(self, said: Any) -> list[Any]:
        frames: list[Any] = []
        for channel in said["channels"]:
            name, products = channel["name"], channel["product_ids"]
            held = self.there.setdefault(name, [])
            for product in products:
                if said["type"] == "unsubscribe":
                    held.remove(product)
                elif product not in held:
                    held.append(product)
                    frames += [coinbase_snapshot(product)] if name == "level2_batch" else []
        return [*frames, coinbase_listed(self.there)]


def coinbase_listed(there: dict[str, list[str]]) -> Any:
    renamed = {"level2_batch": "level2_50"}
    channels = [
        {"name": renamed.get(name, name), "product_ids": products[::-1], "account_ids": None}
        for name, products in there.items()
        if products
    ]
    return {"type": "subscriptions", "channels": channels}


def coinbase_snapshot(product: str) -> Any:
    return {"type": "snapshot", "product_id": product, "bids": [["10", "1"]], "asks": [["11", "1"]]}


def coinbase_update(product: str, *changes: Sequence[str]) -> Any:
    return {"type": "l2update", "product_id": product, "changes": list(changes)}


def coinbase_match(product: str, trade_id: int, kind: str = "match") -> Any:
    match = {"type": kind, "product_id": product, "trade_id": trade_id, "side": "buy", "sequence": 1}
    return match | {"price": "10.5", "size": "0.1"}


INVENTED = Case(
    venue=invented.VENUE,
    server=InventedServer,
    topics=(Trades("ABC"), invented.Prints("ABC"), Trades("XYZ")),
    more=lambda number: Trades(f"A{number}"),
    samples=(
        Sample('{"op":"print","sym":"ABC","px":"1.50","qty":"2"}', lane="all"),
        Sample('{"op":"answer","id":77}', lane="all"),
        Sample('{"op":"answer","id":78,"error":"no such symbol"}', lane="all"),
        Sample('{"op":"beat","n":5}', lane="all"),
        Sample('{"op":"news"}', lane="all"),
    ),
    signs=False,
)

UPBIT = Case(
    venue=upbit.VENUE,
    server=UpbitServer,
    topics=(Trades("KRW-BTC"), Books("KRW-BTC"), Books("KRW-BTC", 5), Orders(), upbit.Indicators("KRW-BTC")),
    more=lambda number: Trades(f"KRW-A{number}"),
    samples=(
        Sample(compact(upbit_frame("trade", "KRW-BTC"))),
        Sample(compact(upbit_frame("trade", "KRW-BTC", "SNAPSHOT"))),
        Sample(compact(upbit_frame("orderbook", "KRW-BTC"))),
        Sample(compact(upbit_frame("myOrder", "KRW-BTC")), lane="private"),
        Sample(compact(upbit_frame("indicator", "KRW-BTC")), lane="info"),
        Sample('{"status":"UP"}'),
        Sample('{"error":{"name":"INVALID_PARAM","message":"nope"}}'),
        Sample('{"error":{"message":"auth","name":"INVALID_AUTH"}}', lane="private"),
        Sample('{"type":"novelty","code":"KRW-BTC"}'),
    ),
)

EDGEX = Case(
    venue=edgex.VENUE,
    server=EdgexServer,
    topics=(
        Trades("30000001"),
        Books("30000001"),
        edgex.Depths("30000001"),
        Quotes("30000001"),
        Quotes("30000002"),
        edgex.BookTickers(),
        Orders(),
    ),
    more=lambda number: Trades(str(40000000 + number)),
    samples=(
        Sample('{"sid":"f441d87c","type":"connected","time":null}'),
        Sample('{"type":"ping","time":"1789136310001"}'),
        Sample('{"type":"pong","time":1693208170000}'),
        Sample('{"type":"subscribed","channel":"depth.30000001.200","request":"{}"}'),
        Sample('{"type":"unsubscribed","channel":"depth.30000001.200"}'),
        Sample(
            compact(
                {
                    "type": "error",
                    "request": compact({"type": "subscribe", "channel": "depth.9.15"}),
                    "content": {"code": "GATEWAY_INVALID_CONTRACT_ID", "msg": "invalid contractId:9"},
                }
            )
        ),
        Sample(compact(edgex_depth("depth.30000001.200", "Snapshot", 100, 104))),
        Sample(compact(edgex_depth("depth.30000001.200", "changed", 104, 110))),
        Sample(compact(edgex_depth("depth.30000001.200", "changed", 990, 999))),
        Sample(compact(edgex_rows("trades.30000001", "Snapshot", [edgex_trade("30000001")] * 3)), 3),
        Sample(compact(edgex_rows("trades.30000001", "changed", [edgex_trade("30000001")] * 2)), 2),
        Sample(compact(edgex_rows("trades.30000001", "changed", []))),
        Sample(
            compact(
                edgex_rows("bookTicker.all.1s", "changed", [edgex_best(f"3000000{n}") for n in range(1, 6)])
            ),
            5,
        ),
        Sample(
            compact(edgex_orders("ORDER_UPDATE", [{"id": "1", "contractId": "30000001", "status": "OPEN"}])),
            lane="private",
        ),
        Sample(compact(edgex_orders("Snapshot", [])), lane="private"),
        Sample('{"type":"novelty"}'),
    ),
)

ZONDA = Case(
    venue=zonda.VENUE,
    server=ZondaServer,
    topics=(Books("BTC-PLN", 10), Trades("BTC-PLN"), Tickers("BTC-PLN"), Orders("BTC-PLN")),
    more=lambda number: Trades(f"A{number}-PLN"),
    samples=(
        Sample('{"action":"pong"}'),
        Sample('{"action":"subscribe-public-confirm","module":"trading","path":"transactions/btc-pln"}'),
        Sample('{"action":"subscribe-public-error","module":"trading","path":"transactions/x-y"}'),
        Sample('{"error":"Authentication failed"}'),
        Sample(compact(zonda_snapshot("78539fe0-e9b0-4e4e-8c86-70b36aa93d4f", 95486654))),
        Sample(compact(zonda_push("orderbook-limited/btc-pln/10", 101, zonda_change("99.5")))),
        Sample(compact(zonda_push("orderbook-limited/btc-pln/10", 102, zonda_change("99.5", None)))),
        Sample(
            compact(
                zonda_push(
                    "transactions/btc-pln",
                    7,
                    {"transactions": [{"id": "7688b214", "t": "1", "a": "1", "r": "2", "ty": "Buy"}] * 2},
                )
            ),
            2,
        ),
        Sample(
            compact(
                zonda_push(
                    "ticker/btc-pln",
                    1,
                    {"time": "1", "highestBid": "1", "lowestAsk": None, "rate": "3", "market": {}},
                )
            )
        ),
        Sample(
            compact(
                zonda_push("stats/btc-pln", 1, [{"m": "BTC-PLN", "h": 28094.15, "l": 2.5, "v": 1, "r24h": 1}])
            )
        ),
        Sample(compact(zonda_push("offers/btc-pln", 1, {"offerId": "o", "action": "update"}))),
        Sample('{"action":"novelty"}'),
    ),
    withdraws=False,
)

DARWINEX = Case(
    venue=darwinex.VENUE,
    server=DarwinexServer,
    topics=(Quotes("DWC.4.20"), Quotes("THA.4.12"), Quotes("ENH.4.16")),
    more=lambda number: Quotes(f"AAA.{number % 90}.{number}"),
    samples=(
        Sample('{"op":"hb","timestamp":1587838905842}'),
        Sample('{"op":"pong","timestamp":1511545528111,"msg":"1234"}'),
        Sample(compact(darwinex_subscribed(["DWC.4.20", "THA.4.12"], "WARN")), 2),
        Sample(compact(darwinex_subscribed([], "WARN"))),
        Sample('{"op":"unsubscribed","status":"OK","timestamp":1,"productNames":["DWC.4.20"]}'),
        Sample('{"op":"error","opRequest":"subscribe","msg":"No active product","code":"PRODUCT_NOT_VALID"}'),
        Sample('{"op":"pq","productName":"DWC.4.20","quote":147.05,"timestamp":1587838906123}'),
        Sample('{"op":"novelty"}'),
    ),
    credentials=TOKEN,
)

COINBASE = Case(
    venue=coinbase.VENUE,
    server=CoinbaseServer,
    topics=(
        Trades("BTC-USD"),
        Books("BTC-USD"),
        Quotes("BTC-USD"),
        coinbase.Heartbeats("ETH-USD"),
        coinbase.SignedMatches("ETH-USD"),
    ),
    more=lambda number: Trades(f"A{number}-USD"),
    samples=(
        Sample(compact(coinbase_listed({"matches": ["BTC-USD"], "level2_batch": ["BTC-USD"]}))),
        Sample('{"type":"error","message":"Failed to subscribe","reason":"X-Y is not a valid product"}'),
        Sample(compact(coinbase_match("BTC-USD", 155, "last_match"))),
        Sample(compact(coinbase_match("BTC-USD", 156))),
        Sample(compact(coinbase_match("BTC-USD", 159))),
        Sample('{"type":"heartbeat","product_id":"BTC-USD","last_trade_id":0,"sequence":1}'),
        Sample(compact(coinbase_snapshot("BTC-USD")), lane="book"),
        Sample(compact(coinbase_update("BTC-USD", ["buy", "10", "0.00"])), lane="book"),
        Sample('{"type":"novelty"}'),
    ),
)

SKELETONS: tuple[Case, ...] = (INVENTED, UPBIT, EDGEX, ZONDA, DARWINEX, COINBASE)
"""The skeletons; the contract test plays them together with the real venues."""
