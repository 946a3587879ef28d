"""The stage notices what it watches for: a venue that breaks its contract does not get through a scene."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.venues.bench import Bench
from tests.venues.skeletons import invented
from trioquotes._protocol.contract import LedgerView, Memory, Sink
from trioquotes._protocol.effects import Budget, Effect, Lane, Options, Send, Stamp
from trioquotes.credentials import Credentials
from trioquotes.topics import Trades

SUB = b'{"op":"sub"}'


class Bent(invented.Invented):
    """The invented venue with one method of its protocol replaced."""

    def __init__(self, **methods: Callable[..., Any]) -> None:
        self._methods = methods

    def protocol(
        self, lane: Lane, secrets: Credentials | None, memory: Memory, options: Options
    ) -> invented.InventedProtocol:
        kind = type("BentProtocol", (invented.InventedProtocol,), self._methods)
        protocol: invented.InventedProtocol = kind(options)
        return protocol


def scene(**methods: Callable[..., Any]) -> Bench:
    """A line of the bent venue that is up, with one wish."""
    play = Bench(Bent(**methods))
    play.subscribe(Trades("ABC"))
    play.connect()
    return play


def test_reconcile_may_not_change_what_it_answers() -> None:
    ids = iter(range(1, 9))

    def reconcile(self: Any, ledger: LedgerView, stamp: Stamp) -> Effect | None:
        return Send(SUB, next(ids), asks=frozenset(ledger.to_ask))

    with pytest.raises(AssertionError, match="side effect"):
        scene(reconcile=reconcile).writer()


def test_reconcile_has_to_come_to_rest() -> None:
    def reconcile(self: Any, ledger: LedgerView, stamp: Stamp) -> Effect | None:
        return Send(SUB, self._next, cost={"send": 1})

    class Boundless(Bent):
        budgets = ()

    play = Bench(Boundless(reconcile=reconcile))
    play.subscribe(Trades("ABC"))
    play.connect()
    with pytest.raises(AssertionError, match="never came to rest"):
        play.writer()


@pytest.mark.parametrize("cost", [{}, {"send": 2}, {"rest": 1}])
def test_a_request_is_charged_for_what_it_is(cost: Any) -> None:
    def reconcile(self: Any, ledger: LedgerView, stamp: Stamp) -> Effect | None:
        return Send(SUB, self._next, asks=frozenset(ledger.to_ask), cost=cost)

    with pytest.raises(AssertionError, match="is charged"):
        scene(reconcile=reconcile).writer()


def test_an_id_is_used_once() -> None:
    def reconcile(self: Any, ledger: LedgerView, stamp: Stamp) -> Effect | None:
        return Send(SUB, 5, asks=frozenset(ledger.to_ask[:1])) if ledger.to_ask else None

    play = scene(reconcile=reconcile)
    play.subscribe(Trades("XYZ"))
    with pytest.raises(AssertionError, match="used twice"):
        play.writer()


def test_a_frame_needs_a_disposition() -> None:
    def receive(self: Any, frame: bytes, stamp: Stamp, out: Sink) -> None:
        """Swallows everything."""

    with pytest.raises(AssertionError, match="without a disposition"):
        scene(receive=receive).server("{}")


def test_a_tick_has_to_move_its_deadline() -> None:
    def tick(self: Any, stamp: Stamp, out: Sink) -> None:
        """Does nothing."""

    play = scene(tick=tick)
    with pytest.raises(AssertionError, match="deadline in the past"):
        play.advance(31.0)


def test_a_budget_that_was_exceeded_is_noticed() -> None:
    play = scene()
    play.writer()
    play.assert_polite()
    (budget,) = play.venue.budgets
    for _ in range(budget.count):
        play.charged(play.line()._connection, {"ping": 1})
    with pytest.raises(AssertionError, match="requests: 21 in"):
        play.assert_polite()


def test_budgets_of_one_connection_are_counted_apart() -> None:
    play = scene()
    for connection in range(3):
        play.charged(connection, {"send": 20})
    play.assert_polite()

    class Shared(Bent):
        budgets = (Budget("requests", 20, 1.0, "ip", frozenset({"send"})),)

    play = Bench(Shared())
    for connection in range(3):
        play.charged(connection, {"send": 20})
    with pytest.raises(AssertionError, match="60 in"):
        play.assert_polite()
