"""The oracles themselves, each held against something wrong that it has to see."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

import trioquotes as tq
from tests.simulation.exactness import inexact
from tests.simulation.flows import Flow, Item, by_number, items_of
from tests.simulation.limits import Limit, crowded, impatient, inexcusable, waits_of
from tests.simulation.losses import Delivery, judge_delivery
from tests.simulation.promises import Broken, Tally
from trioquotes.simulator.faults import RefuseHandshake
from trioquotes.simulator.records import Breach, ConnectSeen, FrameSent, Records
from trioquotes.testing import ChopLink, DelayLink, StallLink

FLOW = Flow(kinds=(), read=lambda _fields, _raw: (), key=by_number("trade_id"), counted=True, numbered=True)


def connects(*times_s: float) -> Records:
    records = Records()
    records.connects += [ConnectSeen(time_s, n, "me", "/", "open") for n, time_s in enumerate(times_s, 1)]
    return records


def trade(number: int, price: str = "1.50") -> tq.Trade:
    raw = b'{"price":"1.50","size":"2"}'
    return tq.Trade(
        venue="v", instrument="A", received_ns=0, price=Decimal(price), size=Decimal(2), trade_id=str(number), raw=raw
    )  # fmt: skip


def lagged(dropped: int) -> tq.Lagged:
    return tq.Lagged(venue="v", received_ns=0, dropped=dropped)


ITEMS = [Item(float(number), number, False, "", 1) for number in range(1, 11)]


def judged(
    *events: tq.Event, items: list[Item] = ITEMS, strand: Callable[[tq.Event], object] | None = None
) -> Tally:
    delivery = Delivery("trades", FLOW, strand is None, 0.0, 100.0)
    if strand is not None:
        delivery.strand = strand
    for event in events:
        delivery.take(event)
    tally = Tally()
    judge_delivery(delivery, items, tally, drained=True)
    return tally


def test_one_more_in_any_window_is_seen_and_at_its_end_is_none() -> None:
    limit = Limit("connects", 2, 1.0)
    assert not crowded(limit, connects(0.0, 0.5, 1.0, 1.5, 2.0))
    assert len(crowded(limit, connects(0.0, 0.5, 0.999))) == 1


def test_only_the_fault_that_explains_a_breach_excuses_it() -> None:
    records = Records()
    records.breaches.append(Breach(1.0, 1, "me", "messages", "6"))
    for script, excused in (
        ((), False),
        ((ChopLink(),), False),
        ((DelayLink(delay_s=0.05),), False),
        ((StallLink(),), True),
    ):
        assert (not inexcusable((), records, script)) is excused


def test_digits_that_the_frame_does_not_have_are_seen() -> None:
    assert not inexact(trade(1))
    assert "price is 1.5 " in inexact(trade(1, "1.5"))


def test_a_run_of_all_trades_or_with_the_exact_lag_is_fine() -> None:
    assert judged(*map(trade, range(1, 11))).checked["no silent loss"]
    assert judged(trade(1), lagged(3), *map(trade, range(5, 11))).checked["lag is exact"] == 1


@pytest.mark.parametrize(
    ("events", "promise"),
    [
        ([trade(1), trade(3)], "no silent loss"),
        ([*map(trade, range(1, 10))], "no silent loss"),
        ([trade(1), lagged(2), *map(trade, range(5, 11))], "lag is exact"),
        ([trade(1), lagged(4), *map(trade, range(5, 11))], "lag is exact"),
        ([trade(1), trade(1)], "nothing twice"),
        ([lagged(1), trade(2), trade(1)], "order kept"),
        ([trade(11)], "nothing invented"),
    ],
)
def test_what_is_wrong_with_a_delivery_is_said(events: list[tq.Event], promise: str) -> None:
    with pytest.raises(Broken) as caught:
        judged(*events)
    assert caught.value.promise == promise


def test_what_came_spoilt_out_of_its_place_is_told_by_the_word_for_it_and_by_nothing_else() -> None:
    items = [item._replace(spoilt="something") if item.key == 5 else item for item in ITEMS]
    wrong = tq.Malformed(venue="v", received_ns=0, reason="half", frame=b"{")
    others = [trade(number) for number in range(1, 11) if number != 5]
    assert judged(wrong, *others, items=items).checked["no silent loss"]
    for events, sent in ((others, items), ([wrong, *others], ITEMS)):
        with pytest.raises(Broken, match="no silent loss"):
            judged(*events, items=sent)


def test_where_newer_events_take_the_place_of_older_ones_order_is_kept_for_each_key_alone() -> None:
    odd_or_even = [trade(number) for number in (4, 1, 6, 3)]
    assert (
        judged(*odd_or_even, strand=lambda event: int(getattr(event, "trade_id", 0)) % 2).checked[
            "order kept"
        ]
        == 4
    )
    with pytest.raises(Broken, match="order kept"):
        judged(*odd_or_even, strand=lambda _event: None)


def test_what_came_spoilt_was_said_when_it_came_though_the_one_behind_it_came_twice() -> None:
    flow = Flow(kinds=(), read=lambda _fields, _raw: (), key=by_number("trade_id"), repeats=True)
    sent = [(3, "something", 1), (2, "", 1), (5, "something", 2), (2, "", 2)]
    items = [Item(float(at + 1), key, False, spoilt, line) for at, (key, spoilt, line) in enumerate(sent)]

    def of(*events: tq.Event) -> Tally:
        delivery = Delivery("trades", flow, exact=True, from_s=0.0, until_s=100.0)
        for event in events:
            delivery.take(event)
        tally = Tally()
        judge_delivery(delivery, items, tally, drained=True)
        return tally

    gap = tq.Gap(venue="v", received_ns=1, reason="message too large")
    wrong = tq.Malformed(venue="v", received_ns=2, reason="not UTF-8", frame=b"")
    assert of(gap, wrong, trade(2)).checked["no silent loss"] == 2
    for silent in ((gap, trade(2)), (wrong, trade(2))):
        with pytest.raises(Broken, match="no silent loss"):
            of(*silent)


def test_what_was_dropped_may_be_missed_one_event_later_where_history_is_sent_again() -> None:
    flow = Flow(kinds=(), read=lambda _fields, _raw: (), key=by_number("trade_id"))
    sent = [(1, True), (2, True), (1, False), (2, False), (3, False), (4, False)]
    items = [Item(float(at + 1), key, history, "", 1) for at, (key, history) in enumerate(sent)]

    def of(*events: tq.Event) -> None:
        delivery = Delivery("trades", flow, exact=True, from_s=2.5, until_s=100.0)
        for event in events:
            delivery.take(event)
        judge_delivery(delivery, items, Tally(), drained=True)

    of(lagged(1), trade(2), trade(3), trade(4))
    of(lagged(1), trade(2), lagged(1), trade(4))
    for silent in ((trade(2), trade(3), trade(4)), (lagged(1), trade(2), trade(4))):
        with pytest.raises(Broken, match="no silent loss"):
            of(*silent)


def test_what_went_over_a_line_that_had_a_follower_is_not_owed() -> None:
    flow = Flow(
        kinds=("t",), read=lambda fields, _raw: [(fields, False)], key=by_number("trade_id"), numbered=True
    )
    records = connects(0.0, 5.0)
    sent = ((1.0, 1, 1), (5.5, 1, 2), (5.5, 2, 3), (6.0, 1, 3), (6.5, 1, 4))
    records.frames += [FrameSent(time_s, line, "t", str(number)) for time_s, line, number in sent]
    found = [(item.key, item.connection, item.abandoned) for item in items_of(flow, records)]
    assert found == [(1, 1, False), (2, 1, True), (3, 2, False), (4, 1, True)]


def test_an_attempt_before_its_time_is_seen_and_one_that_was_told_nothing_is_not() -> None:
    records = Records()
    records.connects += [
        ConnectSeen(time_s, number, "me", "/", outcome)
        for number, (time_s, outcome) in enumerate(
            [(0.0, "RefuseHandshake"), (2.0, "RefuseHandshake"), (4.0, "open")], 1
        )
    ]
    script = (
        RefuseHandshake(connection=1, status=503, headers=(("Retry-After", "3"),)),
        RefuseHandshake(connection=2),
    )
    assert waits_of(script, one_line=True) == waits_of(script, one_line=False) == {1: 3.0}
    assert len(impatient({1: 3.0}, 0.0, 9.0, records, one_line=True)) == 1
    assert not waits_of((*script, StallLink()), one_line=True)


def test_attempts_of_other_lines_are_early_too_unless_they_were_under_way() -> None:
    records = Records()
    records.connects += [
        ConnectSeen(time_s, number, "me", "/", outcome)
        for number, (time_s, outcome) in enumerate(
            [(1.0, "RefuseHandshake"), (1.0, "open"), (1.5, "open"), (4.5, "open")], 1
        )
    ]
    found = impatient({1: 3.0}, 0.0, 9.0, records, one_line=False)
    assert [words.split()[1] for words in found] == ["3"]


def test_where_any_link_is_slow_nothing_is_asked_of_several_lines() -> None:
    refusal = RefuseHandshake(connection=1, status=503, headers=(("Retry-After", "3"),))
    far = StallLink(link=9)
    assert waits_of((refusal, far), one_line=True) == {1: 3.0}
    assert not waits_of((refusal, far), one_line=False)


def test_a_refusal_that_says_nothing_of_overload_keeps_only_its_own_line_away() -> None:
    refusal = RefuseHandshake(connection=1, status=502, headers=(("Retry-After", "3"),))
    assert waits_of((refusal,), one_line=True) == {1: 3.0}
    assert not waits_of((refusal,), one_line=False)
