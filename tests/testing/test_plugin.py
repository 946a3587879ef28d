"""The pytest plugin as its users have it: a project of their own, run by pytest in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import pytest

from tests.examples.plugged import PLUGIN, REGISTERED

pytest_plugins = ("pytester",)

CHOSEN = (
    "-p",
    REGISTERED,
    "-p",
    "no:cacheprovider",
    "-p",
    "no:hypothesispytest",
    "--strict-markers",
    "-W",
    "error",
)

HEAD = """
import pytest
import trio
import trioquotes as tq
from trioquotes.simulator.faults import DropLine, SkipFrame
from trioquotes.testing import CutLink, RefuseLink


async def read(stream, seconds):
    events = []
    with trio.move_on_after(seconds):
        async for event in stream:
            events.append(event)
    return events


def names(events):
    return [type(event).__name__ for event in events if isinstance(event, tq.Notice)]

"""


def run(
    pytester: pytest.Pytester, text: str, *options: str, mode: Sequence[str] = ("-o", "trio_mode=true")
) -> pytest.RunResult:
    """Run these tests in a project that has nothing else."""
    pytester.makepyfile(test_mine=HEAD + text)
    # pytest-trio loads it where it is there, which takes longer than all of these tests.
    pytester.makepyfile(hypothesis="raise ImportError")
    return pytester.runpytest_subprocess(*CHOSEN, *mode, *options)


def test_every_venue_streams_public_and_private_data(pytester: pytest.Pytester) -> None:
    told = run(
        pytester,
        """
async def first(stream, kind):
    while not isinstance(event := await stream.receive(), kind):
        pass
    return event


async def test_coinbase(tq_coinbase):
    topics = tq.Trades("BTC-USD"), tq.Orders("BTC-USD")
    async with tq_coinbase.session(*topics, credentials=tq_coinbase.credentials) as stream:
        assert (await first(stream, tq.OrderUpdate)).venue == tq_coinbase.name == "coinbase"


async def test_upbit(tq_upbit):
    async with tq_upbit.session(tq.Orders(), credentials=tq_upbit.credentials) as stream:
        assert (await first(stream, tq.OrderUpdate)).instrument in tq_upbit.instruments


async def test_edgex(tq_edgex):
    async with tq_edgex.session(tq.Orders(), credentials=tq_edgex.credentials) as stream:
        assert (await first(stream, tq.OrderUpdate)).instrument in tq_edgex.instruments


async def test_zonda(tq_zonda):
    async with tq_zonda.session(tq.Orders(), credentials=tq_zonda.credentials) as stream:
        assert (await first(stream, tq.OrderUpdate)).instrument in tq_zonda.instruments


async def test_darwinex(tq_darwinex):
    async with tq_darwinex.session(tq.Quotes(tq_darwinex.instruments[0])) as stream:
        assert (await first(stream, tq.Quote)).price > 0


async def test_two_of_one_world(tq_coinbase, tq_venue, tq_world):
    assert tq_venue.world is tq_world
    other = tq_venue("upbit", markets=["KRW-XRP"], rate=50.0)
    assert other.instruments == ("KRW-XRP",)
    async with (
        tq_coinbase.session(tq.Trades("BTC-USD")) as here, other.session(tq.Trades("KRW-XRP")) as there
    ):
        await first(here, tq.Trade)
        await first(there, tq.Trade)


async def test_wrong_credentials_are_refused(tq_zonda):
    with pytest.raises(tq.AuthenticationFailed):
        async with tq_zonda.session(tq.Orders(), credentials=tq.ApiKey("nobody", "knows")):
            raise AssertionError("entered")


async def test_clients_of_ones_own(tq_venue):
    venue = tq_venue("upbit", accounts=[])
    assert venue.credentials is None
""",
    )
    told.assert_outcomes(passed=8)


def test_scripts_befall_venues_and_links_under_virtual_time(pytester: pytest.Pytester) -> None:
    told = run(
        pytester,
        """
@pytest.mark.tq_faults(DropLine(connection=1, after_s=10.0), SkipFrame(connection=2, kind="match", nth=3))
async def test_of_the_venue(tq_coinbase):
    async with tq_coinbase.session(tq.Trades("BTC-USD")) as stream:
        events = await read(stream, 60)
    assert names(events)[:4] == ["Connected", "Disconnected", "Gap", "Connected"]
    assert sum(event.missed or 0 for event in events if isinstance(event, tq.Gap)) >= 1
    assert tq_coinbase.simulator.records.faults == {"DropLine": 1, "SkipFrame": 1}
    assert trio.current_time() >= 60


