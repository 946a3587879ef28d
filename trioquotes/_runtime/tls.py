"""TLS on a stream of ours, with the peer's reason kept and the decrypted records drained."""

from __future__ import annotations

import functools
import os
import re
import ssl
from typing import Any, Final

import certifi
import trio

__all__ = [
    "default_context",
    "is_refusal",
    "shared_context",
    "start_tls",
]

LASTING: Final = re.compile(
    "CERTIFICATE|UNKNOWN_CA|UNRECOGNIZED_NAME|PROTOCOL|VERSION|FALLBACK|CIPHER|HANDSHAKE_FAILURE|SECURITY|TOO_SMALL"
    "|LEGACY|HTTP"
)
"""In OpenSSL's name of a reason that lies in a certificate or in what the two sides can speak."""


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
    _let_go(encrypted)
    return encrypted


def _let_go(stream: object) -> None:
    """Make a stream forget the method that made its handshake, through which it holds itself.

    Once closed it then goes at once. The garbage collector comes late: of the 50 KB that OpenSSL has for each it knows
    nothing. ``_handshook`` is private to trio: without it the stream goes later, nothing else.
    """
    handshook: Any = getattr(stream, "_handshook", None)
    if getattr(handshook, "done", False) and hasattr(handshook, "_afn"):
        handshook._afn = None  # noqa: SLF001  # as said


def is_refusal(error: BaseException) -> bool:
    """Whether a handshake ended for a reason that stays until somebody changes something.

    A stream that broke or ended, a record that was garbled on its way, a server with an error of its own: all that
    passes, as it does without TLS.
    """
    while error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, ssl.SSLCertVerificationError):
        return True
    reason = getattr(error, "reason", None) if isinstance(error, ssl.SSLError) else None
    return reason is not None and LASTING.search(reason) is not None
