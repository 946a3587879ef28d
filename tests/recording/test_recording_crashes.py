"""A few recorders killed at random; ``python -m tests.recording.crashes`` kills a hundred."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.recording.crashes import one_folder

pytestmark = [
    pytest.mark.endurance,
    pytest.mark.skipif(os.name == "nt", reason="no such signal"),
]


@pytest.mark.parametrize(("number", "kills"), [(0, 2), (1, 1), (2, 1), (3, 1), (4, 1)])
def test_what_a_killed_recorder_had_written_is_there_and_replays(
    number: int, kills: int, tmp_path: Path
) -> None:
    assert one_folder(number, 7 + 10 * number, 1.0, tmp_path, kills=kills)
