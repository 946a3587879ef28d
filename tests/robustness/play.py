"""A venue on the stage with all its topics served, and what must hold whatever is then said to it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import attrs
import msgspec

from tests.robustness.hostile import CASES
from tests.venues.bench import Bench, Line, Outbox
from tests.venues.cases import Case
from trioquotes._protocol.codec import to_json_line
from trioquotes._protocol.effects import Failure, Fatal, HttpRequest, Lane, Reply, Retry
from trioquotes._protocol.oddities import MAX_ADJUSTED
from trioquotes.errors import SessionError
from trioquotes.events import Event, Malformed, Notice, Unknown
from trioquotes.topics import OrderBooks

__all__ = ["FETCHING", "Play", "check", "fetching", "judge"]

REASONS: Final = 40
"""More reasons to ignore something than any venue has: each is a key of the count, kept for ever."""


class Play:
    """A venue with all its topics served, and somebody who looks at everything that comes of it."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.bench = Bench(case.venue, credentials=case.credentials)
        self.boxes = [self.bench.subscribe(topic) for topic in case.topics]
        self.bench.settle(case.server, patience_s=30.0)

    @property
    def lines(self) -> list[Line]:
        return self.bench.lines

    def line(self, lane: str) -> Line:
        """The line of a sample; one that was given up is opened again."""
        line = self.bench.line(lane)
        if line.state.lost_reason is not None and line.protocol is not None:
            assert isinstance(line.drop(), Retry | Fatal)
        if line.protocol is None:
            line.connect()
        return line

    def say(self, line: Line, frame: bytes) -> None:
        """The server says this; the stage itself asserts that it gets a disposition."""
        line.server(frame)
        line.writer()
        self.look()

    def look(self) -> list[Event]:
        """Judge what came since the last time."""
        events = {id(event): event for box in self.boxes for event in box.take()}
        for event in events.values():
            judge(event)
        for line in self.lines:
            assert len(line.state.tally.ignored) < REASONS
        return list(events.values())


def judge(event: Event) -> None:
    """Every number of it can be meant, and it can be written down."""
    for number in decimals(event):
        assert number.is_finite(), event
        assert abs(number.adjusted()) <= MAX_ADJUSTED, event
    if not isinstance(event, Malformed | Unknown) or len(event.frame) < 10_000:
        to_json_line(event).encode()


def decimals(value: object) -> Iterator[Decimal]:
    """Every number of an event, in whatever it is kept."""
    if isinstance(value, Decimal):
        yield value
    elif isinstance(value, msgspec.Struct) and not isinstance(value, Notice):
        for name in value.__struct_fields__:
            yield from decimals(getattr(value, name))
    elif isinstance(value, tuple | list):
        for inner in value:
            yield from decimals(inner)
    elif isinstance(value, dict):
        for inner in value.values():
            yield from decimals(inner)


def check(verdict: Retry | Fatal, of: object) -> None:
    """A verdict that can be acted upon."""
    if isinstance(verdict, Fatal):
        assert isinstance(verdict.error, SessionError)
        assert len(str(verdict.error)) < 5_000, of
    else:
        assert 0 <= verdict.floor_s < math.inf, of  # and so it is not NaN


class Spoiler:
    """A server whose socket is perfect and whose HTTP side is not."""

    def __init__(self, case: Case, lane: Lane, replies: Iterator[Reply | Failure]) -> None:
        self._good = case.server(lane)
        self._replies = replies
        self.connected = self._good.connected
        self.receive = self._good.receive

    def fetch(self, request: HttpRequest) -> Any:
        return next(self._replies)


def fetching(case: Case, replies: Iterator[Reply | Failure]) -> tuple[Bench, list[Outbox], int]:
    """Play until the venue has fetched nothing more for a while; returns how many answers it took."""
    taken = 0

    def counted() -> Iterator[Reply | Failure]:
        nonlocal taken
        for reply in replies:
            taken += 1
            yield reply

    bench = Bench(case.venue, credentials=case.credentials)
    boxes = [bench.subscribe(topic) for topic in case.topics]
    source = counted()
    for _ in range(20):
        bench.settle(lambda lane: Spoiler(case, lane, source), patience_s=5.0)
        bench.advance(60.0)
        for line in bench.lines:
            if line.state.lost_reason is not None and line.protocol is not None:
                line.drop()
    return bench, boxes, taken


def _fetching() -> Iterator[Case]:
    """Those that ask by HTTP for something in a session; edgeX tells everything on its sockets."""
    for case in CASES:
        if OrderBooks in case.venue.unified:
            yield attrs.evolve(case, topics=(*case.topics, OrderBooks("BTC-USD")))
        elif case.venue.name not in {"edgex", "coinbase"}:
            yield case


FETCHING: Final = tuple(_fetching())
