"""``watch`` on real terminals: what is seen, what keys do, and that the terminal is as it was after every end."""

from __future__ import annotations

import os
import re
import select
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.harness import PATIENCE_S, run_here, running, wait_for_line
from tests.cli.terminals import Tty, on_terminal
from trioquotes.simulator.venues.darwinex import DEMO_ACCOUNT

pytestmark = [
    pytest.mark.tcp,
    pytest.mark.endurance,  # terminals of their own, in real time
    pytest.mark.skipif(os.name == "nt", reason="no such terminals and signals"),
]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("simulator")
    with running("simulate", "coinbase", "--seed", "3", "--rate", "50", cwd=folder) as process:
        yield wait_for_line(process, "listening on ").removeprefix("listening on ")


def is_as_before(tty: Tty) -> bool:
    """Whether the process left the terminal as it found it."""
    last = tty.text[tty.text.rindex("\x1b[?1049") :]
    shows = last.startswith("\x1b[?1049l") and "\x1b[?1049h" not in last
    cursor = tty.text.rfind("\x1b[?25h") > tty.text.rfind("\x1b[?25l")
    wraps = tty.text.rfind("\x1b[?7h") > tty.text.rfind("\x1b[?7l")
    return shows and cursor and wraps and bool(tty.attributes == tty.before)


ENDS: dict[str, tuple[Callable[[Tty], Any], int]] = {
    "q": (lambda tty: tty.press("q"), 0),
    "Ctrl-C": (lambda tty: tty.press("\x03"), 130),
    "SIGTERM": (lambda tty: tty.process.send_signal(signal.SIGTERM), 143),
    "SIGHUP": (lambda tty: tty.process.send_signal(signal.SIGHUP), 129),
    "SIGQUIT": (lambda tty: tty.press("\x1c"), 131),
}


@pytest.mark.parametrize("how", ENDS)
def test_every_end_leaves_the_terminal_as_it_was(tmp_path: Path, url: str, how: str) -> None:
    end, code = ENDS[how]
    with on_terminal("watch", "coinbase", "BTC-USD", "--endpoint", url, cwd=tmp_path) as tty:
        tty.wait_for("spread")
        assert tty.attributes != tty.before
        end(tty)
        assert tty.ended() == code, tty.text
        assert is_as_before(tty)
        assert re.search(
            r"coinbase BTC-USD: [\d,]+ events and 1 notice in .*; 0 gaps, 0 reconnects\r\n$", tty.text
        )


def test_while_it_connects_keys_work_and_it_says_why_it_waits(tmp_path: Path) -> None:
    with on_terminal("watch", "coinbase", "BTC-USD", "--endpoint", "ws://127.0.0.1:9", cwd=tmp_path) as tty:
        tty.wait_for("nothing listens there")
        tty.press("q")
        assert tty.ended() == 0
        assert is_as_before(tty)


def test_what_the_venue_refuses_is_said_on_the_terminal_that_was(tmp_path: Path, url: str) -> None:
    with on_terminal("watch", "coinbase", "NOPE-USD", "--endpoint", url, cwd=tmp_path) as tty:
        assert tty.ended() == 1
        assert is_as_before(tty)
        assert tty.text.endswith("Failed to subscribe: NOPE-USD is not a valid product\r\n")


def test_a_window_that_is_closed_ends_it(tmp_path: Path, url: str) -> None:
    with on_terminal("watch", "coinbase", "BTC-USD", "--endpoint", url, cwd=tmp_path) as tty:
        tty.wait_for("spread")
        os.close(tty.theirs)
        os.close(tty.ours)
        assert tty.process.wait(PATIENCE_S) == 129


def test_a_terminal_that_takes_nothing_stops_neither_the_session_nor_the_end(
    tmp_path: Path, url: str
) -> None:
    with on_terminal("watch", "coinbase", "BTC-USD", "--endpoint", url, cwd=tmp_path, size=(200, 60)) as tty:
        tty.wait_for("spread")
        tty.press("\x13")  # Ctrl-S
        time.sleep(1.5)
        tty.process.send_signal(signal.SIGTERM)
        assert tty.process.wait(10) == 143, "nobody reads, and it ends nevertheless"
        assert tty.attributes == tty.before
        while tty.read(0.2) and select.select([tty.ours], [], [], 0)[0]:
            pass
        assert is_as_before(tty)
        found = re.search(r"BTC-USD: ([\d,]+) events .* in (\d+\.\d) s; 0 gaps, 0 reconnects", tty.text)
        assert found is not None
        assert float(found[2]) > 1.5


