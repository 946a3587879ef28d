"""Sessions that are recorded while things go wrong, and what replays of them are held against."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import trio

import trioquotes as tq
from tests.simulation.place import Place
from trioquotes._protocol.codec import to_json_line
from trioquotes._runtime.transport import TapConnector
from trioquotes.recording import Recorder, Replayer, record, replay
from trioquotes.simulator.faults import Fault
from trioquotes.testing import World, WorldFault, run_world, split_script

__all__ = ["Run", "book_lines", "lines_of", "live", "names", "played", "replayed", "topics_at"]


@attrs.define
class Run:
    """What a session gave.

    Attributes:
        lines: its events and notices as lines of JSON.
        books: at the end, by instrument.
        error: that it ended with.
    """

    lines: list[str] = attrs.field(factory=list)
    books: dict[str, str] = attrs.field(factory=dict)
    error: BaseException | None = None


def lines_of(events: Iterable[tq.Event]) -> list[str]:
    return [to_json_line(event, type(event).__qualname__) for event in events]


def names(lines: Iterable[str]) -> list[str]:
    """What the lines are about."""
    return [line[10 : line.find('"', 10)] for line in lines]


def book_lines(events: Sequence[tq.Event]) -> dict[str, str]:
    """The books that a reader would have at the end."""
    books: dict[str, tq.OrderBook] = {}
    for event in events:
        if isinstance(event, tq.BookSnapshot | tq.BookChange):
            book = books.setdefault(event.instrument, tq.OrderBook(event.instrument))
            if isinstance(event, tq.BookSnapshot) or book.state == "live":
                book.apply(event)
        elif isinstance(event, tq.Gap) and event.instrument in books:
            books[event.instrument].invalidate(event.reason)
    return {name: f"{book.state} {book.levels('bid')} {book.levels('ask')}" for name, book in books.items()}


def topics_at(place: Place, *, keyed: bool) -> list[tq.Topic[Any]]:
    """Everything that can be asked for there, once."""
    return list(dict.fromkeys(choice.topic for choice in place.choices(keyed)))


async def read(stream: tq.Stream, run: Run, until_s: float) -> None:
    events: list[tq.Event] = []
    try:
        with trio.move_on_at(until_s):
            async for event in stream:
                events.append(event)
        with suppress(trio.WouldBlock, trio.EndOfChannel):
            while True:  # whatever came at the last moment was recorded as well
                events.append(stream.receive_nowait())
    finally:
        run.lines = lines_of(events)
        run.books = book_lines(events)


def live(
    place: Place, path: Path, script: Sequence[Fault | WorldFault], *, seed: int, for_s: float, keyed: bool = False,
    recorder_options: dict[str, Any] | None = None, **options: Any,
) -> tuple[Run, Recorder]:  # fmt: skip
    """A session at that venue, recorded."""
    venue_faults, world_faults = split_script(script)
    run = Run()
    recorders: list[Recorder] = []

    async def main(world: World) -> None:
        simulator = place.simulator(seed=seed, wall_ns=world.wall_ns, faults=venue_faults)
        recorder = record(path, connector=TapConnector(world), **(recorder_options or {}))
        recorders.append(recorder)
        session = world.session(
            world.serve(simulator), *topics_at(place, keyed=keyed), connector=recorder,
            credentials=place.key if keyed else None, connect_timeout_s=600.0, **options,
        )  # fmt: skip
        try:
            async with session as stream:
                await read(stream, run, trio.current_time() + for_s)
        except tq.TrioquotesError as error:
            run.error = error

    run_world(main, seed=seed, deadline_s=36000.0, faults=world_faults)
    return run, recorders[0]


def replayed(
    path: Path,
    *topics: tq.Topic[Any],
    venue: str | None = None,
    speed: Any = "max",
    for_s: float = 1e7,
    run: Run | None = None,
    **options: Any,
) -> tuple[Run, Replayer]:
    """A session that plays the recording, under a virtual clock; ``run`` has what was read also where it ends in an error."""
    run = Run() if run is None else run
    replayer = replay(path, speed=speed)

    async def main(world: World) -> None:
        session = tq.Session(
            venue or replayer.venue, *(topics or replayer.topics), connector=replayer, **options
        )
        async with session as stream:
            await read(stream, run, trio.current_time() + for_s)

    run_world(main, seed=1, deadline_s=1e8)
    return run, replayer


def played(path: Path, **options: Any) -> Run:
    return replayed(path, **options)[0]
