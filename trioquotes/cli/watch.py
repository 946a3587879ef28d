"""``trioquotes watch``: instruments of a venue, live, on the whole terminal.

The session and the terminal do not wait for each other: what comes goes into a model, the books are looked at, and a task
of its own draws what has changed, at most ten times a second and not at all while the terminal takes nothing.
"""

from __future__ import annotations

import math
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import attrs
import trio
from cyclopts import Parameter

from trioquotes._protocol.contract import Venue
from trioquotes._runtime.session import Session
from trioquotes.cli.exits import one_line, say
from trioquotes.cli.keys import from_environment
from trioquotes.cli.numbers import many, number, positive
from trioquotes.cli.output import Output
from trioquotes.cli.statusline import age
from trioquotes.cli.stopping import Stop, run, stoppable
from trioquotes.cli.streaming import trusting
from trioquotes.cli.watch_grid import PLAIN, RICH, Look
from trioquotes.cli.watch_keys import KeyReader
from trioquotes.cli.watch_model import Kind, Model, Pane
from trioquotes.cli.watch_paint import Painter
from trioquotes.cli.watch_session import Follower, topic_of
from trioquotes.cli.watch_terminal import Terminal, TerminalGone, open_terminal
from trioquotes.cli.watch_view import screen
from trioquotes.cli.words import chosen, proxy_of, refusals, venue_of
from trioquotes.errors import UnsupportedTopic, UsageError
from trioquotes.topics import Books, Quotes, Trades

__all__ = ["watch"]

REFRESH_S = 0.1
"""How often the screen is drawn, whatever comes."""
KEY_S = 0.03
"""How soon it may be drawn again because a key was pressed."""
ESCAPE_S = 0.05
"""How soon the rest of a key's sequence follows its first character."""
LEAVE_S = 4.0
"""When a session that does not end by itself is cut: longer than its own goodbye may take."""


def watch(
    venue: str,
    /,
    *instruments: Annotated[str, Parameter(name="INSTRUMENT")],
    endpoint: Annotated[str | None, Parameter(metavar="NAME|URL", show_default=False)] = None,
    ca: Annotated[Path | None, Parameter(metavar="FILE", show_default=False)] = None,
    proxy: Annotated[
        str | None, Parameter(metavar="URL|none", show_default=False, converter=proxy_of)
    ] = None,
    seconds: Annotated[float | None, Parameter(metavar="S", show_default=False, converter=number)] = None,
    plain: Annotated[bool, Parameter(show_default=False)] = False,
) -> int:
    """Watch instruments live, on the whole terminal.

    Args:
        venue: Name of the venue; `trioquotes venues` lists them.
        instruments: The venue's own names, or base and quote with a slash (BTC/USD).
        endpoint: A name of the venue's (sandbox), or the ws:// or wss:// URL of a server that stands in for it.
        ca: A PEM file with a certificate authority to trust as well (that of `simulate --tls`).
        proxy: The proxy for every connection, http://, https://, socks5:// or socks5h://, with user:password@ where it
            wants them; none for no proxy. Without it HTTPS_PROXY, ALL_PROXY and NO_PROXY say.
        seconds: End after this many seconds.
        plain: Draw without colours, and with the characters of every keyboard.

    Returns:
        The exit code.
    """
    found = venue_of(venue)
    if seconds is not None:
        positive("--seconds", seconds)
    if not instruments or "" in instruments:
        raise UsageError(
            "watch needs an instrument, and none may be empty: trioquotes watch VENUE INSTRUMENT..."
        )
    kinds, absent = _kinds(found)
    names = tuple(dict.fromkeys(found.instrument(one) for one in instruments))
    credentials = from_environment(found.name)
    trusted = None if ca is None else trusting(ca)
    make = partial(
        Session,
        found,
        credentials=credentials,
        endpoint=endpoint,
        ssl_context=trusted,
        proxy=chosen(proxy),
    )
    with refusals(found, endpoint):
        make(
            *(topic_of(kind, name) for name in names for kind in kinds)
        )  # it says what is wrong before a drawing is
    _check_terminal(f"trioquotes stream {found.name} {kinds[0]} {' '.join(names)}")
    watched = _Watched(found.name, names, kinds, absent, make(), plain=plain)
    return run(partial(_watch, watched, seconds))


def _kinds(venue: Venue) -> tuple[tuple[Kind, ...], dict[Kind, str]]:
    """What to watch at a venue, the leading kind first, and why the rest is not there.

    Raises:
        UnsupportedTopic: it has nothing of it.
    """
    able = venue.unified
    kinds: list[Kind] = []
    absent: dict[Kind, str] = {}
    served: tuple[tuple[Kind, bool], ...] = (("books", Books in able), ("trades", Trades in able))
    for kind, is_served in served:
        if is_served:
            kinds.append(kind)
        else:
            absent[kind] = f"{venue.name} serves no {kind}"
    if "books" in absent and Quotes in able:
        kinds.insert(0, "quotes")
    if not kinds:
        raise UnsupportedTopic(f"{venue.name} serves neither books nor trades nor quotes to watch")
    return tuple(kinds), absent


