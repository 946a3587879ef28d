"""A thousand sessions that wait cost little, and are gone at once when they are cancelled."""

from __future__ import annotations

import gc
import logging
import os
import ssl
import time
import tracemalloc
import warnings
from collections import Counter
from pathlib import Path
from typing import Final

import pytest
import trio
import trio.testing
import trustme
from trio.testing import MockClock

import trioquotes as tq
from tests.robustness.hostile import CASES, COINBASE
from tests.runtime.wire_peers import Peer, text
from tests.venues.bench import Server
from tests.venues.cases import Case
from trioquotes._protocol.effects import Lane
from trioquotes._runtime.transport import TapConnector
from trioquotes.simulator.venues.coinbase import CoinbaseSimulator

MANY: Final = 1000
FEW: Final = 100
MOST_BYTES: Final = 150 * 1024
"""What a session may weigh without TLS."""
MOST_TASKS: Final = 12
MOST_STEPS: Final = 60
"""Steps of the scheduler in which a cancelled session is gone: some for each of its tasks."""

FIGURES: Final = logging.getLogger(__name__)
"""``pytest --log-cli-level=INFO`` shows what was measured."""

TABLE: Final = Path("/proc/self/fd")
LANES: Final = {
    "coinbase": "market",
    "upbit": "public",
    "edgex": "public",
    "zonda": "public",
    "darwinex": "quotes",
}


class Answering(trio.abc.Stream):
    """The server's end of a connection without a task of its own: what is sent is answered while it is sent.

    So the memory that is measured is the client's alone.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._unread = bytearray()
        self._head = True
        self._peer = Peer(self)
        self._lot = trio.lowlevel.ParkingLot()
        self._come = bytearray()
        self.closed = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        self._come += data
        if self._head and b"\r\n\r\n" in self._come:
            self._peer.request, _, rest = bytes(self._come).partition(b"\r\n\r\n")
            self._come[:] = rest
            self._head = False
            self._unread += self._peer.switch()
            self._say(*self._server.connected())
        while not self._head and (frame := self._frame()) is not None:
            self._say(*self._server.receive(frame))
        self._lot.unpark_all()

    def _say(self, *frames: str) -> None:
        for frame in frames:
            self._unread += text(frame)

    def _frame(self) -> str | None:
        """The next text frame of the client, if it is all there; other frames are passed over."""
        if len(self._come) < 2:
            return None
        size, at = self._come[1] & 0x7F, 2
        if size == 126:
            size, at = int.from_bytes(self._come[2:4]), 4
        if len(self._come) < at + 4 + size:
            return None
        mask, body = self._come[at : at + 4], self._come[at + 4 : at + 4 + size]
        opcode = self._come[0] & 0x0F
        del self._come[: at + 4 + size]
        payload = bytes(byte ^ mask[place % 4] for place, byte in enumerate(body))
        return payload.decode() if opcode == 1 else ""

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        while not self._unread and not self.closed:
            await self._lot.park()
        if self.closed:
            raise trio.ClosedResourceError
        size = len(self._unread) if max_bytes is None else max_bytes
        data = bytes(self._unread[:size])
        del self._unread[:size]
        return data

    async def aclose(self) -> None:
        self.closed = True
        self._lot.unpark_all()
        await trio.lowlevel.checkpoint()


class Quiet:
    """A network of servers that answer what they are asked and say nothing else."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self.streams: list[Answering] = []

    async def open(self, host: str, port: int) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        self.streams.append(Answering(self._case.server(Lane(LANES[self._case.venue.name]))))
        return self.streams[-1]


class Steps(trio.abc.Instrument):
    """Counts what the scheduler does."""

    def __init__(self) -> None:
        self.count = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.count += 1


def session_on(case: Case, network: Quiet) -> tq.Session:
    return tq.Session(
        case.venue,
        case.more(1),
        credentials=case.credentials if case.venue.name == "darwinex" else None,
        endpoint="ws://127.0.0.1:1",
        connector=TapConnector(network),
    )


