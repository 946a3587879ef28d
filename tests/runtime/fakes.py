"""Fakes for runtime tests: a venue of a few lines, and a connector whose server is the test itself."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import ClassVar

import msgspec
import trio

from trioquotes._protocol.codec import BadFrame, Reader
from trioquotes._protocol.contract import LedgerView, Memory, Sink, Venue
from trioquotes._protocol.effects import (
    Audit,
    Budget,
    Effect,
    Endpoint,
    Failure,
    Fatal,
    Fetch,
    Handshake,
    HttpRequest,
    Lane,
    Limits,
    Options,
    Receipt,
    Replace,
    Reply,
    Retry,
    Send,
    Serving,
    Skip,
    Stamp,
    Unify,
    Verdict,
    WireChannel,
)
from trioquotes._runtime.connector import Batch, LineFailed, Target
from trioquotes.credentials import Credentials
from trioquotes.errors import AuthenticationFailed, InvalidInstrument, UnsupportedTopic
from trioquotes.events import BookChange, BookSnapshot, Event, Trade, WireMessage
from trioquotes.topics import Books, Depths, Quotes, Topic, Trades


class Tick(WireMessage, frozen=True, kw_only=True, tag_field="t", tag="tick"):
    """A trade of the toy venue: ``{"t":"tick","i":"A","p":"1.5"}``, with ``at`` the time of it."""

    i: str
    p: Decimal
    at: int | None = None


class Levels(WireMessage, frozen=True, kw_only=True, tag_field="t", tag="book"):
    """A book of the toy venue, whole where ``whole`` says so."""

    i: str
    bids: tuple[tuple[Decimal, Decimal], ...] = ()
    asks: tuple[tuple[Decimal, Decimal], ...] = ()
    whole: bool = False


class Note(WireMessage, frozen=True, kw_only=True, tag_field="t", tag="note"):
    """Everything else the toy server says: ack, refuse, replace, dead."""

    what: str
    i: str = ""
    c: str = "ticks"


class Ticks(Topic[Tick], frozen=True):
    """The toy venue's own topic."""

    instrument: str


_DECODER = msgspec.json.Decoder(Tick | Levels | Note)


def _trade(message: WireMessage, at: Receipt) -> Event | Skip:
    if not isinstance(message, Tick):
        return Skip("no tick")
    return Trade(
        venue="toy",
        instrument=message.i,
        venue_time_ns=message.at,
        received_ns=at.received_ns,
        raw=at.raw,
        price=message.p,
        size=Decimal(1),
    )


def _book(message: WireMessage, at: Receipt) -> Event | Skip:
    if not isinstance(message, Levels):
        return Skip("no book")
    kind = BookSnapshot if message.whole else BookChange
    return kind(
        venue="toy",
        instrument=message.i,
        received_ns=at.received_ns,
        bids=message.bids,
        asks=message.asks,
    )


_LEVELS: Reader[Levels] = Reader(Levels)


def _fetched_book(body: bytes, at: Receipt) -> BookSnapshot:
    made = _book(_LEVELS.read(body), at)
    if not isinstance(made, BookSnapshot):
        raise BadFrame("not a whole book")
    return made


def _audit() -> Audit:
    return Audit(HttpRequest("http://127.0.0.1/book"), _fetched_book)


def _make(unify: Unify) -> Callable[[], Unify]:
    return lambda: unify


