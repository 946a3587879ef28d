"""Upbit: every request restates the lane's whole set, and nothing is acknowledged.

What strains the contract: no way to say the empty set; one bad type closes the line, so suspects are
asked for one at a time; the first data confirms; an unknown code is silence; three lanes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import ClassVar, Literal

import msgspec

from tests.venues.skeletons.common import Skeleton, Talk, levels, snapshot
from trioquotes._protocol.codec import BadFrame, Reader
from trioquotes._protocol.contract import LedgerView, Memory, Sink, VenueProtocol
from trioquotes._protocol.effects import (
    Budget,
    Effect,
    Endpoint,
    Failure,
    Fatal,
    Fetch,
    Handshake,
    Lane,
    Options,
    Receipt,
    Replace,
    Reply,
    Retry,
    Send,
    Serving,
    Stamp,
    Verdict,
    WireChannel,
)
from trioquotes.credentials import ApiKey, Credentials
from trioquotes.errors import AuthenticationFailed, MissingCredentials
from trioquotes.events import Event, OrderUpdate, Trade, WireMessage
from trioquotes.topics import Books, Orders, Topic, Trades

__all__ = ["VENUE", "Indicators", "Message"]

PING_S, DEAD_S = 20.0, 45.0
LANES = {"myOrder": "private", "indicator": "info"}
SUSPECTS = "suspects"


class Unit(msgspec.Struct, frozen=True):
    """One rank of a book."""

    ask_price: Decimal
    bid_price: Decimal
    ask_size: Decimal
    bid_size: Decimal


class Message(WireMessage, frozen=True):
    """Whatever has a type; which fields are there depends on it."""

    type: str
    code: str = ""
    stream_type: Literal["SNAPSHOT", "REALTIME"] = "REALTIME"
    trade_price: Decimal | None = None
    trade_volume: Decimal | None = None
    ask_bid: Literal["ASK", "BID"] | None = None
    sequential_id: int | None = None
    orderbook_units: tuple[Unit, ...] | None = None
    uuid: str | None = None
    state: str | None = None


class Words(msgspec.Struct):
    """What the server says about itself."""

    name: str
    message: str = ""


class Control(msgspec.Struct):
    """The keys by which a frame that is no data is told."""

    status: str | None = None
    error: Words | None = None
    type: str | None = None


NEEDED = {
    "trade": ("trade_price", "trade_volume", "ask_bid", "sequential_id"),
    "orderbook": ("orderbook_units",),
    "myOrder": ("uuid", "state"),
    "indicator": (),
}
CONTROL: Reader[Control] = Reader(Control)
DATA: Reader[Message] = Reader(Message, literals=True)


class Indicators(Topic[Message], frozen=True):
    """The info lane's channel."""

    instrument: str


def trade(message: WireMessage, receipt: Receipt) -> Event:
    assert isinstance(message, Message)
    assert message.trade_price is not None
    assert message.trade_volume is not None
    return Trade(
        venue="upbit",
        instrument=message.code,
        price=message.trade_price,
        size=message.trade_volume,
        taker_side="sell" if message.ask_bid == "ASK" else "buy",
        trade_id=str(message.sequential_id),
        received_ns=receipt.received_ns,
    )


def book(message: WireMessage, receipt: Receipt) -> Event:
    assert isinstance(message, Message)
    units = message.orderbook_units or ()
    bids = levels([(unit.bid_price, unit.bid_size) for unit in units])
    asks = levels([(unit.ask_price, unit.ask_size) for unit in units])
    return snapshot("upbit", message.code, bids, asks, receipt.received_ns)


def order(message: WireMessage, receipt: Receipt) -> Event:
    assert isinstance(message, Message)
    return OrderUpdate(
        venue="upbit",
        instrument=message.code,
        order_id=message.uuid or "",
        venue_status=message.state,
        received_ns=receipt.received_ns,
    )


