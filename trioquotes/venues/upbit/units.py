"""The levels of an order book, read a column at a time.

Of a message in a form that was seen before, msgspec reads all but the levels, of which it sees that they are JSON. Their
numbers are taken from the text, all at once; what they are to show as a book is looked at on the way. Where most
levels are, byte for byte, those of the message before, which is the rule in a real market, only the others are read.
Whatever is not plainly right goes through the reader of the whole message, which says what it makes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import (
    Clamped,
    Context,
    Decimal,
    DecimalException,
    Inexact,
    InvalidOperation,
    Overflow,
    Rounded,
    Subnormal,
    Underflow,
)
from itertools import compress, count, pairwise
from operator import gt, lt, ne
from typing import Any, Final, TypeAlias

import msgspec

from trioquotes._protocol.oddities import MAX_ADJUSTED
from trioquotes.books.ladder import SortedAsks, SortedBids
from trioquotes.events import Level
from trioquotes.venues.upbit import messages as wire
from trioquotes.venues.upbit.numbers import NUMERIC, ExactReader, is_odd

__all__ = ["LADDERS_KEPT", "LAYOUTS_KEPT", "MOST_CHANGED", "MOST_SKIPS", "OrderbookReader", "SortedUnits"]

LAYOUTS_KEPT: Final = 512
"""Shapes of messages remembered for each format, one or two for each market, each with its last levels: about 20 KB."""

MOST_CHANGED: Final = 3
"""One of so many levels may be new; of more it is faster to read them all."""
MOST_SKIPS: Final = 15
"""Where messages have little in common, so many are read between two that are compared with the one before."""

LADDERS_KEPT: Final = 512
"""Columns of prices remembered for each format: they are the same from message to message until the best price moves. One
is 5 KB of texts and prices."""

_Columns: TypeAlias = tuple[int, int, int, int]

_FIELDS: Final = (
    (b"ask_price", b"bid_price", b"ask_size", b"bid_size"),
    (b"ap", b"bp", b"as", b"bs"),
)
_BETWEEN: Final = b"},{"
_FIRST: Final = b"[{"
_LAST: Final = b"}]"
_SEPARATORS: Final = b"{,"
_MINUS: Final = ord("-")  # a single byte is found to be absent at once
_SPREAD: Final = bytes(ord(" ") if char in _SEPARATORS else char for char in range(256))
_REST: Final = bytes(char for char in range(256) if char not in NUMERIC + _SEPARATORS)

# Complains of every number that is no exact one of a usable magnitude, instead of rounding it.
_PLAIN: Final = Context(
    prec=MAX_ADJUSTED,
    Emin=-MAX_ADJUSTED,
    Emax=MAX_ADJUSTED,
    capitals=1,
    clamp=0,
    flags=[],
    traps=[Clamped, Inexact, InvalidOperation, Overflow, Rounded, Subnormal, Underflow],
)
_plain = _PLAIN.create_decimal

_check_json: Final = msgspec.json.Decoder(msgspec.Raw).decode


class SortedUnits(tuple[wire.OrderbookUnit, ...]):  # noqa: SLOT001  # a tuple has no room for named slots
    """Levels that were looked at and can be those of a book: prices in order, every number positive.

    Attributes:
        bids: as levels, best first.
        asks: the same.
    """

    bids: SortedBids
    asks: SortedAsks


def _columns_of(unit: bytes) -> _Columns | None:
    """Where the ask's and the bid's price, and their sizes, stand in the shape of a level; ``None`` for another one."""
    names = [part.strip(b'":') for part in unit.split(b",")]
    if unit != b",".join(b'"%s":' % name for name in names):
        return None
    for fields in _FIELDS:
        if sorted(names) == sorted(fields):
            ask, bid, ask_size, bid_size = map(names.index, fields)
            return ask, bid, ask_size, bid_size
    return None


class _Ladders:
    """Columns of prices that are in order, by their texts."""

    __slots__ = ("_goes_before", "_known")

    def __init__(self, goes_before: Callable[[Decimal, Decimal], bool]) -> None:
        self._goes_before = goes_before
        self._known: dict[tuple[str, ...], tuple[Decimal, ...]] = {}

    def of(self, texts: tuple[str, ...]) -> tuple[Decimal, ...] | None:
        """The prices, best first; ``None`` where they are not in order, or one is not positive.

        Raises:
            DecimalException: one is no usable number.
        """
        known = self._known.get(texts)
        if known is not None:
            return known
        prices = tuple(map(_plain, texts))
        if min(prices) <= 0 or not all(self._goes_before(*pair) for pair in pairwise(prices)):
            return None
        if len(self._known) >= LADDERS_KEPT:
            self._known.clear()
        self._known[texts] = prices
        return prices


class _Layout:
    """What is known of messages that are alike but for their levels, and the levels of the last of them.

    Args:
        unit: the shape of a level.
        columns: where its numbers stand.
        asks: columns of prices, shared with other layouts.
        bids: the same.
    """

    __slots__ = ("_asks", "_bids", "_columns", "_last", "_shape", "_skip", "_skips", "_unit")

    def __init__(self, unit: bytes, columns: _Columns, asks: _Ladders, bids: _Ladders) -> None:
        self._unit = unit
        self._columns = columns
        self._asks, self._bids = asks, bids
        # Each level as its text and as it was read: one pair, in case two threads read the same market.
        self._last: tuple[list[bytes], SortedUnits] | None = None
        self._shape = unit
        self._skips = 0  # how many are to come before one is compared with the one before
        self._skip = 0  # how many after the next one that has too little in common with the one before

    def units(self, text: bytes) -> SortedUnits | None:
        """The levels, of which those of the last message need not be read; ``None`` where they are not plainly right.

        Raises:
            MsgspecError: they are not JSON.
            DecimalException: a number is of an absurd size.
        """
        if self._skips > 0:
            self._skips -= 1
            units = self._all(text)
            if (
                not self._skips and units is not None
            ):  # the next one is compared with this one, or would never fit again
                self._last = text.split(_BETWEEN), units
            return units
        texts, last = text.split(_BETWEEN), self._last
        units = None if last is None or len(last[0]) != len(texts) else self._changed(texts, *last)
        if units is None:
            self._skips = self._skip
            self._skip = min(2 * self._skip + 1, MOST_SKIPS)
            units = self._all(text)
        else:
            self._skip = 0
        if units is not None:
            self._last = texts, units
        return units

    def _numbers(self, text: bytes) -> list[str] | None:
        """The texts of the numbers of some levels; ``None`` where one is negative, or anything else is between them.

        Raises:
            MsgspecError: it is not JSON.
        """
        shape = text.translate(None, NUMERIC)
        if shape != self._shape:  # of as many levels as the last time
            levels = (len(shape) + len(_BETWEEN)) // (len(self._unit) + len(_BETWEEN))
            if not levels or shape != _BETWEEN.join([self._unit] * levels):
                return None
            self._shape = shape
        _check_json(b"[{%s}]" % text)
        spread = text.translate(_SPREAD, _REST)
        if _MINUS in spread and (b" -" in spread or spread.startswith(b"-")):
            return None
        return spread.decode().split()

    def _all(self, text: bytes) -> SortedUnits | None:
        """The levels, all of them read."""
        numbers = self._numbers(text)
        if numbers is None:
            return None
        ask, bid, ask_size, bid_size = self._columns
        asks, bids = self._asks.of(tuple(numbers[ask::4])), self._bids.of(tuple(numbers[bid::4]))
        if asks is None or bids is None:
            return None
        ask_sizes, bid_sizes = [*map(_plain, numbers[ask_size::4])], [*map(_plain, numbers[bid_size::4])]
        if not all(ask_sizes) or not all(bid_sizes):
            return None
        return _sorted_units(
            map(wire.OrderbookUnit, asks, bids, ask_sizes, bid_sizes),
            zip(bids, bid_sizes, strict=True),
            zip(asks, ask_sizes, strict=True),
        )

    def _changed(self, texts: list[bytes], before: list[bytes], last: SortedUnits) -> SortedUnits | None:
        """Levels of which most are those of the last message, at the same prices; ``None`` for others."""
        places = [*compress(count(), map(ne, texts, before))]
        if MOST_CHANGED * len(places) > len(last):
            return None
        if not places:
            return last
        numbers = self._numbers(_BETWEEN.join([texts[at] for at in places]))
        if numbers is None:
            return None
        ask_at, bid_at, ask_size_at, bid_size_at = self._columns
        values = [*map(_plain, numbers)]
        if not all(values):
            return None
        units, asks, bids = [*last], [*last.asks], [*last.bids]
        for first, at in enumerate(places):
            ask, bid, ask_size, bid_size = (
                values[4 * first + ask_at], values[4 * first + bid_at],
                values[4 * first + ask_size_at], values[4 * first + bid_size_at],
            )  # fmt: skip
            # At the same prices as before it is in order as before.
            if ask != asks[at][0] or bid != bids[at][0]:
                return None
            units[at] = wire.OrderbookUnit(ask, bid, ask_size, bid_size)
            asks[at], bids[at] = (ask, ask_size), (bid, bid_size)
        return _sorted_units(units, bids, asks)


def _sorted_units(
    units: Iterable[wire.OrderbookUnit], bids: Iterable[Level], asks: Iterable[Level]
) -> SortedUnits:
    made = SortedUnits(units)
    made.bids, made.asks = SortedBids(bids), SortedAsks(asks)
    return made


class OrderbookReader(ExactReader[wire.Message]):
    """Reads order books of one format.

    Args:
        kind: what msgspec decodes a whole message to.
        head: the same without the levels.
        make: makes the message of the whole; left out where it is the message.
    """

    __slots__ = ("_asks", "_bids", "_head", "_layouts")

    def __init__(
        self, kind: Any, head: type[msgspec.Struct], make: Callable[[Any], wire.Message] | None = None
    ) -> None:
        super().__init__(kind, make, kind_name="orderbook")
        self._head: Callable[[bytes], Any] = msgspec.json.Decoder(head).decode
        self._layouts: dict[bytes, _Layout] = {}  # by the shape of a message
        self._bids = _Ladders(gt)
        self._asks = _Ladders(lt)

    def read(self, text: bytes) -> wire.Message:
        """The message, with :class:`SortedUnits` where its levels are plainly right."""
        begin, end = text.find(_FIRST), text.rfind(_LAST)
        head, levels = text[: begin + 1] + text[end + 1 :], text[begin + 2 : end]
        shape = head.translate(None, NUMERIC)
        layout = self._layouts.get(shape)
        if layout is None:
            message = super().read(text)
            if begin > 0:
                self._learn(text, shape, levels)
            return message
        try:
            return self._quick(head, levels, layout) or super().read(text)
        except (msgspec.MsgspecError, UnicodeDecodeError, DecimalException):
            return super().read(text)

    def _learn(self, text: bytes, shape: bytes, levels: bytes) -> None:
        """Remember the shape of a text that can be read, if that alone says where its levels are."""
        if is_odd(text) or shape.count(b"[") != 1 or shape.count(b"]") != 1:
            return
        unit = levels.split(_BETWEEN)[0].translate(None, NUMERIC)
        columns = _columns_of(unit)
        if columns is None:
            return
        if len(self._layouts) >= LAYOUTS_KEPT:
            self._layouts.clear()
        self._layouts[shape] = _Layout(unit, columns, self._asks, self._bids)

    def _quick(self, text: bytes, levels: bytes, layout: _Layout) -> wire.Orderbook | None:
        """The message of a text with an empty list and of its levels; ``None`` where it is to be looked at more closely.

        Raises:
            MsgspecError: it is not JSON, or not of the type.
            DecimalException: a number is of an absurd size.
        """
        head = self._head(text)
        units = layout.units(levels)
        if units is None or head.type != self._name:
            return None
        for number in (head.total_ask_size, head.total_bid_size, head.level):
            if number is not None and not -MAX_ADJUSTED <= number.adjusted() <= MAX_ADJUSTED:
                return None
        return wire.Orderbook(**msgspec.structs.asdict(head), orderbook_units=units)
