"""Every command in the README and on the site: run where that ends by itself, and understood in any case."""

from __future__ import annotations

import argparse
import ast
import importlib
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

import trioquotes as tq
from tests.cli.harness import run_here
from tests.docs.blocks import PAGES, ROOT, Command, commands_of
from tests.docs.stage import RECORD, SESSION
from trioquotes.cli import COMMANDS, _app
from trioquotes.testing import LoopbackMaker, VenueMaker, World, open_loopback, run_world

FOUND = [command for name, text in PAGES.items() for command in commands_of(name, text)]

NOT_RUN = {
    "python -m pip install .": "the nox sessions install the wheel",
    "python3 -m venv .venv": "likewise",
    ". .venv/bin/activate": "likewise",
    'python -m pip install "trioquotes[arrays]"': "the test group has what the extra brings",
    'python -m pip install "trioquotes[edgex-v1]"': "likewise",
    "python -m pip install nox": "whoever runs nox has it",
    "python -m pip install pytest pytest-trio": "so have those who run this",
    'python -m pip install "trioquotes[prometheus]"': "likewise",
}
"""Commands that no test runs, and why."""

ENDLESS = {
    "demo": "tests/cli/test_cli_demo.py",
    "simulate": "tests/docs/test_tutorial.py",
    "watch": "tests/cli/test_cli_watch.py",
}
"""Commands that run until somebody ends them, or need a terminal: their words are read, and these tests run them."""

SNAPSHOT = '{"type":"snapshot","product_id":"BTC-USD","bids":[["1.50","2"]],"asks":[["1.60","3"]]}'


def words_of(command: Command) -> list[str]:
    """Up to where the shell takes the output."""
    words = shlex.split(command.text)
    if words[:2] == ["python", "-m"] and words[2] in {"trioquotes", "nox"}:
        words = words[2:]
    ends = [words.index(mark) for mark in ("|", ">", "2>") if mark in words]
    return words[: min(ends, default=len(words))]


OURS = [command for command in FOUND if words_of(command)[0] == "trioquotes"]
WHOLE = [command for command in OURS if len(words_of(command)) > 2]
"""The others only name a command."""
NOX = [command for command in FOUND if words_of(command)[0] == "nox"]
MODULES = [command for command in FOUND if words_of(command)[:2] == ["python", "-m"]]


def test_every_command_is_one_that_is_tested_or_named_here() -> None:
    rest = {command.text for command in FOUND if command not in [*OURS, *NOX, *MODULES]}
    rest |= {command.text for command in MODULES if words_of(command)[2] == "pip"}
    assert rest == NOT_RUN.keys()


def test_every_extra_that_is_named_is_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {extra for text in PAGES.values() for extra in re.findall(r"trioquotes\[([\w-]+)\]", text)}
    assert named <= project["optional-dependencies"].keys()
    assert len(named) > 1


def test_what_only_names_a_command_names_one() -> None:
    assert {word for command in OURS for word in words_of(command)[1:2]} <= COMMANDS.keys()


@pytest.mark.parametrize("command", WHOLE, ids=str)
def test_a_command_of_ours_is_understood(command: Command) -> None:
    function, _, unused = _app().parse_args(words_of(command)[1:], exit_on_error=False, print_error=False)
    assert (function.__name__, unused) == (words_of(command)[1], {})


def test_an_option_that_there_is_not_is_not_understood() -> None:
    with pytest.raises(Exception, match="--colour"):
        _app().parse_args(
            ["stream", "coinbase", "trades", "BTC-USD", "--colour"], exit_on_error=False, print_error=False
        )


@pytest.fixture(scope="module")
def serve() -> Iterator[LoopbackMaker]:
    with open_loopback(seed=1) as maker:
        yield maker


def with_option(words: list[str], name: str, value: str, *, instead: bool = True) -> list[str]:
    """The words with that option, in place of the one that they have or only where they have none."""
    if name not in words:
        return [*words, name, value]
    at = words.index(name)
    return [*words[: at + 1], value, *words[at + 2 :]] if instead else words


