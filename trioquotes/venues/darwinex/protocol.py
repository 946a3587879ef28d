"""One connection to the quotes socket: frames in, quotes and what they imply out."""

from __future__ import annotations

import math
from typing import Any, Final, get_args

import attrs
import msgspec

from trioquotes._protocol.codec import BadFrame, Reader
from trioquotes._protocol.contract import LedgerView, Memory, Sink
from trioquotes._protocol.effects import (
    Effect,
    Failure,
    Fatal,
    Fetch,
    Handshake,
    Options,
    Reply,
    Retry,
    Send,
    Stamp,
    Verdict,
    WireChannel,
)
from trioquotes._protocol.verdict import default_verdict, retry_after_s
from trioquotes.credentials import Secret
from trioquotes.errors import AuthenticationFailed
from trioquotes.venues.darwinex import messages as wire
from trioquotes.venues.darwinex.auth import bearer
from trioquotes.venues.darwinex.conversation import HEARTBEATS, PONGS, QUOTES, Conversation
from trioquotes.venues.darwinex.faults import read_fault
from trioquotes.venues.darwinex.listing import PRODUCTS, Listing
from trioquotes.venues.darwinex.throttle import FRAMES_A_MINUTE, MINUTE_NS, MINUTE_S, Throttle
from trioquotes.venues.darwinex.vitals import Vitals

__all__ = ["RECONNECT_FLOOR_S", "DarwinexProtocol"]

RECONNECT_FLOOR_S: Final = 60.0
"""The least time between two attempts at a line of which the first was no success.

*Source:* Product Quotes WebSocket walkthrough, 1 "Connection to the WebSocket".
"""

_MESSAGES: Reader[Any] = Reader(wire.ServerMessage, literals=True)


class _Head(msgspec.Struct, frozen=True, rename="camel"):
    op: str | None = None
    product_name: str | None = None


_HEAD: Reader[_Head] = Reader(_Head)
_OPS: Final = frozenset(kind.__struct_config__.tag for kind in get_args(wire.ServerMessage))
_RENEWED: Final = "renewed the token"
_UNAUTHORIZED, _FORBIDDEN = 401, 403
_THROTTLED = (
    f"{FRAMES_A_MINUTE} frames went by within a minute: Darwinex may hold quotes back until the next one"
)