@pytest.mark.tq_faults(RefuseLink(link=1), CutLink(link=2, after_s=7.0, how="reset"))
async def test_of_links(tq_upbit, tq_world):
    async with tq_upbit.session(tq.Trades("KRW-BTC"), connect_timeout_s=60.0) as stream:
        events = await read(stream, 30)
    assert names(events) == ["Connected", "Disconnected", "Gap", "Connected"]
    assert tq_world.faults_done == {"RefuseLink": 1, "CutLink": 1}


async def test_without_one_nothing_goes_wrong(tq_coinbase):
    async with tq_coinbase.session(tq.Trades("BTC-USD")) as stream:
        events = await read(stream, 30)
        assert names(events) == ["Connected"]
        assert tq_coinbase.drop_lines("reset") == 1
        assert names(await read(stream, 5)) == ["Disconnected", "Gap", "Connected"]


class TestOwn:
    @pytest.fixture
    def tq_script(self):
        return (DropLine(connection=1, after_s=1.0),)

    async def test_a_script_may_be_a_fixture_of_the_project(self, tq_coinbase, tq_venue):
        spared = tq_venue("upbit", faults=())
        async with (
            tq_coinbase.session(tq.Trades("BTC-USD")) as one, spared.session(tq.Trades("KRW-BTC")) as two
        ):
            assert "Gap" in names(await read(one, 5))
            assert "Gap" not in names(await read(two, 5))
""",
    )
    told.assert_outcomes(passed=4)


def test_what_fails_says_why(pytester: pytest.Pytester) -> None:
    told = run(
        pytester,
        """
@pytest.mark.tq_world(deadline_s=30.0, seed=7)
async def test_hangs(tq_coinbase):
    async with tq_coinbase.session(tq.Trades("BTC-USD")):
        await trio.sleep_forever()


async def test_fails(tq_coinbase):
    async with tq_coinbase.session(tq.Trades("BTC-USD")) as stream:
        await stream.receive()
        raise LookupError("mine")


@pytest.mark.tq_faults("drop")
async def test_no_fault(tq_coinbase):
    raise AssertionError("ran")


@pytest.mark.tq_world(sead=3)
async def test_no_option(tq_coinbase):
    raise AssertionError("ran")


async def test_passes(tq_coinbase):
    async with tq_coinbase.session(tq.Trades("BTC-USD")) as stream:
        await stream.receive()
""",
        "--tq-seed=5",
    )
    told.assert_outcomes(passed=1, failed=2, errors=2)
    told.stdout.fnmatch_lines(
        [
            "*tq_faults takes values of *, not 'drop'*",
            "*tq_world takes seed=, deadline_s= and tls=, not sead*",
        ]
    )
    text = told.stdout.str()
    lines = (pytester.path / "test_mine.py").read_text().splitlines()
    line = 1 + next(at for at, words in enumerate(lines) if "sleep_forever" in words)
    assert (
        f"OutOfTime: seed 7: not done after 30 virtual s: test_hangs waits at test_mine.py:{line}\n" in text
    )
    assert text.count("- Simulated world -") == 2
    assert "seed 7, 1 links" in text
    assert "seed 5, 1 links" in text
    assert "ConnectSeen" in text  # the world's trace
    assert "LookupError: mine" in text


TRACE = """
async def turns(world, number):
    for _ in range(5):
        await trio.lowlevel.checkpoint()
        world.tell(str(number))


async def trace(world, coinbase, upbit):
    async with (
        coinbase.session(tq.Trades("BTC-USD"), tq.Books("BTC-USD")) as one, upbit.session(tq.Trades("KRW-BTC")) as two
    ):
        world.tell(repr(await read(one, 5)))
        world.tell(repr(await read(two, 5)))
        async with trio.open_nursery() as nursery:
            for number in range(8):
                nursery.start_soon(turns, world, number)
    with open("digests", "a") as file:
        print(world.trace.digest, file=file)


@pytest.mark.tq_world(seed=1)
async def test_one(tq_coinbase, tq_upbit, tq_world):
    await trace(tq_world, tq_coinbase, tq_upbit)


async def test_other(tq_upbit, tq_world, tq_coinbase):
    await trace(tq_world, tq_coinbase, tq_upbit)
