"""The strategy alone: no session, no clock, nothing that waits."""

from __future__ import annotations

from decimal import Decimal

import pytest
import trioquotes as tq

from trading_bot import Maker, Orders

MAKER = Maker(margin=Decimal("0.001"), tick=Decimal("0.01"), size=Decimal("0.5"))
PRESENT = Orders(Decimal("99.89"), Decimal("100.11"), Decimal("0.5"))


def quote(bid: str | None, ask: str | None) -> tq.Quote:
    return tq.Quote(
        venue="coinbase",
        instrument="BTC-USD",
        received_ns=0,
        bid=None if bid is None else Decimal(bid),
        ask=None if ask is None else Decimal(ask),
    )


def test_orders_lie_around_the_middle_on_whole_ticks_and_never_closer() -> None:
    orders = MAKER.wanted(quote("99.995", "100.000"), None)
    assert orders == Orders(Decimal("99.89"), Decimal("100.10"), Decimal("0.5"))


@pytest.mark.parametrize(
    ("bid", "ask"), [("100", None), (None, "100"), (None, None), ("100", "100"), ("101", "100")]
)
def test_no_orders_in_a_market_with_one_side_or_crossed(bid: str | None, ask: str | None) -> None:
    assert MAKER.wanted(quote(bid, ask), PRESENT) is None


@pytest.mark.parametrize(
    "notice",
    [
        tq.Gap(venue="coinbase", received_ns=0, reason="a hole"),
        tq.Disconnected(venue="coinbase", received_ns=0, lane="public", connection=1, reason="lost"),
        tq.Stale(venue="coinbase", received_ns=0, silent_s=12.0),
        tq.Lagged(venue="coinbase", received_ns=0, dropped=3),
        tq.Throttled(venue="coinbase", received_ns=0, reason="too many"),
        tq.Rejected(venue="coinbase", received_ns=0, reason="no"),
        tq.Malformed(venue="coinbase", received_ns=0, reason="cut off", frame=b"{"),
        tq.Unknown(venue="coinbase", received_ns=0, kind="new", frame=b"{}"),
    ],
    ids=lambda notice: type(notice).__name__,
)
def test_no_orders_once_what_we_know_is_in_doubt(notice: tq.Notice) -> None:
    assert MAKER.wanted(notice, PRESENT) is None


def test_a_new_line_alone_changes_nothing() -> None:
    connected = tq.Connected(venue="coinbase", received_ns=0, lane="public", connection=2)
    assert MAKER.wanted(connected, None) is None
    assert MAKER.wanted(connected, PRESENT) == PRESENT
