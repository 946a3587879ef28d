"""What recording costs beside streaming, and how fast a replay is beside both: one run, turn by turn.

The server of the other benchmarks sends frames that were made before. A plain session and a recorded one take them in
turns, round after round; after each recorded one its recording is replayed as fast as it is read. CPU is that of the
whole process, the recorder's thread included.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.catalog import SCALED, Contestant, Scenario
from benchmarks.contestants.recorded import FOLDER
from benchmarks.running import ROOT, Failed, Measured, Pair

__all__ = ["main"]

LIMIT = 1.25
"""So many times the CPU of streaming may recording take."""
FASTER = 3.0
"""So many times as many messages a second a replay is to reach."""

SCENARIOS = (
    Scenario("bulk, plain", "coinbase-mix", "bulk", False, (), 60_000),
    Scenario("one frame a segment, TLS", "coinbase-mix", "segment", True, (), 60_000),
    Scenario("bulk, plain", "upbit", "bulk", False, (), 15_000),
    Scenario("bulk, plain", "edgex", "bulk", False, (), 15_000),
    Scenario("paced 5,000/s, TLS", "coinbase-mix", "paced", True, (), 20_000, rate=5_000),
)
VARIANTS = ("native", "unified")

for _variant in VARIANTS:
    SCALED[f"recorded-{_variant}"] = Contestant(
        f"trioquotes, {_variant}, recorded", "recorded", "trioquotes", "as without", _variant
    )


class Round(NamedTuple):
    """One turn of each."""

    plain: Measured
    recorded: Measured
    bytes_per_frame: float
    replay_cpu_ns: float
    replay_per_s: float


def one_round(pair: Pair, what: Scenario, variant: str, folder: Path, scale: float) -> Round:
    """A plain session, a recorded one, a replay."""
    plain = pair.run(what, variant, scale=scale)
    recorded = pair.run(what, f"recorded-{variant}", scale=scale)
    told = replay()
    size = sum(path.stat().st_size for path in folder.iterdir())
    frames = told["frames"]
    return Round(plain, recorded, size / frames, told["cpu_ns"] / frames, frames / told["wall_ns"] * 1e9)


def replay() -> dict[str, Any]:
    """Replay what is in the folder, in a process of its own."""
    task = {
        "feed": "", "port": 0, "tls": False, "count": 0, "kinds": {}, "instruments": [], "sessions": 1, "paced": False,
        "arrivals": "", "variant": "replay", "authority": "", "profile": "",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.contestants.recorded", json.dumps(task)], capture_output=True, text=True,
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=300, check=False,
    )  # fmt: skip
    if done.returncode:
        raise Failed(done.stderr.strip()[-2000:])
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def line(what: Scenario, variant: str, rounds: list[Round]) -> str:
    """What came of a scenario."""
    ratio = statistics.median(one.recorded.cpu_ns / one.plain.cpu_ns for one in rounds)
    faster = statistics.median(one.replay_per_s / one.plain.per_s for one in rounds)
    plain = statistics.median(one.plain.cpu_ns for one in rounds) / 1000
    recorded = statistics.median(one.recorded.cpu_ns for one in rounds) / 1000
    replayed = statistics.median(one.replay_cpu_ns for one in rounds) / 1000
    size = statistics.median(one.bytes_per_frame for one in rounds)
    return (
        f"{what.feed:14} {what.title:26} {variant:8} plain {plain:6.2f} us, recorded {recorded:6.2f} us:"
        f" {ratio:.3f}x{'' if ratio <= LIMIT else ' **OVER**'}; replay {replayed:6.2f} us, {faster:.2f}x the messages a"
        f" second; {size:.0f} bytes a frame"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.recording", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="more or fewer messages")
    parser.add_argument("--feed", default="", help="scenarios of this input only")
    parser.add_argument("--check", action="store_true", help="fail where recording costs too much")
    given = parser.parse_args()
    over = False
    with tempfile.TemporaryDirectory(prefix="recording-") as home:
        folder = Path(home, "recording")
        os.environ[FOLDER] = str(folder)
        try:
            with Pair({}) as pair:
                for what in SCENARIOS:
                    if given.feed and what.feed != given.feed:
                        continue
                    for variant in VARIANTS:
                        rounds = [
                            one_round(pair, what, variant, folder, given.scale) for _ in range(given.rounds)
                        ]
                        print(line(what, variant, rounds), flush=True)
                        ratio = statistics.median(one.recorded.cpu_ns / one.plain.cpu_ns for one in rounds)
                        over |= ratio > LIMIT
        except Failed as error:
            sys.exit(f"failed: {error}")
    if over and given.check:
        sys.exit(f"recording costs more than {LIMIT} times streaming")


if __name__ == "__main__":
    main()
