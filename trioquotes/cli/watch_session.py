"""What comes of a session, into the watcher's model: one task a topic, and one that looks at books and figures."""

from __future__ import annotations

import time
from collections.abc import Callable

import trio

from trioquotes._runtime.live import LiveBook
from trioquotes._runtime.stream import Stream
from trioquotes.cli.watch_model import Kind, Model, Pane
from trioquotes.errors import AuthenticationFailed, ConnectFailed, SubscriptionRejected
from trioquotes.events import Event, Notice
from trioquotes.topics import Books, Quotes, Topic, Trades

__all__ = ["Follower", "topic_of"]

LOOK_S = 0.1
"""How often books and figures are looked at, whatever comes."""
TAKE_S = 0.05
"""How long what comes is let gather before it is taken: one turn for many events."""
CONNECT_S = 10.0
"""How long nothing at all may be confirmed; later there is no limit, for then it is the venue that is away."""

TOPICS: dict[Kind, type[Books | Trades | Quotes]] = {"books": Books, "trades": Trades, "quotes": Quotes}


def topic_of(kind: Kind, instrument: str) -> Topic[Event]:
    """The topic that brings a kind of an instrument."""
    return TOPICS[kind](instrument)


class Follower:
    """Keeps a model up to date.

    Args:
        model: what to keep.
        wall_ns: the time as people have it, Unix nanoseconds.
    """

    def __init__(self, model: Model, wall_ns: Callable[[], int] = time.time_ns) -> None:
        self._model = model
        self._wall_ns = wall_ns
        self._books: list[tuple[Pane, LiveBook]] = []
        self._error: Exception | None = None

    async def follow(self, stream: Stream) -> None:
        """Follow a session without topics until cancelled.

        Raises:
            ConnectFailed: nothing was confirmed in time.
            SubscriptionRejected, AuthenticationFailed: the venue refused all of it; in a group.
        """
        async with trio.open_nursery() as nursery:
            for pane in self._model.panes:
                for kind in pane.kinds:
                    name = f"follow {kind} {pane.instrument}"
                    nursery.start_soon(self._follow, stream, pane, kind, name=name)
            nursery.start_soon(self._look_on, stream, name="look on")

    async def _follow(self, stream: Stream, pane: Pane, kind: Kind) -> None:
        """Take what comes of one topic, until the venue ends it."""
        try:
            if kind == "books":
                await self._follow_book(stream, pane)
            else:
                await self._follow_events(stream, pane, kind)
        except (SubscriptionRejected, AuthenticationFailed) as error:
            reason = error.reason if isinstance(error, SubscriptionRejected) else str(error)
            self._model.end(pane, kind, reason, self._wall_ns())
            self._error = self._error or error
            if all(set(pane.kinds) == set(pane.ended) for pane in self._model.panes):
                raise self._error from None

    async def _follow_book(self, stream: Stream, pane: Pane) -> None:
        async with stream.book(pane.instrument) as book:
            self._books.append((pane, book))
            async for event in book:
                self._model.take(pane, "books", event, trio.current_time())
                if not isinstance(event, Notice):
                    await trio.sleep(TAKE_S)

    async def _follow_events(self, stream: Stream, pane: Pane, kind: Kind) -> None:
        topic = topic_of(kind, pane.instrument)
        async with await stream.subscribe(topic) as channel:
            while True:
                for event in await channel.receive_many():
                    self._model.take(pane, kind, event, trio.current_time())
                await trio.sleep(TAKE_S)

    async def _look_on(self, stream: Stream) -> None:
        """Look at the books and the figures, and give up where nothing at all comes about."""
        while True:
            now_s = trio.current_time()
            for pane, book in self._books:
                pane.face.look(book, now_s)
            self._model.count(stream.statistics(), now_s)
            if not self._model.was_confirmed and now_s - self._model.started_s > CONNECT_S:
                why = next((lane.failure for lane in self._model.down if lane.failure), "")
                raise ConnectFailed(
                    f"{self._model.venue}: nothing confirmed within {CONNECT_S:g} s: {why or 'the venue did not answer'}"
                )
            await trio.sleep(LOOK_S)
