"""``trioquotes demo``: simulated venues, real sessions, and what is lost and found again between them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from itertools import cycle
from typing import Annotated, Any

import attrs
import trio
from cyclopts import Parameter
from rich.console import Console
from rich.live import Live

from trioquotes._protocol.budget import Budgets
from trioquotes._runtime.session import Session
from trioquotes.cli.board import Board
from trioquotes.cli.numbers import number, positive
from trioquotes.cli.output import Output
from trioquotes.cli.showcase import Showing, showing_of
from trioquotes.cli.stopping import Stop, run, stoppable, suspend
from trioquotes.cli.table import ASCII, UNICODE, notice_line, plain_rows, screen, summary
from trioquotes.simulator.server import Simulator
from trioquotes.simulator.tls import local_tls
from trioquotes.simulator.venues import SIMULATORS
from trioquotes.venues import VENUES

__all__ = ["demo"]

REFRESH_S = 0.125
PLAIN_S = 1.0
"""How often the plain form prints every instrument; its notices come at once."""

FIRST_DROP_S = 5.0
DROP_EVERY_S = 12.0

ROWS = 12
"""Instruments shown in all, shared out among the venues, but not more than ROWS_PER_VENUE of each."""
ROWS_PER_VENUE = 4
PER_SESSION = 2
"""Instruments of one session, so that a dropped line takes some of the table and not all of it."""

LEAVE_S = 4.0
"""When a session that does not end by itself is cut: longer than its own goodbye may take."""


@attrs.frozen
class _Place:
    """A simulated venue that is being served."""

    venue: str
    simulator: Simulator[Any]
    url: str
    showing: Showing


def demo(
    *,
    seconds: Annotated[float | None, Parameter(metavar="S", show_default=False, converter=number)] = None,
    plain: Annotated[bool, Parameter(show_default=False)] = False,
) -> int:
    """Watch simulated venues stream through real sessions.

    Args:
        seconds: End after this many seconds; without it Ctrl-C does.
        plain: Print lines instead of a live table.

    Returns:
        The exit code.
    """
    if seconds is not None:
        positive("--seconds", seconds)
    output = Output()
    is_live = not plain and output.is_terminal and os.environ.get("TERM") not in {"dumb", "unknown"}
    return run(partial(_demo, output, seconds, is_live=is_live))


async def _demo(output: Output, seconds: float | None, *, is_live: bool) -> int:
    board = Board(trio.current_time())
    tls = local_tls()
    async with stoppable(seconds, output) as stop, AsyncExitStack() as stack:
        places = [await _open(stack, name, tls.server) for name in SIMULATORS if name in VENUES]
        for place in places:
            for instrument in place.showing.instruments:
                board.add(place.venue, instrument)
        async with trio.open_nursery() as nursery:
            show = partial(_show_live, stop) if is_live else partial(_show_plain, output)
            nursery.start_soon(show, board, name="show")
            nursery.start_soon(_drop_lines, places, board, seconds, name="drop lines")
            await _sessions(places, board, tls.client_context(), stop)
            nursery.cancel_scope.cancel()
    width = shutil.get_terminal_size().columns if output.is_terminal else None
    output.write("".join(line + "\n" for line in summary(board, trio.current_time(), width)))
    return stop.exit_code


async def _open(stack: AsyncExitStack, venue: str, context: ssl.SSLContext) -> _Place:
    simulator = SIMULATORS[venue](seed=7, frames_kept=0)
    url = await stack.enter_async_context(simulator.open_server(ssl_context=context))
    most = max(1, min(ROWS_PER_VENUE, ROWS // len(SIMULATORS)))
    return _Place(venue, simulator, url, showing_of(venue, simulator, most))


async def _sessions(places: list[_Place], board: Board, context: ssl.SSLContext, stop: Stop) -> None:
    budgets = Budgets()
    async with trio.open_nursery() as nursery:
        for place in places:
            for at in range(0, len(place.showing.instruments), PER_SESSION):
                instruments = place.showing.instruments[at : at + PER_SESSION]
                topics = [kind(name) for name in instruments for kind in place.showing.kinds]
                session = Session(
                    place.venue,
                    *topics,
                    credentials=place.showing.credentials,
                    endpoint=place.url,
                    ssl_context=context,
                    budgets=budgets,
                )
                name = " ".join(instruments)
                nursery.start_soon(_watch, session, place.venue, name, board, stop, name=f"watch {name}")


async def _watch(session: Session, venue: str, name: str, board: Board, stop: Stop) -> None:
    with stop.ending(LEAVE_S):
        async with session as stream:
            while not stop.requested:
                with stop.ending():
                    for event in await stream.receive_many():
                        board.take(event, trio.current_time(), name)
            board.ended(venue, stream.statistics().count)


async def _drop_lines(places: list[_Place], board: Board, seconds: float | None) -> None:
    """End a line now and then as a network does, without a word: the oldest one, so that each has its turn."""
    await trio.sleep(FIRST_DROP_S if seconds is None else min(FIRST_DROP_S, seconds / 3))
    for place in cycle(place for place in places if place.showing.drops):
        lines = [line for line in place.simulator.connections.values() if not line.ending]
        if lines:
            oldest = min(lines, key=lambda line: line.ordinal)
            text = f"{place.venue} drops its connection {oldest.ordinal}, without a word"
            board.drop(text, trio.current_time())
            oldest.cut()
        await trio.sleep(DROP_EVERY_S)


async def _show_live(stop: Stop, board: Board) -> None:
    console = Console(highlight=False)
    glyphs = ASCII if console.options.ascii_only else UNICODE
    drawn = Live(
        console=console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
    )
    with contextlib.ExitStack() as stack:
        # The screen is given back before the signals' own effects are, and taken after.
        own = [getattr(signal, name) for name in ("SIGQUIT", "SIGTSTP") if hasattr(signal, name)]
        signals = stack.enter_context(trio.open_signal_receiver(*own)) if own else None
        live = stack.enter_context(drawn)
        async with trio.open_nursery() as nursery:
            if signals is not None:
                nursery.start_soon(_obey, signals, live, stop, name="watch signals")
            while True:
                width, height = console.size
                live.update(screen(board, trio.current_time(), width, height, glyphs), refresh=True)
                await trio.sleep(REFRESH_S)


async def _obey(signals: AsyncIterator[int], live: Live, stop: Stop) -> None:
    """Give the screen back before a signal stops or ends the process."""
    async for one in signals:
        if one == signal.SIGQUIT:
            stop.request(128 + one)
            continue
        live.stop()
        suspend()
        live.start()


async def _show_plain(output: Output, board: Board) -> None:
    said = 0
    due_s = board.started_s + PLAIN_S
    while True:
        now_s = trio.current_time()
        fresh = board.said - said
        said = board.said
        lines = [notice_line(one) for one in list(board.notices)[len(board.notices) - fresh :]]
        if now_s >= due_s:
            due_s += PLAIN_S
            lines += plain_rows(board, now_s)
        if lines:
            await output.send("".join(line + "\n" for line in lines))
        await trio.sleep(REFRESH_S)
