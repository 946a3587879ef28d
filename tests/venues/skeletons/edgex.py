"""edgeX: a private line that needs no request, a channel of all instruments, resyncs by two sends.

What strains the contract: the private Snapshot confirms what was never sent; a refused private handshake
ends that lane alone; rows of one frame go to whoever wants their instrument; between the two sends of a
resync and the fresh Snapshot nothing of the old subscription may pass.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

import msgspec

from tests.venues.skeletons.common import Skeleton, Talk, change, levels, snapshot
from trioquotes._protocol.codec import BadFrame, Reader
from trioquotes._protocol.contract import LedgerView, Memory, Sink, VenueProtocol
from trioquotes._protocol.effects import (
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
from trioquotes.events import Event, OrderUpdate, Quote, Trade, WireMessage
from trioquotes.topics import Books, Orders, Quotes, Topic, Trades

__all__ = ["VENUE", "BookTicker", "BookTickers", "Depth", "Depths"]

BOOK_TICKERS = WireChannel("bookTicker.all.1s")
PRIVATE = WireChannel("private")
SILENT_S = 30.0
SNAPSHOT_S = 15.0


class Level(msgspec.Struct, frozen=True):
    price: Decimal
    size: Decimal


class Depth(WireMessage, frozen=True, rename="camel"):
    """A book or its change."""

    contract_id: str
    start_version: str
    end_version: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    depth_type: str


class TradeRow(WireMessage, frozen=True, rename="camel"):
    ticket_id: str
    contract_id: str
    price: Decimal
    size: Decimal
    is_buyer_maker: bool


class BookTicker(WireMessage, frozen=True, rename="camel"):
    """Best prices of one instrument: the native message is the row, as the frame carries them all."""

    contract_id: str
    best_bid_price: Decimal
    best_bid_size: Decimal
    best_ask_price: Decimal
    best_ask_size: Decimal


class Order(WireMessage, frozen=True, rename="camel"):
    id: str
    contract_id: str
    status: str


class Groups(msgspec.Struct):
    order: tuple[Order, ...] = ()


class Content(msgspec.Struct, rename="camel"):
    data: Any = None
    data_type: str = ""
    event: str = ""
    code: str = ""
    msg: str = ""


class Frame(msgspec.Struct):
    """Everything but the rows, whose type the channel tells."""

    type: str
    channel: str | None = None
    content: Content | None = None
    request: str | None = None
    time: msgspec.Raw = msgspec.Raw(b"null")


class Request(msgspec.Struct):
    channel: str


def rows(of: Any) -> Reader[Any]:
    """Reads the rows of one channel's frames."""
    inner = msgspec.defstruct("Inner", [("data", tuple[of, ...])])
    return Reader(msgspec.defstruct("Outer", [("content", inner)]))


FRAME: Reader[Frame] = Reader(Frame)
REQUEST: Reader[Request] = Reader(Request)
ROWS = {"depth": rows(Depth), "trades": rows(TradeRow), BOOK_TICKERS.name: rows(BookTicker)}
GROUPS: Reader[Any] = Reader(
    msgspec.defstruct("Event", [("content", msgspec.defstruct("Inner", [("data", Groups)]))])
)


class Depths(Topic[Depth], frozen=True):
    instrument: str


class BookTickers(Topic[BookTicker], frozen=True):
    """All instruments."""


def parse(text: str) -> WireChannel:
    """The wire channel of a channel's text."""
    if text == BOOK_TICKERS.name:
        return BOOK_TICKERS
    name, _, rest = text.partition(".")
    instrument, _, detail = rest.partition(".")
    return WireChannel(name, instrument, detail)


def book(message: WireMessage, receipt: Receipt) -> Event:
    assert isinstance(message, Depth)
    bids = [(level.price, level.size) for level in message.bids]
    asks = [(level.price, level.size) for level in message.asks]
    if message.depth_type.lower() == "snapshot":
        return snapshot("edgex", message.contract_id, levels(bids), levels(asks), receipt.received_ns)
    return change("edgex", message.contract_id, bids, asks, receipt.received_ns)


def trade(message: WireMessage, receipt: Receipt) -> Event:
    assert isinstance(message, TradeRow)
    return Trade(
        venue="edgex",
        instrument=message.contract_id,
        price=message.price,
        size=message.size,
        taker_side="sell" if message.is_buyer_maker else "buy",
        trade_id=message.ticket_id,
        received_ns=receipt.received_ns,
    )


def quote(message: WireMessage, receipt: Receipt) -> Event:
    assert isinstance(message, BookTicker)
    bid, ask = bool(message.best_bid_size), bool(message.best_ask_size)
    return Quote(
        venue="edgex",
        instrument=message.contract_id,
        bid=message.best_bid_price if bid else None,
        bid_size=message.best_bid_size if bid else None,
        ask=message.best_ask_price if ask else None,
        ask_size=message.best_ask_size if ask else None,
        received_ns=receipt.received_ns,
    )


