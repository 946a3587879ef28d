"""One connection to Upbit: frames in, messages and what they imply out.

A message says its type and its code; what else was asked for is a matter of the lane, on which no two channels
have both in common.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import force_setattr

from trioquotes._protocol.codec import BadFrame, builtins
from trioquotes._protocol.contract import LedgerView, Memory, Sink
from trioquotes._protocol.effects import (
    Effect,
    Failure,
    Fatal,
    Fetch,
    Handshake,
    Lane,
    Options,
    Reply,
    Retry,
    Send,
    Stamp,
    Verdict,
    WireChannel,
)
from trioquotes._protocol.verdict import default_verdict, retry_after_s
from trioquotes.errors import AuthenticationFailed
from trioquotes.venues.upbit import formats
from trioquotes.venues.upbit import messages as wire
from trioquotes.venues.upbit.auth import Signer
from trioquotes.venues.upbit.channels import (
    MARKETS,
    PRIVATE,
    SOCKETS,
    captured_kind,
    channel_of,
    socket_of,
)
from trioquotes.venues.upbit.complaints import GIVEN_UP_AFTER, Complaints
from trioquotes.venues.upbit.conversation import INVALID_AUTH, Conversation
from trioquotes.venues.upbit.doors import Doors
from trioquotes.venues.upbit.judge import Judge
from trioquotes.venues.upbit.trades import SeenTrades
from trioquotes.venues.upbit.vitals import Vitals

__all__ = ["BANNED_S", "MARKETS_EVERY_S", "TOO_MANY_S", "UpbitProtocol"]

TOO_MANY_S: Final = 10.0
"""Shortest wait after HTTP 429: the window is a second, but going on after it is answered with a ban."""
MARKETS_EVERY_S: Final = 300.0
"""How often the list of markets is fetched again: markets come and go, and a late subscriber has none yet."""
BANNED_S: Final = 60.0
"""Shortest wait after HTTP 418, a ban that grows when it is not kept; the venue says how long in its own words.

