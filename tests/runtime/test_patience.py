"""``Retry-After`` of answers over REST: never sooner, jittered above, and nothing else waits for it."""

from __future__ import annotations

import math

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

import trioquotes as tq
from tests.runtime.fakes import FakeConnector, Fetched, ToyVenue, book
from trioquotes._protocol.budget import Budgets
from trioquotes._protocol.effects import Budget, Failure, Fetch, HttpRequest, Reply, Send, WireChannel
from trioquotes._protocol.ledger import Ledger
from trioquotes._protocol.verdict import JITTER, LONGEST_WAIT_S, patience_s
from trioquotes._runtime.session import Session

BUSY = Reply(429, {"retry-after": "120"})
ONE, TWO = WireChannel("rest", "ONE"), WireChannel("rest", "TWO")
DAYS_S = 10 * 86_400


def busy_connector(reply: Reply | Failure = BUSY) -> FakeConnector:
    connector = FakeConnector(auto_ack=True)
    connector.fetch_reply = reply
    return connector


async def give_up_after(connector: FakeConnector, seconds: float, session: Session) -> None:
    """Let a session try for a while; its topic is never confirmed."""
    with trio.move_on_after(seconds):
        async with session as stream, trio.open_nursery() as nursery:
            for name in ("A", "B"):
                nursery.start_soon(stream.subscribe, Fetched(name))


@pytest.mark.parametrize(
    "reply", [BUSY, Reply(503, {"retry-after": "120"}), Failure("stream", "cut off", 429, BUSY.headers)]
)
async def test_a_failed_fetch_waits_as_long_as_it_was_asked_to(
    reply: Reply | Failure, autojump_clock: trio.testing.MockClock
) -> None:
    connector = busy_connector(reply)
    await give_up_after(connector, 1000, Session(ToyVenue(), connector=connector))
    times = connector.fetches_s
    # Both may be on their way when the first answer comes; from then on one asks at a time.
    assert len(times) >= 6
    told_s = times[0] + 0.1
    later = [at_s for at_s in times if at_s > told_s]
    assert later[0] - told_s >= 120
    assert later[0] - told_s <= 120 * (1 + JITTER) + 1


async def test_other_topics_do_not_wait(autojump_clock: trio.testing.MockClock) -> None:
    connector = busy_connector()
    with trio.fail_after(2000):
        async with Session(ToyVenue(), connector=connector) as stream, trio.open_nursery() as nursery:
            nursery.start_soon(stream.subscribe, Fetched("A"))
            await trio.sleep(5)
            nursery.start_soon(stream.subscribe, Fetched("B"))
            await trio.sleep(5)
            start_s = trio.current_time()
            await stream.subscribe(tq.Trades("A"))
            assert trio.current_time() == start_s
            assert len(connector.fetches_s) == 1
            connector.fetch_reply = Reply(200)
            await stream.subscribe(Fetched("C"))
            assert trio.current_time() - connector.fetches_s[0] >= 120
            await trio.sleep(20)
            assert len(connector.fetches_s) == 4
            nursery.cancel_scope.cancel()


async def test_whoever_shares_the_budgets_waits_too(autojump_clock: trio.testing.MockClock) -> None:
    budgets = Budgets()
    first, second = busy_connector(), busy_connector()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(give_up_after, first, 60, Session(ToyVenue(), connector=first, budgets=budgets))
        await trio.sleep(10)
        nursery.start_soon(give_up_after, second, 300, Session(ToyVenue(), connector=second, budgets=budgets))
    assert second.fetches_s[0] - first.fetches_s[0] >= 120


async def test_a_reconnect_does_not_forget_it(autojump_clock: trio.testing.MockClock) -> None:
    connector = busy_connector()
    with trio.fail_after(2000):
        async with Session(ToyVenue(), connector=connector) as stream, trio.open_nursery() as nursery:
            nursery.start_soon(stream.subscribe, Fetched("A"))
            line = await connector.accept()
            await trio.sleep(10)
            line.drop()
            await connector.accept()
            await trio.sleep(300)
            nursery.cancel_scope.cancel()
    assert connector.fetches_s[1] - connector.fetches_s[0] >= 120


