"""``replay``: a connector that plays a recording to a session."""

from __future__ import annotations

import math
import os
import ssl
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import trio

from trioquotes._protocol.budget import BudgetStatistics
from trioquotes._protocol.contract import Venue
from trioquotes._protocol.effects import HttpRequest, Options, Reply
from trioquotes._protocol.lane import LaneState
from trioquotes._protocol.outlet import Outlet
from trioquotes._protocol.planner import Planner
from trioquotes._runtime.attendant import Attendant
from trioquotes._runtime.clock import Clock
from trioquotes._runtime.connector import Line, Target
from trioquotes._runtime.subscription import Subscription
from trioquotes._runtime.supervisor import Supervisor
from trioquotes.errors import UsageError
from trioquotes.events import Event
from trioquotes.recording.player import Player, ReplayProgress
from trioquotes.recording.reading import Recording
from trioquotes.recording.records import LanePlanned, RunBegun, TopicWanted
from trioquotes.recording.stage import Repertoire, ReplayPlanner, repertoire_of
from trioquotes.topics import Topic

if TYPE_CHECKING:
    from trioquotes._runtime.engine import Engine

__all__ = ["ReplayProgress", "Replayer", "replay"]

AHEAD: Final = 256
"""Events that a replay may be ahead of its readers: enough that waking them costs little."""


def replay(
    path: str | os.PathLike[str],
    *,
    speed: float | Literal["max"] | None = 1.0,
    ahead: int = AHEAD,
) -> Replayer:
    """A connector that plays a recording: the session's user receives what the recorded one did.

    ::

        recording = tq.replay("btc", speed="max")
        async with tq.Session(recording.venue, *recording.topics, connector=recording) as stream:
            async for event in stream: ...

    Events, notices, books and all times of receipt are those of the recorded session; nothing is sent anywhere, and no
    credentials are needed. After the last record the stream ends. Topics may be others than were recorded as long as
    their data is there; one of which it is not is refused when the session is made. Everybody is waited for: no buffer
    overflows because the replay is fast.

    Args:
        path: the folder.
        speed: 1.0 is as it was, 10.0 ten times as fast; ``"max"`` or ``None`` as fast as the session's readers read.
        ahead: how many events may wait for readers at ``"max"`` before the replay waits for them. 0 lets everybody read
            what one read of the socket brought before the next one is played, as it is for a program that keeps up
            with a live venue. So it is in any case while a live book is looked at.

    Raises:
        UsageError: the speed is not positive, or ``ahead`` negative.
    """
    if speed is None or speed == "max":
        pace = math.inf
    elif not speed > 0:
        raise UsageError(f'speed is a positive number, or "max", not {speed!r}')
    else:
        pace = float(speed)
    if ahead < 0:
        raise UsageError("ahead must not be negative")
    return Replayer(Path(path), pace, ahead)


