"""The short way of a message that is like the one before: it leads where the long way leads."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.venues.bench import Bench, Outbox
from tests.venues.upbit.market import MS, book, ladder, said, served, trade
from trioquotes.events import BookSnapshot, Gap, Resynced
from trioquotes.events import Trade as TradeEvent
from trioquotes.topics import Books, Tickers, Trades
from trioquotes.venues.upbit import VENUE
from trioquotes.venues.upbit.doors import BookDoor, Doors
from trioquotes.venues.upbit.messages import Orderbook, Trade

Deep = Sequence[tuple[float, float, float, float]]

DEEP = ladder(30)
CROSSED = [(116.0, 1.0, 116.5, 2.0), *((117.0 + at, 1.0, 116.0 - at, 2.0) for at in range(29))]


def deep(at: int, rows: Deep = DEEP) -> str:
    """A book of all levels, so many milliseconds later."""
    return book(*rows, timestamp=MS + at)


class Ways:
    """Which messages went the short way."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.short: list[bool] = []
        take_book, take_trade = BookDoor.take, Doors.take_trade

        def book_taken(door: BookDoor, message: Orderbook, *rest: object) -> bool:
            self.short.append(take_book(door, message, *rest))  # type: ignore[arg-type]  # whatever it is given
            return self.short[-1]

        def trade_taken(doors: Doors, message: Trade) -> bool:
            self.short.append(take_trade(doors, message))
            return self.short[-1]

        monkeypatch.setattr(BookDoor, "take", book_taken)
        monkeypatch.setattr(Doors, "take_trade", trade_taken)


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> Ways:
    return Ways(monkeypatch)


def opened(play: Bench) -> Outbox:
    """A kept book whose next message may go the short way."""
    box = play.subscribe(Books("KRW-BTC"))
    served(play, box)
    for at in range(2):  # levels count as looked at from the second message of a shape on
        play.server(deep(at))
    assert [type(event) for event in box.take()] == [BookSnapshot] * 2
    return box


def test_books_and_trades_in_order_go_the_short_way(ways: Ways) -> None:
    play = Bench(VENUE)
    box = opened(play)
    trades = play.subscribe(Trades("KRW-BTC"))
    served(play, trades)
    box.take()
    play.server(deep(2), trade(1))
    ways.short.clear()
    play.server(deep(3), trade(2), deep(3), trade(3))
    assert ways.short == [True] * 4
    assert [type(event) for event in box.take()] == [BookSnapshot] * 3
    assert len(trades.take()) == 3
    tally = play.line().state.tally
    assert (tally.malformed, tally.gaps, tally.folded) == (0, 0, 0)


def test_a_book_that_is_crossed_for_one_message_is_not_asked_for_when_the_next_one_is_right(
    ways: Ways,
) -> None:
    play = Bench(VENUE)
    box = opened(play)
    play.server(deep(5), deep(6, CROSSED), deep(7))
    assert ways.short[-3:] == [True] * 3
    assert [type(event) for event in box.take()] == [BookSnapshot, Gap, BookSnapshot, Resynced]
    play.advance(30.0)
    assert said(play) == []


def test_a_crossed_book_is_asked_for(ways: Ways) -> None:
    play = Bench(VENUE)
    box = opened(play)
    play.server(deep(5), deep(6, CROSSED))
    assert ways.short[-2:] == [True] * 2
    assert len(said(play)) == 1
    assert [type(event) for event in box.take()] == [BookSnapshot, Gap]


@pytest.mark.parametrize(
    ("frame", "gap"),
    [
        (deep(1), True),
        (deep(6, DEEP[:29]), False),
        (deep(6, [*DEEP, (147.0, 1.0, 86.0, 2.0)]), True),
        (deep(6).replace('"level":0', '"level":10'), True),
        (deep(6).replace('"ask_size":1.0', '"ask_size":0.0', 1), True),
        (deep(6).replace('"ask_size":1.0', '"ask_size":-1.0', 1), True),
        (deep(6).replace("117.0", "118.0"), True),
    ],
    ids=["older", "shallower", "deeper", "grouped", "empty", "negative", "order"],
)
def test_a_message_that_is_not_plainly_the_book_goes_the_long_way(frame: str, gap: bool, ways: Ways) -> None:
    play = Bench(VENUE)
    box = opened(play)
    play.server(deep(5))
    ways.short.clear()
    box.take()
    play.server(frame)
    assert True not in ways.short
    assert [type(event) for event in box.take()] == ([Gap] if gap else [BookSnapshot])


def test_a_request_closes_the_short_ways_until_it_is_answered(ways: Ways) -> None:
    play = Bench(VENUE)
    box = opened(play)
    trades = play.subscribe(Trades("KRW-BTC"))
    served(play, trades)
    play.server(deep(5), trade(1), deep(6), trade(2))
    play.subscribe(Tickers("KRW-BTC"))
    assert len(said(play)) == 1
    ways.short.clear()
    for _ in range(2):
        play.server(deep(7), trade(3))
    assert True not in ways.short[:2]
    play.server(deep(7, DEEP[:29]).replace("REALTIME", "SNAPSHOT"))
    play.server(deep(8), deep(9))
    assert ways.short[-1]
    assert not [event for event in box.take() if isinstance(event, Gap)]


def test_a_trade_that_comes_again_is_handed_over_once(ways: Ways) -> None:
    play = Bench(VENUE)
    trades = play.subscribe(Trades("KRW-BTC"))
    served(play, trades)
    play.server(trade(1), trade(2))
    assert ways.short[-1]
    play.server(trade(2), trade(1), trade(3))
    assert ways.short[-3:] == [False, False, True]
    assert len(trades.take()) == 3
    assert play.line().state.tally.ignored["duplicate"] == 2


def test_a_trade_that_answers_a_request_never_goes_the_short_way(ways: Ways) -> None:
    play = Bench(VENUE)
    trades = play.subscribe(Trades("KRW-BTC"))
    served(play, trades)
    play.server(trade(1), trade(2), trade(2, stream="SNAPSHOT"))
    assert ways.short[-2:] == [True, False]
    assert len(trades.take()) == 2
    assert play.line().state.tally.ignored["history"] == 2  # with the one of before
    play.server(trade(9, stream="SNAPSHOT"))  # which passed unseen
    assert not ways.short[-1]
    assert [type(event) for event in trades.take()] == [Gap, TradeEvent]
