"""A sixth venue from outside of the package: trades, books and quotes of Bitstamp, through ``trioquotes.lowlevel``.

What it shows: a venue is a description (``Bitstamp``) and a protocol (``BitstampProtocol``) that is told what came and what
is wanted, and answers with effects; neither of them waits, looks at a clock or opens a socket. Connecting, reconnecting,
budgets, the books, the channels and all notices are the session's, as for the five venues of the package.

What this venue asks of it: an error names no channel, so one request is in flight at a time and an error is held against
it. Numbers come as texts. The server says when it wants its clients to connect anew.

*Source:* www.bitstamp.net/websocket/v2/, "Subscriptions", "Channels", "Heartbeat", "Forced reconnection".

Run it against the venue itself, with its own name for the market::

    python custom_venue.py btcusd

Ctrl-C ends it, as does ``--count``.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import ClassVar, cast

import msgspec
import trio
import trioquotes as tq
from trioquotes.lowlevel import (
    Budget,
    Effect,
    Endpoint,
    Failure,
    Fetch,
    Handshake,
    Lane,
    LedgerView,
    Limits,
    Memory,
    Options,
    Receipt,
    Replace,
    Reply,
    Retry,
    Send,
    Serving,
    Sink,
    Stamp,
    Unify,
    Venue,
    VenueProtocol,
    Verdict,
    WireChannel,
)

__all__ = ["VENUE", "Bitstamp", "BitstampProtocol", "LiveTrade", "LiveTrades", "OrderBook"]

TRADES, BOOK = "live_trades", "order_book"

HEARTBEAT = b'{"event":"bts:heartbeat"}'
HEARTBEAT_EVERY_S = 10.0
SILENT_S = 25.0
"""A line on which two heartbeats in a row were not answered is dead."""

FRESH_S = 60.0
"""How long to wait after the venue said that there were too many attempts."""

LANE = Lane("public")
NUMBER = re.compile(r"\d{1,20}(\.\d{1,20})?", re.ASCII)


# What is on the wire --------------------------------------------------------------------------------


class LiveTrade(tq.WireMessage, frozen=True):
    """A trade; ``type`` is the taker's side, 0 for a buyer."""

    id: int
    price_str: str
    amount_str: str
    type: int
    microtimestamp: str
    market: str = ""


class OrderBook(tq.WireMessage, frozen=True):
    """The best 100 levels a side, whole each time."""

    bids: tuple[tuple[str, str], ...]
    asks: tuple[tuple[str, str], ...]
    microtimestamp: str
    market: str = ""


class Head(msgspec.Struct):
    """What a message is, and the rest of it for later."""

    event: str
    channel: str = ""
    data: msgspec.Raw = msgspec.Raw(b"{}")


class Words(msgspec.Struct):
    """What an error says."""

    message: str = ""


class LiveTrades(tq.Topic[LiveTrade], frozen=True):
    """The venue's own messages of trades, with every field."""

    instrument: str


HEAD = msgspec.json.Decoder(Head)
WORDS = msgspec.json.Decoder(Words)
DATA: Mapping[tuple[str, str], msgspec.json.Decoder[LiveTrade] | msgspec.json.Decoder[OrderBook]] = {
    (TRADES, "trade"): msgspec.json.Decoder(LiveTrade),
    (BOOK, "data"): msgspec.json.Decoder(OrderBook),
}


def exact(text: str) -> Decimal:
    """The number that a text says, with every digit.

    Raises:
        ValueError: it is none: ``Decimal`` by itself would take "NaN", blanks and underscores too.
    """
    if NUMBER.fullmatch(text) is None:
        raise ValueError(f"{text[:40]!r} is no price or size")
    return Decimal(text)


def check(message: LiveTrade | OrderBook) -> None:
    """Refuse a message whose numbers are none, before anybody gets it.

    Raises:
        ValueError: with the first that is none.
    """
    levels = message.bids + message.asks if isinstance(message, OrderBook) else ()
    numbers = (message.price_str, message.amount_str) if isinstance(message, LiveTrade) else ()
    for text in (*numbers, *(text for level in levels for text in level)):
        exact(text)
    if not (message.microtimestamp.isascii() and message.microtimestamp.isdecimal()):
        raise ValueError(f"{message.microtimestamp[:40]!r} is no time")


