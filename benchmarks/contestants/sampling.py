"""Where the time goes, for ``--profile``: calls counted by cProfile, or the stack looked at now and then."""

from __future__ import annotations

import cProfile
import pstats
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Protocol

__all__ = ["PROFILERS", "Profiler"]

SHOWN = 45


class Profiler(Protocol):
    """Looks on between ``enable`` and ``disable``."""

    def enable(self) -> None: ...

    def disable(self) -> None: ...

    def show(self) -> None:
        """Print the top of it to standard error."""


class Calls(cProfile.Profile):
    """Every call is counted, which makes calls look dear."""

    def show(self) -> None:
        pstats.Stats(self, stream=sys.stderr).sort_stats("tottime").print_stats(SHOWN)


class Samples:
    """The stack is looked at every few milliseconds of CPU, as often as the system's clock allows.

    Shares are true, which they are not where calls are counted. Time inside of a C function is its caller's.
    """

    def __init__(self) -> None:
        self._alone: Counter[str] = Counter()
        self._lines: Counter[str] = Counter()
        self._within: Counter[str] = Counter()
        self._taken = 0

    def enable(self) -> None:
        signal.signal(signal.SIGPROF, self._take)
        signal.siginterrupt(signal.SIGPROF, False)
        signal.setitimer(signal.ITIMER_PROF, 0.001, 0.001)

    def disable(self) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _take(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  # as signal calls it
        self._taken += 1
        if frame is not None:
            self._alone[_name(frame)] += 1
            self._lines[f"{_name(frame)} line {frame.f_lineno}"] += 1
        seen = set()
        while frame is not None:
            seen.add(_name(frame))
            frame = frame.f_back
        self._within.update(seen)

    def show(self) -> None:
        for title, counter in (
            ("itself", self._alone), ("lines", self._lines), ("with all it calls", self._within),
        ):  # fmt: skip
            print(f"\n{title}, share of {self._taken} samples", file=sys.stderr)
            for name, taken in counter.most_common(SHOWN):
                print(f"{taken / max(self._taken, 1):7.1%}  {name}", file=sys.stderr)


def _name(frame: FrameType) -> str:
    code = frame.f_code
    return f"{'/'.join(Path(code.co_filename).parts[-2:])} {code.co_qualname}"


PROFILERS: dict[str, type[Calls | Samples]] = {"calls": Calls, "samples": Samples}
