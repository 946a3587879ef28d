"""Darwinex product quotes, simulated: the socket, the token endpoint and the list of products.

*Source:* Product Quotes WebSocket subscription walkthrough; requests and docstrings of the venue's own clients for the
tokens; a recorded answer for the list of products. What these leave open is an option.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import ClassVar, Literal

from trioquotes.simulator.connection import Buffer
from trioquotes.simulator.faults import AckFate, Fault
from trioquotes.simulator.http_side import HttpRequest, HttpResponse
from trioquotes.simulator.limits import RollingLimit
from trioquotes.simulator.server import Simulator
from trioquotes.simulator.venues.darwinex import frames, rest
from trioquotes.simulator.venues.darwinex.board import Board, Desk, Line, Quoted
from trioquotes.simulator.venues.darwinex.listings import DEMO_ACCOUNT, Account, Product, products_of
from trioquotes.simulator.venues.darwinex.meter import MINUTE_NS, PER_MINUTE, Meter
from trioquotes.simulator.venues.darwinex.quotes import QuotePath
from trioquotes.simulator.venues.darwinex.requests import (
    NOT_RECOGNIZED,
    TOO_MANY,
    TOO_MANY_WORDS,
    Ping,
    Refusal,
    Subscribe,
    Unsubscribe,
    not_valid,
    read_message,
)
from trioquotes.simulator.venues.darwinex.tokens import TokenOffice, fault

__all__ = ["PATH", "DarwinexSimulator"]

PATH = "/quotewebsocket/1.0.0"

NAMES_PER_REQUEST = 100
"""More names in one request are served, against the venue's recommendation."""

MOST_PRODUCTS = 10_000
"""Subscriptions of one connection at most."""


