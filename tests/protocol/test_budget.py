"""Rolling-window budgets: no window is ever exceeded, neither as sent nor as the venue sees it."""

from __future__ import annotations

import gc
import math
import sys
from collections import defaultdict
from collections.abc import Mapping

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from trioquotes._protocol.budget import Allowance, Budgets, Charge, slack_s
from trioquotes._protocol.effects import Budget, ChargeKind
from trioquotes.errors import UsageError

SENDS: frozenset[ChargeKind] = frozenset({"send"})
SEND: Mapping[ChargeKind, int] = {"send": 1}


def per_second(count: int = 3, window_s: float = 1.0, **changes: object) -> Budget:
    budget = Budget(name="messages", count=count, window_s=window_s, scope="ip", counts=SENDS)
    return attrs.evolve(budget, **changes)  # type: ignore[arg-type]  # free keywords keep the tests short


def handle(*budgets: Budget, shared: Budgets | None = None, identity: str = "") -> Allowance:
    return (shared or Budgets()).account("venue", budgets, identity=identity, connection="line")


def spend(allowance: Allowance, now_s: float, number: int = 1, cost: Mapping[ChargeKind, int] = SEND) -> None:
    for _ in range(number):
        assert allowance.delay_s(cost, now_s) == 0.0
        allowance.charge(cost, now_s).settle(now_s)


# One handle


def test_count_is_free_at_once_and_the_next_waits_for_window_and_slack() -> None:
    allowance = handle(per_second(3))
    spend(allowance, 10.0, 2)
    spend(allowance, 10.5)
    assert allowance.delay_s(SEND, 10.5) == pytest.approx(0.5 + slack_s(1.0))
    spend(allowance, 11.25, 2)
    assert allowance.delay_s(SEND, 11.25) == pytest.approx(0.5)
    assert allowance.delay_s({"send": 3}, 11.25) == pytest.approx(1.25)


def test_full_bucket_and_refill_never_meet_in_one_window() -> None:
    allowance = handle(per_second(5))
    spend(allowance, 0.0, 5)
    now_s, sent = 0.0, [0.0] * 5
    while now_s < 30.0:
        now_s += allowance.delay_s(SEND, now_s)
        spend(allowance, now_s)
        sent.append(now_s)
    assert all(later - earlier > 1.0 for earlier, later in zip(sent, sent[5:], strict=False))
    assert len(sent) == 5 * 24 + 1  # five in each 1.25 s, and the one that ended the loop


def test_unsettled_charge_holds_its_place_until_it_is_settled() -> None:
    allowance = handle(per_second(1))
    charge = allowance.charge(SEND, 0.0)
    assert allowance.delay_s(SEND, 50.0) == 1.25
    charge.settle(60.0)
    assert allowance.delay_s(SEND, 60.0) == 1.25
    assert allowance.delay_s(SEND, 61.25) == 0.0


def test_settling_twice_does_nothing() -> None:
    allowance = handle(per_second(2))
    charge = allowance.charge(SEND, 0.0)
    charge.settle(0.0)
    charge.settle(1.0)
    (seen,) = allowance.statistics(1.0)
    assert (seen.used, seen.unsettled) == (1, 0)
    assert allowance.delay_s({"send": 2}, 1.25) == 0.0


def test_charge_beyond_the_limit_is_refused_whole() -> None:
    narrow = per_second(2)
    wide = per_second(9, name="wide", window_s=60.0, counts=frozenset({"send", "connect"}))
    allowance = handle(wide, narrow)
    spend(allowance, 0.0)
    with pytest.raises(UsageError, match=r"venue.*'messages' of 2 in 1\.0 s"):
        allowance.charge({"send": 2}, 0.0)
    assert [(one.used, one.unsettled) for one in allowance.statistics(0.0)] == [(1, 0), (1, 0)]


