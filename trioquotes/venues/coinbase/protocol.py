"""One connection to the Exchange feed: frames in, messages and what they imply out.

What a message belongs to is said by its type and by the lane: channels of which the messages look alike
never share one. Each check of a counter stands with the message that carries it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from trioquotes._protocol.codec import BadFrame, builtins
from trioquotes._protocol.contract import LedgerView, Memory, ReadsMany, Sink
from trioquotes._protocol.effects import (
    Effect,
    Failure,
    Fetch,
    Handshake,
    Options,
    Reply,
    Send,
    Stamp,
    Verdict,
    WireChannel,
)
from trioquotes._protocol.sequence import OK, Rising, TradeIds
from trioquotes._protocol.verdict import default_verdict
from trioquotes.events import WireMessage
from trioquotes.venues.coinbase import messages as wire
from trioquotes.venues.coinbase.auth import Signer
from trioquotes.venues.coinbase.conversation import BOOKS, BY_ORDER, Conversation
from trioquotes.venues.coinbase.decoding import BOOK_TYPES, TYPES, WHOLE, fields_of, read, read_many
from trioquotes.venues.coinbase.doors import Doors
from trioquotes.venues.coinbase.level3 import (
    DOCUMENTED_SCHEMA,
    Level3Schema,
    labelled,
    named,
)
from trioquotes.venues.coinbase.listings import Status
from trioquotes.venues.coinbase.messages import L2Update, Match
from trioquotes.venues.coinbase.order_streams import OrderStreams
from trioquotes.venues.coinbase.price_books import PriceBooks
from trioquotes.venues.coinbase.readings import Reading
from trioquotes.venues.coinbase.vitals import Vitals

__all__ = ["CoinbaseProtocol"]

WITHDRAWN: Final = "withdrawn"


class CoinbaseProtocol(ReadsMany):
    """The contract's ``VenueProtocol`` for one connection.

    Args:
        reading: what the lane's messages belong to.
        signer: signs requests; ``None`` without credentials.
        memory: what outlives the connection: trade ids and sequences by channel.
        options: of the session.
    """

    def __init__(self, reading: Reading, signer: Signer | None, memory: Memory, options: Options) -> None:
        self._reading = reading
        self._memory = memory
        self._endpoint = options.endpoint
        self._talk = Conversation(signer, memory, options.endpoint)
        self._routes = self._talk.routes
        self._opened = False
        self._acknowledged = False
        self._numbers: dict[WireChannel, Rising] = {}  # of counters that skip
        self._streams = OrderStreams(options.endpoint, memory, self._is_asked)
        self._books = PriceBooks(self._is_asked)
        self._gone: set[WireChannel] = set()  # withdrawn, and not asked for since
        self._schema: Mapping[str, tuple[str, ...]] = DOCUMENTED_SCHEMA
        self._vitals = Vitals()
        self._read_at: Stamp | None = None
        self._arrays = reading.captured  # whether frames may be arrays
        self._handlers: dict[type, Callable[[Any, Stamp, Sink], None]] = {
            wire.Heartbeat: self._heartbeat,
            Status: self._status,
            wire.Ticker: self._ticker,
            wire.Snapshot: self._snapshot,
            L2Update: self._update,
            Match: self._match,
            wire.LastMatch: self._last_match,
            wire.Received: self._order,
            wire.Open: self._order,
            wire.Done: self._order,
            wire.Change: self._order,
            wire.Activate: self._activate,
            wire.Auction: self._auction,
            wire.RfqMatch: self._rfq_match,
            wire.Balance: self._balance,
            wire.Subscriptions: self._acknowledgement,
            wire.Error: self._error,
            Level3Schema: self._level3_schema,
        }
        self._doors = Doors(self._is_asked, self._handlers)

    # Requests.

    def handshake(self, stamp: Stamp) -> Handshake:
        """A plain upgrade: credentials travel in the subscribe messages."""
        self._vitals.heard(stamp.monotonic_s)
        return Handshake(self._endpoint.public)

    def reconcile(self, ledger: LedgerView, stamp: Stamp) -> Effect | None:
        """The next request."""
        return self._talk.reconcile(ledger, stamp)

    def sent(self, effect: Send | Fetch, stamp: Stamp) -> None:
        """A request went out; the line is watched from the first one on, since connecting takes its time."""
        self._talk.sent(effect, stamp)
        self._doors.close()
        if not self._opened:
            self._opened = True
            self._vitals.heard(stamp.monotonic_s)
        if isinstance(effect, Fetch):
            for channel in effect.resyncs:
                self._streams.asked_book(channel)
            return
        for channel in sorted(effect.withdraws):
            self._numbers.pop(channel, None)
            self._streams.forget(channel)
            if channel.name in BOOKS:
                self._books.forget(channel)
            self._gone.add(channel)
            if channel.name == "heartbeat":
                self._vitals.forget(channel.instrument)
        self._gone -= effect.asks
        for channel in sorted(effect.asks):
            self._arrays |= channel.name == "level3"
            if channel.name in BOOKS:
                self._books.asked(channel, stamp.monotonic_s)

    # Frames.

    def receive(self, frame: bytes, stamp: Stamp, out: Sink) -> None:
        """One frame: an object, or an array of ``level3``."""
        if stamp is not self._read_at:  # all frames of a socket read have the same
            self._read_at = stamp
            self._vitals.heard(stamp.monotonic_s)
        if self._arrays and frame[:1] == b"[":
            self._array(frame, stamp, out)
            return
        try:
            message = read(frame)
        except BadFrame as bad:
            if frame[:1] == b"[":
                self._array(frame, stamp, out)
            else:
                self._bad(frame, bad.reason, out)
            return
        if not self._doors.take(message, stamp):
            self._handlers[type(message)](message, stamp, out)

    def receive_many(self, frames: Sequence[bytes], stamp: Stamp, out: Sink) -> None:
        """The same for the frames of one socket read, of which nearly all take a short way."""
        messages = None if self._arrays else read_many(frames)
        if messages is not None:
            self._vitals.heard(stamp.monotonic_s)
            self._read_at = stamp
            self._doors.take_all(frames, messages, stamp, out)
            return
        for frame in frames:
            out.frame_bytes = len(frame)
            self.receive(frame, stamp, out)

    def _channel(self, name: str, own: str = "") -> WireChannel:
        """The channel of a message; one that was not asked for is for the sink to judge."""
        channel = self._routes.get((name, own))
        if channel is None:
            channel = WireChannel(name, "", own) if name == "balance" else WireChannel(name, own)
            if self._reading.captured:
                self._routes[name, own] = channel
        return channel

    def _is_asked(self, channel: WireChannel) -> bool:
        """Whether to keep account of it; what nobody asked for must not fill our memory."""
        return (channel.name, channel.instrument) in self._routes

    def _served(self, channel: WireChannel, stamp: Stamp, out: Sink, elements: int = 1) -> bool:
        """The first data confirms; returns ``False`` for what is late of a subscription that was given up.

        Whoever wants the channel again meanwhile would have a hole between that and what is to come.
        """
        if self._talk.unconfirmed:
            self._confirmed(self._talk.confirm((channel,), out), stamp)
        if self._gone and channel in self._gone:
            out.ignored(WITHDRAWN, elements)
            return False
        self._vitals.beat(channel.instrument, stamp.monotonic_s)
        return True

    def _confirmed(self, fresh: list[WireChannel], stamp: Stamp) -> None:
        for channel in fresh:
            if channel.name == "heartbeat":
                self._vitals.expect(channel.instrument, stamp.monotonic_s)

    def _plain(
        self, channel: WireChannel, message: WireMessage, stamp: Stamp, out: Sink, instrument: str = ""
    ) -> None:
        if self._served(channel, stamp, out):
            out.deliver(channel, message, instrument=instrument)

    def _status(self, message: Status, stamp: Stamp, out: Sink) -> None:
        self._plain(self._channel("status"), message, stamp, out)

    def _rfq_match(self, message: wire.RfqMatch, stamp: Stamp, out: Sink) -> None:
        self._plain(self._channel("rfq_matches"), message, stamp, out, message.product_id)

    def _balance(self, message: wire.Balance, stamp: Stamp, out: Sink) -> None:
        self._plain(self._channel("balance", message.account_id), message, stamp, out)

    def _activate(self, message: wire.Activate, stamp: Stamp, out: Sink) -> None:
        self._plain(self._channel(self._reading.order, message.product_id), message, stamp, out)

    def _heartbeat(self, message: wire.Heartbeat, stamp: Stamp, out: Sink) -> None:
        channel = self._channel("heartbeat", message.product_id)
        if not self._served(channel, stamp, out):
            return
        matches = self._routes.get(("matches", message.product_id))
        ids = self._memory.get(matches)
        if matches is not None and ids is not None:
            step = ids.beat(message.last_trade_id)
            if step is not OK:
                out.gap(matches, "the heartbeat is ahead of the trades", missed=step.missed)
        out.deliver(channel, message)

    # Counters that never go back.

    def _ticker(self, message: wire.Ticker, stamp: Stamp, out: Sink) -> None:
        channel = self._channel(self._reading.ticker, message.product_id)
        numbers = self._numbers.get(channel)
        if numbers is not None and numbers.last == message.sequence:
            out.ignored("duplicate")  # a ticker has the number of its trade; an auction may repeat one
            return
        self._rising(channel, message, stamp, out)
        if (numbers := self._numbers.get(channel)) is not None:
            self._doors.open_tickers(channel, numbers, out)

    def _auction(self, message: wire.Auction, stamp: Stamp, out: Sink) -> None:
        self._rising(self._channel("auctionfeed", message.product_id), message, stamp, out)

    def _rising(
        self, channel: WireChannel, message: wire.Ticker | wire.Auction, stamp: Stamp, out: Sink
    ) -> None:
        if not self._served(channel, stamp, out):
            return
        numbers = self._numbers.get(channel) or Rising()
        if numbers.take(message.sequence) is not OK:
            out.ignored("out of order")
            return
        if self._is_asked(channel):
            self._numbers[channel] = numbers
        out.deliver(channel, message)

    # Trades, whose ids have no holes.

    def _match(self, message: Match, stamp: Stamp, out: Sink) -> None:
        if self._reading.trade != "matches":
            self._order(message, stamp, out)
            return
        channel = self._channel("matches", message.product_id)
        if not self._served(channel, stamp, out):
            return
        ids = self._trade_ids(channel)
        if ids.last is None and message.trade_id > 1 and not self._reading.captured:
            out.gap(channel, "the trade before the first was not said")
        step = ids.trade(message.trade_id, message.sequence)
        if step is not OK:
            if step.kind == "duplicate":
                out.ignored("duplicate")
                return
            out.gap(channel, "trade ids are missing", missed=step.missed)
        out.deliver(channel, message)
        self._doors.open_trades(channel, ids, out)

    def _last_match(self, message: wire.LastMatch, stamp: Stamp, out: Sink) -> None:
        channel = self._channel("matches", message.product_id)
        if not self._served(channel, stamp, out):
            return
        step = self._trade_ids(channel).history(message.trade_id, message.sequence)
        if step is not OK:
            out.gap(channel, "trades passed while the line was down", missed=step.missed)
        out.deliver(channel, message)

    def _trade_ids(self, channel: WireChannel) -> TradeIds:
        ids = self._memory.get(channel)
        if not isinstance(ids, TradeIds):
            ids = TradeIds()
            if self._is_asked(channel):
                self._memory[channel] = ids
        return ids

    # Orders, whose sequence has no holes where the channel is not the user's own.

    def _order(
        self,
        message: wire.Received | wire.Open | wire.Done | wire.Change | Match,
        stamp: Stamp,
        out: Sink,
    ) -> None:
        channel = self._channel(self._reading.order, message.product_id)
        if channel.name == "full" and self._reading.counted:
            if self._served(channel, stamp, out):
                self._streams.take(channel, message, message.sequence, out)
        else:
            self._plain(channel, message, stamp, out)

    def _array(self, frame: bytes, stamp: Stamp, out: Sink) -> None:
        try:
            array = builtins(frame)
        except BadFrame as bad:
            out.malformed(frame, bad.reason)
            return
        try:
            message = named(array, self._schema)
        except BadFrame as bad:
            fields = labelled(array, self._schema)
            own = fields.get("product_id")
            if isinstance(own, str):
                channel = self._channel("level3", own)
                self._streams.spoiled(channel, frame, bad.reason, fields.get("sequence"), out)
            else:
                out.malformed(frame, bad.reason)
            return
        if isinstance(message, str):
            out.unknown(message, frame)
            return
        channel = self._channel("level3", message.product_id)
        if self._served(channel, stamp, out):
            self._streams.take(channel, message, message.sequence, out)

    def _level3_schema(self, message: Level3Schema, stamp: Stamp, out: Sink) -> None:
        del stamp
        self._schema = message.schema
        out.ignored("schema")

    def fetched(self, request_id: int, reply: Reply | Failure, stamp: Stamp, out: Sink) -> None:
        """A book by order; one that does not come, or does not fit, is asked for again."""
        del stamp
        channel = self._talk.fetched(request_id)
        out.answered(request_id)
        if channel is None:
            if isinstance(reply, Reply):
                out.ignored(WITHDRAWN)
            return
        self._streams.fetched(channel, reply, out)

    # Books by price, which have no counter.

    def _snapshot(self, message: wire.Snapshot, stamp: Stamp, out: Sink) -> None:
        channel = self._channel(self._reading.book, message.product_id)
        if self._served(channel, stamp, out):
            self._books.snapshot(channel, message, stamp.monotonic_s, out)

    def _update(self, message: L2Update, stamp: Stamp, out: Sink) -> None:
        channel = self._channel(self._reading.book, message.product_id)
        elements = len(message.changes) or 1
        if self._served(channel, stamp, out, elements) and self._books.update(
            channel, message, elements, out
        ):
            self._doors.open_book(channel, out)

    # What does not decode.

    def _bad(self, frame: bytes, reason: str, out: Sink) -> None:
        """Say what is wrong, and break the books that it may have been a part of."""
        self._doors.close()
        kind, fields = fields_of(frame)
        if kind and kind not in TYPES:
            out.unknown(kind, frame)
            return
        channel = self._channel_of(kind, fields)
        if channel is None:
            out.malformed(frame, reason)
            if not kind or kind in BOOK_TYPES:
                for book in [book for book in self._routes.values() if book.name in BOOKS]:
                    self._books.broken(
                        book, "a frame that cannot be read may have been a part of the book", out
                    )
        elif channel in self._gone:
            out.malformed(frame, reason, channel=channel)
        elif channel.name in BOOKS:
            self._books.spoiled(channel, frame, reason, out)
        elif channel.name in BY_ORDER and self._reading.counted and kind != "activate":
            self._streams.spoiled(channel, frame, reason, fields.get("sequence"), out)
        else:
            out.malformed(frame, reason, channel=channel)

    def _channel_of(self, kind: str, fields: Mapping[str, Any]) -> WireChannel | None:
        """The channel of a message that does not decode; ``None`` where it does not say it."""
        name = self._reading.channel_of(kind)
        if not name or name in WHOLE:
            return self._channel(name) if name else None
        own = fields.get("account_id" if name == "balance" else "product_id")
        return self._channel(name, own) if isinstance(own, str) else None

    # Answers.

    def _acknowledgement(self, message: wire.Subscriptions, stamp: Stamp, out: Sink) -> None:
        self._doors.close()
        self._confirmed(self._talk.acknowledged(message, out), stamp)
        out.ignored("acknowledgement")
        if not self._acknowledged:
            self._acknowledged = True
            self._forget_the_unwanted()

    def _forget_the_unwanted(self) -> None:
        """Counters of what was given up while the line was down: they would count as missed what nobody wanted."""
        for key in [key for key in self._memory if isinstance(key, WireChannel)]:
            if not self._is_asked(key):
                del self._memory[key]

    def _error(self, message: wire.Error, stamp: Stamp, out: Sink) -> None:
        del stamp
        self._doors.close()
        self._talk.refused(message, out)
        out.ignored("error")

    # Time.

    def pong(self, stamp: Stamp, out: Sink) -> None:
        """The line is alive."""
        del out
        self._vitals.ponged(stamp.monotonic_s)

    def tick(self, stamp: Stamp, out: Sink) -> None:
        """Watch the line, the heartbeats and the request in flight."""
        self._doors.close()
        self._doors.tell(self._vitals)
        self._vitals.tick(stamp.monotonic_s, self._routes.values(), out)
        self._talk.expire(stamp.monotonic_s, out)
        self._books.tick(stamp.monotonic_s, out)

    def deadline(self) -> float:
        """When to tick, perhaps too early: what came by the doors is looked at then."""
        return min(self._vitals.deadline(), self._talk.deadline(), self._books.deadline())

    def classify(self, failure: Failure) -> Verdict:
        """No credentials travel in the handshake, so a refused one is no verdict on them."""
        return default_verdict(failure, authenticated=False)
