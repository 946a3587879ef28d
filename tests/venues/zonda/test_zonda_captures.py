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

from trioquotes import events
from trioquotes._protocol.offline import Offline
from trioquotes.events import WireMessage
from trioquotes.venues import zonda
from trioquotes.venues.zonda import VENUE

FOLDER = os.environ.get("TRIOQUOTES_CAPTURES")
pytestmark = pytest.mark.skipif(FOLDER is None, reason="TRIOQUOTES_CAPTURES is not set")

NO_EVENT = {"pong": "heartbeat", "subscribe-public-confirm": "acknowledgement", "error": "error"}
PUSHES: dict[str, type[WireMessage]] = {
    "orderbook-limited": zonda.OrderBookPush,
    "orderbook": zonda.OrderBookPush,
    "transactions": zonda.TransactionsPush,
    "ticker": zonda.TickerPush,
    "stats": zonda.StatsPush,
    "rates": zonda.RatePush,
    "balance": zonda.FundsPush,
    "offers": zonda.OfferPush,
    "stop": zonda.StopOfferPush,
}
ANSWERS: dict[str, type[WireMessage]] = {
    "orderbook-limited": zonda.OrderBookAnswer,
    "orderbook": zonda.OrderBookAnswer,
    "transactions": zonda.TransactionsAnswer,
    "ticker": zonda.TickerAnswer,
    "stats": zonda.StatsAnswer,
    "history": zonda.OwnTransactionsAnswer,
}


@attrs.frozen
class Captured:
    number: int
    raw: str
    channel: str
    source: str


def captured() -> Iterator[Captured]:
    if FOLDER is None:
        return
    with Path(FOLDER, "zonda-messages.jsonl").open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            row = json.loads(line)
            if not row["channel"].startswith("client:"):
                yield Captured(number, row["raw"], row["channel"], row["source"])


MESSAGES = [*captured()]
each_line = pytest.mark.parametrize("line", MESSAGES, ids=lambda line: f"{line.number}-{line.channel}")


def class_of(wire: Any, channel: str) -> type[WireMessage]:
    if "topic" in wire:
        return PUSHES[wire["topic"].split("/")[1]]
    return ANSWERS[channel.removeprefix("private ").split("/")[1]]


@each_line
def test_every_captured_message_is_typed_or_refused_with_a_reason(line: Captured) -> None:
    run = Offline(VENUE, native=True, independent=True)
    made = run.feed(line.raw.encode(), line.channel, received_ns=5)
    count = run.count()
    if "INVALID JSON" in line.source:
        (malformed,) = made
        assert isinstance(malformed, events.Malformed)
        assert malformed.reason == "JSON is malformed: trailing comma in object (byte 541)"
        assert (count.malformed, count.elements) == (1, 1)
        return
    wire = json.loads(line.raw)
    assert (count.frames, count.malformed, count.gaps) == (1, 0, 0)
    if wire.keys() <= {"action", "module", "path", "error"}:
        assert made == []
        assert count.ignored == {NO_EVENT[wire.get("action", "error")]: 1}
        return
    kind = class_of(wire, line.channel)
    if line.channel == "trading/orderbook-limited":
        assert count.ignored == {"market not said": 1}
        assert_same_texts(msgspec.json.decode(line.raw, type=kind), wire)
        return
    (message,) = made
    assert type(message) is kind
    assert message.received_ns == 5
    assert_same_texts(message, wire)
    assert count.elements == count.delivered + count.folded


def assert_same_texts(value: Any, wire: Any) -> None:
    """Every field of the wire is there and no other, every decimal with the digits of the wire."""
    if isinstance(value, Decimal):
        assert str(value) == (wire if isinstance(wire, str) else json.dumps(wire))
    elif isinstance(value, msgspec.Struct):
        names = dict(zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True))
        assert wire.keys() <= names.keys()
        for key, name in names.items():
            if key in wire:
                assert_same_texts(getattr(value, name), wire[key])
            elif not key.startswith("~") and key != "action":
                assert getattr(value, name) is None
    elif isinstance(value, tuple):
        assert len(value) == len(wire)
        for item, text in zip(value, wire, strict=True):
            assert_same_texts(item, text)
    else:
        assert value == wire


@each_line
def test_every_captured_message_counts_the_same_unified(line: Captured) -> None:
    native, unified = (Offline(VENUE, native=native, independent=True) for native in (True, False))
    native.feed(line.raw.encode(), line.channel)
    unified.feed(line.raw.encode(), line.channel)
    assert native.count().elements == unified.count().elements
    assert native.count().malformed == unified.count().malformed


