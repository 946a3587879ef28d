"""A connector that a check-up looks through: when the line came up, what answered, and why it ended."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import attrs
import trio

from trioquotes._protocol.effects import Failure, HttpRequest, Reply
from trioquotes._protocol.veil import Veil, carried
from trioquotes._runtime.connector import Batch, Connector, Line, LineFailed, Target
from trioquotes._runtime.secrets import texts_of
from trioquotes.credentials import Credentials

__all__ = ["Probe"]


class Probe:
    """Makes the lines of a session and remembers the first.

    Args:
        inner: makes the lines in truth.
        credentials: that the session has: a peer may repeat them in its reasons.

    Attributes:
        opened_s: when the first line was open, by trio's clock; ``None`` before.
        failure: why it did not open, or how it ended; without secrets.
        pongs: how many came.
        trips_s: how long each answered ping took, where that can be told.
        veil: hides what is secret.
    """

    def __init__(self, inner: Connector, credentials: Credentials | None) -> None:
        self.opened_s: float | None = None
        self.failure: Failure | None = None
        self.pongs = 0
        self.trips_s: list[float] = []
        self.veil = Veil()
        if credentials is not None:
            self.veil.cover("credentials", *texts_of(credentials))
        self._inner = inner
        self._line: Line | None = None
        self._news = trio.Event()

    def line(self, target: Target) -> AbstractAsyncContextManager[Line]:
        """See ``Connector``."""
        self.veil.cover("handshake", *carried(target.handshake))
        return self._watched(self._inner.line(target))

    async def fetch(
        self, request: HttpRequest, *, timeout_s: float, ssl_context: ssl.SSLContext | None
    ) -> Reply:
        """See ``Connector``."""
        return await self._inner.fetch(request, timeout_s=timeout_s, ssl_context=ssl_context)

    async def until(self, happened: Callable[[], bool]) -> None:
        """Wait until this is so; looked at whenever something was noticed."""
        await trio.lowlevel.checkpoint()
        while not happened():
            await self._news.wait()

    async def ping(self) -> None:
        """Send a ping and wait for a pong, or for the end of the line.

        Raises:
            LineFailed: the line ended.
        """
        before = self.pongs
        if self._line is not None:
            await self._line.ping()
        await self.until(lambda: self.pongs > before or self.failure is not None)
        if self.failure is not None:
            raise LineFailed(self.failure)

    def noticed(self) -> None:
        """Let those who wait look again."""
        news, self._news = self._news, trio.Event()
        news.set()

    @asynccontextmanager
    async def _watched(self, line: AbstractAsyncContextManager[Line]) -> AsyncIterator[Line]:
        try:
            async with line as opened:
                self._line = opened
                if self.opened_s is None:
                    self.opened_s = trio.current_time()
                self.noticed()
                yield _Watched(opened, self)
        except LineFailed as failed:
            if self.failure is None:
                self.failure = self.veil.hide_failure(failed.failure)
            raise
        finally:
            self.noticed()

    def _received(self, batch: Batch) -> None:
        if batch.pongs:
            self.pongs += batch.pongs
            if batch.round_trip_s is not None:
                self.trips_s.append(batch.round_trip_s)
            self.noticed()


@attrs.frozen
class _Watched:
    """A line whose pongs are noticed."""

    inner: Line
    probe: Probe

    async def receive(self) -> Batch:
        batch = await self.inner.receive()
        self.probe._received(batch)  # noqa: SLF001  # its other half
        return batch

    async def send(self, frame: bytes) -> None:
        await self.inner.send(frame)

    async def ping(self) -> None:
        await self.inner.ping()
