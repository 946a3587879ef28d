"""Every block of code in the README and on the site is run, and those that are not are named, with the reason."""

from __future__ import annotations

import importlib
import json
import tomllib
from pathlib import Path

import pytest

import trioquotes as tq
from tests.docs.blocks import PAGES, ROOT, Block, blocks_of
from tests.docs.stage import environment, run_block

BLOCKS = [block for name, text in PAGES.items() for block in blocks_of(name, text)]
PYTHON = [block for block in BLOCKS if block.language == "python"]
DATA = [block for block in BLOCKS if block.language in {"yaml", "toml", "json"}]

TESTED_ELSEWHERE = {
    "docs/howto/exporting.md": "tests/recording/test_export_howto.py",
    "docs/howto/testing-your-program.md": "tests/testing/test_plugin_howto.py",
}
"""Pages whose Python is run as a whole by a test of its own: one needs the tools that it is about, one is tests itself."""

NEVER_REACHED = {
    (
        "docs/howto/recording.md",
        "print(recorder.status().error)  # the disk is full; the session goes on",
    ): "only when the disk is full",
}
"""Statements that are not run with the rest of their block, and why."""

DIRECTIVES = {
    "{coverage}": "a table made of the code, see test_venue_tables.py",
    "{coverage-matrix}": "likewise",
    "{limits}": "likewise",
    "{toctree}": "builds the site",
    "{eval-rst}": "builds the site",
    "{doctest}": "run by `sphinx-build -b doctest`, in the nox session docs",
    "text": "no code",
}
KINDS = {"python", "console", "yaml", "toml", "json", *DIRECTIVES}


def test_every_block_says_what_it_is() -> None:
    assert [f"{block}: {block.language!r}" for block in BLOCKS if block.language not in KINDS] == []


def test_what_has_a_prompt_of_python_is_run_by_sphinx() -> None:
    prompted = [str(block) for block in BLOCKS if ">>> " in block.text and block.language != "{doctest}"]
    assert prompted == []


def test_what_is_never_reached_is_on_its_page() -> None:
    assert [one for one in NEVER_REACHED if one[1] not in PAGES[one[0]]] == []


@pytest.mark.parametrize(("page", "test"), TESTED_ELSEWHERE.items())
def test_pages_that_are_tested_elsewhere_are(page: str, test: str) -> None:
    assert any(block.page == page for block in PYTHON)
    assert Path(page).name in (ROOT / test).read_text()


@pytest.mark.parametrize("block", [block for block in PYTHON if block.page not in TESTED_ELSEWHERE], ids=str)
def test_python_runs(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in environment():
        monkeypatch.setenv(name, value)
    ran = run_block(block)
    lines = PAGES[block.page].splitlines()
    missed = [lines[line - 1].strip() for line in sorted(ran.statements - ran.lines)]
    assert missed == [
        statement for page, statement in NEVER_REACHED if page == block.page and statement in block.text
    ]
    assert all(ran.delivered), "a session was entered, and nothing came"
    if "print(" in block.text and not missed:
        assert capsys.readouterr().out


@pytest.mark.parametrize("block", DATA, ids=str)
def test_data_is_what_it_claims(block: Block) -> None:
    if block.language == "json":
        json.loads(block.text)
    elif block.language == "toml":
        tomllib.loads(block.text)
    else:
        pytest.importorskip("yaml")
        assert importlib.import_module("yaml").safe_load(block.text)


class TestTheCheckItself:
    """That a block which is wrong is seen to be."""

    @staticmethod
    def block(text: str, needs: str = "") -> Block:
        return Block("page.md", 1, "python", text, needs)

    def test_a_statement_that_is_not_reached_shows(self) -> None:
        ran = run_block(self.block("for _ in ():\n    print()\n"))
        assert ran.statements - ran.lines == {2}

    def test_a_session_that_brings_nothing_shows(self) -> None:
        text = 'async with tq.Session("coinbase", tq.Trades("BTC-USD")) as stream:\n    pass\n'
        assert run_block(self.block(text)).delivered == [0]

    def test_an_option_that_there_is_not_shows(self) -> None:
        with pytest.raises(TypeError, match="proxies"):
            run_block(self.block('session = tq.Session("coinbase", proxies="http://proxy:1")\n'))

    def test_a_topic_that_the_venue_has_not_shows(self) -> None:
        with pytest.raises(tq.UnsupportedTopic):
            run_block(self.block('session = tq.Session("zonda", tq.Candles("BTC-PLN"))\n'))

    def test_an_instrument_that_brings_nothing_shows(self) -> None:
        with pytest.raises(tq.SubscriptionRejected):
            run_block(self.block('session = tq.Session("coinbase", tq.Trades("NOPE-USD"))\n'))

    def test_a_fence_that_stays_open_and_code_for_no_block_are_refused(self) -> None:
        with pytest.raises(ValueError, match="not closed"):
            list(blocks_of("page.md", "```python\npass\n"))
        with pytest.raises(ValueError, match="no block"):
            list(blocks_of("page.md", "<!-- run: x = 1 -->\nProse.\n"))
