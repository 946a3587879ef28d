"""edgeX, simulated: the public and the private socket and the REST side over one seeded market.

*Source:* edgeX documentation, pages public WebSocket, private WebSocket and authentication of V1 and V2;
recordings where the wire differs from them.
"""

from __future__ import annotations

import json
import random
import time
import uuid
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, ClassVar, TypeAlias

from trioquotes.simulator.connection import Buffer, Connection
from trioquotes.simulator.faults import AckFate, Fault
from trioquotes.simulator.floor import Floor
from trioquotes.simulator.happenings import Happening
from trioquotes.simulator.http_side import HttpRequest, HttpResponse
from trioquotes.simulator.market import Market
from trioquotes.simulator.server import Simulator
from trioquotes.simulator.venues.edgex import frames, rest
from trioquotes.simulator.venues.edgex.desk import Desk
from trioquotes.simulator.venues.edgex.handshake import PRIVATE_PATH, Refused, admit, stark_verify
from trioquotes.simulator.venues.edgex.listings import CONTRACTS, Account, Contract, Generation, contracts_of
from trioquotes.simulator.venues.edgex.movements import AccountEvent
from trioquotes.simulator.venues.edgex.publisher import Publisher
from trioquotes.simulator.venues.edgex.requests import Ask, Ping, Pong, Refusal, Rules, read_message
from trioquotes.simulator.venues.edgex.style import Chain, Codes, EmptyBest, Levels, Spelling, Style

__all__ = ["PING_EVERY_S", "PUBLIC_PATH", "EdgexSimulator", "ping_frame"]

_Line: TypeAlias = Connection[Desk]

PUBLIC_PATH = "/api/v1/public/ws"
"""The same on both generations."""

PING_EVERY_S = 10.0
"""How often the server sends a ping (recorded)."""

UNANSWERED_PINGS = 5
"""So many pings in a row without a pong end the line (public and private WebSocket)."""

ERRORS_ALLOWED = 5
"""With the error of this number the line may end (V2 public WebSocket)."""


