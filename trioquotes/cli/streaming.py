"""What the commands that stream, record and replay share: topics from words, a watched connector, a printer of events."""

from __future__ import annotations

import ssl
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from copy import copy
from pathlib import Path

import attrs
import trio

from trioquotes._protocol.contract import Venue
from trioquotes._protocol.effects import HttpRequest, Reply
from trioquotes._protocol.veil import Veil, carried
from trioquotes._runtime.connector import Connector, Line, LineFailed, Route, Target
from trioquotes._runtime.engine import SessionStatistics
from trioquotes._runtime.files import describe_file_error
from trioquotes._runtime.proxies import routed
from trioquotes._runtime.secrets import texts_of
from trioquotes._runtime.stream import Stream
from trioquotes._runtime.tls import default_context
from trioquotes.cli.lines import event_lines
from trioquotes.cli.numbers import many, positive
from trioquotes.cli.output import Output
from trioquotes.cli.statusline import Rate, StatusLine, age
from trioquotes.cli.stopping import GRACE_S, Stop
from trioquotes.cli.words import topic_of_words
from trioquotes.credentials import Credentials
from trioquotes.errors import UsageError
from trioquotes.events import Connected, Event, Notice
from trioquotes.topics import Topic

__all__ = [
    "BATCH",
    "LivePrinter",
    "Printer",
    "WatchedConnector",
    "check_limits",
    "printed",
    "shortened",
    "topics_of",
    "trusting",
]

TITLE = 36
"""How much of what is streamed the progress line repeats."""

BATCH = 256
"""Events written at once at most: a burst costs few writes and a stop waits for one of them only."""


def topics_of(venue: Venue, word: str, instruments: Sequence[str], *, native: bool) -> list[Topic[Event]]:
    """The topics that the command line's words mean.

    Raises:
        UsageError: they mean none.
    """
    if "" in instruments:
        raise UsageError("an instrument must not be empty")
    return [topic_of_words(venue, word, instrument, native=native) for instrument in instruments or ("",)]


def trusting(path: Path) -> ssl.SSLContext:
    """A context that trusts the authority in that file as well.

    Raises:
        UsageError: there is none.
    """
    context = default_context()
    try:
        context.load_verify_locations(path)
    except ssl.SSLError:
        raise UsageError(f"--ca {path} holds no certificate in PEM form") from None
    except OSError as error:
        raise UsageError(f"--ca {path}: {describe_file_error(error)}") from None
    return context


@attrs.define
class _Seen:
    """What a watched connector noticed."""

    attempts: int = 0
    failure: str = ""


class WatchedConnector:
    """A connector that remembers why the last attempt failed, to be shown while a session retries.

    Args:
        inner: makes the lines.
        credentials: that the session has: a peer may repeat them in its reasons.
    """

    def __init__(self, inner: Connector, credentials: Credentials | None) -> None:
        self._inner = inner
        self._seen = _Seen()
        self._veil = Veil()
        if credentials is not None:
            self._veil.cover("credentials", *texts_of(credentials))

    @property
    def attempts(self) -> int:
        """How many there were, whatever way they went."""
        return self._seen.attempts

    @property
    def failure(self) -> str:
        """Why the last one failed; empty where it did not."""
        return self._seen.failure

    def through(self, route: Route) -> WatchedConnector:
        """One that notices for both, and whose connections go that way."""
        other = copy(self)
        other._inner = routed(self._inner, route)  # noqa: SLF001  # its own
        return other

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
        self._seen.attempts += 1
        try:
            async with line as opened:
                self._seen.failure = ""
                yield opened
        except LineFailed as failed:
            self._seen.failure = self._veil.words(failed.failure.reason)
            raise


class Printer(ABC):
    """Prints what comes and knows how it goes.

    Args:
        venue: name of the venue.
        title: what it is about, in a line.
        count: after so many events it ends; ``None`` for never.
        silent: whether events are only counted.
    """

    def __init__(self, venue: str, title: str, count: int | None, *, silent: bool = False) -> None:
        self.output = Output()
        self.status = StatusLine(self.progress, self.output)
        self.events = 0
        self.notices = 0
        self.connections = 0
        self.title = title
        self.rate = Rate()
        self.started_s = 0.0
        self.last_s: float | None = None
        self._venue = venue
        self._count = count
        self._silent = silent

    @abstractmethod
    def progress(self) -> str:
        """The line for standard error."""

    def start(self) -> None:
        """The time counts from now."""
        self.started_s = trio.current_time()

    async def print(self, stream: Stream, stop: Stop) -> None:
        """Print until asked to stop, until there were as many events as wanted, or until there are no more."""
        await trio.lowlevel.checkpoint()  # a stop may be there already
        with stop.ending(GRACE_S):
            while not stop.requested:
                batch: list[Event] = []
                try:
                    with stop.ending():
                        batch = await stream.receive_many(BATCH)
                except trio.EndOfChannel:
                    stop.request()
                taken = self._take(batch)
                if taken and not self._silent:
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
            self.last_s = now_s
            self.rate.add(self.events - before, now_s)
        return batch


class LivePrinter(Printer):
    """One of events of a live session."""

    def __init__(
        self, venue: str, title: str, watched: WatchedConnector, count: int | None, *, silent: bool = False
    ) -> None:
        super().__init__(venue, title, count, silent=silent)
        self._watched = watched

    def progress(self) -> str:
        """The line for standard error."""
        now_s = trio.current_time()
        title = shortened(self.title)
        if self._watched.failure:
            state = "reconnecting" if self.connections else f"attempt {self._watched.attempts} failed"
            return f"{title} | {state}: {self._watched.failure}"
        if not self.connections:
            return f"{title} | connecting, {age(now_s - self.started_s)}"
        return " | ".join([title, *self.figures(now_s)])

    def figures(self, now_s: float) -> list[str]:
        """How it goes while the line is up."""
        last = "none yet" if self.last_s is None else f"last {age(now_s - self.last_s)} ago"
        parts = [many(self.events, "event"), f"{self.rate.per_s(now_s):,.1f}/s", last]
        if self.connections > 1:
            parts.append(many(self.connections - 1, "reconnect"))
        return parts

    def total(self, statistics: SessionStatistics) -> str:
        """The line that stays on standard error."""
        connections = sum(lane.connections for lane in statistics.lanes)
        return f"{printed(self, statistics)}, {many(connections, 'connection')}"


def printed(printer: Printer, statistics: SessionStatistics) -> str:
    """What was printed, and what became of every element."""
    took_s = trio.current_time() - printer.started_s
    count = statistics.count
    return (
        f"{printer.title}: {many(printer.events, 'event')} and {many(printer.notices, 'notice')} in {took_s:.1f} s;"
        f" {many(count.elements, 'element')} in {many(count.frames, 'frame')}: {count.delivered:,} delivered,"
        f" {count.folded:,} folded, {sum(count.ignored.values()):,} ignored,"
        f" {count.malformed:,} malformed; {many(count.gaps, 'gap')}"
    )


def shortened(title: str) -> str:
    """As much of it as a progress line repeats."""
    return title if len(title) <= TITLE else f"{title[: TITLE - 3]}..."


def check_limits(count: int | None, seconds: float | None) -> None:
    """Refuse limits that mean nothing.

    Raises:
        UsageError: one of them does.
    """
    if count is not None and count < 1:
        raise UsageError(f"--count must be at least 1, not {count}")
    if seconds is not None:
        positive("--seconds", seconds)
