"""What the venue serves and refuses before any I/O, and captured frames."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

from trioquotes import events
from trioquotes._protocol.effects import Endpoint, Lane, Options, Receipt, Skip, Stamp, WireChannel
from trioquotes._protocol.offline import Offline
from trioquotes.credentials import ApiKey, BearerToken
from trioquotes.errors import InvalidInstrument, MissingCredentials, UnsupportedTopic, UsageError
from trioquotes.topics import (
    Books,
    Candles,
    Depths,
    Instruments,
    OrderBooks,
    Orders,
    Quotes,
    Tickers,
    Topic,
    Trades,
)
from trioquotes.venues import darwinex
from trioquotes.venues.darwinex import VENUE, unify
from trioquotes.venues.darwinex.requests import MAX_FRAME_BYTES, ping, subscribe, unsubscribe, unsubscribe_all
from trioquotes.venues.darwinex.venue import DarwinexVenue

ENDPOINT = VENUE.endpoints["production"]
WITH, WITHOUT = Options(ENDPOINT, has_credentials=True), Options(ENDPOINT)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("DWC", "a ticker alone is not enough"),
        ("dwc.4.20", "did you mean 'DWC.4.20'?"),
        ("BTC/USD", "no pair of currencies"),
        ("DWC/USD", "no pair of currencies"),
        ("DWC.4", "looks like 'DWC.4.20'"),
        ("DWC.4.20 ", "looks like 'DWC.4.20'"),
        ("DWC.4.x", "looks like"),
        ("", "looks like"),
        ("DWC.4.२०", "looks like"),
    ],
)
def test_what_is_no_full_name_is_refused_with_a_hint(text: str, hint: str) -> None:
    with pytest.raises(InvalidInstrument, match=re.escape(hint)):
        VENUE.instrument(text)
    with pytest.raises(InvalidInstrument):
        VENUE.serve(Quotes(text), WITH)


@pytest.mark.parametrize("name", ["DWC.4.20", "THA.4.12", "AEB.5.4", "XYZA.10.120"])
def test_full_names_are_taken_as_they_are(name: str) -> None:
    assert VENUE.instrument(name) == name
    assert VENUE.serve(Quotes(name), WITH).channels == (WireChannel("pq", name),)


@pytest.mark.parametrize(
    "topic",
    [Trades("DWC.4.20"), Books("DWC.4.20"), Depths("DWC.4.20"), OrderBooks("DWC.4.20"), Tickers("DWC.4.20"),
     Candles("DWC.4.20"), Orders()],
    ids=str,
)  # fmt: skip
def test_other_topics_are_unsupported_and_the_message_says_what_there_is(topic: Topic[events.Event]) -> None:
    with pytest.raises(UnsupportedTopic, match="it can serve Instruments, Quotes"):
        VENUE.serve(topic, WITH)


@pytest.mark.parametrize(
    "topic",
    [Quotes("DWC.4.20"), Instruments(), darwinex.ProductQuotes("DWC.4.20"), darwinex.Heartbeats()],
)
def test_every_topic_needs_a_token(topic: Topic[events.Event]) -> None:
    with pytest.raises(MissingCredentials, match="access token"):
        VENUE.serve(topic, WITHOUT)


def test_list_of_products_needs_a_rest_side() -> None:
    options = Options(Endpoint("wss://localhost"), has_credentials=True)
    with pytest.raises(UnsupportedTopic, match="REST"):
        VENUE.serve(Instruments(), options)
    assert VENUE.serve(Quotes("DWC.4.20"), options).channels


@pytest.mark.parametrize(
    ("name", "instrument", "native", "topic"),
    [
        ("quotes", "DWC.4.20", False, Quotes("DWC.4.20")),
        ("instruments", "", False, Instruments()),
        ("pq", "DWC.4.20", True, darwinex.ProductQuotes("DWC.4.20")),
        ("hb", "", True, darwinex.Heartbeats()),
        ("pong", "", True, darwinex.Pongs()),
        ("products", "", True, darwinex.Products()),
    ],
)
def test_words_mean_topics(name: str, instrument: str, native: bool, topic: Topic[events.Event]) -> None:
    assert VENUE.topic(name, instrument, native) == topic
    assert topic.name == name


def test_words_that_mean_nothing_are_refused() -> None:
    with pytest.raises(UnsupportedTopic, match="it has instruments, quotes"):
        VENUE.topic("trades", "DWC.4.20", native=False)
    with pytest.raises(UnsupportedTopic, match="it has hb, pong, pq, products"):
        VENUE.topic("quotes", "DWC.4.20", native=True)
    with pytest.raises(InvalidInstrument, match="takes no instrument"):
        VENUE.topic("hb", "DWC.4.20", native=True)
    with pytest.raises(InvalidInstrument, match="needs an instrument"):
        VENUE.topic("quotes", "", native=False)


def test_newer_quotes_of_a_product_replace_older_ones() -> None:
    quote = darwinex.ProductQuote(product_name="DWC.4.20", quote=Decimal(1))
    assert darwinex.ProductQuotes("DWC.4.20").latest_key(quote) == "DWC.4.20"
    assert darwinex.ProductQuotes("DWC.4.20").latest_key(darwinex.Heartbeat()) is None


def test_messages_of_other_kinds_make_no_event() -> None:
    assert unify.quotes(darwinex.Heartbeat(), Receipt(1)) == Skip("other message of the channel")
    assert unify.instruments(darwinex.Heartbeat(), Receipt(1)) == Skip("other message of the channel")


def test_handshake_carries_the_token_and_shows_it_nowhere() -> None:
    protocol = VENUE.protocol(Lane("quotes"), BearerToken("HUSH"), {}, WITH)
    handshake = protocol.handshake(Stamp(0, 0.0, b""))
    assert handshake.url == "wss://api.darwinex.com/quotewebsocket/1.0.0"
    assert handshake.headers == (("Authorization", "Bearer HUSH"),)
    assert handshake.subprotocols == ()
    assert "HUSH" not in repr(handshake)
    with pytest.raises(UsageError, match="BearerToken"):
        VENUE.protocol(Lane("quotes"), ApiKey("k", "s"), {}, WITH)


def test_limits_are_the_venues() -> None:
    assert VENUE.limits.max_message_bytes == MAX_FRAME_BYTES == 65_536
    total = VENUE.budgets[0]
    assert (total.count, total.window_s, total.scope) == (50, 60.0, "ip")
    assert total.counts == {"connect", "send", "ping", "rest"}
    assert isinstance(VENUE, DarwinexVenue)


# Captures.

FOLDER = os.environ.get("TRIOQUOTES_CAPTURES")
captured_only = pytest.mark.skipif(FOLDER is None, reason="TRIOQUOTES_CAPTURES is not set")


@attrs.frozen
class Captured:
    number: int
    raw: str
    channel: str
    source: str


def captured() -> Iterator[Captured]:
    if FOLDER is None:
        return
    with Path(FOLDER, "darwinex-messages.jsonl").open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            row = json.loads(line)
            yield Captured(number, row["raw"], row.get("channel", ""), row.get("source", ""))


LINES = [*captured()]
SERVER = [line for line in LINES if not line.channel.startswith("client:")]
NO_EVENT = {"error": "error", "unsubscribed": "acknowledgement", "http:token": "tokens"}


@captured_only
@pytest.mark.parametrize("line", SERVER, ids=lambda line: f"{line.number}-{line.channel}")
def test_every_captured_line_is_typed_or_refused_with_a_reason(line: Captured) -> None:
    run = Offline(VENUE, native=True, independent=True)
    made = run.feed(line.raw.encode(), line.channel, received_ns=5)
    count = run.count()
    assert count.frames == 1
    if "INVALID JSON" in line.source:
        (malformed,) = made
        assert isinstance(malformed, events.Malformed)
        assert malformed.reason
        assert (count.malformed, count.elements) == (1, 1)
        return
    assert count.malformed == 0
    assert count.elements == count.delivered + count.folded + sum(count.ignored.values())
    if line.channel in NO_EVENT:
        assert made == []
        assert count.ignored == {NO_EVENT[line.channel]: 1}
        return
    wire = json.loads(line.raw, parse_float=Decimal)
    if line.channel == "subscribed":
        assert [
            (e.product_name, e.quote, e.timestamp) for e in made if isinstance(e, darwinex.ProductQuote)
        ] == [(p["productName"], p["quote"], wire["timestamp"]) for p in wire["products"]]
        assert count.delivered == len(wire["products"])
    elif line.channel == "http:products":
        (message,) = made
        assert isinstance(message, darwinex.ProductPage)
        assert count.elements == 2
        assert_same(message, wire)
    else:
        (message,) = made
        assert type(message).__struct_config__.tag == wire.pop("op") == line.channel
        assert_same(message, wire)


def assert_same(value: Any, wire: Any) -> None:
    """Every field of the wire is there, with its value, every digit of it."""
    if isinstance(value, Decimal):
        assert value.as_tuple() == Decimal(str(wire)).as_tuple()
    elif isinstance(wire, dict):
        own = {
            key: name
            for name, key in zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
        }
        for key, part in wire.items():
            assert_same(getattr(value, own[key]), part)
    elif isinstance(wire, list):
        assert len(value) == len(wire)
        for item, part in zip(value, wire, strict=True):
            assert_same(item, part)
    else:
        assert value == wire


@captured_only
def test_unified_events_of_the_captured_lines_add_up() -> None:
    run = Offline(VENUE)
    made = [event for line in SERVER for event in run.feed(line.raw.encode(), line.channel)]
    count = run.count()
    assert count.elements == count.delivered + count.folded + sum(count.ignored.values()) + count.malformed
    assert (count.frames, count.malformed) == (len(SERVER), 3)
    quotes = [event for event in made if isinstance(event, events.Quote)]
    assert [str(quote.price) for quote in quotes] == ["210.53", "147.02", "147.02", "147.05"]
    assert len([event for event in made if isinstance(event, events.Instrument)]) == 2


@captured_only
@pytest.mark.parametrize(
    "line", [line for line in LINES if line not in SERVER], ids=lambda line: f"{line.number}-{line.channel}"
)
def test_requests_say_what_captured_clients_say(line: Captured) -> None:
    wire = json.loads(line.raw)
    channels = [WireChannel("pq", name) for name in wire.get("productNames", ())]
    made = {
        "subscribe": subscribe(channels),
        "unsubscribe": unsubscribe(channels),
        "unsubscribeAll": unsubscribe_all(),
        "ping": ping(wire.get("msg", "")),
    }
    assert json.loads(made[wire["op"]]) == wire


def test_captured_quote_of_a_name_that_is_none_makes_no_unified_event() -> None:
    run = Offline(VENUE)
    assert run.feed(b'{"op":"pq","productName":"DWC","quote":1,"timestamp":1}') == []
    assert run.count().ignored == {"pq": 1}


def test_captured_tokens_that_do_not_decode_are_not_shown() -> None:
    run = Offline(VENUE)
    (malformed,) = run.feed(b'{"access_token":7,"refresh_token":"HUSH"}', "http:token")
    assert isinstance(malformed, events.Malformed)
    assert "HUSH" not in repr(malformed)
    assert run.count().malformed == 1
