"""Those who read during a soak: fast, in batches, slow, stuck, cancelled, failing, coming and going."""

from __future__ import annotations

import itertools
import random
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeAlias

import attrs
import trio

import trioquotes as tq
from tests.simulation.place import Choice

__all__ = ["Books", "Ledger", "Log", "Reader", "readers_of"]

Source: TypeAlias = tq.Channel[Any] | tq.Stream
Way: TypeAlias = Callable[["Ledger", Source, random.Random], Any]


@attrs.define
class Log:
    """What all readers of a soak tell.

    Attributes:
        events: taken by the readers, notices not counted.
        notices: by kind.
        said: documented errors by kind; they are part of the weather.
        wrong: what must not be, a line each.
    """

    events: Counter[str] = attrs.field(factory=Counter)
    notices: Counter[str] = attrs.field(factory=Counter)
    said: Counter[str] = attrs.field(factory=Counter)
    wrong: list[str] = attrs.field(factory=list)
    ledgers: int = 0

    def complain(self, what: str) -> None:
        """Something must not be."""
        if len(self.wrong) < 100:
            self.wrong.append(what)

    def raised(self, where: str, error: BaseException) -> None:
        """An exception that nobody documented."""
        text = "".join(traceback.format_exception(error)[-12:])
        self.complain(f"{where}: {error!r}\n{text}")


class Ledger:
    """Holds what one reader got against what the session says it gave."""

    def __init__(self, log: Log, venue: str) -> None:
        self.venue = venue
        self.taken = 0
        self.lagged = 0
        self._log = log

    def take(self, event: tq.Event) -> None:
        """One event."""
        if isinstance(event, tq.Notice):
            self._log.notices[type(event).__name__] += event.count
            if isinstance(event, tq.Lagged):
                self.lagged += event.dropped
        else:
            self.taken += 1
            self._log.events[self.venue] += 1

    def settle(self, name: str, source: Source, figures: Callable[[], list[tq.ChannelStatistics]]) -> None:
        """Take what still waits, without a checkpoint, and compare."""
        with suppress(
            trio.WouldBlock, trio.EndOfChannel, trio.ClosedResourceError, tq.SlowConsumer, tq.SubscriptionRejected,
            tq.SessionError,
        ):  # fmt: skip
            while True:
                self.take(source.receive_nowait())
        found = figures()
        delivered = sum(one.delivered for one in found)
        dropped = sum(one.dropped for one in found)
        waiting = sum(one.queued for one in found)
        self._log.ledgers += 1
        if (self.taken, self.lagged, 0) != (delivered, dropped, waiting):
            self._log.complain(
                f"{name}: took {self.taken}, was told of {self.lagged} lost; the session says {delivered} delivered,"
                f" {dropped} dropped, {waiting} waiting"
            )


@attrs.frozen
class Reader:
    """One consumer of a channel of its own, again and again.

    Attributes:
        life_s: after which it closes its channel and, after a pause, comes again; ``None`` for never.
    """

    choice: Choice
    way: Way
    overflow: tq.Overflow
    buffer: int
    life_s: float | None

    async def run(self, stream: tq.Stream, venue: str, log: Log, chance: random.Random) -> None:
        """Subscribe, read, close, until cancelled."""
        while True:
            try:
                channel: tq.Channel[Any] | None = None
                with trio.move_on_after(60.0):
                    channel = await stream.subscribe(
                        self.choice.topic, buffer=self.buffer, overflow=self.overflow
                    )
                if channel is not None:
                    await self._read(channel, venue, log, chance)
            except (tq.SubscriptionRejected, tq.SlowConsumer) as error:
                log.said[f"{venue}: {type(error).__name__}"] += 1
            except Exception as error:  # noqa: BLE001  # it is told, and the soak goes on
                log.raised(f"{venue} {self.choice.topic}", error)
            await trio.sleep(chance.uniform(1.0, 5.0))

    async def _read(self, channel: tq.Channel[Any], venue: str, log: Log, chance: random.Random) -> None:
        ledger = Ledger(log, venue)
        try:
            with trio.move_on_after(float("inf") if self.life_s is None else self.life_s):
                await self.way(ledger, channel, chance)
        finally:
            ledger.settle(f"{venue} {self.choice.topic}", channel, lambda: [channel.statistics()])
            channel.close()


async def fast(ledger: Ledger, source: Source, chance: random.Random) -> None:
    del chance
    async for event in source:
        ledger.take(event)


async def batches(ledger: Ledger, source: Source, chance: random.Random) -> None:
    while True:
        try:
            for event in await source.receive_many(chance.choice([None, 1, 7])):
                ledger.take(event)
        except trio.EndOfChannel:
            return


async def slow(ledger: Ledger, source: Source, chance: random.Random) -> None:
    async for event in source:
        ledger.take(event)
        await trio.sleep(chance.uniform(0.0, 1.0))


async def stuck(ledger: Ledger, source: Source, chance: random.Random) -> None:
    async for event in source:
        ledger.take(event)
        if chance.random() < 0.1:
            await trio.sleep(15.0)


async def cancelled(ledger: Ledger, source: Source, chance: random.Random) -> None:
    while True:
        with trio.move_on_after(chance.choice([0.0, 0.001, 0.2, 3.0])):
            async for event in source:
                ledger.take(event)
            return
        await trio.lowlevel.checkpoint()


def readers_of(menu: list[Choice], chance: random.Random) -> list[Reader]:
    """One for each choice of the menu, of every kind in turn, and some that come and go."""
    kinds: list[tuple[Way, tq.Overflow, int]] = [
        (fast, "drop_oldest", 10_000), (slow, "drop_oldest", 20), (batches, "drop_oldest", 1_000),
        (stuck, "drop_oldest", 20), (cancelled, "drop_oldest", 500), (stuck, "fail", 20), (slow, "latest", 20),
    ]  # fmt: skip
    out = []
    for choice, (way, overflow, buffer) in zip(menu, itertools.cycle(kinds), strict=False):
        fitting: tq.Overflow = "drop_oldest" if overflow == "latest" and not choice.topic.latest else overflow
        life_s = chance.choice([None, None, 20.0])
        out.append(Reader(choice, way, fitting, buffer, life_s))
    out += [
        Reader(choice, fast, "drop_oldest", 100, life_s)
        for choice, life_s in zip(menu, itertools.cycle([0.0, 0.5, 5.0]), strict=False)
    ]
    return out


@attrs.define
class Books:
    """Looks at the kept books of a session now and then.

    Attributes:
        live: how often one was right when it was looked at; ``looks`` how often it was looked at.
    """

    log: Log
    live: int = 0
    looks: int = 0

    async def watch(self, stream: tq.Stream, topic: tq.Books, venue: str) -> None:
        """Look at a live book while its updates are read, slowly; for ever."""
        while True:
            async with stream.book(topic) as book:
                with trio.move_on_after(120.0):
                    while True:
                        with trio.move_on_after(0.5):
                            async for _ in book:
                                break
                        self._look(book, venue)
                        await trio.sleep(0.05)

    def _look(self, book: tq.LiveBook, venue: str) -> None:
        self.looks += 1
        if book.state != "live":
            return
        self.live += 1
        if book.crossed:
            self.log.complain(
                f"{venue} {book.instrument}: crossed, and said to be right: {book.best_bid} {book.best_ask}"
            )
