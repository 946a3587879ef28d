"""What a check-up asks of each venue unless told otherwise: light things that answer at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from trioquotes._protocol.contract import Venue
from trioquotes._protocol.effects import Endpoint
from trioquotes.errors import UsageError
from trioquotes.events import Event
from trioquotes.topics import Topic

__all__ = ["Plan", "TimeSource", "plan_for"]


@attrs.frozen
class TimeSource:
    """What of the venue's REST is asked for the time: its ``Date`` counts in any case.

    Attributes:
        path: below the base URL of REST.
        keys: that lead to the time in the answer; none where it does not say it.
        unit_ns: what one unit of that is.
    """

    path: str
    keys: tuple[str, ...] = ()
    unit_ns: int = 1


@attrs.frozen
class _Usual:
    """A venue's habits.

    Attributes:
        topic: a unified topic that brings something on subscribing, also while nobody trades.
        instruments: a busy one, by the name of the endpoint; ``""`` for all others.
        beat: the venue's own channel that shows that it lives; empty where only a WebSocket ping does. ``pong`` is the
            answer to a ping of the venue's own kind.
        time: where it says its time.
    """

    topic: str
    instruments: Mapping[str, str]
    beat: str
    time: TimeSource


PONG: Final = "pong"

_USUAL: Final[Mapping[str, _Usual]] = {
    "coinbase": _Usual(
        "tickers", {"": "BTC-USD"}, "heartbeat", TimeSource("/time", ("epoch",), 1_000_000_000)
    ),
    "upbit": _Usual(
        "tickers",
        {"": "KRW-BTC", "sg": "SGD-BTC", "id": "IDR-BTC", "th": "THB-BTC"},
        "",
        TimeSource("/v1/trades/ticks?market=KRW-BTC&count=1"),
    ),
    "edgex": _Usual(
        "tickers",
        {"": "30000001", "v1": "10000001"},
        "pong",
        TimeSource("/api/v1/public/meta/getServerTime", ("data", "timeMillis"), 1_000_000),
    ),
    "zonda": _Usual("quotes", {"": "BTC-PLN"}, "", TimeSource("/trading/ticker/BTC-PLN")),
    "darwinex": _Usual("quotes", {"": "DWC.4.20"}, "pong", TimeSource("/")),
}
"""By venue.

*Source:* Coinbase Exchange, REST "Get server time"; edgeX, "Meta Data API"; the others' REST pages: of those only ``Date``
is read, which any answer has.
"""


@attrs.frozen
class Plan:
    """What is asked.

    Attributes:
        topic: what is subscribed.
        beat: what shows that the venue lives; ``None`` where a WebSocket ping has to.
        time_url: what is fetched for the time; ``None`` without REST.
        time: how its answer is read.
    """

    topic: Topic[Event]
    beat: Topic[Event] | None
    time_url: str | None
    time: TimeSource

    @property
    def beat_is_answer(self) -> bool:
        """Whether the beat comes at once, as the answer to a ping of the venue's own kind."""
        return self.beat is not None and self.beat.name == PONG


def plan_for(venue: Venue, name: str | None, endpoint: Endpoint, instrument: str | None) -> Plan:
    """What to ask a venue.

    Args:
        venue: the venue.
        name: what was given for the endpoint.
        endpoint: what that means.
        instrument: what was given for it; ``None`` takes the usual one.

    Raises:
        UsageError: nothing is known of the venue.
        InvalidInstrument: it cannot be one.
    """
    usual = _USUAL.get(venue.name)
    if usual is None:
        raise UsageError(f"{venue.name}: nothing is known of what to ask this venue")
    wanted = (
        instrument if instrument is not None else usual.instruments.get(name or "", usual.instruments[""])
    )
    if not wanted:
        raise UsageError("--instrument must not be empty")
    own = venue.instrument(wanted)
    return Plan(
        topic=venue.topic(usual.topic, own, native=False),
        beat=venue.topic(usual.beat, "" if usual.beat == PONG else own, native=True) if usual.beat else None,
        time_url=None if endpoint.rest is None else f"{endpoint.rest}{usual.time.path}",
        time=usual.time,
    )
