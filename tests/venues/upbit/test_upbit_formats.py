"""Four formats, one set of messages, every digit."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.venues.upbit.market import (
    announcement,
    asset,
    book,
    candle,
    compact,
    error,
    indicator,
    listed,
    simple,
    ticker,
    trade,
)
from trioquotes._protocol.codec import BadFrame, builtins
from trioquotes._protocol.offline import Offline
from trioquotes.events import Event, Malformed, Notice, Unknown, WireMessage
from trioquotes.venues import upbit
from trioquotes.venues.upbit import VENUE, formats, messages, numbers

FRAMES = [
    trade(),
    book((117.5, 1.25, 116.0, 2.0), (118.0, 1.0, 0.0, 0.0)),
    ticker(),
    candle("240m"),
    asset(("KRW", 1.5, 0.25)),
]


def read(frame: str | bytes) -> list[Event]:
    text = frame.encode() if isinstance(frame, str) else frame
    return Offline(VENUE, native=True).feed(text)


def counted(frame: str | bytes, *, native: bool = True) -> dict[str, Any]:
    run = Offline(VENUE, native=native)
    run.feed(frame.encode() if isinstance(frame, str) else frame)
    count = run.count()
    return {"elements": count.elements, "malformed": count.malformed, **count.ignored}


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: json.loads(frame)["type"])
def test_all_four_formats_decode_to_the_same_message(frame: str) -> None:
    forms = [frame, simple(frame), f"[{frame}]", f"[{simple(frame)}]"]
    assert forms[0] != forms[1]
    (first,), *others = (read(form) for form in forms)
    assert isinstance(first, WireMessage)
    assert others == [[first]] * 3
    assert {type(message) for (message,) in others} == {type(first)}


def test_list_frame_brings_each_of_its_elements() -> None:
    frame = f"[{trade(1)},{ticker()},{trade(2)},{book()}]"
    made = read(frame)
    assert [type(event).__name__ for event in made] == ["Trade", "Ticker", "Trade", "Orderbook"]
    assert counted(frame)["elements"] == 4


def test_one_bad_element_of_a_list_does_not_spoil_the_others() -> None:
    frame = f'[{trade(1)},{{"type":"trade","code":"KRW-BTC"}},{{"type":"news"}},7,{trade(2)}]'
    assert counted(frame) == {"elements": 5, "malformed": 2, "unknown type": 1}
    made = read(frame)
    assert [type(event).__name__ for event in made] == ["Trade", "Malformed", "Unknown", "Malformed", "Trade"]
    assert {event.frame for event in made if isinstance(event, Malformed | Unknown)} == {frame.encode()}


@pytest.mark.parametrize("frame", ["[]", " [ ] "])
def test_empty_list_is_one_element_that_makes_no_event(frame: str) -> None:
    assert counted(frame)["elements"] == 1


def test_spaces_and_the_order_of_keys_do_not_matter() -> None:
    fields = json.loads(trade())
    turned = json.dumps(dict(reversed(fields.items())), indent=2)
    assert read(turned) == read(trade())
    assert read(f" {simple(trade())} ") == read(trade())


@pytest.mark.parametrize(
    "text",
    ["1.16539E8", "7.9276E-4", "106691000.00000000", "0", "1386929.37231066771348207123", "5e-1", "1E+2"],
)
@pytest.mark.parametrize("form", [lambda frame: frame, simple])
def test_numbers_keep_every_digit_in_every_spelling(text: str, form: Any) -> None:
    frame = form(trade()).replace("9.372e-05", text)
    assert text in frame
    (message,) = read(frame)
    assert isinstance(message, upbit.Trade)
    assert message.trade_volume.as_tuple() == Decimal(text).as_tuple()


def test_sequential_id_beyond_a_float_is_exact() -> None:
    (message,) = read(trade(17883351803770005))
    assert isinstance(message, upbit.Trade)
    assert message.sequential_id == 17883351803770005 != float(17883351803770005)


@pytest.mark.parametrize(
    "text",
    [
        '"NaN"',
        '"-Infinity"',
        '"sNaN12"',
        '" 1"',
        '"1_0"',
        '"١٢"',
        '"\\u0031"',
        "1e400",
        "9" * 80,
        "1e-99",
        '"1e99"',
    ],
)
@pytest.mark.parametrize("form", [lambda frame: frame, simple])
def test_what_is_no_plain_number_is_malformed(text: str, form: Any) -> None:
    frame = form(trade()).replace("9.372e-05", text)
    made = read(frame)
    if text == '"\\u0031"':
        assert isinstance(made[0], upbit.Trade)  # an escaped digit is a digit
        return
    (malformed,) = made
    assert isinstance(malformed, Malformed)
    assert "umber" in malformed.reason
    assert counted(frame)["malformed"] == 1


LENIENT = st.from_regex(
    r" {0,2}[+-]?(?:[0-9_]{1,20}\.?[0-9_]{0,70}(?:[eE][+-]?[0-9]{1,4})?|s?nan[0-9]{0,3}|inf(inity)?) {0,2}",
    fullmatch=True,
)


@given(
    LENIENT | st.sampled_from(["\u0661", "1\\u0031", "Infinity", "sNaN"]),
    st.sampled_from(["trade_price", "a", "tp"]),
)
def test_a_text_in_the_place_of_a_number_is_always_looked_at(text: str, key: str) -> None:
    assert numbers.is_odd(f'{{"{key}":"{text}"}}'.encode())
    assert numbers.is_odd(f'{{"{key}" : "{text}"}}'.encode())


@given(st.from_regex(r"-?(0|[1-9][0-9]{0,80})(\.[0-9]{1,80})?([eE][+-]?[0-9]{1,4})?", fullmatch=True))
def test_a_literal_of_absurd_size_is_always_looked_at(text: str) -> None:
    value = Decimal(text)
    if abs(value.adjusted()) > 64:
        assert numbers.is_odd(f'{{"a":{text}}}'.encode()) or not value


def test_usual_frames_need_no_second_look() -> None:
    frames = [frame.replace("9.372e-05", "7.9276E-4") for frame in FRAMES]
    frames += map(simple, FRAMES[1:])
    frames.append(ticker(trade_date="20230616", trade_time="000728"))
    assert [frame for frame in frames if numbers.is_odd(frame.encode())] == []


@pytest.mark.parametrize("kind", [*formats._KINDS.values()], ids=lambda kind: kind.__name__)
def test_every_field_of_a_message_has_an_abbreviation(kind: type[messages.Message]) -> None:
    if issubclass(kind, messages.OpenMessage):
        return
    names = {**formats.ABBREVIATIONS["Message"], **formats.ABBREVIATIONS[kind.__name__]}
    fields = {field.name for field in msgspec.structs.fields(kind) if not field.encode_name.startswith("~")}
    assert fields <= names.keys()
    assert len({names[field] for field in fields}) == len(fields)


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (announcement(title="공지"), upbit.Announcement),
        (indicator(), upbit.Indicator),
        (indicator("indicator_signal"), upbit.IndicatorSignal),
    ],
)
def test_types_with_unknown_fields_keep_all_of_them_exactly(
    frame: str, kind: type[upbit.OpenMessage]
) -> None:
    (message,) = read(frame)
    assert type(message) is kind
    assert isinstance(message, upbit.OpenMessage)
    assert message.fields.keys() == json.loads(frame).keys()
    assert "rsi" not in frame or message.fields["values"]["rsi"].as_tuple() == Decimal("70.1").as_tuple()


def test_open_types_decode_from_the_simple_format_too() -> None:
    (message,) = read('{"ty":"indicator","cd":"KRW-BTC","tms":5,"st":"REALTIME","x":1.50}')
    assert isinstance(message, upbit.Indicator)
    assert (message.type, message.code, message.timestamp, message.stream_type) == (
        "indicator",
        "KRW-BTC",
        5,
        "REALTIME",
    )
    assert str(message.fields["x"]) == "1.50"
    (bad,) = read('{"type":"announcement","body":7}')
    assert isinstance(bad, Malformed)
    assert bad.reason == "Expected `str | null`, got `int` at $.body: 7"


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (error(), "error"),
        (error("INVALID_AUTH"), "error"),
        ('{"error":{"message":"x","name":"WRONG_FORMAT"}}', "error"),
        ('{"status":"UP"}', "heartbeat"),
        (f"[{error()}]", "error"),
        (
            listed(
                {"type": "ticker", "codes": ["KRW-BTC"]}, {"type": "orderbook", "codes": ["A-B"], "level": 0}
            ),
            "subscriptions",
        ),
        (
            '{"mthd":"LIST_SUBSCRIPTIONS","rslt":[{"ty":"myAsset"},{"ty":"ticker","cds":["A-B"],"lv":0.1}],"tckt":"x"}',
            "subscriptions",
        ),
    ],
)
def test_words_about_the_connection_are_typed_and_make_no_event(frame: str, reason: str) -> None:
    assert counted(frame) == {"elements": 1, "malformed": 0, reason: 1}


def test_list_of_subscriptions_is_the_same_in_both_dialects() -> None:
    long = listed({"type": "ticker", "codes": ["A-B"], "level": 0.1}).encode()
    short = b'{"mthd":"LIST_SUBSCRIPTIONS","rslt":[{"ty":"ticker","cds":["A-B"],"lv":0.1}],"tckt":"t"}'
    one, other = (formats.control(text, builtins(text)) for text in (long, short))
    assert (
        one
        == other
        == upbit.Subscriptions(
            method="LIST_SUBSCRIPTIONS",
            result=(upbit.Subscription(type="ticker", codes=("A-B",), level=Decimal("0.1")),),
            ticket="t",
        )
    )


@pytest.mark.parametrize(
    "frame",
    [
        b"", b"7", b'"x"', b"{}", b'{"type":5}', b'{"type":"trade"', b"[", b"[1", b'{"error":5}', b'{"status":5}',
        b'{"method":"LIST_SUBSCRIPTIONS","result":5}', b"\xff", b'{"type":"trade","code":"A-B"}',
        trade().replace('"trade"', '"trade","type":"ticker"').encode(),
        candle("1m").replace('"candle.1m"', '"candle.1m","type":"candle.5m"').encode(),
        candle().replace("07:46:00", "07:46:00Z").encode(), candle().replace("07-30", "13-30").encode(),
        trade(-1).encode(), trade(2**63).encode(), book().replace("[", "", 1).encode(),
    ],
    ids=repr,
)  # fmt: skip
def test_what_does_not_decode_is_said_with_the_frame(frame: bytes) -> None:
    (malformed, *rest) = read(frame)
    assert isinstance(malformed, Malformed)
    assert malformed.frame == frame
    assert malformed.reason
    assert all(isinstance(notice, Notice) for notice in rest)


def test_reason_names_the_place_in_the_words_of_the_wire() -> None:
    (malformed,) = read(simple(trade()).replace("9.372e-05", "true"))
    assert isinstance(malformed, Malformed)
    assert malformed.reason.endswith("at $.tv: True")


def test_relics_of_2018_are_read_where_the_type_is_known() -> None:
    relic = compact(
        {"mk": "KRW-BTC", "tms": 1523531768829, "td": "2018-04-12", "ttm": "11:16:03", "ttms": 1523531763000}
        | {"tp": 7691000.0, "tv": 0.00996719, "ab": "BID", "sid": 1523531768829000, "st": "SNAPSHOT"}
    )
    (bad,) = read(relic)
    assert isinstance(bad, Malformed)
    (message,) = Offline(VENUE, native=True).feed(relic.encode(), "trade")
    assert isinstance(message, upbit.LastTrade)
    assert (message.code, str(message.trade_price)) == ("KRW-BTC", "7691000.0")
    named = trade().replace('"type":"trade",', "")
    assert Offline(VENUE, native=True).feed(named.encode(), "trade") == read(trade())


@pytest.mark.parametrize(
    ("timestamp", "expected_ns"),
    [
        (None, None),
        (0, 0),
        (1691530805062, 1691530805062_000_000),
        (1691530805062000, 1691530805062_000_000),
        (10**14, None),
        (2**62, None),
    ],
)
def test_timestamps_are_milliseconds_and_sometimes_microseconds(
    timestamp: int | None, expected_ns: int | None
) -> None:
    assert messages.stamp_ns(timestamp) == expected_ns


def test_markets_that_are_no_list_are_refused() -> None:
    with pytest.raises(BadFrame):
        formats.markets(b'{"error":{"name":"x"}}')
