"""``trioquotes decode``: captured frames through the same protocol code, without a network."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import IO, Annotated

import msgspec
from cattrs.preconf.msgspec import MsgspecJsonConverter
from cyclopts import Parameter

from trioquotes._protocol.codec import BadFrame, Reader, json_converter, seconds_ns
from trioquotes._protocol.offline import Offline
from trioquotes._runtime.files import describe_file_error
from trioquotes.books import OrderBook
from trioquotes.cli.exits import DONE, say
from trioquotes.cli.lines import event_lines, ledger_line
from trioquotes.cli.output import Output
from trioquotes.cli.statusline import StatusLine, bar
from trioquotes.cli.streaming import shortened
from trioquotes.cli.words import venue_of
from trioquotes.errors import CaptureError, UsageError

__all__ = ["CapturedLine", "book_line", "decode", "read_lines"]

WRITE_CHARS = 64 * 1024
"""How much text is gathered before it is written."""

LONG_BYTES = 4 * 1024 * 1024
"""From this size on a file takes long enough for a progress bar."""

LINE_BYTES = 128 * 1024 * 1024
"""What no line of a capture is as long as: several times the largest message of any venue."""

LAST_NS = 2**63 - 1


class CapturedLine(msgspec.Struct, frozen=True):
    """One line of a capture; fields of other names pass.

    Attributes:
        raw: the frame's text, exactly.
        recv_ts: when it was received, Unix seconds, as a text or a number.
        channel: the wire channel of a frame that does not say it; ``client:...`` for what a client sent.
        direction: ``client`` for what a client sent.
    """

    raw: str
    recv_ts: Decimal | None = None
    channel: str | None = None
    direction: str | None = None

    @property
    def is_from_client(self) -> bool:
        """Whether it is a request and no message."""
        return self.direction == "client" or (self.channel or "").startswith("client:")

    @property
    def received_ns(self) -> int:
        """When it was received, Unix nanoseconds; 0 where nobody knows."""
        return 0 if self.recv_ts is None else seconds_ns(self.recv_ts)


_READER: Reader[CapturedLine] = Reader(CapturedLine, literals=True)


def decode(
    venue: str,
    file: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    native: Annotated[bool, Parameter(show_default=False)] = False,
    books: Annotated[bool, Parameter(show_default=False)] = False,
    independent: Annotated[bool, Parameter(show_default=False)] = False,
) -> int:
    """Decode a file of captured frames; the ledger comes last, on standard error.

    Args:
        venue: Name of the venue whose frames they are.
        file: One JSON object a line with raw, and optionally recv_ts and channel; - reads standard input.
        native: Print the venue's own messages, field for field.
        books: Print instead, at the end, one JSON object per order book.
        independent: Forget all state between lines, for files of unrelated samples.

    Returns:
        The exit code.
    """
    if file.startswith("--"):
        raise UsageError(f"Unknown option: {file}. (--help shows what there is)")
    offline = Offline(venue_of(venue), native=native, independent=independent)
    if books and (native or independent):
        other = "--native" if native else "--independent"
        raise UsageError(
            f"--books and {other} exclude each other: a book is kept from unified events over many lines"
        )
    output = Output()
    with _opened(file) as (stream, name):
        reading = _Reading(stream, name, output, is_clear=books or not output.is_terminal)
        if stream.seekable():
            for _ in reading.watched(read_lines(stream, name), "checking"):  # before anything is printed
                pass
            stream.seek(0)
        _run(offline, venue, reading.watched(read_lines(stream, name), "decoding"), output, quiet=books)
    if books:
        converter = json_converter()
        output.write("".join(book_line(book, converter) + "\n" for book in offline.books()))
    say(ledger_line(offline.count()))
    return DONE


def _run(offline: Offline, venue: str, lines: Iterator[CapturedLine], output: Output, *, quiet: bool) -> None:
    waiting: list[str] = []
    size = 0
    for line in lines:
        events = offline.feed(line.raw.encode(), line.channel or "", line.received_ns)
        if quiet or not events:
            continue
        text = event_lines(events, venue)
        waiting.append(text)
        size += len(text)
        if size >= WRITE_CHARS:
            output.write("".join(waiting))
            waiting.clear()
            size = 0
    output.write("".join(waiting))


@contextlib.contextmanager
def _opened(file: str) -> Iterator[tuple[IO[bytes], str]]:
    if file == "-":
        yield sys.stdin.buffer, "standard input"
        return
    try:
        stream = open(file, "rb")  # noqa: SIM115, PTH123  # closed below; what cannot be opened is named here
    except OSError as error:
        raise CaptureError(f"{file}: {describe_file_error(error)}") from None
    with stream:
        yield stream, file


def read_lines(stream: IO[bytes], name: str) -> Iterator[CapturedLine]:
    """The frames of a capture in order, without what clients sent and without empty lines.

    Raises:
        CaptureError: a line is not one of a capture, or there is none; the message names file and line.
    """
    number = 0
    empty = True
    try:
        for number, text in enumerate(iter(partial(stream.readline, LINE_BYTES), b""), start=1):  # noqa: B007  # named in the error
            _check_length(text)
            if not text.strip():
                continue
            empty = False
            line = _READER.read(text)
            _check_time(line)
            if not line.is_from_client:
                yield line
    except BadFrame as error:
        raise CaptureError(f"{name}, line {number}: not a captured frame: {error.reason}") from None
    except OSError as error:
        raise CaptureError(f"{name}: {describe_file_error(error)}") from None
    if empty:
        raise CaptureError(f"{name}, line 1: the file is empty, there are no captured frames in it")


def _check_length(text: bytes) -> None:
    if len(text) == LINE_BYTES:  # it may never end, and memory does
        raise BadFrame(f"longer than {LINE_BYTES >> 20} MiB")


def _check_time(line: CapturedLine) -> None:
    if not 0 <= line.received_ns <= LAST_NS:
        raise BadFrame(f"no time in Unix seconds at $.recv_ts: {line.recv_ts}")


class _Reading:
    """Where in a file a command is, as a line on standard error: of a long one, where nothing else is printed to it.

    Args:
        stream: the file.
        name: of it.
        output: standard output.
        is_clear: whether it is not written to meanwhile, or elsewhere.
    """

    def __init__(self, stream: IO[bytes], name: str, output: Output, *, is_clear: bool) -> None:
        self._stream = stream
        self._name = name
        self._total = os.fstat(stream.fileno()).st_size if stream.seekable() else 0
        self._what = ""
        self._status = StatusLine(self._progress, output)
        self._is_on = self._status.is_on and is_clear and self._total >= LONG_BYTES

    def watched(self, lines: Iterator[CapturedLine], what: str) -> Iterator[CapturedLine]:
        """The same lines, while the line says how far they are."""
        self._what = what
        if not self._is_on:
            yield from lines
            return
        try:
            for line in lines:
                self._status.poll()
                yield line
        finally:
            self._status.clear()

    def _progress(self) -> str:
        return f"{shortened(Path(self._name).name)} | {bar(self._stream.tell() / self._total)} | {self._what}"


def book_line(book: OrderBook, converter: MsgspecJsonConverter) -> str:
    """A book as one JSON object, best levels first, prices and sizes as their exact text."""
    bids, asks = book.depth()
    shown = {"instrument": book.instrument, "bids": bids, "asks": asks, "state": book.state}
    return json.dumps(converter.unstructure(shown))
