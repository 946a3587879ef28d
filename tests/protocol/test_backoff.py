"""The backoff: quick after one loss, patient with a server that flaps."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trioquotes._protocol.backoff import Backoff, BackoffPolicy
from trioquotes.errors import UsageError

DEFAULT = BackoffPolicy()
dice = st.one_of(st.just(0.0), st.just(1.0), st.floats(0, 1))
policies = st.builds(
    lambda first_s, more_floor_s, more_cap_s, factor, healthy_s: BackoffPolicy(
        first_s=first_s,
        floor_s=first_s + more_floor_s,
        cap_s=first_s + more_cap_s,
        factor=factor,
        healthy_s=healthy_s,
    ),
    st.floats(0, 10),
    st.floats(0, 100),
    st.floats(0, 1000),
    st.floats(1, 10),
    st.floats(0, 100),
)


def always(number: float) -> Callable[[], float]:
    return lambda: number


def waits(backoff: Backoff, number: float, times: int) -> list[float]:
    return [backoff.delay_s(0.0, always(number)) for _ in range(times)]


def test_least_and_most_waits_grow_to_floor_and_cap() -> None:
    assert waits(Backoff(), 0.0, 6) == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]
    assert waits(Backoff(), 1.0, 9) == [1.0, 2.0, 4.0, 8.0, 12.0, 20.0, 36.0, 64.0, 64.0]


def test_ten_thousand_failures_overflow_nothing() -> None:
    backoff = Backoff()
    assert waits(backoff, 1.0, 10_000)[-1] == 64.0
    assert backoff.failures == 10_000


def test_venues_floor_is_honoured_with_the_jitter_above_it() -> None:
    backoff = Backoff()
    assert backoff.delay_s(0.0, always(0.0), floor_s=60.0) == 60.0
    assert backoff.delay_s(0.0, always(1.0), floor_s=60.0) == 61.0
    assert backoff.delay_s(0.0, always(0.0), floor_s=1.0) == 2.0


def test_data_for_a_healthy_time_starts_anew() -> None:
    backoff = Backoff()
    waits(backoff, 0.0, 5)
    for now_s in (10.0, 20.0, 40.0):
        backoff.received(now_s)
    assert not backoff.healthy(39.9)
    assert backoff.healthy(40.0)
    assert backoff.delay_s(40.0, always(0.0)) == 0.5
    assert backoff.failures == 1


def test_connection_without_data_never_starts_anew() -> None:
    backoff = Backoff()
    waits(backoff, 0.0, 5)
    assert backoff.delay_s(1e6, always(0.0)) == 4.0
    assert backoff.failures == 6


def test_data_for_less_than_a_healthy_time_does_not_start_anew() -> None:
    backoff = Backoff()
    waits(backoff, 0.0, 5)
    backoff.received(100.0)
    assert backoff.delay_s(129.9, always(0.0)) == 4.0


def test_health_of_one_line_does_not_pass_to_the_next() -> None:
    backoff = Backoff()
    backoff.received(0.0)
    assert backoff.delay_s(40.0, always(0.0)) == 0.5
    assert backoff.delay_s(80.0, always(0.0)) == 1.0
    backoff.received(81.0)
    assert backoff.delay_s(82.0, always(0.0)) == 2.0
    assert backoff.delay_s(112.0, always(0.0)) == 4.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"first_s": -1.0},
        {"first_s": 5.0},
        {"cap_s": 0.1},
        {"cap_s": math.inf},
        {"floor_s": math.nan},
        {"factor": 0.5},
        {"healthy_s": -1.0},
    ],
)
def test_numbers_that_mean_nothing_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="these numbers"):
        attrs.evolve(DEFAULT, **wrong)


@given(policies, st.lists(st.tuples(dice, st.one_of(st.just(0.0), st.floats(0, 1000))), max_size=30))
def test_wait_is_never_below_a_floor_nor_further_than_the_cap_above_it(
    policy: BackoffPolicy, failures: list[tuple[float, float]]
) -> None:
    backoff = Backoff(policy)
    for number, asked_s in failures:
        delay_s = backoff.delay_s(0.0, always(number), floor_s=asked_s)
        assert max(policy.first_s, asked_s) <= delay_s <= max(policy.floor_s, asked_s) + policy.cap_s


@given(policies, dice, st.integers(2, 30))
def test_same_dice_wait_longer_with_every_failure(policy: BackoffPolicy, number: float, times: int) -> None:
    found = waits(Backoff(policy), number, times)
    assert found == sorted(found)
    steps = [floor_and_width(policy, failed) for failed in range(times)]
    assert found == pytest.approx([floor + number * width for floor, width in steps])


def floor_and_width(policy: BackoffPolicy, failed: int) -> tuple[float, float]:
    grown = policy.first_s * policy.factor**failed
    return min(grown, policy.floor_s), min(grown, policy.cap_s)


@given(st.integers(0, 2**32), st.integers(0, 8))
def test_jitter_is_full(seed: int, failed: int) -> None:
    rng = random.Random(seed)  # noqa: S311  # jitter, not a secret
    floor_s, width_s = floor_and_width(DEFAULT, failed)
    drawn = []
    for _ in range(200):
        backoff = Backoff()
        waits(backoff, 0.0, failed)
        drawn.append((backoff.delay_s(0.0, rng.random) - floor_s) / width_s)
    assert min(drawn) < 0.1
    assert max(drawn) > 0.9


@given(
    st.lists(
        st.tuples(st.floats(0, 100), st.one_of(st.none(), st.floats(0, 50)), dice), min_size=1, max_size=40
    )
)
def test_starts_anew_exactly_when_healthy(lines: list[tuple[float, float | None, float]]) -> None:
    """Lines of any length, with the first data at any time or never."""
    backoff, now_s, in_a_row = Backoff(), 1000.0, 0
    for lasted_s, data_after_s, number in lines:
        data_s = math.inf if data_after_s is None else now_s + data_after_s
        now_s += lasted_s
        if data_s <= now_s:
            backoff.received(data_s)
            backoff.received(now_s)
        healthy = now_s - data_s >= DEFAULT.healthy_s
        assert backoff.healthy(now_s) == healthy
        in_a_row = 0 if healthy else in_a_row
        floor_s, width_s = floor_and_width(DEFAULT, in_a_row)
        delay_s = backoff.delay_s(now_s, always(number))
        assert delay_s == floor_s + number * width_s
        in_a_row += 1
        assert backoff.failures == in_a_row
        now_s += delay_s


# A server that flaps


def connects(lines: Iterable[tuple[float, bool, float]], *, policy: BackoffPolicy = DEFAULT) -> list[float]:
    """When a client connects to a server whose lines last so long, with or without data at once."""
    backoff, now_s, times_s = Backoff(policy), 0.0, []
    for lasted_s, data, number in lines:
        times_s.append(now_s)
        if data:
            backoff.received(now_s)
        now_s += lasted_s
        now_s += backoff.delay_s(now_s, always(number))
    return times_s


def most_in_a_minute(times_s: list[float]) -> int:
    return max(sum(start <= one <= start + 60.0 for one in times_s) for start in times_s)


lasting = st.one_of(st.just(0.0), st.just(DEFAULT.healthy_s), st.floats(0, 90))


@given(st.lists(st.tuples(lasting, st.booleans(), dice), min_size=20, max_size=120))
@example([(0.0, True, 0.0)] * 120)
@example([(30.0 if n % 5 == 0 else 0.0, True, 0.0) for n in range(120)])
def test_flapping_server_sees_at_most_twenty_connects_in_any_minute(
    lines: list[tuple[float, bool, float]],
) -> None:
    assert most_in_a_minute(connects(lines)) <= 20


def test_worst_server_is_found_by_trying_every_pattern_of_healthy_lines() -> None:
    """With the least waits always, every set of lines that are healthy or fail at once.

    A healthy line takes at least 30 s, so a minute holds two whole ones at most, and a third only by
    its end; 24 lines are more than a minute's.
    """
    worst = 0
    for first in range(24):
        for second in range(first, 24):
            for third in range(second, 24):
                healthy = {first, second, third}
                times_s = connects((30.0 if n in healthy else 0.0, True, 0.0) for n in range(24))
                worst = max(worst, most_in_a_minute(times_s))
    assert most_in_a_minute(connects([(0.0, True, 0.0)] * 24)) == 18
    assert worst == 18


def test_without_the_growing_floor_the_dice_could_make_a_storm() -> None:
    storm = attrs.evolve(DEFAULT, floor_s=0.5)
    assert most_in_a_minute(connects([(0.0, True, 0.0)] * 200, policy=storm)) > 100
