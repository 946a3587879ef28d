"""The demo's board as a screen of exactly the terminal's size, and as lines."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import groupby

import attrs
from rich import box
from rich.console import Group, JustifyMethod, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from trioquotes._protocol.tally import TallyCount
from trioquotes.cli.board import Board, Price, Row, Said, digits_of
from trioquotes.cli.numbers import many
from trioquotes.cli.statusline import clock

__all__ = ["ASCII", "UNICODE", "Glyphs", "aligned", "notice_line", "plain_rows", "screen", "summary"]

FLASH_S = 0.8
"""How long a best price stays coloured after it moved."""

STYLES = {
    "Connected": "green",
    "Resynced": "green",
    "Disconnected": "red",
    "Gap": "yellow",
    "Lagged": "yellow",
    "Stale": "yellow",
    "Throttled": "yellow",
    "Rejected": "red",
    "Malformed": "red",
    "Unknown": "yellow",
    "demo": "magenta",
}

STATES = {"live": "green", "gap": "yellow", "waiting": "dim"}

_WORDS = {"live": "live", "gap": "gap", "waiting": "wait"}

MIN_NOTICES = 3
"""Lines of notices that are shown before instruments are left out for want of room."""

FRAME = 2
"""Lines of the notices' frame."""

ROOMY = 10
"""From this height on there is an empty line below the title."""


@attrs.frozen
class Glyphs:
    """The signs that a terminal can show."""

    up: str
    down: str
    dot: str
    dash: str


UNICODE = Glyphs(up="▲", down="▼", dot="●", dash="–")  # noqa: RUF001  # a dash is meant
ASCII = Glyphs(up="+", down="-", dot="*", dash="-")


_TITLES = ("venue", "instrument", "last", "", "bid", "ask", "spread", "msg/s", "book")
_NUMBERS = {"last", "bid", "ask", "spread", "msg/s"}

_GIVE_WAY = ("venue", "msg/s", "spread", "", "ask", "bid", "book", "last")
"""Columns that are left out, one after the other, while a screen is too narrow for what is in them."""


def screen(board: Board, now_s: float, width: int, height: int, glyphs: Glyphs) -> RenderableType:
    """The whole screen.

    Args:
        board: what to show.
        now_s: the time.
        width: of the terminal, in columns.
        height: of the terminal, in lines.
        glyphs: what it can show.

    Returns:
        Something of at most that size.
    """
    rows = list(board.rows.values())
    space = 1 if height >= ROOMY else 0
    room = max(height - 3 - space, 0)  # without title, table's head and totals
    shown = rows[: room if room <= FRAME + MIN_NOTICES else room - FRAME - MIN_NOTICES]
    parts: list[RenderableType] = [_title(board, now_s, width, glyphs), *[Text()] * space]
    parts.append(_table(shown, now_s, width, glyphs))
    left = room - len(shown) - FRAME
    if left > 0:
        parts.append(_notices(board.notices, left))
    parts.append(_totals(board, len(rows) - len(shown)))
    return Group(*parts)


def _ends() -> Table:
    """A line with something at both ends, of which the right one stays whole."""
    line = Table.grid(expand=True)
    line.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    line.add_column(justify="right", no_wrap=True)
    return line


def _title(board: Board, now_s: float, width: int, glyphs: Glyphs) -> Table:
    line = _ends()
    states = {row.state for row in board.rows.values()}
    state = "gap" if "gap" in states else "waiting" if "waiting" in states else "live"
    word = {"live": "live", "gap": "recovering", "waiting": "opening"}[state]
    title = Text("trioquotes demo", style="bold")
    if width >= 72:  # where all of it fits
        title.append("  simulated venues over TLS, real sessions", style="not bold dim")
    right = Text.assemble((f"{glyphs.dot} {word}", STATES[state]), f"  {clock(now_s - board.started_s)}")
    line.add_row(title, right)
    return line


def _table(rows: list[Row], now_s: float, width: int, glyphs: Glyphs) -> Table:
    cells = _cells(rows, now_s, glyphs)
    shown = _fitting(cells, width)
    table = Table(box=None, expand=True, pad_edge=False, padding=(0, 1, 0, 0))
    for title in shown:
        justify: JustifyMethod = "right" if title in _NUMBERS else "left"
        table.add_column(title, header_style="dim", justify=justify, no_wrap=True)
    for line in zip(*(cells[title] for title in shown), strict=True):
        table.add_row(*line)
    return table


