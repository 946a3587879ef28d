"""Frames as they were on the wire, through the protocol that a session uses."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest

from tests.venues.bench import Bench
from tests.venues.coinbase.feed import ack
from trioquotes import events
from trioquotes._protocol.offline import Offline
from trioquotes.events import Event
from trioquotes.topics import Books, Trades
from trioquotes.venues import coinbase
from trioquotes.venues.coinbase import VENUE

FOLDER = os.environ.get("TRIOQUOTES_CAPTURES")
pytestmark = pytest.mark.skipif(FOLDER is None, reason="TRIOQUOTES_CAPTURES is not set")

NO_EVENT = {"subscriptions": "acknowledgement", "error": "error", "level3": "schema"}
CLASSES: dict[str, type[Event]] = {
    "heartbeat": coinbase.Heartbeat,
    "status": coinbase.Status,
    "ticker": coinbase.Ticker,
    "snapshot": coinbase.Snapshot,
    "l2update": coinbase.L2Update,
    "match": coinbase.Match,
    "last_match": coinbase.LastMatch,
    "received": coinbase.Received,
    "open": coinbase.Open,
    "done": coinbase.Done,
    "change": coinbase.Change,
    "activate": coinbase.Activate,
    "auction": coinbase.Auction,
    "rfq_match": coinbase.RfqMatch,
    "balance": coinbase.Balance,
}


@attrs.frozen
class Captured:
    number: int
    raw: str
    channel: str
    source: str


def captured(name: str) -> Iterator[Captured]:
    if FOLDER is None:
        return
    with Path(FOLDER, name).open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            row = json.loads(line)
            yield Captured(number, row["raw"], row.get("channel", ""), row.get("source", ""))


MESSAGES = [*captured("coinbase-messages.jsonl")]


@pytest.mark.parametrize("line", MESSAGES, ids=lambda line: f"{line.number}-{line.channel}")
def test_every_captured_message_is_typed_or_refused_with_a_reason(line: Captured) -> None:
    run = Offline(VENUE, native=True, independent=True)
    made = run.feed(line.raw.encode(), line.channel, received_ns=5)
    count = run.count()
    if "INVALID JSON" in line.source:
        (malformed,) = made
        assert isinstance(malformed, events.Malformed)
        assert malformed.reason
        assert count.malformed == 1
        return
    wire = json.loads(line.raw)
    if isinstance(wire, list):
        (message,) = made
        assert type(message).__name__ == f"Level3{wire[0].capitalize()}"
        assert_same_texts(message, dict(zip(coinbase.level3.DOCUMENTED_SCHEMA[wire[0]], wire, strict=True)))
        return
    if wire["type"] in NO_EVENT:
        assert made == []
        assert count.ignored == {NO_EVENT[wire["type"]]: 1}
        return
    messages = [event for event in made if not isinstance(event, events.Notice)]
    (message,) = messages
    assert type(message) is CLASSES[wire["type"]]
    assert message.received_ns == 5  # type: ignore[attr-defined]  # of every wire message
    if "0.-10000" in line.raw:
        (refused, _, gap) = made  # native subscribers get what is left of it
        assert isinstance(refused, events.Malformed)
        assert refused.reason == "Invalid decimal string at $.bids[1][1]: '0.-10000'"
        assert isinstance(gap, events.Gap)
        wire["bids"].pop(1)
    else:
        assert made == messages
        assert count.malformed == count.gaps == 0
    assert_same_texts(message, wire)


def assert_same_texts(value: Any, wire: Any) -> None:
    """Every field of the wire that we know is there, every decimal with the digits of the wire."""
    if isinstance(value, Decimal):
        text = str(wire).strip(" ")
        assert value.as_tuple() == Decimal(text).as_tuple()
        assert format(value, "f") == text or "e" in text
    elif isinstance(value, msgspec.Struct):
        for name, key in zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True):
            field = getattr(value, name)
            if key in wire:
                assert_same_texts(field, wire[key])
            elif not key.startswith("~"):
                assert field is None
    elif isinstance(value, tuple):
        assert len(value) == len(wire)
        for item, text in zip(value, wire, strict=True):
            assert_same_texts(item, text)
    elif hasattr(value, "isoformat"):
        digits = len(str(wire).rpartition(".")[2]) - 1
        timespec = "microseconds" if digits == 6 else "milliseconds"
        assert value.isoformat(timespec=timespec).replace("+00:00", "Z") == wire
    else:
        assert value == wire or str(value) == wire


@pytest.mark.parametrize("line", MESSAGES, ids=lambda line: f"{line.number}-{line.channel}")
def test_no_field_of_a_captured_message_is_unknown_to_us(line: Captured) -> None:
    wire = json.loads(line.raw)
    if isinstance(wire, dict) and wire["type"] in CLASSES:
        known = CLASSES[wire["type"]].__struct_encode_fields__
        assert set(wire) - {"type"} <= set(known)


def test_recorded_session_adds_up() -> None:
    run = Offline(VENUE)
    made = [
        event for line in captured("coinbase-session-2021.jsonl") for event in run.feed(line.raw.encode())
    ]
    count = run.count()
    assert (count.frames, count.elements, count.malformed, count.gaps) == (3000, 3000, 0, 0)
    assert count.ignored == {"acknowledgement": 3, "history": 10}
    kinds = [type(event).__name__ for event in made]
    assert {kind: kinds.count(kind) for kind in sorted(set(kinds))} == {
        "BookChange": 2925,
        "BookSnapshot": 10,
        "Ticker": 31,
        "Trade": 21,
    }
    books = run.books()
    assert len(books) == 10
    for book in books:
        assert book.state == "live"
        assert book.best_bid is not None
        assert book.best_ask is not None
        assert book.best_bid[0] < book.best_ask[0]


def test_recorded_session_ends_with_the_books_of_a_plain_reference() -> None:
    plain: dict[str, dict[str, dict[Decimal, Decimal]]] = {}
    run = Offline(VENUE)
    for line in captured("coinbase-session-2021.jsonl"):
        run.feed(line.raw.encode())
        wire = json.loads(line.raw)
        if wire["type"] == "snapshot":
            plain[wire["product_id"]] = {
                side: {Decimal(price): Decimal(size) for price, size in wire[name]}
                for side, name in (("buy", "bids"), ("sell", "asks"))
            }
        for side, price, size in wire.get("changes", ()):
            plain[wire["product_id"]][side][Decimal(price)] = Decimal(size)
    assert len(plain) == 10
    books = {book.instrument: book for book in run.books()}
    assert books.keys() == plain.keys()
    for name, sides in plain.items():
        bids, asks = ({p: s for p, s in sides[side].items() if s} for side in ("buy", "sell"))
        assert books[name].levels("bid") == tuple(sorted(bids.items(), reverse=True))
        assert books[name].levels("ask") == tuple(sorted(asks.items()))
        assert len(bids) > 100


def test_taker_side_of_trades_and_tickers_agrees_in_the_recorded_session() -> None:
    run = Offline(VENUE, native=True)
    sides: dict[tuple[str, int], str] = {}
    tickers: dict[tuple[str, int], str] = {}
    for line in captured("coinbase-session-2021.jsonl"):
        for event in run.feed(line.raw.encode()):
            if isinstance(event, coinbase.Match):
                trade = coinbase.unify.trades(event, events_receipt())
                assert isinstance(trade, events.Trade)
                sides[event.product_id, event.trade_id] = str(trade.taker_side)
            if isinstance(event, coinbase.Ticker) and event.trade_id is not None:
                tickers[event.product_id, event.trade_id] = str(event.side)
    both = sides.keys() & tickers.keys()
    assert len(both) > 10
    assert [key for key in both if sides[key] != tickers[key]] == []


def events_receipt() -> Any:
    from trioquotes._protocol.effects import Receipt  # noqa: PLC0415  # beside its only use

    return Receipt(0)


def test_recorded_session_plays_through_a_live_line() -> None:
    products = {
        json.loads(line.raw).get("product_id") for line in captured("coinbase-session-2021.jsonl")
    } - {None}
    play = Bench(VENUE)
    topics = [topic for product in sorted(products) for topic in (Trades(product), Books(product))]
    boxes = [play.subscribe(topic) for topic in topics]
    play.connect()
    play.writer()
    play.server(ack(level2_50=sorted(products), matches=sorted(products), heartbeat=sorted(products)))
    assert all(box.is_confirmed for box in boxes)
    for line in captured("coinbase-session-2021.jsonl"):
        play.server(line.raw)
    count = play.line().state.tally.count()
    assert count.ignored == {"acknowledgement": 4, "history": 10, "not subscribed": 31}
    assert (count.delivered, count.malformed, count.gaps) == (2956, 0, 0)
