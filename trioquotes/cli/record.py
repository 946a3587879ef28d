"""``trioquotes record``: a live session into a folder, to be replayed."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import trio
from cyclopts import Parameter

from trioquotes._runtime.engine import SessionStatistics
from trioquotes._runtime.session import Session
from trioquotes._runtime.transport import TapConnector
from trioquotes.cli.exits import say
from trioquotes.cli.keys import from_environment
from trioquotes.cli.numbers import many, number, whole
from trioquotes.cli.stopping import Stop, run, stoppable
from trioquotes.cli.streaming import LivePrinter, WatchedConnector, check_limits, topics_of, trusting
from trioquotes.cli.words import chosen, folder, proxy_of, refusals, venue_of
from trioquotes.errors import RecordingError
from trioquotes.recording import Recorder
from trioquotes.recording import record as recording

__all__ = ["record"]

SAID_EVERY_S: Final = 5.0
"""How often a line says how it goes on a terminal that can redraw none."""
LOOK_EVERY_S: Final = 0.2
"""How soon it is noticed that nothing is recorded any more."""


def record(
    venue: str,
    topic: str,
    /,
    *instruments: Annotated[str, Parameter(name="INSTRUMENT")],
    output: Annotated[Path, Parameter(name=("--output", "-o"), metavar="DIR", converter=folder)],
    endpoint: Annotated[str | None, Parameter(metavar="NAME|URL", show_default=False)] = None,
    native: Annotated[bool, Parameter(show_default=False)] = False,
    count: Annotated[int | None, Parameter(metavar="N", show_default=False, converter=whole)] = None,
    seconds: Annotated[float | None, Parameter(metavar="S", show_default=False, converter=number)] = None,
    ca: Annotated[Path | None, Parameter(metavar="FILE", show_default=False)] = None,
    proxy: Annotated[
        str | None, Parameter(metavar="URL|none", show_default=False, converter=proxy_of)
    ] = None,
) -> int:
    """Record live events into a folder.

    Args:
        venue: Name of the venue; `trioquotes venues` lists them.
        topic: A unified topic such as trades or books; with --native a channel of the venue.
        instruments: The venue's own names, or base and quote with a slash (BTC/USD).
        output: The folder; one that holds a recording of the venue is continued.
        endpoint: A name of the venue's (sandbox), or the ws:// or wss:// URL of a server that stands in for it.
        native: Subscribe to the venue's own channel.
        count: End after this many events; notices do not count.
        seconds: End after this many seconds.
        ca: A PEM file with a certificate authority to trust as well (that of `simulate --tls`).
        proxy: The proxy for every connection, http://, https://, socks5:// or socks5h://, with user:password@ where it
            wants them; none for no proxy. Without it HTTPS_PROXY, ALL_PROXY and NO_PROXY say.

    Returns:
        The exit code.
    """
    found = venue_of(venue)
    topics = topics_of(found, topic, instruments, native=native)
    check_limits(count, seconds)
    credentials = from_environment(found.name)
    watched = WatchedConnector(TapConnector(), credentials)
    recorder = recording(output, connector=watched)
    with refusals(found, endpoint):
        session = Session(
            found,
            *topics,
            credentials=credentials,
            endpoint=endpoint,
            ssl_context=None if ca is None else trusting(ca),
            proxy=chosen(proxy),
            connector=recorder,
        )
    title = f"{found.name} {topic} {' '.join(instruments)}".rstrip()
    return run(partial(_record, session, _Counter(found.name, title, watched, count, recorder), seconds))


class _Counter(LivePrinter):
    """Counts what comes, and says how much of it is recorded."""

    def __init__(
        self, venue: str, title: str, watched: WatchedConnector, count: int | None, recorder: Recorder
    ) -> None:
        super().__init__(venue, title, watched, count, silent=True)
        self.recorder = recorder

    def figures(self, now_s: float) -> list[str]:
        """What is recorded stands before how it goes."""
        status = self.recorder.status()
        done = [many(status.frames, "frame"), _size(status.bytes), many(status.segments, "segment")]
        return [*done, *super().figures(now_s)[1:]]

    async def say_progress(self) -> None:
        """A line now and then, until cancelled."""
        while True:
            await trio.sleep(SAID_EVERY_S)
            say(self.progress())

    async def watch_recording(self, stop: Stop) -> None:
        """End when nothing is recorded any more: there is nothing else to do here."""
        while self.recorder.status().error is None:  # noqa: ASYNC110  # it is a thread that knows
            await trio.sleep(LOOK_EVERY_S)
        stop.request()

    def total(self, statistics: SessionStatistics) -> str:
        """The line that stays on standard error."""
        status = self.recorder.status()
        took_s = trio.current_time() - self.started_s
        connections = sum(lane.connections for lane in statistics.lanes)
        return (
            f"{self.title}: {many(status.frames, 'frame')} in {took_s:.1f} s, recorded in {status.path}"
            f" ({many(status.segments, 'segment')}, {_size(status.bytes)}); {many(self.events, 'event')} and"
            f" {many(self.notices, 'notice')}, {many(statistics.count.gaps, 'gap')},"
            f" {many(connections, 'connection')}"
        )


def _size(number: int) -> str:
    """Bytes as people read them: ``512 bytes``, ``1.5 MiB``."""
    if number < 1024:
        return many(number, "byte")
    kib = number / 1024
    return f"{kib:,.0f} KiB" if kib < 1024 else f"{kib / 1024:,.1f} MiB"


async def _record(session: Session, counter: _Counter, seconds: float | None) -> int:
    counter.start()
    async with trio.open_nursery() as nursery:
        if counter.status.is_on:
            nursery.start_soon(counter.status.run, name="status line")
        elif sys.stderr.isatty():
            nursery.start_soon(counter.say_progress, name="progress")
        async with session as stream:
            async with stoppable(seconds) as stop, trio.open_nursery() as inner:
                inner.start_soon(counter.watch_recording, stop, name="watch the recording")
                await counter.print(stream, stop)
                inner.cancel_scope.cancel()
            statistics = stream.statistics()
        nursery.cancel_scope.cancel()
    error = counter.recorder.status().error
    if error is not None:
        raise RecordingError(
            f"{error}; what was written before is kept, and recording there again continues it"
        )
    say(counter.total(statistics))
    return stop.exit_code