def test_cost_is_charged_to_every_budget_that_counts_its_kind() -> None:
    both = per_second(10, name="both", window_s=60.0, counts=frozenset({"send", "connect"}))
    allowance = handle(per_second(10), both)
    allowance.charge({"send": 2, "connect": 3, "rest": 7}, 0.0)
    assert [one.used for one in allowance.statistics(0.0)] == [2, 5]
    assert allowance.delay_s({"rest": 1000}, 0.0) == 0.0


def test_slowest_budget_decides() -> None:
    allowance = handle(per_second(2), per_second(3, name="long", window_s=60.0))
    spend(allowance, 0.0, 2)
    assert allowance.delay_s(SEND, 0.0) == pytest.approx(1.25)
    spend(allowance, 1.25)
    assert allowance.delay_s(SEND, 1.25) == pytest.approx(61.0 - 1.25)


def test_reserve_is_for_control_frames_alone() -> None:
    cost: Mapping[ChargeKind, int] = {"ping": 1}
    allowance = handle(per_second(4, reserve=2, counts=frozenset({"send", "ping"})))
    spend(allowance, 0.0, 2)
    assert allowance.delay_s(SEND, 0.0) == 1.25
    assert allowance.delay_s(cost, 0.0, control=True) == 0.0
    allowance.charge(cost, 0.0).settle(0.0)
    allowance.charge(cost, 0.0).settle(0.0)
    assert allowance.delay_s(cost, 0.0, control=True) == 1.25
    with pytest.raises(UsageError):
        allowance.charge(cost, 0.0)


@pytest.mark.parametrize(("control", "fits"), [(False, 2), (True, 4)])
def test_cost_that_never_fits_is_an_error_that_says_what_does(control: bool, fits: int) -> None:
    allowance = handle(per_second(4, reserve=2))
    assert allowance.delay_s({"send": fits}, 0.0, control=control) == 0.0
    with pytest.raises(UsageError, match=rf"cost of {fits + 1} never fits .*: {fits} of 4"):
        allowance.delay_s({"send": fits + 1}, 0.0, control=control)


@pytest.mark.parametrize("now_s", [9.999, -1.0, math.nan, math.inf])
def test_clock_that_goes_backwards_is_refused_everywhere(now_s: float) -> None:
    shared = Budgets()
    allowance, other = handle(per_second(), shared=shared), handle(per_second(), shared=shared)
    charge = other.charge(SEND, 10.0)
    for call in (
        lambda: allowance.delay_s(SEND, now_s),
        lambda: allowance.charge(SEND, now_s),
        lambda: allowance.statistics(now_s),
        lambda: shared.statistics(now_s),
        lambda: charge.settle(now_s),
    ):
        with pytest.raises(UsageError, match="one monotonic clock"):
            call()
    charge.settle(10.0)
    assert allowance.delay_s(SEND, 10.0) == 0.0


# Sharing


def test_ip_budget_is_shared_by_all_handles_of_the_venue_and_by_no_other_venue() -> None:
    shared = Budgets()
    spend(handle(per_second(2), shared=shared, identity="a"), 0.0, 2)
    assert handle(per_second(2), shared=shared, identity="b").delay_s(SEND, 0.0) > 0
    elsewhere = shared.account("other", (per_second(2),), identity="a", connection=None)
    assert elsewhere.delay_s(SEND, 0.0) == 0.0


def test_account_budget_is_shared_by_the_handles_of_one_identity() -> None:
    shared, budget = Budgets(), per_second(2, scope="account")
    spend(handle(budget, shared=shared, identity="a"), 0.0, 2)
    assert handle(budget, shared=shared, identity="a").delay_s(SEND, 0.0) > 0
    assert handle(budget, shared=shared, identity="b").delay_s(SEND, 0.0) == 0.0


def test_connection_budget_belongs_to_its_handle() -> None:
    shared, budget = Budgets(), per_second(2, scope="connection")
    first, second = handle(budget, shared=shared), handle(budget, shared=shared)
    spend(first, 0.0, 2)
    assert first.delay_s(SEND, 0.0) > 0
    assert second.delay_s(SEND, 0.0) == 0.0
    assert shared.statistics(0.0) == ()
    assert first.connection == "line"


