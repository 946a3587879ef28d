# ruff: noqa: INP001  # no package: it is run as a file
"""Makes ``docs/demo.svg`` and ``docs/watch.svg``: what two commands show, from real sessions to simulated venues.

    python docs/pictures.py [FOLDER]

The sessions, the simulators and the screens are those of the commands. Network and time are virtual and come from one
seed, so the same version of the code makes the same pictures.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import trio
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console, RenderableType
from rich.terminal_theme import TerminalTheme

from trioquotes._protocol.budget import Budgets
from trioquotes._runtime.session import Session
from trioquotes.cli.board import Board
from trioquotes.cli.demo import PER_SESSION, ROWS, ROWS_PER_VENUE
from trioquotes.cli.showcase import showing_of
from trioquotes.cli.table import UNICODE
from trioquotes.cli.table import screen as demo_screen
from trioquotes.cli.watch_grid import RICH
from trioquotes.cli.watch_model import Model, Pane
from trioquotes.cli.watch_session import Follower
from trioquotes.cli.watch_view import screen as watch_screen
from trioquotes.simulator.venues import SIMULATORS
from trioquotes.testing import Served, World, run_world

SEED = 7
SIZES = {"demo": (100, 28), "watch": (80, 24)}
"""Columns and lines."""

RUN_S = 38.0
"""Virtual seconds until the picture is taken."""
CUT_S = 29.0
"""When a line is cut without a word, so that its recovery is seen."""
DEADLINE_S = 300.0

THEME = TerminalTheme(
    (22, 24, 29),
    (214, 217, 224),
    [(40, 44, 52), (240, 113, 120), (126, 199, 129), (229, 192, 103), (97, 175, 239), (198, 146, 233), (86, 182, 194), (214, 217, 224)],
    [(92, 99, 112), (255, 139, 146), (152, 219, 155), (245, 215, 130), (130, 195, 250), (215, 170, 245), (120, 205, 215), (255, 255, 255)],
)  # fmt: skip

FONT = re.compile(r"@font-face \{\{.*?\}\}\s*", re.DOTALL)
"""A font that would be fetched from elsewhere; the reader's own is as good."""

MATRIX = '<g class="{unique_id}-matrix"'
"""Where the texts begin: some viewers drop spaces at the beginning of each unless they are told not to."""


def main(folder: Path) -> None:
    """Make both pictures."""
    makers = {"demo": _demo, "watch": _watch}
    for name, make in makers.items():
        lines = run_world(make, seed=SEED, deadline_s=DEADLINE_S, tls=name == "demo")
        title = {"demo": "trioquotes demo", "watch": "trioquotes watch coinbase BTC-USD ETH-USD"}[name]
        path = folder / f"{name}.svg"
        path.write_text(_svg(lines, title, name), encoding="utf-8")
        print(path)  # noqa: T201  # what was made


def _svg(lines: Sequence[RenderableType], title: str, name: str) -> str:
    width, height = SIZES[name]
    console = Console(
        record=True, width=width, height=height, file=io.StringIO(), force_terminal=True,
        color_system="truecolor", legacy_windows=False, highlight=False, _environ={},
    )  # fmt: skip
    for line in lines:
        console.print(line, no_wrap=True, overflow="crop")
    form = FONT.sub("", CONSOLE_SVG_FORMAT).replace(MATRIX, f'{MATRIX} xml:space="preserve"')
    made = console.export_svg(title=title, theme=THEME, code_format=form, unique_id=f"trioquotes-{name}")
    return "\n".join(line.rstrip() for line in made.splitlines()) + "\n"


def _serve(world: World, venue: str, **options: Any) -> Served:
    return world.serve(SIMULATORS[venue](seed=SEED, wall_ns=world.wall_ns, frames_kept=0, **options))


async def _cut(served: Served) -> None:
    """End the oldest line as a network does."""
    await trio.sleep(CUT_S)
    lines = served.simulator.connections.values()
    min(lines, key=lambda line: line.ordinal).cut()


async def _watch(world: World) -> Sequence[RenderableType]:
    served = _serve(world, "coinbase")
    model = Model(
        "coinbase",
        [Pane(name, ("books", "trades")) for name in ("BTC-USD", "ETH-USD")],
        {},
        trio.current_time(),
    )
    with trio.move_on_after(RUN_S):
        async with world.session(served) as stream, trio.open_nursery() as nursery:
            nursery.start_soon(_cut, served)
            await Follower(model, world.wall_ns).follow(stream)
    return watch_screen(model, trio.current_time(), *SIZES["watch"], RICH)


async def _demo(world: World) -> Sequence[RenderableType]:
    board = Board(trio.current_time())
    budgets = Budgets()
    with trio.move_on_after(RUN_S):
        async with trio.open_nursery() as nursery:
            for venue in SIMULATORS:
                served = _serve(world, venue)
                showing = showing_of(
                    venue, served.simulator, max(1, min(ROWS_PER_VENUE, ROWS // len(SIMULATORS)))
                )
                for name in showing.instruments:
                    board.add(venue, name)
                for at in range(0, len(showing.instruments), PER_SESSION):
                    names = showing.instruments[at : at + PER_SESSION]
                    topics = [kind(one) for one in names for kind in showing.kinds]
                    session = world.session(served, *topics, credentials=showing.credentials, budgets=budgets)
                    nursery.start_soon(_show, session, board, names)
                if venue == "coinbase":
                    nursery.start_soon(_drop, served, board)
    return [demo_screen(board, trio.current_time(), *SIZES["demo"], UNICODE)]


async def _show(session: Session, board: Board, names: Sequence[str]) -> None:
    async with session as stream:
        while True:
            for event in await stream.receive_many():
                board.take(event, trio.current_time(), " ".join(names))


async def _drop(served: Served, board: Board) -> None:
    await _cut(served)
    board.drop(f"{served.simulator.venue} drops its connection 1, without a word", trio.current_time())


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
