"""What the sweeps run is the same every time, so that a step that fails can be looked at again."""

from __future__ import annotations

import pytest

from tests.sweeps.sweep_scenes import SCENES, Scene
from tests.sweeps.sweep_stage import Ran, run_cancelled, run_raising, run_troubled

each = pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())


def told(ran: Ran) -> tuple[object, ...]:
    return ran.digest, ran.steps, ran.calls, ran.events, ran.more, ran.took_s, repr(ran.error)


@each
def test_one_seed_gives_one_run_with_every_step_of_it(scene: Scene) -> None:
    whole = run_cancelled(scene)
    assert told(whole) == told(run_cancelled(scene))
    assert told(whole) != told(run_cancelled(scene, seed=7))
    middle = whole.steps // 2
    assert told(run_cancelled(scene, middle)) == told(run_cancelled(scene, middle))
    assert told(run_raising(scene, 30)) == told(run_raising(scene, 30))
    call = len(whole.calls) // 2
    assert told(run_troubled(scene, call, OSError)) == told(run_troubled(scene, call, OSError))


@each
def test_a_scene_is_all_that_it_is_to_be(scene: Scene) -> None:
    whole = run_cancelled(scene)
    names = [event.partition("(")[0] for event in whole.events]
    assert names.count("Disconnected") == 1
    assert names.count("Connected") >= 2
    resyncs = names.count("Resynced")
    assert resyncs >= 2 if scene.resyncs else resyncs <= 1
    assert {"open", "send_all", "send_all, second half", "receive_some", "aclose"} == set(whole.calls)
    assert whole.steps > 150
