"""Examples as modules, and as programs."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import attrs
import pytest

__all__ = ["EXAMPLES", "Ended", "interrupted_after", "load"]

EXAMPLES = Path(__file__).parents[2] / "examples"

PATIENCE_S = 30.0
"""For a process on a busy machine."""


def load(name: str) -> ModuleType:
    """The example as a module; read once."""
    full = f"example_{name}"
    if full not in sys.modules:
        spec = importlib.util.spec_from_file_location(full, EXAMPLES / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[full] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[full]


@attrs.frozen
class Ended:
    """How a program ended and what it printed."""

    code: int
    out: str
    err: str


def interrupted_after(
    words: str, *command: str, cwd: Path = EXAMPLES, env: Mapping[str, str] | None = None
) -> Ended:
    """Run a Python program until it prints a line with these words; then press Ctrl-C."""
    process = subprocess.Popen(
        [sys.executable, *command], cwd=cwd, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    said = ""
    until = time.monotonic() + PATIENCE_S
    try:
        while words not in said:
            line = process.stdout.readline()
            said += line
            if not line or time.monotonic() > until:
                process.kill()
                pytest.fail(f"it never said {words!r}: {said}{process.communicate()}")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
        process.wait()
    return Ended(process.returncode, said + out, err)
