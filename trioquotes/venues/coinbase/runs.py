"""Whether the messages of a channel without holes follow each other, and which fetched book fits them.

A *run* is what came on this connection since its last hole. A book fits it if nothing is missing between the
two: it is at least as new as the message before the run's first.
"""

from __future__ import annotations

from typing import Final

import attrs

from trioquotes._protocol.contract import Memory
from trioquotes._protocol.effects import WireChannel
from trioquotes._protocol.sequence import OK, Step, contiguous

__all__ = ["Runs"]

FAR: Final = 100_000
"""A number so far below the last one is no old message: the count started again, or the last one was nonsense."""
ANEW: Final = Step("gap", None)


@attrs.define
class _Run:
    """What is known of one channel on this connection.

    Attributes:
        last: the last number taken.
        oldest: the oldest book that fits; ``None`` before the first message.
        fetched: the last book that was taken.
        awaits: whether a book is asked for and none was taken since.
    """

    last: int | None = None
    oldest: int | None = None
    fetched: int | None = None
    awaits: bool = False


class Runs:
    """The runs of one connection.

    Args:
        memory: the last number of each channel, also of earlier connections: what was missed between two of them is
            counted.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._runs: dict[WireChannel, _Run] = {}

    def take(self, channel: WireChannel, sequence: int) -> Step:
        """A message came; after a gap it begins a new run."""
        run = self._runs.setdefault(channel, _Run())
        step = self._step(run, self._memory.get(channel), sequence)
        if step.kind == "duplicate":
            return step
        if step.kind == "gap" or run.oldest is None:
            run.oldest = sequence - 1
        run.awaits = run.awaits or step.kind == "gap"
        run.last = self._memory[channel] = sequence
        return step

    def lose(self, channel: WireChannel, sequence: int | None) -> Step:
        """A message came that cannot be read, with its number where that can: it is missing, unless it is an old one.

        Returns:
            A gap, or ``DUPLICATE``.
        """
        if sequence is None:
            run = self._runs.setdefault(channel, _Run())
            run.awaits = True
            if run.last is not None:
                run.oldest = run.last + 1
            return Step("gap", None)
        step = self.take(channel, sequence)
        if step.kind == "duplicate":
            return step
        run = self._runs[channel]
        run.oldest, run.awaits = sequence, True
        return Step("gap", None if step.missed is None else step.missed + 1)

    def asked_book(self, channel: WireChannel) -> None:
        """A book is asked for; if not after a hole, then for somebody who has not seen the messages until now."""
        run = self._runs.setdefault(channel, _Run())
        if not run.awaits and run.last is not None:
            run.oldest = run.last
        run.awaits = True

    def fits(self, channel: WireChannel, book: int) -> bool:
        """Whether a book is new enough; before the first message it must not be older than what came on the old line."""
        run = self._runs.get(channel, _Run())
        if run.oldest is not None:
            return book >= run.oldest
        known = run.fetched, self._memory.get(channel)
        return all(number is None or book >= number for number in known)

    def fetched(self, channel: WireChannel, book: int) -> None:
        """A book that fits was taken."""
        run = self._runs.setdefault(channel, _Run())
        run.fetched, run.awaits = book, False

    def forget(self, channel: WireChannel) -> None:
        """It is no longer asked for."""
        self._runs.pop(channel, None)
        self._memory.pop(channel, None)

    @staticmethod
    def _step(run: _Run, remembered: int | None, sequence: int) -> Step:
        if run.last is not None:
            step = contiguous(run.last, sequence)
            return ANEW if sequence < run.last - FAR else step
        if run.fetched is not None:
            # The book makes up for everything before it; messages that are in it may still come.
            return OK if sequence <= run.fetched + 1 else Step("gap", sequence - 1 - run.fetched)
        step = contiguous(remembered, sequence)
        # Nor can the first number of a connection be an old one.
        return ANEW if step.kind == "duplicate" else step
