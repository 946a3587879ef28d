"""The pytest plugin: simulated venues, fault scripts and worlds under virtual time as fixtures.

Nothing of the package is loaded before a test asks for one of the fixtures.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import pytest

if TYPE_CHECKING:
    import trio.abc

    from trioquotes.simulator.faults import Fault
    from trioquotes.testing.loopback import LoopbackMaker
    from trioquotes.testing.script import WorldFault
    from trioquotes.testing.simulated import SimulatedVenue, VenueMaker
    from trioquotes.testing.stage import WorldRunner
    from trioquotes.testing.world import World

__all__ = [
    "pytest_addoption",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_runtest_call",
    "pytest_runtest_makereport",
    "tq_coinbase",
    "tq_darwinex",
    "tq_edgex",
    "tq_loopback",
    "tq_run",
    "tq_script",
    "tq_seed",
    "tq_upbit",
    "tq_venue",
    "tq_world",
    "tq_zonda",
]

DEADLINE_S = 600.0
"""Virtual seconds that a test may take, unless it says otherwise: without a limit a test that hangs would go on for ever,
since heartbeats keep the clock going, and ten minutes of a busy market already take seconds."""

MARKERS = (
    """tq_faults(*faults): what goes wrong in this test, at its simulated venues and between; values of \
trioquotes.simulator.faults and trioquotes.testing""",
    """tq_world(seed=None, deadline_s=600.0, tls=False): the world of this test: its seed, in place of --tq-seed; \
the virtual seconds that it may take; whether venues are served with TLS""",
)

VENUES = ("coinbase", "upbit", "edgex", "zonda", "darwinex")

_worlds: pytest.StashKey[list[World]] = pytest.StashKey()


class _Plan(NamedTuple):
    """What the marker ``tq_world`` says."""

    seed: int | None = None
    deadline_s: float = DEADLINE_S
    tls: bool = False


def _plan(node: pytest.Item) -> _Plan:
    marker = node.get_closest_marker("tq_world")
    if marker is None:
        return _Plan()
    unknown = marker.kwargs.keys() - set(_Plan._fields)
    if marker.args or unknown:
        what = ", ".join([*map(repr, marker.args), *sorted(unknown)])
        raise pytest.UsageError(f"{node.nodeid}: tq_world takes seed=, deadline_s= and tls=, not {what}")
    return _Plan(**marker.kwargs)


def _script(node: pytest.Item) -> tuple[Fault | WorldFault, ...]:
    from trioquotes.simulator.faults import Fault  # noqa: PLC0415  # only where a test asks for it, here and below
    from trioquotes.testing.script import WorldFault  # noqa: PLC0415

    marker = node.get_closest_marker("tq_faults")
    if marker is None:
        return ()
    strangers = [fault for fault in marker.args if not isinstance(fault, Fault | WorldFault)]
    if strangers or marker.kwargs:
        what = ", ".join([*map(repr, strangers), *marker.kwargs])
        raise pytest.UsageError(
            f"{node.nodeid}: tq_faults takes values of trioquotes.simulator.faults and trioquotes.testing, not {what}"
        )
    return marker.args


# What pytest calls ----------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--tq-seed``."""
    group = parser.getgroup("trioquotes")
    group.addoption(
        "--tq-seed", type=int, default=0, metavar="N",
        help="seed of simulated venues and worlds, unless a test is marked with one of its own",
    )  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    """Tell of the markers."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let pytest-trio run async tests that live in a world under virtual time."""
    if not _has_trio(config):
        return
    for item in items:
        if isinstance(item, pytest.Function) and _lives_in_world(item):
            _run_virtually(item)


def _lives_in_world(item: pytest.Function) -> bool:
    return "tq_world" in item.fixturenames and inspect.iscoroutinefunction(item.obj)


def _has_trio(config: pytest.Config) -> bool:
    """Whether pytest-trio is there, under whatever name."""
    plugins = config.pluginmanager.get_plugins()
    return any(getattr(plugin, "__name__", "") == "pytest_trio.plugin" for plugin in plugins)


def _run_virtually(item: pytest.Function) -> None:
    import trio  # noqa: PLC0415  # as above

    chosen = [marker.kwargs["run"] for marker in item.iter_markers("trio") if "run" in marker.kwargs]
    if all(run is trio.run for run in chosen):  # what trio mode says of every test is no choice of this one
        item.add_marker(pytest.mark.trio(run=_run), append=False)


def _run(main: Callable[..., Any], *, clock: trio.abc.Clock | None = None, **options: Any) -> Any:
    """``trio.run`` under virtual time."""
    import trio.testing  # noqa: PLC0415  # as above

    clock = trio.testing.MockClock(autojump_threshold=0) if clock is None else clock
    return trio.run(main, clock=clock, **options)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Let the seed decide about the order of tasks in a test that lives in a world.

    It begins with the test itself: pytest-trio sets fixtures up in an order of its own.
    """
    if isinstance(item, pytest.Function) and _lives_in_world(item):
        item.obj = _seeded(item.obj, cast("int", item.funcargs["tq_seed"]))
    return (yield)


def _seeded(test: Callable[..., Awaitable[None]], seed: int) -> Callable[..., Awaitable[None]]:
    from trioquotes.testing.running import seeded_scheduling  # noqa: PLC0415  # as above

    @wraps(test)
    async def seeded(*args: Any, **values: Any) -> None:
        __tracebackhide__ = True
        with seeded_scheduling(seed):
            await test(*args, **values)

    return seeded


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say of a failed test what happened in its world last."""
    report = yield
    worlds = item.stash.get(_worlds, None)
    if report.when == "call" and report.failed and worlds:
        from trioquotes.testing.stage import last_words  # noqa: PLC0415  # as above

        report.sections.append(("Simulated world", last_words(worlds)))
    return report