class Replayer(Attendant):
    """A connector that plays a recording; see :func:`replay`.

    One may serve several sessions, each from the beginning.

    Attributes:
        path: the folder.
        progress: of the latest session.
    """

    overflows = Attendant.overflows | {"wait"}

    def __init__(self, path: Path, pace: float, ahead: int) -> None:
        self.path = path
        self.progress = ReplayProgress()
        self._recording = Recording(path)
        self._pace = pace
        self._ahead = ahead
        self._header: RunBegun | None = None
        self._repertoire: Repertoire | None = None
        self._now_ns = 0
        self._ended_ns = 0
        self._players: dict[Engine, Player] = {}

    def __repr__(self) -> str:
        return f"<Replayer {self.path}>"

    @property
    def venue(self) -> str:
        """Name of the recorded venue.

        Raises:
            RecordingError: there is no recording, or it cannot be read.
        """
        return self._begun().venue

    @property
    def topics(self) -> tuple[Topic[Event], ...]:
        """What was subscribed while it was recorded, of one of the package's own venues.

        Raises:
            RecordingError: there is no recording, or it cannot be read.
        """
        from trioquotes._runtime.session import find_venue  # noqa: PLC0415  # it imports what attends it

        return self._known(find_venue(self.venue)).topics

    def _begun(self) -> RunBegun:
        if self._header is None:
            self._header = self._recording.header()
            self._now_ns = self._header.wall_ns
        return self._header

    def _known(self, venue: Venue) -> Repertoire:
        """What can be asked for: each segment says what there was before it, and the last one is read."""
        if self._repertoire is None:
            texts: list[str] = []
            plans: list[LanePlanned] = []
            for header in self._recording.outline():
                if isinstance(header, RunBegun):
                    texts += header.topics
                    plans += header.lanes
                elif isinstance(header, LanePlanned):
                    plans.append(header)
                elif isinstance(header, TopicWanted):
                    texts.append(header.topic)
                self._ended_ns = max(self._ended_ns, header.wall_ns)
            self._repertoire = repertoire_of(venue, texts, plans)
        return self._repertoire

    # As a connector ---------------------------------------------------------------------------------

    def line(self, target: Target) -> AbstractAsyncContextManager[Line]:
        """Nothing is connected.

        Raises:
            UsageError: always.
        """
        del target
        raise UsageError("a replay makes no connections")

    async def fetch(
        self, request: HttpRequest, *, timeout_s: float, ssl_context: ssl.SSLContext | None
    ) -> Reply:
        """Nothing is fetched.

        Raises:
            UsageError: always.
        """
        del request, timeout_s, ssl_context
        raise UsageError("a replay fetches nothing")

    # As part of the session -------------------------------------------------------------------------

    def clock(self, given: Clock) -> Clock:
        """The recorded time."""
        return Clock(lambda: self._now_ns, given.random)

    def options(self, venue: Venue, given: Options) -> Options:
        """What the venue was told then.

        Raises:
            RecordingError: there is no recording, or it cannot be read.
            UsageError: it is of another venue.
        """
        del given
        header = self._begun()
        if header.venue != venue.name:
            raise UsageError(f"{self.path} is a recording of {header.venue}, not of {venue.name}")
        return header.session_options()

    def planner(self, venue: Venue, options: Options, *, raw: bool, channels_per_line: int | None) -> Planner:
        """One that plans as it was planned then."""
        del channels_per_line
        return ReplayPlanner(venue, options, self._known(venue), raw=raw)

    def supervisor(self, engine: Engine, state: LaneState) -> Supervisor:
        """One that has nothing to do: the lane goes by the recording."""
        return _ReplayedLane(engine, state, self._player(engine))

    def outlet(self, engine: Engine, subscription: Subscription) -> Outlet:
        """One that nobody has to wait for."""
        return self._player(engine).subscribed(subscription)

    def start(self, engine: Engine, nursery: trio.Nursery) -> None:
        """Begin to play."""
        nursery.start_soon(self._player(engine).run, name=f"{engine.venue.name}/replay")

    def close(self, engine: Engine) -> None:
        """Stop playing."""
        if engine in self._players:
            self._players[engine].scope.cancel()

    async def finish(self, engine: Engine) -> None:
        """The session is over."""
        self._players.pop(engine, None)

    def _player(self, engine: Engine) -> Player:
        player = self._players.get(engine)
        if player is None:
            self.progress = ReplayProgress(began_ns=self._begun().wall_ns, ended_ns=self._ended_ns)
            player = self._players[engine] = Player(
                engine, self._recording, self.progress, self._tell_time, pace=self._pace, ahead=self._ahead
            )
        return player

    def _tell_time(self, wall_ns: int) -> None:
        self._now_ns = wall_ns


class _ReplayedLane(Supervisor):
    """What a session knows of a lane that goes by the recording."""

    def __init__(self, engine: Engine, state: LaneState, player: Player) -> None:
        possible = state.renewal.possible
        self._player = player
        super().__init__(engine, state)
        state.renewal.possible = possible  # it is as it was then

    @property
    def is_connected(self) -> bool:
        """Whether a line was up."""
        stage = self._player.stage
        return stage is not None and stage.is_up(self.state.lane)

    def budgets(self, now_s: float) -> tuple[BudgetStatistics, ...]:
        """None: nothing is sent."""
        del now_s
        return ()

    @property
    def attempts(self) -> int:
        """Connects that were tried."""
        stage = self._player.stage
        return 0 if stage is None else stage.attempts.get(self.state.lane, 0)

    @attempts.setter
    def attempts(self, value: int) -> None:
        """None is made."""

    @property
    def failure(self) -> str:
        """Why the last attempt, or line, ended."""
        stage = self._player.stage
        return "" if stage is None else stage.failures.get(self.state.lane, "")

    @failure.setter
    def failure(self, value: str) -> None:
        """None is met."""

    def rewanted(self) -> None:
        """What is wanted changes nothing of what was recorded."""

    def close(self) -> None:
        """Nothing is open."""

    async def run(self) -> None:
        """Nothing to do."""
        await trio.lowlevel.checkpoint()
