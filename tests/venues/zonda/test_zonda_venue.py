"""What the venue says of itself before any connection, and the words it takes."""

from __future__ import annotations

from typing import Any

import pytest

from trioquotes import topics as unified
from trioquotes._protocol.effects import Lane, Options, WireChannel
from trioquotes.credentials import BearerToken
from trioquotes.errors import InvalidInstrument, MissingCredentials, UnsupportedTopic, UsageError
from trioquotes.events import Connected
from trioquotes.topics import Topic
from trioquotes.venues import zonda
from trioquotes.venues.zonda import VENUE, paths

OPTIONS = Options(VENUE.endpoints["production"], has_credentials=True)
C = WireChannel


@pytest.mark.parametrize(
    ("topic", "channels", "kind"),
    [
        (unified.Trades("BTC-PLN"), [C("transactions", "BTC-PLN")], "events"),
        (unified.Trades("BTC/PLN"), [C("transactions", "BTC-PLN")], "events"),
        (unified.Quotes("BTC-PLN"), [C("ticker", "BTC-PLN")], "events"),
        (unified.Tickers("BTC-PLN"), [C("ticker", "BTC-PLN"), C("stats", "BTC-PLN")], "events"),
        (unified.Books("BTC-PLN"), [C("orderbook", "BTC-PLN")], "book"),
        (unified.Books("BTC-PLN", 1), [C("orderbook-limited", "BTC-PLN", "10")], "book"),
        (unified.Books("BTC-PLN", 10), [C("orderbook-limited", "BTC-PLN", "10")], "book"),
        (unified.Books("BTC-PLN", 11), [C("orderbook-limited", "BTC-PLN", "50")], "book"),
        (unified.Books("BTC-PLN", 100), [C("orderbook-limited", "BTC-PLN", "100")], "book"),
        (unified.Books("BTC-PLN", 101), [C("orderbook", "BTC-PLN")], "book"),
        (unified.Depths("BTC-PLN"), [C("orderbook-limited", "BTC-PLN", "10")], "depths"),
        (unified.Depths("BTC-PLN", 1), [C("orderbook-limited", "BTC-PLN", "10")], "depths"),
        (unified.Depths("BTC-PLN", 51), [C("orderbook-limited", "BTC-PLN", "100")], "depths"),
        (unified.Depths("BTC-PLN", 101), [C("orderbook", "BTC-PLN")], "depths"),
        (unified.Depths("BTC-PLN", 300), [C("orderbook", "BTC-PLN")], "depths"),
        (unified.Instruments(), [C("rest/trading/ticker")], "events"),
        (unified.Orders(), [C("offers"), C("stop/offers")], "events"),
        (unified.Orders("A-B"), [C("offers", "A-B"), C("stop/offers", "A-B")], "events"),
        (unified.Fills(), [C("history/transactions")], "events"),
        (unified.Balances(), [C("balance/bitbay/updatefunds")], "events"),
        (zonda.Tickers(), [C("ticker")], "native"),
        (zonda.Statistics("A-B"), [C("stats", "A-B")], "native"),
        (zonda.LimitedOrderBooks("A/B", 50), [C("orderbook-limited", "A-B", "50")], "native"),
        (zonda.Rates("USD/EUR"), [C("rates", "USD-EUR")], "native"),
        (zonda.Funds(), [C("balance/bitbay/updatefunds")], "native"),
        (zonda.OwnTransactions("A-B"), [C("history/transactions", "A-B")], "native"),
    ],
)
def test_topics_are_served_by_their_channels(topic: Topic[Any], channels: list[C], kind: str) -> None:
    serving = VENUE.serve(topic, OPTIONS)
    assert (list(serving.channels), serving.kind) == (channels, kind)


