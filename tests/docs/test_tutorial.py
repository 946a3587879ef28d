"""The tutorial, step by step, as a reader with two terminals takes it."""

from __future__ import annotations

import json
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.harness import COMMAND, interrupted, running, wait_for_line
from tests.docs.blocks import PAGES, blocks_of, commands_of

PAGE = "docs/tutorial/first-stream.md"
PORT = "8765"


def free_port() -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return str(taken.getsockname()[1])


def words(start: str, port: str) -> list[str]:
    """The page's command that begins so, without the program's name."""
    (found,) = (one.text for one in commands_of(PAGE, PAGES[PAGE]) if one.text.startswith(start))
    return shlex.split(found.replace(PORT, port))[1:]


@contextmanager
def program(text: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The page's program."""
    (folder / "first.py").write_text(text)
    process = subprocess.Popen(
        [sys.executable, "-u", "first.py"],
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.tcp
@pytest.mark.endurance
def test_whoever_follows_the_tutorial_sees_what_it_says(tmp_path: Path) -> None:
    port = free_port()
    (block,) = (block for block in blocks_of(PAGE, PAGES[PAGE]) if block.language == "python")
    with running(*words("trioquotes simulate", port), cwd=tmp_path) as venue:
        said = wait_for_line(venue, "listening on")
        assert said.replace(port, PORT) in PAGES[PAGE]
        told = subprocess.run(
            [*COMMAND, *words("trioquotes stream", port)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        lines = [json.loads(line) for line in told.stdout.splitlines()]
        assert [line["event"] for line in lines] == ["Connected", "Trade", "Trade", "Trade"]
        assert all(isinstance(line["price"], str) for line in lines[1:])
        with program(block.text.replace(PORT, port), tmp_path) as reader:
            wait_for_line(reader, "trade ")
            interrupted(venue, signal.SIGINT)
            wait_for_line(reader, "something may be missing")
            with running(*words("trioquotes simulate", port), cwd=tmp_path) as again:
                wait_for_line(again, "listening on")
                wait_for_line(reader, "trade ")
