"""Recorded frames of the venue, served with its answers, errors and keepalive of today."""

from __future__ import annotations

import json
from typing import Any, ClassVar, TypeAlias

import attrs

from trioquotes.simulator.connection import Connection
from trioquotes.simulator.http_side import HttpRequest
from trioquotes.simulator.playback import PlaybackSimulator
from trioquotes.simulator.venues.upbit.desk import Desk, answer_ping, fail, watch_idle
from trioquotes.simulator.venues.upbit.formats import listing_text
from trioquotes.simulator.venues.upbit.requests import TYPES, Failure, Ping, read_request

__all__ = ["UpbitPlayback"]

_Line: TypeAlias = Connection[Desk]

EVERY_TYPE = frozenset[str]().union(*TYPES.values())


class UpbitPlayback(PlaybackSimulator[Desk]):
    """Plays a capture; every path, market and token is welcome, and the format is the recording's."""

    venue: ClassVar[str] = "upbit"
    binary: ClassVar[bool] = True

    def new_state(self, request: HttpRequest) -> Desk:  # noqa: ARG002  # one recording for all paths
        """No subscription yet."""
        return Desk("public")

    def opened(self, connection: _Line) -> None:
        """A silent client is cut off here too."""
        watch_idle(connection)

    def received(self, connection: _Line, message: str | bytes) -> None:
        """Answer pings, lists and what is wrong; the first subscription starts the recording."""
        desk = connection.state
        if desk.doomed:
            return
        text = message if isinstance(message, str) else message.decode(errors="replace")
        outcome = read_request(text, EVERY_TYPE)
        if isinstance(outcome, Ping):
            answer_ping(connection)
            return
        fate = connection.faults.acknowledgement()
        if fate.reject is not None:
            outcome = Failure(fate.reject[0], fate.reject[1] or "")
        if isinstance(outcome, Failure):
            fail(connection, outcome)
            return
        if not fate.serve:
            return
        if outcome.wanted:
            desk.wanted = tuple(
                attrs.evolve(one, codes=_without(one.codes, fate.leave_out)) for one in outcome.wanted
            )
            self.begin(connection)
        desk.format = outcome.format or desk.format
        if outcome.lists:
            connection.send("LIST_SUBSCRIPTIONS", listing_text(outcome, desk.wanted, desk.format))

    def kind_of(self, raw: str) -> str:
        """The frame's type, of a list that of its first message; ``broken`` for what is not JSON."""
        try:
            frame: Any = json.loads(raw)
        except (ValueError, RecursionError):
            return "broken"
        if isinstance(frame, list):
            frame = frame[0] if frame else None
        if not isinstance(frame, dict):
            return "other"
        for name in ("error", "status"):
            if name in frame:
                return name
        named = (frame.get(name) for name in ("type", "ty", "method", "mthd"))
        return next((word for word in named if isinstance(word, str)), "other")

    def is_answer(self, kind: str) -> bool:
        """Lists and UP messages are left out; recorded errors are played."""
        return kind in {"LIST_SUBSCRIPTIONS", "status"}

    def played(self, connection: _Line, raw: str) -> None:
        """Nothing is kept of what was played."""

    def beat(self, connection: _Line) -> None:
        """The venue has no heartbeats but the UP messages, which go their own way."""


def _without(codes: tuple[str, ...] | None, leave_out: frozenset[str]) -> tuple[str, ...] | None:
    return None if codes is None else tuple(code for code in codes if code not in leave_out)
