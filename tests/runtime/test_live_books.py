"""Books that the session keeps: always the newest state, or none."""

from __future__ import annotations

from decimal import Decimal

import pytest
import trio
import trio.testing

import trioquotes as tq
from tests.runtime.fakes import ToyVenue, book, note, tick
from tests.runtime.test_session import opened

WHOLE = book([("10", "1"), ("9", "4")], [("11", "2")], whole=True)


async def test_a_live_book_is_ready_with_its_snapshot_and_follows_every_change(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with opened(ToyVenue(), tq.Trades("A")) as (stream, _, line):
        kept = stream.book("A")
        assert (kept.state, kept.best_bid, kept.instrument) == ("waiting", None, "A")
        line.say(WHOLE)
        await kept.wait_ready()
        assert kept.best_bid == (Decimal(10), Decimal(1))
        line.say(book([("10", "3")], []))
        await trio.testing.wait_all_tasks_blocked()
        assert kept.size_at("bid", Decimal(10)) == 3
        assert kept.levels("bid") == ((Decimal(10), Decimal(3)), (Decimal(9), Decimal(4)))
        assert kept.spread == 1
        await kept.wait_ready()  # and again, at once


async def test_a_book_that_is_not_right_shows_nothing_until_it_is(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with opened(ToyVenue(), tq.Trades("A")) as (stream, connector, line):
        kept = stream.book("A")
        line.say(WHOLE)
        await kept.wait_ready()
        line.say(book([("12", "1")], []))
        await trio.testing.wait_all_tasks_blocked()
        assert (kept.state, kept.reason, kept.best_bid) == ("broken", "crossed book", None)
        line.say(WHOLE)
        await kept.wait_ready()
        line.drop()
        await connector.accept()
        assert (kept.state, kept.best_ask) == ("broken", None)
        connector.open_lines[-1].say(WHOLE)
        await kept.wait_ready()
        assert kept.best_ask == (Decimal(11), Decimal(2))


async def test_its_updates_are_the_latest_with_every_notice_in_its_place(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with opened(ToyVenue(), tq.Trades("A")) as (stream, _, line):
        kept = stream.book("A")
        line.say(WHOLE, book([("10", "2")], []), book([("10", "3")], []))
        line.say(book([("12", "1")], []))  # crossed: a gap
        line.say(WHOLE, book([("10", "7")], []))
        await trio.testing.wait_all_tasks_blocked()
        updates = [await kept.__anext__() for _ in range(5)]
        kinds = [type(update).__name__ for update in updates]
        assert kinds == ["BookChange", "Gap", "BookSnapshot", "Resynced", "BookChange"]
        assert [
            level for update in updates if isinstance(update, tq.BookChange) for level in update.bids
        ] == [
            (Decimal(10), Decimal(3)),
            (Decimal(10), Decimal(7)),
        ]


async def test_looking_at_a_book_costs_no_memory_however_long_nobody_reads_its_updates(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with opened(ToyVenue(), tq.Trades("A")) as (stream, _, line):
        kept = stream.book("A")
        line.say(WHOLE)
        for number in range(1, 500):
            line.say(*[book([("10", str(number))], []), book([("12", "1")], []), WHOLE] * 3)
            await trio.testing.wait_all_tasks_blocked()
        figures = next(channel for channel in stream.statistics().channels if channel.topic == kept.topic)
        assert figures.queued <= figures.buffer <= 64
        await kept.wait_ready()


async def test_a_closed_book_shows_nothing_and_its_topic_is_withdrawn(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with opened(ToyVenue(), tq.Trades("A")) as (stream, _, line):
        async with stream.book("A") as kept:
            while b'"books"' not in await line.heard.receive():
                pass  # what was never asked for is not withdrawn
            line.say(WHOLE)
            await kept.wait_ready()
        assert (kept.state, kept.reason, kept.best_bid) == ("broken", "the book was closed", None)
        with pytest.raises(trio.ClosedResourceError):
            await kept.wait_ready()
        with pytest.raises(trio.ClosedResourceError):
            await kept.__anext__()
        said: list[bytes] = []
        while b'"unsub"' not in b"".join(said):
            said.append(await line.heard.receive())
        kept.close()


async def test_two_books_of_one_topic_are_one_subscription_and_end_apart(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with opened(ToyVenue(), tq.Books("A")) as (stream, _, line):
        line.say(WHOLE)
        first, second = stream.book("A"), stream.book(tq.Books("A"))
        await first.wait_ready()
        first.close()
        await trio.testing.wait_all_tasks_blocked()
        assert (first.state, second.state) == ("broken", "live")
        assert line.heard.statistics().current_buffer_used == 1


async def test_after_the_session_a_book_shows_nothing(autojump_clock: trio.testing.MockClock) -> None:
    async with opened(ToyVenue(), tq.Trades("A")) as (stream, _, line):
        kept = stream.book("A")
        line.say(WHOLE)
        await kept.wait_ready()
    assert (kept.state, kept.best_bid, kept.levels("ask")) == ("broken", None, ())
    assert "over" in kept.reason
    with pytest.raises(trio.ClosedResourceError):
        await kept.wait_ready()
    assert [type(update).__name__ async for update in kept] == ["BookSnapshot"]
    assert "LiveBook A: broken" in repr(kept)


async def test_unsubscribing_ends_the_book(autojump_clock: trio.testing.MockClock) -> None:
    async with opened(ToyVenue(), tq.Trades("A")) as (stream, _, line):
        kept = stream.book("A")
        line.say(WHOLE)
        await kept.wait_ready()
        await stream.unsubscribe(tq.Books("A"))
        assert kept.state == "broken"


async def test_a_refused_book_says_why_it_will_never_be_ready(autojump_clock: trio.testing.MockClock) -> None:
    async with opened(ToyVenue(), tq.Trades("A")) as (stream, _, line):
        kept = stream.book("A")
        line.say(note("refuse", channel="books"))
        with pytest.raises(tq.SubscriptionRejected, match="no such thing"):
            await kept.wait_ready()
        assert "no such thing" in kept.reason
        line.say(tick(1))


async def test_a_book_that_cannot_be_had_is_refused_before_any_io(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with opened(ToyVenue(), tq.Trades("A")) as (stream, _, line):
        with pytest.raises(tq.UnsupportedTopic):
            stream.book(tq.OrderBooks("A"))
        with pytest.raises(tq.InvalidInstrument):
            stream.book("lower")
        await trio.testing.wait_all_tasks_blocked()
        assert line.heard.statistics().current_buffer_used == 1


async def test_cancelling_the_wait_leaves_the_book_as_it_was(autojump_clock: trio.testing.MockClock) -> None:
    async with opened(ToyVenue(), tq.Trades("A")) as (stream, _, line):
        kept = stream.book("A")
        with trio.move_on_after(5) as scope:
            await kept.wait_ready()
        assert scope.cancelled_caught
        line.say(WHOLE)
        await kept.wait_ready()


async def test_depths_are_the_best_levels_whenever_they_change(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with opened(ToyVenue(), tq.Trades("A")) as (stream, _, line):
        views = await stream.subscribe(tq.Depths("A", levels=1))
        line.say(WHOLE, book([("9", "5")], []), book([("10", "6")], []))
        await trio.testing.wait_all_tasks_blocked()
        got = [view for view in await views.receive_many() if isinstance(view, tq.Depth)]
        ten = Decimal(10)
        assert [view.bids for view in got] == [((ten, Decimal(1)),), ((ten, Decimal(6)),)]
        assert {view.asks for view in got} == {((Decimal(11), Decimal(2)),)}
        assert got[0].levels == 1


async def test_slow_readers_of_depths_get_the_latest_view(autojump_clock: trio.testing.MockClock) -> None:
    async with opened(ToyVenue(), tq.Trades("A")) as (stream, _, line):
        views = await stream.subscribe(tq.Depths("A", levels=2), overflow="latest")
        line.say(WHOLE, *[book([("10", str(size))], []) for size in range(2, 9)])
        await trio.testing.wait_all_tasks_blocked()
        (view,) = await views.receive_many()
        assert isinstance(view, tq.Depth)
        assert view.bids == ((Decimal(10), Decimal(8)), (Decimal(9), Decimal(4)))
        assert views.statistics().replaced == 7
