"""Frames as they were on the wire, through the protocol that a session uses."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest

from tests.venues.bench import Bench
from tests.venues.upbit.market import compact
from trioquotes import events
from trioquotes._protocol.effects import WireChannel
from trioquotes._protocol.offline import Offline
from trioquotes.events import Event, Notice
from trioquotes.topics import Books, Depths, Quotes, Trades
from trioquotes.venues import upbit
from trioquotes.venues.upbit import VENUE, formats, generate_payload
from trioquotes.venues.upbit.requests import list_subscriptions, subscribe

FOLDER = os.environ.get("TRIOQUOTES_CAPTURES")
pytestmark = pytest.mark.skipif(FOLDER is None, reason="TRIOQUOTES_CAPTURES is not set")

NO_EVENT = {"status": "heartbeat", "error": "error", "LIST_SUBSCRIPTIONS": "subscriptions"}
CLASSES: dict[str, type[Event]] = {
    "ticker": upbit.Ticker,
    "trade": upbit.Trade,
    "orderbook": upbit.Orderbook,
    "candle": upbit.Candle,
    "myOrder": upbit.MyOrder,
    "myAsset": upbit.MyAsset,
}


@attrs.frozen
class Captured:
    number: int
    raw: str
    channel: str
    source: str
    note: str

    def objects(self) -> list[dict[str, Any]]:
        """Its objects, with every number as the text of the wire."""
        found = json.loads(self.raw, parse_float=str, parse_int=str)
        return found if isinstance(found, list) else [found]


def captured(name: str) -> Iterator[Captured]:
    if FOLDER is None:
        return
    with Path(FOLDER, name).open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            row = json.loads(line)
            texts = (row.get(key, "") for key in ("channel", "source", "note"))
            yield Captured(number, row["raw"], *texts)


MESSAGES = [*captured("upbit-messages.jsonl"), *captured("upbit-simple-derived.jsonl")]


@pytest.mark.parametrize("line", MESSAGES, ids=lambda line: f"{line.number}-{line.channel}")
def test_every_captured_message_is_typed_with_every_digit(line: Captured) -> None:
    run = Offline(VENUE, native=True, independent=True)
    made = run.feed(line.raw.encode(), line.channel, received_ns=5)
    count = run.count()
    wire = line.objects()
    assert (count.elements, count.malformed, count.gaps) == (len(wire), 0, 0)
    if line.channel in NO_EVENT:
        assert made == []
        assert count.ignored == {NO_EVENT[line.channel]: 1}
        return
    assert len(made) == len(wire)
    for message, fields in zip(made, wire, strict=True):
        assert isinstance(message, CLASSES[line.channel.partition(".")[0]])
        assert isinstance(message, upbit.Message)
        assert message.received_ns == 5
        assert message.type == line.channel
        assert_same(message, fields)


def assert_same(value: Any, wire: Any) -> None:
    """Every field of the wire is there under its long name, with the digits of the wire."""
    if isinstance(value, msgspec.Struct):
        kind = "Trade" if isinstance(value, upbit.LastTrade) else type(value).__name__
        names = {**formats.ABBREVIATIONS["Message"], **formats.ABBREVIATIONS[kind]}
        long = {short: name for name, short in names.items()} | {"mk": "code"}
        for key, text in wire.items():
            name = key if hasattr(value, key) else long[key]
            assert_same(getattr(value, name), text)
    elif isinstance(value, Decimal):
        assert value.as_tuple() == Decimal(wire).as_tuple()
    elif isinstance(value, tuple):
        assert len(value) == len(wire)
        for item, text in zip(value, wire, strict=True):
            assert_same(item, text)
    elif hasattr(value, "isoformat"):
        assert value.isoformat() == wire
    elif isinstance(value, bool) or value is None:
        assert value is wire
    else:
        assert str(value) == wire


def test_simple_forms_are_the_same_messages_as_the_default_ones() -> None:
    default = {line.raw: line for line in captured("upbit-messages.jsonl")}
    found = 0
    for line in captured("upbit-simple-derived.jsonl"):
        (short,) = Offline(VENUE, native=True).feed(line.raw.encode())
        same = [
            other
            for other in default.values()
            if other.channel == line.channel
            and Offline(VENUE, native=True).feed(other.raw.encode()) == [short]
        ]
        found += len(same)
    assert found == 6


def test_unified_events_of_the_captured_messages() -> None:
    run = Offline(VENUE, independent=True)
    made: Counter[str] = Counter()
    for line in captured("upbit-messages.jsonl"):
        made.update(type(event).__name__ for event in run.feed(line.raw.encode(), line.channel))
    count = run.count()
    assert made == {
        "BookSnapshot": 7, "Candle": 9, "Ticker": 5, "Trade": 1, "OrderUpdate": 1, "Fill": 1, "Balance": 1,
    }  # fmt: skip
    assert count.ignored == {"error": 4, "heartbeat": 1, "history": 9, "subscriptions": 2}
    assert (count.frames, count.elements, count.malformed) == (39, 40, 0)


def test_padding_and_microseconds_of_recorded_books() -> None:
    run = Offline(VENUE)
    books = {}
    for line in captured("upbit-messages.jsonl"):
        for event in run.feed(line.raw.encode(), line.channel):
            if isinstance(event, events.BookSnapshot):
                books[event.instrument] = event
    assert books["KRW-DOT"].asks == ((Decimal(41840), Decimal("103.6")),)
    assert len(books["KRW-DOT"].bids) == 2
    assert books["USDT-ETC"].venue_time_ns == 1691530805062 * 1_000_000


def test_recorded_session_adds_up() -> None:
    run = Offline(VENUE)
    made = [event for line in captured("upbit-session-2021.jsonl") for event in run.feed(line.raw.encode())]
    count = run.count()
    kinds = Counter(type(event).__name__ for event in made)
    assert (count.frames, count.elements, count.malformed, count.gaps) == (120, 120, 0, 0)
    assert count.ignored == {}
    assert kinds == Counter(
        {"t": "Trade", "o": "BookSnapshot"}[json.loads(line.raw)["ty"][0]]
        for line in captured("upbit-session-2021.jsonl")
    )
    for book in run.books():
        assert book.state == "live"
        assert book.best_bid is not None
        assert book.best_ask is not None
        assert book.best_bid[0] < book.best_ask[0]


def test_recorded_session_plays_through_a_live_line() -> None:
    lines = [*captured("upbit-session-2021.jsonl")]
    wanted = sorted({(json.loads(line.raw)["ty"], json.loads(line.raw)["cd"]) for line in lines})
    play = Bench(VENUE, extra={"format": "SIMPLE"})
    boxes = [play.subscribe((Trades if kind == "trade" else Books)(code)) for kind, code in wanted]
    play.connect()
    play.writer()
    for line in lines:
        play.server(line.raw)
    assert all(box.is_confirmed for box in boxes)
    count = play.line().state.tally.count()
    assert (count.delivered, count.ignored, count.malformed, count.gaps) == (120, {}, 0, 0)
    assert not [event for box in boxes for event in box.events if isinstance(event, Notice)][len(boxes) :]


def test_final_books_of_the_recorded_session_are_its_last_messages() -> None:
    lines = [json.loads(line.raw, parse_float=Decimal) for line in captured("upbit-session-2021.jsonl")]
    last = {told["cd"]: told for told in lines if told["ty"] == "orderbook"}
    play = Bench(VENUE, extra={"format": "SIMPLE"})
    topics = [topic for code in last for topic in (Books(code), Depths(code, 3), Quotes(code))]
    boxes = {topic: play.subscribe(topic) for topic in topics}
    play.connect()
    play.writer()
    for line in captured("upbit-session-2021.jsonl"):
        play.server(line.raw)
    assert len(last) > 3
    for code, told in last.items():
        bids = [(unit["bp"], unit["bs"]) for unit in told["obu"]]
        asks = [(unit["ap"], unit["as"]) for unit in told["obu"]]
        book, depth, quote = (boxes[t].events[-1] for t in (Books(code), Depths(code, 3), Quotes(code)))
        assert isinstance(book, events.BookSnapshot)
        assert ([*book.bids], [*book.asks]) == (bids, asks)
        assert isinstance(depth, events.Depth)
        assert ([*depth.bids], [*depth.asks]) == (bids[:3], asks[:3])
        assert isinstance(quote, events.Quote)
        assert ((quote.bid, quote.bid_size), (quote.ask, quote.ask_size)) == (bids[0], asks[0])


def test_requests_of_the_captures_are_what_we_would_send() -> None:
    lines = [json.loads(line.raw) for line in captured("upbit-requests.jsonl")]
    tickers, depths, levels, listing = lines[1:]
    ticket = tickers[0]["ticket"]
    made = generate_payload("ticker", ["KRW-BTC", "KRW-ETH"], ticket=ticket, format="SIMPLE_LIST")
    assert json.loads(made) == tickers
    made = generate_payload("orderbook", ["KRW-BTC", "KRW-ETH.5"], ticket=ticket, level=10000)
    assert json.loads(made) == depths
    grouped = [
        WireChannel("orderbook", "KRW-BTC", '{"level":10000}'),
        WireChannel("orderbook", "KRW-BTT", '{"level":0}'),
    ]
    parts = [
        compact(part).replace(".30", "") for part in json.loads(subscribe(grouped, bytes(16), "DEFAULT"))
    ]
    assert sorted(parts[1:]) == sorted(compact(part) for part in levels[1:])
    assert json.loads(list_subscriptions(bytes(16), "DEFAULT"))[1] == listing[1]
    assert re.fullmatch(r"[0-9a-f-]{36}", json.loads(list_subscriptions(bytes(16), "SIMPLE"))[0]["ticket"])
