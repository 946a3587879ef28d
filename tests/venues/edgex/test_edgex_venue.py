"""What edgeX serves, under which names, from where, and how its messages become events."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.venues.edgex.feed import (
    BTC,
    ETH,
    KEY,
    STARK,
    best,
    event,
    funding,
    kline,
    metadata,
    order,
    quote,
    ticker,
    trades,
)
from trioquotes import events
from trioquotes._protocol.effects import Lane, Options, Receipt, Serving, Skip, Unify, WireChannel
from trioquotes._protocol.offline import Offline
from trioquotes._runtime.endpoints import resolve_endpoint
from trioquotes.errors import InvalidInstrument, MissingCredentials, UnsupportedTopic, UsageError
from trioquotes.events import Event, WireMessage
from trioquotes.topics import (
    UNIFIED_TOPICS,
    Balances,
    Books,
    Candles,
    Depths,
    Fills,
    FundingRates,
    Instruments,
    OrderBooks,
    Orders,
    Quotes,
    Tickers,
    Topic,
    Trades,
)
from trioquotes.venues import edgex
from trioquotes.venues.edgex import VENUE, unify
from trioquotes.venues.edgex.channels import INTERVALS, PRICE_TYPES
from trioquotes.venues.edgex.topics import TOPICS

V1, V2 = VENUE.endpoints["v1"], VENUE.endpoints["v2"]
PUBLIC = Options(V2)
SIGNED = Options(V2, has_credentials=True)
PRIVATE = WireChannel("trade-event")


def serve(topic: Topic[Event], options: Options = SIGNED) -> Serving:
    return VENUE.serve(topic, options)


# Endpoints.


def test_both_generations_are_endpoints_and_production_is_the_second() -> None:
    assert VENUE.endpoints["production"] is V2
    assert (V1.generation, V2.generation) == ("v1", "v2")
    assert (V1.public, V1.private, V1.rest) == (
        "wss://quote.edgex.exchange",
        "wss://quote.edgex.exchange",
        "https://pro.edgex.exchange",
    )
    assert (V2.public, V2.private, V2.rest) == (
        "wss://edgex-quote-prod-v2.edgex.exchange",
        "wss://edgex-quote-prod-v2.edgex.exchange",
        "https://edgex-prod-v2.edgex.exchange",
    )


def test_a_local_server_stands_in_for_the_second_generation() -> None:
    found = resolve_endpoint(VENUE, "ws://127.0.0.1:9")
    assert (found.public, found.private, found.generation) == ("ws://127.0.0.1:9", "ws://127.0.0.1:9", "v2")


def test_credentials_of_the_wrong_generation_are_refused_before_the_line() -> None:
    with pytest.raises(UsageError, match="takes a StarkKey"):
        VENUE.protocol(Lane("private"), KEY, {}, Options(V1, has_credentials=True))
    with pytest.raises(UsageError, match="takes an ApiKey"):
        VENUE.protocol(Lane("private"), STARK, {}, SIGNED)


# Instruments.


@pytest.mark.parametrize("text", [BTC, "10000001", "1000001"])
def test_contracts_are_numbers(text: str) -> None:
    assert VENUE.instrument(text) == text


@pytest.mark.parametrize(
    "text", ["BTC/USD", "BTCUSDC", "", "0", "030000001", "30000001 ", "\u0663\u0660\u0660\u0660", "1" * 30]
)
def test_a_name_cannot_be_translated_from_its_text(text: str) -> None:
    with pytest.raises(InvalidInstrument, match=r"they are numbered.*`metadata`"):
        VENUE.instrument(text)


# Which channel serves what.


@pytest.mark.parametrize(
    ("topic", "channel", "kind", "only"),
    [
        (Trades(BTC), WireChannel("trades", BTC), "events", BTC),
        (Quotes(BTC), WireChannel("bookTicker.all.1s"), "events", BTC),
        (Tickers(BTC), WireChannel("ticker", BTC), "events", BTC),
        (Books(BTC), WireChannel("depth", BTC, "200"), "book", BTC),
        (Books(BTC, 15), WireChannel("depth", BTC, "15"), "book", BTC),
        (Books(BTC, 1), WireChannel("depth", BTC, "15"), "book", BTC),
        (Books(BTC, 16), WireChannel("depth", BTC, "200"), "book", BTC),
        (Books(BTC, 500), WireChannel("depth", BTC, "200"), "book", BTC),
        (Depths(BTC), WireChannel("depth", BTC, "15"), "depths", BTC),
        (Depths(BTC, 1), WireChannel("depth", BTC, "15"), "depths", BTC),
        (Depths(BTC, 15), WireChannel("depth", BTC, "15"), "depths", BTC),
        (Depths(BTC, 16), WireChannel("depth", BTC, "200"), "depths", BTC),
        (Depths(BTC, 200), WireChannel("depth", BTC, "200"), "depths", BTC),
        (Candles(BTC), WireChannel("kline", BTC, "LAST_PRICE.MINUTE_1"), "events", BTC),
        (Candles(BTC, "MONTH_1"), WireChannel("kline", BTC, "LAST_PRICE.MONTH_1"), "events", BTC),
        (FundingRates(BTC), WireChannel("fundingRate", BTC), "events", BTC),
        (Instruments(), WireChannel("metadata"), "events", ""),
        (Orders(), PRIVATE, "events", ""),
        (Orders(BTC), PRIVATE, "events", ""),
        (Fills(), PRIVATE, "events", ""),
        (Balances(), PRIVATE, "events", ""),
        (edgex.MetadataUpdates(), WireChannel("metadata"), "native", ""),
        (edgex.Tickers(BTC), WireChannel("ticker", BTC), "native", ""),
        (edgex.AllTickers(), WireChannel("ticker.all"), "native", ""),
        (edgex.AllTickersEachSecond(), WireChannel("ticker.all.1s"), "native", ""),
        (edgex.Klines(BTC), WireChannel("kline", BTC, "LAST_PRICE.MINUTE_1"), "native", ""),
        (
            edgex.Klines(BTC, "DAY_1", "INDEX_PRICE"),
            WireChannel("kline", BTC, "INDEX_PRICE.DAY_1"),
            "native",
            "",
        ),
        (edgex.Depths(BTC), WireChannel("depth", BTC, "200"), "native", ""),
        (edgex.Depths(BTC, 15), WireChannel("depth", BTC, "15"), "native", ""),
        (edgex.Trades(BTC), WireChannel("trades", BTC), "native", ""),
        (edgex.BookTickers(BTC), WireChannel("bookTicker", BTC), "native", ""),
        (edgex.AllBookTickers(), WireChannel("bookTicker.all"), "native", ""),
        (edgex.AllBookTickersEachSecond(), WireChannel("bookTicker.all.1s"), "native", ""),
        (edgex.FundingRates(BTC), WireChannel("fundingRate", BTC), "native", ""),
        (edgex.AllFundingRates(), WireChannel("fundingRate.all"), "native", ""),
        (edgex.TradeEvents(), PRIVATE, "native", ""),
        (edgex.Pongs(), WireChannel("pong"), "native", ""),
    ],
    ids=str,
)
def test_each_topic_has_its_channel(topic: Topic[Event], channel: WireChannel, kind: str, only: str) -> None:
    serving = serve(topic)
    assert (serving.channels, serving.kind, serving.only) == ((channel,), kind, only)
    (lane,) = VENUE.plan(serving.channels, SIGNED)
    assert lane == Lane("private" if channel == PRIVATE else "public")


def test_every_interval_and_price_has_bars() -> None:
    made = {
        serve(edgex.Klines(BTC, interval, price)).channels for interval in INTERVALS for price in PRICE_TYPES
    }
    assert len(made) == 13 * 7
    assert len({serve(Candles(BTC, interval)).channels for interval in INTERVALS}) == 13


@pytest.mark.parametrize(
    ("topic", "words"),
    [
        (Candles(BTC, "MINUTE_2"), "no bars of 'MINUTE_2'; it has MINUTE_1"),
        (edgex.Klines(BTC, "1m"), "no bars of '1m'"),
        (edgex.Klines(BTC, "DAY_1", "MID_PRICE"), "no bars of 'MID_PRICE'; of LAST_PRICE"),
        (edgex.Depths(BTC, 50), r"books of \(15, 200\) levels a side, not of 50"),
        (Books(BTC, 0), "a book of 0 levels"),
        (Depths(BTC, 0), "a book of 0 levels"),
        (Depths(BTC, 201), "shows 200 levels a side, not 201"),
    ],
    ids=str,
)
def test_what_the_venue_has_not_is_refused_naming_what_it_has(topic: Topic[Event], words: str) -> None:
    with pytest.raises(UnsupportedTopic, match=words):
        serve(topic)


class Foreign(Topic[events.Trade], frozen=True):
    instrument: str = BTC


def test_a_foreign_topic_is_refused_naming_what_can_be_served() -> None:
    with pytest.raises(
        UnsupportedTopic, match=r"edgex cannot serve foreign 30000001; it can serve Balances, Books"
    ):
        serve(Foreign())


@pytest.mark.parametrize("topic", [Orders(), Fills(BTC), Balances(), edgex.TradeEvents()], ids=str)
def test_what_is_private_needs_credentials(topic: Topic[Event]) -> None:
    with pytest.raises(MissingCredentials, match="it is private"):
        serve(topic, PUBLIC)


def test_an_unknown_option_is_refused_before_any_line() -> None:
    with pytest.raises(UsageError, match="not 'cookie'"):
        serve(Orders(), Options(V2, has_credentials=True, extra={"auth": "cookie"}))


@pytest.mark.parametrize(
    "kind",
    [
        Trades,
        Quotes,
        Tickers,
        Books,
        Depths,
        Candles,
        FundingRates,
        Orders,
        Fills,
        edgex.Klines,
        edgex.Trades,
    ],
)
def test_every_instrument_is_checked(kind: Callable[[str], Topic[Event]]) -> None:
    with pytest.raises(InvalidInstrument):
        serve(kind("BTC/USD"))


# Words.


@pytest.mark.parametrize("name", sorted(TOPICS))
def test_a_channel_is_found_by_the_venues_own_name(name: str) -> None:
    takes = "instrument" in TOPICS[name].__struct_fields__
    topic = VENUE.topic(name, BTC if takes else "", native=True)
    assert (type(topic), topic.name) == (TOPICS[name], name)
    with pytest.raises(InvalidInstrument, match="needs an instrument" if takes else "takes no instrument"):
        VENUE.topic(name, "" if takes else BTC, native=True)


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        (f"kline.MARK_PRICE.{BTC}.HOUR_1", edgex.Klines(BTC, "HOUR_1", "MARK_PRICE")),
        (f"depth.{BTC}.15", edgex.Depths(BTC, 15)),
        (f"ticker.{BTC}", edgex.Tickers(BTC)),
        ("ticker.all", edgex.AllTickers()),
    ],
)
def test_a_whole_channel_is_understood(text: str, topic: Topic[Event]) -> None:
    assert VENUE.topic(text, "", native=True) == topic


@pytest.mark.parametrize(
    ("name", "instrument", "native", "words"),
    [
        ("depth.30000001.15", BTC, True, "no channel 'depth.30000001.15'; it has bookTicker, bookTicker.all"),
        ("depth.30000001.15", "", False, "no topic 'depth.30000001.15'; it has balances, books"),
        ("ticks", BTC, True, "no channel 'ticks'"),
    ],
)
def test_an_unknown_word_is_refused(name: str, instrument: str, words: str, *, native: bool) -> None:
    with pytest.raises(UnsupportedTopic, match=words):
        VENUE.topic(name, instrument, native)


def test_unified_words() -> None:
    assert VENUE.topic("trades", BTC, native=False) == Trades(BTC)
    assert VENUE.topic("orders", "", native=False) == Orders()
    assert VENUE.topic("orders", BTC, native=False) == Orders(BTC)
    assert VENUE.topic("instruments", "", native=False) == Instruments()
    assert VENUE.topic("depths", BTC, native=False) == Depths(BTC, 10)
    assert VENUE.unified == set(UNIFIED_TOPICS.values()) - {OrderBooks}


# Unified events.

RECEIPT = Receipt(5)


def first(frame: str, channel: str = "") -> WireMessage:
    """The first message of a frame, as a native topic has it."""
    (message, *_) = Offline(VENUE, native=True, independent=True).feed(frame.encode(), channel)
    assert isinstance(message, WireMessage)
    return message


def test_a_ticker() -> None:
    assert unify.tickers(first(quote(f"ticker.{BTC}", [ticker()])), RECEIPT) == events.Ticker(
        venue="edgex", instrument=BTC, received_ns=5, last=Decimal("79031.2"), open_24h=Decimal("76883.0"),
        high_24h=Decimal("79824.9"), low_24h=Decimal("76031.9"), volume_24h=Decimal("8138.396"),
        quote_volume_24h=Decimal("628869807.4804"), bid=Decimal("79031.1"), ask=None,
    )  # fmt: skip


def test_a_candle() -> None:
    assert unify.candles(first(quote(f"kline.LAST_PRICE.{BTC}.MINUTE_1", [kline()])), RECEIPT) == events.Candle(
        venue="edgex", instrument=BTC, received_ns=5, interval="MINUTE_1", open_time_ns=1789136280000000000,
        open=Decimal("79050.5"), high=Decimal("79054.5"), low=Decimal("78984.8"), close=Decimal("79031.3"),
        volume=Decimal("4.077"), quote_volume=Decimal("322191.4503"), closed=None,
    )  # fmt: skip


def test_a_funding_rate() -> None:
    assert unify.funding_rates(first(quote(f"fundingRate.{BTC}", [funding()])), RECEIPT) == events.FundingRate(
        venue="edgex", instrument=BTC, received_ns=5, venue_time_ns=1789128000123000000, rate=Decimal("0.0001"),
        funding_time_ns=1789128000000000000, mark_price=Decimal("7.5"), index_price=Decimal("7.25"),
    )  # fmt: skip


def test_a_funding_rate_that_was_never_set_has_no_time() -> None:
    row = {"contractId": BTC, "fundingTime": "0", "fundingTimestamp": "0", "fundingRate": "0"}
    made = unify.funding_rates(first(quote("fundingRate.all", [row])), RECEIPT)
    assert isinstance(made, events.FundingRate)
    assert (made.funding_time_ns, made.venue_time_ns, made.rate) == (None, None, Decimal(0))


def test_instruments_have_the_names_of_their_coins() -> None:
    made = unify.instruments(first(metadata(BTC, ETH)), RECEIPT)
    assert isinstance(made, tuple)
    assert made[0] == events.Instrument(
        venue="edgex", instrument=BTC, received_ns=5, base="BTC", quote="USDC", price_step=Decimal("0.1"),
        size_step=Decimal("0.001"), min_size=Decimal("0.001"), status="TRADING",
    )  # fmt: skip
    assert [instrument.instrument for instrument in made] == [BTC, ETH]  # type: ignore[attr-defined]


def test_an_instrument_of_unknown_coins_has_none() -> None:
    row = {"contractList": [{"contractId": BTC, "pricePrecision": "1", "baseCoinId": "9"}]}
    (made,) = unify.instruments(first(quote("metadata", [row])), RECEIPT)  # type: ignore[misc]
    assert isinstance(made, events.Instrument)
    assert (made.base, made.quote, made.price_step, made.status) == (None, None, None, None)


@pytest.mark.parametrize(
    "unifier",
    [
        unify.trades, unify.quotes, unify.tickers, unify.books(15), unify.candles, unify.funding_rates, unify.instruments,
        unify.orders(""), unify.fills(""), unify.balances,
    ],
)  # fmt: skip
def test_other_messages_of_a_channel_make_no_event(unifier: Unify) -> None:
    assert unifier(edgex.Pong(time=1), RECEIPT) == Skip("other message of the channel")


@given(st.integers(1, 10**9), st.integers(0, 12))
def test_numbers_keep_every_digit(number: int, places: int) -> None:
    text = format(Decimal(number).scaleb(-places), "f")
    made = unify.quotes(
        first(quote("bookTicker.all.1s", [best(bid=text, ask=f"{text}0" if "." in text else text)])), RECEIPT
    )
    assert isinstance(made, events.Quote)
    assert format(made.bid or 0, "f") == text


# What replaces what.


def test_the_latest_of_a_topic_is_known_by_contract_or_bar() -> None:
    tick = first(quote(f"ticker.{BTC}", [ticker()]))
    assert edgex.Tickers(BTC).latest_key(tick) == edgex.AllTickers().latest_key(tick) == BTC
    bar = first(quote(f"kline.LAST_PRICE.{BTC}.MINUTE_1", [kline()]))
    assert edgex.Klines(BTC).latest_key(bar) == (BTC, "MINUTE_1", 1789136280000)
    assert edgex.Klines(BTC).latest_key(tick) is None
    assert edgex.Pongs().latest_key(edgex.Pong(time=1)) is None


# Captured frames.


@pytest.mark.parametrize(
    ("frame", "native", "kinds"),
    [
        (quote("ticker.all.1s", [ticker(), ticker(ETH)]), False, ["Ticker", "Ticker"]),
        (quote("ticker.all.1s", [ticker(), ticker("odd")]), False, ["Ticker"]),
        (quote("ticker.all.1s", [ticker(), ticker("odd")]), True, ["Ticker", "Ticker"]),
        (quote("bookTicker.all", [best(), best(ETH), best()]), False, ["Quote"] * 3),
        (quote(f"bookTicker.{BTC}", [best()]), False, ["Quote"]),
        (trades("a", "b"), False, ["Trade", "Trade"]),
        (trades("a", "b", history=True), False, []),
        (quote("fundingRate.all", [funding()]), False, ["FundingRate"]),
        (quote(f"kline.LAST_PRICE.{BTC}.HOUR_1", [kline()]), False, ["Candle"]),
        (quote(f"kline.MARK_PRICE.{BTC}.HOUR_1", [kline()]), False, []),
        (quote(f"kline.MARK_PRICE.{BTC}.HOUR_1", [kline()]), True, ["Kline"]),
        (quote(f"kline.NEW_PRICE.{BTC}.HOUR_9", [kline()]), False, []),
        (quote(f"kline.NEW_PRICE.{BTC}.HOUR_9", [kline()]), True, []),
        (metadata(BTC), False, ["Instrument"]),
        (metadata(BTC), True, ["Metadata"]),
        (event(order=[order()]), False, ["OrderUpdate"]),
        (event(order=[order()]), True, ["TradeEvent"]),
        ('{"type":"pong","time":"1"}', True, []),
    ],
)
def test_captured_frames_become_what_a_session_would_give(
    frame: str, kinds: list[str], *, native: bool
) -> None:
    run = Offline(VENUE, native=native)
    assert [type(made).__name__ for made in run.feed(frame.encode())] == kinds
    assert run.count().malformed == 0


def test_captured_books_are_kept() -> None:
    run = Offline(VENUE)
    for start, end, whole in ((1, 5, True), (5, 9, False), (10, 11, False)):
        row: dict[str, Any] = {
            "startVersion": str(start),
            "endVersion": str(end),
            "level": 15,
            "contractId": BTC,
        }
        row |= {"bids": [["1", str(end)]], "asks": []}
        run.feed(
            json.dumps(
                json.loads(quote(f"depth.{BTC}.15", [row], "Snapshot" if whole else "changed"))
            ).encode()
        )
    (book,) = run.books()
    assert (book.instrument, book.state, book.best_bid) == (BTC, "live", (Decimal(1), Decimal(11)))


def test_a_captured_book_recovers_with_its_next_snapshot() -> None:
    run = Offline(VENUE)
    row: dict[str, Any] = {"level": 15, "contractId": BTC, "bids": [["1", "1"]], "asks": []}
    made = []
    for start, end, kind in (
        (1, 5, "Snapshot"),
        (50, 51, "changed"),
        (51, 52, "changed"),
        (60, 61, "Snapshot"),
        (61, 62, "changed"),
    ):
        frame = quote(f"depth.{BTC}.15", [row | {"startVersion": str(start), "endVersion": str(end)}], kind)
        made += [type(happened).__name__ for happened in run.feed(frame.encode())]
    assert made == ["BookSnapshot", "Gap", "BookSnapshot", "Resynced", "BookChange"]
    assert run.count().ignored == {"awaiting snapshot": 2}
