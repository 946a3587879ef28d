"""A recording as tables: replayed as fast as it goes, and written by event type, venue, instrument and day."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, cast, get_args

import attrs
import trio

from trioquotes._runtime.mailbox import Mailbox
from trioquotes._runtime.session import Session, find_venue
from trioquotes._runtime.subscription import Subscription
from trioquotes.errors import TrioquotesError, UsageError
from trioquotes.events import Gap
from trioquotes.recording.export_arrow import Extents, load
from trioquotes.recording.export_files import FORMATS, Format, Sink, TableSummary
from trioquotes.recording.export_place import Place
from trioquotes.recording.reading import TornSegment
from trioquotes.recording.replayer import Replayer, replay
from trioquotes.topics import Topic

__all__ = ["ExportSummary", "Exporter", "Format", "TableSummary"]

TURN: Final = 512
"""Events after which others get a turn."""
VERSION: Final = 1
"""Of the layout of an export."""


@attrs.frozen
class ExportSummary:
    """What an export wrote.

    Attributes:
        path: the folder.
        format: of its files.
        venue: name of the venue.
        topics: what was replayed, as texts.
        tables: by name.
        gaps: how often something may be missing: the ``Gap`` notices in the table ``notice``.
        torn: segments of the recording that end before their time.
        ended: why the only topic ended before the recording did; ``None`` where it did not.
        left_over: where the export that was replaced still is, as far as it could not be removed; ``None`` where it is gone.
    """

    path: Path
    format: Format
    venue: str
    topics: tuple[str, ...]
    tables: tuple[TableSummary, ...]
    gaps: int
    torn: tuple[TornSegment, ...]
    ended: TrioquotesError | None = None
    left_over: Path | None = None

    @property
    def rows(self) -> int:
        """Of all tables."""
        return sum(table.rows for table in self.tables)

    @property
    def files(self) -> int:
        """Of all tables."""
        return sum(table.files for table in self.tables)

    @property
    def bytes(self) -> int:
        """That they take."""
        return sum(table.bytes for table in self.tables)


class Exporter:
    """Writes a recording's events and notices as tables.

    ::

        exporter = Exporter("btc", "ticks", format="parquet")
        summary = await exporter.run()

    The rows are what a session's ``async for`` gives in a replay, each with its position among all. The folder gets its name
    once it is complete; whatever ends the export before leaves nothing behind. Memory does not grow with the recording.

    Args:
        path: the folder of the recording.
        output: the folder to make; empty, or not there.
        format: ``"parquet"`` (needs the extra ``parquet``), ``"csv"`` or ``"ndjson"``.
        topics: what to replay; those that were recorded unless given.
        overwrite: replace an export that is in the folder already; nothing else is ever replaced.

    Raises:
        RecordingError: there is no recording, or it cannot be read.
        UsageError: the folder holds something, the recording has no data of a topic, or there is no such format.
        MissingExtra: pyarrow is not installed.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        output: str | os.PathLike[str],
        *,
        format: Format = "parquet",  # noqa: A002  # the word of the command line
        topics: Sequence[Topic[Any]] | None = None,
        overwrite: bool = False,
    ) -> None:
        if format not in get_args(Format):
            raise UsageError(f"there is no format {format!r}: it is one of {', '.join(FORMATS)}")
        if format == "parquet":
            load()
        self._source = Path(path)
        self._format: Format = format
        self._replayer = replay(self._source, speed="max")
        self._venue = find_venue(self._replayer.venue)
        self._topics = self._replayer.topics if topics is None else tuple(topics)
        if not self._topics:
            raise UsageError(f"{path}: nothing was subscribed while this was recorded")
        self._session(self._replayer)  # what cannot be replayed is refused here
        self._place = Place(Path(output), overwrite=overwrite)
        if self._place.path.resolve() in (self._source.resolve(), *self._source.resolve().parents):
            raise UsageError(f"{output} holds the recording itself: choose another folder")
        self._passes = 0
        self._gaps = 0
        self._ended: TrioquotesError | None = None

    @property
    def output(self) -> Path:
        """The folder that is made."""
        return self._place.path

    @property
    def share(self) -> float:
        """How much of the current pass over the recording is done, from 0 to 1."""
        return self._replayer.progress.share

    @property
    def passes(self) -> int:
        """Passes begun: a second one makes those Parquet tables whose numbers need other columns than usual."""
        return self._passes

    async def run(self) -> ExportSummary:
        """Do it.

        Returns:
            What was written.

        Raises:
            RecordingError: the recording cannot be read, or the export not written, because the disk is full, say.
            TrioquotesError: as the recorded session when it was entered.
        """
        self._place.begin()
        try:
            tables, again = await self._pass(None)
            if again:
                more, _ = await self._pass(again)
                tables += more
            summary = self._summary(sorted(tables, key=lambda table: table.name))
            left_over = self._place.finish(_manifest(summary, self._source))
        finally:
            self._place.discard()
        return attrs.evolve(summary, left_over=left_over)

    def _summary(self, tables: list[TableSummary]) -> ExportSummary:
        return ExportSummary(
            path=self._place.path,
            format=self._format,
            venue=self._venue.name,
            topics=tuple(map(str, self._topics)),
            tables=tuple(tables),
            gaps=self._gaps,
            torn=tuple(self._replayer.progress.torn),
            ended=self._ended,
        )

    def _session(self, replayer: Replayer) -> Session:
        # Only replays have this policy: one read of the socket may bring more than any buffer holds.
        wait = cast("Any", "wait")
        return Session(self._venue, *self._topics, connector=replayer, overflow=wait)

    async def _pass(self, again: dict[str, Extents] | None) -> tuple[list[TableSummary], dict[str, Extents]]:
        """Play all of it once, and write what is to be written.

        Returns:
            The tables that were made, and those that have to be made again.
        """
        self._passes += 1
        self._gaps = 0
        place = self._place
        sink = Sink(place.staging, self._format, self._venue.name, again, known_as=place.path)
        mailbox = Mailbox(self._venue.name, lambda: self._replayer.progress.wall_ns or 0)
        try:
            async with self._session(self._replayer).run(mailbox):
                await self._read(mailbox, sink)
            await trio.to_thread.run_sync(sink.close)
        finally:
            sink.abandon()
        return sink.summaries(), sink.irregular()

    async def _read(self, mailbox: Mailbox, sink: Sink) -> None:
        """Hand everything to the sink, in order, to the end."""
        taken = 0
        while True:
            subject = _next_subject(mailbox)
            event = mailbox.pop()
            if event is not None:
                self._gaps += event.count if isinstance(event, Gap) else 0
                sink.add(event, subject)
                taken += 1
                if sink.is_full:
                    await trio.to_thread.run_sync(sink.flush)
                elif taken % TURN == 0:
                    await trio.lowlevel.checkpoint()
                continue
            self._ended = mailbox.ending()
            if self._ended is not None or not mailbox.open:
                return
            await mailbox.wait()


def _next_subject(mailbox: Mailbox) -> str:
    """The instrument that the topic of the next event asks for: messages of a venue do not all say it themselves."""
    for entry in mailbox.entries:
        if isinstance(entry, Subscription):
            return entry.topic.subject
        if entry.notice is not None:
            return ""
    return ""


def _manifest(summary: ExportSummary, source: Path) -> dict[str, object]:
    return {
        "trioquotes_export": VERSION,
        "recording": source.resolve().name,
        "venue": summary.venue,
        "topics": list(summary.topics),
        "format": summary.format,
        "gaps": summary.gaps,
        "torn": [f"{torn.path.name}: {torn.reason}" for torn in summary.torn],
        "tables": {
            table.name: {"rows": table.rows, "files": table.files, "texts": list(table.texts)}
            for table in summary.tables
        },
    }
