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

from trioquotes.errors import UsageError

__all__ = ["Address", "TcpNetwork", "check_headers", "check_secrecy", "close_now", "describe", "parse_url"]

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


class TcpNetwork:
    """The network there is: TCP, to whichever of a name's addresses answers first."""

    async def open(self, host: str, port: int) -> trio.abc.Stream:
        """A TCP stream without Nagle's delay: trio sets ``TCP_NODELAY`` on each.

        Raises:
            OSError: no address of the host answers.
        """
        return await trio.open_tcp_stream(host, port)


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


def check_secrecy(address: Address, *, carries: bool) -> None:
    """Refuse to send what may be a credential in the clear to another machine.

    Raises:
        UsageError: the address is neither encrypted nor loopback.
    """
    if carries and not address.encrypted and not _is_loopback(address.host):
        raise UsageError(
            f"headers, which may hold credentials, go unencrypted to this machine only, not to {address.host}"
        )


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


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
