"""``python -m tests.long.fuzz --minutes 10``: coverage-guided fuzzing of everything that bytes from outside reach.

Each target runs in a process of its own for its share of the time, begins with the tests' samples (and the captures
where ``TRIOQUOTES_CAPTURES`` names their folder) and keeps what it learnt under ``--folder`` for the next run. What is
found is written to a file, and the command that replays it is printed.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from tests.long.fuzz_targets import Target

FOLDER = Path(".nox", "_scratch", "fuzz")
MAX_BYTES = 16_384
SLOWEST_S = 30
"""For one input; the machine may be busy."""
MOST_MIB = 2048

MISSING = """
=====================================================================================
NOTHING WAS FUZZED: atheris is not installed in this environment, so this session FAILS.
Install it (`python -m pip install atheris`; it has wheels for CPython 3.11 and later on
Linux and macOS), or give nox an interpreter that it has a wheel for.
=====================================================================================
"""


@attrs.frozen
class Found:
    """How one target fared."""

    name: str
    runs: int
    coverage: int
    files: tuple[Path, ...]
    code: int


def main(arguments: Sequence[str]) -> int:
    """0 where nothing was found, 1 where something was, 2 for a wrong command line, 3 without a fuzzer."""
    if arguments[:1] == ["--one"]:
        fuzz_one(arguments[1], list(arguments[2:]))
        return 0
    if importlib.util.find_spec("atheris") is None:
        sys.stderr.write(MISSING)
        return 3
    from tests.long.fuzz_targets import TARGETS  # noqa: PLC0415  # the targets need all of the tests' libraries

    parser = argparse.ArgumentParser(prog="python -m tests.long.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="for all targets together")
    parser.add_argument("--venue", action="append", help="only what concerns this venue")
    parser.add_argument("--target", action="append", choices=sorted(TARGETS), help="only this one")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where inputs are kept")
    given = parser.parse_args(arguments)
    chosen = {
        name: target
        for name, target in TARGETS.items()
        if (not given.target or name in given.target) and (not given.venue or target.venue in given.venue)
    }
    if not chosen:
        parser.error("no target is left")
    whole = sum(target.weight for target in chosen.values())
    found = []
    for name, target in chosen.items():
        seconds = max(1, round(given.minutes * 60 * target.weight / whole))
        one = run(name, target, given.folder.absolute(), seconds)
        tell(one)
        found.append(one)
    bad = [one for one in found if one.code]
    inputs = sum(one.runs for one in found)
    sys.stdout.write(f"{inputs} inputs to {len(found)} targets; {len(bad)} of them found something\n")
    return 1 if bad else 0


def run(name: str, target: Target, folder: Path, seconds: int) -> Found:
    """Fuzz one target for a while, in a process of its own."""
    corpus, seeds, crashes = (folder / name / part for part in ("corpus", "seeds", "found"))
    shutil.rmtree(seeds, ignore_errors=True)
    for path in (corpus, seeds, crashes):
        path.mkdir(parents=True, exist_ok=True)
    before = set(crashes.iterdir())
    sown = sow(target, seeds)
    words = folder / name / "words.dict"
    words.write_text(dictionary(target))
    flags = {
        "max_total_time": seconds, "max_len": MAX_BYTES, "timeout": SLOWEST_S, "rss_limit_mb": MOST_MIB,
        "dict": words, "artifact_prefix": f"{crashes}/", "print_final_stats": 1, "verbosity": 1,
    }  # fmt: skip
    sys.stdout.write(f"{name}: {seconds} s from {sown} seeds\n")
    sys.stdout.flush()
    command = [
        sys.executable,
        "-m",
        "tests.long.fuzz",
        "--one",
        name,
        *(f"-{k}={v}" for k, v in flags.items()),
    ]
    ended = subprocess.run(
        [*command, str(corpus), str(seeds)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    log = ended.stdout.decode(errors="replace")
    (folder / name / "log.txt").write_text(log)
    if ended.returncode:
        sys.stdout.write(_story(log))
    files = tuple(sorted(set(crashes.iterdir()) - before))
    coverage = re.findall(r"cov: (\d+)", log)
    return Found(
        name,
        _figure(log, "number_of_executed_units"),
        int(coverage[-1]) if coverage else 0,
        files,
        ended.returncode,
    )


def sow(target: Target, folder: Path) -> int:
    """Write the seeds as files; returns how many."""
    number = 0
    for number, seed in enumerate(target.seeds(), 1):
        (folder / f"{number:04d}").write_bytes(seed[:MAX_BYTES])
    return number


def dictionary(target: Target) -> str:
    """The target's words as libFuzzer reads them."""
    words_of = importlib.import_module("tests.long.fuzz_targets").words_of
    return "".join('"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in words_of(target))


def _figure(log: str, name: str) -> int:
    found = re.search(rf"stat::{name}:\s*(\d+)", log) or re.search(r"#(\d+)[^#]*\Z", log)
    return int(found[1]) if found else 0


def _story(log: str) -> str:
    """The traceback, or the last words."""
    _, mark, story = log.partition("=== Uncaught Python exception: ===")
    return (mark + story)[:6000] if mark else log[-2000:]


def tell(one: Found) -> None:
    """A line, and how to replay what was found."""
    sys.stdout.write(f"{one.name}: {one.runs} inputs, {one.coverage} edges\n")
    for file in one.files:
        sys.stdout.write(
            f"FOUND: replay with\n  {sys.executable} -m tests.long.fuzz_replay {one.name} {file}\n"
        )
    if one.code and not one.files:
        sys.stdout.write(f"FAILED: {one.name} ended with {one.code}, and left no input\n")
    sys.stdout.flush()


def fuzz_one(name: str, flags: list[str]) -> None:
    """The fuzzing itself; never returns."""
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["trioquotes"]):
        module = importlib.import_module("tests.long.fuzz_targets")
    targets: Mapping[str, Target] = module.TARGETS
    target = targets[name]

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        if seed % 2:
            spoilt: bytes = module.spoilt(target, data, seed)
            return spoilt[:max_size]
        mutated: bytes = atheris.Mutate(data, max_size)
        return mutated

    atheris.Setup([sys.argv[0], *flags], target.run, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
