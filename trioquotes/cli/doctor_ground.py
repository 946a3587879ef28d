"""The first steps of a check-up: the name, every address, TLS. No WebSocket yet."""

from __future__ import annotations

import errno
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import attrs
import trio

from trioquotes._runtime.connector import LineFailed, Network
from trioquotes._runtime.network import Address, TcpNetwork, close_now, describe
from trioquotes._runtime.proxies import TunnelNetwork
from trioquotes._runtime.tls import start_tls
from trioquotes.cli.doctor_advice import kind_of_connect, kind_of_resolve, kind_of_tls
from trioquotes.cli.doctor_report import Status, duration
from trioquotes.cli.numbers import many

__all__ = ["Ground", "Outcome"]

ADDRESSES: Final = 16
"""How many of a name's addresses are tried at most."""
SOON_DAYS: Final = 7
"""A certificate that ends sooner than this is late: automatic renewal comes weeks before."""
UNUSABLE: Final = frozenset({errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
"""What this machine says of a kind of address that it does not have, IPv6 mostly."""


@attrs.frozen
class Outcome:
    """What a step came to; as in ``Finding``."""

    said: str
    status: Status = "ok"
    kind: str = ""
    facts: Mapping[str, Any] = attrs.field(factory=dict)
    took_s: float | None = None
    """Where that is not how long the step went on."""

    @classmethod
    def failed(cls, kind: str, said: str, **facts: Any) -> Outcome:
        """It did not go."""
        return cls(said, "failed", kind, facts)

    @classmethod
    def warning(cls, kind: str, said: str, **facts: Any) -> Outcome:
        """It went, but somebody should look at it."""
        return cls(said, "warning", kind, facts)


class Ground:
    """One host, from its name to TLS.

    Args:
        address: of the venue's socket.
        way: what a session reaches it by; a tunnel where there is a proxy.
        context: for TLS.
        timeout_s: for one step.
    """

    def __init__(self, address: Address, way: Network, context: ssl.SSLContext, timeout_s: float) -> None:
        self._address = address
        self._tunnel = way if isinstance(way, TunnelNetwork) else None
        self._context = context
        self._timeout_s = timeout_s
        self._found: list[str] = []
        self._stream: trio.abc.Stream | None = None

    async def close(self) -> None:
        """Close what is open."""
        if self._stream is not None:
            await close_now(self._stream)

    async def resolve(self) -> Outcome:
        """Look the name up."""
        if self._tunnel is not None:
            await trio.lowlevel.checkpoint()
            return Outcome(f"{self._tunnel.through}", "none")
        host = self._address.host
        try:
            found = await trio.socket.getaddrinfo(host, self._address.port, type=trio.socket.SOCK_STREAM)
        except OSError as error:
            return Outcome.failed(kind_of_resolve(error), describe(error, self._address))
        self._found = list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
        said = host if self._found == [host] else ", ".join(self._found)
        return Outcome(said, facts={"addresses": self._found})

    async def connect(self) -> Outcome:
        """Connect to every address at once; the first of them that answered is kept."""
        if self._tunnel is not None:
            return await self._through(self._tunnel)
        tried = self._found[:ADDRESSES]
        attempts = [_Attempt(address) for address in tried]
        try:
            async with trio.open_nursery() as nursery:
                for attempt in attempts:
                    nursery.start_soon(attempt.run, self._address.port, self._timeout_s)
        finally:
            for attempt in attempts:
                if self._stream is None:
                    self._stream, attempt.stream = attempt.stream, None
                await attempt.close()  # noqa: ASYNC102  # it shields itself
        return self._judged(attempts)

    async def _through(self, tunnel: TunnelNetwork) -> Outcome:
        address = self._address
        try:
            self._stream = await tunnel.open(address.host, address.port)
        except LineFailed as failed:
            return Outcome.failed("proxy", failed.failure.reason)
        except OSError as error:
            return Outcome.failed("proxy", describe(error, address))
        return Outcome(f"{address.host}:{address.port} {tunnel.through}")

    def _judged(self, attempts: list[_Attempt]) -> Outcome:
        facts = {
            "addresses": [
                {"address": each.address, "seconds": each.took_s, "error": each.said} for each in attempts
            ]
        }
        good = [each for each in attempts if each.took_s is not None]
        lost = [each for each in attempts if each.took_s is None]
        port = self._address.port
        missing = "; ".join(f"{each.address}: {each.said}" for each in lost)
        if not good:
            kinds = [each.kind for each in lost if not each.is_unusable] or ["unreachable"]
            return Outcome.failed(kinds[0], f"port {port}: {missing}", **facts)
        taken = ", ".join(f"{each.address} in {duration(each.took_s or 0.0)}" for each in good)
        if not lost:
            return Outcome(f"port {port}: {taken}", facts=facts)
        said = f"port {port}: {taken}; {missing}"
        if all(each.is_unusable for each in lost):  # a machine without IPv6 is nothing out of order
            return Outcome(said, facts=facts)
        return Outcome.warning("some", said, **facts)

    async def tls(self) -> Outcome:
        """Make the TLS handshake, and look at what was agreed on."""
        if not self._address.encrypted or self._stream is None:
            await trio.lowlevel.checkpoint()
            return Outcome("ws:// is not encrypted", "none")
        try:
            stream = await start_tls(self._stream, self._context, self._address.host)
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
            kind = kind_of_tls(error)
            said = "the server ended the connection in mid-handshake" if kind == "lost" else describe(error)
            return Outcome.failed(kind, said)
        self._stream = stream
        version, cipher = str(stream.version()), str((stream.cipher() or ("?",))[0])
        facts: dict[str, Any] = {"version": version, "cipher": cipher}
        certificate = stream.getpeercert() or {}
        until = certificate.get("notAfter")
        if until is None:
            return Outcome(f"{version}, {cipher}, a certificate that nobody checked", facts=facts)
        left_days = (ssl.cert_time_to_seconds(str(until)) - time.time()) / 86_400
        facts |= {"not_after": str(until), "days_left": round(left_days, 1), "issuer": _issuer(certificate)}
        days = many(int(left_days), "day")
        said = f"{version}, {cipher}, certificate of {facts['issuer']} good for {days}"
        if left_days < SOON_DAYS:
            return Outcome.warning("ends soon", said, **facts)
        return Outcome(said, facts=facts)


class _Attempt:
    """A connection to one address."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.stream: trio.abc.Stream | None = None
        self.took_s: float | None = None
        self.said = ""
        self.kind = ""
        self.is_unusable = False

    async def run(self, port: int, timeout_s: float) -> None:
        """Connect, within the time that there is."""
        started_s = trio.current_time()
        with trio.move_on_after(timeout_s) as scope:
            try:
                self.stream = await TcpNetwork().open(self.address, port)
                self.took_s = trio.current_time() - started_s
            except OSError as error:
                self.said, self.kind = describe(error), kind_of_connect(error)
                self.is_unusable = _errno(error) in UNUSABLE
        if scope.cancelled_caught:
            self.said, self.kind = f"no answer within {timeout_s:g} s", "timeout"

    async def close(self) -> None:
        """Close it; nobody was told anything."""
        if self.stream is not None:
            await close_now(self.stream)


def _errno(error: BaseException) -> int | None:
    while error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, BaseExceptionGroup):
        return _errno(error.exceptions[0])
    return error.errno if isinstance(error, OSError) else None


def _issuer(certificate: Mapping[str, Any]) -> str:
    """Who vouches for it: the organisation, else whatever name there is."""
    names: dict[str, str] = {}
    with suppress(TypeError, ValueError):  # a certificate may hold anything
        names = {key: value for part in certificate.get("issuer", ()) for key, value in part}
    return names.get("organizationName") or names.get("commonName") or "an unnamed authority"
