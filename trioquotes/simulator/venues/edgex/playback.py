"""Recorded frames of the venue, served with its acknowledgements and pings of today."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, TypeAlias

import attrs

from trioquotes.simulator.connection import Buffer, Connection
from trioquotes.simulator.faults import Fault
from trioquotes.simulator.http_side import HttpRequest
from trioquotes.simulator.playback import BEAT_S, Capture, PlaybackSimulator, Speed
from trioquotes.simulator.venues.edgex import frames
from trioquotes.simulator.venues.edgex.handshake import PRIVATE_PATH
from trioquotes.simulator.venues.edgex.listings import Generation
from trioquotes.simulator.venues.edgex.requests import Ask, Ping, Pong, Refusal, Rules, read_message
from trioquotes.simulator.venues.edgex.simulator import PING_EVERY_S, ping_frame
from trioquotes.simulator.venues.edgex.style import Style

__all__ = ["EdgexPlayback", "PlaybackDesk"]

_Line: TypeAlias = Connection["PlaybackDesk"]

ANSWERS = frozenset({"connected", "subscribed", "unsubscribed", "pong"})


@attrs.define
class PlaybackDesk:
    """One connection.

    Attributes:
        private: which socket it is.
        beats: how many beats have passed since the last ping.
    """

    private: bool = False
    beats: int = 0


class EdgexPlayback(PlaybackSimulator[PlaybackDesk]):
    """Plays a capture; every contract and account is welcome.

    On the public socket it begins with the first subscribe, on the private one at once.

    Args:
        capture: what is played.
        generation: in whose form acknowledgements are given.
        speed: ``recorded`` paces by ``recv_ts``, ``max`` sends as fast as the client reads.
        faults: what goes wrong besides.
        wall_ns: the wall clock, Unix nanoseconds.
        buffer: as for every simulator.
        frames_kept: how many sent frames the records keep; 0 keeps none.

    Raises:
        CaptureError: for recorded pacing of a capture that lacks a time of receipt.
    """

    venue: ClassVar[str] = "edgex"

    def __init__(
        self, capture: Capture, *, generation: Generation = "v2", speed: Speed = "max", faults: Iterable[Fault] = (),
        wall_ns: Callable[[], int] = time.time_ns, buffer: Buffer | None = None, frames_kept: int = 10_000,
    ) -> None:  # fmt: skip
        super().__init__(
            capture, speed=speed, faults=faults, wall_ns=wall_ns, buffer=buffer, frames_kept=frames_kept
        )
        self.style = Style.of(generation)

    def new_state(self, request: HttpRequest) -> PlaybackDesk:
        """Only which socket it is."""
        return PlaybackDesk(private=request.path == PRIVATE_PATH)

    def subprotocol(self, request: HttpRequest) -> str | None:
        """As the venue itself."""
        return request.headers.get("sec-websocket-protocol", "").partition(",")[0].strip() or None

    def opened(self, connection: _Line) -> None:
        """Say hello; the private socket needs no request."""
        private = connection.state.private
        sid = str(uuid.UUID(int=connection.ordinal))
        self._send(connection, frames.connected(sid, self.style, private=private, now_ns=self.now_ns()))
        if private:
            self.begin(connection)

    def received(self, connection: _Line, message: str | bytes) -> None:
        """Acknowledge what is asked; the first subscribe starts the recording."""
        text = message if isinstance(message, str) else message.decode(errors="replace")
        outcome = read_message(text, Rules(contracts=None, private=connection.state.private))
        match outcome:
            case Ping(time=sent):
                self._send(connection, {"type": "pong", "time": sent})
            case Pong():
                pass
            case Refusal():
                self._refuse(connection, outcome)
            case Ask():
                self._asked(connection, outcome)

    def _refuse(self, connection: _Line, refusal: Refusal) -> None:
        self._send(connection, frames.error(refusal, self.style, private=connection.state.private))

    def _asked(self, connection: _Line, ask: Ask) -> None:
        fate = connection.faults.acknowledgement()
        if fate.reject is not None:
            words, code = fate.reject
            self._refuse(connection, Refusal(code or "GATEWAY_ERROR", words, ask.text))
            return
        if not fate.serve or {ask.channel.name, ask.channel.contract_id} & fate.leave_out:
            return
        name = ask.channel.name
        subscribes = ask.kind == "subscribe"
        frame = frames.subscribed(name, ask.text, self.style) if subscribes else frames.unsubscribed(name)
        if fate.acknowledge and fate.delay_s:
            connection.later(fate.delay_s, lambda: self._send(connection, frame))
        elif fate.acknowledge:
            self._send(connection, frame)
        if subscribes:
            self.begin(connection)

    @staticmethod
    def _send(connection: _Line, frame: dict[str, Any]) -> None:
        connection.send(frame["type"], json.dumps(frame, separators=(",", ":")))

    def kind_of(self, raw: str) -> str:
        """The names that the live simulator gives; ``broken`` for what is not JSON."""
        try:
            frame = json.loads(raw)
        except (ValueError, RecursionError):
            return "broken"
        if not isinstance(frame, dict):
            return "broken"
        kind, content = str(frame.get("type", "")), frame.get("content")
        if kind in {"quote-event", "payload"}:
            return str(frame.get("channel", kind)).partition(".")[0]
        if kind == "trade-event" and isinstance(content, dict):
            return str(content.get("event", kind))
        return kind

    def is_answer(self, kind: str) -> bool:
        """What answers the recorded client is left out; recorded errors and pings are played."""
        return kind in ANSWERS

    def played(self, connection: _Line, raw: str) -> None:
        """Nothing is to be remembered of it."""

    def beat(self, connection: _Line) -> None:
        """A ping as often as the venue sends them."""
        desk = connection.state
        desk.beats += 1
        if desk.beats * BEAT_S >= PING_EVERY_S:
            desk.beats = 0
            as_number = desk.private and self.style.is_v2
            self._send(connection, ping_frame(self.now_ns(), as_number=as_number))
