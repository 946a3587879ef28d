"""The tables of what venues cover, which the site makes of the code; and what its pages say beside them."""

from __future__ import annotations

import importlib.util
import re
import sys
from types import ModuleType

import pytest

from tests.docs.blocks import DOCS, PAGES
from trioquotes.topics import UNIFIED_TOPICS, Balances, Books, Trades
from trioquotes.venues import VENUES
from trioquotes.venues.coinbase import L2Update, Level2, Snapshot
from trioquotes.venues.edgex import Metadata, MetadataUpdates


def load() -> ModuleType:
    """The module beside the site's configuration."""
    name = "docs_venue_tables"
    spec = importlib.util.spec_from_file_location(name, DOCS / "venue_tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tables = load()
BY_NAME = pytest.mark.parametrize("name", sorted(VENUES))


def page(name: str) -> str:
    return PAGES[f"docs/reference/venues/{name}.md"]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def test_messages_are_those_that_the_topic_is_typed_with() -> None:
    assert tables.messages_of(Level2) == [Snapshot, L2Update]
    assert tables.messages_of(MetadataUpdates) == [Metadata]
    assert [event.__name__ for event in tables.messages_of(Books)] == ["BookSnapshot", "BookChange"]
    with pytest.raises(TypeError):
        tables.messages_of(object)


def test_channels_are_those_that_a_session_would_ask_for() -> None:
    coinbase = VENUES["coinbase"]
    assert tables.channels_of(coinbase, "books", native=False, has_credentials=False) == ["level2_batch"]
    assert tables.channels_of(coinbase, "books", native=False, has_credentials=True) == ["level2"]
    assert tables.channels_of(coinbase, "orders", native=False, has_credentials=False) is None
    assert tables.made_of(VENUES["zonda"], "orders") == "`offers`, `stop/offers`"


@BY_NAME
def test_every_topic_and_every_channel_is_in_the_tables(name: str) -> None:
    venue = VENUES[name]
    lines = list(tables.coverage(venue))
    for kind in venue.unified:
        (line,) = (line for line in lines if f"`~trioquotes.topics.{kind.__name__}`" in line)
        assert ("needed" in cells(line)) == (
            kind.private or name == "darwinex" or kind.__name__ == "OrderBooks"
        )
    for channel, topic in venue.topics.items():
        (line,) = (
            line
            for line in lines
            if f"`{channel}`" in cells(line.replace(", ", " | "))[:12] and "venues." in line
        )
        assert f"`~trioquotes.venues.{name}.{topic.__name__}`" in line


def test_the_matrix_has_every_topic_and_every_venue() -> None:
    head, _, *rows = (cells(line) for line in tables.matrix())
    assert head[1:] == [f"{{doc}}`{name}`" for name in VENUES]
    assert len(rows) == len(UNIFIED_TOPICS)
    served = {
        (row[0].rpartition(".")[2].strip("`"), name)
        for row in rows
        for name, cell in zip(VENUES, row[1:], strict=True)
        if cell != "-"
    }
    assert served == {(kind.__name__, name) for name, venue in VENUES.items() for kind in venue.unified}
    assert {("Trades", "darwinex"), ("Balances", "darwinex")}.isdisjoint(served)
    assert Trades not in VENUES["darwinex"].unified
    assert Balances in VENUES["coinbase"].unified


@BY_NAME
def test_every_limit_is_in_the_table(name: str) -> None:
    lines = "\n".join(tables.limits(VENUES[name]))
    for budget in VENUES[name].budgets:
        assert re.search(
            rf"^\| {budget.name} \| {budget.count:,} .* any {budget.window_s:g} s \|", lines, re.MULTILINE
        )


@BY_NAME
def test_the_page_shows_the_tables(name: str) -> None:
    for directive in ("coverage", "limits"):
        assert f"```{{{directive}}} {name}\n" in page(name)


@BY_NAME
def test_the_page_names_every_endpoint(name: str) -> None:
    for known, endpoint in VENUES[name].endpoints.items():
        assert f"`{known}`" in page(name)
        assert endpoint.public in page(name)
        assert endpoint.rest is None or endpoint.rest in page(name)


@BY_NAME
def test_the_page_says_of_every_channel_what_tells_a_loss(name: str) -> None:
    section = page(name).partition("## What tells a loss")[2].partition("\n## ")[0]
    said = {
        code
        for line in section.splitlines()
        if line.startswith("| `")
        for code in re.findall(r"`([^`]+)`", cells(line)[0])
    }
    plain = {re.split(r"[./](?=[{])", one)[0] for one in said}
    for topic in set(VENUES[name].topics.values()):
        names = {channel for channel, kind in VENUES[name].topics.items() if kind is topic}
        assert names & plain, f"{topic.__name__}: {sorted(names)} not among {sorted(plain)}"
