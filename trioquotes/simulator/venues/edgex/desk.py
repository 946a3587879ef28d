"""What the venue keeps of one connection."""

from __future__ import annotations

from typing import Any

import attrs

from trioquotes.simulator.venues.edgex.listings import Account
from trioquotes.simulator.venues.edgex.requests import Channel

__all__ = ["Desk"]


@attrs.define(kw_only=True)
class Desk:
    """One connection's subscriptions and debts.

    Attributes:
        account: whose private stream it is, or ``None`` on the public socket.
        private: which socket it is.
        channels: what is subscribed, by name.
        unanswered: times of the pings that await their pong, oldest first, as they were sent.
        errors: how many errors it was sent.
    """

    account: Account | None = None
    private: bool = False
    channels: dict[str, Channel] = attrs.field(factory=dict)
    unanswered: list[Any] = attrs.field(factory=list)
    errors: int = 0

    def answered(self, time: Any) -> bool:
        """Take a pong; one that echoes a ping in value and type settles it and those before it."""
        for place, sent in enumerate(self.unanswered):
            if type(sent) is type(time) and sent == time:
                del self.unanswered[: place + 1]
                return True
        return False
