"""The recorder's ear: lanes, lines and subscribers that write down what they are given before they take it.

Everything here runs in the session's own tasks and never waits; what it costs is to make a record and to hand it over.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import trio

from trioquotes._protocol.audit import Findings
from trioquotes._protocol.bookkeeper import KeptFeed
from trioquotes._protocol.codec import to_json_line
from trioquotes._protocol.contract import Venue, VenueProtocol
from trioquotes._protocol.effects import Failure, Fetch, Lane, Options, Reply, Send, Stamp, WireChannel
from trioquotes._protocol.feeds import Feed
from trioquotes._protocol.lane import LaneState
from trioquotes._protocol.planner import Planner
from trioquotes._protocol.renewal import Renewal
from trioquotes._runtime.clock import Clock
from trioquotes._runtime.connector import Batch
from trioquotes._runtime.mailbox import Mailbox
from trioquotes._runtime.subscription import Subscription
from trioquotes.errors import TrioquotesError
from trioquotes.events import BookSnapshot, Notice, OrderBookSnapshot
from trioquotes.recording import records as kept
from trioquotes.recording.curtain import Curtain, plain_url
from trioquotes.recording.format import encode_record
from trioquotes.recording.records import FORMAT, LanePlanned, Record, RunBegun
from trioquotes.recording.topics import topic_to_text
from trioquotes.recording.writer import Writer
from trioquotes.topics import Topic

__all__ = ["Ear", "Journal", "RecordedLane", "RecordedPlanner"]


class Journal:
    """What a session tells its recording.

    Args:
        venue: the session's.
        options: the session's.
        curtain: hides what must not be written.
        clock: the session's.
        renewable: whether its credentials come from a provider.

    Attributes:
        writer: where records go, once there is one.
        frames: received so far.
        mailboxes: of the session's readers.
    """

    def __init__(
        self, venue: Venue, options: Options, curtain: Curtain, clock: Clock, *, renewable: bool
    ) -> None:
        self.curtain = curtain
        self.writer: Writer | None = None
        self.frames = 0
        self.mailboxes: list[Mailbox] = []
        self._venue = venue
        self._options = options
        self._clock = clock
        self._renewable = renewable
        self._run = uuid.uuid4().hex
        self._topics: dict[str, None] = {}
        self._plans: dict[str, LanePlanned] = {}
        self._last_notice: Notice | None = None
        self._last: Record | Stamp = clock.receipt()

    def header(self, segment: int, records: int) -> bytes:
        """The first record of a segment; called from the writer's thread too."""
        return encode_record(
            RunBegun(
                wall_ns=self._last.wall_ns,  # the thread cannot ask a clock
                monotonic_s=self._last.monotonic_s,
                format=FORMAT,
                software=version("trioquotes"),
                venue=self._venue.name,
                run=self._run,
                segment=segment,
                records=records,
                endpoint=self.curtain.endpoint(self._options.endpoint),
                options={name: self.curtain.words(value) for name, value in self._options.extra.items()},
                has_credentials=self._options.has_credentials,
                renewable=self._renewable,
                topics=tuple(self._topics),
                lanes=tuple(self._plans.values()),
            )
        )

    @property
    def behind(self) -> bool:
        """Whether a reader has not read yet all that there is."""
        return any(mailbox.entries for mailbox in self.mailboxes)

    def put(self, record: Record) -> None:
        """Write a record down."""
        self._last = record
        writer = self.writer
        if writer is not None and writer.progress.error is None:
            writer.put(encode_record(record))

    def at(self) -> dict[str, Any]:
        """The time, for what comes without a stamp."""
        return {"wall_ns": self._clock.wall_ns(), "monotonic_s": trio.current_time()}

    def wanted(self, topic: Topic[Any]) -> None:
        """Somebody subscribed."""
        text = self.text_of(topic)
        if text not in self._topics:
            self._topics[text] = None
            self.put(kept.TopicWanted(topic=text, **self.at()))

    def text_of(self, topic: Topic[Any]) -> str:
        """A topic as records name it."""
        return self.curtain.words(topic_to_text(topic, self._venue))

    def planned(self, plan: LanePlanned) -> None:
        """A lane is to carry this from now on."""
        self._plans[plan.lane] = plan
        self.put(plan)

    def noticed(self, notice: Notice) -> None:
        """A subscriber is told something; it is written once, however many are told."""
        if notice is not self._last_notice:
            self._last_notice = notice
            line = self.curtain.words(to_json_line(notice)).encode(errors="surrogateescape")
            self.put(kept.NoticeGiven(line=line, **self.at()))

    def died(self, error: BaseException) -> None:
        """The session ends with an error."""
        text = self.curtain.words(str(error))
        self.put(kept.SessionDied(error=type(error).__name__, text=text, **self.at()))

    def ended(self) -> None:
        """The session is over."""
        self.put(kept.RunEnded(**self.at()))


