"""Proxies played by hand, written from the RFCs: before a script on memory streams, and before servers on loopback."""

from __future__ import annotations

import base64
import ipaddress
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import NamedTuple

import trio

from tests.runtime.wire_peers import Peer, Script

__all__ = ["Asked", "ProxyServer", "behind_http", "behind_socks", "open_proxy"]

SUCCESS = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Asked(NamedTuple):
    """What a client wanted of a proxy."""

    host: str
    port: int
    login: str = ""


async def take(peer: Peer, size: int) -> bytes:
    """Exactly so many bytes."""
    if not await peer._fill(size):
        raise trio.BrokenResourceError("the client hung up")
    found = bytes(peer._unread[:size])
    del peer._unread[:size]
    return found


async def listen_http(peer: Peer) -> Asked:
    """Read a ``CONNECT``."""
    head = (await peer.read_request()).decode()
    found = re.match(r"CONNECT (\S+):(\d+) HTTP/1\.1\r\n", head)
    assert found, head
    assert f"\r\nHost: {found[1]}:{found[2]}\r\n" in head
    known = re.search(r"(?m)^Proxy-Authorization: Basic (\S+)\r$", head)
    login = base64.b64decode(known[1]).decode() if known else ""
    return Asked(found[1].strip("[]"), int(found[2]), login)


async def listen_socks(peer: Peer, *, method: int | None = None) -> Asked:
    """Read a SOCKS5 request, up to where its answer is due."""
    version, count = await take(peer, 2)
    methods = await take(peer, count)
    chosen = max(methods) if method is None else method
    assert version == 5
    assert chosen in methods
    await peer.send(bytes([5, chosen]))
    login = ""
    if chosen == 2:
        assert await take(peer, 1) == b"\x01"
        parts = [(await take(peer, (await take(peer, 1))[0])).decode() for _ in range(2)]
        login = ":".join(parts)
        await peer.send(b"\x01\x00")
    assert await take(peer, 3) == b"\x05\x01\x00"
    kind = (await take(peer, 1))[0]
    if kind == 3:
        host = (await take(peer, (await take(peer, 1))[0])).decode()
    else:
        host = str(ipaddress.ip_address(await take(peer, {1: 4, 4: 16}[kind])))
    return Asked(host, int.from_bytes(await take(peer, 2)), login)


def behind_http(script: Script, asked: list[Asked] | None = None, *, answer: bytes = SUCCESS) -> Script:
    """The script behind a proxy that answers every ``CONNECT`` so."""

    async def serve(peer: Peer) -> object:
        found = await listen_http(peer)
        if asked is not None:
            asked.append(found)
        await peer.send(answer)
        return await script(peer)

    return serve


def behind_socks(script: Script, asked: list[Asked] | None = None, *replies: int) -> Script:
    """The script behind a SOCKS5 proxy: it replies so to one connection after the other, and then with success."""
    left = list(replies)

    async def serve(peer: Peer) -> object:
        found = await listen_socks(peer)
        if asked is not None:
            asked.append(found)
        reply = left.pop(0) if left else 0
        await peer.send(bytes([5, reply, 0, 1]) + bytes(6))
        return None if reply else await script(peer)

    return serve


class ProxyServer:
    """A proxy that speaks HTTP and SOCKS5 on one port, and knows names of its own.

    Args:
        names: what hosts mean, as host and port; others are not reached.
        login: user and password that it wants, with a colon between.
    """

    def __init__(self, names: dict[str, tuple[str, int]], *, login: str = "") -> None:
        self.asked: list[Asked] = []
        self._names = names
        self._login = login

    async def serve(self, stream: trio.abc.Stream) -> None:
        """One client, to its end."""
        peer = Peer(stream)
        try:
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await self._serve(peer)
        finally:
            await trio.aclose_forcefully(stream)

    async def _serve(self, peer: Peer) -> None:
        speaks_http = not await peer._fill(1) or peer._unread[:1] == b"C"
        asked = await (listen_http(peer) if speaks_http else listen_socks(peer))
        self.asked.append(asked)
        place = self._names.get(asked.host)
        if speaks_http:
            refusal = b"407 No" if asked.login != self._login else b"502 Unknown" if place is None else b""
            if refusal:
                await peer.send(b"HTTP/1.1 " + refusal + b"\r\nContent-Length: 0\r\n\r\n")
                return
            await peer.send(SUCCESS)
        else:
            refused = asked.login != self._login or place is None
            await peer.send(bytes([5, 4 if refused else 0, 0, 1]) + bytes(6))
            if refused:
                return
        assert place is not None
        server = await trio.open_tcp_stream(*place)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pump, peer.stream, server, nursery.cancel_scope)
            nursery.start_soon(pump, server, peer.stream, nursery.cancel_scope)
        await trio.aclose_forcefully(server)


async def pump(source: trio.abc.Stream, sink: trio.abc.Stream, scope: trio.CancelScope) -> None:
    """Carry bytes one way; the end of one way ends both."""
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        while data := await source.receive_some(65536):
            await sink.send_all(data)
    scope.cancel()


@asynccontextmanager
async def open_proxy(proxy: ProxyServer, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port at which the proxy listens; it ends with the block."""

    async def serve(stream: trio.SocketStream) -> None:
        await proxy.serve(stream if context is None else trio.SSLStream(stream, context, server_side=True))

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()
