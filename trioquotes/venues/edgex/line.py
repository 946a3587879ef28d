"""What both sockets share: frames around the content, pings in both directions, the watch on silence."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

from trioquotes._protocol.codec import BadFrame, Counter
from trioquotes._protocol.contract import Sink
from trioquotes._protocol.effects import Failure, Reply, Stamp
from trioquotes._protocol.liveness import Watch
from trioquotes.venues.edgex.channels import PONG, TRADE_EVENT
from trioquotes.venues.edgex.messages import Frame, Pong
from trioquotes.venues.edgex.private import TradeEvent
from trioquotes.venues.edgex.readers import FRAME, Reader, read_trade_event
from trioquotes.venues.edgex.requests import echo, ping

__all__ = ["PING_EVERY_S", "PONG_WITHIN_S", "QUIET_S", "Line"]

QUIET_S: Final = 20.0
"""Silence after which we ping: two pings of the server, due every 10 s, stayed away.

*Source:* recorded frames; spot documentation, "Heartbeat".
"""
PONG_WITHIN_S: Final = 10.0
"""How long after that anything at all must come: 30 s, three pings of the server, in all."""
PING_EVERY_S: Final = 30.0
"""How often latency is measured while somebody wants to know, as the venue's own clients do."""

_TIME: Final[Reader[int]] = Reader(Counter, numbers=False)


class Line(ABC):
    """Control frames and liveness of one connection."""

    def __init__(self) -> None:
        self._watch = Watch(QUIET_S, PONG_WITHIN_S)
        self._pinged: dict[int, float] = {}  # when each ping without an answer went out, by its time
        self._measuring = False
        self._ping_at_s = math.inf
        self._handlers: dict[str, Callable[[Frame, bytes, Stamp, Sink], None]] = {
            "connected": self._connected,
            "ping": self._ping,
            "pong": self._pong,
            "error": self._error,
        }

    # Frames.

    def receive(self, frame: bytes, stamp: Stamp, out: Sink) -> None:
        """One frame."""
        self._watch.heard(stamp.monotonic_s)
        try:
            head = FRAME.read(frame)
        except BadFrame as bad:
            out.malformed(frame, bad.reason)
            self._unreadable(out)
            return
        handler = self._handlers.get(head.type)
        if handler is None:
            out.unknown(head.type, frame)
            return
        try:
            handler(head, frame, stamp, out)
        except BadFrame as bad:
            out.malformed(frame, bad.reason)

    @abstractmethod
    def _unreadable(self, out: Sink) -> None:
        """A frame that says nothing may have been anything."""

    @abstractmethod
    def _error(self, head: Frame, frame: bytes, stamp: Stamp, out: Sink) -> None:
        """A refusal."""

    def _connected(self, head: Frame, frame: bytes, stamp: Stamp, out: Sink) -> None:
        del head, frame, stamp
        out.ignored("control")

    def _ping(self, head: Frame, frame: bytes, stamp: Stamp, out: Sink) -> None:
        del frame, stamp
        out.reply(echo(bytes(head.time)))
        out.ignored("heartbeat")

    def _pong(self, head: Frame, frame: bytes, stamp: Stamp, out: Sink) -> None:
        del frame
        time_ms = _TIME.read(bytes(head.time), "$.time")
        sent_s = self._pinged.pop(time_ms, None)
        if sent_s is not None:
            out.round_trip(stamp.monotonic_s - sent_s)
        if not self._measuring:
            out.ignored("heartbeat")
            return
        out.confirmed((PONG,))
        latency_ns = None if sent_s is None else round((stamp.monotonic_s - sent_s) * 1e9)
        out.deliver(PONG, Pong(time=time_ms, latency_ns=latency_ns))

    def _trade_event(self, head: Frame, frame: bytes, out: Sink) -> TradeEvent | None:
        """Hand over a ``trade-event``; its entries are its elements."""
        try:
            read = read_trade_event(bytes(head.content))
        except BadFrame as bad:
            out.malformed(frame, bad.reason, channel=TRADE_EVENT)
            return None
        out.confirmed((TRADE_EVENT,))
        if read.reasons:
            out.malformed(frame, read.complaint, channel=TRADE_EVENT, elements=len(read.reasons))
        if read.entries or not read.reasons:
            out.deliver(TRADE_EVENT, read.message, elements=read.entries or 1)
        return read.message

    def fetched(self, request_id: int, reply: Reply | Failure, stamp: Stamp, out: Sink) -> None:
        """Nothing is ever fetched."""
        del request_id, reply, stamp
        out.ignored("not asked for")

    # Time.

    def _opening(self, stamp: Stamp) -> None:
        """The line is about to be opened: the watch starts."""
        self._watch.heard(stamp.monotonic_s)

    def _measure(self, stamp: Stamp) -> None:
        """A ping of ours goes out now; from here on one does at regular times."""
        self._measuring = True
        self._note_ping(stamp)
        self._ping_at_s = stamp.monotonic_s + PING_EVERY_S

    def _measure_no_more(self) -> None:
        self._measuring = False
        self._ping_at_s = math.inf

    def _note_ping(self, stamp: Stamp) -> None:
        self._pinged.clear()  # the server answers at once: one that it did not answer is lost
        self._pinged[stamp.wall_ns // 1_000_000] = stamp.monotonic_s

    def pong(self, stamp: Stamp, out: Sink) -> None:
        """The answer to a WebSocket ping: whoever sent it, the line is alive."""
        del out
        self._watch.heard(stamp.monotonic_s)

    def tick(self, stamp: Stamp, out: Sink) -> None:
        """Ping where it is time to, give up a line that is dead."""
        now_s = stamp.monotonic_s
        silent_s = self._watch.silent_s(now_s)
        verdict = self._watch.check(now_s)
        if verdict == "dead":
            out.lost(f"nothing came for {silent_s:.0f} s, not even the answer to a ping")
        due = now_s >= self._ping_at_s
        if due:
            self._ping_at_s = now_s + PING_EVERY_S
        if due or verdict == "ping":
            self._note_ping(stamp)
            out.reply(ping(stamp.wall_ns // 1_000_000))

    def deadline(self) -> float:
        """When to tick."""
        return min(self._watch.deadline(), self._ping_at_s)
