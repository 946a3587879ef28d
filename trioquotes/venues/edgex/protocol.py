"""The public socket: frames in, rows and what they imply out.

Every frame of data names its channel, and every error repeats its request, so any number of requests may be on
their way. A book that breaks is resynced by two requests in order, unsubscribe and subscribe, and until
the snapshot that this brings nothing of the old subscription passes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import repeat
from typing import Any, ClassVar, Final, Literal

from msgspec.structs import force_setattr

from trioquotes._protocol.codec import BadFrame
from trioquotes._protocol.contract import LedgerView, Memory, ReadsMany, Sink
from trioquotes._protocol.effects import (
    Effect,
    Failure,
    Fetch,
    Handshake,
    Options,
    Send,
    Stamp,
    Verdict,
    WireChannel,
)
from trioquotes._protocol.liveness import Beats
from trioquotes._protocol.sequence import OK
from trioquotes._protocol.verdict import default_verdict
from trioquotes.venues.edgex.chain import Chain, Rule
from trioquotes.venues.edgex.channels import PONG, channel_of
from trioquotes.venues.edgex.doors import Doors
from trioquotes.venues.edgex.history import RecentTrades
from trioquotes.venues.edgex.line import Line
from trioquotes.venues.edgex.messages import Content, Depth, Frame, Trade
from trioquotes.venues.edgex.readers import CONTENT, ERROR, ROWS, to_depth
from trioquotes.venues.edgex.requests import ping, read_refusal, subscription

__all__ = ["PUBLIC_PATH", "CapturedProtocol", "PublicProtocol"]

PUBLIC_PATH: Final = "/api/v1/public/ws"
"""The same in both generations."""
NAME_SHOWN: Final = 60
ANSWER_WITHIN_S: Final = 10.0
"""How long an acknowledgement, and the snapshot of a book, may take."""
BEATING: Final = WireChannel("ticker.all.1s")
"""The one channel that has a beat of its own, whatever the market does; all others may rest."""
BEAT_STALE_S: Final = 5.0
"""It comes every second: after five without it, it is stale.

