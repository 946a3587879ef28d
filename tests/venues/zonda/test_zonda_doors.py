"""The short way of a change that is like those before it: it leads where the long way leads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.venues.bench import Bench, Outbox
from tests.venues.zonda import feed
from tests.venues.zonda.feed import TEN, change, compact, level, push, served, ticker, trades
from trioquotes._protocol.contract import Sink
from trioquotes.events import BookChange, Event, Gap, Malformed, Unknown
from trioquotes.topics import Books, Topic, Trades
from trioquotes.venues import zonda
from trioquotes.venues.zonda import VENUE
from trioquotes.venues.zonda.books import SNAPSHOT_LEVELS
from trioquotes.venues.zonda.doors import Doors

WHOLE = "orderbook/btc-pln"
PATHS: tuple[str, ...] = (WHOLE, TEN)
TOPICS: tuple[Topic[Event], ...] = (
    Books("BTC-PLN"),
    Books("BTC-PLN", 10),
    Trades("BTC-PLN"),
    zonda.OrderBooks("BTC-PLN"),
    zonda.LimitedOrderBooks("BTC-PLN", 10),
)
DEEP = [(str(1000 + at), "1") for at in range(SNAPSHOT_LEVELS)]


class Ways:
    """Which frames went the short way."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.short: list[bool] = []
        take = Doors.take

        def taken(doors: Doors, frame: bytes, out: Sink) -> bool:
            self.short.append(take(doors, frame, out))
            return self.short[-1]

        monkeypatch.setattr(Doors, "take", taken)


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> Ways:
    return Ways(monkeypatch)


def opened(path: str = WHOLE) -> tuple[Bench, Outbox]:
    """A kept book whose next change may go the short way."""
    play = Bench(VENUE, raw=False)
    box = play.subscribe(Books("BTC-PLN") if path == WHOLE else Books("BTC-PLN", 10))
    served(play, box)
    play.server(change(101, ("Buy", "99.5", "1"), path=path), change(102, ("Buy", "99.5", None), path=path))
    assert [type(event) for event in box.take()] == [BookChange] * 2
    return play, box


@pytest.mark.parametrize("path", PATHS)
def test_changes_in_order_go_the_short_way(path: str, ways: Ways) -> None:
    play, box = opened(path)
    play.server(change(103, ("Buy", "99.25", "7"), path=path), change(104, ("Buy", "99.5", "2.5"), path=path))
    assert ways.short == [True, True]
    assert [(len(event.bids), event.sequence) for event in box.take() if isinstance(event, BookChange)] == [
        (1, 103),
        (1, 104),
    ]
    tally = play.line().state.tally.count()
    assert (tally.malformed, tally.gaps) == (0, 0)


def test_pieces_of_several_changes_make_up_others(ways: Ways) -> None:
    play, box = opened()
    one, other, gone = ("Buy", "99", "7"), ("Sell", "102", "1"), ("Sell", "102", None)
    play.server(change(103, one, gone, other, one, path=WHOLE))
    assert ways.short == []
    play.server(change(104, one, other, gone, gone, other, one, path=WHOLE))
    assert ways.short == [True]
    assert len(box.take()) == 2


@pytest.mark.parametrize(
    ("frame", "kinds"),
    [
        (change(104, ("Buy", "99.5", "1"), path=WHOLE), [Gap]),
        (change(102, ("Buy", "99.5", "1"), path=WHOLE), []),
        (change(103, ("Buy", "NaN", "1"), path=WHOLE), [Malformed, Gap]),
        (change(103, ("Buy", "1_0", "1"), path=WHOLE), [Malformed, Gap]),
        (change(103, ("Buy", "1e99", "1"), path=WHOLE), [Malformed, Gap]),
        (change(103, ("Buy", "9" * 70, "1"), path=WHOLE), [Malformed, Gap]),
        (change(103, ("Buy", "99.5", "-1"), path=WHOLE), [Malformed, Gap]),
        (change(103, ("Buy", "0", "1"), path=WHOLE), [Malformed, Gap]),
        (change(103, ("Bu1y", "99.5", "1"), path=WHOLE), [Malformed, Gap]),
        (change(103, ("Buy", "99.5", "1"), path=WHOLE).replace("BTC-PLN", "BT1C-PLN"), [Malformed, Gap]),
        (change(103, ("Buy", "99.5", "1"), path=WHOLE).replace("update", "upd1ate"), [Malformed, Gap]),
        (change(103, ("Buy", "99.5", "1"), path=WHOLE).replace('"ra":"99.5"', '"ra":"99.6"'), [Malformed, Gap]),
        (change(103, ("Buy", "99.5", "1"), path=WHOLE).replace("1644899040700", "16448990407000"), [Malformed, Gap]),
        (change(103, ("Buy", "99.5", "1"), path=WHOLE).replace("1644899040733", "1.44899040733"), [Malformed, Gap]),
        (change(103, ("Buy", "99.5", "1"), path=WHOLE).replace("push", "pu1sh"), []),
        (change(103, ("Buy", "99.5", None), path=WHOLE).replace("remove", "re1move"), [Malformed, Gap]),
        (change(103, ("Buy", "101.5", "1"), path=WHOLE), [Gap]),
    ],
)  # fmt: skip
def test_what_is_not_plainly_the_next_change_goes_the_long_way(
    frame: str, kinds: list[type[Event]], ways: Ways
) -> None:
    play, box = opened()
    play.server(frame)
    assert [type(event) for event in box.take() if not isinstance(event, Unknown)] == kinds
    crossed = "101.5" in frame
    assert ways.short in ([True] if crossed else [], [crossed])


