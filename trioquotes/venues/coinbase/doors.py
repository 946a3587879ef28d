"""Short ways for the messages that make up nearly all there is: changes of a book, trades and tickers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trioquotes._protocol.contract import Door, Sink
from trioquotes._protocol.effects import Stamp, WireChannel
from trioquotes._protocol.sequence import Rising, TradeIds
from trioquotes.venues.coinbase.messages import L2Update, Match, Ticker
from trioquotes.venues.coinbase.vitals import Vitals

__all__ = ["Doors"]


class Doors:
    """Where messages of a product go whose last one was in order; nothing else is to be asked of the next one.

    Args:
        is_asked: whether a channel counts as asked on this connection.
        handlers: where messages go that no door is open for, by type.

    Attributes:
        books: by product, for changes of a book that was handed over.
        trades: by product, for trades, each of which still has to be the next one.
        tickers: by product, for tickers, each of which still has to be newer.
        heard: products of which something came this way, and when, that the vitals do not know of yet.
    """

    def __init__(
        self,
        is_asked: Callable[[WireChannel], bool],
        handlers: Mapping[type, Callable[[Any, Stamp, Sink], None]],
    ) -> None:
        self._is_asked = is_asked
        self._handlers = handlers
        self.books: dict[str, Door] = {}
        self.trades: dict[str, tuple[Door, TradeIds]] = {}
        self.tickers: dict[str, tuple[Door, Rising]] = {}
        self.heard: dict[str, Stamp] = {}

    def take(self, message: Any, stamp: Stamp) -> bool:
        """Hand a message over, if the door for it is open and it is the next one."""
        kind = type(message)
        if kind is L2Update:
            if (door := self.books.get(message.product_id)) is None:
                return False
            self.heard[message.product_id] = stamp
            door.take(message, len(message.changes) or 1)
            return True
        return self._take_counted(kind, message, stamp)

    def take_all(self, frames: Sequence[bytes], messages: Sequence[Any], stamp: Stamp, out: Sink) -> None:
        """Messages of one socket read, each of a frame of its own: what :meth:`take` does, without a call for most of them."""
        books, heard = self.books.get, self.heard
        for frame, message in zip(frames, messages, strict=True):
            out.frame_bytes = len(frame)
            kind = type(message)
            if kind is L2Update:
                product = message.product_id
                if (door := books(product)) is not None:
                    heard[product] = stamp
                    door.take(message, len(message.changes) or 1)
                    continue
            elif self._take_counted(kind, message, stamp):
                continue
            self._handlers[kind](message, stamp, out)

    def _take_counted(self, kind: type, message: Any, stamp: Stamp) -> bool:
        if kind is Ticker:
            known = self.tickers.get(message.product_id)
            if known is None or not known[1].follows(message.sequence):
                return False
            door = known[0]
        elif kind is Match:
            trade = self.trades.get(message.product_id)
            if trade is None or not trade[1].follows(message.trade_id, message.sequence):
                return False
            door = trade[0]
        else:
            return False
        self.heard[message.product_id] = stamp
        door.take(message, 1)
        return True

    def open_book(self, channel: WireChannel, out: Sink) -> None:
        """The book is right: its changes may be handed over as they come."""
        if self._is_asked(channel) and (door := out.door(channel)) is not None:
            self.books[channel.instrument] = door

    def open_trades(self, channel: WireChannel, ids: TradeIds, out: Sink) -> None:
        """A trade was handed over: the next one may be, if it is the next one."""
        if self._is_asked(channel) and (door := out.door(channel)) is not None:
            self.trades[channel.instrument] = door, ids

    def open_tickers(self, channel: WireChannel, numbers: Rising, out: Sink) -> None:
        """A ticker was handed over: the next one may be, if it is newer."""
        if (door := out.door(channel)) is not None:
            self.tickers[channel.instrument] = door, numbers

    def close(self) -> None:
        """Something changed: every message is to be looked at again until one shows that all is in order."""
        self.books.clear()
        self.trades.clear()
        self.tickers.clear()

    def tell(self, vitals: Vitals) -> None:
        """Tell the vitals of what came since they were told last."""
        for product, stamp in self.heard.items():
            vitals.beat(product, stamp.monotonic_s)
        self.heard.clear()
