"""The channels that books by order are kept from: every message is numbered, and the book is fetched beside them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from trioquotes._protocol.codec import BadFrame
from trioquotes._protocol.contract import Memory, Sink
from trioquotes._protocol.effects import Endpoint, Failure, Reply, WireChannel
from trioquotes._protocol.sequence import OK
from trioquotes.events import WireMessage
from trioquotes.venues.coinbase.level3 import Level3Book
from trioquotes.venues.coinbase.rest import book_by_order
from trioquotes.venues.coinbase.runs import Runs

__all__ = ["OrderStreams"]

_HTTP_OK: Final = 200
_DIGITS: Final = 19
"""Of numbers from which on not all fit 63 bits."""


class OrderStreams:
    """``full`` and ``level3`` of one connection.

    Args:
        endpoint: where books are fetched; without REST there are none.
        memory: of the lane.
        is_asked: whether a channel counts as asked on this connection.
    """

    def __init__(self, endpoint: Endpoint, memory: Memory, is_asked: Callable[[WireChannel], bool]) -> None:
        self._has_books = endpoint.rest is not None
        self._runs = Runs(memory)
        self._is_asked = is_asked

    def forget(self, channel: WireChannel) -> None:
        """It was unsubscribed."""
        self._runs.forget(channel)

    def asked_book(self, channel: WireChannel) -> None:
        """Its book is asked for."""
        self._runs.asked_book(channel)

    def take(self, channel: WireChannel, message: WireMessage, sequence: int, out: Sink) -> None:
        """A message of a sequence without holes; over a reconnect too, where the count says what was missed."""
        if self._is_asked(channel):
            step = self._runs.take(channel, sequence)
            if step.kind == "duplicate":
                out.ignored("duplicate")
                return
            if step is not OK:
                self._missed(channel, "the sequence has a hole", step.missed, out)
        out.deliver(channel, message)

    def spoiled(self, channel: WireChannel, frame: bytes, reason: str, sequence: object, out: Sink) -> None:
        """A message does not decode, but perhaps its number does."""
        out.malformed(frame, reason, channel=channel)
        if self._is_asked(channel):
            step = self._runs.lose(channel, _counter(sequence))
            if step.kind == "gap":
                self._missed(channel, "a message of the sequence cannot be read", step.missed, out)

    def fetched(self, channel: WireChannel, reply: Reply | Failure, out: Sink) -> None:
        """A book by order; one that does not come, or does not fit, is asked for again."""
        book = self._book(channel, reply, out)
        if book is None:
            self._fetch_again(channel, out)
            return
        self._runs.fetched(channel, book.sequence)
        out.resynced(channel)  # before it is taken: who finds it wrong asks for another
        out.deliver(channel, book)

    def _book(self, channel: WireChannel, reply: Reply | Failure, out: Sink) -> Level3Book | None:
        """The fetched book, if it is one and goes with what came on this connection."""
        if isinstance(reply, Failure):
            out.error(f"book of {channel.instrument}: {reply.reason}")
            return None
        if reply.status != _HTTP_OK:
            out.error(f"book of {channel.instrument}: HTTP {reply.status}")
            out.ignored("refused")
            return None
        try:
            book = book_by_order(reply.body, channel.instrument)
        except BadFrame as bad:
            out.malformed(reply.body, bad.reason, channel=channel)
            return None
        if not self._runs.fits(channel, book.sequence):
            out.ignored("older than the messages")
            return None
        return book

    def _missed(self, channel: WireChannel, reason: str, missed: int | None, out: Sink) -> None:
        """Messages are missing, so whoever keeps a book of them needs a new one."""
        out.gap(channel, reason, missed=missed)
        self._fetch_again(channel, out)

    def _fetch_again(self, channel: WireChannel, out: Sink) -> None:
        if self._has_books:
            out.resync(channel)


def _counter(number: object) -> int | None:
    """The number of a message of which something else does not decode; ``level3`` writes it as a text."""
    text = str(number) if isinstance(number, int | str) and not isinstance(number, bool) else ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < _DIGITS else None
