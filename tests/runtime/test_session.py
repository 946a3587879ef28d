"""A session against a scripted server: subscribing, losing lines, ending."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

import trioquotes as tq
from tests.runtime.fakes import FakeConnector, FakeLine, Fetched, Ticks, ToyVenue, ack, book, note, tick
from trioquotes._protocol.effects import Budget, Failure, Reply
from trioquotes._runtime.connector import Target

DEADLINE_S = 3600


def session(
    venue: ToyVenue, connector: FakeConnector, *topics: tq.Topic[tq.Event], **options: object
) -> tq.Session:
    return tq.Session(venue, *topics, connector=connector, **options)  # type: ignore[arg-type]


@asynccontextmanager
async def opened(
    venue: ToyVenue, *topics: tq.Topic[tq.Event], **options: object
) -> AsyncIterator[tuple[tq.Stream, FakeConnector, FakeLine]]:
    """A session whose first line confirmed everything at once."""
    connector = FakeConnector(auto_ack=True)
    with trio.fail_after(DEADLINE_S):
        async with session(venue, connector, *topics, **options) as stream:
            line = await connector.accept() if topics else FakeLine()
            yield stream, connector, line


async def test_trades_reach_the_loop_in_order(autojump_clock: trio.testing.MockClock) -> None:
    async with opened(ToyVenue(), tq.Trades("A")) as (stream, _, line):
        line.say(tick("1.50"), tick(2))
        line.say(tick(3))
        got = [await stream.receive() for _ in range(4)]
    assert isinstance(got[0], tq.Connected)
    prices = [str(event.price) for event in got[1:] if isinstance(event, tq.Trade)]
    assert ["1.50", "2", "3"] == prices


async def test_entering_waits_for_the_confirmation(autojump_clock: trio.testing.MockClock) -> None:
    connector = FakeConnector()
    entered = trio.Event()

    async def enter() -> None:
        async with session(ToyVenue(), connector, tq.Trades("A")):
            entered.set()

    with trio.fail_after(DEADLINE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(enter)
            line = await connector.accept()
            assert b'"sub"' in await line.heard.receive()
            await trio.testing.wait_all_tasks_blocked()
            assert not entered.is_set()
            line.say(ack("A"))
            await entered.wait()


async def test_entering_raises_what_the_venue_refused(autojump_clock: trio.testing.MockClock) -> None:
    connector = FakeConnector()

    async def refuse() -> None:
        line = await connector.accept()
        await line.heard.receive()
        line.say(note("refuse"))

    with trio.fail_after(DEADLINE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(refuse)
            with pytest.raises(tq.SubscriptionRejected, match="no such thing"):
                async with session(ToyVenue(), connector, tq.Trades("A")):
                    raise AssertionError("entered")


async def test_refused_credentials_raise_authentication_failed(
    autojump_clock: trio.testing.MockClock,
) -> None:
    connector = FakeConnector()

    async def refuse() -> None:
        line = await connector.accept()
        await line.heard.receive()
        line.say(note("denied"))

    with trio.fail_after(DEADLINE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(refuse)
            with pytest.raises(tq.AuthenticationFailed, match="wrong key"):
                async with session(ToyVenue(), connector, tq.Trades("A")):
                    raise AssertionError("entered")


async def test_entering_gives_up_after_the_connect_timeout(autojump_clock: trio.testing.MockClock) -> None:
    connector = FakeConnector()
    connector.failures = [Failure("connect", "connection refused")] * 50
    start_s = trio.current_time()
    with trio.fail_after(DEADLINE_S), pytest.raises(tq.ConnectFailed, match="connection refused"):
        async with session(ToyVenue(), connector, tq.Trades("A"), connect_timeout_s=10.0):
            raise AssertionError("entered")
    assert trio.current_time() - start_s == pytest.approx(10.0, abs=0.2)


async def test_a_fatal_verdict_on_entering_is_raised_at_once(autojump_clock: trio.testing.MockClock) -> None:
    connector = FakeConnector()
    connector.failures = [Failure("handshake", "401", status=401)]
    with trio.fail_after(DEADLINE_S), pytest.raises(tq.AuthenticationFailed, match="toy says no"):
        async with session(ToyVenue(), connector, tq.Trades("A")):
            raise AssertionError("entered")
    assert len(connector.connects_s) == 1


async def test_a_lost_line_is_said_and_resubscribed(autojump_clock: trio.testing.MockClock) -> None:
    async with opened(ToyVenue(), tq.Trades("A")) as (stream, connector, line):
        line.say(tick(1))
        line.drop()
        second = await connector.accept()
        assert b'"sub"' in await second.heard.receive()
        second.say(tick(2))
        kinds = [type(await stream.receive()).__name__ for _ in range(6)]
    assert ["Connected", "Trade", "Disconnected", "Gap", "Connected", "Trade"] == kinds


async def test_the_gap_comes_before_the_reconnect(autojump_clock: trio.testing.MockClock) -> None:
    async with opened(ToyVenue(), tq.Trades("A")) as (stream, connector, line):
        await stream.receive()
        connector.failures = [Failure("connect", "refused")] * 3
        line.drop()
        lost_s = trio.current_time()
        notices = [await stream.receive(), await stream.receive()]
        assert trio.current_time() == lost_s
        assert [tq.Disconnected, tq.Gap] == [type(notice) for notice in notices]
        await connector.accept()
        assert isinstance(await stream.receive(), tq.Connected)


async def test_after_a_healthy_line_the_waits_between_refused_connects_grow(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with opened(ToyVenue(), tq.Trades("A")) as (_, connector, line):
        line.say(tick(1))
        await trio.sleep(120)
        connector.failures = [Failure("connect", "refused")] * 10
        line.drop()
        await connector.accept()
        waits_s = [b - a for a, b in itertools.pairwise(connector.connects_s[1:])]
    assert waits_s[0] < 3.0
    assert all(wait_s >= 4.0 for wait_s in waits_s[4:])


async def test_a_server_that_accepts_and_closes_is_not_stormed(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with opened(ToyVenue(), tq.Trades("A")) as (_, connector, line):
        line.drop()
        with trio.move_on_after(600):
            while True:
                flapping = await connector.accept()
                flapping.say(tick(1))
                flapping.drop()
        times_s = connector.connects_s
    assert max(sum(1 for b in times_s if a <= b <= a + 60) for a in times_s) <= 20


async def test_the_bodys_exception_leaves_bare_and_nothing_reconnects(
    autojump_clock: trio.testing.MockClock,
) -> None:
    connector = FakeConnector(auto_ack=True)
    with trio.fail_after(DEADLINE_S), pytest.raises(KeyError, match="mine"):
        async with session(ToyVenue(), connector, tq.Trades("A")):
            raise KeyError("mine")
    assert len(connector.connects_s) == 1
    assert not connector.open_lines


async def test_a_group_from_the_bodys_nursery_stays_that_group(
    autojump_clock: trio.testing.MockClock,
) -> None:
    connector = FakeConnector(auto_ack=True)

    async def fail() -> None:
        raise KeyError("mine")

    with trio.fail_after(DEADLINE_S), pytest.raises(ExceptionGroup) as caught:
        async with session(ToyVenue(), connector, tq.Trades("A")), trio.open_nursery() as nursery:
            nursery.start_soon(fail)
    assert [KeyError] == [type(error) for error in caught.value.exceptions]


async def test_a_dying_session_cancels_the_body_and_raises_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    connector = FakeConnector(auto_ack=True)
    with trio.fail_after(DEADLINE_S), pytest.raises(tq.AuthenticationFailed, match="toy says no"):
        async with session(ToyVenue(), connector, tq.Trades("A")), trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            line = await connector.accept()
            connector.failures = [Failure("handshake", "401", status=401)]
            line.drop()
            await trio.sleep_forever()


async def test_the_bodys_own_exception_goes_first_with_a_note(autojump_clock: trio.testing.MockClock) -> None:
    connector = FakeConnector(auto_ack=True)
    with trio.fail_after(DEADLINE_S), pytest.raises(KeyError) as caught:
        async with session(ToyVenue(), connector, tq.Trades("A")):
            line = await connector.accept()
            connector.failures = [Failure("handshake", "401", status=401)]
            line.drop()
            try:
                await trio.sleep_forever()
            finally:
                raise KeyError("mine")
    assert any("AuthenticationFailed" in text for text in caught.value.__notes__)


async def test_cancelled_from_outside_leaves_at_once_without_goodbye(
    autojump_clock: trio.testing.MockClock,
) -> None:
    connector = FakeConnector(auto_ack=True)
    with trio.fail_after(DEADLINE_S):
        with trio.move_on_after(5) as scope:
            async with session(ToyVenue(), connector, tq.Trades("A")):
                line = await connector.accept()
                await trio.sleep_forever()
        assert scope.cancelled_caught
        assert trio.current_time() == pytest.approx(5.0, abs=0.01)
        assert not line.polite
        assert not connector.open_lines


async def test_leaving_says_goodbye(autojump_clock: trio.testing.MockClock) -> None:
    async with opened(ToyVenue(), tq.Trades("A")) as (_, connector, line):
        assert connector.open_lines
    assert line.polite
    assert not connector.open_lines


async def test_a_bug_is_an_internal_error_and_no_reconnect_loop(
    autojump_clock: trio.testing.MockClock,
) -> None:
    venue = ToyVenue()
    venue.crash_on = b"666"
    connector = FakeConnector(auto_ack=True)
    with trio.fail_after(DEADLINE_S), pytest.raises(tq.InternalError) as caught:
        async with session(venue, connector, tq.Trades("A")):
            (await connector.accept()).say(tick(666))
            await trio.sleep_forever()
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert len(connector.connects_s) == 1


async def test_a_tick_that_leaves_its_deadline_behind_is_an_internal_error(
    autojump_clock: trio.testing.MockClock,
) -> None:
    venue = ToyVenue(beat_s=5.0)
    venue.stuck_beat = True
    with pytest.raises(tq.InternalError):
        async with opened(venue, tq.Trades("A")):
            await trio.sleep_forever()


async def test_a_silent_line_is_pinged_then_given_up(autojump_clock: trio.testing.MockClock) -> None:
    async with opened(ToyVenue(beat_s=5.0), tq.Trades("A")) as (stream, connector, line):
        await trio.sleep(7)
        assert line.pings == 1
        line.pong()
        await trio.sleep(5.5)
        assert line.pings == 2
        second = await connector.accept()
        assert second is not line
        kinds = [type(await stream.receive()).__name__ for _ in range(4)]
    assert ["Connected", "Disconnected", "Gap", "Connected"] == kinds


async def test_subscribe_returns_a_typed_channel_and_closing_it_withdraws(
    autojump_clock: trio.testing.MockClock,
) -> None:
    connector = FakeConnector(auto_ack=True)
    with trio.fail_after(DEADLINE_S):
        async with session(ToyVenue(), connector) as stream:
            assert not connector.connects_s
            channel = await stream.subscribe(Ticks("A"))
            line = await connector.accept()
            await line.heard.receive()
            line.say(tick("2.5"))
            await channel.receive()
            assert "2.5" == str((await channel.receive()).p)  # type: ignore[union-attr]
            other = await stream.subscribe(tq.Trades("B"))
            await line.heard.receive()
            await channel.aclose()
            assert b"unsub" in await line.heard.receive()
            line.say(tick(3), tick(4, "B"))
            assert isinstance(await other.receive(), tq.Trade)
            assert stream.statistics().count.ignored["withdrawn"] == 1


async def test_a_second_subscriber_sends_nothing(autojump_clock: trio.testing.MockClock) -> None:
    async with opened(ToyVenue(), tq.Trades("A")) as (stream, _, line):
        await line.heard.receive()
        second = await stream.subscribe(tq.Trades("A"))
        native = await stream.subscribe(Ticks("A"))
        line.say(tick(1))
        assert isinstance(await second.receive(), tq.Trade)
        assert not isinstance(await native.receive(), tq.Notice)
        await trio.sleep(20)
        assert line.heard.statistics().current_buffer_used == 0
        assert stream.statistics().count.delivered == 1


async def test_cancelling_subscribe_withdraws_it(autojump_clock: trio.testing.MockClock) -> None:
    connector = FakeConnector()
    with trio.fail_after(DEADLINE_S):
        async with session(ToyVenue(), connector) as stream:
            with trio.move_on_after(2):
                await stream.subscribe(tq.Trades("A"))
            assert not stream.statistics().channels


async def test_an_unanswered_subscribe_is_said_and_asked_again(
    autojump_clock: trio.testing.MockClock,
) -> None:
    connector = FakeConnector()
    with trio.fail_after(DEADLINE_S):
        async with session(ToyVenue(), connector) as stream, trio.open_nursery() as nursery:
            got: list[object] = []

            async def subscribe() -> None:
                channel = await stream.subscribe(tq.Trades("A"))
                got.extend([await channel.receive() for _ in range(3)])

            nursery.start_soon(subscribe)
            line = await connector.accept()
            await line.heard.receive()
            assert b"sub" in await line.heard.receive()  # asked again
            line.say(ack("A"), tick(1))
    assert [tq.Connected, tq.Rejected, tq.Trade] == [type(item) for item in got]
    assert not got[1].final  # type: ignore[attr-defined]


async def test_a_later_refusal_ends_that_topic_only(autojump_clock: trio.testing.MockClock) -> None:
    async with opened(ToyVenue(), tq.Trades("A"), tq.Trades("B")) as (stream, connector, line):
        channel = await stream.subscribe(tq.Books("A"))
        line.drop()
        second = await connector.accept()
        second.say(note("refuse", "A", "books"), note("refuse"))
        second.say(tick(1, "B"))
        with pytest.raises(tq.SubscriptionRejected):
            while True:
                await channel.receive()
        seen = []
        while not isinstance(item := await stream.receive(), tq.Trade):
            seen.append(item)
        assert any(isinstance(item, tq.Rejected) and item.final for item in seen)


async def test_a_lane_fatal_ends_its_topics_and_the_other_lane_lives_on(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with opened(ToyVenue(), tq.Trades("A")) as (stream, connector, line):
        connector.failures = [Failure("handshake", "400", status=400)]
        with pytest.raises(tq.AuthenticationFailed, match="this lane"):
            await stream.subscribe(tq.Trades("SOLO"))
        line.say(tick(5))
        await stream.receive()
        assert isinstance(await stream.receive(), tq.Trade)


async def test_credentials_are_asked_for_anew_at_each_connect(autojump_clock: trio.testing.MockClock) -> None:
    tokens = [tq.BearerToken(f"t{n}") for n in range(5)]
    venue = ToyVenue()

    async def provider() -> tq.Credentials:
        await trio.sleep(1)
        return tokens[len(venue.protocols)]

    async with opened(venue, tq.Trades("A"), credentials=provider) as (_, connector, line):
        line.drop()
        await connector.accept()
    assert tokens[:2] == [protocol.secrets for protocol in venue.protocols]


async def test_a_provider_that_fails_on_entering_is_an_authentication_failure(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def provider() -> tq.Credentials:
        raise RuntimeError("token server down")

    with pytest.raises(tq.AuthenticationFailed) as caught:
        async with opened(ToyVenue(), tq.Trades("A"), credentials=provider):
            raise AssertionError("entered")
    assert isinstance(caught.value.__cause__, RuntimeError)


class Provider:
    """A provider that keeps its token until it hears that it was refused."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.refusals: list[tq.Credentials] = []

    async def __call__(self) -> tq.Credentials:
        await trio.lowlevel.checkpoint()
        if self.errors:
            raise self.errors.pop(0)
        return tq.BearerToken(f"token {len(self.refusals)}")

    def refused(self, credentials: tq.Credentials) -> None:
        self.refusals.append(credentials)


