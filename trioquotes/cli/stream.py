"""``trioquotes stream``: a live session as lines of JSON."""

from __future__ import annotations

import ssl
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import trio
from cyclopts import Parameter

from trioquotes._protocol.contract import Venue
from trioquotes._protocol.effects import HttpRequest, Reply
from trioquotes._protocol.veil import Veil, carried
from trioquotes._runtime.connector import Connector, Line, LineFailed, Target
from trioquotes._runtime.engine import SessionStatistics
from trioquotes._runtime.secrets import texts_of
from trioquotes._runtime.session import Session, find_venue
from trioquotes._runtime.stream import Stream
from trioquotes._runtime.tls import default_context
from trioquotes._runtime.transport import TapConnector
from trioquotes.cli.exits import ClosedOutput, one_line
from trioquotes.cli.keys import explained, from_environment
from trioquotes.cli.lines import event_lines, ledger_line
from trioquotes.cli.numbers import many, positive
from trioquotes.cli.output import Output
from trioquotes.cli.statusline import Rate, StatusLine, age
from trioquotes.cli.stopping import GRACE_S, Stop, run, stoppable
from trioquotes.credentials import Credentials
from trioquotes.errors import MissingCredentials, UsageError
from trioquotes.events import Connected, Event, Notice
from trioquotes.topics import Topic

__all__ = ["stream"]

TITLE = 36
"""How much of what is streamed the progress line repeats."""

BATCH = 256
"""Events written at once at most: a burst costs few writes and a stop waits for one of them only."""


def stream(
    venue: str,
    topic: str,
    /,
    *instruments: Annotated[str, Parameter(name="INSTRUMENT")],
    endpoint: Annotated[str | None, Parameter(metavar="NAME|URL", show_default=False)] = None,
    native: Annotated[bool, Parameter(show_default=False)] = False,
    count: Annotated[int | None, Parameter(metavar="N", show_default=False)] = None,
    seconds: Annotated[float | None, Parameter(metavar="S", show_default=False)] = None,
    ca: Annotated[Path | None, Parameter(metavar="FILE", show_default=False)] = None,
    summary: Annotated[bool, Parameter(show_default=False)] = False,
) -> int:
    """Print live events as JSON lines.

    Args:
        venue: Name of the venue; `trioquotes venues` lists them.
        topic: A unified topic such as trades or books; with --native a channel of the venue.
        instruments: The venue's own names, or base and quote with a slash (BTC/USD).
        endpoint: A name of the venue's (sandbox), or the ws:// or wss:// URL of a server that stands in for it.
        native: Print the venue's own messages, field for field.
        count: End after this many events; notices do not count.
        seconds: End after this many seconds.
        ca: A PEM file with a certificate authority to trust as well (that of `simulate --tls`).
        summary: End with the ledger on standard error, as one JSON object.

    Returns:
        The exit code.
    """
    found = find_venue(venue)
    topics = _topics(found, topic, instruments, native=native)
    if count is not None and count < 1:
        raise UsageError(f"--count must be at least 1, not {count}")
    if seconds is not None:
        positive("--seconds", seconds)
    credentials = from_environment(found.name)
    watched = _WatchedConnector(TapConnector(), credentials)
    try:
        session = Session(
            found,
            *topics,
            credentials=credentials,
            endpoint=endpoint,
            ssl_context=None if ca is None else _trusting(ca),
            connector=watched,
        )
    except MissingCredentials as error:
        raise explained(error, found.name) from None
    title = f"{found.name} {topic} {' '.join(instruments)}".rstrip()
    printer = _Printer(found.name, title, watched, count)
    return run(partial(_stream, session, printer, seconds, summary=summary))


def _topics(venue: Venue, word: str, instruments: Sequence[str], *, native: bool) -> list[Topic[Event]]:
    if "" in instruments:
        raise UsageError("an instrument must not be empty")
    return [venue.topic(word, instrument, native) for instrument in instruments or ("",)]


def _trusting(path: Path) -> ssl.SSLContext:
    context = default_context()
    try:
        context.load_verify_locations(path)
    except ssl.SSLError:
        raise UsageError(f"{path} holds no certificate in PEM form") from None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    return context


