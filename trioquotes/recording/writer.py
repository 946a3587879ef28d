"""Segments on disk: a thread of its own takes what is to be written, so that nothing on disk is ever waited for.

It is a thread and not a task: it goes on writing while a user's code holds the event loop, a virtual clock does not run
away while it works, and a disk that hangs holds up no session.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, TypeAlias

import attrs

from trioquotes._runtime.files import describe_file_error
from trioquotes.errors import RecordingError
from trioquotes.recording.format import MAGIC, BlockWriter

try:
    import fcntl
except (
    ImportError
):  # pragma: no cover  # not on Windows: two recorders in one folder are not told apart there
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "BLOCK_BYTES",
    "FLUSH_EVERY_S",
    "MAX_WAITING_BYTES",
    "SUFFIX",
    "Progress",
    "Sync",
    "Writer",
    "open_segment",
    "segments_of",
]

SUFFIX: Final = ".tqr"
FLUSH_EVERY_S: Final = 0.25
"""How long a record waits for others to be written with: what a crash of the program loses, and a little more for the
writing itself, well below the second that is promised."""
BLOCK_BYTES: Final = 4096 * 1024
"""So much is written before that time, and as it is: at 16 MiB a second, a hundred times what a busy venue sends, deflating
takes a tenth of a processor, and it takes no more whatever comes."""
MAX_WAITING_BYTES: Final = 64 * 1024 * 1024
"""What may wait for the disk; more ends the recording, since the session neither waits nor may it grow without end."""

EXIT_WITHIN_S: Final = 5.0
"""How long, at the end of the program, the disk may take for the rest."""

Sync: TypeAlias = Literal["segment", "block"]
_Opener: TypeAlias = Callable[[Path], int]
_Header: TypeAlias = Callable[[int, int], bytes]
"""Makes the first record of a segment from its number in the run and the number of records before it."""

_LOG = logging.getLogger("trioquotes.recording")
_LOG.addHandler(logging.NullHandler())  # who wants to hear it says so


def segments_of(folder: Path) -> list[Path]:
    """The segments of a recording, oldest first; none where there is no such folder.

    Raises:
        OSError: nobody can say, since the folder cannot be read.
    """
    try:
        found = list(folder.iterdir())  # glob would take what it may not read for empty
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(path for path in found if path.suffix == SUFFIX and path.stem.isdecimal())


def open_segment(path: Path) -> int:
    """Create the file; returns its descriptor.

    Raises:
        OSError: it is there already, or cannot be made.
    """
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o644)


@attrs.define
class Progress:
    """How far a recording is.

    Attributes:
        records: that were handed over; ``written`` those of them that have left for the disk, and that a crash of the
            program cannot lose any more.
        raw_bytes: of the records that were written; ``bytes`` what they take compressed, in all segments.
        segments: begun so far.
        error: why nothing is recorded any more.
    """

    records: int = 0
    written: int = 0
    raw_bytes: int = 0
    bytes: int = 0
    segments: int = 0
    error: RecordingError | None = None


class Writer:
    """Writes the records of one run.

    Args:
        folder: where; made if it is not there.
        header: makes the first record of each segment.
        segment_bytes: how large a segment may become before the next one is begun.
        segment_s: how long it may last.
        sync: when what was written is forced through the system's caches: at the end of a ``"segment"``, which is safe
            against a crash of the program, or after every ``"block"``, against one of the machine too.
        open_file: opens a new segment; for tests.

    Attributes:
        progress: how far it is.
    """

    def __init__(
        self,
        folder: Path,
        header: _Header,
        *,
        segment_bytes: int,
        segment_s: float,
        sync: Sync,
        open_file: _Opener = open_segment,
    ) -> None:
        self.progress = Progress()
        self._folder = folder
        self._header = header
        self._segment_bytes = segment_bytes
        self._segment_s = segment_s
        self._sync = sync
        self._open_file = open_file
        self._queue: deque[bytes] = deque()
        self._put_bytes = 0
        self._taken_bytes = 0
        self._some = threading.Event()  # something waits, or the end was said
        self._enough = threading.Event()  # a block's worth waits, or the end was said
        self._written = threading.Event()  # and nothing more will be
        self._ending = False
        self._lock: int | None = None
        self._file: int | None = None
        self._blocks = BlockWriter()
        self._number = 0
        self._size = 0
        self._since_s = 0.0
        self._thread = threading.Thread(target=self._run, name="trioquotes recording", daemon=True)

    @property
    def is_open(self) -> bool:
        """Whether the thread was started."""
        return self._thread.ident is not None

    def open(self) -> None:
        """Make the folder and the first segment, and begin to write.

        Raises:
            RecordingError: that is not possible; the message says why.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._claim()
            self._begin_segment()
        except OSError as error:
            self._release()
            reason = describe_file_error(error)
            if isinstance(error, FileExistsError):
                reason = (
                    "it is a file, not a folder" if self._folder.is_file() else "it is there and is no folder"
                )
            raise RecordingError(f"{self._folder}: cannot record there: {reason}") from error
        except RecordingError:
            self._release()
            raise
        atexit.register(self._finish)
        self._thread.start()

    def put(self, record: bytes) -> None:
        """Take a record; it never waits. After an error records are passed over."""
        if self.progress.error is not None:
            return
        self.progress.records += 1
        self._put_bytes += len(record)
        self._queue.append(record)
        waiting = self._put_bytes - self._taken_bytes
        if waiting >= BLOCK_BYTES:
            self._enough.set()
            if waiting > MAX_WAITING_BYTES:
                self._fail(f"the disk takes less than comes: {waiting >> 20} MiB wait for it")
        if not self._some.is_set():
            self._some.set()

    def end(self) -> None:
        """Nothing more comes: what waits is written, and the segment closed."""
        self._ending = True
        self._some.set()
        self._enough.set()

    def wait_written(self, timeout_s: float) -> bool:
        """After :meth:`end`: wait in real time until everything has left for the disk; returns whether it has."""
        return self._written.wait(timeout_s)

    def _finish(self) -> None:
        """The interpreter ends: daemons like the thread do not outlive it."""
        self.end()
        self._thread.join(EXIT_WITHIN_S)

    def give_up(self, reason: str) -> None:
        """What is not written yet is lost."""
        self._fail(reason)

    # In the thread ----------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while True:
                self._some.wait()
                self._enough.wait(FLUSH_EVERY_S)
                self._some.clear()
                self._enough.clear()
                ending = self._ending  # read after that: an end that is said later wakes the thread again
                if self.progress.error is None:
                    self._write_waiting()
                if ending or self.progress.error is not None:
                    break
        except OSError as error:
            self._fail(describe_file_error(error))
        except Exception as error:  # noqa: BLE001  # whatever it is, the session is told that nothing is recorded any more
            self._fail(f"{type(error).__name__}: {error}")
        finally:
            self._queue.clear()
            self._release()
            self._written.set()
            self._end_segment()
            atexit.unregister(self._finish)

    def _write_waiting(self) -> None:
        """Write what waits now, a block at a time."""
        left = len(self._queue)
        while left:
            records: list[bytes] = []
            size = 0
            while left and size < BLOCK_BYTES:
                records.append(self._queue.popleft())
                size += len(records[-1])
                left -= 1
            if self._size >= self._segment_bytes or time.monotonic() >= self._since_s + self._segment_s:
                self._end_segment()
                self._begin_segment()
            # What comes so fast is a burst: to deflate it would take the time that the session needs now.
            self._write(self._blocks.block(records, stored=size >= BLOCK_BYTES))
            if self._sync == "block" and self._file is not None:
                os.fsync(self._file)
            self._taken_bytes += size
            self.progress.raw_bytes += size
            self.progress.written += len(records)

    def _begin_segment(self) -> None:
        found = segments_of(self._folder)
        number = int(found[-1].stem) + 1 if found else 1
        while True:
            path = self._folder / f"{number:06d}{SUFFIX}"
            try:
                self._file = self._open_file(path)
                break
            except FileExistsError:
                number += 1
        self._blocks = BlockWriter()
        self._size = 0
        self._since_s = time.monotonic()
        try:
            self._write(MAGIC + self._blocks.block([self._header(self._number, self.progress.written)]))
        except OSError:
            self._end_segment()
            with contextlib.suppress(OSError):
                path.unlink()  # there is nothing in it
            raise
        self._number += 1
        self.progress.segments += 1
        self._sync_folder()

    def _write(self, data: bytes) -> None:
        """Write all of it, or nothing that a reader would take for more than the end of the file."""
        if self._file is None:
            raise OSError(errno.EBADF, "the segment is closed")
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._file, view) :]
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size)
            raise
        self._size += len(data)
        self.progress.bytes += len(data)

    def _end_segment(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                os.fsync(file)
            with contextlib.suppress(OSError):
                os.close(file)

    def _sync_folder(self) -> None:
        """So that the name of a new segment outlives a crash of the machine."""
        if self._lock is not None:
            with contextlib.suppress(OSError):
                os.fsync(self._lock)

    def _claim(self) -> None:
        """Let nobody else record here meanwhile; the system ends that with the program."""
        if fcntl is None:  # pragma: no cover  # as above
            return
        self._lock = os.open(self._folder, os.O_RDONLY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RecordingError(f"{self._folder}: another session is being recorded there") from None

    def _release(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)  # the system's lock goes with it

    def _fail(self, reason: str) -> None:
        """Nothing more is recorded; whoever looks at the progress learns why, and the log says it once."""
        if self.progress.error is None:
            self.progress.error = RecordingError(f"{self._folder}: the recording ended: {reason}")
            self._enough.set()
            _LOG.error("%s", self.progress.error)
