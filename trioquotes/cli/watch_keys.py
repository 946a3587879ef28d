"""Keys from the bytes that a terminal sends for them; pure."""

from __future__ import annotations

__all__ = ["KeyReader"]

ESCAPE = "\x1b"

SEQUENCES = {"A": "up", "B": "down", "C": "right", "D": "left", "Z": "backtab"}
"""Keys by the last character of their control sequence.

*Source:* ECMA-48, section 8.3 (CUU, CUD, CUF, CUB, CBT), as terminals send them for cursor keys and shift-tab.
"""

NAMES = {"\t": "tab", " ": "space", "\r": "enter", "\n": "enter", "\x0c": "redraw"}

LONGEST = 32
"""Characters of a control sequence; what goes on for longer is none."""


class KeyReader:
    """Splits what was read into keys, however the reads cut it."""

    def __init__(self) -> None:
        self._rest = ""

    @property
    def is_pending(self) -> bool:
        """Whether something began that may be the escape key alone, or the beginning of more."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[str]:
        """The keys that are whole now: characters as they are, others by name; unknown ones are left out."""
        text = self._rest + data.decode("ascii", "replace")
        self._rest = ""
        keys: list[str] = []
        at = 0
        while at < len(text):
            if text[at] != ESCAPE:
                keys.append(NAMES.get(text[at], text[at]))
                at += 1
                continue
            end = _sequence_end(text, at)
            if end is None:
                self._rest = text[at:]
                break
            keys += _escaped(text[at:end])
            at = end
        return keys

    def flush(self) -> list[str]:
        """Nothing followed for a while: what began was the escape key, or is dropped."""
        rest, self._rest = self._rest, ""
        return ["escape"] if rest == ESCAPE else []


def _sequence_end(text: str, start: int) -> int | None:
    """Where what begins with this escape character ends; ``None`` where more may come."""
    if len(text) == start + 1:
        return None
    if text[start + 1] == ESCAPE:
        return start + 1
    if text[start + 1] not in "[O":
        return start + 2
    for at in range(start + 2, min(len(text), start + LONGEST)):
        if "@" <= text[at] <= "~":
            return at + 1
        if not " " <= text[at] <= "?":
            return at  # broken off: what follows stands for itself
    return None if len(text) < start + LONGEST else start + LONGEST


def _escaped(sequence: str) -> list[str]:
    if sequence == ESCAPE:
        return ["escape"]
    found = SEQUENCES.get(sequence[-1]) if sequence[1] in "[O" else None
    return [] if found is None else [found]
