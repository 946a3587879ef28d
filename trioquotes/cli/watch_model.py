"""What the watcher knows and what it shows of it: events and keys in, state out. Pure: time is an argument."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import attrs

from trioquotes._runtime.engine import LaneStatistics, SessionStatistics
from trioquotes._runtime.subscription import ChannelStatistics
from trioquotes.cli.exits import one_line
from trioquotes.cli.statusline import Rate
from trioquotes.cli.watch_face import Face, Mark
from trioquotes.cli.watch_words import words
from trioquotes.events import (
    Connected,
    Disconnected,
    Event,
    Gap,
    Lagged,
    MarketEvent,
    Notice,
    Quote,
    Rejected,
    Resynced,
    Stale,
    Throttled,
    Trade,
)

__all__ = ["Action", "Kind", "Model", "Pane", "Said", "State"]

Kind: TypeAlias = Literal["books", "trades", "quotes"]
"""What is watched of an instrument."""

State: TypeAlias = Literal["connecting", "waiting", "live", "gap", "stale", "ended"]

Action: TypeAlias = Literal["quit", "redraw"]
"""What a key asks of the program rather than of the screen."""

NOTICES = 500
HEARD = 64
"""Notices of whole lines that are remembered, to tell one that came by several channels from one that came twice."""
FOLD_NS = 2_000_000_000
"""Notices of one kind that follow each other within this time are one line."""


@attrs.frozen
class Said:
    """A line of the notices.

    Attributes:
        at_ns: when, Unix nanoseconds.
        kind: name of the notice.
        words: what it says.
        whose: whom it concerns: several where they heard the same one after the other.
    """

    at_ns: int
    kind: str
    words: str
    whose: tuple[str, ...]


class Pane:
    """One instrument.

    Args:
        instrument: the venue's own name.
        kinds: what is watched of it.

    Attributes:
        face: what is known now.
        frozen: what was known when the screen was paused; ``None`` where it is not.
        trouble: what was said last of a kind and holds until the next of its events.
        ended: why a kind will not come any more.
        channels: the latest figures of each kind.
    """

    def __init__(self, instrument: str, kinds: Sequence[Kind]) -> None:
        self.instrument = instrument
        self.kinds = tuple(kinds)
        self.face = Face()
        self.frozen: Face | None = None
        self.trouble: dict[Kind, Notice] = {}
        self.ended: dict[Kind, str] = {}
        self.channels: dict[Kind, ChannelStatistics] = {}
        self.rate = Rate()
        self._seen: Counter[Kind] = Counter()

    @property
    def shown(self) -> Face:
        """What the screen shows."""
        return self.face if self.frozen is None else self.frozen

    @property
    def leading(self) -> Kind:
        """The kind whose figures stand for the instrument: its book, where there is one."""
        return self.kinds[0]

    @property
    def state(self) -> State:
        """How far what is known can be trusted, in one word."""
        if self.leading in self.ended:
            return "ended"
        channel = self.channels.get(self.leading)
        if channel is None or not channel.confirmed:
            return "connecting"
        trouble = self.trouble.get(self.leading)
        if self.leading == "books":
            if self.face.ladder.state != "live":
                return "gap" if self.face.ladder.state == "broken" else "waiting"
            return "live" if trouble is None else "stale"
        if trouble is not None:
            return "gap" if isinstance(trouble, Gap) else "stale"
        return "live" if channel.last_received_ns is not None else "waiting"

    @property
    def lag_s(self) -> float | None:
        """Lag of the newest event of the leading kind, or else of another; see ``ChannelStatistics``."""
        lags = (self.channels[kind].lag_s for kind in self.kinds if kind in self.channels)
        return next((lag_s for lag_s in lags if lag_s is not None), None)

    @property
    def queued(self) -> int:
        """Events that wait to be taken."""
        return sum(channel.queued for channel in self.channels.values())

    def take(self, kind: Kind, event: MarketEvent, now_s: float) -> None:
        """An event came; of a book only that something did, for it is looked at by itself."""
        self.trouble.pop(kind, None)
        if isinstance(event, Trade):
            self.face.trade(event, now_s)
        elif isinstance(event, Quote):
            self.face.quote(event, now_s)

    def hear(self, kind: Kind, notice: Notice, now_s: float) -> None:
        """A notice of this kind's topic came."""
        if isinstance(notice, Resynced):
            self.trouble.pop(kind, None)
        elif isinstance(notice, Gap | Stale | Throttled | Rejected):
            self.trouble[kind] = notice
        if kind != "books" and isinstance(notice, Gap | Lagged):
            self.face.tape.append(
                Mark(notice.received_ns, f"{type(notice).__name__.lower()}: {words(notice)}")
            )
        if kind == "quotes" and isinstance(notice, Gap):
            self.face.unquote(now_s)

    def count(self, kind: Kind, figures: ChannelStatistics, now_s: float) -> None:
        """New figures of one of its topics."""
        self.channels[kind] = figures
        self.rate.add(max(figures.events - self._seen[kind], 0), now_s)
        self._seen[kind] = figures.events

    def freeze(self) -> None:
        """Show from now on what is known now."""
        self.frozen = self.face.copied()


