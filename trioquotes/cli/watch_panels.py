"""The parts of the watcher's screen: ladder, depth, tape, notices, the table of all instruments. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import accumulate

from rich.text import Text

from trioquotes.books.exact import EXACT
from trioquotes.cli.board import Price
from trioquotes.cli.exits import one_line
from trioquotes.cli.statusline import age
from trioquotes.cli.table import FLASH_S, STYLES
from trioquotes.cli.watch_face import Face, Mark, Span
from trioquotes.cli.watch_grid import Column, Look, at, beside, figure, fit, grid, room_of
from trioquotes.cli.watch_model import Model, Pane, Said
from trioquotes.events import BookSide, Level, Quote, Side, Trade

__all__ = [
    "COLOURS",
    "STATES",
    "all_instruments",
    "depth",
    "ladder",
    "latency",
    "notice_lines",
    "number",
    "price",
    "tape",
    "why_no_book",
]

BID, ASK = "green", "red"

STATES = {
    "live": "green",
    "gap": "yellow",
    "stale": "yellow",
    "waiting": "dim",
    "connecting": "dim",
    "ended": "red",
}

COLOURS = {**STYLES, "Audited": "red"}

KEYS = 9
"""Instruments that have a key of their own."""

BAR = 24
"""Columns of the longest bar."""
LEAST_BAR = 4


def number(value: Decimal | None, span: Span, look: Look, style: str = "", *, in_full: bool = False) -> Text:
    """A number in its room, or a dash."""
    if value is None:
        return Text(look.glyphs.dash.rjust(span.width), style="dim")
    return Text(figure(value, span, in_full=in_full), style=style)


def price(what: Price, span: Span, now_s: float, look: Look) -> Text:
    """A price that is bright for a moment after it moved."""
    colour = {1: "green", -1: "red"}.get(what.direction, "")
    flashes = what.direction and now_s - what.moved_s < FLASH_S
    return number(what.value, span, look, f"bold {colour}" if flashes else "", in_full=True)


def latency(seconds: float | None, look: Look) -> str:
    """A lag or a round trip: ``12 ms``, ``1.2 s``; a dash where nobody knows."""
    if seconds is None:
        return look.glyphs.dash
    return (
        f"{seconds * 1000:.0f} ms" if abs(seconds) < 1 else ("-" if seconds < 0 else "") + age(abs(seconds))
    )


def why_no_book(model: Model, pane: Pane) -> str:
    """Why there are no levels to be seen; empty where there are."""
    if "books" in model.absent:
        return ", ".join(model.absent.values())
    if "books" in pane.ended:
        return pane.ended["books"]
    book = pane.shown.ladder
    if book.state == "waiting":
        return "waiting for the book"
    return "" if book.state == "live" else f"the book is not right: {book.reason}"


def ladder(face: Face, height: int, width: int, look: Look) -> list[Text]:
    """The best levels with the asks above the bids, the spread between them always on the same line."""
    above = max((height - 1) // 2, 0)
    asks = face.ladder.asks[:above]
    bids = face.ladder.bids[: max(height - 1 - above, 0)]
    levels = [*reversed(asks), *bids]
    styles = [ASK] * len(asks) + [BID] * len(bids)
    rows = grid(
        [
            Column("side", _texts(["ask"] * len(asks) + ["bid"] * len(bids), styles), gives_way=1),
            Column("price", is_number=True, room=face.prices.width, cells=[number(at_, face.prices, look, style, in_full=True) for (at_, _), style in zip(levels, styles, strict=True)]),
            Column("size", [number(size, face.sizes, look) for _, size in levels], is_number=True, room=face.sizes.width, gives_way=2),
        ],
        width,
        look,
        with_titles=False,
    )  # fmt: skip
    rows = _with_bars(rows, levels, styles, width, look)
    empty = Text(" " * width)
    rows.insert(len(asks), _spread(face, width, look))
    return [*[empty] * (above - len(asks)), *rows, *[empty] * height][:height]


def _texts(texts: Sequence[str], styles: Sequence[str]) -> list[Text]:
    return [Text(text, style=style) for text, style in zip(texts, styles, strict=True)]


def _with_bars(
    rows: list[Text], levels: Sequence[Level], styles: Sequence[str], width: int, look: Look
) -> list[Text]:
    """Draw each level's size beside it, where there is room."""
    used = max((len(row.plain.rstrip()) for row in rows), default=0)
    cells = min(width - used - 2, BAR)
    biggest = max((size for _, size in levels), default=Decimal(0))
    if cells < LEAST_BAR or not biggest:
        return rows
    drawn = []
    for row, (_, size), style in zip(rows, levels, styles, strict=True):
        line = fit(row, used, look)
        line.append("  ")
        line.append(look.bar * int(size / biggest * cells), style=f"dim {style}")
        drawn.append(fit(line, width, look))
    return drawn


