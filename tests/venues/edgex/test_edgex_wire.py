"""Texts to values: rows, levels, channel names, requests, errors, version chains, remembered trades."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.venues.edgex.feed import BTC, compact, order
from trioquotes._protocol.codec import BadFrame
from trioquotes._protocol.effects import WireChannel
from trioquotes._protocol.sequence import OK
from trioquotes.venues.edgex.chain import CUSTOM, MOST, OLD_IN_A_ROW, STALE_IN_A_ROW, Chain, Link, Rule
from trioquotes.venues.edgex.channels import DEPTHS, INTERVALS, OF_ALL, PRICE_TYPES, channel_of, text_of
from trioquotes.venues.edgex.history import REMEMBERED, RecentTrades
from trioquotes.venues.edgex.messages import ErrorContent, Trade
from trioquotes.venues.edgex.private import Groups
from trioquotes.venues.edgex.readers import ERROR, FRAME, ROWS, read_trade_event, to_depth
from trioquotes.venues.edgex.requests import Refusal, echo, ping, read_refusal, subscription

# Channels.

CHANNELS = [
    WireChannel("metadata"),
    *(WireChannel(name) for name in sorted(OF_ALL)),
    *(WireChannel(name, BTC) for name in ("ticker", "trades", "fundingRate", "bookTicker")),
    *(WireChannel("depth", BTC, str(level)) for level in DEPTHS),
    *(WireChannel("kline", BTC, f"{price}.{interval}") for price in PRICE_TYPES for interval in INTERVALS),
]


@pytest.mark.parametrize("channel", CHANNELS, ids=str)
def test_a_channel_is_its_text_and_back(channel: WireChannel) -> None:
    assert channel_of(text_of(channel)) == channel


def test_texts_are_those_of_the_reference_page() -> None:
    assert (
        text_of(WireChannel("kline", "10000001", "LAST_PRICE.MINUTE_1"))
        == "kline.LAST_PRICE.10000001.MINUTE_1"
    )
    assert text_of(WireChannel("depth", "10000001", "15")) == "depth.10000001.15"
    assert text_of(WireChannel("ticker.all.1s")) == "ticker.all.1s"
    assert text_of(WireChannel("trades", "10000001")) == "trades.10000001"


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "ticker", "ticker.", "ticker.BTC", "ticker.all.2s", "depth.30000001", "depth.30000001.50",
        "depth.30000001.15\n", "depth.30000001.15.15", "kline.30000001.MINUTE_1", "kline.last.30000001.MINUTE_1",
        "trade.30000001", "trades.\u0663\u0660\u0660\u0660", "trade-event", "pong", "invalid.channel", "ticker.03000000",
    ],
)  # fmt: skip
def test_what_is_no_channel_is_none(text: str) -> None:
    assert channel_of(text) is None


@given(st.text(max_size=30))
def test_no_text_that_is_no_channel_becomes_one(text: str) -> None:
    channel = channel_of(text)
    assert channel is None or text_of(channel) == text


# Requests.


def test_requests_are_those_of_the_reference_page() -> None:
    channel = WireChannel("ticker", "10000001")
    assert json.loads(subscription("subscribe", channel)) == {
        "type": "subscribe",
        "channel": "ticker.10000001",
    }
    assert json.loads(subscription("unsubscribe", channel)) == {
        "type": "unsubscribe",
        "channel": "ticker.10000001",
    }
    assert json.loads(ping(1693208170000)) == {"type": "ping", "time": "1693208170000"}


@pytest.mark.parametrize("time", [b'"1693208170000"', b"1693208170000", b"1.5", b'""', b'"any text"'])
def test_a_pong_repeats_the_time_as_it_came(time: bytes) -> None:
    answer = echo(time)
    assert answer == b'{"type":"pong","time":' + time + b"}"
    json.loads(answer)


@pytest.mark.parametrize(
    "time", [b"", b"null", b"{}", b"[1]", b'"\xff"', b'"\\u0041"', b'"' + b"x" * 41 + b'"', b"1" * 41]
)
def test_nothing_else_is_sent_back(time: bytes) -> None:
    with pytest.raises(BadFrame, match=r"\$\.time"):
        echo(time)


# Errors.

A, B = WireChannel("trades", "30000001"), WireChannel("depth", "30000002", "15")


def refusal(
    code: str = "GATEWAY_INVALID_CONTRACT_ID",
    msg: str | None = "invalid contractId : 30000002",
    *,
    request: str | None = None,
    channel: str | None = None,
    pending: tuple[WireChannel, ...] = (A, B),
) -> Refusal:
    return read_refusal(ErrorContent(code=code, msg=msg), request, channel, pending)


def test_the_repeated_request_tells_who_is_refused() -> None:
    found = refusal(request=compact({"type": "subscribe", "channel": "trades.30000001"}))
    assert found.blamed == (A,)
    assert found.text == "GATEWAY_INVALID_CONTRACT_ID: invalid contractId : 30000002"
    assert found.kind == "refused"


def test_a_refused_unsubscribe_refuses_no_subscription() -> None:
    found = refusal(request=compact({"type": "unsubscribe", "channel": "trades.30000001"}))
    assert (found.blamed, found.unsubscribed) == ((), A)


@pytest.mark.parametrize(
    "request_", [compact({"type": "pong", "time": "1"}), compact({"channel": 7}), '{"channel":"x.y"}']
)
def test_a_request_that_asks_for_nothing_blames_nobody(request_: str) -> None:
    assert refusal(request=request_).blamed == ()


def test_the_frames_own_channel_counts_where_no_request_is_repeated() -> None:
    assert refusal(channel="trades.30000001").blamed == (A,)


@pytest.mark.parametrize("request_", [None, "", "no JSON", "[]", "\ud800"])
def test_without_a_request_a_contract_in_the_words_tells(request_: str | None) -> None:
    assert refusal(request=request_).blamed == (B,)


def test_words_about_a_contract_that_nobody_asked_for_blame_nobody() -> None:
    assert refusal(msg="invalid contractId:100000001", pending=(A,)).blamed == ()


def test_words_that_name_nothing_blame_the_only_one_that_waits() -> None:
    assert refusal("UNRECOGNIZED_MESSAGE", "no", pending=(A,)).blamed == (A,)
    assert refusal("UNRECOGNIZED_MESSAGE", None, pending=(A, B)).blamed == ()
    assert refusal("", None, pending=()).text == "refused without a word"


@pytest.mark.parametrize(
    ("code", "msg", "kind"),
    [
        ("INVALID_CONTRACT_ID", "invalid contractId:1", "refused"),
        ("GATEWAY_INVALID_CONTRACT_ID", "invalid contractId:1", "refused"),
        ("INVALID_MESSAGE_TYPE", None, "refused"),
        ("GATEWAY_UNRECOGNIZED_MESSAGE", "unsupported private ws message", "refused"),
        ("GATEWAY_ERROR", "try again", "timeout"),
        ("X_GATEWAY_ERROR", None, "timeout"),
        ("INVALID_SIGNATURE", None, "authentication"),
        ("AUTH", "Invalid API Key", "authentication"),
        ("AUTH", "Invalid Timestamp", "authentication"),
        ("TOO_MANY_REQUESTS", None, "timeout"),
    ],
)
def test_codes_are_compared_by_their_ends(code: str, msg: str | None, kind: str) -> None:
    assert refusal(code, msg).kind == kind


def test_the_fields_that_a_page_prints_as_null_are_taken() -> None:
    frame = FRAME.read(
        b'{"type":"error","channel":null,"request":"{\\"type\\":\\"subscribe\\",\\"channel\\":\\"invalid.channel\\"}",'
        b'"content":{"code":"INVALID_CONTRACT_ID","msg":"invalid contractId:100000001","details":null}}'
    )
    assert frame.channel is None
    assert ERROR.read(bytes(frame.content)).code == "INVALID_CONTRACT_ID"


# Rows.


def row(text: str, channel: str = "trades") -> str:
    return ROWS[channel].read(text.encode(), "$.content.data").complaint


def test_a_bad_row_costs_no_other() -> None:
    good = '{"ticketId":"1","contractId":"7","price":"1.50","size":"2","isBuyerMaker":true}'
    read = ROWS["trades"].read(
        f"[{good},{{}},{good.replace('1.50', 'NaN')},{good}]".encode(), "$.content.data"
    )
    assert [str(trade.price) for trade in read.rows] == ["1.50", "1.50"]
    assert read.reasons == (
        "Object missing required field `contractId` at $.content.data[1]",
        "not a plain number at $.content.data[2].price: 'NaN'",
    )


@pytest.mark.parametrize(
    "price", ['"1_0"', '" 1"', '""', '"1e400"', "1e400", "null", "[]", "true", '"\\u0661"']
)
def test_what_is_no_plain_number_is_refused(price: str) -> None:
    text = f'[{{"ticketId":"1","contractId":"7","price":{price},"size":"2","isBuyerMaker":true}}]'
    assert "$.content.data[0].price" in row(text)


@pytest.mark.parametrize("time", ['"1.5"', '"x"', '"-1"', '" 1"', '"9223372036854775808"', "1.5", '"01"'])
def test_what_is_no_time_is_refused(time: str) -> None:
    text = f'[{{"ticketId":"1","contractId":"7","price":"1","size":"2","isBuyerMaker":true,"time":{time}}}]'
    assert "$.content.data[0].time" in row(text)


@pytest.mark.parametrize("extra", [b'"\xff":1', b'"a":"\xff"'])
def test_what_stands_in_an_unknown_field_never_raises(extra: bytes) -> None:
    good = b'{"ticketId":"1","contractId":"7","price":"1","size":"2","isBuyerMaker":true,'
    read = ROWS["trades"].read(b"[" + good + extra + b"}," + good + b'"b":0.50}]', "$.content.data")
    assert len(read.rows) + len(read.reasons) == 2
    assert read.rows


def test_a_row_that_is_too_deep_spoils_the_frame() -> None:
    with pytest.raises(BadFrame, match="nested too deeply"):
        row('[{"a":' + "[" * 50_000 + "]" * 50_000 + "}]")


def test_an_integer_may_be_a_text_or_a_number() -> None:
    text = '[{"ticketId":"1","contractId":"7","price":1.50,"size":"2","isBuyerMaker":true,"time":%s}]'
    for time in ('"1790585548197"', "1790585548197"):
        (trade,) = ROWS["trades"].read((text % time).encode(), "$").rows
        assert trade.time == 1790585548197
        assert str(trade.price) == "1.50"


@pytest.mark.parametrize("data", ["null", "{}", '"x"', "7"])
def test_data_that_is_no_array_is_refused(data: str) -> None:
    with pytest.raises(BadFrame, match=r"Expected `array`, got .* at \$\.content\.data"):
        row(data)


def test_many_reasons_are_cut() -> None:
    assert row("[" + ",".join(["{}"] * 100) + "]").count("missing") == 10


def test_floats_in_open_objects_stay_exact() -> None:
    (metadata,) = ROWS["metadata"].read(b'[{"global":{"a":0.1,"b":[1.10]}}]', "$").rows
    assert metadata.global_ == {"a": Decimal("0.1"), "b": [Decimal("1.10")]}
    assert str(metadata.global_["b"][0]) == "1.10"


def test_metadata_have_two_names_for_everything() -> None:
    for names in (("coinList", "contractList"), ("coin", "contract")):
        text = compact([{names[0]: [{"coinId": "1"}], names[1]: [{"contractId": "7"}]}])
        (metadata,) = ROWS["metadata"].read(text.encode(), "$").rows
        assert [coin.coin_id for coin in metadata.coins] == ["1"]
        assert [contract.contract_id for contract in metadata.contracts] == ["7"]


# Books.

BOOK = '[{"startVersion":"8","endVersion":"9","level":15,"contractId":"7","asks":%s,"bids":%s}]'


@pytest.mark.parametrize(
    "asks", ['[{"price":"1.0","size":"0.50"},{"price":"2","size":"0"}]', '[["1.0","0.50"],["2","0"]]']
)
def test_levels_may_be_objects_or_pairs(asks: str) -> None:
    (wire,) = ROWS["depth"].read((BOOK % (asks, "[]")).encode(), "$").rows
    depth = to_depth(wire, 15)
    assert depth.asks == ((Decimal("1.0"), Decimal("0.50")), (Decimal(2), Decimal(0)))
    assert [str(size) for _, size in depth.asks] == ["0.50", "0"]
    assert (depth.start_version, depth.end_version, depth.bids) == (8, 9, ())


@pytest.mark.parametrize(
    "asks",
    [
        '[{"price":"1"}]',
        '[["1"]]',
        '[["1","2","3"]]',
        '["1"]',
        '[["1","NaN"]]',
        '[{"price":"1_0","size":"1"}]',
    ],
)
def test_what_is_no_level_spoils_the_row(asks: str) -> None:
    assert "$.content.data[0].asks[0]" in row(BOOK % (asks, "[]"), "depth")


@pytest.mark.parametrize(("asks", "bids"), [('[["1","-0.1"]]', "[]"), ("[]", '[{"price":"1","size":"-5"}]')])
def test_a_negative_size_is_an_error(asks: str, bids: str) -> None:
    (wire,) = ROWS["depth"].read((BOOK % (asks, bids)).encode(), "$").rows
    with pytest.raises(BadFrame, match="negative size"):
        to_depth(wire, 15)


def test_versions_that_run_backwards_are_an_error() -> None:
    (wire,) = ROWS["depth"].read((BOOK % ("[]", "[]")).replace('"9"', '"7"').encode(), "$").rows
    with pytest.raises(BadFrame, match="version 8 is said to end at 7"):
        to_depth(wire, 15)


@pytest.mark.parametrize("level", ["200", "14", "-1"])
def test_another_window_than_the_channels_is_an_error(level: str) -> None:
    (wire,) = (
        ROWS["depth"].read((BOOK % ("[]", "[]")).replace('"level":15', f'"level":{level}').encode(), "$").rows
    )
    with pytest.raises(BadFrame, match=f"a window of {level} levels a side where 15 were promised"):
        to_depth(wire, 15)


def test_a_window_may_be_left_unsaid() -> None:
    (wire,) = ROWS["depth"].read((BOOK % ("[]", "[]")).replace('"level":15,', "").encode(), "$").rows
    assert to_depth(wire, 15).level == 0


@pytest.mark.parametrize(
    ("side", "words"),
    [
        ("".join(f'["{price}","1"],' for price in range(1, 17)), "16 {} in a window of 15"),
        ('["1","1"],["1.0","0"],', "a price stands twice among the {}"),
        ('["0","1"],', "size 1 at price 0 of the {}"),
        ('["-1","1"],', "size 1 at price -1 of the {}"),
    ],
)
@pytest.mark.parametrize("name", ["asks", "bids"])
def test_what_no_side_of_a_snapshot_can_be_is_an_error(side: str, words: str, name: str) -> None:
    levels = f"[{side[:-1]}]"
    text = BOOK % ((levels, "[]") if name == "asks" else ("[]", levels))
    (wire,) = ROWS["depth"].read(text.replace("}", ',"depthType":"SNAPSHOT"}').encode(), "$").rows
    with pytest.raises(BadFrame, match=words.format(name)):
        to_depth(wire, 15)


def test_prices_that_go_and_come_may_be_many_in_a_change() -> None:
    levels = "".join(f'["{price}","{price % 2}"],' for price in range(1, 40)) + '["1","3"]'
    (wire,) = ROWS["depth"].read((BOOK % (f"[{levels}]", "[]")).encode(), "$").rows
    assert len(to_depth(wire, 15).asks) == 40


@pytest.mark.parametrize(
    ("data_type", "depth_type", "whole"),
    [
        ("Snapshot", "SNAPSHOT", True), ("snapshot", "", True), ("SNAPSHOT", "CHANGED", True), ("", "Snapshot", True),
        ("changed", "CHANGED", False), ("Changed", "", False), ("CHANGED", "Changed", False), ("", "", False),
    ],
)  # fmt: skip
def test_a_snapshot_is_known_in_any_case(data_type: str, depth_type: str, *, whole: bool) -> None:
    text = (BOOK % ("[]", "[]")).replace('"level":15', f'"level":15,"depthType":"{depth_type}"')
    (wire,) = ROWS["depth"].read(text.encode(), "$").rows
    depth = to_depth(wire, 15)
    assert msgspec.structs.replace(depth, data_type=data_type).is_snapshot is whole


# Version chains.


def walked(*steps: tuple[int, int] | int) -> list[Link | None]:
    """Snapshots are single numbers, changes pairs."""
    chain = Chain(Rule(), awaiting=True)
    said: list[Link | None] = []
    for step in steps:
        if isinstance(step, int):
            chain.snapshot(step)
            said.append(None)
        else:
            said.append(chain.change(*step))
    return said


def test_both_rules_of_the_next_version_are_taken() -> None:
    assert walked(104, (104, 280), (280, 281)) == [None, "take", "take"]  # as recorded
    assert walked(90595447, (90595448, 90595463)) == [None, "take"]  # as documented
    assert walked(104, (104, 110), (111, 120), (120, 121)) == [None, "take", "take", "take"]


def test_an_overlap_is_harmless_and_what_is_old_is_dropped() -> None:
    assert walked(104, (90, 104), (90, 103), (100, 110)) == [None, "stale", "stale", "take"]


def test_a_larger_jump_is_a_gap() -> None:
    assert walked(104, (106, 110)) == [None, "gap"]


def test_an_empty_update_advances_the_version() -> None:
    assert walked(8, (8, 9), (10, 11)) == [None, "take", "take"]


def test_nothing_counts_before_a_snapshot_that_is_awaited() -> None:
    assert walked((1, 2), 5, (5, 6)) == ["awaiting", None, "take"]


def test_a_captured_change_counts_without_a_snapshot() -> None:
    chain = Chain(Rule(), awaiting=False)
    assert [chain.change(7, 9), chain.change(9, 10), chain.change(13, 14)] == ["take", "take", "gap"]


def test_a_counter_that_started_again_is_noticed() -> None:
    chain = Chain(Rule(), awaiting=True)
    chain.snapshot(10**9)
    said = [chain.change(number, number + 1) for number in range(STALE_IN_A_ROW)]
    assert said == ["stale"] * (STALE_IN_A_ROW - 1) + ["gap"]


@given(st.integers(0, 10**12), st.lists(st.tuples(st.integers(0, 1), st.integers(0, 300)), max_size=30))
def test_a_chain_without_a_hole_is_taken_whole(first: int, spans: list[tuple[int, int]]) -> None:
    chain = Chain(Rule(), awaiting=True)
    chain.snapshot(first)
    end = first
    for rule, span in spans:
        start, end = end + rule, end + rule + span
        assert chain.change(start, end) == ("take" if rule or span else "stale")
        assert chain.last == end


@given(st.integers(0, 10**12), st.integers(2, 10**6), st.integers(0, 300))
def test_a_hole_is_always_seen(end: int, jump: int, span: int) -> None:
    chain = Chain(Rule(), awaiting=True)
    chain.snapshot(end)
    assert chain.change(end + jump, end + jump + span) == "gap"


def test_a_snapshot_that_is_behind_is_refused_until_it_is_clear_that_the_counter_started_again() -> None:
    chain = Chain(Rule(), awaiting=True)
    chain.snapshot(100)
    assert chain.change(100, 110) == "take"
    assert chain.snapshot(110)
    assert not chain.snapshot(109)
    chain.broken()
    assert chain.change(109, 112) == "awaiting"
    assert not chain.snapshot(111)
    assert chain.snapshot(112)
    assert [chain.snapshot(5) for _ in range(OLD_IN_A_ROW + 1)] == [False] * OLD_IN_A_ROW + [True]
    assert chain.change(5, 6) == "take"


def test_a_snapshot_has_to_have_the_change_that_showed_the_gap() -> None:
    chain = Chain(Rule(), awaiting=True)
    chain.snapshot(100)
    assert chain.change(110, 120) == "gap"
    chain.broken()
    assert [chain.snapshot(119), chain.snapshot(120)] == [False, True]


def test_once_the_counter_started_again_its_snapshot_is_taken() -> None:
    chain = Chain(Rule(), awaiting=True)
    chain.snapshot(10**9)
    while chain.change(1, 2) == "stale":
        pass
    chain.broken()
    assert chain.snapshot(2)


def from_snapshot(rule: Rule, end: int) -> Chain:
    chain = Chain(rule, awaiting=True)
    assert chain.snapshot(end)
    return chain


def test_a_single_lost_version_is_seen_once_changes_are_known_to_join() -> None:
    rule = Rule()
    book = from_snapshot(rule, 0)
    assert {book.change(number, number + 1) for number in range(CUSTOM + 1)} == {"take"}
    other = from_snapshot(rule, 50)
    assert other.change(51, 52) == "take"  # behind a snapshot it may be otherwise
    assert other.change(53, 54) == "gap"
    other = from_snapshot(rule, 54)
    assert [other.change(55, 56), other.change(57, 58)] == ["take", "take"]  # the rule may have changed


def test_behind_a_snapshot_the_rule_is_learned_apart() -> None:
    rule = Rule()
    for _ in range(CUSTOM):
        assert from_snapshot(rule, 7).change(7, 8) == "take"
    assert from_snapshot(rule, 7).change(8, 9) == "gap"
    assert from_snapshot(rule, 9).change(10, 11) == "take"


def test_a_rule_that_held_for_long_survives_what_was_lost() -> None:
    rule = Rule()
    book = from_snapshot(rule, 0)
    for number in range(1000):
        book.change(number, number + 1)
    for _ in range(MOST // CUSTOM):
        book = from_snapshot(rule, 0)
        assert [book.change(0, 1), book.change(2, 3)] == ["take", "gap"]
    book = from_snapshot(rule, 0)
    assert [book.change(0, 1), book.change(2, 3)] == ["take", "take"]


@given(st.lists(st.booleans(), max_size=200))
def test_a_server_without_a_rule_is_hardly_ever_held_to_one(joins: list[bool]) -> None:
    rule, end, gaps = Rule(), 0, 0
    book = from_snapshot(rule, 0)
    for join in joins:
        gap = book.change(end + (not join), end + 2) == "gap"
        end += 2
        if gap:
            gaps += 1
            book = from_snapshot(rule, end)
    assert gaps <= sum(joins) / CUSTOM


def test_changes_that_follow_on_teach_nothing_else() -> None:
    chain = Chain(Rule(), awaiting=True)
    chain.snapshot(0)
    assert {chain.change(number, number) for number in range(1, 40)} == {"take"}
    assert chain.change(41, 41) == "gap"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["change", "change", "change", "change", "snapshot", "passed", "broken"]),
            st.sampled_from([0, 0, 0, 1, 1, 2, -1, -4]),
            st.sampled_from([1, 1, 2, 5, 0, -3]),
        ),
        max_size=80,
    )
)
@example([("snapshot", 0, 0), *[("change", 0, 1)] * 12, ("snapshot", 0, 1), ("change", 1, 1)])
@example([("snapshot", 0, 0), *[("change", -1, 0)] * 30, ("change", 0, 40), *[("change", -1, 0)] * 30])
def test_a_change_that_plainly_follows_is_taken_as_any_other(said: list[tuple[str, int, int]]) -> None:
    plain, quick = (Chain(Rule(), awaiting=True) for _ in range(2))
    end = 100
    for kind, ahead, length in said:
        start, end = end + ahead, end + ahead + length
        match kind:
            case "change" if start <= end:
                taken = "take" if quick.follows(start, end) else quick.change(start, end)
                assert taken == plain.change(start, end)
            case "snapshot":
                assert quick.snapshot(end) == plain.snapshot(end)
            case "passed":
                quick.passed(end)
                plain.passed(end)
            case "broken":
                quick.broken()
                plain.broken()
        assert (quick.last, quick.awaiting) == (plain.last, plain.awaiting)
    assert not quick.follows(end + 2, end + 1)


# Remembered trades.


def traded(*tickets: str, first: int = 1000) -> list[Trade]:
    return [
        Trade(
            contract_id=BTC,
            ticket_id=ticket,
            time=first + number,
            price=Decimal(1),
            size=Decimal(1),
            is_buyer_maker=True,
        )
        for number, ticket in enumerate(tickets)
    ]


def test_the_first_history_says_nothing() -> None:
    assert RecentTrades().history(traded("a", "b")) is OK


def test_history_that_is_known_says_that_nothing_was_missed() -> None:
    recent = RecentTrades()
    recent.passed(traded("a", "b"))
    assert recent.history(traded("z", "a", "b", first=999)) is OK


@pytest.mark.parametrize("newest_first", [False, True])
def test_history_counts_what_was_missed(*, newest_first: bool) -> None:
    recent = RecentTrades()
    recent.passed(traded("a", "b"))
    rows = traded("a", "b", "c", "d")
    assert recent.history(rows[::-1] if newest_first else rows) == ("gap", 2)
    assert recent.history(rows) is OK


def test_history_that_does_not_reach_back_counts_nothing() -> None:
    recent = RecentTrades()
    recent.passed(traded("a", "b"))
    assert recent.history(traded("y", "z", first=2000)) == ("gap", None)


def test_history_without_trades_says_nothing() -> None:
    recent = RecentTrades()
    recent.passed(traded("a"))
    assert recent.history([]) is OK


def test_memory_is_bounded_to_the_newest() -> None:
    recent = RecentTrades()
    for number in range(3 * REMEMBERED):
        recent.passed(traded(str(number), first=number))
    assert len(recent._ids) == REMEMBERED
    assert str(3 * REMEMBERED - 1) in recent._ids


# The account.


def test_every_group_is_typed_and_an_unknown_one_passes() -> None:
    entries = {
        "account": {"id": 1}, "collateral": {"coinId": 1}, "collateralTransaction": {"id": 2}, "position": {"contractId": 7},
        "positionTransaction": {"id": "3"}, "deposit": {"id": 4}, "withdraw": {"id": 5}, "transferIn": {"id": 6},
        "transferOut": {"id": 7}, "order": {"id": 8}, "orderFillTransaction": {"id": 9, "orderId": 8}, "positionTermList": {},
    }  # fmt: skip
    data = {name: [entry] for name, entry in entries.items()} | {"novelty": [{"a": 0.10}], "flag": True}
    read = read_trade_event(json.dumps({"event": "ORDER_UPDATE", "data": data}).encode())
    assert read.entries == len(entries) + 2
    assert read.reasons == ()
    for field in Groups.__struct_fields__:
        if field != "others":
            (entry,) = getattr(read.message.data, field)
            assert type(entry).__module__.endswith("edgex.private")
    assert read.message.data.others == {"novelty": [{"a": Decimal("0.1")}], "flag": True}


def test_ids_keep_every_digit_and_their_type() -> None:
    content = json.dumps(
        {"event": "x", "data": {"order": [order("736936291735699983"), {"id": 724625476626153743}]}}
    )
    first, second = read_trade_event(content.encode()).message.data.order
    assert (first.id, second.id) == ("736936291735699983", 724625476626153743)


def test_a_bad_entry_costs_no_other() -> None:
    data: dict[str, Any] = {
        "order": [order(), {"status": "OPEN"}, order(price="NaN")],
        "position": {},
        "collateral": None,
    }
    read = read_trade_event(json.dumps({"event": "ORDER_UPDATE", "data": data}).encode())
    assert read.entries == 1
    assert [reason.partition(" at ")[2].partition(":")[0] for reason in read.reasons] == [
        "$.content.data.order[1]",
        "$.content.data.order[2].price",
        "$.content.data.position",
    ]


@pytest.mark.parametrize("content", ["null", "[]", "{}", '{"event":7}', '{"event":"x","data":[]}', ""])
def test_what_is_no_event_is_refused(content: str) -> None:
    with pytest.raises(BadFrame):
        read_trade_event(content.encode())


def test_an_event_without_data_is_one_of_no_entries() -> None:
    for content in ('{"event":"START_LIQUIDATING"}', '{"event":"START_LIQUIDATING","data":null}'):
        read = read_trade_event(content.encode())
        assert (read.entries, read.reasons, read.message.data) == (0, (), Groups())


def test_what_a_transaction_leaves_empty_was_not_said() -> None:
    row = {"id": "1", "deltaAmount": "-0.10", "fundingTime": "0", "fundingRate": "", "fundingIndexPrice": ""}
    data = {
        "collateralTransaction": [row, {**row, "fundingRate": "0.00005000"}],
        "positionTransaction": [row],
    }
    read = read_trade_event(json.dumps({"event": "ACCOUNT_UPDATE", "data": data}).encode())
    assert read.reasons == ()
    plain, funding = read.message.data.collateral_transaction
    assert (plain.funding_rate, plain.funding_index_price, plain.funding_oracle_price) == (None, None, None)
    assert str(plain.delta_amount) == "-0.10"
    assert str(funding.funding_rate) == "0.00005000"
    assert read.message.data.position_transaction[0].funding_rate is None


def test_an_empty_text_is_no_number_where_one_belongs_and_no_id() -> None:
    data: dict[str, Any] = {
        "order": [order(price="")],
        "collateralTransaction": [{"fundingRate": ""}, {"id": "1", "createdTime": "", "fundingRate": ""}],
    }
    read = read_trade_event(json.dumps({"event": "ORDER_UPDATE", "data": data}).encode())
    assert (read.entries, len(read.reasons)) == (0, 3)
