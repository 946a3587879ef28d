"""The program ``trioquotes``, outside of the package so that Ctrl-C is quiet while that is being loaded.

Loading takes some tenths of a second, in which a ``KeyboardInterrupt`` would end in a traceback from the middle of an
import, or in worse where a module is written in C. Nothing is begun by then, so the process may just end.
"""

from __future__ import annotations

import os
import signal
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line with the words that the program was started with.

    Raises:
        SystemExit: with the exit code, where that is not 0.
    """
    before = signal.getsignal(signal.SIGINT)
    is_usual = before is signal.default_int_handler  # else whoever started us decided what Ctrl-C means
    if is_usual:
        signal.signal(signal.SIGINT, _leave)
    from trioquotes.cli import load  # noqa: PLC0415  # this is what takes long
    from trioquotes.cli import main as run  # noqa: PLC0415

    load()
    try:
        if is_usual:
            signal.signal(signal.SIGINT, before)
        run()
    except KeyboardInterrupt:  # on the way into the command line, which catches those that come within it
        sys.exit(_code(signal.SIGINT))


def _leave(number: int, _frame: object) -> None:
    """End at once: an exception would be a traceback, and handlers of an exit have nothing to do yet."""
    os._exit(_code(number))


def _code(number: int) -> int:
    """As shells count it, and as the command line does."""
    return 128 + number
