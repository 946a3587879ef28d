"""``trioquotes replay``: a recording as lines of JSON, as ``stream`` printed, or would have printed, the session."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import trio
from cyclopts import Parameter

from trioquotes._runtime.session import Session
from trioquotes.cli.exits import ClosedOutput, say
from trioquotes.cli.lines import ledger_line
from trioquotes.cli.numbers import many, number, positive, whole
from trioquotes.cli.statusline import bar
from trioquotes.cli.stopping import run, stoppable
from trioquotes.cli.streaming import Printer, check_limits, printed, shortened, topics_of
from trioquotes.cli.words import folder as folder_of
from trioquotes.cli.words import recorded, venue_of
from trioquotes.errors import UsageError
from trioquotes.recording import Replayer
from trioquotes.recording import replay as replaying

__all__ = ["replay"]


def replay(
    folder: Annotated[Path, Parameter(name="DIR", converter=folder_of)],
    topic: Annotated[str | None, Parameter(show_default=False)] = None,
    /,
    *instruments: Annotated[str, Parameter(name="INSTRUMENT")],
    speed: Annotated[str, Parameter(metavar="N|max")] = "1",
    native: Annotated[bool, Parameter(show_default=False)] = False,
    count: Annotated[int | None, Parameter(metavar="N", show_default=False, converter=whole)] = None,
    seconds: Annotated[float | None, Parameter(metavar="S", show_default=False, converter=number)] = None,
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
    times = _speed(speed)
    replayer = replaying(recorded(folder), speed=times)
    found = venue_of(replayer.venue)
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
        times = float(text)
    except ValueError:
        raise UsageError(f"--speed is a number or max, not {text!r}") from None
    positive("--speed", times)
    return times


class _Printer(Printer):
    """Prints what comes and knows how far it is."""

    def __init__(self, venue: str, title: str, count: int | None, replayer: Replayer) -> None:
        super().__init__(venue, title, count)
        self._replayer = replayer

    def progress(self) -> str:
        """The line for standard error."""
        share = self._replayer.progress.share
        rate = f"{self.rate.per_s(trio.current_time()):,.1f}/s"
        return " | ".join([shortened(self.title), bar(share), many(self.events, "event"), rate])

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
    last = ledger_line(statistics.count) if summary else printed(printer, statistics)
    say(last)
    return stop.exit_code
