"""The credentials of a session: given once, or asked of the user's provider before every connect."""

from __future__ import annotations

import hashlib
from typing import Final

import attrs
import trio

from trioquotes._protocol.effects import Failure
from trioquotes._protocol.veil import Veil
from trioquotes._runtime.connector import LineFailed
from trioquotes.credentials import ApiKey, BearerToken, Credentials, CredentialsProvider, Secret

__all__ = ["ProviderFailed", "SecretsKeeper", "texts_of"]

REMEMBERED: Final = 4
"""How many credentials of a provider stay hidden at the same time: a text about an old token may come late."""


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
        veil: hides in the words of others whatever was handed out.
    """

    def __init__(self, given: Credentials | CredentialsProvider | None, *, timeout_s: float) -> None:
        self._given = given
        self._timeout_s = timeout_s
        self.renewable = callable(given)
        self.veil = Veil()
        self._last: Credentials | None = None
        self._handed_out = 0
        self.identity = ""
        if given is not None and not callable(given):
            self._know(given)

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
            if credentials != self._last:
                self._know(credentials)
            return credentials
        raise LineFailed(
            Failure("connect", f"the credentials provider did not answer within {self._timeout_s:g} s")
        )

    def refused(self, credentials: Credentials | None) -> None:
        """The venue refused these: a provider that keeps credentials must not give them again."""
        tell = getattr(self._given, "refused", None)
        if tell is not None and credentials is not None:
            tell(credentials)

    def _know(self, credentials: Credentials) -> None:
        self._last = credentials
        self.identity = _identity(credentials)
        self.veil.cover(("credentials", self._handed_out % REMEMBERED), *texts_of(credentials))
        self._handed_out += 1


def texts_of(credentials: Credentials) -> list[str]:
    """Everything secret in them."""
    values = attrs.asdict(credentials, recurse=False).values()
    return [value.reveal() for value in values if isinstance(value, Secret)]


def _identity(credentials: Credentials) -> str:
    match credentials:
        case ApiKey():
            text = credentials.key.reveal()
        case BearerToken():
            text = credentials.token.reveal()
        case _:
            text = credentials.account_id
    return hashlib.sha256(text.encode()).hexdigest()[:16]
