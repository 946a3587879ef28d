"""What is said to a proxy until it has made a tunnel: HTTP ``CONNECT`` and SOCKS5. Bytes in, bytes out.

*Source:* RFC 9110, section 9.3.6 (``CONNECT``), section 11.7 and RFC 7617 (user and password over HTTP);
RFC 1928 (SOCKS5); RFC 1929 (user and password over SOCKS5).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Final, Protocol

import h11

from trioquotes._protocol.proxying import SOCKS_FIELD_BYTES, Proxy, authority
from trioquotes._protocol.veil import Veil

__all__ = ["HttpTunnel", "Refused", "SocksTunnel", "Tunnel", "tunnel"]

HEAD_BYTES: Final = 64 * 1024
"""The most that a proxy may say before its tunnel is there."""
KEPT_HEADERS: Final = frozenset({"retry-after", "date"})
"""Of a refusal: how long the proxy asks to be left alone."""
REASON: Final = 80
"""Characters of a proxy's own words that are passed on."""

UNAUTHORIZED, LOGIN = frozenset({401, 407}), 407
FORBIDDEN = 403
UNREACHED = frozenset({502, 504})

SOCKS, LOGIN_VERSION = 5, 1
NO_LOGIN, USER_AND_PASSWORD, NOTHING_ACCEPTED = 0x00, 0x02, 0xFF
CONNECT, RESERVED = 1, 0
IPV4, NAME, IPV6 = 1, 3, 4
PORT_BYTES = 2
HEAD_OF_REPLY = 5
"""Version, reply, reserved, kind of address, and the first byte of the address, which is a name's length."""

_LASTING: Final = 2
_UNREACHED: Final[Mapping[int, str]] = {
    3: "no network leads there",
    4: "no route to the host",
    5: "nothing listens there",
    6: "its time to live ran out",
    8: "the proxy knows no addresses of that kind",
}
"""Replies that speak of one address: another of the same host may be reached."""
_FAILED: Final[Mapping[int, str]] = {
    1: "a general failure of the proxy",
    7: "the proxy knows no CONNECT",
    **_UNREACHED,
}


