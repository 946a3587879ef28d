"""What compression costs and saves: the same session with and without permessage-deflate, in one run.

A server process sends the frames of a Coinbase session that it made, compressed and, with TLS, encrypted before the first of
them goes out; a client process takes them all through a :class:`trioquotes.Session`. Ways to send them take turns, round
after round. What counts is the client's CPU time a message, user and system, between two marks, and the bytes that
the server wrote for each. ``TRIOQUOTES_CAPTURES`` names the folder with the recorded session, as for the other benchmarks.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import trio

from benchmarks.contestants.meter import Meter, begin
from benchmarks.contestants.ours import native_topics, read, recipe
from benchmarks.cores import SERVER, stay_on
from benchmarks.inputs import FEEDS
from benchmarks.inputs.base import Feed, Stock
from benchmarks.server import Service, Wire, certificate, say
from benchmarks.wire import TEXT, accepted, encoded

__all__ = ["main"]

ROOT = Path(__file__).parent.parent
PATIENCE_S = 90
WARM = 5_000
COMPRESSED = 0x40
OFFER = "permessage-deflate"


class Way(NamedTuple):
    """How a server compresses, if it does.

    Attributes:
        title: for the table.
        answer: to the offer; empty where none is made.
        level: of zlib, 1 to 9; 0 for no compression.
        takeover: whether a message refers to earlier ones.
    """

    title: str
    answer: str
    level: int
    takeover: bool


WAYS = {
    "off": Way("off", "", 0, takeover=False),
    "shared": Way("on, one window for all messages", OFFER, 6, takeover=True),
    "apart": Way("on, each message apart", f"{OFFER}; server_no_context_takeover", 1, takeover=False),
}


class Scenario(NamedTuple):
    """What is sent, and how."""

    feed: str
    mode: str
    tls: bool
    messages: int
    title: str


SCENARIOS = {
    "bulk": Scenario("coinbase-mix", "bulk", False, 150_000, "recorded mix, bulk, plain"),
    "bulk-tls": Scenario("coinbase-mix", "bulk", True, 150_000, "recorded mix, bulk, TLS"),
    "segment-tls": Scenario(
        "coinbase-mix", "segment", True, 60_000, "recorded mix, one frame a segment, TLS"
    ),
    "ticker-bulk-tls": Scenario("coinbase-ticker", "bulk", True, 100_000, "tickers, bulk, TLS"),
    "ticker-segment-tls": Scenario(
        "coinbase-ticker", "segment", True, 60_000, "tickers, one frame a segment, TLS"
    ),
}


# The server.


class PackingService(Service):
    """Sends as :class:`Service` does, in frames that were compressed before.

    Attributes:
        written: bytes on the wire for the measured messages.
    """

    def __init__(
        self, order: dict[str, Any], feed: Feed, stock: Stock, context: Any, frames: list[list[bytes]]
    ) -> None:
        super().__init__(order, feed, stock, context)
        self._answer_to_offer = WAYS[order["way"]].answer
        self._frames = frames
        self.written = 0

    def _serve(self, peer: Any) -> None:
        with peer:
            wire = Wire(peer, self._context)
            request = self._request(wire)
            if request is None:
                return
            offered = OFFER in request[1].get("sec-websocket-extensions", "")
            if offered is not bool(self._answer_to_offer):
                raise ValueError("the client does not offer what it is to offer")
            answer = accepted(request[1])
            if offered:
                answer = answer[:-2] + f"Sec-WebSocket-Extensions: {self._answer_to_offer}\r\n\r\n".encode()
            wire.send(answer)
            self._converse(wire)

    def _pieces(self, wire: Wire, frames: list[bytes]) -> list[bytes]:
        """What to write: of the warm-up, then of what is measured."""
        ready = next(each for each in self._frames if len(each) == len(frames))
        pieces = super()._pieces(wire, ready)
        self.written = sum(map(len, pieces))
        return pieces


def packed(stock: Stock, way: Way) -> list[list[bytes]]:
    """The frames of the warm-up and of what is measured, compressed that way."""
    if not way.level:
        return [[encoded(payload) for payload in part] for part in (stock.warm, stock.measured)]
    packer = zlib.compressobj(way.level, wbits=-15)
    parts = []
    for part in (stock.warm, stock.measured):
        frames = []
        for payload in part:
            if not way.takeover:
                packer = zlib.compressobj(way.level, wbits=-15)
            body = packer.compress(payload) + packer.flush(zlib.Z_SYNC_FLUSH)
            frames.append(encoded(body[:-4], TEXT | COMPRESSED))
        parts.append(frames)
    return parts


def serve() -> None:
    """Take orders from standard input, one a line."""
    stay_on(SERVER)
    feeds: dict[tuple[str, int], tuple[Feed, Stock]] = {}
    frames: dict[tuple[str, int, str], list[list[bytes]]] = {}
    with tempfile.TemporaryDirectory(prefix="deflate-") as name:
        context = certificate(Path(name))
        for line in sys.stdin:
            order = json.loads(line)
            key, way = (order["feed"], order["count"]), order["way"]
            if key not in feeds:
                feed = FEEDS[order["feed"]]()
                feeds[key] = (feed, feed.stock(WARM, order["count"]))
            feed, stock = feeds[key]
            if (*key, way) not in frames:
                frames[*key, way] = packed(stock, WAYS[way])
            service = PackingService(order, feed, stock, context if order["tls"] else None, frames[*key, way])
            say(
                port=service.port, authority=str(Path(name, "ca.pem")), kinds=stock.kinds, instruments=feed.instruments,
                source=feed.source, expected=[stock.expected[0], str(stock.expected[1])],
            )  # fmt: skip
            service.run()
            say(written=service.written)


# The client.


async def take(meter: Meter, *, compression: bool) -> None:
    """Read all messages of a session."""
    task = meter.task
    dropped = -1
    with trio.move_on_after(PATIENCE_S):
        topics = native_topics(task.feed, task.instruments)
        async with recipe(task, *topics, compression=compression) as stream:
            await read(stream, meter, len(task.kinds), task.count)
            dropped = sum(channel.dropped for channel in stream.statistics().channels)
    meter.say(dropped=dropped)


# The driver.


class Run(NamedTuple):
    """One client's figures: per message."""

    cpu_us: float
    wire_bytes: float
    source: str


