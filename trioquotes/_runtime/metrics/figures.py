"""Which metric shows which figure: a table, and how values become samples. No Prometheus in here, and no I/O."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar

import attrs

from trioquotes._protocol.budget import BudgetStatistics
from trioquotes._protocol.tally import TallyCount
from trioquotes._runtime.auditor import AuditStatistics
from trioquotes._runtime.engine import LaneStatistics, SessionStatistics
from trioquotes._runtime.subscription import ChannelStatistics
from trioquotes.events import Event
from trioquotes.topics import Topic

__all__ = [
    "FIGURES",
    "LEFT_OUT",
    "Carried",
    "Entries",
    "Figure",
    "Labels",
    "Samples",
    "entries_of",
    "label_names",
    "samples_of",
    "subject_of",
]

NS_PER_S: Final = 1e9

K = TypeVar("K")

Labels: TypeAlias = tuple[str, ...]
"""The values of a sample's labels, in the order of :func:`label_names`."""
Samples: TypeAlias = dict[Labels, float]
Entries: TypeAlias = dict[type, list[tuple[Labels, Any]]]
"""Of each class what has its figures, with labels."""

SESSION = ("venue", "session")
LABELS: dict[type, tuple[str, ...]] = {
    LaneStatistics: ("lane",),
    TallyCount: ("lane",),
    ChannelStatistics: ("topic", "instrument", "parameters"),
    BudgetStatistics: ("lane", "budget", "scope"),
    AuditStatistics: ("topic", "instrument", "parameters"),
}
"""What tells the entries of each kind apart, beside the session."""


@attrs.frozen
class Figure:
    """One metric.

    Attributes:
        name: as Prometheus shows it, without ``trioquotes_`` before it and ``_total`` behind.
        of: the class that has the figure.
        field: its attribute there.
        kind: ``counter`` for what only rises.
        help: what it says, in one sentence.
        merge: what becomes of entries that have the same labels: two channels of one topic.
    """

    name: str
    of: type
    field: str
    kind: Literal["counter", "gauge"]
    help: str
    merge: Literal["sum", "max", "min"] = "sum"

    @property
    def unit(self) -> str:
        """The last word of the name where that is a unit."""
        last = self.name.rpartition("_")[2]
        return last if last in {"seconds", "bytes"} else ""


def _counter(of: type, field: str, name: str, text: str) -> Figure:
    return Figure(name, of, field, "counter", text)


def _gauge(of: type, field: str, name: str, text: str, merge: Literal["sum", "max", "min"] = "max") -> Figure:
    return Figure(name, of, field, "gauge", text, merge)


_LINE, _COUNT, _TOPIC = LaneStatistics, TallyCount, ChannelStatistics
_BUDGET, _AUDIT = BudgetStatistics, AuditStatistics

