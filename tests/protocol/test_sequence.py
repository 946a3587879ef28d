"""Counters: holes are counted, repeats are dropped, restarts are no repeats."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trioquotes._protocol.sequence import DUPLICATE, OK, Rising, Step, TradeIds, contiguous

numbers = st.integers(0, 2**53)


@given(numbers)
def test_first_number_is_taken_as_it_is(number: int) -> None:
    assert contiguous(None, number) is OK
    assert Rising().take(number) is OK
    assert not Rising().follows(number)


@given(numbers, numbers)
def test_contiguous_counts_what_lies_between(last: int, number: int) -> None:
    step = contiguous(last, number)
    if number <= last:
        assert step is DUPLICATE
    else:
        assert step == (OK if number == last + 1 else Step("gap", number - last - 1))


@given(numbers, numbers)
def test_a_rising_counter_refuses_only_what_is_older(last: int, number: int) -> None:
    rising = Rising()
    rising.take(last)
    assert rising.take(number) is (DUPLICATE if number < last else OK)
    assert rising.last == max(last, number)


@given(numbers, numbers)
def test_a_rising_counter_is_followed_by_what_is_newer(last: int, number: int) -> None:
    rising = Rising()
    rising.take(last)
    assert rising.follows(number) is (number > last)
    assert rising.last == max(last, number)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=30))
def test_taken_and_missed_add_up(jumps: list[int]) -> None:
    last, missed = 100, 0
    for jump in jumps:
        step = contiguous(last, last + jump)
        assert step.missed is not None
        missed += step.missed
        last += jump
    assert 100 + len(jumps) + missed == last


def begun(trade_id: int = 10) -> TradeIds:
    ids = TradeIds()
    assert ids.history(trade_id, trade_id) is OK
    return ids


def test_trade_after_history_has_no_hole() -> None:
    ids = begun()
    assert ids.trade(11, 11) is OK
    assert ids.trade(12, 12) is OK
    assert ids.last == 12


def test_hole_between_trades_is_counted() -> None:
    assert begun().trade(14, 14) == Step("gap", 3)


def test_trade_seen_before_is_a_duplicate() -> None:
    ids = begun()
    assert ids.trade(10, 10) is DUPLICATE
    assert ids.trade(9, 9) is DUPLICATE
    assert ids.last == 10


def test_ids_that_start_again_are_a_gap_of_unknown_size() -> None:
    ids = begun(1000)
    assert ids.trade(3, 2000) == Step("gap", None)
    assert ids.trade(4, 2001) is OK
    assert ids.history(2, 3000) == Step("gap", None)
    assert ids.trade(3, 3001) is OK


def test_history_after_a_reconnect_counts_what_passed() -> None:
    ids = begun()
    assert ids.history(17, 17) == Step("gap", 7)
    assert ids.trade(18, 18) is OK


def test_history_after_a_reconnect_with_nothing_new_is_no_gap() -> None:
    ids = begun()
    assert ids.history(10, 10) is OK
    assert ids.history(9, 9) is OK  # another server, a moment behind
    assert ids.trade(10, 10) is DUPLICATE
    assert ids.trade(11, 11) is OK


def test_first_trade_without_history_is_taken() -> None:
    ids = TradeIds()
    assert ids.beat(5) is OK
    assert ids.trade(6, 6) is OK


def test_beat_ahead_of_the_trades_twice_is_a_gap() -> None:
    ids = begun()
    assert ids.beat(12) is OK
    assert ids.beat(13) == Step("gap", 2)
    assert ids.beat(13) == Step("gap", 1)
    assert ids.beat(13) is OK


def test_trade_that_comes_after_the_beat_is_no_gap() -> None:
    ids = begun()
    assert ids.beat(11) is OK
    assert ids.trade(11, 11) is OK
    assert ids.beat(11) is OK


def test_what_a_beat_announced_is_not_announced_again_and_is_welcome() -> None:
    ids = begun()
    ids.beat(12)
    assert ids.beat(12) == Step("gap", 2)
    assert ids.trade(11, 11) is OK
    assert ids.trade(14, 14) == Step("gap", 1)
    ids.beat(16)
    ids.beat(16)
    assert ids.history(16, 16) is OK


@given(st.lists(st.tuples(st.sampled_from(["trade", "lost", "beat", "history"]), st.booleans()), max_size=60))
def test_no_trade_is_lost_unsaid_and_none_is_counted_twice(script: list[tuple[str, bool]]) -> None:
    ids = begun(0)
    now, delivered, missed = 0, 0, 0
    for what, _ in script:
        step = OK
        if what in {"trade", "lost"}:
            now += 1
        if what == "trade":
            step = ids.trade(now, now)
            delivered += 1
        elif what == "beat":
            step = ids.beat(now)
        elif what == "history":
            step = ids.history(now, now)
        assert step.kind != "duplicate"
        missed += step.missed or 0
    step = ids.history(now, now)
    assert delivered + missed + (step.missed or 0) == now
