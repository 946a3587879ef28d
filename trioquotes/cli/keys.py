"""Credentials from the environment, under names that begin with the venue's."""

from __future__ import annotations

import os
from collections.abc import Mapping

from trioquotes.cli.numbers import listed
from trioquotes.credentials import ApiKey, BearerToken, Credentials, StarkKey
from trioquotes.errors import MissingCredentials

__all__ = ["explained", "from_environment", "variables"]

KINDS: tuple[tuple[type[ApiKey | BearerToken | StarkKey], tuple[str, ...]], ...] = (
    (ApiKey, ("API_KEY", "API_SECRET")),
    (StarkKey, ("STARK_KEY",)),
    (BearerToken, ("ACCESS_TOKEN",)),
)
"""Each kind of credentials with the variables of which any one says that it is meant."""

VARIABLES: dict[type[Credentials], tuple[str, ...]] = {
    ApiKey: ("API_KEY", "API_SECRET"),
    StarkKey: ("ACCOUNT_ID", "STARK_KEY"),
    BearerToken: ("ACCESS_TOKEN",),
}
"""What to set for each kind."""

MORE: dict[str, tuple[str, ...]] = {
    "coinbase": ("API_PASSPHRASE",),
    "edgex": ("API_PASSPHRASE", "ACCOUNT_ID"),
}
"""What else the API keys of some venues have."""

TAKES: dict[str, tuple[type[Credentials], ...]] = {
    "edgex": (ApiKey, StarkKey),
    "darwinex": (BearerToken,),
}
"""The kinds of venues that take others than API keys."""


def from_environment(venue: str, env: Mapping[str, str] | None = None) -> Credentials | None:
    """The credentials that the environment holds for a venue; ``None`` where it holds none.

    Raises:
        MissingCredentials: it holds a part of them; the message names the variable that is missing.
    """
    found = os.environ if env is None else env
    for kind, names in KINDS:
        if any(found.get(f"{venue}_{name}".upper()) for name in names):
            return kind.from_env(venue, found)
    return None


def explained(error: MissingCredentials, venue: str) -> MissingCredentials:
    """The same error with the variables that would mend it."""
    return MissingCredentials(
        f"{error}; the command line reads them from the environment: set {variables(venue)}"
    )


def variables(venue: str) -> str:
    """The variables that hold a venue's credentials, in words."""
    return ", or ".join(listed(_names(venue, kind)) for kind in TAKES.get(venue, (ApiKey,)))


def _names(venue: str, kind: type[Credentials]) -> list[str]:
    more = MORE.get(venue, ()) if kind is ApiKey else ()
    return [f"{venue}_{name}".upper() for name in (*VARIABLES[kind], *more)]
