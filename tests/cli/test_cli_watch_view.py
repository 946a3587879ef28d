"""What the watcher knows and how it shows it, on screens of every size."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from trioquotes._protocol.tally import TallyCount
from trioquotes._runtime.engine import LaneStatistics, SessionStatistics
from trioquotes._runtime.subscription import ChannelStatistics
from trioquotes.books import OrderBook
from trioquotes.cli.watch_face import Face, Span
from trioquotes.cli.watch_grid import PLAIN, RICH, Column, Look, figure, fit, grid
from trioquotes.cli.watch_model import Kind, Model, Pane
from trioquotes.cli.watch_paint import Painter
from trioquotes.cli.watch_view import screen
from trioquotes.events import (
    BookSnapshot,
    Connected,
    Disconnected,
    Event,
    Gap,
    Lagged,
    Level,
    MarketEvent,
    Quote,
    Rejected,
    Resynced,
    Stale,
    Trade,
)
from trioquotes.topics import Books, Quotes, Topic, Trades

D = Decimal
KINDS: dict[Kind, type[Books | Trades | Quotes]] = {"books": Books, "trades": Trades, "quotes": Quotes}
NOON_NS = 1_700_049_600_000_000_000


def topic(kind: Kind, instrument: str = "BTC-USD") -> Topic[Event]:
    return KINDS[kind](instrument)


def trade(price: str, size: str = "1", at_ns: int = NOON_NS) -> Trade:
    return Trade(
        venue="coinbase",
        instrument="BTC-USD",
        received_ns=at_ns,
        price=D(price),
        size=D(size),
        taker_side="buy",
    )


def gap(kind: Kind = "books", instrument: str = "BTC-USD", at_ns: int = NOON_NS) -> Gap:
    return Gap(
        venue="coinbase",
        received_ns=at_ns,
        reason="disconnected",
        topic=topic(kind, instrument),
        instrument=instrument,
    )


def book(*bids: Level, asks: Sequence[Level] = ((D("11.00"), D("1.5")),)) -> OrderBook:
    made = OrderBook("BTC-USD")
    snapshot = BookSnapshot(
        venue="coinbase", instrument="BTC-USD", received_ns=0, bids=bids, asks=tuple(asks)
    )
    made.apply(snapshot)
    return made


def channel(kind: Kind, instrument: str = "BTC-USD", *, confirmed: bool = True) -> ChannelStatistics:
    return ChannelStatistics(
        topic=topic(kind, instrument), queued=0, buffer=10, queued_bytes=0, buffer_bytes=10, notice_bytes=0,
        delivered=0, dropped=0, replaced=0, oldest_received_ns=None, age_s=0.0, confirmed=confirmed, last_received_ns=1,
        lag_s=0.012, max_lag_s=0.5,
    )  # fmt: skip


NOTHING = TallyCount(0, 0, 0, 0, 0, {}, 0, 0)


def lane(*, connected: bool = True, failure: str = "", connections: int = 1) -> LaneStatistics:
    return LaneStatistics(
        lane="market", connected=connected, wanted=True, attempts=3, connections=connections, failure=failure,
        last_error="", count=NOTHING, last_frame_ns=None, last_data_ns=None, round_trip_s=None,
        smoothed_round_trip_s=None, budgets=(),
    )  # fmt: skip


def figures(*channels: ChannelStatistics, lanes: Sequence[LaneStatistics] = ()) -> SessionStatistics:
    return SessionStatistics(
        venue="coinbase",
        lanes=tuple(lanes) or (lane(),),
        channels=channels,
        budgets=(),
        audits=(),
        count=NOTHING,
    )


def model(*instruments: str, kinds: tuple[Kind, ...] = ("books", "trades")) -> Model:
    names = instruments or ("BTC-USD",)
    absent: dict[Kind, str] = {
        kind: f"coinbase serves no {kind}" for kind in ("books", "trades") if kind not in kinds
    }
    made = Model("coinbase", [Pane(name, kinds) for name in names], absent, 100.0)
    made.count(figures(*(channel(kind, name) for name in names for kind in kinds)), 100.0)
    return made


def live() -> Model:
    made = model()
    made.pane.face.look(book((D("10.50"), D("2")), (D("10.25"), D("0.125"))), 101.0)
    made.take(made.pane, "trades", trade("10.75", "0.5"), 101.0)
    return made


def drawn(
    shown: Model, width: int = 80, height: int = 24, look: Look = RICH, now_s: float = 110.0
) -> list[str]:
    lines = screen(shown, now_s, width, height, look)
    assert len(lines) == height
    assert {line.cell_len for line in lines} == {width}
    return [line.plain for line in lines]


def text(shown: Model, width: int = 80, height: int = 24) -> str:
    return "\n".join(drawn(shown, width, height))


def state(pane: Pane) -> str:
    return pane.state


# What is known -----------------------------------------------------------------------------------------


def test_a_book_a_tape_and_their_prices_are_shown() -> None:
    shown = text(live())
    assert "last 10.75" in shown
    assert "bid 10.50  ask 11.00  spread 0.5" in shown
    assert re.search(r"ask +11\.00 +1\.5", shown)
    assert re.search(r"bid +10\.25 +0\.125", shown)
    assert re.search(r"12:00:00(\.000)? +buy +10\.75 +0\.5", shown)
    assert "● live" in shown
    assert "lag 12 ms" in shown


def test_a_book_that_is_not_right_shows_no_level_and_says_why() -> None:
    shown = live()
    broken = book((D("10.50"), D(2)))
    broken.invalidate("line lost")
    shown.pane.face.look(broken, 102.0)
    shown.take(shown.pane, "books", gap(), 102.0)
    for view in shown.views[:2]:
        shown.view = view
        assert "the book is not right: line lost" in text(shown)
        assert "10.50" not in text(shown)
        assert "11.00" not in text(shown)
    assert "● gap" in text(shown)


def test_a_paused_book_says_that_it_is_old_and_that_it_is_not_right_any_more() -> None:
    shown = live()
    shown.press("p", 102.0)
    shown.take(shown.pane, "trades", trade("99"), 103.0)
    shown.pane.face.look(book((D("7.00"), D(2))), 103.0)
    assert "book, as it was 8.0 s ago" in text(shown)
    assert "PAUSED  ● live" in text(shown)
    assert "10.50" in text(shown)
    assert "7.00" not in text(shown)
    assert "99" not in text(shown)
    broken = book()
    broken.invalidate("line lost")
    shown.pane.face.look(broken, 104.0)
    assert "book, not right any more" in text(shown)
    shown.press("p", 105.0)
    assert "PAUSED" not in text(shown)
    assert "the book is not right" in text(shown)


def test_a_gap_of_the_trades_stands_on_the_tape_where_it_happened() -> None:
    shown = live()
    shown.take(shown.pane, "trades", gap("trades"), 102.0)
    shown.take(shown.pane, "trades", trade("10.77"), 103.0)
    shown.view = "tape"
    tape = [line for line in drawn(shown) if line.startswith("12:00")]
    assert [re.search(r"10\.75|gap|10\.77", line)[0] for line in tape] == ["10.77", "gap", "10.75"]  # type: ignore[index]


def test_what_was_dropped_here_stands_there_too() -> None:
    shown = live()
    lagged = Lagged(venue="coinbase", received_ns=NOON_NS, topic=topic("trades"), dropped=1234)
    shown.take(shown.pane, "trades", lagged, 102.0)
    assert "lagged: 1,234 events dropped here" in text(shown, 120)


def test_quotes_are_not_shown_as_right_after_a_gap() -> None:
    shown = model(kinds=("quotes",))
    pane = shown.pane
    quote = Quote(venue="coinbase", instrument="BTC-USD", received_ns=NOON_NS, bid=D("1.5"), ask=D("1.6"))
    shown.take(pane, "quotes", quote, 101.0)
    assert "bid 1.5  ask 1.6  spread 0.1" in text(shown)
    for width in (40, 80, 200):
        assert "coinbase serves no books" in text(shown, width)
        assert "coinbase serves no trades" in text(shown, width)
    shown.take(pane, "quotes", gap("quotes"), 102.0)
    assert state(pane) == "gap"
    assert "bid 1.5" not in text(shown)
    shown.take(pane, "quotes", quote, 103.0)
    assert state(pane) == "live"


def test_a_line_that_is_silent_makes_a_book_stale_until_something_comes() -> None:
    shown = live()
    stale = Stale(venue="coinbase", received_ns=NOON_NS, topic=topic("books"), silent_s=30.0)
    shown.take(shown.pane, "books", stale, 102.0)
    assert state(shown.pane) == "stale"
    assert "book, stale" in text(shown)
    change = BookSnapshot(venue="coinbase", instrument="BTC-USD", received_ns=0, bids=(), asks=())
    shown.take(shown.pane, "books", change, 103.0)
    assert state(shown.pane) == "live"


def test_before_anything_is_confirmed_it_says_why_it_waits() -> None:
    shown = Model("coinbase", [Pane("BTC-USD", ("books", "trades"))], {}, 100.0)
    away = lane(connected=False, failure="nothing listens there")
    shown.count(figures(channel("books", confirmed=False), lanes=[away]), 101.0)
    assert state(shown.pane) == "connecting"
    assert "connecting, attempt 3: nothing listens there" in text(shown)
    assert "waiting for the book" in text(shown)


def test_later_it_says_which_line_is_down() -> None:
    shown = live()
    away = lane(connected=False, failure="cut", connections=2)
    shown.count(figures(channel("books"), lanes=[away]), 101.0)
    assert "1 of 1 line down: cut" in text(shown)
    assert "1 reconnect" in text(shown, 120)


def test_a_lines_notice_that_comes_by_every_channel_is_said_once_and_a_second_one_again() -> None:
    shown = model("BTC-USD", "ETH-USD")
    for _ in range(2):
        for pane in shown.panes:
            for kind in pane.kinds:
                lost = Disconnected(venue="v", received_ns=NOON_NS, lane="market", connection=1, reason="cut")
                shown.take(pane, kind, lost, 101.0)
    assert shown.seen["Disconnected"] == 2
    assert len(shown.notices) == 2


def test_the_same_said_of_several_is_one_line() -> None:
    shown = model("BTC-USD", "ETH-USD")
    for pane in shown.panes:
        shown.take(pane, "books", gap("books", pane.instrument), 101.0)
    assert [said.whose for said in shown.notices] == [("books BTC-USD", "books ETH-USD")]
    shown.take(shown.panes[0], "books", gap("books"), 102.0)
    shown.take(shown.panes[1], "books", gap("books", "ETH-USD", NOON_NS + 10**10), 112.0)
    assert [said.whose for said in shown.notices][1:] == [("books BTC-USD",), ("books ETH-USD",)]
    assert shown.seen["Gap"] == 4


def test_a_refusal_is_said_once_and_where_the_panel_would_be() -> None:
    shown = live()
    refused = Rejected(venue="v", received_ns=NOON_NS, topic=topic("books"), reason="no such product")
    shown.take(shown.pane, "books", refused, 101.0)
    shown.end(shown.pane, "books", "no such product", NOON_NS)
    assert len(shown.notices) == 1
    assert state(shown.pane) == "ended"
    body = drawn(shown)[3:18]
    assert any("no such product" in line for line in body)


def test_words_of_a_venue_cannot_draw_on_the_terminal() -> None:
    shown = live()
    lost = Disconnected(venue="v", received_ns=NOON_NS, lane="market", connection=1, reason="a\x1b[2J\nb")
    shown.take(shown.pane, "books", lost, 101.0)
    shown.end(shown.pane, "trades", "x\x1b]0;y\x07", NOON_NS)
    assert "\x1b" not in text(shown)
    assert "\x07" not in text(shown)


# Keys --------------------------------------------------------------------------------------------------


def test_keys_switch_instruments_and_views() -> None:
    shown = model("A-B", "C-D", "E-F")
    assert [shown.press(key, 0.0) for key in ("tab", "right", "tab", "left", "2", "9")] == [None] * 6
    assert shown.pane.instrument == "C-D"
    seen = [shown.view]
    for _ in range(len(shown.views)):
        shown.press("v", 0.0)
        seen.append(shown.view)
    assert seen == ["market", "depth", "tape", "all", "notices", "market"]
    shown.press("V", 0.0)
    assert shown.view == "notices"
    assert shown.press("q", 0.0) == "quit"
    assert shown.press("redraw", 0.0) == "redraw"


def test_without_books_there_is_no_view_of_them() -> None:
    assert "depth" not in model(kinds=("quotes",)).views


def test_any_key_leaves_the_help_and_q_quits_from_it() -> None:
    shown = live()
    shown.press("?", 0.0)
    assert "pause" in text(shown)
    assert shown.press("q", 0.0) == "quit"
    shown.press("x", 0.0)
    assert not shown.is_help


# Exact, and of the right size --------------------------------------------------------------------------

NUMBERS = st.decimals(min_value=0, max_value=10**12, allow_nan=False, allow_infinity=False, places=None)


@given(st.lists(NUMBERS, min_size=1, max_size=8), st.booleans())
def test_a_figure_is_exact_and_its_point_stands_in_one_column(values: list[Decimal], in_full: bool) -> None:
    span = Span()
    for value in values:
        span.see(value)
    texts = [figure(value, span, in_full=in_full) for value in values]
    assert [D(one.strip().replace(",", "")) for one in texts] == values
    assert {len(one) for one in texts} == {span.width}
    assert len({one.index(".") for one in texts if "." in one}) <= 1


LEVELS = st.lists(st.tuples(NUMBERS, NUMBERS.filter(bool)), max_size=30, unique_by=lambda level: level[0])
TEXTS = st.text(max_size=40)


@st.composite
def models(draw: st.DrawFn) -> Model:
    names = draw(
        st.lists(st.sampled_from(["BTC-USD", "KRW-한국", "30000001", "X" * 30]), min_size=1, unique=True)
    )
    kinds: tuple[Kind, ...] = draw(
        st.sampled_from([("books", "trades"), ("books",), ("trades",), ("quotes",)])
    )
    made = model(*names, kinds=kinds)
    for pane in made.panes:
        if "books" in kinds:
            levels = sorted(draw(LEVELS), reverse=True)
            half = draw(st.integers(0, len(levels)))
            kept = book(*levels[half:], asks=levels[:half][::-1])
            if draw(st.booleans()):
                kept.invalidate(draw(TEXTS))
            pane.face.look(kept, 101.0)
        for kind in kinds:
            for one in draw(st.lists(st.sampled_from(["event", "gap", "up", "again", "end"]), max_size=4)):
                _happen(made, pane, kind, one, draw)
    made.view = draw(st.sampled_from(made.views))
    for key in draw(st.lists(st.sampled_from(["p", "?", "tab", "v"]), max_size=3)):
        made.press(key, 105.0)
    return made


def _happen(made: Model, pane: Pane, kind: Kind, what: str, draw: st.DrawFn) -> None:
    event: MarketEvent = Trade(
        venue="v", instrument=pane.instrument, received_ns=NOON_NS, price=draw(NUMBERS), size=draw(NUMBERS)
    )
    if kind == "quotes":
        event = Quote(
            venue="v", instrument=pane.instrument, received_ns=NOON_NS,
            bid=draw(st.none() | NUMBERS), ask=draw(st.none() | NUMBERS), price=draw(st.none() | NUMBERS),
        )  # fmt: skip
    if what == "end":
        made.end(pane, kind, draw(TEXTS), NOON_NS)
    elif what == "gap":
        made.take(
            pane, kind, Gap(venue="v", received_ns=NOON_NS, reason=draw(TEXTS), topic=topic(kind)), 102.0
        )
    elif what == "up":
        made.take(pane, kind, Connected(venue="v", received_ns=NOON_NS, lane="m", connection=2), 102.0)
    elif what == "again":
        made.take(pane, kind, Resynced(venue="v", received_ns=NOON_NS, topic=topic(kind)), 102.0)
    elif kind != "books":
        made.take(pane, kind, event, 102.0)


@given(models(), st.integers(1, 220), st.integers(1, 70), st.sampled_from([RICH, PLAIN]))
def test_whatever_happened_the_screen_has_exactly_the_terminals_size(
    shown: Model, width: int, height: int, look: Look
) -> None:
    for line in drawn(shown, width, height, look):
        assert line.isprintable()


@given(LEVELS, st.integers(20, 120))
def test_no_number_is_cut_unseen(levels: list[Level], width: int) -> None:
    levels.sort(reverse=True)
    shown = model()
    shown.pane.face.look(book(*levels[len(levels) // 2 :], asks=levels[: len(levels) // 2][::-1]), 101.0)
    numbers = {f"{number:,f}" for level in levels for number in level}
    exact = {D(number.replace(",", "")) for number in numbers}
    for line in drawn(shown, width, 40)[4:]:
        left = line[: (width - 1) // 2] if width >= 64 else line
        if re.match(r"(ask|bid)? +[\d,.]+", left) and RICH.more not in left:
            for number in re.findall(r"[\d,]+(?:\.\d+)?", left.replace(RICH.bar, "")):
                assert D(number.replace(",", "")) in exact


def test_columns_give_way_one_after_the_other_and_never_in_part() -> None:
    columns = [
        Column("a", [Text("12345")]),
        Column("b", [Text("67890")], gives_way=1),
        Column("c", [Text("55555")], gives_way=2),
    ]
    shown = [grid(columns, width, RICH)[1].plain.strip() for width in (19, 18, 12, 11, 5, 4)]
    assert shown == ["12345  67890  55555", "12345  67890", "12345  67890", "12345", "12345", "123…"]


def test_a_far_level_does_not_move_the_near_ones() -> None:
    face = Face()
    bids = [(D(100 - n), D(1)) for n in range(30)]
    face.look(book(*bids, asks=[(D(101 + n), D(1)) for n in range(30)] + [(D(10**9), D(1))]), 1.0)
    assert face.prices.whole == 3


def test_a_text_that_is_cut_says_so() -> None:
    assert fit(Text("abcdef"), 4, PLAIN).plain == "abc>"
    assert fit(Text("abc   "), 4, PLAIN).plain == "abc "
    assert fit(Text("가나다"), 4, RICH).cell_len == 4


@pytest.mark.parametrize(("width", "height"), [(80, 24), (40, 12), (200, 60)])
def test_every_usual_size_shows_both_best_prices_and_the_way_out(width: int, height: int) -> None:
    shown = text(live(), width, height)
    assert "10.50" in shown
    assert "11.00" in shown
    assert "q quit" in shown


# What the terminal is sent -----------------------------------------------------------------------------


class Screen:
    """A terminal that knows what the painter says, and nothing else."""

    def __init__(self, height: int) -> None:
        self.lines = [""] * height

    def take(self, sent: str) -> None:
        row = 0
        for part in re.findall(r"\x1b\[[0-9;]*[A-Za-z]|[^\x1b]+", sent):
            if part == "\x1b[2J":
                self.lines = [""] * len(self.lines)
            elif moved := re.fullmatch(r"\x1b\[(\d+);1H", part):
                row = int(moved[1]) - 1
                self.lines[row] = ""
            elif not part.startswith("\x1b"):
                self.lines[row] += part
            else:
                assert part.endswith("m"), part


@given(
    st.lists(st.lists(st.sampled_from(["a", "b", "ab", ""]), min_size=3, max_size=3), max_size=6), st.data()
)
def test_the_terminal_shows_the_last_screen_whatever_was_sent_before(
    screens: list[list[str]], data: st.DataObject
) -> None:
    painter, terminal = Painter(without_colour=True), Screen(3)
    for one in screens:
        if data.draw(st.booleans()):
            painter.forget()
        lines = [fit(Text(line, style=data.draw(st.sampled_from(["", "bold red"]))), 2, RICH) for line in one]
        terminal.take(painter.paint(lines, (2, 3)))
        assert terminal.lines == [line.plain for line in lines]


def test_what_did_not_change_is_not_sent_again() -> None:
    painter = Painter(without_colour=True)
    assert "hello" in painter.paint([Text("hello"), Text("a")], (5, 2))
    assert painter.paint([Text("hello"), Text("a")], (5, 2)) == ""
    assert "hello" not in painter.paint([Text("hello"), Text("b")], (5, 2))
    assert "hello" in painter.paint([Text("hello"), Text("b")], (6, 2))


def test_no_colour_leaves_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    red = [Text("x", style="bold red")]
    assert "31" in Painter(without_colour=False).paint(red, (1, 1))
    assert "31" not in Painter(without_colour=True).paint(red, (1, 1))
    assert "\x1b[1m" in Painter(without_colour=True).paint(red, (1, 1))
    monkeypatch.setenv("NO_COLOR", "1")
    assert "31" not in Painter(without_colour=False).paint(red, (1, 1))