# From the venue's messages to events that mean the same everywhere ----------------------------------


def trade(message: tq.WireMessage, receipt: Receipt) -> tq.Event:
    """A trade."""
    said = cast("LiveTrade", message)
    return tq.Trade(
        venue=Bitstamp.name,
        instrument=said.market,
        venue_time_ns=int(said.microtimestamp) * 1000,
        received_ns=receipt.received_ns,
        raw=receipt.raw,
        price=exact(said.price_str),
        size=exact(said.amount_str),
        taker_side={0: "buy", 1: "sell"}.get(said.type),  # type: ignore[arg-type]  # mypy widens the texts
        trade_id=str(said.id),
    )


def book(message: tq.WireMessage, receipt: Receipt) -> tq.Event:
    """A book: each message is whole."""
    said = cast("OrderBook", message)
    return tq.BookSnapshot(
        venue=Bitstamp.name,
        instrument=said.market,
        venue_time_ns=int(said.microtimestamp) * 1000,
        received_ns=receipt.received_ns,
        raw=receipt.raw,
        bids=tuple((exact(price), exact(size)) for price, size in said.bids),
        asks=tuple((exact(price), exact(size)) for price, size in said.asks),
        depth=100,
    )


# The protocol ---------------------------------------------------------------------------------------


class BitstampProtocol(VenueProtocol):
    """One connection: what came goes in, what to do comes out."""

    def __init__(self, options: Options) -> None:
        self._url = options.endpoint.public
        self._next_id = 1
        self._asking: Send | None = None  # the one request that has no answer yet
        self._moving = False  # the server wants its clients elsewhere
        self._heard_s = math.inf
        self._beat_at_s = math.inf

    def handshake(self, stamp: Stamp) -> Handshake:
        """The upgrade request."""
        self._heard_s = stamp.monotonic_s
        self._beat_at_s = stamp.monotonic_s + HEARTBEAT_EVERY_S
        return Handshake(self._url)

    def reconcile(self, ledger: LedgerView, stamp: Stamp) -> Effect | None:  # noqa: ARG002
        """What brings asked nearer to wanted: one channel at a time."""
        if self._moving:
            return Replace("the venue asked for it")
        if ledger.in_flight:
            return None
        # One that is wanted is asked for again after that: the answer brings a fresh book.
        for channel in (*ledger.to_withdraw, *ledger.resyncing):
            return self._send("bts:unsubscribe", channel, withdraws=frozenset({channel}))
        for channel in ledger.to_ask:
            return self._send("bts:subscribe", channel, asks=frozenset({channel}))
        return None

    def _send(
        self,
        event: str,
        channel: WireChannel,
        *,
        asks: frozenset[WireChannel] = frozenset(),
        withdraws: frozenset[WireChannel] = frozenset(),
    ) -> Send:
        body = {"event": event, "data": {"channel": f"{channel.name}_{channel.instrument}"}}
        return Send(msgspec.json.encode(body), self._next_id, asks=asks, withdraws=withdraws)

    def sent(self, effect: Send | Fetch, stamp: Stamp) -> None:  # noqa: ARG002
        """A request went out."""
        self._next_id = effect.id + 1
        self._asking = effect if isinstance(effect, Send) else None

    def receive(self, frame: bytes, stamp: Stamp, out: Sink) -> None:
        """A message came; every one gets exactly one disposition."""
        self._heard_s = stamp.monotonic_s
        try:
            head = HEAD.decode(frame)
            self._read(head, frame, out)
        except (ValueError, RecursionError) as error:  # msgspec's own are of these
            out.malformed(frame, str(error))

    def _read(self, head: Head, frame: bytes, out: Sink) -> None:
        match head.event:
            case "trade" | "data":
                self._data(head, frame, out)
            case "bts:subscription_succeeded":
                out.confirmed([channel_of(head.channel)])
                self._answered(out)
                out.ignored("acknowledgement")
            case "bts:unsubscription_succeeded":
                self._answered(out)
                out.ignored("acknowledgement")
            case "bts:heartbeat":
                out.ignored("heartbeat")
            case "bts:request_reconnect":
                self._moving = True
                out.ignored("request to reconnect")
            case "bts:error":
                words = WORDS.decode(head.data).message or "an error without words"
                out.error(words)
                for channel in self._asking.asks if self._asking is not None else ():
                    out.rejected(channel, words)
                self._answered(out)
                out.ignored("error")
            case _:
                out.unknown(head.event, frame)

    def _data(self, head: Head, frame: bytes, out: Sink) -> None:
        channel = channel_of(head.channel)
        decoder = DATA.get((channel.name, head.event))
        if decoder is None:
            out.unknown(f"{head.event} of {channel.name}", frame)
            return
        try:
            message = msgspec.structs.replace(decoder.decode(head.data), market=channel.instrument)
            check(message)
        except (ValueError, RecursionError) as error:
            out.malformed(frame, str(error), channel=channel)
            return
        out.deliver(channel, message)

    def _answered(self, out: Sink) -> None:
        if self._asking is not None:
            out.answered(self._asking.id)
            self._asking = None

    def fetched(self, request_id: int, reply: Reply | Failure, stamp: Stamp, out: Sink) -> None:  # noqa: ARG002
        """Nothing is ever fetched."""
        out.ignored("not asked for")

    def pong(self, stamp: Stamp, out: Sink) -> None:  # noqa: ARG002
        """The line answers a ping of the WebSocket."""
        self._heard_s = stamp.monotonic_s

    def tick(self, stamp: Stamp, out: Sink) -> None:
        """Heartbeats, and the watch on silence."""
        if stamp.monotonic_s >= self._beat_at_s:
            self._beat_at_s = stamp.monotonic_s + HEARTBEAT_EVERY_S
            out.reply(HEARTBEAT)
        if stamp.monotonic_s >= self._heard_s + SILENT_S:
            self._heard_s = math.inf
            out.lost(f"silent for {SILENT_S:g} s, heartbeats included")

    def deadline(self) -> float:
        """When to tick."""
        return min(self._beat_at_s, self._heard_s + SILENT_S)

    def classify(self, failure: Failure) -> Verdict:
        """Whatever ends the line, another one is tried."""
        return Retry(floor_s=FRESH_S if failure.status == 429 else 0.0)