class UpbitProtocol(Talk):
    """Restates, waits for data, and pings."""

    def __init__(self, lane: Lane, secrets: ApiKey | None, memory: Memory, options: Options) -> None:
        super().__init__()
        self._lane, self._secrets, self._memory, self._options = lane, secrets, memory, options
        self._unproven: set[WireChannel] = set()
        self._ping_at_s = math.inf

    def handshake(self, stamp: Stamp) -> Handshake:
        self.heard(stamp)
        self._ping_at_s = stamp.monotonic_s + PING_S
        base = self._options.endpoint.public
        if self._lane.name == "public":
            return Handshake(f"{base}/v1")
        assert self._secrets is not None
        token = f"Bearer {self._secrets.key.reveal()}.{stamp.nonce.hex()}.{self._secrets.secret.reveal()}"
        return Handshake(f"{base}/v1/{self._lane.name}", headers=(("Authorization", token),))

    def reconcile(self, ledger: LedgerView, stamp: Stamp) -> Effect | None:
        new = list(ledger.to_ask)
        suspects: set[WireChannel] = self._memory.get(SUSPECTS, set())
        if trusted := [channel for channel in new if channel not in suspects]:
            new = trusted
        elif set(ledger.asked) - set(ledger.confirmed):
            new = []  # one at a time, and only when nothing else can be to blame
        else:
            new = new[:1]
        if not new and not ledger.to_withdraw and not ledger.resyncing:
            return None
        whole = [channel for channel in ledger.wanted if channel in ledger.asked or channel in new]
        if not whole:
            return Replace("the empty set cannot be said") if ledger.to_withdraw else None
        codes: dict[str, list[str]] = {}
        for channel in sorted(whole):
            suffix = ".30" if channel.name == "orderbook" else ""
            codes.setdefault(channel.name, []).extend(
                [f"{channel.instrument}{suffix}"] if channel.instrument else []
            )
        parts = [{"type": name, "codes": some} if some else {"type": name} for name, some in codes.items()]
        return Send(
            msgspec.json.encode([{"ticket": stamp.nonce.hex()}, *parts, {"format": "DEFAULT"}]),
            self.next_id,
            asks=frozenset(new),
            withdraws=frozenset(ledger.to_withdraw),
            resyncs=frozenset(ledger.resyncing),
        )

    def sent(self, effect: Send | Fetch, stamp: Stamp) -> None:
        self.took(effect.id)
        self._unproven |= effect.asks

    def receive(self, frame: bytes, stamp: Stamp, out: Sink) -> None:
        self.heard(stamp)
        try:
            control = CONTROL.read(frame)
            if control.error is not None:
                return self._error(control.error, out)
            if control.status is not None:
                return out.ignored("heartbeat")
            if control.type not in NEEDED:
                return out.unknown(str(control.type), frame)
            message = DATA.read(frame)
        except BadFrame as bad:
            return out.malformed(frame, bad.reason)
        channel = WireChannel(message.type, message.code if message.type != "myOrder" else "")
        missing = [name for name in NEEDED[message.type] if getattr(message, name) is None]
        if missing:
            return out.malformed(frame, f"{message.type} without {', '.join(missing)}", channel=channel)
        self._unproven.discard(channel)
        self._memory.get(SUSPECTS, set()).discard(channel)
        out.confirmed([channel])
        if message.type == "orderbook":
            out.resynced(channel)
        elif message.type == "trade" and self._is_history(message):
            return out.ignored("history")
        return out.deliver(channel, message)

    def _is_history(self, message: Message) -> bool:
        """Restating a set brings each code's last trade again: only one that was missed is news."""
        seen = self._memory.setdefault(message.code, {})
        known = not seen or message.sequential_id in seen
        seen[message.sequential_id] = None
        if len(seen) > 500:
            del seen[next(iter(seen))]
        return message.stream_type == "SNAPSHOT" and known

    def _error(self, words: Words, out: Sink) -> None:
        out.error(f"{words.name}: {words.message}")
        if words.name == "INVALID_AUTH":
            for channel in sorted(self._unproven):
                out.rejected(channel, words.name, kind="authentication")
        elif len(self._unproven) == 1:
            (culprit,) = self._unproven
            self._memory.get(SUSPECTS, set()).discard(culprit)
            out.rejected(culprit, f"{words.name}: {words.message}")
        else:
            self._memory[SUSPECTS] = set(self._unproven)
        out.ignored("error")

    def fetched(self, request_id: int, reply: Reply | Failure, stamp: Stamp, out: Sink) -> None:
        out.ignored("not asked for")

    def pong(self, stamp: Stamp, out: Sink) -> None:
        self.heard(stamp)

    def tick(self, stamp: Stamp, out: Sink) -> None:
        if self.heard_s is not None and stamp.monotonic_s >= self.heard_s + DEAD_S:
            self.heard(stamp)
            out.lost(f"silent for {DEAD_S} s")
        if stamp.monotonic_s >= self._ping_at_s:
            self._ping_at_s = stamp.monotonic_s + PING_S
            out.reply(b"PING")

    def deadline(self) -> float:
        return min(self._ping_at_s, math.inf if self.heard_s is None else self.heard_s + DEAD_S)

    def classify(self, failure: Failure) -> Verdict:
        if failure.status == 401:
            return Fatal(AuthenticationFailed("upbit refused the key"), scope="lane")
        return Retry(floor_s=60.0 if failure.status in {418, 429} else 0.0)


