"""Sockets, and what is checked before one is opened."""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
import ssl
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import urlsplit

import trio

from trioquotes._protocol.proxying import Proxy, is_loopback
from trioquotes.errors import UsageError

__all__ = [
    "Address",
    "TcpNetwork",
    "check_headers",
    "check_local_address",
    "check_secrecy",
    "close_now",
    "describe",
    "origin_of",
    "parse_url",
]

DEFAULT_PORTS = {"ws": 80, "wss": 443, "http": 80, "https": 443}
ENCRYPTED = frozenset({"wss", "https"})

HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
HEADER_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?|")


_LOOKUPS = {
    socket.EAI_NONAME: "no such host",
    socket.EAI_AGAIN: "the host's name cannot be looked up now: the name server does not answer",
    socket.EAI_FAIL: "the host's name cannot be looked up: the name server fails",
    getattr(socket, "EAI_NODATA", socket.EAI_NONAME): "no such host",
}
_KINDS = {
    ConnectionRefusedError: "nothing listens there",
    ConnectionResetError: "connection reset by the peer",
    ConnectionAbortedError: "connection aborted",
    BrokenPipeError: "the peer closed the connection while it was written to",
    TimeoutError: "the peer stopped answering",
}
_ERRORS = {
    errno.ENETUNREACH: "no network leads there",
    errno.EHOSTUNREACH: "no route to the host",
    errno.ENETDOWN: "the network is down",
    errno.EADDRNOTAVAIL: "this machine has no address to connect from",
    errno.EMFILE: "this program has too many files and sockets open",
    errno.ENFILE: "this machine has too many files and sockets open",
    errno.EACCES: "the system does not permit the connection",
    errno.EPERM: "the system does not permit the connection",
}
"""What people call the errors of a network; others are said in the system's words."""


HAPPY_EYEBALLS_DELAY_S = 0.25
"""How long an address is tried alone (RFC 8305, section 5, recommends it)."""


class TcpNetwork:
    """The network there is: TCP, to whichever of a name's addresses answers first.

    IPv6 and IPv4 take turns at the head of the list: if the first address neither answers nor refuses within
    ``happy_eyeballs_delay_s``, one of the other family is tried beside it, and so on.

    Args:
        local_address: the IP address to connect from; ``None`` leaves it to the system. ``0.0.0.0`` and ``::`` only
            choose the family.
        happy_eyeballs_delay_s: how long one address is tried alone.
    """

    def __init__(
        self, *, local_address: str | None = None, happy_eyeballs_delay_s: float = HAPPY_EYEBALLS_DELAY_S
    ) -> None:
        self.local_address = local_address
        self.happy_eyeballs_delay_s = happy_eyeballs_delay_s

    async def open(self, host: str, port: int) -> trio.abc.Stream:
        """A TCP stream without Nagle's delay: trio sets ``TCP_NODELAY`` on each.

        Raises:
            OSError: no address of the host answers, or the local address cannot be used.
        """
        if self.local_address is not None:
            await self._check_local(self.local_address, host, port)
        try:
            return await trio.open_tcp_stream(
                host,
                port,
                local_address=self.local_address,
                happy_eyeballs_delay=self.happy_eyeballs_delay_s,
            )
        except OSError as error:
            if self.local_address is not None and isinstance(error.__cause__, ExceptionGroup):
                # Addresses of the other family, which trio tried to no purpose: it gives their errors no number.
                tried = error.__cause__.subgroup(
                    lambda each: isinstance(each, OSError) and each.errno is not None
                )
                error.__cause__ = tried or error.__cause__
            raise

    async def _check_local(self, local: str, host: str, port: int) -> None:
        """Find out why nothing can be reached from there, which trio would not say.

        Raises:
            OSError: it is no address of this machine, or the host has none of its family.
        """
        family = trio.socket.AF_INET6 if ":" in local else trio.socket.AF_INET
        with trio.socket.socket(family, trio.socket.SOCK_STREAM) as probe:
            try:
                await probe.bind((local, 0))
            except OSError as error:
                raise OSError(f"local_address {local} cannot be used: {_describe_os_error(error)}") from None
        found = await trio.socket.getaddrinfo(host, port, type=trio.socket.SOCK_STREAM)
        if all(kind != family for kind, *_ in found):
            wanted = "IPv6" if ":" in local else "IPv4"
            raise OSError(f"it has no {wanted} address, and local_address is {local}")


class Address(NamedTuple):
    """A URL as a connection needs it.

    Attributes:
        encrypted: whether TLS goes on top.
        host: a name or an IP address, without brackets.
        authority: what the ``Host`` header says.
        resource: path and query; it may hold a signature.
    """

    encrypted: bool
    host: str
    port: int
    authority: str
    resource: str


