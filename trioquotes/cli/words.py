"""Words of the command line: what a mistyped one was meant to be, and what is wrong with the others."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from cyclopts import (
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    Token,
    UnknownCommandError,
    UnusedCliTokensError,
)

from trioquotes._protocol.contract import Venue
from trioquotes._protocol.proxying import parse_proxy
from trioquotes._runtime.session import find_venue
from trioquotes.cli.keys import explained
from trioquotes.cli.numbers import listed
from trioquotes.errors import (
    MissingCredentials,
    RecordingError,
    UnknownEndpoint,
    UnknownVenue,
    UnsupportedTopic,
    UsageError,
)
from trioquotes.events import Event
from trioquotes.topics import UNIFIED_TOPICS, Topic

__all__ = [
    "chosen",
    "folder",
    "meant",
    "misuse",
    "proxy_of",
    "recorded",
    "refusals",
    "topic_of_words",
    "venue_of",
]

NO_PROXY = "none"

GLOBAL = ("--help", "--version", "--debug")


def meant(word: str, known: Iterable[str]) -> str:
    """The known word that is most like it, as the end of a message; empty where none is."""
    names = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.7)
    return f"; did you mean {names[found[0]]!r}?" if found else ""


def misuse(error: CycloptsError, usages: Mapping[str, str]) -> str:
    """What is wrong with the words, in one line that says what would be right.

    Args:
        error: what the parser says.
        usages: of each command, the words that it takes.
    """
    command = " ".join(error.command_chain or ())
    shown = f"trioquotes {command} {usages.get(command, '')}".rstrip()
    unused = error.unused_tokens or [""]
    if isinstance(error, UnknownCommandError):
        word = unused[0]
        if word.startswith("-"):
            return f"Unknown option: {word}{meant(word, GLOBAL)}"
        return f'Unknown command "{word}": there are {listed(list(usages))}{meant(word, usages)}'
    if isinstance(error, CoercionError) and error.msg is not None:
        return str(error.msg)  # our own words, which name the option
    if isinstance(error, UnusedCliTokensError):
        return f"{command} has no use for {unused[0]!r}: {shown}"
    if isinstance(error, MissingArgumentError) and error.argument is not None:
        if error.keyword is not None:
            return f"{error.keyword} needs a value: {shown}"
        return f"{command} needs {error.argument.name}: {shown}"
    return f"{error}".rstrip(".")


def venue_of(word: str) -> Venue:
    """The venue of that name.

    Raises:
        UnknownVenue: there is none; the message says which was meant.
    """
    from trioquotes.venues import VENUES  # noqa: PLC0415  # only where a venue is asked for

    try:
        return find_venue(word)
    except UnknownVenue as error:
        raise UnknownVenue(f"{error}{meant(word, VENUES)}") from None


def topic_of_words(venue: Venue, word: str, instrument: str, *, native: bool) -> Topic[Event]:
    """The topic that words mean.

    Raises:
        UsageError: they mean none; the message says which was meant.
    """
    served = [name for name, kind in UNIFIED_TOPICS.items() if kind in venue.unified]
    try:
        return venue.topic(word, instrument, native)
    except UnsupportedTopic as error:
        if word in (venue.topics if native else served):
            raise
        own, other = (venue.topics, served) if native else (served, venue.topics)
        if word not in other:
            hint = meant(word, own) or meant(word, other)
        elif native:
            hint = f"; {word} is a unified topic: leave out --native"
        else:
            hint = f"; {word} is a channel of the venue's own: add --native"
        raise UnsupportedTopic(f"{error}{hint}") from None


@contextlib.contextmanager
def refusals(venue: Venue, endpoint: str | None) -> Iterator[None]:
    """A block that makes a session; what it refuses is said in the command line's words.

    Raises:
        MissingCredentials: with the variables that hold them.
        UnknownEndpoint: with the name that was meant.
    """
    try:
        yield
    except MissingCredentials as error:
        raise explained(error, venue.name) from None
    except UnknownEndpoint as error:
        if endpoint is None or "://" in endpoint:
            raise
        raise UnknownEndpoint(f"{error}{meant(endpoint, venue.endpoints)}") from None


def folder(_type: Any, tokens: Sequence[Token]) -> Path:
    """A path that is not empty: an unset variable of a shell is no folder.

    Raises:
        UsageError: it is empty; the message names the option.
    """
    if not tokens[0].value:
        raise UsageError(f"{tokens[0].keyword or 'DIR'} must not be empty")
    return Path(tokens[0].value)


def proxy_of(_type: Any, tokens: Sequence[Token]) -> str:
    """The URL of a proxy, or ``none`` for no proxy, checked before anything is started.

    Raises:
        UsageError: it is neither; the message shows no password.
    """
    text = tokens[0].value
    if text != NO_PROXY:
        parse_proxy(text, "--proxy")
    return text


def chosen(proxy: str | None) -> str | Literal[False] | None:
    """The same as a session wants it: ``None`` leaves it to the environment."""
    return False if proxy == NO_PROXY else proxy


def recorded(path: Path) -> Path:
    """The same path, where there is a folder.

    Raises:
        RecordingError: there is none.
    """
    if not path.exists():
        raise RecordingError(f"{path}: there is no recording: there is no such folder")
    if not path.is_dir():
        raise RecordingError(f"{path}: there is no recording: it is a file, and a recording is a folder")
    return path
