"""Proxies: what a URL of one means, and which one the environment names for a host. No I/O."""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias, cast, get_args
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

import attrs

from trioquotes.credentials import Secret
from trioquotes.errors import UsageError

__all__ = [
    "NO_PROXIES",
    "Proxy",
    "ProxyEnvironment",
    "ProxyScheme",
    "Traffic",
    "authority",
    "is_loopback",
    "parse_proxy",
]

ProxyScheme: TypeAlias = Literal["http", "https", "socks5", "socks5h"]
Traffic: TypeAlias = Literal["ws", "wss", "http", "https"]

SCHEMES: Final[tuple[str, ...]] = get_args(ProxyScheme)
DEFAULT_PORTS: Final[Mapping[str, int]] = {"http": 1080, "https": 443, "socks5": 1080, "socks5h": 1080}
"""Where a URL names none; 1080 for HTTP too, as curl has it."""
SOCKS_FIELD_BYTES: Final = 255
"""The longest user, password and host name that SOCKS5 can carry (RFC 1928, section 4; RFC 1929, section 2)."""

_VARIABLES: Final[Mapping[Traffic, tuple[str, ...]]] = {
    "wss": ("wss_proxy", "WSS_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"),
    "https": ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"),
    # HTTP_PROXY is what a web server makes of a request's header "Proxy": anybody could set it.
    "ws": ("ws_proxy", "WS_PROXY", "http_proxy", "all_proxy", "ALL_PROXY"),
    "http": ("http_proxy", "all_proxy", "ALL_PROXY"),
}
_EXCEPTIONS: Final = ("no_proxy", "NO_PROXY")


@attrs.frozen
class Proxy:
    """One proxy; ``str`` and ``repr`` show neither user nor password.

    Attributes:
        scheme: ``http`` and ``https`` tunnel with ``CONNECT``, the second over TLS to the proxy; ``socks5`` is told
            an address that was looked up here, ``socks5h`` a name to look up there.
        host: a name in ASCII, or an IP address without brackets.
        user: who we are to the proxy; ``None`` where the URL says nothing.
        password: empty where the URL has a user alone.
    """

    scheme: ProxyScheme
    host: str
    port: int
    user: Secret | None = None
    password: Secret = attrs.field(factory=lambda: Secret(""))

    def __str__(self) -> str:
        return f"{self.scheme}://{authority(self.host, self.port)}"

    @property
    def basic(self) -> str:
        """User and password as HTTP's Basic scheme has them; empty without a user."""
        if self.user is None:
            return ""
        return base64.b64encode(f"{self.user.reveal()}:{self.password.reveal()}".encode()).decode()

    @property
    def secrets(self) -> tuple[str, ...]:
        """What the proxy may repeat in its words and nobody may read there."""
        return () if self.user is None else (self.user.reveal(), self.password.reveal(), self.basic)

    def proxy_for(self, traffic: Traffic, host: str) -> Proxy:
        """This one, whatever it is for."""
        del traffic, host
        return self


@attrs.frozen
class ProxyEnvironment:
    """The variables that name proxies, as they were when it was made.

    They are read as curl reads them, but for one thing: this machine itself is never reached through a proxy that
    they name.

    *Source:* https://curl.se/libcurl/c/libcurl-env.html, and how curl 7.88 takes lists in ``no_proxy``.
    """

    _variables: Mapping[str, str] = attrs.field(repr=False)  # with users and passwords

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> ProxyEnvironment:
        """What is set there; an empty variable counts as one that is not set."""
        names = {name for group in (*_VARIABLES.values(), _EXCEPTIONS) for name in group}
        return cls({name: text for name in names if (text := environ.get(name, ""))})

    def proxy_for(self, traffic: Traffic, host: str) -> Proxy | None:
        """The proxy for a URL of that scheme and host; ``None`` to connect directly.

        Raises:
            UsageError: the variable's text is no URL of a proxy; the message names it and shows no password.
        """
        name = next((name for name in _VARIABLES[traffic] if name in self._variables), None)
        if name is None or is_loopback(host):
            return None
        listed = next((self._variables[each] for each in _EXCEPTIONS if each in self._variables), "")
        return None if _is_listed(host, listed) else parse_proxy(self._variables[name], name)


NO_PROXIES: Final = ProxyEnvironment({})
"""Every connection is direct."""


def parse_proxy(text: str, source: str = "proxy") -> Proxy:
    """Take the URL of a proxy apart; without a scheme it is ``http://``.

    Args:
        text: ``scheme://user:password@host:port``, user and password percent-encoded.
        source: where it stands, for messages.

    Raises:
        UsageError: it is none; the message shows nothing in which a password could be.
    """
    wanted = (
        f"{source} is not the URL of a proxy, such as http://host:3128 or socks5h://user:password@host:1080"
    )
    scheme, mark, rest = text.strip().partition("://")
    if not mark:
        scheme, rest = "http", text.strip()
    scheme = scheme.lower()
    if scheme not in SCHEMES:
        shown = f" {scheme}://" if re.fullmatch(r"[a-z][a-z0-9+.-]{0,15}", scheme) else ""
        raise UsageError(f"{source}: no proxy{shown}, only {', '.join(f'{each}://' for each in SCHEMES)}")
    if not rest.isprintable() or " " in rest:
        raise UsageError(wanted)
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        host, port = _ascii(parts.hostname or ""), parts.port
        user, password = _login(parts)
    except ValueError:
        raise UsageError(f"{wanted}; special characters of user and password are percent-encoded") from None
    if not host or port == 0 or parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise UsageError(f"{wanted}; special characters of user and password are percent-encoded")
    proxy = Proxy(
        cast("ProxyScheme", scheme), host, DEFAULT_PORTS[scheme] if port is None else port, user, password
    )
    _check_login(proxy, source)
    return proxy


def authority(host: str, port: int) -> str:
    """Host and port as a URL has them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only be this machine."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _ascii(host: str) -> str:
    """A host's name as resolvers and proxies want it.

    Raises:
        ValueError: it cannot be one.
    """
    return host if ":" in host else host.encode("idna").decode()


def _login(parts: SplitResult) -> tuple[Secret | None, Secret]:
    if not parts.username and not parts.password:
        return None, Secret("")
    user, password = (unquote_to_bytes(each or "").decode() for each in (parts.username, parts.password))
    return Secret(user), Secret(password)


def _check_login(proxy: Proxy, source: str) -> None:
    """Refuse what the way of proving who we are cannot carry."""
    if proxy.user is None:
        return
    user, password = proxy.user.reveal(), proxy.password.reveal()
    if proxy.scheme in {"http", "https"}:
        if ":" in user or not (user + password).isprintable():
            raise UsageError(f"{source}: HTTP carries no colon in a user's name, and no control characters")
    elif not user or max(len(user.encode()), len(password.encode())) > SOCKS_FIELD_BYTES:
        raise UsageError(f"{source}: SOCKS5 carries a user of 1 to 255 bytes and a password of up to 255")


def _is_listed(host: str, listed: str) -> bool:
    """Whether a list of exceptions holds the host, the domain it is in, or the network of its address."""
    if listed.strip() == "*":
        return True
    entries = [entry for entry in re.split(r"[\s,]+", listed) if entry]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.lower().removesuffix(".")
        domains = (entry.lower().removesuffix(".").removeprefix(".") for entry in entries)
        return any(domain and (name == domain or name.endswith(f".{domain}")) for domain in domains)
    return any(_covers(entry, address) for entry in entries)


def _covers(entry: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return address in ipaddress.ip_network(entry.strip("[]").removesuffix("/"), strict=False)
    except ValueError:
        return False