class ToyProtocol:
    """Speaks ``{"do":"sub","c":...,"i":...}`` and answers each server note."""

    def __init__(self, venue: ToyVenue, lane: Lane, secrets: Credentials | None) -> None:
        self.venue = venue
        self.lane = lane
        self.secrets = secrets
        self.next_id = 1
        self.beat_at_s = float("inf")
        self.pinged = False
        self.replace = ""
        self.opened_ns = 0
        self.fetching: dict[int, WireChannel] = {}

    def handshake(self, stamp: Stamp) -> Handshake:
        self.opened_ns = stamp.wall_ns
        if self.venue.beat_s:
            self.beat_at_s = stamp.monotonic_s + self.venue.beat_s
        return Handshake(url="ws://127.0.0.1/toy")

    def reconcile(self, ledger: LedgerView, stamp: Stamp) -> Effect | None:
        if self.replace:
            return Replace(self.replace)
        if ledger.to_withdraw:
            channel = ledger.to_withdraw[0]
            return self._send("unsub", channel, withdraws=frozenset([channel]))
        for channel in ledger.resyncing:
            return self._send("unsub", channel, withdraws=frozenset([channel]))
        if ledger.to_ask:
            channel = ledger.to_ask[0]
            if channel.name == "fetched":
                return Fetch(self.next_id, HttpRequest("http://127.0.0.1/x"), asks=frozenset([channel]))
            return self._send("sub", channel, asks=frozenset([channel]))
        return None

    def _send(
        self,
        verb: str,
        channel: WireChannel,
        asks: frozenset[WireChannel] = frozenset(),
        withdraws: frozenset[WireChannel] = frozenset(),
    ) -> Send:
        frame = msgspec.json.encode({"do": verb, "c": channel.name, "i": channel.instrument})
        return Send(frame, self.next_id, asks=asks, withdraws=withdraws, answer_within_s=5.0)

    def sent(self, effect: Send | Fetch, stamp: Stamp) -> None:
        self.next_id += 1
        if isinstance(effect, Fetch):
            (self.fetching[effect.id],) = effect.asks

    def receive(self, frame: bytes, stamp: Stamp, out: Sink) -> None:
        if self.venue.beat_s:
            self.beat_at_s = stamp.monotonic_s + self.venue.beat_s
            self.pinged = False
        if self.venue.crash_on and self.venue.crash_on in frame:
            raise RuntimeError("a bug in the toy venue")
        try:
            message = _DECODER.decode(frame)
        except msgspec.MsgspecError as error:
            out.malformed(frame, str(error))
            return
        if isinstance(message, Tick):
            out.deliver(WireChannel("ticks", message.i), message)
        elif isinstance(message, Levels):
            out.deliver(WireChannel("books", message.i), message)
        else:
            self._note(message, out)

    def _note(self, note: Note, out: Sink) -> None:
        out.ignored(note.what)
        channel = WireChannel(note.c, note.i)
        if note.what == "ack":
            out.confirmed([channel])
        elif note.what == "refuse":
            out.error("no such thing")
            out.rejected(channel, "no such thing")
        elif note.what == "denied":
            out.rejected(channel, "wrong key", "authentication")
        elif note.what == "replace":
            self.replace = "asked to"
            out.answered(0)
        elif note.what == "untrusted":
            out.lost("nothing can be trusted")
        elif note.what == "ping":
            out.reply(b'{"do":"pong"}')

    def fetched(self, request_id: int, reply: Reply | Failure, stamp: Stamp, out: Sink) -> None:
        channel = self.fetching.pop(request_id)
        if isinstance(reply, Failure):
            out.rejected(channel, reply.reason, "timeout" if reply.status == 429 else "refused")
            return
        out.ignored("fetched")
        if reply.status == 200:
            out.confirmed([channel])
        else:
            out.rejected(channel, f"HTTP {reply.status}", "timeout")

    def pong(self, stamp: Stamp, out: Sink) -> None:
        if not self.venue.beat_s:
            return
        self.beat_at_s = stamp.monotonic_s + self.venue.beat_s
        self.pinged = False

    def tick(self, stamp: Stamp, out: Sink) -> None:
        if stamp.monotonic_s < self.beat_at_s or self.venue.stuck_beat:
            return
        if self.pinged:
            out.lost("no pong")
        else:
            out.ping()
        self.pinged = True
        self.beat_at_s = stamp.monotonic_s + self.venue.beat_s

    def deadline(self) -> float:
        return self.beat_at_s

    def classify(self, failure: Failure) -> Verdict:
        if failure.status == 401:
            return Fatal(AuthenticationFailed("toy says no"))
        if failure.status == 400:
            return Fatal(AuthenticationFailed("this lane says no"), scope="lane")
        return Retry(floor_s=self.venue.floor_s, renew_secrets=failure.status == 403)


class Fetched(Topic[Tick], frozen=True):
    """A topic of the toy venue that is served by REST alone."""

    instrument: str


class ToyVenue(Venue):
    """One channel of ticks and one of books per instrument, one lane, plus a lane for instrument ``SOLO``."""

    name: ClassVar[str] = "toy"
    endpoints: ClassVar[Mapping[str, Endpoint]] = {"production": Endpoint(public="ws://127.0.0.1/toy")}
    limits: ClassVar[Limits] = Limits(max_message_bytes=1 << 20)
    topics: ClassVar[Mapping[str, type[Topic[Event]]]] = {"ticks": Ticks, "fetched": Fetched}
    unified: ClassVar[frozenset[type[Topic[Event]]]] = frozenset({Trades, Books})

    def __init__(
        self, *, budgets: tuple[Budget, ...] = (), beat_s: float = 0.0, floor_s: float = 0.0
    ) -> None:
        self.budgets = budgets  # type: ignore[misc]  # a test may choose its own
        self.beat_s = beat_s
        self.floor_s = floor_s
        self.crash_on = b""
        self.stuck_beat = False
        self.protocols: list[ToyProtocol] = []

    def instrument(self, text: str) -> str:
        if not text.isupper():
            raise InvalidInstrument(f"{text!r} is no instrument of toy")
        return text.replace("/", "")

    def topic(self, name: str, instrument: str, native: bool) -> Topic[Event]:
        return Ticks(instrument) if native else Trades(instrument)

    def serve(self, topic: Topic[Event], options: Options) -> Serving:
        if isinstance(topic, Ticks):
            return Serving((WireChannel("ticks", topic.instrument),), "native")
        if isinstance(topic, Fetched):
            return Serving((WireChannel("fetched", topic.instrument),), "native")
        if isinstance(topic, Trades):
            return Serving((WireChannel("ticks", topic.instrument),), "events", _make(_trade))
        if isinstance(topic, Books):
            return Serving((WireChannel("books", topic.instrument),), "book", _make(_book), audit=_audit())
        if isinstance(topic, Quotes):
            return Serving((WireChannel("books", topic.instrument),), "quotes", _make(_book))
        if isinstance(topic, Depths):
            return Serving((WireChannel("books", topic.instrument),), "depths", _make(_book))
        raise UnsupportedTopic(f"toy does not serve {topic}")

    def plan(self, channels: Sequence[WireChannel], options: Options) -> Mapping[Lane, Sequence[WireChannel]]:
        lanes: dict[Lane, list[WireChannel]] = {}
        for channel in channels:
            lanes.setdefault(Lane("solo" if channel.instrument == "SOLO" else "main"), []).append(channel)
        return lanes

    def protocol(
        self, lane: Lane, secrets: Credentials | None, memory: Memory, options: Options
    ) -> ToyProtocol:
        self.protocols.append(ToyProtocol(self, lane, secrets))
        return self.protocols[-1]

    def offline(self, channel: str) -> Lane:
        return Lane("main")

    def offline_topics(self, channel: WireChannel, native: bool) -> Sequence[Topic[Event]]:
        return ()


