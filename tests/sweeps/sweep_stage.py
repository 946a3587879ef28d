"""One run of a scene with one thing done to it at one step, and what was left of it."""

from __future__ import annotations

import gc
import sys
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import attrs
import trio

import trioquotes as tq
from tests.sweeps.sweep_network import SweepNetwork, Trouble
from tests.sweeps.sweep_scenes import Scene, Sink
from trioquotes.testing import World, run_world

__all__ = [
    "Ran",
    "StepAction",
    "UserError",
    "chosen",
    "clean_house",
    "run_cancelled",
    "run_raising",
    "run_troubled",
]

SEED = 3
DEADLINE_S = 3_600.0
LINGER_S = 10.0
"""How long the venue's side may take to notice that everybody left."""


class UserError(Exception):
    """What the user's own code raises."""


@attrs.define
class Ran:
    """What a run showed.

    Attributes:
        steps: of the client's tasks.
        calls: names of the client's calls into the network.
        struck: whether it came as far as the step or the call that was to be struck.
        finished: whether the program came to its end.
        error: what left it; ``None`` for nothing, or for a cancellation that its own scope caught.
        took_s: virtual seconds from the strike to the end.
        events: of the merged stream: what the program got, and what was left for it to take afterwards.
        more: the same of the channel.
        left: what was left behind; empty if all is well.
        inside: whether the block was entered, and ``leaving`` whether its body came to its end.
        digest: of the world's trace.
    """

    steps: int = 0
    calls: list[str] = attrs.field(factory=list)
    struck: bool = False
    finished: bool = False
    error: BaseException | None = None
    took_s: float = 0.0
    events: list[str] = attrs.field(factory=list)
    more: list[str] = attrs.field(factory=list)
    left: list[str] = attrs.field(factory=list)
    inside: bool = False
    leaving: bool = False
    digest: str = ""


class StepAction(trio.abc.Instrument):
    """Does something before the nth step of a task and of all that it started.

    The venue's steps are not counted: what they do becomes visible to the client at its own next step.
    """

    def __init__(self, nth: int, action: Callable[[], None]) -> None:
        self.steps = 0
        self.struck_s: float | None = None
        self._nth = nth
        self._action = action
        self._root: trio.lowlevel.Task | None = None
        self._mine: dict[trio.lowlevel.Task, bool] = {}

    def begin(self) -> None:
        """From now on the current task counts, and what it starts."""
        self._root = trio.lowlevel.current_task()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if self._root is None or not self._is_mine(task):
            return
        self.steps += 1
        if self.steps == self._nth:
            self.struck_s = trio.current_time()
            self._action()

    def task_exited(self, task: trio.lowlevel.Task) -> None:
        self._mine.pop(task, None)

    def _is_mine(self, task: trio.lowlevel.Task) -> bool:
        mine = self._mine.get(task)
        if mine is None:
            nursery = task.parent_nursery
            parent = None if nursery is None else nursery.parent_task
            mine = task is self._root or (parent is not None and self._is_mine(parent))
            self._mine[task] = mine
        return mine


def run_cancelled(scene: Scene, nth: int = 0, *, seed: int = SEED, tls: bool = False) -> Ran:
    """The scene, cancelled from outside at its nth step; 0 for never."""
    return _Stage(scene, nth=nth, seed=seed, tls=tls).run()


def run_raising(scene: Scene, nth: int, *, seed: int = SEED, tls: bool = False) -> Ran:
    """The scene; its body raises an error of its own, in the middle of another, at its nth step or at its end."""
    return _Stage(scene, nth=nth, seed=seed, raising=True, tls=tls).run()


def run_troubled(
    scene: Scene, nth: int, error: Callable[[], BaseException], *, seed: int = SEED, tls: bool = False
) -> Ran:
    """The scene; the nth call into the network raises."""
    return _Stage(scene, trouble=Trouble(nth, error), seed=seed, tls=tls).run()


