"""A stage for venues: a scripted dialogue between a user, a venue's protocol and its server, without I/O.

::

    play = Bench(VENUE)
    trades = play.subscribe(Trades("BTC-USD"))
    play.connect()
    assert play.writer() == ['{"op":"subscribe","channel":"trades.BTC-USD"}']
    play.server('{"op":"subscribed","channel":"trades.BTC-USD"}')
    assert trades.is_confirmed
    play.advance(30)                        # heartbeats, watchdogs, timeouts
    play.drop(1006)

Time is virtual and nonces are counted, so a play is the same every time. The stage itself watches what
must hold in every scene: ``reconcile`` has no side effects, a frame has at least one element, whatever
is sent was charged, and no window of any budget is exceeded.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from trioquotes._protocol.budget import Allowance, Budgets
from trioquotes._protocol.contract import Memory, Venue, VenueProtocol
from trioquotes._protocol.effects import (
    Budget,
    ChargeKind,
    Effect,
    Endpoint,
    Failure,
    Fetch,
    Handshake,
    HttpRequest,
    Lane,
    Options,
    Replace,
    Reply,
    Send,
    Stage,
    Stamp,
    Verdict,
)
from trioquotes._protocol.lane import LaneState
from trioquotes._protocol.planner import Planner
from trioquotes.credentials import Credentials
from trioquotes.errors import TrioquotesError
from trioquotes.events import Event, Notice
from trioquotes.topics import Topic

__all__ = ["Bench", "Line", "Outbox", "Server"]

START_WALL_NS = 1_600_000_000_000_000_000
START_S = 1000.0
ROUNDS = 400
"""More exchanges than any scene needs: a dialogue that goes on for longer does not converge."""


class Server(Protocol):
    """The other side of one line, as the venue documents it."""

    def connected(self) -> Sequence[str]:
        """What it says before it was asked anything."""

    def receive(self, frame: str) -> Sequence[str]:
        """What it answers."""

    def fetch(self, request: HttpRequest) -> Reply:
        """What its HTTP side answers."""


class Outbox:
    """A subscriber that keeps everything."""

    def __init__(self, topic: Topic[Event]) -> None:
        self.topic = topic
        self.lagging = False
        self.events: list[Event] = []
        self.passed_by = 0
        self.is_confirmed = False
        self.error: TrioquotesError | None = None

    def push(self, event: Event, weight_bytes: int) -> None:
        assert self.error is None, "nothing comes after the end"
        assert not self.lagging, "a lagging subscriber takes no events"
        assert weight_bytes > 0
        self.events.append(event)

    def passed(self) -> None:
        assert self.lagging
        self.passed_by += 1

    def notify(self, notice: Notice) -> None:
        assert self.error is None, "nothing is said after the end"
        self.events.append(notice)

    def confirmed(self) -> None:
        self.is_confirmed = True

    def ended(self, error: TrioquotesError) -> None:
        assert self.error is None, "a topic ends once"
        self.error = error

    def take(self) -> list[Event]:
        """What came since the last call."""
        events, self.events = self.events, []
        return events

    def kinds(self) -> list[str]:
        """Class names of what came since the last call."""
        return [type(event).__name__ for event in self.take()]


BoxT = TypeVar("BoxT", bound=Outbox)


class Line:
    """One lane of the play, on a connection or between two."""

    def __init__(self, bench: Bench, state: LaneState) -> None:
        self._bench = bench
        self.state = state
        self.lane = state.lane
        self.memory: Memory = {}
        self.protocol: VenueProtocol | None = None
        self.handshake: Handshake | None = None
        self.other_side: Server | None = None
        self.effects: list[Effect] = []  # everything sent on this connection
        self.fetches: list[Fetch] = []  # not yet answered
        self.blocked = False  # whether a budget kept the writer from writing
        self.pings = 0
        self.replaced: list[str] = []
        self._allowance = bench.allowance()
        self._connection = object()

    @property
    def alive(self) -> VenueProtocol:
        """The protocol of the connection that is up."""
        assert self.protocol is not None, f"{self.lane} is not connected"
        return self.protocol

    def _attempt(self) -> VenueProtocol:
        bench = self._bench
        self._connection = object()
        self._allowance = bench.allowance()
        while (delay_s := self._allowance.delay_s({"connect": 1}, bench.now_s)) > 0:
            bench.now_s += delay_s
        self._charge({"connect": 1})
        protocol = bench.venue.protocol(self.lane, bench.credentials, self.memory, bench.options)
        self.handshake = protocol.handshake(bench.stamp())
        return protocol

    def connect(self) -> Handshake:
        """Open a line."""
        assert self.protocol is None, "it is up already"
        self.protocol = self._attempt()
        self.effects.clear()
        self.fetches.clear()
        self.state.connected(self._bench.receipt())
        assert self.handshake is not None
        return self.handshake

    def refused(self, status: int, body: bytes = b"") -> Verdict:
        """An attempt that the server answers with an HTTP status instead of the upgrade."""
        protocol = self._attempt()
        failure = Failure(
            "handshake",
            f"HTTP {status}",
            status=status,
            body=body,
            established=self.state.connection > 0,
        )
        return protocol.classify(failure)

    def writer(self) -> list[str]:
        """Write what may be written now: control frames first, then requests until there are none."""
        written: list[str] = []
        for _ in range(ROUNDS):
            frame = self._write_one()
            if frame is None:
                return written
            if frame:
                written.append(frame)
        raise AssertionError(f"{self.lane}: reconcile never came to rest")

    def _write_one(self) -> str | None:
        bench, state, protocol = self._bench, self.state, self.protocol
        if protocol is None:
            return None
        state.expire(bench.receipt())
        if state.replies or state.pings_due:
            if self._allowance.delay_s({"ping": 1}, bench.now_s, control=True) > 0:
                return None
            self._charge({"ping": 1})
            if state.replies:
                return state.replies.popleft().decode()
            state.pings_due -= 1
            self.pings += 1
            return ""
        stamp = bench.stamp()
        effect = protocol.reconcile(state.ledger, stamp)
        assert effect == protocol.reconcile(state.ledger, stamp), "reconcile has a side effect"
        if effect is None:
            return None
        if isinstance(effect, Replace):
            self.replaced.append(effect.reason)
            self._down(effect.reason, 1000, planned=True)
            return None
        return self._spend(effect, stamp)

    def _spend(self, effect: Send | Fetch, stamp: Stamp) -> str | None:
        kind: ChargeKind = "send" if isinstance(effect, Send) else "rest"
        assert effect.cost.get(kind) == 1, f"{effect} is charged {effect.cost}"
        assert not isinstance(effect, Send) or effect.frame, f"{effect} says nothing"
        assert all(effect.id != known.id for known in self.state.ledger.in_flight), "an id is used twice"
        self.blocked = self._allowance.delay_s(effect.cost, self._bench.now_s) > 0
        if self.blocked:
            return None
        self._charge(effect.cost)
        self.alive.sent(effect, stamp)
        self.state.sent(effect, stamp)
        self.effects.append(effect)
        if isinstance(effect, Fetch):
            self.fetches.append(effect)
            return ""
        return effect.frame.decode()

    def server(self, *frames: str | bytes) -> None:
        """The server says this."""
        for frame in frames:
            data = frame.encode() if isinstance(frame, str) else frame
            stamp = self._bench.receipt()
            self.state.begin(data, stamp)
            before = self.state.tally.count().elements
            self.alive.receive(data, stamp, self.state)
            assert self.state.tally.count().elements > before, f"a frame without a disposition: {data!r}"

    def answer(self, reply: Reply | Failure) -> None:
        """The oldest fetch is answered."""
        fetch = self.fetches.pop(0)
        stamp = self._bench.receipt()
        if isinstance(reply, Reply):
            self.state.begin(reply.body, stamp)
        else:
            self.state.at(stamp)
        self.alive.fetched(fetch.id, reply, stamp, self.state)
        self.state.answered(fetch.id)

    def pong(self) -> None:
        """The answer to a WebSocket ping comes."""
        stamp = self._bench.receipt()
        self.state.at(stamp)
        self.alive.pong(stamp, self.state)

    def tick(self) -> None:
        """The protocol's own time has come."""
        stamp = self._bench.receipt()
        self.state.at(stamp)
        self.alive.tick(stamp, self.state)
        assert self.alive.deadline() > stamp.monotonic_s, "tick leaves its deadline in the past"

    def drop(
        self, code: int | None = 1006, reason: str = "connection lost", *, stage: Stage = "stream"
    ) -> Verdict:
        """The line is gone; what the protocol makes of it."""
        protocol = self.alive
        failure = Failure(
            stage,
            self.state.lost_reason or reason,
            close_code=code,
            last_error=self.state.last_error,
            suspects=frozenset(self.state.ledger.pending),
            established=True,
        )
        self._down(failure.reason, code, planned=False)
        return protocol.classify(failure)

    def close(self) -> None:
        """Nothing is wanted on this line any more."""
        self._down("nothing is wanted on this line", 1000, planned=True)

    def _down(self, reason: str, code: int | None, *, planned: bool) -> None:
        self.state.disconnected(self._bench.receipt(), reason=reason, code=code, planned=planned)
        self.protocol = self.other_side = None

    def _charge(self, cost: Mapping[ChargeKind, int]) -> None:
        self._allowance.charge(cost, self._bench.now_s).settle(self._bench.now_s)
        self._bench.charged(self._connection, cost)

    def deadline(self) -> float:
        """When something happens on this line by itself."""
        if self.protocol is None:
            return math.inf
        return min(self.protocol.deadline(), self.state.ledger.deadline())


