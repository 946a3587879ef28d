"""Simulated venues, a memory network and a clock, all from one seed."""

from __future__ import annotations

import random
import ssl
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import trio
import trio.testing
import trustme

from trioquotes._runtime.clock import Clock
from trioquotes._runtime.session import Session
from trioquotes._runtime.transport import TapConnector
from trioquotes.events import Event
from trioquotes.simulator.server import Simulator
from trioquotes.testing.links import Weather, open_link
from trioquotes.testing.script import LinkFault, StepClock, SuspendMachine, WorldFault
from trioquotes.testing.trace import Told, Trace
from trioquotes.topics import Topic

__all__ = ["EPOCH_NS", "Served", "World", "open_world"]

EPOCH_NS = 1_700_000_000_000_000_000
"""When every world begins, in Unix nanoseconds: 2023-11-14 22:13:20 UTC."""

TOLD = 100_000
"""How many notes a world keeps."""


class Served:
    """A simulated venue in a world.

    Attributes:
        simulator: the simulator itself, for its records and its market.
        endpoint: the URL that leads to it inside the world.
    """

    def __init__(self, simulator: Simulator[Any], endpoint: str) -> None:
        self.simulator = simulator
        self.endpoint = endpoint


class World:
    """Simulated venues, a memory network and a clock, all from one seed.

    Made by :func:`open_world` or :func:`run_world`.

    Attributes:
        seed: decides how the network cuts, and what the sessions' jitter and nonces are.
        links: how many streams were asked for so far.
    """

    def __init__(
        self, seed: int, nursery: trio.Nursery, *, faults: Iterable[WorldFault] = (),
        clock: trio.testing.MockClock | None = None, tls: bool = False,
    ) -> None:  # fmt: skip
        self.seed = seed
        self.links = 0
        faults = tuple(faults)
        self._weather = Weather([fault for fault in faults if isinstance(fault, LinkFault)])
        self._random = random.Random(seed)  # noqa: S311  # decides a simulation, keeps no secret
        self._nursery = nursery
        self._ports: dict[int, Simulator[Any]] = {}
        self._connector = TapConnector(self)
        self._clock = clock
        self._ahead_ns = 0
        self._told: deque[Told] = deque(maxlen=TOLD)
        self._trust = _Trust() if tls else None
        for fault in faults:
            if isinstance(fault, StepClock | SuspendMachine):
                nursery.start_soon(self._disturb_clock, fault, name=type(fault).__name__)

    # Time and chance --------------------------------------------------------------------------------

    def wall_ns(self) -> int:
        """The time as everybody else in the world has it: it keeps step with trio's clock. Unix nanoseconds."""
        return EPOCH_NS + int(trio.current_time() * 1e9)

    def machine_ns(self) -> int:
        """The time that the machine with the sessions believes it is, which may be set. Unix nanoseconds."""
        return self.wall_ns() + self._ahead_ns

    def step_clock(self, by_s: float) -> None:
        """Set the machine's wall clock forward, or back; the monotonic one goes on."""
        self._ahead_ns += int(by_s * 1e9)

    def suspend(self, for_s: float) -> None:
        """Let time pass while nothing runs, on the machine and in the world.

        Raises:
            RuntimeError: the world was not made by :func:`run_world`, or without its clock.
        """
        if self._clock is None:
            raise RuntimeError("only a world that knows its clock can be suspended: use run_world")
        self._clock.jump(for_s)

    def chance(self, purpose: str) -> random.Random:
        """A source of chance for a part of the program: the same for the same seed and purpose."""
        return random.Random(f"{self.seed}/{purpose}")  # noqa: S311  # decides a simulation, keeps no secret

    async def _disturb_clock(self, fault: StepClock | SuspendMachine) -> None:
        await trio.sleep(fault.at_s)
        if self._weather.cleared.is_set():
            return
        self._weather.done[type(fault).__name__] += 1
        if isinstance(fault, StepClock):
            self.step_clock(fault.by_s)
        else:
            self.suspend(fault.for_s)

    # Venues and sessions ----------------------------------------------------------------------------

    def serve(self, simulator: Simulator[Any]) -> Served:
        """Put a simulated venue into the world."""
        port = len(self._ports) + 1
        self._ports[port] = simulator
        return Served(simulator, f"{'ws' if self._trust is None else 'wss'}://127.0.0.1:{port}")

    def session(self, served: Served, *topics: Topic[Event], **options: Any) -> Session:
        """A real session with that venue; ``options`` are those of ``Session``.

        Raises:
            UsageError: as ``Session``.
        """
        clock = Clock(self.machine_ns, random.Random(self._random.getrandbits(64)))  # noqa: S311  # as above
        settings = {"endpoint": served.endpoint, "connector": self._connector, "clock": clock, **options}
        if self._trust is not None:
            settings.setdefault("ssl_context", self._trust.client)
        return Session(served.simulator.venue, *topics, **settings)

    async def open(self, host: str, port: int) -> trio.abc.Stream:
        """A byte stream to a venue of this world: what makes it a network for connectors.

        Raises:
            OSError: nothing is served there, or the script refuses it.
        """
        await trio.lowlevel.checkpoint()
        self.links += 1
        pieces = random.Random(self._random.getrandbits(64))  # noqa: S311  # as above
        simulator = self._ports.get(port)
        if simulator is None:
            raise ConnectionRefusedError(f"nothing is served at {host}:{port}")
        ours, theirs = await open_link(self._nursery, self._weather, self.links, pieces)
        if self._trust is None:
            self._nursery.start_soon(simulator.serve_stream, theirs)
        else:
            self._nursery.start_soon(self._trust.serve, simulator, theirs)
        return ours

    # What happened ----------------------------------------------------------------------------------

    @property
    def faults_done(self) -> Counter[str]:
        """How often the world's script did something, by the fault's name; the venues' records have theirs."""
        return self._weather.done

    def mend(self) -> None:
        """From now on nothing goes wrong any more, at the venues neither, and the machine's clock is right.

        A line that is silent, or was slow, stays so until somebody gives it up.
        """
        self._weather.clear()
        self._ahead_ns = 0
        for simulator in self._ports.values():
            simulator.mend()

    def tell(self, text: str) -> None:
        """Note down that something happened; the last 100,000 notes are part of :attr:`trace`."""
        self._told.append(Told(trio.current_time(), text))

    @property
    def trace(self) -> Trace:
        """What happened so far."""
        return Trace(self._told, self._ports.values())


