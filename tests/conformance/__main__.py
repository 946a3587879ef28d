"""``python -m tests.conformance``: the client cases of the Autobahn test suite against our transports.

With ``--python2`` it starts the suite's fuzzing server, with ``--url`` it uses a running one, whose ``outdir``
``--reports`` must name. Ends with 0 where no case failed, with 1 where one did, with 2 where nothing could be judged.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from contextlib import nullcontext
from itertools import groupby
from pathlib import Path

import trio

from tests.conformance.client import TRANSPORTS, Suite
from tests.conformance.report import chosen, parse_selection, read_report, table
from tests.conformance.server import ServerFailed, fuzzing_server
from trioquotes._runtime.connector import LineFailed


def _arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--python2", type=Path, help="a Python 2.7 with the suite installed: start its server")
    where.add_argument("--url", help="a fuzzing server that runs, such as ws://127.0.0.1:9001")
    parser.add_argument(
        "--reports", type=Path, default=Path("reports/clients"), help="where reports are written"
    )
    parser.add_argument(
        "--transport", choices=TRANSPORTS, action="append", help="default: every one, in turn"
    )
    parser.add_argument("--agent", help="what the reports call us; default: trioquotes- and the transport")
    parser.add_argument(
        "--cases", type=parse_selection, help="sections, cases and ranges: 1-5,9.1,10.1.1; default: all"
    )
    arguments = parser.parse_args(given)
    arguments.transport = arguments.transport or list(TRANSPORTS)
    if arguments.agent and len(arguments.transport) > 1:
        parser.error("--agent names one transport: give --transport too")
    return arguments


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()  # it is watched while it runs


def main(given: list[str] | None = None) -> int:
    """Run what the arguments say, in a trio of its own."""
    try:
        return trio.run(run, given)
    except* (ServerFailed, LineFailed) as failed:
        error: BaseException = failed
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        _say(f"NOTHING WAS JUDGED: {error}")
    return 2


async def run(given: list[str] | None = None) -> int:
    """Run what the arguments say; whether a case failed.

    Raises:
        ServerFailed, LineFailed: nothing can be judged, maybe in a group.
    """
    arguments = _arguments(given)
    reports = arguments.reports.absolute()
    server = (
        nullcontext(arguments.url.rstrip("/"))
        if arguments.url
        else fuzzing_server(arguments.python2, reports)
    )
    failed = 0
    async with server as url:
        for transport in arguments.transport:
            agent = arguments.agent or f"trioquotes-{transport}"
            played = await _play(Suite(url, transport, agent), transport, arguments.cases)
            cases = read_report(reports, agent, played, TRANSPORTS[transport].unimplemented)
            failed += sum(case.failed for case in cases)
            _say(f"\n{agent}, {len(cases)} cases\n{table(cases)}\n")
    _say(f"the suite's own report: {reports / 'index.html'}")
    return 1 if failed else 0


async def _play(
    suite: Suite, transport: str, selection: list[tuple[tuple[int, ...], tuple[int, ...]]] | None
) -> list[str]:
    """Play the cases and have the reports written; the names of those that were played."""
    cases = await suite.cases()
    names = [name for name in cases if selection is None or chosen(name, selection)]
    if not names:
        raise ServerFailed(f"none of the suite's {len(cases)} cases is meant")
    _say(f"{transport}: {len(names)} of the suite's {len(cases)} cases")
    for part, members in groupby(names, lambda name: name.rpartition(".")[0]):
        started = time.monotonic()
        told = Counter([await suite.run(cases[name]) for name in members])
        result = ", ".join(f"{count} {word}" for word, count in told.items())
        _say(f"{transport} {part:>5}  {time.monotonic() - started:6.1f} s  {result}")
    await suite.update_reports()
    return names


if __name__ == "__main__":
    sys.exit(main())
