"""Typed memory channels: what ``subscribe`` returns."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

import trio

from trioquotes._runtime.mailbox import Mailbox
from trioquotes._runtime.subscription import ChannelStatistics, Subscription
from trioquotes.events import Event

__all__ = ["Channel", "MailboxReader"]

T_co = TypeVar("T_co", bound=Event, covariant=True)

LOOK_EVERY = 64
"""Items after which a reader looks whether its turn is over."""
TURN_S = 0.002
"""How long a turn may last: then other tasks run, however much is there still."""
TURN_ITEMS = 1024
"""And how many items it may take: more than one socket read brings, so that who keeps up with what comes is not
overtaken by the task that reads the socket."""


class MailboxReader(Generic[T_co]):
    """Reading from a mailbox; the part that channels and merged streams share."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._entries: deque[Any] = mailbox.entries
        self._until_look = LOOK_EVERY
        self._turn_s = -math.inf  # when it began
        self._turn_items = 0
        self._closed = False

    def receive_nowait(self) -> T_co:
        """The next item without waiting.

        Raises:
            trio.WouldBlock: nothing is there.
            trio.EndOfChannel: nothing is there and nothing will come.
            trio.ClosedResourceError: this end was closed.
            SubscriptionRejected, SlowConsumer, SessionError: why the channel ended, after its last item.
        """
        if self._closed:
            raise trio.ClosedResourceError
        event = self._mailbox.pop()
        if event is not None:
            return cast("T_co", event)
        error = self._mailbox.ending()
        if error is not None:
            try:
                raise error.with_traceback(
                    None
                )  # it may be raised again and again, and would remember each time
            finally:
                del error  # or it and this frame hold each other until garbage is collected
        if not self._mailbox.open:
            raise trio.EndOfChannel
        raise trio.WouldBlock

    async def receive(self) -> T_co:
        """The next item; waits until there is one. Cancelling loses nothing.

        It executes a checkpoint whenever it has to wait, and at least every 1,024 items; every 64 where the code between
        them takes more than a moment (2 ms for all of them), so that a busy reader still lets other tasks run.

        Raises:
            trio.EndOfChannel: nothing is there and nothing will come.
            trio.ClosedResourceError: this end was closed.
            SubscriptionRejected, SlowConsumer, SessionError: why the channel ended, after its last item.
        """
        self._until_look -= 1
        if self._until_look <= 0:
            await self._look()
        mailbox = self._mailbox
        while not self._closed and mailbox.goes_on:
            event = mailbox.pop()
            if event is not None:
                return cast("T_co", event)
            await mailbox.wait()
            self._begin_turn()
        return self.receive_nowait()

    async def receive_many(self, max_items: int | None = None) -> list[T_co]:
        """All that is there, at least one item; waits until there is one. Cancelling loses nothing.

        Args:
            max_items: take no more than this many; ``None`` takes all.

        Returns:
            The items in order.

        Raises:
            trio.EndOfChannel, trio.ClosedResourceError, SubscriptionRejected, SlowConsumer, SessionError: as
                :meth:`receive`.
        """
        await self._checkpoint()
        items = [await self.receive()]
        while max_items is None or len(items) < max_items:
            event = self._mailbox.pop()
            if event is None:
                break
            items.append(cast("T_co", event))
        return items

    async def __anext__(self) -> T_co:
        left = self._until_look - 1
        if left > 0 and (entries := self._entries) and (entry := entries[0]).plain:
            # What receive() does where the next event is just there, at half its price.
            self._until_look = left
            entries.popleft()
            entry.delivered += 1
            return entry.queue.popleft()  # type: ignore[no-any-return]  # of the channel's type; cast() would cost a call
        try:
            return await self.receive()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None

    async def _look(self) -> None:
        """Let others run if the turn is over."""
        self._turn_items += LOOK_EVERY
        if self._turn_items >= TURN_ITEMS or trio.current_time() >= self._turn_s + TURN_S:
            await self._checkpoint()
        else:
            self._until_look = LOOK_EVERY

    async def _checkpoint(self) -> None:
        await trio.lowlevel.checkpoint()
        self._begin_turn()

    def _begin_turn(self) -> None:
        self._until_look = LOOK_EVERY
        self._turn_items = 0
        self._turn_s = trio.current_time()


class Channel(MailboxReader[T_co], trio.abc.ReceiveChannel[T_co]):
    """The events of one topic, and the notices that concern it, in order.

    A memory channel in trio's sense: iterate it, or call :meth:`receive`; leave it with ``async with`` or
    :meth:`aclose`. The topic is withdrawn when the last clone is closed.
    """

    def __init__(
        self, mailbox: Mailbox, subscription: Subscription, withdraw: Callable[[Subscription], None]
    ) -> None:
        super().__init__(mailbox)
        self._subscription = subscription
        self._withdraw = withdraw
        self._clones = [1]  # shared by all clones: how many are open

    @property
    def topic(self) -> object:
        """What was subscribed."""
        return self._subscription.topic

    def clone(self) -> Channel[T_co]:
        """Another handle on the same items: each item goes to one of the handles.

        Raises:
            trio.ClosedResourceError: this end was closed.
        """
        if self._closed:
            raise trio.ClosedResourceError
        other: Channel[T_co] = Channel(self._mailbox, self._subscription, self._withdraw)
        other._clones = self._clones
        self._clones[0] += 1
        return other

    def statistics(self) -> ChannelStatistics:
        """The buffer's figures now."""
        return self._subscription.statistics()

    def close(self) -> None:
        """Close this handle; with the last one the topic is withdrawn. Twice is fine."""
        if self._closed:
            return
        self._closed = True
        self._entries = deque()  # there is nothing here any more
        self._clones[0] -= 1
        self._mailbox.wake()
        if not self._clones[0]:
            self._withdraw(self._subscription)
            self._mailbox.abandon()

    async def aclose(self) -> None:
        """:meth:`close`, then a checkpoint."""
        self.close()
        await trio.lowlevel.checkpoint()
