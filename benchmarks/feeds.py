"""From the socket to a typed event in the user's code: trioquotes beside others, in one run.

A server process sends frames that were made before; every contestant is a process of its own that takes them all, one
after the other in rounds, so that a busy machine disturbs all of them. What counts is the CPU time, user and system, of
the client's process for each message between two marks, and the ratio of two contestants within a round. Before the
marks every contestant adds up what it got, and the sums must agree with what was sent.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.catalog import CONTESTANTS, KEPT, SCENARIOS
from benchmarks.figures import fallen, figures_of, judge, ratios
from benchmarks.report import floor_rows, inserted, kept_table, page, plot
from benchmarks.running import Absent, Failed, Measured, Pair

__all__ = ["main"]

HERE = Path(__file__).parent
TABLE = HERE / "kept.json"
DOCS = HERE.parent / "docs" / "explanation"
PLOTTED = ("bulk", "segment-tls", "upbit-book", "paced-5000")

Runs = dict[str, dict[str, list[Measured]]]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.feeds",
        description=(__doc__ or "").split("\n\n")[0],
        epilog=f"Scenarios: {', '.join(SCENARIOS)}. Contestants: {', '.join(CONTESTANTS)}.",
    )
    parser.add_argument(
        "--rounds", type=int, default=0, help="of all contestants (default: 5; 3 with --check)"
    )
    parser.add_argument("--quick", action="store_true", help="one round with a third of the messages")
    parser.add_argument(
        "--check", action="store_true",
        help="trioquotes and the plain stack alone; fail where their ratio fell by more than a quarter against kept.json",
    )  # fmt: skip
    parser.add_argument("--write", action="store_true", help="the page and the plot in docs/, and kept.json")
    parser.add_argument(
        "--only", action="append", default=[], choices=SCENARIOS, metavar="SCENARIO", help="may be repeated"
    )
    parser.add_argument(
        "--who",
        action="append",
        default=[],
        choices=CONTESTANTS,
        metavar="CONTESTANT",
        help="may be repeated",
    )
    parser.add_argument("--scale", type=float, default=1.0, help="so many times the messages")
    parser.add_argument(
        "--profile", choices=("samples", "calls"), default="",
        help="show where the time of each contestant goes: by looking at it, or by counting its calls",
    )  # fmt: skip
    parser.add_argument(
        "--home", action="append", default=[], metavar="NAME=PYTHON",
        help="interpreter of an environment of its own: cryptofeed=.../bin/python; may be repeated",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output, no table")
    given = parser.parse_args()
    if given.check:
        given.only, given.who = given.only or list(KEPT), given.who or ["native", "plain"]
    given.rounds = given.rounds or (1 if given.quick or given.profile else 3 if given.check else 5)
    given.scale *= 1 / 3 if given.quick else 1
    return given


def measure(given: argparse.Namespace, pair: Pair, runs: Runs, absent: dict[str, str]) -> bool:
    """All rounds; whatever was measured when it ends is in ``runs``. Returns whether nobody broke down."""
    sound = True
    scenarios = {
        name: [who for who in what.names if not given.who or who in given.who]
        for name, what in SCENARIOS.items()
        if not given.only or name in given.only
    }
    left = given.rounds * sum(len(names) for names in scenarios.values())
    began, done = time.monotonic(), 0
    for at in range(given.rounds):
        for scenario, names in scenarios.items():
            # Everybody has every place in the order now and then.
            for name in names[at % max(len(names), 1) :] + names[: at % max(len(names), 1)]:
                left, done = left - 1, done + 1
                if CONTESTANTS[name].package in absent:
                    continue
                try:
                    run = pair.run(SCENARIOS[scenario], name, scale=given.scale, profile=given.profile)
                except Absent as why:
                    absent[CONTESTANTS[name].package] = str(why)
                    progress(f"not here: {why}")
                    continue
                except Failed as error:
                    sound = False
                    progress(f"failed: {error}")
                    continue
                runs.setdefault(scenario, {}).setdefault(name, []).append(run)
                minutes = (time.monotonic() - began) / done * left / 60
                progress(
                    f"round {at + 1}/{given.rounds}  {scenario:12} {name:16} {run.cpu_ns / 1000:8.2f} us a message"
                    f"  {run.per_s:9,.0f}/s  busy {run.busy:4.0%}  server {run.server_busy:4.0%}"
                    f"  {run.peak_bytes >> 20:4} MiB  about {minutes:.0f} min to go"
                )
    for scenario, what in SCENARIOS.items():  # in the order of the catalogue, whatever the rounds' order was
        if scenario in runs:
            runs[scenario] = {name: runs[scenario][name] for name in what.names if name in runs[scenario]}
    return sound


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def show(runs: Mapping[str, Mapping[str, list[Measured]]]) -> None:
    """The medians, and the floors that were measured."""
    for scenario, measured in runs.items():
        what, first = SCENARIOS[scenario], next(iter(measured))
        print(f"\n{what.feed}, {what.title} ({next(iter(measured.values()))[0].source} frames)")
        for name, rounds in measured.items():
            figure = figures_of(rounds)
            times = statistics.median(ratios(rounds, measured[first]))
            latency = (
                "  p50 {:.0f}  p99 {:.0f}  p99.9 {:.0f} us".format(*figure.latency_us)
                if figure.latency_us
                else ""
            )
            print(
                f"  {CONTESTANTS[name].title:42} {figure.cpu_us:8.2f} us  {times:6.2f}  {figure.peak_mib:4.0f} MiB{latency}"
            )
    judged = [one for one in judge(runs) if one.ratio is not None]
    if judged:
        print(f"\n{floor_rows(judged)}")


def write(runs: Mapping[str, Mapping[str, list[Measured]]], absent: Mapping[str, str]) -> None:
    """The page's part, the plot and the kept table."""
    text = DOCS / "performance.md"
    text.write_text(inserted(text.read_text(), "feeds", page(runs, absent)))
    (DOCS / "feeds.svg").write_text(plot(runs, PLOTTED))
    TABLE.write_text(json.dumps(kept_table(runs), indent=1) + "\n")
    progress(f"written: {text}, {DOCS / 'feeds.svg'}, {TABLE}")


def main() -> None:
    given = arguments()
    homes = dict(one.split("=", 1) for one in given.home)
    if "cryptofeed" not in homes and os.environ.get("TRIOQUOTES_BENCH_CRYPTOFEED"):
        homes["cryptofeed"] = os.environ["TRIOQUOTES_BENCH_CRYPTOFEED"]
    runs: Runs = {}
    absent: dict[str, str] = {}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated: nothing was written"))
    try:
        with Pair(homes) as pair:
            sound = measure(given, pair, runs, absent)
    except KeyboardInterrupt:
        sys.exit("interrupted: nothing was written")
    if given.json:
        print(json.dumps(kept_table(runs), indent=1))
    else:
        show(runs)
    if given.write:
        write(runs, absent)
    if given.check and (words := fallen(runs, json.loads(TABLE.read_text()))):
        sys.exit("\n".join(words))
    if not sound:
        sys.exit("a contestant failed: see above")


if __name__ == "__main__":
    main()
