"""The collector that Prometheus' own library asks for metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import attrs
import trio
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from trioquotes._runtime.metrics.figures import (
    FIGURES,
    Carried,
    Entries,
    Figure,
    Labels,
    Samples,
    entries_of,
    label_names,
    samples_of,
)
from trioquotes._runtime.metrics.page import LOOPBACK, open_listeners, serve_page
from trioquotes._runtime.session import Feed
from trioquotes._runtime.stream import Stream
from trioquotes._runtime.subscription import Subscription
from trioquotes.errors import UsageError

__all__ = ["SessionCollector"]

OPEN_METRICS: Final = "application/openmetrics-text"
END: Final = b"# EOF\n"
"""The last line of a page in that format; its encoder writes one behind whatever it is given."""


@attrs.define
class _Watched:
    """One session, and what its closed channels had."""

    stream: Stream
    carried: Carried[Subscription] = attrs.field(factory=Carried)

    def look(self, name: str) -> _Look:
        """Its figures at this moment."""
        statistics = self.stream.statistics()
        engine = self.stream._engine  # noqa: SLF001  # the figures do not say which channel is which
        in_order = engine._subscriptions  # noqa: SLF001  # as above
        self.carried.look(dict(zip(in_order, statistics.channels, strict=True)), Subscription.statistics)
        closed = {
            (statistics.venue, name, *subject): counters for subject, counters in self.carried.closed.items()
        }
        return _Look(entries_of(statistics, name), closed)


@attrs.frozen
class _Look:
    """One session's figures at one moment, and what its closed channels add."""

    entries: Entries
    closed: Mapping[Labels, Mapping[Figure, float]]

    def samples(self, figure: Figure) -> Samples:
        """The samples of one metric."""
        samples = samples_of(figure, self.entries)
        for labels, counters in self.closed.items():
            if figure in counters:
                samples[labels] += counters[figure]
        return samples


class SessionCollector(Collector):
    """Shows the figures of sessions as metrics; made by :func:`trioquotes.prometheus`.

    Every metric has the labels ``venue`` and ``session``, the name given to :meth:`add`. A session that is over shows its
    last figures until it is removed.
    """

    def __init__(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._watched: dict[tuple[str, str], _Watched] = {}

    def add(self, source: Stream | Feed, name: str = "") -> None:
        """Show a further session, or all of a feed.

        Args:
            source: what ``async with`` of a session, or ``open_feed``, gave.
            name: tells it from other sessions of the same venue; the label ``session``.

        Raises:
            UsageError: a session of that venue and name is shown already.
        """
        for stream in source.streams if isinstance(source, Feed) else (source,):
            key = (stream.statistics().venue, name)
            if key in self._watched:
                called = f"called {name!r} " if name else ""
                raise UsageError(
                    f"a session of {key[0]} {called}is shown already: add(stream, name=...) tells them apart"
                )
            self._watched[key] = _Watched(stream)

    def remove(self, source: Stream | Feed) -> None:
        """Show a session, or all of a feed, no more; one that is not shown is fine."""
        streams = source.streams if isinstance(source, Feed) else (source,)
        self._watched = {key: each for key, each in self._watched.items() if each.stream not in streams}

    def describe(self) -> Sequence[Metric]:
        """Every metric there may be, without samples: so that a registry notices names that are taken."""
        return [_family(figure) for figure in FIGURES]

    def collect(self) -> Sequence[Metric]:
        """All metrics now; from another thread it waits for trio's next turn. Nothing once trio has ended."""
        if trio.lowlevel.in_trio_run():
            return list(_metrics(self._look()))
        try:
            looks = trio.from_thread.run_sync(self._look, trio_token=self._token)
        except trio.RunFinishedError:
            return []
        return list(_metrics(looks))

    async def page(self, accept: str = "") -> tuple[bytes, str]:
        """The page that Prometheus reads, and its content type; all of one moment, and written in many short turns.

        Args:
            accept: the request's ``Accept`` header, which chooses between Prometheus' own format and OpenMetrics.
        """
        encode, content_type = choose_encoder(accept)
        parts = []
        for metric in _metrics(self._look()):
            parts.append(encode(_One(metric)).removesuffix(END))
            await trio.lowlevel.checkpoint()
        end = END if content_type.startswith(OPEN_METRICS) else b""
        return b"".join(parts) + end, content_type

    async def serve(
        self,
        port: int,
        host: str = LOOPBACK,
        *,
        task_status: trio.TaskStatus[list[trio.SocketListener]] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve ``/metrics`` over HTTP until cancelled: ``await nursery.start(metrics.serve, 9464)``.

        Nobody is asked who they are, so think before you name a host that others can reach.

        Args:
            port: 0 takes a free one.
            host: the address to listen on.
            task_status: gets the listeners once they listen.

        Raises:
            OSError: the address cannot be had.
        """
        listeners = await open_listeners(port, host)
        await serve_page(self.page, listeners, task_status=task_status)

    def _look(self) -> list[_Look]:
        return [watched.look(name) for (_, name), watched in self._watched.items()]


@attrs.frozen
class _One(Collector):
    """One metric, as an encoder wants it."""

    metric: Metric

    def collect(self) -> Sequence[Metric]:
        return [self.metric]


def _metrics(looks: Sequence[_Look]) -> Iterator[Metric]:
    """Every metric that has samples; each is worked out when it is asked for."""
    for figure in FIGURES:
        family = _family(figure)
        for look in looks:
            for labels, value in look.samples(figure).items():
                family.add_metric(labels, value)
        if family.samples:
            yield family


def _family(figure: Figure) -> CounterMetricFamily | GaugeMetricFamily:
    kind = CounterMetricFamily if figure.kind == "counter" else GaugeMetricFamily
    return kind(f"trioquotes_{figure.name}", figure.help, labels=label_names(figure), unit=figure.unit)