def test_keys_and_size_change_what_is_seen(tmp_path: Path, url: str) -> None:
    words = ("watch", "coinbase", "BTC-USD", "ETH/USD", "--endpoint", url)
    with on_terminal(*words, cwd=tmp_path, NO_COLOR="1") as tty:
        tty.wait_for("spread")
        tty.press("2")
        tty.wait_for(r"coinbase .*ETH-USD")
        tty.press("v")
        tty.wait_for("total")
        tty.press("p")
        tty.wait_for("PAUSED")
        tty.wait_for("as it was")
        tty.press("?")
        tty.wait_for("another instrument")
        tty.press("?")
        tty.resize(50, 10)
        tty.wait_for(re.escape("\x1b[2J"))
        tty.wait_for(re.escape("\x1b[10;1H"))
        tty.press("\x03")
        assert tty.ended() == 130
        assert not re.search(r"\x1b\[[0-9;]*3[1-7]m", tty.text), "no colour"


def test_stopped_and_continued_it_gives_the_terminal_away_and_takes_it_again(
    tmp_path: Path, url: str
) -> None:
    with on_terminal("watch", "coinbase", "BTC-USD", "--endpoint", url, cwd=tmp_path) as tty:
        tty.wait_for("spread")
        tty.process.send_signal(signal.SIGTSTP)
        tty.wait_for(re.escape("\x1b[?1049l"))
        tty.process.send_signal(signal.SIGCONT)
        tty.wait_for(re.escape("\x1b[?1049h"))
        tty.wait_for("spread")
        assert tty.attributes != tty.before
        tty.press("q")
        assert tty.ended() == 0
        assert is_as_before(tty)


def test_plain_is_without_colours_and_signs(tmp_path: Path, url: str) -> None:
    words = ("watch", "coinbase", "BTC-USD", "--endpoint", url, "--plain", "--seconds", "1")
    with on_terminal(*words, cwd=tmp_path) as tty:
        assert tty.ended() == 0
        assert "-- book --" in re.sub(r"\x1b\[[0-9;]*m", "", tty.text)
        assert tty.text.isascii()
        assert not re.search(r"\x1b\[[0-9;]*3[1-7]m", tty.text)


def test_a_venue_with_quotes_alone_says_what_is_not_there(tmp_path: Path) -> None:
    with running("simulate", "darwinex", cwd=tmp_path) as simulator:
        endpoint = wait_for_line(simulator, "listening on ").removeprefix("listening on ")
        words = ("watch", "darwinex", "AEB.5.4", "--endpoint", endpoint)
        with on_terminal(*words, cwd=tmp_path, DARWINEX_ACCESS_TOKEN=DEMO_ACCOUNT.access_token) as tty:
            tty.wait_for("darwinex serves no books")
            tty.wait_for(r"last .*\d")
            tty.press("q")
            assert tty.ended() == 0


def test_piped_it_names_the_command_for_lines(capfd: pytest.CaptureFixture[str]) -> None:
    result = run_here(capfd, "watch", "coinbase", "BTC/USD")
    assert (result.code, result.out) == (2, "")
    assert result.err.count("\n") == 1
    assert result.err.rstrip().endswith("trioquotes stream coinbase books BTC-USD")


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_terminal_without_a_cursor_names_it_too(tmp_path: Path, term: str) -> None:
    with on_terminal("watch", "coinbase", "BTC-USD", cwd=tmp_path, TERM=term) as tty:
        assert tty.ended() == 2
        assert "\x1b" not in tty.text
        assert "trioquotes stream coinbase books BTC-USD" in tty.text


WRONG = {
    "no instrument": (["coinbase"], "needs an instrument"),
    "an empty instrument": (["coinbase", ""], "none may be empty"),
    "a venue": (["nope", "BTC-USD"], "'nope'"),
    "an instrument's form": (["coinbase", "btc-usd"], "did you mean 'BTC-USD'"),
    "an endpoint": (["coinbase", "BTC-USD", "--endpoint", "moon"], "'moon'"),
    "a time": (["coinbase", "BTC-USD", "--seconds", "0"], "--seconds must be"),
    "a token": (["darwinex", "AEB.5.4"], "DARWINEX_ACCESS_TOKEN"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_usage_is_said_before_anything_is_drawn(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.delenv("DARWINEX_ACCESS_TOKEN", raising=False)
    words, said = WRONG[what]
    result = run_here(capfd, "watch", *words)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert said in result.err