class EdgexSimulator(Simulator[Desk]):
    """The venue; serve it with ``open_server`` or ``serve_stream``.

    The kinds of its frames, for fault scripts and records: ``connected``, ``subscribed``, ``unsubscribed``,
    ``error``, ``ping`` and ``pong``; for market data the channel's first word, such as ``depth``; on the private
    socket the event, such as ``ORDER_UPDATE``.

    Args:
        generation: V1 (StarkEx) or V2 (HMAC keys).
        seed: of the market.
        rate: actions of traders per second and contract.
        contracts: ids or contracts; ``None`` takes four of the generation, of which one is not traded.
        accounts: known clients; the market places orders of theirs now and then.
        depth: price levels a side; above 200 the larger window of the book is not the whole of it.
        limits: whether a line ends after five unanswered pings; one client saw that it does not.
        close_after_errors: whether a line ends with its fifth error.
        codes: with ``GATEWAY_`` before them, or plain; ``None`` as the generation was seen, and so below.
        chain: at which version an update of a book starts.
        levels: as objects (recorded) or as pairs (documented).
        spelling: as on the wire, or as in the documents.
        empty_best: how tickers say that a side of the book is empty.
        version_step: how many versions of a book one happening takes.
        funding_interval_min: minutes between settlements.
        account_events_s: how often something happens to every account by itself (deposits and the like), or ``None``.
        metadata_interval_s: how often ``metadata`` is repeated as a change; ``None`` says real changes only.
        faults: what goes wrong; see ``trioquotes.simulator.faults``.
        wall_ns: the wall clock, Unix nanoseconds.
        buffer: how much may wait for a slow client.
        frames_kept: how many sent frames the records keep; 0 keeps none.
        books_kept: for how many messages of each book ``witness`` keeps what the book was; 0 for none.

    Raises:
        MissingExtra: for accounts on V1 where no package knows the STARK curve.
        ValueError: for a contract id that is not one of the generation.
    """

    venue: ClassVar[str] = "edgex"

    def __init__(
        self, *, generation: Generation = "v2", seed: int = 0, rate: float = 20.0,
        contracts: Iterable[str | Contract] | None = None, accounts: Iterable[Account] = (), depth: int = 40,
        limits: bool = True, close_after_errors: bool = True, codes: Codes | None = None, chain: Chain | None = None,
        levels: Levels = "objects", spelling: Spelling = "wire", empty_best: EmptyBest | None = None,
        version_step: int = 1, funding_interval_min: int = 240, account_events_s: float | None = 60.0,
        metadata_interval_s: float | None = None, faults: Iterable[Fault] = (),
        wall_ns: Callable[[], int] = time.time_ns, buffer: Buffer | None = None, frames_kept: int = 10_000,
        books_kept: int = 0,
    ) -> None:  # fmt: skip
        super().__init__(
            faults=faults, wall_ns=wall_ns, buffer=buffer, frames_kept=frames_kept, books_kept=books_kept
        )
        self.style = Style.of(
            generation,
            codes=codes,
            chain=chain,
            levels=levels,
            spelling=spelling,
            empty_best=empty_best,
            version_step=version_step,
        )
        self._contracts = {each.contract_id: each for each in contracts_of(generation, contracts)}
        self._accounts = {account.account_id: account for account in accounts}
        self._verify = stark_verify() if generation == "v1" and self._accounts else None
        retired = CONTRACTS["v1"] if generation == "v2" else {}
        self._rules = Rules(contracts={*self._contracts, *retired})
        self._private_rules = Rules(contracts=None, private=True)
        self._limits = limits
        self._close_after_errors = close_after_errors
        self._market_options: dict[str, Any] = {
            "seed": seed, "rate": rate, "depth": depth, "owners": sorted(self._accounts),
            "quiet": {name for name, contract in self._contracts.items() if contract.quiet},
        }  # fmt: skip
        self._publisher_options: dict[str, Any] = {
            "seed": seed, "funding_interval_min": funding_interval_min, "account_events_s": account_events_s,
            "metadata_interval_s": metadata_interval_s,
        }  # fmt: skip
        self._sids = random.Random(f"{seed}/sid")  # noqa: S311  # a simulation, no secret
        self._publisher: Publisher | None = None

    @property
    def market(self) -> Market:
        """The market, which begins when it is first looked at; only inside ``trio.run``."""
        return self._published().market

    @property
    def floors(self) -> dict[str, Floor]:
        """The market's floors, by contract id."""
        return self.market.floors

    def _published(self) -> Publisher:
        if self._publisher is None:
            now_ns = self.now_ns()
            listings = [contract.listing for contract in self._contracts.values()]
            market = Market(listings, start_ns=now_ns, **self._market_options)
            self._publisher = Publisher(
                market,
                self._contracts,
                self._accounts,
                self.style,
                now_ns=now_ns,
                witness=self.witness,
                **self._publisher_options,
            )
        return self._publisher

    # Connections ------------------------------------------------------------------------------------

    def new_state(self, request: HttpRequest) -> Desk:
        """No subscription yet; on the private socket, whose it is."""
        private = request.path == PRIVATE_PATH
        account = self._accounts.get(request.query.get("accountId", "")) if private else None
        return Desk(account=account, private=private)

    def admit(self, request: HttpRequest, peer: str) -> HttpResponse | None:
        """The public socket is open to all, the private one to those who sign."""
        now_ns = self.wall_ns()
        if request.path == PUBLIC_PATH:
            return None
        if request.path != PRIVATE_PATH:
            return rest.refusal("NOT_FOUND", "not found", now_ns, status=404)
        outcome = admit(request, self._accounts, self.style.generation, now_ns // 10**6, self._verify)
        if not isinstance(outcome, Refused):
            return None
        self.breach(peer, "authentication", outcome.message)
        return rest.refusal(outcome.code, outcome.message, now_ns, status=400)

    def subprotocol(self, request: HttpRequest) -> str | None:
        """A browser signs in there, and hangs up where it is not taken up."""
        return request.headers.get("sec-websocket-protocol", "").partition(",")[0].strip() or None

    def opened(self, connection: _Line) -> None:
        """Say hello, begin to ping, and on the private socket tell all there is."""
        publisher, desk = self._published(), connection.state
        sid = str(uuid.UUID(int=self._sids.getrandbits(128)))
        now_ns = self.now_ns()
        self._send(connection, frames.connected(sid, self.style, private=desk.private, now_ns=now_ns))
        if desk.account is not None:
            self.turn(now_ns)
            publisher.watch(connection, desk.account, now_ns)
        connection.later(PING_EVERY_S, lambda: self._ping(connection))

    def closed(self, connection: _Line) -> None:
        """Nothing more goes to it."""
        self._published().leave(connection)

    def _ping(self, connection: _Line) -> None:
        desk = connection.state
        if self._limits and len(desk.unanswered) >= UNANSWERED_PINGS:
            connection.breach("pongs", f"{UNANSWERED_PINGS} pings in a row unanswered")
            connection.cut()
            return
        frame = ping_frame(self.now_ns(), as_number=desk.private and self.style.is_v2)
        desk.unanswered.append(frame["time"])
        del desk.unanswered[:-UNANSWERED_PINGS]
        self._send(connection, frame)
        connection.later(PING_EVERY_S, lambda: self._ping(connection))

    # Requests ---------------------------------------------------------------------------------------

    def received(self, connection: _Line, message: str | bytes) -> None:
        """Answer a message of a client."""
        text = message if isinstance(message, str) else message.decode(errors="replace")
        desk = connection.state
        outcome = read_message(text, self._private_rules if desk.private else self._rules)
        match outcome:
            case Ping(time=sent):
                self._send(connection, {"type": "pong", "time": sent})
            case Pong(time=sent):
                if not desk.answered(sent):
                    connection.breach("pong", f"no ping awaits one with the time {sent!r}")
            case Refusal():
                self._refuse(connection, outcome)
            case Ask():
                self._asked(connection, outcome)

    def _refuse(self, connection: _Line, refusal: Refusal) -> None:
        desk = connection.state
        desk.errors += 1
        self._send(connection, frames.error(refusal, self.style, private=desk.private))
        if self._close_after_errors and desk.errors >= ERRORS_ALLOWED:
            connection.breach("errors", f"{desk.errors} of them")
            connection.hang_up()

    def _asked(self, connection: _Line, ask: Ask) -> None:
        fate = connection.faults.acknowledgement()
        if fate.reject is not None:
            words, code = fate.reject
            self._refuse(connection, Refusal(code or "GATEWAY_ERROR", words, ask.text))
        elif fate.serve and not {ask.channel.name, ask.channel.contract_id} & fate.leave_out:
            self._serve(connection, ask, fate)

    def _serve(self, connection: _Line, ask: Ask, fate: AckFate) -> None:
        publisher, desk, channel = self._published(), connection.state, ask.channel
        self.turn(self.now_ns())
        if ask.kind == "unsubscribe":
            desk.channels.pop(channel.name, None)
            publisher.unsubscribe(connection, channel.name)
            frame = frames.unsubscribed(channel.name)
        else:
            desk.channels[channel.name] = channel
            frame = frames.subscribed(channel.name, ask.text, self.style)
        if fate.acknowledge and not fate.delay_s:
            self._send(connection, frame)
        if ask.kind == "subscribe":
            publisher.subscribe(connection, channel, self.now_ns())
        if fate.acknowledge and fate.delay_s:
            connection.later(fate.delay_s, lambda: self._send(connection, frame))

    @staticmethod
    def _send(connection: _Line, frame: dict[str, Any]) -> None:
        connection.send(frame["type"], json.dumps(frame, separators=(",", ":")))

    # The market -------------------------------------------------------------------------------------

    def rest(self, request: HttpRequest) -> HttpResponse:
        """Answer from the market as it stands."""
        publisher = self._published()
        if not self.connections:
            self.woke(self.now_ns())
        self.turn(self.now_ns())
        return rest.answer(request, publisher, self.now_ns())

    def perform(
        self, action: Callable[..., Iterable[Happening]], *args: Any, **fields: Any
    ) -> list[Happening]:
        """Do something by hand on the market, such as ``floors[id].place``, and publish it."""
        publisher = self._published()
        self.turn(self.now_ns())
        happenings = publisher.market.perform(action, self.now_ns(), *args, **fields)
        publisher.publish(happenings)
        return happenings

    def happen(self, account_id: str, event: AccountEvent, amount: Decimal = Decimal(25)) -> None:
        """Let something happen to an account that neither orders nor funding bring about.

        Raises:
            KeyError: for an account that is not known.
        """
        self._published().happen(account_id, event, amount, self.now_ns())

    def list_contract(self, contract_id: str, *, is_open: bool) -> None:
        """Open or suspend a contract in the metadata and tickers; its traders go on."""
        self._published().list_contract(contract_id, is_open=is_open, now_ns=self.now_ns())

    def woke(self, now_ns: int) -> None:
        """While nobody was there nothing happened."""
        self._published().rest_until(now_ns)

    def next_turn_ns(self) -> int | None:
        """The market's next happening, or the next beat."""
        return self._published().next_ns

    def turn(self, now_ns: int) -> None:
        """Let the market go on and tell who subscribed."""
        self._published().turn(now_ns)


def ping_frame(now_ns: int, *, as_number: bool) -> dict[str, Any]:
    """A server's ping; the private socket of V2 is documented with a number."""
    now_ms = now_ns // 10**6
    return {"type": "ping", "time": now_ms if as_number else str(now_ms)}