"""


def test_the_seed_decides_everything(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    for hash_seed in ("0", "17"):
        monkeypatch.setenv("PYTHONHASHSEED", hash_seed)
        run(pytester, TRACE, "--tq-seed=2").assert_outcomes(passed=2)
    one, other, one_again, other_again = (pytester.path / "digests").read_text().split()
    assert (one, other) == (one_again, other_again)
    assert one != other


NO_TRIO = """
async def program(venue):
    served = venue("zonda", rate=50.0)
    async with served.session(tq.Trades("BTC-PLN")) as stream:
        events = await read(stream, 30)
    return names(events), venue.world.seed


@pytest.mark.tq_world(seed=3)
@pytest.mark.tq_faults(DropLine(connection=1, after_s=10.0))
def test_run(tq_run):
    assert tq_run(program) == (["Connected", "Disconnected", "Gap", "Connected"], 3)


def test_loopback(tq_loopback):
    venue = tq_loopback("coinbase", rate=200.0)
    assert venue.endpoint.startswith("ws://127.0.0.1:")
    assert "BTC-USD" in venue.instruments

    async def main():
        async with tq.Session("coinbase", tq.Trades("BTC-USD"), endpoint=venue.endpoint) as stream:
            await stream.receive()
            assert venue.drop_lines() == 1
            while not isinstance(await stream.receive(), tq.Gap):
                pass
        async with venue.session(tq.Orders("BTC-USD"), credentials=venue.credentials):
            pass

    trio.run(main)
    with pytest.raises(tq.UnknownVenue):
        tq_loopback("nowhere")
    with pytest.raises(ValueError, match="not a product id"):
        tq_loopback("coinbase", products=["what"])


def test_world(tq_coinbase):
    raise AssertionError("ran")
"""


def test_without_pytest_trio_there_are_worlds_and_loopback(pytester: pytest.Pytester) -> None:
    told = run(pytester, NO_TRIO, "-p", "no:trio", mode=())
    told.assert_outcomes(passed=2, errors=1)
    told.stdout.fnmatch_lines(
        ["*for async tests that pytest-trio runs; in others use tq_run or tq_loopback*"]
    )


@pytest.mark.endurance
def test_beside_pytest_trio_without_its_mode(pytester: pytest.Pytester) -> None:
    told = run(
        pytester,
        NO_TRIO
        + """
@pytest.mark.trio
async def test_marked(tq_coinbase):
    async with tq_coinbase.session(tq.Trades("BTC-USD")) as stream:
        await stream.receive()
    assert isinstance(trio.lowlevel.current_clock(), trio.testing.MockClock)


async def test_one_that_asks_for_a_world_is_run_by_trio(tq_coinbase):
    async with tq_coinbase.session(tq.Trades("BTC-USD")) as stream:
        await stream.receive()


@pytest.mark.trio
async def test_loopback_takes_real_time(tq_loopback):
    async with tq_loopback("upbit", rate=200.0).session(tq.Trades("KRW-BTC")) as stream:
        await stream.receive()
    assert not isinstance(trio.lowlevel.current_clock(), trio.testing.MockClock)


def own_run(main, **options):
    runs.append(options)
    return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


runs = []


@pytest.mark.trio(run=own_run)
async def test_a_runner_of_ones_own(tq_coinbase):
    assert len(runs) == 1


@pytest.mark.trio
async def test_a_clock_of_ones_own(tq_coinbase, autojump_clock):
    assert trio.lowlevel.current_clock() is autojump_clock


@pytest.mark.tq_world(tls=True)
@pytest.mark.trio
async def test_tls(tq_coinbase):
    assert tq_coinbase.endpoint.startswith("wss://")
    async with tq_coinbase.session(tq.Trades("BTC-USD")) as stream:
        await stream.receive()
""",
        mode=(),
    )
    told.assert_outcomes(passed=8, errors=1)


def test_who_does_not_use_it_does_not_pay_for_it(pytester: pytest.Pytester) -> None:
    """It adds nothing to what its own package loads; and nothing of that while tests are run that do not ask for it."""
    question = (
        "import sys, pytest, trioquotes; before = set(sys.modules);"
        f" import {PLUGIN}; print(*sorted(set(sys.modules) - before))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", question], capture_output=True, text=True, check=True, timeout=60
    )
    assert answer.stdout.split() == ["trioquotes.testing", PLUGIN]

    pytester.makepyfile(
        """
import sys


def test_nothing():
    assert not [name for name in sys.modules if name.startswith(("trioquotes.simulator", "trioquotes.testing.world"))]
"""
    )
    told = pytester.runpytest_subprocess(*CHOSEN)
    told.assert_outcomes(passed=1)
    assert "tq" not in told.stdout.str().replace(str(pytester.path), "")