class FakeLine:
    """One open line, whose other end the test holds: ``say`` to the client, ``heard`` from it."""

    def __init__(self) -> None:
        self._to_client, self._incoming = trio.open_memory_channel[Batch](1000)
        self._outgoing, self.heard = trio.open_memory_channel[bytes](1000)
        self.pings = 0
        self.ended = ""
        self.polite = False
        self.dropped = False
        self.send_gate: trio.Event | None = None

    def say(self, *frames: bytes) -> None:
        """One socket read's worth of frames."""
        self._to_client.send_nowait(Batch(list(frames), 0))

    def pong(self, round_trip_s: float | None = None) -> None:
        self._to_client.send_nowait(Batch([], 1, round_trip_s))

    def drop(self) -> None:
        """The peer vanishes."""
        self.dropped = True
        self._to_client.close()

    async def receive(self) -> Batch:
        try:
            return await self._incoming.receive()
        except trio.EndOfChannel:
            raise LineFailed(Failure("stream", "the peer vanished", close_code=1006)) from None

    async def send(self, frame: bytes) -> None:
        await trio.lowlevel.checkpoint()
        if self.send_gate is not None:
            await self.send_gate.wait()
        self._outgoing.send_nowait(frame)

    async def ping(self) -> None:
        await trio.lowlevel.checkpoint()
        self.pings += 1


class FakeConnector:
    """Hands out ``FakeLine``s; a test awaits them with ``accept``, or scripts failures first."""

    def __init__(self, *, auto_ack: bool = False) -> None:
        self._lines, self._accepted = trio.open_memory_channel[FakeLine](1000)
        self.failures: list[Failure] = []
        self.connects_s: list[float] = []
        self.open_lines: list[FakeLine] = []
        self.fetch_reply: Reply | Failure = Reply(200)
        self.fetches_s: list[float] = []
        self.hang = False
        self._auto_ack = auto_ack

    async def accept(self) -> FakeLine:
        return await self._accepted.receive()

    @asynccontextmanager
    async def line(self, target: Target) -> AsyncIterator[FakeLine]:
        await trio.lowlevel.checkpoint()
        self.connects_s.append(trio.current_time())
        if self.hang:
            await trio.sleep(target.connect_timeout_s)
            raise LineFailed(Failure("connect", "nobody answers"))
        if self.failures:
            raise LineFailed(self.failures.pop(0))
        line = AckingLine() if self._auto_ack else FakeLine()
        self.open_lines.append(line)
        self._lines.send_nowait(line)
        try:
            yield line
            line.polite = True
        finally:
            self.open_lines.remove(line)

    async def fetch(
        self, request: HttpRequest, *, timeout_s: float, ssl_context: ssl.SSLContext | None
    ) -> Reply:
        self.fetches_s.append(trio.current_time())
        await trio.sleep(0.1)
        if isinstance(self.fetch_reply, Failure):
            raise LineFailed(self.fetch_reply)
        return self.fetch_reply


class AckingLine(FakeLine):
    """Confirms every subscribe at once."""

    async def send(self, frame: bytes) -> None:
        await super().send(frame)
        if self.dropped:
            raise LineFailed(Failure("stream", "the peer vanished", close_code=1006))
        asked = msgspec.json.decode(frame)
        if asked["do"] == "sub":
            self.say(ack(asked["i"], asked["c"]))


def ack(instrument: str, channel: str = "ticks") -> bytes:
    return msgspec.json.encode({"t": "note", "what": "ack", "i": instrument, "c": channel})


def note(what: str, instrument: str = "A", channel: str = "ticks") -> bytes:
    return msgspec.json.encode({"t": "note", "what": what, "i": instrument, "c": channel})


def tick(price: int | str, instrument: str = "A", at: int | None = None) -> bytes:
    return msgspec.json.encode({"t": "tick", "i": instrument, "p": str(price), "at": at})


def book(
    bids: list[tuple[str, str]], asks: list[tuple[str, str]], *, whole: bool = False, instrument: str = "A"
) -> bytes:
    return msgspec.json.encode({"t": "book", "i": instrument, "bids": bids, "asks": asks, "whole": whole})
