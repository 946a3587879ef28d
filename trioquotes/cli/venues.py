"""``trioquotes venues``: what is supported, read from the venues themselves."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any

import attrs
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from trioquotes._protocol.contract import Venue
from trioquotes._protocol.effects import Budget, Endpoint, Options
from trioquotes.cli.exits import DONE
from trioquotes.cli.numbers import listed, memory
from trioquotes.cli.output import Output, writing
from trioquotes.cli.words import venue_of
from trioquotes.errors import MissingCredentials, UsageError
from trioquotes.events import Event
from trioquotes.simulator.venues import SIMULATORS
from trioquotes.topics import UNIFIED_TOPICS, Topic
from trioquotes.venues import VENUES

__all__ = ["COUNTED", "PROBES", "about", "venues"]

PIPED_COLUMNS = 160
"""Width of a table that no terminal limits."""

COUNTED = {"connect": "connects", "ping": "pings", "rest": "REST requests", "send": "messages"}
"""What each kind of a budget counts, in words."""

PROBES = ("BTC/USD", "BTC/KRW", "BTC/PLN", "10000001", "DWC.4.20")
"""Texts of which each venue takes one for an instrument: its topics are asked about with it."""


def venues(
    venue: str | None = None,
    /,
    *,
    as_json: Annotated[bool, Parameter(name="--json", show_default=False)] = False,
) -> int:
    """Show the venues, or everything about one.

    Args:
        venue: Name of the venue; all of them in short where it is left out.
        as_json: Print JSON.

    Returns:
        The exit code.
    """
    chosen = list(VENUES.values()) if venue is None else [venue_of(venue)]
    output = Output()
    facts = [about(one) for one in chosen]
    if as_json:
        output.write(json.dumps(facts if venue is None else facts[0], indent=2) + "\n")
        return DONE
    if venue is None:
        output.write(_drawn([_overview(facts)], output) + "`trioquotes venues VENUE` says more.\n")
    else:
        output.write(_drawn(_details(facts[0]), output))
    return DONE


def about(venue: Venue) -> dict[str, Any]:
    """A venue's facts, ready for JSON."""
    unified = {word: kind for word, kind in UNIFIED_TOPICS.items() if kind in venue.unified}
    return {
        "name": venue.name,
        "simulator": venue.name in SIMULATORS,
        "endpoints": {name: _endpoint(endpoint) for name, endpoint in venue.endpoints.items()},
        "topics": _topics(venue, unified, native=False),
        "channels": _topics(venue, venue.topics, native=True),
        "limits": attrs.asdict(venue.limits),
        "budgets": [_budget(budget) for budget in venue.budgets],
    }


def _topics(venue: Venue, kinds: Mapping[str, type[Topic[Event]]], *, native: bool) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "needs_credentials": _needs_credentials(venue, name, kind, native=native),
            "about": _in_short(kind.__doc__ or ""),
        }
        for name, kind in kinds.items()
    ]


def _in_short(docstring: str) -> str:
    """Its first statement, without the marks of the documentation."""
    text = re.sub(r":\w+:`~?([^`]*)`", r"\1", docstring.strip().split("\n\n")[0]).replace("``", "")
    return re.split(r"[.;](?:\s|$)", " ".join(text.split()))[0]


def _needs_credentials(venue: Venue, name: str, kind: type[Topic[Event]], *, native: bool) -> bool:
    """Whether the venue refuses the topic without them: asked of the venue, as a session would."""
    if kind.private:
        return True
    options = Options(endpoint=next(iter(venue.endpoints.values())))
    for instrument in ("", *PROBES):
        try:
            venue.serve(venue.topic(name, instrument, native), options)
        except MissingCredentials:
            return True
        except UsageError:
            continue
        return False
    return False


def _endpoint(endpoint: Endpoint) -> dict[str, Any]:
    return {key: value for key, value in attrs.asdict(endpoint).items() if value not in {None, "", False}}


def _budget(budget: Budget) -> dict[str, Any]:
    return attrs.asdict(budget) | {"counts": sorted(budget.counts)}


def _drawn(parts: list[Table], output: Output) -> str:
    """Tables as text: as wide as the terminal, without colours where there is none."""
    width = None if output.is_terminal else PIPED_COLUMNS
    console = Console(width=width, no_color=not output.is_terminal, highlight=False)
    with writing(), console.capture() as capture:  # rich writes even then, if only nothing
        for part in parts:
            console.print(part)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def _table(title: str, *columns: str) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0)
    )
    for column in columns:
        table.add_column(column, header_style="dim", overflow="fold")
    return table


def _overview(facts: list[dict[str, Any]]) -> Table:
    table = _table("Venues", "name", "topics", "channels", "endpoints", "simulator")
    for fact in facts:
        table.add_row(
            fact["name"],
            ", ".join(_marked(topic) for topic in fact["topics"]),
            ", ".join(_marked(topic) for topic in fact["channels"]),
            ", ".join(fact["endpoints"]),
            "yes" if fact["simulator"] else "no",
        )
    table.caption, table.caption_justify = "* needs credentials", "left"
    return table


def _marked(topic: Mapping[str, Any]) -> str:
    return f"{topic['name']}*" if topic["needs_credentials"] else str(topic["name"])


def _details(fact: dict[str, Any]) -> list[Table]:
    endpoints = _table(f"{fact['name']}: endpoints (--endpoint NAME)", "name", "socket", "REST", "")
    for name, endpoint in fact["endpoints"].items():
        sockets = "\n".join(dict.fromkeys((endpoint["public"], endpoint.get("private", endpoint["public"]))))
        endpoints.add_row(
            name, sockets, endpoint.get("rest", ""), "every line signed" if "signed" in endpoint else ""
        )
    tables = [endpoints]
    for title, key in (("Topics", "topics"), ("Channels (--native)", "channels")):
        table = _table(f"\n{title}", "name", "credentials", "what it brings")
        for topic in fact[key]:
            table.add_row(topic["name"], "needed" if topic["needs_credentials"] else "-", topic["about"])
        tables.append(table)
    limits = _table("\nLimits", "what", "at most", "shared by")
    for budget in fact["budgets"]:
        counted = listed([COUNTED[kind] for kind in budget["counts"]])
        window = f"{budget['count']:,} {counted} in any {budget['window_s']:g} s"
        limits.add_row(budget["name"], window, _SCOPES[budget["scope"]])
    limits.add_row("message size", memory(fact["limits"]["max_message_bytes"]), "one message")
    if fact["limits"]["channels_per_line"] is not None:
        limits.add_row(
            "channels", f"{fact['limits']['channels_per_line']:,}", "one connection; then one more is opened"
        )
    if fact["limits"]["channels"] is not None:
        limits.add_row("channels", f"{fact['limits']['channels']:,}", "one client")
    limits.add_row("silence", f"{fact['limits']['quiet_s']:g} s", "one connection, then it is given up")
    return [*tables, limits]


_SCOPES = {"ip": "this address", "account": "one account", "connection": "one connection"}
