"""The short way of a change that is like those before it: it leads where the long way leads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.venues.bench import Bench, Outbox
from tests.venues.edgex.feed import BTC, ETH, Feed, best, compact, depth, error, quote, served, trades
from trioquotes._protocol.effects import WireChannel
from trioquotes.events import BookChange, BookSnapshot, Event, Gap, Malformed
from trioquotes.topics import Books, Topic, Trades
from trioquotes.venues import edgex
from trioquotes.venues.edgex import VENUE
from trioquotes.venues.edgex.chain import Chain
from trioquotes.venues.edgex.doors import Doors

TOPICS: tuple[Topic[Event], ...] = (
    Books(BTC),
    Books(BTC, 15),
    Trades(BTC),
    edgex.Depths(BTC),
    edgex.Depths(ETH),
)


class Ways:
    """Which frames went the short way."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.short: list[bool] = []
        take = Doors.take

        def taken(doors: Doors, frame: bytes) -> bool:
            self.short.append(take(doors, frame))
            return self.short[-1]

        monkeypatch.setattr(Doors, "take", taken)


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> Ways:
    return Ways(monkeypatch)


NEXT = depth(112, 115, bids=[("100.25", "7")])


def opened() -> tuple[Bench, Outbox]:
    """A kept book up to version 112, whose next change may go the short way."""
    play, (box,) = served(Books(BTC), play=Bench(VENUE, raw=False))
    play.server(depth(110, 112, bids=[("100.5", "2")]))
    assert [type(event) for event in box.take()] == [BookChange]
    return play, box


def test_changes_in_order_go_the_short_way(ways: Ways) -> None:
    play, box = opened()
    play.server(NEXT, depth(115, 120, bids=[("100.25", "0")]), depth(118, 121, bids=[("99", "12.75")]))
    assert ways.short == [True] * 3
    found = [(event.sequence, event.bids) for event in box.take() if isinstance(event, BookChange)]
    assert [sequence for sequence, _ in found] == [115, 120, 121]
    assert [len(bids) for _, bids in found] == [1, 1, 1]


def test_pieces_of_several_levels_make_up_others(ways: Ways) -> None:
    play, box = opened()
    three = [("100", "1"), ("99.5", "2"), ("99", "3")]
    play.server(depth(112, 113, bids=three, asks=[("101", "1"), ("102", "2")]))
    assert ways.short == []
    play.server(depth(113, 114, bids=three[:2], asks=[("103", "1.5")] * 5))
    assert ways.short == [True]
    assert len(box.take()) == 2


@pytest.mark.parametrize(("side", "near", "far"), [("bids", 90, 80), ("asks", 110, 120)])
def test_what_a_change_moves_out_of_the_window_is_removed(side: str, near: int, far: int, ways: Ways) -> None:
    play, (box,) = served(Books(BTC, 15), play=Bench(VENUE, raw=False))

    def changed(version: int, side: str, *levels: tuple[str, str]) -> str:
        bids, asks = (levels, ()) if side == "bids" else ((), levels)
        return depth(version - 1, version, bids=bids, asks=asks, level=15)

    def gone() -> list[str]:
        *_, last = box.take()
        assert isinstance(last, BookChange)
        return sorted(str(price) for price, size in (*last.bids, *last.asks) if not size)

    inner = [(f"{near + at}.5", "1") for at in range(9)]
    play.server(changed(111, side, *inner), changed(112, side, *inner[:3]))
    ways.short.clear()
    outer = [(f"{far + at}.25", "2") for at in range(8)]
    play.server(changed(113, side, *outer))
    fallen = outer[:3] if side == "bids" else outer[-3:]
    assert gone() == sorted(price for price, _ in fallen)
    assert ways.short == [True]
    play.server(changed(114, "asks" if side == "bids" else "bids", ("100.75", "1")))
    assert gone() == []


def words(frame: str, was: str, becomes: str) -> str:
    """The frame with another word in it."""
    assert was in frame
    return frame.replace(was, becomes, 1)


@pytest.mark.parametrize(
    ("frame", "kinds"),
    [
        (depth(114, 115, bids=[("100.25", "7")]), [Gap]),
        (depth(110, 112, bids=[("100.25", "7")]), []),
        (depth(112, 111, bids=[("100.25", "7")]), [Malformed, Gap]),
        (depth(112, 115, bids=[("NaN", "7")]), [Malformed, Gap]),
        (depth(112, 115, bids=[("1_0", "7")]), [Malformed, Gap]),
        (depth(112, 115, bids=[("1e99", "7")]), [Malformed, Gap]),
        (depth(112, 115, bids=[("9" * 70, "7")]), [Malformed, Gap]),
        (depth(112, 115, bids=[("100.25", "-7")]), [Malformed, Gap]),
        (depth(112, 115, bids=[("0.0", "7")]), [Malformed, Gap]),
        (depth(112, 115, bids=[("102", "7")]), [Gap]),
        (words(NEXT, f'"contractId":"{BTC}"', f'"contractId":"{ETH}"'), [Malformed, Gap]),
        (words(NEXT, '"level":200', '"level":15'), [Malformed, Gap]),
        (words(NEXT, "quote-event", "quote-ev1ent"), []),
        (words(NEXT, '"channel":"depth.30000001.200"', '"channel":"depth.30000002.200"'), []),
    ],
)
def test_what_is_not_plainly_the_next_change_goes_the_long_way(
    frame: str, kinds: list[type[Event]], ways: Ways
) -> None:
    play, box = opened()
    play.server(frame)
    found = [type(event) for event in box.take() if type(event) in {Gap, Malformed, BookChange}]
    assert found == kinds
    crossed = '"102"' in frame
    assert ways.short in ([True] if crossed else [], [crossed])


