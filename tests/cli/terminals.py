"""A terminal of a test's own, and a process that is started on it."""

from __future__ import annotations

import contextlib
import os
import re
import select
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tests.cli.harness import COMMAND, PATIENCE_S

__all__ = ["Tty", "on_terminal"]


class Tty:
    """Both ends of a terminal, and a process that was started on it."""

    def __init__(self, *words: str, size: tuple[int, int], cwd: Path, env: dict[str, str]) -> None:
        import fcntl  # noqa: PLC0415  # not everywhere
        import pty  # noqa: PLC0415
        import termios  # noqa: PLC0415

        self.ours, theirs = pty.openpty()
        self.theirs = os.open(os.ttyname(theirs), os.O_RDWR | os.O_NOCTTY)
        self.text = ""
        self._set_size: Callable[[int, int], Any] = lambda width, height: fcntl.ioctl(
            self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0)
        )
        self.resize(*size)
        self._attributes: Callable[[], Any] = partial(termios.tcgetattr, self.theirs)
        self.before = self.attributes
        surroundings = {"TERM": "xterm-256color", "COLUMNS": "", "LINES": "", "COLORTERM": ""}
        self.process = subprocess.Popen(
            [*COMMAND, *words], cwd=cwd, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            env={**os.environ, **surroundings, **env},
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509  # there are no other threads
        )  # fmt: skip
        os.close(theirs)

    @property
    def attributes(self) -> Any:
        return self._attributes()

    def resize(self, width: int, height: int) -> None:
        self._set_size(width, height)

    def press(self, keys: str) -> None:
        os.write(self.ours, keys.encode())

    def read(self, seconds: float) -> bool:
        """Take what is there, waiting for it a moment; returns whether more may come."""
        if not select.select([self.ours], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.ours, 65536)
        except OSError:  # how Linux says that the other side of a terminal is gone
            return False
        self.text += data.decode(errors="replace")
        return bool(data)

    def wait_for(self, pattern: str) -> str:
        """Read until this was seen; what was seen before is forgotten."""
        until = time.monotonic() + PATIENCE_S
        while (found := re.search(pattern, self.text)) is None:
            assert time.monotonic() < until, f"no {pattern!r} in {self.text[-3000:]!r}"
            assert self.process.poll() is None or self.read(0.1), self.text[-3000:]
            self.read(0.1)
        self.text = self.text[found.end() :]
        return found.group()

    def ended(self) -> int:
        """Read to the end of the process."""
        until = time.monotonic() + PATIENCE_S
        while self.process.poll() is None:
            assert time.monotonic() < until, self.text[-3000:]
            self.read(0.05)
        while self.read(0.05) and select.select([self.ours], [], [], 0)[0]:
            pass
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE_S)
        for fd in (self.ours, self.theirs):
            with contextlib.suppress(OSError):
                os.close(fd)


@contextmanager
def on_terminal(*words: str, cwd: Path, size: tuple[int, int] = (80, 24), **env: str) -> Iterator[Tty]:
    tty = Tty(*words, size=size, cwd=cwd, env=env)
    try:
        yield tty
    finally:
        tty.close()