def test_what_a_dead_handle_spent_still_counts() -> None:
    shared = Budgets()
    spend(handle(per_second(2), shared=shared), 0.0, 2)
    gc.collect()
    assert handle(per_second(2), shared=shared).delay_s(SEND, 0.5) == pytest.approx(0.75)


def test_logs_of_identities_that_are_gone_are_forgotten_once_they_are_empty() -> None:
    shared, budget = Budgets(), per_second(2, scope="account")
    kept = handle(budget, shared=shared, identity="kept")
    for number in range(50):
        spend(handle(budget, shared=shared, identity=str(number)), number * 0.1)
        if sys.implementation.name != "cpython":  # others need telling, and here it would take seconds
            gc.collect()
        # 1.25 s hold 13 of them, and "kept" lives while it is held.
        assert len(shared.statistics(number * 0.1)) <= 15
    spend(kept, 30.0)
    handle(budget, shared=shared, identity="last")
    assert [one.used for one in shared.statistics(30.0)] == [1, 0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"count": 0},
        {"window_s": 0.0},
        {"window_s": math.nan},
        {"window_s": math.inf},
        {"reserve": -1},
        {"reserve": 4},
    ],
)
def test_budget_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="makes no sense"):
        handle(attrs.evolve(per_second(3), **wrong))  # type: ignore[arg-type]  # one field at a time


def test_two_meanings_of_one_name_are_refused() -> None:
    shared = Budgets()
    first = handle(per_second(3), shared=shared)
    with pytest.raises(UsageError, match="another budget 'messages'"):
        handle(per_second(4), shared=shared)
    assert first.delay_s(SEND, 0.0) == 0.0
    with pytest.raises(UsageError, match="one name"):
        handle(per_second(3), per_second(3), shared=shared)


def test_statistics_are_values_without_the_identity() -> None:
    shared = Budgets()
    allowance = handle(per_second(3, scope="account"), shared=shared, identity="who-it-is")
    allowance.charge(SEND, 0.0)
    spend(allowance, 0.5)
    spend(allowance, 0.75)
    (seen,) = shared.statistics(1.0)
    assert (seen.venue, seen.name, seen.scope, seen.count) == ("venue", "messages", "account", 3)
    assert (seen.window_s, seen.slack_s, seen.used, seen.unsettled) == (1.0, 0.25, 3, 1)
    assert seen.next_free_s == 0.75
    assert allowance.statistics(1.0) == (seen,)
    assert shared.statistics(2.25)[0].used == 1
    assert seen.used == 3
    assert "who-it-is" not in repr((seen, shared, allowance))


@pytest.mark.parametrize(
    ("window_s", "slack"), [(0.1, 0.25), (1.0, 0.25), (10.0, 0.5), (60.0, 1.0), (3600.0, 1.0)]
)
def test_slack_grows_with_the_window_between_its_bounds(window_s: float, slack: float) -> None:
    assert slack_s(window_s) == slack


@given(
    st.lists(st.floats(0.0, 1e6), min_size=4, max_size=4).map(sorted),
    st.floats(0.001, 1e4),
    st.integers(1, 3),
)
def test_waiting_exactly_the_delay_is_enough_and_a_little_less_is_not(
    times_s: list[float], window_s: float, number: int
) -> None:
    allowance = handle(per_second(3, window_s=window_s))
    for time_s in times_s[:3]:
        if allowance.delay_s(SEND, time_s) == 0.0:
            spend(allowance, time_s)
    now_s = times_s[3]
    delay_s = allowance.delay_s({"send": number}, now_s)
    if delay_s > 0.001:
        assert allowance.delay_s({"send": number}, now_s + delay_s - 0.001) > 0.0
    assert allowance.delay_s({"send": number}, now_s + delay_s) == 0.0


