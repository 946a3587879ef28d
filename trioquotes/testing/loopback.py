"""Simulated venues on loopback, in a thread of their own: real sockets and real time, for programs of any kind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, TypeVar

import trio

from trioquotes._runtime.session import Session
from trioquotes.credentials import Credentials
from trioquotes.simulator.faults import Fault
from trioquotes.simulator.server import Simulator
from trioquotes.testing.simulated import SimulatedVenue, listed, make_simulator

__all__ = ["LoopbackMaker", "open_loopback"]

T = TypeVar("T")

PATIENCE_S = 30.0
"""How long the thread may take to do one thing: more than any busy machine needs."""


class LoopbackMaker:
    """Makes simulated venues that listen on loopback: ``serve("coinbase", rate=5.0).endpoint`` is the URL.

    What it makes is served until the block of :func:`open_loopback` ends.

    Args:
        seed: of the markets.

    Attributes:
        failure: what ended the thread before it was told to end, if anything did.
    """

    def __init__(self, seed: int) -> None:
        self.failure: BaseException | None = None
        self._seed = seed
        self._running: Future[tuple[trio.lowlevel.TrioToken, trio.Nursery, trio.Event]] = Future()

    def __call__(self, name: str, *, faults: Iterable[Fault] = (), **options: Any) -> SimulatedVenue:
        """Serve a venue.

        It waits for a moment, until the venue listens; that is short enough for a task of trio as well.

        Args:
            name: the venue's name.
            faults: what goes wrong there.
            options: further ones of its simulator, such as ``rate`` and ``products``.

        Raises:
            UnknownVenue: there is no simulator of that name.
            ValueError: the simulator cannot be made so.
            OSError: no port is to be had.
        """
        simulator, credentials = make_simulator(name, seed=self._seed, faults=faults, **options)
        made: Future[SimulatedVenue] = Future()
        token, nursery, _ = self._running.result(PATIENCE_S)
        token.run_sync_soon(nursery.start_soon, self._serve, simulator, credentials, made)
        return made.result(PATIENCE_S)

    async def _serve(
        self, simulator: Simulator[Any], credentials: Credentials | None, made: Future[SimulatedVenue]
    ) -> None:
        try:
            async with simulator.open_server() as url:
                venue = SimulatedVenue(
                    simulator=simulator, endpoint=url, instruments=listed(simulator), credentials=credentials,
                    session=partial(Session, simulator.venue, endpoint=url), call=self.call,
                )  # fmt: skip
                made.set_result(venue)
                await trio.sleep_forever()
        except Exception as error:
            if made.done():
                raise
            made.set_exception(error)

    def call(self, ask: Callable[[], T]) -> T:
        """Call a function in the thread of the simulators, where alone they may be changed, and wait for its result."""
        told: Future[T] = Future()

        def answer() -> None:
            try:
                told.set_result(ask())
            except Exception as error:  # noqa: BLE001  # it is the caller's
                told.set_exception(error)

        self._running.result(PATIENCE_S)[0].run_sync_soon(answer)
        return told.result(PATIENCE_S)

    def run(self) -> None:
        """What the thread does."""
        try:
            trio.run(self._main)
        except BaseException as error:  # noqa: BLE001, ASYNC103  # raised by the thread that waits for this one
            self.failure = error
            if not self._running.done():
                self._running.set_exception(error)

    async def _main(self) -> None:
        stop = trio.Event()
        async with trio.open_nursery() as nursery:
            self._running.set_result((trio.lowlevel.current_trio_token(), nursery, stop))
            await stop.wait()
            nursery.cancel_scope.cancel()

    def stop(self) -> None:
        """End all that is served, soon."""
        token, _, stop = self._running.result(PATIENCE_S)
        with suppress(trio.RunFinishedError):
            token.run_sync_soon(stop.set)


@contextmanager
def open_loopback(seed: int = 0) -> Iterator[LoopbackMaker]:
    """Serve simulated venues on loopback while the block runs; they live in a thread, with real sockets and real time.

    ::

        with open_loopback() as serve:
            venue = serve("coinbase", rate=50.0)
            subprocess.run([sys.executable, "my_program.py", "--endpoint", venue.endpoint])

    Args:
        seed: of the markets.

    Raises:
        RuntimeError: the thread does not end.
    """
    maker = LoopbackMaker(seed)
    thread = threading.Thread(target=maker.run, name="simulated venues", daemon=True)
    thread.start()
    try:
        yield maker
    finally:
        maker.stop()
        thread.join(PATIENCE_S)
    if maker.failure is not None:
        raise maker.failure
    if thread.is_alive():
        raise RuntimeError(f"the simulated venues do not end within {PATIENCE_S:g} s")
