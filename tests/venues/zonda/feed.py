"""The other side of a Zonda line for the stage, as plain dicts, and the frames it sends."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from tests.venues.bench import Bench, Outbox
from trioquotes._protocol.effects import HttpRequest, Lane, Reply
from trioquotes.credentials import ApiKey

__all__ = [
    "KEY",
    "TEN",
    "Feed",
    "answer",
    "balance",
    "book",
    "change",
    "compact",
    "confirm",
    "history",
    "level",
    "offer",
    "push",
    "requests",
    "served",
    "stats",
    "stop_offer",
    "ticker",
    "trades",
]

KEY = ApiKey("HUSH-HUSH-public", "HUSH-HUSH-private")
TEN = "orderbook-limited/btc-pln/10"
MARKET = {
    "code": "BTC-PLN",
    "first": {"currency": "BTC", "minOffer": "0.00045", "scale": 8},
    "second": {"currency": "PLN", "minOffer": "5", "scale": 2},
    "amountPrecision": 8,
    "pricePrecision": 2,
    "ratePrecision": 2,
}


def compact(value: object) -> str:
    """JSON as the venue writes it."""
    return json.dumps(value, separators=(",", ":"))


def requests(frames: Sequence[str]) -> list[Any]:
    """Frames that were sent, as dicts."""
    return [json.loads(frame) for frame in frames]


def confirm(path: str, *, module: str = "trading", kind: str = "public") -> str:
    return compact({"action": f"subscribe-{kind}-confirm", "module": module, "path": path})


def push(path: str, number: int | None, message: Any, *, module: str = "trading", **more: Any) -> str:
    """A push; ``timestamp`` is one of 2022."""
    frame = {
        "action": "push",
        "topic": f"{module}/{path}",
        "message": message,
        "timestamp": "1644899040733",
        "seqNo": number,
    }
    return compact({key: value for key, value in (frame | more).items() if value is not None})


def answer(number: str, body: Any, *, status: int = 200) -> str:
    return compact({"action": "proxy-response", "requestId": number, "statusCode": status, "body": body})


def level(rate: str, amount: str) -> Any:
    return {"ra": rate, "ca": amount, "sa": amount, "pa": amount, "co": 1}


def book(
    sequence: int,
    *,
    buy: Sequence[tuple[str, str]] = (("99", "1"), ("100", "2")),
    sell: Sequence[tuple[str, str]] = (("101", "3"), ("102", "4")),
) -> Any:
    """The body of a snapshot: both sides ascending, the number as a text."""
    return {
        "status": "Ok",
        "sell": [level(*one) for one in sell],
        "buy": [level(*one) for one in buy],
        "timestamp": "1644899040000",
        "seqNo": str(sequence),
    }


def change(number: int, *changes: tuple[str, str, str | None], path: str = TEN) -> str:
    """A push of a book; a change is side, price, and amount or ``None`` for a price that is gone."""
    rows = []
    for side, rate, amount in changes:
        row = {"marketCode": "BTC-PLN", "entryType": side, "rate": rate}
        if amount is None:
            rows.append(row | {"action": "remove"})
        else:
            rows.append(row | {"action": "update", "state": level(rate, amount)})
    return push(path, number, {"changes": rows, "timestamp": "1644899040700"})


def trades(number: int | None, *rates: str, path: str = "transactions/btc-pln") -> str:
    rows = [
        {"id": f"id-{rate}", "t": "1644211244619", "a": "14.25", "r": rate, "ty": "Buy"} for rate in rates
    ]
    return push(path, number, {"transactions": rows})


def history(number: int, *rates: str, path: str = "history/transactions/btc-pln", **more: Any) -> str:
    """Own trades in the layout of the answer."""
    row = {"market": "BTC-PLN", "time": "1576484968197", "amount": "0.5", "userAction": "Sell"} | more
    return push(path, number, {"transactions": [row | {"id": f"id-{rate}", "rate": rate} for rate in rates]})


def ticker(number: int | None, *, path: str = "ticker/btc-pln", **more: Any) -> str:
    return push(path, number, now(**more))


def now(**more: Any) -> Any:
    fields = {"market": MARKET, "time": "1705985905717", "highestBid": "100.5", "lowestAsk": "101.5"}
    return fields | {"rate": "101", "previousRate": "100"} | more


def stats(
    number: int | None, *, path: str = "stats/btc-pln", market: str = "BTC-PLN", high: str = "110.10"
) -> str:
    """Figures as JSON numbers, in their very digits."""
    rows = f'[{{"m":"{market}","h":{high},"l":90.5,"v":1837.10247456,"r24h":100}}]'
    return push(path, number, "ROWS").replace('"ROWS"', rows)


def offer(number: int, action: str = "update", *, path: str = "offers/btc-pln", **state: Any) -> str:
    fields: dict[str, Any] = {"entryType": "Buy", "rate": "1", "action": action, "offerId": "o-1"}
    fields |= {"market": "BTC-PLN", "timestamp": "1577367751519"}
    if action == "update":
        whole = {"id": "o-1", "offerType": "Buy", "currentAmount": "14", "rate": "1", "startAmount": "15"}
        fields["state"] = whole | {"mode": "Limit"} | state
    return push(path, number, fields)


def stop_offer(
    number: int, action: str = "accepted", *, path: str = "stop/offers/btc-pln", **more: Any
) -> str:
    state: dict[str, Any] = {
        "id": "s-1",
        "market": "BTC-PLN",
        "amount": "1",
        "rate": None,
        "stopRate": "100000",
    }
    state |= {"status": action, "offerType": "Buy", "mode": "stop-market", "flags": []}
    return push(path, number, {"action": action, "state": state} | more)


def balance(number: int, available: str = "0.00412197") -> str:
    """Amounts as JSON numbers, in their very digits."""
    fields = f'{{"id":"b-1","availableFunds":{available},"totalFunds":1.0,"lockedFunds":0,"currency":"BTC"}}'
    return push("balance/bitbay/updatefunds", number, "FUNDS", module="balances").replace('"FUNDS"', fields)


class Feed:
    """Serves whatever is asked, with a snapshot for every ``proxy`` request.

    Args:
        lane: of the line.
        refuse: called with each request; what it returns is sent in place of the answer.
    """

    def __init__(self, lane: Lane, *, refuse: Callable[[Any], str | None] = lambda said: None) -> None:
        self.lane = lane
        self.refuse = refuse

    def connected(self) -> Sequence[str]:
        return ()

    def receive(self, frame: str) -> Sequence[str]:
        if not frame:
            return ()
        said = json.loads(frame)
        refusal = self.refuse(said)
        return (self.answer(said) if refusal is None else refusal,)

    def answer(self, said: Any) -> str:
        if said["action"] == "ping":
            return compact({"action": "pong"})
        path = said["path"]
        assert path == path.lower(), "paths are sent in lower case"
        if said["action"] != "proxy":
            return confirm(path, module=said["module"], kind=said["action"].rpartition("-")[2])
        bodies = {"ticker": {"ticker": now()}, "stats": {"stats": {"m": "BTC-PLN", "h": "110.10"}}}
        return answer(said["requestId"], {"status": "Ok"} | bodies.get(path.split("/")[0], book(100)))

    def fetch(self, request: HttpRequest) -> Reply:
        assert request.url.endswith("/rest/trading/ticker")
        return Reply(200, body=compact({"status": "Ok", "items": {"BTC-PLN": now()}}).encode())


def served(play: Bench, *boxes: Outbox) -> Bench:
    """Everything that was subscribed is confirmed, and what came until now is read."""
    play.settle(Feed, patience_s=30.0)
    assert all(box.is_confirmed for box in boxes)
    for box in boxes:
        box.take()
    return play
