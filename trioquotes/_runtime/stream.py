"""What the user holds inside ``async with session as stream``."""

from __future__ import annotations

from typing import TypeVar, overload

import trio

from trioquotes._runtime.channel import Channel, MailboxReader
from trioquotes._runtime.engine import Engine, SessionStatistics
from trioquotes._runtime.live import LiveBook, LiveOrderBook
from trioquotes._runtime.mailbox import Mailbox
from trioquotes._runtime.subscription import Overflow
from trioquotes.errors import UsageError
from trioquotes.events import Event, Notice
from trioquotes.topics import Books, OrderBooks, Topic

__all__ = ["DEFAULT_BUFFER", "DEFAULT_BUFFER_BYTES", "Stream", "check_buffer"]

E = TypeVar("E", bound=Event)

DEFAULT_BUFFER = 10_000
"""Events a topic may have waiting: seconds of the busiest instrument, a few megabytes."""
DEFAULT_BUFFER_BYTES = 32 * 1024 * 1024
"""What they may weigh, estimated: room for the largest snapshots."""


class Stream(MailboxReader[Event]):
    """The session's topics merged in order of arrival, and the way to more typed channels."""

    def __init__(self, engine: Engine, mailbox: Mailbox) -> None:
        super().__init__(mailbox)
        self._engine = engine

    def __aiter__(self) -> Stream:
        self._check_merged()
        return self

    def receive_nowait(self) -> Event:
        """The next item of the merged topics without waiting.

        Raises:
            UsageError: the session was opened without topics.
            trio.WouldBlock: nothing is there.
            trio.EndOfChannel: nothing is there and nothing will come.
            SubscriptionRejected, SlowConsumer, SessionError: why the only topic ended.
        """
        self._check_merged()
        return super().receive_nowait()

    async def subscribe(
        self,
        topic: Topic[E],
        *,
        buffer: int = DEFAULT_BUFFER,
        buffer_bytes: int = DEFAULT_BUFFER_BYTES,
        overflow: Overflow = "drop_oldest",
    ) -> Channel[E | Notice]:
        """Open a channel of its own for a topic; waits until the venue confirms it.

        Cancelling withdraws the topic.

        Args:
            topic: what to subscribe to.
            buffer: events that may wait.
            buffer_bytes: what they may weigh, estimated.
            overflow: what happens when they are more: ``"drop_oldest"`` puts ``Lagged`` in their place,
                ``"latest"`` keeps one a key, ``"fail"`` ends the channel with ``SlowConsumer``.

        Raises:
            UnsupportedTopic, InvalidInstrument, MissingCredentials, UsageError: before any I/O.
            SubscriptionRejected: the venue refused it, with the venue's words.
            AuthenticationFailed: the venue refused the credentials for it.
        """
        engine = self._engine
        check_buffer(buffer, buffer_bytes)
        canonical = engine.canonical(topic)
        mailbox = Mailbox(engine.venue.name, engine.clock.wall_ns)
        subscription = engine.subscribe(
            mailbox, canonical, overflow=overflow, buffer=buffer, buffer_bytes=buffer_bytes
        )
        confirmed = False
        try:
            engine.replan()
            await subscription.settled.wait()
            confirmed = subscription.error is None
        finally:
            if not confirmed:
                engine.withdraw(subscription)
        if subscription.error is not None:
            raise subscription.error
        return Channel(mailbox, subscription, engine.withdraw)

    @overload
    def book(self, what: str | Books) -> LiveBook: ...

    @overload
    def book(self, what: OrderBooks) -> LiveOrderBook: ...

    def book(self, what: str | Books | OrderBooks) -> LiveBook:
        """A book that the session keeps: it always shows the newest state, or says that it is not right.

        It returns at once; ``await book.wait_ready()`` waits until the book is right. Closing it withdraws the topic.

        Args:
            what: the instrument; or ``Books(...)`` to say more, or ``OrderBooks(...)`` for a book by order.

        Raises:
            UnsupportedTopic, InvalidInstrument, MissingCredentials: before any I/O.
        """
        engine = self._engine
        topic = engine.canonical(Books(what) if isinstance(what, str) else what)
        mailbox = Mailbox(engine.venue.name, engine.clock.wall_ns)
        subscription, feed = engine.follow(mailbox, topic)
        engine.replan()
        channel: Channel[Event] = Channel(mailbox, subscription, engine.withdraw)
        kind = LiveOrderBook if isinstance(topic, OrderBooks) else LiveBook
        return kind(channel, mailbox, subscription, feed)

    async def unsubscribe(self, topic: Topic[Event]) -> None:
        """Withdraw a topic from the merged stream and end its channels; from now on nothing of it is delivered.

        Raises:
            UsageError: nobody is subscribed to it.
        """
        engine = self._engine
        subscriptions = engine.subscriptions_of(engine.canonical(topic))
        if not subscriptions:
            raise UsageError(f"nothing is subscribed to {topic}")
        for subscription in subscriptions:
            engine.withdraw(subscription)
            if subscription.mailbox is not self._mailbox:
                subscription.mailbox.close()
        await trio.lowlevel.checkpoint()

    def statistics(self) -> SessionStatistics:
        """The session's figures now: lines, channels, budgets, and what became of every element."""
        return self._engine.statistics()

    def _check_merged(self) -> None:
        if not self._mailbox.used:
            raise UsageError(
                "the session was opened without topics, so there is nothing to iterate:"
                " give topics to Session, or use stream.subscribe(topic)"
            )


def check_buffer(buffer: int, buffer_bytes: int) -> None:
    """Refuse bounds that cannot hold one event.

    Raises:
        UsageError: one of them is below 1.
    """
    if buffer < 1 or buffer_bytes < 1:
        raise UsageError("buffer and buffer_bytes must be at least 1")
