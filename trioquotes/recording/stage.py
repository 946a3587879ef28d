"""A recorded session on the same stage: records in, and the lanes, protocols and feeds do again what they did. No I/O."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import attrs

from trioquotes import errors
from trioquotes._protocol.audit import Findings, Watch
from trioquotes._protocol.bookkeeper import KeptFeed
from trioquotes._protocol.contract import Venue, VenueProtocol
from trioquotes._protocol.effects import (
    Fetch,
    HttpRequest,
    Lane,
    Options,
    Reply,
    Send,
    Serving,
    Stamp,
    WireChannel,
)
from trioquotes._protocol.feeds import Feed
from trioquotes._protocol.lane import LaneState
from trioquotes._protocol.ledger import Ledger
from trioquotes._protocol.planner import Planner
from trioquotes._protocol.renewal import Renewal
from trioquotes.books import BookView
from trioquotes.credentials import ApiKey, BearerToken, Credentials, StarkKey
from trioquotes.errors import TrioquotesError, UnsupportedTopic, UsageError
from trioquotes.events import BookSnapshot, Event, OrderBookSnapshot
from trioquotes.recording import records as kept
from trioquotes.recording.records import LanePlanned, Record, failure_of
from trioquotes.recording.topics import topic_from_text, topic_to_text
from trioquotes.topics import Topic

__all__ = ["IDLE", "Repertoire", "ReplayPlanner", "Stage", "repertoire_of", "stand_in"]

PLACEHOLDER: Final = "cmVjb3JkaW5n"
"""Stands where a secret would: nothing is signed in a replay, but some venues read theirs when a line is opened."""
STAND_INS: Final[tuple[Credentials, ...]] = (
    ApiKey(PLACEHOLDER, PLACEHOLDER, PLACEHOLDER, "0"),
    BearerToken(PLACEHOLDER),
    StarkKey("0", "0x1"),
)


IDLE: Final = (
    kept.FrameSent,
    kept.LineLost,
    kept.NoticeGiven,
    kept.PingSent,
    kept.RunEnded,
    kept.SessionDied,
    kept.TopicWanted,
)
"""Records that are for people and for checks: they decide nothing of what comes next."""
NONCE: Final = bytes(16)
"""Of a handshake that goes nowhere."""


@attrs.frozen
class Repertoire:
    """What a recording can be asked for.

    Attributes:
        channels: every wire channel that a topic of the recorded sessions had.
        topics: what was subscribed.
    """

    channels: frozenset[WireChannel]
    topics: tuple[Topic[Event], ...]

    def check(self, topic: Topic[Event], serving: Serving, serve: Callable[[Topic[Event]], Serving]) -> None:
        """Refuse a topic of which the recording has no data.

        A channel that only says how much of another one is wanted need not be the same: it is enough that a recorded
        topic wanted at least as much of it.

        Raises:
            UnsupportedTopic: it is not there.
        """
        missing = [channel for channel in serving.channels if channel not in self.channels]
        if not missing:
            return
        if not self.channels:
            raise UnsupportedTopic(f"{topic}: the recording ends before anything was asked for")
        there = {(channel.name, channel.instrument) for channel in serving.channels if channel not in missing}
        if serving.depth is not None and all((c.name, c.instrument) in there for c in missing):
            for other in self.topics:
                wider = serve(other)
                shared = set(wider.channels) & set(serving.channels)
                if shared and wider.depth is not None and wider.depth >= serving.depth:
                    return
        held = ", ".join(map(str, self.topics)) or "nothing"
        what = ", ".join(map(str, missing))
        raise UnsupportedTopic(f"{topic}: the recording has no channel {what}; what was recorded is {held}")


class ReplayPlanner(Planner):
    """Plans as it was planned: lanes carry what they carried, and whoever wants a part of it gets it.

    Attributes:
        plans: the latest of each lane.
    """

    def __init__(self, venue: Venue, options: Options, repertoire: Repertoire, *, raw: bool) -> None:
        super().__init__(venue, options, raw=raw)
        self.plans: dict[Lane, LanePlanned] = {}
        self._repertoire = repertoire

    def serve(self, topic: Topic[Event]) -> Serving:
        """How the venue serves the topic.

        Raises:
            UnsupportedTopic, InvalidInstrument: the venue, or the recording, has no such thing.
        """
        serving = super().serve(topic)
        self._repertoire.check(topic, serving, super().serve)
        return serving

    def replan(self) -> None:
        """Drop feeds that ended or that nobody reads, and let every lane carry what it carried."""
        for topic, feed in list(self.feeds.items()):
            if feed.ended is not None or not feed.outlets:
                del self.feeds[topic]
        takers: dict[WireChannel, list[Feed]] = {}
        for feed in self.feeds.values():
            for channel in dict.fromkeys(feed.serving.channels):
                takers.setdefault(channel, []).append(feed)
        homes = self._homes()
        for lane, plan in self.plans.items():
            state = self.lanes.get(lane)
            if state is None:
                state = self.lanes[lane] = LaneState(self.venue.name, lane, raw=self._raw)
            mine = {c: takers[c] for c in plan.channels if c in takers and homes[c] == lane}
            state.route(plan.channels, mine)

    def _homes(self) -> Mapping[WireChannel, Lane]:
        """Which lane hands a channel over: where its messages went to topics, else the first that carried it."""
        homes: dict[WireChannel, Lane] = {}
        for lane, plan in self.plans.items():
            for channel in plan.channels:
                homes.setdefault(channel, lane)
        for lane, plan in self.plans.items():
            homes |= dict.fromkeys(plan.taken, lane)
        return homes


@attrs.define
class _Part:
    """One lane of the run that is being replayed.

    Attributes:
        state: the lane.
        protocol: of its connection, or of the attempt at one.
        memory: what the venue remembers from one connection to the next.
        up: whether a line is open.
    """

    state: LaneState
    protocol: VenueProtocol | None = None
    memory: dict[Any, Any] = attrs.field(factory=dict)
    up: bool = False


class Stage:
    """Plays records.

    Args:
        venue: whose they are.
        planner: the session's.
        replan: lets the session follow a new plan.

    Attributes:
        now: when the last record was made.
        attempts: connects tried, by lane; ``failures`` why the last one, or the last line, ended.
    """

    def __init__(self, venue: Venue, planner: ReplayPlanner, replan: Callable[[], None]) -> None:
        self.now = Stamp(0, 0.0)
        self.attempts: dict[Lane, int] = {}
        self.failures: dict[Lane, str] = {}
        self._venue = venue
        self._planner = planner
        self._replan = replan
        self._options = planner.options
        self._parts: dict[str, _Part] = {}
        self._renewable = False

    def is_up(self, lane: Lane) -> bool:
        """Whether a line of it is open."""
        part = self._parts.get(str(lane))
        return part is not None and part.up

    def play(self, record: Record) -> None:
        """Do what was done."""
        if isinstance(record, IDLE):
            return
        self.now = record.stamp
        match record:
            case kept.FramesReceived():
                self._received(record)
            case kept.RunBegun():
                self._run(record)
            case LanePlanned():
                self._planned(record)
            case kept.LineTried():
                self._tried(record)
            case kept.LineRefused():
                self.failures[self._lane(record.lane)] = record.failure.reason
            case kept.LineOpened():
                self._opened(record)
            case kept.LineClosed() if (part := self._open(record)) is not None:
                part.state.disconnected(
                    record.stamp, reason=record.reason, code=record.code, planned=record.planned,
                    gap_reason=record.gap_reason,
                )  # fmt: skip
                part.up = False
                self.failures[part.state.lane] = record.reason
            case _:
                self._inside(record)

    def interrupt(self, reason: str) -> None:
        """Something of the recording is missing here: whatever was connected is so no more."""
        for part in self._parts.values():
            if part.up:
                part.state.disconnected(self.now, reason=reason, code=None, gap_reason=reason)
                part.up = False

    # Records of the whole session -------------------------------------------------------------------

    def _run(self, header: kept.RunBegun) -> None:
        """A session begins; one before it, of which the line was up to the end, is over."""
        self.interrupt("the recording was interrupted")
        self._renewable = header.renewable
        for part in self._parts.values():
            part.state.ledger = Ledger()
            part.state.renewal = Renewal()
        self._parts.clear()
        self._planner.plans.clear()
        for plan in header.lanes:
            self._planned(plan)

    def _planned(self, plan: LanePlanned) -> None:
        self._planner.plans[plan.key] = plan
        self._replan()
        self._part(plan.lane)
        self._settle()

    # Records of lanes -------------------------------------------------------------------------------

    def _lane(self, name: str) -> Lane:
        return next((lane for lane in self._planner.lanes if str(lane) == name), Lane(name))

    def _part(self, name: str) -> _Part | None:
        """The lane of that name; ``None`` for one of which no plan is known."""
        part = self._parts.get(name)
        if part is None:
            state = self._planner.lanes.get(self._lane(name))
            if state is None:
                return None
            state.renewal.possible = self._renewable
            part = self._parts[name] = _Part(state)
        return part

    def _open(self, record: Record) -> _Part | None:
        """The lane of a record, if its line is up."""
        part = self._parts.get(record.lane)
        return part if part is not None and part.up else None

    def _tried(self, record: kept.LineTried) -> None:
        part = self._part(record.lane)
        if part is None:
            return
        lane = part.state.lane
        self.attempts[lane] = self.attempts.get(lane, 0) + 1
        part.protocol = stand_in(self._venue, lane, part.memory, self._options)
        with contextlib.suppress(
            TrioquotesError, ValueError
        ):  # what signs is not there, and nothing goes out
            part.protocol.handshake(record.stamp._replace(nonce=NONCE))

    def _opened(self, record: kept.LineOpened) -> None:
        part = self._part(record.lane)
        if part is None or part.protocol is None:
            return
        part.state.connection = record.connection - 1
        part.up = True
        part.state.connected(record.stamp)

    def _received(self, record: kept.FramesReceived) -> None:
        part = self._open(record)
        if part is None or part.protocol is None:
            return
        state, protocol, stamp = part.state, part.protocol, record.stamp
        state.read(record.frames, stamp, protocol)
        if record.pongs:
            state.at(stamp)
            protocol.pong(stamp, state)
            if record.round_trip_s is not None:
                state.round_trip(record.round_trip_s)
        state.settle()
        self._settle(part)

    def _inside(self, record: Record) -> None:
        """What happens while a line is up, and the end of a lane, which need not be."""
        part = self._parts.get(record.lane)
        if part is None:
            return
        state, stamp = part.state, record.stamp
        match record:
            case kept.LaneEnded():
                state.end(_error(record))
            case kept.SecretsRenewed(served=True):
                state.renewal.served()
                state.data_since_s = None
            case kept.SecretsRenewed():
                state.renewal.renewing(record.monotonic_s)
            case kept.AnswersOverdue():
                state.expire(stamp)
            case _ if part.up and part.protocol is not None:
                self._talked(record, part.protocol, state)
            case _:
                return
        self._settle(part)

    def _talked(self, record: Record, protocol: VenueProtocol, state: LaneState) -> None:
        stamp = record.stamp
        match record:
            case kept.RequestMade():
                effect = _effect(record)
                protocol.sent(effect, stamp)
                state.sent(effect, stamp)
            case kept.RequestAnswered():
                self._answered(record, protocol, state)
            case kept.TimePassed():
                stamp = stamp._replace(nonce=record.nonce)
                state.at(stamp)
                protocol.tick(stamp, state)
            case kept.ClockDoubted():
                state.doubt(record.reason, stamp)
            case kept.BookAudited():
                self._audited(record, state)
            case _:
                pass

    def _answered(self, record: kept.RequestAnswered, protocol: VenueProtocol, state: LaneState) -> None:
        stamp = record.stamp._replace(nonce=record.nonce)
        if record.failure is not None or record.status is None:
            state.at(stamp)
            failure = failure_of(record.failure or kept.KeptFailure("stream", "no answer"))
            protocol.fetched(record.id, failure, stamp, state)
        else:
            state.begin(record.body, stamp)
            protocol.fetched(record.id, Reply(record.status, record.headers, record.body), stamp, state)
        state.settle()
        state.answered(record.id)

    def _audited(self, record: kept.BookAudited, state: LaneState) -> None:
        findings = Findings(record.compared, record.differing, record.differences)
        for feed in state.feeds():
            if isinstance(feed, KeptFeed) and topic_to_text(feed.topic, self._venue) == record.topic:
                watch = feed.watch = _Found(feed.book, findings)
                state.audit(feed, watch.nothing, record.stamp)

    def _settle(self, part: _Part | None = None) -> None:
        """As the runtime does after anything that was given to a protocol, and that may have ended topics."""
        if part is not None and part.up and part.protocol is not None:
            part.state.replies.clear()
            part.state.pings_due = 0
            part.protocol.deadline()  # some put off to this what has no hurry
        stirred = False
        for one in self._parts.values():
            stirred |= one.state.stirred
            one.state.stirred = False
        if stirred and any(feed.ended is not None for feed in self._planner.feeds.values()):
            self._replan()


class _Found(Watch):
    """A watch that found what was found then."""

    def __init__(self, book: BookView, findings: Findings) -> None:
        super().__init__(book)
        self._findings = findings
        self.nothing = BookSnapshot(venue="", instrument=book.instrument, received_ns=0, bids=(), asks=())

    def compare(self, book: BookView, fetched: BookSnapshot | OrderBookSnapshot) -> Findings:
        """What was found then."""
        del book, fetched
        return self._findings


def stand_in(venue: Venue, lane: Lane, memory: dict[Any, Any], options: Options) -> VenueProtocol:
    """A protocol of a session like the recorded one; where that had credentials, with some that mean nothing.

    Raises:
        UsageError: the venue takes no kind of credentials that there is.
    """
    if not options.has_credentials:
        return venue.protocol(lane, None, memory, options)
    refusal: UsageError | None = None
    for credentials in STAND_INS:
        try:
            return venue.protocol(lane, credentials, memory, options)
        except UsageError as error:
            refusal = refusal or error
    raise UsageError(f"{venue.name}: {refusal}") from refusal


def _effect(record: kept.RequestMade) -> Send | Fetch:
    asks, resyncs = frozenset(record.asks), frozenset(record.resyncs)
    if record.method:
        request = HttpRequest(record.url, record.method)
        return Fetch(record.id, request, asks=asks, resyncs=resyncs, timeout_s=record.within_s)
    withdraws = frozenset(record.withdraws)
    return Send(
        record.frame,
        record.id,
        asks=asks,
        withdraws=withdraws,
        resyncs=resyncs,
        answer_within_s=record.within_s,
    )


def _error(record: kept.LaneEnded) -> TrioquotesError:
    """The error again, as far as its class takes nothing but words."""
    kind = getattr(errors, record.error, TrioquotesError)
    if isinstance(kind, type) and issubclass(kind, TrioquotesError):
        with contextlib.suppress(TypeError):
            return kind(record.text)
    return TrioquotesError(record.text)


def repertoire_of(venue: Venue, texts: Iterable[str], plans: Iterable[LanePlanned]) -> Repertoire:
    """What a recording can be asked for, from its topics and plans."""
    topics: list[Topic[Event]] = []
    for text in dict.fromkeys(texts):
        with contextlib.suppress(UsageError):  # another version had it: its data are there all the same
            topics.append(topic_from_text(text, venue))
    return Repertoire(frozenset(c for plan in plans for c in plan.channels), tuple(topics))
