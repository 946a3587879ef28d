"""The life of one lane: connect, run a connection, say what was lost, back off, connect again."""

from __future__ import annotations

import math
import ssl
from typing import Protocol

import attrs
import trio

from trioquotes._protocol.backoff import Backoff
from trioquotes._protocol.budget import Allowance, Budgets, BudgetStatistics
from trioquotes._protocol.contract import Memory, Venue, VenueProtocol
from trioquotes._protocol.effects import Failure, Fatal, Fetch, Options, Replace, Reply, Retry, Verdict
from trioquotes._protocol.lane import LaneState
from trioquotes._protocol.veil import carried
from trioquotes._protocol.verdict import patience_s, retry_after_s
from trioquotes._runtime.clock import Clock
from trioquotes._runtime.connection import Closing, Connection, Crashed, Outcome
from trioquotes._runtime.connector import Connector, LineFailed, ProxyFailed, Target
from trioquotes._runtime.endings import sole
from trioquotes._runtime.network import origin_of
from trioquotes._runtime.secrets import ProviderFailed, SecretsKeeper
from trioquotes._runtime.spending import charged
from trioquotes.credentials import Credentials
from trioquotes.errors import AuthenticationFailed, ConnectFailed, MessageTooLarge

__all__ = ["Host", "Settings", "Supervisor"]

TOO_LARGE_IN_A_ROW = 3
"""A message over the size limit may be an accident twice; the third says that the limit is wrong."""


@attrs.frozen
class Settings:
    """The session's options as the runtime needs them; durations in seconds, sizes in bytes.

    Attributes:
        connect_timeout_s: for one attempt: TCP, TLS, handshake.
        close_timeout_s: for the close handshake of one line.
        stall_timeout_s: for one frame from its first byte to its last.
        max_message_bytes: the largest message taken.
        compression: whether permessage-deflate is offered.
        ssl_context: for ``wss``; ``None`` makes the default one.
    """

    connect_timeout_s: float
    close_timeout_s: float
    stall_timeout_s: float
    max_message_bytes: int
    compression: bool
    ssl_context: ssl.SSLContext | None


class Host(Protocol):
    """What a supervisor needs of its session."""

    venue: Venue
    options: Options
    settings: Settings
    connector: Connector
    budgets: Budgets
    clock: Clock
    secrets: SecretsKeeper

    def die(self, error: BaseException) -> None:
        """End the session with this error."""

    def settle(self) -> None:
        """Topics may have ended: let the plan follow."""


