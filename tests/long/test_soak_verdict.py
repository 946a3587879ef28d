"""The soak notices what it is there for: memory, kinds of objects, tasks, descriptors and venues that fell silent."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import pytest

from tests.long.meters import MIB, census
from tests.long.storm import draw_storm
from tests.long.verdict import Rest, Sample, growing, judge, reference_s
from tests.simulation.places import PLACES
from trioquotes.simulator.faults import DropLine, Maintenance, faults_from_json, faults_to_json

HALF_AN_HOUR_S = 1800.0
BEFORE = Rest(tasks=7, descriptors=20)
ENOUGH = 100


def sample(at_s: float, resident_mib: float, events: int) -> Sample:
    return Sample(
        at_s=at_s, frames=0, connections=0, reconnects=0, gaps=0, resident_bytes=int(resident_mib * MIB), blocks=0, tasks=200,
        descriptors=40, delivered={"coinbase": events},
    )  # fmt: skip


REFERENCE = sample(300.0, 100.0, 10)
MIDDLE = sample(900.0, 100.0, 20)


def verdict(
    *, last: Sample | None = None, after: Rest = BEFORE, grown: Mapping[str, int] | None = None
) -> list[str]:
    samples = [REFERENCE, MIDDLE, last or sample(HALF_AN_HOUR_S, 104.0, 30)]
    return judge(samples, reference=REFERENCE, before=BEFORE, after=after, grown=grown or {}, wrong=[])


def test_a_run_whose_figures_stay_is_well() -> None:
    assert verdict() == []


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (Rest(8, 20), "1 tasks are left"),
        (Rest(7, 21), "1 descriptors are left"),
        (Rest(7, 19), "descriptors"),
    ],
)
def test_what_is_left_after_closing_is_told(after: Rest, words: str) -> None:
    (told,) = verdict(after=after)
    assert words in told


def test_memory_above_five_percent_is_told() -> None:
    (told,) = verdict(last=sample(HALF_AN_HOUR_S, 105.5, 30))
    assert "resident memory grew" in told


def test_a_venue_that_fell_silent_is_told() -> None:
    (told,) = verdict(last=attrs.evolve(MIDDLE, at_s=HALF_AN_HOUR_S))
    assert "nothing of coinbase came" in told


def test_one_object_more_for_every_connection_is_told() -> None:
    before, after = {"a.Kept": 3, "a.Busy": 500}, {"a.Kept": 3 + ENOUGH, "a.Busy": 510, "a.New": 5}
    assert growing(before, after, ENOUGH) == {"a.Kept": ENOUGH}
    assert verdict(grown={"a.Kept": ENOUGH}) == [f"{ENOUGH} more objects of a.Kept than at the reference"]


def test_a_census_counts_what_is_kept_and_not_what_waits() -> None:
    class Kept:
        pass

    name = f"{__name__}.{Kept.__qualname__}"
    kept = [Kept() for _ in range(ENOUGH)]
    assert census()[name] == ENOUGH
    kept.clear()
    assert name not in census()
    assert "builtins.dict" not in census()


def test_the_reference_is_minute_five_or_a_sixth() -> None:
    assert reference_s(HALF_AN_HOUR_S) == 300.0
    assert reference_s(60.0) == 10.0


@pytest.mark.parametrize("place", PLACES.values(), ids=lambda place: place.name)
def test_a_storm_is_one_of_its_seed_and_lasts_as_long_as_the_run(place: object) -> None:
    found = next(one for one in PLACES.values() if one is place)
    storm = draw_storm(found, 3, 30.0)
    assert storm == draw_storm(found, 3, 30.0) != draw_storm(found, 4, 30.0)
    assert faults_from_json(faults_to_json(storm)) == storm
    shut = [fault for fault in storm if isinstance(fault, Maintenance)]
    assert 2 <= len(shut) <= 4
    assert all(0 < fault.after_s < HALF_AN_HOUR_S for fault in shut)
    assert max(fault.connection or 0 for fault in storm if isinstance(fault, DropLine)) > 30 * 50
    early = [fault for fault in storm if fault.connection in {1, 2, 3}]
    assert len(early) == 3
    assert all((getattr(fault, "after_s", None) or 0.0) > 20 for fault in early)
