"""What the demo knows and how it shows it, on screens of every size."""

from __future__ import annotations

import io
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from trioquotes._protocol.tally import TallyCount
from trioquotes.cli.board import Board, digits_of
from trioquotes.cli.table import ASCII, UNICODE, Glyphs, aligned, notice_line, plain_rows, screen, summary
from trioquotes.events import (
    BookChange,
    BookSnapshot,
    Connected,
    Disconnected,
    Event,
    Gap,
    Lagged,
    Level,
    Quote,
    Resynced,
    Stale,
    Trade,
)
from trioquotes.topics import Books, Trades

D = Decimal


def snapshot(
    *bids: Level, asks: tuple[Level, ...] = ((D("11.00"), D(1)),), instrument: str = "BTC-USD"
) -> Event:
    return BookSnapshot(venue="coinbase", instrument=instrument, received_ns=0, bids=bids, asks=asks)


def trade(price: str, instrument: str = "BTC-USD") -> Event:
    return Trade(
        venue="coinbase", instrument=instrument, received_ns=0, price=D(price), size=D(1), taker_side="buy"
    )


def gap(topic: Books | Trades, missed: int | None = None) -> Event:
    return Gap(
        venue="coinbase",
        instrument=topic.instrument,
        topic=topic,
        received_ns=0,
        reason="disconnected",
        missed=missed,
    )


def connected(number: int) -> Event:
    return Connected(venue="coinbase", received_ns=0, lane="market", connection=number)


LOST = Disconnected(
    venue="coinbase", received_ns=0, lane="market", connection=1, reason="cut\x1b[2J", code=1006
)


def board(*events: Event, instruments: tuple[str, ...] = ("BTC-USD",)) -> Board:
    made = Board(100.0)
    for instrument in instruments:
        made.add("coinbase", instrument)
    for at, event in enumerate(events):
        made.take(event, 100.0 + at, "one session")
    return made


def drawn(shown: Board, width: int, height: int, glyphs: Glyphs = UNICODE, now_s: float = 200.0) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, no_color=True)
    with console.capture() as capture:
        console.print(screen(shown, now_s, width, height, glyphs))
    return capture.get().splitlines()


def test_a_row_shows_the_last_trade_and_the_best_of_the_book() -> None:
    shown = board(snapshot((D("10"), D(2))), trade("10.5"), trade("10.4"))
    (line,) = [line for line in drawn(shown, 100, 24) if "BTC-USD" in line]
    assert line.split() == ["coinbase", "BTC-USD", "10.4", "▼", "10.0", "11.0", "1.0", "0.0", "●", "live"]


def test_a_change_moves_the_best_price() -> None:
    shown = board(snapshot((D("10"), D(2)), (D("9"), D(1))))
    change = BookChange(venue="coinbase", instrument="BTC-USD", received_ns=0, bids=((D("10"), D(0)),))
    shown.take(change, 105.0, "one session")
    row = shown.rows["coinbase", "BTC-USD"]
    assert (row.bid.value, row.bid.direction, row.bid.moved_s) == (D(9), -1, 105.0)


def test_between_gap_and_resynced_no_price_of_the_book_is_shown() -> None:
    shown = board(snapshot((D("10"), D(2))), gap(Books("BTC-USD")))
    row = shown.rows["coinbase", "BTC-USD"]
    assert (row.state, row.bid.value, row.ask.value, row.spread) == ("gap", None, None, None)
    assert "recovering" in drawn(shown, 80, 24)[0]
    shown.take(snapshot((D("12"), D(2)), asks=((D(13), D(1)),)), 103.0, "one session")
    assert row.state == "gap", "the snapshot alone does not say that the book is right"
    resynced = Resynced(venue="coinbase", instrument="BTC-USD", topic=Books("BTC-USD"), received_ns=0)
    shown.take(resynced, 104.0, "one session")
    assert (row.state, row.bid.value) == ("live", D(12))


def test_quotes_show_where_a_venue_keeps_no_book() -> None:
    quote = Quote(venue="coinbase", instrument="BTC-USD", received_ns=0, bid=D("1.5"), ask=D("1.75"))
    row = board(quote).rows["coinbase", "BTC-USD"]
    assert (row.state, row.bid.value, row.ask.value, row.spread, row.last.value) == (
        "live", D("1.5"), D("1.75"), D("0.25"), None,
    )  # fmt: skip
    row.take(Quote(venue="coinbase", instrument="BTC-USD", received_ns=0, price=D(7)), 101.0)
    assert (row.bid.value, row.spread, row.last.value) == (None, None, D(7))


