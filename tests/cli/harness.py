"""Running the command line: in this process, as a process of its own, and against servers that a test can see into."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from trioquotes.cli import main

__all__ = [
    "COMMAND",
    "Ended",
    "ended",
    "interrupted",
    "json_lines",
    "run_here",
    "running",
    "started",
    "wait_for_line",
]

COMMAND = [sys.executable, "-m", "trioquotes"]

PATIENCE_S = 30.0
"""For a process on a busy machine."""


@attrs.frozen
class Ended:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """Its standard output as JSON lines."""
        return json_lines(self.out)


def json_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def run_here(capfd: pytest.CaptureFixture[str], *words: str | Path) -> Ended:
    """Run the command in this process."""
    capfd.readouterr()
    code: object = 0
    try:
        main([str(word) for word in words])
    except SystemExit as end:
        code = end.code
    assert isinstance(code, int)
    out, err = capfd.readouterr()
    return Ended(code, out, err)


def started(*words: str | Path, cwd: Path, **options: Any) -> subprocess.Popen[str]:
    """Start the command as a process of its own; not in the source tree, so that it is the installed one."""
    return subprocess.Popen(
        [*COMMAND, *(str(word) for word in words)],
        cwd=cwd, text=True,
        stdout=options.pop("stdout", subprocess.PIPE), stderr=options.pop("stderr", subprocess.PIPE),
        env={**os.environ, "COLUMNS": "80"} | options.pop("env", {}),
        **options,
    )  # fmt: skip


@contextmanager
def running(*words: str | Path, cwd: Path, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """The same inside a block, after which it is gone."""
    process = started(*words, cwd=cwd, **options)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=PATIENCE_S)


def interrupted(process: subprocess.Popen[str], number: int = signal.SIGINT) -> Ended:
    """Send it a signal and wait for its end."""
    process.send_signal(number)
    return ended(process)


def ended(process: subprocess.Popen[str]) -> Ended:
    """Wait for its end."""
    out, err = process.communicate(timeout=PATIENCE_S)
    return Ended(process.returncode, out or "", err or "")


def wait_for_line(process: subprocess.Popen[str], start: str) -> str:
    """Read its standard output up to a line that begins so."""
    assert process.stdout is not None
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        line = process.stdout.readline()
        if line.startswith(start):
            return line.rstrip("\n")
        assert line, f"it ended: {process.communicate()}"
    raise AssertionError("no such line")
