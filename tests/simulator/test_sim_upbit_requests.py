from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioquotes.simulator.venues.upbit.formats import error_text, listing_text
from trioquotes.simulator.venues.upbit.indicators import (
    PERIODS,
    SIGNAL_PERIODS,
    TRIGGERS,
    Bar,
    compute,
    is_definition,
    is_met,
)
from trioquotes.simulator.venues.upbit.requests import (
    TYPES,
    Failure,
    Ping,
    Request,
    Wanted,
    read_request,
)

D = Decimal
EVERY = frozenset[str]().union(*TYPES.values())
TICKET: dict[str, Any] = {"ticket": "t"}
TICKER: dict[str, Any] = {"type": "ticker", "codes": ["KRW-BTC"]}


def read(*objects: Any, **options: Any) -> Request | Failure | Ping:
    return read_request(json.dumps(list(objects)), EVERY, **options)


def granted(*objects: Any, **options: Any) -> Request:
    request = read(TICKET, *objects, **options)
    assert isinstance(request, Request), request
    return request


def failed(*objects: Any) -> str:
    failure = read(*objects)
    assert isinstance(failure, Failure), failure
    return failure.name


def test_a_request_names_types_codes_and_a_format() -> None:
    request = granted(
        TICKER, {"type": "orderbook", "codes": ["KRW-BTC.5", "KRW-ETH"], "level": 10000},
        {"type": "orderbook", "codes": ["KRW-XRP"]}, {"format": "SIMPLE"},
    )  # fmt: skip
    assert request == Request(
        "t",
        (
            Wanted("ticker", ("KRW-BTC",)),
            Wanted("orderbook", ("KRW-BTC.5", "KRW-ETH"), level=D(10000)),
            Wanted("orderbook", ("KRW-XRP",)),
        ),
        "SIMPLE",
    )


def test_the_order_of_the_objects_does_not_matter() -> None:
    request = read({"format": "SIMPLE"}, TICKER, TICKET)
    assert request == Request("t", (Wanted("ticker", ("KRW-BTC",)),), "SIMPLE")
    assert granted(TICKER).format is None


def test_the_flags_of_today_count_and_those_of_2021_only_if_told() -> None:
    only = granted({**TICKER, "is_only_snapshot": True}).wanted[0]
    assert (only.snapshot, only.realtime) == (True, False)
    only = granted({**TICKER, "is_only_realtime": True}).wanted[0]
    assert (only.snapshot, only.realtime) == (False, True)
    old = {**TICKER, "isOnlyRealtime": True}
    assert granted(old).wanted[0].snapshot
    assert not granted(old, camel_case=True).wanted[0].snapshot


