# ruff: noqa: INP001  # no package: the site loads it as a file
"""What a venue covers, as tables in Markdown that are made of the code; no Sphinx is needed for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import UnionType
from typing import Any, get_args

from trioquotes import MissingCredentials, Topic, UsageError
from trioquotes.cli.numbers import listed, memory
from trioquotes.cli.venues import COUNTED, PROBES, about
from trioquotes.lowlevel import Options, Venue
from trioquotes.topics import UNIFIED_TOPICS
from trioquotes.venues import VENUES

__all__ = ["channels_of", "coverage", "limits", "matrix", "messages_of"]

NOTHING = "-"
SCOPES = {"ip": "address", "account": "account", "connection": "connection"}


def messages_of(kind: type[Topic[Any]]) -> list[type]:
    """What a topic of that kind delivers, notices aside."""
    for base in kind.__mro__:
        for generic in vars(base).get("__orig_bases__", ()):
            given = get_args(generic)
            if given and not isinstance(given[0], type | UnionType):
                continue  # a type variable
            if given:
                return list(get_args(given[0])) or [given[0]]
    raise TypeError(f"{kind.__qualname__} does not say what it delivers")


def channels_of(venue: Venue, name: str, *, native: bool, has_credentials: bool) -> list[str] | None:
    """The wire channels that a topic needs, by name; ``None`` where it needs credentials and there are none.

    Raises:
        ValueError: no instrument was found that the venue takes.
    """
    options = Options(next(iter(venue.endpoints.values())), has_credentials=has_credentials)
    for probe in ("", *PROBES):
        try:
            serving = venue.serve(venue.topic(name, probe, native), options)
        except MissingCredentials:
            return None
        except UsageError:
            continue
        return list(dict.fromkeys(channel.name for channel in serving.channels))
    raise ValueError(f"{venue.name}: no instrument is known to ask for {name} with")


def made_of(venue: Venue, name: str) -> str:
    """The wire channels of a unified topic, as the tables show them."""
    without = channels_of(venue, name, native=False, has_credentials=False)
    signed = channels_of(venue, name, native=False, has_credentials=True) or []
    if without is None or without == signed:
        return _codes(signed)
    return f"{_codes(without)}; with credentials {_codes(signed)}"


def coverage(venue: Venue) -> Iterator[str]:
    """A venue's two tables, in Markdown."""
    facts = about(venue)
    yield "| topic | events | made of | credentials |"
    yield "|---|---|---|---|"
    for topic in facts["topics"]:
        kind = UNIFIED_TOPICS[topic["name"]]
        events = ", ".join(f"{{class}}`~trioquotes.events.{event.__name__}`" for event in messages_of(kind))
        yield _row(
            f"{{class}}`~trioquotes.topics.{kind.__name__}`",
            events,
            made_of(venue, topic["name"]),
            _needs(topic),
        )
    yield ""
    yield (
        "The venue's own channels, for `stream --native` and as topics of `trioquotes.venues."
        + venue.name
        + "`:"
    )
    yield ""
    yield "| channel | topic | messages | credentials | what it brings |"
    yield "|---|---|---|---|---|"
    home = f"trioquotes.venues.{venue.name}"
    rows: dict[type[Topic[Any]], list[dict[str, Any]]] = {}
    for channel in facts["channels"]:
        rows.setdefault(venue.topics[channel["name"]], []).append(channel)
    for kind, names in rows.items():
        messages = ", ".join(f"{{class}}`~{home}.{message.__name__}`" for message in messages_of(kind))
        yield _row(
            _codes(channel["name"] for channel in names), f"{{class}}`~{home}.{kind.__name__}`", messages,
            _needs(names[0]), names[0]["about"],
        )  # fmt: skip


def matrix() -> Iterator[str]:
    """All venues beside each other, in Markdown."""
    yield _row("topic", *(f"{{doc}}`{venue.name}`" for venue in VENUES.values()))
    yield "|---" * (len(VENUES) + 1) + "|"
    for name, kind in UNIFIED_TOPICS.items():
        cells = (made_of(venue, name) if kind in venue.unified else NOTHING for venue in VENUES.values())
        yield _row(f"{{class}}`~trioquotes.topics.{kind.__name__}`", *cells)


def limits(venue: Venue) -> Iterator[str]:
    """A venue's limits, in Markdown."""
    facts = about(venue)
    yield "| limit | at most | for each |"
    yield "|---|---|---|"
    for budget in facts["budgets"]:
        counted = listed([COUNTED[kind] for kind in budget["counts"]])
        yield _row(
            budget["name"],
            f"{budget['count']:,} {counted} in any {budget['window_s']:g} s",
            SCOPES[budget["scope"]],
        )
    yield _row("size", memory(facts["limits"]["max_message_bytes"]), "message")
    if facts["limits"]["channels_per_line"] is not None:
        yield _row(
            "channels", f"{facts['limits']['channels_per_line']:,}; more go to further ones", "connection"
        )
    if facts["limits"]["channels"] is not None:
        yield _row("channels", f"{facts['limits']['channels']:,}", "client")
    yield _row("silence", f"{facts['limits']['quiet_s']:g} s, then it is given up", "connection")


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _codes(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _needs(topic: dict[str, Any]) -> str:
    return "needed" if topic["needs_credentials"] else NOTHING
