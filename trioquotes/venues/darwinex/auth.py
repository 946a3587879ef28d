"""How requests prove who they are: values in, headers out."""

from __future__ import annotations

import base64

from trioquotes.credentials import BearerToken, Credentials, Secret
from trioquotes.errors import UsageError

__all__ = ["basic", "bearer", "token_of"]


def token_of(credentials: Credentials) -> Secret:
    """The access token.

    Raises:
        UsageError: the credentials are none.
    """
    if not isinstance(credentials, BearerToken):
        raise UsageError(
            f"Darwinex takes a BearerToken with an access token, not a {type(credentials).__name__}"
        )
    return credentials.token


def bearer(token: Secret) -> tuple[str, str]:
    """The header of the upgrade request and of REST.

    *Source:* Product Quotes WebSocket walkthrough, 1 "Connection to the WebSocket".
    """
    return ("Authorization", f"Bearer {token.reveal()}")


def basic(consumer_key: Secret, consumer_secret: Secret) -> tuple[str, str]:
    """The header of a request for tokens.

    *Source:* the venue's own clients; RFC 7617.
    """
    pair = f"{consumer_key.reveal()}:{consumer_secret.reveal()}"
    return ("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}")