def test_delay_that_rounds_down_is_made_long_enough() -> None:
    first_s, window_s, now_s = 47.72908017648136, 71.17085537728548, 55.10360656498691
    due_s = first_s + (window_s + slack_s(window_s))
    assert now_s + (due_s - now_s) < due_s  # floats do that once in some thousand times
    allowance = handle(per_second(1, window_s=window_s))
    spend(allowance, first_s)
    now_s += allowance.delay_s(SEND, now_s)
    assert allowance.delay_s(SEND, now_s) == 0.0


# Any interleaving of any handles

RULES = (
    per_second(3, name="address", window_s=1.0, counts=frozenset({"send", "connect"}), reserve=1),
    per_second(5, name="account", window_s=4.0, scope="account", counts=frozenset({"send", "ping"})),
    per_second(2, name="line", window_s=2.0, scope="connection", counts=SENDS),
)
HANDLES = ((0, "a"), (1, "a"), (2, "b"), (3, "b"))
KINDS: tuple[ChargeKind, ...] = ("connect", "send", "ping", "rest")
costs = st.dictionaries(st.sampled_from(KINDS), st.integers(0, 2), max_size=2)
# Multiples of 1/64 are exact in a float: the model may compare with equality.
steps_s = st.one_of(st.just(0.0), st.integers(0, 64).map(lambda n: n / 64), st.integers(0, 6).map(float))


@attrs.define
class OnItsWay:
    """One request between its charge and its settlement, and what it costs."""

    charge: Charge
    handle: int
    cost: dict[ChargeKind, int]
    charged_s: float


