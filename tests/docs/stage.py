"""Runs code of the documentation as it stands there, against simulated venues, in virtual time and without a network."""

from __future__ import annotations

import ast
import inspect
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from decimal import Decimal
from typing import Any

import prometheus_client
import pytest
import trio
import trio.testing

import trioquotes as tq
from tests.docs.blocks import Block
from trioquotes._runtime.clock import Clock
from trioquotes._runtime.mailbox import Mailbox
from trioquotes.credentials import ApiKey, BearerToken
from trioquotes.recording import Recorder, Replayer
from trioquotes.simulator.faults import DropLine
from trioquotes.testing import (
    EPOCH_NS,
    SimulatedVenue,
    VenueMaker,
    World,
    open_world,
    run_world,
    seeded_scheduling,
)
from trioquotes.testing.simulated import CLIENTS

__all__ = ["Ran", "environment", "run_block"]

LONG_S = 20.0
"""Virtual seconds that an endless loop may take: enough for a lost line to come back."""

FIRST_EVENT_S = 120.0
"""And those in which a session has its first event: an account is quiet for longer than a market."""

DROPPED = DropLine(connection=1, after_s=5.0)
"""What goes wrong with every venue, so that what a page says about gaps is run too."""

MARKETS: dict[str, dict[str, Any]] = {
    "coinbase": {"products": ["BTC-USD", "ETH-USD", "SOL-USD", "XRP-USD"]},
}
"""What a venue lists, where a page asks for more than its simulator has by itself."""

SESSION = tq.Session
RUN = trio.run
RECORD = tq.record
SERVE = prometheus_client.start_http_server

WAYS = {"connector", "endpoint", "clock", "proxy", "ssl_context", "local_address", "happy_eyeballs_delay_s"}
"""Options of a session that say how to get there: they are checked, and the way into the world is another one."""


def environment() -> Iterator[tuple[str, str]]:
    """The variables that hold the credentials of the clients whom the simulators know."""
    for venue, client in CLIENTS.items():
        known = client.credentials
        if isinstance(known, BearerToken):
            yield f"{venue.upper()}_ACCESS_TOKEN", known.token.reveal()
        elif isinstance(known, ApiKey):
            yield f"{venue.upper()}_API_KEY", known.key.reveal()
            yield f"{venue.upper()}_API_SECRET", known.secret.reveal()
            if known.passphrase is not None:
                yield f"{venue.upper()}_API_PASSPHRASE", known.passphrase.reveal()


class Ran:
    """What running a block came to.

    Attributes:
        statements: the lines of the page that have statements.
        lines: those of them that were run.
        delivered: by each session that was entered, the elements it handed over.
    """

    def __init__(self) -> None:
        self.statements: set[int] = set()
        self.lines: set[int] = set()
        self.delivered: list[int] = []


