"""Simulators served over TLS, with somebody in between who pings every client and listens to what it says."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import trio

from tests.long.heartbeats import PING_EVERY_S, RULES, Ear, Figures, summed
from trioquotes.simulator.server import Simulator

__all__ = ["Witness"]

TLS_WITHIN_S = 30.0
"""How long a handshake may take on a machine that is busy with something else."""


class Witness:
    """One venue.

    Args:
        venue: its name.
        simulator: serves it.
    """

    def __init__(self, venue: str, simulator: Simulator[Any]) -> None:
        self._venue = venue
        self._simulator = simulator
        self._open: set[Ear] = set()
        self._past: list[list[Figures]] = []

    def figures(self) -> list[Figures]:
        """What was found so far, open connections included."""
        now_s = trio.current_time()
        present = [ear.settle(now_s) for ear in self._open if ear.open]
        return summed(RULES[self._venue], [*self._past, *present])

    @asynccontextmanager
    async def open_server(self, context: ssl.SSLContext) -> AsyncIterator[str]:
        """Serve on loopback while the block runs; gives the URL."""
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listeners[0].socket.getsockname()[1]
        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_listeners, partial(self._serve, context), listeners)
            yield f"wss://127.0.0.1:{port}"
            nursery.cancel_scope.cancel()

    async def _serve(self, context: ssl.SSLContext, tcp: trio.SocketStream) -> None:
        secure = trio.SSLStream(tcp, context, server_side=True, https_compatible=True)
        try:
            with trio.fail_after(TLS_WITHIN_S):
                await secure.do_handshake()
        except (trio.BrokenResourceError, trio.TooSlowError):
            await trio.aclose_forcefully(secure)
            return
        ear = Ear(self._venue)
        self._open.add(ear)
        stream = _Overheard(secure, ear)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(stream.ping_for_ever)
                await self._simulator.serve_stream(stream, peer="127.0.0.1")
                nursery.cancel_scope.cancel()
        finally:
            self._open.discard(ear)
            if ear.open:
                self._past.append(ear.settle(trio.current_time()))


class _Overheard(trio.abc.Stream):
    """The server's stream: what passes is told to the ear, and pings go between its frames."""

    def __init__(self, stream: trio.abc.Stream, ear: Ear) -> None:
        self._stream = stream
        self._ear = ear
        self._turn = trio.Lock()
        self._opened = trio.Event()

    async def ping_for_ever(self) -> None:
        """Ping; the server's frames go out whole, each with one call."""
        await self._opened.wait()
        while True:
            await trio.sleep(PING_EVERY_S)
            async with self._turn:
                try:
                    await self._stream.send_all(self._ear.ping(trio.current_time()))
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    return  # the server finds the same

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        async with self._turn:
            self._ear.said(bytes(data), trio.current_time())
            await self._stream.send_all(data)
        if self._ear.open:
            self._opened.set()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data = await self._stream.receive_some(max_bytes)
        self._ear.heard(bytes(data), trio.current_time())
        return data

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()
