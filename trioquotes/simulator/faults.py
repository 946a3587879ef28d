"""Faults as data: a list of frozen values says what goes wrong on which connection, and when.

A script holds no state and can be written to JSON and read back, so that a run that found something can be
run again, and a shrunk script stays a script. ``connection`` is the ordinal of the attempt to connect, from
1; ``None`` means every one. ``nth`` counts from 1 within one connection; ``None`` means every one.

A venue may repeat what it was sent: in the words of a refused handshake, a close frame and a failed HTTP request
``{sent authorization}`` stands for what the client's request had in that header, ``{sent body}`` for its body.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, Self, TypeAlias, TypeVar

import msgspec

__all__ = [
    "NOT_UTF8",
    "AckFate",
    "AlterFrame",
    "AnnounceHuge",
    "CorruptFrame",
    "DelayAck",
    "DropLine",
    "DuplicateFrame",
    "FailRest",
    "Fault",
    "GarbageHandshake",
    "HangHandshake",
    "Head",
    "LineFaults",
    "Maintenance",
    "MuteLine",
    "NeverSend",
    "PartialAck",
    "RefuseHandshake",
    "RejectRequest",
    "SayOften",
    "SkipFrame",
    "SpoilText",
    "SwapFrames",
    "TrickleLine",
    "WithholdAck",
    "WithholdPongs",
    "faults_from_json",
    "faults_to_json",
    "handshake_fault",
    "repeating",
]


NOT_UTF8 = "\udcc0\udc80"
"""Stands in a frame for bytes that no UTF-8 has."""


class Head(str):
    """In place of a frame: the head of a message of that size."""

    __slots__ = ("size_bytes",)
    size_bytes: int

    def __new__(cls, size_bytes: int) -> Self:
        """A frame's stand-in."""
        head = super().__new__(cls, f"a message of {size_bytes} bytes")
        head.size_bytes = size_bytes
        return head


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
    """Send the nth frame of a kind twice.

    Attributes:
        later: after how many further frames of that kind it comes again.
    """

    kind: str
    nth: int = 1
    later: int = 0


class SwapFrames(_Fault, frozen=True):
    """Send the nth frame of a kind after the next one of that kind."""

    kind: str
    nth: int = 1


class CorruptFrame(_Fault, frozen=True):
    """Send something else in place of the nth frame of a kind: its first half, or the given text."""

    kind: str
    nth: int = 1
    text: str | None = None


class AlterFrame(_Fault, frozen=True):
    r"""Alter the nth frame of a kind where a pattern first fits; one that it does not fit stays as it is.

    Attributes:
        find: a regular expression.
        put: what is put there; ``\g<1>`` is what the first group found.
    """

    kind: str
    find: str
    put: str
    nth: int = 1


class SpoilText(_Fault, frozen=True):
    """Put bytes that are not UTF-8 into the nth frame of a kind."""

    kind: str
    nth: int = 1


class AnnounceHuge(_Fault, frozen=True):
    """Send, in place of the nth frame of a kind, the head of a message of that size, and nothing of the message."""

    kind: str
    nth: int = 1
    size_bytes: int = 2**40


class SayOften(_Fault, frozen=True):
    """Send a frame of the script's own, again and again, such as an error that nobody caused.

    Attributes:
        after_s: seconds after the line opened; ``every_s`` between two, ``count`` in all.
    """

    text: str
    after_s: float = 1.0
    every_s: float = 0.0
    count: int = 10


class WithholdPongs(_Fault, frozen=True):
    """Answer no ping of the WebSocket; a venue's own pongs are frames, see :class:`NeverSend`."""


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
    """Answer the nth plain HTTP request (of all, ``connection`` is not looked at) with a status, or late.

    Attributes:
        headers: of an answer with a status, beside its own.
        body: of an answer with a status, in place of some JSON.
        delay_s: seconds before the answer is made.
        stale_s: seconds that it is on its way then, while the market goes on.
    """

    nth: int | None = None
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: str | None = None
    delay_s: float = 0.0
    stale_s: float = 0.0


