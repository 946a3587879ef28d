"""The promises, held against seeds that are always the same and against some that nobody has tried."""

from __future__ import annotations

import secrets

import pytest

from tests.simulation.campaign import Case, run_case
from tests.simulation.places import PLACES

FIXED, A_TEST = 60, 6
FRESH = 1

each = pytest.mark.parametrize("venue", sorted(PLACES))


def keeps_its_promises(case: Case) -> None:
    outcome = run_case(case)
    assert not outcome.failure, f"{case.command} repeats this:\n{outcome.failure}"


LATER = [pytest.param(first, marks=pytest.mark.endurance) for first in range(A_TEST, FIXED, A_TEST)]


@each
@pytest.mark.parametrize("first", [0, *LATER])
def test_every_promise_is_kept_with_seeds_known_before(venue: str, first: int) -> None:
    for seed in range(first, first + A_TEST):
        keeps_its_promises(Case(venue, seed))


@each
@pytest.mark.endurance
def test_every_promise_is_kept_with_seeds_that_nobody_has_tried(venue: str) -> None:
    for _ in range(FRESH):
        keeps_its_promises(Case(venue, 10**6 + secrets.randbelow(10**9)))


@each
def test_a_run_that_is_repeated_is_the_same(venue: str) -> None:
    traces = {run_case(Case(venue, 3)).trace for _ in range(2)}
    assert len(traces) == 1
    assert "" not in traces
