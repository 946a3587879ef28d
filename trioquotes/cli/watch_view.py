"""The watcher's whole screen: state and size in, as many lines out, each exactly as wide. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from trioquotes.cli.numbers import many
from trioquotes.cli.statusline import age, clock
from trioquotes.cli.watch_face import Span
from trioquotes.cli.watch_grid import Look, beside, ends, figure, fit, heading, joined
from trioquotes.cli.watch_model import Model, Pane
from trioquotes.cli.watch_panels import (
    STATES,
    all_instruments,
    depth,
    ladder,
    latency,
    notice_lines,
    price,
    tape,
    why_no_book,
)

__all__ = ["screen"]

WIDE = 150
"""From this width on the notices stand beside the rest."""
PAIR = 64
"""From this width on ladder and tape stand beside each other."""
NOTICES = 4
"""Lines of notices under the rest, where the screen is high enough."""
HIGH = 20
LOW = 14
"""Below this height the notices have no place in the market view."""

HELP = (
    ("q  Ctrl-C", "quit"),
    ("p  space", "pause: the screen stands still, the session goes on"),
    ("tab  arrows  1-9", "another instrument"),
    ("v  V", "next view, view before"),
    ("Ctrl-L", "draw everything again"),
    ("?", "this help, and back"),
)


def screen(model: Model, now_s: float, width: int, height: int, look: Look) -> list[Text]:
    """The whole screen.

    Args:
        model: what to show.
        now_s: the time.
        width: of the terminal, in columns.
        height: of the terminal, in lines.
        look: what it can show.

    Returns:
        Exactly ``height`` lines of exactly ``width`` columns.
    """
    head = _head(model, now_s, width, look)
    body = _body(model, now_s, width, max(height - len(head) - 1, 0), look)
    lines = [*head, *body, *[Text()] * height][: max(height - 1, 0)]
    return [fit(line, width, look) for line in (*lines, _foot(model, width, look))][:height]


def _head(model: Model, now_s: float, width: int, look: Look) -> list[Text]:
    pane = model.pane
    title = Text.assemble((f"{model.venue} ", "dim"), (pane.instrument, "bold"))
    lines = [ends(title, _state(model, pane, now_s, look), width, look)]
    if len(model.panes) > 1:
        lines.append(_tabs(model, width, look))
    lines.append(fit(_prices(pane, now_s, width, look), width, look))
    lines.append(fit(joined(_figures(model, pane, now_s, look), width), width, look))
    return lines


def _state(model: Model, pane: Pane, now_s: float, look: Look) -> Text:
    text = Text()
    if model.paused_s is not None:
        text.append("PAUSED", style="bold reverse")
        text.append("  ")
    text.append(f"{look.glyphs.dot} {pane.state}", style=STATES[pane.state])
    text.append(f"  {clock(now_s - model.started_s)}")
    return text


def _tabs(model: Model, width: int, look: Look) -> Text:
    """The instruments with their keys, as many as fit around the one that is shown."""
    tabs = []
    for index, pane in enumerate(model.panes):
        is_shown = index == model.index
        tab = Text.assemble((f"{index + 1} ", "dim"), (pane.instrument, "reverse" if is_shown else ""))
        if pane.state != "live":
            tab.append(f" {look.glyphs.dot}", style=STATES[pane.state])
        tabs.append(tab)
    first = 0
    while first < model.index and _width(tabs[first : model.index + 1]) > width - 2:
        first += 1
    more = [Text(look.more, style="dim")] if first else []
    return fit(joined([*more, *tabs[first:]], width), width, look)


def _width(parts: Sequence[Text]) -> int:
    return sum(part.cell_len + 2 for part in parts)


def _prices(pane: Pane, now_s: float, width: int, look: Look) -> Text:
    """Last, bid, ask and spread, without their names where there is no room for them."""
    face = pane.shown
    last, bid, ask = (
        _bare(price(what, face.prices, now_s, look)) for what in (face.last, face.bid, face.ask)
    )
    arrow = {1: look.glyphs.up, -1: look.glyphs.down}.get(face.last.direction, "")
    if arrow:
        last.append(f" {arrow}", style={1: "green", -1: "red"}[face.last.direction])
    named = [_named("last", last)] if "trades" in pane.kinds or face.last.value is not None else []
    short = [last] if named else []
    if "books" in pane.kinds or face.bid.value is not None or face.ask.value is not None:
        named += [_named("bid", bid), _named("ask", ask)]
        short.append(Text.assemble(bid, (" / ", "dim"), ask))
    if face.spread is not None:
        named.append(_named("spread", Text(figure(face.spread, Span(), in_full=True))))
    whole = joined(named, width)
    return whole if whole.cell_len == _width(named) - 2 else joined(short, width)


def _named(name: str, text: Text) -> Text:
    return Text.assemble((f"{name} ", "dim"), text)


def _bare(text: Text) -> Text:
    """Without the room around it."""
    spaces = len(text.plain) - len(text.plain.lstrip())
    bare = text[spaces:]
    bare.rstrip()
    return bare


def _figures(model: Model, pane: Pane, now_s: float, look: Look) -> list[Text]:
    down = model.down
    if down and not model.was_confirmed:
        tried = sum(lane.attempts for lane in down)
        why = next((lane.failure for lane in down if lane.failure), "")
        return [Text(f"connecting, attempt {max(tried, 1)}" + (f": {why}" if why else ""), style="yellow")]
    parts = []
    if down:
        why = next((lane.failure for lane in down if lane.failure), "")
        lines = f"{len(down)} of {many(len([lane for lane in model.lanes if lane.wanted]), 'line')} down"
        parts.append(Text(f"{lines}: {why}" if why else lines, style="red"))
    recoveries = ((model.reconnects, "reconnect"), (model.seen["Gap"], "gap"))
    parts.append(Text(f"lag {latency(pane.lag_s, look)}"))
    parts.append(Text(f"{pane.rate.per_s(now_s):,.1f} msg/s"))
    parts += [Text(f"{model.dropped:,} dropped", style="yellow")] if model.dropped else []
    parts += [Text(many(count, word), style="yellow") for count, word in recoveries if count]
    parts.append(Text(f"queue {sum(one.queued for one in model.panes):,}"))
    parts += [Text(many(count, word), style="dim") for count, word in recoveries if not count]
    return parts


def _foot(model: Model, width: int, look: Look) -> Text:
    keys = ["q quit", "p go on" if model.paused_s is not None else "p pause", "v view", "? help"]
    keys += ["tab instrument"] if len(model.panes) > 1 else []
    where = Text("help" if model.is_help else model.view, style="dim")
    room = width - where.cell_len - 1
    return ends(joined([Text(key, style="dim") for key in keys], room), where, width, look)


def _body(model: Model, now_s: float, width: int, height: int, look: Look) -> list[Text]:
    if model.is_help:
        return _help(width, look)
    if model.view == "market":
        return _market(model, now_s, width, height, look)
    if model.view == "depth":
        return _block(_book_title(model, now_s), _depth(model, height - 1, width, look), width, look)
    if model.view == "tape":
        return _block(_tape_title(model), _tape(model, height - 1, width, look), width, look)
    if model.view == "all":
        return [Text(), *all_instruments(model, now_s, width, look)]
    return _block(_notices_title(), notice_lines(model.notices, height - 1, width, look), width, look)


def _help(width: int, look: Look) -> list[Text]:
    room = max(len(keys) for keys, _ in HELP)
    lines = [heading(Text("keys"), width, look)]
    for keys, what in HELP:
        lines.append(fit(Text.assemble((f"{keys:<{room}}", "bold"), f"  {what}"), width, look))
    return lines


def _market(model: Model, now_s: float, width: int, height: int, look: Look) -> list[Text]:
    """Book, tape and notices, as far as there is room for them."""
    if width >= WIDE:
        each = (width - 2) // 3
        blocks = [
            (_block(_book_title(model, now_s), _ladder(model, height - 1, each, look), each, look), each),
            (_block(_tape_title(model), _tape(model, height - 1, each, look), each, look), each),
        ]
        rest = width - 2 - 2 * each
        notices = notice_lines(model.notices, height - 1, rest, look)
        return beside([*blocks, (_block(_notices_title(), notices, rest, look), rest)], height, look)
    under = NOTICES + 1 if height + 4 >= HIGH else 2 + 1 if height + 4 >= LOW else 0
    above = height - under
    lines = _book_and_tape(model, now_s, width, above, look)
    lines += [Text()] * (above - len(lines))
    if under:
        notices = notice_lines(model.notices, under - 1, width, look)
        lines += _block(_notices_title(), notices, width, look)
    return lines


def _book_and_tape(model: Model, now_s: float, width: int, height: int, look: Look) -> list[Text]:
    if "books" in model.absent:
        reasons = [fit(Text(reason, style="dim"), width, look) for reason in model.absent.values()]
        room = max(height - 1 - len(reasons), 0)
        return [*reasons, *_block(_tape_title(model), _tape(model, room, width, look), width, look)]
    if width < PAIR:
        return _block(_book_title(model, now_s), _ladder(model, height - 1, width, look), width, look)
    left = (width - 1) // 2
    right = width - 1 - left
    book = _block(_book_title(model, now_s), _ladder(model, height - 1, left, look), left, look)
    trades = _block(_tape_title(model), _tape(model, height - 1, right, look), right, look)
    return beside([(book, left), (trades, right)], height, look)


def _block(title: Text, lines: Sequence[Text], width: int, look: Look) -> list[Text]:
    return [heading(title, width, look), *lines]


def _book_title(model: Model, now_s: float) -> Text:
    title = Text("book")
    pane = model.pane
    trouble = pane.trouble.get("books")
    if pane.frozen is not None and pane.state == "gap":
        title.append(", not right any more", style="yellow")
    elif model.paused_s is not None:
        title.append(f", as it was {age(now_s - model.paused_s)} ago", style="yellow")
    if pane.state == "stale" and trouble is not None:
        title.append(f", {type(trouble).__name__.lower()}", style="yellow")
    return title


def _tape_title(model: Model) -> Text:
    title = Text("quotes" if "books" in model.absent and "trades" in model.absent else "trades")
    title.append(", UTC", style="dim")
    return title


def _notices_title() -> Text:
    title = Text("notices")
    title.append(", UTC", style="dim")
    return title


def _ladder(model: Model, height: int, width: int, look: Look) -> list[Text]:
    why = why_no_book(model, model.pane)
    return _said(why, height, width, look) if why else ladder(model.pane.shown, height, width, look)


def _depth(model: Model, height: int, width: int, look: Look) -> list[Text]:
    why = why_no_book(model, model.pane)
    return _said(why, height, width, look) if why else depth(model.pane.shown, height, width, look)


def _tape(model: Model, height: int, width: int, look: Look) -> list[Text]:
    ended = model.pane.ended.get("trades") or model.pane.ended.get("quotes")
    why = ended or (model.absent.get("trades", "") if "books" not in model.absent else "")
    if why:
        return _said(why, height, width, look)
    if not model.pane.shown.tape:
        return [fit(Text("none so far", style="dim"), width, look)][: max(height, 0)]
    return tape(model.pane.shown, height, width, look)


def _said(text: str, height: int, width: int, look: Look) -> list[Text]:
    """A few words in the middle, on as many lines as they need."""
    words, lines = text.split(), [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    top = max((height - len(lines)) // 2, 0)
    centred = [fit(Text(line.center(width), style="yellow"), width, look) for line in lines]
    return [*[Text()] * top, *centred][: max(height, 0)]
