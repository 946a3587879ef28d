"""The load program for some seconds: real sockets, TLS, two processes and two that only spin."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOAD = [sys.executable, "-m", "tests.long.load", "--every", "1", "--busy", "5"]
ENDS_S = 100.0

pytestmark = [pytest.mark.tcp, pytest.mark.endurance]


def test_some_seconds_of_load_are_measured_at_all_venues_and_end_well(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    command = [*LOAD, "--minutes", "0.15", "--json", str(file)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=ENDS_S, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "verdict: all is well" in run.stdout
    figures = json.loads(file.read_text())
    assert figures["problems"] == []
    assert figures["spinners_s"] > 0
    assert all(events > 0 for events in figures["events"].values())
    assert figures["ledgers"] > 20
    pongs = {name: found[0] for name, found in figures["heartbeats"].items()}
    assert set(pongs) == {"coinbase", "upbit", "edgex", "zonda", "darwinex"}
    assert all(found["due"] >= 1 and found["worst_s"] > 0 for found in pongs.values())


@pytest.mark.thorough
def test_a_client_that_stands_still_is_told_of() -> None:
    """The verdict is of the real program, with an event loop that does not get its turn for longer than a pong may take."""
    stuck = (
        "import sys, time, trio, tests.long.load as load\n"
        "watch = load.watch\n"
        "async def still(*given):\n"
        "    async with trio.open_nursery() as nursery:\n"
        "        nursery.start_soon(watch, *given)\n"
        "        await trio.sleep(1)\n"
        "        time.sleep(13)\n"
        "load.watch = still\n"
        "sys.exit(load.main(['--minutes', '0.3', '--every', '5', '--spinners', '0']))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", stuck], cwd=ROOT, capture_output=True, text=True, timeout=ENDS_S, check=False
    )
    assert run.returncode == 1, run.stdout + run.stderr
    assert "coinbase: pong was late" in run.stdout
