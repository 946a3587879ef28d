"""What a recording is made of: one value for everything that decides what a user of the session receives.

A session is a deterministic core that is given frames, answers and times. A recording holds those, in the order in which
they were given, and beside them what is for people and for checks: what was sent, why lines failed, the notices.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import msgspec

from trioquotes._protocol.effects import Endpoint, Failure, Lane, Options, Stamp, WireChannel
from trioquotes.events import LevelDifference

__all__ = [
    "AnswersOverdue",
    "BookAudited",
    "ClockDoubted",
    "FrameSent",
    "FramesReceived",
    "KeptFailure",
    "LaneEnded",
    "LanePlanned",
    "LineClosed",
    "LineLost",
    "LineOpened",
    "LineRefused",
    "LineTried",
    "NoticeGiven",
    "PingSent",
    "Record",
    "RequestAnswered",
    "RequestMade",
    "RunBegun",
    "RunEnded",
    "SecretsRenewed",
    "SessionDied",
    "SessionEntered",
    "TimePassed",
    "TopicWanted",
    "failure_of",
    "harmless",
    "kept_failure",
]

FORMAT: Final = 1
"""Version of the format; a reader refuses a later one."""

HEADERS: Final = frozenset({"content-type", "date", "retry-after"})
"""Headers of answers that are kept: those that decide anything. Others may hold cookies and tokens."""


class _Record(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What all records say.

    Attributes:
        wall_ns: when, in Unix nanoseconds.
        monotonic_s: when, in seconds on the monotonic clock of the recorded run.
        lane: name of the lane; empty for what concerns the whole session.
        connection: number of the lane's connection, from 1; 0 before the first.
        behind: whether a reader had not read yet all that there was before: then notices that repeat each other were, and
            are again, one with a count.
    """

    wall_ns: int
    monotonic_s: float
    lane: str = ""
    connection: int = 0
    behind: bool = False

    @property
    def stamp(self) -> Stamp:
        """When, as the core is told it."""
        return Stamp(self.wall_ns, self.monotonic_s)


class RunBegun(_Record, frozen=True, tag=1):
    """A session was entered; every segment repeats it, with what is known by then.

    Attributes:
        format: version of the format.
        software: version of the package that recorded.
        venue: name of the venue.
        run: tells the runs of a folder apart.
        segment: number of this segment within the run, from 0.
        records: of the run before this segment.
        endpoint: where the venue was, by the names of ``Endpoint``, without queries and users.
        options: the venue's own options.
        has_credentials: whether the session had any.
        renewable: whether they came from a provider.
        topics: what was subscribed, as the texts of :class:`TopicWanted`.
        lanes: the latest plan of every lane.
    """

    format: int
    software: str
    venue: str
    run: str
    segment: int
    records: int
    endpoint: dict[str, str | bool | None]
    options: dict[str, str]
    has_credentials: bool
    renewable: bool
    topics: tuple[str, ...] = ()
    lanes: tuple[LanePlanned, ...] = ()

    def session_options(self) -> Options:
        """What the venue was told of the session."""
        return Options(
            endpoint=Endpoint(**self.endpoint),  # type: ignore[arg-type]  # they are its own fields
            has_credentials=self.has_credentials,
            extra=dict(self.options),
        )


class RunEnded(_Record, frozen=True, tag=2):
    """The session was left, or the recording was ended; a run without this one was cut off."""


class TopicWanted(_Record, frozen=True, tag=3):
    """Somebody subscribed to a topic.

    Attributes:
        topic: as JSON, see ``topic_from_text``.
    """

    topic: str


class LanePlanned(_Record, frozen=True, tag=4):
    """What a lane carries from now on.

    Attributes:
        name: and ``shard``: of the lane.
        channels: what is wanted on it.
        taken: those of them whose messages go to topics; the others are implied.
    """

    name: str
    shard: int
    channels: tuple[WireChannel, ...]
    taken: tuple[WireChannel, ...]

    @property
    def key(self) -> Lane:
        """The lane."""
        return Lane(self.name, self.shard)


class LineTried(_Record, frozen=True, tag=5):
    """An attempt to connect began."""


class KeptFailure(msgspec.Struct, frozen=True, array_like=True):
    """What is kept of a failure: the fields of ``Failure``, without secrets, and of the headers the harmless ones."""

    stage: str
    reason: str
    status: int | None = None
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    body: bytes = b""
    close_code: int | None = None
    close_reason: str = ""
    too_large: bool = False


class LineRefused(_Record, frozen=True, tag=6):
    """The attempt came to nothing."""

    failure: KeptFailure


class LineOpened(_Record, frozen=True, tag=7):
    """A line is up; it is the one with the number ``connection``."""


class FramesReceived(_Record, frozen=True, tag=8):
    """What one socket read brought.

    Attributes:
        frames: payloads of whole messages, oldest first.
        pongs: how many pongs.
        round_trip_s: what the newest of them says of the way to the venue and back.
    """

    frames: list[bytes]
    pongs: int = 0
    round_trip_s: float | None = None