class Bench:
    """The whole play: one session's planner and its lanes.

    Args:
        venue: who is on stage.
        credentials: what the session was given.
        extra: the venue's own options.
        raw: whether events keep their frames, which takes a longer way.
    """

    def __init__(
        self,
        venue: Venue,
        *,
        credentials: Credentials | None = None,
        endpoint: str = "production",
        extra: dict[str, str] | None = None,
        raw: bool = True,
    ) -> None:
        self.venue = venue
        self.credentials = credentials
        found: Endpoint = venue.endpoints[endpoint]
        self.options = Options(
            endpoint=found, has_credentials=credentials is not None, extra=dict(extra or {})
        )
        self.planner = Planner(venue, self.options, raw=raw)
        self.now_s = START_S
        self._nonces = 0
        self._budgets = Budgets()
        self._lines: dict[Lane, Line] = {}
        self._charges: list[tuple[float, object, ChargeKind, int]] = []

    # Time and chance.

    def stamp(self) -> Stamp:
        """A stamp with a nonce that never came before."""
        self._nonces += 1
        return self.receipt()._replace(nonce=self._nonces.to_bytes(16, "big"))

    def receipt(self) -> Stamp:
        """A stamp for what is received."""
        return Stamp(START_WALL_NS + int((self.now_s - START_S) * 1e9), self.now_s)

    def advance(self, seconds: float) -> None:
        """Let time pass: every deadline on the way is met, and what it wants to be written is."""
        end_s = self.now_s + seconds
        for _ in range(100 * ROUNDS):
            due_s = min((line.deadline() for line in self._lines.values()), default=math.inf)
            if due_s > end_s:
                break
            self.now_s = max(self.now_s, due_s)
            for line in self._lines.values():
                if line.protocol is not None and line.protocol.deadline() <= self.now_s:
                    line.tick()
                line.state.expire(self.receipt())
        else:
            raise AssertionError("time does not pass: a deadline stays in the past")
        self.now_s = end_s
        for line in self._lines.values():
            if line.protocol is not None:
                line.state.expire(self.receipt())

    # The user.

    def subscribe(self, topic: Topic[Event]) -> Outbox:
        """A subscriber comes."""
        return self.join(Outbox(topic))

    def join(self, outbox: BoxT) -> BoxT:
        """A subscriber of a kind of its own comes."""
        self.planner.join(outbox.topic, outbox, self.receipt().wall_ns)
        self._replan()
        return outbox

    def unsubscribe(self, outbox: Outbox) -> None:
        """A subscriber goes."""
        feed = self.planner.feeds.get(outbox.topic)
        if feed is not None:
            feed.leave(outbox)
        self._replan()

    def _replan(self) -> None:
        self.planner.replan()
        for lane, state in self.planner.lanes.items():
            if lane not in self._lines:
                self._lines[lane] = Line(self, state)

    # The lines.

    @property
    def lines(self) -> list[Line]:
        """Every lane there ever was."""
        return list(self._lines.values())

    def line(self, name: str = "", shard: int = 0) -> Line:
        """One lane; without a name, the only one."""
        if name:
            return self._lines[Lane(name, shard)]
        (line,) = self._lines.values()
        return line

    def connect(self) -> Handshake:
        """Open the only line."""
        return self.line().connect()

    def writer(self) -> list[str]:
        """Write on the only line."""
        return self.line().writer()

    def server(self, *frames: str | bytes) -> None:
        """The server of the only line says this."""
        self.line().server(*frames)

    def drop(self, code: int | None = 1006, reason: str = "connection lost") -> Verdict:
        """The only line is gone."""
        return self.line().drop(code, reason)

    def settle(self, make: Callable[[Lane], Server], *, patience_s: float = 0.0) -> dict[Lane, list[str]]:
        """Let a perfect server answer until nobody has anything to say; returns what was asked by lane.

        Lines that are wanted are opened, those that were replaced come again, and where a budget is spent
        time passes up to ``patience_s``.
        """
        said: dict[Lane, list[str]] = {}
        until_s = self.now_s + patience_s
        for _ in range(ROUNDS):
            busy = False
            for line in self.lines:
                if line.protocol is None and line.state.ledger.wanted_any:
                    line.connect()
                    line.other_side = make(line.lane)
                    line.server(*line.other_side.connected())
                    busy = True
                frames = line.writer()
                if line.protocol is not None and not line.state.ledger.wanted_any:
                    line.close()
                said.setdefault(line.lane, []).extend(frames)
                busy = busy or bool(frames) or bool(line.fetches)
                if line.other_side is not None:
                    self._answer(line, line.other_side, frames)
            self._replan()
            if busy:
                continue
            if self.now_s >= until_s or not any(line.blocked for line in self.lines):
                return said
            self.advance(1.0)
        raise AssertionError(f"no rest after {ROUNDS} rounds: {said}")

    @staticmethod
    def _answer(line: Line, server: Server, frames: Sequence[str]) -> None:
        for frame in frames:
            line.server(*server.receive(frame))
        while line.fetches:
            line.answer(server.fetch(line.fetches[0].request))

    # The budgets.

    def allowance(self) -> Allowance:
        """What a new connection may spend."""
        return self._budgets.account(
            self.venue.name, self.venue.budgets, identity="play", connection=object()
        )

    def charged(self, connection: object, cost: Mapping[ChargeKind, int]) -> None:
        """Note what was spent, to be checked by :meth:`assert_polite`."""
        self._charges += [(self.now_s, connection, kind, number) for kind, number in cost.items() if number]

    def assert_polite(self) -> None:
        """No budget was exceeded in any window; counted here once more, by hand."""
        for budget in self.venue.budgets:
            groups: dict[object, list[float]] = {}
            for at_s, connection, kind, number in self._charges:
                if kind in budget.counts:
                    key = connection if budget.scope == "connection" else None
                    groups.setdefault(key, []).extend([at_s] * number)
            for times in groups.values():
                worst = _most_in_a_window(times, budget)
                assert worst <= budget.count, f"{budget.name}: {worst} in {budget.window_s} s"

    def spent(self) -> Counter[ChargeKind]:
        """How much was spent on what."""
        spent: Counter[ChargeKind] = Counter()
        for _, _, kind, number in self._charges:
            spent[kind] += number
        return spent


def _most_in_a_window(times: Sequence[float], budget: Budget) -> int:
    return max((sum(start <= at < start + budget.window_s for at in times) for start in times), default=0)
