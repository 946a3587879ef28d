"""What every contestant measures itself with, the same for all; the standard library alone."""

from __future__ import annotations

import json
import platform
import resource
import signal
import ssl
import sys
import time
from array import array
from decimal import Decimal
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.cores import CLIENT, stay_on
from benchmarks.inputs.base import END, MARK

__all__ = ["Gate", "Meter", "Task", "begin"]

OUTLIVES_S = 120
TINY = 1e-12
"""Some carry prices as floats."""


class Task:
    """What to do, as the driver says it.

    Attributes:
        feed: name of the input.
        port: where the server listens.
        tls: whether with TLS.
        count: messages that are measured; ``kinds`` of each type.
        paced: whether the time of each is wanted.
    """

    def __init__(self, given: dict[str, Any]) -> None:
        self.feed: str = given["feed"]
        self.port: int = given["port"]
        self.tls: bool = given["tls"]
        self.count: int = given["count"]
        self.kinds: dict[str, int] = given["kinds"]
        self.instruments: list[str] = given["instruments"]
        self.sessions: int = given["sessions"]
        self.paced: bool = given["paced"]
        self.arrivals: str = given["arrivals"]
        self.variant: str = given["variant"]
        self._authority: str = given["authority"]

    @property
    def venue(self) -> str:
        """Of the input."""
        return self.feed.partition("-")[0]

    @property
    def url(self) -> str:
        """Of the server, without a path."""
        return f"{'wss' if self.tls else 'ws'}://localhost:{self.port}"

    def trust(self) -> ssl.SSLContext | None:
        """A context that verifies the server; ``None`` without TLS."""
        return ssl.create_default_context(cafile=self._authority) if self.tls else None

    @property
    def authority(self) -> str:
        """Path of the certificate of whom to trust."""
        return self._authority


class Gate:
    """Adds up what comes between the marks, and opens at the second one: so many marks as there are kinds."""

    def __init__(self, kinds: int = 1) -> None:
        self._kinds = kinds
        self._marks = 0
        self.events = 0
        self.total: Any = Decimal(0)

    def __call__(self, value: Any) -> bool:
        """One event with the price of a trade, or the sum of all prices that it names; ``None`` for what has none."""
        if value is None:
            return False
        if abs(float(value) - float(MARK)) < TINY:
            self._marks += 1
            return self._marks == 2 * self._kinds
        if self._marks >= self._kinds:
            self.events += 1
            self.total = self.total + value
        return False


class Meter:
    """Starts when the last gate opens, stops with the last message."""

    def __init__(self, task: Task, package: str) -> None:
        self.task = task
        self.package = package
        self.gates: list[Gate] = []
        self.times = array("q")
        self.profiler: Any = None
        self._running = 0
        self._begun = self._took = self._ended = 0
        self._last = False

    def gate(self, kinds: int = 1) -> Gate:
        """One more reader that is to be waited for."""
        gate = Gate(kinds)
        self.gates.append(gate)
        return gate

    def begin(self) -> None:
        """A reader's gate opened."""
        self._running += 1
        if self._running == len(self.gates):
            if self.profiler is not None:
                self.profiler.enable()
            self._begun = time.process_time_ns()

    def end(self, value: Any = None) -> bool:
        """A reader got all it was to get, the last one with that value; whether it was the last reader."""
        if value is not None and abs(float(value) - float(END)) < TINY:
            self._last = True
        self._running -= 1
        if self._running:
            return False
        self._took, self._ended = time.process_time_ns() - self._begun, time.monotonic_ns()
        if self.profiler is not None:
            self.profiler.disable()
        return True

    def say(self, **more: Any) -> None:
        """The result, as one line; the peak of memory is that of the whole process."""
        if self.profiler is not None:
            self.profiler.show()
        if self.times:
            Path(self.task.arrivals).write_bytes(self.times.tobytes())
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        result = {
            "cpu_ns": self._took,
            "ended_ns": self._ended,
            "events": sum(gate.events for gate in self.gates),
            "total": str(sum((gate.total for gate in self.gates), Decimal(0))),
            "last": self._last,
            "peak_bytes": peak,
            "version": f"{self.package} {_version(self.package)}",
            "python": platform.python_version(),
        }
        print(json.dumps(result | more), flush=True)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "of the source tree"


def begin(package: str) -> Meter:
    """Read the task, move to the clients' core; nobody outlives a driver that was killed for long."""
    stay_on(CLIENT)
    if hasattr(signal, "alarm"):
        signal.alarm(OUTLIVES_S)
    given = json.loads(sys.argv[1])
    meter = Meter(Task(given), package)
    if given["profile"]:
        from benchmarks.contestants.sampling import PROFILERS  # noqa: PLC0415  # it is no part of what is measured

        meter.profiler = PROFILERS[given["profile"]]()
    return meter
