"""What a user hands over to prove who they are; no ``repr``, copy or pickle shows a secret.

A session takes one of these classes, or an async function without arguments that returns one: it
is called afresh before every connect, so a token that expires can be renewed in there.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from typing import NoReturn, TypeAlias

import attrs

from trioquotes.errors import MissingCredentials

__all__ = ["ApiKey", "BearerToken", "Credentials", "CredentialsProvider", "Secret", "StarkKey"]


class Secret:
    """A text that only :meth:`reveal` gives back; ``repr``, ``str`` and ``format`` hide it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for signing."""
        return self._text

    def __repr__(self) -> str:
        return "Secret('***')"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled: hand the credentials over in another way")


def _secret(value: str | Secret) -> Secret:
    return value if isinstance(value, Secret) else Secret(value)


def _optional_secret(value: str | Secret | None) -> Secret | None:
    return None if value is None else _secret(value)


def _from_env(prefix: str, names: Mapping[str, bool], env: Mapping[str, str]) -> dict[str, str]:
    """Read ``PREFIX_NAME`` for each name; those marked true must be there."""
    values = {name: env.get(f"{prefix}_{name}".upper()) for name in names}
    missing = [f"{prefix}_{name}".upper() for name, must in names.items() if must and not values[name]]
    if missing:
        raise MissingCredentials(f"environment variable {', '.join(missing)} is not set")
    return {name: value for name, value in values.items() if value}


@attrs.frozen
class ApiKey:
    """A key and its secret (Coinbase with passphrase, Upbit, Zonda, edgeX V2 with passphrase and account).

    Attributes:
        key: the public part (Zonda: the public key).
        secret: the private part.
        passphrase: where the venue has one.
        account_id: edgeX's account number.
    """

    key: Secret = attrs.field(converter=_secret)
    secret: Secret = attrs.field(converter=_secret)
    passphrase: Secret | None = attrs.field(default=None, converter=_optional_secret)
    account_id: str | None = None

    @classmethod
    def from_env(cls, prefix: str, env: Mapping[str, str] | None = None) -> ApiKey:
        """Read ``PREFIX_API_KEY``, ``PREFIX_API_SECRET`` and, if set, ``PREFIX_API_PASSPHRASE``, ``PREFIX_ACCOUNT_ID``.

        Raises:
            MissingCredentials: key or secret is not set; the message names the variable.
        """
        names = {"api_key": True, "api_secret": True, "api_passphrase": False, "account_id": False}
        found = _from_env(prefix, names, os.environ if env is None else env)
        return cls(
            found["api_key"], found["api_secret"], found.get("api_passphrase"), found.get("account_id")
        )


@attrs.frozen
class BearerToken:
    """An access token (Darwinex)."""

    token: Secret = attrs.field(converter=_secret)

    @classmethod
    def from_env(cls, prefix: str, env: Mapping[str, str] | None = None) -> BearerToken:
        """Read ``PREFIX_ACCESS_TOKEN``.

        Raises:
            MissingCredentials: it is not set.
        """
        found = _from_env(prefix, {"access_token": True}, os.environ if env is None else env)
        return cls(found["access_token"])


@attrs.frozen
class StarkKey:
    """An account and its L2 private key in hex (edgeX V1)."""

    account_id: str
    private_key: Secret = attrs.field(converter=_secret)

    @classmethod
    def from_env(cls, prefix: str, env: Mapping[str, str] | None = None) -> StarkKey:
        """Read ``PREFIX_ACCOUNT_ID`` and ``PREFIX_STARK_KEY``.

        Raises:
            MissingCredentials: one of them is not set.
        """
        names = {"account_id": True, "stark_key": True}
        found = _from_env(prefix, names, os.environ if env is None else env)
        return cls(found["account_id"], found["stark_key"])


Credentials: TypeAlias = ApiKey | BearerToken | StarkKey
CredentialsProvider: TypeAlias = Callable[[], Awaitable[Credentials]]