def _fitting(cells: Mapping[str, Sequence[Text]], width: int) -> list[str]:
    """The columns that fit side by side, each with a space behind it."""
    widths = {title: max([len(title), *map(len, column)]) + 1 for title, column in cells.items()}
    for title in _GIVE_WAY:
        if sum(widths.values()) <= width:
            break
        del widths[title]
    return list(widths)


def _cells(rows: Sequence[Row], now_s: float, glyphs: Glyphs) -> dict[str, list[Text]]:
    """All cells by the title of their column."""
    cells: dict[str, list[Text]] = {title: [] for title in _TITLES}
    for venue, group in groupby(rows, lambda row: row.venue):
        of_venue = list(group)
        for row, prices in zip(of_venue, zip(*_prices(of_venue, glyphs.dash), strict=True), strict=True):
            last, bid, ask, spread = prices
            colour = _colour(row.last.direction)
            arrow = {1: glyphs.up, -1: glyphs.down}.get(row.last.direction, " ")
            line = (
                Text(venue if row is of_venue[0] else "", style="dim"),
                Text(row.instrument, style="bold"),
                Text(last, style=colour or ("" if row.last.value is not None else "dim")),
                Text(arrow, style=colour),
                Text(bid, style=_flash(row.bid, now_s)),
                Text(ask, style=_flash(row.ask, now_s)),
                Text(spread, style="" if row.spread is not None else "dim"),
                Text(f"{row.rate.per_s(now_s):.1f}"),
                Text(f"{glyphs.dot} {_WORDS[row.state]}", style=STATES[row.state]),
            )
            for column, cell in zip(cells.values(), line, strict=True):
                column.append(cell)
    return cells


def _notices(notices: Iterable[Said], lines: int) -> Panel:
    latest = list(notices)[-lines:]
    text = Text(no_wrap=True, overflow="ellipsis")
    for index, said in enumerate(latest):
        text.append(f"{clock(said.at_s):>5} ", style="dim")
        text.append(f"{said.kind:<12} ", style=STYLES.get(said.kind, ""))
        text.append(said.text + ("\n" if index < len(latest) - 1 else ""))
    if not latest:
        text.append("nothing was lost so far", style="dim")
    return Panel(
        text, title="notices", title_align="left", border_style="dim", height=lines + 2, box=box.ROUNDED
    )


def _totals(board: Board, hidden: int) -> Table:
    line = _ends()
    text = Text(many(board.events, "event"))
    text.append(f"  {board.dropped} dropped", style="magenta" if board.dropped else "dim")
    text.append(f"  {board.recovered} recovered", style="green" if board.recovered else "dim")
    text.append(f"  {many(board.seen['Gap'], 'gap')} said", style="yellow" if board.seen["Gap"] else "dim")
    if hidden:
        text.append(f"  {many(hidden, 'instrument')} more", style="dim")
    line.add_row(text, Text(" Ctrl-C ends", style="dim"))  # how to leave is never what is cut
    return line


def aligned(values: Sequence[tuple[Decimal | None, int]], dash: str) -> list[str]:
    """Numbers with thousands marked, padded so that they end and their points stand in one column.

    Args:
        values: each with the digits after its point; more are shown where it has more.
        dash: what stands for no number.

    Returns:
        Texts of one width.
    """
    texts = ["" if value is None else _exact(value, digits) for value, digits in values]
    fractions = [len(text) - text.index(".") if "." in text else 0 for text in texts]
    widest = max(fractions, default=0)
    padded = [
        text + " " * (widest - fraction) if text else dash
        for text, fraction in zip(texts, fractions, strict=True)
    ]
    width = max(map(len, padded), default=0)
    return [text.rjust(width) for text in padded]


def _exact(value: Decimal, digits: int) -> str:
    return f"{value:,.{max(digits, digits_of(value))}f}"