class _Trust:
    """Certificates of a world with TLS."""

    def __init__(self) -> None:
        authority = trustme.CA()
        self.client = ssl.create_default_context()
        self._server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.configure_trust(self.client)
        authority.issue_cert("127.0.0.1").configure_cert(self._server)

    async def serve(self, simulator: Simulator[Any], stream: trio.abc.Stream) -> None:
        """Serve over TLS; a client that breaks off is served nothing."""
        secure = trio.SSLStream(stream, self._server, server_side=True, https_compatible=True)
        try:
            await secure.do_handshake()
        except trio.BrokenResourceError:
            await trio.aclose_forcefully(stream)
            return
        await simulator.serve_stream(secure)


@asynccontextmanager
async def open_world(
    seed: int = 0,
    *,
    faults: Iterable[WorldFault] = (),
    clock: trio.testing.MockClock | None = None,
    tls: bool = False,
) -> AsyncIterator[World]:
    """A world that lives while the block runs; leaving it ends its venues.

    Args:
        seed: decides how the network cuts, and what the sessions' jitter and nonces are.
        faults: what goes wrong with links and clocks.
        clock: trio's clock, if it is a virtual one: needed to suspend the machine.
        tls: whether the venues are served with TLS.
    """
    body_error: BaseException | None = None
    async with trio.open_nursery() as nursery:
        try:
            yield World(seed, nursery, faults=faults, clock=clock, tls=tls)
        except BaseException as error:  # noqa: BLE001, ASYNC103  # raised again below, outside of our nursery's groups
            body_error = error
        nursery.cancel_scope.cancel()
    if body_error is not None:
        raise body_error
