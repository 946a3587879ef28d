"""Zonda: snapshots by a request of their own, and no safe way to unsubscribe.

What strains the contract: an answer says nothing but the number of its request; what is no longer
wanted stays asked; a topic folds two channels; private requests are signed one by one and refused
without being named.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

import msgspec

from tests.venues.skeletons.common import Skeleton, Talk, change, snapshot
from trioquotes._protocol.codec import BadFrame, Reader
from trioquotes._protocol.contract import LedgerView, Memory, Sink, VenueProtocol
from trioquotes._protocol.effects import (
    Effect,
    Endpoint,
    Failure,
    Fetch,
    Handshake,
    Lane,
    Options,
    Receipt,
    Reply,
    Retry,
    Send,
    Serving,
    Stamp,
    Unify,
    Verdict,
    WireChannel,
)
from trioquotes.credentials import ApiKey, Credentials
from trioquotes.errors import MissingCredentials
from trioquotes.events import Event, OrderUpdate, Ticker, Trade, WireMessage
from trioquotes.topics import Books, Orders, Tickers, Topic, Trades

__all__ = ["VENUE"]

BOOK, TRADES, TICKER, STATS, OFFERS = "orderbook-limited", "transactions", "ticker", "stats", "offers"
PING_S, SILENT_S = 20.0, 41.0


class State(msgspec.Struct, frozen=True):
    ra: Decimal
    ca: Decimal


class Change(msgspec.Struct, frozen=True, rename="camel"):
    market_code: str
    entry_type: str
    rate: Decimal
    action: str
    state: State | None = None


class Push(WireMessage, frozen=True, rename="camel"):
    """Changes of a book."""

    seq_no: int
    changes: tuple[Change, ...]
    market: str = ""


class Whole(WireMessage, frozen=True, rename="camel"):
    """A snapshot, and the pushes that came before it and are newer."""

    sell: tuple[State, ...]
    buy: tuple[State, ...]
    seq_no: int
    market: str = ""
    later: tuple[Push, ...] = ()


class Transaction(WireMessage, frozen=True):
    id: str
    a: Decimal
    r: Decimal
    ty: str
    market: str = ""


class TickerNow(WireMessage, frozen=True, rename="camel"):
    rate: Decimal | None
    highest_bid: Decimal | None
    lowest_ask: Decimal | None
    market: Any = None


class Stats(WireMessage, frozen=True):
    m: str
    h: Decimal
    l: Decimal  # noqa: E741  # the wire's name
    v: Decimal


class Offer(WireMessage, frozen=True, rename="camel"):
    offer_id: str
    action: str
    market: str = ""


class Head(msgspec.Struct, rename="camel"):
    """The keys that tell what a frame is."""

    action: str = ""
    topic: str | None = None
    module: str = ""
    path: str = ""
    request_id: str | None = None
    error: str | None = None
    seq_no: int | None = None
    status_code: int = 200


class Envelope(msgspec.Struct):
    message: msgspec.Raw = msgspec.Raw(b"null")
    body: msgspec.Raw = msgspec.Raw(b"null")


class Transactions(msgspec.Struct):
    transactions: tuple[Transaction, ...]


class Changes(msgspec.Struct):
    changes: tuple[Change, ...]


class Body(msgspec.Struct, rename="camel"):
    sell: tuple[State, ...]
    buy: tuple[State, ...]
    seq_no: str


HEAD: Reader[Head] = Reader(Head)
ENVELOPE: Reader[Envelope] = Reader(Envelope)
READERS: dict[str, Reader[Any]] = {
    BOOK: Reader(Changes),
    TRADES: Reader(Transactions),
    TICKER: Reader(TickerNow),
    STATS: Reader(tuple[Stats, ...], literals=True),
    OFFERS: Reader(Offer),
}
BODY: Reader[Body] = Reader(Body)


def path_of(channel: WireChannel) -> str:
    return "/".join(part.lower() for part in channel if part)


def parse(path: str) -> WireChannel:
    name, _, rest = path.partition("/")
    market, _, detail = rest.partition("/")
    return WireChannel(name, market.upper(), detail)


def book(message: WireMessage, receipt: Receipt) -> Event:
    if isinstance(message, Push):
        sides = _sides(message.changes)
        return change("zonda", message.market, sides["Buy"], sides["Sell"], receipt.received_ns)
    assert isinstance(message, Whole)
    bids = {level.ra: level.ca for level in message.buy}
    asks = {level.ra: level.ca for level in message.sell}
    for push in message.later:
        sides = _sides(push.changes)
        bids.update(sides["Buy"])
        asks.update(sides["Sell"])
    best_bids = sorted((level for level in bids.items() if level[1]), reverse=True)
    best_asks = sorted(level for level in asks.items() if level[1])
    return snapshot("zonda", message.market, best_bids, best_asks, receipt.received_ns)


def _sides(changes: Sequence[Change]) -> dict[str, list[tuple[Decimal, Decimal]]]:
    sides: dict[str, list[tuple[Decimal, Decimal]]] = {"Buy": [], "Sell": []}
    for one in changes:
        size = Decimal(0) if one.state is None else one.state.ca
        sides["Sell" if one.entry_type == "Sell" else "Buy"].append((one.rate, size))
    return sides


def trade(message: WireMessage, receipt: Receipt) -> Event:
    assert isinstance(message, Transaction)
    return Trade(
        venue="zonda",
        instrument=message.market,
        price=message.r,
        size=message.a,
        taker_side="buy" if message.ty == "Buy" else "sell",
        trade_id=message.id,
        received_ns=receipt.received_ns,
    )


def order(message: WireMessage, receipt: Receipt) -> Event:
    assert isinstance(message, Offer)
    return OrderUpdate(
        venue="zonda",
        instrument=message.market,
        order_id=message.offer_id,
        venue_status=message.action,
        received_ns=receipt.received_ns,
    )


def ticker(market: str) -> Unify:
    """Folds the two channels: what only the other one says is ``None`` until it came."""
    now: TickerNow | None = None
    stats: Stats | None = None

    def fold(message: WireMessage, receipt: Receipt) -> Event:
        nonlocal now, stats
        if isinstance(message, TickerNow):
            now = message
        else:
            assert isinstance(message, Stats)
            stats = message
        return Ticker(
            venue="zonda",
            instrument=market,
            last=None if now is None else now.rate,
            bid=None if now is None else now.highest_bid,
            ask=None if now is None else now.lowest_ask,
            high_24h=None if stats is None else stats.h,
            low_24h=None if stats is None else stats.l,
            volume_24h=None if stats is None else stats.v,
            received_ns=receipt.received_ns,
        )

    return fold


class ZondaProtocol(Talk):
    """One line for everything."""

    def __init__(self, secrets: ApiKey | None, options: Options) -> None:
        super().__init__()
        self._secrets, self._url = secrets, options.endpoint.public
        self._unsynced: dict[WireChannel, list[Push]] = {}
        self._needy: set[WireChannel] = set()  # confirmed and never asked for a snapshot
        self._sequences: dict[WireChannel, int] = {}
        self._proxies: dict[str, tuple[int, WireChannel]] = {}
        self._signed: WireChannel | None = None
        self._ping_at_s = 0.0

    def handshake(self, stamp: Stamp) -> Handshake:
        self.heard(stamp)
        self._ping_at_s = stamp.monotonic_s + PING_S
        return Handshake(self._url)

    def reconcile(self, ledger: LedgerView, stamp: Stamp) -> Effect | None:
        # Unsubscribing may end every subscription of the line: what is not wanted is left to run.
        for channel in ledger.to_ask:
            if channel.name == OFFERS and self._signed is not None:
                continue  # a refusal names nobody
            frame: dict[str, object] = {"module": "trading", "path": path_of(channel)}
            frame["action"] = "subscribe-public"
            if channel.name == OFFERS:
                frame |= {"action": "subscribe-private", **self._signature(stamp)}
            return Send(msgspec.json.encode(frame), self.next_id, asks=frozenset({channel}))
        due = [c for c in sorted(self._needy) if c in ledger.asked] + list(ledger.resyncing)
        for channel in due:
            number = str(uuid.UUID(bytes=stamp.nonce))
            path = path_of(channel)
            frame = {"requestId": number, "action": "proxy", "module": "trading", "path": path}
            return Send(msgspec.json.encode(frame), self.next_id, resyncs=frozenset({channel}))
        return None

    def _signature(self, stamp: Stamp) -> dict[str, object]:
        assert self._secrets is not None
        seconds = stamp.wall_ns // 1_000_000_000
        key = self._secrets.key.reveal()
        return {
            "hashSignature": f"hmac of {key}{seconds} with {self._secrets.secret.reveal()}",
            "publicKey": key,
            "requestTimestamp": seconds,
        }

    def sent(self, effect: Send | Fetch, stamp: Stamp) -> None:
        self.took(effect.id)
        assert isinstance(effect, Send)
        self._signed = next((c for c in effect.asks if c.name == OFFERS), self._signed)
        for channel in effect.resyncs:
            self._needy.discard(channel)
            self._unsynced.setdefault(channel, [])
            number = msgspec.json.decode(effect.frame)["requestId"]
            self._proxies = {k: v for k, v in self._proxies.items() if v[1] != channel}
            self._proxies[number] = (effect.id, channel)

    def receive(self, frame: bytes, stamp: Stamp, out: Sink) -> None:
        self.heard(stamp)
        try:
            self._read(HEAD.read(frame), frame, out)
        except BadFrame as bad:
            out.malformed(frame, bad.reason)

    def _read(self, head: Head, frame: bytes, out: Sink) -> None:
        if head.request_id is not None:
            self._snapshot(head, frame, out)
        elif head.topic is not None:
            self._push(parse(head.topic.removeprefix("trading/")), head.seq_no, frame, out)
        elif head.action.endswith("-confirm"):
            channel = parse(head.path)
            out.confirmed([channel])
            self._settled(channel)
            if channel.name == BOOK and channel not in self._unsynced:
                self._needy.add(channel)
                self._unsynced[channel] = []
            out.ignored("acknowledgement")
        elif head.action.endswith("-error") or head.error is not None:
            words = head.error or head.action
            out.error(words)
            if head.path:
                out.rejected(parse(head.path), words)
            elif self._signed is not None:
                out.rejected(self._signed, words, kind="authentication")
                self._signed = None
            out.ignored("error")
        elif head.action == "pong":
            out.ignored("heartbeat")
        else:
            out.unknown(head.action, frame)

    def _settled(self, channel: WireChannel) -> None:
        if channel == self._signed:
            self._signed = None

    def _push(self, channel: WireChannel, sequence: int | None, frame: bytes, out: Sink) -> None:
        if channel.name not in READERS or sequence is None:
            return out.unknown(channel.name, frame)
        found = READERS[channel.name].read(bytes(ENVELOPE.read(frame).message))
        last, market = self._sequences.get(channel), channel.instrument
        missing = 0 if last is None else sequence - last - 1
        if missing < 0:
            return out.ignored("stale")
        self._sequences[channel] = sequence
        if missing:
            out.gap(channel, "sequence", missed=missing if channel.name != BOOK else None)
        if isinstance(found, Changes):
            push = Push(seq_no=sequence, changes=found.changes, market=market)
            if missing and channel not in self._unsynced:
                self._unsynced[channel] = []
                out.resync(channel)
            if channel in self._unsynced:
                self._unsynced[channel] = [*self._unsynced[channel], push][-1000:]
            return out.deliver(channel, push)
        if isinstance(found, Transactions):
            for one in found.transactions:
                out.deliver(channel, msgspec.structs.replace(one, market=market))
            return None if found.transactions else out.ignored("empty")
        if isinstance(found, tuple):
            for row in found:
                out.deliver(channel, row)
            return None if found else out.ignored("empty")
        return out.deliver(channel, found)

    def _snapshot(self, head: Head, frame: bytes, out: Sink) -> None:
        request_id, channel = self._proxies.pop(head.request_id or "", (0, None))
        if channel is None:
            return out.ignored("unknown answer")
        out.answered(request_id)
        if head.status_code != 200:
            out.error(f"proxy: {head.status_code}")
            out.resync(channel)
            return out.ignored("error")
        try:
            body = BODY.read(bytes(ENVELOPE.read(frame).body))
            sequence = int(body.seq_no)
        except ValueError as bad:
            out.resync(channel)
            return out.malformed(frame, str(bad), channel=channel)
        later = [push for push in self._unsynced.get(channel, []) if push.seq_no > sequence]
        newest = later[-1].seq_no if later else sequence
        holes = any(push.seq_no != sequence + 1 + place for place, push in enumerate(later))
        if holes or newest < self._sequences.get(channel, 0):
            out.resync(channel)
            return out.ignored("stale snapshot")
        self._unsynced.pop(channel, None)
        self._sequences[channel] = newest
        out.deliver(
            channel,
            Whole(
                sell=body.sell,
                buy=body.buy,
                seq_no=sequence,
                market=channel.instrument,
                later=tuple(later),
            ),
        )
        return out.resynced(channel)

    def fetched(self, request_id: int, reply: Reply | Failure, stamp: Stamp, out: Sink) -> None:
        out.ignored("not asked for")

    def pong(self, stamp: Stamp, out: Sink) -> None:
        self.heard(stamp)

    def tick(self, stamp: Stamp, out: Sink) -> None:
        if stamp.monotonic_s >= (self.heard_s or 0.0) + SILENT_S:
            self.heard(stamp)
            out.lost(f"silent for {SILENT_S} s")
        if stamp.monotonic_s >= self._ping_at_s:
            self._ping_at_s = stamp.monotonic_s + PING_S
            out.reply(b'{"action":"ping"}')

    def deadline(self) -> float:
        return min(self._ping_at_s, (self.heard_s or 0.0) + SILENT_S)

    def classify(self, failure: Failure) -> Verdict:
        return Retry(floor_s=60.0 if failure.status == 429 else 0.0)


class Zonda(Skeleton):
    """Books, trades and tickers in public, offers in private, all on one line."""

    name: ClassVar[str] = "zonda"
    endpoints: ClassVar[Mapping[str, Endpoint]] = {
        "production": Endpoint("wss://api.zonda.example/websocket/")
    }
    unified: ClassVar[frozenset[type[Topic[Event]]]] = frozenset({Books, Trades, Tickers, Orders})
    pattern: ClassVar[str] = r"[A-Z0-9]{2,8}-[A-Z0-9]{2,8}"

    def serve(self, topic: Topic[Event], options: Options) -> Serving:
        match topic:
            case Books(instrument, depth):
                wanted = next((size for size in (10, 50) if depth is not None and depth <= size), 100)
                channel = WireChannel(BOOK, self.instrument(instrument), str(wanted))
                return Serving((channel,), "book", lambda: book)
            case Trades(instrument):
                return Serving((WireChannel(TRADES, self.instrument(instrument)),), "events", lambda: trade)
            case Tickers(instrument):
                market = self.instrument(instrument)
                both = (WireChannel(TICKER, market), WireChannel(STATS, market))
                return Serving(both, "events", lambda: ticker(market))
            case Orders(instrument):
                if not options.has_credentials:
                    raise MissingCredentials("orders need a key pair")
                market = self.instrument(instrument) if instrument else ""
                return Serving((WireChannel(OFFERS, market),), "events", lambda: order)
        raise self.unsupported(topic)

    def protocol(
        self, lane: Lane, secrets: Credentials | None, memory: Memory, options: Options
    ) -> VenueProtocol:
        return ZondaProtocol(secrets if isinstance(secrets, ApiKey) else None, options)

    def offline_topics(self, channel: WireChannel, native: bool) -> Sequence[Topic[Event]]:
        makers = {BOOK: Books, TRADES: Trades, TICKER: Tickers, STATS: Tickers, OFFERS: Orders}
        return [makers[channel.name](channel.instrument)]


VENUE = Zonda()
