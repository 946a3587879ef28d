"""Frames as they were on the wire, or are printed, through the protocol that a session uses."""

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
from tests.venues.bookcheck import Reader
from trioquotes import events
from trioquotes._protocol.offline import Offline
from trioquotes.events import Event
from trioquotes.topics import Books
from trioquotes.venues import edgex
from trioquotes.venues.edgex import VENUE

FOLDER = os.environ.get("TRIOQUOTES_CAPTURES")
pytestmark = pytest.mark.skipif(FOLDER is None, reason="TRIOQUOTES_CAPTURES is not set")

NO_EVENT = {
    "connected": "control",
    "subscribed": "acknowledgement",
    "unsubscribed": "acknowledgement",
    "error": "error",
    "ping": "heartbeat",
    "pong": "heartbeat",
}
CLASSES: dict[str, type[Event]] = {
    "metadata": edgex.Metadata,
    "ticker": edgex.Ticker,
    "kline": edgex.Kline,
    "depth": edgex.Depth,
    "trades": edgex.Trade,
    "bookTicker": edgex.BookTicker,
    "fundingRate": edgex.FundingRate,
}


@attrs.frozen
class Captured:
    number: int
    raw: str
    channel: str
    source: str

    @property
    def refusal(self) -> str:
        """Why it is no message; empty where it is one."""
        if "INVALID JSON" in self.source:
            return "JSON is malformed"
        return "string" if '"startVersion":"string"' in self.raw or '"high":"string"' in self.raw else ""


def captured() -> Iterator[Captured]:
    if FOLDER is None:
        return
    with Path(FOLDER, "edgex-messages.jsonl").open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            row = json.loads(line)
            if not row["channel"].startswith("client:"):
                yield Captured(number, row["raw"], row["channel"], row["source"])


LINES = [*captured()]


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line.number}-{line.channel}")
def test_every_captured_frame_is_typed_or_refused_with_a_reason(line: Captured) -> None:
    run = Offline(VENUE, native=True, independent=True)
    made = run.feed(line.raw.encode(), line.channel, received_ns=5)
    count = run.count()
    if line.refusal:
        malformed = made[0]
        assert isinstance(malformed, events.Malformed)
        assert line.refusal in malformed.reason
        assert count.malformed == count.elements == 1
        return
    wire = json.loads(line.raw)
    messages = [event for event in made if not isinstance(event, events.Notice)]
    if wire["type"] in NO_EVENT:
        assert messages == []
        assert count.ignored == {NO_EVENT[wire["type"]]: 1}
    elif wire["type"] == "trade-event":
        (message,) = messages
        assert isinstance(message, edgex.TradeEvent)
        content = dict(wire["content"])
        groups = content.pop("data")
        assert_same(message, content)
        assert_same(message.data, groups)
        entries = sum(len(group) for group in groups.values())
        assert (count.delivered, count.folded, count.malformed) == (1, max(entries - 1, 0), 0)
    else:
        rows = wire["content"]["data"]
        assert [type(message) for message in messages] == [CLASSES[wire["channel"].partition(".")[0]]] * len(
            rows
        )
        for message, row in zip(messages, rows, strict=True):
            assert isinstance(message, edgex.Row | edgex.Metadata)
            assert message.received_ns == 5
            assert message.data_type == wire["content"]["dataType"]
            assert_same(message, row)
        assert count.delivered == count.elements == len(rows)


def assert_same(value: Any, wire: Any) -> None:
    """Everything on the wire is in the value, digit for digit."""
    if isinstance(value, msgspec.Struct):
        fields = dict(zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True))
        for name, inner in wire.items():
            assert name in fields, f"{type(value).__name__} does not know {name}"
            assert_same(getattr(value, fields[name]), inner)
    elif isinstance(wire, list):
        assert len(value) == len(wire)
        for one, inner in zip(value, wire, strict=True):
            assert_same(
                one, [*inner.values()] if isinstance(one, tuple) and isinstance(inner, dict) else inner
            )
    elif isinstance(value, Decimal) or (isinstance(value, int) and not isinstance(value, bool)):
        assert str(value) == str(wire)
    else:
        assert value == wire


