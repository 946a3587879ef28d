"""The ledger of a lane: what is wanted, asked, confirmed, and what waits for its time."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from trioquotes._protocol.effects import Fetch, HttpRequest, Send, WireChannel
from trioquotes._protocol.ledger import RETRY_CAP_S, Expired, Ledger

A, B, C = (WireChannel("trades", name) for name in "ABC")
ALL = [WireChannel("trades", name) for name in "ABCDEF"]


def send(
    number: int = 1,
    *,
    asks: Iterable[WireChannel] = (),
    withdraws: Iterable[WireChannel] = (),
    resyncs: Iterable[WireChannel] = (),
    within_s: float = 10.0,
) -> Send:
    return Send(
        b"{}",
        number,
        asks=frozenset(asks),
        withdraws=frozenset(withdraws),
        resyncs=frozenset(resyncs),
        answer_within_s=within_s,
    )


def ledger_with(*channels: WireChannel, confirmed: bool = True) -> Ledger:
    """A ledger on a connection on which these were asked at second 0."""
    ledger = Ledger()
    ledger.want(channels)
    ledger.connected()
    ledger.expire(0.0)
    ledger.sent(send(asks=channels), 0.0)
    if confirmed:
        ledger.confirm(channels)
    return ledger


def test_wishes_are_asked_in_the_order_they_came() -> None:
    ledger = Ledger()
    ledger.want([B, A])
    ledger.want([C, A, B])
    assert list(ledger.to_ask) == [B, A, C]
    assert ledger.wanted == {A, B, C}
    assert ledger.wanted_any


def test_asked_and_confirmed_are_two_steps() -> None:
    ledger = ledger_with(A, B, confirmed=False)
    assert (set(ledger.asked), ledger.pending, ledger.confirmed) == ({A, B}, {A, B}, set())
    assert ledger.confirm([A]) == [A]
    assert ledger.confirm([A]) == []
    assert (ledger.pending, ledger.confirmed) == ({B}, {A})
    assert [effect.id for effect in ledger.in_flight] == [1]
    ledger.confirm([B])
    assert ledger.in_flight == []
    assert ledger.deadline() == math.inf


def test_unsubscribing_withdraws_in_the_order_of_asking() -> None:
    ledger = ledger_with(A, B, C)
    ledger.want([B])
    assert list(ledger.to_withdraw) == [A, C]
    ledger.sent(send(2, withdraws=[A, C]), 1.0)
    assert list(ledger.to_withdraw) == []
    assert set(ledger.asked) == {B}


def test_a_reconnect_asks_for_everything_again() -> None:
    ledger = ledger_with(A, B)
    ledger.resync(A, 1.0)
    ledger.connected()
    assert list(ledger.to_ask) == [A, B]
    assert (dict(ledger.resyncing), ledger.in_flight, ledger.deadline()) == ({}, [], math.inf)


def test_the_refused_is_not_asked_again_until_it_is_wished_for_anew() -> None:
    ledger = ledger_with(A, B, confirmed=False)
    assert ledger.reject(A)
    assert not ledger.reject(A)
    assert list(ledger.to_ask) == []
    assert ledger.wanted == {B}
    ledger.connected()
    assert list(ledger.to_ask) == [B]
    ledger.want([B])
    ledger.want([B, A])
    assert list(ledger.to_ask) == [B, A]


def test_a_lane_with_nothing_but_refusals_is_not_needed() -> None:
    ledger = ledger_with(A, confirmed=False)
    ledger.reject(A)
    assert not ledger.wanted_any


def test_a_refusal_of_what_nobody_wants_is_no_news() -> None:
    ledger = ledger_with(A)
    assert not ledger.reject(B)
    assert list(ledger.to_ask) == []


def test_a_voided_companion_is_asked_again_at_once() -> None:
    ledger = ledger_with(A, B, confirmed=False)
    ledger.reject(A)
    ledger.retry([B, C])
    assert list(ledger.to_ask) == [B]
    assert ledger.in_flight == []


def test_the_unanswered_is_asked_again_with_growing_delays() -> None:
    ledger = ledger_with(A, confirmed=False)
    now_s, delays = 0.0, []
    for number in range(2, 12):
        now_s = ledger.deadline()
        assert ledger.expire(now_s) == Expired((A,), True)
        assert ledger.wanted == set()
        assert ledger.in_flight == []
        delays.append(ledger.deadline() - now_s)
        now_s = ledger.deadline()
        assert ledger.expire(now_s).released
        assert list(ledger.to_ask) == [A]
        ledger.sent(send(number, asks=[A]), now_s)
    assert delays == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0, 60.0]


def test_delays_go_on_growing_over_reconnects_and_begin_anew_after_an_answer() -> None:
    ledger = ledger_with(A, confirmed=False)
    ledger.expire(10.0)
    ledger.connected()
    assert list(ledger.to_ask) == [A]  # a new line may be tried at once
    ledger.sent(send(2, asks=[A]), 10.0)
    ledger.expire(20.0)
    assert ledger.deadline() == 22.0
    ledger.expire(22.0)
    ledger.sent(send(3, asks=[A]), 22.0)
    ledger.confirm([A])
    ledger.retry([A])
    ledger.sent(send(4, asks=[A]), 23.0)
    ledger.expire(33.0)
    assert ledger.deadline() == 34.0


def test_what_was_calm_for_long_begins_with_the_first_delay() -> None:
    ledger = ledger_with(A, confirmed=False)
    ledger.expire(10.0)
    ledger.expire(11.0)
    ledger.sent(send(2, asks=[A], within_s=500.0), 11.0)
    ledger.expire(511.0)
    assert ledger.deadline() == 512.0


def test_each_channel_has_its_own_time_to_be_answered() -> None:
    ledger = Ledger()
    ledger.want([A, B])
    ledger.sent(send(1, asks=[A]), 0.0)
    ledger.sent(send(2, withdraws=[A]), 1.0)
    ledger.sent(send(3, asks=[A, B]), 5.0)
    assert ledger.expire(10.0) == Expired((), True)  # the first request is over, its channel is not
    assert ledger.pending == {A, B}
    assert ledger.expire(15.0).unanswered == (A, B)


def test_an_answered_request_still_owes_its_channels() -> None:
    ledger = ledger_with(A, confirmed=False)
    ledger.answered(1)
    ledger.answered(77)
    assert ledger.in_flight == []
    assert ledger.deadline() == 10.0
    assert ledger.expire(10.0).unanswered == (A,)


def test_an_answer_after_its_time_counts() -> None:
    ledger = ledger_with(A, confirmed=False)
    ledger.expire(10.0)
    assert ledger.confirm([A]) == [A]
    assert (ledger.confirmed, list(ledger.to_ask), ledger.deadline()) == ({A}, [], math.inf)


def test_an_answer_to_what_is_no_longer_wanted_makes_it_withdrawn() -> None:
    ledger = ledger_with(A, B, confirmed=False)
    ledger.expire(10.0)
    ledger.want([B])
    assert list(ledger.to_withdraw) == []
    ledger.confirm([A])
    assert list(ledger.to_withdraw) == [A]


def test_what_is_no_longer_wanted_stays_asked_when_its_time_is_over() -> None:
    ledger = ledger_with(A, B, confirmed=False)
    ledger.want([B])
    assert ledger.expire(10.0).unanswered == (B,)
    assert list(ledger.to_withdraw) == [A]
    assert ledger.deadline() == 11.0
    ledger.want([B, A])
    assert list(ledger.to_ask) == [A]  # wished for again: the old answer will not come


def test_connecting_alone_may_bring_a_channel() -> None:
    ledger = Ledger()
    ledger.want([A])
    ledger.connected()
    assert ledger.confirm([A, B]) == [A]
    assert list(ledger.to_ask) == []


def test_what_was_withdrawn_or_refused_is_not_believed_to_be_served() -> None:
    ledger = ledger_with(A, B)
    ledger.sent(send(2, withdraws=[A]), 1.0)
    ledger.reject(B)
    assert ledger.confirm([A, B]) == []
    assert list(ledger.to_ask) == [A]
    ledger.sent(send(3, asks=[A]), 2.0)
    assert ledger.confirm([A]) == [A]


def test_postponing_is_for_what_is_asked_and_wanted() -> None:
    ledger = ledger_with(A, B)
    ledger.want([A])
    assert not ledger.postpone(C, 1.0)
    assert not ledger.postpone(B, 1.0)
    assert ledger.postpone(A, 1.0)
    assert not ledger.postpone(A, 1.0)
    assert ledger.deadline() == 2.0


def test_wishes_that_end_take_their_delays_with_them() -> None:
    ledger = ledger_with(A, confirmed=False)
    ledger.expire(10.0)
    ledger.want([])
    assert ledger.deadline() == math.inf
    ledger.want([A])
    assert list(ledger.to_ask) == [A]


def test_a_resync_shows_until_a_request_brings_it() -> None:
    ledger = ledger_with(A, B)
    ledger.resync(A, 5.0)
    ledger.resync(A, 5.0)
    assert dict(ledger.resyncing) == {A: 1}
    ledger.sent(send(2, resyncs=[A]), 5.0)
    assert dict(ledger.resyncing) == {}
    assert ledger.deadline() == 15.0
    ledger.resynced(A)
    ledger.answered(2)
    assert ledger.deadline() == math.inf


def test_a_snapshot_that_does_not_come_is_asked_for_again() -> None:
    ledger = ledger_with(A)
    ledger.resync(A, 0.0)
    ledger.sent(send(2, resyncs=[A]), 0.0)
    ledger.expire(10.0)
    assert dict(ledger.resyncing) == {}
    assert ledger.deadline() == 11.0
    ledger.expire(11.0)
    assert dict(ledger.resyncing) == {A: 2}


def test_resyncs_are_spaced_out_up_to_a_cap_and_forgiven_after_calm() -> None:
    ledger = ledger_with(A)
    now_s, waits = 100.0, []
    for number in range(2, 12):
        ledger.resync(A, now_s)
        due_s = now_s if ledger.resyncing else ledger.deadline()
        waits.append(due_s - now_s)
        ledger.expire(due_s)
        ledger.sent(send(number, resyncs=[A]), due_s)
        ledger.resynced(A)
        ledger.answered(number)
        now_s = due_s
    assert waits == [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]
    ledger.expire(now_s + 200.0)
    ledger.resync(A, now_s + 200.0)
    assert list(ledger.resyncing) == [A]


def test_a_resync_by_withdrawal_is_asked_again() -> None:
    ledger = ledger_with(A)
    ledger.resync(A, 0.0)
    ledger.sent(send(2, withdraws=[A]), 0.0)
    assert (dict(ledger.resyncing), list(ledger.to_ask)) == ({}, [A])
    ledger.sent(send(3, asks=[A], resyncs=[A]), 0.0)
    ledger.confirm([A])
    assert ledger.deadline() == 10.0  # the snapshot is still owed
    ledger.resynced(A)
    ledger.answered(2)
    assert ledger.deadline() == math.inf


@pytest.mark.parametrize("end", ["reject", "retry", "postpone", "want", "withdraw"])
def test_what_is_no_longer_asked_needs_no_resync(end: str) -> None:
    ledger = ledger_with(A)
    ledger.resync(A, 0.0)
    match end:
        case "reject":
            ledger.reject(A)
        case "retry":
            ledger.retry([A])
        case "postpone":
            ledger.postpone(A, 0.0)
        case "want":
            ledger.want([])
        case _:
            ledger.sent(send(2, withdraws=[A]), 0.0)
    assert dict(ledger.resyncing) == {}
    ledger.resync(A, 0.0)
    ledger.expire(500.0)
    assert dict(ledger.resyncing) == {}


def test_a_lost_snapshot_of_a_channel_that_went_is_forgotten() -> None:
    ledger = Ledger()
    ledger.want([A])
    ledger.sent(send(1, resyncs=[A]), 0.0)
    ledger.expire(10.0)
    assert ledger.deadline() == math.inf


def test_a_request_that_asks_for_nothing_is_answered_by_its_own_answer() -> None:
    ledger = ledger_with(A, confirmed=False)
    ledger.sent(send(2, resyncs=[A]), 1.0)
    ledger.confirm([A])
    assert [effect.id for effect in ledger.in_flight] == [2]
    ledger.answered(2)
    assert ledger.in_flight == []


def test_a_fetch_asks_and_resyncs_by_its_own_timeout() -> None:
    ledger = Ledger()
    ledger.want([A])
    fetch = Fetch(1, HttpRequest("https://x"), asks=frozenset({A}), timeout_s=3.0)
    ledger.sent(fetch, 0.0)
    assert ledger.in_flight == [fetch]
    assert ledger.expire(3.0).unanswered == (A,)


def test_time_that_brings_nothing_releases_nothing() -> None:
    ledger = ledger_with(A)
    assert ledger.expire(5.0) == Expired((), False)


class LedgerAgainstModel(RuleBasedStateMachine):
    """Random dialogues against a model that keeps one word per channel."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.now_s = 0.0
        self.number = 0
        self.wanted: list[WireChannel] = []
        self.refused: set[WireChannel] = set()
        self.asked: dict[WireChannel, bool] = {}
        self.held: set[WireChannel] = set()
        self.given_up: set[WireChannel] = set()  # asked, not answered, and nobody wanted it then

    @initialize()
    def begin(self) -> None:
        self.ledger.connected()
        self.ledger.expire(self.now_s)

    def now_wanted(self) -> set[WireChannel]:
        return {c for c in self.wanted if c not in self.refused and c not in self.held}

    @rule(channels=st.sets(st.sampled_from(ALL)))
    def want(self, channels: set[WireChannel]) -> None:
        self.ledger.want(sorted(channels))
        for channel in channels - set(self.wanted):
            if channel in self.given_up and not self.asked.get(channel, True):
                del self.asked[channel]
        self.given_up -= channels
        self.wanted = [c for c in self.wanted if c in channels] + sorted(channels - set(self.wanted))
        self.refused &= channels
        self.held &= channels

    @precondition(lambda self: self.ledger.to_ask)
    @rule(data=st.data())
    def ask(self, data: st.DataObject) -> None:
        some = data.draw(st.sets(st.sampled_from(list(self.ledger.to_ask)), min_size=1))
        self.number += 1
        # Never overdue within a step: the model has no clock for answers.
        self.ledger.sent(send(self.number, asks=some, within_s=1e9), self.now_s)
        self.asked |= dict.fromkeys(sorted(some), False)

    @precondition(lambda self: self.ledger.to_withdraw)
    @rule()
    def withdraw(self) -> None:
        gone = list(self.ledger.to_withdraw)
        self.number += 1
        self.ledger.sent(send(self.number, withdraws=gone), self.now_s)
        for channel in gone:
            del self.asked[channel]
            self.given_up.discard(channel)

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def confirm(self, data: st.DataObject) -> None:
        channel = data.draw(st.sampled_from(sorted(self.asked)))
        assert self.ledger.confirm([channel]) == ([] if self.asked[channel] else [channel])
        self.asked[channel] = True

    @rule(channel=st.sampled_from(ALL))
    def reject(self, channel: WireChannel) -> None:
        news = channel in self.wanted and channel not in self.refused
        assert self.ledger.reject(channel) == news
        self.asked.pop(channel, None)
        self.given_up.discard(channel)
        self.held.discard(channel)
        if channel in self.wanted:
            self.refused.add(channel)

    @rule(channel=st.sampled_from(ALL))
    def no_answer(self, channel: WireChannel) -> None:
        known = channel in self.asked and channel in self.wanted
        assert self.ledger.postpone(channel, self.now_s) == known
        if known:
            del self.asked[channel]
            self.held.add(channel)
        elif channel in self.asked:
            self.given_up.add(channel)

    @rule(channels=st.sets(st.sampled_from(ALL)))
    def retry(self, channels: set[WireChannel]) -> None:
        self.ledger.retry(channels)
        for channel in channels:
            self.asked.pop(channel, None)
        self.given_up -= channels

    @rule(channel=st.sampled_from(ALL))
    def resync(self, channel: WireChannel) -> None:
        self.ledger.resync(channel, self.now_s)

    @rule()
    def bring_snapshots(self) -> None:
        self.number += 1
        self.ledger.sent(send(self.number, resyncs=self.ledger.resyncing), self.now_s)
        assert not self.ledger.resyncing

    @rule()
    def wait_until_all_is_released(self) -> None:
        for _ in range(50):
            if not self.held:
                break
            self.now_s = max(self.now_s + 1.0, min(self.ledger.deadline(), self.now_s + RETRY_CAP_S))
            self.ledger.expire(self.now_s)
            self.held = {c for c in self.held if c not in self.ledger.to_ask}
        assert not self.held

    @rule()
    def reconnect(self) -> None:
        self.ledger.connected()
        self.asked.clear()
        self.held.clear()
        self.given_up.clear()
        assert self.ledger.deadline() == math.inf

    @invariant()
    def the_ledger_agrees(self) -> None:
        ledger = self.ledger
        assert set(ledger.wanted) == self.now_wanted()
        assert set(ledger.asked) == set(self.asked)
        assert ledger.confirmed == {c for c, confirmed in self.asked.items() if confirmed}
        assert ledger.pending == set(self.asked) - ledger.confirmed
        assert list(ledger.to_ask) == [c for c in self.wanted if c in self.now_wanted() - set(self.asked)]
        assert set(ledger.to_withdraw) == set(self.asked) - set(self.wanted)
        assert ledger.resyncing.keys() <= ledger.wanted & ledger.asked
        assert ledger.wanted_any == bool(set(self.wanted) - self.refused)
        assert ledger.deadline() > self.now_s or ledger.deadline() == math.inf


TestLedgerAgainstModel = LedgerAgainstModel.TestCase
