"""What a simulator remembers for tests: who came, what they asked, what they were sent, what they broke."""

from __future__ import annotations

from collections import Counter, deque

import attrs

__all__ = ["Breach", "ConnectSeen", "FrameLost", "FrameSent", "Records", "RequestSeen", "RestSeen"]

KEPT = 100_000
"""How many entries of each kind are kept at most; older ones go."""


@attrs.frozen
class ConnectSeen:
    """An attempt to connect.

    Attributes:
        time_s: on the simulator's monotonic clock.
        connection: ordinal of the attempt, from 1.
        peer: the client's address.
        path: what was asked for, with its query.
        outcome: ``"open"``, or why not.
    """

    time_s: float
    connection: int
    peer: str
    path: str
    outcome: str


@attrs.frozen
class RequestSeen:
    """A message that a client sent."""

    time_s: float
    connection: int
    frame: str | bytes


@attrs.frozen
class RestSeen:
    """A plain HTTP request and the status that it got."""

    time_s: float
    peer: str
    method: str
    target: str
    status: int


@attrs.frozen
class FrameSent:
    """A frame that went to a client.

    Attributes:
        kind: the venue's name of its type, as fault scripts use it.
    """

    time_s: float
    connection: int
    kind: str
    frame: str | bytes


@attrs.frozen
class FrameLost:
    """A frame that the fault script let nobody have as it was.

    Attributes:
        kind: the venue's name of its type.
        frame: as the venue meant it.
        sent: what went out in its place.
    """

    time_s: float
    connection: int
    kind: str
    frame: str
    sent: tuple[str, ...]


@attrs.frozen
class Breach:
    """A limit of the venue that a client passed.

    Attributes:
        connection: ordinal; 0 where it was no WebSocket connection.
        limit: name of the limit.
        detail: what was counted.
    """

    time_s: float
    connection: int
    peer: str
    limit: str
    detail: str


@attrs.define
class Records:
    """Bounded logs, oldest first.

    Args:
        frames_kept: how many sent frames are kept of all connections together; 0 keeps none.

    Attributes:
        faults: how often the fault script did something, by the fault's name.
        frames: that were sent, as they were sent.
        lost: frames that the fault script left out, held back or changed, as the venue meant them.
    """

    frames_kept: int = 10_000
    connects: deque[ConnectSeen] = attrs.field(factory=lambda: deque(maxlen=KEPT), init=False)
    requests: deque[RequestSeen] = attrs.field(factory=lambda: deque(maxlen=KEPT), init=False)
    rest: deque[RestSeen] = attrs.field(factory=lambda: deque(maxlen=KEPT), init=False)
    breaches: deque[Breach] = attrs.field(factory=lambda: deque(maxlen=KEPT), init=False)
    faults: Counter[str] = attrs.field(factory=Counter, init=False)
    frames: deque[FrameSent] = attrs.field(init=False)
    lost: deque[FrameLost] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.frames = deque(maxlen=self.frames_kept)
        self.lost = deque(maxlen=self.frames_kept)

    def sent_to(self, connection: int, kind: str | None = None) -> list[FrameSent]:
        """The kept frames that went to one connection, of one kind or of all."""
        return [f for f in self.frames if f.connection == connection and kind in {None, f.kind}]

    def breached(self, limit: str = "") -> list[Breach]:
        """The breaches of one limit, or of all."""
        return [breach for breach in self.breaches if limit in {"", breach.limit}]
