"""Those who read: fast, slow, stuck, in batches, cancelled at random; and what each of them is held against."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import attrs
import trio

import trioquotes as tq
from tests.simulation.bookwatch import BookWatch, LiveWatch, OrderWatch, ViewWatch
from tests.simulation.exactness import inexact
from tests.simulation.losses import Delivery
from tests.simulation.place import Choice
from tests.simulation.plans import Look, Manner, Reader
from tests.simulation.promises import Tally
from trioquotes.simulator.bookkeeping import BookWitness

__all__ = ["Consumer", "Looked", "Watched"]

CHURN_S = 4.0
"""For how long one subscribes and gives up again, without a pause."""


@attrs.define
class Watched:
    """One topic as one consumer sees it.

    Attributes:
        open: whether it is still read.
        drained: whether, at the end, all that was sent must have come.
        prompt: whether its consumer is always at the end of the queue when all is quiet.
        refused: whether it was said that the venue will not serve it.
    """

    choice: Choice
    prompt: bool
    delivery: Delivery | None
    book: BookWatch | OrderWatch | None
    view: ViewWatch | None
    tally: Tally
    open: bool = True
    drained: bool = False
    refused: bool = False
    events: int = 0
    notices: Counter[str] = attrs.field(factory=Counter)
    wrong_frames: list[tuple[str, bytes]] = attrs.field(factory=list)

    def take(self, event: tq.Event) -> None:
        """One event."""
        self.events += 1
        if isinstance(event, tq.Notice):
            self.notices[type(event).__name__] += event.count
            self.refused |= isinstance(event, tq.Rejected) and event.final
            if isinstance(event, tq.Malformed | tq.Unknown):
                self.wrong_frames.append(
                    (event.reason if isinstance(event, tq.Malformed) else event.kind, event.frame)
                )
        wrong = inexact(event)
        self.tally.check("exact", not wrong, wrong)
        for follower in (self.delivery, self.book, self.view):
            if follower is not None:
                follower.take(event)

    def wrong(self) -> str:
        """What is not yet as it should be; empty for nothing."""
        if self.book is not None and self.prompt and not self.refused and not self.book.is_right():
            return f"{self.book.name}: the book is not the server's newest, trusted {self.book.trusting}"
        return ""

    def settle(self) -> None:
        """All is quiet, and has been for a while."""
        if self.open and self.prompt and not self.refused:
            self.drained = True
            if self.delivery is not None:
                self.delivery.until_s = trio.current_time()

    def close(self) -> None:
        """It is read no longer."""
        if self.open and self.delivery is not None and not self.drained:
            self.delivery.until_s = trio.current_time()
        self.open = False


class Looked(NamedTuple):
    """A live book that is being looked at, and what it is held against."""

    book: tq.BookView
    watch: LiveWatch


class Consumer:
    """Reads channels as the plan says."""

    def __init__(
        self, tally: Tally, witness: BookWitness, chance: random.Random, tell: Callable[[str], None]
    ) -> None:
        self._tally = tally
        self._witness = witness
        self._chance = chance
        self._tell = tell

    def _watch(self, choice: Choice, name: str, *, exact: bool, prompt: bool) -> Watched:
        name = f"{choice.topic} ({name})"
        delivery = view = None
        book: BookWatch | OrderWatch | None = None
        if choice.flow is not None:
            delivery = Delivery(name, choice.flow, exact, trio.current_time())
            if not exact:
                delivery.strand = choice.topic.latest_key
        if choice.book is not None:
            if isinstance(choice.topic, tq.Books):
                book = BookWatch(name, choice.book, self._witness, self._tally)
            elif isinstance(choice.topic, tq.OrderBooks):
                book = OrderWatch(name, choice.book, self._witness, self._tally)
            else:
                view = ViewWatch(name, choice.book, self._witness, self._tally)
        return Watched(choice, prompt, delivery, book, view, self._tally)

    # The merged stream ------------------------------------------------------------------------------

    def watch_merged(self, choices: list[Choice], manner: Manner) -> list[Watched]:
        """What the topics of the merged stream are held against."""
        prompt = manner in {"fast", "batches", "cancelled"}
        return [self._watch(choice, "merged", exact=True, prompt=prompt) for choice in choices]

    async def read_merged(self, stream: tq.Stream, mine: list[Watched], manner: Manner) -> None:
        """Read the merged stream for ever."""

        def take(event: tq.Event) -> None:
            self._tell(f"merged {event!r}")
            for watched in mine:
                if watched.choice.takes(event):
                    watched.take(event)

        await self._read(stream, take, manner, 0.3)

    # Channels of their own --------------------------------------------------------------------------

    async def read_own(
        self, stream: tq.Stream, choice: Choice, reader: Reader, add: Callable[[list[Watched]], None],
        shown: Callable[[str], None],
    ) -> None:  # fmt: skip
        """Subscribe, read for a while, close; and maybe again."""
        await trio.sleep(reader.start_s)
        while True:
            try:
                with trio.move_on_after(600 if reader.life_s is None else reader.life_s + 30.0) as scope:
                    channel = await stream.subscribe(
                        choice.topic, buffer=reader.buffer, overflow=reader.overflow
                    )
                if not scope.cancelled_caught:
                    await self._read_channel(channel, choice, reader, add)
            except (tq.SubscriptionRejected, tq.AuthenticationFailed, tq.SlowConsumer) as error:
                shown(repr(error))
            if not reader.returns:
                return
            await trio.sleep(reader.pause_s + 1.0)

    async def look(self, stream: tq.Stream, choice: Choice, look: Look, seen: list[Looked]) -> None:
        """Keep a live book, and look at it at random moments; one that is refused is tried again."""
        await trio.sleep(look.start_s)
        assert choice.book is not None
        assert isinstance(choice.topic, tq.Books | tq.OrderBooks)
        watch = LiveWatch(f"live {choice.topic}", choice.book, self._witness, self._tally)
        with trio.move_on_after(float("inf") if look.life_s is None else look.life_s):
            while True:
                async with stream.book(choice.topic) as book:
                    seen.append(looked := Looked(book, watch))
                    try:
                        await self._look(book, watch)
                    except (tq.SubscriptionRejected, tq.AuthenticationFailed):
                        pass  # it is over; another one may be had
                    finally:
                        seen.remove(looked)
                await trio.sleep(2.0)

    async def _look(self, book: tq.LiveBook, watch: LiveWatch) -> None:
        while True:
            watch.look(book)
            self._tell(f"live {book.state} {book.best_bid} {book.best_ask}")
            pause_s = self._chance.choice([0.0, 0.01, 0.1, 1.0, 7.0])
            if book.state == "live":
                await trio.sleep(pause_s)
            else:
                with trio.move_on_after(pause_s):
                    await book.wait_ready()

    async def churn(self, stream: tq.Stream, menu: list[Choice], start_s: float) -> None:
        """Subscribe to something and give it up, again and again, for a while."""
        await trio.sleep(start_s)
        with trio.move_on_after(CHURN_S):
            while True:
                choice = self._chance.choice(menu)
                with trio.move_on_after(self._chance.choice([0.0, 0.1, 5.0])):
                    try:
                        channel = await stream.subscribe(choice.topic)
                    except (tq.SubscriptionRejected, tq.AuthenticationFailed):
                        await trio.sleep(1.0)
                        continue
                    await channel.aclose()
                await trio.sleep(self._chance.choice([0.0, 0.0, 0.01, 1.0]))

    async def _read_channel(
        self, channel: tq.Channel[Any], choice: Choice, reader: Reader, add: Callable[[list[Watched]], None]
    ) -> None:
        # A kept book that overflowed is caught up: it ends right however little may wait.
        kept = choice.book is not None and reader.overflow == "drop_oldest"
        prompt = reader.manner in {"fast", "batches", "cancelled"} and (kept or reader.buffer >= 1000)
        watched = self._watch(
            choice, f"{reader.manner} {reader.overflow}", exact=reader.overflow != "latest", prompt=prompt
        )
        add([watched])

        def take(event: tq.Event) -> None:
            self._tell(f"own {event!r}")
            watched.take(event)

        async with channel:
            try:
                with trio.move_on_after(float("inf") if reader.life_s is None else reader.life_s):
                    await self._read(channel, take, reader.manner, reader.pause_s)
            finally:
                watched.close()

    async def _read(
        self,
        source: tq.Channel[Any] | tq.Stream,
        take: Callable[[tq.Event], None],
        manner: Manner,
        pause_s: float,
    ) -> None:
        chance = self._chance
        if manner == "batches":
            await self._read_batches(source, take)
        elif manner == "cancelled":
            while True:
                with trio.move_on_after(chance.choice([0.0, 0.001, 0.2, 3.0])):
                    async for event in source:
                        take(event)
                    return
        async for event in source:
            take(event)
            if manner == "slow":
                await trio.sleep(chance.uniform(0.0, pause_s))
            elif manner == "stuck" and chance.random() < 0.02:
                await trio.sleep(pause_s * 5)

    async def _read_batches(
        self, source: tq.Channel[Any] | tq.Stream, take: Callable[[tq.Event], None]
    ) -> None:
        while True:
            try:
                for event in await source.receive_many(self._chance.choice([None, 1, 7])):
                    take(event)
            except trio.EndOfChannel:
                return
