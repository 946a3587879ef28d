"""The steps of a check-up that a session takes: from the handshake to what may still be asked."""

from __future__ import annotations

import ssl
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any, Final

import attrs
import trio

from trioquotes._protocol.budget import Budgets
from trioquotes._protocol.contract import Venue
from trioquotes._protocol.effects import ChargeKind, Failure, HttpRequest, Reply
from trioquotes._runtime.channel import Channel
from trioquotes._runtime.connector import Connector, LineFailed, Network, Route
from trioquotes._runtime.network import Address
from trioquotes._runtime.session import Session
from trioquotes._runtime.spending import charged
from trioquotes._runtime.stream import Stream
from trioquotes.cli.doctor_advice import kind_of_handshake, kind_of_refusal
from trioquotes.cli.doctor_clock import Offset, offset_by_date, offset_by_events, offset_by_time, read_time_ns
from trioquotes.cli.doctor_ground import Outcome
from trioquotes.cli.doctor_plan import Plan
from trioquotes.cli.doctor_probe import Probe
from trioquotes.cli.doctor_report import duration
from trioquotes.credentials import Credentials
from trioquotes.errors import TrioquotesError
from trioquotes.events import Disconnected, Event, Malformed, Notice, Rejected, Throttled

__all__ = ["Conversation", "Patient"]

PINGS: Final = 3
"""How many pings the round trip is the best of, one from the heartbeat included."""
PAUSE_S: Final = 0.25
"""Between two of them: far within every venue's limit."""
SLOW_S: Final = 1.0
"""A round trip around the world takes a third of this."""
BODY_CHARS: Final = 160
"""How much of what a refusal says is shown."""
LEFT_HEADERS: Final = ("remaining-req", "x-ratelimit-remaining", "ratelimit-remaining", "ratelimit")
"""Headers in which REST says what may still be asked: Upbit's own, and common ones."""
STATUS_REFUSED: Final = frozenset({403, 418, 429})


@attrs.frozen
class Patient:
    """What is looked at.

    Attributes:
        venue: the venue.
        endpoint: as it was given.
        url: of the socket.
        address: the same, taken apart.
        route: how the user wants connections to leave this machine.
        way: what a session reaches that by.
        plan: what is asked.
        credentials: those that the environment holds.
        context: for TLS.
        given_context: the same if the user chose it, else ``None``.
        timeout_s: for one step.
    """

    venue: Venue
    endpoint: str | None
    url: str
    address: Address
    route: Route
    way: Network
    plan: Plan
    credentials: Credentials | None
    context: ssl.SSLContext
    given_context: ssl.SSLContext | None
    timeout_s: float


