"""Frames full of what cannot be read: little is said, all of it is counted, and nobody is left without a word."""

from __future__ import annotations

import time
from collections.abc import Iterable

import pytest

from tests.venues.bench import Bench, Outbox
from tests.venues.upbit.case import CASE
from tests.venues.upbit.market import book, compact, trade
from trioquotes.events import Gap, Malformed, Trade, Unknown
from trioquotes.topics import Books, Trades
from trioquotes.venues.upbit.complaints import GIVEN_UP_AFTER, SAID

MANY = 100_000
BAD = '{"type":"trade","code":"KRW-BTC"}'
CPU_S = 5.0


def served() -> tuple[Bench, Outbox, Outbox]:
    """Trades of one market and the book of another, both confirmed."""
    play = Bench(CASE.venue, credentials=CASE.credentials)
    boxes = [play.subscribe(topic) for topic in (Trades("KRW-BTC"), Books("KRW-ETH"))]
    play.settle(CASE.server, patience_s=30.0)
    for box in boxes:
        box.take()
    return play, boxes[0], boxes[1]


def listed(objects: Iterable[str]) -> str:
    return f"[{','.join(objects)}]"


@pytest.mark.parametrize(
    ("spoilt", "kind"),
    [(BAD, Malformed), ("{}", Malformed), ("7", Malformed), ('{"type":"what is %d"}', Unknown)],
    ids=["a trade without figures", "no type", "no object", "all of different unknown types"],
)
def test_a_frame_of_a_hundred_thousand_bad_objects_is_a_few_notices(
    spoilt: str, kind: type[Malformed | Unknown]
) -> None:
    play, trades, _ = served()
    (line,) = play.lines
    before = line.state.tally.count()
    frame = listed(spoilt % number if "%" in spoilt else spoilt for number in range(MANY))
    started_s = time.process_time()
    line.server(frame)
    assert time.process_time() - started_s < CPU_S
    after = line.state.tally.count()
    assert after.elements == before.elements + MANY
    assert after.frames == before.frames + 1
    said = [notice for notice in trades.take() if isinstance(notice, Malformed | Unknown)]
    assert len(said) == SAID + 2
    assert [type(notice) for notice in said[:-1]] == [kind] * (SAID + 1)
    assert all(notice.frame == frame.encode() for notice in said)
    assert f"{GIVEN_UP_AFTER - SAID} more objects" in str(said[-2])
    assert isinstance(said[-1], Malformed)
    assert f"the {MANY - GIVEN_UP_AFTER} behind them were not looked at" in said[-1].reason


def test_how_many_more_there_were_is_said_before_the_next_message_of_the_frame() -> None:
    play, trades, _ = served()
    (line,) = play.lines
    line.server(listed([*[BAD] * 10, trade(sequential_id=7_000), *[BAD] * SAID, trade(sequential_id=7_001)]))
    told = trades.take()
    kinds = [type(event) for event in told]
    assert kinds == [*[Malformed] * (SAID + 1), Trade, *[Malformed] * SAID, Trade]
    more = told[SAID]
    assert isinstance(more, Malformed)
    assert more.reason == f"{10 - SAID} more objects of this frame do not decode"


def test_every_topic_hears_of_its_own_bad_objects_however_many_there_are_of_another() -> None:
    play, trades, books = served()
    (line,) = play.lines
    wrong_book = '{"type":"orderbook","code":"KRW-ETH","orderbook_units":7}'
    line.server(listed([*[BAD] * 50, wrong_book]))
    assert [type(event) for event in trades.take()] == [Malformed] * (SAID + 1)
    told = books.take()
    assert [type(event) for event in told] == [Malformed, Gap], "and its book is said to be wrong"


def test_what_was_not_looked_at_may_have_been_a_book() -> None:
    play, trades, books = served()
    (line,) = play.lines
    left = book(code="KRW-ETH")
    line.server(listed([*[BAD] * GIVEN_UP_AFTER, left]))
    assert any(isinstance(event, Gap) for event in books.take())
    assert not any(isinstance(event, Trade) for event in trades.take())
    assert line.state.tally.count().malformed == GIVEN_UP_AFTER + 1


def test_bad_objects_below_the_limit_hide_no_good_one() -> None:
    play, trades, _ = served()
    (line,) = play.lines
    line.server(listed([*[BAD] * (GIVEN_UP_AFTER - 1), trade(sequential_id=8_000)]))
    assert sum(isinstance(event, Trade) for event in trades.take()) == 1


def test_a_frame_of_one_object_is_said_as_it_was() -> None:
    play, trades, _ = served()
    (line,) = play.lines
    for _ in range(10):
        line.server(BAD)
    told = trades.take()
    assert len(told) == 10
    assert compact({"type": "trade", "code": "KRW-BTC"}).encode() == told[0].frame  # type: ignore[attr-defined]  # all are Malformed
