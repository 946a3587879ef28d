"""Books by price equal a naive model of the server's, or it was said before that they may not.

``level2`` and ``level2_batch`` have no counter and no checksum, so nothing shows that an update was lost, came out of
order or came again later; the venue promises that this does not happen, and no play contains it.
"""

from __future__ import annotations

import json
import random
from collections import deque
from decimal import Decimal
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from tests.venues.bench import Bench, Line, Outbox
from tests.venues.bookcheck import Reader, many
from tests.venues.coinbase.exchange import Product
from tests.venues.coinbase.feed import KEY, RENAMED, ack, compact, heartbeat, snapshot, update
from trioquotes.events import Depth, Event, Gap, Notice, Quote
from trioquotes.topics import Books, Depths, Quotes, Topic
from trioquotes.venues import coinbase
from trioquotes.venues.coinbase import VENUE

PRODUCTS = ("A-B", "C-D")
TOP = 3

Sides = tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]


class View(Outbox):
    """Believes each view until a gap."""

    def __init__(self, topic: Topic[Any]) -> None:
        super().__init__(topic)
        self.view: Quote | Depth | None = None

    def push(self, event: Event, weight_bytes: int) -> None:
        super().push(event, weight_bytes)
        assert isinstance(event, Quote | Depth)
        self.view = event

    def notify(self, notice: Notice) -> None:
        super().notify(notice)
        if isinstance(notice, Gap):
            self.view = None

    def assert_right(self, bids: dict[Decimal, Decimal], asks: dict[Decimal, Decimal]) -> None:
        best_bids, best_asks = sorted(bids.items(), reverse=True), sorted(asks.items())
        if isinstance(self.view, Depth):
            assert (*self.view.bids,) == (*best_bids[:TOP],)
            assert (*self.view.asks,) == (*best_asks[:TOP],)
        elif self.view is not None:
            bid, ask = (best[0] if best else (None, None) for best in (best_bids, best_asks))
            assert (self.view.bid, self.view.bid_size, self.view.ask, self.view.ask_size) == (*bid, *ask)


class Frame(NamedTuple):
    """A frame on its way.

    Attributes:
        product: whose, or empty if that cannot be read.
        whole: whether it is a snapshot.
        sides: what the server has published once it is read; ``None`` for what breaks a book.
    """

    text: str
    product: str = ""
    whole: bool = False
    sides: Sides | None = None


