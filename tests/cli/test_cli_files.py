"""Folders and files that cannot be used: each command names them, says what to do, and shows no traceback."""

from __future__ import annotations

import ctypes
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.harness import Ended, ended, running, started, wait_for_line
from trioquotes.cli import decode as command
from trioquotes.errors import CaptureError
from trioquotes.recording import Recording

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="its ways of doing without rights and space")

PERMISSION = "Permission denied: give this user the permission, or choose another place"
PR_CAPBSET_DROP = 24
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
NOBODY = ["--endpoint", "ws://127.0.0.1:9"]


def give_up_rights() -> None:
    """Before the command begins: root too is only allowed what the permissions say."""
    system = ctypes.CDLL(None)
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        system.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # which only root has to do


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Path]:
    """A folder with things that nobody may read, and one that nobody may write to."""
    (tmp_path / "locked").mkdir()
    (tmp_path / "fixed").mkdir()
    (tmp_path / "secret.jsonl").write_text('{"raw": "{}"}\n')
    for name, mode in (("locked", 0o000), ("fixed", 0o555), ("secret.jsonl", 0o000)):
        (tmp_path / name).chmod(mode)
    yield tmp_path
    for name in ("locked", "fixed"):
        (tmp_path / name).chmod(0o755)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["record", "coinbase", "trades", "BTC-USD", "-o", "locked", *NOBODY], 1, f"locked: {PERMISSION}"),
        (
            ["record", "coinbase", "trades", "BTC-USD", "-o", "fixed/r", *NOBODY],
            1,
            f"fixed/r: cannot record there: {PERMISSION}",
        ),
        (["replay", "locked"], 1, f"locked: {PERMISSION}"),
        (["export", "locked", "-o", "out", "--format", "csv"], 1, f"locked: {PERMISSION}"),
        (["decode", "coinbase", "secret.jsonl"], 2, f"secret.jsonl: {PERMISSION}"),
        (["simulate", "coinbase", "--capture", "secret.jsonl"], 2, "secret.jsonl: Permission denied"),
        (
            ["stream", "coinbase", "trades", "BTC-USD", "--ca", "secret.jsonl"],
            2,
            f"--ca secret.jsonl: {PERMISSION}",
        ),
    ],
)
def test_what_may_not_be_used_is_named(locked: Path, words: list[str], code: int, said: str) -> None:
    before = sorted(path.name for path in locked.iterdir())
    result = ended(started(*words, cwd=locked, preexec_fn=give_up_rights))
    assert result == Ended(code, "", f"trioquotes: {said}\n")
    assert sorted(path.name for path in locked.iterdir()) == before


UNMEASURED = {"COVERAGE_PROCESS_CONFIG": "", "COVERAGE_PROCESS_START": ""}
"""For whoever may not write: it could not write its coverage either, and would say so."""


def small_files() -> None:
    """Before the command begins: no file may grow beyond a few kilobytes, as on a disk that is nearly full."""
    import resource  # noqa: PLC0415  # not everywhere

    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))


@pytest.mark.tcp
def test_a_recording_that_finds_no_room_ends_with_what_it_has(tmp_path: Path) -> None:
    with running("simulate", "coinbase", "--rate", "500", cwd=tmp_path) as simulator:
        url = wait_for_line(simulator, "listening on ").removeprefix("listening on ")
        words = (
            "record",
            "coinbase",
            "books",
            "BTC-USD",
            "ETH-USD",
            "-o",
            "r",
            "--endpoint",
            url,
            "--seconds",
            "60",
        )
        result = ended(started(*words, cwd=tmp_path, preexec_fn=small_files, env=UNMEASURED))
    assert (result.code, result.out) == (1, "")
    assert result.err == (
        "trioquotes: r: the recording ended: File too large: raise the limit on the size of files (ulimit -f), or choose"
        " another place; what was written before is kept, and recording there again continues it\n"
    )
    summary = Recording(tmp_path / "r").summary()
    assert summary.torn == (), "it ends where a block does"
    assert 0 < summary.bytes <= 6000


def test_output_that_finds_no_room_is_named(tmp_path: Path) -> None:
    path = tmp_path / "capture.jsonl"
    line = r'{"raw": "{\"type\":\"heartbeat\",\"sequence\":1,\"last_trade_id\":1,\"product_id\":\"BTC-USD\",\"time\":\"2026-11-22T00:00:00Z\"}"}'
    path.write_text(f"{line}\n" * 1000)
    with open(tmp_path / "out", "w", encoding="utf-8") as file:  # noqa: PTH123
        words = "decode", "coinbase", path, "--native", "--independent"
        result = ended(started(*words, cwd=tmp_path, stdout=file, preexec_fn=small_files, env=UNMEASURED))
    assert result.code == 1
    assert result.err.startswith("trioquotes: standard output: File too large: ")
    assert result.err.count("\n") == 1
    assert os.path.getsize(file.name) == 6000  # noqa: PTH202


def test_a_line_that_never_ends_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "LINE_BYTES", 2**20)
    good = b'{"raw": "x"}\n'
    lines = command.read_lines(io.BytesIO(good + b"0" * 2**21), "endless")
    assert next(lines).raw == "x"
    with pytest.raises(CaptureError, match="endless, line 2: not a captured frame: longer than 1 MiB"):
        next(lines)
