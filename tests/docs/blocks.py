"""The code of the documentation: every fenced block of every page, and every command in its prose."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import attrs

__all__ = ["DOCS", "PAGES", "ROOT", "Block", "Command", "blocks_of", "commands_of", "pages"]

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

FENCE = re.compile(r"^(?P<fence>`{3,}|:{3,}|~{3,})(?P<language>\{?[\w-]*\}?)(?P<rest>.*)$")
NEEDS = re.compile(r"<!-- run:\s(.*?)\s-->", re.DOTALL)
INLINE = re.compile(r"(?<!`)`((?:python -m \w|trioquotes |nox )[^`]+)`(?!`)")
PLACEHOLDER = re.compile(r"\b[A-Z]{1,}(?=$|\s|\||\]|\.\.\.)|(?<=\s)\[|\.\.\.")
SHELLS = {"console", "bash", "shell", "sh"}


@attrs.frozen
class Block:
    """A fenced block.

    Attributes:
        page: its page, from the repository's root.
        line: of its first line of code.
        language: what stands behind the fence: ``python``, ``{doctest}``.
        text: the code.
        needs: code that is run before it, from the HTML comment above it; readers do not see that.
    """

    page: str
    line: int
    language: str
    text: str
    needs: str = ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@attrs.frozen
class Command:
    """A command line, of a block or of the prose."""

    page: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """The README and every page of the site."""
    site = (page for page in DOCS.rglob("*.md") if "_build" not in page.parts)
    return [ROOT / "README.md", *sorted(site)]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks_of(name: str, text: str) -> Iterator[Block]:
    """The fenced blocks of a page.

    Raises:
        ValueError: a fence is not closed, or code that is to run first stands before no block.
    """
    lines = text.splitlines()
    needs = ""
    at = 0
    while at < len(lines):
        opening = FENCE.match(lines[at])
        at += 1
        if opening is None:
            needs, at = _needs(lines, at - 1, needs)
            if needs and at < len(lines) and lines[at].strip() and FENCE.match(lines[at]) is None:
                raise ValueError(f"{name}:{at + 1}: what is to run first stands before no block")
            continue
        start = at
        while at < len(lines) and not lines[at].startswith(opening["fence"]):
            at += 1
        if at == len(lines):
            raise ValueError(f"{name}:{start}: the fence is not closed")
        body = "\n".join(lines[start:at]) + "\n"
        yield Block(name, start + 1, opening["language"], body, needs)
        needs = ""
        at += 1


def _needs(lines: list[str], at: int, before: str) -> tuple[str, int]:
    """What a comment at this line says, and the line after it."""
    if not lines[at].startswith("<!-- run:"):
        return before, at + 1
    end = at
    while "-->" not in lines[end]:
        end += 1
    comment = NEEDS.fullmatch("\n".join(lines[at : end + 1]).strip())
    if comment is None:
        raise ValueError(f"line {at + 1}: not what a comment with code looks like")
    return f"{before}{comment[1]}\n", end + 1


def commands_of(name: str, text: str) -> Iterator[Command]:
    """The command lines of a page: those of its shell blocks, one by one, and whole ones in its prose."""
    prose = text.splitlines()
    for block in blocks_of(name, text):
        lines = block.text.splitlines()
        prose[block.line - 1 : block.line - 1 + len(lines)] = [""] * len(lines)
        if block.language not in SHELLS:
            continue
        prompted = any(line.startswith("$ ") for line in lines)
        for number, line in enumerate(lines, block.line):
            if not prompted or line.startswith("$ "):
                for part in line.removeprefix("$ ").split(" && "):
                    yield Command(name, number, part.strip())
    whole = "\n".join(line for line in prose if not line.startswith("#"))
    numbers = [number for number, line in enumerate(prose, 1) if not line.startswith("#")]
    for found in INLINE.finditer(whole):
        words = " ".join(found[1].replace("\\|", "|").split())
        if PLACEHOLDER.search(words.replace("KRW-BTC", "").replace("BTC-USD", "")) is None:
            yield Command(name, numbers[whole.count("\n", 0, found.start())], words)


PAGES = {name_of(page): page.read_text() for page in pages()}
"""Their text by their name."""
