"""Upbit, simulated: its three sockets and its REST side over one seeded market.

*Source:* docs.upbit.com/kr/reference, pages websocket-guide, list-subscriptions, rate-limits and those of the
data types; what the wire does where it was probed in 2026.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any, ClassVar, Literal, TypeAlias

import trio

from trioquotes.simulator.connection import Buffer, Connection
from trioquotes.simulator.faults import AckFate, Fault
from trioquotes.simulator.floor import Listing
from trioquotes.simulator.happenings import Happening
from trioquotes.simulator.http_side import HttpRequest, HttpResponse
from trioquotes.simulator.market import Market
from trioquotes.simulator.server import Simulator
from trioquotes.simulator.venues.upbit import rest
from trioquotes.simulator.venues.upbit.desk import Desk, answer_ping, fail, watch_idle
from trioquotes.simulator.venues.upbit.door import Door
from trioquotes.simulator.venues.upbit.formats import listing_text
from trioquotes.simulator.venues.upbit.listings import Account, listings_of
from trioquotes.simulator.venues.upbit.notices import Announcement
from trioquotes.simulator.venues.upbit.publisher import Publisher, View
from trioquotes.simulator.venues.upbit.requests import (
    INVALID_AUTH,
    TYPES,
    Endpoint,
    Failure,
    Ping,
    Request,
    read_request,
)
from trioquotes.simulator.venues.upbit.tokens import TokenDesk, claimed_key

__all__ = ["ENDPOINTS", "UpbitSimulator"]

_Line: TypeAlias = Connection[Desk]

ENDPOINTS: dict[str, Endpoint] = {
    "/websocket/v1": "public",
    "/websocket/v1/private": "private",
    "/websocket/v1/info": "info",
}

SCOPES = {"myOrder": "orders", "myAsset": "assets"}

MAX_MESSAGE_BYTES = 1_048_576
"""The venue documents no limit; lists of 855 markets went through."""


class UpbitSimulator(Simulator[Desk]):
    """The venue; serve it with ``open_server`` or ``serve_stream``.

    Args:
        seed: of the market.
        rate: actions of traders per second and market.
        markets: codes or listings; ``None`` takes KRW-BTC, KRW-ETH, KRW-XRP, BTC-ETH and USDT-BTC.
        accounts: known clients; the market places orders of theirs now and then.
        balances: what each account has at first, by currency; ``None`` gives plenty.
        depth: price levels a side.
        camel_case: whether the old spelling ``isOnlySnapshot`` is honoured, which nobody has verified.
        over_limit: what becomes of a request beyond the limit, which is not documented: nothing, or the
            end of the line.
        microseconds: codes whose order books tell microseconds, as USDT markets did in 2023.
        announcement_interval_s: how often something is announced; ``None`` leaves it to :meth:`announce`.
        limits: whether the venue's limits on connects and requests are enforced.
        faults: what goes wrong; see ``trioquotes.simulator.faults``. A request is acknowledged by its
            SNAPSHOT frames: they are what is delayed or withheld.
        wall_ns: the wall clock, Unix nanoseconds.
        buffer: how much may wait for a slow client.
        frames_kept: how many sent frames the records keep; 0 keeps none.
        books_kept: for how many messages of each book ``witness`` keeps what the book was; 0 for none.
    """

    venue: ClassVar[str] = "upbit"
    binary: ClassVar[bool] = True

    def __init__(
        self, *, seed: int = 0, rate: float = 20.0, markets: Iterable[str | Listing] | None = None,
        accounts: Iterable[Account] = (), balances: Mapping[str, Decimal] | None = None, depth: int = 40,
        camel_case: bool = False, over_limit: Literal["ignore", "close"] = "ignore",
        microseconds: Collection[str] = (), announcement_interval_s: float | None = None, limits: bool = True,
        faults: Iterable[Fault] = (), wall_ns: Callable[[], int] = time.time_ns, buffer: Buffer | None = None,
        frames_kept: int = 10_000, books_kept: int = 0,
    ) -> None:  # fmt: skip
        super().__init__(
            faults=faults, wall_ns=wall_ns, buffer=buffer, frames_kept=frames_kept,
            max_message_bytes=MAX_MESSAGE_BYTES, books_kept=books_kept,
        )  # fmt: skip
        self._listings = listings_of(markets)
        self._accounts = {account.key: account for account in accounts}
        self._owners = sorted({account.name for account in self._accounts.values()})
        self._market_options: dict[str, Any] = {
            "seed": seed, "rate": rate, "depth": depth, "owners": self._owners,
        }  # fmt: skip
        self._options: dict[str, Any] = {
            "seed": seed, "microseconds": frozenset(microseconds), "balances": balances,
            "announcement_interval_s": announcement_interval_s,
        }  # fmt: skip
        self._camel_case = camel_case
        self._over_limit = over_limit
        self._limits = limits
        self._tokens = TokenDesk(self._accounts)
        self._door = Door()
        self._rest_doors = {group: Door(rest.PER_S) for group in rest.GROUPS.values()}
        self._announced = 0
        self._publisher: Publisher | None = None

    @property
    def market(self) -> Market:
        """The market, which begins when it is first looked at; only inside ``trio.run``."""
        return self._published().market

    def balance(self, owner: str, currency: str) -> tuple[Decimal, Decimal]:
        """What an account is free to use, and what its open orders hold."""
        wallets = self._published().wallets
        return wallets.free(owner, currency), wallets.locked(owner, currency)

    def _published(self) -> Publisher:
        if self._publisher is None:
            now_ns = self.now_ns()
            market = Market(self._listings, start_ns=now_ns, **self._market_options)
            self._publisher = Publisher(market, self._owners, now_ns, witness=self.witness, **self._options)
        return self._publisher

    # Connections ------------------------------------------------------------------------------------

    def new_state(self, request: HttpRequest) -> Desk:
        """No subscription yet."""
        return Desk(ENDPOINTS[request.path])

    def admit(self, request: HttpRequest, peer: str) -> HttpResponse | None:
        """So many connects per second, by account where the handshake names one, else by address."""
        if request.path not in ENDPOINTS:
            return rest.error(404, 404, "no Route matched with those values")
        who = self._counted_as(request, peer)
        turned = self._door.knock(who, trio.current_time(), origin="origin" in request.headers)
        if turned is None or not self._limits:
            return None
        self.breach(peer, turned.limit, f"answered with {turned.status}")
        if turned.status == 418:
            words = f"요청이 일시적으로 차단되었습니다. {turned.wait_s}초 후에 다시 시도해 주세요."
            return rest.error(418, "temporarily_blocked", words)
        return rest.error(429, "too_many_requests", "Too many API requests.")

    def welcome(self, request: HttpRequest, peer: str) -> tuple[tuple[str, str], ...]:
        """The headers that were seen on the answer to a handshake."""
        left = self._door.left(self._counted_as(request, peer), trio.current_time())
        return (("remaining-req", f"group=websocket; min=300; sec={left}"), ("limit-by-ip", "Yes"))

    def _counted_as(self, request: HttpRequest, peer: str) -> str:
        account = self._accounts.get(claimed_key(request.headers) or "")
        return f"account {account.name}" if account else f"address {peer}"

    def opened(self, connection: _Line) -> None:
        """On the private sockets the token of the handshake is looked at now."""
        self._published()
        watch_idle(connection)
        if connection.state.endpoint == "public":
            return
        connection.state.account = self._tokens.check(connection.request.headers, connection.peer)
        if connection.state.account is None:
            fail(connection, INVALID_AUTH)

    def closed(self, connection: _Line) -> None:
        """Nothing more goes to it."""
        self._published().leave(connection)

    # Requests ---------------------------------------------------------------------------------------

    def received(self, connection: _Line, message: str | bytes) -> None:
        """Answer a message of a client."""
        if connection.state.doomed:
            return
        text = message if isinstance(message, str) else message.decode(errors="replace")
        outcome = read_request(text, TYPES[connection.state.endpoint], camel_case=self._camel_case)
        if isinstance(outcome, Ping):
            answer_ping(connection)
            return
        if not self._within_limits(connection):
            return
        fate = connection.faults.acknowledgement()
        if fate.reject is not None:
            outcome = Failure(fate.reject[0], fate.reject[1] or "")
        elif isinstance(outcome, Request) and not self._permitted(connection.state, outcome):
            outcome = INVALID_AUTH
        if isinstance(outcome, Failure):
            fail(connection, outcome)
        elif fate.serve:
            self._serve(connection, outcome, fate)

    def _within_limits(self, connection: _Line) -> bool:
        desk, now_s = connection.state, trio.current_time()
        if (desk.per_second.take(now_s) and desk.per_minute.take(now_s)) or not self._limits:
            return True
        connection.breach("messages", "more than 5 per second or 100 per minute")
        if self._over_limit == "close":
            desk.doomed = True
            connection.close(1000)
        return False

    @staticmethod
    def _permitted(desk: Desk, request: Request) -> bool:
        scopes = desk.account.scopes if desk.account else frozenset()
        return all(SCOPES.get(one.kind) in {None, *scopes} for one in request.wanted)

    def _serve(self, connection: _Line, request: Request, fate: AckFate) -> None:
        publisher, desk = self._published(), connection.state
        self.turn(self.now_ns())
        if request.wanted:
            desk.wanted = request.wanted
            desk.format = request.format or "DEFAULT"
            views = publisher.subscribe(connection, desk.wanted, self.now_ns(), leave_out=fate.leave_out)
            if fate.acknowledge and fate.delay_s:
                connection.later(fate.delay_s, lambda: self._snapshot(connection, request, views))
            elif fate.acknowledge:
                self._snapshot(connection, request, views)
        elif request.format is not None:
            desk.format = request.format
        if request.lists:
            connection.send("LIST_SUBSCRIPTIONS", listing_text(request, desk.wanted, desk.format))
        self.hurry()

    def _snapshot(self, connection: _Line, request: Request, views: list[View]) -> None:
        if connection.state.wanted is request.wanted:  # else another request came in between
            self._published().snapshot(views, self.now_ns())

    # The market -------------------------------------------------------------------------------------

    def rest(self, request: HttpRequest) -> HttpResponse:
        """Answer from the market as it stands; requests are counted for all callers together."""
        publisher = self._published()
        group, now_s = rest.GROUPS.get(request.path, "market"), trio.current_time()
        door = self._rest_doors[group]
        turned = door.knock("all", now_s, origin="origin" in request.headers)
        if turned is not None and self._limits:
            self.breach("REST", f"{group} requests", f"answered with {turned.status}")
            return rest.error(turned.status, "too_many_requests", "Too many API requests.")
        if not self.connections:
            self.woke(self.now_ns())
        self.turn(self.now_ns())
        return rest.answer(request, publisher, self.now_ns(), door.left("all", now_s))

    def perform(
        self, action: Callable[..., Iterable[Happening]], *args: Any, **fields: Any
    ) -> list[Happening]:
        """Do something by hand on the market, such as ``market.floors[code].place``, and publish it."""
        publisher = self._published()
        self.turn(self.now_ns())
        happenings = publisher.market.perform(action, self.now_ns(), *args, **fields)
        publisher.publish(happenings)
        self.hurry()
        return happenings

    def announce(
        self, title: str, *, category: str = "notice", body: str = "", changes: int | None = None
    ) -> int:
        """Publish an announcement, or a change of one; gives its number.

        Args:
            title: what it is called.
            category: one of the venue's.
            body: what it says, in Markdown.
            changes: the number of the one that it changes; it was published a minute before.
        """
        publisher, now_ns = self._published(), self.now_ns()
        self.turn(now_ns)
        if changes is None:
            self._announced += 1
        number = 1000 + self._announced if changes is None else changes
        now_ms = now_ns // 10**6
        announcement = Announcement(
            number=number, event="CREATED" if changes is None else "UPDATED", category=category, title=title, body=body,
            first_ms=now_ms if changes is None else now_ms - 60_000, listed_ms=now_ms,
        )  # fmt: skip
        publisher.announce(announcement, now_ns)
        return number

    def woke(self, now_ns: int) -> None:
        """While nobody was there nothing happened."""
        self._published().rest_until(now_ns)

    def next_turn_ns(self) -> int | None:
        """The market's next happening, or the next beat."""
        return self._published().next_ns

    def turn(self, now_ns: int) -> None:
        """Let the market go on and tell who subscribed."""
        self._published().turn(now_ns)
