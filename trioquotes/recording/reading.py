"""Reading a recording: records in order, and what a folder holds in all."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

from trioquotes._runtime.files import describe_file_error
from trioquotes.errors import RecordingError
from trioquotes.recording.format import NotASegment, SegmentReader, Tear, decode_record
from trioquotes.recording.records import (
    FramesReceived,
    LanePlanned,
    LineClosed,
    LineOpened,
    NoticeGiven,
    Record,
    RunBegun,
    RunEnded,
    TopicWanted,
)
from trioquotes.recording.writer import segments_of

__all__ = ["LaneSummary", "Recording", "RecordingSummary", "TornSegment"]

CHUNK_BYTES: Final = 64 * 1024
"""Bytes read from disk at a time: a few milliseconds' work at most, so that a replay may read in the event loop."""


@attrs.frozen
class TornSegment:
    """A segment that ends before its time: it was being written when the program died, or it was damaged.

    Attributes:
        path: of the segment.
        at_bytes: how much of it is whole, and read.
        lost_bytes: how much is not.
        reason: in words.
    """

    path: Path
    at_bytes: int
    lost_bytes: int
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.path}: {self.reason} after {self.at_bytes} bytes: {self.lost_bytes} bytes were left out"
        )


@attrs.frozen
class LaneSummary:
    """What a recording holds of one lane.

    Attributes:
        lane: its name.
        connections: lines that were opened.
        frames: received; ``frame_bytes`` what they are in all.
        losses: lines that were closed without being meant to.
    """

    lane: str
    connections: int
    frames: int
    frame_bytes: int
    losses: int


@attrs.frozen
class RecordingSummary:
    """What a recording holds.

    Attributes:
        path: the folder.
        venue: name of the venue.
        topics: what was subscribed, as texts.
        runs: sessions that were recorded; ``unfinished`` those of which the end is missing.
        began_ns: when the first record was made, in Unix nanoseconds; ``ended_ns`` the last one.
        duration_s: for how long sessions were recorded, the time between them left out.
        segments: files; ``bytes`` what they take.
        lanes: one entry a lane.
        notices: how often what was told, by the notice's name.
        records: of each kind, by name.
        torn: segments that end before their time.
    """

    path: Path
    venue: str
    topics: tuple[str, ...]
    runs: int
    unfinished: int
    began_ns: int
    ended_ns: int
    duration_s: float
    segments: int
    bytes: int
    lanes: tuple[LaneSummary, ...]
    notices: dict[str, int]
    records: dict[str, int]
    torn: tuple[TornSegment, ...]

    @property
    def frames(self) -> int:
        """Received, on all lanes."""
        return sum(lane.frames for lane in self.lanes)


class Recording:
    """A folder with a recording, to be read from its beginning as often as wanted.

    A recording may be read while it is being made: what is there is read, and its end counts as torn off.

    Args:
        path: the folder.

    Attributes:
        path: the folder.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"<Recording {self.path}>"

    @property
    def segments(self) -> list[Path]:
        """The files, oldest first; none where there is no such folder.

        Raises:
            RecordingError: the folder cannot be read.
        """
        try:
            return segments_of(self.path)
        except OSError as error:
            raise RecordingError(f"{self.path}: {describe_file_error(error)}") from error

    def headers(self) -> Iterator[tuple[Path, RunBegun]]:
        """The first record of each segment that has one.

        Raises:
            RecordingError: a file cannot be read, or was made by a later version.
        """
        for path in self.segments:
            first = next(iter(_Segment(path)), None)
            if isinstance(first, RunBegun):
                yield path, first

    def header(self) -> RunBegun:
        """How the first of the recorded sessions began.

        Raises:
            RecordingError: there is no recording, or it cannot be read.
        """
        for _, header in self.headers():
            return header
        raise RecordingError(f"{self.path}: there is no recording")

    @property
    def venue(self) -> str:
        """Name of the recorded venue.

        Raises:
            RecordingError: there is no recording, or it cannot be read.
        """
        return self.header().venue

    def outline(self) -> Iterator[Record]:
        """What was subscribed and planned: the headers of all segments, and the rest, and the end, of the last one of each run.

        Raises:
            RecordingError: a file cannot be read, or was made by a later version.
        """
        last: dict[str, Path] = {}
        for path, header in self.headers():
            yield header
            last[header.run] = path
        for path in last.values():
            record: Record | None = None
            for record in _Segment(path):
                if isinstance(record, LanePlanned | TopicWanted):
                    yield record
            if record is not None:
                yield record

    def read(self) -> Iterator[Record | TornSegment]:
        """Every record in order; a torn segment's end stands where what is missing would.

        The header that every further segment of a run begins with is left out, unless what it follows is missing.

        Raises:
            RecordingError: there is no recording, or it cannot be read.
        """
        if not self.segments:
            raise RecordingError(f"{self.path}: there is no recording")
        expected: tuple[str, int] | None = None
        for path in self.segments:
            segment = _Segment(path)
            is_first = True
            for record in segment:
                if is_first and isinstance(record, RunBegun):
                    if (record.run, record.segment) != expected:
                        yield record
                    expected = record.run, record.segment + 1
                else:
                    yield record
                is_first = False
            if segment.tear is not None:
                expected = None
                yield TornSegment(path, segment.tear.at_bytes, segment.tear.lost_bytes, segment.tear.reason)

    def summary(self) -> RecordingSummary:
        """Read all of it, and say what there is.

        Raises:
            RecordingError: there is no recording, or it cannot be read.
        """
        tally = _Tally()
        for record in self.read():
            tally.add(record)
        return tally.summary(self.path, self.segments)


class _Segment:
    """The records of one file.

    Attributes:
        tear: what is wrong with its end, once all records were read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tear: Tear | None = None

    def __iter__(self) -> Iterator[Record]:
        reader = SegmentReader()
        try:
            with self.path.open("rb", buffering=0) as file:
                while data := file.read(CHUNK_BYTES):
                    yield from map(decode_record, reader.feed(data))
        except OSError as error:
            raise RecordingError(f"{self.path}: {describe_file_error(error)}") from error
        except NotASegment as error:
            raise RecordingError(f"{self.path}: {error}") from error
        self.tear = reader.end()


