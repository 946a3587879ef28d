"""What goes wrong between a session and its venue, as data: with links, and with the clock of the machine.

The sister of ``trioquotes.simulator.faults``, which says what a venue does wrong. A script may hold both: values
without state that can be written to JSON and read back, so that one that found something can be shrunk and kept.
``link`` is the ordinal of the attempt to open a stream, WebSocket or HTTP, from 1; ``None`` means every one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

import msgspec

from trioquotes.simulator.faults import Fault

__all__ = [
    "ChopLink",
    "CutLink",
    "DelayLink",
    "HangLink",
    "LinkFault",
    "RefuseLink",
    "SilenceLink",
    "StallLink",
    "StepClock",
    "SuspendMachine",
    "WorldFault",
    "script_from_json",
    "script_to_json",
    "split_script",
]


class _LinkFault(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    link: int | None = None


class RefuseLink(_LinkFault, frozen=True):
    """Open no stream."""

    why: Literal["refused", "unreachable", "unknown"] = "refused"


class HangLink(_LinkFault, frozen=True):
    """Never answer the attempt to open a stream, as behind a firewall that drops."""


class DelayLink(_LinkFault, frozen=True):
    """Let everything take a while, in both directions; what comes meanwhile goes along with the next.

    Attributes:
        delay_s: seconds each way.
    """

    delay_s: float = 0.05


class ChopLink(_LinkFault, frozen=True):
    """Hand over small pieces, with pauses, of what the venue sends.

    Attributes:
        piece_bytes: of one piece.
        pause_s: seconds after each.
        first_bytes: how much is treated so; the rest passes as it is.
    """

    piece_bytes: int = 1
    pause_s: float = 0.001
    first_bytes: int = 2_000


class StallLink(_LinkFault, frozen=True):
    """Hold everything back for a while, in both directions, and then let it pass at once.

    Attributes:
        after_s: seconds after the stream was opened; ``for_s`` how long.
    """

    after_s: float = 0.0
    for_s: float = 5.0


class CutLink(_LinkFault, frozen=True):
    """End the stream, maybe in the middle of a frame.

    Attributes:
        after_bytes: right after so many bytes that the venue sent;
        after_s: or so many seconds after it was opened, if not ``None``.
        how: as if the peer had hung up (``fin``), or been torn away (``reset``).
    """

    after_bytes: int | None = None
    after_s: float | None = None
    how: Literal["fin", "reset"] = "fin"


class SilenceLink(_LinkFault, frozen=True):
    """Let nothing pass any more, in either direction, not even the end: both sides hold the stream for open.

    Attributes:
        after_s: seconds after the stream was opened.
    """

    after_s: float = 0.0


class StepClock(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Set the machine's wall clock to another time; the monotonic one goes on.

    Attributes:
        at_s: seconds after the world began.
        by_s: seconds forward; negative ones go back.
    """

    at_s: float
    by_s: float


class SuspendMachine(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Let time pass while nothing runs, as on a machine that was asleep; only in ``run_world``.

    Attributes:
        at_s: seconds after the world began.
        for_s: how long.
    """

    at_s: float
    for_s: float


LinkFault: TypeAlias = RefuseLink | HangLink | DelayLink | ChopLink | StallLink | CutLink | SilenceLink
WorldFault: TypeAlias = LinkFault | StepClock | SuspendMachine


def script_to_json(script: Sequence[Fault | WorldFault]) -> str:
    """A script as JSON text."""
    return msgspec.json.encode(list(script)).decode()


def script_from_json(text: str) -> tuple[Fault | WorldFault, ...]:
    """The script that :func:`script_to_json` wrote.

    Raises:
        msgspec.ValidationError: for text that is not such a script.
    """
    return msgspec.json.decode(text, type=tuple[Fault | WorldFault, ...])


def split_script(script: Iterable[Fault | WorldFault]) -> tuple[list[Fault], list[WorldFault]]:
    """What of a script is the venue's part, for its simulator, and what is the world's."""
    venues: list[Fault] = []
    worlds: list[WorldFault] = []
    for fault in script:
        if isinstance(fault, WorldFault):
            worlds.append(fault)
        else:
            venues.append(fault)
    return venues, worlds
