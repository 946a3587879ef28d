"""What every book that is kept from events has in common: its states, and its way of breaking."""

# pyright: reportIncompatibleMethodOverride=false
# Slots stand in for the properties of BookView; mypy knows that an attribute can be read like a property.

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, NoReturn, TypeAlias, TypeVar

from trioquotes.books.exact import BAD_NUMBER, BookError
from trioquotes.books.ladder import Ladder
from trioquotes.books.view import BookState, BookView
from trioquotes.events import MarketEvent

__all__ = ["KeptBook", "Verify"]

S = TypeVar("S", bound=MarketEvent)
L = TypeVar("L", bound=Ladder[Any])
Verify: TypeAlias = Callable[[BookView, Any], str | None]
"""Called with a book and the event it just took; says what is wrong with the book, or ``None``."""


class KeptBook(BookView, Generic[L]):
    """Base of the books that are kept from a snapshot and its changes.

    Args:
        instrument: what it is the book of; empty takes it from the first snapshot.
        verify: looks at the book after each event that it took and says what is wrong with it, such as a checksum
            that does not fit, or nothing; what it says breaks the book.

    Attributes:
        state: whether the levels are right.
        instrument: what it is the book of; empty until the first snapshot of a book made without one.
        window: levels a side that the last snapshot promised at most; ``None`` means the whole book.
        reason: why the book is ``broken``; empty otherwise.
    """

    # Slots in place of the properties of BookView: reading one costs a tenth.
    __slots__ = (
        "_asks",
        "_bids",
        "_invalidations",
        "_snapshots",
        "_verify",
        "instrument",
        "reason",
        "state",
        "window",
    )
    _bids: L
    _asks: L
    instrument: str
    reason: str
    state: BookState
    window: int | None

    def __init__(self, instrument: str, bids: L, asks: L, verify: Verify | None) -> None:
        self._bids = bids
        self._asks = asks
        self._verify = verify
        self._invalidations = self._snapshots = 0
        self.instrument = instrument
        self.state = "waiting"
        self.window = None
        self.reason = ""

    def __repr__(self) -> str:
        sizes = f"{len(self._bids)} bids, {len(self._asks)} asks"
        return f"<{type(self).__name__} {self.instrument or '(no instrument yet)'}: {self.state}, {sizes}>"

    def invalidate(self, reason: str) -> None:
        """Declare the book wrong: it drops its levels and waits for a snapshot.

        Args:
            reason: what was noticed; the first one counts until the next snapshot.
        """
        if self.state != "broken":
            self.state, self.reason = "broken", reason
            self._invalidations += 1
        self._bids.clear()
        self._asks.clear()

    def _refuse(self, event: MarketEvent) -> None:
        """Raise ``BookError`` for a change to a book that is not live or of another instrument."""
        if self.state != "live":
            raise BookError(f"the book of {self.instrument!r} is {self.state}: it needs a snapshot first")
        self._refuse_other(event)

    def _refuse_other(self, event: MarketEvent) -> NoReturn:
        raise BookError(f"an event of {event.instrument!r} for the book of {self.instrument!r}")

    def _take(self, snapshot: S, replace: Callable[[S], None]) -> None:
        """Replace everything by a snapshot and be live, or raise ``BookError``."""
        if snapshot.instrument != self.instrument and self.instrument:
            self._refuse_other(snapshot)
        try:
            replace(snapshot)
            self.instrument = snapshot.instrument
            self.state, self.reason = "live", ""
            self._snapshots += 1
        except BaseException as error:
            self._fail(snapshot, error)
            raise
        if self._verify is not None:
            self._check(self._verify, snapshot)

    def _fail(self, event: MarketEvent, error: BaseException) -> None:
        """Break the book because an event did not go in whole; raises ``BookError`` if that is the event's fault."""
        if isinstance(error, BAD_NUMBER):
            told = isinstance(error, BookError)
            self._break(event, str(error) if told else f"not made of finite Decimals: {error}", error)
        # Half an event may be in (Ctrl-C comes anywhere): better no book than a wrong one.
        self.invalidate("interrupted while an event was applied")

    def _check(self, verify: Verify, event: MarketEvent) -> None:
        """Ask the hook; what it says, or raises, breaks the book."""
        try:
            wrong = verify(self, event)
        except BaseException:
            self.invalidate("its check came to no end")
            raise
        if wrong is not None:
            self._break(event, wrong or "its check failed")

    def _break(self, event: MarketEvent, reason: str, cause: BaseException | None = None) -> NoReturn:
        self.invalidate(reason)
        raise BookError(f"the book of {event.instrument!r} is broken: {reason}") from cause