class Refused(Exception):
    """The proxy makes no tunnel.

    Attributes:
        reason: why, naming the proxy without its password.
        lasting: whether trying again cannot help until somebody changes something.
        unreached: whether another address of the same host might do.
        headers: how long the proxy asks to be left alone, names in lower case.
    """

    def __init__(
        self,
        reason: str,
        *,
        lasting: bool = False,
        unreached: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.lasting = lasting
        self.unreached = unreached
        self.headers = dict(headers or {})


class Tunnel(Protocol):
    """One attempt to have a tunnel made.

    Attributes:
        done: the tunnel is there; what is sent from now on goes to the other end.
    """

    done: bool

    def begin(self) -> bytes:
        """What to send first."""

    def feed(self, data: bytes) -> bytes:
        """Take what the proxy said, empty at its end; what to answer.

        Raises:
            Refused: there will be no tunnel.
        """


def tunnel(proxy: Proxy, host: str, port: int) -> Tunnel:
    """A tunnel to make through that proxy.

    Args:
        proxy: speaks HTTP or SOCKS5.
        host: a name in ASCII, or an IP address without brackets.
        port: of the other end.
    """
    if proxy.scheme in {"http", "https"}:
        return HttpTunnel(proxy, host, port)
    return SocksTunnel(proxy, host, port)


class _Words:
    """Names proxy and destination; what the proxy said itself goes in only without our secrets."""

    def __init__(self, proxy: Proxy, host: str, port: int) -> None:
        self.proxy = f"the proxy {proxy}"
        self.there = authority(host, port)
        self._veil = Veil()
        self._veil.cover("proxy", *proxy.secrets)

    def quote(self, said: bytes) -> str:
        """What the proxy said, fit for a line that is read by people in a terminal."""
        return self._veil.hide(re.sub(r"[^\x20-\x7e]", "?", said.decode("latin-1")))[:REASON].strip()

    def hung_up(self, when: str) -> Refused:
        return Refused(f"{self.proxy} hung up {when}")

    def talks(self) -> Refused:
        """What comes before we said anything is not from the other end: nobody may put words into its mouth."""
        return Refused(f"{self.proxy} said more than that the tunnel is made")


class HttpTunnel:
    """A tunnel by HTTP ``CONNECT``; see :class:`Tunnel`."""

    def __init__(self, proxy: Proxy, host: str, port: int) -> None:
        self.done = False
        self._proxy = proxy
        self._words = _Words(proxy, host, port)
        self._begin = b""
        self._size = 0
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES)

    def begin(self) -> bytes:
        """See :class:`Tunnel`."""
        there = self._words.there
        headers = [("Host", there), ("User-Agent", "trioquotes")]
        if self._proxy.user is not None:
            headers.append(("Proxy-Authorization", f"Basic {self._proxy.basic}"))
        request = h11.Request(method="CONNECT", target=there, headers=headers)
        return b"".join(self._http.send(event) or b"" for event in (request, h11.EndOfMessage()))

    def feed(self, data: bytes) -> bytes:
        """See :class:`Tunnel`."""
        if not data:
            raise self._words.hung_up("in its answer" if self._begin else "without an answer")
        self._size += len(data)
        if self._size > HEAD_BYTES:
            raise Refused(f"{self._words.proxy} says too much: over {HEAD_BYTES} bytes in place of an answer")
        self._check_language(data)
        try:
            self._http.receive_data(data)
            while (event := self._http.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
                if isinstance(event, h11.Response):
                    self._take(event)
        except h11.RemoteProtocolError as error:
            said = self._words.quote(str(error).encode(errors="replace"))
            raise Refused(f"the answer of {self._words.proxy} is not HTTP: {said}") from None
        return b""

    def _check_language(self, data: bytes) -> None:
        expected = b"HTTP/1."
        if len(self._begin) >= len(expected):
            return
        self._begin = (self._begin + data)[: len(expected)]
        if expected.startswith(self._begin):
            return
        hint = ""
        if self._begin.startswith((b"\x15\x03", b"\x16\x03")):
            hint = ", but TLS: does its URL begin with https://?"
        elif self._begin.startswith(b"\x05"):
            hint = ", but SOCKS5: its URL begins with socks5h:// or socks5://"
        raise Refused(f"{self._words.proxy} does not speak HTTP{hint}")

    def _take(self, answer: h11.Response) -> None:
        status, words = answer.status_code, self._words
        if 200 <= status < 300:  # a success, whichever
            if self._http.trailing_data[0]:
                raise words.talks()
            self.done = True
            return
        said = f"{status} {words.quote(answer.reason)}".strip()
        headers = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in answer.headers
            if name.decode("latin-1") in KEPT_HEADERS
        }
        if status in UNAUTHORIZED:
            raise Refused(self._unauthorized(said, answer), lasting=True)
        if status == FORBIDDEN:
            raise Refused(
                f"{words.proxy} does not permit a tunnel to {words.there} ({said}): have it allowed there, or connect"
                " without this proxy",
                lasting=True,
            )
        if status in UNREACHED:
            raise Refused(f"{words.proxy} cannot reach {words.there} ({said})", headers=headers)
        raise Refused(f"{words.proxy} made no tunnel to {words.there} ({said})", headers=headers)

    def _unauthorized(self, said: str, answer: h11.Response) -> str:
        words = self._words
        challenges = b", ".join(value for name, value in answer.headers if name == b"proxy-authenticate")
        found = re.findall(r"(?:^|,)\s*([A-Za-z][A-Za-z0-9-]{0,19})(?= |,|$)", challenges.decode("latin-1"))
        if answer.status_code == LOGIN and found and "basic" not in {each.lower() for each in found}:
            ways = words.quote(", ".join(dict.fromkeys(found)).encode())
            return f"{words.proxy} wants to be convinced by {ways} ({said}), and only Basic is known here"
        if self._proxy.user is None:
            return f"{words.proxy} wants a user and a password ({said}): its URL is http://user:password@host:port"
        return f"{words.proxy} refuses the user and password in its URL ({said})"


