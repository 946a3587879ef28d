"""What is said to a reader who does not listen is bounded, too."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest
import trio
from trio.testing import MockClock

import trioquotes as tq
from tests.runtime.fakes import ToyVenue, ack, tick
from tests.runtime.wire_peers import Hall, Peer, text
from trioquotes._runtime.folding import FRAMES_BYTES, RUN_LIMIT, SHORT_BYTES, Cell
from trioquotes._runtime.mailbox import COMPACT_FROM, Mailbox
from trioquotes._runtime.subscription import Subscription
from trioquotes._runtime.transport import TapConnector

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
    assert len(mailbox.entries) <= COMPACT_FROM + (BUFFER + 1) * RUN_LIMIT
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


MIB = 1 << 20
LARGE = MIB
HARMLESS = 4 * MIB
"""What everything else may weigh that a mailbox holds in these tests."""


def opened(**more: object) -> tuple[Mailbox, Subscription]:
    mailbox = Mailbox("toy", lambda: 0)
    options = {"overflow": "drop_oldest", "buffer": 1_000, "buffer_bytes": 32 * MIB, "kept": False, **more}
    return mailbox, mailbox.subscribe(tq.Trades("A"), **options)  # type: ignore[arg-type]  # of many types


def malformed(subscription: Subscription, number: int, size: int = LARGE) -> tq.Malformed:
    frame = number.to_bytes(4) * (size // 4)
    return tq.Malformed(
        venue="toy", topic=subscription.topic, received_ns=number, reason=f"place {number}", frame=frame
    )


def unknown(subscription: Subscription, number: int, size: int = LARGE) -> tq.Unknown:
    frame = number.to_bytes(4) * (size // 4)
    return tq.Unknown(venue="toy", topic=subscription.topic, received_ns=number, kind="?", frame=frame)


def drained(mailbox: Mailbox) -> list[tq.Event]:
    items = []
    while (item := mailbox.pop()) is not None:
        items.append(item)
    return items


@pytest.mark.parametrize("between", [False, True], ids=["in a row", "with an event between any two"])
@pytest.mark.parametrize("make", [malformed, unknown], ids=["malformed", "unknown"])
def test_frames_that_wait_in_notices_are_bounded(
    make: Callable[[Subscription, int], tq.Malformed | tq.Unknown], between: bool
) -> None:
    mailbox, subscription = opened()
    rounds = 300
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(rounds):
            subscription.notify(make(subscription, number))
            assert subscription.statistics().notice_bytes <= FRAMES_BYTES + rounds * (SHORT_BYTES + 3)
            if between:
                subscription.push(trade(number), 100)
        held_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held_bytes < FRAMES_BYTES + LARGE + HARMLESS
    notices = [item for item in drained(mailbox) if isinstance(item, tq.Malformed | tq.Unknown)]
    assert sum(notice.count for notice in notices) == rounds, "none is dropped"
    assert notices[-1].received_ns == rounds - 1, "the last word stands last"
    whole = [notice for notice in notices if len(notice.frame) == LARGE]
    assert len(whole) >= FRAMES_BYTES // LARGE - 1
    for notice in notices:
        if len(notice.frame) != LARGE:
            assert notice.frame == (notice.received_ns.to_bytes(4) * (SHORT_BYTES // 4)) + b"..."
    assert mailbox.notice_bytes == 0


def test_a_frame_of_any_size_is_whole_where_none_waits() -> None:
    mailbox, subscription = opened()
    for number in range(3):
        subscription.notify(malformed(subscription, number, size=10 * MIB))
        (notice,) = drained(mailbox)
        assert isinstance(notice, tq.Malformed)
        assert len(notice.frame) == 10 * MIB


def test_different_malformed_with_small_frames_all_stand_for_themselves() -> None:
    mailbox, subscription = opened()
    for number in range(RUN_LIMIT):
        subscription.notify(malformed(subscription, number, size=1_000))
    assert [item.received_ns for item in drained(mailbox) if isinstance(item, tq.Malformed)] == [
        *range(RUN_LIMIT)
    ]


def test_a_heavy_notice_of_the_line_comes_once_for_all_topics_whether_it_is_cut_or_not() -> None:
    mailbox, one = opened()
    others = [
        mailbox.subscribe(
            tq.Trades(name), overflow="drop_oldest", buffer=10, buffer_bytes=32 * MIB, kept=False
        )
        for name in "BC"
    ]
    for number in range(20):
        notice = msgspec.structs.replace(malformed(one, number), topic=None)
        for subscription in (one, *others):
            subscription.notify(notice)
    assert sum(item.count for item in drained(mailbox) if isinstance(item, tq.Malformed)) == 20


def test_events_are_not_dropped_for_what_notices_weigh() -> None:
    mailbox, subscription = opened(buffer_bytes=MIB)
    for number in range(100):
        subscription.push(trade(number), 1_000)
        subscription.notify(malformed(subscription, number))
    assert sum(isinstance(item, tq.Trade) for item in drained(mailbox)) == 100
    assert subscription.statistics().dropped == 0


def test_the_weight_of_notices_is_right_after_everything_that_befalls_them() -> None:
    mailbox, subscription = opened(buffer=BUFFER)
    for number in range(2_000):
        subscription.push(trade(number), 100)
        subscription.notify(malformed(subscription, number % 7, size=40_000))
        if number % 300 == 0:
            mailbox.retract(subscription, tq.Malformed)
        if number % 500 == 0:
            mailbox.pop()
    notices = [entry.notice for entry in mailbox.entries if isinstance(entry, Cell)]
    waiting = sum(len(notice.frame) for notice in notices if isinstance(notice, tq.Malformed))
    assert mailbox.notice_bytes == waiting
    drained(mailbox)
    assert mailbox.notice_bytes == 0


def test_a_session_that_nobody_reads_keeps_little_of_large_frames_that_do_not_decode() -> None:
    rounds = 100
    told: list[tq.Event] = []
    figures: list[tq.ChannelStatistics] = []

    async def serve(peer: Peer) -> None:
        await peer.accept(then=text(ack("A")))
        for number in range(rounds):
            await peer.send(text(b"%d" % number * (LARGE // 2)) + text(tick(number)))
            await trio.sleep(0.1)  # a memory stream takes all that it is given
        await trio.sleep_forever()

    async def play() -> None:
        with trio.fail_after(600):
            async with trio.open_nursery() as nursery:
                session = tq.Session(ToyVenue(), tq.Trades("A"), connector=TapConnector(Hall(nursery, serve)))
                async with session as stream:
                    await trio.sleep(60)
                    figures.extend(stream.statistics().channels)
                    told.extend(await stream.receive_many())
                nursery.cancel_scope.cancel()

    tracemalloc.start()
    try:
        trio.run(play, clock=MockClock(autojump_threshold=0))
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most_bytes < FRAMES_BYTES + 8 * LARGE + HARMLESS
    assert sum(event.count for event in told if isinstance(event, tq.Malformed)) == rounds
    assert sum(isinstance(event, tq.Trade) for event in told) == rounds
    assert 0 < figures[0].notice_bytes <= FRAMES_BYTES + rounds * (SHORT_BYTES + 3)
