"""What a session of each venue goes through in a sweep: connect, subscribe, stream, resync, reconnect, send, close."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

import attrs
import trio

import trioquotes as tq
from tests.simulation.places import CANARY, PLACES
from trioquotes._runtime.connector import Network
from trioquotes._runtime.transport import TapConnector
from trioquotes.credentials import Secret
from trioquotes.simulator.faults import DropLine, Fault, SkipFrame
from trioquotes.simulator.server import Simulator
from trioquotes.testing import Served, World
from trioquotes.venues.darwinex import TokenFlow

__all__ = ["CLOSE_S", "SCENES", "Scene", "Sink"]

CLOSE_S = 2.0
"""The sessions' ``close_timeout_s``."""


@attrs.define
class Sink:
    """What a program got of its session.

    Attributes:
        stream: the merged topics, once the session was entered.
        channel: one that is subscribed to later.
        events: the merged topics' events.
        more: the channel's.
        inside: whether the block was entered.
        leaving: whether its body came to its end.
    """

    stream: tq.Stream | None = None
    channel: tq.Channel[tq.Event] | None = None
    events: list[tq.Event] = attrs.field(factory=list)
    more: list[tq.Event] = attrs.field(factory=list)
    inside: bool = False
    leaving: bool = False


@attrs.frozen(kw_only=True)
class Scene:
    """One venue, and what happens there.

    Attributes:
        venue: its name.
        first: the topics that the session is entered with.
        later: one that is subscribed to inside.
        faults: what the venue does wrong.
        credentials: makes the client's, over the network that is watched.
        resyncs: whether a gap in a book is part of it.
        options: of the simulator.
        rate: of the market, actions per second.
        connect_timeout_s: of the session.
        patience_s: how long everything is waited for that is to be seen.
    """

    venue: str
    first: tuple[tq.Topic[Any], ...]
    later: tq.Topic[Any]
    faults: tuple[Fault, ...]
    credentials: Callable[[Network, Served], Any] | None = None
    resyncs: bool = True
    options: Mapping[str, Any]
    rate: float = 1.0
    connect_timeout_s: float = 30.0
    patience_s: float = 60.0

    def simulator(self, world: World, faults: Iterable[Fault] | None = None) -> Simulator[Any]:
        """The venue, simulated; ``faults`` in place of the scene's own."""
        return PLACES[self.venue].simulator(
            seed=world.seed, wall_ns=world.wall_ns, rate=self.rate, **self.options,
            faults=self.faults if faults is None else tuple(faults),
        )  # fmt: skip

    def session(self, world: World, served: Served, network: Network) -> tq.Session:
        """The session, over the network that is watched."""
        options: dict[str, Any] = {}
        if self.credentials is not None:
            options["credentials"] = self.credentials(network, served)
        return world.session(
            served, *self.first, connector=TapConnector(network), close_timeout_s=CLOSE_S,
            connect_timeout_s=self.connect_timeout_s, **options,
        )  # fmt: skip

    async def program(self, session: tq.Session, sink: Sink) -> None:
        """The whole block."""
        async with session as stream:
            sink.stream, sink.inside = stream, True
            await self.body(stream, sink)

    async def body(self, stream: tq.Stream, sink: Sink) -> None:
        """Inside of the block."""
        sink.channel = channel = await stream.subscribe(self.later)
        with trio.move_on_after(self.patience_s):
            while not any(isinstance(event, tq.MarketEvent) for event in sink.more):
                sink.more.append(await channel.receive())
            while not self._enough(sink.events):
                sink.events.append(await stream.receive())
        with suppress(trio.WouldBlock):
            while True:
                sink.more.append(channel.receive_nowait())
        await channel.aclose()
        await trio.sleep(0.5)
        sink.leaving = True

    def _enough(self, events: list[tq.Event]) -> bool:
        """Whether everything was seen, and data after it."""
        kinds = [type(event) for event in events]
        if tq.Disconnected not in kinds or (self.resyncs and tq.Resynced not in kinds):
            return False
        since = len(kinds) - 1 - kinds[::-1].index(tq.Disconnected)
        return tq.Connected in kinds[since:] and isinstance(events[-1], tq.MarketEvent)


def _refreshing(network: Network, served: Served) -> tq.RefreshingToken:
    async def keep(token: Secret) -> None:
        del token
        await trio.lowlevel.checkpoint()

    rest = served.endpoint.replace("ws", "http", 1)
    flow = TokenFlow("c", CANARY, rest=rest)
    return tq.RefreshingToken(flow, f"r{CANARY}", on_rotated=keep, connector=TapConnector(network))


def _reset(after_s: float) -> DropLine:
    return DropLine(connection=1, after_s=after_s)


SCENES = {
    scene.venue: scene
    for scene in (
        Scene(
            venue="coinbase",
            options={"products": ["BTC-USD"]},
            first=(tq.OrderBooks("BTC-USD"),),
            later=tq.Tickers("BTC-USD"),
            faults=(SkipFrame(connection=1, kind="open", nth=1), _reset(7.0)),
            credentials=lambda _network, _served: PLACES["coinbase"].key,
        ),
        Scene(
            venue="upbit",
            options={"markets": ["KRW-BTC"]},
            first=(tq.Books("KRW-BTC"), tq.Trades("KRW-BTC")),
            later=tq.Tickers("KRW-BTC"),
            faults=(_reset(5.0),),
            resyncs=False,
        ),
        Scene(
            venue="edgex",
            options={"contracts": ["30000001"]},
            first=(tq.Books("30000001"),),
            later=tq.Trades("30000001"),
            faults=(SkipFrame(connection=1, kind="depth", nth=2), _reset(5.0)),
        ),
        Scene(
            venue="zonda",
            options={"markets": ["BTC-PLN"]},
            first=(tq.Books("BTC-PLN"),),
            later=tq.Trades("BTC-PLN"),
            faults=(SkipFrame(connection=1, kind="orderbook", nth=2), _reset(5.0)),
        ),
        Scene(
            venue="darwinex",
            options={"products": ["DWC.4.20"]},
            first=(tq.Quotes("DWC.4.20"),),
            later=tq.Instruments(),
            faults=(_reset(6.0),),
            credentials=_refreshing,
            resyncs=False,
            rate=0.3,
            connect_timeout_s=200.0,
            patience_s=300.0,
        ),
    )
}
