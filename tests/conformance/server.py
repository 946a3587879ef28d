"""The suite's fuzzing server, run by the Python 2.7 it needs."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import trio

__all__ = ["ServerFailed", "fuzzing_server"]

START_S = 60.0

LAUNCH = """
import sys, types
import twisted.internet
try:
    import OpenSSL
except ImportError:  # it is only for wss://, but imported first of all
    sys.modules["twisted.internet.ssl"] = twisted.internet.ssl = types.ModuleType("twisted.internet.ssl")
sys.argv = ["wstest", "--mode", "fuzzingserver", "--webport", "0", "--spec", sys.argv[1]]
from autobahntestsuite.wstest import run
run()
"""


class ServerFailed(Exception):
    """The suite does not run."""


@asynccontextmanager
async def fuzzing_server(python: Path, folder: Path) -> AsyncIterator[str]:
    """A server that lives as long as the block, its URL; it writes its reports and its log into the folder.

    Args:
        python: a Python 2.7 with the suite.
        folder: is made if there is none.

    Raises:
        ServerFailed: it does not come to listen.
    """
    with socket.socket() as probe:  # the suite cannot be asked which port it got
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"ws://127.0.0.1:{port}"
    spec, log = _prepare(folder, url)
    with log.open("wb") as output:
        async with trio.open_nursery() as nursery:
            run = partial(
                trio.run_process,
                [str(python), "-c", LAUNCH, str(spec)],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                check=False,
            )
            process: trio.Process = await nursery.start(run)
            await _listening(port, process, log)
            yield url
            nursery.cancel_scope.cancel()


def _prepare(folder: Path, url: str) -> tuple[Path, Path]:
    """Write what the server is to do; where it is told so, and where its words go."""
    folder.mkdir(parents=True, exist_ok=True)
    spec = folder / "spec.json"
    spec.write_text(json.dumps({"url": url, "outdir": str(folder), "cases": ["*"]}))
    return spec, folder / "server.log"


def _last_words(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


async def _listening(port: int, process: trio.Process, log: Path) -> None:
    with trio.move_on_after(START_S):
        while process.poll() is None:
            try:
                stream = await trio.open_tcp_stream("127.0.0.1", port)
            except OSError:
                await trio.sleep(0.1)
            else:
                await trio.aclose_forcefully(stream)
                return
    raise ServerFailed(f"the suite's server does not listen; its log ends:\n{_last_words(log)}")
