"""Snapshots over HTTP, to compare kept books with."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
import pytest

from tests.venues.bench import Bench, Outbox
from tests.venues.zonda.feed import TEN, answer, book, change, compact, confirm, requests
from trioquotes._protocol.audit import Watch
from trioquotes._protocol.bookkeeper import PriceFeed
from trioquotes._protocol.codec import BadFrame
from trioquotes._protocol.effects import Audit, Endpoint, Options, Receipt, WireChannel
from trioquotes.events import Audited, BookSnapshot, LevelDifference
from trioquotes.topics import Books, Depths, Quotes, Topic, Trades
from trioquotes.venues import zonda
from trioquotes.venues.zonda import VENUE
from trioquotes.venues.zonda.audit import book_audit, read_book

D = Decimal
LIMITED = WireChannel("orderbook-limited", "BTC-PLN", "10")
WHOLE = WireChannel("orderbook", "BTC-PLN")
ENDPOINT = VENUE.endpoints["production"]
OPTIONS = Options(ENDPOINT)


def audit_of(topic: Topic[Any]) -> Audit | None:
    return VENUE.serve(topic, OPTIONS).audit


def body(value: Any) -> bytes:
    return compact(value).encode()


def ladder(first: int, last: int) -> list[tuple[str, str]]:
    return [(str(price), "1") for price in range(first, last)]


@pytest.mark.parametrize(
    ("topic", "path"),
    [
        (Books("BTC-PLN"), "orderbook/BTC-PLN"),
        (Books("BTC-PLN", 20), "orderbook-limited/BTC-PLN/50"),
        (Depths("BTC-PLN"), "orderbook-limited/BTC-PLN/10"),
        (Depths("BTC-PLN", 200), "orderbook/BTC-PLN"),
    ],
)
def test_snapshot_is_asked_for_on_the_path_of_the_channel(topic: Topic[Any], path: str) -> None:
    audit = audit_of(topic)
    assert audit is not None
    assert audit.request.url == f"https://api.zondacrypto.exchange/rest/trading/{path}"
    assert (audit.request.method, audit.request.headers) == ("GET", (("Content-Type", "application/json"),))
    assert audit.cost == {"rest": 1}


@pytest.mark.parametrize(
    "topic",
    [Trades("BTC-PLN"), Quotes("BTC-PLN"), zonda.OrderBooks("BTC-PLN"), zonda.LimitedOrderBooks("BTC-PLN")],
)
def test_what_keeps_no_book_is_not_audited(topic: Topic[Any]) -> None:
    assert audit_of(topic) is None


def test_no_audit_without_rest() -> None:
    assert book_audit(Endpoint("ws://localhost"), WHOLE) is None
    options = attrs.evolve(OPTIONS, endpoint=Endpoint("ws://localhost"))
    assert VENUE.serve(Books("BTC-PLN"), options).audit is None


def test_window_is_read_as_the_channel_has_it() -> None:
    found = read_book(LIMITED, body(book(77)), Receipt(5))
    assert found == BookSnapshot(
        venue="zonda",
        instrument="BTC-PLN",
        venue_time_ns=1644899040000 * 10**6,
        received_ns=5,
        sequence=77,
        bids=((D(100), D(2)), (D(99), D(1))),
        asks=((D(101), D(3)), (D(102), D(4))),
        depth=10,
    )


@pytest.mark.parametrize(
    ("buy", "sell", "depth"),
    [
        (ladder(1, 300), ladder(1000, 1299), None),
        (ladder(1, 301), ladder(1000, 1001), 300),
        (ladder(1, 2), ladder(1000, 1300), 300),
    ],
)
def test_whole_book_is_whole_only_if_neither_side_was_cut(buy: Any, sell: Any, depth: int | None) -> None:
    found = read_book(WHOLE, body(book(77, buy=buy, sell=sell)), Receipt(5))
    assert (found.depth, len(found.bids), len(found.asks)) == (depth, len(buy), len(sell))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "truncated"),
        (b"[]", "Expected `object`"),
        (body({"status": "Fail", "errors": ["UNDER_MAINTENANCE"]}), "UNDER_MAINTENANCE"),
        (body({"status": "Fail"}), "refused"),
        (body({"status": "Ok", "sell": [], "buy": []}), "seqNo"),
        (body(book(1, buy=[("99", "-1")])), "a negative amount at $.body.buy[0].ca: -1"),
        (body(book(1, sell=[("0", "1")])), "a price that is not positive at $.body.sell[0].ra: 0"),
        (
            body(book(1, buy=[("99", "1"), ("99.0", "1")])),
            "a price that is there twice at $.body.buy[1].ra: 99.0",
        ),
        (
            body(book(1, sell=ladder(100, 111))),
            "window larger than promised: 11 prices at $.body.sell, not 10",
        ),
        (
            body(book(1, buy=[("101", "1")], sell=[("101.0", "1")])),
            "bids up to 101 and asks from 101.0 on at $",
        ),
        (body(book(1, buy=[("NaN", "1")])), "NaN"),
    ],
)
def test_what_is_no_book_is_refused(answer: bytes, reason: str) -> None:
    with pytest.raises(BadFrame) as refused:
        read_book(LIMITED, answer, Receipt(5))
    assert reason in refused.value.reason


# Against a kept book.


def live(topic: Topic[Any], path: str, snapshot: Any) -> tuple[Bench, Outbox]:
    play = Bench(VENUE)
    box = play.subscribe(topic)
    play.connect()
    play.writer()
    play.server(confirm(path))
    refresh(play, snapshot)
    box.take()
    return play, box


def refresh(play: Bench, snapshot: Any) -> None:
    (asked,) = requests(play.writer())
    play.server(answer(asked["requestId"], snapshot))


def watched(play: Bench, box: Outbox) -> PriceFeed:
    feed = play.planner.feeds[box.topic]
    assert isinstance(feed, PriceFeed)
    feed.watch = Watch(feed.book)
    return feed


def judged(play: Bench, box: Outbox, feed: PriceFeed, fetched: Any) -> int | None:
    audit = audit_of(box.topic)
    assert audit is not None
    return play.line().state.audit(feed, audit.read(body(fetched), Receipt(5)), play.receipt())


def test_book_that_is_right_passes_and_one_that_is_not_is_asked_for_anew() -> None:
    play, box = live(Books("BTC-PLN", 10), TEN, book(100))
    feed = watched(play, box)
    play.server(change(101, ("Buy", "100", "7")))
    box.take()
    assert judged(play, box, feed, book(100)) == 0
    assert box.take() == []
    feed = watched(play, box)
    assert judged(play, box, feed, book(101, buy=[("99", "1"), ("100", "8")])) == 1
    audited, gap = box.take()
    assert isinstance(audited, Audited)
    assert (audited.compared, audited.differing) == (4, 1)
    (difference,) = audited.differences
    assert difference == LevelDifference("bid", D(100), D(7), D(8))
    assert type(gap).__name__ == "Gap"
    refresh(play, book(101, buy=[("99", "1"), ("100", "8")]))
    assert box.kinds() == ["BookSnapshot", "Resynced"]


PATH = "orderbook/btc-pln"


def test_only_what_both_know_of_a_book_that_was_cut_is_compared() -> None:
    play, box = live(Books("BTC-PLN"), PATH, book(1, buy=ladder(700, 1000), sell=[("1001", "1")]))
    feed = watched(play, box)
    play.server(change(2, *(("Buy", str(price), None) for price in range(950, 1000)), path=PATH))
    # 50 prices that the kept book does not know are no differences, nor is what it knows and the snapshot has not.
    assert judged(play, box, feed, book(2, buy=ladder(650, 950), sell=[("1001", "1")])) == 0
    feed = watched(play, box)
    assert judged(play, box, feed, book(2, buy=ladder(651, 951), sell=[("1001", "1")])) == 1


def test_what_was_not_known_for_a_while_is_not_compared() -> None:
    """The horizon came nearer, a price changed beyond it, and a new snapshot moved it away again."""
    play, box = live(Books("BTC-PLN"), PATH, book(1, buy=ladder(700, 1000), sell=[("2001", "1")]))
    feed = watched(play, box)
    play.server(
        change(2, *(("Buy", str(price), "1") for price in range(1000, 1010)), path=PATH),
        change(3, *(("Buy", str(price), None) for price in range(850, 1000)), path=PATH),
        change(4, ("Buy", "705", "5"), path=PATH),
    )
    best = ladder(706, 850) + ladder(1000, 1010)
    fetched = book(4, buy=[("705", "5"), *best], sell=[("2001", "1")])
    play.server(change(5, ("Buy", "705", "6"), path=PATH))
    refresh(play, book(5, buy=[("705", "6"), *best], sell=[("2001", "1")]))
    assert feed.book.size_at("bid", D(705)) == 6
    assert judged(play, box, feed, fetched) == 0