class Ear:
    """A subscriber of a feed, as the feed sees it: a user's subscription, whose notices are heard on their way.

    Attributes:
        push: of the subscription itself: events are not heard, and take no longer.
        passed: and the others likewise.
    """

    def __init__(self, subscription: Subscription, journal: Journal) -> None:
        self._subscription = subscription
        self._journal = journal
        self.push = subscription.push
        self.passed = subscription.passed
        self.confirmed = subscription.confirmed
        self.ended = subscription.ended
        journal.wanted(subscription.topic)
        if subscription.overflow != "latest" and subscription.mailbox not in journal.mailboxes:
            journal.mailboxes.append(subscription.mailbox)

    @property
    def topic(self) -> Topic[Any]:
        """What was subscribed."""
        return self._subscription.topic

    @property
    def lagging(self) -> bool:
        """Whether the subscriber overflowed."""
        return self._subscription.lagging

    def notify(self, notice: Notice) -> None:
        """Write it down, and pass it on."""
        self._journal.noticed(notice)
        self._subscription.notify(notice)


class _RecordedRenewal(Renewal):
    """Credentials, with what the supervisor says of them written down."""

    def __init__(self, lane: RecordedLane, journal: Journal) -> None:
        super().__init__()
        self._lane = lane
        self._journal = journal

    def served(self) -> None:
        """A line ended that had brought data."""
        self._journal.put(kept.SecretsRenewed(served=True, **self._journal.at(), **self._lane.where))
        super().served()

    def renewing(self, now_s: float) -> None:
        """Fresh ones are asked for now."""
        at = self._journal.at() | {"monotonic_s": now_s}
        self._journal.put(kept.SecretsRenewed(served=False, **at, **self._lane.where))
        super().renewing(now_s)