FIGURES: tuple[Figure, ...] = (
    _gauge(_LINE, "connected", "line_connected", "Whether the line is up now."),
    _gauge(_LINE, "wanted", "line_wanted", "Whether a topic needs the line."),
    _counter(_LINE, "attempts", "connect_attempts", "Connects tried, failed ones included."),
    _counter(_LINE, "connections", "connections", "Connects that succeeded."),
    _gauge(_LINE, "last_frame_ns", "last_frame_timestamp_seconds", "When the last frame was received."),
    _gauge(_LINE, "last_data_ns", "last_data_timestamp_seconds", "When the last message came that a topic took."),
    _gauge(_LINE, "round_trip_s", "round_trip_seconds", "From the last answered ping to its answer."),
    _gauge(_LINE, "smoothed_round_trip_s", "smoothed_round_trip_seconds", "A running average of the round trips."),
    _counter(_COUNT, "frames", "frames", "Whole messages received."),
    _counter(_COUNT, "bytes", "received_bytes", "Payload bytes of these messages."),
    _counter(_COUNT, "elements", "elements", "What the frames held: delivered, folded, ignored and malformed."),
    _counter(_COUNT, "delivered", "elements_delivered", "Elements handed to at least one topic."),
    _counter(_COUNT, "folded", "elements_folded", "Elements that became part of a delivered one."),
    _counter(_COUNT, "ignored", "elements_ignored", "Elements that made no event, by reason."),
    _counter(_COUNT, "malformed", "elements_malformed", "Elements that did not decode."),
    _counter(_COUNT, "gaps", "gaps", "Places where something was found missing, and said so."),
    _gauge(_TOPIC, "confirmed", "topic_confirmed", "Whether the venue serves the topic.", "min"),
    _gauge(_TOPIC, "queued", "queued_events", "Events that wait for the reader.", "sum"),
    _gauge(_TOPIC, "buffer", "buffer_events", "How many events may wait.", "sum"),
    _gauge(_TOPIC, "queued_bytes", "queued_bytes", "What the waiting events weigh, estimated.", "sum"),
    _gauge(_TOPIC, "buffer_bytes", "buffer_bytes", "What they may weigh.", "sum"),
    _gauge(
        _TOPIC, "notice_bytes", "notice_bytes", "Frames in waiting notices, of all topics of the same stream."
    ),
    _counter(_TOPIC, "delivered", "events_delivered", "Events handed to the reader."),
    _counter(_TOPIC, "dropped", "events_dropped", "Events dropped because the reader was slow."),
    _counter(_TOPIC, "replaced", "events_replaced", "Waiting events that newer ones took the place of."),
    _gauge(
        _TOPIC, "oldest_received_ns", "oldest_waiting_timestamp_seconds", "When the oldest waiting event came.", "min"
    ),
    _gauge(_TOPIC, "age_s", "oldest_waiting_age_seconds", "For how long it has been waiting; 0 when none waits."),
    _gauge(_TOPIC, "last_received_ns", "last_event_timestamp_seconds", "When the last event was received."),
    _gauge(_TOPIC, "lag_s", "lag_seconds", "Receipt of the last event less the venue's time; may be negative."),
    _gauge(_TOPIC, "max_lag_s", "max_lag_seconds", "The largest lag so far."),
    _gauge(_BUDGET, "count", "budget_limit", "How much the venue allows in any window."),
    _gauge(_BUDGET, "window_s", "budget_window_seconds", "Length of the venue's window."),
    _gauge(_BUDGET, "slack_s", "budget_slack_seconds", "By how much the window that is kept is longer."),
    _gauge(_BUDGET, "used", "budget_used", "How much of it counts now, what is on its way included."),
    _gauge(_BUDGET, "unsettled", "budget_unsettled", "How much of that is still on its way."),
    _gauge(_BUDGET, "next_free_s", "budget_next_free_seconds", "Until one more may be spent; 0 while some is free."),
    _counter(_AUDIT, "audits", "audits", "Comparisons of the kept book with a fresh snapshot."),
    _counter(_AUDIT, "void", "audits_void", "Audits that came to nothing because the book broke meanwhile."),
    _counter(_AUDIT, "failed", "audits_failed", "Audits for which no snapshot could be had."),
    _counter(_AUDIT, "differing", "audits_differing", "Audits that found the book wrong."),
)  # fmt: skip
"""Every metric, in the order of the page."""

LEFT_OUT: dict[type, dict[str, str]] = {
    SessionStatistics: {
        "venue": "a label",
        "lanes": "each has metrics of its own",
        "channels": "each has metrics of its own",
        "budgets": "each has metrics of its own",
        "audits": "each has metrics of its own",
        "count": "the sum over the lines: sum by (venue) says it",
    },
    LaneStatistics: {
        "lane": "a label",
        "failure": "words without bound: they would make a new series each",
        "last_error": "words without bound: they would make a new series each",
        "count": "has metrics of its own",
        "budgets": "each has metrics of its own",
        "reconnects": "connections less one",
    },
    ChannelStatistics: {"topic": "labels", "events": "delivered + queued + dropped + replaced"},
    BudgetStatistics: {
        "venue": "a label",
        "name": "a label",
        "scope": "a label",
        "free": "limit less used",
    },
    AuditStatistics: {
        "topic": "labels",
        "last_failure": "words without bound: they would make a new series each",
    },
    TallyCount: {},
}
"""What has no metric, and why."""

