"""The venues' process, as the programs that are its clients see it."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import trio

__all__ = ["venues_served"]

BEGINS_WITHIN_S = 60.0
ENDS_WITHIN_S = 30.0


@asynccontextmanager
async def venues_served(
    arguments: Sequence[str], ends: dict[str, Any]
) -> AsyncIterator[tuple[dict[str, str], ssl.SSLContext]]:
    """Run ``tests.long.serving`` while the block runs; gives the venues' URLs and whom to trust.

    Args:
        arguments: of that program.
        ends: what it saw is put there at the end.
    """
    # A session of its own: the terminal's Ctrl-C is for us, and the venues must outlive the goodbyes.
    process = await trio.lowlevel.open_process(
        [sys.executable, "-m", "tests.long.serving", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    lines = _Lines(process.stdout)
    try:
        with trio.fail_after(BEGINS_WITHIN_S):
            told = json.loads(await lines.next())
        trust = ssl.create_default_context(cadata=told["authority"])
        yield told["urls"], trust
        await process.stdin.aclose()
        with trio.move_on_after(ENDS_WITHIN_S):
            ends.update(json.loads(await lines.next()))
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
        with trio.CancelScope(shield=True), trio.move_on_after(10):
            await process.wait()


class _Lines:
    """Lines out of a pipe."""

    def __init__(self, pipe: trio.abc.ReceiveStream) -> None:
        self._pipe = pipe
        self._rest = b""

    async def next(self) -> bytes:
        """The next line; what there is at the end of the pipe."""
        while b"\n" not in self._rest:
            data = await self._pipe.receive_some()
            if not data:
                break
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return line
