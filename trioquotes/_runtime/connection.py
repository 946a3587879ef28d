"""One connection of one lane: its four child tasks around a protocol.

* **read**: socket -> protocol -> channels. It never waits for a user.
* **write**: control frames first, then one request at a time, pulled when the budget allows.
* **beat**: calls the protocol when its own clock wants it: heartbeats and watchdogs; notices that the machine slept.
* **resubscribe**: watches wanted against confirmed: new wishes, unanswered requests, resyncs.

The tasks never raise: each outcome is one value, and the first one ends all four.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias

import attrs
import trio

from trioquotes._protocol.budget import Allowance, Charge
from trioquotes._protocol.contract import VenueProtocol
from trioquotes._protocol.effects import Failure, Fetch, Replace, Reply, Send, Stamp
from trioquotes._protocol.lane import LaneState
from trioquotes._protocol.liveness import LOOK_EVERY_S, Vigil
from trioquotes._protocol.patience import LIMITED_S, Quiet
from trioquotes._protocol.verdict import patience_s
from trioquotes._runtime.clock import Clock
from trioquotes._runtime.connector import Line, LineFailed
from trioquotes._runtime.endings import sole
from trioquotes.errors import InternalError

__all__ = ["Closing", "Connection", "Crashed", "Fetcher", "Outcome"]

Fetcher: TypeAlias = Callable[[Fetch], Awaitable[Reply]]


AWAKE_WITHIN_S = 5.0
"""How long after the machine slept the line may take to answer a ping: far longer than any round trip, and far shorter
than the silence that an ordinary line is allowed."""
LEFTOVERS_S = 0.5
"""What comes sooner than this after it slept may have been waiting in the socket, and proves nothing."""

TOO_MANY_REQUESTS = 429

LINGER_S = 4.5
"""How long a line stays up with nothing wanted on it: a new wish in that time costs no connect."""
FIRST_WISH_S = 2.0
"""The same where nothing was asked yet, from the beginning of the line: some venues do not wait for long for the first
request (Coinbase: 5 s), and a wish that comes late may have to wait for its budget as well.
"""


@attrs.frozen
class Closing:
    """The line is no longer needed."""


@attrs.frozen
class Crashed:
    """A task met what no venue and no network can cause: a bug, or an interrupt."""

    error: BaseException


Outcome: TypeAlias = Closing | Replace | Failure | Crashed


class Connection:
    """Runs the four tasks over an open line.

    Args:
        line: the open WebSocket.
        protocol: the venue's side of it.
        state: the lane's ledger, routes and count.
        allowance: what may be sent.
        clock: stamps.
        fetch: makes HTTP requests.
        name: prefix of the task names, venue and lane.
        settle: called after every batch, so that the session may react to topics that ended.
    """

    def __init__(
        self,
        line: Line,
        protocol: VenueProtocol,
        state: LaneState,
        allowance: Allowance,
        *,
        clock: Clock,
        fetch: Fetcher,
        name: str,
        settle: Callable[[], None],
    ) -> None:
        self._line = line
        self._protocol = protocol
        self._state = state
        self._allowance = allowance
        self._clock = clock
        self._fetch = fetch
        self._name = name
        self._settle = settle
        self._outcome: Outcome | None = None
        self._scope = trio.CancelScope()
        self._write_wake = trio.Event()
        self._beat_wake = trio.Event()
        self._resubscribe_wake = trio.Event()
        self._beat_until_s = -math.inf
        self._nursery: trio.Nursery | None = None
        stamp = clock.receipt()
        self._vigil = Vigil(stamp.wall_ns, stamp.monotonic_s)
        self._doubt = ""  # why the line is being checked, and since when
        self._doubted_s = math.inf
        self._opened_s = stamp.monotonic_s
        self._asked = False  # whether anything was sent that is a request

    async def run(self) -> Outcome:
        """Run until the line is lost, replaced or no longer needed; only cancellation leaves as an exception."""
        with self._scope:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                tasks = self._read, self._write, self._beat, self._resubscribe
                for task in tasks:
                    nursery.start_soon(self._guarded, task, name=f"{self._name}/{task.__name__.lstrip('_')}")
        if self._outcome is None:
            return Crashed(InternalError("the tasks of a connection ended without an outcome"))
        return self._outcome

    def finish(self, outcome: Outcome) -> None:
        """End all tasks; the first outcome counts, but a crash goes before what it brought about."""
        if self._outcome is None or (isinstance(outcome, Crashed) and not isinstance(self._outcome, Crashed)):
            self._outcome = outcome
            self._scope.cancel()

    def rewanted(self) -> None:
        """What is wanted on this lane changed."""
        self._resubscribe_wake.set()

    async def _guarded(self, task: Callable[[], Awaitable[None]]) -> None:
        try:
            await task()
        except LineFailed as failed:
            self.finish(failed.failure)
        except BaseException as error:  # noqa: ASYNC103  # a cancellation, in a group or not, is raised again
            # No name for what is found: this frame and the error would hold each other, and the line's buffers.
            if isinstance(sole(error), trio.Cancelled):
                raise
            self.finish(Crashed(sole(error)))

    async def _read(self) -> None:
        line, protocol, state = self._line, self._protocol, self._state
        while True:
            batch = await line.receive()
            stamp = self._clock.receipt()
            self._look(stamp)
            if self._doubt and stamp.monotonic_s >= self._doubted_s + LEFTOVERS_S:
                self._doubt = ""
            state.read(batch.frames, stamp, protocol)
            if batch.pongs:
                state.at(stamp)
                protocol.pong(stamp, state)
                if batch.round_trip_s is not None:
                    state.round_trip(batch.round_trip_s)
            state.settle()
            self._react()

    def _look(self, stamp: Stamp) -> None:
        """If the machine slept, say so before anything else, and see whether the line outlived it."""
        happened = self._vigil.look(stamp.wall_ns, stamp.monotonic_s)
        if happened:
            self._doubt, self._doubted_s = happened, stamp.monotonic_s
            self._state.doubt(happened, stamp)
            self._state.ping()
            self._react()

    def _react(self) -> None:
        """After anything was given to the protocol: see what it now wants of the other tasks."""
        state = self._state
        if state.lost_reason is not None:
            self.finish(Failure("stream", state.lost_reason))
            return
        if state.stirred:
            state.stirred = False
            self._settle()
            self._resubscribe_wake.set()
        if state.replies or state.pings_due:
            self._write_wake.set()
        if self._protocol.deadline() < self._beat_until_s:
            self._beat_wake.set()

    async def _write(self) -> None:
        while True:
            self._write_wake = wake = trio.Event()
            delay_s = await self._write_one()
            if delay_s == 0.0:
                continue
            with trio.move_on_after(delay_s):
                await wake.wait()

    async def _write_one(self) -> float:
        """Send what may be sent now; returns 0.0 if something went out, else seconds until the next try."""
        stamp = self._clock.stamp()
        state = self._state
        if state.replies or state.pings_due:
            delay_s = self._allowance.delay_s({"ping": 1}, stamp.monotonic_s, control=True)
            if delay_s > 0.0:
                return delay_s
            charge = self._allowance.charge({"ping": 1}, stamp.monotonic_s)
            try:
                if state.replies:
                    await self._line.send(state.replies.popleft())
                else:
                    state.pings_due -= 1
                    await self._line.ping()
            finally:
                charge.settle(trio.current_time())
            return 0.0
        if stamp.monotonic_s < state.quiet.until_s:
            return state.quiet.until_s - stamp.monotonic_s
        effect = self._protocol.reconcile(state.ledger, stamp)
        if effect is None:
            return math.inf
        if isinstance(effect, Replace):
            self.finish(effect)
            return math.inf
        return await self._spend(effect, stamp)

    async def _spend(self, effect: Send | Fetch, stamp: Stamp) -> float:
        delay_s = self._allowance.delay_s(effect.cost, stamp.monotonic_s)
        if delay_s > 0.0 and isinstance(effect, Fetch):
            # Where REST asked to be left alone, what needs it steps aside: the socket may still be asked for the rest.
            pause_s = self._allowance.pause_s("rest", stamp.monotonic_s)
            until_s = stamp.monotonic_s + pause_s
            if pause_s and self._state.ledger.hold(effect.asks | effect.resyncs, until_s):
                self._resubscribe_wake.set()
                return 0.0
        if delay_s > 0.0:
            return delay_s  # the effect is dropped: it is decided, and signed, anew when its time comes
        charge = self._allowance.charge(effect.cost, stamp.monotonic_s)
        # Entered before the frame leaves: its answer may be read before send() returns.
        self._protocol.sent(effect, stamp)
        self._state.sent(effect, stamp)
        self._asked = True
        self._resubscribe_wake.set()
        if isinstance(effect, Fetch):
            if self._nursery is None:
                raise InternalError("a fetch outside of the connection's nursery")
            task = partial(self._answer, effect, charge)
            self._nursery.start_soon(self._guarded, task, name=f"{self._name}/fetch")
            return 0.0
        try:
            await self._line.send(effect.frame)
        finally:
            charge.settle(trio.current_time())
        return 0.0

    async def _answer(self, effect: Fetch, charge: Charge) -> None:
        answer: Reply | Failure
        try:
            answer = await self._fetch(effect)
        except LineFailed as failed:
            answer = failed.failure
        finally:
            charge.settle(trio.current_time())
        stamp = self._clock.stamp()
        if isinstance(answer, Reply):
            self._state.begin(answer.body, stamp)
        else:
            self._state.at(stamp)
        quiet, self._state.quiet = self._state.quiet, Quiet()  # what REST says of limits is for REST alone
        self._protocol.fetched(effect.id, answer, stamp, self._state)
        self._state.quiet = quiet
        self._state.settle()
        self._state.answered(effect.id)
        pause_s = patience_s(answer, self._clock.random.random)
        if not pause_s and answer.status == TOO_MANY_REQUESTS:
            pause_s = LIMITED_S
        if pause_s:
            self._allowance.pause("rest", stamp.monotonic_s + pause_s)
            self._state.ledger.hold(effect.asks | effect.resyncs, stamp.monotonic_s + pause_s)
        self._react()

    async def _beat(self) -> None:
        while True:
            self._beat_wake = wake = trio.Event()
            self._beat_until_s = self._protocol.deadline()
            with trio.move_on_at(min(self._beat_until_s, trio.current_time() + LOOK_EVERY_S)):
                await wake.wait()
            self._look(self._clock.receipt())
            if self._doubt and trio.current_time() >= self._doubted_s + AWAKE_WITHIN_S:
                self.finish(Failure("stream", f"nothing came for {AWAKE_WITHIN_S:g} s after {self._doubt}"))
                return
            if trio.current_time() < self._protocol.deadline():
                continue
            stamp = self._clock.stamp()
            self._state.at(stamp)
            self._protocol.tick(stamp, self._state)
            if self._protocol.deadline() <= stamp.monotonic_s:
                raise InternalError(f"{self._name}: the protocol's tick left its deadline in the past")
            self._react()

    async def _resubscribe(self) -> None:
        state = self._state
        idle_until_s = math.inf
        while True:
            self._resubscribe_wake = wake = trio.Event()
            state.expire(self._clock.receipt())
            if state.ledger.wanted_any:
                idle_until_s = math.inf
            else:
                until_s = trio.current_time() + LINGER_S if self._asked else self._opened_s + FIRST_WISH_S
                idle_until_s = min(idle_until_s, until_s)
                if trio.current_time() >= idle_until_s:
                    self.finish(Closing())
                    return
            self._write_wake.set()
            with trio.move_on_at(min(state.ledger.deadline(), idle_until_s)):
                await wake.wait()
