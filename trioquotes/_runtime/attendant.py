"""What takes part in a session from inside: a connector that records it, or one that plays a recording.

Most connectors only make lines. One that is an :class:`Attendant` as well is also asked how lanes are planned and kept
connected, who hears the notices, and what time it is, so that it can write down, or bring, whatever decides what a
user receives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trioquotes._protocol.contract import Venue
from trioquotes._protocol.effects import Options
from trioquotes._protocol.lane import LaneState
from trioquotes._protocol.outlet import Outlet
from trioquotes._protocol.planner import Planner
from trioquotes._runtime.clock import Clock
from trioquotes._runtime.subscription import Subscription
from trioquotes._runtime.supervisor import Supervisor

if TYPE_CHECKING:
    import trio

    from trioquotes._runtime.engine import Engine

__all__ = ["Attendant", "attending"]


class Attendant:
    """Takes part in a session; this one leaves everything as it is.

    Attributes:
        overflows: what a subscription may say about its overflow.
    """

    overflows: frozenset[str] = frozenset({"drop_oldest", "latest", "fail"})

    def clock(self, given: Clock) -> Clock:
        """The session's clock, in place of the one that it was given."""
        return given

    def options(self, venue: Venue, given: Options) -> Options:
        """What the venue is told of the session.

        Raises:
            UsageError: this cannot take part in a session with that venue.
        """
        del venue
        return given

    def planner(self, venue: Venue, options: Options, *, raw: bool, channels_per_line: int | None) -> Planner:
        """Decides which lane carries what; called for every session that is made, entered or not."""
        return Planner(venue, options, raw=raw, channels_per_line=channels_per_line)

    def supervisor(self, engine: Engine, state: LaneState) -> Supervisor:
        """Keeps a lane connected."""
        return Supervisor(engine, state)

    def outlet(self, engine: Engine, subscription: Subscription) -> Outlet:
        """What a feed hands its events and notices to, for a subscriber.

        Raises:
            TrioquotesError: it cannot take part in this session.
        """
        del engine
        return subscription

    def start(self, engine: Engine, nursery: trio.Nursery) -> None:
        """The session is entered; tasks run in this nursery.

        Raises:
            TrioquotesError: it cannot take part.
        """

    def entered(self, engine: Engine) -> None:
        """Every topic was settled: the user's block begins."""

    def close(self, engine: Engine) -> None:
        """The session is about to end: tasks end by themselves."""

    async def finish(self, engine: Engine) -> None:
        """The session is over and its tasks have ended. It is called under a shield and has to be brief."""


def attending(connector: object) -> Attendant:
    """The connector itself where it takes part in the session, else one that leaves everything as it is."""
    return connector if isinstance(connector, Attendant) else Attendant()