async def test_a_provider_hears_that_its_credentials_were_refused(
    autojump_clock: trio.testing.MockClock,
) -> None:
    connector = FakeConnector(auto_ack=True)
    connector.failures = [Failure("handshake", "forbidden", status=403)]
    provider, venue = Provider(), ToyVenue()
    with trio.fail_after(DEADLINE_S):
        async with session(venue, connector, tq.Trades("A"), credentials=provider):
            assert [tq.BearerToken("token 0")] == provider.refusals
            assert tq.BearerToken("token 1") == venue.protocols[-1].secrets


async def test_a_providers_refusal_is_final_and_its_lost_line_is_not(
    autojump_clock: trio.testing.MockClock,
) -> None:
    connector = FakeConnector(auto_ack=True)
    with trio.fail_after(DEADLINE_S):
        provider = Provider(tq.ConnectFailed("token server down"))
        async with session(ToyVenue(), connector, tq.Trades("A"), credentials=provider):
            line = await connector.accept()
            provider.errors = [RuntimeError("hiccup")]
            line.drop()
            await connector.accept()
        with pytest.raises(tq.AuthenticationFailed, match="invalid_grant"):
            provider = Provider(tq.AuthenticationFailed("invalid_grant"))
            async with session(ToyVenue(), connector, tq.Trades("A"), credentials=provider):
                raise AssertionError("entered")


