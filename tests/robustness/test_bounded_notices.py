"""What is said to a reader who does not listen is bounded, too."""

from __future__ import annotations

from decimal import Decimal

import pytest

import trioquotes as tq
from trioquotes._runtime.mailbox import COMPACT_FROM, RUN_LIMIT, Mailbox

ROUNDS = 5_000
BUFFER = 10


def trade(number: int) -> tq.Trade:
    return tq.Trade(venue="toy", instrument="A", received_ns=number, price=Decimal(number), size=Decimal(1))


@pytest.mark.parametrize("distinct", [False, True], ids=["equal", "all different"])
def test_notices_between_dropped_events_are_folded(distinct: bool) -> None:
    mailbox = Mailbox("toy", lambda: 0)
    topic = tq.Trades("A")
    subscription = mailbox.subscribe(
        topic, overflow="drop_oldest", buffer=BUFFER, buffer_bytes=1 << 20, kept=False
    )
    for number in range(ROUNDS):
        subscription.push(trade(number), 100)
        reason = f"reason {number}" if distinct else "reason"
        subscription.notify(tq.Gap(venue="toy", topic=topic, received_ns=number, reason=reason, missed=1))
    assert len(mailbox._cells) <= COMPACT_FROM + (BUFFER + 1) * RUN_LIMIT
    items = []
    while (item := mailbox.pop()) is not None:
        items.append(item)
    gaps = [item for item in items if isinstance(item, tq.Gap)]
    assert sum(gap.count for gap in gaps) == ROUNDS
    assert sum(gap.missed or 0 for gap in gaps) == ROUNDS
    assert isinstance(items[-1], tq.Gap)
    assert items[-1].received_ns == ROUNDS - 1, "the last word stands last"
    dropped = sum(item.dropped for item in items if isinstance(item, tq.Lagged))
    assert dropped == ROUNDS - BUFFER
