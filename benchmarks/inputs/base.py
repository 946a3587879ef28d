"""What every input has: the frames of one venue, made once, and the words that a client exchanges before them."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from typing import Any, ClassVar, NamedTuple

__all__ = ["END", "MARK", "Feed", "Made", "Script", "Stock", "compact"]

MARK = Decimal("0.000123")
"""A price that stands in the frames before and after the warm-up, one frame a kind, and nowhere else."""
END = Decimal("0.000321")
"""The price in the very last frame."""


class Made(NamedTuple):
    """One message.

    Attributes:
        kind: its type, for clients that read every type on its own.
        payload: its text.
        value: the sum of the prices that it holds, see :class:`Feed`.
    """

    kind: str
    payload: bytes
    value: Decimal


class Stock(NamedTuple):
    """All messages of a run.

    Attributes:
        warm: those that nobody measures, the marks round them included.
        measured: the others; the last one holds the price ``END``.
        expected: messages and sum of prices between the marks, as they were made.
    """

    warm: list[bytes]
    measured: list[bytes]
    expected: tuple[int, Decimal]
    kinds: dict[str, int]


class Script(ABC):
    """The server's side of one conversation, until the frames begin."""

    def opened(self) -> list[bytes]:
        """What is sent first."""
        return []

    @abstractmethod
    def asked(self, text: str) -> list[bytes]:
        """What answers a request."""

    @abstractmethod
    def ready(self) -> bool:
        """Whether all that was to be asked for has been."""

    def fetched(self, method: str, target: str) -> bytes | None:  # noqa: ARG002  # most have no REST
        """The body that answers an HTTP request; ``None`` for 404."""
        return None


class Feed(ABC):
    """One input.

    The value of a message is the price of a trade or of a ticker, and in a book the sum of the prices of all levels
    that the message names.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    venue: ClassVar[str]
    kinds: ClassVar[tuple[str, ...]]
    instruments: tuple[str, ...]
    binary: ClassVar[bool] = False
    source: str = "generated"

    @classmethod
    def wide(cls, instruments: int) -> Feed:  # noqa: ARG003  # most have a fixed number
        """The same over so many instruments.

        Raises:
            ValueError: its number is fixed.
        """
        raise ValueError(f"{cls.name} has the instruments that it has")

    @abstractmethod
    def script(self) -> Script:
        """A conversation to begin."""

    @abstractmethod
    def special(self, price: Decimal, *, last: bool) -> list[Made]:
        """One message of every kind with that price; ``last`` takes back what it did to a book."""

    @abstractmethod
    def body(self) -> Iterator[Made]:
        """Messages without end."""

    def stock(self, warm: int, count: int) -> Stock:
        """Everything that one client is sent, the conversation apart."""
        made = self.body()
        first = self.special(MARK, last=False)
        between = list(islice(made, warm))
        second = self.special(MARK, last=True)
        measured = [*islice(made, count - 1), self.special(END, last=False)[-1]]
        kinds = dict.fromkeys(self.kinds, 0)
        for one in measured:
            kinds[one.kind] += 1
        return Stock(
            [one.payload for one in [*first, *between, *second]],
            [one.payload for one in measured],
            (len(between), sum((one.value for one in between), Decimal(0))),
            kinds,
        )


def compact(message: Any) -> bytes:
    """JSON as venues write it."""
    return json.dumps(message, separators=(",", ":")).encode()
