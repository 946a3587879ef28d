"""The book by price (L2): every price once, with the total that rests there."""

# pyright: reportIncompatibleMethodOverride=false
# Slots stand in for the properties of BookView; mypy knows that an attribute can be read like a property.

from __future__ import annotations

from collections.abc import Sequence

import attrs

from trioquotes.books.exact import BookError
from trioquotes.books.kept import KeptBook, Verify
from trioquotes.books.ladder import PriceSide
from trioquotes.books.view import BookState
from trioquotes.events import BookChange, BookSnapshot, Level

__all__ = ["BookStatistics", "OrderBook"]


@attrs.frozen
class BookStatistics:
    """What happened to a book since it was made.

    Attributes:
        state: as :attr:`BookView.state`.
        bid_levels: prices with a bid now.
        ask_levels: prices with an ask now.
        snapshots: snapshots applied.
        changes: changes applied.
        levels_changed: entries of those changes, removals included.
        unknown_removals: removals of a price that held nothing: harmless where a window is trimmed,
            elsewhere a hint of a lost message.
        trimmed: levels dropped because changes moved them out of the promised window.
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


class OrderBook(KeptBook[PriceSide]):
    """The book of one instrument by price, kept from its snapshot and its changes; read it as any :class:`BookView`.

    A book is ``live`` or it shows nothing: while it is ``waiting`` or ``broken`` it has no levels and
    refuses changes until a snapshot comes. Prices may have any sign; sizes are positive. A level is
    shown as it was last spelt on the wire. Not for use from several threads at once.

    Args:
        instrument: what it is the book of; empty takes it from the first snapshot.
        verify: called with the book and the event after each event that it took; says what is wrong with the
            book, such as a checksum that does not fit, or ``None``. What it says breaks the book.

    Attributes:
        state: whether the levels are right.
        instrument: what it is the book of; empty until the first snapshot of a book made without one.
        window: levels a side that the last snapshot promised at most; ``None`` means the whole book.
        reason: why the book is ``broken``; empty otherwise.
        best_bid: the highest bid; ``None`` if there is none or the book is not live.
        best_ask: the lowest ask; ``None`` if there is none or the book is not live.
        fallen_bids: what the last change moved out of the window, worst first.
        fallen_asks: the same of the other side.
    """

    __slots__ = (
        "_changes",
        "_levels_changed",
        "_trimmed",
        "best_ask",
        "best_bid",
        "fallen_asks",
        "fallen_bids",
    )
    best_bid: Level | None
    best_ask: Level | None
    fallen_bids: Sequence[Level]
    fallen_asks: Sequence[Level]

    def __init__(self, instrument: str = "", *, verify: Verify | None = None) -> None:
        super().__init__(instrument, PriceSide(negated=False), PriceSide(negated=True), verify)
        self._changes = self._levels_changed = self._trimmed = 0
        self.best_bid = self.best_ask = None
        self.fallen_bids = self.fallen_asks = ()

    def apply(self, event: BookSnapshot | BookChange) -> None:
        """Take a snapshot, which replaces everything, or a change, which sets absolute sizes.

        Within one event a later entry for a price wins, whatever its spelling. Removing a price that
        holds nothing is counted, not refused. A change may leave more levels than the window: those that fell
        out of it are dropped, and counted.

        Raises:
            BookError: the book is not live and this is a change, or it is of another instrument (the
                book stays as it was); or a size is negative, not finite or of an absurd magnitude
                (beyond 1E+100, below 1E-100), or a price is, or a snapshot has more levels a side than it
                promises, or ``verify`` found the book wrong (the book is ``broken`` from here on).
        """
        # The quick question first: one for a Struct's class asks its metaclass.
        if type(event) is not BookChange and isinstance(event, BookSnapshot):
            self._take(event, self._replace)
            return
        if self.state != "live" or event.instrument != self.instrument:
            self._refuse(event)
        window = self.window
        if window is not None:
            self.fallen_bids = self.fallen_asks = ()
        try:
            # Written out twice: a call for each side would cost a tenth of it all.
            levels = event.bids
            if levels:
                side = self._bids
                side.change(levels)
                if window is not None and (fallen := side.trim(window)):
                    self.fallen_bids = fallen
                    self._trimmed += len(fallen)
                self.best_bid = side.items[-1] if side.items else None
                self._levels_changed += len(levels)
            levels = event.asks
            if levels:
                side = self._asks
                side.change(levels)
                if window is not None and (fallen := side.trim(window)):
                    self.fallen_asks = fallen
                    self._trimmed += len(fallen)
                self.best_ask = side.items[-1] if side.items else None
                self._levels_changed += len(levels)
            self._changes += 1
        except BaseException as error:
            self._fail(event, error)
            raise
        if self._verify is not None:
            self._check(self._verify, event)

    def invalidate(self, reason: str) -> None:
        """Declare the book wrong: it drops its levels and waits for a snapshot.

        Args:
            reason: what was noticed; the first one counts until the next snapshot.
        """
        super().invalidate(reason)
        self.best_bid = self.best_ask = None

    def statistics(self) -> BookStatistics:
        """Counts since the book was made."""
        return BookStatistics(
            state=self.state,
            bid_levels=len(self._bids),
            ask_levels=len(self._asks),
            snapshots=self._snapshots,
            changes=self._changes,
            levels_changed=self._levels_changed,
            unknown_removals=self._bids.unknown_removals + self._asks.unknown_removals,
            trimmed=self._trimmed,
            invalidations=self._invalidations,
        )

    def _replace(self, event: BookSnapshot) -> None:
        window = event.depth
        if window is not None and window < 0:
            raise BookError(f"a snapshot that promises {window} levels")
        bids, asks = self._bids, self._asks
        bids.replace(event.bids)
        asks.replace(event.asks)
        if window is not None and (len(bids) > window or len(asks) > window):
            deepest = max(len(bids), len(asks))
            raise BookError(f"window larger than promised: {deepest} levels a side, not {window}")
        self.best_bid, self.best_ask = bids.best, asks.best
        self.window = window