class Model:
    """Everything that the screen shows.

    Args:
        venue: its name.
        panes: the instruments, in order.
        absent: why a kind is watched of none of them.
        started_s: when it began.

    Attributes:
        index: of the instrument that is shown.
        paused_s: since when the screen is paused; ``None`` if it is not.
        notices: the latest, oldest first.
        seen: how many of each notice.
    """

    def __init__(
        self, venue: str, panes: Sequence[Pane], absent: Mapping[Kind, str], started_s: float
    ) -> None:
        self.venue = venue
        self.panes = tuple(panes)
        self.absent = dict(absent)
        self.started_s = started_s
        self.index = 0
        self.paused_s: float | None = None
        self.is_help = False
        self.notices: deque[Said] = deque(maxlen=NOTICES)
        self.seen: Counter[str] = Counter()
        self.lanes: tuple[LaneStatistics, ...] = ()
        self.views = self._views()
        self.view = self.views[0]
        self.was_confirmed = False
        self._heard: OrderedDict[tuple[str, str, int], Counter[tuple[str, Kind]]] = OrderedDict()

    @property
    def pane(self) -> Pane:
        """The instrument that is shown."""
        return self.panes[self.index]

    @property
    def events(self) -> int:
        """Events so far, of all instruments."""
        return sum(channel.events for pane in self.panes for channel in pane.channels.values())

    @property
    def dropped(self) -> int:
        """Events that were dropped because they were not taken in time."""
        return sum(channel.dropped for pane in self.panes for channel in pane.channels.values())

    @property
    def reconnects(self) -> int:
        """Of all lines."""
        return sum(lane.reconnects for lane in self.lanes)

    @property
    def down(self) -> tuple[LaneStatistics, ...]:
        """Lines that are needed and not there."""
        return tuple(lane for lane in self.lanes if lane.wanted and not lane.connected)

    def take(self, pane: Pane, kind: Kind, event: Event, now_s: float) -> None:
        """An event or a notice came for one kind of one instrument."""
        if isinstance(event, Notice):
            self._hear(pane, kind, event, now_s)
        elif isinstance(event, MarketEvent):
            pane.take(kind, event, now_s)

    def count(self, statistics: SessionStatistics, now_s: float) -> None:
        """New figures of the session."""
        self.lanes = statistics.lanes
        self.was_confirmed = self.was_confirmed or any(channel.confirmed for channel in statistics.channels)
        by_topic = {(channel.topic.name, channel.topic.subject): channel for channel in statistics.channels}
        for pane in self.panes:
            for kind in pane.kinds:
                figures = by_topic.get((kind, pane.instrument))
                if figures is not None:
                    pane.count(kind, figures, now_s)

    def end(self, pane: Pane, kind: Kind, reason: str, at_ns: int) -> None:
        """Nothing more will come of this kind of the instrument; the venue said why."""
        pane.ended[kind] = one_line(reason)
        self._say(Said(at_ns, "Rejected", pane.ended[kind], (f"{kind} {pane.instrument}",)))

    def press(self, key: str, now_s: float) -> Action | None:
        """A key was pressed; returns what it asks of the program."""
        if key in {"q", "Q"}:
            return "quit"
        if key == "redraw":
            return "redraw"
        if self.is_help or key in {"?", "h"}:
            self.is_help = not self.is_help
        elif key in {"p", "P", "space"}:
            self._pause(now_s)
        elif key in {"tab", "right", "down"}:
            self.index = (self.index + 1) % len(self.panes)
        elif key in {"backtab", "left", "up"}:
            self.index = (self.index - 1) % len(self.panes)
        elif key in {"v", "V"}:
            step = 1 if key == "v" else -1
            self.view = self.views[(self.views.index(self.view) + step) % len(self.views)]
        elif key in set("123456789") and int(key) <= len(self.panes):
            self.index = int(key) - 1
        return None

    def _views(self) -> tuple[str, ...]:
        depth = () if "books" in self.absent else ("depth",)
        return ("market", *depth, "tape", "all", "notices")

    def _pause(self, now_s: float) -> None:
        if self.paused_s is None:
            self.paused_s = now_s
            for pane in self.panes:
                pane.freeze()
        else:
            self.paused_s = None
            for pane in self.panes:
                pane.frozen = None

    def _hear(self, pane: Pane, kind: Kind, notice: Notice, now_s: float) -> None:
        if isinstance(notice, Connected | Disconnected):
            if self._is_new(notice, (pane.instrument, kind)):
                self.seen[type(notice).__name__] += notice.count
                self._say(Said(notice.received_ns, type(notice).__name__, words(notice), ()))
            return
        pane.hear(kind, notice, now_s)
        self.seen[type(notice).__name__] += notice.count
        whose = f"{kind} {pane.instrument}"
        self._say(Said(notice.received_ns, type(notice).__name__, words(notice), (whose,)))

    def _is_new(self, notice: Connected | Disconnected, source: tuple[str, Kind]) -> bool:
        """Whether it is not what another channel has brought already: a line's notice comes by each that it serves."""
        key = (type(notice).__name__, notice.lane, notice.connection)
        counts = self._heard.setdefault(key, Counter())
        self._heard.move_to_end(key)
        while len(self._heard) > HEARD:
            self._heard.popitem(last=False)
        most = max(counts.values(), default=0)
        counts[source] += notice.count
        return counts[source] > most

    def _say(self, said: Said) -> None:
        """Add a line, or whom it concerns to the last one where that says the same."""
        last = self.notices[-1] if self.notices else None
        same = last is not None and (last.kind, last.words) == (said.kind, said.words)
        if last is None or not same or said.at_ns - last.at_ns >= FOLD_NS:
            self.notices.append(said)
        elif said.whose and not set(said.whose) & set(last.whose):
            self.notices[-1] = attrs.evolve(last, whose=last.whose + said.whose)
        elif said.kind != "Rejected":  # that one is told twice: by a notice, and by the end of the channel
            self.notices.append(said)
