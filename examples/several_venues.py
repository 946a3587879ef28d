r"""Several venues in one nursery: each has a session and a task of its own, and keeps its troubles to itself.

What it shows: an exception that leaves a task of a nursery ends all of them. So what may go wrong at one venue is met in
that venue's task: it gives up alone, and says why. What the session mends by itself (a lost line, a hole in the data) is
no exception but a notice in the stream, in its place between the trades.

Run it against the venues themselves::

    python several_venues.py coinbase:BTC-USD upbit:KRW-BTC zonda:BTC-PLN

or against simulators, each started in a terminal of its own with ``trioquotes simulate VENUE --port PORT``::

    python several_venues.py coinbase:BTC-USD upbit:KRW-BTC \
        --endpoint coinbase=ws://127.0.0.1:8001 --endpoint upbit=ws://127.0.0.1:8002

Ctrl-C ends it, as does ``--count``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

import trio
import trioquotes as tq


def line(event: tq.Event) -> str | None:
    """What is printed of an event, if anything; ``Malformed`` and ``Unknown`` carry frames, of which a line says enough."""
    match event:
        case tq.Trade():
            side = event.taker_side or "unknown side"
            return f"{event.venue} {event.instrument}: {side} {event.size} at {event.price}"
        case tq.Connected():
            return f"{event.venue}: line {event.lane} is up"
        case tq.Disconnected():
            return f"{event.venue}: line {event.lane} is lost ({event.reason}); it is opened again"
        case tq.Gap():
            missed = "some trades" if event.missed is None else f"{event.missed} trades"
            return f"{event.venue} {event.topic}: {missed} may be missing here: {event.reason}"
        case tq.Lagged():
            return f"{event.venue} {event.topic}: we were too slow, {event.dropped} trades were dropped here"
        case tq.Stale():
            return f"{event.venue} {event.topic}: silent for {event.silent_s:.0f} s"
        case tq.Rejected():
            return f"{event.venue} {event.topic}: refused: {event.reason}"
        case tq.Throttled():
            return f"{event.venue}: held back by the venue: {event.reason}"
        case tq.Malformed() | tq.Unknown():
            return f"{event.venue}: a message that cannot be understood ({type(event).__name__})"
    return None


async def follow(venue: str, session: tq.Session, told: Callable[[tq.Event], None]) -> None:
    """Hand over the events of one venue until it is over there."""
    try:
        async with session as stream:
            async for event in stream:
                told(event)
    except (tq.SessionError, tq.SubscriptionRejected) as error:
        print(f"{venue}: given up: {error}", file=sys.stderr)


async def follow_all(sessions: Sequence[tuple[str, tq.Session]], count: int | None = None) -> int:
    """Print what all venues tell until each of them is over, or so many trades were printed.

    Args:
        sessions: with the names of their venues.
        count: of trades; ``None`` for no end.

    Returns:
        How many trades were printed.
    """
    trades = 0
    async with trio.open_nursery() as nursery:

        def told(event: tq.Event) -> None:
            nonlocal trades
            if trades == count:
                return  # the others still say goodbye
            text = line(event)
            if text is not None:
                print(text, flush=True)
            trades += isinstance(event, tq.Trade)
            if trades == count:
                nursery.cancel_scope.cancel()

        for venue, session in sessions:
            nursery.start_soon(follow, venue, session, told, name=venue)
    return trades


def sessions_of(wishes: Sequence[str], endpoints: Sequence[str]) -> list[tuple[str, tq.Session]]:
    """Sessions for wishes such as ``coinbase:BTC-USD``: one a venue, whatever it is asked for.

    Raises:
        UsageError: a wish cannot be meant, or the venue cannot serve it.
    """
    where = {venue: url for venue, _, url in (endpoint.partition("=") for endpoint in endpoints)}
    instruments: dict[str, list[str]] = {}
    for wish in wishes:
        venue, colon, instrument = wish.partition(":")
        if not colon:
            raise tq.UsageError(f"{wish!r} is not VENUE:INSTRUMENT, such as coinbase:BTC-USD")
        instruments.setdefault(venue, []).append(instrument)
    return [
        (venue, tq.Session(venue, *(tq.Trades(name) for name in names), endpoint=where.get(venue)))
        for venue, names in instruments.items()
    ]


def main() -> int:
    """Read the command line and run.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(description="Trades of several venues, as they come.")
    parser.add_argument("wishes", nargs="+", metavar="VENUE:INSTRUMENT")
    parser.add_argument("--endpoint", action="append", default=[], metavar="VENUE=URL")
    parser.add_argument("--count", type=int, metavar="N", help="end after so many trades")
    args = parser.parse_args()
    try:
        sessions = sessions_of(args.wishes, args.endpoint)
    except tq.UsageError as error:
        parser.error(str(error))
    try:
        trio.run(follow_all, sessions, args.count)
    except* KeyboardInterrupt:  # inside of nurseries it comes in a group
        print("stopped", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
