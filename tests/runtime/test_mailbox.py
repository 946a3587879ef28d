"""Buffers: bounded, in order, and never silent about a loss."""

from __future__ import annotations

from decimal import Decimal

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

import trioquotes as tq
from trioquotes._runtime.channel import Channel, MailboxReader
from trioquotes._runtime.folding import RUN_LIMIT
from trioquotes._runtime.mailbox import COMPACT_FROM, Mailbox
from trioquotes._runtime.subscription import Overflow, Subscription


def trade(number: int, instrument: str = "A") -> tq.Trade:
    return tq.Trade(
        venue="toy", instrument=instrument, received_ns=number, price=Decimal(number), size=Decimal(1)
    )


def gap(reason: str = "lost", topic: object = None, missed: int | None = None, at_ns: int = 0) -> tq.Gap:
    return tq.Gap(venue="toy", topic=topic, received_ns=at_ns, reason=reason, missed=missed)


def opened(
    overflow: Overflow = "drop_oldest",
    *,
    buffer: int = 4,
    buffer_bytes: int = 1_000_000,
    kept: bool = False,
    mailbox: Mailbox | None = None,
    topic: tq.Topic[tq.Event] | None = None,
) -> tuple[Mailbox, Subscription]:
    mailbox = mailbox or Mailbox("toy", lambda: 7)
    subscription = mailbox.subscribe(
        topic or tq.Trades("A"), overflow=overflow, buffer=buffer, buffer_bytes=buffer_bytes, kept=kept
    )
    return mailbox, subscription


def drain(mailbox: Mailbox) -> list[tq.Event]:
    items = []
    while (item := mailbox.pop()) is not None:
        items.append(item)
    return items


def text(items: list[tq.Event]) -> list[str]:
    """Trades as their number, lags as ``-n``, other notices by name and count."""
    words = []
    for item in items:
        if isinstance(item, tq.Trade):
            words.append(str(item.received_ns))
        elif isinstance(item, tq.Lagged):
            words.append(f"-{item.dropped}")
        elif isinstance(item, tq.Notice):
            words.append(f"{type(item).__name__}*{item.count}")
    return words


def test_overflow_drops_the_oldest_and_says_so_in_their_place() -> None:
    mailbox, subscription = opened()
    for number in range(1, 8):
        subscription.push(trade(number), 10)
    assert ["-3", "4", "5", "6", "7"] == text(drain(mailbox))
    assert (3, 4) == (subscription.dropped, subscription.delivered)


def test_a_notice_survives_the_eviction_of_everything_around_it() -> None:
    mailbox, subscription = opened(buffer=2)
    subscription.push(trade(1), 10)
    subscription.notify(gap(topic=subscription.topic))
    for number in range(2, 6):
        subscription.push(trade(number), 10)
    assert ["-3", "Gap*1", "4", "5"] == text(drain(mailbox))


def test_bytes_bound_the_buffer_too_but_one_event_always_fits() -> None:
    mailbox, subscription = opened(buffer_bytes=100)
    for number in range(1, 5):
        subscription.push(trade(number), 40)
    assert subscription.queued_bytes == 80
    subscription.push(trade(9), 5000)
    assert ["-4", "9"] == text(drain(mailbox))


def test_latest_keeps_one_event_a_key_in_its_first_place() -> None:
    mailbox, subscription = opened("latest", topic=tq.Quotes("A"))
    for number, name in enumerate("ABAB"):
        quote = tq.Quote(venue="toy", instrument=name, received_ns=number)
        subscription.push(quote, 10)
    assert [("A", 2), ("B", 3)] == [
        (i.instrument, i.received_ns) for i in drain(mailbox) if isinstance(i, tq.Quote)
    ]
    assert subscription.replaced == 2
    subscription.push(tq.Quote(venue="toy", instrument="A", received_ns=9), 10)
    assert len(drain(mailbox)) == 1


def test_latest_does_not_move_an_event_to_before_a_notice_that_it_came_after() -> None:
    mailbox, subscription = opened("latest", topic=tq.Quotes("A"))
    subscription.push(trade(1), 1)
    subscription.push(trade(2), 1)
    subscription.notify(gap())
    subscription.push(trade(3), 1)
    subscription.push(trade(4), 1)
    assert text(drain(mailbox)) == ["2", "Gap*1", "4"]
    assert subscription.replaced == 2


def test_latest_with_more_keys_than_room_drops_the_oldest_key() -> None:
    mailbox, subscription = opened("latest", topic=tq.Quotes("A"), buffer=2)
    for number, name in enumerate("ABCA"):
        subscription.push(tq.Quote(venue="toy", instrument=name, received_ns=number), 10)
    items = drain(mailbox)
    assert ["-2"] == text(items)[:1]
    assert ["C", "A"] == [item.instrument for item in items if isinstance(item, tq.Quote)]


