"""``record``: a connector that writes down whatever its session is given."""

from __future__ import annotations

import copy
import os
import ssl
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import attrs
import trio

from trioquotes._protocol.contract import Venue
from trioquotes._protocol.effects import HttpRequest, Options, Reply, Stamp
from trioquotes._protocol.lane import LaneState
from trioquotes._protocol.outlet import Outlet
from trioquotes._protocol.planner import Planner
from trioquotes._runtime.attendant import Attendant
from trioquotes._runtime.clock import Clock
from trioquotes._runtime.connector import Batch, Connector, Line, LineFailed, Routable, Route, Target
from trioquotes._runtime.subscription import Subscription
from trioquotes._runtime.supervisor import Host, Supervisor
from trioquotes.errors import RecordingError, UsageError
from trioquotes.recording import records as kept
from trioquotes.recording.curtain import Curtain
from trioquotes.recording.journal import Ear, Journal, RecordedLane, RecordedPlanner
from trioquotes.recording.reading import Recording
from trioquotes.recording.writer import Progress, Sync, Writer

if TYPE_CHECKING:
    from trioquotes._runtime.engine import Engine

__all__ = ["Recorder", "RecordingStatus", "record"]

FINISH_WITHIN_S: Final = 5.0
"""How long, in real time, leaving a session waits for the disk: what is not written by then is lost."""
FINISH_AT_ONCE_S: Final = 0.25
"""So long of that the event loop itself stands still for it."""
SEGMENT_BYTES: Final = 64 * 1024 * 1024
SEGMENT_S: Final = 3600.0


def record(
    path: str | os.PathLike[str],
    *,
    connector: Connector | None = None,
    segment_bytes: int = SEGMENT_BYTES,
    segment_s: float = SEGMENT_S,
    sync: Sync = "segment",
) -> Recorder:
    """A connector that records its session into a folder.

    ::

        recorder = tq.record("btc")
        async with tq.Session("coinbase", tq.Trades("BTC-USD"), connector=recorder) as stream: ...

    Everything that decides what the user receives is written down, so that ``replay`` gives the same again; secrets never
    are. Nothing on disk is waited for: a thread writes, four times a second at least. Where it cannot, because the disk
    is full or too slow, the recording ends, with a line in the log and ``Recorder.status().error``; the session goes on.
    A folder that holds a recording of the same venue is continued with a further segment.

    Args:
        path: the folder; made if it is not there.
        connector: how connections are made; the default is TCP and TLS.
        segment_bytes: how large a segment may become, compressed, before the next one is begun.
        segment_s: and how long it may last, in seconds.
        sync: when the system is made to put onto the disk what was written: ``"segment"`` at the end of each, so that
            what a crash of the machine may lose is up to the system, and one of the program loses half a second;
            ``"block"`` every time, several times a second.

    Raises:
        UsageError: a bound is not positive, or ``sync`` is neither of the two.
    """
    return Recorder(Path(path), connector, segment_bytes=segment_bytes, segment_s=segment_s, sync=sync)


@attrs.frozen
class RecordingStatus:
    """How far a recording is; immutable.

    Attributes:
        path: the folder.
        frames: received and recorded.
        records: taken; ``written`` those of them that a crash of the program cannot lose any more.
        raw_bytes: of the records that were written; ``bytes`` what they take compressed.
        segments: begun.
        error: why nothing is recorded any more; ``None`` while all is well.
    """

    path: Path
    frames: int
    records: int
    written: int
    raw_bytes: int
    bytes: int
    segments: int
    error: RecordingError | None


@attrs.define
class _Shared:
    """What all faces of one recorder share.

    Attributes:
        engine: the session that is being recorded.
        journal: of that session, or of the last one.
        progress: of its writer.
    """

    engine: Engine | None = None
    journal: Journal | None = None
    progress: Progress = attrs.field(factory=Progress)


