"""Recorded frames of the venue, served with its answers of today."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import attrs

from trioquotes.simulator.connection import Buffer
from trioquotes.simulator.faults import Fault
from trioquotes.simulator.http_side import HttpRequest
from trioquotes.simulator.playback import Capture, PlaybackSimulator, Speed
from trioquotes.simulator.venues.zonda import answers, rest
from trioquotes.simulator.venues.zonda.desk import Desk, Line, say
from trioquotes.simulator.venues.zonda.paths import read_topic
from trioquotes.simulator.venues.zonda.requests import Broken, Ping, Proxy, Subscribe, read_message

__all__ = ["PlaybackDesk", "ZondaPlayback"]

FORMS = {
    "ticker": "ticker", "stats": "stats", "orderbook": "sell", "orderbook-limited": "sell", "transactions": "items",
    "history/transactions": "totalRows",
}  # fmt: skip
"""By endpoint: a field by which the recorded answers to it are known, as these do not say what was asked."""


@attrs.frozen
class _Answer:
    """A recorded answer to a ``proxy`` request.

    Attributes:
        raw: its text, whose numbers stay as they are.
        request_id: the recorded one, as JSON text.
    """

    raw: str
    request_id: str
    body: Mapping[str, Any]

    def text_for(self, request_id: Any) -> str:
        """The answer under another id."""
        return self.raw.replace(self.request_id, json.dumps(request_id), 1)


@attrs.define
class PlaybackDesk(Desk):
    """A connection, with how many recorded answers of each form it was given."""

    given: dict[str, int] = attrs.field(factory=dict)


class ZondaPlayback(PlaybackSimulator[Desk]):
    """Plays a capture; every market and key is welcome.

    A ``proxy`` request is answered with the next recorded answer of its form, under the request's own id; the last
    one is given again and again.

    Args:
        capture: what is played.
        speed: ``recorded`` paces by ``recv_ts``, ``max`` sends as fast as the client reads.
        faults: what goes wrong besides.
        wall_ns: the wall clock, Unix nanoseconds.
        buffer: as for every simulator.
        frames_kept: how many sent frames the records keep; 0 keeps none.
    """

    venue: ClassVar[str] = "zonda"

    def __init__(
        self, capture: Capture, *, speed: Speed = "max", faults: Iterable[Fault] = (),
        wall_ns: Callable[[], int] = time.time_ns, buffer: Buffer | None = None, frames_kept: int = 10_000,
    ) -> None:  # fmt: skip
        super().__init__(
            capture, speed=speed, faults=faults, wall_ns=wall_ns, buffer=buffer, frames_kept=frames_kept
        )
        self._answers = [
            _Answer(captured.raw, json.dumps(frame["requestId"]), frame["body"])
            for captured in capture.frames
            if isinstance(frame := _parsed(captured.raw), dict)
            and "requestId" in frame
            and isinstance(frame.get("body"), dict)
        ]

    def new_state(self, request: HttpRequest) -> Desk:  # noqa: ARG002  # there is one socket
        """Nothing given yet."""
        return PlaybackDesk()

    def received(self, connection: Line, message: str | bytes) -> None:
        """Answer in the venue's form of today; the first subscribe starts the recording."""
        text = message if isinstance(message, str) else message.decode(errors="replace")
        match read_message(text):
            case Ping():
                say(connection, "pong", answers.PONG)
            case Broken():
                say(connection, "json-error", answers.JSON_ERROR)
            case Subscribe() as request:
                self._subscribe(connection, request)
            case Proxy() as request:
                self._proxy(connection, request)
            case _:
                pass

    def _subscribe(self, connection: Line, request: Subscribe) -> None:
        fate = connection.faults.acknowledgement()
        try:
            topic = read_topic(request.module, request.path, None)
        except ValueError as error:
            say(connection, *answers.refusal(request, str(error), say_path=True))
            return
        if fate.reject:
            say(connection, *answers.refusal(request, fate.reject[0], say_path=True))
            return
        if not fate.serve or topic.market in fate.leave_out:
            return
        kind, text = answers.confirmation(request.scope, topic)
        if fate.acknowledge and fate.delay_s:
            connection.later(fate.delay_s, lambda: say(connection, kind, text))
        elif fate.acknowledge:
            say(connection, kind, text)
        self.begin(connection)

    def _proxy(self, connection: Line, request: Proxy) -> None:
        desk = connection.state
        assert isinstance(desk, PlaybackDesk)  # noqa: S101  # narrows for the type checker
        name = rest.Call(module=request.module, path=request.path, query={}, account=None).parts[0]
        mark = FORMS.get(name, "")
        found = [
            answer
            for answer in self._answers
            if mark in answer.body and ("totalRows" in answer.body) is (mark == "totalRows")
        ]
        place = desk.given.get(mark, 0)
        desk.given[mark] = place + 1
        if found:
            text = found[min(place, len(found) - 1)].text_for(request.request_id)
        else:
            body = rest.fail("TIMEOUT", self.now_ns())
            text = answers.proxy_response(request.request_id, body, action=True)
        say(connection, "proxy-response", text)

    def kind_of(self, raw: str) -> str:
        """The frame's action, or for a push its channel; ``broken`` for what is not JSON."""
        frame = _parsed(raw)
        if not isinstance(frame, dict):
            return "broken"
        if isinstance(frame.get("topic"), str):
            return _channel(frame["topic"])
        if "requestId" in frame:
            return "proxy-response"
        return str(frame.get("action", "error"))

    def is_answer(self, kind: str) -> bool:
        """Confirmations, answers and pongs are left out; recorded errors are played."""
        return kind in {"subscribe-public-confirm", "subscribe-private-confirm", "proxy-response", "pong"}

    def played(self, connection: Line, raw: str) -> None:
        """Nothing is to be remembered."""

    def beat(self, connection: Line) -> None:
        """The venue sends nothing by itself."""


def _channel(topic: str) -> str:
    module, _, path = topic.partition("/")
    try:
        return read_topic(module, path, None).channel
    except ValueError:
        return "push"


def _parsed(raw: str) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None