@pytest.mark.parametrize("native", [False, True])
def test_the_ledger_of_all_frames_adds_up(*, native: bool) -> None:
    run = Offline(VENUE, native=native)
    for line in LINES:
        run.feed(line.raw.encode(), line.channel)
    count = run.count()
    assert count.frames == len(LINES) == 59
    assert count.malformed == 3
    assert count.elements == count.delivered + count.folded + sum(count.ignored.values()) + count.malformed
    assert count.elements == sum(map(elements_of, LINES))
    assert "not subscribed" not in count.ignored
    assert "unknown type" not in count.ignored


def elements_of(line: Captured) -> int:
    """Rows of data, entries of the account, at least one; counted by hand."""
    if line.refusal:
        return 1
    content = json.loads(line.raw).get("content") or {}
    data = content.get("data")
    if isinstance(data, dict):
        return max(sum(len(group) for group in data.values()), 1)
    return max(len(data), 1) if isinstance(data, list) else 1


def test_the_documented_change_continues_the_documented_snapshot() -> None:
    run = Offline(VENUE)
    for line in LINES:
        if line.channel in {"depth.10000004.200", "depth.10000001.15"} and not line.refusal:
            assert not [
                event for event in run.feed(line.raw.encode(), line.channel) if isinstance(event, events.Gap)
            ]
    live = {book.instrument: book for book in run.books() if book.state == "live"}
    assert live["10000004"].best_ask == (Decimal("601.03"), Decimal("23.33"))
    assert len(live["10000004"].levels("ask")) == 7
    assert live["10000001"].best_ask == (Decimal("30150.50"), Decimal("7.123"))
    assert live["10000001"].best_bid == (Decimal("30149.75"), Decimal("2.500"))


def plain_books() -> dict[tuple[str, int], tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]]:
    """Every captured book by contract and window, as the pages say: a snapshot, then absolute sizes."""
    books: dict[tuple[str, int], tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]] = {}
    for line in LINES:
        if not line.channel.startswith("depth.") or line.refusal:
            continue
        content = json.loads(line.raw)["content"]
        (row,) = content["data"]
        key = (row["contractId"], row["level"])
        if content["dataType"].lower() == "snapshot":
            books[key] = ({}, {})
        for side, levels in zip(books.get(key, ()), (row["bids"], row["asks"]), strict=False):
            for level in levels:
                price, size = level.values() if isinstance(level, dict) else level
                side[Decimal(price)] = Decimal(size)
                if not side[Decimal(price)]:
                    del side[Decimal(price)]
    return books


def test_the_captured_books_equal_a_plain_reference() -> None:
    run = Offline(VENUE)
    for line in LINES:
        if line.channel.startswith("depth.") and not line.refusal:
            run.feed(line.raw.encode(), line.channel)
    kept = {
        (book.instrument, book.window): (dict(book.levels("bid")), dict(book.levels("ask")))
        for book in run.books()
        if book.state == "live"
    }
    assert kept == plain_books()
    assert sorted(kept) == [("10000001", 15), ("10000004", 200), ("30000001", 15)]
    assert sum(len(side) for book in kept.values() for side in book) == 18


def test_the_captured_books_are_the_same_on_a_line() -> None:
    play = Bench(VENUE, endpoint="v1")
    readers = {
        (contract, level): play.join(Reader(Books(contract, level))) for contract, level in plain_books()
    }
    play.connect()
    play.writer()
    for line in LINES:
        if line.channel.startswith("depth.") and not line.refusal:
            play.server(line.raw)
    for key, (bids, asks) in plain_books().items():
        assert readers[key].trusting
        assert readers[key].gaps == []
        assert readers[key].agrees(bids, asks)