class DarwinexSimulator(Simulator[Desk]):
    """The venue; serve it with ``open_server`` or ``serve_stream``.

    Args:
        seed: of quotes and tokens.
        rate: updates per second and product, on average.
        products: full names or products, or how many are to be invented; ``None`` takes the best known nine.
        accounts: known clients; without any, only ``DEMO_ACCOUNT`` may come in.
        heartbeat_s: time between two heartbeats, in seconds.
        beats_when_silent: whether heartbeats go on while the limit holds the quotes back.
        counted: what the limit of 50 a minute counts: ``requests``, or ``frames`` for quotes sent as well.
        name_errors: whether a ``WARN`` is followed by an error for each name that was not added.
        all_wrong: what a subscribe without one good name gets: an ``error`` for each name, or an empty ``warn``.
        blank_request: whether errors about unreadable messages say an empty ``opRequest``, or none.
        token_lifetime_s: of the access tokens that the token endpoint issues.
        refresh_revokes: whether a refresh ends the access token that came with the refresh token.
        limits: whether the venue's limits are enforced and breaches recorded.
        faults: what goes wrong; see ``trioquotes.simulator.faults``. Frames are called by their ``op``.
        wall_ns: the wall clock, Unix nanoseconds.
        buffer: how much may wait for a slow client.
        frames_kept: how many sent frames the records keep; 0 keeps none.

    Raises:
        ValueError: for short or repeated product names, or a rate out of range.
    """

    venue: ClassVar[str] = "darwinex"

    def __init__(
        self, *, seed: int = 0, rate: float = 0.5, products: Iterable[str | Product] | int | None = None,
        accounts: Iterable[Account] = (), heartbeat_s: float = 30.0, beats_when_silent: bool = True,
        counted: Literal["requests", "frames"] = "requests", name_errors: bool = False,
        all_wrong: Literal["error", "warn"] = "error", blank_request: bool = True,
        token_lifetime_s: int = 3_600, refresh_revokes: bool = False, limits: bool = True,
        faults: Iterable[Fault] = (), wall_ns: Callable[[], int] = time.time_ns,
        buffer: Buffer | None = None, frames_kept: int = 10_000,
    ) -> None:  # fmt: skip
        super().__init__(faults=faults, wall_ns=wall_ns, buffer=buffer, frames_kept=frames_kept)
        self.products = products_of(products)
        self._active = frozenset(product.name for product in self.products if product.status == "ACTIVE")
        self._accounts = tuple(accounts) or (DEMO_ACCOUNT,)
        self._seed = seed
        self._heartbeat_s = heartbeat_s
        self._beats_when_silent = beats_when_silent
        self._count_quotes = counted == "frames"
        self._name_errors = name_errors
        self._all_wrong = all_wrong
        self._blank_request = blank_request
        self._token_lifetime_s = token_lifetime_s
        self._refresh_revokes = refresh_revokes
        self._limits = limits
        self._board = Board(QuotePath(seed, rate))
        self._office: TokenOffice | None = None
        self._meters: dict[str, Meter] = {}
        self._rest_limits: dict[str, RollingLimit] = {}
        self._came_ns: dict[str, int] = {}

    # Tokens -----------------------------------------------------------------------------------------

    @property
    def tokens(self) -> TokenOffice:
        """Who holds which tokens; the first ones live from when it is first looked at, only inside ``trio.run``."""
        if self._office is None:
            self._office = TokenOffice(
                self._accounts, now_ns=self.now_ns(), lifetime_s=self._token_lifetime_s,
                refresh_revokes=self._refresh_revokes, seed=self._seed,
            )  # fmt: skip
        return self._office

    def rest(self, request: HttpRequest) -> HttpResponse:
        """Issue tokens, list products."""
        now_ns = self.now_ns()
        expected = {"/token": "POST", rest.PRODUCTS_PATH: "GET"}.get(request.path)
        if expected is None:
            return fault(404, 404, "Not Found", "The requested resource is not available")
        if request.method != expected:
            return fault(405, 405, "Method not allowed", "The method is not allowed here")
        by_token = request.path == rest.PRODUCTS_PATH
        who = self.tokens.check(request, now_ns) if by_token else self.tokens.application(request)
        if isinstance(who, HttpResponse):
            return who
        limit = self._rest_limits.setdefault(who.name, RollingLimit(PER_MINUTE, MINUTE_NS))
        if self._limits and not limit.take(now_ns):
            self.breach("http", "calls", f"{who.name}: more than {PER_MINUTE} per minute")
            return fault(429, 900800, "Message throttled out", "You have exceeded your quota")
        if by_token:
            return rest.products_page(request, self.products)
        return self.tokens.exchange(who, request, now_ns)

    # Connections ------------------------------------------------------------------------------------

    def admit(self, request: HttpRequest, peer: str) -> HttpResponse | None:
        """Whoever holds a good token; coming more often than once a minute is noted, not refused."""
        if request.path != PATH:
            return fault(404, 404, "Not Found", "The requested resource is not available")
        now_ns = self.now_ns()
        who = self.tokens.check(request, now_ns)
        name = peer if isinstance(who, HttpResponse) else who.name
        came_ns = self._came_ns.get(name)
        if self._limits and came_ns is not None and now_ns - came_ns < MINUTE_NS:
            after_s = (now_ns - came_ns) / 1e9
            self.breach(peer, "connects", f"{name} again after {after_s:.3f} s")
        self._came_ns[name] = now_ns
        return who if isinstance(who, HttpResponse) else None

    def new_state(self, request: HttpRequest) -> Desk:
        """No subscription yet; the token is not looked at again."""
        who = self.tokens.check(request, self.now_ns())
        assert isinstance(who, Account)  # noqa: S101  # it was admitted in this instant
        return Desk(who)

    def opened(self, connection: Line) -> None:
        """Heartbeats begin."""
        connection.later(self._heartbeat_s, lambda: self._beat(connection))

    def _beat(self, connection: Line) -> None:
        now_ns = self.now_ns()
        self.turn(now_ns)
        silent = now_ns < self._meter(connection).silent_until_ns
        if self._beats_when_silent or not silent:
            connection.send("hb", frames.heartbeat(now_ns // 10**6))
        connection.later(self._heartbeat_s, lambda: self._beat(connection))

    def closed(self, connection: Line) -> None:
        """Nothing more goes to it."""
        for name in tuple(connection.state.names):
            self._board.unwatch(connection, name)

    # Messages ---------------------------------------------------------------------------------------

    def _meter(self, connection: Line) -> Meter:
        return self._meters.setdefault(connection.state.account.name, Meter(self._count_quotes))

    def received(self, connection: Line, message: str | bytes) -> None:
        """Answer a message of a client; it is answered beyond the limit too."""
        now_ns = self.now_ns()
        self.turn(now_ns)
        if self._limits and not self._meter(connection).request(now_ns):
            connection.breach("requests", f"more than {PER_MINUTE} per minute")
        text = message if isinstance(message, str) else message.decode(errors="replace")
        match read_message(text):
            case Refusal() as refusal:
                self._refuse(connection, refusal)
            case Ping(message=words):
                connection.send("pong", frames.pong(words, now_ns // 10**6))
            case Subscribe() as request:
                self._change(connection, request, connection.faults.acknowledgement())
            case Unsubscribe() as request:
                self._change(connection, request, connection.faults.acknowledgement())

    def _refuse(self, connection: Line, refusal: Refusal) -> None:
        op = refusal.op if refusal.op or self._blank_request else None
        connection.send("error", frames.error(op, refusal.message, refusal.code, self.now_ns() // 10**6))

    def _change(self, connection: Line, request: Subscribe | Unsubscribe, fate: AckFate) -> None:
        if fate.reject is not None:
            words, code = fate.reject
            self._refuse(connection, Refusal(request.op, words, code or NOT_RECOGNIZED))
            return
        if len(request.names or ()) > NAMES_PER_REQUEST and self._limits:
            connection.breach("names", f"{len(request.names or ())} in one request")
        if not fate.serve:
            return
        if isinstance(request, Subscribe):
            answer = self._subscribe(connection, request.names, fate)
        else:
            answer = self._unsubscribe(connection, request, fate)
        if fate.acknowledge and fate.delay_s:
            connection.later(fate.delay_s, answer)
        elif fate.acknowledge:
            answer()

    def _subscribe(self, connection: Line, names: tuple[str, ...], fate: AckFate) -> Callable[[], None]:
        """Serve a subscribe; what is subscribed already counts as added again. Returns what answers it."""
        good = [name for name in names if name in self._active and name not in fate.leave_out]
        bad = [not_valid("subscribe", name) for name in names if name not in self._active]
        held = connection.state.names
        if len(held) + sum(name not in held for name in good) > MOST_PRODUCTS:
            too_many = Refusal("subscribe", TOO_MANY_WORDS, TOO_MANY)
            return lambda: self._refuse(connection, too_many)
        now_ns = self.now_ns()
        for name in good:
            self._board.watch(connection, name, now_ns)
        self.hurry()
        says_added = bool(good) or not bad or self._all_wrong == "warn"
        says_bad = bad if self._name_errors or not says_added else []

        def answer() -> None:
            now_ns = self.now_ns()
            if says_added:
                rows = [(name, self._board.current(name, now_ns)) for name in good]
                complete = len(good) == len(names)
                text = frames.subscribed(rows, complete=complete, time_ms=now_ns // 10**6)
                connection.send("subscribed", text)
            for refusal in says_bad:
                self._refuse(connection, refusal)

        return answer

    def _unsubscribe(self, connection: Line, request: Unsubscribe, fate: AckFate) -> Callable[[], None]:
        """Serve an unsubscribe: said are the names that were subscribed. Returns what answers it."""
        names = tuple(connection.state.names) if request.names is None else request.names
        gone = [
            name for name in names if name not in fate.leave_out and self._board.unwatch(connection, name)
        ]
        bad = [not_valid(request.op, name) for name in names if name not in self._active]

        def answer() -> None:
            if gone or not bad:
                connection.send("unsubscribed", frames.unsubscribed(gone, self.now_ns() // 10**6))
            if not gone or self._name_errors:
                for refusal in bad:
                    self._refuse(connection, refusal)

        return answer

    # Quotes -----------------------------------------------------------------------------------------

    def set_quote(self, name: str, quote: Decimal) -> None:
        """Let a product have a quote now, until its next update; two such in one instant have equal times.

        Args:
            name: in full.
            quote: written digit by digit as given.

        Raises:
            ValueError: where no such product is active.
        """
        if name not in self._active:
            raise ValueError(f"no active product {name!r}")
        now_ns = self.now_ns()
        self.turn(now_ns)
        self._publish(self._board.set_by_hand(name, f"{quote:f}", now_ns))

    def _publish(self, quoted: Quoted) -> None:
        frame = frames.quote(quoted.name, quoted.text, quoted.time_ns // 10**6)
        for line in quoted.lines:
            fate = self._meter(line).quote(quoted.time_ns) if self._limits else "sent"
            if fate == "sent":
                line.send("pq", frame)
            elif fate == "last":
                line.breach("quotes", f"more than {PER_MINUTE} requests and quotes in a minute")

    def next_turn_ns(self) -> int | None:
        """The next quote that somebody watches."""
        return self._board.next_ns

    def turn(self, now_ns: int) -> None:
        """Send the quotes that are due."""
        for quoted in self._board.turn(now_ns):
            self._publish(quoted)
