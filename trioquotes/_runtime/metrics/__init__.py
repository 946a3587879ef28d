"""A session's figures for Prometheus; what knows Prometheus is loaded when it is first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trioquotes._runtime.session import Feed
from trioquotes._runtime.stream import Stream
from trioquotes.errors import MissingExtra

if TYPE_CHECKING:
    from trioquotes._runtime.metrics.collector import SessionCollector

__all__ = ["collector_class", "prometheus"]


def collector_class() -> type[SessionCollector]:
    """The class of collectors.

    Raises:
        MissingExtra: the extra ``prometheus`` is not installed.
    """
    try:
        from trioquotes._runtime.metrics.collector import SessionCollector  # noqa: PLC0415  # needs the extra
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "prometheus_client":
            raise
        raise MissingExtra("metrics need prometheus-client: pip install trioquotes[prometheus]") from None
    return SessionCollector


def prometheus(*sources: Stream | Feed) -> SessionCollector:
    """Every figure of ``stream.statistics()`` as metrics, worked out anew whenever somebody asks.

    What comes back is a collector: serve it with ``nursery.start(metrics.serve)``, or register it with a
    ``CollectorRegistry`` of your own. Call it where trio runs. It needs the extra ``prometheus``.

    Args:
        sources: streams, or feeds for all of their streams; more can be added later. Two sessions of one venue need
            names, see ``SessionCollector.add``.

    Returns:
        The collector.

    Raises:
        MissingExtra: the extra ``prometheus`` is not installed.
        UsageError: two of them are sessions of one venue.
    """
    collector = collector_class()()
    for source in sources:
        collector.add(source)
    return collector
