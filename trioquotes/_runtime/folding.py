"""How notices that follow each other become one, and what those weigh that carry a frame."""

from __future__ import annotations

from collections.abc import Container, Sized
from typing import TYPE_CHECKING, ClassVar, Protocol

import attrs
import msgspec

from trioquotes.events import Gap, Malformed, Notice, Unknown

if TYPE_CHECKING:
    from trioquotes._runtime.subscription import Subscription

__all__ = [
    "FRAMES_BYTES",
    "RUN_LIMIT",
    "SHORT_BYTES",
    "Cell",
    "Run",
    "fold",
    "frame_bytes",
    "is_same",
    "key_of",
    "shortened",
]

RUN_LIMIT = 64
"""Different notices that may follow each other before those of one kind are folded whatever they say."""

FRAMES_BYTES = 4 * 1024 * 1024
"""What the frames may weigh that the waiting notices of one mailbox carry, beside one of any size: enough to see what a
venue does wrong, and an eighth of what events may weigh. Of what comes on top the beginning is kept."""

SHORT_BYTES = 256
"""The beginning of a frame that is kept where there is no room for all of it."""

_CUT = b"..."


@attrs.define(eq=False)
class Cell:
    """A notice's place in a mailbox.

    Attributes:
        subscription: whose it is.
        notice: ``None`` once it was folded into a later one, or taken back.
        weight_bytes: of the frame that it carries.
    """

    plain: ClassVar = False
    subscription: Subscription
    notice: Notice | None
    weight_bytes: int


class Run(Container[object], Sized, Protocol):
    """The notices that follow each other, by what they are folded by."""


def key_of(notice: Notice, run: Run, *, full: bool) -> object:
    """What a notice is folded by: all it says; in a long run, or a heavy one, its kind alone.

    Args:
        notice: the new one.
        run: those it follows.
        full: whether there is no room for its frame.
    """
    said = msgspec.structs.replace(notice, received_ns=0, count=1)
    if said in run:
        return said
    kind = (type(notice), notice.topic)
    heavy = bool(frame_bytes(notice)) and (full or kind in run)
    return kind if heavy or len(run) >= RUN_LIMIT else said


def fold(old: Notice, new: Notice) -> Notice:
    """Two notices of one run as one: the newer one's words, both counts."""
    folded = msgspec.structs.replace(new, count=old.count + new.count)
    if isinstance(folded, Gap) and isinstance(old, Gap):
        missed = None if old.missed is None or folded.missed is None else old.missed + folded.missed
        return msgspec.structs.replace(folded, missed=missed)
    return folded


def frame_bytes(notice: Notice) -> int:
    """The size of the frame that a notice carries; 0 for most."""
    return len(notice.frame) if isinstance(notice, Malformed | Unknown) else 0


def shortened(notice: Notice) -> Notice:
    """A notice with the beginning of its frame alone, and a mark that it is no more than that."""
    if isinstance(notice, Malformed | Unknown) and len(notice.frame) > SHORT_BYTES:
        return msgspec.structs.replace(notice, frame=notice.frame[:SHORT_BYTES] + _CUT)
    return notice


def is_same(old: Notice, new: Notice) -> bool:
    """Whether they say the same, the older one perhaps with less of its frame."""
    once = msgspec.structs.replace(old, count=1)
    return once == new or (bool(frame_bytes(new)) and once == shortened(new))