@pytest.mark.parametrize(
    ("was", "learned", "becomes"),
    [
        ('"CHANGED"', '"NOW"', '"SNAPSHOT"'),
        ('"dataType":"changed"', '"dataType":"now"', '"dataType":"Snapshot"'),
    ],
)
def test_a_snapshot_is_one_whatever_was_learned(was: str, learned: str, becomes: str, ways: Ways) -> None:
    play, box = opened()
    play.server(words(NEXT, was, learned))
    play.server(words(depth(115, 120, bids=[("100.25", "7")]), was, becomes))
    assert True not in ways.short
    assert [type(event) for event in box.take()] == [BookChange, BookSnapshot]


def test_fields_of_the_frame_are_looked_at_whatever_was_learned(ways: Ways) -> None:
    play, box = opened()
    play.server(words(NEXT, '{"type"', '{"re1quest":5,"type"'))
    play.server(words(depth(115, 120, bids=[("100.25", "7")]), '{"type"', '{"request":5,"type"'))
    assert True not in ways.short
    assert [type(event) for event in box.take()] == [BookChange, Malformed, Gap]


def test_a_frame_of_two_changes_goes_the_long_way(ways: Ways) -> None:
    play, box = opened()
    for version in (112, 116):
        one, other = (json.loads(depth(version + 2 * at, version + 2 * at + 2)) for at in range(2))
        one["content"]["data"] += other["content"]["data"]
        play.server(compact(one))
    assert True not in ways.short
    assert [type(event) for event in box.take()] == [BookChange] * 4


def test_a_request_closes_the_short_way_until_a_change_is_in_order_again(ways: Ways) -> None:
    play, box = opened()
    play.subscribe(Trades(BTC))
    play.writer()
    play.server(NEXT)
    assert ways.short == []
    play.server(depth(115, 120, bids=[("100.25", "0")]))
    assert ways.short == [True]
    assert len(box.take()) == 2


def test_a_refusal_closes_the_short_way(ways: Ways) -> None:
    play, box = opened()
    play.server(error(f"depth.{BTC}.200"))
    play.server(NEXT)
    assert ways.short == []
    assert BookChange not in [type(event) for event in box.take()]


# Against the long way.


class Weighing(Outbox):
    """Also notes what each event is said to weigh."""

    def __init__(self, topic: Topic[Event]) -> None:
        super().__init__(topic)
        self.weights: list[int] = []

    def push(self, event: Event, weight_bytes: int) -> None:
        super().push(event, weight_bytes)
        self.weights.append(weight_bytes)


class Shut(Doors):
    """Doors that never open."""

    def open(self, channel: WireChannel, chain: Chain, frame: bytes, out: Any) -> None:
        """Everything goes the long way."""


class Server(Feed):
    """Sends the books as they are when they are asked for."""

    def __init__(self, ends: dict[tuple[str, int], int]) -> None:
        self.ends = ends
        self.there = []

    def receive(self, frame: str) -> Sequence[str]:
        request = json.loads(frame)
        if request["type"] == "unsubscribe":
            return (compact({"type": "unsubscribed", "channel": request["channel"]}),)
        if request["type"] != "subscribe":
            return ()
        channel = request["channel"]
        answer = compact({"type": "subscribed", "channel": channel, "request": frame})
        if not channel.startswith("depth"):
            return (answer,)
        _, contract, level = channel.split(".")
        end = self.ends[contract, int(level)]
        bids, asks = [("99", "1"), ("99.5", "2")], [("101.5", "1")]
        book = depth(end - 5, end, bids=bids, asks=asks, whole=True, contract=contract, level=int(level))
        return answer, book


BOOKS = ((BTC, 200), (BTC, 15), (ETH, 200))

