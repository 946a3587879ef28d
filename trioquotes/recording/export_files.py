"""The files of an export: rows gathered by partition, written in batches, with few files open at a time."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar

import attrs

from trioquotes.errors import RecordingError
from trioquotes.events import Event, Notice
from trioquotes.recording.export_arrow import Extents, ParquetWriter, Tabulator
from trioquotes.recording.export_columns import Column, Row, columns_of
from trioquotes.recording.export_layout import Partition, day_of, instrument_of, table_of
from trioquotes.recording.export_place import about
from trioquotes.recording.export_text import csv_header, csv_lines, json_lines

__all__ = ["FORMATS", "Format", "Sink", "TableSummary"]

Format: TypeAlias = Literal["parquet", "csv", "ndjson"]
FORMATS: Final[tuple[Format, ...]] = ("parquet", "csv", "ndjson")

MAX_WEIGHT: Final = 200_000
"""What may wait to be written: 50,000 rows, or fewer with many levels; some tens of megabytes."""
ROW_WEIGHT: Final = 4
MAX_OPEN: Final = 64
"""Files that are open at a time: a table has one for each instrument, and systems allow for a few hundred."""

B = TypeVar("B")


@attrs.frozen
class TableSummary:
    """What was written of a table.

    Attributes:
        name: of the table, and of its folder.
        rows: in all of its files.
        files: how many.
        bytes: what they take.
        texts: columns of numbers that are texts, since no column of 38 digits holds all of them exactly.
    """

    name: str
    rows: int
    files: int
    bytes: int
    texts: tuple[str, ...] = ()


class _File:
    """A file that is being written.

    Args:
        path: of the file.
        is_new: whether it is made now, or written on.

    Attributes:
        parquet: what writes to it, where it is one.
    """

    def __init__(self, path: Path, *, is_new: bool) -> None:
        self.path = path
        self.is_new = is_new
        self.parquet: ParquetWriter | None = None
        path.parent.mkdir(parents=True, exist_ok=True)
        self.raw = path.open("xb" if is_new else "ab")

    def close(self) -> None:
        """Write what is left, and close it."""
        with self.raw:
            if self.parquet is not None:
                self.parquet.close()


class _Table(ABC, Generic[B]):
    """A kind of files; one for each table.

    Attributes:
        name: of the table.
        rows: given to it.
        irregular: whether it has to be made again, and only measures.
    """

    suffix = ""
    continues = True
    """Whether a file that was closed can be written on."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.rows = 0
        self.irregular = False

    @abstractmethod
    def batch(self, rows: list[Row], venue: str) -> B | None:
        """What is to be written of the rows; ``None`` if the table has to be made again."""

    @abstractmethod
    def put(self, file: _File, batch: B) -> None:
        """Write it."""

    @property
    def texts(self) -> tuple[str, ...]:
        """Columns of numbers that are texts."""
        return ()


class _JsonTable(_Table[bytes]):
    suffix = "ndjson"

    def batch(self, rows: list[Row], venue: str) -> bytes:
        return json_lines(rows, venue).encode()

    def put(self, file: _File, batch: bytes) -> None:
        file.raw.write(batch)


class _CsvTable(_Table[bytes]):
    suffix = "csv"

    def __init__(self, name: str, columns: tuple[Column, ...]) -> None:
        super().__init__(name)
        self._columns = columns

    def batch(self, rows: list[Row], venue: str) -> bytes:
        return csv_lines(rows, venue).encode()

    def put(self, file: _File, batch: bytes) -> None:
        if file.is_new:
            file.raw.write(csv_header(self._columns).encode())
            file.is_new = False
        file.raw.write(batch)


class _ParquetTable(_Table[Any]):
    suffix = "parquet"
    continues = False

    def __init__(self, name: str, extents: Extents | None) -> None:
        super().__init__(name)
        self.tabulator = Tabulator(extents)

    def batch(self, rows: list[Row], venue: str) -> Any:
        batch = self.tabulator.batch(rows, venue)
        self.irregular = self.tabulator.irregular
        return batch

    def put(self, file: _File, batch: Any) -> None:
        if file.parquet is None:
            file.parquet = ParquetWriter(file.raw, batch.schema)
        file.parquet.write(batch)

    @property
    def texts(self) -> tuple[str, ...]:
        return self.tabulator.texts


@attrs.define
class _Share:
    """What is known of a partition.

    Attributes:
        rows: that wait to be written.
        weight: of these.
        parts: files begun.
    """

    rows: list[Row] = attrs.field(factory=list)
    weight: int = 0
    parts: int = 0