@pytest.mark.parametrize(
    ("topic", "words"),
    [
        (
            unified.Candles("BTC-PLN"),
            "zonda cannot serve candles BTC-PLN; it can serve Balances, Books, Depths, Fills",
        ),
        (unified.FundingRates("BTC-PLN"), "cannot serve"),
        (unified.Balances(("id",)), "leave accounts out"),
        (unified.Books("BTC-PLN", 0), "at least 1, not 0"),
        (unified.Depths("BTC-PLN", 0), "at least 1, not 0"),
        (unified.Depths("BTC-PLN", 301), "at most 300 levels a side, not 301"),
        (zonda.LimitedOrderBooks("BTC-PLN", 20), "a limit of 10, 50 or 100, not 20"),
    ],
)
def test_what_cannot_be_served_says_so(topic: Topic[Any], words: str) -> None:
    with pytest.raises(UnsupportedTopic, match=words):
        VENUE.serve(topic, OPTIONS)


@pytest.mark.parametrize(
    "topic", [unified.Orders(), unified.Fills(), unified.Balances(), zonda.Offers(), zonda.Funds()]
)
def test_private_topics_need_credentials(topic: Topic[Any]) -> None:
    with pytest.raises(MissingCredentials, match="it is private: give credentials"):
        VENUE.serve(topic, Options(VENUE.endpoints["production"]))


def test_wrong_option_and_wrong_credentials_are_said() -> None:
    options = Options(VENUE.endpoints["production"], extra={"request_timestamp": "minutes"})
    with pytest.raises(UsageError, match="request_timestamp"):
        VENUE.serve(unified.Trades("BTC-PLN"), options)
    with pytest.raises(UsageError, match="ApiKey"):
        VENUE.protocol(Lane("private"), BearerToken("HUSH"), {}, OPTIONS)


@pytest.mark.parametrize(
    "text", ["", "btc-pln", "BTC", "BTC-PLN-X", "BTC/PLN/X", "BTC-", "BTC_PLN", "BTC-PŁN", " "]
)
def test_what_is_no_market_code_is_refused(text: str) -> None:
    with pytest.raises(InvalidInstrument, match="not a Zonda market code"):
        VENUE.instrument(text)
    with pytest.raises(InvalidInstrument):
        VENUE.serve(unified.Trades(text), OPTIONS)
    with pytest.raises(InvalidInstrument):
        VENUE.serve(zonda.Transactions(text), OPTIONS)


def test_hint_for_lower_case() -> None:
    with pytest.raises(InvalidInstrument, match="did you mean 'BTC-PLN'"):
        VENUE.instrument("btc/pln")
    assert VENUE.instrument("BTC/PLN") == VENUE.instrument("BTC-PLN") == "BTC-PLN"


@pytest.mark.parametrize(
    ("name", "instrument", "native", "topic"),
    [
        ("books", "BTC/PLN", False, unified.Books("BTC-PLN")),
        ("depths", "BTC/PLN", False, unified.Depths("BTC-PLN", 10)),
        ("orders", "", False, unified.Orders()),
        ("instruments", "", False, unified.Instruments()),
        ("orderbook-limited", "BTC-PLN", True, zonda.LimitedOrderBooks("BTC-PLN", 10)),
        ("ticker", "", True, zonda.Tickers()),
        ("rates", "USD/EUR", True, zonda.Rates("USD-EUR")),
        ("stop/offers", "BTC-PLN", True, zonda.StopOffers("BTC-PLN")),
        ("balance/bitbay/updatefunds", "", True, zonda.Funds()),
    ],
)
def test_words_of_the_command_line(name: str, instrument: str, native: bool, topic: Topic[Any]) -> None:
    assert VENUE.topic(name, instrument, native) == topic


def test_words_that_mean_nothing() -> None:
    with pytest.raises(UnsupportedTopic, match="no topic 'candles'; it has balances, books"):
        VENUE.topic("candles", "BTC-PLN", native=False)
    with pytest.raises(UnsupportedTopic, match="no channel 'trades'; it has balance/bitbay/updatefunds"):
        VENUE.topic("trades", "BTC-PLN", native=True)
    with pytest.raises(InvalidInstrument, match="takes no instrument"):
        VENUE.topic("instruments", "BTC-PLN", native=False)
    with pytest.raises(InvalidInstrument, match="needs an instrument"):
        VENUE.topic("trades", "", native=False)