prices = st.sampled_from(["98", "99.5", "99.50", "100", "101", "101.5", "103"])
sizes = st.sampled_from(["1", "0.25", "7.125", "0", "0.000"])
odd_numbers = st.sampled_from(["99", "NaN", "1_0", " 9", "1e2", "1e99", "9" * 70, "-1", "0", "٣", "x", ""])
sides = st.lists(st.tuples(prices, sizes), max_size=4)
odd_sides = st.lists(st.tuples(odd_numbers, odd_numbers), min_size=1, max_size=2)
books = st.sampled_from(BOOKS)
steps = st.tuples(st.sampled_from([0, 0, 0, -1]), st.sampled_from([1, 7]))
odd_steps = st.tuples(st.sampled_from([0, 1, 2, -3, -5000]), st.sampled_from([0, 1, -1, 9]))
changes = st.tuples(st.just("change"), books, steps, sides, sides)
others = st.one_of(
    st.tuples(st.just("change"), books, odd_steps, sides, sides),
    st.tuples(st.just("change"), books, steps, odd_sides, sides),
    st.tuples(
        st.just("raw"),
        books,
        steps,
        st.just([("99.5", "1")]),
        st.sampled_from(
            [
                (BTC, ETH),
                ('"contractId":"30000001"', '"contractId":"30000009"'),
                ('"level":', '"level":1'),
                ('"level":200', '"level":0'),
                ("quote-event", "payload"),
                ("quote-event", "quote-ev1ent"),
                ('"dataType":"changed"', '"dataType":"Changed"'),
                ('"dataType":"changed"', '"dataType":"SNAPSHOT"'),
                ('"depthType":"CHANGED"', '"depthType":"Snapshot"'),
                ('"depthType":"CHANGED"', '"depthType":""'),
                ('"depthType":"CHANGED"', '"new":[{"x":1},{"y":{}}]'),
                ('"depthType":"CHANGED"', '"new":1e999'),
                ('{"price":"99.5","size":"1"}', '["99.5","1"]'),
                ('{"price":"99.5","size":"1"}', '{"price":"99.5","size":"1","new":"nan"}'),
                ('{"price":"99.5","size":"1"}', '{"price":99.5,"size":1}'),
                ('"type":', '"request":5,"type":'),
                ('"type":', '"sid":"s","type":'),
                ('"startVersion":"', '"startVersion":"x'),
                ("}]", "}"),
            ]
        ),
    ),
    st.tuples(
        st.just("say"),
        st.sampled_from(
            [
                "{",
                "[]",
                compact({"type": "ping", "time": "5"}),
                trades("a", "b"),
                quote("bookTicker.all.1s", [best()]),
                quote(f"depth.{BTC}.200", []),
                quote(f"depth.{BTC}.50", [{"x": 1}]),
                error(f"depth.{BTC}.15", "GATEWAY_ERROR", "try again"),
                error(f"depth.{BTC}.15"),
            ]
        ),
    ),
)
calm = st.lists(changes, min_size=1, max_size=24)
mixed = st.lists(st.one_of(changes, changes, changes, others), min_size=1, max_size=16)
reads = st.lists(st.one_of(calm, calm, mixed), max_size=8)
USUAL = [[("change", book, (0, 1), [("99.5", "1")], [("101.5", "2")])] * 12 for book in BOOKS]


def frames_of(said: Sequence[tuple[Any, ...]], ends: dict[tuple[str, int], int]) -> list[bytes]:
    made: list[str] = []
    for kind, *what in said:
        if kind == "say":
            made.append(what[0])
            continue
        (contract, level), (start, length), bids, rest = what
        end = ends[contract, level]
        ends[contract, level] = max(end + start + length, 0)
        span = (max(end + start, 0), ends[contract, level])
        asks = rest if kind == "change" else []
        frame = depth(*span, bids=bids, asks=asks, contract=contract, level=level)
        if kind == "raw":
            was, becomes = rest
            frame = frame.replace(was, becomes, 1)
        made.append(frame)
    return [text.encode() for text in made]


def play(said: list[list[tuple[Any, ...]]], *, way: str, raw: bool) -> tuple[Any, ...]:
    bench = Bench(VENUE, raw=raw)
    ends = dict.fromkeys(BOOKS, 100)
    server = Server(ends)
    boxes = [bench.join(Weighing(topic)) for topic in TOPICS]
    bench.connect()
    (line,) = bench.lines
    asked: list[str] = []

    def talk() -> None:
        for request in line.writer():
            asked.append(request)
            line.server(*server.receive(request))

    talk()
    for read in said:
        if way == "long":
            line.alive._doors = Shut()  # type: ignore[attr-defined]  # of this venue
        frames, stamp = frames_of(read, ends), bench.receipt()
        for batch in [frames] if way == "together" else [[frame] for frame in frames]:
            line.state.read(batch, stamp, line.alive)
        line.state.settle()
        bench.advance(5.0)
        talk()
    state = line.state
    return (
        [(box.take(), box.weights) for box in boxes],
        [type(box.error) for box in boxes],
        asked,
        state.tally.count(),
        state.lost_reason,
        state.last_error,
        dict(state.ledger.resyncing),
        line.alive.deadline(),
    )


@settings(max_examples=40)
@given(reads, st.booleans())
@example([*USUAL, *USUAL], False)
@example([*USUAL, [("raw", BOOKS[0], (0, 1), [("99.5", "1")], ("depthType", "depth1Type"))]], False)
def test_the_short_ways_say_what_the_long_way_says(said: list[list[tuple[Any, ...]]], raw: bool) -> None:
    said = [*USUAL, *said]
    long, alone, together = (play(said, way=way, raw=raw) for way in ("long", "alone", "together"))
    assert alone == long
    assert together == long