def test_fail_ends_the_channel_after_what_was_queued() -> None:
    mailbox, subscription = opened("fail", buffer=2)
    for number in range(1, 5):
        subscription.push(trade(number), 10)
    reader: MailboxReader[tq.Event] = MailboxReader(mailbox)
    assert ["1", "2"] == text([reader.receive_nowait(), reader.receive_nowait()])
    with pytest.raises(tq.SlowConsumer, match="fell behind"):
        reader.receive_nowait()


def test_a_lagging_book_is_dropped_whole_and_caught_up_when_read() -> None:
    mailbox, subscription = opened(kept=True, buffer=3)
    drained = []

    def catch_up() -> None:
        drained.append(subscription.lagging)
        subscription.notify(gap("lagged", subscription.topic))
        subscription.push(trade(99), 10)

    subscription.on_drained = catch_up
    for number in range(1, 5):
        subscription.push(trade(number), 10)
    assert subscription.lagging
    assert not subscription.queue
    subscription.passed()
    assert ["-5", "Gap*1", "99"] == text(drain(mailbox))
    assert [False] == drained


def test_equal_notices_in_a_row_are_one_with_a_count() -> None:
    mailbox, subscription = opened()
    for at_ns in range(5):
        subscription.notify(gap(topic=subscription.topic, missed=2, at_ns=at_ns))
    subscription.push(trade(1), 10)
    subscription.notify(gap(topic=subscription.topic))
    first, _, last = drain(mailbox)
    assert isinstance(first, tq.Gap)
    assert (5, 10, 4) == (first.count, first.missed, first.received_ns)
    assert isinstance(last, tq.Gap)
    assert last.count == 1


def test_a_fold_with_an_unknown_number_missed_is_unknown() -> None:
    mailbox, subscription = opened()
    topic = subscription.topic
    for n in range(RUN_LIMIT + 2):
        subscription.notify(gap(f"reason {n}", topic, missed=None if n == RUN_LIMIT else 1))
    items = drain(mailbox)
    assert len(items) == RUN_LIMIT + 1
    assert isinstance(items[-1], tq.Gap)
    assert (2, None) == (items[-1].count, items[-1].missed)


def test_the_last_word_of_a_flapping_line_stands_last() -> None:
    mailbox, subscription = opened()
    for number in range(200):
        subscription.notify(tq.Connected(venue="toy", received_ns=2 * number, lane="x", connection=number))
        subscription.notify(
            tq.Disconnected(venue="toy", received_ns=2 * number + 1, lane="x", connection=number, reason="r")
        )
    items = drain(mailbox)
    assert len(items) <= RUN_LIMIT + 2
    assert isinstance(items[-1], tq.Disconnected)
    assert items[-1].connection == 199
    assert sum(item.count for item in items if isinstance(item, tq.Notice)) == 400


def test_a_lines_notice_comes_once_for_all_topics_of_a_mailbox() -> None:
    mailbox, one = opened()
    _, two = opened(mailbox=mailbox, topic=tq.Trades("B"))
    _, three = opened(mailbox=mailbox, topic=tq.Trades("C"))
    for connection in (1, 1, 2):
        notice = tq.Connected(venue="toy", received_ns=connection, lane="x", connection=connection)
        for subscription in (one, two, three):
            subscription.notify(notice)
    words = [(i.connection, i.count) for i in drain(mailbox) if isinstance(i, tq.Connected)]
    assert [(1, 2), (2, 1)] == words


def test_topics_do_not_evict_each_other() -> None:
    mailbox, fills = opened(topic=tq.Fills())
    _, trades = opened(mailbox=mailbox, buffer=2)
    fills.push(trade(100), 10)
    for number in range(1, 1000):
        trades.push(trade(number), 10)
    assert ["100", "-997", "998", "999"] == text(drain(mailbox))


def test_removing_a_topic_takes_what_it_had_queued() -> None:
    mailbox, one = opened()
    _, two = opened(mailbox=mailbox, topic=tq.Trades("B"))
    one.push(trade(1), 10)
    two.push(trade(2, "B"), 10)
    mailbox.remove(one)
    assert ["2"] == text(drain(mailbox))


def test_a_reader_that_never_reads_costs_no_more_than_the_buffer() -> None:
    mailbox, one = opened(buffer=10)
    _, two = opened(mailbox=mailbox, buffer=10, topic=tq.Trades("B"))
    for number in range(20_000):
        one.push(trade(number), 10)
        two.notify(gap(topic=two.topic))
    assert len(mailbox.entries) <= COMPACT_FROM * 2 + 40
    assert one.statistics().queued == 10


