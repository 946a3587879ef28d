"""Credentials from the environment, under names that begin with the venue's."""

from __future__ import annotations

import os
from collections.abc import Mapping

from trioquotes.credentials import ApiKey, BearerToken, Credentials, StarkKey
from trioquotes.errors import MissingCredentials

__all__ = ["explained", "from_environment"]

KINDS: tuple[tuple[type[ApiKey | BearerToken | StarkKey], tuple[str, ...]], ...] = (
    (ApiKey, ("API_KEY", "API_SECRET")),
    (StarkKey, ("STARK_KEY",)),
    (BearerToken, ("ACCESS_TOKEN",)),
)
"""Each kind of credentials with the variables of which any one says that it is meant."""

VARIABLES: dict[type[Credentials], str] = {
    ApiKey: "{0}_API_KEY, {0}_API_SECRET and, where the venue has one, {0}_API_PASSPHRASE",
    StarkKey: "{0}_ACCOUNT_ID and {0}_STARK_KEY",
    BearerToken: "{0}_ACCESS_TOKEN",
}
"""What to set for each kind."""

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
    names = ", or ".join(VARIABLES[kind].format(venue.upper()) for kind in TAKES.get(venue, (ApiKey,)))
    return MissingCredentials(f"{error}; the environment variables are {names}")
