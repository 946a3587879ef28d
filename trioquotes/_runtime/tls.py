"""TLS on a stream of ours, with the peer's reason kept and the decrypted records drained."""

from __future__ import annotations

import functools
import os
import ssl

import certifi
import trio

__all__ = ["RECORD_BYTES", "default_context", "drain", "record_source", "shared_context", "start_tls"]

RECORD_BYTES = 16 * 1024
"""The most that one TLS record holds (RFC 8446, section 5.1)."""


def default_context() -> ssl.SSLContext:
    """Certificates and host names checked, against the system's authorities and certifi's.

    ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` say alone whom to trust where they are set.
    """
    context = ssl.create_default_context()
    if not {"SSL_CERT_FILE", "SSL_CERT_DIR"} & os.environ.keys():
        context.load_verify_locations(certifi.where())
    return context


def shared_context() -> ssl.SSLContext:
    """A default context for all sessions, which none of them changes: each of its own would cost 700 KB and 20 ms."""
    return _shared(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@functools.lru_cache(maxsize=4)
def _shared(file: str | None, folder: str | None) -> ssl.SSLContext:
    del file, folder  # whom it trusts depends on both
    return default_context()


async def start_tls(
    stream: trio.abc.Stream, context: ssl.SSLContext, host: str
) -> trio.SSLStream[trio.abc.Stream]:
    """Finish the TLS handshake here and now, so that its reason is not lost in a later read.

    Raises:
        trio.BrokenResourceError: it failed; the cause is the reason.
    """
    encrypted = trio.SSLStream(stream, context, server_hostname=host)
    await encrypted.do_handshake()
    return encrypted


def record_source(stream: trio.abc.Stream) -> ssl.SSLObject | None:
    """The object inside a TLS stream that decrypts; ``None`` without TLS, or where trio hides it.

    ``_ssl_object`` is private to trio: without it every record costs a call of trio's, nothing else.
    """
    found = getattr(stream, "_ssl_object", None)
    return found if isinstance(found, ssl.SSLObject) else None


def drain(source: ssl.SSLObject, first: bytes) -> bytes:
    """The record just received and all that came with it and can be decrypted without waiting.

    What is not a record to read (the end, a broken one) is left for trio to find with its next read.
    """
    records = [first]
    while True:
        try:
            record = source.read(RECORD_BYTES)
        except ssl.SSLError:  # SSLWantReadError: all was read
            break
        if not record:
            break
        records.append(record)
    return b"".join(records) if len(records) > 1 else first
