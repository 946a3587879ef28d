"""From what the user gave as ``endpoint`` to base URLs; pure."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

import attrs

from trioquotes._protocol.contract import Venue
from trioquotes._protocol.effects import Endpoint
from trioquotes.errors import UnknownEndpoint

__all__ = ["resolve_endpoint"]

DEFAULT = "production"


def resolve_endpoint(venue: Venue, given: str | Endpoint | None) -> Endpoint:
    """The endpoint meant by a name of the venue's, a ``ws://`` or ``wss://`` URL, an ``Endpoint``, or ``None``.

    A URL replaces scheme, host and port of all of the venue's sockets and of its REST, so that a local
    server can stand in for the venue.

    Raises:
        UnknownEndpoint: it is none of these; the message lists the venue's names.
    """
    if isinstance(given, Endpoint):
        return given
    name = DEFAULT if given is None else given
    if name in venue.endpoints:
        return venue.endpoints[name]
    if "://" not in name:
        known = ", ".join(venue.endpoints)
        raise UnknownEndpoint(
            f"{venue.name} has no endpoint {name!r}: give one of {known}, or a ws:// or wss:// URL"
        )
    parts = urlsplit(name)
    try:
        parts.port  # noqa: B018  # it says what is wrong with it
    except ValueError as error:
        raise UnknownEndpoint(f"endpoint {name!r}: {error}") from None
    if parts.scheme not in {"ws", "wss"} or not parts.hostname:
        raise UnknownEndpoint(f"endpoint {name!r} is not a ws:// or wss:// URL with a host")
    if parts.query or parts.fragment or parts.username or parts.path not in {"", "/"}:
        raise UnknownEndpoint(f"endpoint {name!r} may hold scheme, host and port only")
    base = (
        next(iter(venue.endpoints.values())) if DEFAULT not in venue.endpoints else venue.endpoints[DEFAULT]
    )
    rest_scheme = "https" if parts.scheme == "wss" else "http"
    return attrs.evolve(
        base,
        public=_moved(base.public, parts.scheme, parts.netloc),
        private=base.private and _moved(base.private, parts.scheme, parts.netloc),
        rest=base.rest and _moved(base.rest, rest_scheme, parts.netloc),
    )


def _moved(url: str, scheme: str, netloc: str) -> str:
    parts = urlsplit(url)
    return urlunsplit((scheme, netloc, parts.path, "", ""))