class DarwinexProtocol:
    """The contract's ``VenueProtocol`` for one connection.

    Args:
        token: the access token; ``None`` only for captured frames.
        memory: what outlives the connection: whether the token was renewed, and the user warned.
        options: of the session.
        captured: whether the frames come from a file: nothing is asked, and whatever comes counts as asked.
    """

    def __init__(
        self, token: Secret | None, memory: Memory, options: Options, *, captured: bool = False
    ) -> None:
        self._token = token
        self._memory = memory
        self._url = options.endpoint.public
        self._captured = captured
        self._talk = Conversation(memory)
        self._listing = Listing(options.endpoint.rest, token)
        self._throttle = Throttle()
        self._vitals = Vitals()
        self._opened_s = math.inf
        self._heard_s = -math.inf

    # Requests.

    def handshake(self, stamp: Stamp) -> Handshake:
        """The upgrade request; its token is looked at here only, however long the line lasts."""
        self._opened_s = stamp.monotonic_s
        self._vitals.heard(stamp.monotonic_s)
        self._throttle.request(stamp.monotonic_s)
        return Handshake(self._url, headers=() if self._token is None else (bearer(self._token),))

    def reconcile(self, ledger: LedgerView, stamp: Stamp) -> Effect | None:
        """The next request; pages of the list come last."""
        return self._talk.reconcile(ledger, stamp) or self._listing.reconcile(ledger, self._talk.next_id)

    def sent(self, effect: Send | Fetch, stamp: Stamp) -> None:
        """A request went out."""
        if isinstance(effect, Fetch):
            self._talk.next_id = effect.id + 1
            self._listing.sent(effect)
            return
        self._throttle.request(stamp.monotonic_s)
        self._talk.sent(effect, stamp.monotonic_s)
        if PRODUCTS in effect.withdraws:
            self._listing.withdrawn()
        if PONGS in effect.asks:
            self._vitals.ping_regularly(stamp.monotonic_s)
        elif PONGS in effect.withdraws:
            self._vitals.ping_if_quiet()

    # Frames.

    def receive(self, frame: bytes, stamp: Stamp, out: Sink) -> None:
        """One frame."""
        self._heard_s = stamp.monotonic_s
        self._vitals.heard(stamp.monotonic_s)
        self._memory.pop(_RENEWED, None)  # the venue took the token
        try:
            message = _MESSAGES.read(frame)
        except BadFrame as bad:
            self._bad(frame, bad.reason, out)
            return
        match message:
            case wire.ProductQuote():
                self._quote(message, stamp, out)
            case wire.Heartbeat():
                self._vitals.beat(stamp.monotonic_s)
                self._listened(HEARTBEATS, message, "heartbeat", out)
            case wire.Pong():
                self._talk.pong(message, out)
                self._vitals.answered(message.msg or "", stamp.monotonic_s, out)
                self._listened(PONGS, message, "pong", out)
            case wire.Subscribed():
                self._subscribed(message, out)
            case wire.Unsubscribed():
                self._talk.unsubscribed(out)
                out.ignored("acknowledgement")
            case _:
                self._talk.refused(message, stamp.monotonic_s, out)
                out.ignored("error")

    def _quote(self, message: wire.ProductQuote, stamp: Stamp, out: Sink) -> None:
        if not self._captured and self._throttle.quote(stamp.monotonic_s, stamp.wall_ns):
            out.throttled(_THROTTLED, until_ns=stamp.wall_ns - stamp.wall_ns % MINUTE_NS)
        channel = WireChannel(QUOTES, message.product_name)
        self._talk.served(channel, out)
        out.deliver(channel, message)

    def _listened(
        self, channel: WireChannel, message: wire.Heartbeat | wire.Pong, reason: str, out: Sink
    ) -> None:
        """What comes whether or not anybody wants it."""
        if self._captured or channel in self._talk.listened:
            out.confirmed([channel])
            out.deliver(channel, message)
        else:
            out.ignored(reason)

    def _subscribed(self, message: wire.Subscribed, out: Sink) -> None:
        """Each product of an acknowledgement is an element: its quote is the first."""
        self._talk.subscribed(message, out)
        for product in message.products:
            if product.quote is None:
                out.ignored("no quote yet")
                continue
            first = wire.ProductQuote(
                product_name=product.product_name, quote=product.quote, timestamp=message.timestamp
            )
            out.deliver(WireChannel(QUOTES, product.product_name), first)
        if not message.products:
            out.ignored("acknowledgement")

    def _bad(self, frame: bytes, reason: str, out: Sink) -> None:
        """Say what is wrong, to the product that it concerns where the frame names one."""
        try:
            head = _HEAD.read(frame)
        except BadFrame:
            head = _Head()
        if head.op and head.op not in _OPS:
            out.unknown(head.op, frame)
        elif head.op == "pq" and head.product_name is not None:
            out.malformed(frame, reason, channel=WireChannel(QUOTES, head.product_name))
        else:
            out.malformed(frame, reason)

    def fetched(self, request_id: int, reply: Reply | Failure, stamp: Stamp, out: Sink) -> None:
        """A page of the list of products."""
        del stamp
        self._listing.fetched(request_id, reply, out)

    # Time.

    def pong(self, stamp: Stamp, out: Sink) -> None:
        """The line is alive."""
        del out
        self._vitals.heard(stamp.monotonic_s)

    def tick(self, stamp: Stamp, out: Sink) -> None:
        """Tell quotes that are held back from a dead line, and give up what was not answered."""
        now_s = stamp.monotonic_s
        if self._throttle.check(now_s):
            out.throttled(_THROTTLED, until_ns=stamp.wall_ns - stamp.wall_ns % MINUTE_NS + MINUTE_NS)
            self._vitals.suspend(now_s + MINUTE_S)
        self._vitals.tick(stamp, out)
        self._talk.expire(now_s, out)

    def deadline(self) -> float:
        """When to tick."""
        return min(self._throttle.deadline(), self._vitals.deadline(), self._talk.deadline())

    def classify(self, failure: Failure) -> Verdict:
        """A refused token is renewed once; a line that lasted is opened again soon, everything else in a minute."""
        fault = read_fault(failure.status, failure.body, *([self._token.reveal()] if self._token else []))
        after_s = retry_after_s(failure.headers) or 0.0
        if failure.status in (_UNAUTHORIZED, _FORBIDDEN) and not fault.passing:
            text = f"refused with HTTP {failure.status}: {fault.text or failure.reason}"
            if failure.status == _FORBIDDEN or _RENEWED in self._memory:
                return Fatal(AuthenticationFailed(f"darwinex {text}"))
            self._memory[_RENEWED] = True
            return Retry(floor_s=after_s, renew_secrets=True)
        verdict = default_verdict(attrs.evolve(failure, status=None), authenticated=True)
        if isinstance(verdict, Fatal):
            return verdict
        lasted = self._heard_s - self._opened_s >= RECONNECT_FLOOR_S
        return Retry(floor_s=max(verdict.floor_s, 0.0 if lasted else RECONNECT_FLOOR_S))