@pytest.mark.parametrize(
    ("objects", "name"),
    [
        ([], "NO_TICKET"),
        ([TICKER], "NO_TICKET"),
        ([{"ticket": ""}, TICKER], "NO_TICKET"),
        ([{"ticket": 5}, TICKER], "NO_TICKET"),
        ([TICKET], "NO_TYPE"),
        ([TICKET, {"format": "SIMPLE"}], "NO_TYPE"),
        ([TICKET, {"codes": ["KRW-BTC"]}], "NO_TYPE"),
        ([TICKET, {}], "NO_TYPE"),
        ([TICKET, {"type": ""}], "NO_TYPE"),
        ([TICKET, {"type": "ticker"}], "NO_CODES"),
        ([TICKET, {"type": "ticker", "codes": []}], "NO_CODES"),
        ([TICKET, {"type": "ticker", "codes": "KRW-BTC"}], "WRONG_FORMAT"),
        ([TICKET, {"type": "ticker", "codes": [1]}], "WRONG_FORMAT"),
        ([TICKET, TICKER, {"format": "XML"}], "WRONG_FORMAT"),
        ([TICKET, TICKER, {"format": []}], "WRONG_FORMAT"),
        ([TICKET, TICKER, 5], "WRONG_FORMAT"),
        ([TICKET, {"type": "myAsset", "codes": ["KRW-BTC"]}], "WRONG_FORMAT"),
        ([TICKET, {"type": "myAsset", "codes": []}], "WRONG_FORMAT"),
        ([TICKET, {"type": "announcement", "categories": "trade"}], "WRONG_FORMAT"),
        ([TICKET, {"type": "nope", "codes": ["KRW-BTC"]}], "INVALID_PARAM"),
        ([TICKET, {"type": 5, "codes": ["KRW-BTC"]}], "INVALID_PARAM"),
        ([TICKET, {"type": "candle.2m", "codes": ["KRW-BTC"]}], "INVALID_PARAM"),
        ([TICKET, {**TICKER, "is_only_snapshot": "true"}], "INVALID_PARAM"),
        ([TICKET, {"type": "orderbook", "codes": ["KRW-BTC"], "level": "0"}], "INVALID_PARAM"),
        ([TICKET, {"type": "orderbook", "codes": ["KRW-BTC"], "level": True}], "INVALID_PARAM"),
        ([TICKET, {"method": "UNSUBSCRIBE"}], "INVALID_PARAM"),
        ([TICKET, {"type": "announcement", "categories": ["nope"]}], "INVALID_PARAM"),
        ([TICKET, {"type": "announcement", "include_body": 1}], "INVALID_PARAM"),
        ([TICKET, {"type": "indicator", "codes": ["KRW-BTC"]}], "INVALID_PARAM"),
        ([TICKET, {"type": "indicator", "codes": ["KRW-BTC"], "timeframe": "5m"}], "INVALID_PARAM"),
        (
            [TICKET, {"type": "indicator", "codes": ["KRW-BTC"], "timeframe": "5m", "indicators": [{}]}],
            "INVALID_PARAM",
        ),
    ],
)
def test_what_is_wrong_is_named(objects: list[Any], name: str) -> None:
    assert failed(*objects) == name


@pytest.mark.parametrize("text", ["{", "", "{}", '"x"', "5", "[NaN]", "[" * 60_000, "ping", '{"ticket":"t"}'])
def test_what_is_no_json_array_is_a_wrong_format(text: str) -> None:
    failure = read_request(text, EVERY)
    assert failure == Failure("WRONG_FORMAT", "Format 이 맞지 않습니다.")
    assert error_text(failure) == '{"error":{"message":"Format 이 맞지 않습니다.","name":"WRONG_FORMAT"}}'


def test_the_words_of_errors_are_the_recorded_ones() -> None:
    ticket = read(TICKER)
    assert isinstance(ticket, Failure)
    assert error_text(ticket) == (
        '{"error":{"name":"NO_TICKET","message":"티켓이 존재하지 않거나, 유효하지 않습니다."}}'
    )
    unknown = read(TICKET, {"type": "nope", "codes": ["KRW-BTC"]})
    assert isinstance(unknown, Failure)
    assert error_text(unknown) == (
        '{"error":{"message":"nope 은 지원하지 않는 타입입니다.","name":"INVALID_PARAM"}}'
    )


def test_ping_is_a_word_of_its_own() -> None:
    assert read_request("PING", EVERY) == Ping()


def test_each_endpoint_takes_its_own_types() -> None:
    for endpoint, types in TYPES.items():
        for kind in sorted(EVERY - types):
            text = json.dumps([TICKET, {"type": kind, "codes": ["KRW-BTC"]}])
            outcome = read_request(text, types)
            assert isinstance(outcome, Failure), (endpoint, kind)
            assert outcome.name == "INVALID_PARAM"


def test_private_types_need_no_codes() -> None:
    request = granted({"type": "myOrder"}, {"type": "myAsset"}, {"type": "myOrder", "codes": ["KRW-BTC"]})
    assert [one.codes for one in request.wanted] == [None, None, ("KRW-BTC",)]
    options = granted({"type": "announcement", "categories": ["trade"], "include_body": True}).wanted[0]
    assert options.fields == {"categories": ["trade"], "include_body": True}