def channel_of(text: str) -> WireChannel:
    """The channel of the wire, such as ``live_trades_btcusd``."""
    name, _, market = text.rpartition("_")
    return WireChannel(name, market)


# The venue ------------------------------------------------------------------------------------------


class Bitstamp(Venue):
    """The venue, as it is before any connection."""

    name: ClassVar[str] = "bitstamp"
    endpoints: ClassVar[Mapping[str, Endpoint]] = {"production": Endpoint("wss://ws.bitstamp.net")}
    budgets: ClassVar[tuple[Budget, ...]] = (
        # No limit is documented for requests on a line: this is a modest one of ours.
        Budget("requests", 10, 1.0, "connection", frozenset({"send", "ping"}), reserve=2),
    )
    limits: ClassVar[Limits] = Limits(max_message_bytes=1 << 20, quiet_s=SILENT_S)
    topics: ClassVar[Mapping[str, type[tq.Topic[tq.Event]]]] = {TRADES: LiveTrades}
    unified: ClassVar[frozenset[type[tq.Topic[tq.Event]]]] = frozenset(
        {tq.Trades, tq.Books, tq.Quotes, tq.Depths}
    )

    def instrument(self, text: str) -> str:
        """``btcusd``, or ``BTC/USD`` for it.

        Raises:
            InvalidInstrument: it cannot be a market's name.
        """
        market = text.replace("/", "").lower() if text.count("/") == 1 else text
        if not (market.isascii() and market.isalnum() and market == market.lower()):
            raise tq.InvalidInstrument(f"{text!r} is no market of {self.name}, such as 'btcusd'")
        return market

    def topic(self, name: str, instrument: str, native: bool) -> tq.Topic[tq.Event]:
        """What the command line's words mean."""
        kind = cast("type[tq.Trades]", self.kind_of(name, native))  # all of them take an instrument
        return kind(self.instrument(instrument))

    def serve(self, topic: tq.Topic[tq.Event], options: Options) -> Serving:  # noqa: ARG002
        """Which channel a topic needs, and how its events are made of it.

        Raises:
            UnsupportedTopic: nothing here serves it.
        """
        match topic:
            case LiveTrades(instrument):
                return self._serving(TRADES, instrument, "native")
            case tq.Trades(instrument):
                return self._serving(TRADES, instrument, "events", trade)
            case tq.Books(instrument):
                return self._serving(BOOK, instrument, "book", book)
            case tq.Quotes(instrument):
                return self._serving(BOOK, instrument, "quotes", book)
            case tq.Depths(instrument, levels) if levels <= 100:
                return self._serving(BOOK, instrument, "depths", book)
        raise tq.UnsupportedTopic(f"{self.name} cannot serve {topic}")

    def _serving(self, name: str, instrument: str, kind: str, unify: Unify | None = None) -> Serving:
        channels = (WireChannel(name, self.instrument(instrument)),)
        make = None if unify is None else lambda: unify
        return Serving(channels, kind, make=make)  # type: ignore[arg-type]  # the callers give its words

    def plan(self, channels: Sequence[WireChannel], options: Options) -> Mapping[Lane, Sequence[WireChannel]]:  # noqa: ARG002
        """One line carries all."""
        return {LANE: channels}

    def protocol(
        self,
        lane: Lane,  # noqa: ARG002
        secrets: tq.Credentials | None,  # noqa: ARG002
        memory: Memory,  # noqa: ARG002
        options: Options,
    ) -> BitstampProtocol:
        """The protocol of a new connection."""
        return BitstampProtocol(options)

    def offline(self, channel: str) -> Lane:  # noqa: ARG002
        """Captured frames of any channel are those of the one line."""
        return LANE

    def offline_topics(self, channel: WireChannel, native: bool) -> Sequence[tq.Topic[tq.Event]]:
        """What captured messages are decoded to."""
        if native:
            return [LiveTrades(channel.instrument)] if channel.name == TRADES else []
        kinds: dict[str, type[tq.Trades | tq.Books]] = {TRADES: tq.Trades, BOOK: tq.Books}
        return [kinds[channel.name](channel.instrument)] if channel.name in kinds else []


