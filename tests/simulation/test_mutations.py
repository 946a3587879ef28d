"""The mutations fit the source as it is now: one that does not would prove nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

import trioquotes
from tests.simulation.mutants import mutated
from tests.simulation.mutations import HOUSE, MUTATIONS, Mutation
from tests.simulation.places import PLACES

PACKAGE = Path(trioquotes.__file__).parent


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutation_fits_the_source_exactly_once(mutation: Mutation) -> None:
    text = mutated((PACKAGE / mutation.module).read_text(), mutation)
    compile(text, mutation.module, "exec")


def test_every_promise_of_the_house_is_broken_by_one() -> None:
    assert {mutation.promise for mutation in MUTATIONS} == set(HOUSE)
    assert {venue for mutation in MUTATIONS for venue in mutation.venues} <= PLACES.keys()


def test_a_mutation_that_no_longer_fits_is_refused() -> None:
    with pytest.raises(ValueError, match="0 times"):
        mutated("nothing of it", MUTATIONS[0])
