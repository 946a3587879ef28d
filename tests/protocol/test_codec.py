"""Decoding that never guesses, and the JSON form of events that loses no digit."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trioquotes import events
from trioquotes._protocol.codec import (
    BadFrame,
    BlankDecimal,
    Counter,
    Moment,
    Reader,
    builtins,
    check_numbers,
    epoch_ns,
    from_json_line,
    json_converter,
    seconds_ns,
    to_json_line,
)
from trioquotes._protocol.oddities import MAX_ADJUSTED, suspicious
from trioquotes.events import Event, WireMessage
from trioquotes.topics import Books, Topic, Trades


class Row(WireMessage, frozen=True, kw_only=True, tag_field="type", tag="row"):
    price: Decimal | None = None
    loose: BlankDecimal | None = None
    levels: tuple[tuple[Decimal, Decimal], ...] = ()
    by_name: dict[str, Decimal] | None = None
    count: Counter | None = None
    time: Moment | None = None


class Other(WireMessage, frozen=True, kw_only=True, tag_field="type", tag="other"):
    pass


class Pair(msgspec.Struct, array_like=True, frozen=True):
    price: Decimal
    text: str


class TaggedPair(msgspec.Struct, array_like=True, frozen=True, tag="pair"):
    price: Decimal


class Arrays(msgspec.Struct, frozen=True):
    pair: Pair
    tagged: TaggedPair


READER: Reader[Any] = Reader(Row | Other)
NUMBER: Reader[Decimal] = Reader(Decimal)
LITERAL: Reader[Decimal] = Reader(Decimal, literals=True)


def row(**fields: Any) -> bytes:
    return json.dumps({"type": "row"} | fields).encode()


@pytest.mark.parametrize(
    "text", ["0", "0.00000000", "-1.50", "1e-7", "12345678901234567890.10", "+1", ".5", "5."]
)
def test_plain_number_keeps_every_digit(text: str) -> None:
    assert READER.read(row(price=text)).price == Decimal(text)
    assert Decimal(text).as_tuple() == NUMBER.read(f'"{text}"'.encode()).as_tuple()


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "-nan",
        "sNaN",
        "nan123",
        "Infinity",
        "-inf",
        "1_000",
        "_1",
        "1_",
        " 1",
        "1 ",
        "\t1",
        "\u0661",
        "\uff11",
        "1\u00a0",
    ],
)
def test_text_that_only_a_lenient_reader_takes_is_refused_with_its_place(text: str) -> None:
    for frame in (row(price=text), json.dumps({"type": "row", "price": text}, ensure_ascii=False).encode()):
        with pytest.raises(BadFrame) as caught:
            READER.read(frame)
        assert "at $.price" in caught.value.reason


@pytest.mark.parametrize(
    "text", ["1e65", "1e-65", "1e400", "1e999999999", "1" + "0" * 65, "0." + "0" * 65 + "1"]
)
def test_number_beyond_all_sense_is_refused(text: str) -> None:
    with pytest.raises(BadFrame, match=r"out of range at \$\.levels\[1\]\[0\]"):
        READER.read(row(levels=[["1", "2"], [text, "2"]]))
    with pytest.raises(BadFrame, match="out of range"):
        LITERAL.read(text.encode())


def test_largest_sane_numbers_pass() -> None:
    assert READER.read(row(price="1e64")).price == Decimal("1e64")
    assert READER.read(row(price="1e-64")).price == Decimal("1e-64")


def test_blanks_pass_where_the_venue_writes_them_and_nowhere_else() -> None:
    assert READER.read(row(loose=" 0.00000001")).loose == Decimal("0.00000001")
    with pytest.raises(BadFrame, match=r"not a plain number at \$\.loose: ' 1_0'"):
        READER.read(row(loose=" 1_0"))


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (b"", "truncated"),
        (b"{", "truncated"),
        (b'{"type":"row",}', r"trailing comma in object \(byte 14\)"),
        (b'{"type":"row"}x', "trailing characters"),
        (b"\xff\xfe", "malformed"),
        (b'{"type":"row","price":"\xff"}', "not UTF-8"),
        (b'{"type":"row","x":' + b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b"[]", r"Expected `object`, got `array` at \$"),
        (b"{}", r"missing required field `type` at \$"),
        (b'{"type":"line"}', r"Invalid value 'line' at \$\.type: 'line'"),
        (b'{"type":"row","price":"0.-10000"}', r"Invalid decimal string at \$\.price: '0\.-10000'"),
        (b'{"type":"row","price":"' + b"x" * 100 + b'"}', r"at \$\.price: 'x{59}\.\.\.$"),
        (b'{"type":"row","levels":[["1"]]}', r"`array` of length 2 at \$\.levels\[0\]$"),
        (b'{"type":"row","by_name":{"a":"b"}}', r"Invalid decimal string at \$\.by_name\[\.\.\.\]"),
        (b'{"type":"row","price":NaN}', "malformed"),
        (b'{"type":"row","price":true}', r"got `bool` at \$\.price: True"),
        (b'{"type":"row","count":1.0}', r"got `float` at \$\.count: 1.0"),
        (b'{"type":"row","count":-1}', r">= 0 at \$\.count"),
        (b'{"type":"row","count":9223372036854775808}', r"<= 9223372036854775807 at \$\.count"),
        (b'{"type":"row","time":"2026-01-01T00:00:00"}', r"timezone component at \$\.time"),
    ],
)
def test_broken_frame_is_refused_with_what_and_where(frame: bytes, words: str) -> None:
    with pytest.raises(BadFrame, match=words) as caught:
        READER.read(frame)
    assert "\n" not in caught.value.reason
    assert str(caught.value) == caught.value.reason


@pytest.mark.parametrize("frame", [b"", b"\xff", b"[" * 100_000, b'"\xff"'])
def test_builtins_refuses_what_is_not_json(frame: bytes) -> None:
    with pytest.raises(BadFrame):
        builtins(frame)


def test_numbers_are_compared_wherever_they_stand() -> None:
    for fields, place in (
        ({"levels": [["1", "1_0"]]}, r"\$\.levels\[0\]\[1\]"),
        ({"by_name": {"a": "1", "b": "1_0"}}, r"\$\.by_name\.b"),
    ):
        with pytest.raises(BadFrame, match=place):
            READER.read(row(**fields))
    arrays: Reader[Arrays] = Reader(Arrays)
    assert arrays.read(b'{"pair":["1","\\u0041"],"tagged":["pair","2"]}').pair == Pair(Decimal(1), "A")
    with pytest.raises(BadFrame, match=r"\$\.pair\[0\]"):
        arrays.read(b'{"pair":["1_0","a"],"tagged":["pair","2"]}')
    with pytest.raises(BadFrame, match=r"\$\.tagged\[1\]"):
        arrays.read(b'{"pair":["1","a"],"tagged":["pair"," 2"]}')


def test_fields_that_were_not_sent_are_not_compared() -> None:
    check_numbers(Row(price=Decimal("NaN")), {"type": "row"})
    check_numbers("text", 5)


NUMERIC = st.text(st.sampled_from("0123456789._+-eE NaInfsy"), max_size=12) | st.text(
    st.sampled_from("0123456789"), min_size=60, max_size=80
)


NUMBER_WORDS = st.sampled_from(["nan", "snan", "inf", "infinity", "e", ""])
GLUE = st.text(st.sampled_from("_ 0123456789+-."), max_size=2)


@st.composite
def odd_numbers(draw: st.DrawFn) -> str:
    """Words that mean numbers, in any case, with whatever may stand between their letters."""
    letters = draw(NUMBER_WORDS)
    cased = [letter.upper() if draw(st.booleans()) else letter for letter in letters]
    return draw(GLUE) + "".join(letter + draw(GLUE) for letter in cased)


@given(odd_numbers(), st.sampled_from(['{{"a":"{}"}}', '["{}"]', '{{"e":["state","{}"],"sa":1}}', '"{}"']))
@example("s_N_a_N_1_2", '"{}"')
@example("_-I_n_F_i_N_i_T_y_", '"{}"')
@example("1_e_5", '"{}"')
@example(" 1", '"{}"')
def test_every_word_that_means_a_number_is_looked_at(text: str, form: str) -> None:
    try:
        Decimal(text)
    except InvalidOperation:
        return
    plain = not set(text) - set("0123456789.+-")
    assert plain or suspicious(form.format(text).encode())


@given(NUMERIC, st.sampled_from(['{{"a":"{}"}}', '["{}"]', '{{"e":["x","{}"],"b":1}}', '"{}"']))
@example("1e65", '"{}"')
@example("1e_6", '["{}"]')
def test_no_suspicion_means_that_every_number_is_plain(text: str, form: str) -> None:
    frame = form.format(text).encode()
    try:
        number = Decimal(text)
    except InvalidOperation:
        return
    plain = not set(text) - set("0123456789.+-eE") and number.is_finite()
    sane = plain and abs(number.adjusted()) <= MAX_ADJUSTED
    assert sane or suspicious(frame)


@given(st.integers(-(10**80), 10**80) | st.decimals(allow_nan=False, allow_infinity=False, places=5))
@example(Decimal("1e70"))
def test_no_suspicion_means_that_every_literal_is_sane(number: int | Decimal) -> None:
    for frame in (f"{number}", f"[{number}]", f'{{"a":{number}}}', f'{{"a":[1,{number},2]}}'):
        assert abs(Decimal(number).adjusted()) <= MAX_ADJUSTED or suspicious(frame.encode(), literals=True)


def outcome(reader: Reader[Any], frame: bytes) -> object:
    try:
        return reader.read(frame)
    except BadFrame as bad:
        return bad.reason


PLAIN = st.from_regex(r"[0-9]{1,70}(\.[0-9]{0,70})?", fullmatch=True)
TEXTS = st.one_of(PLAIN, PLAIN, NUMERIC, odd_numbers())
FORMS = (
    '{{"type":"row","price":"{}"}}', '{{"type":"row","price":{}}}', '{{"type":"row","levels":[["{}","1"],["2","{}"]]}}',
    '{{"type":"row","by_name":{{"e":"{}"}}}}', '{{"type":"other","x":"{}"}}', '{{"type":"row","more":{},"price":"{}"}}',
)  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(FORMS), TEXTS, TEXTS), min_size=2, max_size=8))
@example([(FORMS[0], "1.5", ""), (FORMS[0], "1e5", ""), (FORMS[0], "NaN", ""), (FORMS[0], "1" * 66, "")])
@example([(FORMS[1], "15", ""), (FORMS[1], "1e65", ""), (FORMS[1], "1" * 66, "")])
@example([(FORMS[5], "1", "1"), (FORMS[5], "true", "1"), (FORMS[5], "1", "e"), (FORMS[5], "1e99", "1")])
def test_what_a_reader_has_read_before_changes_nothing_in_what_it_lets_pass(
    read: list[tuple[str, str, str]],
) -> None:
    experienced: Reader[Any] = Reader(Row | Other, literals=True)
    longest = 0
    for form, one, two in read:
        frame = form.format(one, two).encode()
        found, afresh = outcome(experienced, frame), outcome(Reader(Row | Other, literals=True), frame)
        displacing = re.search(rb"[0-9.]{64}", frame) is not None and len(frame) <= longest + 16
        assert found == afresh or (displacing and not isinstance(found, str))
        longest = max(longest, len(frame))


@given(st.integers(1, 63), st.integers(66, 200))
def test_a_number_that_grows_absurd_is_found(usual: int, absurd: int) -> None:
    reader: Reader[Any] = Reader(Row | Other)
    for digits in (1, usual, usual):
        assert isinstance(outcome(reader, f'{{"type":"row","price":"{"1" * digits}"}}'.encode()), Row)
    refused = outcome(reader, f'{{"type":"row","price":"{"1" * absurd}"}}'.encode())
    assert isinstance(refused, str)
    assert "out of range" in refused


@given(st.integers(64, 10_000), st.integers(66, 10_000))
def test_a_long_text_makes_no_room_for_an_absurd_number(text: int, absurd: int) -> None:
    reader: Reader[Any] = Reader(Row | Other)
    assert isinstance(outcome(reader, f'{{"type":"row","price":"1","note":"{"x" * text}"}}'.encode()), Row)
    refused = outcome(reader, f'{{"type":"row","price":"{"1" * absurd}","note":""}}'.encode())
    assert isinstance(refused, str)
    assert "out of range" in refused


BROKEN = (
    '{"type":"row"',
    ',"price":"1"}',
    "{}\n{}",
    '5{"type":"row"}',
    '{"type":"row"}{"type":"row"}',
    '{"type":"row"} ',
    "",
)


@given(
    st.lists(st.tuples(st.sampled_from(FORMS), TEXTS, TEXTS), min_size=1, max_size=8),
    st.lists(st.integers(0, 7), max_size=12),
    st.lists(st.tuples(st.integers(0, 12), st.sampled_from(BROKEN)), max_size=3),
)
def test_frames_read_at_once_are_what_each_of_them_is(
    read: list[tuple[str, str, str]], order: list[int], broken: list[tuple[int, str]]
) -> None:
    reader: Reader[Any] = Reader(Row | Other, literals=True)
    known = [form.format(one, two).encode() for form, one, two in read]
    alone = [outcome(reader, frame) for frame in known]
    picked = [place % len(known) for place in order]
    frames = [known[place] for place in picked]
    for place, text in broken:
        frames.insert(place, text.encode())
    together = reader.read_many(frames)
    assert together is None or together == [alone[place] for place in picked]
    assert together is None or not broken


def test_frames_like_those_before_are_read_at_once() -> None:
    reader: Reader[Any] = Reader(Row | Other)
    frames = [row(price=f"1.{n}") for n in range(20)]
    assert reader.read_many(frames) is None
    first = reader.read(frames[0])
    assert reader.read_many(frames) == [first, *map(reader.read, frames[1:])]
    assert reader.read_many([*frames, row(price="1" * 66)]) is None
    assert reader.read_many([*frames, row(price="NaN")]) is None
    assert reader.read_many([*frames, row(price=1)]) is None


def test_what_a_reader_remembers_is_bounded() -> None:
    reader: Reader[Any] = Reader(Other)
    for number in range(3000):
        key = f"{number:b}".replace("0", "in").replace("1", "ie")
        reader.read(json.dumps({"type": "other", key: 1}).encode())
    reader.read(json.dumps({"type": "other", "ie" * 300: 1}).encode())
    kept = reader._lengths
    assert 0 < len(kept) <= 1024
    assert max(map(len, kept)) <= 512


@pytest.mark.parametrize(
    "frame",
    [
        b'{"type":"match","trade_id":1,"maker_order_id":"f07e510f-4edf-469d-b844-4f670f1e93f1","price":"80691.53"}',
        b'{"volume_24h":"10973.39542777","side":"sell","time":"2026-09-04T00:21:02.905270Z"}',
        b'{"changes":[["buy","80688.08","0.59153273"],["sell","80745.16","0.00"]]}',
        b'{"rate":"246401.02","state":{"ra":"246401.02","ca":"0.0123","sa":"0.0123","pa":"0.0123","co":1}}',
        b'{"a":"1","n":"2","sn":"3","in":"4","fin":"5","tiny":"6","easy":"7","ninety":"8","":"9"}',
    ],
)
def test_usual_frames_are_not_looked_at_twice(frame: bytes) -> None:
    assert not suspicious(frame)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (None, None),
        (datetime(1, 1, 1, tzinfo=UTC), None),
        (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=9))), None),
        (datetime(1970, 1, 1, tzinfo=UTC), 0),
        (datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), -1_000),
        (datetime(2026, 8, 25, 3, 35, 57, 198_335, tzinfo=UTC), 1_787_628_957_198_335_000),
        (
            datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone(timedelta(hours=-9))),
            253_402_333_199_000_000_000,
        ),
    ],
)
def test_time_becomes_nanoseconds_exactly(moment: datetime | None, expected: int | None) -> None:
    assert epoch_ns(moment) == expected


@given(st.integers(-(10**17), 10**17))
def test_no_microsecond_is_lost(microseconds: int) -> None:
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    except OverflowError:
        return
    assert moment.year == 1 or epoch_ns(moment) == microseconds * 1000


def test_decimal_seconds_become_nanoseconds_exactly() -> None:
    assert seconds_ns(Decimal("1483736448.299000")) == 1_483_736_448_299_000_000
    assert seconds_ns(Decimal("1483736448.123456789")) == 1_483_736_448_123_456_789
    assert seconds_ns(Decimal("1483736448.1234567899")) == 1_483_736_448_123_456_789
    assert seconds_ns(Decimal(10**40)) == 10**49


# JSON lines.

PRICE = Decimal("80691.5300")


def test_line_starts_with_the_name_and_has_exact_texts_and_no_none() -> None:
    trade = events.Trade(
        venue="coinbase", instrument="BTC-USD", received_ns=5, price=PRICE, size=Decimal("1E-8"), raw=b"{}"
    )
    line = to_json_line(trade)
    assert line == (
        '{"event":"Trade","venue":"coinbase","instrument":"BTC-USD","received_ns":5,"raw":"{}",'
        '"price":"80691.5300","size":"0.00000001"}'
    )
    assert from_json_line(line) == trade
    assert from_json_line(line.encode()) == trade


def test_native_message_is_printed_under_its_wire_names() -> None:
    message = Row(
        price=Decimal("0E-8"),
        levels=((PRICE, Decimal(1)),),
        by_name={"a": Decimal("1e-7")},
        time=datetime(2026, 8, 25, 3, 35, 57, 198_335, tzinfo=UTC),
        received_ns=7,
        raw=b"\xff",
    )
    assert json.loads(to_json_line(message, "toy.Row")) == {
        "event": "toy.Row",
        "type": "row",
        "price": "0.00000000",
        "levels": [["80691.5300", "1"]],
        "by_name": {"a": "0.0000001"},
        "time": "2026-08-25T03:35:57.198335Z",
        "received_ns": 7,
        "raw": {"base64": "/w=="},
    }
    assert to_json_line(message).startswith('{"event":"Row"')


def test_users_hooks_register_at_the_converter() -> None:
    converter = json_converter()
    converter.register_unstructure_hook(Decimal, lambda number: f"{number:.1f}")
    trade = events.Trade(venue="v", instrument="i", received_ns=5, price=PRICE, size=Decimal(1))
    assert json.loads(to_json_line(trade, converter=converter))["price"] == "80691.5"


class Prints(Topic[Event], frozen=True):
    latest: ClassVar[bool] = True
    instrument: str


def test_notice_keeps_its_topic() -> None:
    gap = events.Gap(venue="v", received_ns=1, topic=Books("BTC-USD", 5), reason="lost", missed=3)
    assert from_json_line(to_json_line(gap)) == gap
    assert json.loads(to_json_line(gap))["topic"] == {"name": "Books", "instrument": "BTC-USD", "depth": 5}
    own = events.Gap(venue="v", received_ns=1, topic=Prints("BTC-USD"), reason="lost")
    assert from_json_line(to_json_line(own), {"prints": Prints}) == own
    with pytest.raises(BadFrame, match=r"unknown topic at \$\.topic\.name: 'Prints'"):
        from_json_line(to_json_line(own))


@pytest.mark.parametrize("frame", [b"text", b"\xff\xfe", "Ξ".encode(), b""])
def test_malformed_keeps_its_frame_whatever_its_bytes(frame: bytes) -> None:
    notice = events.Malformed(venue="v", received_ns=1, topic=Trades("A"), reason="no", frame=frame)
    assert from_json_line(to_json_line(notice)) == notice


numbers = st.decimals(
    allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30
) | st.builds(
    lambda digits, exponent: Decimal((0, tuple(digits), exponent)),
    st.lists(st.integers(0, 9), min_size=1, max_size=20),
    st.integers(-40, 40),
)
KINDS = [
    kind
    for kind in vars(events).values()
    if isinstance(kind, type)
    and issubclass(kind, events.MarketEvent | events.Notice)
    and kind not in {events.MarketEvent, events.Notice}
]


WORDS = "buy", "maker", "bid", "match"
"""One word of each choice that a field may offer."""


words = st.text(st.characters(codec="utf-8"), max_size=5)
orders = st.tuples(numbers, numbers, words)
differences = st.builds(events.LevelDifference, st.sampled_from(["bid", "ask"]), numbers, numbers, numbers)


@st.composite
def any_event(draw: st.DrawFn) -> events.MarketEvent | events.Notice:
    kind = draw(st.sampled_from(KINDS))
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        hint = str(field.type)
        if not field.required and draw(st.booleans()):
            continue
        if field.name == "topic":
            values[field.name] = draw(st.sampled_from([None, Trades("A"), Books("B", 5)]))
        elif field.name in {"bids", "asks"}:
            entries = orders if kind is events.OrderBookSnapshot else st.tuples(numbers, numbers)
            values[field.name] = tuple(draw(st.lists(entries, max_size=3)))
        elif field.name == "differences":
            values[field.name] = tuple(draw(st.lists(differences, max_size=3)))
        elif "Literal" in hint:
            values[field.name] = next(word for word in WORDS if repr(word) in hint)
        elif "Decimal" in hint:
            values[field.name] = draw(numbers)
        elif "bytes" in hint:
            values[field.name] = draw(st.binary(max_size=5))
        elif "bool" in hint:
            values[field.name] = draw(st.booleans())
        elif "float" in hint:
            values[field.name] = draw(st.floats(allow_nan=False, allow_infinity=False))
        elif "int" in hint:
            values[field.name] = draw(st.integers(-(2**63), 2**63 - 1))
        else:
            values[field.name] = draw(words)
    return kind(**values)


def exact(value: Any) -> Any:
    """The value with decimals as their parts, so that 1.0 and 1.00 differ."""
    if isinstance(value, Decimal):
        return value.as_tuple()
    if isinstance(value, tuple):
        return tuple(exact(item) for item in value)
    if isinstance(value, Event):
        return type(value), {name: exact(getattr(value, name)) for name in value.__struct_fields__}
    return value


@given(any_event())
def test_every_event_comes_back_equal_in_every_digit(event: events.MarketEvent | events.Notice) -> None:
    line = to_json_line(event)
    assert "\n" not in line
    assert json.loads(line)["event"] == type(event).__name__
    assert exact(from_json_line(line)) == exact(event)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "truncated"),
        ("[]", r"JSON object, not \[\]"),
        ("{}", r"at \$\.event"),
        ('{"event":"Row"}', r"at \$\.event"),
        ('{"event":["Trade"]}', r"at \$\.event"),
        ('{"event":"Trade"}', "missing required field"),
        (
            '{"event":"Trade","venue":"v","instrument":"i","received_ns":1,"price":"1_0","size":"1"}',
            r"\$\.price",
        ),
        (
            '{"event":"Trade","venue":"v","instrument":"i","received_ns":1,"price":"x","size":"1"}',
            r"\$\.price",
        ),
        ('{"event":"Malformed","venue":"v","received_ns":1,"reason":"","frame":{"base64":"?"}}', "base64"),
        ('{"event":"Malformed","venue":"v","received_ns":1,"reason":"","frame":{}}', "base64"),
        ('{"event":"Malformed","venue":"v","received_ns":1,"reason":"","frame":5}', "not 5"),
        ('{"event":"Gap","venue":"v","received_ns":1,"reason":"","topic":{"name":"Books"}}', "instrument"),
    ],
)
def test_line_that_is_no_event_is_refused(line: str, words: str) -> None:
    with pytest.raises(BadFrame, match=words):
        from_json_line(line)


def test_digits_beyond_the_guard_are_printed_with_an_exponent() -> None:
    ticker = events.Ticker(
        venue="v", instrument="i", received_ns=1, last=Decimal("1E+3"), bid=Decimal("1E-400")
    )
    line = json.loads(to_json_line(ticker))
    assert (line["last"], line["bid"]) == ("1E+3", "1E-400")
    nothing = events.Ticker(venue="v", instrument="i", received_ns=1, last=Decimal("NaN"))
    assert json.loads(to_json_line(nothing))["last"] == "NaN"
