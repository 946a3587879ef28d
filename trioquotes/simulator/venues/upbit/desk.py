"""What the venue keeps of one connection, and how it stays alive."""

from __future__ import annotations

from typing import Any

import attrs
import trio

from trioquotes.simulator.connection import Connection
from trioquotes.simulator.limits import RollingLimit
from trioquotes.simulator.venues.upbit.formats import STATUS, error_text
from trioquotes.simulator.venues.upbit.listings import Account
from trioquotes.simulator.venues.upbit.requests import Endpoint, Failure, Format, Wanted

__all__ = ["Desk", "answer_ping", "fail", "watch_idle"]

IDLE_S = 60.6
"""A line on which the client sends nothing, not even a ping frame, is cut after this time; the documentation says 120 s."""

UP_S = 10.0
"""Period of the UP messages once a client has said PING."""

UP_FIRST_S, UP_SPREAD_S = 3.0, 5
"""The first of them came 3 to 8 s after the answer."""

LAST_WORDS_S = (0.15, 0.16, 0.17, 0.18)
"""How long the line stays open after an error."""


@attrs.define
class Desk:
    """One connection.

    Attributes:
        endpoint: which of the venue's sockets it is.
        account: who proved to be there; ``None`` on the public socket.
        wanted: what is subscribed.
        format: of everything that is sent.
        doomed: whether an error was told, so that nothing more is served.
        told_up: whether UP messages go out.
        waiting: messages that go into the next list, with their types.
        per_second: and ``per_minute``: limits on its requests.
    """

    endpoint: Endpoint
    account: Account | None = None
    wanted: tuple[Wanted, ...] = ()
    format: Format = "DEFAULT"
    doomed: bool = False
    told_up: bool = False
    waiting: list[tuple[str, str]] = attrs.field(factory=list)
    per_second: RollingLimit = attrs.field(factory=lambda: RollingLimit(5, 1.0))
    per_minute: RollingLimit = attrs.field(factory=lambda: RollingLimit(100, 60.0))


def fail(connection: Connection[Any], failure: Failure) -> None:
    """Tell an error and close the line a little later; whatever the client still says is not heard."""
    connection.state.doomed = True
    connection.send("error", error_text(failure))
    pause_s = LAST_WORDS_S[connection.ordinal % len(LAST_WORDS_S)]
    connection.later(pause_s, lambda: connection.close(1000))


def answer_ping(connection: Connection[Any]) -> None:
    """Say UP now, and from now on every ten seconds."""
    connection.send("status", STATUS)
    if connection.state.told_up:
        return
    connection.state.told_up = True

    def repeat() -> None:
        connection.send("status", STATUS)
        connection.later(UP_S, repeat)

    connection.later(UP_FIRST_S + connection.ordinal % (UP_SPREAD_S + 1), repeat)


def watch_idle(connection: Connection[Any]) -> None:
    """Cut the line, without a close frame, when the client has been silent for too long."""

    def check() -> None:
        left_s = connection.heard_s + IDLE_S - trio.current_time()
        if left_s > 0:
            connection.later(left_s, check)
        else:
            connection.breach("idle", f"nothing heard for {IDLE_S:g} s")
            connection.cut()

    connection.later(IDLE_S, check)
