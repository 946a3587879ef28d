"""The other side of a Coinbase line for the stage, as plain dicts, and the frames it sends."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from tests.venues.bench import Bench, Outbox
from trioquotes._protocol.effects import HttpRequest, Lane, Reply
from trioquotes.credentials import ApiKey

__all__ = [
    "ACCOUNT",
    "KEY",
    "TIME",
    "Feed",
    "ack",
    "auction",
    "balance",
    "compact",
    "error",
    "heartbeat",
    "match",
    "order",
    "requests",
    "rfq",
    "served",
    "snapshot",
    "status",
    "ticker",
    "update",
]

ACCOUNT = "d50ec984-77a8-460a-b958-66f114b0de9b"
KEY = ApiKey("HUSH-HUSH-key", "HUSH+HUSH+HUSH+HUSH/secret==", "HUSH-HUSH-pass")
TIME = "2026-08-25T03:35:57.198335Z"
RENAMED = {"level2_batch": "level2_50", "ticker_batch": "ticker_1000"}


def compact(value: object) -> str:
    """JSON as the venue writes it."""
    return json.dumps(value, separators=(",", ":"))


def requests(frames: Sequence[str]) -> list[Any]:
    """Frames that were sent, as dicts."""
    return [json.loads(frame) for frame in frames]


def ack(**channels: Sequence[str]) -> str:
    """An acknowledgement; names are sent as they are given."""
    listed = [
        {"name": name, ("account_ids" if name == "balance" else "product_ids"): list(ids)[::-1]}
        for name, ids in channels.items()
    ]
    return compact({"type": "subscriptions", "channels": listed})


def error(reason: str | None, message: str = "Failed to subscribe") -> str:
    return compact({"message": message, "type": "error"} | ({} if reason is None else {"reason": reason}))


def snapshot(product: str = "BTC-USD", *, bids: Any = (("10", "1"),), asks: Any = (("11", "1"),)) -> str:
    return compact({"type": "snapshot", "product_id": product, "asks": asks, "bids": bids})


def update(*changes: Sequence[str], product: str = "BTC-USD") -> str:
    return compact({"type": "l2update", "product_id": product, "changes": changes, "time": TIME})


def match(
    trade_id: int, kind: str = "match", *, product: str = "BTC-USD", sequence: int = 0, **more: Any
) -> str:
    fields = {
        "type": kind,
        "trade_id": trade_id,
        "maker_order_id": "m-1",
        "taker_order_id": "t-1",
        "side": "sell",
        "size": "0.10",
        "price": "10.50",
        "product_id": product,
        "sequence": sequence or trade_id * 100,
        "time": TIME,
    }
    return compact(fields | more)


def heartbeat(last_trade_id: int = 0, *, product: str = "BTC-USD", sequence: int = 90) -> str:
    return compact(
        {
            "type": "heartbeat",
            "sequence": sequence,
            "last_trade_id": last_trade_id,
            "product_id": product,
            "time": TIME,
        }
    )


def ticker(sequence: int = 5, *, product: str = "BTC-USD", **more: Any) -> str:
    fields = {"type": "ticker", "sequence": sequence, "product_id": product, "price": "10.50"}
    return compact(fields | more)


def order(kind: str, sequence: int, *, product: str = "BTC-USD", **more: Any) -> str:
    fields: dict[str, Any] = {
        "type": kind,
        "time": TIME,
        "product_id": product,
        "sequence": sequence,
        "order_id": "o-1",
        "side": "buy",
    }
    if kind == "open":
        fields |= {"price": "10.00", "remaining_size": "1.50"}
    if kind == "done":
        fields |= {"reason": "filled"}
    return compact(fields | more)


def auction(sequence: int, *, product: str = "BTC-USD") -> str:
    fields = {"type": "auction", "product_id": product, "sequence": sequence, "auction_state": "collection"}
    return compact(fields | {"timestamp": TIME, "can_open": "yes"})


def rfq(product: str = "BTC-USD", side: str = "BUY") -> str:
    fields = {"type": "rfq_match", "maker_order_id": "m", "taker_order_id": "t", "time": TIME, "trade_id": 30}
    return compact(fields | {"product_id": product, "size": "5", "price": "400.23", "side": side})


def balance(account: str = ACCOUNT) -> str:
    fields = {"type": "balance", "account_id": account, "currency": "USD", "holds": "1.50"}
    return compact(fields | {"available": "2.00", "updated": TIME, "timestamp": TIME})


def status(*products: str) -> str:
    listed = [{"id": product, "base_currency": "BTC", "quote_currency": "USD"} for product in products]
    return compact({"type": "status", "products": listed, "currencies": []})


class Feed:
    """Serves whatever is asked, with one acknowledgement a request that lists everything.

    Args:
        lane: of the line.
        refuse: called with each request; what it returns is the reason of an error in place of an answer.
        late: whether a snapshot comes before the acknowledgement.
    """

    def __init__(
        self, lane: Lane, *, refuse: Callable[[Any], str | None] = lambda said: None, late: bool = True
    ) -> None:
        self.lane = lane
        self.refuse = refuse
        self.late = late
        self.there: dict[str, list[str]] = {}

    def connected(self) -> Sequence[str]:
        return ()

    def receive(self, frame: str) -> Sequence[str]:
        if not frame:
            return ()
        said = json.loads(frame)
        reason = self.refuse(said)
        if reason is not None:
            return (error(reason, f"Failed to {said['type']}"),)
        data: list[str] = []
        for channel in said["channels"]:
            data += self.serve(said["type"], channel)
        answer = ack(**{RENAMED.get(name, name): ids for name, ids in self.there.items()})
        return [*data, answer] if self.late else [answer, *data]

    def serve(self, kind: str, channel: Any) -> list[str]:
        name = channel["name"]
        ids = [*channel.get("product_ids", ()), *channel.get("account_ids", ())]
        assert ids or name in {"status", "rfq_matches"}, channel
        held = self.there.setdefault(name, [])
        if kind == "unsubscribe":
            for one in ids:
                held.remove(one)
            if not held:
                del self.there[name]
            return []
        held += [one for one in ids if one not in held]
        return [snapshot(one) for one in ids] if name.startswith("level2") else []

    def fetch(self, request: HttpRequest) -> Reply:
        book = {"sequence": 10**9, "bids": [["10", "1", "o-1"]], "asks": [["11", "1", "o-2"]]}
        return Reply(200, body=compact(book).encode())


def served(play: Bench, *boxes: Outbox) -> Bench:
    """Everything that was subscribed is confirmed, and what came until now is read."""
    play.settle(Feed, patience_s=30.0)
    assert all(box.is_confirmed for box in boxes)
    for box in boxes:
        box.take()
    return play