@pytest.mark.parametrize("status", [401, 400])
async def test_refused_credentials_are_renewed_once_and_then_fatal(
    status: int, autojump_clock: trio.testing.MockClock
) -> None:
    refusal = Failure("handshake", "unauthorized", status=status)
    connector = FakeConnector(auto_ack=True)
    connector.failures = [refusal]
    provider, venue = Provider(), ToyVenue()
    with trio.fail_after(DEADLINE_S), pytest.raises(tq.AuthenticationFailed, match="says no"):
        async with session(venue, connector, tq.Trades("A"), credentials=provider) as stream:
            line = await connector.accept()
            assert [protocol.secrets for protocol in venue.protocols] == [
                tq.BearerToken("token 0"),
                tq.BearerToken("token 1"),
            ]
            line.say(tick(1))
            await trio.testing.wait_all_tasks_blocked()
            connector.failures = [refusal]
            line.drop()  # what served may be renewed again
            line = await connector.accept()
            connector.failures = [refusal, refusal]
            line.say(tick(2))
            await trio.testing.wait_all_tasks_blocked()
            line.drop()
            async for _ in stream:
                pass
    assert len(provider.refusals) == 3
    assert len(connector.connects_s) == 6


async def test_requests_connects_and_rest_of_all_sessions_share_one_window(
    autojump_clock: trio.testing.MockClock,
) -> None:
    limits = (Budget("all", 6, 30.0, "ip", frozenset({"connect", "send", "ping", "rest"})),)
    budgets = tq.Budgets()
    spent_s: list[float] = []

    class Counting(FakeConnector):
        @asynccontextmanager
        async def line(self, target: Target) -> AsyncIterator[FakeLine]:
            spent_s.append(trio.current_time())
            async with super().line(target) as line:
                send = line.send

                async def counted(frame: bytes) -> None:
                    spent_s.append(trio.current_time())
                    await send(frame)

                line.send = counted  # type: ignore[method-assign]  # looked on
                yield line

    connectors = [Counting(auto_ack=True) for _ in range(3)]

    async def run(connector: Counting) -> None:
        topics = tq.Trades("A"), tq.Trades("B"), Fetched("A"), tq.Trades("SOLO")
        made = session(ToyVenue(budgets=limits), connector, *topics, budgets=budgets, connect_timeout_s=600.0)
        async with made:
            for line in list(connector.open_lines):
                line.drop()
            await trio.sleep(120)

    with trio.fail_after(DEADLINE_S):
        async with trio.open_nursery() as nursery:
            for connector in connectors:
                nursery.start_soon(run, connector)
    every = sorted(spent_s + [at_s for connector in connectors for at_s in connector.fetches_s])
    assert len(every) >= 3 * 6
    assert max(sum(1 for b in every if a <= b <= a + 30.0) for a in every) <= 6


