"""The talk about subscriptions on one connection: what to ask next, and what the answers mean.

Errors carry no id, so one request is in flight at a time. Acknowledgements carry none either: they list
everything and come late, so they confirm what they list. Signed and public requests are kept apart, since
one refused channel may void the others of its request.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from typing import Final, Literal

from trioquotes._protocol.contract import LedgerView, Memory, Sink
from trioquotes._protocol.effects import (
    Effect,
    Endpoint,
    Fetch,
    Replace,
    Send,
    Stamp,
    WireChannel,
)
from trioquotes.venues.coinbase.auth import Signer
from trioquotes.venues.coinbase.messages import Error, Subscriptions
from trioquotes.venues.coinbase.requests import (
    SIGNED_CHANNELS,
    Listed,
    Refusal,
    encode,
    fitting,
    read_refusal,
    subject,
)
from trioquotes.venues.coinbase.rest import request

__all__ = ["BOOKS", "BY_ORDER", "Conversation"]

ANSWER_WITHIN_S: Final = 10.0
"""How long an acknowledgement may take: it comes after snapshots, which are large."""
FETCH_WITHIN_S: Final = 30.0
"""A book by order is tens of megabytes."""

BOOKS: Final = frozenset({"level2", "level2_batch"})
"""Channels whose snapshot comes again with a new subscription."""
BY_ORDER: Final = frozenset({"full", "level3"})
"""Channels whose snapshot is fetched over HTTP."""


class Conversation:
    """What was asked on this connection and what became of it.

    Args:
        signer: signs requests; ``None`` without credentials.
        memory: keeps the names of channels found to need a signature.
        endpoint: where the line goes to.

    Attributes:
        routes: what is asked now, by channel name and product or account.
    """

    def __init__(self, signer: Signer | None, memory: Memory, endpoint: Endpoint) -> None:
        self._signer = signer
        self._memory = memory
        self._endpoint = endpoint
        self.routes: dict[tuple[str, str], WireChannel] = {}
        self.unconfirmed: set[WireChannel] = set()
        self._next_id = 1
        self._flight: Send | None = None
        self._flight_until_s = math.inf
        self._fetches: dict[int, WireChannel] = {}
        self._suspects: set[WireChannel] = set()
        self._anonymous: set[WireChannel] = set()
        self._returning: set[WireChannel] = set()  # withdrawn only to be asked for again

    # What to ask next.

    def reconcile(self, ledger: LedgerView, stamp: Stamp) -> Effect | None:
        """The next request, without side effects."""
        for channel in sorted(self._anonymous):
            if self._signs(channel) and channel in ledger.wanted:
                return Replace(f"{channel.name} was first asked for without a signature")
        fetch = self._fetch(ledger)
        if fetch is not None:
            return fetch
        if self._flight is not None and stamp.monotonic_s < self._flight_until_s:
            return None
        leaving = [*ledger.to_withdraw]
        leaving += [c for c in ledger.resyncing if c.name in BOOKS and c in ledger.asked]
        if leaving:
            return self._unsubscribe(leaving, ledger.wanted, stamp)
        asking = [c for c in ledger.to_ask if c not in self._suspects]
        if not asking:
            asking = [*ledger.to_ask][:1]  # a suspect, alone: then an error can only mean this one
        return self._subscribe(asking, ledger.resyncing, stamp) if asking else None

    def _fetch(self, ledger: LedgerView) -> Fetch | None:
        """The next book by order, of a product for which none is on its way: it is large."""
        due = [c for c in ledger.resyncing if c.name in BY_ORDER and c in ledger.asked]
        if not due:
            return None
        coming = {c for effect in ledger.in_flight if isinstance(effect, Fetch) for c in effect.resyncs}
        for channel in due:
            if channel not in coming:
                return Fetch(
                    self._next_id,
                    request(self._endpoint, channel.instrument, 3),
                    resyncs=frozenset({channel}),
                    timeout_s=FETCH_WITHIN_S,
                )
        return None

    def _unsubscribe(
        self, channels: Sequence[WireChannel], wanted: Collection[WireChannel], stamp: Stamp
    ) -> Send:
        """Withdraw; what is wanted all the same is resynced: asked for again, it brings its snapshot."""
        chosen = self._of_one_kind(channels)
        return Send(
            self._frame("unsubscribe", chosen, stamp),
            self._next_id,
            withdraws=frozenset(chosen),
            resyncs=frozenset(c for c in chosen if c in wanted),
            answer_within_s=ANSWER_WITHIN_S,
        )

    def _subscribe(
        self, channels: Sequence[WireChannel], resyncing: Collection[WireChannel], stamp: Stamp
    ) -> Send:
        chosen = self._of_one_kind(channels)
        return Send(
            self._frame("subscribe", chosen, stamp),
            self._next_id,
            asks=frozenset(chosen),
            resyncs=frozenset(c for c in chosen if c in resyncing or c in self._returning),
            answer_within_s=ANSWER_WITHIN_S,
        )

    def _of_one_kind(self, channels: Sequence[WireChannel]) -> list[WireChannel]:
        """Signed channels first, public ones only when there are none; as many as fit in one request."""
        signed = [c for c in channels if self._signs(c)]
        return fitting(signed or channels)

    def _signs(self, channel: WireChannel) -> bool:
        return self._signer is not None and (
            self._endpoint.signed
            or channel.name in SIGNED_CHANNELS
            or bool(self._memory.get(("signed", channel.name)))
        )

    def _frame(
        self, kind: Literal["subscribe", "unsubscribe"], channels: Sequence[WireChannel], stamp: Stamp
    ) -> bytes:
        signer = self._signer if self._signs(channels[0]) else None
        return encode(kind, channels, {} if signer is None else signer.fields(stamp.wall_ns))

    # What went out.

    def sent(self, effect: Send | Fetch, stamp: Stamp) -> None:
        """A request went out."""
        self._next_id = effect.id + 1
        if isinstance(effect, Fetch):
            self._fetches.update(dict.fromkeys([effect.id], *effect.resyncs))
            return
        self._flight = effect
        self._flight_until_s = stamp.monotonic_s + effect.answer_within_s
        for channel in sorted(effect.withdraws):
            self.routes.pop((channel.name, subject(channel)), None)
            self.unconfirmed.discard(channel)
            self._suspects.discard(channel)
            # A book that is on its way is of what was given up.
            for request_id in [number for number, own in self._fetches.items() if own == channel]:
                del self._fetches[request_id]
        for channel in sorted(effect.asks):
            self.routes[channel.name, subject(channel)] = channel
            self.unconfirmed.add(channel)
            if not self._signs(channel):
                self._anonymous.add(channel)
        self._returning = (self._returning | (effect.withdraws & effect.resyncs)) - effect.asks

    def fetched(self, request_id: int) -> WireChannel | None:
        """The channel that a fetch was for, which is over with this; ``None`` where it was given up meanwhile."""
        return self._fetches.pop(request_id, None)

    # What came back.

    def confirm(self, channels: Iterable[WireChannel], out: Sink) -> list[WireChannel]:
        """The server serves these, by its word or by data; returns those of which that is news."""
        fresh = [channel for channel in channels if channel in self.unconfirmed]
        if fresh:
            self.unconfirmed.difference_update(fresh)
            self._suspects.difference_update(fresh)
            out.confirmed(fresh)
        return fresh

    def acknowledged(self, message: Subscriptions, out: Sink) -> list[WireChannel]:
        """An acknowledgement: confirms what it lists; what it should list and does not is asked for again.

        Returns:
            Those confirmed by it.
        """
        listed = Listed(message)
        fresh = self.confirm([c for c in sorted(self.unconfirmed) if c in listed], out)
        flight = self._flight
        if flight is None or any(c in listed for c in flight.withdraws):
            return fresh  # late: the answer to what is in flight is still to come
        self._land(flight, out)
        for channel in sorted(flight.asks & self.unconfirmed):
            # Its data may come all the same: it stays known, and that confirms it.
            out.rejected(channel, "not acknowledged", "timeout")
        return fresh

    def refused(self, error: Error, out: Sink) -> None:
        """An error: whoever is to blame for it is rejected, the rest of the request is asked for again."""
        flight = self._flight
        asks = frozenset() if flight is None else flight.asks
        refusal = read_refusal(error, asks)
        out.error(refusal.text)
        late = "Failed to unsubscribe" if asks else "Failed to subscribe"
        if flight is None or error.message == late:
            return  # no answer to what is in flight
        self._land(flight, out)
        concerned = sorted((asks & self.unconfirmed) | refusal.blamed)
        for channel in concerned:
            self._drop(channel)
        rejected = self._to_blame(refusal, concerned)
        for channel in concerned:
            if channel in rejected:
                out.rejected(channel, refusal.text, refusal.kind)
        out.retry([channel for channel in concerned if channel not in rejected])

    def _to_blame(self, refusal: Refusal, concerned: Sequence[WireChannel]) -> Collection[WireChannel]:
        """Those to be rejected; where nobody can be named, all become suspects and are tried one by one."""
        if not concerned:
            return ()
        if refusal.unsigned and self._signer is not None and not self._signs(concerned[0]):
            for channel in refusal.blamed or concerned:
                self._memory["signed", channel.name] = True
            return ()
        if refusal.blamed:
            return refusal.blamed
        if len(concerned) == 1 or refusal.kind in {"authentication", "timeout"}:
            return concerned
        self._suspects.update(concerned)
        return ()

    def _land(self, flight: Send, out: Sink) -> None:
        """The request in flight is over."""
        out.answered(flight.id)
        self._flight = None
        self._flight_until_s = math.inf

    def _drop(self, channel: WireChannel) -> None:
        """It is no longer asked for."""
        self.routes.pop((channel.name, subject(channel)), None)
        self.unconfirmed.discard(channel)
        self._suspects.discard(channel)

    def expire(self, now_s: float, out: Sink) -> None:
        """Give up waiting for an answer that is overdue."""
        if self._flight is not None and now_s >= self._flight_until_s:
            self._land(self._flight, out)

    def deadline(self) -> float:
        """When :meth:`expire` has something to do."""
        return self._flight_until_s