@attrs.define
class _LaneTally:
    connections: int = 0
    frames: int = 0
    frame_bytes: int = 0
    losses: int = 0


class _Tally:
    """Counts records."""

    def __init__(self) -> None:
        self._venue = ""
        self._topics: dict[str, None] = {}
        self._runs: set[str] = set()
        self._open = False
        self._unfinished = 0
        self._first_ns: int | None = None
        self._last_ns = 0
        self._since_s: float | None = None
        self._last_s = 0.0
        self._duration_s = 0.0
        self._lanes: dict[str, _LaneTally] = {}
        self._notices: Counter[str] = Counter()
        self._records: Counter[str] = Counter()
        self._torn: list[TornSegment] = []

    def add(self, record: Record | TornSegment) -> None:
        """One more."""
        if isinstance(record, TornSegment):
            self._torn.append(record)
            return
        self._records[type(record).__name__] += 1
        if self._first_ns is None:
            self._first_ns = record.wall_ns
        self._last_ns = record.wall_ns
        lane = self._lanes.setdefault(record.lane, _LaneTally()) if record.lane else _LaneTally()
        match record:
            case RunBegun():
                self._begin(record)
            case RunEnded():
                self._open = False
            case TopicWanted():
                self._topics[record.topic] = None
            case FramesReceived():
                lane.frames += len(record.frames)
                lane.frame_bytes += sum(map(len, record.frames))
            case LineOpened():
                lane.connections += 1
            case LineClosed():
                lane.losses += not record.planned
            case NoticeGiven():
                self._notices[_name_of(record.line)] += 1
            case _:
                pass
        self._last_s = record.monotonic_s

    def _begin(self, header: RunBegun) -> None:
        self._venue = self._venue or header.venue
        self._topics.update(dict.fromkeys(header.topics))
        self._close()
        self._since_s = header.monotonic_s
        if header.run not in self._runs:
            self._unfinished += self._open
            self._runs.add(header.run)
        self._open = True

    def _close(self) -> None:
        if self._since_s is not None:
            self._duration_s += max(self._last_s - self._since_s, 0.0)
            self._since_s = None

    def summary(self, path: Path, segments: list[Path]) -> RecordingSummary:
        """What came of it."""
        self._close()
        return RecordingSummary(
            path=path,
            venue=self._venue,
            topics=tuple(self._topics),
            runs=len(self._runs),
            unfinished=self._unfinished + self._open,
            began_ns=self._first_ns or 0,
            ended_ns=self._last_ns,
            duration_s=self._duration_s,
            segments=len(segments),
            bytes=sum(segment.stat().st_size for segment in segments),
            lanes=tuple(
                LaneSummary(name, lane.connections, lane.frames, lane.frame_bytes, lane.losses)
                for name, lane in self._lanes.items()
            ),
            notices=dict(self._notices),
            records=dict(self._records),
            torn=tuple(self._torn),
        )


def _name_of(line: bytes) -> str:
    """The name of a notice that is written as JSON: the first value of the object."""
    return line[10 : line.find(b'"', 10)].decode(errors="replace")
