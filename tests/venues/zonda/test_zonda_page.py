"""The example that the venue's page of orderbook-limited prints, word for word; it leaves ``action`` out."""

from __future__ import annotations

import json
from decimal import Decimal

from tests.venues.bench import Bench
from trioquotes.events import BookChange, BookSnapshot
from trioquotes.topics import Books
from trioquotes.venues import zonda
from trioquotes.venues.zonda import VENUE

SUBSCRIBE = """{
"action": "subscribe-public",
"module": "trading",
"path": "orderbook-limited/{market_code}/{limit}"
}"""
PUSH = """{
"topic": "trading/orderbook-limited/game-pln/10",
"message": {
"changes": [
{
"marketCode": "GAME-PLN",
"entryType": "Buy",
"rate": "10",
"action": "update",
"state": {
"ra": "10",
"ca": "6",
"sa": "6",
"pa": "6",
"co": 2
}
}
],
"timestamp": "1563280204658"
},
"timestamp": "1563280204658",
"seqNo": 5
}"""
PROXY = """{
"requestId": "78539fe0-e9b0-4e4e-8c86-70b36aa93d4f",
"action": "proxy",
"module": "trading",
"path": "orderbook-limited/{market_code}/{limit}"
}"""
ANSWER = """{
"requestId": "78539fe0-e9b0-4e4e-8c86-70b36aa93d4f",
"statusCode": 200,
"body": {
"status": "Ok",
"sell": [
{
"ra": "39500",
"ca": "0.55345108",
"sa": "0.55345108",
"pa": "0.55345108",
"co": 1
}
],
"buy": [
{
"ra": "39256.01",
"ca": "0.3468",
"sa": "0.3468",
"pa": "0.3468",
"co": 1
}
],
"timestamp": "1566468343707",
"seqNo": "1978936"
}
}"""


def filled(text: str) -> object:
    return json.loads(text.replace("{market_code}", "game-pln").replace("{limit}", "10"))


def test_printed_example_plays_through_a_line() -> None:
    play = Bench(VENUE)
    book, native = (
        play.subscribe(Books("GAME-PLN", 10)),
        play.subscribe(zonda.LimitedOrderBooks("GAME-PLN", 10)),
    )
    play.connect()
    (asked,) = play.writer()
    assert json.loads(asked) == filled(SUBSCRIBE)
    book.take(), native.take()
    play.server(PUSH)
    assert (book.is_confirmed, native.is_confirmed, book.take()) == (True, True, [])
    (proxied,) = play.writer()
    number = json.loads(proxied)["requestId"]
    assert json.loads(proxied) == filled(PROXY) | {"requestId": number}  # type: ignore[operator]  # two dicts
    play.server(ANSWER.replace("78539fe0-e9b0-4e4e-8c86-70b36aa93d4f", number))
    play.server(PUSH.replace('"seqNo": 5', '"seqNo": 1978937'))
    snapshot, change = book.take()
    assert isinstance(snapshot, BookSnapshot)
    assert snapshot.asks == ((Decimal(39500), Decimal("0.55345108")),)
    assert snapshot.bids == ((Decimal("39256.01"), Decimal("0.3468")),)
    assert (snapshot.sequence, snapshot.depth) == (1978936, 10)
    assert isinstance(change, BookChange)
    assert change.bids == ((Decimal(10), Decimal(6)),)
    push, answer, _ = native.take()
    assert isinstance(push, zonda.OrderBookPush)
    assert isinstance(answer, zonda.OrderBookAnswer)
    assert push.message.changes[0].state == zonda.PriceLevel(
        ra=Decimal(10), ca=Decimal(6), sa=Decimal(6), pa=Decimal(6), co=2
    )
    assert (push.action, answer.action, answer.later) == ("push", "proxy-response", ())