VENUE = Bitstamp()


# A program that uses it -----------------------------------------------------------------------------


def lines(event: tq.Event) -> Iterator[str]:
    """What is printed of an event."""
    match event:
        case tq.Trade():
            yield f"{event.instrument}: {event.taker_side} {event.size} at {event.price}"
        case tq.Quote():
            yield f"{event.instrument}: {event.bid} - {event.ask}"
        case tq.Gap():
            yield f"{event.topic}: something may be missing here: {event.reason}"
        case tq.Notice():
            yield f"({type(event).__name__})"


async def show(session: tq.Session, count: int | None = None) -> None:
    """Print events until so many came.

    Raises:
        SessionError, SubscriptionRejected: as the session.
    """
    events = 0
    async with session as stream:
        async for event in stream:
            for text in lines(event):
                print(text, flush=True)
            events += isinstance(event, tq.MarketEvent)
            if events == count:
                break


def main() -> int:
    """Read the command line and run.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(description="Trades and quotes of a market of Bitstamp.")
    parser.add_argument("market")
    parser.add_argument("--endpoint", metavar="URL")
    parser.add_argument("--count", type=int, metavar="N", help="end after so many events")
    args = parser.parse_args()
    try:
        session = tq.Session(VENUE, tq.Trades(args.market), tq.Quotes(args.market), endpoint=args.endpoint)
    except tq.UsageError as error:
        parser.error(str(error))
    code = 0
    try:
        trio.run(show, session, args.count)
    except* KeyboardInterrupt:  # inside of nurseries it comes in a group
        print("stopped", file=sys.stderr)
    except* (tq.SessionError, tq.SubscriptionRejected) as ended:
        print("ended:", *ended.exceptions, file=sys.stderr)
        code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
