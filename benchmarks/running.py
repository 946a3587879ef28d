"""One server process, and clients that run against it one after the other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from array import array
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from benchmarks.catalog import CONTESTANTS, SCALED, Contestant, Scenario

__all__ = ["Absent", "Failed", "Measured", "Pair"]

ROOT = Path(__file__).parent.parent
PATIENCE_S = 90
LEAST_WARM = 500


class Absent(Exception):
    """A contestant cannot be had here; the text says why."""


class Failed(Exception):
    """A contestant did not come to its end, or not with what was sent."""


class Measured(NamedTuple):
    """One run of one contestant.

    Attributes:
        cpu_ns: user and system time of the whole process for each message.
        per_s: messages a second of wall time.
        busy: share of the wall time that the client was running.
        server_busy: the same of the server.
        peak_bytes: most memory that the process ever held, what it imported included.
        latency_ns: sorted: from just before the server's write of a message to the user's code; only where paced.
        version: of the package; ``python`` of the interpreter.
        source: where the input's frames come from.
    """

    cpu_ns: float
    per_s: float
    busy: float
    server_busy: float
    peak_bytes: int
    latency_ns: list[int]
    version: str
    python: str
    source: str


class Pair:
    """The server, and the folder it shares with its clients.

    Args:
        homes: interpreters of further environments by name.
    """

    def __init__(self, homes: dict[str, str]) -> None:
        self._homes = {"": sys.executable} | homes
        self._folder = tempfile.TemporaryDirectory(prefix="feeds-")
        self._environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"}
        self._server: subprocess.Popen[str] | None = None
        self._absent: dict[str, str] = {}  # why each module cannot be imported; empty for one that can

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop()
        self._folder.cleanup()

    def _stop(self) -> None:
        if self._server is not None:
            self._server.kill()
            self._server.communicate()
            self._server = None

    def _say(self, order: dict[str, Any]) -> dict[str, Any]:
        """Give the server an order; it is started when it is first needed, and after it was stopped."""
        if self._server is None:
            # Sessions of their own, so that an interrupt reaches the driver alone, which ends them.
            self._server = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                text=True, cwd=ROOT, env=self._environment, start_new_session=True,
            )  # fmt: skip
        if self._server.stdin is None:
            raise Failed("the server hears nothing")
        self._server.stdin.write(json.dumps(order) + "\n")
        self._server.stdin.flush()
        return self._told()

    def _told(self) -> dict[str, Any]:
        line = self._server.stdout.readline() if self._server and self._server.stdout else ""
        if not line:
            raise Failed("the server ended")
        told: dict[str, Any] = json.loads(line)
        return told

    def _look_for(self, who: Contestant, python: str) -> None:
        """See once whether a contestant can be imported.

        Raises:
            Absent: it cannot.
        """
        if who.module not in self._absent:
            done = subprocess.run(
                [python, "-c", f"import benchmarks.contestants.{who.module}"], capture_output=True, text=True,
                cwd=ROOT, env=self._environment, timeout=PATIENCE_S, check=False, start_new_session=True,
            )  # fmt: skip
            self._absent[who.module] = done.stderr.strip().splitlines()[-1] if done.returncode else ""
        if self._absent[who.module]:
            raise Absent(f"{who.package}: {self._absent[who.module]}")

    def run(
        self,
        what: Scenario,
        name: str,
        *,
        scale: float = 1.0,
        profile: str = "",
        instruments: int = 0,
        sessions: int = 1,
    ) -> Measured:
        """Let one contestant take everything once.

        Args:
            what: the scenario.
            name: the contestant.
            scale: more or fewer messages.
            profile: how to look where its time goes; it is printed.
            instruments: so many in place of the input's own.
            sessions: connections that share the messages.

        Raises:
            Absent: it cannot be had here.
            Failed: it broke down, or did not get what was sent.
        """
        try:
            return self._run(what, (CONTESTANTS | SCALED)[name], scale, profile, instruments, sessions)
        except Failed as error:
            self._stop()  # it may be waiting for a client that never came
            raise Failed(f"{name}, {what.feed}, {what.title}: {error}") from None
        except subprocess.TimeoutExpired:
            self._stop()
            raise Failed(
                f"{name}, {what.feed}, {what.title}: not all of it came within {PATIENCE_S} s"
            ) from None

    def _run(  # noqa: PLR0917  # as run() has them
        self, what: Scenario, who: Contestant, scale: float, profile: str, instruments: int, sessions: int
    ) -> Measured:
        python = self._homes.get(who.home)
        if python is None:
            raise Absent(f"{who.package} needs an environment of its own, and none was given")
        self._look_for(who, python)
        paced = what.mode == "paced"
        count = int(what.messages * scale * (1.0 if paced else who.share)) // sessions
        order = {
            "feed": what.feed, "mode": what.mode, "tls": what.tls, "warm": max(count // 10, LEAST_WARM // sessions), "count": count,
            "rate": what.rate, "instruments": instruments, "sessions": sessions,
        }  # fmt: skip
        told = self._say(order)
        arrivals = Path(self._folder.name, "arrivals")
        task = order | {
            "port": told["port"], "authority": told["authority"], "kinds": told["kinds"], "variant": who.variant,
            "instruments": told["instruments"], "paced": paced, "arrivals": str(arrivals), "profile": profile,
        }  # fmt: skip
        done = subprocess.run(
            [python, "-m", f"benchmarks.contestants.{who.module}", json.dumps(task)], capture_output=True, text=True,
            cwd=ROOT, env=self._environment, timeout=PATIENCE_S, check=False, start_new_session=True,
        )  # fmt: skip
        if done.returncode:
            raise Failed(done.stderr.strip()[-2000:])
        result = json.loads(done.stdout.strip().splitlines()[-1])
        if profile:
            print(done.stderr, file=sys.stderr)
        ended = self._told()
        _check(result, told["expected"])
        latency: list[int] = []
        if paced:
            sent, came = array("q", Path(ended["stamps"]).read_bytes()), array("q", arrivals.read_bytes())
            latency = sorted(after - before for before, after in zip(sent, came, strict=True))
        wall_ns = result["ended_ns"] - ended["began_ns"]
        total = count * sessions
        return Measured(
            result["cpu_ns"] / total, total / wall_ns * 1e9, result["cpu_ns"] / wall_ns, ended["cpu_ns"] / wall_ns,
            result["peak_bytes"], latency, result["version"], result["python"], told["source"],
        )  # fmt: skip


def _check(result: dict[str, Any], expected: list[Any]) -> None:
    """Whether a client got all of it."""
    events, total = expected
    near = abs(float(result["total"]) - float(total)) <= 1e-9 * abs(float(total))
    if result["events"] != events or not near:
        raise Failed(
            f"it got {result['events']} messages with prices of {result['total']}, not {events} of {total}"
        )
    if not result["last"]:
        raise Failed(f"its last message was not the last that was sent: {result}")