def record(path: Path) -> None:
    """A recording where a command wants one."""

    async def main(world: World) -> None:
        venue = VenueMaker(world)("coinbase")
        way: dict[str, Any] = {
            "endpoint": venue.endpoint,
            "connector": RECORD(path, connector=world._connector),
        }
        async with SESSION("coinbase", tq.Books("BTC-USD"), **way):
            await trio.sleep(2)

    run_world(main, seed=1, deadline_s=100)


@pytest.mark.tcp
@pytest.mark.parametrize(
    "command", [command for command in WHOLE if words_of(command)[1] not in ENDLESS], ids=str
)
def test_a_command_of_ours_does_what_it_is_for(
    command: Command, serve: LoopbackMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    words = words_of(command)[1:]
    kind = words[0]
    if kind in {"stream", "record", "doctor"}:
        words = with_option(words, "--endpoint", serve(words[1], rate=100.0).endpoint)
    if kind in {"stream", "record"}:
        words = with_option(words, "--count", "3")
    if kind == "record":
        words = with_option(words, "--seconds", "5")
    if kind in {"replay", "export"}:
        record(tmp_path / words[1])
    if kind == "replay":
        words = with_option(words, "--speed", "max")
    if kind == "decode":
        Path(words[2]).write_text(f'{{"raw": "{SNAPSHOT.replace(chr(34), chr(92) + chr(34))}"}}\n')
    if "--metrics" in words:
        words = with_option(words, "--metrics", "0")
    end = run_here(capfd, *words)
    assert end.code == 0, end.err
    if kind in {"record", "export"}:
        assert list(Path(words[words.index("-o") + 1]).iterdir())
    else:
        assert end.out


ADDED = {"conformance": ("--url", "ws://127.0.0.1:1")}
"""What a session itself adds and its program cannot do without."""


def nox_sessions() -> dict[str, set[str]]:
    """The sessions of the noxfile, each with the modules that it runs."""
    found = {}
    for node in ast.parse((ROOT / "noxfile.py").read_text()).body:
        if isinstance(node, ast.FunctionDef) and any(
            "session" in ast.unparse(one) for one in node.decorator_list
        ):
            texts = [one.value for one in ast.walk(node) if isinstance(one, ast.Constant)]
            modules = {str(text) for text in texts if re.fullmatch(r"(tests|benchmarks)\.[\w.]+", str(text))}
            found[node.name] = modules
    return found


@pytest.mark.parametrize("command", NOX, ids=str)
def test_a_session_of_nox_is_there_and_takes_what_it_is_given(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = words_of(command)[1:]
    if words == ["-l"]:
        return
    given = words[words.index("--") + 1 :] if "--" in words else []
    names = (words[: words.index("--")] if "--" in words else words)[1:]
    assert words[0] == "-s"
    sessions = nox_sessions()
    for name in names:
        assert name in sessions
        if given:
            (module,) = sessions[name]
            assert_understood(module, [*given, *ADDED.get(name, ())], monkeypatch)


@pytest.mark.parametrize(
    "command", [command for command in MODULES if words_of(command)[2] != "pip"], ids=str
)
def test_a_program_of_ours_takes_what_it_is_given(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, module, *given = words_of(command)
    assert_understood(module, given, monkeypatch)


class Understood(BaseException):
    """Its arguments were read; no more was wanted."""


def assert_understood(module: str, given: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin the program, and end it when it has read its arguments."""
    read = argparse.ArgumentParser.parse_args

    def parse_args(parser: argparse.ArgumentParser, *arguments: Any, **options: Any) -> Any:
        read(parser, *arguments, **options)
        raise Understood

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_args)
    monkeypatch.setattr(sys, "argv", [module, *given])
    home = importlib.import_module(module)
    if not hasattr(home, "main"):
        home = importlib.import_module(f"{module}.__main__")
    with pytest.raises(Understood):
        home.main()
