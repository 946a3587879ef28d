"""The fuzzer's targets: every seed is harmless, a broken promise is found, and a missing fuzzer is no success."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.long import fuzz, fuzz_replay
from tests.long.fuzz_targets import TARGETS, Target, spoilt, words_of
from trioquotes._protocol.frames import FrameSplitter
from trioquotes.venues import VENUES

ROOT = Path(__file__).parents[2]
SLOW = "fetched-"
PLAIN = ("frames", "upgrade", "readers", "json-lines")

each_target = pytest.mark.parametrize("name", TARGETS)


def test_every_venue_has_its_targets() -> None:
    for venue in VENUES:
        assert {f"receive-{venue}", f"decode-{venue}", f"verdict-{venue}"} <= set(TARGETS)
    assert {f"fetched-{venue}" for venue in VENUES if venue != "edgex"} < set(TARGETS)
    assert set(PLAIN) < set(TARGETS)


@each_target
def test_a_target_takes_its_own_seeds(name: str) -> None:
    seeds = list(TARGETS[name].seeds())
    assert len(seeds) >= 3
    for seed in seeds[:3] if name.startswith(SLOW) else seeds:
        TARGETS[name].run(seed)
    assert len(words_of(TARGETS[name])) > 10


@each_target
def test_a_target_takes_what_became_of_its_seeds(name: str) -> None:
    target = TARGETS[name]
    dice = random.Random(name)  # noqa: S311  # decides what is spoilt, keeps no secret
    seeds = list(target.seeds())
    for seed in range(3 if name.startswith(SLOW) else 25):
        data = spoilt(target, dice.choice(seeds), seed)
        target.run(data)


@pytest.mark.parametrize("name", PLAIN)
def test_any_bytes_are_an_input(name: str) -> None:
    for size in (0, 1, 2, 17):
        TARGETS[name].run(bytes(size))
        TARGETS[name].run(b"\xff" * size)


def test_a_splitter_that_loses_what_was_cut_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = FrameSplitter.feed

    def forgetful(self: FrameSplitter, data: bytes) -> object:
        found = feed(self, data)
        self._held = []
        return found

    monkeypatch.setattr(FrameSplitter, "feed", forgetful)
    with pytest.raises(AssertionError):
        for seed in TARGETS["frames"].seeds():
            TARGETS["frames"].run(seed)


def test_a_replay_says_that_an_input_does_no_harm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "input"
    file.write_bytes(b"\x01" + b"HTTP/1.1 200 OK\r\n\r\n")
    assert fuzz_replay.main(["upgrade", str(file)]) == 0
    assert "do no harm" in capsys.readouterr().out


def test_a_replay_of_nothing_known_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert fuzz_replay.main(["no-such-target", "file"]) == 2
    assert "receive-coinbase" in capsys.readouterr().err


def test_the_dictionary_is_one_that_libfuzzer_reads() -> None:
    lines = fuzz.dictionary(TARGETS["decode-coinbase"]).splitlines()
    assert any(bytes.fromhex(line.strip('"').replace("\\x", "")) == b'"product_id"' for line in lines)


def test_seeds_are_written_as_files(tmp_path: Path) -> None:
    target = Target(run=lambda _: None, seeds=lambda: iter([b"a", b"b" * 20_000]))
    assert fuzz.sow(target, tmp_path) == 2
    assert sorted(len(file.read_bytes()) for file in tmp_path.iterdir()) == [1, fuzz.MAX_BYTES]


def test_without_a_fuzzer_it_says_so_loudly_and_fails() -> None:
    hidden = "import sys; sys.modules['atheris'] = None; import importlib.util as u; find = u.find_spec\n"
    hidden += "u.find_spec = lambda name, *rest: None if name == 'atheris' else find(name, *rest)\n"
    hidden += "from tests.long.fuzz import main; sys.exit(main(['--minutes', '1']))"
    run = subprocess.run(
        [sys.executable, "-c", hidden], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 3
    assert "NOTHING WAS FUZZED" in run.stderr
