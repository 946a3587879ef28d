"""``--metrics``: the figures of a running session for Prometheus."""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import trio

from trioquotes._runtime.metrics import collector_class, prometheus
from trioquotes._runtime.metrics.page import LOOPBACK, address_of, open_listeners, serve_page
from trioquotes._runtime.stream import Stream
from trioquotes.cli.exits import say
from trioquotes.errors import SessionError, UsageError

__all__ = ["CannotServeMetrics", "MetricsAddress", "metrics_address", "served"]

ADDRESS = re.compile(r"(?:(?P<host>[^:\[\]]+|\[[^\[\]]+\]):)?(?P<port>[0-9]{1,5})")


class CannotServeMetrics(SessionError):
    """The address for the metrics cannot be had: somebody else listens there, or it is not allowed."""


@attrs.frozen
class MetricsAddress:
    """Where metrics are to be served."""

    host: str
    port: int


def metrics_address(text: str | None) -> MetricsAddress | None:
    """What ``--metrics`` says: a port on loopback, or a host and a port; ``None`` where it is not there.

    Raises:
        UsageError: it says neither.
        MissingExtra: the extra ``prometheus`` is not installed.
    """
    if text is None:
        return None
    collector_class()
    found = ADDRESS.fullmatch(text)
    if found is None or int(found["port"]) >= 2**16:
        raise UsageError(f"--metrics takes a port from 0 to 65535, or HOST:PORT, not {text!r}")
    return MetricsAddress((found["host"] or LOOPBACK).strip("[]"), int(found["port"]))


@asynccontextmanager
async def served(address: MetricsAddress | None, stream: Stream) -> AsyncIterator[None]:
    """Serve a session's figures while the block runs; without an address nothing happens.

    Raises:
        UsageError: the host is none.
        CannotServeMetrics: the address cannot be had.
    """
    if address is None:
        yield
        return
    collector = prometheus(stream)
    try:
        listeners = await open_listeners(address.port, address.host)
    except socket.gaierror as error:
        raise UsageError(f"--metrics {address.host}: {error.strerror}") from None
    except OSError as error:
        where = f"{address.host} port {address.port}"
        free = "; port 0 takes a free one" if error.errno == errno.EADDRINUSE else ""
        raise CannotServeMetrics(f"cannot serve metrics on {where}: {error.strerror}{free}") from None
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_page, collector.page, listeners)
        say(f"metrics at {address_of(listeners[0])}")
        yield
        nursery.cancel_scope.cancel()