*Source:* Rate limits.
"""

_HTTP_OK: Final = 200
_REFUSED: Final = frozenset({401, 403})


class UpbitProtocol:
    """The contract's ``VenueProtocol`` for one connection.

    Args:
        lane: which socket, and which channels.
        signer: signs the handshake of a private socket.
        memory: what outlives the connection: trades seen, times of books, and suspects of an error.
        options: of the session.
        form: the format to ask for.
    """

    def __init__(
        self, lane: Lane, signer: Signer | None, memory: Memory, options: Options, form: str
    ) -> None:
        self._socket = socket_of(lane.name)
        self._captured = captured_kind(lane.name)
        self._signer = signer
        self._memory = memory
        self._endpoint = options.endpoint
        self._talk = Conversation(memory, options.endpoint, form)
        self._routes = self._talk.routes
        self._doors = Doors()
        self._books = Judge(self._talk, memory, self._doors)
        self._vitals = Vitals()
        self._read_at: Stamp | None = None
        self._markets_at_s = math.inf
        self._complaints: Complaints | None = None  # of the list that is being read
        self._resumed: set[WireChannel] = set()  # trades of which a snapshot came on this connection
        self._handlers: dict[type[Any], Callable[[Any, Stamp, Sink], None]] = {
            wire.Ticker: self._plain,
            wire.Trade: self._trade,
            wire.Orderbook: self._orderbook,
            wire.Candle: self._plain,
            wire.MyOrder: self._my_order,
            wire.MyAsset: self._plain,
            wire.Announcement: self._plain,
            wire.Indicator: self._plain,
            wire.IndicatorSignal: self._plain,
        }

    # Requests.

    def handshake(self, stamp: Stamp) -> Handshake:
        """The upgrade: with a token on a private socket, and never with an ``Origin``."""
        self._vitals.opened(stamp.monotonic_s)
        public = self._endpoint.public
        if self._socket not in PRIVATE or self._signer is None:
            return Handshake(public)
        private = self._endpoint.private or f"{public}/private"
        url = private if self._socket == "private" else f"{public}/info"
        return Handshake(url, headers=(self._signer.header(stamp.nonce),))

    def reconcile(self, ledger: LedgerView, stamp: Stamp) -> Effect | None:
        """The next request."""
        return self._talk.reconcile(ledger, stamp)

    def sent(self, effect: Send | Fetch, stamp: Stamp) -> None:
        """A request went out."""
        self._talk.sent(effect, stamp)
        self._doors.close()
        if isinstance(effect, Fetch):
            return
        self._books.sent(effect, stamp.monotonic_s)
        for channel in effect.withdraws:
            self._memory.pop(channel, None)
            self._resumed.discard(channel)

    # Frames.

    def receive(self, frame: bytes, stamp: Stamp, out: Sink) -> None:
        """One frame: an object, or an array of them in the list formats."""
        if stamp is not self._read_at:  # all frames of a socket read have the same
            self._read_at = stamp
            self._vitals.heard(stamp.monotonic_s)
        if frame[:1] == b"[":
            self._list(frame, stamp, out)
        else:
            self._object(frame, frame, stamp, out)

    def _list(self, frame: bytes, stamp: Stamp, out: Sink) -> None:
        try:
            objects = formats.split(frame)
        except BadFrame as bad:
            self._bad(frame, bad.reason, None, out)
            return
        if not objects:
            out.ignored("empty")
        self._complaints = complaints = Complaints(frame)
        for number, text in enumerate(objects):
            if complaints.found >= GIVEN_UP_AFTER:
                complaints.tell(out)
                self._give_up(frame, len(objects) - number, out)
                break
            self._object(bytes(text), frame, stamp, out)
        complaints.tell(out)
        self._complaints = None

    def _give_up(self, frame: bytes, left: int, out: Sink) -> None:
        """So much of a frame cannot be read that the rest is not looked at."""
        reason = f"{GIVEN_UP_AFTER} objects of this frame cannot be read: the {left} behind them were not looked at"
        out.malformed(frame, reason, elements=left)
        self._break_books(None, out)

    def _object(self, text: bytes, frame: bytes, stamp: Stamp, out: Sink) -> None:
        reader = formats.reader_of(text)
        if reader is None:
            self._other(text, frame, stamp, out)
            return
        try:
            message = reader.read(text)
        except BadFrame as bad:
            self._bad(frame, bad.reason, text, out)
            return
        if self._complaints is not None:
            self._complaints.tell(out)  # what is lost is said before what comes after it
        self._handlers[type(message)](message, stamp, out)

    def _channel(self, kind: str, code: str) -> WireChannel:
        """The channel of a message; one that was not asked for is for the sink to judge."""
        channel = channel_of(kind, code)
        return self._routes.get((kind, channel.instrument), channel)

    def _is_asked(self, channel: WireChannel) -> bool:
        """Whether to keep account of it; what nobody asked for must not fill our memory."""
        return self._captured is not None or (channel.name, channel.instrument) in self._routes

    def _plain(self, message: wire.Message, stamp: Stamp, out: Sink) -> None:
        del stamp
        channel = self._channel(message.type, getattr(message, "code", ""))
        self._talk.served(channel, None, out)
        out.deliver(channel, message)

    def _my_order(self, message: wire.MyOrder, stamp: Stamp, out: Sink) -> None:
        del stamp
        channel = self._channel(message.type, message.code)
        self._talk.served(channel, None, out)
        out.deliver(channel, message, instrument=message.code)

    def _orderbook(self, message: wire.Orderbook, stamp: Stamp, out: Sink) -> None:
        way = self._doors.books.get(message.code)
        if way is not None and way.take(message, out):
            return
        channel = self._channel("orderbook", message.code)
        if self._captured is not None:
            self._books.look(message, channel, out)
        elif (channel.name, channel.instrument) in self._routes:
            self._books.take(message, channel, stamp.monotonic_s, out)
        else:
            force_setattr(message, "depth", 0)  # what was left by who went is no book for who comes
        out.deliver(channel, message)

    def _trade(self, message: wire.Trade, stamp: Stamp, out: Sink) -> None:
        del stamp
        if not self._doors.take_trade(message):
            self._judge_trade(message, out)

    def _judge_trade(self, message: wire.Trade, out: Sink) -> None:
        """A trade that may be something else than the next one."""
        channel = self._channel("trade", message.code)
        self._talk.served(channel, None, out)
        if not self._is_asked(channel):
            out.deliver(channel, message)
            return
        seen = self._memory.get(channel)
        if not isinstance(seen, SeenTrades):
            seen = self._memory[channel] = SeenTrades()
        snapshot = message.stream_type == "SNAPSHOT"
        match seen.take(message.sequential_id, snapshot=snapshot):
            case "known":
                out.ignored("duplicate")
                return
            case "history":
                out.deliver(channel, seen.last(message))
            case "missed":
                if channel in self._resumed:  # after a lost line it was said already
                    out.gap(channel, "a trade passed while the request was restated")
                out.deliver(channel, message)
            case "new":
                out.deliver(channel, message)
        if snapshot:
            self._resumed.add(channel)
        if self._captured is None:
            self._doors.open_trades(channel, seen, out)

    # Whatever is no message of a channel, or does not begin with its type.

    def _other(self, text: bytes, frame: bytes, stamp: Stamp, out: Sink) -> None:
        try:
            fields = builtins(text)
            if not isinstance(fields, dict):
                raise BadFrame(f"a message is a JSON object, not {type(fields).__name__}")  # noqa: TRY301  # one way out
            kind = fields.get("type", fields.get("ty"))
            if not isinstance(kind, str):
                self._untyped(text, fields, stamp, out)
                return
            reader = formats.reader_of_kind(fields)
            if reader is None:
                if self._complaints is None:
                    out.unknown(kind, frame)
                else:
                    self._complaints.unknown(kind, out)
                return
            message = reader.read(text)
        except BadFrame as bad:
            self._bad(frame, bad.reason, text, out)
            return
        if self._complaints is not None:
            self._complaints.tell(out)
        self._handlers[type(message)](message, stamp, out)

    def _untyped(self, text: bytes, fields: Mapping[str, Any], stamp: Stamp, out: Sink) -> None:
        found = formats.control(text, fields)
        match found:
            case wire.Error():
                out.ignored("error")
                self._talk.refused(found, stamp, out)
            case wire.Status():
                out.ignored("heartbeat")
            case wire.Subscriptions():
                out.ignored("subscriptions")
                self._talk.listed(found, out)
            case None if self._captured and not {"type", "ty"} & fields.keys():
                whole = formats.with_type(text, fields, self._captured)
                self._object(whole, text, stamp, out)
            case None:
                raise BadFrame("neither a type nor an error, a status or a list of subscriptions")

    def _bad(self, frame: bytes, reason: str, text: bytes | None, out: Sink) -> None:
        """Say what is wrong, and break the books that it may have been a part of."""
        channel = None if text is None else self._channel_of(text)
        if self._complaints is None:
            out.malformed(frame, reason, channel=channel)
        else:
            self._complaints.malformed(reason, channel, out)
        self._break_books(channel, out)

    def _break_books(self, channel: WireChannel | None, out: Sink) -> None:
        """Break the book of the channel, or all where nobody knows which it was."""
        if channel is None:
            broken = [book for book in self._routes.values() if book.name == "orderbook"]
        else:
            broken = [channel] if channel.name == "orderbook" and self._is_asked(channel) else []
        for book in broken:
            self._books.broken(book, "a frame that cannot be read may have been the book", out)

    def _channel_of(self, text: bytes) -> WireChannel | None:
        """The channel of a message that does not decode; ``None`` where it does not say it."""
        try:
            fields = builtins(text)
        except BadFrame:
            return None
        if not isinstance(fields, dict):
            return None
        kind, code = fields.get("type", fields.get("ty")), fields.get("code", fields.get("cd", ""))
        if not isinstance(kind, str) or kind not in SOCKETS or not isinstance(code, str):
            return None
        return self._channel(kind, code)

    # REST.

    def fetched(self, request_id: int, reply: Reply | Failure, stamp: Stamp, out: Sink) -> None:
        """The list of markets; one that does not come is asked for again when its time is up."""
        out.answered(request_id)
        if isinstance(reply, Failure):
            self._no_markets(reply.reason, out)
            return
        if reply.status != _HTTP_OK:
            out.ignored("refused")
            self._no_markets(f"HTTP {reply.status}", out)
            return
        try:
            found = formats.markets(reply.body)
        except BadFrame as bad:
            out.malformed(reply.body, bad.reason, channel=MARKETS)
            self._no_markets(bad.reason, out)
            return
        self._markets_at_s = stamp.monotonic_s + MARKETS_EVERY_S
        out.confirmed([MARKETS])
        out.resynced(MARKETS)
        out.deliver(MARKETS, wire.Markets(markets=found), elements=len(found) or 1)

    def _no_markets(self, reason: str, out: Sink) -> None:
        text = f"list of markets: {reason}"
        out.error(text)
        out.rejected(MARKETS, text, "timeout")

    # Time.

    def pong(self, stamp: Stamp, out: Sink) -> None:
        """The line is alive."""
        del out
        self._vitals.heard(stamp.monotonic_s)

    def tick(self, stamp: Stamp, out: Sink) -> None:
        """Ping, watch the line, and wait for answers."""
        self._vitals.tick(stamp.monotonic_s, out)
        self._talk.tick(stamp.monotonic_s, out)
        if stamp.monotonic_s >= self._markets_at_s:
            self._markets_at_s = math.inf
            out.resync(MARKETS)

    def deadline(self) -> float:
        """When to tick."""
        return min(self._vitals.deadline(), self._talk.deadline(), self._markets_at_s)

    def classify(self, failure: Failure) -> Verdict:
        """A refused token ends the private lane alone; limits are waited for."""
        private = self._socket in PRIVATE
        if private and (failure.status in _REFUSED or failure.last_error.startswith(INVALID_AUTH)):
            words = failure.last_error or f"HTTP {failure.status}"
            return Fatal(AuthenticationFailed(f"upbit refused the key: {words}"), scope="lane")
        asked_s = retry_after_s(failure.headers) or 0.0
        if failure.status == 418:
            return Retry(floor_s=max(BANNED_S, asked_s))
        if failure.status == 429:
            return Retry(floor_s=max(TOO_MANY_S, asked_s))
        return default_verdict(failure, authenticated=False)
