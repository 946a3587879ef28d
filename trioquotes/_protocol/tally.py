"""The count of what became of every element of every frame."""

from __future__ import annotations

from collections import Counter

import attrs

__all__ = ["Tally", "TallyCount"]


@attrs.frozen
class TallyCount:
    """A tally at one moment: ``elements`` = ``delivered`` + ``folded`` + all ``ignored`` + ``malformed``.

    Attributes:
        frames: whole messages received.
        bytes: their payload bytes.
        elements: what the frames held; what an element is is defined per message type.
        delivered: elements that became a message handed to at least one topic.
        folded: elements that became part of such a message.
        ignored: elements that made no event, by reason.
        malformed: elements that did not decode.
        gaps: places where something was found missing.
    """

    frames: int
    bytes: int
    elements: int
    delivered: int
    folded: int
    ignored: dict[str, int]
    malformed: int
    gaps: int

    def __add__(self, other: TallyCount) -> TallyCount:
        return TallyCount(
            frames=self.frames + other.frames,
            bytes=self.bytes + other.bytes,
            elements=self.elements + other.elements,
            delivered=self.delivered + other.delivered,
            folded=self.folded + other.folded,
            ignored=dict(Counter(self.ignored) + Counter(other.ignored)),
            malformed=self.malformed + other.malformed,
            gaps=self.gaps + other.gaps,
        )


class Tally:
    """Counts dispositions; ``elements`` is derived from them, so it cannot disagree."""

    def __init__(self) -> None:
        self.frames = 0
        self.bytes = 0
        self.delivered = 0
        self.folded = 0
        self.ignored: Counter[str] = Counter()
        self.malformed = 0
        self.gaps = 0

    def count(self) -> TallyCount:
        """The figures now."""
        elements = self.delivered + self.folded + self.ignored.total() + self.malformed
        return TallyCount(
            frames=self.frames,
            bytes=self.bytes,
            elements=elements,
            delivered=self.delivered,
            folded=self.folded,
            ignored=dict(sorted(self.ignored.items())),
            malformed=self.malformed,
            gaps=self.gaps,
        )
