"""Coinbase: acknowledgements that come late, list everything and rename; errors without an id.

What strains the contract: one request in flight; signed and public requests apart; an anonymous view of
a channel that only a new line turns into the signed one; heartbeats that nobody asked for; an error
that names one of many products.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, Literal

import msgspec

from tests.venues.skeletons.common import Skeleton, Talk, change, levels, snapshot
from trioquotes._protocol.codec import BadFrame, Counter, Reader
from trioquotes._protocol.contract import LedgerView, Memory, Sink, VenueProtocol
from trioquotes._protocol.effects import (
    Budget,
    Effect,
    Endpoint,
    Failure,
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
from trioquotes.errors import MissingCredentials
from trioquotes.events import Event, Trade, WireMessage
from trioquotes.topics import Books, Quotes, Topic, Trades

__all__ = ["VENUE", "Heartbeats", "Match", "SignedMatches"]

ALIASES = {"level2_50": "level2_batch", "ticker_1000": "ticker_batch"}
SIGNED_VIEW = "signed view"
"""Not a channel of the wire: that the product's messages are wanted as its owner sees them."""
SILENT_S = 10.0


class Match(WireMessage, frozen=True):
    type: str
    product_id: str
    trade_id: Counter
    side: Literal["buy", "sell"]
    price: Decimal
    size: Decimal


class Snapshot(WireMessage, frozen=True):
    product_id: str
    bids: tuple[tuple[Decimal, Decimal], ...]
    asks: tuple[tuple[Decimal, Decimal], ...]


class Update(WireMessage, frozen=True):
    product_id: str
    changes: tuple[tuple[Literal["buy", "sell"], Decimal, Decimal], ...]


class Heartbeat(WireMessage, frozen=True):
    product_id: str
    last_trade_id: Counter


class Listed(msgspec.Struct):
    name: str
    product_ids: tuple[str, ...] = ()


class Head(msgspec.Struct):
    """The keys that tell what a frame is."""

    type: str
    channels: tuple[Listed, ...] = ()
    message: str = ""
    reason: str = ""


HEAD: Reader[Head] = Reader(Head)
DATA: dict[str, Reader[Any]] = {
    "match": Reader(Match),
    "last_match": Reader(Match),
    "snapshot": Reader(Snapshot),
    "l2update": Reader(Update),
    "heartbeat": Reader(Heartbeat),
}


class Heartbeats(Topic[Heartbeat], frozen=True):
    instrument: str


class SignedMatches(Topic[Match], frozen=True):
    """Matches with what only their parties are told."""

    instrument: str


def trade(message: WireMessage, receipt: Receipt) -> Event:
    assert isinstance(message, Match)
    return Trade(
        venue="coinbase",
        instrument=message.product_id,
        price=message.price,
        size=message.size,
        taker_side="sell" if message.side == "buy" else "buy",
        trade_id=str(message.trade_id),
        received_ns=receipt.received_ns,
    )


def book(message: WireMessage, receipt: Receipt) -> Event:
    if isinstance(message, Snapshot):
        bids, asks = levels(message.bids), levels(message.asks)
        return snapshot("coinbase", message.product_id, bids, asks, receipt.received_ns)
    assert isinstance(message, Update)
    sides: dict[str, list[tuple[Decimal, Decimal]]] = {"buy": [], "sell": []}
    for side, price, size in message.changes:
        sides[side].append((price, size))
    return change("coinbase", message.product_id, sides["buy"], sides["sell"], receipt.received_ns)


