"""A witness of a server's books: what each of them was at every message that was published of it; pure.

It is told by whoever publishes, from the market's own book and not from the frame, so that what a client made of
the frames can be held against it at every single message.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from decimal import Decimal
from typing import TypeAlias

import attrs

from trioquotes.simulator.book import Book, Rung
from trioquotes.simulator.happenings import LevelSet, Side

__all__ = ["BookWitness", "Levels", "ToldBook"]

Levels: TypeAlias = tuple[tuple[Decimal, Decimal], ...]
"""Price and size, best first."""


@attrs.frozen
class ToldBook:
    """A book at one message.

    Attributes:
        mark: what a client can tell the message by: the venue's counter, or its time in Unix nanoseconds; ``None`` for
            a message that has neither.
        ordinal: of the message among those of its channel and instrument, from 0.
        whole: whether the message was a snapshot.
        buys: and ``sells``: best first, with the single orders.
        limit: how many levels a side the channel shows; ``None`` for all.
    """

    mark: int | None
    ordinal: int
    whole: bool
    buys: tuple[Rung, ...]
    sells: tuple[Rung, ...]
    limit: int | None = None

    @property
    def bids(self) -> Levels:
        """Price and size, best first."""
        return tuple([(rung.price, rung.size) for rung in self.buys[: self.limit]])

    @property
    def asks(self) -> Levels:
        """Price and size, best first."""
        return tuple([(rung.price, rung.size) for rung in self.sells[: self.limit]])


class BookWitness:
    """Remembers the books of one simulator.

    Channels are called as the venue calls them, without the instrument.

    Args:
        kept: how many messages of each channel and instrument; 0 keeps none.
    """

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._told: defaultdict[tuple[str, str], deque[ToldBook]] = defaultdict(deque)
        self._by_mark: defaultdict[tuple[str, str], dict[int | None, list[ToldBook]]] = defaultdict(dict)
        self._counts: defaultdict[tuple[str, str], int] = defaultdict(int)

    @property
    def keeps(self) -> bool:
        """Whether it remembers anything; whoever publishes need not look at books otherwise."""
        return self._kept > 0

    def note(
        self, channel: str, instrument: str, mark: int | None, book: Book, *, whole: bool = False,
        limit: int | None = None,
    ) -> None:  # fmt: skip
        """A message is published, and this is the book now."""
        if self.keeps:
            self._keep(
                channel, instrument, mark, book.rungs("buy"), book.rungs("sell"), whole=whole, limit=limit
            )

    def note_between(
        self, channel: str, instrument: str, mark: int | None, before: ToldBook, levels: Iterable[LevelSet]
    ) -> None:
        """A message is published that tells only some of the levels which one happening changed.

        Args:
            channel: as the venue calls it.
            instrument: whose book.
            mark: of the message.
            before: the book before that happening.
            levels: those told so far.
        """
        sides: dict[Side, dict[Decimal, Rung]] = {
            "buy": {rung.price: rung for rung in before.buys},
            "sell": {rung.price: rung for rung in before.sells},
        }
        for level in levels:
            sides[level.side].pop(level.price, None)
            if level.size:
                sides[level.side][level.price] = Rung(level.price, level.size, (), level.size)
        buys = tuple(rung for _, rung in sorted(sides["buy"].items(), reverse=True))
        sells = tuple(rung for _, rung in sorted(sides["sell"].items()))
        self._keep(channel, instrument, mark, buys, sells, whole=False, limit=None)

    def _keep(
        self, channel: str, instrument: str, mark: int | None, buys: tuple[Rung, ...], sells: tuple[Rung, ...], *,
        whole: bool, limit: int | None,
    ) -> None:  # fmt: skip
        key = (channel, instrument)
        told = ToldBook(mark, self._counts[key], whole, buys, sells, limit)
        self._counts[key] += 1
        self._told[key].append(told)
        self._by_mark[key].setdefault(mark, []).append(told)
        if len(self._told[key]) > self._kept:
            old = self._told[key].popleft()
            same = self._by_mark[key][old.mark]
            same.pop(0)
            if not same:
                del self._by_mark[key][old.mark]

    def at(self, channel: str, instrument: str, mark: int | None) -> tuple[ToldBook, ...]:
        """The kept books at the messages with this mark, oldest first."""
        return tuple(self._by_mark[channel, instrument].get(mark, ()))

    def since(self, channel: str, instrument: str, ordinal: int) -> tuple[ToldBook, ...]:
        """The kept books at the messages from this ordinal on, oldest first."""
        told = self._told[channel, instrument]
        first = self._counts[channel, instrument] - len(told)
        return tuple(told[place] for place in range(max(ordinal - first, 0), len(told)))

    def latest(self, channel: str, instrument: str) -> ToldBook | None:
        """The book at the newest message."""
        told = self._told[channel, instrument]
        return told[-1] if told else None

    def count(self, channel: str, instrument: str) -> int:
        """How many messages there were so far, kept or not."""
        return self._counts[channel, instrument]
