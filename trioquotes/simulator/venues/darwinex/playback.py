"""Recorded frames of the venue, served with its answers of today."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, ClassVar

from trioquotes.simulator.connection import Buffer
from trioquotes.simulator.faults import Fault
from trioquotes.simulator.http_side import HttpRequest, HttpResponse
from trioquotes.simulator.playback import Capture, PlaybackSimulator, Speed
from trioquotes.simulator.venues.darwinex import frames
from trioquotes.simulator.venues.darwinex.board import Desk, Line
from trioquotes.simulator.venues.darwinex.listings import DEMO_ACCOUNT
from trioquotes.simulator.venues.darwinex.requests import (
    NOT_RECOGNIZED,
    Ping,
    Refusal,
    Subscribe,
    Unsubscribe,
    not_valid,
    read_message,
)
from trioquotes.simulator.venues.darwinex.simulator import PATH
from trioquotes.simulator.venues.darwinex.tokens import bearer_of, fault

__all__ = ["DarwinexPlayback"]

HEARTBEAT_NS = 30 * 10**9
"""Silence of the recording after which a heartbeat is put in."""


class DarwinexPlayback(PlaybackSimulator[Desk]):
    """Plays a capture; every token is welcome, and every product that the capture quotes.

    Acknowledged with the first quote that the capture has of a product, with its digits.

    Args:
        capture: what is played.
        speed: ``recorded`` paces by ``recv_ts``, ``max`` sends as fast as the client reads.
        faults: what goes wrong besides.
        wall_ns: the wall clock, Unix nanoseconds.
        buffer: as for every simulator.
        frames_kept: how many sent frames the records keep; 0 keeps none.
    """

    venue: ClassVar[str] = "darwinex"

    def __init__(
        self, capture: Capture, *, speed: Speed = "max", faults: Iterable[Fault] = (),
        wall_ns: Callable[[], int] = time.time_ns, buffer: Buffer | None = None, frames_kept: int = 10_000,
    ) -> None:  # fmt: skip
        super().__init__(
            capture, speed=speed, faults=faults, wall_ns=wall_ns, buffer=buffer, frames_kept=frames_kept
        )
        self._quotes: dict[str, str] = {}
        for captured in capture.frames:
            for name, text in _quotes_in(captured.raw):
                self._quotes.setdefault(name, text)

    def admit(self, request: HttpRequest, peer: str) -> HttpResponse | None:  # noqa: ARG002
        """Any token will do."""
        if request.path != PATH:
            return fault(404, 404, "Not Found", "The requested resource is not available")
        if bearer_of(request) is None:
            return fault(401, 900902, "Missing Credentials", "The request carries no access token")
        return None

    def new_state(self, request: HttpRequest) -> Desk:  # noqa: ARG002  # any token will do
        """No subscription yet."""
        return Desk(DEMO_ACCOUNT)

    def received(self, connection: Line, message: str | bytes) -> None:
        """Answer in the venue's form of today; the first subscribe starts the recording."""
        text = message if isinstance(message, str) else message.decode(errors="replace")
        match read_message(text):
            case Refusal() as refusal:
                self._refuse(connection, refusal)
            case Ping(message=words):
                connection.send("pong", frames.pong(words, self._now_ms()))
            case Subscribe() | Unsubscribe() as request:
                fate = connection.faults.acknowledgement()
                if fate.reject is not None:
                    self._refuse(
                        connection, Refusal(request.op, fate.reject[0], fate.reject[1] or NOT_RECOGNIZED)
                    )
                elif fate.serve:
                    answer = self._served(connection, request, fate.leave_out)
                    if fate.acknowledge and fate.delay_s:
                        connection.later(fate.delay_s, answer)
                    elif fate.acknowledge:
                        answer()
                    if isinstance(request, Subscribe):
                        self.begin(connection)

    def _served(
        self, connection: Line, request: Subscribe | Unsubscribe, leave_out: frozenset[str]
    ) -> Callable[[], None]:
        held = connection.state.names
        if isinstance(request, Unsubscribe):
            gone = [name for name in held if request.names is None or name in request.names]
            for name in gone:
                del held[name]
            return lambda: connection.send("unsubscribed", frames.unsubscribed(gone, self._now_ms()))
        good = [(name, self._quotes[name]) for name in request.names if name in {*self._quotes} - leave_out]
        held.update((name, None) for name, _ in good)
        if not good:
            return lambda: self._refuse(connection, not_valid("subscribe", request.names[0]))
        complete = len(good) == len(request.names)
        return lambda: connection.send(
            "subscribed", frames.subscribed(good, complete=complete, time_ms=self._now_ms())
        )

    def _refuse(self, connection: Line, refusal: Refusal) -> None:
        text = frames.error(refusal.op, refusal.message, refusal.code, self._now_ms())
        connection.send("error", text)

    def _now_ms(self) -> int:
        return self.now_ns() // 10**6

    def kind_of(self, raw: str) -> str:
        """The frame's ``op``; ``http`` for a recorded body without one, ``broken`` for what is not an object."""
        frame = _parsed(raw)
        if not isinstance(frame, dict):
            return "broken"
        return str(frame.get("op", "pq" if "quote" in frame else "http"))

    def is_answer(self, kind: str) -> bool:
        """Acknowledgements, pongs and what came over plain HTTP are left out; recorded errors are played."""
        return kind in {"subscribed", "unsubscribed", "pong", "http"}

    def played(self, connection: Line, raw: str) -> None:  # noqa: ARG002  # whatever it was
        """Something was said, so that the next heartbeat can wait."""
        connection.state.beaten_ns = self.now_ns()

    def beat(self, connection: Line) -> None:
        """A heartbeat after a longer silence."""
        now_ns = self.now_ns()
        if now_ns - connection.state.beaten_ns >= HEARTBEAT_NS:
            connection.state.beaten_ns = now_ns
            connection.send("hb", frames.heartbeat(now_ns // 10**6))


def _quotes_in(raw: str) -> list[tuple[str, str]]:
    """Product and number text of each quote in a frame."""
    frame = _parsed(raw)
    if not isinstance(frame, dict):
        return []
    products = frame.get("products")
    rows = products if isinstance(products, list) else [frame]
    return [
        (str(row["productName"]), str(row["quote"]))
        for row in rows
        if isinstance(row, dict) and "productName" in row and isinstance(row.get("quote"), Decimal)
    ]


def _parsed(raw: str) -> Any:
    try:
        return json.loads(raw, parse_float=Decimal, parse_int=Decimal)
    except (ValueError, ArithmeticError, RecursionError):
        return None