class Stage:
    """Where the sessions of a block play: the world that is open, if one is, and the venues in it so far."""

    def __init__(self) -> None:
        self.ran = Ran()
        self.unopened: list[Any] = []
        self._world: World | None = None
        self._venues: dict[str, SimulatedVenue] = {}
        self._cleanup = AsyncExitStack()

    @property
    def world(self) -> World:
        assert self._world is not None, "no session is entered outside of trio.run"
        return self._world

    def wall_ns(self) -> int:
        return EPOCH_NS if self._world is None else self._world.machine_ns()

    def venue(self, name: str) -> SimulatedVenue:
        """The simulated venue of that name, in the world that is open."""
        if name not in self._venues:
            make = VenueMaker(self.world, [DROPPED])
            self._venues[name] = make(name, **MARKETS.get(name, {}))
        return self._venues[name]

    async def opened(self, session: tq.Session) -> tq.Stream:
        """A session that is left a while after the block is over, so that something comes."""
        stream = await self._cleanup.enter_async_context(session)
        self._cleanup.push_async_callback(trio.sleep, 2)
        return stream

    def recorded(self, path: str) -> None:
        """Record trades and books for a while."""

        async def main(world: World) -> None:
            venue = VenueMaker(world)("coinbase")
            recorder = RECORD(path, connector=world._connector)
            topics = (tq.Books("BTC-USD"), tq.Trades("BTC-USD"))
            async with SESSION("coinbase", *topics, endpoint=venue.endpoint, connector=recorder):
                await trio.sleep(5)

        run_world(main, seed=1, deadline_s=100)

    def record(self, path: str, **options: Any) -> Recorder:
        """``tq.record``, with the world's network inside."""
        return RECORD(path, **{"connector": self.world._connector, **options})

    def run(self, main: Callable[..., Awaitable[Any]], *arguments: Any, **options: Any) -> Any:
        """``trio.run``: in a world and with virtual time, unless the program brings a clock of its own."""
        if "clock" in options:
            return RUN(main, *arguments, **options)
        with seeded_scheduling(1):
            clock = trio.testing.MockClock(autojump_threshold=0)
            return RUN(self._in_world, main, arguments, clock, clock=clock)

    async def _in_world(
        self, main: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...], clock: trio.testing.MockClock
    ) -> Any:
        result = None
        async with open_world(1, clock=clock) as world:
            self._world, self._venues = world, {}
            try:
                with trio.move_on_after(LONG_S):
                    async with AsyncExitStack() as self._cleanup:
                        result = await main(*arguments)
            finally:
                self._world = None
        return result

    @contextmanager
    def set(self) -> Iterator[None]:
        """While the block runs, what the code would reach the network with leads onto this stage."""

        class Session(SESSION):
            """Checked as the page has it; entered, it is one with the simulated venue instead."""

            def __init__(self, venue: str, *topics: tq.Topic[tq.Event], **options: Any) -> None:
                replays = isinstance(options.get("connector"), Replayer)
                own = options if replays else {**options, "connector": None}
                clock = Clock(stage.wall_ns, random.Random(1))  # noqa: S311  # chance, no secret
                super().__init__(venue, *topics, **{"clock": clock, **own})
                self._asked = None if replays else (venue, topics, options)
                stage.unopened.append(self)

            @asynccontextmanager
            async def run(self, mailbox: Mailbox | None = None) -> AsyncIterator[tq.Stream]:
                stage.unopened.remove(self)
                there: Any = super()
                if self._asked is not None:
                    venue, topics, options = self._asked
                    others = {name: value for name, value in options.items() if name not in WAYS}
                    recorder = options.get("connector")
                    there = SESSION(
                        venue, *topics, **others, endpoint=stage.venue(venue).endpoint, clock=self._clock,
                        connector=stage.world._connector if recorder is None else recorder,
                    )  # fmt: skip
                async with there.run(mailbox) as stream:
                    try:
                        yield stream
                    finally:
                        stage.ran.delivered.append(stream.statistics().count.delivered)

        stage = self
        served: list[Any] = []

        def start_http_server(port: int, **options: Any) -> Any:
            served.append(SERVE(port, **options))
            return served[-1]

        registered = set(prometheus_client.REGISTRY._collector_to_names)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tq, "Session", Session)
            patch.setattr(tq, "record", self.record)
            patch.setattr(trio, "run", self.run)
            patch.setattr("trio._path.run_sync", _at_once)
            patch.setattr(prometheus_client, "start_http_server", start_http_server)
            try:
                yield
            finally:
                for server, thread in served:
                    server.shutdown()
                    server.server_close()
                    thread.join()
                for collector in set(prometheus_client.REGISTRY._collector_to_names) - registered:
                    prometheus_client.REGISTRY.unregister(collector)

    async def open_the_others(self) -> None:
        """Enter what the block only made, and wait for something of it that is not a notice."""
        for session in tuple(self.unopened):
            with trio.fail_after(FIRST_EVENT_S):
                async with session as stream:
                    while isinstance(await anext(stream), tq.Notice):
                        pass


async def _at_once(call: Callable[..., Any], *arguments: Any, **_options: Any) -> Any:
    """What ``trio.Path`` calls in place of a thread: virtual time would not wait for one."""
    await trio.lowlevel.checkpoint()
    return call(*arguments)


class _Marking(ast.NodeTransformer):
    """Puts a call before each statement: it says that its line is run."""

    def __init__(self) -> None:
        self.statements: set[int] = set()

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        for field in ("body", "orelse", "finalbody"):
            body = getattr(node, field, None)
            if isinstance(body, list):
                setattr(node, field, [marked for statement in body for marked in self._marked(statement)])
        return node

    def _marked(self, statement: ast.stmt) -> list[ast.stmt]:
        is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
            return [statement]
        if is_text and isinstance(statement.value.value, str):  # type: ignore[attr-defined]  # seen the line before
            return [statement]
        self.statements.add(statement.lineno)
        mark = ast.Expr(ast.Call(ast.Name("_ran", ast.Load()), [ast.Constant(statement.lineno)], []))
        return [
            ast.copy_location(ast.fix_missing_locations(ast.copy_location(mark, statement)), statement),
            statement,
        ]


def run_block(block: Block) -> Ran:
    """Run a block to its end, or for a while where it has none; then enter the sessions that it made and did not.

    A block that awaits stands in an async function, and has ``trio``, ``tq`` and ``Decimal``.
    """
    stage = Stage()
    marking = _Marking()
    # A port of one's own would be somebody else's at times.
    tree = ast.parse(block.text.replace("9464", "0"))
    marking.visit(ast.increment_lineno(tree, block.line - 1))
    stage.ran.statements = marking.statements
    first = ast.parse(block.needs)
    tree.body = first.body + tree.body
    names: dict[str, Any] = {
        "__name__": "__main__", "_ran": stage.ran.lines.add, "tq": tq, "trio": trio, "Decimal": Decimal,
        "opened": stage.opened, "recorded": stage.recorded,
    }  # fmt: skip
    code = compile(tree, block.page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)

    async def main() -> None:
        await eval(code, names)  # noqa: S307  # our own pages

    with stage.set():
        if code.co_flags & inspect.CO_COROUTINE:
            trio.run(main)
        else:
            exec(code, names)  # noqa: S102  # likewise
        if stage.unopened:
            trio.run(stage.open_the_others)
    return stage.ran