class Upbit(Skeleton):
    """Trades and books in public, orders in private, indicators on the third lane."""

    name: ClassVar[str] = "upbit"
    endpoints: ClassVar[Mapping[str, Endpoint]] = {
        "production": Endpoint("wss://api.upbit.com/websocket", rest="https://api.upbit.com")
    }
    budgets: ClassVar[tuple[Budget, ...]] = (
        Budget("connects", 5, 1.0, "ip", frozenset({"connect"})),
        Budget("messages a second", 5, 1.0, "connection", frozenset({"send", "ping"}), reserve=1),
        Budget("messages a minute", 100, 60.0, "connection", frozenset({"send", "ping"}), reserve=10),
    )
    topics: ClassVar[Mapping[str, type[Topic[Event]]]] = {"indicator": Indicators}
    unified: ClassVar[frozenset[type[Topic[Event]]]] = frozenset({Trades, Books, Orders})
    pattern: ClassVar[str] = r"[A-Z]{3,5}-[A-Z0-9]{1,12}"

    def serve(self, topic: Topic[Event], options: Options) -> Serving:
        if isinstance(topic, Orders | Indicators) and not options.has_credentials:
            raise MissingCredentials(f"{topic} needs an API key")
        match topic:
            case Trades(instrument):
                return Serving((WireChannel("trade", self.instrument(instrument)),), "events", lambda: trade)
            case Books(instrument):
                return Serving((WireChannel("orderbook", self.instrument(instrument)),), "book", lambda: book)
            case Indicators(instrument):
                return Serving((WireChannel("indicator", self.instrument(instrument)),), "native")
            case Orders():
                return Serving((WireChannel("myOrder"),), "events", lambda: order)
        raise self.unsupported(topic)

    def plan(self, channels: Sequence[WireChannel], options: Options) -> Mapping[Lane, Sequence[WireChannel]]:
        lanes: dict[Lane, list[WireChannel]] = {}
        for channel in channels:
            lanes.setdefault(Lane(LANES.get(channel.name, "public")), []).append(channel)
        return lanes

    def protocol(
        self, lane: Lane, secrets: Credentials | None, memory: Memory, options: Options
    ) -> VenueProtocol:
        return UpbitProtocol(lane, secrets if isinstance(secrets, ApiKey) else None, memory, options)

    def offline_topics(self, channel: WireChannel, native: bool) -> Sequence[Topic[Event]]:
        kinds: dict[str, Topic[Event]] = {"trade": Trades(channel.instrument), "myOrder": Orders()}
        kinds["orderbook"] = Books(channel.instrument)
        kinds["indicator"] = Indicators(channel.instrument)
        return [kinds[channel.name]]


VENUE = Upbit()
