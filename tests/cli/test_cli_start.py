"""The program as it is installed: quiet about a Ctrl-C from its first moment on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.cli.harness import Ended, ended

# What a script that pip makes does, with a Ctrl-C at the moment when a certain module is looked for.
PROGRAM = """
import importlib.abc, signal, sys
import trioquotes_command


class Interrupts(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == {moment!r}:
            signal.raise_signal(signal.SIGINT)


sys.meta_path.insert(0, Interrupts())
sys.argv[1:] = {words!r}
sys.exit(trioquotes_command.main())
"""

WORDS = ["stream", "coinbase", "trades", "BTC-USD", "--endpoint", "ws://127.0.0.1:9"]
MOMENTS = [
    "trioquotes", "msgspec._core", "trio._core._run", "trioquotes.events", "cyclopts", "rich.console", "trioquotes.cli",
    "trioquotes.cli.stream", "trioquotes._runtime.transport",
]  # fmt: skip
"""From the first to the last of what is loaded before anything is begun."""

posix = pytest.mark.skipif(os.name == "nt", reason="no such signals")


def program(moment: str, words: list[str], folder: Path, before: str = "") -> Ended:
    return ended(
        subprocess.Popen(
            [sys.executable, "-c", before + PROGRAM.format(moment=moment, words=words)],
            cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
    )  # fmt: skip


def test_the_program_is_outside_of_the_package() -> None:
    (found,) = entry_points(group="console_scripts", name="trioquotes")
    assert found.value == "trioquotes_command:main", "the package itself takes long to load"


@posix
@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_while_it_is_loaded_is_quiet(tmp_path: Path, moment: str) -> None:
    assert program(moment, WORDS, tmp_path) == Ended(130, "", "")


@posix
def test_ctrl_c_between_loading_and_the_command_is_quiet(tmp_path: Path) -> None:
    early = (
        "import signal, trioquotes.cli\ntrioquotes.cli.main = lambda: signal.raise_signal(signal.SIGINT)\n"
    )
    assert program("", WORDS, tmp_path, early) == Ended(130, "", "")


@posix
def test_a_ctrl_c_that_means_nothing_still_means_nothing(tmp_path: Path) -> None:
    ignoring = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    result = program("trioquotes.cli", ["venues", "zonda", "--json"], tmp_path, ignoring)
    assert (result.code, result.err) == (0, "")


def test_the_command_gets_the_words_and_its_code_is_the_programs(tmp_path: Path) -> None:
    result = program("", ["venues", "nope"], tmp_path)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("trioquotes: no venue is called 'nope'")


@posix
def test_the_command_itself_gets_ctrl_c_as_ever(tmp_path: Path) -> None:
    handler = "import signal, trioquotes.cli\ntrioquotes.cli.main = lambda: print(signal.getsignal(signal.SIGINT))\n"
    result = program("", [], tmp_path, handler)
    assert result.out.strip() == str(signal.default_int_handler)


def test_the_command_is_loaded_while_a_ctrl_c_can_break_nothing(tmp_path: Path) -> None:
    asks = (
        "import trioquotes.cli\ntrioquotes.cli.main = lambda: print('trioquotes.cli.stream' in sys.modules)\n"
    )
    assert program("", ["--debug", *WORDS], tmp_path, asks).out == "True\n"
