"""An order book by price that is exact and says when it is not right: values in, values out, no I/O.

::

    book = OrderBook("BTC-USD")
    book.apply(snapshot)            # BookSnapshot: "live" from here on
    book.apply(change)              # BookChange: absolute sizes, zero removes
    book.best_bid, book.spread      # a Level and an exact Decimal, or None
    book.levels("ask", 10)          # best first
    book.invalidate("line lost")    # "broken": nothing is shown until the next snapshot
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from operator import itemgetter
from typing import Literal, TypeAlias

import attrs

from trioquotes.errors import TrioquotesError, UsageError
from trioquotes.events import BookChange, BookSnapshot, Level

__all__ = ["BookError", "BookSide", "BookState", "BookStatistics", "OrderBook"]

BookSide: TypeAlias = Literal["bid", "ask"]
BookState: TypeAlias = Literal["waiting", "live", "broken"]
"""``waiting``: no snapshot yet. ``live``: right. ``broken``: something was lost; see ``OrderBook.reason``."""

# Exact sums need no more memory than numbers of these magnitudes: "1E+999999999" costs nothing to
# write on a wire and gigabytes to add to. Comparing with both bounds is also the cheapest test there
# is that a size is positive and finite.
_MAGNITUDE = 100
_SMALLEST = Decimal((0, (1,), -_MAGNITUDE))
_LARGEST = Decimal((0, (1,), _MAGNITUDE))
_HALF = Decimal("0.5")
# What a level raises that is not a pair of Decimals: a triple does not unpack, a text does not compare, a
# float has no exact negation, NaN has no order. BookError is a ValueError.
_BAD_LEVEL = (ValueError, TypeError, AttributeError, InvalidOperation)


class BookError(TrioquotesError, ValueError):
    """A book cannot take what it was given: it is not live, or a level is not one.

    After a bad level the book is ``broken``; after a change that a book refused because it was not
    live, or because it belongs to another instrument, the book is as it was.
    """


@attrs.frozen
class BookStatistics:
    """What happened to a book since it was made.

    Attributes:
        state: as :attr:`OrderBook.state`.
        bid_levels: prices with a bid now.
        ask_levels: prices with an ask now.
        snapshots: snapshots applied.
        changes: changes applied.
        levels_changed: entries of those changes, removals included.
        unknown_removals: removals of a price that held nothing: harmless where a window is trimmed,
            elsewhere a hint of a lost message.
        trimmed: levels dropped because they fell out of the promised window.
        invalidations: how often the book became ``broken``.
    """

    state: BookState
    bid_levels: int
    ask_levels: int
    snapshots: int
    changes: int
    levels_changed: int
    unknown_removals: int
    trimmed: int
    invalidations: int


class _SideOfBook:
    """The levels of one side as two parallel sorted lists, best last: keys for the search, levels to show.

    There is no dict because a ``Decimal`` fresh from the wire takes longer to hash than to find by
    bisection, even among thousands. Most changes touch the top of a book, so the lists end with the
    best price, where inserting and deleting move next to nothing; asks have the negated price as key to
    that end. ``Decimal`` compares by value, so every spelling of a price is one key.
    """

    __slots__ = ("_keys", "_negated", "levels", "unknown_removals")

    def __init__(self, *, negated: bool) -> None:
        self._negated = negated
        self._keys: list[Decimal] = []
        self.levels: list[Level] = []
        self.unknown_removals = 0

    def clear(self) -> None:
        """Forget every level."""
        self._keys, self.levels = [], []

    def replace(self, levels: Iterable[Level]) -> None:
        """Set the whole side; as in a change, a later entry for a price wins and zero rests nowhere."""
        fresh: list[Level] = []
        for level in sorted(map(_checked, levels), key=itemgetter(0), reverse=self._negated):
            if fresh and fresh[-1][0] == level[0]:
                fresh[-1] = level
            else:
                fresh.append(level)
        self.levels = [level for level in fresh if level[1]]
        prices = map(itemgetter(0), self.levels)
        self._keys = list(map(Decimal.copy_negate, prices) if self._negated else prices)

    def change(self, changes: Iterable[Level]) -> None:
        """Set the absolute size at each price; zero removes it."""
        keys, levels, negated = self._keys, self.levels, self._negated
        for level in changes:
            key, size = level
            if negated:
                key = key.copy_negate()
            at = bisect_left(keys, key)
            known = at < len(keys) and keys[at] == key
            if known and _SMALLEST <= size <= _LARGEST:
                levels[at] = level
                continue
            _checked(level)
            if known:
                del keys[at], levels[at]
            elif size:
                keys.insert(at, key)
                levels.insert(at, level)
            else:
                self.unknown_removals += 1

    def trim(self, depth: int) -> int:
        """Keep the best ``depth`` levels; returns how many were dropped."""
        surplus = max(len(self.levels) - depth, 0)
        del self._keys[:surplus], self.levels[:surplus]
        return surplus

    def top(self, n: int | None) -> tuple[Level, ...]:
        """The best ``n`` levels, or all, best first."""
        return tuple(self.levels[::-1] if n is None else self.levels[: -n - 1 : -1])

    def at(self, price: Decimal) -> Level | None:
        """The level at a price."""
        key = price.copy_negate() if self._negated else price
        at = bisect_left(self._keys, key)
        return self.levels[at] if at < len(self._keys) and self._keys[at] == key else None


def _checked(level: Level) -> Level:
    """The level itself, unless it holds a number that cannot be sorted, or not be added to exactly."""
    price, size = level
    if not price.is_finite() or not -_MAGNITUDE <= price.adjusted() <= _MAGNITUDE:
        raise BookError(f"price {price} with size {size}: not a finite number of a usable magnitude")
    if not size.is_zero() and not _SMALLEST <= size <= _LARGEST:
        raise BookError(f"size {size} at price {price}: neither zero nor from {_SMALLEST} to {_LARGEST}")
    return level


class OrderBook:
    """The book of one instrument by price, kept from its snapshot and its changes.

    A book is ``live`` or it shows nothing: while it is ``waiting`` or ``broken`` it has no levels and
    refuses changes until a snapshot comes. Prices may have any sign; sizes are positive. A level is
    shown as it was last spelt on the wire. Not for use from several threads at once.

    Args:
        instrument: what it is the book of; empty takes it from the first snapshot.

    Attributes:
        window: levels a side that the last snapshot promised at most; ``None`` means the whole book.
        reason: why the book is ``broken``; empty otherwise.
    """

    __slots__ = (
        "_asks", "_bids", "_changes", "_exact", "_instrument", "_invalidations", "_levels_changed", "_snapshots",
        "_state", "_trimmed", "reason", "window",
    )  # fmt: skip

    def __init__(self, instrument: str = "") -> None:
        self._instrument = instrument
        self._state: BookState = "waiting"
        self._bids = _SideOfBook(negated=False)
        self._asks = _SideOfBook(negated=True)
        self._snapshots = self._changes = self._levels_changed = self._trimmed = self._invalidations = 0
        # The caller's own decimal context may round: sums and products are exact in this one.
        self._exact = Context(
            prec=MAX_PREC, rounding=ROUND_HALF_EVEN, Emin=MIN_EMIN, Emax=MAX_EMAX, capitals=1, clamp=0,
            flags=[], traps=[],
        )  # fmt: skip
        self.window: int | None = None
        self.reason = ""

    def __repr__(self) -> str:
        sizes = f"{len(self._bids.levels)} bids, {len(self._asks.levels)} asks"
        return f"<OrderBook {self._instrument or '(no instrument yet)'}: {self._state}, {sizes}>"

    @property
    def instrument(self) -> str:
        """What it is the book of; empty until the first snapshot of a book made without one."""
        return self._instrument

    @property
    def state(self) -> BookState:
        """Whether the levels are right."""
        return self._state

    def apply(self, event: BookSnapshot | BookChange) -> None:
        """Take a snapshot, which replaces everything, or a change, which sets absolute sizes.

        Within one event a later entry for a price wins, whatever its spelling. Removing a price that
        holds nothing is counted, not refused. A book with a window is cut to it after the whole event.

        Raises:
            BookError: the book is not live and this is a change, or it is of another instrument (the
                book stays as it was); or a size is negative, not finite or of an absurd magnitude
                (beyond 1E+100, below 1E-100), or a price is (the book is ``broken`` from here on).
        """
        if self._state != "live" and isinstance(event, BookChange):
            raise BookError(f"the book of {self._instrument!r} is {self._state}: it needs a snapshot first")
        if event.instrument != self._instrument and self._instrument:
            raise BookError(f"an event of {event.instrument!r} for the book of {self._instrument!r}")
        try:
            if isinstance(event, BookSnapshot):
                self._replace(event)
                return
            bids, asks = event.bids, event.asks
            if bids:
                self._bids.change(bids)
            if asks:
                self._asks.change(asks)
            if self.window is not None:
                self._trim(self.window)
            self._changes += 1
            self._levels_changed += len(bids) + len(asks)
        except _BAD_LEVEL as error:
            reason = str(error) if isinstance(error, BookError) else f"not a pair of finite Decimals: {error}"
            self.invalidate(reason)
            raise BookError(f"the book of {event.instrument!r} is broken: {reason}") from error
        except BaseException:
            # Half an event may be in (Ctrl-C comes anywhere): better no book than a wrong one.
            self.invalidate("interrupted while an event was applied")
            raise

    def invalidate(self, reason: str) -> None:
        """Declare the book wrong: it drops its levels and waits for a snapshot.

        Args:
            reason: what was noticed; the first one counts until the next snapshot.
        """
        self._bids.clear()
        self._asks.clear()
        if self._state != "broken":
            self._state, self.reason = "broken", reason
            self._invalidations += 1

    @property
    def best_bid(self) -> Level | None:
        """The highest bid; ``None`` if there is none or the book is not live."""
        levels = self._bids.levels
        return levels[-1] if levels else None

    @property
    def best_ask(self) -> Level | None:
        """The lowest ask; ``None`` if there is none or the book is not live."""
        levels = self._asks.levels
        return levels[-1] if levels else None

    @property
    def spread(self) -> Decimal | None:
        """Best ask less best bid, exact; negative in a crossed book, ``None`` while a side is empty."""
        bid, ask = self.best_bid, self.best_ask
        return None if bid is None or ask is None else self._exact.subtract(ask[0], bid[0])

    @property
    def mid(self) -> Decimal | None:
        """The middle between best bid and best ask, exact; ``None`` while a side is empty."""
        bid, ask = self.best_bid, self.best_ask
        if bid is None or ask is None:
            return None
        return self._exact.multiply(self._exact.add(ask[0], bid[0]), _HALF)

    @property
    def crossed(self) -> bool:
        """Whether the best bid is above the best ask: outside an auction the book is wrong then."""
        bid, ask = self.best_bid, self.best_ask
        return bid is not None and ask is not None and bid[0] > ask[0]

    @property
    def locked(self) -> bool:
        """Whether the best bid equals the best ask: outside an auction the book is wrong then."""
        bid, ask = self.best_bid, self.best_ask
        return bid is not None and ask is not None and bid[0] == ask[0]

    def levels(self, side: BookSide, n: int | None = None) -> tuple[Level, ...]:
        """The best ``n`` levels of one side, or all of them, best first.

        Returns:
            Up to ``n`` pairs of price and size; empty while the book is not live.

        Raises:
            UsageError: the side is neither ``"bid"`` nor ``"ask"``, or ``n`` is negative.
        """
        return self._side(side).top(_count(n))

    def depth(self, n: int | None = None) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """The best ``n`` levels of both sides, or all of them: bids, then asks, each best first.

        Raises:
            UsageError: ``n`` is negative.
        """
        return self._bids.top(_count(n)), self._asks.top(n)

    def size_at(self, side: BookSide, price: Decimal) -> Decimal | None:
        """The size resting at a price; ``None`` where the book holds nothing there, or is not live.

        Raises:
            UsageError: the side is neither ``"bid"`` nor ``"ask"``.
        """
        level = self._side(side).at(price)
        return None if level is None else level[1]

    def snapshot(
        self,
        depth: int | None = None,
        *,
        venue: str,
        received_ns: int,
        venue_time_ns: int | None = None,
        sequence: int | None = None,
    ) -> BookSnapshot:
        """The book as an immutable event that another book can start from.

        Args:
            depth: levels a side at most; ``None`` takes all there are.
            venue: name of the venue.
            received_ns: our time of the last event in it, in Unix nanoseconds.
            venue_time_ns: the venue's time of that event.
            sequence: the venue's counter of that event.

        Returns:
            Levels best first; its ``depth`` is the narrower of ``depth`` and the book's own window.

        Raises:
            BookError: the book is not live.
            UsageError: ``depth`` is negative.
        """
        if self._state != "live":
            raise BookError(f"the book of {self._instrument!r} is {self._state}: there is nothing to show")
        bids, asks = self.depth(depth)
        promises = [promise for promise in (depth, self.window) if promise is not None]
        return BookSnapshot(
            venue=venue,
            instrument=self._instrument,
            venue_time_ns=venue_time_ns,
            received_ns=received_ns,
            sequence=sequence,
            bids=bids,
            asks=asks,
            depth=min(promises, default=None),
        )

    def statistics(self) -> BookStatistics:
        """Counts since the book was made."""
        return BookStatistics(
            state=self._state,
            bid_levels=len(self._bids.levels),
            ask_levels=len(self._asks.levels),
            snapshots=self._snapshots,
            changes=self._changes,
            levels_changed=self._levels_changed,
            unknown_removals=self._bids.unknown_removals + self._asks.unknown_removals,
            trimmed=self._trimmed,
            invalidations=self._invalidations,
        )

    def _side(self, side: BookSide) -> _SideOfBook:
        if side == "bid":
            return self._bids
        if side == "ask":
            return self._asks
        raise UsageError(f"a book has the sides 'bid' and 'ask', not {side!r}")

    def _replace(self, event: BookSnapshot) -> None:
        if event.depth is not None and event.depth < 0:
            raise BookError(f"a snapshot that promises {event.depth} levels")
        self._bids.replace(event.bids)
        self._asks.replace(event.asks)
        if event.depth is not None:
            self._trim(event.depth)
        self._instrument = event.instrument
        self._state, self.reason = "live", ""
        self.window = event.depth
        self._snapshots += 1

    def _trim(self, window: int) -> None:
        if len(self._bids.levels) > window or len(self._asks.levels) > window:
            self._trimmed += self._bids.trim(window) + self._asks.trim(window)


def _count(n: int | None) -> int | None:
    if n is not None and n < 0:
        raise UsageError(f"a number of levels cannot be negative: {n}")
    return n
