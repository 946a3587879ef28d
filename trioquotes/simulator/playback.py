"""Serving a capture: recorded frames, as they were, to a client of today.

A capture has one JSON object a line: ``raw`` is the frame's text, ``recv_ts`` the time of receipt in Unix
seconds. Playback starts at a client's first subscribe, acknowledges what was asked and leaves out the
recorded acknowledgements; all other frames are sent whether they were asked for or not. Afterwards the line
stays open.
"""

from __future__ import annotations

import json
import time
from abc import abstractmethod
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

import attrs
import trio

from trioquotes.errors import CaptureError
from trioquotes.simulator.connection import Buffer, Connection
from trioquotes.simulator.faults import Fault
from trioquotes.simulator.server import Simulator

__all__ = ["Capture", "CapturedFrame", "PlaybackSimulator", "Speed", "read_capture"]

S = TypeVar("S")

Speed: TypeAlias = Literal["recorded", "max"]

BEAT_S = 1.0
"""After so much silence the venue's own heartbeats keep the client's watchdog quiet."""

AHEAD = 64
"""How many frames may wait for the client at full speed; more only when it has read some."""


@attrs.frozen
class CapturedFrame:
    """One recorded frame.

    Attributes:
        raw: its text, exactly.
        recv_ns: time of receipt, Unix nanoseconds; ``None`` where the line does not say it.
        line: number of its line in the file, from 1.
    """

    raw: str
    recv_ns: int | None
    line: int


@attrs.frozen
class Capture:
    """A file of recorded frames.

    Attributes:
        name: the file's name, for messages.
        frames: in the order of the file; what clients sent is left out.
    """

    name: str
    frames: tuple[CapturedFrame, ...]


def read_capture(path: Path) -> Capture:
    """Read a capture.

    Raises:
        CaptureError: for a file that is none, naming the line and what is wrong with it.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise CaptureError(f"{path}: {error.strerror or error}") from None
    frames: list[CapturedFrame] = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                frame = _read_line(line, number)
            except ValueError as error:
                raise CaptureError(f"{path}, line {number}: {error}") from None
            if frame is not None:
                frames.append(frame)
    if not frames:
        raise CaptureError(f"{path}: holds no frames")
    return Capture(path.name, tuple(frames))


def _read_line(line: bytes, number: int) -> CapturedFrame | None:
    """A frame, or ``None`` for what a client sent; a ``ValueError`` says what is wrong."""
    try:
        entry: Any = json.loads(line, parse_float=Decimal)
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg} at character {error.colno})") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON ({error})") from None
    if not isinstance(entry, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004  # the line is wrong, not our types
    raw = entry.get("raw")
    if not isinstance(raw, str):
        raise ValueError("no text under 'raw'" if "raw" in entry else "no 'raw'")  # noqa: TRY004
    if entry.get("direction") == "client" or str(entry.get("channel", "")).startswith("client:"):
        return None
    recv_ns = None
    if entry.get("recv_ts") is not None:
        try:
            seconds = Decimal(str(entry["recv_ts"]))
            recv_ns = int(seconds * 10**9)
        except (ArithmeticError, ValueError):
            raise ValueError(f"'recv_ts' is not a time in Unix seconds: {entry['recv_ts']!r}") from None
    return CapturedFrame(raw, recv_ns, number)


class PlaybackSimulator(Simulator[S]):
    """A venue that plays a capture on every connection, from its start.

    Args:
        capture: what is played.
        speed: ``recorded`` paces by ``recv_ts``, ``max`` sends as fast as the client reads.
        faults: what goes wrong besides.
        wall_ns: the wall clock, Unix nanoseconds.
        buffer: as for every simulator.
        frames_kept: how many sent frames the records keep; 0 keeps none.

    Attributes:
        frames: what is played: the capture without its acknowledgements.

    Raises:
        CaptureError: for recorded pacing of a capture that lacks a time of receipt.
    """

    def __init__(
        self, capture: Capture, *, speed: Speed = "max", faults: Iterable[Fault] = (),
        wall_ns: Callable[[], int] = time.time_ns, buffer: Buffer | None = None, frames_kept: int = 10_000,
    ) -> None:  # fmt: skip
        super().__init__(faults=faults, wall_ns=wall_ns, buffer=buffer, frames_kept=frames_kept)
        self.speed = speed
        self._kinds = {frame.line: self.kind_of(frame.raw) for frame in capture.frames}
        self.frames = tuple(frame for frame in capture.frames if not self.is_answer(self._kinds[frame.line]))
        self._begun: dict[int, trio.Event] = {}
        if speed == "recorded":
            for frame in self.frames:
                if frame.recv_ns is None:
                    raise CaptureError(
                        f"{capture.name}, line {frame.line}: no 'recv_ts', so that it can be played at full speed only"
                    )

    @abstractmethod
    def kind_of(self, raw: str) -> str:
        """The venue's name of a frame's type; for one that does not say it, any word."""

    @abstractmethod
    def is_answer(self, kind: str) -> bool:
        """Whether a frame of this type answers a request, so that the recorded one is left out."""

    @abstractmethod
    def played(self, connection: Connection[S], raw: str) -> None:
        """A recorded frame went to a client."""

    @abstractmethod
    def beat(self, connection: Connection[S]) -> None:
        """Send a client the heartbeats that it subscribed."""

    def begin(self, connection: Connection[S]) -> None:
        """The client's first subscribe was served: play."""
        self._event(connection).set()

    def closed(self, connection: Connection[S]) -> None:
        """Forget a connection."""
        self._begun.pop(connection.ordinal, None)

    async def attend(self, connection: Connection[S]) -> None:
        """Play the capture to one client, then keep its line alive."""
        await self._event(connection).wait()
        started_s = trio.current_time()
        first_ns = self.frames[0].recv_ns if self.frames else None
        for frame in self.frames:
            if self.speed == "max":
                await connection.wait_room(AHEAD)
            elif frame.recv_ns is not None and first_ns is not None:
                await self._beat_until(connection, started_s + (frame.recv_ns - first_ns) / 1e9)
            connection.send(self._kinds[frame.line], frame.raw)
            self.played(connection, frame.raw)
        await connection.wait_room(0)
        while True:
            await trio.sleep(BEAT_S)
            self.beat(connection)

    async def _beat_until(self, connection: Connection[S], due_s: float) -> None:
        while due_s - trio.current_time() > BEAT_S:
            await trio.sleep(BEAT_S)
            self.beat(connection)
        await trio.sleep_until(due_s)

    def _event(self, connection: Connection[S]) -> trio.Event:
        return self._begun.setdefault(connection.ordinal, trio.Event())
