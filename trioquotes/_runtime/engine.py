"""One running session: the plan, a supervisor per lane, and how it all ends."""

from __future__ import annotations

from typing import Any

import attrs
import msgspec
import trio

from trioquotes._protocol.audit import AuditPlan
from trioquotes._protocol.bookkeeper import KeptFeed, ServedBook
from trioquotes._protocol.budget import Budgets, BudgetStatistics
from trioquotes._protocol.contract import Venue
from trioquotes._protocol.effects import Lane, Options
from trioquotes._protocol.feeds import Feed
from trioquotes._protocol.tally import Tally, TallyCount
from trioquotes._runtime.attendant import attending
from trioquotes._runtime.auditor import Auditor, AuditStatistics
from trioquotes._runtime.clock import Clock
from trioquotes._runtime.connector import Connector
from trioquotes._runtime.mailbox import Mailbox
from trioquotes._runtime.secrets import SecretsKeeper
from trioquotes._runtime.subscription import ChannelStatistics, Overflow, Subscription
from trioquotes._runtime.supervisor import Settings, Supervisor
from trioquotes.errors import UsageError
from trioquotes.events import Event
from trioquotes.topics import Topic

__all__ = ["Engine", "LaneStatistics", "SessionStatistics"]


@attrs.frozen
class LaneStatistics:
    """One line's figures.

    Attributes:
        lane: its name.
        connected: whether it is up now.
        wanted: whether a topic needs it; a line that nothing needs any more is closed after a few seconds.
        attempts: connects tried, failed ones included.
        connections: connects that succeeded.
        failure: why the last attempt or connection ended; empty if none did.
        last_error: the venue's last error message on the present line.
        count: what became of every element of every frame.
        last_frame_ns: when the last frame was received, a heartbeat or an answer over REST too, in Unix nanoseconds;
            ``None`` before the first.
        last_data_ns: when the last message was received that a topic took; ``None`` before the first.
        round_trip_s: from the last answered ping of ours to its answer, the WebSocket's or the venue's own; ``None``
            before the first: a line that says enough by itself is not pinged.
        smoothed_round_trip_s: an average of these, in which a new one counts one part in eight.
        budgets: one entry a limit of the venue that belongs to this line alone, with what of it is used.
    """

    lane: str
    connected: bool
    wanted: bool
    attempts: int
    connections: int
    failure: str
    last_error: str
    count: TallyCount
    last_frame_ns: int | None
    last_data_ns: int | None
    round_trip_s: float | None
    smoothed_round_trip_s: float | None
    budgets: tuple[BudgetStatistics, ...]

    @property
    def reconnects(self) -> int:
        """Connects that succeeded after the first one, planned replacements included."""
        return max(self.connections - 1, 0)


@attrs.frozen
class SessionStatistics:
    """A session's figures at one moment; immutable.

    Attributes:
        venue: name of the venue.
        lanes: one entry a line there ever was.
        channels: one entry an open topic, those of the merged stream first.
        budgets: one entry a limit of the venue for this address or account, with what of it is used by all
            sessions that share the ``Budgets``; those of single lines are with the lines.
        audits: one entry a book that was audited, see ``Session(audit=...)``.
        count: the sum over all lanes.
    """

    venue: str
    lanes: tuple[LaneStatistics, ...]
    channels: tuple[ChannelStatistics, ...]
    budgets: tuple[BudgetStatistics, ...]
    audits: tuple[AuditStatistics, ...]
    count: TallyCount


