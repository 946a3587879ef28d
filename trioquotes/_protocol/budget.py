"""The venues' rate limits as rolling windows: no more than ``count`` in any ``window_s`` seconds.

Pure: monotonic seconds come in as arguments and nothing here waits. :class:`Budgets` is what sessions
share; each connection takes an :class:`Allowance` from it, asks it how long to wait, and charges it::

    allowance = budgets.account("upbit", venue.budgets, identity="...", connection=lane)
    while (delay_s := allowance.delay_s(cost, now())) > 0:
        ...                                     # wait that long, ask again: another may have been faster
    charge = allowance.charge(cost, now())
    try:
        ...                                     # send
    finally:
        charge.settle(now())                    # also after a failure: it may have arrived

A token bucket is no substitute: a full bucket plus its refill lets nearly twice the count into one
window. Why the venue's window holds: an entry is given back only when it was *settled* more than
``window_s + slack_s`` ago. Of any ``count + 1`` entries the one charged last found one of the others
given back, so these two were on their way at least that far apart, however long each write took.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from typing import TypeAlias
from weakref import WeakSet

import attrs

from trioquotes._protocol.effects import Budget, ChargeKind
from trioquotes.errors import UsageError

__all__ = ["Allowance", "BudgetStatistics", "Budgets", "Charge", "slack_s"]


def slack_s(window_s: float) -> float:
    """Seconds that our window is longer than the venue's, because the venue counts arrivals.

    Two requests sent one window apart arrive closer together when the first is held up on its way. As
    long as delays differ by less than this slack, the venue still counts no more than it allows: its
    clock may run from any moment and count both ends of the window. A quarter of a second covers one
    TCP retransmission (200 ms at least on Linux) beside ordinary jitter; 5 % lets long windows, which
    meet rarer and longer stalls, have more; beyond a second the line is in trouble of another kind.

    Args:
        window_s: length of the venue's window.

    Returns:
        5 % of the window, at least 0.25, at most 1.
    """
    return min(max(0.05 * window_s, 0.25), 1.0)


@attrs.frozen
class BudgetStatistics:
    """How far one budget is used up.

    Attributes:
        venue: name of the venue.
        name: name of the budget.
        scope: what shares it: ``ip``, ``account`` or ``connection``.
        count: how many are allowed in any window.
        window_s: length of the venue's window in seconds.
        slack_s: by how much the kept window is longer.
        used: how many count at this moment, unsettled ones included.
        unsettled: how many of them are still on their way.
        next_free_s: seconds until one more may be spent, the reserve included; 0 while something is free.
    """

    venue: str
    name: str
    scope: str
    count: int
    window_s: float
    slack_s: float
    used: int
    unsettled: int
    next_free_s: float

    @property
    def free(self) -> int:
        """How many more may be spent at this moment, the reserve included."""
        return self.count - self.used


@attrs.define
class _Clock:
    """The newest time seen by any of the handles: budgets are shared, so their clock must be one."""

    newest_s: float = -math.inf

    def check(self, now_s: float) -> None:
        if not self.newest_s <= now_s < math.inf:
            raise UsageError(
                f"time went from {self.newest_s} to {now_s}: a Budgets belongs to one monotonic clock, "
                "so to one run of the event loop"
            )
        self.newest_s = now_s


class _Log:
    """One budget's entries: settled ones by time, unsettled ones as a number; never more than ``count``."""

    __slots__ = ("__weakref__", "_settled", "_span_s", "budget", "holders", "unsettled", "venue")

    def __init__(self, venue: str, budget: Budget) -> None:
        self.venue = venue
        self.budget = budget
        self.unsettled = 0
        self.holders: WeakSet[Allowance] = WeakSet()
        self._span_s = budget.window_s + slack_s(budget.window_s)
        self._settled: deque[float] = deque()

    def cost(self, cost: Mapping[ChargeKind, int]) -> int:
        """How much of this budget a cost takes."""
        return sum(number for kind, number in cost.items() if kind in self.budget.counts)

    def used(self, now_s: float) -> int:
        """How many entries count now; those that no longer do are dropped."""
        settled, span_s = self._settled, self._span_s
        while settled and settled[0] + span_s <= now_s:
            settled.popleft()
        return len(settled) + self.unsettled

    def delay_s(self, number: int, limit: int, now_s: float) -> float:
        """Seconds until ``number`` more stay within ``limit``, if all that is unsettled settles now."""
        surplus = self.used(now_s) + number - limit
        if surplus <= 0:
            return 0.0
        frees_s = self._settled[surplus - 1] if surplus <= len(self._settled) else now_s
        due_s = frees_s + self._span_s
        delay_s = due_s - now_s
        # Rounded down, the difference would end a hair before the entry is given back.
        return delay_s if now_s + delay_s >= due_s else delay_s + math.ulp(due_s)

    def settle(self, number: int, now_s: float) -> None:
        """Date unsettled entries; the clock only rises, so the log stays sorted."""
        self.unsettled -= number
        self._settled.extend([now_s] * number)


