"""The talk about subscriptions on one connection: what to ask next, and what the answers mean.

A confirmation names its channel; an error may name none. So private subscriptions, whose refusal is known to
name none, go one at a time; public ones go together, and where errors name none they are held against those
that stay unanswered once all others are confirmed. Nothing is ever unsubscribed: as documented that may close
every channel, so what nobody wants any more is left to run until the next line.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from trioquotes._protocol.contract import LedgerView, Sink
from trioquotes._protocol.effects import (
    Effect,
    Endpoint,
    Fetch,
    Replace,
    Send,
    Stamp,
    WireChannel,
)
from trioquotes.venues.zonda.auth import Signer
from trioquotes.venues.zonda.paths import BOOKS, LISTING, PRIVATE, STATS, TICKER, topic_of
from trioquotes.venues.zonda.refusals import Refusal
from trioquotes.venues.zonda.requests import get, proxy, request_id_of, subscribe

__all__ = ["ANSWER_WITHIN_S", "MAX_SNAPSHOT_TRIES", "MAX_VALUE_TRIES", "Conversation"]

ANSWER_WITHIN_S: Final = 10.0
MAX_SNAPSHOT_TRIES: Final = 8
"""Snapshots asked for in a row without one that fits: then the line is given up. The ledger spaces them out."""
MAX_VALUE_TRIES: Final = 3
"""The first value of a ticker is asked for no more often than this: the next push brings it as well."""


class Conversation:
    """What was asked on this connection and what became of it.

    Args:
        signer: signs private requests; ``None`` without credentials.
        endpoint: where the line goes to.

    Attributes:
        routes: what is asked now, by topic.
        unconfirmed: what of it was neither confirmed nor refused, however long ago.
    """

    def __init__(self, signer: Signer | None, endpoint: Endpoint) -> None:
        self._signer = signer
        self._endpoint = endpoint
        self.routes: dict[str, WireChannel] = {}
        self.unconfirmed: set[WireChannel] = set()
        self._next_id = 1
        self._owed: dict[WireChannel, float] = {}  # public subscriptions, and until when they are waited for
        self._blame: list[Refusal] = []  # errors that named no channel
        self._private: WireChannel | None = None
        self._private_until_s = math.inf
        self._needy: dict[WireChannel, None] = {}  # confirmed, and never asked for their snapshot
        self._tries: dict[WireChannel, int] = {}
        self._proxies: dict[str, tuple[int, WireChannel]] = {}
        self._awaited: dict[WireChannel, float] = {}  # snapshots, and until when they are waited for
        self._fetches: dict[int, WireChannel] = {}

    # What to ask next.

    def reconcile(self, ledger: LedgerView, stamp: Stamp) -> Effect | None:
        """The next request, without side effects: what costs least of the budgets goes first."""
        to_ask = ledger.to_ask
        for channel in to_ask:
            if channel.name == LISTING or not self._may_ask(channel):
                continue
            return self._subscribe(channel, stamp)
        for channel in to_ask:
            if channel.name == LISTING:
                return self._fetch(channel)
        return self._snapshot(ledger, stamp)

    def _may_ask(self, channel: WireChannel) -> bool:
        """Whether an error that names no channel could still be told to whom it belongs."""
        return self._private is None if channel.name in PRIVATE else not self._blame

    def _subscribe(self, channel: WireChannel, stamp: Stamp) -> Send:
        signed = {}
        if channel.name in PRIVATE and self._signer is not None:
            signed = self._signer.fields(stamp.wall_ns)
        return Send(
            subscribe(channel, signed),
            self._next_id,
            asks=frozenset({channel}),
            answer_within_s=ANSWER_WITHIN_S,
        )

    def _fetch(self, channel: WireChannel) -> Fetch:
        request = get(f"{self._endpoint.rest}/trading/ticker")
        return Fetch(self._next_id, request, asks=frozenset({channel}), timeout_s=ANSWER_WITHIN_S)

    def _snapshot(self, ledger: LedgerView, stamp: Stamp) -> Send | Replace | None:
        """Books first: they are of no use without a snapshot, while a ticker comes by itself."""
        due = self._due(ledger)
        for channel in due:
            if channel.name not in BOOKS:
                continue
            if self.tries(channel) >= MAX_SNAPSHOT_TRIES:
                return Replace(f"{MAX_SNAPSHOT_TRIES} snapshots of {channel} in a row were of no use")
            return self._proxy(channel, stamp)
        for channel in due:
            if channel.name not in BOOKS and self.tries(channel) < MAX_VALUE_TRIES:
                return self._proxy(channel, stamp)
        return None

    def _due(self, ledger: LedgerView) -> Sequence[WireChannel]:
        served = ledger.wanted & ledger.confirmed if self._needy else frozenset()
        first = [channel for channel in self._needy if channel in served]
        return [*first, *(channel for channel in ledger.resyncing if channel not in self._needy)]

    def _proxy(self, channel: WireChannel, stamp: Stamp) -> Send:
        return Send(
            proxy(channel, stamp.nonce),
            self._next_id,
            resyncs=frozenset({channel}),
            cost={"send": 1, "rest": 1},
            answer_within_s=ANSWER_WITHIN_S,
        )

    # What went out.

    def sent(self, effect: Send | Fetch, stamp: Stamp) -> None:
        """A request went out."""
        self._next_id = effect.id + 1
        if isinstance(effect, Fetch):
            self._fetches.update(dict.fromkeys([effect.id], *effect.asks))
            return
        until_s = stamp.monotonic_s + effect.answer_within_s
        for channel in sorted(effect.asks):
            self.routes[topic_of(channel)] = channel
            self.unconfirmed.add(channel)
            if channel.name in PRIVATE:
                self._private, self._private_until_s = channel, until_s
            else:
                self._owed[channel] = until_s
        for channel in sorted(effect.resyncs):
            self._needy.pop(channel, None)
            self._tries[channel] = self.tries(channel) + 1
            self._proxies = {number: asked for number, asked in self._proxies.items() if asked[1] != channel}
            self._proxies[request_id_of(effect.frame)] = effect.id, channel
            self._awaited[channel] = until_s

    # What came back.

    def fetched(self, request_id: int) -> WireChannel | None:
        """The channel that a fetch was for, which is over with this."""
        return self._fetches.pop(request_id, None)

    def answered(self, number: str, out: Sink) -> WireChannel | None:
        """The channel that a ``proxy`` answer is for; ``None`` for one that nobody waits for any more."""
        request_id, channel = self._proxies.pop(number, (0, None))
        if channel is not None:
            self._awaited.pop(channel, None)
            out.answered(request_id)
        return channel

    def awaits(self, channel: WireChannel) -> bool:
        """Whether a snapshot of it is on its way, or about to be asked for the first time."""
        return channel in self._awaited

    def settled(self, channel: WireChannel) -> None:
        """It has what a snapshot was to bring."""
        for table in (self._needy, self._awaited, self._tries):
            table.pop(channel, None)

    def tries(self, channel: WireChannel) -> int:
        """Snapshots asked for since the last one that was of use."""
        return self._tries.get(channel, 0)

    def confirm(self, channel: WireChannel, out: Sink) -> bool:
        """The server serves it, by its word or by data; returns whether that is news."""
        if channel not in self.unconfirmed:
            return False
        self.unconfirmed.discard(channel)
        if channel.name in BOOKS or (channel.name in {TICKER, STATS} and channel.instrument):
            self._needy[channel] = None
            self._awaited[channel] = math.inf
        self._land(channel)
        out.confirmed((channel,))
        self._judge(out)
        return True

    def refused(
        self, channel: WireChannel | None, refusal: Refusal, *, private: bool | None, out: Sink
    ) -> None:
        """An error came for a subscription.

        Args:
            channel: that it names; ``None`` where it names none.
            refusal: what it says.
            private: whether it is about a private one; ``None`` where it does not say.
            out: the sink.
        """
        out.error(refusal.text)
        if refusal.limited:
            out.throttled(refusal.text)
        if channel is None and private is not False:
            channel = self._private
        if channel is not None:
            self._reject(channel, refusal, out)
        elif private is False or (private is None and refusal.kind != "authentication"):
            self._blame += [refusal] if self._owed else []
        self._judge(out)

    def _judge(self, out: Sink) -> None:
        """As many errors as open questions: each of those was refused."""
        if not self._blame or len(self._owed) > len(self._blame):
            return
        blame, self._blame = self._blame, []
        for channel, refusal in zip(list(self._owed), blame, strict=False):
            self._reject(channel, refusal, out)

    def _reject(self, channel: WireChannel, refusal: Refusal, out: Sink) -> None:
        self.drop(channel)
        out.rejected(channel, refusal.text, refusal.kind)

    def drop(self, channel: WireChannel) -> None:
        """It is no longer asked for."""
        self._land(channel)
        self.unconfirmed.discard(channel)
        self.routes.pop(topic_of(channel), None)
        self._proxies = {number: asked for number, asked in self._proxies.items() if asked[1] != channel}
        self.settled(channel)

    def _land(self, channel: WireChannel) -> None:
        self._owed.pop(channel, None)
        if channel == self._private:
            self._private, self._private_until_s = None, math.inf

    def expire(self, now_s: float) -> None:
        """Give up waiting for what is overdue: the ledger asks for it again, and a late answer still counts."""
        for channel in [channel for channel, until_s in self._owed.items() if until_s <= now_s]:
            del self._owed[channel]
        if not self._owed:
            self._blame.clear()
        if self._private_until_s <= now_s:
            self._private, self._private_until_s = None, math.inf
        for channel in [channel for channel, until_s in self._awaited.items() if until_s <= now_s]:
            del self._awaited[channel]

    def deadline(self) -> float:
        """When :meth:`expire` has something to do."""
        return min([self._private_until_s, *self._owed.values(), *self._awaited.values()])