def order(message: WireMessage, receipt: Receipt) -> Event:
    assert isinstance(message, Order)
    return OrderUpdate(
        venue="edgex",
        instrument=message.contract_id,
        order_id=message.id,
        venue_status=message.status,
        received_ns=receipt.received_ns,
    )


class EdgexProtocol(Talk):
    """The public line."""

    def __init__(self, options: Options) -> None:
        super().__init__()
        self._base = options.endpoint.public
        self._versions: dict[WireChannel, int] = {}
        self._discarding: set[WireChannel] = set()
        self._unsubscribing: dict[WireChannel, int] = {}

    def handshake(self, stamp: Stamp) -> Handshake:
        self.heard(stamp)
        return Handshake(f"{self._base}/api/v1/public/ws")

    def reconcile(self, ledger: LedgerView, stamp: Stamp) -> Effect | None:
        for channel in (*ledger.to_withdraw, *ledger.resyncing):
            return Send(self._say("unsubscribe", channel), self.next_id, withdraws=frozenset({channel}))
        for channel in ledger.to_ask:
            one = frozenset({channel})
            resyncs = one if channel.name == "depth" else frozenset()
            return Send(self._say("subscribe", channel), self.next_id, asks=one, resyncs=resyncs)
        return None

    @staticmethod
    def _say(kind: str, channel: WireChannel) -> bytes:
        return msgspec.json.encode({"type": kind, "channel": ".".join(part for part in channel if part)})

    def sent(self, effect: Send | Fetch, stamp: Stamp) -> None:
        self.took(effect.id)
        for channel in effect.withdraws if isinstance(effect, Send) else ():
            self._discarding.add(channel)
            self._versions.pop(channel, None)
            self._unsubscribing[channel] = effect.id

    def receive(self, frame: bytes, stamp: Stamp, out: Sink) -> None:
        self.heard(stamp)
        try:
            self._read(FRAME.read(frame), frame, out)
        except BadFrame as bad:
            out.malformed(frame, bad.reason)

    def _read(self, head: Frame, frame: bytes, out: Sink) -> None:
        channel = parse(head.channel or "")
        content = head.content or Content()
        match head.type:
            case "connected" | "pong":
                out.ignored("control")
            case "ping":
                out.reply(b'{"type":"pong","time":' + bytes(head.time) + b"}")
                out.ignored("heartbeat")
            case "subscribed":
                out.confirmed([channel])
                out.ignored("acknowledgement")
            case "unsubscribed":
                out.answered(self._unsubscribing.pop(channel, 0))
                out.ignored("acknowledgement")
            case "error":
                out.error(f"{content.code}: {content.msg}")
                if head.request:
                    out.rejected(parse(REQUEST.read(head.request.encode()).channel), content.msg)
                out.ignored("error")
            case "quote-event" | "payload" if channel.name in ROWS:
                found = ROWS[channel.name].read(frame).content.data
                self._quotes(channel, content.data_type.lower() == "snapshot", found, frame, out)
            case _:
                out.unknown(head.type, frame)

    def _quotes(
        self, channel: WireChannel, whole: bool, found: Sequence[Any], frame: bytes, out: Sink
    ) -> None:
        out.confirmed([channel])
        if not found:
            out.ignored("empty")
        elif channel.name == "trades":
            if whole:
                return out.ignored("history", len(found))
            for row in found:
                out.deliver(channel, row)
        elif channel == BOOK_TICKERS:
            for row in found:
                out.deliver(channel, row, instrument=row.contract_id)
        else:
            self._depth(channel, whole, found, frame, out)
        return None

    def _depth(
        self, channel: WireChannel, whole: bool, found: Sequence[Depth], frame: bytes, out: Sink
    ) -> None:
        for row in found:
            try:
                start, end = int(row.start_version), int(row.end_version)
            except ValueError:
                out.malformed(frame, f"versions {row.start_version!r}, {row.end_version!r}", channel=channel)
                continue
            last = self._versions.get(channel)
            if whole:
                self._discarding.discard(channel)
                self._versions[channel] = end
                out.deliver(channel, row)
                out.resynced(channel)
            elif channel in self._discarding or last is None:
                out.ignored("awaiting snapshot")
            elif end <= last:
                out.ignored("stale")
            elif start > last + 1:
                del self._versions[channel]
                out.gap(channel, f"versions {last + 1} to {start - 1} are missing")
                out.resync(channel)
                out.ignored("awaiting snapshot")
            else:
                self._versions[channel] = end
                out.deliver(channel, row)

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


