"""Counters of the wire: what the next number says about what came before it.

Each check takes the last number that was taken and the new one, and answers with a value: :data:`OK`,
:data:`DUPLICATE`, or a :class:`Step` of kind ``gap`` with how many are missing.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

__all__ = ["DUPLICATE", "OK", "Rising", "Step", "TradeIds", "contiguous"]


class Step(NamedTuple):
    """What a number says.

    Attributes:
        kind: ``ok`` to take it, ``duplicate`` to drop it, ``gap`` to take it after saying that some are missing.
        missed: how many are missing; ``None`` where that cannot be said.
    """

    kind: Literal["ok", "duplicate", "gap"]
    missed: int | None = 0


OK: Final = Step("ok")
DUPLICATE: Final = Step("duplicate")
RESTARTED: Final = Step("gap", None)
"""The counter started again at a smaller number: what came between is not to be counted."""


def contiguous(last: int | None, number: int) -> Step:
    """A counter without holes: the next number is the last one plus 1.

    Args:
        last: the last number taken; ``None`` before the first.
        number: the new one.
    """
    if last is None or number == last + 1:
        return OK
    return DUPLICATE if number <= last else Step("gap", number - last - 1)


class Rising:
    """A counter of which only some numbers are seen: it never goes back, and may repeat.

    Attributes:
        last: the largest number so far.
    """

    __slots__ = ("last",)

    def __init__(self) -> None:
        self.last: int | None = None

    def take(self, number: int) -> Step:
        """A number, taken unless it is smaller than one before."""
        if self.last is not None and number < self.last:
            return DUPLICATE
        self.last = number
        return OK

    def follows(self, number: int) -> bool:
        """Whether it is beyond one before: then it is taken; else ask :meth:`take` what it is."""
        if self.last is None or number <= self.last:
            return False
        self.last = number
        return True


class TradeIds:
    """The trade ids of one instrument, contiguous, checked by what the venue says of them in three ways.

    It outlives connections: what passed while the line was down is counted when the venue says where
    it stands. Whatever was announced as missing once is not announced again, and is welcome if it comes
    after all.
    """

    __slots__ = ("_announced", "_beat", "_sequence", "last")

    def __init__(self) -> None:
        self.last: int | None = None
        self._sequence = -1
        self._announced = 0
        self._beat = 0

    def trade(self, trade_id: int, sequence: int) -> Step:
        """A new trade.

        Args:
            trade_id: its id.
            sequence: a counter that never goes back, which tells an old trade from ids that started again.
        """
        last = self.last
        if last is not None and trade_id <= last:
            if sequence <= self._sequence:
                return DUPLICATE
            return self._take(trade_id, sequence, RESTARTED)
        missed = 0 if last is None else trade_id - 1 - max(last, self._announced)
        return self._take(trade_id, sequence, Step("gap", missed) if missed > 0 else OK)

    def follows(self, trade_id: int, sequence: int) -> bool:
        """Whether a new trade is just the next one: then it is taken; else ask :meth:`trade` what it is."""
        if self.last is None or trade_id != self.last + 1:
            return False
        self.last = trade_id
        self._sequence = sequence
        return True

    def history(self, trade_id: int, sequence: int) -> Step:
        """The latest trade as of the subscription: not new, but everything up to it has passed."""
        last = self.last
        if last is None:
            return self._take(trade_id, sequence, OK)
        if trade_id <= last:
            restarted = trade_id < last and sequence > self._sequence
            return self._take(trade_id, sequence, RESTARTED) if restarted else OK
        missed = trade_id - max(last, self._announced)
        return self._take(trade_id, sequence, Step("gap", missed) if missed > 0 else OK)

    def beat(self, last_trade_id: int) -> Step:
        """The venue's word of what the latest trade is: said twice without the trade coming, it is missing."""
        before, self._beat = self._beat, last_trade_id
        if self.last is None:
            return OK
        missed = min(before, last_trade_id) - max(self.last, self._announced)
        if missed <= 0:
            return OK
        self._announced = min(before, last_trade_id)
        return Step("gap", missed)

    def _take(self, trade_id: int, sequence: int, step: Step) -> Step:
        self.last = trade_id
        self._sequence = sequence
        if step is RESTARTED:
            self._announced = self._beat = 0
        return step
