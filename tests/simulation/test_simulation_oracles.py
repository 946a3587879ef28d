"""The oracles themselves, each held against something wrong that it has to see."""

from __future__ import annotations

from decimal import Decimal

import pytest

import trioquotes as tq
from tests.simulation.exactness import inexact
from tests.simulation.flows import Flow, Item, by_number
from tests.simulation.limits import Limit, crowded, inexcusable
from tests.simulation.losses import Delivery, judge_delivery
from tests.simulation.promises import Broken, Tally
from trioquotes.simulator.records import Breach, ConnectSeen, Records
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


def judged(*events: tq.Event) -> Tally:
    items = [Item(float(number), number, False, "", 1) for number in range(1, 11)]
    delivery = Delivery("trades", FLOW, True, 0.0, 100.0)
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
