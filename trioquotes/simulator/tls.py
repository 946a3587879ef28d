"""Certificates for loopback, made on the spot."""

from __future__ import annotations

import ssl
from collections.abc import Sequence

import attrs

__all__ = ["LocalTls", "local_tls"]


@attrs.frozen
class LocalTls:
    """A server's side of TLS and what a client needs to trust it.

    Attributes:
        server: context for ``Simulator.open_server``.
        authority_pem: the authority's certificate.
    """

    server: ssl.SSLContext
    authority_pem: bytes

    def client_context(self) -> ssl.SSLContext:
        """A verifying client context that trusts only this authority."""
        context = ssl.create_default_context()
        context.load_verify_locations(cadata=self.authority_pem.decode())
        return context


def local_tls(hosts: Sequence[str] = ("localhost", "127.0.0.1", "::1")) -> LocalTls:
    """Make an authority and a certificate for these hosts; keys stay in memory."""
    import trustme  # noqa: PLC0415  # only who wants TLS pays for it

    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*hosts).configure_cert(server)
    return LocalTls(server, authority.cert_pem.bytes())