def sequence_a() -> list[Captured]:
    return [line for line in MESSAGES if "sequence A" in line.source]


def test_recorded_sequence_a_keeps_ten_prices_a_side() -> None:
    run = Offline(VENUE)
    snapshot, push = sequence_a()
    (whole,) = run.feed(snapshot.raw.encode(), snapshot.channel)
    (change,) = run.feed(push.raw.encode(), push.channel)
    assert isinstance(whole, events.BookSnapshot)
    assert isinstance(change, events.BookChange)
    assert (whole.sequence, change.sequence) == (95486654, 95486655)
    (book,) = run.books()
    bids, asks = book.depth()
    assert (book.state, len(bids), len(asks), book.statistics().trimmed) == ("live", 10, 10, 0)
    assert bids[0] == (Decimal("174800.01"), Decimal("0.03870294"))
    assert asks[0] == (Decimal("175728.68"), Decimal("0.04474234"))
    assert book.statistics().unknown_removals == 0
    assert (run.count().gaps, run.count().malformed) == (0, 0)


def plain_book(snapshot: Any, push: Any) -> tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]:
    """Bids and asks after a snapshot and the push that follows it, from the texts on the wire and nothing else."""
    sides = {
        name: {Decimal(row["ra"]): Decimal(row["ca"]) for row in snapshot["body"][key]}
        for name, key in (("Buy", "buy"), ("Sell", "sell"))
    }
    assert push["seqNo"] == int(snapshot["body"]["seqNo"]) + 1
    for change in push["message"]["changes"]:
        side = sides[change["entryType"]]
        if change["action"] == "remove":
            del side[Decimal(change["rate"])]
        else:
            side[Decimal(change["rate"])] = Decimal(change["state"]["ca"])
    return sides["Buy"], sides["Sell"]


def test_recorded_snapshot_and_the_push_after_it_give_the_book_of_a_plain_reference() -> None:
    run = Offline(VENUE)
    snapshot, push = sequence_a()
    for line in (snapshot, push):
        run.feed(line.raw.encode(), line.channel)
    bids, asks = plain_book(json.loads(snapshot.raw), json.loads(push.raw))
    (book,) = run.books()
    assert book.depth() == (tuple(sorted(bids.items(), reverse=True)), tuple(sorted(asks.items())))
    assert (len(bids), len(asks), book.instrument) == (10, 10, "BTC-PLN")


@pytest.mark.parametrize(
    ("snapshot", "pushes", "gaps"),
    [
        (96535057, range(96535058, 96535063), 0),  # recorded sequence B
        (98007871, [98007873], 1),  # recorded sequence C: 98007872 was missed
    ],
)
def test_numbers_of_the_other_recorded_sequences(snapshot: int, pushes: list[int], gaps: int) -> None:
    """The frames of A under the numbers that B and C had."""
    first, push = sequence_a()
    run = Offline(VENUE)
    run.feed(first.raw.replace("95486654", str(snapshot)).encode(), first.channel)
    kinds = [
        type(event).__name__
        for number in pushes
        for event in run.feed(push.raw.replace("95486655", str(number)).encode(), push.channel)
    ]
    assert kinds == (["Gap"] if gaps else ["BookChange"] * 5)
    assert run.count().gaps == gaps
    assert [book.state for book in run.books()] == ["broken" if gaps else "live"]


def test_the_whole_file_in_one_run_adds_up() -> None:
    run = Offline(VENUE)
    for line in MESSAGES:
        run.feed(line.raw.encode(), line.channel)
    count = run.count()
    assert count.frames == len(MESSAGES) == 27
    assert count.elements == count.delivered + count.folded + sum(count.ignored.values()) + count.malformed
    assert count.malformed == 1
    assert count.gaps == 1  # samples of different days stand behind each other
    assert count.ignored == {
        "acknowledgement": 2,
        "awaiting snapshot": 10,
        "error": 1,
        "heartbeat": 1,
        "history": 2,
        "market not said": 1,
        "rates": 1,
    }


def test_own_trades_under_the_topic_of_the_markets_are_fills_where_the_capture_says_so() -> None:
    run = Offline(VENUE)
    (line,) = [one for one in MESSAGES if one.channel == "private trading/history/transactions/btc-pln"]
    (fill,) = run.feed(line.raw.encode(), line.channel)
    assert isinstance(fill, events.Fill)
    assert fill.instrument == "BTC-PLN"