# What tests ask for ---------------------------------------------------------------------------------


@pytest.fixture
def tq_seed(request: pytest.FixtureRequest) -> int:
    """The seed of this test: its marker's, or that of ``--tq-seed``, or 0."""
    seed = _plan(request.node).seed
    return request.config.getoption("--tq-seed") if seed is None else seed


@pytest.fixture
def tq_script(request: pytest.FixtureRequest) -> tuple[Fault | WorldFault, ...]:
    """What goes wrong in this test: the faults of its marker ``tq_faults``. Override it to make scripts otherwise."""
    return _script(request.node)


@pytest.fixture
def _tq_needs_trio(request: pytest.FixtureRequest) -> None:
    """Say plainly where a world cannot be."""
    if not _has_trio(request.config) or request.node.get_closest_marker("trio") is None:
        raise pytest.UsageError(
            f"{request.node.nodeid}: tq_world and the simulated venues in it are for async tests that pytest-trio runs;"
            " in others use tq_run or tq_loopback"
        )


@pytest.fixture
async def tq_world(
    request: pytest.FixtureRequest,
    _tq_needs_trio: None,
    tq_seed: int,
    tq_script: tuple[Fault | WorldFault, ...],
) -> AsyncIterator[World]:
    """A world under virtual time, for the length of this test, with what its script does to links and clocks."""
    from trioquotes.testing.script import split_script  # noqa: PLC0415  # as above
    from trioquotes.testing.stage import open_stage  # noqa: PLC0415

    plan = _plan(request.node)
    faults = split_script(tq_script)[1]
    async with open_stage(
        tq_seed, faults=faults, deadline_s=plan.deadline_s, tls=plan.tls, home=request.path
    ) as world:
        request.node.stash.setdefault(_worlds, []).append(world)
        yield world


@pytest.fixture
def _tq_venues(
    request: pytest.FixtureRequest, tq_world: World, tq_script: tuple[Fault | WorldFault, ...]
) -> tuple[VenueMaker, dict[str, SimulatedVenue]]:
    """Those that the test asks for by fixtures: all at once, for the same order every time."""
    from trioquotes.testing.script import split_script  # noqa: PLC0415  # as above
    from trioquotes.testing.simulated import VenueMaker  # noqa: PLC0415

    make = VenueMaker(tq_world, split_script(tq_script)[0])
    return make, {name: make(name) for name in VENUES if f"tq_{name}" in request.fixturenames}


@pytest.fixture
def tq_venue(_tq_venues: tuple[VenueMaker, dict[str, SimulatedVenue]]) -> VenueMaker:
    """Makes simulated venues in the world: ``tq_venue("coinbase", rate=5.0)``."""
    return _tq_venues[0]


@pytest.fixture
def tq_coinbase(_tq_venues: tuple[VenueMaker, dict[str, SimulatedVenue]]) -> SimulatedVenue:
    """Coinbase, simulated in the world."""
    return _tq_venues[1]["coinbase"]


@pytest.fixture
def tq_upbit(_tq_venues: tuple[VenueMaker, dict[str, SimulatedVenue]]) -> SimulatedVenue:
    """Upbit, simulated in the world."""
    return _tq_venues[1]["upbit"]


@pytest.fixture
def tq_edgex(_tq_venues: tuple[VenueMaker, dict[str, SimulatedVenue]]) -> SimulatedVenue:
    """V2 of edgeX, simulated in the world."""
    return _tq_venues[1]["edgex"]


@pytest.fixture
def tq_zonda(_tq_venues: tuple[VenueMaker, dict[str, SimulatedVenue]]) -> SimulatedVenue:
    """Zonda, simulated in the world."""
    return _tq_venues[1]["zonda"]


@pytest.fixture
def tq_darwinex(_tq_venues: tuple[VenueMaker, dict[str, SimulatedVenue]]) -> SimulatedVenue:
    """Darwinex product quotes, simulated in the world."""
    return _tq_venues[1]["darwinex"]


@pytest.fixture
def tq_run(
    request: pytest.FixtureRequest, tq_seed: int, tq_script: tuple[Fault | WorldFault, ...]
) -> WorldRunner:
    """Runs an async program in a world of its own, from any test: ``tq_run(program)``; it needs no pytest-trio."""
    from trioquotes.testing.stage import WorldRunner  # noqa: PLC0415  # as above

    plan = _plan(request.node)
    return WorldRunner(seed=tq_seed, script=tq_script, deadline_s=plan.deadline_s, tls=plan.tls)


@pytest.fixture
def tq_loopback(tq_seed: int) -> Iterator[LoopbackMaker]:
    """Makes simulated venues on loopback, with real sockets and real time: ``tq_loopback("coinbase").endpoint``."""
    from trioquotes.testing.loopback import open_loopback  # noqa: PLC0415  # as above

    with open_loopback(tq_seed) as serve:
        yield serve
