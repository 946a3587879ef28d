"""What the venue serves, where, on which lines; what it refuses before any I/O."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.venues.upbit.market import KEY, candle, ticker
from trioquotes import topics as unified
from trioquotes._protocol.effects import Endpoint, Failure, Fatal, Lane, Options, Retry, Stamp, WireChannel
from trioquotes._protocol.offline import Offline
from trioquotes.credentials import BearerToken
from trioquotes.errors import (
    AuthenticationFailed,
    ConnectFailed,
    InvalidInstrument,
    MissingCredentials,
    UnsupportedTopic,
    UsageError,
)
from trioquotes.events import Event
from trioquotes.topics import Topic
from trioquotes.venues import upbit
from trioquotes.venues.upbit import VENUE
from trioquotes.venues.upbit.channels import MARKETS, book_of, depth_of, with_depth

PUBLIC = Options(VENUE.endpoints["production"])
SIGNED = Options(VENUE.endpoints["production"], has_credentials=True)


def lanes(*topics: Topic[Event]) -> dict[str, list[str]]:
    channels = dict.fromkeys(channel for topic in topics for channel in VENUE.serve(topic, SIGNED).channels)
    return {str(lane): [str(c) for c in some] for lane, some in VENUE.plan(tuple(channels), SIGNED).items()}


@pytest.mark.parametrize(
    ("topic", "kind", "channels"),
    [
        (unified.Trades("KRW-BTC"), "events", ["trade:KRW-BTC"]),
        (unified.Trades("BTC/KRW"), "events", ["trade:KRW-BTC"]),
        (unified.Tickers("KRW-BTC"), "events", ["ticker:KRW-BTC"]),
        (unified.Books("KRW-BTC"), "book", ["orderbook:KRW-BTC", "orderbook:KRW-BTC:.30"]),
        (unified.Books("KRW-BTC", 1), "book", ["orderbook:KRW-BTC", "orderbook:KRW-BTC:.1"]),
        (unified.Books("KRW-BTC", 7), "book", ["orderbook:KRW-BTC", "orderbook:KRW-BTC:.15"]),
        (unified.Books("KRW-BTC", 99), "book", ["orderbook:KRW-BTC", "orderbook:KRW-BTC:.30"]),
        (unified.Depths("KRW-BTC"), "depths", ["orderbook:KRW-BTC", "orderbook:KRW-BTC:.15"]),
        (unified.Depths("BTC/KRW", 30), "depths", ["orderbook:KRW-BTC", "orderbook:KRW-BTC:.30"]),
        (unified.Quotes("KRW-BTC"), "quotes", ["orderbook:KRW-BTC", "orderbook:KRW-BTC:.1"]),
        (unified.Candles("KRW-BTC"), "events", ["candle.1m:KRW-BTC"]),
        (unified.Candles("KRW-BTC", "240m"), "events", ["candle.240m:KRW-BTC"]),
        (unified.Instruments(), "events", ["market/all"]),
        (unified.Orders(), "events", ["myOrder"]),
        (unified.Orders("KRW-BTC"), "events", ["myOrder"]),
        (unified.Fills("BTC/KRW"), "events", ["myOrder"]),
        (unified.Balances(), "events", ["myAsset"]),
        (upbit.Trades("KRW-BTC"), "native", ["trade:KRW-BTC"]),
        (upbit.Tickers("KRW-BTC", "snapshot"), "native", ['ticker:KRW-BTC:{"is_only_snapshot":true}']),
        (upbit.Orderbooks("KRW-BTC", 5), "native", ["orderbook:KRW-BTC", "orderbook:KRW-BTC:.5"]),
        (upbit.Orderbooks("KRW-BTC", level="0"), "native", ["orderbook:KRW-BTC", "orderbook:KRW-BTC:.30"]),
        (upbit.Orderbooks("KRW-BTC", 1, "0.1", "realtime"), "native", [
            'orderbook:KRW-BTC:{"is_only_realtime":true,"level":0.1}',
            'orderbook:KRW-BTC:{"is_only_realtime":true,"level":0.1}.1',
        ]),
        (upbit.Candles("KRW-BTC", "1s"), "native", ["candle.1s:KRW-BTC"]),
        (upbit.MyOrders("KRW-BTC"), "native", ["myOrder"]),
        (upbit.MyAssets(), "native", ["myAsset"]),
        (upbit.Announcements(), "native", ["announcement"]),
        (upbit.Announcements(("b", "a", "b"), include_body=True), "native",
         ['announcement:{"categories":["a","b"],"include_body":true}']),
        (upbit.Indicators("KRW-BTC"), "native", ['indicator:KRW-BTC:{"timeframe":"5m"}']),
        (upbit.IndicatorSignals.of("BTC/KRW", "1d", [{"type": "rsi", "params": {"x": 1}}]), "native",
         ['indicator_signal:KRW-BTC:{"indicators":[{"params":{"x":1},"type":"rsi"}],"timeframe":"1d"}']),
    ],
    ids=str,
)  # fmt: skip
def test_topic_is_served_by_its_channels(topic: Topic[Event], kind: str, channels: list[str]) -> None:
    serving = VENUE.serve(topic, SIGNED)
    assert [str(channel) for channel in serving.channels] == channels
    assert serving.kind == kind
    assert serving.only == ("KRW-BTC" if channels == ["myOrder"] and topic.subject else "")


@pytest.mark.parametrize(
    ("topic", "error", "words"),
    [
        (unified.FundingRates("KRW-BTC"), UnsupportedTopic, "it can serve Balances, Books, Candles"),
        (unified.Books("KRW-BTC", 0), UnsupportedTopic, "a depth is at least 1"),
        (unified.Depths("KRW-BTC", 0), UnsupportedTopic, "a depth is at least 1"),
        (unified.Depths("KRW-BTC", 31), UnsupportedTopic, "books have 30 levels a side"),
        (unified.OrderBooks("KRW-BTC"), UnsupportedTopic, "it can serve Balances, Books, Candles, Depths"),
        (unified.Candles("KRW-BTC", "2m"), UnsupportedTopic, "'2m'; it has 1s, 1m, 3m, 5m"),
        (unified.Balances(("a",)), UnsupportedTopic, "one account"),
        (unified.Trades("krw-btc"), InvalidInstrument, "did you mean 'KRW-BTC'"),
        (upbit.Candles("KRW-BTC", "1h"), UnsupportedTopic, "no candles of '1h'"),
        (upbit.Trades("KRW-BTC", "both"), UnsupportedTopic, "only='snapshot' or only='realtime'"),  # type: ignore[arg-type]
        (upbit.Orderbooks("BTC-ETH", level="10"), UnsupportedTopic, "markets in money"),
        (upbit.Orderbooks("KRW-BTC", level="1e4"), UnsupportedTopic, "a plain number"),
        (upbit.Orderbooks("KRW-BTC", depth=-1), UnsupportedTopic, "at least 1"),
        (upbit.Indicators("BTC-ETH"), UnsupportedTopic, "markets in KRW"),
        (upbit.Indicators("KRW-BTC", "2m"), UnsupportedTopic, "candles of 5m, 15m"),
        (upbit.Indicators("KRW-BTC", "5m", "rsi"), UnsupportedTopic, "a JSON list of objects"),
    ],
    ids=str,
)
def test_what_cannot_be_served_is_refused_with_words(
    topic: Topic[Event], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words.replace("(", r"\(")):
        VENUE.serve(topic, SIGNED)


@pytest.mark.parametrize(
    "topic",
    [unified.Orders(), unified.Fills(), unified.Balances(), upbit.MyOrders(), upbit.MyAssets(), upbit.Announcements(),
     upbit.Indicators("KRW-BTC"), upbit.IndicatorSignals("KRW-BTC")],
    ids=str,
)  # fmt: skip
def test_private_topics_need_credentials(topic: Topic[Event]) -> None:
    with pytest.raises(MissingCredentials, match="private"):
        VENUE.serve(topic, PUBLIC)
    assert VENUE.serve(topic, SIGNED).channels


@pytest.mark.parametrize(
    ("extra", "words"),
    [({"format": "simple"}, "DEFAULT, SIMPLE, JSON_LIST, SIMPLE_LIST"), ({"jwt_algorithm": "none"}, "HS512, HS256"),
     ({"fromat": "SIMPLE"}, "no option 'fromat'")],
)  # fmt: skip
def test_options_that_are_none_are_refused(extra: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        VENUE.serve(unified.Trades("KRW-BTC"), Options(VENUE.endpoints["production"], extra=extra))


def test_instruments_need_a_rest_side() -> None:
    bare = Options(Endpoint("wss://example.com/websocket/v1"))
    with pytest.raises(UnsupportedTopic, match="by REST"):
        VENUE.serve(unified.Instruments(), bare)


@pytest.mark.parametrize(
    ("text", "code"),
    [("KRW-BTC", "KRW-BTC"), ("BTC/KRW", "KRW-BTC"), ("USDT-1INCH", "USDT-1INCH"), ("ETH/BTC", "BTC-ETH"),
     ("BTC/SGD", "SGD-BTC"), ("NEW-COIN", "NEW-COIN")],
)  # fmt: skip
def test_codes_have_the_quote_first(text: str, code: str) -> None:
    assert VENUE.instrument(text) == code


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("krw-btc", "did you mean 'KRW-BTC'"),
        ("btc/krw", "did you mean 'BTC/KRW'"),
        ("BTC-KRW", "did you mean 'KRW-BTC'"),
        ("KRW/BTC", "did you mean 'BTC/KRW'"),
        ("BTC/USD", "no markets in USD; it has some in BTC, IDR, KRW"),
        ("KRW-BTC.5", "is not an Upbit code, such as 'KRW-BTC'"),
        ("", "is not an Upbit code"),
        ("KRW-BTC ", "is not an Upbit code"),
        ("KRWBTC", "is not an Upbit code"),
        ("A/B/C", "is not an Upbit code"),
    ],
)
def test_what_cannot_be_a_code_is_refused_since_the_venue_would_be_silent(text: str, words: str) -> None:
    with pytest.raises(InvalidInstrument, match=words):
        VENUE.instrument(text)


@given(st.text(alphabet="ABKRWTCD-/. 1é", max_size=12))
def test_an_instrument_is_a_code_and_stays_what_it_is(text: str) -> None:
    try:
        code = VENUE.instrument(text)
    except InvalidInstrument:
        return
    assert VENUE.instrument(code) == code
    assert code.isascii()


@pytest.mark.parametrize(
    ("name", "instrument", "native", "expected"),
    [
        ("trades", "BTC/KRW", False, unified.Trades("KRW-BTC")),
        ("orders", "", False, unified.Orders()),
        ("instruments", "", False, unified.Instruments()),
        ("candles", "KRW-BTC", False, unified.Candles("KRW-BTC")),
        ("trade", "KRW-BTC", True, upbit.Trades("KRW-BTC")),
        ("candle.240m", "KRW-BTC", True, upbit.Candles("KRW-BTC", "240m")),
        ("myOrder", "KRW-BTC", True, upbit.MyOrders("KRW-BTC")),
        ("myAsset", "", True, upbit.MyAssets()),
        ("indicator", "KRW-BTC", True, upbit.Indicators("KRW-BTC")),
    ],
)
def test_words_of_the_command_line(name: str, instrument: str, native: bool, expected: Topic[Event]) -> None:
    found = VENUE.topic(name, instrument, native)
    assert found == expected
    assert type(found) is type(expected)
    assert not native or found.name == name


@pytest.mark.parametrize(
    ("name", "instrument", "native", "error"),
    [
        ("fundingrates", "KRW-BTC", False, UnsupportedTopic),
        ("trades", "KRW-BTC", True, UnsupportedTopic),
        ("candle.2m", "KRW-BTC", True, UnsupportedTopic),
        ("trades", "", False, InvalidInstrument),
        ("myAsset", "KRW-BTC", True, InvalidInstrument),
        ("trade", "btc", True, InvalidInstrument),
    ],
)
def test_words_that_mean_nothing(name: str, instrument: str, native: bool, error: type[Exception]) -> None:
    with pytest.raises(error):
        VENUE.topic(name, instrument, native)


def test_every_channel_of_the_wire_is_a_topic() -> None:
    intervals = ("1s", "1m", "3m", "5m", "10m", "15m", "30m", "60m", "240m")
    expected = {
        "ticker",
        "trade",
        "orderbook",
        "myOrder",
        "myAsset",
        "announcement",
        "indicator",
        "indicator_signal",
    }
    assert set(VENUE.topics) == expected | {f"candle.{interval}" for interval in intervals}


def test_latest_keys() -> None:
    run = Offline(VENUE, native=True)
    (bar,), (figures,) = run.feed(candle().encode()), run.feed(ticker().encode())
    assert upbit.Tickers("KRW-BTC").latest_key(figures) == "KRW-BTC"
    key = upbit.Candles("KRW-BTC").latest_key(bar)
    assert isinstance(key, tuple)
    assert key[:2] == ("KRW-BTC", "candle.1m")
    assert upbit.Candles("KRW-BTC").latest_key(figures) is None
    assert upbit.Tickers("KRW-BTC").latest_key(Event()) is None


def test_three_sockets_carry_everything_that_can_be_told_apart() -> None:
    assert set(lanes(unified.Trades("KRW-BTC"), unified.Books("KRW-BTC"), unified.Instruments(), unified.Orders(),
                     unified.Balances(), upbit.Announcements())) == {"public", "private"}  # fmt: skip


@pytest.mark.parametrize("topic", [upbit.Indicators("KRW-BTC"), upbit.IndicatorSignals("KRW-BTC")], ids=str)
def test_indicators_have_a_socket_of_their_own(topic: Topic[Event]) -> None:
    (name,) = lanes(topic)
    assert name.startswith("info-")


def test_what_looks_alike_goes_over_lines_of_its_own() -> None:
    rsi: list[dict[str, Any]] = [{"type": "rsi", "params": {}}]
    macd: list[dict[str, Any]] = [{"type": "macd", "params": {}}]
    plan = lanes(
        upbit.Trades("KRW-BTC"),
        upbit.Trades("KRW-BTC", "realtime"),
        upbit.Orderbooks("KRW-BTC", level="10000"),
        upbit.Orderbooks("KRW-ETH", 5, level="10000"),
        upbit.Announcements(include_body=True),
        upbit.Indicators.of("KRW-BTC", "5m", rsi),
        upbit.Indicators.of("KRW-ETH", "5m", rsi),
        upbit.Indicators.of("KRW-BTC", "5m", macd),
    )
    assert {name: len(channels) for name, channels in plan.items() if not name.startswith("info")} == {
        "public": 1,
        "public-is_only_realtime-true": 1,
        "public-level-10000": 4,
        "private-include_body-true": 1,
    }
    assert sorted(len(channels) for name, channels in plan.items() if name.startswith("info-")) == [1, 2]


@pytest.mark.parametrize(
    ("lane", "url"),
    [("public", ""), ("public-level-10000", ""), ("private", "/private"), ("private-include_body-true", "/private"),
     ("info-timeframe-5m", "/info")],
)  # fmt: skip
@pytest.mark.parametrize(
    ("name", "host"), [("production", "api"), ("sg", "sg-api"), ("id", "id-api"), ("th", "th-api")]
)
def test_each_region_has_its_sockets(lane: str, url: str, name: str, host: str) -> None:
    options = Options(VENUE.endpoints[name], has_credentials=True)
    shake = VENUE.protocol(Lane(lane), KEY, {}, options).handshake(Stamp(0, 0.0, bytes(16)))
    assert shake.url == f"wss://{host}.upbit.com/websocket/v1{url}"
    assert bool(shake.headers) == bool(url)
    assert options.endpoint.rest == f"https://{host}.upbit.com"
    bare = Options(Endpoint("ws://127.0.0.1:9/websocket/v1"), has_credentials=True)
    shake = VENUE.protocol(Lane(lane), KEY, {}, bare).handshake(Stamp(0, 0.0, bytes(16)))
    assert shake.url == f"ws://127.0.0.1:9/websocket/v1{url}"


def test_wrong_credentials_are_refused_on_private_lines_alone() -> None:
    VENUE.protocol(Lane("public"), BearerToken("x"), {}, SIGNED)
    with pytest.raises(UsageError, match="takes an ApiKey"):
        VENUE.protocol(Lane("private"), BearerToken("x"), {}, SIGNED)


def failed(lane: str, **more: Any) -> Any:
    return VENUE.protocol(Lane(lane), KEY, {}, SIGNED).classify(Failure("handshake", "no", **more))


@pytest.mark.parametrize("lane", ["private", "info-timeframe-5m"])
@pytest.mark.parametrize("more", [{"status": 401}, {"status": 403}, {"last_error": "INVALID_AUTH: no"}])
def test_refused_token_ends_its_lane_alone(lane: str, more: dict[str, Any]) -> None:
    verdict = failed(lane, **more)
    assert isinstance(verdict, Fatal)
    assert verdict.scope == "lane"
    assert isinstance(verdict.error, AuthenticationFailed)
    assert str(more.get("last_error", more.get("status"))) in str(verdict.error)


def test_public_line_that_is_forbidden_ends_the_session() -> None:
    verdict = failed("public", status=403)
    assert isinstance(verdict, Fatal)
    assert isinstance(verdict.error, ConnectFailed)
    assert isinstance(failed("public", last_error="INVALID_AUTH: odd"), Retry)


@pytest.mark.parametrize(
    ("more", "floor_s"),
    [({"status": 429}, 10.0), ({"status": 418}, 60.0), ({"status": 418, "headers": {"retry-after": "300"}}, 300.0),
     ({"status": 429, "headers": {"retry-after": "3"}}, 10.0), ({"status": 502}, 0.0), ({"close_code": 1000}, 0.0)],
)  # fmt: skip
def test_limits_are_waited_for(more: dict[str, Any], floor_s: float) -> None:
    assert failed("public", **more) == Retry(floor_s=floor_s)


@pytest.mark.parametrize("channel", ["", "LIST_SUBSCRIPTIONS", "error"])
def test_captured_frames_of_no_channel_share_a_lane(channel: str) -> None:
    assert VENUE.offline(channel) == Lane("captured")
    assert VENUE.offline("trade") == Lane("captured-trade")


@given(st.sampled_from(["", '{"level":0.1}', '{"level":10000}']), st.integers(1, 60) | st.none())
def test_depth_is_rounded_up_and_found_again(detail: str, depth: int | None) -> None:
    book = WireChannel("orderbook", "KRW-BTC", detail)
    wish = with_depth(book, depth)
    found = depth_of(wish)
    assert found in {1, 5, 15, 30}
    assert found >= min(depth or 30, 30)
    assert book_of(wish) == book == book_of(book)
    assert depth_of(book) is None
    assert depth_of(MARKETS) is None