def parse_url(url: str, schemes: Iterable[str]) -> Address:
    """Take a URL apart.

    Raises:
        UsageError: it is not an absolute URL of one of the schemes; the message shows no query.
    """
    shown = url.split("?", 1)[0].rpartition("@")[2]  # neither a signature nor a password
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        (host or "").encode("idna")
    except ValueError:
        raise UsageError(f"{shown!r} is not a URL") from None
    if parts.scheme not in schemes or not host:
        raise UsageError(f"{shown!r} is not a {' or '.join(f'{scheme}://' for scheme in schemes)} URL")
    if parts.username is not None or parts.fragment:
        raise UsageError(f"{shown!r} has a user or a fragment, which no venue's URL has")
    resource = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not re.fullmatch(r"[\x21-\x7e]+", resource):
        raise UsageError(f"the path or query of {shown!r} is not percent-encoded")
    default = DEFAULT_PORTS[parts.scheme]
    authority = f"[{host}]" if ":" in host else host
    if port not in (None, default):
        authority = f"{authority}:{port}"
    return Address(parts.scheme in ENCRYPTED, host, default if port is None else port, authority, resource)


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL, which hold no secret: ``wss://127.0.0.1:8765``."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def check_headers(headers: Iterable[tuple[str, str]]) -> None:
    """Refuse what HTTP cannot carry, before a library names the value in its error.

    Raises:
        UsageError: naming the header, never its value.
    """
    for name, value in headers:
        if not HEADER_NAME.fullmatch(name):
            raise UsageError("a header's name holds characters that HTTP does not allow")
        if not HEADER_VALUE.fullmatch(value):
            raise UsageError(f"the value of header {name!r} holds characters that HTTP does not allow")


def check_secrecy(address: Address, *, carries: bool, proxy: Proxy | None = None) -> None:
    """Refuse to send what may be a credential in the clear to another machine.

    Args:
        address: where it is sent to.
        carries: whether it may hold a credential.
        proxy: through which it is sent. What loopback is behind a proxy elsewhere is not this machine.

    Raises:
        UsageError: the address is neither encrypted nor loopback, or the proxy is not loopback.
    """
    if not carries or address.encrypted:
        return
    for host in (address.host, *(() if proxy is None else (proxy.host,))):
        if not is_loopback(host):
            raise UsageError(
                f"what may hold credentials goes unencrypted to this machine only, not to {host}"
            )


def check_local_address(text: str) -> None:
    """Refuse what is no address to connect from.

    Raises:
        UsageError: it is no IP address.
    """
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise UsageError(f"local_address is an IPv4 or IPv6 address of this machine, not {text!r}") from None


async def close_now(stream: trio.abc.Stream) -> None:
    """Close without a goodbye and without waiting; no cancellation of ours replaces the error in flight."""
    with (
        trio.CancelScope(shield=True),
        suppress(OSError, trio.BrokenResourceError),
    ):  # closed it is all the same
        await trio.aclose_forcefully(stream)


def describe(error: BaseException, address: Address | None = None) -> str:
    """Why the network failed, in one line: the reason at the bottom of the chain of causes.

    Args:
        error: what was raised.
        address: where to, while no connection is there yet.
    """
    while error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, BaseExceptionGroup):  # one error for each address that was tried
        return "; ".join(sorted({describe(each, address) for each in error.exceptions}))
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {error.verify_message}"
    if isinstance(error, ssl.SSLError) and getattr(error, "reason", None) == "WRONG_VERSION_NUMBER":
        return "the peer does not speak TLS"  # what OpenSSL calls a wrong version is any other protocol
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError):
        words = _describe_os_error(error)
        if address is None:
            return words
        where = address.host if isinstance(error, socket.gaierror) else f"{address.host}:{address.port}"
        return f"{where}: {words}"
    text = str(error)
    return f"{type(error).__name__}: {text:.200}" if text else type(error).__name__


def _describe_os_error(error: OSError) -> str:
    """What the operating system means by it."""
    if isinstance(error, socket.gaierror):
        return _LOOKUPS.get(
            error.errno, f"the host's name cannot be looked up: {error.strerror or error!s:.200}"
        )
    for kind, words in _KINDS.items():
        if isinstance(error, kind):
            return words
    detail = error.strerror or str(error)
    own = f"{type(error).__name__}: {detail:.200}" if detail else type(error).__name__
    return own if error.errno is None else _ERRORS.get(error.errno, own)
