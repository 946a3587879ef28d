"""A venue that does not exist, and all that it takes to be one: a plain dialogue with ids."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import ClassVar

import msgspec

from trioquotes._protocol.codec import BadFrame, Reader
from trioquotes._protocol.contract import LedgerView, Memory, Sink, Venue
from trioquotes._protocol.effects import (
    Budget,
    Effect,
    Endpoint,
    Failure,
    Fetch,
    Handshake,
    Lane,
    Limits,
    Options,
    Receipt,
    Reply,
    Retry,
    Send,
    Serving,
    Stamp,
    Verdict,
    WireChannel,
)
from trioquotes.credentials import Credentials
from trioquotes.errors import InvalidInstrument, UnsupportedTopic
from trioquotes.events import Event, Trade, WireMessage
from trioquotes.topics import Topic, Trades

__all__ = ["VENUE", "Print", "Prints"]

SILENT_S = 30.0


class Print(WireMessage, frozen=True, tag_field="op", tag="print"):
    """A trade as this venue says it."""

    sym: str
    px: Decimal
    qty: Decimal


class Answer(msgspec.Struct, tag_field="op", tag="answer"):
    """The answer to one request."""

    id: int
    error: str = ""


class Beat(msgspec.Struct, tag_field="op", tag="beat"):
    """The server's heartbeat; it wants an echo."""

    n: int


class Prints(Topic[Print], frozen=True):
    """Its own messages."""

    instrument: str


class Head(msgspec.Struct):
    """What a message is."""

    op: str


HEAD: Reader[Head] = Reader(Head)
READER: Reader[Print | Answer | Beat] = Reader(Print | Answer | Beat)


def unify(message: WireMessage, receipt: Receipt) -> Event:
    assert isinstance(message, Print)
    return Trade(
        venue="invented",
        instrument=message.sym,
        price=message.px,
        size=message.qty,
        received_ns=receipt.received_ns,
    )


class InventedProtocol:
    """One request a channel, each with an id that its answer repeats."""

    def __init__(self, options: Options) -> None:
        self._url = options.endpoint.public
        self._next = 1
        self._waiting: dict[int, WireChannel | None] = {}
        self._heard_s = math.inf

    def handshake(self, stamp: Stamp) -> Handshake:
        self._heard_s = stamp.monotonic_s
        return Handshake(self._url)

    def reconcile(self, ledger: LedgerView, stamp: Stamp) -> Effect | None:
        for channel in ledger.to_withdraw:
            return Send(self._frame("unsub", channel.instrument), self._next, withdraws=frozenset({channel}))
        for channel in ledger.to_ask:
            return Send(self._frame("sub", channel.instrument), self._next, asks=frozenset({channel}))
        return None

    def _frame(self, op: str, symbol: str) -> bytes:
        return msgspec.json.encode({"op": op, "id": self._next, "sym": symbol})

    def sent(self, effect: Send | Fetch, stamp: Stamp) -> None:
        self._waiting[effect.id] = next(iter(effect.asks), None)
        self._next += 1

    def receive(self, frame: bytes, stamp: Stamp, out: Sink) -> None:
        self._heard_s = stamp.monotonic_s
        try:
            kind = HEAD.read(frame).op
            if kind not in {"print", "answer", "beat"}:
                return out.unknown(kind, frame)
            message = READER.read(frame)
        except BadFrame as bad:
            return out.malformed(frame, bad.reason)
        if isinstance(message, Print):
            return out.deliver(WireChannel("print", message.sym), message)
        if isinstance(message, Beat):
            out.reply(msgspec.json.encode({"op": "beat", "n": message.n}))
            return out.ignored("heartbeat")
        channel = self._waiting.pop(message.id, None)
        if channel is not None and message.error:
            out.error(message.error)
            out.rejected(channel, message.error)
        elif channel is not None:
            out.confirmed([channel])
        out.answered(message.id)
        return out.ignored("acknowledgement")

    def fetched(self, request_id: int, reply: Reply | Failure, stamp: Stamp, out: Sink) -> None:
        out.ignored("not asked for")

    def pong(self, stamp: Stamp, out: Sink) -> None:
        self._heard_s = stamp.monotonic_s

    def tick(self, stamp: Stamp, out: Sink) -> None:
        if stamp.monotonic_s >= self.deadline():
            self._heard_s = stamp.monotonic_s
            out.lost(f"silent for {SILENT_S} s")

    def deadline(self) -> float:
        return self._heard_s + SILENT_S

    def classify(self, failure: Failure) -> Verdict:
        return Retry(floor_s=60.0 if failure.status == 429 else 0.0)


class Invented(Venue):
    """Trades alone."""

    name: ClassVar[str] = "invented"
    endpoints: ClassVar[Mapping[str, Endpoint]] = {"production": Endpoint("wss://ws.invented.example")}
    budgets: ClassVar[tuple[Budget, ...]] = (
        Budget("requests", 20, 1.0, "connection", frozenset({"send", "ping"}), reserve=2),
    )
    limits: ClassVar[Limits] = Limits()
    topics: ClassVar[Mapping[str, type[Topic[Event]]]] = {"print": Prints}
    unified: ClassVar[frozenset[type[Topic[Event]]]] = frozenset({Trades})

    def instrument(self, text: str) -> str:
        if not text.isascii() or not text.isalnum():
            raise InvalidInstrument(f"{text!r} is no instrument here")
        return text

    def topic(self, name: str, instrument: str, native: bool) -> Topic[Event]:
        if name != ("print" if native else "trades"):
            raise UnsupportedTopic(f"there is no {name!r} here")
        return (Prints if native else Trades)(self.instrument(instrument))

    def serve(self, topic: Topic[Event], options: Options) -> Serving:
        if not isinstance(topic, Trades | Prints):
            raise UnsupportedTopic(f"there is no {topic} here")
        channels = (WireChannel("print", self.instrument(topic.instrument)),)
        if isinstance(topic, Prints):
            return Serving(channels, "native")
        return Serving(channels, "events", make=lambda: unify)

    def plan(self, channels: Sequence[WireChannel], options: Options) -> Mapping[Lane, Sequence[WireChannel]]:
        return {Lane("all"): channels}

    def protocol(
        self, lane: Lane, secrets: Credentials | None, memory: Memory, options: Options
    ) -> InventedProtocol:
        return InventedProtocol(options)

    def offline(self, channel: str) -> Lane:
        return Lane("all")

    def offline_topics(self, channel: WireChannel, native: bool) -> Sequence[Topic[Event]]:
        return [(Prints if native else Trades)(channel.instrument)]


VENUE = Invented()