class RecordedLane(LaneState):
    """A lane that writes down what it is given.

    Attributes:
        batch: what the line handed over last.
        answer: the answer to a REST request that is about to be given to the protocol, and the request's number.
    """

    def __init__(self, journal: Journal, venue: str, lane: Lane, *, raw: bool) -> None:
        super().__init__(venue, lane, raw=raw)
        self.renewal = _RecordedRenewal(self, journal)
        self.batch = Batch([], 0)
        self.answer: tuple[int, Reply | Failure] | None = None
        self._journal = journal
        self._name = str(lane)
        self._read_at: Stamp | None = None
        self._plan: tuple[tuple[WireChannel, ...], tuple[WireChannel, ...]] = ((), ())
        self._fetches: dict[int, Fetch] = {}

    @property
    def where(self) -> dict[str, Any]:
        """The lane and its connection, as records name them."""
        return {"lane": self._name, "connection": self.connection, "behind": self._journal.behind}

    def request_id(self, request: object) -> int | None:
        """The number of the REST request that was made with this; ``None`` if it was none of the lane's."""
        for number, fetch in self._fetches.items():
            if fetch.request is request:
                del self._fetches[number]
                return number
        return None

    def route(self, channels: Sequence[WireChannel], takers: Mapping[WireChannel, Sequence[Feed]]) -> None:
        """A new plan."""
        plan = tuple(channels), tuple(channel for channel in channels if takers.get(channel))
        if plan != self._plan:
            self._plan = plan
            name, shard = self.lane
            at = self._journal.at()
            self._journal.planned(
                LanePlanned(name=name, shard=shard, channels=plan[0], taken=plan[1], **at, **self.where)
            )
        super().route(channels, takers)

    def connected(self, stamp: Stamp) -> None:
        """A line came up."""
        self._fetches.clear()
        self._journal.put(
            kept.LineOpened(wall_ns=stamp.wall_ns, monotonic_s=stamp.monotonic_s, lane=self._name,
                            connection=self.connection + 1, behind=self._journal.behind)
        )  # fmt: skip
        super().connected(stamp)

    def disconnected(
        self,
        stamp: Stamp,
        *,
        reason: str,
        code: int | None,
        planned: bool = False,
        gap_reason: str = "disconnected",
    ) -> None:
        """The line is gone."""
        self._journal.put(
            kept.LineClosed(
                wall_ns=stamp.wall_ns, monotonic_s=stamp.monotonic_s, reason=reason, code=code, planned=planned,
                gap_reason=gap_reason, **self.where,
            )
        )  # fmt: skip
        super().disconnected(stamp, reason=reason, code=code, planned=planned, gap_reason=gap_reason)

    def read(self, frames: Sequence[bytes], stamp: Stamp, protocol: VenueProtocol) -> None:
        """What a socket read brought."""
        self._read_at = stamp
        journal, batch = self._journal, self.batch
        journal.frames += len(frames)
        journal.put(
            kept.FramesReceived(
                wall_ns=stamp.wall_ns, monotonic_s=stamp.monotonic_s, lane=self._name, connection=self.connection,
                behind=journal.behind, frames=journal.curtain.received(frames), pongs=batch.pongs,
                round_trip_s=batch.round_trip_s,
            )
        )  # fmt: skip
        super().read(frames, stamp, protocol)

    def begin(self, frame: bytes, stamp: Stamp) -> None:
        """The answer to a REST request."""
        self._answered(stamp)
        super().begin(frame, stamp)

    def at(self, stamp: Stamp) -> None:
        """A pong, which came with the last read; a request without an answer; or time that passed."""
        if self.answer is not None:
            self._answered(stamp)
        elif stamp is not self._read_at:
            self._journal.put(
                kept.TimePassed(wall_ns=stamp.wall_ns, monotonic_s=stamp.monotonic_s, nonce=stamp.nonce, **self.where)
            )  # fmt: skip
        super().at(stamp)

    def _answered(self, stamp: Stamp) -> None:
        if self.answer is None:
            return
        (number, answer), self.answer = self.answer, None
        curtain = self._journal.curtain
        common: dict[str, Any] = {
            "wall_ns": stamp.wall_ns, "monotonic_s": stamp.monotonic_s, "id": number, "nonce": stamp.nonce, **self.where
        }  # fmt: skip
        if isinstance(answer, Failure):
            self._journal.put(kept.RequestAnswered(failure=curtain.failure(answer), **common))
        else:
            status, headers, body = curtain.reply(answer)
            self._journal.put(kept.RequestAnswered(status=status, headers=headers, body=body, **common))

    def sent(self, effect: Send | Fetch, stamp: Stamp) -> None:
        """A request goes out."""
        curtain = self._journal.curtain
        common: dict[str, Any] = {
            "wall_ns": stamp.wall_ns, "monotonic_s": stamp.monotonic_s, "id": effect.id,
            "asks": tuple(sorted(effect.asks)), "resyncs": tuple(sorted(effect.resyncs)), **self.where,
        }  # fmt: skip
        if isinstance(effect, Fetch):
            self._fetches[effect.id] = effect
            url = curtain.words(plain_url(effect.request.url))
            self._journal.put(
                kept.RequestMade(method=effect.request.method, url=url, within_s=effect.timeout_s, **common)
            )
        else:
            self._journal.put(
                kept.RequestMade(
                    frame=curtain.sent(effect.frame), withdraws=tuple(sorted(effect.withdraws)),
                    within_s=effect.answer_within_s, **common,
                )
            )  # fmt: skip
        super().sent(effect, stamp)

    def doubt(self, reason: str, stamp: Stamp) -> None:
        """The machine slept, or its clock was set."""
        self._journal.put(
            kept.ClockDoubted(
                wall_ns=stamp.wall_ns, monotonic_s=stamp.monotonic_s, reason=reason, **self.where
            )
        )
        super().doubt(reason, stamp)

    def expire(self, stamp: Stamp) -> bool:
        """Time for the ledger; written down where something is due."""
        if self.ledger.deadline() <= stamp.monotonic_s:
            self._journal.put(
                kept.AnswersOverdue(wall_ns=stamp.wall_ns, monotonic_s=stamp.monotonic_s, **self.where)
            )
        return super().expire(stamp)

    def end(self, error: TrioquotesError) -> None:
        """The lane's topics are over."""
        text = self._journal.curtain.words(str(error))
        self._journal.put(
            kept.LaneEnded(error=type(error).__name__, text=text, **self._journal.at(), **self.where)
        )
        super().end(error)

    def audit(
        self, feed: KeptFeed[Any], fetched: BookSnapshot | OrderBookSnapshot, stamp: Stamp
    ) -> int | None:
        """An audit is judged; one that finds the book wrong is written down."""
        found: Findings | None = None if feed.watch is None else feed.watch.compare(feed.book, fetched)
        if found is not None and found.differing:
            self._journal.put(
                kept.BookAudited(
                    wall_ns=stamp.wall_ns, monotonic_s=stamp.monotonic_s, topic=self._journal.text_of(feed.topic),
                    compared=found.compared, differing=found.differing, differences=found.differences, **self.where,
                )
            )  # fmt: skip
        return super().audit(feed, fetched, stamp)


class RecordedPlanner(Planner):
    """Plans lanes that write down what they are given."""

    journal: Journal | None = None

    def replan(self) -> None:
        """Plan; lanes that are new are made anew as recorded ones, and told the same plan."""
        super().replan()
        fresh = [lane for lane, state in self.lanes.items() if not isinstance(state, RecordedLane)]
        if fresh and self.journal is not None:
            for lane in fresh:
                self.lanes[lane] = RecordedLane(self.journal, self.venue.name, lane, raw=self._raw)
            super().replan()
