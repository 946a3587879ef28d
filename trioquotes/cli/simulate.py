"""``trioquotes simulate``: a simulated venue, or a capture, as a server on loopback."""

from __future__ import annotations

import errno
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import trio
from cyclopts import Parameter

from trioquotes.cli.exits import say
from trioquotes.cli.numbers import many, number, positive, whole
from trioquotes.cli.output import Output
from trioquotes.cli.statusline import StatusLine
from trioquotes.cli.stopping import run, stoppable
from trioquotes.cli.words import meant
from trioquotes.errors import SessionError, UnknownVenue, UsageError
from trioquotes.simulator.playback import read_capture
from trioquotes.simulator.server import Simulator
from trioquotes.simulator.tls import local_tls
from trioquotes.simulator.venues import SIMULATORS, playback_of, simulator_of

__all__ = ["CannotListen", "serving", "simulate"]

T = TypeVar("T")

GOODBYE_S = 1.5
"""How long clients may take to answer the goodbye."""

POLL_S = 0.01

GOING_AWAY = 1001
"""The close code of a server that ends (RFC 6455, section 7.4.1)."""

LOCAL = ("localhost", "127.0.0.1", "::1")

BREACHES_SHOWN = 5


class CannotListen(SessionError):
    """The address is there but cannot be had: somebody else listens on it, or it is not allowed."""


def simulate(
    venue: str,
    /,
    *,
    host: Annotated[str, Parameter(metavar="H")] = "127.0.0.1",
    port: Annotated[int, Parameter(metavar="P", converter=whole)] = 0,
    tls: Annotated[bool, Parameter(show_default=False)] = False,
    seed: Annotated[int | None, Parameter(metavar="N", show_default=False, converter=whole)] = None,
    rate: Annotated[float | None, Parameter(metavar="N", show_default=False, converter=number)] = None,
    capture: Annotated[Path | None, Parameter(metavar="FILE", show_default=False)] = None,
    speed: Annotated[
        Literal["recorded", "max"] | None,
        Parameter(metavar="recorded|max", show_choices=False, show_default=False),
    ] = None,
) -> int:
    """Serve a simulated venue, or play a capture, until Ctrl-C.

    Args:
        venue: Name of the venue; `trioquotes venues` lists them.
        host: The address to listen on.
        port: The port; 0 takes a free one.
        tls: Serve wss:// with a certificate made on the spot; the second line says where its authority is.
        seed: Of the market: the same seed gives the same market. 0 unless given.
        rate: Actions of traders per second and instrument. 20 unless given.
        capture: Play the frames of this file instead of a market.
        speed: Pace the capture by its own times (recorded, unless given) or by the client's reading (max).

    Returns:
        The exit code.
    """
    if not host:
        raise UsageError("--host must not be empty")
    if not 0 <= port < 2**16:
        raise UsageError(f"--port must be from 0 to 65535, not {port}")
    if capture is None:
        if speed is not None:
            raise UsageError("--speed is for a --capture")
        if rate is not None:
            positive("--rate", rate)
        market = {"seed": seed, "rate": rate}
        given = {name: value for name, value in market.items() if value is not None}
        makes = _known(simulator_of, venue)
        try:
            simulator = makes(frames_kept=0, **given)
        except ValueError as error:
            raise UsageError(f"{venue}: {error}") from None
    else:
        if seed is not None or rate is not None:
            raise UsageError("--seed and --rate are for a market: a --capture is played as it is")
        plays = _known(playback_of, venue)
        simulator = plays(read_capture(capture), speed=speed or "recorded", frames_kept=0)
    return run(partial(_simulate, simulator, host, port, tls=tls))


def _known(find: Callable[[str], T], venue: str) -> T:
    """What is found of a venue; where there is none, the message says which was meant."""
    try:
        return find(venue)
    except UnknownVenue as error:
        raise UnknownVenue(f"{error}{meant(venue, SIMULATORS)}") from None


@asynccontextmanager
async def serving(
    simulator: Simulator[Any], host: str, port: int, context: ssl.SSLContext | None
) -> AsyncIterator[str]:
    """Serve while the block runs; at its end clients are said goodbye to. Gives the URL.

    Raises:
        UsageError: the host is none.
        CannotListen: the port cannot be had.
    """
    async with AsyncExitStack() as stack:
        try:
            url = await stack.enter_async_context(simulator.open_server(host, port, context))
        except socket.gaierror as error:
            raise UsageError(f"--host {host}: {error.strerror}") from None
        except OSError as error:
            raise CannotListen(
                f"cannot listen on {host} port {port}: {error.strerror}{_advice(error)}"
            ) from None
        yield url
        for connection in tuple(simulator.connections.values()):
            connection.close(GOING_AWAY, "the simulator ends")
        with trio.move_on_after(GOODBYE_S):
            while simulator.connections:  # noqa: ASYNC110  # a simulator has no event for it
                await trio.sleep(POLL_S)


def _advice(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "; give another --port, or leave it out for a free one"
    if error.errno == errno.EADDRNOTAVAIL:
        return "; --host is an address of this machine"
    return "; ports below 1024 are the system's" if error.errno == errno.EACCES else ""


@contextmanager
def _authority(host: str) -> Iterator[tuple[ssl.SSLContext, Path]]:
    """A server's context, and the file with the authority to trust, which is gone after the block."""
    made = local_tls(tuple(dict.fromkeys((*LOCAL, host))))
    with tempfile.TemporaryDirectory(prefix="trioquotes-") as folder:
        path = Path(folder, "ca.pem")
        path.write_bytes(made.authority_pem)
        yield made.server, path


async def _simulate(simulator: Simulator[Any], host: str, port: int, *, tls: bool) -> int:
    output = Output()
    records = simulator.records

    def figures() -> str:
        return (
            f"{len(simulator.connections):,} of {many(len(records.connects), 'connection')} open,"
            f" {many(len(records.requests), 'message')} received, {many(len(records.breaches), 'limit')} passed"
        )

    status = StatusLine(figures, output)
    async with AsyncExitStack() as stack:
        context, path = stack.enter_context(_authority(host)) if tls else (None, None)
        url = await stack.enter_async_context(serving(simulator, host, port, context))
        async with stoppable() as stop, trio.open_nursery() as nursery:
            output.write(f"listening on {url}\n")
            if path is not None:
                output.write(f"trust it with --ca {path}\n")
            if status.is_on:
                nursery.start_soon(status.run, name="status line")
            await stop.wait()
            nursery.cancel_scope.cancel()
    say(f"{simulator.venue}: {figures()}")
    for breach in list(records.breaches)[:BREACHES_SHOWN]:
        say(f"limit passed: {breach.limit} by connection {breach.connection}: {breach.detail}")
    return stop.exit_code
