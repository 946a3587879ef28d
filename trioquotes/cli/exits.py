"""How a command ends: exit codes, and what went wrong in one line."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback

from trioquotes._runtime.files import describe_file_error
from trioquotes.errors import ConnectFailed, InternalError, TrioquotesError, UsageError

__all__ = [
    "DOCTOR",
    "DONE",
    "FAILED",
    "HUNG_UP",
    "INTERRUPTED",
    "STDOUT",
    "TERMINATED",
    "USAGE",
    "ClosedOutput",
    "judge",
    "one_line",
    "say",
]

DONE = 0
FAILED = 1
USAGE = 2
INTERRUPTED = 130
"""128 + SIGINT, as shells count it."""
TERMINATED = 143
"""128 + SIGTERM."""
HUNG_UP = 129
"""128 + SIGHUP."""


STDOUT = "standard output"
"""What errors call it, in place of a file's name."""

DOCTOR = "trioquotes doctor VENUE, with the same --endpoint, shows which step fails and what to do"


class ClosedOutput(Exception):
    """Whoever read standard output has gone; there is nobody left to work for."""


def one_line(text: str) -> str:
    """The text on one line, without anything that a terminal would obey: a venue's words may hold it."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(plain.split())


def say(text: str) -> None:
    """One line on standard error; where that is closed there is nobody to tell."""
    if sys.stderr is None:
        return
    with contextlib.suppress(OSError, ValueError):
        print(one_line(text), file=sys.stderr, flush=True)


def judge(error: BaseException, *, debug: bool) -> int:
    """Say what ended the command, in one line or with ``debug`` as a traceback, and give its exit code."""
    cause = _sole(error)
    if isinstance(cause, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(cause, ClosedOutput):
        _silence()
        return DONE
    if debug:
        traceback.print_exception(error)
    if isinstance(cause, UsageError):
        say(f"trioquotes: {cause}")
        return USAGE
    if isinstance(cause, ConnectFailed):
        say(f"trioquotes: {cause} ({DOCTOR})")
    elif isinstance(cause, TrioquotesError) and not isinstance(cause, InternalError):
        say(f"trioquotes: {cause}")
    elif isinstance(cause, OSError):
        if cause.filename == STDOUT:
            _silence()
        say(f"trioquotes: {_system_words(cause)}")
    else:
        hint = "" if debug else "; --debug shows the traceback"
        what = str(cause) if isinstance(cause, InternalError) else f"{type(cause).__name__}: {cause}"
        say(f"trioquotes: internal error, please report it: {what}{hint}")
    return FAILED


def _sole(error: BaseException) -> BaseException:
    """What a group of our nurseries is about: an interrupt, else a closed output, else the first error."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    for kind in (KeyboardInterrupt, ClosedOutput):
        found = error.subgroup(kind)
        if found is not None:
            return kind()
    return _sole(error.exceptions[0])


def _system_words(error: OSError) -> str:
    words = describe_file_error(error)
    return f"{error.filename}: {words}" if error.filename else words


def _silence() -> None:
    """Let the interpreter's own last flush of standard output meet no closed pipe and no full disk."""
    with contextlib.suppress(OSError, ValueError):
        if sys.stdout is None:
            return
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
