"""A soak of some seconds: real sockets, TLS, two processes, all five venues, and an ending that leaves nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SOAK = [sys.executable, "-m", "tests.long.soak", "--faults", "--every", "1", "--busy", "2"]
ENDS_S = 100.0

pytestmark = [pytest.mark.tcp, pytest.mark.endurance]


def well(figures: dict[str, Any]) -> bool:
    return not figures["problems"]


def test_ten_seconds_of_all_venues_leave_nothing_behind(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    command = [*SOAK, "--minutes", "0.17", "--json", str(file)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=ENDS_S, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "verdict: all is well" in run.stdout
    figures = json.loads(file.read_text())
    assert well(figures)
    assert set(figures["events"]) == {"coinbase", "upbit", "edgex", "zonda", "darwinex"}
    assert all(events > 0 for events in figures["events"].values())
    assert figures["ledgers"] > 20
    assert figures["books_right"] > 0
    assert sum(sum(figures["venues"][name]["faults"].values()) for name in figures["events"]) > 0


def test_an_interrupt_ends_it_with_the_verdict_so_far() -> None:
    with subprocess.Popen([*SOAK, "--minutes", "30"], cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        lines = [run.stdout.readline() for _ in range(4)]
        assert lines[0].split()[0] == "minutes"
        run.send_signal(signal.SIGINT)
        rest, _ = run.communicate(timeout=ENDS_S)
    assert "interrupted: closing" in rest
    assert "verdict: all is well" in rest
    assert run.returncode == 0