class Conversation:
    """What is asked of a venue over one session.

    Args:
        patient: what is looked at.
        connector: makes lines and fetches.
    """

    def __init__(self, patient: Patient, connector: Connector) -> None:
        self._patient = patient
        self._connector = connector
        self._probe = Probe(connector, patient.credentials)
        self._budgets = Budgets()
        self._began_s = trio.current_time()
        self._channel: Channel[Any] | None = None
        self._refusal: TrioquotesError | None = None
        self._events: list[Event] = []
        self._reply: Reply | None = None
        self._answered_s: float | None = None  # a ping of the venue's own kind

    @property
    def failure(self) -> Failure | None:
        """Why the line did not come up, or how it ended, without secrets; ``None`` while it has not."""
        return self._probe.failure

    def session(self) -> Session:
        """What the steps are taken with."""
        patient = self._patient
        self._began_s = trio.current_time()
        return Session(
            patient.venue,
            credentials=patient.credentials,
            endpoint=patient.endpoint,
            ssl_context=patient.given_context,
            budgets=self._budgets,
            connector=self._probe,
            connect_timeout_s=patient.timeout_s,
        )

    def steps(self, stream: Stream) -> Iterator[Callable[[], Awaitable[Outcome]]]:
        """The steps, in their order; :meth:`subscribe` runs beside them."""
        yield self._handshake
        yield lambda: self._confirmed(stream)
        yield lambda: self._data(stream)
        yield lambda: self._heartbeat(stream)
        yield self._clock
        yield self._round_trip
        yield lambda: self._limits(stream)

    async def subscribe(self, stream: Stream) -> None:
        """It is what lets the session connect at all."""
        try:
            self._channel = await stream.subscribe(self._patient.plan.topic)
        except TrioquotesError as error:
            self._refusal = error
        self._probe.noticed()

    def died(self, step: str, error: BaseException) -> Outcome:
        """What it means for a step that the session ended with this error."""
        said = self._probe.veil.words(str(error))
        if step == "handshake" and self._probe.failure is not None:
            return self._refused(self._probe.failure)
        if step == "subscribe" and isinstance(error, TrioquotesError):
            return Outcome.failed(kind_of_refusal(error), said)
        return Outcome.failed("lost" if step in {"data", "heartbeat", "round trip"} else "", said)

    async def _handshake(self) -> Outcome:
        probe = self._probe
        await probe.until(
            lambda: probe.opened_s is not None or probe.failure is not None or self._refusal is not None
        )
        if probe.opened_s is not None:
            return Outcome("switched to WebSocket, on a connection of its own")
        if probe.failure is not None:
            return self._refused(probe.failure)
        return Outcome.failed("refused", probe.veil.words(str(self._refusal)))

    def _refused(self, failure: Failure) -> Outcome:
        kind = kind_of_handshake(failure, late=trio.current_time() - self._began_s >= self._patient.timeout_s)
        said = failure.reason
        words = " ".join(failure.body.decode(errors="replace").split())
        if words:
            said += f": {words[:BODY_CHARS]}" + ("..." if len(words) > BODY_CHARS else "")
        return Outcome.failed(kind, said, http_status=failure.status)

    async def _confirmed(self, stream: Stream) -> Outcome:
        probe, topic = self._probe, self._patient.plan.topic
        with trio.move_on_after(self._patient.timeout_s):
            await probe.until(
                lambda: self._channel is not None or self._refusal is not None or probe.failure is not None
            )
        if self._channel is not None:
            return Outcome(f"{topic} confirmed")
        if self._refusal is not None:
            return Outcome.failed(kind_of_refusal(self._refusal), probe.veil.words(str(self._refusal)))
        if probe.failure is not None:
            return Outcome.failed("lost", probe.failure.reason)
        return self._late(stream)

    async def _data(self, stream: Stream) -> Outcome:
        assert self._channel is not None  # noqa: S101  # for the type checker: it was confirmed
        found = await self._next(self._channel, stream)
        if isinstance(found, Outcome):
            return found
        return Outcome(_shown(found))

    def _late(self, stream: Stream) -> Outcome:
        """Nothing came in time: but the venue may have complained of something."""
        said = f"nothing came within {self._patient.timeout_s:g} s"
        complaints = [lane.last_error for lane in stream.statistics().lanes if lane.last_error]
        if complaints:
            said += f"; the venue said: {self._probe.veil.words(complaints[0])}"
        return Outcome.failed("timeout", said)

    async def _next(self, channel: Channel[Any], stream: Stream) -> Event | Outcome:
        """The next event of a channel, or what came in its place."""
        held = ""
        try:
            with trio.move_on_after(self._patient.timeout_s):
                async for event in channel:
                    match event:
                        case Disconnected():
                            return Outcome.failed("lost", event.reason)
                        case Malformed():
                            return Outcome.failed("malformed", event.reason)
                        case Rejected(final=True):
                            return Outcome.failed("refused", event.reason)
                        case Throttled():
                            held = event.reason
                        case Notice():
                            pass
                        case _:
                            self._events.append(event)
                            return event  # type: ignore[no-any-return]  # of a topic whose type nobody knows
        except TrioquotesError as error:
            return Outcome.failed("refused", self._probe.veil.words(str(error)))
        if held:
            return Outcome.failed("throttled", held)
        return self._late(stream)

    async def _heartbeat(self, stream: Stream) -> Outcome:
        beat = self._patient.plan.beat
        if beat is None:
            return await self._pinged("a WebSocket ping was answered")
        asked_s = trio.current_time()
        try:
            channel: Channel[Any] = await stream.subscribe(beat)
        except TrioquotesError as error:
            return Outcome.failed("refused", self._probe.veil.words(str(error)))
        async with channel:
            found = await self._next(channel, stream)
        if not isinstance(found, Outcome):
            if self._patient.plan.beat_is_answer:
                self._answered_s = trio.current_time() - asked_s
            return Outcome(f"the venue's own ({beat.name})")
        return found if found.kind in {"timeout", "lost", "refused"} else attrs.evolve(found, kind="refused")

    async def _pinged(self, said: str) -> Outcome:
        await self._charge("ping")
        try:
            await self._probe.ping()
        except LineFailed as failed:
            return Outcome.failed("lost", self._probe.veil.words(failed.failure.reason))
        return Outcome(said)

    async def _clock(self) -> Outcome:
        rest, problem = await self._asked_for_time()
        self._drain()
        times = [
            (getattr(event, "venue_time_ns", None), getattr(event, "received_ns", None))
            for event in self._events
        ]
        offset = rest & offset_by_events(times)
        facts = {"ahead_at_least_s": offset.low_s, "ahead_at_most_s": offset.high_s}
        if offset.kind in {"ahead", "behind"}:
            return Outcome.warning(offset.kind, offset.said, **facts)
        if problem:
            return Outcome.warning("rest", f"{offset.said}; {problem}", **facts)
        return Outcome(offset.said, "none" if offset.kind else "ok", facts=facts)

    async def _asked_for_time(self) -> tuple[Offset, str]:
        """What REST says of the time, and what is wrong with REST."""
        patient = self._patient
        url, source = patient.plan.time_url, patient.plan.time
        if url is None:
            await trio.lowlevel.checkpoint()
            return Offset(), ""
        await self._charge("rest")
        host = url.split("/")[2]
        sent_ns = time.time_ns()
        try:
            reply = await self._connector.fetch(
                HttpRequest(url), timeout_s=patient.timeout_s, ssl_context=patient.given_context
            )
        except LineFailed as failed:
            return Offset(), f"REST at {host} failed: {self._probe.veil.words(failed.failure.reason)}"
        received_ns = time.time_ns()
        self._reply = reply
        offset = offset_by_date(reply.headers, sent_ns, received_ns)
        said_ns = read_time_ns(reply.body, source.keys, source.unit_ns) if source.keys else None
        if said_ns is not None:
            offset = offset_by_time(said_ns, sent_ns, received_ns) & offset
        refused = reply.status in STATUS_REFUSED or reply.status // 100 == 5
        return offset, f"REST at {host} answered {reply.status}" if refused else ""

    def _drain(self) -> None:
        """Take what came meanwhile: its times tell of the clock."""
        with suppress(trio.WouldBlock, trio.EndOfChannel, TrioquotesError):
            while self._channel is not None:
                self._events.append(self._channel.receive_nowait())

    async def _round_trip(self) -> Outcome:
        trips_s = [] if self._answered_s is None else [self._answered_s]
        if not trips_s:
            outcome = await self._pinged_often()
            if outcome is not None:
                return outcome
            trips_s = sorted(self._probe.trips_s)
        if not trips_s:
            return Outcome("pings are answered, but the answers do not say which ping they are for", "none")
        best_s = trips_s[0]
        count = len(trips_s)
        said = (
            "one ping"
            if count == 1
            else f"the best of {count} pings; the longest took {duration(trips_s[-1])}"
        )
        if best_s > SLOW_S:
            return Outcome.warning("slow", said, best_s=best_s)
        return Outcome(said, facts={"best_s": best_s}, took_s=best_s)

    async def _pinged_often(self) -> Outcome | None:
        """Ping some more; returns what went wrong, if anything."""
        await trio.lowlevel.checkpoint()
        trips_s = self._probe.trips_s
        while len(trips_s) < PINGS:
            before = len(trips_s)
            await trio.sleep(PAUSE_S)
            outcome = await self._pinged("")
            if outcome.status != "ok":
                return outcome
            if len(trips_s) == before:
                return None
        return None

    async def _limits(self, stream: Stream) -> Outcome:
        await trio.lowlevel.checkpoint()
        statistics = stream.statistics()
        budgets = [*statistics.budgets, *(each for lane in statistics.lanes for each in lane.budgets)]
        parts = [f"{each.name} {each.free} of {each.count} in {each.window_s:g} s" for each in budgets]
        said = "; ".join(parts) if parts else "the venue names none for its sockets"
        told = {
            name: self._reply.headers[name]
            for name in LEFT_HEADERS
            if self._reply is not None and name in self._reply.headers
        }
        facts = {
            "budgets": [
                {"name": each.name, "free": each.free, "count": each.count, "window_s": each.window_s}
                for each in budgets
            ],
            "headers": told,
        }
        if told:
            said += "; the venue itself says " + ", ".join(f"{name}: {value}" for name, value in told.items())
        if any(value.strip() == "0" for value in told.values()):
            return Outcome.warning("none left", said, **facts)
        return Outcome(said, facts=facts)

    async def _charge(self, kind: ChargeKind) -> None:
        """What is asked beside the session counts too."""
        venue = self._patient.venue
        allowance = self._budgets.account(venue.name, venue.budgets, identity="", connection="doctor")
        charge = await charged(allowance, {kind: 1})
        charge.settle(trio.current_time())


def _shown(event: Event) -> str:
    """A first event in a few words: whatever of it is a price."""
    names = ("last", "price", "bid", "ask", "quote")
    parts = [f"{name} {value}" for name in names if (value := getattr(event, name, None)) is not None]
    return f"{type(event).__name__} {getattr(event, 'instrument', '')}: {', '.join(parts)}".rstrip(": ")