def _spread(face: Face, width: int, look: Look) -> Text:
    if face.spread is None:
        return fit(Text("one side is empty" if face.ladder.state == "live" else "", style="dim"), width, look)
    text = Text.assemble(("spread ", "dim"), figure(face.spread, Span(), in_full=True))
    if face.spread <= 0:
        text.append("  crossed" if face.spread else "  locked", style="yellow")
    return fit(text, width, look)


def depth(face: Face, height: int, width: int, look: Look) -> list[Text]:
    """Bids and asks side by side, best on top, each with the size up to there; a ladder where that is too wide."""
    half = width // 2 - 1
    bids, asks = face.ladder.bids[: max(height - 1, 0)], face.ladder.asks[: max(height - 1, 0)]
    left = _side("bid", bids, face, look)[::-1]
    right = _side("ask", asks, face, look)
    if room_of(right[:2]) > half:
        return ladder(face, height, width, look)
    left_lines = [_pushed(line, half, look) for line in grid(left, half, look)]
    rest = width - half - 3
    return beside([(left_lines, half), ([], 1), (grid(right, rest, look), rest)], height, look)


def _side(name: BookSide, levels: Sequence[Level], face: Face, look: Look) -> list[Column]:
    """Columns of one side, from the middle outwards."""
    totals = list(accumulate((size for _, size in levels), EXACT.add))
    span = Span()
    for total in totals:
        span.see(total)
    style = BID if name == "bid" else ASK
    prices = [number(at_, face.prices, look, style, in_full=True) for at_, _ in levels]
    sizes = [number(size, face.sizes, look) for _, size in levels]
    sums = [number(total, span, look, "dim") for total in totals]
    return [
        Column(name, prices, is_number=True, room=face.prices.width),
        Column("size", sizes, is_number=True, room=face.sizes.width, gives_way=1),
        Column("total", sums, is_number=True, room=span.width, gives_way=2),
    ]


def _pushed(line: Text, width: int, look: Look) -> Text:
    """What stands at the left of a line, at its right: both sides of a book meet in the middle."""
    text = line.copy()
    text.rstrip()
    pushed = Text(" " * (width - text.cell_len))
    pushed.append_text(text)
    return fit(pushed, width, look)


def tape(face: Face, height: int, width: int, look: Look) -> list[Text]:
    """The latest trades, or quotes, newest on top; a mark stands where something may be missing."""
    latest = list(face.tape)[::-1][:height]
    rows = [one for one in latest if not isinstance(one, Mark)]
    columns = _tape_columns(rows, face, look, with_ms=True)
    if room_of(columns) > width:
        columns = _tape_columns(rows, face, look, with_ms=False)
    drawn = iter(grid(columns, width, look, with_titles=False))
    lines = []
    for one in latest:
        if isinstance(one, Mark):
            text = Text(f"{at(one.at_ns, look, with_ms=False)}  {one.text}", style="yellow")
            lines.append(fit(text, width, look))
        else:
            lines.append(next(drawn))
    return lines