class Server:
    """The server process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.deflate", "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, cwd=ROOT,
        )  # fmt: skip

    def end(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()

    def run(self, what: Scenario, way: str, count: int) -> Run:
        """Let one client take everything.

        Raises:
            RuntimeError: it did not get what was sent.
        """
        order = {
            "feed": what.feed,
            "mode": what.mode,
            "tls": what.tls,
            "count": count,
            "way": way,
            "sessions": 1,
        }
        told = self._ask(order)
        task = order | told | {"paced": False, "arrivals": "", "variant": "native", "profile": ""}
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.deflate", json.dumps(task), *(["--compressed"] if WAYS[way].answer else [])],
            capture_output=True, text=True, cwd=ROOT, timeout=PATIENCE_S * 2, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(done.stderr.strip()[-2000:])
        result = json.loads(done.stdout.strip().splitlines()[-1])
        if [result["events"], result["total"]] != told["expected"] or not result["last"] or result["dropped"]:
            raise RuntimeError(f"{what.title}, {way}: it got {result}, not {told['expected']}")
        return Run(result["cpu_ns"] / count / 1e3, self._told()["written"] / count, told["source"])

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._told()

    def _told(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the server ended")
        told: dict[str, Any] = json.loads(line)
        return told


def measure(names: list[str], rounds: int, scale: float) -> dict[str, dict[str, list[Run]]]:
    """Every scenario in every way, so many times, all taking turns."""
    runs: dict[str, dict[str, list[Run]]] = {name: {way: [] for way in WAYS} for name in names}
    server = Server()
    try:
        for round_ in range(rounds):
            for name in names:
                ways = list(WAYS)
                for way in ways[round_ % len(ways) :] + ways[: round_ % len(ways)]:
                    count = int(SCENARIOS[name].messages * scale)
                    runs[name][way].append(server.run(SCENARIOS[name], way, count))
                    print(f"round {round_ + 1}: {name}, {way}: {runs[name][way][-1]}", file=sys.stderr)
    finally:
        server.end()
    return runs


def table(runs: dict[str, dict[str, list[Run]]]) -> str:
    """One line for each scenario and way; ratios are medians of those within each round."""
    lines = [
        "|  | compression | CPU, µs a message | times that without | bytes a message | share of those without |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for name, ways in runs.items():
        for way, found in ways.items():
            ratio = statistics.median(
                run.cpu_us / off.cpu_us for run, off in zip(found, ways["off"], strict=True)
            )
            size = found[0].wire_bytes
            lines.append(
                f"| {SCENARIOS[name].title} | {WAYS[way].title} | {statistics.median(run.cpu_us for run in found):.2f} "
                f"| {ratio:.2f} | {size:.0f} | {size / ways['off'][0].wire_bytes:.2f} |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.deflate", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=5, help="of all scenarios and ways")
    parser.add_argument("--scale", type=float, default=1.0, help="so many times the messages")
    parser.add_argument(
        "--only", action="append", choices=SCENARIOS, metavar="SCENARIO", help="may be repeated"
    )
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--compressed", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("task", nargs="?", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve()
    elif given.task:
        meter = begin("trioquotes")

        async def run() -> None:
            await take(meter, compression=given.compressed)

        trio.run(run)
    else:
        runs = measure(given.only or list(SCENARIOS), given.rounds, given.scale)
        first = next(iter(runs.values()))["off"][0]
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        print(
            f"{table(runs)}\n\nframes: {first.source}; {given.rounds} rounds; {cores} cores; zlib {zlib.ZLIB_RUNTIME_VERSION}"
        )


if __name__ == "__main__":
    main()
