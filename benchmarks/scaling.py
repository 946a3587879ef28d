"""What a message costs with more instruments, more channels and more sessions in one process.

The same number of tickers in all, spread evenly over plain connections, in bulk; channels also with 2,000 messages a second,
each on its own, as a venue sends them. The cases take turns in rounds, and a case is compared with the smallest of its
kind within the same round.
"""

from __future__ import annotations

import argparse
import signal
import statistics
import sys
from pathlib import Path
from typing import NamedTuple

from benchmarks.catalog import Scenario
from benchmarks.figures import figures_of, ratios
from benchmarks.report import inserted, table
from benchmarks.running import Failed, Measured, Pair

__all__ = ["main"]

PAGE = Path(__file__).parent.parent / "docs" / "explanation" / "performance.md"
FLAT = 1.5
"""So many times the cost of the smallest case is still flat."""


class Case(NamedTuple):
    """So many of something."""

    kind: str
    number: int
    instruments: int
    sessions: int
    what: str
    paced: bool = False


CASES = (
    *(Case("instruments", number, number, 1, "one stream") for number in (1, 100, 5000)),
    *(
        Case("channels", number, number, 1, "a channel and a task for each instrument")
        for number in (1, 100, 1000)
    ),
    *(
        Case("channels", number, number, 1, "the same, message by message", paced=True)
        for number in (1, 100, 1000)
    ),
    *(Case("sessions", number, 10, number, "a connection each, ten instruments") for number in (1, 50)),
)
TICKERS = Scenario("bulk, plain", "coinbase-ticker", "bulk", False, (), 50_000)
PACED = Scenario("2,000 a second, plain", "coinbase-ticker", "paced", False, (), 6_000, 2_000)


def page(runs: dict[Case, list[Measured]]) -> str:
    """What stands between the markers."""
    rows = []
    for case, rounds in runs.items():
        first = next(one for one in runs if (one.kind, one.paced) == (case.kind, case.paced))
        times = statistics.median(ratios(rounds, runs[first]))
        figure = figures_of(rounds)
        rows.append(
            (
                f"{case.number:,} {case.kind if case.number > 1 else case.kind[:-1]} ({case.what})",
                f"{figure.cpu_us:.2f}",
                f"{times:.2f}" if times <= FLAT else f"**{times:.2f}**",
                f"{1e6 / figure.cpu_us:,.0f}",
                f"{figure.peak_mib:.0f}",
            )
        )
    head = ("", "CPU, µs a message", "times one", "messages a second a core", "peak memory, MiB")
    most = max(len(one) for one in runs.values())
    return (
        f"{table(head, rows)}\n\nMedians of {most} interleaved rounds; more than {FLAT} times one is in bold."
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=0, help="of all cases (default: 5)")
    parser.add_argument("--quick", action="store_true", help="one round with a third of the messages")
    parser.add_argument("--write", action="store_true", help="the table in docs/")
    parser.add_argument("--only", choices=sorted({case.kind for case in CASES}), help="cases of one kind")
    parser.add_argument(
        "--profile", choices=("samples", "calls"), default="", help="show where the time goes"
    )
    given = parser.parse_args()
    total = given.rounds or (1 if given.quick or given.profile else 5)
    runs: dict[Case, list[Measured]] = {}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated: nothing was written"))
    try:
        with Pair({}) as pair:
            for at in range(total):
                for case in CASES:
                    if given.only and case.kind != given.only:
                        continue
                    run = pair.run(
                        PACED if case.paced else TICKERS, case.kind, scale=1 / 3 if given.quick else 1.0, profile=given.profile,
                        instruments=case.instruments, sessions=case.sessions,
                    )  # fmt: skip
                    runs.setdefault(case, []).append(run)
                    print(
                        f"round {at + 1}/{total}  {case.number:5} {case.kind:12} {run.cpu_ns / 1000:8.2f} us a message"
                        f"  busy {run.busy:4.0%}  {run.peak_bytes >> 20:4} MiB",
                        file=sys.stderr,
                        flush=True,
                    )
    except KeyboardInterrupt:
        sys.exit("interrupted: nothing was written")
    except Failed as error:
        sys.exit(f"failed: {error}")
    print(page(runs))
    if given.write:
        PAGE.write_text(inserted(PAGE.read_text(), "scaling", page(runs)))


if __name__ == "__main__":
    main()