def _tape_columns(rows: Sequence[Trade | Quote], face: Face, look: Look, *, with_ms: bool) -> list[Column]:
    times = [
        Text(at(row.venue_time_ns or row.received_ns, look, with_ms=with_ms), style="dim") for row in rows
    ]
    columns = [Column("time", times, gives_way=3)]
    trades = [row for row in rows if isinstance(row, Trade)]
    if len(trades) == len(rows):
        sides = [_side_word(trade.taker_side, look) for trade in trades]
        columns.append(Column("side", sides, gives_way=2))
        columns.append(Column("price", [number(trade.price, face.prices, look, _side_style(trade.taker_side), in_full=True) for trade in trades]))  # fmt: skip
        columns.append(
            Column("size", [number(trade.size, face.sizes, look) for trade in trades], gives_way=1)
        )
        return columns
    quotes = [row for row in rows if isinstance(row, Quote)]
    for index, name in enumerate(("price", "bid", "ask")):
        values: list[Decimal | None] = [getattr(quote, name) for quote in quotes]
        if any(value is not None for value in values):
            cells = [number(value, face.prices, look, in_full=True) for value in values]
            columns.append(Column(name, cells, gives_way=index))
    return columns


def _side_word(side: Side | None, look: Look) -> Text:
    return Text(side or look.glyphs.dash, style=_side_style(side))


def _side_style(side: Side | None) -> str:
    return "" if side is None else {"buy": BID, "sell": ASK}[side]


def notice_lines(notices: Sequence[Said], height: int, width: int, look: Look) -> list[Text]:
    """The latest notices, newest below."""
    lines = []
    for said in list(notices)[-height:] if height > 0 else []:
        text = Text.assemble(
            (at(said.at_ns, look, with_ms=False), "dim"),
            ("  " + said.kind, COLOURS.get(said.kind, "")),
            "  " + "  ".join(part for part in (said.words, ", ".join(said.whose)) if part),
        )
        lines.append(fit(text, width, look))
    return lines or [fit(Text("none so far", style="dim"), width, look)][:height]


def all_instruments(model: Model, now_s: float, width: int, look: Look) -> list[Text]:
    """One row an instrument, then one a line."""
    panes = model.panes
    marks = [str(index + 1) if index < KEYS else "" for index in range(len(panes))]
    columns = [
        Column("", [Text(mark, style="dim") for mark in marks], gives_way=8),
        Column("instrument", [Text(pane.instrument, style="bold reverse" if pane is model.pane else "bold") for pane in panes]),
        Column("last", [price(pane.shown.last, pane.shown.prices, now_s, look) for pane in panes], is_number=True, gives_way=1),
        Column("bid", [price(pane.shown.bid, pane.shown.prices, now_s, look) for pane in panes], is_number=True, gives_way=3),
        Column("ask", [price(pane.shown.ask, pane.shown.prices, now_s, look) for pane in panes], is_number=True, gives_way=4),
        Column("msg/s", [Text(f"{pane.rate.per_s(now_s):,.1f}") for pane in panes], is_number=True, gives_way=6),
        Column("lag", [Text(latency(pane.lag_s, look)) for pane in panes], is_number=True, gives_way=5),
        Column("queue", [Text(f"{pane.queued:,}") for pane in panes], is_number=True, gives_way=7),
        Column("state", [Text(f"{look.glyphs.dot} {pane.state}", style=STATES[pane.state]) for pane in panes], gives_way=2),
    ]  # fmt: skip
    return [*grid(columns, width, look), Text(), *_lanes(model, width, look)]


def _lanes(model: Model, width: int, look: Look) -> list[Text]:
    lanes = [lane for lane in model.lanes if lane.wanted or lane.connected]
    states = [("up", "green") if lane.connected else ("down", "red") for lane in lanes]
    columns = [
        Column("line", [Text(lane.lane) for lane in lanes]),
        Column("state", [Text(f"{look.glyphs.dot} {state}", style=style) for state, style in states], gives_way=1),
        Column("frames", [Text(f"{lane.count.frames:,}") for lane in lanes], is_number=True, gives_way=4),
        Column("gaps", [Text(f"{lane.count.gaps:,}") for lane in lanes], is_number=True, gives_way=3),
        Column("reconnects", [Text(f"{lane.reconnects:,}") for lane in lanes], is_number=True, gives_way=2),
        Column("round trip", [Text(latency(lane.round_trip_s, look)) for lane in lanes], is_number=True, gives_way=5),
        Column("failure", [Text("" if lane.connected else one_line(lane.failure), style="red") for lane in lanes], gives_way=6),
    ]  # fmt: skip
    return grid(columns, width, look) if lanes else []
