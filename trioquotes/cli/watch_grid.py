"""Lines of exactly a width, and columns that give way where there is no room; numbers are never cut unseen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal

import attrs
from rich.text import Text

from trioquotes.cli.board import digits_of
from trioquotes.cli.table import ASCII, UNICODE, Glyphs
from trioquotes.cli.watch_face import Span

__all__ = [
    "PLAIN",
    "RICH",
    "Column",
    "Look",
    "at",
    "beside",
    "ends",
    "figure",
    "fit",
    "grid",
    "heading",
    "joined",
    "room_of",
]

BETWEEN = 2
"""Spaces between two columns."""

NS_PER_S = 1_000_000_000


@attrs.frozen
class Look:
    """The signs that a terminal can show.

    Attributes:
        rule: what a heading's line is drawn with; ``bar`` what sizes are drawn with.
        more: stands where a text was cut.
    """

    glyphs: Glyphs
    rule: str
    bar: str
    more: str


RICH = Look(UNICODE, rule="─", bar="█", more="…")
PLAIN = Look(ASCII, rule="-", bar="#", more=">")


@attrs.frozen
class Column:
    """A column of a grid.

    Attributes:
        title: over it.
        cells: from the top.
        is_number: whether it ends in one line rather than begins in one.
        room: characters that it takes at least, so that it does not move with what is in it.
        gives_way: where there is no room the columns with the highest go first; those with 0 stay.
    """

    title: str
    cells: Sequence[Text]
    is_number: bool = False
    room: int = 0
    gives_way: int = 0

    @property
    def width(self) -> int:
        """Characters that it takes."""
        return max([self.room, *(cell.cell_len for cell in self.cells)])


def fit(text: Text, width: int, look: Look) -> Text:
    """The text in exactly so many columns; where it was cut a sign says so."""
    fitted = Text().append_text(text)
    if fitted.cell_len > width:
        fitted.rstrip()  # spaces at the end are no loss
    if fitted.cell_len > width:
        fitted.truncate(max(width - 1, 0), overflow="crop")
        fitted.append(look.more[:width])
    fitted.pad_right(width - fitted.cell_len)
    return fitted


def joined(parts: Iterable[Text], width: int) -> Text:
    """As many of the parts as fit, from the first on, with spaces between them."""
    line = Text()
    for part in parts:
        space = 2 if line else 0
        if line and line.cell_len + space + part.cell_len > width:
            break
        line.append(" " * space)
        line.append_text(part)
    return line


def ends(left: Text, right: Text, width: int, look: Look) -> Text:
    """A line with something at both ends, of which the right one stays whole while it can."""
    room = width - right.cell_len - 1
    if room < 1:
        return fit(right, width, look)
    line = fit(left, room, look)
    line.append(" ")
    line.append_text(right)
    return line


def heading(title: Text, width: int, look: Look) -> Text:
    """A title on a line that is drawn across."""
    line = Text.assemble((look.rule * 2, "dim"), " ", title, " ")
    line.append(look.rule * max(width - line.cell_len, 0), style="dim")
    return fit(line, width, look)


def beside(blocks: Sequence[tuple[Sequence[Text], int]], height: int, look: Look) -> list[Text]:
    """Blocks of lines beside each other, each with its width; a space stands between two."""
    lines = []
    for index in range(height):
        line = Text()
        for block, width in blocks:
            line.append(" " if line else "")
            line.append_text(fit(block[index] if index < len(block) else Text(), width, look))
        lines.append(line)
    return lines


def room_of(columns: Sequence[Column]) -> int:
    """The width that a grid of these columns takes without titles."""
    return sum(column.width for column in columns) + BETWEEN * (len(columns) - 1)


def grid(columns: Sequence[Column], width: int, look: Look, *, with_titles: bool = True) -> list[Text]:
    """The rows of a table: its titles, if wanted, and as many lines as the columns have cells."""
    shown = list(columns)
    if with_titles:
        shown = [attrs.evolve(column, room=max(column.room, len(column.title))) for column in shown]
    widths = {column.title: column.width for column in shown}
    while sum(widths.values()) + BETWEEN * (len(widths) - 1) > width:
        last = max(shown, key=lambda column: column.gives_way)
        if not last.gives_way:
            break
        shown.remove(last)
        del widths[last.title]
    lines = []
    if with_titles:
        lines.append(_row([(Text(column.title, style="dim"), column) for column in shown], widths))
    rows = zip(*(column.cells for column in shown), strict=True)
    lines += [_row(list(zip(row, shown, strict=True)), widths) for row in rows]
    return [fit(line, width, look) for line in lines]


def _row(cells: Sequence[tuple[Text, Column]], widths: dict[str, int]) -> Text:
    line = Text()
    for index, (cell, column) in enumerate(cells):
        space = " " * (widths[column.title] - cell.cell_len)
        line.append(" " * BETWEEN if index else "")
        line.append(space if column.is_number else "")
        line.append_text(cell)
        line.append("" if column.is_number else space)
    return line


def figure(value: Decimal, span: Span, *, in_full: bool = False) -> str:
    """Every digit of a number, with thousands marked, in the room of its span.

    Args:
        value: the number.
        span: the room.
        in_full: write zeros where others of its kind have digits, rather than spaces.
    """
    digits = digits_of(value)
    if in_full:
        digits = max(digits, span.fraction)
    text = f"{value:,.{digits}f}"
    lacking = span.fraction - digits
    if lacking > 0:
        text += " " * (lacking + (not digits))
    return text.rjust(span.width)


def at(time_ns: int | None, look: Look, *, with_ms: bool) -> str:
    """The time of day of Unix nanoseconds, in UTC; a dash where there is none."""
    if time_ns is None:
        return look.glyphs.dash
    seconds, rest_ns = divmod(time_ns, NS_PER_S)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S")
    return f"{text}.{rest_ns // 1_000_000:03d}" if with_ms else text
