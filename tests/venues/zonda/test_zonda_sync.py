"""Fitting a snapshot between pushes: whatever is lost or late, what is taken for the book has no hole."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import example, given
from hypothesis import strategies as st

from trioquotes.venues.zonda import LevelChange, OrderBookChanges, OrderBookPush
from trioquotes.venues.zonda.sync import MAX_APART, MAX_KEPT_CHANGES, BookSync


def push(number: int, changes: int = 1) -> OrderBookPush:
    one = LevelChange(entry_type="Buy", rate=Decimal(number), action="remove")
    message = OrderBookChanges(changes=(one,) * changes)
    return OrderBookPush(topic="trading/orderbook-limited/btc-pln/10", seq_no=number, message=message)


def numbers(pushes: tuple[OrderBookPush, ...] | None) -> list[int] | None:
    return None if pushes is None else [one.seq_no for one in pushes]


def kept(sync: BookSync, *pushed: int) -> list[str]:
    return [sync.push(push(number)) for number in pushed]


def test_recorded_sequence_a_goes_on_with_the_next_number() -> None:
    sync = BookSync()
    assert numbers(sync.snapshot(95486654)) == []
    assert kept(sync, 95486655) == ["next"]


def test_recorded_sequence_b_fits_pushes_that_came_before_its_snapshot() -> None:
    sync = BookSync()
    assert kept(sync, 96535056, 96535057, 96535058, 96535059) == ["early"] * 4
    assert numbers(sync.snapshot(96535057)) == [96535058, 96535059]
    assert kept(sync, 96535060, 96535061, 96535062) == ["next"] * 3


def test_recorded_sequence_c_is_a_hole_of_one() -> None:
    sync = BookSync()
    assert numbers(sync.snapshot(98007871)) == []
    assert kept(sync, 98007873) == ["hole"]
    assert sync.missed == 1
    assert sync.last is None
    assert sync.snapshot(98007871) is None
    assert numbers(sync.snapshot(98007872)) == [98007873]


def test_snapshot_older_than_the_first_kept_push_does_not_fit() -> None:
    sync = BookSync()
    kept(sync, 12, 13)
    assert sync.snapshot(10) is None
    assert sync.last is None
    assert numbers(sync.snapshot(11)) == [12, 13]


def test_snapshot_newer_than_all_pushes_waits_for_the_one_that_follows_it() -> None:
    sync = BookSync()
    kept(sync, 12, 13)
    assert numbers(sync.snapshot(15)) == []
    assert kept(sync, 14, 15, 16) == ["old", "old", "next"]


def test_hole_among_kept_pushes_leaves_only_what_comes_after_it() -> None:
    sync = BookSync()
    kept(sync, 12, 13, 20, 21)
    assert sync.snapshot(13) is None
    assert numbers(sync.snapshot(19)) == [20, 21]


def test_snapshot_asked_for_while_the_book_is_right_must_reach_it() -> None:
    sync = BookSync()
    sync.snapshot(10)
    kept(sync, 11, 12)
    sync.requested()
    assert sync.snapshot(11) is None  # of 12 nothing was kept
    kept(sync, 13, 14)
    assert numbers(sync.snapshot(13)) == [14]
    assert sync.last == 14


def test_number_that_goes_back_is_a_hole_of_unknown_size() -> None:
    sync = BookSync()
    sync.snapshot(10)
    assert kept(sync, 11, 11, 5) == ["next", "old", "hole"]
    assert sync.missed is None


def test_counts_that_have_nothing_to_do_with_each_other_do_not_freeze_the_book() -> None:
    sync = BookSync()
    sync.snapshot(10**9)
    assert kept(sync, 10**9 - MAX_APART) == ["hole"]
    sync = BookSync()
    sync.snapshot(10**9)
    seen = kept(sync, *[10**9 - 1] * (MAX_APART + 1))
    assert seen == ["old"] * MAX_APART + ["hole"]


def test_snapshot_older_than_a_push_that_was_not_kept_does_not_fit() -> None:
    sync = BookSync()
    sync.snapshot(10)
    assert kept(sync, 11, 13) == ["next", "hole"]
    sync.unreadable(14)
    assert sync.snapshot(13) is None
    assert numbers(sync.snapshot(14)) == []
    sync.unreadable(None)
    assert sync.snapshot(14) is None
    assert numbers(sync.snapshot(15)) == []


def test_count_that_begins_anew_is_followed() -> None:
    sync = BookSync()
    sync.snapshot(10**9)
    assert kept(sync, 3, 4) == ["hole", "early"]
    assert numbers(sync.snapshot(3)) == [4]


def test_pushes_that_come_late_or_twice_while_a_snapshot_is_awaited_break_no_chain() -> None:
    sync = BookSync()
    kept(sync, 12, 13, 12, 13, 11, 14)
    assert numbers(sync.snapshot(11)) == [12, 13, 14]


def test_what_is_kept_is_bounded() -> None:
    sync = BookSync()
    half = MAX_KEPT_CHANGES // 2
    for number in (1, 2, 3):
        sync.push(push(number, half))
    assert sync.snapshot(0) is None
    assert numbers(sync.snapshot(1)) == [2, 3]


@given(st.data())
def test_what_is_taken_for_the_book_has_no_hole(data: st.DataObject) -> None:
    """Pushes are lost, come twice; snapshots are of any moment near: the book holds 1..n without a hole."""
    sync = BookSync()
    truth = sent = 100
    held: int | None = None  # everything up to this number is in the book
    for _ in range(data.draw(st.integers(1, 60))):
        match data.draw(st.sampled_from(["push", "push", "push", "lose", "twice", "ask", "snapshot"])):
            case "push" | "twice" as how:
                if how == "push":
                    sent = truth = truth + 1
                match sync.push(push(sent)):
                    case "next":
                        assert held == sent - 1
                        held = sent
                    case "hole":
                        held = None
                    case "old":
                        assert held is not None
                        assert sent <= held
            case "lose":
                truth += data.draw(st.integers(1, 3))
            case "ask":
                sync.requested()
            case "snapshot":
                number = truth + data.draw(st.integers(-6, 6))
                later = sync.snapshot(number)
                if later is not None:
                    assert numbers(later) == [*range(number + 1, number + 1 + len(later))]
                    assert held is None or number + len(later) >= held
                    held = number + len(later)
        assert sync.last == held


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["push", "push", "push", "push", "ask", "unreadable", "snapshot", "snapshot"]),
            st.sampled_from([1, 1, 1, 1, 0, -1, -3, 2, -MAX_APART]),
        ),
        max_size=80,
    )
)
@example([("snapshot", 1), ("push", 1), ("push", -3)])
def test_a_push_that_just_follows_is_taken_as_any_other(said: list[tuple[str, int]]) -> None:
    plain, quick = BookSync(), BookSync()
    number = 5 * MAX_APART
    for kind, step in said:
        number = max(number + step, 0)
        match kind:
            case "push":
                taken = "next" if quick.follows(number) else quick.push(push(number))
                assert taken == plain.push(push(number))
            case "ask":
                quick.requested()
                plain.requested()
            case "unreadable":
                quick.unreadable(number)
                plain.unreadable(number)
            case "snapshot":
                assert numbers(quick.snapshot(number)) == numbers(plain.snapshot(number))
        assert (quick.last, quick.missed) == (plain.last, plain.missed)
