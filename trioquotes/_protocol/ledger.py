"""The ledger of one lane: what is wanted, what the server was asked for, what it confirmed.

Rules:

* *wanted* outlives the connection; *asked*, *confirmed* and the requests in flight end with it, so a
  reconnect is nothing but a ledger in which everything is to be asked again.
* A channel that was refused is not asked again while it stays wanted. One that was not answered in
  time is, after a delay that grows with every try.
* What the server says it serves is asked and confirmed, whoever asked: by connecting alone, or so long
  ago that the answer was given up. Only what was withdrawn on this connection is not believed.
* A resync is a request of its own (``resyncs``), or a withdrawal of a channel that is still wanted:
  that channel is then to be asked again. Repeated resyncs of one channel are spaced out likewise.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

import attrs

from trioquotes._protocol.effects import Fetch, Send, WireChannel

__all__ = ["Expired", "Ledger"]

RETRY_FIRST_S = 1.0
RETRY_CAP_S = 60.0
"""Delays before an unanswered channel is asked for again: doubled from the first up to the cap."""

CALM_S = 60.0
"""A channel that needed no resync for this long starts again with no delay."""


@attrs.frozen
class Expired:
    """What time brought about: channels never answered in time, and whether others may now be tried again."""

    unanswered: tuple[WireChannel, ...]
    released: bool


@attrs.define
class _Tries:
    count: int = 0
    last_s: float = -math.inf

    def next_at(self, now_s: float, *, free: int = 0) -> float:
        """When the next try may go; ``free`` tries go at once before the delays begin."""
        if now_s - self.last_s > CALM_S + RETRY_CAP_S:
            self.count = 0
        late = self.count - free
        delay_s = 0.0 if late < 0 else min(RETRY_CAP_S, RETRY_FIRST_S * 2.0 ** min(late, 16))
        self.count += 1
        self.last_s = now_s
        return now_s + delay_s


@attrs.define
class _Asked:
    """What the server owes for one channel: its word by the deadline, unless it gave it."""

    deadline_s: float
    confirmed: bool = False


class Ledger:
    """Keeps the account of one lane; also what a venue reads of it (``LedgerView``)."""

    def __init__(self) -> None:
        self._wanted: dict[WireChannel, None] = {}
        self._asked: dict[WireChannel, _Asked] = {}
        self._lapsed: set[WireChannel] = set()  # asked on this connection, no longer so, never withdrawn
        self._withdrawn: set[WireChannel] = set()  # withdrawn on this connection and not asked since
        self._refused: set[WireChannel] = set()
        self._held: dict[WireChannel, float] = {}
        self._tries: dict[WireChannel, _Tries] = {}
        self._resync_due: dict[WireChannel, float] = {}
        self._resync_sent: dict[WireChannel, float] = {}
        self._resync_tries: dict[WireChannel, _Tries] = {}
        self._generation: dict[WireChannel, int] = {}
        self._in_flight: dict[int, tuple[Send | Fetch, float]] = {}
        self._now_s = -math.inf

    # What a venue may read.

    @property
    def wanted(self) -> AbstractSet[WireChannel]:
        """What should be subscribed now; without what was refused or waits for its next try."""
        return {c for c in self._wanted if c not in self._refused and c not in self._held}

    @property
    def to_ask(self) -> Sequence[WireChannel]:
        """Wanted and not asked, oldest wish first."""
        blocked = self._refused, self._held, self._asked
        return [c for c in self._wanted if not any(c in group for group in blocked)]

    @property
    def to_withdraw(self) -> Sequence[WireChannel]:
        """Asked and no longer wanted, in the order of asking."""
        return [c for c in self._asked if c not in self._wanted]

    @property
    def asked(self) -> AbstractSet[WireChannel]:
        """Everything asked on this connection and not withdrawn."""
        return self._asked.keys()

    @property
    def confirmed(self) -> AbstractSet[WireChannel]:
        """Asked, and served."""
        return {c for c, asked in self._asked.items() if asked.confirmed}

    @property
    def pending(self) -> AbstractSet[WireChannel]:
        """Asked, and not confirmed."""
        return {c for c, asked in self._asked.items() if not asked.confirmed}

    @property
    def resyncing(self) -> Mapping[WireChannel, int]:
        """Wanted channels that need a fresh snapshot and have no request for it in flight."""
        return {
            c: self._generation[c]
            for c, at in self._resync_due.items()
            if at <= self._now_s and c in self._wanted
        }

    @property
    def in_flight(self) -> Collection[Send | Fetch]:
        """Requests neither answered nor given up."""
        return [effect for effect, _ in self._in_flight.values()]

    # What the runtime and the sink write.

    @property
    def wanted_any(self) -> bool:
        """Whether the lane is needed: something is wanted on it that was not refused."""
        return any(channel not in self._refused for channel in self._wanted)

    def want(self, channels: Iterable[WireChannel]) -> None:
        """Replace the set of wanted channels; what stays keeps its place and its state."""
        new = dict.fromkeys(channels)
        for channel in [c for c in self._wanted if c not in new]:
            del self._wanted[channel]
            self._refused.discard(channel)
            for table in (self._held, self._tries, self._resync_due, self._resync_sent, self._resync_tries):
                table.pop(channel, None)
        for channel in [c for c in new if c not in self._wanted]:
            self._wanted[channel] = None
            asked = self._asked.get(channel)
            if asked is not None and not asked.confirmed and asked.deadline_s == math.inf:
                self._unask(channel)  # its answer was given up while nobody wanted it
                self._lapsed.add(channel)

    def connected(self) -> None:
        """A new connection: nothing is asked yet, and what had to wait may be tried at once."""
        self._asked.clear()
        self._lapsed.clear()
        self._withdrawn.clear()
        self._in_flight.clear()
        self._held.clear()
        self._resync_due.clear()
        self._resync_sent.clear()
        self._resync_tries.clear()
        self._generation.clear()

    def sent(self, effect: Send | Fetch, now_s: float) -> None:
        """A request went out."""
        within_s = effect.answer_within_s if isinstance(effect, Send) else effect.timeout_s
        deadline_s = now_s + within_s
        withdraws = effect.withdraws if isinstance(effect, Send) else frozenset()
        for channel in sorted(withdraws):
            self._unask(channel)
            self._lapsed.discard(channel)
            self._withdrawn.add(channel)
        for channel in sorted(effect.asks):
            self._asked.setdefault(channel, _Asked(deadline_s))
            self._held.pop(channel, None)
            self._lapsed.discard(channel)
            self._withdrawn.discard(channel)
        for channel in sorted(effect.resyncs):
            self._resync_due.pop(channel, None)
            self._resync_sent[channel] = deadline_s
        self._in_flight[effect.id] = (effect, deadline_s)

    def confirm(self, channels: Iterable[WireChannel]) -> list[WireChannel]:
        """The server serves these; returns those that were not confirmed before.

        Passed over are those that are neither wanted nor were asked, those refused, and those withdrawn.
        """
        fresh = []
        for channel in channels:
            asked = self._asked.get(channel)
            if asked is None and self._may_be_served(channel):
                asked = self._asked[channel] = _Asked(math.inf)
                self._lapsed.discard(channel)
                self._held.pop(channel, None)
            if asked is not None and not asked.confirmed:
                asked.confirmed = True
                self._tries.pop(channel, None)
                fresh.append(channel)
        if fresh:
            self._settle()
        return fresh

    def reject(self, channel: WireChannel) -> bool:
        """The server refused it for good; returns whether that is news about a wanted channel."""
        self._unask(channel)
        self._lapsed.discard(channel)
        self._held.pop(channel, None)
        self._settle()
        if channel not in self._wanted or channel in self._refused:
            return False
        self._refused.add(channel)
        return True

    def retry(self, channels: Iterable[WireChannel]) -> None:
        """These no longer count as asked."""
        for channel in channels:
            if channel in self._asked:
                self._unask(channel)
                self._lapsed.add(channel)
        self._settle()

    def postpone(self, channel: WireChannel, now_s: float) -> bool:
        """It was not answered: ask again, later with every try; returns whether it was asked and is wanted.

        One that is no longer wanted stays asked: the server may serve it, so it has to be withdrawn.
        """
        asked = self._asked.get(channel)
        if asked is None:
            return False
        if channel not in self._wanted:
            asked.deadline_s = math.inf
            return False
        self._unask(channel)
        self._lapsed.add(channel)
        self._held[channel] = self._tries.setdefault(channel, _Tries()).next_at(now_s)
        self._settle()
        return True

    def answered(self, request_id: int) -> None:
        """The request is no longer in flight; what it asked for is still owed an answer by the same time."""
        self._in_flight.pop(request_id, None)

    def resync(self, channel: WireChannel, now_s: float) -> None:
        """The channel needs its snapshot again; one that is not asked gets it by being asked."""
        if channel not in self._wanted or channel not in self._asked or channel in self._resync_due:
            return
        self._now_s = max(self._now_s, now_s)
        self._resync_sent.pop(channel, None)
        self._generation[channel] = self._generation.get(channel, 0) + 1
        tries = self._resync_tries.setdefault(channel, _Tries())
        self._resync_due[channel] = tries.next_at(now_s, free=1)

    def need(self, channel: WireChannel, now_s: float) -> None:
        """The channel's snapshot comes only when asked for: :meth:`resync`, unless that is under way already."""
        if channel not in self._resync_due and channel not in self._resync_sent:
            self.resync(channel, now_s)

    def hold(self, channels: Iterable[WireChannel], until_s: float) -> bool:
        """None of these is to be asked for, or resynced, before that; returns whether that puts any of them off."""
        put_off = False
        for channel in channels:
            table = self._resync_due if channel in self._resync_due else self._held
            unasked = channel in self._wanted and channel not in self._asked
            if (channel in table or unasked) and table.get(channel, -math.inf) < until_s:
                table[channel] = until_s
                put_off = True
        return put_off

    def resynced(self, channel: WireChannel) -> None:
        """The fresh snapshot came."""
        self._resync_due.pop(channel, None)
        self._resync_sent.pop(channel, None)

    def expire(self, now_s: float) -> Expired:
        """Let time pass: give up what was not answered, release what may be tried again."""
        self._now_s = now_s
        overdue = [c for c, a in self._asked.items() if not a.confirmed and a.deadline_s <= now_s]
        unanswered = [channel for channel in overdue if self.postpone(channel, now_s)]
        given_up = [request_id for request_id, (_, at_s) in self._in_flight.items() if at_s <= now_s]
        for request_id in given_up:
            del self._in_flight[request_id]
        released = bool(given_up or overdue)
        for channel in [c for c, at_s in self._resync_sent.items() if at_s <= now_s]:
            del self._resync_sent[channel]
            self.resync(channel, now_s)
        for channel, at_s in list(self._held.items()):
            if at_s <= now_s:
                del self._held[channel]
                released = True
        released = released or any(at_s <= now_s for at_s in self._resync_due.values())
        return Expired(tuple(unanswered), released)

    def deadline(self) -> float:
        """Monotonic seconds at which :meth:`expire` has something to do; ``inf`` for never."""
        due = [deadline_s for _, deadline_s in self._in_flight.values()]
        due += [asked.deadline_s for asked in self._asked.values() if not asked.confirmed]
        due += self._held.values()
        due += self._resync_sent.values()
        due += [at_s for at_s in self._resync_due.values() if at_s > self._now_s]
        return min(due, default=math.inf)

    def _may_be_served(self, channel: WireChannel) -> bool:
        known = channel in self._wanted or channel in self._lapsed
        return known and channel not in self._refused and channel not in self._withdrawn

    def _unask(self, channel: WireChannel) -> None:
        """It no longer counts as asked, so neither does a resync of it."""
        self._asked.pop(channel, None)
        self.resynced(channel)

    def _settle(self) -> None:
        """Requests that asked for something and have no open question left are answered."""
        pending = self.pending
        for request_id, (effect, _) in list(self._in_flight.items()):
            if effect.asks and not (effect.asks & pending):
                del self._in_flight[request_id]
