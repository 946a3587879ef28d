"""The soak notices what it is there for: memory, kinds of objects, tasks, descriptors and venues that fell silent."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import pytest

from tests.long.meters import MIB, Heap, census, heap, read_pymalloc
from tests.long.storm import draw_storm
from tests.long.verdict import Rest, Sample, growing, judge, reference_s
from tests.simulation.places import PLACES
from trioquotes.simulator.faults import DropLine, Maintenance, faults_from_json, faults_to_json

HALF_AN_HOUR_S = 1800.0
BEFORE = Rest(tasks=7, descriptors=20)
ENOUGH = 100


def sample(at_s: float, resident_mib: float, events: int, heap: Heap | None = None) -> Sample:
    return Sample(
        at_s=at_s, frames=0, connections=0, reconnects=0, gaps=0, resident_bytes=int(resident_mib * MIB), heap=heap, blocks=0,
        tasks=200, descriptors=40, delivered={"coinbase": events},
    )  # fmt: skip


REFERENCE = sample(300.0, 100.0, 10)
MIDDLE = sample(900.0, 100.0, 20)


def verdict(
    *,
    reference: Sample = REFERENCE,
    last: Sample | None = None,
    after: Rest = BEFORE,
    grown: Mapping[str, int] | None = None,
) -> list[str]:
    samples = [reference, MIDDLE, last or sample(HALF_AN_HOUR_S, 104.0, 30)]
    return judge(samples, reference=reference, before=BEFORE, after=after, grown=grown or {}, wrong=[])


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


@pytest.mark.parametrize(
    ("resident_mib", "held_mib", "free_mib", "words"),
    [
        (104.0, 62.0, 8.0, []),
        (104.0, 63.5, 5.0, ["memory held grew from 60.0 MiB"]),
        (106.0, 60.0, 5.0, ["resident memory grew from 100.0 MiB"]),  # neither allocator knows of it
        (106.0, 60.0, 14.0, ["resident memory grew from 100.0 MiB"]),  # it lies free in between
    ],
)
def test_what_is_held_and_what_is_resident_are_told_apart(
    resident_mib: float, held_mib: float, free_mib: float, words: list[str]
) -> None:
    told = verdict(
        reference=sample(300.0, 100.0, 10, Heap(60 * MIB, 8 * MIB)),
        last=sample(HALF_AN_HOUR_S, resident_mib, 30, Heap(int(held_mib * MIB), int(free_mib * MIB))),
    )
    assert len(told) == len(words)
    assert all(word in line for word, line in zip(words, told, strict=True))


def test_what_the_program_holds_is_known_to_the_byte() -> None:
    before = heap()
    if before is None:
        pytest.skip("another C library, or another Python")
    kept = [bytearray(3 * MIB), *[bytes(100 + number % 2) for number in range(20_000)]]
    during = heap()
    kept.clear()
    after = heap()
    assert during is not None
    assert after is not None
    held = during.held_bytes - before.held_bytes
    assert 5 * MIB < held < 7 * MIB
    assert abs(after.held_bytes - before.held_bytes) < MIB / 4


def test_pythons_own_allocator_may_be_another() -> None:
    assert read_pymalloc("3 free 3-sized PyTupleObjects * 48 bytes each = 144\n") == Heap(0, 0)
    told = "35 arenas * 1048576 bytes/arena     =           36,700,160\n\n# bytes in allocated blocks        =           31,001,600\n"
    assert read_pymalloc(told) == Heap(31_001_600, 5_698_560)


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


def test_a_census_does_not_count_what_the_soak_itself_keeps() -> None:
    samples = [sample(float(number), 1.0, 1, Heap(1, 1)) for number in range(ENOUGH)]
    counted = census()
    assert [kind for kind in counted if kind.startswith("tests.long.") and counted[kind] >= ENOUGH] == []
    assert len(samples) == ENOUGH


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
