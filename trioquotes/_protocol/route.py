"""Who gets the messages of one wire channel of a lane."""

from __future__ import annotations

from collections.abc import Iterable

from trioquotes._protocol.feeds import Feed
from trioquotes.events import WireMessage

__all__ = ["Route"]


class Route:
    """Who gets the messages of one wire channel: those who want all of it, and those who want one instrument."""

    def __init__(self, feeds: Iterable[Feed] = (), before: Route | None = None) -> None:
        self.feeds = tuple(feeds)
        self.last: WireMessage | None = None if before is None else before.last  # on this connection
        alive = [feed for feed in self.feeds if feed.ended is None]
        self.all = tuple(feed for feed in alive if not feed.serving.only)
        self.by_instrument: dict[str, tuple[Feed, ...]] = {}
        for feed in alive:
            if feed.serving.only:
                self.by_instrument[feed.serving.only] = (*self.by_instrument.get(feed.serving.only, ()), feed)

    def takers(self, instrument: str) -> tuple[Feed, ...]:
        """The feeds for a message, of that instrument where the channel carries several."""
        return self.all + self.by_instrument.get(instrument, ())