def _prices(rows: Sequence[Row], dash: str) -> tuple[list[str], list[str], list[str], list[str]]:
    """Last, bid, ask and spread of all rows."""
    return (
        aligned([(row.last.value, row.digits) for row in rows], dash),
        aligned([(row.bid.value, row.digits) for row in rows], dash),
        aligned([(row.ask.value, row.digits) for row in rows], dash),
        aligned([(row.spread, row.digits) for row in rows], dash),
    )


def _colour(direction: int) -> str:
    return {1: "green", -1: "red"}.get(direction, "")


def _flash(price: Price, now_s: float) -> str:
    if price.value is None:
        return "dim"
    return (
        f"bold {_colour(price.direction)}".strip()
        if price.direction and now_s - price.moved_s < FLASH_S
        else ""
    )


def notice_line(said: Said) -> str:
    """A notice as one line."""
    return f"{clock(said.at_s):>6}  {said.kind:<12}  {said.text}"


def plain_rows(board: Board, now_s: float) -> list[str]:
    """One line per instrument, aligned."""
    rows = list(board.rows.values())
    widths = (
        max((len(row.venue) for row in rows), default=0),
        max((len(row.instrument) for row in rows), default=0),
    )
    columns = _prices(rows, "-")
    at = clock(now_s - board.started_s)
    return [
        f"{at:>6}  {row.venue:<{widths[0]}}  {row.instrument:<{widths[1]}}  last {last}  bid {bid}  ask {ask}"
        f"  spread {spread}  {row.rate.per_s(now_s):5.1f} msg/s  {row.state}"
        for row, last, bid, ask, spread in zip(rows, *columns, strict=True)
    ]


_FATES = ("frames", "elements", "delivered", "folded", "ignored", "malformed")


def summary(board: Board, now_s: float, width: int | None = None) -> list[str]:
    """What remains when it is over: what became of every element, venue by venue, and what was lost and found.

    Args:
        board: what was seen.
        now_s: the time.
        width: of the terminal, in columns; ``None`` where no line is too long.
    """
    venues = [venue for venue in dict.fromkeys(venue for venue, _ in board.rows) if venue in board.counts]
    counts = [(venue, board.counts[venue]) for venue in venues]
    if len(counts) > 1:
        counts.append(("all", sum((count for _, count in counts[1:]), counts[0][1])))
    gaps, resynced = board.seen["Gap"], board.seen["Resynced"]
    title = f"trioquotes demo: {many(board.events, 'event')} in {clock(now_s - board.started_s)}"
    recovery = (
        f"  {many(board.dropped, 'line')} dropped on purpose, {board.recovered:,} recovered;"
        f" {many(gaps, 'gap')} said, {many(resynced, 'book')} resynced"
    )
    lines = [title, *_ledger_table(counts), recovery]
    if width is None or max(map(len, lines)) <= width:
        return lines
    return [part for line in (title, *_ledger_words(counts), recovery) for part in _wrapped(line, width)]


def _ledger_table(counts: Sequence[tuple[str, TallyCount]]) -> list[str]:
    """One line per venue, aligned below its head."""
    first = max(len(venue) for venue, _ in [*counts, ("", None)])
    widths = [max(len(title) + 2, 9) for title in _FATES]
    rows = [("", _FATES), *((venue, _figures(count)) for venue, count in counts)]
    return [f"  {venue:<{first}}" + "".join(map(str.rjust, figures, widths)) for venue, figures in rows]


def _ledger_words(counts: Sequence[tuple[str, TallyCount]]) -> list[str]:
    """The same as one sentence per venue, which a narrow screen can break."""
    return [
        f"  {venue}: " + ", ".join(map("{}\N{NO-BREAK SPACE}{}".format, _FATES, _figures(count)))
        for venue, count in counts
    ]


def _wrapped(line: str, width: int) -> list[str]:
    """The line in parts that fit, the further ones further in."""
    parts = textwrap.wrap(line, max(width, 20), subsequent_indent="    ", break_on_hyphens=False)
    return [part.replace("\N{NO-BREAK SPACE}", " ") for part in parts]


def _figures(count: TallyCount) -> tuple[str, ...]:
    ignored = sum(count.ignored.values())
    figures = (count.frames, count.elements, count.delivered, count.folded, ignored, count.malformed)
    return tuple(f"{figure:,}" for figure in figures)
