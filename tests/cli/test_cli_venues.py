"""``venues``: what is supported, told by the venues themselves."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from tests.cli.harness import ended, run_here, running
from trioquotes.cli.numbers import listed, memory
from trioquotes.topics import UNIFIED_TOPICS
from trioquotes.venues import VENUES


def test_the_list_names_every_venue(capfd: pytest.CaptureFixture[str]) -> None:
    result = run_here(capfd, "venues")
    assert (result.code, result.err) == (0, "")
    assert all(f"\n{name} " in result.out for name in VENUES)
    assert "orders*" in result.out
    assert "* needs credentials" in result.out


@pytest.mark.parametrize("name", sorted(VENUES))
def test_one_venue_shows_everything_it_has(capfd: pytest.CaptureFixture[str], name: str) -> None:
    venue = VENUES[name]
    result = run_here(capfd, "venues", name)
    assert result.code == 0
    for word in (*venue.endpoints, *venue.topics, *(budget.name for budget in venue.budgets)):
        assert f"\n{word} " in result.out, word
    assert "``" not in result.out


def test_limits_are_said_as_people_say_them(capfd: pytest.CaptureFixture[str]) -> None:
    edgex, coinbase, upbit = (run_here(capfd, "venues", name).out for name in ("edgex", "coinbase", "upbit"))
    sizes = [re.search(r"\nmessage size +(\S+ \S+) ", text) for text in (edgex, coinbase, upbit)]
    assert [size and size[1] for size in sizes] == [
        memory(VENUES[name].limits.max_message_bytes) for name in ("edgex", "coinbase", "upbit")
    ]
    assert "5 pings and messages in any 1 s" in upbit


@pytest.mark.parametrize(
    ("count", "said"),
    [(1, "1 byte"), (1023, "1,023 bytes"), (65536, "64 KiB"), (5 * 2**19, "2.5 MiB"), (2**33, "8,192 MiB")],
)
def test_memory(count: int, said: str) -> None:
    assert memory(count) == said


@pytest.mark.parametrize(
    ("words", "said"),
    [([], "nothing"), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")],
)
def test_a_list_reads_as_a_sentence(words: list[str], said: str) -> None:
    assert listed(words) == said


@pytest.mark.parametrize("name", sorted(VENUES))
def test_json_is_complete(capfd: pytest.CaptureFixture[str], name: str) -> None:
    venue = VENUES[name]
    found = json.loads(run_here(capfd, "venues", name, "--json").out)
    assert found in json.loads(run_here(capfd, "venues", "--json").out)
    assert [topic["name"] for topic in found["channels"]] == list(venue.topics)
    assert {topic["name"] for topic in found["topics"]} == {
        word for word, kind in UNIFIED_TOPICS.items() if kind in venue.unified
    }
    assert len(found["budgets"]) == len(venue.budgets)


def test_credentials_are_said_where_a_session_would_ask_for_them(capfd: pytest.CaptureFixture[str]) -> None:
    found = json.loads(run_here(capfd, "venues", "coinbase", "--json").out)
    private = {topic["name"] for topic in found["topics"] if topic["needs_credentials"]}
    assert private == {"orderbooks", "orders", "fills", "balances"}
    signed = {topic["name"] for topic in found["channels"] if topic["needs_credentials"]}
    assert signed == {"level2", "level3", "full", "user", "balance"}


@pytest.mark.skipif(os.name == "nt", reason="no such terminals")
def test_a_terminal_gets_a_table_of_its_width(tmp_path: Path) -> None:
    import pty  # noqa: PLC0415  # not everywhere

    ours, theirs = pty.openpty()
    with running(
        "venues", "coinbase", cwd=tmp_path, stdout=theirs, env={"COLUMNS": "60", "TERM": "xterm"}
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while data := os.read(ours, 65536):
                shown += data
        except OSError:
            pass
        os.close(ours)
        assert ended(process).code == 0
    assert b"\x1b[1m" in shown
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).splitlines()
    assert max(map(len, lines)) <= 60