class Sink:
    """Takes what a session gives, in order, and writes it to files by partition.

    Args:
        folder: to write to.
        suffix: of the files, which says their format.
        venue: name of the venue.
        again: what the numbers of those tables need that have to be made again; no others are made then.
        known_as: what errors call the folder, where it is to get another name in the end.

    Attributes:
        position: of the next event: how many there were.
    """

    def __init__(
        self,
        folder: Path,
        suffix: Format,
        venue: str,
        again: Mapping[str, Extents] | None = None,
        *,
        known_as: Path | None = None,
    ) -> None:
        self.position = 0
        self._folder = folder
        self._known_as = folder if known_as is None else known_as
        self._suffix: Format = suffix
        self._venue = venue
        self._again = again
        self._tables: dict[str, _Table[Any]] = {}
        self._shares: dict[Partition, _Share] = {}
        self._open: OrderedDict[Partition, _File] = OrderedDict()
        self._weight = 0
        self._many: dict[type[Event], tuple[str, ...]] = {}

    @property
    def is_full(self) -> bool:
        """Whether so much waits that it is to be written."""
        return self._weight >= MAX_WEIGHT

    def add(self, event: Event, subject: str) -> None:
        """Take the next event.

        Args:
            event: an event, a notice or a venue's own message.
            subject: the instrument that its topic asks for; of a notice nothing.
        """
        row = Row(self.position, instrument_of(event, subject), event)
        self.position += 1
        kind = type(event)
        name = table_of(kind, self._venue)
        if name not in self._tables:
            if self._again is not None and name not in self._again:
                return
            self._tables[name] = self._table(name, columns_of(kind))
        received_ns: int = getattr(event, "received_ns", 0)
        partition = Partition(name, self._venue, row.instrument, day_of(received_ns))
        share = self._shares.get(partition)
        if share is None:
            share = self._shares[partition] = _Share()
        share.rows.append(row)
        weight = ROW_WEIGHT + self._levels(event)
        share.weight += weight
        self._weight += weight

    def _levels(self, event: Event) -> int:
        """How many values it has in lists."""
        kind = type(event)
        names = self._many.get(kind)
        if names is None:
            fields = () if issubclass(kind, Notice) else kind.__struct_fields__
            names = self._many[kind] = tuple(
                name for name in fields if isinstance(getattr(event, name), tuple)
            )
        return sum(len(getattr(event, name) or ()) for name in names)

    def _table(self, name: str, columns: tuple[Column, ...]) -> _Table[Any]:
        match self._suffix:
            case "csv":
                return _CsvTable(name, columns)
            case "ndjson":
                return _JsonTable(name)
            case "parquet":
                return _ParquetTable(name, None if self._again is None else self._again[name])

    # Writing ----------------------------------------------------------------------------------------

    def flush(self, *, down_to: int | None = None) -> None:
        """Write the partitions of which most waits, until no more than that waits in all, or half of what may.

        Raises:
            RecordingError: a file cannot be written.
        """
        enough = MAX_WEIGHT // 2 if down_to is None else down_to
        waiting = [(share.weight, partition) for partition, share in self._shares.items() if share.rows]
        for _, partition in sorted(waiting, key=lambda entry: entry[0], reverse=True):
            if self._weight <= enough:
                return
            self._write(partition, self._shares[partition])

    def close(self) -> None:
        """Write what waits, and end all files.

        Raises:
            RecordingError: a file cannot be written.
        """
        self.flush(down_to=0)
        while self._open:
            self._close_oldest()

    def abandon(self) -> None:
        """Close all files, whatever becomes of them."""
        while self._open:
            with contextlib.suppress(RecordingError):
                self._close_oldest()

    def _write(self, partition: Partition, share: _Share) -> None:
        table = self._tables[partition.table]
        table.rows += len(share.rows)
        batch = table.batch(share.rows, partition.venue)
        self._weight -= share.weight
        share.rows, share.weight = [], 0
        if batch is None:
            return
        file = self._file(partition, share, table)
        with self._about(file.path):
            table.put(file, batch)

    def _file(self, partition: Partition, share: _Share, table: _Table[Any]) -> _File:
        file = self._open.get(partition)
        if file is None:
            if len(self._open) >= MAX_OPEN:
                self._close_oldest()
            is_new = not (share.parts and table.continues)
            share.parts += is_new
            path = self._folder.joinpath(*partition.folders, f"part-{share.parts - 1}.{table.suffix}")
            with self._about(path):
                file = self._open[partition] = _File(path, is_new=is_new)
        self._open.move_to_end(partition)
        return file

    def _about(self, path: Path) -> AbstractContextManager[None]:
        return about(self._known_as / path.relative_to(self._folder))

    def _close_oldest(self) -> None:
        _, file = self._open.popitem(last=False)
        with self._about(file.path):
            file.close()

    # What came of it --------------------------------------------------------------------------------

    def irregular(self) -> dict[str, Extents]:
        """What the numbers of those tables need that have to be made again, once all files have ended; theirs are deleted."""
        found: dict[str, Extents] = {}
        for name, table in self._tables.items():
            if isinstance(table, _ParquetTable) and table.irregular:
                found[name] = table.tabulator.extents
                for path in sorted((self._folder / name).rglob(f"*.{table.suffix}")):
                    with self._about(path):
                        path.unlink()
        return found

    def summaries(self) -> list[TableSummary]:
        """What was written, once all files have ended; without tables that have to be made again."""
        made = []
        for name, table in self._tables.items():
            if not table.irregular:
                sizes = [path.stat().st_size for path in (self._folder / name).rglob(f"*.{table.suffix}")]
                made.append(TableSummary(name, table.rows, len(sizes), sum(sizes), table.texts))
        return made