class Charge:
    """What was charged for one request: it holds its place until it is settled."""

    __slots__ = ("_clock", "_parts")

    def __init__(self, clock: _Clock, parts: tuple[tuple[_Log, int], ...]) -> None:
        self._clock = clock
        self._parts = parts

    def settle(self, now_s: float) -> None:
        """The request is out, or given up: its time in the window starts now.

        Call it in any case, also when the write failed or was cancelled, because the venue may have
        received it; an unsettled charge is never given back. A second call does nothing.

        Raises:
            UsageError: time went backwards.
        """
        self._clock.check(now_s)
        parts, self._parts = self._parts, ()
        for log, number in parts:
            log.settle(number, now_s)


_Pauses: TypeAlias = dict[tuple[str, ChargeKind], float]
"""Until when a venue is to be left alone, by its name and by what with."""


class Allowance:
    """One connection's handle on all budgets that it draws from; made by :meth:`Budgets.account`.

    Attributes:
        connection: what it was made for, as given.
    """

    __slots__ = ("__weakref__", "_clock", "_logs", "_pauses", "_venue", "connection")

    def __init__(
        self, clock: _Clock, logs: tuple[_Log, ...], pauses: _Pauses, venue: str, connection: object
    ) -> None:
        self._clock = clock
        self._logs = logs
        self._pauses = pauses
        self._venue = venue
        self.connection = connection

    def pause(self, kind: ChargeKind, until_s: float) -> None:
        """The venue asked to be left alone until then, in answer to whichever request: nobody who shares it may ask.

        Args:
            kind: what it is to be left alone with: requests over REST, or connects.
            until_s: monotonic seconds; an earlier time than one said before changes nothing.
        """
        key = self._venue, kind
        self._pauses[key] = max(until_s, self._pauses.get(key, -math.inf))

    def pause_s(self, kind: ChargeKind, now_s: float) -> float:
        """Seconds for which the venue is still to be left alone with this; 0.0 for none."""
        return max(self._pauses.get((self._venue, kind), now_s) - now_s, 0.0)

    def delay_s(self, cost: Mapping[ChargeKind, int], now_s: float, *, control: bool = False) -> float:
        """How long to wait until all of the cost may be spent at once.

        Right if nobody else spends meanwhile and nothing is on its way, else too short, never too long:
        ask again after waiting. There must be no checkpoint between an answer of zero and the charge.
        What is no control frame leaves the last ``reserve`` places free, whatever took the others. What the
        venue asked to be left alone with waits for that too.

        Args:
            cost: how many of each kind; a kind that no budget counts is free.
            now_s: monotonic seconds.
            control: whether it is a control frame (ping, pong), which may use a budget's ``reserve``.

        Returns:
            Seconds; 0.0 means now.

        Raises:
            UsageError: the cost can never fit, or time went backwards.
        """
        self._clock.check(now_s)
        delays_s = [self.pause_s(kind, now_s) if number else 0.0 for kind, number in cost.items()]
        for log in self._logs:
            number = log.cost(cost)
            if number:
                limit = log.budget.count - (0 if control else log.budget.reserve)
                if number > limit:
                    raise UsageError(
                        f"a cost of {number} never fits {log.venue}'s budget {log.budget.name!r}: "
                        f"{limit} of {log.budget.count} in {log.budget.window_s} s may be used for it"
                    )
                delays_s.append(log.delay_s(number, limit, now_s))
        return max(delays_s, default=0.0)

    def charge(self, cost: Mapping[ChargeKind, int], now_s: float) -> Charge:
        """Spend the cost in every budget that counts it, or in none.

        The venue's limit is enforced here for everyone; the reserve is only in :meth:`delay_s`.

        Returns:
            The charge, to be settled when the send is over.

        Raises:
            UsageError: the venue's limit would be exceeded, or time went backwards; nothing is charged.
        """
        self._clock.check(now_s)
        parts = tuple((log, number) for log in self._logs if (number := log.cost(cost)))
        for log, number in parts:
            if log.used(now_s) + number > log.budget.count:
                raise UsageError(
                    f"{number} more would exceed {log.venue}'s budget {log.budget.name!r} of "
                    f"{log.budget.count} in {log.budget.window_s} s: ask delay_s() and wait"
                )
        for log, number in parts:
            log.unsettled += number
        return Charge(self._clock, parts)

    def statistics(self, now_s: float) -> tuple[BudgetStatistics, ...]:
        """Every budget this connection draws from, in the venue's order.

        Raises:
            UsageError: time went backwards.
        """
        self._clock.check(now_s)
        return _statistics(self._logs, now_s)


