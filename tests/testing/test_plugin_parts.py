"""What the fixtures are made of, where pytest itself has no part in it."""

from __future__ import annotations

import threading

import pytest
import trio
import trio.testing

import trioquotes as tq
from trioquotes.simulator.venues.upbit import Account
from trioquotes.testing import OutOfTime, World, run_world
from trioquotes.testing.loopback import open_loopback
from trioquotes.testing.simulated import VenueMaker, make_simulator
from trioquotes.testing.stage import open_stage, waiting_in


@pytest.mark.tcp
def test_loopback_ends_with_its_block_and_hands_errors_on() -> None:
    threads = threading.active_count()
    with pytest.raises(LookupError, match="mine"), open_loopback() as serve:
        assert serve("zonda").name == "zonda"
        with pytest.raises(ZeroDivisionError):
            serve.call(lambda: 1 // 0)
        assert serve.call(lambda: 7) == 7
        raise LookupError("mine")
    assert threading.active_count() == threads


def test_a_thread_of_simulators_that_dies_says_why() -> None:
    async def crash() -> None:
        raise LookupError("a bug of a simulator")

    with pytest.raises(ExceptionGroup) as caught, open_loopback() as serve:
        _, nursery, _ = serve._running.result()
        serve.call(lambda: nursery.start_soon(crash))
    assert caught.group_contains(LookupError, match="a bug of a simulator")


def test_a_thread_that_cannot_start_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(trio, "run", refuse)
    with pytest.raises(MemoryError), open_loopback() as serve:
        serve("zonda")


def test_credentials_are_those_that_the_simulator_was_told_of() -> None:
    assert isinstance(make_simulator("coinbase")[1], tq.ApiKey)
    assert isinstance(make_simulator("darwinex")[1], tq.BearerToken)
    assert make_simulator("upbit", accounts=[Account(key="mine", secret="s" * 64)])[1] is None
    assert make_simulator("edgex", generation="v1")[1] is None
    with pytest.raises(tq.UnknownVenue):
        make_simulator("nowhere")


def test_darwinex_lets_nobody_in_without_a_token() -> None:
    async def program(world: World) -> None:
        venue = VenueMaker(world)("darwinex")
        async with venue.session(tq.Quotes(venue.instruments[0])):
            pass
        with pytest.raises(tq.AuthenticationFailed):
            async with venue.session(tq.Quotes(venue.instruments[0]), credentials=tq.BearerToken("wrong")):
                raise AssertionError("entered")

    run_world(program, seed=1, deadline_s=600.0)


async def test_a_stage_needs_virtual_time() -> None:
    with pytest.raises(RuntimeError, match="needs virtual time"):
        async with open_stage(0, faults=(), deadline_s=1.0, tls=False, home=pytest.__file__):  # type: ignore[arg-type]
            raise AssertionError("entered")


async def test_a_stage_hands_its_bodys_error_on_and_ends_in_time(
    request: pytest.FixtureRequest, autojump_clock: trio.testing.MockClock
) -> None:
    with pytest.raises(LookupError, match="mine"):
        async with open_stage(0, faults=(), deadline_s=1.0, tls=False, home=request.path):
            raise LookupError("mine")
    with pytest.raises(
        OutOfTime, match=r"seed 3: not done after 1 virtual s: .*test_a_stage_hands.* waits at"
    ):
        async with open_stage(3, faults=(), deadline_s=1.0, tls=False, home=request.path):
            await trio.sleep_forever()
    assert not list(waiting_in(request.path.with_name("other.py")))