class Stage:
    """A session, the server's side of its one line, and what was published on it."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        signed = rng.random() < 0.4
        self.channel, self.lane = ("level2", "book") if signed else ("level2_batch", "market")
        self.play = Bench(VENUE, credentials=KEY if signed else None)
        self.products = {name: Product(name, rng) for name in PRODUCTS}
        self.boxes: list[Outbox] = []
        self.wire: deque[Frame] = deque()
        self.there: dict[str, list[str]] = {}
        self.asked: set[str] = set()  # what the client asked for and did not give up since
        self.late: dict[str, int] = {}  # updates that go before a snapshot that comes late
        self.published: dict[str, Sides | None] = dict.fromkeys(PRODUCTS)
        self.faults = rng.random() < 0.8
        self.come()

    @property
    def line(self) -> Line:
        return self.play.line(self.lane)

    # The users.

    def come(self) -> None:
        """A subscriber comes."""
        name = self.rng.choice(PRODUCTS)
        box: Outbox
        match self.rng.randrange(6):
            case 0:
                box = View(Quotes(name))
            case 1:
                box = View(Depths(name, TOP))
            case 2:
                level2 = coinbase.Level2 if self.channel == "level2" else coinbase.Level2Batch
                box = Outbox(level2(name))
            case _:
                box = Reader(Books(name))
        self.boxes.append(self.play.join(box))
        self.check()

    def go(self) -> None:
        """One goes."""
        if len(self.boxes) > 1:
            self.play.unsubscribe(self.boxes.pop(self.rng.randrange(len(self.boxes))))

    # The client's side of the line.

    def write(self) -> None:
        """What the client has to say reaches the server, and the server answers."""
        line = self.line
        if line.protocol is None:
            if not line.state.ledger.wanted_any:
                return
            self.wire.clear()
            self.there, self.asked, self.late = {}, set(), {}
            line.connect()
        for frame in line.writer():
            for said in [json.loads(frame)] if frame else []:
                for channel in said["channels"]:
                    for name in channel["product_ids"]:
                        self._serve(said["type"], channel["name"], name)
                self._acknowledge()

    def _serve(self, kind: str, channel: str, name: str) -> None:
        held = self.there.setdefault(channel, [])
        if kind == "unsubscribe":
            if name in held:
                held.remove(name)
            if channel == self.channel:
                self.asked.discard(name)
                self.late.pop(name, None)
                self.published[name] = None
            return
        again = name in held
        if not again:
            held.append(name)
        if channel != self.channel:
            return
        self.asked.add(name)
        # While frames of an older subscription are on their way, nobody could tell which of the two an update is of.
        is_clear = not any(frame.product == name for frame in self.wire)
        chance = self.rng.random() if self.faults and is_clear else 1.0
        if chance < 0.05:
            self.wire.append(Frame(self._crossed(name), name))
        elif chance < 0.15 or (again and chance < 0.5):
            pass  # its snapshot never comes
        elif chance < 0.35:
            self.late[name] = self.rng.randrange(3)
        else:
            self.send_snapshot(name)

    def _acknowledge(self) -> None:
        listed = {RENAMED.get(name, name): ids for name, ids in self.there.items() if ids}
        frame = Frame(ack(**listed))
        if not self.faults or self.rng.random() < 0.9:
            self.wire.insert(self.rng.randrange(len(self.wire) + 1) if self.faults else len(self.wire), frame)

    def lose_line(self) -> None:
        if self.line.protocol is not None:
            self.line.drop()
            self.check()

    # The server's.

    def send(self, name: str, fields: dict[str, Any], *, whole: bool = False) -> None:
        if name in self.there.get(self.channel, ()):
            levels = self.products[name].levels
            sides = dict(levels["buy"]), dict(levels["sell"])
            self.wire.append(Frame(compact(fields), name, whole, sides))

    def send_snapshot(self, name: str) -> None:
        self.send(name, self.products[name].snapshot(), whole=True)

    def trade(self) -> None:
        """Something happens, and is published."""
        name = self.rng.choice(PRODUCTS)
        product = self.products[name]
        for _ in range(self.rng.randrange(1, 3)):
            product.act()
        fields = product.update()
        if fields is not None:
            self.send(name, fields)
        if name in self.late:
            self.late[name] -= 1
            if self.late[name] <= 0:
                del self.late[name]
                self.send_snapshot(name)

    def again(self) -> None:
        """A snapshot comes once more, or the last frame does."""
        if self.wire and self.rng.random() < 0.5:
            self.wire.append(self.wire[-1])
        else:
            name = self.rng.choice(PRODUCTS)
            if name not in self.late:
                fields = self.products[name].update()
                if fields is not None:
                    self.send(name, fields)
                self.send_snapshot(name)

    def spoil(self) -> None:
        """Something comes that no book can take."""
        name = self.rng.choice(PRODUCTS)
        product = self.products[name]
        levels = product.levels
        kind = self.rng.randrange(9)
        if kind == 0 and levels["sell"]:
            text = update(("buy", str(min(levels["sell"]) + self.rng.randrange(2)), "1"), product=name)
        elif kind == 1 and levels["buy"]:
            text = update(("buy", "1", "1"), ("sell", str(max(levels["buy"])), "1"), product=name)
        elif kind == 2:
            text = update(("buy", "50", "-1"), product=name)
        elif kind == 3:
            text = update(("bid", "50", "1"), ("buy", "51", "1"), product=name)
        elif kind == 4:
            text = update(("sell", "200", "0.-10000"), product=name)
        elif kind == 5:
            text = (
                compact(product.snapshot()).replace('"bids":[', '"bids":[["1","NaN"],').replace("],]", "]]")
            )
        elif kind == 6:
            text = update(product=name).replace('"changes":[]', '"changes":5')
        elif kind == 7:
            text = self._crossed(name)
        else:
            self.wire.append(
                Frame(self.rng.choice(("", "{", "null", '{"type":5}', '{"type":"l2update","product_id":7}')))
            )
            return
        if name in self.there.get(self.channel, ()):
            self.wire.append(Frame(text, name))

    @staticmethod
    def _crossed(name: str) -> str:
        return snapshot(name, bids=[["9", "1"]], asks=[["8", "1"]])

    # Reading.

    def read(self) -> None:
        """The next frame reaches the client."""
        if self.line.protocol is None or not self.wire:
            return
        frame = self.wire.popleft()
        name = frame.product
        others = [box for box in self.boxes if name and box.topic.subject != name and self.trusts(box)]
        if not name and "subscriptions" not in frame.text and "heartbeat" not in frame.text:
            self.published = dict.fromkeys(PRODUCTS)
        elif (
            name in self.asked
        ):  # also what is late of an older subscription: it is in order, and a snapshot follows
            if frame.sides is None:
                self.published[name] = None
            elif frame.whole or self.published[name] is not None:
                self.published[name] = frame.sides
        readers = [box for box in self.boxes if isinstance(box, Reader) and box.topic.subject == name]
        applied = [box.applied for box in readers]
        self.line.server(frame.text)
        if frame.sides is None:
            assert applied == [box.applied for box in readers], "a part of a book was handed over"
        self.check()
        assert all(self.trusts(box) for box in others), "the book of another product was disturbed"

    @staticmethod
    def trusts(box: Outbox) -> bool:
        return (isinstance(box, Reader) and box.trusting) or (isinstance(box, View) and box.view is not None)

    def check(self) -> None:
        """Who trusts its book is right."""
        for box in self.boxes:
            if not self.trusts(box):
                continue
            sides = self.published[box.topic.subject] if self.line.protocol is not None else None
            assert sides is not None, f"{box.topic}: trusted without a reason"
            if isinstance(box, Reader):
                assert box.agrees(*sides), f"{box.topic}: wrong"
            elif isinstance(box, View):
                box.assert_right(*sides)

    def wait(self) -> None:
        self.play.advance(self.rng.choice((0.2, 2.0, 11.0)))
        if self.line.state.lost_reason is not None and self.line.protocol is not None:
            self.lose_line()

    def converge(self) -> None:
        """Nothing goes wrong any more: soon every book is right."""
        self.faults = False
        for _ in range(100):
            self.write()
            for name in sorted(self.late):
                del self.late[name]
                self.send_snapshot(name)
            self.trade()
            while self.wire:
                self.read()
            self.write()
            if not self.wire and all(self.trusts(box) for box in self.boxes if type(box) is not Outbox):
                return
            self.wire.extend(Frame(heartbeat(product=name)) for name in PRODUCTS)
            self.play.advance(3.0)
            if self.line.state.lost_reason is not None:
                self.lose_line()
        raise AssertionError("a book never became right again")


def play(rng: random.Random) -> None:
    """One session with everything that can be seen to go wrong."""
    stage = Stage(rng)
    faults = stage.faults
    steps = [*[stage.trade] * 6, *[stage.read] * 10, *[stage.write] * 4, stage.again, stage.come, stage.go]
    if faults:
        steps += [stage.spoil, stage.come, stage.wait, stage.lose_line]
    for _ in range(rng.randrange(20, 60)):
        rng.choice(steps)()
    stage.converge()
    if not faults:
        said = {reason for box in stage.boxes if isinstance(box, Reader) for reason in box.gaps}
        assert said <= {"joined late", "asked for again"}, "a gap, and nothing was lost"
    stage.play.assert_polite()


@given(st.randoms(use_true_random=False))
def test_book_is_right_or_says_that_it_is_not(rng: random.Random) -> None:
    play(rng)


def test_book_is_right_or_says_that_it_is_not_in_many_sessions() -> None:
    many(play)