async def test_connects_to_a_server_that_flaps_are_jittered(autojump_clock: trio.testing.MockClock) -> None:
    waits: list[list[float]] = []
    for _ in range(2):
        async with opened(ToyVenue(), tq.Trades("A")) as (stream, connector, line):
            line.say(tick(1))
            line.drop()
            with trio.move_on_after(1200):
                while True:
                    flapping = await connector.accept()
                    flapping.say(tick(1))
                    flapping.drop()
            times_s = connector.connects_s
            assert max(sum(1 for b in times_s if a <= b <= a + 60) for a in times_s) <= 20
            assert stream.statistics().lanes[0].reconnects == len(times_s) - 1
            waits.append([round(b - a, 3) for a, b in itertools.pairwise(times_s)])
    assert len(set(waits[0])) > len(waits[0]) * 0.9, "no two waits alike"
    assert waits[0][:5] != waits[1][:5], "nor two sessions"


async def test_renewal_without_a_provider_is_fatal(autojump_clock: trio.testing.MockClock) -> None:
    connector = FakeConnector()
    connector.failures = [Failure("handshake", "forbidden", status=403)]
    with trio.fail_after(DEADLINE_S), pytest.raises(tq.AuthenticationFailed, match="forbidden"):
        async with session(ToyVenue(), connector, tq.Trades("A"), credentials=tq.BearerToken("x")):
            raise AssertionError("entered")


