"""A consumer that never reads: memory stays flat, pings are answered, every loss is reported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

FRAMES = 1_000_000
MIB = 1024 * 1024


@pytest.mark.tcp
@pytest.mark.endurance
def test_a_million_frames_to_a_consumer_that_never_reads() -> None:
    program = Path(__file__).with_name("flood.py")
    run = subprocess.run(
        [sys.executable, str(program), str(FRAMES)], capture_output=True, text=True, check=True, timeout=110
    )
    figures = json.loads(run.stdout)
    assert figures["grown_bytes"] < 60 * MIB
    assert figures["pongs"] == figures["pings"] == FRAMES // 10_000
    assert figures["dropped"] == figures["lagged"]
    assert figures["lagged"] + figures["trades"] == FRAMES == figures["last"]
    assert figures["frames"] == FRAMES + FRAMES // 10_000 + 1
