"""``trioquotes export``: a recording as tables for other tools."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import trio
from cyclopts import Parameter
from rich.filesize import decimal

from trioquotes._protocol.contract import Venue
from trioquotes.cli.exits import say
from trioquotes.cli.numbers import many
from trioquotes.cli.output import Output
from trioquotes.cli.statusline import StatusLine, bar
from trioquotes.cli.stopping import run, stoppable
from trioquotes.cli.streaming import shortened, topics_of
from trioquotes.cli.words import folder as folder_of
from trioquotes.cli.words import recorded, venue_of
from trioquotes.errors import UsageError
from trioquotes.events import Event
from trioquotes.recording import replay
from trioquotes.recording.export import Exporter, ExportSummary
from trioquotes.topics import UNIFIED_TOPICS, Topic

__all__ = ["export", "topics_for"]


def export(
    folder: Annotated[Path, Parameter(name="DIR", converter=folder_of)],
    /,
    *,
    output: Annotated[Path, Parameter(name=("--output", "-o"), metavar="OUT", converter=folder_of)],
    format: Annotated[  # noqa: A002  # the option's name
        Literal["parquet", "csv", "ndjson"], Parameter(metavar="parquet|csv|ndjson", show_choices=False)
    ] = "parquet",
    topic: Annotated[tuple[str, ...], Parameter(metavar="TOPIC", show_default=False)] = (),
    overwrite: Annotated[bool, Parameter(show_default=False)] = False,
) -> int:
    """Write a recording as tables.

    Args:
        folder: The folder of the recording.
        output: The folder to make; it is there whole, or not at all.
        format: Of the files.
        topic: Only this, quoted where it has instruments ("trades BTC-USD"); may be given several times.
        overwrite: Replace an export that is in the folder.

    Returns:
        The exit code.
    """
    recording = replay(recorded(folder))
    chosen = topics_for(venue_of(recording.venue), recording.topics, topic) if topic else None
    exporter = Exporter(folder, output, format=format, topics=chosen, overwrite=overwrite)
    return run(partial(_export, exporter))


def topics_for(
    venue: Venue, recorded: Sequence[Topic[Event]], words: Sequence[str]
) -> tuple[Topic[Event], ...]:
    """The topics that are meant: recorded ones by their name or in full, else any that the venue has.

    Raises:
        UsageError: they mean none.
    """
    found: dict[Topic[Event], None] = {}
    for text in words:
        word, *instruments = text.split() or [""]
        known = [topic for topic in recorded if text.strip() in {topic.name, str(topic)}]
        if not known and not instruments and not _stands_alone(venue, word):
            held = ", ".join(map(str, recorded)) or "nothing"
            raise UsageError(
                f"--topic {text}: what was recorded is {held}; another topic needs its instrument"
            )
        native = word not in UNIFIED_TOPICS
        found |= dict.fromkeys(known or topics_of(venue, word, instruments, native=native))
    return tuple(found)


def _stands_alone(venue: Venue, word: str) -> bool:
    """Whether a topic of that name needs no instrument; one that is unknown is refused with better words elsewhere."""
    kind = UNIFIED_TOPICS.get(word, venue.topics.get(word))
    return kind is None or "instrument" not in kind.__struct_fields__


async def _export(exporter: Exporter) -> int:
    began_s = trio.current_time()
    summary: ExportSummary | None = None
    status = StatusLine(partial(_progress, exporter), Output())
    async with stoppable() as stop:
        with stop.ending():
            async with trio.open_nursery() as nursery:
                if status.is_on:
                    nursery.start_soon(status.run, name="status line")
                summary = await exporter.run()
                nursery.cancel_scope.cancel()
    if summary is None:
        say(f"{exporter.output}: stopped; nothing was written")
        return stop.exit_code
    for remark in _remarks(summary):
        say(f"trioquotes: {remark}")
    say(_total(summary, trio.current_time() - began_s))
    return stop.exit_code


def _progress(exporter: Exporter) -> str:
    """The line for standard error."""
    what = "again, with wider columns" if exporter.passes > 1 else "exporting"
    return f"{shortened(str(exporter.output))} | {bar(exporter.share)} | {what}"


def _remarks(summary: ExportSummary) -> Iterator[str]:
    """What is not as one might expect."""
    yield from map(str, summary.torn)
    if summary.ended is not None:
        yield f"it ends before the recording does: {summary.ended}"
    if summary.left_over is not None:
        yield f"{summary.left_over}: the export that was replaced could not be removed: delete it"
    for table in summary.tables:
        for column in table.texts:
            yield f"{table.name}: {column} is text: no column of 38 digits holds all of its numbers exactly"


def _total(summary: ExportSummary, took_s: float) -> str:
    tables = ", ".join(f"{table.name} {table.rows:,}" for table in summary.tables) or "no tables"
    return (
        f"{summary.path}: {tables}: {many(summary.rows, 'row')} in {many(summary.files, 'file')},"
        f" {decimal(summary.bytes)}, in {took_s:.1f} s; {many(summary.gaps, 'gap')}"
    )
