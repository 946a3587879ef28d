"""Nothing is lost in silence: what was delivered against what the server sent."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, deque
from collections.abc import Callable, Hashable, Sequence
from math import inf

import attrs

import trioquotes as tq
from tests.simulation.flows import Flow, Item
from tests.simulation.promises import Tally

__all__ = ["Delivery", "judge_delivery"]

UNDERWAY_S = 3.0
"""How long something may be on its way while all is well."""

SAYS_LOSS = (tq.Gap, tq.Lagged, tq.Malformed, tq.Unknown)
"""Notices after which something may be missing."""


def _only(event: tq.Event) -> object:
    """All events are of one strand."""
    del event
    return None


@attrs.define
class Delivery:
    """What one channel handed over, from subscribing to closing it.

    Attributes:
        flow: of its topic.
        exact: whether nothing may be replaced by newer events (``overflow="latest"`` may).
        from_s: when the subscription was confirmed; ``until_s`` when the last event was taken.
        since_s: when its session began: what older connections bring, which the server does not know to be gone, is not for it.
        strand: among which events order is kept; all of them, but where newer ones take the place of older ones.
        entries: notices, and of events the strand and the key, in order.
    """

    name: str
    flow: Flow
    exact: bool
    from_s: float
    until_s: float = 0.0
    since_s: float = -inf
    strand: Callable[[tq.Event], object] = _only
    entries: list[tuple[object, Hashable] | tq.Notice] = attrs.field(factory=list)

    def take(self, event: tq.Event) -> None:
        """One event or notice was handed over."""
        if isinstance(event, tq.Notice):
            self.entries.append(event)
            return
        key = self.flow.key(event)
        if key is not None:
            self.entries.append((self.strand(event), key))


def judge_delivery(delivery: Delivery, items: Sequence[Item], tally: Tally, *, drained: bool) -> None:
    """Hold a delivery against what was sent.

    Args:
        delivery: of a channel.
        items: of its flow, all that was sent in the run.
        tally: counts the checks.
        drained: whether all that was sent some seconds before its end must have come.

    Raises:
        Broken: a promise was.
    """
    judgement = _Judgement(delivery, items, tally)
    for entry in delivery.entries:
        if isinstance(entry, tq.Notice):
            judgement.notice(entry)
        else:
            judgement.event(*entry)
    if drained:
        judgement.end()


class _Judgement:
    """One delivery, event by event."""

    def __init__(self, delivery: Delivery, items: Sequence[Item], tally: Tally) -> None:
        self._said: list[tq.Notice] = []  # since the last event
        self._called_wrong = 0  # frames, that no missing event was put down to yet
        self._delivery = delivery
        self._tally = tally
        self._seen: Counter[Hashable] = Counter()
        # Said to be dropped right before the last event, and not found missing: what was sent twice is looked for too late.
        self._spare = 0
        self._last = -1
        self._last_of: dict[object, int] = {}
        flow = delivery.flow
        self._spoilt = {item.key for item in items if item.spoilt == "something"}
        ordered = sorted(items, key=_number) if flow.numbered else items
        self._ranks: dict[Hashable, list[int]] = {}
        self._whole: Counter[Hashable] = Counter()
        for rank, item in enumerate(ordered):
            self._ranks.setdefault(item.key, []).append(rank)
            self._whole[item.key] += not item.spoilt
        late = _late(items) if flow.numbered and not flow.counted else set()
        owed: dict[Hashable, int] = {}
        for rank, item in enumerate(() if flow.partial else ordered):
            if item.spoilt and item.time_s <= delivery.from_s:
                late.add(item.key)  # held back from before the subscription
            on_time = delivery.from_s < item.time_s < delivery.until_s - UNDERWAY_S
            if on_time and not item.history and not item.abandoned and item.key not in late:
                owed.setdefault(item.key, rank)
        self._owed = deque((rank, key) for key, rank in owed.items())
        self._told_apart = len(self._ranks) == len(ordered)
        self._came = [rank for rank, item in enumerate(ordered) if item.spoilt != "nothing"]

    def notice(self, notice: tq.Notice) -> None:
        """Something was said."""
        self._said.append(notice)
        self._called_wrong += isinstance(notice, tq.Malformed | tq.Unknown) * notice.count

    def event(self, strand: object, key: Hashable) -> None:
        """An event was handed over."""
        name, tally, seen = self._delivery.name, self._tally, self._seen
        ranks = self._ranks.get(key, [])
        tally.check("nothing invented", bool(ranks), lambda: f"{name}: nobody sent {key!r:.200}")
        seen[key] += 1
        tally.check(
            "nothing twice",
            seen[key] <= self._may_come(key),
            lambda: f"{name}: {seen[key]} times {key!r:.200}",
        )
        again = self._delivery.flow.times > 1 and seen[key] > 1
        last = self._last_of.get(strand, -1)
        rank = next((rank for rank in ranks if rank > last - again), -1)
        tally.check("order kept", rank >= 0, lambda: f"{name}: {key!r:.200} after a later one")
        self._judge_missed(self._missed_until(rank), rank, before=key)
        self._last = self._last_of[strand] = rank
        self._said = []

    def end(self) -> None:
        """All is quiet, and nothing is on its way."""
        self._judge_missed(self._missed_until(inf), len(self._came) + len(self._ranks), before="the end")

    def _may_come(self, key: Hashable) -> int:
        """How often it may have come so far."""
        flow = self._delivery.flow
        if flow.restated and any(isinstance(notice, tq.Gap) for notice in self._said):
            return self._seen[key]
        return flow.times * (max(self._whole[key], 1) if flow.repeats else 1)

    def _missed_until(self, rank: float) -> list[Hashable]:
        """What was owed before that place and did not come."""
        missed: list[Hashable] = []
        told = any(
            isinstance(notice, tq.Gap) for notice in self._said
        )  # says enough of whatever was lost here
        while self._owed and self._owed[0][0] < rank:
            _, key = self._owed.popleft()
            if not self._seen[key] and (told or not self._was_called_wrong(key)):
                missed.append(key)
        return missed

    def _was_called_wrong(self, key: Hashable) -> bool:
        """Whether it is one that came spoilt: that was said when it came, which need not be where it belonged.

        Nor where it is looked for, if the one behind it came twice and is taken for the first of the two.
        """
        flow = self._delivery.flow
        if key not in self._spoilt or not self._called_wrong or not (flow.numbered or flow.repeats):
            return False
        self._called_wrong -= 1
        return True

    def _judge_missed(self, missed: Sequence[Hashable], rank: int, before: Hashable) -> None:
        if not self._delivery.exact:
            return
        name = self._delivery.name
        told = [notice for notice in self._said if isinstance(notice, SAYS_LOSS)]
        spare, self._spare = (0 if self._told_apart else self._spare), 0
        self._tally.check(
            "no silent loss", bool(told) or len(missed) <= spare,
            lambda: f"{name}: before {before!r:.120} {len(missed)} are missing, such as {missed[0]!r:.200}; said was only"
            f" {[type(one).__name__ for one in self._said]}",
        )  # fmt: skip
        lags = [notice.dropped for notice in told if isinstance(notice, tq.Lagged)]
        if lags and len(lags) == len(told) and not self._delivery.flow.partial:
            # What came before the subscription, or twice, may have been queued and dropped as well.
            most = (
                bisect_left(self._came, rank) - bisect_right(self._came, self._last)
                if self._told_apart
                else sum(lags)
            )
            self._spare = max(sum(lags) - len(missed), 0)
            self._tally.check(
                "lag is exact", len(missed) <= sum(lags) + spare and sum(lags) <= most,
                lambda: f"{name}: {len(missed)} to {most} are missing before {before!r:.120}, said was that {sum(lags)}"
                " were dropped",
            )  # fmt: skip


def _number(item: Item) -> int:
    assert isinstance(item.key, int)
    return item.key


def _late(items: Sequence[Item]) -> set[Hashable]:
    """Keys that came after a later one, or were held back by the script."""
    late: set[Hashable] = set()
    newest = -1
    for item in items:
        assert isinstance(item.key, int)
        if item.key < newest:
            late.add(item.key)
        if not item.spoilt:
            newest = max(newest, item.key)
    return late