class Recorder(Attendant):
    """A connector that records its session; see :func:`record`."""

    def __init__(
        self,
        path: Path,
        connector: Connector | None,
        *,
        segment_bytes: int,
        segment_s: float,
        sync: Sync,
        make_writer: Callable[..., Any] = Writer,
    ) -> None:
        if segment_bytes < 1 or not segment_s > 0:
            raise UsageError("segment_bytes and segment_s must be positive")
        if sync not in {"segment", "block"}:
            raise UsageError(f'sync is "segment" or "block", not {sync!r}')
        if isinstance(connector, Attendant):
            raise UsageError("a connector that takes part in the session itself cannot be recorded")
        self.path = path
        self._given = connector
        self._route = Route()
        self._make_writer = partial(make_writer, segment_bytes=segment_bytes, segment_s=segment_s, sync=sync)
        self._shared = _Shared()
        self._journal: Journal | None = None

    def __repr__(self) -> str:
        return f"<Recorder {self.path}>"

    def status(self) -> RecordingStatus:
        """How far the recording is now."""
        journal, progress = self._shared.journal, self._shared.progress
        return RecordingStatus(
            path=self.path,
            frames=0 if journal is None else journal.frames,
            records=progress.records,
            written=progress.written,
            raw_bytes=progress.raw_bytes,
            bytes=progress.bytes,
            segments=progress.segments,
            error=progress.error,
        )

    # As a connector ---------------------------------------------------------------------------------

    @property
    def connector(self) -> Connector:
        """What makes the connections."""
        if self._given is None:
            from trioquotes._runtime.transport import TapConnector  # noqa: PLC0415  # loaded when first used

            self._given = TapConnector()
        return self._given

    def through(self, route: Route) -> Recorder:
        """The same recording of connections that go another way.

        Raises:
            UsageError: the connector that makes them has no such ways.
        """
        inner = self.connector
        if not isinstance(inner, Routable):
            raise UsageError(f"{type(inner).__name__} takes no proxy or local_address from a session")
        other = copy.copy(self)
        other._given = inner.through(route)  # noqa: SLF001  # another one of this class
        return other

    def line(self, target: Target) -> AbstractAsyncContextManager[Line]:
        """A line outside of the session's lanes, which is not recorded."""
        return self.connector.line(target)

    async def fetch(
        self, request: HttpRequest, *, timeout_s: float, ssl_context: ssl.SSLContext | None
    ) -> Reply:
        """A fetch outside of the session's lanes, which is not recorded: an audit's findings are."""
        return await self.connector.fetch(request, timeout_s=timeout_s, ssl_context=ssl_context)

    # As part of the session -------------------------------------------------------------------------

    def planner(self, venue: Venue, options: Options, *, raw: bool, channels_per_line: int | None) -> Planner:
        """One whose lanes write down what they are given."""
        return RecordedPlanner(venue, options, raw=raw, channels_per_line=channels_per_line)

    def outlet(self, engine: Engine, subscription: Subscription) -> Outlet:
        """One that hears notices.

        Raises:
            UsageError: another session is being recorded.
        """
        return Ear(subscription, self._attend(engine))

    def supervisor(self, engine: Engine, state: LaneState) -> Supervisor:
        """The usual one, of which connector and clock are listened to."""
        if self._journal is None or not isinstance(state, RecordedLane):
            return Supervisor(engine, state)
        return Supervisor(_LaneHost(engine, state, self._journal, self.connector), state)

    def _attend(self, engine: Engine) -> Journal:
        """The session's journal; the first call begins it.

        Raises:
            UsageError: another session is being recorded.
        """
        shared = self._shared
        if shared.engine is engine and self._journal is not None:
            return self._journal
        if shared.engine is not None:
            raise UsageError(f"{self!r} records a session already; make a second one")
        shared.engine = engine
        curtain = Curtain(engine.secrets.veil, has_credentials=engine.options.has_credentials)
        journal = self._journal = shared.journal = Journal(
            engine.venue, engine.options, curtain, engine.clock, renewable=engine.secrets.renewable
        )
        if isinstance(engine.planner, RecordedPlanner):
            engine.planner.journal = journal
        writer: Writer = self._make_writer(self.path, journal.header)
        journal.writer, shared.progress = writer, writer.progress
        return journal

    def start(self, engine: Engine, nursery: trio.Nursery) -> None:
        """Open the folder, before anything is connected.

        Raises:
            RecordingError: it cannot be written to, or holds the recording of another venue.
            UsageError: another session is being recorded.
        """
        del nursery
        journal = self._attend(engine)
        _, found = next(
            Recording(self.path).headers(), (None, None)
        )  # a crash may leave a segment without any
        if found is not None and found.venue != engine.venue.name:
            raise RecordingError(f"{self.path} is a recording of {found.venue}, not of {engine.venue.name}")
        if journal.writer is not None:
            journal.writer.open()

    def entered(self, engine: Engine) -> None:
        """The user's block begins."""
        journal = self._attend(engine)
        journal.put(kept.SessionEntered(**journal.at()))

    async def finish(self, engine: Engine) -> None:
        """Write what is left."""
        if self._shared.engine is not engine or self._journal is None:
            return
        self._journal.ended()
        self._shared.engine = None
        writer, self._journal.writer = self._journal.writer, None
        if writer is None or not writer.is_open:
            return
        writer.end()
        # A write takes no longer than a moment, and a thread that is waited for lets a virtual clock run away.
        if writer.wait_written(FINISH_AT_ONCE_S):
            return
        if not await trio.to_thread.run_sync(writer.wait_written, FINISH_WITHIN_S):
            writer.give_up(f"the disk did not take the rest within {FINISH_WITHIN_S:g} s")


