"""For users' tests: a small deterministic world in which real sessions meet simulated venues.

::

    async def test_my_bot(autojump_clock):
        async with open_world(seed=1) as world:
            venue = world.serve(CoinbaseSimulator(seed=1, wall_ns=world.wall_ns))
            async with world.session(venue, Trades("BTC-USD")) as stream:
                ...

No socket and no real time: bytes travel over memory streams, cut into pieces that the seed decides, HTTP
as well as WebSocket. Under trio's ``MockClock`` with ``autojump_threshold=0`` an hour takes moments.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trioquotes.testing.loopback import (
        LoopbackMaker,
        open_loopback,
    )
    from trioquotes.testing.running import (
        OutOfTime,
        run_world,
        seeded_scheduling,
    )
    from trioquotes.testing.script import (
        ChopLink,
        CutLink,
        DelayLink,
        HangLink,
        LinkFault,
        RefuseLink,
        SilenceLink,
        StallLink,
        StepClock,
        SuspendMachine,
        WorldFault,
        script_from_json,
        script_to_json,
        split_script,
    )
    from trioquotes.testing.simulated import (
        SimulatedVenue,
        VenueMaker,
    )
    from trioquotes.testing.stage import (
        WorldRunner,
    )
    from trioquotes.testing.trace import (
        Told,
        Trace,
    )
    from trioquotes.testing.world import (
        EPOCH_NS,
        Served,
        World,
        open_world,
    )

__all__ = [
    "EPOCH_NS",
    "ChopLink",
    "CutLink",
    "DelayLink",
    "HangLink",
    "LinkFault",
    "LoopbackMaker",
    "OutOfTime",
    "RefuseLink",
    "Served",
    "SilenceLink",
    "SimulatedVenue",
    "StallLink",
    "StepClock",
    "SuspendMachine",
    "Told",
    "Trace",
    "VenueMaker",
    "World",
    "WorldFault",
    "WorldRunner",
    "open_loopback",
    "open_world",
    "run_world",
    "script_from_json",
    "script_to_json",
    "seeded_scheduling",
    "split_script",
]

_HOMES = {
    "EPOCH_NS": "world",
    "ChopLink": "script",
    "CutLink": "script",
    "DelayLink": "script",
    "HangLink": "script",
    "LinkFault": "script",
    "LoopbackMaker": "loopback",
    "OutOfTime": "running",
    "RefuseLink": "script",
    "Served": "world",
    "SilenceLink": "script",
    "SimulatedVenue": "simulated",
    "StallLink": "script",
    "StepClock": "script",
    "SuspendMachine": "script",
    "Told": "trace",
    "Trace": "trace",
    "VenueMaker": "simulated",
    "World": "world",
    "WorldFault": "script",
    "WorldRunner": "stage",
    "open_loopback": "loopback",
    "open_world": "world",
    "run_world": "running",
    "script_from_json": "script",
    "script_to_json": "script",
    "seeded_scheduling": "running",
    "split_script": "script",
}


def __getattr__(name: str) -> Any:
    """Load what is asked for, and no simulator before: pytest loads this package wherever it is installed."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """What is offered, loaded or not."""
    return [*globals(), *__all__]
