r"""A spread monitor: what two venues ask between their bids and asks, and what lies between the two of them.

What it shows: several sessions merged into one stream with ``open_feed``; ``overflow="latest"``, so that a slow terminal
sees fewer quotes and never old ones; and that a figure is only as good as its quotes. After a ``Gap`` or while a venue
is silent its last quote is not taken for the present one: the monitor says so in place of a figure.

Run it against the venues themselves::

    python spread_monitor.py coinbase:BTC-USD edgex:30000001 --alert 5

or against simulators (``trioquotes simulate coinbase --port 8001``, and so on)::

    python spread_monitor.py coinbase:BTC-USD edgex:30000001 \
        --endpoint coinbase=ws://127.0.0.1:8001 --endpoint edgex=ws://127.0.0.1:8002

Both markets must be in the same currency, or in two that you hold for the same. Ctrl-C ends it, as does ``--count``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

import trio
import trioquotes as tq

BASIS = Decimal(10_000)
SHOWN = Decimal("0.01")


class Market(NamedTuple):
    """One instrument of one venue, by the venue's own name."""

    venue: str
    instrument: str

    def __str__(self) -> str:
        return f"{self.venue} {self.instrument}"


def market_of(text: str) -> Market:
    """The market that ``VENUE:INSTRUMENT`` names.

    Raises:
        UsageError: it names none.
    """
    venue, colon, instrument = text.partition(":")
    if not colon:
        raise tq.UsageError(f"{text!r} is not VENUE:INSTRUMENT, such as coinbase:BTC-USD")
    return Market(venue, instrument)


def basis_points(bid: Decimal, ask: Decimal) -> Decimal:
    """From a bid up to an ask, in basis points of the middle; below zero where they cross."""
    return (ask - bid) / ((ask + bid) / 2) * BASIS


class Monitor:
    """What the quotes of some markets amount to; values in, lines out.

    Args:
        markets: to watch.
        alert: how many basis points a bid may be above another market's ask before that is said.
    """

    def __init__(self, markets: Sequence[Market], alert: Decimal) -> None:
        self._quotes: dict[Market, tq.Quote] = {}
        self._doubts: dict[Market, str] = dict.fromkeys(markets, "no quote yet")
        self._alert = alert

    def take(self, event: tq.Event) -> Iterator[str]:
        """Take an event; gives what there is to say."""
        match event:
            case tq.Quote():
                market = Market(event.venue, event.instrument)
                self._quotes[market] = event
                self._doubts.pop(market, None)
                yield self._spread(market, event)
                yield from self._crossings(market, event)
            case tq.Gap() | tq.Rejected():
                yield from self._doubt(event, event.reason)
            case tq.Stale():
                yield from self._doubt(event, f"silent for {event.silent_s:.0f} s")
            case tq.Lagged():
                yield from self._doubt(event, "we were too slow")
            case tq.Connected() | tq.Disconnected() | tq.Throttled():
                yield f"{event.venue}: {type(event).__name__.lower()}"
            case tq.Malformed() | tq.Unknown():
                yield f"{event.venue}: a message that cannot be understood"

    def _doubt(self, notice: tq.Notice, reason: str) -> Iterator[str]:
        """What a notice takes away: the quote of its topic, or of all of the venue's."""
        subject = notice.topic.subject if notice.topic is not None else ""
        for market in {*self._quotes, *self._doubts}:
            if market.venue == notice.venue and subject in {"", market.instrument}:
                self._quotes.pop(market, None)
                self._doubts[market] = reason
                yield f"{market}: unknown: {reason}"

    @staticmethod
    def _spread(market: Market, quote: tq.Quote) -> str:
        if quote.bid is None or quote.ask is None:
            return f"{market}: one side of the book is empty"
        points = basis_points(quote.bid, quote.ask).quantize(SHOWN)
        return f"{market}: {quote.bid} {quote.ask}, {points} bp"

    def _crossings(self, market: Market, quote: tq.Quote) -> Iterator[str]:
        """Where one market bids more than another one asks."""
        for other, theirs in self._quotes.items():
            if other == market:
                continue
            for buy_at, ask, sell_at, bid in (
                (market, quote.ask, other, theirs.bid),
                (other, theirs.ask, market, quote.bid),
            ):
                if ask is not None and bid is not None and -basis_points(bid, ask) > self._alert:
                    points = -basis_points(bid, ask).quantize(SHOWN)
                    yield f"ALERT: {points} bp between {ask} at {buy_at} and {bid} at {sell_at}"


async def watch(sessions: Sequence[tq.Session], monitor: Monitor, count: int | None = None) -> int:
    """Print what the monitor says until one venue is over, or so many quotes came.

    Args:
        sessions: of the venues.
        monitor: of their markets.
        count: of quotes; ``None`` for no end.

    Returns:
        How many quotes came.

    Raises:
        SessionError, SubscriptionRejected: as ``open_feed``.
    """
    quotes = 0
    async with tq.open_feed(*sessions) as feed:
        async for event in feed:
            for text in monitor.take(event):
                print(text, flush=True)
            quotes += isinstance(event, tq.Quote)
            if quotes == count:
                break
    return quotes


def main() -> int:
    """Read the command line and run.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(description="Spreads of some markets, and between them.")
    parser.add_argument("markets", nargs="+", metavar="VENUE:INSTRUMENT")
    parser.add_argument("--endpoint", action="append", default=[], metavar="VENUE=URL")
    parser.add_argument(
        "--alert", type=Decimal, default=Decimal(10), metavar="BP", help="10 basis points unless given"
    )
    parser.add_argument("--count", type=int, metavar="N", help="end after so many quotes")
    args = parser.parse_args()
    where = {venue: url for venue, _, url in (endpoint.partition("=") for endpoint in args.endpoint)}
    try:
        markets = [market_of(text) for text in args.markets]
        sessions = [
            tq.Session(
                venue,
                *(tq.Quotes(market.instrument) for market in markets if market.venue == venue),
                endpoint=where.get(venue),
                overflow="latest",
            )
            for venue in dict.fromkeys(market.venue for market in markets)
        ]
    except tq.UsageError as error:
        parser.error(str(error))
    code = 0
    try:
        trio.run(watch, sessions, Monitor(markets, args.alert), args.count)
    except* KeyboardInterrupt:  # inside of nurseries it comes in a group
        print("stopped", file=sys.stderr)
    except* (tq.SessionError, tq.SubscriptionRejected) as ended:
        print("ended:", *ended.exceptions, file=sys.stderr)
        code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
