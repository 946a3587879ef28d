"""The credentials of a session: given once, or asked of the user's provider before every connect."""

from __future__ import annotations

import hashlib

import trio

from trioquotes._protocol.effects import Failure
from trioquotes._runtime.connector import LineFailed
from trioquotes.credentials import ApiKey, BearerToken, Credentials, CredentialsProvider

__all__ = ["ProviderFailed", "SecretsKeeper"]


class ProviderFailed(Exception):
    """The user's credentials provider raised; its exception is the cause."""


class SecretsKeeper:
    """Hands out the credentials to connect with.

    Args:
        given: credentials, a provider of them, or ``None``.
        timeout_s: for one call of the provider.

    Attributes:
        identity: tells accounts apart for budgets; a hash, so that it may show in statistics.
        renewable: whether asking again may bring other credentials.
    """

    def __init__(self, given: Credentials | CredentialsProvider | None, *, timeout_s: float) -> None:
        self._given = given
        self._timeout_s = timeout_s
        self.renewable = callable(given)
        self._last: Credentials | None = None
        self.identity = "" if given is None or callable(given) else _identity(given)

    async def get(self) -> Credentials | None:
        """The credentials for the next connect; waits for the provider.

        Raises:
            LineFailed: the provider did not answer in time.
            ProviderFailed: the provider raised.
        """
        if self._given is None or not callable(self._given):
            return self._given
        with trio.move_on_after(self._timeout_s):
            try:
                credentials = await self._given()
            except MemoryError:
                raise  # it says nothing about the credentials
            except Exception as error:
                raise ProviderFailed(f"the credentials provider raised {type(error).__name__}") from error
            self.identity = _identity(credentials)
            self._last = credentials
            return credentials
        raise LineFailed(
            Failure("connect", f"the credentials provider did not answer within {self._timeout_s:g} s")
        )

    def refused(self) -> None:
        """The venue refused what was handed out last: a provider that keeps credentials must not give it again."""
        tell = getattr(self._given, "refused", None)
        if tell is not None and self._last is not None:
            tell(self._last)


def _identity(credentials: Credentials) -> str:
    match credentials:
        case ApiKey():
            text = credentials.key.reveal()
        case BearerToken():
            text = credentials.token.reveal()
        case _:
            text = credentials.account_id
    return hashlib.sha256(text.encode()).hexdigest()[:16]