class Budgets:
    """What sessions share so that together they exceed no limit of a venue.

    Make one and give it to every :class:`Session` of one run of the event loop. It does no I/O, and it
    is no bigger than what its venues allow: an entry lives for one window. It cannot know what other programs spend from the same address or account, nor what was
    spent before it was made.
    """

    def __init__(self) -> None:
        self._clock = _Clock()
        self._logs: dict[tuple[str, str, str], _Log] = {}
        self._pauses: _Pauses = {}

    def __repr__(self) -> str:
        return f"<Budgets: {len(self._logs)} shared>"

    def account(
        self, venue: str, budgets: tuple[Budget, ...], *, identity: str, connection: object
    ) -> Allowance:
        """A handle for one connection.

        Budgets of scope ``ip`` are shared by all handles of the venue, those of scope ``account`` by all
        handles of the venue with that identity; those of scope ``connection`` belong to this handle.

        Args:
            venue: name of the venue.
            budgets: the venue's.
            identity: tells accounts apart; empty for none. It is shown nowhere, yet better not a secret.
            connection: what the handle is for; kept as it is.

        Raises:
            UsageError: a budget makes no sense, two have one name, or the venue already has another
                budget of that name.
        """
        if len({budget.name for budget in budgets}) < len(budgets):
            raise UsageError(f"{venue} has two budgets of one name")
        self._forget_idle()
        logs = tuple(self._log(venue, budget, identity) for budget in budgets)
        allowance = Allowance(self._clock, logs, self._pauses, venue, connection)
        for log in logs:
            log.holders.add(allowance)
        return allowance

    def statistics(self, now_s: float) -> tuple[BudgetStatistics, ...]:
        """Every shared budget, in order of first use; those of single connections are in their handles.

        Raises:
            UsageError: time went backwards.
        """
        self._clock.check(now_s)
        return _statistics(self._logs.values(), now_s)

    def of(self, venue: str, identity: str, now_s: float) -> tuple[BudgetStatistics, ...]:
        """The shared budgets of a venue that a connection of that account draws from, in order of first use.

        Raises:
            UsageError: time went backwards.
        """
        self._clock.check(now_s)
        logs = [
            log for (name, _, owner), log in self._logs.items() if name == venue and owner in ("", identity)
        ]
        return _statistics(logs, now_s)

    def _log(self, venue: str, budget: Budget, identity: str) -> _Log:
        if budget.count < 1 or not 0 < budget.window_s < math.inf or not 0 <= budget.reserve <= budget.count:
            raise UsageError(f"{venue}'s budget {budget.name!r} makes no sense: {budget}")
        if budget.scope == "connection":
            return _Log(venue, budget)
        key = (venue, budget.name, identity if budget.scope == "account" else "")
        log = self._logs.setdefault(key, _Log(venue, budget))
        if log.budget != budget:
            raise UsageError(f"{venue} has another budget {budget.name!r}: {log.budget}, not {budget}")
        return log

    def _forget_idle(self) -> None:
        """Drop logs that nobody holds and in which nothing counts: identities may come and go for ever."""
        newest_s = self._clock.newest_s
        for key in [key for key, log in self._logs.items() if not log.holders and not log.used(newest_s)]:
            del self._logs[key]


def _statistics(logs: Iterable[_Log], now_s: float) -> tuple[BudgetStatistics, ...]:
    return tuple(
        BudgetStatistics(
            venue=log.venue,
            name=log.budget.name,
            scope=log.budget.scope,
            count=log.budget.count,
            window_s=log.budget.window_s,
            slack_s=slack_s(log.budget.window_s),
            used=log.used(now_s),
            unsettled=log.unsettled,
            next_free_s=log.delay_s(1, log.budget.count, now_s),
        )
        for log in logs
    )