class CoinbaseProtocol(Talk):
    """One request at a time."""

    def __init__(self, secrets: ApiKey | None, memory: Memory, options: Options) -> None:
        super().__init__()
        self._secrets, self._memory, self._url = secrets, memory, options.endpoint.public
        self._asking: Send | None = None
        self._anonymous: set[WireChannel] = set()
        self._discarding: set[WireChannel] = set()
        self._singly = False

    def handshake(self, stamp: Stamp) -> Handshake:
        self.heard(stamp)
        return Handshake(self._url)

    def reconcile(self, ledger: LedgerView, stamp: Stamp) -> Effect | None:
        if ledger.in_flight:
            return None
        signed = {channel.instrument for channel in ledger.wanted if channel.name == SIGNED_VIEW}
        if any(channel.instrument in signed for channel in self._anonymous):
            return Replace("the signed view needs a new line")
        gone = [*ledger.to_withdraw, *ledger.resyncing]
        if any(channel.name != SIGNED_VIEW for channel in gone):  # a view ends with its channel
            return self._send("unsubscribe", gone, stamp, signed=False)
        own = [channel for channel in ledger.to_ask if channel.instrument in signed]
        plain = [channel for channel in ledger.to_ask if channel.instrument not in signed]
        for group, with_key in ((plain, False), (own, True)):
            if group:
                some = group[:1] if self._singly else group
                return self._send("subscribe", some, stamp, signed=with_key)
        return None

    def _send(self, kind: str, channels: Sequence[WireChannel], stamp: Stamp, *, signed: bool) -> Send:
        names: dict[str, list[str]] = {}
        for channel in channels:
            name = "matches" if channel.name == SIGNED_VIEW and signed else channel.name
            if name != SIGNED_VIEW and channel.instrument not in names.setdefault(name, []):
                names[name].append(channel.instrument)
        body: dict[str, object] = {
            "type": kind,
            "channels": [{"name": name, "product_ids": products} for name, products in names.items()],
        }
        if signed:
            assert self._secrets is not None
            body |= {"key": self._secrets.key.reveal(), "timestamp": str(stamp.wall_ns // 1_000_000_000)}
            body["signature"] = f"hmac with {self._secrets.secret.reveal()}"
        these = frozenset(channels)
        return Send(
            msgspec.json.encode(body),
            self.next_id,
            asks=these if kind == "subscribe" else frozenset(),
            withdraws=these if kind == "unsubscribe" else frozenset(),
            resyncs=frozenset(c for c in these if c.name == "level2_batch" and kind == "subscribe"),
        )

    def sent(self, effect: Send | Fetch, stamp: Stamp) -> None:
        self.took(effect.id)
        assert isinstance(effect, Send)
        self._asking = effect
        self._discarding |= effect.withdraws
        if b'"signature"' not in effect.frame:
            self._anonymous |= {channel for channel in effect.asks if channel.name == "matches"}

    def receive(self, frame: bytes, stamp: Stamp, out: Sink) -> None:
        self.heard(stamp)
        try:
            head = HEAD.read(frame)
            message = DATA[head.type].read(frame) if head.type in DATA else None
        except BadFrame as bad:
            return out.malformed(frame, bad.reason)
        if message is not None:
            return self._data(head.type, message, out)
        if head.type == "subscriptions":
            self._acknowledged(head.channels, out)
            return out.ignored("acknowledgement")
        if head.type == "error":
            self._refused(f"{head.message}: {head.reason}", out)
            return out.ignored("error")
        return out.unknown(head.type, frame)

    def _acknowledged(self, listed: Iterable[Listed], out: Sink) -> None:
        """It lists everything there is on the line, under names that need not be ours."""
        served = {
            WireChannel(ALIASES.get(one.name, one.name), product)
            for one in listed
            for product in one.product_ids
        }
        request, self._asking = self._asking, None
        asks = frozenset() if request is None else request.asks
        views = {c for c in asks if c.name == SIGNED_VIEW and WireChannel("matches", c.instrument) in served}
        out.confirmed(served | views)
        if request is not None:
            out.answered(request.id)

    def _refused(self, words: str, out: Sink) -> None:
        out.error(words)
        request, self._asking = self._asking, None
        if request is None:
            return
        out.answered(request.id)
        culprits = [channel for channel in request.asks if channel.instrument in words.split()]
        if not culprits and len(request.asks) > 1:
            self._singly = True
        elif not culprits:
            culprits = list(request.asks)
        for channel in sorted(culprits):
            out.rejected(channel, words)
        out.retry(request.asks - set(culprits))

    def _data(self, kind: str, message: Any, out: Sink) -> None:
        product = message.product_id
        if kind == "heartbeat":
            return out.deliver(WireChannel("heartbeat", product), message)
        if kind in {"snapshot", "l2update"}:
            channel = WireChannel("level2_batch", product)
            if kind == "snapshot":
                self._discarding.discard(channel)
                out.resynced(channel)
            elif channel in self._discarding:
                return out.ignored("awaiting snapshot")
            return out.deliver(channel, message)
        channel = WireChannel("matches", product)
        last = self._memory.get(product)
        self._memory[product] = message.trade_id
        if kind == "last_match":
            return out.ignored("last match")
        if last is not None and message.trade_id > last + 1:
            out.gap(channel, "trade ids", missed=message.trade_id - last - 1)
        return out.deliver(channel, message)

    def fetched(self, request_id: int, reply: Reply | Failure, stamp: Stamp, out: Sink) -> None:
        out.ignored("not asked for")

    def pong(self, stamp: Stamp, out: Sink) -> None:
        self.heard(stamp)

    def tick(self, stamp: Stamp, out: Sink) -> None:
        if stamp.monotonic_s >= self.deadline():
            self.heard(stamp)
            out.lost(f"silent for {SILENT_S} s")

    def deadline(self) -> float:
        return (self.heard_s or 0.0) + SILENT_S

    def classify(self, failure: Failure) -> Verdict:
        return Retry(floor_s=60.0 if failure.status == 429 else 0.0)


class Coinbase(Skeleton):
    """Trades and books, on one line."""

    name: ClassVar[str] = "coinbase"
    endpoints: ClassVar[Mapping[str, Endpoint]] = {"production": Endpoint("wss://ws-feed.coinbase.example")}
    budgets: ClassVar[tuple[Budget, ...]] = (
        Budget("connects", 8, 1.0, "ip", frozenset({"connect"})),
        Budget("requests", 10, 1.0, "connection", frozenset({"send", "ping"}), reserve=2),
    )
    topics: ClassVar[Mapping[str, type[Topic[Event]]]] = {"heartbeat": Heartbeats, "matches": SignedMatches}
    unified: ClassVar[frozenset[type[Topic[Event]]]] = frozenset({Trades, Books, Quotes})
    pattern: ClassVar[str] = r"[A-Z0-9]{2,10}-[A-Z]{3,5}"

    def serve(self, topic: Topic[Event], options: Options) -> Serving:
        match topic:
            case Trades(product):
                return Serving((WireChannel("matches", self.instrument(product)),), "events", lambda: trade)
            case Books(product):
                channel = WireChannel("level2_batch", self.instrument(product))
                return Serving((channel,), "book", lambda: book)
            case Quotes(product):
                channel = WireChannel("level2_batch", self.instrument(product))
                return Serving((channel,), "quotes", lambda: book)
            case Heartbeats(product):
                return Serving((WireChannel("heartbeat", self.instrument(product)),), "native")
            case SignedMatches(product):
                if not options.has_credentials:
                    raise MissingCredentials(f"{topic} needs an API key")
                names = ("matches", SIGNED_VIEW)
                both = tuple(WireChannel(name, self.instrument(product)) for name in names)
                return Serving(both, "native")
        raise self.unsupported(topic)

    def plan(self, channels: Sequence[WireChannel], options: Options) -> Mapping[Lane, Sequence[WireChannel]]:
        lanes: dict[Lane, dict[WireChannel, None]] = {}
        for channel in channels:
            carried = lanes.setdefault(Lane("book" if channel.name == "level2_batch" else "public"), {})
            carried[channel] = None
            carried[WireChannel("heartbeat", channel.instrument)] = None
        return {lane: tuple(carried) for lane, carried in lanes.items()}

    def protocol(
        self, lane: Lane, secrets: Credentials | None, memory: Memory, options: Options
    ) -> VenueProtocol:
        return CoinbaseProtocol(secrets if isinstance(secrets, ApiKey) else None, memory, options)

    def offline_topics(self, channel: WireChannel, native: bool) -> Sequence[Topic[Event]]:
        makers = {"matches": Trades, "level2_batch": Books, "heartbeat": Heartbeats}
        return [makers[channel.name](channel.instrument)]


VENUE = Coinbase()
