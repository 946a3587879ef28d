"""What the venue serves, where, on which lines; what it refuses before any I/O."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs
import pytest

from tests.venues.coinbase.feed import KEY
from trioquotes import topics as unified
from trioquotes._protocol.effects import Endpoint, Failure, Fatal, Lane, Options, Retry, Stamp, WireChannel
from trioquotes.credentials import ApiKey, BearerToken
from trioquotes.errors import (
    ConnectFailed,
    InvalidInstrument,
    MissingCredentials,
    UnsupportedTopic,
    UsageError,
)
from trioquotes.events import Event
from trioquotes.topics import Topic
from trioquotes.venues import coinbase
from trioquotes.venues.coinbase import VENUE

PUBLIC = Options(VENUE.endpoints["production"])
SIGNED = Options(VENUE.endpoints["production"], has_credentials=True)
ACCOUNT = "acc-1"


def names(topic: Topic[Event], options: Options = SIGNED) -> list[tuple[str, ...]]:
    return [tuple(part for part in channel if part) for channel in VENUE.serve(topic, options).channels]


@pytest.mark.parametrize(
    ("topic", "kind", "channels"),
    [
        (unified.Trades("BTC-USD"), "events", [("matches", "BTC-USD")]),
        (unified.Trades("BTC/USD"), "events", [("matches", "BTC-USD")]),
        (unified.Tickers("BTC-USD"), "events", [("ticker", "BTC-USD")]),
        (unified.Books("BTC-USD"), "book", [("level2", "BTC-USD")]),
        (unified.Quotes("BTC-USD"), "quotes", [("level2", "BTC-USD")]),
        (unified.Depths("BTC/USD", 5), "depths", [("level2", "BTC-USD")]),
        (unified.OrderBooks("BTC/USD"), "orders", [("full", "BTC-USD")]),
        (unified.Instruments(), "events", [("status",)]),
        (unified.Orders("BTC-USD"), "events", [("user", "BTC-USD")]),
        (unified.Fills("BTC-USD"), "events", [("user", "BTC-USD")]),
        (unified.Balances(("a", "b", "a")), "events", [("balance", "a"), ("balance", "b")]),
        (coinbase.Heartbeats("BTC-USD"), "native", [("heartbeat", "BTC-USD")]),
        (coinbase.Statuses(), "native", [("status",)]),
        (coinbase.Tickers("BTC-USD"), "native", [("ticker", "BTC-USD")]),
        (coinbase.TickerBatches("BTC-USD"), "native", [("ticker_batch", "BTC-USD")]),
        (coinbase.Level2("BTC-USD"), "native", [("level2", "BTC-USD")]),
        (coinbase.Level2Batch("BTC-USD"), "native", [("level2_batch", "BTC-USD")]),
        (coinbase.Level3("BTC-USD"), "native", [("level3", "BTC-USD")]),
        (coinbase.Full("BTC-USD"), "native", [("full", "BTC-USD")]),
        (coinbase.User("BTC-USD"), "native", [("user", "BTC-USD")]),
        (coinbase.Matches("BTC-USD"), "native", [("matches", "BTC-USD")]),
        (coinbase.RfqMatches(), "native", [("rfq_matches",)]),
        (coinbase.RfqMatches("BTC/USD"), "native", [("rfq_matches",)]),
        (coinbase.Auctions("LTC-USD"), "native", [("auctionfeed", "LTC-USD")]),
        (coinbase.Balances(("a",)), "native", [("balance", "a")]),
    ],
    ids=str,
)
def test_topic_is_served_by_its_channel(
    topic: Topic[Event], kind: str, channels: list[tuple[str, ...]]
) -> None:
    assert names(topic) == channels
    serving = VENUE.serve(topic, SIGNED)
    assert serving.kind == kind
    assert serving.only == ("BTC-USD" if topic == coinbase.RfqMatches("BTC/USD") else "")


def test_without_credentials_books_and_quotes_are_the_public_ones() -> None:
    assert names(unified.Books("BTC-USD"), PUBLIC) == [("level2_batch", "BTC-USD")]
    assert names(unified.Quotes("BTC-USD"), PUBLIC) == [("level2_batch", "BTC-USD")]
    assert names(unified.Depths("BTC-USD"), PUBLIC) == [("level2_batch", "BTC-USD")]


@pytest.mark.parametrize(
    ("topic", "words"),
    [
        (coinbase.Level2("BTC-USD"), "level2_batch is the book without"),
        (coinbase.Level3("BTC-USD"), "level2_batch is the book without"),
        (coinbase.Full("BTC-USD"), "matches and level2_batch are without"),
        (coinbase.User("BTC-USD"), "private"),
        (coinbase.Balances(("a",)), "private"),
        (unified.OrderBooks("BTC-USD"), "matches and level2_batch are without"),
        (unified.Orders("BTC-USD"), "private"),
        (unified.Fills("BTC-USD"), "private"),
        (unified.Balances(("a",)), "private"),
    ],
    ids=str,
)
def test_missing_key_is_said_before_connecting(topic: Topic[Event], words: str) -> None:
    with pytest.raises(MissingCredentials, match=words):
        VENUE.serve(topic, PUBLIC)


def test_channel_of_books_by_order_is_an_option() -> None:
    by_level3 = attrs.evolve(SIGNED, extra={"by_order": "level3"})
    assert names(unified.OrderBooks("BTC-USD"), by_level3) == [("level3", "BTC-USD")]
    assert names(unified.OrderBooks("BTC-USD"), attrs.evolve(SIGNED, extra={"by_order": "full"})) == [
        ("full", "BTC-USD")
    ]
    serving = VENUE.serve(unified.OrderBooks("BTC-USD"), by_level3)
    assert serving.fetched
    for extra, words in (
        ({"by_order": "level2"}, "one of full, level3, not 'level2'"),
        ({"a": "b"}, "no option 'a'"),
    ):
        with pytest.raises(UsageError, match=words):
            VENUE.serve(unified.OrderBooks("BTC-USD"), attrs.evolve(SIGNED, extra=extra))


def test_book_by_order_needs_rest_and_an_audit_does_too() -> None:
    alone = Options(Endpoint("wss://localhost"), has_credentials=True)
    with pytest.raises(UnsupportedTopic, match="this endpoint has none"):
        VENUE.serve(unified.OrderBooks("BTC-USD"), alone)
    assert VENUE.serve(unified.Books("BTC-USD"), alone).audit is None


def test_depths_and_order_books_can_be_named() -> None:
    assert VENUE.topic("depths", "BTC/USD", native=False) == unified.Depths("BTC-USD", 10)
    assert VENUE.topic("orderbooks", "BTC-USD", native=False) == unified.OrderBooks("BTC-USD")


@pytest.mark.parametrize("name", ["direct", "sandbox-direct"])
def test_direct_endpoint_signs_everything(name: str) -> None:
    with pytest.raises(MissingCredentials, match="every line of this endpoint is signed"):
        VENUE.serve(unified.Trades("BTC-USD"), Options(VENUE.endpoints[name]))
    assert VENUE.serve(
        unified.Trades("BTC-USD"), Options(VENUE.endpoints[name], has_credentials=True)
    ).channels


@pytest.mark.parametrize(
    ("topic", "error", "words"),
    [
        (
            unified.Candles("BTC-USD"),
            UnsupportedTopic,
            "it can serve Balances, Books, Depths, Fills, Instruments, OrderBooks, Orders",
        ),
        (unified.FundingRates("BTC-USD"), UnsupportedTopic, "it can serve"),
        (unified.Balances(), UnsupportedTopic, r"accounts=\(account id"),
        (unified.Balances(("",)), UnsupportedTopic, r"accounts=\(account id"),
        (coinbase.Balances(), UnsupportedTopic, r"accounts=\(account id"),
        (unified.Depths("BTC-USD", 0), UnsupportedTopic, "at least 1 level a side, not 0"),
        (unified.OrderBooks("BTC USD"), InvalidInstrument, "product id"),
        (unified.Orders(), UnsupportedTopic, "one product at a time"),
        (unified.Fills(), UnsupportedTopic, "one product at a time"),
        (
            unified.Trades("BTCUSD"),
            InvalidInstrument,
            "'BTCUSD' is not a Coinbase product id, such as 'BTC-USD'",
        ),
        (unified.Trades(""), InvalidInstrument, "product id"),
        (unified.Trades("BTC USD"), InvalidInstrument, "product id"),
        (unified.Trades("A/B/C"), InvalidInstrument, "product id"),
        (coinbase.RfqMatches(""), InvalidInstrument, "product id"),
        (coinbase.Matches("BTC-"), InvalidInstrument, "product id"),
    ],
    ids=str,
)
def test_topic_that_cannot_be_served_is_refused_with_what_can(
    topic: Topic[Event], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        VENUE.serve(topic, SIGNED)


def test_instrument_is_translated_or_refused_with_a_hint() -> None:
    assert VENUE.instrument("BTC-USD") == "BTC-USD"
    assert VENUE.instrument("BTC/USD") == "BTC-USD"
    assert VENUE.instrument("1INCH-USD") == "1INCH-USD"
    for text in ("btc-usd", "btc/usd"):
        with pytest.raises(InvalidInstrument, match="did you mean 'BTC-USD'"):
            VENUE.instrument(text)
    for text in ("BTC", "", "BTC--USD", "BTC-USD ", "BTC/USD/EUR", "\uff22-C"):
        with pytest.raises(InvalidInstrument, match="such as 'BTC-USD'"):
            VENUE.instrument(text)


@pytest.mark.parametrize(
    ("word", "instrument", "native", "expected"),
    [
        ("trades", "BTC/USD", False, unified.Trades("BTC-USD")),
        ("instruments", "", False, unified.Instruments()),
        ("orders", "", False, unified.Orders()),
        ("books", "BTC-USD", False, unified.Books("BTC-USD")),
        ("balances", ACCOUNT, False, unified.Balances((ACCOUNT,))),
        ("level2_batch", "BTC-USD", True, coinbase.Level2Batch("BTC-USD")),
        ("level2_50", "BTC-USD", True, coinbase.Level2Batch("BTC-USD")),
        ("ticker_1000", "BTC-USD", True, coinbase.TickerBatches("BTC-USD")),
        ("status", "", True, coinbase.Statuses()),
        ("rfq_matches", "", True, coinbase.RfqMatches()),
        ("rfq_matches", "BTC-USD", True, coinbase.RfqMatches("BTC-USD")),
        ("balance", ACCOUNT, True, coinbase.Balances((ACCOUNT,))),
    ],
)
def test_words_of_the_command_line(word: str, instrument: str, native: bool, expected: Topic[Event]) -> None:
    assert VENUE.topic(word, instrument, native) == expected


@pytest.mark.parametrize(
    ("word", "instrument", "native", "error", "words"),
    [
        ("candles", "BTC-USD", False, UnsupportedTopic, "no topic 'candles'; it has balances, books"),
        ("matches", "BTC-USD", False, UnsupportedTopic, "no topic 'matches'"),
        ("trades", "BTC-USD", True, UnsupportedTopic, "no channel 'trades'; it has auctionfeed"),
        ("trades", "", False, InvalidInstrument, "needs an instrument"),
        ("trades", "btc-usd", False, InvalidInstrument, "did you mean"),
        ("status", "BTC-USD", True, InvalidInstrument, "takes no instrument"),
        ("instruments", "BTC-USD", False, InvalidInstrument, "takes no instrument"),
        ("balance", "", True, UnsupportedTopic, "accounts"),
        ("balances", "", False, UnsupportedTopic, "accounts"),
    ],
)
def test_wrong_words_are_refused(
    word: str, instrument: str, native: bool, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        VENUE.topic(word, instrument, native)


def test_topics_are_found_by_the_wires_names() -> None:
    wire = {
        "heartbeat", "status", "ticker", "ticker_batch", "level2", "level2_batch", "level3", "full", "user",
        "matches", "rfq_matches", "auctionfeed", "balance",
    }  # fmt: skip
    assert set(VENUE.topics) == wire | {"level2_50", "ticker_1000"}
    made: Any
    for name in wire:
        kind = VENUE.topics[name]
        made = kind("BTC-USD") if "instrument" in kind.__struct_fields__ else kind()
        assert made.name == name
        assert kind.private == (name in {"user", "balance"})
    assert str(coinbase.Level2Batch("BTC-USD")) == "level2_batch BTC-USD"


def test_latest_keys() -> None:
    beat = coinbase.Heartbeat(
        product_id="A-B", sequence=1, last_trade_id=0, time=datetime(2026, 1, 1, tzinfo=UTC)
    )
    assert coinbase.Heartbeats("A-B").latest_key(beat) == "A-B"
    assert coinbase.Heartbeats("A-B").latest_key(Event()) is None
    assert coinbase.Balances(("a",)).latest_key(beat) is None
    balance = coinbase.Balance(account_id="a", currency="USD", holds=Decimal(0), available=Decimal(0))
    assert coinbase.Balances(("a",)).latest_key(balance) == "a"


ALIKE = [
    {"ticker", "ticker_batch"},
    {"level2", "level2_batch"},
    {"full", "matches", "user"},
]


def test_channels_whose_messages_look_alike_never_share_a_line() -> None:
    channels = [WireChannel(name, "BTC-USD") for group in ALIKE for name in sorted(group)]
    plan = VENUE.plan(channels, SIGNED)
    for carried in plan.values():
        on_it = {channel.name for channel in carried}
        assert all(len(on_it & group) <= 1 for group in ALIKE)


def test_heartbeat_is_implied_for_every_product_of_a_line() -> None:
    channels = [WireChannel("matches", "A-B"), WireChannel("status"), WireChannel("level2", "C-D")]
    plan = VENUE.plan([*channels, WireChannel("balance", "", "acc"), WireChannel("matches", "C-D")], PUBLIC)
    assert plan == {
        Lane("market"): (
            channels[0], WireChannel("heartbeat", "A-B"), channels[1], WireChannel("matches", "C-D"),
            WireChannel("heartbeat", "C-D"),
        ),
        Lane("book"): (channels[2], WireChannel("heartbeat", "C-D")),
        Lane("user"): (WireChannel("balance", "", "acc"),),
    }  # fmt: skip


def test_heartbeat_alone_has_a_home() -> None:
    beat = WireChannel("heartbeat", "A-B")
    assert VENUE.plan([beat], PUBLIC) == {Lane("market"): (beat,)}


def test_handshake_carries_no_credentials() -> None:
    protocol = VENUE.protocol(Lane("user"), KEY, {}, SIGNED)
    handshake = protocol.handshake(Stamp(0, 0.0))
    assert (handshake.url, handshake.headers, handshake.subprotocols) == (
        "wss://ws-feed.exchange.coinbase.com",
        (),
        (),
    )


def test_wrong_credentials_are_refused_when_a_line_is_made() -> None:
    for wrong in (BearerToken("t"), ApiKey("k", "c2hh"), ApiKey("k", "not base64", "p")):
        with pytest.raises(UsageError):
            VENUE.protocol(Lane("market"), wrong, {}, SIGNED)


def test_refused_handshake_is_no_verdict_on_credentials() -> None:
    protocol = VENUE.protocol(Lane("user"), KEY, {}, SIGNED)
    verdict = protocol.classify(Failure("handshake", "no", status=403))
    assert isinstance(verdict, Fatal)
    assert isinstance(verdict.error, ConnectFailed)
    assert protocol.classify(Failure("stream", "reset", close_code=1006)) == Retry()


@pytest.mark.parametrize(
    ("channel", "lane"),
    [
        ("", "captured"),
        ("matches", "captured"),
        ("level2", "captured"),
        ("subscriptions", "captured"),
        ("no such channel", "captured"),
        ("full", "captured-full"),
        ("user", "captured-user"),
        ("ticker_batch", "captured-ticker_batch"),
        ("ticker_1000", "captured-ticker_batch"),
        ("level2_50", "captured-level2_batch"),
    ],
)
def test_captured_frames_have_lanes(channel: str, lane: str) -> None:
    assert VENUE.offline(channel) == Lane(lane)
    VENUE.protocol(VENUE.offline(channel), None, {}, SIGNED)


@pytest.mark.parametrize(
    ("channel", "native", "topics"),
    [
        (WireChannel("matches", "A-B"), False, [unified.Trades("A-B")]),
        (WireChannel("ticker", "A-B"), False, [unified.Tickers("A-B")]),
        (WireChannel("ticker_batch", "A-B"), False, [unified.Tickers("A-B")]),
        (WireChannel("level2", "A-B"), False, [unified.Books("A-B")]),
        (WireChannel("level2_batch", "A-B"), False, [unified.Books("A-B")]),
        (WireChannel("user", "A-B"), False, [unified.Orders("A-B"), unified.Fills("A-B")]),
        (WireChannel("balance", "", "acc"), False, [unified.Balances(("acc",))]),
        (WireChannel("status"), False, [unified.Instruments()]),
        (WireChannel("full", "A-B"), False, []),
        (WireChannel("heartbeat", "A-B"), False, []),
        (WireChannel("rfq_matches"), False, []),
        (WireChannel("full", "test-product"), True, [coinbase.Full("test-product")]),
        (WireChannel("rfq_matches"), True, [coinbase.RfqMatches()]),
        (WireChannel("status"), True, [coinbase.Statuses()]),
        (WireChannel("balance", "", "acc"), True, [coinbase.Balances(("acc",))]),
        (WireChannel("heartbeat", "A-B"), True, [coinbase.Heartbeats("A-B")]),
    ],
    ids=str,
)
def test_captured_channels_have_topics(
    channel: WireChannel, native: bool, topics: list[Topic[Event]]
) -> None:
    assert list(VENUE.offline_topics(channel, native)) == topics
    for topic in topics:
        VENUE.serve(topic, SIGNED)


def test_limits_are_the_stricter_of_what_is_documented() -> None:
    limits = {budget.name: (budget.count, budget.window_s, budget.scope) for budget in VENUE.budgets}
    assert limits == {
        "connections": (8, 1.0, "ip"),
        "messages": (10, 1.0, "ip"),
        "REST requests": (10, 1.0, "ip"),
    }
    assert VENUE.limits.max_message_bytes >= 32 * 1024 * 1024
