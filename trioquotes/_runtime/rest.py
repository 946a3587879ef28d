"""HTTP requests over the same network as the lines, so that a memory network serves them too.

httpx2's request model and its engine, httpcore2, without httpx2's client on top: that one logs every URL
with its query, follows what the environment says about proxies, and re-encodes paths that were signed. What
httpcore2 itself would log of these requests is kept back: the headers of an answer may repeat a secret.
"""

# ruff: noqa: ARG002, ASYNC109  # httpcore2's signatures

from __future__ import annotations

import logging
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import httpcore2
import httpx2
import trio

from trioquotes._protocol.effects import Failure, HttpRequest, Reply, Stage
from trioquotes._runtime.connector import LineFailed, Network, ProxyFailed
from trioquotes._runtime.network import Address, close_now, describe
from trioquotes._runtime.proxies import TunnelNetwork
from trioquotes._runtime.tls import start_tls
from trioquotes._runtime.upgrade import BODY_BYTES

__all__ = ["MAX_BODY_BYTES", "fetch"]

MAX_BODY_BYTES = 32 * 1024 * 1024
"""The largest answer accepted: as large as the largest message."""

OWN_HEADERS = (("User-Agent", "trioquotes"), ("Accept-Encoding", "identity"))
"""Sent unless the request has its own. An unpacked answer could be a thousand times what was received."""


_is_ours: ContextVar[bool] = ContextVar("a request of trioquotes", default=False)


class _Discreet(logging.Filter):
    """Keeps back what is logged of our requests, and of nobody else's."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not _is_ours.get()


for _name in ("httpcore2.connection", "httpcore2.http11"):
    logging.getLogger(_name).addFilter(_Discreet())


async def fetch(
    network: Network,
    request: HttpRequest,
    address: Address,
    *,
    timeout_s: float,
    ssl_context: ssl.SSLContext | None,
) -> Reply:
    """Make one request on a connection of its own; any status is an answer and no redirect is followed.

    Args:
        network: gives the stream, through a proxy where one is wanted: a tunnel also for ``http://``.
        request: its headers were checked.
        address: what its URL says.
        timeout_s: for everything together, in seconds.
        ssl_context: for ``https://``.

    Raises:
        ProxyFailed: the network lies behind a proxy, which did not let us through.
        LineFailed: no whole answer came within the time and the size allowed.
    """
    exchange = _Exchange(network, ssl_context)
    with trio.move_on_after(timeout_s):
        try:
            return await exchange.run(request, address)
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise exchange.failed(exchange.lost or describe(error)) from error
        except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            raise exchange.failed(f"the answer is not HTTP: {error!s:.120}") from None
    if exchange.stage == "connect" and isinstance(network, TunnelNetwork):
        raise ProxyFailed(Failure("connect", f"{network.late} ({timeout_s:g} s)"))
    raise exchange.failed(f"no whole answer within {timeout_s:g} s")


class _Exchange:
    """One request and its answer, as far as it came."""

    def __init__(self, network: Network, ssl_context: ssl.SSLContext | None) -> None:
        self._backend = _Backend(network, ssl_context)
        self._status: int | None = None
        self._headers: dict[str, str] = {}
        self._body = bytearray()

    @property
    def lost(self) -> str:
        """How the network failed, if it did."""
        return self._backend.lost

    @property
    def stage(self) -> Stage:
        """How far it came."""
        return self._backend.stage

    async def run(self, request: HttpRequest, address: Address) -> Reply:
        given = {name.lower() for name, _ in request.headers}
        own = [header for header in OWN_HEADERS if header[0].lower() not in given]
        model = httpx2.Request(
            request.method, request.url, headers=[*request.headers, *own], content=request.body or None
        )
        url = httpcore2.URL(
            scheme=model.url.raw_scheme,
            host=model.url.raw_host,
            port=address.port,
            target=address.resource,  # byte for byte: it may be signed
        )
        # httpcore2 would write into a context that it is given; ours is used by the backend instead.
        unused = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        before = _is_ours.set(True)
        try:
            async with (
                httpcore2.AsyncConnectionPool(ssl_context=unused, network_backend=self._backend) as pool,
                pool.stream(
                    model.method, url, headers=model.headers.raw, content=model.content or None
                ) as response,
            ):
                self._take_head(response)
                await self._take_body(response.aiter_stream())
        finally:
            _is_ours.reset(before)
        assert self._status is not None  # noqa: S101  # for the type checker
        return Reply(self._status, self._headers, bytes(self._body))

    def failed(self, reason: str, *, too_large: bool = False) -> LineFailed:
        """What became of it, with all that is known of the answer."""
        body = bytes(self._body[:BODY_BYTES])
        stage = self._backend.stage
        return LineFailed(Failure(stage, reason, self._status, self._headers, body, too_large=too_large))

    def _take_head(self, response: httpcore2.Response) -> None:
        self._status = response.status
        for name, value in response.headers:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text
        encoding = self._headers.get("content-encoding", "identity")
        if encoding != "identity" and self._headers.get("content-length") != "0":
            raise self.failed(f"the answer is packed ({encoding}), which was not asked for")
        if int(self._headers.get("content-length", "0")) > MAX_BODY_BYTES:
            raise self._too_large()

    async def _take_body(self, parts: AsyncIterator[bytes]) -> None:
        async for part in parts:
            self._body += part
            if len(self._body) > MAX_BODY_BYTES:
                raise self._too_large()

    def _too_large(self) -> LineFailed:
        return self.failed(f"the answer is over {MAX_BODY_BYTES} bytes", too_large=True)


class _Backend(httpcore2.AsyncNetworkBackend):
    """Gives httpcore2 streams of our network, and keeps how far they came and how they failed."""

    def __init__(self, network: Network, ssl_context: ssl.SSLContext | None) -> None:
        self.stage: Stage = "connect"
        self.lost = ""
        self._network = network
        self._ssl_context = ssl_context

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[object] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """A stream of the network; the whole exchange has one time limit, outside."""
        with self.watching():
            stream = await self._network.open(host, port)
        self.stage = "tls" if self._ssl_context is not None else "stream"
        return _Stream(stream, self)

    async def encrypt(self, stream: trio.abc.Stream, host: str) -> trio.abc.Stream:
        """TLS on top of a stream, with the context meant for this exchange."""
        assert self._ssl_context is not None  # noqa: S101  # for the type checker
        with self.watching():
            encrypted = await start_tls(stream, self._ssl_context, host)
        self.stage = "stream"
        return encrypted

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Keep the reason of a failure: httpcore2 cuts the chain of causes."""
        try:
            yield
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
            self.lost = describe(error)
            raise


class _Stream(httpcore2.AsyncNetworkStream):
    """A trio stream as httpcore2 sees it."""

    def __init__(self, stream: trio.abc.Stream, backend: _Backend) -> None:
        self._stream = stream
        self._backend = backend

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with self._backend.watching():
            return bytes(await self._stream.receive_some(max_bytes))

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        with self._backend.watching():
            await self._stream.send_all(buffer)

    async def aclose(self) -> None:
        await close_now(self._stream)

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        try:
            return _Stream(await self._backend.encrypt(self._stream, server_hostname or ""), self._backend)
        except BaseException:
            await self.aclose()  # httpcore2 does not
            raise