def test_a_request_closes_the_short_way_until_a_change_is_in_order_again(ways: Ways) -> None:
    play, box = opened()
    play.subscribe(Trades("BTC-PLN"))
    play.writer()
    play.server(change(103, ("Buy", "99.5", "2"), path=WHOLE))
    assert ways.short == []
    play.server(change(104, ("Buy", "99.5", "3"), path=WHOLE))
    assert ways.short == [True]
    assert len(box.take()) == 2


@pytest.mark.parametrize("name", ["module", "path", "requestId"])
def test_fields_of_the_envelope_are_looked_at_whatever_was_learned(name: str, ways: Ways) -> None:
    play, box = opened()
    for number, said in ((103, f"{name[0]}1{name[1:]}"), (104, name)):
        whole = change(number, ("Buy", "99.5", "1"), path=WHOLE)
        play.server(whole.replace('{"action"', f'{{"{said}":5,"action"', 1))
    assert True not in ways.short
    assert [type(event) for event in box.take()] == [BookChange, Malformed]


def test_what_is_known_of_a_cut_book_is_followed_on_the_short_way(ways: Ways) -> None:
    play = Bench(VENUE, raw=False)
    box = play.subscribe(zonda.OrderBooks("BTC-PLN"))
    play.connect()
    (asked,) = play.writer()
    play.server(feed.confirm(WHOLE))
    (asked,) = play.writer()
    play.server(feed.answer(json.loads(asked)["requestId"], feed.book(100, buy=DEEP, sell=[("2000", "1")])))
    box.take()
    play.server(change(101, ("Buy", "999", "1"), path=WHOLE), change(102, ("Buy", "1000", "0"), path=WHOLE))
    play.server(change(103, ("Buy", "1000", "0"), path=WHOLE))
    assert ways.short == [True, True]
    found = [event for event in box.take() if isinstance(event, zonda.OrderBookPush)]
    assert [str(one.bid_floor) for one in found] == ["1000"] * 3


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

    def open(self, topic: str, door: Any, frame: bytes) -> None:
        """Everything goes the long way."""


class Script:
    """What the server says, read by read, as it was drawn."""

    def __init__(self) -> None:
        self.number = dict.fromkeys(PATHS, 100)

    def frames(self, said: Sequence[tuple[str, str, Any]]) -> list[bytes]:
        made: list[str] = []
        for kind, path, what in said:
            match kind:
                case "next":
                    self.number[path] += 1
                    made.append(change(self.number[path], *what, path=path))
                case "skip":
                    self.number[path] += what
                case "raw":
                    self.number[path] += 1
                    whole = change(self.number[path], ("Buy", "99.5", "1"), path=path)
                    was, becomes = what
                    made.append(whole.replace(was, becomes, 1))
                case _:
                    made.append(what)
        return [text.encode() for text in made]

    def snapshot(self, path: str) -> Any:
        return feed.book(self.number[path])


