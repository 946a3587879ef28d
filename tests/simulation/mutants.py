"""Every mutation in a copy of the package, where seeds of the simulation have to catch it; the tree stays as it is."""

# ruff: noqa: T201  # what it prints is its product

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import attrs

from tests.simulation.campaign import Case, run_case
from tests.simulation.mutations import MUTATIONS, Mutation

__all__ = ["Verdict", "main", "try_mutation"]

ROOT = Path(__file__).parents[2]
COPIED = ("trioquotes", "tests/simulation")


@attrs.frozen
class Verdict:
    """What became of a mutation.

    Attributes:
        caught_by: the promise of ``promises.PROMISES`` that was found broken; empty if none was.
        seeds: how many runs it took.
        took_s: seconds of real time.
        said: the last of what the run printed, where it was not caught.
    """

    mutation: Mutation
    caught_by: str
    seeds: int
    took_s: float
    said: str = ""


def copy_of_source(folder: Path) -> None:
    """The package and the simulation, without anything else of the tree."""
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))


def mutated(text: str, mutation: Mutation) -> str:
    """The module with the mutation in it.

    Raises:
        ValueError: its old text does not stand there exactly once.
    """
    if text.count(mutation.old) != 1:
        raise ValueError(f"{mutation.module} has {text.count(mutation.old)} times: {mutation.old!r}")
    return text.replace(mutation.old, mutation.new)


def try_mutation(mutation: Mutation, seeds: int, workers: int) -> Verdict:
    """Run seeds against the mutated package until one fails."""
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_of_source(folder)
        module = folder / "trioquotes" / mutation.module
        module.write_text(mutated(module.read_text(), mutation))
        venues = [word for venue in mutation.venues for word in ("--venue", venue)]
        share = -(-seeds // len(mutation.venues))
        command = [
            sys.executable, "-m", "tests.simulation", *venues, "--seeds", str(share), "--workers", str(workers),
            "--hard", "--stop", "--source", str(folder),
        ]  # fmt: skip
        env = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    took_s = time.monotonic() - started_s
    found = re.search(r"^caught after (\d+) seeds by (\w+) (\d+): (.*)$", done.stdout, re.MULTILINE)
    if found is None:
        return Verdict(mutation, "", seeds, took_s, (done.stdout + done.stderr)[-1500:])
    if (outcome := run_case(Case(found[2], int(found[3]), hard=True))).failure:
        return Verdict(
            mutation, "", int(found[1]), took_s, f"fails without it as well: {outcome.failure[:1000]}"
        )
    return Verdict(mutation, found[4], int(found[1]), took_s)


def main(arguments: Iterable[str] | None = None) -> int:
    """The command line; returns how many mutations were not caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutants", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many may be tried for one")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="", help="those whose name has this text")
    given = parser.parse_args(None if arguments is None else list(arguments))
    missed = 0
    for mutation in MUTATIONS:
        if given.only not in mutation.name:
            continue
        verdict = try_mutation(mutation, given.seeds, given.workers)
        told = f"{verdict.seeds} seeds | {verdict.caught_by}" if verdict.caught_by else "NOT CAUGHT |"
        print(f"| {mutation.promise} | {mutation.name} | {told} | {verdict.took_s:.0f} s", flush=True)
        if not verdict.caught_by:
            missed += 1
            print(verdict.said)
    print(f"{missed} not caught")
    return min(missed, 100)


if __name__ == "__main__":
    sys.exit(main())
