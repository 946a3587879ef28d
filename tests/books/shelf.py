"""What the tests of the books are written with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

from trioquotes.books import BookSide, ladder
from trioquotes.events import BookChange, BookSnapshot, Level

__all__ = ["D", "as_text", "change", "pairs", "short_lists", "side_named", "snapshot"]

D = Decimal


def pairs(*texts: str) -> tuple[Level, ...]:
    """``pairs("10 1.5", "9 2")``: prices and sizes."""
    return tuple((D(price), D(size)) for price, size in (text.split() for text in texts))


def snapshot(
    bids: tuple[Level, ...] = (),
    asks: tuple[Level, ...] = (),
    *,
    depth: int | None = None,
    instrument: str = "BTC-USD",
) -> BookSnapshot:
    return BookSnapshot(venue="test", instrument=instrument, received_ns=1, bids=bids, asks=asks, depth=depth)


def change(
    bids: tuple[Level, ...] = (), asks: tuple[Level, ...] = (), *, instrument: str = "BTC-USD"
) -> BookChange:
    return BookChange(venue="test", instrument=instrument, received_ns=2, bids=bids, asks=asks)


def as_text(levels: tuple[Level, ...]) -> list[str]:
    return [f"{price} {size}" for price, size in levels]


def side_named(text: str) -> BookSide:
    return "bid" if text == "bid" else "ask"


@contextmanager
def short_lists(most: int) -> Iterator[None]:
    """Split the lists of a side when they are longer than this, so that small books are kept like deep ones."""
    before = ladder.MOST, ladder.LEAST
    ladder.MOST, ladder.LEAST = most, max(most // 4, 1)
    try:
        yield
    finally:
        ladder.MOST, ladder.LEAST = before