class _WatchedConnector:
    """A connector that remembers why the last attempt failed, to be shown while a session retries.

    Args:
        inner: makes the lines.
        credentials: that the session has: a peer may repeat them in its reasons.
    """

    def __init__(self, inner: Connector, credentials: Credentials | None) -> None:
        self._inner = inner
        self._veil = Veil()
        if credentials is not None:
            self._veil.cover("credentials", *texts_of(credentials))
        self.attempts = 0
        self.failure = ""

    def line(self, target: Target) -> AbstractAsyncContextManager[Line]:
        """See ``Connector``."""
        self._veil.cover("handshake", *carried(target.handshake))
        return self._watched(self._inner.line(target))

    async def fetch(
        self, request: HttpRequest, *, timeout_s: float, ssl_context: ssl.SSLContext | None
    ) -> Reply:
        """See ``Connector``."""
        return await self._inner.fetch(request, timeout_s=timeout_s, ssl_context=ssl_context)

    @asynccontextmanager
    async def _watched(self, line: AbstractAsyncContextManager[Line]) -> AsyncIterator[Line]:
        self.attempts += 1
        try:
            async with line as opened:
                self.failure = ""
                yield opened
        except LineFailed as failed:
            self.failure = self._veil.words(failed.failure.reason)
            raise


class _Printer:
    """Prints what comes and knows how it goes."""

    def __init__(self, venue: str, title: str, watched: _WatchedConnector, count: int | None) -> None:
        self.output = Output()
        self.status = StatusLine(self.progress, shared=self.output.is_terminal)
        self.events = 0
        self.notices = 0
        self.connections = 0
        self._venue = venue
        self._title = title
        self._watched = watched
        self._count = count
        self._rate = Rate()
        self._started_s = 0.0
        self._last_s: float | None = None

    def start(self) -> None:
        """The time counts from now."""
        self._started_s = trio.current_time()

    async def print(self, stream: Stream, stop: Stop) -> None:
        """Print until asked to stop, or until there were as many events as wanted."""
        await trio.lowlevel.checkpoint()  # a stop may be there already
        with stop.ending(GRACE_S):
            while not stop.requested:
                batch: list[Event] = []
                with stop.ending():
                    batch = await stream.receive_many(BATCH)
                taken = self._take(batch)
                if taken:
                    with self.status.aside():
                        await self.output.send(event_lines(taken, self._venue))
                if self.events == self._count:
                    stop.request()

    def _take(self, batch: Sequence[Event]) -> Sequence[Event]:
        """What of it is to be printed; counted."""
        now_s = trio.current_time()
        before = self.events
        for index, event in enumerate(batch):
            if isinstance(event, Notice):
                self.notices += 1
                self.connections += isinstance(event, Connected)
                continue
            self.events += 1
            if self.events == self._count:
                batch = batch[: index + 1]
                break
        if self.events > before:
            self._last_s = now_s
            self._rate.add(self.events - before, now_s)
        return batch

    def progress(self) -> str:
        """The line for standard error."""
        now_s = trio.current_time()
        title = self._title if len(self._title) <= TITLE else self._title[: TITLE - 3] + "..."
        if self._watched.failure:
            state = "reconnecting" if self.connections else f"attempt {self._watched.attempts} failed"
            return f"{title} | {state}: {self._watched.failure}"
        if not self.connections:
            return f"{title} | connecting, {age(now_s - self._started_s)}"
        last = "none yet" if self._last_s is None else f"last {age(now_s - self._last_s)} ago"
        parts = [title, many(self.events, "event"), f"{self._rate.per_s(now_s):,.1f}/s", last]
        if self.connections > 1:
            parts.append(many(self.connections - 1, "reconnect"))
        return " | ".join(parts)

    def total(self, statistics: SessionStatistics) -> str:
        """The line that stays on standard error."""
        took_s = trio.current_time() - self._started_s
        count = statistics.count
        connections = sum(lane.connections for lane in statistics.lanes)
        return (
            f"{self._title}: {many(self.events, 'event')} and {many(self.notices, 'notice')} in {took_s:.1f} s;"
            f" {many(count.elements, 'element')} in {many(count.frames, 'frame')}: {count.delivered:,} delivered,"
            f" {count.folded:,} folded, {sum(count.ignored.values()):,} ignored,"
            f" {count.malformed:,} malformed; {many(count.gaps, 'gap')}, {many(connections, 'connection')}"
        )


async def _stream(session: Session, printer: _Printer, seconds: float | None, *, summary: bool) -> int:
    printer.start()
    async with trio.open_nursery() as nursery:
        if printer.status.is_on:
            nursery.start_soon(printer.status.run, name="status line")
        async with session as stream:
            async with stoppable(seconds, printer.output) as stop:
                await printer.print(stream, stop)
            statistics = stream.statistics()
        nursery.cancel_scope.cancel()
    if stop.unread:
        raise ClosedOutput
    last = ledger_line(statistics.count) if summary else one_line(printer.total(statistics))
    print(last, file=sys.stderr, flush=True)
    return stop.exit_code