def test_a_gap_of_the_trades_leaves_the_book_alone() -> None:
    shown = board(snapshot((D("10"), D(2))), gap(Trades("BTC-USD"), missed=3))
    assert shown.rows["coinbase", "BTC-USD"].state == "live"
    assert shown.notices[-1].text == "trades BTC-USD: disconnected, 3 missed"


def test_a_line_that_comes_back_is_recovered_and_a_first_one_is_not() -> None:
    shown = board(connected(1), LOST)
    assert shown.recovered == 0
    shown.take(connected(1), 105.0, "another session")
    assert shown.recovered == 0, "the lines of sessions have the same names"
    shown.take(connected(2), 106.0, "one session")
    assert shown.recovered == 1


def test_every_notice_is_a_line_of_plain_text() -> None:
    lagged = Lagged(venue="coinbase", topic=Trades("BTC-USD"), received_ns=0, dropped=7)
    stale = Stale(venue="coinbase", topic=Trades("BTC-USD"), received_ns=0, silent_s=10.0)
    shown = board(connected(1), LOST, lagged, stale)
    shown.drop("coinbase drops its connection 1", 199.0)
    assert [notice_line(said) for said in shown.notices] == [
        "  0:00  Connected     one session: market line, connection 1",
        "  0:01  Disconnected  one session: cut [2J",
        "  0:02  Lagged        trades BTC-USD: 7 events dropped here",
        "  0:03  Stale         trades BTC-USD: silent for 10 s",
        "  1:39  demo          coinbase drops its connection 1",
    ]


def test_with_several_venues_a_notice_names_its_own() -> None:
    shown = board()
    shown.add("upbit", "KRW-BTC")
    shown.take(connected(1), 100.0, "one session")
    assert shown.notices[-1].text.startswith("coinbase one session: ")


def test_prices_of_different_digits_stand_point_under_point() -> None:
    values = [(D("81222.5"), 2), (D("0.00001306"), 2), (None, 2), (D("93.0200000000"), 2), (D("7"), 0)]
    assert aligned(values, "-") == [
        "81,222.50      ",
        "     0.00001306",
        "              -",
        "    93.02      ",
        "     7         ",
    ]


@given(
    st.decimals(allow_nan=False, allow_infinity=False, min_value=D("-1e12"), max_value=D("1e12"), places=9)
)
def test_an_aligned_price_is_exact(value: Decimal) -> None:
    (text,) = aligned([(value, 2)], "-")
    assert D(text.replace(",", "")) == value
    assert digits_of(value) <= 9


@given(
    width=st.integers(12, 200),
    height=st.integers(4, 60),
    count=st.integers(0, 30),
    glyphs=st.sampled_from([ASCII, UNICODE]),
)
def test_the_screen_fits_every_terminal(width: int, height: int, count: int, glyphs: Glyphs) -> None:
    instruments = tuple(f"COIN{n}-USD" for n in range(count))
    shown = board(connected(1), LOST, *(gap(Books(name)) for name in instruments), instruments=instruments)
    for name in instruments[::2]:
        shown.take(snapshot((D("10"), D(2)), instrument=name), 150.0, "one session")
    lines = drawn(shown, width, height, glyphs)
    assert len(lines) <= height
    assert all(len(line) <= width for line in lines)


def test_a_usual_terminal_shows_every_column_whole_and_the_latest_notices() -> None:
    events = [snapshot((D("81222.48"), D(2)), asks=((D("81222.60000000"), D(1)),)), trade("81222.5")]
    shown = board(*events, *[gap(Trades("BTC-USD"), n) for n in range(50)])
    lines = drawn(shown, 80, 24)
    assert len(lines) == 24
    assert "…" not in "".join(lines)
    assert lines[2].split() == ["venue", "instrument", "last", "bid", "ask", "spread", "msg/s", "book"]
    assert "81,222.50" in lines[3]
    assert "81,222.60" in lines[3]
    assert "49 missed" in lines[-3]


def test_instruments_without_room_are_counted() -> None:
    shown = board(instruments=tuple(f"COIN{n}-USD" for n in range(20)))
    lines = drawn(shown, 80, 16)
    assert "13 instruments more" in lines[-1]


def test_an_ascii_terminal_gets_ascii_signs() -> None:
    shown = board(snapshot((D("10"), D(2))), trade("10"), trade("11"))
    line = drawn(shown, 80, 24, ASCII)[3]
    assert line.isascii()
    assert "11 +" in line


