"""Faults as data: a list of frozen values says what goes wrong on which connection, and when.

A script holds no state and can be written to JSON and read back, so that a run that found something can be
run again, and a shrunk script stays a script. ``connection`` is the ordinal of the attempt to connect, from
1; ``None`` means every one. ``nth`` counts from 1 within one connection; ``None`` means every one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias, TypeVar

import msgspec

__all__ = [
    "AckFate",
    "CorruptFrame",
    "DelayAck",
    "DropLine",
    "DuplicateFrame",
    "FailRest",
    "Fault",
    "GarbageHandshake",
    "HangHandshake",
    "LineFaults",
    "MuteLine",
    "NeverSend",
    "PartialAck",
    "RefuseHandshake",
    "RejectRequest",
    "SkipFrame",
    "SwapFrames",
    "TrickleLine",
    "WithholdAck",
    "faults_from_json",
    "faults_to_json",
    "handshake_fault",
]


class _Fault(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    connection: int | None = None


class RefuseHandshake(_Fault, frozen=True):
    """Answer the handshake with an HTTP status."""

    status: int = 503
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""


class HangHandshake(_Fault, frozen=True):
    """Accept the bytes and never answer."""


class GarbageHandshake(_Fault, frozen=True):
    """Answer the handshake with something that is not HTTP, and hang up."""

    text: str = "\x00\x01 this is not HTTP\r\n\r\n"


class DropLine(_Fault, frozen=True):
    """End the line: without a word (``eof``), by a reset where the transport has one, or with a close frame.

    Attributes:
        after_s: seconds after the line opened.
        after_frames: or right after this many frames were sent.
    """

    after_s: float | None = None
    after_frames: int | None = None
    how: Literal["eof", "reset", "close"] = "eof"
    code: int = 1001
    reason: str = ""


class MuteLine(_Fault, frozen=True):
    """Let nothing out any more, not even pongs, and keep the line open.

    Attributes:
        for_s: for how long; what would have been sent meanwhile is lost. ``None`` is for ever.
    """

    after_s: float = 0.0
    for_s: float | None = None


class TrickleLine(_Fault, frozen=True):
    """Send everything after the handshake in small pieces with pauses."""

    piece_bytes: int = 1
    pause_s: float = 0.01


class SkipFrame(_Fault, frozen=True):
    """Leave out the nth frame of a kind, and ``count - 1`` after it."""

    kind: str
    nth: int = 1
    count: int = 1


class NeverSend(_Fault, frozen=True):
    """Leave out every frame of a kind, such as heartbeats."""

    kind: str


class DuplicateFrame(_Fault, frozen=True):
    """Send the nth frame of a kind twice."""

    kind: str
    nth: int = 1


class SwapFrames(_Fault, frozen=True):
    """Send the nth frame of a kind after the next one of that kind."""

    kind: str
    nth: int = 1


class CorruptFrame(_Fault, frozen=True):
    """Send something else in place of the nth frame of a kind: its first half, or the given text."""

    kind: str
    nth: int = 1
    text: str | None = None


class WithholdAck(_Fault, frozen=True):
    """Serve the nth request and never acknowledge it; with ``serve=False`` as if it had not arrived."""

    nth: int | None = None
    serve: bool = True


class PartialAck(_Fault, frozen=True):
    """Serve and acknowledge the nth request without some of the instruments it asked for."""

    leave_out: tuple[str, ...]
    nth: int | None = None


class DelayAck(_Fault, frozen=True):
    """Serve the nth request at once and acknowledge it later, so that data comes first."""

    delay_s: float
    nth: int | None = None


class RejectRequest(_Fault, frozen=True):
    """Refuse the nth request in the venue's form of an error."""

    message: str
    reason: str | None = None
    nth: int | None = None


class FailRest(_Fault, frozen=True):
    """Answer the nth plain HTTP request (of all, ``connection`` is not looked at) with a status, or late."""

    nth: int | None = None
    status: int | None = None
    delay_s: float = 0.0


