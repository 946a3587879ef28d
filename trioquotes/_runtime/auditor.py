"""The task that audits kept books: one book at a time, within the venue's limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import trio

from trioquotes._protocol.audit import AuditPlan, Watch
from trioquotes._protocol.bookkeeper import KeptFeed
from trioquotes._protocol.budget import Allowance
from trioquotes._protocol.codec import BadFrame
from trioquotes._protocol.effects import Audit, Receipt
from trioquotes._protocol.verdict import patience_s
from trioquotes._runtime.connector import LineFailed
from trioquotes._runtime.endings import sole
from trioquotes._runtime.spending import charged
from trioquotes.events import BookSnapshot, Event, OrderBookSnapshot
from trioquotes.topics import Topic

if TYPE_CHECKING:
    from trioquotes._runtime.engine import Engine

__all__ = ["AuditStatistics", "Auditor"]

FETCH_WITHIN_S = 30.0
HTTP_OK = 200


@attrs.frozen
class AuditStatistics:
    """What came of the audits of one book.

    Attributes:
        topic: whose book.
        audits: how often the book was compared with a fresh snapshot.
        void: audits that came to nothing because the book broke, or was given up, meanwhile.
        failed: audits for which no snapshot could be had.
        differing: audits that found the book wrong.
        last_failure: why the last snapshot could not be had; empty if all could.
    """

    topic: Topic[Event]
    audits: int = 0
    void: int = 0
    failed: int = 0
    differing: int = 0
    last_failure: str = ""


class Auditor:
    """Goes round the session's kept books.

    Args:
        host: the session.
        plan: how often, and how patiently.
    """

    def __init__(self, host: Engine, plan: AuditPlan) -> None:
        self._host = host
        self._plan = plan
        self._scope = trio.CancelScope()
        self._due_s: dict[Topic[Event], float] = {}
        self._figures: dict[Topic[Event], AuditStatistics] = {}

    def close(self) -> None:
        """No further audits; one under way is given up."""
        self._scope.cancel()

    def statistics(self) -> tuple[AuditStatistics, ...]:
        """One entry a book that was audited."""
        return tuple(self._figures.values())

    async def run(self) -> None:
        """Run until closed; only cancellation leaves as an exception."""
        try:
            with self._scope:
                while True:
                    await self._round()
        except BaseException as error:  # noqa: ASYNC103  # a cancellation, in a group or not, is raised again
            found = sole(error)
            if isinstance(found, trio.Cancelled):
                raise
            self._host.die(found)

    async def _round(self) -> None:
        """Wait for the book that is due next, and audit it."""
        now_s = trio.current_time()
        feeds = {topic: feed for topic, feed in self._host.planner.feeds.items() if feed.serving.audit}
        self._due_s = {topic: self._due_s.get(topic, now_s + self._plan.every_s) for topic in feeds}
        topic = min(self._due_s, key=self._due_s.__getitem__, default=None)
        if topic is None or self._due_s[topic] > now_s:
            # A book that is subscribed meanwhile is due after the same time at the earliest.
            await trio.sleep(self._plan.every_s if topic is None else self._due_s[topic] - now_s)
            return
        self._due_s[topic] = now_s + self._plan.every_s
        feed = feeds[topic]
        if isinstance(feed, KeptFeed) and feed.serving.audit is not None and feed.book.state == "live":
            await self._audit(feed, feed.serving.audit)
        else:
            await trio.lowlevel.checkpoint()

    async def _audit(self, feed: KeptFeed[Any], audit: Audit) -> None:
        host, plan = self._host, self._plan
        figures = self._figures.get(feed.topic, AuditStatistics(feed.topic))
        if self._allowance().pause_s("rest", trio.current_time()) > 0:
            asked = "the venue's REST asked to be left alone"
            self._figures[feed.topic] = attrs.evolve(figures, failed=figures.failed + 1, last_failure=asked)
            await trio.lowlevel.checkpoint()
            return
        watch = feed.watch = Watch(feed.book)
        try:
            await trio.sleep(plan.lead_s)
            fetched = await self._fetch(audit)
            if isinstance(fetched, str):
                self._figures[feed.topic] = attrs.evolve(
                    figures, failed=figures.failed + 1, last_failure=fetched
                )
                return
            await trio.sleep(plan.settle_s)
            lane = host.planner.lane_of(feed)
            if lane is None or feed.watch is not watch:
                self._figures[feed.topic] = attrs.evolve(figures, void=figures.void + 1)
                return
            differing = lane.audit(feed, fetched, host.clock.receipt())
            self._figures[feed.topic] = attrs.evolve(
                figures, audits=figures.audits + 1, differing=figures.differing + bool(differing)
            )
            if differing:
                host.stir()
        finally:
            if feed.watch is watch:
                feed.watch = None

    def _allowance(self) -> Allowance:
        host = self._host
        return host.budgets.account(
            host.venue.name, host.venue.budgets, identity=host.secrets.identity, connection=self
        )

    async def _fetch(self, audit: Audit) -> BookSnapshot | OrderBookSnapshot | str:
        """The fresh snapshot, or why there is none."""
        host = self._host
        allowance = self._allowance()
        charge = await charged(allowance, audit.cost)
        try:
            reply = await host.connector.fetch(
                audit.request, timeout_s=FETCH_WITHIN_S, ssl_context=host.settings.ssl_context
            )
        except LineFailed as failed:
            return host.secrets.veil.hide(failed.failure.reason)
        finally:
            charge.settle(trio.current_time())
        pause_s = patience_s(reply, host.clock.random.random)
        if pause_s:
            allowance.pause("rest", trio.current_time() + pause_s)
        if reply.status != HTTP_OK:
            return f"HTTP {reply.status}"
        try:
            return audit.read(reply.body, Receipt(host.clock.wall_ns()))
        except BadFrame as bad:
            return host.secrets.veil.hide(bad.reason)