class FrameSent(_Record, frozen=True, tag=9):
    """A frame went out.

    Attributes:
        frame: of a session with credentials only what is known to be harmless.
    """

    frame: bytes


class PingSent(_Record, frozen=True, tag=10):
    """A WebSocket ping went out."""


class RequestMade(_Record, frozen=True, tag=11):
    """The protocol asked for something, on the socket or by REST.

    Attributes:
        id: the protocol's number for it.
        frame: what is to be sent, as in :class:`FrameSent`; empty for REST.
        method: and ``url``: of a REST request, without its query; empty for the socket.
        asks: channels that it asks for; ``withdraws`` those that it withdraws, ``resyncs`` those of which it brings the
            snapshot again.
        within_s: how long an answer is waited for.
    """

    id: int
    frame: bytes = b""
    method: str = ""
    url: str = ""
    asks: tuple[WireChannel, ...] = ()
    withdraws: tuple[WireChannel, ...] = ()
    resyncs: tuple[WireChannel, ...] = ()
    within_s: float = 0.0


class RequestAnswered(_Record, frozen=True, tag=12):
    """The answer to a REST request of the protocol, or why there is none.

    Attributes:
        id: as in :class:`RequestMade`.
        nonce: that the core was given along with the time.
        status: of the answer; ``None`` if there is none.
        headers: the harmless ones.
        body: of the answer.
        failure: why there is no answer.
    """

    id: int
    nonce: bytes
    status: int | None = None
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    body: bytes = b""
    failure: KeptFailure | None = None


class TimePassed(_Record, frozen=True, tag=13):
    """The protocol was told what time it is: heartbeats and watchdogs.

    Attributes:
        nonce: that it was given along with the time.
    """

    nonce: bytes


class AnswersOverdue(_Record, frozen=True, tag=14):
    """The ledger gave up waiting for something."""


class ClockDoubted(_Record, frozen=True, tag=15):
    """The machine slept, or its clock was set.

    Attributes:
        reason: in words.
    """

    reason: str


class LineLost(_Record, frozen=True, tag=16):
    """The line broke, in the words of whoever noticed; :class:`LineClosed` follows where it matters to anybody."""

    failure: KeptFailure


class LineClosed(_Record, frozen=True, tag=17):
    """The session said that the line is gone.

    Attributes:
        reason: one line for people.
        code: of the close frame, if any.
        planned: whether it was meant to go.
        gap_reason: what the topics that it served were told.
    """

    reason: str
    code: int | None
    planned: bool
    gap_reason: str


class LaneEnded(_Record, frozen=True, tag=18):
    """The topics of a lane are over.

    Attributes:
        error: name of the exception's class.
        text: its words.
    """

    error: str
    text: str


class SessionDied(_Record, frozen=True, tag=19):
    """The session ended with an error.

    Attributes:
        error: name of the exception's class.
        text: its words.
    """

    error: str
    text: str


class BookAudited(_Record, frozen=True, tag=20):
    """An audit found a kept book wrong.

    Attributes:
        topic: whose book.
        compared: levels that were compared.
        differing: how many differ.
        differences: the first of those.
    """

    topic: str
    compared: int
    differing: int
    differences: tuple[LevelDifference, ...]


class SecretsRenewed(_Record, frozen=True, tag=21):
    """What became of the credentials of a lane.

    Attributes:
        served: whether a line ended that had brought data; else fresh ones are asked for now.
    """

    served: bool


class NoticeGiven(_Record, frozen=True, tag=22):
    """A subscriber was told something; for people and for checks, a replay makes its own.

    Attributes:
        line: the notice as a line of JSON.
    """

    line: bytes


class SessionEntered(_Record, frozen=True, tag=23):
    """All topics were confirmed, and the user's block began: nothing was read before."""


Record: TypeAlias = (
    RunBegun
    | RunEnded
    | TopicWanted
    | LanePlanned
    | LineTried
    | LineRefused
    | LineOpened
    | FramesReceived
    | FrameSent
    | PingSent
    | RequestMade
    | RequestAnswered
    | TimePassed
    | AnswersOverdue
    | ClockDoubted
    | LineLost
    | LineClosed
    | LaneEnded
    | SessionDied
    | BookAudited
    | SecretsRenewed
    | NoticeGiven
    | SessionEntered
)


def harmless(headers: Mapping[str, str]) -> dict[str, str]:
    """Those headers that are kept."""
    return {name: value for name, value in headers.items() if name in HEADERS}


def kept_failure(failure: Failure) -> KeptFailure:
    """What is kept of a failure, from which every secret was hidden before."""
    return KeptFailure(
        failure.stage,
        failure.reason,
        failure.status,
        harmless(failure.headers),
        failure.body,
        failure.close_code,
        failure.close_reason,
        failure.too_large,
    )


def failure_of(kept: KeptFailure) -> Failure:
    """The failure again."""
    stage: Any = kept.stage
    return Failure(
        stage,
        kept.reason,
        status=kept.status,
        headers=kept.headers,
        body=kept.body,
        close_code=kept.close_code,
        close_reason=kept.close_reason,
        too_large=kept.too_large,
    )