class Engine:
    """What a session is made of while its block runs."""

    def __init__(
        self,
        venue: Venue,
        options: Options,
        settings: Settings,
        *,
        secrets: SecretsKeeper,
        budgets: Budgets,
        connector: Connector,
        clock: Clock,
        raw: bool,
        channels_per_line: int | None = None,
        audit: AuditPlan | None = None,
    ) -> None:
        self.attendant = attending(connector)
        self.venue = venue
        self.options = self.attendant.options(venue, options)
        self.settings = settings
        self.secrets = secrets
        self.budgets = budgets
        self.connector = connector
        self.clock = clock
        self.failure: BaseException | None = None
        self.body_scope = trio.CancelScope()
        self.planner = self.attendant.planner(
            venue, self.options, raw=raw, channels_per_line=channels_per_line
        )
        self._auditor = None if audit is None else Auditor(self, audit)
        self._supervisors: dict[Lane, Supervisor] = {}
        self._subscriptions: list[Subscription] = []
        self._nursery: trio.Nursery | None = None
        self._closing = False

    def start(self, nursery: trio.Nursery) -> None:
        """Run in this nursery from now on."""
        self._nursery = nursery
        self.attendant.start(self, nursery)
        self.replan()
        if self._auditor is not None:
            nursery.start_soon(self._auditor.run, name=f"{self.venue.name}/auditor")

    def close(self) -> None:
        """Let every line say goodbye; their tasks end by themselves."""
        self._closing = True
        self.attendant.close(self)
        if self._auditor is not None:
            self._auditor.close()
        for supervisor in self._supervisors.values():
            supervisor.close()

    def close_channels(self) -> None:
        """Nothing more will come: readers outside of the block get what is queued, then the end.

        What served them is let go of, books and all: it would wait for the garbage collector otherwise.
        """
        for subscription in self._subscriptions:
            subscription.mailbox.close()
            subscription.release()
        self.planner.dissolve()

    def die(self, error: BaseException) -> None:
        """End the session: the body is cancelled, the first error counts."""
        if self.failure is None:
            self.failure = error
            self.body_scope.cancel()
        self.close()

    def canonical(self, topic: Topic[Event]) -> Topic[Event]:
        """The topic with the venue's own name of its instrument.

        Raises:
            InvalidInstrument: it cannot be one.
        """
        given = getattr(topic, "instrument", None)
        if not given:
            return topic
        own = self.venue.instrument(given)
        return topic if own == given else msgspec.structs.replace(topic, instrument=own)

    def check(self, topic: Topic[Event], overflow: Overflow) -> bool:
        """Whether the topic can be served, before any I/O; returns whether it is a kept book.

        Raises:
            UnsupportedTopic, InvalidInstrument, MissingCredentials: as the venue says.
            UsageError: ``overflow="latest"`` makes no sense for the topic.
        """
        if overflow == "latest" and not topic.latest:
            raise UsageError(
                f'{topic}: overflow="latest" would drop what is not repeated; use "drop_oldest" or "fail"'
            )
        if overflow not in self.attendant.overflows:
            raise UsageError(f'overflow is "drop_oldest", "latest" or "fail", not {overflow!r}')
        return self.planner.serve(topic).kind in {"book", "orders"}

    def subscribe(
        self, mailbox: Mailbox, topic: Topic[Event], *, overflow: Overflow, buffer: int, buffer_bytes: int
    ) -> Subscription:
        """Add a subscriber of a canonical topic, as :meth:`check` allows it; :meth:`replan` then asks for it.

        Raises:
            UnsupportedTopic, InvalidInstrument, MissingCredentials, UsageError: before any I/O.
        """
        kept = self.check(topic, overflow)
        subscription = mailbox.subscribe(
            topic, overflow=overflow, buffer=buffer, buffer_bytes=buffer_bytes, kept=kept
        )
        self._join(topic, subscription)
        return subscription

    def follow(self, mailbox: Mailbox, topic: Topic[Event]) -> tuple[Subscription, KeptFeed[Any]]:
        """Add somebody who looks at the kept book of a canonical topic; :meth:`replan` then asks for it.

        Such a one has the book itself at hand, so of what happened to it only the latest is kept.

        Raises:
            UnsupportedTopic, InvalidInstrument, MissingCredentials: before any I/O.
        """
        self.planner.serve(topic)
        subscription = mailbox.subscribe(topic, overflow="latest", buffer=64, buffer_bytes=2**62, kept=True)
        feed = self._join(topic, subscription)
        if not isinstance(feed, KeptFeed):
            raise TypeError(f"{topic} keeps no book")
        return subscription, feed

    def _join(self, topic: Topic[Event], subscription: Subscription) -> Feed:
        outlet = self.attendant.outlet(self, subscription)
        feed = self.planner.join(topic, outlet, self.clock.wall_ns())
        subscription.on_withdrawn = lambda: feed.leave(outlet)
        subscription.lag = feed.lag
        if isinstance(feed, ServedBook):
            subscription.on_drained = lambda: feed.drained(outlet, self.clock.wall_ns())
        self._subscriptions.append(subscription)
        return feed

    def withdraw(self, subscription: Subscription) -> None:
        """Remove a subscriber; the last one of a topic withdraws it from the venue."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
            subscription.on_withdrawn()
            subscription.mailbox.remove(subscription)
            self.replan()

    def subscriptions_of(self, topic: Topic[Event]) -> list[Subscription]:
        """Every subscriber of a canonical topic."""
        return [subscription for subscription in self._subscriptions if subscription.topic == topic]

    def replan(self) -> None:
        """Let lanes and supervisors follow what is subscribed."""
        self.planner.replan()
        if self._nursery is None or self._closing:
            return
        for lane, state in self.planner.lanes.items():
            supervisor = self._supervisors.get(lane)
            if supervisor is not None:
                supervisor.rewanted()
            elif state.ledger.wanted_any:
                supervisor = self._supervisors[lane] = self.attendant.supervisor(self, state)
                self._nursery.start_soon(supervisor.run, name=f"{self.venue.name}/{lane}/supervisor")

    def settle(self) -> None:
        """Topics that ended need nothing of the venue any more."""
        if any(feed.ended is not None for feed in self.planner.feeds.values()):
            self.replan()

    def stir(self) -> None:
        """Something may be due to be asked for that no frame brought about."""
        for supervisor in self._supervisors.values():
            supervisor.rewanted()

    def last_failure(self) -> str:
        """The most telling reason why nothing is confirmed yet."""
        reasons = [s.state.last_error or s.failure for s in self._supervisors.values()]
        return "; ".join(dict.fromkeys(reason for reason in reasons if reason))

    def statistics(self) -> SessionStatistics:
        """All figures now."""
        now_s = trio.current_time()
        lanes = tuple(
            LaneStatistics(
                lane=str(lane),
                connected=supervisor.is_connected,
                wanted=supervisor.state.ledger.wanted_any,
                attempts=supervisor.attempts,
                connections=supervisor.state.connection,
                failure=supervisor.failure,
                last_error=supervisor.state.last_error,
                count=supervisor.state.tally.count(),
                last_frame_ns=supervisor.state.receipt.received_ns or None,
                last_data_ns=supervisor.state.data_ns,
                round_trip_s=supervisor.state.trip.last_s,
                smoothed_round_trip_s=supervisor.state.trip.smoothed_s,
                budgets=supervisor.budgets(now_s),
            )
            for lane, supervisor in self._supervisors.items()
        )
        return SessionStatistics(
            venue=self.venue.name,
            lanes=lanes,
            channels=tuple(subscription.statistics() for subscription in self._subscriptions),
            budgets=self.budgets.of(self.venue.name, self.secrets.identity, now_s),
            audits=() if self._auditor is None else self._auditor.statistics(),
            count=sum((lane.count for lane in lanes), Tally().count()),
        )