def test_plain_rows_are_aligned() -> None:
    shown = board(trade("10"), trade("9000.125", "ETH-USD"), instruments=("BTC-USD", "ETH-USD"))
    first, second = plain_rows(shown, 165.0)
    assert first.index("10 ") + 2 == second.index("9,000.125") + 5
    assert len(first) == len(second)
    assert first.startswith("  1:05  coinbase  BTC-USD  last")


@pytest.mark.parametrize(("dropped", "said"), [(1, "1 line dropped"), (2, "2 lines dropped")])
def test_the_summary_adds_up_per_venue(dropped: int, said: str) -> None:
    shown = board(trade("10"), gap(Books("BTC-USD")))
    for _ in range(dropped):
        shown.drop("x", 150.0)
    count = TallyCount(
        frames=5, bytes=9, elements=10, delivered=4, folded=3, ignored={"a": 1, "b": 1}, malformed=1, gaps=0
    )
    shown.ended("coinbase", count)
    shown.ended("coinbase", count)
    lines = summary(shown, 165.0)
    assert lines[0] == "trioquotes demo: 1 event in 1:05"
    assert lines[1].split() == ["frames", "elements", "delivered", "folded", "ignored", "malformed"]
    assert lines[2].split() == ["coinbase", "10", "20", "8", "6", "4", "2"]
    assert all(len(line) < 80 for line in lines)
    assert said in lines[-1]


def test_the_summary_of_several_venues_has_a_sum() -> None:
    shown = board()
    shown.add("upbit", "KRW-BTC")
    count = TallyCount(frames=1, bytes=9, elements=2, delivered=1, folded=1, ignored={}, malformed=0, gaps=0)
    shown.ended("upbit", count)
    shown.ended("coinbase", count)
    lines = summary(shown, 165.0)
    assert [line.split()[:3] for line in lines[2:5]] == [
        ["coinbase", "1", "2"], ["upbit", "1", "2"], ["all", "2", "4"],
    ]  # fmt: skip


@pytest.mark.parametrize("width", [30, 40, 60])
def test_the_summary_is_broken_between_words_where_the_terminal_is_narrow(width: int) -> None:
    shown = board()
    count = TallyCount(
        frames=1234567, bytes=9, elements=1234567, delivered=1234567, folded=0, ignored={"a": 1}, malformed=0, gaps=0
    )  # fmt: skip
    shown.ended("coinbase", count)
    lines = summary(shown, 165.0, width)
    assert max(map(len, lines)) <= width
    said = " ".join(" ".join(lines).split())
    assert "coinbase: frames 1,234,567, elements 1,234,567, delivered 1,234,567, folded 0, ignored 1," in said
    assert "0 lines dropped on purpose, 0 recovered; 0 gaps said, 0 books resynced" in said
    assert summary(shown, 165.0, 80) == summary(shown, 165.0), "where the table fits it stays one"


def test_five_venues_of_very_different_prices_fit_a_usual_terminal() -> None:
    shown = Board(100.0)
    for venue, instrument, price in (
        ("coinbase", "BTC-USD", "81222.50000000"), ("upbit", "KRW-BTC", "116529000.00"), ("zonda", "USDT-PLN", "4.0312"),
        ("edgex", "30000001", "82862.5"), ("darwinex", "DWC.4.20", "104.25"),
    ):  # fmt: skip
        shown.add(venue, instrument)
        quote = Quote(
            venue=venue, instrument=instrument, received_ns=0, bid=D(price), ask=D(price), price=D(price)
        )
        shown.take(quote, 101.0, "one session")
    lines = drawn(shown, 80, 24)
    assert lines[2].split() == ["venue", "instrument", "last", "bid", "ask", "spread", "msg/s", "book"]
    assert "…" not in "".join(lines)
    assert lines[4].split()[:5] == ["upbit", "KRW-BTC", "116,529,000", "116,529,000", "116,529,000"]


@pytest.mark.parametrize(
    ("width", "gone"),
    [
        (46, {"venue"}),
        (40, {"venue", "msg/s"}),
        (30, {"venue", "msg/s", "spread"}),
        (20, {"venue", "msg/s", "spread", "ask", "bid"}),
    ],
)
def test_a_narrow_terminal_leaves_columns_out_instead_of_cutting_them(width: int, gone: set[str]) -> None:
    shown = board(snapshot((D("10"), D(2))), trade("10.5"))
    head, line = drawn(shown, width, 24)[2:4]
    left = {"venue", "instrument", "last", "bid", "ask", "spread", "msg/s", "book"} - set(head.split())
    assert gone <= left
    assert "BTC-USD" in line
    assert "…" not in line