@given(
    st.lists(st.sampled_from(["a", "b", "notice", "read", "read"]), max_size=400),
    st.integers(1, 5),
    st.sampled_from(["drop_oldest", "book"]),
)
def test_what_was_dropped_equals_what_was_reported(script: list[str], buffer: int, policy: str) -> None:
    mailbox, one = opened(buffer=buffer, kept=policy == "book")
    _, two = opened(mailbox=mailbox, buffer=buffer, topic=tq.Trades("B"))
    pushed = {"A": 0, "B": 0}
    got: list[tq.Event] = []
    for word in script:
        if word in "ab":
            subscription, name = (one, "A") if word == "a" else (two, "B")
            pushed[name] += 1
            if subscription.lagging:
                subscription.passed()
            else:
                subscription.push(trade(pushed[name], name), 10)
        elif word == "notice":
            one.notify(gap(topic=one.topic))
        elif (item := mailbox.pop()) is not None:
            got.append(item)
    got += drain(mailbox)
    for name, topic in (("A", one.topic), ("B", two.topic)):
        events = [i.received_ns for i in got if isinstance(i, tq.Trade) and i.instrument == name]
        dropped = sum(i.dropped for i in got if isinstance(i, tq.Lagged) and i.topic == topic)
        assert pushed[name] == len(events) + dropped
        assert sorted(events) == events
        # Lagged stands exactly where the events are missing.
        position = 0
        for item in got:
            if isinstance(item, tq.Lagged) and item.topic == topic:
                position += item.dropped
            elif isinstance(item, tq.Trade) and item.instrument == name:
                position += 1
                assert item.received_ns <= position
    assert script.count("notice") == sum(i.count for i in got if isinstance(i, tq.Gap))


async def test_cancelling_a_receive_loses_nothing(autojump_clock: trio.testing.MockClock) -> None:
    mailbox, subscription = opened()
    channel: Channel[tq.Event] = Channel(mailbox, subscription, lambda _: None)
    with trio.fail_after(600):
        for number in range(20):
            with trio.move_on_after(0.001):
                await channel.receive()
                raise AssertionError("received nothing")
            with trio.CancelScope() as scope:
                scope.cancel()
                subscription.push(trade(number), 10)
                assert ["Trade"] == [type(await channel.receive()).__name__]


@pytest.mark.parametrize(
    ("items", "pause_s", "least", "most"),
    [(300, 0.0, 0, 1), (3000, 0.0, 2, 4), (300, 0.0001, 3, 5)],
    ids=["fewer than a turn holds", "more", "slow code between them"],
)
async def test_a_busy_reader_lets_others_run(
    mock_clock: trio.testing.MockClock, items: int, pause_s: float, least: int, most: int
) -> None:
    mailbox, subscription = opened(buffer=10_000)
    channel: Channel[tq.Event] = Channel(mailbox, subscription, lambda _: None)
    for number in range(items):
        subscription.push(trade(number), 10)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        await trio.lowlevel.checkpoint()
        turns = 0
        await channel.receive()
        for _ in range(items - 1):
            await channel.receive()
            mock_clock.jump(pause_s)
        seen = turns
        nursery.cancel_scope.cancel()
    assert least <= seen <= most


async def test_receive_many_takes_all_that_is_there(autojump_clock: trio.testing.MockClock) -> None:
    mailbox, subscription = opened(buffer=100)
    channel: Channel[tq.Event] = Channel(mailbox, subscription, lambda _: None)
    with trio.fail_after(600):
        for number in range(10):
            subscription.push(trade(number), 10)
        assert len(await channel.receive_many(3)) == 3
        assert len(await channel.receive_many()) == 7
        async with trio.open_nursery() as nursery:
            nursery.start_soon(channel.receive_many)
            await trio.testing.wait_all_tasks_blocked()
            subscription.push(trade(1), 10)


async def test_clones_share_items_and_the_last_close_withdraws(
    autojump_clock: trio.testing.MockClock,
) -> None:
    mailbox, subscription = opened()
    withdrawn: list[Subscription] = []
    channel: Channel[tq.Event] = Channel(mailbox, subscription, withdrawn.append)
    with trio.fail_after(600):
        async with channel.clone() as clone:
            subscription.push(trade(1), 10)
            subscription.push(trade(2), 10)
            assert ["1", "2"] == text([await clone.receive(), await channel.receive()])
            channel.close()
            channel.close()
            assert not withdrawn
            with pytest.raises(trio.ClosedResourceError):
                channel.receive_nowait()
            with pytest.raises(trio.ClosedResourceError):
                channel.clone()
        assert [subscription] == withdrawn
    assert channel.topic == tq.Trades("A")
    assert not channel.statistics().confirmed


async def test_closing_the_mailbox_ends_the_loop_after_what_is_queued(
    autojump_clock: trio.testing.MockClock,
) -> None:
    mailbox, subscription = opened()
    channel: Channel[tq.Event] = Channel(mailbox, subscription, lambda _: None)
    subscription.push(trade(1), 10)
    seen: list[tq.Event] = []

    async def read() -> None:
        async for item in channel:
            seen.append(item)

    with trio.fail_after(600):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await trio.testing.wait_all_tasks_blocked()
            mailbox.close()
    assert ["1"] == text(seen)


async def test_a_close_in_one_task_ends_the_receive_of_another(
    autojump_clock: trio.testing.MockClock,
) -> None:
    mailbox, subscription = opened()
    channel: Channel[tq.Event] = Channel(mailbox, subscription, lambda _: None)

    async def read() -> None:
        with pytest.raises(trio.ClosedResourceError):
            await channel.receive()

    with trio.fail_after(600):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await trio.testing.wait_all_tasks_blocked()
            await channel.aclose()