def test_every_channel_of_the_wire_is_a_topic() -> None:
    assert set(VENUE.topics) == set(paths.NAMES)
    assert {kind.private for name, kind in VENUE.topics.items() if name in paths.PRIVATE} == {True}
    assert [kind(*["A-B"][: len(kind.__struct_fields__)]).name for kind in VENUE.topics.values()] == list(
        VENUE.topics
    )


@pytest.mark.parametrize("name", sorted(paths.NAMES))
def test_paths_and_topics_are_each_others_inverse(name: str) -> None:
    market = "" if name == paths.FUNDS else "BTC-PLN"
    channel = WireChannel(name, market, "50" if name == paths.LIMITED else "")
    assert paths.parse(paths.topic_of(channel)) == channel


@pytest.mark.parametrize(
    "topic",
    ["", "trading", "trading/", "trading/orderbook", "trading/transactions", "trading/ticker/", "stats/btc-pln",
     "trading/orderbook-limited/btc-pln", "trading/rates/usd/eur", "cantor_service/rates/usd", "trading/ticker/a-b/c"],
)  # fmt: skip
def test_what_is_no_topic(topic: str) -> None:
    assert paths.parse(topic) is None


@pytest.mark.parametrize(
    ("text", "channel"),
    [
        ("private trading/offers/btc-pln", C("offers", "BTC-PLN")),
        ("Trading/Ticker", C("ticker")),
        ("trading/orderbook-limited", C("orderbook-limited")),
        ("control", None),
        ("trading/rates", None),
        ("", None),
    ],
)
def test_channels_that_captures_name(text: str, channel: C | None) -> None:
    assert paths.parse_captured(text) == channel


def test_captured_lanes_know_what_their_answers_are_about() -> None:
    assert VENUE.offline("") == VENUE.offline("control") == Lane("captured")
    assert VENUE.offline("trading/ticker/btc-pln") == Lane("captured trading/ticker/btc-pln")


def test_offline_topics_name_what_the_messages_are_made_into() -> None:
    made = {
        str(channel): [str(topic) for topic in VENUE.offline_topics(channel, native=False)]
        for channel in (
            C("ticker"),
            C("stats"),
            C("stats", "A-B"),
            C("rates", "A-B"),
            C("offers"),
            C("stop/offers", "A-B"),
        )
    }
    assert made == {
        "ticker": [],
        "stats": [],
        "stats:A-B": ["tickers A-B"],
        "rates:A-B": [],
        "offers": ["orders"],
        "stop/offers:A-B": ["orders A-B"],
    }
    channel = C("orderbook-limited", "A-B", "50")
    assert VENUE.offline_topics(channel, native=False) == [unified.Books("A-B", 50)]
    assert VENUE.offline_topics(channel, native=True) == [zonda.LimitedOrderBooks("A-B", 50)]
    assert VENUE.offline_topics(C("balance/bitbay/updatefunds"), native=True) == [zonda.Funds()]


def test_private_channels_have_a_line_of_their_own() -> None:
    channels = (C("ticker", "A-B"), C("offers"), C("rest/trading/ticker"), C("balance/bitbay/updatefunds"))
    assert VENUE.plan(channels, OPTIONS) == {
        Lane("public"): [channels[0], channels[2]],
        Lane("private"): [channels[1], channels[3]],
    }


def test_what_must_be_equal_for_a_newer_message_to_replace_an_older_one() -> None:
    market = zonda.Market(code="A-B")
    push = zonda.TickerPush(topic="trading/ticker", message=zonda.Ticker(market=market))
    rows = zonda.StatsPush(topic="trading/stats", message=(zonda.Stats(m="A-B"),))
    funds = zonda.FundsPush(topic="x", message=zonda.FundsState(id="b-1", currency="BTC"))
    notice = Connected(venue="zonda", received_ns=0, lane="public", connection=1)
    assert zonda.Tickers().latest_key(push) == "A-B"
    assert zonda.Tickers("A-B").latest_key(push) == zonda.Tickers().latest_key(notice)
    assert zonda.Statistics().latest_key(rows) == ("A-B",)
    assert zonda.Statistics("A-B").latest_key(rows) is None
    assert (zonda.Funds().latest_key(funds), zonda.Funds().latest_key(notice)) == ("b-1", None)