async def test_three_messages_too_large_in_a_row_end_the_session(
    autojump_clock: trio.testing.MockClock,
) -> None:
    connector = FakeConnector(auto_ack=True)
    gaps = []
    with trio.fail_after(DEADLINE_S), pytest.raises(tq.MessageTooLarge, match="max_message_bytes"):
        async with session(ToyVenue(), connector, tq.Trades("A")) as stream:
            await connector.accept()
            connector.failures = [Failure("stream", "too large", close_code=1009, too_large=True)] * 3
            connector.open_lines[0].drop()
            async for event in stream:
                gaps.append(event)
    assert len(connector.connects_s) == 4


async def test_the_venues_budget_spaces_requests_and_connects(autojump_clock: trio.testing.MockClock) -> None:
    budgets = (
        Budget("requests", 2, 10.0, "connection", frozenset({"send"})),
        Budget("connects", 1, 30.0, "ip", frozenset({"connect"})),
    )
    topics = [tq.Trades(name) for name in "ABCDE"]
    async with opened(ToyVenue(budgets=budgets), *topics, connect_timeout_s=60.0) as (
        stream,
        connector,
        line,
    ):
        assert trio.current_time() >= 20.0
        line.drop()
        await connector.accept()
        assert connector.connects_s[1] - connector.connects_s[0] >= 30.0
        assert {budget.name for budget in stream.statistics().budgets} == {"connects"}


