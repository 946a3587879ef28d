"""What the skeletons share: the parts of a venue that ask nothing of the contract."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import ClassVar

from trioquotes._protocol.contract import Venue
from trioquotes._protocol.effects import Budget, Endpoint, Lane, Limits, Options, Stamp, WireChannel
from trioquotes.errors import InvalidInstrument, UnsupportedTopic
from trioquotes.events import BookChange, BookSnapshot, Event, Level
from trioquotes.topics import UNIFIED_TOPICS, Topic

__all__ = ["Skeleton", "Talk", "change", "levels", "snapshot"]


class Skeleton(Venue):
    """Instruments by a pattern, topics by their words, one lane unless the venue says otherwise."""

    endpoints: ClassVar[Mapping[str, Endpoint]]
    budgets: ClassVar[tuple[Budget, ...]] = ()
    limits: ClassVar[Limits] = Limits()
    topics: ClassVar[Mapping[str, type[Topic[Event]]]] = {}
    unified: ClassVar[frozenset[type[Topic[Event]]]] = frozenset()
    pattern: ClassVar[str]

    def instrument(self, text: str) -> str:
        if not re.fullmatch(self.pattern, text, re.ASCII):
            raise InvalidInstrument(f"{text!r} is no instrument of {self.name}")
        return text

    def topic(self, name: str, instrument: str, native: bool) -> Topic[Event]:
        known = (
            self.topics
            if native
            else {word: kind for word, kind in UNIFIED_TOPICS.items() if kind in self.unified}
        )
        if name not in known:
            raise UnsupportedTopic(f"{self.name} has no topic {name!r}; it has {', '.join(sorted(known))}")
        if "instrument" in known[name].__struct_fields__ and (instrument or not known[name].private):
            return known[name](self.instrument(instrument))
        return known[name]()

    def unsupported(self, topic: Topic[Event]) -> UnsupportedTopic:
        """What :meth:`serve` raises for a topic that is not here."""
        return UnsupportedTopic(f"{self.name} cannot serve {topic}")

    def plan(self, channels: Sequence[WireChannel], options: Options) -> Mapping[Lane, Sequence[WireChannel]]:
        return {Lane("public"): channels}

    def offline(self, channel: str) -> Lane:
        return Lane("public")


class Talk:
    """Numbers for requests and a watch on silence: what every protocol here keeps."""

    def __init__(self) -> None:
        self.next_id = 1
        self.heard_s: float | None = None

    def heard(self, stamp: Stamp) -> None:
        """Something came."""
        self.heard_s = stamp.monotonic_s

    def took(self, effect_id: int) -> None:
        """That number is used up."""
        self.next_id = effect_id + 1


def levels(side: Sequence[tuple[Decimal, Decimal]], *, best_first: bool = True) -> tuple[Level, ...]:
    """Levels of one side without the empty ones."""
    found = tuple((price, size) for price, size in side if size)
    return found if best_first else found[::-1]


def snapshot(
    venue: str, instrument: str, bids: Sequence[Level], asks: Sequence[Level], received_ns: int
) -> BookSnapshot:
    """A whole book."""
    return BookSnapshot(
        venue=venue, instrument=instrument, bids=tuple(bids), asks=tuple(asks), received_ns=received_ns
    )


def change(
    venue: str, instrument: str, bids: Sequence[Level], asks: Sequence[Level], received_ns: int
) -> BookChange:
    """Levels that changed."""
    return BookChange(
        venue=venue, instrument=instrument, bids=tuple(bids), asks=tuple(asks), received_ns=received_ns
    )