*Source:* public clients that count on it; the pages only name the interval.
"""


class PublicProtocol(Line, ReadsMany):
    """The contract's ``VenueProtocol`` for one connection to the public socket.

    Args:
        memory: what outlives the connection: the latest trades by channel.
        options: of the session.
    """

    captured: ClassVar[bool] = False
    """Whether frames come from a file: nothing is asked, and whatever comes counts as asked."""

    def __init__(self, memory: Memory, options: Options) -> None:
        super().__init__()
        self._memory = memory
        self._base = options.endpoint.public
        self._next_id = 1
        self._asked: dict[WireChannel, float] = {}  # until when an answer to each is waited for
        self._unconfirmed: set[WireChannel] = set()
        self._returning: set[WireChannel] = set()  # withdrawn only to be asked for again
        self._leaving: dict[WireChannel, int] = {}  # the request that unsubscribes each, not yet answered
        self._chains: dict[WireChannel, Chain] = {}
        self._rule = Rule()
        self._doors = Doors()
        self._beats: Beats[WireChannel] = Beats(BEAT_STALE_S)
        self._handlers |= {
            "subscribed": self._subscribed,
            "unsubscribed": self._unsubscribed,
            "quote-event": self._quotes,
            "payload": self._quotes,
        }

    # Requests.

    def handshake(self, stamp: Stamp) -> Handshake:
        """A plain upgrade."""
        self._opening(stamp)
        return Handshake(f"{self._base}{PUBLIC_PATH}")

    def reconcile(self, ledger: LedgerView, stamp: Stamp) -> Effect | None:
        """The next request: one channel each; what is to be resynced is withdrawn, and so asked for again."""
        again = ledger.resyncing
        for channel in (*ledger.to_withdraw, *again):
            one = frozenset({channel})
            return Send(
                _request("unsubscribe", channel, stamp),
                self._next_id,
                withdraws=one,
                resyncs=one if channel in again else frozenset(),
                answer_within_s=ANSWER_WITHIN_S,
            )
        for channel in ledger.to_ask:
            one = frozenset({channel})
            return Send(
                _request("subscribe", channel, stamp),
                self._next_id,
                asks=one,
                resyncs=one if channel.name == "depth" else frozenset(),
                answer_within_s=ANSWER_WITHIN_S,
            )
        return None

    def sent(self, effect: Send | Fetch, stamp: Stamp) -> None:
        """A request went out."""
        self._next_id = effect.id + 1
        self._doors.close()
        for channel in sorted(effect.asks):
            self._asked[channel] = stamp.monotonic_s + ANSWER_WITHIN_S
            self._unconfirmed.add(channel)
            self._returning.discard(channel)
            if channel.name == "depth":
                self._chains.setdefault(channel, Chain(self._rule, awaiting=True))
            if channel == PONG:
                self._measure(stamp)
        for channel in sorted(effect.withdraws) if isinstance(effect, Send) else ():
            self._forget(channel)
            self._memory.pop(channel, None)
            if channel in effect.resyncs:
                self._returning.add(channel)
            else:
                self._chains.pop(channel, None)
            if channel == PONG:
                self._measure_no_more()
            else:
                self._leaving[channel] = effect.id

    def receive(self, frame: bytes, stamp: Stamp, out: Sink) -> None:
        """One frame."""
        doors = self._doors
        if doors.books and doors.pieces.knows(frame) and doors.take(frame):
            self._watch.heard(stamp.monotonic_s)
        else:
            super().receive(frame, stamp, out)

    def receive_many(self, frames: Sequence[bytes], stamp: Stamp, out: Sink) -> None:
        """The same for the frames of one socket read, of which nearly all take a short way."""
        self._watch.heard(stamp.monotonic_s)
        doors = self._doors
        known = doors.pieces.knows_each(frames) if doors.books else repeat(False, len(frames))
        for frame, is_known in zip(frames, known, strict=True):
            out.frame_bytes = len(frame)
            if not (is_known and doors.take(frame)):
                super().receive(frame, stamp, out)

    def _forget(self, channel: WireChannel) -> None:
        """It is no longer asked for; the versions of a book that is asked for again go on counting."""
        self._beats.forget(channel)
        self._asked.pop(channel, None)
        self._unconfirmed.discard(channel)
        if channel in self._chains:
            self._chains[channel].broken()

    # Answers.

    def _subscribed(self, head: Frame, frame: bytes, stamp: Stamp, out: Sink) -> None:
        del frame
        channel = channel_of(head.channel or "")
        if channel is not None:
            self._confirm(channel, stamp, out)
        out.ignored("acknowledgement")

    def _confirm(self, channel: WireChannel, stamp: Stamp, out: Sink) -> None:
        self._unconfirmed.discard(channel)
        out.confirmed((channel,))
        if stamp.monotonic_s >= self._asked.get(channel, math.inf):
            self._asked[channel] = math.inf
            if channel.name == "depth":  # the request was given up, and its snapshot with it
                out.resync(channel)

    def _unsubscribed(self, head: Frame, frame: bytes, stamp: Stamp, out: Sink) -> None:
        del frame, stamp
        self._left(channel_of(head.channel or ""), out)
        out.ignored("acknowledgement")

    def _left(self, channel: WireChannel | None, out: Sink) -> None:
        request_id = None if channel is None else self._leaving.pop(channel, None)
        if request_id is not None:
            out.answered(request_id)

    def _error(self, head: Frame, frame: bytes, stamp: Stamp, out: Sink) -> None:
        del frame, stamp
        self._doors.close()
        pending = self._unconfirmed - {PONG}
        content = ERROR.read(bytes(head.content), "$.content")
        refusal = read_refusal(content, head.request, head.channel, pending)
        out.error(refusal.text)
        self._left(refusal.unsubscribed, out)
        for channel in refusal.blamed:
            self._broken(channel, f"refused: {refusal.text}", out)
            if refusal.kind == "timeout" and channel in self._asked:
                self._asked[channel] = -math.inf
                self._unconfirmed.add(channel)
            else:
                self._forget(channel)
            out.rejected(channel, refusal.text, refusal.kind)
        out.ignored("error")

    # Data.

    def _quotes(self, head: Frame, frame: bytes, stamp: Stamp, out: Sink) -> None:
        try:
            content = CONTENT.read(bytes(head.content), "$.content")
        except BadFrame as bad:
            channel = channel_of(head.channel or "")
            if channel is None:
                out.malformed(frame, bad.reason)
                self._unreadable(out)
            else:
                self._bad(channel, frame, bad.reason, out)
            return
        name = head.channel or content.channel or ""
        channel = channel_of(name)
        if channel is None:
            out.unknown(f"channel {name[:NAME_SHOWN]}", frame)
            return
        if channel in self._unconfirmed:
            self._confirm(channel, stamp, out)
        if channel == BEATING and channel in self._asked:
            self._beats.expect(
                channel, stamp.monotonic_s
            )  # from its first frame on: what never beat has no beat
            self._beats.heard(channel, stamp.monotonic_s)
        self._rows(channel, content, frame, out)

    def _rows(self, channel: WireChannel, content: Content, frame: bytes, out: Sink) -> None:
        """Each row by itself: one that does not decode, or belongs elsewhere, costs no other."""
        try:
            read = ROWS[channel.name].read(bytes(content.data), "$.content.data")
        except BadFrame as bad:
            self._bad(channel, frame, bad.reason, out)
            return
        rows = [row for row in read.rows if not channel.instrument or row.contract_id == channel.instrument]
        astray = len(read.rows) - len(rows)
        if read.reasons:
            self._bad(channel, frame, read.complaint, out, len(read.reasons))
        if astray:
            self._bad(channel, frame, "a row of another contract at $.content.data", out, astray)
        if not rows and not read.reasons and not astray:
            out.ignored("empty")
        for row in rows:
            force_setattr(row, "data_type", content.data_type)
        whole = content.data_type.lower() == "snapshot"
        if channel.name == "depth":
            for row in rows:
                self._depth(channel, row, frame, out)
            return
        if channel.name == "trades":
            self._remember(channel, rows, out, whole=whole)
        for row in rows:
            out.deliver(channel, row, instrument=getattr(row, "contract_id", ""))

    def _bad(self, channel: WireChannel, frame: bytes, reason: str, out: Sink, elements: int = 1) -> None:
        """Data of a channel that cannot be used; a book that misses it is wrong."""
        out.malformed(frame, reason, channel=channel, elements=elements)
        if channel.name == "depth":
            self._broken(channel, "a part of the book cannot be read", out)

    def _unreadable(self, out: Sink) -> None:
        """It may have been a part of any book."""
        for channel in sorted(self._chains):
            if not self._chains[channel].awaiting:
                self._broken(channel, "a frame that cannot be read may have been a part of the book", out)

    # Trades, whose first rows are history.

    def _remember(self, channel: WireChannel, rows: Sequence[Trade], out: Sink, *, whole: bool) -> None:
        if channel not in self._asked:
            return  # what nobody asked for must not fill our memory
        recent = self._memory.get(channel)
        if not isinstance(recent, RecentTrades):
            recent = self._memory[channel] = RecentTrades()
        if not whole:
            recent.passed(rows)
            return
        step = recent.history(rows)
        if step is not OK:
            out.gap(channel, "trades passed while the line was down", missed=step.missed)

    # Books.

    def _depth(self, channel: WireChannel, row: Any, frame: bytes, out: Sink) -> None:
        try:
            depth = to_depth(row, int(channel.detail))
        except BadFrame as bad:
            self._bad(channel, frame, bad.reason, out)
            return
        chain = self._chains.get(channel)
        if self.captured and (chain is None or depth.is_snapshot):  # nothing can be asked for again
            chain = self._chains[channel] = Chain(self._rule, awaiting=False)
        if chain is None or not (self.captured or channel in self._asked):
            self._unasked(channel, chain, depth, out)
        elif depth.is_snapshot:
            self._snapshot(channel, chain, depth, out)
        else:
            self._change(channel, chain, depth, frame, out)

    def _unasked(self, channel: WireChannel, chain: Chain | None, depth: Depth, out: Sink) -> None:
        """Of a subscription that was given up, or of none: no book is kept of it, whoever may have come meanwhile."""
        if chain is not None:
            chain.passed(depth.end_version)
        out.ignored("resyncing" if channel in self._returning else "not asked for")

    def _snapshot(self, channel: WireChannel, chain: Chain, depth: Depth, out: Sink) -> None:
        if chain.snapshot(depth.end_version):
            # Before it is delivered: a book that finds itself crossed asks for the next one.
            out.resynced(channel)
            out.deliver(channel, depth, instrument=depth.contract_id)
            return
        self._broken(channel, f"a snapshot goes back to version {depth.end_version}", out)
        out.resync(channel)
        out.ignored("older than a change")

    def _change(self, channel: WireChannel, chain: Chain, depth: Depth, frame: bytes, out: Sink) -> None:
        last = chain.last
        match chain.change(depth.start_version, depth.end_version):
            case "take":
                out.deliver(channel, depth, instrument=depth.contract_id)
                self._doors.open(channel, chain, frame, out)
            case "stale":
                out.ignored("stale")
            case "awaiting":
                out.ignored("awaiting snapshot")
            case _:
                self._broken(channel, f"the version went from {last} to {depth.start_version}", out)
                out.ignored("awaiting snapshot")

    def _broken(self, channel: WireChannel, reason: str, out: Sink) -> None:
        """Say it, and ask for the snapshot again; what is broken already has been said."""
        chain = self._chains.get(channel)
        if chain is None or chain.awaiting:
            return
        chain.broken()
        out.gap(channel, reason)
        out.resync(channel)

    # Time.

    def tick(self, stamp: Stamp, out: Sink) -> None:
        """Watch the line, and what has a beat."""
        super().tick(stamp, out)
        for channel, silent_s in self._beats.check(stamp.monotonic_s):
            out.stale(channel, silent_s)

    def deadline(self) -> float:
        """When to tick."""
        return min(super().deadline(), self._beats.deadline())

    # Endings.

    def classify(self, failure: Failure) -> Verdict:
        """What to do after a failure: the venue says nothing of its own."""
        return default_verdict(failure, authenticated=False)


def _request(kind: Literal["subscribe", "unsubscribe"], channel: WireChannel, stamp: Stamp) -> bytes:
    """Pongs are no channel of the venue's: asking for them is pinging, and so is taking leave of them."""
    return ping(stamp.wall_ns // 1_000_000) if channel == PONG else subscription(kind, channel)


class CapturedProtocol(PublicProtocol):
    """Reads captured frames of both sockets."""

    captured = True

    def __init__(self, memory: Memory, options: Options) -> None:
        super().__init__(memory, options)
        self._handlers["trade-event"] = self._event

    def _event(self, head: Frame, frame: bytes, stamp: Stamp, out: Sink) -> None:
        del stamp
        self._trade_event(head, frame, out)