async def idle(
    session: tq.Session,
    entered: Counter[str],
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Enter, and wait for what never comes."""
    async with session as stream:
        entered["sessions"] += 1
        task_status.started()
        async for event in stream:
            entered[type(event).__name__] += 1


def resident_bytes() -> int:
    """What the process holds of the machine's memory; 0 where that cannot be read."""
    found = Path("/proc/self/statm")
    return int(found.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if found.exists() else 0


def descriptors() -> int:
    """How many files and sockets are open."""
    return sum(1 for _ in TABLE.iterdir())


def living() -> int:
    return trio.lowlevel.current_statistics().tasks_living


@pytest.mark.endurance
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.venue.name)
async def test_an_idle_session_is_light(case: Case, autojump_clock: MockClock) -> None:
    network, entered = Quiet(case), Counter[str]()
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            await nursery.start(idle, session_on(case, network), entered)  # what is loaded and made only once
            gc.collect()
            tracemalloc.start()
            try:
                for _ in range(FEW):
                    await nursery.start(idle, session_on(case, network), entered)
                await trio.testing.wait_all_tasks_blocked()
                gc.collect()
                each_bytes = tracemalloc.get_traced_memory()[0] / FEW
            finally:
                tracemalloc.stop()
            nursery.cancel_scope.cancel()
    FIGURES.info("%s: %.0f bytes for each of %d idle sessions", case.venue.name, each_bytes, FEW)
    assert each_bytes < MOST_BYTES


@pytest.mark.endurance
async def test_a_thousand_idle_sessions_are_light_and_gone_at_once(autojump_clock: MockClock) -> None:
    network, entered, steps = Quiet(COINBASE), Counter[str](), Steps()
    with trio.fail_after(60), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        tasks = living()
        async with trio.open_nursery() as nursery:
            await nursery.start(idle, session_on(COINBASE, network), entered)
            gc.collect()
            before_bytes = resident_bytes()
            for _ in range(MANY):
                await nursery.start(idle, session_on(COINBASE, network), entered)
            await trio.testing.wait_all_tasks_blocked()
            gc.collect()
            each_bytes = (resident_bytes() - before_bytes) / MANY
            each_tasks = (living() - tasks) / (MANY + 1)
            assert entered == {"sessions": MANY + 1, "Connected": MANY + 1}
            cancelled_s = trio.current_time()
            cancelled_cpu_s = time.process_time()
            trio.lowlevel.add_instrument(steps)
            nursery.cancel_scope.cancel()
        trio.lowlevel.remove_instrument(steps)
        took_s = time.process_time() - cancelled_cpu_s
        each_steps = steps.count / (MANY + 1)
        assert trio.current_time() == cancelled_s
        assert living() == tasks
        assert all(stream.closed for stream in network.streams)
        assert len(network.streams) == MANY + 1, "an idle session keeps one line"
        gc.collect()
    assert [] == [str(warning.message) for warning in caught if warning.category is ResourceWarning]
    FIGURES.info(
        "each of %d idle sessions: %.0f bytes, %.1f tasks, cancelled in %.1f steps; all of them in %.2f s of CPU",
        MANY, each_bytes, each_tasks, each_steps, took_s,
    )  # fmt: skip
    assert each_bytes < MOST_BYTES
    assert each_tasks < MOST_TASKS
    assert each_steps < MOST_STEPS


@pytest.mark.tcp
@pytest.mark.endurance
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.skipif(not TABLE.exists(), reason="descriptors cannot be counted here")
async def test_no_descriptor_is_left_of_idle_sessions_over_real_sockets(tls: bool) -> None:
    authority = trustme.CA()
    ours, theirs = ssl.create_default_context(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.configure_trust(ours)
    authority.issue_cert("127.0.0.1").configure_cert(theirs)
    simulator = CoinbaseSimulator(seed=1, rate=0.001, limits=False)
    entered = Counter[str]()
    with trio.fail_after(60):
        async with simulator.open_server(ssl_context=theirs if tls else None) as url:
            tasks, opened = living(), descriptors()
            async with trio.open_nursery() as nursery:
                for _ in range(30):
                    session = tq.Session(
                        "coinbase", tq.Trades("BTC-USD"), endpoint=url, ssl_context=ours if tls else None
                    )
                    nursery.start_soon(idle, session, entered)
                while entered["sessions"] < 30:  # noqa: ASYNC110  # nobody would set an event
                    await trio.sleep(0.01)
                assert descriptors() >= opened + 60
                nursery.cancel_scope.cancel()
            while living() > tasks:  # noqa: ASYNC110  # the server's side hears of it a moment later
                await trio.sleep(0.01)
            assert descriptors() == opened