async def test_audits_leave_rest_alone(autojump_clock: trio.testing.MockClock) -> None:
    connector = busy_connector(Reply(429, {"retry-after": "1000"}))
    with trio.fail_after(5000):
        plan = tq.AuditPlan(every_s=60.0)
        async with Session(ToyVenue(), tq.Books("A"), connector=connector, audit=plan) as stream:
            line = await connector.accept()
            line.say(book([("10", "1")], [("11", "1")], whole=True))
            await trio.sleep(900)
            assert len(connector.fetches_s) == 1
            (figures,) = stream.statistics().audits
            assert figures.failed >= 10
            assert "left alone" in figures.last_failure
            await trio.sleep(400)
            assert len(connector.fetches_s) == 2
    assert connector.fetches_s[1] - connector.fetches_s[0] >= 1000


async def test_a_credentials_provider_that_was_told_to_wait_is_not_asked_sooner(
    autojump_clock: trio.testing.MockClock,
) -> None:
    asked_s: list[float] = []

    async def provide() -> tq.BearerToken:
        asked_s.append(trio.current_time())
        if len(asked_s) == 1:
            raise tq.ConnectFailed("busy", status=503, retry_after_s=200.0)
        return tq.BearerToken("token")

    connector = FakeConnector(auto_ack=True)
    with trio.fail_after(2000):
        async with Session(
            ToyVenue(), tq.Trades("A"), connector=connector, credentials=provide, connect_timeout_s=500.0
        ):
            assert len(asked_s) == 2
            assert asked_s[1] - asked_s[0] >= 200.0


@given(
    st.sampled_from([200, 400, 404, 418, 429, 500, 503]),
    st.integers(0, DAYS_S) | st.sampled_from(["", "soon", "-1"]),
    st.floats(0, 1),
)
def test_patience_is_at_least_what_was_asked_and_a_day_at_most(
    status: int, asked: int | str, number: float
) -> None:
    pause_s = patience_s(Reply(status, {"retry-after": f"{asked}"}), lambda: number)
    if status not in (429, 503) or not isinstance(asked, int) or not asked:
        assert pause_s == 0.0
        return
    least_s = min(asked, LONGEST_WAIT_S)
    assert least_s <= pause_s <= least_s + max(1.0, JITTER * least_s)


def test_a_pause_is_for_rest_and_for_that_venue_alone() -> None:
    budgets = Budgets()
    limits = (Budget("requests", 5, 10.0, "ip", frozenset({"send", "rest"})),)
    here = budgets.account("v", limits, identity="", connection=1)
    there = budgets.account("v", limits, identity="other", connection=2)
    elsewhere = budgets.account("w", (), identity="", connection=3)
    here.pause("rest", 100.0)
    there.pause("rest", 50.0)
    assert there.delay_s({"rest": 1}, 10.0) == 90.0
    assert there.delay_s({"send": 1}, 10.0) == 0.0
    assert elsewhere.delay_s({"rest": 1}, 10.0) == 0.0
    assert here.delay_s({"rest": 1}, 100.0) == 0.0


def test_what_is_held_is_neither_asked_nor_resynced_before_its_time() -> None:
    ledger = Ledger()
    ledger.want([ONE, TWO])
    ledger.sent(Fetch(1, HttpRequest("http://x"), asks=frozenset([ONE])), 0.0)
    assert not ledger.hold([ONE], 50.0), "what is asked has its own time"
    ledger.postpone(ONE, 1.0)
    assert ledger.hold([ONE, TWO], 50.0)
    assert not ledger.hold([ONE, TWO], 50.0)
    assert not ledger.hold([ONE, TWO], 20.0), "it is never shortened"
    assert list(ledger.to_ask) == []
    assert ledger.deadline() == 50.0
    ledger.expire(50.0)
    assert list(ledger.to_ask) == [ONE, TWO]
    ledger.sent(Send(b"x", 2, asks=frozenset([ONE, TWO])), 50.0)
    ledger.confirm([ONE, TWO])
    ledger.resync(ONE, 60.0)
    assert ledger.resyncing == {ONE: 1}
    assert ledger.hold([ONE, WireChannel("unknown")], 90.0)
    assert not ledger.resyncing
    assert ledger.deadline() == 90.0
    ledger.expire(90.0)
    assert ledger.resyncing == {ONE: 1}
    assert ledger.deadline() == math.inf
