"""The page's part, the plot and the table that is kept; pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from benchmarks.catalog import CONTESTANTS, KEPT, SCENARIOS
from benchmarks.figures import Figure, Judged, Runs, figures_of, judge, ratios
from benchmarks.inputs import FEEDS

__all__ = ["bars", "floor_rows", "inserted", "kept_table", "page", "plot", "table"]


def table(head: Sequence[str], rows: Sequence[Sequence[str]], texts: int = 1) -> str:
    """Markdown; the first columns are texts, the others numbers."""
    rule = "---|" * texts + "---:|" * (len(head) - texts)
    return "\n".join([f"| {' | '.join(head)} |", f"|{rule}", *(f"| {' | '.join(row)} |" for row in rows)])


def floor_rows(judged: Sequence[Judged]) -> str:
    """The table of what must hold."""
    rows = []
    for one in judged:
        floor = one.floor
        less = floor.better == "less"
        said, sign = (" times less", "") if less else ("x", "at most ")
        against = " or ".join(CONTESTANTS[name].title for name in floor.theirs)
        if one.ratio is None:
            verdict, measured = "not measured", "-"
        else:
            measured = f"{one.ratio:.2f}{said} ({one.low:.2f} to {one.high:.2f})"
            verdict = "goal reached" if one.reached else "holds" if one.holds else "**misses**"
            if len(floor.theirs) > 1:
                against = CONTESTANTS[one.against].title
        rows.append(
            (
                floor.row,
                against,
                measured,
                f"{sign}{floor.floor:g}{said}",
                f"{sign}{floor.goal:g}{said}",
                verdict,
            )
        )
    return table(("socket to typed event", "against", "measured", "floor", "goal", ""), rows, texts=6)


def scenario_table(scenario: str, runs: Runs) -> str:
    """Everybody in one scenario."""
    measured = runs[scenario]
    figures = {name: figures_of(rounds) for name, rounds in measured.items()}
    ours = next(iter(measured))
    paced = SCENARIOS[scenario].mode == "paced"
    rows = []
    for name, figure in figures.items():
        times = statistics.median(ratios(measured[name], measured[ours]))
        row = [CONTESTANTS[name].title, f"{figure.cpu_us:.2f}", f"{times:.2f}"]
        if paced:
            row += [f"{one:,.0f}" for one in figure.latency_us]
        else:
            row.append(f"{figure.per_s:,.0f}")
        rows.append([*row, f"{figure.peak_mib:.0f}"])
    head = ["", "CPU, µs a message", "times ours"]
    head += ["p50, µs", "p99, µs", "p99.9, µs"] if paced else ["messages a second"]
    return table([*head, "peak memory, MiB"], rows)


def page(runs: Runs, absent: Mapping[str, str]) -> str:
    """What stands between the markers."""
    used = {name for measured in runs.values() for name in measured}
    some = {
        CONTESTANTS[name].package: rounds[0]
        for measured in runs.values()
        for name, rounds in measured.items()
    }
    rounds = max(len(one) for measured in runs.values() for one in measured.values())
    sources = {
        FEEDS[SCENARIOS[name].feed].title: next(iter(measured.values()))[0].source
        for name, measured in runs.items()
    }
    parts = [
        "### Floors and goals", floor_rows(judge(runs)),
        "![CPU time a message of each contestant](feeds.svg)",
        "### What reaches the user",
        table(
            ("", "what the user's code gets"),
            [(one.title, one.does) for name, one in CONTESTANTS.items() if name in used],
            texts=2,
        ),
    ]  # fmt: skip
    for name in runs:
        what = SCENARIOS[name]
        parts += [f"### {FEEDS[what.feed].title}; {what.title}", scenario_table(name, runs)]
    versions = ", ".join(sorted(one.version for one in some.values()))
    pythons = " and ".join(sorted({one.python for one in some.values()}))
    notes = [
        f"Medians of {rounds} interleaved rounds with {versions}, on Python {pythons}.",
        _sources(sources),
    ]
    notes += [f"Not measured, since it cannot be had here: {why}." for why in absent.values()]
    return "\n\n".join([*parts, " ".join(note for note in notes if note)])


def _sources(sources: Mapping[str, str]) -> str:
    recorded = [title for title, source in sources.items() if source == "recorded"]
    if not recorded:
        return "All frames were generated in the shapes of recorded ones."
    return (
        f"Recorded frames: {'; '.join(recorded)}. The others were generated in the shapes of recorded ones."
    )


def inserted(text: str, name: str, part: str) -> str:
    """The text with what stands between the markers of that name replaced.

    Raises:
        ValueError: a marker is missing.
    """
    first, last = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    if first not in text or last not in text:
        raise ValueError(f"no markers {first} and {last}")
    before, after = text.partition(first)[0], text.partition(last)[2]
    return f"{before}{first}\n\n{part}\n\n{last}{after}"


def kept_table(runs: Runs) -> dict[str, Any]:
    """What the next run is held against, and the medians for who wants to look."""
    return {
        "plain over native": {
            name: round(statistics.median(ratios(runs[name]["plain"], runs[name]["native"])), 2)
            for name in KEPT
            if {"plain", "native"} <= set(runs.get(name, ()))
        },
        "medians": {
            scenario: {name: _rounded(figures_of(rounds)) for name, rounds in measured.items()}
            for scenario, measured in runs.items()
        },
    }


def _rounded(figure: Figure) -> dict[str, Any]:
    latency = {"latency_us": [round(one) for one in figure.latency_us]} if figure.latency_us else {}
    return {
        "cpu_us": round(figure.cpu_us, 2),
        "peak_mib": round(figure.peak_mib),
        "rounds": figure.rounds,
    } | latency


# The plot

WIDTH, LEFT, RIGHT, BAR, GAP = 860, 270, 70, 16, 6
OURS, THEIRS = "#1f6f8b", "#b9b4a7"


def bars(groups: Sequence[tuple[str, Sequence[tuple[str, float, bool]]]]) -> str:
    """Horizontal bars in groups, as SVG; every group has its own scale.

    Args:
        groups: title, and for each bar its name, its length and whether it is ours.
    """
    body: list[str] = []
    y = 10
    for title, rows in groups:
        longest = max(length for _, length, _ in rows)
        y += 22
        body.append(f'<text x="10" y="{y}" font-weight="bold">{escape(title)}</text>')
        y += 8
        for name, length, ours in rows:
            width = (WIDTH - LEFT - RIGHT) * length / longest
            middle = y + BAR - 4
            body += [
                f'<text x="{LEFT - 8}" y="{middle}" text-anchor="end">{escape(name)}</text>',
                f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{OURS if ours else THEIRS}"/>',
                f'<text x="{LEFT + width + 6:.1f}" y="{middle}">{length:.1f}</text>',
            ]
            y += BAR + GAP
        y += 8
    size = f'width="{WIDTH}" height="{y + 6}"'
    view = f'{size} viewBox="0 0 {WIDTH} {y + 6}"'
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {view} font-family="sans-serif" font-size="12" fill="#222">'
    )
    return "\n".join([head, f'<rect {size} fill="#fff"/>', *body, "</svg>\n"])


def plot(runs: Runs, scenarios: Sequence[str]) -> str:
    """CPU time a message in some scenarios."""
    groups = []
    for name in scenarios:
        if name in runs:
            what = SCENARIOS[name]
            rows = [
                (CONTESTANTS[who].title, figures_of(rounds).cpu_us, CONTESTANTS[who].module == "ours")
                for who, rounds in runs[name].items()
            ]
            groups.append(
                (f"{FEEDS[what.feed].title}; {what.title}: CPU, µs a message", sorted(rows, key=_length))
            )
    return bars(groups)


def _length(row: tuple[str, float, bool]) -> float:
    return row[1]