def test_subscriptions_are_listed_in_the_format_asked_for() -> None:
    request = granted({"method": "LIST_SUBSCRIPTIONS"})
    assert request == Request("t", (), None, lists=True)
    wanted = granted(
        TICKER, {"type": "orderbook", "codes": ["KRW-BTC.5"], "level": 10000.0}, {"type": "myAsset"},
        {"type": "announcement", "categories": ["trade"]},
    ).wanted  # fmt: skip
    assert listing_text(request, wanted, "DEFAULT") == (
        '{"method":"LIST_SUBSCRIPTIONS","result":[{"type":"ticker","codes":["KRW-BTC"]},'
        '{"type":"orderbook","codes":["KRW-BTC.5"],"level":10000},{"type":"myAsset"},'
        '{"type":"announcement","categories":["trade"]}],"ticket":"t"}'
    )
    assert listing_text(request, wanted[:2], "SIMPLE_LIST") == (
        '[{"mthd":"LIST_SUBSCRIPTIONS","rslt":[{"ty":"ticker","cds":["KRW-BTC"]},'
        '{"ty":"orderbook","cds":["KRW-BTC.5"],"lv":10000}],"tckt":"t"}]'
    )


def test_every_recorded_request_is_understood() -> None:
    folder = os.environ.get("TRIOQUOTES_CAPTURES")
    if folder is None:
        pytest.skip("TRIOQUOTES_CAPTURES is not set")
    lines = (Path(folder) / "upbit-requests.jsonl").read_text().splitlines()
    outcomes = [read_request(json.loads(line)["raw"], EVERY) for line in lines]
    assert len(outcomes) == 5
    assert all(isinstance(outcome, Request) for outcome in outcomes)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from([*sorted(EVERY), "KRW-BTC"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "ticket", "type", "codes", "format", "method", "level", "categories", "timeframe", "indicators",
                    "params", "period", "trigger", "event_params", "is_only_snapshot",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)  # fmt: skip


@given(st.lists(JSON, max_size=4))
def test_every_message_has_an_outcome(objects: list[Any]) -> None:
    outcome = read({"ticket": "t"}, *objects)
    assert isinstance(outcome, Request | Failure)


# Indicators -----------------------------------------------------------------------------------------

RISING = [Bar(n, D(100 + n), D(1 + n % 3)) for n in range(260)]
WAVE = [Bar(n, D(100 + (n % 10)), D(2)) for n in range(260)]

DEFINITIONS: list[dict[str, Any]] = [
    {"type": "volume", "params": {"period": 10}},
    {"type": "rsi", "params": {"period": 14}},
    {"type": "moving_average", "params": {"period": 5, "type": "SMA"}},
    {"type": "moving_average", "params": {"period": 200, "type": "EMA"}},
    {"type": "ma_crossover", "params": {"short_period": 5, "long_period": 20, "type": "SMA"}},
    {"type": "bollinger_bands", "params": {"period": 20, "multiplier": 2}},
    {"type": "macd", "params": {"fast": 12, "slow": 26, "signal_period": 9}},
]


@pytest.mark.parametrize("asked", DEFINITIONS, ids=lambda asked: str(asked["type"]))
def test_documented_indicators_are_computed(asked: dict[str, Any]) -> None:
    assert is_definition(asked, signal=False)
    values = compute(asked["type"], asked["params"], WAVE)
    assert all(-value.as_tuple().exponent == 8 for value in values.values())  # type: ignore[operator]  # numbers


def test_values_are_those_of_the_textbook() -> None:
    assert compute("moving_average", {"period": 5, "type": "SMA"}, RISING)["value"] == D(357)
    assert compute("volume", {"period": 10}, WAVE) == {"volume": 2, "avg_volume": 2, "ratio": 1}
    assert compute("rsi", {"period": 14}, RISING)["rsi"] == 100
    ups_and_downs = [Bar(n, D(close), D(1)) for n, close in enumerate((10, 11, 10, 12))]
    assert compute("rsi", {"period": 2}, ups_and_downs)["rsi"] == D("83.33333333")  # 1.25 up, 0.25 down
    assert compute("rsi", {"period": 14}, [Bar(n, D(5), D(1)) for n in range(20)])["rsi"] == 50
    bands = compute("bollinger_bands", {"period": 10, "multiplier": 2}, WAVE)
    assert bands["bb_middle"] == D("104.5")
    assert bands["bb_upper"] - bands["bb_middle"] == D("5.74456265")  # twice the root of 8.25
    crossing = compute("ma_crossover", {"short_period": 5, "long_period": 20, "type": "SMA"}, RISING)
    assert crossing == {"ma_short": D(357), "ma_long": D("349.5")}
    trend = compute("macd", {"fast": 12, "slow": 26, "signal_period": 9}, RISING)
    assert trend == {"macd": 7, "macd_signal": 7, "histogram": 0}


@pytest.mark.parametrize(
    ("asked", "holds"),
    [
        ({"type": "volume", "trigger": "volume_spike", "event_params": {"multiplier": 2}}, False),
        ({"type": "rsi", "trigger": "overbought", "event_params": {"threshold": 70}}, True),
        ({"type": "rsi", "trigger": "oversold", "event_params": {"threshold": 30}}, False),
        ({"type": "moving_average", "trigger": "price_cross_above"}, True),
        ({"type": "moving_average", "trigger": "price_cross_below"}, False),
        ({"type": "ma_crossover", "trigger": "golden_cross"}, True),
        ({"type": "ma_crossover", "trigger": "dead_cross"}, False),
        ({"type": "bollinger_bands", "trigger": "price_cross_above"}, False),
        ({"type": "bollinger_bands", "trigger": "price_cross_below"}, False),
        ({"type": "macd", "trigger": "golden_cross"}, False),
        ({"type": "macd", "trigger": "dead_cross"}, False),
        ({"type": "macd", "trigger": "zero_cross_above"}, True),
        ({"type": "macd", "trigger": "zero_cross_below"}, False),
    ],
)
def test_conditions_hold_or_do_not(asked: dict[str, Any], holds: bool) -> None:
    params = next(one["params"] for one in DEFINITIONS if one["type"] == asked["type"])
    asked = {**asked, "params": params | ({"period": 20} if asked["type"] == "moving_average" else {})}
    assert is_definition(asked, signal=True)
    values = compute(asked["type"], asked["params"], RISING)
    assert is_met(asked, values, RISING[-1].close) is holds


@pytest.mark.parametrize(
    ("asked", "signal"),
    [
        (5, False),
        ({"type": "rsi"}, False),
        ({"type": ["rsi"], "params": {"period": 14}}, False),
        ({"type": "stochastic", "params": {"period": 14}}, False),
        ({"type": "rsi", "params": {"period": 15}}, False),
        ({"type": "rsi", "params": {"period": [14]}}, False),
        ({"type": "rsi", "params": {"period": D("14.0")}}, False),
        ({"type": "moving_average", "params": {"period": 5, "type": "WMA"}}, False),
        ({"type": "ma_crossover", "params": {"short_period": 5, "long_period": 60, "type": "SMA"}}, False),
        ({"type": "bollinger_bands", "params": {"period": 20, "multiplier": 0}}, False),
        ({"type": "bollinger_bands", "params": {"period": 20, "multiplier": True}}, False),
        ({"type": "macd", "params": {"fast": 12, "slow": 26}}, False),
        ({"type": "rsi", "params": {"period": 14}}, True),
        ({"type": "rsi", "params": {"period": 14}, "trigger": "overbought"}, True),
        ({"type": "rsi", "params": {"period": 14}, "trigger": "golden_cross"}, True),
        (
            {
                "type": "rsi",
                "params": {"period": 14},
                "trigger": "overbought",
                "event_params": {"threshold": 30},
            },
            True,
        ),
        (
            {
                "type": "rsi",
                "params": {"period": 2},
                "trigger": "overbought",
                "event_params": {"threshold": 70},
            },
            True,
        ),
    ],
)
def test_what_is_not_offered_is_refused(asked: Any, signal: bool) -> None:
    assert not is_definition(asked, signal=signal)


def test_signals_take_fewer_settings_than_values() -> None:
    assert set(TRIGGERS) == {one["type"] for one in DEFINITIONS}
    for kind, periods in SIGNAL_PERIODS.items():
        assert kind in PERIODS
        assert len(periods) <= len(PERIODS[kind])