async def test_control_frames_go_before_requests(autojump_clock: trio.testing.MockClock) -> None:
    budgets = (Budget("all", 3, 10.0, "connection", frozenset({"send", "ping"}), reserve=1),)
    async with opened(ToyVenue(budgets=budgets), tq.Trades("A"), tq.Trades("B")) as (stream, _, line):
        heard = [await line.heard.receive() for _ in range(2)]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.subscribe, tq.Trades("C"))
            await trio.testing.wait_all_tasks_blocked()
            line.say(note("ping"))
            heard.append(await line.heard.receive())
            assert b"pong" in heard[-1]
            assert trio.current_time() < 1.0


async def test_a_planned_replacement_reconnects_without_backoff(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with opened(ToyVenue(), tq.Trades("A")) as (stream, connector, line):
        line.say(note("replace"))
        await connector.accept()
        assert trio.current_time() < 0.01
        assert line.polite
        seen = [await stream.receive() for _ in range(4)]
    assert isinstance(seen[1], tq.Disconnected)
    assert seen[1].planned
    assert isinstance(seen[2], tq.Gap)


async def test_a_fetch_confirms_its_topic(autojump_clock: trio.testing.MockClock) -> None:
    async with opened(ToyVenue()) as (stream, connector, _):
        await (await stream.subscribe(Fetched("A"))).aclose()
        await trio.sleep(1)
        connector.fetch_reply = Failure("handshake", "HTTP 500", status=500)
        with pytest.raises(tq.SubscriptionRejected, match="HTTP 500"):
            await stream.subscribe(Fetched("A"))
        connector.fetch_reply = Reply(200)


async def test_unsubscribing_ends_the_channels_of_that_topic(autojump_clock: trio.testing.MockClock) -> None:
    async with opened(ToyVenue(), tq.Trades("A")) as (stream, _, line):
        channel = await stream.subscribe(tq.Trades("B/"))
        await stream.unsubscribe(tq.Trades("B"))
        with pytest.raises(trio.EndOfChannel):
            await channel.receive()
        with pytest.raises(tq.UsageError, match="nothing is subscribed"):
            await stream.unsubscribe(tq.Trades("B"))
        line.say(tick(1, "B"), tick(1))
        await stream.receive()
        assert isinstance(await stream.receive(), tq.Trade)


async def test_four_tasks_show_in_the_task_tree(autojump_clock: trio.testing.MockClock) -> None:
    names: set[str] = set()

    def walk(task: trio.lowlevel.Task) -> None:
        names.add(task.name)
        for nursery in task.child_nurseries:
            for child in nursery.child_tasks:
                walk(child)

    async with opened(ToyVenue(), tq.Trades("A")):
        root = trio.lowlevel.current_root_task()
        assert root is not None
        walk(root)
    wanted = {f"toy/main/{task}" for task in ("supervisor", "read", "write", "beat", "resubscribe")}
    assert wanted <= names


async def test_a_stream_without_topics_cannot_be_iterated(autojump_clock: trio.testing.MockClock) -> None:
    async with opened(ToyVenue()) as (stream, _, _):
        with pytest.raises(tq.UsageError, match="without topics"):
            stream.__aiter__()
        with pytest.raises(tq.UsageError, match="without topics"):
            stream.receive_nowait()


async def test_a_session_is_entered_once_at_a_time_and_again_afterwards(
    autojump_clock: trio.testing.MockClock,
) -> None:
    connector = FakeConnector(auto_ack=True)
    recipe = session(ToyVenue(), connector, tq.Trades("A"))
    with trio.fail_after(DEADLINE_S):
        async with recipe:
            with pytest.raises(tq.UsageError, match="entered already"):
                await recipe.__aenter__()
        async with recipe as stream:
            assert isinstance(await stream.receive(), tq.Connected)
    with pytest.raises(tq.UsageError, match="not entered"):
        await recipe.__aexit__(None, None, None)


async def test_books_follow_gap_snapshot_resynced(autojump_clock: trio.testing.MockClock) -> None:
    async with opened(ToyVenue(), tq.Books("A")) as (stream, _, line):
        await line.heard.receive()
        line.say(book([("1", "1")], [("3", "1")], whole=True), book([("2", "1")], []))
        line.say(book([("4", "1")], []))  # crosses
        assert b"unsub" in await line.heard.receive()
        assert b'"sub"' in await line.heard.receive()
        line.say(book([("2", "2")], []), book([("1", "1")], [("3", "1")], whole=True), book([("2", "1")], []))
        kinds = [type(await stream.receive()).__name__ for _ in range(7)]
        late = await stream.subscribe(tq.Books("A"))
        caught_up = [type(await late.receive()).__name__ for _ in range(3)]
    assert [
        "Connected",
        "BookSnapshot",
        "BookChange",
        "Gap",
        "BookSnapshot",
        "Resynced",
        "BookChange",
    ] == kinds
    assert ["Gap", "BookSnapshot", "Resynced"] == caught_up


async def test_a_topic_that_needs_a_book_snapshot_already_past_gets_one(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with opened(ToyVenue()) as (stream, connector, _):
        channel = await stream.subscribe(tq.Books("A"))
        line = await connector.accept()
        line.say(book([("1", "1")], [("3", "1")], whole=True))
        assert isinstance(await channel.receive(), tq.Connected)
        assert isinstance(await channel.receive(), tq.BookSnapshot)
        quotes = await stream.subscribe(tq.Quotes("A"))  # starts from the book that is kept
        first = await quotes.receive()
        assert isinstance(first, tq.Quote)
        assert str(first.bid) == "1"
        await quotes.aclose()
        await channel.aclose()
        again = await stream.subscribe(tq.Books("A"))  # before the withdrawal went out
        for verb in (b'"sub"', b'"unsub"', b'"sub"'):
            assert verb in await line.heard.receive()
        line.say(book([("1", "1")], [("4", "1")], whole=True))
        assert isinstance(await again.receive(), tq.BookSnapshot)


async def test_a_line_that_is_no_longer_needed_lingers_then_says_goodbye(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with opened(ToyVenue()) as (stream, connector, _):
        await (await stream.subscribe(tq.Trades("A"))).aclose()
        line = await connector.accept()
        await trio.sleep(3)
        await (await stream.subscribe(tq.Trades("B"))).aclose()
        await trio.sleep(4)
        assert connector.open_lines == [line]
        await trio.sleep(2)
        assert not connector.open_lines
        assert line.polite
        await stream.subscribe(tq.Trades("A"))
        assert await connector.accept() is not line


async def test_sessions_merge_into_one_feed(autojump_clock: trio.testing.MockClock) -> None:
    one, two = FakeConnector(auto_ack=True), FakeConnector(auto_ack=True)
    with trio.fail_after(DEADLINE_S):
        async with tq.open_feed(
            session(ToyVenue(), one, tq.Trades("A")), session(ToyVenue(), two, tq.Trades("B"))
        ) as feed:
            (await one.accept()).say(tick(1))
            (await two.accept()).say(tick(2, "B"))
            seen: list[str] = []
            async for event in feed:
                if isinstance(event, tq.Trade):
                    seen.append(event.instrument)
                    if len(seen) == 2:
                        break
    assert {"A", "B"} == set(seen)
    with pytest.raises(tq.UsageError, match="at least one"):
        async with tq.open_feed():
            raise AssertionError("entered")


def test_wrong_calls_are_refused_before_any_io() -> None:
    venue = ToyVenue()
    with pytest.raises(tq.UnknownVenue, match="nowhere"):
        tq.Session("nowhere")
    with pytest.raises(tq.UnknownEndpoint, match="production"):
        tq.Session(venue, endpoint="moon")
    with pytest.raises(tq.UnknownEndpoint, match="Port out of range"):
        tq.Session(venue, endpoint="ws://127.0.0.1:99999")
    with pytest.raises(tq.InvalidInstrument):
        tq.Session(venue, tq.Trades("lower"))
    with pytest.raises(tq.UnsupportedTopic):
        tq.Session(venue, tq.Candles("A"))
    with pytest.raises(tq.UsageError, match="latest"):
        tq.Session(venue, tq.Trades("A"), overflow="latest")
    with pytest.raises(tq.UsageError, match="overflow"):
        tq.Session(venue, tq.Trades("A"), overflow="wait")  # type: ignore[arg-type]
    with pytest.raises(tq.UsageError, match="positive"):
        tq.Session(venue, connect_timeout_s=0)
    with pytest.raises(tq.UsageError, match="buffer"):
        tq.Session(venue, buffer=0)
    assert "toy" in repr(tq.Session(venue, tq.Trades("A")))