class Supervisor:
    """Keeps one lane connected for as long as anything is wanted on it.

    Attributes:
        attempts: connects tried, failed ones included.
        failure: why the last attempt or connection ended, in one line; empty if it did not.
    """

    def __init__(self, host: Host, state: LaneState) -> None:
        self.state = state
        self.attempts = 0
        self.failure = ""
        state.veil = host.secrets.veil
        state.renewal.possible = host.secrets.renewable
        self._host = host
        self._name = f"{host.venue.name}/{state.lane}"
        self._memory: Memory = {}
        self._backoff = Backoff()
        self._wanted = trio.Event()
        self._scope = trio.CancelScope()
        self._connection: Connection | None = None
        self._allowance: Allowance | None = None
        self._closing = False
        self._too_large = 0
        self._protocol: VenueProtocol | None = None
        self._whom = host.venue.name
        self._secrets: Credentials | None = None  # of the present or last attempt

    @property
    def is_connected(self) -> bool:
        """Whether a line is up now."""
        return self._connection is not None

    def budgets(self, now_s: float) -> tuple[BudgetStatistics, ...]:
        """The limits that belong to the present line alone."""
        if self._allowance is None:
            return ()
        return tuple(each for each in self._allowance.statistics(now_s) if each.scope == "connection")

    def rewanted(self) -> None:
        """What is wanted on this lane changed."""
        self._wanted.set()
        if self._connection is not None:
            self._connection.rewanted()

    def close(self) -> None:
        """End: politely where a line is up, at once everywhere else."""
        self._closing = True
        if self._connection is not None:
            self._connection.finish(Closing())
        else:
            self._scope.cancel()

    async def run(self) -> None:
        """Run until closed; only cancellation leaves as an exception."""
        try:
            with self._scope:
                while not self._closing:
                    await self._until_wanted()
                    await self._attempt()
        except BaseException as error:  # noqa: ASYNC103  # a cancellation, in a group or not, is raised again
            found = sole(error)
            if isinstance(found, trio.Cancelled):
                raise
            self._host.die(found)

    async def _until_wanted(self) -> None:
        while not self.state.ledger.wanted_any:
            self._wanted = trio.Event()
            await self._wanted.wait()

    async def _attempt(self) -> None:
        """One connect, one connection, and what follows from its end."""
        self._protocol = None
        try:
            outcome = await self._line()
        except LineFailed as failed:
            outcome = attrs.evolve(failed.failure, established=self.state.connection > 0)
            if isinstance(failed, ProxyFailed):
                self._protocol = None  # the venue heard nothing of it, and is no judge of it
                if failed.lasting:
                    raise ConnectFailed(self._host.secrets.veil.hide(outcome.reason)) from None
            elif outcome.stage == "tls":  # often the end of the session: whose certificate is it?
                outcome = attrs.evolve(outcome, reason=f"{self._whom}: {outcome.reason}")
        except ProviderFailed as failed:
            outcome = self._without_secrets(failed)
        finally:
            self._connection = None
        if isinstance(outcome, Crashed):
            raise outcome.error
        if isinstance(outcome, Failure):
            outcome = self._host.secrets.veil.hide_failure(outcome)
        if not self._closing and not isinstance(outcome, Closing):
            self.failure = outcome.reason
            if isinstance(outcome, Failure):
                await self._recover(outcome)

    def _without_secrets(self, failed: ProviderFailed) -> Failure:
        """What it means that the provider raised: a refusal is final, an unreachable token server is not.

        Raises:
            AuthenticationFailed: the credentials were refused, or the provider never worked.
        """
        cause = failed.__cause__
        if isinstance(cause, AuthenticationFailed):
            raise cause
        established = self.state.connection > 0
        if not established and not isinstance(cause, ConnectFailed):
            raise AuthenticationFailed(str(failed)) from cause
        if not isinstance(cause, ConnectFailed):
            return Failure("connect", str(failed), established=established)
        after_s = cause.retry_after_s or 0.0
        headers = {"retry-after": f"{math.ceil(after_s)}"} if 0 < after_s < math.inf else {}
        return Failure("connect", str(cause), headers=headers, established=established)

    async def _line(self) -> Outcome:
        """Connect, and run one connection to its end.

        Raises:
            LineFailed: no line came to be, or it broke.
            ProviderFailed: the user's credentials provider raised.
        """
        host, state = self._host, self.state
        secrets = await host.secrets.get()
        allowance = self._allowance = host.budgets.account(
            host.venue.name, host.venue.budgets, identity=host.secrets.identity, connection=state.lane
        )
        asked_s = trio.current_time()
        charge = await charged(allowance, {"connect": 1})
        try:
            if trio.current_time() > asked_s and host.secrets.renewable:
                # The budget may have taken a minute, in which a token can expire that was good when it was asked for.
                secrets = await host.secrets.get()
            self.attempts += 1
            self._secrets = secrets
            protocol = self._protocol = host.venue.protocol(state.lane, secrets, self._memory, host.options)
            async with host.connector.line(self._target(protocol)) as line:
                charge.settle(trio.current_time())
                state.connected(host.clock.receipt())
                connection = self._connection = Connection(
                    line,
                    protocol,
                    state,
                    allowance,
                    clock=host.clock,
                    fetch=self._fetch,
                    name=self._name,
                    settle=host.settle,
                )
                outcome = await connection.run()
                self._connection = None
                if isinstance(outcome, Failure):
                    outcome = attrs.evolve(
                        host.secrets.veil.hide_failure(outcome),
                        suspects=frozenset(state.ledger.pending),
                        last_error=state.last_error,
                        established=True,
                    )
                if not self._closing:
                    self._say_disconnected(outcome)
                if isinstance(outcome, Failure):
                    raise LineFailed(outcome)  # a broken line gets no polite goodbye
                return outcome
        finally:
            charge.settle(trio.current_time())

    def _target(self, protocol: VenueProtocol) -> Target:
        host = self._host
        handshake = protocol.handshake(host.clock.stamp())
        self._whom = f"{host.venue.name} at {origin_of(handshake.url)}"
        host.secrets.veil.cover(self.state.lane, *carried(handshake))
        return Target(
            handshake=handshake,
            ssl_context=host.settings.ssl_context,
            connect_timeout_s=host.settings.connect_timeout_s,
            close_timeout_s=host.settings.close_timeout_s,
            max_message_bytes=host.settings.max_message_bytes,
            stall_timeout_s=host.settings.stall_timeout_s,
            compression=host.settings.compression,
        )

    async def _recover(self, failure: Failure) -> None:
        """Decide whether to go on, and wait until it is time."""
        host = self._host
        self._too_large = self._too_large + 1 if failure.too_large else 0
        if self._too_large >= TOO_LARGE_IN_A_ROW:
            limit = host.settings.max_message_bytes
            raise MessageTooLarge(
                f"{host.venue.name} sent {TOO_LARGE_IN_A_ROW} messages in a row above the limit of {limit} bytes:"
                " raise Session(max_message_bytes=...)",
                limit_bytes=limit,
            )
        verdict: Verdict
        if self._protocol is None:  # it did not come to an attempt at the venue
            verdict = Retry(floor_s=retry_after_s(failure.headers) or 0.0)
        else:
            verdict = self._protocol.classify(failure)
            self._leave_alone(failure)
        renewal = self.state.renewal
        if self.state.data_since_s is not None:
            renewal.served()
        if renewal.due or (isinstance(verdict, Fatal) and self._may_renew(verdict)):
            floor_s = verdict.floor_s if isinstance(verdict, Retry) else retry_after_s(failure.headers) or 0.0
            verdict = Retry(floor_s, renew_secrets=True)
        if isinstance(verdict, Fatal):
            self._fatal(verdict)
            return
        if verdict.renew_secrets and not host.secrets.renewable:
            raise AuthenticationFailed(failure.reason)
        if verdict.renew_secrets:
            renewal.renewing(trio.current_time())
            host.secrets.refused(self._secrets)
        if self.state.data_since_s is not None:
            self._backoff.received(self.state.data_since_s)
            self.state.data_since_s = None  # the next attempt has not earned it
        now_s = trio.current_time()
        floor_s = max(verdict.floor_s, self.state.quiet.until_s - now_s)
        await trio.sleep(self._backoff.delay_s(now_s, host.clock.random.random, floor_s=floor_s))

    def _leave_alone(self, failure: Failure) -> None:
        """A venue that asks one line to come back later means the address: the session's other lines wait as well."""
        pause_s = patience_s(failure, self._host.clock.random.random)
        if pause_s and self._allowance is not None:
            self._allowance.pause("connect", trio.current_time() + pause_s)

    def _may_renew(self, verdict: Fatal) -> bool:
        """Whether refused credentials may be replaced by fresh ones: once, where somebody can give them."""
        refused = isinstance(verdict.error, AuthenticationFailed)
        return refused and self._host.secrets.renewable and not self.state.renewal.spent

    def _say_disconnected(self, outcome: Outcome) -> None:
        """At the moment it is known, before anything else is done about it."""
        stamp = self._host.clock.receipt()
        match outcome:
            case Failure():
                gap_reason = "message too large" if outcome.too_large else "disconnected"
                self.state.disconnected(
                    stamp, reason=outcome.reason, code=outcome.close_code, gap_reason=gap_reason
                )
            case Replace():
                self.state.disconnected(
                    stamp, reason=outcome.reason, code=1000, planned=True, gap_reason="line replaced"
                )
            case _:
                self.state.disconnected(stamp, reason="no longer needed", code=1000, planned=True)

    def _fatal(self, verdict: Fatal) -> None:
        if verdict.scope == "session":
            self._host.die(verdict.error)
        else:
            self.state.end(verdict.error)
            self._host.settle()

    async def _fetch(self, effect: Fetch) -> Reply:
        return await self._host.connector.fetch(
            effect.request, timeout_s=effect.timeout_s, ssl_context=self._host.settings.ssl_context
        )
