"""Books by price of one connection: which snapshots are waited for, and for how long."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from trioquotes._protocol.effects import WireChannel
from trioquotes.venues.coinbase.messages import Snapshot
from trioquotes.venues.coinbase.price_books import SNAPSHOT_WITHIN_S, PriceBooks

ONE, OTHER, THIRD = (WireChannel("level2", f"{name}-USD") for name in "ABC")


class Out:
    """What the books say."""

    def __init__(self) -> None:
        self.asked_again: list[WireChannel] = []

    def resync(self, channel: WireChannel) -> None:
        self.asked_again.append(channel)

    def resynced(self, channel: WireChannel) -> None:
        assert channel

    def deliver(self, channel: WireChannel, message: Any) -> None:
        assert channel.instrument == message.product_id


def came(books: PriceBooks, channel: WireChannel, now_s: float, out: Any) -> None:
    books.snapshot(channel, Snapshot(product_id=channel.instrument, bids=(), asks=()), now_s, out)


def test_a_snapshot_that_was_passed_over_is_asked_for_whatever_comes_for_later_requests() -> None:
    books, out = PriceBooks(lambda _: True), Out()
    books.asked(ONE, 0.0)
    for at_s in (10.0, 20.0, 29.0):
        books.asked(OTHER, at_s)
        came(books, OTHER, at_s + 0.5, out)
    books.tick(SNAPSHOT_WITHIN_S, out)  # type: ignore[arg-type]
    assert out.asked_again == [ONE]


def test_snapshots_come_one_by_one_and_each_lets_the_rest_take_their_time() -> None:
    books, out = PriceBooks(lambda _: True), Out()
    for channel in (ONE, OTHER, THIRD):
        books.asked(channel, 0.0)
    came(books, ONE, 25.0, out)
    assert books.deadline() == 25.0 + SNAPSHOT_WITHIN_S
    books.tick(50.0, out)  # type: ignore[arg-type]
    assert out.asked_again == []
    books.tick(55.0, out)  # type: ignore[arg-type]
    assert out.asked_again == [OTHER, THIRD]


@given(st.lists(st.tuples(st.sampled_from([OTHER, THIRD]), st.booleans(), st.floats(0.1, 40.0)), max_size=30))
def test_no_snapshot_is_waited_for_without_end(course: list[tuple[WireChannel, bool, float]]) -> None:
    books, out = PriceBooks(lambda _: True), Out()
    books.asked(ONE, 0.0)
    now_s = 0.0
    for channel, is_asked, step_s in course:
        due_s = books.deadline()
        now_s += step_s
        if now_s >= due_s:
            books.tick(now_s, out)  # type: ignore[arg-type]
        (books.asked(channel, now_s) if is_asked else came(books, channel, now_s, out))
    # Asked for before all others, it was due after the first wait, and then again after each further one.
    assert out.asked_again.count(ONE) >= min(now_s // (SNAPSHOT_WITHIN_S + 40.0), 1)
