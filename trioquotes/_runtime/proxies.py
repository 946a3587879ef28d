"""Connections through a proxy: which ones, and what happens before the first byte for the other end is sent."""

from __future__ import annotations

import ipaddress
import math
import os
import ssl
from contextlib import suppress
from typing import Final, Literal, TypeAlias

import trio

from trioquotes._protocol.effects import Endpoint, Failure
from trioquotes._protocol.proxying import NO_PROXIES, Proxy, ProxyEnvironment, Traffic, parse_proxy
from trioquotes._protocol.tunnels import Refused, tunnel
from trioquotes._runtime.connector import Connector, LineFailed, Network, ProxyFailed, Routable, Route
from trioquotes._runtime.network import (
    Address,
    TcpNetwork,
    check_local_address,
    check_secrecy,
    close_now,
    describe,
    parse_url,
)
from trioquotes._runtime.tls import is_refusal, shared_context, start_tls
from trioquotes.errors import UsageError

__all__ = ["REQUESTS", "SOCKETS", "TunnelNetwork", "Ways", "make_route", "routed"]

_Proxies: TypeAlias = Proxy | ProxyEnvironment
"""What names the proxy of a connection: the user one for all, or the environment one for each."""

READ_BYTES: Final = 4096
ADDRESSES: Final = 4
"""How many of a name's addresses are tried, each on a connection of its own, where the proxy reaches none before."""
SOCKETS: Final[tuple[Traffic, Traffic]] = ("wss", "ws")
REQUESTS: Final[tuple[Traffic, Traffic]] = ("https", "http")


def make_route(
    proxy: str | Literal[False] | None, local_address: str | None, happy_eyeballs_delay_s: float | None
) -> Route:
    """A session's options as a route.

    Raises:
        UsageError: one of them cannot be meant.
    """
    if proxy is not None and proxy is not False and not isinstance(proxy, str):
        raise UsageError("proxy is a URL, False for no proxy, or None for what the environment says")
    if proxy == "":
        raise UsageError("proxy is empty; False is for no proxy, whatever the environment says")
    if local_address is not None:
        check_local_address(local_address)
    if happy_eyeballs_delay_s is not None and not 0 < happy_eyeballs_delay_s < math.inf:
        raise UsageError("happy_eyeballs_delay_s must be positive and finite")
    return Route(
        proxy=parse_proxy(proxy) if isinstance(proxy, str) else proxy,
        local_address=local_address,
        happy_eyeballs_delay_s=happy_eyeballs_delay_s,
    )


def routed(connector: Connector, route: Route) -> Connector:
    """The connector with its connections going that way.

    Raises:
        UsageError: it does not let anybody choose.
    """
    if route == Route():
        return connector
    if not isinstance(connector, Routable):
        raise UsageError(
            f"{type(connector).__name__} takes no proxy, local_address or happy_eyeballs_delay_s from a session"
        )
    return connector.through(route)


class Ways:
    """The ways that the connections of one connector go.

    Args:
        network: where they begin; TCP unless given. What the environment says of proxies, when this is made, is about
            the network of this machine and holds for TCP alone.
    """

    def __init__(self, network: Network | None = None) -> None:
        self._network: Network = TcpNetwork() if network is None else network
        self._proxies: _Proxies = ProxyEnvironment.of(os.environ) if network is None else NO_PROXIES

    def through(self, route: Route) -> Ways:
        """The same but for what the route says.

        Raises:
            UsageError: the network was given, and cannot choose what addresses are connected.
        """
        network = self._network
        local, delay_s = route.local_address, route.happy_eyeballs_delay_s
        if local is not None or delay_s is not None:
            if not isinstance(network, TcpNetwork):
                raise UsageError(
                    "local_address and happy_eyeballs_delay_s are for TCP: this connector has another network"
                )
            network = TcpNetwork(
                local_address=network.local_address if local is None else local,
                happy_eyeballs_delay_s=network.happy_eyeballs_delay_s if delay_s is None else delay_s,
            )
        ways = Ways(network)
        ways._proxies = self._proxies if route.proxy is None else route.proxy or NO_PROXIES
        return ways

    def to(
        self,
        address: Address,
        kinds: tuple[Traffic, Traffic],
        given: ssl.SSLContext | None = None,
        *,
        carries: bool,
    ) -> Network:
        """What to reach an address by, for one connection.

        Args:
            address: the other end.
            kinds: the schemes of such connections, the encrypted one first.
            given: for TLS to a proxy; ``None`` for the default one.
            carries: whether what is sent there may hold a credential.

        Raises:
            UsageError: the environment names no proxy where it should, or the credential would leave this machine in
                the clear.
        """
        proxy = self._proxies.proxy_for(kinds[0 if address.encrypted else 1], address.host)
        check_secrecy(address, carries=carries, proxy=proxy)
        if proxy is None:
            return self._network
        return TunnelNetwork(self._network, proxy, given)

    def check(self, endpoint: Endpoint, *, has_credentials: bool) -> None:
        """Refuse before any I/O what no connection to that endpoint could be made with.

        Raises:
            UsageError: as :meth:`to`, or a URL of it is none.
        """
        urls = ((endpoint.public, SOCKETS), (endpoint.private, SOCKETS), (endpoint.rest, REQUESTS))
        for url, kinds in urls:
            if url is not None:
                self.to(parse_url(url, kinds), kinds, carries=has_credentials)


