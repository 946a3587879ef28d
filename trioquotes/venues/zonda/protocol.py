"""One connection: frames in, messages and what they imply out.

A frame is read in two steps. The first finds out what it is, by its ``action`` or, in the variants without one,
by what else it holds; the second decodes it to the type of its channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import Final

import msgspec

from trioquotes._protocol.codec import BadFrame
from trioquotes._protocol.contract import LedgerView, ReadsMany, Sink
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
from trioquotes._protocol.verdict import default_verdict
from trioquotes.venues.zonda import messages as wire
from trioquotes.venues.zonda import paths
from trioquotes.venues.zonda.auth import Signer
from trioquotes.venues.zonda.conversation import MAX_SNAPSHOT_TRIES, Conversation
from trioquotes.venues.zonda.doors import Doors
from trioquotes.venues.zonda.horizon import promised
from trioquotes.venues.zonda.keeping import HOLE, Keeping
from trioquotes.venues.zonda.levels import flaw_of_snapshot
from trioquotes.venues.zonda.readers import (
    ANSWER_HEAD,
    ANSWERS,
    BODY_HEAD,
    HEAD,
    MARKETS,
    Head,
    Reading,
    elements_of,
    is_failure,
    read_push,
)
from trioquotes.venues.zonda.refusals import Refusal, read_refusal
from trioquotes.venues.zonda.vitals import Vitals

__all__ = ["ZondaProtocol"]

_HTTP_OK: Final = 200
_BATCHED: Final = frozenset({paths.TRANSACTIONS, paths.HISTORY, paths.STATS})
"""Channels of which a push may hold several events."""


class ZondaProtocol(ReadsMany):
    """The contract's ``VenueProtocol`` for one connection.

    Args:
        reading: what the lane's frames belong to.
        signer: signs requests; ``None`` without credentials.
        options: of the session.
    """

    def __init__(self, reading: Reading, signer: Signer | None, options: Options) -> None:
        self._reading = reading
        self._endpoint = options.endpoint
        self._talk = Conversation(signer, options.endpoint)
        self._routes = self._talk.routes
        self._opened = False
        self._books = Keeping(self._talk)
        self._numbers: dict[WireChannel, int] = {}  # the last seqNo of channels that are no books
        self._vitals = Vitals()
        self._doors = Doors()

    # Requests.

    def handshake(self, stamp: Stamp) -> Handshake:
        """A plain upgrade: signatures travel in the private messages."""
        self._vitals.opened(stamp.monotonic_s)
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
            self._vitals.opened(stamp.monotonic_s)
        for channel in sorted(effect.asks):
            self._books.keep(channel)
            self._numbers.pop(channel, None)
        for channel in sorted(effect.resyncs):
            self._books.requested(channel)

    # Frames.

    def receive(self, frame: bytes, stamp: Stamp, out: Sink) -> None:
        """One frame."""
        self._vitals.heard(stamp.monotonic_s)
        doors = self._doors
        if not (doors.books and doors.pieces.knows(frame) and doors.take(frame, out)):
            self._receive(frame, out)

    def receive_many(self, frames: Sequence[bytes], stamp: Stamp, out: Sink) -> None:
        """The same for the frames of one socket read, of which nearly all take a short way."""
        self._vitals.heard(stamp.monotonic_s)
        doors = self._doors
        known = doors.pieces.knows_each(frames) if doors.books else repeat(False, len(frames))
        for frame, is_known in zip(frames, known, strict=True):
            out.frame_bytes = len(frame)
            if not (is_known and doors.take(frame, out)):
                self._receive(frame, out)

    def _receive(self, frame: bytes, out: Sink) -> None:
        try:
            head = HEAD.read(frame)
        except BadFrame as bad:
            out.malformed(frame, bad.reason)
            return
        match head:
            case Head(action=None | "push", topic=str(topic)):
                self._push(topic.lower(), head.seq_no, frame, out)
            case Head(action=None | "proxy-response", request_id=str(number)):
                self._answer(number, frame, out)
            case Head(action="push" | "proxy-response"):
                out.malformed(frame, f"a {head.action} that does not say what it belongs to")
            case Head(action=str(action)):
                self._control(action, head, frame, out)
            case Head(error=None):
                out.unknown("a message without action, topic, requestId and error", frame)
            case _:
                self._error(head, frame, out, private=None)

    def _control(self, action: str, head: Head, frame: bytes, out: Sink) -> None:
        """Whatever is no data."""
        match action:
            case "pong":
                self._vitals.answered(out)
                out.ignored("heartbeat")
            case "subscribe-public-confirm" | "subscribe-private-confirm":
                channel = self._named(head)
                if channel is not None:
                    self._talk.confirm(channel, out)
                out.ignored("acknowledgement")
            case "subscribe-public-error":
                self._error(head, frame, out, private=False)
            case "subscribe-private-error":
                self._error(head, frame, out, private=True)
            case "json-error":
                out.error(read_refusal(frame, action).text)
                out.ignored("error")
            case _:
                out.unknown(action, frame)

    def _named(self, head: Head) -> WireChannel | None:
        """The channel that a confirmation or an error names, if it was asked for."""
        return self._routes.get(f"{head.module}/{head.path}".lower())

    def _error(self, head: Head, frame: bytes, out: Sink, *, private: bool | None) -> None:
        refusal = read_refusal(frame, head.action or "error")
        channel = self._named(head)
        if channel is None and head.path is not None:
            out.error(refusal.text)  # about something that was not asked for
        else:
            self._talk.refused(channel, refusal, private=private, out=out)
        out.ignored("error")

    # Pushes.

    def _push(self, topic: str, number: object, frame: bytes, out: Sink) -> None:
        channel = self._routes.get(topic) or self._elsewhere(topic)
        if channel is None:
            out.unknown(topic[:100], frame)
            return
        try:
            push = read_push(channel, frame)
        except BadFrame as bad:
            out.malformed(frame, bad.reason, channel=channel)
            if channel in self._books:
                known = number if type(number) is int and number >= 0 else None  # JSON's true is an int here
                self._books.unreadable(channel, known, "a part of the book cannot be read", out)
            return
        self._talk.confirm(channel, out)
        if channel in self._books:
            if self._books.change(channel, push, frame, out) and topic in self._routes:
                door = self._books.door(channel, out)
                if door is not None:
                    self._doors.open(topic, door, frame)
        else:
            self._plain(channel, push, counted=topic in self._routes, out=out)

    def _elsewhere(self, topic: str) -> WireChannel | None:
        """The channel of a topic that was not asked for as it is; one that nobody asked for is for the sink to judge."""
        named = paths.parse(topic)
        if named is None:
            return None
        if self._reading.private and named.name == paths.TRANSACTIONS:
            named = named._replace(name=paths.HISTORY)
        if self._reading.captured:
            return self._capture(named)
        for channel in (named, named._replace(instrument="")):
            if paths.topic_of(channel) in self._routes:
                return channel
        return named

    def _capture(self, channel: WireChannel) -> WireChannel:
        """A channel of a captured frame counts as asked."""
        if self._routes.setdefault(paths.topic_of(channel), channel) not in self._books:
            self._books.keep(channel)
        return channel

    def _plain(self, channel: WireChannel, push: wire.Push, *, counted: bool, out: Sink) -> None:
        """A push of a channel that is no book: a hole in its count is said, and there is nothing to mend.

        Counts belong to topics: ``counted`` says that this is the channel's own, and that it was asked for.
        """
        elements = elements_of(push)
        number = push.seq_no
        if counted and number is not None:
            last = self._numbers.get(channel)
            if number == last:
                out.ignored("duplicate", elements)
                return
            self._numbers[channel] = number
            if last is not None and number != last + 1:
                missed = number - last - 1 if number > last and channel.name not in _BATCHED else None
                out.gap(channel, HOLE, missed=missed)
        if self._talk.awaits(channel):
            self._talk.settled(channel)
            out.resynced(channel)
        out.deliver(channel, push, elements=elements)

    # Answers to proxy requests.

    def _answer(self, number: str, frame: bytes, out: Sink) -> None:
        channel = self._talk.answered(number, out) or self._reading.answers
        if channel is None or channel.name not in ANSWERS:
            out.ignored("unknown answer")
            return
        try:
            head = ANSWER_HEAD.read(frame)
            if head.status_code != _HTTP_OK or head.error is not None or is_failure(head.body):
                refusal = read_refusal(frame, f"answered with {head.status_code}", status=head.status_code)
                out.ignored("refused")
                self._snapshot_failed(channel, refusal, out)
                return
            answer = ANSWERS[channel.name].read(frame)
            if isinstance(answer, wire.OrderBookAnswer) and (
                flaw := flaw_of_snapshot(answer.body, promised(channel))
            ):
                raise BadFrame(flaw)  # noqa: TRY301  # handled as whatever else is wrong with it
        except BadFrame as bad:
            out.malformed(frame, bad.reason, channel=channel)
            self._snapshot_failed(channel, None, out)
            return
        self._snapshot(channel, msgspec.structs.replace(answer, topic=paths.topic_of(channel)), out)

    def _snapshot(self, channel: WireChannel, answer: wire.Answer, out: Sink) -> None:
        if isinstance(answer, wire.OrderBookAnswer):
            self._book_snapshot(channel, answer, out)
            return
        self._talk.settled(channel)
        if channel in self._numbers and not self._reading.captured:
            out.ignored("overtaken by a push")
        else:
            out.deliver(channel, answer)
        out.resynced(channel)

    def _book_snapshot(self, channel: WireChannel, answer: wire.OrderBookAnswer, out: Sink) -> None:
        if not channel.instrument:
            out.ignored("market not said")
            return
        if self._reading.captured:
            self._capture(channel)
        if not self._books.snapshot(channel, answer, out):
            self._snapshot_failed(channel, None, out)

    def _snapshot_failed(self, channel: WireChannel, refusal: Refusal | None, out: Sink) -> None:
        """Ask again for a book, unless the venue has refused it for good; a ticker comes by itself."""
        if refusal is not None:
            out.error(f"snapshot of {channel}: {refusal.text}")
            if refusal.limited:
                out.throttled(refusal.text)
        if channel not in self._books:
            self._talk.settled(channel)
            out.resynced(channel)
        elif refusal is not None and (
            refusal.kind != "timeout" or self._talk.tries(channel) >= MAX_SNAPSHOT_TRIES
        ):
            self._talk.drop(channel)
            self._books.drop(channel)
            kind = "refused" if refusal.kind == "timeout" else refusal.kind
            out.rejected(channel, f"no snapshot: {refusal.text}", kind)
        else:
            out.resync(channel)

    def fetched(self, request_id: int, reply: Reply | Failure, stamp: Stamp, out: Sink) -> None:
        """The list of all markets; one that does not come is asked for again later."""
        del stamp
        channel = self._talk.fetched(request_id)
        out.answered(request_id)
        if channel is None:
            return
        if isinstance(reply, Failure):
            out.error(f"list of markets: {reply.reason}")
            out.rejected(channel, reply.reason, "timeout")
            return
        try:
            if reply.status == _HTTP_OK and not is_failure(BODY_HEAD.read(reply.body)):
                markets = MARKETS.read(reply.body)
                out.confirmed((channel,))
                out.deliver(channel, markets)
                return
        except BadFrame as bad:
            out.malformed(reply.body, bad.reason, channel=channel)
            out.rejected(channel, "the list of markets cannot be read", "timeout")
            return
        refusal = read_refusal(reply.body, f"HTTP {reply.status}", status=reply.status)
        out.error(f"list of markets: {refusal.text}")
        out.ignored("refused")
        out.rejected(channel, refusal.text, refusal.kind)

    # Time.

    def pong(self, stamp: Stamp, out: Sink) -> None:
        """The line is alive."""
        del out
        self._vitals.heard(stamp.monotonic_s)

    def tick(self, stamp: Stamp, out: Sink) -> None:
        """Ping, watch the line and the requests."""
        self._vitals.tick(stamp.monotonic_s, out)
        self._talk.expire(stamp.monotonic_s)

    def deadline(self) -> float:
        """When to tick."""
        return min(self._vitals.deadline(), self._talk.deadline())

    def classify(self, failure: Failure) -> Verdict:
        """No credentials travel in the handshake, so a refused one is no verdict on them."""
        return default_verdict(failure, authenticated=False)
