"""From runs to figures; pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks.catalog import FLOORS, SCENARIOS, Floor
from benchmarks.running import Measured

__all__ = ["Figure", "Judged", "Runs", "fallen", "figures_of", "judge", "ratios"]

Runs = Mapping[str, Mapping[str, Sequence[Measured]]]
"""By scenario and contestant, one entry a round."""

QUARTER = 0.75


class Figure(NamedTuple):
    """Medians over the rounds of one contestant in one scenario.

    Attributes:
        latency_us: 50th, 99th and 99.9th percentile, each the median of the rounds'; empty where not paced.
    """

    cpu_us: float
    per_s: float
    peak_mib: float
    latency_us: tuple[float, ...]
    rounds: int


class Judged(NamedTuple):
    """What came of a floor.

    Attributes:
        ratio: times, in the sense of the floor; ``None`` where it was not measured.
        against: which of the others was the best.
    """

    floor: Floor
    ratio: float | None
    low: float
    high: float
    against: str

    @property
    def holds(self) -> bool | None:
        """Whether the floor holds; ``None`` where it was not measured."""
        return self._reaches(self.floor.floor)

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached."""
        return self._reaches(self.floor.goal)

    def _reaches(self, times: float) -> bool | None:
        if self.ratio is None:
            return None
        return self.ratio <= times if self.floor.better == "within" else self.ratio >= times


def percentile(latency_ns: Sequence[int], share: float) -> float:
    """Of sorted times, in microseconds."""
    return latency_ns[min(int(len(latency_ns) * share), len(latency_ns) - 1)] / 1000


def figures_of(runs: Sequence[Measured]) -> Figure:
    """The medians of some rounds."""
    latency: tuple[float, ...] = ()
    if runs[0].latency_ns:
        latency = tuple(
            statistics.median(percentile(run.latency_ns, share) for run in runs)
            for share in (0.5, 0.99, 0.999)
        )
    return Figure(
        statistics.median(run.cpu_ns for run in runs) / 1000,
        statistics.median(run.per_s for run in runs),
        statistics.median(run.peak_bytes for run in runs) / 2**20,
        latency,
        len(runs),
    )


def ratios(ours: Sequence[Measured], theirs: Sequence[Measured], measure: str = "cpu") -> list[float]:
    """Ours over theirs, round by round: what slows a round down slows both."""

    def of(run: Measured) -> float:
        return run.cpu_ns if measure == "cpu" else percentile(run.latency_ns, 0.99)

    return [of(our) / of(their) for our, their in zip(ours, theirs, strict=False)]


def judge(runs: Runs) -> list[Judged]:
    """Every floor."""
    judged = []
    for floor in FLOORS:
        measured = runs.get(floor.scenario, {})
        found: list[tuple[float, float, float, str]] = []
        for name in floor.theirs:
            if floor.ours in measured and name in measured:
                each = ratios(measured[floor.ours], measured[name], floor.measure)
                each = each if floor.better == "within" else [1 / one for one in each]
                found.append((statistics.median(each), min(each), max(each), name))
        if not found:
            judged.append(Judged(floor, None, 0, 0, ""))
        else:
            judged.append(Judged(floor, *(max(found) if floor.better == "within" else min(found))))
    return judged


def fallen(runs: Runs, kept: Mapping[str, Any]) -> list[str]:
    """Where the plain stack costs fewer times what ours does than a quarter less than it did, in words."""
    words = []
    for scenario, was in kept["plain over native"].items():
        measured = runs.get(scenario, {})
        if "native" in measured and "plain" in measured:
            now = statistics.median(ratios(measured["plain"], measured["native"]))
            if now < QUARTER * was:
                what = SCENARIOS[scenario]
                words.append(
                    f"{what.feed}, {what.title}: {now:.2f} times less than the plain stack, was {was:.2f}"
                )
    return words
