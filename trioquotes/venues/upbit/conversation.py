"""The talk about subscriptions on one connection: what to ask next, and what shows that it is served.

A request replaces the whole set, so each one restates what is to stay. Nothing is acknowledged: data confirm,
and where none come of themselves the venue's own list does. An error names nobody and closes the line, so
those who may be to blame are asked for in ever smaller parts on the lines that follow.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from trioquotes._protocol.contract import LedgerView, Memory, Sink
from trioquotes._protocol.effects import (
    Effect,
    Endpoint,
    Fetch,
    HttpRequest,
    Replace,
    Send,
    Stamp,
    WireChannel,
)
from trioquotes._protocol.patience import asked_wait_s
from trioquotes.venues.upbit.channels import MARKETS, book_of, depth_of, is_quiet
from trioquotes.venues.upbit.messages import Error, Subscriptions
from trioquotes.venues.upbit.requests import list_subscriptions, subscribe

__all__ = ["ANSWER_WITHIN_S", "INVALID_AUTH", "SILENCE_PROVES_S", "Conversation"]

ANSWER_WITHIN_S: Final = 5.0
"""How long the first data may take; they come within a second where a market exists."""
SILENCE_PROVES_S: Final = 3.0
"""A channel that is silent by nature is served if no error came for this long: they come within 0.2 s."""
KEPT_S: Final = 70.0
"""What did not answer stays in the set for this long: longer than until it is asked for again."""
FETCH_WITHIN_S: Final = 10.0

INVALID_AUTH: Final = "INVALID_AUTH"

_SUSPECTS: Final = "suspects"
_NO_LIST: Final = "no list"


class Conversation:
    """What was asked on this connection and what became of it.

    Args:
        memory: keeps who may be to blame for an error, since it ends the connection.
        endpoint: where the list of markets is.
        form: the format to ask for.

    Attributes:
        routes: the channel of each type and code that is asked now.
        depths: the channels that say how deep a book is wanted, by the book's own.
    """

    def __init__(self, memory: Memory, endpoint: Endpoint, form: str) -> None:
        self._memory = memory
        self._rest = endpoint.rest
        self._form = form
        self.routes: dict[tuple[str, str], WireChannel] = {}
        self.depths: dict[WireChannel, set[WireChannel]] = {}
        self._unproven: dict[
            WireChannel, dict[WireChannel, float]
        ] = {}  # when it was asked for, book by book
        self._next_id = 1
        self._list_due = False
        self._list_id: int | None = None
        self._deadline_s: float | None = math.inf  # None where it has to be found out

    # What to ask next.

    def reconcile(self, ledger: LedgerView, stamp: Stamp) -> Effect | None:
        """The next request, without side effects."""
        if MARKETS in ledger.to_ask or MARKETS in ledger.resyncing:
            return self._fetch(ledger)
        leaving = [*ledger.to_withdraw]
        new = self._next(ledger)
        again = [c for c in ledger.resyncing if c in ledger.asked]
        if new or leaving or again:
            whole = self._whole(ledger, new, stamp.monotonic_s)
            if whole:
                return self._send(whole, stamp, asks=new, withdraws=leaving, resyncs=again)
            return Replace("the empty set cannot be said") if leaving else None
        if self._list_due:
            frame = list_subscriptions(stamp.nonce, self._form)
            return Send(frame, self._next_id, answer_within_s=ANSWER_WITHIN_S)
        return None

    def _fetch(self, ledger: LedgerView) -> Fetch:
        one = frozenset({MARKETS})
        again = MARKETS in ledger.asked
        return Fetch(
            self._next_id,
            HttpRequest(f"{self._rest}/v1/market/all"),
            asks=frozenset() if again else one,
            resyncs=one if again else frozenset(),
            timeout_s=FETCH_WITHIN_S,
        )

    def _send(
        self,
        whole: Iterable[WireChannel],
        stamp: Stamp,
        *,
        asks: Iterable[WireChannel],
        withdraws: Iterable[WireChannel] = (),
        resyncs: Iterable[WireChannel] = (),
    ) -> Send:
        return Send(
            subscribe(whole, stamp.nonce, self._form),
            self._next_id,
            asks=frozenset(asks),
            withdraws=frozenset(withdraws),
            resyncs=frozenset(resyncs),
            answer_within_s=ANSWER_WITHIN_S,
        )

    def _next(self, ledger: LedgerView) -> list[WireChannel]:
        """Those to ask for now: all but suspects, then one batch of suspects at a time."""
        new = [*ledger.to_ask]
        batches = self._suspects
        doubted = {channel for batch in batches for channel in batch}
        trusted = [channel for channel in new if channel not in doubted]
        if trusted or not doubted:
            return trusted
        if set(ledger.asked) - ledger.confirmed:
            return []  # an error could mean these too
        return next((some for batch in batches if (some := [c for c in batch if c in new])), [])

    def _whole(self, ledger: LedgerView, new: Sequence[WireChannel], now_s: float) -> set[WireChannel]:
        """What the server is to serve after the next request."""
        staying = {channel for channel in ledger.wanted if channel in ledger.asked}
        waiting = {
            channel
            for channel, asked_s in self._waiting()
            if channel not in ledger.asked and now_s < asked_s + KEPT_S
        }
        return (staying | waiting).union(new) - {MARKETS}

    # What went out.

    def sent(self, effect: Send | Fetch, stamp: Stamp) -> None:
        """A request went out."""
        self._next_id = effect.id + 1
        self._deadline_s = None
        if isinstance(effect, Fetch):
            return
        for channel in sorted(effect.withdraws - {MARKETS}):
            self._drop(channel)
        for channel in sorted(effect.asks):
            self._take(channel, stamp.monotonic_s)
        if not (effect.asks or effect.withdraws or effect.resyncs):
            self._list_id = effect.id
            self._list_due = False
        elif any(is_quiet(channel) for channel in effect.asks) and not self._memory.get(_NO_LIST):
            self._list_due = True

    def _take(self, channel: WireChannel, now_s: float) -> None:
        book = book_of(channel)
        self._unproven.setdefault(book, {})[channel] = now_s
        self.routes[book.name, book.instrument] = book
        if channel != book:
            self.depths.setdefault(book, set()).add(channel)

    def _drop(self, channel: WireChannel) -> None:
        book = book_of(channel)
        self._prove(book, [channel])
        if channel == book:
            self.routes.pop((book.name, book.instrument), None)
        else:
            self.depths.get(book, set()).discard(channel)

    def _waiting(self) -> list[tuple[WireChannel, float]]:
        """What was asked and has not answered, and when it was asked for."""
        return [pair for channels in self._unproven.values() for pair in channels.items()]

    def _prove(self, book: WireChannel, channels: Iterable[WireChannel]) -> list[WireChannel]:
        """No answer is awaited any more; returns those of which one was."""
        self._deadline_s = None
        waiting = self._unproven.get(book, {})
        found = [channel for channel in channels if waiting.pop(channel, None) is not None]
        if not waiting:
            self._unproven.pop(book, None)
        self._clear(found)
        return found

    # What came back.

    def served(self, book: WireChannel, depth: int | None, out: Sink) -> None:
        """Data of a channel came: it is served, and so is every depth of it that the message shows."""
        waiting = self._unproven.get(book)
        if waiting:
            out.confirmed(self._prove(book, [c for c in waiting if _shows(depth, c)]))

    def _confirm(self, channels: Iterable[WireChannel], out: Sink) -> None:
        for channel in channels:
            out.confirmed(self._prove(book_of(channel), [channel]))

    def listed(self, message: Subscriptions, out: Sink) -> None:
        """The venue says what is subscribed: it confirms what brings no data by itself."""
        if self._list_id is not None:
            out.answered(self._list_id)
            self._list_id = None
        whole = {part.type for part in message.result if not part.codes}
        single = {(part.type, code) for part in message.result for code in part.codes or ()}
        quiet = [channel for channel, _ in self._waiting() if is_quiet(channel)]
        self._confirm([c for c in quiet if c.name in whole or (c.name, c.instrument) in single], out)

    def refused(self, error: Error, stamp: Stamp, out: Sink) -> None:
        """A request was refused and the line is over: reject the only suspect, or narrow them down."""
        words = error.error
        text = f"{words.name}: {words.message}"
        out.error(text)
        out.lost(f"the venue refused a request: {text}")
        if words.name == INVALID_AUTH:
            for channel, _ in self._waiting():
                out.rejected(channel, text, "authentication")
            return
        if asked_wait_s(text) is not None:
            return  # nobody is to blame: all of it is asked for again, later
        now_s = stamp.monotonic_s
        suspects = [channel for channel, asked_s in self._waiting() if now_s <= asked_s + ANSWER_WITHIN_S]
        if self._list_id is not None:
            self._memory[_NO_LIST] = True  # that request may be the one: the next line tries without
            return
        self._memory.pop(_NO_LIST, None)  # it was not
        batches = _split(suspects)
        if len(batches) > 1:
            self._memory[_SUSPECTS] = [*batches, *(b for b in self._suspects if not set(b) & {*suspects})]
            return
        self._clear(suspects)
        for channel in suspects:
            out.rejected(channel, text)

    @property
    def _suspects(self) -> Sequence[tuple[WireChannel, ...]]:
        """Batches of channels, each to be asked for alone."""
        batches: Sequence[tuple[WireChannel, ...]] = self._memory.get(_SUSPECTS, ())
        return batches

    def _clear(self, channels: Collection[WireChannel]) -> None:
        """These are no suspects any more."""
        if self._suspects and channels:
            left = [tuple(c for c in batch if c not in channels) for batch in self._suspects]
            self._memory[_SUSPECTS] = [batch for batch in left if batch]

    # Time.

    def tick(self, now_s: float, out: Sink) -> None:
        """Take silence for an answer: of what is silent by nature, and of suspects, since errors are fast."""
        if now_s < self.deadline():
            return
        self._deadline_s = None
        waiting = self._waiting()
        self._confirm(
            [c for c, asked_s in waiting if is_quiet(c) and now_s >= asked_s + SILENCE_PROVES_S], out
        )
        self._clear([c for c, asked_s in waiting if now_s >= asked_s + ANSWER_WITHIN_S])

    def deadline(self) -> float:
        """When :meth:`tick` has something to do."""
        if self._deadline_s is None:
            doubted = {channel for batch in self._suspects for channel in batch}
            due_s = [math.inf]
            for channel, asked_s in self._waiting():
                if is_quiet(channel):
                    due_s.append(asked_s + SILENCE_PROVES_S)
                elif channel in doubted:
                    due_s.append(asked_s + ANSWER_WITHIN_S)
            self._deadline_s = min(due_s)
        return self._deadline_s


def _shows(depth: int | None, channel: WireChannel) -> bool:
    wanted = depth_of(channel)
    return wanted is None or depth is None or wanted <= depth


def _split(suspects: Sequence[WireChannel]) -> list[tuple[WireChannel, ...]]:
    """Parts of which each is to be asked for alone; one part where there is nothing to split."""
    books: dict[WireChannel, list[WireChannel]] = {}
    for channel in sorted(suspects):
        books.setdefault(book_of(channel), []).append(channel)
    types: dict[str, list[WireChannel]] = {}
    for book, channels in books.items():
        types.setdefault(book.name, []).extend(channels)
    if len(types) > 1:
        return [tuple(channels) for channels in types.values()]
    if len(books) < 2:
        return [tuple(channels) for channels in books.values()]
    atoms = [*books.values()]
    half = len(atoms) // 2
    return [tuple(c for atom in part for c in atom) for part in (atoms[:half], atoms[half:])]
