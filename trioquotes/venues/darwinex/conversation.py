"""The talk on one connection: what to ask next, and what the answers mean.

Answers carry no id: they are told apart by ``op`` and by the products they name. So one request of a kind is
in flight at a time. What needs no request of its own is carried by a ping, which the venue always answers:
heartbeats and pongs come by themselves, the list of products is fetched, and products beyond the venue's limit
are refused here, without ever being sent.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from typing import Final, Literal, TypeAlias

import attrs
import msgspec

from trioquotes._protocol.contract import LedgerView, Memory, Sink
from trioquotes._protocol.effects import RejectionKind, Send, Stamp, WireChannel
from trioquotes._protocol.patience import asked_wait_s
from trioquotes.venues.darwinex import requests
from trioquotes.venues.darwinex.messages import Error, ErrorCode, Pong, Subscribed
from trioquotes.venues.darwinex.requests import (
    MAX_PRODUCTS,
    NAMES_A_REQUEST,
    RECOMMENDED_PRODUCTS,
    named_products,
)

__all__ = ["ANSWER_WITHIN_S", "HEARTBEATS", "PONGS", "QUOTES", "REST_WITHIN_S", "Conversation"]

QUOTES: Final = "pq"
"""The channel name of every product's quotes."""
HEARTBEATS: Final = WireChannel("hb")
PONGS: Final = WireChannel("pong")

ANSWER_WITHIN_S: Final = 10.0
REST_WITHIN_S: Final = 2.0
"""How long, after an error about one product, the answer about the others of its request may take. Whether it
comes at all is not documented."""

_TOO_MANY = f"Darwinex allows {MAX_PRODUCTS} products at one time: it was not asked for"
_WARNED: Final = "warned of many products"

_Slot: TypeAlias = Literal["subscribe", "unsubscribe", "ping"]
_SLOTS: Final[dict[str, _Slot]] = {
    "subscribe": "subscribe",
    "unsubscribe": "unsubscribe",
    "unsubscribeAll": "unsubscribe",
    "ping": "ping",
}


@attrs.define
class _Flight:
    """A request whose answer is awaited.

    Attributes:
        op: of the request.
        text: of a ping.
        until_s: when it is given up.
        in_part: whether an error came about some of its products, and nothing about the others.
    """

    send: Send
    op: str
    text: str
    until_s: float
    in_part: bool = False


