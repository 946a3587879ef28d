"""``trioquotes replay``: a recording as lines of JSON, as ``stream`` printed, or would have printed, the session."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import trio
from cyclopts import Parameter

from trioquotes._runtime.session import Session, find_venue
from trioquotes.cli.exits import ClosedOutput, one_line, say
from trioquotes.cli.lines import ledger_line
from trioquotes.cli.numbers import many
from trioquotes.cli.stopping import run, stoppable
from trioquotes.cli.streaming import Printer, check_limits, printed, shortened, topics_of
from trioquotes.errors import UsageError
from trioquotes.recording import Replayer
from trioquotes.recording import replay as replaying

__all__ = ["replay"]

BAR: Final = 20
"""Columns of the bar."""


def replay(
    folder: Annotated[Path, Parameter(name="DIR")],
    topic: Annotated[str | None, Parameter(show_default=False)] = None,
    /,
    *instruments: Annotated[str, Parameter(name="INSTRUMENT")],
    speed: Annotated[str, Parameter(metavar="N|max")] = "1",
    native: Annotated[bool, Parameter(show_default=False)] = False,
    count: Annotated[int | None, Parameter(metavar="N", show_default=False)] = None,
    seconds: Annotated[float | None, Parameter(metavar="S", show_default=False)] = None,
    summary: Annotated[bool, Parameter(show_default=False)] = False,
) -> int:
    """Print the events of a recording as JSON lines.

    Args:
        folder: The folder of the recording.
        topic: A topic whose data were recorded; without one everything that was subscribed.
        instruments: The venue's own names, or base and quote with a slash (BTC/USD).
        speed: How many times as fast as it was recorded; max is as fast as it can be written.
        native: Print the venue's own messages, field for field; needs a channel of the venue.
        count: End after this many events; notices do not count.
        seconds: End after this many seconds.
        summary: End with the ledger on standard error, as one JSON object.

    Returns:
        The exit code.
    """
    check_limits(count, seconds)
    if native and topic is None:
        raise UsageError(
            "--native needs a channel of the venue: trioquotes replay DIR CHANNEL INSTRUMENT... --native"
        )
    replayer = replaying(folder, speed=_speed(speed))
    found = find_venue(replayer.venue)
    topics = replayer.topics if topic is None else topics_of(found, topic, instruments, native=native)
    if not topics:
        raise UsageError(f"{folder}: nothing was subscribed while this was recorded")
    session = Session(found, *topics, connector=replayer)
    what = "" if topic is None else f" {topic} {' '.join(instruments)}".rstrip()
    title = f"{folder}{what}"
    return run(
        partial(_replay, session, _Printer(found.name, title, count, replayer), seconds, summary=summary)
    )


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"--speed is a number or max, not {text!r}") from None


class _Printer(Printer):
    """Prints what comes and knows how far it is."""

    def __init__(self, venue: str, title: str, count: int | None, replayer: Replayer) -> None:
        super().__init__(venue, title, count)
        self._replayer = replayer

    def progress(self) -> str:
        """The line for standard error."""
        share = self._replayer.progress.share
        full = round(BAR * share)
        bar = f"[{'#' * full}{'-' * (BAR - full)}] {share:4.0%}"
        rate = f"{self.rate.per_s(trio.current_time()):,.1f}/s"
        return " | ".join([shortened(self.title), bar, many(self.events, "event"), rate])

    def warn(self) -> None:
        """Say what the recording lacks."""
        for torn in self._replayer.progress.torn:
            say(f"trioquotes: {torn}")


async def _replay(session: Session, printer: _Printer, seconds: float | None, *, summary: bool) -> int:
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
    printer.warn()
    last = ledger_line(statistics.count) if summary else one_line(printed(printer, statistics))
    print(last, file=sys.stderr, flush=True)
    return stop.exit_code
