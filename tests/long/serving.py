"""``python -m tests.long.serving``: the five simulated venues over TLS, in a process of their own.

It says in one line of JSON where they are, serves until its input ends, and says in a second line what
it saw. Interrupts are left to whoever started it, so that clients can say goodbye first.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

import trio

from tests.long.meters import MIB, resident_bytes
from tests.long.storm import draw_storm
from tests.long.witness import Witness
from tests.simulation.places import PLACES
from trioquotes.simulator.server import Simulator
from trioquotes.simulator.tls import local_tls


async def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--busy", type=float, default=1.0)
    parser.add_argument("--faults", action="store_true")
    parser.add_argument(
        "--heartbeats", action="store_true", help="ping every client, and time what it answers"
    )
    given = parser.parse_args()
    tls = local_tls(("127.0.0.1",))
    simulators: dict[str, Simulator[Any]] = {
        name: place.simulator(
            seed=given.seed,
            frames_kept=0,
            rate=place.rate * given.busy,
            faults=draw_storm(place, given.seed, given.minutes) if given.faults else (),
        )
        for name, place in PLACES.items()
    }
    witnesses = {name: Witness(name, simulator) for name, simulator in simulators.items()}
    async with AsyncExitStack() as stack:
        urls = {
            name: await stack.enter_async_context(
                witnesses[name].open_server(tls.server)
                if given.heartbeats
                else simulator.open_server(ssl_context=tls.server)
            )
            for name, simulator in simulators.items()
        }
        say({"urls": urls, "authority": tls.authority_pem.decode()})
        async with trio.lowlevel.FdStream(sys.stdin.fileno()) as commands:
            while await commands.receive_some():
                pass
    ends: dict[str, Any] = {name: seen(simulator) for name, simulator in simulators.items()}
    for name, witness in witnesses.items():
        ends[name]["heartbeats"] = [one.as_json() for one in witness.figures()]
    say(ends | {"resident_mib": resident_bytes() / MIB, "cpu_s": time.process_time()})


def say(what: object) -> None:
    """One line for whoever started this."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def seen(simulator: Simulator[Any]) -> dict[str, Any]:
    """What a venue's records say."""
    records = simulator.records
    return {
        "connects": dict(Counter(connect.outcome for connect in records.connects)),
        "requests": len(records.requests),
        "rest": dict(Counter(str(request.status) for request in records.rest)),
        "faults": dict(records.faults),
        "breaches": dict(Counter(breach.limit for breach in records.breaches)),
        "breach_details": sorted({f"{breach.limit}: {breach.detail}" for breach in records.breaches})[:20],
    }


if __name__ == "__main__":
    trio.run(main)