@attrs.frozen
class _LaneClock(Clock):
    """The session's clock, which remembers the last stamp that may make a request."""

    inner: Clock = attrs.field(kw_only=True)
    last: list[Stamp] = attrs.field(factory=list, kw_only=True)

    def stamp(self) -> Stamp:
        """Now, with a fresh nonce."""
        self.last[:] = [self.inner.stamp()]
        return self.last[0]

    def receipt(self) -> Stamp:
        """Now, without one."""
        return self.inner.receipt()


class _LaneHost:
    """The session, as the supervisor of one lane sees it."""

    def __init__(self, engine: Engine, state: RecordedLane, journal: Journal, connector: Connector) -> None:
        clock = _LaneClock(engine.clock.wall_ns, engine.clock.random, inner=engine.clock)
        self.venue = engine.venue
        self.options = engine.options
        self.settings = engine.settings
        self.budgets = engine.budgets
        self.secrets = engine.secrets
        self.clock: Clock = clock
        self.connector: Connector = _LaneConnector(connector, state, journal, clock)
        self.settle = engine.settle
        self._engine = engine
        self._journal = journal

    def die(self, error: BaseException) -> None:
        """End the session."""
        self._journal.died(error)
        self._engine.die(error)


class _LaneConnector:
    """Makes the lines of one lane, and writes down what becomes of them."""

    def __init__(self, inner: Connector, state: RecordedLane, journal: Journal, clock: _LaneClock) -> None:
        self._inner = inner
        self._state = state
        self._journal = journal
        self._clock = clock

    def line(self, target: Target) -> AbstractAsyncContextManager[Line]:
        """See ``Connector``."""
        stamp = self._clock.last[0]  # the handshake was made with it a moment ago
        self._journal.put(
            kept.LineTried(wall_ns=stamp.wall_ns, monotonic_s=stamp.monotonic_s, **self._state.where)
        )
        return _Opening(self._inner.line(target), self._state, self._journal)

    async def fetch(
        self, request: HttpRequest, *, timeout_s: float, ssl_context: ssl.SSLContext | None
    ) -> Reply:
        """See ``Connector``."""
        number = self._state.request_id(request)
        try:
            reply = await self._inner.fetch(request, timeout_s=timeout_s, ssl_context=ssl_context)
        except LineFailed as failed:
            if number is not None:
                self._state.answer = number, failed.failure
            raise
        if number is not None:
            self._state.answer = number, reply
        return reply


class _Opening(AbstractAsyncContextManager[Line]):
    """The block in which a line is open."""

    def __init__(
        self, line: AbstractAsyncContextManager[Line], state: RecordedLane, journal: Journal
    ) -> None:
        self._line = line
        self._state = state
        self._journal = journal

    async def __aenter__(self) -> Line:
        try:
            line = await self._line.__aenter__()
        except LineFailed as failed:
            failure = self._journal.curtain.failure(failed.failure)
            self._journal.put(kept.LineRefused(failure=failure, **self._journal.at(), **self._state.where))
            raise
        return _RecordedLine(line, self._state, self._journal)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return await self._line.__aexit__(kind, error, traceback)  # noqa: ASYNC102  # the line itself shields and bounds


class _RecordedLine:
    """One open line."""

    def __init__(self, inner: Line, state: RecordedLane, journal: Journal) -> None:
        self._inner = inner
        self._receive = inner.receive
        self._state = state
        self._journal = journal
        self._lost = False

    async def receive(self) -> Batch:
        """See ``Line``."""
        try:
            batch = self._state.batch = await self._receive()
        except LineFailed as failed:
            self._tell_lost(failed)
            raise
        return batch

    async def send(self, frame: bytes) -> None:
        """See ``Line``."""
        try:
            await self._inner.send(frame)
        except LineFailed as failed:
            self._tell_lost(failed)
            raise
        sent = self._journal.curtain.sent(frame)
        self._journal.put(kept.FrameSent(frame=sent, **self._journal.at(), **self._state.where))

    async def ping(self) -> None:
        """See ``Line``."""
        try:
            await self._inner.ping()
        except LineFailed as failed:
            self._tell_lost(failed)
            raise
        self._journal.put(kept.PingSent(**self._journal.at(), **self._state.where))

    def _tell_lost(self, failed: LineFailed) -> None:
        if not self._lost:
            self._lost = True
            failure = self._journal.curtain.failure(failed.failure)
            self._journal.put(kept.LineLost(failure=failure, **self._journal.at(), **self._state.where))


def _hosts(host: _LaneHost) -> Host:
    """Checked by the type checker alone: the view of the session is one."""
    return host