class Conversation:
    """What was asked on this connection and what became of it.

    Args:
        memory: whether the user was warned of too many products.

    Attributes:
        next_id: number of the next request, of whatever kind.
        listened: heartbeats or pongs, where somebody wants them.
    """

    def __init__(self, memory: Memory) -> None:
        self.next_id = 1
        self.listened: set[WireChannel] = set()
        self._memory = memory
        self._flights: dict[_Slot, _Flight] = {}
        self._asked: set[WireChannel] = set()  # products, neither withdrawn nor refused
        self._unconfirmed: set[WireChannel] = set()  # of those, the ones owed an answer
        self._serving: set[WireChannel] = set()
        self._list_sizes: dict[
            WireChannel, int
        ] = {}  # of those in a request that was refused for nobody's sake
        self._left_over: list[
            WireChannel
        ] = []  # to be unsubscribed once more: one of their request was no product

    # What to ask next.

    def reconcile(self, ledger: LedgerView, stamp: Stamp) -> Send | None:
        """The next request, without side effects."""
        return self._unsubscribe(ledger) or self._subscribe(ledger) or self._carried(ledger, stamp)

    def _unsubscribe(self, ledger: LedgerView) -> Send | None:
        if "unsubscribe" in self._flights:
            return None
        asking = self._flights.get("subscribe")
        entering = frozenset[WireChannel]() if asking is None else asking.send.asks
        gone = [c for c in ledger.to_withdraw if c.name == QUOTES and c not in entering]
        gone += [c for c in self._left_over if c not in ledger.asked and c not in ledger.wanted]
        if not gone:
            return None
        if len(gone) > 1 and _products(ledger.asked) <= set(gone):
            return self._send(requests.unsubscribe_all(), withdraws=gone)
        gone = gone[:NAMES_A_REQUEST]
        return self._send(requests.unsubscribe(gone), withdraws=gone)

    def _subscribe(self, ledger: LedgerView) -> Send | None:
        if "subscribe" in self._flights:
            return None
        withdrawal = self._flights.get("unsubscribe")
        if withdrawal is not None and withdrawal.op == "unsubscribeAll":
            return None
        leaving = frozenset[WireChannel]() if withdrawal is None else withdrawal.send.withdraws
        room = MAX_PRODUCTS - len(_products(ledger.asked) | leaving)
        new = [c for c in ledger.to_ask if c.name == QUOTES and c not in leaving][:room]
        if not new:
            return None
        size = self._list_size(new[0])
        chosen = [c for c in new if self._list_size(c) == size][:size]
        return self._send(requests.subscribe(chosen), asks=chosen)

    def _list_size(self, channel: WireChannel) -> int:
        return self._list_sizes.get(channel, NAMES_A_REQUEST)

    def _carried(self, ledger: LedgerView, stamp: Stamp) -> Send | None:
        """A ping, for what needs no request of its own."""
        if "ping" in self._flights:
            return None
        to_ask = ledger.to_ask
        staying = _products(ledger.asked) - set(ledger.to_withdraw)
        new = [c for c in to_ask if c.name == QUOTES]
        asks = [c for c in to_ask if c in (HEARTBEATS, PONGS)] + new[max(MAX_PRODUCTS - len(staying), 0) :]
        withdraws = [c for c in ledger.to_withdraw if c.name != QUOTES]
        if not asks and not withdraws:
            return None
        return self._send(requests.ping(str(stamp.wall_ns)), asks=asks, withdraws=withdraws)

    def _send(
        self, frame: bytes, *, asks: Sequence[WireChannel] = (), withdraws: Sequence[WireChannel] = ()
    ) -> Send:
        return Send(
            frame,
            self.next_id,
            asks=frozenset(asks),
            withdraws=frozenset(withdraws),
            answer_within_s=ANSWER_WITHIN_S,
        )

    # What went out.

    def sent(self, send: Send, now_s: float) -> None:
        """It went out."""
        self.next_id = send.id + 1
        said = msgspec.json.decode(send.frame)
        flight = _Flight(send, said["op"], said.get("msg", ""), now_s + send.answer_within_s)
        self._flights[_SLOTS[flight.op]] = flight
        if flight.op == "unsubscribeAll":
            self._left_over.clear()
        self._left_over = [c for c in self._left_over if c not in send.withdraws]
        self._forget(send.withdraws)
        if flight.op == "subscribe":
            self._asked |= send.asks
            self._unconfirmed |= send.asks
        elif flight.op == "ping":
            self.listened |= send.asks & {HEARTBEATS, PONGS}

    def _forget(self, channels: Iterable[WireChannel]) -> None:
        for channel in channels:
            self._asked.discard(channel)
            self._unconfirmed.discard(channel)
            self._serving.discard(channel)
            self._list_sizes.pop(channel, None)
            self.listened.discard(channel)
            if len(self._serving) == RECOMMENDED_PRODUCTS:
                self._memory.pop(_WARNED, None)

    # What came back.

    def served(self, channel: WireChannel, out: Sink) -> None:
        """Data came: that confirms, should the answer be lost."""
        if channel in self._unconfirmed:
            self._confirm([channel], out)

    def _confirm(self, channels: Collection[WireChannel], out: Sink) -> None:
        out.confirmed(channels)
        self._serving.update(self._asked.intersection(channels))
        self._unconfirmed.difference_update(channels)
        for channel in channels:
            self._list_sizes.pop(channel, None)
        self._warn(out)

    def _warn(self, out: Sink) -> None:
        number = len(self._serving)
        if number > RECOMMENDED_PRODUCTS and _WARNED not in self._memory:
            self._memory[_WARNED] = True
            out.throttled(
                f"{number} products are subscribed, and Darwinex recommends {RECOMMENDED_PRODUCTS} at most:"
                " with more it may hold quotes back"
            )

    def subscribed(self, message: Subscribed, out: Sink) -> None:
        """An acknowledgement: what it lists is served, what it should list and does not was refused."""
        there = {WireChannel(QUOTES, product.product_name) for product in message.products}
        self._confirm(sorted(there), out)
        flight = self._flights.get("subscribe")
        if flight is None or (there and not there & flight.send.asks):
            return  # the late answer to a request that was given up
        self._land("subscribe", out)
        for channel in sorted(flight.send.asks & self._unconfirmed):
            if message.status == "WARN":
                self._reject(channel, "not among the products that were added (WARN)", "refused", out)
            else:
                self._unconfirmed.discard(channel)
                out.rejected(channel, "not among the products of the acknowledgement", "timeout")

    def unsubscribed(self, out: Sink) -> None:
        """The answer to a withdrawal."""
        self._land("unsubscribe", out)

    def pong(self, message: Pong, out: Sink) -> None:
        """The answer to a ping: if to ours, what it carried is settled."""
        flight = self._flights.get("ping")
        if flight is None or message.msg != flight.text:
            return
        self._land("ping", out)
        out.confirmed(sorted(self.listened))
        for channel in sorted(_products(flight.send.asks)):
            out.rejected(channel, _TOO_MANY, "limit")

    def refused(self, error: Error, now_s: float, out: Sink) -> None:
        """An error: whoever is to blame for it is rejected; the rest of the request is asked for again."""
        text = ": ".join(part for part in (error.code, error.msg) if part) or "an error without words"
        out.error(text)
        slot = self._slot_of(error)
        flight = None if slot is None else self._flights.get(slot)
        if slot is None or flight is None:
            return
        if error.code == ErrorCode.PRODUCT_NOT_VALID:
            named = named_products(error.msg or "")
            self._not_valid(slot, flight, out, named=named, text=text, now_s=now_s)
        else:
            kind: RejectionKind = "refused"
            if error.code == ErrorCode.MAX_PRODUCT_SUBSCRIPTIONS_REACHED:
                kind = "limit"
            elif asked_wait_s(text) is not None:
                kind = "timeout"
            self._land(slot, out)
            for channel in sorted(flight.send.asks):
                self._reject(channel, text, kind, out)

    def _slot_of(self, error: Error) -> _Slot | None:
        """Which request it answers; one that does not say so can only be told if there is but one."""
        if error.op_request:
            return _SLOTS.get(error.op_request)
        if error.code == ErrorCode.EMPTY_MESSAGE_RECEIVED or len(self._flights) != 1:
            return None
        return next(iter(self._flights))

    def _not_valid(
        self, slot: _Slot, flight: _Flight, out: Sink, *, named: frozenset[str], text: str, now_s: float
    ) -> None:
        """An error about a product: the others of its request may yet be acknowledged."""
        concerned = flight.send.asks if slot == "subscribe" else flight.send.withdraws
        blamed = {channel for channel in concerned if channel.instrument in named}
        if named and not blamed:
            return  # of an earlier request
        if slot != "subscribe":
            self._land(slot, out)
            if blamed and flight.op == "unsubscribe":
                self._left_over += sorted(concerned - blamed)
            return
        for channel in sorted(blamed):
            self._reject(channel, text, "refused", out)
        rest = sorted(concerned & self._unconfirmed)
        if not rest:
            self._land(slot, out)
        elif blamed:
            flight.until_s = min(flight.until_s, now_s + REST_WITHIN_S)
            flight.in_part = True
        else:
            self._doubt(rest, text, out)

    def _doubt(self, channels: Sequence[WireChannel], text: str, out: Sink) -> None:
        """A request was refused for a product that is not named: try its halves, down to one product."""
        self._land("subscribe", out)
        if len(channels) == 1:
            self._reject(channels[0], text, "refused", out)
            return
        for channel in channels:
            self._list_sizes[channel] = (len(channels) + 1) // 2
            self._unconfirmed.discard(channel)
        out.retry(channels)

    def _reject(self, channel: WireChannel, text: str, kind: RejectionKind, out: Sink) -> None:
        if channel in self._serving:
            return  # it is served, whatever this is about
        self._forget([channel])
        out.rejected(channel, text, kind)

    def _land(self, slot: _Slot, out: Sink) -> None:
        """The request in flight is over."""
        flight = self._flights.pop(slot, None)
        if flight is not None:
            out.answered(flight.send.id)

    # Time.

    def expire(self, now_s: float, out: Sink) -> None:
        """Give up what was not answered in time."""
        for slot, flight in list(self._flights.items()):
            if now_s < flight.until_s:
                continue
            self._land(slot, out)
            rest = sorted(flight.send.asks & self._unconfirmed)
            self._unconfirmed.difference_update(rest)
            if flight.in_part:
                out.retry(rest)

    def deadline(self) -> float:
        """When :meth:`expire` has something to do."""
        return min((flight.until_s for flight in self._flights.values()), default=math.inf)


def _products(channels: Iterable[WireChannel]) -> set[WireChannel]:
    return {channel for channel in channels if channel.name == QUOTES}
