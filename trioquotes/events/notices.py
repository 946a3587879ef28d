"""What the session says about the stream itself."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from trioquotes.events.base import BookSide, Event

__all__ = [
    "Audited",
    "Connected",
    "Disconnected",
    "Gap",
    "Lagged",
    "LevelDifference",
    "Malformed",
    "Notice",
    "Rejected",
    "Resynced",
    "Stale",
    "Throttled",
    "Unknown",
]


class Notice(Event, frozen=True, kw_only=True):
    """Root of what the session says about the stream itself, in the channel and in order.

    Attributes:
        venue: name of the venue.
        topic: the topic it concerns; ``None`` for one that concerns the whole line.
        instrument: the instrument it concerns; empty where it concerns all of the channel.
        received_ns: our time when it became known.
        count: how many equal notices were folded into this one; never less than 1.
    """

    venue: str
    received_ns: int
    topic: Any = None
    instrument: str = ""
    count: int = 1


class Connected(Notice, frozen=True, kw_only=True):
    """A line is up and what was wanted on it is being asked for.

    Attributes:
        lane: name of the line; ``connection`` its ordinal, from 1.
    """

    lane: str
    connection: int


class Disconnected(Notice, frozen=True, kw_only=True):
    """A line is gone; every topic it served also gets its :class:`Gap`.

    Attributes:
        lane: name of the line; ``connection`` its ordinal.
        code: the close code; 1006 where no close frame came; ``None`` where it never came up.
        reason: what happened, in one line.
        planned: whether the session itself gave the line up to open a better one.
    """

    lane: str
    connection: int
    reason: str
    code: int | None = None
    planned: bool = False


class Gap(Notice, frozen=True, kw_only=True):
    """Something may be missing before the next event of this topic.

    Attributes:
        reason: what was noticed.
        missed: how many events are missing, where that is known.
    """

    reason: str
    missed: int | None = None


class Resynced(Notice, frozen=True, kw_only=True):
    """The book of this instrument is right again; its snapshot came just before."""


class LevelDifference(msgspec.Struct, frozen=True):
    """One level of which a kept book and a fresh snapshot disagree.

    Attributes:
        side: of the level.
        price: of the level.
        kept: the size that the kept book has there; zero where nothing rests.
        fetched: the size that the snapshot has there; zero where nothing rests.
    """

    side: BookSide
    price: Decimal
    kept: Decimal
    fetched: Decimal


class Audited(Notice, frozen=True, kw_only=True):
    """A kept book was compared with a fresh snapshot and is not the same; its :class:`Gap` follows.

    Attributes:
        compared: how many levels were compared.
        differing: on how many of them the two disagree.
        differences: the first of those, best price first, at most 20.
    """

    compared: int
    differing: int
    differences: tuple[LevelDifference, ...]


class Lagged(Notice, frozen=True, kw_only=True):
    """The consumer was too slow: events were dropped in place of this notice.

    Attributes:
        dropped: how many events of ``topic`` were dropped.
    """

    dropped: int


class Stale(Notice, frozen=True, kw_only=True):
    """Nothing has come for longer than this channel's own beat allows.

    Attributes:
        silent_s: for how many seconds.
    """

    silent_s: float


class Throttled(Notice, frozen=True, kw_only=True):
    """The venue holds data back for a while; the line is alive.

    Attributes:
        reason: the rule that was met.
        until_ns: when data is expected again, in Unix nanoseconds, where known.
    """

    reason: str
    until_ns: int | None = None


class Rejected(Notice, frozen=True, kw_only=True):
    """The venue refused a topic, or did not answer.

    Attributes:
        reason: the venue's words, or ours.
        final: whether the topic has ended; if not, it is asked for again.
    """

    reason: str
    final: bool = True


class Malformed(Notice, frozen=True, kw_only=True):
    """A frame, or an element of it, could not be decoded.

    Attributes:
        reason: what is wrong and where.
        frame: the whole frame as received, but for secrets of the session; its first 256 bytes and ``...`` where more than
            4 MiB of such frames wait.
    """

    reason: str
    frame: bytes


class Unknown(Notice, frozen=True, kw_only=True):
    """A well-formed message of a type that this version does not know.

    Attributes:
        kind: the venue's name of the type.
        frame: the whole frame as received, but for secrets of the session; its first 256 bytes and ``...`` where more than
            4 MiB of such frames wait.
    """

    kind: str
    frame: bytes
