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

from trioquotes.testing.running import OutOfTime, run_world, seeded_scheduling
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
from trioquotes.testing.trace import Told, Trace
from trioquotes.testing.world import EPOCH_NS, Served, World, open_world

__all__ = [
    "EPOCH_NS",
    "ChopLink",
    "CutLink",
    "DelayLink",
    "HangLink",
    "LinkFault",
    "OutOfTime",
    "RefuseLink",
    "Served",
    "SilenceLink",
    "StallLink",
    "StepClock",
    "SuspendMachine",
    "Told",
    "Trace",
    "World",
    "WorldFault",
    "open_world",
    "run_world",
    "script_from_json",
    "script_to_json",
    "seeded_scheduling",
    "split_script",
]
