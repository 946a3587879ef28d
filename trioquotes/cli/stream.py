"""``trioquotes stream``: a live session as lines of JSON."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import trio
from cyclopts import Parameter

from trioquotes._runtime.session import Session
from trioquotes._runtime.transport import TapConnector
from trioquotes.cli.exits import ClosedOutput, say
from trioquotes.cli.keys import from_environment
from trioquotes.cli.lines import ledger_line
from trioquotes.cli.metrics import MetricsAddress, metrics_address, served
from trioquotes.cli.numbers import number, whole
from trioquotes.cli.stopping import run, stoppable
from trioquotes.cli.streaming import LivePrinter, WatchedConnector, check_limits, topics_of, trusting
from trioquotes.cli.words import chosen, proxy_of, refusals, venue_of

__all__ = ["stream"]


def stream(
    venue: str,
    topic: str,
    /,
    *instruments: Annotated[str, Parameter(name="INSTRUMENT")],
    endpoint: Annotated[str | None, Parameter(metavar="NAME|URL", show_default=False)] = None,
    native: Annotated[bool, Parameter(show_default=False)] = False,
    count: Annotated[int | None, Parameter(metavar="N", show_default=False, converter=whole)] = None,
    seconds: Annotated[float | None, Parameter(metavar="S", show_default=False, converter=number)] = None,
    ca: Annotated[Path | None, Parameter(metavar="FILE", show_default=False)] = None,
    proxy: Annotated[
        str | None, Parameter(metavar="URL|none", show_default=False, converter=proxy_of)
    ] = None,
    summary: Annotated[bool, Parameter(show_default=False)] = False,
    metrics: Annotated[str | None, Parameter(metavar="[HOST:]PORT", show_default=False)] = None,
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
        proxy: The proxy for every connection, http://, https://, socks5:// or socks5h://, with user:password@ where it
            wants them; none for no proxy. Without it HTTPS_PROXY, ALL_PROXY and NO_PROXY say.
        summary: End with the ledger on standard error, as one JSON object.
        metrics: Serve the session's figures for Prometheus at this port of this machine; with a host, there.

    Returns:
        The exit code.
    """
    found = venue_of(venue)
    topics = topics_of(found, topic, instruments, native=native)
    check_limits(count, seconds)
    address = metrics_address(metrics)
    credentials = from_environment(found.name)
    watched = WatchedConnector(TapConnector(), credentials)
    with refusals(found, endpoint):
        session = Session(
            found,
            *topics,
            credentials=credentials,
            endpoint=endpoint,
            ssl_context=None if ca is None else trusting(ca),
            proxy=chosen(proxy),
            connector=watched,
        )
    title = f"{found.name} {topic} {' '.join(instruments)}".rstrip()
    printer = LivePrinter(found.name, title, watched, count)
    return run(partial(_stream, session, printer, seconds, address, summary=summary))


async def _stream(
    session: Session,
    printer: LivePrinter,
    seconds: float | None,
    address: MetricsAddress | None,
    *,
    summary: bool,
) -> int:
    printer.start()
    async with trio.open_nursery() as nursery:
        if printer.status.is_on:
            nursery.start_soon(printer.status.run, name="status line")
        async with session as stream:
            async with served(address, stream), stoppable(seconds, printer.output) as stop:
                await printer.print(stream, stop)
            statistics = stream.statistics()
        nursery.cancel_scope.cancel()
    if stop.unread:
        raise ClosedOutput
    last = ledger_line(statistics.count) if summary else printer.total(statistics)
    say(last)
    return stop.exit_code