class SocksTunnel:
    """A tunnel by SOCKS5; see :class:`Tunnel`."""

    def __init__(self, proxy: Proxy, host: str, port: int) -> None:
        self.done = False
        self._proxy = proxy
        self._host, self._port = host, port
        self._words = _Words(proxy, host, port)
        self._unread = b""
        self._expected = self._method

    def begin(self) -> bytes:
        """See :class:`Tunnel`."""
        if len(self._host.encode()) > SOCKS_FIELD_BYTES:
            raise Refused(f"{self._words.there} is longer than a name that SOCKS5 can carry", lasting=True)
        methods = [NO_LOGIN] if self._proxy.user is None else [NO_LOGIN, USER_AND_PASSWORD]
        return bytes([SOCKS, len(methods), *methods])

    def feed(self, data: bytes) -> bytes:
        """See :class:`Tunnel`."""
        if not data:
            raise self._words.hung_up(self._point())
        self._unread += data
        answer = b""
        while not self.done and (found := self._expected(self._unread)) is not None:
            size, words = found
            self._unread = self._unread[size:]
            answer += words
        return answer

    def _point(self) -> str:
        """Where it is that the proxy hung up; some do where others would say no."""
        if self._unread:
            return "in mid-sentence"
        if self._expected == self._login:
            return "on the user and password in its URL"
        unknown = self._expected == self._method and self._proxy.user is None
        return "without an answer" + (": it may want a user and a password" if unknown else "")

    def _method(self, said: bytes) -> tuple[int, bytes] | None:
        """Which of the ways to prove who we are the proxy wants."""
        self._check_version(said, SOCKS)
        if len(said) < 2:  # version, method
            return None
        proxy, words = self._proxy, self._words
        if said[1] == NO_LOGIN:
            self._expected = self._reply
            return 2, self._request()
        if said[1] == USER_AND_PASSWORD and proxy.user is not None:
            self._expected = self._login
            user, password = proxy.user.reveal().encode(), proxy.password.reveal().encode()
            return 2, bytes([LOGIN_VERSION, len(user)]) + user + bytes([len(password)]) + password
        if said[1] == NOTHING_ACCEPTED and proxy.user is None:
            example = f"{proxy.scheme}://user:password@host:port"
            raise Refused(f"{words.proxy} wants a user and a password: its URL is {example}", lasting=True)
        if said[1] == NOTHING_ACCEPTED:
            raise Refused(f"{words.proxy} takes neither a password nor nobody's word", lasting=True)
        raise Refused(f"{words.proxy} wants what was not offered (SOCKS5 method {said[1]})")

    def _login(self, said: bytes) -> tuple[int, bytes] | None:
        """Whether user and password are right."""
        self._check_version(said, LOGIN_VERSION)
        if len(said) < 2:  # version, status
            return None
        if said[1]:
            raise Refused(f"{self._words.proxy} refuses the user and password in its URL", lasting=True)
        self._expected = self._reply
        return 2, self._request()

    def _reply(self, said: bytes) -> tuple[int, bytes] | None:
        """Whether the tunnel is made."""
        self._check_version(said, SOCKS)
        if len(said) < 2:  # version, reply
            return None
        if said[1]:  # some proxies say no more than this
            raise self._refusal(said[1])
        if len(said) < HEAD_OF_REPLY:
            return None
        sizes = {IPV4: 4, NAME: 1 + said[4], IPV6: 16}
        if said[3] not in sizes:
            raise Refused(f"{self._words.proxy} broke the rules of SOCKS5: an address of kind {said[3]}")
        size = 4 + sizes[said[3]] + PORT_BYTES
        if len(said) < size:
            return None
        if len(said) > size:
            raise self._words.talks()
        self.done = True
        return size, b""

    def _refusal(self, reply: int) -> Refused:
        words = self._words
        if reply == _LASTING:
            return Refused(
                f"{words.proxy} does not permit a tunnel to {words.there}: have it allowed there, or connect without"
                " this proxy",
                lasting=True,
            )
        why = _FAILED.get(reply, f"SOCKS5 reply {reply}")
        return Refused(f"{words.proxy} cannot reach {words.there}: {why}", unreached=reply in _UNREACHED)

    def _check_version(self, said: bytes, version: int) -> None:
        if not said or said[0] == version:
            return
        hint = ", but HTTP: its URL begins with http://" if b"HTTP/1.".startswith(said[:7]) else ""
        raise Refused(f"{self._words.proxy} does not speak SOCKS5{hint}")

    def _request(self) -> bytes:
        try:
            address = ipaddress.ip_address(self._host)
        except ValueError:
            name = self._host.encode()
            where = bytes([NAME, len(name)]) + name
        else:
            where = bytes([IPV4 if address.version == 4 else IPV6]) + address.packed
        return bytes([SOCKS, CONNECT, RESERVED]) + where + self._port.to_bytes(PORT_BYTES)