class TunnelNetwork:
    """A network behind a proxy, for one connection.

    Args:
        network: reaches the proxy.
        proxy: makes the tunnel.
        context: for TLS to a proxy of ``https://``; ``None`` for the default one.

    Attributes:
        late: what to say if the time is up before the tunnel is there.
        through: what to add to the reason of a failure behind the tunnel.
    """

    def __init__(self, network: Network, proxy: Proxy, context: ssl.SSLContext | None) -> None:
        self.late = ""
        self.through = f"through the proxy {proxy}"
        self._network = network
        self._proxy = proxy
        self._context = context

    async def open(self, host: str, port: int) -> trio.abc.Stream:
        """A stream to that host and port, through the tunnel.

        Raises:
            ProxyFailed: the proxy is not there, or made no tunnel.
            LineFailed: at the stage ``tls``: TLS to the proxy was refused.
            OSError: the host's name cannot be looked up here.
        """
        addresses = await self._addresses(host, port)
        while True:
            try:
                return await self._open(addresses.pop(0), port)
            except Refused as refused:
                if refused.unreached and addresses:
                    continue
                failure = Failure("connect", refused.reason, headers=refused.headers)
                raise ProxyFailed(failure, lasting=refused.lasting) from None

    async def _addresses(self, host: str, port: int) -> list[str]:
        """What the proxy is asked for, one after the other."""
        name = host if ":" in host else host.encode("idna").decode()
        if self._proxy.scheme != "socks5" or _is_address(name):
            return [name]
        self.late = f"the name {name} was not looked up in time"
        found = await trio.socket.getaddrinfo(name, port, type=trio.socket.SOCK_STREAM)
        return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))[:ADDRESSES]

    async def _open(self, host: str, port: int) -> trio.abc.Stream:
        """One connection to the proxy, and a tunnel.

        Raises:
            Refused: it made none.
        """
        stream: trio.abc.Stream | None = None
        done = False
        self.late = f"the proxy {self._proxy} was not reached in time"
        try:
            stream = await self._network.open(self._proxy.host, self._proxy.port)
            if self._proxy.scheme == "https":
                self.late = f"the proxy {self._proxy} did not finish the TLS handshake in time"
                stream = await start_tls(stream, self._context or shared_context(), self._proxy.host)
            self.late = f"the proxy {self._proxy} made no tunnel to {host} in time"
            await self._talk(stream, host, port)
            done = True
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise self._lost(error, reached=stream is not None) from error
        finally:
            if not done and stream is not None:
                await close_now(stream)  # noqa: ASYNC102  # it shields itself
        return stream

    async def _talk(self, stream: trio.abc.Stream, host: str, port: int) -> None:
        made = tunnel(self._proxy, host, port)
        ours = made.begin()
        while not made.done:
            if ours:
                with suppress(trio.BrokenResourceError):  # who hung up may have said why before
                    await stream.send_all(ours)
            ours = made.feed(bytes(await stream.receive_some(READ_BYTES)))

    def _lost(self, error: Exception, *, reached: bool) -> LineFailed:
        reason = f"the proxy {self._proxy}{'' if reached else ' cannot be reached'}: {describe(error)}"
        if is_refusal(error):
            return LineFailed(Failure("tls", reason))
        return ProxyFailed(Failure("connect", reason))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
