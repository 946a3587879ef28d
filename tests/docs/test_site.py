"""The site hangs together: every page is reached, every link leads somewhere, and every option is told of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.harness import run_here
from tests.docs.blocks import PAGES, ROOT, blocks_of
from trioquotes.cli import COMMANDS

SITE = sorted(name for name in PAGES if name.startswith("docs/"))
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
DOCUMENT = re.compile(r"\{doc\}`(?:[^`<]*<)?([^`>]+)>?`")


def children(name: str) -> Iterator[str]:
    """The pages that a page's tables of contents name."""
    for block in blocks_of(name, PAGES[name]):
        if block.language == "{toctree}":
            for line in block.text.splitlines():
                if line and not line.startswith(":"):
                    yield from (
                        page.relative_to(ROOT).as_posix() for page in (ROOT / name).parent.glob(f"{line}.md")
                    )


def test_the_index_leads_to_every_page() -> None:
    reached, waiting = set(), ["docs/index.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        waiting += [child for child in children(page) if child not in reached]
    assert reached == set(SITE)


@pytest.mark.parametrize("name", PAGES)
def test_every_link_within_the_project_leads_to_a_file(name: str) -> None:
    home = (ROOT / name).parent
    dead = [
        link for link in LINK.findall(PAGES[name])
        if not re.match(r"\w+:", link) and not (home / link).exists()
    ]  # fmt: skip
    for target in DOCUMENT.findall(PAGES[name]):
        start = ROOT / "docs" if target.startswith("/") else home
        if not (start / f"{target.lstrip('/')}.md").exists():
            dead.append(target)
    assert dead == []


COMMAND_LINE = PAGES["docs/reference/command-line.md"]


def section_of(command: str) -> str:
    """What the reference says of a command."""
    (found,) = re.findall(
        rf"^## `trioquotes {command}\b.*?(?=^## |\Z)", COMMAND_LINE, re.MULTILINE | re.DOTALL
    )
    return str(found)


def options_of(command: str, capfd: pytest.CaptureFixture[str]) -> set[str]:
    """What the command takes, as its help lists it."""
    shown = run_here(capfd, command, "--help").out
    return set(re.findall(r"^│ {1,4}(?:\* +)?(--[a-z-]+)", shown, re.MULTILINE)) - {"--help", "--version"}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_reference_has_the_options_of_the_command(
    command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    options = options_of(command, capfd)
    section = section_of(command)
    told = set(re.findall(r"--[a-z][a-z-]+", section))
    heads = " ".join(re.findall(r"^(?:`--|## ).*$", section, re.MULTILINE))
    assert options - told == set()
    assert set(re.findall(r"--[a-z][a-z-]+", heads)) - options == set()
    assert told <= {"--debug"}.union(*(options_of(other, capfd) for other in COMMANDS))


def test_the_reference_has_every_command() -> None:
    assert sorted(re.findall(r"^## `trioquotes (\w+)", COMMAND_LINE, re.MULTILINE)) == sorted(COMMANDS)


def test_no_page_is_about_the_machine_that_it_was_written_on() -> None:
    words = re.compile(r"/(?:work|tmp|root|home/\w+)/")
    assert [name for name, text in PAGES.items() if words.search(text)] == []


def test_pages_are_files_of_the_repository() -> None:
    assert all(Path(ROOT / name).is_file() for name in PAGES)
