"""Coinbase Exchange, simulated: the feed and its REST side over one seeded market.

*Source:* docs.cdp.coinbase.com/exchange/websocket-feed, pages overview, channels, authentication,
rate-limits and errors; recordings where the wire differs from them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, ClassVar, Literal, TypeAlias

import trio

from trioquotes.simulator.connection import Buffer, Connection
from trioquotes.simulator.faults import AckFate, Fault
from trioquotes.simulator.floor import Listing
from trioquotes.simulator.happenings import Happening
from trioquotes.simulator.http_side import HttpRequest, HttpResponse, json_response
from trioquotes.simulator.limits import RollingLimit, TokenBucket
from trioquotes.simulator.market import Market
from trioquotes.simulator.server import Simulator
from trioquotes.simulator.venues.coinbase import rest
from trioquotes.simulator.venues.coinbase.desk import Desk, acknowledgement, error_frame
from trioquotes.simulator.venues.coinbase.listings import Profile, account_id, listings_of
from trioquotes.simulator.venues.coinbase.publisher import Publisher
from trioquotes.simulator.venues.coinbase.requests import Refusal, Request, Rules, Violation, read_request

__all__ = ["CoinbaseSimulator"]

_Line: TypeAlias = Connection[Desk]

FIRST_REQUEST_WITHIN_S = 5.0
"""A subscribe message must come within this time of opening (overview)."""

CONNECTS_PER_S, CONNECT_BURST = 8, 20
"""Connections per second and address, and how many at once (rate limits)."""

MESSAGES_PER_S = 100
"""Messages per second and address (rate limits)."""

REST_PER_S, REST_BURST = 10, 15
"""Public HTTP requests per second and address, and how many at once (REST rate limits)."""

LAST_WORDS_S = 1.0
"""How long a client that is dropped may take to read why."""


class CoinbaseSimulator(Simulator[Desk]):
    """The venue; serve it with ``open_server`` or ``serve_stream``.

    Args:
        seed: of the market.
        rate: actions of traders per second and product.
        products: ids or listings; ``None`` takes BTC-USD, ETH-USD, ETH-EUR and LTC-USD.
        keys: known clients; the market places orders of theirs now and then.
        direct: the endpoint where every line must sign its requests.
        auctions: seconds of opening auction, by product.
        depth: price levels a side.
        status_interval_s: how often ``status`` is repeated; ``None`` sends it on subscribing only.
        unsubscribe_without_ids: whether that is refused, or means all products.
        rfq_needs_signature: whether ``rfq_matches`` must be signed.
        limits: whether the venue's limits on connects and messages are enforced.
        faults: what goes wrong; see ``trioquotes.simulator.faults``.
        wall_ns: the wall clock, Unix nanoseconds.
        buffer: how much may wait for a slow client.
        frames_kept: how many sent frames the records keep; 0 keeps none.
        books_kept: for how many messages of each book ``witness`` keeps what the book was; 0 for none.
    """

    venue: ClassVar[str] = "coinbase"

    def __init__(
        self, *, seed: int = 0, rate: float = 20.0, products: Iterable[str | Listing] | None = None,
        keys: Iterable[Profile] = (), direct: bool = False, auctions: Mapping[str, float] | None = None,
        depth: int = 40, status_interval_s: float | None = None,
        unsubscribe_without_ids: Literal["refuse", "all"] = "refuse", rfq_needs_signature: bool = False,
        limits: bool = True, faults: Iterable[Fault] = (), wall_ns: Callable[[], int] = time.time_ns,
        buffer: Buffer | None = None, frames_kept: int = 10_000,
        books_kept: int = 0,
    ) -> None:  # fmt: skip
        super().__init__(
            faults=faults, wall_ns=wall_ns, buffer=buffer, frames_kept=frames_kept, books_kept=books_kept
        )
        self._listings = listings_of(products)
        self._profiles = {profile.key: profile for profile in keys}
        self._market_options: dict[str, Any] = {
            "seed": seed, "rate": rate, "depth": depth, "auctions": auctions,
            "owners": sorted({profile.name for profile in self._profiles.values()}),
        }  # fmt: skip
        self.rules = Rules(
            products=frozenset(listing.instrument for listing in self._listings), keys=self._profiles,
            accounts={
                account_id(profile, currency): profile.name
                for profile in self._profiles.values()
                for listing in self._listings
                for currency in (listing.base, listing.quote)
            },
            direct=direct, unsubscribe_without_ids=unsubscribe_without_ids,
            rfq_needs_signature=rfq_needs_signature,
        )  # fmt: skip
        self._limits = limits
        self._status_interval_s = status_interval_s
        self._connects: dict[str, TokenBucket] = {}
        self._messages: dict[str, RollingLimit] = {}
        self._requests = TokenBucket(REST_PER_S, REST_BURST)
        self._publisher: Publisher | None = None

    @property
    def market(self) -> Market:
        """The market, which begins when it is first looked at; only inside ``trio.run``."""
        return self._published().market

    def _published(self) -> Publisher:
        if self._publisher is None:
            now_ns = self.now_ns()
            market = Market(self._listings, start_ns=now_ns, **self._market_options)
            profiles = {profile.name: profile for profile in self._profiles.values()}
            self._publisher = Publisher(market, profiles, now_ns, self._status_interval_s, self.witness)
        return self._publisher

    # Connections ------------------------------------------------------------------------------------

    def new_state(self, request: HttpRequest) -> Desk:  # noqa: ARG002  # the feed has no paths
        """No subscription yet."""
        return Desk()

    def admit(self, request: HttpRequest, peer: str) -> HttpResponse | None:  # noqa: ARG002
        """At most so many connections per second and address."""
        bucket = self._connects.setdefault(peer, TokenBucket(CONNECTS_PER_S, CONNECT_BURST))
        if bucket.take(trio.current_time()) or not self._limits:
            return None
        self.breach(peer, "connects", f"more than {CONNECTS_PER_S} per second beyond {CONNECT_BURST}")
        return json_response({"message": "Too Many Requests"}, 429, (("Retry-After", "1"),))

    def opened(self, connection: _Line) -> None:
        """The first request must come in time."""
        self._published()

        def check() -> None:
            if not connection.state.asked:
                connection.breach("first request", f"none within {FIRST_REQUEST_WITHIN_S:g} s")
                connection.cut()

        connection.later(FIRST_REQUEST_WITHIN_S, check)

    def closed(self, connection: _Line) -> None:
        """Nothing more goes to it."""
        self._published().leave(connection)

    def overflowed(self, connection: _Line) -> None:
        """The client has too many messages waiting."""
        self._drop(connection, "ErrSlowConsume")

    def _drop(self, connection: _Line, word: str) -> None:
        """Say why and end the line; whoever does not read it in time is cut off without."""
        self._send(connection, error_frame(word, None))
        connection.hang_up()
        connection.later(LAST_WORDS_S, connection.cut)

    # Requests ---------------------------------------------------------------------------------------

    def received(self, connection: _Line, message: str | bytes) -> None:
        """Answer a message of a client."""
        limit = self._messages.setdefault(connection.peer, RollingLimit(MESSAGES_PER_S, 1.0))
        if not limit.take(trio.current_time()) and self._limits:
            connection.breach("messages", f"more than {MESSAGES_PER_S} per second")
            self._drop(connection, "ErrSlowRead")
            return
        text = message if isinstance(message, str) else message.decode(errors="replace")
        outcome = read_request(text, self.rules, Decimal(self.wall_ns()) / 10**9)
        if isinstance(outcome, Violation):
            connection.close(outcome.code, outcome.reason)
            return
        fate = connection.faults.acknowledgement()
        refusal = self._refusal(connection, outcome, fate)
        connection.state.asked |= not (self.rules.direct and refusal)
        if refusal is not None:
            self._send(connection, error_frame(refusal.message, refusal.reason))
        elif isinstance(outcome, Request) and fate.serve:
            self._serve(connection, outcome, fate)

    def _refusal(self, connection: _Line, outcome: Request | Refusal, fate: AckFate) -> Refusal | None:
        if fate.reject is not None:
            return Refusal(*fate.reject)
        if isinstance(outcome, Refusal):
            return outcome
        conflict = connection.state.conflict(outcome)
        return Refusal(f"Failed to {outcome.kind}", conflict) if conflict else None

    def _serve(self, connection: _Line, request: Request, fate: AckFate) -> None:
        publisher = self._published()
        self.turn(self.now_ns())
        before = {(channel, key) for channel, keys in connection.state.views.items() for key in keys}
        added = connection.state.apply(request, fate.leave_out)
        after = {(channel, key) for channel, keys in connection.state.views.items() for key in keys}
        for channel, key in before - after:
            publisher.unsubscribe(connection, channel, key)
        if fate.acknowledge and not fate.delay_s:
            self._acknowledge(connection)
        for channel, key in added:
            publisher.subscribe(connection, channel, key, self.now_ns())
        if fate.acknowledge and fate.delay_s:
            connection.later(fate.delay_s, lambda: self._acknowledge(connection))

    def _acknowledge(self, connection: _Line) -> None:
        self._send(connection, acknowledgement(connection.state))

    @staticmethod
    def _send(connection: _Line, frame: dict[str, Any]) -> None:
        connection.send(frame["type"], json.dumps(frame, separators=(",", ":")))

    # The market -------------------------------------------------------------------------------------

    def rest(self, request: HttpRequest) -> HttpResponse:
        """Answer from the market as it stands; requests are counted for all callers together."""
        if not self._requests.take(trio.current_time()) and self._limits:
            self.breach("REST", "requests", f"more than {REST_PER_S} per second beyond {REST_BURST}")
            return json_response({"message": "Public rate limit exceeded"}, 429)
        market = self.market
        if not self.connections:
            self.woke(self.now_ns())
        self.turn(self.now_ns())
        return rest.answer(request, market, self.now_ns())

    def perform(
        self, action: Callable[..., Iterable[Happening]], *args: Any, **fields: Any
    ) -> list[Happening]:
        """Do something by hand on the market, such as ``market.floors[id].place``, and publish it."""
        publisher = self._published()
        self.turn(self.now_ns())
        happenings = publisher.market.perform(action, self.now_ns(), *args, **fields)
        publisher.publish(happenings)
        return happenings

    def woke(self, now_ns: int) -> None:
        """While nobody was there nothing happened."""
        self._published().rest_until(now_ns)

    def next_turn_ns(self) -> int | None:
        """The market's next happening, or the next beat."""
        return self._published().next_ns

    def turn(self, now_ns: int) -> None:
        """Let the market go on and tell who subscribed."""
        self._published().turn(now_ns)