class Maintenance(_Fault, frozen=True):
    """Close the venue for a while: lines end with a close frame, handshakes and HTTP requests get a status.

    Attributes:
        after_s: and ``for_s``: seconds, from when the simulator first looked at its clock.
        status: what handshakes and requests are answered with; ``connection`` is not looked at.
    """

    after_s: float
    for_s: float
    status: int = 503
    code: int = 1012


Fault: TypeAlias = (
    RefuseHandshake | HangHandshake | GarbageHandshake | DropLine | MuteLine | TrickleLine | SkipFrame
    | NeverSend | DuplicateFrame | SwapFrames | CorruptFrame | AlterFrame | WithholdAck | PartialAck | DelayAck
    | RejectRequest | FailRest | Maintenance | SpoilText | AnnounceHuge | SayOften | WithholdPongs
)  # fmt: skip

FaultT = TypeVar("FaultT", bound=_Fault)

SENT = re.compile(r"\{sent ([a-z0-9-]+)\}")


def repeating(text: str, headers: Mapping[str, str], body: bytes = b"") -> str:
    """A text of a script with what a client sent in the places where it is to be repeated.

    Args:
        text: of a fault.
        headers: of the client's request, names in lower case.
        body: of the client's request.
    """
    sent = {**headers, "body": body.decode("latin-1")}
    return SENT.sub(lambda found: sent.get(found[1], ""), text)


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
        done: counts what befell frames, by the fault's name.
    """

    def __init__(self, faults: Iterable[Fault], connection: int, done: Counter[str] | None = None) -> None:
        self._faults = [
            fault
            for fault in faults
            if fault.connection in {None, connection} and not isinstance(fault, FailRest | Maintenance)
        ]
        self._of_frames = [fault for fault in self._faults if hasattr(fault, "kind")]
        self._done: Counter[str] = Counter() if done is None else done
        self._seen: Counter[str] = Counter()
        self._held: dict[str, str] = {}
        self._again: list[tuple[str, int, str]] = []
        self._requests = 0

    def of(self, kind: type[FaultT]) -> list[FaultT]:
        """The faults of a type that concern this connection."""
        return [fault for fault in self._faults if isinstance(fault, kind)]

    def mend(self) -> None:
        """Nothing goes wrong from now on."""
        self._faults = []
        self._of_frames = []

    def outgoing(self, kind: str, text: str) -> list[str]:
        """What is sent in place of a frame: usually itself."""
        self._seen[kind] += 1
        n = self._seen[kind]
        out = [text]
        for fault in self._of_frames:
            if getattr(fault, "kind", None) != kind:
                continue
            if isinstance(fault, SwapFrames) and fault.nth == n:
                self._done["SwapFrames"] += 1
                self._held[kind] = text
                return []
            if isinstance(fault, DuplicateFrame) and fault.later and fault.nth == n:
                self._again.append((kind, n + fault.later, text))
                continue
            instead = _instead(fault, n, text, out)
            if instead is not None:
                self._done[type(fault).__name__] += 1
                out = instead
        for late in [one for one in self._again if one[0] == kind and one[1] <= n]:
            self._done["DuplicateFrame"] += 1
            self._again.remove(late)
            out = [*out, late[2]]
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


def _instead(fault: Fault, n: int, text: str, out: list[str]) -> list[str] | None:
    """What a fault sends in place of the nth frame of its kind, of which so much is left; ``None`` where it does nothing."""
    half = len(text) // 2
    match fault:
        case NeverSend():
            return []
        case SkipFrame(nth=nth, count=count) if nth <= n < nth + count:
            return []
        case DuplicateFrame(nth=nth) if n == nth:
            return out * 2
        case CorruptFrame(nth=nth) if n == nth:
            return [text[:half] if fault.text is None else fault.text]
        case AlterFrame(nth=nth) if n == nth and re.search(fault.find, text) is not None:
            return [re.sub(fault.find, fault.put, text, count=1)]
        case SpoilText(nth=nth) if n == nth:
            return [text[:half] + NOT_UTF8 + text[half:]]
        case AnnounceHuge(nth=nth) if n == nth:
            return [Head(fault.size_bytes)]
        case _:
            return None
