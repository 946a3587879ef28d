"""What the suite's report says, judged and tabulated; which cases are meant by a selection. No I/O but reading it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import attrs

__all__ = ["Case", "chosen", "parse_selection", "read_report", "table"]

BEHAVIOURS = ("OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED", "FAILED")

PASSED = frozenset({"OK", "NON-STRICT", "INFORMATIONAL"})
"""The suite has more words, ``WRONG CODE`` and ``UNCLEAN`` among them; whatever is not one of these is a failure."""

SECTIONS = {
    "1": "framing",
    "2": "pings and pongs",
    "3": "reserved bits",
    "4": "opcodes",
    "5": "fragmentation",
    "6": "UTF-8",
    "7": "close handshake",
    "9": "limits and speed",
    "10": "automatic fragmentation",
    "12": "compression: payloads",
    "13": "compression: parameters",
}


@attrs.frozen
class Case:
    """One case as the suite judged it.

    Attributes:
        name: such as ``6.4.1``.
        behavior: what it says of our messages and pongs.
        close: what it says of how the connection ended.
        words: why, in the suite's words.
        details: its own report of the case.
        may_miss: whether leaving it unimplemented is fine.
    """

    name: str
    behavior: str
    close: str
    words: str
    details: Path | None = None
    may_miss: bool = False

    @property
    def section(self) -> str:
        """Its first number."""
        return self.name.partition(".")[0]

    @property
    def unimplemented(self) -> bool:
        """Left undone, and rightly so."""
        return self.may_miss and self.behavior == "UNIMPLEMENTED" and self.close in PASSED

    @property
    def failed(self) -> bool:
        """Whether behaviour or closing is wrong."""
        return not (self.unimplemented or (self.behavior in PASSED and self.close in PASSED))

    @property
    def column(self) -> str:
        """Where it counts in the table."""
        return "FAILED" if self.failed else self.behavior


def parse_selection(text: str) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Ranges of cases: ``1-5,9.1,10.1.1`` are sections 1 to 5, subsection 9.1 and one case.

    Raises:
        ValueError: it is not such a list.
    """
    ranges = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*([\d.]*\d)\s*(?:-\s*([\d.]*\d))?\s*", part)
        if found is None:
            raise ValueError(f"{part!r} is neither a section, a case nor a range such as 1-5")
        first, last = found[1], found[2] or found[1]
        ranges.append((_numbers(first), _numbers(last)))
    return ranges


def chosen(name: str, selection: Iterable[tuple[tuple[int, ...], tuple[int, ...]]]) -> bool:
    """Whether the case is in one of the ranges, whose ends are whole sections if they are short."""
    case = _numbers(name)
    return any(first <= case[: len(first)] and case[: len(last)] <= last for first, last in selection)


def _numbers(name: str) -> tuple[int, ...]:
    return tuple(int(each) for each in name.split("."))


def read_report(
    folder: Path, agent: str, played: Sequence[str], may_miss: frozenset[str] = frozenset()
) -> list[Case]:
    """The agent's cases from the report in that folder; what was played and is not in it counts as failed."""
    index = json.loads((folder / "index.json").read_text())
    told: Mapping[str, Mapping[str, str]] = index.get(agent, {})
    cases = []
    for name in played:
        skip = name.partition(".")[0] in may_miss
        if (found := told.get(name)) is None:
            cases.append(Case(name, "MISSING", "MISSING", "the report does not have it"))
            continue
        details = folder / found["reportfile"]
        case = Case(name, found["behavior"], found["behaviorClose"], "", details, skip)
        cases.append(attrs.evolve(case, words=_words(details)) if case.failed else case)
    return cases


def _words(details: Path) -> str:
    report = json.loads(details.read_text())
    return f"{report['result']} {report['resultClose']}"


def table(cases: Iterable[Case]) -> str:
    """One line a section, one for their sum, and one for each failure."""
    cases = list(cases)
    counts = {section: Counter[str]() for section in SECTIONS}
    for case in cases:
        counts.setdefault(case.section, Counter())[case.column] += 1
    rows: list[tuple[str, ...]] = [("section", *BEHAVIOURS, "cases")]
    rows += [
        _row(f"{section} {SECTIONS.get(section, '')}", count) for section, count in counts.items() if count
    ]
    rows.append(_row("all", sum(counts.values(), Counter())))
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = [
        f"{row[0]:<{widths[0]}}  "
        + "  ".join(f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in rows
    ]
    lines += [
        f"FAILED {case.name}: behaviour {case.behavior}, close {case.close}; {case.words} ({case.details})"
        for case in cases
        if case.failed
    ]
    return "\n".join(lines)


def _row(title: str, count: Counter[str]) -> tuple[str, ...]:
    return (title, *(str(count[each] or "") for each in BEHAVIOURS), str(count.total()))
