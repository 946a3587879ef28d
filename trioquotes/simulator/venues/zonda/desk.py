"""What the venue keeps of one connection."""

from __future__ import annotations

from collections import deque
from typing import TypeAlias

import attrs
import trio

from trioquotes.simulator.connection import Connection
from trioquotes.simulator.venues.zonda.paths import Topic

__all__ = ["Desk", "Line", "say", "say_late", "watch_idle"]


@attrs.define
class Desk:
    """One connection.

    Attributes:
        topics: what it reads, by the account's name (empty for what is public) and the topic's name.
        said_s: when something was sent last, on the monotonic clock.
        late: frames on their way, with their kinds.
    """

    topics: dict[tuple[str, str], Topic] = attrs.field(factory=dict)
    said_s: float = attrs.field(factory=trio.current_time)
    late: deque[tuple[str, str]] = attrs.field(factory=deque)


Line: TypeAlias = Connection[Desk]


def say(line: Line, kind: str, text: str) -> None:
    """Send a frame."""
    line.state.said_s = trio.current_time()
    line.send(kind, text)


def say_late(line: Line, kind: str, text: str, delay_s: float) -> None:
    """Send a frame after a while, and never before one that was given earlier."""
    line.state.late.append((kind, text))
    line.later(delay_s, lambda: say(line, *line.state.late.popleft()))


def watch_idle(line: Line, idle_s: float) -> None:
    """Cut the line, without a close frame, when nothing has passed on it in either direction for too long."""

    def check() -> None:
        left_s = max(line.heard_s, line.state.said_s) + idle_s - trio.current_time()
        if left_s > 0:
            line.later(left_s, check)
        else:
            line.breach("idle", f"nothing passed for {idle_s:g} s")
            line.cut()

    line.later(idle_s, check)
