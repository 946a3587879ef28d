"""Every call into the network fails once: a lost line is mended, anything worse leaves the block as itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio

import trioquotes as tq
from tests.sweeps.sweep_scenes import CLOSE_S, SCENES, Scene
from tests.sweeps.sweep_stage import Ran, chosen, clean_house, run_cancelled, run_troubled

GRACE_S = 0.1
"""What leaving may take beyond ``close_timeout_s``."""

each = pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
thinned_and_complete = pytest.mark.parametrize(
    "at_most",
    [
        pytest.param(9, id="thinned", marks=pytest.mark.endurance),
        pytest.param(10**6, id="complete", marks=pytest.mark.thorough),
    ],
)


def sweep(
    scene: Scene, at_most: int, error: Callable[[], BaseException], judge: Callable[[Ran, str], None], *, tls: bool = False
) -> None:  # fmt: skip
    whole = run_cancelled(scene, tls=tls)
    calls = chosen(len(whole.calls), at_most)
    struck = 0
    with clean_house() as collect:
        for nth in calls:
            ran = run_troubled(scene, nth, error, tls=tls)
            where = f"call {nth}, {ran.calls[nth - 1] if nth <= len(ran.calls) else 'never made'}"
            assert ran.left + collect() == [], where
            judge(ran, where)
            struck += ran.struck
    assert struck >= len(calls) - 1


def goes_on(ran: Ran, where: str) -> None:
    """The line was lost, and everything went on."""
    lost_token = isinstance(ran.error, tq.AuthenticationFailed) and "refresh token" in str(ran.error)
    if not (lost_token and not ran.inside):  # an exchange's answer that never arrives is the end of the token
        assert ran.finished, f"{where}: {ran.error!r}"


def leaves_as_itself(kind: type[BaseException]) -> Callable[[Ran, str], None]:
    def judge(ran: Ran, where: str) -> None:
        assert type(ran.error) is kind, f"{where}: {ran.error!r}"
        assert str(ran.error) == "made for this test"
        assert ran.took_s <= CLOSE_S + GRACE_S, f"{where}: it took {ran.took_s} s"

    return judge


@each
@thinned_and_complete
def test_a_line_that_fails_is_a_line_that_was_lost(scene: Scene, at_most: int) -> None:
    sweep(scene, at_most, lambda: OSError("made for this test"), goes_on)


@each
def test_a_stream_that_breaks_is_a_line_that_was_lost(scene: Scene) -> None:
    sweep(scene, 6, lambda: trio.BrokenResourceError("made for this test"), goes_on)


@each
@thinned_and_complete
@pytest.mark.parametrize("kind", [MemoryError, KeyboardInterrupt])
def test_what_is_worse_leaves_as_itself(scene: Scene, at_most: int, kind: type[BaseException]) -> None:
    sweep(scene, at_most, lambda: kind("made for this test"), leaves_as_itself(kind))


@pytest.mark.parametrize("kind", [OSError, MemoryError, KeyboardInterrupt])
def test_under_tls_it_is_the_same(kind: type[BaseException]) -> None:
    judge = goes_on if kind is OSError else leaves_as_itself(kind)
    sweep(SCENES["zonda"], 12, lambda: kind("made for this test"), judge, tls=True)