class _Stage:
    """Runs a scene once."""

    def __init__(
        self, scene: Scene, *, nth: int = 0, trouble: Trouble | None = None, raising: bool = False, seed: int,
        tls: bool,
    ) -> None:  # fmt: skip
        self.ran = Ran()
        self._scene = scene
        self._seed = seed
        self._tls = tls
        self._raising = raising
        self._trouble = trouble or Trouble()
        self._scope = trio.CancelScope()
        self._action = StepAction(nth, self._scope.cancel)
        self._sink = Sink()
        self._ended_s = 0.0

    def run(self) -> Ran:
        run_world(self._main, seed=self._seed, deadline_s=DEADLINE_S, tls=self._tls)
        ran, action = self.ran, self._action
        ran.steps, ran.calls = action.steps, self._trouble.calls
        ran.inside, ran.leaving = self._sink.inside, self._sink.leaving
        struck_s = action.struck_s
        if self._trouble.struck:
            struck_s = self._trouble.struck_s
        if struck_s is not None:
            ran.struck, ran.took_s = True, self._ended_s - struck_s
        return ran

    async def _main(self, world: World) -> None:
        simulator = self._scene.simulator(world)
        served = world.serve(simulator)
        network = SweepNetwork(world, self._trouble)
        before = set(_tasks())
        trio.lowlevel.add_instrument(self._action)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._client, self._scene.session(world, served, network))
        finally:
            trio.lowlevel.remove_instrument(self._action)
        left = self.ran.left
        left += [f"stream {number}" for number in network.left_open]
        own = f"{self._scene.venue}/"
        left += [f"task {task.name}" for task in _tasks() if task.name.startswith(own)]
        await trio.sleep(LINGER_S)
        left += [f"line {number} at the venue" for number in simulator.connections]
        left += [f"task {task.name}" for task in _tasks() if task not in before]
        self.ran.digest = world.trace.digest

    async def _client(self, session: tq.Session) -> None:
        if self._raising:
            await self._watch(self._raise, session)
        else:
            self._action.begin()
            with self._scope:
                await self._watch(self._scene.program, session)
        self._ended_s = trio.current_time()
        self._drain()

    async def _watch(
        self, program: Callable[[tq.Session, Sink], Awaitable[None]], session: tq.Session
    ) -> None:
        try:
            await program(session, self._sink)
            self.ran.finished = True
        except trio.Cancelled:
            raise
        except BaseException as error:  # what leaves is what is looked at
            self.ran.error = error
            if isinstance(error, BaseExceptionGroup) and error.subgroup(trio.Cancelled) is not None:
                raise

    async def _raise(self, session: tq.Session, sink: Sink) -> None:
        async with session as stream:
            sink.stream, sink.inside = stream, True
            self._action.begin()
            with self._scope:
                await self._scene.body(stream, sink)
            try:
                raise LookupError("what the user was about")  # noqa: TRY301  # as users do
            except LookupError:
                raise UserError("the user's own")  # noqa: B904  # its context is looked for

    def _drain(self) -> None:
        """Take what was queued when the session ended."""
        sink = self._sink
        for source, into in ((sink.stream, sink.events), (sink.channel, sink.more)):
            while source is not None:
                try:
                    into.append(source.receive_nowait())
                except (trio.EndOfChannel, trio.ClosedResourceError, tq.TrioquotesError):
                    break
                except trio.WouldBlock:
                    self.ran.left.append("a channel without its end")
                    break
        self.ran.events += map(repr, sink.events)
        self.ran.more += map(repr, sink.more)


def _tasks() -> list[trio.lowlevel.Task]:
    root = trio.lowlevel.current_root_task()
    found: list[trio.lowlevel.Task] = [] if root is None else [root]
    for task in found:
        for nursery in task.child_nurseries:
            found += sorted(nursery.child_tasks, key=lambda child: child.name)
    return found


@contextmanager
def clean_house() -> Iterator[Callable[[], list[str]]]:
    """Gives what collects the garbage and says what was left to it that should have been closed or awaited."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        gc.collect()
        gc.freeze()  # what is there already need not be looked at each time

        def collect() -> list[str]:
            gc.collect()
            found = [f"{one.category.__name__}: {one.message}" for one in caught]
            caught.clear()
            return found

        try:
            yield collect
        finally:
            gc.unfreeze()


def chosen(total: int, at_most: int, seed: int = 0) -> range:
    """Steps 1 to ``total``, thinned to about ``at_most``; each interpreter begins elsewhere, so that together they see more."""
    stride = max(1, -(-total // at_most))
    return range(1 + (seed + sys.version_info.minor) % stride, total + 1, stride)
