"""Darwinex: one frame refuses some and accepts others, and a limit that silences the venue.

What strains the contract: no request ids, so one request at a time; ``WARN``; silence that is no
death; a floor under every reconnect; one renewal of the token; a budget of which pings keep a share.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import ClassVar

import msgspec

from tests.venues.skeletons.common import Skeleton, Talk
from trioquotes._protocol.codec import BadFrame, Counter, Reader
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
    Reply,
    Retry,
    Send,
    Serving,
    Stamp,
    Verdict,
    WireChannel,
)
from trioquotes.credentials import BearerToken, Credentials
from trioquotes.errors import AuthenticationFailed, MissingCredentials
from trioquotes.events import Event, Quote, WireMessage
from trioquotes.topics import Quotes, Topic

__all__ = ["VENUE"]

FRAMES_A_MINUTE = 50
NAMES_A_REQUEST = 100
SILENT_S, PONG_S = 90.0, 30.0
RENEWED = "renewed"


class Tick(WireMessage, frozen=True, rename="camel"):
    """A quote, from a frame of its own or from an acknowledgement."""

    product_name: str
    quote: Decimal
    timestamp: Counter = 0


class Frame(msgspec.Struct, rename="camel"):
    """Every frame but ``pq``."""

    op: str
    status: str = ""
    timestamp: Counter = 0
    products: tuple[Tick, ...] = ()
    op_request: str = ""
    code: str = ""
    msg: str = ""


FRAME: Reader[Frame] = Reader(Frame, literals=True)
TICK: Reader[Tick] = Reader(Tick, literals=True)


def quote(message: WireMessage, receipt: Receipt) -> Event:
    assert isinstance(message, Tick)
    return Quote(
        venue="darwinex",
        instrument=message.product_name,
        price=message.quote,
        venue_time_ns=message.timestamp * 1_000_000,
        received_ns=receipt.received_ns,
    )


class DarwinexProtocol(Talk):
    """Asks, pings when it is quiet, and knows when quiet means throttled."""

    def __init__(self, token: BearerToken | None, memory: Memory, options: Options) -> None:
        super().__init__()
        self._token, self._memory, self._url = token, memory, options.endpoint.public
        self._asking: Send | None = None
        self._ticks: deque[float] = deque(maxlen=FRAMES_A_MINUTE)
        self._throttled_until_s = -math.inf
        self._pinged_s: float | None = None

    def handshake(self, stamp: Stamp) -> Handshake:
        self.heard(stamp)
        token = self._token.token.reveal() if self._token is not None else ""
        return Handshake(self._url, headers=(("Authorization", f"Bearer {token}"),))

    def reconcile(self, ledger: LedgerView, stamp: Stamp) -> Effect | None:
        if ledger.in_flight:
            return None
        if gone := ledger.to_withdraw[:NAMES_A_REQUEST]:
            return Send(self._say("unsubscribe", gone), self.next_id, withdraws=frozenset(gone))
        if new := ledger.to_ask[:NAMES_A_REQUEST]:
            return Send(self._say("subscribe", new), self.next_id, asks=frozenset(new))
        return None

    @staticmethod
    def _say(op: str, channels: Sequence[WireChannel]) -> bytes:
        return msgspec.json.encode({"op": op, "productNames": [channel.instrument for channel in channels]})

    def sent(self, effect: Send | Fetch, stamp: Stamp) -> None:
        self.took(effect.id)
        assert isinstance(effect, Send)
        self._asking = effect

    def receive(self, frame: bytes, stamp: Stamp, out: Sink) -> None:
        self.heard(stamp)
        self._pinged_s = None
        self._memory.pop(RENEWED, None)
        try:
            head = FRAME.read(frame)
            if head.op == "pq":
                tick = TICK.read(frame)
                self._throttle(stamp, out)
                return out.deliver(WireChannel("pq", tick.product_name), tick)
        except BadFrame as bad:
            return out.malformed(frame, bad.reason)
        match head.op:
            case "hb" | "pong":
                out.ignored("heartbeat")
            case "subscribed":
                self._subscribed(head, out)
            case "unsubscribed":
                self._answered(out)
                out.ignored("acknowledgement")
            case "error":
                self._refused(head, out)
                out.ignored("error")
            case _:
                out.unknown(head.op, frame)
        return None

    def _answered(self, out: Sink) -> frozenset[WireChannel]:
        request, self._asking = self._asking, None
        if request is None:
            return frozenset()
        out.answered(request.id)
        return request.asks

    def _subscribed(self, head: Frame, out: Sink) -> None:
        served = frozenset(WireChannel("pq", tick.product_name) for tick in head.products)
        out.confirmed(served)
        refused = self._answered(out) - served
        for channel in sorted(refused) if head.status == "WARN" else ():
            out.rejected(channel, "not among the products of the acknowledgement (WARN)")
        for tick in head.products:
            stamped = msgspec.structs.replace(tick, timestamp=head.timestamp)
            out.deliver(WireChannel("pq", tick.product_name), stamped)
        if not head.products:
            out.ignored("acknowledgement")

    def _refused(self, head: Frame, out: Sink) -> None:
        out.error(f"{head.code}: {head.msg}")
        asks = self._answered(out)
        named = frozenset(channel for channel in asks if channel.instrument in head.msg.split())
        for channel in sorted(named or asks):
            kind = "limit" if head.code.startswith("MAX_") else "refused"
            out.rejected(channel, head.msg, kind="limit" if kind == "limit" else "refused")
        if named:
            out.retry(asks - named)

    def _throttle(self, stamp: Stamp, out: Sink) -> None:
        """The venue counts its own frames: after so many in a minute it falls silent until the next."""
        minute_ns = 60_000_000_000
        self._ticks.append(stamp.monotonic_s)
        left_s = (minute_ns - stamp.wall_ns % minute_ns) / 1e9
        started_s = stamp.monotonic_s - (60.0 - left_s)
        if len(self._ticks) == FRAMES_A_MINUTE and self._ticks[0] >= started_s:
            self._ticks.clear()
            self._throttled_until_s = stamp.monotonic_s + left_s
            until_ns = stamp.wall_ns - stamp.wall_ns % minute_ns + minute_ns
            out.throttled(f"{FRAMES_A_MINUTE} frames a minute", until_ns=until_ns)

    def fetched(self, request_id: int, reply: Reply | Failure, stamp: Stamp, out: Sink) -> None:
        out.ignored("not asked for")

    def pong(self, stamp: Stamp, out: Sink) -> None:
        self.heard(stamp)

    def tick(self, stamp: Stamp, out: Sink) -> None:
        if stamp.monotonic_s < self.deadline():
            return
        if self._pinged_s is None:
            self._pinged_s = stamp.monotonic_s
            out.reply(b'{"op":"ping","msg":"trioquotes"}')
        else:
            self._pinged_s = stamp.monotonic_s
            out.lost("no pong")

    def deadline(self) -> float:
        if self._pinged_s is not None:
            return self._pinged_s + PONG_S
        return max(self.heard_s or 0.0, self._throttled_until_s) + SILENT_S

    def classify(self, failure: Failure) -> Verdict:
        if failure.status == 401:
            if RENEWED in self._memory:
                return Fatal(AuthenticationFailed("darwinex refused the renewed token"))
            self._memory[RENEWED] = True
            return Retry(floor_s=60.0, renew_secrets=True)
        return Retry(floor_s=60.0)


class Darwinex(Skeleton):
    """Quotes alone."""

    name: ClassVar[str] = "darwinex"
    endpoints: ClassVar[Mapping[str, Endpoint]] = {
        "production": Endpoint("wss://api.darwinex.example/quotewebsocket/1.0.0", signed=True)
    }
    budgets: ClassVar[tuple[Budget, ...]] = (
        Budget("frames", 50, 60.0, "account", frozenset({"connect", "send", "ping"}), reserve=5),
    )
    unified: ClassVar[frozenset[type[Topic[Event]]]] = frozenset({Quotes})
    pattern: ClassVar[str] = r"[A-Z]{3,4}\.[0-9]{1,2}\.[0-9]{1,3}"

    def serve(self, topic: Topic[Event], options: Options) -> Serving:
        if not isinstance(topic, Quotes):
            raise self.unsupported(topic)
        if not options.has_credentials:
            raise MissingCredentials("every line needs a token")
        channel = WireChannel("pq", self.instrument(topic.instrument))
        return Serving((channel,), "events", lambda: quote)

    def protocol(
        self, lane: Lane, secrets: Credentials | None, memory: Memory, options: Options
    ) -> VenueProtocol:
        return DarwinexProtocol(secrets if isinstance(secrets, BearerToken) else None, memory, options)

    def offline_topics(self, channel: WireChannel, native: bool) -> Sequence[Topic[Event]]:
        return [Quotes(channel.instrument)]


VENUE = Darwinex()