class PrivateProtocol(EdgexProtocol):
    """The private line: whatever is sent on it but pings is an error."""

    def __init__(self, options: Options, key: ApiKey) -> None:
        super().__init__(options)
        self._key = key
        self._owed_at_s = math.inf

    def handshake(self, stamp: Stamp) -> Handshake:
        self.heard(stamp)
        self._owed_at_s = stamp.monotonic_s + SNAPSHOT_S
        time = str(stamp.wall_ns // 1_000_000)
        signature = f"hmac of {time} with {self._key.secret.reveal()}"
        headers = (("X-edgeX-Timestamp", time), ("X-edgeX-Signature", signature))
        return Handshake(f"{self._base}/api/v1/private/ws?accountId={self._key.account_id}", headers)

    def reconcile(self, ledger: LedgerView, stamp: Stamp) -> Effect | None:
        if ledger.resyncing:
            return Replace("only a new line brings the account's snapshot again")
        return None  # connecting asked for everything

    def _read(self, head: Frame, frame: bytes, out: Sink) -> None:
        if head.type != "trade-event":
            return super()._read(head, frame, out)
        data = GROUPS.read(frame).content.data
        out.confirmed([PRIVATE])
        self._owed_at_s = math.inf
        for row in data.order:
            out.deliver(PRIVATE, row)
        if not data.order:
            out.ignored("empty")
        return None

    def tick(self, stamp: Stamp, out: Sink) -> None:
        if stamp.monotonic_s >= self._owed_at_s:
            self._owed_at_s = math.inf
            out.lost(f"no snapshot of the account within {SNAPSHOT_S} s")
        super().tick(stamp, out)

    def deadline(self) -> float:
        return min(self._owed_at_s, super().deadline())

    def classify(self, failure: Failure) -> Verdict:
        if failure.stage == "handshake" and failure.status in {400, 401, 403}:
            error = AuthenticationFailed(f"edgex refused the private line: HTTP {failure.status}")
            return Fatal(error, scope="lane")
        return super().classify(failure)


class Edgex(Skeleton):
    """Trades, quotes and books in public, orders in private."""

    name: ClassVar[str] = "edgex"
    endpoints: ClassVar[Mapping[str, Endpoint]] = {"production": Endpoint("wss://quote.edgex.example")}
    topics: ClassVar[Mapping[str, type[Topic[Event]]]] = {"depth": Depths, BOOK_TICKERS.name: BookTickers}
    unified: ClassVar[frozenset[type[Topic[Event]]]] = frozenset({Trades, Quotes, Books, Orders})
    pattern: ClassVar[str] = r"[1-9][0-9]{3,11}"

    def serve(self, topic: Topic[Event], options: Options) -> Serving:
        match topic:
            case Trades(instrument):
                return Serving((WireChannel("trades", self.instrument(instrument)),), "events", lambda: trade)
            case Books(instrument, depth):
                size = "15" if depth is not None and depth <= 15 else "200"
                return Serving(
                    (WireChannel("depth", self.instrument(instrument), size),), "book", lambda: book
                )
            case Depths(instrument):
                return Serving((WireChannel("depth", self.instrument(instrument), "200"),), "native")
            case Quotes(instrument):
                return Serving((BOOK_TICKERS,), "events", lambda: quote, only=self.instrument(instrument))
            case BookTickers():
                return Serving((BOOK_TICKERS,), "native")
            case Orders():
                if not options.has_credentials:
                    raise MissingCredentials("orders need an API key")
                return Serving((PRIVATE,), "events", lambda: order)
        raise self.unsupported(topic)

    def plan(self, channels: Sequence[WireChannel], options: Options) -> Mapping[Lane, Sequence[WireChannel]]:
        public = [channel for channel in channels if channel != PRIVATE]
        private = [PRIVATE] if PRIVATE in channels else []
        both = {Lane("public"): public, Lane("private"): private}
        return {lane: carried for lane, carried in both.items() if carried}

    def protocol(
        self, lane: Lane, secrets: Credentials | None, memory: Memory, options: Options
    ) -> VenueProtocol:
        if lane.name == "public":
            return EdgexProtocol(options)
        key = secrets if isinstance(secrets, ApiKey) else ApiKey("", "", account_id="0")
        return PrivateProtocol(options, key)

    def offline(self, channel: str) -> Lane:
        return Lane("private" if channel.startswith("private") else "public")

    def offline_topics(self, channel: WireChannel, native: bool) -> Sequence[Topic[Event]]:
        if channel.name == BOOK_TICKERS.name:
            return [BookTickers() if native else Quotes(channel.instrument)]
        if channel.name == "depth":
            return [Depths(channel.instrument) if native else Books(channel.instrument)]
        return [Orders()] if channel == PRIVATE else [Trades(channel.instrument)]


VENUE = Edgex()
