"""Audits: kept books against fresh snapshots, in virtual time."""

from __future__ import annotations

from decimal import Decimal

import pytest
import trio
import trio.testing

import trioquotes as tq
from tests.runtime.fakes import ToyVenue, book
from tests.runtime.test_session import opened
from trioquotes._protocol.effects import Budget, Failure, Reply

WHOLE = book([("10", "1"), ("9", "4")], [("11", "2")], whole=True)
PLAN = tq.AuditPlan(every_s=100.0, lead_s=2.0, settle_s=3.0)


async def test_a_right_book_is_compared_and_nothing_is_said(autojump_clock: trio.testing.MockClock) -> None:
    async with opened(ToyVenue(), tq.Books("A"), audit=PLAN) as (stream, connector, line):
        connector.fetch_reply = Reply(200, body=WHOLE)
        line.say(WHOLE)
        await trio.sleep(1000)
        (figures,) = stream.statistics().audits
        assert (figures.topic, figures.differing, figures.failed, figures.void) == (tq.Books("A"), 0, 0, 0)
        assert figures.audits == 9
        assert [type(event).__name__ for event in await stream.receive_many()] == [
            "Connected",
            "BookSnapshot",
        ]


async def test_a_wrong_book_is_reported_and_asked_for_anew(autojump_clock: trio.testing.MockClock) -> None:
    async with opened(ToyVenue(), tq.Books("A"), audit=PLAN) as (stream, connector, line):
        line.say(WHOLE)
        connector.fetch_reply = Reply(200, body=book([("10", "1"), ("8", "4")], [("11", "2")], whole=True))
        await trio.sleep(106)
        _, _, report, gap = await stream.receive_many()
        assert isinstance(report, tq.Audited)
        assert (report.compared, report.differing) == (4, 2)
        assert report.differences == (
            tq.LevelDifference("bid", Decimal(9), Decimal(4), Decimal(0)),
            tq.LevelDifference("bid", Decimal(8), Decimal(0), Decimal(4)),
        )
        assert isinstance(gap, tq.Gap)
        assert gap.reason == "the audit found 2 of 4 levels wrong"
        said = [await line.heard.receive() for _ in range(3)]
        assert [b'"unsub"' in frame for frame in said] == [False, True, False]
        line.say(WHOLE)
        await trio.testing.wait_all_tasks_blocked()
        assert [type(event).__name__ for event in await stream.receive_many()] == ["BookSnapshot", "Resynced"]


async def test_a_change_in_flight_is_no_difference(autojump_clock: trio.testing.MockClock) -> None:
    """The snapshot may be older or newer than the stream by the times of the plan."""
    async with opened(ToyVenue(), tq.Books("A"), audit=PLAN) as (stream, connector, line):
        line.say(WHOLE)
        connector.fetch_reply = Reply(200, body=book([("10", "7")], [("11", "2")], whole=True))
        await trio.sleep(101)
        line.say(
            book([("10", "7"), ("9", "0")], [])
        )  # after the watch began, before the snapshot was asked for
        await trio.sleep(0.5)
        line.say(book([("10", "8")], []))
        await trio.sleep(5)
        assert stream.statistics().audits[0].audits == 1
        connector.fetch_reply = Reply(200, body=book([("10", "8"), ("7", "1")], [("11", "2")], whole=True))
        await trio.sleep(100 - 5.5 - 1 + 3)
        line.say(book([("7", "1")], []))  # after the snapshot came, while the audit waits for late news
        await trio.sleep(4)
        (figures,) = stream.statistics().audits
        assert (figures.audits, figures.differing) == (2, 0)


async def test_a_book_that_breaks_meanwhile_voids_the_audit(autojump_clock: trio.testing.MockClock) -> None:
    async with opened(ToyVenue(), tq.Books("A"), audit=PLAN) as (stream, connector, line):
        line.say(WHOLE)
        connector.fetch_reply = Reply(200, body=book([("1", "7")], [], whole=True))
        await trio.sleep(101)
        line.say(book([("12", "1")], []))
        line.say(WHOLE)
        await trio.sleep(20)
        (figures,) = stream.statistics().audits
        assert (figures.audits, figures.void, figures.differing) == (0, 1, 0)


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (Reply(503), "HTTP 503"),
        (Reply(200, body=b"{"), "truncated"),
        (Reply(200, body=book([], [])), "not a whole book"),
        (Failure("connect", "connection refused"), "connection refused"),
    ],
)
async def test_a_snapshot_that_cannot_be_had_is_counted_and_the_book_stays(
    autojump_clock: trio.testing.MockClock, reply: Reply | Failure, why: str
) -> None:
    async with opened(ToyVenue(), tq.Books("A"), audit=PLAN) as (stream, connector, line):
        line.say(WHOLE)
        connector.fetch_reply = reply
        kept = stream.book("A")
        await trio.sleep(250)
        (figures,) = stream.statistics().audits
        assert (figures.audits, figures.failed) == (0, 2)
        assert why in figures.last_failure
        assert kept.state == "live"


async def test_audits_keep_the_budget(autojump_clock: trio.testing.MockClock) -> None:
    venue = ToyVenue(budgets=(Budget("REST", 1, 500.0, "ip", frozenset({"rest"})),))
    async with opened(venue, tq.Books("A"), audit=PLAN) as (stream, connector, line):
        line.say(WHOLE)
        connector.fetch_reply = Reply(200, body=WHOLE)
        await trio.sleep(1700)
        assert stream.statistics().audits[0].audits == 4


async def test_books_take_turns_and_what_has_no_audit_is_left_alone(
    autojump_clock: trio.testing.MockClock,
) -> None:
    topics = tq.Books("A"), tq.Books("B"), tq.Quotes("A"), tq.Trades("A")
    async with opened(ToyVenue(), *topics, audit=PLAN) as (stream, connector, line):
        connector.fetch_reply = Reply(200, body=WHOLE)
        line.say(WHOLE)
        line.say(book([("10", "1"), ("9", "4")], [("11", "2")], whole=True, instrument="B"))
        await trio.sleep(450)
        assert [(figures.topic, figures.audits) for figures in stream.statistics().audits] == [
            (tq.Books("A"), 4),
            (tq.Books("B"), 4),
        ]


async def test_a_session_is_left_at_once_in_the_middle_of_an_audit(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with opened(ToyVenue(), tq.Books("A"), audit=PLAN) as (_, _, line):
        line.say(WHOLE)
        await trio.sleep(101)
        before_s = trio.current_time()
    assert trio.current_time() - before_s < 0.1


@pytest.mark.parametrize("bad", [{"every_s": 0.0}, {"lead_s": -1.0}, {"settle_s": float("inf")}])
def test_a_plan_of_no_time_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(tq.UsageError, match="must be a positive number of seconds"):
        tq.AuditPlan(**bad)
