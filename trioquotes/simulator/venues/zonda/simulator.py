"""Zonda, simulated: the socket and the REST side over one seeded market.

*Source:* docs.zondacrypto.exchange/reference, pages public-subscription and private-subscription and those of the
channels; recordings where the wire says more. Layouts of ``*-error`` and ``json-error`` frames are not documented.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, ClassVar, Literal
from urllib.parse import unquote

import trio

from trioquotes.simulator.connection import Buffer
from trioquotes.simulator.faults import AckFate, Fault
from trioquotes.simulator.floor import Listing
from trioquotes.simulator.happenings import Happening, Side
from trioquotes.simulator.http_side import HttpRequest, HttpResponse
from trioquotes.simulator.market import Market
from trioquotes.simulator.server import Simulator
from trioquotes.simulator.venues.zonda import answers, rest
from trioquotes.simulator.venues.zonda.desk import Desk, Line, say, watch_idle
from trioquotes.simulator.venues.zonda.listings import Account, listings_of
from trioquotes.simulator.venues.zonda.paths import Topic, read_topic
from trioquotes.simulator.venues.zonda.publisher import Manner, Publisher
from trioquotes.simulator.venues.zonda.requests import (
    Broken,
    Credentials,
    Ping,
    Proxy,
    Subscribe,
    Unsubscribe,
    authenticate,
    read_message,
)
from trioquotes.simulator.venues.zonda.texts import encoded

__all__ = ["ZondaSimulator"]

IDLE_S = 100.0
"""Cloudflare, which stands before the venue, cuts lines on which nothing passes for so long."""


class ZondaSimulator(Simulator[Desk]):
    """The venue; serve it with ``open_server`` or ``serve_stream``.

    Args:
        seed: of the market.
        rate: actions of traders per second and market.
        markets: codes or listings; ``None`` takes BTC-PLN, ETH-PLN, USDT-PLN and BTC-USDT.
        accounts: known clients; the market places orders of theirs now and then.
        depth: price levels a side.
        close_on_unsubscribe: what an ``unsubscribe`` ends: all subscriptions of the line (documented), with
            ``False`` the one it names, with ``"line"`` the line itself (documented in Polish).
        own_trades_topic: under which topic a client's trades come: ``asked``, or ``documented`` for the topic
            of public trades that the documentation prints.
        snapshot_delay_s: time between taking and answering a ``proxy`` request, in seconds; pushes go on.
        snapshot_age_s: how old, in seconds, a book is when it is taken.
        push_lag_s: how long pushes are on their way, in seconds, so that a snapshot may be newer than all.
        action_key: whether pushes and answers have an ``action``, which one page prints without.
        error_paths: whether errors say module and path, which is not documented.
        idle_s: after how long a silence of both sides the line is cut; ``None`` for never.
        limits: whether the venue's limits on REST calls, by HTTP or by ``proxy``, are enforced.
        faults: what goes wrong; see ``trioquotes.simulator.faults``. Frames are called by their ``action``,
            pushes by their channel without market, the answer to a wrong signature ``error``.
        wall_ns: the wall clock, Unix nanoseconds.
        buffer: how much may wait for a slow client.
        frames_kept: how many sent frames the records keep; 0 keeps none.
        books_kept: for how many messages of each book ``witness`` keeps what the book was; 0 for none.
    """

    venue: ClassVar[str] = "zonda"

    def __init__(
        self, *, seed: int = 0, rate: float = 20.0, markets: Iterable[str | Listing] | None = None,
        accounts: Iterable[Account] = (), depth: int = 60, close_on_unsubscribe: bool | Literal["line"] = True,
        own_trades_topic: Literal["asked", "documented"] = "asked", snapshot_delay_s: float = 0.05,
        snapshot_age_s: float = 0.0, push_lag_s: float = 0.0, action_key: bool = True, error_paths: bool = True,
        idle_s: float | None = IDLE_S, limits: bool = True, faults: Iterable[Fault] = (),
        wall_ns: Callable[[], int] = time.time_ns, buffer: Buffer | None = None, frames_kept: int = 10_000,
        books_kept: int = 0,
    ) -> None:  # fmt: skip
        super().__init__(
            faults=faults, wall_ns=wall_ns, buffer=buffer, frames_kept=frames_kept, books_kept=books_kept
        )
        self._listings = listings_of(markets)
        self._names = frozenset(listing.instrument for listing in self._listings)
        self._accounts = {account.public_key: account for account in accounts}
        self._seed = seed
        self._market_options: dict[str, Any] = {
            "seed": seed, "rate": rate, "depth": depth,
            "owners": sorted({account.name for account in self._accounts.values()}),
        }  # fmt: skip
        self._manner = Manner(
            own_trades_topic=own_trades_topic, action_key=action_key, snapshot_age_s=snapshot_age_s,
            push_lag_s=push_lag_s,
        )  # fmt: skip
        self._unsubscribe_ends = close_on_unsubscribe
        self._snapshot_delay_s = snapshot_delay_s
        self._error_paths = error_paths
        self._idle_s = idle_s
        self._limits = limits
        self._meter = rest.Meter()
        self._publisher: Publisher | None = None

    @property
    def market(self) -> Market:
        """The market, which begins when it is first looked at; only inside ``trio.run``."""
        return self._published().market

    def _published(self) -> Publisher:
        if self._publisher is None:
            now_ns = self.now_ns()
            market = Market(self._listings, start_ns=now_ns, **self._market_options)
            accounts = {account.name: account for account in self._accounts.values()}
            self._publisher = Publisher(
                market, accounts, now_ns, self._seed, self._manner, witness=self.witness
            )
        return self._publisher

    # Connections ------------------------------------------------------------------------------------

    def admit(self, request: HttpRequest, peer: str) -> HttpResponse | None:  # noqa: ARG002
        """There is one socket."""
        return None if request.path.rstrip("/") == "/websocket" else HttpResponse(404, b"Not Found")

    def new_state(self, request: HttpRequest) -> Desk:  # noqa: ARG002  # there is one socket
        """No subscription yet."""
        return Desk()

    def opened(self, connection: Line) -> None:
        """A line on which nothing passes is cut some day."""
        self._published()
        if self._idle_s is not None:
            watch_idle(connection, self._idle_s)

    def closed(self, connection: Line) -> None:
        """Nothing more goes to it."""
        self._published().leave(connection)

    # Messages ---------------------------------------------------------------------------------------

    def received(self, connection: Line, message: str | bytes) -> None:
        """Answer a message of a client; what the venue does not know it does not answer."""
        text = message if isinstance(message, str) else message.decode(errors="replace")
        request = read_message(text)
        self.turn(self.now_ns())
        match request:
            case Ping():
                say(connection, "pong", answers.PONG)
            case Broken():
                say(connection, "json-error", answers.JSON_ERROR)
            case Subscribe():
                self._subscribe(connection, request, connection.faults.acknowledgement())
            case Unsubscribe():
                self._unsubscribe(connection, request, connection.faults.acknowledgement())
            case Proxy():
                self._proxy(connection, request, connection.faults.acknowledgement())
            case _:
                pass

    def _subscribe(self, connection: Line, request: Subscribe, fate: AckFate) -> None:
        owner = ""
        if fate.reject is not None:
            self._refuse(connection, request, fate.reject[0])
            return
        if request.scope == "private":
            account = self._authenticate(request.credentials)
            if account is None:
                say(connection, "error", answers.AUTHENTICATION_FAILED)
                return
            if not account.may_read:
                self._refuse(connection, request, "PERMISSIONS_NOT_SUFFICIENT")
                return
            owner = account.name
        try:
            topic = self._topic(request)
        except ValueError as error:
            self._refuse(connection, request, str(error))
            return
        if fate.serve and topic.market not in fate.leave_out:
            self._serve(connection, request, owner, topic, fate)

    def _topic(self, request: Subscribe) -> Topic:
        topic = read_topic(request.module, request.path, self._names)
        if topic.private is not (request.scope == "private"):
            raise ValueError(f"{topic.path} is not a {request.scope} channel")
        return topic

    def _serve(self, connection: Line, request: Subscribe, owner: str, topic: Topic, fate: AckFate) -> None:
        """The confirmation comes before the first push, unless it is made late."""
        kind, text = answers.confirmation(request.scope, topic)
        if fate.acknowledge and not fate.delay_s:
            say(connection, kind, text)
        self._published().subscribe(connection, owner, topic, self.now_ns())
        if fate.acknowledge and fate.delay_s:
            connection.later(fate.delay_s, lambda: say(connection, kind, text))

    def _refuse(self, connection: Line, request: Subscribe, words: str) -> None:
        say(connection, *answers.refusal(request, words, say_path=self._error_paths))

    def _authenticate(self, credentials: Credentials) -> Account | None:
        return authenticate(credentials, self._accounts, self.wall_ns())

    def _unsubscribe(self, connection: Line, request: Unsubscribe, fate: AckFate) -> None:
        """Nothing is acknowledged."""
        if not fate.serve or fate.reject is not None:
            return
        if self._unsubscribe_ends == "line":
            connection.hang_up()
        elif self._unsubscribe_ends:
            self._published().leave(connection)
        else:
            name = f"{request.module}/{request.path}".lower()
            self._published().unsubscribe(connection, [name])

    def _proxy(self, connection: Line, request: Proxy, fate: AckFate) -> None:
        """What is answered is taken now and sent a little later."""
        call = rest.Call(
            module=request.module, path=request.path, query=request.query,
            account=self._authenticate(request.credentials),
        )  # fmt: skip
        if fate.reject is not None:
            body = rest.fail(fate.reject[0], self.now_ns())
        elif not fate.serve or not fate.acknowledge:
            return
        else:
            body = self._answer(call, connection.peer, lambda words: connection.breach("calls", words))
        text = answers.proxy_response(request.request_id, body, action=self._manner.action_key)
        delay_s = self._snapshot_delay_s + fate.delay_s
        if delay_s:
            connection.later(delay_s, lambda: say(connection, "proxy-response", text))
        else:
            say(connection, "proxy-response", text)

    def _answer(self, call: rest.Call, peer: str, breach: Callable[[str], None]) -> dict[str, Any]:
        if not self._meter.take(peer, call, trio.current_time()) and self._limits:
            breach(f"too many of {call.parts[0]} in a minute")
            return rest.fail("ACTION_LIMIT_EXCEEDED", self.now_ns())
        return rest.answer(call, self._published(), self.now_ns())

    # The market -------------------------------------------------------------------------------------

    def rest(self, request: HttpRequest) -> HttpResponse:
        """Answer from the market as it stands; what goes wrong is said with the status 200."""
        self._published()
        if not self.connections:
            self.woke(self.now_ns())
        self.turn(self.now_ns())
        base, _, target = unquote(request.path).strip("/").partition("/")
        if base != "rest":
            return HttpResponse(404, b"Not Found")
        module, _, path = target.partition("/")
        headers = request.headers
        credentials = Credentials(
            public_key=headers.get("api-key", ""), timestamp=headers.get("request-timestamp", ""),
            signature=headers.get("api-hash", ""), body=request.body.decode(errors="replace"),
        )  # fmt: skip
        call = rest.Call(
            module=module, path=path, query=request.query, account=self._authenticate(credentials)
        )
        if request.method == "GET":
            body = self._answer(call, "http", lambda words: self.breach("http", "calls", words))
        else:
            body = rest.fail("TIMEOUT", self.now_ns())
        return HttpResponse(200, encoded(body).encode(), (("Content-Type", "application/json"),))

    def perform(
        self, action: Callable[..., Iterable[Happening]], *args: Any, **fields: Any
    ) -> list[Happening]:
        """Do something by hand on the market, such as ``market.floors[code].place``, and publish it."""
        publisher = self._published()
        self.turn(self.now_ns())
        happenings = publisher.market.perform(action, self.now_ns(), *args, **fields)
        publisher.publish(happenings)
        return happenings

    def reject_stop(
        self, owner: str, market: str, *, side: Side, stop_rate: Decimal, amount: Decimal
    ) -> None:
        """Tell a client that the order of its stop order was refused for want of funds; the market is as before."""
        publisher = self._published()
        publisher.tell_owner(
            publisher.offices.reject_stop(
                owner, market, side=side, stop_rate=stop_rate, amount=amount, now_ns=self.now_ns()
            )
        )

    def woke(self, now_ns: int) -> None:
        """While nobody was there nothing happened."""
        self._published().rest_until(now_ns)

    def next_turn_ns(self) -> int | None:
        """The market's next happening, or the next beat."""
        return self._published().next_ns

    def turn(self, now_ns: int) -> None:
        """Let the market go on and tell who subscribed."""
        self._published().turn(now_ns)
