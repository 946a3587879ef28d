"""Quiet is told from dead, from the first moment on."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from trioquotes._protocol.liveness import AGAIN, Beats, Silence, Watch


def eighths(least: int, most: int) -> st.SearchStrategy[float]:
    """Waits that floats add up exactly."""
    return st.integers(least, most).map(lambda number: number / 8)


def opened(now_s: float = 100.0) -> Watch:
    watch = Watch(10.0, 5.0)
    watch.heard(now_s)
    return watch


def test_watch_that_was_not_started_has_nothing_to_say() -> None:
    watch = Watch(10.0, 5.0)
    assert watch.deadline() == math.inf
    assert watch.check(1e9) == "alive"
    assert watch.silent_s(1e9) == 0.0


def test_line_that_never_says_anything_is_noticed_from_its_opening() -> None:
    watch = opened()
    assert watch.deadline() == 110.0
    assert watch.check(109.9) == "alive"
    assert watch.check(110.0) == "ping"
    assert watch.deadline() == 115.0
    assert watch.check(114.9) == "alive"
    assert watch.silent_s(115.0) == 15.0
    assert watch.check(115.0) == "dead"
    assert watch.deadline() == math.inf
    assert watch.check(1e9) == "alive"


def test_quiet_line_that_answers_is_alive() -> None:
    watch = opened()
    assert watch.check(110.0) == "ping"
    watch.heard(112.0)
    assert watch.check(115.0) == "alive"
    assert watch.deadline() == 122.0


def test_one_ping_is_asked_for_per_silence() -> None:
    watch = opened()
    assert [watch.check(now_s) for now_s in (110.0, 111.0, 112.0)] == ["ping", "alive", "alive"]


@given(st.lists(st.tuples(eighths(0, 160), st.booleans()), max_size=40))
def test_only_a_ping_without_an_answer_makes_a_line_dead(steps: list[tuple[float, bool]]) -> None:
    watch, now_s = opened(0.0), 0.0
    heard_s, pinged_s = 0.0, math.inf
    for wait_s, speaks in steps:
        now_s += wait_s
        if speaks:
            watch.heard(now_s)
            heard_s, pinged_s = now_s, math.inf
            continue
        said = watch.check(now_s)
        if said == "ping":
            assert now_s - heard_s >= 10.0
            pinged_s = now_s
        if said == "dead":
            assert now_s - pinged_s >= 5.0
            return
        assert watch.deadline() > now_s


def test_each_beat_is_watched_by_itself() -> None:
    beats: Beats[str] = Beats(5.0)
    beats.expect("A", 0.0)
    beats.expect("B", 2.0)
    assert beats.expected == 2
    assert beats.deadline() == 5.0
    beats.heard("A", 4.0)
    assert beats.check(5.0) == []
    assert beats.check(7.0) == [Silence("B", 5.0)]
    assert beats.check(7.0) == []
    assert beats.check(9.0) == [Silence("A", 5.0)]
    assert beats.deadline() == 22.0


def test_beat_that_comes_back_is_watched_again() -> None:
    beats: Beats[str] = Beats(5.0)
    beats.expect("A", 0.0)
    beats.check(5.0)
    beats.heard("A", 8.0)
    assert beats.deadline() == 13.0
    assert beats.check(13.0) == [Silence("A", 5.0)]


def test_silence_is_said_again_when_it_has_grown_by_the_factor() -> None:
    beats: Beats[str] = Beats(5.0)
    beats.expect("A", 0.0)
    said = []
    now_s = 0.0
    while now_s < 3600.0:
        now_s = beats.deadline()
        said += [silence.silent_s for silence in beats.check(now_s)]
    assert said == [5.0, 20.0, 80.0, 320.0, 1280.0, 5120.0]
    while now_s < 10 * 86_400.0:
        now_s = beats.deadline()
        said += [silence.silent_s for silence in beats.check(now_s)]
    assert said[6:9] == [20480.0, 81920.0, 81920.0 + 86_400.0]
    assert len(said) == 18


def test_what_was_heard_long_ago_is_no_news() -> None:
    beats: Beats[str] = Beats(5.0)
    beats.expect("A", 10.0)
    beats.heard("A", -math.inf)
    assert beats.check(15.0) == [Silence("A", 5.0)]
    beats.heard("A", 9.0)
    assert beats.check(16.0) == []
    assert beats.deadline() == 30.0


def test_beat_that_is_not_expected_is_nothing() -> None:
    beats: Beats[str] = Beats(5.0)
    beats.heard("A", 1.0)
    assert beats.deadline() == math.inf
    beats.expect("A", 2.0)
    beats.forget("A")
    beats.forget("A")
    assert beats.expected == 0
    assert beats.check(100.0) == []


def test_expecting_again_changes_nothing() -> None:
    beats: Beats[str] = Beats(5.0)
    beats.expect("A", 0.0)
    beats.expect("A", 4.0)
    assert beats.check(5.0) == [Silence("A", 5.0)]


@given(
    st.lists(
        st.tuples(st.sampled_from(["expect", "forget", "heard", "check"]), st.integers(0, 3), eighths(1, 32)),
        max_size=60,
    )
)
def test_every_silence_is_found_at_its_time_and_again_when_it_has_grown(
    script: list[tuple[str, int, float]],
) -> None:
    beats: Beats[int] = Beats(5.0)
    last: dict[int, float] = {}
    told: dict[int, float] = {}
    now_s = 0.0
    for what, key, wait_s in script:
        now_s += wait_s
        if what == "expect":
            beats.expect(key, now_s)
            last.setdefault(key, now_s)
        elif what == "forget":
            beats.forget(key)
            last.pop(key, None)
            told.pop(key, None)
        elif what == "heard":
            beats.heard(key, now_s)
            if key in last:
                last[key] = now_s
                told.pop(key, None)
        else:
            due = {
                k: now_s - at_s
                for k, at_s in last.items()
                if now_s - at_s >= told.get(k, 5.0 / AGAIN) * AGAIN
            }
            assert dict(beats.check(now_s)) == due
            told |= due
            assert beats.deadline() > now_s
        waiting = [at_s + told.get(k, 5.0 / AGAIN) * AGAIN for k, at_s in last.items()]
        assert beats.deadline() <= min(waiting, default=math.inf)