_IGNORED = next(figure for figure in FIGURES if figure.of is TallyCount and figure.field == "ignored")
_MERGES: dict[str, Callable[[float, float], float]] = {"sum": operator.add, "max": max, "min": min}
_COUNTERS = tuple(figure for figure in FIGURES if figure.of is ChannelStatistics and figure.kind == "counter")


def label_names(figure: Figure) -> tuple[str, ...]:
    """The names of a metric's labels."""
    return (*SESSION, *LABELS[figure.of], *(("reason",) if figure is _IGNORED else ()))


def entries_of(statistics: SessionStatistics, session: str) -> Entries:
    """Everything that has figures, by its class.

    Args:
        statistics: of the session.
        session: the name that tells it from others of its venue.
    """
    own = (statistics.venue, session)
    lanes: list[tuple[Labels, Any]] = [((*own, lane.lane), lane) for lane in statistics.lanes]
    budgets = [("", budget) for budget in statistics.budgets]
    budgets += [(lane.lane, budget) for lane in statistics.lanes for budget in lane.budgets]
    return {
        LaneStatistics: lanes,
        TallyCount: [(labels, lane.count) for labels, lane in lanes],
        ChannelStatistics: [((*own, *subject_of(each.topic)), each) for each in statistics.channels],
        BudgetStatistics: [((*own, line, each.name, each.scope), each) for line, each in budgets],
        AuditStatistics: [((*own, *subject_of(each.topic)), each) for each in statistics.audits],
    }


def samples_of(figure: Figure, entries: Entries) -> Samples:
    """The samples of one metric; what has no figure has none."""
    found: Samples = {}
    merge = _MERGES[figure.merge]
    in_ns = figure.field.endswith("_ns")
    for labels, entry in entries[figure.of]:
        value = getattr(entry, figure.field)
        if figure is _IGNORED:
            found |= {(*labels, reason): float(number) for reason, number in value.items()}
        elif value is not None:
            value = value / NS_PER_S if in_ns else float(value)
            found[labels] = merge(found[labels], value) if labels in found else value
    return found


class Carried(Generic[K]):
    """Lets the counters of a topic go on where one of its channels was closed and another is open, or opened since.

    The counters of one channel only rise. Their sum over the channels of a topic would fall when one of them is closed,
    which a rate would take for a restart: so what the closed ones had stays in the sum for as long as the topic has
    a channel. After that the series ends; a topic that comes back begins at zero, which is a restart.
    """

    def __init__(self) -> None:
        self._open: dict[K, Labels] = {}
        self._closed: dict[Labels, dict[Figure, float]] = {}

    def look(self, channels: Mapping[K, ChannelStatistics], last: Callable[[K], ChannelStatistics]) -> None:
        """Take in which channels are open now.

        Args:
            channels: by whatever is the same at each look.
            last: gives the last figures of one that was open at the look before and is no more.
        """
        for known in self._open.keys() - channels.keys():
            closed = self._closed.setdefault(self._open[known], {})
            channel = last(known)
            for figure in _COUNTERS:
                closed[figure] = closed.get(figure, 0.0) + getattr(channel, figure.field)
        self._open = {key: subject_of(channel.topic) for key, channel in channels.items()}
        alive = set(self._open.values())
        self._closed = {subject: closed for subject, closed in self._closed.items() if subject in alive}

    @property
    def closed(self) -> Mapping[Labels, Mapping[Figure, float]]:
        """What closed channels add, by :func:`subject_of` their topic."""
        return self._closed


def subject_of(topic: Topic[Event]) -> Labels:
    """A topic's name, its instrument, and what else was asked of it; of the user's own account that stays untold."""
    parameters = "" if topic.private else ",".join(f"{name}={value}" for name, value in _parameters(topic))
    return (topic.name, topic.subject, parameters)


def _parameters(topic: Topic[Event]) -> Iterator[tuple[str, object]]:
    names, defaults = topic.__struct_fields__, topic.__struct_defaults__
    required = len(names) - len(defaults)
    for place, name in enumerate(names):
        value = getattr(topic, name)
        if name != "instrument" and (place < required or value != defaults[place - required]):
            yield name, value
