"""The talk about subscriptions: what is asked, and what every kind of answer leads to."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.venues.darwinex.quotes_feed import (
    TIME_MS,
    TOKEN,
    Feed,
    error,
    line,
    names,
    pong_to,
    quote,
    said,
    subscribed,
    unsubscribed,
)
from trioquotes._protocol.effects import Lane, Options, Send, Stamp, WireChannel
from trioquotes._protocol.lane import LaneState
from trioquotes.errors import SubscriptionRejected
from trioquotes.events import Malformed, Quote, Rejected, Throttled, Unknown
from trioquotes.topics import Quotes
from trioquotes.venues import darwinex
from trioquotes.venues.darwinex import VENUE, conversation
from trioquotes.venues.darwinex.requests import (
    MAX_FRAME_BYTES,
    MAX_PRODUCTS,
    PRODUCT,
    named_products,
    subscribe,
    unsubscribe,
)

NOT_VALID = "No active product found with the name {}"


def asked_names(frames: list[Any]) -> list[list[str]]:
    return [frame["productNames"] for frame in frames]


# Subscribing.


def test_first_quote_comes_from_the_acknowledgement_with_its_time() -> None:
    play, (box,) = line("DWC.4.20", extra=[])
    native = play.subscribe(darwinex.ProductQuotes("DWC.4.20"))
    assert said(play) == [{"op": "subscribe", "productNames": ["DWC.4.20"]}]
    play.server(subscribed(["DWC.4.20"]), quote(price="147.0500", time_ms=TIME_MS + 1))
    assert box.is_confirmed
    first, second = [event for event in box.take() if isinstance(event, Quote)]
    assert (first.price, first.venue_time_ns) == (Decimal("147.02"), TIME_MS * 1_000_000)
    assert (str(second.price), second.venue_time_ns) == ("147.0500", (TIME_MS + 1) * 1_000_000)
    assert (second.bid, second.ask, second.sequence, second.instrument) == (None, None, None, "DWC.4.20")
    messages = [event for event in native.take() if isinstance(event, darwinex.ProductQuote)]
    assert [(message.timestamp, str(message.quote)) for message in messages] == [
        (TIME_MS, "147.02"),
        (TIME_MS + 1, "147.0500"),
    ]


def test_lists_hold_a_hundred_names_and_one_is_in_flight() -> None:
    play, _ = line(*names(230))
    sizes = []
    while frames := asked_names(said(play)):
        assert len(frames) == 1
        sizes.append(len(frames[0]))
        play.server(subscribed(frames[0]))
    assert sizes == [100, 100, 30]


def test_warn_rejects_the_missing_and_them_alone() -> None:
    play, (good, bad, fine) = line("DWC.4.20", "BAD.4.20", "THA.4.12")
    play.writer()
    play.server(subscribed(["DWC.4.20", "THA.4.12"], "WARN"))
    assert (good.is_confirmed, fine.is_confirmed) == (True, True)
    assert isinstance(bad.error, SubscriptionRejected)
    assert "WARN" in bad.error.reason
    assert (good.error, fine.error) == (None, None)
    assert said(play) == []


def test_warn_about_all_rejects_all() -> None:
    play, boxes = line("DWC.4.20", "BAD.4.20")
    play.writer()
    play.server(subscribed([], "WARN"))
    assert all(isinstance(box.error, SubscriptionRejected) for box in boxes)


def test_warn_never_rejects_what_is_served() -> None:
    play, (early, bad) = line("DWC.4.20", "BAD.4.20")
    play.writer()
    play.server(quote())
    assert early.is_confirmed
    assert not bad.is_confirmed
    play.server(subscribed([], "WARN"))
    assert early.error is None
    assert bad.error is not None


def test_what_an_acknowledgement_leaves_out_without_a_warning_is_asked_for_again() -> None:
    play, (there, missing) = line("DWC.4.20", "THA.4.12")
    play.writer()
    play.server(subscribed(["DWC.4.20"]))
    assert there.is_confirmed
    (rejected,) = [event for event in missing.take() if isinstance(event, Rejected)]
    assert not rejected.final
    play.advance(1.5)
    assert asked_names(said(play)) == [["THA.4.12"]]
    play.server(subscribed(["THA.4.12"]))
    assert missing.is_confirmed


def test_late_acknowledgement_of_other_products_answers_nothing_else() -> None:
    play, (slow,) = line("DWC.4.20")
    play.writer()
    play.advance(10.0)
    other = play.subscribe(Quotes("THA.4.12"))
    assert asked_names(said(play)) == [["THA.4.12"]]
    play.server(subscribed(["DWC.4.20"]))
    assert slow.is_confirmed
    assert (other.error, other.is_confirmed) == (None, False)
    play.subscribe(Quotes("ENH.4.16"))
    assert said(play) == [], "its own answer is still to come"
    play.server(subscribed(["THA.4.12"]))
    assert other.is_confirmed


def test_request_without_an_answer_is_repeated_and_late_data_confirms() -> None:
    play, (box,) = line("DWC.4.20")
    play.writer()
    play.advance(12.0)
    assert asked_names(said(play)) == [["DWC.4.20"]]
    play.server(quote())
    assert box.is_confirmed


def test_product_without_a_quote_is_confirmed_and_no_event() -> None:
    play, (box,) = line("DWC.4.20")
    play.writer()
    play.server('{"op":"subscribed","status":"OK","products":[{"productName":"DWC.4.20","quote":null}]}')
    assert box.is_confirmed
    assert box.kinds() == ["Connected"]
    assert play.line().state.tally.count().ignored == {"no quote yet": 1}


# Unsubscribing.


def test_unsubscribing_names_the_products_and_late_quotes_are_ignored() -> None:
    play, boxes = line("DWC.4.20", "THA.4.12")
    play.writer()
    play.server(subscribed(["DWC.4.20", "THA.4.12"]))
    play.unsubscribe(boxes[0])
    assert said(play) == [{"op": "unsubscribe", "productNames": ["DWC.4.20"]}]
    play.server(quote(), unsubscribed(["DWC.4.20"]))
    count = play.line().state.tally.count()
    assert count.ignored == {"withdrawn": 1, "acknowledgement": 1}


def test_unsubscribing_from_all_is_one_request() -> None:
    some = names(230)
    play, boxes = line(*some)
    play.settle(Feed)
    for number in range(3):
        play.server(subscribed(some[100 * number : 100 * number + 100]))
        play.writer()
    for box in boxes:
        play.unsubscribe(box)
    assert said(play) == [{"op": "unsubscribeAll"}]
    again = play.subscribe(Quotes(some[0]))
    assert said(play) == [], "not before the answer"
    play.server(unsubscribed(some))
    assert asked_names(said(play)) == [[some[0]]]
    play.server(subscribed(some[:1]))
    assert again.is_confirmed


def test_product_that_is_being_withdrawn_is_asked_for_again_after_the_answer() -> None:
    play, boxes = line("DWC.4.20", "THA.4.12")
    play.writer()
    play.server(subscribed(["DWC.4.20", "THA.4.12"]))
    play.unsubscribe(boxes[0])
    play.writer()
    play.subscribe(Quotes("DWC.4.20"))
    other = play.subscribe(Quotes("ENH.4.16"))
    assert asked_names(said(play)) == [["ENH.4.16"]]
    play.server(subscribed(["ENH.4.16"]))
    assert other.is_confirmed
    assert said(play) == []
    play.server(unsubscribed(["DWC.4.20"]))
    assert asked_names(said(play)) == [["DWC.4.20"]]


def test_product_that_is_being_asked_for_is_withdrawn_after_the_answer() -> None:
    play, boxes = line("DWC.4.20", "THA.4.12")
    play.writer()
    play.unsubscribe(boxes[0])
    assert said(play) == []
    play.server(subscribed(["DWC.4.20", "THA.4.12"]))
    assert said(play) == [{"op": "unsubscribe", "productNames": ["DWC.4.20"]}]


def test_refused_withdrawal_is_repeated_without_the_product_to_blame() -> None:
    play, boxes = line("DWC.4.20", "THA.4.12", "ENH.4.16", "LVS.4.20")
    play.writer()
    play.server(subscribed(["DWC.4.20", "THA.4.12", "ENH.4.16", "LVS.4.20"]))
    for box in boxes[:3]:
        play.unsubscribe(box)
    assert asked_names(said(play)) == [["DWC.4.20", "ENH.4.16", "THA.4.12"]]
    play.server(error("PRODUCT_NOT_VALID", NOT_VALID.format("THA.4.12"), "unsubscribe"))
    wanted_again = play.subscribe(Quotes("ENH.4.16"))
    assert said(play) == [
        {"op": "unsubscribe", "productNames": ["DWC.4.20"]},
        {"op": "subscribe", "productNames": ["ENH.4.16"]},
    ]
    play.server(unsubscribed(["DWC.4.20"]), subscribed(["ENH.4.16"]))
    assert wanted_again.is_confirmed
    assert said(play) == []


def test_refused_withdrawal_that_blames_nobody_is_not_repeated() -> None:
    play, boxes = line("DWC.4.20", "THA.4.12", "ENH.4.16")
    play.writer()
    play.server(subscribed(["DWC.4.20", "THA.4.12", "ENH.4.16"]))
    for box in boxes[:2]:
        play.unsubscribe(box)
    play.writer()
    play.server(error("MESSAGE_NOT_RECOGNIZED", "Message {} is not recognized.", "unsubscribe"))
    assert said(play) == []
    assert "MESSAGE_NOT_RECOGNIZED" in play.line().state.last_error


# Errors.


def test_error_about_a_product_rejects_it_and_the_others_are_asked_for_again() -> None:
    play, (good, bad) = line("DWC.4.20", "BAD.4.20")
    play.writer()
    play.server(error("PRODUCT_NOT_VALID", NOT_VALID.format("BAD.4.20")))
    assert isinstance(bad.error, SubscriptionRejected)
    assert bad.error.reason == "PRODUCT_NOT_VALID: No active product found with the name BAD.4.20"
    assert said(play) == [], "the acknowledgement of the others may follow"
    play.advance(2.0)
    assert asked_names(said(play)) == [["DWC.4.20"]]
    play.server(subscribed(["DWC.4.20"]))
    assert good.is_confirmed
    assert not [event for event in good.take() if isinstance(event, Rejected)]


def test_errors_and_acknowledgement_of_one_request_need_no_second_one() -> None:
    play, boxes = line("DWC.4.20", "BAD.4.20", "EVL.4.20")
    play.writer()
    play.server(
        error("PRODUCT_NOT_VALID", NOT_VALID.format("BAD.4.20")),
        error("PRODUCT_NOT_VALID", NOT_VALID.format("EVL.4.20")),
        subscribed(["DWC.4.20"], "WARN"),
    )
    assert [box.error is None for box in boxes] == [True, False, False]
    play.advance(20.0)
    assert said(play) == []


def test_error_after_the_acknowledgement_spares_the_next_request() -> None:
    play, _ = line("DWC.4.20", "BAD.4.20")
    play.writer()
    play.server(subscribed(["DWC.4.20"], "WARN"))
    late = play.subscribe(Quotes("THA.4.12"))
    play.writer()
    play.server(error("PRODUCT_NOT_VALID", NOT_VALID.format("BAD.4.20")))
    assert late.error is None
    play.server(subscribed(["THA.4.12"]))
    assert late.is_confirmed


def test_error_about_the_only_product_leaves_nothing_to_ask() -> None:
    play, (box,) = line("BAD.4.20")
    play.writer()
    play.server(error("PRODUCT_NOT_VALID", NOT_VALID.format("BAD.4.20")))
    assert isinstance(box.error, SubscriptionRejected)
    play.advance(20.0)
    assert said(play) == []


def test_refusal_that_names_nobody_is_narrowed_down_by_halves() -> None:
    some = names(100)
    play, boxes = line(*some)
    requests = 0
    while frames := asked_names(said(play)):
        requests += len(frames)
        for frame in frames:
            if some[37] in frame:
                play.server(error("PRODUCT_NOT_VALID", "No active product found"))
            else:
                play.server(subscribed(frame))
    assert [box.topic.subject for box in boxes if box.error is not None] == [some[37]]
    assert all(box.is_confirmed for box in boxes if box.error is None)
    assert requests <= 16
    play.assert_polite()


def test_too_many_products_are_refused_as_a_limit() -> None:
    play, (box,) = line("DWC.4.20")
    play.writer()
    play.server(
        error("MAX_PRODUCT_SUBSCRIPTIONS_REACHED", "Not allowed to subscribe to more than 10.000 products.")
    )
    assert isinstance(box.error, SubscriptionRejected)
    assert "10.000" in box.error.reason


@pytest.mark.parametrize("op", [None, "", "subscribe"])
def test_unread_message_is_refused_where_it_must_be_ours(op: str | None) -> None:
    play, (box,) = line("DWC.4.20")
    play.writer()
    play.server(error("MESSAGE_NOT_RECOGNIZED", "Message {} is not recognized.", op))
    assert isinstance(box.error, SubscriptionRejected)


def test_error_that_may_answer_several_requests_is_said_and_blames_none() -> None:
    play, (box, _) = line("DWC.4.20", extra=[darwinex.Heartbeats()])
    assert len(play.writer()) == 2
    play.server(error("MESSAGE_NOT_RECOGNIZED", "Message {} is not recognized.", None))
    play.server(error("EMPTY_MESSAGE_RECEIVED", "Empty message received.", ""))
    play.server(error("", "", "somethingElse"))
    assert box.error is None
    assert play.line().state.last_error == "an error without words"
    assert play.line().state.tally.count().ignored == {"error": 3}


def test_unknown_code_is_a_refusal_in_the_venues_words() -> None:
    play, (box,) = line("DWC.4.20")
    play.writer()
    play.server('{"op":"error","opRequest":"subscribe","code":"NEW_CODE","msg":"of 2027","more":1}')
    assert isinstance(box.error, SubscriptionRejected)
    assert box.error.reason == "NEW_CODE: of 2027"


def test_error_nobody_waits_for_is_only_said() -> None:
    play, (box,) = line("DWC.4.20")
    play.server(error("PRODUCT_NOT_VALID", NOT_VALID.format("DWC.4.20")), unsubscribed([]))
    assert box.error is None
    assert asked_names(said(play)) == [["DWC.4.20"]]


def test_codes_compare_with_the_text_of_the_wire() -> None:
    assert {str(code) for code in darwinex.ErrorCode} == {
        "EMPTY_MESSAGE_RECEIVED",
        "MESSAGE_NOT_RECOGNIZED",
        "PRODUCT_NOT_VALID",
        "MAX_PRODUCT_SUBSCRIPTIONS_REACHED",
    }


def test_refusal_spares_what_is_served_already() -> None:
    play, (early, late) = line("DWC.4.20", "THA.4.12")
    play.writer()
    play.server(quote(), error("MESSAGE_NOT_RECOGNIZED", "Message {} is not recognized."))
    assert early.error is None
    assert isinstance(late.error, SubscriptionRejected)


def test_refused_withdrawal_from_all_is_not_repeated() -> None:
    play, boxes = line("DWC.4.20", "THA.4.12")
    play.writer()
    play.server(subscribed(["DWC.4.20", "THA.4.12"]))
    for box in boxes:
        play.unsubscribe(box)
    assert said(play) == [{"op": "unsubscribeAll"}]
    play.server(error("PRODUCT_NOT_VALID", NOT_VALID.format("THA.4.12"), "unsubscribeAll"))
    assert said(play) == []


# Heartbeats, pongs, and what needs no request of its own.


def test_heartbeats_are_confirmed_by_the_answer_to_a_ping() -> None:
    play, (box,) = line(extra=[darwinex.Heartbeats()])
    (ping,) = said(play)
    assert ping["op"] == "ping"
    play.server('{"op":"pong","timestamp":1,"msg":"of somebody else"}')
    assert not box.is_confirmed
    play.server(pong_to(ping))
    assert box.is_confirmed
    play.server('{"op":"hb","timestamp":7}')
    (beat,) = [event for event in box.take() if isinstance(event, darwinex.Heartbeat)]
    assert (beat.timestamp, beat.received_ns) == (7, play.receipt().wall_ns)
    play.unsubscribe(box)
    (ping,) = said(play)
    play.server('{"op":"hb","timestamp":8}', pong_to(ping))
    assert play.line().state.tally.count().ignored == {"pong": 3, "heartbeat": 1}
    assert said(play) == []


def test_heartbeat_confirms_where_the_pong_stays_away() -> None:
    play, (box,) = line(extra=[darwinex.Heartbeats()])
    play.writer()
    play.server('{"op":"hb","timestamp":7}')
    assert box.is_confirmed


def test_pongs_tell_the_latency_once_a_minute_while_somebody_listens() -> None:
    play, (box,) = line(extra=[darwinex.Pongs()])
    for _ in range(3):
        (ping,) = said(play)
        play.now_s += 0.25
        play.server(pong_to(ping))
        play.advance(59.75)
    pongs = [event for event in box.take() if isinstance(event, darwinex.Pong)]
    assert [pong.received_ns - int(pong.msg or 0) for pong in pongs] == [250_000_000] * 3
    play.unsubscribe(box)
    while frames := said(play):
        play.server(*map(pong_to, frames))
    play.advance(59.0)
    assert said(play) == []


@given(st.text())
def test_pong_with_any_text_is_read(text: str) -> None:
    play, _ = line("DWC.4.20")
    play.server(json.dumps({"op": "pong", "timestamp": 1, "msg": text}).encode(errors="surrogatepass"))
    assert play.line().state.tally.count().elements == 1


def test_ping_that_is_not_implemented_ends_the_topic_with_the_venues_words() -> None:
    play, (box,) = line(extra=[darwinex.Pongs()])
    play.writer()
    play.server(error("MESSAGE_NOT_RECOGNIZED", "ping not implemented.", "ping"))
    assert isinstance(box.error, SubscriptionRejected)
    assert "not implemented" in box.error.reason


def test_ten_thousand_products_are_asked_for_and_not_one_more() -> None:
    channels = [WireChannel("pq", name) for name in names(MAX_PRODUCTS + 2)]
    options = Options(VENUE.endpoints["production"], has_credentials=True)
    state, protocol = (
        LaneState("darwinex", Lane("quotes")),
        VENUE.protocol(Lane("quotes"), TOKEN, {}, options),
    )
    stamp = Stamp(1, 1.0)
    state.ledger.want(channels)
    requests = []
    while effect := protocol.reconcile(state.ledger, stamp):
        assert isinstance(effect, Send)
        protocol.sent(effect, stamp)
        state.sent(effect, stamp)
        request = json.loads(effect.frame)
        requests.append(request)
        answer = pong_to(request) if request["op"] == "ping" else subscribed(request["productNames"])
        protocol.receive(answer.encode(), stamp, state)
    assert [request["op"] for request in requests] == ["subscribe"] * 100 + ["ping"]
    assert {name for request in requests[:-1] for name in request["productNames"]} == {
        channel.instrument for channel in channels[:MAX_PRODUCTS]
    }
    assert set(state.ledger.confirmed) == set(channels[:MAX_PRODUCTS])
    assert set(channels) - set(state.ledger.wanted) == set(channels[MAX_PRODUCTS:])


def test_product_beyond_the_limit_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "MAX_PRODUCTS", 2)
    play, boxes = line("DWC.4.20", "THA.4.12", "ENH.4.16")
    request, ping = said(play)
    assert request["productNames"] == ["DWC.4.20", "THA.4.12"]
    play.server(pong_to(ping))
    assert isinstance(boxes[2].error, SubscriptionRejected)
    assert "products at one time" in boxes[2].error.reason
    play.server(subscribed(["DWC.4.20", "THA.4.12"]))
    play.unsubscribe(boxes[0])
    late = play.subscribe(Quotes("ENH.4.16"))
    (request,) = said(play)
    assert request == {"op": "unsubscribe", "productNames": ["DWC.4.20"]}, "it makes room first"
    play.server(unsubscribed(["DWC.4.20"]))
    assert asked_names(said(play)) == [["ENH.4.16"]]
    play.server(subscribed(["ENH.4.16"]))
    assert late.is_confirmed


def test_more_than_fifteen_products_are_warned_of_once() -> None:
    some = names(17)
    play, boxes = line(*some)
    play.writer()
    play.server(subscribed(some[:15]))
    assert not throttles(boxes[0])
    play.server(subscribed(some[15:]))
    (notice,) = throttles(boxes[0])
    assert "recommends 15" in notice.reason
    assert notice.until_ns is None
    play.drop()
    play.line().connect()
    play.writer()
    play.server(subscribed(some))
    assert not throttles(boxes[0])
    for box in boxes[2:]:
        play.unsubscribe(box)
    play.writer()
    play.server(unsubscribed(some[2:]))
    more = [play.subscribe(Quotes(name)) for name in some[2:]]
    play.writer()
    play.server(subscribed(some[2:]))
    assert throttles(more[0])


def throttles(box: Any) -> list[Throttled]:
    return [event for event in box.take() if isinstance(event, Throttled)]


# Frames.


def test_malformed_quote_is_told_to_its_product_alone() -> None:
    play, (box, other) = line("DWC.4.20", "THA.4.12")
    play.server(quote(price='"NaN"'), quote(price="1e999"), quote(price="true"))
    reasons = [event.reason for event in box.take() if isinstance(event, Malformed)]
    assert len(reasons) == 3
    assert "$.quote" in reasons[0]
    assert other.kinds() == ["Connected"]
    assert play.line().state.tally.count().malformed == 3


def test_unknown_type_is_said_with_its_name() -> None:
    play, (box,) = line("DWC.4.20")
    play.server('{"op":"news","text":"x"}')
    (unknown,) = [event for event in box.take() if isinstance(event, Unknown)]
    assert unknown.kind == "news"


@pytest.mark.parametrize("text", ["147.05", '"147.05"', "147.0500000000000000000000000001", "1e2", "-3"])
def test_quote_keeps_every_digit_as_number_or_text(text: str) -> None:
    play, (box,) = line("DWC.4.20")
    play.server(quote(price=text))
    (event,) = [event for event in box.take() if isinstance(event, Quote)]
    assert event.price is not None
    assert event.price.as_tuple() == Decimal(text.strip('"')).as_tuple()


def test_quote_without_a_time_has_none() -> None:
    play, (box,) = line("DWC.4.20")
    play.server('{"op":"pq","productName":"DWC.4.20","quote":1}')
    (event,) = [event for event in box.take() if isinstance(event, Quote)]
    assert event.venue_time_ns is None


# Texts.

PRODUCTS = st.from_regex(PRODUCT, fullmatch=True)


@given(st.lists(PRODUCTS, min_size=1, max_size=100))
def test_no_request_is_larger_than_a_frame(some: list[str]) -> None:
    channels = [WireChannel("pq", name) for name in some]
    for frame in (subscribe(channels), unsubscribe(channels)):
        assert json.loads(frame)["productNames"] == some
        assert len(frame) <= MAX_FRAME_BYTES


@given(st.lists(PRODUCTS, max_size=5), st.sampled_from([" ", ", ", "] [", "' '", ". "]))
def test_names_in_a_text_are_found(some: list[str], between: str) -> None:
    assert named_products(between + between.join(some) + between) == set(some)


@pytest.mark.parametrize("text", ["", "DWC", "1.2", "DWC.4", "XDWC-4-20", "10.000 products", "dwc.4.20"])
def test_no_names_are_found_where_there_are_none(text: str) -> None:
    assert named_products(text) == set()
