"""Short ways for the messages that make up nearly all there is: changes of a book, and trades."""

from __future__ import annotations

from collections.abc import Callable

from trioquotes._protocol.contract import Door, Sink
from trioquotes._protocol.effects import Stamp, WireChannel
from trioquotes._protocol.sequence import TradeIds
from trioquotes.venues.coinbase.vitals import Vitals

__all__ = ["Doors"]


class Doors:
    """Where messages of a product go whose last one was in order; nothing else is to be asked of the next one.

    Args:
        is_asked: whether a channel counts as asked on this connection.

    Attributes:
        books: by product, for changes of a book that was handed over.
        trades: by product, for trades, each of which still has to be the next one.
        heard: products of which something came this way, and the vitals do not know it yet.
    """

    def __init__(self, is_asked: Callable[[WireChannel], bool]) -> None:
        self._is_asked = is_asked
        self.books: dict[str, Door] = {}
        self.trades: dict[str, tuple[Door, TradeIds]] = {}
        self.heard: set[str] = set()

    def open_book(self, channel: WireChannel, out: Sink) -> None:
        """The book is right: its changes may be handed over as they come."""
        if self._is_asked(channel) and (door := out.door(channel)) is not None:
            self.books[channel.instrument] = door

    def open_trades(self, channel: WireChannel, ids: TradeIds, out: Sink) -> None:
        """A trade was handed over: the next one may be, if it is the next one."""
        if self._is_asked(channel) and (door := out.door(channel)) is not None:
            self.trades[channel.instrument] = door, ids

    def close(self) -> None:
        """Something changed: every message is to be looked at again until one shows that all is in order."""
        self.books.clear()
        self.trades.clear()

    def tell(self, vitals: Vitals, read_at: Stamp | None) -> None:
        """Tell the vitals of what came since they were told last."""
        if self.heard and read_at is not None:
            for product in self.heard:
                vitals.beat(product, read_at.monotonic_s)
            self.heard.clear()