def _check_terminal(instead: str) -> None:
    """Refuse what nothing can be drawn on.

    Raises:
        UsageError: standard output is no terminal, or one without a cursor.
    """
    if not Output().is_terminal:
        raise UsageError(
            f"watch draws on a terminal, and standard output is none; for lines there is: {instead}"
        )
    if os.name != "posix":
        raise UsageError(f"watch knows the terminals of Linux and macOS only; for lines there is: {instead}")
    if os.environ.get("TERM", "dumb") in {"", "dumb", "unknown"}:
        raise UsageError(
            f"watch draws on a terminal, and TERM says that this one cannot; for lines there is: {instead}"
        )


@attrs.frozen
class _Watched:
    """What is to be watched."""

    venue: str
    instruments: tuple[str, ...]
    kinds: tuple[Kind, ...]
    absent: dict[Kind, str]
    session: Session
    plain: bool = attrs.field(kw_only=True)

    def model(self, now_s: float) -> Model:
        """The model before anything came."""
        panes = [Pane(name, self.kinds) for name in self.instruments]
        return Model(self.venue, panes, self.absent, now_s)


async def _watch(watched: _Watched, seconds: float | None) -> int:
    own = (signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP, signal.SIGCONT)
    async with stoppable(seconds) as stop:
        model = watched.model(trio.current_time())
        try:
            # The terminal is given back before the signals' own effects are.
            with trio.open_signal_receiver(*own) as signals, open_terminal() as terminal:
                shell = _Shell(model, terminal, stop, plain=watched.plain)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(shell.obey, signals, name="watch signals")
                    nursery.start_soon(shell.read, name="read keys")
                    nursery.start_soon(shell.draw, name="draw")
                    await shell.follow(watched.session)
                    nursery.cancel_scope.cancel()
        except TerminalGone:
            stop.request(128 + signal.SIGHUP)
    say(_total(model, watched, trio.current_time()))
    return stop.exit_code


def _total(model: Model, watched: _Watched, now_s: float) -> str:
    """The line that stays."""
    notices = many(sum(model.seen.values()), "notice")
    title = f"{watched.venue} {' '.join(watched.instruments)}"
    return one_line(
        f"{title}: {many(model.events, 'event')} and {notices} in {age(now_s - model.started_s)};"
        f" {many(model.seen['Gap'], 'gap')}, {many(model.reconnects, 'reconnect')}"
    )


class _Shell:
    """The tasks around the model."""

    def __init__(self, model: Model, terminal: Terminal, stop: Stop, *, plain: bool) -> None:
        self._model = model
        self._terminal = terminal
        self._stop = stop
        self._look = _look(plain=plain)
        self._painter = Painter(without_colour=plain)
        self._changed = trio.Event()

    # The terminal -----------------------------------------------------------------------------------

    async def obey(self, signals: AsyncIterator[int]) -> None:
        """Do what signals ask for."""
        async for one in signals:
            if one == signal.SIGTSTP:
                self._retake(self._terminal.suspend)
            elif one != signal.SIGCONT:
                self._stop.request(128 + one)
            elif self._terminal.is_taken:
                self._retake(self._terminal.take)

    def _retake(self, act: Callable[[], None]) -> None:
        try:
            act()
        except TerminalGone:
            self._hang_up()
        self._painter.forget()
        self._changed.set()

    async def read(self) -> None:
        """Do what keys ask for."""
        reader = KeyReader()
        while True:
            keys = []
            with trio.move_on_after(ESCAPE_S if reader.is_pending else math.inf) as scope:
                try:
                    keys = reader.feed(await self._terminal.read())
                except TerminalGone:
                    self._hang_up()
                    return
            if scope.cancelled_caught:
                keys = reader.flush()
            for key in keys:
                self._press(key)

    def _press(self, key: str) -> None:
        action = self._model.press(key, trio.current_time())
        if action == "quit":
            self._stop.request()
        elif action == "redraw":
            self._painter.forget()
        self._changed.set()

    async def draw(self) -> None:
        """Draw what has changed."""
        while True:
            self._changed = trio.Event()
            try:
                size = self._terminal.size
                lines = screen(self._model, trio.current_time(), *size, self._look)
                await self._terminal.write(self._painter.paint(lines, size))
            except TerminalGone:
                self._hang_up()
                return
            await trio.sleep(KEY_S)
            with trio.move_on_after(REFRESH_S - KEY_S):
                await self._changed.wait()

    def _hang_up(self) -> None:
        self._stop.request(128 + signal.SIGHUP)

    # The session ------------------------------------------------------------------------------------

    async def follow(self, session: Session) -> None:
        """Keep the model up to date until a stop is requested; the terminal is given back before the goodbye."""
        with self._stop.ending(LEAVE_S):
            async with session as stream:
                with self._stop.ending():
                    await Follower(self._model).follow(stream)
                self._terminal.give_back()


def _look(*, plain: bool) -> Look:
    """What the terminal can show."""
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    return RICH if not plain and encoding.startswith("utf") else PLAIN