class AnyInterleaving(RuleBasedStateMachine):
    """Requests of four handles are charged, take any time to go out, and arrive with any allowed delay."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 1000.0
        self.budgets = Budgets()
        self.handles = [
            self.budgets.account("venue", RULES, identity=identity, connection=number)
            for number, identity in HANDLES
        ]
        self.on_their_way: list[OnItsWay] = []
        self.sent: dict[tuple[str, object], list[float]] = defaultdict(list)
        self.arrived: dict[tuple[str, object], list[float]] = defaultdict(list)
        self.settled: dict[tuple[str, object], list[float]] = defaultdict(list)

    @initialize(offset=st.floats(0, 1e5))
    def starts_anywhere(self, offset: float) -> None:
        self.now_s += math.floor(offset)

    def _key(self, budget: Budget, number: int) -> tuple[str, object]:
        owners = {"ip": None, "account": HANDLES[number][1], "connection": number}
        return budget.name, owners[budget.scope]

    def _counted(
        self, number: int, cost: Mapping[ChargeKind, int]
    ) -> list[tuple[Budget, tuple[str, object], int]]:
        found = []
        for budget in RULES:
            amount = sum(n for kind, n in cost.items() if kind in budget.counts)
            if amount:
                found.append((budget, self._key(budget, number), amount))
        return found

    def _model_allows(self, number: int, cost: Mapping[ChargeKind, int], *, control: bool) -> bool:
        """Count from scratch what is on its way or was settled within window and slack."""
        for budget, key, amount in self._counted(number, cost):
            on_their_way = sum(
                n
                for one in self.on_their_way
                for _, other, n in self._counted(one.handle, one.cost)
                if other == key
            )
            span_s = budget.window_s + slack_s(budget.window_s)
            recent = sum(1 for time_s in self.settled[key] if self.now_s - time_s < span_s)
            if on_their_way + recent + amount > budget.count - (0 if control else budget.reserve):
                return False
        return True

    @rule(step_s=steps_s)
    def time_passes(self, step_s: float) -> None:
        self.now_s += step_s

    @rule(number=st.sampled_from(range(4)), cost=costs, control=st.booleans(), waits=st.booleans())
    def spends(self, number: int, cost: dict[ChargeKind, int], control: bool, waits: bool) -> None:
        allowance = self.handles[number]
        if any(
            amount > b.count - (0 if control else b.reserve) for b, _, amount in self._counted(number, cost)
        ):
            with pytest.raises(UsageError, match="never fits"):
                allowance.delay_s(cost, self.now_s, control=control)
            return
        delay_s = allowance.delay_s(cost, self.now_s, control=control)
        assert (delay_s == 0.0) == self._model_allows(number, cost, control=control)
        if delay_s and waits:
            # Settled or not, nothing is free earlier; if all of it is settled, it is free then.
            self.now_s += delay_s
            allowed = allowance.delay_s(cost, self.now_s, control=control) == 0.0
            assert allowed == self._model_allows(number, cost, control=control)
            assert allowed or self.on_their_way
            delay_s = 0.0 if allowed else delay_s
        if delay_s == 0.0:
            charge = allowance.charge(cost, self.now_s)
            self.on_their_way.append(OnItsWay(charge, number, cost, self.now_s))
        elif not self._model_allows(number, cost, control=True):
            with pytest.raises(UsageError, match="would exceed"):
                allowance.charge(cost, self.now_s)

    @precondition(lambda self: self.on_their_way)
    @rule(
        which=st.integers(0, 99),
        within=st.floats(0, 1),
        jitter=st.one_of(st.just(0.0), st.just(1.0), st.floats(0, 1)),
    )
    def goes_out(self, which: int, within: float, jitter: float) -> None:
        """It left at some moment of the write, and took the least delay plus up to the slack."""
        one = self.on_their_way.pop(which % len(self.on_their_way))
        one.charge.settle(self.now_s)
        sent_s = one.charged_s + within * (self.now_s - one.charged_s)
        for budget, key, amount in self._counted(one.handle, one.cost):
            late_s = jitter * 0.999 * slack_s(budget.window_s)
            self.settled[key] += [self.now_s] * amount
            self.sent[key] += [sent_s] * amount
            self.arrived[key] += [sent_s + late_s] * amount

    @invariant()
    def no_window_is_exceeded(self) -> None:
        for budget in RULES:
            for log in (self.sent, self.arrived):
                for key, times_s in log.items():
                    if key[0] == budget.name:
                        assert worst_window(times_s, budget.window_s) <= budget.count

    @invariant()
    def memory_is_bounded_by_the_counts(self) -> None:
        for allowance in self.handles:
            for one in allowance.statistics(self.now_s):
                assert 0 <= one.unsettled <= one.used <= one.count


def worst_window(times_s: list[float], window_s: float) -> int:
    """Most entries in any closed window of that length: the strictest way for a venue to count."""
    return max((sum(start <= one <= start + window_s for one in times_s) for start in times_s), default=0)


AnyInterleaving.TestCase.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
TestAnyInterleaving = AnyInterleaving.TestCase


def test_worst_window_counts_both_ends() -> None:
    assert worst_window([0.0, 0.5, 1.0, 1.1], 1.0) == 3


@given(
    count=st.integers(1, 4),
    window_s=st.sampled_from([0.5, 1.0, 3.0, 60.0]),
    writes=st.lists(
        st.tuples(st.integers(0, 2), st.floats(0, 5), st.floats(0, 3), st.floats(0, 1), st.floats(0, 1)),
        min_size=10,
        max_size=40,
    ),
)
@settings(max_examples=150, deadline=None)
def test_greedy_lines_with_blocking_writes_stay_within_the_venues_window(
    count: int, window_s: float, writes: list[tuple[int, float, float, float, float]]
) -> None:
    """Lines that always send as soon as they may, writes that block, packets that are held up."""
    shared, now_s, arrived = Budgets(), 0.0, []
    lines = [handle(per_second(count, window_s=window_s), shared=shared) for _ in range(3)]
    for line, idle_s, blocked_s, within, jitter in writes:
        now_s += idle_s if idle_s > 4 else 0.0
        now_s += lines[line].delay_s(SEND, now_s)
        charge = lines[line].charge(SEND, now_s)
        arrived.append(now_s + within * blocked_s + jitter * 0.999 * slack_s(window_s))
        now_s += blocked_s
        charge.settle(now_s)
    assert worst_window(arrived, window_s) <= count
