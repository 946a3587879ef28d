"""A session left at every step of its tasks, by a cancellation or by its user's error: out in time, nothing left or lost."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from contextlib import suppress

import pytest
import trio
import trio.testing

import trioquotes as tq
from tests.sweeps.sweep_network import SweepNetwork, Trouble
from tests.sweeps.sweep_scenes import CLOSE_S, SCENES, Scene
from tests.sweeps.sweep_stage import (
    Ran,
    StepAction,
    UserError,
    chosen,
    clean_house,
    run_cancelled,
    run_raising,
)
from trioquotes.testing import SilenceLink, World, run_world

GRACE_S = 0.1
"""What leaving may take beyond ``close_timeout_s``."""

EXCHANGE_S = 13.0
"""How long an exchange of tokens that has begun may go on."""

THINNED, COMPLETE = 16, 10**6

each = pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
thinned_and_complete = pytest.mark.parametrize(
    "at_most",
    [
        pytest.param(THINNED, id="thinned", marks=pytest.mark.endurance),
        pytest.param(COMPLETE, id="complete", marks=pytest.mark.thorough),
    ],
)


def wrong_with(ran: Ran, whole: Ran, garbage: list[str]) -> list[str]:
    """What was left behind, and what of the events does not fit the run that nobody disturbed."""
    wrong = ran.left + garbage
    for got, all_of_it in ((ran.events, whole.events), (ran.more, whole.more)):
        if all_of_it[: len(got)] != got:
            wrong.append(f"events are lost, or twice: {got}, in place of {all_of_it}")
    return wrong


def time_allowed(ran: Ran, scene: Scene) -> float:
    """How long a session may take to be out that is cancelled from outside."""
    if ran.leaving:
        return CLOSE_S + GRACE_S  # the goodbye was under way
    return EXCHANGE_S if scene.venue == "darwinex" and not ran.inside else 0.0


def sweep_cancel(scene: Scene, at_most: int, *, seed: int, tls: bool = False) -> None:
    whole = run_cancelled(scene, seed=seed, tls=tls)
    assert (whole.finished, whole.error, whole.left) == (True, None, [])
    steps = chosen(whole.steps, at_most)
    struck = 0
    with clean_house() as collect:
        for step in steps:
            ran = run_cancelled(scene, step, seed=seed, tls=tls)
            assert wrong_with(ran, whole, collect()) == [], f"step {step}"
            assert ran.error is None, f"step {step}: {ran.error!r}"
            assert ran.leaving or not ran.finished, f"step {step}: the cancellation was swallowed"
            assert ran.took_s <= time_allowed(ran, scene), f"step {step}: it took {ran.took_s} s"
            struck += ran.struck
    assert struck >= len(steps) - 1


@each
@thinned_and_complete
def test_cancelled_at_any_step_it_is_out_at_once_and_leaves_nothing(scene: Scene, at_most: int) -> None:
    sweep_cancel(scene, at_most, seed=3)


@pytest.mark.parametrize(
    "at_most",
    [
        pytest.param(8, id="thinned", marks=pytest.mark.endurance),
        pytest.param(64, id="finer", marks=pytest.mark.thorough),
    ],
)
def test_with_tls_it_is_out_as_soon(at_most: int) -> None:
    sweep_cancel(SCENES["zonda"], at_most, seed=4, tls=True)


@each
@pytest.mark.parametrize(
    "at_most",
    [
        pytest.param(8, id="thinned", marks=pytest.mark.endurance),
        pytest.param(48, id="finer", marks=pytest.mark.thorough),
    ],
)
def test_the_users_own_error_leaves_bare_and_in_time_at_any_step(scene: Scene, at_most: int) -> None:
    whole = run_raising(scene, 0)
    assert isinstance(whole.error, UserError)
    with clean_house() as collect:
        for step in chosen(whole.steps, at_most, seed=1):
            ran = run_raising(scene, step)
            assert wrong_with(ran, whole, collect()) == [], f"step {step}"
            assert ran.took_s <= CLOSE_S + GRACE_S, f"step {step}: it took {ran.took_s} s"
            assert type(ran.error) is UserError, f"step {step}: {ran.error!r}"
            assert isinstance(ran.error.__context__, LookupError)
            assert not getattr(ran.error, "__notes__", [])


@each
@pytest.mark.parametrize("how", ["raise", "cancel"])
def test_a_venue_that_says_nothing_any_more_holds_nobody_up(scene: Scene, how: str) -> None:
    async def main(world: World) -> None:
        served = world.serve(scene.simulator(world, ()))
        network = SweepNetwork(world, Trouble())
        left_s = 0.0
        with trio.CancelScope() as scope, suppress(UserError):
            async with scene.session(world, served, network):
                await trio.sleep(2.0)
                left_s = trio.current_time()
                if how == "raise":
                    raise UserError
                scope.cancel()
                await trio.sleep_forever()
        took_s = trio.current_time() - left_s
        if how == "raise":
            assert took_s == pytest.approx(CLOSE_S, abs=GRACE_S)
        else:
            assert took_s == 0.0
        assert network.left_open == []

    run_world(main, seed=5, deadline_s=600.0, faults=[SilenceLink(after_s=1.5)])


def read_until_lost(scene: Scene, cancel_at: Sequence[int]) -> tuple[list[str], int]:
    """What one reader gets up to the end of the first line, and how often it was cancelled.

    Args:
        cancel_at: after how many of its steps it is cancelled, turn by turn, over and over; empty for never.
    """
    got: list[tq.Event] = []
    cancelled = 0

    async def turn(stream: tq.Stream, steps: int) -> None:
        nonlocal cancelled
        with trio.CancelScope() as scope:
            action = StepAction(steps, scope.cancel)
            action.begin()
            trio.lowlevel.add_instrument(action)
            try:
                while not any(isinstance(event, tq.Disconnected) for event in got):
                    got.append(await stream.receive())
            finally:
                trio.lowlevel.remove_instrument(action)
        cancelled += scope.cancelled_caught

    async def main(world: World) -> None:
        served = world.serve(scene.simulator(world))
        async with scene.session(world, served, SweepNetwork(world, Trouble())) as stream:
            turns = itertools.cycle(cancel_at or [0])
            while not any(isinstance(event, tq.Disconnected) for event in got):
                await turn(stream, next(turns))
                await trio.sleep(0.05)

    run_world(main, seed=3, deadline_s=600.0)
    return list(map(repr, got)), cancelled


@each
@pytest.mark.parametrize("cancel_at", [(1,), (2,), (1, 2, 3)], ids=str)
def test_a_reader_cancelled_again_and_again_misses_nothing(scene: Scene, cancel_at: tuple[int, ...]) -> None:
    whole, _ = read_until_lost(scene, ())
    disturbed, cancelled = read_until_lost(scene, cancel_at)
    assert disturbed == whole
    assert cancelled >= 2
