"""What a check-up found, and how it is told: values in, texts out."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

import attrs

from trioquotes.cli.exits import DONE, FAILED, one_line

__all__ = ["STEPS", "Finding", "Status", "duration", "json_text", "lines_of", "summary", "verdict"]

Status: TypeAlias = Literal["ok", "warning", "failed", "none", "skipped", "stopped"]

STEPS: Final = (
    "resolve",
    "connect",
    "tls",
    "handshake",
    "subscribe",
    "data",
    "heartbeat",
    "clock",
    "round trip",
    "limits",
)
"""In the order in which they are taken."""

WORDS: Final[Mapping[Status, str]] = {
    "ok": "ok",
    "warning": "WARNING",
    "failed": "FAILED",
    "none": "-",
    "skipped": "skipped",
    "stopped": "stopped",
}
COLOURS: Final[Mapping[Status, str]] = {
    "ok": "32",
    "warning": "33",
    "failed": "31",
    "none": "2",
    "skipped": "2",
    "stopped": "33",
}
"""As a terminal numbers them."""

STATUS_COLUMNS: Final = 9
STEP_COLUMNS: Final = 12
TIME_COLUMNS: Final = 8
LEAST_COLUMNS: Final = 26
"""Where less than this is left beside the time, the words stand below, as wide as the terminal is."""
NARROW_INDENT: Final = "  "


@attrs.frozen
class Finding:
    """What came of one step.

    Attributes:
        step: its name, one of ``STEPS``.
        status: ``none`` is a step that this connection does not have; ``stopped`` one that Ctrl-C ended.
        said: what was found, for people.
        took_s: how long it took; ``None`` where it was not taken.
        kind: one word for what went wrong; empty where nothing did.
        advice: what to do about that.
        facts: what was found, for programs.
    """

    step: str
    status: Status
    said: str = ""
    took_s: float | None = None
    kind: str = ""
    advice: str = ""
    facts: Mapping[str, Any] = attrs.field(factory=dict)


def verdict(findings: Iterable[Finding]) -> int:
    """The exit code: 0 only when every step went well."""
    return DONE if all(finding.status in {"ok", "none"} for finding in findings) else FAILED


def duration(seconds: float) -> str:
    """A short time as people read it: ``0.4 ms``, ``84 ms``, ``1.23 s``, ``12 s``."""
    if seconds < 0.001:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.0f} s"


def lines_of(finding: Finding, width: int | None, *, coloured: bool = False) -> str:
    """One step as a line, and what to do as more of them below.

    Args:
        finding: the step.
        width: columns of the terminal; ``None`` never breaks a line.
        coloured: whether the first word has a colour.
    """
    time = "" if finding.took_s is None else duration(finding.took_s)
    indent = " " * (STATUS_COLUMNS + STEP_COLUMNS + TIME_COLUMNS + 2)
    status = WORDS[finding.status].ljust(STATUS_COLUMNS)
    if coloured:
        status = f"\x1b[{COLOURS[finding.status]}m{status}\x1b[0m"
    head = f"{status}{finding.step.ljust(STEP_COLUMNS)}{time.rjust(TIME_COLUMNS)}"
    said = one_line(finding.said)
    if width is not None and width - len(indent) < LEAST_COLUMNS:
        indent = NARROW_INDENT
        lines = [head.rstrip(), *(indent + line for line in _folded(said, width, indent))]
    else:
        first, *others = _folded(said, width, indent) or [""]
        lines = [f"{head}  {first}".rstrip(), *(indent + line for line in others)]
    if finding.advice:
        lines += [indent + line for line in _folded(f"-> {one_line(finding.advice)}", width, indent)]
    return "".join(f"{line}\n" for line in lines)


def summary(findings: Sequence[Finding], took_s: float) -> str:
    """The last line.

    Args:
        findings: of all steps.
        took_s: how long they took together.
    """
    bad = [finding.step for finding in findings if finding.status == "failed"]
    odd = [finding.step for finding in findings if finding.status == "warning"]
    if any(finding.status == "stopped" for finding in findings):
        return f"stopped after {duration(took_s)}"
    if bad:
        return f"{bad[0]} failed after {duration(took_s)}"
    if odd:
        return f"it works, but look at {' and '.join(odd)}; {duration(took_s)}"
    return f"all is well; {duration(took_s)}"


def json_text(heading: Mapping[str, Any], findings: Sequence[Finding], code: int) -> str:
    """All of it as one object."""
    steps = [
        {
            "step": finding.step,
            "status": finding.status,
            "seconds": None if finding.took_s is None else round(finding.took_s, 6),
            "said": one_line(finding.said),
            "kind": finding.kind,
            "advice": finding.advice,
            "facts": dict(finding.facts),
        }
        for finding in findings
    ]
    return json.dumps({**heading, "ok": code == DONE, "exit_code": code, "steps": steps}, indent=2)


def _folded(text: str, width: int | None, indent: str) -> list[str]:
    if width is None:
        return [text] if text else []
    return textwrap.wrap(text, max(width - len(indent), 1), break_on_hyphens=False)