Fault: TypeAlias = (
    RefuseHandshake | HangHandshake | GarbageHandshake | DropLine | MuteLine | TrickleLine | SkipFrame
    | NeverSend | DuplicateFrame | SwapFrames | CorruptFrame | WithholdAck | PartialAck | DelayAck
    | RejectRequest | FailRest
)  # fmt: skip

FaultT = TypeVar("FaultT", bound=_Fault)


def faults_to_json(faults: Sequence[Fault]) -> str:
    """A script as JSON text."""
    return msgspec.json.encode(list(faults)).decode()


def faults_from_json(text: str) -> tuple[Fault, ...]:
    """The script that :func:`faults_to_json` wrote.

    Raises:
        msgspec.ValidationError: for text that is not such a script.
    """
    return msgspec.json.decode(text, type=tuple[Fault, ...])


def handshake_fault(
    faults: Iterable[Fault], connection: int
) -> RefuseHandshake | HangHandshake | GarbageHandshake | None:
    """What goes wrong with the handshake of this connection; the first in the script counts."""
    for fault in faults:
        if isinstance(fault, RefuseHandshake | HangHandshake | GarbageHandshake) and fault.connection in {
            None,
            connection,
        }:
            return fault
    return None


class AckFate(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one request.

    Attributes:
        reject: the words of a refusal, message and reason, or ``None``.
        serve: whether the subscription takes effect.
        acknowledge: whether it is acknowledged.
        delay_s: how long after.
        leave_out: instruments that are neither served nor acknowledged.
    """

    reject: tuple[str, str | None] | None = None
    serve: bool = True
    acknowledge: bool = True
    delay_s: float = 0.0
    leave_out: frozenset[str] = frozenset()


class LineFaults:
    """A script at work on one connection; no I/O.

    Args:
        faults: the whole script.
        connection: the ordinal of the connection.
    """

    def __init__(self, faults: Iterable[Fault], connection: int) -> None:
        self._faults = [fault for fault in faults if fault.connection in {None, connection}]
        self._seen: Counter[str] = Counter()
        self._held: dict[str, str] = {}
        self._requests = 0

    def of(self, kind: type[FaultT]) -> list[FaultT]:
        """The faults of a type that concern this connection."""
        return [fault for fault in self._faults if isinstance(fault, kind)]

    def outgoing(self, kind: str, text: str) -> list[str]:
        """What is sent in place of a frame: usually itself."""
        self._seen[kind] += 1
        n = self._seen[kind]
        out = [text]
        for fault in self._faults:
            match fault:
                case NeverSend(kind=of) if of == kind:
                    out = []
                case SkipFrame(kind=of, nth=nth, count=count) if of == kind and nth <= n < nth + count:
                    out = []
                case DuplicateFrame(kind=of, nth=nth) if of == kind and n == nth:
                    out = out * 2
                case CorruptFrame(kind=of, nth=nth) if of == kind and n == nth:
                    out = [text[: len(text) // 2] if fault.text is None else fault.text]
                case SwapFrames(kind=of, nth=nth) if of == kind and n == nth:
                    self._held[kind] = text
                    return []
                case _:
                    pass
        if kind in self._held:
            out = [*out, self._held.pop(kind)]
        return out

    def acknowledgement(self) -> AckFate:
        """What becomes of the next request."""
        self._requests += 1
        fate = AckFate()
        for fault in self._faults:
            match fault:
                case RejectRequest() if fault.nth in {None, self._requests}:
                    return AckFate(reject=(fault.message, fault.reason))
                case WithholdAck() if fault.nth in {None, self._requests}:
                    fate = msgspec.structs.replace(fate, acknowledge=False, serve=fault.serve)
                case DelayAck() if fault.nth in {None, self._requests}:
                    fate = msgspec.structs.replace(fate, delay_s=fault.delay_s)
                case PartialAck() if fault.nth in {None, self._requests}:
                    fate = msgspec.structs.replace(fate, leave_out=fate.leave_out | set(fault.leave_out))
                case _:
                    pass
        return fate