prices = st.sampled_from(["98", "99.5", "99.50", "100", "101", "101.5", "103"])
amounts = st.sampled_from(["1", "0.25", "7.125", "0", None])
rows = st.tuples(st.sampled_from(["Buy", "Sell"]), prices, amounts)
odd_rows = st.tuples(
    st.sampled_from(["Buy", "Sell", "Bu1y", "x"]),
    st.sampled_from(["99", "NaN", "1_0", " 9", "1e2", "1e99", "9" * 70, "-1", "0", "٣", "0.0"]),
    st.sampled_from(["1", "Infinity", "1E-80", "-1", "x", None]),
)
paths = st.sampled_from(PATHS)
changes = st.tuples(st.just("next"), paths, st.lists(rows, max_size=4))
others = st.one_of(
    st.tuples(st.just("next"), paths, st.lists(odd_rows, min_size=1, max_size=2)),
    st.tuples(st.just("skip"), paths, st.sampled_from([1, 3, -1, -2, 2000])),
    st.tuples(
        st.just("raw"),
        paths,
        st.sampled_from(
            [
                ("BTC-PLN", "ETH-PLN"),
                ("BTC-PLN", "btc-pln"),
                ('"marketCode":"BTC-PLN",', ""),
                ('"action":"push",', ""),
                ('"action":"push"', '"action":"pong"'),
                ("update", "remove"),
                ('"sa":"1",', '"sa":"nan",'),
                ('"sa":"1",', '"new":[{"x":1},{"y":{}}],'),
                ('"sa":"1",', '"new":1e999,'),
                ("trading", "TRADING"),
                ('"action":"push"', '"action":"push","module":"m"'),
                ('"action":"push"', '"action":"push","module":5'),
                ('"timestamp":"1644899040700"', '"timestamp":null'),
                ('"timestamp":"1644899040700"', '"timestamp":"1644899040700x"'),
                ('"co":1', '"co":1.5'),
                ("}", ""),
            ]
        ),
    ),
    st.tuples(
        st.just("say"),
        st.just(WHOLE),
        st.sampled_from(
            [
                "{",
                "[]",
                compact({"action": "pong"}),
                ticker(5),
                trades(7, "101.5"),
                compact({"error": "no"}),
                compact({"action": "subscribe-public-error", "module": "trading", "path": WHOLE}),
                push(WHOLE, 9, {"changes": []}),
                push("orderbook/eth-pln", 9, {"changes": [{"entryType": "Buy", "rate": "1", "action": "remove"}]}),
                feed.answer("nobody", {"buy": [level("1", "1")]}),
            ]
        ),
    ),
)  # fmt: skip
calm = st.lists(changes, min_size=1, max_size=24)
mixed = st.lists(st.one_of(changes, changes, changes, others), min_size=1, max_size=16)
reads = st.lists(st.one_of(calm, calm, mixed), max_size=8)
USUAL = [[("next", path, [("Buy", "99.5", "1"), ("Sell", "101", "2")])] * 12 for path in PATHS]


def play(said: list[list[tuple[str, str, Any]]], *, way: str, raw: bool) -> tuple[Any, ...]:
    bench = Bench(VENUE, raw=raw)
    boxes = [bench.join(Weighing(topic)) for topic in TOPICS]
    served(bench, *boxes)
    (line,) = bench.lines
    script = Script()
    asked: list[str] = []
    for read in said:
        if way == "long":
            line.alive._doors = Shut()  # type: ignore[attr-defined]  # of this venue
        frames, stamp = script.frames(read), bench.receipt()
        for batch in [frames] if way == "together" else [[frame] for frame in frames]:
            line.state.read(batch, stamp, line.alive)
        line.state.settle()
        bench.advance(5.0)
        for request in map(json.loads, line.writer()):
            asked.append(f"{request['action']} {request.get('path')}")
            if request["action"] == "proxy" and request["path"] in script.number:
                line.server(feed.answer(request["requestId"], script.snapshot(request["path"])))
    state = line.state
    return (
        [(box.take(), box.weights) for box in boxes],
        [box.error for box in boxes],
        asked,
        state.tally.count(),
        state.lost_reason,
        state.last_error,
        dict(state.ledger.resyncing),
        line.alive.deadline(),
    )


@settings(max_examples=40)
@given(reads, st.booleans())
@example(USUAL * 5, False)
@example([*USUAL, [("raw", WHOLE, ('"sa":"1",', '"new":1e999,'))], USUAL[0]], False)
def test_the_short_ways_say_what_the_long_way_says(said: list[list[tuple[str, str, Any]]], raw: bool) -> None:
    said = [*USUAL, *said]
    long, alone, together = (play(said, way=way, raw=raw) for way in ("long", "alone", "together"))
    assert alone[2:] == long[2:]
    assert together[2:] == long[2:]
    for one in (alone, together):
        assert one[0] == long[0]
        assert [type(error) for error in one[1]] == [type(error) for error in long[1]]
